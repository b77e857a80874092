//! The exchange: one request on its way through the gateway, with everything decided about it so far.

use std::{
    borrow::Cow,
    fmt,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Method, StatusCode, Uri, Version};
use model::plan::SubscriptionState;
use smallvec::SmallVec;

use crate::{
    Call, CompiledApi, Headers, Outcome, Payload, Reason, Snapshot, Timestamp, UpstreamName,
    calls::{Behalf, CallAnswer, CallRecord, Called, CallerRef, Calling, HostName},
    dynamic_endpoint::DynamicEndpoint,
    identifiers::ClientCertificate,
    keys::{Application, ApplicationIndex},
    language::Extras,
    log::Log,
    reason::{self, Rejection},
};

/// A worker's own handle on the snapshot. Cloning it per request touches no memory that other cores write.
pub type SnapshotRef = Rc<Arc<Snapshot>>;

/// Identifies a request in answers, logs, events and explanations. Prints as 32 hexadecimal digits.
///
/// Two words and not one of 128 bits: allocations aligned to sixteen bytes are slower.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct RequestId([u64; 2]);

impl RequestId {
    pub const fn new(high: u64, low: u64) -> Self {
        Self([high, low])
    }

    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).ok().filter(|_| hex)?;
        Some(Self([(number >> 64) as u64, number as u64]))
    }

    pub const fn number(self) -> u128 {
        (self.0[0] as u128) << 64 | self.0[1] as u128
    }

    /// Random bits, the same for every copy of the id; `which` picks different ones.
    pub const fn random(self, which: u32) -> u32 {
        (self.0[1] >> (32 * (which & 1))) as u32
    }

    /// The digits, without an allocation.
    pub fn hex(self) -> [u8; 32] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 32];
        for (place, byte) in text.chunks_exact_mut(2).zip(self.number().to_be_bytes()) {
            place[0] = DIGITS[usize::from(byte >> 4)];
            place[1] = DIGITS[usize::from(byte & 15)];
        }
        text
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.number())
    }
}

/// Who sent the request, as far as the connection tells.
#[derive(Debug, Clone)]
pub struct Client {
    /// Address of the client: the peer's, or what a trusted proxy says.
    pub ip: IpAddr,
    /// Address of whoever opened the connection.
    pub peer: SocketAddr,
    /// The request came over TLS, to us or to a trusted proxy.
    pub secure: bool,
}

/// The head of a request.
#[derive(Debug, Clone, Default)]
pub struct RequestHead {
    pub method: Method,
    pub uri: Uri,
    pub version: Version,
    pub headers: Headers,
}

impl From<http::request::Parts> for RequestHead {
    fn from(parts: http::request::Parts) -> Self {
        Self {
            method: parts.method,
            uri: parts.uri,
            version: parts.version,
            headers: Headers::from(&parts.headers),
        }
    }
}

/// One policy's decision.
#[derive(Debug, Clone)]
pub struct StepRecord {
    /// Position in the API's chain.
    pub policy: u16,
    pub on_response: bool,
    pub result: StepResult,
    pub nanos: u32,
    pub note: Option<Cow<'static, str>>,
}

#[derive(Debug, Clone, Copy)]
pub enum StepResult {
    Let(Outcome),
    Refused(&'static Reason),
}

/// Where a request goes.
#[derive(Debug, Clone)]
pub enum Destination {
    /// To an upstream, by its position in the snapshot.
    Upstream(u32),
    /// To an endpoint that was made for it.
    Dynamic(Box<DynamicEndpoint>),
}

/// One call to an endpoint.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Position in the catalogue's endpoints.
    pub endpoint: u32,
    /// URL of an endpoint that is in no catalogue.
    pub url: Option<Arc<str>>,
    pub started: Timestamp,
    /// Until the head of the answer, or the failure.
    pub took: Duration,
    /// The answer's status; 0 when there was none.
    pub status: u16,
    pub failure: Option<&'static Reason>,
    /// The call used a connection that had been kept open.
    pub reused: bool,
}

