//! Upstreams that fail: what the client is told, and what is tried again.

use testkit::{Config, Gateway, Place, Upstream, api, get, json, post};

/// One API with a read time-out that tests can wait for.
fn impatient(upstream: &Upstream) -> Config {
    Config::from(api("/a", upstream).with("readTimeout", "100ms"))
}

#[tokio::test]
async fn a_refused_connection_is_502() {
    let place = Place::reserve();
    let gw = Gateway::serving(api("/a", &*place.url())).await;
    let response = gw.get("/a").await;
    assert_eq!((response.status(), response.reason().as_str()), (502, "upstream_unreachable"));
    let explanation = gw.explain(&response).await;
    assert_eq!(explanation.attempts.len(), 1);
    assert_eq!(explanation.attempts[0].failure.as_deref(), Some("upstream_unreachable"));
    assert_eq!(explanation.reason.unwrap().origin, "upstream");
}

/// Checklist 96.
#[tokio::test]
async fn an_upstream_that_breaks_or_makes_no_sense_is_502() {
    for (what, script, code) in [
        ("closed without answer", "", "upstream_broke"),
        ("half a head", "HTTP/1.1 200 OK\r\nContent-", "upstream_broke"),
        ("only an interim answer", "HTTP/1.1 103 Early Hints\r\n\r\n", "upstream_broke"),
        ("garbage", "\u{1}\u{2}garbage\r\n\r\n", "upstream_invalid"),
        ("another protocol", "SSH-2.0-x\r\n\r\n", "upstream_invalid"),
        ("no status", "HTTP/1.1 abc OK\r\n\r\n", "upstream_invalid"),
        ("a folded header", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", "upstream_invalid"),
        (
            "length and chunks",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "upstream_invalid",
        ),
        (
            "two lengths",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
            "upstream_invalid",
        ),
        ("a length that is none", "HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok", "upstream_invalid"),
        ("another coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok", "upstream_invalid"),
        (
            "an upgrade nobody asked for",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
            "upstream_invalid",
        ),
        ("NUL in a header", "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n", "upstream_invalid"),
    ] {
        let upstream = Upstream::bytes(script).start().await;
        let gw = Gateway::serving(api("/a", &upstream)).await;
        let response = gw.send(post("/a", "body")).await;
        assert_eq!((response.status(), response.reason().as_str()), (502, code), "{what}");
        assert_eq!(upstream.count(), 1, "{what}: a POST is sent once");
    }
}

#[tokio::test]
async fn a_reset_is_502() {
    let upstream = Upstream::raw(|mut stream| async move {
        stream.head().await;
        stream.reset();
    });
    let upstream = upstream.start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    assert_eq!(gw.send(post("/a", "x")).await.reason(), "upstream_broke");
}

#[tokio::test]
async fn a_stalled_upstream_is_504_or_408_when_asked_for() {
    let upstream = Upstream::silent().start().await;
    let gw = Gateway::serving(impatient(&upstream)).await;
    let response = gw.get("/a").await;
    assert_eq!((response.status(), response.reason().as_str()), (504, "upstream_read_timeout"));
    gw.apply(impatient(&upstream).setting("timeouts.return408ForConnectionTimeout", true)).await.unwrap();
    let response = gw.get("/a").await;
    assert_eq!((response.status(), response.reason().as_str()), (408, "upstream_read_timeout"));
    assert_eq!(response.json()["status"], 408);
}

#[tokio::test]
async fn an_upstream_that_accepts_no_connection_in_time_is_504() {
    let place = Place::full();
    let gw = Gateway::serving(api("/a", &*place.url()).with("connectTimeout", "100ms")).await;
    let response = gw.get("/a").await;
    assert_eq!((response.status(), response.reason().as_str()), (504, "upstream_connect_timeout"));
    assert_eq!(gw.explain(&response).await.detail, "no connection within 100 ms");
}

#[tokio::test]
async fn an_answer_that_is_cut_short_is_never_taken_for_a_whole_one() {
    for (what, answer) in [
        ("a length that lies", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"),
        ("chunks without an end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
        ("half a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhello"),
        (
            "a chunk size that is none",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n",
        ),
        (
            "a chunk longer than it says",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello world\r\n0\r\n\r\n",
        ),
        (
            "a trailer that is none",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nbad\r\n\r\n",
        ),
    ] {
        let upstream = Upstream::bytes(answer).start().await;
        let gw = Gateway::serving(api("/a", &upstream)).await;
        for protocol in [testkit::Protocol::Http1, testkit::Protocol::Http2] {
            let mut client = gw.client(protocol).await;
            // Over HTTP/2 the reset may overtake the head.
            let Ok(answer) = client.open("/a").await else { continue };
            let (head, body) = answer.into_parts();
            let id = head.headers["x-request-id"].to_str().unwrap().to_owned();
            let collected = testkit::Response::collect(head, body).await;
            assert!(collected.is_err(), "{what} over {protocol:?}: {collected:?}");
            let explanation = gw.inner().explain(&id).await.expect("a record");
            let code = explanation.reason.map(|r| r.code).unwrap_or_default();
            assert!(["upstream_cut_short", "upstream_invalid"].contains(&&*code), "{what}: {code}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_stalls_or_drips_ends_when_its_time_is_up() {
    let stalls = Upstream::raw(|mut stream| async move {
        stream.head().await;
        stream.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello").await;
        stream.stall().await;
    });
    let stalls = stalls.start().await;
    let gw = Gateway::serving(impatient(&stalls)).await;
    let mut client = gw.http1().await;
    assert!(client.try_send("/a").await.is_err());
    let drips = Upstream::raw(|mut stream| async move {
        stream.head().await;
        stream.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n").await;
        for _ in 0..10 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            stream.write("x").await;
        }
    });
    let drips = drips.start().await;
    gw.apply(impatient(&drips)).await.unwrap();
    assert_eq!(gw.get("/a").await.text(), "x".repeat(10), "each piece came in time");
}

#[tokio::test]
async fn an_upstream_may_answer_in_pieces_of_one_byte() {
    let upstream = Upstream::raw(|mut stream| async move {
        stream.head().await;
        for byte in
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nX-T: 1\r\n\r\n"
        {
            stream.write([*byte]).await;
            tokio::task::yield_now().await;
        }
        stream.stall().await;
    });
    let upstream = upstream.start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    assert_eq!(gw.get("/a").await.text(), "hello");
}

#[tokio::test]
async fn an_upstreams_head_may_be_large_but_not_without_end() {
    for (size, status) in [(60 * 1024, 200), (300 * 1024, 502)] {
        let upstream = Upstream::raw(move |mut stream| async move {
            stream.head().await;
            let head =
                format!("HTTP/1.1 200 OK\r\nX-Large: {}\r\nContent-Length: 0\r\n\r\n", "x".repeat(size));
            stream.write(head).await;
            stream.stall().await;
        });
        let upstream = upstream.start().await;
        let gw = Gateway::serving(api("/a", &upstream)).await;
        let response = gw.get("/a").await;
        assert_eq!(response.status(), status);
        assert_eq!(response.header("x-large").len(), if status == 200 { size } else { 0 });
    }
}

#[tokio::test]
async fn an_endpoint_may_be_a_name() {
    let upstream = Upstream::text("ok").start().await;
    let url = format!("http://localhost:{}", upstream.address().port());
    let gw = Gateway::serving(api("/a", &*url)).await;
    assert_eq!(gw.get("/a").await.text(), "ok");
    gw.apply(api("/a", "http://no-such-host.invalid")).await.unwrap();
    assert_eq!(gw.get("/a").await.reason(), "upstream_unreachable");
}

#[tokio::test]
async fn bytes_after_an_answer_do_not_become_the_next_answer() {
    let upstream = Upstream::raw(|mut stream| async move {
        while !stream.head().await.is_empty() {
            stream
                .write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
                .await;
        }
    });
    let upstream = upstream.start().await;
    let gw = Gateway::serving(Config::from(api("/a", &upstream)).one_worker()).await;
    let mut client = gw.http1().await;
    for _ in 0..4 {
        assert_eq!(client.send("/a").await.text(), "ok");
    }
    assert_eq!(upstream.connections(), 4, "a connection with unasked bytes is not used again");
}

/// Answers the first request on each connection; reads the second one and closes.
fn goes_stale() -> testkit::upstream::Builder {
    Upstream::raw(|mut stream| async move {
        let head = stream.head().await;
        if head.starts_with("POST") {
            stream.take(4).await;
        }
        stream.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        stream.head().await;
    })
}

#[tokio::test]
async fn a_stale_connection_is_tried_again_for_get_and_never_for_post_with_a_body() {
    let upstream = goes_stale().start().await;
    let gw = Gateway::serving(Config::from(api("/a", &upstream)).one_worker()).await;
    let mut client = gw.http1().await;
    assert_eq!(client.send("/a").await.text(), "ok");
    let second = client.send("/a").await;
    assert_eq!((second.status(), second.text().as_str()), (200, "ok"));
    assert_eq!(gw.explain(&second).await.attempts.len(), 2);
    assert_eq!(upstream.count(), 3);

    let post_on_stale = client.send(post("/a", "body")).await;
    assert_eq!((post_on_stale.status(), post_on_stale.reason().as_str()), (502, "upstream_broke"));
    assert_eq!(upstream.count(), 4);
    assert_eq!(client.send(post("/a", "body")).await.status(), 200, "on a new connection");
}

#[tokio::test]
async fn a_stale_connection_says_nothing_about_its_endpoint() {
    let (stale, other) = (goes_stale().start().await, Upstream::text("other").start().await);
    let config = Config::from(api("/a", "both")).balanced("both", &[&stale, &other], json!({})).one_worker();
    let gw = Gateway::serving(config).await;
    let mut client = gw.http1().await;
    for expect in ["ok", "other"] {
        assert_eq!(client.send(post("/a", "body")).await.text(), expect);
    }
    assert_eq!(client.send(post("/a", "body")).await.status(), 502, "the kept connection was stale");
    let status = gw.ops("/status").await.json();
    assert_eq!(
        status["upstreams"][0]["endpoints"][0]["available"], true,
        "it only closed an idle connection: {status}"
    );
}

#[tokio::test]
async fn a_connection_that_an_upstream_closed_while_idle_is_not_used() {
    let upstream = Upstream::bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").start().await;
    let gw = Gateway::serving(Config::from(api("/a", &upstream)).one_worker()).await;
    for _ in 0..5 {
        assert_eq!(gw.send(post("/a", "body")).await.text(), "ok");
        testkit::eventually("the upstream to close", async || upstream.open_connections() == 0).await;
        // The end of the stream has to come through the kernel to the worker, too.
        testkit::eventually("the gateway to notice", async || {
            gw.ops("/status").await.json()["upstreams"][0]["endpoints"][0]["connections"] == 0
        })
        .await;
    }
    assert_eq!(upstream.connections(), 5);
}

#[tokio::test]
async fn connections_to_upstreams_are_kept() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(Config::from(api("/a", &upstream)).one_worker()).await;
    for n in 0..10 {
        assert_eq!(gw.send(post("/a", format!("{n}"))).await.json()["body"], format!("{n}"));
    }
    assert_eq!((upstream.connections(), upstream.count()), (1, 10));
    let config = Config::from(api("/a", "one"));
    let config = config.balanced("one", &[&upstream], json!({ "keepAlive": { "maxIdle": 0 } })).one_worker();
    gw.apply(config).await.unwrap();
    let before = upstream.connections();
    for _ in 0..3 {
        assert_eq!(gw.get("/a").await.status(), 200);
    }
    assert!(upstream.connections() >= before + 2, "nothing is kept with maxIdle 0");
}

#[tokio::test]
async fn time_outs_are_taken_from_the_most_specific_place() {
    let upstream = Upstream::silent().start().await;
    let cases = [
        (Some("110ms"), Some("120ms"), Some("130ms"), "110"),
        (None, Some("120ms"), Some("130ms"), "120"),
        (None, None, Some("130ms"), "130"),
        (Some("0s"), Some("0s"), Some("130ms"), "130"),
        (None, None, None, "140"),
    ];
    for (endpoint, of_upstream, of_api, expect) in cases {
        let mut target = json!({ "url": upstream.url() });
        let mut doc = json!({});
        let mut published = api("/a", "up");
        if let Some(value) = endpoint {
            target["readTimeout"] = value.into();
        }
        if let Some(value) = of_upstream {
            doc["readTimeout"] = value.into();
        }
        if let Some(value) = of_api {
            published = published.with("readTimeout", value);
        }
        doc["endpoints"] = json!([target]);
        let config = Config::from(published).upstream("up", doc).setting("timeouts.read", "140ms");
        let gw = Gateway::serving(config).await;
        let response = gw.get("/a").await;
        assert_eq!(response.status(), 504);
        assert_eq!(gw.explain(&response).await.detail, format!("no answer within {expect} ms"));
    }
}

#[tokio::test]
async fn an_error_tells_nothing_about_the_upstream_or_the_request() {
    let place = Place::reserve();
    let gw = Gateway::serving(api("/a", &*place.url())).await;
    for accept in ["application/json", "application/xml", "text/plain"] {
        let request = post("/a/some-path?query-text=1", "body-text")
            .header("x-token", "header-text")
            .header("accept", accept);
        let text = gw.send(request).await.text();
        let port = place.address().port().to_string();
        for secret in
            [port.as_str(), "127.0.0.1", "some-path", "query-text", "body-text", "header-text", "refused"]
        {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }
    assert_eq!(gw.send(get("/a")).await.status(), 502);
}

#[tokio::test]
async fn waits_for_connections_are_taken_from_the_most_specific_place() {
    let place = Place::full();
    for (endpoint, of_upstream, of_api, expect) in [
        (Some("110ms"), Some("120ms"), Some("130ms"), "110"),
        (None, Some("120ms"), Some("130ms"), "120"),
        (None, None, Some("130ms"), "130"),
        (None, None, None, "140"),
    ] {
        let mut target = json!({ "url": place.url() });
        let mut doc = json!({});
        let mut published = api("/a", "up");
        if let Some(value) = endpoint {
            target["connectTimeout"] = value.into();
        }
        if let Some(value) = of_upstream {
            doc["connectTimeout"] = value.into();
        }
        if let Some(value) = of_api {
            published = published.with("connectTimeout", value);
        }
        doc["endpoints"] = json!([target]);
        let config = Config::from(published).upstream("up", doc).setting("timeouts.connect", "140ms");
        let gw = Gateway::serving(config).await;
        let response = gw.get("/a").await;
        assert_eq!((response.status(), response.reason().as_str()), (504, "upstream_connect_timeout"));
        assert_eq!(gw.explain(&response).await.detail, format!("no connection within {expect} ms"));
    }
}
