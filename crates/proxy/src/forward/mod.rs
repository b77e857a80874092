//! From an allowed request to an upstream's answer: endpoints are chosen, tried, and tried again where that is safe.

mod attempt;
mod stand_in;
mod upstream_body;

use std::{rc::Rc, sync::Arc, time::Duration};

use engine::{
    Destination, Exchange, Headers, Reason, Rejection, Timestamp,
    exchange::Attempt,
    reason,
    signing::{BodyToSign, SignerRef, ToSign},
    snapshot::hash_address,
    upstream::{CompiledUpstream, Endpoint, Unavailable, stable_hash},
};
use http::{HeaderValue, Method, StatusCode, header::RETRY_AFTER};
use smallvec::SmallVec;

use crate::{
    body::{RequestBody, Source},
    downstream::Interim,
    h1::Conn,
    worker::Worker,
};

pub use stand_in::{Failing, Played, Sent, StandIn};
pub use upstream_body::UpstreamBody;

/// An upstream's answer.
pub struct Answer {
    pub status: StatusCode,
    pub headers: Headers,
    pub source: Source,
    /// The upstream switched protocols; the connection goes on as a tunnel.
    pub tunnel: Option<Conn>,
}

/// What is sent.
pub struct Outgoing<'a> {
    pub destination: Destination,
    /// Headers that the gateway adds.
    pub extra: Headers,
    pub body: Option<RequestBody>,
    /// There was a body at first, whatever has become of it.
    pub has_body: bool,
    /// The protocol that the client wants to switch to.
    pub upgrade: Option<&'static str>,
    pub expect_continue: bool,
    pub trailers_welcome: bool,
    /// Where interim answers go, when the client takes them.
    pub interim: Option<&'a Interim>,
}

/// Waits of one try, after all levels have had their say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    connect: Duration,
    read: Duration,
}

/// Sends a request upstream and returns the answer's head, with its body still to come.
pub async fn forward(
    worker: &Rc<Worker>,
    exchange: &mut Exchange,
    outgoing: &mut Outgoing<'_>,
) -> Result<Answer, Box<Rejection>> {
    // Borrowed from the worker's own handle: a shared reference count would make cores fight for its line.
    let snapshot = exchange.snapshot.clone();
    let made;
    let upstream = match &outgoing.destination {
        Destination::Upstream(position) => match snapshot.upstreams.get(*position as usize) {
            Some(upstream) => upstream,
            None => return Err(Rejection::new(&reason::NO_UPSTREAM)),
        },
        Destination::Dynamic(endpoint) => {
            // What is said of the API's upstream, certificates and keys among it, is not said of its clients.
            let own = exchange.api.filter(|_| !exchange.callback);
            let own = own.and_then(|api| snapshot.bindings[api as usize].upstream);
            made = worker.dynamic.find((snapshot.revision, &snapshot.upstreams), own, endpoint, worker.now());
            &made
        }
    };
    let mut tried: SmallVec<[usize; 4]> = SmallVec::new();
    let mut retries_left = upstream.doc.retries.attempts;
    let mut again: Option<usize> = None;
    loop {
        let now = if exchange.attempts.is_empty() { exchange.started } else { worker.now() };
        let fresh = again.is_some();
        let index = match again.take() {
            Some(same) => same,
            None => upstream
                .choose(now, &tried, || hash_of(upstream, exchange))
                .map_err(|unavailable| unavailable_to_rejection(unavailable, now))?,
        };
        let endpoint = &upstream.endpoints[index];
        let pool = worker.pools.pool(endpoint);
        pool.budget.request(now);
        if let Some(signer) = exchange.extras().and_then(|extras| extras.signer.clone()) {
            sign(&signer, exchange, outgoing, endpoint, worker.now())?;
        }
        let limits = limits(exchange, upstream, index);
        let _in_flight = upstream.counts_in_flight().then(|| InFlight::new(&endpoint.state));
        let try_now = attempt::Try { upstream, index, pool: &pool, limits, fresh, started: now };
        let (result, reused) = try_now.run(worker, exchange, outgoing).await;
        exchange.attempts.push(Attempt {
            endpoint: endpoint.id,
            url: endpoint.is_dynamic().then(|| Arc::clone(&endpoint.url)),
            started: now,
            took: worker.now().since(now),
            status: result.as_ref().map_or(0, |answer| answer.status.as_u16()),
            failure: result.as_ref().err().map(|failure| failure.reason),
            reused,
        });
        match result {
            Ok(answer) => {
                let fault = answer.status.as_u16() >= 500 && !upstream.doc.failover_on_downtime_error_only;
                if !fault {
                    upstream.succeeded(index);
                    return Ok(answer);
                }
                upstream.failed(index, worker.now());
                let elsewhere = upstream.endpoints.len() > tried.len() + 1;
                if !(elsewhere
                    && may_repeat(&exchange.method, outgoing)
                    && take_retry(&mut retries_left, &pool, upstream))
                {
                    return Ok(answer);
                }
                tried.push(index);
            }
            Err(failure) => {
                // A kept connection that was closed meanwhile says nothing about the endpoint.
                let stale = reused && failure.unanswered;
                if failure.blames_endpoint && !stale {
                    upstream.failed(index, worker.now());
                }
                let safe = failure.unsent || (failure.unanswered && may_repeat(&exchange.method, outgoing));
                let elsewhere = stale || upstream.endpoints.len() > tried.len() + 1;
                if safe && elsewhere && (stale || take_retry(&mut retries_left, &pool, upstream)) {
                    if stale {
                        again = Some(index);
                    } else {
                        tried.push(index);
                    }
                    continue;
                }
                return Err(failure.into_rejection(worker));
            }
        }
    }
}

