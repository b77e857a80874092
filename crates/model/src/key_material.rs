//! Keystores and truststores: keys with their certificates, and certificates of those who are trusted, as assets.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{Hash, Hasher},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AcmeDoc, AcmeKeystore, ClearText, Diagnostic, Secret};

/// Private keys with their certificate chains, for listeners, upstreams and signatures. Made from PEM, PKCS#12 or JKS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeystoreDoc {
    /// Unique name.
    pub name: String,
    /// What the keys are for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The keystore itself: PEM with one private key and its chain, or the base64 of a PKCS#12 or JKS file; at most 64 KiB.
    /// It can be written and not be read, and is encrypted in the store; without it, the content stays as it is. For assets
    /// only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<ClearText>,
    /// The same in a file of the node. A replaced file is taken up without a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Password of a PKCS#12 or JKS file. With a wrong one, the keystore is kept and not loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Passwords of keys that have one of their own, by their alias. Default: `password`, for all of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub key_passwords: BTreeMap<String, Secret>,
    /// Has the certificate ordered and renewed by the gateway itself, as in Let's Encrypt. What is in `content` counts until the
    /// first one has come. For assets only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acme: Option<AcmeDoc>,
    /// Assets to which its keys may be given by somebody without the privilege `Manage security configurations`, as
    /// `KIND:NAME`, where a `*` at the end stands for any rest, also for what is made later: `api:Orders:*`. Default: none,
    /// since whoever has a key signs with it, or passes for its owner. Of keystores that are assets only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usable_by: Vec<String>,
}

/// Certificates of authorities that are trusted, for listeners and upstreams. Made from PEM, PKCS#12 or JKS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TruststoreDoc {
    /// Unique name.
    pub name: String,
    /// Who is trusted, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The certificates: PEM, or the base64 of a PKCS#12 or JKS file; at most 64 KiB. It can be written and not be read, and is
    /// encrypted in the store; without it, the content stays as it is. For assets only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<ClearText>,
    /// The same in a file of the node. A replaced file is taken up without a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Password of a PKCS#12 or JKS file. With a wrong one, the truststore is kept and not loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
}

/// A key in a keystore.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyRef {
    /// Name of the keystore.
    pub keystore: String,
    /// Alias of the key. Default: the only one that is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
}

impl KeyRef {
    /// Every reference to a key in a document: what has a keystore, and an alias at most.
    pub fn each_in<'d>(document: &'d Value, found: &mut Vec<(&'d str, Option<&'d str>)>) {
        match document {
            Value::Object(object) => {
                let is_key = object.keys().all(|key| key == "keystore" || key == "alias");
                if let Some(Value::String(keystore)) = object.get("keystore").filter(|_| is_key) {
                    found.push((keystore, object.get("alias").and_then(Value::as_str)));
                }
                object.values().for_each(|value| Self::each_in(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| Self::each_in(value, found)),
            _ => {}
        }
    }
}

/// A key with its chain.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct KeyEntry {
    pub alias: String,
    /// DER, leaf first.
    pub chain: Vec<Vec<u8>>,
    /// DER of PKCS#8, or of what PEM had. Never log or print it.
    pub key: Vec<u8>,
}

impl fmt::Debug for KeyEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyEntry({})", self.alias)
    }
}

/// What is in a store; or why it is not loaded.
pub type Opened<T> = Result<Vec<T>, String>;

/// What is in all keystores and truststores, once they have been read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyMaterial {
    pub keystores: BTreeMap<String, Opened<KeyEntry>>,
    /// DER of their certificates.
    pub truststores: BTreeMap<String, Opened<Vec<u8>>>,
    /// Keystores whose certificate comes from an authority.
    pub acme: Vec<AcmeKeystore>,
    /// What an authority has to find over TLS while something is ordered (RFC 8737), by the name.
    pub tls_challenges: BTreeMap<String, KeyEntry>,
}

impl Hash for KeyMaterial {
    /// Of the keys alone: policies hold on to nothing else.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.keystores.hash(state);
    }
}

impl KeyMaterial {
    /// The key that something refers to.
    pub fn key(&self, wanted: &KeyRef) -> Result<&KeyEntry, Diagnostic> {
        let name = &wanted.keystore;
        let keys = opened(&self.keystores, "keystore", name)?;
        let aliases = || keys.iter().map(|key| format!("`{}`", key.alias)).collect::<Vec<_>>().join(", ");
        match (&wanted.alias, keys) {
            (None, [only]) => Ok(only),
            (None, _) => {
                let message = format!("missing, but the keystore `{name}` has several keys");
                Err(Diagnostic::error("alias", message).help(format!("name one of {}", aliases())))
            }
            (Some(alias), _) => keys.iter().find(|key| key.alias == *alias).ok_or_else(|| {
                let message = format!("found `{alias}`, which is no key of the keystore `{name}`");
                Diagnostic::error("alias", message).help(format!("it has {}", aliases()))
            }),
        }
    }

    /// DER of the certificates of a truststore.
    pub fn authorities(&self, key: &str, name: &str) -> Result<&[Vec<u8>], Diagnostic> {
        opened(&self.truststores, key, name)
    }
}

fn opened<'a, T>(
    stores: &'a BTreeMap<String, Opened<T>>,
    key: &str,
    name: &str,
) -> Result<&'a [T], Diagnostic> {
    match stores.get(name) {
        Some(Ok(content)) => Ok(content),
        Some(Err(why)) => Err(Diagnostic::error(key, format!("found `{name}`, which is not loaded: {why}"))),
        None => {
            let kind = if key == "keystore" { "keystore" } else { "truststore" };
            Err(Diagnostic::error(key, format!("found `{name}`, which is no {kind}"))
                .help(format!("name one of `{kind}s`")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(keystore: &str, alias: Option<&str>) -> KeyRef {
        KeyRef { keystore: keystore.into(), alias: alias.map(Into::into) }
    }

    #[test]
    fn a_key_is_found_by_its_alias_and_alone_without_one() {
        let key = |alias: &str| KeyEntry { alias: alias.into(), chain: vec![], key: b"private".to_vec() };
        let mut material = KeyMaterial::default();
        material.keystores.insert("one".into(), Ok(vec![key("a")]));
        material.keystores.insert("two".into(), Ok(vec![key("a"), key("b")]));
        material.keystores.insert("shut".into(), Err("the password is wrong".into()));
        assert_eq!(material.key(&named("one", None)).unwrap().alias, "a");
        assert_eq!(material.key(&named("two", Some("b"))).unwrap().alias, "b");
        for (keystore, alias, expect) in [
            ("two", None, "alias: missing, but the keystore `two` has several keys"),
            ("two", Some("c"), "alias: found `c`, which is no key of the keystore `two`"),
            ("shut", None, "keystore: found `shut`, which is not loaded: the password is wrong"),
            ("none", None, "keystore: found `none`, which is no keystore"),
        ] {
            let problem = material.key(&named(keystore, alias)).unwrap_err();
            assert_eq!(format!("{}: {}", problem.path, problem.message), expect);
        }
        assert!(material.authorities("truststore", "none").is_err());
        assert!(!format!("{material:?}").contains("private"));
    }
}
