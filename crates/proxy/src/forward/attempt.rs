//! One try: a connection, the request on it, the head of the answer.

use std::{
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::BytesMut;
use engine::{
    Exchange, Headers, Reason, Rejection, Timestamp, reason, reason::Origin, upstream::CompiledUpstream,
};
use http::{Method, StatusCode};
use http_body::Body;
use http_body_util::{Either, Empty};
use tokio::time::timeout;

use super::{Answer, Limits, Outgoing, UpstreamBody, upstream_body::Release};
use crate::{
    body::{RequestBody, Source},
    downstream::Interim,
    h1::{self, BodyReader, Conn, Framing, SendError, Sender},
    h2::{self, H2Body, H2Handle},
    patience::Patience,
    pool::{Connected, Pool, Wanted},
    upgrade::WEBSOCKET,
    worker::Worker,
};

/// Why a try failed, and what that means for the next one.
pub struct Failure {
    pub reason: &'static Reason,
    pub detail: String,
    /// The endpoint is to be left alone for a while.
    pub blames_endpoint: bool,
    /// Nothing of the request has left.
    pub unsent: bool,
    /// No byte of an answer has come.
    pub unanswered: bool,
}

impl Failure {
    pub(super) fn new(reason: &'static Reason, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let blames_endpoint = reason.origin == Origin::Upstream;
        Self { reason, detail, blames_endpoint, unsent: false, unanswered: false }
    }

    pub(super) fn unanswered(mut self) -> Self {
        self.unanswered = true;
        self
    }

    pub fn into_rejection(self, worker: &Worker) -> Box<Rejection> {
        let slow = self.reason.status == StatusCode::GATEWAY_TIMEOUT;
        let rejection = Rejection::new(self.reason).detail(self.detail);
        if slow && worker.live().snapshot.settings.timeouts.return408_for_connection_timeout {
            rejection.with_status(StatusCode::REQUEST_TIMEOUT)
        } else if self.reason.status == StatusCode::SERVICE_UNAVAILABLE {
            rejection.header(http::header::RETRY_AFTER, http::HeaderValue::from_static("1"))
        } else {
            rejection
        }
    }
}

pub(super) struct Try<'a> {
    pub upstream: &'a CompiledUpstream,
    pub index: usize,
    pub pool: &'a Rc<Pool>,
    pub limits: Limits,
    pub fresh: bool,
    pub started: Timestamp,
}

/// How long a body waits for `100 Continue` before it is sent all the same (RFC 9110, 10.1.1).
const CONTINUE_PATIENCE: Duration = Duration::from_secs(1);
/// Room for one read of a head; a buffer with less left over starts at its beginning again.
const HEAD_ROOM: usize = 2 * 1024;
/// Interim answers before the final one; more are an attack or a loop.
const MOST_INTERIM: u8 = 16;

