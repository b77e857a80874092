//! Changes while traffic flows, and the end: nothing is lost on the way.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use hyper::Response;
use testkit::{
    Config, Gateway, MINUTE, Place, Protocol, Upstream, api, body, eventually, get, json, wait::soon,
};
use tokio::sync::Notify;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloads_under_load_fail_no_request() {
    let (one, two) = (Upstream::text("one").start().await, Upstream::text("two").start().await);
    let config = |round: usize| {
        let upstream = if round.is_multiple_of(2) { &one } else { &two };
        (0..round).fold(Config::from(api("/a", upstream)), |config, n| {
            config.api(api(&format!("/extra-{n}"), upstream))
        })
    };
    let gw = Arc::new(Gateway::serving(config(0)).await);
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut clients = Vec::new();
    for protocol in [Protocol::Http1, Protocol::Http1, Protocol::Http1, Protocol::Http2] {
        let mut client = gw.client(protocol).await;
        let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
        clients.push(tokio::spawn(async move {
            while !stop.load(SeqCst) {
                let response = client.try_send("/a").await.expect("no connection is dropped");
                assert_eq!(response.status(), 200);
                assert!(["one", "two"].contains(&&*response.text()));
                answered.fetch_add(1, SeqCst);
            }
        }));
    }
    for round in 1..=20 {
        let before = answered.load(SeqCst);
        gw.apply(config(round)).await.unwrap();
        let added = gw.get(&format!("/extra-{}", round - 1)).await;
        assert_eq!(added.status(), 200, "what is new is served when the reload returns");
        eventually("requests between two reloads", async || answered.load(SeqCst) >= before + 20).await;
    }
    stop.store(true, SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    assert!(one.count() > 0 && two.count() > 0);
    assert_eq!(gw.inner().status().revision, 21);
}

#[tokio::test]
async fn a_change_holds_from_the_next_request_on_and_not_before() {
    let go_on = Arc::new(Notify::new());
    let signal = Arc::clone(&go_on);
    let slow = Upstream::service(move |_, _| {
        let signal = Arc::clone(&signal);
        async move {
            signal.notified().await;
            Response::new(body::full("old"))
        }
    });
    let (slow, new) = (slow.start().await, Upstream::text("new").start().await);
    let gw = Gateway::serving(api("/a", &slow)).await;
    let mut client = gw.http1().await;
    let waiting = tokio::spawn(async move {
        let first = client.send("/a").await.text();
        (first, client.send("/a").await.text())
    });
    slow.wait_for(1).await;
    gw.apply(api("/a", &new)).await.unwrap();
    assert_eq!(gw.get("/a").await.text(), "new");
    go_on.notify_one();
    assert_eq!(
        soon("the answer", waiting).await.unwrap(),
        ("old".into(), "new".into()),
        "also on a kept connection"
    );
}

#[tokio::test]
async fn a_stream_in_progress_outlives_its_api() {
    use http_body_util::BodyExt;
    let go_on = Arc::new(Notify::new());
    let signal = Arc::clone(&go_on);
    let upstream = Upstream::service(move |_, _| {
        let signal = Arc::clone(&signal);
        async move {
            let (pieces, body) = body::pieces();
            tokio::spawn(async move {
                pieces.send("before ").await;
                signal.notified().await;
                pieces.send("after").await;
            });
            Response::new(body)
        }
    });
    let upstream = upstream.start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let mut client = gw.http1().await;
    let mut answer = client.open("/a").await.unwrap();
    let first = soon("the first piece", answer.body_mut().frame()).await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "before ");
    gw.apply(Config::new()).await.unwrap();
    go_on.notify_one();
    assert_eq!(soon("the rest", answer.into_body().collect()).await.unwrap().to_bytes(), "after");
    assert_eq!(client.send("/a").await.status(), 404);
}

#[tokio::test]
async fn an_api_that_is_gone_is_not_found_any_more() {
    let upstream = Upstream::text("ok").start().await;
    let both = Config::new().api(api("/a", &upstream)).api(api("/b", &upstream));
    let gw = Gateway::serving(both).await;
    let mut client = gw.http1().await;
    assert_eq!(client.send("/b").await.status(), 200);
    gw.apply(api("/a", &upstream)).await.unwrap();
    assert_eq!(
        (client.send("/a").await.status(), client.send("/b").await.reason()),
        (200, "no_such_api".into())
    );
}

