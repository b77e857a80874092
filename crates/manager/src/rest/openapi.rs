//! The OpenAPI document of the admin API, made from the table of its routes and from the types that they take and answer.

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    all_routes,
    answer::ProblemView,
    route::{Again, Content, Right, Route},
    words,
};
use crate::{KINDS, Kind};

/// The document, OpenAPI 3.1.
pub fn openapi() -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|s| s.definitions_path = "/components/schemas".into())
        .into_generator();
    let problem = generator.subschema_for::<ProblemView>();
    let mut paths = Map::new();
    for route in all_routes() {
        if route.is_for_each_kind() {
            for kind in &KINDS {
                let operation = operation(&mut generator, route, Some(kind));
                put(&mut paths, route.path_of(kind), route, operation);
            }
        } else {
            let operation = operation(&mut generator, route, None);
            put(&mut paths, route.path.to_owned(), route, operation);
        }
    }
    let mut schemas = generator.take_definitions(true);
    for kind in &KINDS {
        let name = pascal(kind.name);
        let spec = json!({ "$ref": format!("#/components/schemas/{}", name_of_document(kind, &schemas)) });
        schemas.insert(format!("{name}Asset"), asset(kind, &spec));
        schemas.insert(format!("{name}Assets"), page(&name));
    }
    schemas.insert("ConfigurationSet".to_owned(), set(&schemas));
    schemas.sort_keys();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Gatewright admin API",
            "version": "1",
            "description": "Everything that can be configured is an asset, and there is one way to change one. Errors are problems (RFC 9457) with a stable `code`. Names in paths may be ids, too.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/api/v1" }],
        "security": [{ "basic": [] }, { "token": [] }, { "session": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {
                "Problem": {
                    "description": "It was not done.",
                    "content": { "application/problem+json": { "schema": problem } },
                },
            },
            "securitySchemes": {
                "basic": { "type": "http", "scheme": "basic" },
                "token": { "type": "http", "scheme": "bearer", "description": "An access token, from `POST /tokens`." },
                "session": {
                    "type": "apiKey", "in": "cookie", "name": super::session::COOKIE,
                    "description": "From `POST /session`. Requests that change something send `X-CSRF-Token`, too.",
                },
            },
        },
    })
}

fn put(paths: &mut Map<String, Value>, path: String, route: &Route, operation: Value) {
    let entry = paths.entry(path).or_insert_with(|| json!({}));
    entry[route.method.name()] = operation;
}

fn operation(generator: &mut SchemaGenerator, route: &Route, kind: Option<&Kind>) -> Value {
    let spelled = |text: &str| match kind {
        Some(kind) => text
            .replace("{Kinds}", &pascal(kind.list))
            .replace("{Kind}", &pascal(kind.name))
            .replace("{kinds}", &words::of(kind.list))
            .replace("{A kind}", &words::one_first(kind.name))
            .replace("{a kind}", &words::one(kind.name)),
        None => text.to_owned(),
    };
    let tag = match kind {
        Some(kind) => kind.list,
        None => route.path.split('/').nth(1).unwrap_or(""),
    };
    let mut operation = json!({
        "operationId": spelled(route.id),
        "summary": spelled(route.summary),
        "tags": [tag],
    });
    match route.right {
        Right::Anyone => operation["security"] = json!([]),
        Right::Visitor => {
            // Credentials may be sent, and need not.
            operation["security"] = json!([{}, { "basic": [] }, { "token": [] }, { "session": [] }]);
        }
        Right::Privilege(privileges) => {
            let names: Vec<_> = privileges.iter().map(|privilege| privilege.name()).collect();
            operation["description"] = format!("Needs the privilege `{}`.", names.join("` or `")).into();
        }
        Right::Approver(privileges) => {
            let names: Vec<_> = privileges.iter().map(|privilege| privilege.name()).collect();
            operation["description"] =
                format!("Needs the privilege `{}`, or to be an approver of a team.", names.join("` or `"))
                    .into();
        }
        Right::Change if kind.is_some() => {
            let name = kind.map_or("", |kind| kind.privilege.name());
            operation["description"] = format!("Needs the privilege `{name}`.").into();
        }
        Right::Change => {
            operation["description"] = "Needs the privileges of the assets that change.".into();
        }
        Right::Oneself | Right::Consumer | Right::User => {}
    }
    let parameters = parameters(generator, route, kind.is_some());
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(content) = content(generator, route.body, kind) {
        operation["requestBody"] = json!({ "required": true, "content": content });
    }
    let mut success = json!({ "description": "It was done." });
    if let Some(content) = content(generator, route.answer, kind) {
        success["content"] = content;
    }
    if matches!(route.answer, Content::Asset) {
        success["headers"] = json!({ "ETag": { "schema": { "type": "string" }, "description": "Its version, for `If-Match`." } });
    }
    let mut responses = Map::new();
    if route.creates {
        let mut created = success.clone();
        created["description"] = "It was made.".into();
        responses.insert("201".to_owned(), created);
    }
    responses.insert(route.status.to_string(), success);
    responses.insert("default".to_owned(), json!({ "$ref": "#/components/responses/Problem" }));
    responses.sort_keys();
    operation["responses"] = responses.into();
    operation
}

