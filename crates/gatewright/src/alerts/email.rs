//! E-mail addresses as a destination: alerts that come close together are one e-mail.

use std::{
    fmt::Write,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use engine::{Alert, AlertText, language::Escape};
use lettre::message::Mailbox;
use model::{Diagnostic, destination::EmailDestination};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, timeout_at},
};

use super::{
    Deliveries,
    patience::{Failed, Patience, Queue},
};
use crate::mail::{MailServer, mailbox};

/// Alerts whose text is in one e-mail.
const MOST_TOGETHER: usize = 100;
const MOST_ADDRESSES: usize = 50;
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// Who gets e-mails, checked.
#[derive(Clone)]
pub(super) struct Plan {
    /// As it is written, with the server: what is equal to it is the same.
    written: (EmailDestination, Option<model::mail::MailSettings>),
    server: Arc<MailServer>,
    to: Vec<Mailbox>,
    subject: AlertText,
    text: Option<AlertText>,
    patience: Patience,
}

impl PartialEq for Plan {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Plan {
    /// Checks what is written; `server` is that of the settings.
    pub fn compile(
        doc: &EmailDestination,
        server: Option<&Arc<MailServer>>,
        settings: Option<&model::mail::MailSettings>,
    ) -> Result<Self, Diagnostic> {
        if doc.to.is_empty() || doc.to.len() > MOST_ADDRESSES {
            let found = doc.to.len();
            let message = format!("found {found} addresses, expected 1 to {MOST_ADDRESSES}");
            return Err(Diagnostic::error("to", message));
        }
        let to = doc.to.iter().enumerate();
        let to = to.map(|(index, text)| mailbox(text).map_err(|p| p.under(&format!("to[{index}]"))));
        let to = to.collect::<Result<_, _>>()?;
        let subject = AlertText::compile(&doc.subject).map_err(|problem| problem.under("subject"))?;
        let text = doc.text.as_deref().map(AlertText::compile).transpose();
        let text = text.map_err(|problem| problem.under("text"))?;
        if doc.at_most_every.get() > LONGEST_PAUSE {
            let message = format!("found {}, expected at most 24h", doc.at_most_every);
            return Err(Diagnostic::error("atMostEvery", message));
        }
        let patience = Patience::new(doc.retries, doc.retry_after, doc.queue)?;
        let Some(server) = server else {
            let problem = Diagnostic::error("type", "found `email`, but there is no `settings.mail`");
            return Err(problem.help("say there which server e-mails are sent by"));
        };
        let written = (doc.clone(), settings.cloned());
        Ok(Self { written, server: Arc::clone(server), to, subject, text, patience })
    }

    /// Begins to deliver.
    pub fn start(&self, name: &str, counts: Arc<Deliveries>, tasks: &mut JoinSet<()>) -> Queue {
        let (queue, received) = self.patience.queue(Arc::clone(&counts));
        let (plan, name) = (self.clone(), name.to_owned());
        tasks.spawn(async move { plan.run(&name, received, &counts).await });
        queue
    }

    async fn run(&self, name: &str, mut received: mpsc::Receiver<Arc<Alert>>, counts: &Deliveries) {
        let doc = &self.written.0;
        let mut next = Instant::now();
        while let Some(first) = received.recv().await {
            let mut together = vec![first];
            let mut more: usize = 0;
            // At the end nothing waits any more: what has come goes out at once.
            while let Ok(Some(alert)) = timeout_at(next, received.recv()).await {
                if together.len() < MOST_TOGETHER {
                    together.push(alert)
                } else {
                    more += 1
                }
                // Those that come without end do not hold it up.
                if more >= doc.queue.get() as usize {
                    break;
                }
            }
            let count = (together.len() + more) as u64;
            match self.deliver(&together, more).await {
                Ok(()) => counts.sent.fetch_add(count, Relaxed),
                Err(error) => {
                    tracing::warn!(destination = %name, error, alerts = count, "alerts could not be sent by e-mail");
                    counts.failed.fetch_add(count, Relaxed)
                }
            };
            next = Instant::now() + doc.at_most_every.get();
        }
    }

    async fn deliver(&self, alerts: &[Arc<Alert>], more: usize) -> Result<(), String> {
        let Some(first) = alerts.first() else { return Ok(()) };
        let mut subject = self.subject.render(first, Escape::Text);
        let others = alerts.len() - 1 + more;
        if others > 0 {
            let _ = write!(subject, " (and {others} more)");
        }
        let text = self.text(alerts, more);
        let once = || async {
            let sent = self.server.send_to(&self.to, &subject, text.clone()).await;
            sent.map_err(|error| Failed { why: error.why, passing: error.passing })
        };
        self.patience.try_until(once).await
    }

    fn text(&self, alerts: &[Arc<Alert>], more: usize) -> String {
        let mut text = String::new();
        for (place, alert) in alerts.iter().enumerate() {
            if place > 0 {
                text.push_str("\n\n");
            }
            match &self.text {
                Some(own) => text.push_str(&own.render(alert, Escape::None)),
                None => describe(alert, &mut text),
            }
        }
        if more > 0 {
            let _ =
                write!(text, "\n\nand {more} more, which are listed by `gatewright events --type Monitor`");
        }
        text.push('\n');
        text
    }
}

/// Everything that is known of an alert and not empty, a line each.
fn describe(alert: &Alert, text: &mut String) {
    let source = &alert.source;
    let _ = write!(text, "{}\n\n", alert.message);
    let value = format!("{} (threshold {})", alert.value, alert.threshold);
    for (name, value) in [
        ("time", &*alert.date()),
        ("severity", alert.severity.name()),
        ("type", source.kind),
        ("api", &source.api),
        ("version", &source.api_version),
        ("operation", &source.operation),
        ("application", &alert.application),
        ("policy", &source.policy),
        ("rule", &alert.rule),
        (alert.metric, &value),
        ("interval", &alert.interval),
    ] {
        if !value.is_empty() {
            // What somebody calls an application writes no line of its own.
            let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            let _ = writeln!(text, "{name}: {value}");
        }
    }
    text.truncate(text.trim_end().len());
}
