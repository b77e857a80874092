//! Answers on their way to a client over HTTP/1: the head written once, the body as it comes.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use engine::{Headers, RequestHead, headers::write_line};
use http::{HeaderMap, Method, StatusCode, Version, header::CONTENT_LENGTH};
use http_body::Body;
use tokio::io::AsyncWrite;

use super::conn::ClientStream;
use crate::{body::ProxyBody, h1::decimal, headers::Kind, patience::Patience, request::Reply};

/// What the answer's framing depends on besides the answer.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    pub head: bool,
    pub version: Version,
    /// The client said that it takes trailers.
    pub trailers: bool,
}

impl Asked {
    pub fn new(request: &RequestHead) -> Self {
        let trailers = request.headers.get(http::header::TE).is_some_and(|te| {
            te.as_bytes().split(|b| *b == b',').any(|t| t.trim_ascii().eq_ignore_ascii_case(b"trailers"))
        });
        Self { head: request.method == Method::HEAD, version: request.version, trailers }
    }
}

/// How the client learns where the answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// There is no body, whatever the headers say.
    NoBody,
    /// So many bytes are still to be written.
    Length(u64),
    Chunked,
    Close,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    Whole,
    /// The answer broke off, or the client does not take it: there is nothing left to say on this connection.
    Broken,
}

/// Pieces up to this size are copied behind what waits already, to go out in one write.
const COPY: usize = 16 * 1024;

/// An answer that is being written.
pub struct Writer {
    out: BytesMut,
    /// A large piece, written after `out` without copying it.
    piece: Bytes,
    /// What follows the piece.
    tail: &'static [u8],
    body: ProxyBody,
    ending: Ending,
    trailers: bool,
    ended: bool,
    broken: bool,
    patience: Patience,
}

impl Writer {
    /// `close` ends the connection after the answer, and says so; [`Self::closes`] tells whether it has to.
    pub fn new(
        mut out: BytesMut,
        reply: Reply,
        asked: Asked,
        close: bool,
        date: &[u8],
        patience: Patience,
    ) -> Self {
        let Reply { status, headers, mut body, .. } = reply;
        let ending = ending(status, &headers, &body, asked);
        let close = close || ending == Ending::Close;
        put_status(&mut out, status);
        let mut length_said = false;
        let mut dated = false;
        headers.write(&mut out, |name, value| match Kind::of(name) {
            // Framing and the life of the connection are said below, once.
            Kind::HopByHop => goes_on(name, status),
            Kind::ContentLength => {
                // An upstream that said the length has said it in a place that can stay.
                let same = matches!(ending, Ending::Length(length) if decimal(value) == Some(length));
                let stays = same && !length_said;
                length_said |= same;
                // Without a body it tells of the one that a GET would get.
                stays || (ending == Ending::NoBody && status != StatusCode::NO_CONTENT)
            }
            _ => {
                dated |= name.eq_ignore_ascii_case(b"date");
                true
            }
        });
        match ending {
            Ending::Length(length) if !length_said => put_length(&mut out, length),
            Ending::Chunked => write_line(&mut out, b"transfer-encoding", b"chunked"),
            Ending::Length(_) | Ending::NoBody | Ending::Close => {}
        }
        if close {
            write_line(&mut out, b"connection", b"close");
        } else if asked.version == Version::HTTP_10 {
            write_line(&mut out, b"connection", b"keep-alive");
        }
        if !dated {
            write_line(&mut out, b"date", date);
        }
        out.put_slice(b"\r\n");
        let ended = matches!(ending, Ending::NoBody | Ending::Length(0));
        if ended {
            body.finish();
        }
        Self {
            out,
            piece: Bytes::new(),
            tail: b"",
            body,
            ended,
            ending,
            trailers: asked.trailers,
            broken: false,
            patience,
        }
    }

    /// The answer ends with the connection.
    pub fn closes(&self) -> bool {
        self.ending == Ending::Close
    }

    pub fn into_buffer(self) -> BytesMut {
        self.out
    }

    /// Writes as much as the client takes and the body delivers.
    pub fn poll(&mut self, cx: &mut Context<'_>, client: &std::cell::RefCell<ClientStream>) -> Poll<Written> {
        loop {
            self.gather(cx);
            if self.out.is_empty() && self.piece.is_empty() && self.tail.is_empty() {
                if self.broken {
                    return Poll::Ready(Written::Broken);
                }
                if self.ended {
                    // Only TLS has anything left to flush.
                    return Pin::new(&mut client.borrow_mut().io)
                        .poll_flush(cx)
                        .map(|flushed| if flushed.is_ok() { Written::Whole } else { Written::Broken });
                }
                if client.borrow_mut().poll_gone(cx) {
                    return Poll::Ready(Written::Broken);
                }
                return Poll::Pending;
            }
            let stream = &mut *client.borrow_mut();
            match self.poll_write(cx, stream) {
                Poll::Ready(Ok(())) => self.patience.reset(),
                Poll::Ready(Err(_)) => return Poll::Ready(Written::Broken),
                // A client that takes nothing for too long holds an upstream and its memory.
                Poll::Pending if self.patience.poll(cx).is_ready() || stream.poll_gone(cx) => {
                    return Poll::Ready(Written::Broken);
                }
                Poll::Pending => return Poll::Pending,
            }
            if !self.ended && matches!(stream.io, super::ClientIo::Tls(_)) {
                let _ = Pin::new(&mut stream.io).poll_flush(cx);
            }
        }
    }

