//! Upstreams at run time: which endpoint gets the next request, and which of them are left alone for now.
//! State is kept between snapshots and shared by all workers; it is written when something fails, hardly ever else.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use http::{HeaderName, uri::Authority};
use model::{
    UpstreamDoc,
    upstream::{HealthCheck, LoadBalancing, UpstreamProtocol},
};

use crate::Timestamp;

/// An upstream, compiled.
#[derive(Debug)]
pub struct CompiledUpstream {
    pub name: Box<str>,
    pub doc: UpstreamDoc,
    pub endpoints: Box<[Endpoint]>,
    pub hash_header: Option<HeaderName>,
    pub state: Arc<UpstreamState>,
    /// Endpoints in the order of round robin, each as often as its weight says.
    schedule: Box<[u16]>,
    /// Points of the consistent-hash ring.
    ring: Box<[(u64, u16)]>,
}

/// One address of an upstream.
#[derive(Debug)]
pub struct Endpoint {
    /// Position in the catalogue, or `IN_NO_CATALOGUE`.
    pub id: u32,
    pub url: Arc<str>,
    pub tls: bool,
    pub host: Box<str>,
    pub port: u16,
    /// For the `Host` header.
    pub authority: Authority,
    /// Put before the path of a request; without a slash at the end.
    pub base_path: Box<str>,
    pub weight: u16,
    pub connect_timeout: Option<Duration>,
    pub read_timeout: Option<Duration>,
    pub state: Arc<EndpointState>,
}

impl Endpoint {
    /// Of endpoints that are made from requests.
    pub const IN_NO_CATALOGUE: u32 = u32::MAX;

    /// Whether it was made from a request.
    pub const fn is_dynamic(&self) -> bool {
        self.id == Self::IN_NO_CATALOGUE
    }
}

/// What is known about an endpoint, by everybody.
#[derive(Debug)]
pub struct EndpointState {
    /// Names the worker's connection pool; unique in the process.
    pub pool: usize,
    /// Open connections, over all workers.
    pub connections: AtomicU32,
    /// Requests in progress; counted for `leastRequests` only.
    pub in_flight: AtomicU32,
    suspended_until: AtomicU64,
    unhealthy: AtomicBool,
    good_checks: AtomicU32,
    bad_checks: AtomicU32,
}

static NEXT_POOL: AtomicUsize = AtomicUsize::new(0);

impl Default for EndpointState {
    fn default() -> Self {
        Self {
            pool: NEXT_POOL.fetch_add(1, Relaxed),
            connections: AtomicU32::new(0),
            in_flight: AtomicU32::new(0),
            suspended_until: AtomicU64::new(0),
            unhealthy: AtomicBool::new(false),
            good_checks: AtomicU32::new(0),
            bad_checks: AtomicU32::new(0),
        }
    }
}

impl EndpointState {
    pub fn suspend(&self, until: Timestamp) {
        self.suspended_until.store(until.0, Relaxed);
    }

    /// It answered, so there is no reason to avoid it.
    pub fn resume(&self) {
        if self.suspended_until.load(Relaxed) != 0 {
            self.suspended_until.store(0, Relaxed);
        }
    }

    pub fn suspended_until(&self) -> Timestamp {
        Timestamp(self.suspended_until.load(Relaxed))
    }

    pub fn is_healthy(&self) -> bool {
        !self.unhealthy.load(Relaxed)
    }

    pub fn available(&self, now: Timestamp) -> bool {
        self.is_healthy() && self.suspended_until.load(Relaxed) <= now.0
    }

    /// Takes in the result of a health check; `Some` when it changed the endpoint's health.
    pub fn health_checked(&self, check: &HealthCheck, good: bool) -> Option<bool> {
        let (count, other, threshold) = if good {
            (&self.good_checks, &self.bad_checks, check.healthy_threshold)
        } else {
            (&self.bad_checks, &self.good_checks, check.unhealthy_threshold)
        };
        other.store(0, Relaxed);
        let in_a_row = count.load(Relaxed).saturating_add(1);
        count.store(in_a_row, Relaxed);
        if in_a_row < threshold.get() || self.is_healthy() == good {
            return None;
        }
        self.unhealthy.store(!good, Relaxed);
        Some(good)
    }
}

