use crate::{Format, NoLoader, import};

use super::{read, warnings};

#[test]
fn what_is_no_definition_is_refused_with_what_was_found() {
    let table = [
        ("", "the document is empty; expected an OpenAPI document"),
        ("just text", "the document is a text; expected"),
        ("[1, 2]", "the document is a list; expected"),
        ("{}", "the document is empty; expected"),
        ("<html></html>", "XML or HTML"),
        ("a: 1\nb: c: d", "line 2: not valid YAML"),
        ("{\"openapi\": \"3.0.0\", }}", "line 1: not valid JSON"),
        ("a: 1\nb: 2", "the document has the keys `a`, `b`; expected"),
        (
            "swaggerVersion: '1.2'\napis: []",
            "swaggerVersion: version `1.2` is not supported; expected an OpenAPI",
        ),
        ("openapi: 4.0.0\npaths: {}", "openapi: version `4.0.0` is not supported"),
        ("openapi: three\npaths: {}", "openapi: version `three` is not supported"),
        ("openapi:\npaths: {}", "openapi: version `null` is not supported"),
        ("swagger: 1.2\npaths: {}", "swagger: version `1.2` is not supported"),
        ("asyncapi: 2.6.0\nchannels: {}", "AsyncAPI"),
        ("info: {_postman_id: x}\nitem: []", "Postman collection"),
        ("data: {__schema: {}}", "GraphQL"),
        ("openapi: 3.0.0\ninfo: {}", "describes no API: expected `paths`"),
        (
            "openapi: 3.1.0\ninfo: {}",
            "describes no API: expected at least one of `paths`, `webhooks` and `components`",
        ),
        ("swagger: '2.0'\ninfo: {}", "describes no API: expected `paths`"),
    ];
    for (text, part) in table {
        let error =
            import("api.yaml", text.as_bytes(), &NoLoader).expect_err("it should be refused").to_string();
        assert!(error.contains(part), "{text:?}: {error}");
    }
}

#[test]
fn bytes_that_are_no_utf8_are_refused() {
    let table: [(&[u8], &str); 4] = [
        (b"openapi: 3.0.0\ninfo: {title: \xe9}", "not UTF-8 text (line 2)"),
        (b"\xff\xfeo\0p\0", "UTF-16"),
        (b"\xfe\xff\0o\0p", "UTF-16"),
        (b"openapi\0: 3.0.0", "NUL"),
    ];
    for (bytes, part) in table {
        let error = import("api.yaml", bytes, &NoLoader).expect_err("it should be refused").to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn versions_are_read_however_they_are_written() {
    let table = [
        ("swagger: '2.0'", Format::OpenApi20, 0),
        ("swagger: 2.0", Format::OpenApi20, 0),
        ("swagger: 2", Format::OpenApi20, 0),
        ("openapi: 3.0.3", Format::OpenApi30, 0),
        ("openapi: 3.0", Format::OpenApi30, 0),
        ("openapi: 3", Format::OpenApi30, 0),
        ("openapi: 3.0.0-rc2", Format::OpenApi30, 0),
        ("openapi: ' 3.1.0 '", Format::OpenApi31, 0),
        ("openapi: 3.1", Format::OpenApi31, 0),
        ("openapi: 3.2.0", Format::OpenApi31, 1),
        ("openapi: 2.0", Format::OpenApi20, 1),
        ("swagger: 3.0.1", Format::OpenApi30, 1),
        ("openapi: 3.0.0\nswagger: '2.0'", Format::OpenApi30, 1),
    ];
    for (version, format, odd) in table {
        let definition = read(&format!("{version}\ninfo: {{title: T, version: '1'}}\npaths: {{}}\n"));
        assert_eq!(definition.format, format, "{version}");
        assert_eq!(definition.warnings.len(), odd, "{version}: {:?}", warnings(&definition));
    }
    assert_eq!(Format::OpenApi30.to_string(), "OpenAPI 3.0");
}

#[test]
fn json_and_yaml_say_the_same() {
    let yaml = read("openapi: 3.0.0\ninfo: {title: T, version: '1'}\npaths: {/a: {get: {operationId: x}}}");
    let json = read(
        r#"{"openapi": "3.0.0", "info": {"title": "T", "version": "1"}, "paths": {"/a": {"get": {"operationId": "x"}}}}"#,
    );
    assert_eq!(yaml.api.operations, json.api.operations);
    assert_eq!((&yaml.api.title, &yaml.api.version), (&json.api.title, &json.api.version));
}
