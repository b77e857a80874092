//! One client connection: which HTTP it speaks, its guard, its time limits, and giving back memory while it is idle.

use std::{
    future::poll_fn,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    rc::Rc,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use atomic_waker::AtomicWaker;
use engine::{Client, Reason, Rejection, Timestamp, reason};
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
    guard::{Guard, HeadLimits, Violation},
    headers::{self, ForwardedBy},
    request,
    worker::{LocalExec, Worker},
};

/// What is known about a connection, also by those who watch over it.
#[derive(Debug, Default)]
pub struct ConnState {
    requests: AtomicU32,
    /// When a request head began to come in; 0 while none is.
    head_since: AtomicU64,
    /// When the connection became idle.
    idle_since: AtomicU64,
    tunnel: AtomicBool,
    write_blocked: AtomicBool,
    /// The bytes so far end exactly at the end of a request.
    between_requests: AtomicBool,
    parked: AtomicBool,
    order: AtomicU8,
    violation: OnceLock<Violation>,
    waker: AtomicWaker,
}

/// What a connection is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Order {
    None = 0,
    /// Give back memory; there is nothing to do.
    Park = 1,
    /// Finish what is in progress and close.
    Finish = 2,
    /// The head took too long.
    HeadTimeout = 3,
    /// Close now.
    Close = 4,
}

/// Header lines that hyper has room for by default.
const FREE_HEADERS: usize = 100;
/// How long a connection is idle before its buffers are given back.
const PARK_AFTER: Duration = Duration::from_secs(1);

impl ConnState {
    pub fn begin(&self) {
        self.requests.store(self.requests.load(Relaxed) + 1, Relaxed);
        self.head_since.store(0, Relaxed);
    }

    pub fn end(&self, now: Timestamp) {
        self.requests.store(self.requests.load(Relaxed).saturating_sub(1), Relaxed);
        self.idle_since.store(now.0, Relaxed);
        if self.violation.get().is_some() {
            // The refusal of the next request has waited for the answer to this one.
            self.waker.wake();
        }
    }

    fn is_busy(&self) -> bool {
        self.requests.load(Relaxed) > 0 || self.tunnel.load(Relaxed)
    }

    fn give(&self, order: Order) {
        // Orders only get stricter.
        if (order as u8) > self.order.load(Relaxed) {
            self.order.store(order as u8, Relaxed);
            self.waker.wake();
        }
    }

    /// There is something to do after all.
    fn forget_park(&self) {
        let _ = self.order.compare_exchange(Order::Park as u8, Order::None as u8, Relaxed, Relaxed);
    }

    /// Finish what is in progress, then close.
    pub fn drain(&self) {
        self.give(Order::Finish);
    }

    fn order(&self) -> Order {
        match self.order.load(Relaxed) {
            1 => Order::Park,
            2 => Order::Finish,
            3 => Order::HeadTimeout,
            4 => Order::Close,
            _ => Order::None,
        }
    }

    /// Looks after time limits; called for every connection a few times each second.
    pub fn watch(&self, now: Timestamp, limits: &Limits) {
        if self.is_busy() {
            return;
        }
        let since = |since: &AtomicU64| now.since(Timestamp(since.load(Relaxed)));
        if self.head_since.load(Relaxed) != 0 {
            if since(&self.head_since) > limits.header_timeout.get() {
                self.give(Order::HeadTimeout);
            }
        } else if since(&self.idle_since) > limits.keep_alive_timeout.get() {
            self.give(Order::Close);
        } else if since(&self.idle_since) > PARK_AFTER
            && self.between_requests.load(Relaxed)
            && !self.parked.load(Relaxed)
            && !self.write_blocked.load(Relaxed)
        {
            self.give(Order::Park);
        }
    }
}

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

