//! The guard: looks at the bytes of HTTP/1 requests before the HTTP library does, and refuses whatever two servers
//! could read differently. hyper stays the one that parses; it is merely never shown an ambiguous message.
//!
//! The guard follows message framing itself. Should it ever disagree with hyper, it can only refuse too much: what is
//! sent upstream is always written anew from what hyper understood.

use engine::{Reason, reason};
use memchr::memchr;

/// Limits on a request head.
#[derive(Debug, Clone, Copy)]
pub struct HeadLimits {
    pub request_line: usize,
    pub header_count: usize,
    pub head_size: usize,
}

/// Bytes that must not be shown to anybody.
#[derive(Debug, Clone, Copy)]
pub struct Violation {
    pub reason: &'static Reason,
    /// How many of the bytes belong to whole requests before the flaw.
    pub clean: usize,
    /// The flaw is in the body of a request whose head was fine, and has been shown.
    pub in_body: bool,
}

/// Where in the stream of requests we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before or in the request line.
    RequestLine,
    Headers,
    Body(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailers,
}

/// Follows one connection.
#[derive(Debug)]
pub struct Guard {
    at: At,
    limits: HeadLimits,
    /// The part of a line that came with earlier bytes.
    partial: Vec<u8>,
    head: Head,
    #[cfg(test)]
    heads: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Head {
    size: usize,
    lines: usize,
    http10: bool,
    hosts: u8,
    length: Option<u64>,
    chunked: bool,
}

/// Longest chunk-size line, extensions included. Nobody needs them, and they cost the reader.
const LONGEST_CHUNK_LINE: usize = 256;
/// Empty lines before a request line, which some old clients send after a body.
const MOST_EMPTY_LINES: usize = 2;

impl Guard {
    pub fn new(limits: HeadLimits) -> Self {
        Self {
            at: At::RequestLine,
            limits,
            partial: Vec::new(),
            head: Head::default(),
            #[cfg(test)]
            heads: 0,
        }
    }

    /// Takes in the next bytes; `Err` means that they must not be shown to anybody.
    pub fn feed(&mut self, all: &[u8]) -> Result<(), Violation> {
        let mut bytes = all;
        let mut clean = 0;
        let mut head_came_before = !matches!(self.at, At::RequestLine | At::Headers);
        while !bytes.is_empty() {
            bytes = self.step(bytes).map_err(|reason| {
                // A head that came with the flaw has not been shown to anybody either.
                Violation { reason, clean, in_body: head_came_before }
            })?;
            if self.between_requests() {
                clean = all.len() - bytes.len();
                head_came_before = false;
            }
        }
        Ok(())
    }

