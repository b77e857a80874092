//! Values that fit a schema, the same each time: its example, else the simplest that its keywords allow.

use model::source::{Documents, Place, push_key};
use serde_json::{Map, Number, Value, json};

/// Most values in a body; what is behind is left out.
const MOST_VALUES: usize = 2000;
/// Deepest nesting of a body.
const DEPTH: usize = 12;
/// Most references in a row that only lead to others.
const HOPS: usize = 32;
/// Most characters that a text is filled up with, and most items of a list.
const LONGEST: u64 = 1000;
const MOST_ITEMS: u64 = 10;

/// Makes a value for the schema at a place.
pub fn value(documents: &Documents, place: Place<'_>) -> Value {
    let mut generator = Generator { documents, left: MOST_VALUES, open: Vec::new() };
    generator.at(place).unwrap_or(Value::Null)
}

/// The value that a schema itself names.
fn given(map: &Map<String, Value>) -> Option<Value> {
    let first = |key: &str| map.get(key).and_then(Value::as_array).and_then(|list| list.first()).cloned();
    let one = |key: &str| map.get(key).filter(|value| !value.is_null()).cloned();
    one("example")
        .or_else(|| first("examples"))
        .or_else(|| map.get("const").cloned())
        .or_else(|| one("default"))
}

struct Generator<'d> {
    documents: &'d Documents,
    left: usize,
    /// Schemas that are being filled in: one inside itself would never end.
    open: Vec<(usize, String)>,
}

impl<'d> Generator<'d> {
    /// `None`: the schema is inside itself, or the body is full.
    fn at(&mut self, mut place: Place<'d>) -> Option<Value> {
        for _ in 0..HOPS {
            let reference = place.value.get("$ref").and_then(Value::as_str);
            let Some(target) = reference.and_then(|text| self.documents.follow(place.document, text)) else {
                break;
            };
            place = target;
        }
        let key = (place.document, place.pointer.clone());
        if self.open.contains(&key) || self.open.len() >= DEPTH * 2 {
            return None;
        }
        self.left = self.left.checked_sub(1)?;
        self.open.push(key);
        let value = self.schema(&place);
        self.open.pop();
        value
    }

    fn below(&mut self, place: &Place<'d>, value: &'d Value, keys: &[&str]) -> Option<Value> {
        let mut pointer = place.pointer.clone();
        keys.iter().for_each(|key| push_key(&mut pointer, key));
        self.at(Place { document: place.document, pointer, value })
    }

    fn schema(&mut self, place: &Place<'d>) -> Option<Value> {
        let Value::Object(map) = place.value else { return Some(Value::Null) };
        if let Some(value) = given(map) {
            return Some(value);
        }
        if let Some(value) = map.get("enum").and_then(Value::as_array).and_then(|values| values.first()) {
            return Some(value.clone());
        }
        let mut merged = None;
        if let Some(parts) = map.get("allOf").and_then(Value::as_array) {
            for (index, part) in parts.iter().enumerate() {
                let part = self.below(place, part, &["allOf", &index.to_string()]);
                merged = merge(merged, part);
            }
        }
        for key in ["oneOf", "anyOf"] {
            // The first that is not inside itself: of `Leaf | Node` any.
            let choices = map.get(key).and_then(Value::as_array).into_iter().flatten().enumerate();
            for (index, choice) in choices {
                if let Some(value) = self.below(place, choice, &[key, &index.to_string()]) {
                    merged = merge(merged, Some(value));
                    break;
                }
            }
        }
        let own = match kind(map) {
            Some("object") => self.object(place, map),
            Some("array") => self.array(place, map),
            Some("string") => Some(Value::String(text(map))),
            Some("integer") => Some(number(map, true)),
            Some("number") => Some(number(map, false)),
            Some("boolean") => Some(Value::Bool(true)),
            Some(_) => Some(Value::Null),
            None if merged.is_some() => None,
            // A schema that allows everything.
            None if !["allOf", "oneOf", "anyOf"].iter().any(|key| map.contains_key(*key)) => Some(json!({})),
            None => None,
        };
        merge(merged, own)
    }

