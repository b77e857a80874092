//! One request, top to bottom: check, route, identify, process, forward, process the answer, leave an event.

use std::{borrow::Cow, panic::AssertUnwindSafe, rc::Rc, sync::Arc};

use engine::{
    Client, CompiledApi, Destination, Exchange, HeaderText, Headers, Outcome, Rejection, RequestHead,
    RequestId, Snapshot, SnapshotRef,
    callbacks::Callbacks,
    journal::Measures,
    reason,
    route::{OperationMatch, decode, raw_length},
};
use futures_util::FutureExt;
use http::{
    HeaderValue, Method, Response, StatusCode, Uri, Version,
    header::{ACCEPT_ENCODING, ALLOW, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, RETRY_AFTER, TE},
};
use http_body::Body;
use hyper::upgrade::OnUpgrade;

use crate::{
    answer::{answer, id_value, raw_answer},
    body::{Inbound, ProxyBody, Source},
    callback,
    connection::ConnInfo,
    finish::Finish,
    forward::{self, Answer, Outgoing},
    h1::Conn,
    headers::{self, X_REQUEST_ID},
    mirror,
    payload::{self, Unread},
    steps::{run, run_response},
    trailers::TrailerGuard,
    upgrade::{self, Asked},
    worker::Worker,
};

/// A request as it came, before anything was decided about it.
pub(crate) struct Begun {
    pub(crate) finish: Box<Finish>,
    inbound: Inbound,
    asked: Option<(Asked, Option<OnUpgrade>)>,
}

/// What goes back to the client.
pub struct Reply {
    pub status: StatusCode,
    pub headers: Headers,
    pub body: ProxyBody,
    /// After the response the connection belongs to the client and this upstream. Over HTTP/1 only.
    pub tunnel: Option<(Conn, Box<Finish>)>,
}

impl Reply {
    /// The same for the HTTP library, which speaks HTTP/2.
    pub fn into_http(self) -> Response<ProxyBody> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = (&self.headers).into();
        response
    }
}

/// Answers a request. A panic on the way is this request's 500 and nobody else's.
///
/// What needs no waiting happens before the future, so that the future stays small: it is moved as a whole.
pub fn serve(
    worker: &Rc<Worker>,
    conn: &Rc<ConnInfo>,
    head: RequestHead,
    inbound: Inbound,
    protocol: Option<(Asked, OnUpgrade)>,
) -> impl Future<Output = Reply> + use<> {
    reply(begin(worker, conn, head, inbound, protocol))
}

/// Answers what has begun.
pub(crate) fn reply(begun: Begun) -> impl Future<Output = Reply> + use<> {
    let id = begun.finish.exchange.id;
    async move {
        match AssertUnwindSafe(handle(begun)).catch_unwind().await {
            Ok(reply) => reply,
            Err(_) => {
                tracing::error!(request = %id, "a request made the gateway panic");
                let (status, headers, body) =
                    answer(&Rejection::new(&reason::INTERNAL_ERROR), id, None, None);
                Reply { status, headers, body: ProxyBody::new(Source::Whole(body), None), tunnel: None }
            }
        }
    }
}

pub(crate) fn begin(
    worker: &Rc<Worker>,
    conn: &Rc<ConnInfo>,
    head: RequestHead,
    inbound: Inbound,
    protocol: Option<(Asked, OnUpgrade)>,
) -> Begun {
    let asked = match protocol {
        Some((asked, upgrade)) => Some((asked, Some(upgrade))),
        None if head.version == Version::HTTP_2 => None,
        None => upgrade::asked_over_http1(&head).map(|asked| (asked, None)),
    };
    let mut finish = Finish::new(worker, conn, head);
    finish.admitted = worker.begin();
    if finish.admitted {
        conn.state.begin();
    }
    Begun { finish, inbound, asked }
}

