//! Dialects, circles, warnings and limits of schemas.

use model::source::{Dialect, SourceDocument, Sources};
use serde_json::{Value, json};

use super::*;

/// The schema at `#/s` of a document, and what was warned of.
fn schemas(dialect: Dialect, direction: Direction, document: Value) -> (Schemas, SchemaId, Vec<String>) {
    let bytes = document.to_string().into_bytes().into();
    let document = SourceDocument { name: String::new(), bytes, links: Default::default() };
    let documents = Sources { dialect, documents: vec![document] }.read();
    let mut builder = Builder::new(&documents, direction);
    let schema = builder.add("#/s").unwrap();
    let (schemas, warnings) = builder.finish();
    (schemas, schema, warnings)
}

/// What is wrong with a value, in a line for each problem.
fn problems(dialect: Dialect, schema: Value, value: Value) -> Vec<String> {
    let (schemas, id, warnings) = schemas(dialect, Direction::Request, json!({ "s": schema }));
    assert_eq!(warnings, [""; 0]);
    let found = schemas.check(id, &value, 10, "body").err().unwrap_or_default();
    found.iter().map(|problem| format!("{} {}", problem.location, problem.message)).collect()
}

#[test]
fn dialects_mean_what_they_say() {
    use Dialect::{OpenApi20 as V2, OpenApi30 as V30, OpenApi31 as V31};
    for (dialect, schema, value, valid) in [
        (V30, json!({"type": "string", "nullable": true}), json!(null), true),
        (V30, json!({"type": "string", "nullable": true, "enum": ["a"]}), json!(null), true),
        (V30, json!({"nullable": true, "allOf": [{"type": "string"}]}), json!(null), true),
        (V30, json!({"type": "string"}), json!(null), false),
        (V2, json!({"type": "string", "x-nullable": true}), json!(null), true),
        (V31, json!({"type": ["string", "null"]}), json!(null), true),
        (V30, json!({"minimum": 1, "exclusiveMinimum": true}), json!(1), false),
        (V30, json!({"minimum": 1, "exclusiveMinimum": false}), json!(1), true),
        (V31, json!({"exclusiveMaximum": 1}), json!(1), false),
        (V30, json!({"const": 1}), json!(2), true),
        (V31, json!({"const": 1}), json!(2), false),
        (V30, json!({"discriminator": {"propertyName": "x"}, "example": 3, "xml": {}}), json!(1), true),
        (V2, json!({"name": "x", "in": "query", "required": true, "type": "integer"}), json!("a"), false),
        (V2, json!({"type": "file"}), json!("a"), true),
        (V31, json!({"unevaluatedProperties": false, "properties": {"a": true}}), json!({"b": 1}), false),
        (V30, json!({"type": "string", "format": "date"}), json!("2024-02-30"), false),
        (V30, json!({"type": "string", "format": "date-time"}), json!("2024-02-28T10:00:00Z"), true),
        (V30, json!({"type": "string", "format": "uuid"}), json!("x"), false),
        (V30, json!({"type": "string", "format": "email"}), json!("a@b.c"), true),
        (V30, json!({"type": "string", "format": "email"}), json!("a"), false),
        (V30, json!({"type": "string", "format": "ipv4"}), json!("1.2.3"), false),
        (V30, json!({"type": "string", "format": "ipv6"}), json!("::1"), true),
        (V30, json!({"type": "string", "format": "uri"}), json!("a b"), false),
        (V30, json!({"type": "string", "format": "colour"}), json!("a"), true),
    ] {
        let found = problems(dialect, schema.clone(), value.clone());
        assert_eq!(found.is_empty(), valid, "{dialect:?} {schema} {value} {found:?}");
    }
}

#[test]
fn problems_say_where_and_what_was_expected_and_no_value() {
    let schema = json!({
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": {"type": "integer", "minimum": 1},
            "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 2},
        },
        "additionalProperties": false,
    });
    for (value, expect) in [
        (json!({}), vec!["body/id is required"]),
        (json!({"id": "secret"}), vec!["body/id expected integer"]),
        (
            json!({"id": 0, "tags": ["c"]}),
            vec!["body/id expected at least 1", "body/tags/0 expected one of \"a\", \"b\""],
        ),
        (json!({"id": 1, "secret": 1}), vec!["body has a property that is not declared"]),
        (json!([]), vec!["body expected object"]),
    ] {
        assert_eq!(problems(Dialect::OpenApi31, schema.clone(), value.clone()), expect, "{value}");
    }
}

#[test]
fn references_are_followed_also_in_circles() {
    let document = json!({
        "s": {"$ref": "#/defs/Node"},
        "defs": {"Node": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string"},
                "next": {"$ref": "#/defs/Node"},
            },
        }},
    });
    let (schemas, id, warnings) = schemas(Dialect::OpenApi30, Direction::Request, document);
    assert_eq!(warnings, [""; 0]);
    let value = json!({"name": "a", "next": {"name": "b", "next": {"name": 3}}});
    let found = schemas.check(id, &value, 10, "body").unwrap_err();
    assert_eq!(found[0].location, "body/next/next/name");
    assert_eq!(found[0].message, "expected string");
    assert!(schemas.check(id, &json!({"name": "a"}), 10, "body").is_ok());
}

