use super::{names, parameters, paths, read, warnings};

#[track_caller]
fn check(text: &str, operations: &[&str], expect: &[&str]) {
    let definition = paths(text);
    assert_eq!(names(&definition), operations, "{text}");
    assert_eq!(warnings(&definition), expect, "{text}");
}

#[test]
fn odd_paths_are_mended_or_left_out() {
    let cut = "a path has no query string or fragment; the operations are those of the path before it";
    check(
        "pets: {get: {}}",
        &["GET /pets GET /pets"],
        &["paths.pets: a path starts with `/`; one is put before it"],
    );
    check("/a?x=y: {get: {}}", &["GET /a GET /a"], &[&format!("paths./a?x=y: {cut}")]);
    check("/a#b: {get: {}}", &["GET /a GET /a"], &[&format!("paths./a#b: {cut}")]);
    check(
        "https://a.b/c: {get: {}}",
        &[],
        &["paths.https://a.b/c: a path starts with `/`, this is a URL; the path is left out"],
    );
    let braces = "the braces in the path do not fit together; the path is left out";
    for path in ["/{a", "/a}", "/{a{b}}", "/{a/b}", "/}{"] {
        check(&format!("'{path}': {{get: {{}}}}"), &[], &[&format!("paths.{path}: {braces}")]);
    }
    check("'/{}': {get: {}}", &[], &["paths./{}: the path has braces without a name; the path is left out"]);
    check(
        "/a: null\n/b: {get: {}}",
        &["GET /b GET /b"],
        &["paths./a: expected a mapping of methods to operations; the path is left out"],
    );
    check("x-note: {get: {}}\n/b: {x-note: 1, get: {x-note: 2}}", &["GET /b GET /b"], &[]);
}

#[test]
fn templates_side_by_side_or_twice_are_warned_of() {
    let definition = paths("'/{a}{b}': {get: {parameters: [{name: a, in: path}, {name: b, in: path}]}}");
    assert_eq!(definition.api.operations[0].path, "/{a}{b}");
    assert_eq!(
        warnings(&definition),
        ["paths./{a}{b}: two templates side by side: where one ends and the other starts is not clear"]
    );
    let definition = paths("'/{a}/{a}': {get: {parameters: [{name: a, in: path}]}}");
    assert_eq!(warnings(&definition), ["paths./{a}/{a}: the path has two templates of the same name"]);
}

#[test]
fn of_paths_for_the_same_requests_the_first_counts() {
    check(
        "/a: {get: {operationId: one}}\n/a?x=1: {get: {operationId: two}, put: {}}",
        &["GET /a one", "PUT /a PUT /a"],
        &[
            "paths./a?x=1: a path has no query string or fragment; the operations are those of the path before it",
            "paths./a?x=1.get: another path has GET for the same requests; this one is left out",
        ],
    );
    let id = |name: &str| format!("parameters: [{{name: {name}, in: path}}]");
    check(
        &format!("'/a/{{x}}': {{{}, get: {{}}}}\n'/a/{{y}}': {{{}, get: {{}}, put: {{}}}}", id("x"), id("y")),
        &["GET /a/{x} GET /a/{x}", "PUT /a/{y} PUT /a/{y}"],
        &[
            "paths./a/{y}: the path differs from `/a/{x}` only in the names of its templates",
            "paths./a/{y}.get: another path has GET for the same requests; this one is left out",
        ],
    );
}

#[test]
fn path_parameters_are_those_of_the_template() {
    let definition = paths("'/a/{x}': {get: {parameters: [{name: y, in: path, schema: {}}]}}");
    assert_eq!(parameters(&definition.api.operations[0]), ["path x! -"]);
    assert_eq!(
        warnings(&definition),
        [
            "paths./a/{x}.get.parameters: the path has no template for the parameter `y`; it is left out",
            "paths./a/{x}.get.parameters: the parameter `x` of the path is not declared",
        ]
    );
}

