//! Schemas of definitions into JSON Schema 2020-12, each by itself, with what it refers to by number.
//!
//! OpenAPI 2.0 and 3.0 differ from the standard (`nullable`, `exclusiveMinimum: true`, keys beside `$ref`), and real
//! documents from both. Only keywords that decide something are taken over, and only where they are well-formed;
//! everything else is warned of and left out, so that what comes out always compiles.

use std::collections::{HashMap, HashSet};

use model::{
    settings::ContentTypes,
    source::{Dialect, Documents, Place, push_key},
};
use serde_json::{Map, Value, json};

use crate::media;

/// Stands for `$ref` in what comes out; its value is the number of the schema.
pub const REF: &str = "x-gatewright-schema";
/// Formats that are checked. Others say something to people.
const FORMATS: [&str; 7] = ["date", "date-time", "uuid", "email", "ipv4", "ipv6", "uri"];
/// The format of what is no text: nothing is compared with it, but forms are read by it.
pub const BINARY: &str = "binary";
const TYPES: [&str; 7] = ["null", "boolean", "object", "array", "number", "integer", "string"];
/// Most warnings of one definition.
const MOST_WARNINGS: usize = 50;

/// Which way a body goes: properties that are only for the other way are not required.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Request,
    Response,
}

/// Converts one schema after the other, and remembers which ones they refer to.
pub struct Converter<'d> {
    documents: &'d Documents,
    direction: Direction,
    numbers: HashMap<(usize, String), u32>,
    /// Schemas that have a number and are not converted yet.
    pub waiting: Vec<(u32, Place<'d>)>,
    /// Schemas that the present one applies to the same value.
    pub in_place: Vec<u32>,
    /// The present one has `unevaluatedProperties` or `unevaluatedItems`.
    pub unevaluated: bool,
    patterns: HashMap<String, bool>,
    pub warnings: Vec<String>,
    warned: HashSet<String>,
}

/// Where a value is while it is converted.
struct At {
    document: usize,
    pointer: String,
}

impl At {
    fn below(&self, key: &str) -> Self {
        let mut pointer = self.pointer.clone();
        push_key(&mut pointer, key);
        Self { document: self.document, pointer }
    }
}

impl<'d> Converter<'d> {
    pub fn new(documents: &'d Documents, direction: Direction) -> Self {
        Self {
            documents,
            direction,
            numbers: HashMap::new(),
            waiting: Vec::new(),
            in_place: Vec::new(),
            unevaluated: false,
            patterns: HashMap::new(),
            warnings: Vec::new(),
            warned: HashSet::new(),
        }
    }

    /// The number of the schema at a place.
    pub fn number(&mut self, place: Place<'d>) -> u32 {
        let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry((place.document, place.pointer.clone())).or_insert(next);
        if number == next {
            self.waiting.push((number, place));
        }
        number
    }

    /// The schema at a place, converted.
    pub fn convert(&mut self, place: &Place<'d>) -> Value {
        self.in_place.clear();
        self.unevaluated = false;
        let at = At { document: place.document, pointer: place.pointer.clone() };
        self.schema(place.value, &at, true)
    }

    pub fn warn_of(&mut self, address: &str, message: &str) {
        let warning = format!("{address}: {message}");
        if self.warned.len() < MOST_WARNINGS && self.warned.insert(warning.clone()) {
            self.warnings.push(warning);
        }
    }

    fn warn(&mut self, at: &At, message: &str) {
        let address = self.documents.address(at.document, &at.pointer);
        self.warn_of(&address, &format!("{message}; this part is not checked"));
    }

    /// Recursion is as deep as the document, which its reader has limited.
    fn schema(&mut self, value: &'d Value, at: &At, in_place: bool) -> Value {
        let map = match value {
            Value::Object(map) => map,
            Value::Bool(all) => return Value::Bool(*all),
            other => {
                self.warn(at, &format!("expected a schema, found {}", kind(other)));
                return Value::Bool(true);
            }
        };
        let mut out = Map::new();
        let old = self.documents.dialect != Dialect::OpenApi31;
        let number = map.get("$ref").and_then(|reference| self.reference(reference, at));
        if let Some(number) = number {
            out.insert(REF.to_owned(), number.into());
            if in_place {
                self.in_place.push(number);
            }
        }
        // Beside a reference nothing counted before 3.1.
        if !(old && map.contains_key("$ref")) {
            for (key, value) in map {
                self.keyword(key, value, map, &at.below(key), in_place, &mut out);
            }
            self.limits(map, at, &mut out);
        }
        let nullable = |key: &str| map.get(key) == Some(&Value::Bool(true));
        if nullable("nullable") || nullable("x-nullable") { with_null(out) } else { Value::Object(out) }
    }

    fn reference(&mut self, reference: &'d Value, at: &At) -> Option<u32> {
        let Some(text) = reference.as_str() else {
            self.warn(&at.below("$ref"), &format!("expected a text, found {}", kind(reference)));
            return None;
        };
        match self.documents.follow(at.document, text) {
            Some(place) => Some(self.number(place)),
            None => {
                self.warn(
                    &at.below("$ref"),
                    "the reference leads nowhere; only references by path are followed",
                );
                None
            }
        }
    }

