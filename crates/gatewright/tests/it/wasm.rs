//! WebAssembly modules of users: what they do to real requests, and what they cannot do to the gateway.

use std::path::PathBuf;

use gatewright::testing;
use tempfile::TempDir;
use testkit::{Config, Gateway, Upstream, api, get, json, post};

/// Adds what is configured as a header, changes bodies both ways, and does as `x-do` says: `refuse`, `loop`, `trap`.
const MODULE: &str = r#"(module
  (import "env" "proxy_replace_header_map_value" (func $set (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_buffer_bytes" (func $bytes (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_buffer_bytes" (func $set_bytes (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_send_local_response"
    (func $answer (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "x-mark")
  (data (i32.const 16) "x-do")
  (data (i32.const 32) "refused by a module")
  (data (i32.const 64) "[]")
  (global $free (mut i32) (i32.const 1024))
  (global $mark (mut i32) (i32.const 0))
  (global $length (mut i32) (i32.const 0))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (local i32)
    (local.set 1 (global.get $free))
    (global.set $free (i32.add (global.get $free) (local.get 0)))
    (local.get 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (drop (call $bytes (i32.const 7) (i32.const 0) (local.get 1) (i32.const 512) (i32.const 516)))
    (global.set $mark (i32.load (i32.const 512)))
    (global.set $length (i32.load (i32.const 516)))
    (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (local $do i32)
    (drop (call $set (i32.const 0) (i32.const 0) (i32.const 6) (global.get $mark) (global.get $length)))
    ;; The configuration stays where it is, before this.
    (global.set $free (i32.const 4096))
    (if (i32.eqz (call $get (i32.const 0) (i32.const 16) (i32.const 4) (i32.const 512) (i32.const 516)))
      (then
        (local.set $do (i32.load8_u (i32.load (i32.const 512))))
        (if (i32.eq (local.get $do) (i32.const 114)) (then (drop (call $answer (i32.const 403)
          (i32.const 0) (i32.const 0) (i32.const 32) (i32.const 19) (i32.const 0) (i32.const 0) (i32.const -1)))))
        (if (i32.eq (local.get $do) (i32.const 108)) (then (loop $again (br $again))))
        (if (i32.eq (local.get $do) (i32.const 116)) (then (unreachable)))))
    (i32.const 0))
  (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
    (drop (call $set_bytes (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64) (i32.const 1)))
    (i32.const 0))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (drop (call $set (i32.const 2) (i32.const 0) (i32.const 6) (global.get $mark) (global.get $length)))
    (i32.const 0))
  (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32)
    (drop (call $set_bytes (i32.const 1) (local.get 1) (i32.const 0) (i32.const 65) (i32.const 1)))
    (i32.const 0)))"#;

fn module() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("mark.wasm");
    std::fs::write(&path, wat::parse_str(MODULE).expect("a module")).expect("a file");
    (directory, path)
}

#[tokio::test]
async fn a_module_changes_what_goes_on_both_ways_and_refuses() {
    let upstream = Upstream::echo_body().start().await;
    let (_directory, file) = module();
    let config = json!({ "file": file, "configuration": "a\r\nX-Admin: 1", "requestBody": true, "responseBody": true });
    let gw = Gateway::serving(api("/a", &upstream).policy("wasm", config)).await;
    for _ in 0..3 {
        let answer = gw.send(post("/a", "body")).await;
        assert_eq!((answer.status(), answer.text().as_str()), (200, "[body]"));
        assert_eq!(answer.header("x-mark"), "aX-Admin: 1");
        assert_eq!(upstream.last().header("x-mark"), "aX-Admin: 1");
    }
    assert_eq!(gw.get("/a").await.status(), 200, "no body is no crash");
    let count = upstream.count();
    let refused = gw.send(post("/a", "body").header("X-Do", "refuse")).await;
    assert_eq!((refused.status(), refused.text().as_str()), (403, "refused by a module"));
    assert_eq!(upstream.count(), count);
}

#[tokio::test]
async fn a_module_that_fails_costs_its_own_request_only() {
    let upstream = Upstream::text("ok").start().await;
    let (_directory, file) = module();
    let config = |on_failure: &str| {
        let config = json!({ "file": file, "configuration": "m", "onFailure": on_failure });
        Config::from(api("/a", &upstream).policy("wasm", config)).one_worker()
    };
    let (closed, open) = (Gateway::serving(config("closed")).await, Gateway::serving(config("open")).await);
    for (what, code) in [("trap", "wasm_failed"), ("loop", "wasm_limit"), ("trap", "wasm_failed")] {
        let failed = closed.send(get("/a").header("X-Do", what)).await;
        assert_eq!((failed.status(), failed.reason().as_str()), (500, code), "{what}");
        assert_eq!(closed.get("/a").await.header("x-mark"), "m", "{what}");
        let went_on = open.send(get("/a").header("X-Do", what)).await;
        assert_eq!((went_on.status(), went_on.text().as_str()), (200, "ok"), "{what}");
        assert!(!upstream.last().headers.contains_key("x-mark"), "it went on as it was");
    }
}

#[tokio::test]
async fn a_rehearsal_runs_modules() {
    let (directory, _) = module();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).expect("a file");
    write(
        "gatewright.yaml",
        "apis: [{name: t, basePath: /t, upstream: 'http://u.invalid', policies: [{type: wasm, config: {file: mark.wasm, configuration: m}}]}]",
    );
    write(
        "a.test.yaml",
        "tests:
  - name: allowed
    request: {url: /t}
    expect: {status: 200, upstream: {headers: {x-mark: m}}, headers: {x-mark: m}}
  - name: refused
    request: {url: /t, headers: {x-do: refuse}}
    expect: {status: 403, upstream: {called: false}}
  - name: failed
    request: {url: /t, headers: {x-do: trap}}
    expect: {status: 500, code: wasm_failed}
",
    );
    let report = testing::run(&[directory.path().to_owned()], None).await;
    assert_eq!((report.passed(), report.failed() + report.unusable()), (3, 0), "{}", report.to_text());
}

#[tokio::test]
async fn what_is_no_module_is_refused_with_its_place() {
    let upstream = Upstream::text("ok").start().await;
    let config = api("/a", &upstream).policy("wasm", json!({ "file": "none.wasm" }));
    let problems = Gateway::start(Config::from(config).file("none.wasm", "text")).await;
    let problems = problems.map(|_| ()).expect_err("no module").to_string();
    assert!(problems.contains("apis[0].policies[0].config.file: found no WebAssembly module"), "{problems}");
}
