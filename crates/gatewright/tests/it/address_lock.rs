//! Addresses that fail to authenticate: they get no further, and nobody else is hindered.

use testkit::{Config, Gateway, Request, SECOND, Upstream, Value, api, get, json, request};

/// An API with keys, another without, and these settings.
fn guarded(upstream: &Upstream, lock: Value) -> Config {
    let identify = json!({ "rules": [{ "type": "apiKey" }] });
    Config::from(api("/a", upstream).policy("identifyAndAuthorize", identify))
        .api(api("/open", upstream))
        .application("shop", "right", &["a"])
        .setting("addressLock", lock)
        .listeners(
            json!([{ "name": "default", "address": "127.0.0.1:0", "trustedProxies": ["127.0.0.1/32"] }]),
        )
}

fn from(address: &str, key: &str) -> Request {
    let request = get("/a").header("x-forwarded-for", address);
    if key.is_empty() { request } else { request.header("x-gateway-apikey", key) }
}

#[tokio::test]
async fn an_address_that_guesses_is_refused_everywhere_for_a_while() {
    let upstream = Upstream::text("ok").start().await;
    let lock = json!({ "attempts": 3, "within": "10s", "lockFor": "60s" });
    let gw = Gateway::serving(guarded(&upstream, lock)).await;
    let bad = "192.0.2.1";
    for _ in 0..5 {
        assert_eq!(gw.send(from(bad, "")).await.reason(), "credentials_missing", "no guess");
    }
    for _ in 0..2 {
        assert_eq!(gw.send(from(bad, "wrong")).await.reason(), "api_key_unknown");
    }
    assert_eq!(gw.send(from(bad, "right")).await.status(), 200, "not yet");
    assert_eq!(gw.send(from(bad, "wrong")).await.reason(), "api_key_unknown", "the third");
    for (path, key) in [("/a", "right"), ("/open", "")] {
        let refused = gw.send(from(bad, key)).await;
        assert_eq!((refused.status(), refused.reason().as_str()), (403, "address_locked"), "{path}");
    }
    let open = gw.send(get("/open").header("x-forwarded-for", bad)).await;
    assert_eq!(open.reason(), "address_locked");
    assert_eq!(gw.send(from("192.0.2.2", "right")).await.status(), 200, "somebody else");

    let locked = gw.ops("/lockedAddresses").await.json();
    assert_eq!(locked, json!([{ "address": bad, "failures": 3, "until": "2026-01-15T10:01:00Z" }]));
    let metrics = gw.ops("/metrics").await.text();
    for line in ["gatewright_address_locks_total 1", "gatewright_address_lock_refused_total 3"] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    assert!(!gw.events("reason=address_locked").await.is_empty());

    gw.clock().advance(60 * SECOND);
    assert_eq!(gw.send(from(bad, "right")).await.status(), 200, "it is over");
}

#[tokio::test]
async fn a_denied_address_is_released_by_hand_and_outlives_changes() {
    let upstream = Upstream::text("ok").start().await;
    let lock = json!({ "attempts": 1, "action": "deny", "except": ["198.51.100.0/24"] });
    let gw = Gateway::serving(guarded(&upstream, lock.clone())).await;
    for address in ["192.0.2.1", "192.0.2.2", "2001:db8::1"] {
        assert_eq!(gw.send(from(address, "wrong")).await.reason(), "api_key_unknown");
        assert_eq!(gw.send(from(address, "right")).await.reason(), "address_locked");
    }
    assert_eq!(gw.send(from("2001:db8::2", "right")).await.reason(), "address_locked", "the same network");
    for _ in 0..3 {
        assert_eq!(gw.send(from("198.51.100.1", "wrong")).await.reason(), "api_key_unknown", "never locked");
    }
    gw.clock().advance(1_000_000 * SECOND);
    gw.apply(guarded(&upstream, lock).append("groups", json!({ "name": "x" }))).await.expect("it is valid");
    assert_eq!(gw.send(from("192.0.2.1", "right")).await.reason(), "address_locked");

    let gone = |path: &str| request("DELETE", path);
    assert_eq!(gw.ops(gone("/lockedAddresses/192.0.2.1")).await.status(), 204);
    assert_eq!(gw.send(from("192.0.2.1", "right")).await.status(), 200);
    let unknown = gw.ops(gone("/lockedAddresses/192.0.2.1")).await;
    assert_eq!((unknown.status(), unknown.reason().as_str()), (404, "not_locked"));
    assert_eq!(gw.ops(gone("/lockedAddresses")).await.status(), 204);
    assert_eq!(gw.ops("/lockedAddresses").await.json(), json!([]));
    assert_eq!(gw.send(from("192.0.2.2", "right")).await.status(), 200);
}

#[tokio::test]
async fn a_header_of_somebody_who_is_no_proxy_locks_nobody_else() {
    let upstream = Upstream::text("ok").start().await;
    let config = guarded(&upstream, json!({ "attempts": 1 }))
        .listeners(json!([{ "name": "default", "address": "127.0.0.1:0" }]));
    let gw = Gateway::serving(config).await;
    assert_eq!(gw.send(from("192.0.2.1", "wrong")).await.reason(), "api_key_unknown");
    let locked = gw.ops("/lockedAddresses").await.json();
    assert_eq!(locked[0]["address"], "127.0.0.1");
    assert_eq!(locked.as_array().map(Vec::len), Some(1));
}
