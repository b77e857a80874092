use std::fmt::Write as _;

use crate::{Loader, import};

use super::{names, parameters, paths, read, warnings};

const HEAD: &str = "openapi: 3.0.0\ninfo: {title: T, version: '1'}\n";

#[test]
fn circles_of_references_end() {
    let definition = paths(
        "/a: {$ref: '#/paths/~1b'}
/b: {$ref: '#/paths/~1a'}
/c: {get: {parameters: [{$ref: '#/paths/~1c/get/parameters/0'}], requestBody: {$ref: '#/paths/~1c/get/requestBody'}}}",
    );
    assert_eq!(names(&definition), ["GET /c GET /c"]);
    let circle = "the reference leads in a circle; it is left out";
    assert_eq!(
        warnings(&definition),
        [
            format!("paths./a: {circle}"),
            format!("paths./b: {circle}"),
            format!("paths./c.get.parameters[0]: {circle}"),
            format!("paths./c.get.requestBody: {circle}"),
        ]
    );
}

#[test]
fn recursive_schemas_are_no_problem() {
    let definition = read(&format!(
        "{HEAD}paths: {{/a: {{get: {{parameters: [{{name: p, in: query, schema: {{$ref: '#/components/schemas/T'}}}}]}}}}}}
components: {{schemas: {{T: {{properties: {{child: {{$ref: '#/components/schemas/T'}}}}}}}}}}"
    ));
    assert_eq!(warnings(&definition), [""; 0]);
    assert_eq!(parameters(&definition.api.operations[0]), ["query p #/components/schemas/T"]);
}

#[test]
fn deep_documents_are_refused_and_do_not_overflow_the_stack() {
    for text in [format!("{HEAD}paths: {}", "[".repeat(200_000)), "{\"openapi\": ".repeat(200_000)] {
        let error = import("api.yaml", text.as_bytes(), &crate::NoLoader).expect_err("it should be refused");
        assert!(error.to_string().contains("levels deep"), "{error}");
    }
}

#[test]
fn documents_as_deep_as_allowed_are_imported() {
    let schema = format!("{}x{}", "{a: [".repeat(120), "]}".repeat(120));
    let definition =
        read(&format!("{HEAD}paths: {{/a: {{get: {{}}}}}}\ncomponents: {{schemas: {{S: {schema}}}}}"));
    assert_eq!((names(&definition), warnings(&definition).len()), (vec!["GET /a GET /a".to_owned()], 0));
}

#[test]
fn documents_without_end_come_to_an_end() {
    /// Every document refers to the next.
    struct Endless;
    impl Loader for Endless {
        fn load(&self, location: &str) -> Result<Vec<u8>, String> {
            let number: usize = location.trim_end_matches(".yaml").parse().map_err(|_| "what?".to_owned())?;
            Ok(format!("$ref: '{}.yaml'\n", number + 1).into_bytes())
        }
    }
    let text = format!("{HEAD}paths: {{/a: {{$ref: '0.yaml'}}}}");
    let definition = import("api.yaml", text.as_bytes(), &Endless).expect("it is read");
    assert_eq!(definition.documents.len(), 5001);
    let warnings = warnings(&definition);
    assert!(warnings[0].contains("too many or too large documents"), "{warnings:?}");
    assert!(warnings[1].contains("leads in a circle"), "a chain that long is none");
}

#[test]
fn references_do_not_multiply_without_end() {
    // A long name makes each step cost more, so that the test need not take as many.
    let long = "p".repeat(50_000);
    let mut text =
        format!("{HEAD}components:\n  pathItems:\n    P: {{$ref: '#/components/pathItems/{long}'}}\n");
    writeln!(text, "    ? {long}\n    : get:\n        parameters:").expect("to a string");
    for number in 0..100 {
        writeln!(text, "        - {{name: p{number}, in: query}}").expect("to a string");
    }
    text.push_str("paths:\n");
    for number in 0..1_000 {
        writeln!(text, "  /{number}: {{$ref: '#/components/pathItems/P'}}").expect("to a string");
    }
    let definition = read(&text);
    let count = definition.api.operations.len();
    assert!((10..900).contains(&count), "of 1000 operations {count} were given");
    assert!(definition.api.operations.iter().all(|operation| operation.parameters.len() == 100));
    assert!(warnings(&definition).iter().any(|w| w.contains("more operations than fit")));
}

#[test]
fn warnings_come_to_an_end() {
    let mut text = format!("{HEAD}paths:\n");
    for number in 0..3_000 {
        writeln!(text, "  /{number}: null").expect("to a string");
    }
    let warnings = warnings(&read(&text));
    assert_eq!(warnings.len(), 1001);
    assert_eq!(warnings[1000], "2000 more warnings are left out");
}

#[test]
fn long_names_do_not_fill_the_warnings() {
    let key = "k".repeat(1_000_000);
    let definition =
        read(&format!("{HEAD}paths:\n  ? /{key}\n  : {{get: {{}}}}\n  /a: {{? {key} : {{}}}}\n"));
    let warnings = warnings(&definition);
    assert_eq!(warnings.len(), 2);
    assert!(warnings.iter().all(|warning| warning.len() < 1_000));
}

#[test]
fn a_large_definition_is_imported_whole() {
    let mut text = format!("{HEAD}security: [{{key: []}}]\npaths:\n");
    for number in 0..2_500 {
        write!(
            text,
            "  /groups/{{group}}/items{number}/{{item}}:
    parameters:
    - $ref: '#/components/parameters/group'
    - {{name: item, in: path, required: true, schema: {{type: string}}}}
    get:
      operationId: get{number}
      tags: [items]
      parameters:
      - {{name: top, in: query, schema: {{type: integer}}}}
      responses:
        2XX: {{content: {{application/json: {{schema: {{$ref: '#/components/schemas/item'}}}}}}}}
        default: {{$ref: '#/components/responses/error'}}
    patch:
      operationId: patch{number}
      requestBody: {{$ref: '#/components/requestBodies/item'}}
      responses: {{204: {{description: done}}}}
"
        )
        .expect("to a string");
    }
    text.push_str(
        "components:
  parameters:
    group: {name: group, in: path, required: true, schema: {type: string}}
  requestBodies:
    item: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/item'}}}}
  responses:
    error: {content: {application/json: {schema: {type: object}}}}
  schemas:
    item: {type: object}
  securitySchemes:
    key: {type: apiKey, in: header, name: X-Key}
",
    );
    let definition = read(&text);
    assert_eq!(warnings(&definition), [""; 0]);
    assert_eq!(definition.api.operations.len(), 5_000);
    for (index, operation) in definition.api.operations.iter().enumerate() {
        let number = index / 2;
        assert_eq!(operation.path, format!("/groups/{{group}}/items{number}/{{item}}"));
        assert_eq!(operation.name, format!("{}{number}", operation.method.to_lowercase()));
        assert_eq!(operation.security.as_ref().map(Vec::len), Some(1));
        let item =
            format!("path item! #/paths/~1groups~1{{group}}~1items{number}~1{{item}}/parameters/1/schema");
        assert!(parameters(operation).contains(&item), "{item}");
        assert!(
            parameters(operation).contains(&"path group! #/components/parameters/group/schema".to_owned())
        );
    }
    assert_eq!(definition.documents[0].bytes.as_ref(), text.as_bytes());
}
