//! Counting against a quota: one atomic word for each caller, whatever the algorithm, so that the limit holds exactly
//! over all workers without a lock.

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use engine::Timestamp;
use model::Diagnostic;

use super::RateLimitAlgorithm;

/// State of one caller; what the word means is up to the quota.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn reset(&self) {
        self.0.store(0, Relaxed);
    }
}

/// What happened to a request that asked for its share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    pub allowed: bool,
    /// Requests left right now.
    pub remaining: u64,
    /// Seconds until the quota is whole again.
    pub reset_seconds: u64,
    /// Seconds until the next request is allowed; for refusals.
    pub retry_seconds: u64,
}

/// A limit, in the units of its algorithm.
#[derive(Debug, Clone, Copy)]
pub(super) enum Quota {
    /// Word: number of the window (32 bits), count (32 bits).
    Fixed { limit: u64, window: u64 },
    /// Word: number of the window (20 bits), count of the previous one (22 bits), count of this one (22 bits).
    Sliding { limit: u64, window: u64 },
    /// Word: when the bucket will be full again, in nanoseconds since 1970 (GCRA).
    Bucket { interval: u64, burst: u64 },
}

const SECOND: u64 = 1_000_000_000;
const WEEK: u64 = 7 * 86_400 * SECOND;
/// 1970 began on a Thursday; weeks begin on Monday.
const FIRST_MONDAY: u64 = 4 * 86_400 * SECOND;
const COUNT_BITS: u32 = 22;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;
const NUMBER_MASK: u64 = (1 << 20) - 1;

impl Quota {
    pub(super) fn new(
        algorithm: RateLimitAlgorithm,
        limit: NonZeroU32,
        window: model::Duration,
        burst: Option<NonZeroU32>,
    ) -> Result<Self, Diagnostic> {
        let nanos = u64::try_from(window.get().as_nanos()).unwrap_or(u64::MAX);
        let longest = 366 * 86_400 * SECOND;
        if nanos == 0 || nanos > longest {
            return Err(Diagnostic::error("window", format!("found {window}, expected 1ms to 366d")));
        }
        if burst.is_some() && algorithm != RateLimitAlgorithm::TokenBucket {
            return Err(Diagnostic::error("burst", "has no effect without `algorithm: tokenBucket`"));
        }
        let count = u64::from(limit.get());
        match algorithm {
            RateLimitAlgorithm::FixedWindow => Ok(Self::Fixed { limit: count, window: nanos }),
            RateLimitAlgorithm::SlidingWindow if count > COUNT_MASK => Err(Diagnostic::error(
                "limit",
                format!("found {count}, expected at most {COUNT_MASK} with `algorithm: slidingWindow`"),
            )),
            RateLimitAlgorithm::SlidingWindow => Ok(Self::Sliding { limit: count, window: nanos }),
            RateLimitAlgorithm::TokenBucket => {
                let interval = nanos / count;
                if interval == 0 {
                    return Err(Diagnostic::error("limit", "is more than one request for each nanosecond"));
                }
                Ok(Self::Bucket { interval, burst: u64::from(burst.unwrap_or(limit).get()) })
            }
        }
    }

    /// Changes when counts kept so far mean something else.
    pub(super) const fn shape(&self) -> u64 {
        match self {
            Self::Fixed { window, .. } => *window ^ 1 << 62,
            Self::Sliding { window, .. } => *window ^ 2 << 62,
            Self::Bucket { .. } => 3 << 62,
        }
    }

    /// Takes one request's share, if there is one; only looks when `dry`.
    pub(super) fn take(&self, counter: &Counter, now: Timestamp, dry: bool) -> Taken {
        let mut word = counter.0.load(Relaxed);
        loop {
            let (taken, next) = self.step(word, now.0);
            if !taken.allowed || dry {
                return taken;
            }
            match counter.0.compare_exchange_weak(word, next, Relaxed, Relaxed) {
                Ok(_) => return taken,
                Err(current) => word = current,
            }
        }
    }

