//! Parameters out of a request: what a style writes as text, read into the value that the schema means.

use std::sync::Arc;

use model::{
    api::{Parameter, ParameterLocation, ParameterStyle},
    source::percent_decode,
};
use serde_json::{Map, Value};

use crate::schemas::{Properties, SchemaId, Shape};

/// A parameter that is checked.
pub struct Expected {
    pub name: String,
    pub location: ParameterLocation,
    pub required: bool,
    pub style: ParameterStyle,
    pub explode: bool,
    pub schema: Option<SchemaId>,
    pub shape: Arc<Shape>,
}

/// What was sent for a parameter.
#[derive(Debug, PartialEq)]
pub enum Sent {
    Nothing,
    /// The value, and where a text could be something else the text itself.
    Value(Value, Option<Value>),
    /// What cannot be read, and why.
    Unreadable(&'static str),
}

/// Names and values of a query or a form; names are decoded, values as they came.
pub struct Pairs<'r>(pub Vec<(String, &'r str)>);

impl<'r> Pairs<'r> {
    /// `false`: the text is not one of pairs, or not UTF-8 once decoded.
    pub fn read(text: &'r str) -> Option<Self> {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let read = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name, true)?, value))
        });
        Some(Self(read.collect::<Option<_>>()?))
    }

    fn of<'p>(&'p self, name: &str) -> Vec<&'r str> {
        self.0.iter().filter(|(own, _)| own == name).map(|(_, value)| *value).collect()
    }
}

/// Decodes `%41`, and in queries and forms `+`. `None`: what comes out is no text.
fn decode(text: &str, plus: bool) -> Option<String> {
    if plus && text.contains('+') { percent_decode(&text.replace('+', " ")) } else { percent_decode(text) }
}

const NO_TEXT: &str = "expected UTF-8 text";
const SEVERAL: &str = "expected one value, found several";

/// The fields of a form as an object.
pub fn form(object: &Properties, pairs: &Pairs<'_>) -> Sent {
    let decoded = pairs.0.iter().map(|(name, value)| Some((name.clone(), decode(value, true)?)));
    match decoded.collect::<Option<Vec<_>>>() {
        Some(members) => object_of(object, members),
        None => Sent::Unreadable(NO_TEXT),
    }
}

/// Names and texts as an object; only a list can have several of one name.
fn object_of(object: &Properties, members: Vec<(String, String)>) -> Sent {
    let mut map = Map::new();
    for (name, text) in members {
        let shape = object.shape(&name);
        let list = shape.and_then(|shape| shape.items.as_deref());
        match (map.get_mut(&name), list) {
            (None, None) => {
                let value = match shape {
                    Some(shape) => shape.scalar(text),
                    None => Value::String(text),
                };
                map.insert(name, value);
            }
            (None, Some(item)) => {
                map.insert(name, Value::Array(vec![item.scalar(text)]));
            }
            (Some(Value::Array(items)), Some(item)) => items.push(item.scalar(text)),
            (Some(_), _) => return Sent::Unreadable(SEVERAL),
        }
    }
    Sent::Value(Value::Object(map), None)
}

impl Expected {
    pub fn new(parameter: &Parameter, schema: Option<SchemaId>, shape: Arc<Shape>) -> Self {
        Self {
            name: parameter.name.clone(),
            location: parameter.location,
            required: parameter.required,
            style: parameter.style,
            explode: parameter.explode,
            schema,
            shape,
        }
    }

    /// Whether a name in the query belongs to this parameter.
    pub fn owns(&self, name: &str) -> bool {
        match (&self.shape.object, self.style) {
            (Some(_), ParameterStyle::DeepObject) => {
                name.strip_prefix(&*self.name).is_some_and(|rest| rest.starts_with('['))
            }
            (Some(object), ParameterStyle::Form) if self.explode => {
                object.open && object.others.is_some() || object.named.contains_key(name)
            }
            _ => name == self.name,
        }
    }

    /// The value in a query, a form or cookies.
    pub fn in_pairs(&self, pairs: &Pairs<'_>, plus: bool) -> Sent {
        if let Some(object) = &self.shape.object {
            let property = match self.style {
                ParameterStyle::DeepObject => |own: &str, name: &str| {
                    let rest = name.strip_prefix(own)?.strip_prefix('[')?.strip_suffix(']')?;
                    Some(rest.to_owned())
                },
                _ => |_: &str, name: &str| Some(name.to_owned()),
            };
            if self.style == ParameterStyle::DeepObject || self.style == ParameterStyle::Form && self.explode
            {
                let mut members = Vec::new();
                for (name, value) in pairs.0.iter().filter(|(name, _)| self.owns(name)) {
                    let Some(value) = decode(value, plus) else { return Sent::Unreadable(NO_TEXT) };
                    let Some(name) = property(&self.name, name) else {
                        return Sent::Unreadable("expected `name[property]=value`");
                    };
                    members.push((name, value));
                }
                if members.is_empty() {
                    return Sent::Nothing;
                }
                return object_of(object, members);
            }
        }
        let values = pairs.of(&self.name);
        let Some(first) = values.first() else { return Sent::Nothing };
        if let (Some(item), true) = (&self.shape.items, self.explode) {
            let items = values.iter().map(|value| Some(item.scalar(decode(value, plus)?)));
            // One empty text is how an empty list is written, unless that is an item.
            if values == [""] && !item.string {
                return Sent::Value(Value::Array(Vec::new()), None);
            }
            return match items.collect::<Option<Vec<_>>>() {
                Some(items) => Sent::Value(Value::Array(items), None),
                None => Sent::Unreadable(NO_TEXT),
            };
        }
        if values.len() > 1 {
            return Sent::Unreadable(SEVERAL);
        }
        self.text(first, Some(plus))
    }

