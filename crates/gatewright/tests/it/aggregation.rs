//! One answer from several services.

use http::{Response, StatusCode};
use testkit::{Config, Gateway, Upstream, Value, api, get, json, post};

/// A service that answers always the same.
async fn answering(status: u16, body: &'static str) -> Upstream {
    Upstream::respond(move |_| {
        let mut response = Response::new(testkit::body::full(body));
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        response.headers_mut().insert("x-version", http::HeaderValue::from_static("v1"));
        response
    })
    .start()
    .await
}

/// An API without an upstream of its own, which nobody must call.
fn mashup(calls: Value, answer: Value) -> Config {
    Config::from(
        api("/m", "http://127.0.0.1:9").policy("aggregate", json!({ "calls": calls, "answer": answer })),
    )
}

#[tokio::test]
async fn several_services_make_one_answer() {
    let customers = answering(200, r#"{"id":7,"name":"Ann \"the\" Great"}"#).await;
    let orders = answering(200, r#"[{"total":3}]"#).await;
    let notes = answering(500, "secret").await;
    let gw = Gateway::serving(mashup(
        json!([
            { "name": "orders", "upstream": orders.url(), "after": ["customer"],
              "path": "/orders?of=${response[customer].payload.jsonPath[$.id]}",
              "body": "{\"name\": \"${response[customer].payload.jsonPath[$.name]}\"}" },
            { "name": "customer", "upstream": customers.url(), "path": "/customers/${request.query.id}" },
            { "name": "notes", "upstream": notes.url(), "need": "optional" },
            { "name": "never", "upstream": notes.url(), "need": "optional",
              "when": { "variable": "${request.query.never}", "operator": "exists" } },
        ]),
        json!({
            "status": 203,
            "headers": { "X-Version": "${response[orders].headers.X-Version}" },
            "body": r#"{"name": "${response[customer].payload.jsonPath[$.name]}", "orders": ${response[orders].payload},
                        "status": "${response[customer].statusCode}", "notes": ${response[notes].payload},
                        "note": "${response[notes].payload}", "never": ${response[never].payload}}"#,
        }),
    ))
    .await;
    let request = get("/m?id=7%2F..%2F%3Fx").header("Authorization", "Bearer mine").header("Cookie", "a=b");
    let answer = gw.send(request).await;
    assert_eq!((answer.status(), answer.header("x-version")), (203, "v1"));
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(
        answer.json(),
        json!({ "name": "Ann \"the\" Great", "orders": [{ "total": 3 }], "status": "200", "notes": null,
                "note": "", "never": null })
    );
    assert_eq!(orders.last().path, "/orders?of=7");
    assert_eq!(orders.last().body, r#"{"name": "Ann \"the\" Great"}"#);
    assert_eq!((orders.last().header("authorization"), orders.last().header("cookie")), ("", ""));
    assert_eq!(customers.last().path, "/customers/7%2F..%2F%3Fx");
    assert_eq!((customers.count(), orders.count(), notes.count()), (1, 1, 1));

    let record = gw.explain(&answer).await;
    let calls: Vec<_> = record.calls.iter().map(|call| (&*call.name, call.status)).collect();
    assert!(calls.contains(&("customer", Some(200))) && calls.contains(&("notes", Some(500))), "{calls:?}");
    assert_eq!(
        (
            calls.len(),
            calls.iter().position(|call| call.0 == "orders")
                > calls.iter().position(|call| call.0 == "customer")
        ),
        (3, true)
    );
    assert!(record.attempts.is_empty());
}

#[tokio::test]
async fn calls_that_do_not_wait_for_others_are_made_at_once() {
    // Each answers only when the other one has been called, too.
    let gate = std::sync::Arc::new(tokio::sync::Barrier::new(2));
    let service = || {
        let gate = std::sync::Arc::clone(&gate);
        Upstream::service(move |_, _| {
            let gate = std::sync::Arc::clone(&gate);
            async move {
                gate.wait().await;
                Response::new(testkit::body::full("1"))
            }
        })
        .start()
    };
    let (one, two) = (service().await, service().await);
    let gw = Gateway::serving(mashup(
        json!([{ "name": "one", "upstream": one.url() }, { "name": "two", "upstream": two.url() }]),
        json!({ "body": "[${response[one].payload}, ${response[two].payload}]" }),
    ))
    .await;
    assert_eq!(gw.get("/m").await.text(), "[1, 1]");
}

#[tokio::test]
async fn without_a_required_call_there_is_no_answer() {
    let (fine, broken) = (answering(200, "123").await, answering(500, "secret").await);
    let slow = Upstream::silent().start().await;
    for (service, extra, status, code) in [
        (&broken, json!({}), 502, "aggregate_call_failed"),
        (&broken, json!({ "success": [500] }), 200, ""),
        (&slow, json!({ "timeout": "100ms" }), 504, "call_timeout"),
        (&slow, json!({ "timeout": "100ms", "need": "optional" }), 200, ""),
        (&fine, json!({ "maxAnswer": "2B" }), 502, "aggregate_call_failed"),
        (&fine, json!({}), 200, ""),
    ] {
        let mut call = json!({ "name": "x", "upstream": service.url() });
        for (key, value) in extra.as_object().expect("an object") {
            call[key] = value.clone();
        }
        let after = json!({ "name": "after", "upstream": fine.url(), "after": ["x"] });
        let gw = Gateway::serving(mashup(json!([call, after]), json!({ "body": "{}" }))).await;
        let answer = match extra.get("timeout") {
            Some(_) => gw.as_time_passes(testkit::SECOND, gw.get("/m")).await,
            None => gw.get("/m").await,
        };
        assert_eq!((answer.status(), answer.reason().as_str()), (status, code), "{extra}");
        assert!(!answer.text().contains("secret"));
        let record = gw.explain(&answer).await;
        assert_eq!(record.calls.len(), if status == 200 { 2 } else { 1 }, "{extra}");
    }
}

#[tokio::test]
async fn quotas_count_before_any_call_is_made() {
    let service = answering(200, "1").await;
    let config = Config::from(
        api("/m", "http://127.0.0.1:9")
            .policy(
                "aggregate",
                json!({ "calls": [{ "name": "x", "upstream": service.url() }], "answer": { "body": "1" } }),
            )
            .policy("rateLimit", json!({ "limit": 1, "window": "1m" })),
    );
    let gw = Gateway::serving(config).await;
    assert_eq!((gw.get("/m").await.status(), gw.get("/m").await.status()), (200, 429));
    assert_eq!(service.count(), 1);
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_none() {
    let service = answering(
        200,
        r#"["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]"#,
    )
    .await;
    let many = vec!["${response[x].payload}"; 100].join(",");
    let config =
        mashup(json!([{ "name": "x", "upstream": service.url() }]), json!({ "body": format!("[{many}]") }));
    let gw = Gateway::serving(config.setting("limits.bufferedBodySize", "4KiB")).await;
    let answer = gw.send(post("/m", "{}")).await;
    assert_eq!((answer.status(), answer.reason().as_str()), (502, "aggregate_too_large"));
}

#[tokio::test]
async fn what_cannot_be_asked_is_told_when_the_configuration_is_loaded() {
    let call = |name: &str, after: &[&str]| json!({ "name": name, "upstream": "http://127.0.0.1:9", "after": after });
    for (calls, body, path) in [
        (json!([]), "{}", "config.calls"),
        (json!(vec![call("a", &[]); 17]), "{}", "config.calls"),
        (json!([call("a", &["a"])]), "{}", "calls[0].after[0]"),
        (json!([call("a", &["b"])]), "{}", "calls[0].after[0]"),
        (json!([call("a", &["b"]), call("b", &["a"])]), "{}", "calls[0].after"),
        (json!([call("a", &[]), call("a", &[])]), "{}", "calls[1].name"),
        (json!([call("a[", &[])]), "{}", "calls[0].name"),
        (json!([call("a", &[])]), "{\"x\": ${response[a].payload}", "answer.body"),
        (json!([{ "name": "a", "upstream": "nowhere" }]), "{}", "calls[0].upstream"),
    ] {
        let config = mashup(calls.clone(), json!({ "body": body }));
        let problems = Gateway::start(config).await.map(|_| ()).unwrap_err().to_string();
        assert!(problems.contains(path), "{calls}: {problems}");
    }
}
