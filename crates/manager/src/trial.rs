//! Requests that somebody has the node send through a listener of its own, and definitions that it fetches for them: what
//! goes in and comes out. The node does it; who may ask for it is in the table of routes.

use std::{future::Future, pin::Pin};

use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a node answers when it is asked to try something.
pub type Trying<'a, T> = Pin<Box<dyn Future<Output = Result<T, TrialError>> + Send + 'a>>;

/// A request that is sent through the gateway, as a client on the machine of the node would send it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Trial {
    /// As in `GET`.
    pub method: String,
    /// Path with query, as it is called: `/gateway/Pets/1.0/pets?limit=3`.
    pub url: String,
    /// Names and values. Those that say how long the body is, how the connection is used or where the request came from
    /// are refused: the node sets them itself.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body, 1 MiB at most. Default: none.
    #[serde(default)]
    pub body: String,
}

/// What came back.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrialAnswer {
    /// What the request is explained by, under `/gateway/explain/{id}`.
    pub request_id: Option<String>,
    /// The listener that it was sent to.
    pub listener: String,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// The first 256 KiB of the body, in base64 when it is not text.
    pub body: String,
    pub base64: bool,
    /// There was more.
    pub truncated: bool,
    /// From connecting to the last byte of the body that was read.
    pub millis: u64,
}

/// A definition, as it is published somewhere.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FetchedDefinition {
    /// The document, to the letter.
    pub document: String,
}

/// Why nothing was tried.
#[derive(Debug, Clone)]
pub struct TrialError {
    pub status: StatusCode,
    pub code: &'static str,
    pub detail: String,
}

impl TrialError {
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into() }
    }
}
