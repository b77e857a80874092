//! Callbacks: clients name a URL, the upstream calls one of the gateway, and nobody gets anywhere else by that.

use std::sync::Arc;

use http::Response;
use tempfile::TempDir;
use testkit::{Api, Config, Gateway, Request, Upstream, Value, api, eventually, get, json, post};

const DEFINITION: &str = "openapi: 3.0.3
info: {title: Orders, version: '1.0'}
paths:
  /subscriptions:
    post:
      callbacks:
        done:
          '{$request.body#/callbackUrl}': {post: {responses: {'200': {description: fine}}}}
      responses: {'200': {description: fine}}
  /orders:
    post: {responses: {'200': {description: fine}}}
";
const BASE: &str = "https://gw.example/callbacks/";

/// A key of the test, in a file that the settings refer to.
struct Key {
    file: TempDir,
}

impl Key {
    fn new() -> Self {
        let file = tempfile::tempdir().expect("a directory");
        std::fs::write(file.path().join("first"), "01".repeat(32)).expect("a file");
        std::fs::write(file.path().join("second"), "02".repeat(32)).expect("a file");
        Self { file }
    }

    fn reference(&self, name: &str) -> Value {
        json!(format!("${{file:{}}}", self.file.path().join(name).display()))
    }
}

/// An API whose callback URLs are replaced; clients may be on loopback and without TLS.
fn orders(upstream: &Upstream) -> Api {
    api("/shop", upstream)
        .with("definition", "orders.yaml")
        .policy("callbackURLReplacer", json!({ "allowHttp": true, "expireAfter": "1h" }))
}

fn config(key: &Key, orders: Api) -> Config {
    let listener =
        json!([{ "name": "default", "address": "127.0.0.1:0", "trustedProxies": ["127.0.0.1/32"] }]);
    Config::from(orders)
        .file("orders.yaml", DEFINITION)
        .listeners(listener)
        .setting("callbacks.url", BASE.trim_end_matches('/'))
        .setting("callbacks.keys", json!([key.reference("first")]))
        .setting("privateAddresses.allow", json!(["127.0.0.0/8"]))
}

/// The path of the URL that the upstream gets for a client's.
async fn sealed(gw: &Gateway, upstream: &Upstream, url: &str) -> String {
    let body = json!({ "callbackUrl": url }).to_string();
    let request = post("/shop/subscriptions", body).header("content-type", "application/json");
    let answer = gw.send(request).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let seen: Value = serde_json::from_slice(&upstream.last().body).expect("JSON");
    let found = seen["callbackUrl"].as_str().expect("a URL");
    assert!(found.starts_with(BASE) && !found.contains("127.0.0.1"), "{found}");
    format!("/callbacks/{}", &found[BASE.len()..])
}

/// A callback as it comes over TLS by way of a proxy, from this address.
fn called(path: &str, body: &'static str, from: &str) -> Request {
    post(path, body).header("x-forwarded-proto", "https").header("x-forwarded-for", from)
}

fn calling(path: &str) -> Request {
    called(path, "done", "192.0.2.7")
}

#[tokio::test]
async fn what_the_upstream_calls_goes_on_to_the_client_and_nothing_else_does() {
    let (key, upstream, client) =
        (Key::new(), Upstream::echo().start().await, Upstream::echo().start().await);
    let added = json!({ "set": [{ "variable": "${response.headers.X-Seen}", "value": "yes" }] });
    let api = orders(&upstream).policy("responseTransformation", added).policy("apiKey", json!({}));
    let gw = Gateway::serving(config(&key, api).application("shop", "key-of-the-test", &["shop"])).await;
    let body = json!({ "callbackUrl": format!("{}/hook?tenant=7", client.url()), "note": 1 }).to_string();
    let request = post("/shop/subscriptions", body)
        .header("content-type", "application/json")
        .header("x-gateway-apikey", "key-of-the-test");
    assert_eq!(gw.send(request).await.status(), 200);
    let seen: Value = serde_json::from_slice(&upstream.last().body).expect("JSON");
    assert_eq!(seen["note"], 1);
    let path = seen["callbackUrl"].as_str().expect("a URL").replace("https://gw.example", "");

    // Whoever calls back shows no key: that is the client's.
    let request = calling(&format!("{path}/done?id=1")).header("authorization", "Bearer of-the-upstream");
    let answer = gw.send(request).await;
    assert_eq!((answer.status(), answer.header("x-seen")), (200, "yes"), "{}", answer.text());
    let seen = client.last();
    assert_eq!((seen.path.as_str(), &seen.body[..]), ("/hook/done?tenant=7&id=1", &b"done"[..]));
    assert_eq!(seen.header("host"), client.address().to_string());
    assert_eq!(seen.header("authorization"), "Bearer of-the-upstream");
    for name in ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded"] {
        assert!(!seen.headers.contains_key(name), "{name} tells the client where the upstream is");
    }
    assert_eq!((upstream.count(), client.count()), (1, 1));

    eventually("both events", async || gw.events("").await.len() == 2).await;
    let events = gw.events("").await;
    let marked = |mark: bool| {
        let found = events.iter().find(|event| event["callbackRequest"] == mark);
        found.unwrap_or_else(|| panic!("no event with {mark} in {events:?}"))
    };
    let (callback, usual) = (marked(true), marked(false));
    assert_eq!(callback["operationName"], usual["operationName"]);
    assert_eq!(callback["requestPath"], "/callbacks/-/done");
    let told = serde_json::to_string(&events).expect("JSON");
    assert!(!told.contains(&path["/callbacks/".len()..]) && !told.contains("tenant=7"), "{told}");
}

