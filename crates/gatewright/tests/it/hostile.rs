//! Clients that mean harm: what two servers could read differently is refused here, and the upstream sees none of it.

use testkit::{Config, Gateway, RawResponse, SECOND, Upstream, api, json};

/// What every refusal has: its status and code as problem+json, and the id of the request.
fn is_refused(response: &RawResponse, status: u16, code: &str) -> bool {
    let id = response.json()["requestId"].as_str().unwrap_or_default().to_owned();
    (response.status, response.reason().as_str()) == (status, code)
        && response.header("content-type") == "application/problem+json"
        && id.len() == 32
        && response.header("x-request-id") == id
}

fn assert_refused(response: &RawResponse, status: u16, code: &str, what: &str) {
    assert!(
        is_refused(response, status, code),
        "{what}: expected {status} {code}, found\n{}{}",
        response.head,
        response.text()
    );
}

fn post(lines: &str, body: &str) -> String {
    format!("POST /a HTTP/1.1\r\nHost: a\r\n{lines}\r\n{body}")
}

/// Requests that are refused whole, with the status and code that they get.
fn malformed() -> Vec<(&'static str, String, u16, &'static str)> {
    let get = |lines: &str| format!("GET /a HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    let chunked = |body: &str| post("Transfer-Encoding: chunked\r\n", body);
    let smuggled = "0\r\n\r\nGET /a/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    vec![
        (
            "length, then chunks",
            post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", smuggled),
            400,
            "ambiguous_length",
        ),
        (
            "chunks, then length",
            post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", smuggled),
            400,
            "ambiguous_length",
        ),
        ("two lengths", post("Content-Length: 4\r\nContent-Length: 5\r\n", "abcde"), 400, "ambiguous_length"),
        (
            "the same length twice",
            post("Content-Length: 4\r\nContent-Length: 4\r\n", "abcd"),
            400,
            "ambiguous_length",
        ),
        ("a list of lengths", post("Content-Length: 4, 4\r\n", "abcd"), 400, "ambiguous_length"),
        ("a signed length", post("Content-Length: +4\r\n", "abcd"), 400, "ambiguous_length"),
        ("a negative length", post("Content-Length: -1\r\n", ""), 400, "ambiguous_length"),
        ("a hexadecimal length", post("Content-Length: 0x4\r\n", "abcd"), 400, "ambiguous_length"),
        ("an empty length", post("Content-Length:\r\n", ""), 400, "ambiguous_length"),
        (
            "a length beyond all numbers",
            post("Content-Length: 99999999999999999999\r\n", ""),
            400,
            "ambiguous_length",
        ),
        (
            "chunks by another name",
            post("Transfer-Encoding: xchunked\r\n", smuggled),
            400,
            "ambiguous_length",
        ),
        (
            "chunks among others",
            post("Transfer-Encoding: gzip, chunked\r\n", smuggled),
            400,
            "ambiguous_length",
        ),
        (
            "chunks before others",
            post("Transfer-Encoding: chunked, identity\r\n", smuggled),
            400,
            "ambiguous_length",
        ),
        (
            "chunks twice",
            post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", smuggled),
            400,
            "ambiguous_length",
        ),
        ("identity", post("Transfer-Encoding: identity\r\n", ""), 400, "ambiguous_length"),
        ("chunks in quotes", post("Transfer-Encoding: \"chunked\"\r\n", smuggled), 400, "ambiguous_length"),
        (
            "chunks after a vertical tab",
            post("Transfer-Encoding: \x0bchunked\r\n", smuggled),
            400,
            "bad_request",
        ),
        (
            "chunks in HTTP/1.0",
            "POST /a HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(),
            400,
            "ambiguous_length",
        ),
        ("a space before the colon", post("Transfer-Encoding : chunked\r\n", smuggled), 400, "bad_request"),
        ("a tab before the colon", post("Content-Length\t: 4\r\n", "abcd"), 400, "bad_request"),
        ("a folded line", get("X: a\r\n b\r\n"), 400, "bad_request"),
        ("a folded line with a tab", get("X: a\r\n\tTransfer-Encoding: chunked\r\n"), 400, "bad_request"),
        ("a first line that is folded", "GET /a HTTP/1.1\r\n Host: a\r\n\r\n".into(), 400, "bad_request"),
        ("a bare LF after a header", get("X: a\nY: b\r\n"), 400, "bad_request"),
        ("bare LFs throughout", "GET /a HTTP/1.1\nHost: a\n\n".into(), 400, "bad_request"),
        ("a bare CR in a value", get("X: a\rTransfer-Encoding: chunked\r\n"), 400, "bad_request"),
        ("CR CR LF", get("X: a\r\r\n"), 400, "bad_request"),
        ("NUL in a value", get("X: a\0b\r\n"), 400, "bad_request"),
        ("NUL in a name", get("X\0: a\r\n"), 400, "bad_request"),
        ("DEL in a value", get("X: a\x7f\r\n"), 400, "bad_request"),
        ("a name with a space", get("X Y: a\r\n"), 400, "bad_request"),
        ("an empty name", get(": a\r\n"), 400, "bad_request"),
        ("a line without colon", get("nothing\r\n"), 400, "bad_request"),
        ("a name with brackets", get("X[]: a\r\n"), 400, "bad_request"),
        ("a chunk size that overflows", chunked("FFFFFFFFFFFFFFFFF\r\nabc"), 400, "bad_request"),
        ("a chunk size of no digits", chunked("\r\nabc\r\n0\r\n\r\n"), 400, "bad_request"),
        ("a chunk size with a prefix", chunked("0x3\r\nabc\r\n0\r\n\r\n"), 400, "bad_request"),
        ("a negative chunk size", chunked("-3\r\nabc\r\n0\r\n\r\n"), 400, "bad_request"),
        ("a chunk size with a sign", chunked("+3\r\nabc\r\n0\r\n\r\n"), 400, "bad_request"),
        ("a chunk that ends with LF", chunked("3\nabc\r\n0\r\n\r\n"), 400, "bad_request"),
        ("a chunk longer than it says", chunked("3\r\nabcd\r\n0\r\n\r\n"), 400, "bad_request"),
        ("a bare CR in a chunk extension", chunked("3;a\rb\r\nabc\r\n0\r\n\r\n"), 400, "bad_request"),
        ("a length in the trailers", chunked("0\r\nContent-Length: 4\r\n\r\n"), 400, "ambiguous_length"),
        (
            "chunks in the trailers",
            chunked("0\r\nTransfer-Encoding: chunked\r\n\r\n"),
            400,
            "ambiguous_length",
        ),
        ("no Host", "GET /a HTTP/1.1\r\n\r\n".into(), 400, "bad_host"),
        ("two Hosts", get("Host: b\r\n"), 400, "bad_host"),
        ("the same Host twice", get("Host: a\r\n"), 400, "bad_host"),
        ("an empty Host", "GET /a HTTP/1.1\r\nHost:\r\n\r\n".into(), 400, "bad_host"),
        ("a Host with a space", "GET /a HTTP/1.1\r\nHost: a b\r\n\r\n".into(), 400, "bad_host"),
        ("a Host with a user", "GET /a HTTP/1.1\r\nHost: me@a\r\n\r\n".into(), 400, "bad_host"),
        ("a Host with a path", "GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n".into(), 400, "bad_host"),
        ("a target with a user", "GET http://me@a/a HTTP/1.1\r\nHost: a\r\n\r\n".into(), 400, "bad_host"),
        (
            "HTTP/2.0 in the request line",
            "GET /a HTTP/2.0\r\nHost: a\r\n\r\n".into(),
            505,
            "version_not_supported",
        ),
        ("HTTP/1.2", "GET /a HTTP/1.2\r\nHost: a\r\n\r\n".into(), 505, "version_not_supported"),
        ("HTTP/0.9", "GET /a\r\n\r\n".into(), 400, "bad_request"),
        ("http in small letters", "GET /a http/1.1\r\nHost: a\r\n\r\n".into(), 400, "bad_request"),
        ("two spaces in the request line", "GET  /a HTTP/1.1\r\nHost: a\r\n\r\n".into(), 400, "bad_request"),
        ("a tab in the request line", "GET\t/a HTTP/1.1\r\nHost: a\r\n\r\n".into(), 400, "bad_request"),
        ("a space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n".into(), 400, "bad_request"),
        ("a fragment in the target", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n".into(), 400, "bad_request"),
        ("a space after the version", "GET /a HTTP/1.1 \r\nHost: a\r\n\r\n".into(), 400, "bad_request"),
        ("a method that is no token", "G(T /a HTTP/1.1\r\nHost: a\r\n\r\n".into(), 400, "bad_request"),
        ("CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n".into(), 405, "connect_not_supported"),
        ("an expectation", get("Expect: 200-maybe\r\n"), 417, "expectation_failed"),
        (
            "a long request line",
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(9_000)),
            414,
            "request_line_too_long",
        ),
        ("a huge header", get(&format!("X: {}\r\n", "a".repeat(40_000))), 431, "headers_too_large"),
        ("too many headers", get(&"X: a\r\n".repeat(101)), 431, "headers_too_large"),
        (
            "TLS on a port without",
            "\x16\x03\x01\x02\x00\x01\x00\x01\u{7c}\r\n\r\n".into(),
            400,
            "bad_request",
        ),
    ]
}

