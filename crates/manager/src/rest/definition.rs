//! The definitions of APIs: uploaded as they are, and given back byte for byte.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    },
    response::{IntoResponse, Response},
};
use model::ApiDoc;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::{Problem, asset, tagged},
    assets::find_kind,
};
use crate::{
    ChangeError, Changed, Condition, DOCUMENT, Edit, Manager, Who, Write, definitions, service::now,
};

/// What an API is to be like that is made from its definition.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Import {
    /// Default: the title of the definition.
    name: Option<String>,
    /// Default: the version in the definition.
    version: Option<String>,
    /// Default: the first server of the definition.
    upstream: Option<String>,
    base_path: Option<String>,
    #[serde(default)]
    dry_run: bool,
    reason: Option<String>,
}

/// Makes an API from its definition, or gives the one of that name and version the new definition.
pub(super) async fn import(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Query(wanted): Query<Import>,
    body: Bytes,
) -> Result<Response, Problem> {
    let kind = find_kind("apis")?;
    may_write(&who, kind)?;
    let imported = definitions::import("the body", body.to_vec()).await.map_err(ChangeError::Invalid)?;
    let name = wanted.name.unwrap_or_else(|| imported.title.clone());
    let version = wanted.version.unwrap_or_else(|| imported.version.clone());
    let location = keep(&manager, &body).await?;
    let mut spec = json!({ "name": name, "version": version, "definition": location });
    for (key, value) in [("upstream", wanted.upstream), ("basePath", wanted.base_path)] {
        if let Some(value) = value {
            spec[key] = value.into();
        }
    }
    let is_there = manager.assets().get(kind, &format!("{name}:{version}")).is_some();
    let edit = Edit {
        kind,
        name: Some(format!("{name}:{version}")),
        condition: if is_there { Condition::Present } else { Condition::Absent },
        // One that is there keeps its policies and everything else.
        write: if is_there { Write::Merge(spec) } else { Write::Put(spec) },
    };
    let changed = manager.change(&who, &[edit], wanted.reason.as_deref(), wanted.dry_run).await?;
    let status = if is_there || wanted.dry_run { StatusCode::OK } else { StatusCode::CREATED };
    Ok(answer(status, &imported, changed))
}

pub(super) async fn put(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let kind = find_kind("apis")?;
    may_write(&who, kind)?;
    let imported = definitions::import("the body", body.to_vec()).await.map_err(ChangeError::Invalid)?;
    let location = keep(&manager, &body).await?;
    let write = Write::Merge(json!({ "definition": location }));
    let edit = Edit { kind, name: Some(name), condition: Condition::Present, write };
    let changed = manager.change(&who, &[edit], None, false).await?;
    Ok(answer(StatusCode::OK, &imported, changed))
}

/// Keeps a definition without an API. Answers with what an API says to use it.
pub(super) async fn keep_document(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    may_write(&who, find_kind("apis")?)?;
    let imported = definitions::import("the body", body.to_vec()).await.map_err(ChangeError::Invalid)?;
    let location = keep(&manager, &body).await?;
    Ok(Json(json!({ "definition": location, "title": imported.title, "version": imported.version })))
}

/// Before anything is kept.
fn may_write(who: &Who, kind: &crate::Kind) -> Result<(), Problem> {
    if who.may(kind.privilege) { Ok(()) } else { Err(ChangeError::Forbidden(kind.privilege.name()).into()) }
}

async fn keep(manager: &Manager, content: &[u8]) -> Result<String, Problem> {
    let hash = manager.store.put_document(content, now()).await?;
    Ok(format!("{DOCUMENT}{hash}"))
}

/// The API as it is now, with what the import has to say.
fn answer(status: StatusCode, imported: &definition::Definition, changed: Changed) -> Response {
    let Some(held) = changed.assets.into_iter().next().flatten() else {
        return Json(json!({ "revision": changed.revision })).into_response();
    };
    let mut body = asset(&held);
    body["operations"] = imported.operations.len().into();
    let warnings: Vec<Value> = imported
        .warnings
        .iter()
        .chain(&changed.warnings)
        .map(|warning| serde_json::to_value(warning).unwrap_or_default())
        .collect();
    if !warnings.is_empty() {
        body["warnings"] = warnings.into();
    }
    tagged(status, &held, body)
}

pub(super) async fn get(
    State(manager): State<Arc<Manager>>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let kind = find_kind("apis")?;
    let assets = manager.assets();
    let not_found = |detail: String| Problem::new(StatusCode::NOT_FOUND, "not_found", detail);
    let held = assets.get(kind, &name).ok_or_else(|| not_found(format!("there is no api `{name}`")))?;
    let doc = held.parsed.typed.downcast_ref::<ApiDoc>();
    let location = doc.and_then(|doc| doc.definition.as_deref());
    let kept = location.and_then(|location| assets.definition(location)).and_then(|d| d.documents.first());
    let Some(document) = kept else {
        return Err(not_found(match location {
            Some(url) => format!("the definition of `{name}` is at {url}"),
            None => format!("`{name}` has no definition"),
        }));
    };
    let is_json = document.bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let content_type = if is_json { "application/json" } else { "application/yaml" };
    let mut response = Body::from(document.bytes.to_vec()).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}
