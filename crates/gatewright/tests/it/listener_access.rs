//! Access mode and IP access: which APIs a listener serves, and whom.

use testkit::{Client, Config, Gateway, Protocol, Request, Response, Upstream, Value, api, get, json};
use tokio::net::TcpStream;

fn two_versions(upstream: &Upstream, listeners: Value) -> Config {
    Config::new()
        .api(api("/", upstream).at_default_address("Orders", "1.0"))
        .api(api("/", upstream).at_default_address("Orders", "2.0"))
        .api(api("/", upstream).at_default_address("Internal", "1.0"))
        .listeners(listeners)
}

fn listener(name: &str, rest: Value) -> Value {
    let mut listener = json!({ "name": name, "address": "127.0.0.1:0", "trustedProxies": ["127.0.0.1/32"] });
    for (key, value) in rest.as_object().into_iter().flatten() {
        listener[key] = value.clone();
    }
    listener
}

async fn at(gateway: &Gateway, listener: &str, request: Request) -> Response {
    let stream = TcpStream::connect(gateway.address_of(listener)).await.expect("it listens");
    let client = Client::over(stream, Protocol::Http1, "gateway", false).await;
    client.expect("a connection").send(request).await
}

#[tokio::test]
async fn a_listener_serves_the_apis_that_its_access_mode_says() {
    let upstream = Upstream::echo().start().await;
    let only = json!({ "accessMode": { "default": "deny", "except": ["Orders:2.0"] } });
    let but = json!({ "accessMode": { "default": "allow", "except": ["Orders"] } });
    let listeners = json!([listener("all", json!({})), listener("only", only), listener("but", but)]);
    let gw = Gateway::serving(two_versions(&upstream, listeners)).await;
    for (path, all, only, but) in [
        ("/gateway/Orders/1.0/x", 200, 404, 404),
        ("/gateway/Orders/2.0/x", 200, 200, 404),
        // The version that answers where none is named.
        ("/gateway/Orders/x", 200, 200, 404),
        ("/gateway/Internal/1.0/x", 200, 404, 200),
    ] {
        for (listener, expected) in [("all", all), ("only", only), ("but", but)] {
            assert_eq!(at(&gw, listener, get(path)).await.status(), expected, "{path} at {listener}");
        }
    }
    // To the client it is not there; to whoever asks the gateway it is.
    let hidden = at(&gw, "only", get("/gateway/Internal/1.0/x")).await;
    let missing = at(&gw, "only", get("/gateway/Nothing/1.0/x")).await;
    let without_id = |response: &Response| {
        let mut body = response.json();
        if let Some(body) = body.as_object_mut() {
            body.retain(|key, _| !matches!(key.as_str(), "requestId" | "instance"));
        }
        body
    };
    assert_eq!(without_id(&hidden), without_id(&missing));
    let why = gw.explain(&hidden).await.detail;
    assert_eq!(why, "`accessMode` of listener `only` does not serve Internal:1.0");
}

#[tokio::test]
async fn a_listener_serves_the_clients_that_its_ip_access_says() {
    let upstream = Upstream::echo().start().await;
    let only = json!({ "ipAccess": { "default": "deny", "except": ["10.1.0.0/16", "10.2.0.1-10.2.0.9", "2001:db8::/32"] } });
    let but = json!({ "ipAccess": { "default": "allow", "except": ["10.1.0.0/16"] } });
    let listeners = json!([listener("only", only), listener("but", but)]);
    let gw = Gateway::serving(two_versions(&upstream, listeners)).await;
    for (client, only, but) in [
        ("10.1.200.3", 200, 403),
        ("10.2.0.9", 200, 200),
        ("10.2.0.10", 403, 200),
        ("2001:db8::7", 200, 200),
        ("2001:db9::7", 403, 200),
    ] {
        for (listener, expected) in [("only", only), ("but", but)] {
            let request = get("/gateway/Orders/1.0/x").header("x-forwarded-for", client);
            let response = at(&gw, listener, request).await;
            assert_eq!(response.status(), expected, "{client} at {listener}");
            if expected == 403 {
                assert_eq!(response.reason(), "address_denied");
                let why = gw.explain(&response).await.detail;
                assert_eq!(why, format!("`ipAccess` of listener `{listener}` does not let {client} in"));
            }
        }
    }
    // Whoever is not served does not find out what there is.
    for path in ["/gateway/Nothing/1.0/x", "/"] {
        let request = get(path).header("x-forwarded-for", "192.0.2.1");
        assert_eq!(at(&gw, "only", request).await.reason(), "address_denied", "{path}");
    }
}

#[tokio::test]
async fn a_connection_that_stays_open_meets_the_limits_of_the_next_configuration() {
    let upstream = Upstream::echo().start().await;
    let with = |rest: Value| two_versions(&upstream, json!([listener("default", rest)]));
    let gw = Gateway::serving(with(json!({}))).await;
    let mut client = gw.http1().await;
    assert_eq!(client.send(get("/gateway/Orders/1.0/x")).await.status(), 200);
    gw.apply(with(json!({ "ipAccess": { "default": "deny", "except": ["10.0.0.0/8"] } })))
        .await
        .expect("valid");
    assert_eq!(client.send(get("/gateway/Orders/1.0/x")).await.reason(), "address_denied");
}

#[tokio::test]
async fn an_api_that_is_not_there_is_told_and_so_is_a_listener_for_nobody() {
    let upstream = Upstream::echo().start().await;
    let with = |rest: Value| two_versions(&upstream, json!([listener("default", rest)]));
    let unknown = with(json!({ "accessMode": { "default": "deny", "except": ["Orders", "Odrers:2.0"] } }));
    let gw = Gateway::serving(with(json!({}))).await;
    let error = gw.apply(unknown).await.expect_err("there is no such API").to_string();
    assert!(
        error.contains("listeners[0].accessMode.except[1]: found `Odrers:2.0`, which is no API"),
        "{error}"
    );
    let wrong = with(json!({ "ipAccess": { "default": "deny", "except": ["10.0.0.0/99"] } }));
    let error = gw.apply(wrong).await.expect_err("that is no network").to_string();
    assert!(error.contains("listeners[0].ipAccess.except[0]: found `10.0.0.0/99`"), "{error}");

    gw.apply(with(json!({ "ipAccess": { "default": "deny" } }))).await.expect("valid");
    let status = gw.ops(get("/status")).await.text();
    assert!(status.contains("listeners[0].ipAccess.except"), "{status}");
}
