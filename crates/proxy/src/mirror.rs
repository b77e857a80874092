//! Mirroring: a copy of a request goes to a second upstream. It never delays the first one: what the mirror does not
//! take in time, it does not get.

use std::{
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use engine::{Destination, Exchange, Headers};
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;

use crate::{
    body::{RequestBody, Source},
    forward::{self, Outgoing},
    patience::Patience,
    worker::Worker,
};

/// Pieces that may wait for the mirror; with pieces of up to 64 KiB, memory stays bounded.
const PIECES: usize = 16;

/// Copies pieces of a body to the mirror.
#[derive(Debug)]
pub struct Tee(mpsc::Sender<Result<Bytes, ()>>);

impl Tee {
    pub fn send(&mut self, piece: &Bytes) {
        // A full channel drops the piece, and with it the mirrored request: half a body is worse than none.
        let _ = self.0.try_send(Ok(piece.clone()));
        if self.0.capacity() == 0 {
            let (closed, _) = mpsc::channel(1);
            self.0 = closed;
        }
    }

    /// The body came to its end.
    pub fn finish(self) {
        let _ = self.0.try_send(Err(()));
    }
}

/// The other end of a tee.
#[derive(Debug)]
pub struct Copied {
    pieces: mpsc::Receiver<Result<Bytes, ()>>,
    length: Option<u64>,
}

impl Copied {
    /// `Err` when the copy is not whole.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ()>>> {
        self.pieces.poll_recv(cx).map(|piece| match piece {
            Some(Ok(piece)) => Some(Ok(Frame::data(piece))),
            Some(Err(())) => None,
            None => Some(Err(())),
        })
    }

    pub fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// Starts a mirrored request; the returned tee wants the body, if there is one.
pub fn start(
    worker: &Rc<Worker>,
    exchange: &Exchange,
    upstream: u32,
    extra: &Headers,
    body: Option<Option<u64>>,
    patience: Duration,
) -> Option<Tee> {
    let (tee, body) = match body {
        None => (None, None),
        Some(length) => {
            let (sender, pieces) = mpsc::channel(PIECES);
            (
                Some(Tee(sender)),
                Some(RequestBody::copied(Copied { pieces, length }, Patience::new(&worker.ticker, patience))),
            )
        }
    };
    let mut copy = exchange.copy_of_request();
    let mut outgoing = Outgoing {
        destination: Destination::Upstream(upstream),
        extra: extra.clone(),
        has_body: body.is_some(),
        body,
        upgrade: None,
        expect_continue: false,
        trailers_welcome: false,
        interim: None,
    };
    let worker = Rc::clone(worker);
    tokio::task::spawn_local(async move {
        // Whatever comes of it is nobody's business but the mirror's.
        if let Ok(answer) = forward::forward(&worker, &mut copy, &mut outgoing).await {
            drain(answer.source).await;
        }
    });
    tee
}

async fn drain(source: Source) {
    use http_body_util::BodyExt;
    let mut body = crate::body::ProxyBody::new(source, None);
    while let Some(Ok(_)) = body.frame().await {}
}
