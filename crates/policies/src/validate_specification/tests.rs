//! What passes, what is refused and what is said of it; every style of parameters.

mod bodies;

use std::{fmt::Write, time::Instant};

use engine::Outcome;

use crate::testing::{Served, serve, told, try_serve};

const ORDERS: &str = r##"
openapi: 3.0.3
info: {title: Orders, version: '1'}
paths:
  /orders/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: integer, minimum: 1}}
    get:
      parameters:
        - {name: limit, in: query, schema: {type: integer, maximum: 100}}
        - {name: X-Tenant, in: header, required: true, schema: {type: string, minLength: 2}}
        - {name: session, in: cookie, schema: {type: string, format: uuid}}
      responses:
        '200':
          description: ok
          headers: {X-Count: {required: true, schema: {type: integer}}}
          content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}
        4XX: {description: no, content: {text/plain: {}}}
    put:
      requestBody:
        required: true
        content:
          application/json: {schema: {$ref: '#/components/schemas/Order'}}
          application/*+json: {schema: {$ref: '#/components/schemas/Order'}}
          application/x-www-form-urlencoded: {schema: {$ref: '#/components/schemas/Order'}}
          multipart/form-data: {schema: {$ref: '#/components/schemas/Order'}}
      responses: {}
    patch:
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}
      responses: {}
components:
  schemas:
    Order:
      type: object
      required: [id, item]
      properties:
        id: {type: integer, readOnly: true}
        item: {type: string}
        count: {type: integer}
        tags: {type: array, items: {type: string}}
        parent: {$ref: '#/components/schemas/Order'}
      additionalProperties: false
"##;

/// What is said of a request, `passes` when nothing.
fn verdict(served: &Served, line: &str, headers: &str, body: &str) -> String {
    let mut exchange = served.exchange(line, headers, body);
    match served.request(&mut exchange) {
        Ok(_) => exchange.take_note().map_or_else(|| "passes".to_owned(), |note| format!("passes, {note}")),
        Err(rejection) => told(&rejection),
    }
}

#[test]
fn requests_are_checked_part_by_part() {
    let served = serve(ORDERS, "[{type: validateSpecification}]");
    assert_eq!(served.warnings, []);
    let json = "content-type: application/json";
    let form = "content-type: application/x-www-form-urlencoded";
    for (line, headers, body, expect) in [
        ("GET /orders/7", "X-Tenant: ab", "", "passes"),
        ("GET /orders/x", "X-Tenant: ab", "", "400 request_does_not_match; path.id expected integer"),
        ("GET /orders/0", "X-Tenant: ab", "", "400 request_does_not_match; path.id expected at least 1"),
        ("GET /orders/7", "", "", "400 request_does_not_match; header.X-Tenant is required"),
        (
            "GET /orders/7",
            "X-Tenant: a",
            "",
            "400 request_does_not_match; header.X-Tenant expected at least 2 characters",
        ),
        (
            "GET /orders/7",
            "X-Tenant: ab\nX-Tenant: cd",
            "",
            "400 request_does_not_match; header.X-Tenant expected one value, found several",
        ),
        ("GET /orders/7?limit=5&other=1", "X-Tenant: ab", "", "passes"),
        (
            "GET /orders/7?limit=500",
            "X-Tenant: ab",
            "",
            "400 request_does_not_match; query.limit expected at most 100",
        ),
        (
            "GET /orders/7?limit=1;2",
            "X-Tenant: ab",
            "",
            "400 request_does_not_match; query.limit expected integer",
        ),
        (
            "GET /orders/7?limit=1&limit=2",
            "X-Tenant: ab",
            "",
            "400 request_does_not_match; query.limit expected one value, found several",
        ),
        ("GET /orders/7?x=%ff", "X-Tenant: ab", "", "passes"),
        (
            "GET /orders/7?limit=%ff",
            "X-Tenant: ab",
            "",
            "400 request_does_not_match; query.limit expected UTF-8 text",
        ),
        (
            "GET /orders/7",
            "X-Tenant: ab\nCookie: a=b; session=x",
            "",
            "400 request_does_not_match; cookie.session expected the format `uuid`",
        ),
        ("GET /orders/7", "X-Tenant: ab\nCookie: a=b", "", "passes"),
        ("PUT /orders/7", json, "{\"item\": \"a\"}", "passes"),
        ("PUT /orders/7", "content-type: application/hal+json; charset=utf-8", "{\"item\": \"a\"}", "passes"),
        ("PUT /orders/7", json, "{\"item\": 1}", "400 request_does_not_match; body/item expected string"),
        (
            "PUT /orders/7",
            json,
            "{\"item\": \"a\", \"parent\": {}}",
            "400 request_does_not_match; body/parent/item is required",
        ),
        ("PUT /orders/7", json, "{", "400 request_does_not_match; body expected JSON"),
        ("PUT /orders/7", "", "", "400 request_does_not_match; body is required"),
        ("PUT /orders/7", form, "item=a+b&count=3&tags=x&tags=y", "passes"),
        ("PUT /orders/7", form, "item=a&count=x", "400 request_does_not_match; body/count expected integer"),
        (
            "PUT /orders/7",
            form,
            "item=a&item=b",
            "400 request_does_not_match; body expected one value, found several",
        ),
        (
            "PUT /orders/7",
            form,
            "item=a&more=b",
            "400 request_does_not_match; body has a property that is not declared",
        ),
        (
            "PUT /orders/7",
            "content-type: multipart/form-data; boundary=x",
            "anything",
            "400 request_does_not_match; body expected parts between the boundaries that the content type names",
        ),
        (
            "PATCH /orders/7",
            "content-type: text/plain",
            "x",
            "415 unsupported_media_type; header.content-type expected one of application/json",
        ),
        (
            "PATCH /orders/7",
            "",
            "{}",
            "415 unsupported_media_type; header.content-type expected one of application/json",
        ),
        (
            "PATCH /orders/7",
            "content-type: application/json\ncontent-encoding: gzip",
            "x",
            "415 unsupported_media_type; header.content-encoding expected a body that is not compressed",
        ),
        ("PATCH /orders/7", "", "", "passes"),
    ] {
        assert_eq!(verdict(&served, line, headers, body), expect, "{line} {headers} {body}");
    }
}

#[test]
fn every_part_can_be_switched_off() {
    for (switch, line, headers, body) in [
        ("pathParameters: false", "GET /orders/x", "X-Tenant: ab", ""),
        ("queryParameters: false", "GET /orders/7?limit=x", "X-Tenant: ab", ""),
        ("headers: false", "GET /orders/7", "", ""),
        ("cookies: false", "GET /orders/7", "X-Tenant: ab\nCookie: session=x", ""),
        ("contentType: false", "PATCH /orders/7", "content-type: text/plain", "x"),
        ("body: false", "PUT /orders/7", "content-type: application/json", "1"),
        ("body: false", "PUT /orders/7", "", ""),
    ] {
        let on = serve(ORDERS, "[{type: validateSpecification}]");
        assert_ne!(verdict(&on, line, headers, body), "passes", "{line}");
        let off = serve(ORDERS, &format!("[{{type: validateSpecification, config: {{{switch}}}}}]"));
        assert_eq!(verdict(&off, line, headers, body), "passes", "{switch}");
    }
}

#[test]
fn modes_and_unknown_parameters() {
    for (config, expect) in [
        ("{}", "400 request_does_not_match; query.limit expected integer"),
        ("{mode: warn}", "passes, query.limit: expected integer"),
        ("{mode: observe}", "passes, 1 thing does not match the definition"),
        ("{unknownQueryParameters: refuse, queryParameters: false}", "passes"),
    ] {
        let served = serve(ORDERS, &format!("[{{type: validateSpecification, config: {config}}}]"));
        assert_eq!(verdict(&served, "GET /orders/7?limit=x", "X-Tenant: ab", ""), expect, "{config}");
    }
    let strict = serve(ORDERS, "[{type: validateSpecification, config: {unknownQueryParameters: refuse}}]");
    let found = verdict(&strict, "GET /orders/7?limit=1&secret=1", "X-Tenant: ab", "");
    assert_eq!(found, "400 request_does_not_match; query has a parameter that is not declared");
}

#[test]
fn responses_are_checked_when_asked() {
    let served = serve(ORDERS, "[{type: validateSpecification, config: {response: true}}]");
    let json = "content-type: application/json\nx-count: 3";
    for (status, headers, body, expect) in [
        (200, json, "{\"id\": 1, \"item\": \"a\"}", "passes"),
        (200, json, "{\"item\": \"a\"}", "502 response_does_not_match"),
        (
            200,
            "content-type: application/json",
            "{\"id\": 1, \"item\": \"a\"}",
            "502 response_does_not_match",
        ),
        (200, "content-type: text/html\nx-count: 3", "<p>", "502 response_does_not_match"),
        (404, "content-type: text/plain", "gone", "passes"),
        (404, json, "{}", "502 response_does_not_match"),
        (500, json, "{}", "passes"),
    ] {
        let mut exchange = served.exchange("GET /orders/7", "X-Tenant: ab", "");
        let found = served.response(&mut exchange, status, headers, body);
        let found = found.map_or_else(|rejection| told(&rejection), |_| "passes".to_owned());
        assert_eq!(found, expect, "{status} {headers} {body}");
    }
}

#[test]
fn operations_keep_their_position() {
    // The first is written by hand, the second takes the place of an imported one, the third is imported.
    let more = "operations: [{method: POST, path: /own}, {method: GET, path: '/orders/{id}'}]\n";
    let served = try_serve(ORDERS, "[{type: validateSpecification}]", more).unwrap();
    assert_eq!(served.warnings.len(), 1, "{:?}", served.warnings);
    assert_eq!(verdict(&served, "POST /own", "content-type: a/b", "x"), "passes");
    assert_eq!(verdict(&served, "GET /orders/x", "", ""), "passes");
    assert_eq!(verdict(&served, "PUT /orders/7", "", ""), "400 request_does_not_match; body is required");
}

#[test]
fn bad_configuration_and_bad_definitions_are_named() {
    for (config, path) in [
        ("{mode: loud}", "apis[0].policies[0].config.mode"),
        ("{body: 1}", "apis[0].policies[0].config.body"),
        ("{headers: maybe}", "apis[0].policies[0].config.headers"),
        ("{unknownQueryParameters: no}", "apis[0].policies[0].config.unknownQueryParameters"),
        ("{bodies: true}", "apis[0].policies[0].config.bodies"),
        (
            "{pathParameters: false, queryParameters: false, headers: false, cookies: false, contentType: false, body: false}",
            "apis[0].policies[0].config",
        ),
    ] {
        let result = try_serve(ORDERS, &format!("[{{type: validateSpecification, config: {config}}}]"), "");
        let problems = result.err().expect(config);
        assert!(problems.0.iter().any(|p| p.path == path), "{config}: {problems}");
    }
    let broken = ORDERS.replace("{type: string, minLength: 2}", "{type: strnig, minLength: 2}");
    let broken = broken.replace("count: {type: integer}", "count: {type: int}");
    let served = serve(&broken, "[{type: validateSpecification, config: {response: true}}]");
    assert_eq!(served.warnings.len(), 2, "{:?}", served.warnings);
    for at in [
        "#/paths/~1orders~1{id}/get/parameters/1/schema/type",
        "#/components/schemas/Order/properties/count/type",
    ] {
        let warning = served.warnings.iter().find(|warning| warning.message.contains(at)).expect(at);
        assert_eq!(warning.path, "apis[0].policies[0].config");
    }
    assert_eq!(
        verdict(&served, "GET /orders/7", "X-Tenant: a", ""),
        "400 request_does_not_match; header.X-Tenant expected at least 2 characters"
    );
    let none = try_serve("", "[{type: validateSpecification}]", "").unwrap();
    assert!(none.warnings[0].message.contains("no definition"));
    assert_eq!(verdict(&none, "GET /x", "", ""), "passes");
}

#[test]
fn parameters_in_every_style() {
    const LIST: &str = "type: array, items: {type: integer}";
    const OBJECT: &str = "type: object, required: [r], properties: {r: {type: integer}, g: {type: integer}}, additionalProperties: false";
    for (place, style, schema, good, bad) in [
        ("query", "style: form", LIST, "?p=3&p=4", "?p=3&p=x"),
        ("query", "style: form", LIST, "?p=", "?p=a"),
        ("query", "style: form, explode: false", LIST, "?p=3,4", "?p=3&p=4"),
        (
            "query",
            "style: form, explode: false",
            "type: array, items: {type: string, maxLength: 3}",
            "?p=a%2Cb",
            "?p=abcd",
        ),
        ("query", "style: spaceDelimited, explode: false", LIST, "?p=3%204+5", "?p=3,4"),
        ("query", "style: pipeDelimited, explode: false", LIST, "?p=3|4%7C5", "?p=3,4"),
        ("query", "style: form", OBJECT, "?r=1&g=2", "?g=2"),
        ("query", "style: form, explode: false", OBJECT, "?p=r,1,g,2", "?p=r,1,g"),
        ("query", "style: deepObject", OBJECT, "?p[r]=1&p%5Bg%5D=2", "?p[r]=x"),
        ("query", "style: deepObject", OBJECT, "?p[r]=1", "?p[r]=1&p[b]=2"),
        ("query", "style: form", "type: boolean", "?p=true", "?p=yes"),
        ("query", "style: form", "type: number", "?p=-1.5e3", "?p=0x1"),
        ("query", "style: form", "type: integer, nullable: true", "?p=null", "?p=nil"),
        ("query", "style: form", "type: string, pattern: '^a b$'", "?p=a+b", "?p=a%2Bb"),
        (
            "query",
            "style: form",
            "oneOf: [{type: integer, minimum: 10}, {type: string, maxLength: 1}]",
            "?p=5",
            "?p=ab",
        ),
        ("path", "style: simple", LIST, "/3,4", "/3;4"),
        ("path", "style: simple", OBJECT, "/r,1,g,2", "/r,1,b,2"),
        ("path", "style: simple, explode: true", OBJECT, "/r=1,g=2", "/r,1"),
        ("path", "style: label", LIST, "/.3,4", "/3,4"),
        ("path", "style: label, explode: true", LIST, "/.3.4", "/.3.x"),
        ("path", "style: label", "type: integer", "/.3", "/3"),
        ("path", "style: matrix", "type: integer", "/;p=3", "/;q=3"),
        ("path", "style: matrix", LIST, "/;p=3,4", "/p=3,4"),
        ("path", "style: matrix, explode: true", LIST, "/;p=3;p=4", "/;p=3;p=x"),
        ("path", "style: matrix, explode: true", OBJECT, "/;r=1;g=2", "/;r=1;b=2"),
        ("path", "style: simple", "type: string, enum: [a/b]", "/a%2Fb", "/a%2F"),
        ("header", "style: simple", LIST, "3, 4", "3 4"),
        ("header", "style: simple", OBJECT, "r,1,g,2", "g,2"),
        ("header", "style: simple, explode: true", OBJECT, "r=1,g=2", "r=x"),
        ("cookie", "style: form, explode: false", LIST, "p=3,4", "p=3,x"),
        ("cookie", "style: form", "type: integer", "p=3", "p=x"),
    ] {
        let path = if place == "path" { "/{p}" } else { "/" };
        let definition = format!(
            "openapi: 3.0.3\ninfo: {{title: T, version: '1'}}\npaths:\n  {path}:\n    get:\n      parameters: \
             [{{name: p, in: {place}, required: true, {style}, schema: {{{schema}}}}}]\n      responses: {{}}\n"
        );
        let served = serve(&definition, "[{type: validateSpecification}]");
        assert_eq!(served.warnings, [], "{definition}");
        let send = |sent: &str| match place {
            "query" => verdict(&served, &format!("GET /{sent}"), "", ""),
            "path" => verdict(&served, &format!("GET {sent}"), "", ""),
            "header" => verdict(&served, "GET /", &format!("p: {sent}"), ""),
            _ => verdict(&served, "GET /", &format!("cookie: {sent}"), ""),
        };
        assert_eq!(send(good), "passes", "{place} {style} {schema} {good}");
        assert!(send(bad).starts_with("400 "), "{place} {style} {schema} {bad}: {}", send(bad));
    }
}

#[test]
fn parameters_of_openapi_2_and_json_in_parameters() {
    let served = serve(
        "swagger: '2.0'\ninfo: {title: T, version: '1'}\npaths:\n  /:\n    post:\n      parameters:\n      - {name: c, in: \
         query, type: array, items: {type: integer}}\n      - {name: m, in: query, type: array, collectionFormat: multi, \
         items: {type: integer}}\n      - {name: t, in: query, type: array, collectionFormat: tsv, items: {type: integer}}\n\
         \x20     - {name: f, in: formData, required: true, type: integer}\n      responses: {}\n",
        "[{type: validateSpecification}]",
    );
    let form = "content-type: application/x-www-form-urlencoded";
    for (line, body, passes) in [
        ("POST /?c=1,2&m=3&m=4&t=5%096", "f=1", true),
        ("POST /?c=1&c=2", "f=1", false),
        ("POST /?m=x", "f=1", false),
        ("POST /", "f=x", false),
        ("POST /", "g=1", false),
    ] {
        assert_eq!(verdict(&served, line, form, body) == "passes", passes, "{line} {body}");
    }
    let json = serve(
        "openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths:\n  /:\n    get:\n      parameters:\n      - {name: q, in: \
         query, content: {application/json: {schema: {type: object, required: [a]}}}}\n      responses: {}\n",
        "[{type: validateSpecification}]",
    );
    assert_eq!(verdict(&json, "GET /?q=%7B%22a%22:1%7D", "", ""), "passes");
    assert_eq!(verdict(&json, "GET /?q=%7B%7D", "", ""), "400 request_does_not_match; query.q/a is required");
    assert_eq!(verdict(&json, "GET /?q=a", "", ""), "400 request_does_not_match; query.q expected JSON");
}

/// A definition with as many operations, whose schemas share a few hundred components.
fn large(operations: usize) -> String {
    let mut text = String::from("openapi: 3.0.3\ninfo: {title: T, version: '1'}\npaths:\n");
    for n in 0..operations {
        let _ = write!(
            text,
            "  /r{n}/{{id}}:\n    post:\n      operationId: o{n}\n      parameters:\n      - {{name: id, in: path, required: \
             true, schema: {{type: integer}}}}\n      - {{name: page, in: query, schema: {{type: integer, maximum: 100}}}}\n\
             \x20     requestBody: {{content: {{application/json: {{schema: {{$ref: '#/components/schemas/S{0}'}}}}}}}}\n\
             \x20     responses:\n        '200': {{description: ok, content: {{application/json: {{schema: {{$ref: \
             '#/components/schemas/S{1}'}}}}}}}}\n",
            n % 300,
            (n + 7) % 300
        );
    }
    text.push_str("components:\n  schemas:\n");
    for n in 0..300 {
        let _ = writeln!(text, "    S{n}:\n      type: object\n      required: [f0]\n      properties:");
        for field in 0..20 {
            let description = "What the field is for, in as many words as such definitions have. ".repeat(3);
            let _ = writeln!(
                text,
                "        f{field}: {{type: string, maxLength: 99, nullable: true, description: '{description}'}}"
            );
        }
        for link in 1..6 {
            let _ =
                writeln!(text, "        l{link}: {{$ref: '#/components/schemas/S{}'}}", (n * link + 1) % 300);
        }
    }
    text
}

#[test]
fn a_large_definition_compiles_and_shares_its_schemas() {
    let definition = large(1000);
    let start = Instant::now();
    let served = serve(&definition, "[{type: validateSpecification, config: {response: true}}]");
    let compiled = start.elapsed();
    let plain = Instant::now();
    serve(&definition, "[]");
    let plain = plain.elapsed();
    let start = Instant::now();
    for n in 0..1000 {
        let line = format!("POST /r{n}/7");
        let body = "{\"f0\": \"a\", \"l1\": {\"f0\": \"b\", \"l2\": {\"f0\": \"c\"}}}";
        assert_eq!(verdict(&served, &line, "content-type: application/json", body), "passes");
    }
    let first = start.elapsed();
    let start = Instant::now();
    for n in 0..1000 {
        let mut exchange =
            served.exchange(&format!("POST /r{n}/7"), "content-type: application/json", "{\"f0\": 1}");
        assert!(!matches!(served.request(&mut exchange), Ok(Outcome::Passed)));
    }
    println!(
        "1,000 operations, {} KiB: {compiled:?} with the policy, {plain:?} without; first 1,000 requests {first:?}, next {:?}",
        definition.len() / 1024,
        start.elapsed()
    );
}
