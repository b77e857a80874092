//! What a verified token says about who calls.

use std::{borrow::Cow, sync::Arc};

use serde_json::{Map, Value};

use crate::language::Authorization;

/// Names of claims, the most important first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimNames {
    pub client_id: Vec<Box<str>>,
    pub user_name: Vec<Box<str>>,
    pub scopes: Vec<Box<str>>,
    pub groups: Vec<Box<str>>,
}

/// What a verified token says.
#[derive(Debug)]
pub struct TokenFacts {
    /// Name of the authorization server that stands for it.
    pub server: Arc<str>,
    pub client_id: Option<Arc<str>>,
    /// For policies and variables; without the token itself.
    pub who: Authorization,
    pub scopes: Arc<[Box<str>]>,
    /// The claims; an object.
    pub claims: Arc<Value>,
    /// Thumbprint of the key that the token is bound to (RFC 9449, 6).
    pub key_thumbprint: Option<Box<str>>,
    /// Hash of the certificate that the token is bound to, in base64url (RFC 8705, 3.1).
    pub certificate_thumbprint: Option<Box<str>>,
    /// It is bound to something in a way that is not understood.
    pub bound_otherwise: bool,
}

impl TokenFacts {
    pub fn of(server: Arc<str>, claims: Map<String, Value>, names: &ClaimNames) -> Self {
        let first = |names: &[Box<str>]| {
            names.iter().find_map(|name| claim(&claims, name)?.as_str()).filter(|text| !text.is_empty())
        };
        let client_id: Option<Arc<str>> = first(&names.client_id).map(Into::into);
        let scopes =
            names.scopes.iter().find_map(|name| claim(&claims, name)).map(scopes).unwrap_or_default();
        let mut groups: Vec<Box<str>> = Vec::new();
        for name in &names.groups {
            for text in claim(&claims, name).into_iter().flat_map(claim_texts) {
                if !groups.iter().any(|known| **known == *text) {
                    groups.push(text.into());
                }
            }
        }
        let bound = claims.get("cnf").and_then(Value::as_object);
        let bound_to = |name: &str| bound.and_then(|to| to.get(name)?.as_str()).map(Into::into);
        let (key_thumbprint, certificate_thumbprint) = (bound_to("jkt"), bound_to("x5t#S256"));
        let bound_otherwise =
            claims.contains_key("cnf") && key_thumbprint.is_none() && certificate_thumbprint.is_none();
        let audience = claims.get("aud").and_then(|audience| claim_texts(audience).next());
        let mut who = Authorization {
            client_id: client_id.clone(),
            // A client that acts for itself is no user.
            user_name: first(&names.user_name)
                .filter(|name| Some(*name) != client_id.as_deref())
                .map(Into::into),
            groups,
            issuer: claims.get("iss").and_then(Value::as_str).map(Into::into),
            audience: audience.map(|audience| (&*audience).into()),
            ..Authorization::default()
        };
        let claims = Arc::new(Value::Object(claims));
        let scopes: Arc<[Box<str>]> = scopes.into();
        who.claims = Some(Arc::clone(&claims));
        who.scopes = Some(Arc::clone(&scopes));
        Self {
            server,
            client_id,
            who,
            scopes,
            claims,
            key_thumbprint,
            certificate_thumbprint,
            bound_otherwise,
        }
    }

    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|known| **known == *scope)
    }

    /// Whether the token is for an audience.
    pub fn is_for(&self, audience: &str) -> bool {
        self.claims.get("aud").is_some_and(|value| claim_texts(value).any(|known| known == audience))
    }
}

/// A text with spaces, or a list.
fn scopes(value: &Value) -> Vec<Box<str>> {
    match value {
        Value::String(text) => text.split_ascii_whitespace().map(Into::into).collect(),
        other => claim_texts(other).map(Into::into).collect(),
    }
}

/// A claim by its name, or by a way into nested claims with dots.
pub fn claim<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c Value> {
    claims.get(name).or_else(|| {
        let mut steps = name.split('.');
        let first = claims.get(steps.next()?)?;
        steps.try_fold(first, |value, step| value.get(step))
    })
}

/// The texts that a claim stands for: itself, or the items of a list.
pub fn claim_texts(value: &Value) -> impl Iterator<Item = Cow<'_, str>> {
    let items = match value {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    items.iter().filter_map(|item| match item {
        Value::String(text) => Some(Cow::Borrowed(text.as_str())),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(true) => Some(Cow::Borrowed("true")),
        Value::Bool(false) => Some(Cow::Borrowed("false")),
        _ => None,
    })
}
