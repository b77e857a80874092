//! E-mail addresses as a destination.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::webhook::{default_queue, default_retries, default_retry_after};
use crate::{ConditionDoc, Duration};

/// E-mail addresses that alerts are sent to, by the server of `settings.mail`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EmailDestination {
    /// Unique name.
    pub name: String,
    /// What the destination is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Which alerts it takes, by their fields, as for a webhook. Default: all that policies send to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<ConditionDoc>,
    /// Who gets them: `ops@example.com` or `Operations <ops@example.com>`. At most 50.
    #[schemars(length(min = 1, max = 50))]
    pub to: Vec<String>,
    /// Subject, with fields of the first alert such as `${severity}` and `${api}`.
    #[serde(default = "subject")]
    pub subject: String,
    /// What is written of each alert, with its fields. Default: the message, and a line for each field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Shortest time between two e-mails. The first alert is sent at once; those that come before the next e-mail may be
    /// sent go out together, 100 at most with their text and the rest as a number.
    #[serde(default = "at_most_every")]
    pub at_most_every: Duration,
    /// How often an e-mail is tried again when the server is away or says that it cannot now; up to 20.
    #[serde(default = "default_retries")]
    pub retries: u32,
    /// Wait before the first time that an e-mail is tried again. It doubles each time, up to a minute.
    #[serde(default = "default_retry_after")]
    pub retry_after: Duration,
    /// Alerts that wait at most. Further ones are dropped and counted.
    #[serde(default = "default_queue")]
    pub queue: NonZeroU32,
}

fn subject() -> String {
    "[${severity}] ${api}: ${message}".to_owned()
}

fn at_most_every() -> Duration {
    Duration::from_secs(60)
}
