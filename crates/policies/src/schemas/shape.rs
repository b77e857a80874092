//! What a schema lets a text be: numbers, lists, objects. Parameters and form fields are read by it.

use std::collections::HashMap;

use serde_json::{Number, Value};

use super::{REF, convert::BINARY};

/// The kinds of values that a schema may mean, read off its types. Without any, a text is a text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shape {
    pub string: bool,
    pub number: bool,
    pub boolean: bool,
    pub null: bool,
    /// What is no text, such as a file.
    pub binary: bool,
    /// A list, and what its items are.
    pub items: Option<Box<Shape>>,
    pub object: Option<Properties>,
}

/// The properties of an object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Properties {
    pub named: HashMap<String, Shape>,
    /// Other properties, where a schema for them says what they are.
    pub others: Option<Box<Shape>>,
    /// Whether there may be others.
    pub open: bool,
}

/// How far schemas are followed; parameters are not nested deeper in any style.
const DEPTH: usize = 6;
/// Most schemas that are looked at for one parameter: choices inside choices would multiply.
const MOST: usize = 2000;

impl Shape {
    /// The shape of a schema, with others found by number.
    pub(super) fn of(find: &dyn Fn(u32) -> Value, schema: u32) -> Self {
        let mut shape = Self::default();
        let mut left = MOST;
        shape.learn(&find(schema), find, DEPTH, &mut left);
        shape
    }

    fn learn(&mut self, schema: &Value, find: &dyn Fn(u32) -> Value, depth: usize, left: &mut usize) {
        let Value::Object(map) = schema else { return };
        let (Some(depth), Some(rest)) = (depth.checked_sub(1), left.checked_sub(1)) else { return };
        *left = rest;
        let number = map.get(REF).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
        if let Some(number) = number {
            self.learn(&find(number), find, depth, left);
        }
        for key in ["allOf", "anyOf", "oneOf"] {
            for schema in map.get(key).and_then(Value::as_array).into_iter().flatten() {
                self.learn(schema, find, depth, left);
            }
        }
        match map.get("type") {
            Some(Value::String(name)) => self.add(name),
            Some(Value::Array(names)) => {
                names.iter().filter_map(Value::as_str).for_each(|name| self.add(name))
            }
            _ => {
                let values = map.get("enum").and_then(Value::as_array).into_iter().flatten();
                values.chain(map.get("const")).for_each(|value| self.add(type_of(value)));
                // Properties and items without a type are a frequent slip.
                if map.contains_key("properties") {
                    self.add("object");
                }
                if map.contains_key("items") {
                    self.add("array");
                }
            }
        }
        self.binary |= map.get("format").and_then(Value::as_str) == Some(BINARY);
        if let (Some(items), Some(schema)) = (&mut self.items, map.get("items")) {
            items.learn(schema, find, depth, left);
        }
        if let Some(object) = &mut self.object {
            for (name, schema) in map.get("properties").and_then(Value::as_object).into_iter().flatten() {
                object.named.entry(name.clone()).or_default().learn(schema, find, depth, left);
            }
            match map.get("additionalProperties") {
                Some(Value::Bool(open)) => object.open = *open,
                Some(schema) => {
                    object.others.get_or_insert_default().learn(schema, find, depth, left);
                }
                None => {}
            }
        }
    }

    fn add(&mut self, name: &str) {
        match name {
            "string" => self.string = true,
            "number" | "integer" => self.number = true,
            "boolean" => self.boolean = true,
            "null" => self.null = true,
            "array" => {
                self.items.get_or_insert_default();
            }
            "object" => {
                self.object.get_or_insert_with(|| Properties { open: true, ..Properties::default() });
            }
            _ => {}
        }
    }

    /// A text as the value that it means; a text that means nothing else stays one.
    pub fn scalar(&self, text: String) -> Value {
        if self.number
            && let Some(number) = number(&text)
        {
            return Value::Number(number);
        }
        match text.as_str() {
            "true" if self.boolean => Value::Bool(true),
            "false" if self.boolean => Value::Bool(false),
            "" | "null" if self.null && !self.string => Value::Null,
            _ => Value::String(text),
        }
    }
}

impl Properties {
    pub fn shape(&self, name: &str) -> Option<&Shape> {
        self.named.get(name).or(self.others.as_deref())
    }
}

/// A number, if the text is one as JSON writes them.
fn number(text: &str) -> Option<Number> {
    let starts = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    // More digits than this are no number that anybody counts with.
    if starts && text.len() <= 64 { text.parse().ok() } else { None }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
