//! A value with its place: where a pointer to it and the path of a warning come from, and references followed.

use model::source::{percent_decode, push_key};
use serde_json::Value;

use crate::document::Documents;
use crate::format::{clip, kind};
use crate::report::Report;

/// Most references in a row. Real ones are a handful; a circle never ends.
const MAX_HOPS: usize = 32;
/// What it costs to look at a node, in bytes.
const NODE: usize = 128;

/// A value in one of the documents.
#[derive(Clone)]
pub(crate) struct Node<'d> {
    documents: &'d Documents,
    document: usize,
    /// JSON pointer within the document.
    pointer: String,
    pub value: &'d Value,
}

impl<'d> Node<'d> {
    pub fn new(documents: &'d Documents, document: usize, pointer: String, value: &'d Value) -> Self {
        Self { documents, document, pointer, value }
    }

    /// The value of a key; what is `null` is not there.
    pub fn get(&self, key: &str) -> Option<Node<'d>> {
        let value = self.value.as_object()?.get(key).filter(|value| !value.is_null())?;
        Some(self.child(key, value))
    }

    pub fn as_str(&self) -> Option<&'d str> {
        self.value.as_str()
    }

    /// The text, or a number or truth value as text.
    pub fn text(&self) -> Option<String> {
        self.text_as_written(|| None)
    }

    /// The text; of a number what `written` says, as `1.10` must not become `1.1`.
    pub fn text_as_written(&self, written: impl FnOnce() -> Option<String>) -> Option<String> {
        match self.value {
            Value::String(text) if text.trim().is_empty() => None,
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => Some(written().unwrap_or_else(|| self.value.to_string())),
            _ => None,
        }
    }

    pub fn is_true(&self, key: &str) -> bool {
        self.get(key).is_some_and(|node| node.value == &Value::Bool(true))
    }

    pub fn is_empty(&self) -> bool {
        match self.value {
            Value::Object(map) => map.is_empty(),
            Value::Array(items) => items.is_empty(),
            other => other.is_null(),
        }
    }

    /// Entries of a mapping that may have extensions, without those. Warns of anything else.
    pub fn entries(&self, report: &mut Report) -> Vec<(&'d str, Node<'d>)> {
        let mut entries = self.names(report);
        entries.retain(|(key, _)| !key.starts_with("x-"));
        entries
    }

    /// Entries of a mapping whose keys the author chose, be it `x-api-key`. Warns of anything else.
    pub fn names(&self, report: &mut Report) -> Vec<(&'d str, Node<'d>)> {
        match self.value {
            Value::Object(map) => {
                let within = |(key, value): (&'d String, &'d Value)| {
                    let within = report.spend(NODE + self.pointer.len() + key.len());
                    within.then(|| (key.as_str(), self.child(key, value)))
                };
                map.iter().map_while(within).collect()
            }
            Value::Null => Vec::new(),
            other => {
                report.warn(self, "", format!("expected a mapping, found {}; it is left out", kind(other)));
                Vec::new()
            }
        }
    }

    /// Items of a list. Warns of anything else.
    pub fn items(&self, report: &mut Report) -> Vec<Node<'d>> {
        match self.value {
            Value::Array(items) => {
                let within = |(index, item): (usize, &'d Value)| {
                    report.spend(NODE + self.pointer.len()).then(|| self.item(index, item))
                };
                items.iter().enumerate().map_while(within).collect()
            }
            Value::Null => Vec::new(),
            other => {
                report.warn(self, "", format!("expected a list, found {}; it is left out", kind(other)));
                Vec::new()
            }
        }
    }

    /// The node that this one refers to, or itself. Warns where that leads nowhere.
    pub fn resolve(self, report: &mut Report) -> Option<Node<'d>> {
        if self.value.get("$ref").is_none() {
            return Some(self);
        }
        let mut node = self.clone();
        for _ in 0..MAX_HOPS {
            let Some(reference) = node.value.as_object().and_then(|map| map.get("$ref")) else {
                return Some(node);
            };
            let Some(reference) = reference.as_str() else {
                report.warn(
                    &node,
                    "$ref",
                    format!("expected a text, found {}; it is left out", kind(reference)),
                );
                return None;
            };
            report.spend(NODE + reference.len());
            match node.target(reference) {
                Ok(target) => node = target,
                Err(problem) => {
                    report.warn(
                        &node,
                        "",
                        format!("`{}` leads nowhere: {problem}; it is left out", clip(reference)),
                    );
                    return None;
                }
            }
        }
        report.warn(&self, "", "the reference leads in a circle; it is left out");
        None
    }

    /// What the node refers to, if it is a reference and nothing else. For schemas, where other keys count too.
    pub fn resolve_bare(self, report: &mut Report) -> Option<Node<'d>> {
        let bare = self.value.as_object().is_some_and(|map| map.len() == 1 && map.contains_key("$ref"));
        if bare { self.resolve(report) } else { Some(self) }
    }

    fn target(&self, reference: &str) -> Result<Node<'d>, String> {
        let (document, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let document = self
            .documents
            .follow(self.document, document)
            .ok_or_else(|| "the document cannot be read".to_owned())?;
        if !fragment.is_empty() && !fragment.starts_with(['/', '%']) {
            return Err("only references by path (`#/a/b`) are followed".to_owned());
        }
        let root = self.documents.value(document);
        let decoded = percent_decode(fragment);
        // Some writers forget to escape a `%` of their own.
        let found = [decoded.as_deref(), Some(fragment)]
            .into_iter()
            .flatten()
            .find_map(|pointer| root.pointer(pointer).map(|value| (pointer, value)));
        let (pointer, value) = found.ok_or_else(|| "there is nothing at that path".to_owned())?;
        Ok(Node::new(self.documents, document, pointer.to_owned(), value))
    }

    /// The document and the pointer, as operations keep them.
    pub fn address(&self, report: &mut Report) -> String {
        report.spend(self.pointer.len());
        format!("{}#{}", self.file().unwrap_or_default(), self.pointer)
    }

    /// Name of the document, unless it is the main one.
    pub fn file(&self) -> Option<&'d str> {
        (self.document > 0).then(|| self.documents.name(self.document))
    }

    /// Path of the node as warnings have it: `paths./pets.get.parameters[0]`.
    pub fn path(&self) -> String {
        let mut path = String::new();
        let mut value = Some(self.documents.value(self.document));
        for segment in self.pointer.split('/').skip(1) {
            let key = segment.replace("~1", "/").replace("~0", "~");
            match value {
                Some(Value::Array(items)) => {
                    path.push_str(&format!("[{}]", clip(&key)));
                    value = key.parse::<usize>().ok().and_then(|index| items.get(index));
                }
                other => {
                    path = model::diagnostic::join(&path, &clip(&key));
                    value = other.and_then(|value| value.get(&key));
                }
            }
        }
        path
    }

    fn child(&self, key: &str, value: &'d Value) -> Node<'d> {
        let mut pointer = String::with_capacity(self.pointer.len() + key.len() + 3);
        pointer.push_str(&self.pointer);
        push_key(&mut pointer, key);
        Node { pointer, value, ..self.clone_place() }
    }

    fn item(&self, index: usize, value: &'d Value) -> Node<'d> {
        Node { pointer: format!("{}/{index}", self.pointer), value, ..self.clone_place() }
    }

    fn clone_place(&self) -> Node<'d> {
        Node::new(self.documents, self.document, String::new(), self.value)
    }
}
