//! Alerts: what a policy tells the people who run the gateway, off the request path. Who delivers them, and where to, is
//! left to the binary.

mod condition;
mod text;

use std::sync::Arc;

use model::destination::Severity;
use serde::{Serialize, Serializer};

use crate::Timestamp;

pub use condition::AlertCondition;
pub use text::AlertText;

/// Something that somebody wanted to be told. Serialised it is what a webhook sends when it has no payload of its own.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    #[serde(serialize_with = "as_date")]
    pub time: Timestamp,
    pub severity: Severity,
    #[serde(flatten)]
    pub source: Arc<AlertSource>,
    /// Whom it is about, where callers are told apart; empty otherwise.
    pub application: Box<str>,
    /// What had to hold, for people: `faults > 5 and requests > 100`.
    pub rule: Arc<str>,
    /// What was measured; of several rules the first.
    pub metric: &'static str,
    pub value: f64,
    pub threshold: f64,
    /// What it was measured over, for people: `5 minutes`.
    pub interval: Arc<str>,
    pub message: Box<str>,
    /// Names of the destinations; the gateway's own log when there are none.
    #[serde(skip)]
    pub destinations: Arc<[Box<str>]>,
}

/// The policy that raises alerts, and what it governs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertSource {
    /// `Monitor`, `SLA` or `Quota`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[serde(skip)]
    pub api_id: Box<str>,
    pub api: Box<str>,
    pub api_version: Box<str>,
    /// The operation, resource or scope that the policy was written for; empty for the whole API.
    pub operation: Box<str>,
    pub policy: Box<str>,
}

impl Alert {
    /// When it was raised, as in `2026-01-15T10:00:00Z`.
    pub fn date(&self) -> String {
        date(self.time)
    }
}

fn as_date<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&date(*time))
}

pub(crate) fn date(time: Timestamp) -> String {
    time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.0))
        .ok()
        .and_then(|date| date.format(&time::format_description::well_known::Rfc3339).ok())
        .unwrap_or_default()
}

/// Takes alerts. It never makes whoever raises one wait.
pub trait AlertDesk: Send + Sync {
    fn raise(&self, alert: Alert);
}

/// Where policies hand their alerts in. The default one is for checks and questions, and forgets them.
#[derive(Clone, Default)]
pub struct Alerts(Option<Arc<dyn AlertDesk>>);

impl Alerts {
    pub fn to(desk: Arc<dyn AlertDesk>) -> Self {
        Self(Some(desk))
    }

    pub fn raise(&self, alert: Alert) {
        if let Some(desk) = &self.0 {
            desk.raise(alert);
        }
    }
}

/// What a policy has to do as time passes, also when no request comes.
pub trait Timed: Send + Sync {
    /// Called every moment; most of the time there is nothing to do.
    fn look(&self, now: Timestamp);
}
