//! RFC 9113, frame by frame: what breaks it ends the stream or the connection, never becomes a request upstream, and
//! costs no more than it should. No client library would send any of this.

use std::time::Duration;

use serde_json::json;
use testkit::{Config, Gateway, Upstream, api, wait::soon};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const WITH_PRIORITY: u8 = 0x20;

const GET: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":path", "/a"), (":authority", "a")];
const POST: [(&str, &str); 4] =
    [(":method", "POST"), (":scheme", "http"), (":path", "/a"), (":authority", "a")];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// Headers in HPACK, each as a literal that no table remembers (RFC 7541, 6.2.2).
fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).ok().filter(|length| *length < 127).expect("a short text"));
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// The head of a request, whole.
fn head(flags: u8, stream: u32, headers: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, flags | END_HEADERS, stream, &block(headers))
}

fn get_with(more: &[(&str, &str)]) -> Vec<u8> {
    head(END_STREAM, 1, &[&GET, more].concat())
}

fn setting(id: u16, value: u32) -> Vec<u8> {
    frame(SETTINGS, 0, 0, &[&id.to_be_bytes()[..], &value.to_be_bytes()].concat())
}

/// What the gateway made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The connection is over, with this code if one was said.
    Connection(Option<u32>),
    /// The stream is over, with this code.
    Stream(u32),
    /// It was answered with this status, as far as it can be read without a table of headers.
    Answered,
}

struct Frames {
    stream: TcpStream,
    buffer: Vec<u8>,
}

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Frames {
    /// A connection on which the settings have been exchanged.
    async fn open(gw: &Gateway) -> Self {
        let mut frames = Self::silent(gw).await;
        frames.send(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await;
        let first = frames.next().await.expect("settings of the gateway");
        assert_eq!((first.kind, first.flags, first.stream), (SETTINGS, 0, 0));
        frames.send(&frame(SETTINGS, ACK, 0, &[])).await;
        frames
    }

    async fn silent(gw: &Gateway) -> Self {
        Self { stream: gw.connect().await.into_stream(), buffer: Vec::new() }
    }

    /// A gateway that has closed meanwhile is no error here.
    async fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let [a, b, c, kind, flags, stream @ ..] = &self.buffer[..]
                && let Some(id) = stream.first_chunk()
            {
                let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
                if self.buffer.len() >= 9 + length {
                    let (kind, flags, stream) = (*kind, *flags, u32::from_be_bytes(*id) & 0x7fff_ffff);
                    let payload = self.buffer.drain(..9 + length).skip(9).collect();
                    return Some(Frame { kind, flags, stream, payload });
                }
            }
            match soon("a frame", self.stream.read_buf(&mut self.buffer)).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return None,
            }
        }
    }

    /// Reads on until a stream is answered or reset, whatever comes on others.
    async fn outcome_of(&mut self, stream: u32) -> Outcome {
        while let Some(frame) = self.next().await {
            match frame.kind {
                GOAWAY => break,
                RST_STREAM if frame.stream == stream => return Outcome::Stream(frame.payload[3].into()),
                HEADERS if frame.stream == stream => return Outcome::Answered,
                _ => {}
            }
        }
        Outcome::Connection(None)
    }

    /// Reads on until something is decided.
    async fn outcome(&mut self) -> Outcome {
        let code = |bytes: Option<&[u8]>| bytes.and_then(|b| b.try_into().ok()).map(u32::from_be_bytes);
        while let Some(frame) = self.next().await {
            match frame.kind {
                GOAWAY => return Outcome::Connection(code(frame.payload.get(4..8))),
                RST_STREAM => return Outcome::Stream(code(frame.payload.get(..4)).unwrap_or_default()),
                HEADERS => return Outcome::Answered,
                _ => {}
            }
        }
        Outcome::Connection(None)
    }
}

/// What breaks the rules is noticed before this.
const PATIENCE: Duration = Duration::from_secs(2);

const NO_ERROR: u32 = 0;
const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE_ERROR: u32 = 6;
const COMPRESSION_ERROR: u32 = 9;

