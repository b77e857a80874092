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
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn reset(&self) {
        self.0.store(0, Relaxed);
    }
}

/// What happened to a request that asked for its share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
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
pub(crate) enum Quota {
    /// Word: number of the window, count (`bits` bits).
    Fixed { limit: u64, window: Window, bits: u32 },
    /// Word: number of the window (20 bits), count of the previous one (22 bits), count of this one (22 bits).
    Sliding { limit: u64, window: u64 },
    /// Word: when the bucket will be full again, in nanoseconds since 1970 (GCRA).
    Bucket { interval: u64, burst: u64 },
}

/// A calendar window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Window {
    /// So many nanoseconds; whole weeks begin with Monday.
    Every(u64),
    /// So many months, counted from January.
    Months(u64),
}

/// Bits of a count of requests, and of one of bytes, which leaves a number of the window that comes again after two
/// years of minutes.
const REQUEST_BITS: u32 = 32;
const BYTE_BITS: u32 = 44;
/// Most bytes that a window can count, 16 TiB.
pub(crate) const MOST_BYTES: u64 = (1 << BYTE_BITS) - 1;

pub(crate) const SECOND: u64 = 1_000_000_000;
pub(crate) const WEEK: u64 = 7 * 86_400 * SECOND;
/// 1970 began on a Thursday; weeks begin on Monday.
const FIRST_MONDAY: u64 = 4 * 86_400 * SECOND;
const COUNT_BITS: u32 = 22;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;
const NUMBER_MASK: u64 = (1 << 20) - 1;

