//! JSON bodies: looked into and changed by JSONPath (RFC 9535).

use std::borrow::Cow;

use model::Diagnostic;
use serde_json::Value;
use serde_json_path::{JsonPath, PathElement};

use super::select::Replacement;

/// Nothing that somebody means is longer, and the parser's recursion stays shallow.
const LONGEST: usize = 1_024;
/// Brackets and parentheses inside each other. The time that the parser takes doubles with every filter in a filter.
const DEEPEST: usize = 8;

/// Checks an expression.
pub fn compile(text: &str) -> Result<JsonPath, Diagnostic> {
    let depth = text
        .bytes()
        .scan(0_usize, |depth, byte| {
            *depth = match byte {
                b'[' | b'(' => *depth + 1,
                b']' | b')' => depth.saturating_sub(1),
                _ => *depth,
            };
            Some(*depth)
        })
        .max();
    if text.len() > LONGEST || depth > Some(DEEPEST) {
        return Err(Diagnostic::error(
            "",
            format!(
                "found a JSONPath of {} bytes, expected at most {LONGEST} with {DEEPEST} levels of brackets",
                text.len()
            ),
        ));
    }
    JsonPath::parse(text).map_err(|error| {
        Diagnostic::error(
            "",
            format!(
                "found `{text}`, which is no JSONPath: {} at character {}",
                error.message(),
                error.position() + 1
            ),
        )
        .help("write it as in RFC 9535: $.orders[0].id or $..price")
    })
}

/// A value as text: a string as it is, everything else as JSON. `null` is empty.
pub fn text_of(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Bool(true) => Cow::Borrowed("true"),
        Value::Bool(false) => Cow::Borrowed("false"),
        Value::Null => Cow::Borrowed(""),
        value => Cow::Owned(value.to_string()),
    }
}

/// What an expression selects, as one text: a single value as [`text_of`], several as a JSON array.
pub fn text<'v>(path: &JsonPath, value: &'v Value) -> Option<Cow<'v, str>> {
    let nodes = path.query(value).all();
    match nodes[..] {
        [] => None,
        [one] => Some(text_of(one)),
        _ => serde_json::to_string(&nodes).ok().map(Cow::Owned),
    }
}

/// The value with what an expression selects replaced; `None` when it selects nothing.
pub fn replace(path: &JsonPath, value: &Value, replacement: &Replacement) -> Option<Value> {
    let mut places: Vec<Vec<Step>> = path
        .query_located(value)
        .locations()
        .map(|location| location.iter().map(Step::from).collect())
        .collect();
    if places.is_empty() {
        return None;
    }
    // From behind, so that positions stay right when entries are removed, and inner places before outer ones.
    places.sort_unstable();
    places.dedup();
    let mut changed = value.clone();
    for place in places.iter().rev() {
        match replacement {
            Replacement::Mask(mask) => {
                if let Some(node) = node_mut(&mut changed, place) {
                    *node = Value::String(mask.as_ref().to_owned());
                }
            }
            Replacement::Filter => remove(&mut changed, place),
        }
    }
    Some(changed)
}

/// Takes a place out of its parent. The whole document becomes `null`.
pub fn remove(value: &mut Value, place: &[Step]) {
    let Some((last, parent)) = place.split_last() else {
        *value = Value::Null;
        return;
    };
    match (node_mut(value, parent), last) {
        (Some(Value::Object(members)), Step::Name(name)) => {
            members.shift_remove(name);
        }
        (Some(Value::Array(items)), step) => {
            if let Some(index) = step.index(items.len()).filter(|index| *index < items.len()) {
                items.remove(index);
            }
        }
        _ => {}
    }
}

/// Writes one place; a last step that is missing is made, in an object or at the end of an array. `false` when
/// there is nothing to write into.
pub fn write(value: &mut Value, place: &[Step], text: &str) -> bool {
    let Some((last, parent)) = place.split_last() else {
        *value = typed(None, text);
        return true;
    };
    match (node_mut(value, parent), last) {
        (Some(Value::Object(members)), Step::Name(name)) => {
            let new = typed(members.get(name), text);
            members.insert(name.clone(), new);
            true
        }
        (Some(Value::Array(items)), step) => match step.index(items.len()) {
            Some(index) if index < items.len() => {
                items[index] = typed(items.get(index), text);
                true
            }
            Some(index) if index == items.len() => {
                items.push(typed(None, text));
                true
            }
            _ => false,
        },
        _ => false,
    }
}

/// A string stays a string; elsewhere a text that is JSON is taken as JSON.
fn typed(old: Option<&Value>, text: &str) -> Value {
    match old {
        Some(Value::String(_)) => Value::String(text.to_owned()),
        _ => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
    }
}

