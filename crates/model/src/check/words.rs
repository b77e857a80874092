//! What was found and what was expected, in words; and the small questions to a schema that they rest on.

use serde_json::{Map, Number, Value};

use super::{Scalar, parts};

/// Longer values are not repeated: nobody reads them, and they may hold what should not be in a log.
const MAX_ECHO: usize = 60;
/// Most names listed in one message.
const MAX_LISTED: usize = 20;

/// A value as it is called in a message. With `hide`, only its kind is said.
pub(super) fn found(value: &Value, hide: bool) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(_) if hide => "true or false".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(_) if hide => "a number".to_owned(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(_) if hide => "a string".to_owned(),
        Value::String(text) if text.is_empty() => "an empty string".to_owned(),
        Value::String(text) if is_long(text) => long(text),
        Value::String(text) => format!("the string {text:?}"),
        Value::Array(items) if items.is_empty() => "an empty list".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// A word as it was written.
pub(super) fn quoted(text: &str) -> String {
    if is_long(text) {
        long(text)
    } else if text.is_empty() || text.contains(|c: char| c == '`' || c.is_control()) {
        format!("{text:?}")
    } else {
        format!("`{text}`")
    }
}

fn is_long(text: &str) -> bool {
    text.chars().nth(MAX_ECHO).is_some()
}

fn long(text: &str) -> String {
    format!("a string of {} characters", text.chars().count())
}

/// Names in a row: `a`, `b`, `c`.
pub(super) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut listed: Vec<String> = names.into_iter().map(quoted).collect();
    if listed.len() > MAX_LISTED {
        let more = listed.len() - MAX_LISTED;
        listed.truncate(MAX_LISTED);
        listed.push(format!("{more} more"));
    }
    listed.join(", ")
}

pub(super) fn one_of(literals: &[&Value]) -> String {
    let names: Vec<String> = literals
        .iter()
        .filter(|literal| !literal.is_null())
        .map(|literal| literal.as_str().map_or_else(|| literal.to_string(), str::to_owned))
        .collect();
    let listed = list(names.iter().map(String::as_str));
    if names.len() == 1 { listed } else { format!("one of {listed}") }
}

/// The values that `const` or `enum` name, also when a union spreads them over branches to describe each.
pub(super) fn literals<'s>(parts: &[&'s Map<String, Value>]) -> Option<Vec<&'s Value>> {
    parts.iter().find_map(|part| {
        if let Some(only) = part.get("const") {
            return Some(vec![only]);
        }
        if let Some(Value::Array(all)) = part.get("enum") {
            return Some(all.iter().collect());
        }
        let branches = part.get("oneOf").or_else(|| part.get("anyOf"))?.as_array()?;
        let all: Option<Vec<_>> = branches.iter().map(|branch| literals(&[branch.as_object()?])).collect();
        all.map(|all| all.into_iter().flatten().collect())
    })
}

