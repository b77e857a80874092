//! Sending a request: head first, then the body as the client delivers it, while the answer may already be coming.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body::Body;
use tokio::io::AsyncWrite;

use super::conn::Io;
use crate::body::{RequestBody, RequestError};

/// Why a request could not be sent.
#[derive(Debug)]
pub enum SendError {
    /// The upstream does not take it.
    Io,
    /// The client does not deliver it.
    Client(RequestError),
}

/// A request on its way out.
#[derive(Debug)]
pub struct Sender {
    /// Head, chunk frames and small pieces.
    out: BytesMut,
    /// A large piece, written after `out` without copying it.
    piece: Bytes,
    body: Option<RequestBody>,
    chunked: bool,
    /// The end of the last chunk is still to be written.
    chunk_open: bool,
    /// The body waits for `100 Continue`.
    pub holding: bool,
    done: bool,
    started: bool,
    has_body: bool,
}

/// Pieces up to this size are copied behind the head, to go out in one write.
const COPY: usize = 16 * 1024;

impl Sender {
    pub fn new(head: BytesMut, body: Option<RequestBody>, chunked: bool, holding: bool) -> Self {
        let has_body = body.is_some();
        let piece = Bytes::new();
        Self {
            out: head,
            piece,
            body,
            chunked,
            chunk_open: false,
            holding,
            done: false,
            started: false,
            has_body,
        }
    }

    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Bytes are waiting for the upstream to take them.
    pub fn is_blocked(&self) -> bool {
        !self.out.is_empty() || !self.piece.is_empty()
    }

    /// Some bytes may have reached the upstream.
    pub fn has_started(&self) -> bool {
        self.started
    }

    /// Nothing of the client's body has been read, so that it can go to another endpoint.
    pub fn body_untouched(&self) -> bool {
        self.body.as_ref().map_or(!self.has_body, RequestBody::is_untouched)
    }

    pub fn into_parts(self) -> (BytesMut, Option<RequestBody>) {
        (self.out, self.body)
    }

    /// Writes as much as the upstream takes and the client delivers.
    pub fn poll(&mut self, cx: &mut Context<'_>, io: &mut Io) -> Poll<Result<(), SendError>> {
        while !self.done {
            let blocked = self.poll_body(cx)?.is_pending();
            if self.out.is_empty() && self.piece.is_empty() {
                if self.body.is_none() {
                    self.done = true;
                    // Only TLS has anything left to flush.
                    return Pin::new(io).poll_flush(cx).map_err(|_| SendError::Io);
                }
                if blocked {
                    return Poll::Pending;
                }
                continue;
            }
            ready!(self.poll_write(cx, io)).map_err(|_| SendError::Io)?;
            if blocked && matches!(io, Io::Tls(_)) {
                let _ = Pin::new(&mut *io).poll_flush(cx).map_err(|_| SendError::Io)?;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Takes pieces from the client until there is enough for one write.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, SendError> {
        while self.piece.is_empty() && self.out.len() < COPY && !self.holding {
            let Some(body) = self.body.as_mut() else { break };
            let frame = match Pin::new(body).poll_frame(cx) {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(frame) => frame.transpose().map_err(SendError::Client)?,
            };
            match frame.map(http_body::Frame::into_data) {
                Some(Ok(data)) => self.add(data),
                Some(Err(frame)) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    self.end(&trailers);
                }
                None => self.end(&http::HeaderMap::new()),
            }
        }
        Ok(if self.holding && self.body.is_some() { Poll::Pending } else { Poll::Ready(()) })
    }

    fn add(&mut self, data: Bytes) {
        if data.is_empty() {
            return;
        }
        if self.chunked {
            self.close_chunk();
            // Writing to a buffer that grows cannot fail.
            let _ = std::fmt::Write::write_fmt(&mut self.out, format_args!("{:x}\r\n", data.len()));
            self.chunk_open = true;
        }
        if data.len() <= COPY {
            self.out.extend_from_slice(&data);
        } else {
            self.piece = data;
        }
    }

    fn close_chunk(&mut self) {
        if self.chunk_open {
            self.out.put_slice(b"\r\n");
            self.chunk_open = false;
        }
    }

    fn end(&mut self, trailers: &http::HeaderMap) {
        self.body = None;
        if !self.chunked {
            return;
        }
        self.close_chunk();
        self.out.put_slice(b"0\r\n");
        for (name, value) in trailers.iter().filter(|(name, _)| !crate::headers::is_hop_by_hop(name.as_str()))
        {
            self.out.put_slice(name.as_str().as_bytes());
            self.out.put_slice(b": ");
            self.out.put_slice(value.as_bytes());
            self.out.put_slice(b"\r\n");
        }
        self.out.put_slice(b"\r\n");
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, io: &mut Io) -> Poll<io::Result<()>> {
        while !self.out.is_empty() || !self.piece.is_empty() {
            let next = if self.out.is_empty() { &self.piece[..] } else { &self.out[..] };
            let written = ready!(Pin::new(&mut *io).poll_write(cx, next))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.started = true;
            if self.out.is_empty() {
                self.piece.advance(written);
            } else if written == self.out.len() {
                // Keeps the buffer for the next pieces.
                self.out.clear();
            } else {
                self.out.advance(written);
            }
        }
        Poll::Ready(Ok(()))
    }
}
