//! Tests of configurations: what a table of tests finds, and how it says what it did not find.

use std::path::Path;

use gatewright::testing::{self, Report};
use tempfile::TempDir;
use testkit::config::hash;

const CONFIG: &str = "
upstreams:
  - name: orders
    readTimeout: 5s
    endpoints: [{url: 'http://one.invalid/v1'}, {url: 'http://two.invalid/v1'}]
apis:
  - name: orders
    basePath: /orders
    upstream: orders
    operations: [{method: GET, path: '/{id}', name: getOrder}, {method: POST, path: /, name: addOrder}]
    policies:
      - type: apiKey
      - type: rateLimit
        config: {limit: 2, window: 1m, key: application}
      - type: requestTransformation
        config: {headers: {set: {x-channel: web}}}
      - type: responseConversion
        config: {to: json}
  - name: mirrored
    basePath: /mirrored
    upstream: http://a.invalid
    mirror: {upstream: 'http://b.invalid', share: 100%}
  - name: hosted
    basePath: /
    hosts: [api.example.com]
    upstream: http://c.invalid
applications:
  - {name: shop, apis: [orders], apiKeys: [{hash: HASH}]}
  - {name: mobile, apis: [orders], apiKeys: [{value: '${env:GATEWRIGHT_TEST_MOBILE_KEY}'}]}
";

const SECRETS: &str = "secrets: {GATEWRIGHT_TEST_MOBILE_KEY: mobile-key}\n";

fn write(directory: &TempDir, tests: &str) {
    let path = directory.path();
    std::fs::write(path.join("gatewright.yaml"), CONFIG.replace("HASH", &hash("the-key"))).expect("a file");
    std::fs::write(path.join("a.test.yaml"), tests).expect("a file");
}

/// Runs a table against the configuration above.
async fn run(tests: &str) -> Report {
    let directory = tempfile::tempdir().expect("a directory");
    write(&directory, &format!("{SECRETS}{tests}"));
    testing::run(&[directory.path().to_owned()], None).await
}

async fn all_pass(tests: &str) {
    let report = run(tests).await;
    assert!(report.passed() > 0 && report.failed() + report.unusable() == 0, "{}", report.to_text());
}

/// What the only test of a table did not find.
async fn mismatches(test: &str) -> Vec<String> {
    let report = run(&format!("tests:\n  - name: t\n{test}")).await;
    assert_eq!(report.unusable(), 0, "{}", report.to_text());
    let found = &report.files[0].tests[0].mismatches;
    found.iter().map(|m| format!("{}: {} / {}", m.what, m.expected, m.found)).collect()
}

async fn problems(tests: &str) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    write(&directory, tests);
    let report = testing::run(&[directory.path().join("a.test.yaml")], None).await;
    assert_eq!((report.unusable(), report.passed() + report.failed()), (1, 0), "{}", report.to_text());
    report.files[0].problems.to_string().replace(&format!("{}/", directory.path().display()), "")
}

#[tokio::test]
async fn a_request_goes_through_everything_but_sockets() {
    all_pass(
        "tests:
  - name: a key opens the door and stays here
    request: {url: '/orders/7?channel=web', headers: {x-Gateway-APIKey: the-key, connection: x-hop, x-hop: 1}, client: 10.0.0.7, secure: true}
    upstream: {status: 201, headers: {content-type: application/xml, x-up: 1}, body: '<order id=\"7\"><n>1</n><n>2</n></order>'}
    expect:
      status: 201
      api: orders:1.0
      operation: getOrder
      application: shop
      code: ''
      upstream:
        calls: 1
        endpoint: http://one.invalid/v1
        method: GET
        path: /v1/7
        headers: {x-channel: web, x-gateway-apikey: null, x-hop: null, host: one.invalid, x-forwarded-for: 10.0.0.7, x-forwarded-proto: https, x-request-id: '/^[0-9a-f]{32}$/'}
        body: ''
      headers: {content-type: application/json, x-up: 1, ratelimit: /r=1/, x-request-id: /./, x-none: null}
      json: {order: {'@id': '7'}}
      jsonPath: {'$.order.n[1]': '2', '$.order.n[*]': ['1', '2'], '$.nothing': null}
      policies: [apiKey: passed, requestTransformation: changed, rateLimit: passed, responseConversion: changed]
      exactly: true
  - name: an application needs no key
    application: mobile
    request: {method: POST, url: /orders/, json: {a: 1}}
    expect:
      status: 200
      operation: POST /
      application: mobile
      upstream: {path: /v1/, json: {a: 1}, headers: {content-type: application/json, content-length: 7}}
      policies: [apiKey: skipped, rateLimit: passed]
  - name: a secret is what the file says
    request: {url: /orders/7, headers: {x-Gateway-APIKey: mobile-key}}
    expect: {application: mobile, status: 200}
  - name: a host is part of the URL
    request: {url: 'https://api.example.com/x'}
    expect: {status: 200, api: hosted, upstream: {path: /x, headers: {x-forwarded-proto: https}}}
  - name: a mirror gets nothing
    request: {url: /mirrored/x}
    expect: {upstream: {calls: 1, endpoint: 'http://a.invalid'}}
  - name: what is not there is not there
    request: {url: /nothing}
    expect: {status: 404, code: no_such_api, upstream: {called: false}, json: {code: no_such_api}, policies: [], exactly: true}
",
    )
    .await;
}

