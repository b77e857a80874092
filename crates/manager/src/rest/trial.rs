//! Trying an API out: requests through the node's own listener, and definitions fetched from where they are published.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::{Request, State},
    http::{StatusCode, header::CONTENT_TYPE},
    routing,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{
    answer::Problem,
    extract::{Bytes, Query},
    gateway::seen,
    route::{Right, Route, get, post},
};
use crate::{FetchedDefinition, Manager, Node, Privilege, Trial, TrialAnswer, TrialError, Who};

/// It does something, where an explanation only tells.
const TRY: Right = Right::Privilege(&[Privilege::ManageApis]);

pub(super) const ROUTES: &[Route] = &[
    post(
        "/gateway/try",
        "tryRequest",
        "Sends a request through the gateway, to a listener of the node that answers and nowhere else. It comes from the \
         machine of the node.",
        TRY,
        || routing::post(send),
    )
    .takes::<Trial>()
    .answers::<TrialAnswer>(200)
    .changes_nothing(),
    get(
        "/gateway/definition",
        "fetchDefinition",
        "Fetches a definition from a URL, to be imported. What is no definition is not given.",
        TRY,
        || routing::get(fetch),
    )
    .query::<Where>()
    .answers::<FetchedDefinition>(200),
];

/// Where a definition is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Where {
    /// URL with `http` or `https`.
    url: String,
}

async fn send(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    body: Bytes,
) -> Result<Json<TrialAnswer>, Problem> {
    let trial: Trial = serde_json::from_slice(&body)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_body", format!("the body: {error}")))?;
    let node = node(&manager)?;
    if !who.sees_everything() {
        is_theirs(&manager, &*node, who, &trial).await?;
    }
    Ok(Json(node.try_request(trial).await?))
}

async fn fetch(
    State(manager): State<Arc<Manager>>,
    Query(Where { url }): Query<Where>,
) -> Result<Json<FetchedDefinition>, Problem> {
    Ok(Json(node(&manager)?.fetch_definition(url).await?))
}

fn node(manager: &Manager) -> Result<Arc<dyn Node>, Problem> {
    manager.node().ok_or_else(|| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "The gateway is starting or stopping.")
    })
}

/// Whether the API that it would reach is there for whoever asks: the node says which one that is.
async fn is_theirs(manager: &Arc<Manager>, node: &dyn Node, who: Who, trial: &Trial) -> Result<(), Problem> {
    let question = json!({ "method": trial.method, "url": trial.url, "headers": trial.headers });
    let request = Request::post("/explain")
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(question.to_string()))
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_trial", error.to_string()))?;
    let answer = node.answer(request).await;
    if answer.status().is_success() && seen(manager, who, answer).await.status().is_success() {
        return Ok(());
    }
    let detail = "There is no API at this address that you may see.";
    Err(Problem::new(StatusCode::NOT_FOUND, "no_route", detail))
}

impl From<TrialError> for Problem {
    fn from(TrialError { status, code, detail }: TrialError) -> Self {
        Self::new(status, code, detail)
    }
}
