//! What is kept, for whom and for how long, as tables. Time is that of the requests.

use engine::{Exchange, Outcome, Timestamp};

use crate::testing::{Served, serve, told, try_serve};

fn cache(config: &str) -> Served {
    serve("", &format!("[{{type: resultCache, config: {config}}}]"))
}

struct Step {
    /// Seconds since the first request.
    at: u64,
    line: &'static str,
    headers: &'static str,
    body: &'static str,
}

fn get(at: u64, headers: &'static str) -> Step {
    Step { at, line: "GET /x", headers, body: "" }
}

fn line(at: u64, line: &'static str) -> Step {
    Step { at, line, headers: "", body: "" }
}

/// What becomes of a request: `hit 200 body`, or `upstream` with what it would be asked, and then what it answers.
fn ask(served: &Served, step: &Step, status: u16, headers: &str, body: &str) -> (String, Exchange) {
    let mut exchange = served.exchange(step.line, step.headers, step.body);
    exchange.started = Timestamp::from_millis(1_768_471_200_000 + step.at * 1_000);
    let result = match served.request(&mut exchange) {
        Ok(Outcome::Answered) => format!("hit {}", text(&exchange)),
        Err(rejection) => told(&rejection),
        Ok(_) => {
            let asked = exchange.headers.get("if-none-match").map(|tag| tag.to_text().into_owned());
            served.response(&mut exchange, status, headers, body).unwrap();
            let asked = asked.map(|tag| format!(" if not {tag}")).unwrap_or_default();
            format!("upstream{asked} {}", text(&exchange))
        }
    };
    (result, exchange)
}

fn text(exchange: &Exchange) -> String {
    let body = exchange.response_payload.as_ref().map(|payload| payload.bytes().to_vec()).unwrap_or_default();
    format!("{} {}", exchange.status.as_u16(), String::from_utf8_lossy(&body)).trim_end().to_owned()
}

/// Asks twice; the second one gets `b`, unless `a` was kept.
fn twice(config: &str, first: &Step, second: &Step, answer: &str) -> String {
    let served = cache(config);
    ask(&served, first, 200, answer, "a");
    ask(&served, second, 200, answer, "b").0
}

const SIMPLE: &str = "{ttl: 10s}";
const HTTP: &str = "{mode: rfc9111}";
const HIT: &str = "hit 200 a";
const MISS: &str = "upstream 200 b";

#[test]
fn answers_are_kept_for_their_time() {
    for (at, expect) in [(0, HIT), (9, HIT), (10, MISS), (1_000, MISS)] {
        assert_eq!(twice(SIMPLE, &get(0, ""), &get(at, ""), ""), expect, "{at}");
    }
    let date = "Date: Thu, 15 Jan 2026 10:00:00 GMT\n";
    for (answer, at, expect) in [
        ("", 0, MISS),
        ("Cache-Control: max-age=5", 4, HIT),
        ("Cache-Control: max-age=5", 5, MISS),
        ("Cache-Control: max-age=5, s-maxage=1", 4, MISS),
        ("Cache-Control: max-age=5\nAge: 3", 1, HIT),
        ("Cache-Control: max-age=5\nAge: 3", 2, MISS),
        ("Expires: Thu, 15 Jan 2026 10:00:05 GMT", 4, HIT),
        ("Expires: 0", 0, MISS),
        ("Cache-Control: max-age=5, private", 0, MISS),
        ("Cache-Control: max-age=5, no-store", 0, MISS),
        ("Cache-Control: max-age=5\nSet-Cookie: a=1", 0, MISS),
        ("Cache-Control: max-age=5\nVary: *", 0, MISS),
        ("Cache-Control: max-age=5\nAge: 7, 0", 0, MISS),
        ("Cache-Control: max-age=5, no-store, must-understand", 4, HIT),
        ("Cache-Control: max-age=5, private, must-understand", 0, MISS),
        ("Expires: THU, 15 jan 2026 10:00:05 gmt", 4, HIT),
    ] {
        let answer = format!("{date}{answer}");
        assert_eq!(twice(HTTP, &get(0, ""), &get(at, ""), &answer), expect, "{answer} at {at}");
    }
    assert_eq!(
        twice("{mode: rfc9111, ttl: 3s}", &get(0, ""), &get(2, ""), ""),
        HIT,
        "a time where none is said"
    );
}

