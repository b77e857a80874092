//! What clients are told of a user who has logged in (OpenID Connect Core, 5.3), to whoever shows a token for it.

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{
    Server, USERINFO,
    caller::{Caller, ShownCertificate},
    proof,
};
use crate::{AuthorizationServer, binding::Binding, error::not_stored, id_token, secret};

pub async fn userinfo(State(server): Server, method: Method, caller: Caller) -> Response {
    answer(&server, method.as_str(), &caller).await.unwrap_or_else(Refused::into_response)
}

/// As in RFC 6750, 3.1.
enum Refused {
    /// There is no token at all.
    NoToken,
    Invalid,
    Scope,
    Away,
}

async fn answer(server: &AuthorizationServer, method: &str, caller: &Caller) -> Result<Response, Refused> {
    let headers = &caller.headers;
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(Refused::NoToken) };
    let (scheme, shown) =
        value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or(Refused::NoToken)?;
    let shown = shown.trim();
    let found = server.store.token(&secret::hash(shown)).await.map_err(|error| {
        tracing::error!(%error, "a token could not be looked for");
        Refused::Away
    })?;
    let now = server.house.now();
    let live = |token: &store::assets::OauthToken| {
        token.kind == "access"
            && token.revoked_at.is_none()
            && token.expires_at.is_none_or(|at| at > now)
            && server.client(&token.client).is_some()
    };
    let token = found.filter(live).ok_or(Refused::Invalid)?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    match Binding::of(&token) {
        None if is_bearer => {}
        Some(Binding::Certificate(wanted)) if is_bearer => {
            let shown = caller.certificate.as_ref().map(ShownCertificate::thumbprint);
            shown.filter(|shown| *shown == wanted).ok_or(Refused::Invalid)?;
        }
        Some(Binding::Key(key)) if scheme.eq_ignore_ascii_case(proof::DPOP) => {
            let url = format!("{}{USERINFO}", server.issuer());
            let proven = proof::check(server, headers, method, &url, Some(shown), Some(&key)).await;
            proven.map_err(|_| Refused::Invalid)?;
        }
        _ => return Err(Refused::Invalid),
    }
    let has = |name: &str| token.scope.split(' ').any(|scope| scope == name);
    if !has("openid") {
        return Err(Refused::Scope);
    }
    let person = token.user.as_deref().and_then(|user| server.house.person(user));
    let person = person.filter(|person| token.document_subject().as_deref() == Some(&*person.id));
    let claims = id_token::claims(&person.ok_or(Refused::Invalid)?, has);
    Ok(not_stored(Json(claims).into_response()))
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, code, challenge) = match self {
            Self::NoToken => (StatusCode::UNAUTHORIZED, "invalid_request", "Bearer"),
            Self::Invalid => (StatusCode::UNAUTHORIZED, "invalid_token", "Bearer error=\"invalid_token\""),
            Self::Scope => (
                StatusCode::FORBIDDEN,
                "insufficient_scope",
                "Bearer error=\"insufficient_scope\", scope=\"openid\"",
            ),
            Self::Away => (StatusCode::SERVICE_UNAVAILABLE, "server_error", "Bearer"),
        };
        let mut response = not_stored((status, Json(json!({ "error": code }))).into_response());
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        response
    }
}
