//! Logging in and out, and passwords: for people in front of a browser.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Extension, Json,
    extract::{ConnectInfo, State},
    http::{HeaderMap, HeaderValue, StatusCode, header::SET_COOKIE},
    response::{IntoResponse, Response},
    routing,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    answer::{Items, Problem, time},
    extract::{Bytes, Path},
    login,
    route::{Right, Route, delete, get, post, put},
};
use crate::{
    ChangeError, Manager, Privilege, Who,
    access::{Checked, Credentials, session::csrf_token},
};

/// What the browser keeps of a session.
pub(super) const COOKIE: &str = "gatewright_session";

const USERS: Right = Right::Privilege(&[Privilege::ManageUsers]);

pub(super) const ROUTES: &[Route] = &[
    post("/session", "logIn", "Logs in; the session is kept in a cookie.", Right::Anyone, || {
        routing::post(log_in)
    })
    .takes::<Login>()
    .answers::<SessionView>(200),
    get("/session", "getSession", "Who is logged in, and what they may do.", Right::Oneself, || {
        routing::get(show)
    })
    .answers::<SessionView>(200),
    delete("/session", "logOut", "Logs out.", Right::Oneself, || routing::delete(log_out))
        .answers_content(204, super::route::Content::Nothing),
    put("/users/{name}/password", "setPassword", "Sets the password of a user.", Right::Oneself, || {
        routing::put(set_password)
    })
    .takes::<NewPassword>()
    .answers_content(204, super::route::Content::Nothing),
    get(
        "/lockedAccounts",
        "listLockedAccounts",
        "Names for which so many passwords were wrong that nobody can log in with them for a while.",
        USERS,
        || routing::get(locked),
    )
    .answers::<Items<LockedAccount>>(200),
    delete("/lockedAccounts/{name}", "unlockAccount", "Lets a user log in again at once.", USERS, || {
        routing::delete(unlock)
    })
    .answers_content(204, super::route::Content::Nothing),
];

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Login {
    user: String,
    password: String,
    /// Of the second factor: what the app shows, or a recovery code. Needed when the answer without it is
    /// `second_factor_needed`.
    code: Option<String>,
}

/// Somebody who is logged in.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct SessionView {
    user: String,
    groups: Vec<String>,
    /// Names of privileges.
    privileges: Vec<&'static str>,
    /// Names of the teams that they approve for.
    approves_for: Vec<String>,
    /// What requests of this session send as `X-CSRF-Token` when they change something. Empty where there is no session.
    csrf: String,
    /// So long may nothing be done until the session ends.
    idle_seconds: u64,
    /// When the session ends in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// Nothing else can be done until the password is changed.
    must_change_password: bool,
    /// Nothing else can be done until a second factor is set up.
    must_set_up_second_factor: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    password: String,
    /// The password that it is now: needed in a session, for one's own.
    current: Option<String>,
    /// It has to be changed at the next login. Default: false.
    #[serde(default)]
    temporary: bool,
}

/// A name with which nobody can log in for a while.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct LockedAccount {
    user: String,
    /// Wrong passwords.
    failures: u64,
    locked_until: String,
}

/// A body with a password in it: what serde says about what it found could repeat a piece of that.
pub(super) fn secret_body<T: DeserializeOwned>(body: &Bytes, expected: &str) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        Problem::new(StatusCode::BAD_REQUEST, "bad_request", format!("expected {expected}, see {place}"))
    })
}

