//! Several endpoints: who gets a request, who is left alone, and who comes back.

use std::{collections::HashMap, time::Duration};

use testkit::{Config, Gateway, Place, SECOND, Upstream, Value, api, eventually, get, json, post};

async fn three() -> [Upstream; 3] {
    [Upstream::text("a").start().await, Upstream::text("b").start().await, Upstream::text("c").start().await]
}

fn balanced(upstreams: &[&Upstream], rest: Value) -> Config {
    Config::from(api("/a", "up")).balanced("up", upstreams, rest)
}

#[tokio::test]
async fn round_robin_is_exact_over_all_workers_and_connections() {
    let [a, b, c] = &three().await;
    let gw = Gateway::serving(balanced(&[a, b, c], json!({}))).await;
    for _ in 0..30 {
        assert_eq!(gw.get("/a").await.status(), 200);
    }
    assert_eq!([a.count(), b.count(), c.count()], [10, 10, 10]);
}

#[tokio::test]
async fn weights_are_shares_and_heavy_endpoints_are_not_bunched() {
    let [a, b, c] = &three().await;
    let endpoints = json!([{ "url": a.url(), "weight": 2 }, { "url": b.url() }, { "url": c.url() }]);
    let config = Config::from(api("/a", "up")).upstream("up", json!({ "endpoints": endpoints }));
    let gw = Gateway::serving(config).await;
    let mut client = gw.http1().await;
    let mut order = String::new();
    for _ in 0..8 {
        order.push_str(&client.send("/a").await.text());
    }
    assert_eq!(order, "abcaabca");
}

