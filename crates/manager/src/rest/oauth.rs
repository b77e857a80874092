//! Tokens of the internal authorization server: listed and revoked; and its signing keys. No token is ever shown.

use std::sync::Arc;

use axum::{Extension, Json, extract::State, http::StatusCode, routing};
use identity::{AuthorizationServer, ServerError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::assets::{OauthToken, TokenFilter, TokenOwner};

use super::{
    answer::{Problem, time},
    extract::Query,
    route::{Right, Route, get, post},
};
use crate::{Manager, Privilege, Who};

const MAY: Right = Right::Privilege(&[Privilege::ManageSecurity]);

pub(super) const ROUTES: &[Route] = &[
    get("/oauthTokens", "listOauthTokens", "Tokens of the internal authorization server, newest first.", MAY, || {
        routing::get(list)
    })
    .query::<TokenQuery>()
    .answers::<TokenPage>(200),
    post(
        "/oauthTokens/revoke",
        "revokeOauthTokens",
        "Revokes tokens of the internal authorization server: one, or all of an application, a client or a user.",
        MAY,
        || routing::post(revoke),
    )
    .takes::<Revocation>()
    .answers::<Revoked>(200),
    post(
        "/oauthTokens/cleanUp",
        "cleanUpOauthTokens",
        "Deletes expired tokens of the internal authorization server now.",
        MAY,
        || routing::post(clean_up),
    )
    .answers::<CleanedUp>(200),
    post(
        "/oauthKeys/rotate",
        "rotateOauthKey",
        "Has the internal authorization server sign with a new key. The one before is published for a while.",
        MAY,
        || routing::post(rotate),
    )
    .answers::<RotatedKey>(200),
];

/// Longest page.
const LONGEST: u32 = 1_000;

pub(super) fn server(manager: &Manager) -> Result<&Arc<AuthorizationServer>, Problem> {
    let missing = || {
        let detail = "There is no internal authorization server; see settings.authorizationServer.";
        Problem::new(StatusCode::CONFLICT, "no_authorization_server", detail)
    };
    manager.oauth.get().ok_or_else(missing)
}

impl From<ServerError> for Problem {
    fn from(error: ServerError) -> Self {
        match error {
            ServerError::Store(error) => error.into(),
            other => Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", other.to_string()),
        }
    }
}

/// Which tokens are listed.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TokenQuery {
    /// Only those of an application.
    application: Option<String>,
    /// Only those of a client.
    client: Option<String>,
    /// Only those of a user.
    user: Option<String>,
    /// Only those that count now.
    #[serde(default)]
    live: bool,
    /// `next` of the page before.
    after: Option<String>,
    /// At most so many, up to 1000. Default: 100.
    limit: Option<u32>,
}

/// A token, which is not in it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TokenView {
    id: String,
    /// `access` or `refresh`.
    kind: String,
    client: String,
    application: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    scope: String,
    issued_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    used_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
}

/// A page of tokens.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TokenPage {
    items: Vec<TokenView>,
    /// `after` of the next page, when there may be one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

fn view(token: OauthToken) -> TokenView {
    TokenView {
        id: token.id,
        kind: token.kind,
        client: token.client,
        application: token.application,
        user: token.user,
        scope: token.scope,
        issued_at: time(token.issued_at),
        expires_at: token.expires_at.map(time),
        used_at: token.used_at.map(time),
        revoked_at: token.revoked_at.map(time),
    }
}

async fn list(
    State(manager): State<Arc<Manager>>,
    Query(query): Query<TokenQuery>,
) -> Result<Json<TokenPage>, Problem> {
    let bad = || {
        let detail = "`after`: expected `next` of the page before";
        Problem::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    };
    let before = match &query.after {
        None => None,
        Some(text) => {
            let (at, id) = text.split_once('.').ok_or_else(bad)?;
            Some((at.parse().map_err(|_| bad())?, id.to_owned()))
        }
    };
    let most = query.limit.unwrap_or(100).clamp(1, LONGEST);
    let filter = TokenFilter {
        application: query.application,
        client: query.client,
        user: query.user,
        live_at: query.live.then(|| manager.now()),
        before,
        most,
    };
    let tokens = server(&manager)?.store().list_tokens(&filter).await?;
    let full = tokens.len() >= most as usize;
    let next = tokens.last().filter(|_| full).map(|last| format!("{}.{}", last.issued_at, last.id));
    Ok(Json(TokenPage { items: tokens.into_iter().map(view).collect(), next }))
}

/// Which tokens are revoked: one of these.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Revocation {
    /// Id of a token.
    id: Option<String>,
    /// Name of an application.
    application: Option<String>,
    /// Client id.
    client: Option<String>,
    /// Name of a user.
    user: Option<String>,
}

/// What came of a revocation.
#[derive(Serialize, JsonSchema)]
struct Revoked {
    /// How many tokens were revoked.
    revoked: u64,
}

async fn revoke(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Json(wanted): Json<Revocation>,
) -> Result<Json<Revoked>, Problem> {
    let named = [
        wanted.id.as_deref().map(|id| (TokenOwner::Id(id), id)),
        wanted.application.as_deref().map(|name| (TokenOwner::Application(name), name)),
        wanted.client.as_deref().map(|id| (TokenOwner::Client(id), id)),
        wanted.user.as_deref().map(|name| (TokenOwner::User(name), name)),
    ];
    let mut named = named.into_iter().flatten();
    let (Some((owner, name)), None) = (named.next(), named.next()) else {
        let detail = "expected one of `id`, `application`, `client` and `user`";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad_request", detail));
    };
    let revoked = server(&manager)?.revoke(owner).await?;
    let message = format!("{revoked} tokens of {name} were revoked");
    manager.record(&who, "Access management", "oauthToken", "revoke", name, &message).await;
    Ok(Json(Revoked { revoked }))
}

/// What came of a clean-up.
#[derive(Serialize, JsonSchema)]
struct CleanedUp {
    /// How many tokens were deleted.
    deleted: u64,
}

async fn clean_up(State(manager): State<Arc<Manager>>) -> Result<Json<CleanedUp>, Problem> {
    Ok(Json(CleanedUp { deleted: server(&manager)?.clean_up().await? }))
}

/// The key that signs now.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RotatedKey {
    key_id: String,
}

async fn rotate(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
) -> Result<Json<RotatedKey>, Problem> {
    let key_id = server(&manager)?.rotate_key().await?;
    let message = format!("tokens are signed with the key {key_id}");
    manager.record(&who, "Access management", "oauthKey", "rotate", &key_id, &message).await;
    Ok(Json(RotatedKey { key_id }))
}
