//! One client connection: which HTTP it speaks, its guard, its time limits, and giving back memory while it is idle.

use std::{
    future::poll_fn,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    rc::Rc,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Poll, Waker},
    time::Duration,
};

use engine::{Client, Reason, Rejection, reason};
use http::HeaderMap;
use hyper::{
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use model::settings::Limits;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::{
    answer::raw_answer,
    conn_state::{ConnState, Order},
    guard::HeadLimits,
    guarded::{GuardedIo, Replay},
    headers::{self, ForwardedBy},
    request,
    worker::{LocalExec, Worker},
};

/// Header lines that hyper has room for by default.
const FREE_HEADERS: usize = 100;

/// Who is at the other end.
#[derive(Debug)]
pub struct ConnInfo {
    pub peer: SocketAddr,
    /// The client, as the PROXY protocol told it.
    pub proxied: Option<IpAddr>,
    pub secure: bool,
    pub forwarded_by: ForwardedBy,
    pub trusted_proxies: Rc<[IpNet]>,
    pub state: Arc<ConnState>,
}

impl ConnInfo {
    pub fn client(&self, request_headers: &HeaderMap) -> Client {
        let direct = self.proxied.unwrap_or(self.peer.ip());
        if !self.forwarded_by.trusted {
            return Client { ip: direct, peer: self.peer, secure: self.secure };
        }
        let trusted = |ip: IpAddr| self.trusted_proxies.iter().any(|net| net.contains(&ip));
        Client {
            ip: headers::client_from(request_headers, trusted).unwrap_or(direct),
            peer: self.peer,
            secure: self.secure || headers::forwarded_https(request_headers),
        }
    }

    /// What was wrong with the body of the current request.
    pub fn flaw_in_body(&self) -> Option<&'static Reason> {
        self.state.violation.get().filter(|violation| violation.in_body).map(|violation| violation.reason)
    }

    pub fn become_tunnel(&self) {
        self.state.tunnel.store(true, Relaxed);
    }
}

/// Serves a connection until it ends. `alpn_h2` is known when TLS negotiated a protocol.
pub async fn serve<S>(worker: Rc<Worker>, info: Rc<ConnInfo>, io: S, alpn_h2: Option<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = worker.snapshot().settings.limits.clone();
    let state = Arc::clone(&info.state);
    state.idle_since.store(worker.now().0, Relaxed);
    let _registered = Registered::new(&worker, &state);
    if alpn_h2 == Some(true) {
        return Box::pin(serve_http2(&worker, &info, io, &limits)).await;
    }
    let head_limits = HeadLimits {
        request_line: limits.request_line.as_usize(),
        header_count: usize::from(limits.header_count.get()),
        head_size: limits.header_size.as_usize(),
    };
    let mut guarded = GuardedIo::new(io, head_limits, &state, worker.shared.clock.clone());
    loop {
        // Nothing but the socket is held until there is something to read.
        let is_new = !state.parked.load(Relaxed);
        match wait_for_bytes(&mut guarded, alpn_h2.is_none() && is_new).await {
            First::Http1 => {}
            First::Http2 => {
                let io = Replay { rewind: std::mem::take(&mut guarded.rewind), io: guarded.io };
                return Box::pin(serve_http2(&worker, &info, io, &limits)).await;
            }
            First::Nothing => return,
        }
        state.parked.store(false, Relaxed);
        state.forget_park();
        // On the heap, and gone while the connection is idle.
        guarded = match Box::pin(serve_http1(&worker, &info, guarded, &limits)).await {
            Some(parked) => parked,
            None => return,
        };
        state.parked.store(true, Relaxed);
        worker.parked.set(worker.parked.get() + 1);
    }
}

