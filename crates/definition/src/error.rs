//! Why something is no definition at all.

use std::fmt;

use model::Diagnostic;

/// The document is no API definition. Says what was found and what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportError {
    /// The bytes are no text, or too many.
    Unreadable(String),
    /// The text is XML or HTML.
    Markup,
    /// The text is neither JSON nor YAML.
    Syntax(Diagnostic),
    /// The document is not a mapping of keys to values, but this.
    NotAnObject(&'static str),
    /// Neither `openapi` nor `swagger` is there. What the document seems to be, else the keys found.
    Unknown(String),
    /// A version that is not read.
    Version { key: &'static str, found: String },
    /// A definition without `paths` or anything else that describes an API.
    Empty(&'static str),
}

const EXPECTED: &str = "expected an OpenAPI document of version 2.0, 3.0 or 3.1 in JSON or YAML";

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(reason) => write!(f, "{reason}; {EXPECTED}"),
            Self::Markup => {
                write!(f, "the document is XML or HTML; {EXPECTED} (the address may lead to a web page)")
            }
            Self::Syntax(diagnostic) => match diagnostic.line {
                Some(line) => write!(f, "line {line}: {diagnostic}"),
                None => write!(f, "{diagnostic}"),
            },
            Self::NotAnObject(found) => write!(f, "the document is {found}; {EXPECTED}, which is a mapping"),
            Self::Unknown(found) => {
                write!(f, "{found}; {EXPECTED}, which has the key `openapi` or `swagger`")
            }
            Self::Version { key, found } => {
                write!(f, "{key}: version `{found}` is not supported; {EXPECTED}")
            }
            Self::Empty(expected) => write!(f, "the document describes no API: {expected}"),
        }
    }
}

impl std::error::Error for ImportError {}