#[tokio::test]
async fn least_requests_avoids_whoever_is_busy() {
    let (busy, free) = (Upstream::silent().start().await, Upstream::text("free").start().await);
    let gw = Gateway::serving(balanced(&[&busy, &free], json!({ "loadBalancing": "leastRequests" }))).await;
    let mut stuck = Vec::new();
    while busy.count() == 0 {
        let mut client = gw.http1().await;
        let before = (busy.count(), free.count());
        stuck.push(tokio::spawn(async move { client.try_send("/a").await.map(|r| r.status()) }));
        eventually("the request to arrive", async || (busy.count(), free.count()) != before).await;
    }
    for _ in 0..10 {
        assert_eq!(gw.get("/a").await.text(), "free");
    }
    assert_eq!(busy.count(), 1);
    stuck.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn the_same_key_stays_with_its_endpoint() {
    let [a, b, c] = &three().await;
    let hashing = json!({ "loadBalancing": "consistentHash", "hashOn": { "header": "x-user" } });
    let gw = Gateway::serving(balanced(&[a, b, c], hashing)).await;
    let mut homes: HashMap<String, String> = HashMap::new();
    for round in 0..3 {
        for user in 0..20 {
            let user = format!("user-{user}");
            let home = gw.send(get("/a").header("x-user", &user)).await.text();
            assert_eq!(homes.entry(user).or_insert_with(|| home.clone()), &home, "round {round}");
        }
    }
    let used: std::collections::HashSet<&String> = homes.values().collect();
    assert!(used.len() > 1, "{homes:?}");
}

#[tokio::test]
async fn a_dead_endpoint_is_passed_over_rests_and_comes_back() {
    let alive = Upstream::text("alive").start().await;
    let place = Place::reserve();
    let endpoints = json!([{ "url": place.url() }, { "url": alive.url() }]);
    let config = Config::from(api("/a", "up"))
        .upstream("up", json!({ "endpoints": endpoints, "suspendDurationOnFailure": "30s" }));
    let gw = Gateway::serving(config).await;
    let first = gw.send(post("/a", "body")).await;
    assert_eq!(first.text(), "alive", "a connection that failed is tried elsewhere for every method");
    let attempts = gw.explain(&first).await.attempts;
    assert_eq!(
        attempts.iter().map(|a| a.failure.as_deref()).collect::<Vec<_>>(),
        [Some("upstream_unreachable"), None]
    );
    for _ in 0..4 {
        let response = gw.get("/a").await;
        assert_eq!(gw.explain(&response).await.attempts.len(), 1, "the dead one is left alone");
    }
    let revived = place.start(Upstream::text("revived")).await;
    gw.advance(29 * SECOND);
    assert!((gw.get("/a").await.text(), gw.get("/a").await.text()) == ("alive".into(), "alive".into()));
    gw.advance(2 * SECOND);
    let both = [gw.get("/a").await.text(), gw.get("/a").await.text()];
    assert!(both.contains(&"revived".to_owned()) && both.contains(&"alive".to_owned()), "{both:?}");
    assert_eq!(revived.count(), 1);
}

#[tokio::test]
async fn all_endpoints_down_is_503_until_one_may_be_tried() {
    let (first, second) = (Place::reserve(), Place::reserve());
    let endpoints = json!([{ "url": first.url() }, { "url": second.url() }]);
    let config = Config::from(api("/a", "up")).upstream("up", json!({ "endpoints": endpoints }));
    let gw = Gateway::serving(config).await;
    assert_eq!(gw.get("/a").await.reason(), "upstream_unreachable");
    let refused = gw.get("/a").await;
    assert_eq!((refused.status(), refused.reason().as_str()), (503, "upstream_suspended"));
    assert_eq!(refused.header("retry-after"), "30");
    assert!(gw.explain(&refused).await.attempts.is_empty());
    let revived = second.start(Upstream::text("back")).await;
    gw.advance(31 * SECOND);
    assert_eq!(gw.get("/a").await.text(), "back");
    drop(revived);
}

#[tokio::test]
async fn answers_of_500_and_above_count_as_failures_only_when_asked_for() {
    let (bad, good) = (Upstream::status(503).start().await, Upstream::text("good").start().await);
    let gw = Gateway::serving(balanced(&[&bad, &good], json!({}))).await;
    assert_eq!((gw.get("/a").await.status(), gw.get("/a").await.status()), (503, 200), "passed on as it is");

    gw.apply(balanced(&[&bad, &good], json!({ "failoverOnDowntimeErrorOnly": false }))).await.unwrap();
    let before = bad.count();
    for _ in 0..4 {
        assert_eq!(gw.get("/a").await.text(), "good");
    }
    assert_eq!(bad.count(), before + 1, "after one failure it rests");
    gw.advance(31 * SECOND);
    let posts = [gw.send(post("/a", "x")).await.status(), gw.send(post("/a", "x")).await.status()];
    assert!(posts.contains(&503), "a POST is not sent twice: {posts:?}");
}

#[tokio::test]
async fn retries_can_be_switched_off() {
    let alive = Upstream::text("alive").start().await;
    let place = Place::reserve();
    let endpoints = json!([{ "url": place.url() }, { "url": alive.url() }]);
    let config = Config::from(api("/a", "up"))
        .upstream("up", json!({ "endpoints": endpoints, "retries": { "attempts": 0 } }));
    let gw = Gateway::serving(config).await;
    assert_eq!(gw.get("/a").await.reason(), "upstream_unreachable");
    assert_eq!(gw.get("/a").await.text(), "alive");
}

#[tokio::test]
async fn the_circuit_opens_after_failures_lets_one_try_and_closes() {
    let place = Place::reserve();
    let breaker = json!({ "endpoints": [{ "url": place.url() }], "circuitBreaker": { "failures": 2, "openFor": "10s" } });
    let gw = Gateway::serving(Config::from(api("/a", "up")).upstream("up", breaker)).await;
    for _ in 0..2 {
        assert_eq!(gw.get("/a").await.reason(), "upstream_unreachable");
    }
    let refused = gw.get("/a").await;
    assert_eq!((refused.status(), refused.reason().as_str()), (503, "circuit_open"));
    assert_eq!(refused.header("retry-after"), "10");
    gw.advance(11 * SECOND);
    assert_eq!(gw.get("/a").await.reason(), "upstream_unreachable", "one request tries");
    assert_eq!(gw.get("/a").await.reason(), "circuit_open", "and the circuit stays open");
    let revived = place.start(Upstream::text("back")).await;
    gw.advance(11 * SECOND);
    for _ in 0..3 {
        assert_eq!(gw.get("/a").await.text(), "back");
    }
    drop(revived);
}

#[tokio::test]
async fn a_circuit_that_waits_for_an_answer_lets_nobody_else_try() {
    let upstream = Upstream::silent().start().await;
    let doc = json!({
        "endpoints": [{ "url": upstream.url() }],
        "readTimeout": "100ms",
        "circuitBreaker": { "failures": 1, "openFor": "10s" },
    });
    let gw = Gateway::serving(Config::from(api("/a", "up")).upstream("up", doc)).await;
    assert_eq!(gw.get("/a").await.reason(), "upstream_read_timeout");
    gw.advance(11 * SECOND);
    let (first, second) = tokio::join!(gw.get("/a"), gw.get("/a"));
    let mut reasons = [first.reason(), second.reason()];
    reasons.sort();
    assert_eq!(reasons, ["circuit_open", "upstream_read_timeout"]);
}

#[tokio::test]
async fn connections_to_an_endpoint_are_limited() {
    let upstream = Upstream::silent().start().await;
    let doc = json!({ "endpoints": [{ "url": upstream.url() }], "maxConnections": 2 });
    let gw = Gateway::serving(Config::from(api("/a", "up")).upstream("up", doc)).await;
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let mut client = gw.http1().await;
        waiting.push(tokio::spawn(async move { client.try_send("/a").await.map(|r| r.status()) }));
    }
    upstream.wait_for(2).await;
    let refused = gw.get("/a").await;
    assert_eq!((refused.status(), refused.reason().as_str()), (503, "upstream_busy"));
    assert_ne!(refused.header("retry-after"), "");
    assert_eq!(upstream.connections(), 2);
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    eventually("the connections to end", async || upstream.open_connections() == 0).await;
}

