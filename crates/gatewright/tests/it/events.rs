//! Events, counters and what operators are told.

use testkit::{Config, Gateway, MINUTE, Place, START, Upstream, api, get, json, post};

#[tokio::test]
async fn a_request_leaves_an_event_with_every_field() {
    let upstream = Upstream::text("answer").start().await;
    let shop = api("/shop", &upstream).operation("POST", "/orders/{id}").policy("apiKey", json!({}));
    let gw = Gateway::serving(Config::from(shop).application("app", "the-key", &["shop"])).await;
    let asked = post("/shop/orders/7?a=b&c", "hello")
        .header("x-gateway-apikey", "the-key")
        .header("user-agent", "test/1");
    let response = gw.send(asked).await;
    let events = gw.events("limit=5").await;
    assert_eq!(events.len(), 1);
    let event = &events[0];
    for (field, value) in [
        ("eventType", json!("Transactional")),
        ("creationDate", json!(START.millis())),
        ("correlationID", json!(response.request_id())),
        ("apiId", json!("shop:1.0")),
        ("apiName", json!("shop")),
        ("apiVersion", json!("1.0")),
        ("operationName", json!("POST /orders/{id}")),
        ("httpMethod", json!("POST")),
        ("nativeHttpMethod", json!("POST")),
        ("requestPath", json!("/shop/orders/7")),
        ("queryParameters", json!("a=b&c")),
        ("applicationName", json!("app")),
        ("applicationId", json!("app")),
        ("applicationIp", json!("127.0.0.1")),
        ("responseCode", json!(200)),
        ("status", json!("SUCCESS")),
        ("reasonCode", json!("")),
        ("errorOrigin", json!("")),
        ("requestSize", json!(5)),
        ("responseSize", json!(6)),
        ("totalDataSize", json!(11)),
        ("userAgent", json!("test/1")),
        ("callbackRequest", json!(false)),
    ] {
        assert_eq!(event[field], value, "{field}");
    }
    let call = &event["externalCalls"][0];
    assert_eq!(
        (&call["externalCallType"], &call["externalURL"], &call["responseCode"]),
        (&json!("NATIVE_SERVICE_CALL"), &json!(upstream.url()), &json!("200"))
    );
    let times = [&event["totalTime"], &event["providerTime"], &event["gatewayTime"]];
    assert!(times.iter().all(|time| time.is_u64()), "{event}");
}

#[tokio::test]
async fn failures_are_events_with_their_origin() {
    let place = Place::reserve();
    let teapot = Upstream::status(418).start().await;
    let config = Config::new().api(api("/dead", &*place.url())).api(api("/teapot", &teapot)).one_worker();
    let gw = Gateway::serving(config).await;
    for (path, code, reason, origin) in [
        ("/dead", 502, "upstream_unreachable", "Nativeservice"),
        ("/teapot", 418, "", "Nativeservice"),
        ("/nothing", 404, "no_such_api", "APIGateway"),
    ] {
        let response = gw.get(path).await;
        let event = gw.events(&format!("id={}", response.request_id())).await.remove(0);
        assert_eq!((&event["status"], &event["responseCode"]), (&json!("FAILURE"), &json!(code)), "{path}");
        assert_eq!((&event["reasonCode"], &event["errorOrigin"]), (&json!(reason), &json!(origin)), "{path}");
        assert_eq!(event["applicationName"], "unknown");
    }
}

