//! Interim answers (1xx) of upstreams: early hints arrive before the answer that they are hints for.

use std::sync::Arc;

use testkit::{Gateway, Protocol, Upstream, api, json};
use tokio::sync::Notify;

const HINTS: &str =
    "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n";
const FINAL: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn hints_arrive_before_the_answer_has_begun() {
    let go_on = Arc::new(Notify::new());
    let signal = Arc::clone(&go_on);
    let upstream = Upstream::raw(move |mut stream| {
        let signal = Arc::clone(&signal);
        async move {
            while !stream.head().await.is_empty() {
                stream.write("HTTP/1.1 102 Processing\r\n\r\n").await;
                stream.write(HINTS).await;
                signal.notified().await;
                stream.write(FINAL).await;
            }
        }
    });
    let upstream = upstream.start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let mut conn = gw.connect().await;
    for _ in 0..2 {
        conn.write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(conn.head().await.head, "HTTP/1.1 102 Processing\r\n\r\n");
        let hints = conn.head().await;
        assert_eq!(hints.head, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n");
        go_on.notify_one();
        let answer = conn.response().await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
        assert_eq!(answer.header("link"), "", "hints are no headers of the answer");
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn hints_come_in_order_also_when_the_answer_is_there_at_once() {
    let upstream =
        Upstream::bytes(&*Box::leak([HINTS, HINTS, FINAL].concat().into_boxed_str())).start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let mut conn = gw.connect().await;
    conn.write("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n").await;
    let statuses = [conn.head().await.status, conn.head().await.status];
    assert_eq!(statuses, [103, 103]);
    assert_eq!(conn.response().await.status, 200);
}

#[tokio::test]
async fn clients_of_old_get_the_answer_only() {
    let upstream = Upstream::bytes(&*Box::leak([HINTS, FINAL].concat().into_boxed_str())).start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let old = String::from_utf8(gw.raw("GET /a HTTP/1.0\r\nHost: a\r\n\r\n").await).expect("text");
    assert!(old.starts_with("HTTP/1.1 200 OK\r\n"), "{old}");
    let response = gw.client(Protocol::Http2).await.send("/a").await;
    assert_eq!((response.status(), response.text().as_str(), response.header("link")), (200, "ok", ""));
}

#[tokio::test]
async fn hints_do_not_go_past_policies_that_govern_answers() {
    let upstream = Upstream::bytes(&*Box::leak([HINTS, FINAL].concat().into_boxed_str())).start().await;
    let hide = json!({ "remove": ["link"] });
    let gw = Gateway::serving(api("/a", &upstream).policy("responseTransformation", hide)).await;
    let answer = String::from_utf8(gw.raw("GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await);
    let answer = answer.expect("text");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && !answer.contains("Link"), "{answer}");
}

#[tokio::test]
async fn an_upstream_that_never_comes_to_the_point_is_given_up() {
    let upstream = Upstream::raw(|mut stream| async move {
        stream.head().await;
        for _ in 0..17 {
            stream.write(HINTS).await;
        }
        stream.stall().await;
    });
    let upstream = upstream.start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let mut conn = gw.connect().await;
    conn.write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut hints = 0;
    let last = loop {
        match conn.head().await {
            answer if answer.status == 103 => hints += 1,
            answer => break answer,
        }
    };
    assert_eq!((hints, last.status), (16, 502));
}
