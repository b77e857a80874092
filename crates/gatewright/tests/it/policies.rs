//! Policies, from the outside: who gets in, how often, and what is changed on the way.

use std::time::Duration;

use testkit::{Config, Gateway, MINUTE, Response, SECOND, Upstream, Value, api, config::hash, get, json};

fn with_key(key: &str) -> testkit::Request {
    get("/a").header("x-Gateway-APIKey", key)
}

fn applications(upstream: &Upstream, policy: Value) -> Config {
    Config::new()
        .api(api("/a", upstream).policy("apiKey", policy))
        .api(api("/b", upstream))
        .application("known", "key-known", &["a"])
        .application("elsewhere", "key-elsewhere", &["b"])
        .append("applications", json!({
            "name": "rotating", "apis": ["a"],
            "apiKeys": [{ "hash": hash("key-old"), "expires": "2026-01-15T10:30:00Z" }, { "hash": hash("key-new") }],
        }))
        .append("applications", json!({
            "name": "bad", "apis": ["a"], "suspended": true, "apiKeys": [{ "hash": hash("key-suspended") }],
        }))
}

#[tokio::test]
async fn an_api_key_identifies_its_application_or_the_call_is_refused() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(applications(&upstream, json!({}))).await;
    let missing = gw.get("/a").await;
    assert_eq!(
        (missing.status(), missing.reason().as_str(), missing.header("www-authenticate")),
        (401, "api_key_missing", "APIKey")
    );
    for (key, status, reason) in [
        ("key-known", 200, ""),
        ("key-old", 200, ""),
        ("key-new", 200, ""),
        ("key-unknown", 401, "api_key_unknown"),
        ("", 401, "api_key_unknown"),
        ("key-suspended", 403, "application_suspended"),
        ("key-elsewhere", 403, "application_not_registered"),
    ] {
        let response = gw.send(with_key(key)).await;
        assert_eq!((response.status(), response.reason().as_str()), (status, reason), "{key}");
        assert!(status == 200 || !response.text().contains("key-"), "{}", response.text());
    }
    assert_eq!(upstream.count(), 3);
    assert!(
        upstream.seen().iter().all(|seen| seen.header("x-gateway-apikey").is_empty()),
        "the key stays here"
    );
    gw.advance(31 * MINUTE);
    assert_eq!(gw.send(with_key("key-old")).await.reason(), "api_key_expired");
    let response = gw.send(with_key("key-new")).await;
    assert_eq!(gw.explain(&response).await.application.as_deref(), Some("rotating"));
}

#[tokio::test]
async fn two_keys_in_one_place_are_as_good_as_a_wrong_one() {
    let upstream = Upstream::echo().start().await;
    for policy in [json!({}), json!({ "allowAnonymous": true })] {
        let gw = Gateway::serving(applications(&upstream, policy)).await;
        for query in
            ["APIKey=key-known&APIKey=key-known", "APIKey=key-known&x=1&APIKey=", "APIKey&APIKey=key-known"]
        {
            let response = gw.get(&format!("/a?{query}")).await;
            assert_eq!((response.status(), response.reason().as_str()), (401, "api_key_unknown"), "{query}");
        }
        let twice = with_key("key-known").header("x-gateway-apikey", "key-new");
        assert_eq!(gw.send(twice).await.reason(), "api_key_unknown");
        let event = gw.events("limit=1").await.remove(0);
        assert!(!event.to_string().contains("key-"), "keys stay out of events: {event}");
    }
    assert_eq!(upstream.count(), 0);
}

/// Checklist 18.
#[tokio::test]
async fn a_key_in_the_query_is_taken_out_of_it() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(applications(&upstream, json!({}))).await;
    for (path, seen) in [("/a/x?APIKey=key-known", "/x"), ("/a/x?a=1&APIKey=key-known&b=%20", "/x?a=1&b=%20")]
    {
        assert_eq!(gw.get(path).await.json()["path"], seen, "{path}");
    }
    assert_eq!(
        gw.get("/a?apikey=other").await.reason(),
        "api_key_missing",
        "names of parameters have a case"
    );
    for event in gw.events("limit=10").await {
        assert!(!event.to_string().contains("key-known"), "a key is in an event: {event}");
    }
}