#[test]
fn circles_without_end_are_cut_and_warned_of() {
    let document = json!({
        "s": {"allOf": [{"$ref": "#/a"}], "type": "object"},
        "a": {"$ref": "#/b"},
        "b": {"anyOf": [{"$ref": "#/a"}, {"type": "string"}]},
    });
    let (schemas, id, warnings) = schemas(Dialect::OpenApi30, Direction::Request, document);
    let mut named: Vec<&str> = warnings.iter().map(|w| w.split(':').next().unwrap()).collect();
    named.sort_unstable();
    assert_eq!(named, ["#/a", "#/b"]);
    assert!(schemas.check(id, &json!({}), 10, "body").is_ok());
    assert!(schemas.check(id, &json!(1), 10, "body").is_err());
}

#[test]
fn properties_of_the_other_direction_are_not_required() {
    let document = json!({
        "s": {
            "required": ["id", "password", "owner"],
            "properties": {"id": {"readOnly": true}, "password": {"writeOnly": true}, "owner": {"$ref": "#/o"}},
        },
        "o": {"readOnly": true},
    });
    let valid = |direction, value: Value| {
        let (schemas, id, _) = schemas(Dialect::OpenApi31, direction, document.clone());
        schemas.check(id, &value, 10, "body").is_ok()
    };
    assert!(valid(Direction::Request, json!({"password": 1})));
    assert!(!valid(Direction::Request, json!({"id": 1, "owner": 1})));
    assert!(valid(Direction::Response, json!({"id": 1, "owner": 1})));
    assert!(!valid(Direction::Response, json!({"password": 1})));
}

#[test]
fn what_is_broken_is_named_and_the_rest_is_checked() {
    for (schema, at) in [
        (json!({"properties": {"a": 1}}), "#/s/properties/a"),
        (json!({"properties": []}), "#/s/properties"),
        (json!({"type": "strnig"}), "#/s/type"),
        (json!({"pattern": "("}), "#/s/pattern"),
        (json!({"minLength": -1}), "#/s/minLength"),
        (json!({"minimum": "1"}), "#/s/minimum"),
        (json!({"enum": []}), "#/s/enum"),
        (json!({"required": [1]}), "#/s/required"),
        (json!({"multipleOf": 0}), "#/s/multipleOf"),
        (json!({"allOf": {}}), "#/s/allOf"),
        (json!({"$ref": "#/nowhere"}), "#/s/$ref"),
        (json!({"$ref": "other.yaml#/x"}), "#/s/$ref"),
        (json!({"$dynamicRef": "#x"}), "#/s/$dynamicRef"),
        (json!({"patternProperties": {"(": true}}), "#/s/patternProperties/("),
        (json!({"uniqueItems": 1}), "#/s/uniqueItems"),
        (json!({"additionalProperties": "no"}), "#/s/additionalProperties"),
    ] {
        let mut with_more = schema.clone();
        with_more["maxProperties"] = json!(1);
        let (schemas, id, warnings) =
            schemas(Dialect::OpenApi31, Direction::Request, json!({ "s": with_more }));
        assert_eq!(warnings.len(), 1, "{schema} {warnings:?}");
        assert!(warnings[0].starts_with(&format!("{at}: ")), "{warnings:?}");
        assert!(schemas.check(id, &json!({"x": 1, "y": 2}), 10, "body").is_err(), "{schema}");
        assert!(schemas.check(id, &json!({}), 10, "body").is_ok(), "{schema}");
    }
}

#[test]
fn work_and_words_are_bounded() {
    // Each level tries both alternatives, and both fail at the end: twice the work with each level.
    let document = json!({
        "s": {"anyOf": [
            {"properties": {"n": {"$ref": "#/s"}}, "required": ["a"]},
            {"properties": {"n": {"$ref": "#/s"}}, "required": ["b"]},
        ]},
    });
    let (deep, id, _) = schemas(Dialect::OpenApi31, Direction::Request, document);
    let value = (0..100).fold(json!({}), |value, _| json!({ "n": value, "a": 1, "b": 1 }));
    let found = deep.check(id, &value, 1000, "body").unwrap_err();
    assert_eq!(found[0].message, "the value takes too much work to check");

    // What was not checked is not what it must not be.
    let mut chain = json!({"s": {"not": {"$ref": "#/c0"}}});
    for link in 0..1000 {
        chain[format!("c{link}")] = json!({"$ref": format!("#/c{}", link + 1)});
    }
    chain["c1000"] = json!({"type": "string"});
    let (chain, id, _) = schemas(Dialect::OpenApi31, Direction::Request, chain);
    assert!(chain.check(id, &json!("a"), 10, "body").is_err());
    assert!(!chain.is_valid(id, &json!(1), 10));

    let many = json!(vec!["x"; 100]);
    let found = problems(Dialect::OpenApi31, json!({"items": {"type": "integer"}}), many.clone());
    assert_eq!(found.len(), engine::reason::MOST_PROBLEMS);
    let (large, id, _) =
        schemas(Dialect::OpenApi31, Direction::Request, json!({"s": {"items": {"type": "integer"}}}));
    assert_eq!(large.check(id, &many, 1 << 20, "body").unwrap_err().len(), 1);
}

#[test]
fn unevaluated_properties_see_through_references() {
    let document = json!({
        "s": {"allOf": [{"$ref": "#/base"}], "properties": {"b": true}, "unevaluatedProperties": false},
        "base": {"properties": {"a": {"$ref": "#/leaf"}}},
        "leaf": {"type": "integer"},
    });
    let (schemas, id, _) = schemas(Dialect::OpenApi31, Direction::Request, document);
    let valid = |value: Value| schemas.check(id, &value, 10, "body").is_ok();
    assert!(valid(json!({"a": 1, "b": 2})));
    assert!(!valid(json!({"a": "x"})) && !valid(json!({"c": 1})));
}
