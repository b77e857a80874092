//! One client connection: which HTTP it speaks, and giving back its memory while it is idle.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    rc::Rc,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll},
    time::Duration,
};

use bytes::BytesMut;
use engine::{Client, Headers, identifiers::ClientCertificate};
use http::Method;
use hyper::{server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use model::settings::Limits;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    body::Inbound,
    conn_state::{ConnState, Order},
    downstream::{ClientIo, ClientStream, End, Http1, Interim, SharedStream},
    headers::{self, ForwardedBy},
    request, upgrade,
    worker::{LocalExec, Worker},
};

/// Who is at the other end.
#[derive(Debug)]
pub struct ConnInfo {
    pub peer: SocketAddr,
    /// Name of the listener that it came in by.
    pub listener: Arc<str>,
    /// The client, as the PROXY protocol told it.
    pub proxied: Option<IpAddr>,
    pub secure: bool,
    /// What the client authenticated with, over TLS.
    pub certificate: Option<Arc<ClientCertificate>>,
    pub forwarded_by: ForwardedBy,
    pub trusted_proxies: Rc<[IpNet]>,
    pub state: Arc<ConnState>,
    /// Interim answers on their way to the client.
    pub interim: Interim,
}

impl ConnInfo {
    pub fn client(&self, request_headers: &Headers) -> Client {
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

    pub fn become_tunnel(&self) {
        self.state.tunnel.store(true, Relaxed);
    }
}

/// Serves a connection until it ends. `alpn_h2` is known when TLS negotiated a protocol.
pub async fn serve(worker: Rc<Worker>, info: Rc<ConnInfo>, io: ClientIo, alpn_h2: Option<bool>) {
    let limits = worker.snapshot().settings.limits.clone();
    let state = Arc::clone(&info.state);
    state.idle_since.store(worker.now().0, Relaxed);
    let _registered = Registered::new(&worker, &state);
    let stream: SharedStream = Rc::new(RefCell::new(ClientStream::new(io)));
    if alpn_h2 == Some(true) {
        return Box::pin(serve_http2(&worker, &info, Replay::of(&stream), &limits)).await;
    }
    let mut is_new = true;
    loop {
        // Nothing but the socket is held until there is something to read.
        if !wait_for_bytes(&state, &stream).await {
            return;
        }
        state.parked.store(false, Relaxed);
        state.forget_park();
        let may_be_http2 = is_new && alpn_h2.is_none();
        let http1 = Http1 { worker: &worker, info: &info, stream: &stream, limits: &limits, may_be_http2 };
        // On the heap, and gone while the connection is idle.
        match Box::pin(http1.serve()).await {
            End::Closed => return,
            End::Http2 => {
                return Box::pin(serve_http2(&worker, &info, Replay::of(&stream), &limits)).await;
            }
            End::Idle => {}
        }
        is_new = false;
        stream.borrow_mut().read = BytesMut::new();
        state.parked.store(true, Relaxed);
        worker.parked.set(worker.parked.get() + 1);
    }
}

/// What HTTP/2 with prior knowledge begins with.
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// `false` when the connection ended, or was ended, before anything came.
async fn wait_for_bytes(state: &ConnState, stream: &SharedStream) -> bool {
    poll_fn(|cx| {
        state.waker.register(cx.waker());
        if matches!(state.order(), Order::Finish | Order::Close | Order::HeadTimeout) {
            return Poll::Ready(false);
        }
        let ClientStream { io, read, .. } = &mut *stream.borrow_mut();
        io.poll_readable(cx, read).map(|readable| readable.is_ok())
    })
    .await
}

async fn serve_http2(worker: &Rc<Worker>, info: &Rc<ConnInfo>, io: Replay, limits: &Limits) {
    let state = Arc::clone(&info.state);
    let service = {
        let (worker, info) = (Rc::clone(worker), Rc::clone(info));
        service_fn(move |mut request| {
            // Only a tunnel wants the stream, and asking for it is not free.
            let upgrade = (*request.method() == Method::CONNECT).then(|| hyper::upgrade::on(&mut request));
            let (head, body) = request.into_parts();
            let protocol = upgrade::asked_over_http2(&head).zip(upgrade);
            let served = request::serve(&worker, &info, head.into(), Inbound::Http2(body), protocol);
            async move { Ok::<_, std::convert::Infallible>(served.await.into_http()) }
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
struct Replay {
    first: BytesMut,
    io: ClientIo,
}

impl Replay {
    fn of(stream: &SharedStream) -> Self {
        let ClientStream { io, read, .. } = stream.borrow_mut().take();
        Self { first: read, io }
    }
}

impl AsyncRead for Replay {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let take = self.first.len().min(buf.remaining());
        buf.put_slice(&self.first.split_to(take));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Replay {
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
        true
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
