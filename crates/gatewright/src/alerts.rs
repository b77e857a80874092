//! Alerts on their way: from policies into the event store and to destinations, beside traffic and never waited for.
//!
//! How each type of destination delivers is left to a file of its own.

mod email;
mod event;
mod log;
mod patience;
mod webhook;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use engine::{
    Alert, Alerts,
    alert::{AlertCondition, AlertDesk},
};
use model::{ConfigDoc, DestinationDoc, Diagnostic, Diagnostics, destination::Severity};
use tokio::{
    sync::{Notify, mpsc, watch},
    task::{JoinHandle, JoinSet},
    time::timeout,
};

use crate::{collector::Outputs, mail::MailServer};

/// Alerts that wait at most. More at a time tell nobody more.
const QUEUE: usize = 4_096;
/// Alerts taken in one go.
const AT_ONCE: usize = 256;
/// How long a stop waits for what is still to be delivered.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What became of alerts.
#[derive(Debug, Default)]
pub struct Counts {
    pub raised: AtomicU64,
    /// Those that came while the queue was full.
    pub dropped: AtomicU64,
    destinations: Mutex<BTreeMap<String, Arc<Deliveries>>>,
}

/// What became of the alerts for a destination.
#[derive(Debug, Default)]
pub struct Deliveries {
    pub sent: AtomicU64,
    /// Those that the destination did not take, however often it was tried.
    pub failed: AtomicU64,
    /// Those that came while the destination's queue was full.
    pub dropped: AtomicU64,
}

impl Counts {
    fn of(&self, destination: &str) -> Arc<Deliveries> {
        let mut known = self.destinations.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(destination.to_owned()).or_default())
    }

    /// The destinations that something was sent to, by name.
    pub fn by_destination(&self) -> Vec<(String, Arc<Deliveries>)> {
        let known = self.destinations.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|(name, counts)| (name.clone(), Arc::clone(counts))).collect()
    }
}

/// Destinations, checked and ready to be started.
#[derive(Default)]
pub struct Plans {
    list: Vec<Planned>,
    /// What e-mails are sent by, to whomever.
    pub(crate) mail: Option<Arc<MailServer>>,
}

struct Planned {
    name: String,
    /// Which alerts it takes; all without a condition.
    when: Option<Arc<AlertCondition>>,
    plan: Plan,
}

#[derive(Clone, PartialEq)]
enum Plan {
    Log(Option<Severity>),
    Email(Box<email::Plan>),
    Webhook(Box<webhook::Plan>),
}

impl Plans {
    /// Checks what is written for each type. Names are checked where policies are.
    pub fn compile(config: &ConfigDoc) -> Result<Self, Diagnostics> {
        let mut problems = Diagnostics::default();
        let mut plans = Vec::new();
        let mail = config.settings.mail.as_ref();
        let server = mail.map(MailServer::new).transpose().map(|server| server.map(Arc::new));
        let server = server.unwrap_or_else(|problem| {
            problems.push(problem.under("settings.mail"));
            None
        });
        if mail.is_none() && config.settings.manager.password_reset.is_some() {
            let message = "needs a server that e-mails are sent by, and there is no `settings.mail`";
            let problem = Diagnostic::error("settings.manager.passwordReset", message);
            problems.push(problem.help("write `settings.mail` with `url` and `from`"));
        }
        for (index, doc) in config.destinations.iter().enumerate() {
            let plan = match doc {
                DestinationDoc::Log(doc) => Ok(Plan::Log(doc.level)),
                // What is wrong with the server was said once.
                DestinationDoc::Email(_) if mail.is_some() && server.is_none() => continue,
                DestinationDoc::Email(doc) => {
                    email::Plan::compile(doc, server.as_ref(), mail).map(|plan| Plan::Email(Box::new(plan)))
                }
                DestinationDoc::Webhook(doc) => webhook::Plan::compile(doc, &config.resolved_secrets)
                    .map(|plan| Plan::Webhook(Box::new(plan))),
            };
            let at = format!("destinations[{index}]");
            let when = doc.when().map(AlertCondition::compile).transpose();
            let when = when.map_err(|problem| problems.push(problem.under("when").under(&at))).ok();
            match (plan, when) {
                (Ok(plan), Some(when)) => {
                    let (name, when) = (doc.name().to_owned(), when.map(Arc::new));
                    plans.push(Planned { name, when, plan });
                }
                (Err(problem), _) => problems.push(problem.under(&at)),
                (Ok(_), None) => {}
            }
        }
        if problems.has_errors() { Err(problems) } else { Ok(Self { list: plans, mail: server }) }
    }
}

/// Delivers to one destination, without making anybody wait.
trait Delivery: Send + Sync {
    fn take(&self, alert: &Arc<Alert>);
}

impl Plan {
    fn start(&self, name: &str, counts: &Counts, tasks: &mut JoinSet<()>) -> Box<dyn Delivery> {
        match self {
            Self::Log(level) => Box::new(log::Lines { level: *level, counts: counts.of(name) }),
            Self::Email(plan) => Box::new(plan.start(name, counts.of(name), tasks)),
            Self::Webhook(plan) => Box::new(plan.start(name, counts.of(name), tasks)),
        }
    }
}