#[test]
fn requests_share_an_answer_when_their_keys_are_the_same() {
    let body = |text| Step { at: 0, line: "POST /x", headers: "", body: text };
    let (by_json, by_xml) = ("{ttl: 1m, key: {jsonPath: [$.id]}}", "{ttl: 1m, key: {xPath: [/a/id]}}");
    for (config, first, second, expect) in [
        (SIMPLE, line(0, "GET /x?a=1&b=2"), line(0, "GET /x?b=2&a=1"), HIT),
        (SIMPLE, line(0, "GET /x?a=1&a=2"), line(0, "GET /x?a=2&a=1"), MISS),
        (SIMPLE, line(0, "GET /x?a=1"), line(0, "GET /x"), MISS),
        (SIMPLE, line(0, "GET /x"), line(0, "GET /X"), MISS),
        (SIMPLE, line(0, "GET /x"), line(0, "HEAD /x"), HIT),
        (SIMPLE, line(0, "HEAD /x"), line(0, "GET /x"), MISS),
        (SIMPLE, line(0, "POST /x"), line(0, "POST /x"), MISS),
        ("{ttl: 1m, key: {query: [a]}}", line(0, "GET /x?a=1&b=2"), line(0, "GET /x?%61=1&b=3"), MISS),
        ("{ttl: 1m, key: {query: [a]}}", line(0, "GET /x?a=1&b=2"), line(0, "GET /x?c&a=1"), HIT),
        (SIMPLE, get(0, "X-One: 1"), get(0, "X-One: 2"), HIT),
        ("{ttl: 1m, key: {headers: [X-One]}}", get(0, "X-One: 1"), get(0, "X-One: 2"), MISS),
        (SIMPLE, get(0, "Host: a"), get(0, "Host: b"), MISS),
        (SIMPLE, get(0, "Authorization: a"), get(0, "Authorization: b"), MISS),
        (SIMPLE, get(0, "Cookie: a"), get(0, ""), MISS),
        ("{ttl: 1m, key: {callers: together}}", get(0, "Authorization: a"), get(0, "Authorization: b"), HIT),
        (by_json, body(r#"{"id": 1, "x": 1}"#), body(r#"{"x": 2, "id": 1}"#), HIT),
        (by_json, body(r#"{"id": 1}"#), body(r#"{"id": 2}"#), MISS),
        (by_json, body(r#"{"x": 1}"#), body(r#"{"x": 1}"#), MISS),
        (by_xml, body("<a><id>1</id></a>"), body("<a><id>1</id><x/></a>"), HIT),
        (SIMPLE, get(0, "Range: bytes=0-1"), get(0, ""), MISS),
        (SIMPLE, get(0, ""), get(0, "If-Match: \"a\""), MISS),
    ] {
        let expect = if second.line.starts_with("HEAD") { "hit 200 a" } else { expect };
        assert_eq!(twice(config, &first, &second, ""), expect, "{config} {} {}", first.line, second.line);
    }
}

#[test]
fn vary_tells_answers_apart() {
    let served = cache(HTTP);
    let answer = "Cache-Control: max-age=60\nVary: Accept-Language";
    for (language, body, expect) in [
        ("Accept-Language: de", "a", "upstream 200 a"),
        ("Accept-Language: en", "b", "upstream 200 b"),
        ("Accept-Language: de", "c", "hit 200 a"),
        ("Accept-Language: en", "c", "hit 200 b"),
        ("", "d", "upstream 200 d"),
    ] {
        assert_eq!(ask(&served, &get(0, language), 200, answer, body).0, expect, "{language}");
    }
}

#[test]
fn clients_have_wishes() {
    let answer = "Cache-Control: max-age=10";
    for (at, wish, expect) in [
        (5, "Cache-Control: no-store", MISS),
        (5, "Cache-Control: no-cache", MISS),
        (5, "Pragma: no-cache", MISS),
        (5, "Cache-Control: max-age=4", MISS),
        (5, "Cache-Control: max-age=5", HIT),
        (5, "Cache-Control: min-fresh=6", MISS),
        (5, "Cache-Control: only-if-cached", HIT),
        (15, "Cache-Control: only-if-cached", "504 not_cached"),
        (15, "Cache-Control: max-stale=5", HIT),
        (15, "Cache-Control: max-stale", HIT),
        (16, "Cache-Control: max-stale=5", MISS),
    ] {
        assert_eq!(twice(HTTP, &get(0, ""), &get(at, wish), answer), expect, "{wish} at {at}");
    }
    let strict = "Cache-Control: max-age=10, must-revalidate";
    assert_eq!(twice(HTTP, &get(0, ""), &get(15, "Cache-Control: max-stale"), strict), MISS);
    assert_eq!(twice(SIMPLE, &get(0, ""), &get(5, "Cache-Control: no-cache"), ""), HIT, "simple asks nobody");
}

#[test]
fn answers_to_authorized_requests_are_shared_only_when_they_say_so() {
    let together = "{mode: rfc9111, key: {callers: together}}";
    for (answer, expect) in [
        ("Cache-Control: max-age=9", MISS),
        ("Cache-Control: max-age=9, public", HIT),
        ("Cache-Control: s-maxage=9", HIT),
        ("Cache-Control: max-age=9, must-revalidate", HIT),
    ] {
        let asked = [get(0, "Authorization: a"), get(0, "Authorization: b")];
        assert_eq!(twice(together, &asked[0], &asked[1], answer), expect, "{answer}");
    }
}

#[test]
fn a_stale_answer_is_asked_for_again() {
    let served = cache(HTTP);
    let answer = "Cache-Control: max-age=10\nETag: \"1\"\nX-Old: 1";
    ask(&served, &get(0, ""), 200, answer, "a");
    let (result, exchange) = ask(&served, &get(20, ""), 304, "Cache-Control: max-age=10\nX-New: 2", "");
    assert_eq!(result, "upstream if not \"1\" 200 a");
    assert_eq!(exchange.response_headers.get("x-old").unwrap(), "1");
    assert_eq!(exchange.response_headers.get("x-new").unwrap(), "2");
    let (result, exchange) = ask(&served, &get(25, ""), 200, "", "");
    assert_eq!(
        (result.as_str(), exchange.response_headers.get("age").unwrap().to_str().unwrap()),
        (HIT, "5")
    );
    // What the client has already is not sent again, whoever found out.
    let own = ask(&served, &get(31, "If-None-Match: W/\"1\""), 304, "Cache-Control: max-age=10", "").0;
    assert_eq!(own, "upstream if not \"1\" 304");
    assert_eq!(ask(&served, &get(32, "If-None-Match: \"0\", \"1\""), 200, "", "").0, "hit 304");
    assert_eq!(ask(&served, &get(32, "If-None-Match: \"0\""), 200, "", "").0, HIT);
    let changed = ask(&served, &get(50, ""), 200, "Cache-Control: max-age=10\nETag: \"2\"", "b").0;
    assert_eq!(changed, "upstream if not \"1\" 200 b");
    assert_eq!(ask(&served, &get(51, ""), 200, "", "").0, "hit 200 b");
}

#[test]
fn writes_make_what_is_kept_unusable() {
    for (write, status, expect) in
        [("POST /x", 200, MISS), ("DELETE /x?a=1", 204, MISS), ("PUT /x", 500, HIT), ("OPTIONS /x", 200, HIT)]
    {
        let served = cache(SIMPLE);
        ask(&served, &get(0, ""), 200, "", "a");
        ask(&served, &line(0, write), status, "", "");
        assert_eq!(ask(&served, &get(0, ""), 200, "", "b").0, expect, "{write} {status}");
    }
    let served = cache(SIMPLE);
    let mut early = served.exchange("GET /x", "", "");
    served.request(&mut early).unwrap();
    ask(&served, &line(0, "PUT /x"), 200, "", "");
    served.response(&mut early, 200, "", "a").unwrap();
    assert_eq!(
        ask(&served, &get(0, ""), 200, "", "b").0,
        MISS,
        "an answer from before the write is not kept after it"
    );
}

#[test]
fn a_purge_forgets_everything() {
    let served = cache(SIMPLE);
    ask(&served, &get(0, ""), 200, "", "a");
    served.snapshot.apis[0].purge_caches();
    assert_eq!(ask(&served, &get(0, ""), 200, "", "b").0, MISS);
    assert_eq!(ask(&served, &get(0, ""), 200, "", "c").0, "hit 200 b");
}

#[test]
fn sizes_are_limits() {
    let config = "{ttl: 1m, largestPayload: 4B, totalSize: 2KiB}";
    let served = cache(config);
    ask(&served, &get(0, ""), 200, "", "12345");
    assert_eq!(ask(&served, &get(0, ""), 200, "", "b").0, MISS, "too large a body is not kept");
    for path in 0..200 {
        let step =
            Step { at: 0, line: Box::leak(format!("GET /x/{path}").into_boxed_str()), headers: "", body: "" };
        ask(&served, &step, 200, "", "a");
    }
    let hits = (0..200).filter(|path| {
        let step =
            Step { at: 0, line: Box::leak(format!("GET /x/{path}").into_boxed_str()), headers: "", body: "" };
        ask(&served, &step, 500, "", "").0 == HIT
    });
    assert!(hits.count() < 150, "the oldest make room");
}

#[test]
fn wrong_fields_have_a_path() {
    for (config, path) in [
        ("{}", "ttl"),
        ("{ttl: 0s}", "ttl"),
        ("{ttl: 1m, largestPayload: 2GiB, totalSize: 3GiB}", "largestPayload"),
        ("{ttl: 1m, totalSize: 1KiB}", "totalSize"),
        ("{ttl: 1m, key: {headers: [A, B C]}}", "key.headers[1]"),
        ("{ttl: 1m, key: {jsonPath: ['$[']}}", "key.jsonPath[0]"),
        ("{ttl: 1m, key: {xPath: ['//a:b']}}", "key.xPath[0]"),
        ("{ttl: 1m, mode: other}", "mode"),
    ] {
        let problems = try_serve("", &format!("[{{type: resultCache, config: {config}}}]"), "");
        let problem = problems.err().unwrap_or_else(|| panic!("{config} is accepted")).0.remove(0);
        assert_eq!(problem.path, format!("apis[0].policies[0].config.{path}"), "{config}");
    }
}

#[test]
fn an_answer_of_any_status_is_kept_that_says_for_how_long() {
    let fresh = "Cache-Control: max-age=60";
    for (status, answer, kept) in [
        (200, fresh, true),
        (302, fresh, true),
        (400, fresh, true),
        (503, fresh, true),
        (599, fresh, true),
        (503, "Expires: Fri, 15 Jan 2027 10:00:00 GMT", true),
        (206, fresh, false),
        (304, fresh, false),
        (404, "", true),
        (302, "", false),
        (503, "", false),
        (503, "Cache-Control: no-cache\nETag: \"a\"", false),
        (404, "Cache-Control: max-age=60, no-store, must-understand", true),
        (599, "Cache-Control: max-age=60, must-understand", false),
        (503, "Cache-Control: max-age=60, no-store, must-understand", false),
    ] {
        let served = cache("{mode: rfc9111, ttl: 30s}");
        ask(&served, &get(0, ""), status, answer, "a");
        let again = ask(&served, &get(1, ""), 200, "", "b").0;
        assert_eq!(again == format!("hit {status} a"), kept, "{status} {answer}: {again}");
    }
}

#[test]
fn an_answer_without_last_modified_is_as_old_as_its_date() {
    let (early, late) = ("Thu, 15 Jan 2026 09:59:59 GMT", "Thu, 15 Jan 2026 10:00:00 GMT");
    for (answer, since, expect) in [
        ("Date: Thu, 15 Jan 2026 10:00:00 GMT", late, "hit 304"),
        ("Date: Thu, 15 Jan 2026 10:00:00 GMT", early, HIT),
        ("", late, "hit 304"),
        ("", early, HIT),
        ("Date: soon", late, HIT),
    ] {
        let headers: &'static str = format!("If-Modified-Since: {since}").leak();
        let answer = format!("Cache-Control: max-age=60\n{answer}");
        assert_eq!(twice(HTTP, &get(0, ""), &get(1, headers), &answer), expect, "{answer} since {since}");
    }
}
