//! Request heads, written anew for the upstream: one Host, one length, nothing that belongs to another hop.

use bytes::{BufMut, BytesMut};
use engine::Headers;
use http::Method;

use crate::headers::Kind;

/// How the upstream learns where the request body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    None,
    Length(u64),
    Chunked,
}

/// Everything in a request head.
#[derive(Debug)]
pub struct Head<'a> {
    pub method: &'a Method,
    /// Path of the endpoint and path of the request.
    pub path: [&'a str; 2],
    pub query: Option<&'a str>,
    pub host: &'a str,
    pub headers: &'a Headers,
    /// Written after those of the client, which have none of them any more.
    pub extra: &'a Headers,
    pub framing: Framing,
    /// The protocol to switch to.
    pub upgrade: Option<&'a str>,
    pub expect_continue: bool,
}

/// Writes a head. All values come from types that hold no line breaks.
pub fn encode_head(out: &mut BytesMut, head: &Head<'_>) {
    put(out, &[head.method.as_str(), " "]);
    put(out, &head.path);
    if head.path.iter().all(|p| p.is_empty()) {
        out.put_u8(b'/');
    }
    if let Some(query) = head.query {
        put(out, &["?", query]);
    }
    put(out, &[" HTTP/1.1\r\nhost: ", head.host, "\r\n"]);
    head.headers.write(out, |name, _| {
        !matches!(Kind::of(name), Kind::HopByHop | Kind::Host | Kind::ContentLength | Kind::Expect)
    });
    head.extra.write(out, |_, _| true);
    match head.framing {
        Framing::None => {}
        Framing::Length(length) => {
            put(out, &["content-length: ", itoa::Buffer::new().format(length), "\r\n"]);
        }
        Framing::Chunked => out.put_slice(b"transfer-encoding: chunked\r\n"),
    }
    if head.expect_continue {
        out.put_slice(b"expect: 100-continue\r\n");
    }
    if let Some(protocol) = head.upgrade {
        put(out, &["connection: upgrade\r\nupgrade: ", protocol, "\r\n"]);
    }
    out.put_slice(b"\r\n");
}

fn put(out: &mut BytesMut, parts: &[&str]) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn a_head_has_one_host_one_length_and_nothing_of_the_hop_before() {
        let headers: Headers = [
            ("host", "evil"),
            ("content-length", "99"),
            ("connection", "keep-alive"),
            ("upgrade", "h2c"),
            ("x-empty", ""),
            ("accept", "*/*"),
        ]
        .into_iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
        let mut out = BytesMut::new();
        let head = Head {
            method: &Method::POST,
            path: ["/v2", "/pets"],
            query: Some("a=b"),
            host: "up:80",
            headers: &headers,
            extra: &Headers::from_iter([(&crate::headers::X_REQUEST_ID, HeaderValue::from_static("7"))]),
            framing: Framing::Length(3),
            upgrade: None,
            expect_continue: false,
        };
        encode_head(&mut out, &head);
        assert_eq!(
            std::str::from_utf8(&out).unwrap(),
            "POST /v2/pets?a=b HTTP/1.1\r\nhost: up:80\r\nx-empty: \r\naccept: */*\r\nx-request-id: 7\r\ncontent-length: 3\r\n\r\n"
        );
    }
}
