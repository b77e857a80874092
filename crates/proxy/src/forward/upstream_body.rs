//! The body of an HTTP/1.1 answer, on its way to the client; the rest of the request may still be on its way up.

use std::{
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use engine::reason;
use http_body::{Frame, SizeHint};

use crate::{
    body::BrokenOff,
    h1::{BodyReader, Conn, ReadError, SendError, Sender},
    patience::Patience,
    pool::Pool,
    worker::Worker,
};

/// Where a connection goes when the answer has ended cleanly.
pub struct Release {
    pub pool: Rc<Pool>,
    pub worker: Rc<Worker>,
    /// `None` closes it.
    pub max_idle: Option<u32>,
}

pub struct UpstreamBody {
    conn: Option<Conn>,
    reader: BodyReader,
    sender: Sender,
    release: Release,
    patience: Patience,
}

impl UpstreamBody {
    pub fn new(conn: Conn, reader: BodyReader, sender: Sender, release: Release, patience: Patience) -> Self {
        Self { conn: Some(conn), reader, sender, release, patience }
    }

    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let Some(conn) = self.conn.as_mut() else { return Poll::Ready(None) };
        if !self.sender.is_done()
            && let Poll::Ready(Err(error)) = self.sender.poll(cx, &mut conn.io)
        {
            match error {
                SendError::Client(error) => {
                    self.conn = None;
                    return Poll::Ready(Some(Err(BrokenOff(error.0))));
                }
                // The upstream has heard enough; what it answers still counts.
                SendError::Io => self.release.max_idle = None,
            }
        }
        match self.reader.poll_frame(cx, conn) {
            Poll::Ready(Ok(frame)) => {
                self.patience.reset();
                if self.reader.is_done() {
                    self.end();
                }
                Poll::Ready(frame.map(Ok))
            }
            Poll::Ready(Err(error)) => {
                self.conn = None;
                Poll::Ready(Some(Err(BrokenOff(match error {
                    ReadError::CutShort => &reason::UPSTREAM_CUT_SHORT,
                    ReadError::Invalid => &reason::UPSTREAM_INVALID,
                }))))
            }
            Poll::Pending => self.patience.poll(cx).map(|()| {
                self.conn = None;
                Some(Err(BrokenOff(&reason::UPSTREAM_STALLED)))
            }),
        }
    }

    /// The answer is complete. An upstream that has not read the whole request keeps its connection for itself.
    fn end(&mut self) {
        let conn = self.conn.take();
        if self.sender.is_done()
            && let (Some(conn), Some(max_idle)) = (conn, self.release.max_idle)
        {
            self.release.pool.release(conn, max_idle, self.release.worker.now());
        }
    }

    pub fn is_end_stream(&self) -> bool {
        self.reader.is_done()
    }

    pub fn size_hint(&self) -> SizeHint {
        self.reader.remaining().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