enum First {
    Http1,
    Http2,
    /// The connection ended, or was ended, before anything came.
    Nothing,
}

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Waits for the first bytes, and looks whether they begin HTTP/2 with prior knowledge.
async fn wait_for_bytes<S: AsyncRead + Unpin>(guarded: &mut GuardedIo<S>, may_be_http2: bool) -> First {
    let state = Arc::clone(&guarded.state);
    loop {
        let read = poll_fn(|cx| {
            state.waker.register(cx.waker());
            if matches!(state.order(), Order::Finish | Order::Close | Order::HeadTimeout) {
                return Poll::Ready(0);
            }
            let rewind = &mut guarded.rewind;
            let mut buf = ReadBuf::new(&mut rewind.bytes[rewind.filled..]);
            match Pin::new(&mut guarded.io).poll_read(cx, &mut buf) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Ok(())) => Poll::Ready(buf.filled().len()),
                Poll::Ready(Err(_)) => Poll::Ready(0),
            }
        })
        .await;
        if read == 0 {
            return First::Nothing;
        }
        let rewind = &mut guarded.rewind;
        rewind.filled += read;
        let seen = &rewind.bytes[..rewind.filled];
        if !may_be_http2 || !PREFACE.starts_with(seen) {
            return First::Http1;
        }
        if seen.len() == PREFACE.len() {
            return First::Http2;
        }
        if state.head_since.load(Relaxed) == 0 {
            state.head_since.store(guarded.clock.now().0, Relaxed);
        }
    }
}

/// Serves HTTP/1 until the connection ends; `Some` gives the stream back because it is idle.
async fn serve_http1<S>(
    worker: &Rc<Worker>,
    info: &Rc<ConnInfo>,
    guarded: GuardedIo<S>,
    limits: &Limits,
) -> Option<GuardedIo<S>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let state = Arc::clone(&info.state);
    let service = {
        let (worker, info) = (Rc::clone(worker), Rc::clone(info));
        service_fn(move |request| {
            let served = request::serve(&worker, &info, request);
            async move { Ok::<_, std::convert::Infallible>(served.await) }
        })
    };
    let mut builder = http1::Builder::new();
    // The guard enforces the limit. The library is told only of larger ones, since it has room for so many at no cost.
    if usize::from(limits.header_count.get()) > FREE_HEADERS {
        builder.max_headers(usize::from(limits.header_count.get()));
    }
    let connection = builder
        .half_close(false)
        .keep_alive(!worker.draining.get())
        .max_buf_size(limits.header_size.as_usize().max(64 * 1024) + limits.request_line.as_usize())
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(guarded), service)
        .with_upgrades();
    let mut connection = Box::pin(connection);
    let mut finishing = false;
    let mut registered: Option<Waker> = None;
    let end = poll_fn(|cx| {
        // Registering costs two atomic operations, and the task hardly ever changes.
        if !registered.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            state.waker.register(cx.waker());
            registered = Some(cx.waker().clone());
        }
        let polled = Future::poll(connection.as_mut(), cx);
        if polled.is_ready() {
            return Poll::Ready(Order::None);
        }
        if state.order() != Order::None {
            // Being woken used up the registration, and a stricter order may follow.
            state.waker.register(cx.waker());
        }
        match state.order() {
            Order::Finish if !finishing => {
                finishing = true;
                connection.as_mut().graceful_shutdown();
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Order::None | Order::Finish => Poll::Pending,
            // A request began before the order was seen.
            Order::Park if state.is_busy() || !state.between_requests.load(Relaxed) => {
                state.forget_park();
                Poll::Pending
            }
            _ if state.is_busy() => Poll::Pending,
            order => Poll::Ready(order),
        }
    })
    .await;
    let parts = Pin::into_inner(connection).into_parts()?;
    let mut guarded = parts.io.into_inner();
    if let Some(violation) = state.violation.get() {
        // A flaw in a body was the answer to its request.
        if !violation.in_body {
            refuse_raw(worker, &mut guarded.io, violation.reason).await;
        }
        return None;
    }
    match end {
        Order::Park if parts.read_buf.is_empty() => Some(guarded),
        Order::HeadTimeout => {
            refuse_raw(worker, &mut guarded.io, &reason::REQUEST_TIMEOUT).await;
            None
        }
        _ => {
            // The client is still sending a body that nobody wanted to read to its end.
            if !guarded.guard.between_requests() {
                let _ = tokio::time::timeout(LINGER, discard(&mut guarded.io)).await;
            }
            None
        }
    }
}

