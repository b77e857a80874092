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
    fn cursor(self, held: &Held) -> Cursor {
        let at = match self {
            Self::Name | Self::NameDown => 0,
            Self::Changed | Self::ChangedDown => held.changed_at,
            Self::Created | Self::CreatedDown => held.created_at,
        };
        Cursor { sort: self, at, name: held.parsed.name.clone() }
    }

    fn compare(self, a: &Cursor, b: &Cursor) -> Ordering {
        let order = a.at.cmp(&b.at).then_with(|| a.name.cmp(&b.name));
        match self {
            Self::Name | Self::Changed | Self::Created => order,
            Self::NameDown | Self::ChangedDown | Self::CreatedDown => order.reverse(),
        }
    }
}

/// Which assets are wanted.
pub(super) struct Search<'a> {
    words: Vec<String>,
    filters: Vec<(&'a str, &'a str)>,
}

impl<'a> Search<'a> {
    /// Words that all have to be somewhere, and values that keys of the document have to have.
    pub(super) fn new(words: Option<&str>, filter: Option<&'a str>) -> Result<Self, String> {
        Ok(Self {
            words: words.into_iter().flat_map(str::split_whitespace).map(str::to_lowercase).collect(),
            filters: filter.map(parse_filters).transpose()?.unwrap_or_default(),
        })
    }

    pub(super) fn finds(&self, held: &Held) -> bool {
        self.filters.iter().all(|(key, value)| has(&held.parsed.document, key, value))
            && contains(held, &self.words)
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
    let mut found: Vec<_> = assets
        .list(kind)
        .filter(|held| search.finds(held))
        .filter(|held| who.sees(&assets, held))
        .map(|held| (wanted.sort.cursor(held), held))
        .collect();
    let total = found.len();
    found.sort_by(|(a, _), (b, _)| wanted.sort.compare(a, b));
    let begin = after.map_or(0, |after| {
        found.partition_point(|(cursor, _)| wanted.sort.compare(cursor, &after) != Ordering::Greater)
    });
    let page = &found[begin..found.len().min(begin + limit)];
    let next =
        page.last().filter(|_| begin + page.len() < found.len()).map(|(cursor, _)| write_cursor(cursor));
    let view = |held: &Held| match &fields {
        Some(fields) => fields.select(asset(held)),
        None => asset(held),
    };
    let items: Vec<Value> = page.iter().map(|(_, held)| view(held)).collect();
    Ok(Json(json!({ "items": items, "total": total, "next": next, "revision": assets.revision })))
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

fn parse_filters(text: &str) -> Result<Vec<(&str, &str)>, String> {
    text.split(',')
        .map(|part| part.split_once('=').ok_or_else(|| format!("found filter `{part}`, expected key=value")))
        .collect()
}

/// Whether the value at a path of keys is this text, or a list that has it.
fn has(document: &Value, path: &str, wanted: &str) -> bool {
    let is = |value: &Value| match value {
        Value::String(text) => text == wanted,
        Value::Bool(value) => wanted.parse() == Ok(*value),
        Value::Number(number) => wanted.parse::<serde_json::Number>().is_ok_and(|wanted| wanted == *number),
        Value::Null | Value::Object(_) | Value::Array(_) => false,
    };
    match path.split('.').try_fold(document, |value, key| value.get(key)) {
        Some(Value::Array(list)) => list.iter().any(is),
        Some(value) => is(value),
        None => false,
    }
}

/// Whether all words are somewhere in the asset.
fn contains(held: &Held, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let name = held.parsed.name.to_lowercase();
    let mut rest = words.iter().filter(|word| !name.contains(*word)).peekable();
    if rest.peek().is_none() {
        return true;
    }
    let text = held.parsed.document.to_string().to_lowercase();
    rest.all(|word| text.contains(word))
}