fn node_mut<'v>(value: &'v mut Value, place: &[Step]) -> Option<&'v mut Value> {
    place.iter().try_fold(value, |value, step| match (value, step) {
        (Value::Object(members), Step::Name(name)) => members.get_mut(name),
        (Value::Array(items), step) => {
            let index = step.index(items.len())?;
            items.get_mut(index)
        }
        _ => None,
    })
}

/// One step of a path that leads to one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Name(String),
    Index(i64),
}

impl Step {
    /// The position in an array with so many entries; a negative one counts from its end.
    fn index(&self, length: usize) -> Option<usize> {
        match self {
            Self::Index(index) if *index < 0 => {
                length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)
            }
            Self::Index(index) => usize::try_from(*index).ok(),
            Self::Name(_) => None,
        }
    }
}

impl From<&PathElement<'_>> for Step {
    fn from(element: &PathElement<'_>) -> Self {
        match element {
            PathElement::Name(name) => Self::Name((*name).to_owned()),
            PathElement::Index(index) => Self::Index(i64::try_from(*index).unwrap_or(i64::MAX)),
        }
    }
}

/// The steps of an expression that can only lead to one place, such as `$.orders[0]['the id']`.
pub fn singular(text: &str) -> Result<Vec<Step>, Diagnostic> {
    compile(text)?;
    let several = || {
        Diagnostic::error(
            "",
            format!("found `{text}`, which may lead to several places, expected one to write to"),
        )
        .help("use names and positions only: $.orders[0].id")
    };
    let mut steps = Vec::new();
    let mut rest = text.strip_prefix('$').ok_or_else(several)?.trim_start();
    while !rest.is_empty() {
        if let Some(name) = rest.strip_prefix('.') {
            let end = name.find(|c: char| c != '_' && c.is_ascii() && !c.is_ascii_alphanumeric());
            let (name, after) = name.split_at(end.unwrap_or(name.len()));
            if name.is_empty() {
                return Err(several());
            }
            steps.push(Step::Name(name.to_owned()));
            rest = after.trim_start();
            continue;
        }
        let inner = rest.strip_prefix('[').ok_or_else(several)?.trim_start();
        let after = if inner.starts_with(['\'', '"']) {
            let (name, after) = quoted(inner).ok_or_else(several)?;
            steps.push(Step::Name(name));
            after
        } else {
            let end = inner.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(inner.len());
            steps.push(Step::Index(inner[..end].parse().map_err(|_| several())?));
            &inner[end..]
        };
        rest = after.trim_start().strip_prefix(']').ok_or_else(several)?.trim_start();
    }
    Ok(steps)
}