/// Answers what is no request: the bytes of the answer, after which the connection closes. It leaves an event like any
/// other, with as much of its head as was understood.
pub fn refuse_malformed(
    worker: &Rc<Worker>,
    conn: &Rc<ConnInfo>,
    so_far: Option<(Method, Uri)>,
    reason: &'static engine::Reason,
) -> Vec<u8> {
    let (method, uri) = so_far.unwrap_or_default();
    let head = RequestHead { method, uri, ..RequestHead::default() };
    let mut finish = Finish::new(worker, conn, head);
    let rejection = Rejection::new(reason);
    finish.exchange.refuse(&rejection);
    let bytes = raw_answer(&rejection, finish.exchange.id);
    finish.response_bytes = bytes.len() as u64;
    finish.complete = true;
    bytes
}

async fn handle(begun: Begun) -> Reply {
    let Begun { mut finish, inbound, asked } = begun;
    let result = if finish.admitted {
        govern(&mut finish, inbound, asked.as_ref().map(|(asked, _)| *asked)).await
    } else {
        Err(Rejection::new(&reason::OVERLOADED).header(RETRY_AFTER, HeaderValue::from_static("1")))
    };
    let exchange = &mut finish.exchange;
    let (source, tunnel) = match result {
        Ok(answer) => {
            exchange.status = answer.status;
            exchange.response_headers = answer.headers;
            if let Some(log) = exchange.log.as_mut().filter(|_| !exchange.attempts.is_empty()) {
                log.received(&exchange.response_headers);
            }
            (answer.source, answer.tunnel)
        }
        Err(rejection) => (refuse(exchange, &rejection), None),
    };
    let source = process_response(&finish.worker, exchange, source).await;
    let mut headers = respond(exchange);
    if let (Some(upstream), Some((asked, client))) = (tunnel, asked) {
        exchange.status = upgrade::switched(asked, &mut headers);
        let status = exchange.status;
        finish.conn.become_tunnel();
        let tunnel = match client {
            None => Some((upstream, finish)),
            Some(client) => {
                upgrade::tunnel_later(client, upstream, finish);
                None
            }
        };
        return Reply { status, headers, body: ProxyBody::new(Source::Empty, None), tunnel };
    }
    Reply { status: exchange.status, headers, body: ProxyBody::new(source, Some(finish)), tunnel: None }
}

/// Everything between a parsed request and an answer of an upstream or of a policy.
async fn govern(
    finish: &mut Finish,
    inbound: Inbound,
    asked: Option<Asked>,
) -> Result<Answer, Box<Rejection>> {
    let Finish { worker, conn, exchange, request_progress: progress, .. } = finish;
    let mut body = Unread { inbound: Some(inbound), limit: None, progress };
    match decide(worker, exchange, &conn.listener, asked, &mut body).await? {
        Decided::Answered => Ok(Answer {
            status: exchange.status,
            headers: std::mem::take(&mut exchange.response_headers),
            source: Source::Empty,
            tunnel: None,
        }),
        Decided::Forward(destination) => {
            body.check_length()?;
            let mut outgoing = prepare(worker, conn, exchange, body, destination, asked);
            let answer = forward::forward(worker, exchange, &mut outgoing).await?;
            callback::check_answer(exchange, answer.status)?;
            Ok(answer)
        }
    }
}

/// What came of everything before the upstream.
pub(crate) enum Decided {
    /// The request goes there.
    Forward(Destination),
    /// A policy has answered it.
    Answered,
}

