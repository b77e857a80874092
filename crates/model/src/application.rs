//! Applications: the consumers of APIs, and the identifiers that requests recognise them by.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Secret;

/// A consumer of APIs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplicationDoc {
    /// Unique name.
    pub name: String,
    /// What the application is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Keys that identify the application. Two live keys allow a rotation without interruption.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub api_keys: Vec<ApiKeyDoc>,
    /// Names of the APIs that the application may call. Default: none but through lookup `open`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apis: Vec<String>,
    /// A suspended application is recognised and refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
}

/// An API key: the hash of one, or a reference to where its value is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiKeyDoc {
    /// `sha256:` and 64 hexadecimal digits, as `gatewright key` prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Reference to the key itself; it is hashed when the configuration is loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Secret>,
    /// RFC 3339 time after which the key is refused. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}
