//! Plans and subscriptions: who has none is refused, and who has one is kept to its plan, exactly.

use std::time::Duration;

use testkit::{Config, Gateway, Response, SECOND, Upstream, Value, api, config::hash, get, json};

use crate::manager::{code, expect, managed};

const HOUR: Duration = Duration::from_secs(3_600);
const KEY: &str = "x-Gateway-APIKey";

/// An API `orders` with these plans, and an application for each of these keys.
fn config(upstream: &Upstream, plans: Value, keys: &[&str]) -> Config {
    let offered: Vec<Value> =
        plans.as_array().expect("a list").iter().map(|plan| plan["name"].clone()).collect();
    let orders = api("/orders", upstream)
        .with("name", "orders")
        .policy("identifyAndAuthorize", json!({ "rules": [{ "type": "apiKey" }] }))
        .with("plans", offered);
    let mut config = Config::from(orders);
    for plan in plans.as_array().expect("a list") {
        config = config.append("plans", plan.clone());
    }
    for key in keys {
        let application = json!({ "name": key, "apiKeys": [{ "hash": hash(key) }] });
        config = config.append("applications", application);
    }
    config
}

fn subscription(application: &str, plan: &str, state: &str) -> Value {
    json!({ "application": application, "api": "orders", "plan": plan, "state": state })
}

async fn call(gw: &Gateway, key: &str) -> Response {
    gw.send(get("/orders/7").header(KEY, key)).await
}

async fn problems_of(config: Config) -> String {
    Gateway::start(config).await.err().expect("it is not valid").to_string()
}

#[tokio::test]
async fn an_api_with_plans_takes_requests_with_an_active_subscription_only() {
    let upstream = Upstream::text("ok").start().await;
    let keys = ["active", "pending", "blocked", "rejected", "stranger"];
    let mut config = config(&upstream, json!([{ "name": "free" }]), &keys);
    for state in &keys[..4] {
        config = config.append("subscriptions", subscription(state, "free", state));
    }
    let gw = Gateway::serving(config).await;
    assert_eq!(call(&gw, "active").await.status(), 200);
    for (key, reason) in [
        ("pending", "subscription_pending"),
        ("blocked", "subscription_blocked"),
        ("rejected", "subscription_rejected"),
        ("stranger", "no_subscription"),
    ] {
        let refused = call(&gw, key).await;
        assert_eq!((refused.status(), refused.reason().as_str()), (403, reason), "{key}");
    }
    // Who is nobody is told so by whoever asks who it is.
    assert_eq!(gw.get("/orders/7").await.status(), 401);
    assert_eq!(call(&gw, "nobody").await.reason(), "api_key_unknown");
    assert_eq!(upstream.count(), 1);
    let explanation = gw.explain(&call(&gw, "stranger").await).await;
    assert_eq!(explanation.reason.map(|reason| reason.code).as_deref(), Some("no_subscription"));
}

#[tokio::test]
async fn without_plans_nothing_asks_for_a_subscription_and_one_lets_in_like_a_registration() {
    let upstream = Upstream::text("ok").start().await;
    let config = config(&upstream, json!([]), &["a", "b", "c"])
        .append("plans", json!({ "name": "free" }))
        .append("subscriptions", subscription("a", "free", "active"))
        .append("subscriptions", subscription("b", "free", "blocked"));
    let gw = Gateway::serving(config).await;
    assert_eq!(call(&gw, "a").await.status(), 200);
    assert_eq!(call(&gw, "b").await.reason(), "application_not_registered");
    assert_eq!(call(&gw, "c").await.reason(), "application_not_registered");
}

#[tokio::test]
async fn nobody_passes_where_no_policy_identifies_applications() {
    let upstream = Upstream::text("ok").start().await;
    let config = Config::from(api("/a", &upstream).with("plans", json!(["free"])))
        .append("plans", json!({ "name": "free" }));
    let gw = Gateway::serving(config).await;
    assert_eq!(gw.get("/a").await.reason(), "subscription_unidentified");
    let warnings = gw.inner().status().warnings;
    assert!(
        warnings.iter().any(|w| w.path == "apis[0].plans" && w.message.contains("identified")),
        "{warnings:?}"
    );
}

