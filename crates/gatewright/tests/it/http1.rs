//! HTTP/1 with clients: when a connection goes on, when it ends, and how the end of an answer is told.

use testkit::{Config, Gateway, Upstream, api, body, eventually, json};

async fn echo() -> (Upstream, Gateway) {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    (upstream, gw)
}

#[tokio::test]
async fn an_http10_client_gets_a_close_unless_it_asks_to_go_on() {
    let (_upstream, gw) = echo().await;
    let mut conn = gw.connect().await;
    conn.write("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
    let first = conn.response().await;
    assert_eq!((first.status, first.header("connection")), (200, "keep-alive"));
    conn.write("GET /a HTTP/1.0\r\n\r\n").await;
    let second = conn.response().await;
    assert_eq!((second.status, second.header("connection")), (200, "close"));
    assert!(conn.is_closed().await);
}

#[tokio::test]
async fn an_answer_without_length_ends_with_the_connection_for_http10_and_in_chunks_for_http11() {
    let upstream =
        Upstream::bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n");
    let upstream = upstream.start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let old = String::from_utf8(gw.raw("GET /a HTTP/1.0\r\n\r\n").await).expect("text");
    assert!(
        old.ends_with("\r\n\r\nab") && !old.contains("chunked") && old.contains("connection: close"),
        "{old}"
    );
    let new = gw.raw("GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let new = String::from_utf8(new).expect("text");
    assert!(
        new.ends_with("\r\n\r\n2\r\nab\r\n0\r\n\r\n") && new.contains("transfer-encoding: chunked"),
        "{new}"
    );
}

#[tokio::test]
async fn a_date_is_given_where_the_upstream_gives_none_and_left_alone_where_it_does() {
    let dated = "HTTP/1.1 204 No Content\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n";
    for (answer, date) in [
        (dated, "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("HTTP/1.1 204 No Content\r\n\r\n", "Thu, 15 Jan 2026 10:00:00 GMT"),
    ] {
        let upstream = Upstream::bytes(answer).start().await;
        let gw = Gateway::serving(api("/a", &upstream)).await;
        let response = gw.get("/a").await;
        assert_eq!(response.header("date"), date);
        // An answer that has no body says nothing about its length (RFC 9110, 8.6).
        assert_eq!((response.status(), response.header("content-length")), (204, ""));
    }
}

#[tokio::test]
async fn a_refused_request_leaves_the_connection_usable_if_its_body_has_come() {
    let (upstream, gw) = echo().await;
    let mut conn = gw.connect().await;
    for _ in 0..2 {
        conn.write("POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello").await;
        assert_eq!(conn.response().await.status, 404);
    }
    conn.write("POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\nhello").await;
    let last = conn.response().await;
    assert_eq!((last.status, last.header("connection")), (404, "close"));
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn a_client_that_waits_for_100_and_is_refused_is_not_asked_for_its_body() {
    let (_upstream, gw) = echo().await;
    let mut conn = gw.connect().await;
    let head = "POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    conn.write(head).await;
    let answer = conn.response().await;
    assert_eq!((answer.status, answer.header("connection")), (404, "close"));
}

#[tokio::test]
async fn an_empty_line_before_a_request_and_spaces_around_values_do_no_harm() {
    let (upstream, gw) = echo().await;
    let mut conn = gw.connect().await;
    conn.write("\r\nGET /a HTTP/1.1\r\nHost: a\r\nX-Padded: \t a b \r\n\r\n").await;
    assert_eq!(conn.response().await.status, 200);
    assert_eq!(upstream.last().header("x-padded"), "a b");
}

#[tokio::test]
async fn a_client_that_reads_nothing_for_too_long_is_let_go() {
    let upstream = Upstream::service(|_, _| async {
        let (pieces, body) = body::pieces();
        tokio::spawn(async move { while pieces.send(vec![b'x'; 64 * 1024]).await {} });
        http::Response::new(body)
    });
    let upstream = upstream.start().await;
    let config = Config::from(api("/a", &upstream)).setting("limits.bodyTimeout", json!("200ms"));
    let gw = Gateway::serving(config).await;
    let mut conn = gw.connect().await;
    conn.write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(conn.head().await.status, 200);
    eventually("the upstream call to be ended", async || upstream.open_connections() == 0).await;
}

#[tokio::test]
async fn names_reach_the_upstream_in_the_case_in_which_they_were_written() {
    let upstream = Upstream::raw(|mut stream| async move {
        let head = stream.head().await;
        let line = head.lines().find(|line| line.contains("One")).unwrap_or("none").to_owned();
        stream.write(format!("HTTP/1.1 200 OK\r\nX-SEEN: {line}\r\nContent-Length: 0\r\n\r\n")).await;
    });
    let upstream = upstream.start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let mut conn = gw.connect().await;
    conn.write("GET /a HTTP/1.1\r\nHost: a\r\nX-OnE: 1\r\nX-One: 2\r\n\r\n").await;
    let answer = conn.response().await;
    assert!(answer.head.contains("X-SEEN: X-One: 2"), "{}", answer.head);
}
