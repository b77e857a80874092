//! Tests of routing: which rule decides, and what a client can make of an endpoint.

use engine::Destination;

use crate::testing;

const RULES: &str = r#"[{type: routing, config: {
    rules: [
        {name: partners, when: {variable: "${request.headers.X-Channel}", operator: equals, value: partner},
         upstream: "http://partners.internal:81", path: "/v2/${sys:resource_path}"},
        {when: {variable: "${request.query.to}", operator: exists}, path: "/to/${request.query.to}", method: POST},
    ]}}]"#;

#[test]
fn the_first_rule_that_holds_decides() {
    let served = testing::serve("", RULES);
    let urls: Vec<_> = served.snapshot.upstreams.iter().map(|u| u.name.to_string()).collect();
    let way = |line: &str, headers: &str| {
        let mut exchange = served.exchange(line, headers, "");
        let ran = served.request(&mut exchange);
        assert!(ran.is_ok(), "{line}: {ran:?}");
        let upstream = match exchange.destination {
            Some(Destination::Upstream(position)) => Some(urls[position as usize].clone()),
            _ => None,
        };
        (exchange.method.to_string(), exchange.uri.path()[2..].to_owned(), upstream)
    };
    assert_eq!(
        way("GET /orders/1?to=x", "X-Channel: partner"),
        ("GET".into(), "/v2/orders/1".into(), Some("http://partners.internal:81".into()))
    );
    assert_eq!(way("GET /orders?to=a%2F..%3Fb", ""), ("POST".into(), "/to/a/..%3Fb".into(), None));
    assert_eq!(way("GET /orders", ""), ("GET".into(), "/orders".into(), None));
}

#[test]
fn what_is_wrong_is_named_with_its_path() {
    for (config, path) in [
        ("{rules: [{when: {cel: 'true'}, upstream: nowhere}]}", "rules[0].upstream"),
        ("{rules: [{when: {cel: '1 +'}}]}", "rules[0].when"),
        ("{default: {path: '${request.nonsense}'}}", "default.path"),
        ("{default: {method: get}}", "default.method"),
        ("{default: {upstream: 'ftp://x'}}", "default.upstream"),
        ("{default: {upstream: 'http://x', endpoint: '${dynamicEndpoint}'}}", "default.endpoint"),
        ("{default: {endpoint: '${dynamicEndpoint}'}}", "default.allow"),
        ("{default: {endpoint: 'https://${request.headers.X}'}}", "default.allow"),
        ("{default: {endpoint: 'https://${request.headers.X}.example'}}", "default.allow"),
        ("{default: {endpoint: 'https://a.svc.example${request.headers.X}'}}", "default.allow"),
        ("{default: {endpoint: 'https://${request.headers.X}.a.example/v1'}}", "default.endpoint"),
        ("{default: {endpoint: '${request.headers.X}://a.example', allow: ['*']}}", "default.endpoint"),
        ("{default: {endpoint: 'ftp://${request.headers.X}.a.example'}}", "default.endpoint"),
        ("{default: {endpoint: 'https://a.example'}}", "default.endpoint"),
        ("{default: {endpoint: '${request.nonsense}', allow: ['*']}}", "default.endpoint"),
        ("{default: {endpoint: '${dynamicEndpoint}', allow: ['x/y']}}", "default.allow[0]"),
        ("{default: {allow: [a.example]}}", "default.allow"),
    ] {
        let problems = testing::try_serve("", &format!("[{{type: routing, config: {config}}}]"), "");
        let problems = problems.map(|_| ()).unwrap_err();
        assert!(problems.0[0].path.contains(path), "{config}: {problems}");
    }
}

#[test]
fn a_client_can_be_part_of_a_host_name_and_of_nothing_else() {
    let served = testing::serve(
        "",
        r#"[{type: routing, config: {default: {endpoint: "https://${request.headers.X-Region}.svc.example:8443"}}}]"#,
    );
    for (region, expect) in [
        ("eu", "https://eu.svc.example:8443"),
        ("EU.west-1", "https://eu.west-1.svc.example:8443"),
        ("", "not_routable"),
        ("evil.example/", "not_routable"),
        ("evil.example:81/", "not_routable"),
        ("evil.example:81#", "not_routable"),
        ("evil.example?", "not_routable"),
        ("user@evil", "not_routable"),
        ("evil.example\\", "not_routable"),
        ("evil.example%2f", "not_routable"),
        ("eu\nX-Region: us", "not_routable"),
        (".", "not_routable"),
        ("-", "not_routable"),
    ] {
        assert_eq!(made(&served, &format!("X-Region: {region}")), expect, "{region:?}");
    }
}

#[test]
fn an_endpoint_that_is_a_variable_has_to_be_allowed() {
    let served = testing::serve(
        "",
        r#"[{type: requestTransformation, config: {set: [{variable: dynamicEndpoint, value: "${request.headers.X-To}"}]}},
            {type: routing, config: {default: {endpoint: "${dynamicEndpoint}", allow: ["*.svc.example", "api.example:8443"]}}}]"#,
    );
    for (to, expect) in [
        ("https://eu.svc.example", "https://eu.svc.example"),
        ("http://eu.svc.example/", "http://eu.svc.example"),
        ("https://api.example:8443", "https://api.example:8443"),
        ("https://api.example", "endpoint_not_allowed"),
        ("https://eu.svc.example:22", "endpoint_not_allowed"),
        ("https://evil.example", "endpoint_not_allowed"),
        ("https://evilsvc.example", "endpoint_not_allowed"),
        ("https://127.0.0.1", "endpoint_not_allowed"),
        ("https://eu.svc.example@evil.example", "not_routable"),
        ("https://eu.svc.example/admin", "not_routable"),
        ("file:///etc/passwd", "not_routable"),
        ("", "not_routable"),
    ] {
        assert_eq!(made(&served, &format!("X-To: {to}")), expect, "{to:?}");
    }
}

/// The endpoint that a request is sent to, or the code of the refusal.
fn made(served: &testing::Served, headers: &str) -> String {
    let mut exchange = served.exchange("GET /orders", headers, "");
    match served.request(&mut exchange) {
        Ok(_) => match exchange.destination {
            Some(Destination::Dynamic(endpoint)) => endpoint.url.to_string(),
            other => panic!("{other:?}"),
        },
        Err(rejection) => rejection.reason.code.to_owned(),
    }
}