#[tokio::test]
async fn a_quota_holds_exactly_over_all_workers_and_tells_what_is_left() {
    let upstream = Upstream::text("ok").start().await;
    let plans = json!([{ "name": "daily", "quota": { "requests": 20, "per": "day" } }]);
    let config = config(&upstream, plans, &["a", "b"])
        .append("subscriptions", subscription("a", "daily", "active"))
        .append("subscriptions", subscription("b", "daily", "active"));
    let gw = std::sync::Arc::new(Gateway::serving(config).await);
    let first = call(&gw, "a").await;
    assert_eq!(first.header("ratelimit-policy"), "\"plan\";q=20;w=86400");
    assert!(first.header("ratelimit").starts_with("\"plan\";r=19;t="), "{}", first.header("ratelimit"));
    let calls = (0..59).map(|_| {
        let gw = std::sync::Arc::clone(&gw);
        tokio::spawn(async move { call(&gw, "a").await.status() })
    });
    let mut passed = 1;
    for call in calls.collect::<Vec<_>>() {
        passed += usize::from(call.await.expect("a call") == 200);
    }
    assert_eq!(passed, 20);
    let refused = call(&gw, "a").await;
    assert_eq!((refused.status(), refused.reason().as_str()), (429, "plan_quota_exceeded"));
    assert!(refused.header("retry-after").parse::<u32>().expect("seconds") > 0);
    // Another application has its own.
    assert_eq!(call(&gw, "b").await.status(), 200);
    gw.clock().advance(24 * HOUR);
    assert_eq!(call(&gw, "a").await.status(), 200);
}

#[tokio::test]
async fn a_rate_is_kept_to_also_where_the_quota_only_counts() {
    let upstream = Upstream::text("ok").start().await;
    let plans = json!([{
        "name": "soft",
        "rate": { "requests": 1, "burst": 3 },
        "quota": { "requests": 2, "per": "hour" },
        "stopOnQuotaReach": false,
    }]);
    let config =
        config(&upstream, plans, &["a"]).append("subscriptions", subscription("a", "soft", "active"));
    let gw = Gateway::serving(config).await;
    for left in ["r=1", "r=0", "r=0"] {
        let passed = call(&gw, "a").await;
        assert_eq!(passed.status(), 200);
        assert!(passed.header("ratelimit").contains(left), "{}", passed.header("ratelimit"));
    }
    let refused = call(&gw, "a").await;
    assert_eq!((refused.reason().as_str(), refused.header("retry-after")), ("plan_rate_exceeded", "1"));
    gw.clock().advance(SECOND);
    assert_eq!(call(&gw, "a").await.status(), 200);
    gw.clock().advance(HOUR);
    assert_eq!(call(&gw, "a").await.status(), 200);
}

#[tokio::test]
async fn versions_of_an_api_share_the_counters_of_a_subscription() {
    let upstream = Upstream::text("ok").start().await;
    let plans = json!([{ "name": "two", "quota": { "requests": 2, "per": "hour" } }]);
    let second = api("/v2", &upstream)
        .with("name", "orders")
        .with("version", "2.0")
        .with("plans", json!(["two"]))
        .policy("apiKey", json!({}));
    let config = config(&upstream, plans, &["a"])
        .api(second)
        .append("subscriptions", subscription("a", "two", "active"));
    let gw = Gateway::serving(config).await;
    assert_eq!(call(&gw, "a").await.status(), 200);
    let v2 = || gw.send(get("/v2/x").header(KEY, "a"));
    assert_eq!(v2().await.status(), 200);
    assert_eq!(v2().await.reason(), "plan_quota_exceeded");
    assert_eq!(call(&gw, "a").await.reason(), "plan_quota_exceeded");
}

