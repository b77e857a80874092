//! Secrets: written as references, resolved at load, never printed.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::diagnostic::join;

/// A value that must not appear in any output: `${env:NAME}`, `${file:/path}`, or in an asset `${secret:NAME}`.
///
/// What is serialised is always the reference; the value lives in memory only.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret {
    reference: Box<str>,
    value: Option<Box<str>>,
}

/// Where a secret's value is kept.
#[derive(Debug, PartialEq, Eq)]
pub enum SecretSource<'a> {
    Env(&'a str),
    File(&'a str),
    /// One that the manager keeps, by its name.
    Kept(&'a str),
}

impl<'a> SecretSource<'a> {
    /// What a text refers to. This alone decides what a reference is: what is read, and what is looked at before.
    pub fn of(text: &'a str) -> Option<Self> {
        let inner = text.strip_prefix("${")?.strip_suffix('}')?;
        match inner.split_once(':')? {
            (_, name) if name.is_empty() || name.contains('}') => None,
            ("env", name) => Some(Self::Env(name)),
            ("file", path) => Some(Self::File(path)),
            ("secret", name) => Some(Self::Kept(name)),
            _ => None,
        }
    }

    /// Every reference in a document, with its path.
    pub fn each_in(document: &Value, path: &str, found: &mut dyn FnMut(&str, &str, SecretSource<'_>)) {
        match document {
            Value::Object(object) => {
                for (key, value) in object.iter().filter(|(_, value)| Self::is_in(value)) {
                    Self::each_in(value, &join(path, key), found);
                }
            }
            Value::Array(list) => {
                for (index, value) in list.iter().enumerate().filter(|(_, value)| Self::is_in(value)) {
                    Self::each_in(value, &format!("{path}[{index}]"), found);
                }
            }
            Value::String(text) => {
                if let Some(source) = SecretSource::of(text) {
                    found(path, text, source);
                }
            }
            _ => {}
        }
    }

    /// Most documents have none, and need no path to say where.
    fn is_in(document: &Value) -> bool {
        match document {
            Value::Object(object) => object.values().any(Self::is_in),
            Value::Array(list) => list.iter().any(Self::is_in),
            Value::String(text) => SecretSource::of(text).is_some(),
            _ => false,
        }
    }
}

impl fmt::Display for SecretSource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
            Self::Kept(name) => write!(f, "secret:{name}"),
        }
    }
}

impl Secret {
    /// Where the value is to be read from; `None` when this is no reference at all.
    pub fn source(&self) -> Option<SecretSource<'_>> {
        SecretSource::of(&self.reference)
    }

    #[must_use]
    pub fn resolved(&self, value: impl Into<Box<str>>) -> Self {
        Self { reference: self.reference.clone(), value: Some(value.into()) }
    }

    /// The value, once resolved. Never log or print it.
    pub fn expose(&self) -> Option<&str> {
        self.value.as_deref()
    }
}

/// Secrets that policies refer to, by their references. Never written anywhere.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct ResolvedSecrets(std::collections::BTreeMap<Box<str>, Box<str>>);

impl ResolvedSecrets {
    pub fn insert(&mut self, reference: &str, value: String) {
        self.0.insert(reference.into(), value.into());
    }

    pub fn get(&self, secret: &Secret) -> Option<&str> {
        self.0.get(&secret.reference).map(|value| &**value)
    }
}

impl fmt::Debug for ResolvedSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.source() {
            Some(_) => write!(f, "Secret({})", self.reference),
            None => f.write_str("Secret(…)"),
        }
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.source() {
            Some(_) => serializer.serialize_str(&self.reference),
            None => serializer.serialize_str("********"),
        }
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let reference = String::deserialize(deserializer)?.into_boxed_str();
        let secret = Self { reference, value: None };
        match secret.source() {
            Some(_) => Ok(secret),
            None => Err(serde::de::Error::custom(
                "expected a reference such as ${env:NAME} or ${file:/path}, found a literal value; \
                 secrets are not written into configuration",
            )),
        }
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A reference to a secret: ${env:NAME} or ${file:/path}; in an asset also ${secret:NAME}.",
            "pattern": "^\\$\\{(env|file|secret):.+\\}$",
            "examples": ["${env:ORDERS_KEY}", "${file:/run/secrets/orders-key}"],
        })
    }
}

/// A secret that the manager keeps for assets, which refer to it as `${secret:NAME}`. It is encrypted before it is
/// stored, and never shown again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretDoc {
    /// Unique name.
    pub name: String,
    /// What the secret is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The secret itself, at most 64 KiB. It can be written and not be read; without it, the value stays as it is. In a
    /// file for `gatewright apply` it may be `${env:NAME}` or `${file:/path}`, which is read where the command runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<ClearText>,
    /// Assets that may refer to it, as `KIND:NAME`, where a `*` at the end stands for any rest: `api:Orders:*`. Default:
    /// all, so that whoever may change an API can have the secret sent somewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usable_by: Vec<String>,
}

/// A secret in clear, on its way to where it is encrypted. It is not printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClearText(Box<str>);

impl ClearText {
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// Never log or print it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClearText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClearText(…)")
    }
}

impl JsonSchema for ClearText {
    fn schema_name() -> Cow<'static, str> {
        "ClearText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "writeOnly": true, "minLength": 1, "maxLength": 65536 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_its_reference_and_never_its_value() {
        let secret: Secret = serde_json::from_str("\"${env:KEY}\"").unwrap();
        let secret = secret.resolved("hunter2");
        assert_eq!(secret.expose(), Some("hunter2"));
        assert_eq!(format!("{secret:?}"), "Secret(${env:KEY})");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"${env:KEY}\"");
    }

    #[test]
    fn what_is_found_in_a_document_is_what_is_read() {
        let texts =
            ["${env:A}", "${file:/a b}", "${secret:s}", "${env:A}${env:B}", "${env:}", "x${env:A}", "env:A"];
        let mut found = Vec::new();
        SecretSource::each_in(&serde_json::json!({"list": texts}), "", &mut |path, text, source| {
            found.push((path.to_owned(), text.to_owned(), source.to_string()));
        });
        let names: Vec<&str> = found.iter().map(|(.., source)| source.as_str()).collect();
        assert_eq!(names, ["env:A", "file:/a b", "secret:s"]);
        assert_eq!(found[1].0, "list[1]");
        for text in texts {
            let is_read = serde_json::from_value::<Secret>(text.into()).is_ok();
            assert_eq!(is_read, found.iter().any(|(_, found, _)| found == text), "{text}");
        }
    }

    #[test]
    fn a_literal_secret_is_refused_without_repeating_it() {
        let error = serde_json::from_str::<Secret>("\"hunter2\"").unwrap_err().to_string();
        assert!(error.contains("${env:NAME}") && !error.contains("hunter2"), "{error}");
    }
}
