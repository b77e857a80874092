//! Counters of one API: each worker writes its own lane, readers add the lanes up. Nothing shared is written.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Upper bounds of the latency buckets, in microseconds; the last one is everything above.
pub const LATENCY_BOUNDS_US: [u64; 12] =
    [500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000];

/// Counters of one API.
pub struct ApiStats {
    lanes: Box<[OnceLock<Box<Lane>>]>,
}

/// One worker's counters. Only that worker writes, so plain loads and stores are enough.
#[derive(Default)]
pub struct Lane {
    by_class: [AtomicU64; 6],
    latency: [AtomicU64; 13],
    latency_sum_us: AtomicU64,
    request_bytes: AtomicU64,
    response_bytes: AtomicU64,
    refused: AtomicU64,
    upstream_failed: AtomicU64,
}

/// What a finished request adds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sample {
    pub status: u16,
    pub latency_us: u64,
    pub request_bytes: u64,
    pub response_bytes: u64,
    pub refused: bool,
    pub upstream_failed: bool,
}

/// Sums over all workers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Responses by the first digit of their status; index 0 is anything odd.
    pub by_class: [u64; 6],
    pub latency: [u64; 13],
    pub latency_sum_us: u64,
    pub request_bytes: u64,
    pub response_bytes: u64,
    pub refused: u64,
    pub upstream_failed: u64,
}

impl Totals {
    pub fn requests(&self) -> u64 {
        self.by_class.iter().sum()
    }
}

fn add(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(by), Relaxed);
}

impl ApiStats {
    pub fn new(workers: usize) -> Self {
        Self { lanes: (0..workers).map(|_| OnceLock::new()).collect() }
    }

    /// Adds a request to the worker's lane. Must be called by that worker only.
    pub fn record(&self, worker: usize, sample: &Sample) {
        let Some(lane) = self.lanes.get(worker) else { return };
        let lane = lane.get_or_init(Box::default);
        let class = usize::from(sample.status / 100);
        add(&lane.by_class[if class < 6 { class } else { 0 }], 1);
        let bucket = LATENCY_BOUNDS_US.partition_point(|bound| *bound < sample.latency_us);
        add(&lane.latency[bucket], 1);
        add(&lane.latency_sum_us, sample.latency_us);
        add(&lane.request_bytes, sample.request_bytes);
        add(&lane.response_bytes, sample.response_bytes);
        if sample.refused {
            add(&lane.refused, 1);
        }
        if sample.upstream_failed {
            add(&lane.upstream_failed, 1);
        }
    }

    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for lane in self.lanes.iter().filter_map(OnceLock::get) {
            for (sum, counter) in totals.by_class.iter_mut().zip(&lane.by_class) {
                *sum += counter.load(Relaxed);
            }
            for (sum, counter) in totals.latency.iter_mut().zip(&lane.latency) {
                *sum += counter.load(Relaxed);
            }
            totals.latency_sum_us += lane.latency_sum_us.load(Relaxed);
            totals.request_bytes += lane.request_bytes.load(Relaxed);
            totals.response_bytes += lane.response_bytes.load(Relaxed);
            totals.refused += lane.refused.load(Relaxed);
            totals.upstream_failed += lane.upstream_failed.load(Relaxed);
        }
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_of_all_workers_add_up() {
        let stats = ApiStats::new(2);
        stats.record(0, &Sample { status: 200, latency_us: 400, response_bytes: 10, ..Sample::default() });
        stats.record(1, &Sample { status: 503, latency_us: 9_000_000, refused: true, ..Sample::default() });
        let totals = stats.totals();
        assert_eq!((totals.requests(), totals.by_class[2], totals.by_class[5]), (2, 1, 1));
        assert_eq!((totals.latency[0], totals.latency[12]), (1, 1));
        assert_eq!((totals.response_bytes, totals.refused), (10, 1));
    }
    /// Checklist 70.
    #[test]
    fn counts_go_on_beyond_32_bits() {
        let stats = ApiStats::new(1);
        let sample = Sample { status: 200, request_bytes: u64::from(u32::MAX), ..Sample::default() };
        stats.record(0, &sample);
        let lane = stats.lanes[0].get().unwrap();
        add(&lane.by_class[2], u64::from(u32::MAX));
        stats.record(0, &sample);
        assert_eq!((stats.totals().requests(), stats.totals().request_bytes), ((1 << 32) + 1, (1 << 33) - 2));
    }
}