/// Check, route, and every policy before the upstream.
async fn decide(
    worker: &Worker,
    exchange: &mut Exchange,
    listener: &str,
    asked: Option<Asked>,
    body: &mut Unread<'_>,
) -> Result<Decided, Box<Rejection>> {
    let snapshot = exchange.snapshot.clone();
    // From wherever an authority looks, and whatever is served at the path otherwise.
    if let Some(challenges) = &snapshot.challenges
        && matches!(exchange.method, Method::GET | Method::HEAD)
        && let Some(answer) = challenges.at(exchange.uri.path())
    {
        let mut headers = Headers::default();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        exchange.answer_with(StatusCode::OK, headers, answer.clone());
        return Ok(Decided::Answered);
    }
    if let Some(lock) = &snapshot.address_lock
        && lock.refuses(exchange.client.ip, exchange.started)
    {
        return Err(Rejection::new(&reason::ADDRESS_LOCKED));
    }
    let limits = snapshot.listener_access.of(listener);
    if let Some(limits) = limits {
        limits.check_address(exchange.client.ip)?;
    }
    check(exchange, asked)?;
    if let Some(callbacks) = &snapshot.callbacks {
        if callbacks.is_called(&exchange.uri) {
            // On the heap, so that requests do not carry its room about.
            return Box::pin(callback::decide(worker, exchange, callbacks, asked, body)).await;
        }
        Callbacks::refuse_circle(exchange)?;
    }
    if !snapshot.url_aliases.is_empty() {
        exchange.resolve_url_alias(listener)?;
    }
    let found = route(exchange, &snapshot)?;
    let api = &snapshot.apis[found.api as usize];
    if let Some(limits) = limits {
        // Not even how the API says that something is wrong tells that it is there.
        limits.check_api(&api.names).inspect_err(|_| exchange.api = None)?;
    }
    if let Some(standing) = &api.standing {
        standing.admit(exchange)?;
    }
    exchange.operation = found.operation.as_ref().map_or(None, |operation| *operation);
    let chain = api.chain(exchange.operation);
    body.limit = api.max_body_size;
    if chain.needs.log {
        *body.progress.kept.borrow_mut() = exchange.begin_log(chain);
    }
    // A body is read for those who may use the API, unless it decides who they are.
    if chain.body_decides_access {
        body.read_whole(worker, exchange, asked).await?;
    }
    // Whether a method exists is told only to those who may use the API.
    if run(worker, exchange, chain.access()).await? == Outcome::Answered {
        return Ok(Decided::Answered);
    }
    found.operation?;
    if chain.needs.request_body {
        body.read_whole(worker, exchange, asked).await?;
    }
    if run(worker, exchange, chain.processing()).await? == Outcome::Answered {
        return Ok(Decided::Answered);
    }
    choose_destination(exchange, &snapshot, found.api)
        .map(Decided::Forward)
        .ok_or_else(|| Rejection::new(&reason::NO_UPSTREAM))
}

/// What is valid HTTP, and what we do not serve.
fn check(exchange: &mut Exchange, asked: Option<Asked>) -> Result<(), Box<Rejection>> {
    if exchange.method == Method::CONNECT && asked != Some(Asked::ExtendedConnect) {
        return Err(Rejection::new(&reason::CONNECT_REFUSED));
    }
    if let Some(expect) = exchange.headers.get(EXPECT)
        && !expect.as_bytes().eq_ignore_ascii_case(b"100-continue")
    {
        return Err(Rejection::new(&reason::EXPECTATION_FAILED));
    }
    // It asks about the server as a whole, and there is no path to look up.
    if exchange.uri.path() == "*" {
        return Err(Rejection::new(&reason::NO_SUCH_API));
    }
    // Absolute form and HTTP/2 carry the host in the target; it wins over Host (RFC 9112, 3.2.2).
    if let Some(authority) = exchange.uri.authority() {
        if authority.as_str().contains('@') {
            return Err(Rejection::new(&reason::BAD_HOST));
        }
        let host =
            HeaderValue::from_str(authority.as_str()).map_err(|_| Rejection::new(&reason::BAD_HOST))?;
        exchange.headers.insert(HOST, host);
        let mut parts = std::mem::take(&mut exchange.uri).into_parts();
        (parts.scheme, parts.authority) = (None, None);
        exchange.uri = Uri::from_parts(parts).map_err(|_| Rejection::new(&reason::BAD_REQUEST))?;
    }
    // HTTP/2 may split cookies; an HTTP/1.1 upstream expects one header (RFC 9113, 8.2.3).
    if exchange.version == http::Version::HTTP_2 {
        join_cookies(&mut exchange.headers);
    }
    Ok(())
}

