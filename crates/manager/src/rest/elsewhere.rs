//! What logins with providers elsewhere have in common, by whatever protocol: where they may lead back to, what a browser keeps
//! meanwhile, and the session of whoever is let in.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Json,
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY, SET_COOKIE},
    },
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    answer::{Items, Problem},
    session,
};
use crate::{
    ChangeError, Manager,
    access::provider::{LoginFailure, LoginStep, LoginUser, Terms},
};

/// How long somebody may take to log in elsewhere, in microseconds.
pub(super) const PATIENCE: u64 = 10 * 60_000_000;
/// What the browser keeps while it is elsewhere. Other sites lead it back here, which `Strict` would not stand.
pub(super) const COOKIE: &str = "gatewright_login";
pub(super) const HOME: &str = "/console/";
const PAGES: [&str; 2] = [HOME, "/portal/"];

/// A provider with which one can log in.
#[derive(Serialize, JsonSchema)]
pub(super) struct LoginProviderView {
    name: String,
    /// What is on its button.
    label: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BeginQuery {
    /// The page of the console or the portal to come back to, as in `/portal/apis`. Default: `/console/`.
    pub to: Option<String>,
}

pub(super) fn views<'t>(providers: impl Iterator<Item = Terms<'t>>) -> Json<Items<LoginProviderView>> {
    let items = providers.map(|provider| LoginProviderView {
        name: provider.name.to_owned(),
        label: provider.label.unwrap_or(provider.name).to_owned(),
    });
    Json(Items { items: items.collect() })
}

/// A page of ours, and nothing that a browser could take for another place.
pub(super) fn page(to: Option<&str>) -> String {
    let is_page = |to: &&str| {
        PAGES.iter().any(|page| to.starts_with(page))
            && to.len() <= 1_000
            && !to.contains("//")
            && to.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.~:%?=&,+@".contains(&b))
    };
    to.filter(is_page).unwrap_or(HOME).to_owned()
}

pub(super) async fn in_time<T>(patience: Duration, step: LoginStep<'_, T>) -> Result<T, LoginFailure> {
    let found = tokio::time::timeout(patience, step).await;
    found.unwrap_or_else(|_| Err(LoginFailure::new("login_provider_away", "no answer in time")))
}

/// Back to the page, which says what was wrong.
pub(super) fn failed(to: &str, failure: &LoginFailure) -> Response {
    let joined = if to.contains('?') { '&' } else { '?' };
    redirect(&format!("{to}{joined}loginError={}", failure.code))
}

/// The same, for what somebody came back with; it is written down.
pub(super) async fn refused(
    manager: &Manager,
    provider: &str,
    from: SocketAddr,
    to: &str,
    failure: &LoginFailure,
) -> Response {
    tracing::warn!(provider, code = failure.code, detail = %failure.detail, "a login with a provider failed");
    manager.record_failed_provider_login(provider, from.ip(), failure.code).await;
    failed(to, failure)
}

pub(super) fn redirect(place: &str) -> Response {
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

fn is_secure(manager: &Manager, terms: Terms<'_>) -> bool {
    manager.access.settings().tls.is_some() || terms.public_url.starts_with("https://")
}

/// What the browser keeps for the paths of one protocol.
pub(super) fn set_cookie(
    manager: &Manager,
    terms: Terms<'_>,
    path: &str,
    response: &mut Response,
    cookie: &str,
) {
    let secure = if is_secure(manager, terms) { "; Secure" } else { "" };
    let cookie = format!("{cookie}; Path={path}; HttpOnly; SameSite=Lax{secure}");
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

/// Begins the session of whoever a provider has let in, if they are let in here.
pub(super) async fn log_in(
    manager: &Manager,
    terms: Terms<'_>,
    user: LoginUser,
    from: SocketAddr,
) -> Result<Result<String, LoginFailure>, Problem> {
    let assets = manager.assets();
    let (who, origin) = match manager.access.let_in(&assets, terms, user, from.ip()) {
        Ok(found) => found,
        Err(failure) => return Ok(Err(failure)),
    };
    let begun = manager.access.begin_session(manager.sources(&assets), &who, Some(&origin)).await?;
    let secret = begun.ok_or(ChangeError::Busy)?;
    let message = format!("logged in with {}", origin.provider);
    manager.record(&who, "Access management", "user", "login", &who.user, &message).await;
    Ok(Ok(secret))
}

/// To the page, with a session.
pub(super) fn welcome(manager: &Manager, terms: Terms<'_>, to: &str, secret: &str) -> Response {
    let mut response = redirect(to);
    let cookie = format!("{}={secret}", session::COOKIE);
    session::set_cookie(&mut response, &cookie, is_secure(manager, terms));
    response
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