#[tokio::test]
async fn events_are_filtered_and_paged() {
    let upstream = Upstream::text("ok").start().await;
    let config = Config::new().api(api("/a", &upstream)).api(api("/b", &upstream)).one_worker();
    let gw = Gateway::serving(config).await;
    for n in 0..3 {
        gw.get(&format!("/a/{n}")).await;
        gw.send(post("/b", "x")).await;
        gw.get("/nothing").await;
        gw.advance(MINUTE);
    }
    for (filter, count) in [
        ("limit=100", 9),
        ("api=a", 3),
        ("method=POST", 3),
        ("status=FAILURE", 3),
        ("code=404", 3),
        ("code=2xx", 6),
        ("path=/a/", 3),
        ("reason=no_such_api", 3),
        ("client=127.0.0.1", 9),
        ("client=10.0.0.1", 0),
        ("api=a&code=404", 0),
    ] {
        assert_eq!(gw.events(filter).await.len(), count, "{filter}");
    }
    let last_minute = format!("from={}", START.millis() + 2 * 60_000);
    assert_eq!(gw.events(&last_minute).await.len(), 3);
    let (mut seen, mut cursor) = (std::collections::HashSet::new(), String::new());
    loop {
        let page = gw.ops(&*format!("/events?limit=4{cursor}")).await.json();
        for event in page["events"].as_array().unwrap() {
            assert!(seen.insert(event["correlationID"].as_str().unwrap().to_owned()), "an event came twice");
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 9);
    assert_eq!(gw.ops("/events?code=9xx").await.reason(), "bad_filter");
}

#[tokio::test]
async fn counters_are_there_and_outlive_a_reload() {
    let upstream = Upstream::text("ok").start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    for _ in 0..3 {
        gw.get("/a").await;
    }
    gw.get("/nothing").await;
    gw.apply(api("/a", &upstream).with("description", "changed")).await.unwrap();
    gw.get("/a").await;
    let metrics = gw.ops("/metrics").await;
    assert!(metrics.header("content-type").starts_with("text/plain; version=0.0.4"));
    for line in [
        "gatewright_requests_total{api=\"a\",version=\"1.0\",status=\"2xx\"} 4",
        "gatewright_requests_total{api=\"\",version=\"\",status=\"4xx\"} 1",
        "gatewright_request_duration_seconds_count{api=\"a\",version=\"1.0\"} 4",
        "gatewright_response_bytes_total{api=\"a\",version=\"1.0\"} 8",
        "gatewright_config_revision 2",
        "gatewright_events_dropped_total 0",
    ] {
        assert!(metrics.text().lines().any(|l| l == line), "{line} is missing in\n{}", metrics.text());
    }
}

#[tokio::test]
async fn malformed_requests_leave_an_event_and_are_counted() {
    let upstream = Upstream::text("ok").start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    gw.raw("GET /a HTTP/1.1\r\nHost: a\r\nX : y and enough to be more than a few bytes\r\n\r\n").await;
    let metrics = gw.ops("/metrics").await.text();
    assert!(
        metrics.contains("gatewright_requests_total{api=\"\",version=\"\",status=\"4xx\"} 1"),
        "{metrics}"
    );
    let event = gw.events("limit=10").await.remove(0);
    assert_eq!((&event["reasonCode"], &event["responseCode"]), (&json!("bad_request"), &json!(400)));
    assert_eq!((&event["httpMethod"], &event["requestPath"]), (&json!("GET"), &json!("/a")), "{event}");
}

#[tokio::test]
async fn a_definition_is_handed_out_byte_for_byte() {
    let upstream = Upstream::text("ok").start().await;
    let text = "# a comment\nopenapi:   3.0.3\ninfo: {title: Pets,   version: '1.2'}\npaths:\n  /pets/{id}:\n    get: {operationId: getPet, responses: {'200': {description: ok}}}\n\n\n";
    let config = Config::new().file("pets.yaml", text);
    let gw = Gateway::serving(
        config.append("apis", json!({ "definition": "pets.yaml", "upstream": upstream.url() })),
    )
    .await;
    let response = gw.get("/gateway/Pets/1.2/pets/7").await;
    assert_eq!(response.status(), 200);
    assert_eq!(gw.explain(&response).await.operation.map(|o| o.name).as_deref(), Some("getPet"));
    let definition = gw.ops("/apis/Pets/1.2/definition").await;
    assert_eq!((definition.header("content-type"), definition.text().as_str()), ("application/yaml", text));
    assert_eq!(gw.ops("/apis/Pets/9/definition").await.reason(), "no_definition");
    let apis = gw.ops("/apis").await.json();
    assert_eq!(
        (&apis["apis"][0]["basePath"], &apis["apis"][0]["operations"]),
        (&json!("/gateway/Pets/1.2"), &json!(1))
    );
}

#[tokio::test]
async fn events_and_the_access_log_are_on_disk_when_the_gateway_has_stopped() {
    let upstream = Upstream::text("ok").start().await;
    let data = tempfile::tempdir().unwrap();
    let log = data.path().join("access.log");
    let config = || {
        Config::from(api("/a", &upstream))
            .setting("dataDirectory", data.path().to_str().unwrap())
            .setting("accessLog.path", log.to_str().unwrap())
    };
    let gw = Gateway::serving(config()).await;
    let id = gw.send(get("/a/x?y=1").header("user-agent", "test/1")).await.request_id().to_owned();
    gw.stop().await;
    let line = std::fs::read_to_string(&log).unwrap();
    let line: testkit::Value = serde_json::from_str(line.trim()).unwrap();
    assert_eq!(
        (&line["requestId"], &line["path"], &line["status"], &line["api"]),
        (&json!(id), &json!("/a/x"), &json!(200), &json!("a:1.0"))
    );
    let gw = Gateway::serving(config()).await;
    assert_eq!(gw.events(&format!("id={id}")).await.len(), 1);
}

#[tokio::test]
async fn fields_of_ones_own_are_in_the_event_and_bounded() {
    let upstream = Upstream::text("ok").start().await;
    let request = json!({ "set": [
        { "variable": "customTransactionFields.tenant", "value": "${request.query.tenant}" },
        { "variable": "customTransactionFields.gone", "value": "x" },
    ] });
    let response = json!({
        "set": [{ "variable": "${customTransactionFields.code}", "value": "native ${response.statusCode}" }],
        "remove": ["customTransactionFields.gone"],
    });
    let many: Vec<_> = (0..40)
        .map(|n| json!({ "variable": format!("customTransactionFields.f{n}"), "value": n.to_string() }))
        .collect();
    let config = Config::new()
        .api(
            api("/a", &upstream)
                .policy("requestTransformation", request)
                .policy("responseTransformation", response),
        )
        .api(api("/many", &upstream).policy("requestTransformation", json!({ "set": many })))
        .api(api("/none", &upstream));
    let gw = Gateway::serving(config).await;
    let long = format!("/a?tenant=x{}", "%C3%A9".repeat(600));
    for (path, expect) in [
        ("/a?tenant=red", json!({ "tenant": "red", "code": "native 200" })),
        ("/a?tenant=%C3%A9%1b", json!({ "tenant": "\u{e9}\u{1b}", "code": "native 200" })),
        (&*long, json!({ "tenant": format!("x{}", "\u{e9}".repeat(255)), "code": "native 200" })),
        ("/none?tenant=red", json!({})),
    ] {
        let response = gw.get(path).await;
        assert_eq!(response.status(), 200);
        let event = gw.events(&format!("id={}", response.request_id())).await.remove(0);
        assert_eq!(event["customFields"], expect, "{path}");
    }
    let response = gw.get("/many").await;
    let event = gw.events(&format!("id={}", response.request_id())).await.remove(0);
    let fields = event["customFields"].as_object().expect("an object");
    assert_eq!((fields.len(), &fields["f0"], &fields["f15"]), (16, &json!("0"), &json!("15")));

    let name = format!("customTransactionFields.{}", "x".repeat(65));
    let long = json!({ "set": [{ "variable": name, "value": "1" }] });
    let error =
        gw.apply(api("/a", &upstream).policy("requestTransformation", long)).await.expect_err("too long");
    assert!(error.to_string().contains("policies[0].config.set[0].variable"), "{error}");
}

#[tokio::test]
async fn events_beyond_the_queue_are_counted_and_no_request_waits() {
    use std::io::{Read, Write};
    const SENT: usize = 256 * 24;
    let config = Config::new().setting("events.queue", 1).one_worker();
    let gw = Gateway::serving(config).await;
    // Events are taken from the queue on the thread of this test, which does nothing else until all is answered.
    let mut stream = std::net::TcpStream::connect(gw.address()).expect("the gateway listens");
    let mut writing = stream.try_clone().expect("a stream");
    let all = std::thread::spawn(move || {
        let request = "GET /nothing HTTP/1.1\r\nHost: a\r\nAccept: text/plain\r\n\r\n";
        let _ = writing.write_all(request.repeat(SENT).as_bytes());
        let _ = writing.shutdown(std::net::Shutdown::Write);
    });
    let mut answers = String::new();
    stream.read_to_string(&mut answers).expect("answers are text");
    all.join().expect("all was written");
    assert_eq!(answers.matches("HTTP/1.1 404").count(), SENT, "every request was answered");
    let metrics = gw.ops("/metrics").await.text();
    let dropped = metrics.lines().find_map(|line| line.strip_prefix("gatewright_events_dropped_total "));
    let dropped: usize = dropped.and_then(|count| count.parse().ok()).expect("a count");
    // One place, not one place for hundreds at a time.
    assert!(dropped > SENT / 2, "{dropped} were dropped of {SENT}");
    let mut kept = 0;
    let mut cursor = String::new();
    loop {
        let page = gw.ops(&*format!("/events?limit=1000{cursor}")).await.json();
        kept += page["events"].as_array().map_or(0, Vec::len);
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(kept + dropped, SENT, "what is not kept is counted");
}

#[tokio::test]
async fn events_can_be_followed_as_they_come() {
    use http_body_util::BodyExt;
    let upstream = Upstream::text("ok").start().await;
    let gw = Gateway::serving(Config::from(api("/a", &upstream)).api(api("/b", &upstream))).await;
    gw.get("/a/before").await;
    let _ = gw.events("limit=1").await;
    let address = gw.inner().operations();
    let stream = tokio::net::TcpStream::connect(address).await.expect("the operations listener listens");
    let client = testkit::Client::over(stream, testkit::Protocol::Http1, &address.to_string(), false).await;
    let answer = client.expect("a connection").open("/events/follow?api=a").await.expect("an answer");
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    let mut body = answer.into_body();
    for path in ["/a/1", "/a/2"] {
        gw.get("/b/other").await;
        gw.get(path).await;
        let line = testkit::wait::soon("an event", body.frame()).await.expect("more").expect("a piece");
        let line = line.into_data().expect("bytes");
        let event: testkit::Value = serde_json::from_slice(line.trim_ascii()).expect("one event on a line");
        assert_eq!(event["requestPath"], path);
    }
    assert_eq!(gw.ops("/events/follow?code=9xx").await.reason(), "bad_filter");
}

#[tokio::test]
async fn events_are_gone_when_their_time_is_over() {
    let upstream = Upstream::text("ok").start().await;
    let data = tempfile::tempdir().expect("a directory");
    let config = Config::from(api("/a", &upstream))
        .setting("dataDirectory", data.path().to_str().expect("a path"))
        .setting("events.retention", "2d");
    let file = data.path().join("gatewright.yaml");
    std::fs::write(&file, config.to_text()).expect("a file");
    let start_after = async |days: u32| {
        let clock = engine::Clock::manual(START);
        clock.advance(days * 24 * 60 * MINUTE);
        let source = gatewright::Source::Path(file.clone());
        let options = gatewright::StartOptions { clock, ..gatewright::StartOptions::new(source) };
        gatewright::Gateway::start(options).await.expect("it starts")
    };
    let ask = async |gw: &gatewright::Gateway, path: &str| {
        let mut conn = testkit::RawConn::open(gw.operations()).await;
        conn.write(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        conn.response().await.json()["events"].as_array().map_or(0, Vec::len)
    };
    let first = start_after(0).await;
    let mut conn = testkit::RawConn::open(first.listeners()[0].address).await;
    conn.write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(conn.response().await.status, 200);
    assert_eq!(ask(&first, "/events").await, 1);
    first.stop().await;
    for (days, kept) in [(1, 1), (4, 0)] {
        let later = start_after(days).await;
        testkit::eventually("what is kept", async || ask(&later, "/events").await == kept).await;
        later.stop().await;
    }
}
