//! The admin REST API, `/api/v1`: the same for every kind of asset.

mod answer;
mod assets;
mod definition;
mod history;
mod keys;
mod list;
mod login;
mod nodes;
mod sets;
mod tokens;

pub use nodes::describe_node;

use std::sync::Arc;

use axum::{
    Json, Router, middleware,
    routing::{delete, get, post, put},
};
use serde_json::{Value, json};

use crate::{KINDS, Manager, Who};

/// Largest request.
const LARGEST: usize = 64 << 20;

/// Everything under `/api/v1`. It is served with `ConnectInfo`, so that the audit log knows where requests came from.
pub fn router(manager: Arc<Manager>) -> Router {
    let routes = Router::new()
        .route("/whoami", get(whoami))
        .route("/kinds", get(kinds))
        .route("/plan", post(sets::plan))
        .route("/apply", post(sets::apply))
        .route("/export", get(sets::export))
        .route("/revisions", get(history::revisions))
        .route("/revisions/{revision}/restore", post(history::restore))
        .route("/revisions/{revision}/nodes", get(nodes::serving))
        .route("/nodes", get(nodes::list))
        .route("/masterKeys", get(keys::list))
        .route("/masterKeys/rotate", post(keys::rotate))
        .route("/audit", get(history::audit))
        .route("/audit/verify", post(history::verify))
        .route("/tokens", get(tokens::list).post(tokens::create))
        .route("/tokens/{id}", delete(tokens::delete))
        .route("/documents", post(definition::keep_document))
        .route("/apis/import", post(definition::import))
        .route("/apis/{name}/definition", get(definition::get).put(definition::put))
        .route("/users/{name}/password", put(login::set_password))
        .route("/{kind}", get(list::list).post(assets::create))
        .route(
            "/{kind}/{name}",
            get(assets::get).put(assets::replace).patch(assets::patch).delete(assets::delete),
        )
        .route("/{kind}/{name}/history", get(history::history))
        .layer(middleware::from_fn_with_state(Arc::clone(&manager), login::authenticate))
        .layer(axum::extract::DefaultBodyLimit::max(LARGEST))
        .with_state(manager);
    Router::new().nest("/api/v1", routes).fallback(|| async { answer::no_such_route() })
}

async fn whoami(axum::Extension(who): axum::Extension<Who>) -> Json<Value> {
    let privileges: Vec<_> = who.privileges().iter().map(|privilege| privilege.name()).collect();
    Json(json!({ "user": who.user, "privileges": privileges }))
}

async fn kinds() -> Json<Value> {
    let kinds =
        KINDS.iter().map(|kind| json!({ "kind": kind.name, "list": kind.list, "schema": kind.schema() }));
    Json(kinds.collect())
}
