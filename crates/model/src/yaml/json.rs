//! JSON text into a `Value`, as `serde_json` reads it, with what it would keep to itself: keys given twice.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::limits::{MAX_WEIGHT, PathText, Warnings, weight_of_map, weight_of_text};

/// Reads a text that is JSON and nothing else.
pub(super) fn parse(text: &str) -> Result<(Value, Warnings), serde_json::Error> {
    let context = Context::default();
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Node { context: &context, path: Path::Root }.deserialize(&mut reader)?;
    reader.end()?;
    Ok((value, context.warnings.into_inner()))
}

/// The scalar at a path of keys, as written.
pub(super) fn scalar_text(text: &str, path: &[&str]) -> Result<Option<String>, serde_json::Error> {
    let mut text = text;
    for key in path {
        if !text.trim_start().starts_with('{') {
            return Ok(None);
        }
        let entries: HashMap<Cow<'_, str>, &RawValue> = serde_json::from_str(text)?;
        let Some(value) = entries.get(*key) else { return Ok(None) };
        text = value.get();
    }
    match text.as_bytes().first() {
        Some(b'{' | b'[') => Ok(None),
        Some(b'"') => serde_json::from_str(text).map(Some),
        _ => Ok(Some(text.to_owned())),
    }
}

#[derive(Default)]
struct Context {
    warnings: RefCell<Warnings>,
    weight: Cell<usize>,
}

/// Where the reader is: a list through the call stack, made into text only for a warning.
#[derive(Clone, Copy)]
enum Path<'p> {
    Root,
    Item(&'p Path<'p>, usize),
    Key(&'p Path<'p>, &'p str),
}

impl Path<'_> {
    fn write(&self, text: &mut PathText) {
        match self {
            Path::Root => {}
            Path::Item(parent, index) => {
                parent.write(text);
                text.item(*index);
            }
            Path::Key(parent, key) => {
                parent.write(text);
                text.key(key);
            }
        }
    }

    fn text(&self) -> String {
        let mut text = PathText::default();
        self.write(&mut text);
        text.finish()
    }
}

#[derive(Clone, Copy)]
struct Node<'c> {
    context: &'c Context,
    path: Path<'c>,
}

impl Node<'_> {
    fn charge<E: serde::de::Error>(&self, weight: usize) -> Result<(), E> {
        let total = self.context.weight.get().saturating_add(weight);
        self.context.weight.set(total);
        if total > MAX_WEIGHT { Err(E::custom("the document is too large")) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        self.charge(weight_of_text(0)).map(|()| Value::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Value, E> {
        self.charge(weight_of_text(0)).map(|()| value.into())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        self.charge(weight_of_text(0)).map(|()| value.into())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        self.charge(weight_of_text(0)).map(|()| value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        self.charge(weight_of_text(0)).map(|()| value.into())
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        self.charge(weight_of_text(value.len())).map(|()| value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        self.charge(weight_of_text(0))?;
        let mut items = Vec::new();
        while let Some(item) =
            access.next_element_seed(Node { path: Path::Item(&self.path, items.len()), ..self })?
        {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        self.charge(weight_of_map())?;
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            self.charge::<A::Error>(weight_of_text(key.len()))?;
            let path = Path::Key(&self.path, &key);
            let value = access.next_value_seed(Node { path, ..self })?;
            if map.contains_key(&key) {
                self.context.warnings.borrow_mut().duplicate_key(None, || path.text());
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}