#[tokio::test]
async fn health_checks_take_an_endpoint_out_and_bring_it_back() {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    };
    let well = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&well);
    let checked = Upstream::respond(move |seen| {
        let ok = !seen.path.starts_with("/health") || asked.load(SeqCst);
        let mut response = hyper::Response::new(testkit::body::full("checked"));
        if !ok {
            *response.status_mut() = hyper::StatusCode::SERVICE_UNAVAILABLE;
        }
        response
    });
    let (checked, other) = (checked.start().await, Upstream::text("other").start().await);
    let check = json!({ "path": "/health?full", "interval": "20ms", "timeout": "1s", "healthyThreshold": 2, "unhealthyThreshold": 2 });
    let gw = Gateway::serving(balanced(&[&checked, &other], json!({ "healthCheck": check }))).await;
    let healthy = async || gw.ops("/status").await.json()["upstreams"][0]["endpoints"][0]["healthy"] == true;
    checked.wait_for(2).await;
    assert!(healthy().await);

    well.store(false, SeqCst);
    eventually("the endpoint to be taken out", async || !healthy().await).await;
    for _ in 0..4 {
        assert_eq!(gw.get("/a").await.text(), "other");
    }
    assert!(gw.ops("/metrics").await.text().contains("gatewright_endpoint_healthy{upstream=\"up\""));
    well.store(true, SeqCst);
    eventually("the endpoint to come back", async || healthy().await).await;
    let both = [gw.get("/a").await.text(), gw.get("/a").await.text()];
    assert!(both.contains(&"checked".to_owned()), "{both:?}");
    assert!(checked.seen().iter().any(|seen| seen.path == "/health?full"));
}

#[tokio::test]
async fn a_change_elsewhere_begins_no_health_check_anew() {
    let (stays, changes) = (Upstream::text("stays").start().await, Upstream::text("changes").start().await);
    let check = |path: &str| json!({ "healthCheck": { "path": path, "interval": "1h" } });
    let config =
        |path: &str| balanced(&[&stays], check("/health")).balanced("other", &[&changes], check(path));
    let gw = Gateway::serving(config("/first")).await;
    stays.wait_for(1).await;
    for (turn, path) in ["/second", "/third", "/fourth"].into_iter().enumerate() {
        gw.apply(config(path)).await.unwrap();
        changes.wait_for(turn + 2).await;
        assert_eq!(changes.last().path, path);
    }
    assert_eq!(stays.count(), 1, "it was asked once, and is due in an hour");
}