/// Names in the path, and keys of the query.
fn parameters(generator: &mut SchemaGenerator, route: &Route, for_kind: bool) -> Vec<Value> {
    let names = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = names
        .filter(|name| !(for_kind && *name == "kind"))
        .map(|name| {
            let schema = match name {
                "revision" => json!({ "type": "integer", "minimum": 1 }),
                _ => json!({ "type": "string" }),
            };
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        })
        .collect();
    if let Some(query) = route.query {
        let schema = query(generator);
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let mut property = property.clone();
            let description =
                property.as_object_mut().and_then(|property| property.shift_remove("description"));
            let mut parameter = json!({ "name": name, "in": "query", "required": required.contains(&&**name), "schema": property });
            if let Some(description) = description {
                parameter["description"] = description;
            }
            parameters.push(parameter);
        }
    }
    if matches!(route.right, Right::Change) {
        let duration = generator.subschema_for::<model::Duration>();
        parameters.push(json!({
            "name": "wait", "in": "query", "required": false, "schema": duration,
            "description": "Answer when all live nodes serve the change, or after this long, at most 60 seconds; `nodes` of the answer says which do.",
        }));
    }
    let again = match route.again() {
        Again::SameAnswer => {
            "The same request with the same key within a day is done once, and answered the same."
        }
        Again::ToldOnce => {
            "The same request with the same key within a day is done once; after that it is refused, since what it made is told once."
        }
        Again::Done => "",
    };
    if !again.is_empty() {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "schema": { "type": "string", "minLength": 1, "maxLength": 255 },
            "description": again,
        }));
    }
    if matches!(route.right, Right::Change) && route.path == "/{kind}/{name}" {
        parameters.push(json!({
            "name": "If-Match", "in": "header", "required": false, "schema": { "type": "string" },
            "description": "The ETag that the change is made from; 412 when the asset is another one by now.",
        }));
    }
    parameters
}

fn content(generator: &mut SchemaGenerator, content: Content, kind: Option<&Kind>) -> Option<Value> {
    let component = |suffix: &str| {
        let name = kind.map_or("", |kind| kind.name);
        json!({ "$ref": format!("#/components/schemas/{}{suffix}", pascal(name)) })
    };
    let (media, schema) = match content {
        Content::Nothing => return None,
        Content::Json(schema) => ("application/json", schema(generator).into()),
        Content::Document => ("application/json", document(generator, kind)),
        Content::MergePatch => ("application/merge-patch+json", json!({ "type": "object" })),
        Content::Set => ("application/json", json!({ "$ref": "#/components/schemas/ConfigurationSet" })),
        Content::Asset => ("application/json", component("Asset")),
        Content::Assets => ("application/json", component("Assets")),
        Content::AnyJson => ("application/json", json!({})),
        Content::Bytes(media) => (media, json!({})),
    };
    Some(json!({ media: { "schema": schema } }))
}

fn document(generator: &mut SchemaGenerator, kind: Option<&Kind>) -> Value {
    kind.map_or_else(|| json!({}), |kind| kind.subschema(generator).into())
}

/// The name under which the documents of a kind are described.
fn name_of_document(kind: &Kind, schemas: &Map<String, Value>) -> String {
    let name = kind.type_name();
    debug_assert!(schemas.contains_key(&name), "{name} is not described");
    name
}

fn asset(kind: &Kind, spec: &Value) -> Value {
    json!({
        "type": "object",
        "description": format!("{}, with what there is to know about it.", words::one_first(kind.name)),
        "required": ["kind", "id", "name", "revision", "createdAt", "changedAt", "spec"],
        "properties": {
            "kind": { "const": kind.name },
            "id": { "type": "string", "format": "uuid", "description": "Stays when the asset is renamed." },
            "name": { "type": "string" },
            "revision": { "type": "integer", "description": "The revision that changed it last." },
            "createdAt": { "type": "string", "format": "date-time" },
            "changedAt": { "type": "string", "format": "date-time" },
            "spec": spec,
            "warnings": { "type": "array", "items": { "$ref": "#/components/schemas/Diagnostic" } },
        },
    })
}

fn page(name: &str) -> Value {
    json!({
        "type": "object",
        "required": ["items", "total", "next", "revision"],
        "properties": {
            "items": { "type": "array", "items": { "$ref": format!("#/components/schemas/{name}Asset") } },
            "total": { "type": "integer", "description": "How many there are on all pages." },
            "next": { "type": ["string", "null"], "description": "`after` of the next page." },
            "revision": { "type": "integer" },
        },
    })
}

/// A whole configuration: a list for each kind.
fn set(schemas: &Map<String, Value>) -> Value {
    let lists: Map<String, Value> = KINDS
        .iter()
        .map(|kind| {
            let item = json!({ "$ref": format!("#/components/schemas/{}", name_of_document(kind, schemas)) });
            (kind.list.to_owned(), json!({ "type": "array", "items": item }))
        })
        .collect();
    json!({ "type": "object", "additionalProperties": false, "properties": lists })
}

/// `policyTemplate` as `PolicyTemplate`.
fn pascal(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
