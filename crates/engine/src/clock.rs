//! Time, as the engine sees it: injected, so that tests move it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::sync::Notify;

/// Nanoseconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000_000)
    }

    pub const fn millis(self) -> u64 {
        self.0 / 1_000_000
    }

    pub const fn seconds(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// Time passed since `earlier`; zero when the clock was set back meanwhile.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    pub const fn plus(self, duration: Duration) -> Self {
        let nanos = duration.as_nanos();
        let nanos = if nanos > u64::MAX as u128 { u64::MAX } else { nanos as u64 };
        Self(self.0.saturating_add(nanos))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(timestamp: Timestamp) -> Self {
        UNIX_EPOCH + Duration::from_nanos(timestamp.0)
    }
}

/// The wall clock, or one that a test moves by hand.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<Manual>>);

/// A clock that somebody moves.
#[derive(Debug)]
struct Manual {
    nanos: AtomicU64,
    moved: Notify,
}

impl Clock {
    pub const fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still at `start` until it is advanced.
    pub fn manual(start: Timestamp) -> Self {
        Self(Some(Arc::new(Manual { nanos: AtomicU64::new(start.0), moved: Notify::new() })))
    }

    pub fn now(&self) -> Timestamp {
        match &self.0 {
            None => {
                let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp(u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX))
            }
            Some(manual) => manual.now(),
        }
    }

    /// Waits for something until so much time has passed by this clock; `None` when it has not come by then.
    pub async fn within<T>(&self, limit: Duration, future: impl Future<Output = T>) -> Option<T> {
        let Some(manual) = &self.0 else { return tokio::time::timeout(limit, future).await.ok() };
        let until = manual.now().plus(limit);
        tokio::select! {
            biased;
            value = future => Some(value),
            () = manual.reach(until) => None,
        }
    }

    /// Moves a manual clock on; the system clock cannot be moved.
    pub fn advance(&self, by: Duration) {
        if let Some(manual) = &self.0 {
            manual.nanos.fetch_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX), Ordering::AcqRel);
            manual.moved.notify_waiters();
        }
    }

    /// Sets a manual clock, also back; the system clock cannot be set.
    pub fn set(&self, to: Timestamp) {
        if let Some(manual) = &self.0 {
            manual.nanos.store(to.0, Ordering::Release);
            manual.moved.notify_waiters();
        }
    }
}

impl Manual {
    fn now(&self) -> Timestamp {
        Timestamp(self.nanos.load(Ordering::Acquire))
    }

    /// Waits until somebody has moved the clock so far.
    async fn reach(&self, until: Timestamp) {
        loop {
            // Made before the clock is looked at: whoever moves it after that wakes this.
            let moved = self.moved.notified();
            if self.now() >= until {
                return;
            }
            moved.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, ready},
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use super::*;

    #[test]
    fn a_wait_by_a_manual_clock_ends_when_the_clock_gets_there_and_not_before() {
        const LIMIT: Duration = Duration::from_millis(100);
        let clock = Clock::manual(Timestamp::from_millis(1_000));
        let mut cx = Context::from_waker(Waker::noop());
        let mut waiting = pin!(clock.within(LIMIT, pending::<()>()));
        assert_eq!(waiting.as_mut().poll(&mut cx), Poll::Pending);
        clock.advance(LIMIT - Duration::from_nanos(1));
        assert_eq!(waiting.as_mut().poll(&mut cx), Poll::Pending);
        clock.advance(Duration::from_nanos(1));
        assert_eq!(waiting.as_mut().poll(&mut cx), Poll::Ready(None));
        // What has come by then counts.
        let mut over = pin!(clock.within(Duration::ZERO, ready(7)));
        assert_eq!(over.as_mut().poll(&mut cx), Poll::Ready(Some(7)));
    }
}
