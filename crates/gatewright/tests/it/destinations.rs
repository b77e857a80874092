//! Destinations: where alerts arrive, in which form, and what happens when nobody takes them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use http::StatusCode;
use testkit::{Config, Gateway, MINUTE, Upstream, Value, api, body, eventually, get, json};

use crate::monitoring::{alerted, alerts, rule};

fn to_hook(hook: &Upstream, more: Value) -> Value {
    let mut doc = json!({ "name": "hook", "type": "webhook", "url": format!("{}/alerts?x=1", hook.url()) });
    let object = doc.as_object_mut().expect("an object");
    object.extend(more.as_object().cloned().unwrap_or_default());
    doc
}

fn monitored(upstream: &Upstream, message: &str) -> testkit::Api {
    api("/a", upstream).policy(
        "monitorPerformance",
        json!({
            "rules": [rule("requestCount", "greater", 0)],
            "interval": { "unit": "hour", "length": 2 },
            "severity": "error",
            "message": message,
            "destinations": ["hook"],
        }),
    )
}

#[tokio::test]
async fn a_webhook_gets_the_alert_as_json_and_its_secret() {
    let upstream = Upstream::text("ok").start().await;
    let hook = Upstream::text("thanks").start().await;
    let headers = json!([
        { "name": "Authorization", "secret": "${env:CARGO_PKG_NAME}" },
        { "name": "X-Team", "value": "ops" },
    ]);
    let config = Config::new()
        .api(monitored(&upstream, "${api}: \"${value}\""))
        .append("destinations", to_hook(&hook, json!({ "headers": headers })));
    let gw = Gateway::serving(config).await;
    gw.get("/a").await;
    hook.wait_for(1).await;
    let seen = hook.last();
    assert_eq!((seen.method.as_str(), &*seen.path), ("POST", "/alerts?x=1"));
    assert_eq!(seen.header("authorization"), "gatewright");
    assert_eq!((seen.header("x-team"), seen.header("content-type")), ("ops", "application/json"));
    let body: Value = serde_json::from_slice(&seen.body).expect("JSON");
    let expected = json!({
        "time": "2026-01-15T10:00:00Z", "severity": "error", "type": "Monitor", "api": "a", "apiVersion": "1.0",
        "operation": "", "policy": "monitorPerformance", "application": "", "rule": "requestCount > 0",
        "metric": "requestCount", "value": 1.0, "threshold": 0.0, "interval": "2 hours", "message": "a: \"1\"",
    });
    assert_eq!(body, expected);
    eventually("the count of deliveries", async || {
        let metrics = gw.ops("/metrics").await.text();
        metrics.contains("gatewright_alert_deliveries_total{destination=\"hook\",result=\"sent\"} 1")
    })
    .await;
    let event = gw.events("type=Monitor").await.remove(0).to_string();
    assert!(!event.contains("Authorization"), "{event}");
    assert!(gw.ops("/metrics").await.text().contains("gatewright_alerts_raised_total 1"));
}

#[tokio::test]
async fn a_destination_takes_the_alerts_that_its_condition_is_about_and_no_others() {
    let upstream = Upstream::text("ok").start().await;
    let hook = Upstream::text("thanks").start().await;
    let about = |api: &str| {
        json!({ "when": { "all": [
            { "variable": "${api}", "operator": "equals", "value": api },
            { "variable": "${severity}", "operator": "notEquals", "value": "info" },
        ] } })
    };
    let with = |when: Value| {
        Config::new()
            .api(monitored(&upstream, "${api}"))
            .api(monitored(&upstream, "${api}").with("name", "b").with("basePath", "/b"))
            .append("destinations", to_hook(&hook, when))
    };
    let gw = Gateway::serving(with(about("b"))).await;
    gw.get("/a").await;
    eventually("the first alert", async || gw.events("type=Monitor").await.len() == 1).await;
    gw.get("/b").await;
    hook.wait_for(1).await;
    let body: Value = serde_json::from_slice(&hook.last().body).expect("JSON");
    assert_eq!((&body["api"], hook.count()), (&json!("b"), 1));
    // Another condition counts without a restart.
    gw.apply(with(about("a"))).await.expect("a configuration");
    gw.advance(MINUTE * 120);
    gw.get("/b").await;
    eventually("the next alert", async || gw.events("type=Monitor").await.len() == 3).await;
    gw.get("/a").await;
    hook.wait_for(2).await;
    let body: Value = serde_json::from_slice(&hook.last().body).expect("JSON");
    assert_eq!((&body["api"], hook.count()), (&json!("a"), 2));
    for (when, told) in [
        (json!({ "variable": "${request.path}", "operator": "exists" }), "destinations[0].when.variable"),
        (json!({ "any": [{ "cel": "true" }] }), "destinations[0].when.any[0].cel"),
    ] {
        let problem = gw.apply(with(json!({ "when": when }))).await.expect_err("it is no condition");
        assert!(problem.to_string().contains(told), "{problem}");
    }
}

