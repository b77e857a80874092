//! The endpoints, below the path of the issuer, and the documents that tell clients where they are.

mod authenticate;
mod introspect;
mod metadata;
mod revoke;
mod token;

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};

use crate::{AuthorizationServer, error::OauthError, form::Form};

type Server = State<Arc<AuthorizationServer>>;

/// Largest request.
const LARGEST: usize = 64 * 1024;

const TOKEN: &str = "/token";
const INTROSPECT: &str = "/introspect";
const REVOKE: &str = "/revoke";
const JWKS: &str = "/jwks";

/// Everything that the server answers. It is served with `ConnectInfo`.
pub fn router(server: Arc<AuthorizationServer>) -> Router {
    let issuer = server.settings().issuer.clone();
    let path = path_of(&issuer);
    let below = |rest: &str| format!("{path}{rest}");
    let mut router = Router::new()
        .route(&below(TOKEN), post(token::token))
        .route(&below(INTROSPECT), post(introspect::introspect))
        .route(&below(REVOKE), post(revoke::revoke))
        .route(&below(JWKS), get(metadata::jwks))
        .route(&below("/.well-known/openid-configuration"), get(metadata::metadata))
        // RFC 8414, 3: the path of the issuer comes behind.
        .route(&format!("/.well-known/oauth-authorization-server{path}"), get(metadata::metadata));
    if !path.is_empty() {
        router = router.route(&below("/.well-known/oauth-authorization-server"), get(metadata::metadata));
    }
    router
        .fallback(|| async { StatusCode::NOT_FOUND })
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(server)
}

/// The path of the issuer, without a slash at its end.
fn path_of(issuer: &str) -> &str {
    let rest = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    rest.find('/').map_or("", |slash| &rest[slash..])
}

/// The form of a request, which is nothing else.
fn form(headers: &HeaderMap, body: &[u8]) -> Result<Form, OauthError> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(OauthError::invalid_request("expected a body of application/x-www-form-urlencoded"));
    }
    Form::parse(body)
}

/// An answer or an error, as a response.
fn respond(answer: Result<Response, OauthError>) -> Response {
    answer.unwrap_or_else(IntoResponse::into_response)
}
