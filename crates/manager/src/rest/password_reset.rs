//! New passwords for users who have forgotten theirs, by a link in an e-mail.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json,
    extract::{ConnectInfo, State},
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
    routing,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    answer::Problem,
    extract::Bytes,
    route::{Content, Right, Route, get, post, put},
    session::secret_body,
};
use crate::{Manager, access::reset};

pub(super) const ROUTES: &[Route] = &[
    get(
        "/passwordReset",
        "getPasswordReset",
        "Whether users who have forgotten their password get a new one by e-mail.",
        Right::Anyone,
        || routing::get(show),
    )
    .answers::<PasswordResetView>(200),
    post(
        "/passwordReset",
        "askForPasswordReset",
        "Sends a link for a new password to the e-mail address of a user. The answer is the same whether there is one.",
        Right::Anyone,
        || routing::post(ask),
    )
    .takes::<ForgottenPassword>()
    .answers::<PasswordResetAsked>(202),
    put(
        "/passwordReset",
        "resetPassword",
        "Sets the password of the user who got a link. All their sessions end.",
        Right::Anyone,
        || routing::put(set),
    )
    .takes::<PasswordByLink>()
    .answers_content(204, Content::Nothing),
];

/// Whether users get new passwords by e-mail.
#[derive(Serialize, JsonSchema)]
struct PasswordResetView {
    on: bool,
}

/// Who has forgotten their password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ForgottenPassword {
    /// Name of the user, or the e-mail address.
    user: String,
}

/// It was taken down. Whether there is such a user is not told.
#[derive(Serialize, JsonSchema)]
struct PasswordResetAsked {
    /// For people.
    message: &'static str,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PasswordByLink {
    /// What follows `#reset=` in the link.
    token: String,
    /// The new password, as `settings.manager.passwords` wants it.
    password: String,
}

/// No name and no address is longer.
const LONGEST: usize = 320;

fn must_be_on(manager: &Manager) -> Result<(), Problem> {
    if reset::is_on(manager.access.settings()) {
        return Ok(());
    }
    let detail = "There are no new passwords by e-mail here; ask whoever manages users.";
    Err(Problem::new(StatusCode::FORBIDDEN, "password_reset_off", detail))
}

async fn show(State(manager): State<Arc<Manager>>) -> Json<PasswordResetView> {
    Json(PasswordResetView { on: reset::is_on(manager.access.settings()) })
}

async fn ask(
    State(manager): State<Arc<Manager>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    body: Bytes,
) -> Result<Response, Problem> {
    must_be_on(&manager)?;
    let ForgottenPassword { user } = secret_body(&body, r#"{"user": "…"}"#)?;
    if !manager.pace.may_ask_for_link(from.ip(), manager.now()) {
        return Ok(wait("Too many have asked for a new password lately; try again in an hour.", "3600"));
    }
    // Beside the answer, which so takes as long for somebody who is a user as for somebody who is not.
    if !user.is_empty() && user.len() <= LONGEST {
        let manager = Arc::clone(&manager);
        tokio::spawn(async move { manager.send_password_links(&user, from.ip()).await });
    }
    let message = "If there is such a user with an e-mail address, a link is on its way there.";
    Ok((StatusCode::ACCEPTED, Json(PasswordResetAsked { message })).into_response())
}

async fn set(
    State(manager): State<Arc<Manager>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    body: Bytes,
) -> Result<Response, Problem> {
    must_be_on(&manager)?;
    let PasswordByLink { token, password } = secret_body(&body, r#"{"token": "…", "password": "…"}"#)?;
    if !manager.pace.may_use_link(from.ip(), manager.now()) {
        return Ok(wait("Too many links were tried lately; wait a minute.", "60"));
    }
    let Some(user) = manager.set_password_by_link(&token, password, from.ip()).await? else {
        let detail = "The link is not good any more: it was used, has expired, or the password was changed since. Ask for \
                      another one.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "password_link_invalid", detail));
    };
    tokio::spawn(async move { manager.tell_of_new_password(&user, from.ip()).await });
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn wait(detail: &str, seconds: &'static str) -> Response {
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail);
    let mut response = problem.into_response();
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(seconds));
    response
}