#[tokio::test]
async fn what_plans_and_subscriptions_name_has_to_be_there() {
    let upstream = Upstream::text("ok").start().await;
    let plans = json!([{ "name": "gold", "rate": { "requests": 1, "window": "400d" } }, { "name": "gold" }]);
    let config = config(&upstream, plans, &["a"])
        .append("subscriptions", json!({ "application": "b", "api": "order", "plan": "golt" }))
        .append(
            "subscriptions",
            json!({ "application": "a", "api": "orders", "plan": "gold", "state": "on" }),
        );
    let problems = problems_of(config).await;
    assert!(problems.contains("subscriptions[1].state"), "{problems}");
    let plans = json!([{ "name": "gold" }, { "name": "gold" }, { "name": "x", "rate": { "requests": 1, "window": "400d" } }]);
    let config = self::config(&upstream, plans, &["a"])
        .append("subscriptions", json!({ "application": "b", "api": "order", "plan": "golt" }))
        .append("subscriptions", subscription("a", "gold", "active"))
        .append("subscriptions", subscription("a", "gold", "active"));
    let problems = problems_of(config).await;
    for path in [
        "plans[1].name",
        "plans[2].rate.window",
        "subscriptions[0].application",
        "subscriptions[0].api",
        "subscriptions[0].plan",
        "subscriptions[2]",
    ] {
        assert!(problems.contains(path), "{path}: {problems}");
    }
}

#[tokio::test]
async fn a_subscription_is_an_asset_that_is_live_at_once_and_keeps_what_it_needs() {
    let upstream = Upstream::text("ok").start().await;
    let gw = Gateway::serving(managed()).await;
    let admin = gw.administrator();
    expect(
        &admin.post("/plans", &json!({ "name": "one", "quota": { "requests": 1, "per": "day" } })).await,
        201,
    );
    expect(
        &admin.post("/plans", &json!({ "name": "more", "quota": { "requests": 9, "per": "day" } })).await,
        201,
    );
    let orders = json!({
        "name": "orders", "basePath": "/orders", "upstream": upstream.url(), "plans": ["one", "more"],
        "policies": [{ "type": "apiKey" }],
    });
    expect(&admin.post("/apis", &orders).await, 201);
    let shop = json!({ "name": "shop", "apiKeys": [{ "hash": hash("k") }] });
    expect(&admin.post("/applications", &shop).await, 201);
    assert_eq!(call(&gw, "k").await.reason(), "no_subscription");

    let made = expect(&admin.post("/subscriptions", &subscription("shop", "one", "active")).await, 201);
    assert_eq!(made["name"], "shop:orders");
    assert_eq!([call(&gw, "k").await.status(), call(&gw, "k").await.status()], [200, 429]);
    // Another plan begins anew.
    expect(&admin.put("/subscriptions/shop:orders", &subscription("shop", "more", "active")).await, 200);
    assert_eq!(call(&gw, "k").await.status(), 200);
    expect(&admin.put("/subscriptions/shop:orders", &subscription("shop", "more", "blocked")).await, 200);
    assert_eq!(call(&gw, "k").await.reason(), "subscription_blocked");

    // A changed plan holds at once, too.
    expect(&admin.put("/subscriptions/shop:orders", &subscription("shop", "more", "active")).await, 200);
    expect(
        &admin.put("/plans/more", &json!({ "name": "more", "quota": { "requests": 1, "per": "day" } })).await,
        200,
    );
    assert_eq!(call(&gw, "k").await.reason(), "plan_quota_exceeded");

    for needed in ["/plans/more", "/applications/shop", "/apis/orders:1.0"] {
        assert_eq!(code(&admin.delete(needed).await, 422), "invalid", "{needed}");
    }
    expect(&admin.delete("/subscriptions/shop:orders").await, 200);
    expect(&admin.delete("/applications/shop").await, 200);
}