/// What is known about an upstream as a whole.
#[derive(Debug, Default)]
pub struct UpstreamState {
    cursor: AtomicUsize,
    failures: AtomicU32,
    open_until: AtomicU64,
}

/// Why no endpoint can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unavailable {
    /// The circuit breaker is open until then.
    CircuitOpen(Timestamp),
    /// Every endpoint is suspended or unhealthy; the first may be tried then.
    AllDown(Timestamp),
}

/// How much of the schedule weights may take up; above, they are scaled down.
const LONGEST_SCHEDULE: u32 = 4_096;
const POINTS_PER_WEIGHT: usize = 40;

impl CompiledUpstream {
    pub fn new(doc: UpstreamDoc, endpoints: Vec<Endpoint>, state: Arc<UpstreamState>) -> Self {
        let weights: Vec<u16> = endpoints.iter().map(|e| e.weight).collect();
        let ring = match doc.load_balancing {
            LoadBalancing::ConsistentHash => build_ring(&endpoints),
            _ => Box::default(),
        };
        Self {
            name: doc.name.as_str().into(),
            hash_header: doc.hash_on.header.as_deref().and_then(|name| name.parse().ok()),
            schedule: build_schedule(&weights),
            endpoints: endpoints.into(),
            ring,
            state,
            doc,
        }
    }

    pub fn protocol(&self) -> UpstreamProtocol {
        self.doc.protocol
    }

    pub fn counts_in_flight(&self) -> bool {
        self.doc.load_balancing == LoadBalancing::LeastRequests && self.endpoints.len() > 1
    }

    /// The endpoint for the next try; `tried` have failed for this request already.
    pub fn choose(
        &self,
        now: Timestamp,
        tried: &[usize],
        hash: impl FnOnce() -> u64,
    ) -> Result<usize, Unavailable> {
        self.check_circuit(now)?;
        let usable = |index: usize| {
            !tried.contains(&index)
                && match &*self.endpoints {
                    // Suspending the only endpoint would turn one failure into thirty seconds of them.
                    [only] => only.state.is_healthy(),
                    all => all[index].state.available(now),
                }
        };
        let chosen = match self.doc.load_balancing {
            _ if self.endpoints.len() == 1 => usable(0).then_some(0),
            LoadBalancing::RoundRobin => {
                let start = self.state.cursor.fetch_add(1, Relaxed);
                (0..self.schedule.len())
                    .map(|step| usize::from(self.schedule[start.wrapping_add(step) % self.schedule.len()]))
                    .find(|index| usable(*index))
            }
            LoadBalancing::LeastRequests => {
                // The cursor breaks ties, or an idle upstream would only ever use its first endpoint.
                let start = self.state.cursor.fetch_add(1, Relaxed);
                let count = self.endpoints.len();
                (0..count)
                    .map(|step| start.wrapping_add(step) % count)
                    .filter(|index| usable(*index))
                    .min_by_key(|index| {
                        let endpoint = &self.endpoints[*index];
                        let load = u64::from(endpoint.state.in_flight.load(Relaxed));
                        (load << 16) / u64::from(endpoint.weight)
                    })
            }
            LoadBalancing::ConsistentHash => {
                let hash = hash();
                let start = self.ring.partition_point(|(point, _)| *point < hash);
                (0..self.ring.len())
                    .map(|step| usize::from(self.ring[(start + step) % self.ring.len()].1))
                    .find(|index| usable(*index))
            }
        };
        chosen.ok_or_else(|| {
            let first = self.endpoints.iter().map(|e| e.state.suspended_until()).min();
            Unavailable::AllDown(first.unwrap_or(now).max(now.plus(Duration::from_secs(1))))
        })
    }