    fn object(&mut self, place: &Place<'d>, map: &'d Map<String, Value>) -> Option<Value> {
        let required: Vec<&str> = map
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut object = Map::new();
        for (name, property) in map.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if property.get("writeOnly") == Some(&Value::Bool(true)) {
                continue;
            }
            match self.below(place, property, &["properties", name]) {
                Some(value) => drop(object.insert(name.clone(), value)),
                // Without it there can be no such object, so that it is the one around that ends here.
                None if required.contains(&name.as_str()) && self.left > 0 => return None,
                None => {}
            }
        }
        if object.is_empty()
            && let Some(schema @ Value::Object(_)) = map.get("additionalProperties")
            && let Some(value) = self.below(place, schema, &["additionalProperties"])
        {
            object.insert("key".to_owned(), value);
        }
        Some(Value::Object(object))
    }

    fn array(&mut self, place: &Place<'d>, map: &'d Map<String, Value>) -> Option<Value> {
        let limit = |key: &str| map.get(key).and_then(Value::as_u64);
        let mut items = Vec::new();
        let first = map.get("prefixItems").and_then(Value::as_array).into_iter().flatten().enumerate();
        for (index, schema) in first {
            items.extend(self.below(place, schema, &["prefixItems", &index.to_string()]));
        }
        if let Some(schema) = map.get("items").filter(|items| items.is_object()) {
            let count = limit("minItems").unwrap_or(0).clamp(1, MOST_ITEMS);
            let count = limit("maxItems").map_or(count, |most| count.min(most));
            let unique = map.get("uniqueItems") == Some(&Value::Bool(true));
            while (items.len() as u64) < count {
                let Some(item) = self.below(place, schema, &["items"]) else { break };
                if unique && items.contains(&item) {
                    break;
                }
                items.push(item);
            }
        }
        Some(Value::Array(items))
    }
}

/// Objects together; else what comes later.
fn merge(first: Option<Value>, second: Option<Value>) -> Option<Value> {
    match (first, second) {
        (Some(Value::Object(mut first)), Some(Value::Object(second))) => {
            first.extend(second);
            Some(Value::Object(first))
        }
        (first, second) => second.or(first),
    }
}

fn kind(map: &Map<String, Value>) -> Option<&str> {
    match map.get("type") {
        Some(Value::String(name)) => Some(name),
        Some(Value::Array(names)) => {
            let mut names = names.iter().filter_map(Value::as_str);
            names.find(|name| *name != "null").or(Some("null"))
        }
        _ if map.contains_key("properties") || map.contains_key("additionalProperties") => Some("object"),
        _ if map.contains_key("items") => Some("array"),
        _ => None,
    }
}

fn text(map: &Map<String, Value>) -> String {
    let format = map.get("format").and_then(Value::as_str).unwrap_or_default();
    let known = match format {
        "date" => "2024-01-31",
        "date-time" => "2024-01-31T12:00:00Z",
        "time" => "12:00:00Z",
        "duration" => "P1D",
        "uuid" => "3fa85f64-5717-4562-b3fc-2c963f66afa6",
        "email" => "user@example.com",
        "hostname" => "example.com",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "uri" | "url" => "https://example.com/",
        "byte" => "c3RyaW5n",
        _ => "string",
    };
    let limit = |key: &str| map.get(key).and_then(Value::as_u64);
    let mut text = known.to_owned();
    // What has a format is right as it is.
    if known == "string" {
        while (text.len() as u64) < limit("minLength").unwrap_or(0).min(LONGEST) {
            text.push('x');
        }
        if let Some(most) = limit("maxLength").and_then(|most| usize::try_from(most).ok()) {
            text.truncate(most);
        }
    }
    text
}

