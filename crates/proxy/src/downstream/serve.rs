//! One connection over HTTP/1 while it is in use: heads are read, requests answered, and what is left of a body is
//! dealt with, until the connection ends or has nothing to do.

use std::{
    future::poll_fn,
    pin::pin,
    rc::Rc,
    sync::atomic::Ordering::Relaxed,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::BytesMut;
use engine::{Reason, reason};
use model::settings::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    conn::{ClientBody, ClientStream, SharedStream},
    head::{HeadLimits, HeadReader, Received},
    respond::{Asked, Writer, Written},
};
use crate::{
    body::Inbound,
    conn_state::Order,
    connection::{ConnInfo, PREFACE},
    patience::Patience,
    request, upgrade,
    worker::Worker,
};

/// Why the connection is not served any more.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// It is over.
    Closed,
    /// It is idle, and its buffers can be given back.
    Idle,
    /// It is HTTP/2 with prior knowledge, whose first bytes are in the buffer.
    Http2,
}

/// A connection over HTTP/1.
pub struct Http1<'a> {
    pub worker: &'a Rc<Worker>,
    pub info: &'a Rc<ConnInfo>,
    pub stream: &'a SharedStream,
    pub limits: &'a Limits,
    /// The first bytes may begin HTTP/2.
    pub may_be_http2: bool,
}

