//! Modules, through the chain of an API: what they can do, what they cannot, and that they end with their requests.

use std::time::{Duration, Instant};

use engine::{Exchange, Outcome, Payload};
use serde_json::{Value, json};

use crate::testing::{Served, told, try_serve_with};

const OPERATIONS: &str = "operations: [{method: POST, path: '/orders/{id}', name: change}]";

/// What every module here begins with. Texts are at fixed places; what the gateway allocates is behind them.
const COMMON: &str = r#"
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_replace_header_map_value" (func $set (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_remove_header_map_value" (func $remove (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))
  (import "env" "proxy_set_header_map_pairs" (func $set_pairs (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_buffer_bytes" (func $bytes (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_buffer_bytes" (func $set_bytes (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_property" (func $property (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_property" (func $set_property (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_send_local_response"
    (func $answer (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_current_time_nanoseconds" (func $now (param i32) (result i32)))
  (import "env" "proxy_http_call" (func $call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (func (export "proxy_abi_version_0_2_1"))
  (global $free (mut i32) (i32.const 4096))
  (data (i32.const 0) "x-out")
  (data (i32.const 16) "value\0d\0aX-Admin: 1")
  (data (i32.const 48) "x-in")
  (data (i32.const 64) "request\00id")
  (data (i32.const 80) "tenant")
  (data (i32.const 96) "host")
  (data (i32.const 112) "0123456789")
  (data (i32.const 128) ":path")
  (data (i32.const 144) "/t/orders/8?a=b")
  (data (i32.const 176) ":status")
  (data (i32.const 192) "203")
"#;
const ALLOCATE: &str = r#"
  (func $allocate (export "proxy_on_memory_allocate") (param i32) (result i32) (local i32)
    (local.set 1 (global.get $free))
    (global.set $free (i32.add (global.get $free) (local.get 0)))
    (local.get 1))"#;

fn module(functions: &str) -> Vec<u8> {
    wat::parse_str(format!("(module {COMMON} {ALLOCATE} {functions})")).unwrap()
}

/// A module that does this when it sees the headers of a request, and lets it pass.
fn on_request(body: &str) -> Vec<u8> {
    module(&format!(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (local $n i32) {body} (i32.const 0))"#
    ))
}

fn compiled(module: &[u8], mut config: Value) -> Result<Served, String> {
    config["file"] = "m.wasm".into();
    let policies = json!([{ "type": "wasm", "config": config }]).to_string();
    try_serve_with("", &policies, OPERATIONS, &[("m.wasm", module)]).map_err(|problems| problems.to_string())
}

fn serve(module: &[u8]) -> Served {
    compiled(module, json!({ "requestBody": true, "responseBody": true })).unwrap()
}

fn post(served: &Served, body: &str) -> Exchange {
    served.exchange("POST /orders/7?q=1", "Host: a.example\nX-In: in\nX-Out: old", body)
}

fn out(exchange: &Exchange) -> String {
    exchange.headers.get("x-out").map(|value| value.to_text().into_owned()).unwrap_or_default()
}

/// What is in `X-Out` after a request, or why there is none.
fn says(module: &[u8]) -> Result<String, String> {
    let served = serve(module);
    let mut exchange = post(&served, "body");
    match served.request(&mut exchange) {
        Ok(_) => Ok(out(&exchange)),
        Err(rejection) => Err(format!("{}: {}", told(&rejection), rejection.detail.unwrap_or_default())),
    }
}

/// Sets `X-Out` to what was just put at 1024.
const GIVEN: &str = "(drop (call $set (i32.const 0) (i32.const 0) (i32.const 5) (i32.load (i32.const 1024)) (i32.load (i32.const 1028))))";
/// Sets `X-Out` to the last digit of what is on the stack.
const DIGIT: &str = "(local.set $n) (drop (call $set (i32.const 0) (i32.const 0) (i32.const 5) (i32.add (i32.const 112) (local.get $n)) (i32.const 1)))";

#[test]
fn a_module_reads_and_writes_as_the_abi_says() {
    for (name, body, expect) in [
        ("replace", "(drop (call $set (i32.const 0) (i32.const 0) (i32.const 5) (i32.const 16) (i32.const 17)))".to_owned(), "valueX-Admin: 1"),
        ("get", format!("(drop (call $get (i32.const 0) (i32.const 48) (i32.const 4) (i32.const 1024) (i32.const 1028))) {GIVEN}"), "in"),
        ("pseudo", format!("(drop (call $get (i32.const 0) (i32.const 128) (i32.const 5) (i32.const 1024) (i32.const 1028))) {GIVEN}"), "/t/orders/7?q=1"),
        ("property", format!("(drop (call $property (i32.const 64) (i32.const 10) (i32.const 1024) (i32.const 1028))) {GIVEN}"), "00000000000000010000000000000002"),
        ("variable", format!("(drop (call $set_property (i32.const 80) (i32.const 6) (i32.const 112) (i32.const 3))) (drop (call $property (i32.const 80) (i32.const 6) (i32.const 1024) (i32.const 1028))) {GIVEN}"), "012"),
        ("not found", format!("(call $get (i32.const 0) (i32.const 80) (i32.const 6) (i32.const 1024) (i32.const 1028)) {DIGIT}"), "1"),
        ("trailers", format!("(call $get (i32.const 1) (i32.const 48) (i32.const 4) (i32.const 1024) (i32.const 1028)) {DIGIT}"), "1"),
        ("no such map", format!("(call $get (i32.const 9) (i32.const 48) (i32.const 4) (i32.const 1024) (i32.const 1028)) {DIGIT}"), "2"),
        ("the gateway's own", format!("(call $set (i32.const 0) (i32.const 96) (i32.const 4) (i32.const 112) (i32.const 1)) {DIGIT}"), "0"),
        ("a response that is not there", format!("(call $set (i32.const 2) (i32.const 0) (i32.const 5) (i32.const 112) (i32.const 1)) {DIGIT}"), "2"),
        ("beyond the memory", format!("(call $set (i32.const 0) (i32.const 0) (i32.const 5) (i32.const -4) (i32.const 100)) {DIGIT}"), "6"),
        ("a result beyond the memory", format!("(call $get (i32.const 0) (i32.const 48) (i32.const 4) (i32.const -1) (i32.const 1028)) {DIGIT}"), "6"),
        ("unimplemented", format!("(i32.sub (call $call (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const 10)) {DIGIT}"), "2"),
        ("time", "(drop (call $now (i32.const 1024))) (i64.gt_u (i64.load (i32.const 1024)) (i64.const 1600000000000000000))".to_owned() + DIGIT, "1"),
        ("all pairs back", format!("(drop (call $pairs (i32.const 0) (i32.const 1024) (i32.const 1028))) (call $set_pairs (i32.const 0) (i32.load (i32.const 1024)) (i32.load (i32.const 1028))) {DIGIT}"), "0"),
        ("pairs that are none", format!("(call $set_pairs (i32.const 0) (i32.const 112) (i32.const 9)) {DIGIT}"), "2"),
    ] {
        assert_eq!(says(&on_request(&body)), Ok(expect.to_owned()), "{name}");
    }
}

#[test]
fn headers_of_the_gateway_stay_as_they_are() {
    let served = serve(&on_request(
        "(drop (call $set (i32.const 0) (i32.const 96) (i32.const 4) (i32.const 112) (i32.const 1)))
         (drop (call $add (i32.const 0) (i32.const 96) (i32.const 4) (i32.const 112) (i32.const 1)))
         (drop (call $remove (i32.const 0) (i32.const 96) (i32.const 4)))",
    ));
    let mut exchange = post(&served, "");
    assert_eq!(served.request(&mut exchange).unwrap(), Outcome::Passed);
    let hosts: Vec<_> = exchange.headers.get_all("host").map(|value| value.to_text().into_owned()).collect();
    assert_eq!(hosts, ["a.example"]);
    assert!(exchange.take_note().unwrap().starts_with("host belongs to the gateway"));
}

#[test]
fn headers_paths_and_bodies_are_changed_both_ways() {
    let functions = r#"
      (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (drop (call $add (i32.const 0) (i32.const 0) (i32.const 5) (i32.const 112) (i32.const 2)))
        (drop (call $remove (i32.const 0) (i32.const 48) (i32.const 4)))
        (drop (call $set (i32.const 0) (i32.const 128) (i32.const 5) (i32.const 144) (i32.const 15)))
        (i32.const 1))
      (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
        (drop (call $set_bytes (i32.const 0) (i32.const 1) (i32.const 2) (i32.const 112) (i32.const 3)))
        (i32.const 0))
      (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
        (drop (call $set (i32.const 2) (i32.const 176) (i32.const 7) (i32.const 192) (i32.const 3)))
        (drop (call $set (i32.const 0) (i32.const 0) (i32.const 5) (i32.const 112) (i32.const 1)))
        (i32.const 0))
      (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32)
        (drop (call $bytes (i32.const 1) (i32.const 0) (i32.const 9) (i32.const 1024) (i32.const 1028)))
        (drop (call $set (i32.const 2) (i32.const 0) (i32.const 5) (i32.load (i32.const 1024)) (i32.load (i32.const 1028))))
        (drop (call $set_bytes (i32.const 1) (i32.const 99) (i32.const 0) (i32.const 112) (i32.const 1)))
        (i32.const 0))"#;
    let served = serve(&module(functions));
    let mut exchange = post(&served, "body");
    assert_eq!(served.request(&mut exchange).unwrap(), Outcome::Changed);
    assert_eq!(exchange.uri, "/t/orders/8?a=b");
    let headers: Vec<_> =
        exchange.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_text())).collect();
    assert_eq!(headers, ["host: a.example", "x-out: old", "x-out: 01"]);
    let bytes = |payload: &Option<Payload>| payload.as_ref().unwrap().bytes().clone();
    assert_eq!(bytes(&exchange.request_payload), "b012y");
    served.response(&mut exchange, 200, "", "up").unwrap();
    assert_eq!(exchange.status, 203);
    assert_eq!(exchange.response_headers.get("x-out").unwrap(), "up");
    assert_eq!(bytes(&exchange.response_payload), "up0");
    assert_eq!(exchange.headers.get_all("x-out").count(), 2, "the request has been sent");
}

#[test]
fn a_module_gets_its_configuration_and_may_refuse_it() {
    let functions = |answer: &str| {
        module(&format!(
            r#"(func (export "proxy_on_configure") (param i32 i32) (result i32)
                 (drop (call $bytes (i32.const 7) (i32.const 0) (local.get 1) (i32.const 1024) (i32.const 1028)))
                 (drop (call $log (i32.const 2) (i32.load (i32.const 1024)) (i32.load (i32.const 1028))))
                 (i32.const {answer}))
               (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {GIVEN} (i32.const 0))"#
        ))
    };
    for (configuration, expect) in [(json!("plain"), "plain"), (json!({ "a": [1] }), r#"{"a":[1]}"#)] {
        let served = compiled(&functions("1"), json!({ "configuration": configuration })).unwrap();
        let mut exchange = post(&served, "");
        served.request(&mut exchange).unwrap();
        assert_eq!(out(&exchange), expect);
    }
    let told = compiled(&functions("0"), json!({ "configuration": "bad" })).err().unwrap();
    assert!(
        told.contains(
            "config.file: the module does not start: proxy_on_configure refused its configuration; log: bad"
        ),
        "{told}"
    );
}

#[test]
fn a_module_answers_instead_of_the_upstream() {
    let answer = |status: u16| {
        on_request(&format!(
            r#"(drop (call $answer (i32.const {status}) (i32.const 80) (i32.const 6) (i32.const 112) (i32.const 4)
                 (i32.const 0) (i32.const 0) (i32.const -1)))"#
        ))
    };
    let served = serve(&answer(403));
    let mut exchange = post(&served, "");
    assert_eq!(served.request(&mut exchange).unwrap(), Outcome::Answered);
    assert_eq!((exchange.status.as_u16(), exchange.take_note().as_deref()), (403, Some("tenant")));
    assert_eq!(exchange.response_payload.unwrap().bytes(), "0123");
    assert_eq!(says(&answer(99)), Ok("old".into()), "99 is no status, and nothing happens");
}

#[test]
fn a_module_that_fails_is_ended_and_the_next_request_gets_another() {
    let grow = "(drop (memory.grow (i32.const 100000))) (i32.store (i32.mul (memory.size) (i32.const 65536)) (i32.const 1))";
    let many = "(loop $again (drop (call $add (i32.const 0) (i32.const 0) (i32.const 5) (i32.const 4096) (i32.const 60000))) (br $again))";
    for (name, body, expect) in [
        ("trap", "(unreachable)", "500 wasm_failed"),
        ("loop", "(loop $again (br $again))", "500 wasm_limit: it"),
        ("no memory", grow, "500 wasm_failed"),
        ("long headers without end", many, "500 wasm_limit"),
        ("division", "(drop (i32.div_u (i32.const 1) (i32.const 0)))", "500 wasm_failed"),
    ] {
        let bad = on_request(&format!(
            "(if (i32.eqz (call $get (i32.const 0) (i32.const 80) (i32.const 6) (i32.const 1024) (i32.const 1028))) (then {body}))"
        ));
        let served = serve(&bad);
        for _ in 0..2 {
            let began = Instant::now();
            let mut exchange = served.exchange("POST /orders/7", "tenant: 1", "");
            let rejection = served.request(&mut exchange).unwrap_err();
            let told = format!("{}: {}", told(&rejection), rejection.detail.unwrap_or_default());
            assert!(told.starts_with(expect), "{name}: {told}");
            assert!(began.elapsed() < Duration::from_secs(5), "{name}");
            assert_eq!(served.request(&mut post(&served, "")).unwrap(), Outcome::Passed, "{name}");
        }
    }
    let deep = module(
        r#"(func $deep (call $deep))
           (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (call $deep) (i32.const 0))"#,
    );
    assert!(says(&deep).unwrap_err().starts_with("500 wasm_failed"));
}

#[test]
fn asking_for_memory_while_memory_is_asked_for_ends() {
    let functions = r#"
      (func (export "proxy_on_memory_allocate") (param i32) (result i32)
        (drop (call $pairs (i32.const 0) (i32.const 1024) (i32.const 1028)))
        (i32.const 8192))
      (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (drop (call $pairs (i32.const 0) (i32.const 1024) (i32.const 1028)))
        (i32.const 0))"#;
    let module = wat::parse_str(format!("(module {COMMON} {functions})")).unwrap();
    assert_eq!(says(&module), Ok("old".into()));
}

#[test]
fn a_request_that_is_paused_for_good_fails_or_goes_on_as_it_was() {
    let pauses = module(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
             (drop (call $set (i32.const 0) (i32.const 0) (i32.const 5) (i32.const 112) (i32.const 1)))
             (i32.const 1))"#,
    );
    let told = says(&pauses).unwrap_err();
    assert!(told.starts_with("500 wasm_failed: it paused the request"), "{told}");
    let served = compiled(&pauses, json!({ "onFailure": "open" })).unwrap();
    let mut exchange = post(&served, "body");
    assert_eq!(served.request(&mut exchange).unwrap(), Outcome::Skipped);
    assert_eq!(out(&exchange), "old");
    assert!(exchange.take_note().unwrap().starts_with("wasm_failed: it paused"));
}

/// Counts the contexts that are there, and tells in `X-Out`.
fn counting() -> Vec<u8> {
    module(&format!(
        r#"(global $count (mut i32) (i32.const -1))
           (func (export "proxy_on_context_create") (param i32 i32) (global.set $count (i32.add (global.get $count) (i32.const 1))))
           (func (export "proxy_on_delete") (param i32) (global.set $count (i32.sub (global.get $count) (i32.const 1))))
           (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))
           (func (export "proxy_on_log") (param i32)
             (if (call $pairs (i32.const 0) (i32.const 1024) (i32.const 1028)) (then (unreachable)))
             (if (i32.ne (i32.load (i32.load (i32.const 1024))) (i32.const 0)) (then (unreachable))))
           (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (local $n i32) (global.get $count) {DIGIT} (i32.const 0))"#
    ))
}

#[test]
fn a_context_ends_with_its_request_however_that_ends() {
    let served = serve(&counting());
    let begin = || {
        let mut exchange = post(&served, "");
        served.request(&mut exchange).unwrap();
        exchange
    };
    let (first, mut second) = (begin(), begin());
    assert_eq!((out(&first), out(&second)), ("1".into(), "2".into()));
    drop(first);
    served.response(&mut second, 200, "", "").unwrap();
    assert_eq!(out(&begin()), "2", "the second one has not ended yet");
    drop(second);
    assert_eq!(out(&begin()), "1");
}

#[test]
fn a_response_whose_machine_has_failed_meanwhile_fails() {
    let fails = module(&format!(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
             (if (i32.eqz (call $get (i32.const 0) (i32.const 80) (i32.const 6) (i32.const 1024) (i32.const 1028))) (then (unreachable)))
             (i32.const 0))
           (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) (i32.const 0)) {}"#,
        ""
    ));
    let served = serve(&fails);
    let mut waiting = post(&served, "");
    served.request(&mut waiting).unwrap();
    served.request(&mut served.exchange("POST /orders/7", "tenant: 1", "")).unwrap_err();
    assert_eq!(told(&served.response(&mut waiting, 200, "", "").unwrap_err()), "500 wasm_failed");
}

#[test]
fn what_cannot_be_run_is_told_when_it_is_compiled() {
    let wat = |text: &str| wat::parse_str(text).unwrap();
    let abi = r#"(func (export "proxy_abi_version_0_2_1"))"#;
    for (module, config, expect) in [
        (
            b"\0asm?".to_vec(),
            json!({}),
            "policies[0].config.file: found no WebAssembly module that can be used",
        ),
        (wat("(module)"), json!({}), "found no version of it, expected the proxy-wasm ABI 0.2.1"),
        (
            wat(r#"(module (func (export "proxy_abi_version_0_1_0")))"#),
            json!({}),
            "found proxy_abi_version_0_1_0",
        ),
        (
            wat(&format!(r#"(module (import "wasi_snapshot_preview1" "fd_write" (func)) {abi})"#)),
            json!({}),
            "build for `wasm32-unknown-unknown`",
        ),
        (
            wat(&format!(r#"(module (import "env" "proxy_other" (func)) {abi})"#)),
            json!({}),
            "found an import of `env.proxy_other`, which does not exist",
        ),
        (
            wat(&format!(r#"(module (import "env" "proxy_log" (func)) {abi})"#)),
            json!({}),
            "the module does not start",
        ),
        (
            wat(&format!(r#"(module {abi} (func (export "proxy_on_done")))"#)),
            json!({}),
            "`proxy_on_done` does not have the signature",
        ),
        (
            wat(&format!(r#"(module {abi} (func (export "_initialize") (unreachable)))"#)),
            json!({}),
            "the module does not start",
        ),
        (
            wat(&format!(r#"(module {abi} (func (export "_initialize") (loop $a (br $a))))"#)),
            json!({}),
            "the module does not start: it",
        ),
        (wat(&format!("(module {abi} (memory 1000))")), json!({}), "the module does not start"),
        (
            wat(&format!("(module {abi})")),
            json!({ "limits": { "fuel": 1 } }),
            "config.limits.fuel: found 1, expected",
        ),
        (wat(&format!("(module {abi})")), json!({ "limits": { "memory": "1KiB" } }), "config.limits.memory"),
        (wat(&format!("(module {abi})")), json!({ "limits": { "time": "1h" } }), "config.limits.time"),
    ] {
        let told = compiled(&module, config).err().unwrap_or_default();
        assert!(told.contains(expect), "{expect}: {told}");
    }
    assert!(
        compiled(&wat(&format!("(module {abi})")), json!({})).is_ok(),
        "a module that does nothing is one"
    );
}
