//! Scripts and modules of users: what they do to real requests, and what they cannot do to the gateway.

use gatewright::testing;
use testkit::{Config, Gateway, Upstream, api, get, json, post};

/// An API with one script on its requests.
fn scripted(upstream: &Upstream, source: &str) -> Config {
    Config::from(api("/a", upstream).policy("requestScript", json!({ "body": true, "source": source })))
        .one_worker()
}

/// Checklist 9.
#[tokio::test]
async fn a_script_changes_what_goes_on_both_ways() {
    let upstream = Upstream::echo().start().await;
    let request = json!({ "body": true, "source": "
        const order = request.json();
        request.headers.set('X-Total', order.items.reduce((sum, item) => sum + item.price, 0));
        request.headers.set('X-Evil', order.evil);
        variables.set('total', order.items.length);
        request.setBody({ ...order, checked: true });
        log('total', order.items.length);" });
    let response = json!({ "body": true, "source": "
        const seen = response.json();
        response.headers.set('X-Seen', seen.headers['x-total']);
        response.setBody({ total: variables.get('total'), admin: seen.headers['x-admin'] ?? null });" });
    let orders = api("/a", &upstream).policy("requestScript", request).policy("responseScript", response);
    let gw = Gateway::serving(orders).await;
    let body = r#"{"items":[{"price":2},{"price":3}],"evil":"a\r\nX-Admin: 1"}"#;
    let answer = gw.send(post("/a/orders", body)).await;
    assert_eq!((answer.status(), answer.header("x-seen")), (200, "5"));
    assert_eq!(answer.json(), json!({ "total": "2", "admin": null }));
    assert_eq!(upstream.last().header("x-evil"), "aX-Admin: 1");
    assert!(upstream.last().body.ends_with(br#","checked":true}"#));
    let note = gw.explain(&answer).await.to_text();
    assert!(note.contains("total 2"), "{note}");
}

#[tokio::test]
async fn a_script_refuses_and_answers_without_the_upstream() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(scripted(
        &upstream,
        "if (request.text() === null) reject(400, 'no_body', 'send an order');
         respond(202, { 'X-Own': 'yes' }, { got: request.text().length });",
    ))
    .await;
    let refused = gw.send(post("/a", "")).await;
    assert_eq!((refused.status(), refused.reason().as_str()), (400, "script_refused"));
    assert!(refused.text().contains("send an order"), "{}", refused.text());
    let answered = gw.send(post("/a", "1234")).await;
    assert_eq!((answered.status(), answered.header("x-own")), (202, "yes"));
    assert_eq!(answered.json(), json!({ "got": 4 }));
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn a_script_that_runs_away_is_ended_and_the_worker_goes_on() {
    let upstream = Upstream::text("ok").start().await;
    for (source, code) in [
        ("for (;;) {}", "script_time"),
        ("const all = []; for (;;) all.push(new Array(10000).fill(0))", "script_memory"),
        ("(function again() { again(); })()", "script_failed"),
        ("'x'.repeat(2 ** 30)", "script_failed"),
        ("throw new Error('secret')", "script_failed"),
    ] {
        let source = format!("if (request.headers.has('x-bad')) {{ {source} }}");
        let gw = Gateway::serving(scripted(&upstream, &source)).await;
        for _ in 0..2 {
            let bad = gw.send(get("/a").header("X-Bad", "1")).await;
            assert_eq!((bad.status(), bad.reason().as_str()), (500, code), "{source}");
            assert!(!bad.text().contains("secret"));
            assert_eq!(gw.get("/a").await.text(), "ok", "{source}");
        }
    }
}

#[tokio::test]
async fn a_file_that_changes_is_a_changed_script_and_a_broken_one_changes_nothing() {
    let upstream = Upstream::echo().start().await;
    let config = |file: &str| {
        Config::from(api("/a", &upstream).policy("requestScript", json!({ "file": file })))
            .file("mark.js", "request.headers.set('X-Mark', 'one')")
    };
    let gw = Gateway::serving(config("mark.js")).await;
    assert_eq!(gw.get("/a").await.json()["headers"]["x-mark"], "one");
    gw.write_file("mark.js", "request.headers.set('X-Mark', 'two')");
    gw.reload().await.expect("a script that works");
    assert_eq!(gw.get("/a").await.json()["headers"]["x-mark"], "two");
    gw.write_file("mark.js", "let ok;\nlet = ;");
    let problems = gw.reload().await.expect_err("a script that does not parse").to_string();
    assert!(problems.contains("policies[0].config.file: line 2: SyntaxError"), "{problems}");
    assert_eq!(gw.get("/a").await.json()["headers"]["x-mark"], "two");
    let problems = Gateway::start(config("none.js")).await.map(|_| ()).expect_err("no file").to_string();
    assert!(problems.contains("apis[0].policies[0].config.file: found `none.js`"), "{problems}");
}

#[tokio::test]
async fn an_error_has_a_script_of_its_own() {
    let config = api("/a", "http://127.0.0.1:9").policy(
        "errorScript",
        json!({ "source": "respond(503, { 'Retry-After': 5 }, { error: context.error })" }),
    );
    let gw = Gateway::serving(config).await;
    let answer = gw.get("/a").await;
    assert_eq!((answer.status(), answer.header("retry-after")), (503, "5"));
    assert_eq!(answer.json(), json!({ "error": "upstream_unreachable" }));
}

#[tokio::test]
async fn a_rehearsal_runs_scripts_with_its_own_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).expect("a file");
    write(
        "day.js",
        "request.headers.set('X-Day', new Date().toISOString()); if (request.query.has('no')) reject(403, 'no');",
    );
    write(
        "gatewright.yaml",
        "apis: [{name: t, basePath: /t, upstream: 'http://u.invalid', policies: [{type: requestScript, config: {file: day.js}}]}]",
    );
    write(
        "a.test.yaml",
        "tests:
  - name: allowed
    at: 2026-03-01T08:00:00Z
    request: {url: /t}
    expect: {status: 200, upstream: {headers: {x-day: '2026-03-01T08:00:00.000Z'}}}
  - name: refused
    request: {url: '/t?no'}
    expect: {status: 403, code: script_refused, upstream: {called: false}}
",
    );
    let report = testing::run(&[directory.path().to_owned()], None).await;
    assert_eq!((report.passed(), report.failed() + report.unusable()), (2, 0), "{}", report.to_text());
}
