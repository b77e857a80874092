//! What destinations elsewhere have in common: alerts wait in a queue, and are tried again when the other side is away.

use std::{
    num::NonZeroU32,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use engine::Alert;
use model::Diagnostic;
use tokio::{sync::mpsc, time::sleep};

use super::{Deliveries, Delivery};

const MOST_RETRIES: u32 = 20;
const LONGEST_WAIT: Duration = Duration::from_secs(60);
const LONGEST_QUEUE: u32 = 100_000;

/// How often and how soon something is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Patience {
    retries: u32,
    retry_after: Duration,
    /// Alerts that wait at most.
    queue: u32,
}

/// Why something was not delivered.
pub(super) struct Failed {
    pub why: String,
    /// It may go well later.
    pub passing: bool,
}

impl Patience {
    /// Checks what a destination says of it.
    pub fn new(retries: u32, retry_after: model::Duration, queue: NonZeroU32) -> Result<Self, Diagnostic> {
        let limit = |path, found: String, expected: &str| {
            Diagnostic::error(path, format!("found {found}, expected {expected}"))
        };
        if retries > MOST_RETRIES {
            return Err(limit("retries", retries.to_string(), "at most 20"));
        }
        if retry_after.get().is_zero() || retry_after.get() > LONGEST_WAIT {
            return Err(limit("retryAfter", retry_after.to_string(), "1ms to 1m"));
        }
        if queue.get() > LONGEST_QUEUE {
            return Err(limit("queue", queue.to_string(), "at most 100000"));
        }
        Ok(Self { retries, retry_after: retry_after.get(), queue: queue.get() })
    }

    /// A queue, and where its alerts are taken from.
    pub fn queue(&self, counts: Arc<Deliveries>) -> (Queue, mpsc::Receiver<Arc<Alert>>) {
        let (sender, received) = mpsc::channel(self.queue as usize);
        (Queue { sender, counts }, received)
    }

    /// Tries until it goes well, or there is no use in it.
    pub async fn try_until<F: Future<Output = Result<(), Failed>>>(
        &self,
        mut once: impl FnMut() -> F,
    ) -> Result<(), String> {
        let mut wait = self.retry_after;
        let mut left = self.retries;
        loop {
            match once().await {
                Ok(()) => return Ok(()),
                Err(failed) if left == 0 || !failed.passing => return Err(failed.why),
                Err(_) => left -= 1,
            }
            sleep(wait).await;
            wait = wait.saturating_mul(2).min(LONGEST_WAIT);
        }
    }
}

/// Alerts that wait for a destination.
pub(super) struct Queue {
    sender: mpsc::Sender<Arc<Alert>>,
    counts: Arc<Deliveries>,
}

impl Delivery for Queue {
    fn take(&self, alert: &Arc<Alert>) {
        if self.sender.try_send(Arc::clone(alert)).is_err() {
            self.counts.dropped.fetch_add(1, Relaxed);
        }
    }
}
