//! Events of the YAML parser into a value. Nothing here recurses over the document while it is read.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::map::Entry;
use serde_json::{Map, Value};

use super::input::{Meter, Metered};
use super::limits::{
    MAX_COPIES, MAX_DEPTH, MAX_WEIGHT, PathText, Warnings, measure, weight_of_map, weight_of_text,
};
use super::marks::{Marks, Step};
use super::syntax::{syntax_error, too_long};
use super::{Parsed, scalar};
use crate::Diagnostic;

/// Reads the first document of a YAML stream.
pub(super) fn read(text: &str, with_marks: bool) -> Result<Parsed, Diagnostic> {
    let meter = Meter::default();
    let mut parser = Parser::new(Metered::new(text, &meter));
    let mut reader = Reader { marks: with_marks.then(Marks::default), ..Reader::default() };
    let mut documents = 0;
    while let Some(next) = parser.next_event() {
        if meter.exceeded() {
            return Err(too_long(reader.line));
        }
        let (event, span) = next.map_err(|error| syntax_error(text, &error))?;
        meter.go_on();
        reader.line = u32::try_from(span.start.line()).unwrap_or(u32::MAX);
        match event {
            Event::DocumentStart(_) if documents == 1 => {
                let message = "the file holds more than one document; only the first is used";
                reader.warnings.push(Some(reader.line), String::new, message);
                break;
            }
            Event::DocumentStart(_) => documents += 1,
            Event::Scalar(text, style, anchor, tag) => {
                reader.scalar(text.into_owned(), style, anchor, tag.as_deref())?;
            }
            Event::Alias(anchor) => reader.alias(anchor)?,
            Event::SequenceStart(anchor, _) => reader.open(Kind::Sequence(Vec::new()), anchor)?,
            Event::MappingStart(anchor, _) => reader.open(Kind::mapping(), anchor)?,
            Event::SequenceEnd | Event::MappingEnd => reader.close()?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
    }
    let value = reader.root.unwrap_or_default();
    Ok(Parsed { value, marks: reader.marks.unwrap_or_default(), warnings: reader.warnings.into_list() })
}

/// The scalar at a path of keys, as written.
pub(super) fn scalar_text(text: &str, path: &[&str]) -> Option<String> {
    let meter = Meter::default();
    let mut parser = Parser::new(Metered::new(text, &meter));
    let mut next = || {
        meter.go_on();
        parser.next_event().and_then(Result::ok).map(|(event, _)| event)
    };
    loop {
        match next()? {
            Event::StreamStart | Event::DocumentStart(_) => {}
            Event::MappingStart(..) => break,
            _ => return None,
        }
    }
    let (last, parents) = path.split_last()?;
    for parent in parents {
        find_key(&mut next, parent)?;
        if !matches!(next()?, Event::MappingStart(..)) {
            return None;
        }
    }
    find_key(&mut next, last)?;
    match next()? {
        Event::Scalar(text, ..) => Some(text.into_owned()),
        _ => None,
    }
}

/// Goes on to the value of a key of the mapping that the events are in.
fn find_key<'e>(next: &mut impl FnMut() -> Option<Event<'e>>, wanted: &str) -> Option<()> {
    loop {
        match next()? {
            Event::MappingEnd => return None,
            Event::Scalar(key, ..) if key == wanted => return Some(()),
            key => skip(key, next)?,
        }
        let value = next()?;
        skip(value, next)?;
    }
}

/// Goes on to the end of the node that starts with `event`.
fn skip<'e>(event: Event<'e>, next: &mut impl FnMut() -> Option<Event<'e>>) -> Option<()> {
    let mut event = event;
    let mut depth = 0usize;
    loop {
        match event {
            Event::MappingStart(..) | Event::SequenceStart(..) => depth += 1,
            Event::MappingEnd | Event::SequenceEnd => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(());
        }
        event = next()?;
    }
}

/// What is being read: the open collections, the innermost last.
#[derive(Default)]
struct Reader {
    stack: Vec<Frame>,
    root: Option<Value>,
    anchors: HashMap<usize, Anchor>,
    marks: Option<Marks>,
    warnings: Warnings,
    weight: usize,
    copies: usize,
    line: u32,
}

