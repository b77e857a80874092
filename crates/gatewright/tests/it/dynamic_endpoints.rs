//! Endpoints that are made from requests, and addresses that the gateway does not connect to.

use testkit::{Config, Gateway, Upstream, Value, api, get, json};

/// An API that sends requests to the host in `X-Host`, at the port of the other upstream.
fn by_header(own: &Upstream, other: &Upstream, allow: &[&str]) -> Config {
    let endpoint = format!("http://${{request.headers.X-Host}}:{}", other.address().port());
    let rule = json!({ "when": { "variable": "${request.headers.X-Host}", "operator": "exists" },
                       "endpoint": endpoint, "allow": allow });
    Config::from(api("/a", own).policy("routing", json!({ "rules": [rule] }))).one_worker()
}

fn to(host: &str) -> testkit::Request {
    get("/a/orders?x=1").header("X-Host", host)
}

const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1"];

fn loopback() -> Value {
    json!(LOOPBACK)
}

#[tokio::test]
async fn a_client_chooses_among_the_allowed_hosts_and_nothing_else() {
    let (own, other) = (Upstream::echo().start().await, Upstream::echo().start().await);
    let config = by_header(&own, &other, &["127.0.0.1", "*.svc.example"]);
    let gw = Gateway::serving(config.setting("privateAddresses.allow", loopback())).await;

    let answer = gw.send(to("127.0.0.1")).await;
    assert_eq!(answer.json()["path"], "/orders?x=1");
    assert_eq!(answer.json()["headers"]["host"], other.address().to_string());
    let record = gw.explain(&answer).await;
    assert_eq!(record.attempts[0].endpoint, other.url());
    assert!(record.policies[0].note.as_deref().is_some_and(|note| note.contains(&other.url())), "{record:?}");

    for (host, status, code) in [
        ("evil.example", 403, "endpoint_not_allowed"),
        ("svc.example", 403, "endpoint_not_allowed"),
        ("127.0.0.2", 403, "endpoint_not_allowed"),
        ("127.0.0.1:1/", 400, "not_routable"),
        ("127.0.0.1/admin?", 400, "not_routable"),
        ("user@127.0.0.1", 400, "not_routable"),
        ("2130706433", 400, "not_routable"),
        ("", 400, "not_routable"),
    ] {
        let answer = gw.send(to(host)).await;
        assert_eq!((answer.status(), answer.reason().as_str()), (status, code), "{host:?}");
    }
    assert_eq!((gw.get("/a/x").await.status(), own.count(), other.count()), (200, 1, 1));
}

#[tokio::test]
async fn a_private_address_is_refused_whatever_its_name_is() {
    let own = Upstream::echo().start().await;
    let gw = Gateway::serving(by_header(&own, &own, &["*", "localhost"])).await;
    // A connection that another request keeps open is no way around it.
    assert_eq!(gw.get("/a").await.status(), 200);
    for host in ["127.0.0.1", "localhost"] {
        let answer = gw.send(to(host)).await;
        assert_eq!((answer.status(), answer.reason().as_str()), (502, "private_address_refused"), "{host}");
        assert!(!answer.text().contains("127.0.0.1") && !answer.text().contains("loopback"), "{host}");
        assert_eq!(answer.header("retry-after"), "");
        let record = gw.explain(&answer).await;
        assert!(record.detail.contains("loopback"), "{record:?}");
        assert_eq!(record.attempts[0].failure.as_deref(), Some("private_address_refused"));
    }
    assert_eq!((own.count(), own.connections()), (1, 1));
}

#[tokio::test]
async fn connections_are_shared_with_endpoints_of_the_configuration() {
    let own = Upstream::echo().start().await;
    let config = by_header(&own, &own, &["127.0.0.1"]).setting("privateAddresses.allow", loopback());
    let gw = Gateway::serving(config).await;
    for request in [get("/a"), to("127.0.0.1"), get("/a"), to("127.0.0.1")] {
        assert_eq!(gw.send(request).await.status(), 200);
    }
    assert_eq!((own.count(), own.connections()), (4, 1));
}

#[tokio::test]
async fn a_variable_of_another_policy_is_the_endpoint() {
    let (own, other) = (Upstream::echo().start().await, Upstream::echo().start().await);
    let set = json!({ "set": [{ "variable": "dynamicEndpoint", "value": "${request.query.to}" }] });
    let port = other.address().port();
    let config = Config::from(
        api("/a", &own)
            .policy("requestTransformation", set)
            .policy("routing", json!({ "default": {
                "endpoint": "${dynamicEndpoint}", "allow": [format!("127.0.0.1:{port}")], "path": "/fixed" } })),
    );
    let gw = Gateway::serving(config.setting("privateAddresses.allow", loopback())).await;
    let answer = gw.get(&format!("/a?to={}", other.url())).await;
    assert_eq!(answer.json()["path"].as_str().map(|path| path.starts_with("/fixed")), Some(true));
    for (to, code) in [
        (own.url(), "endpoint_not_allowed"),
        (other.url().replace("http:", "ftp:"), "not_routable"),
        (format!("{}/admin", other.url()), "not_routable"),
    ] {
        assert_eq!(gw.get(&format!("/a?to={to}")).await.reason(), code, "{to}");
    }
    assert_eq!((own.count(), other.count()), (0, 1));
}

#[tokio::test]
async fn all_endpoints_are_refused_at_private_addresses_when_the_setting_says_so() {
    let own = Upstream::echo().start().await;
    let config = || Config::from(api("/a", &own)).setting("privateAddresses.refuse", "all");
    let gw = Gateway::serving(config()).await;
    assert_eq!(gw.get("/a").await.reason(), "private_address_refused");
    assert_eq!(own.connections(), 0);
    // What may be connected to may change while connections are open.
    gw.apply(config().setting("privateAddresses.allow", loopback())).await.expect("a configuration");
    assert_eq!(gw.get("/a").await.status(), 200);
    gw.apply(config()).await.expect("a configuration");
    assert_eq!(gw.get("/a").await.reason(), "private_address_refused");
    assert_eq!(own.count(), 1);
}
