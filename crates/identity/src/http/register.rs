//! The registration endpoint (RFC 7591, 3), and that of each client (RFC 7592, 2).

use std::net::SocketAddr;

use axum::{
    Json,
    body::Bytes,
    extract::{ConnectInfo, Path, Request, State},
    http::{
        HeaderMap, StatusCode,
        header::{AUTHORIZATION, CONTENT_TYPE},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use model::client_registration::RegistrationSettings;
use serde_json::{Map, Value};

use super::{Server, respond};
use crate::{
    AuthorizationServer,
    error::{OauthError, not_stored},
};

pub async fn register(
    State(server): Server,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    to_its_end(async move {
        let settings = settings(&server)?;
        let (shown, address) = (bearer(&headers)?, server.address(from, &headers));
        is_json(&headers)?;
        let told = server.register(&settings, shown, address, &body).await?;
        Ok(answer(StatusCode::CREATED, told))
    })
    .await
}

pub async fn read(State(server): Server, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let shown = || {
        let shown = bearer(&headers)?;
        let client = server.registered(&id, shown)?;
        Ok(answer(StatusCode::OK, server.shown(&client, shown.unwrap_or_default())))
    };
    respond(shown())
}

pub async fn change(
    State(server): Server,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    to_its_end(async move {
        let settings = settings(&server)?;
        let (shown, address) = (bearer(&headers)?, server.address(from, &headers));
        let client = server.registered(&id, shown)?;
        is_json(&headers)?;
        let shown = shown.unwrap_or_default();
        let told = server.change(&settings, &client, shown, address, &body).await?;
        Ok(answer(StatusCode::OK, told))
    })
    .await
}

pub async fn remove(
    State(server): Server,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    to_its_end(async move {
        let client = server.registered(&id, bearer(&headers)?)?;
        server.unregister(&client, server.address(from, &headers)).await?;
        Ok(not_stored(StatusCode::NO_CONTENT.into_response()))
    })
    .await
}

/// What is begun is done to its end, also when nobody waits for the answer any more: a client that is there and knows
/// nothing of it helps nobody.
async fn to_its_end(does: impl Future<Output = Result<Response, OauthError>> + Send + 'static) -> Response {
    match tokio::spawn(does).await {
        Ok(answer) => respond(answer),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Without registration there is no such endpoint.
pub async fn if_open(State(server): Server, request: Request, next: Next) -> Response {
    match server.settings().registration {
        Some(_) => next.run(request).await,
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn settings(server: &AuthorizationServer) -> Result<RegistrationSettings, OauthError> {
    let settings = server.settings().registration.clone();
    settings.ok_or_else(|| OauthError::new("access_denied", "nobody can register here"))
}

fn answer(status: StatusCode, told: Map<String, Value>) -> Response {
    not_stored((status, Json(told)).into_response())
}

/// The token that is shown, if there is one (RFC 6750, 2.1).
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, OauthError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let wrong = || OauthError::invalid_token(true, "expected one header `Authorization` with `Bearer`");
    if values.next().is_some() {
        return Err(wrong());
    }
    let (scheme, token) = value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or_else(wrong)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(Some(token.trim())) } else { Err(wrong()) }
}

fn is_json(headers: &HeaderMap) -> Result<(), OauthError> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(OauthError::new("invalid_client_metadata", "expected a body of application/json"))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn one_token_is_shown_or_none() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_static(value));
            }
            bearer(&headers).map(|shown| shown.map(str::to_owned)).ok()
        };
        assert_eq!(of(&[]), Some(None));
        assert_eq!(of(&["Bearer abc"]), Some(Some("abc".to_owned())));
        assert_eq!(of(&["bearer  abc "]), Some(Some("abc".to_owned())));
        for wrong in [&["Basic abc"][..], &["abc"], &["Bearer a", "Bearer b"]] {
            assert_eq!(of(wrong), None, "{wrong:?}");
        }
    }
}
