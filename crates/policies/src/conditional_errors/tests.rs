//! Conditional errors, through the chain of an API.

use engine::{Exchange, Timestamp, exchange::Attempt, reason};

use crate::testing::{Served, serve, try_serve};

fn of(rules: &str) -> Served {
    serve("", &format!("[{{type: conditionalErrorProcessing, config: {{rules: {rules}}}}}]"))
}

fn from_upstream(exchange: &mut Exchange, status: u16) {
    exchange.attempts.push(Attempt {
        endpoint: 0,
        url: None,
        started: Timestamp::default(),
        took: Default::default(),
        status,
        failure: None,
        reused: false,
    });
}

/// What the client gets for an error: status, headers and body.
fn told(exchange: &Exchange) -> String {
    let mut out = exchange.status.as_str().to_owned();
    for (name, value) in exchange.response_headers.iter() {
        out += &format!(" | {}: {}", name.to_ascii_lowercase(), value.to_text());
    }
    let body = exchange.response_payload.as_ref().unwrap().bytes().to_vec();
    format!("{out} | {}", String::from_utf8(body).unwrap())
}

/// What the client gets for an error of the upstream.
fn native(served: &Served, request: &str, status: u16, body: &str) -> String {
    let mut exchange = served.exchange("GET /a?q=%22%2C%0A%3Cb", request, "");
    from_upstream(&mut exchange, status);
    served.response(&mut exchange, status, "Content-Type: a/b\nETag: e", body).unwrap();
    told(&exchange)
}

#[test]
fn the_first_rule_that_holds_counts() {
    let served = of("[{when: {variable: '${response.statusCode}', operator: range, value: 500-599}, status: 503, headers: {set: {X-R: '0'}}, messages: {text: zero}},
          {when: {variable: '${response.payload}', operator: contains, value: gone}, status: 410, headers: {set: {X-R: '1'}}},
          {headers: {set: {X-R: '2'}}}]");
    let no_store = "content-type: text/plain; charset=utf-8 | cache-control: no-store";
    assert_eq!(native(&served, "", 500, "gone"), format!("503 | {no_store} | x-r: 0 | zero"));
    assert_eq!(native(&served, "", 404, "gone"), "410 | content-type: a/b | etag: e | x-r: 1 | gone");
    assert_eq!(native(&served, "", 404, "x"), "404 | content-type: a/b | etag: e | x-r: 2 | x");
    assert_eq!(native(&served, "", 200, "gone"), "200 | content-type: a/b | etag: e | gone", "no error");
}

#[test]
fn accept_chooses_the_message_and_values_stay_values() {
    let served = of(
        "[{messages: {json: '{\"q\":\"${request.query.q}\",\"n\":\"$NATIVE_PROVIDER_ERROR\"}', xml: '<q>${request.query.q}</q>', text: '${request.query.q}', default: xml}}]",
    );
    for (accept, expect) in [
        (
            "application/json",
            "application/json | cache-control: no-store | {\"q\":\"\\\",\\n<b\",\"n\":\"\\\"x\\\"\"}",
        ),
        ("text/*", "text/plain; charset=utf-8 | cache-control: no-store | \", <b"),
        ("image/png", "application/xml | cache-control: no-store | <q>&quot;,\n&lt;b</q>"),
        ("", "application/xml | cache-control: no-store | <q>&quot;,\n&lt;b</q>"),
    ] {
        let request = if accept.is_empty() { String::new() } else { format!("Accept: {accept}") };
        assert_eq!(
            native(&served, &request, 500, "\"x\""),
            format!("500 | content-type: {expect}"),
            "{accept}"
        );
    }
}

#[test]
fn errors_of_the_gateway_have_code_message_and_origin() {
    let served = of("[{when: {variable: '${error.code}', operator: equals, value: overloaded}, messages: {text: '${error.origin} $ERROR_MESSAGE $SERVICE [$NATIVE_PROVIDER_ERROR]'}},
        {when: {variable: '${error.code}', operator: equals, value: upstream_fault}, messages: {text: '${error.origin}'}}]");
    let mut exchange = served.exchange("GET /a", "", "");
    exchange.reason = Some(&reason::OVERLOADED);
    served.response(&mut exchange, 503, "", "{}").unwrap();
    assert!(
        told(&exchange).ends_with(&format!("gateway {} T []", reason::OVERLOADED.message)),
        "{}",
        told(&exchange)
    );
    assert!(native(&served, "", 404, "x").ends_with("| upstream"));
}

