use model::api::{ParameterLocation, SecurityRequirement};

use crate::{SecuritySchemeKind, Tag};

use super::{bodies, names, only, parameters, paths, read, warnings};

#[test]
fn what_an_operation_says_is_kept() {
    let operation = only(
        "/pets/{id}:
  get:
    operationId: showPet
    summary: One pet
    deprecated: true
    tags: [pets, animals]
    parameters:
    - {name: id, in: path, required: true, schema: {type: string}}
    - {name: limit, in: query, content: {application/json: {schema: {type: integer}}}}
    - {name: X-Trace, in: header, required: true}
    - {name: session, in: cookie, schema: {}}
    requestBody:
      required: true
      content:
        application/json: {schema: {type: object}}
        text/*: {}
    responses:
      200:
        content:
          application/json: {schema: {type: object}}
      4xx: {description: no body}
      default: {content: {}}",
    );
    assert_eq!(operation.name, "showPet");
    assert_eq!((operation.method.as_str(), operation.path.as_str()), ("GET", "/pets/{id}"));
    assert_eq!(operation.summary.as_deref(), Some("One pet"));
    assert!(operation.deprecated && operation.request_body_required);
    assert_eq!(operation.tags, ["pets", "animals"]);
    let at = "#/paths/~1pets~1{id}/get";
    assert_eq!(
        parameters(&operation),
        [
            format!("path id! {at}/parameters/0/schema"),
            format!("query limit {at}/parameters/1/content/application~1json/schema"),
            "header X-Trace! -".to_owned(),
            format!("cookie session {at}/parameters/3/schema"),
        ]
    );
    assert_eq!(
        bodies(&operation.request_bodies),
        [
            format!("application/json {at}/requestBody/content/application~1json/schema"),
            "text/* -".to_owned()
        ]
    );
    let statuses: Vec<_> = operation.responses.iter().map(|r| r.status.as_str()).collect();
    assert_eq!(statuses, ["200", "4XX", "default"]);
    assert_eq!(
        bodies(&operation.responses[0].bodies),
        [format!("application/json {at}/responses/200/content/application~1json/schema")]
    );
    assert_eq!(operation.security, None);
}

#[test]
fn every_method_is_imported() {
    let methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"];
    let text: String = methods.iter().map(|method| format!("  {method}: {{}}\n")).collect();
    let definition = paths(&format!("/a:\n{text}  additionalOperations:\n    COPY: {{}}\n    'a b': {{}}\n"));
    let expect: Vec<_> = methods.iter().map(|m| m.to_uppercase()).chain(["COPY".to_owned()]).collect();
    let found: Vec<_> = definition.api.operations.iter().map(|o| o.method.clone()).collect();
    assert_eq!(found, expect);
    assert_eq!(names(&definition)[0], "GET /a GET /a");
    assert_eq!(
        warnings(&definition),
        ["paths./a.additionalOperations.a b: the key is no HTTP method; it is left out"]
    );
}

#[test]
fn parameters_of_the_path_stand_behind_those_of_the_operation() {
    let operation = only(
        "/a/{id}:
  parameters:
  - {name: id, in: path, required: true, schema: {type: string}}
  - {name: q, in: query, schema: {type: string}}
  - {name: q, in: header}
  get:
    parameters:
    - {name: q, in: query, required: true, schema: {type: integer}}",
    );
    assert_eq!(
        parameters(&operation),
        [
            "query q! #/paths/~1a~1{id}/get/parameters/0/schema",
            "path id! #/paths/~1a~1{id}/parameters/0/schema",
            "header q -",
        ]
    );
}

#[test]
fn references_are_followed() {
    let definition = read(
        "openapi: 3.0.0
info: {title: T, version: '1'}
paths:
  /a: {$ref: '#/components/pathItems/A'}
  /b~c/{x}:
    get:
      parameters:
      - $ref: '#/components/parameters/First'
      - $ref: '#/paths/~1b~0c~1%7Bx%7D/post/parameters/0'
      responses: {200: {$ref: '#/components/responses/Ok'}}
    post:
      parameters: [{name: x, in: path, required: true, schema: {$ref: '#/components/schemas/Alias'}}]
      requestBody: {$ref: '#/components/requestBodies/In'}
components:
  pathItems:
    A: {get: {operationId: a}}
  parameters:
    First: {$ref: '#/components/parameters/Second'}
    Second: {name: p, in: query, schema: {$ref: '#/components/schemas/100%'}}
  requestBodies:
    In: {required: true, content: {a/b: {schema: {$ref: '#/components/schemas/Pet', nullable: true}}}}
  responses:
    Ok: {content: {a/b: {schema: {$ref: '#/components/schemas/Alias'}}}}
  schemas:
    Alias: {$ref: '#/components/schemas/Pet'}
    Pet: {type: object}
    100%: {type: integer}
",
    );
    assert_eq!(warnings(&definition), [""; 0]);
    assert_eq!(names(&definition), ["GET /a a", "GET /b~c/{x} GET /b~c/{x}", "POST /b~c/{x} POST /b~c/{x}"]);
    let get = &definition.api.operations[1];
    assert_eq!(
        parameters(get),
        ["query p #/components/schemas/100%", "path x! #/components/schemas/Pet"],
        "chains end at what is no reference any more"
    );
    assert_eq!(bodies(&get.responses[0].bodies), ["a/b #/components/schemas/Pet"]);
    let post = &definition.api.operations[2];
    assert!(post.request_body_required);
    assert_eq!(
        bodies(&post.request_bodies),
        ["a/b #/components/requestBodies/In/content/a~1b/schema"],
        "a reference with more beside it is a schema of its own"
    );
}

#[test]
fn own_methods_come_before_those_of_a_referenced_path() {
    let definition = paths(
        "/a:
  $ref: '#/paths/~1b'
  get: {operationId: own}
/b:
  get: {operationId: other}
  put: {operationId: put}",
    );
    assert_eq!(names(&definition), ["GET /a own", "PUT /a put", "GET /b other", "PUT /b put_2"]);
}

#[test]
fn security_is_that_of_the_operation_else_of_the_definition() {
    let definition = read(
        "openapi: 3.0.0
info: {title: T, version: '1'}
security: [{key: []}, {x-oauth: [read, write], key: []}]
paths:
  /inherited: {get: {}}
  /own: {get: {security: [{x-oauth: [admin]}]}}
  /optional: {get: {security: [{}, {key: []}]}}
  /open: {get: {security: []}}
  /null: {get: {security: null}}
components:
  securitySchemes:
    key: {type: apiKey, in: header, name: X-Key}
    x-oauth: {type: oauth2, flows: {}}
",
    );
    assert_eq!(warnings(&definition), [""; 0]);
    let requirement = |scheme: &str, scopes: &[&str]| SecurityRequirement {
        scheme: scheme.to_owned(),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
    };
    let key = requirement("key", &[]);
    let inherited = vec![vec![key.clone()], vec![requirement("x-oauth", &["read", "write"]), key.clone()]];
    let expect = [
        Some(inherited.clone()),
        Some(vec![vec![requirement("x-oauth", &["admin"])]]),
        Some(vec![vec![], vec![key]]),
        Some(vec![]),
        Some(inherited),
    ];
    for (operation, expect) in definition.api.operations.iter().zip(expect) {
        assert_eq!(operation.security, expect, "{}", operation.path);
    }
}

#[test]
fn malformed_security_never_opens_an_operation() {
    let table = [
        ("{key: []}", Some(1)),
        ("[key]", Some(1)),
        ("[3]", Some(2)),
        ("key", Some(2)),
        ("[{key: null}]", Some(1)),
        ("[{key: text}]", Some(1)),
        ("[{unknown: []}]", Some(1)),
    ];
    for (security, expect) in table {
        let definition = read(&format!(
            "openapi: 3.0.0\ninfo: {{title: T, version: '1'}}\nsecurity: [{{key: []}}, {{key: [a]}}]\n\
             paths: {{/a: {{get: {{security: {security}}}}}}}\n\
             components: {{securitySchemes: {{key: {{type: http, scheme: Bearer}}}}}}"
        ));
        let found = definition.api.operations[0].security.as_ref().map(Vec::len);
        assert_eq!(found, expect, "{security}");
        if security != "[{key: null}]" {
            assert_eq!(definition.warnings.len(), 1, "{security}: {:?}", warnings(&definition));
        }
    }
}

#[test]
fn security_schemes_are_known_by_kind() {
    let definition = read(
        "openapi: 3.1.0
info: {title: T, version: '1'}
components:
  securitySchemes:
    a: {type: apiKey, in: cookie, name: sid}
    b: {type: http, scheme: Basic}
    c: {type: oauth2}
    d: {type: openIdConnect, openIdConnectUrl: 'https://id.example.com'}
    e: {type: mutualTLS}
    f: {$ref: '#/components/securitySchemes/b'}
    g: {type: magic}
    h: {type: apiKey, in: body, name: x}
    i: {}
    j: 3
",
    );
    let kinds: Vec<_> =
        definition.security_schemes.iter().map(|s| (s.name.as_str(), s.kind.clone())).collect();
    let basic = SecuritySchemeKind::Http { scheme: "basic".to_owned() };
    assert_eq!(
        kinds,
        [
            ("a", SecuritySchemeKind::ApiKey { location: ParameterLocation::Cookie, name: "sid".to_owned() }),
            ("b", basic.clone()),
            ("c", SecuritySchemeKind::OAuth2),
            ("d", SecuritySchemeKind::OpenIdConnect { url: "https://id.example.com".to_owned() }),
            ("e", SecuritySchemeKind::MutualTls),
            ("f", basic),
        ]
    );
    let at = "components.securitySchemes";
    assert_eq!(
        warnings(&definition),
        [
            format!("{at}.g: the type `magic` is not known; the security scheme is left out"),
            format!(
                "{at}.h: an API key is in `header`, `query` or `cookie`, not in `body`; the security scheme is left out"
            ),
            format!("{at}.i: `type` is missing; the security scheme is left out"),
            format!("{at}.j: `type` is missing; the security scheme is left out"),
            "paths: the definition has no paths, so the API has no operations".to_owned(),
        ]
    );
}

#[test]
fn servers_have_their_variables_filled_in() {
    let table = [
        ("[{url: 'https://a.example.com/v1'}, {url: /v2}]", vec!["https://a.example.com/v1", "/v2"], 0),
        (
            "[{url: 'https://{h}:{p}/', variables: {h: {default: x.y}, p: {default: 8443}}}]",
            vec!["https://x.y:8443/"],
            0,
        ),
        ("[{url: 'https://{h}a.b', variables: {h: {default: ''}}}]", vec!["https://a.b"], 0),
        ("[{url: 'https://{h}', variables: {h: {enum: [x, y]}}}]", vec!["https://x"], 1),
        ("[{url: 'https://{h}'}, {url: /}]", vec!["/"], 1),
        ("[{url: 'https://{h'}]", vec![], 1),
        ("[{description: x}, null, 3]", vec![], 3),
        ("['https://a']", vec!["https://a"], 0),
        ("{url: /}", vec![], 1),
        ("null", vec![], 0),
        ("[]", vec![], 0),
    ];
    for (servers, expect, odd) in table {
        let definition = read(&format!(
            "openapi: 3.0.0\ninfo: {{title: T, version: '1'}}\npaths: {{}}\nservers: {servers}"
        ));
        assert_eq!(definition.api.servers, expect, "{servers}");
        assert_eq!(definition.warnings.len(), odd, "{servers}: {:?}", warnings(&definition));
    }
}

#[test]
fn servers_of_paths_and_operations_are_warned_of() {
    let definition =
        paths("/a:\n  servers: [{url: /x}]\n  get:\n    servers: [{url: /y}]\n  put: {servers: []}");
    let message = "servers of a path or an operation are not used; the API's are";
    assert_eq!(
        warnings(&definition),
        [format!("paths./a.servers: {message}"), format!("paths./a.get.servers: {message}")]
    );
}

#[test]
fn title_version_description_and_tags_are_kept() {
    let definition = read(
        "openapi: 3.0.0
info: {title: Pets, version: 1.10, description: All about pets}
tags: [{name: pets, description: The pets}, {name: 3}, plain, {description: x}]
paths: {}
webhooks: {a: {}}
",
    );
    assert_eq!((definition.api.title.as_str(), definition.api.version.as_str()), ("Pets", "1.10"));
    assert_eq!(definition.description.as_deref(), Some("All about pets"));
    let tag = |name: &str, description: Option<&str>| Tag {
        name: name.to_owned(),
        description: description.map(str::to_owned),
    };
    assert_eq!(definition.tags, [tag("pets", Some("The pets")), tag("3", None), tag("plain", None)]);
    assert_eq!(
        warnings(&definition),
        [
            "tags[3]: a tag needs a name; it is left out",
            "webhooks: webhooks are calls that the API makes; they are not imported",
        ]
    );
}

#[test]
fn parameters_say_how_they_are_written() {
    use model::api::ParameterStyle::{self, DeepObject, Form, Json, Label, Opaque, PipeDelimited, Simple};
    for (parameter, style, explode) in [
        ("in: query", Form, true),
        ("in: cookie", Form, true),
        ("in: path", Simple, false),
        ("in: header", Simple, false),
        ("in: query, explode: false", Form, false),
        ("in: query, style: deepObject", DeepObject, false),
        ("in: query, style: pipeDelimited, explode: true", PipeDelimited, true),
        ("in: path, style: label", Label, false),
        ("in: query, content: {application/json: {schema: {}}}", Json, true),
        ("in: query, content: {text/csv: {schema: {}}}", Opaque, true),
    ] {
        let text = format!("/{{p}}:\n  get:\n    parameters: [{{name: p, {parameter}}}]\n");
        let found = &paths(&text).api.operations[0].parameters[0];
        assert_eq!((found.style, found.explode), (style, explode), "{parameter}");
    }
    let odd = paths("/:\n  get:\n    parameters: [{name: p, in: query, style: loud}]\n");
    assert_eq!(odd.api.operations[0].parameters[0].style, ParameterStyle::Form);
    assert!(warnings(&odd)[0].contains("style"), "{:?}", odd.warnings);
}

#[test]
fn examples_and_headers_of_responses_are_found() {
    let definition = read(
        "openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths:\n  /:\n    get:\n      responses:\n        '200':\n          \
         headers: {X-A: {required: true, schema: {type: integer}}, Content-Type: {}}\n          content:\n            \
         a/b: {example: {x: 7}}\n            c/d: {examples: {one: {$ref: '#/components/examples/One'}}}\n            \
         e/f: {schema: {}}\ncomponents: {examples: {One: {value: 8}}}\n",
    );
    let response = &definition.api.operations[0].responses[0];
    let documents = definition.api.sources.read();
    let examples = response
        .bodies
        .iter()
        .map(|b| b.example.as_deref().map(|at| documents.at(at).unwrap().value.clone()));
    let expect = [Some(serde_json::json!({"x": 7})), Some(8.into()), None];
    assert_eq!(examples.collect::<Vec<_>>(), expect);
    assert_eq!(response.headers.len(), 1);
    assert_eq!((response.headers[0].name.as_str(), response.headers[0].required), ("X-A", true));
    let schema = documents.at(response.headers[0].schema.as_deref().unwrap()).unwrap();
    assert_eq!(schema.value["type"], "integer");
}

#[test]
fn where_callback_urls_come_from_is_kept_as_it_is_written() {
    let definition = read(
        "openapi: 3.0.3
info: {title: T, version: '1'}
paths:
  /subscriptions:
    post:
      callbacks:
        done:
          '{$request.body#/callbackUrl}/done': {post: {responses: {'200': {description: ok}}}}
          x-note: {}
        failed: {$ref: '#/components/callbacks/failed'}
        gone: {$ref: '#/components/callbacks/none'}
        odd: 1
      responses: {'202': {description: ok}}
components:
  callbacks:
    failed: {'$request.query.failed': {post: {responses: {'200': {description: ok}}}}}
",
    );
    assert_eq!(
        definition.api.operations[0].callbacks,
        ["{$request.body#/callbackUrl}/done", "$request.query.failed"]
    );
    let told = warnings(&definition);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|warning| warning.contains("callbacks")), "{told:?}");
}
