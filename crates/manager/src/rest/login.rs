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
        header::{AUTHORIZATION, WWW_AUTHENTICATE},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::answer::Problem;
use crate::{Manager, Who, access, service::now};

pub(super) async fn authenticate(
    State(manager): State<Arc<Manager>>,
    mut request: Request,
    next: Next,
) -> Response {
    let from = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let address = from.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |from| from.0.ip());
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some((user, password)) = header.and_then(access::basic) else {
        return challenge("credentials_missing", "Send the name and the password of a user with HTTP Basic.");
    };
    let assets = manager.assets();
    let found = manager.access.check(&manager.store, &assets, &user, &password, address, now()).await;
    match found {
        Ok(Some(who)) => {
            request.extensions_mut().insert(who);
            next.run(request).await
        }
        Ok(None) => {
            manager.record_failed_login(&user, address).await;
            challenge("credentials_invalid", "The user or the password is wrong.")
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