impl Quota {
    pub(crate) fn new(
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
            RateLimitAlgorithm::FixedWindow => Ok(Self::requests(limit, Window::Every(nanos))),
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

    /// So many requests in a calendar window.
    pub(crate) fn requests(limit: NonZeroU32, window: Window) -> Self {
        Self::Fixed { limit: u64::from(limit.get()), window, bits: REQUEST_BITS }
    }

    /// So many bytes in a calendar window, at most [`MOST_BYTES`].
    pub(crate) const fn bytes(limit: u64, window: Window) -> Self {
        Self::Fixed { limit, window, bits: BYTE_BITS }
    }

    /// Changes when counts kept so far mean something else.
    pub(crate) const fn shape(&self) -> u64 {
        match self {
            Self::Fixed { window: Window::Every(nanos), bits, .. } => *nanos ^ 1 << 62 ^ (*bits as u64) << 56,
            Self::Fixed { window: Window::Months(months), bits, .. } => {
                *months ^ 5 << 59 ^ (*bits as u64) << 40
            }
            Self::Sliding { window, .. } => *window ^ 2 << 62,
            Self::Bucket { .. } => 3 << 62,
        }
    }

    /// Takes one request's share, if there is one; only looks when `dry`.
    pub(crate) fn take(&self, counter: &Counter, now: Timestamp, dry: bool) -> Taken {
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

    /// Adds what is known only afterwards, also beyond the limit. For calendar windows; nothing else counts amounts.
    pub(crate) fn add(&self, counter: &Counter, now: Timestamp, amount: u64) {
        let Self::Fixed { window, bits, .. } = *self else { return };
        let most = (1 << bits) - 1;
        let number = window.at(now.0).0 & (u64::MAX >> bits);
        let more = |word: u64| {
            let count = if word >> bits == number { word & most } else { 0 };
            Some(number << bits | count.saturating_add(amount).min(most))
        };
        // It always has an answer.
        let _ = counter.0.fetch_update(Relaxed, Relaxed, more);
    }

    fn step(&self, word: u64, now: u64) -> (Taken, u64) {
        match *self {
            Self::Fixed { limit, window, bits } => {
                let (number, left) = window.at(now);
                let number = number & (u64::MAX >> bits);
                let count = if word >> bits == number { word & ((1 << bits) - 1) } else { 0 };
                let allowed = count < limit;
                let used = count + u64::from(allowed);
                let seconds = left.div_ceil(SECOND);
                let taken = Taken {
                    allowed,
                    remaining: limit.saturating_sub(used),
                    reset_seconds: seconds,
                    retry_seconds: seconds,
                };
                (taken, number << bits | used)
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

    /// Number of the window, from 1 on; of those that slide, of the one that they begin in. Buckets have none.
    pub(crate) fn window(&self, now: Timestamp) -> u64 {
        match *self {
            Self::Fixed { window, .. } => window.at(now.0).0 + 1,
            Self::Sliding { window, .. } => window_at(now.0, window).0 + 1,
            Self::Bucket { .. } => 1,
        }
    }

    /// Nothing is remembered about this caller that still matters.
    pub(crate) fn is_idle(&self, counter: &Counter, now: Timestamp) -> bool {
        let word = counter.0.load(Relaxed);
        match *self {
            Self::Fixed { window, bits, .. } => word >> bits != window.at(now.0).0 & (u64::MAX >> bits),
            Self::Sliding { window, .. } => {
                let number = window_at(now.0, window).0;
                let known = word >> (2 * COUNT_BITS);
                known != number & NUMBER_MASK && known != number.wrapping_sub(1) & NUMBER_MASK
            }
            Self::Bucket { .. } => word <= now.0,
        }
    }
}

impl Window {
    /// Number of the window, and nanoseconds until it ends.
    pub(crate) fn at(self, now: u64) -> (u64, u64) {
        let months = match self {
            Self::Every(nanos) => return window_at(now, nanos),
            Self::Months(months) => months.max(1),
        };
        let number = month_of(now / DAY) / months;
        let ends = first_day((number + 1) * months) * DAY;
        (number, ends.saturating_sub(now))
    }
}

const DAY: u64 = 86_400 * SECOND;

/// Days since 1970 before the first day of a month, which is counted from January 1970.
fn first_day(month: u64) -> u64 {
    const BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let (year, month) = (1970 + month / 12, month % 12);
    // Leap days of the years before, and of this one once February is over.
    let leaps = |year: u64| year / 4 - year / 100 + year / 400;
    let until = if month >= 2 { year } else { year - 1 };
    (year - 1970) * 365 + leaps(until) - leaps(1969) + BEFORE[month as usize]
}

/// The month that a day is in, counted from January 1970.
fn month_of(day: u64) -> u64 {
    // A month is never longer than 31 days, so that this is at most too small.
    let mut month = day / 31;
    while first_day(month + 1) <= day {
        month += 1;
    }
    month
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
    fn months_are_as_long_as_they_are() {
        // Days since 1970, of each date and of the first day of the next month.
        for (date, day, month, ends) in [
            ("1970-01-01", 0, 0, 31),
            ("2024-02-29", 19_782, 54 * 12 + 1, 19_783),
            ("2026-02-28", 20_512, 56 * 12 + 1, 20_513),
            ("2026-12-31", 20_818, 56 * 12 + 11, 20_819),
            ("2100-02-28", 47_540, 130 * 12 + 1, 47_541),
        ] {
            assert_eq!(Window::Months(1).at(day * DAY + 1), (month, (ends - day) * DAY - 1), "{date}");
            assert_eq!(Window::Months(12).at(day * DAY).0, month / 12, "{date}");
        }
    }

    #[test]
    fn amounts_are_added_afterwards() {
        let quota = Quota::bytes(1_000, Window::Every(60 * SECOND));
        let counter = Counter::default();
        let look = |ms| quota.take(&counter, at(ms), true);
        quota.add(&counter, at(1_000), 999);
        assert_eq!((look(1_000).allowed, look(1_000).remaining), (true, 0));
        quota.add(&counter, at(2_000), u64::MAX);
        assert_eq!((look(3_000).allowed, look(3_000).retry_seconds), (false, 57));
        assert!(
            look(60_000).allowed
                && !quota.is_idle(&counter, at(3_000))
                && quota.is_idle(&counter, at(60_000))
        );
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