#[tokio::test]
async fn a_payload_of_ones_own_stays_json_whatever_is_in_the_alert() {
    let upstream = Upstream::text("ok").start().await;
    let hook = Upstream::text("thanks").start().await;
    let payload = r#"{"text": "${message} (${rule})", "value": ${value}}"#;
    let config = Config::new()
        .api(monitored(&upstream, "a \"quoted\"\nline \\ of ${api}"))
        .append("destinations", to_hook(&hook, json!({ "payload": payload, "method": "PUT" })));
    let gw = Gateway::serving(config).await;
    gw.get("/a").await;
    hook.wait_for(1).await;
    let seen = hook.last();
    assert_eq!(seen.method.as_str(), "PUT");
    let body: Value = serde_json::from_slice(&seen.body).expect("JSON");
    assert_eq!(body, json!({ "text": "a \"quoted\"\nline \\ of a (requestCount > 0)", "value": 1 }));
}

#[tokio::test]
async fn a_webhook_that_is_busy_is_tried_again_and_one_that_refuses_is_not() {
    let upstream = Upstream::text("ok").start().await;
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    let hook = Upstream::respond(move |_| {
        let mut response = http::Response::new(body::full("?"));
        // The first alert meets trouble twice, the next one is refused.
        *response.status_mut() = match counted.fetch_add(1, Relaxed) {
            0 => StatusCode::SERVICE_UNAVAILABLE,
            1 => StatusCode::TOO_MANY_REQUESTS,
            2 => StatusCode::NO_CONTENT,
            _ => StatusCode::FORBIDDEN,
        };
        response
    })
    .start()
    .await;
    let policy = json!({
        "rules": [rule("requestCount", "greater", 0)], "interval": { "unit": "hour" },
        "frequency": "always", "destinations": ["hook"],
    });
    let config = Config::new()
        .api(api("/a", &upstream).policy("monitorPerformance", policy))
        .append("destinations", to_hook(&hook, json!({ "retryAfter": "1ms" })));
    let gw = Gateway::serving(config).await;
    gw.get("/a").await;
    gw.get("/a").await;
    let line = |result: &str| {
        format!("gatewright_alert_deliveries_total{{destination=\"hook\",result=\"{result}\"}} 1\n")
    };
    eventually("both came to their end", async || {
        let metrics = gw.ops("/metrics").await.text();
        metrics.contains(&line("sent")) && metrics.contains(&line("failed"))
    })
    .await;
    assert_eq!(tries.load(Relaxed), 4);
}

#[tokio::test]
async fn requests_do_not_wait_for_a_webhook_that_hangs_and_what_is_too_much_is_dropped() {
    let upstream = Upstream::text("ok").start().await;
    let hook = Upstream::silent().start().await;
    let policy = json!({
        "rules": [rule("requestCount", "greater", 0)], "interval": { "unit": "hour" },
        "frequency": "always", "destinations": ["hook"],
    });
    let config = Config::new()
        .api(api("/a", &upstream).policy("monitorPerformance", policy))
        .append("destinations", to_hook(&hook, json!({ "queue": 1, "timeout": "5m", "retries": 0 })));
    let gw = Gateway::serving(config).await;
    for _ in 0..5 {
        assert_eq!(gw.get("/a").await.status(), 200);
    }
    eventually("alerts are dropped", async || {
        let metrics = gw.ops("/metrics").await.text();
        // One is on its way, and one waits; whether the first was taken in time is up to the machine.
        ["3", "4"]
            .iter()
            .any(|count| metrics.contains(&format!("destination=\"hook\",result=\"dropped\"}} {count}\n")))
    })
    .await;
    eventually("the events, all the same", async || alerts(&gw).await.len() == 5).await;
}