#[tokio::test]
async fn what_breaks_the_rules_ends_its_stream_or_the_connection() {
    let upstream = Upstream::silent().start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let open = head(0, 1, &POST);
    let then = |frame: Vec<u8>| [open.clone(), frame].concat();
    let mut wrong = Vec::new();
    for (what, bytes, codes) in [
        ("a frame larger than was agreed", then(frame(DATA, 0, 1, &[0; 16_385])), &[FRAME_SIZE_ERROR][..]),
        ("settings of no length", frame(SETTINGS, 0, 0, &[0; 5]), &[FRAME_SIZE_ERROR]),
        ("settings of a stream", frame(SETTINGS, 0, 1, &[]), &[PROTOCOL_ERROR]),
        ("an acknowledgement that says something", frame(SETTINGS, ACK, 0, &[0; 6]), &[FRAME_SIZE_ERROR]),
        ("a setting that is neither on nor off", setting(2, 2), &[PROTOCOL_ERROR]),
        ("a window without end", setting(4, 0x8000_0000), &[FLOW_CONTROL_ERROR]),
        ("frames of no size", setting(5, 16_383), &[PROTOCOL_ERROR]),
        ("frames without end", setting(5, 16_777_216), &[PROTOCOL_ERROR]),
        ("a ping of seven", frame(PING, 0, 0, &[0; 7]), &[FRAME_SIZE_ERROR]),
        ("a ping of a stream", frame(PING, 0, 1, &[0; 8]), &[PROTOCOL_ERROR]),
        ("data of no stream", frame(DATA, 0, 0, b"x"), &[PROTOCOL_ERROR]),
        ("a head of no stream", head(END_STREAM, 0, &GET), &[PROTOCOL_ERROR]),
        ("a priority of no stream", frame(PRIORITY, 0, 0, &[0; 5]), &[PROTOCOL_ERROR]),
        ("a reset of no stream", frame(RST_STREAM, 0, 0, &[0; 4]), &[PROTOCOL_ERROR]),
        ("a reset of three", then(frame(RST_STREAM, 0, 1, &[0; 3])), &[FRAME_SIZE_ERROR]),
        ("a reset of a stream that is not open", frame(RST_STREAM, 0, 7, &[0; 4]), &[PROTOCOL_ERROR]),
        ("data of a stream that is not open", frame(DATA, 0, 7, b"x"), &[PROTOCOL_ERROR, STREAM_CLOSED]),
        (
            "a window of a stream that is not open",
            frame(WINDOW_UPDATE, 0, 7, &[0, 0, 0, 1]),
            &[PROTOCOL_ERROR],
        ),
        ("a stream of the server's", head(END_STREAM, 2, &GET), &[PROTOCOL_ERROR]),
        (
            "a stream that comes too late",
            [head(END_STREAM, 5, &GET), head(END_STREAM, 3, &GET)].concat(),
            &[PROTOCOL_ERROR, STREAM_CLOSED],
        ),
        ("the rest of nothing", frame(CONTINUATION, END_HEADERS, 1, &block(&GET)), &[PROTOCOL_ERROR]),
        (
            "a ping in the middle of a head",
            [frame(HEADERS, END_STREAM, 1, &block(&GET)), frame(PING, 0, 0, &[0; 8])].concat(),
            &[PROTOCOL_ERROR],
        ),
        (
            "a head in the middle of a head",
            [frame(HEADERS, END_STREAM, 1, &block(&GET)), head(END_STREAM, 3, &GET)].concat(),
            &[PROTOCOL_ERROR],
        ),
        (
            "the rest of another head",
            [frame(HEADERS, END_STREAM, 1, &block(&GET)), frame(CONTINUATION, END_HEADERS, 3, &[])].concat(),
            &[PROTOCOL_ERROR],
        ),
        ("more padding than frame", then(frame(DATA, PADDED, 1, &[5, 1, 2])), &[PROTOCOL_ERROR]),
        ("padding without a length", then(frame(DATA, PADDED, 1, &[])), &[FRAME_SIZE_ERROR, PROTOCOL_ERROR]),
        (
            "more padding than head",
            frame(HEADERS, PADDED | END_HEADERS | END_STREAM, 1, &[&[200], &block(&GET)[..]].concat()),
            &[PROTOCOL_ERROR],
        ),
        ("a window that does not grow", frame(WINDOW_UPDATE, 0, 0, &[0; 4]), &[PROTOCOL_ERROR]),
        ("a window of three", frame(WINDOW_UPDATE, 0, 0, &[0; 3]), &[FRAME_SIZE_ERROR]),
        (
            "a window that grows beyond its end",
            frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]),
            &[FLOW_CONTROL_ERROR],
        ),
        (
            "headers that no table has",
            frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0xff, 0xff, 0xff, 0x7f]),
            &[COMPRESSION_ERROR],
        ),
        ("a promise of a client", frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2]), &[PROTOCOL_ERROR]),
        ("a farewell of a stream", frame(GOAWAY, 0, 1, &[0; 8]), &[PROTOCOL_ERROR]),
        (
            "a window of a stream that does not grow",
            then(frame(WINDOW_UPDATE, 0, 1, &[0; 4])),
            &[PROTOCOL_ERROR],
        ),
        (
            "a window of a stream that grows beyond its end",
            then(frame(WINDOW_UPDATE, 0, 1, &[0x7f, 0xff, 0xff, 0xff])),
            &[FLOW_CONTROL_ERROR],
        ),
    ] {
        let mut frames = Frames::open(&gw).await;
        frames.send(&bytes).await;
        let outcome = tokio::time::timeout(PATIENCE, frames.outcome()).await;
        // The general code is as good as the one that says more.
        let fits = |code: u32| codes.contains(&code) || code == PROTOCOL_ERROR;
        match outcome {
            Ok(Outcome::Connection(None)) => {}
            Ok(Outcome::Connection(Some(code)) | Outcome::Stream(code)) if fits(code) => {}
            other => wrong.push((what, other)),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn what_breaks_a_request_is_never_sent_upstream() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let without = |name: &str| {
        let rest: Vec<_> = GET.into_iter().filter(|(found, _)| *found != name).collect();
        head(END_STREAM, 1, &rest)
    };
    for (what, bytes) in [
        ("a name in capitals", get_with(&[("X-Name", "1")])),
        ("a name with a space", get_with(&[("x name", "1")])),
        ("a name with a colon", get_with(&[("x:name", "1")])),
        ("a value with a line end", get_with(&[("x-name", "1\r\nx-more: 2")])),
        ("a value with a zero", get_with(&[("x-name", "1\0")])),
        ("a pseudo-header that nobody knows", get_with(&[(":x", "1")])),
        ("a pseudo-header after the others", get_with(&[("x", "1"), (":path", "/a/b")])),
        ("a pseudo-header of answers", get_with(&[(":status", "200")])),
        ("two methods", get_with(&[(":method", "POST")])),
        ("two paths", get_with(&[(":path", "/a/b")])),
        ("no method", without(":method")),
        ("no scheme", without(":scheme")),
        ("no path", without(":path")),
        (
            "an empty path",
            head(
                END_STREAM,
                1,
                &[(":method", "GET"), (":scheme", "http"), (":path", ""), (":authority", "a")],
            ),
        ),
        ("a header of the connection", get_with(&[("connection", "keep-alive")])),
        ("another one", get_with(&[("transfer-encoding", "chunked")])),
        ("and another one", get_with(&[("upgrade", "h2c")])),
        ("trailers that are something else", get_with(&[("te", "gzip")])),
        (
            "a head that depends on itself",
            frame(
                HEADERS,
                END_HEADERS | END_STREAM | WITH_PRIORITY,
                1,
                &[&[0, 0, 0, 1, 0], &block(&GET)[..]].concat(),
            ),
        ),
        (
            "less than was announced",
            [head(0, 1, &[&POST[..], &[("content-length", "5")]].concat()), frame(DATA, END_STREAM, 1, b"x")]
                .concat(),
        ),
        (
            "more than was announced",
            [
                head(0, 1, &[&POST[..], &[("content-length", "1")]].concat()),
                frame(DATA, END_STREAM, 1, b"xyz"),
            ]
            .concat(),
        ),
    ] {
        let mut frames = Frames::open(&gw).await;
        frames.send(&bytes).await;
        let outcome = frames.outcome().await;
        // Answers to what is no request are errors, too; the upstream tells whether it was taken for one.
        assert_ne!(outcome, Outcome::Connection(Some(NO_ERROR)), "{what}");
        assert_eq!(upstream.count(), 0, "{what}: {outcome:?}");
    }
    assert_eq!(gw.http2().await.send("/a").await.status(), 200);
}

#[tokio::test]
async fn what_breaks_a_stream_leaves_the_others_alone() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    for (what, bytes) in [
        ("a header of the connection", head(END_STREAM, 3, &[&GET[..], &[("connection", "close")]].concat())),
        (
            "more than was announced",
            [
                head(0, 3, &[&POST[..], &[("content-length", "1")]].concat()),
                frame(DATA, END_STREAM, 3, b"xyz"),
            ]
            .concat(),
        ),
        (
            "a window that grows beyond its end",
            [head(0, 3, &POST), frame(WINDOW_UPDATE, 0, 3, &[0x7f, 0xff, 0xff, 0xff])].concat(),
        ),
        (
            "trailers that frame the message",
            [head(0, 3, &POST), head(END_STREAM, 3, &[("content-length", "0")])].concat(),
        ),
    ] {
        let mut frames = Frames::open(&gw).await;
        frames.send(&head(0, 1, &POST)).await;
        frames.send(&bytes).await;
        let broken = frames.outcome_of(3).await;
        assert_ne!(broken, Outcome::Connection(None), "{what}");
        let before = upstream.count();
        frames.send(&frame(DATA, END_STREAM, 1, b"the rest")).await;
        assert_eq!(frames.outcome_of(1).await, Outcome::Answered, "{what}: a stream that was open");
        frames.send(&head(END_STREAM, 5, &GET)).await;
        assert_eq!(frames.outcome_of(5).await, Outcome::Answered, "{what}: a stream that came later");
        assert_eq!(upstream.count(), before + 2, "{what}");
    }
}

