//! Policies that send requests elsewhere: other upstreams, other services, authorization servers.

use http::Response;
use testkit::{Config, Gateway, SECOND, Upstream, api, get, json, post};

fn answering(status: u16, body: &'static str) -> Always {
    Always { status, body }
}

/// A service that answers always the same.
struct Always {
    status: u16,
    body: &'static str,
}

impl Always {
    async fn start(self) -> Upstream {
        Upstream::respond(move |_| {
            let mut response = Response::new(testkit::body::full(self.body));
            *response.status_mut() = http::StatusCode::from_u16(self.status).expect("a status");
            response
        })
        .start()
        .await
    }
}

#[tokio::test]
async fn a_rule_sends_requests_to_another_upstream_and_path() {
    let (own, partners) = (Upstream::echo().start().await, Upstream::echo().start().await);
    let config = Config::from(api("/shop", &own).policy(
        "routing",
        json!({ "rules": [{
            "when": { "variable": "${request.headers.X-Channel}", "operator": "equals", "value": "partner" },
            "upstream": "partners",
            "path": "/v2/${sys:resource_path}",
        }] }),
    ))
    .balanced("partners", &[&partners], json!({}));
    let gw = Gateway::serving(config).await;
    assert_eq!(gw.get("/shop/orders?x=1").await.json()["path"], "/orders?x=1");
    let answer = gw.send(get("/shop/orders?x=1").header("X-Channel", "partner")).await;
    assert_eq!(answer.json()["path"], "/v2/orders?x=1");
    assert_eq!((own.count(), partners.count()), (1, 1));
}

#[tokio::test]
async fn an_upstream_that_nobody_declared_is_refused_when_it_is_named() {
    let own = Upstream::echo().start().await;
    let config =
        Config::from(api("/shop", &own).policy("routing", json!({ "default": { "upstream": "nowhere" } })));
    let problems = Gateway::start(config).await.map(|_| ()).unwrap_err().to_string();
    assert!(problems.contains("default.upstream") && problems.contains("nowhere"), "{problems}");
}