    fn keyword(
        &mut self,
        key: &str,
        value: &'d Value,
        map: &'d Map<String, Value>,
        at: &At,
        in_place: bool,
        out: &mut Map<String, Value>,
    ) {
        let new = self.documents.dialect == Dialect::OpenApi31;
        let result = match key {
            // They count bytes, or nothing that a file could be compared with.
            "minLength" | "maxLength" | "pattern" | "enum" if is_binary(map) => Ok(None),
            // The way of 3.1 to write it.
            "contentMediaType" if new && is_binary(map) => {
                out.insert("format".to_owned(), BINARY.into());
                return;
            }
            "type" => types(value),
            "enum" => match value {
                Value::Array(items) if !items.is_empty() => Ok(Some(value.clone())),
                _ => Err("expected a list of values"),
            },
            "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties" => {
                count(value)
            }
            "minContains" | "maxContains" if new => count(value),
            "multipleOf" => match value.as_f64() {
                Some(number) if number > 0.0 => Ok(Some(value.clone())),
                _ => Err("expected a number above 0"),
            },
            "uniqueItems" => match value {
                Value::Bool(_) => Ok(Some(value.clone())),
                _ => Err("expected `true` or `false`"),
            },
            "pattern" => match value.as_str() {
                Some(pattern) if self.is_pattern(pattern) => Ok(Some(value.clone())),
                Some(_) => Err("the pattern is no regular expression that is understood here"),
                None => Err("expected a text"),
            },
            "format" => {
                let known = |format: &&str| FORMATS.contains(format) || *format == BINARY;
                Ok(value.as_str().filter(known).map(Value::from))
            }
            "const" if new => Ok(Some(value.clone())),
            "required" => self.required(value, map, at),
            "properties" => self.schemas_by_name(value, at, false),
            "patternProperties" => self.patterns_to_schemas(value, at),
            "dependentSchemas" if new => self.schemas_by_name(value, at, in_place),
            "dependentRequired" if new => match value {
                Value::Object(names) if names.values().all(|list| names_of(list).is_some()) => {
                    Ok(Some(value.clone()))
                }
                _ => Err("expected lists of names by name"),
            },
            "allOf" | "anyOf" | "oneOf" => self.list(value, at, in_place),
            "prefixItems" if new => self.list(value, at, false),
            // A list was allowed before 3.1, and with it what comes behind.
            "items" if value.is_array() => {
                let rest = map.get("additionalItems");
                let rest = rest.map(|rest| self.schema(rest, &at.below("additionalItems"), false));
                out.extend(rest.map(|rest| ("items".to_owned(), rest)));
                if let Ok(Some(list)) = self.list(value, at, false) {
                    out.insert("prefixItems".to_owned(), list);
                }
                return;
            }
            "items" | "additionalProperties" => Ok(Some(self.schema(value, at, false))),
            "propertyNames" | "contains" if new => Ok(Some(self.schema(value, at, false))),
            "unevaluatedProperties" | "unevaluatedItems" if new => {
                self.unevaluated = true;
                Ok(Some(self.schema(value, at, false)))
            }
            "not" => Ok(Some(self.schema(value, at, in_place))),
            "if" | "then" | "else" if new => Ok(Some(self.schema(value, at, in_place))),
            "$dynamicRef" | "$recursiveRef" if new => Err("dynamic references are not followed"),
            _ => Ok(None),
        };
        match result {
            Ok(None) => {}
            Ok(Some(converted)) => drop(out.insert(key.to_owned(), converted)),
            Err(problem) => self.warn(at, problem),
        }
    }

