//! The main document and the others that it refers to, all read before anything is made of them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use model::source::{Dialect, SourceDocument, Sources, push_key};
use serde_json::Value;

use crate::format::{Format, clip};
use crate::loader::{Loader, MAX_DOCUMENT};
use crate::location;
use crate::node::Node;
use crate::report::Report;

/// Most documents of one definition. Definitions of one file for each operation have some thousand.
const MAX_DOCUMENTS: usize = 5000;
/// Most bytes of all documents of a definition.
const MAX_TOTAL: usize = 256 << 20;

/// A document as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Where it was found: the main one as the caller said, another relative to the main one where it can be.
    pub location: String,
    pub bytes: Arc<[u8]>,
}

/// Documents, the main one first.
#[derive(Debug)]
pub(crate) struct Documents {
    list: Vec<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    /// Location as in `Document`.
    name: String,
    /// Absolute location.
    location: String,
    bytes: Arc<[u8]>,
    value: Value,
    /// Documents that the parts of references before the `#` lead to.
    links: HashMap<String, Option<usize>>,
}

/// Text of a document.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, String> {
    if bytes.len() as u64 > MAX_DOCUMENT {
        return Err(format!("the document is larger than {} MiB", MAX_DOCUMENT >> 20));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err("the document is UTF-16 text and must be saved as UTF-8".to_owned());
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        format!("the document is not UTF-8 text (line {line})")
    })
}

impl Documents {
    /// Takes the main document and reads all that it refers to, however far away.
    pub fn load(
        main: &str,
        bytes: &[u8],
        value: Value,
        loader: &dyn Loader,
        format: Format,
        report: &mut Report,
    ) -> Self {
        let location = location::normalize(main);
        let name = main.to_owned();
        let first =
            Loaded { name, location: location.clone(), bytes: bytes.into(), value, links: HashMap::new() };
        let mut documents = Self { list: vec![first] };
        let mut known = HashMap::from([(location, Some(0))]);
        let mut total = bytes.len();
        let mut tried = 0;

        let mut waiting = VecDeque::from([0]);
        while let Some(current) = waiting.pop_front() {
            let mut references = References { format, found: HashMap::new() };
            references.find(&documents.list[current].value, &mut String::new(), Keys::Keywords);
            let base = documents.list[current].location.clone();
            // In the order of the document, so that warnings and documents have one.
            let mut found: Vec<_> = references.found.into_iter().collect();
            found.sort_unstable_by_key(|(_, place)| place.number);
            for (reference, place) in found {
                let location = location::resolve(&base, &reference);
                if let Some(target) = known.get(&location) {
                    documents.list[current].links.insert(reference, *target);
                    continue;
                }
                tried += 1;
                let loaded = if tried > MAX_DOCUMENTS || total > MAX_TOTAL {
                    Err("the definition has too many or too large documents".to_owned())
                } else {
                    loader.load(&location)
                };
                let (target, problem) = match loaded {
                    Ok(bytes) => {
                        total += bytes.len();
                        let (document, problem) =
                            Loaded::read(&documents.list[0].location, &location, bytes, report);
                        documents.list.push(document);
                        waiting.push_back(documents.list.len() - 1);
                        (Some(documents.list.len() - 1), problem)
                    }
                    Err(problem) => (None, Some(problem)),
                };
                if let Some(problem) = problem {
                    let node = documents.node(current, place.pointer);
                    let message = format!("the document `{}` cannot be read: {problem}", clip(&reference));
                    report.warn(&node, "", message);
                }
                known.insert(location, target);
                documents.list[current].links.insert(reference, target);
            }
        }
        documents
    }

