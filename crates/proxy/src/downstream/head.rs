//! Request heads of HTTP/1, read strictly: whatever two servers could read differently is refused here.
//!
//! Every line is looked at once, when it is whole. What is understood here is all that anybody ever sees of a head:
//! requests to upstreams are written anew from it.

use bytes::BytesMut;
use engine::{
    Headers, Reason, RequestHead,
    headers::{Line, Lines},
    reason,
};
use http::{Method, Uri, Version};
use memchr::memchr;

use crate::h1::{Framing, decimal};

/// Limits on a request head.
#[derive(Debug, Clone, Copy)]
pub struct HeadLimits {
    pub request_line: usize,
    pub header_count: usize,
    pub head_size: usize,
}

/// A request head, understood.
#[derive(Debug)]
pub struct Received {
    pub head: RequestHead,
    pub framing: Framing,
    /// The client lets the connection be used again.
    pub keep_alive: bool,
    /// The client waits for `100 Continue` before it sends its body.
    pub expects_continue: bool,
}

/// Reads one head after the other from a buffer.
#[derive(Debug)]
pub struct HeadReader {
    limits: HeadLimits,
    /// Where the line begins that is being read.
    line_start: usize,
    /// Up to where that line was searched for its end.
    searched: usize,
    empty_lines: u8,
    /// Start and end of method, start and end of target; set once the request line has come.
    request_line: Option<[usize; 4]>,
    fields: Fields,
    lines: Lines,
}

/// What the header lines so far say about the message.
#[derive(Debug, Default, Clone, Copy)]
struct Fields {
    size: usize,
    count: usize,
    http10: bool,
    hosts: u8,
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    expects_continue: bool,
}

/// Empty lines before a request line, which some old clients send after a body.
const MOST_EMPTY_LINES: u8 = 2;

impl HeadReader {
    pub fn new(limits: HeadLimits) -> Self {
        Self {
            limits,
            line_start: 0,
            searched: 0,
            empty_lines: 0,
            request_line: None,
            fields: Fields::default(),
            lines: Lines::new(),
        }
    }

