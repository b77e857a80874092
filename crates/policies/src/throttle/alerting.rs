//! Alerts of quotas: that one is nearly used up, and that it is, once for each window and caller.

use std::sync::Arc;

use engine::{Alert, AlertText, Alerts, CompileCx, Exchange, alert::AlertSource, language::Escape};
use model::{Diagnostic, Percent, destination::Severity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Meter, ThrottleKey, counts::Told};
use crate::{keyed::Key, rate_limit::counter::Taken};

/// Who is told of quotas, once for each window and each of what is counted apart.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ThrottleAlerts {
    /// Share of a quota that a first alert is raised at, such as `80%`, with severity `info`. Bytes are looked at with
    /// the request after them. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    warn_at: Option<Percent>,
    /// How bad it is that a quota is used up, whether requests pass all the same or not.
    #[serde(default)]
    severity: Severity,
    /// Text of the alert, with its fields such as `${api}`, `${application}` and `${value}`, which is the percentage
    /// used. Default: quota and window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// Names of the destinations. Default: the gateway's log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    destinations: Vec<String>,
}

/// Raises alerts.
pub struct Alerting {
    /// In hundredths of a percent.
    warn_at: Option<u64>,
    severity: Severity,
    message: Option<AlertText>,
    destinations: Arc<[Box<str>]>,
    source: Arc<AlertSource>,
    /// Callers are told apart by their application.
    by_application: bool,
    alerts: Alerts,
}

const WHOLE: u64 = 10_000;

impl ThrottleAlerts {
    pub fn compile(self, key: ThrottleKey, cx: &CompileCx<'_>) -> Result<Alerting, Diagnostic> {
        let warn_at = self.warn_at.map(|share| u64::from(share.basis_points()));
        if warn_at.is_some_and(|share| share == 0 || share >= WHOLE) {
            let found = self.warn_at.map(|share| share.to_string()).unwrap_or_default();
            return Err(Diagnostic::error(
                "warnAt",
                format!("found {found}, expected more than 0% and less than 100%"),
            ));
        }
        let message = self.message.as_deref().map(AlertText::compile_message).transpose();
        Ok(Alerting {
            warn_at,
            severity: self.severity,
            message: message.map_err(|problem| problem.under("message"))?,
            destinations: cx.destinations("destinations", self.destinations)?,
            source: cx.alert_source("Quota"),
            by_application: matches!(key, ThrottleKey::Application | ThrottleKey::User),
            alerts: cx.alerts(),
        })
    }
}

impl Alerting {
    /// Looks at what was taken from a quota.
    pub(super) fn look(&self, meter: &Meter, name: &str, key: Key, taken: &Taken, exchange: &Exchange) {
        let most = meter.limit.most;
        let used = most.saturating_sub(taken.remaining);
        let once = |what| meter.counts.tell_once(key, &meter.limit.quota, exchange.started, what);
        if !taken.allowed {
            if once(Told::UsedUp) {
                self.raise(self.severity, meter, name, WHOLE, used, exchange);
            }
        } else if let Some(share) = self.warn_at
            && u128::from(used) * u128::from(WHOLE) >= u128::from(most) * u128::from(share)
            && once(Told::Nearly)
        {
            self.raise(Severity::Info, meter, name, share, used, exchange);
        }
    }

    fn raise(
        &self,
        severity: Severity,
        meter: &Meter,
        name: &str,
        share: u64,
        used: u64,
        exchange: &Exchange,
    ) {
        let threshold = share as f64 / 100.0;
        let application = exchange.application().filter(|_| self.by_application);
        let what = &meter.limit.named;
        let mut alert = Alert {
            time: exchange.started,
            severity,
            source: Arc::clone(&self.source),
            application: application.map(|application| application.name.clone()).unwrap_or_default(),
            rule: format!("{name}: {threshold}% of {what}").into(),
            metric: "quotaUsed",
            value: (used as f64 / meter.limit.most as f64 * 10_000.0).round() / 100.0,
            threshold,
            interval: Arc::clone(&meter.limit.window),
            message: Box::default(),
            destinations: Arc::clone(&self.destinations),
        };
        alert.message = match &self.message {
            Some(message) => message.render(&alert, Escape::None).into(),
            None if share == WHOLE => format!("{name}: {what} in {}: used up", alert.interval).into(),
            None => format!("{name}: {threshold}% of {what} in {}: used", alert.interval).into(),
        };
        self.alerts.raise(alert);
    }
}