#[tokio::test]
async fn callbacks_come_over_https_from_trusted_addresses_within_their_time() {
    let (key, upstream, client) =
        (Key::new(), Upstream::echo().start().await, Upstream::echo().start().await);
    let trusting = |list: Value| {
        config(&key, orders(&upstream))
            .setting("callbacks.onlyTrustedAddresses", true)
            .setting("callbacks.trustedAddresses", list)
    };
    let gw = Gateway::serving(trusting(json!(["192.0.2.0/28", "198.51.100.1-198.51.100.9"]))).await;
    let path = sealed(&gw, &upstream, &client.url()).await;
    for (request, status, code) in [
        (called(&path, "", "192.0.2.7"), 200, ""),
        (called(&path, "", "198.51.100.9"), 200, ""),
        (called(&path, "", "192.0.2.16"), 403, "callback_not_trusted"),
        (called(&path, "", "198.51.100.10"), 403, "callback_not_trusted"),
        (post(&path, "").header("x-forwarded-for", "192.0.2.7"), 403, "callback_not_secure"),
    ] {
        let answer = gw.send(request).await;
        assert_eq!((answer.status(), answer.reason().as_str()), (status, code), "{}", answer.text());
    }
    gw.apply(trusting(json!([]))).await.expect("a configuration");
    assert_eq!(gw.send(calling(&path)).await.reason(), "callback_not_trusted");
    // Where the network is safe, it does without TLS.
    let open = config(&key, orders(&upstream)).setting("callbacks.httpsOnly", false);
    gw.apply(open).await.expect("a configuration");
    assert_eq!(gw.send(post(&path, "")).await.status(), 200);
    gw.advance(std::time::Duration::from_secs(3_599));
    assert_eq!(gw.send(calling(&path)).await.status(), 200);
    gw.advance(std::time::Duration::from_secs(1));
    let answer = gw.send(calling(&path)).await;
    assert_eq!((answer.status(), answer.reason().as_str()), (410, "callback_expired"));
    assert_eq!(client.count(), 4);
}

#[tokio::test]
async fn what_nobody_sealed_is_no_callback_and_a_seal_is_good_for_its_own_url_only() {
    let (key, upstream, client) =
        (Key::new(), Upstream::echo().start().await, Upstream::echo().start().await);
    let gw = Gateway::serving(config(&key, orders(&upstream))).await;
    let path = sealed(&gw, &upstream, &format!("{}/hooks/mine", client.url())).await;
    let other = sealed(&gw, &upstream, &format!("{}/hooks/other", client.url())).await;
    assert_ne!(path.len(), 0);
    let mut forged = path.clone().into_bytes();
    let last = forged.len() - 10;
    forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).expect("text");
    let half = path.len() / 2;
    let spliced = format!("{}{}", &path[..half], &other[half.min(other.len())..]);
    for (path, status, code) in [
        (forged.as_str(), 404, "callback_unknown"),
        (&spliced, 404, "callback_unknown"),
        ("/callbacks/x", 404, "callback_unknown"),
        (&format!("/callbacks/{}", "A".repeat(7_000)), 404, "callback_unknown"),
        (&format!("{path}/../admin"), 400, "bad_path"),
        (&format!("{path}/%2e%2e/admin"), 400, "bad_path"),
        (&format!("{path}/%2e%2e%2fadmin"), 400, "bad_path"),
        (&format!("{path}/a%0d%0ax"), 400, "bad_path"),
        ("/callbacks/", 404, "no_such_api"),
    ] {
        let answer = gw.send(calling(path)).await;
        assert_eq!((answer.status(), answer.reason().as_str()), (status, code), "{path}");
    }
    assert_eq!(client.count(), 0);
    // A new key seals, and the old one goes on opening until it is taken out.
    let keys = |names: &[&str]| {
        let keys: Vec<Value> = names.iter().map(|name| key.reference(name)).collect();
        config(&key, orders(&upstream)).setting("callbacks.keys", keys)
    };
    gw.apply(keys(&["second", "first"])).await.expect("a configuration");
    let newer = sealed(&gw, &upstream, &client.url()).await;
    assert_eq!(gw.send(calling(&path)).await.status(), 200);
    gw.apply(keys(&["second"])).await.expect("a configuration");
    assert_eq!(gw.send(calling(&newer)).await.status(), 200);
    assert_eq!(gw.send(calling(&path)).await.reason(), "callback_unknown");
}

