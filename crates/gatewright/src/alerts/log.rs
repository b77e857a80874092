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

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Mutex, PoisonError},
    };

    use engine::{Timestamp, alert::AlertSource};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_alert_is_one_line_with_its_level_and_fields() {
        let written = Written::default();
        let writer = written.clone();
        let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        let source = AlertSource { kind: "Quota", api: "Orders".into(), ..AlertSource::default() };
        let alert = Arc::new(Alert {
            time: Timestamp::from_millis(1_768_471_200_000),
            severity: Severity::Error,
            source: Arc::new(source),
            application: "a \"b\"\nc".into(),
            rule: "faultCount > 1".into(),
            metric: "faultCount",
            value: 2.0,
            threshold: 1.0,
            interval: "1 minute".into(),
            message: "too many".into(),
            destinations: Arc::default(),
        });
        let counts = Arc::<Deliveries>::default();
        tracing::subscriber::with_default(log, || {
            Lines { level: None, counts: Arc::clone(&counts) }.take(&alert);
            Lines { level: Some(Severity::Info), counts: Arc::clone(&counts) }.take(&alert);
        });
        let bytes = written.0.lock().expect("nobody else writes").clone();
        let text = String::from_utf8(bytes).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].contains(" ERROR ") && lines[1].contains(" INFO "), "{text}");
        for part in
            ["gatewright::alert: too many", "api=\"Orders\"", "rule=\"faultCount > 1\"", "value=2.0", "\\nc"]
        {
            assert!(lines[0].contains(part), "{part}: {text}");
        }
        assert_eq!(counts.sent.load(Relaxed), 2);
    }
}
