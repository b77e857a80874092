//! Monitor SLA: what was agreed with applications, measured for each of them.

use engine::{CompileCx, Compiled, FailMode, Policy, Reason, Stage};
use model::{ConditionDoc, Diagnostic, destination::Severity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    MonitorFrequency,
    interval::MonitorInterval,
    rule::MonitorRule,
    watch::{Apart, Watch, WatchSpec},
};

/// Measures what each application gets, and alerts when all rules hold for one of them. Calls that no application was
/// identified for do not count.
///
/// What is measured, and when, is as with `monitorPerformance`. Of applications that are named, an interval without a
/// call counts as well; of others, intervals count from their first call on.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MonitorSla {
    /// Names of the applications. Default: all, each counted apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    applications: Vec<String>,
    /// Which requests count, by what is known of them when they have ended: `${response.statusCode}`, headers, claims, but
    /// no bodies. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    when: Option<ConditionDoc>,
    /// What has to hold for an alert, all of it.
    #[schemars(length(min = 1))]
    rules: Vec<MonitorRule>,
    /// What is measured together.
    interval: MonitorInterval,
    /// How often it is alerted, of each application.
    #[serde(default)]
    frequency: MonitorFrequency,
    /// How bad it is.
    #[serde(default)]
    severity: Severity,
    /// Text of the alert, with its fields such as `${application}` and `${value}`. Default: rule, value and interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// Names of the destinations. Default: the gateway's log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    destinations: Vec<String>,
}

impl Policy for MonitorSla {
    const TYPE: &'static str = "monitorSla";
    const STAGE: Stage = Stage::TrafficMonitoring;
    const REPEATABLE: bool = true;
    const NEEDS_APPLICATION: bool = true;
    const ON_FAILURE: FailMode = FailMode::Open;
    const POSTURE: &'static str = "It goes by the application that another policy identified, and looks at nothing that the client wrote, unless `when` does. Alerts that come faster than they can be taken are dropped and counted.";
    const REASONS: &'static [&'static Reason] = &[];
    const EXAMPLE: &'static str = "applications: [shop]\nrules:\n  - {metric: availability, operator: less, value: 99.9}\ninterval: {unit: calendarMonth}\nseverity: error\nmessage: \"${application} had ${value} % of ${api}\"\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let shape = serde_json::to_vec(&self).unwrap_or_default();
        for (index, name) in self.applications.iter().enumerate() {
            if self.applications[..index].contains(name) {
                let found = format!("found `{name}` a second time");
                return Err(Diagnostic::error(format!("applications[{index}]"), found));
            }
        }
        let spec = WatchSpec {
            rules: self.rules,
            when: self.when,
            interval: self.interval,
            frequency: self.frequency,
            severity: self.severity,
            message: self.message,
            destinations: self.destinations,
        };
        let names = self.applications.into_iter().map(String::into_boxed_str).collect();
        Watch::compile("SLA", spec, Apart::Applications(names), shape, cx)
    }
}
