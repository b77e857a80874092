//! Initial access tokens: with one, clients register themselves at the internal authorization server. Made here, told once,
//! kept as hashes.

use std::{num::NonZeroU32, sync::Arc};

use axum::{Extension, Json, extract::State, http::StatusCode, routing};
use identity::Limits;
use model::{TeamDoc, client_registration::RegistrationSettings, oauth_client::TokenLifetime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::assets::InitialToken;

use super::{
    answer::{Items, Problem, time},
    app_keys::{micros_of, random_text},
    extract::{Bytes, Path},
    oauth::server,
    route::{Content, Right, Route, delete, get, post},
};
use crate::{ChangeError, Manager, Privilege, Who, access::hash_of_secret, kind, service::new_id};

const MAY: Right = Right::Privilege(&[Privilege::ManageSecurity]);

pub(super) const ROUTES: &[Route] = &[
    get(
        "/oauthInitialTokens",
        "listInitialTokens",
        "Initial access tokens, with which clients register themselves at the internal authorization server.",
        MAY,
        || routing::get(list),
    )
    .answers::<Items<InitialTokenView>>(200),
    post(
        "/oauthInitialTokens",
        "createInitialToken",
        "Makes an initial access token, which is told once.",
        MAY,
        || routing::post(create),
    )
    .takes::<NewInitialToken>()
    .answers::<MadeInitialToken>(201)
    .told_once(),
    delete(
        "/oauthInitialTokens/{id}",
        "deleteInitialToken",
        "Takes an initial access token away. Clients that were registered with it stay.",
        MAY,
        || routing::delete(remove),
    )
    .answers_content(204, Content::Nothing),
];

/// Tokens that there may be at a time, those that are over included.
const MOST: u64 = 1_000;
/// Longest name.
const LONGEST_NAME: usize = 200;

/// An initial access token, without its text.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct InitialTokenView {
    id: String,
    /// What it is for.
    name: String,
    /// Who has made it.
    author: String,
    created_at: String,
    /// Missing where it does not expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// Clients that may be registered with it.
    uses: u64,
    /// Clients that were.
    used: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    used_at: Option<String>,
    /// Whether one more may be.
    usable: bool,
    /// Scopes that they may have. Missing where those are all of the settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<Vec<String>>,
    /// Teams that manage their applications. Missing where those are the ones of the settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    teams: Option<Vec<String>>,
}

/// A new initial access token.
#[derive(Serialize, JsonSchema)]
struct MadeInitialToken {
    #[serde(flatten)]
    view: InitialTokenView,
    /// What a client sends as `Authorization: Bearer` when it registers itself. It is told this once.
    token: String,
}

/// What a new initial access token is to be like.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewInitialToken {
    /// What it is for.
    name: String,
    /// Such as `7d`, after which nobody can register with it, or `never`. Default: 30d.
    #[serde(default = "default_lifetime")]
    expires_in: TokenLifetime,
    /// Clients that may be registered with it. Default: 1.
    #[serde(default = "one")]
    uses: NonZeroU32,
    /// Scopes that they may have, out of those of `settings.authorizationServer.registration`. Default: all of them.
    scopes: Option<Vec<String>>,
    /// Names of the teams that manage their applications. Default: those of the settings.
    teams: Option<Vec<String>>,
}

fn default_lifetime() -> TokenLifetime {
    TokenLifetime::For(model::Duration::from_secs(30 * 86_400))
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

fn view(token: InitialToken, now: u64) -> InitialTokenView {
    let limits: Limits = serde_json::from_str(&token.document).unwrap_or_default();
    InitialTokenView {
        usable: token.is_good(now),
        id: token.id,
        name: token.name,
        author: token.author,
        created_at: time(token.created_at),
        expires_at: token.expires_at.map(time),
        uses: token.most_uses,
        used: token.uses,
        used_at: token.used_at.map(time),
        scopes: limits.scopes,
        teams: limits.teams,
    }
}

async fn list(State(manager): State<Arc<Manager>>) -> Result<Json<Items<InitialTokenView>>, Problem> {
    let now = manager.now();
    let tokens = server(&manager)?.store().initial_tokens().await?;
    Ok(Json(Items { items: tokens.into_iter().map(|token| view(token, now)).collect() }))
}

fn settings(manager: &Manager) -> Result<RegistrationSettings, Problem> {
    server(manager)?.settings().registration.clone().ok_or_else(|| {
        let detail = "Clients cannot register themselves; see settings.authorizationServer.registration.";
        Problem::new(StatusCode::CONFLICT, "registration_off", detail)
    })
}

async fn create(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    body: Bytes,
) -> Result<(StatusCode, Json<MadeInitialToken>), Problem> {
    let bad = |detail: String| Problem::new(StatusCode::BAD_REQUEST, "bad_request", detail);
    let new: NewInitialToken =
        serde_json::from_slice(&body).map_err(|error| bad(format!("the body: {error}")))?;
    let settings = settings(&manager)?;
    if new.name.trim().is_empty() || new.name.len() > LONGEST_NAME || new.name.chars().any(char::is_control) {
        return Err(bad(format!("`name`: expected a text of at most {LONGEST_NAME} bytes")));
    }
    if let Some(scope) = new.scopes.iter().flatten().find(|scope| !settings.scopes.contains(scope)) {
        let known = settings.scopes.join(", ");
        return Err(bad(format!(
            "`scopes`: found `{scope}`, expected some of those of the settings: {known}"
        )));
    }
    let assets = manager.assets();
    let teams = || {
        let held = kind("team").into_iter().flat_map(|kind| assets.list(kind));
        held.filter_map(|held| held.parsed.typed.downcast_ref::<TeamDoc>())
    };
    if let Some(name) = new.teams.iter().flatten().find(|name| teams().all(|team| team.name != **name)) {
        return Err(bad(format!("`teams`: found `{name}`, which is no team")));
    }
    let text = random_text("gwi_").ok_or(ChangeError::Busy)?;
    let now = manager.now();
    let limits = Limits { scopes: new.scopes, teams: new.teams };
    let lasts = match new.expires_in {
        TokenLifetime::For(lasts) => Some(micros_of(lasts)),
        TokenLifetime::Never => None,
    };
    let token = InitialToken {
        id: new_id(),
        hash: hash_of_secret(&text),
        name: new.name,
        author: who.user.clone(),
        created_at: now,
        expires_at: lasts.map(|lasts| now.saturating_add(lasts)),
        most_uses: new.uses.get().into(),
        uses: 0,
        used_at: None,
        document: serde_json::to_string(&limits).unwrap_or_default(),
    };
    if !server(&manager)?.store().put_initial_token(&token, MOST).await? {
        let detail = format!("there are {MOST} already; take those away that are over");
        return Err(Problem::new(StatusCode::CONFLICT, "too_many_initial_tokens", detail));
    }
    let message = format!("initial access token {} was created", token.name);
    manager.record(&who, "Access management", "initialToken", "create", &token.name, &message).await;
    Ok((StatusCode::CREATED, Json(MadeInitialToken { view: view(token, now), token: text })))
}

async fn remove(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    if !server(&manager)?.store().delete_initial_token(&id).await? {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "there is no such initial access token",
        ));
    }
    let message = format!("initial access token {id} was deleted");
    manager.record(&who, "Access management", "initialToken", "delete", &id, &message).await;
    Ok(StatusCode::NO_CONTENT)
}
