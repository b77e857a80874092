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
    /// What has to be shown instead, and how.
    challenge: Option<&'static str>,
    /// In how many seconds it may be tried again.
    wait: Option<u64>,
}

impl OauthError {
    pub fn new(code: &'static str, description: impl Into<String>) -> Self {
        Self { code, description: description.into(), challenge: None, wait: None }
    }

    pub fn invalid_request(description: impl Into<String>) -> Self {
        Self::new("invalid_request", description)
    }

    pub fn invalid_grant(description: impl Into<String>) -> Self {
        Self::new("invalid_grant", description)
    }

    pub fn invalid_client(in_header: bool) -> Self {
        let challenge = in_header.then_some("Basic realm=\"authorization server\", charset=\"UTF-8\"");
        let description = "the client is not known, or did not prove who it is";
        Self { challenge, ..Self::new("invalid_client", description) }
    }

    /// A token has to be shown, or another one (RFC 6750, 3).
    pub fn invalid_token(was_shown: bool, description: impl Into<String>) -> Self {
        let challenge = if was_shown { "Bearer error=\"invalid_token\"" } else { "Bearer" };
        Self { challenge: Some(challenge), ..Self::new("invalid_token", description) }
    }

    /// It is too much at the moment.
    pub fn wait(seconds: u64, description: impl Into<String>) -> Self {
        Self { wait: Some(seconds), ..Self::new("temporarily_unavailable", description) }
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
            "invalid_client" | "invalid_token" => StatusCode::UNAUTHORIZED,
            "server_error" => StatusCode::SERVICE_UNAVAILABLE,
            "temporarily_unavailable" => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::BAD_REQUEST,
        };
        let body = json!({ "error": self.code, "error_description": self.description });
        let mut response = not_stored((status, Json(body)).into_response());
        if let Some(challenge) = self.challenge {
            let value = HeaderValue::from_static(challenge);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
        }
        if let Some(seconds) = self.wait {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
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