    /// Takes in a line or a piece of a body, and returns what follows.
    fn step<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], &'static Reason> {
        Ok({
            match self.at {
                At::Body(left) => {
                    let (rest, left) = skip(bytes, left);
                    self.at = if left == 0 { self.next_request() } else { At::Body(left) };
                    rest
                }
                At::ChunkData(left) => {
                    let (rest, left) = skip(bytes, left);
                    self.at = if left == 0 { At::ChunkEnd } else { At::ChunkData(left) };
                    rest
                }
                At::RequestLine | At::Headers | At::ChunkSize | At::ChunkEnd | At::Trailers => {
                    let Some(end) = memchr(b'\n', bytes) else {
                        self.check_length(bytes)?;
                        self.partial.extend_from_slice(bytes);
                        return Ok(&[]);
                    };
                    let (line, rest) = bytes.split_at(end + 1);
                    self.check_length(line)?;
                    if self.partial.is_empty() {
                        self.line(line)?;
                    } else {
                        self.partial.extend_from_slice(line);
                        let line = std::mem::take(&mut self.partial);
                        self.line(&line)?;
                    }
                    rest
                }
            }
        })
    }

    /// A line that goes on for ever must not be collected for ever. Asked before anything else about a line, whole or
    /// not, so that where the bytes were cut makes no difference.
    fn check_length(&self, more: &[u8]) -> Result<(), &'static Reason> {
        let text = more.strip_suffix(b"\n").unwrap_or(more);
        let last = if text.is_empty() { self.partial.last() } else { text.last() };
        let length = self.partial.len() + text.len() - usize::from(last == Some(&b'\r'));
        match self.at {
            At::RequestLine if length > self.limits.request_line => Err(&reason::REQUEST_LINE_TOO_LONG),
            At::Headers | At::Trailers if self.head.size + length + 2 > self.limits.head_size => {
                Err(&reason::HEADERS_TOO_LARGE)
            }
            At::ChunkSize | At::ChunkEnd if length > LONGEST_CHUNK_LINE => Err(&reason::BAD_REQUEST),
            _ => Ok(()),
        }
    }

    /// One whole line, with its end.
    fn line(&mut self, line: &[u8]) -> Result<(), &'static Reason> {
        // A lone LF ends a line for some servers and not for others; a lone CR likewise.
        let line = line.strip_suffix(b"\r\n").ok_or(&reason::BAD_REQUEST)?;
        match self.at {
            At::RequestLine => self.request_line(line),
            At::Headers if line.is_empty() => self.end_of_head(),
            At::Headers => self.header(line),
            At::ChunkSize => self.chunk_size(line),
            At::ChunkEnd if line.is_empty() => {
                self.at = At::ChunkSize;
                Ok(())
            }
            At::Trailers if line.is_empty() => {
                self.at = self.next_request();
                Ok(())
            }
            At::Trailers => self.trailer(line),
            At::ChunkEnd | At::Body(_) | At::ChunkData(_) => Err(&reason::BAD_REQUEST),
        }
    }

    fn request_line(&mut self, line: &[u8]) -> Result<(), &'static Reason> {
        if line.is_empty() {
            self.head.lines += 1;
            return if self.head.lines > MOST_EMPTY_LINES { Err(&reason::BAD_REQUEST) } else { Ok(()) };
        }
        let mut parts = line.split(|b| *b == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(&reason::BAD_REQUEST);
        };
        let valid_target =
            !target.is_empty() && target.iter().all(|b| (0x21..0x7f).contains(b) && *b != b'#');
        if method.is_empty() || !method.iter().all(|b| is_token(*b)) || !valid_target {
            return Err(&reason::BAD_REQUEST);
        }
        self.head = Head { size: line.len() + 2, ..Head::default() };
        match version {
            b"HTTP/1.1" => {}
            b"HTTP/1.0" => self.head.http10 = true,
            _ if version.starts_with(b"HTTP/") && version.len() <= 8 => {
                return Err(&reason::VERSION_NOT_SUPPORTED);
            }
            _ => return Err(&reason::BAD_REQUEST),
        }
        self.at = At::Headers;
        Ok(())
    }

    /// Splits a header line and checks what every header line must keep to.
    fn field<'a>(&mut self, line: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), &'static Reason> {
        self.head.size += line.len() + 2;
        self.head.lines += 1;
        if self.head.lines > self.limits.header_count || self.head.size > self.limits.head_size {
            return Err(&reason::HEADERS_TOO_LARGE);
        }
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

    fn header(&mut self, line: &[u8]) -> Result<(), &'static Reason> {
        let (name, value) = self.field(line)?;
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                self.head.hosts = self.head.hosts.saturating_add(1);
                let valid = !value.is_empty()
                    && value.iter().all(|b| b.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(b));
                if self.head.hosts > 1 || !valid {
                    return Err(&reason::BAD_HOST);
                }
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                if self.head.length.is_some() || self.head.chunked {
                    return Err(&reason::AMBIGUOUS_LENGTH);
                }
                self.head.length = Some(decimal(value).ok_or(&reason::AMBIGUOUS_LENGTH)?);
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                // HTTP/1.0 has no chunks, and a proxy that ignores the header sees another body.
                let only_chunked = value.eq_ignore_ascii_case(b"chunked");
                if self.head.length.is_some() || self.head.chunked || self.head.http10 || !only_chunked {
                    return Err(&reason::AMBIGUOUS_LENGTH);
                }
                self.head.chunked = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn end_of_head(&mut self) -> Result<(), &'static Reason> {
        if self.head.hosts != 1 && !self.head.http10 {
            return Err(&reason::BAD_HOST);
        }
        #[cfg(test)]
        {
            self.heads += 1;
        }
        self.at = match self.head {
            Head { chunked: true, .. } => At::ChunkSize,
            Head { length: Some(length @ 1..), .. } => At::Body(length),
            _ => self.next_request(),
        };
        Ok(())
    }

    fn chunk_size(&mut self, line: &[u8]) -> Result<(), &'static Reason> {
        let digits = line.iter().position(|b| !b.is_ascii_hexdigit()).unwrap_or(line.len());
        let (size, extension) = line.split_at(digits);
        // Fifteen digits cannot overflow; extensions are allowed and ignored, as long as they are text.
        let text = extension.iter().all(|b| *b == b'\t' || (0x20..0x7f).contains(b));
        let starts_well = matches!(extension.first(), None | Some(b';' | b' ' | b'\t'));
        if size.is_empty() || size.len() > 15 || !text || !starts_well {
            return Err(&reason::BAD_REQUEST);
        }
        let size =
            size.iter().fold(0, |size, b| size * 16 + u64::from((*b as char).to_digit(16).unwrap_or(0)));
        self.at = if size == 0 { At::Trailers } else { At::ChunkData(size) };
        Ok(())
    }

    fn trailer(&mut self, line: &[u8]) -> Result<(), &'static Reason> {
        let (name, _) = self.field(line)?;
        let framing: [&[u8]; 3] = [b"host", b"content-length", b"transfer-encoding"];
        if framing.iter().any(|f| name.eq_ignore_ascii_case(f)) {
            Err(&reason::AMBIGUOUS_LENGTH)
        } else {
            Ok(())
        }
    }

    fn next_request(&mut self) -> At {
        self.head = Head::default();
        At::RequestLine
    }

    /// The bytes so far end inside a request head.
    pub fn inside_head(&self) -> bool {
        self.at == At::Headers
            || (self.at == At::RequestLine && (!self.partial.is_empty() || self.head.lines > 0))
    }

    /// The bytes so far end exactly at the end of a request.
    pub fn between_requests(&self) -> bool {
        self.at == At::RequestLine && self.partial.is_empty()
    }

    /// How many of the last bytes belong to a line that has not ended.
    pub fn unfinished(&self) -> usize {
        self.partial.len()
    }

    /// How many request heads have come in whole.
    #[cfg(test)]
    fn heads(&self) -> u64 {
        self.heads
    }
}