struct Frame {
    kind: Kind,
    anchor: usize,
    mark: usize,
}

enum Kind {
    Sequence(Vec<Value>),
    Mapping { map: Map<String, Value>, key: Option<Key>, merges: Vec<(Value, u32)> },
}

impl Kind {
    fn mapping() -> Self {
        Kind::Mapping { map: Map::new(), key: None, merges: Vec::new() }
    }
}

/// A key whose value is awaited.
enum Key {
    Name {
        name: String,
        line: u32,
    },
    /// `<<`: the value's entries are added to the mapping.
    Merge {
        line: u32,
    },
    /// A key that is no text; its value is thrown away.
    Skip,
}

/// A copy of an anchored node, with what another copy costs.
struct Anchor {
    value: Value,
    weight: usize,
    depth: usize,
}

impl Reader {
    fn scalar(
        &mut self,
        text: String,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
    ) -> Result<(), Diagnostic> {
        self.charge(weight_of_text(text.len()))?;
        if self.awaits_key() {
            if anchor > 0 {
                self.keep(anchor, &Value::String(text.clone()))?;
            }
            let merge = style == ScalarStyle::Plain && text == "<<";
            // Keys are text however they are written: `200:` is "200", `on:` is "on".
            let key = if merge {
                Key::Merge { line: self.line }
            } else {
                Key::Name { name: text, line: self.line }
            };
            self.set_key(key);
            return Ok(());
        }
        let resolved = scalar::resolve(text, style, tag);
        self.mark();
        if let Some(warning) = resolved.warning {
            self.warnings.push(Some(self.line), || path(&self.stack, None), warning);
        }
        self.deliver(resolved.value, anchor)
    }

    fn alias(&mut self, anchor: usize) -> Result<(), Diagnostic> {
        let Some(known) = self.anchors.get(&anchor) else {
            return Err(self.error("the alias stands inside the node that it refers to"));
        };
        if self.stack.len() + known.depth > MAX_DEPTH {
            return Err(self.too_deep());
        }
        let (value, weight) = (known.value.clone(), known.weight);
        self.charge(weight)?;
        self.charge_copy(weight)?;
        if self.awaits_key() {
            let key = match value {
                Value::String(name) => Key::Name { name, line: self.line },
                Value::Array(_) | Value::Object(_) => self.skipped_key(),
                other => Key::Name { name: other.to_string(), line: self.line },
            };
            self.set_key(key);
            return Ok(());
        }
        self.mark();
        self.deliver(value, 0)
    }

