//! Forms in parts: each part as the value that the schema of its property means. Taking a body apart is left to
//! `crate::multipart`.

use engine::Problem;
use model::settings::ContentTypes;
use serde_json::{Map, Value};

use super::{
    check::Check,
    parameter::{Expected, Sent},
    plan::BodyExpected,
};
use crate::{
    media::{self, Kind},
    multipart::{self, Part},
    schemas::{Shape, problem_at},
};

const SEVERAL: &str = "expected one value, found several";
const NO_JSON: &str = "expected JSON";

impl Check<'_> {
    /// Checks a form against its schema and the content types that its parts may have.
    pub(super) fn parts(
        &mut self,
        content_type: &str,
        body: &[u8],
        expected: &BodyExpected,
        fields: &[Expected],
    ) {
        let Some(boundary) = multipart::boundary(content_type) else {
            self.add(problem_at("header.content-type", "expected one boundary that can be read"));
            return;
        };
        let parts = match multipart::parts(body, &boundary, self.switches.parts) {
            Ok(parts) => parts,
            Err(problem) => return self.add(problem_at("body", problem)),
        };
        for (name, types) in &expected.encodings {
            let fits = |part: &Part<'_>| {
                let found = part.media_type.as_deref().unwrap_or("text/plain");
                types.iter().any(|range| media::covers(range, found) > 0)
            };
            if !parts.iter().filter(|part| *part.name == *name).all(fits) {
                let message = format!("expected the content type {}", types.join(", "));
                self.add(problem_at(below(name), message));
            }
        }
        for field in fields {
            let own: Vec<&Part<'_>> = parts.iter().filter(|part| *part.name == *field.name).collect();
            let sent = match (own.as_slice(), &field.shape.items) {
                ([], _) => Sent::Nothing,
                ([part], None) => one(self.types, &field.shape, part),
                (several, Some(item)) => list(self.types, item, several),
                _ => Sent::Unreadable(SEVERAL),
            };
            self.sent("body", field, sent);
        }
        let object = expected.shape.as_ref().and_then(|shape| shape.object.as_ref());
        let (Some(schema), Some(object)) = (expected.schema, object) else { return };
        let mut map = Map::new();
        for part in &parts {
            let shape = object.shape(&part.name);
            let item = shape.and_then(|shape| shape.items.as_deref());
            let any = Shape::default();
            match (map.get_mut(&*part.name), item) {
                (None, None) => match one(self.types, shape.unwrap_or(&any), part) {
                    Sent::Value(value, _) => drop(map.insert(part.name.to_string(), value)),
                    other => return self.unreadable(part, object.named.contains_key(&*part.name), other),
                },
                (None, Some(item)) => match list(self.types, item, &[part]) {
                    Sent::Value(value, _) => drop(map.insert(part.name.to_string(), value)),
                    other => return self.unreadable(part, true, other),
                },
                (Some(Value::Array(items)), Some(item)) => match one(self.types, item, part) {
                    Sent::Value(value, _) => items.push(value),
                    other => return self.unreadable(part, true, other),
                },
                _ => {
                    return self.unreadable(
                        part,
                        object.named.contains_key(&*part.name),
                        Sent::Unreadable(SEVERAL),
                    );
                }
            }
        }
        self.value(schema, &Value::Object(map), body.len(), "body");
    }

    /// Names that the definition does not know are the client's, and are not told.
    fn unreadable(&mut self, part: &Part<'_>, known: bool, sent: Sent) {
        if let Sent::Unreadable(problem) = sent {
            self.add(self::problem(if known { below(&part.name) } else { "body".to_owned() }, problem));
        }
    }
}

fn problem(location: String, message: &'static str) -> Problem {
    problem_at(location, message)
}

/// The place of a part, as that of a property.
fn below(name: &str) -> String {
    let mut location = "body".to_owned();
    model::source::push_key(&mut location, name);
    location
}

/// What one part is.
fn one(types: &ContentTypes, shape: &Shape, part: &Part<'_>) -> Sent {
    let kind = part.media_type.as_deref().map(|media_type| media::kind(types, media_type));
    let is_text = matches!(kind, None | Some(Some(Kind::Text)));
    // Of a file it is only known that it is there.
    if shape.binary
        || (!shape.string && !is_structure(shape) && (part.is_file || !is_text))
            && kind != Some(Some(Kind::Json))
    {
        return Sent::Value(Value::String(String::new()), None);
    }
    // Objects are JSON unless they say otherwise (OpenAPI 3, encoding object).
    if kind == Some(Some(Kind::Json)) || (is_structure(shape) && !shape.string) {
        return match serde_json::from_slice(part.content) {
            Ok(value) => Sent::Value(value, None),
            Err(_) => Sent::Unreadable(NO_JSON),
        };
    }
    match std::str::from_utf8(part.content) {
        Ok(text) => Sent::Value(shape.scalar(text.to_owned()), None),
        Err(_) => Sent::Unreadable("expected UTF-8 text"),
    }
}

fn is_structure(shape: &Shape) -> bool {
    shape.object.is_some() || shape.items.is_some()
}

/// Parts of one name as a list; one of them may be the whole list, as JSON.
fn list(types: &ContentTypes, item: &Shape, parts: &[&Part<'_>]) -> Sent {
    let mut items = Vec::with_capacity(parts.len());
    for part in parts {
        match one(types, item, part) {
            Sent::Value(Value::Array(whole), _) if parts.len() == 1 && item.items.is_none() => {
                return Sent::Value(Value::Array(whole), None);
            }
            Sent::Value(value, _) => items.push(value),
            other => return other,
        }
    }
    Sent::Value(Value::Array(items), None)
}
