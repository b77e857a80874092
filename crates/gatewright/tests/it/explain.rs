//! Explanations: what was decided about a request, and what would be.

use testkit::{Config, Gateway, Place, Response, Upstream, api, get, json, post};

fn verdicts(explanation: &gatewright::Explanation) -> Vec<(&str, &str)> {
    explanation.policies.iter().map(|p| (p.kind.as_str(), p.verdict.as_str())).collect()
}

fn governed(upstream: impl testkit::config::Backend) -> Config {
    let governed = api("/a", upstream)
        .operation("POST", "/orders/{id}")
        .policy("rateLimit", json!({ "limit": 2, "window": "1h", "key": "application" }))
        .policy("requestTransformation", json!({ "headers": { "set": { "X-A": "1" } } }))
        .policy("apiKey", json!({}));
    Config::from(governed).application("app", "the-key", &["a"])
}

async fn call(gw: &Gateway) -> Response {
    gw.send(
        post("/a/orders/7?q=1", "hello").header("x-gateway-apikey", "the-key").header("user-agent", "test/1"),
    )
    .await
}

#[tokio::test]
async fn an_allowed_request_is_explained_from_end_to_end() {
    let upstream = Upstream::text("answer").start().await;
    let gw = Gateway::serving(governed(&upstream)).await;
    let response = call(&gw).await;
    let record = gw.explain(&response).await;
    assert_eq!(
        (record.method.as_str(), record.path.as_str(), record.query.as_str()),
        ("POST", "/a/orders/7", "q=1")
    );
    assert_eq!((record.status, record.revision, record.time.as_str()), (200, 1, "2026-01-15T10:00:00Z"));
    assert_eq!((record.api.as_deref(), record.application.as_deref()), (Some("a 1.0"), Some("app")));
    assert_eq!(record.operation.as_ref().map(|o| o.path.as_str()), Some("/orders/{id}"));
    assert_eq!(
        verdicts(&record),
        [("apiKey", "passed"), ("requestTransformation", "changed"), ("rateLimit", "passed")]
    );
    assert_eq!((record.request_bytes, record.response_bytes), (5, 6));
    assert_eq!(record.attempts.len(), 1);
    let attempt = &record.attempts[0];
    assert_eq!(
        (attempt.endpoint.as_str(), attempt.status, attempt.connection.as_str()),
        (&*upstream.url(), Some(200), "new")
    );
    assert!(record.reason.is_none());
    let text = record.to_text();
    for part in ["POST /a/orders/7?q=1", "apiKey", "passed", "Result: 200"] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert!(!text.contains("the-key"));
}

#[tokio::test]
async fn a_refused_request_says_which_policies_were_not_reached() {
    let upstream = Upstream::text("answer").start().await;
    let gw = Gateway::serving(governed(&upstream)).await;
    let record = gw.explain(&gw.send(post("/a/orders/7", "x")).await).await;
    assert_eq!(
        verdicts(&record),
        [("apiKey", "refused"), ("requestTransformation", "not reached"), ("rateLimit", "not reached")]
    );
    assert_eq!(
        record.reason.as_ref().map(|r| (r.code.as_str(), r.origin.as_str())),
        Some(("api_key_missing", "client"))
    );
    assert_eq!(record.policies[0].reason.as_deref(), Some("api_key_missing"));
    assert!(record.attempts.is_empty());
    let record = gw.explain(&gw.get("/nothing").await).await;
    assert_eq!(
        (record.status, record.api, record.reason.map(|r| r.code)),
        (404, None, Some("no_such_api".into()))
    );
}

#[tokio::test]
async fn a_failed_request_names_every_attempt() {
    let (dead, alive) = (Place::reserve(), Upstream::bytes("").start().await);
    let endpoints = json!([{ "url": dead.url() }, { "url": alive.url() }]);
    let gw = Gateway::serving(governed("up").upstream("up", json!({ "endpoints": endpoints }))).await;
    let record = gw.explain(&call(&gw).await).await;
    let failures: Vec<_> =
        record.attempts.iter().map(|a| (a.endpoint.as_str(), a.failure.as_deref(), a.status)).collect();
    assert_eq!(
        failures,
        [(&*dead.url(), Some("upstream_unreachable"), None), (&*alive.url(), Some("upstream_broke"), None)]
    );
    assert_eq!(record.reason.map(|r| (r.code, r.origin)), Some(("upstream_broke".into(), "upstream".into())));
}

#[tokio::test]
async fn a_dry_run_tells_what_would_happen_and_counts_nothing() {
    let upstream = Upstream::text("answer").start().await;
    let gw = Gateway::serving(governed(&upstream)).await;
    let question = |key: &str| {
        let headers = json!([["x-gateway-apikey", key]]);
        let body = json!({ "method": "POST", "url": "/a/orders/7", "headers": headers }).to_string();
        post("/explain", body).header("content-type", "application/json")
    };
    for _ in 0..5 {
        let record = gw.ops(question("the-key")).await.json();
        assert_eq!(
            (&record["dryRun"], &record["operation"]["path"], &record["application"]),
            (&json!(true), &json!("/orders/{id}"), &json!("app"))
        );
        assert!(record["reason"].is_null() && record["attempts"] == json!([]), "{record}");
        assert_eq!(record["policies"][2]["verdict"], "passed");
    }
    assert_eq!(gw.ops(question("wrong")).await.json()["reason"]["code"], "api_key_unknown");
    assert_eq!(
        (call(&gw).await.status(), call(&gw).await.status(), call(&gw).await.status()),
        (200, 200, 429)
    );
    assert_eq!(gw.ops(question("the-key")).await.json()["reason"]["code"], "rate_limited");
    assert_eq!(upstream.count(), 2);
    assert_eq!(gw.events("limit=100").await.len(), 3, "dry runs leave no events");
    let bad = gw
        .ops(
            post("/explain", "{\"method\": \"G T\", \"url\": \"/\"}")
                .header("content-type", "application/json"),
        )
        .await;
    assert_eq!((bad.status(), bad.reason().as_str()), (400, "bad_question"));
}