fn join_cookies(headers: &mut Headers) {
    use http::header::COOKIE;
    if headers.get_all(&COOKIE).nth(1).is_some() {
        let all: Vec<&[u8]> = headers.get_all(&COOKIE).map(HeaderText::as_bytes).collect();
        if let Ok(joined) = HeaderValue::from_bytes(&all.join(&b"; "[..])) {
            headers.insert(COOKIE, joined);
        }
    }
}

struct Found {
    api: u32,
    /// Told only after the access policies have run.
    operation: Result<Option<u32>, Box<Rejection>>,
}

fn route(exchange: &mut Exchange, snapshot: &SnapshotRef) -> Result<Found, Box<Rejection>> {
    let matching = &snapshot.settings.matching;
    let path = exchange.uri.path();
    let decoded = decode(path, matching.decode_all_delimiters_in_uri)
        .map_err(|error| Rejection::new(&reason::BAD_PATH).detail(format!("{error:?}")))?;
    let host = exchange.headers.get(HOST).and_then(|v| v.to_str().ok()).unwrap_or("");
    let host = host_name(host);
    let (position, length) =
        snapshot.index.find(&host, &decoded).ok_or_else(|| Rejection::new(&reason::NO_SUCH_API))?;
    let api: &CompiledApi = &snapshot.apis[position as usize];
    let below = &decoded[length..];
    let below = if below.is_empty() { "/" } else { below };
    let operation = match api.operation(&exchange.method, below, matching.strict_trailing_slash_validation) {
        OperationMatch::Found(operation) => Ok(Some(operation)),
        OperationMatch::Options => Ok(None),
        OperationMatch::NotFound => Err(Rejection::new(&reason::NO_SUCH_OPERATION)),
        OperationMatch::OtherMethod(allow) => {
            let allow = HeaderValue::try_from(allow).unwrap_or_else(|_| HeaderValue::from_static(""));
            Err(Rejection::new(&reason::METHOD_NOT_ALLOWED).header(ALLOW, allow))
        }
    };
    let base_length = match &decoded {
        Cow::Borrowed(_) => length,
        Cow::Owned(decoded) => raw_length(path, &decoded[..length], matching.decode_all_delimiters_in_uri),
    };
    exchange.api = Some(position);
    exchange.base_length = base_length;
    Ok(Found { api: position, operation })
}

/// The host without its port, in lower case.
fn host_name(host: &str) -> Cow<'_, str> {
    let name = match host.rfind(':') {
        Some(colon) if !host.ends_with(']') => &host[..colon],
        _ => host,
    };
    if name.bytes().any(|b| b.is_ascii_uppercase()) { name.to_ascii_lowercase().into() } else { name.into() }
}

/// Where this request goes.
fn choose_destination(exchange: &mut Exchange, snapshot: &SnapshotRef, api: u32) -> Option<Destination> {
    if exchange.destination.is_some() {
        return exchange.destination.take();
    }
    let binding = &snapshot.bindings[api as usize];
    let mut chosen = binding.upstream?;
    if let (Some(canary), Some(position)) = (&snapshot.apis[api as usize].doc.canary, binding.canary) {
        let by_header = canary.header.as_ref().is_some_and(|wanted| {
            exchange.headers.get(&wanted.name).is_some_and(|found| {
                wanted.value.as_ref().is_none_or(|value| found.as_bytes() == value.as_bytes())
            })
        });
        if by_header || in_share(exchange.id, canary.share) {
            chosen = position;
        }
    }
    Some(Destination::Upstream(chosen))
}

/// A request id is random, so its low bits are as good as another random number.
fn in_share(id: RequestId, share: model::Percent) -> bool {
    u64::from(id.random(0)) * 10_000 < u64::from(share.basis_points()) << 32
}

