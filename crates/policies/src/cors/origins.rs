//! Origins that a configuration names.

use std::collections::HashSet;

use engine::keys::parse_origin;
use foldhash::fast::RandomState;
use model::Diagnostic;
use regex::{Regex, RegexBuilder};

/// The origins that may call.
pub struct Origins {
    any: bool,
    named: HashSet<Box<str>, RandomState>,
    patterns: Vec<Regex>,
}

/// Where no page can come from, since the name cannot be registered (RFC 6761); an expression that matches it matches
/// whoever asks.
const NOBODY: [&str; 2] = ["https://nobody.invalid", "https://0.nobody-else.invalid:1"];

/// Memory that one compiled expression may take.
const LARGEST_PATTERN: usize = 1 << 20;

impl Origins {
    pub fn compile(written: &[String], credentials: bool) -> Result<Self, Diagnostic> {
        let mut origins = Self { any: false, named: HashSet::default(), patterns: Vec::new() };
        for (index, text) in written.iter().enumerate() {
            let problem = |message: String| Diagnostic::error(format!("allowedOrigins[{index}]"), message);
            let for_everybody = || {
                problem(format!("found `{text}` with `allowCredentials`, which would lend every web page the login of its visitors"))
                    .help("name the origins, or leave `allowCredentials` out")
            };
            if let Some(pattern) = text.strip_prefix("regex:") {
                let regex =
                    RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(LARGEST_PATTERN).build();
                let regex = regex.map_err(|error| {
                    problem(format!("found `{text}`, expected a regular expression: {error}"))
                })?;
                if credentials && NOBODY.iter().any(|origin| regex.is_match(origin)) {
                    return Err(for_everybody());
                }
                origins.patterns.push(regex);
            } else if text == "*" || text == "null" {
                // Any page can make itself one without an origin, in a sandboxed frame.
                if credentials {
                    return Err(for_everybody());
                }
                origins.any |= text == "*";
                origins.named.insert(text.as_str().into());
            } else {
                let origin = parse_origin(text).ok_or_else(|| {
                    problem(format!("found `{text}`, expected an origin such as https://shop.example, `*`, `null` or `regex:`"))
                        .help("an origin is scheme, host and port, and nothing after them")
                })?;
                origins.named.insert(origin);
            }
        }
        Ok(origins)
    }

    /// Whether an origin, in lower case, is one of them.
    pub fn contains(&self, origin: &str) -> bool {
        !origin.is_empty()
            && (self.any
                || self.named.contains(origin)
                || self.patterns.iter().any(|pattern| pattern.is_match(origin)))
    }

    /// Whether everybody may call, so that answers do not depend on the origin.
    pub fn is_open(&self) -> bool {
        self.any
    }
}
