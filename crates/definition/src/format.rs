//! Which version of which format a document is written in.

use std::fmt;

use serde_json::{Map, Value};

use crate::ImportError;
use crate::report::Report;

/// Format of a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    OpenApi20,
    OpenApi30,
    OpenApi31,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::OpenApi20 => "OpenAPI 2.0",
            Format::OpenApi30 => "OpenAPI 3.0",
            Format::OpenApi31 => "OpenAPI 3.1",
        })
    }
}

/// The format, or why the document is no definition.
pub(crate) fn detect(document: &Value, report: &mut Report) -> Result<Format, ImportError> {
    let Value::Object(root) = document else { return Err(ImportError::NotAnObject(kind(document))) };
    let (key, value) = match (root.get("openapi"), root.get("swagger")) {
        (Some(openapi), swagger) => {
            if swagger.is_some() {
                report.warn_at("swagger", "both `openapi` and `swagger` are given; `openapi` counts");
            }
            ("openapi", openapi)
        }
        (None, Some(swagger)) => ("swagger", swagger),
        (None, None) => return Err(unknown(root)),
    };
    let found = match value {
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    let format = format_of(&found).ok_or_else(|| ImportError::Version { key, found: clip(&found) })?;
    match (key, format) {
        ("openapi", Format::OpenApi20) => {
            report.warn_at(key, "OpenAPI 2.0 has the key `swagger`; the document is read as 2.0");
        }
        ("swagger", Format::OpenApi30 | Format::OpenApi31) => {
            report.warn_at(key, format!("OpenAPI 3 has the key `openapi`; the document is read as {format}"));
        }
        _ => {}
    }
    if found.starts_with("3.2") {
        report.warn_at(key, "OpenAPI 3.2 is read as 3.1; what is new in it may be left out");
    }
    // A key without a value is a slip, not another kind of document.
    let (expected, present) = match format {
        Format::OpenApi20 => ("expected `paths`", root.contains_key("paths")),
        Format::OpenApi30 => {
            ("expected `paths`", root.contains_key("paths") || root.contains_key("components"))
        }
        Format::OpenApi31 => (
            "expected at least one of `paths`, `webhooks` and `components`",
            ["paths", "webhooks", "components"].iter().any(|key| root.contains_key(*key)),
        ),
    };
    if present { Ok(format) } else { Err(ImportError::Empty(expected)) }
}

/// Reads `3.0.3`, `3.1`, and what is left of them when the quotes were forgotten: `2`, `3`.
fn format_of(version: &str) -> Option<Format> {
    let mut parts = version.split('.');
    let major = parts.next()?;
    let minor = parts.next().unwrap_or("0");
    let minor = minor.split('-').next()?;
    match (major, minor) {
        ("2", "0") => Some(Format::OpenApi20),
        ("3", "0") => Some(Format::OpenApi30),
        ("3", "1" | "2") => Some(Format::OpenApi31),
        _ => None,
    }
}

fn unknown(root: &Map<String, Value>) -> ImportError {
    let named = |key: &str| root.contains_key(key);
    if let Some(version) = root.get("swaggerVersion") {
        let found = version.as_str().map_or_else(|| version.to_string(), str::to_owned);
        return ImportError::Version { key: "swaggerVersion", found: clip(&found) };
    }
    let found = if named("asyncapi") {
        "the document is an AsyncAPI definition".to_owned()
    } else if named("raml") {
        "the document is a RAML definition".to_owned()
    } else if root.get("info").is_some_and(|info| info.get("_postman_id").is_some())
        || named("item") && named("info")
    {
        "the document is a Postman collection".to_owned()
    } else if named("__schema") || root.get("data").is_some_and(|data| data.get("__schema").is_some()) {
        "the document is a GraphQL schema".to_owned()
    } else if named("arazzo") || named("overlay") {
        "the document belongs to an API definition, but is none".to_owned()
    } else if root.is_empty() {
        "the document is empty".to_owned()
    } else {
        let keys: Vec<_> = root.keys().take(5).map(|key| format!("`{}`", clip(key))).collect();
        let more = if root.len() > keys.len() { ", …" } else { "" };
        format!("the document has the keys {}{more}", keys.join(", "))
    };
    ImportError::Unknown(found)
}

/// What a value is, for people.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// A text of the document for a message, which it must not fill.
pub(crate) fn clip(text: &str) -> String {
    const LONGEST: usize = 120;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
