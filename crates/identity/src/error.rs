//! Errors as clients are told (RFC 6749, 5.2).

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::ServerError;

/// An error with a code of OAuth 2.0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthError {
    pub code: &'static str,
    pub description: String,
    /// The client tried to prove who it is in `Authorization`.
    challenge: bool,
}

impl OauthError {
    pub fn new(code: &'static str, description: impl Into<String>) -> Self {
        Self { code, description: description.into(), challenge: false }
    }

    pub fn invalid_request(description: impl Into<String>) -> Self {
        Self::new("invalid_request", description)
    }

    pub fn invalid_grant(description: impl Into<String>) -> Self {
        Self::new("invalid_grant", description)
    }

    pub fn invalid_client(in_header: bool) -> Self {
        let description = "the client is not known, or did not prove who it is".to_owned();
        Self { code: "invalid_client", description, challenge: in_header }
    }
}

impl From<ServerError> for OauthError {
    fn from(error: ServerError) -> Self {
        tracing::error!(%error, "the authorization server could not do what it was asked for");
        Self::new("server_error", "try again later")
    }
}

impl From<store::StoreError> for OauthError {
    fn from(error: store::StoreError) -> Self {
        ServerError::from(error).into()
    }
}

impl IntoResponse for OauthError {
    fn into_response(self) -> Response {
        let status = match self.code {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            "server_error" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        let body = json!({ "error": self.code, "error_description": self.description });
        let mut response = not_stored((status, Json(body)).into_response());
        if self.challenge {
            let value = HeaderValue::from_static("Basic realm=\"authorization server\", charset=\"UTF-8\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
        }
        response
    }
}

/// RFC 6749, 5.1: nobody on the way keeps it.
pub fn not_stored(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}
