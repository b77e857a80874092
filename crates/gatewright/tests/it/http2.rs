//! HTTP/2 on either side, gRPC from end to end, and what is translated between versions.

use std::sync::Arc;

use testkit::{
    Authority, Client, Config, Gateway, Protocol, Request, Upstream, api, body, get, json, post, request,
};

#[tokio::test]
async fn one_connection_carries_many_requests_at_once() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let stream = gw.connect().await.into_stream();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let answers = (0..50).map(|n| {
        let (sender, url) = (sender.clone(), format!("http://{}/a/{n}", gw.address()));
        tokio::spawn(async move {
            let request = hyper::Request::get(url).body(()).unwrap();
            let (answer, _) = sender.ready().await.unwrap().send_request(request, true).unwrap();
            answer.await.unwrap().status().as_u16()
        })
    });
    for answer in answers.collect::<Vec<_>>() {
        assert_eq!(answer.await.unwrap(), 200);
    }
    let mut paths: Vec<String> = upstream.seen().into_iter().map(|seen| seen.path).collect();
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), 50);
}

#[tokio::test]
async fn a_request_over_http2_becomes_plain_http1_upstream() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(api("/a", &upstream).with("hosts", json!(["shop.example"]))).await;
    let mut client = gw.http2().await;
    let asked = post("/a/x?y=1", "hello")
        .header("host", "shop.example")
        .header("cookie", "a=1")
        .header("cookie", "b=2");
    let echo = client.send(asked).await.json();
    assert_eq!(
        (&echo["method"], &echo["path"], &echo["body"]),
        (&json!("POST"), &json!("/x?y=1"), &json!("hello"))
    );
    assert_eq!(echo["headers"]["host"], upstream.address().to_string());
    assert_eq!(echo["headers"]["x-forwarded-host"], "shop.example");
    assert_eq!(
        upstream.last().headers.get_all("cookie").iter().map(|v| v.to_str().unwrap()).collect::<Vec<_>>(),
        ["a=1; b=2"]
    );
}

#[tokio::test]
async fn a_length_that_lies_over_http2_never_becomes_a_request_upstream() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    for (said, sent) in [("10", "abc"), ("1", "abc"), ("x", "abc"), ("-1", "")] {
        let stream = gw.connect().await.into_stream();
        let (sender, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let mut sender = sender.ready().await.unwrap();
        let url = format!("http://{}/a", gw.address());
        let request = hyper::Request::post(url).header("content-length", said).body(()).unwrap();
        let (answer, mut body) = sender.send_request(request, false).unwrap();
        let _ = body.send_data(sent.into(), true);
        let answer = testkit::wait::soon("an answer or a reset", answer).await;
        assert!(answer.is_err() || answer.is_ok_and(|a| a.status().is_client_error()), "{said} for {sent:?}");
    }
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn a_host_with_a_user_is_refused_over_http2_too() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let response = gw.http2().await.try_send(get("/a").header("host", "me@shop.example")).await;
    assert!(response.is_err() || response.is_ok_and(|r| r.reason() == "bad_host"));
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn errors_of_the_gateway_read_the_same_over_http2() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let mut client = gw.http2().await;
    let missing = client.send("/nothing").await;
    assert_eq!((missing.status(), missing.reason().as_str()), (404, "no_such_api"));
    assert_eq!(missing.header("content-type"), "application/problem+json");
    assert_eq!(client.send("/a/%2e%2e/x").await.reason(), "bad_path");
    assert_eq!(client.send(get("/a").header("expect", "x")).await.reason(), "expectation_failed");
    let head = client.send(request("HEAD", "/nothing")).await;
    assert_eq!((head.status(), head.text().as_str()), (404, ""));
}

#[tokio::test]
async fn an_upstream_may_speak_http2() {
    let upstream = Upstream::echo().http2().start().await;
    let doc = json!({ "endpoints": [{ "url": format!("{}/base", upstream.url()) }], "protocol": "http2" });
    let gw = Gateway::serving(Config::from(api("/a", "up")).upstream("up", doc).one_worker()).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut client = gw.client(protocol).await;
        for n in 0..3 {
            let asked = post(&format!("/a/{n}?x=y"), format!("{n}"))
                .header("x-a", "1")
                .header("connection", "x-gone");
            let asked = if protocol == Protocol::Http1 {
                asked.header("x-gone", "1")
            } else {
                post(&format!("/a/{n}?x=y"), format!("{n}"))
            };
            let response = client.send(asked).await;
            assert_eq!(response.json()["body"], format!("{n}"));
            assert_eq!(response.json()["path"], format!("/base/{n}?x=y"));
        }
        assert!(upstream.last().http2 && upstream.last().header("x-gone").is_empty());
    }
    assert_eq!(upstream.connections(), 1, "one connection carries them all");
    assert_eq!(gw.send(request("HEAD", "/a")).await.status(), 200);
    assert_eq!(gw.get("/a").await.json()["headers"]["x-forwarded-for"], "127.0.0.1");
}

#[tokio::test]
async fn an_http2_upstream_that_is_gone_or_slow_is_told_apart() {
    let silent = Upstream::silent().http2().start().await;
    let doc =
        |url: String| json!({ "endpoints": [{ "url": url }], "protocol": "http2", "readTimeout": "100ms" });
    let gw = Gateway::serving(Config::from(api("/a", "up")).upstream("up", doc(silent.url()))).await;
    assert_eq!(gw.get("/a").await.reason(), "upstream_read_timeout");
    testkit::eventually("the stream to be cancelled", async || silent.cancelled() == 1).await;
    let no_http2 = Upstream::bytes("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").start().await;
    gw.apply(Config::from(api("/a", "up")).upstream("up", doc(no_http2.url()))).await.unwrap();
    let response = gw.get("/a").await;
    assert_eq!(response.status(), 502, "{}", response.text());
    let place = testkit::Place::reserve();
    gw.apply(Config::from(api("/a", "up")).upstream("up", doc(place.url()))).await.unwrap();
    assert_eq!(gw.get("/a").await.reason(), "upstream_unreachable");
}

