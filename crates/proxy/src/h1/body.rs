//! Response bodies: the end is where the head said, never where it happens to stop.

use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use memchr::memchr;

use super::{
    conn::{BODY_READ, Conn, HEAD_READ},
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

#[derive(Debug)]
enum State {
    Length(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailers(HeaderMap),
    UntilClose,
    Done,
}

/// Reads one body off a connection.
#[derive(Debug)]
pub struct BodyReader {
    state: State,
}

const LONGEST_LINE: usize = 8 * 1024;
const MOST_TRAILERS: usize = 64;

impl BodyReader {
    pub fn new(framing: ResponseFraming) -> Self {
        Self {
            state: match framing {
                ResponseFraming::None => State::Done,
                ResponseFraming::Length(length) => State::Length(length),
                ResponseFraming::Chunked => State::ChunkSize,
                ResponseFraming::UntilClose => State::UntilClose,
            },
        }
    }

    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Bytes still to come, where that is known.
    pub fn remaining(&self) -> Option<u64> {
        match self.state {
            State::Length(left) => Some(left),
            State::Done => Some(0),
            _ => None,
        }
    }

    /// The whole body, if it is in the buffer already.
    pub fn take_all(&mut self, conn: &mut Conn) -> Option<Bytes> {
        let State::Length(left) = self.state else { return None };
        let left = usize::try_from(left).ok().filter(|left| conn.read.len() >= *left)?;
        self.state = State::Done;
        Some(conn.read.split_to(left).freeze())
    }

    /// The next piece; `None` at the end.
    pub fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
        conn: &mut Conn,
    ) -> Poll<Result<Option<Frame<Bytes>>, ReadError>> {
        loop {
            match &mut self.state {
                State::Done => return Poll::Ready(Ok(None)),
                State::UntilClose => {
                    if !conn.read.is_empty() {
                        return Poll::Ready(Ok(Some(Frame::data(conn.read.split().freeze()))));
                    }
                    if ready!(conn.poll_fill(cx, BODY_READ)).map_err(|_| ReadError::CutShort)? == 0 {
                        self.state = State::Done;
                    }
                }
                State::Length(left) => {
                    if conn.read.is_empty() {
                        let reserve = usize::try_from(*left).unwrap_or(BODY_READ).clamp(1, BODY_READ);
                        ready!(fill(cx, conn, reserve.max(HEAD_READ)))?;
                    }
                    let data = take(conn, left);
                    if *left == 0 {
                        self.state = State::Done;
                    }
                    return Poll::Ready(Ok(Some(Frame::data(data))));
                }
                State::ChunkData(left) => {
                    if conn.read.is_empty() {
                        ready!(fill(cx, conn, BODY_READ))?;
                    }
                    let data = take(conn, left);
                    if *left == 0 {
                        self.state = State::ChunkEnd;
                    }
                    return Poll::Ready(Ok(Some(Frame::data(data))));
                }
                State::ChunkSize | State::ChunkEnd | State::Trailers(_) => {
                    let Some(line) = take_line(conn)? else {
                        ready!(fill(cx, conn, HEAD_READ))?;
                        continue;
                    };
                    if let Some(trailers) = self.line(&line)? {
                        return Poll::Ready(Ok(Some(Frame::trailers(trailers))));
                    }
                }
            }
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<HeaderMap>, ReadError> {
        match &mut self.state {
            State::ChunkSize => {
                let size = chunk_size(line).ok_or(ReadError::Invalid)?;
                self.state =
                    if size == 0 { State::Trailers(HeaderMap::new()) } else { State::ChunkData(size) };
            }
            State::ChunkEnd if line.is_empty() => self.state = State::ChunkSize,
            State::Trailers(trailers) if line.is_empty() => {
                let trailers = std::mem::take(trailers);
                self.state = State::Done;
                return Ok(Some(trailers).filter(|t| !t.is_empty()));
            }
            State::Trailers(trailers) => {
                let colon = memchr(b':', line).ok_or(ReadError::Invalid)?;
                let name = HeaderName::from_bytes(&line[..colon]).map_err(|_| ReadError::Invalid)?;
                let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii())
                    .map_err(|_| ReadError::Invalid)?;
                // Framing in a trailer comes too late to be honest.
                let framing = name == http::header::CONTENT_LENGTH || crate::headers::is_hop_by_hop(&name);
                if trailers.len() >= MOST_TRAILERS {
                    return Err(ReadError::Invalid);
                }
                if !framing {
                    trailers.append(name, value);
                }
            }
            _ => return Err(ReadError::Invalid),
        }
        Ok(None)
    }
}

/// Reads more; the end of the stream is an error here, since the body has not ended.
fn fill(cx: &mut Context<'_>, conn: &mut Conn, reserve: usize) -> Poll<Result<(), ReadError>> {
    match ready!(conn.poll_fill(cx, reserve)) {
        Ok(1..) => Poll::Ready(Ok(())),
        Ok(0) | Err(_) => Poll::Ready(Err(ReadError::CutShort)),
    }
}

fn take(conn: &mut Conn, left: &mut u64) -> Bytes {
    let size = usize::try_from(*left).unwrap_or(usize::MAX).min(conn.read.len());
    *left -= size as u64;
    conn.read.split_to(size).freeze()
}

fn take_line(conn: &mut Conn) -> Result<Option<Bytes>, ReadError> {
    match memchr(b'\n', &conn.read) {
        Some(end) if end <= LONGEST_LINE => {
            let mut line = conn.read.split_to(end + 1).freeze();
            if !line.ends_with(b"\r\n") {
                return Err(ReadError::Invalid);
            }
            line.truncate(end - 1);
            Ok(Some(line))
        }
        Some(_) => Err(ReadError::Invalid),
        None if conn.read.remaining() > LONGEST_LINE => Err(ReadError::Invalid),
        None => Ok(None),
    }
}

fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.iter().position(|b| !b.is_ascii_hexdigit()).unwrap_or(line.len());
    let ends_well = matches!(line.get(digits), None | Some(b';' | b' ' | b'\t'));
    if !(1..=15).contains(&digits) || !ends_well {
        return None;
    }
    Some(line[..digits].iter().fold(0, |n, b| n * 16 + u64::from((*b as char).to_digit(16).unwrap_or(0))))
}
