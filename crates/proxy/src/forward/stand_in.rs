//! What answers in a rehearsal instead of upstreams: everything around a try is as always, the sockets are missing.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use engine::{
    Call, CallAnswer, Exchange, Headers, Outcome, Rejection, Step, headers::write_line, reason,
    snapshot::Slot,
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};
use http_body::Body;

use super::{
    Answer, Outgoing,
    attempt::{Failure, Try},
};
use crate::{
    body::{RequestBody, Source},
    h1,
    worker::Worker,
};

/// What a native service does with every call of a request.
#[derive(Debug, Clone)]
pub enum Played {
    Answer { status: StatusCode, headers: HeaderMap, body: Bytes, delay: Duration },
    Fails(Failing),
}

impl Default for Played {
    fn default() -> Self {
        Self::Answer {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            delay: Duration::ZERO,
        }
    }
}

/// How a native service fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failing {
    /// It accepts no connection.
    Refused,
    /// It accepts the request and stays silent.
    Timeout,
    /// It closes the connection instead of answering.
    Reset,
}

/// A call as it would have been sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// URL of the endpoint.
    pub endpoint: Arc<str>,
    pub method: Method,
    /// Path and query.
    pub target: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Plays the native services of one request after the other.
#[derive(Debug, Default)]
pub struct StandIn {
    script: RefCell<Played>,
    calls: RefCell<HashMap<String, Played>>,
    sent: RefCell<Vec<Sent>>,
    called: RefCell<Vec<(Arc<str>, Sent)>>,
    acts: Cell<bool>,
}

impl StandIn {
    /// Says what the next request meets; whether it is known already who calls.
    pub fn prepare(&self, script: Played, calls: HashMap<String, Played>, acts: bool) {
        *self.script.borrow_mut() = script;
        *self.calls.borrow_mut() = calls;
        self.sent.borrow_mut().clear();
        self.called.borrow_mut().clear();
        self.acts.set(acts);
    }

    /// The calls since then.
    pub fn take_sent(&self) -> Vec<Sent> {
        self.sent.take()
    }

    /// The calls of policies since then.
    pub fn take_calls(&self) -> Vec<(Arc<str>, Sent)> {
        self.called.take()
    }

    /// Plays a service that a policy calls.
    pub fn call(&self, worker: &Worker, call: Call) -> Result<CallAnswer, Box<Rejection>> {
        let upstream = call.upstream.as_str();
        let calls = self.calls.borrow();
        let Some(script) = calls.get(&*call.name).or_else(|| calls.get(upstream)) else {
            let detail = format!("the test does not say what `{}` answers; add it to `calls`", call.name);
            return Err(Rejection::new(&reason::CALL_NOT_POSSIBLE).detail(detail));
        };
        if let Played::Fails(Failing::Refused) = script {
            let detail = "the test refuses the connection";
            return Err(Rejection::new(&reason::UPSTREAM_UNREACHABLE).detail(detail));
        }
        let sent = Sent {
            endpoint: upstream.into(),
            method: call.method.clone(),
            target: call.target.to_string(),
            headers: (&call.headers).into(),
            body: call.body.unwrap_or_default(),
        };
        self.called.borrow_mut().push((call.name, sent));
        let silent = || {
            worker.shared.clock.advance(call.timeout);
            let detail = format!("no whole answer within {} ms", call.timeout.as_millis());
            Err(Rejection::new(&reason::CALL_TIMEOUT).detail(detail))
        };
        match script {
            Played::Fails(Failing::Reset) => {
                Err(Rejection::new(&reason::UPSTREAM_BROKE).detail("closed without an answer"))
            }
            Played::Fails(_) => silent(),
            Played::Answer { delay, .. } if *delay > call.timeout => silent(),
            Played::Answer { body, .. } if body.len() as u64 > call.most => {
                Err(Rejection::new(&reason::RESPONSE_TOO_LARGE))
            }
            Played::Answer { status, headers, body, delay } => {
                worker.shared.clock.advance(*delay);
                let headers = received(*status, headers, body, call.method == Method::HEAD)
                    .map_err(|h1::Invalid(what)| Rejection::new(&reason::UPSTREAM_INVALID).detail(what))?;
                Ok(CallAnswer { status: *status, headers, body: body.clone() })
            }
        }
    }