#[tokio::test]
async fn tests_share_the_clock_and_what_is_counted_unless_they_are_fresh() {
    all_pass(
        "tests:
  - name: two a minute
    at: 2026-01-01T00:00:00Z
    repeat: 2
    application: shop
    request: {url: /orders/7}
    expect: {status: 200, headers: {ratelimit: '\"default\";r=0;t=60'}}
  - name: and no more
    application: shop
    after: 20s
    request: {url: /orders/7}
    expect: {status: 429, code: rate_limited, headers: {retry-after: 40}, upstream: {called: false}}
  - name: a fresh one knows nothing of it
    fresh: true
    application: shop
    request: {url: /orders/7}
    expect: {status: 200, headers: {ratelimit: '\"default\";r=1;t=40'}}
  - name: a minute later all is well
    after: 40s
    application: shop
    request: {url: /orders/7}
    expect: {status: 200}
  - name: each repetition moves the clock
    after: 1m
    repeat: 5
    application: shop
    request: {url: /orders/7}
    expect: {status: 200, headers: {ratelimit: /r=1/}}
",
    )
    .await;
}

#[tokio::test]
async fn a_native_service_may_be_slow_or_fail() {
    all_pass(
        "tests:
  - {name: slow, application: shop, fresh: true, request: {url: /orders/7}, upstream: {delay: 4s}, expect: {status: 200}}
  - {name: too slow, application: shop, fresh: true, request: {url: /orders/7}, upstream: {delay: 6s}, expect: {status: 504, code: upstream_read_timeout, upstream: {calls: 1}}}
  - {name: silent, application: shop, fresh: true, request: {url: /orders/7}, upstream: {fails: timeout}, expect: {status: 504, code: upstream_read_timeout}}
  - {name: refused, application: shop, fresh: true, request: {url: /orders/7}, upstream: {fails: refused}, expect: {status: 502, code: upstream_unreachable, upstream: {called: false}}}
  - {name: a GET is tried twice, application: shop, fresh: true, request: {url: /orders/7}, upstream: {fails: reset}, expect: {status: 502, code: upstream_broke, upstream: {calls: 2, endpoint: 'http://two.invalid/v1'}}}
  - {name: a POST with a body is not, application: shop, fresh: true, request: {method: POST, url: /orders/, body: x}, upstream: {fails: reset}, expect: {status: 502, upstream: {calls: 1}}}
  - {name: HEAD has no body, application: shop, fresh: true, request: {method: HEAD, url: /mirrored}, upstream: {body: x}, expect: {status: 200, body: '', headers: {content-length: 1}}}
",
    )
    .await;
}

