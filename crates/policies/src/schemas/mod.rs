//! The schemas of a definition, ready to check values against.
//!
//! Every schema that operations or other schemas refer to is converted once, when the API is compiled, which finds
//! everything that is wrong with it, and kept as text, without descriptions and examples. Its validator is made when
//! the first value meets it. What it refers to is not compiled into it: a reference is a keyword of our own that
//! hands the value to the validator of the other schema, so a schema that a thousand operations share is compiled
//! once, circles need no special care, and memory is bounded by the size of the definition. Only schemas with
//! `unevaluatedProperties` or `unevaluatedItems`, which have to see through references, carry copies of what they
//! refer to.
//!
//! Hostile values are bounded by a budget of followed references; without it, choices in a circular schema could
//! double the work with each level.

mod convert;
mod problem;
mod shape;
#[cfg(test)]
mod suite;
#[cfg(test)]
mod tests;

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    sync::{Arc, OnceLock},
};

use engine::Problem;
use jsonschema::{Draft, Keyword, PatternOptions, ValidationError, ValidationOptions, Validator};
use model::source::Documents;
use serde_json::{Map, Value, json};

pub use convert::Direction;
use convert::{Converter, REF};
pub use problem::at as problem_at;
pub use shape::{Properties, Shape};

/// A schema of `Schemas`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaId(u32);

impl SchemaId {
    /// The same for the same schema.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// Most text that schemas may come to; those behind are not checked.
const MAX_TEXT: usize = 64 << 20;
/// References that a check may follow, beside one for each byte of the value's text.
const BUDGET: u64 = 100_000;
/// References that may be followed inside of each other. A value is at most 128 deep; the stack of a worker is not
/// endless either.
const MAX_FOLLOWED: u32 = 400;
/// Largest text of a value whose problems are told one by one: each takes some hundred bytes to find.
const MAX_TOLD: usize = 32 << 10;

/// Schemas that refer to each other.
#[derive(Default)]
pub struct Schemas {
    slots: Arc<Slots>,
}

#[derive(Default)]
struct Slots(Vec<Slot>);

struct Slot {
    text: Box<str>,
    unevaluated: bool,
    /// `None`: it does not compile, which converting should have made impossible; nothing is checked then.
    validator: OnceLock<Option<Validator>>,
}

/// Takes the schemas out of a definition.
pub struct Builder<'d> {
    documents: &'d Documents,
    converter: Converter<'d>,
}

impl<'d> Builder<'d> {
    pub fn new(documents: &'d Documents, direction: Direction) -> Self {
        Self { documents, converter: Converter::new(documents, direction) }
    }

    /// The schema at an address of an operation; `None` when there is nothing to check.
    pub fn add(&mut self, address: &str) -> Option<SchemaId> {
        match self.documents.at(address) {
            Some(place) => Some(SchemaId(self.converter.number(place))),
            None => {
                self.converter.warn_of(address, "there is no schema; nothing is checked");
                None
            }
        }
    }

    /// Converts everything. Warnings name the part of the definition that is not checked.
    pub fn finish(self) -> (Schemas, Vec<String>) {
        let Self { documents, mut converter } = self;
        let mut slots: Vec<Option<(Slot, Vec<u32>, String)>> = Vec::new();
        let mut total = 0;
        while let Some((number, place)) = converter.waiting.pop() {
            let address = documents.address(place.document, &place.pointer);
            let text = if total > MAX_TEXT {
                converter.in_place.clear();
                converter.warn_of(&address, "the schemas are larger than 64 MiB; the last are not checked");
                "true".to_owned()
            } else {
                converter.convert(&place).to_string()
            };
            total += text.len();
            let slot =
                Slot { text: text.into(), unevaluated: converter.unevaluated, validator: OnceLock::new() };
            let at = number as usize;
            if slots.len() <= at {
                slots.resize_with(at + 1, || None);
            }
            slots[at] = Some((slot, converter.in_place.clone(), address));
        }
        // Every number was given together with a place that waits.
        let mut slots: Vec<_> = slots.into_iter().flatten().collect();
        let edges: Vec<&[u32]> = slots.iter().map(|(_, in_place, _)| in_place.as_slice()).collect();
        for at in endless(&edges) {
            let (slot, _, address) = &mut slots[at];
            converter.warn_of(
                address,
                "the schema applies itself to the same value without end; it is not checked",
            );
            slot.text = "true".into();
            slot.unevaluated = false;
        }
        let slots = slots.into_iter().map(|(slot, _, _)| slot).collect();
        (Schemas { slots: Arc::new(Slots(slots)) }, converter.warnings)
    }
}

