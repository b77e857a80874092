//! Interim answers (1xx) of an upstream on their way to a client over HTTP/1.1. The request that hears them writes them
//! down here, and the task of its connection sends them before the answer. Which ones there may be is `forward`'s.

use std::{
    cell::{Cell, RefCell},
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BufMut, BytesMut};
use engine::Headers;
use http::StatusCode;
use tokio::io::AsyncWrite;

use super::{ClientIo, respond::put_status};
use crate::headers::Kind;

/// Bytes that may wait for a client that reads slowly; what comes beyond is not passed on.
const MOST_WAITING: usize = 64 * 1024;

/// Interim answers that a client has not been sent yet.
#[derive(Debug, Default)]
pub struct Interim {
    /// Looked at for each step of a request, so that it has to cost nothing.
    any: Cell<bool>,
    /// Part of the first one has been sent.
    begun: Cell<bool>,
    waiting: RefCell<BytesMut>,
}

impl Interim {
    /// Takes an interim answer, whose headers belong to this hop only as far as they go on.
    pub fn pass_on(&self, status: StatusCode, headers: &Headers) {
        let mut waiting = self.waiting.borrow_mut();
        let before = waiting.len();
        put_status(&mut waiting, status);
        // It has no body, whatever its headers say (RFC 9110, 15.2).
        headers
            .write(&mut waiting, |name, _| !matches!(Kind::of(name), Kind::HopByHop | Kind::ContentLength));
        waiting.put_slice(b"\r\n");
        if waiting.len() > MOST_WAITING {
            waiting.truncate(before);
        }
        self.any.set(!waiting.is_empty());
    }

    pub fn is_empty(&self) -> bool {
        !self.any.get()
    }

    /// Some bytes of it have gone out and some have not: nothing else may be written now.
    pub fn is_half_sent(&self) -> bool {
        self.any.get() && self.begun.get()
    }

    /// What has not been sent goes in front of the answer.
    pub fn take_into(&self, out: &mut BytesMut) {
        if self.any.replace(false) {
            out.unsplit(self.waiting.take());
            self.begun.set(false);
        }
    }

    /// Sends as much as the client takes.
    pub fn poll_send(&self, cx: &mut Context<'_>, io: &mut ClientIo) -> Poll<io::Result<()>> {
        let mut waiting = self.waiting.borrow_mut();
        while !waiting.is_empty() {
            let written = ready!(Pin::new(&mut *io).poll_write(cx, &waiting))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            waiting.advance(written);
            self.begun.set(true);
        }
        *waiting = BytesMut::new();
        self.any.set(false);
        self.begun.set(false);
        Pin::new(io).poll_flush(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(interim: &Interim) -> String {
        let mut out = BytesMut::new();
        interim.take_into(&mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn only_what_goes_on_is_passed_on() {
        let interim = Interim::default();
        assert!(interim.is_empty());
        let mut headers = Headers::new();
        for (name, value) in [
            ("link", "</a.css>; rel=preload"),
            ("content-length", "5"),
            ("connection", "close"),
            ("transfer-encoding", "chunked"),
        ] {
            headers.append(http::HeaderName::from_static(name), http::HeaderValue::from_static(value));
        }
        interim.pass_on(StatusCode::EARLY_HINTS, &headers);
        interim.pass_on(StatusCode::PROCESSING, &Headers::new());
        assert_eq!(
            waiting(&interim),
            "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
        );
        assert!(interim.is_empty() && waiting(&interim).is_empty(), "each goes out once");
    }

    #[test]
    fn a_client_that_does_not_read_cannot_fill_the_memory() {
        let interim = Interim::default();
        let mut headers = Headers::new();
        let long = http::HeaderValue::try_from("x".repeat(40 * 1024)).unwrap();
        headers.append(http::HeaderName::from_static("link"), long);
        for _ in 0..10 {
            interim.pass_on(StatusCode::EARLY_HINTS, &headers);
        }
        assert_eq!(waiting(&interim).matches("103 Early Hints").count(), 1);
    }
}