    fn check_circuit(&self, now: Timestamp) -> Result<(), Unavailable> {
        let Some(breaker) = &self.doc.circuit_breaker else { return Ok(()) };
        let open_until = self.state.open_until.load(Relaxed);
        if open_until == 0 {
            return Ok(());
        }
        if open_until > now.0 {
            return Err(Unavailable::CircuitOpen(Timestamp(open_until)));
        }
        // Half open: whoever moves the time on is the one that tries; all others wait for the result.
        let next = now.plus(breaker.open_for.get());
        match self.state.open_until.compare_exchange(open_until, next.0, Relaxed, Relaxed) {
            Ok(_) => Ok(()),
            Err(_) => Err(Unavailable::CircuitOpen(next)),
        }
    }

    /// A try went well.
    pub fn succeeded(&self, endpoint: usize) {
        if let Some(endpoint) = self.endpoints.get(endpoint) {
            endpoint.state.resume();
        }
        if self.doc.circuit_breaker.is_some() {
            // Read first: a store on every request would make all cores fight for the line.
            if self.state.failures.load(Relaxed) != 0 {
                self.state.failures.store(0, Relaxed);
            }
            if self.state.open_until.load(Relaxed) != 0 {
                self.state.open_until.store(0, Relaxed);
            }
        }
    }

    /// A try failed in a way that says something about the endpoint.
    pub fn failed(&self, endpoint: usize, now: Timestamp) {
        if let Some(endpoint) = self.endpoints.get(endpoint) {
            endpoint.state.suspend(now.plus(self.doc.suspend_duration_on_failure.get()));
        }
        if let Some(breaker) = &self.doc.circuit_breaker {
            let failures = self.state.failures.fetch_add(1, Relaxed).saturating_add(1);
            if failures >= breaker.failures.get() {
                self.state.open_until.store(now.plus(breaker.open_for.get()).0, Relaxed);
            }
        }
    }
}

