//! The log of the gateway as a destination.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Severity;

/// The gateway's own log: each alert is a line with its fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogDestination {
    /// Unique name.
    pub name: String,
    /// What the destination is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Level of the lines. Default: the severity of the alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Severity>,
}
