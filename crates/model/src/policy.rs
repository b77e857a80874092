//! A policy as written: its type and its configuration. What the configuration may hold is said by the policy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::applies_to::AppliesTo;

/// One policy of an API, or of a part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyDoc {
    /// Which policy: `apiKey`, `rateLimit`, `requestTransformation` …
    #[serde(rename = "type")]
    pub kind: String,
    /// Name shown in explanations and events. Default: the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A disabled policy does nothing, and nothing gives way to it. Its configuration is not looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
    /// The policy's own configuration.
    #[serde(default = "empty", skip_serializing_if = "is_empty")]
    pub config: Value,
}

/// A policy of all APIs, or of those that it selects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GlobalPolicyDoc {
    /// Which policy: `apiKey`, `rateLimit`, `requestTransformation` …
    #[serde(rename = "type")]
    pub kind: String,
    /// Name shown in explanations and events. Default: the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A disabled policy does nothing, and nothing gives way to it. Its configuration is not looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
    /// APIs and operations that it is for. Default: all.
    #[serde(default, skip_serializing_if = "AppliesTo::is_default")]
    pub applies_to: AppliesTo,
    /// The policy's own configuration.
    #[serde(default = "empty", skip_serializing_if = "is_empty")]
    pub config: Value,
}

/// Policies that several APIs have in common. An API that names the template gets a copy of each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyTemplateDoc {
    /// Unique name.
    pub name: String,
    /// What the template is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The policies. They count as policies of the API, written before its own.
    pub policies: Vec<PolicyDoc>,
}

fn empty() -> Value {
    Value::Object(serde_json::Map::new())
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty)
}

impl AppliesTo {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl PolicyDoc {
    pub fn new(kind: impl Into<String>, config: Value) -> Self {
        Self { kind: kind.into(), name: None, disabled: false, config }
    }

    pub fn display_name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.kind)
    }
}

impl GlobalPolicyDoc {
    /// The policy without what it applies to.
    pub fn policy(&self) -> PolicyDoc {
        PolicyDoc {
            kind: self.kind.clone(),
            name: self.name.clone(),
            disabled: self.disabled,
            config: self.config.clone(),
        }
    }

    pub fn display_name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.kind)
    }
}
