//! `gatewright schema`: the JSON Schema of the configuration, with every policy in it.

use std::process::ExitCode;

use model::{ConfigDoc, check};
use serde_json::{Map, Value, json};

use super::print;

pub fn run() -> ExitCode {
    print(format_args!("{:#}", schema()));
    ExitCode::SUCCESS
}

/// The schema of the whole configuration. A policy's configuration depends on its type, which types alone cannot say.
pub fn schema() -> Value {
    let mut schema = check::schema_of::<ConfigDoc>();
    schema["$id"] = json!("urn:gatewright:config");
    schema["title"] = json!("Gatewright configuration");
    let mut definitions = schema.get("$defs").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut alternatives = Vec::new();
    for kind in policies::POLICIES {
        let mut config = (kind.schema)();
        if let Some(object) = config.as_object_mut() {
            object.remove("$schema");
            if let Some(Value::Object(nested)) = object.remove("$defs") {
                definitions.extend(nested);
            }
        }
        let description = config.get("description").cloned().unwrap_or_default();
        let mut properties = Map::new();
        properties.insert("type".into(), json!({ "const": kind.type_name, "description": description }));
        properties.insert("name".into(), json!({ "type": "string", "description": "Name shown in explanations and events. Default: the type." }));
        properties.insert("config".into(), config);
        alternatives.push(json!({ "type": "object", "properties": properties, "required": ["type"], "additionalProperties": false }));
    }
    definitions.insert("PolicyDoc".into(), json!({ "description": "One policy of an API, or of all APIs.", "oneOf": alternatives }));
    schema["$defs"] = Value::Object(definitions);
    schema
}