/// Trailers that no upstream may see, whatever it speaks: it could take them for those of the message itself.
const BAD_TRAILERS: [(&str, &str); 12] = [
    (":path", "/b"),
    (":status", "200"),
    (":authority", "b"),
    ("content-length", "7"),
    ("transfer-encoding", "chunked"),
    ("host", "b"),
    ("connection", "x-sum"),
    ("keep-alive", "timeout=1"),
    ("te", "trailers"),
    ("trailer", "x"),
    ("upgrade", "h2c"),
    ("proxy-authorization", "Basic eDp5"),
];

#[tokio::test]
async fn trailers_carry_nothing_upstream_that_frames_or_routes_a_message() {
    for protocol in ["http1", "http2"] {
        let upstream = if protocol == "http2" { Upstream::echo().http2() } else { Upstream::echo() };
        let upstream = upstream.start().await;
        let doc = json!({ "endpoints": [{ "url": upstream.url() }], "protocol": protocol });
        let gw = Gateway::serving(Config::from(api("/a", "up")).upstream("up", doc)).await;
        let begin = [head(0, 1, &POST), frame(DATA, 0, 1, b"x")].concat();
        // First that they pass at all.
        let mut frames = Frames::open(&gw).await;
        frames.send(&[&begin[..], &head(END_STREAM, 1, &[("x-sum", "1")])].concat()).await;
        assert_eq!(frames.outcome().await, Outcome::Answered);
        assert_eq!(upstream.last().trailers["x-sum"], "1", "{protocol}");
        for bad in BAD_TRAILERS {
            let mut frames = Frames::open(&gw).await;
            frames.send(&[&begin[..], &head(END_STREAM, 1, &[("x-sum", "1"), bad])].concat()).await;
            let outcome = frames.outcome().await;
            assert_ne!(outcome, Outcome::Connection(Some(NO_ERROR)), "{bad:?}");
            // The same from a client that speaks HTTP/1, where a name with a colon is none.
            let (name, value) = bad;
            let answer = gw
                .raw(&format!(
                    "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
                     1\r\nx\r\n0\r\nx-sum: 1\r\n{name}: {value}\r\n\r\n"
                ))
                .await;
            assert!(!answer.is_empty(), "{bad:?}");
        }
        for seen in upstream.seen() {
            let names: Vec<_> = seen.trailers.keys().map(|name| name.as_str()).collect();
            assert_eq!(names, ["x-sum"], "{protocol}");
            assert!(seen.path == "/" && seen.header("proxy-authorization").is_empty(), "{seen:?}");
        }
    }
}

