//! The gateway's log as a destination.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use engine::Alert;
use model::destination::Severity;

use super::{Deliveries, Delivery};

/// Alerts as lines of the log.
pub(super) struct Lines {
    pub level: Option<Severity>,
    pub counts: Arc<Deliveries>,
}

impl Delivery for Lines {
    fn take(&self, alert: &Arc<Alert>) {
        write(alert, self.level.unwrap_or(alert.severity));
        self.counts.sent.fetch_add(1, Relaxed);
    }
}

/// Writes a line with the fields of the alert.
pub(super) fn write(alert: &Alert, level: Severity) {
    // The level is part of the place that a line comes from, so that each needs one of its own.
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                target: "gatewright::alert",
                at = alert.date(),
                kind = alert.source.kind,
                api = &*alert.source.api,
                version = &*alert.source.api_version,
                operation = &*alert.source.operation,
                application = &*alert.application,
                policy = &*alert.source.policy,
                rule = &*alert.rule,
                value = alert.value,
                threshold = alert.threshold,
                interval = &*alert.interval,
                "{}",
                alert.message
            )
        };
    }
    match level {
        Severity::Info => line!(info),
        Severity::Warn => line!(warn),
        Severity::Error => line!(error),
    }
}
