//! Response heads, parsed strictly: an answer whose end is doubtful is no answer.

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH, TRAILER, TRANSFER_ENCODING},
};
use smallvec::SmallVec;

use super::decode::decimal;
use crate::headers::is_hop_by_hop;

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
    pub headers: HeaderMap,
    pub framing: ResponseFraming,
    pub keep_alive: bool,
    /// The protocol named by `Upgrade`.
    pub upgrade: Option<HeaderValue>,
}

/// What is wrong with a response; for the decision record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalid(pub &'static str);

/// Start and end of a name, start and end of its value.
type Span = (usize, usize, usize, usize);

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
    let spans: SmallVec<[Span; 24]> = response
        .headers
        .iter()
        .map(|header| {
            let name = header.name.as_ptr() as usize - base;
            let value = if header.value.is_empty() { name } else { header.value.as_ptr() as usize - base };
            (name, name + header.name.len(), value, value + header.value.len())
        })
        .collect();
    let head = buffer.split_to(length).freeze();
    build(&head, &spans, status, http10, to_head_request).map(Some)
}

fn build(
    head: &Bytes,
    spans: &[Span],
    status: StatusCode,
    http10: bool,
    to_head_request: bool,
) -> Result<Response, Invalid> {
    // Room for the few headers that the gateway adds, or the map would grow at once.
    let mut headers = HeaderMap::with_capacity(spans.len() + 2);
    let mut content_length = None;
    let mut chunked = false;
    let mut close = http10;
    let mut connection_names: Vec<HeaderName> = Vec::new();
    let mut upgrade = None;
    for (name_start, name_end, value_start, value_end) in spans {
        let name = HeaderName::from_bytes(&head[*name_start..*name_end])
            .map_err(|_| Invalid("a header name is not valid"))?;
        let value = HeaderValue::from_maybe_shared(head.slice(*value_start..*value_end))
            .map_err(|_| Invalid("a header value is not valid"))?;
        if name == CONTENT_LENGTH {
            let length = decimal(value.as_bytes()).ok_or(Invalid("Content-Length is not a number"))?;
            if content_length.is_some_and(|before| before != length) {
                return Err(Invalid("two different Content-Length"));
            }
            if content_length.replace(length).is_none() {
                headers.append(name, value);
            }
            continue;
        }
        // Trailers are announced to whoever wants them, and that may be the client.
        if !is_hop_by_hop(&name) || name == TRAILER {
            headers.append(name, value);
            continue;
        }
        if name == TRANSFER_ENCODING {
            if chunked || http10 || !value.as_bytes().eq_ignore_ascii_case(b"chunked") {
                return Err(Invalid("a Transfer-Encoding other than chunked"));
            }
            chunked = true;
        } else if name == CONNECTION {
            for token in value.as_bytes().split(|b| *b == b',').map(<[u8]>::trim_ascii) {
                match token {
                    t if t.eq_ignore_ascii_case(b"close") => close = true,
                    t if t.eq_ignore_ascii_case(b"keep-alive") => close = false,
                    t => connection_names.extend(HeaderName::from_bytes(t).ok()),
                }
            }
        } else if name == http::header::UPGRADE {
            upgrade = Some(value);
        }
    }
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
    Ok(Response {
        status,
        headers,
        framing,
        keep_alive: !close && framing != ResponseFraming::UntilClose,
        upgrade,
    })
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
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-length", "x-end"]);
    }

    #[test]
    fn half_a_head_waits_for_the_rest() {
        assert!(read("HTTP/1.1 200 OK\r\nX:", false).unwrap().is_none());
    }
}