/// Trailers in which a client could say what only the gateway says.
const PRETENDING: [(&str, &str); 8] = [
    ("x-application-id", "admin"),
    ("x-consumer", "admin"),
    ("x-forwarded-for", "10.0.0.1"),
    ("x-forwarded-user", "admin"),
    ("x-real-ip", "10.0.0.1"),
    ("x-request-id", "1"),
    ("authorization", "Basic eDp5"),
    ("cookie", "session=1"),
];

#[tokio::test]
async fn trailers_say_nothing_that_only_the_gateway_says() {
    for protocol in ["http1", "http2"] {
        let upstream = if protocol == "http2" { Upstream::echo().http2() } else { Upstream::echo() };
        let upstream = upstream.start().await;
        let doc = json!({ "endpoints": [{ "url": upstream.url() }], "protocol": protocol });
        let identify = json!({ "rules": [{ "type": "apiKey" }], "allowAnonymous": true });
        let api = api("/a", "up")
            .policy("identifyAndAuthorize", identify)
            .policy("customHeaders", json!({ "headers": { "X-Consumer": "nobody" } }));
        let gw = Gateway::serving(Config::from(api).upstream("up", doc)).await;
        let begin = [head(0, 1, &POST), frame(DATA, 0, 1, b"x")].concat();
        for pretending in PRETENDING {
            let mut frames = Frames::open(&gw).await;
            let trailers = head(END_STREAM, 1, &[("x-sum", "1"), pretending]);
            frames.send(&[&begin[..], &trailers].concat()).await;
            assert_eq!(frames.outcome().await, Outcome::Answered, "{pretending:?}");
            let (name, value) = pretending;
            let answer = gw
                .raw(&format!(
                    "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
                     1\r\nx\r\n0\r\nx-sum: 1\r\n{name}: {value}\r\n\r\n"
                ))
                .await;
            assert!(answer.starts_with(b"HTTP/1.1 200"), "{pretending:?}");
        }
        assert_eq!(upstream.count(), 2 * PRETENDING.len());
        for seen in upstream.seen() {
            let names: Vec<_> = seen.trailers.keys().map(|name| name.as_str()).collect();
            assert_eq!(
                (names.as_slice(), seen.header("x-consumer")),
                (&["x-sum"][..], "nobody"),
                "{protocol}"
            );
        }
    }
}