#[tokio::test]
async fn a_callback_url_leads_to_no_private_address_and_not_back_to_the_gateway() {
    let (key, upstream, client) =
        (Key::new(), Upstream::echo().start().await, Upstream::echo().start().await);
    let guarded = || config(&key, orders(&upstream)).setting("privateAddresses.allow", json!([]));
    let gw = Gateway::serving(guarded()).await;
    for url in
        [client.url(), client.url().replace("127.0.0.1", "localhost"), "http://169.254.169.254/x".into()]
    {
        let path = sealed(&gw, &upstream, &url).await;
        let answer = gw.send(calling(&path)).await;
        assert_eq!((answer.status(), answer.reason().as_str()), (502, "private_address_refused"), "{url}");
    }
    assert_eq!(client.connections(), 0);
    let refused = async |url: &str| {
        let body = json!({ "callbackUrl": url }).to_string();
        let request = post("/shop/subscriptions", body).header("content-type", "application/json");
        gw.send(request).await.reason()
    };
    let count = upstream.count();
    for url in [
        "https://gw.example/shop/orders",
        "http://user:x@a.example/",
        "file:///etc/passwd",
        "https://a.example/#x",
    ] {
        assert_eq!(refused(url).await, "callback_url_refused", "{url}");
    }
    assert_eq!(upstream.count(), count, "what is refused goes nowhere");
    // By another name of the gateway it comes back once, and goes no further.
    gw.apply(config(&key, orders(&upstream))).await.expect("a configuration");
    let path = sealed(&gw, &upstream, &format!("http://{}/shop/orders", gw.address())).await;
    let count = upstream.count();
    let answer = gw.send(calling(&path)).await;
    assert_eq!((answer.status(), answer.reason().as_str()), (508, "callback_circle"));
    assert_eq!(upstream.count(), count);
    // So does one that leads from callback to callback.
    let inner = sealed(&gw, &upstream, "https://a.example/").await;
    let outer = sealed(&gw, &upstream, &format!("http://{}{inner}", gw.address())).await;
    assert_eq!(gw.send(calling(&outer)).await.reason(), "callback_circle");
    let circles = async || {
        let events = gw.events("").await;
        events.iter().filter(|event| event["reasonCode"] == "callback_circle").count()
    };
    eventually("the events of both", async || circles().await == 2).await;
    let told = serde_json::to_string(&gw.events("").await).expect("JSON");
    assert!(!told.contains(&inner["/callbacks/".len()..]), "{told}");
}

#[tokio::test]
async fn a_client_that_redirects_or_sends_too_much_gets_no_further() {
    let (key, upstream) = (Key::new(), Upstream::echo().start().await);
    let client = Upstream::respond(|seen| {
        let mut response = Response::new(testkit::body::full("moved"));
        if seen.path.starts_with("/moved") {
            *response.status_mut() = http::StatusCode::FOUND;
            let to = http::HeaderValue::from_static("http://169.254.169.254/");
            response.headers_mut().insert(http::header::LOCATION, to);
        }
        response
    });
    let client = client.start().await;
    let gw = Gateway::serving(config(&key, orders(&upstream).with("maxBodySize", "8B"))).await;
    // The limit is for requests of clients, too.
    let body = json!({ "callbackUrl": client.url() }).to_string();
    let request = post("/shop/subscriptions", body).header("content-type", "application/json");
    assert_eq!(gw.send(request).await.reason(), "body_too_large");
    gw.apply(config(&key, orders(&upstream))).await.expect("a configuration");
    let path = sealed(&gw, &upstream, &client.url()).await;
    gw.apply(config(&key, orders(&upstream).with("maxBodySize", "8B"))).await.expect("a configuration");
    let answer = gw.send(called(&path, "123456789", "192.0.2.7")).await;
    assert_eq!((answer.status(), answer.reason().as_str()), (413, "body_too_large"));
    assert_eq!(client.count(), 0);
    let answer = gw.send(calling(&format!("{path}/moved"))).await;
    assert_eq!((answer.status(), answer.reason().as_str()), (502, "callback_redirected"));
    assert!(answer.header("location").is_empty() && !answer.text().contains("169.254"));
    let upgrade = get(&path)
        .header("x-forwarded-proto", "https")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA==")
        .header("sec-websocket-version", "13");
    assert_eq!(gw.send(upgrade).await.reason(), "callback_upgrade");
    assert_eq!(client.count(), 1);
}

