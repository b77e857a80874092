//! What goes back: assets as JSON, and errors as problems (RFC 9457).

use axum::{
    Json,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, ETAG},
    },
    response::{IntoResponse, Response},
};
use model::{Diagnostic, Diagnostics};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use store::StoreError;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{ChangeError, Held};

/// Everything of a kind that there is.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "{T}List")]
pub(super) struct Items<T> {
    pub items: Vec<T>,
}

/// Why a request was not done (RFC 9457).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(super) struct ProblemView {
    #[serde(rename = "type")]
    kind: &'static str,
    title: Option<&'static str>,
    status: u16,
    /// Stable, for programs.
    code: &'static str,
    detail: String,
    /// Everything that is wrong with what was sent, or would be wrong with what it leads to.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<Diagnostic>>,
}

/// Why a request was not done.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Option<Diagnostics>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), errors: None }
    }

    #[must_use]
    pub(super) fn with_errors(mut self, errors: Diagnostics) -> Self {
        self.errors = Some(errors);
        self
    }

    /// Stable, for programs.
    pub(super) fn code(&self) -> &'static str {
        self.code
    }

    /// What is wrong, for people.
    pub(super) fn text(&self) -> String {
        self.errors.as_ref().map_or_else(|| self.detail.clone(), Diagnostics::to_string)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ProblemView {
            kind: "about:blank",
            title: self.status.canonical_reason(),
            status: self.status.as_u16(),
            code: self.code,
            detail: self.detail,
            errors: self.errors.map(|errors| errors.0),
        };
        let mut response = (self.status, Json(body)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        let detail = error.to_string();
        match error {
            ChangeError::NotFound { .. } => Self::new(StatusCode::NOT_FOUND, "not_found", detail),
            ChangeError::Exists { .. } => Self::new(StatusCode::CONFLICT, "exists", detail),
            ChangeError::Stale { .. } => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "stale",
                format!("{detail}; read it again, and send its ETag in If-Match"),
            ),
            ChangeError::Invalid(errors) => Self {
                errors: Some(errors),
                ..Self::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "invalid",
                    "The change would not be valid; nothing was changed.",
                )
            },
            ChangeError::WrongPassword => Self::new(StatusCode::FORBIDDEN, "wrong_password", detail),
            ChangeError::KeystoreNotUsable { .. } => {
                Self::new(StatusCode::FORBIDDEN, "keystore_not_usable", detail)
            }
            ChangeError::Forbidden(_) | ChangeError::ForeignTeam(_) => {
                Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
            }
            ChangeError::Store(error) => error.into(),
            ChangeError::Busy => Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store failed");
        if error.is_away() {
            return Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "store_failed",
                "The database of settings.store.url does not answer, so that nobody can log in and nothing can be changed. \
                 This node goes on serving what it serves, and takes changes again by itself when the database is back; \
                 `gatewright status` and the log of the node say what is wrong with it.",
            );
        }
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "store_failed",
            "The store cannot be reached or written; the log of the node says why. What is served goes on being served.",
        )
    }
}

pub(super) fn no_such_method() -> Response {
    let detail = "This path does not know this method; `Allow` tells which it knows.";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail).into_response()
}

pub(super) fn no_such_route() -> Response {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no_such_route",
        "There is nothing here; GET /api/v1/openapi.json tells what there is.",
    )
    .into_response()
}

/// A time as people and programs read it.
pub(super) fn time(us: u64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(us) * 1_000)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_default()
}

/// An asset, with what there is to know about it.
pub(super) fn asset(held: &Held) -> Value {
    let mut asset = json!({
        "kind": held.kind.name,
        "id": held.id,
        "name": held.parsed.name,
        "revision": held.revision,
        "createdAt": time(held.created_at),
        "changedAt": time(held.changed_at),
        "spec": held.parsed.document,
    });
    if held.kind.name == "secret" {
        asset["hasValue"] = held.has_secret().into();
    }
    asset
}

/// The same with its version in `ETag`.
pub(super) fn tagged(status: StatusCode, held: &Held, body: Value) -> Response {
    let mut response = (status, Json(body)).into_response();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", held.revision)) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}
