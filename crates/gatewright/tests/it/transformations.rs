//! What is changed, hidden and said on the way: transformations, masks, and errors as clients see them.

use testkit::{Config, Gateway, Response, Upstream, api, body::full, get, json, post};

/// Answers with the status that the path names, and a body with a secret in it.
async fn failing() -> Upstream {
    let upstream = Upstream::respond(|seen| {
        let status = seen.path.trim_start_matches('/').parse().unwrap_or(200);
        let mut response = hyper::Response::new(full(r#"{"reason":"disk full","host":"db7"}"#.to_owned()));
        *response.status_mut() = http::StatusCode::from_u16(status).expect("a status");
        response.headers_mut().insert("content-type", "application/json".parse().expect("a value"));
        response.headers_mut().insert("etag", "\"e\"".parse().expect("a value"));
        response
    });
    upstream.start().await
}

fn seen(response: &Response) -> (u16, &str, String) {
    (response.status(), response.header("content-type"), response.text())
}

#[tokio::test]
async fn a_request_is_made_to_fit_the_upstream() {
    let upstream = Upstream::echo_body().start().await;
    let change = json!({
        "set": [{ "variable": "id", "value": "${request.payload.jsonPath[$.id]}" }],
        "method": "PUT",
        "path": "/v2/orders/${id}",
        "query": { "set": { "tenant": "${request.headers.X-Tenant}" }, "remove": ["debug"] },
        "headers": { "remove": ["X-Tenant"] },
        "payload": { "template": "<order>${request.payload.jsonPath[$.name]}</order>" },
    });
    let headers = json!({ "headers": { "X-Entry": "${inboundHttpMethod} ${inboundRequestURI}" } });
    let shop = api("/shop", &upstream)
        .policy("requestTransformation", change)
        .policy("customHeaders", headers)
        .policy("setMediaType", json!({ "accept": "application/xml" }));
    let gw = Gateway::serving(shop).await;
    let asked = post("/shop/orders?debug=1&x=2", r#"{"id":"7/../8","name":"pen & <ink>"}"#);
    let response = gw.send(asked.header("x-tenant", "a&admin=1")).await;
    assert_eq!((response.status(), response.text().as_str()), (200, "<order>pen &amp; &lt;ink&gt;</order>"));
    let got = upstream.last();
    assert_eq!(
        (got.method.as_str(), got.path.as_str()),
        ("PUT", "/v2/orders/7%2F..%2F8?x=2&tenant=a%26admin%3D1")
    );
    assert_eq!(
        (got.header("content-type"), got.header("accept"), got.header("x-tenant"), got.header("x-entry")),
        ("application/xml", "application/xml", "", "POST /shop/orders?debug=1&x=2")
    );
    let event = &gw.events("limit=1").await[0];
    let event = event.to_string();
    assert!(
        event.contains("POST") && event.contains("debug=1"),
        "an event tells what the client sent: {event}"
    );
}

#[tokio::test]
async fn a_request_that_cannot_be_made_to_fit_goes_nowhere() {
    let upstream = Upstream::echo_body().start().await;
    let change = json!({ "set": [{ "variable": "request.payload.jsonPath[$.a.b]", "value": "1" }] });
    let gw = Gateway::serving(api("/a", &upstream).policy("requestTransformation", change)).await;
    let refused = gw.send(post("/a", "no JSON")).await;
    assert_eq!((refused.status(), refused.reason().as_str()), (400, "request_not_transformable"));
    assert_eq!(upstream.count(), 0);
    assert_eq!(gw.send(post("/a", r#"{"a":{}}"#)).await.text(), r#"{"a":{"b":1}}"#);
}

#[tokio::test]
async fn a_method_that_is_changed_changes_nothing_for_the_client() {
    let upstream = Upstream::text("some text").start().await;
    let to = |method: &str| json!({ "method": method });
    let config = Config::new()
        .api(api("/head", &upstream).policy("requestTransformation", to("HEAD")))
        .api(api("/get", &upstream).policy("requestTransformation", to("GET")));
    let gw = Gateway::serving(config).await;
    let response = gw.get("/head").await;
    assert_eq!((response.status(), response.text().as_str()), (200, ""), "the client waits for no body");
    assert_eq!(upstream.last().method, "HEAD");
    let response = gw.send(testkit::request("HEAD", "/get")).await;
    assert_eq!((response.status(), response.text().as_str()), (200, ""));
    assert_eq!(upstream.last().method, "GET");
}

#[tokio::test]
async fn parts_of_bodies_are_hidden_both_ways_or_nothing_goes_on() {
    let upstream = Upstream::echo_body().start().await;
    let request = json!({ "masks": [
        { "type": "jsonPath", "expression": "$.pin", "action": "filter" },
        { "type": "xpath", "expression": "//pin" },
    ] });
    let response = json!({ "masks": [{ "type": "jsonPath", "expression": "$.card" }] });
    let shop = api("/a", &upstream).policy("requestMasking", request).policy("responseMasking", response);
    let config = Config::from(shop).setting("contentTypes.json", json!(["application/vnd.own"]));
    let gw = Gateway::serving(config).await;
    let send =
        async |kind: &str, text: &'static str| gw.send(post("/a", text).header("content-type", kind)).await;
    assert_eq!(send("application/json", r#"{"pin":1,"x":2}"#).await.status(), 200);
    assert_eq!(&upstream.last().body[..], br#"{"x":2}"#);
    send("application/vnd.own", r#"{"pin":1,"x":3}"#).await;
    assert_eq!(&upstream.last().body[..], br#"{"x":3}"#, "the settings say that this is JSON");
    let answer = send("application/xml", "<pin>1</pin>").await;
    assert_eq!((answer.status(), &upstream.last().body[..]), (200, &b"<pin>********</pin>"[..]));
    let count = upstream.count();
    for (kind, text) in [("application/xml", "<pin>1"), ("application/json", "{")] {
        let refused = send(kind, text).await;
        assert_eq!((refused.status(), refused.reason().as_str()), (400, "cannot_mask"), "{kind}");
    }
    assert_eq!(upstream.count(), count);
}

#[tokio::test]
async fn errors_of_upstreams_can_be_hidden_from_everybody() {
    let upstream = failing().await;
    let config = Config::from(api("/a", &upstream))
        .setting("faults.sendNativeProviderFault", false)
        .setting("faults.defaultMessage", "$SERVICE failed: $NATIVE_PROVIDER_ERROR");
    let gw = Gateway::serving(config).await;
    assert_eq!(seen(&gw.get("/a/200").await).2, r#"{"reason":"disk full","host":"db7"}"#);
    let hidden = gw.get("/a/507").await;
    assert_eq!(
        (hidden.status(), hidden.header("content-type"), hidden.header("etag")),
        (507, "application/problem+json", "")
    );
    assert_eq!(hidden.json()["code"], "upstream_fault");
    assert_eq!(
        hidden.json()["detail"],
        r#"a failed: {"reason":"disk full","host":"db7"}"#,
        "one text in JSON"
    );
    let xml = gw.send(get("/a/404").header("accept", "application/xml")).await;
    assert_eq!((xml.status(), xml.header("content-type")), (404, "application/problem+xml"));
    let head = gw.send(testkit::request("HEAD", "/a/404")).await;
    assert_eq!((head.status(), head.text().as_str()), (404, ""));
}

/// Checklist 6 and 46.
#[tokio::test]
async fn rules_say_what_clients_are_told_about_errors_of_every_origin() {
    let upstream = failing().await;
    let rules = json!({ "rules": [
        {
            "when": { "variable": "${error.code}", "operator": "equals", "value": "response_not_transformable" },
            "status": 500,
            "messages": { "text": "sorry: ${error.code}" },
        },
        {
            "when": { "variable": "${error.origin}", "operator": "equals", "value": "upstream" },
            "status": 503,
            "headers": { "set": { "Retry-After": "9" } },
            "messages": { "json": "{\"error\":\"$NATIVE_PROVIDER_ERROR\"}", "text": "$OPERATION is down" },
        },
        { "when": { "variable": "${error.code}", "operator": "equals", "value": "api_key_missing" }, "status": 403 },
    ] });
    let mask = json!({ "masks": [{ "type": "jsonPath", "expression": "$.host" }] });
    let own = json!({ "when": { "cel": "request.path == '/200'" }, "status": "${response.headers.none}" });
    let config = Config::new()
        .api(
            api("/a", &upstream)
                .policy("faultMasking", mask)
                .policy("conditionalErrorProcessing", rules.clone())
                .policy("responseTransformation", own),
        )
        .api(api("/b", &upstream).policy("apiKey", json!({})).policy("conditionalErrorProcessing", rules));
    let gw = Gateway::serving(config).await;
    let response = gw.get("/a/500").await;
    assert_eq!((response.status(), response.header("retry-after")), (503, "9"));
    assert_eq!(response.json()["error"], r#"{"reason":"disk full","host":"********"}"#);
    // What response processing refuses is an error like any other.
    let response = gw.get("/a/200").await;
    assert_eq!(
        seen(&response),
        (500, "text/plain; charset=utf-8", "sorry: response_not_transformable".into())
    );
    let response = gw.get("/b/x").await;
    assert_eq!((response.status(), response.reason().as_str()), (403, "api_key_missing"));
    assert_eq!(response.json()["status"], 403);
    assert_eq!(gw.get("/a/201").await.status(), 201, "no error");
}
