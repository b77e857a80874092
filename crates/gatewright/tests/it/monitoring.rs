//! Monitoring: what is counted over intervals, when alerts are raised, and where they arrive.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU16, AtomicUsize, Ordering::Relaxed},
};

use engine::Clock;
use http::StatusCode;
use testkit::{Config, Gateway, MINUTE, Place, SECOND, Upstream, Value, api, body, eventually, get, json};

/// An upstream that answers with the status in the word.
async fn answering(status: &Arc<AtomicU16>) -> Upstream {
    let status = Arc::clone(status);
    Upstream::respond(move |_| {
        let mut response = http::Response::new(body::full("answer"));
        *response.status_mut() = StatusCode::from_u16(status.load(Relaxed)).expect("a status");
        response
    })
    .start()
    .await
}

pub(crate) fn rule(metric: &str, operator: &str, value: impl Into<Value>) -> Value {
    json!({ "metric": metric, "operator": operator, "value": value.into() })
}

fn monitor(rules: &[Value]) -> Value {
    json!({ "rules": rules, "interval": { "unit": "minute" } })
}

/// The alerts so far, the oldest first, in a few words.
pub(crate) async fn alerts(gw: &Gateway) -> Vec<String> {
    let events = gw.events("type=Monitor&limit=1000").await;
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let text = |event: &Value| {
        let fields = &event["customFields"];
        let caller = word(&event["applicationName"]);
        let caller = if caller.is_empty() { caller } else { format!("{caller}: ") };
        format!("{caller}{} was {}", word(&fields["monitorAttr"]), word(&fields["value"]))
    };
    events.iter().rev().map(text).collect()
}

pub(crate) async fn alerted(gw: &Gateway, expected: &[&str]) {
    let found = tokio::time::timeout(std::time::Duration::from_secs(10), async {
        while alerts(gw).await.len() < expected.len() {
            tokio::task::yield_now().await;
        }
    });
    let in_time = found.await.is_ok();
    let found = alerts(gw).await;
    assert!(in_time && found == expected, "expected {expected:?}, found {found:?}");
}

#[tokio::test]
async fn counts_alert_at_once_and_once_in_an_interval() {
    let status = Arc::new(AtomicU16::new(200));
    let upstream = answering(&status).await;
    let rules = [rule("faultCount", "greater", 1), rule("requestCount", "greater", 3)];
    let gw = Gateway::serving(api("/a", &upstream).policy("monitorPerformance", monitor(&rules))).await;
    let first = "faultCount > 1 and requestCount > 3 was 2";
    for code in [200, 500, 404, 200] {
        assert_eq!(alerts(&gw).await, [""; 0]);
        status.store(code, Relaxed);
        gw.get("/a").await;
    }
    alerted(&gw, &[first]).await;
    status.store(500, Relaxed);
    gw.get("/a").await;
    gw.advance(MINUTE);
    for _ in 0..3 {
        gw.get("/a").await;
    }
    alerted(&gw, &[first]).await;
    gw.get("/a").await;
    alerted(&gw, &[first, "faultCount > 1 and requestCount > 3 was 4"]).await;
}

#[tokio::test]
async fn counts_are_exact_over_workers() {
    let upstream = Upstream::text("ok").start().await;
    let mut exactly = monitor(&[rule("requestCount", "equal", 200)]);
    exactly["frequency"] = "always".into();
    let mut beyond = monitor(&[rule("successCount", "greater", 195)]);
    beyond["frequency"] = "always".into();
    let at_the_end = monitor(&[rule("successCount", "less", 201), rule("successCount", "greater", 199)]);
    let api = api("/a", &upstream)
        .policy("monitorPerformance", exactly)
        .policy("monitorPerformance", beyond)
        .policy("monitorPerformance", at_the_end);
    let gw = Gateway::serving(api).await;
    let clients = (0..20).map(|_| async {
        let mut client = gw.http1().await;
        for _ in 0..10 {
            assert_eq!(client.send("/a").await.status(), 200);
        }
    });
    futures_util::future::join_all(clients).await;
    eventually("all that were due", async || alerts(&gw).await.len() >= 6).await;
    gw.advance(MINUTE);
    eventually("the end of the interval", async || alerts(&gw).await.len() >= 7).await;
    let mut found = alerts(&gw).await;
    found.sort();
    assert_eq!(
        found,
        [
            "requestCount = 200 was 200",
            "successCount < 201 and successCount > 199 was 200",
            "successCount > 195 was 196",
            "successCount > 195 was 197",
            "successCount > 195 was 198",
            "successCount > 195 was 199",
            "successCount > 195 was 200",
        ]
    );
}

