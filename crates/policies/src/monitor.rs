//! Monitors: measure what becomes of requests over intervals, and alert when it is not as it should be. How it is
//! counted is left to `meter`, what it is compared with to `rule`.

mod interval;
mod meter;
mod rule;
mod sla;
mod watch;

use engine::{CompileCx, Compiled, FailMode, Policy, Reason, Stage};
use model::{ConditionDoc, Diagnostic, destination::Severity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use sla::MonitorSla;

use interval::MonitorInterval;
use rule::MonitorRule;
use watch::{Apart, Watch, WatchSpec};

/// Measures an API, or the part of it that the policy is written for, and alerts when all rules hold. Several policies
/// alert each for itself.
///
/// Rules about counts that are `greater` or `equal` are looked at with each request. When there is another one among
/// them, all are looked at when the interval ends, also when no request comes. What was counted stays through a reload
/// for as long as the configuration of the policy stays the same.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MonitorPerformance {
    /// Which requests count, by what is known of them when they have ended: `${response.statusCode}`, headers, claims, but
    /// no bodies. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    when: Option<ConditionDoc>,
    /// What has to hold for an alert, all of it.
    #[schemars(length(min = 1))]
    rules: Vec<MonitorRule>,
    /// What is measured together.
    interval: MonitorInterval,
    /// How often it is alerted.
    #[serde(default)]
    frequency: MonitorFrequency,
    /// How bad it is.
    #[serde(default)]
    severity: Severity,
    /// Text of the alert, with its fields such as `${api}` and `${value}`. Default: rule, value and interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// Names of the destinations. Default: the gateway's log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    destinations: Vec<String>,
}

/// How often it is alerted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MonitorFrequency {
    /// Once in an interval.
    #[default]
    Once,
    /// With each request that makes the rules hold. Rules that are looked at when the interval ends hold once.
    Always,
}

impl Policy for MonitorPerformance {
    const TYPE: &'static str = "monitorPerformance";
    const STAGE: Stage = Stage::TrafficMonitoring;
    const REPEATABLE: bool = true;
    const ON_FAILURE: FailMode = FailMode::Open;
    const POSTURE: &'static str = "It looks at nothing that the client wrote, unless `when` does. Requests that other policies refuse count as well, so that whoever is refused often can raise an alert. Alerts that come faster than they can be taken are dropped and counted.";
    const REASONS: &'static [&'static Reason] = &[];
    const EXAMPLE: &'static str = "rules:\n  - {metric: averageResponseTime, operator: greater, value: 250}\n  - {metric: requestCount, operator: greater, value: 100}\ninterval: {length: 5, unit: minute}\nmessage: \"${api} is slow: ${value} ms on average\"\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let shape = serde_json::to_vec(&self).unwrap_or_default();
        let spec = WatchSpec {
            rules: self.rules,
            when: self.when,
            interval: self.interval,
            frequency: self.frequency,
            severity: self.severity,
            message: self.message,
            destinations: self.destinations,
        };
        Watch::compile("Monitor", spec, Apart::Nothing, shape, cx)
    }
}

#[cfg(test)]
mod tests;
