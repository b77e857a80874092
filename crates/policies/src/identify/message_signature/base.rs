//! Which parts of a request a signature covers, and the text that is signed (RFC 9421, 2).

use std::fmt;

use engine::Exchange;
use http::HeaderName;

use super::{
    super::signed,
    fields::{self, Member, Parameters, Value},
};

/// A part of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Component {
    Method,
    TargetUri,
    Authority,
    Scheme,
    RequestTarget,
    Path,
    Query,
    /// A parameter of the query, by its name with percent signs.
    QueryParameter(String),
    Header(HeaderName),
}

impl Component {
    /// One without parameters.
    pub fn plain(name: &str) -> Option<Self> {
        Some(match name {
            "@method" => Self::Method,
            "@target-uri" => Self::TargetUri,
            "@authority" => Self::Authority,
            "@scheme" => Self::Scheme,
            "@request-target" => Self::RequestTarget,
            "@path" => Self::Path,
            "@query" => Self::Query,
            name if name.starts_with('@') || name.bytes().any(|b| b.is_ascii_uppercase()) => return None,
            // Their own values cannot be covered: they would have to hold themselves.
            super::INPUT | super::SIGNATURE => return None,
            name => Self::Header(HeaderName::from_bytes(name.as_bytes()).ok()?),
        })
    }

    pub fn content_digest() -> Self {
        Self::Header(HeaderName::from_static("content-digest"))
    }

    /// `sf`, `key`, `bs`, `req` and `tr` are not known here: a signature that uses them is refused.
    fn with(name: &str, parameters: &Parameters) -> Option<Self> {
        match (name, parameters.as_slice()) {
            ("@query-param", [(key, Value::Text(name))]) if key == "name" => {
                Some(Self::QueryParameter(name.clone()))
            }
            (name, []) => Self::plain(name),
            _ => None,
        }
    }

    /// What is signed of it; `None` where the request does not have it, or not in one way only.
    fn value(&self, exchange: &Exchange) -> Option<String> {
        let uri = exchange.inbound_uri();
        let scheme = || if exchange.client.secure { "https" } else { "http" };
        let target = || uri.path_and_query().map_or("/", |target| target.as_str());
        Some(match self {
            Self::Method => exchange.inbound_method().as_str().to_owned(),
            Self::TargetUri => format!("{}://{}{}", scheme(), signed::authority(exchange)?, target()),
            Self::Authority => signed::authority(exchange)?,
            Self::Scheme => scheme().to_owned(),
            Self::RequestTarget => target().to_owned(),
            Self::Path => uri.path().to_owned(),
            Self::Query => format!("?{}", uri.query().unwrap_or("")),
            Self::QueryParameter(name) => {
                let pairs = uri.query().unwrap_or("").split('&');
                let mut values = pairs.filter_map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (recode(key)? == *name).then(|| recode(value))
                });
                let value = values.next()??;
                if values.next().is_some() {
                    return None;
                }
                value
            }
            // The host is where HTTP/2 has no such header.
            Self::Header(name) if *name == http::header::HOST => signed::joined(exchange, "host")
                .or_else(|| exchange.inbound_uri().authority().map(|authority| authority.to_string()))?,
            Self::Header(name) => signed::joined(exchange, name.as_str())?,
        })
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Method => "@method",
            Self::TargetUri => "@target-uri",
            Self::Authority => "@authority",
            Self::Scheme => "@scheme",
            Self::RequestTarget => "@request-target",
            Self::Path => "@path",
            Self::Query => "@query",
            Self::QueryParameter(_) => "@query-param",
            Self::Header(name) => name.as_str(),
        })
    }
}

/// What a member of `Signature-Input` says.
#[derive(Debug)]
pub(super) struct Covered<'a> {
    components: Vec<(Component, &'a (Value, Parameters))>,
    member: &'a Member,
}

impl<'a> Covered<'a> {
    pub fn of(member: &'a Member) -> Result<Self, String> {
        let Value::List(items) = &member.value else { return Err("what is covered is no list".to_owned()) };
        let mut components: Vec<(Component, _)> = Vec::with_capacity(items.len());
        for item in items {
            let Value::Text(name) = &item.0 else { return Err("what is covered is no text".to_owned()) };
            let component = Component::with(name, &item.1)
                .ok_or_else(|| format!("`{}` cannot be covered here", jose::shown(name)))?;
            if components.iter().any(|(known, _)| *known == component) {
                return Err(format!("`{component}` is covered twice"));
            }
            components.push((component, item));
        }
        Ok(Self { components, member })
    }

    pub fn has(&self, name: &str) -> bool {
        self.member.parameters.iter().any(|(known, _)| known == name)
    }

    pub fn text(&self, name: &str) -> Option<&'a str> {
        let found = self.member.parameters.iter().find(|(known, _)| known == name);
        found.and_then(|(_, value)| if let Value::Text(text) = value { Some(text.as_str()) } else { None })
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        let found = self.member.parameters.iter().find(|(known, _)| known == name);
        found.and_then(
            |(_, value)| {
                if let Value::Integer(number) = value { u64::try_from(*number).ok() } else { None }
            },
        )
    }

    /// Whether it covers a component, or another one that holds it.
    pub fn covers(&self, needed: &Component) -> bool {
        let within = |whole: &Component| match needed {
            Component::Authority | Component::Scheme | Component::RequestTarget => {
                *whole == Component::TargetUri
            }
            Component::Path | Component::Query => {
                matches!(whole, Component::TargetUri | Component::RequestTarget)
            }
            _ => false,
        };
        self.components.iter().any(|(component, _)| component == needed || within(component))
    }

    /// The text that is signed.
    pub fn base(&self, exchange: &Exchange) -> Result<String, String> {
        let mut text = String::with_capacity(512);
        for (component, (name, parameters)) in &self.components {
            let value = component
                .value(exchange)
                .ok_or_else(|| format!("the request does not have `{component}`, or not in one way only"))?;
            fields::write(name, &mut text);
            fields::write_parameters(parameters, &mut text);
            text.extend([": ", &value, "\n"]);
        }
        text.push_str("\"@signature-params\": ");
        fields::write(&self.member.value, &mut text);
        fields::write_parameters(&self.member.parameters, &mut text);
        Ok(text)
    }
}

/// A name or a value of a query as RFC 9421, 2.2.8 has it: decoded as a form, and encoded again.
fn recode(text: &str) -> Option<String> {
    let mut recoded = String::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        };
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => recoded.push(byte.into()),
            byte => recoded.push_str(&format!("%{byte:02X}")),
        }
    }
    Some(recoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_the_query_have_one_form() {
        for (text, expect) in [
            ("Pet", Some("Pet")),
            ("a+b%20c", Some("a%20b%20c")),
            ("%c3%a9%41~", Some("%C3%A9A%7E")),
            ("with%26", Some("with%26")),
            ("%", None),
            ("%4", None),
            ("%zz", None),
        ] {
            assert_eq!(recode(text).as_deref(), expect, "{text}");
        }
    }
}