/// A request on its way.
#[derive(Debug)]
pub struct Exchange {
    pub id: RequestId,
    pub started: Timestamp,
    pub client: Client,
    /// The certificate that the client authenticated with, on this connection.
    pub client_certificate: Option<Arc<ClientCertificate>>,
    pub snapshot: SnapshotRef,
    pub version: Version,
    pub method: Method,
    pub uri: Uri,
    /// Headers of the request; what policies change goes to the upstream.
    pub headers: Headers,
    /// Status of the response, once there is one.
    pub status: StatusCode,
    /// Headers of the response, once there is one.
    pub response_headers: Headers,
    /// Body of the request, where a policy of the operation asks for it.
    pub request_payload: Option<Payload>,
    /// Body of the response, where a policy of the operation asks for it, or a policy made it.
    pub response_payload: Option<Payload>,
    /// Sends calls that policies make; `None` where nothing may be sent.
    pub caller: Option<CallerRef>,
    /// Where a policy sends the request, instead of to the API's own upstream.
    pub destination: Option<Destination>,
    /// Position of the API in the snapshot.
    pub api: Option<u32>,
    /// Position of the operation in the API.
    pub operation: Option<u32>,
    /// Bytes of the path that the API's base path took up.
    pub base_length: usize,
    /// Position of the identified application in the snapshot.
    pub application: Option<u32>,
    /// Whether a full decision record is wanted.
    pub recording: bool,
    /// An upstream calls a client back.
    pub callback: bool,
    /// A policy answered with what it kept of an earlier answer.
    pub from_cache: bool,
    /// Nothing may be counted or sent: somebody asks what would happen.
    pub dry_run: bool,
    pub steps: Vec<StepRecord>,
    pub attempts: SmallVec<[Attempt; 1]>,
    /// Why the request was refused or failed.
    pub reason: Option<&'static Reason>,
    pub detail: Option<Cow<'static, str>>,
    note: Option<Cow<'static, str>>,
    /// Headers for the client, whoever answers in the end.
    pub answer_headers: Headers,
    extras: Option<Box<Extras>>,
    /// What is kept of the request for its event; `None` unless a policy wants something.
    pub log: Option<Box<Log>>,
}

impl Exchange {
    pub fn new(
        id: RequestId,
        started: Timestamp,
        client: Client,
        snapshot: SnapshotRef,
        head: RequestHead,
    ) -> Self {
        Self {
            id,
            started,
            client,
            client_certificate: None,
            snapshot,
            version: head.version,
            method: head.method,
            uri: head.uri,
            headers: head.headers,
            status: StatusCode::OK,
            response_headers: Headers::new(),
            request_payload: None,
            response_payload: None,
            caller: None,
            destination: None,
            api: None,
            operation: None,
            base_length: 0,
            application: None,
            recording: true,
            callback: false,
            from_cache: false,
            dry_run: false,
            steps: Vec::new(),
            attempts: SmallVec::new(),
            reason: None,
            detail: None,
            note: None,
            answer_headers: Headers::new(),
            extras: None,
            log: None,
        }
    }

    pub fn api(&self) -> Option<&CompiledApi> {
        self.snapshot.apis.get(self.api? as usize).map(|api| &**api)
    }

    pub fn application(&self) -> Option<&Application> {
        self.snapshot.applications.get(self.application?)
    }

    /// Whether an application names the API that is called, or has a subscription to it.
    pub fn may_call(&self, application: ApplicationIndex) -> bool {
        let Some(api) = self.api() else { return false };
        let name = &*api.names.name;
        self.snapshot.applications.get(application).is_some_and(|known| known.may_call(name))
            || self.snapshot.subscriptions.find(name, application).is_some_and(|subscription| {
                // Why one that is not active does not do is told by whoever asks for it.
                subscription.state == SubscriptionState::Active || api.offers_plans()
            })
    }

    /// The same request for somebody else, with nothing decided about it but its route.
    pub fn copy_of_request(&self) -> Self {
        let head = RequestHead {
            method: self.method.clone(),
            uri: self.uri.clone(),
            version: self.version,
            headers: self.headers.clone(),
        };
        let mut copy = Self::new(self.id, self.started, self.client.clone(), self.snapshot.clone(), head);
        copy.client_certificate.clone_from(&self.client_certificate);
        copy.api = self.api;
        copy.operation = self.operation;
        copy.base_length = self.base_length;
        copy
    }

