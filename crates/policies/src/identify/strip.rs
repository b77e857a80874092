//! Headers that say who calls: taken out of what clients send.

use engine::Exchange;
use http::HeaderName;

/// A name, or the beginning of one.
pub(super) struct NamePattern {
    name: String,
    prefix: bool,
}

impl NamePattern {
    /// `None` when it is no name of a header, or would be every name.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, prefix) = match text.strip_suffix('*') {
            Some(name) => (name, true),
            None => (text, false),
        };
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some(Self { name: name.as_str().to_owned(), prefix })
    }

    pub fn matches(&self, name: &[u8]) -> bool {
        let own = self.name.as_bytes();
        let part = if self.prefix { name.get(..own.len()) } else { Some(name) };
        part.is_some_and(|part| part.eq_ignore_ascii_case(own))
    }
}

/// Takes out every header that a pattern matches.
pub(super) fn headers(patterns: &[NamePattern], exchange: &mut Exchange) {
    if !patterns.is_empty() {
        exchange.headers.retain(|name| !patterns.iter().any(|pattern| pattern.matches(name)));
    }
}
