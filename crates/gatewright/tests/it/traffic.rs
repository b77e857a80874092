//! Policies about traffic, from the outside: who may come in at all, how many at once, how often, and what is answered
//! without a call to the native service.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use testkit::{Config, Gateway, MINUTE, SECOND, Upstream, api, get, json, request};

#[tokio::test]
async fn http_is_refused_or_sent_to_https() {
    let upstream = Upstream::text("ok").start().await;
    let policy = |config| api("/a", &upstream).policy("allowedProtocols", config);
    let gw = Gateway::serving(policy(json!({ "protocols": ["https"] }))).await;
    let refused = gw.get("/a").await;
    assert_eq!((refused.status(), refused.reason().as_str()), (403, "protocol_not_allowed"));
    gw.apply(policy(json!({ "protocols": ["https"], "redirectToHttps": true, "httpsPort": 8443 })))
        .await
        .unwrap();
    let redirect = gw.send(get("/a/x?b=1").header("host", "shop.example:80")).await;
    assert_eq!((redirect.status(), redirect.header("location")), (308, "https://shop.example:8443/a/x?b=1"));
    gw.apply(policy(json!({ "protocols": ["http"] }))).await.unwrap();
    assert_eq!(gw.get("/a").await.status(), 200);
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn a_bulkhead_has_room_again_however_a_request_ends() {
    let upstream = Upstream::silent().start().await;
    let policy = json!({ "limit": 1, "refusal": { "retryAfterSeconds": 3, "message": "Come again." } });
    let gw = Gateway::serving(api("/a", &upstream).policy("bulkhead", policy)).await;
    for round in 1..=2 {
        let mut first = gw.http1().await;
        let waiting = tokio::spawn(async move { first.open("/a").await.map(|_| ()) });
        upstream.wait_for(round).await;
        let refused = gw.get("/a").await;
        assert_eq!((refused.status(), refused.reason().as_str()), (503, "bulkhead_full"));
        assert_eq!(refused.header("retry-after"), "3");
        assert_eq!(refused.json()["errors"][0]["message"], "Come again.");
        waiting.abort();
        // The client is gone, and nothing else tells the gateway.
        testkit::eventually("the end of the request", async || upstream.cancelled() == round).await;
    }
}

#[tokio::test]
async fn a_bulkhead_lets_one_after_the_other_in() {
    let upstream = Upstream::text("ok").start().await;
    let config =
        Config::new().api(api("/a", &upstream).policy("applicationBulkhead", json!({ "limit": 1 }))).append(
            "policies",
            json!({ "type": "bulkhead", "name": "all", "config": { "limit": 1, "per": "gateway" } }),
        );
    let gw = Gateway::serving(config).await;
    let mut client = gw.http1().await;
    for _ in 0..5 {
        assert_eq!(client.send("/a").await.status(), 200);
    }
}

fn preflight(origin: &str, method: &str) -> testkit::Request {
    request("OPTIONS", "/a/x").header("origin", origin).header("access-control-request-method", method)
}

#[tokio::test]
async fn preflights_are_answered_before_anybody_authenticates() {
    let upstream = Upstream::respond(|_| {
        let mut response = http::Response::new(testkit::body::full("ok"));
        response.headers_mut().insert("access-control-allow-origin", http::HeaderValue::from_static("*"));
        response
    })
    .start()
    .await;
    let cors = json!({ "allowedOrigins": ["https://shop.example"], "allowedMethods": ["GET", "PUT"], "maxAge": "10m" });
    let orders = api("/a", &upstream)
        .with("operations", json!([{ "method": "GET", "path": "/x" }]))
        .policy("cors", cors)
        .policy("apiKey", json!({}));
    let config = Config::new().api(orders).append(
        "applications",
        json!({
            "name": "partner", "apis": ["a"], "origins": ["https://partner.example"],
            "apiKeys": [{ "hash": testkit::config::hash("key-partner") }],
        }),
    );
    let gw = Gateway::serving(config).await;

    let allowed = gw.send(preflight("https://shop.example", "PUT")).await;
    assert_eq!(allowed.status(), 204, "{}", allowed.text());
    assert_eq!(allowed.header("access-control-allow-origin"), "https://shop.example");
    assert_eq!(allowed.header("access-control-allow-methods"), "GET, PUT");
    assert_eq!(allowed.header("access-control-max-age"), "600");
    assert_eq!(
        allowed.header("vary"),
        "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
    );
    assert_eq!(gw.send(preflight("https://partner.example", "GET")).await.status(), 204);
    for (origin, method, status, reason) in [
        ("https://evil.example", "GET", 403, "origin_not_allowed"),
        ("https://shop.example", "DELETE", 405, "cors_method_not_allowed"),
    ] {
        let refused = gw.send(preflight(origin, method)).await;
        assert_eq!((refused.status(), refused.reason().as_str()), (status, reason));
        assert_eq!(refused.header("access-control-allow-origin"), "");
    }

    let actual = |origin: &str| get("/a/x").header("origin", origin);
    let refused = gw.send(actual("https://evil.example")).await;
    assert_eq!((refused.status(), refused.reason().as_str()), (403, "origin_not_allowed"));
    let readable = gw.send(actual("https://shop.example")).await;
    assert_eq!(
        (readable.status(), readable.header("access-control-allow-origin")),
        (401, "https://shop.example")
    );
    for origin in ["https://shop.example", "https://partner.example"] {
        let answer = gw.send(actual(origin).header("x-Gateway-APIKey", "key-partner")).await;
        assert_eq!((answer.status(), answer.header("access-control-allow-origin")), (200, origin));
    }
    assert_eq!(upstream.count(), 2);
}

/// An upstream that counts its answers and may be asked whether one has changed.
fn counting(headers: &'static [(&'static str, &'static str)]) -> testkit::upstream::Builder {
    let count = Arc::new(AtomicUsize::new(0));
    Upstream::respond(move |seen| {
        let number = count.fetch_add(1, SeqCst) + 1;
        let known = seen.header("if-none-match") == "\"same\"";
        let body =
            if known { testkit::body::empty() } else { testkit::body::full(format!("answer {number}")) };
        let mut response = http::Response::new(body);
        if known {
            *response.status_mut() = http::StatusCode::NOT_MODIFIED;
        }
        for (name, value) in headers {
            response.headers_mut().append(*name, http::HeaderValue::from_static(value));
        }
        response
    })
}

#[tokio::test]
async fn a_result_is_kept_for_its_time_and_until_somebody_writes_or_purges() {
    let upstream = counting(&[]).start().await;
    let cached =
        || api("/a", &upstream).policy("resultCache", json!({ "ttl": "10m", "largestPayload": "1KiB" }));
    let gw = Gateway::serving(cached()).await;
    let ask = async |path: &str| gw.get(path).await.text();
    assert_eq!(ask("/a/x?b=1&c=2").await, "answer 1");
    let hit = gw.get("/a/x?c=2&b=1").await;
    assert_eq!(
        (hit.text().as_str(), hit.header("age"), hit.header("content-length")),
        ("answer 1", "0", "8")
    );
    let head = gw.send(request("HEAD", "/a/x?c=2&b=1")).await;
    assert_eq!((head.text().as_str(), head.header("content-length")), ("", "8"));
    assert_eq!(ask("/a/y").await, "answer 2");
    gw.apply(cached().policy("bulkhead", json!({ "limit": 100 }))).await.unwrap();
    assert_eq!(ask("/a/y").await, "answer 2", "it outlives other changes");
    gw.send(testkit::post("/a/y", "new")).await;
    assert_eq!(ask("/a/y").await, "answer 4");
    assert_eq!(ask("/a/x?b=1&c=2").await, "answer 1");
    gw.advance(11 * MINUTE);
    assert_eq!(ask("/a/y").await, "answer 5");
    assert_eq!(gw.ops(request("POST", "/apis/a/1.0/cache/purge")).await.status(), 204);
    assert_eq!(ask("/a/y").await, "answer 6");
    assert_eq!(gw.ops(request("POST", "/apis/b/1.0/cache/purge")).await.status(), 404);
}

#[tokio::test]
async fn what_a_global_policy_keeps_for_one_method_is_purged_too() {
    let upstream = counting(&[]).start().await;
    let cached = json!({
        "type": "resultCache", "config": { "ttl": "10m" },
        "appliesTo": { "conditions": [{ "operation": "method", "value": "get" }] },
    });
    // Without operations of its own, one chain serves all methods.
    let gw = Gateway::serving(Config::from(api("/a", &upstream)).append("policies", cached)).await;
    assert_eq!(gw.get("/a/x").await.text(), "answer 1");
    assert_eq!(gw.get("/a/x").await.text(), "answer 1");
    assert_eq!(gw.ops(request("POST", "/apis/a/1.0/cache/purge")).await.status(), 204);
    assert_eq!(gw.get("/a/x").await.text(), "answer 2");
}

#[tokio::test]
async fn large_and_broken_answers_pass_and_are_not_kept() {
    let large =
        Upstream::respond(|_| http::Response::new(testkit::body::full("x".repeat(2_000)))).start().await;
    let broken = Upstream::bytes("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").start().await;
    let policy = json!({ "ttl": "10m", "largestPayload": "1KiB" });
    let config = Config::new()
        .api(api("/large", &large).policy("resultCache", policy.clone()))
        .api(api("/broken", &broken).policy("resultCache", policy));
    let gw = Gateway::serving(config).await;
    for round in 1..=2 {
        assert_eq!(gw.get("/large").await.bytes().len(), 2_000);
        assert_eq!(large.count(), round);
        let half = gw.raw("GET /broken HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        assert!(half.ends_with(b"half"), "{}", String::from_utf8_lossy(&half));
    }
}

#[tokio::test]
async fn http_decides_about_its_own_answers() {
    let upstream = counting(&[("cache-control", "max-age=60"), ("etag", "\"same\"")]).start().await;
    let gw = Gateway::serving(api("/a", &upstream).policy("resultCache", json!({ "mode": "rfc9111" }))).await;
    assert_eq!(gw.get("/a").await.text(), "answer 1");
    gw.advance(30 * SECOND);
    let hit = gw.get("/a").await;
    assert_eq!((hit.text().as_str(), hit.header("age")), ("answer 1", "30"));
    let known = gw.send(get("/a").header("if-none-match", "\"same\"")).await;
    assert_eq!((known.status(), known.header("etag")), (304, "\"same\""));
    assert_eq!(upstream.count(), 1);
    gw.advance(40 * SECOND);
    let renewed = gw.get("/a").await;
    assert_eq!((renewed.status(), renewed.text().as_str()), (200, "answer 1"), "the upstream said 304");
    assert_eq!(upstream.count(), 2);
    assert_eq!(gw.send(get("/a").header("cache-control", "no-store")).await.text(), "answer 3");
    gw.advance(60 * MINUTE);
    let none = gw.send(get("/a").header("cache-control", "only-if-cached")).await;
    assert_eq!((none.status(), none.reason().as_str()), (504, "not_cached"));
}

#[tokio::test]
async fn quotas_of_requests_and_bytes() {
    let upstream = Upstream::text("0123456789").start().await;
    let policy = |config| api("/a", &upstream).policy("throttle", config);
    let gw = Gateway::serving(policy(json!({
        "limit": { "requests": 2, "per": "hour" },
        "groups": [{ "name": "bytes", "when": { "variable": "${request.headers.By}", "operator": "exists" },
            "limit": { "bandwidth": "15B", "per": "day" } }],
        "deny": [{ "when": { "variable": "${request.headers.Evil}", "operator": "exists" } }],
    })))
    .await;
    let mut client = gw.http1().await;
    assert_eq!(client.send("/a").await.header("ratelimit"), "\"quota\";r=1;t=3600");
    assert_eq!(client.send("/a").await.status(), 200);
    let refused = client.send("/a").await;
    assert_eq!((refused.status(), refused.reason().as_str()), (429, "quota_exceeded"));
    assert_eq!(refused.header("retry-after"), "3600");
    for expect in [200, 200, 429] {
        assert_eq!(client.send(get("/a").header("by", "bytes")).await.status(), expect);
    }
    let blocked = client.send(get("/a").header("evil", "1")).await;
    assert_eq!((blocked.status(), blocked.reason().as_str()), (403, "blocked"));
    gw.advance(60 * MINUTE);
    assert_eq!(client.send("/a").await.status(), 200);
    assert_eq!(
        client.send(get("/a").header("by", "bytes")).await.status(),
        429,
        "a day is longer than an hour"
    );
}

#[tokio::test]
async fn the_native_service_gets_as_much_as_it_can_take() {
    let upstream = Upstream::text("ok").start().await;
    let gw = Gateway::serving(
        api("/a", &upstream).policy("upstreamThroughput", json!({ "limit": 1, "window": "10s" })),
    )
    .await;
    assert_eq!(gw.get("/a").await.status(), 200);
    let refused = gw.get("/a").await;
    assert_eq!((refused.status(), refused.reason().as_str()), (503, "upstream_throughput_exceeded"));
    assert_eq!(refused.header("retry-after"), "10");
    gw.advance(10 * SECOND);
    assert_eq!(gw.get("/a").await.status(), 200);
    assert_eq!(upstream.count(), 2);
}
