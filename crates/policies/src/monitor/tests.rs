//! Counting, over threads and over the ends of intervals.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use engine::Timestamp;

use super::{
    interval::Span,
    meter::{Counts, Meter, Outcome, Sample},
};

const SECOND: u64 = 1_000_000_000;

fn at(seconds: u64) -> Timestamp {
    Timestamp(seconds * SECOND)
}

fn sample(ended: Timestamp, outcome: Outcome, up: Option<bool>) -> Sample {
    Sample { ended, took_us: 1_500, outcome, up }
}

#[test]
fn no_request_is_lost_or_counted_twice_while_intervals_end() {
    const THREADS: u64 = 4;
    const EACH: u64 = 50_000;
    let span = Span::Every(SECOND);
    let meter = Meter::new(2, span, at(0), at(0));
    let (clock, seen) = (AtomicU64::new(0), Mutex::new(Counts::default()));
    let turn = |now: Timestamp| {
        if let Some(measured) = meter.turn(span, at(0), now) {
            let mut seen = seen.lock().unwrap();
            seen.requests += measured.counts.requests;
            seen.faults += measured.counts.faults;
            seen.successes += measured.counts.successes;
        }
    };
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for number in 0..EACH {
                    // A hundred requests in each interval, more or less.
                    let now = Timestamp(clock.fetch_add(SECOND / 100, Relaxed));
                    turn(now);
                    let outcome = if number % 5 == 0 { Outcome::Fault } else { Outcome::Success };
                    meter.count(&sample(now, outcome, None));
                }
            });
        }
    });
    turn(Timestamp(clock.load(Relaxed) + 2 * SECOND));
    let total = THREADS * EACH;
    assert_eq!(
        *seen.lock().unwrap(),
        Counts { requests: total, faults: total / 5, successes: total / 5 * 4 }
    );
}

#[test]
fn no_two_requests_see_the_same_count() {
    let meter = Meter::new(2, Span::Every(SECOND), at(0), at(0));
    let hits = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10_000 {
                    if meter.count_now(&Counts::of(Outcome::Success)).requests == 30_000 {
                        hits.fetch_add(1, Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(hits.load(Relaxed), 1);
}

#[test]
fn availability_is_held_until_a_call_says_otherwise() {
    let span = Span::Every(60 * SECOND);
    let meter = Meter::new(1, span, at(0), at(0));
    let call = |second: u64, up: bool| meter.count(&sample(at(second), Outcome::Success, Some(up)));
    let end = |second: u64| meter.turn(span, at(0), at(second)).map(|measured| measured.availability);
    call(10, true);
    call(30, false);
    call(40, false);
    assert_eq!(end(59), None);
    assert_eq!(end(60), Some(50.0));
    assert_eq!(end(60), None, "an interval is told once");
    call(75, true);
    assert_eq!(end(120), Some(75.0));
    assert_eq!(end(180), Some(100.0));
}
