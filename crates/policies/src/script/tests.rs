//! Scripts, through the chain of an API: what they can do, what they cannot, and that nothing is left behind.

use std::time::{Duration, Instant};

use engine::{Exchange, Outcome};
use serde_json::{Value, json};

use crate::testing::{Served, told, try_serve};

const OPERATIONS: &str =
    "operations: [{method: POST, path: '/orders/{id}', name: change}, {method: GET, path: /orders}]";

fn compiled(kind: &str, config: Value) -> Result<Served, String> {
    let policies = json!([{ "type": kind, "config": config }]).to_string();
    try_serve("", &policies, OPERATIONS).map_err(|problems| problems.to_string())
}

fn script(source: &str) -> Served {
    compiled("requestScript", json!({ "body": true, "source": source })).unwrap()
}

/// Code and detail of a refusal, or what is in the header `X-Out`.
fn outcome(served: &Served, exchange: &mut Exchange) -> Result<String, String> {
    match served.request(exchange) {
        Ok(_) => Ok(exchange.headers.get("x-out").map(|v| v.to_text().into_owned()).unwrap_or_default()),
        Err(rejection) => Err(format!("{}: {}", told(&rejection), rejection.detail.unwrap_or_default())),
    }
}

/// What `out(value)` in a script says about a POST of this body.
fn says(source: &str, body: &str) -> Result<String, String> {
    let source = format!("const out = (v) => request.headers.set('X-Out', JSON.stringify(v)); {source}");
    let served = script(&source);
    let mut exchange = served.exchange("POST /orders/7%20a?q=a%26b&q=c", "X-A: 1\nx-a: 2\nX-B: ", body);
    outcome(&served, &mut exchange)
}

