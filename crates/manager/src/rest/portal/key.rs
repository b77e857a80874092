//! API keys of one's own applications.

use std::sync::Arc;

use axum::{Extension, Json, extract::State, http::StatusCode, routing};

use super::own::find_application;
use crate::{
    Manager, Who,
    rest::{
        answer::Problem,
        app_keys::{MadeKey, NewKey, creating, removing, wanted},
        extract::{Bytes, Path},
        route::{Content, Right, Route, delete, post},
    },
};

pub(super) const ROUTES: &[Route] = &[
    post(
        "/portal/applications/{name}/keys",
        "createOwnKey",
        "Makes an API key for an application of one's own, which is told once; another one can end after an overlap.",
        Right::Consumer,
        || routing::post(create),
    )
    .takes::<NewKey>()
    .answers::<MadeKey>(201)
    .told_once(),
    delete(
        "/portal/applications/{name}/keys/{id}",
        "deleteOwnKey",
        "Takes an API key away, which is refused at once.",
        Right::Consumer,
        || routing::delete(remove),
    )
    .answers_content(204, Content::Nothing),
];

async fn create(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<(StatusCode, Json<MadeKey>), Problem> {
    let wanted = wanted(&body)?;
    let assets = manager.assets();
    let (held, doc) = find_application(&assets, &who, &name)?;
    let (edit, made) = creating(held, doc, &wanted, manager.now())?;
    manager.change_own(&who, &[edit], Some("a new API key")).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

async fn remove(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path((name, id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let assets = manager.assets();
    let (held, doc) = find_application(&assets, &who, &name)?;
    manager.change_own(&who, &[removing(held, doc, &id)?], Some("an API key was taken away")).await?;
    Ok(StatusCode::NO_CONTENT)
}
