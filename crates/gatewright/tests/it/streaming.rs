//! Bodies stream: in both directions, at once, of any length, and nobody waits for an end that need not come.

use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::{Response, StatusCode};
use testkit::{
    Config, Gateway, Protocol, Upstream, api, body, eventually, get, json, post, request, wait::soon,
};
use tokio::sync::Notify;

const LARGE: usize = 10 * 1024 * 1024;

#[tokio::test]
async fn an_event_arrives_before_the_upstream_has_finished() {
    let go_on = Arc::new(Notify::new());
    let signal = Arc::clone(&go_on);
    let upstream = Upstream::service(move |_, _| {
        let signal = Arc::clone(&signal);
        async move {
            let (pieces, body) = body::pieces();
            tokio::spawn(async move {
                pieces.send("data: first\n\n").await;
                signal.notified().await;
                pieces.send("data: second\n\n").await;
            });
            Response::builder().header("content-type", "text/event-stream").body(body).unwrap()
        }
    });
    let upstream = upstream.start().await;
    let gw = Gateway::serving(api("/a", &upstream).with("readTimeout", "100ms")).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut client = gw.client(protocol).await;
        let mut incoming = client.open("/a").await.unwrap().into_body();
        let first = soon("the first event", incoming.frame()).await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "data: first\n\n");
        // Longer than the read time-out: a stream of events may be silent for as long as it likes.
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        go_on.notify_one();
        let rest = soon("the rest", incoming.collect()).await.unwrap().to_bytes();
        assert_eq!(rest, "data: second\n\n");
    }
}

#[tokio::test]
async fn large_bodies_pass_in_both_directions() {
    let upstream = Upstream::respond(|seen| Response::new(body::full(seen.body.clone()))).start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let large: Vec<u8> = (0..LARGE).map(|n| (n % 251) as u8).collect();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut client = gw.client(protocol).await;
        let response = client.send(post("/a", large.clone())).await;
        assert_eq!(response.status(), 200);
        assert!(response.bytes()[..] == large[..], "{protocol:?}: another body came back");
    }
    let explanation = gw.explain(&gw.send(post("/a", large)).await).await;
    assert_eq!((explanation.request_bytes, explanation.response_bytes), (LARGE as u64, LARGE as u64));
}

#[tokio::test]
async fn a_body_goes_up_while_its_answer_comes_down() {
    let upstream = Upstream::service(|_, mut incoming| async move {
        let (pieces, body) = body::pieces();
        tokio::spawn(async move {
            while let Some(Ok(frame)) = incoming.frame().await {
                if let Ok(data) = frame.into_data() {
                    pieces.send(data).await;
                }
            }
        });
        Response::new(body)
    });
    let upstream = upstream.start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let (pieces, body) = body::pieces();
        let mut client = gw.client(protocol).await;
        pieces.send("first").await;
        let mut incoming = client.open(request("POST", "/a").body(body)).await.unwrap().into_body();
        for expect in ["first", "second", "third"] {
            if expect != "first" {
                pieces.send(expect).await;
            }
            let frame = soon("the echo of a piece", incoming.frame()).await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), expect, "{protocol:?}");
        }
        drop(pieces);
        assert!(soon("the end", incoming.collect()).await.unwrap().to_bytes().is_empty());
    }
}

#[tokio::test]
async fn framing_is_kept_a_length_stays_a_length_and_chunks_stay_chunks() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let response = gw.send(post("/a", "hello")).await;
    assert_eq!((upstream.last().header("content-length"), response.header("transfer-encoding")), ("5", ""));
    assert_ne!(response.header("content-length"), "");
    let (pieces, body) = body::pieces();
    tokio::spawn(async move { pieces.send("hello").await });
    let response = gw.send(request("POST", "/a").body(body)).await;
    assert_eq!(response.json()["body"], "hello");
    let seen = upstream.last();
    assert_eq!((seen.header("transfer-encoding"), seen.header("content-length")), ("chunked", ""));
    for (method, length) in [("GET", ""), ("DELETE", ""), ("POST", "0"), ("PUT", "0")] {
        gw.send(request(method, "/a")).await;
        assert_eq!(upstream.last().header("content-length"), length, "{method} without a body");
    }
}

#[tokio::test]
async fn an_answer_that_ends_with_its_connection_is_whole() {
    let upstream = Upstream::bytes("HTTP/1.1 200 OK\r\n\r\nto the end").start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    assert_eq!(gw.get("/a").await.text(), "to the end");
    let old = "GET /a HTTP/1.0\r\nHost: a\r\n\r\n";
    let answer = String::from_utf8(gw.raw(old).await).unwrap();
    assert!(
        answer.ends_with("\r\n\r\nto the end") && !answer.contains("chunked"),
        "HTTP/1.0 knows no chunks: {answer}"
    );
}