/// What comes next on the connection.
#[expect(clippy::large_enum_variant, reason = "made once for each request, and a box would be an allocation")]
enum Next {
    Request(Received),
    Refused(&'static Reason),
    End(End),
}

/// How long a client may go on sending after its answer, which closing at once would take from it.
const LINGER: Duration = Duration::from_secs(2);

impl Http1<'_> {
    pub async fn serve(mut self) -> End {
        let mut heads = HeadReader::new(HeadLimits {
            request_line: self.limits.request_line.as_usize(),
            header_count: usize::from(self.limits.header_count.get()),
            head_size: self.limits.header_size.as_usize(),
        });
        let mut registered = None;
        loop {
            match poll_fn(|cx| self.poll_next(cx, &mut heads, &mut registered)).await {
                Next::Request(head) => {
                    // It counts as busy until its answer has been written.
                    let _busy = Busy::new(self.worker, self.info);
                    if !self.answer(head).await {
                        return End::Closed;
                    }
                }
                Next::Refused(reason) => {
                    self.refuse(&heads, reason).await;
                    return End::Closed;
                }
                Next::End(end) => return end,
            }
        }
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        heads: &mut HeadReader,
        registered: &mut Option<Waker>,
    ) -> Poll<Next> {
        let stream = &mut *self.stream.borrow_mut();
        let state = &*self.info.state;
        loop {
            if !stream.read.is_empty() {
                if self.may_be_http2 {
                    let seen = &stream.read[..stream.read.len().min(PREFACE.len())];
                    if seen == PREFACE {
                        return Poll::Ready(Next::End(End::Http2));
                    }
                    self.may_be_http2 = PREFACE.starts_with(seen);
                }
                if !self.may_be_http2 {
                    match heads.read(&mut stream.read) {
                        Ok(Some(head)) => return Poll::Ready(Next::Request(head)),
                        Ok(None) => {}
                        Err(reason) => return Poll::Ready(Next::Refused(reason)),
                    }
                }
                if state.head_since.load(Relaxed) == 0 {
                    state.head_since.store(self.worker.now().0, Relaxed);
                }
            }
            // Registering costs two atomic operations, and the task hardly ever changes. Being woken uses it up.
            if state.order() != Order::None || !registered.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
                state.waker.register(cx.waker());
                *registered = Some(cx.waker().clone());
            }
            match state.order() {
                Order::HeadTimeout => return Poll::Ready(Next::Refused(&reason::REQUEST_TIMEOUT)),
                Order::Close => return Poll::Ready(Next::End(End::Closed)),
                Order::Finish if stream.read.is_empty() => return Poll::Ready(Next::End(End::Closed)),
                Order::Park if stream.read.is_empty() => return Poll::Ready(Next::End(End::Idle)),
                Order::Park => state.forget_park(),
                Order::None | Order::Finish => {}
            }
            match stream.poll_fill_head(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Next::End(End::Closed)),
            }
        }
    }

    /// Answers one request; `false` when the connection is over.
    async fn answer(&self, received: Received) -> bool {
        let Received { head, framing, keep_alive, expects_continue } = received;
        let asked = Asked::new(&head);
        let body = ClientBody::begin(self.stream, framing, expects_continue);
        let reply = {
            let mut handling = pin!(request::serve(self.worker, self.info, head, Inbound::Http1(body), None));
            poll_fn(|cx| match handling.as_mut().poll(cx) {
                Poll::Ready(reply) => Poll::Ready(Some(reply)),
                Poll::Pending if self.poll_lost(cx) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            })
            .await
        };
        let Some(mut reply) = reply else { return false };
        let tunnel = reply.tunnel.take();
        // Also when the connection ends: a body that is still read must not invite in the middle of the answer.
        let invitation = self.stream.borrow_mut().forget_continue();
        let close = !keep_alive || self.is_ending() || !self.can_go_on();
        let patience = Patience::new(&self.worker.ticker, self.limits.body_timeout.get());
        let date = self.worker.date();
        let mut out = self.worker.take_buffer();
        out.extend_from_slice(invitation);
        self.info.interim.take_into(&mut out);
        let mut writer = Writer::new(out, reply, asked, close, date.as_bytes(), patience);
        let close = close || writer.closes();
        let written = poll_fn(|cx| writer.poll(cx, self.stream)).await;
        self.worker.give_buffer(writer.into_buffer());
        if let Some((upstream, finish)) = tunnel {
            // A tunnel needs none of this, and its room would be every request's.
            let ClientStream { io, read, .. } = self.stream.borrow_mut().take();
            Box::pin(upgrade::tunnel(io, &read, upstream, finish)).await;
            return false;
        }
        let at_end = self.stream.borrow_mut().skip_body();
        if written == Written::Broken {
            return false;
        }
        if close || !at_end {
            Box::pin(self.close()).await;
            return false;
        }
        true
    }

    /// Sends what an upstream says before its answer, and looks whether the client has gone meanwhile.
    fn poll_lost(&self, cx: &mut Context<'_>) -> bool {
        let mut stream = self.stream.borrow_mut();
        if !self.info.interim.is_empty() && stream.poll_interim(cx, &self.info.interim) {
            return true;
        }
        stream.poll_gone(cx)
    }

    fn is_ending(&self) -> bool {
        self.worker.draining.get() || matches!(self.info.state.order(), Order::Finish | Order::Close)
    }

    /// Whether the body is at its end, or will be read to it.
    fn can_go_on(&self) -> bool {
        let mut stream = self.stream.borrow_mut();
        stream.body_is_held() || stream.skip_body()
    }

    /// Closes so that the client can read its answer: closing with unread bytes would reset the connection.
    async fn close(&self) {
        let mut stream = self.stream.borrow_mut().take();
        let farewell = async {
            stream.io.shutdown().await?;
            discard(&mut stream).await
        };
        let _ = tokio::time::timeout(LINGER, farewell).await;
    }

    /// Answers what is no request.
    async fn refuse(&self, heads: &HeadReader, reason: &'static Reason) {
        let so_far = heads.so_far(&self.stream.borrow().read);
        let bytes = request::refuse_malformed(self.worker, self.info, so_far, reason);
        let mut stream = self.stream.borrow_mut().take();
        let farewell = async {
            stream.io.write_all(&bytes).await?;
            stream.io.flush().await?;
            stream.io.shutdown().await?;
            discard(&mut stream).await
        };
        let _ = tokio::time::timeout(LINGER, farewell).await;
    }
}

/// Reads and forgets.
async fn discard(stream: &mut ClientStream) -> std::io::Result<()> {
    stream.read = BytesMut::new();
    let mut rest = vec![0; 16 * 1024];
    while stream.io.read(&mut rest).await? > 0 {}
    Ok(())
}

/// A connection with a request on it.
struct Busy<'a> {
    worker: &'a Worker,
    info: &'a ConnInfo,
}

impl<'a> Busy<'a> {
    fn new(worker: &'a Worker, info: &'a ConnInfo) -> Self {
        info.state.begin();
        Self { worker, info }
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.info.state.end(self.worker.now());
    }
}
