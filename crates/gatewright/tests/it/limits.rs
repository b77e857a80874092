//! Overload: beyond its limits the gateway refuses, and goes on serving the rest.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use hyper::Response;
use testkit::{Config, Gateway, Upstream, api, body, eventually, get, post, request};
use tokio::sync::Semaphore;

#[tokio::test]
async fn requests_beyond_the_limit_are_refused_and_told_to_come_back() {
    let upstream = Upstream::silent().start().await;
    let config = Config::from(api("/a", &upstream)).setting("limits.requestsInFlight", 2);
    let gw = Gateway::serving(config).await;
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let mut client = gw.http1().await;
        waiting.push(tokio::spawn(async move { client.try_send("/a").await }));
    }
    upstream.wait_for(2).await;

    let refused = gw.get("/a").await;
    assert_eq!(
        (refused.status(), refused.reason().as_str(), refused.header("retry-after")),
        (503, "overloaded", "1")
    );
    assert_eq!(upstream.count(), 2);
    let explanation = gw.explain(&refused).await;
    assert_eq!(explanation.reason.map(|r| r.code).as_deref(), Some("overloaded"));
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    eventually("room for another request", async || {
        let mut client = gw.http1().await;
        let attempt =
            tokio::time::timeout(std::time::Duration::from_millis(50), client.try_send("/nothing")).await;
        attempt.is_ok_and(|sent| sent.is_ok_and(|response| response.status() == 404))
    })
    .await;
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_at_once() {
    let upstream = Upstream::text("ok").start().await;
    let gw = Gateway::serving(Config::from(api("/a", &upstream)).setting("limits.connections", 2)).await;
    let (mut first, mut second) = (gw.http1().await, gw.http1().await);
    assert_eq!((first.send("/a").await.status(), second.send("/a").await.status()), (200, 200));
    let mut third = gw.connect().await;
    assert!(third.is_closed().await);
    drop(first);
    eventually("room for another connection", async || {
        let mut conn = gw.connect().await;
        conn.write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
        conn.response().await.status == 200
    })
    .await;
    assert_eq!(second.send("/a").await.status(), 200);
}

#[tokio::test]
async fn limits_on_heads_are_settings() {
    let upstream = Upstream::text("ok").start().await;
    let config = Config::from(api("/a", &upstream))
        .setting("limits.requestLine", "100B")
        .setting("limits.headerCount", 5)
        .setting("limits.headerSize", "512B");
    let gw = Gateway::serving(config).await;
    let long_line = get(&format!("/a/{}", "x".repeat(100)));
    assert_eq!(gw.send(long_line).await.reason(), "request_line_too_long");
    let many = (0..6).fold(get("/a"), |request, n| request.header(&format!("x-{n}"), "1"));
    assert_eq!(gw.send(many).await.reason(), "headers_too_large");
    assert_eq!(gw.send(get("/a").header("x", &"y".repeat(600))).await.reason(), "headers_too_large");
    assert_eq!(gw.get("/a").await.status(), 200);
}

#[tokio::test]
async fn limits_hold_over_http2_too() {
    let upstream = Upstream::echo().start().await;
    let config =
        Config::from(api("/a", &upstream).with("maxBodySize", "10B")).setting("limits.headerSize", "4KiB");
    let gw = Gateway::serving(config).await;
    let mut client = gw.http2().await;
    let refused = client.send(post("/a", vec![b'x'; 11])).await;
    assert_eq!((refused.status(), refused.reason().as_str()), (413, "body_too_large"));
    let (pieces, body) = body::pieces();
    let upload = tokio::spawn(async move { while pieces.send("12345678").await {} });
    let refused = client.send(request("POST", "/a").body(body)).await;
    assert_eq!((refused.status(), refused.reason().as_str()), (413, "body_too_large"));
    upload.abort();
    let huge = client.try_send(get("/a").header("x", &"y".repeat(8_000))).await;
    assert!(huge.is_err() || huge.is_ok_and(|r| r.status() == 431));
    assert_eq!(gw.http2().await.send(post("/a", "1234567890")).await.status(), 200);
}

#[tokio::test]
async fn a_client_that_opens_and_resets_streams_is_cut_off() {
    let upstream = Upstream::silent().start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let stream = gw.connect().await.into_stream();
    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
    let ended = tokio::spawn(connection);
    // Without a limit this goes on for as long as the client likes.
    for _ in 0..20_000 {
        let Ok(ready) = sender.ready().await else { break };
        sender = ready;
        let request = http_request(&format!("http://{}/a", gw.address()));
        let Ok((answer, mut body)) = sender.send_request(request, true) else { break };
        body.send_reset(h2::Reason::CANCEL);
        drop(answer);
        if ended.is_finished() {
            break;
        }
        tokio::task::yield_now().await;
    }
    eventually("no request to stay behind", async || {
        gw.ops("/status").await.json()["requestsInProgress"] == 0
    })
    .await;
    assert_eq!(gw.get("/nothing").await.status(), 404, "others are served as before");
}

fn http_request(url: &str) -> hyper::Request<()> {
    hyper::Request::get(url).body(()).expect("a URL")
}

#[tokio::test]
async fn a_client_has_as_many_streams_at_once_as_allowed() {
    let go_on = Arc::new(Semaphore::new(0));
    let (most, now) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (signal, highest, busy) = (Arc::clone(&go_on), Arc::clone(&most), Arc::clone(&now));
    let upstream = Upstream::service(move |_, _| {
        let (signal, highest, busy) = (Arc::clone(&signal), Arc::clone(&highest), Arc::clone(&busy));
        async move {
            highest.fetch_max(busy.fetch_add(1, SeqCst) + 1, SeqCst);
            signal.acquire().await.expect("a permit").forget();
            busy.fetch_sub(1, SeqCst);
            Response::new(body::full("ok"))
        }
    });
    let upstream = upstream.start().await;
    let config = Config::from(api("/a", &upstream)).setting("limits.concurrentStreams", 2);
    let gw = Gateway::serving(config).await;
    // The client knows the limit once it has had an answer.
    let stream = tokio::net::TcpStream::connect(gw.address()).await.expect("the gateway listens");
    let io = hyper_util::rt::TokioIo::new(stream);
    let made = hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), io).await;
    let (sender, connection) = made.expect("a connection");
    tokio::spawn(connection);
    let ask = async |path: &str| {
        let asked = http::Request::get(format!("http://{}{path}", gw.address())).body(body::empty());
        sender.clone().send_request(asked.expect("a request")).await.map(|answer| answer.status())
    };
    assert_eq!(ask("/nothing").await.expect("an answer"), 404);
    let asked = futures_util::future::join_all((0..8).map(|_| ask("/a")));
    let release = async {
        for count in (2..=8).step_by(2) {
            upstream.wait_for(count).await;
            go_on.add_permits(2);
        }
    };
    let (answers, ()) = tokio::join!(asked, release);
    assert!(answers.into_iter().all(|answer| answer.is_ok_and(|status| status == 200)));
    assert_eq!((upstream.count(), most.load(SeqCst)), (8, 2));
}
