//! Rules: what is measured, and what it is compared with.

use model::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::meter::{Counts, Measured};

/// A condition on what was measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MonitorRule {
    /// What is measured.
    pub metric: MonitorMetric,
    /// How it is compared with `value`.
    pub operator: MonitorOperator,
    /// Milliseconds for response times, percent for `availability`, a whole number for counts.
    #[schemars(range(min = 0))]
    pub value: f64,
}

/// What is measured in an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MonitorMetric {
    /// Percent of the interval that the native service was there, as far as calls to it could tell: from a call that
    /// failed for want of it until one that did not.
    Availability,
    /// Average time from the head of a request to the end of its answer.
    AverageResponseTime,
    /// The shortest such time.
    MinimumResponseTime,
    /// The longest such time.
    MaximumResponseTime,
    /// Requests that were answered with a status of 400 and above, or failed because of the native service.
    FaultCount,
    /// Requests that were answered with a status below 400, to the end.
    SuccessCount,
    /// All requests, also those whose client left before the end of the answer.
    RequestCount,
}

/// How a metric is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MonitorOperator {
    Greater,
    Less,
    Equal,
}

impl MonitorMetric {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Availability => "availability",
            Self::AverageResponseTime => "averageResponseTime",
            Self::MinimumResponseTime => "minimumResponseTime",
            Self::MaximumResponseTime => "maximumResponseTime",
            Self::FaultCount => "faultCount",
            Self::SuccessCount => "successCount",
            Self::RequestCount => "requestCount",
        }
    }

    const fn is_count(self) -> bool {
        matches!(self, Self::FaultCount | Self::SuccessCount | Self::RequestCount)
    }

    fn count(self, counts: &Counts) -> u64 {
        match self {
            Self::FaultCount => counts.faults,
            Self::SuccessCount => counts.successes,
            _ => counts.requests,
        }
    }
}

impl MonitorRule {
    pub fn check(&self) -> Result<(), Diagnostic> {
        let problem = |expected: &str| {
            Err(Diagnostic::error("value", format!("found {}, expected {expected}", self.value)))
        };
        match self.metric {
            _ if !self.value.is_finite() || self.value < 0.0 => problem("0 or more"),
            MonitorMetric::Availability if self.value > 100.0 => problem("a percentage from 0 to 100"),
            metric if metric.is_count() && (self.value.fract() != 0.0 || self.value > 1e15) => {
                problem("a whole number")
            }
            _ => Ok(()),
        }
    }

    /// Whether it can be said while the interval lasts: what was counted only grows.
    pub fn holds_at_once(&self) -> bool {
        self.metric.is_count() && self.operator != MonitorOperator::Less
    }

    /// As it is told to people.
    pub fn text(&self) -> String {
        let operator = match self.operator {
            MonitorOperator::Greater => ">",
            MonitorOperator::Less => "<",
            MonitorOperator::Equal => "=",
        };
        format!("{} {operator} {}", self.metric.name(), self.value)
    }

    fn holds(&self, value: f64) -> bool {
        match self.operator {
            MonitorOperator::Greater => value > self.value,
            MonitorOperator::Less => value < self.value,
            // Fractions of a microsecond and of a thousandth percent are noise.
            MonitorOperator::Equal => (value - self.value).abs() < 0.0005,
        }
    }
}

/// The value of the first rule when all hold for what was counted until now, and this request changed one of them.
pub fn hold_now(rules: &[MonitorRule], counts: &Counts, changed: &Counts) -> Option<f64> {
    let all = rules.iter().all(|rule| rule.holds(rule.metric.count(counts) as f64));
    let any = rules.iter().any(|rule| rule.metric.count(changed) > 0);
    let first = rules.first()?;
    (all && any).then(|| first.metric.count(counts) as f64)
}

/// The same at the end of an interval. Where there was no request, there are no response times to compare.
pub fn hold_at_end(rules: &[MonitorRule], measured: &Measured) -> Option<f64> {
    let value = |metric: MonitorMetric| match metric {
        MonitorMetric::Availability => Some(measured.availability),
        MonitorMetric::AverageResponseTime => measured.average_ms,
        MonitorMetric::MinimumResponseTime => measured.minimum_ms,
        MonitorMetric::MaximumResponseTime => measured.maximum_ms,
        count => Some(count.count(&measured.counts) as f64),
    };
    let holds = |rule: &MonitorRule| value(rule.metric).is_some_and(|value| rule.holds(value));
    rules.iter().all(holds).then(|| rules.first().and_then(|rule| value(rule.metric)))?
}
