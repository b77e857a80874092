//! One connection to an endpoint.

use std::{
    io,
    net::IpAddr,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll},
};

use bytes::BytesMut;
use engine::{Timestamp, upstream::EndpointState};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

/// Cleartext or TLS.
#[derive(Debug)]
pub enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_read(cx, buf),
            Self::Tls(io) => Pin::new(io).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_write(cx, buf),
            Self::Tls(io) => Pin::new(io).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_flush(cx),
            Self::Tls(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Self::Tls(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}

impl Io {
    /// Nothing waits to be read, and the other side has not closed.
    fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        match self {
            // Without a readiness event since the last read this asks the runtime only, not the kernel.
            Self::Plain(io) => {
                matches!(io.try_read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
            }
            Self::Tls(io) => {
                // Polled without anybody to wake: the answer now is all that counts.
                let mut cx = Context::from_waker(std::task::Waker::noop());
                Pin::new(io).poll_read(&mut cx, &mut ReadBuf::new(&mut byte)).is_pending()
            }
        }
    }
}

/// A connection to an endpoint, and the bytes that came in before anybody wanted them.
#[derive(Debug)]
pub struct Conn {
    pub io: Io,
    pub read: BytesMut,
    /// The address that it leads to.
    pub peer: IpAddr,
    /// It has carried a request before.
    pub reused: bool,
    pub idle_since: Timestamp,
    _counted: Counted,
}

/// One of the connections that an endpoint may have.
#[derive(Debug)]
pub struct Counted(Arc<EndpointState>);

impl Counted {
    /// `None` when the endpoint has as many as it may have.
    pub fn new(endpoint: &Arc<EndpointState>, most: u32) -> Option<Self> {
        let before = endpoint.connections.fetch_add(1, Relaxed);
        let counted = Self(Arc::clone(endpoint));
        (before < most).then_some(counted)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Relaxed);
    }
}

/// Enough for most answers of APIs in one read; large bodies get a larger one.
pub const HEAD_READ: usize = 8 * 1024;
/// 8 KiB here costs more than twice the CPU of 32 KiB for bodies of 64 KiB.
pub const BODY_READ: usize = 64 * 1024;

impl Conn {
    pub fn new(io: Io, peer: IpAddr, counted: Counted) -> Self {
        let idle_since = Timestamp::default();
        Self { io, read: BytesMut::new(), peer, reused: false, idle_since, _counted: counted }
    }

    /// Whether the next request may use it. Bytes that nobody asked for end a connection.
    pub fn is_reusable(&mut self) -> bool {
        self.read.is_empty() && self.io.is_quiet()
    }

    /// Reads more into the buffer; 0 at the end of the stream.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>, reserve: usize) -> Poll<io::Result<usize>> {
        if self.read.capacity() - self.read.len() < reserve {
            self.read.reserve(reserve);
        }
        tokio_util::io::poll_read_buf(Pin::new(&mut self.io), cx, &mut self.read)
    }
}