#[tokio::test]
async fn trailers_of_a_request_reach_the_upstream() {
    let upstream = Upstream::text("ok").start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let mut conn = gw.connect().await;
    conn.write("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n").await;
    assert_eq!(conn.response().await.status, 200);
    let seen = upstream.last();
    assert_eq!(
        (&seen.body[..], seen.trailers.get("x-sum").map(|v| v.as_bytes())),
        (b"hi".as_slice(), Some(b"7".as_slice()))
    );
}

#[tokio::test]
async fn trailers_of_an_answer_reach_the_client() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n";
    let upstream = Upstream::bytes(answer).start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let mut missing = Vec::new();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut client = gw.client(protocol).await;
        let response = client.send(get("/a").header("te", "trailers")).await;
        assert_eq!(response.text(), "hi");
        if response.trailer("x-sum") != "7" {
            missing.push(protocol);
        }
    }
    assert!(missing.is_empty(), "no trailers over {missing:?}");
}

/// Says what it was told about the body, with or without `100 Continue`.
fn careful(answers_at_once: bool) -> testkit::upstream::Builder {
    Upstream::raw(move |mut stream| async move {
        let head = stream.head().await;
        let told = head.to_ascii_lowercase().contains("expect: 100-continue");
        if answers_at_once {
            stream.write("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno").await;
            return;
        }
        if told {
            stream.write("HTTP/1.1 100 Continue\r\n\r\n").await;
        }
        let body = stream.take(5).await;
        let text = format!("{told} {}", String::from_utf8_lossy(&body));
        stream.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len())).await;
        stream.stall().await;
    })
}

const EXPECTING: &str = "POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";

#[tokio::test]
async fn a_client_that_asks_before_sending_is_told_what_the_upstream_says() {
    let upstream = careful(false).start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let mut conn = gw.connect().await;
    conn.write(EXPECTING).await;
    assert_eq!(conn.head().await.status, 100);
    conn.write("hello").await;
    let response = conn.response().await;
    assert_eq!((response.status, response.text().as_str()), (200, "true hello"));
}

#[tokio::test]
async fn a_refusal_of_the_upstream_comes_instead_of_100_continue() {
    let upstream = careful(true).start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let mut conn = gw.connect().await;
    conn.write(EXPECTING).await;
    let response = conn.response().await;
    assert_eq!((response.status, response.text().as_str()), (417, "no"));
    let gw = Gateway::serving(api("/a", &upstream).policy("apiKey", json!({}))).await;
    let mut conn = gw.connect().await;
    conn.write(EXPECTING).await;
    assert_eq!(conn.response().await.status, 401, "a refusal of the gateway likewise");
}