    /// Runs a policy that finds out who calls, unless somebody has said it.
    pub fn identify<'a>(&self, slot: &'a Slot, exchange: &'a mut Exchange) -> Step<'a> {
        if !self.acts.get() {
            return slot.policy.get().request(exchange);
        }
        exchange.note(|| "the test says who calls".into());
        Step::Done(Ok(Outcome::Skipped))
    }

    pub(super) async fn answer(
        &self,
        worker: &Rc<Worker>,
        call: &Try<'_>,
        exchange: &Exchange,
        outgoing: &mut Outgoing<'_>,
    ) -> Result<Answer, Failure> {
        let script = self.script.borrow().clone();
        if let Played::Fails(Failing::Refused) = script {
            let mut failure = Failure::new(&reason::UPSTREAM_UNREACHABLE, "the test refuses the connection");
            failure.unsent = true;
            return Err(failure);
        }
        let mut head = BytesMut::new();
        let body = outgoing.body.take();
        call.encode_head(&mut head, exchange, outgoing, body.as_ref());
        let body = whole(body).await?;
        let endpoint = Arc::clone(&call.upstream.endpoints[call.index].url);
        self.sent.borrow_mut().extend(sent(endpoint, &exchange.method, &head, body));
        let silent = || {
            worker.shared.clock.advance(call.limits.read);
            let detail = format!("no answer within {} ms", call.limits.read.as_millis());
            Err(Failure::new(&reason::UPSTREAM_READ_TIMEOUT, detail))
        };
        match script {
            Played::Fails(Failing::Reset) => {
                Err(Failure::new(&reason::UPSTREAM_BROKE, "closed without an answer").unanswered())
            }
            Played::Fails(_) => silent(),
            Played::Answer { delay, .. } if delay > call.limits.read => silent(),
            Played::Answer { status, headers, body, delay } => {
                worker.shared.clock.advance(delay);
                let to_head = exchange.method == Method::HEAD;
                let headers = received(status, &headers, &body, to_head)
                    .map_err(|h1::Invalid(what)| Failure::new(&reason::UPSTREAM_INVALID, what))?;
                let bodiless = to_head || body.is_empty() || matches!(status.as_u16(), 204 | 304);
                let source = if bodiless { Source::Empty } else { Source::Whole(body) };
                Ok(Answer { status, headers, source, tunnel: None })
            }
        }
    }
}

async fn whole(body: Option<RequestBody>) -> Result<Bytes, Failure> {
    let mut whole = BytesMut::new();
    if let Some(mut body) = body {
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            let frame =
                frame.map_err(|error| Failure::new(error.0, "the request body did not come to its end"))?;
            if let Ok(data) = frame.into_data() {
                whole.put_slice(&data);
            }
        }
    }
    Ok(whole.freeze())
}

/// Reads a head back, so that what is told is what was written.
fn sent(endpoint: Arc<str>, method: &Method, head: &[u8], body: Bytes) -> Option<Sent> {
    let text = std::str::from_utf8(head).unwrap_or_default();
    let target = text.split(' ').nth(1)?.to_owned();
    let mut headers = HeaderMap::new();
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    Some(Sent { endpoint, method: method.clone(), target, headers, body })
}

/// The headers of an answer as the gateway reads them off a connection.
fn received(
    status: StatusCode,
    headers: &HeaderMap,
    body: &Bytes,
    to_head: bool,
) -> Result<Headers, h1::Invalid> {
    let mut head = BytesMut::new();
    head.put_slice(format!("HTTP/1.1 {} \r\n", status.as_u16()).as_bytes());
    for (name, value) in headers {
        write_line(&mut head, name.as_str().as_bytes(), value.as_bytes());
    }
    let framed = headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING);
    if !framed && !matches!(status.as_u16(), 204 | 304) {
        write_line(&mut head, b"content-length", body.len().to_string().as_bytes());
    }
    head.put_slice(b"\r\n");
    match h1::parse(&mut head, to_head)? {
        Some(response) => Ok(response.headers),
        None => Err(h1::Invalid("the head is incomplete")),
    }
}
