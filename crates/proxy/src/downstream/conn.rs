//! The client's connection: its stream, the bytes that have come, and where in a request's body they are.
//!
//! The task of the connection and the body of the request that it carries both hold it; they take turns.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use engine::{Reason, reason};
use http_body::{Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use super::Interim;
use crate::h1::{Decoded, Decoder, Flaw, Framing};

/// Cleartext or TLS.
pub enum ClientIo {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// Somebody took it, to say farewell or to use it as a tunnel.
    Taken,
}

impl AsyncRead for ClientIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_read(cx, buf),
            Self::Tls(io) => Pin::new(io).poll_read(cx, buf),
            Self::Taken => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for ClientIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_write(cx, buf),
            Self::Tls(io) => Pin::new(io).poll_write(cx, buf),
            Self::Taken => Poll::Ready(Ok(0)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(_) | Self::Taken => Poll::Ready(Ok(())),
            Self::Tls(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Self::Tls(io) => Pin::new(io).poll_shutdown(cx),
            Self::Taken => Poll::Ready(Ok(())),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_write_vectored(cx, bufs),
            Self::Tls(io) => Pin::new(io).poll_write_vectored(cx, bufs),
            Self::Taken => Poll::Ready(Ok(0)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

impl ClientIo {
    /// Ready when there is something to read. TLS has to read for that, into `into`.
    pub fn poll_readable(&mut self, cx: &mut Context<'_>, into: &mut BytesMut) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(io) => io.poll_read_ready(cx),
            Self::Tls(io) => {
                let mut first = [0; 64];
                let mut buf = ReadBuf::new(&mut first);
                ready!(Pin::new(io).poll_read(cx, &mut buf))?;
                if buf.filled().is_empty() {
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
                into.extend_from_slice(buf.filled());
                Poll::Ready(Ok(()))
            }
            Self::Taken => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
        }
    }
}

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// Enough for most heads in one read.
const HEAD_READ: usize = 4 * 1024;
/// 8 KiB here costs more than twice the CPU of 32 KiB for large bodies.
const BODY_READ: usize = 64 * 1024;
/// A buffer with less room than this starts at its beginning again.
const LEAST_ROOM: usize = 1024;
/// Bytes of following requests that are taken in while one is being answered; more wait in the kernel.
const MOST_AHEAD: usize = 16 * 1024;

/// What comes from the client.
pub struct ClientStream {
    pub io: ClientIo,
    pub read: BytesMut,
    body: Decoder,
    /// The client is still to be told to send its body.
    go_ahead: &'static [u8],
    /// An interim answer is half written.
    interim_open: bool,
    /// What was wrong with the body.
    flaw: Option<&'static Reason>,
    /// Somebody may still read the body.
    body_held: bool,
}

/// A client's stream as its connection and the current request share it.
pub type SharedStream = Rc<RefCell<ClientStream>>;

impl ClientStream {
    pub fn new(io: ClientIo) -> Self {
        Self {
            io,
            read: BytesMut::new(),
            body: Decoder::of_request(Framing::None),
            go_ahead: b"",
            interim_open: false,
            flaw: None,
            body_held: false,
        }
    }

    /// Takes everything: the connection ends with what comes next.
    pub fn take(&mut self) -> Self {
        std::mem::replace(self, Self::new(ClientIo::Taken))
    }

    /// Reads more into the buffer; 0 at the end of the stream.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>, room: usize) -> Poll<io::Result<usize>> {
        if self.read.capacity() - self.read.len() < room.min(LEAST_ROOM) {
            self.read.reserve(room);
        }
        tokio_util::io::poll_read_buf(Pin::new(&mut self.io), cx, &mut self.read)
    }

    /// Reads towards a head.
    pub fn poll_fill_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.poll_fill(cx, HEAD_READ)
    }

    /// Nobody will read the rest of the body. Skips what of it has come; `false` when that was not all of it.
    pub fn skip_body(&mut self) -> bool {
        while !self.body.is_done() && self.flaw.is_none() && self.go_ahead.is_empty() {
            match self.body.decode(&mut self.read) {
                Ok(Decoded::Data(_) | Decoded::Trailers(_)) => {}
                Ok(Decoded::More | Decoded::End) | Err(_) => break,
            }
        }
        self.body.is_done()
    }

    pub fn body_is_held(&self) -> bool {
        self.body_held
    }

    /// The answer begins, so that there is nothing left to invite. What is left of an invitation that is half written
    /// has to go in front of the answer, or the client would take both for one line.
    #[must_use]
    pub fn forget_continue(&mut self) -> &'static [u8] {
        let rest = std::mem::take(&mut self.go_ahead);
        if rest.len() < CONTINUE.len() { rest } else { b"" }
    }

    /// Looks whether the client has gone while its request is being answered. What it sends meanwhile is kept.
    pub fn poll_gone(&mut self, cx: &mut Context<'_>) -> bool {
        // While a body is coming, its reader notices.
        while self.body.is_done() && self.read.len() < MOST_AHEAD {
            match self.poll_fill(cx, HEAD_READ) {
                Poll::Pending => return false,
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) => return true,
            }
        }
        false
    }

    /// Sends interim answers, unless the invitation to send a body is half written; `true` when the client has gone.
    pub fn poll_interim(&mut self, cx: &mut Context<'_>, interim: &Interim) -> bool {
        if !self.go_ahead.is_empty() && self.go_ahead.len() < CONTINUE.len() {
            return false;
        }
        let sent = interim.poll_send(cx, &mut self.io);
        if std::mem::replace(&mut self.interim_open, interim.is_half_sent()) && !self.interim_open {
            // The invitation has waited for this.
            cx.waker().wake_by_ref();
        }
        matches!(sent, Poll::Ready(Err(_)))
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, &'static Reason>>> {
        if let Some(flaw) = self.flaw {
            return Poll::Ready(Some(Err(flaw)));
        }
        loop {
            return Poll::Ready(match self.body.decode(&mut self.read) {
                Ok(Decoded::Data(data)) => Some(Ok(Frame::data(data))),
                Ok(Decoded::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
                Ok(Decoded::End) => None,
                Ok(Decoded::More) => {
                    let room = usize::try_from(self.body.expected()).unwrap_or(BODY_READ);
                    match ready!(self.poll_more(cx, room.clamp(HEAD_READ, BODY_READ))) {
                        Ok(1..) => continue,
                        Ok(0) | Err(_) => self.fail(&reason::CLIENT_GONE),
                    }
                }
                Err(Flaw::Invalid) => self.fail(&reason::BAD_REQUEST),
                Err(Flaw::LateFraming) => self.fail(&reason::AMBIGUOUS_LENGTH),
                Err(Flaw::TooManyTrailers) => self.fail(&reason::HEADERS_TOO_LARGE),
            });
        }
    }

    fn poll_more(&mut self, cx: &mut Context<'_>, room: usize) -> Poll<io::Result<usize>> {
        while !self.go_ahead.is_empty() {
            if self.interim_open {
                return Poll::Pending;
            }
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, self.go_ahead))?;
            self.go_ahead.advance(written);
            if self.go_ahead.is_empty() {
                let _ = Pin::new(&mut self.io).poll_flush(cx)?;
            }
        }
        // A large body gets a buffer that is as large, and not what is left of one for heads.
        if self.read.is_empty() && self.read.capacity() < room {
            self.read.reserve(room);
        }
        self.poll_fill(cx, room)
    }

    fn fail(&mut self, reason: &'static Reason) -> Option<Result<Frame<Bytes>, &'static Reason>> {
        self.flaw = Some(reason);
        Some(Err(reason))
    }
}

