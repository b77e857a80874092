//! A URL as a destination.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ConditionDoc, Duration, Secret};

/// A URL that each alert is sent to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WebhookDestination {
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
    /// Where alerts are sent to, with `http://` or `https://`. The certificate has to be one that the system trusts.
    pub url: String,
    /// Method of the request.
    #[serde(default)]
    pub method: WebhookMethod,
    /// Headers of the request, such as credentials.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<WebhookHeader>,
    /// Media type of the payload. In JSON and XML the fields of the alert are escaped accordingly, in anything else line
    /// breaks are taken out of them.
    #[serde(default = "default_content_type")]
    pub content_type: String,
    /// What is sent, with fields of the alert such as `${api}` and `${message}`. Default: a JSON object with all of
    /// them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// Longest wait for an answer, 1ms to 5m.
    #[serde(default = "default_timeout")]
    pub timeout: Duration,
    /// How often a delivery is tried again when there is no answer, or one with status 408, 429 or 5xx; up to 20.
    #[serde(default = "default_retries")]
    pub retries: u32,
    /// Wait before the first time that a delivery is tried again. It doubles each time, up to a minute.
    #[serde(default = "default_retry_after")]
    pub retry_after: Duration,
    /// Alerts that wait at most. Further ones are dropped and counted.
    #[serde(default = "default_queue")]
    pub queue: NonZeroU32,
}

/// Method of a webhook.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum WebhookMethod {
    #[default]
    Post,
    Put,
}

/// A header of a webhook: `value`, or `secret` for what nobody may read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WebhookHeader {
    /// Name of the header.
    pub name: String,
    /// Its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Its whole value as a reference to a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
}

fn default_content_type() -> String {
    "application/json".to_owned()
}

fn default_timeout() -> Duration {
    Duration::from_secs(10)
}

pub(super) const fn default_retries() -> u32 {
    3
}

pub(super) fn default_retry_after() -> Duration {
    Duration::from_secs(1)
}

pub(super) fn default_queue() -> NonZeroU32 {
    const DEFAULT: NonZeroU32 = NonZeroU32::new(1_000).expect("it is not zero");
    DEFAULT
}