/// Checklist 1.
#[tokio::test]
async fn malformed_and_smuggling_requests_are_refused_and_never_seen_upstream() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let mut wrong = Vec::new();
    for (what, bytes, status, code) in malformed() {
        let mut conn = gw.connect().await;
        conn.write(&bytes).await;
        let response = conn.response().await;
        if !is_refused(&response, status, code) {
            wrong.push(format!(
                "{what}: expected {status} {code}, found {} {:?}",
                response.status,
                response.text()
            ));
        }
        // Valid HTTP that we merely do not want leaves the connection usable.
        if !matches!(status, 405 | 417) && what != "a target with a user" && !conn.is_closed().await {
            wrong.push(format!("{what}: the connection stays open"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn it_does_not_matter_where_the_bytes_are_cut() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let mut wrong = Vec::new();
    for (what, bytes, status, code) in malformed().into_iter().filter(|(_, bytes, ..)| bytes.len() < 300) {
        // Chunks come after the head has been passed on; they have a test of their own.
        let head = bytes.find("\r\n\r\n").map_or(bytes.len(), |at| at + 4);
        if head < bytes.len() && bytes.contains("Transfer-Encoding: chunked\r\n\r\n") {
            continue;
        }
        let mut conn = gw.connect().await;
        for byte in bytes.as_bytes() {
            conn.write([*byte]).await;
            tokio::task::yield_now().await;
        }
        let response = conn.response().await;
        if !is_refused(&response, status, code) {
            wrong.push(format!(
                "{what}: expected {status} {code}, found {} {:?}",
                response.status,
                response.text()
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn bad_chunks_after_a_good_head_are_refused_at_once() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(Config::from(api("/a", &upstream)).setting("limits.bodyTimeout", "1s")).await;
    let mut answers = Vec::new();
    for chunks in
        ["FFFFFFFFFFFFFFFFF\r\n", "x\r\n", "3\r\nabcd\r\n", "3\nabc\r\n", "0\r\nContent-Length: 4\r\n\r\n"]
    {
        let mut conn = gw.connect().await;
        conn.write(post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n")).await;
        testkit::eventually("the request to be forwarded", async || upstream.open_connections() > 0).await;
        conn.write(chunks).await;
        let response = conn.response().await;
        answers.push((chunks, response.status, response.reason()));
    }
    assert!(answers.iter().all(|(_, status, _)| *status == 400), "{answers:#?}");
    assert_eq!(upstream.count(), 0, "no request came to its end");
}

#[tokio::test]
async fn a_good_request_before_a_bad_one_is_answered() {
    let upstream = Upstream::text("ok").start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let good = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    let bad = "GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut conn = gw.connect().await;
    conn.write(good).await;
    assert_eq!(conn.response().await.text(), "ok");
    conn.write(bad).await;
    assert_refused(&conn.response().await, 400, "ambiguous_length", "after a good one");
    assert!(conn.is_closed().await);
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn a_good_request_in_the_same_packet_as_a_bad_one_is_answered_first() {
    let upstream = Upstream::text("ok").start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let mut conn = gw.connect().await;
    conn.write("GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n").await;
    assert_eq!(conn.response().await.status, 200);
    assert_refused(&conn.response().await, 400, "bad_request", "after a good one");
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let mut conn = gw.connect().await;
    let pipelined: String =
        (0..5).map(|n| format!("POST /a/{n} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n{n}")).collect();
    conn.write(pipelined).await;
    for n in 0..5 {
        let answer = conn.response().await.json();
        assert_eq!((&answer["path"], &answer["body"]), (&json!(format!("/{n}")), &json!(format!("{n}"))));
    }
}

#[tokio::test]
async fn a_head_that_never_ends_is_given_up() {
    let upstream = Upstream::text("ok").start().await;
    let config = Config::from(api("/a", &upstream)).setting("limits.keepAliveTimeout", "7d");
    let gw = Gateway::serving(config).await;
    for (what, start) in
        [("nothing but a method", "GET"), ("half a head", "GET /a HTTP/1.1\r\nHost: a\r\nX: ")]
    {
        let mut conn = gw.connect().await;
        conn.write(start).await;
        let response = gw.as_time_passes(16 * SECOND, conn.response()).await;
        assert_refused(&response, 408, "request_timeout", what);
        assert!(conn.is_closed().await, "{what}");
    }
    // The second head on a connection is watched as the first is.
    let mut conn = gw.connect().await;
    conn.write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(conn.response().await.status, 200);
    conn.write("GET /a HTTP/1.1\r\nHos").await;
    let response = gw.as_time_passes(16 * SECOND, conn.response()).await;
    assert_refused(&response, 408, "request_timeout", "second head");
}

#[tokio::test]
async fn a_connection_that_is_idle_for_too_long_is_closed_without_an_answer() {
    let upstream = Upstream::text("ok").start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let mut conn = gw.connect().await;
    conn.write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(conn.response().await.status, 200);
    assert!(gw.as_time_passes(30 * SECOND, conn.is_closed()).await);
}

#[tokio::test]
async fn a_connection_that_was_idle_for_a_while_goes_on_as_before() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let mut conn = gw.connect().await;
    for n in 0..3 {
        conn.write(post("Content-Length: 1\r\n", &n.to_string())).await;
        assert_eq!(conn.response().await.json()["body"], n.to_string());
        // Its memory is given back meanwhile; that is looked after four times each second.
        gw.advance(5 * SECOND);
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    conn.write("GET /a HTTP/1.1\r\nHost: a\r\nX : malformed after all the good ones\r\n\r\n").await;
    assert_refused(&conn.response().await, 400, "bad_request", "on a connection that was idle");
}

#[tokio::test]
async fn a_body_that_stops_is_given_up() {
    let upstream = Upstream::echo().start().await;
    let gw =
        Gateway::serving(Config::from(api("/a", &upstream)).setting("limits.bodyTimeout", "100ms")).await;
    for request in
        [post("Content-Length: 10\r\n", "abc"), post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n")]
    {
        let mut conn = gw.connect().await;
        conn.write(&request).await;
        assert_refused(&conn.response().await, 408, "request_timeout", &request);
    }
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn a_body_larger_than_allowed_is_refused() {
    let upstream = Upstream::echo().start().await;
    let config = Config::new()
        .api(api("/a", &upstream).with("maxBodySize", "10B"))
        .api(api("/b", &upstream))
        .setting("limits.bodySize", "20B");
    let gw = Gateway::serving(config).await;
    let long = |path: &str, size: usize| {
        format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n{}", "x".repeat(size))
    };
    let chunked = |path: &str, size: usize| {
        let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        format!("{head}{size:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(size))
    };
    for request in [long("/a", 11), chunked("/a", 11), long("/b", 21), chunked("/b", 21)] {
        let mut conn = gw.connect().await;
        conn.write(&request).await;
        assert_refused(&conn.response().await, 413, "body_too_large", &request);
    }
    assert_eq!(upstream.count(), 0);
    for request in [long("/a", 10), chunked("/a", 10), long("/b", 20), chunked("/b", 20)] {
        let mut conn = gw.connect().await;
        conn.write(&request).await;
        assert_eq!(conn.response().await.status, 200, "{request}");
    }
}

#[tokio::test]
async fn a_connection_that_ends_in_the_middle_of_a_request_sends_none_upstream() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    for start in
        ["GET /a HTTP/1.1\r\nHost: a\r\n", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"]
    {
        let mut conn = gw.connect().await;
        conn.write(start).await;
        drop(conn);
    }
    assert_eq!(gw.get("/a/last").await.status(), 200);
    testkit::eventually("connections to end", async || gw.ops("/status").await.json()["connections"] == 0)
        .await;
    assert_eq!(upstream.seen().iter().map(|s| s.path.as_str()).collect::<Vec<_>>(), ["/last"]);
}