#[tokio::test]
async fn counts_of_a_rate_limit_outlive_a_reload() {
    let upstream = Upstream::text("ok").start().await;
    let limited = |limit: u32, window: &str| {
        api("/a", &upstream).policy("rateLimit", json!({ "limit": limit, "window": window }))
    };
    let gw = Gateway::serving(limited(2, "1h")).await;
    assert_eq!(
        (gw.get("/a").await.status(), gw.get("/a").await.status(), gw.get("/a").await.status()),
        (200, 200, 429)
    );
    gw.apply(limited(2, "1h").with("description", "changed")).await.unwrap();
    assert_eq!(gw.get("/a").await.status(), 429);
    gw.apply(limited(3, "1h")).await.unwrap();
    assert_eq!(
        (gw.get("/a").await.status(), gw.get("/a").await.status()),
        (200, 429),
        "a higher limit leaves one more"
    );
    gw.apply(limited(2, "1m")).await.unwrap();
    assert_eq!(gw.get("/a").await.status(), 200, "another window is another count");
}

#[tokio::test]
async fn what_is_known_about_endpoints_outlives_a_reload() {
    let (dead, alive) = (Place::reserve(), Upstream::text("alive").start().await);
    let endpoints = json!([{ "url": dead.url() }, { "url": alive.url() }]);
    let config = || Config::from(api("/a", "up")).upstream("up", json!({ "endpoints": endpoints }));
    let gw = Gateway::serving(config()).await;
    assert_eq!(gw.explain(&gw.get("/a").await).await.attempts.len(), 2);
    gw.apply(config().api(api("/b", &alive))).await.unwrap();
    for _ in 0..4 {
        assert_eq!(gw.explain(&gw.get("/a").await).await.attempts.len(), 1, "the dead one still rests");
    }
}

#[tokio::test]
async fn a_bad_reload_keeps_the_old_configuration_and_says_so() {
    let upstream = Upstream::text("ok").start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let colour =
        async || gw.ops("/health/engine").await.json()["status"].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        (colour().await.as_str(), gw.ops("/ready").await.status(), gw.ops("/health").await.status()),
        ("green", 200, 200)
    );

    gw.write_file("gatewright.yaml", "apis:\n  - name: a\n    basepath: /a\n");
    let refused = gw.ops(testkit::post("/reload", "")).await;
    assert_eq!((refused.status(), refused.reason().as_str()), (422, "configuration_invalid"));
    assert_eq!(gw.get("/a").await.text(), "ok");
    assert_eq!(colour().await, "yellow");
    let health = gw.ops("/health/engine").await;
    assert_eq!(health.status(), 200, "traffic is served");
    let problem = &health.json()["configuration"]["failure"]["problems"][0];
    assert_eq!((&problem["line"], &problem["path"]), (&json!(3), &json!("apis[0].basepath")), "{problem}");
    let ready = gw.ops("/ready").await;
    assert_eq!((ready.status(), ready.reason().as_str()), (503, "configuration_not_live"));
    assert!(gw.ops("/status").await.json()["configuration"]["failure"].is_object());
    assert!(gw.ops("/metrics").await.text().contains("gatewright_config_reloads_failed_total 1"));

    gw.apply(api("/a", &upstream)).await.unwrap();
    assert_eq!((colour().await.as_str(), gw.ops("/ready").await.status()), ("green", 200));
    assert_eq!(gw.ops("/ready").await.json()["revision"], 2);
}

#[tokio::test]
async fn a_changed_file_is_taken_up_without_being_told() {
    let (one, two) = (Upstream::text("one").start().await, Upstream::text("two").start().await);
    let gw = Gateway::serving(Config::from(api("/a", &one)).watched()).await;
    let mut client = gw.http1().await;
    assert_eq!(client.send("/a").await.text(), "one");
    gw.write_file("gatewright.yaml", &Config::from(api("/a", &two)).to_text());
    eventually("the change to be served", async || client.send("/a").await.text() == "two").await;
    gw.write_file("gatewright.yaml", "apis: 7\n");
    eventually("the mistake to be noticed", async || gw.inner().status().failure.is_some()).await;
    assert_eq!(client.send("/a").await.text(), "two");
    // Editors write beside the file and rename.
    gw.write_file("next.yaml", &Config::from(api("/a", &one)).to_text());
    std::fs::rename(gw.path("next.yaml"), gw.path("gatewright.yaml")).unwrap();
    eventually("the repair to be served", async || client.send("/a").await.text() == "one").await;
    assert!(gw.inner().status().failure.is_none());
}