#[tokio::test]
async fn a_key_beside_the_one_in_the_header_does_not_reach_the_upstream() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(applications(&upstream, json!({}))).await;
    let both = gw.send(get("/a?APIKey=key-known").header("x-Gateway-APIKey", "key-unknown")).await;
    assert_eq!(both.reason(), "api_key_unknown", "the header comes first");
    let response = gw.send(get("/a/x?APIKey=key-new&b=1").header("x-Gateway-APIKey", "key-known")).await;
    assert_eq!(response.json()["path"], "/x?b=1");
    assert!(
        gw.events("limit=10").await.iter().all(|event| !event.to_string().contains("key-")),
        "nor an event"
    );
}

#[tokio::test]
async fn names_of_header_and_parameter_and_the_lookup_are_settings() {
    let upstream = Upstream::echo().start().await;
    let own = json!({ "header": "X-Own", "query": "", "lookup": "open" });
    let gw = Gateway::serving(applications(&upstream, own)).await;
    assert_eq!(gw.send(get("/a").header("x-own", "key-elsewhere")).await.status(), 200);
    assert_eq!(gw.get("/a?APIKey=key-known").await.reason(), "api_key_missing");
    gw.apply(applications(&upstream, json!({ "allowAnonymous": true }))).await.unwrap();
    assert_eq!(gw.get("/a").await.status(), 200);
    assert_eq!(gw.send(with_key("wrong")).await.reason(), "api_key_unknown");
}

fn left(response: &Response) -> (u16, String) {
    (response.status(), response.header("ratelimit").to_owned())
}

#[tokio::test]
async fn a_fixed_window_starts_with_the_calendar() {
    let upstream = Upstream::text("ok").start().await;
    let gw =
        Gateway::serving(api("/a", &upstream).policy("rateLimit", json!({ "limit": 2, "window": "1m" })))
            .await;
    gw.advance(20 * SECOND);
    assert_eq!(left(&gw.get("/a").await), (200, "\"default\";r=1;t=40".into()));
    assert_eq!(left(&gw.get("/a").await), (200, "\"default\";r=0;t=40".into()));
    gw.advance(10 * SECOND);
    let refused = gw.get("/a").await;
    assert_eq!((refused.status(), refused.reason().as_str()), (429, "rate_limited"));
    assert_eq!((refused.header("retry-after"), refused.header("ratelimit")), ("30", "\"default\";r=0;t=30"));
    assert_eq!(refused.header("ratelimit-policy"), "\"default\";q=2;w=60");
    assert_eq!(upstream.count(), 2);
    gw.advance(30 * SECOND);
    assert_eq!(gw.get("/a").await.status(), 200);
}

#[tokio::test]
async fn a_sliding_window_forgets_gradually() {
    let upstream = Upstream::text("ok").start().await;
    let limit = json!({ "limit": 10, "window": "10s", "algorithm": "slidingWindow" });
    let gw = Gateway::serving(api("/a", &upstream).policy("rateLimit", limit)).await;
    gw.advance(9 * SECOND);
    for _ in 0..10 {
        assert_eq!(gw.get("/a").await.status(), 200);
    }
    gw.advance(SECOND);
    assert_eq!(gw.get("/a").await.status(), 429, "a new window does not forget the old one");
    gw.advance(5 * SECOND);
    let mut allowed = 0;
    while gw.get("/a").await.status() == 200 {
        allowed += 1;
    }
    assert_eq!(allowed, 5, "half of the old window is over");
}

#[tokio::test]
async fn a_token_bucket_allows_a_burst_and_refills_evenly() {
    let upstream = Upstream::text("ok").start().await;
    let limit = json!({ "limit": 5, "window": "5s", "algorithm": "tokenBucket", "burst": 3 });
    let gw = Gateway::serving(api("/a", &upstream).policy("rateLimit", limit)).await;
    for expect in [200, 200, 200, 429] {
        assert_eq!(gw.get("/a").await.status(), expect);
    }
    gw.advance(Duration::from_millis(999));
    let refused = gw.get("/a").await;
    assert_eq!((refused.status(), refused.header("retry-after")), (429, "1"));
    gw.advance(Duration::from_millis(1));
    assert_eq!((gw.get("/a").await.status(), gw.get("/a").await.status()), (200, 429));
}