#[tokio::test]
async fn a_destination_that_is_gone_is_missed_by_an_api_that_did_not_change() {
    let upstream = Upstream::text("ok").start().await;
    let hook = Upstream::text("thanks").start().await;
    let config = Config::from(monitored(&upstream, "x"));
    let gw = Gateway::serving(config.clone().append("destinations", to_hook(&hook, json!({})))).await;
    let problems = gw.apply(config).await.expect_err("a policy names it").to_string();
    assert!(problems.contains("`hook`, which is no destination"), "{problems}");
    gw.send(get("/a")).await;
    hook.wait_for(1).await;
}

#[tokio::test]
async fn a_quota_alerts_once_for_each_window_and_caller() {
    let upstream = Upstream::text("ok").start().await;
    let hook = Upstream::text("thanks").start().await;
    let throttle = json!({
        "key": "application",
        "limit": { "requests": 5, "per": "minute" },
        "alerts": { "warnAt": "80%", "severity": "error", "destinations": ["hook"], "message": "${application} at ${value}" },
    });
    let api = api("/a", &upstream).policy("apiKey", json!({})).policy("throttle", throttle);
    let config = Config::from(api)
        .application("shop", "key-shop", &["a"])
        .application("bank", "key-bank", &["a"])
        .append("destinations", to_hook(&hook, json!({ "payload": "\"${severity}: ${message}\"" })));
    let gw = Gateway::serving(config).await;
    let ask = async |key: &str| gw.send(get("/a").header("x-Gateway-APIKey", key)).await.status();
    for _ in 0..5 {
        assert_eq!(ask("key-shop").await, 200);
    }
    ask("key-bank").await;
    for _ in 0..3 {
        assert_eq!(ask("key-shop").await, 429);
    }
    let mut expected =
        vec!["shop: default: 80% of 5 requests was 80", "shop: default: 100% of 5 requests was 100"];
    alerted(&gw, &expected).await;
    for _ in 0..3 {
        ask("key-bank").await;
    }
    expected.push("bank: default: 80% of 5 requests was 80");
    alerted(&gw, &expected).await;
    gw.advance(MINUTE);
    for _ in 0..4 {
        ask("key-shop").await;
    }
    expected.push("shop: default: 80% of 5 requests was 80");
    alerted(&gw, &expected).await;
    hook.wait_for(4).await;
    let sent: Vec<String> =
        hook.seen().iter().map(|seen| String::from_utf8_lossy(&seen.body).into_owned()).collect();
    let texts = ["info: shop at 80", "error: shop at 100", "info: bank at 80", "info: shop at 80"];
    assert_eq!(sent, texts.map(|text| format!("\"{text}\"")));
}

#[tokio::test]
async fn a_stop_delivers_what_was_raised_before_it() {
    let upstream = Upstream::text("ok").start().await;
    let hook = Upstream::text("thanks").start().await;
    let config =
        Config::from(monitored(&upstream, "last words")).append("destinations", to_hook(&hook, json!({})));
    let gw = Gateway::serving(config).await;
    gw.get("/a").await;
    gw.stop().await;
    assert_eq!(hook.count(), 1);
}

#[tokio::test]
async fn a_destination_that_changes_gets_the_next_alerts_at_its_new_place() {
    let upstream = Upstream::text("ok").start().await;
    let (before, after) = (Upstream::text("thanks").start().await, Upstream::text("thanks").start().await);
    let policy = json!({
        "rules": [rule("requestCount", "greater", 0)], "interval": { "unit": "hour" },
        "frequency": "always", "destinations": ["hook"],
    });
    let config = |hook: &Upstream| {
        Config::from(api("/a", &upstream).policy("monitorPerformance", policy.clone()))
            .append("destinations", to_hook(hook, json!({})))
    };
    let gw = Gateway::serving(config(&before)).await;
    gw.get("/a").await;
    before.wait_for(1).await;
    gw.apply(config(&after)).await.expect("it is valid");
    gw.get("/a").await;
    after.wait_for(1).await;
    assert_eq!(before.count(), 1);
    let body: Value = serde_json::from_slice(&after.last().body).expect("JSON");
    assert_eq!(body["value"], 2.0, "the API did not change, and what was counted stays");
}
