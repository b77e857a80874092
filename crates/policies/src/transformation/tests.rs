//! Transformations, through the chain of an API.

use engine::Outcome;

use crate::testing::{Served, serve, told, try_serve};

const OPERATIONS: &str = "operations: [{method: POST, path: '/orders/{id}'}, {method: GET, path: /orders}]";

fn of(kind: &str, config: &str) -> Served {
    let policies = format!("[{{type: {kind}, config: {config}}}]");
    try_serve("", &policies, OPERATIONS).unwrap_or_else(|problems| panic!("{config}: {problems}"))
}

/// What becomes of a POST of this body: the line, headers that begin with x, content type and body.
fn request(config: &str, target: &str, headers: &str, body: &str) -> Result<String, String> {
    let served = of("requestTransformation", config);
    let mut exchange = served.exchange(&format!("POST {target}"), headers, body);
    served.request(&mut exchange).map_err(|rejection| told(&rejection))?;
    let mut out = format!("{} {}", exchange.method, &exchange.uri.to_string()[2..]);
    for (name, value) in exchange.headers.iter() {
        out += &format!(" | {}: {}", name.to_ascii_lowercase(), value.to_text());
    }
    let body = exchange.request_payload.as_ref().map(|payload| payload.bytes().to_vec()).unwrap_or_default();
    Ok(format!("{out} | {}", String::from_utf8(body).unwrap()))
}

#[test]
fn requests_are_changed_in_the_documented_order() {
    for (config, target, headers, body, expect) in [
        ("{method: PUT}", "/orders/7", "", "", "PUT /orders/7 | "),
        ("{path: '/v2${request.path}'}", "/orders/7%20a?q=1", "", "", "POST /v2/orders/7%20a?q=1 | "),
        (
            "{query: {remove: [a], set: {b: '2', c: '${request.query.a}'}, add: {b: '3'}}}",
            "/orders/7?a=1&b=0&b=1",
            "",
            "",
            "POST /orders/7?b=2&c=1&b=3 | ",
        ),
        (
            // Values are of before: a header can move.
            "{headers: {remove: [X-A], set: {X-B: '${request.headers.X-A}'}, add: {X-C: '1'}}}",
            "/orders/7",
            "X-A: v\nX-C: 0",
            "",
            "POST /orders/7 | x-c: 0 | x-b: v | x-c: 1 | ",
        ),
        (
            "{set: [{variable: t, value: '${request.headers.X-A}'}, {variable: '${request.path.id}', value: '${t}!'}],
              headers: {remove: [X-A]}, path: '/${t}${request.path}'}",
            "/orders/7",
            "X-A: v/w",
            "",
            "POST /v%2Fw/orders/v%2Fw! | ",
        ),
        (
            "{set: [{variable: 'request.payload.jsonPath[$.a]', value: '${request.path.id}'}],
              remove: ['request.payload.jsonPath[$.b]']}",
            "/orders/7",
            "",
            "{\"a\":1,\"b\":2}",
            "POST /orders/7 | {\"a\":7}",
        ),
        (
            "{payload: {template: '{\"n\":\"${request.payload.jsonPath[$.a]}\"}'}}",
            "/orders/7",
            "Content-Type: text/plain\nDigest: x",
            "{\"a\":\"b\"}",
            "POST /orders/7 | content-type: application/json | {\"n\":\"b\"}",
        ),
        ("{remove: ['request.payload']}", "/orders/7", "", "text", "POST /orders/7 | "),
        (
            "{namespaces: {o: 'urn:o'}, headers: {set: {X-N: '${request.payload.xpath[//o:n]}'}}}",
            "/orders/7",
            "",
            "<a xmlns='urn:o'><n>5</n></a>",
            "POST /orders/7 | x-n: 5 | <a xmlns='urn:o'><n>5</n></a>",
        ),
    ] {
        assert_eq!(request(config, target, headers, body).as_deref(), Ok(expect), "{config}");
    }
}

