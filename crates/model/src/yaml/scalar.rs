//! What a scalar of YAML means in the core schema of YAML 1.2.

use saphyr_parser::{ScalarStyle, Tag};
use serde_json::{Number, Value};

/// A value and, where JSON has nothing alike, what is odd about it.
pub(super) struct Resolved {
    pub value: Value,
    pub warning: Option<&'static str>,
}

impl From<Value> for Resolved {
    fn from(value: Value) -> Self {
        Self { value, warning: None }
    }
}

const NOT_A_NUMBER: &str = "infinity and not-a-number have no form in JSON; the text is kept";
const OUT_OF_RANGE: &str = "the number is out of range; the text is kept";

/// The value of a scalar. Only plain scalars are anything but text, unless a tag says so.
pub(super) fn resolve(text: String, style: ScalarStyle, tag: Option<&Tag>) -> Resolved {
    let core = tag.and_then(|tag| match (tag.handle.as_str(), tag.suffix.as_str()) {
        (CORE, suffix) => Some(suffix),
        ("", verbatim) => verbatim.strip_prefix(CORE),
        _ => None,
    });
    match (core, tag) {
        (Some(kind @ ("null" | "bool" | "int" | "float")), _) => tagged(text, kind),
        (Some(_), _) => Value::String(text).into(),
        // `!` alone asks for text. Another tag tells another program something; it is read as if it were not there.
        (None, Some(tag)) if tag.handle.is_empty() && tag.suffix == "!" => Value::String(text).into(),
        _ if style == ScalarStyle::Plain => plain(text),
        _ => Value::String(text).into(),
    }
}

/// Prefix of the tags of YAML's own types.
const CORE: &str = "tag:yaml.org,2002:";

fn tagged(text: String, suffix: &str) -> Resolved {
    let resolved = plain(text.clone());
    match (&resolved.value, suffix) {
        (Value::Null, "null") | (Value::Bool(_), "bool") | (Value::Number(_), "int" | "float") => resolved,
        _ => Resolved {
            value: Value::String(text),
            warning: Some("the text does not fit its tag; it is kept as text"),
        },
    }
}

fn plain(text: String) -> Resolved {
    // Most scalars are words: decide by the first byte.
    let known = match text.as_bytes().first() {
        None | Some(b'~' | b'n' | b'N') => {
            matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL").then_some(Value::Null)
        }
        Some(b't' | b'T') => matches!(text.as_str(), "true" | "True" | "TRUE").then_some(Value::Bool(true)),
        Some(b'f' | b'F') => {
            matches!(text.as_str(), "false" | "False" | "FALSE").then_some(Value::Bool(false))
        }
        Some(b'0'..=b'9' | b'+' | b'-' | b'.') => return number(text),
        Some(_) => None,
    };
    known.unwrap_or(Value::String(text)).into()
}

fn number(text: String) -> Resolved {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(&text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text.as_str(), ".nan" | ".NaN" | ".NAN") {
        return Resolved { value: Value::String(text), warning: Some(NOT_A_NUMBER) };
    }
    let radix = match text.get(..2) {
        Some("0x") if is_digits(&text[2..], 16) => Some(16),
        Some("0o") if is_digits(&text[2..], 8) => Some(8),
        _ => None,
    };
    let number = if let Some(radix) = radix {
        u64::from_str_radix(&text[2..], radix).ok().map(Number::from)
    } else if is_digits(unsigned, 10) {
        let exact = text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from));
        // Beyond 64 bits JSON readers fall back to floating point, and so do we.
        exact.ok().or_else(|| text.parse().ok().and_then(Number::from_f64))
    } else if is_float(unsigned) {
        text.parse().ok().and_then(Number::from_f64)
    } else {
        return Value::String(text).into();
    };
    match number {
        Some(number) => Value::Number(number).into(),
        None => Resolved { value: Value::String(text), warning: Some(OUT_OF_RANGE) },
    }
}

fn is_digits(text: &str, radix: u32) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_digit(radix))
}

/// `\.[0-9]+ | [0-9]+(\.[0-9]*)?`, then an exponent or not.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => is_digits(fraction, 10),
        Some((whole, fraction)) => is_digits(whole, 10) && (fraction.is_empty() || is_digits(fraction, 10)),
        None => is_digits(mantissa, 10),
    };
    mantissa_fits && exponent.is_none_or(|e| is_digits(e.strip_prefix(['+', '-']).unwrap_or(e), 10))
}
