//! Logging in with a provider elsewhere, by OpenID Connect: a browser is sent there and comes back. What it has to come
//! back with is kept by its state, good for once, and bound to the browser by a cookie.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{ConnectInfo, State},
    http::HeaderMap,
    response::Response,
    routing,
};
use base64ct::{Base64UrlUnpadded, Encoding};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    answer::{Items, Problem},
    elsewhere::{
        BeginQuery, COOKIE, HOME, LoginProviderView, PATIENCE, failed, in_time, log_in, page, redirect,
        refused, set_cookie, views, welcome,
    },
    extract::{Path, Query},
    login,
    route::{Content, Right, Route, get},
};
use crate::{
    ChangeError, Manager,
    access::{
        hash_of_secret,
        provider::{LoginAnswer, LoginFailure, LoginProvider, LoginRequest, Terms},
        random_text,
    },
};

pub(super) const ROUTES: &[Route] = &[
    get(
        "/login/oidc",
        "listLoginProviders",
        "Providers elsewhere with which one can log in.",
        Right::Anyone,
        || {
            routing::get(
                |State(manager): State<Arc<Manager>>| async move { views(manager.access.providers()) },
            )
        },
    )
    .answers::<Items<LoginProviderView>>(200),
    get(
        "/login/oidc/{name}",
        "beginLogin",
        "Sends a browser to a provider, to log in there.",
        Right::Anyone,
        || routing::get(begin),
    )
    .query::<BeginQuery>()
    .answers_content(303, Content::Nothing),
    get(
        "/login/oidc/{name}/callback",
        "finishLogin",
        "Where a provider sends browsers back to. The session is kept in a cookie.",
        Right::Anyone,
        || routing::get(finish),
    )
    .query::<FinishQuery>()
    .answers_content(303, Content::Nothing),
];

const PATH: &str = "/api/v1/login/oidc";

/// What providers send back. They may send more.
#[derive(Deserialize, JsonSchema)]
struct FinishQuery {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

/// What is kept while a browser is elsewhere.
#[derive(Serialize, Deserialize)]
struct Pending {
    provider: String,
    /// SHA-256 of what the browser keeps.
    browser: String,
    nonce: String,
    verifier: String,
    to: String,
}

fn redirect_uri(provider: &dyn LoginProvider) -> String {
    let settings = provider.settings();
    format!("{}{PATH}/{}/callback", settings.public_url.trim_end_matches('/'), settings.name)
}

fn terms(provider: &dyn LoginProvider) -> Terms<'_> {
    provider.settings().into()
}

async fn begin(
    State(manager): State<Arc<Manager>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Path(name): Path<String>,
    Query(query): Query<BeginQuery>,
) -> Result<Response, Problem> {
    let to = page(query.to.as_deref());
    let Some(provider) = manager.access.provider(&name) else {
        return Ok(failed(&to, &LoginFailure::new("login_provider_unknown", "there is no such provider")));
    };
    if !manager.pace.may_begin_login(from.ip(), manager.now()) {
        return Ok(login::wait());
    }
    let random = || random_text().ok_or(ChangeError::Busy);
    let (state, browser, nonce, verifier) =
        (random()?, random()?, random()?, format!("{}{}", random()?, random()?));
    let challenge = Base64UrlUnpadded::encode_string(&Sha256::digest(&verifier));
    let redirect_uri = redirect_uri(provider);
    let request =
        LoginRequest { state: &state, nonce: &nonce, challenge: &challenge, redirect_uri: &redirect_uri };
    let place = match in_time(terms(provider).timeout, provider.begin(&request)).await {
        Ok(place) => place,
        Err(failure) => {
            tracing::warn!(provider = %name, detail = %failure.detail, "nobody can log in with a provider");
            return Ok(failed(&to, &failure));
        }
    };
    let pending = Pending { provider: name, browser: hash_of_secret(&browser), nonce, verifier, to };
    let document = serde_json::to_string(&pending).unwrap_or_default();
    let now = manager.now();
    manager.store.begin_login(&hash_of_secret(&state), &document, now, now.saturating_add(PATIENCE)).await?;
    let mut response = redirect(&place);
    set_cookie(&manager, terms(provider), PATH, &mut response, &format!("{COOKIE}={browser}; Max-Age=600"));
    Ok(response)
}

async fn finish(
    State(manager): State<Arc<Manager>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Path(name): Path<String>,
    Query(query): Query<FinishQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Some(provider) = manager.access.provider(&name) else {
        return Ok(failed(HOME, &LoginFailure::new("login_provider_unknown", "there is no such provider")));
    };
    let pending = pending(&manager, &name, query.state.as_deref(), &headers).await?;
    let to = pending.as_ref().map_or(HOME, |pending| pending.to.as_str()).to_owned();
    let terms = terms(provider);
    let mut response = match come_back(&manager, provider, pending, &query, from).await? {
        Ok(secret) => welcome(&manager, terms, &to, &secret),
        Err(failure) => refused(&manager, &name, from, &to, &failure).await,
    };
    set_cookie(&manager, terms, PATH, &mut response, &format!("{COOKIE}=; Max-Age=0"));
    Ok(response)
}

/// What is known of a login, where this browser began it with this provider. It is good for once, whatever comes of it.
async fn pending(
    manager: &Manager,
    provider: &str,
    state: Option<&str>,
    headers: &HeaderMap,
) -> Result<Option<Pending>, Problem> {
    // Without the cookie nothing is taken out: nobody ends the logins of others.
    let (Some(state), Some(browser)) = (state, login::cookie(headers, COOKIE)) else { return Ok(None) };
    let document = manager.store.take_login(&hash_of_secret(state), manager.now()).await?;
    let found = document.and_then(|document| serde_json::from_str::<Pending>(&document).ok());
    Ok(found.filter(|found| found.provider == provider && found.browser == hash_of_secret(browser)))
}

/// The session of whoever has come back.
async fn come_back(
    manager: &Manager,
    provider: &dyn LoginProvider,
    pending: Option<Pending>,
    query: &FinishQuery,
    from: SocketAddr,
) -> Result<Result<String, LoginFailure>, Problem> {
    let Some(pending) = pending else {
        let detail = "the state is not known, is used up, or belongs to another browser or provider";
        return Ok(Err(LoginFailure::new("login_state_unknown", detail)));
    };
    let Some(code) = query.code.as_deref().filter(|_| query.error.is_none()) else {
        let told: String = query.error.iter().flat_map(|text| text.chars().take(64)).collect();
        let detail = format!("the provider answered `{}`", told.escape_debug());
        return Ok(Err(LoginFailure::new("login_refused", detail)));
    };
    let answer = LoginAnswer {
        code,
        issuer: query.iss.as_deref(),
        nonce: &pending.nonce,
        verifier: &pending.verifier,
        redirect_uri: &redirect_uri(provider),
    };
    let user = match in_time(terms(provider).timeout, provider.finish(&answer)).await {
        Ok(user) => user,
        Err(failure) => return Ok(Err(failure)),
    };
    log_in(manager, terms(provider), user, from).await
}