    fn open(&mut self, kind: Kind, anchor: usize) -> Result<(), Diagnostic> {
        self.charge(match kind {
            Kind::Sequence(_) => weight_of_text(0),
            Kind::Mapping { .. } => weight_of_map(),
        })?;
        if self.stack.len() >= MAX_DEPTH {
            return Err(self.too_deep());
        }
        // A collection as a key has no mark of its own; its children hang on the mapping's.
        let mark = self.mark();
        self.stack.push(Frame { kind, anchor, mark });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Diagnostic> {
        let Some(frame) = self.stack.pop() else { return Ok(()) };
        let value = match frame.kind {
            Kind::Sequence(items) => Value::Array(items),
            Kind::Mapping { mut map, merges, .. } => {
                for (merged, line) in merges {
                    self.merge(&mut map, merged, line);
                }
                Value::Object(map)
            }
        };
        if self.awaits_key() {
            if frame.anchor > 0 {
                self.keep(frame.anchor, &value)?;
            }
            let key = self.skipped_key();
            self.set_key(key);
            return Ok(());
        }
        self.deliver(value, frame.anchor)
    }

    /// Adds the entries of a merged mapping, or of a list of them, that the mapping does not have itself.
    fn merge(&mut self, map: &mut Map<String, Value>, merged: Value, line: u32) {
        let list = match merged {
            Value::Array(list) => list,
            other => vec![other],
        };
        for one in list {
            if let Value::Object(entries) = one {
                for (key, value) in entries {
                    map.entry(key).or_insert(value);
                }
            } else {
                let path = || path(&self.stack, Some("<<"));
                self.warnings.push(Some(line), path, "only mappings can be merged; the value is left out");
            }
        }
    }

    /// Puts a finished value where it belongs.
    fn deliver(&mut self, value: Value, anchor: usize) -> Result<(), Diagnostic> {
        if anchor > 0 {
            self.keep(anchor, &value)?;
        }
        let duplicate = match self.stack.last_mut().map(|frame| &mut frame.kind) {
            None => {
                self.root = Some(value);
                None
            }
            Some(Kind::Sequence(items)) => {
                items.push(value);
                None
            }
            Some(Kind::Mapping { map, key, merges }) => match key.take() {
                Some(Key::Name { name, line }) => match map.entry(name) {
                    Entry::Vacant(entry) => {
                        entry.insert(value);
                        None
                    }
                    Entry::Occupied(mut entry) => {
                        entry.insert(value);
                        Some((entry.key().clone(), line))
                    }
                },
                Some(Key::Merge { line }) => {
                    merges.push((value, line));
                    None
                }
                Some(Key::Skip) | None => None,
            },
        };
        if let Some((name, line)) = duplicate {
            self.warnings.duplicate_key(Some(line), || path(&self.stack, Some(&name)));
        }
        Ok(())
    }

    fn awaits_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame { kind: Kind::Mapping { key: None, .. }, .. }))
    }

    fn set_key(&mut self, found: Key) {
        if let Some(Frame { kind: Kind::Mapping { key, .. }, .. }) = self.stack.last_mut() {
            *key = Some(found);
        }
    }

    fn skipped_key(&mut self) -> Key {
        let message =
            "a list or a mapping cannot be a key; the entry is left out (a text with `{` needs quotes)";
        self.warnings.push(Some(self.line), || path(&self.stack, None), message);
        Key::Skip
    }

    /// Notes the line of the node that starts here. A key's line stands for its value.
    fn mark(&mut self) -> usize {
        let Some(marks) = &mut self.marks else { return 0 };
        match self.stack.last() {
            None => marks.add(0, Step::Root, self.line),
            Some(Frame { kind: Kind::Sequence(_), mark, .. }) => marks.add(*mark, Step::Item, self.line),
            Some(Frame { kind: Kind::Mapping { key: Some(Key::Name { name, line }), .. }, mark, .. }) => {
                marks.add(*mark, Step::Key(name), *line)
            }
            Some(frame) => frame.mark,
        }
    }

    fn keep(&mut self, anchor: usize, value: &Value) -> Result<(), Diagnostic> {
        let (weight, depth) = measure(value);
        self.charge_copy(weight)?;
        self.anchors.insert(anchor, Anchor { value: value.clone(), weight, depth });
        Ok(())
    }

    fn charge(&mut self, weight: usize) -> Result<(), Diagnostic> {
        self.weight = self.weight.saturating_add(weight);
        if self.weight > MAX_WEIGHT { Err(self.error("the document is too large")) } else { Ok(()) }
    }

    fn charge_copy(&mut self, weight: usize) -> Result<(), Diagnostic> {
        self.copies = self.copies.saturating_add(weight);
        if self.copies > MAX_COPIES {
            return Err(self
                .error("anchors and aliases make the document too large")
                .help("write out less by alias"));
        }
        Ok(())
    }

    fn too_deep(&self) -> Diagnostic {
        // The path of such a node would fill pages.
        let message = format!("the document is nested more than {MAX_DEPTH} levels deep");
        Diagnostic { line: Some(self.line), ..Diagnostic::error("", message) }
    }

    fn error(&self, message: &str) -> Diagnostic {
        Diagnostic { line: Some(self.line), ..Diagnostic::error(path(&self.stack, None), message) }
    }
}

/// Path of the node that is being read, or of an entry in it.
fn path(stack: &[Frame], entry: Option<&str>) -> String {
    let mut path = PathText::default();
    for frame in stack {
        match &frame.kind {
            Kind::Sequence(items) => path.item(items.len()),
            Kind::Mapping { key: Some(Key::Name { name, .. }), .. } => path.key(name),
            Kind::Mapping { key: Some(Key::Merge { .. }), .. } => path.key("<<"),
            Kind::Mapping { .. } => {}
        }
    }
    if let Some(entry) = entry {
        path.key(entry);
    }
    path.finish()
}
