//! Counting over an interval: each worker in a lane of its own, without a lock and without losing a request.
//!
//! Lanes only ever grow. The end of an interval takes the difference to what was there at its beginning, so that a
//! request that is counted at that very moment belongs to one of the two, and never to none or both.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{
        AtomicBool, AtomicU64, AtomicUsize,
        Ordering::{AcqRel, Acquire, Relaxed, Release},
    },
};

use engine::Timestamp;

use super::interval::Span;

/// A request that has ended.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub ended: Timestamp,
    pub took_us: u64,
    pub outcome: Outcome,
    /// Whether the native service was there, if that is known.
    pub up: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Success,
    Fault,
    /// The client left.
    Abandoned,
}

/// Numbers of requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub requests: u64,
    pub successes: u64,
    pub faults: u64,
}

impl Counts {
    pub fn of(outcome: Outcome) -> Self {
        Self {
            requests: 1,
            successes: u64::from(outcome == Outcome::Success),
            faults: u64::from(outcome == Outcome::Fault),
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(before.requests),
            successes: self.successes.saturating_sub(before.successes),
            faults: self.faults.saturating_sub(before.faults),
        }
    }
}

/// What an interval came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    pub ended: Timestamp,
    pub counts: Counts,
    /// Percent of the interval that the native service was there.
    pub availability: f64,
    /// `None` where there was no request.
    pub average_ms: Option<f64>,
    pub minimum_ms: Option<f64>,
    pub maximum_ms: Option<f64>,
}

/// Counts one API, one operation or one application.
pub struct Meter {
    lanes: Box<[Lane]>,
    /// Since the beginning of the interval, over all workers; written only where a rule wants to know at once.
    now: [AtomicU64; 3],
    /// What the lanes came to when the interval began.
    before: [AtomicU64; 3],
    /// When the native service went away, nanoseconds since 1970; 0 while it is there.
    down_since: AtomicU64,
    down_nanos: AtomicU64,
    /// End of the interval.
    ends: AtomicU64,
    /// It was alerted of in this interval.
    pub alerted: AtomicBool,
    /// Locked once for each interval.
    interval: Mutex<Interval>,
}

struct Interval {
    start: Timestamp,
    /// What the times of the lanes came to when it began.
    time_us: u64,
}

/// One worker's part. On a cache line of its own.
#[repr(align(128))]
struct Lane {
    requests: AtomicU64,
    successes: AtomicU64,
    faults: AtomicU64,
    time_us: AtomicU64,
    minimum_us: AtomicU64,
    maximum_us: AtomicU64,
}

impl Default for Lane {
    fn default() -> Self {
        Self {
            requests: AtomicU64::new(0),
            successes: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            time_us: AtomicU64::new(0),
            minimum_us: AtomicU64::new(u64::MAX),
            maximum_us: AtomicU64::new(0),
        }
    }
}

/// The calling thread's number. Should two threads meet in a lane, they count no less.
fn lane() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static LANE: usize = NEXT.fetch_add(1, Relaxed);
    }
    LANE.with(|lane| *lane)
}

impl Meter {
    /// A meter whose intervals go back to `first`.
    pub fn new(workers: usize, span: Span, first: Timestamp, now: Timestamp) -> Self {
        let (start, end) = span.around(first, now);
        Self {
            lanes: (0..workers.max(1)).map(|_| Lane::default()).collect(),
            now: Default::default(),
            before: Default::default(),
            down_since: AtomicU64::new(0),
            down_nanos: AtomicU64::new(0),
            ends: AtomicU64::new(end.0),
            alerted: AtomicBool::new(false),
            interval: Mutex::new(Interval { start, time_us: 0 }),
        }
    }