/// Turns the client's request into the upstream's.
fn prepare<'a>(
    worker: &Rc<Worker>,
    conn: &'a ConnInfo,
    exchange: &mut Exchange,
    body: Unread<'_>,
    destination: Destination,
    asked: Option<Asked>,
) -> Outgoing<'a> {
    let snapshot = exchange.snapshot.clone();
    let seen = headers::Seen::look(&exchange.headers);
    let trailers_welcome =
        seen.hop_by_hop && exchange.headers.get(TE).is_some_and(|te| te.as_bytes().starts_with(b"trailers"));
    if asked == Some(Asked::ExtendedConnect) {
        upgrade::as_http1(exchange, worker.random_bytes());
    }
    if seen.hop_by_hop {
        headers::strip_hop_by_hop(&mut exchange.headers);
    }
    if seen.request_id {
        exchange.headers.remove(&X_REQUEST_ID);
    }
    let mut extra = match exchange.callback {
        false => headers::forwarded(&mut exchange.headers, seen, &exchange.client, &conn.forwarded_by),
        true => callback::extra_headers(exchange, seen),
    };
    extra.append(&X_REQUEST_ID, id_value(exchange.id));

    if let Some(log) = &mut exchange.log {
        log.sending(&exchange.headers, &extra);
    }
    let patience = snapshot.settings.limits.body_timeout.get();
    let mut body = body.into_request_body(worker, exchange).filter(|_| asked.is_none());
    if let Some(body) = &mut body {
        body.guard_trailers(|| TrailerGuard::new(exchange, &extra));
    }
    let has_body = body.is_some();
    let length = body.as_ref().map(|body| body.size_hint().exact());
    if let Some(tee) = start_mirror(worker, exchange, &extra, length, patience)
        && let Some(body) = &mut body
    {
        body.tee(tee);
    }
    // A policy can read what the upstream sends only as it is.
    let needs = exchange.api().map(|api| api.chain(exchange.operation).needs).unwrap_or_default();
    if needs.response_body || needs.error_body || snapshot.faults.read_native() {
        exchange.headers.remove(ACCEPT_ENCODING);
    }
    let upgrade = asked.map(|_| upgrade::WEBSOCKET);
    // A body that is here already has nothing to wait for.
    let expect_continue = seen.expect && exchange.request_payload.is_none();
    // HTTP/1.0 knows no interim answers (RFC 9110, 15.2). Policies that govern answers do not see them, so that they
    // would be a way around.
    let interim = (exchange.version == Version::HTTP_11 && !needs.response).then_some(&conn.interim);
    Outgoing { destination, extra, has_body, body, upgrade, expect_continue, trailers_welcome, interim }
}

fn start_mirror(
    worker: &Rc<Worker>,
    exchange: &Exchange,
    extra: &Headers,
    body: Option<Option<u64>>,
    patience: std::time::Duration,
) -> Option<mirror::Tee> {
    let api = exchange.api? as usize;
    let snapshot = &exchange.snapshot;
    let mirrored = worker.stand_in.is_none() && !exchange.callback;
    let position = snapshot.bindings[api].mirror.filter(|_| mirrored)?;
    let share = snapshot.apis[api].doc.mirror.as_ref()?.share;
    if !in_share(exchange.id, share) {
        return None;
    }
    mirror::start(worker, exchange, position, extra, body, patience)
}

/// The gateway's own answer; the status and headers go into the exchange like an upstream's would.
fn refuse(exchange: &mut Exchange, rejection: &Rejection) -> Source {
    exchange.refuse(rejection);
    exchange.recording = true;
    let accept = exchange.inbound_accept();
    let message = exchange.snapshot.faults.message(exchange);
    let (status, headers, body) = answer(rejection, exchange.id, accept.as_deref(), message);
    exchange.status = status;
    exchange.response_headers = headers;
    // The length is known, and an answer to HEAD has no body whatever it says.
    if *exchange.inbound_method() == Method::HEAD { Source::Empty } else { Source::Whole(body) }
}