#[tokio::test]
async fn a_folder_is_watched_for_new_files() {
    let (one, two) = (Upstream::text("one").start().await, Upstream::text("two").start().await);
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| std::fs::write(directory.path().join(name), text).unwrap();
    write("1.yaml", Config::from(api("/a", &one)).to_text());
    let options = gatewright::StartOptions {
        watch: true,
        ..gatewright::StartOptions::new(gatewright::Source::Path(directory.path().to_owned()))
    };
    let gw = gatewright::Gateway::start(options).await.unwrap();
    let address = gw.listeners()[0].address;
    let text = async |path: &str| {
        let mut conn = testkit::RawConn::open(address).await;
        conn.write(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        conn.response().await.text()
    };
    assert_eq!(text("/a").await, "one");
    write("2.yaml", format!("apis: [{{name: b, basePath: /b, upstream: '{}'}}]\n", two.url()));
    eventually("the new file to be served", async || text("/b").await == "two").await;
    std::fs::remove_file(directory.path().join("2.yaml")).unwrap();
    eventually("the removed file to be gone", async || text("/b").await != "two").await;
    assert_eq!(text("/a").await, "one");
    gw.stop().await;
}

#[tokio::test]
async fn listeners_come_and_go_with_a_reload() {
    let upstream = Upstream::text("ok").start().await;
    let with = |names: &[&str]| {
        let listeners: Vec<_> =
            names.iter().map(|name| json!({ "name": name, "address": "127.0.0.1:0" })).collect();
        Config::from(api("/a", &upstream)).listeners(listeners.into())
    };
    let gw = Gateway::serving(with(&["one"])).await;
    let first = gw.address_of("one");
    gw.apply(with(&["one", "two"])).await.unwrap();
    assert_eq!(gw.address_of("one"), first, "a listener that did not change stays");
    let second = gw.address_of("two");
    let mut kept = testkit::RawConn::open(second).await;
    kept.write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(kept.response().await.text(), "ok");
    gw.apply(with(&["one"])).await.unwrap();
    eventually("the listener to be gone", async || tokio::net::TcpStream::connect(second).await.is_err())
        .await;
    kept.write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(kept.response().await.text(), "ok", "its connections go on");
    assert_eq!(gw.get("/a").await.text(), "ok");
}

#[tokio::test]
async fn a_port_that_is_taken_fails_the_reload_and_nothing_else() {
    let upstream = Upstream::text("ok").start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let config = Config::from(api("/b", &upstream)).listeners(json!([
        { "name": "default", "address": "127.0.0.1:0" },
        { "name": "taken", "address": upstream.address().to_string() },
    ]));
    let problems = gw.apply(config).await.unwrap_err().to_string();
    assert!(problems.contains("taken") && problems.contains("in use"), "{problems}");
    assert_eq!((gw.get("/a").await.status(), gw.get("/b").await.status()), (200, 404));
}

#[tokio::test]
async fn stopping_lets_requests_finish_and_takes_no_new_ones() {
    let go_on = Arc::new(Notify::new());
    let signal = Arc::clone(&go_on);
    let upstream = Upstream::service(move |_, _| {
        let signal = Arc::clone(&signal);
        async move {
            signal.notified().await;
            Response::new(body::full("finished"))
        }
    });
    let upstream = upstream.start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let address = gw.address();
    let mut waiting = Vec::new();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut client = gw.client(protocol).await;
        waiting.push(tokio::spawn(async move { client.send("/a").await }));
    }
    let mut idle = gw.http1().await;
    assert_eq!(idle.send("/nothing").await.status(), 404);
    upstream.wait_for(2).await;
    let finish = async {
        eventually("the listener to be closed", async || {
            tokio::net::TcpStream::connect(address).await.is_err()
        })
        .await;
        eventually("the idle connection to be closed", async || idle.try_send(get("/a")).await.is_err())
            .await;
        go_on.notify_one();
        eventually("both to be on their way", async || {
            go_on.notify_one();
            waiting.iter().all(tokio::task::JoinHandle::is_finished)
        })
        .await;
    };
    tokio::join!(gw.stop(), finish);
    for answer in waiting {
        assert_eq!(answer.await.unwrap().text(), "finished");
    }
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let upstream = Upstream::silent().start().await;
    let websocket = Upstream::websocket_echo().start().await;
    let config = Config::new()
        .api(api("/a", &upstream))
        .api(api("/chat", &websocket))
        .setting("limits.drainTimeout", "100ms");
    let gw = Gateway::serving(config).await;
    let mut client = gw.http1().await;
    let waiting = tokio::spawn(async move { client.try_send("/a").await.map(|r| r.status()) });
    upstream.wait_for(1).await;
    let stream = gw.connect().await.into_stream();
    let url = format!("ws://{}/chat", gw.address());
    let (socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    gw.stop().await;
    assert!(waiting.await.unwrap().is_err(), "cut off");
    drop(socket);
    eventually("no connection to stay", async || {
        upstream.open_connections() + websocket.open_connections() == 0
    })
    .await;
}

#[tokio::test]
async fn time_alone_changes_nothing() {
    let upstream = Upstream::text("ok").start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    for _ in 0..3 {
        assert_eq!(gw.get("/a").await.text(), "ok");
        gw.advance(60 * 24 * 365 * MINUTE);
    }
}
