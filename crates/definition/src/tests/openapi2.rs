use super::{bodies, parameters, read, warnings};

const HEAD: &str = "swagger: '2.0'\ninfo: {title: T, version: '1'}\n";

#[test]
fn bodies_have_the_media_types_consumed() {
    let definition = read(&format!(
        "{HEAD}consumes: [application/json]
produces: [application/json, text/xml]
paths:
  /a/{{id}}:
    parameters:
    - {{name: id, in: path, required: true, type: string}}
    post:
      parameters:
      - {{name: pet, in: body, required: true, schema: {{$ref: '#/definitions/Pet'}}}}
      - $ref: '#/parameters/Limit'
      responses:
        201: {{description: x, schema: {{type: array}}}}
        404: {{description: x}}
        default: {{$ref: '#/responses/Error'}}
    put:
      consumes: [text/plain, text/csv]
      produces: []
      parameters: [{{name: pet, in: body, schema: {{}}}}]
      responses: {{200: {{schema: {{}}}}}}
parameters:
  Limit: {{name: limit, in: query, type: integer}}
responses:
  Error: {{description: x, schema: {{$ref: '#/definitions/Pet'}}}}
definitions:
  Pet: {{type: object}}
"
    ));
    assert_eq!(warnings(&definition), [""; 0]);
    let [post, put] = &definition.api.operations[..] else { panic!("two operations expected") };
    assert_eq!(
        parameters(post),
        ["query limit #/parameters/Limit", "path id! #/paths/~1a~1{id}/parameters/0"],
        "the parameter is its own schema"
    );
    assert!(post.request_body_required && !put.request_body_required);
    assert_eq!(bodies(&post.request_bodies), ["application/json #/definitions/Pet"]);
    let at = "#/paths/~1a~1{id}";
    assert_eq!(
        bodies(&post.responses[0].bodies),
        [
            format!("application/json {at}/post/responses/201/schema"),
            format!("text/xml {at}/post/responses/201/schema")
        ]
    );
    assert_eq!(bodies(&post.responses[1].bodies), [""; 0]);
    assert_eq!(
        bodies(&post.responses[2].bodies),
        ["application/json #/definitions/Pet", "text/xml #/definitions/Pet"]
    );
    assert_eq!(
        bodies(&put.request_bodies),
        [
            format!("text/plain {at}/put/parameters/0/schema"),
            format!("text/csv {at}/put/parameters/0/schema")
        ]
    );
    assert_eq!(bodies(&put.responses[0].bodies), [format!("*/* {at}/put/responses/200/schema")]);
}

#[test]
fn form_fields_are_parameters_and_a_body() {
    let table = [
        ("", "type: string", "application/x-www-form-urlencoded -"),
        ("", "type: file", "multipart/form-data -"),
        ("consumes: [application/json, multipart/form-data], ", "type: string", "multipart/form-data -"),
        ("consumes: [application/json], ", "type: string", "application/x-www-form-urlencoded -"),
    ];
    for (consumes, kind, body) in table {
        let definition = read(&format!(
            "{HEAD}paths: {{/a: {{post: {{{consumes}parameters: [{{name: f, in: formData, required: true, {kind}}}]}}}}}}"
        ));
        let operation = &definition.api.operations[0];
        assert_eq!(parameters(operation), ["form f! #/paths/~1a/post/parameters/0"]);
        assert_eq!(bodies(&operation.request_bodies), [body], "{consumes} {kind}");
        assert!(operation.request_body_required);
    }
}

#[test]
fn servers_are_made_of_schemes_host_and_base_path() {
    let missing = "schemes: the schemes are missing; `https` is used";
    let table = [
        ("host: a.b\nbasePath: /v1\nschemes: [https, http]", vec!["https://a.b/v1", "http://a.b/v1"], vec![]),
        ("host: a.b:8080", vec!["https://a.b:8080"], vec![missing]),
        (
            "host: a.b\nschemes: [wss]",
            vec!["https://a.b"],
            vec!["schemes[0]: expected `http` or `https`; it is left out", missing],
        ),
        ("basePath: v1", vec!["/v1"], vec!["basePath: the base path starts with `/`; one is put before it"]),
        (
            "host: http://a.b/\nschemes: [HTTP]",
            vec!["http://a.b"],
            vec!["host: the host is a URL; only the host in it is used"],
        ),
        ("host: null", vec![], vec![]),
    ];
    for (text, servers, expect) in table {
        let definition = read(&format!("{HEAD}{text}\npaths: {{}}\n"));
        assert_eq!(definition.api.servers, servers, "{text}");
        assert_eq!(warnings(&definition), expect, "{text}");
    }
}

#[test]
fn a_definition_fetched_by_http_is_served_by_http() {
    let text = format!("{HEAD}host: a.b\npaths: {{}}\n");
    let definition =
        crate::import("http://a.b/swagger.json", text.as_bytes(), &crate::NoLoader).expect("it is read");
    assert_eq!(definition.api.servers, ["http://a.b"]);
}

#[test]
fn security_definitions_and_slips_are_read() {
    let definition = read(&format!(
        "{HEAD}consumes: text/plain
security: [{{basic: []}}]
securityDefinitions:
  basic: {{type: basic}}
  key: {{type: apiKey, in: query, name: k}}
paths:
  /a:
    post:
      parameters:
      - {{name: b, in: body}}
      - {{name: c, in: cookie, type: string}}
      - {{in: query}}
      - {{name: b2, in: body, schema: {{}}}}
"
    ));
    assert_eq!(definition.security_schemes.len(), 2);
    let operation = &definition.api.operations[0];
    assert_eq!(operation.security.as_ref().map(Vec::len), Some(1));
    assert_eq!(bodies(&operation.request_bodies), ["text/plain -"], "of two bodies the first counts");
    let at = "paths./a.post.parameters";
    assert_eq!(
        warnings(&definition),
        [
            format!("{at}[0]: the body has no schema"),
            format!(
                "{at}[1].in: expected `path`, `query`, `header`, `formData` or `body`, found `cookie`; the parameter is left out"
            ),
            format!("{at}[2]: a parameter needs `name` and `in`; it is left out"),
        ]
    );
}

#[test]
fn lists_examples_and_headers_are_found() {
    use model::api::ParameterStyle::{Form, PipeDelimited, Simple, SpaceDelimited};
    for (parameter, style, explode) in [
        ("in: query", Form, false),
        ("in: query, collectionFormat: multi", Form, true),
        ("in: query, collectionFormat: ssv", SpaceDelimited, false),
        ("in: header, collectionFormat: pipes", PipeDelimited, false),
        ("in: header, collectionFormat: multi", Simple, false),
    ] {
        let definition = read(&format!(
            "swagger: '2.0'\ninfo: {{title: T, version: '1'}}\npaths:\n  /:\n    get:\n      parameters: [{{name: p, {parameter}, \
             type: array}}]\n      responses:\n        '200': {{headers: {{X-A: {{type: integer}}}}, examples: {{a/b: {{x: 7}}}}}}\n"
        ));
        let operation = &definition.api.operations[0];
        assert_eq!(
            (operation.parameters[0].style, operation.parameters[0].explode),
            (style, explode),
            "{parameter}"
        );
        let (documents, response) = (definition.api.sources.read(), &operation.responses[0]);
        let example = response.bodies[0].example.as_deref().unwrap();
        assert_eq!(documents.at(example).unwrap().value["x"], 7);
        assert_eq!(
            documents.at(response.headers[0].schema.as_deref().unwrap()).unwrap().value["type"],
            "integer"
        );
    }
}