fn skip(bytes: &[u8], left: u64) -> (&[u8], u64) {
    let take = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
    (&bytes[take..], left - take as u64)
}

fn decimal(value: &[u8]) -> Option<u64> {
    let plain = !value.is_empty() && value.len() <= 18 && value.iter().all(u8::is_ascii_digit);
    plain.then(|| value.iter().fold(0, |n, b| n * 10 + u64::from(b - b'0')))
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

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits { request_line: 100, header_count: 5, head_size: 300 };

    fn feed(text: &str) -> Result<u64, &'static str> {
        // Whole, and byte by byte: where the bytes are cut must not matter.
        let mut whole = Guard::new(LIMITS);
        let at_once = whole.feed(text.as_bytes()).map(|()| whole.heads()).map_err(|v| v.reason.code);
        let mut slow = Guard::new(LIMITS);
        let in_pieces =
            text.bytes().try_for_each(|b| slow.feed(&[b])).map(|()| slow.heads()).map_err(|v| v.reason.code);
        assert_eq!(at_once, in_pieces, "{text:?}");
        at_once
    }

    #[test]
    fn clean_requests_pass() {
        for (text, heads) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1),
            ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 1),
            ("GET / HTTP/1.0\r\n\r\n", 1),
            ("GET / HTTP/1.1\r\nHost: a\r\nX:\r\nY: \t b \r\n\r\n", 1),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: a\r\n\r\n",
                2,
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n\
                 GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                2,
            ),
            ("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 1),
        ] {
            assert_eq!(feed(text), Ok(heads), "{text:?}");
        }
    }

    #[test]
    fn whatever_two_servers_could_read_differently_is_refused() {
        let head = |lines: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
        for (text, code) in [
            (head("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"), "ambiguous_length"),
            (head("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n"), "ambiguous_length"),
            (head("Content-Length: 4\r\nContent-Length: 4\r\n"), "ambiguous_length"),
            (head("Content-Length: 4, 4\r\n"), "ambiguous_length"),
            (head("Content-Length: +4\r\n"), "ambiguous_length"),
            (head("Content-Length: \r\n"), "ambiguous_length"),
            (head("Content-Length: 0x4\r\n"), "ambiguous_length"),
            (head("Transfer-Encoding: xchunked\r\n"), "ambiguous_length"),
            (head("Transfer-Encoding: gzip, chunked\r\n"), "ambiguous_length"),
            (head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), "ambiguous_length"),
            (head("Transfer-Encoding : chunked\r\n"), "bad_request"),
            (head("X: a\r\n b\r\n"), "bad_request"),
            (head("X: a\n"), "bad_request"),
            (head("X: a\rb\r\n"), "bad_request"),
            (head("X: a\0\r\n"), "bad_request"),
            (head("X y: a\r\n"), "bad_request"),
            (head(": a\r\n"), "bad_request"),
            (head("no colon\r\n"), "bad_request"),
            (head("Host: b\r\n"), "bad_host"),
            ("GET / HTTP/1.1\r\n\r\n".into(), "bad_host"),
            ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n".into(), "bad_host"),
            ("GET / HTTP/1.1\r\nHost:\r\n\r\n".into(), "bad_host"),
            ("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".into(), "ambiguous_length"),
            ("GET / HTTP/1.1\nHost: a\n\n".into(), "bad_request"),
            ("GET  / HTTP/1.1\r\n".into(), "bad_request"),
            ("GET /a b HTTP/1.1\r\n".into(), "bad_request"),
            ("GET /#a HTTP/1.1\r\n".into(), "bad_request"),
            ("GET\t/ HTTP/1.1\r\n".into(), "bad_request"),
            ("G(T / HTTP/1.1\r\n".into(), "bad_request"),
            ("GET / HTTP/2.0\r\n".into(), "version_not_supported"),
            ("GET / http/1.1\r\n".into(), "bad_request"),
            ("GET /\r\n".into(), "bad_request"),
            ("\r\n\r\n\r\n".into(), "bad_request"),
            (format!("GET /{} HTTP/1.1\r\n", "a".repeat(200)), "request_line_too_long"),
            (head(&"X: a\r\n".repeat(9)), "headers_too_large"),
            (head(&format!("X: {}\r\n", "a".repeat(400))), "headers_too_large"),
        ] {
            assert_eq!(feed(&text), Err(code), "{text:?}");
        }
    }

    #[test]
    fn chunks_that_lie_are_refused() {
        let body = |chunks: &str| {
            format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")
        };
        for (chunks, code) in [
            ("3\nabc\r\n", "bad_request"),
            ("3\r\nabcd\r\n", "bad_request"),
            ("-1\r\n", "bad_request"),
            ("0x3\r\n", "bad_request"),
            ("\r\n", "bad_request"),
            ("1234567890abcdef\r\n", "bad_request"),
            ("3 x\0\r\n", "bad_request"),
            ("0\r\nContent-Length: 4\r\n", "ambiguous_length"),
            ("0\r\nbad line\r\n", "bad_request"),
        ] {
            assert_eq!(feed(&body(chunks)), Err(code), "{chunks:?}");
        }
        assert_eq!(feed(&body(&format!("3;{}\r\n", "x".repeat(300)))), Err("bad_request"));
    }

    /// Small and repeatable: a fuzzer that runs with every test run.
    #[test]
    fn no_bytes_make_it_panic_and_cuts_never_change_its_mind() {
        let words = [
            "GET",
            "POST",
            " ",
            "/",
            "/a",
            "HTTP/1.1",
            "\r\n",
            "\n",
            "\r",
            "Host: a",
            "Host",
            ":",
            "Content-Length: 5",
            "0",
            "Transfer-Encoding: chunked",
            "5",
            "hello",
            "ffffffffffffffff",
            ";",
            "X: y",
            "\0",
            "\u{ff}",
            "\t",
            ",",
        ];
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = |below: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random % below as u64).unwrap()
        };
        for _ in 0..20_000 {
            let mut text = String::new();
            if next(2) == 0 {
                text.push_str("POST / HTTP/1.1\r\nHost: a\r\n");
            }
            for _ in 0..next(12) {
                text.push_str(words[next(words.len())]);
            }
            let _ = feed(&text);
        }
    }

    #[test]
    fn whole_requests_before_a_flaw_are_clean() {
        let good = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let violation =
            Guard::new(LIMITS).feed(format!("{good}GET / HTTP/1.1\r\n bad\r\n").as_bytes()).unwrap_err();
        assert_eq!((violation.clean, violation.in_body), (good.len(), false));
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let violation = Guard::new(LIMITS).feed(format!("{good}{head}zz\r\n").as_bytes()).unwrap_err();
        assert_eq!((violation.clean, violation.in_body), (good.len(), false));
        let mut guard = Guard::new(LIMITS);
        guard.feed(head.as_bytes()).unwrap();
        let violation = guard.feed(b"zz\r\n").unwrap_err();
        assert_eq!((violation.clean, violation.in_body), (0, true));
    }

    #[test]
    fn it_knows_whether_a_request_has_begun() {
        let mut guard = Guard::new(LIMITS);
        assert!(!guard.inside_head() && guard.between_requests());
        guard.feed(b"GET").unwrap();
        assert!(guard.inside_head());
        guard.feed(b" / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        assert!(!guard.inside_head() && guard.between_requests());
    }
}