/// How long a client may go on sending after its answer, which closing at once would take from it.
const LINGER: Duration = Duration::from_secs(2);

/// Reads and forgets. Closing with unread bytes would reset the connection and take the answer with it.
async fn discard<S: AsyncRead + Unpin>(io: &mut S) {
    let mut rest = vec![0; 16 * 1024];
    while io.read(&mut rest).await.is_ok_and(|read| read > 0) {}
}

/// Answers what the HTTP library was never shown, and makes sure that the client can read the answer.
async fn refuse_raw<S: AsyncRead + AsyncWrite + Unpin>(
    worker: &Rc<Worker>,
    io: &mut S,
    reason: &'static Reason,
) {
    let id = worker.next_id(worker.now());
    tracing::debug!(request = %id, code = reason.code, "refused a malformed request");
    let sample =
        engine::stats::Sample { status: reason.status.as_u16(), refused: true, ..Default::default() };
    worker.snapshot().unrouted.record(worker.index, &sample);
    let bytes = raw_answer(&Rejection::new(reason), id);
    let farewell = async {
        io.write_all(&bytes).await?;
        io.shutdown().await?;
        discard(io).await;
        io::Result::Ok(())
    };
    let _ = tokio::time::timeout(LINGER, farewell).await;
}

async fn serve_http2<S>(worker: &Rc<Worker>, info: &Rc<ConnInfo>, io: S, limits: &Limits)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let state = Arc::clone(&info.state);
    let service = {
        let (worker, info) = (Rc::clone(worker), Rc::clone(info));
        service_fn(move |request| {
            let served = request::serve(&worker, &info, request);
            async move { Ok::<_, std::convert::Infallible>(served.await) }
        })
    };
    let mut builder = http2::Builder::new(LocalExec);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.concurrent_streams.get())
        .max_header_list_size(u32::try_from(limits.header_size.get()).unwrap_or(u32::MAX))
        // Streams opened and reset at once cost the client nothing and us everything.
        .max_pending_accept_reset_streams(Some(32))
        .max_local_error_reset_streams(Some(256))
        .max_send_buf_size(256 * 1024)
        .initial_stream_window_size(256 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .keep_alive_interval(Some(Duration::from_secs(30)))
        .keep_alive_timeout(Duration::from_secs(20))
        .enable_connect_protocol();
    let mut connection = Box::pin(builder.serve_connection(TokioIo::new(io), service));
    let mut finishing = false;
    poll_fn(|cx| {
        state.waker.register(cx.waker());
        if Future::poll(connection.as_mut(), cx).is_ready() {
            return Poll::Ready(());
        }
        if !finishing && !matches!(state.order(), Order::None | Order::Park) {
            finishing = true;
            connection.as_mut().graceful_shutdown();
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await;
}

/// A connection in its worker's list, for as long as it lives.
struct Registered {
    worker: Rc<Worker>,
    key: usize,
}

impl Registered {
    fn new(worker: &Rc<Worker>, state: &Arc<ConnState>) -> Self {
        let key = worker.connections.borrow_mut().insert(Arc::clone(state));
        if worker.draining.get() {
            state.drain();
        }
        Self { worker: Rc::clone(worker), key }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.worker.connections.borrow_mut().try_remove(self.key);
        let mine = &self.worker.shared.loads[self.worker.index].connections;
        mine.store(mine.load(Relaxed).saturating_sub(1), Relaxed);
    }
}
