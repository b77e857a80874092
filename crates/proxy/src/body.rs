//! Bodies on their way through: the client's towards the upstream, the answer's towards the client.

use std::{
    cell::{Cell, RefCell},
    error::Error,
    fmt,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use engine::{Reason, log::Piece, reason};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::{
    downstream::ClientBody,
    finish::Finish,
    forward::UpstreamBody,
    headers,
    mirror::{Copied, Tee},
    patience::{Patience, Ticker},
    trailers::TrailerGuard,
};

/// Why the client's body did not come to its end.
#[derive(Debug, Clone, Copy)]
pub struct RequestError(pub &'static Reason);

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.code)
    }
}

impl Error for RequestError {}

/// What became of the client's body; shared with whoever writes the event.
#[derive(Debug, Default)]
pub struct RequestProgress {
    pub bytes: Cell<u64>,
    pub failure: Cell<Option<&'static Reason>>,
    /// Where the beginning of the body is kept for the event, if it is.
    pub kept: RefCell<Option<Box<Piece>>>,
    touched: Cell<bool>,
}

/// A request's body as its connection delivers it.
#[derive(Debug)]
pub enum Inbound {
    Http1(Option<ClientBody>),
    Http2(Incoming),
    /// It has come already, as in a rehearsal.
    Given(Bytes),
}

impl Inbound {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, &'static Reason>>> {
        match self {
            Self::Http1(None) => Poll::Ready(None),
            Self::Http1(Some(body)) => body.poll_frame(cx),
            Self::Given(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Given(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Http2(body) => Pin::new(body).poll_frame(cx).map(|frame| {
                frame.map(|frame| {
                    let mut frame = frame.map_err(|_| &reason::CLIENT_GONE)?;
                    match frame.trailers_mut() {
                        // As over HTTP/1: an upstream could understand another message.
                        Some(trailers) if trailers.keys().any(headers::is_framing) => {
                            return Err(&reason::AMBIGUOUS_LENGTH);
                        }
                        Some(trailers) => headers::strip_trailers(trailers),
                        None => {}
                    }
                    Ok(frame)
                })
            }),
        }
    }

    pub fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.as_ref().is_none_or(ClientBody::is_end_stream),
            Self::Http2(body) => body.is_end_stream(),
            Self::Given(bytes) => bytes.is_empty(),
        }
    }

    pub fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.as_ref().map_or(SizeHint::with_exact(0), ClientBody::size_hint),
            Self::Http2(body) => body.size_hint(),
            Self::Given(bytes) => SizeHint::with_exact(bytes.len() as u64),
        }
    }
}

#[derive(Debug)]
enum From {
    Client(Inbound),
    /// What a tee copied from a client's body.
    Copy(Copied),
    /// What policies have read, and maybe changed.
    Whole(Bytes),
}

/// The client's body: counted, limited, and not waited for for ever.
#[derive(Debug)]
pub struct RequestBody {
    from: From,
    limit: u64,
    patience: Patience,
    progress: Rc<RequestProgress>,
    tee: Option<Tee>,
    trailers: Option<Box<TrailerGuard>>,
}

impl RequestBody {
    pub fn new(
        inbound: Inbound,
        limit: Option<u64>,
        patience: Patience,
        progress: Rc<RequestProgress>,
    ) -> Self {
        let limit = limit.unwrap_or(u64::MAX);
        Self { from: From::Client(inbound), limit, patience, progress, tee: None, trailers: None }
    }

    /// The body of a mirrored request.
    pub fn copied(copied: Copied, patience: Patience) -> Self {
        Self {
            from: From::Copy(copied),
            limit: u64::MAX,
            patience,
            progress: Rc::default(),
            tee: None,
            trailers: None,
        }
    }

    /// A body that has been read already.
    pub fn whole(bytes: Bytes, ticker: &Rc<Ticker>) -> Self {
        let patience = Patience::new(ticker, std::time::Duration::MAX);
        Self {
            from: From::Whole(bytes),
            limit: u64::MAX,
            patience,
            progress: Rc::default(),
            tee: None,
            trailers: None,
        }
    }

    /// Copies what comes to a mirror, too.
    pub fn tee(&mut self, tee: Tee) {
        self.tee = Some(tee);
    }

    /// Says what its trailers may not be, if it can have any.
    pub fn guard_trailers(&mut self, guard: impl FnOnce() -> TrailerGuard) {
        let may_come = match &self.from {
            From::Client(Inbound::Http1(Some(body))) => body.size_hint().exact().is_none(),
            From::Client(Inbound::Http2(_)) => true,
            _ => false,
        };
        self.trailers = may_come.then(|| Box::new(guard()));
    }

