//! The log of the gateway as a destination.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Severity;
use crate::ConditionDoc;

/// The gateway's own log: each alert is a line with its fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogDestination {
    /// Unique name.
    pub name: String,
    /// What the destination is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Which alerts it takes, by their fields: `${severity}`, `${type}`, `${api}`, `${apiVersion}`, `${operation}`,
    /// `${application}`, `${policy}`, `${rule}`, `${metric}`, `${value}`, `${threshold}`, `${interval}`, `${message}` and
    /// `${time}`. `cel` looks at requests, and cannot be used here. Default: all that policies send to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<ConditionDoc>,
    /// Level of the lines. Default: the severity of the alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Severity>,
}