impl Try<'_> {
    /// Returns the answer or the failure, and whether the connection had been kept open.
    pub(super) async fn run(
        &self,
        worker: &Rc<Worker>,
        exchange: &Exchange,
        outgoing: &mut Outgoing<'_>,
    ) -> (Result<Answer, Failure>, bool) {
        if let Some(stand_in) = &worker.stand_in {
            return (stand_in.answer(worker, self, exchange, outgoing).await, false);
        }
        let live = worker.live();
        let grpc = exchange
            .headers
            .get(http::header::CONTENT_TYPE)
            .is_some_and(|v| v.as_bytes().starts_with(b"application/grpc"));
        let wanted = Wanted {
            upstream: self.upstream,
            endpoint: &self.upstream.endpoints[self.index],
            tls: &live.tls,
            timeout: self.limits.connect,
            now: self.started,
            grpc,
            fresh: self.fresh,
            http1: outgoing.upgrade.is_some(),
            private_addresses: &exchange.snapshot.settings.private_addresses,
            dns: &exchange.snapshot.settings.dns,
        };
        match worker.pools.connect(self.pool, &wanted).await {
            Err(error) => {
                let mut failure = Failure::new(error.reason, error.detail);
                failure.unsent = true;
                (Err(failure), false)
            }
            Ok(Connected::H1(conn)) => {
                let reused = conn.reused;
                (self.over_h1(worker, exchange, outgoing, conn).await, reused)
            }
            // On the heap, so that requests over HTTP/1.1 do not carry its room about.
            Ok(Connected::H2 { handle, reused }) => {
                (Box::pin(self.over_h2(worker, exchange, outgoing, handle)).await, reused)
            }
        }
    }

    async fn over_h1(
        &self,
        worker: &Rc<Worker>,
        exchange: &Exchange,
        outgoing: &mut Outgoing<'_>,
        mut conn: Conn,
    ) -> Result<Answer, Failure> {
        let body = outgoing.body.take();
        let mut out = worker.take_buffer();
        let framing = self.encode_head(&mut out, exchange, outgoing, body.as_ref());
        let holding = outgoing.expect_continue && body.is_some();
        let mut sender = Sender::new(out, body, framing == Framing::Chunked, holding);
        let to_head = exchange.method == Method::HEAD;
        let result = {
            let mut wait = Wait {
                patience: Patience::new(&worker.ticker, self.limits.read),
                read: self.limits.read,
                hold: Patience::new(&worker.ticker, CONTINUE_PATIENCE),
                interim: 0,
                received: false,
                deaf: false,
                to_head,
                wants_upgrade: outgoing.upgrade.is_some(),
                client: outgoing.interim,
            };
            poll_fn(|cx| wait.poll(cx, &mut conn, &mut sender)).await
        };
        let response = match result {
            Ok(response) => response,
            Err(failure) => {
                let (out, body) = sender.into_parts();
                worker.give_buffer(out);
                // A body that nobody has read from can go to another endpoint.
                outgoing.body = body;
                return Err(failure);
            }
        };
        if response.status == StatusCode::SWITCHING_PROTOCOLS {
            let same =
                |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(WEBSOCKET.as_bytes());
            if !response.upgrade.as_ref().is_some_and(same) {
                return Err(Failure::new(
                    &reason::UPGRADE_REFUSED,
                    "switched to another protocol than the one asked for",
                ));
            }
            return Ok(Answer {
                status: response.status,
                headers: response.headers,
                source: Source::Empty,
                tunnel: Some(conn),
            });
        }
        let mut reader = BodyReader::new(response.framing);
        let max_idle = self.upstream.doc.keep_alive.max_idle;
        let source = if sender.is_done() && reader.is_done() {
            self.finish_conn(conn, response.keep_alive, max_idle);
            Source::Empty
        } else if sender.is_done()
            && let Some(whole) = reader.take_all(&mut conn)
        {
            self.finish_conn(conn, response.keep_alive, max_idle);
            Source::Whole(whole)
        } else {
            let max_idle = response.keep_alive.then_some(max_idle);
            let patience = Patience::new(&worker.ticker, body_limit(&response.headers, self.limits.read));
            let body = UpstreamBody::new(conn, reader, sender, self.release(worker, max_idle), patience);
            let source = Source::H1(Box::new(body));
            return Ok(Answer { status: response.status, headers: response.headers, source, tunnel: None });
        };
        let (out, _) = sender.into_parts();
        worker.give_buffer(out);
        Ok(Answer { status: response.status, headers: response.headers, source, tunnel: None })
    }

    /// Writes the head of the request; returns how its body is framed.
    pub(super) fn encode_head(
        &self,
        out: &mut BytesMut,
        exchange: &Exchange,
        outgoing: &Outgoing<'_>,
        body: Option<&RequestBody>,
    ) -> Framing {
        let endpoint = &self.upstream.endpoints[self.index];
        let framing = match body {
            None => empty_body_framing(&exchange.method),
            Some(body) => body.size_hint().exact().map_or(Framing::Chunked, Framing::Length),
        };
        h1::encode_head(
            out,
            &h1::Head {
                method: &exchange.method,
                path: [&endpoint.base_path, &exchange.uri.path()[exchange.base_length..]],
                query: exchange.uri.query(),
                host: endpoint.authority.as_str(),
                headers: &exchange.headers,
                extra: &outgoing.extra,
                framing,
                upgrade: outgoing.upgrade,
                expect_continue: outgoing.expect_continue && body.is_some(),
            },
        );
        framing
    }

    fn release(&self, worker: &Rc<Worker>, max_idle: Option<u32>) -> Release {
        Release { pool: Rc::clone(self.pool), worker: Rc::clone(worker), max_idle }
    }

    fn finish_conn(&self, conn: Conn, keep_alive: bool, max_idle: u32) {
        if keep_alive {
            self.pool.release(conn, max_idle, self.started);
        }
    }

    async fn over_h2(
        &self,
        worker: &Rc<Worker>,
        exchange: &Exchange,
        outgoing: &mut Outgoing<'_>,
        mut handle: H2Handle,
    ) -> Result<Answer, Failure> {
        let endpoint = &self.upstream.endpoints[self.index];
        let path = &exchange.uri.path()[exchange.base_length..];
        let slash = if endpoint.base_path.is_empty() && path.is_empty() { "/" } else { "" };
        let query = exchange.uri.query().map_or(String::new(), |q| format!("?{q}"));
        let scheme = if endpoint.tls { "https" } else { "http" };
        let uri = format!("{scheme}://{}{}{path}{slash}{query}", endpoint.authority, endpoint.base_path);
        let uri = uri.parse().map_err(|_| Failure::new(&reason::BAD_PATH, "the path cannot be sent"))?;
        let body = outgoing.body.take().map_or_else(|| Either::Right(Empty::new()), Either::Left);
        let request = h2::request(exchange, uri, outgoing, body);
        match timeout(self.limits.read, handle.send(request)).await {
            Err(_) => Err(Failure::new(&reason::UPSTREAM_READ_TIMEOUT, "no answer over HTTP/2 in time")),
            Ok(Err(error)) => {
                Err(Failure::new(&reason::UPSTREAM_BROKE, format!("HTTP/2: {error}")).unanswered())
            }
            Ok(Ok(response)) => {
                let (head, incoming) = response.into_parts();
                let mut headers = Headers::from(&head.headers);
                crate::headers::strip_hop_by_hop(&mut headers);
                let source = if incoming.is_end_stream() {
                    Source::Empty
                } else {
                    let limit = body_limit(&headers, self.limits.read);
                    Source::H2(Box::new(H2Body::new(incoming, Patience::new(&worker.ticker, limit))))
                };
                Ok(Answer { status: head.status, headers, source, tunnel: None })
            }
        }
    }
}

