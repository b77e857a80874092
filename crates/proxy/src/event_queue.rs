//! Finished requests on their way from workers to whoever collects them. Counted by request, not by batch; what does not
//! fit is counted and dropped, and nobody waits.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use engine::journal::Batch;
use tokio::sync::mpsc;

/// Makes a queue for so many finished requests. `dropped` counts those that did not fit.
pub fn event_queue(most: u32, dropped: Arc<AtomicU64>) -> (EventSender, EventReceiver) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::<AtomicU64>::default();
    let most = u64::from(most);
    (
        EventSender { batches: sender, waiting: Arc::clone(&waiting), dropped, most },
        EventReceiver { batches: receiver, waiting },
    )
}

/// Where workers put finished requests.
#[derive(Debug)]
pub struct EventSender {
    /// Not bounded itself: what is in it is counted, and a batch is never empty.
    batches: mpsc::UnboundedSender<Batch>,
    waiting: Arc<AtomicU64>,
    dropped: Arc<AtomicU64>,
    most: u64,
}

impl EventSender {
    /// How many may be handed over together.
    pub fn most(&self) -> usize {
        usize::try_from(self.most).unwrap_or(usize::MAX)
    }

    /// Hands over a batch, all of it or nothing. Costs two atomic operations for a batch of hundreds.
    pub fn send(&self, batch: Batch) {
        let count = batch.len() as u64;
        if count == 0 {
            return;
        }
        let before = self.waiting.fetch_add(count, Relaxed);
        if before + count > self.most || self.batches.send(batch).is_err() {
            self.waiting.fetch_sub(count, Relaxed);
            self.dropped.fetch_add(count, Relaxed);
        }
    }
}

/// Where finished requests come out.
#[derive(Debug)]
pub struct EventReceiver {
    batches: mpsc::UnboundedReceiver<Batch>,
    waiting: Arc<AtomicU64>,
}

impl EventReceiver {
    /// Takes up to so many batches; 0 when nobody is left who could send one.
    pub async fn recv_many(&mut self, into: &mut Vec<Batch>, most: usize) -> usize {
        let taken = self.batches.recv_many(into, most).await;
        let events: usize = into.iter().rev().take(taken).map(Batch::len).sum();
        self.waiting.fetch_sub(events as u64, Relaxed);
        taken
    }

    /// The next batch, if there is one.
    pub fn try_recv(&mut self) -> Option<Batch> {
        let batch = self.batches.try_recv().ok()?;
        self.waiting.fetch_sub(batch.len() as u64, Relaxed);
        Some(batch)
    }
}