#[test]
fn the_native_fault_is_sent_when_something_says_so() {
    for (rule, body) in [
        ("{status: 418}", "native"),
        ("{messages: {text: own}}", "own"),
        ("{sendNativeProviderFault: true, messages: {text: own}}", "native"),
        ("{sendNativeProviderFault: false, messages: {text: own}}", "own"),
    ] {
        assert!(
            native(&of(&format!("[{rule}]")), "", 500, "native").ends_with(&format!("| {body}")),
            "{rule}"
        );
    }
    let hidden = native(
        &of("[{status: 503, sendNativeProviderFault: false}]"),
        "Accept: application/json",
        500,
        "native",
    );
    assert!(
        hidden.starts_with("503 | content-type: application/json | cache-control: no-store | {"),
        "{hidden}"
    );
    assert!(hidden.contains(r#""status":503,"code":"upstream_fault""#), "{hidden}");
}

#[test]
fn an_own_error_with_another_status_says_so_in_its_body() {
    let served = of("[{status: 429}]");
    let mut exchange = served.exchange("GET /a", "", "");
    exchange.reason = Some(&reason::OVERLOADED);
    served.response(&mut exchange, 503, "", "{\"status\":503}").unwrap();
    assert!(told(&exchange).contains(r#""status":429,"code":"overloaded""#), "{}", told(&exchange));
}

#[test]
fn the_nearest_policy_with_a_rule_that_holds_counts_alone() {
    let rule = |when: &str, name: &str| {
        format!(
            "{{type: conditionalErrorProcessing, config: {{rules: [{{when: {{cel: '{when}'}}, status: 599, headers: {{set: {{X-{name}: '1'}}}}, messages: {{text: {name}}}}}]}}}}"
        )
    };
    let policies = format!("[{}, {}]", rule("true", "outer"), rule("response.status == 404", "inner"));
    let served = serve("", &policies);
    let headers = "content-type: text/plain; charset=utf-8 | cache-control: no-store";
    assert_eq!(
        native(&served, "", 404, "x"),
        format!("599 | {headers} | x-inner: 1 | inner"),
        "it sees what came"
    );
    assert_eq!(native(&served, "", 500, "x"), format!("599 | {headers} | x-outer: 1 | outer"));
}

#[test]
fn what_is_masked_does_not_come_back() {
    let outer = "{type: conditionalErrorProcessing, config: {rules: [{messages: {text: outer}}]}}";
    let mask = "{type: faultMasking, config: {masks: [{type: regex, expression: secret}]}}";
    let inner = "{type: conditionalErrorProcessing, config: {rules: [{sendNativeProviderFault: true}]}}";
    let served = serve("", &format!("[{outer}, {mask}, {inner}]"));
    let mut exchange = served.exchange("GET /a", "", "");
    from_upstream(&mut exchange, 500);
    served.response(&mut exchange, 500, "Content-Type: text/plain", "a secret").unwrap();
    assert!(told(&exchange).ends_with("| a ********"), "{}", told(&exchange));
}

#[test]
fn variables_are_set_and_a_status_that_is_none_changes_nothing() {
    let served = of(
        "[{variables: [{variable: a, value: '${error.code}'}, {variable: customTransactionFields.f, value: '${a}!'}], status: '${request.query.none}', messages: {text: '${a}'}}]",
    );
    let mut exchange = served.exchange("GET /a", "", "");
    from_upstream(&mut exchange, 404);
    served.response(&mut exchange, 404, "", "x").unwrap();
    assert!(told(&exchange).starts_with("404") && told(&exchange).ends_with("| upstream_fault"));
    assert_eq!(exchange.transaction_field("f"), Some("upstream_fault!"));
}

#[test]
fn wrong_fields_are_told_with_their_path() {
    for (config, path, message) in [
        ("{rules: []}", "rules", "found none"),
        ("{rules: [{status: 100}]}", "rules[0].status", "200 to 599"),
        ("{rules: [{}, {when: {cel: '('}}]}", "rules[1].when.cel", ""),
        (
            "{rules: [{variables: [{variable: response.statusCode, value: a}]}]}",
            "rules[0].variables[0].variable",
            "name of your own",
        ),
        ("{rules: [{headers: {set: {Host: a}}}]}", "rules[0].headers.set.Host", "the gateway sets itself"),
        ("{rules: [{messages: {}}]}", "rules[0].messages", "found none"),
        ("{rules: [{messages: {json: '${nope.x}'}}]}", "rules[0].messages.json", "no variable"),
        ("{rules: [{messages: {json: a, default: xml}}]}", "rules[0].messages.default", "no message"),
    ] {
        let policies = format!("[{{type: conditionalErrorProcessing, config: {config}}}]");
        let Err(problems) = try_serve("", &policies, "") else { panic!("{config}") };
        let problem = &problems.0[0];
        assert_eq!(problem.path, format!("apis[0].policies[0].config.{path}"), "{problem}");
        assert!(problem.message.contains(message), "{problem}");
    }
}
