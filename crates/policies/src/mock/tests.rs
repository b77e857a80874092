//! Which answer is given for which request.

use crate::testing::{Served, serve, told, try_serve};

const ORDERS: &str = r##"
openapi: 3.1.0
info: {title: Orders, version: '1'}
paths:
  /orders/{id}:
    get:
      operationId: getOrder
      responses:
        '404': {description: no, content: {application/json: {example: {error: none}}}}
        '202': {description: later, content: {application/json: {example: {later: true}}}}
        '200':
          description: ok
          headers: {X-Count: {schema: {type: integer, minimum: 3}}, Content-Length: {schema: {type: integer}}}
          content:
            application/json: {schema: {$ref: '#/components/schemas/Order'}}
            application/xml: {schema: {$ref: '#/components/schemas/Order'}}
            text/plain: {examples: {one: {$ref: '#/components/examples/One'}}}
        5XX: {description: broken}
    delete: {operationId: deleteOrder, responses: {'204': {description: gone}}}
    put: {operationId: putOrder, responses: {default: {description: any, content: {'*/*': {schema: {type: boolean}}}}}}
    post: {operationId: postOrder, responses: {'400': {description: bad}}}
components:
  examples: {One: {value: order 1}}
  schemas:
    Order:
      type: object
      properties: {id: {type: integer, minimum: 1}, next: {$ref: '#/components/schemas/Order'}}
"##;

/// Status, headers and body of the answer in a line.
fn answer(served: &Served, line: &str, headers: &str, body: &str) -> String {
    let mut exchange = served.exchange(line, headers, body);
    if let Err(rejection) = served.request(&mut exchange) {
        return told(&rejection);
    }
    let headers = exchange.response_headers.iter().map(|(n, v)| format!(" {n}: {};", v.to_str().unwrap()));
    let headers: String = headers.collect();
    let body = exchange.response_payload.as_ref().unwrap().bytes();
    format!("{}{headers} {}", exchange.status.as_u16(), std::str::from_utf8(body).unwrap())
}

#[test]
fn the_definition_answers() {
    let served = serve(ORDERS, "[{type: mock}]");
    assert_eq!(served.warnings, []);
    for (line, headers, expect) in [
        ("GET /orders/7", "", "200 x-count: 3; content-type: application/json; {\"id\":1}"),
        ("GET /orders/7", "accept: text/*", "200 x-count: 3; content-type: text/plain; order 1"),
        (
            "GET /orders/7",
            "accept: application/xml",
            "200 x-count: 3; content-type: application/xml; <?xml version=\"1.0\" encoding=\"UTF-8\"?><id>1</id>",
        ),
        ("GET /orders/7", "accept: image/png", "200 x-count: 3; content-type: application/json; {\"id\":1}"),
        (
            "GET /orders/7?expectedStatusCode=404",
            "",
            "404 content-type: application/json; {\"error\":\"none\"}",
        ),
        ("GET /orders/7?expectedStatusCode=503", "", "503 "),
        ("GET /orders/7?expectedStatusCode=301", "", "404 no_mock"),
        ("GET /orders/7?expectedStatusCode=100", "", "404 no_mock"),
        ("GET /orders/7?expectedStatusCode=x", "", "404 no_mock"),
        ("DELETE /orders/7", "", "204 "),
        ("PUT /orders/7", "", "200 content-type: application/json; true"),
        ("PUT /orders/7?expectedStatusCode=418", "", "418 content-type: application/json; true"),
        ("POST /orders/7", "", "404 no_mock"),
    ] {
        assert_eq!(answer(&served, line, headers, ""), expect, "{line} {headers}");
    }
    let fixed = serve(ORDERS, "[{type: mock, config: {allowExpectedStatusCode: false}}]");
    assert!(answer(&fixed, "GET /orders/7?expectedStatusCode=404", "", "").starts_with("200 "));
}