/// Schemas in a circle that no value ends, since each applies the next to the same one.
fn endless(edges: &[&[u32]]) -> Vec<usize> {
    // Whoever has no edge left but to schemas that end, ends; whatever remains is in a circle or leads into one.
    let mut remaining: Vec<usize> = edges.iter().map(|targets| targets.len()).collect();
    let mut sources: Vec<Vec<usize>> = vec![Vec::new(); edges.len()];
    for (from, targets) in edges.iter().enumerate() {
        for to in *targets {
            sources[*to as usize].push(from);
        }
    }
    let mut ended: Vec<usize> = (0..edges.len()).filter(|at| remaining[*at] == 0).collect();
    while let Some(at) = ended.pop() {
        for from in &sources[at] {
            remaining[*from] -= 1;
            if remaining[*from] == 0 {
                ended.push(*from);
            }
        }
    }
    // Backwards the same way, so that what merely leads into a circle is kept.
    let stuck: Vec<bool> = remaining.iter().map(|count| *count > 0).collect();
    let mut incoming: Vec<usize> =
        sources.iter().map(|list| list.iter().filter(|from| stuck[**from]).count()).collect();
    let mut free: Vec<usize> = (0..edges.len()).filter(|at| stuck[*at] && incoming[*at] == 0).collect();
    let mut circular = stuck.clone();
    while let Some(at) = free.pop() {
        circular[at] = false;
        for to in edges[at] {
            let to = *to as usize;
            incoming[to] -= 1;
            if stuck[to] && incoming[to] == 0 {
                free.push(to);
            }
        }
    }
    (0..edges.len()).filter(|at| circular[*at]).collect()
}

thread_local! {
    /// The schemas that are being checked against: validators know each other by number only, since owning each
    /// other they would never be freed.
    static CURRENT: RefCell<Option<Arc<Slots>>> = const { RefCell::new(None) };
    static FUEL: Cell<u64> = const { Cell::new(0) };
    static FOLLOWED: Cell<u32> = const { Cell::new(0) };
}

impl Schemas {
    /// Checks a value. `size`: bytes that it was read from. Problems are below `location`, at most ten, and none of
    /// them repeats the value.
    pub fn check(
        &self,
        schema: SchemaId,
        value: &Value,
        size: usize,
        location: &str,
    ) -> Result<(), Vec<Problem>> {
        let Some(validator) = self.slots.validator(schema.0) else { return Ok(()) };
        match self.run(|| validator.is_valid(value), size) {
            Some(true) => Ok(()),
            None => Err(vec![problem::too_complex(location)]),
            Some(false) if size > MAX_TOLD => Err(vec![problem::large(location)]),
            Some(false) => {
                let mut found = Vec::new();
                self.run(|| self.tell(validator, value, location, &mut found), size);
                if found.is_empty() {
                    found.push(problem::large(location));
                }
                Err(found)
            }
        }
    }

    /// Whether a value is valid, without saying why not.
    pub fn is_valid(&self, schema: SchemaId, value: &Value, size: usize) -> bool {
        let Some(validator) = self.slots.validator(schema.0) else { return true };
        self.run(|| validator.is_valid(value), size) == Some(true)
    }

    /// Runs a check with a budget; `None` when that was used up. Then nothing is known: inside of `not`, what could
    /// not be checked counts as valid.
    fn run<T>(&self, check: impl FnOnce() -> T, size: usize) -> Option<T> {
        CURRENT.set(Some(Arc::clone(&self.slots)));
        FUEL.set(BUDGET + size as u64);
        FOLLOWED.set(0);
        let result = check();
        CURRENT.set(None);
        (FUEL.get() > 0).then_some(result)
    }