    /// The first value of a query parameter, as it was sent.
    pub fn query_parameter(&self, name: &str) -> Option<&str> {
        self.uri.query()?.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key == name).then_some(value)
        })
    }

    /// Takes a parameter out of the query, so that neither the upstream nor the event of the request sees it.
    pub fn remove_query_parameter(&mut self, name: &str) {
        if let Some(uri) = without_parameter(&self.uri, name) {
            self.uri = uri;
        }
        if let Some(extras) = &mut self.extras {
            extras.remove_inbound_parameter(name);
        }
    }

    /// What policies left on the request; `None` when nothing.
    pub fn extras(&self) -> Option<&Extras> {
        self.extras.as_deref()
    }

    /// The same, to leave something.
    pub fn extras_mut(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }

    /// Sends this request to another upstream than the API's own; `false` when the configuration has lost it.
    pub fn route_to(&mut self, upstream: &UpstreamName) -> bool {
        self.destination = self.snapshot.upstream(upstream).map(Destination::Upstream);
        self.destination.is_some()
    }

    /// Makes a call on behalf of this request, whose end `take_call` takes in. Where nothing may be sent, as in a dry run,
    /// it fails.
    pub fn call(&self, call: Call) -> Calling {
        match &self.caller {
            Some(CallerRef(caller)) => {
                let behalf = Behalf {
                    id: self.id,
                    started: self.started,
                    client: self.client.clone(),
                    snapshot: self.snapshot.clone(),
                };
                caller.call(behalf, call)
            }
            None => {
                let outcome = Err(Rejection::new(&reason::CALL_NOT_POSSIBLE));
                Box::pin(std::future::ready(Called::new(call.name, self.started, Duration::ZERO, outcome)))
            }
        }
    }

    /// The name of the client's address. Where nothing may be sent, it has none.
    pub fn host_name(&self) -> HostName {
        match &self.caller {
            Some(CallerRef(caller)) => caller.host_name(self.client.ip.to_canonical()),
            None => HostName::Now(None),
        }
    }

    /// Writes down what came of a call, and returns it.
    pub fn take_call(&mut self, called: Called) -> Result<CallAnswer, Box<Rejection>> {
        self.add_call(called.record);
        called.outcome
    }

    /// Writes down a call whose answer somebody else has taken.
    pub fn add_call(&mut self, call: CallRecord) {
        self.extras_mut().calls.push(call);
    }

    /// What was written down of calls.
    pub(crate) fn take_calls(&mut self) -> Vec<CallRecord> {
        self.extras.as_mut().map(|extras| std::mem::take(&mut extras.calls)).unwrap_or_default()
    }

    /// Answers the request here: no further policy of the request runs and no upstream is called.
    pub fn answer_with(&mut self, status: StatusCode, headers: Headers, body: impl Into<Bytes>) -> Outcome {
        self.status = status;
        self.response_headers = headers;
        self.response_payload = Some(Payload::new(body));
        Outcome::Answered
    }

    /// Leaves a remark in the decision record, on the policy that is running.
    pub fn note(&mut self, note: impl FnOnce() -> Cow<'static, str>) {
        if self.recording {
            self.note = Some(note());
        }
    }

    /// The remark of the policy that just ran.
    pub fn take_note(&mut self) -> Option<Cow<'static, str>> {
        self.note.take()
    }

    /// Remembers why this request is answered by the gateway.
    pub fn refuse(&mut self, rejection: &Rejection) {
        self.reason = Some(rejection.reason);
        self.detail.clone_from(&rejection.detail);
        self.status = rejection.status();
        if !rejection.problems.is_empty() {
            self.extras_mut().problems.clone_from(&rejection.problems);
        }
    }
}

/// The URI without a parameter of its query; `None` when it has none of that name.
pub(crate) fn without_parameter(uri: &Uri, name: &str) -> Option<Uri> {
    let is_it = |pair: &&str| pair.split_once('=').map_or(*pair, |(key, _)| key) == name;
    let query = uri.query()?;
    query.split('&').find(is_it)?;
    let rest: Vec<&str> = query.split('&').filter(|pair| !is_it(pair)).collect();
    let path = uri.path();
    let target = if rest.is_empty() { path.to_owned() } else { format!("{path}?{}", rest.join("&")) };
    // The parts were a valid target before one was left out.
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(target.try_into().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_prints_and_parses_as_32_digits() {
        let id = RequestId::new(0x0123_4567_89ab_cdef, 0x0123_4567_89ab_cdef);
        assert_eq!(std::str::from_utf8(&id.hex()), Ok("0123456789abcdef0123456789abcdef"));
        assert_eq!(RequestId::parse(&id.to_string()), Some(id));
        assert_eq!(RequestId::parse("12"), None);
    }
}
