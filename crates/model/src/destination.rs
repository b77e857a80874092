//! Destinations: where alerts go. One file for each type.

mod email;
mod log;
mod webhook;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ConditionDoc;

pub use email::EmailDestination;
pub use log::LogDestination;
pub use webhook::{WebhookDestination, WebhookHeader, WebhookMethod};

/// Where alerts go. Policies name it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum DestinationDoc {
    Log(LogDestination),
    Email(EmailDestination),
    Webhook(WebhookDestination),
}

impl DestinationDoc {
    pub fn name(&self) -> &str {
        match self {
            Self::Log(log) => &log.name,
            Self::Email(email) => &email.name,
            Self::Webhook(webhook) => &webhook.name,
        }
    }

    /// Which alerts it takes; all without a condition.
    pub fn when(&self) -> Option<&ConditionDoc> {
        match self {
            Self::Log(log) => log.when.as_ref(),
            Self::Email(email) => email.when.as_ref(),
            Self::Webhook(webhook) => webhook.when.as_ref(),
        }
    }
}

/// How bad something is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    Info,
    #[default]
    Warn,
    Error,
}

impl Severity {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}
