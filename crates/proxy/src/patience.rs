//! Waiting, but not for ever: time limits that cost next to nothing while they are not reached.
//!
//! Every request waits for its upstream, and nearly none of them for long. A timer of the runtime for each would read
//! the clock and sort itself into a wheel; here a request writes down the tick at which it gives up, and one task of
//! the worker, which runs only while somebody waits, looks for those whose tick has come.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use slab::Slab;
use tokio::sync::Notify;

/// Limits are kept this exactly: never early, at most two ticks late.
const TICK: Duration = Duration::from_millis(20);

/// The clock of everything that waits on one worker.
#[derive(Default)]
pub struct Ticker {
    tick: Cell<u64>,
    waiting: RefCell<Slab<Waiting>>,
    somebody: Notify,
}

struct Waiting {
    until: u64,
    waker: Waker,
}

impl std::fmt::Debug for Ticker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ticker({} waiting)", self.waiting.borrow().len())
    }
}

impl Ticker {
    /// Wakes whoever has waited long enough. Ends with its worker.
    pub async fn run(self: Rc<Self>) {
        loop {
            if self.waiting.borrow().is_empty() {
                self.somebody.notified().await;
            }
            tokio::time::sleep(TICK).await;
            let now = self.tick.get() + 1;
            self.tick.set(now);
            for (_, waiting) in self.waiting.borrow().iter() {
                if waiting.until <= now {
                    waiting.waker.wake_by_ref();
                }
            }
        }
    }
}

/// How long somebody is willing to wait.
#[derive(Debug)]
pub struct Patience {
    ticker: Rc<Ticker>,
    limit: Duration,
    key: Option<usize>,
    until: u64,
    running: bool,
}

impl Patience {
    /// `Duration::MAX` waits for ever.
    pub fn new(ticker: &Rc<Ticker>, limit: Duration) -> Self {
        Self { ticker: Rc::clone(ticker), limit, key: None, until: 0, running: false }
    }

    /// Something happened: the next wait begins anew.
    pub fn reset(&mut self) {
        self.running = false;
    }

    /// Ready when the wait has lasted too long. The wait begins with the first call.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.limit == Duration::MAX {
            return Poll::Pending;
        }
        let now = self.ticker.tick.get();
        if self.running && now >= self.until {
            return Poll::Ready(());
        }
        if !self.running {
            self.running = true;
            let ticks = self.limit.as_nanos().div_ceil(TICK.as_nanos());
            // The current tick may be nearly over.
            self.until = now.saturating_add(u64::try_from(ticks).unwrap_or(u64::MAX)).saturating_add(1);
        }
        let mut waiting = self.ticker.waiting.borrow_mut();
        match self.key.and_then(|key| waiting.get_mut(key)) {
            Some(entry) => {
                entry.until = self.until;
                entry.waker.clone_from(cx.waker());
            }
            None => {
                if waiting.is_empty() {
                    self.ticker.somebody.notify_one();
                }
                self.key = Some(waiting.insert(Waiting { until: self.until, waker: cx.waker().clone() }));
            }
        }
        Poll::Pending
    }
}

impl Drop for Patience {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.ticker.waiting.borrow_mut().try_remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::{task::LocalSet, time::Instant};

    use super::*;

    async fn with_ticker(test: impl AsyncFnOnce(Rc<Ticker>)) {
        LocalSet::new()
            .run_until(async {
                let ticker = Rc::new(Ticker::default());
                tokio::task::spawn_local(Rc::clone(&ticker).run());
                test(ticker).await;
            })
            .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_after_its_limit_and_never_before() {
        with_ticker(async |ticker| {
            for millis in [1, 20, 50, 1_000] {
                let start = Instant::now();
                let mut patience = Patience::new(&ticker, Duration::from_millis(millis));
                poll_fn(|cx| patience.poll(cx)).await;
                let took = start.elapsed().as_millis();
                assert!((u128::from(millis)..=u128::from(millis) + 40).contains(&took), "{millis} {took}");
            }
            assert!(ticker.waiting.borrow().is_empty(), "nobody is left behind");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_happens_meanwhile_starts_the_wait_anew() {
        with_ticker(async |ticker| {
            let start = Instant::now();
            let mut patience = Patience::new(&ticker, Duration::from_millis(100));
            for _ in 0..3 {
                let polled =
                    tokio::time::timeout(Duration::from_millis(80), poll_fn(|cx| patience.poll(cx))).await;
                assert!(polled.is_err());
                patience.reset();
            }
            poll_fn(|cx| patience.poll(cx)).await;
            assert!(start.elapsed() >= Duration::from_millis(340));
        })
        .await;
    }
}
