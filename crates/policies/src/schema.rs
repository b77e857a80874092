//! The JSON Schema of the whole configuration. What a policy's `config` may hold depends on its type, which types alone
//! cannot say; so it is put together here, where all policies are known.

use engine::PolicyKind;
use model::{ConfigDoc, check};
use serde_json::{Value, json};

use crate::POLICIES;

/// The schema (JSON Schema 2020-12) of a configuration, with every policy in it.
pub fn config_schema() -> Value {
    let mut schema = check::schema_of::<ConfigDoc>();
    schema["$id"] = json!("urn:gatewright:config");
    schema["title"] = json!("Gatewright configuration");
    let mut definitions = schema.get("$defs").and_then(Value::as_object).cloned().unwrap_or_default();
    let (mut of_apis, mut global) = (Vec::new(), Vec::new());
    for kind in POLICIES {
        let mut config = (kind.schema)();
        if let Some(object) = config.as_object_mut() {
            object.remove("$schema");
            if let Some(Value::Object(nested)) = object.remove("$defs") {
                definitions.extend(nested);
            }
        }
        of_apis.push(policy(kind, &config, definitions.get("PolicyDoc")));
        global.push(policy(kind, &config, definitions.get("GlobalPolicyDoc")));
    }
    for (name, alternatives) in [("PolicyDoc", of_apis), ("GlobalPolicyDoc", global)] {
        let description = definitions.get(name).map(|doc| doc["description"].clone()).unwrap_or_default();
        definitions.insert(name.into(), json!({ "description": description, "oneOf": alternatives }));
    }
    schema["$defs"] = Value::Object(definitions);
    schema
}

/// The schema of a policy of one type; `document` says what any policy may hold.
fn policy(kind: &PolicyKind, config: &Value, document: Option<&Value>) -> Value {
    let mut properties = document.and_then(|doc| doc["properties"].as_object()).cloned().unwrap_or_default();
    // A policy that cannot do without a key cannot do without its configuration either.
    let needs_config = config.get("required").and_then(Value::as_array).is_some_and(|keys| !keys.is_empty());
    let required: &[&str] = if needs_config { &["type", "config"] } else { &["type"] };
    let description = config.get("description").cloned().unwrap_or_default();
    properties.insert("type".to_owned(), json!({ "const": kind.type_name, "description": description }));
    properties.insert("config".to_owned(), config.clone());
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}