/// The client's stream, with the guard in front of whoever reads.
///
/// Lines of a head are shown only when they are whole: the HTTP library has its own way to refuse half of one.
struct GuardedIo<S> {
    io: S,
    guard: Guard,
    state: Arc<ConnState>,
    clock: engine::Clock,
    /// Bytes that were read to find out which protocol this is.
    rewind: Rewind,
    /// The beginning of a line whose end has not come.
    held: Vec<u8>,
    /// Bytes that may be shown and did not fit.
    ready: Vec<u8>,
}

#[derive(Default)]
struct Rewind {
    bytes: [u8; 24],
    filled: usize,
}

impl Rewind {
    fn give(&mut self, buf: &mut ReadBuf<'_>) {
        let take = self.filled.min(buf.remaining());
        buf.put_slice(&self.bytes[..take]);
        self.bytes.copy_within(take..self.filled, 0);
        self.filled -= take;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for GuardedIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let me = &mut *self;
        let before = buf.filled().len();
        loop {
            if !me.ready.is_empty() {
                let take = me.ready.len().min(buf.remaining());
                buf.put_slice(&me.ready[..take]);
                me.ready.drain(..take);
                return Poll::Ready(Ok(()));
            }
            if let Some(violation) = me.state.violation.get() {
                return me.refuse(violation);
            }
            if me.rewind.filled > 0 {
                me.rewind.give(buf);
            } else {
                match Pin::new(&mut me.io).poll_read(cx, buf) {
                    Poll::Ready(Ok(())) => {}
                    other => return other,
                }
            }
            if me.state.tunnel.load(Relaxed) || buf.filled().len() == before {
                return Poll::Ready(Ok(()));
            }
            if let Err(violation) = me.guard.feed(&buf.filled()[before..]) {
                // Whole requests before the flaw are shown, and nothing of what follows.
                let held = std::mem::take(&mut me.held);
                me.ready = if violation.clean > 0 { held } else { Vec::new() };
                me.ready.extend_from_slice(&buf.filled()[before..before + violation.clean]);
                buf.set_filled(before);
                let _ = me.state.violation.set(violation);
                continue;
            }
            me.look_at_the_time();
            let unfinished = me.guard.unfinished();
            if unfinished == 0 && me.held.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let mut all = std::mem::take(&mut me.held);
            all.extend_from_slice(&buf.filled()[before..]);
            buf.set_filled(before);
            me.held = all.split_off(all.len() - unfinished.min(all.len()));
            me.ready = all;
        }
    }
}

impl<S> GuardedIo<S> {
    fn look_at_the_time(&self) {
        self.state.between_requests.store(self.guard.between_requests(), Relaxed);
        if !self.guard.inside_head() {
            self.state.head_since.store(0, Relaxed);
        } else if self.state.head_since.load(Relaxed) == 0 {
            self.state.head_since.store(self.clock.now().0, Relaxed);
        }
    }

    fn refuse(&self, violation: &Violation) -> Poll<io::Result<()>> {
        // A request before this one still gets its answer; its end polls this again.
        if self.state.is_busy() && !violation.in_body {
            return Poll::Pending;
        }
        Poll::Ready(Err(io::ErrorKind::InvalidData.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for GuardedIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, buf);
        self.state.write_blocked.store(polled.is_pending(), Relaxed);
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The HTTP library takes a refused read for the end; the refusal is still to be written.
        if self.state.violation.get().is_some_and(|violation| !violation.in_body) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.state.write_blocked.store(polled.is_pending(), Relaxed);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
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
    let mut guarded = GuardedIo {
        io,
        guard: Guard::new(head_limits),
        state: Arc::clone(&state),
        clock: worker.shared.clock.clone(),
        rewind: Rewind::default(),
        held: Vec::new(),
        ready: Vec::new(),
    };
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

/// A stream whose first bytes have been read already.
struct Replay<S> {
    rewind: Rewind,
    io: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Replay<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.rewind.filled > 0 {
            self.rewind.give(buf);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Replay<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
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
