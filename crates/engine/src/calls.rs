//! What policies ask of the network. Calls to services that decide, translate or enrich go over the same pools, time
//! limits and health as requests to upstreams; names of addresses come from the system. Who does it is said by `proxy`.

use std::{future::Future, net::IpAddr, pin::Pin, rc::Rc, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, StatusCode, uri::PathAndQuery};

use crate::{Client, Headers, Reason, Rejection, RequestId, SnapshotRef, Timestamp};

/// An upstream that a policy sends requests to: its name in the configuration, or its URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamName(pub(crate) Arc<str>);

impl UpstreamName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A request of a policy's own.
#[derive(Debug)]
pub struct Call {
    /// For people, and for `${response[NAME]…}` where the policy keeps the answer.
    pub name: Arc<str>,
    pub upstream: UpstreamName,
    pub method: Method,
    /// Follows the path of the endpoint.
    pub target: PathAndQuery,
    pub headers: Headers,
    /// `None` sends no body at all.
    pub body: Option<Bytes>,
    /// Longest wait for the whole answer.
    pub timeout: Duration,
    /// Largest body of the answer.
    pub most: u64,
}

/// The whole answer to a call.
#[derive(Debug, Clone)]
pub struct CallAnswer {
    pub status: StatusCode,
    pub headers: Headers,
    pub body: Bytes,
}

/// The request on whose behalf a call is made.
#[derive(Debug, Clone)]
pub struct Behalf {
    pub id: RequestId,
    pub started: Timestamp,
    pub client: Client,
    pub snapshot: SnapshotRef,
}

/// A call that has come to its end.
#[derive(Debug)]
pub struct Called {
    pub record: CallRecord,
    /// The answer, or why there is none.
    pub outcome: Result<CallAnswer, Box<Rejection>>,
}

/// What decision records tell of a call.
#[derive(Debug, Clone)]
pub struct CallRecord {
    pub name: Arc<str>,
    pub started: Timestamp,
    /// Until the end of the answer, or the failure.
    pub took: Duration,
    /// The answer's status; 0 when there was none.
    pub status: u16,
    pub failure: Option<&'static Reason>,
}

impl Called {
    pub fn new(
        name: Arc<str>,
        started: Timestamp,
        took: Duration,
        outcome: Result<CallAnswer, Box<Rejection>>,
    ) -> Self {
        let status = outcome.as_ref().map_or(0, |answer| answer.status.as_u16());
        let failure = outcome.as_ref().err().map(|rejection| rejection.reason);
        Self { record: CallRecord { name, started, took, status, failure }, outcome }
    }
}

/// What comes of a call; `Exchange::take_call` takes it in.
pub type Calling = Pin<Box<dyn Future<Output = Called>>>;

/// The name of an address, in lower case and without a dot at its end; `None` when it has none that leads back to it,
/// or none was found out in time.
pub enum HostName {
    Now(Option<Arc<str>>),
    Later(Pin<Box<dyn Future<Output = Option<Arc<str>>>>>),
}

/// Sends calls, and asks for names.
pub trait Caller {
    fn call(&self, behalf: Behalf, call: Call) -> Calling;

    fn host_name(&self, address: IpAddr) -> HostName;
}

/// Whoever sends calls, for an exchange.
#[derive(Clone)]
pub struct CallerRef(pub Rc<dyn Caller>);

impl std::fmt::Debug for CallerRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CallerRef")
    }
}