#[tokio::test]
async fn a_failure_says_what_was_expected_what_was_found_and_why() {
    let test = "    request: {url: /orders/7}
    expect: {status: 200, api: other, operation: addOrder, application: shop, code: x, headers: {content-type: /xml/, x-a: b}, json: {status: 200}, jsonPath: {$.code: x}, body: x, policies: [apiKey: passed], upstream: {method: GET}}
";
    let found = mismatches(test).await;
    for part in [
        "status: 200 / 401",
        "api: other / orders:1.0",
        "operation: addOrder / getOrder (GET /{id})",
        "application: shop / none",
        "code: x / api_key_missing",
        "headers.content-type: /xml/ / \"application/problem+json\"",
        "headers.x-a: \"b\" / none",
        "json.status: 200 / 401",
        "jsonPath $.code: \"x\" / \"api_key_missing\"",
        "policies: apiKey: passed / apiKey: refused, requestTransformation: not reached, rateLimit: not reached, responseConversion: skipped",
        "upstream.called: a call / none",
    ] {
        assert!(found.iter().any(|line| line == part), "{part} is missing in\n{found:#?}");
    }
    assert!(found.iter().any(|line| line.starts_with("body: \"x\" / {")), "{found:#?}");
    let report = run(&format!("tests:\n  - name: t\n{test}")).await;
    let text = report.to_text();
    for part in [
        "FAILED  t",
        "status: expected 200, found 401",
        "Policies, in the order they run",
        "0 passed, 1 failed",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert!(report.to_junit().contains("<failure message=\"status: expected 200, found 401\">"));
    let json = serde_json::to_value(&report).expect("a report is JSON");
    assert_eq!(json["files"][0]["tests"][0]["record"]["reason"]["code"], "api_key_missing");
    assert_eq!(json["files"][0]["tests"][0]["line"], 3);
}

#[tokio::test]
async fn everything_wrong_with_a_file_is_told_with_its_line() {
    let text = format!(
        "{SECRETS}tests:
  - name: one
    application: shopp
    at: yesterday
    request: {{url: nowhere, method: 'G T', body: x, json: 1, headers: {{a: null}}}}
    upstream: {{fails: reset, status: 200}}
    expect: {{status: 1000, headers: {{a: '/(/'}}, jsonPath: {{'$[': 1}}, policies: [{{a: passed, b: passed}}]}}
  - name: two
    request: {{url: /x}}
    upstream: {{status: 101}}
    expect: {{}}
"
    );
    let found = problems(&text).await;
    for part in [
        "a.test.yaml:4: tests[0].application: found `shopp`, expected the name of an application of the configuration; did you mean `shop`?",
        "a.test.yaml:5: tests[0].at: found `yesterday`, expected a time such as",
        "a.test.yaml:6: tests[0].request.url: found `nowhere`",
        "a.test.yaml:6: tests[0].request.method: found `G T`",
        "a.test.yaml:6: tests[0].request.json: found beside `body`",
        "a.test.yaml:6: tests[0].request.headers.a: expected a value",
        "a.test.yaml:7: tests[0].upstream.fails: found beside other keys",
        "a.test.yaml:8: tests[0].expect.status: found 1000",
        "a.test.yaml:8: tests[0].expect.headers.a: found `/(/`, which is no pattern",
        "a.test.yaml:8: tests[0].expect.jsonPath: found `$[`",
        "a.test.yaml:8: tests[0].expect.policies[0]: found 2 policies",
        "a.test.yaml:11: tests[1].upstream.status: found 101",
        "a.test.yaml:12: tests[1].expect: nothing is expected",
    ] {
        assert!(found.contains(part), "{part} is missing in\n{found}");
    }
}

#[tokio::test]
async fn problems_of_the_configuration_are_told_as_check_tells_them() {
    let found = problems("tests: []").await;
    assert!(
        found.contains("gatewright.yaml:") && found.contains("GATEWRIGHT_TEST_MOBILE_KEY is not set"),
        "{found}"
    );
    assert!(
        problems(&format!("{SECRETS}tests: []")).await.contains("a.test.yaml:2: tests: the list is empty")
    );
    assert!(
        problems("config: other.yaml\ntests: []").await.contains("a.test.yaml:1: config: found `other.yaml`")
    );
    assert!(problems("").await.contains("a.test.yaml: the file is empty"));
    assert!(problems("tets: []").await.contains("did you mean `tests`?"));
}

#[tokio::test]
async fn a_folder_stands_for_its_tests_and_a_filter_for_some_of_them() {
    let directory = tempfile::tempdir().expect("a directory");
    let test = "{name: NAME, request: {url: /nothing}, expect: {status: 404}}";
    write(
        &directory,
        &format!("{SECRETS}tests: [{}, {}]", test.replace("NAME", "red"), test.replace("NAME", "blue")),
    );
    let below = directory.path().join("more");
    std::fs::create_dir(&below).expect("a folder");
    std::fs::write(
        below.join("b.test.yaml"),
        format!("config: ..\n{SECRETS}tests: [{}]", test.replace("NAME", "dark red")),
    )
    .expect("a file");
    let all = [directory.path().to_owned()];
    let report = testing::run(&all, None).await;
    assert_eq!((report.files.len(), report.passed(), report.unusable()), (2, 3, 0), "{}", report.to_text());
    assert_eq!(testing::run(&all, Some("red")).await.passed(), 2);
    let empty = tempfile::tempdir().expect("a directory");
    let report = testing::run(&[empty.path().to_owned(), empty.path().join("none.test.yaml")], None).await;
    assert_eq!((report.unusable(), report.files.len()), (2, 2), "{}", report.to_text());
}

#[tokio::test]
async fn the_examples_pass() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let report = testing::run(&[examples], None).await;
    assert!(report.passed() >= 8 && report.failed() + report.unusable() == 0, "{}", report.to_text());
}