fn types<'s>(parts: &[&'s Map<String, Value>]) -> Vec<&'s str> {
    match parts.iter().find_map(|part| part.get("type")) {
        Some(Value::String(only)) => vec![only],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

pub(super) fn allows(parts: &[&Map<String, Value>], kind: &str) -> bool {
    let types = types(parts);
    types.is_empty() || types.contains(&kind)
}

/// Whether type and bounds of the schema admit the value; what is inside of it is not looked at.
pub(super) fn fits(parts: &[&Map<String, Value>], value: &Value) -> bool {
    let bound = |keyword: &str| parts.iter().find_map(|part| part.get(keyword)?.as_u64());
    let within = |length: usize, least: &str, most: &str| {
        bound(least).is_none_or(|least| length as u64 >= least)
            && bound(most).is_none_or(|most| length as u64 <= most)
    };
    match value {
        Value::Null => allows(parts, "null"),
        Value::Bool(_) => allows(parts, "boolean"),
        Value::Object(_) => allows(parts, "object"),
        Value::Array(items) => allows(parts, "array") && within(items.len(), "minItems", "maxItems"),
        Value::String(text) => {
            allows(parts, "string") && within(text.chars().count(), "minLength", "maxLength")
        }
        Value::Number(number) => fits_number(parts, number),
    }
}

fn fits_number(parts: &[&Map<String, Value>], number: &Number) -> bool {
    if allows(parts, "integer")
        && let Some(whole) = whole(number)
    {
        let (least, most) = whole_bounds(parts);
        return least.is_none_or(|least| whole >= least) && most.is_none_or(|most| whole <= most);
    }
    let bound = |keyword: &str| parts.iter().find_map(|part| part.get(keyword)?.as_f64());
    let value = number.as_f64().unwrap_or(f64::NAN);
    allows(parts, "number")
        && bound("minimum").is_none_or(|least| value >= least)
        && bound("maximum").is_none_or(|most| value <= most)
        && bound("exclusiveMinimum").is_none_or(|least| value > least)
        && bound("exclusiveMaximum").is_none_or(|most| value < most)
}

fn whole(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

/// The bounds of a whole number, by keyword and by the integer type that `format` names.
fn whole_bounds(parts: &[&Map<String, Value>]) -> (Option<i128>, Option<i128>) {
    let keyword = |keyword: &str| parts.iter().find_map(|part| whole(part.get(keyword)?.as_number()?));
    let (least, most) = match parts.iter().find_map(|part| part.get("format")?.as_str()) {
        Some("uint8") => (Some(0), Some(i128::from(u8::MAX))),
        Some("uint16") => (Some(0), Some(i128::from(u16::MAX))),
        Some("uint32") => (Some(0), Some(i128::from(u32::MAX))),
        Some("int32") => (Some(i128::from(i32::MIN)), Some(i128::from(i32::MAX))),
        _ => (None, None),
    };
    let least =
        [keyword("minimum"), keyword("exclusiveMinimum").map(|n| n + 1), least].into_iter().flatten().max();
    let most =
        [keyword("maximum"), keyword("exclusiveMaximum").map(|n| n - 1), most].into_iter().flatten().min();
    (least, most)
}

/// What the schema asks for, said to someone who wrote `value`.
pub(super) fn expected(root: &Value, schema: &[&Map<String, Value>], value: &Value) -> String {
    if let Some(scalar) = schema.iter().find_map(|part| Scalar::of(part)) {
        return scalar.expected();
    }
    if let Some(literals) = literals(schema) {
        return one_of(&literals);
    }
    let mut ways: Vec<String> = Vec::new();
    for kind in types(schema) {
        match kind {
            "string" => {
                ways.push(format!("a string{}", length(schema, "character", "minLength", "maxLength")))
            }
            "integer" => ways.push(whole_number(schema, value)),
            "number" => ways.push(number(schema)),
            "boolean" => ways.push("`true` or `false`".to_owned()),
            "array" => ways.push(format!("a list{}", length(schema, "entry", "minItems", "maxItems"))),
            "object" => ways.push(object(schema)),
            _ => {}
        }
    }
    if ways.is_empty() {
        let branches = schema
            .iter()
            .flat_map(|part| ["oneOf", "anyOf"].into_iter().filter_map(|key| part.get(key)?.as_array()));
        for branch in branches.flatten().filter(|branch| branch.get("type") != Some(&Value::from("null"))) {
            let way = branch_words(root, branch, value);
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
    }
    match ways.split_last() {
        None => "something else".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// A union inside a union is called by its kind only: a reference could lead back here.
fn branch_words(root: &Value, branch: &Value, value: &Value) -> String {
    let schema = parts(root, branch);
    let nested = schema.iter().any(|part| part.contains_key("oneOf") || part.contains_key("anyOf"));
    if nested && literals(&schema).is_none() { object(&schema) } else { expected(root, &schema, value) }
}

fn length(schema: &[&Map<String, Value>], unit: &str, least: &str, most: &str) -> String {
    let bound = |keyword: &str| schema.iter().find_map(|part| part.get(keyword)?.as_u64());
    let units = |n: u64| match (n, unit) {
        (1, _) => unit.to_owned(),
        (_, "entry") => "entries".to_owned(),
        _ => format!("{unit}s"),
    };
    match (bound(least), bound(most)) {
        (Some(least), Some(most)) if least == most => format!(" of {least} {}", units(least)),
        (Some(least), Some(most)) => format!(" of {least} to {most} {}", units(most)),
        (Some(least), None) if least > 0 => format!(" of at least {least} {}", units(least)),
        (None, Some(most)) => format!(" of at most {most} {}", units(most)),
        _ => String::new(),
    }
}

fn whole_number(schema: &[&Map<String, Value>], value: &Value) -> String {
    let written =
        schema.iter().any(|part| part.contains_key("maximum") || part.contains_key("exclusiveMaximum"));
    match whole_bounds(schema) {
        // The largest number of the type itself is worth saying only to someone who went beyond it.
        (Some(least), Some(most))
            if written || value.as_number().and_then(whole).is_some_and(|n| n > most) =>
        {
            format!("a whole number from {least} to {most}")
        }
        (Some(least), _) if least > i128::from(i32::MIN) => format!("a whole number of at least {least}"),
        (None, Some(most)) => format!("a whole number of at most {most}"),
        _ => "a whole number".to_owned(),
    }
}

fn number(schema: &[&Map<String, Value>]) -> String {
    let bound = |keyword: &str| schema.iter().find_map(|part| part.get(keyword)?.as_number());
    match (bound("minimum"), bound("maximum"), bound("exclusiveMinimum")) {
        (Some(least), Some(most), _) => format!("a number from {least} to {most}"),
        (Some(least), None, _) => format!("a number of at least {least}"),
        (None, Some(most), _) => format!("a number of at most {most}"),
        (None, None, Some(least)) => format!("a number above {least}"),
        _ => "a number".to_owned(),
    }
}

fn object(schema: &[&Map<String, Value>]) -> String {
    let required: Vec<&str> = schema
        .iter()
        .filter_map(|part| part.get("required")?.as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    match required.len() {
        0 => "an object".to_owned(),
        1 => format!("an object with the key {}", list(required)),
        _ => format!("an object with the keys {}", list(required)),
    }
}

/// What to do when only the quotes are wrong.
pub(super) fn quoting(schema: &[&Map<String, Value>], value: &Value, hide: bool) -> Option<String> {
    let types = types(schema);
    match value {
        Value::Number(_) | Value::Bool(_) if hide && types.contains(&"string") => {
            Some("write it in quotes".to_owned())
        }
        Value::Number(_) | Value::Bool(_) if types.contains(&"string") => {
            Some(format!("write it in quotes: \"{value}\""))
        }
        Value::String(text) if !is_long(text) && !types.contains(&"string") => {
            let meant: Value = serde_json::from_str(text).ok()?;
            let scalar = meant.is_number() || meant.is_boolean();
            (scalar && !types.is_empty() && fits(schema, &meant))
                .then(|| "write it without quotes".to_owned())
        }
        _ => None,
    }
}
