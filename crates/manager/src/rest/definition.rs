//! The definitions of APIs: uploaded as they are, and given back byte for byte.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::State,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    },
    response::{IntoResponse, Response},
    routing,
};
use model::ApiDoc;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    answer::{Problem, asset, tagged},
    assets::{find, find_kind},
    extract::{Bytes, Path, Query},
    route::{Content, Right, Route, get as get_, post, put as put_},
};
use crate::{
    Assets, ChangeError, Changed, Condition, DOCUMENT, Edit, Held, Manager, Privilege, Who, Write,
    definitions,
};

/// Before anything is kept.
const MANAGE_APIS: Right = Right::Privilege(&[Privilege::ManageApis]);

pub(super) const ROUTES: &[Route] = &[
    post(
        "/apis/import",
        "importApi",
        "Makes an API from its definition, or gives the one of that name and version the new definition.",
        MANAGE_APIS,
        || routing::post(import),
    )
    .query::<Import>()
    .takes_content(Content::Bytes("application/octet-stream"))
    .answers_content(200, Content::AnyJson)
    .or_creates(),
    get_(
        "/apis/{name}/definition",
        "getDefinition",
        "The definition of an API, as it was uploaded.",
        Right::User,
        || routing::get(get),
    )
    .answers_content(200, Content::AnyJson),
    put_("/apis/{name}/definition", "putDefinition", "Gives an API another definition.", MANAGE_APIS, || {
        routing::put(put)
    })
    .takes_content(Content::Bytes("application/octet-stream"))
    .answers_content(200, Content::AnyJson),
    post(
        "/documents",
        "keepDocument",
        "Keeps a definition without an API, and tells what an API says to use it.",
        MANAGE_APIS,
        || routing::post(keep_document),
    )
    .takes_content(Content::Bytes("application/octet-stream"))
    .answers::<KeptDocument>(200),
];

/// A definition that is kept.
#[derive(Serialize, JsonSchema)]
struct KeptDocument {
    /// What an API says as its `definition`.
    definition: String,
    title: String,
    version: String,
}

/// What an API is to be like that is made from its definition.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Import {
    /// Default: the title of the definition.
    name: Option<String>,
    /// Default: the version in the definition.
    version: Option<String>,
    /// Default: the first server of the definition.
    upstream: Option<String>,
    /// Default: the path of the first server.
    base_path: Option<String>,
    /// Only say what would change, and what is wrong.
    #[serde(default)]
    dry_run: bool,
    /// Why, for the history.
    reason: Option<String>,
}

/// Makes an API from its definition, or gives the one of that name and version the new definition.
async fn import(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Query(wanted): Query<Import>,
    body: Bytes,
) -> Result<Response, Problem> {
    let kind = find_kind("apis")?;
    let imported = definitions::import("the body", body.to_vec()).await.map_err(ChangeError::Invalid)?;
    let name = wanted.name.unwrap_or_else(|| imported.api.title.clone());
    let version = wanted.version.unwrap_or_else(|| imported.api.version.clone());
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

async fn put(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let kind = find_kind("apis")?;
    let imported = definitions::import("the body", body.to_vec()).await.map_err(ChangeError::Invalid)?;
    let location = keep(&manager, &body).await?;
    let write = Write::Merge(json!({ "definition": location }));
    let edit = Edit { kind, name: Some(name), condition: Condition::Present, write };
    let changed = manager.change(&who, &[edit], None, false).await?;
    Ok(answer(StatusCode::OK, &imported, changed))
}

/// Keeps a definition without an API. Answers with what an API says to use it.
async fn keep_document(
    State(manager): State<Arc<Manager>>,
    body: Bytes,
) -> Result<Json<KeptDocument>, Problem> {
    let imported = definitions::import("the body", body.to_vec()).await.map_err(ChangeError::Invalid)?;
    let definition = keep(&manager, &body).await?;
    let (title, version) = (imported.api.title.clone(), imported.api.version.clone());
    Ok(Json(KeptDocument { definition, title, version }))
}

async fn keep(manager: &Manager, content: &[u8]) -> Result<String, Problem> {
    let hash = manager.store.put_document(content, manager.now()).await?;
    Ok(format!("{DOCUMENT}{hash}"))
}

/// The API as it is now, with what the import has to say.
fn answer(status: StatusCode, imported: &definition::Definition, changed: Changed) -> Response {
    let Some(held) = changed.assets.into_iter().next().flatten() else {
        return Json(json!({ "revision": changed.revision })).into_response();
    };
    let mut body = asset(&held);
    body["operations"] = imported.api.operations.len().into();
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

async fn get(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let kind = find_kind("apis")?;
    let assets = manager.assets();
    let not_found = |detail: String| Problem::new(StatusCode::NOT_FOUND, "not_found", detail);
    let held = find(&assets, &who, kind, &name)?;
    let doc = held.parsed.typed.downcast_ref::<ApiDoc>();
    let location = doc.and_then(|doc| doc.definition.as_deref());
    original(&assets, held).ok_or_else(|| {
        not_found(match location {
            Some(url) => format!("the definition of `{name}` is at {url}"),
            None => format!("`{name}` has no definition"),
        })
    })
}

/// The definition of an API as it was uploaded, when it is kept here.
pub(super) fn original(assets: &Assets, api: &Held) -> Option<Response> {
    let document = assets.definition(api)?.documents.first()?;
    let is_json = document.bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let content_type = if is_json { "application/json" } else { "application/yaml" };
    let mut response = Body::from(document.bytes.to_vec()).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Some(response)
}