#[tokio::test]
async fn calls_of_policies_get_the_answers_of_the_test() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = "
apis:
  - name: called
    basePath: /called
    upstream: http://a.invalid
    policies:
      - {type: requestCallOut, config: {name: stock, upstream: 'http://stock.invalid/v1', path: '/of?sku=${request.query.sku}',
          set: {request.headers.X-Left: '${response[stock].payload.jsonPath[$.left]}'}}}
  - name: mashup
    basePath: /mashup
    upstream: http://a.invalid
    policies:
      - {type: aggregate, config: {
          calls: [{name: one, upstream: 'http://one.invalid'},
                  {name: two, upstream: 'http://two.invalid', after: [one], need: optional, timeout: 1s,
                   body: '{\"id\": \"${response[one].payload.jsonPath[$.id]}\"}'}],
          answer: {body: '{\"one\": ${response[one].payload}, \"two\": ${response[two].payload}}'}}}
";
    let table = "tests:
  - name: a call-out by its name
    request: {url: '/called?sku=a'}
    calls: {stock: {json: {left: 3}}}
    expect: {status: 200, upstream: {headers: {x-left: '3'}}, calls: {stock: {calls: 1, method: GET, path: '/of?sku=a'}}}
  - name: by its upstream
    request: {url: '/called?sku=a'}
    calls: {'http://stock.invalid/v1': {status: 500}}
    expect: {status: 502, code: call_out_failed, upstream: {called: false}}
  - name: nothing is known about it
    request: {url: '/called?sku=a'}
    expect: {status: 502, code: call_out_failed, calls: {stock: {called: false}}}
  - name: several services
    request: {url: /mashup}
    calls: {one: {json: {id: 7}}, two: {json: [1], delay: 900ms}}
    expect: {status: 200, json: {one: {id: 7}, two: [1]}, upstream: {called: false}, calls: {two: {method: POST, json: {id: '7'}}}}
  - name: an optional one is too slow
    request: {url: /mashup}
    calls: {one: {json: {id: 7}}, two: {json: [1], delay: 2s}}
    expect: {status: 200, json: {two: null}}
  - name: a required one fails
    request: {url: /mashup}
    calls: {one: {fails: reset}}
    expect: {status: 502, code: aggregate_call_failed, calls: {two: {called: false}}}
  - name: a required one is silent
    request: {url: /mashup}
    calls: {one: {fails: timeout}}
    expect: {status: 504, code: call_timeout}
";
    std::fs::write(directory.path().join("gatewright.yaml"), config).expect("a file");
    std::fs::write(directory.path().join("a.test.yaml"), table).expect("a file");
    let report = testing::run(&[directory.path().to_owned()], None).await;
    assert_eq!((report.passed(), report.failed(), report.unusable()), (7, 0, 0), "{}", report.to_text());

    let wrong = "tests:
  - {name: t, request: {url: '/called?sku=a'}, calls: {stock: {json: {left: 3}}}, expect: {calls: {stock: {path: /other}, none: {}}}}
";
    std::fs::write(directory.path().join("a.test.yaml"), wrong).expect("a file");
    let report = testing::run(&[directory.path().to_owned()], None).await;
    let found: Vec<_> = report.files[0].tests[0].mismatches.iter().map(|mismatch| &*mismatch.what).collect();
    assert_eq!(found, ["calls.none.called", "calls.stock.path"]);
}
