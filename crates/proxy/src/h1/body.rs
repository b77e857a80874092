//! Response bodies, read off a connection.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Frame;

use super::{
    conn::{BODY_READ, Conn, HEAD_READ},
    decode::{Decoded, Decoder},
    encode::Framing,
    parse::ResponseFraming,
};

/// Why a body could not be read to its end.
#[derive(Debug)]
pub enum ReadError {
    /// The upstream closed, or the connection broke, in the middle.
    CutShort,
    /// Chunks that do not add up.
    Invalid,
}

/// Reads one body off a connection.
#[derive(Debug)]
pub enum BodyReader {
    Framed(Decoder),
    UntilClose { closed: bool },
}

impl BodyReader {
    pub fn new(framing: ResponseFraming) -> Self {
        Self::Framed(Decoder::of_response(match framing {
            ResponseFraming::UntilClose => return Self::UntilClose { closed: false },
            ResponseFraming::None => Framing::None,
            ResponseFraming::Length(length) => Framing::Length(length),
            ResponseFraming::Chunked => Framing::Chunked,
        }))
    }

    pub fn is_done(&self) -> bool {
        match self {
            Self::Framed(decoder) => decoder.is_done(),
            Self::UntilClose { closed } => *closed,
        }
    }

    /// Bytes still to come, where that is known.
    pub fn remaining(&self) -> Option<u64> {
        match self {
            Self::Framed(decoder) => decoder.remaining(),
            Self::UntilClose { closed } => closed.then_some(0),
        }
    }

    /// The whole body, if it is in the buffer already.
    pub fn take_all(&mut self, conn: &mut Conn) -> Option<Bytes> {
        let Self::Framed(decoder) = self else { return None };
        let left = decoder.remaining().and_then(|left| usize::try_from(left).ok())?;
        if conn.read.len() < left {
            return None;
        }
        match decoder.decode(&mut conn.read) {
            Ok(Decoded::Data(data)) => Some(data),
            _ => None,
        }
    }

    /// The next piece; `None` at the end.
    pub fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
        conn: &mut Conn,
    ) -> Poll<Result<Option<Frame<Bytes>>, ReadError>> {
        let decoder = match self {
            Self::Framed(decoder) => decoder,
            Self::UntilClose { closed: true } => return Poll::Ready(Ok(None)),
            Self::UntilClose { closed } => {
                if conn.read.is_empty()
                    && ready!(conn.poll_fill(cx, BODY_READ)).map_err(|_| ReadError::CutShort)? == 0
                {
                    *closed = true;
                    return Poll::Ready(Ok(None));
                }
                return Poll::Ready(Ok(Some(Frame::data(conn.read.split().freeze()))));
            }
        };
        loop {
            return Poll::Ready(Ok(
                match decoder.decode(&mut conn.read).map_err(|_| ReadError::Invalid)? {
                    Decoded::Data(data) => Some(Frame::data(data)),
                    Decoded::Trailers(trailers) => Some(Frame::trailers(trailers)),
                    Decoded::End => None,
                    Decoded::More => {
                        // A byte more than is expected: a read that fills its buffer leaves open whether there is more,
                        // which then costs a question to the kernel before the next request.
                        let expected = usize::try_from(decoder.expected()).unwrap_or(BODY_READ);
                        match ready!(conn.poll_fill(cx, expected.clamp(HEAD_READ, BODY_READ) + 1)) {
                            Ok(1..) => continue,
                            // The end of the stream is an error here, since the body has not ended.
                            Ok(0) | Err(_) => return Poll::Ready(Err(ReadError::CutShort)),
                        }
                    }
                },
            ));
        }
    }
}