/// A quoted name at the beginning, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next()?;
    let mut json = String::from("\"");
    let mut characters = text.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            c if c == quote => {
                json.push('"');
                return Some((serde_json::from_str(&json).ok()?, &text[at + 1..]));
            }
            '\\' => match characters.next()?.1 {
                // JSON knows no escape for it.
                '\'' => json.push('\''),
                other => json.extend(['\\', other]),
            },
            '"' => json.push_str("\\\""),
            c => json.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selections_become_text() {
        let value =
            json!({"a": "x\"y", "n": 1.5, "t": true, "z": null, "l": [1, "b"], "o": {"k": 1}, "a b": "c"});
        for (path, expect) in [
            ("$.a", Some("x\"y")),
            ("$.n", Some("1.5")),
            ("$.t", Some("true")),
            ("$.z", Some("")),
            ("$.l", Some("[1,\"b\"]")),
            ("$.l[*]", Some("[1,\"b\"]")),
            ("$.l[0:1]", Some("1")),
            ("$.o", Some("{\"k\":1}")),
            ("$['a b']", Some("c")),
            ("$..k", Some("1")),
            ("$.l[?@ == 'b']", Some("b")),
            ("$.none", None),
        ] {
            assert_eq!(text(&compile(path).unwrap(), &value).as_deref(), expect, "{path}");
        }
    }

    #[test]
    fn places_are_masked_and_removed() {
        let value = json!({"a": [1, 2, 3, {"a": "x"}], "b": {"a": {"a": 1}}});
        let mask = Replacement::Mask("*".into());
        for (path, replacement, expect) in [
            ("$.a[*]", &mask, Some(json!({"a": ["*", "*", "*", "*"], "b": {"a": {"a": 1}}}))),
            ("$.a[:3]", &Replacement::Filter, Some(json!({"a": [{"a": "x"}], "b": {"a": {"a": 1}}}))),
            ("$..a", &mask, Some(json!({"a": "*", "b": {"a": "*"}}))),
            ("$..a", &Replacement::Filter, Some(json!({"b": {}}))),
            ("$", &mask, Some(json!("*"))),
            ("$", &Replacement::Filter, Some(json!(null))),
            ("$.none", &mask, None),
        ] {
            assert_eq!(replace(&compile(path).unwrap(), &value, replacement), expect, "{path}");
        }
    }

    #[test]
    fn single_places_are_written() {
        for (path, text, expect) in [
            ("$.s", "7", Some(json!({"s": "7", "n": 1, "l": [1]}))),
            ("$.n", "7", Some(json!({"s": "x", "n": 7, "l": [1]}))),
            ("$['n']", "seven", Some(json!({"s": "x", "n": "seven", "l": [1]}))),
            ("$.new", "{\"a\":1}", Some(json!({"s": "x", "n": 1, "l": [1], "new": {"a": 1}}))),
            ("$.l[0]", "true", Some(json!({"s": "x", "n": 1, "l": [true]}))),
            ("$.l[-1]", "2", Some(json!({"s": "x", "n": 1, "l": [2]}))),
            ("$.l[1]", "2", Some(json!({"s": "x", "n": 1, "l": [1, 2]}))),
            ("$.l[5]", "2", None),
            ("$.l[-2]", "2", None),
            ("$.s.t", "2", None),
            ("$.none.t", "2", None),
            ("$", "[]", Some(json!([]))),
        ] {
            let mut value = json!({"s": "x", "n": 1, "l": [1]});
            let written = write(&mut value, &singular(path).unwrap(), text);
            assert_eq!(written.then_some(value), expect, "{path}");
        }
    }

    #[test]
    fn singular_paths_are_told_from_others() {
        let name = |name: &str| Step::Name(name.to_owned());
        for (path, steps) in [
            ("$", vec![]),
            ("$.a.b", vec![name("a"), name("b")]),
            ("$[0]['a b'][\"c'd\"]", vec![Step::Index(0), name("a b"), name("c'd")]),
            ("$['\\'\\u00e9\\\\']", vec![name("'é\\")]),
            ("$.é_1", vec![name("é_1")]),
        ] {
            assert_eq!(singular(path).unwrap(), steps, "{path}");
        }
        for path in ["$..a", "$.*", "$[*]", "$[0,1]", "$[0:1]", "$[?@.a]", "a", "", "$.", "$[--1]", "$['a'"] {
            assert!(singular(path).is_err(), "{path}");
        }
    }

    #[test]
    fn absurd_expressions_are_refused() {
        for path in [
            "$".to_owned() + &"[?(".repeat(200),
            "$.".to_owned() + &"a".repeat(5_000),
            "$[?".to_owned() + &"!".repeat(500),
        ] {
            assert!(compile(&path).is_err());
        }
        for (open, close) in [("(", ")"), ("!(", ")"), ("@[?", "]")] {
            let deep = format!("$[?{}@.a{}]", open.repeat(7), close.repeat(7));
            assert!(compile(&deep).is_ok(), "{deep}");
        }
        assert!(compile(&format!("$[?{}@.a]", "!".repeat(1_000))).is_err());
        assert!(compile(&format!("$[?{}@.a != 1]", "@.a != 1 && ".repeat(50))).is_ok());
    }

    /// The suite is public, at github.com/jsonpath-standard/jsonpath-compliance-test-suite, and not part of this one.
    #[test]
    fn the_compliance_suite_passes() {
        let Some(file) = std::env::var_os("GATEWRIGHT_JSONPATH_SUITE") else {
            println!("skipped: GATEWRIGHT_JSONPATH_SUITE does not name the suite's cts.json");
            return;
        };
        let suite: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let tests = suite["tests"].as_array().unwrap();
        let mut failed = Vec::new();
        for test in tests {
            let compiled = compile(test["selector"].as_str().unwrap());
            let passed = match compiled {
                Err(_) => test["invalid_selector"] == true,
                Ok(path) => {
                    let nodes = json!(path.query(&test["document"]).all());
                    test["invalid_selector"] != true
                        && (test.get("result") == Some(&nodes)
                            || test["results"].as_array().is_some_and(|all| all.contains(&nodes)))
                }
            };
            if !passed {
                failed.push(test["name"].as_str().unwrap());
            }
        }
        println!("{} of {} tests of the suite pass; not {failed:?}", tests.len() - failed.len(), tests.len());
        assert!(failed.is_empty(), "{failed:?}");
    }
}
