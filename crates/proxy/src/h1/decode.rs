//! Finding the end of a body, the same way for both sides: the end is where the head said, never where it happens to
//! stop. Chunks are read strictly, since a proxy that is lenient about them is how requests are smuggled.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use memchr::memchr;

use super::encode::Framing;
use crate::{
    downstream::split_field,
    headers::{is_framing, is_hop_by_hop},
};

/// What the buffer held next.
#[derive(Debug)]
pub enum Decoded {
    Data(Bytes),
    /// Trailers that were not empty, and the end.
    Trailers(HeaderMap),
    End,
    /// Nothing whole; more bytes are needed.
    More,
}

/// What is wrong with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Chunks that do not add up, or a trailer that is none.
    Invalid,
    /// A trailer that says how the message is framed, or to whom it goes: too late to be honest.
    LateFraming,
    TooManyTrailers,
}

#[derive(Debug)]
enum State {
    Length(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailers { map: HeaderMap, size: usize },
    Done,
}

/// Takes one body off a buffer.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    refuses_late_framing: bool,
}

/// Longest chunk-size line, extensions included. Nobody needs them, and they cost the reader.
const LONGEST_CHUNK_LINE: usize = 256;
const MOST_TRAILERS: usize = 64;
const LARGEST_TRAILERS: usize = 16 * 1024;

impl Decoder {
    /// The body of a response. What is odd about its trailers is left out.
    pub fn of_response(framing: Framing) -> Self {
        Self::new(framing, false)
    }

    /// The body of a request. Trailers that could mean another message make it none.
    pub fn of_request(framing: Framing) -> Self {
        Self::new(framing, true)
    }

    fn new(framing: Framing, refuses_late_framing: bool) -> Self {
        Self {
            refuses_late_framing,
            state: match framing {
                Framing::None | Framing::Length(0) => State::Done,
                Framing::Length(length) => State::Length(length),
                Framing::Chunked => State::ChunkSize,
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

    /// Bytes that are certain to come next, for the size of the buffer that takes them.
    pub fn expected(&self) -> u64 {
        match self.state {
            State::Length(left) => left,
            State::ChunkData(left) => left.saturating_add(8),
            _ => 0,
        }
    }

    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Decoded, Flaw> {
        loop {
            match &mut self.state {
                State::Done => return Ok(Decoded::End),
                State::Length(_) | State::ChunkData(_) if buffer.is_empty() => return Ok(Decoded::More),
                State::Length(left) => {
                    let data = take(buffer, left);
                    if *left == 0 {
                        self.state = State::Done;
                    }
                    return Ok(Decoded::Data(data));
                }
                State::ChunkData(left) => {
                    let data = take(buffer, left);
                    if *left == 0 {
                        self.state = State::ChunkEnd;
                    }
                    return Ok(Decoded::Data(data));
                }
                State::ChunkSize | State::ChunkEnd | State::Trailers { .. } => {
                    let Some(line) = self.take_line(buffer)? else { return Ok(Decoded::More) };
                    if let Some(end) = self.line(&line)? {
                        return Ok(end);
                    }
                }
            }
        }
    }

    /// A whole line without its end; `None` while it is incomplete. Its length is checked first, whole or not, so that
    /// where the bytes were cut makes no difference.
    fn take_line(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, Flaw> {
        let end = memchr(b'\n', buffer);
        let text = &buffer[..end.unwrap_or(buffer.len())];
        let length = text.len() - usize::from(text.last() == Some(&b'\r'));
        match &self.state {
            State::Trailers { size, .. } if size + length + 2 > LARGEST_TRAILERS => {
                return Err(Flaw::TooManyTrailers);
            }
            State::ChunkSize | State::ChunkEnd if length > LONGEST_CHUNK_LINE => return Err(Flaw::Invalid),
            _ => {}
        }
        let Some(end) = end else { return Ok(None) };
        // A lone LF ends a line for some and not for others.
        if length == end {
            return Err(Flaw::Invalid);
        }
        let mut line = buffer.split_to(end + 1).freeze();
        line.truncate(length);
        Ok(Some(line))
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<Decoded>, Flaw> {
        match &mut self.state {
            State::ChunkSize => {
                self.state = match chunk_size(line).ok_or(Flaw::Invalid)? {
                    0 => State::Trailers { map: HeaderMap::new(), size: 0 },
                    size => State::ChunkData(size),
                };
            }
            State::ChunkEnd if line.is_empty() => self.state = State::ChunkSize,
            State::Trailers { map, .. } if line.is_empty() => {
                let map = std::mem::take(map);
                self.state = State::Done;
                return Ok(Some(if map.is_empty() { Decoded::End } else { Decoded::Trailers(map) }));
            }
            State::Trailers { map, size } => {
                *size += line.len() + 2;
                let (name, value) = split_field(line).map_err(|_| Flaw::Invalid)?;
                let name = HeaderName::from_bytes(name).map_err(|_| Flaw::Invalid)?;
                let value = HeaderValue::from_bytes(value).map_err(|_| Flaw::Invalid)?;
                let framing = is_framing(&name);
                if framing && self.refuses_late_framing {
                    return Err(Flaw::LateFraming);
                }
                if map.len() >= MOST_TRAILERS {
                    return Err(Flaw::TooManyTrailers);
                }
                if !framing && !is_hop_by_hop(name.as_str()) {
                    map.append(name, value);
                }
            }
            _ => return Err(Flaw::Invalid),
        }
        Ok(None)
    }
}

fn take(buffer: &mut BytesMut, left: &mut u64) -> Bytes {
    let size = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
    *left -= size as u64;
    buffer.split_to(size).freeze()
}

fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.iter().position(|b| !b.is_ascii_hexdigit()).unwrap_or(line.len());
    let (size, extension) = line.split_at(digits);
    // Fifteen digits cannot overflow; extensions are allowed and ignored, as long as they are text.
    let text = extension.iter().all(|b| *b == b'\t' || (0x20..0x7f).contains(b));
    let starts_well = matches!(extension.first(), None | Some(b';' | b' ' | b'\t'));
    if !(1..=15).contains(&digits) || !text || !starts_well {
        return None;
    }
    Some(size.iter().fold(0, |n, b| n * 16 + u64::from((*b as char).to_digit(16).unwrap_or(0))))
}

/// A length in decimal digits and nothing else.
pub fn decimal(value: &[u8]) -> Option<u64> {
    let plain = !value.is_empty() && value.len() <= 18 && value.iter().all(u8::is_ascii_digit);
    plain.then(|| value.iter().fold(0, |n, b| n * 10 + u64::from(b - b'0')))
}