#[tokio::test]
async fn intervals_end_when_no_request_comes() {
    let clock: Arc<OnceLock<Clock>> = Arc::default();
    let (hand, count) = (Arc::clone(&clock), AtomicUsize::new(0));
    let upstream = Upstream::respond(move |_| {
        // The first takes 100 ms, the second 300 ms.
        let millis = [100, 300][count.fetch_add(1, Relaxed) % 2];
        hand.get().expect("a clock").advance(std::time::Duration::from_millis(millis));
        http::Response::new(body::full("late"))
    })
    .start()
    .await;
    let mut api = api("/a", &upstream);
    for (metric, operator, value) in [
        ("averageResponseTime", "greater", 199.5),
        ("minimumResponseTime", "less", 150.0),
        ("maximumResponseTime", "equal", 300.0),
        ("averageResponseTime", "greater", 200.0),
        ("requestCount", "less", 1.0),
    ] {
        api = api.policy("monitorPerformance", monitor(&[rule(metric, operator, value)]));
    }
    let gw = Gateway::serving(Config::from(api).one_worker()).await;
    clock.set(gw.clock().clone()).expect("a clock is set once");
    gw.get("/a").await;
    gw.get("/a").await;
    assert_eq!(alerts(&gw).await, [""; 0], "not before the end");
    gw.advance(MINUTE);
    eventually("the end of the first interval", async || alerts(&gw).await.len() >= 3).await;
    let mut first = alerts(&gw).await;
    first.sort();
    assert_eq!(
        first,
        [
            "averageResponseTime > 199.5 was 200",
            "maximumResponseTime = 300 was 300",
            "minimumResponseTime < 150 was 100",
        ]
    );
    gw.advance(MINUTE);
    eventually("the end of the second one", async || alerts(&gw).await.len() >= 4).await;
    assert_eq!(alerts(&gw).await[3..], ["requestCount < 1 was 0"], "without requests there is no time");
}

#[tokio::test]
async fn availability_is_the_share_of_time_that_the_service_was_there() {
    let place = Place::reserve();
    let rules = monitor(&[rule("availability", "less", 100)]);
    let upstream = json!({ "endpoints": [{ "url": place.url() }] });
    let config =
        Config::new().upstream("there", upstream).api(api("/a", "there").policy("monitorPerformance", rules));
    let gw = Gateway::serving(config).await;
    gw.advance(15 * SECOND);
    assert_eq!(gw.get("/a").await.status(), 502);
    gw.advance(30 * SECOND);
    let upstream = place.start(Upstream::text("ok")).await;
    eventually("an answer", async || gw.get("/a").await.status() == 200).await;
    gw.advance(15 * SECOND);
    alerted(&gw, &["availability < 100 was 50"]).await;
    gw.advance(MINUTE);
    gw.get("/a").await;
    drop(upstream);
    assert_eq!(gw.get("/a").await.status(), 502);
    gw.advance(MINUTE);
    alerted(&gw, &["availability < 100 was 50", "availability < 100 was 0"]).await;
}

#[tokio::test]
async fn an_operation_is_monitored_for_itself() {
    let upstream = Upstream::text("ok").start().await;
    let policy =
        json!({ "type": "monitorPerformance", "config": monitor(&[rule("requestCount", "greater", 1)]) });
    let operations = json!([
        { "method": "GET", "path": "/x", "name": "read" },
        { "method": "GET", "path": "/y" },
    ]);
    let api = api("/a", &upstream)
        .with("operations", operations)
        .with("operationPolicies", json!([{ "operation": "read", "policies": [policy] }]));
    let gw = Gateway::serving(api).await;
    for path in ["/a/x", "/a/y", "/a/y", "/a/y"] {
        gw.get(path).await;
    }
    let read = gw.get("/a/x").await;
    alerted(&gw, &["requestCount > 1 was 2"]).await;
    assert_eq!(gw.events("type=Monitor").await[0]["operationName"], "read");
    let explanation = gw.explain(&read).await;
    let note = explanation.to_text();
    assert!(note.contains("1 requests before it in this interval, 0 faults"), "{note}");
}