    fn step(&self, word: u64, now: u64) -> (Taken, u64) {
        match *self {
            Self::Fixed { limit, window } => {
                let (number, left) = window_at(now, window);
                let number = number & u64::from(u32::MAX);
                let count = if word >> 32 == number { word & u64::from(u32::MAX) } else { 0 };
                let allowed = count < limit;
                let used = count + u64::from(allowed);
                let seconds = left.div_ceil(SECOND);
                let taken = Taken {
                    allowed,
                    remaining: limit - used,
                    reset_seconds: seconds,
                    retry_seconds: seconds,
                };
                (taken, number << 32 | used)
            }
            Self::Sliding { limit, window } => {
                let (number, left) = window_at(now, window);
                let number = number & NUMBER_MASK;
                let (previous, current) = match word >> (2 * COUNT_BITS) {
                    known if known == number => (word >> COUNT_BITS & COUNT_MASK, word & COUNT_MASK),
                    known if (known + 1) & NUMBER_MASK == number => (word & COUNT_MASK, 0),
                    _ => (0, 0),
                };
                // The part of the previous window that is still inside the last `window` nanoseconds.
                let weighted = share(previous, left, window);
                let allowed = weighted + current < limit;
                let current = current + u64::from(allowed);
                let taken = Taken {
                    allowed,
                    remaining: limit.saturating_sub(weighted + current),
                    reset_seconds: (left + window).div_ceil(SECOND),
                    retry_seconds: sliding_wait(limit, previous, current, left, window)
                        .div_ceil(SECOND)
                        .max(1),
                };
                (taken, number << (2 * COUNT_BITS) | previous << COUNT_BITS | current)
            }
            Self::Bucket { interval, burst } => {
                let full_at = word.max(now);
                let next = full_at.saturating_add(interval);
                let capacity = interval.saturating_mul(burst);
                let ahead = next - now;
                let allowed = ahead <= capacity;
                let used = if allowed { ahead } else { full_at - now };
                let taken = Taken {
                    allowed,
                    remaining: capacity.saturating_sub(used) / interval,
                    reset_seconds: used.div_ceil(SECOND),
                    retry_seconds: ahead.saturating_sub(capacity).div_ceil(SECOND).max(1),
                };
                (taken, next)
            }
        }
    }

    /// Nothing is remembered about this caller that still matters.
    pub(super) fn is_idle(&self, counter: &Counter, now: Timestamp) -> bool {
        let word = counter.0.load(Relaxed);
        match *self {
            Self::Fixed { window, .. } => word >> 32 != window_at(now.0, window).0 & u64::from(u32::MAX),
            Self::Sliding { window, .. } => {
                let number = window_at(now.0, window).0;
                let known = word >> (2 * COUNT_BITS);
                known != number & NUMBER_MASK && known != number.wrapping_sub(1) & NUMBER_MASK
            }
            Self::Bucket { .. } => word <= now.0,
        }
    }
}

/// Number of the calendar window, and nanoseconds until it ends.
fn window_at(now: u64, window: u64) -> (u64, u64) {
    let now = if window.is_multiple_of(WEEK) { now.saturating_sub(FIRST_MONDAY) } else { now };
    (now / window, window - now % window)
}

fn share(count: u64, part: u64, whole: u64) -> u64 {
    u64::try_from(u128::from(count) * u128::from(part) / u128::from(whole)).unwrap_or(count)
}

