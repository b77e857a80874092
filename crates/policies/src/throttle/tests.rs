//! Quotas, groups, bursts and denials, as tables.

use engine::{Timestamp, journal::Measures};

use crate::testing::{Served, serve, told, try_serve};

fn throttle(config: &str) -> Served {
    serve("", &format!("[{{type: throttle, config: {config}}}]"))
}

/// What becomes of a request at a second since 15 January 2026, 10:00, whose bodies have so many bytes.
fn ask(served: &Served, second: u64, headers: &str, bytes: u64) -> String {
    let mut exchange = served.exchange("GET /x", headers, "");
    exchange.started = Timestamp::from_millis(1_768_471_200_000 + second * 1_000);
    let verdict = served.request(&mut exchange);
    if verdict.is_ok() {
        let measures =
            Measures { ended: exchange.started, request_bytes: bytes / 2, response_bytes: bytes - bytes / 2 };
        exchange.ended(&measures);
    }
    let left = exchange.answer_headers.iter().next().map_or("", |(_, value)| value.to_str().unwrap());
    let retry = |rejection: &engine::Rejection| {
        rejection
            .headers
            .first()
            .map(|(_, value)| format!(" after {}", value.to_str().unwrap()))
            .unwrap_or_default()
    };
    match verdict {
        Ok(_) => left.trim_start_matches("\"quota\";").to_owned(),
        Err(rejection) => told(&rejection) + &retry(&rejection),
    }
}

#[test]
fn quotas_follow_the_calendar() {
    for (limit, asked) in [
        (
            "{requests: 2, per: minute}",
            vec![(0, "r=1;t=60"), (30, "r=0;t=30"), (59, "429 quota_exceeded after 1"), (60, "r=1;t=60")],
        ),
        (
            "{requests: 1, per: hour, units: 2}",
            vec![(0, "r=0;t=7200"), (7_199, "429 quota_exceeded after 1"), (7_200, "r=0;t=7200")],
        ),
        // 15 January 2026 is a Thursday.
        (
            "{requests: 1, per: week}",
            vec![(0, "r=0;t=309600"), (309_599, "429 quota_exceeded after 1"), (309_600, "r=0;t=604800")],
        ),
        (
            "{requests: 1, per: month}",
            vec![
                (0, "r=0;t=1432800"),
                (1_432_799, "429 quota_exceeded after 1"),
                (1_432_800, "r=0;t=2419200"),
            ],
        ),
        ("{requests: 1, per: year}", vec![(0, "r=0;t=30290400"), (30_290_400, "r=0;t=31536000")]),
        (
            "{requests: 1, per: minute, sliding: true}",
            vec![(0, "r=0;t=120"), (60, "429 quota_exceeded after 1"), (61, "r=0;t=119")],
        ),
    ] {
        let served = throttle(&format!("{{limit: {limit}}}"));
        for (second, expect) in asked {
            assert_eq!(ask(&served, second, "", 0), expect, "{limit} at {second}");
        }
    }
}

#[test]
fn bytes_are_counted_when_a_request_has_ended() {
    let served = throttle("{limit: {bandwidth: 1KiB, per: minute}}");
    assert_eq!(ask(&served, 0, "", 1_000), "r=1023;t=60", "one byte at least is needed");
    assert_eq!(ask(&served, 1, "", 1_000), "r=23;t=59");
    assert_eq!(ask(&served, 2, "", 0), "429 quota_exceeded after 58");
    assert_eq!(ask(&served, 60, "", 0), "r=1023;t=60");
}

#[test]
fn modes_differ_in_what_happens_at_the_end() {
    for (mode, expect) in [("hard", "429 quota_exceeded after 60"), ("soft", "r=0;t=60"), ("alert", "")] {
        let served = throttle(&format!("{{limit: {{requests: 1, per: minute}}, mode: {mode}}}"));
        ask(&served, 0, "", 0);
        assert_eq!(ask(&served, 0, "", 0), expect, "{mode}");
    }
}

#[test]
fn the_first_group_that_holds_has_its_own_quota() {
    let when =
        |plan: &str| format!("{{variable: '${{request.headers.Plan}}', operator: equals, value: {plan}}}");
    let served = throttle(&format!(
        "{{limit: {{requests: 1, per: minute}}, groups: [{{name: gold, when: {}, limit: {{requests: 2, per: minute}}}}, {{name: free, when: {}}}], deny: [{{when: {}}}]}}",
        when("gold"),
        when("free"),
        when("none"),
    ));
    for (headers, expect) in [
        ("Plan: gold", "r=1;t=60"),
        ("Plan: gold", "r=0;t=60"),
        ("Plan: gold", "429 quota_exceeded after 60"),
        ("", "r=0;t=60"),
        ("Plan: other", "429 quota_exceeded after 60"),
        ("Plan: free", ""),
        ("Plan: none", "403 blocked"),
    ] {
        assert_eq!(ask(&served, 0, headers, 0), expect, "{headers}");
    }
}