#[tokio::test]
async fn a_canary_gets_the_requests_with_its_header_and_its_share_of_the_others() {
    let (stable, canary) = (Upstream::text("stable").start().await, Upstream::text("canary").start().await);
    let header = json!({ "name": "x-canary", "value": "yes" });
    let config = |share: &str| {
        let doc = json!({ "upstream": "canary", "share": share, "header": header });
        Config::from(api("/a", &stable).with("canary", doc)).balanced("canary", &[&canary], json!({}))
    };
    let gw = Gateway::serving(config("0%")).await;
    assert_eq!(gw.send(get("/a").header("x-canary", "yes")).await.text(), "canary");
    assert_eq!(gw.send(get("/a").header("x-canary", "no")).await.text(), "stable");
    assert_eq!(gw.get("/a").await.text(), "stable");
    gw.apply(config("100%")).await.unwrap();
    assert_eq!(gw.get("/a").await.text(), "canary");
    gw.apply(config("50%")).await.unwrap();
    let (before, mut client) = (canary.count(), gw.http1().await);
    for _ in 0..200 {
        assert_eq!(client.send("/a").await.status(), 200);
    }
    let share = canary.count() - before;
    assert!((50..150).contains(&share), "{share} of 200");
}

#[tokio::test]
async fn a_mirror_gets_a_copy_and_nobody_notices() {
    let (upstream, mirror) = (Upstream::echo().start().await, Upstream::status(500).start().await);
    let config = Config::from(api("/a", &upstream).with("mirror", json!({ "upstream": "mirror" })));
    let gw = Gateway::serving(config.balanced("mirror", &[&mirror], json!({}))).await;
    let response = gw.send(post("/a/x?y=1", "the body").header("x-a", "1")).await;
    assert_eq!((response.status(), response.json()["body"].as_str()), (200, Some("the body")));
    mirror.wait_for(1).await;
    let copy = mirror.last();
    assert_eq!(
        (copy.path.as_str(), &copy.body[..], copy.header("x-a")),
        ("/x?y=1", b"the body".as_slice(), "1")
    );
    assert_eq!(gw.explain(&response).await.attempts.len(), 1, "the mirror is no attempt");
    assert_eq!(gw.get("/a").await.status(), 200);
    mirror.wait_for(2).await;
}

#[tokio::test]
async fn a_mirror_that_is_dead_or_slow_changes_nothing() {
    let upstream = Upstream::echo().start().await;
    let (place, slow) = (Place::reserve(), Upstream::silent().start().await);
    for mirror in [place.url(), slow.url()] {
        let config = Config::from(api("/a", &upstream).with("mirror", json!({ "upstream": "mirror" })))
            .upstream("mirror", json!({ "endpoints": [{ "url": mirror }] }));
        let gw = Gateway::serving(config).await;
        for _ in 0..3 {
            assert_eq!(gw.send(post("/a", vec![b'x'; 300_000])).await.status(), 200);
        }
        assert_eq!(gw.events("limit=10").await.len(), 3);
    }
}

#[tokio::test]
async fn beyond_their_budget_nothing_is_tried_again() {
    let (dead, alive) = (Place::reserve(), Upstream::text("alive").start().await);
    let endpoints = json!([{ "url": dead.url() }, { "url": alive.url() }]);
    let up = json!({
        "endpoints": endpoints, "suspendDurationOnFailure": "1ms", "retries": { "attempts": 1, "budget": "0%" },
    });
    let gw = Gateway::serving(Config::from(api("/a", "up")).upstream("up", up).one_worker()).await;
    let mut client = gw.http1().await;
    // Every second request begins at the dead one; three of them may be tried again in ten seconds.
    for round in ["first", "second"] {
        let mut again = 0;
        for _ in 0..10 {
            let response = client.send("/a").await;
            let attempts = gw.explain(&response).await.attempts.len();
            match (response.status(), attempts) {
                (200, 1) => {}
                (200, 2) => again += 1,
                (502, 1) => assert_eq!(response.reason(), "upstream_unreachable"),
                other => panic!("{other:?}"),
            }
            assert!(again <= 3, "{round} window");
            gw.advance(Duration::from_millis(2));
        }
        assert_eq!(again, 3, "{round} window: the rest was not tried again");
        gw.advance(11 * SECOND);
    }
}