#[tokio::test]
async fn only_what_the_condition_is_about_counts() {
    let status = Arc::new(AtomicU16::new(200));
    let upstream = answering(&status).await;
    let mut policy = monitor(&[rule("requestCount", "greater", 1)]);
    policy["when"] = json!({ "all": [
        { "variable": "${response.statusCode}", "operator": "range", "value": "500-599" },
        { "not": { "variable": "${request.headers.X-Probe}", "operator": "exists" } },
    ] });
    let gw = Gateway::serving(api("/a", &upstream).policy("monitorPerformance", policy)).await;
    for (code, probe) in [(200, false), (500, false), (500, true), (404, false), (302, false)] {
        status.store(code, Relaxed);
        let request = get("/a");
        gw.send(if probe { request.header("x-probe", "1") } else { request }).await;
    }
    assert_eq!(alerts(&gw).await, [""; 0]);
    status.store(503, Relaxed);
    gw.get("/a").await;
    alerted(&gw, &["requestCount > 1 was 2"]).await;
}

#[tokio::test]
async fn counts_stay_through_a_reload_until_the_policy_changes() {
    let upstream = Upstream::text("ok").start().await;
    let config = |value: u32, more: &str| {
        Config::new().api(
            api("/a", &upstream)
                .with("description", more)
                .policy("monitorPerformance", monitor(&[rule("requestCount", "equal", value)])),
        )
    };
    let gw = Gateway::serving(config(2, "one")).await;
    gw.get("/a").await;
    gw.apply(config(2, "two")).await.expect("it is valid");
    gw.get("/a").await;
    alerted(&gw, &["requestCount = 2 was 2"]).await;
    gw.apply(config(1, "two")).await.expect("it is valid");
    gw.get("/a").await;
    alerted(&gw, &["requestCount = 2 was 2", "requestCount = 1 was 1"]).await;
}

#[tokio::test]
async fn questions_count_nothing() {
    let upstream = Upstream::text("ok").start().await;
    let gw = Gateway::serving(
        api("/a", &upstream).policy("monitorPerformance", monitor(&[rule("requestCount", "greater", 0)])),
    )
    .await;
    let question = json!({ "method": "GET", "url": "/a" });
    let asked = testkit::post("/explain", question.to_string()).header("content-type", "application/json");
    assert_eq!(gw.ops(asked).await.status(), 200);
    assert_eq!(alerts(&gw).await, [""; 0]);
    gw.get("/a").await;
    alerted(&gw, &["requestCount > 0 was 1"]).await;
}

#[tokio::test]
async fn what_cannot_work_is_refused_with_its_path() {
    let upstream = Upstream::text("ok").start().await;
    let policy = |config: Value| api("/a", &upstream).policy("monitorPerformance", config);
    let one = rule("requestCount", "greater", 1);
    let log = json!({ "name": "ops", "type": "log", "level": "error" });
    for (config, path, problem) in [
        (
            Config::from(policy(monitor(&[rule("availability", "less", 101)]))),
            "apis[0].policies[0].config.rules[0].value",
            "0 to 100",
        ),
        (
            Config::from(policy(monitor(&[one.clone(), rule("faultCount", "less", 1.5)]))),
            "apis[0].policies[0].config.rules[1].value",
            "whole number",
        ),
        (
            Config::from(policy(json!({ "rules": [one], "interval": { "unit": "day" }, "when": {
                "variable": "${response.payload}", "operator": "contains", "value": "x",
            } }))),
            "apis[0].policies[0].config.when",
            "about a body",
        ),
        (
            Config::from(policy(
                json!({ "rules": [one], "interval": { "unit": "day" }, "when": { "cel": "1 +" } }),
            )),
            "apis[0].policies[0].config.when.cel",
            "",
        ),
        (Config::from(policy(monitor(&[]))), "apis[0].policies[0].config.rules", ""),
        (
            Config::from(policy(
                json!({ "rules": [one], "interval": { "unit": "calendarWeek", "length": 2 } }),
            )),
            "apis[0].policies[0].config.interval.length",
            "at most 1",
        ),
        (
            Config::from(policy(
                json!({ "rules": [one], "interval": { "unit": "day" }, "message": "${message}" }),
            )),
            "apis[0].policies[0].config.message",
            "no alert has",
        ),
        (
            Config::from(policy(
                json!({ "rules": [one], "interval": { "unit": "day" }, "destinations": ["opps"] }),
            ))
            .append("destinations", log.clone()),
            "apis[0].policies[0].config.destinations[0]",
            "did you mean `ops`?",
        ),
        (
            Config::from(api("/a", &upstream))
                .append("destinations", log.clone())
                .append("destinations", log),
            "destinations[1].name",
            "a second time",
        ),
        (
            Config::from(api("/a", &upstream))
                .append("destinations", json!({ "name": "a", "type": "webhook", "url": "ftp://a.example" })),
            "destinations[0].url",
            "http://",
        ),
        (
            Config::from(api("/a", &upstream)).append(
                "destinations",
                json!({ "name": "a", "type": "webhook", "url": "http://a.example", "headers": [
                    { "name": "Authorization", "secret": "${env:GATEWRIGHT_TEST_NO_SUCH_VARIABLE}" },
                ] }),
            ),
            "destinations[0].headers[0].secret",
            "GATEWRIGHT_TEST_NO_SUCH_VARIABLE",
        ),
    ] {
        let Err(found) = Gateway::start(config).await else { panic!("{path} is accepted") };
        let found = found.to_string();
        assert!(found.contains(path) && found.contains(problem), "expected {path}: {problem}, found {found}");
    }
}