#[tokio::test]
async fn records_are_found_by_id_and_listed_newest_first() {
    let upstream = Upstream::text("answer").start().await;
    let gw = Gateway::serving(Config::from(api("/a", &upstream)).one_worker()).await;
    let ids: Vec<String> =
        [gw.get("/a/1").await, gw.get("/a/2").await].iter().map(|r| r.request_id().to_owned()).collect();
    let listed = gw.ops("/explain?limit=2").await.json();
    assert_eq!((&listed[0]["requestId"], &listed[1]["requestId"]), (&json!(ids[1]), &json!(ids[0])));
    assert_eq!(gw.ops(&*format!("/explain/{}", ids[0])).await.json()["path"], "/a/1");
    assert_eq!(gw.ops("/explain/00000000000000000000000000000000").await.reason(), "no_record");
}

#[tokio::test]
async fn sampling_keeps_no_record_of_successes_but_all_refusals() {
    let upstream = Upstream::text("answer").start().await;
    let gw = Gateway::serving(Config::from(api("/a", &upstream)).setting("explain.sampling", "0%")).await;
    let (success, refusal) = (gw.get("/a").await, gw.send(get("/nothing")).await);
    assert!(gw.inner().explain(success.request_id()).await.is_none());
    assert_eq!(gw.explain(&refusal).await.status, 404);
    assert_eq!(gw.events("limit=5").await.len(), 2, "events are kept of both");
}

#[tokio::test]
async fn failures_of_the_upstream_are_recorded_whatever_the_sampling() {
    let place = Place::reserve();
    let broken = Upstream::bytes("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx").start().await;
    let config =
        Config::new().api(api("/a", &*place.url())).api(api("/b", &broken)).setting("explain.sampling", "0%");
    let gw = Gateway::serving(config).await;
    let refused = gw.get("/a").await;
    assert_eq!(gw.explain(&refused).await.attempts.len(), 1);
    assert!(gw.http1().await.try_send("/b").await.is_err());
    let event = gw.events("reason=upstream_cut_short").await.remove(0);
    let record = gw.inner().explain(event["correlationID"].as_str().unwrap()).await;
    assert_eq!(record.and_then(|r| r.reason).map(|r| r.code).as_deref(), Some("upstream_cut_short"));
}

#[tokio::test]
async fn what_lost_is_explained_with_the_reason() {
    let upstream = Upstream::text("answer").start().await;
    let governed = api("/a", &upstream)
        .operation("GET", "/x/{id}")
        .operation("POST", "/x/7")
        .operation("POST", "/x/{id}")
        .policy("apiKey", json!({}))
        .with("scopes", json!([{ "name": "s", "operations": ["GET /x/{id}"], "policies": [{ "type": "rateLimit", "name": "slow", "config": { "limit": 9, "window": "1m" } }] }]));
    let everywhere = json!({
        "type": "apiKey", "name": "for-all", "config": { "allowAnonymous": true },
        "appliesTo": { "conditions": [{ "operation": "method", "value": "post" }] },
    });
    let gw = Gateway::serving(Config::from(governed).append("policies", everywhere)).await;
    let record = gw.explain(&gw.send(post("/a/x/7", "")).await).await;
    assert_eq!(
        verdicts(&record),
        [("apiKey", "skipped")],
        "a policy of another operation is not in question"
    );
    let inert: Vec<_> =
        record.inert.iter().map(|p| (p.name.as_str(), p.level.as_str(), p.why.as_str())).collect();
    assert_eq!(inert, [("apiKey", "API", "global policy `for-all` wins")]);
    let route: Vec<_> =
        record.candidates.iter().map(|c| (c.operation.as_deref(), c.chosen, c.why.as_str())).collect();
    assert_eq!(
        route,
        [
            (None, true, "the longest base path that matches"),
            (Some("POST /x/7"), true, "method and path match"),
            (
                Some("GET /x/{id}"),
                false,
                "the literal `7` beats a parameter, which comes first whatever the method"
            ),
            (
                Some("POST /x/{id}"),
                false,
                "the literal `7` beats a parameter, which comes first whatever the method"
            ),
        ]
    );
    let text = record.to_text();
    for part in ["lost    GET /x/{id}", "inert: global policy `for-all` wins"] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    let refused = gw.get("/a/x/8").await;
    let record = gw.explain(&refused).await;
    assert_eq!(verdicts(&record), [("apiKey", "refused"), ("rateLimit", "not reached")]);
    assert_eq!(record.policies[1].place.as_deref(), Some("s"));
    gw.apply(Config::from(api("/a", &upstream))).await.unwrap();
    let later = gw.explain(&refused).await;
    assert!(later.candidates.is_empty() && later.policies.len() == 2, "the configuration is another one");
    let body = json!({ "method": "GET", "url": "http://h/b" }).to_string();
    let asked = gw.ops(post("/explain", body).header("content-type", "application/json")).await.json();
    assert!(asked["candidates"].is_null(), "nothing is anywhere near: {asked}");
}