    pub fn root(&self) -> Node<'_> {
        self.node(0, String::new())
    }

    /// The document that a reference in the document `from` leads to, given its part before the `#`.
    pub fn follow(&self, from: usize, reference: &str) -> Option<usize> {
        if reference.is_empty() { Some(from) } else { *self.list[from].links.get(reference)? }
    }

    pub fn value(&self, document: usize) -> &Value {
        &self.list[document].value
    }

    pub fn name(&self, document: usize) -> &str {
        &self.list[document].name
    }

    /// The texts as they came, and the same with where their references lead.
    pub fn into_originals(self, dialect: Dialect) -> (Vec<Document>, Sources) {
        let mut originals = Vec::with_capacity(self.list.len());
        let mut documents = Vec::with_capacity(self.list.len());
        for loaded in self.list {
            let links = loaded.links.into_iter().filter_map(|(from, to)| Some((from, to?))).collect();
            let (name, bytes) = (loaded.name, loaded.bytes);
            originals.push(Document { location: name.clone(), bytes: Arc::clone(&bytes) });
            documents.push(SourceDocument { name, bytes, links });
        }
        (originals, Sources { dialect, documents })
    }

    fn node(&self, document: usize, pointer: String) -> Node<'_> {
        let value = self.value(document).pointer(&pointer).unwrap_or(&Value::Null);
        Node::new(self, document, pointer, value)
    }
}

impl Loaded {
    /// The document, and why nothing in it can be used: its bytes are kept for the export even so.
    fn read(main: &str, location: &str, bytes: Vec<u8>, report: &mut Report) -> (Self, Option<String>) {
        let name = location::relative_to(main, location);
        let parsed = text(&bytes).and_then(|text| {
            model::yaml::parse_value(text).map_err(|error| match error.line {
                Some(line) => format!("line {line}: {error}"),
                None => error.to_string(),
            })
        });
        let (value, problem) = match parsed {
            Ok((value, warnings)) => {
                report.extend(warnings, Some(&name));
                (value, None)
            }
            Err(problem) => (Value::Null, Some(problem)),
        };
        (
            Self { name, location: location.to_owned(), bytes: bytes.into(), value, links: HashMap::new() },
            problem,
        )
    }
}

/// References to other documents, each with the first place that it stands at.
struct References {
    format: Format,
    found: HashMap<String, Place>,
}

struct Place {
    number: usize,
    pointer: String,
}

/// Whether the keys of a mapping are those of the standard or names that the author chose.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    Keywords,
    Names,
}

impl References {
    /// Recursion is as deep as the document, which the reader of YAML has limited.
    fn find(&mut self, value: &Value, pointer: &mut String, keys: Keys) {
        let length = pointer.len();
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    pointer.push_str(&format!("/{index}"));
                    self.find(item, pointer, Keys::Keywords);
                    pointer.truncate(length);
                }
            }
            Value::Object(map) => {
                for (key, child) in map {
                    if keys == Keys::Keywords && key == "$ref" {
                        if let Value::String(reference) = child {
                            self.add(reference, pointer);
                        }
                        continue;
                    }
                    let below = match keys {
                        Keys::Names => Some(Keys::Keywords),
                        Keys::Keywords => self.keys_below(key, child),
                    };
                    if let Some(below) = below
                        && (child.is_object() || child.is_array())
                    {
                        push_key(pointer, key);
                        self.find(child, pointer, below);
                        pointer.truncate(length);
                    }
                }
            }
            _ => {}
        }
    }

    /// What the keys below a keyword are. `None`: data, in which `$ref` means nothing.
    fn keys_below(&self, keyword: &str, child: &Value) -> Option<Keys> {
        match keyword {
            "example" | "default" | "enum" | "const" | "value" => None,
            "examples" if self.format == Format::OpenApi20 || child.is_array() => None,
            _ if keyword.starts_with("x-") => None,
            "properties"
            | "patternProperties"
            | "$defs"
            | "definitions"
            | "dependentSchemas"
            | "responses"
            | "parameters"
            | "headers"
            | "schemas"
            | "requestBodies"
            | "links"
            | "callbacks"
            | "pathItems"
            | "paths"
            | "securitySchemes"
            | "securityDefinitions"
            | "mediaTypes"
            | "webhooks"
            | "content"
            | "encoding"
            | "examples"
                if child.is_object() =>
            {
                Some(Keys::Names)
            }
            _ => Some(Keys::Keywords),
        }
    }

    fn add(&mut self, reference: &str, pointer: &str) {
        let document = reference.split('#').next().unwrap_or_default();
        if !document.is_empty() && !self.found.contains_key(document) {
            let place = Place { number: self.found.len(), pointer: pointer.to_owned() };
            self.found.insert(document.to_owned(), place);
        }
    }
}