fn with_applications(upstream: &Upstream, policy: Value) -> Config {
    let api =
        api("/a", upstream).policy("apiKey", json!({ "allowAnonymous": true })).policy("monitorSla", policy);
    Config::from(api).application("shop", "key-shop", &["a"]).application("bank", "key-bank", &["a"])
}

async fn call(gw: &Gateway, key: &str) {
    assert_eq!(gw.send(get("/a").header("x-Gateway-APIKey", key)).await.status(), 200);
}

#[tokio::test]
async fn service_levels_are_measured_for_each_application() {
    let upstream = Upstream::text("ok").start().await;
    let gw =
        Gateway::serving(with_applications(&upstream, monitor(&[rule("requestCount", "greater", 1)]))).await;
    call(&gw, "key-shop").await;
    call(&gw, "key-bank").await;
    gw.get("/a").await;
    gw.get("/a").await;
    assert_eq!(alerts(&gw).await, [""; 0]);
    call(&gw, "key-bank").await;
    call(&gw, "key-bank").await;
    alerted(&gw, &["bank: requestCount > 1 was 2"]).await;
    call(&gw, "key-shop").await;
    alerted(&gw, &["bank: requestCount > 1 was 2", "shop: requestCount > 1 was 2"]).await;
}

#[tokio::test]
async fn an_application_that_is_named_and_does_not_call_is_noticed() {
    let upstream = Upstream::text("ok").start().await;
    let mut policy = monitor(&[rule("requestCount", "less", 2)]);
    policy["applications"] = json!(["shop"]);
    let gw = Gateway::serving(with_applications(&upstream, policy)).await;
    call(&gw, "key-bank").await;
    gw.advance(MINUTE);
    alerted(&gw, &["shop: requestCount < 2 was 0"]).await;
    call(&gw, "key-shop").await;
    call(&gw, "key-shop").await;
    gw.advance(MINUTE);
    call(&gw, "key-shop").await;
    gw.advance(MINUTE);
    alerted(&gw, &["shop: requestCount < 2 was 0", "shop: requestCount < 2 was 1"]).await;
}

#[tokio::test]
async fn a_service_level_without_identified_applications_is_warned_of() {
    let upstream = Upstream::text("ok").start().await;
    let policy = monitor(&[rule("requestCount", "greater", 1)]);
    let gw = Gateway::serving(api("/a", &upstream).policy("monitorSla", policy)).await;
    let warnings = gw.inner().status().warnings;
    let told = |warning: &model::Diagnostic| warning.to_string().contains("needs an identified application");
    assert!(warnings.iter().any(told), "{warnings:?}");
    let twice = json!({ "applications": ["shop", "shop"], "rules": [rule("requestCount", "greater", 1)], "interval": { "unit": "day" } });
    let Err(found) = Gateway::start(with_applications(&upstream, twice)).await else {
        panic!("it is accepted")
    };
    assert!(found.to_string().contains("config.applications[1]: found `shop` a second time"), "{found}");
}

#[tokio::test]
async fn the_mode_alert_of_a_quota_lets_requests_pass_and_alerts() {
    let upstream = Upstream::text("ok").start().await;
    let throttle =
        |mode: &str| json!({ "limit": { "requests": 1, "per": "hour", "units": 2 }, "mode": mode });
    let gw = Gateway::serving(api("/a", &upstream).policy("throttle", throttle("alert"))).await;
    for _ in 0..3 {
        assert_eq!(gw.get("/a").await.status(), 200);
    }
    alerted(&gw, &["default: 100% of 1 request was 100"]).await;
    let event = gw.events("type=Monitor").await.remove(0);
    assert_eq!(event["customFields"]["alertDesc"], "default: 1 request in 2 hours: used up");
    assert_eq!(event["customFields"]["alertType"], "Quota");
    let quiet = Gateway::serving(api("/a", &upstream).policy("throttle", throttle("soft"))).await;
    for _ in 0..3 {
        assert_eq!(quiet.get("/a").await.status(), 200);
    }
    assert_eq!(alerts(&quiet).await, [""; 0], "nobody asked for it");
}