/// The body of a request over HTTP/1, read off its connection.
pub struct ClientBody(SharedStream);

impl std::fmt::Debug for ClientBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientBody")
    }
}

impl ClientBody {
    /// The body that follows a head; `None` when there is none.
    pub fn begin(stream: &SharedStream, framing: Framing, expects_continue: bool) -> Option<Self> {
        let mut inner = stream.borrow_mut();
        inner.body = Decoder::of_request(framing);
        inner.flaw = None;
        inner.go_ahead = b"";
        // What was half written has gone out in front of the answer before.
        inner.interim_open = false;
        if inner.body.is_done() {
            return None;
        }
        if expects_continue && inner.read.is_empty() {
            inner.go_ahead = CONTINUE;
        }
        inner.body_held = true;
        Some(Self(Rc::clone(stream)))
    }

    pub fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static Reason>>> {
        self.0.borrow_mut().poll_body(cx)
    }

    pub fn is_end_stream(&self) -> bool {
        self.0.borrow().body.is_done()
    }

    pub fn size_hint(&self) -> SizeHint {
        self.0.borrow().body.remaining().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for ClientBody {
    fn drop(&mut self) {
        self.0.borrow_mut().body_held = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> SharedStream {
        Rc::new(RefCell::new(ClientStream::new(ClientIo::Taken)))
    }

    #[test]
    fn an_invitation_that_is_half_written_is_finished_in_front_of_the_answer() {
        for (written, rest) in [(0, &b""[..]), (1, &CONTINUE[1..]), (24, b"\n"), (CONTINUE.len(), b"")] {
            let stream = stream();
            let body = ClientBody::begin(&stream, Framing::Length(5), true).unwrap();
            let mut inner = stream.borrow_mut();
            inner.go_ahead.advance(written);
            assert_eq!(inner.forget_continue(), rest, "{written} bytes of it are out");
            assert_eq!(inner.forget_continue(), b"", "it goes out once");
            drop(inner);
            drop(body);
        }
    }

    #[test]
    fn an_interim_answer_of_one_request_holds_up_no_invitation_of_the_next() {
        let stream = stream();
        // It was half sent when the answer came, which took the rest of it along.
        stream.borrow_mut().interim_open = true;
        let _body = ClientBody::begin(&stream, Framing::Length(5), true);
        assert!(!stream.borrow().interim_open);
    }
}