#[tokio::test]
async fn callbacks_live_and_die_with_their_operation() {
    let (key, upstream, client) =
        (Key::new(), Upstream::echo().start().await, Upstream::echo().start().await);
    let gw = Gateway::serving(config(&key, orders(&upstream))).await;
    let path = sealed(&gw, &upstream, &client.url()).await;
    assert_eq!(gw.send(calling(&path)).await.status(), 200);
    let blocked = orders(&upstream).with("lifecycle", json!({ "state": "blocked" }));
    gw.apply(config(&key, blocked)).await.expect("a configuration");
    assert_eq!(gw.send(calling(&path)).await.reason(), "api_blocked");
    let without = DEFINITION.replace("/subscriptions", "/others");
    gw.apply(config(&key, orders(&upstream)).file("orders.yaml", without)).await.expect("a configuration");
    assert_eq!(gw.send(calling(&path)).await.reason(), "callback_unknown");
    let elsewhere = config(&key, orders(&upstream).with("name", "other"));
    gw.apply(elsewhere).await.expect("a configuration");
    assert_eq!(gw.send(calling(&path)).await.reason(), "callback_unknown");
    assert_eq!(client.count(), 1);
    // Somewhere else in the configuration it is still the same API.
    let moved = config(&key, api("/first", &upstream)).api(orders(&upstream).with("basePath", "/moved"));
    gw.apply(moved).await.expect("a configuration");
    assert_eq!(gw.send(calling(&path)).await.status(), 200);
}

#[tokio::test]
async fn callbacks_have_seats_of_their_own() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let (key, upstream) = (Key::new(), Upstream::echo().start().await);
    let client = {
        let gate = Arc::clone(&gate);
        Upstream::service(move |_, _| {
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.expect("it is never closed").forget();
                Response::new(testkit::body::full("taken"))
            }
        })
    };
    let client = client.start().await;
    let api = orders(&upstream).policy("bulkhead", json!({ "limit": 1, "callbackLimit": 1 }));
    let gw = Arc::new(Gateway::serving(config(&key, api)).await);
    let path = sealed(&gw, &upstream, &client.url()).await;
    let first = tokio::spawn({
        let (gw, path) = (Arc::clone(&gw), path.clone());
        async move { gw.send(calling(&path)).await.status() }
    });
    client.wait_for(1).await;
    let answer = gw.send(calling(&path)).await;
    assert_eq!((answer.status(), answer.reason().as_str()), (503, "bulkhead_full"));
    assert_eq!(gw.send(post("/shop/orders", "")).await.status(), 200, "requests have theirs");
    gate.add_permits(2);
    assert_eq!(first.await.expect("an answer"), 200);
    assert_eq!(gw.send(calling(&path)).await.status(), 200);
}

#[tokio::test]
async fn urls_go_on_as_they_are_when_the_settings_say_so_and_none_do_without_settings() {
    let (key, upstream) = (Key::new(), Upstream::echo().start().await);
    let body = r#"{"callbackUrl":"https://a.example/x"}"#;
    let send = || post("/shop/subscriptions", body).header("content-type", "application/json");
    let off = config(&key, orders(&upstream)).setting("callbacks.processRequests", false);
    let gw = Gateway::serving(off).await;
    assert_eq!(gw.send(send()).await.status(), 200);
    assert_eq!(&upstream.last().body[..], body.as_bytes());
    let bare = Config::from(orders(&upstream)).file("orders.yaml", DEFINITION);
    gw.apply(bare).await.expect("a configuration");
    assert_eq!(gw.send(send()).await.reason(), "callbacks_not_set_up");
    let hidden = config(&key, orders(&upstream)).api(api("/callbacks/x", &upstream));
    let told = gw.apply(hidden).await.expect_err("callbacks would hide it").to_string();
    assert!(told.contains("apis[1].basePath") && told.contains("where callbacks come in"), "{told}");
    let plain = config(&key, orders(&upstream)).setting("callbacks.url", "http://gw.example/cb");
    let told = gw.apply(plain).await.expect_err("it is not https").to_string();
    assert!(told.contains("settings.callbacks.url") && told.contains("httpsOnly"), "{told}");
    assert_eq!(upstream.count(), 1);
}