    /// What texts for this schema can be: parameters have to be read before they are checked.
    pub fn shape(&self, schema: SchemaId) -> Shape {
        Shape::of(&|number| self.slots.converted(number), schema.0)
    }

    fn tell(&self, validator: &Validator, value: &Value, location: &str, found: &mut Vec<Problem>) {
        for error in validator.iter_errors(value) {
            if found.len() >= engine::reason::MOST_PROBLEMS {
                return;
            }
            let below = format!("{location}{}", error.instance_path().as_str());
            let followed = problem::followed(&error).and_then(|number| self.slots.validator(number));
            match (followed, value.pointer(error.instance_path().as_str())) {
                (Some(validator), Some(value)) => self.tell(validator, value, &below, found),
                _ => found.push(problem::of(&error, &below)),
            }
        }
    }
}

impl Slots {
    fn converted(&self, number: u32) -> Value {
        // Our own text.
        let text = self.0.get(number as usize).map_or("true", |slot| &slot.text);
        serde_json::from_str(text).unwrap_or(Value::Bool(true))
    }

    fn validator(&self, number: u32) -> Option<&Validator> {
        let slot = self.0.get(number as usize)?;
        let make = || {
            let schema = self.converted(number);
            let schema = if slot.unevaluated { self.with_copies(schema) } else { schema };
            options().build(&schema).ok()
        };
        slot.validator.get_or_init(make).as_ref()
    }

    /// The schema with all that it refers to, however far away, beside it.
    fn with_copies(&self, mut schema: Value) -> Value {
        let mut copies = Map::new();
        let mut waiting = Vec::new();
        let mut seen = HashSet::new();
        into_references(&mut schema, &mut waiting);
        while let Some(number) = waiting.pop() {
            if seen.insert(number) {
                let mut copy = self.converted(number);
                into_references(&mut copy, &mut waiting);
                copies.insert(number.to_string(), copy);
            }
        }
        // A mere truth value refers to nothing.
        if let Value::Object(map) = &mut schema {
            map.insert("$defs".to_owned(), Value::Object(copies));
        }
        schema
    }
}

/// Makes references of the standard out of ours.
fn into_references(value: &mut Value, found: &mut Vec<u32>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| into_references(item, found)),
        Value::Object(map) => {
            let number = map.get(REF).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
            if let Some(number) = number {
                map.remove(REF);
                map.insert("$ref".to_owned(), json!(format!("#/$defs/{number}")));
                found.push(number);
            }
            map.values_mut().for_each(|value| into_references(value, found));
        }
        _ => {}
    }
}

/// How schemas are compiled.
fn options() -> ValidationOptions<'static> {
    // A pattern that tries for longer than this is meant to.
    let patterns = PatternOptions::fancy_regex().backtrack_limit(50_000).size_limit(1 << 20);
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        .with_pattern_options(patterns)
        .offline()
        .with_keyword(REF, |_, value, _| {
            let number = value.as_u64().and_then(|number| u32::try_from(number).ok()).unwrap_or(u32::MAX);
            Ok(Box::new(Reference(number)))
        })
}

/// Hands a value on to the validator of another schema.
struct Reference(u32);

impl<'i> Keyword<'i> for Reference {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        // The number tells whoever collects problems where to look further.
        if self.is_valid(instance) { Ok(()) } else { Err(ValidationError::custom(self.0.to_string())) }
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        let (fuel, followed) = (FUEL.get(), FOLLOWED.get());
        if fuel == 0 || followed >= MAX_FOLLOWED {
            FUEL.set(0);
            return false;
        }
        FUEL.set(fuel - 1);
        FOLLOWED.set(followed + 1);
        let valid = CURRENT.with_borrow(|current| {
            let Some(slots) = current else { return false };
            slots.validator(self.0).is_none_or(|validator| validator.is_valid(instance))
        });
        FOLLOWED.set(followed);
        valid
    }
}