    /// Takes pieces from the body until there is enough for one write.
    fn gather(&mut self, cx: &mut Context<'_>) {
        while !self.ended && !self.broken && self.piece.is_empty() && self.out.len() < COPY {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => self.add(data),
                    Err(frame) => self.end(frame.into_trailers().ok().filter(|_| self.trailers).as_ref()),
                },
                Poll::Ready(Some(Err(_))) => self.broken = true,
                Poll::Ready(None) => self.end(None),
            }
        }
    }

    fn add(&mut self, mut data: Bytes) {
        match &mut self.ending {
            _ if data.is_empty() => return,
            Ending::Length(left) => {
                // More than was announced would be taken for the next answer.
                data.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= data.len() as u64;
                if *left == 0 {
                    self.ended = true;
                    self.body.finish();
                }
            }
            Ending::Chunked => {
                // Writing to a buffer that grows cannot fail.
                let _ = std::fmt::Write::write_fmt(&mut self.out, format_args!("{:x}\r\n", data.len()));
                self.tail = b"\r\n";
            }
            Ending::NoBody | Ending::Close => {}
        }
        if data.len() <= COPY {
            self.out.extend_from_slice(&data);
            self.out.extend_from_slice(std::mem::take(&mut self.tail));
        } else {
            self.piece = data;
        }
    }

    fn end(&mut self, trailers: Option<&HeaderMap>) {
        self.ended = true;
        match self.ending {
            // Less than was announced: the client must not take the next answer for the rest.
            Ending::Length(1..) => self.broken = true,
            Ending::Chunked => {
                self.out.put_slice(b"0\r\n");
                for (name, value) in trailers.into_iter().flatten() {
                    write_line(&mut self.out, name.as_str().as_bytes(), value.as_bytes());
                }
                self.out.put_slice(b"\r\n");
            }
            _ => {}
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, stream: &mut ClientStream) -> Poll<io::Result<()>> {
        while !(self.out.is_empty() && self.piece.is_empty() && self.tail.is_empty()) {
            let io = Pin::new(&mut stream.io);
            let mut written = match (self.out.is_empty(), self.piece.is_empty(), self.tail.is_empty()) {
                (false, true, true) => ready!(io.poll_write(cx, &self.out))?,
                (true, false, true) => ready!(io.poll_write(cx, &self.piece))?,
                _ => {
                    let parts = [IoSlice::new(&self.out), IoSlice::new(&self.piece), IoSlice::new(self.tail)];
                    ready!(io.poll_write_vectored(cx, &parts))?
                }
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            if written >= self.out.len() {
                written -= self.out.len();
                // Keeps the buffer for the next pieces.
                self.out.clear();
            } else {
                self.out.advance(std::mem::take(&mut written));
            }
            let of_piece = written.min(self.piece.len());
            self.piece.advance(of_piece);
            self.tail = &self.tail[written - of_piece..];
        }
        Poll::Ready(Ok(()))
    }
}

/// Trailers are announced to whoever wants them; the headers of a switch of protocols belong to it.
fn goes_on(name: &[u8], status: StatusCode) -> bool {
    name.eq_ignore_ascii_case(b"trailer")
        || (status == StatusCode::SWITCHING_PROTOCOLS && !name.eq_ignore_ascii_case(b"transfer-encoding"))
}

fn ending(status: StatusCode, headers: &Headers, body: &ProxyBody, asked: Asked) -> Ending {
    if asked.head || status.is_informational() || matches!(status.as_u16(), 204 | 304) {
        return Ending::NoBody;
    }
    let said = headers.get(CONTENT_LENGTH).and_then(|value| decimal(value.as_bytes()));
    match body.size_hint().exact().or(said) {
        Some(length) => Ending::Length(length),
        None if asked.version == Version::HTTP_10 => Ending::Close,
        None => Ending::Chunked,
    }
}

pub(super) fn put_status(out: &mut BytesMut, status: StatusCode) {
    if status == StatusCode::OK {
        out.put_slice(b"HTTP/1.1 200 OK\r\n");
        return;
    }
    out.put_slice(b"HTTP/1.1 ");
    out.put_slice(status.as_str().as_bytes());
    out.put_u8(b' ');
    out.put_slice(status.canonical_reason().unwrap_or("").as_bytes());
    out.put_slice(b"\r\n");
}

fn put_length(out: &mut BytesMut, length: u64) {
    write_line(out, b"content-length", itoa::Buffer::new().format(length).as_bytes());
}