#[tokio::test]
async fn an_upstream_that_does_not_care_gets_the_body_all_the_same() {
    let upstream = Upstream::raw(|mut stream| async move {
        stream.head().await;
        let body = String::from_utf8_lossy(&stream.take(5).await).into_owned();
        stream.write(format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{body}")).await;
        stream.stall().await;
    });
    let upstream = upstream.start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let mut conn = gw.connect().await;
    conn.write(EXPECTING).await;
    conn.write("hello").await;
    let mut response = conn.response().await;
    if response.status == 100 {
        response = conn.response().await;
    }
    assert_eq!((response.status, response.text().as_str()), (200, "hello"));
}

/// Checklist 3.
#[tokio::test]
async fn an_interim_answer_is_not_taken_for_the_final_one() {
    let answer = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let upstream = Upstream::bytes(answer).start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let response = gw.get("/a").await;
    assert_eq!((response.status(), response.text().as_str(), response.header("link")), (200, "ok", ""));
}

#[tokio::test]
async fn head_keeps_the_length_and_has_no_body() {
    let upstream = Upstream::raw(|mut stream| async move {
        while !stream.head().await.is_empty() {
            stream.write("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nETag: \"x\"\r\n\r\n").await;
        }
    });
    let upstream = upstream.start().await;
    let gw = Gateway::serving(Config::from(api("/a", &upstream)).one_worker()).await;
    let mut client = gw.http1().await;
    for _ in 0..2 {
        let response = client.send(request("HEAD", "/a")).await;
        assert_eq!(
            (response.status(), response.header("content-length"), response.text().as_str()),
            (200, "1234", "")
        );
    }
    assert_eq!(upstream.connections(), 1, "the connection is clean after HEAD");
}

/// Checklist 2.
#[tokio::test]
async fn not_modified_is_passed_on_after_one_upstream_call() {
    let answer = "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\nContent-Length: 99\r\n\r\n";
    let upstream = Upstream::bytes(answer).start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let response = gw.send(get("/a").header("if-none-match", "\"v1\"")).await;
    assert_eq!((response.status(), response.header("etag"), response.text().as_str()), (304, "\"v1\"", ""));
    assert_eq!((upstream.count(), upstream.last().header("if-none-match")), (1, "\"v1\""));
}

#[tokio::test]
async fn every_status_is_passed_on_as_it_is() {
    for code in
        [200, 201, 202, 204, 205, 206, 301, 302, 307, 400, 401, 404, 409, 418, 429, 500, 502, 503, 599]
    {
        let upstream = Upstream::status(code).start().await;
        let gw = Gateway::serving(api("/a", &upstream)).await;
        let response = gw.get("/a").await;
        assert_eq!((response.status(), response.text().as_str(), upstream.count()), (code, "", 1));
    }
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_upstream_call() {
    let upstream = Upstream::silent().start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    for (calls, protocol) in [(1, Protocol::Http1), (2, Protocol::Http2)] {
        let mut client = gw.client(protocol).await;
        let waiting = tokio::spawn(async move { client.try_send("/a").await.map(|r| r.status()) });
        upstream.wait_for(calls).await;
        waiting.abort();
        eventually("the call to be cancelled", async || upstream.cancelled() == calls).await;
    }
    eventually("nothing to be in progress", async || {
        gw.ops("/status").await.json()["requestsInProgress"] == 0
    })
    .await;
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_an_answer_ends_it() {
    let gone = Arc::new(Notify::new());
    let signal = Arc::clone(&gone);
    let upstream = Upstream::service(move |_, _| {
        let signal = Arc::clone(&signal);
        async move {
            let (pieces, body) = body::pieces();
            tokio::spawn(async move {
                while pieces.send(vec![b'x'; 16 * 1024]).await {}
                signal.notify_one();
            });
            Response::new(body)
        }
    });
    let upstream = upstream.start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let mut client = gw.http1().await;
    let answer = client.open("/a").await.unwrap();
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    drop((answer, client));
    soon("the upstream to notice", gone.notified()).await;
    eventually("the record", async || gw.inner().explain(&id).await.is_some()).await;
    let reason = gw.inner().explain(&id).await.and_then(|e| e.reason).map(|r| r.code);
    assert_eq!(reason.as_deref(), Some("client_gone"));
}

#[tokio::test]
async fn an_upstream_may_answer_before_it_has_read_the_body() {
    let upstream = Upstream::service(|_, incoming| async move {
        drop(incoming);
        let mut response = Response::new(body::full("enough"));
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        response
    });
    let upstream = upstream.start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    // Writing fails and the answer arrives at about the same time, so look more than once.
    for protocol in [Protocol::Http1, Protocol::Http2].repeat(10) {
        let (pieces, body) = body::pieces();
        let upload = tokio::spawn(async move { while pieces.send(vec![b'x'; 64 * 1024]).await {} });
        let mut client = gw.client(protocol).await;
        let answer = client.open(request("POST", "/a").body(body)).await.unwrap();
        assert_eq!(answer.status(), 413, "{protocol:?}");
        upload.abort();
    }
    assert_eq!(gw.send(post("/a", "x")).await.status(), 413);
}

#[tokio::test]
async fn a_client_that_does_not_read_slows_the_upstream_down() {
    let sent = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let upstream = Upstream::service(move |_, _| {
        let counter = Arc::clone(&counter);
        async move {
            let (pieces, body) = body::pieces();
            tokio::spawn(async move {
                while pieces.send(vec![b'x'; 64 * 1024]).await {
                    counter.fetch_add(64 * 1024, std::sync::atomic::Ordering::SeqCst);
                }
            });
            Response::new(body)
        }
    });
    let upstream = upstream.start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let mut conn = gw.connect().await;
    conn.write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(conn.head().await.status, 200);
    // It has stopped once nothing more is sent between two looks.
    let mut before = usize::MAX;
    eventually("the upstream to be held up", async || {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let now = sent.load(std::sync::atomic::Ordering::SeqCst);
        std::mem::replace(&mut before, now) == now
    })
    .await;
    assert!(before < 64 * 1024 * 1024, "{before} bytes were taken for a client that reads none");
}
