//! The documents of a definition, to look schemas and examples up in.
//!
//! Operations hold addresses, not schemas: `#/components/schemas/Order`, with the name of the document in front when
//! it is not the main one. `Sources` keeps the text, which is there for the export anyway, and `Sources::read` makes
//! values of it for as long as something is compiled from them. References are followed here and nowhere else, so
//! that circles stay what they are. Which reference leads to which document is decided by the import.

use std::{collections::HashMap, sync::Arc};

use serde_json::Value;

use crate::yaml;

/// What the keywords of schemas mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    OpenApi20,
    OpenApi30,
    #[default]
    OpenApi31,
}

/// Texts of a definition, the main one first.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    pub dialect: Dialect,
    pub documents: Vec<SourceDocument>,
}

/// One text.
#[derive(Debug, Clone)]
pub struct SourceDocument {
    /// As addresses have it; the main document has none there.
    pub name: String,
    pub bytes: Arc<[u8]>,
    /// Positions of the documents that references of this one lead to, by what stands before their `#`.
    pub links: HashMap<String, usize>,
}

impl Sources {
    /// The texts as values. What cannot be read, which the import has warned of, is null.
    pub fn read(&self) -> Documents {
        let values = self.documents.iter().map(|document| {
            let text = std::str::from_utf8(&document.bytes).unwrap_or_default();
            yaml::parse_value(text).map_or(Value::Null, |(value, _)| value)
        });
        let links = self.documents.iter().map(|document| document.links.clone());
        let names = self.documents.iter().enumerate().skip(1).map(|(at, d)| (d.name.clone(), at));
        Documents {
            dialect: self.dialect,
            values: values.zip(links).collect(),
            names: std::iter::once((String::new(), 0)).chain(names).collect(),
        }
    }
}

/// The documents of a definition as values.
#[derive(Debug, Default)]
pub struct Documents {
    pub dialect: Dialect,
    values: Vec<(Value, HashMap<String, usize>)>,
    names: HashMap<String, usize>,
}

/// A value and where it is.
#[derive(Debug, Clone)]
pub struct Place<'d> {
    pub document: usize,
    pub pointer: String,
    pub value: &'d Value,
}

impl Documents {
    /// What is at an address of an operation.
    pub fn at(&self, address: &str) -> Option<Place<'_>> {
        let (name, pointer) = address.split_once('#')?;
        self.place(*self.names.get(name)?, pointer)
    }

    /// What a reference in a document leads to. Only JSON pointers are followed, no anchors.
    pub fn follow(&self, document: usize, reference: &str) -> Option<Place<'_>> {
        let (name, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let target = match name {
            "" => document,
            name => *self.values.get(document)?.1.get(name)?,
        };
        let decoded = percent_decode(fragment);
        // Some writers forget to escape a `%` of their own.
        [decoded.as_deref(), Some(fragment)].into_iter().flatten().find_map(|found| self.place(target, found))
    }

    /// The address of a place, as operations have it.
    pub fn address(&self, document: usize, pointer: &str) -> String {
        let name = self.names.iter().find(|(_, at)| **at == document).map_or("", |(name, _)| name);
        format!("{name}#{pointer}")
    }

    fn place(&self, document: usize, pointer: &str) -> Option<Place<'_>> {
        let value = self.values.get(document)?.0.pointer(pointer)?;
        Some(Place { document, pointer: pointer.to_owned(), value })
    }
}

/// Adds a key to a JSON pointer (RFC 6901).
pub fn push_key(pointer: &mut String, key: &str) {
    pointer.push('/');
    for c in key.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

/// The text with `%41` read as `A`; a `%` without two digits stays. `None`: that is no text.
pub fn percent_decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%').then(|| after.get(..2)).flatten();
        let hex = escaped.and_then(|digits| std::str::from_utf8(digits).ok());
        let valid = hex.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        if let Some(byte) = valid.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(name: &str, text: &str, links: &[(&str, usize)]) -> SourceDocument {
        let links = links.iter().map(|(reference, at)| ((*reference).to_owned(), *at)).collect();
        SourceDocument { name: name.to_owned(), bytes: text.as_bytes().into(), links }
    }

    #[test]
    fn addresses_and_references_lead_to_values() {
        let main = document("api.yaml", "a: {b/c: 1}\nd e: 2\n", &[("./other.yaml", 1)]);
        let other = document("other.yaml", "{\"x\": [7]}", &[("api.yaml", 0)]);
        let documents = Sources { dialect: Dialect::OpenApi31, documents: vec![main, other] }.read();
        let at = |address: &str| documents.at(address).map(|place| place.value.clone());
        assert_eq!(at("#/a/b~1c"), Some(1.into()));
        assert_eq!(at("other.yaml#/x/0"), Some(7.into()));
        assert_eq!(at("none.yaml#/x"), None);
        let follow = |from, reference: &str| documents.follow(from, reference).map(|p| p.value.clone());
        assert_eq!(follow(0, "#/d%20e"), Some(2.into()));
        assert_eq!(follow(0, "./other.yaml#/x/0"), Some(7.into()));
        assert_eq!(follow(1, "api.yaml#/a/b~1c"), Some(1.into()));
        assert_eq!((follow(1, "gone.yaml"), follow(0, "#anchor")), (None, None));
        assert_eq!(documents.address(1, "/x"), "other.yaml#/x");
    }

    #[test]
    fn broken_escapes_stay_as_they_are() {
        assert_eq!(percent_decode("a%41%zz%").as_deref(), Some("aA%zz%"));
        assert_eq!(percent_decode("%ff"), None);
    }
}
