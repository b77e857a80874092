//! Headers between hops: what ends at the gateway, what it sets itself, and whom it believes.

use testkit::{Config, Gateway, Upstream, api, get, json, request};

#[tokio::test]
async fn headers_of_one_hop_go_no_further() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let mut conn = gw.connect().await;
    conn.write(
        "GET /a HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Secret\r\nX-Secret: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\n\
         Proxy-Connection: x\r\nProxy-Authorization: Basic x\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nX-End: 2\r\n\r\n",
    )
    .await;
    let headers = conn.response().await.json()["headers"].clone();
    assert_eq!(headers["x-end"], "2");
    for gone in [
        "connection",
        "x-secret",
        "keep-alive",
        "te",
        "proxy-connection",
        "proxy-authorization",
        "upgrade",
        "http2-settings",
    ] {
        assert!(headers[gone].is_null(), "{gone}: {headers}");
    }
}

#[tokio::test]
async fn every_connection_header_is_looked_at() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let mut conn = gw.connect().await;
    conn.write("GET /a HTTP/1.1\r\nHost: a\r\nConnection: X-One\r\nConnection: X-Two\r\nX-One: 1\r\nX-Two: 2\r\n\r\n").await;
    let headers = conn.response().await.json()["headers"].clone();
    assert!(headers["x-one"].is_null() && headers["x-two"].is_null(), "{headers}");
}

#[tokio::test]
async fn connection_cannot_take_away_what_the_gateway_or_the_message_needs() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let mut conn = gw.connect().await;
    conn.write(
        "POST /a HTTP/1.1\r\nHost: a\r\nConnection: X-Forwarded-For, Content-Length, Host, Cookie, X-Request-ID\r\n\
         Cookie: a=b\r\nContent-Length: 2\r\n\r\nhi",
    )
    .await;
    let echo = conn.response().await.json();
    assert_eq!((&echo["body"], &echo["headers"]["cookie"]), (&json!("hi"), &json!("a=b")));
    assert_eq!(echo["headers"]["x-forwarded-for"], "127.0.0.1");
    assert_eq!(echo["headers"]["x-request-id"].as_str().map(str::len), Some(32));
}

#[tokio::test]
async fn headers_of_the_upstreams_hop_do_not_reach_the_client() {
    let upstream = Upstream::bytes(
        "HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nX-End: 2\r\nContent-Length: 0\r\n\r\n",
    );
    let upstream = upstream.start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let response = gw.get("/a").await;
    assert_eq!(
        (response.header("x-hop"), response.header("keep-alive"), response.header("x-end")),
        ("", "", "2")
    );
}

/// Checklist 1.
#[tokio::test]
async fn an_empty_value_stays_empty_and_repeated_headers_stay_repeated() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let response = gw.send(get("/a").header("x-empty", "").header("x-many", "1").header("x-many", "2")).await;
    assert_eq!(response.json()["headers"]["x-empty"], "");
    assert_eq!(response.json()["headers"]["x-many"], "1, 2");
    let seen = upstream.last();
    assert!(seen.headers.get("x-empty").is_some_and(|v| v.is_empty()));
    assert_eq!(seen.headers.get_all("x-many").iter().count(), 2);
}

#[tokio::test]
async fn a_client_cannot_say_who_it_is() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let forged = get("/a")
        .header("host", "shop.example")
        .header("x-forwarded-for", "9.9.9.9")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", "evil.example")
        .header("x-forwarded-port", "1")
        .header("x-real-ip", "9.9.9.9")
        .header("forwarded", "for=9.9.9.9")
        .header("x-request-id", "mine");
    let response = gw.send(forged).await;
    let headers = response.json()["headers"].clone();
    assert_eq!(headers["x-forwarded-for"], "127.0.0.1");
    assert_eq!(headers["x-forwarded-proto"], "http");
    assert_eq!(headers["x-forwarded-host"], "shop.example");
    assert_eq!(headers["x-request-id"], response.request_id());
    for gone in ["x-forwarded-port", "x-real-ip", "forwarded"] {
        assert!(headers[gone].is_null(), "{gone}");
    }
    assert_eq!(headers["host"], upstream.address().to_string(), "the upstream is asked for by its own name");
    assert_eq!(gw.explain(&response).await.client, "127.0.0.1");
}

fn behind_proxies(upstream: &Upstream) -> Config {
    Config::from(api("/a", upstream)).listeners(json!([
        { "name": "default", "address": "127.0.0.1:0", "trustedProxies": ["127.0.0.0/8", "10.0.0.0/8"] },
    ]))
}

#[tokio::test]
async fn a_trusted_proxy_is_believed() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(behind_proxies(&upstream)).await;
    let told = get("/a")
        .header("x-forwarded-for", "6.6.6.6, 9.9.9.9, 10.1.2.3")
        .header("x-forwarded-proto", "https");
    let response = gw.send(told).await;
    let headers = response.json()["headers"].clone();
    assert_eq!(headers["x-forwarded-for"], "6.6.6.6, 9.9.9.9, 10.1.2.3, 127.0.0.1");
    assert_eq!(headers["x-forwarded-proto"], "https");
    assert_eq!(gw.explain(&response).await.client, "9.9.9.9", "the last address that is no trusted proxy");
}

#[tokio::test]
async fn a_trusted_proxy_may_send_its_list_in_several_headers() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(behind_proxies(&upstream)).await;
    let told = get("/a").header("x-forwarded-for", "6.6.6.6").header("x-forwarded-for", "9.9.9.9");
    let response = gw.send(told).await;
    assert_eq!(gw.explain(&response).await.client, "9.9.9.9");
    assert_eq!(response.json()["headers"]["x-forwarded-for"], "6.6.6.6, 9.9.9.9, 127.0.0.1");
}

#[tokio::test]
async fn the_host_in_an_absolute_target_wins_over_the_header() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(api("/a", &upstream).with("hosts", json!(["shop.example"]))).await;
    let mut conn = gw.connect().await;
    conn.write("GET http://shop.example/a/x?y HTTP/1.1\r\nHost: other.example\r\n\r\n").await;
    let echo = conn.response().await.json();
    assert_eq!(
        (&echo["path"], &echo["headers"]["x-forwarded-host"]),
        (&json!("/x?y"), &json!("shop.example"))
    );
}

#[tokio::test]
async fn every_answer_carries_its_request_id_and_no_two_are_alike() {
    let upstream = Upstream::text("ok").start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let mut ids = std::collections::HashSet::new();
    let mut client = gw.http1().await;
    for path in ["/a", "/a", "/nothing", "/a"] {
        let response = client.send(get(path)).await;
        assert_eq!(response.request_id().len(), 32, "{path}");
        assert!(ids.insert(response.request_id().to_owned()));
    }
    let head = client.send(request("HEAD", "/nothing")).await;
    assert_eq!((head.status(), head.request_id().len(), head.text().as_str()), (404, 32, ""));
}
