//! A body that was read whole because a policy asked for it, parsed at most once.

use std::cell::OnceCell;

use bytes::Bytes;
use serde_json::Value;

use crate::language::xml::Xml;

/// A whole body. Whoever changes it changes the bytes, and what was parsed is forgotten.
#[derive(Debug, Clone, Default)]
pub struct Payload {
    bytes: Bytes,
    json: OnceCell<Option<Value>>,
    xml: OnceCell<Option<Box<Xml>>>,
    changed: bool,
}

impl Payload {
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), ..Self::default() }
    }

    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The body as JSON, whatever its Content-Type says; `None` when it is not, or nests too deep.
    pub fn json(&self) -> Option<&Value> {
        self.json.get_or_init(|| serde_json::from_slice(&self.bytes).ok()).as_ref()
    }

    /// The body as XML, whatever its Content-Type says; `None` when it is not, has a DTD, or is beyond the limits.
    pub fn xml(&self) -> Option<&Xml> {
        self.xml.get_or_init(|| Xml::parse(&self.bytes).map(Box::new)).as_deref()
    }

    pub fn replace(&mut self, bytes: impl Into<Bytes>) {
        *self = Self { changed: true, ..Self::new(bytes) };
    }

    /// A policy replaced it, so that its length is no longer what the headers say.
    pub fn is_changed(&self) -> bool {
        self.changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_payload_is_parsed_anew() {
        let mut payload = Payload::new("{\"a\":1}");
        assert_eq!(payload.json().unwrap()["a"], 1);
        assert!(payload.xml().is_none());
        payload.replace("<a/>");
        assert!(payload.json().is_none() && payload.xml().is_some() && payload.is_changed());
    }

    #[test]
    fn what_nests_too_deep_is_neither_json_nor_xml() {
        assert!(Payload::new("[".repeat(5_000) + &"]".repeat(5_000)).json().is_none());
        assert!(Payload::new("<a>".repeat(5_000) + &"</a>".repeat(5_000)).xml().is_none());
        assert!(Payload::new("<a>".repeat(100) + &"</a>".repeat(100)).xml().is_some());
    }
}