#[tokio::test]
async fn what_a_service_says_goes_on_to_the_upstream() {
    let own = Upstream::echo().start().await;
    let stock = answering(200, r#"{"left":3,"evil":"a\r\nX-Admin: 1"}"#).start().await;
    let config = Config::from(api("/shop", &own).policy(
        "requestCallOut",
        json!({
            "name": "stock",
            "upstream": stock.url(),
            "path": "/check?sku=${request.query.sku}",
            "set": {
                "request.headers.X-Stock": "${response[stock].payload.jsonPath[$.left]}",
                "request.headers.X-Evil": "${response[stock].payload.jsonPath[$.evil]}",
            },
        }),
    ));
    let gw = Gateway::serving(config).await;
    let answer = gw.get("/shop/orders?sku=a%26b%2F%0D%0Ac").await.json();
    assert_eq!(answer["headers"]["x-stock"], "3");
    assert_eq!(answer["headers"]["x-admin"], serde_json::Value::Null, "{answer}");
    assert_eq!(stock.last().path, "/check?sku=a%26b/%0D%0Ac");
    assert_eq!(stock.last().header("x-request-id").len(), 32);
}

#[tokio::test]
async fn a_service_that_fails_or_refuses_decides_as_configured() {
    let own = Upstream::echo().start().await;
    let (broken, forbidding) = (answering(500, "secret").start().await, answering(403, "no").start().await);
    let slow = Upstream::silent().start().await;
    for (service, on_failure, status, code) in [
        (&broken, "abort", 502, "call_out_failed"),
        (&broken, "passStatus", 502, "call_out_failed"),
        (&broken, "continue", 200, ""),
        (&forbidding, "passStatus", 403, "call_out_refused"),
        (&forbidding, "abort", 502, "call_out_failed"),
        (&slow, "abort", 504, "call_timeout"),
    ] {
        let config = Config::from(api("/shop", &own).policy(
            "requestCallOut",
            json!({ "name": "x", "upstream": service.url(), "timeout": "100ms", "onFailure": on_failure }),
        ));
        let gw = Gateway::serving(config).await;
        let answer = match code {
            "call_timeout" => gw.as_time_passes(SECOND, gw.get("/shop")).await,
            _ => gw.get("/shop").await,
        };
        assert_eq!((answer.status(), answer.reason().as_str()), (status, code), "{on_failure}");
        assert!(!answer.text().contains("secret"));
    }
    assert_eq!(own.count(), 1);
}

#[tokio::test]
async fn a_call_ends_by_the_clock_of_the_gateway_exactly_when_its_time_is_over() {
    let (own, slow) = (Upstream::echo().start().await, Upstream::silent().start().await);
    let call = json!({ "name": "x", "upstream": slow.url(), "timeout": "90s" });
    let config = Config::from(api("/shop", &own).policy("requestCallOut", call)).api(api("/plain", &own));
    let gw = std::sync::Arc::new(Gateway::serving(config.one_worker()).await);
    let waiting = tokio::spawn({
        let gw = std::sync::Arc::clone(&gw);
        async move { gw.get("/shop").await }
    });
    slow.wait_for(1).await;
    gw.advance(SECOND * 90 - std::time::Duration::from_millis(1));
    // The only worker has had its turn, and the call has not ended.
    assert_eq!(gw.get("/plain").await.status(), 200);
    assert!(!waiting.is_finished());
    gw.advance(std::time::Duration::from_millis(1));
    let answer = waiting.await.expect("an answer");
    assert_eq!((answer.status(), answer.reason().as_str()), (504, "call_timeout"));
    let record = gw.explain(&answer).await;
    assert!((record.calls[0].took_millis - 90_000.0).abs() < f64::EPSILON, "{record:?}");
    assert_eq!(own.count(), 1);
}

#[tokio::test]
async fn an_answer_may_become_the_body_in_both_directions() {
    let own = Upstream::echo_body().start().await;
    let service =
        Upstream::respond(|seen| Response::new(testkit::body::full([b"<", &seen.body[..], b">"].concat())))
            .start()
            .await;
    let call = |body: &str| json!({ "name": "x", "upstream": service.url(), "body": body, "bodyType": "text", "copyAnswer": true });
    let config = Config::from(
        api("/shop", &own)
            .policy("requestCallOut", call("${request.payload}"))
            .policy("responseCallOut", call("${response.payload}")),
    );
    let gw = Gateway::serving(config).await;
    assert_eq!(gw.send(post("/shop", "a")).await.text(), "<<a>>");
}

/// Cargo says it to every test.
const SECRET: &str = "${env:CARGO_PKG_NAME}";

#[tokio::test]
async fn the_gateway_shows_its_own_credentials_and_never_those_of_the_client() {
    let own = Upstream::echo().start().await;
    for (config, header, value) in [
        (
            json!({ "method": "basic", "userName": "gw", "password": SECRET }),
            "authorization",
            "Basic Z3c6Z2F0ZXdyaWdodA==".into(),
        ),
        (json!({ "method": "bearer", "token": SECRET }), "authorization", "Bearer gatewright".into()),
        (json!({ "method": "apiKey", "header": "X-Key", "key": SECRET }), "x-key", "gatewright".into()),
        (json!({ "method": "remove" }), "authorization", serde_json::Value::Null),
        (json!({ "method": "passThrough" }), "authorization", "Bearer mine".into()),
    ] {
        let gw =
            Gateway::serving(Config::from(api("/a", &own).policy("outboundAuthentication", config.clone())))
                .await;
        let request = get("/a").header("Authorization", "Bearer mine").header("X-Key", "mine");
        let headers = &gw.send(request).await.json()["headers"];
        assert_eq!(headers[header], value, "{config}");
        assert!(config["method"] == "passThrough" || headers["authorization"] != "Bearer mine", "{config}");
    }
    assert!(!format!("{:?}", own.seen()).is_empty());
}

/// A file with a secret, and how a configuration refers to it.
fn secret(text: &str) -> (tempfile::NamedTempFile, String) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("a file that can be written");
    let reference = format!("${{file:{}}}", file.path().display());
    (file, reference)
}

#[tokio::test]
async fn a_signature_covers_what_is_sent_where_it_is_sent() {
    let own = Upstream::echo_body().start().await;
    let with = |unsigned: bool| {
        let config = json!({ "method": "awsSignature", "accessKeyId": "AKID", "secretAccessKey": SECRET,
                             "sessionToken": SECRET, "region": "eu-central-1", "service": "execute-api",
                             "unsignedPayload": unsigned });
        Config::from(api("/a", &own).policy("outboundAuthentication", config))
    };
    let gw = Gateway::serving(with(false)).await;
    let request = |body: &'static str| {
        post("/a/x?b=1&a=2", body).header("Authorization", "Bearer mine").header("X-Amz-Date", "mine")
    };
    assert_eq!(gw.send(request("one")).await.text(), "one");
    let first = own.last();
    let authorization = first.header("authorization");
    let signed = "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token, Signature=";
    assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKID/2"), "{authorization}");
    assert!(
        authorization.contains("/eu-central-1/execute-api/aws4_request, ") && authorization.contains(signed)
    );
    assert_eq!(first.headers.get_all("authorization").iter().count(), 1);
    assert_eq!(first.header("x-amz-date").len(), "20150830T123600Z".len());
    assert_eq!(
        first.header("x-amz-content-sha256"),
        "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    );
    gw.send(request("two")).await;
    assert_ne!(own.last().header("authorization"), authorization);

    let gw = Gateway::serving(with(true)).await;
    gw.send(request("one")).await;
    assert_eq!(own.last().header("x-amz-content-sha256"), "UNSIGNED-PAYLOAD");
    let record = gw.explain(&gw.get("/a").await).await;
    assert!(!format!("{record:?}").contains("Signature="));
}

