//! Logging in with a provider elsewhere, by OpenID Connect: a browser is sent there and comes back. What it has to come
//! back with is kept by its state, good for once, and bound to the browser by a cookie.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json,
    extract::{ConnectInfo, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY, SET_COOKIE},
    },
    response::{IntoResponse, Response},
    routing,
};
use base64ct::{Base64UrlUnpadded, Encoding};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    answer::{Items, Problem},
    extract::{Path, Query},
    login,
    route::{Content, Right, Route, get},
    session,
};
use crate::{
    ChangeError, Manager,
    access::{
        hash_of_secret,
        provider::{LoginAnswer, LoginFailure, LoginProvider, LoginRequest, LoginStep},
        random_text,
    },
};

pub(super) const ROUTES: &[Route] = &[
    get(
        "/login/oidc",
        "listLoginProviders",
        "Providers elsewhere with which one can log in.",
        Right::Anyone,
        || routing::get(list),
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

/// How long somebody may take to log in elsewhere, in microseconds.
const PATIENCE: u64 = 10 * 60_000_000;
/// What the browser keeps while it is elsewhere. Other sites lead it back here, which `Strict` would not stand.
const COOKIE: &str = "gatewright_login";
const HOME: &str = "/console/";
const PAGES: [&str; 2] = [HOME, "/portal/"];

/// A provider with which one can log in.
#[derive(Serialize, JsonSchema)]
struct LoginProviderView {
    name: String,
    /// What is on its button.
    label: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BeginQuery {
    /// The page of the console or the portal to come back to, as in `/portal/apis`. Default: `/console/`.
    to: Option<String>,
}

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

async fn list(State(manager): State<Arc<Manager>>) -> Json<Items<LoginProviderView>> {
    let view = |name: &str, label: Option<&String>| LoginProviderView {
        name: name.to_owned(),
        label: label.map_or(name, String::as_str).to_owned(),
    };
    let items = manager.access.providers().map(|provider| view(&provider.name, provider.label.as_ref()));
    Json(Items { items: items.collect() })
}

fn redirect_uri(provider: &dyn LoginProvider) -> String {
    let settings = provider.settings();
    format!("{}/api/v1/login/oidc/{}/callback", settings.public_url.trim_end_matches('/'), settings.name)
}

/// A page of ours, and nothing that a browser could take for another place.
fn page(to: Option<&str>) -> String {
    let is_page = |to: &&str| {
        PAGES.iter().any(|page| to.starts_with(page))
            && to.len() <= 1_000
            && !to.contains("//")
            && to.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.~:%?=&,+@".contains(&b))
    };
    to.filter(is_page).unwrap_or(HOME).to_owned()
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
    let place = match in_time(provider, provider.begin(&request)).await {
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
    set_cookie(&manager, provider, &mut response, &format!("{COOKIE}={browser}; Max-Age=600"));
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
    let mut response = match come_back(&manager, provider, pending, &query, from).await? {
        Ok(secret) => {
            let mut response = redirect(&to);
            let secure = is_secure(&manager, provider);
            session::set_cookie(&mut response, &format!("{}={secret}", session::COOKIE), secure);
            response
        }
        Err(failure) => {
            tracing::warn!(provider = %name, code = failure.code, detail = %failure.detail, "a login with a provider failed");
            manager.record_failed_login(&format!("{name}:"), from.ip()).await;
            failed(&to, &failure)
        }
    };
    set_cookie(&manager, provider, &mut response, &format!("{COOKIE}=; Max-Age=0"));
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
    let user = match in_time(provider, provider.finish(&answer)).await {
        Ok(user) => user,
        Err(failure) => return Ok(Err(failure)),
    };
    let assets = manager.assets();
    let (who, origin) = match manager.access.let_in(&assets, provider, user, from.ip()) {
        Ok(found) => found,
        Err(failure) => return Ok(Err(failure)),
    };
    let begun = manager.access.begin_session(manager.sources(&assets), &who, Some(&origin)).await?;
    let secret = begun.ok_or(ChangeError::Busy)?;
    let message = format!("logged in with {}", origin.provider);
    manager.record(&who, "Access management", "user", "login", &who.user, &message).await;
    Ok(Ok(secret))
}

async fn in_time<T>(provider: &dyn LoginProvider, step: LoginStep<'_, T>) -> Result<T, LoginFailure> {
    let patience = provider.settings().timeout.get();
    let found = tokio::time::timeout(patience, step).await;
    found.unwrap_or_else(|_| Err(LoginFailure::new("login_provider_away", "no answer in time")))
}

/// Back to the page, which says what was wrong.
fn failed(to: &str, failure: &LoginFailure) -> Response {
    let joined = if to.contains('?') { '&' } else { '?' };
    redirect(&format!("{to}{joined}loginError={}", failure.code))
}

fn redirect(place: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers: [(HeaderName, &str); 3] =
        [(LOCATION, place), (CACHE_CONTROL, "no-store"), (REFERRER_POLICY, "no-referrer")];
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn is_secure(manager: &Manager, provider: &dyn LoginProvider) -> bool {
    manager.access.settings().tls.is_some() || provider.settings().public_url.starts_with("https://")
}

fn set_cookie(manager: &Manager, provider: &dyn LoginProvider, response: &mut Response, cookie: &str) {
    let secure = if is_secure(manager, provider) { "; Secure" } else { "" };
    let cookie = format!("{cookie}; Path=/api/v1/login/oidc; HttpOnly; SameSite=Lax{secure}");
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_another_place() {
        for (to, expected) in [
            ("/portal/apis?tag=a", "/portal/apis?tag=a"),
            ("/console/apis/Orders:1.0", "/console/apis/Orders:1.0"),
            ("https://evil.example/console/", HOME),
            ("//evil.example/console/", HOME),
            ("/console//evil.example", HOME),
            ("/console/\\evil.example", HOME),
            ("/console/\r\nSet-Cookie: a=b", HOME),
            ("/consoleevil", HOME),
            ("/api/v1/session", HOME),
            ("", HOME),
        ] {
            assert_eq!(page(Some(to)), expected, "{to}");
        }
        assert_eq!(page(None), HOME);
    }
}
