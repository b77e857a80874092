//! The client's stream with the guard in front of whoever reads from it.

use std::{
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    conn_state::ConnState,
    guard::{Guard, HeadLimits, Violation},
};

/// The client's stream, with the guard in front of whoever reads.
///
/// Lines of a head are shown only when they are whole: the HTTP library has its own way to refuse half of one.
pub struct GuardedIo<S> {
    pub io: S,
    pub guard: Guard,
    pub state: Arc<ConnState>,
    pub clock: engine::Clock,
    /// Bytes that were read to find out which protocol this is.
    pub rewind: Rewind,
    /// The beginning of a line whose end has not come.
    held: Vec<u8>,
    /// Bytes that may be shown and did not fit.
    ready: Vec<u8>,
}

#[derive(Default)]
pub struct Rewind {
    pub bytes: [u8; 24],
    pub filled: usize,
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
    pub fn new(io: S, limits: HeadLimits, state: &Arc<ConnState>, clock: engine::Clock) -> Self {
        Self {
            io,
            guard: Guard::new(limits),
            state: Arc::clone(state),
            clock,
            rewind: Rewind::default(),
            held: Vec::new(),
            ready: Vec::new(),
        }
    }

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

/// A stream whose first bytes have been read already.
pub struct Replay<S> {
    pub rewind: Rewind,
    pub io: S,
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