/// Puts the headers of a signature into the request, instead of any others of their names.
fn sign(
    signer: &SignerRef,
    exchange: &mut Exchange,
    outgoing: &mut Outgoing<'_>,
    endpoint: &Endpoint,
    now: Timestamp,
) -> Result<(), Box<Rejection>> {
    let body = match &exchange.request_payload {
        Some(payload) => BodyToSign::Whole(payload.bytes()),
        None if outgoing.has_body => BodyToSign::Streams,
        None => BodyToSign::None,
    };
    let signed = signer.0.sign(&ToSign {
        method: &exchange.method,
        authority: endpoint.authority.as_str(),
        path: [&endpoint.base_path, &exchange.uri.path()[exchange.base_length..]],
        query: exchange.uri.query(),
        body,
        now,
    })?;
    for (name, value) in signed {
        exchange.headers.remove(&name);
        outgoing.extra.insert(&name, &value);
    }
    Ok(())
}

fn take_retry(left: &mut u8, pool: &crate::pool::Pool, upstream: &CompiledUpstream) -> bool {
    if *left == 0 || !pool.budget.may_retry(upstream.doc.retries.budget) {
        return false;
    }
    *left -= 1;
    true
}

/// Sending it twice is the same as sending it once, and it can be sent twice.
fn may_repeat(method: &Method, outgoing: &Outgoing<'_>) -> bool {
    method.is_idempotent() && !outgoing.has_body && outgoing.upgrade.is_none()
}

fn hash_of(upstream: &CompiledUpstream, exchange: &Exchange) -> u64 {
    match upstream.hash_header.as_ref().and_then(|name| exchange.headers.get(name)) {
        Some(value) => stable_hash(value.as_bytes()),
        None => hash_address(exchange.client.ip),
    }
}

fn unavailable_to_rejection(unavailable: Unavailable, now: Timestamp) -> Box<Rejection> {
    let (reason, until): (&'static Reason, Timestamp) = match unavailable {
        Unavailable::CircuitOpen(until) => (&reason::CIRCUIT_OPEN, until),
        Unavailable::AllDown(until) => (&reason::UPSTREAM_SUSPENDED, until),
    };
    let seconds = until.since(now).as_millis().div_ceil(1_000).max(1);
    let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
    Rejection::new(reason).header(RETRY_AFTER, HeaderValue::from(seconds))
}

/// Endpoint before upstream before API before the settings.
fn limits(exchange: &Exchange, upstream: &CompiledUpstream, index: usize) -> Limits {
    let endpoint = &upstream.endpoints[index];
    let api = exchange.api().map(|api| &api.doc);
    let timeouts = &exchange.snapshot.settings.timeouts;
    let pick = |endpoint: Option<Duration>, rest: [Option<model::Duration>; 2], last: model::Duration| {
        let zero_asks_on = |d: &Duration| !d.is_zero();
        endpoint
            .into_iter()
            .chain(rest.into_iter().flatten().map(model::Duration::get))
            .chain([last.get()])
            .find(zero_asks_on)
            .unwrap_or(Duration::from_secs(30))
    };
    let doc = &upstream.doc;
    Limits {
        connect: pick(
            endpoint.connect_timeout,
            [doc.connect_timeout, api.and_then(|a| a.connect_timeout)],
            timeouts.connect,
        ),
        read: pick(
            endpoint.read_timeout,
            [doc.read_timeout, api.and_then(|a| a.read_timeout)],
            timeouts.read,
        ),
    }
}

struct InFlight(Arc<engine::upstream::EndpointState>);

impl InFlight {
    fn new(state: &Arc<engine::upstream::EndpointState>) -> Self {
        state.in_flight.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Self(Arc::clone(state))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }
}
