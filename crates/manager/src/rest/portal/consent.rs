//! What one has allowed clients of the internal authorization server.

use std::sync::Arc;

use axum::{Extension, Json, extract::State, http::StatusCode, routing};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::not_found;
use crate::{
    Manager, Who,
    rest::{
        answer::{Problem, time},
        extract::{Path, Query},
        oauth::server,
        route::{Content, Right, Route, delete, get},
    },
};

pub(super) const ROUTES: &[Route] = &[
    get(
        "/portal/consents",
        "listConsents",
        "What one has allowed clients at the internal authorization server, by their ids.",
        Right::Consumer,
        || routing::get(list),
    )
    .query::<ConsentQuery>()
    .answers::<ConsentPage>(200),
    delete(
        "/portal/consents/{client}",
        "deleteConsent",
        "Takes back what one has allowed a client: its tokens are refused at once.",
        Right::Consumer,
        || routing::delete(take_back),
    )
    .answers_content(204, Content::Nothing),
];

/// Longest page.
const LONGEST: u32 = 200;

/// Which consents are listed.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ConsentQuery {
    /// `next` of the page before.
    after: Option<String>,
    /// Longest page: 1 to 200. Default: 50.
    limit: Option<u32>,
}

/// A page of consents.
#[derive(Serialize, JsonSchema)]
struct ConsentPage {
    items: Vec<ConsentView>,
    /// `after` of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What one has allowed a client.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ConsentView {
    /// Id of the client.
    client: String,
    /// What it is called.
    name: String,
    scopes: Vec<ConsentScope>,
    /// RFC 3339 time.
    granted_at: String,
}

/// A scope that a client has.
#[derive(Serialize, JsonSchema)]
struct ConsentScope {
    name: String,
    /// What it means, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    meaning: Option<String>,
}

async fn list(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Query(asked): Query<ConsentQuery>,
) -> Result<Json<ConsentPage>, Problem> {
    let limit = asked.limit.unwrap_or(50).clamp(1, LONGEST);
    let person = manager.person(&who.user).ok_or_else(|| not_found("user", &who.user))?;
    let Ok(server) = server(&manager) else { return Ok(Json(ConsentPage { items: Vec::new(), next: None })) };
    let found = server.allowed(&person.id, asked.after.as_deref().unwrap_or_default(), limit).await?;
    let next =
        (found.len() == limit as usize).then(|| found.last().map(|last| last.client.clone())).flatten();
    let items = found.into_iter().map(|allowed| ConsentView {
        client: allowed.client,
        name: allowed.name,
        scopes: allowed
            .scopes
            .into_iter()
            .map(|scope| ConsentScope { name: scope.name, meaning: scope.meaning })
            .collect(),
        granted_at: time(allowed.granted_at),
    });
    Ok(Json(ConsentPage { items: items.collect(), next }))
}

async fn take_back(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(client): Path<String>,
) -> Result<StatusCode, Problem> {
    let person = manager.person(&who.user).ok_or_else(|| not_found("user", &who.user))?;
    if !server(&manager)?.withdraw(&person, &client).await? {
        return Err(not_found("consent for the client", &client));
    }
    let message = "what was allowed was taken back, and its tokens were revoked";
    manager.record(&who, "Access management", "oauthConsent", "delete", &client, message).await;
    Ok(StatusCode::NO_CONTENT)
}