#[test]
fn values_of_the_client_split_nothing() {
    let hostile = "X-A: a\",\"admin\":\"1</n><n>\\&x=1#/../b";
    for (config, expect) in [
        (
            "{path: '/p/${request.headers.X-A}/end'}",
            "POST /p/a%22,%22admin%22:%221%3C%2Fn%3E%3Cn%3E%5C%26x%3D1%23%2F..%2Fb/end | ",
        ),
        (
            "{query: {set: {q: '${request.headers.X-A}'}}}",
            "POST /orders/7?q=a%22,%22admin%22:%221%3C/n%3E%3Cn%3E%5C%26x%3D1%23/../b | ",
        ),
        (
            "{payload: {template: '{\"n\":\"${request.headers.X-A}\"}'}}",
            "POST /orders/7 | content-type: application/json | {\"n\":\"a\\\",\\\"admin\\\":\\\"1</n><n>\\\\&x=1#/../b\"}",
        ),
        (
            "{payload: {template: '<n>${request.headers.X-A}</n>'}}",
            "POST /orders/7 | content-type: application/xml | <n>a&quot;,&quot;admin&quot;:&quot;1&lt;/n&gt;&lt;n&gt;\\&amp;x=1#/../b</n>",
        ),
        (
            "{payload: {template: 'n=${request.headers.X-A}', contentType: application/x-www-form-urlencoded}}",
            "POST /orders/7 | content-type: application/x-www-form-urlencoded | n=a%22,%22admin%22:%221%3C/n%3E%3Cn%3E%5C%26x%3D1%23/../b",
        ),
        (
            "{set: [{variable: request.payload, value: '[\"${request.headers.X-A}\"]'}]}",
            "POST /orders/7 | [\"a\\\",\\\"admin\\\":\\\"1</n><n>\\\\&x=1#/../b\"]",
        ),
    ] {
        let config = config.replacen('{', "{headers: {remove: [X-A]}, ", 1);
        assert_eq!(request(&config, "/orders/7", hostile, "").as_deref(), Ok(expect), "{config}");
    }
    // A parameter can carry a line break, which a header cannot.
    let config = "{headers: {set: {X-B: '${request.query.q}'}}, query: {remove: [q]}}";
    let split = request(config, "/orders/7?q=a%0D%0AX-Admin:%201", "", "");
    assert_eq!(split.as_deref(), Ok("POST /orders/7 | x-b: aX-Admin: 1 | "));
}

#[test]
fn what_does_not_fit_is_refused() {
    for (config, body) in [
        ("{method: '${request.headers.X-Method}'}", ""),
        ("{path: '/a/.${request.headers.X-Dot}/b'}", ""),
        ("{set: [{variable: 'request.payload.jsonPath[$.a]', value: '1'}]}", "no JSON"),
        ("{remove: ['request.payload.jsonPath[$.a]']}", "no JSON"),
    ] {
        let refused = request(config, "/orders/7", "X-Method: get it\nX-Dot: ./", body);
        if config.contains("X-Dot") {
            assert_eq!(refused.as_deref(), Ok("POST /a/..%2F/b | x-method: get it | x-dot: ./ | "));
        } else {
            assert_eq!(refused, Err("400 request_not_transformable".to_owned()), "{config}");
        }
    }
    // There is nothing to remove from nothing.
    assert!(request("{remove: ['request.payload.jsonPath[$.a]']}", "/orders/7", "", "").is_ok());
}

#[test]
fn changes_happen_only_when_the_condition_holds() {
    let config = "{when: {variable: '${request.headers.X-A}', operator: equals, value: b}, method: PUT}";
    assert_eq!(request(config, "/orders/7", "X-A: b", "").as_deref(), Ok("PUT /orders/7 | x-a: b | "));
    assert_eq!(request(config, "/orders/7", "X-A: c", "").as_deref(), Ok("POST /orders/7 | x-a: c | "));
}

#[test]
fn what_the_client_sent_is_remembered() {
    let served = of(
        "requestTransformation",
        "{method: PUT, path: /x, query: {set: {a: '1'}}, headers: {set: {Accept: a/b, Content-Type: c/d}}}",
    );
    let mut exchange = served.exchange("POST /orders/7?q=1", "Accept: e/f", "");
    served.request(&mut exchange).unwrap();
    assert_eq!(exchange.inbound_method(), "POST");
    assert_eq!(exchange.inbound_uri().to_string(), "/t/orders/7?q=1");
    assert_eq!(exchange.inbound_accept().as_deref(), Some("e/f"));
}

/// What becomes of a response: status, headers and body.
fn response(config: &str, headers: &str, body: &str) -> Result<String, String> {
    let served = of("responseTransformation", config);
    let mut exchange = served.exchange("GET /orders?q=v", "", "");
    served.response(&mut exchange, 200, headers, body).map_err(|rejection| told(&rejection))?;
    let mut out = exchange.status.as_str().to_owned();
    for (name, value) in exchange.response_headers.iter() {
        out += &format!(" | {}: {}", name.to_ascii_lowercase(), value.to_text());
    }
    let body = exchange.response_payload.as_ref().unwrap().bytes().to_vec();
    Ok(format!("{out} | {}", String::from_utf8(body).unwrap()))
}

#[test]
fn responses_are_changed() {
    for (config, headers, body, expect) in [
        ("{status: 404}", "", "b", Ok("404 | b")),
        (
            "{status: '${response.payload.jsonPath[$.code]}'}",
            "",
            "{\"code\":418}",
            Ok("418 | {\"code\":418}"),
        ),
        ("{status: '${response.payload.jsonPath[$.code]}'}", "", "{}", Err("502 response_not_transformable")),
        (
            "{headers: {set: {X-Q: '${request.query.q}'}, remove: [Server]}}",
            "Server: s",
            "b",
            Ok("200 | x-q: v | b"),
        ),
        (
            "{set: [{variable: 'response.payload.jsonPath[$.a]', value: '${response.statusCode}'}], remove: ['${response.payload.jsonPath[$.s]}']}",
            "Content-MD5: x",
            "{\"s\":1}",
            Ok("200 | {\"a\":200}"),
        ),
        (
            "{payload: {template: 'sorry, ${request.query.q}'}}",
            "Content-Type: a/b\nContent-Encoding: gzip",
            "b",
            Ok("200 | content-type: text/plain; charset=utf-8 | sorry, v"),
        ),
        ("{when: {cel: 'response.status == 500'}, status: 503}", "", "b", Ok("200 | b")),
    ] {
        assert_eq!(
            response(config, headers, body).as_deref(),
            expect.map_err(|e: &str| e.to_owned()).as_deref(),
            "{config}"
        );
    }
}

