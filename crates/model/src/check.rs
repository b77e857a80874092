//! Checks a document against the JSON Schema of its type and says everything that is wrong with it at once.
//!
//! Covers what schemars writes for our types; what a schema cannot say (an address, a template) is found by
//! deserialising afterwards. The wording of what was found and expected is in [`words`].

use std::{
    any::TypeId,
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

use crate::{
    ByteSize, Diagnostic, Diagnostics, Duration, Percent, Secret,
    diagnostic::{join, nearest},
};

mod defaults;
mod object;
mod union;
mod words;

pub use defaults::strip_defaults;

#[cfg(test)]
mod tests;

/// Deepest nesting that is looked at; the JSON parser stops at 128 as well.
const MAX_DEPTH: usize = 128;
/// Most places looked at; an attempt at an alternative counts tenfold, since attempts within attempts multiply.
const MAX_VISITS: u32 = 2_000_000;
/// Most problems that only deserialising finds, each of which costs another pass.
const MAX_PASSES: usize = 32;

/// The JSON Schema (draft 2020-12) of what users write for `T`.
pub fn schema_of<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().into()
}

/// The same, made once for each type.
pub fn known_schema<T: JsonSchema + 'static>() -> Arc<Value> {
    static KNOWN: Mutex<BTreeMap<TypeId, Arc<Value>>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(known.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(schema_of::<T>())))
}

/// Every problem that `value` has by `schema`. A null under an optional key counts as absent.
pub fn check(schema: &Value, value: &Value) -> Vec<Diagnostic> {
    run(schema, value).problems
}

/// Checks against the schema of `T`, then deserialises.
pub fn parse<T: DeserializeOwned + JsonSchema + 'static>(mut value: Value) -> Result<T, Diagnostics> {
    let report = run(&known_schema::<T>(), &value);
    if !report.problems.is_empty() {
        return Err(Diagnostics(report.problems));
    }
    for place in &report.absent {
        remove(&mut value, place);
    }
    deserialize(value)
}

/// Deserialises; each part that is refused is taken out and the rest tried again, so that all refusals are told.
fn deserialize<T: DeserializeOwned>(mut value: Value) -> Result<T, Diagnostics> {
    let mut problems = Diagnostics::default();
    let mut removed: Vec<Vec<Place>> = Vec::new();
    for _ in 0..MAX_PASSES {
        let error = match serde_path_to_error::deserialize::<_, T>(&value) {
            Ok(parsed) if problems.is_empty() => return Ok(parsed),
            Ok(_) => break,
            Err(error) => error,
        };
        let mut place = places(error.path(), &value);
        // A required key is missed once it was taken out: that says nothing about the document.
        if !removed.iter().any(|gone| gone.starts_with(&place)) {
            problems.push(refusal(&error, &place, &value));
        }
        // Taking an entry out of a list would move the others, so the list goes as a whole.
        while matches!(place.last(), Some(Place::Index(_))) {
            place.pop();
        }
        if place.is_empty() {
            break;
        }
        remove(&mut value, &place);
        removed.push(place);
    }
    Err(problems)
}

fn refusal(
    error: &serde_path_to_error::Error<serde_json::Error>,
    place: &[Place],
    value: &Value,
) -> Diagnostic {
    let text = error.inner().to_string();
    let message = match find(value, place) {
        // Errors of the standard library do not say what they were given.
        Some(Value::String(found)) if !text.contains("found") && !text.contains(&words::quoted(found)) => {
            format!("found {}: {text}", words::found(&Value::String(found.clone()), false))
        }
        _ => text,
    };
    Diagnostic::error(render(place), message)
}

/// One step from a value to a value inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Key(String),
    Index(usize),
}

fn render(places: &[Place]) -> String {
    places.iter().fold(String::new(), |path, place| match place {
        Place::Key(key) => join(&path, key),
        Place::Index(index) => format!("{path}[{index}]"),
    })
}

fn find<'v>(value: &'v Value, places: &[Place]) -> Option<&'v Value> {
    places.iter().try_fold(value, |value, place| match place {
        Place::Key(key) => value.get(key),
        Place::Index(index) => value.get(index),
    })
}

fn remove(value: &mut Value, places: &[Place]) {
    let Some((Place::Key(key), parents)) = places.split_last() else { return };
    let parent = parents.iter().try_fold(value, |value, place| match place {
        Place::Key(key) => value.get_mut(key),
        Place::Index(index) => value.get_mut(index),
    });
    if let Some(Value::Object(parent)) = parent {
        parent.shift_remove(key);
    }
}