#[tokio::test]
async fn a_quota_is_counted_by_api_application_or_client() {
    let upstream = Upstream::text("ok").start().await;
    let limit = |key: &str| json!({ "limit": 1, "window": "1h", "key": key });
    let config = Config::new()
        .api(api("/a", &upstream).policy("rateLimit", limit("api")))
        .api(
            api("/b", &upstream)
                .policy("apiKey", json!({ "allowAnonymous": true }))
                .policy("rateLimit", limit("application")),
        )
        .api(api("/c", &upstream).policy("rateLimit", limit("clientAddress")))
        .application("one", "key-one", &["b"])
        .application("two", "key-two", &["b"])
        .listeners(
            json!([{ "name": "default", "address": "127.0.0.1:0", "trustedProxies": ["127.0.0.1/32"] }]),
        );
    let gw = Gateway::serving(config).await;
    let status = async |request| gw.send(request).await.status();

    let from = |path: &str, client: &str| get(path).header("x-forwarded-for", client);
    assert_eq!((status(from("/a", "9.9.9.1")).await, status(from("/a", "9.9.9.2")).await), (200, 429));

    let with = |key: &str| get("/b").header("x-gateway-apikey", key);
    assert_eq!((status(with("key-one")).await, status(with("key-one")).await), (200, 429));
    assert_eq!(status(with("key-two")).await, 200);
    assert_eq!(
        (status(get("/b")).await, status(get("/b")).await),
        (200, 429),
        "all unidentified callers together"
    );

    assert_eq!((status(from("/c", "9.9.9.1")).await, status(from("/c", "9.9.9.1")).await), (200, 429));
    assert_eq!(status(from("/c", "9.9.9.2")).await, 200);
    assert_eq!(
        (status(from("/c", "2001:db8::1")).await, status(from("/c", "2001:db8::2")).await),
        (200, 429),
        "one /64"
    );
    assert_eq!(status(from("/c", "2001:db8:0:1::1")).await, 200);
}

/// Checklist 47.
#[tokio::test]
async fn the_limit_holds_exactly_under_concurrent_requests_over_all_workers() {
    let upstream = Upstream::text("ok").start().await;
    for algorithm in ["fixedWindow", "slidingWindow", "tokenBucket"] {
        let limit = json!({ "limit": 50, "window": "1h", "algorithm": algorithm });
        let gw = Gateway::serving(api("/a", &upstream).policy("rateLimit", limit)).await;
        let mut clients = Vec::new();
        for _ in 0..20 {
            let mut client = gw.http1().await;
            clients.push(tokio::spawn(async move {
                let mut allowed = 0;
                for _ in 0..10 {
                    allowed += usize::from(client.send("/a").await.status() == 200);
                }
                allowed
            }));
        }
        let mut allowed = 0;
        for client in clients {
            allowed += client.await.unwrap();
        }
        assert_eq!(allowed, 50, "{algorithm}");
    }
}

#[tokio::test]
async fn headers_are_removed_set_and_added_in_both_directions() {
    let upstream = Upstream::respond(|seen| {
        let mut response = hyper::Response::new(testkit::body::full(seen.header("x-set").to_owned()));
        for name in ["server", "x-keep"] {
            response.headers_mut().insert(name, "original".parse().unwrap());
        }
        response
    });
    let upstream = upstream.start().await;
    let change =
        json!({ "headers": { "remove": ["X-Debug"], "set": { "X-Set": "new" }, "add": { "X-Add": "2" } } });
    let back = json!({ "headers": { "remove": ["Server"], "set": { "Cache-Control": "no-store" } } });
    let changed =
        api("/a", &upstream).policy("requestTransformation", change).policy("responseTransformation", back);
    let gw = Gateway::serving(changed).await;
    let asked = get("/a").header("x-debug", "1").header("x-set", "old").header("x-add", "1");
    let response = gw.send(asked).await;
    assert_eq!(
        (response.text().as_str(), response.header("server"), response.header("x-keep")),
        ("new", "", "original")
    );
    assert_eq!(response.header("cache-control"), "no-store");
    let seen = upstream.last();
    assert_eq!((seen.header("x-debug"), seen.headers.get_all("x-add").iter().count()), ("", 2));
}

#[tokio::test]
async fn global_policies_run_before_those_of_an_api() {
    let upstream = Upstream::echo().start().await;
    let set = |value: &str| json!({ "headers": { "set": { "X-Who": value } } });
    let config = Config::from(api("/a", &upstream).policy("requestTransformation", set("api"))).append(
        "policies",
        json!({ "type": "requestTransformation", "name": "everywhere", "config": set("global") }),
    );
    let gw = Gateway::serving(config).await;
    let response = gw.get("/a").await;
    assert_eq!(response.json()["headers"]["x-who"], "api", "the last one to set it");
    let policies = gw.explain(&response).await.policies;
    let levels: Vec<(&str, &str)> = policies.iter().map(|p| (p.name.as_str(), p.level.as_str())).collect();
    assert_eq!(levels, [("everywhere", "global"), ("requestTransformation", "API")]);
}