    /// Takes a head off the buffer; `None` while it is incomplete.
    pub fn read(&mut self, buffer: &mut BytesMut) -> Result<Option<Received>, &'static Reason> {
        loop {
            let Some(found) = memchr(b'\n', &buffer[self.searched..]) else {
                self.searched = buffer.len();
                self.check_length(&buffer[self.line_start..])?;
                return Ok(None);
            };
            let end = self.searched + found;
            let start = self.line_start;
            self.check_length(&buffer[start..end])?;
            // A lone LF ends a line for some servers and not for others; a lone CR likewise.
            let Some(line) = buffer[start..end].strip_suffix(b"\r") else {
                return Err(&reason::BAD_REQUEST);
            };
            let line_end = start + line.len();
            (self.line_start, self.searched) = (end + 1, end + 1);
            if self.request_line.is_none() {
                self.read_request_line(buffer, start, line_end)?;
            } else if line_end > start {
                self.read_header(buffer, start, line_end)?;
            } else {
                return self.finish(buffer).map(Some);
            }
        }
    }

    /// Method and target, as far as they have been understood.
    pub fn so_far(&self, buffer: &BytesMut) -> Option<(Method, Uri)> {
        let [start, method_end, target, end] = self.request_line?;
        Some((
            Method::from_bytes(&buffer[start..method_end]).ok()?,
            Uri::try_from(&buffer[target..end]).unwrap_or_default(),
        ))
    }

    /// A line that goes on for ever must not be collected for ever. Asked before anything else about a line, whole or
    /// not, so that where the bytes were cut makes no difference.
    fn check_length(&self, line: &[u8]) -> Result<(), &'static Reason> {
        let length = line.len() - usize::from(line.last() == Some(&b'\r'));
        match self.request_line {
            None if length > self.limits.request_line => Err(&reason::REQUEST_LINE_TOO_LONG),
            Some(_) if self.fields.size + length + 2 > self.limits.head_size => {
                Err(&reason::HEADERS_TOO_LARGE)
            }
            _ => Ok(()),
        }
    }

    fn read_request_line(&mut self, buffer: &[u8], start: usize, end: usize) -> Result<(), &'static Reason> {
        let line = &buffer[start..end];
        if line.is_empty() {
            self.empty_lines += 1;
            return if self.empty_lines > MOST_EMPTY_LINES { Err(&reason::BAD_REQUEST) } else { Ok(()) };
        }
        let method_end = memchr(b' ', line).ok_or(&reason::BAD_REQUEST)?;
        let target_end =
            method_end + 1 + memchr(b' ', &line[method_end + 1..]).ok_or(&reason::BAD_REQUEST)?;
        let (method, target, version) =
            (&line[..method_end], &line[method_end + 1..target_end], &line[target_end + 1..]);
        // Written without an early exit so that it runs over many bytes at once.
        let bad_target = target.iter().fold(false, |bad, b| bad | (*b < 0x21) | (*b > 0x7e) | (*b == b'#'));
        if method.is_empty() || !method.iter().all(|b| is_token(*b)) || target.is_empty() || bad_target {
            return Err(&reason::BAD_REQUEST);
        }
        match version {
            b"HTTP/1.1" => {}
            b"HTTP/1.0" => self.fields.http10 = true,
            _ if version.starts_with(b"HTTP/") && version.len() <= 8 && !version.contains(&b' ') => {
                return Err(&reason::VERSION_NOT_SUPPORTED);
            }
            _ => return Err(&reason::BAD_REQUEST),
        }
        self.fields.size = line.len() + 2;
        self.request_line = Some([start, start + method_end, start + method_end + 1, start + target_end]);
        Ok(())
    }

    fn read_header(&mut self, buffer: &[u8], start: usize, end: usize) -> Result<(), &'static Reason> {
        let line = &buffer[start..end];
        let fields = &mut self.fields;
        fields.size += line.len() + 2;
        fields.count += 1;
        if fields.count > self.limits.header_count || fields.size > self.limits.head_size {
            return Err(&reason::HEADERS_TOO_LARGE);
        }
        let (name, value) = split_field(line)?;
        let value_start = value.as_ptr() as usize - buffer.as_ptr() as usize;
        self.lines.push(Line::new(start, start + name.len(), value_start, value_start + value.len()));
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                fields.hosts = fields.hosts.saturating_add(1);
                let valid = !value.is_empty()
                    && value.iter().all(|b| b.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(b));
                if fields.hosts > 1 || !valid {
                    return Err(&reason::BAD_HOST);
                }
            }
            6 if name.eq_ignore_ascii_case(b"expect") => {
                fields.expects_continue = value.eq_ignore_ascii_case(b"100-continue");
            }
            10 if name.eq_ignore_ascii_case(b"connection") => {
                for token in value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
                    fields.close |= token.eq_ignore_ascii_case(b"close");
                    fields.keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                if fields.length.is_some() || fields.chunked {
                    return Err(&reason::AMBIGUOUS_LENGTH);
                }
                fields.length = Some(decimal(value).ok_or(&reason::AMBIGUOUS_LENGTH)?);
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                // HTTP/1.0 has no chunks, and a proxy that ignores the header sees another body.
                let only_chunked = value.eq_ignore_ascii_case(b"chunked");
                if fields.length.is_some() || fields.chunked || fields.http10 || !only_chunked {
                    return Err(&reason::AMBIGUOUS_LENGTH);
                }
                fields.chunked = true;
            }
            _ => {}
        }
        Ok(())
    }

    /// All lines have come: cuts the head off the buffer, and starts anew.
    fn finish(&mut self, buffer: &mut BytesMut) -> Result<Received, &'static Reason> {
        let fields = std::mem::take(&mut self.fields);
        if fields.hosts != 1 && !fields.http10 {
            return Err(&reason::BAD_HOST);
        }
        let text = buffer.split_to(self.line_start).freeze();
        let [start, method_end, target, target_end] = self.request_line.take().ok_or(&reason::BAD_REQUEST)?;
        (self.line_start, self.searched, self.empty_lines) = (0, 0, 0);
        let head = RequestHead {
            method: Method::from_bytes(&text[start..method_end]).map_err(|_| &reason::BAD_REQUEST)?,
            uri: Uri::from_maybe_shared(text.slice(target..target_end)).map_err(|_| &reason::BAD_REQUEST)?,
            version: if fields.http10 { Version::HTTP_10 } else { Version::HTTP_11 },
            headers: Headers::from_text(text, std::mem::take(&mut self.lines)),
        };
        Ok(Received {
            head,
            framing: match fields.length {
                _ if fields.chunked => Framing::Chunked,
                Some(length @ 1..) => Framing::Length(length),
                _ => Framing::None,
            },
            keep_alive: !fields.close && (!fields.http10 || fields.keep_alive),
            expects_continue: fields.expects_continue && !fields.http10,
        })
    }
}

/// Splits a header or trailer line, and checks what every such line must keep to.
pub fn split_field(line: &[u8]) -> Result<(&[u8], &[u8]), &'static Reason> {
    let colon = memchr(b':', line).ok_or(&reason::BAD_REQUEST)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    // A space in the name covers obsolete folding and a space before the colon, too.
    if name.is_empty() || !name.iter().all(|b| is_token(*b)) {
        return Err(&reason::BAD_REQUEST);
    }
    // Written without an early exit so that it runs over many bytes at once.
    let bad = value.iter().fold(false, |bad, b| bad | ((*b < 0x20 && *b != b'\t') || *b == 0x7f));
    if bad { Err(&reason::BAD_REQUEST) } else { Ok((name, value.trim_ascii())) }
}

const fn is_token(byte: u8) -> bool {
    const TOKENS: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 128 {
            let b = byte as u8;
            table[byte] = b.is_ascii_alphanumeric()
                || matches!(
                    b,
                    b'!' | b'#'
                        | b'$'
                        | b'%'
                        | b'&'
                        | b'\''
                        | b'*'
                        | b'+'
                        | b'-'
                        | b'.'
                        | b'^'
                        | b'_'
                        | b'`'
                        | b'|'
                        | b'~'
                );
            byte += 1;
        }
        table
    };
    TOKENS[byte as usize]
}