/// Nanoseconds until one more request fits.
fn sliding_wait(limit: u64, previous: u64, current: u64, left: u64, window: u64) -> u64 {
    // The weight of `count` falls below `room` when less than this part of the window is left.
    let left_when =
        |count: u64, room: u64| if count == 0 { window } else { share(window, room, count).min(window) };
    if current < limit {
        left.saturating_sub(left_when(previous, limit - current))
    } else {
        left + (window - left_when(current, limit))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn quota(algorithm: RateLimitAlgorithm, limit: u32, window: &str) -> Quota {
        Quota::new(algorithm, NonZeroU32::new(limit).unwrap(), window.parse().unwrap(), None).unwrap()
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_fixed_window_starts_with_the_calendar() {
        let quota = quota(RateLimitAlgorithm::FixedWindow, 2, "1m");
        let counter = Counter::default();
        let allowed = |ms| quota.take(&counter, at(ms), false).allowed;
        assert_eq!([allowed(59_000), allowed(59_100), allowed(59_900)], [true, true, false]);
        assert_eq!(quota.take(&counter, at(59_900), false).retry_seconds, 1);
        assert!(allowed(60_000), "the next minute is a new window");
        let week = self::quota(RateLimitAlgorithm::FixedWindow, 1, "1w");
        let monday = FIRST_MONDAY / 1_000_000;
        let counter = Counter::default();
        assert!(week.take(&counter, at(monday + 1), false).allowed);
        assert!(!week.take(&counter, at(monday + 6 * 86_400_000), false).allowed);
        assert!(week.take(&counter, at(monday + 7 * 86_400_000), false).allowed);
    }

    #[test]
    fn a_sliding_window_forgets_gradually() {
        let quota = quota(RateLimitAlgorithm::SlidingWindow, 10, "10s");
        let counter = Counter::default();
        for _ in 0..10 {
            assert!(quota.take(&counter, at(9_000), false).allowed);
        }
        assert!(!quota.take(&counter, at(10_000), false).allowed, "a new window does not forget the old one");
        let half = quota.take(&counter, at(15_000), false);
        assert_eq!((half.allowed, half.remaining), (true, 4));
        for _ in 0..4 {
            assert!(quota.take(&counter, at(15_000), false).allowed);
        }
        let refused = quota.take(&counter, at(15_000), false);
        assert_eq!((refused.allowed, refused.retry_seconds), (false, 1));
        assert!(quota.take(&counter, at(16_001), false).allowed);
    }

    #[test]
    fn a_bucket_allows_a_burst_and_refills_evenly() {
        let quota = quota(RateLimitAlgorithm::TokenBucket, 5, "5s");
        let counter = Counter::default();
        let start = 1_000_000;
        for left in (0..5).rev() {
            assert_eq!(quota.take(&counter, at(start), false).remaining, left);
        }
        assert!(!quota.take(&counter, at(start + 999), false).allowed);
        assert!(quota.take(&counter, at(start + 1_000), false).allowed);
        assert!(!quota.take(&counter, at(start + 1_000), false).allowed);
    }

    #[test]
    fn looking_does_not_count() {
        for algorithm in [
            RateLimitAlgorithm::FixedWindow,
            RateLimitAlgorithm::SlidingWindow,
            RateLimitAlgorithm::TokenBucket,
        ] {
            let quota = quota(algorithm, 1, "1h");
            let counter = Counter::default();
            assert!((0..3).all(|_| quota.take(&counter, at(1_000), true).allowed));
            assert!(quota.take(&counter, at(1_000), false).allowed);
            assert!(!quota.take(&counter, at(1_000), true).allowed);
            assert!(!quota.is_idle(&counter, at(1_000)));
            assert!(quota.is_idle(&counter, at(8_000_000)));
        }
    }

    #[test]
    fn workers_together_never_allow_more_than_the_limit() {
        for algorithm in [
            RateLimitAlgorithm::FixedWindow,
            RateLimitAlgorithm::SlidingWindow,
            RateLimitAlgorithm::TokenBucket,
        ] {
            let quota = quota(algorithm, 1_000, "1h");
            let counter = Arc::new(Counter::default());
            let workers: Vec<_> = (0..4)
                .map(|_| {
                    let counter = Arc::clone(&counter);
                    std::thread::spawn(move || {
                        (0..1_000).filter(|_| quota.take(&counter, at(1_000), false).allowed).count()
                    })
                })
                .collect();
            let allowed: usize = workers.into_iter().map(|w| w.join().unwrap()).sum();
            assert_eq!(allowed, 1_000);
        }
    }

    #[test]
    fn limits_that_cannot_be_kept_are_refused() {
        let new = |algorithm, limit, window: &str, burst: Option<u32>| {
            Quota::new(
                algorithm,
                NonZeroU32::new(limit).unwrap(),
                window.parse().unwrap(),
                burst.and_then(NonZeroU32::new),
            )
            .map_err(|d| d.path)
            .map(|_| ())
        };
        assert_eq!(new(RateLimitAlgorithm::FixedWindow, 1, "0s", None), Err("window".into()));
        assert_eq!(new(RateLimitAlgorithm::FixedWindow, 1, "1s", Some(2)), Err("burst".into()));
        assert_eq!(new(RateLimitAlgorithm::SlidingWindow, 5_000_000, "1s", None), Err("limit".into()));
        assert_eq!(new(RateLimitAlgorithm::TokenBucket, 5_000_000, "1ms", None), Err("limit".into()));
    }
}
