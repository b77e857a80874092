//! What the node itself can tell: requests that it has served, why they went as they did, and how it is. The node answers;
//! which of its answers are given here, and to whom, is decided by this table.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{
        StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing,
};
use futures_util::StreamExt;
use model::event::EventQuery;
use serde_json::Value;

use super::{
    answer::Problem,
    route::{Content, Right, Route, delete, get, post},
};
use crate::{Manager, Privilege, Who, kind};

/// Requests tell who uses which API, and from where.
pub(super) const SEE_REQUESTS: Right =
    Right::Privilege(&[Privilege::ManageApis, Privilege::ViewAdministration]);

/// Who decides how callers are recognised.
const LOCKS: Right = Right::Privilege(&[Privilege::ManageSecurity]);

pub(super) const ROUTES: &[Route] = &[
    get(
        "/gateway/status",
        "getStatus",
        "Listeners, upstreams and load of the node that answers.",
        Right::User,
        || routing::get(ask),
    )
    .answers_content(200, Content::AnyJson),
    get(
        "/gateway/certificates",
        "listCertificates",
        "Keystores and truststores of the node that answers, and every certificate with when it expires.",
        LOCKS,
        || routing::get(ask),
    )
    .answers_content(200, Content::AnyJson),
    get(
        "/gateway/lockedAddresses",
        "listLockedAddresses",
        "Addresses that the node that answers has locked because they failed to authenticate.",
        LOCKS,
        || routing::get(ask),
    )
    .answers_content(200, Content::AnyJson),
    delete(
        "/gateway/lockedAddresses",
        "releaseAddresses",
        "Lets all addresses in again, on the node that answers.",
        LOCKS,
        || routing::delete(ask),
    )
    .answers_content(204, Content::Nothing),
    delete(
        "/gateway/lockedAddresses/{address}",
        "releaseAddress",
        "Lets an address in again, on the node that answers.",
        LOCKS,
        || routing::delete(ask),
    )
    .answers_content(204, Content::Nothing),
    get("/gateway/events", "listEvents", "What requests left behind, newest first.", SEE_REQUESTS, || {
        routing::get(ask)
    })
    .query::<EventQuery>()
    .answers_content(200, Content::AnyJson),
    get(
        "/gateway/events/follow",
        "followEvents",
        "The same as it comes: a line of JSON for each.",
        SEE_REQUESTS,
        || routing::get(ask),
    )
    .query::<EventQuery>()
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
    .answers_content(200, Content::AnyJson)
    .changes_nothing(),
];

/// Hands a request on to the node, which knows it by its path without `/gateway`.
async fn ask(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    request: Request<Body>,
) -> Response {
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
    // What this router found out about the path would be taken for what the node's finds out.
    parts.extensions.clear();
    let is_of_no_api = parts.uri.path() == "/status" || parts.uri.path().starts_with("/lockedAddresses");
    let answer = node.answer(Request::from_parts(parts, body)).await;
    if is_of_no_api || who.sees_everything() || !answer.status().is_success() {
        return answer;
    }
    seen(&manager, who, answer).await
}

/// Longest answer that is looked through.
const LONGEST: usize = 64 << 20;

/// Leaves out what is about APIs that are not there for whoever asks.
pub(super) async fn seen(manager: &Arc<Manager>, who: Who, answer: Response) -> Response {
    let (mut parts, body) = answer.into_parts();
    let manager = Arc::clone(manager);
    let sees = move |item: &Value| {
        let api = match (&item["apiName"], &item["apiVersion"], &item["api"]) {
            (Value::String(name), Value::String(version), _) => format!("{name}:{version}"),
            // As explanations call it, which are for people.
            (_, _, Value::String(api)) => match api.rsplit_once(' ') {
                Some((name, version)) => format!("{name}:{version}"),
                None => return false,
            },
            _ => return false,
        };
        let assets = manager.assets();
        kind("api").and_then(|kind| assets.get(kind, &api)).is_some_and(|held| who.sees(&assets, held))
    };
    parts.headers.remove(CONTENT_LENGTH);
    let is_json = parts
        .headers
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    if !is_json {
        // Lines that come as they happen, each piece some whole lines.
        let lines = body.into_data_stream().map(move |piece| {
            piece.map(|piece| {
                let lines = piece.split_inclusive(|byte| *byte == b'\n');
                let seen = lines.filter(|line| serde_json::from_slice(line).is_ok_and(|item| sees(&item)));
                seen.flatten().copied().collect::<Vec<u8>>()
            })
        });
        return Response::from_parts(parts, Body::from_stream(lines));
    }
    let read = axum::body::to_bytes(body, LONGEST).await.ok();
    let Some(mut found) = read.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok()) else {
        return Problem::new(StatusCode::BAD_GATEWAY, "too_long", "The answer is too long; ask for less.")
            .into_response();
    };
    match &mut found {
        Value::Array(items) => items.retain(sees),
        Value::Object(object) if object.contains_key("events") => {
            if let Some(Value::Array(items)) = object.get_mut("events") {
                items.retain(sees);
            }
        }
        one if !sees(one) => {
            let detail = "There is no record of this request.";
            return Problem::new(StatusCode::NOT_FOUND, "no_record", detail).into_response();
        }
        _ => {}
    }
    Response::from_parts(parts, Body::from(found.to_string()))
}
