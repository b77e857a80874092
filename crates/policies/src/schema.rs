//! The JSON Schema of the whole configuration. What a policy's `config` may hold depends on its type, which types alone
//! cannot say; so it is put together here, where all policies are known.

use model::{ConfigDoc, check};
use serde_json::{Map, Value, json};

use crate::POLICIES;

/// The schema (JSON Schema 2020-12) of a configuration, with every policy in it.
pub fn config_schema() -> Value {
    let mut schema = check::schema_of::<ConfigDoc>();
    schema["$id"] = json!("urn:gatewright:config");
    schema["title"] = json!("Gatewright configuration");
    let mut definitions = schema.get("$defs").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut alternatives = Vec::new();
    for kind in POLICIES {
        let mut config = (kind.schema)();
        if let Some(object) = config.as_object_mut() {
            object.remove("$schema");
            if let Some(Value::Object(nested)) = object.remove("$defs") {
                definitions.extend(nested);
            }
        }
        // A policy that cannot do without a key cannot do without its configuration either.
        let needs_config =
            config.get("required").and_then(Value::as_array).is_some_and(|keys| !keys.is_empty());
        let required: &[&str] = if needs_config { &["type", "config"] } else { &["type"] };
        let description = config.get("description").cloned().unwrap_or_default();
        let properties = Map::from_iter([
            ("type".to_owned(), json!({ "const": kind.type_name, "description": description })),
            (
                "name".to_owned(),
                json!({
                    "type": "string",
                    "description": "Name shown in explanations and events. Default: the type.",
                }),
            ),
            ("config".to_owned(), config),
        ]);
        alternatives.push(json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        }));
    }
    let policy = json!({ "description": "One policy of an API, or of all APIs.", "oneOf": alternatives });
    definitions.insert("PolicyDoc".into(), policy);
    schema["$defs"] = Value::Object(definitions);
    schema
}