    pub fn is_untouched(&self) -> bool {
        !self.progress.touched.get()
    }

    fn fail(&mut self, reason: &'static Reason) -> Poll<Option<Result<Frame<Bytes>, RequestError>>> {
        self.progress.failure.set(Some(reason));
        self.tee = None;
        Poll::Ready(Some(Err(RequestError(reason))))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = RequestError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestError>>> {
        let me = &mut *self;
        me.progress.touched.set(true);
        let polled = match &mut me.from {
            From::Client(inbound) => inbound.poll_frame(cx),
            From::Copy(copied) => copied.poll_frame(cx).map_err(|()| &reason::CLIENT_GONE),
            From::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            From::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
        };
        match polled {
            Poll::Ready(Some(Ok(mut frame))) => {
                me.patience.reset();
                if let (Some(guard), Some(trailers)) = (&me.trailers, frame.trailers_mut()) {
                    guard.strip(trailers);
                }
                if let Some(data) = frame.data_ref() {
                    let bytes = me.progress.bytes.get() + data.len() as u64;
                    me.progress.bytes.set(bytes);
                    if let Some(kept) = &mut *me.progress.kept.borrow_mut() {
                        kept.push(data);
                    }
                    if bytes > me.limit {
                        return me.fail(&reason::BODY_TOO_LARGE);
                    }
                    if let Some(tee) = &mut me.tee {
                        tee.send(data);
                    }
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(reason))) => me.fail(reason),
            Poll::Ready(None) => {
                if let Some(tee) = me.tee.take() {
                    tee.finish();
                }
                Poll::Ready(None)
            }
            Poll::Pending => match me.patience.poll(cx) {
                Poll::Ready(()) => me.fail(&reason::REQUEST_TIMEOUT),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.from {
            From::Client(inbound) => inbound.is_end_stream(),
            From::Copy(_) => false,
            From::Whole(bytes) => bytes.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.from {
            From::Client(inbound) => inbound.size_hint(),
            From::Copy(copied) => copied.size_hint(),
            From::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
        }
    }
}

/// The body of an answer. When it ends or is dropped, the request is finished and leaves its event.
pub struct ProxyBody {
    source: Source,
    finish: Option<Box<Finish>>,
}

pub enum Source {
    Empty,
    Whole(Bytes),
    H1(Box<UpstreamBody>),
    H2(Box<crate::h2::H2Body>),
}

/// The upstream broke off; the client's connection is ended so that it notices.
#[derive(Debug)]
pub struct BrokenOff(pub &'static Reason);

impl fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.code)
    }
}

impl Error for BrokenOff {}

impl ProxyBody {
    pub fn new(source: Source, finish: Option<Box<Finish>>) -> Self {
        let mut body = Self { source, finish };
        // A body that ends before it begins is never polled.
        if body.is_end_stream() {
            body.finish();
        }
        body
    }

    /// The answer has come to its end, as far as the client is concerned.
    pub fn finish(&mut self) {
        if let Some(mut finish) = self.finish.take() {
            finish.complete = true;
            finish.exchange.body_ended();
        }
    }
}

impl Body for ProxyBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let me = &mut *self;
        let polled = match &mut me.source {
            Source::Empty => Poll::Ready(None),
            Source::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                me.source = Source::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Source::H1(body) => body.poll_frame(cx),
            Source::H2(body) => body.poll_frame(cx),
        };
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let (Some(finish), Some(data)) = (&mut me.finish, frame.data_ref()) {
                    finish.response_bytes += data.len() as u64;
                    finish.exchange.body_passed(data);
                    if let Some(kept) = finish.exchange.log.as_mut().and_then(|log| log.answer.as_mut()) {
                        kept.push(data);
                    }
                }
                if me.is_end_stream() {
                    me.finish();
                }
            }
            Poll::Ready(Some(Err(BrokenOff(reason)))) => {
                if let Some(finish) = &mut me.finish {
                    finish.broken = Some(reason);
                }
            }
            Poll::Ready(None) => me.finish(),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Empty => true,
            Source::Whole(_) => false,
            Source::H1(body) => body.is_end_stream(),
            Source::H2(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Empty => SizeHint::with_exact(0),
            Source::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::H1(body) => body.size_hint(),
            Source::H2(body) => body.size_hint(),
        }
    }
}
