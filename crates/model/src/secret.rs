//! Secrets: written as references, resolved at load, never printed.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value that must not appear in any output: `${env:NAME}` or `${file:/path}`.
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
}

impl Secret {
    /// Where the value is to be read from; `None` when this is no reference at all.
    pub fn source(&self) -> Option<SecretSource<'_>> {
        let inner = self.reference.strip_prefix("${")?.strip_suffix('}')?;
        match inner.split_once(':')? {
            ("env", name) if !name.is_empty() => Some(SecretSource::Env(name)),
            ("file", path) if !path.is_empty() => Some(SecretSource::File(path)),
            _ => None,
        }
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
            "description": "A reference to a secret: ${env:NAME} or ${file:/path}.",
            "pattern": "^\\$\\{(env|file):.+\\}$",
            "examples": ["${env:ORDERS_KEY}", "${file:/run/secrets/orders-key}"],
        })
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
    fn a_literal_secret_is_refused_without_repeating_it() {
        let error = serde_json::from_str::<Secret>("\"hunter2\"").unwrap_err().to_string();
        assert!(error.contains("${env:NAME}") && !error.contains("hunter2"), "{error}");
    }
}
