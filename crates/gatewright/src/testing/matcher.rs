//! Comparing what is with what was expected: texts with patterns, parts of JSON.

use std::fmt;

use model::Diagnostic;
use regex::{Regex, RegexBuilder};
use serde_json::Value;

/// A text that is expected.
#[derive(Debug, Clone)]
pub enum TextMatch {
    /// There is none.
    Absent,
    Exact(String),
    /// Written as `/pattern/`.
    Pattern(Regex),
}

/// Most memory of a compiled pattern.
const LARGEST_PATTERN: usize = 1 << 20;

impl TextMatch {
    pub fn parse(text: Option<String>) -> Result<Self, Diagnostic> {
        let Some(text) = text else { return Ok(Self::Absent) };
        let inside = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        let Some(pattern) = inside.filter(|pattern| !pattern.is_empty()) else {
            return Ok(Self::Exact(text));
        };
        match RegexBuilder::new(pattern).size_limit(LARGEST_PATTERN).build() {
            Ok(pattern) => Ok(Self::Pattern(pattern)),
            Err(error) => {
                // The last line says what is wrong, those before it show where.
                let error = error.to_string();
                let what = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
                Err(Diagnostic::error("", format!("found `{text}`, which is no pattern: {what}")))
            }
        }
    }

    /// Whether one of the values is what was expected; without values, whether that was.
    pub fn fits<'v>(&self, mut values: impl Iterator<Item = &'v str>) -> bool {
        match self {
            Self::Absent => values.next().is_none(),
            Self::Exact(text) => values.any(|value| value == text),
            Self::Pattern(pattern) => values.any(|value| pattern.is_match(value)),
        }
    }
}

impl fmt::Display for TextMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("none"),
            Self::Exact(text) => write!(f, "{text:?}"),
            Self::Pattern(pattern) => write!(f, "/{pattern}/"),
        }
    }
}

/// Where a value does not hold what was expected of it: path, expected, found. Objects may have other keys; lists
/// have as many entries.
pub fn differences(expected: &Value, found: &Value, path: &str, out: &mut Vec<(String, String, String)>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (key, expected) in expected {
                let path = model::diagnostic::join(path, key);
                match found.get(key) {
                    Some(found) => differences(expected, found, &path, out),
                    None => out.push((path, short(expected), "nothing".to_owned())),
                }
            }
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
                differences(expected, found, &format!("{path}[{index}]"), out);
            }
        }
        _ if same(expected, found) => {}
        _ => out.push((path.to_owned(), short(expected), short(found))),
    }
}

/// `1` and `1.0` are the same number.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || (a.as_f64() == b.as_f64() && a.is_f64() != b.is_f64())
        }
        _ => a == b,
    }
}

const LONGEST: usize = 500;

/// A value as it is shown.
pub fn short(value: &Value) -> String {
    cut(&value.to_string())
}

/// The beginning of a long text.
pub fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(LONGEST);
    if end < text.len() { format!("{}…", &text[..end]) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_are_compared_whole_or_by_pattern() {
        for (expected, values, fits) in [
            (Some("a"), &["a"][..], true),
            (Some("a"), &["A"], false),
            (Some("a"), &["b", "a"], true),
            (Some("a"), &[], false),
            (None, &[], true),
            (None, &["a"], false),
            (Some("/^a+$/"), &["aaa"], true),
            (Some("/^a+$/"), &["ab"], false),
            (Some("/"), &["/"], true),
            (Some("//"), &["//"], true),
            (Some("/a"), &["/a"], true),
        ] {
            let expected = TextMatch::parse(expected.map(str::to_owned)).unwrap();
            assert_eq!(expected.fits(values.iter().copied()), fits, "{expected} {values:?}");
        }
        let problem = TextMatch::parse(Some("/(/".to_owned())).unwrap_err();
        assert!(problem.message.starts_with("found `/(/`, which is no pattern: "), "{problem}");
    }

    #[test]
    fn json_holds_what_was_expected_and_maybe_more() {
        for (expected, found, paths) in [
            (json!({ "a": 1 }), json!({ "a": 1, "b": 2 }), &[][..]),
            (json!({ "a": 1 }), json!({ "a": 1.0 }), &[]),
            (json!({ "a": { "b": [] } }), json!({ "a": { "b": [1] } }), &["json.a.b"]),
            (json!([{ "a": 1 }, 2]), json!([{ "a": 2, "b": 1 }, 2]), &["json[0].a"]),
            (json!([1]), json!([1, 2]), &["json"]),
            (json!({ "a": null, "b": 1 }), json!({ "c": 1 }), &["json.a", "json.b"]),
            (json!("1"), json!(1), &["json"]),
        ] {
            let mut out = Vec::new();
            differences(&expected, &found, "json", &mut out);
            assert_eq!(
                out.iter().map(|(path, ..)| path.as_str()).collect::<Vec<_>>(),
                paths,
                "{expected} {found}"
            );
        }
    }
}
