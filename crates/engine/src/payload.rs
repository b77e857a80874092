//! A body that was read whole because a policy asked for it, parsed at most once.

use std::cell::OnceCell;

use bytes::Bytes;
use serde_json::Value;

/// A whole body. Whoever changes it changes the bytes, and what was parsed is forgotten.
#[derive(Debug, Clone, Default)]
pub struct Payload {
    bytes: Bytes,
    json: OnceCell<Option<Value>>,
    changed: bool,
}

impl Payload {
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), json: OnceCell::new(), changed: false }
    }

    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The body as JSON, whatever its Content-Type says; `None` when it is not.
    pub fn json(&self) -> Option<&Value> {
        self.json.get_or_init(|| serde_json::from_slice(&self.bytes).ok()).as_ref()
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
        payload.replace("nonsense");
        assert!(payload.json().is_none() && payload.is_changed());
    }
}
