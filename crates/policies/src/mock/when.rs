//! When a written response is given: what has to be in the request.

use engine::Exchange;
use http::HeaderName;
use model::{Diagnostic, source::percent_decode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Something that has to be in the request. Exactly one of `header`, `query` and `jsonPath` names it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MockWhen {
    /// Name of a header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    header: Option<String>,
    /// Name of a query parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    query: Option<String>,
    /// Path to a value in a JSON body: `$.order.items[0].id`. Names and numbers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    json_path: Option<String>,
    /// Value it must have; `*` stands for any. Numbers and truth values in a body are compared as they are written.
    /// Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    equals: Option<String>,
    /// Whether it must be there at all; `false` asks that it is not. Not together with `equals`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exists: Option<bool>,
}

/// A condition, ready to be asked.
pub struct Condition {
    place: Place,
    wanted: Wanted,
}

enum Place {
    Header(HeaderName),
    Query(String),
    /// JSON pointer.
    Body(String),
}

enum Wanted {
    Any,
    Nothing,
    Value(String),
}

impl MockWhen {
    pub fn compile(&self) -> Result<Condition, Diagnostic> {
        let place = match (&self.header, &self.query, &self.json_path) {
            (Some(name), None, None) => {
                Place::Header(HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
                    Diagnostic::error("header", format!("found `{name}`, expected the name of a header"))
                })?)
            }
            (None, Some(name), None) => Place::Query(name.clone()),
            (None, None, Some(path)) => Place::Body(pointer(path).ok_or_else(|| {
                Diagnostic::error(
                    "jsonPath",
                    format!("found `{path}`, expected a path such as `$.order.items[0].id`"),
                )
            })?),
            _ => {
                return Err(Diagnostic::error(
                    "",
                    "expected exactly one of `header`, `query` and `jsonPath`",
                ));
            }
        };
        let wanted = match (self.equals.as_deref(), self.exists) {
            (None | Some("*"), None | Some(true)) => Wanted::Any,
            (None, Some(false)) => Wanted::Nothing,
            (Some(value), None) => Wanted::Value(value.to_owned()),
            (Some(_), Some(_)) => {
                return Err(Diagnostic::error(
                    "exists",
                    "found together with `equals`, expected one of them",
                ));
            }
        };
        Ok(Condition { place, wanted })
    }
}

/// `$.a['b c'][0]` as a JSON pointer.
fn pointer(path: &str) -> Option<String> {
    let mut rest = path.strip_prefix('$')?;
    let mut pointer = String::new();
    while !rest.is_empty() {
        let key;
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            (key, rest) = after.split_at(end);
        } else {
            let (inside, after) = rest.strip_prefix('[')?.split_once(']')?;
            let quoted = ['\'', '"'].into_iter().find_map(|q| inside.strip_prefix(q)?.strip_suffix(q));
            key = quoted.or_else(|| inside.bytes().all(|b| b.is_ascii_digit()).then_some(inside))?;
            rest = after;
        }
        if key.is_empty() || key == "*" {
            return None;
        }
        model::source::push_key(&mut pointer, key);
    }
    Some(pointer)
}

impl Condition {
    pub fn reads_body(&self) -> bool {
        matches!(self.place, Place::Body(_))
    }

    pub fn holds(&self, exchange: &Exchange) -> bool {
        let found = match &self.place {
            Place::Header(name) => {
                exchange.headers.get(name).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned())
            }
            Place::Query(name) => exchange
                .query_parameter(name)
                .map(|value| percent_decode(&value.replace('+', " ")).unwrap_or_else(|| value.to_owned())),
            Place::Body(pointer) => {
                let value =
                    exchange.request_payload.as_ref().and_then(|p| p.json()).and_then(|v| v.pointer(pointer));
                value.map(|value| match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                })
            }
        };
        match (&self.wanted, found) {
            (Wanted::Any, found) => found.is_some(),
            (Wanted::Nothing, found) => found.is_none(),
            (Wanted::Value(wanted), found) => found.as_ref() == Some(wanted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_names_and_numbers() {
        for (path, expect) in [
            ("$", Some("")),
            ("$.a.b", Some("/a/b")),
            ("$.a[0]['b/c']", Some("/a/0/b~1c")),
            ("$[\"a\"].b", Some("/a/b")),
            ("a.b", None),
            ("$.a[*]", None),
            ("$..a", None),
            ("$.*", None),
            ("$.a[?(@.b)]", None),
            ("$.a[0", None),
        ] {
            assert_eq!(pointer(path).as_deref(), expect, "{path}");
        }
    }
}
