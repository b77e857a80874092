//! A policy as written: its type and its configuration. What the configuration may hold is said by the policy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One policy of an API, or of all APIs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyDoc {
    /// Which policy: `apiKey`, `rateLimit`, `requestTransformation` …
    #[serde(rename = "type")]
    pub kind: String,
    /// Name shown in explanations and events. Default: the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The policy's own configuration.
    #[serde(default = "empty", skip_serializing_if = "is_empty")]
    pub config: Value,
}

fn empty() -> Value {
    Value::Object(serde_json::Map::new())
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty)
}

impl PolicyDoc {
    pub fn new(kind: impl Into<String>, config: Value) -> Self {
        Self { kind: kind.into(), name: None, config }
    }

    pub fn display_name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.kind)
    }
}
