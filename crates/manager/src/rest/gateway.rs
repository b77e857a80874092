//! What the node itself can tell: requests that it has served, why they went as they did, and how it is. The node answers;
//! which of its answers are given here, and to whom, is decided by this table.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing,
};

use super::{
    answer::Problem,
    route::{Content, Right, Route, get, post},
};
use crate::{Manager, Privilege};

/// Requests tell who uses which API, and from where.
const SEE_REQUESTS: Right = Right::Privilege(&[Privilege::ManageApis, Privilege::ViewAdministration]);

pub(super) const ROUTES: &[Route] = &[
    get(
        "/gateway/status",
        "getStatus",
        "Listeners, upstreams and load of the node that answers.",
        Right::User,
        || routing::get(ask),
    )
    .answers_content(200, Content::AnyJson),
    get("/gateway/events", "listEvents", "What requests left behind, newest first.", SEE_REQUESTS, || {
        routing::get(ask)
    })
    .answers_content(200, Content::AnyJson),
    get(
        "/gateway/events/follow",
        "followEvents",
        "The same as it comes: a line of JSON for each.",
        SEE_REQUESTS,
        || routing::get(ask),
    )
    .answers_content(200, Content::Bytes("application/x-ndjson")),
    get(
        "/gateway/explain",
        "explainLatest",
        "Why the latest requests went as they did.",
        SEE_REQUESTS,
        || routing::get(ask),
    )
    .answers_content(200, Content::AnyJson),
    get("/gateway/explain/{id}", "explainRequest", "Why a request went as it did.", SEE_REQUESTS, || {
        routing::get(ask)
    })
    .answers_content(200, Content::AnyJson),
    post(
        "/gateway/explain",
        "explainDryRun",
        "How a request would go, without sending it anywhere.",
        SEE_REQUESTS,
        || routing::post(ask),
    )
    .takes_content(Content::AnyJson)
    .answers_content(200, Content::AnyJson),
];

/// Hands a request on to the node, which knows it by its path without `/gateway`.
async fn ask(State(manager): State<Arc<Manager>>, request: Request<Body>) -> Response {
    let Some(node) = manager.node() else {
        return Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "stopping",
            "The gateway is starting or stopping.",
        )
        .into_response();
    };
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let path = path.split_once("/gateway").map_or(path, |(_, rest)| rest);
    let Ok(uri) = path.parse() else {
        return super::answer::no_such_route();
    };
    parts.uri = uri;
    node.answer(Request::from_parts(parts, body)).await
}