#[test]
fn an_error_of_the_gateway_is_not_replaced_by_one_of_the_transformation() {
    let served =
        of("responseTransformation", "{set: [{variable: 'response.payload.jsonPath[$.a]', value: '1'}]}");
    let mut exchange = served.exchange("GET /orders", "", "");
    exchange.reason = Some(&engine::reason::OVERLOADED);
    assert_eq!(served.response(&mut exchange, 503, "", "no JSON").unwrap(), Outcome::Passed);
}

#[test]
fn bodies_are_read_only_when_something_asks_for_them() {
    for (kind, config, request_body, response_body) in [
        ("requestTransformation", "{headers: {set: {X-A: '${request.path}'}}}", false, false),
        ("requestTransformation", "{headers: {set: {X-A: '${request.payload}'}}}", true, false),
        (
            "requestTransformation",
            "{when: {variable: '${request.payload}', operator: exists}, method: PUT}",
            true,
            false,
        ),
        ("requestTransformation", "{payload: {template: x}}", true, false),
        ("responseTransformation", "{status: 201}", false, false),
        ("responseTransformation", "{status: '${request.payload.jsonPath[$.s]}'}", true, false),
        ("responseTransformation", "{remove: ['response.payload.jsonPath[$.s]']}", false, true),
    ] {
        let served = of(kind, config);
        let needs = served.snapshot.apis[0].chain(Some(0)).needs;
        assert_eq!((needs.request_body, needs.response_body), (request_body, response_body), "{config}");
    }
}

#[test]
fn wrong_fields_are_told_with_their_path() {
    for (kind, config, path, message) in [
        ("requestTransformation", "{}", "", "found no change"),
        ("requestTransformation", "{headers: {set: {a: \"x\\r\\nb: y\"}}}", ".headers.set.a", "line break"),
        (
            "requestTransformation",
            "{headers: {remove: ['a b']}}",
            ".headers.remove[0]",
            "the name of a header",
        ),
        (
            "requestTransformation",
            "{headers: {set: {Content-Length: '1'}}}",
            ".headers.set.Content-Length",
            "the gateway sets itself",
        ),
        ("requestTransformation", "{headers: {add: {a: '${nothing.x}'}}}", ".headers.add.a", "no variable"),
        ("requestTransformation", "{method: put}", ".method", "in capitals"),
        ("requestTransformation", "{method: CONNECT}", ".method", "in capitals"),
        ("requestTransformation", "{path: a/../b}", ".path", "begins with `/`"),
        ("requestTransformation", "{query: {remove: ['']}}", ".query.remove[0]", "query parameter"),
        (
            "requestTransformation",
            "{set: [{variable: response.statusCode, value: '1'}]}",
            ".set[0].variable",
            "not there yet",
        ),
        (
            "requestTransformation",
            "{set: [{variable: user, value: '1'}]}",
            ".set[0].variable",
            "only be read",
        ),
        ("requestTransformation", "{set: [{variable: a, value: '${'}]}", ".set[0].value", "without its `}`"),
        ("requestTransformation", "{remove: [request.path]}", ".remove[0]", "cannot be removed"),
        (
            "requestTransformation",
            "{payload: {template: a, contentType: json}}",
            ".payload.contentType",
            "content type",
        ),
        (
            "requestTransformation",
            "{when: {variable: '${user}', operator: equals}, method: PUT}",
            ".when.value",
            "missing",
        ),
        ("requestTransformation", "{status: 200, method: PUT}", ".status", "status"),
        ("responseTransformation", "{status: 99}", ".status", "200 to 599"),
        ("responseTransformation", "{status: ok}", ".status", "200 to 599"),
        ("responseTransformation", "{remove: [request.headers.X]}", ".remove[0]", "has been sent"),
    ] {
        let policies = format!("[{{type: {kind}, config: {config}}}]");
        let Err(problems) = try_serve("", &policies, OPERATIONS) else { panic!("{config}") };
        let problem = &problems.0[0];
        assert_eq!(problem.path, format!("apis[0].policies[0].config{path}"), "{problem}");
        assert!(problem.message.contains(message), "{problem}");
    }
}

#[test]
fn constant_headers_are_as_before() {
    let served = serve(
        "",
        "[{type: requestTransformation, config: {headers: {remove: [a], set: {a: '1', b: '2'}, add: {b: '3'}}}}]",
    );
    let mut exchange = served.exchange("GET /x", "a: old\na: older", "");
    served.request(&mut exchange).unwrap();
    let all: Vec<_> = exchange.headers.iter().map(|(name, value)| (name, value.to_text())).collect();
    assert_eq!(all, [("a", "1".into()), ("b", "2".into()), ("b", "3".into())]);
}