#[test]
fn written_responses_come_first() {
    let served = serve(
        ORDERS,
        "[{type: mock, config: {responses: [
          {operation: getOrder, when: [{header: x-case, equals: gone}], status: 410},
          {operation: 'GET /orders/{id}', when: [{query: q}, {query: p, exists: false}], body: text},
          {when: [{jsonPath: '$.items[0].id', equals: '7'}], headers: {X-A: b}, body: {a: [1]}},
          {operation: putOrder, status: 201, bodies: {application/json: {a: 1}, application/xml: {a: 1}}},
          {operation: putOrder, status: 409, headers: {Content-Type: a/b}, body: conflict}]}}]",
    );
    for (line, headers, body, expect) in [
        ("GET /orders/7", "x-case: gone", "", "410 "),
        ("GET /orders/7?q=1", "", "", "200 content-type: text/plain; charset=utf-8; text"),
        (
            "DELETE /orders/7",
            "",
            "{\"items\": [{\"id\": 7}]}",
            "200 x-a: b; content-type: application/json; {\"a\":[1]}",
        ),
        ("DELETE /orders/7", "", "{\"items\": [{\"id\": 8}]}", "204 "),
        ("PUT /orders/7", "", "", "201 content-type: application/json; {\"a\":1}"),
        ("PUT /orders/7?expectedStatusCode=409", "", "", "409 content-type: a/b; conflict"),
        (
            "PUT /orders/7",
            "accept: application/xml",
            "",
            "201 content-type: application/xml; <?xml version=\"1.0\" encoding=\"UTF-8\"?><a>1</a>",
        ),
    ] {
        assert_eq!(answer(&served, line, headers, body), expect, "{line} {headers} {body}");
    }
    assert!(answer(&served, "GET /orders/7?q=1&p=1", "", "").starts_with("200 x-count: 3"));
}

#[test]
fn apis_without_a_definition_have_what_is_written() {
    let served = try_serve("", "[{type: mock, config: {responses: [{body: hello}]}}]", "").unwrap();
    assert_eq!(answer(&served, "GET /x", "", ""), "200 content-type: text/plain; charset=utf-8; hello");
    let nothing = try_serve("", "[{type: mock}]", "").unwrap();
    assert_eq!(nothing.warnings[0].path, "apis[0].policies[0].config.responses");
    assert_eq!(answer(&nothing, "GET /x", "", ""), "404 no_mock");
}

#[test]
fn bad_configuration_names_its_field() {
    for (response, path) in [
        ("{operation: getOrders}", "operation"),
        ("{status: 99}", "status"),
        ("{status: 600}", "status"),
        ("{headers: {'a b': c}}", "headers.a b"),
        ("{headers: {a: \"b\\nc\"}}", "headers.a"),
        ("{headers: {Content-Length: '1'}}", "headers.Content-Length"),
        ("{body: a, bodies: {a/b: c}}", "bodies"),
        ("{bodies: {'a/*': c}}", "bodies.a/*"),
        ("{bodies: {json: c}}", "bodies.json"),
        ("{when: [{equals: a}]}", "when[0]"),
        ("{when: [{header: a, query: b}]}", "when[0]"),
        ("{when: [{header: 'a b'}]}", "when[0].header"),
        ("{when: [{jsonPath: a}]}", "when[0].jsonPath"),
        ("{when: [{query: a, equals: b, exists: true}]}", "when[0].exists"),
    ] {
        let result = try_serve(ORDERS, &format!("[{{type: mock, config: {{responses: [{response}]}}}}]"), "");
        let problems = result.err().expect(response);
        let path = format!("apis[0].policies[0].config.responses[0].{path}");
        assert!(problems.0.iter().any(|problem| problem.path == path), "{response}: {problems}");
    }
    let help =
        try_serve(ORDERS, "[{type: mock, config: {responses: [{operation: getOrders}]}}]", "").err().unwrap();
    assert!(help.to_string().contains("did you mean `getOrder`?"), "{help}");
}