fn number(map: &Map<String, Value>, whole: bool) -> Value {
    let limit = |key: &str| map.get(key).and_then(Value::as_f64);
    let excluded = |key: &str| map.get(key) == Some(&Value::Bool(true));
    let step = limit("multipleOf").filter(|step| *step > 0.0).unwrap_or(1.0);
    let least = limit("minimum").map(|least| if excluded("exclusiveMinimum") { least + step } else { least });
    let least = least.or_else(|| limit("exclusiveMinimum").map(|least| least + step));
    let most = limit("maximum").map(|most| if excluded("exclusiveMaximum") { most - step } else { most });
    let most = most.or_else(|| limit("exclusiveMaximum").map(|most| most - step));
    let mut number = least.unwrap_or_else(|| most.map_or(0.0, |most| most.min(0.0)));
    if map.contains_key("multipleOf") {
        number = (number / step).ceil() * step;
    }
    if whole {
        number = number.ceil();
    }
    // A step too far for limits that are close together.
    if let Some(most) = most.filter(|most| number > *most) {
        number =
            if whole { most.floor() } else { least.map_or(most, |least| (least.min(most) + most) / 2.0) };
    }
    if number.fract() == 0.0 && number.abs() < 9e15 {
        return Value::from(number as i64);
    }
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use model::source::{Dialect, SourceDocument, Sources};

    use super::*;
    use crate::schemas::{Builder, Direction};

    #[test]
    fn values_fit_their_schemas() {
        for (schema, expect) in [
            (json!({"type": "string"}), json!("string")),
            (json!({"type": "string", "minLength": 8}), json!("stringxx")),
            (json!({"type": "string", "maxLength": 3}), json!("str")),
            (json!({"type": "string", "format": "date"}), json!("2024-01-31")),
            (json!({"type": "string", "format": "uuid"}), json!("3fa85f64-5717-4562-b3fc-2c963f66afa6")),
            (json!({"type": "string", "enum": ["b", "a"]}), json!("b")),
            (json!({"type": "string", "example": "e", "default": "d"}), json!("e")),
            (json!({"type": "string", "default": "d"}), json!("d")),
            (json!({"type": "integer"}), json!(0)),
            (json!({"type": "integer", "minimum": 5}), json!(5)),
            (json!({"type": "integer", "minimum": 5, "exclusiveMinimum": true}), json!(6)),
            (json!({"type": "integer", "maximum": -3}), json!(-3)),
            (json!({"type": "integer", "minimum": 5, "multipleOf": 4}), json!(8)),
            (json!({"type": "number", "minimum": 0.5}), json!(0.5)),
            (json!({"type": "boolean"}), json!(true)),
            (json!({"type": "array", "items": {"type": "integer"}, "minItems": 2}), json!([0, 0])),
            (json!({"type": "array", "items": {"type": "integer"}, "maxItems": 0}), json!([])),
            (
                json!({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"writeOnly": true}}}),
                json!({"a": 0}),
            ),
            (json!({"type": "object", "additionalProperties": {"type": "integer"}}), json!({"key": 0})),
            (json!({"oneOf": [{"type": "integer"}, {"type": "string"}]}), json!(0)),
            (
                json!({"allOf": [{"properties": {"a": {"type": "integer"}}}, {"properties": {"b": {"type": "boolean"}}}]}),
                json!({"a": 0, "b": true}),
            ),
            (json!({"$ref": "#/node"}), json!({"name": "string", "children": []})),
            (json!({"$ref": "#/chain"}), json!({"next": {"end": true}})),
            (json!({"$ref": "#/loop"}), json!({})),
            (json!({}), json!({})),
        ] {
            let node = json!({
                "s": schema,
                "node": {"type": "object", "required": ["name", "children"], "properties": {
                    "name": {"type": "string"},
                    "children": {"type": "array", "items": {"$ref": "#/node"}},
                    "parent": {"$ref": "#/node"},
                }},
                "chain": {"type": "object", "required": ["next"], "properties": {
                    "next": {"oneOf": [{"$ref": "#/chain"}, {"properties": {"end": {"type": "boolean"}}}]},
                }},
                "loop": {"$ref": "#/loop"},
            });
            let bytes = node.to_string().into_bytes().into();
            let document = SourceDocument { name: String::new(), bytes, links: Default::default() };
            let documents = Sources { dialect: Dialect::OpenApi30, documents: vec![document] }.read();
            let generated = value(&documents, documents.at("#/s").unwrap());
            assert_eq!(generated, expect, "{schema}");
            let mut builder = Builder::new(&documents, Direction::Response);
            let id = builder.add("#/s").unwrap();
            let (schemas, _) = builder.finish();
            assert!(schemas.is_valid(id, &generated, 100), "{schema} {generated}");
        }
    }

    #[test]
    fn what_grows_with_each_level_is_cut() {
        let mut document = Map::new();
        for level in 0..30 {
            let next = json!({ "$ref": format!("#/l{}", level + 1) });
            document.insert(
                format!("l{level}"),
                json!({"type": "object", "properties": {"a": next, "b": next, "c": next}}),
            );
        }
        let bytes = Value::Object(document).to_string().into_bytes().into();
        let document = SourceDocument { name: String::new(), bytes, links: Default::default() };
        let documents = Sources { dialect: Dialect::OpenApi31, documents: vec![document] }.read();
        let generated = value(&documents, documents.at("#/l0").unwrap());
        assert!(generated.to_string().len() < 100_000);
    }
}
