//! Response heads, parsed strictly: an answer whose end is doubtful is no answer.

use bytes::BytesMut;
use engine::{
    Headers,
    headers::{Line, Lines},
};
use http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_LENGTH};

use super::decode::decimal;
use crate::headers::Kind;

/// How the end of a response body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseFraming {
    None,
    Length(u64),
    Chunked,
    UntilClose,
}

/// A response head, without the headers that belong to this hop.
#[derive(Debug)]
pub struct Response {
    pub status: StatusCode,
    pub headers: Headers,
    pub framing: ResponseFraming,
    pub keep_alive: bool,
    /// The protocol named by `Upgrade`.
    pub upgrade: Option<HeaderValue>,
}

/// What is wrong with a response; for the decision record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalid(pub &'static str);

const MOST_HEADERS: usize = 128;
const LARGEST_HEAD: usize = 128 * 1024;

/// Takes a response head off the buffer; `None` while it is incomplete.
pub fn parse(buffer: &mut BytesMut, to_head_request: bool) -> Result<Option<Response>, Invalid> {
    let mut slots = [const { std::mem::MaybeUninit::uninit() }; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let parsed = config.parse_response_with_uninit_headers(&mut response, buffer, &mut slots);
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if buffer.len() < LARGEST_HEAD => return Ok(None),
        Ok(httparse::Status::Partial) => return Err(Invalid("the head is larger than 128 KiB")),
        Err(httparse::Error::TooManyHeaders) => return Err(Invalid("more than 128 headers")),
        Err(_) => return Err(Invalid("the head is not HTTP/1")),
    };
    let status = response
        .code
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or(Invalid("the status is not valid"))?;
    let http10 = response.version == Some(0);
    // Positions, since the buffer is cut off below and the parsed slices borrow it.
    let base = buffer.as_ptr() as usize;
    let mut framing = Fields { http10, close: http10, ..Fields::default() };
    let mut lines = Lines::new();
    for header in response.headers {
        if framing.take_in(header.name.as_bytes(), header.value)? {
            let name = header.name.as_ptr() as usize - base;
            let value = if header.value.is_empty() { name } else { header.value.as_ptr() as usize - base };
            lines.push(Line::new(name, name + header.name.len(), value, value + header.value.len()));
        }
    }
    let Fields { content_length, chunked, close, connection_names, upgrade, .. } = framing;
    let mut headers = Headers::from_text(buffer.split_to(length).freeze(), lines);
    if chunked && content_length.is_some() {
        return Err(Invalid("both Content-Length and Transfer-Encoding"));
    }
    for name in connection_names {
        if name != CONTENT_LENGTH {
            headers.remove(name);
        }
    }
    let bodiless = to_head_request || status.is_informational() || matches!(status.as_u16(), 204 | 304);
    let framing = match content_length {
        _ if bodiless => ResponseFraming::None,
        _ if chunked => ResponseFraming::Chunked,
        Some(0) => ResponseFraming::None,
        Some(length) => ResponseFraming::Length(length),
        None => ResponseFraming::UntilClose,
    };
    Ok(Some(Response {
        status,
        headers,
        framing,
        keep_alive: !close && framing != ResponseFraming::UntilClose,
        upgrade,
    }))
}

/// What the headers so far say about this hop.
#[derive(Default)]
struct Fields {
    http10: bool,
    content_length: Option<u64>,
    chunked: bool,
    close: bool,
    connection_names: Vec<HeaderName>,
    upgrade: Option<HeaderValue>,
}

impl Fields {
    /// Looks at a header; `false` when it goes no further.
    fn take_in(&mut self, name: &[u8], value: &[u8]) -> Result<bool, Invalid> {
        match Kind::of(name) {
            Kind::ContentLength => {
                let length = decimal(value).ok_or(Invalid("Content-Length is not a number"))?;
                if self.content_length.is_some_and(|before| before != length) {
                    return Err(Invalid("two different Content-Length"));
                }
                Ok(self.content_length.replace(length).is_none())
            }
            Kind::HopByHop => {
                if name.eq_ignore_ascii_case(b"transfer-encoding") {
                    if self.chunked || self.http10 || !value.eq_ignore_ascii_case(b"chunked") {
                        return Err(Invalid("a Transfer-Encoding other than chunked"));
                    }
                    self.chunked = true;
                } else if name.eq_ignore_ascii_case(b"connection") {
                    for token in value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
                        match token {
                            t if t.eq_ignore_ascii_case(b"close") => self.close = true,
                            t if t.eq_ignore_ascii_case(b"keep-alive") => self.close = false,
                            t => self.connection_names.extend(HeaderName::from_bytes(t).ok()),
                        }
                    }
                } else if name.eq_ignore_ascii_case(b"upgrade") {
                    self.upgrade = HeaderValue::from_bytes(value).ok();
                }
                // Trailers are announced to whoever wants them, and that may be the client.
                Ok(name.eq_ignore_ascii_case(b"trailer"))
            }
            _ => Ok(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, head: bool) -> Result<Option<Response>, Invalid> {
        parse(&mut BytesMut::from(text), head)
    }

    #[test]
    fn the_end_of_a_body_is_found_by_the_rules() {
        for (text, head, framing, keep_alive) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, ResponseFraming::Length(5), true),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
                false,
                ResponseFraming::Length(5),
                true,
            ),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", false, ResponseFraming::Chunked, true),
            ("HTTP/1.1 200 OK\r\n\r\n", false, ResponseFraming::UntilClose, false),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, ResponseFraming::None, true),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false, ResponseFraming::None, true),
            ("HTTP/1.1 204 No Content\r\n\r\n", false, ResponseFraming::None, true),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                false,
                ResponseFraming::None,
                false,
            ),
            ("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", false, ResponseFraming::Length(1), false),
            (
                "HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n",
                false,
                ResponseFraming::Length(1),
                true,
            ),
        ] {
            let response = read(text, head).unwrap().unwrap();
            assert_eq!((response.framing, response.keep_alive), (framing, keep_alive), "{text:?}");
        }
    }

    #[test]
    fn doubtful_answers_are_no_answers() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
            "HTTP/1.1 999999 OK\r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n",
            "ICY 200 OK\r\n\r\n",
            "<html>\r\n\r\n",
        ] {
            assert!(read(text, false).is_err(), "{text:?}");
        }
        assert!(read(&format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(200)), false).is_err());
    }

    #[test]
    fn headers_of_this_hop_stay_here() {
        let response = read(
            "HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nContent-Length: 0\r\nX-End: 2\r\n\r\n",
            false,
        );
        let headers = response.unwrap().unwrap().headers;
        let names: Vec<&str> = headers.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["Content-Length", "X-End"]);
    }

    #[test]
    fn half_a_head_waits_for_the_rest() {
        assert!(read("HTTP/1.1 200 OK\r\nX:", false).unwrap().is_none());
    }
}
