//! Whether a caller may: conditions of the gateway's own, and an Open Policy Agent.

use testkit::{Config, Gateway, Upstream, Value, api, get, json, post};

fn with_key(config: impl Into<Config>) -> Config {
    let application = json!({
        "name": "shop", "apis": ["a"], "attributes": { "tenant": "red" },
        "apiKeys": [{ "hash": testkit::config::hash("k") }],
    });
    config.into().append("applications", application)
}

#[tokio::test]
async fn conditions_over_the_caller_decide() {
    let upstream = Upstream::text("ok").start().await;
    let rules = json!({ "rules": [{
        "name": "own tenant",
        "when": { "cel": "request.path.startsWith('/tenants/')" },
        "allow": { "cel": "request.path.startsWith('/tenants/' + application.attributes.tenant + '/')" },
        "status": "notFound",
    }] });
    let config = api("/a", &upstream)
        .policy("authorize", rules)
        .policy("identifyAndAuthorize", json!({ "rules": [{ "type": "apiKey" }], "allowAnonymous": true }));
    let gw = Gateway::serving(with_key(config)).await;
    for (path, key, status, reason) in [
        ("/a/tenants/red/1", "k", 200, ""),
        ("/a/tenants/blue/1", "k", 404, "no_such_resource"),
        ("/a/tenants/red/1", "", 404, "no_such_resource"),
        ("/a/other", "", 200, ""),
    ] {
        let response = gw.send(get(path).header("x-gateway-apikey", key)).await;
        assert_eq!((response.status(), response.reason().as_str()), (status, reason), "{path} {key}");
    }
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn an_open_policy_agent_decides_from_what_is_known() {
    let upstream = Upstream::text("ok").start().await;
    let agent = Upstream::respond(|seen| {
        let asked: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
        let input = &asked["input"];
        let answer = match input["request"]["path"][0].as_str() {
            Some("broken") => "no json".to_owned(),
            Some("none") => "{}".to_owned(),
            _ => json!({ "result": { "allow": input["application"]["attributes"]["tenant"] == "red" } })
                .to_string(),
        };
        http::Response::new(testkit::body::full(answer))
    })
    .start()
    .await;
    let config = |on_failure: &str| {
        let policy = json!({
            "upstream": agent.url(), "path": "/v1/data/gateway/allow", "body": true,
            "headers": ["x-channel"], "onFailure": on_failure,
        });
        with_key(api("/a", &upstream).policy("openPolicyAgent", policy).policy(
            "identifyAndAuthorize",
            json!({ "rules": [{ "type": "apiKey" }], "allowAnonymous": true }),
        ))
    };
    let gw = Gateway::serving(config("refuse")).await;
    let send = async |path: &str, key: &str| {
        let request = post(path, "{\"n\":1}").header("x-gateway-apikey", key).header("x-channel", "web");
        let response =
            gw.send(request.header("cookie", "session=1").header("content-type", "application/json")).await;
        (response.status(), response.reason())
    };
    assert_eq!(send("/a/orders/a%2Fb?x=1&x=2", "k").await, (200, String::new()));
    let asked = agent.last();
    assert_eq!(asked.path, "/v1/data/gateway/allow");
    let asked: Value = serde_json::from_slice(&asked.body).expect("it is JSON");
    let request = &asked["input"]["request"];
    assert_eq!(request["path"], json!(["orders", "a/b"]));
    assert_eq!(request["query"], json!({ "x": ["1", "2"] }));
    assert_eq!(
        (&request["headers"], &request["body"]),
        (&json!({ "x-channel": ["web"] }), &json!({ "n": 1 }))
    );
    assert!(!asked.to_string().contains("session"), "credentials stay here: {asked}");
    assert_eq!(send("/a/orders", "").await, (403, "opa_refused".to_owned()));
    assert_eq!(send("/a/none", "k").await, (403, "opa_refused".to_owned()));
    assert_eq!(send("/a/broken", "k").await, (503, "opa_unavailable".to_owned()));
    gw.apply(config("pass")).await.expect("it is valid");
    assert_eq!(send("/a/broken", "k").await, (200, String::new()));
    assert_eq!(send("/a/orders", "").await, (403, "opa_refused".to_owned()), "a decision counts");
    assert_eq!(upstream.count(), 2);
}
