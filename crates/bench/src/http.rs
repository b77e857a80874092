//! As much of HTTP/1.1 as the two ends of the benchmark need: heads with `Content-Length`. What is measured sits
//! between them; a proxy that frames otherwise is refused aloud instead of being measured at something else.

use memchr::memmem;

/// The fields of a head that matter here.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Bytes up to and with the empty line.
    pub length: usize,
    pub content_length: Option<usize>,
    pub chunked: bool,
    /// The connection ends after this message.
    pub close: bool,
    /// First byte of `x-upstream`, which tells the upstreams of the reload work apart.
    pub upstream: Option<u8>,
}

/// Reads a head; `None` while it is incomplete.
pub fn head(bytes: &[u8]) -> Option<Head> {
    let end = memmem::find(bytes, b"\r\n\r\n")?;
    let mut head = Head { length: end + 4, ..Head::default() };
    let mut lines = bytes[..end + 2].split(|&byte| byte == b'\n');
    lines.next();
    for line in lines {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        // Most lines are none of these; comparing lengths first keeps the load generator out of the way.
        match name.len() {
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                head.content_length = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => head.chunked = true,
            10 if name.eq_ignore_ascii_case(b"connection") => {
                head.close = value.eq_ignore_ascii_case(b"close")
            }
            10 if name.eq_ignore_ascii_case(b"x-upstream") => head.upstream = value.first().copied(),
            _ => {}
        }
    }
    Some(head)
}

/// Status code of a response head.
pub fn status(bytes: &[u8]) -> Option<u16> {
    let text = bytes.strip_prefix(b"HTTP/1.1 ").or_else(|| bytes.strip_prefix(b"HTTP/1.0 "))?.get(..3)?;
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Last segment of the path in a request head, without the query.
pub fn last_segment(bytes: &[u8]) -> Option<&[u8]> {
    let target = bytes.split(|&byte| byte == b' ').nth(1)?;
    let path = target.split(|&byte| byte == b'?').next()?;
    path.rsplit(|&byte| byte == b'/').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_when_complete() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nX-Upstream: b\r\nconnection: Close\r\n\r\nbody";
        assert_eq!(head(&text[..70]), None);
        let expected = Head {
            length: text.len() - 4,
            content_length: Some(12),
            chunked: false,
            close: true,
            upstream: Some(b'b'),
        };
        assert_eq!(head(text), Some(expected));
        assert_eq!(status(text), Some(200));
        assert_eq!(last_segment(b"GET /a/b/64k?x=/1 HTTP/1.1\r\n"), Some(&b"64k"[..]));
    }
}