    /// Lower and upper limits, which are excluded by `true` before 3.1 and by a limit of their own since.
    fn limits(&mut self, map: &Map<String, Value>, at: &At, out: &mut Map<String, Value>) {
        for (limit, excluded) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
            let mut number = None;
            match map.get(limit) {
                None => {}
                Some(value) if value.is_number() => number = Some(value.clone()),
                Some(other) => {
                    self.warn(&at.below(limit), &format!("expected a number, found {}", kind(other)));
                }
            }
            match map.get(excluded) {
                Some(Value::Bool(true)) => {
                    out.extend(number.take().map(|number| (excluded.to_owned(), number)));
                }
                None | Some(Value::Bool(false)) => {}
                Some(value) if value.is_number() => drop(out.insert(excluded.to_owned(), value.clone())),
                Some(other) => {
                    self.warn(&at.below(excluded), &format!("expected a number, found {}", kind(other)));
                }
            }
            out.extend(number.map(|number| (limit.to_owned(), number)));
        }
    }

    /// The names under `required`, without those that only go the other way.
    fn required(&mut self, value: &Value, map: &'d Map<String, Value>, at: &At) -> Converted {
        // In parameters, and by mistake in properties, it says that the value itself is required.
        if value.is_boolean() {
            return Ok(None);
        }
        let Some(mut names) = names_of(value) else { return Err("expected a list of names") };
        let marker = match self.direction {
            Direction::Request => "readOnly",
            Direction::Response => "writeOnly",
        };
        if let Some(Value::Object(properties)) = map.get("properties") {
            names.retain(|name| {
                let Some(property) = properties.get(*name) else { return true };
                let target = property.get("$ref").and_then(Value::as_str);
                let target = target.and_then(|text| self.documents.follow(at.document, text));
                let marked = |schema: &Value| schema.get(marker) == Some(&Value::Bool(true));
                !(marked(property) || target.is_some_and(|place| marked(place.value)))
            });
        }
        Ok(Some(json!(names)))
    }

    fn schemas_by_name(&mut self, value: &'d Value, at: &At, in_place: bool) -> Converted {
        let Value::Object(schemas) = value else { return Err("expected schemas by name") };
        let convert = |(name, schema): (&String, &'d Value)| {
            (name.clone(), self.schema(schema, &at.below(name), in_place))
        };
        Ok(Some(Value::Object(schemas.iter().map(convert).collect())))
    }

    fn patterns_to_schemas(&mut self, value: &'d Value, at: &At) -> Converted {
        let Value::Object(schemas) = value else { return Err("expected schemas by pattern") };
        let mut converted = Map::new();
        for (pattern, schema) in schemas {
            if self.is_pattern(pattern) {
                converted.insert(pattern.clone(), self.schema(schema, &at.below(pattern), false));
            } else {
                self.warn(&at.below(pattern), "the pattern is no regular expression that is understood here");
            }
        }
        Ok(Some(Value::Object(converted)))
    }

    fn list(&mut self, value: &'d Value, at: &At, in_place: bool) -> Converted {
        let Value::Array(items) = value else { return Err("expected a list of schemas") };
        if items.is_empty() {
            return Err("expected at least one schema");
        }
        let convert =
            |(index, item): (usize, &'d Value)| self.schema(item, &at.below(&index.to_string()), in_place);
        Ok(Some(items.iter().enumerate().map(convert).collect()))
    }

    fn is_pattern(&mut self, pattern: &str) -> bool {
        if let Some(known) = self.patterns.get(pattern) {
            return *known;
        }
        let valid = super::options().build(&json!({ "pattern": pattern })).is_ok();
        self.patterns.insert(pattern.to_owned(), valid);
        valid
    }
}

/// A keyword converted, one that means nothing here, or what is wrong with it.
type Converted = Result<Option<Value>, &'static str>;

/// Whether a schema is for what is no text, such as a file.
fn is_binary(schema: &Map<String, Value>) -> bool {
    let text = |key| schema.get(key).and_then(Value::as_str);
    let no_text = |media_type: &str| {
        let media_type = media::essence(media_type);
        media::kind(ContentTypes::NONE, &media_type).is_none()
    };
    text("format") == Some(BINARY)
        || (text("contentMediaType").is_some_and(no_text) && !schema.contains_key("contentEncoding"))
}

fn types(value: &Value) -> Converted {
    const EXPECTED: &str = "expected a type: null, boolean, object, array, number, integer or string";
    let known = |value: &Value| value.as_str().is_some_and(|name| TYPES.contains(&name));
    match value {
        // A file of OpenAPI 2.0 can be anything.
        Value::String(name) if name == "file" => Ok(None),
        Value::String(_) if known(value) => Ok(Some(value.clone())),
        Value::Array(list) if !list.is_empty() && list.iter().all(known) => {
            let mut unique: Vec<&Value> = Vec::new();
            for name in list {
                if !unique.contains(&name) {
                    unique.push(name);
                }
            }
            Ok(Some(json!(unique)))
        }
        _ => Err(EXPECTED),
    }
}

fn count(value: &Value) -> Converted {
    let whole = value.as_f64().filter(|number| *number >= 0.0 && number.fract() == 0.0 && *number < 1e15);
    // Just checked to be one.
    whole.map(|number| Some(Value::from(number as u64))).ok_or("expected a whole number from 0")
}

fn names_of(value: &Value) -> Option<Vec<&str>> {
    let mut names: Vec<&str> = value.as_array()?.iter().map(Value::as_str).collect::<Option<_>>()?;
    let mut seen = HashSet::new();
    names.retain(|name| seen.insert(*name));
    Some(names)
}

/// The same or null, which authors mean even where their standard would not say so.
fn with_null(mut out: Map<String, Value>) -> Value {
    let elsewhere = ["allOf", "anyOf", "oneOf", "not", "const", REF];
    if elsewhere.iter().any(|key| out.contains_key(*key)) {
        return json!({ "anyOf": [{ "type": "null" }, out] });
    }
    let types = match out.get("type") {
        None => None,
        Some(Value::Array(types)) => Some(types.clone()),
        Some(one) => Some(vec![one.clone()]),
    };
    if let Some(mut types) = types {
        if !types.contains(&"null".into()) {
            types.push("null".into());
        }
        out.insert("type".to_owned(), Value::Array(types));
    }
    if let Some(Value::Array(values)) = out.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    Value::Object(out)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}
