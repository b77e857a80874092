//! What is wrong with a value in words that repeat nothing of it.

use std::borrow::Cow;

use engine::Problem;
use jsonschema::{
    ValidationError,
    error::{TypeKind, ValidationErrorKind as Kind},
};
use serde_json::Value;

use super::REF;

/// Longest location; the names in it may be the client's.
const LONGEST: usize = 200;
/// Most values of an `enum` that are named.
const MOST_VALUES: usize = 20;

/// A problem at a place.
pub fn at(location: impl AsRef<str>, message: impl Into<Cow<'static, str>>) -> Problem {
    let location = location.as_ref();
    let location = match location.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &location[..end]),
        None => location.to_owned(),
    };
    Problem { location: location.into(), message: message.into() }
}

pub fn too_complex(location: &str) -> Problem {
    at(location, "the value takes too much work to check")
}

pub fn large(location: &str) -> Problem {
    at(location, "the value does not match its schema; it is too large or too complex to say where")
}

/// The schema that the value was handed on to, where that is what failed.
pub fn followed(error: &ValidationError<'_>) -> Option<u32> {
    match error.kind() {
        Kind::Custom { keyword, message } if keyword == REF => message.parse().ok(),
        _ => None,
    }
}

pub fn of(error: &ValidationError<'_>, location: &str) -> Problem {
    let message = match error.kind() {
        Kind::Type { kind: TypeKind::Single(one) } => format!("expected {one}"),
        Kind::Type { kind: TypeKind::Multiple(several) } => {
            let names: Vec<String> = several.iter().map(|one| one.to_string()).collect();
            format!("expected {}", names.join(" or "))
        }
        Kind::Required { property } => {
            return at(format!("{location}/{}", property.as_str().unwrap_or_default()), "is required");
        }
        Kind::AdditionalProperties { .. } | Kind::UnevaluatedProperties { .. } => {
            "has a property that is not declared".to_owned()
        }
        Kind::AdditionalItems { limit } => format!("expected at most {limit} items"),
        Kind::UnevaluatedItems { .. } => "has an item that is not declared".to_owned(),
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => "matches none of the alternatives".to_owned(),
        Kind::OneOfMultipleValid { .. } => "matches more than one of the alternatives".to_owned(),
        Kind::Not { .. } => "matches what it must not".to_owned(),
        Kind::Constant { expected_value } => format!("expected {}", clip(expected_value)),
        Kind::Enum { options } => match &**options {
            Value::Array(values) if values.len() <= MOST_VALUES => {
                let values: Vec<String> = values.iter().map(clip).collect();
                format!("expected one of {}", values.join(", "))
            }
            _ => "expected one of the declared values".to_owned(),
        },
        Kind::Minimum { limit } => format!("expected at least {limit}"),
        Kind::Maximum { limit } => format!("expected at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("expected more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("expected less than {limit}"),
        Kind::MultipleOf { multiple_of } => format!("expected a multiple of {multiple_of}"),
        Kind::MinLength { limit } => format!("expected at least {limit} characters"),
        Kind::MaxLength { limit } => format!("expected at most {limit} characters"),
        Kind::MinItems { limit } => format!("expected at least {limit} items"),
        Kind::MaxItems { limit } => format!("expected at most {limit} items"),
        Kind::MinProperties { limit } => format!("expected at least {limit} properties"),
        Kind::MaxProperties { limit } => format!("expected at most {limit} properties"),
        Kind::UniqueItems => "expected items that differ from each other".to_owned(),
        Kind::Contains => "has too few or too many of the items that it must contain".to_owned(),
        Kind::Format { format } => format!("expected the format `{format}`"),
        Kind::Pattern { pattern } if pattern.len() <= LONGEST => format!("expected to match `{pattern}`"),
        Kind::PropertyNames { .. } => "has a property whose name is not allowed".to_owned(),
        Kind::FalseSchema => "is not allowed".to_owned(),
        _ => "does not match its schema".to_owned(),
    };
    at(location, message)
}

/// A value of the definition, as short as a message can bear.
fn clip(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