#[tokio::test]
async fn an_http2_connection_that_its_upstream_closes_is_replaced() {
    let place = testkit::Place::reserve();
    let (address, url) = (place.address(), place.url());
    let first = place.start(Upstream::text("first").http2()).await;
    let doc = json!({ "endpoints": [{ "url": url }], "protocol": "http2" });
    let gw = Gateway::serving(Config::from(api("/a", "up")).upstream("up", doc).one_worker()).await;
    assert_eq!(gw.get("/a").await.text(), "first");
    drop(first);
    testkit::eventually("the connection to be gone", async || {
        gw.ops("/status").await.json()["upstreams"][0]["endpoints"][0]["connections"] == 0
    })
    .await;
    assert_eq!(gw.get("/a").await.status(), 502, "nobody listens on {address}");
}

#[tokio::test]
async fn a_stale_http2_connection_is_tried_again_for_get() {
    // Answers the first request on each connection, and closes instead of answering the second one.
    let upstream = Upstream::raw(|stream| async move {
        let Ok(mut connection) = h2::server::handshake(stream.into_io()).await else { return };
        if let Some(Ok((_, mut respond))) = connection.accept().await {
            let _ = respond.send_response(hyper::Response::new(()), true);
        }
        let _second = connection.accept().await;
    });
    let upstream = upstream.start().await;
    let doc = json!({ "endpoints": [{ "url": upstream.url() }], "protocol": "http2" });
    let gw = Gateway::serving(Config::from(api("/a", "up")).upstream("up", doc).one_worker()).await;
    assert_eq!(gw.get("/a").await.status(), 200);
    let second = gw.get("/a").await;
    assert_eq!(second.status(), 200, "{}", second.text());
    assert_eq!(upstream.connections(), 2);
}

/// A gRPC message: no compression, a length, the bytes.
fn message(text: &str) -> Vec<u8> {
    let mut framed = vec![0];
    framed.extend_from_slice(&u32::try_from(text.len()).expect("a short text").to_be_bytes());
    framed.extend_from_slice(text.as_bytes());
    framed
}

fn grpc(body: testkit::body::Body) -> Request {
    request("POST", "/shop/orders.Orders/Get")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body)
}

#[tokio::test]
async fn grpc_passes_from_end_to_end_with_its_trailers() {
    let upstream = Upstream::grpc().start().await;
    // Nothing says HTTP/2 here: gRPC gets it because it is gRPC.
    let gw = Gateway::serving(api("/shop", &upstream).with("readTimeout", "100ms")).await;
    let mut client = gw.http2().await;
    let (pieces, body) = body::pieces();
    pieces.send(message("one")).await;
    let answer = client.open(grpc(body)).await.unwrap();
    assert_eq!(answer.headers()["x-te"], "trailers");
    // A stream of messages may be silent for longer than the read time-out.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    pieces.send(message("two")).await;
    drop(pieces);
    let (head, incoming) = answer.into_parts();
    let response = testkit::Response::collect(head, incoming).await.unwrap();
    assert_eq!(response.bytes()[..], [message("one"), message("two")].concat());
    assert_eq!((response.trailer("grpc-status"), response.trailer("grpc-message")), ("0", "fine"));
    let seen = upstream.last();
    assert!(seen.http2);
    assert_eq!(seen.path, "/orders.Orders/Get");
}

#[tokio::test]
async fn tls_negotiates_the_version_on_both_sides() {
    let authority = Authority::new();
    let server = authority.issue(&["127.0.0.1"]);
    for (offers, http2) in [(&["h2", "http/1.1"][..], true), (&["http/1.1"], false), (&[], false)] {
        let upstream = Upstream::echo().tls(server.server(offers, None)).start().await;
        let doc = json!({ "endpoints": [{ "url": upstream.url() }], "tls": { "caFile": "ca.pem" } });
        let config = Config::from(api("/a", "up")).upstream("up", doc).file("ca.pem", authority.pem());
        let own = authority.issue(&["gateway.example"]);
        let config = config.file("own.pem", &*own.certificate).file("own.key", &*own.key).listeners(json!([{
            "name": "tls", "address": "127.0.0.1:0",
            "tls": { "certificates": [{ "certificateFile": "own.pem", "keyFile": "own.key" }] },
        }]));
        let gw = Gateway::serving(config).await;
        for (alpn, protocol) in [("h2", Protocol::Http2), ("http/1.1", Protocol::Http1)] {
            let stream =
                gw.tls_stream("gateway.example", authority.client(&[alpn, "http/1.1"], None)).await.unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(alpn.as_bytes()));
            let mut client = Client::over(stream, protocol, "gateway.example", true).await.unwrap();
            let echo = client.send(post("/a", "hello")).await.json();
            assert_eq!(
                (&echo["body"], &echo["headers"]["x-forwarded-proto"]),
                (&json!("hello"), &json!("https"))
            );
        }
        assert_eq!(upstream.last().http2, http2, "{offers:?}");
        drop(Arc::new(upstream));
    }
}