#[test]
fn odd_keys_of_a_path_are_left_out() {
    check(
        "/a: {GET: {}, fetch: {}, get: {}}",
        &["GET /a GET /a"],
        &[
            "paths./a.GET: methods are written in small letters",
            "paths./a.fetch: `fetch` is no method; it is left out",
            "paths./a.get: another path has GET for the same requests; this one is left out",
        ],
    );
    check(
        "/a: {get: null, put: 3}",
        &[],
        &[
            "paths./a.get: expected a mapping that describes the operation; it is left out",
            "paths./a.put: expected a mapping that describes the operation; it is left out",
        ],
    );
}

#[test]
fn names_of_operations_are_made_unique() {
    check(
        "/a: {get: {operationId: x}, put: {operationId: x_2}, post: {operationId: x}, patch: {operationId: x}}",
        &["GET /a x", "PUT /a x_2", "POST /a x_3", "PATCH /a x_4"],
        &[
            "paths./a.post.operationId: the operationId `x` is taken; the operation is named `x_3`",
            "paths./a.patch.operationId: the operationId `x` is taken; the operation is named `x_4`",
        ],
    );
    check(
        "/a: {get: {operationId: 12}, put: {operationId: ''}, post: {operationId: null}, head: {operationId: [x]}}",
        &["GET /a 12", "PUT /a PUT /a", "POST /a POST /a", "HEAD /a HEAD /a"],
        &[],
    );
}

#[test]
fn tags_that_are_no_text() {
    let definition = paths("/a: {get: {tags: [1, true, null, {name: x}, ok]}, put: {tags: text}}");
    assert_eq!(definition.api.operations[0].tags, ["1", "true", "ok"]);
    let tags = "paths./a.get.tags";
    assert_eq!(
        warnings(&definition),
        [
            format!("{tags}[0]: a tag is a text; this one is read as if it were in quotes"),
            format!("{tags}[1]: a tag is a text; this one is read as if it were in quotes"),
            format!("{tags}[2]: a tag is a text; this one is left out"),
            format!("{tags}[3]: a tag is a text; this one is left out"),
            "paths./a.put.tags: expected a list, found a text; it is left out".to_owned(),
        ]
    );
}

#[test]
fn odd_parts_of_an_operation_are_left_out() {
    let definition = paths(
        "/a:
  parameters: {x: 1}
  post:
    parameters:
    - null
    - {name: a}
    - {name: 5, in: query}
    - {name: b, in: body}
    - {name: Authorization, in: header}
    - {$ref: 7}
    - {$ref: '#/nowhere'}
    - {$ref: '#anchor'}
    requestBody: {content: {json: {}, a/b: null}}
    responses:
      200: null
      20: {}
      600: {}
      ok: {}
      x-note: {}
      '2xx': text
      DEFAULT: {content: []}",
    );
    let operation = &definition.api.operations[0];
    assert_eq!(parameters(operation), ["query 5 -"]);
    let statuses: Vec<_> = operation.responses.iter().map(|r| r.status.as_str()).collect();
    assert_eq!(statuses, ["200", "2XX", "default"]);
    let at = "paths./a.post";
    let status = "expected a status such as `200`, `4XX` or `default`; the response is left out";
    assert_eq!(
        warnings(&definition),
        [
            "paths./a.parameters: expected a list, found a mapping; it is left out".to_owned(),
            format!("{at}.parameters[0]: a parameter needs `name` and `in`; it is left out"),
            format!("{at}.parameters[1]: a parameter needs `name` and `in`; it is left out"),
            format!(
                "{at}.parameters[3].in: expected `path`, `query`, `header` or `cookie`, found `body`; the parameter is left out"
            ),
            format!("{at}.parameters[5].$ref: expected a text, found a number; it is left out"),
            format!(
                "{at}.parameters[6]: `#/nowhere` leads nowhere: there is nothing at that path; it is left out"
            ),
            format!(
                "{at}.parameters[7]: `#anchor` leads nowhere: only references by path (`#/a/b`) are followed; it is left out"
            ),
            format!(
                "{at}.requestBody.content.json: expected a media type such as `application/json`; it is left out"
            ),
            format!("{at}.responses.200: the response is empty"),
            format!("{at}.responses.20: {status}"),
            format!("{at}.responses.600: {status}"),
            format!("{at}.responses.ok: {status}"),
            format!("{at}.responses.DEFAULT.content: expected a mapping, found a list; it is left out"),
        ]
    );
}