#[test]
fn keys_tell_callers_apart() {
    let served = throttle("{keyTemplate: '${request.headers.Tenant}', limit: {requests: 1, per: minute}}");
    for (headers, expect) in [
        ("Tenant: a", "r=0;t=60"),
        ("Tenant: b", "r=0;t=60"),
        ("Tenant: a", "429 quota_exceeded after 60"),
        ("", "r=0;t=60"),
    ] {
        assert_eq!(ask(&served, 0, headers, 0), expect, "{headers}");
    }
    for key in ["api", "operation", "application", "clientAddress", "user"] {
        let served = throttle(&format!("{{key: {key}, limit: {{requests: 1, per: minute}}}}"));
        assert_eq!(ask(&served, 0, "", 0), "r=0;t=60", "{key}");
        assert_eq!(ask(&served, 0, "", 0), "429 quota_exceeded after 60", "{key}");
    }
}

#[test]
fn a_burst_is_limited_beside_the_quota() {
    let served =
        throttle("{limit: {requests: 3, per: minute}, burst: {requests: 1, window: 2s}, mode: soft}");
    for (second, expect) in [
        (0, "r=2;t=60"),
        (0, "429 burst_exceeded after 2"),
        (2, "r=1;t=58"),
        (4, "r=0;t=56"),
        (6, "r=0;t=54"),
    ] {
        assert_eq!(ask(&served, second, "", 0), expect, "{second}");
    }
}

#[test]
fn questions_count_nothing() {
    let served = throttle("{limit: {requests: 1, per: minute}, burst: {requests: 1, window: 1m}}");
    let mut question = served.exchange("GET /x", "", "");
    question.started = Timestamp::from_millis(1_768_471_200_000);
    question.dry_run = true;
    served.request(&mut question).unwrap();
    assert_eq!(ask(&served, 0, "", 0), "r=0;t=60");
    assert_eq!(told(&served.request(&mut question).unwrap_err()), "429 burst_exceeded");
}

#[test]
fn wrong_fields_have_a_path() {
    for (config, path) in [
        ("{}", ""),
        ("{limit: {per: day}}", ".limit"),
        ("{limit: {requests: 0, per: day}}", ".limit.requests"),
        ("{limit: {requests: 1, bandwidth: 1KiB, per: day}}", ".limit.bandwidth"),
        ("{limit: {bandwidth: 16384GiB, per: day}}", ".limit.bandwidth"),
        ("{limit: {bandwidth: 1KiB, per: day, sliding: true}}", ".limit.sliding"),
        ("{limit: {requests: 1, per: month, sliding: true}}", ".limit.sliding"),
        ("{limit: {requests: 5000000, per: day, sliding: true}}", ".limit.requests"),
        ("{limit: {requests: 1, per: week, units: 99, sliding: true}}", ".limit.units"),
        ("{limit: {requests: 1, per: fortnight}}", ".limit.per"),
        ("{key: user, keyTemplate: a, limit: {requests: 1, per: day}}", ".keyTemplate"),
        ("{burst: {requests: 1, window: 0s}}", ".burst.window"),
        ("{limit: {requests: 1, per: day}, alerts: {warnAt: 100%}}", ".alerts.warnAt"),
        ("{limit: {requests: 1, per: day}, alerts: {message: '${a}'}}", ".alerts.message"),
        ("{limit: {requests: 1, per: day}, alerts: {destinations: [ops]}}", ".alerts.destinations[0]"),
        ("{deny: [{when: {variable: a}}]}", ".deny[0].when.operator"),
        ("{groups: [{name: a, when: {cel: 'true'}}, {name: a, when: {cel: 'true'}}]}", ".groups[1].name"),
        ("{groups: [{name: a, when: {cel: '('}}]}", ".groups[0].when.cel"),
    ] {
        let problems = try_serve("", &format!("[{{type: throttle, config: {config}}}]"), "");
        let problem = problems.err().unwrap_or_else(|| panic!("{config} is accepted")).0.remove(0);
        assert_eq!(problem.path, format!("apis[0].policies[0].config{path}"), "{config}");
    }
}
