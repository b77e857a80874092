//! Bodies for requests and responses of tests: whole, or piece by piece.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, combinators::UnsyncBoxBody};
use tokio::sync::mpsc;

pub type Body = UnsyncBoxBody<Bytes, io::Error>;

pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body of unknown length that the test sends piece by piece.
pub fn pieces() -> (Pieces, Body) {
    let (sender, receiver) = mpsc::channel(4);
    (Pieces(sender), Receiver(receiver).boxed_unsync())
}

/// The sending end; the body ends when it is dropped.
#[derive(Debug)]
pub struct Pieces(mpsc::Sender<io::Result<Frame<Bytes>>>);

impl Pieces {
    /// Sends a piece; `false` when nobody reads any more.
    pub async fn send(&self, piece: impl Into<Bytes>) -> bool {
        self.0.send(Ok(Frame::data(piece.into()))).await.is_ok()
    }

    /// Ends the body with trailers.
    pub async fn trailers(self, trailers: &[(&'static str, &'static str)]) {
        let map: HeaderMap = trailers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)))
            .collect();
        let _ = self.0.send(Ok(Frame::trailers(map))).await;
    }

    /// Breaks the body off.
    pub async fn abort(self) {
        let _ = self.0.send(Err(io::Error::other("broken off by the test"))).await;
    }

    /// Returns when nobody reads any more.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}

struct Receiver(mpsc::Receiver<io::Result<Frame<Bytes>>>);

impl http_body::Body for Receiver {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(cx)
    }
}
