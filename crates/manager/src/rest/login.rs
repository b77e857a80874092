//! Who asks. Every route comes by here, with the right that it asks for.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{AUTHORIZATION, COOKIE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{answer::Problem, route::Right, session};
use crate::{
    ChangeError, Manager, Who,
    access::{self, Checked, Credentials, session::csrf_token},
};

/// What a request in a session sends along when it changes something.
const CSRF_TOKEN: &str = "x-csrf-token";

/// The code of a second factor, beside a user and a password in `Authorization`.
const SECOND_FACTOR: &str = "x-second-factor";

/// Somebody who may have proved who they are.
#[derive(Clone)]
pub(super) struct Visitor(pub Option<Who>);

pub(super) async fn authorize(
    State((manager, right)): State<(Arc<Manager>, Right)>,
    mut request: Request,
    next: Next,
) -> Response {
    if right == Right::Anyone {
        return next.run(request).await;
    }
    let address = address(&request);
    let Some(credentials) = credentials(request.headers()) else {
        if right == Right::Visitor {
            request.extensions_mut().insert(Visitor(None));
            return next.run(request).await;
        }
        return challenge(
            "credentials_missing",
            "Send a user and a password with HTTP Basic, or a token with Bearer.",
        );
    };
    if let Credentials::Session(secret) = &credentials
        && !matches!(*request.method(), Method::GET | Method::HEAD)
        && request.headers().get(CSRF_TOKEN).is_none_or(|sent| *sent != csrf_token(secret))
    {
        let detail =
            "What changes something in a session sends X-CSRF-Token, which GET /api/v1/session tells.";
        return Problem::new(StatusCode::FORBIDDEN, "csrf_token_missing", detail).into_response();
    }
    let who = match manager.check(&credentials, address).await {
        Ok(Checked::Known(who)) => who,
        Ok(Checked::Wrong) => return wrong(&manager, &credentials, address).await,
        Ok(Checked::CodeNeeded) => return code_needed(),
        Ok(Checked::CodeWrong) => return code_wrong(&manager, &credentials, address).await,
        Ok(Checked::Wait) => return wait(),
        Ok(Checked::Away) => return away(),
        Err(error) => return Problem::from(error).into_response(),
    };
    if who.must_change_password && right != Right::Oneself {
        let detail =
            format!("The password has to be changed first: PUT /api/v1/users/{}/password.", who.user);
        return Problem::new(StatusCode::FORBIDDEN, "password_must_change", detail).into_response();
    }
    if who.must_set_up_second_factor && right != Right::Oneself {
        let detail = "A second factor has to be set up first: log in to the console or the portal, which lead through it.";
        return Problem::new(StatusCode::FORBIDDEN, "second_factor_must_be_set_up", detail).into_response();
    }
    if who.is_portal_only() && !right.is_for_consumers() {
        let detail = "Only the developer portal is there for you: paths under /api/v1/portal.";
        return Problem::new(StatusCode::FORBIDDEN, "portal_only", detail).into_response();
    }
    if let Some(missing) = right.missing(&who) {
        return Problem::from(ChangeError::Forbidden(missing)).into_response();
    }
    if right == Right::Visitor {
        request.extensions_mut().insert(Visitor(Some(who.clone())));
    }
    request.extensions_mut().insert(who);
    next.run(request).await
}

/// Where a request comes from.
pub(super) fn address(request: &Request) -> IpAddr {
    let from = request.extensions().get::<ConnectInfo<SocketAddr>>();
    from.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |from| from.0.ip())
}

/// What a request says in its headers about who sends it. `Authorization` is meant when both are there.
fn credentials(headers: &HeaderMap) -> Option<Credentials> {
    match headers.get(AUTHORIZATION) {
        Some(value) => {
            let mut credentials = value.to_str().ok().and_then(access::credentials);
            if let Some(Credentials::Password { code, .. }) = &mut credentials {
                *code = headers.get(SECOND_FACTOR).and_then(|value| value.to_str().ok()).map(str::to_owned);
            }
            credentials
        }
        None => cookie(headers, session::COOKIE).map(|secret| Credentials::Session(secret.to_owned())),
    }
}

/// What the browser keeps under a name.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, wanted: &str) -> Option<&'h str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|value| value.split(';')).find_map(|cookie| {
        let (name, value) = cookie.trim().split_once('=')?;
        (name == wanted && !value.is_empty()).then_some(value)
    })
}

/// Wrong credentials, which are written down.
pub(super) async fn wrong(manager: &Manager, credentials: &Credentials, address: IpAddr) -> Response {
    match credentials {
        Credentials::Password { user, .. } => {
            manager.record_failed_login(user, address).await;
            challenge("credentials_invalid", "The user or the password is wrong.")
        }
        Credentials::Token(_) => {
            manager.record_failed_login("", address).await;
            challenge("credentials_invalid", "The token is wrong, or has expired.")
        }
        Credentials::Session(_) => {
            let detail = "The session is over; log in again with POST /api/v1/session.";
            let mut response =
                Problem::new(StatusCode::UNAUTHORIZED, "session_expired", detail).into_response();
            session::forget(manager, &mut response);
            response
        }
    }
}

/// The password was right, and is not enough.
pub(super) fn code_needed() -> Response {
    let detail = "The password is right, and a code of the second factor is needed: `code` beside the password in POST \
                  /api/v1/session, or the header X-Second-Factor beside HTTP Basic. Programs send a token.";
    Problem::new(StatusCode::UNAUTHORIZED, "second_factor_needed", detail).into_response()
}

/// The password was right, and the code was not, which is written down.
pub(super) async fn code_wrong(manager: &Manager, credentials: &Credentials, address: IpAddr) -> Response {
    if let Credentials::Password { user, .. } = credentials {
        manager.record_wrong_code(user, address).await;
    }
    let detail = "The code is wrong, or was used before; each counts once. Wait for the next one.";
    Problem::new(StatusCode::UNAUTHORIZED, "second_factor_wrong", detail).into_response()
}

pub(super) fn wait() -> Response {
    let detail = "Too many wrong credentials came from this address or for this user; wait a while.";
    let mut response =
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_failures", detail).into_response();
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("60"));
    response
}

pub(super) fn away() -> Response {
    let detail = "The directory of users cannot be asked now; the log of the node says why. \
                  Users who are kept here can log in.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "directory_away", detail).into_response()
}

fn challenge(code: &'static str, detail: &str) -> Response {
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, code, detail).into_response();
    response
        .headers_mut()
        .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"Gatewright\", charset=\"UTF-8\""));
    response
}
