//! What went wrong in other gateways: one test for each behaviour of a checklist of fixed faults that no other module
//! proves. Where another one does, the number is in the comment of that test; `Checklist` finds all of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use hyper::Response;
use testkit::{
    Config, Gateway, Protocol, Upstream, Value, api, body, config::hash, eventually, get, json, post, request,
};

/// An API with a definition, whose requests are compared with it.
fn validated(upstream: &Upstream, parameters: &str) -> Config {
    let definition = format!(
        "openapi: 3.0.3\ninfo: {{title: T, version: '1'}}\npaths:\n  /orders:\n    get:\n      parameters:\n{parameters}      responses: {{'200': {{description: ok}}}}\n"
    );
    let orders =
        api("/a", upstream).with("definition", "orders.yaml").policy("validateSpecification", json!({}));
    Config::from(orders).file("orders.yaml", definition)
}

/// Checklist 3.
#[tokio::test]
async fn an_interim_answer_is_neither_logged_nor_masked_instead_of_the_final_one() {
    let upstream = Upstream::bytes(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-Hint: 1\r\n\r\nHTTP/1.1 201 Created\r\nContent-Type: application/json\r\nX-Final: 1\r\nContent-Length: 20\r\n\r\n{\"id\":7,\"pin\":\"123\"}",
    );
    let upstream = upstream.start().await;
    let log = json!({ "responseHeaders": true, "responsePayload": true });
    let mask = json!({ "masks": [{ "type": "jsonPath", "expression": "$.pin" }] });
    let orders = api("/a", &upstream).policy("logInvocation", log).policy("responseMasking", mask);
    let gw = Gateway::serving(orders).await;
    let mut conn = gw.connect().await;
    conn.write("POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n").await;
    let mut response = conn.head().await;
    if response.status == 100 {
        conn.write("{}").await;
        response = conn.response().await;
    }
    assert_eq!((response.status, response.header("x-final"), response.header("x-hint")), (201, "1", ""));
    assert_eq!((&response.json()["id"], &response.json()["pin"]), (&json!(7), &json!("********")));
    let event = gw.events(&format!("id={}", response.header("x-request-id"))).await.remove(0);
    assert_eq!(event["responseCode"], 201);
    assert!(event["nativeResponseHeaders"].to_string().to_lowercase().contains("x-final"), "{event}");
    assert!(!event.to_string().to_lowercase().contains("x-hint"), "{event}");
}

/// Checklist 4. As many connections as the fixed sets of `select` cannot hold.
#[tokio::test]
async fn more_than_a_thousand_idle_connections_do_no_harm() {
    let upstream = Upstream::text("ok").start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let mut idle = Vec::new();
    for _ in 0..1_200 {
        idle.push(gw.connect().await);
    }
    assert_eq!(gw.get("/a").await.text(), "ok");
    for conn in idle.iter_mut().step_by(100) {
        conn.write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(conn.response().await.text(), "ok");
    }
}

/// Checklist 5.
#[tokio::test]
async fn a_path_that_no_api_of_a_host_has_is_looked_for_among_those_without_host() {
    let (hosted, any) = (Upstream::text("hosted").start().await, Upstream::text("any").start().await);
    let config = Config::new()
        .api(api("/a", &hosted).with("hosts", json!(["api.example.com"])))
        .api(api("/b", &any))
        .api(api("/a/deep", &any));
    let gw = Gateway::serving(config).await;
    let ask = async |path: &str| gw.send(get(path).header("host", "api.example.com")).await.text();
    assert_eq!(ask("/b/x").await, "any");
    assert_eq!(ask("/a/x").await, "hosted");
}

/// Checklist 6. An API's own error handling comes before that of all APIs, and that before the settings.
#[tokio::test]
async fn the_most_specific_error_handling_has_the_last_word() {
    let dead = testkit::Place::reserve();
    let rule = |text: &str| {
        json!({ "rules": [{
            "when": { "variable": "${error.code}", "operator": "exists" },
            "status": 503, "messages": { "text": text },
        }] })
    };
    let with_policy = api("/own", &*dead.url()).policy("conditionalErrorProcessing", rule("of the API"));
    let config = Config::from(with_policy)
        .api(api("/global", &*dead.url()))
        .setting("faults.defaultMessage", "of the settings");
    let gw = Gateway::serving(config.clone()).await;
    let text = async |path: &str| gw.get(path).await.text();
    assert_eq!(text("/own").await, "of the API");
    assert!(text("/global").await.contains("of the settings"));
    let everywhere = json!({ "type": "conditionalErrorProcessing", "config": rule("of all APIs") });
    gw.apply(config.append("policies", everywhere)).await.expect("a valid configuration");
    assert_eq!(text("/own").await, "of the API");
    assert_eq!(text("/global").await, "of all APIs");
}

/// Checklist 7 and 86. Bodies that policies look at stay as they are to the byte, whatever they hold.
#[tokio::test]
async fn a_large_body_that_a_policy_looked_at_arrives_byte_for_byte() {
    let upstream = Upstream::echo_body().start().await;
    let look = json!({ "body": true, "source": "request.headers.set('X-Seen', 'yes');" });
    let config = Config::from(api("/a", &upstream).policy("requestScript", look))
        .setting("limits.bufferedBodySize", "8MiB");
    let gw = Gateway::serving(config).await;
    let mut bytes: Vec<u8> = (0_u32..7 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    bytes.extend_from_slice(b"\r\n\0\xff\xfe%41");
    for kind in ["application/octet-stream", "multipart/form-data; boundary=x", "text/plain; charset=utf-16"]
    {
        let response = gw.send(post("/a", bytes.clone()).header("content-type", kind)).await;
        assert_eq!((response.status(), upstream.last().header("x-seen")), (200, "yes"), "{kind}");
        assert!(response.bytes()[..] == bytes[..], "{kind}: another body came back");
    }
}

/// Checklist 86.
#[tokio::test]
async fn parts_of_a_form_are_not_decoded_on_the_way() {
    let upstream = Upstream::echo_body().start().await;
    let gw = Gateway::serving(
        api("/a", &upstream)
            .policy("requestTransformation", json!({ "headers": { "set": { "X-Path": "${request.path}" } } }))
            .policy("requestScript", json!({ "body": true, "source": "request.text();" })),
    )
    .await;
    let form = b"--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.bin\"\r\n\r\n%41+\xff\0\r\n--x--\r\n";
    let sent = post("/a", &form[..]).header("content-type", "multipart/form-data; boundary=x");
    assert_eq!(&gw.send(sent).await.bytes()[..], form);
}

/// Checklist 8.
#[tokio::test]
async fn a_script_gets_null_for_a_body_or_a_part_that_is_not_there() {
    let upstream = Upstream::echo().start().await;
    let source = "const order = request.json();
        request.headers.set('X-Seen', [request.text(), order, order?.items?.[0]?.id ?? null].map(String).join());";
    let gw = Gateway::serving(
        api("/a", &upstream).policy("requestScript", json!({ "body": true, "source": source })),
    )
    .await;
    for (sent, expect) in
        [("", "null,null,null"), ("{}", "{},[object Object],null"), ("null", "null,null,null")]
    {
        let response = gw.send(post("/a", sent).header("content-type", "application/json")).await;
        assert_eq!(
            (response.status(), response.json()["headers"]["x-seen"].as_str()),
            (200, Some(expect)),
            "{sent}"
        );
    }
}

/// Checklist 9.
#[tokio::test]
async fn a_header_made_from_a_parameter_stays_one_header() {
    let upstream = Upstream::echo().start().await;
    let set = json!({ "headers": { "set": { "X-Name": "${request.query.name}" } } });
    let orders = api("/a", &upstream)
        .policy("customHeaders", json!({ "headers": { "X-Own": "a ${request.query.name}" } }))
        .policy("requestTransformation", set.clone())
        .policy("responseTransformation", set);
    let gw = Gateway::serving(orders).await;
    for value in ["a%0d%0aX-Evil:%201", "a%0aX-Evil:%201", "a%0dX-Evil:1%0d%0a%0d%0abody", "%00a"] {
        let answer = String::from_utf8_lossy(
            &gw.raw(format!("GET /a?name={value} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await,
        )
        .to_lowercase();
        assert!(!answer.contains("\nx-evil") && !answer.contains("\rx-evil"), "{value}: {answer}");
        for seen in upstream.seen() {
            assert!(seen.headers.get("x-evil").is_none(), "{value}: {:?}", seen.headers);
        }
    }
}

/// Checklist 14.
#[tokio::test]
async fn an_element_of_a_list_can_be_selected() {
    let upstream = Upstream::echo().start().await;
    let set = json!({ "headers": { "set": {
        "X-First": "${request.payload.jsonPath[$[0].id]}", "X-Last": "${request.payload.jsonPath[$[-1].id]}",
    } } });
    let gw = Gateway::serving(api("/a", &upstream).policy("requestTransformation", set)).await;
    let list = post("/a", r#"[{"id":"one"},{"id":"two"}]"#).header("content-type", "application/json");
    let seen = gw.send(list).await.json();
    assert_eq!((&seen["headers"]["x-first"], &seen["headers"]["x-last"]), (&json!("one"), &json!("two")));
}

/// Checklist 22. Also where every operation has a security of its own.
#[tokio::test]
async fn nobody_learns_the_names_of_operations_by_guessing() {
    let upstream = Upstream::text("ok").start().await;
    let own = json!([{ "name": "orders", "operations": ["GET /orders"], "policies": [
        { "type": "apiKey", "config": { "header": "X-Own" } },
    ] }]);
    let shop =
        api("/shop", &upstream).operation("GET", "/orders").policy("apiKey", json!({})).with("scopes", own);
    let gw = Gateway::serving(Config::from(shop).application("app", "the-key", &["shop"])).await;
    let told = async |method: &str, path: &str, key: &str| {
        let asked = request(method, path).header("x-own", key).header("x-gateway-apikey", key);
        let response = gw.send(if key.is_empty() { request(method, path) } else { asked }).await;
        (response.status(), response.reason())
    };
    let missing = (401, "api_key_missing".to_owned());
    for (method, path) in [("GET", "/shop/orders"), ("DELETE", "/shop/orders"), ("GET", "/shop/guess")] {
        assert_eq!(told(method, path, "").await, missing, "{method} {path}");
    }
    assert_eq!(told("GET", "/shop/orders", "the-key").await.0, 200);
    assert_eq!(told("DELETE", "/shop/orders", "the-key").await.0, 405);
    assert_eq!(told("GET", "/shop/guess", "the-key").await.0, 404);
}

/// Checklist 36, 93, 94 and 97.
#[tokio::test]
async fn parameters_are_checked_by_their_schemas_and_passed_on_as_they_came() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(validated(
        &upstream,
        "        - {name: limit, in: query, required: true, schema: {type: integer}}
        - {name: sort, in: query, schema: {type: string, enum: [up, down]}}
        - {name: filter, in: query, allowEmptyValue: true, schema: {type: string}}
        - {name: X-Tenant, in: header, required: true, schema: {type: string}}
        - {name: Content-Type, in: header, schema: {type: string}}
",
    ))
    .await;
    for (query, header, status) in [
        ("limit=7", "x-tenant", 200),
        ("limit=7", "X-TENANT", 200),
        ("limit=abc", "x-tenant", 400),
        ("", "x-tenant", 400),
        ("limit=7&sort=up&filter", "x-tenant", 200),
        ("limit=7&sort=sideways", "x-tenant", 400),
        ("limit=7&filter=", "x-tenant", 200),
        ("limit=7", "x-other", 400),
    ] {
        let asked = get(&format!("/a/orders?{query}")).header(header, "red").header("content-type", "text/x");
        let response = gw.send(asked).await;
        assert_eq!(response.status(), status, "{query} {header}: {}", response.text());
        if status == 200 {
            let seen = upstream.last();
            assert_eq!(seen.path, format!("/orders?{query}"));
            assert_eq!(seen.headers.get_all("content-type").iter().count(), 1);
        }
    }
}

/// Checklist 46.
#[tokio::test]
async fn error_handling_knows_who_failed() {
    let (dead, failing) = (testkit::Place::reserve(), Upstream::status(500).start().await);
    let tell = json!({ "rules": [{
        "when": { "variable": "${error.origin}", "operator": "exists" },
        "messages": { "text": "${error.origin} ${error.code}" },
    }] });
    let handled =
        |path: &str, url: String| api(path, &*url).policy("conditionalErrorProcessing", tell.clone());
    let nowhere = json!({ "name": "nowhere", "basePath": "/nowhere",
        "policies": [{ "type": "conditionalErrorProcessing", "config": tell }] });
    let config = Config::new()
        .api(handled("/dead", dead.url()))
        .api(handled("/failing", failing.url()))
        .append("apis", nowhere)
        .api(handled("/refused", failing.url()).policy("apiKey", json!({})))
        .api(handled("/cache", failing.url()).policy("rateLimit", json!({ "limit": 1, "window": "1h" })));
    let gw = Gateway::serving(config).await;
    gw.get("/cache").await;
    for (path, expect) in [
        ("/dead", "upstream upstream_unreachable"),
        ("/failing", "upstream upstream_fault"),
        ("/nowhere", "gateway no_upstream"),
        ("/refused", "client api_key_missing"),
        ("/cache", "client rate_limited"),
    ] {
        assert_eq!(gw.get(path).await.text(), expect, "{path}");
    }
}

/// Checklist 47. On one node, whatever its worker; nodes do not share counts.
#[tokio::test]
async fn what_is_left_of_a_quota_never_grows_within_its_window() {
    let upstream = Upstream::text("ok").start().await;
    let limited = || {
        api("/a", &upstream)
            .policy("rateLimit", json!({ "limit": 40, "window": "1h", "algorithm": "fixedWindow" }))
    };
    let gw = Gateway::serving(limited()).await;
    let mut before = 40;
    for round in 0..50 {
        if round % 10 == 5 {
            gw.apply(limited().with("description", format!("round {round}")))
                .await
                .expect("a valid configuration");
        }
        let response = gw.get("/a").await;
        let told = response.header("ratelimit");
        let left = told.split(";r=").nth(1).and_then(|rest| rest.split(';').next());
        let left: i32 =
            left.and_then(|left| left.parse().ok()).unwrap_or_else(|| panic!("no rest in {told:?}"));
        assert!(left < before || (left == 0 && before == 0), "{left} are left, {before} were");
        assert_eq!(response.status(), if round < 40 { 200 } else { 429 });
        before = left;
    }
}

/// Checklist 84.
#[tokio::test]
async fn an_answer_to_options_without_a_body_has_none() {
    let upstream =
        Upstream::bytes("HTTP/1.1 200 OK\r\nAllow: GET\r\nContent-Length: 0\r\n\r\n").start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let answer = gw.raw("OPTIONS /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let answer = String::from_utf8_lossy(&answer).to_lowercase();
    assert!(answer.starts_with("http/1.1 200") && answer.contains("content-length: 0"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n") && !answer.contains("transfer-encoding"), "{answer}");
    let mut http2 = gw.http2().await;
    assert!(http2.send(request("OPTIONS", "/a")).await.bytes().is_empty());
}

/// Checklist 85.
#[tokio::test]
async fn one_way_to_identify_that_fails_does_not_stop_another() {
    let upstream = Upstream::text("ok").start().await;
    let identify = json!({ "match": "any", "rules": [{ "type": "httpBasic" }, { "type": "apiKey" }] });
    let config = Config::from(api("/a", &upstream).policy("identifyAndAuthorize", identify)).append(
        "applications",
        json!({ "name": "app", "apis": ["a"], "apiKeys": [{ "hash": hash("the-key") }] }),
    );
    let gw = Gateway::serving(config).await;
    let wrong = || get("/a").basic("nobody", "wrong");
    assert_eq!(gw.send(wrong().header("x-gateway-apikey", "the-key")).await.status(), 200);
    assert_ne!(gw.send(wrong()).await.status(), 200);
}

/// Checklist 89.
#[tokio::test]
async fn names_of_hosts_may_have_underscores() {
    let upstream = Upstream::echo().start().await;
    let config = Config::new()
        .api(api("/a", &upstream).with("hosts", json!(["my_shop.example"])))
        .api(api("/b", "http://no_such_host.invalid:81"));
    let gw = Gateway::serving(config).await;
    assert_eq!(gw.send(get("/a").header("host", "my_shop.example:80")).await.status(), 200);
    assert_eq!(gw.get("/b").await.reason(), "upstream_unreachable", "taken, and not found");
}

/// Checklist 95.
#[tokio::test]
async fn a_query_is_passed_on_as_it_came() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    for query in
        ["a=%25", "%25", "a=%", "a=%zz&b", "a=1&a=2&&=", "a=b+c%20d%2B", "q=%E2%82%AC&r=%FF", "a[]=1&b={}|^"]
    {
        let answer =
            gw.raw(format!("GET /a/x?{query} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await;
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{query}: {}", String::from_utf8_lossy(&answer));
        assert_eq!(upstream.last().path, format!("/x?{query}"));
    }
}

/// Checklist 96.
#[tokio::test]
async fn an_upstream_that_leaves_after_100_continue_is_an_error() {
    let upstream = Upstream::raw(|mut stream| async move {
        stream.head().await;
        stream.write("HTTP/1.1 100 Continue\r\n\r\n").await;
        stream.take(5).await;
    });
    let upstream = upstream.start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let mut conn = gw.connect().await;
    conn.write("POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n").await;
    assert_eq!(conn.head().await.status, 100);
    conn.write("hello").await;
    let response = conn.response().await;
    assert_eq!((response.status, response.reason().as_str()), (502, "upstream_broke"));
}

/// Checklist 98.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_apis_are_taken_up_while_requests_are_served() {
    let upstream = Upstream::text("ok").start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let many = (0..2_000).fold(Config::from(api("/a", &upstream)), |config, n| {
        config.api(
            api(&format!("/shop-{n}"), &upstream).policy("rateLimit", json!({ "limit": 10, "window": "1m" })),
        )
    });
    let (served, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let mut client = gw.http1().await;
    let (count, stop) = (Arc::clone(&served), Arc::clone(&done));
    let asking = tokio::spawn(async move {
        let mut slowest = Duration::ZERO;
        while !stop.load(SeqCst) {
            let start = Instant::now();
            assert_eq!(client.send("/a").await.text(), "ok");
            slowest = slowest.max(start.elapsed());
            count.fetch_add(1, SeqCst);
        }
        slowest
    });
    eventually("the first answers", async || served.load(SeqCst) > 10).await;
    let before = served.load(SeqCst);
    gw.apply(many).await.expect("a valid configuration");
    let meanwhile = served.load(SeqCst) - before;
    assert_eq!(gw.get("/shop-1999").await.status(), 200);
    done.store(true, SeqCst);
    let slowest = asking.await.expect("every request was answered");
    assert!(meanwhile > 10, "only {meanwhile} requests were answered while 2000 APIs were taken up");
    assert!(slowest < Duration::from_secs(5), "a request took {slowest:?}");
}

/// Checklist 100.
#[tokio::test]
async fn refused_requests_are_counted_for_their_api() {
    let upstream = Upstream::text("ok").start().await;
    let shop = api("/shop", &upstream).operation("GET", "/orders").policy("apiKey", json!({}));
    let gw = Gateway::serving(Config::from(shop).application("app", "the-key", &["shop"])).await;
    gw.get("/shop/orders").await;
    gw.send(request("DELETE", "/shop/orders").header("x-gateway-apikey", "the-key")).await;
    gw.send(get("/shop/orders").header("x-gateway-apikey", "wrong")).await;
    let events: Vec<Value> = gw.events("api=shop&status=FAILURE").await;
    assert_eq!(events.len(), 3, "{events:?}");
    eventually("the count", async || {
        let line = "gatewright_requests_total{api=\"shop\",version=\"1.0\",status=\"4xx\"} 3";
        gw.ops("/metrics").await.text().contains(line)
    })
    .await;
    let metrics = gw.ops("/metrics").await.text();
    let refused = metrics.lines().find(|line| line.contains("refused") && line.contains("api=\"shop\""));
    assert!(refused.is_some_and(|line| line.ends_with(" 3")), "{metrics}");
}

/// Checklist 2. Redirects are the client's business, whatever their status.
#[tokio::test]
async fn a_redirect_is_passed_on_and_not_followed() {
    for code in [300, 301, 302, 303, 304, 307, 308] {
        let upstream = Upstream::respond(move |_| {
            let mut response = Response::new(body::empty());
            *response.status_mut() = http::StatusCode::from_u16(code).expect("a status");
            let place = http::HeaderValue::from_static("/elsewhere");
            response.headers_mut().insert("location", place);
            response
        });
        let upstream = upstream.start().await;
        let gw = Gateway::serving(api("/a", &upstream)).await;
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let response = gw.client(protocol).await.send("/a").await;
            assert_eq!((response.status(), response.header("location")), (code, "/elsewhere"));
        }
        assert_eq!(upstream.count(), 2);
    }
}
