//! Lists of assets: filtered, searched, sorted, in pages that stay right while assets come and go.

use std::{cmp::Ordering, sync::Arc};

use axum::{Extension, Json, extract::State, http::StatusCode, routing};
use base64ct::{Base64UrlUnpadded, Encoding};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    answer::{Problem, asset},
    assets::find_kind,
    extract::{Path, Query},
    fields::Fields,
    route::{Content, Right, Route, get},
    search::Search,
};
use crate::{Held, Manager, Who};

/// Longest page.
const LONGEST: usize = 1_000;

pub(super) const ROUTES: &[Route] =
    &[get("/{kind}", "list{Kinds}", "A page of {kinds}.", Right::User, || routing::get(list))
        .query::<Wanted>()
        .answers_content(200, Content::Assets)];

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wanted {
    /// Words that all have to be somewhere in the asset, whatever the case.
    q: Option<String>,
    /// `tags=pets` for each key of the document; several with commas.
    filter: Option<String>,
    /// `name`, `changedAt` or `createdAt`, with `-` before it for the other direction.
    #[serde(default)]
    sort: Sort,
    /// Longest page. Default 100, at most 1000.
    limit: Option<usize>,
    /// `next` of the page before.
    after: Option<String>,
    /// Keys of the documents in `spec` that are wanted, with commas. Keys that every document has are there in any case,
    /// as is what there is to know about the asset. `spec` stands for whole documents. Default: `spec`.
    fields: Option<String>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
enum Sort {
    #[default]
    #[serde(rename = "name")]
    Name,
    #[serde(rename = "-name")]
    NameDown,
    #[serde(rename = "changedAt")]
    Changed,
    #[serde(rename = "-changedAt")]
    ChangedDown,
    #[serde(rename = "createdAt")]
    Created,
    #[serde(rename = "-createdAt")]
    CreatedDown,
}

/// Where a page ends: what the next one is sorted after.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    sort: Sort,
    at: u64,
    name: String,
}

impl Sort {
    /// What comes before the name.
    fn at(self, held: &Held) -> u64 {
        match self {
            Self::Name | Self::NameDown => 0,
            Self::Changed | Self::ChangedDown => held.changed_at,
            Self::Created | Self::CreatedDown => held.created_at,
        }
    }

    fn compare(self, a: (u64, &str), b: (u64, &str)) -> Ordering {
        match self {
            Self::Name | Self::Changed | Self::Created => a.cmp(&b),
            Self::NameDown | Self::ChangedDown | Self::CreatedDown => b.cmp(&a),
        }
    }
}

async fn list(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(list): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, Problem> {
    let kind = find_kind(&list)?;
    let limit = wanted.limit.unwrap_or(100).clamp(1, LONGEST);
    let bad = |detail: String| Problem::new(StatusCode::BAD_REQUEST, "bad_query", detail);
    let after = wanted.after.as_deref().map(parse_cursor).transpose().map_err(bad)?;
    if after.as_ref().is_some_and(|after| after.sort != wanted.sort) {
        return Err(bad("`after` belongs to another `sort`".into()));
    }
    let fields =
        wanted.fields.as_deref().map(|fields| Fields::parse(fields, kind)).transpose().map_err(bad)?;
    let search = Search::new(wanted.q.as_deref(), wanted.filter.as_deref()).map_err(bad)?;
    let assets = manager.assets();
    let mut found: Vec<(u64, &Held)> = assets
        .list(kind)
        .filter(|held| search.finds(held))
        .filter(|held| who.sees(&assets, held))
        .map(|held| (wanted.sort.at(held), &**held))
        .collect();
    let total = found.len();
    // They come by name already, which is what most ask for.
    if wanted.sort != Sort::Name {
        found.sort_by(|a, b| wanted.sort.compare(key(a), key(b)));
    }
    let begin = after.map_or(0, |after| {
        let after = (after.at, after.name.as_str());
        found.partition_point(|held| wanted.sort.compare(key(held), after) != Ordering::Greater)
    });
    let page = &found[begin..found.len().min(begin + limit)];
    let last = page.last().filter(|_| begin + page.len() < found.len());
    let next = last.map(|(at, held)| {
        write_cursor(&Cursor { sort: wanted.sort, at: *at, name: held.parsed.name.clone() })
    });
    let view = |held: &Held| match &fields {
        Some(fields) => fields.select(asset(held)),
        None => asset(held),
    };
    let items: Vec<Value> = page.iter().map(|(_, held)| view(held)).collect();
    Ok(Json(json!({ "items": items, "total": total, "next": next, "revision": assets.revision })))
}

/// What an asset is sorted by.
fn key<'a>((at, held): &(u64, &'a Held)) -> (u64, &'a str) {
    (*at, &held.parsed.name)
}

fn parse_cursor(text: &str) -> Result<Cursor, String> {
    let bytes = Base64UrlUnpadded::decode_vec(text).ok();
    bytes
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or_else(|| "`after` is not what `next` of a page was".to_owned())
}

fn write_cursor(cursor: &Cursor) -> String {
    Base64UrlUnpadded::encode_string(&serde_json::to_vec(cursor).unwrap_or_default())
}