    /// The value of a header, its lines joined.
    pub fn in_header(&self, text: &str) -> Sent {
        self.text(text.trim(), None)
    }

    /// The value in a path segment, as it was sent.
    pub fn in_path(&self, text: &str) -> Sent {
        let own = format!(";{}=", self.name);
        match self.style {
            ParameterStyle::Label => match text.strip_prefix('.') {
                Some(text) => self.split(text, if self.explode { "." } else { "," }, Some(false)),
                None => Sent::Unreadable("expected a `.` in front"),
            },
            ParameterStyle::Matrix if self.explode && self.shape.object.is_some() => {
                match text.strip_prefix(';') {
                    Some(text) => self.split(text, ";", Some(false)),
                    None => Sent::Unreadable("expected a `;` in front"),
                }
            }
            ParameterStyle::Matrix => match text.strip_prefix(&*own) {
                Some(rest) if self.explode && self.shape.items.is_some() => {
                    let rest = rest.replace(&own, ",");
                    self.split(&rest, ",", Some(false))
                }
                Some(rest) => self.split(rest, ",", Some(false)),
                None => Sent::Unreadable("expected `;name=` in front"),
            },
            _ => self.text(text, Some(false)),
        }
    }

    /// A value in one text. `decoded`: whether `+` means a space; `None` where nothing is decoded.
    fn text(&self, text: &str, decoded: Option<bool>) -> Sent {
        match self.style {
            ParameterStyle::Json => {
                let text = match decoded {
                    Some(plus) => decode(text, plus),
                    None => Some(text.to_owned()),
                };
                match text.and_then(|text| serde_json::from_str(&text).ok()) {
                    Some(value) => Sent::Value(value, None),
                    None => Sent::Unreadable("expected JSON"),
                }
            }
            ParameterStyle::SpaceDelimited => {
                let text = text.replace("%20", " ").replace('+', " ");
                self.split(&text, " ", decoded)
            }
            ParameterStyle::PipeDelimited => {
                let text = text.replace("%7C", "|").replace("%7c", "|");
                self.split(&text, "|", decoded)
            }
            ParameterStyle::TabDelimited => self.split(&text.replace("%09", "\t"), "\t", decoded),
            _ => self.split(text, ",", decoded),
        }
    }

    /// Lists and objects taken apart before they are decoded: an encoded delimiter is data.
    fn split(&self, text: &str, delimiter: &str, decoded: Option<bool>) -> Sent {
        let plain = |text: &str| match decoded {
            Some(plus) => decode(text, plus),
            None => Some(text.trim().to_owned()),
        };
        let read = || -> Option<Sent> {
            if let Some(item) = &self.shape.items {
                if text.is_empty() {
                    return Some(Sent::Value(Value::Array(Vec::new()), None));
                }
                let items = text.split(delimiter).map(|part| Some(item.scalar(plain(part)?)));
                return Some(Sent::Value(Value::Array(items.collect::<Option<_>>()?), None));
            }
            if let Some(object) = &self.shape.object {
                let mut map = Map::new();
                let mut parts = text.split(delimiter).filter(|part| !part.is_empty());
                while let Some(part) = parts.next() {
                    let pair =
                        if self.explode { part.split_once('=') } else { parts.next().map(|v| (part, v)) };
                    let Some((name, value)) = pair else {
                        return Some(Sent::Unreadable("expected names and values in turn"));
                    };
                    let (name, value) = (plain(name)?, plain(value)?);
                    let value = match object.shape(&name) {
                        Some(shape) => shape.scalar(value),
                        None => Value::String(value),
                    };
                    if map.insert(name, value).is_some() {
                        return Some(Sent::Unreadable(SEVERAL));
                    }
                }
                return Some(Sent::Value(Value::Object(map), None));
            }
            let text = plain(text)?;
            let value = self.shape.scalar(text.clone());
            let other = (self.shape.string && !value.is_string()).then_some(Value::String(text));
            Some(Sent::Value(value, other))
        };
        read().unwrap_or(Sent::Unreadable(NO_TEXT))
    }
}
