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

    fn matches(&self, name: &HeaderName) -> bool {
        if self.prefix { name.as_str().starts_with(&self.name) } else { name.as_str() == self.name }
    }
}

/// Takes out every header that a pattern matches.
pub(super) fn headers(patterns: &[NamePattern], exchange: &mut Exchange) {
    let matching = exchange.headers.keys().filter(|name| patterns.iter().any(|p| p.matches(name)));
    let matching: Vec<HeaderName> = matching.cloned().collect();
    for name in matching {
        exchange.headers.remove(name);
    }
}
