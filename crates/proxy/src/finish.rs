//! The end of a request, however it ends: what is counted, and what is written into the journal.

use std::rc::Rc;

use engine::{
    Exchange, Rejection, RequestHead,
    journal::Measures,
    reason::{self, Origin},
    stats::Sample,
};
use tokio::sync::watch;

use crate::{body::RequestProgress, connection::ConnInfo, worker::Worker};

/// A request that has begun, and everything that is left to do when it has ended, however it ends: done when this is
/// dropped. It lives on the heap from the start, since moving it about would cost more than allocating it.
pub struct Finish {
    pub worker: Rc<Worker>,
    pub conn: Rc<ConnInfo>,
    pub exchange: Exchange,
    /// It counts as a request in progress.
    pub admitted: bool,
    pub request_progress: Rc<RequestProgress>,
    pub response_bytes: u64,
    /// The answer went out to its end.
    pub complete: bool,
    /// Why the answer broke off.
    pub broken: Option<&'static engine::Reason>,
}

impl Finish {
    /// Takes down who asks what, and when.
    pub fn new(worker: &Rc<Worker>, conn: &Rc<ConnInfo>, head: RequestHead) -> Box<Self> {
        let now = worker.now();
        let id = worker.next_id(now);
        let mut finish = Box::new(Self {
            exchange: Exchange::new(id, now, conn.client(&head.headers), worker.snapshot(), head),
            admitted: false,
            worker: Rc::clone(worker),
            conn: Rc::clone(conn),
            request_progress: Rc::default(),
            response_bytes: 0,
            complete: false,
            broken: None,
        });
        finish.exchange.caller = Some(worker.caller.clone());
        finish.exchange.client_certificate.clone_from(&conn.certificate);
        finish.exchange.recording = worker.wants_record(id);
        finish
    }

    /// Becomes true when a stop has lasted too long.
    pub fn forced_stop(&self) -> watch::Receiver<bool> {
        self.worker.forced_stop()
    }
}

impl Drop for Finish {
    fn drop(&mut self) {
        let exchange = &mut self.exchange;
        if std::thread::panicking() {
            exchange.refuse(&Rejection::new(&reason::INTERNAL_ERROR));
        }
        if exchange.reason.is_none() {
            exchange.reason = match (self.broken, self.complete) {
                (Some(reason), _) => Some(reason),
                (None, true) => None,
                (None, false) => Some(&reason::CLIENT_GONE),
            };
        }
        // Whatever the share of requests that are recorded: those that failed are what somebody will ask about.
        exchange.recording |= exchange.reason.is_some();
        if let Some(log) = &mut exchange.log {
            log.request = self.request_progress.kept.take();
        }
        let ended = self.worker.now();
        let measures = Measures {
            ended,
            request_bytes: self.request_progress.bytes.get(),
            response_bytes: self.response_bytes,
        };
        let sample = Sample {
            status: exchange.status.as_u16(),
            latency_us: u64::try_from(ended.since(exchange.started).as_micros()).unwrap_or(u64::MAX),
            request_bytes: measures.request_bytes,
            response_bytes: measures.response_bytes,
            refused: exchange.reason.is_some_and(|r| r.origin != Origin::Upstream),
            upstream_failed: exchange.reason.is_some_and(|r| r.origin == Origin::Upstream),
        };
        let stats = exchange.api().map_or(&exchange.snapshot.unrouted, |api| &api.stats);
        stats.record(self.worker.index, &sample);
        // Policies that follow requests to their end have not seen this one begin.
        if let Some(api) = exchange.api().filter(|_| !exchange.callback) {
            api.chain(exchange.operation).ended(exchange, &measures);
        }
        exchange.ended(&measures);
        if let Some(lock) = &exchange.snapshot.address_lock
            && exchange.reason.is_some_and(|reason| reason.counts_as_guess)
            && lock.failed(exchange.client.ip, ended)
        {
            tracing::warn!(address = %exchange.client.ip, "locked an address that failed to authenticate");
        }
        self.worker.record(exchange, &measures);
        if self.admitted {
            self.worker.end();
            self.conn.state.end(ended);
        }
    }
}