/// Lets policies see the response. One that fails turns it into an error, which error handling sees like any other.
async fn process_response(worker: &Worker, exchange: &mut Exchange, mut source: Source) -> Source {
    // An answer to HEAD tells the length of a body that a client who asked otherwise would wait for.
    if exchange.method == Method::HEAD && *exchange.inbound_method() != Method::HEAD {
        exchange.response_headers.remove(CONTENT_LENGTH);
    }
    let snapshot = exchange.snapshot.clone();
    if let Some(api) = exchange.api.and_then(|api| snapshot.apis.get(api as usize)) {
        let chain = api.chain(exchange.operation);
        if chain.needs.response {
            for error_handling in [false, true] {
                if chain.needs.body_of(exchange.status) && exchange.response_payload.is_none() {
                    source = read_response(exchange, source).await;
                    if let (Some(log), Some(payload)) = (&mut exchange.log, &exchange.response_payload) {
                        log.received = Some(payload.bytes().clone());
                    }
                }
                if let Err(rejection) = run_response(worker, exchange, chain, error_handling).await {
                    exchange.response_payload = None;
                    exchange.forget_copies();
                    source = refuse(exchange, &rejection);
                }
            }
        }
    }
    if snapshot.faults.read_native() && exchange.has_native_fault() && exchange.response_payload.is_none() {
        source = read_response(exchange, source).await;
    }
    exchange.hide_native_fault();
    let source = payload::into_source(exchange, source);
    // What is to be copied is the body as the upstream sends it; one that was made here is another.
    if exchange.response_payload.is_some() {
        exchange.forget_copies();
    }
    source
}

async fn read_response(exchange: &mut Exchange, source: Source) -> Source {
    match payload::read_response(exchange, source).await {
        Ok(source) => source,
        Err(reason) => refuse(exchange, &Rejection::new(reason)),
    }
}

/// The headers of the answer, with those that the gateway adds to every one.
fn respond(exchange: &mut Exchange) -> Headers {
    let mut headers = std::mem::take(&mut exchange.response_headers);
    headers.insert(&X_REQUEST_ID, id_value(exchange.id));
    headers.extend(&exchange.answer_headers);
    if let Some(log) = &mut exchange.log {
        log.answering(&headers);
    }
    headers
}

/// A question about a request that nobody sends.
#[derive(Debug)]
pub struct DryRun {
    pub head: RequestHead,
    pub client: std::net::IpAddr,
    /// What it is asked about. Default: what is served.
    pub snapshot: Option<Arc<Snapshot>>,
}

/// Walks a request through everything but the upstream, and returns its record.
pub async fn dry_run(worker: &Rc<Worker>, question: DryRun) -> engine::journal::Batch {
    let snapshot = question.snapshot.map_or_else(|| worker.snapshot(), Rc::new);
    let client = Client { ip: question.client, peer: (question.client, 0).into(), secure: false };
    let now = worker.now();
    let mut exchange = Exchange::new(worker.next_id(now), now, client, snapshot.clone(), question.head);
    exchange.dry_run = true;
    let mut body = Unread { inbound: None, limit: None, progress: &Rc::default() };
    // It could have come in by any of them.
    let listener = snapshot.listeners.first().map_or("", |listener| &listener.name);
    match decide(worker, &mut exchange, listener, None, &mut body).await {
        Ok(Decided::Answered) => {
            exchange.detail = Some(Cow::Borrowed("a policy answers it; it would go to no upstream"));
        }
        Ok(Decided::Forward(Destination::Dynamic(endpoint))) => {
            exchange.detail = Some(Cow::Owned(format!("would go to {}", endpoint.url)));
        }
        Ok(Decided::Forward(Destination::Upstream(upstream))) => {
            let name = snapshot.upstreams.get(upstream as usize).map_or("?", |u| &u.name);
            exchange.detail = Some(Cow::Owned(format!("would go to upstream {name}")));
        }
        Err(rejection) => exchange.refuse(&rejection),
    }
    let mut batch = engine::journal::Batch::new(Arc::clone(&snapshot.catalog));
    let ended = worker.now();
    batch.push(&mut exchange, &Measures { ended, ..Measures::default() });
    batch
}