/// The path of an error as places that exist in the document; variants that are no key of it are left out.
fn places(path: &serde_path_to_error::Path, value: &Value) -> Vec<Place> {
    let mut at = Some(value);
    let mut places = Vec::new();
    for segment in path {
        let place = match segment {
            Segment::Seq { index } => Place::Index(*index),
            Segment::Map { key } => Place::Key(key.clone()),
            Segment::Enum { variant } if at.is_some_and(|value| value.get(variant).is_some()) => {
                Place::Key(variant.clone())
            }
            Segment::Enum { .. } | Segment::Unknown => continue,
        };
        at = at.and_then(|value| find(value, std::slice::from_ref(&place)));
        places.push(place);
    }
    places
}

fn run(schema: &Value, value: &Value) -> Report {
    let mut walk =
        Walk { root: schema, path: Vec::new(), report: Report::default(), depth: 0, visits: 0, attempts: 0 };
    walk.visit(schema, value);
    if walk.visits >= MAX_VISITS {
        walk.problem("too large to be checked; split the document");
    }
    walk.report
}

/// What is wrong, and which keys hold a null that stands for nothing.
#[derive(Default)]
struct Report {
    problems: Vec<Diagnostic>,
    absent: Vec<Vec<Place>>,
}

struct Walk<'s> {
    root: &'s Value,
    path: Vec<Place>,
    report: Report,
    depth: usize,
    visits: u32,
    /// Alternatives being tried, one inside the other.
    attempts: u32,
}

impl<'s> Walk<'s> {
    fn visit(&mut self, schema: &'s Value, value: &Value) {
        if self.visits >= MAX_VISITS {
            return;
        }
        self.visits += if self.attempts == 0 { 1 } else { 10 };
        if self.depth >= MAX_DEPTH {
            self.problem(format!("nested deeper than {MAX_DEPTH} levels"));
        } else {
            self.depth += 1;
            self.inspect(schema, value);
            self.depth -= 1;
        }
    }

    fn inspect(&mut self, schema: &'s Value, value: &Value) {
        let parts = parts(self.root, schema);
        if let Some(scalar) = parts.iter().find_map(|part| Scalar::of(part)) {
            if !(value.is_null() && words::allows(&parts, "null")) {
                self.scalar(scalar, value);
            }
            return;
        }
        if let Some(known) = words::literals(&parts) {
            if !known.contains(&value) {
                self.unknown_literal(&known, value);
            }
            return;
        }
        if !words::fits(&parts, value) {
            let hide = self.may_hold_secret(&parts) || parts.iter().any(|part| union::is_secret(part));
            let message = format!(
                "found {}, expected {}",
                words::found(value, hide),
                words::expected(self.root, &parts, value)
            );
            self.report(Diagnostic { help: words::quoting(&parts, value, hide), ..self.error(message) });
            return;
        }
        for part in &parts {
            for keyword in ["oneOf", "anyOf"] {
                if let Some(Value::Array(branches)) = part.get(keyword) {
                    self.union(branches, value);
                }
            }
        }
        match value {
            Value::Object(members) => self.object(&parts, members),
            Value::Array(items) => self.array(&parts, items),
            _ => {}
        }
    }