async fn log_in(
    State(manager): State<Arc<Manager>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    body: Bytes,
) -> Result<Response, Problem> {
    let Login { user, password, code } = secret_body(&body, r#"{"user": "…", "password": "…"}"#)?;
    let credentials = Credentials::Password { user, password, code };
    let who = match manager.check(&credentials, from.ip()).await? {
        Checked::Known(who) => who,
        Checked::Wrong => return Ok(login::wrong(&manager, &credentials, from.ip()).await),
        Checked::CodeNeeded => return Ok(login::code_needed()),
        Checked::CodeWrong => return Ok(login::code_wrong(&manager, &credentials, from.ip()).await),
        Checked::Wait => return Ok(login::wait()),
        Checked::Away => return Ok(login::away()),
    };
    let assets = manager.assets();
    let begun = manager.access.begin_session(manager.sources(&assets), &who, None).await?;
    let secret = begun.ok_or(ChangeError::Busy)?;
    manager.record(&who, "Access management", "user", "login", &who.user, "logged in").await;
    let view = view(&manager, &who, Some((&secret, manager.now())));
    let mut response = Json(view).into_response();
    set_cookie(&mut response, &format!("{COOKIE}={secret}"), is_secure(&manager));
    Ok(response)
}

async fn show(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
) -> Result<Json<SessionView>, Problem> {
    let session = match &who.session {
        Some(hash) => manager.store.session(hash).await?,
        None => None,
    };
    let kept = session.zip(login::cookie(&headers, COOKIE));
    let kept = kept.as_ref().map(|(session, secret)| (*secret, session.created_at));
    Ok(Json(view(&manager, &who, kept)))
}

fn view(manager: &Manager, who: &Who, session: Option<(&str, u64)>) -> SessionView {
    SessionView {
        user: who.user.clone(),
        groups: who.groups().to_vec(),
        privileges: who.privileges().iter().map(|privilege| privilege.name()).collect(),
        approves_for: who.approves_for().to_vec(),
        csrf: session.map(|(secret, _)| csrf_token(secret)).unwrap_or_default(),
        idle_seconds: manager.access.settings().sessions.idle.get().as_secs(),
        expires_at: session
            .map(|(_, created_at)| time(manager.access.ends(created_at, manager.now()).latest)),
        must_change_password: who.must_change_password,
        must_set_up_second_factor: who.must_set_up_second_factor,
    }
}

async fn log_out(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
) -> Result<Response, Problem> {
    if let Some(session) = &who.session {
        manager.store.end_session(session).await?;
        manager.record(&who, "Access management", "user", "logout", &who.user, "logged out").await;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    forget(&manager, &mut response);
    Ok(response)
}

/// Has the browser forget its session.
pub(super) fn forget(manager: &Manager, response: &mut Response) {
    set_cookie(response, &format!("{COOKIE}=; Max-Age=0"), is_secure(manager));
}

/// Without TLS here the admin API is on loopback, or behind something that adds it and is trusted with this.
fn is_secure(manager: &Manager) -> bool {
    manager.access.settings().tls.is_some()
}

pub(super) fn set_cookie(response: &mut Response, cookie: &str, is_secure: bool) {
    let secure = if is_secure { "; Secure" } else { "" };
    let cookie = format!("{cookie}; Path=/; HttpOnly; SameSite=Strict{secure}");
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

async fn set_password(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(user): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    if who.must_change_password && user != who.user {
        let detail = format!("The password of {} has to be changed first.", who.user);
        return Err(Problem::new(StatusCode::FORBIDDEN, "password_must_change", detail));
    }
    if who.must_set_up_second_factor && user != who.user {
        let detail = format!("{} has to set up a second factor first.", who.user);
        return Err(Problem::new(StatusCode::FORBIDDEN, "second_factor_must_be_set_up", detail));
    }
    let NewPassword { password, current, temporary } = secret_body(&body, r#"{"password": "…"}"#)?;
    manager.set_password(&who, &user, &password, current.as_deref(), temporary).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn locked(State(manager): State<Arc<Manager>>) -> Result<Json<Items<LockedAccount>>, Problem> {
    let lock = &manager.access.settings().account_lock;
    let since = manager.access.counted_since(manager.now());
    let found = match u64::from(lock.attempts) {
        0 => Vec::new(),
        attempts => manager.store.failed_logins(attempts, since).await?,
    };
    let within = u64::try_from(lock.within.get().as_micros()).unwrap_or(u64::MAX);
    let items = found.into_iter().map(|found| LockedAccount {
        locked_until: time(found.since.saturating_add(within)),
        user: found.user,
        failures: found.failures,
    });
    Ok(Json(Items { items: items.collect() }))
}

async fn unlock(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(user): Path<String>,
) -> Result<StatusCode, Problem> {
    if !manager.store.forgive_login_failures(&user).await? {
        let detail = format!("no wrong password was given for `{user}` lately");
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", detail));
    }
    let message = format!("wrong passwords for {user} were forgotten");
    manager.record(&who, "Access management", "user", "unlock", &user, &message).await;
    Ok(StatusCode::NO_CONTENT)
}