#[test]
fn what_is_missing_gets_a_default() {
    let title = "info.title: the title is missing; `Untitled` is used";
    let version = "info.version: the version is missing; `1.0` is used";
    let table = [
        ("", ("Untitled", "1.0"), vec![title, version]),
        ("info: null\n", ("Untitled", "1.0"), vec![title, version]),
        ("info: text\n", ("Untitled", "1.0"), vec![title, version]),
        ("info: {title: '', version: ' '}\n", ("Untitled", "1.0"), vec![title, version]),
        ("info: {title: 12, version: 1.0}\n", ("12", "1.0"), vec![]),
        ("info: {title: T, version: 2024-02-30}\n", ("T", "2024-02-30"), vec![]),
        ("info: {title: T, version: 0x10}\n", ("T", "0x10"), vec![]),
        ("info: {title: T, version: 1_0}\n", ("T", "1_0"), vec![]),
        ("info: {title: true, version: 1e3}\n", ("true", "1e3"), vec![]),
    ];
    for (info, (title, version), expect) in table {
        let definition = read(&format!("openapi: 3.0.0\n{info}paths: {{}}\n"));
        assert_eq!(
            (definition.api.title.as_str(), definition.api.version.as_str()),
            (title, version),
            "{info}"
        );
        assert_eq!(warnings(&definition), expect, "{info}");
    }
    let json = read("{\"openapi\": 3.0, \"info\": {\"title\": \"T\", \"version\": 1.10}, \"paths\": {}}");
    assert_eq!(json.api.version, "1.10");
}

#[test]
fn null_and_impossible_values_do_not_matter() {
    let nothing = "paths: the definition has no paths, so the API has no operations";
    for paths in ["paths: null", "paths:"] {
        let definition = read(&format!("openapi: 3.0.0\ninfo: {{title: T, version: '1'}}\n{paths}\n"));
        assert_eq!(warnings(&definition), [nothing], "{paths}");
    }
    let definition = read("openapi: 3.0.0\ninfo: {title: T, version: '1'}\npaths: []\n");
    assert_eq!(warnings(&definition), ["paths: expected a mapping, found a list; it is left out"]);
    check(
        "/a:
  parameters: null
  servers: null
  get:
    parameters: null
    requestBody: null
    responses: null
    tags: null
    security: null
    summary: null
    x-null: null
    externalDocs: null",
        &["GET /a GET /a"],
        &[],
    );
    check(
        "/a:
  get:
    responses:
      200:
        content:
          a/b:
            example: {created: 2023-02-30, 'key with spaces': yes, $ref: 'nowhere.yaml'}
            examples: {one two: {value: {$ref: 12}}}
            schema: {default: {$ref: gone.yaml}, enum: [{$ref: gone.yaml}], const: {$ref: gone.yaml}}",
        &["GET /a GET /a"],
        &[],
    );
}

#[test]
fn oddities_of_the_text_are_passed_on() {
    let definition =
        read("openapi: 3.0.0\ninfo: {title: T, version: '1'}\npaths:\n  /a: {get: {}}\n  /a: {put: {}}\n");
    assert_eq!(names(&definition), ["PUT /a PUT /a"]);
    assert_eq!(warnings(&definition), ["paths./a: the key is given more than once; the last one counts"]);
    assert_eq!(definition.warnings[0].line, Some(5));
}