    fn array(&mut self, parts: &[&'s Map<String, Value>], items: &[Value]) {
        for part in parts {
            let fixed = part.get("prefixItems").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            for (index, item) in items.iter().enumerate() {
                if let Some(schema) = fixed.get(index).or_else(|| part.get("items")) {
                    self.inside(Place::Index(index), |walk| walk.visit(schema, item));
                }
            }
            if part.get("uniqueItems") == Some(&Value::Bool(true)) {
                for (index, item) in items.iter().enumerate() {
                    if items[..index].contains(item) {
                        self.inside(Place::Index(index), |walk| {
                            walk.problem("the list has this entry already")
                        });
                    }
                }
            }
        }
    }

    fn scalar(&mut self, scalar: Scalar, value: &Value) {
        let expected = scalar.expected();
        let hide = scalar == Scalar::Secret;
        let message = match value {
            Value::String(text) => match scalar.parse(text) {
                Ok(()) => return,
                Err(error) if hide => error,
                Err(_) => format!("found {}, expected {expected}", words::quoted(text)),
            },
            other => format!("found {}, expected {expected}", words::found(other, hide)),
        };
        self.problem(message);
    }

    fn unknown_literal(&mut self, known: &[&Value], value: &Value) {
        let found = match value {
            Value::String(text) => words::quoted(text),
            other => words::found(other, false),
        };
        let names = known.iter().filter_map(|known| known.as_str());
        let help = match value {
            Value::String(text) => {
                nearest(text, names).map(|name| format!("did you mean {}?", words::quoted(name)))
            }
            Value::Number(_) | Value::Bool(_) => {
                let text = value.to_string();
                names
                    .into_iter()
                    .find(|name| *name == text)
                    .map(|name| format!("write it in quotes: \"{name}\""))
            }
            _ => None,
        };
        let message = format!("found {found}, expected {}", words::one_of(known));
        self.report(Diagnostic { help, ..self.error(message) });
    }

    /// Whether a secret is expected here or just below, so that what was found instead might be one.
    fn may_hold_secret(&self, parts: &[&'s Map<String, Value>]) -> bool {
        let secret =
            |schema: &'s Value| self::parts(self.root, schema).iter().any(|part| union::is_secret(part));
        parts.iter().any(|part| {
            let properties = part.get("properties").and_then(Value::as_object);
            let unions = ["oneOf", "anyOf"].into_iter().filter_map(|key| part.get(key)?.as_array()).flatten();
            properties.into_iter().flat_map(Map::values).chain(unions).chain(part.get("items")).any(
                |schema| {
                    secret(schema)
                        || ["anyOf", "oneOf"]
                            .into_iter()
                            .filter_map(|key| schema.get(key)?.as_array())
                            .flatten()
                            .any(secret)
                },
            )
        })
    }

    fn inside(&mut self, place: Place, check: impl FnOnce(&mut Self)) {
        self.path.push(place);
        check(self);
        self.path.pop();
    }

    fn error(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(render(&self.path), message)
    }

    fn problem(&mut self, message: impl Into<String>) {
        let problem = self.error(message);
        self.report(problem);
    }

    fn report(&mut self, problem: Diagnostic) {
        self.report.problems.push(problem);
    }
}

/// A schema and all that it takes in by reference, which apply together.
fn parts<'s>(root: &'s Value, schema: &'s Value) -> Vec<&'s Map<String, Value>> {
    let mut parts: Vec<&Map<String, Value>> = Vec::with_capacity(2);
    let mut open = vec![schema];
    // The length bounds references that lead back to themselves.
    while let Some(Value::Object(part)) = open.pop()
        && parts.len() < 32
    {
        parts.push(part);
        if let Some(reference) = part.get("$ref").and_then(Value::as_str) {
            open.extend(reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer)));
        }
        open.extend(part.get("allOf").and_then(Value::as_array).into_iter().flatten());
    }
    parts
}

/// Our scalars, whose text is checked by their own parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scalar {
    Duration,
    ByteSize,
    Percent,
    Secret,
}

impl Scalar {
    /// Recognised by the pattern: the name of a definition may have been numbered, and a root has none.
    fn of(part: &Map<String, Value>) -> Option<Self> {
        static PATTERNS: OnceLock<[(Scalar, Value); 4]> = OnceLock::new();
        let pattern = part.get("pattern")?;
        let patterns = PATTERNS.get_or_init(|| {
            let pattern = |schema: Value| schema.get("pattern").cloned().unwrap_or_default();
            [
                (Self::Duration, pattern(schema_of::<Duration>())),
                (Self::ByteSize, pattern(schema_of::<ByteSize>())),
                (Self::Percent, pattern(schema_of::<Percent>())),
                (Self::Secret, pattern(schema_of::<Secret>())),
            ]
        });
        patterns.iter().find(|(_, known)| known == pattern).map(|(scalar, _)| *scalar)
    }

    fn parse(self, text: &str) -> Result<(), String> {
        match self {
            Self::Duration => text.parse::<Duration>().map(drop),
            Self::ByteSize => text.parse::<ByteSize>().map(drop),
            Self::Percent => text.parse::<Percent>().map(drop),
            Self::Secret => serde_json::from_value::<Secret>(Value::from(text))
                .map(drop)
                .map_err(|error| error.to_string()),
        }
    }

    /// What the parser says it expects, of which the scalar's own module is the one source.
    fn expected(self) -> String {
        let error = self.parse("").err().unwrap_or_default();
        let expected = error.split_once("expected ").map_or(error.as_str(), |(_, expected)| expected);
        expected.split_once(", found").map_or(expected, |(expected, _)| expected).to_owned()
    }
}
