//! What is a request and what is none, as tables.

use bytes::BytesMut;

use super::head::{HeadLimits, HeadReader};
use crate::h1::{Decoded, Decoder, Flaw, Framing};

const LIMITS: HeadLimits = HeadLimits { request_line: 100, header_count: 5, head_size: 300 };

/// Reads requests as a connection does, and counts the heads.
#[derive(Default)]
struct Reading {
    buffer: BytesMut,
    heads: Option<HeadReader>,
    body: Option<Decoder>,
    count: u64,
}

impl Reading {
    fn feed(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        self.buffer.extend_from_slice(bytes);
        loop {
            if let Some(body) = &mut self.body {
                match body.decode(&mut self.buffer) {
                    Ok(Decoded::Data(_)) => {}
                    Ok(Decoded::Trailers(_) | Decoded::End) => self.body = None,
                    Ok(Decoded::More) => return Ok(()),
                    Err(Flaw::LateFraming) => return Err("ambiguous_length"),
                    Err(Flaw::Invalid) => return Err("bad_request"),
                    Err(Flaw::TooManyTrailers) => return Err("headers_too_large"),
                }
                continue;
            }
            let heads = self.heads.get_or_insert_with(|| HeadReader::new(LIMITS));
            match heads.read(&mut self.buffer).map_err(|reason| reason.code)? {
                None => return Ok(()),
                Some(head) => {
                    self.count += 1;
                    self.body = Some(Decoder::of_request(head.framing));
                }
            }
        }
    }
}

fn feed(text: &str) -> Result<u64, &'static str> {
    // Whole, and byte by byte: where the bytes are cut must not matter.
    let mut whole = Reading::default();
    let at_once = whole.feed(text.as_bytes()).map(|()| whole.count);
    let mut slow = Reading::default();
    let in_pieces = text.bytes().try_for_each(|b| slow.feed(&[b])).map(|()| slow.count);
    assert_eq!(at_once, in_pieces, "{text:?}");
    at_once
}

fn one(text: &str) -> super::head::Received {
    HeadReader::new(LIMITS).read(&mut BytesMut::from(text)).unwrap().unwrap()
}

#[test]
fn clean_requests_pass() {
    for (text, heads) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1),
        ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 1),
        ("GET / HTTP/1.0\r\n\r\n", 1),
        ("GET / HTTP/1.1\r\nHost: a\r\nX:\r\nY: \t b \r\n\r\n", 1),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: a\r\n\r\n", 2),
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
    let body =
        |chunks: &str| format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
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
fn a_head_is_understood_as_it_was_written() {
    let head =
        one("POST /a?b=c HTTP/1.1\r\nHost: h:1\r\nX-Empty:\r\nx-two: \t b \r\nContent-Length: 3\r\n\r\n");
    assert_eq!((head.head.method.as_str(), head.head.uri.to_string()), ("POST", "/a?b=c".to_owned()));
    assert_eq!(head.head.headers.get("x-empty").unwrap(), "");
    assert_eq!(head.head.headers.get("x-two").unwrap(), "b");
    assert_eq!(head.framing, Framing::Length(3));
    assert!(head.keep_alive && !head.expects_continue);
}

#[test]
fn a_connection_goes_on_when_both_sides_can() {
    for (lines, keep_alive) in [
        ("HTTP/1.1\r\nHost: a\r\n", true),
        ("HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n", false),
        ("HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\n", false),
        ("HTTP/1.0\r\n", false),
        ("HTTP/1.0\r\nConnection: Keep-Alive\r\n", true),
    ] {
        assert_eq!(one(&format!("GET / {lines}\r\n")).keep_alive, keep_alive, "{lines:?}");
    }
}

#[test]
fn what_was_understood_of_a_broken_head_is_known() {
    let mut heads = HeadReader::new(LIMITS);
    let mut buffer = BytesMut::from("DELETE /x HTTP/1.1\r\n bad\r\n");
    assert_eq!(heads.so_far(&buffer), None);
    heads.read(&mut buffer).unwrap_err();
    let (method, uri) = heads.so_far(&buffer).unwrap();
    assert_eq!((method.as_str(), uri.path()), ("DELETE", "/x"));
}
