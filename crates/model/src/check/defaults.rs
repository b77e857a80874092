//! Documents without what is as it would be anyway: short to read, and the same when they are read again.

use serde_json::Value;

/// Takes out every key whose value is the default that the schema gives it.
pub fn strip_defaults(schema: &Value, value: &mut Value) {
    strip(schema, schema, value, 0);
}

/// Deeper than any document of ours.
const MAX_DEPTH: usize = 64;

fn strip(root: &Value, schema: &Value, value: &mut Value, depth: usize) {
    if depth > MAX_DEPTH {
        return;
    }
    let schema = resolve(root, schema);
    match value {
        Value::Object(object) => {
            let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
            object.retain(|key, value| {
                let Some(property) = properties.get(key) else { return true };
                if property.get("default").is_some_and(|default| default == value) {
                    return false;
                }
                strip(root, property, value, depth + 1);
                true
            });
        }
        Value::Array(list) => {
            if let Some(items) = schema.get("items") {
                list.iter_mut().for_each(|value| strip(root, items, value, depth + 1));
            }
        }
        _ => {}
    }
}

/// The schema behind references and behind "this or null".
fn resolve<'s>(root: &'s Value, mut schema: &'s Value) -> &'s Value {
    for _ in 0..MAX_DEPTH {
        let next = match schema.get("$ref").and_then(Value::as_str) {
            Some(reference) => reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer)),
            None => schema.get("anyOf").and_then(Value::as_array).and_then(|any| {
                let mut others = any.iter().filter(|schema| schema["type"] != "null");
                others.next().filter(|_| others.next().is_none())
            }),
        };
        match next {
            Some(next) => schema = next,
            None => break,
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{UpstreamDoc, check};

    #[test]
    fn what_is_the_default_is_left_out_and_read_again_the_same() {
        let written = json!({
            "name": "native",
            "endpoints": [{ "url": "http://a" }, { "url": "http://b", "weight": 3 }],
            "retries": { "attempts": 2 },
            "keepAlive": { "idleTimeout": "5s" },
        });
        let typed: UpstreamDoc = check::parse(written.clone()).unwrap();
        let mut document = serde_json::to_value(&typed).unwrap();
        assert_ne!(document, written);
        strip_defaults(&check::schema_of::<UpstreamDoc>(), &mut document);
        assert_eq!(document, written);
        assert_eq!(check::parse::<UpstreamDoc>(document).unwrap(), typed);
    }
}