/// The desk that policies hand their alerts in at, and whoever takes them from there.
pub struct Desk {
    pub counts: Arc<Counts>,
    closing: Arc<Notify>,
    clerk: JoinHandle<()>,
}

struct Door {
    queue: mpsc::Sender<Alert>,
    counts: Arc<Counts>,
}

impl AlertDesk for Door {
    fn raise(&self, alert: Alert) {
        self.counts.raised.fetch_add(1, Relaxed);
        if self.queue.try_send(alert).is_err() {
            self.counts.dropped.fetch_add(1, Relaxed);
        }
    }
}

/// A desk before it is known where alerts go.
pub struct Opening {
    door: Arc<Door>,
    received: mpsc::Receiver<Alert>,
}

impl Opening {
    pub fn new() -> Self {
        let (queue, received) = mpsc::channel(QUEUE);
        Self { door: Arc::new(Door { queue, counts: Arc::default() }), received }
    }

    /// Where policies hand alerts in.
    pub fn alerts(&self) -> Alerts {
        Alerts::to(Arc::clone(&self.door) as Arc<dyn AlertDesk>)
    }

    /// Begins to deliver.
    pub fn open(self, outputs: watch::Receiver<Arc<Outputs>>) -> Desk {
        let closing = Arc::new(Notify::new());
        let counts = Arc::clone(&self.door.counts);
        let clerk = Clerk {
            received: self.received,
            outputs,
            counts: Arc::clone(&counts),
            running: Vec::new(),
            tasks: JoinSet::new(),
        };
        let clerk = tokio::spawn(clerk.run(Arc::clone(&closing)));
        Desk { counts, closing, clerk }
    }
}

impl Desk {
    /// Delivers what has come in, as far as destinations take it in a few seconds.
    pub async fn close(self) {
        self.closing.notify_one();
        let _ = self.clerk.await;
    }
}

/// Takes alerts from the desk, one after the other.
struct Clerk {
    received: mpsc::Receiver<Alert>,
    outputs: watch::Receiver<Arc<Outputs>>,
    counts: Arc<Counts>,
    running: Vec<Running>,
    tasks: JoinSet<()>,
}

struct Running {
    name: String,
    when: Option<Arc<AlertCondition>>,
    plan: Plan,
    delivery: Box<dyn Delivery>,
}

impl Clerk {
    async fn run(mut self, closing: Arc<Notify>) {
        self.take_up();
        let mut taken = Vec::with_capacity(AT_ONCE);
        loop {
            tokio::select! {
                biased;
                changed = self.outputs.changed() => {
                    self.take_up();
                    if changed.is_err() {
                        break;
                    }
                }
                count = self.received.recv_many(&mut taken, AT_ONCE) => {
                    if count == 0 {
                        break;
                    }
                    self.deliver(&mut taken).await;
                }
                // How they ended is counted by those who ran.
                Some(_) = self.tasks.join_next() => {}
                () = closing.notified() => break,
            }
        }
        // The queue was empty when nothing else was to be done; this is for the other ways here.
        while let Ok(alert) = self.received.try_recv() {
            taken.push(alert);
        }
        self.deliver(&mut taken).await;
        // Without anybody who could bring more, each comes to its end.
        self.running.clear();
        let rest = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(LAST_WORDS, rest).await.is_err() {
            tracing::warn!("some alerts could not be delivered before the end");
        }
    }

    /// Starts destinations that are new or were changed. Those before them deliver what they have, and end.
    fn take_up(&mut self) {
        let outputs = Arc::clone(&self.outputs.borrow_and_update());
        let mut before = std::mem::take(&mut self.running);
        for Planned { name, when, plan } in &outputs.destinations.list {
            let known = before.iter().position(|running| running.name == *name && running.plan == *plan);
            self.running.push(match known {
                // What it takes may be another matter now; what waits for it has been taken.
                Some(place) => Running { when: when.clone(), ..before.swap_remove(place) },
                None => Running {
                    name: name.clone(),
                    when: when.clone(),
                    plan: plan.clone(),
                    delivery: plan.start(name, &self.counts, &mut self.tasks),
                },
            });
        }
    }

    async fn deliver(&self, alerts: &mut Vec<Alert>) {
        let outputs = Arc::clone(&self.outputs.borrow());
        let mut events = Vec::with_capacity(alerts.len());
        for alert in alerts.drain(..).map(Arc::new) {
            if alert.destinations.is_empty() {
                log::write(&alert, alert.severity);
            }
            for name in &*alert.destinations {
                match self.running.iter().find(|running| *running.name == **name) {
                    Some(running) if running.when.as_ref().is_none_or(|when| when.holds(&alert)) => {
                        running.delivery.take(&alert);
                    }
                    Some(_) => {}
                    // It was taken out of the configuration while the alert was on its way.
                    None => log::write(&alert, alert.severity),
                }
            }
            events.push(event::of(&alert, &outputs.node));
        }
        if let Some(store) = outputs.store.as_ref().filter(|_| outputs.settings.events.enabled)
            && let Err(error) = store.append(&events).await
        {
            tracing::error!(%error, alerts = events.len(), "alerts could not be stored");
        }
    }
}