#[test]
fn a_script_sees_the_request_and_who_sends_it() {
    for (source, body, expect) in [
        ("out([request.method, request.path])", "", r#"["POST","/orders/7%20a"]"#),
        (
            "out([request.query.get('q'), request.query.all('q'), request.query.get('r')])",
            "",
            r#"["a&b",["a&b","c"],null]"#,
        ),
        (
            "out([request.headers.get('X-a'), request.headers.all('x-A'), request.headers.get('X-C')])",
            "",
            r#"["1",["1","2"],null]"#,
        ),
        (
            "out([request.headers.get('x-b'), request.headers.has('x-b'), request.headers.names()])",
            "",
            r#"["",true,["x-a","x-b"]]"#,
        ),
        ("out([request.text(), request.json()])", "", "[null,null]"),
        ("out([request.text(), request.json()])", "no JSON", r#"["no JSON",null]"#),
        ("out(request.json().a[1].b)", r#"{"a":[0,{"b":"ü"}]}"#, "\"ü\""),
        (
            "out([context.api.name, context.operation.name, context.application, context.error])",
            "",
            r#"["T","change",null,null]"#,
        ),
        ("out([context.client.ip, context.requestId.length])", "", r#"["127.0.0.1",32]"#),
        ("out(typeof response + (response === null))", "", "\"objecttrue\""),
        ("if (request.text() === null) { out('early'); return; } out('late')", "", "\"early\""),
        ("variables.set('t', 5); out([variables.get('t'), variables.get('u')])", "", r#"["5",null]"#),
        (
            "variables.set('customTransactionFields.f', 'x'); out(variables.get('customTransactionFields.f'))",
            "",
            "\"x\"",
        ),
    ] {
        assert_eq!(says(source, body), Ok(expect.to_owned()), "{source}");
    }
}

#[test]
fn what_a_script_writes_stays_one_value_where_it_belongs() {
    let served = script(
        "request.method = 'PUT'; request.path = '/orders/a b/c';
         request.query.set('q', 'x&admin=1'); request.query.append('r', '1#'); request.query.remove('none');
         request.headers.set('X-Evil', 'a\\r\\nX-Admin: 1\\0'); request.headers.append('X-A', '3'); request.headers.remove('X-B');
         request.setBody({ a: [request.json().n + 1] });",
    );
    let mut exchange = served.exchange(
        "POST /orders/7?q=1",
        "X-A: 1\nX-B: 2\nContent-MD5: x\nContent-Type: text/x",
        r#"{"n":1}"#,
    );
    assert_eq!(served.request(&mut exchange).unwrap(), Outcome::Changed);
    assert_eq!(exchange.method, "PUT");
    assert_eq!(exchange.uri.to_string(), "/t/orders/a%20b/c?q=x%26admin%3D1&r=1%23");
    let headers: Vec<_> =
        exchange.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_text())).collect();
    assert_eq!(headers, ["x-a: 1", "content-type: application/json", "x-evil: aX-Admin: 1", "x-a: 3"]);
    let payload = exchange.request_payload.unwrap();
    assert_eq!((&payload.bytes()[..], payload.is_changed()), (&br#"{"a":[2]}"#[..], true));
}

#[test]
fn what_cannot_be_written_throws_and_says_where() {
    for (source, expect) in [
        (
            "\nrequest.headers.set('Host', 'x')",
            "line 2: TypeError: found `Host`, which the gateway sets itself",
        ),
        ("request.headers.set('a b', 'x')", "a b"),
        ("request.path = '/../x'", "not a path without dot segments"),
        ("request.method = 'get'", "not an HTTP method"),
        ("variables.set('request.path', '/x')", "not the name of a variable of one's own"),
        ("request.headers.set('X-Long', 'x'.repeat(70000))", "a header of more than 64 KiB"),
        ("respond(99, {}, '')", "expected a status from 200 to 599"),
        ("respond(200, { 'Content-Length': '1' }, '')", "expected a header that can be set"),
        ("reject(200, 'no')", "expected a status from 400 to 599"),
        ("request.headers.set('X-Half', '\\ud800')", "script_failed"),
        ("throw 'text'", "thrown: text"),
        ("throw {}", "thrown: a value that is no error"),
        ("throw null", "script_memory"),
        ("nothing.there", "ReferenceError"),
        ("leak = 1", "ReferenceError"),
        ("request.text = 1", "TypeError"),
        ("(function f() { f(); })()", "Maximum call stack size exceeded"),
        ("JSON.parse('['.repeat(200000))", "Maximum call stack size exceeded"),
        ("const list = []; list.length = 4294967295; list.reverse()", "a list of more than 1048576 entries"),
        (
            "class Own extends Error { constructor(m) { super(m); this.name = 'Own'; } } throw new Own('x')",
            "Own: x",
        ),
    ] {
        let told = says(source, "").unwrap_err();
        let code = if expect == "script_memory" { "500 script_memory" } else { "500 script_failed" };
        assert!(told.starts_with(code) && told.contains(expect), "{source}: {told}");
    }
}

#[test]
fn there_is_nothing_to_reach_the_outside_with() {
    for name in [
        "eval",
        "require",
        "process",
        "fetch",
        "XMLHttpRequest",
        "WebSocket",
        "setTimeout",
        "setInterval",
        "std",
        "os",
        "performance",
        "WeakRef",
        "FinalizationRegistry",
        "console",
        "print",
        "scriptArgs",
        "host",
    ] {
        assert_eq!(says(&format!("out(typeof {name})"), ""), Ok("\"undefined\"".into()), "{name}");
    }
    for source in [
        "new Function('return 1')",
        "(() => {}).constructor('return 1')()",
        "(async () => {}).constructor('return 1')",
        "(function* () {}).constructor('yield 1')",
        "Object.getPrototypeOf(async function* () {}).constructor('yield 1')",
    ] {
        let told = says(source, "").unwrap_err();
        assert!(told.contains("texts cannot be run as code here"), "{source}: {told}");
    }
}

#[test]
fn a_call_that_uses_more_than_it_may_is_ended() {
    let limited = |source: &str| {
        let limits = json!({ "time": "20ms", "memory": "2MiB" });
        let served = compiled("requestScript", json!({ "source": source, "limits": limits })).unwrap();
        let began = Instant::now();
        let told = outcome(&served, &mut served.exchange("POST /orders/7", "", "")).unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(5), "{source} took {:?}", began.elapsed());
        // The next request has a machine again, and the same answer.
        assert_eq!(outcome(&served, &mut served.exchange("POST /orders/7", "", "")).unwrap_err(), told);
        told
    };
    for (source, code) in [
        ("for (;;) {}", "script_time"),
        ("for (;;) { try { for (;;) {} } catch { } finally { continue; } }", "script_time"),
        ("try { for (;;) {} } finally { for (;;) {} }", "script_time"),
        ("/(a+)+$/.test('a'.repeat(40) + 'b')", "script_time"),
        ("const a = []; a.length = 4294967295; a.indexOf(1)", "script_time"),
        ("const again = () => Promise.resolve().then(again); again()", "script_time"),
        ("const all = []; for (;;) all.push(new Array(1000).fill(1))", "script_memory"),
        ("let text = 'x'; for (;;) text += text", "string too long"),
        ("const all = []; for (;;) all.push('x'.repeat(100000))", "script_memory"),
        ("new Uint8Array(1e9)", "script_memory"),
        ("for (;;) request.headers.append('X-A', 'x'.repeat(60000))", "script_failed"),
    ] {
        let told = limited(source);
        assert!(told.contains(code), "{source}: {told}");
    }
}

#[test]
fn garbage_of_earlier_calls_is_no_reason_to_fail() {
    let ring = "for (let i = 0; i < 2000; i++) { const a = { text: 'x'.repeat(100) }; a.a = a; }";
    let config = json!({ "source": ring, "limits": { "memory": "2MiB", "time": "5s" } });
    let served = compiled("requestScript", config).unwrap();
    for _ in 0..20 {
        assert_eq!(outcome(&served, &mut served.exchange("POST /orders/7", "", "")), Ok(String::new()));
    }
}

#[test]
fn one_request_leaves_nothing_for_the_next() {
    // Each line tries to keep something, and tells whether it found it.
    for (keep, find) in [
        ("globalThis.kept = 1", "globalThis.kept"),
        ("this.kept = 1", "this?.kept"),
        ("Object.prototype.kept = 1", "({}).kept"),
        ("Array.prototype.push = 1", "typeof [].push === 'function' ? undefined : 1"),
        ("Object.defineProperty(Array.prototype, 'kept', { value: 1 })", "[].kept"),
        ("Object.setPrototypeOf(Array.prototype, { kept: 1 })", "[].kept"),
        ("request.kept = 1", "request.kept"),
        ("request.headers.kept = 1", "request.headers.kept"),
        ("request.headers.get.kept = 1", "request.headers.get.kept"),
        ("context.kept = 1", "context.kept"),
        ("log.kept = 1", "log.kept"),
        ("(function* () {}).__proto__.kept = 1", "(function* () {}).__proto__.kept"),
        ("(async () => {}).__proto__.kept = 1", "(async () => {}).__proto__.kept"),
        (
            "Object.getPrototypeOf(function* () {}()).__proto__.kept = 1",
            "(function* () {})().__proto__.__proto__.kept",
        ),
        (
            "Object.getPrototypeOf((async function* () {})()).__proto__.__proto__.kept = 1",
            "(async function* () {})().__proto__.__proto__.__proto__.kept",
        ),
        ("[][Symbol.iterator]().__proto__.kept = 1", "[][Symbol.iterator]().__proto__.kept"),
        ("''[Symbol.iterator]().__proto__.kept = 1", "''[Symbol.iterator]().__proto__.kept"),
        ("'a'.matchAll(/a/g).__proto__.kept = 1", "'a'.matchAll(/a/g).__proto__.kept"),
        ("new Map().entries().__proto__.kept = 1", "new Map().entries().__proto__.kept"),
        ("[].values().map((v) => v).__proto__.kept = 1", "[].values().map((v) => v).__proto__.kept"),
        ("Iterator.from({ next() {} }).__proto__.kept = 1", "Iterator.from({ next() {} }).__proto__.kept"),
        ("(function f() {}).__proto__.kept = 1", "(() => {}).kept"),
        ("new Proxy({}, {}).__proto__.kept = 1", "({}).kept"),
        ("(await1 => {}).constructor.kept = 1", "(() => {}).constructor.kept"),
        ("new Error().__proto__.name = 'kept'", "new Error().name === 'Error' ? undefined : 1"),
        ("Math.random = () => 1", "Math.random() === 1 ? 1 : undefined"),
        ("Date.now = () => 1", "Date.now() === 1 ? 1 : undefined"),
        ("Intl.kept = 1", "typeof Intl === 'undefined' ? undefined : Intl.kept"),
        ("((strings) => { strings.kept = 1; })`x`", "((strings) => strings.kept)`x`"),
        ("/x/.__proto__.lastIndex = 1; /x/.__proto__.kept = 1", "/x/.kept"),
        ("1n .__proto__.kept = 1; ''.__proto__.kept = 1", "1n .kept ?? ''.kept"),
        ("Symbol.iterator.__proto__.kept = 1", "Symbol.iterator.kept"),
        ("new Uint8Array(1).__proto__.__proto__.kept = 1", "new Uint8Array(1).kept"),
        ("Promise.resolve().__proto__.kept = 1; Promise.kept = 1", "Promise.kept ?? Promise.resolve().kept"),
        ("variables.set('kept', 1)", "variables.get('kept') ?? undefined"),
    ] {
        let served = script(&format!(
            "const found = {find}; try {{ {keep} }} catch (error) {{ }}
             request.headers.set('X-Out', String(found));"
        ));
        for turn in 0..2 {
            let mut exchange = served.exchange("POST /orders/7", "", "");
            assert_eq!(outcome(&served, &mut exchange), Ok("undefined".into()), "{keep}, turn {turn}");
        }
    }
}

#[test]
fn a_script_that_throws_does_not_cost_the_next_request_its_state() {
    let served = script(
        "if (request.headers.has('X-Fail')) throw new Error('no'); request.headers.set('X-Out', 'ok')",
    );
    let failed = outcome(&served, &mut served.exchange("POST /orders/7", "X-Fail: 1", "")).unwrap_err();
    assert_eq!(failed, "500 script_failed: line 1: Error: no");
    assert_eq!(outcome(&served, &mut served.exchange("POST /orders/7", "", "")), Ok("ok".into()));
}

#[test]
fn a_script_ends_the_request_whatever_it_catches() {
    let refused = "try { reject(402, 'no_credit', 'buy some') } catch { } reject(401, 'late')";
    let told = says(refused, "").unwrap_err();
    assert_eq!(told, "402 script_refused; no_credit buy some: buy some");
    assert_eq!(
        says("reject(403, 'not today')", "").unwrap_err(),
        "403 script_refused; request not today: not today"
    );
    let served = script("respond(201, { Location: '/a\\r\\nX-Admin: 1', 'X-Two': [1, 2] }, { made: true })");
    let mut exchange = served.exchange("POST /orders/7", "", "");
    assert_eq!(served.request(&mut exchange).unwrap(), Outcome::Answered);
    assert_eq!(exchange.status, 201);
    let headers: Vec<_> = exchange
        .response_headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_text()))
        .collect();
    assert_eq!(headers, ["location: /aX-Admin: 1", "x-two: 1", "x-two: 2", "content-type: application/json"]);
    assert_eq!(&exchange.response_payload.unwrap().bytes()[..], br#"{"made":true}"#);
}

#[test]
fn where_it_may_fail_the_request_goes_on_as_it_was() {
    let source = "request.headers.set('X-Out', 'half'); request.path = '/x'; request.setBody('y'); log('so far'); nothing()";
    let config = json!({ "body": true, "onFailure": "open", "source": source });
    let served = compiled("requestScript", config).unwrap();
    let mut exchange = served.exchange("POST /orders/7", "", "body");
    assert_eq!(served.request(&mut exchange).unwrap(), Outcome::Skipped);
    assert_eq!(exchange.uri, "/t/orders/7");
    assert!(exchange.headers.is_empty());
    assert_eq!(&exchange.request_payload.as_ref().unwrap().bytes()[..], b"body");
    let note = exchange.take_note().unwrap();
    assert!(
        note.starts_with("script_failed: line 1: ReferenceError") && note.ends_with("log: so far"),
        "{note}"
    );
}

#[test]
fn what_is_logged_is_one_bounded_line_of_the_record() {
    let served = script("log('a\\nb', { c: 1 }); for (let i = 0; i < 1000; i++) log('0123456789');");
    let mut exchange = served.exchange("POST /orders/7", "", "");
    assert_eq!(served.request(&mut exchange).unwrap(), Outcome::Passed);
    let note = exchange.take_note().unwrap();
    assert!(note.starts_with("a b {\"c\":1}; 0123456789; ") && note.len() <= 2_010, "{}", note.len());
}

#[test]
fn responses_and_errors_have_scripts_of_their_own() {
    let respond = |kind: &str, source: &str, status: u16, body: &str| {
        let served = compiled(kind, json!({ "body": true, "source": source })).unwrap();
        let mut exchange = served.exchange("GET /orders", "", "");
        let verdict = served.response(&mut exchange, status, "X-Up: 1", body).map_err(|r| told(&r));
        let body = exchange.response_payload.as_ref().map(|p| String::from_utf8(p.bytes().to_vec()).unwrap());
        verdict.map(|_| format!("{} {}", exchange.status.as_u16(), body.unwrap_or_default()))
    };
    let change =
        "response.status = 203; response.setBody({ up: response.headers.get('x-up'), was: response.json() })";
    assert_eq!(respond("responseScript", change, 200, "[1]").unwrap(), r#"203 {"up":"1","was":[1]}"#);
    assert_eq!(respond("errorScript", change, 200, "[1]").unwrap(), "200 [1]");
    assert_eq!(respond("errorScript", change, 500, "").unwrap(), r#"203 {"up":"1","was":null}"#);
    let late = "request.headers.set('X-A', '1')";
    assert_eq!(respond("responseScript", late, 200, "").unwrap_err(), "500 script_failed");
    assert_eq!(
        respond("errorScript", &format!("response.status = 200; {late}"), 502, "was").unwrap(),
        "502 was"
    );
    assert_eq!(
        respond("responseScript", "reject(409, 'no')", 200, "").unwrap_err(),
        "409 script_refused; request no"
    );
    assert_eq!(respond("responseScript", "respond(200, {}, request.method)", 404, "x").unwrap(), "200 GET");
}

#[test]
fn what_cannot_be_compiled_is_told_with_its_place() {
    for (config, expect) in [
        (json!({}), "policies[0].config.source: missing"),
        (json!({ "source": "1", "file": "a.js" }), "policies[0].config.file: found beside `source`"),
        (json!({ "source": "let a = 1;\nlet = ;\n" }), "policies[0].config.source: line 2: SyntaxError"),
        (
            json!({ "source": "return 1" , "limits": { "memory": "1KiB" } }),
            "policies[0].config.limits.memory: found 1024 bytes",
        ),
        (
            json!({ "source": "1", "limits": { "time": "1m" } }),
            "policies[0].config.limits.time: found 60000ms",
        ),
        (json!({ "source": "1", "limits": { "stack": "8MiB" } }), "policies[0].config.limits.stack"),
        (
            json!({ "file": "missing.js" }),
            "policies[0].config.file: found `missing.js`, which cannot be read",
        ),
    ] {
        let told = compiled("requestScript", config.clone()).err().unwrap_or_default();
        assert!(told.contains(expect), "{config}: {told}");
    }
}
