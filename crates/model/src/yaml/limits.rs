//! What keeps a hostile document from taking the memory or the stack of the process.

use serde_json::Value;

use crate::Diagnostic;

/// Deepest nesting. Values are dropped, compared and written by recursion; this fits the smallest thread stacks.
pub(super) const MAX_DEPTH: usize = 256;
/// Most memory that a document may take, estimated.
pub(super) const MAX_WEIGHT: usize = 1 << 30;
/// Most memory that copies of anchored nodes may take, estimated. Ten lines of aliases to aliases can ask for
/// more than any machine has.
pub(super) const MAX_COPIES: usize = 128 << 20;
/// Warnings kept; a document with more is not read to the end of the list by anyone.
const MAX_WARNINGS: usize = 200;

/// Longest path written out; a hostile document can have keys of megabytes.
const MAX_PATH: usize = 1000;

/// A path being written, with an end.
#[derive(Debug, Default)]
pub(super) struct PathText(String);

impl PathText {
    pub fn key(&mut self, key: &str) {
        if self.0.len() < MAX_PATH {
            if !self.0.is_empty() && !key.starts_with('[') {
                self.0.push('.');
            }
            self.0.extend(key.chars().take(MAX_PATH));
        }
    }

    pub fn item(&mut self, index: usize) {
        if self.0.len() < MAX_PATH {
            self.0.push_str(&format!("[{index}]"));
        }
    }

    pub fn finish(self) -> String {
        self.0
    }
}

/// Estimated memory of a scalar or a list, by the length of its text.
pub(super) fn weight_of_text(length: usize) -> usize {
    size_of::<Value>() + length
}

/// Estimated memory of a mapping without its entries: a table and room for a few.
pub(super) fn weight_of_map() -> usize {
    4 * size_of::<Value>()
}

/// Estimated memory and depth of a value.
pub(super) fn measure(value: &Value) -> (usize, usize) {
    let inner = |children: &mut dyn Iterator<Item = (usize, &Value)>, own: usize| {
        children.fold((own, 1), |(weight, depth), (extra, child)| {
            let (child_weight, child_depth) = measure(child);
            (weight + extra + child_weight, depth.max(child_depth + 1))
        })
    };
    match value {
        Value::String(text) => (weight_of_text(text.len()), 0),
        Value::Array(items) => inner(&mut items.iter().map(|item| (0, item)), weight_of_text(0)),
        Value::Object(map) => {
            inner(&mut map.iter().map(|(key, child)| (weight_of_text(key.len()), child)), weight_of_map())
        }
        _ => (weight_of_text(0), 0),
    }
}

/// Warnings, with an end.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    list: Vec<Diagnostic>,
    left_out: usize,
}

impl Warnings {
    pub fn push(&mut self, line: Option<u32>, path: impl FnOnce() -> String, message: impl Into<String>) {
        if self.list.len() < MAX_WARNINGS {
            self.list.push(Diagnostic { line, ..Diagnostic::warning(path(), message) });
        } else {
            self.left_out += 1;
        }
    }

    pub fn duplicate_key(&mut self, line: Option<u32>, path: impl FnOnce() -> String) {
        self.push(line, path, "the key is given more than once; the last one counts");
    }

    pub fn into_list(mut self) -> Vec<Diagnostic> {
        if self.left_out > 0 {
            self.list.push(Diagnostic::warning("", format!("{} more warnings are left out", self.left_out)));
        }
        self.list
    }
}