/// Smooth weighted round robin, worked out once: heavy endpoints are spread, not bunched.
fn build_schedule(weights: &[u16]) -> Box<[u16]> {
    let divisor = weights.iter().fold(0, |a, b| gcd(a, u32::from(*b))).max(1);
    let mut weights: Vec<i64> = weights.iter().map(|w| i64::from(u32::from(*w) / divisor)).collect();
    let total: i64 = weights.iter().sum();
    if total > i64::from(LONGEST_SCHEDULE) {
        for weight in &mut weights {
            *weight = (*weight * i64::from(LONGEST_SCHEDULE) / total).max(1);
        }
    }
    let total: i64 = weights.iter().sum();
    let mut current = vec![0_i64; weights.len()];
    (0..total)
        .map(|_| {
            for (value, weight) in current.iter_mut().zip(&weights) {
                *value += weight;
            }
            let best = (0..current.len()).rev().max_by_key(|i| current[*i]).unwrap_or(0);
            current[best] -= total;
            u16::try_from(best).unwrap_or(0)
        })
        .collect()
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn build_ring(endpoints: &[Endpoint]) -> Box<[(u64, u16)]> {
    let mut ring: Vec<(u64, u16)> = Vec::new();
    for (index, endpoint) in endpoints.iter().enumerate() {
        for point in 0..POINTS_PER_WEIGHT * usize::from(endpoint.weight.min(100)) {
            ring.push((
                stable_hash(format!("{}#{point}", endpoint.url).as_bytes()),
                u16::try_from(index).unwrap_or(0),
            ));
        }
    }
    ring.sort_unstable();
    ring.into()
}

/// FNV-1a with a final mix: the same on every node and in every version, which a hash map's hash is not.
pub fn stable_hash(bytes: &[u8]) -> u64 {
    let mut hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use model::upstream::CircuitBreaker;

    use super::*;

    fn upstream(weights: &[u16], change: impl FnOnce(&mut UpstreamDoc)) -> CompiledUpstream {
        let mut doc = UpstreamDoc::for_url("up", "http://unused");
        change(&mut doc);
        let endpoints = weights
            .iter()
            .enumerate()
            .map(|(i, weight)| Endpoint {
                id: u32::try_from(i).unwrap(),
                url: format!("http://e{i}").into(),
                tls: false,
                host: format!("e{i}").into(),
                port: 80,
                authority: Authority::from_static("e"),
                base_path: "".into(),
                weight: *weight,
                connect_timeout: None,
                read_timeout: None,
                state: Arc::default(),
            })
            .collect();
        CompiledUpstream::new(doc, endpoints, Arc::default())
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn round_robin_follows_the_weights_without_bunching() {
        let up = upstream(&[2, 1, 1], |_| ());
        let order: Vec<usize> = (0..8).map(|_| up.choose(at(1), &[], || 0).unwrap()).collect();
        assert_eq!(order, [0, 1, 2, 0, 0, 1, 2, 0]);
    }

    #[test]
    fn a_failed_endpoint_rests_for_its_time_and_comes_back() {
        let up = upstream(&[1, 1], |_| ());
        up.failed(0, at(1));
        assert!((0..4).all(|_| up.choose(at(2), &[], || 0) == Ok(1)));
        assert!((0..4).any(|_| up.choose(at(31), &[], || 0) == Ok(0)));
        up.failed(0, at(31));
        up.failed(1, at(32));
        assert_eq!(up.choose(at(33), &[], || 0), Err(Unavailable::AllDown(at(61))));
    }

    #[test]
    fn the_only_endpoint_is_never_suspended() {
        let up = upstream(&[1], |_| ());
        up.failed(0, at(1));
        assert_eq!(up.choose(at(1), &[], || 0), Ok(0));
        assert!(up.choose(at(1), &[0], || 0).is_err());
    }

    #[test]
    fn the_circuit_opens_lets_one_try_and_closes_on_success() {
        let up = upstream(&[1], |doc| {
            doc.circuit_breaker = Some(CircuitBreaker {
                failures: NonZeroU32::new(2).unwrap(),
                open_for: model::Duration::from_secs(10),
            });
        });
        up.failed(0, at(1));
        assert_eq!(up.choose(at(1), &[], || 0), Ok(0));
        up.failed(0, at(1));
        assert_eq!(up.choose(at(2), &[], || 0), Err(Unavailable::CircuitOpen(at(11))));
        assert_eq!(up.choose(at(11), &[], || 0), Ok(0));
        assert!(up.choose(at(11), &[], || 0).is_err(), "only one request tries");
        up.succeeded(0);
        assert_eq!(up.choose(at(11), &[], || 0), Ok(0));
    }

    #[test]
    fn least_requests_looks_at_load_for_weight() {
        let up = upstream(&[1, 2], |doc| doc.load_balancing = LoadBalancing::LeastRequests);
        up.endpoints[0].state.in_flight.store(2, Relaxed);
        up.endpoints[1].state.in_flight.store(3, Relaxed);
        assert_eq!(up.choose(at(1), &[], || 0), Ok(1));
    }

    #[test]
    fn the_same_key_stays_with_its_endpoint_when_another_one_fails() {
        let up = upstream(&[1, 1, 1], |doc| doc.load_balancing = LoadBalancing::ConsistentHash);
        let place = |key: u64| up.choose(at(1), &[], || stable_hash(&key.to_le_bytes())).unwrap();
        let before: Vec<usize> = (0..200).map(place).collect();
        assert!((0..3).all(|e| before.iter().filter(|b| **b == e).count() > 30), "{before:?}");
        up.failed(2, at(1));
        for (key, endpoint) in before.iter().enumerate().filter(|(_, e)| **e != 2) {
            assert_eq!(place(key as u64), *endpoint);
        }
    }

    #[test]
    fn health_changes_only_after_its_thresholds() {
        let state = EndpointState::default();
        let check = HealthCheck {
            path: "/".into(),
            interval: model::Duration::from_secs(1),
            timeout: model::Duration::from_secs(1),
            healthy_threshold: NonZeroU32::new(2).unwrap(),
            unhealthy_threshold: NonZeroU32::new(2).unwrap(),
        };
        assert_eq!(state.health_checked(&check, false), None);
        assert_eq!(state.health_checked(&check, false), Some(false));
        assert!(!state.available(at(1)));
        assert_eq!(state.health_checked(&check, true), None);
        assert_eq!(state.health_checked(&check, true), Some(true));
        assert!(state.available(at(1)));
    }
}