/// An empty body is said for methods that usually have one, or some upstreams answer 411.
fn empty_body_framing(method: &Method) -> Framing {
    match *method {
        Method::POST | Method::PUT | Method::PATCH => Framing::Length(0),
        _ => Framing::None,
    }
}

/// Streams of events and of gRPC messages may be silent for as long as they like.
fn body_limit(headers: &Headers, read: Duration) -> Duration {
    let streams = headers.get(http::header::CONTENT_TYPE).is_some_and(|value| {
        let value = value.as_bytes();
        value.starts_with(b"text/event-stream") || value.starts_with(b"application/grpc")
    });
    if streams { Duration::MAX } else { read }
}

/// Waiting for the head of an answer while the request is still being sent.
struct Wait<'a> {
    patience: Patience,
    read: Duration,
    hold: Patience,
    interim: u8,
    received: bool,
    /// The upstream takes no more of the request.
    deaf: bool,
    to_head: bool,
    wants_upgrade: bool,
    /// Who else wants to see interim answers.
    client: Option<&'a Interim>,
}

impl Wait<'_> {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        conn: &mut Conn,
        sender: &mut Sender,
    ) -> Poll<Result<h1::Response, Failure>> {
        loop {
            if !sender.is_done() && !self.deaf {
                match sender.poll(cx, &mut conn.io) {
                    Poll::Ready(Err(SendError::Client(error))) => {
                        return Poll::Ready(Err(Failure::new(
                            error.0,
                            "the request body did not come to its end",
                        )));
                    }
                    // An upstream may answer and close before it has read everything. What it has said is read
                    // before its silence is taken for an answer.
                    Poll::Ready(Err(SendError::Io)) => self.deaf = true,
                    Poll::Ready(Ok(())) | Poll::Pending => {}
                }
            }
            let held = sender.holding;
            match self.poll_head(cx, conn, sender) {
                Poll::Ready(result) => return Poll::Ready(result),
                Poll::Pending if held && !sender.holding => continue,
                Poll::Pending => {}
            }
            return self.poll_timers(cx, sender);
        }
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        conn: &mut Conn,
        sender: &mut Sender,
    ) -> Poll<Result<h1::Response, Failure>> {
        loop {
            match conn.poll_fill(cx, HEAD_ROOM) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(self.broke(sender, "closed without an answer".to_owned())));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.broke(sender, error.to_string()))),
                Poll::Ready(Ok(_)) => self.received = true,
            }
            loop {
                let response = match h1::parse(&mut conn.read, self.to_head) {
                    Err(h1::Invalid(what)) => {
                        return Poll::Ready(Err(Failure::new(&reason::UPSTREAM_INVALID, what)));
                    }
                    Ok(None) => break,
                    Ok(Some(response)) => response,
                };
                if response.status == StatusCode::SWITCHING_PROTOCOLS {
                    return Poll::Ready(if self.wants_upgrade {
                        Ok(response)
                    } else {
                        Err(Failure::new(&reason::UPSTREAM_INVALID, "switched protocols without being asked"))
                    });
                }
                if !response.status.is_informational() {
                    return Poll::Ready(Ok(response));
                }
                self.interim += 1;
                if self.interim > MOST_INTERIM {
                    return Poll::Ready(Err(Failure::new(
                        &reason::UPSTREAM_INVALID,
                        "too many interim answers",
                    )));
                }
                if response.status == StatusCode::CONTINUE {
                    // The client hears it from us, when its body is read.
                    sender.holding = false;
                } else if let Some(client) = self.client {
                    client.pass_on(response.status, &response.headers);
                }
            }
        }
    }

    fn broke(&self, sender: &Sender, detail: String) -> Failure {
        let failure = Failure::new(&reason::UPSTREAM_BROKE, detail);
        if self.received {
            return failure;
        }
        let mut failure = failure.unanswered();
        failure.unsent = !sender.has_started() && sender.body_untouched();
        failure
    }

    fn poll_timers(
        &mut self,
        cx: &mut Context<'_>,
        sender: &mut Sender,
    ) -> Poll<Result<h1::Response, Failure>> {
        if sender.holding {
            if self.hold.poll(cx).is_ready() {
                sender.holding = false;
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        // While the client delivers its body, its own pauses are limited; the upstream is waited for otherwise.
        if !sender.is_done() && !sender.is_blocked() && !self.deaf {
            self.patience.reset();
            return Poll::Pending;
        }
        self.patience.poll(cx).map(|()| {
            let detail = format!("no answer within {} ms", self.read.as_millis());
            Err(Failure::new(&reason::UPSTREAM_READ_TIMEOUT, detail))
        })
    }
}
