//! Icons of APIs, as pictures.

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::Response,
    routing,
};
use base64ct::{Base64, Encoding};
use model::ApiDoc;
use serde_json::json;

use super::{
    answer::{Problem, asset, tagged},
    assets::{find, find_kind, if_match},
    extract::{Bytes, Path},
    route::{Content, Right, Route, get, put},
    uploaded::icon_of,
};
use crate::{ChangeError, Condition, Edit, Manager, Who, Write};

pub(super) const ROUTES: &[Route] = &[
    get("/apis/{name}/icon", "getApiIcon", "The icon of an API.", Right::User, || routing::get(show))
        .answers_content(200, Content::Bytes("image/*")),
    put(
        "/apis/{name}/icon",
        "putApiIcon",
        "Gives an API an icon: a PNG, JPEG, WebP or SVG of at most 100 KiB, as `Content-Type` says.",
        Right::Change,
        || routing::put(replace),
    )
    .takes_content(Content::Bytes("image/*"))
    .answers_content(200, Content::AnyJson),
];

async fn show(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let assets = manager.assets();
    let held = find(&assets, &who, find_kind("apis")?, &name)?;
    let icon = held.parsed.typed.downcast_ref::<ApiDoc>().and_then(icon_of);
    icon.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "not_found", format!("`{name}` has no icon")))
}

async fn replace(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let kind = find_kind("apis")?;
    find(&manager.assets(), &who, kind, &name)?;
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    // Whether that is a picture is said by whoever looks at the document.
    let icon = format!("data:{media_type};base64,{}", Base64::encode_string(&body));
    let condition = if_match(&headers)?.unwrap_or(Condition::Present);
    let write = Write::Merge(json!({ "icon": icon }));
    let edit = Edit { kind, name: Some(name.clone()), condition, write };
    let changed = manager.change(&who, &[edit], None, false).await?;
    let held = changed.assets.into_iter().next().flatten();
    let held = held.ok_or(ChangeError::NotFound { kind: "api", name })?;
    Ok(tagged(StatusCode::OK, &held, asset(&held)))
}
