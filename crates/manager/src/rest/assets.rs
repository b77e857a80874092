//! One asset: read, created, replaced, patched, deleted.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION},
    },
    response::{IntoResponse, Response},
    routing,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{
    answer::{Problem, asset, tagged},
    extract::{Bytes, Path, Query},
    route::{self, Content, Right, Route, post, put},
};
use crate::{Assets, ChangeError, Changed, Condition, Edit, Held, Kind, Manager, Who, Write, kind};

pub(super) const ROUTES: &[Route] = &[
    post("/{kind}", "create{Kind}", "Makes a {kind}.", Right::Change, || routing::post(create))
        .query::<Options>()
        .takes_content(Content::Document)
        .answers_content(201, Content::Asset),
    route::get("/{kind}/{name}", "get{Kind}", "A {kind}.", Right::User, || routing::get(get))
        .answers_content(200, Content::Asset),
    put("/{kind}/{name}", "put{Kind}", "Replaces a {kind}, or makes it.", Right::Change, || {
        routing::put(replace)
    })
    .query::<Options>()
    .takes_content(Content::Document)
    .answers_content(200, Content::Asset)
    .or_creates(),
    route::patch("/{kind}/{name}", "patch{Kind}", "Changes keys of a {kind}.", Right::Change, || {
        routing::patch(patch)
    })
    .query::<Options>()
    .takes_content(Content::MergePatch)
    .answers_content(200, Content::Asset),
    route::delete("/{kind}/{name}", "delete{Kind}", "Deletes a {kind}.", Right::Change, || {
        routing::delete(delete)
    })
    .query::<Options>()
    .answers::<Deleted>(200),
];

/// What is left of a deleted asset.
#[derive(serde::Serialize, JsonSchema)]
struct Deleted {
    revision: u64,
    warnings: Vec<model::Diagnostic>,
}

/// What every change may say.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Options {
    /// Only say what would change, and what is wrong.
    #[serde(default)]
    pub dry_run: bool,
    /// Why, for the history.
    pub reason: Option<String>,
}

pub(super) fn find_kind(list: &str) -> Result<&'static Kind, Problem> {
    kind(list).filter(|kind| kind.list == list).ok_or_else(|| {
        let known: Vec<_> = crate::KINDS.iter().map(|kind| kind.list).collect();
        let detail = format!("found `{list}`, expected one of {}", known.join(", "));
        Problem::new(StatusCode::NOT_FOUND, "no_such_kind", detail)
    })
}

/// An asset that is there for whoever asks.
pub(super) fn find<'a>(
    assets: &'a Assets,
    who: &Who,
    kind: &'static Kind,
    name: &str,
) -> Result<&'a Arc<Held>, Problem> {
    let held = assets.get(kind, name).filter(|held| who.sees(assets, held));
    held.ok_or_else(|| ChangeError::NotFound { kind: kind.name, name: name.to_owned() }.into())
}

fn document(body: &Bytes) -> Result<Value, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "bad_json", format!("the body is no JSON: {error}"))
    })
}

/// The revision that `If-Match` names.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<Condition>, Problem> {
    let Some(value) = headers.get(IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(Some(Condition::Present));
    }
    let revision = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).and_then(|t| t.parse().ok());
    revision.map(Condition::At).map(Some).ok_or_else(|| {
        let detail = format!("found If-Match: {text}, expected an ETag of this API such as \"7\", or *");
        Problem::new(StatusCode::BAD_REQUEST, "bad_if_match", detail)
    })
}

async fn get(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path((list, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let kind = find_kind(&list)?;
    let assets = manager.assets();
    let held = find(&assets, &who, kind, &name)?;
    let tag = format!("\"{}\"", held.revision);
    if headers.get(IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == tag.as_bytes()) {
        let tag = HeaderValue::from_str(&tag).unwrap_or_else(|_| HeaderValue::from_static("*"));
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response());
    }
    Ok(tagged(StatusCode::OK, held, asset(held)))
}

async fn create(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(list): Path<String>,
    Query(options): Query<Options>,
    body: Bytes,
) -> Result<Response, Problem> {
    let kind = find_kind(&list)?;
    let edit = Edit { kind, name: None, condition: Condition::Absent, write: Write::Put(document(&body)?) };
    change(&manager, &who, edit, &options, StatusCode::CREATED).await
}

async fn replace(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path((list, name)): Path<(String, String)>,
    Query(options): Query<Options>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let kind = find_kind(&list)?;
    let write = Write::Put(document(&body)?);
    let is_there = manager.assets().get(kind, &name).is_some();
    let condition = match if_match(&headers)? {
        Some(condition) => condition,
        None if headers.get(IF_NONE_MATCH).is_some() || !is_there => Condition::Absent,
        None => {
            let detail = "send If-Match with the ETag that the change is made from, or * to change it whatever it is like";
            return Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, "if_match_missing", detail));
        }
    };
    let status = if condition == Condition::Absent { StatusCode::CREATED } else { StatusCode::OK };
    change(&manager, &who, Edit { kind, name: Some(name), condition, write }, &options, status).await
}

async fn patch(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path((list, name)): Path<(String, String)>,
    Query(options): Query<Options>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let kind = find_kind(&list)?;
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let content_type = content_type.split(';').next().unwrap_or("").trim();
    if content_type != "application/merge-patch+json" && content_type != "application/json" {
        let detail = format!("found Content-Type: {content_type}, expected application/merge-patch+json");
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
    }
    let condition = if_match(&headers)?.unwrap_or(Condition::Present);
    let edit = Edit { kind, name: Some(name), condition, write: Write::Merge(document(&body)?) };
    change(&manager, &who, edit, &options, StatusCode::OK).await
}

async fn delete(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path((list, name)): Path<(String, String)>,
    Query(options): Query<Options>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let kind = find_kind(&list)?;
    let condition = if_match(&headers)?.unwrap_or(Condition::Present);
    let edit = Edit { kind, name: Some(name), condition, write: Write::Delete };
    change(&manager, &who, edit, &options, StatusCode::OK).await
}

async fn change(
    manager: &Manager,
    who: &Who,
    edit: Edit,
    options: &Options,
    status: StatusCode,
) -> Result<Response, Problem> {
    let kind = edit.kind;
    let Changed { revision, assets, warnings, .. } =
        manager.change(who, std::slice::from_ref(&edit), options.reason.as_deref(), options.dry_run).await?;
    let Some(held) = assets.into_iter().next().flatten() else {
        return Ok(Json(Deleted { revision, warnings }).into_response());
    };
    let mut body = asset(&held);
    if !warnings.is_empty() {
        body["warnings"] = serde_json::to_value(warnings).unwrap_or_default();
    }
    if options.dry_run {
        return Ok(Json(body).into_response());
    }
    let mut response = tagged(status, &held, body);
    if status == StatusCode::CREATED
        && let Ok(place) = HeaderValue::from_str(&format!("/api/v1/{}/{}", kind.list, held.id))
    {
        response.headers_mut().insert(LOCATION, place);
    }
    Ok(response)
}
