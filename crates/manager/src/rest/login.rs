//! Who asks. Every route comes by here.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{ConnectInfo, Path, Request, State},
    http::{
        HeaderValue, StatusCode,
        header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::answer::Problem;
use crate::{
    Manager, Who,
    access::{self, Checked, Credentials},
    service::now,
};

pub(super) async fn authenticate(
    State(manager): State<Arc<Manager>>,
    mut request: Request,
    next: Next,
) -> Response {
    let from = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let address = from.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |from| from.0.ip());
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(credentials) = header.and_then(access::credentials) else {
        return challenge(
            "credentials_missing",
            "Send a user and a password with HTTP Basic, or a token with Bearer.",
        );
    };
    let assets = manager.assets();
    match manager.access.check(&manager.store, &assets, &credentials, address, now()).await {
        Ok(Checked::Known(who)) => {
            request.extensions_mut().insert(who);
            next.run(request).await
        }
        Ok(Checked::Wrong) => {
            let (user, detail) = match &credentials {
                Credentials::Password { user, .. } => (&**user, "The user or the password is wrong."),
                Credentials::Token(_) => ("", "The token is wrong, or has expired."),
            };
            manager.record_failed_login(user, address).await;
            challenge("credentials_invalid", detail)
        }
        Ok(Checked::Wait) => {
            let detail = "Too many wrong credentials came from this address; wait a minute.";
            let mut response =
                Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_failures", detail).into_response();
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("60"));
            response
        }
        Err(error) => Problem::from(error).into_response(),
    }
}

fn challenge(code: &'static str, detail: &str) -> Response {
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, code, detail).into_response();
    response
        .headers_mut()
        .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"Gatewright\", charset=\"UTF-8\""));
    response
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    password: String,
}

pub(super) async fn set_password(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(user): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let new: NewPassword = serde_json::from_slice(&body).map_err(|error| {
        // What serde says could repeat a piece of the password.
        let place = format!("line {}, column {}", error.line(), error.column());
        Problem::new(
            StatusCode::BAD_REQUEST,
            "bad_request",
            format!("expected {{\"password\": \"…\"}}, see {place}"),
        )
    })?;
    manager.set_password(&who, &user, &new.password).await?;
    Ok((StatusCode::NO_CONTENT, Json(())).into_response())
}
