//! JSON as tokens may have it: every name once in its object, and neither deep nor wide (RFC 8725, 2.4; RFC 7515, 4).

use std::{cell::Cell, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Values in one document, those in lists and objects included.
const MOST_VALUES: usize = 2_000;

/// An object; `None` when it is none, or one that no honest issuer writes.
pub(crate) fn object(bytes: &[u8], depth: u8) -> Option<Map<String, Value>> {
    let left = Cell::new(MOST_VALUES);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Bounded { depth, left: &left }.deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    match value {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

#[derive(Clone, Copy)]
struct Bounded<'l> {
    depth: u8,
    left: &'l Cell<usize>,
}

impl Bounded<'_> {
    fn inner<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("too deep"))?;
        Ok(Self { depth, ..self })
    }

    fn count<E: Error>(self) -> Result<(), E> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| E::custom("too many values"))?;
        self.left.set(left);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(inner)?;
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a name twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_small_objects_with_every_name_once_are_read() {
        for (text, read) in [
            (r#"{"a":1,"b":[true,null,"x",1.5,-2]}"#.to_owned(), true),
            (r#"{"a":1,"a":1}"#.to_owned(), false),
            (r#"{"x":{"a":1,"a":2}}"#.to_owned(), false),
            ("[]".to_owned(), false),
            (r#"{"a":1} {}"#.to_owned(), false),
            (r#"{"a":"#.to_owned(), false),
            (r#"{"a":{"a":{"a":1}}}"#.to_owned(), true),
            (r#"{"a":{"a":{"a":{}}}}"#.to_owned(), false),
            (format!(r#"{{"a":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000)), false),
            (format!(r#"{{"a":[{}0]}}"#, "0,".repeat(MOST_VALUES)), false),
        ] {
            assert_eq!(object(text.as_bytes(), 3).is_some(), read, "{text:.60}");
        }
    }
}
