//! HTTP/2 towards upstreams, on hyper: one connection carries many requests of its worker.

use std::{
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use engine::{Exchange, reason};
use http::{Request, Response, Uri, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioIo, TokioTimer};

use crate::{
    body::{BrokenOff, RequestBody},
    forward::Outgoing,
    h1::{Counted, Io},
    headers::{Kind, strip_trailers},
    patience::Patience,
    worker::LocalExec,
};

/// A body for requests that may have none.
pub type H2RequestBody = http_body_util::Either<RequestBody, http_body_util::Empty<Bytes>>;

/// A connection that carries many requests.
#[derive(Clone)]
pub struct H2Handle {
    sender: http2::SendRequest<H2RequestBody>,
    /// The address that it leads to.
    pub peer: IpAddr,
}

impl H2Handle {
    pub fn is_usable(&self) -> bool {
        !self.sender.is_closed()
    }

    pub async fn send(
        &mut self,
        request: Request<H2RequestBody>,
    ) -> Result<Response<Incoming>, hyper::Error> {
        self.sender.ready().await?;
        self.sender.send_request(request).await
    }
}

/// Windows as large as a fast body needs on a fast network.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

pub async fn handshake(io: Io, peer: IpAddr, counted: Counted) -> Result<H2Handle, hyper::Error> {
    let (sender, connection) = http2::Builder::new(LocalExec)
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10))
        .handshake(TokioIo::new(io))
        .await?;
    tokio::task::spawn_local(async move {
        // How it ends is seen by the requests on it.
        let _ = connection.await;
        drop(counted);
    });
    Ok(H2Handle { sender, peer })
}

/// A request head for HTTP/2.
pub fn request(
    exchange: &Exchange,
    uri: Uri,
    outgoing: &Outgoing<'_>,
    body: H2RequestBody,
) -> Request<H2RequestBody> {
    let mut request = Request::new(body);
    *request.method_mut() = exchange.method.clone();
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_2;
    let out = request.headers_mut();
    let mut headers = exchange.headers.clone();
    headers.retain(|name| !matches!(Kind::of(name), Kind::HopByHop | Kind::Host | Kind::Expect));
    *out = (&headers).into();
    out.extend(http::HeaderMap::from(&outgoing.extra));
    if outgoing.trailers_welcome {
        out.insert(http::header::TE, http::HeaderValue::from_static("trailers"));
    }
    request
}

/// The body of an HTTP/2 answer, not waited for for ever.
pub struct H2Body {
    incoming: Incoming,
    patience: Patience,
}

impl H2Body {
    pub fn new(incoming: Incoming, patience: Patience) -> Self {
        Self { incoming, patience }
    }

    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(BrokenOff(&reason::UPSTREAM_CUT_SHORT)))),
            Poll::Ready(mut frame) => {
                self.patience.reset();
                if let Some(Ok(frame)) = &mut frame
                    && let Some(trailers) = frame.trailers_mut()
                {
                    strip_trailers(trailers);
                }
                Poll::Ready(frame.map(|f| f.map_err(|_| BrokenOff(&reason::UPSTREAM_CUT_SHORT))))
            }
            Poll::Pending => self.patience.poll(cx).map(|()| Some(Err(BrokenOff(&reason::UPSTREAM_STALLED)))),
        }
    }

    pub fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    pub fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
