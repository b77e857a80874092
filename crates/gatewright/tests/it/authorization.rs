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

#[tokio::test]
async fn rules_in_rego_decide_in_the_gateway() {
    let upstream = Upstream::text("ok").start().await;
    let rules = r#"
        package gateway

        default decision := {"allow": false, "reason": "no rule lets it pass"}

        decision := {"allow": true} if {
            input.request.path[0] == "orders"
            input.application.attributes.tenant in data.tenants
            input.request.body.n < 10
            input.request.headers["x-channel"] == ["web"]
            input.time == 1000000000 * input.request.body.now
        }

        decision := {"allow": "yes"} if input.request.path[0] == "odd"

        decision := {"allow": true} if {
            input.request.path[0] == "slow"
            count([1 | numbers.range(1, 100000)[_]; numbers.range(1, 100000)[_]]) > 1
        }
    "#;
    let policy = json!({
        "source": rules, "rule": "data.gateway.decision", "data": { "tenants": ["red"] },
        "headers": ["x-channel"], "body": true,
    });
    let config = |policy: Value| {
        with_key(api("/a", &upstream).policy("rego", policy).policy(
            "identifyAndAuthorize",
            json!({ "rules": [{ "type": "apiKey" }], "allowAnonymous": true }),
        ))
    };
    let gw = Gateway::serving(config(policy.clone())).await;
    let now = gw.clock().now().seconds();
    let send = async |path: &str, key: &str, n: u32| {
        let request = post(path, json!({ "n": n, "now": now }).to_string()).header("x-gateway-apikey", key);
        let request = request.header("x-channel", "web").header("content-type", "application/json");
        let response = gw.send(request).await;
        let why = gw.explain(&response).await.detail;
        (response.status(), response.reason(), why)
    };
    assert_eq!(send("/a/orders/7", "k", 9).await.0, 200);
    for (path, key, n, code, why) in [
        ("/a/orders/7", "k", 10, "rego_refused", "no rule lets it pass"),
        ("/a/orders/7", "", 9, "rego_refused", "no rule lets it pass"),
        ("/a/other", "k", 9, "rego_refused", "no rule lets it pass"),
        ("/a/odd", "k", 9, "rego_refused", ""),
    ] {
        assert_eq!(send(path, key, n).await, (403, code.to_owned(), why.to_owned()), "{path} {key} {n}");
    }
    let (status, code, why) = send("/a/slow", "k", 9).await;
    assert_eq!((status, code.as_str()), (500, "rego_failed"));
    assert!(why.contains("time limit"), "{why}");
    assert_eq!(upstream.count(), 1);

    let mut wrong = policy;
    wrong["rule"] = json!("data.gateway.decisoin");
    let error = gw.apply(config(wrong)).await.expect_err("there is no such rule").to_string();
    assert!(error.contains("apis[0].policies[0].config.rule"), "{error}");
}