#[tokio::test]
async fn trailers_that_frame_a_message_make_it_none() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    for name in ["content-length", "host"] {
        let mut frames = Frames::open(&gw).await;
        frames.send(&head(0, 1, &POST)).await;
        frames.send(&head(END_STREAM, 1, &[(name, "1")])).await;
        frames.outcome().await;
        assert_eq!(upstream.count(), 0, "{name}");
    }
}

#[tokio::test]
async fn a_preface_that_is_none_is_no_http2() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    for preface in ["PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n"] {
        let answer = gw.raw(preface).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 5"),
            "{answer}"
        );
    }
    assert_eq!(upstream.count(), 0);
}

/// Sends until the gateway closes; `false` when it never does.
async fn flooded(gw: &Gateway, begin: &[u8], piece: &[u8], times: usize) -> bool {
    let mut frames = Frames::open(gw).await;
    frames.send(begin).await;
    for _ in 0..times {
        if !frames.send(piece).await {
            return true;
        }
    }
    matches!(frames.outcome().await, Outcome::Connection(_))
}

#[tokio::test]
async fn floods_end_the_connection_and_never_the_gateway() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let begun = frame(HEADERS, END_STREAM, 1, &block(&GET));
    let value = "y".repeat(100);
    let more = block(&[("x-a", value.as_str()); 100]);
    assert!(flooded(&gw, &begun, &frame(CONTINUATION, 0, 1, &more), 1_000).await, "a head without end");
    assert!(flooded(&gw, &begun, &frame(CONTINUATION, 0, 1, &[]), 100_000).await, "a head of empty pieces");
    let mut stream = 1_u32;
    let mut rapid = Vec::new();
    for _ in 0..2_000 {
        rapid.extend(head(END_STREAM, stream, &GET));
        rapid.extend(frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]));
        stream += 2;
    }
    assert!(flooded(&gw, &rapid, &[], 0).await, "streams that are reset as soon as they are open");
    assert_eq!(gw.get("/a").await.status(), 200);
}

#[tokio::test]
async fn a_client_that_asks_for_answers_and_reads_none_is_not_written_to_without_end() {
    let upstream = Upstream::text("ok").start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    for (what, piece) in [("pings", frame(PING, 0, 0, &[7; 8])), ("settings", frame(SETTINGS, 0, 0, &[]))] {
        let mut frames = Frames::open(&gw).await;
        let flood = piece.repeat(1_000);
        let mut sent = 0;
        // Each of them asks for an answer: the gateway stops reading when nobody takes its own.
        while sent < 20_000
            && let Ok(true) = tokio::time::timeout(Duration::from_millis(300), frames.send(&flood)).await
        {
            sent += 1;
        }
        assert!(sent < 20_000, "20 million {what} were taken without an answer being read");
    }
    assert_eq!(gw.get("/a").await.status(), 200);
}

#[tokio::test]
async fn an_answer_waits_for_its_window_and_nobody_else_does() {
    let upstream = Upstream::text("a body").start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let mut frames = Frames::open(&gw).await;
    frames.send(&setting(4, 0)).await;
    frames.send(&head(END_STREAM, 1, &GET)).await;
    assert_eq!(frames.outcome().await, Outcome::Answered);
    frames.send(&frame(PING, 0, 0, b"are you?")).await;
    let answered = frames.next().await.expect("an answer to the ping");
    assert_eq!((answered.kind, answered.flags, &answered.payload[..]), (PING, ACK, &b"are you?"[..]));
    frames.send(&frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 3])).await;
    let first = frames.next().await.expect("as much as the window takes");
    assert_eq!((first.kind, first.stream, &first.payload[..]), (DATA, 1, &b"a b"[..]));
    frames.send(&frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 9])).await;
    let rest = frames.next().await.expect("the rest");
    assert_eq!((rest.kind, &rest.payload[..]), (DATA, &b"ody"[..]));
}