#[tokio::test]
async fn a_token_of_the_gateway_tells_the_upstream_who_calls() {
    let own = Upstream::echo().start().await;
    let (_file, key) = secret("a secret of thirty-two characters");
    let config = json!({ "method": "jwt", "issuer": "gw", "subject": "${request.headers.X-User}", "algorithm": "HS256",
                         "key": key, "header": "X-JWT-Assertion" });
    let gw = Gateway::serving(Config::from(api("/a", &own).policy("outboundAuthentication", config))).await;
    let call = async |user: &str| {
        let request = get("/a").header("X-User", user).header("Authorization", "Bearer mine");
        gw.send(request.header("X-JWT-Assertion", "mine")).await.json()["headers"].clone()
    };
    let (ann, again, bob) = (call("ann").await, call("ann").await, call("bob").await);
    assert_eq!(ann["authorization"], serde_json::Value::Null);
    assert_eq!(ann["x-jwt-assertion"].as_str().map(|token| token.split('.').count()), Some(3));
    assert_eq!(ann["x-jwt-assertion"], again["x-jwt-assertion"]);
    assert_ne!(ann["x-jwt-assertion"], bob["x-jwt-assertion"]);
    gw.advance(SECOND * 200);
    assert_ne!(call("ann").await["x-jwt-assertion"], ann["x-jwt-assertion"]);
}

#[tokio::test]
async fn the_token_of_the_client_goes_on_and_no_other_credentials() {
    let own = Upstream::echo().start().await;
    let config = json!({ "method": "delegatedToken" });
    let gw = Gateway::serving(Config::from(api("/a", &own).policy("outboundAuthentication", config))).await;
    for (sent, expect) in [
        ("Bearer mine", json!("Bearer mine")),
        ("bearer  mine", json!("Bearer mine")),
        ("Basic bWluZQ==", serde_json::Value::Null),
    ] {
        let answer = gw.send(get("/a").header("Authorization", sent)).await;
        assert_eq!(answer.json()["headers"]["authorization"], expect, "{sent}");
    }
}

#[tokio::test]
async fn keys_that_cannot_be_used_are_told_when_the_configuration_is_loaded() {
    let own = Upstream::echo().start().await;
    for (config, path) in [
        (json!({ "method": "jwt", "algorithm": "RS256", "key": SECRET }), "config.key"),
        (json!({ "method": "jwt", "algorithm": "HS256", "key": SECRET }), "config.key"),
        (
            json!({ "method": "awsSignature", "accessKeyId": "A K", "secretAccessKey": SECRET, "region": "r",
                    "service": "s" }),
            "config.accessKeyId",
        ),
    ] {
        let config = Config::from(api("/a", &own).policy("outboundAuthentication", config));
        let problems = Gateway::start(config).await.map(|_| ()).unwrap_err().to_string();
        assert!(problems.contains(path), "{problems}");
    }
}

#[tokio::test]
async fn a_secret_in_clear_is_refused_and_not_repeated() {
    let own = Upstream::echo().start().await;
    let config = api("/a", &own)
        .policy("outboundAuthentication", json!({ "method": "bearer", "token": "hunter2hunter2" }));
    let problems = Gateway::start(Config::from(config)).await.map(|_| ()).unwrap_err().to_string();
    assert!(problems.contains("token") && !problems.contains("hunter2"), "{problems}");
}

#[tokio::test]
async fn a_token_is_got_once_and_again_when_it_has_expired() {
    let own = Upstream::echo().start().await;
    let server = answering(200, r#"{"access_token":"t0k3n","token_type":"Bearer","expires_in":300}"#);
    let server = server.start().await;
    let config = Config::from(api("/a", &own).policy(
        "outboundAuthentication",
        json!({ "method": "oauth2ClientCredentials", "server": server.url(), "path": "/token",
                "clientId": "gw", "clientSecret": SECRET, "scope": "orders read" }),
    ));
    let gw = Gateway::serving(config).await;
    for _ in 0..3 {
        let answer = gw.send(get("/a").header("Authorization", "Bearer mine")).await;
        assert_eq!(answer.json()["headers"]["authorization"], "Bearer t0k3n");
    }
    assert_eq!(server.count(), 1);
    let asked = server.last();
    assert_eq!(asked.body, "grant_type=client_credentials&scope=orders%20read");
    assert_eq!(asked.header("authorization"), "Basic Z3c6Z2F0ZXdyaWdodA==");
    gw.advance(SECOND * 291);
    gw.get("/a").await;
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn without_a_token_nothing_goes_upstream() {
    let own = Upstream::echo().start().await;
    let server = answering(401, r#"{"error":"invalid_client","secret":"leaked"}"#).start().await;
    let config = Config::from(api("/a", &own).policy(
        "outboundAuthentication",
        json!({ "method": "oauth2ClientCredentials", "server": server.url(), "clientId": "gw",
                "clientSecret": SECRET }),
    ));
    let gw = Gateway::serving(config).await;
    let answer = gw.get("/a").await;
    assert_eq!((answer.status(), answer.reason().as_str()), (502, "outbound_token_unavailable"));
    assert!(!answer.text().contains("leaked") && own.count() == 0);
}