    /// Counts a request. The end of an interval before it has to have been looked at.
    pub fn count(&self, sample: &Sample) {
        let lane = &self.lanes[lane() % self.lanes.len()];
        lane.requests.fetch_add(1, Relaxed);
        match sample.outcome {
            Outcome::Success => lane.successes.fetch_add(1, Relaxed),
            Outcome::Fault => lane.faults.fetch_add(1, Relaxed),
            Outcome::Abandoned => 0,
        };
        lane.time_us.fetch_add(sample.took_us, Relaxed);
        lane.minimum_us.fetch_min(sample.took_us, Relaxed);
        lane.maximum_us.fetch_max(sample.took_us, Relaxed);
        match sample.up {
            // Looked at before it is written: as long as nothing changes, no core writes.
            Some(true) if self.down_since.load(Relaxed) != 0 => {
                let since = self.down_since.swap(0, AcqRel);
                if since != 0 {
                    self.down_nanos.fetch_add(sample.ended.0.saturating_sub(since), Relaxed);
                }
            }
            Some(false) if self.down_since.load(Relaxed) == 0 => {
                // Another worker may just have said so; the first one is right.
                let _ = self.down_since.compare_exchange(0, sample.ended.0.max(1), AcqRel, Relaxed);
            }
            _ => {}
        }
    }

    /// The same over all workers at once: what was counted in this interval, this request included. No two requests
    /// see the same number of what both of them changed.
    pub fn count_now(&self, changed: &Counts) -> Counts {
        let add = |place: usize, by: u64| match by {
            0 => self.now[place].load(Relaxed),
            by => self.now[place].fetch_add(by, Relaxed) + by,
        };
        Counts {
            requests: add(0, changed.requests),
            successes: add(1, changed.successes),
            faults: add(2, changed.faults),
        }
    }

    /// What an interval came to, when it is over; it is told once.
    pub fn turn(&self, span: Span, first: Timestamp, now: Timestamp) -> Option<Measured> {
        if now.0 < self.ends.load(Acquire) {
            return None;
        }
        let mut interval = self.lock();
        let ended = Timestamp(self.ends.load(Acquire));
        if now < ended {
            return None;
        }
        let (totals, time_us) = (self.totals(), self.sum(|lane| &lane.time_us));
        let (mut minimum, mut maximum) = (u64::MAX, 0);
        for lane in &self.lanes {
            minimum = minimum.min(lane.minimum_us.swap(u64::MAX, Relaxed));
            maximum = maximum.max(lane.maximum_us.swap(0, Relaxed));
        }
        let counts = totals.since(self.before());
        let took_us = time_us.saturating_sub(interval.time_us);
        let any = |us: u64| (counts.requests > 0 && minimum != u64::MAX).then_some(us as f64 / 1_000.0);
        let measured = Measured {
            ended,
            counts,
            availability: self.availability(interval.start, ended),
            average_ms: (counts.requests > 0).then(|| took_us as f64 / 1_000.0 / counts.requests as f64),
            minimum_ms: any(minimum),
            maximum_ms: any(maximum),
        };
        let (start, end) = span.around(first, now);
        *interval = Interval { start, time_us };
        for (before, total) in self.before.iter().zip([totals.requests, totals.successes, totals.faults]) {
            before.store(total, Relaxed);
        }
        for counter in &self.now {
            counter.store(0, Relaxed);
        }
        self.alerted.store(false, Relaxed);
        self.ends.store(end.0, Release);
        Some(measured)
    }

    /// Percent of the time from `start` to `end` that the native service was there. What is left over of a time
    /// without it belongs to what comes after.
    fn availability(&self, start: Timestamp, end: Timestamp) -> f64 {
        let mut down = self.down_nanos.swap(0, Relaxed);
        let since = self.down_since.load(Acquire);
        if since != 0
            && since < end.0
            && self.down_since.compare_exchange(since, end.0, AcqRel, Relaxed).is_ok()
        {
            down += end.0 - since;
        }
        let length = end.since(start).as_nanos() as f64;
        if length == 0.0 { 100.0 } else { (100.0 - 100.0 * down as f64 / length).clamp(0.0, 100.0) }
    }

    /// What was counted in this interval so far.
    pub fn so_far(&self) -> Counts {
        self.totals().since(self.before())
    }

    fn before(&self) -> Counts {
        let [requests, successes, faults] = [0, 1, 2].map(|place: usize| self.before[place].load(Relaxed));
        Counts { requests, successes, faults }
    }

    fn totals(&self) -> Counts {
        Counts {
            requests: self.sum(|lane| &lane.requests),
            successes: self.sum(|lane| &lane.successes),
            faults: self.sum(|lane| &lane.faults),
        }
    }

    fn sum(&self, of: fn(&Lane) -> &AtomicU64) -> u64 {
        self.lanes.iter().map(|lane| of(lane).load(Relaxed)).sum()
    }

    fn lock(&self) -> MutexGuard<'_, Interval> {
        self.interval.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
