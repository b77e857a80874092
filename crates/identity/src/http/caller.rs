//! Who sends a request to the server: its headers, and the certificate that was shown in the TLS handshake.

use std::{convert::Infallible, net::IpAddr, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};
use base64ct::{Base64UrlUnpadded, Encoding};
use model::oauth_client::TlsSubjectDoc;
use sha2::{Digest, Sha256};
use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer, X509Certificate},
    x509::X509Name,
};

/// What the client has shown in the handshake, in DER: verified up to an authority that the server trusts. Whoever serves
/// the router puts it among the extensions of requests.
#[derive(Debug, Clone)]
pub struct ShownCertificate(pub Arc<[u8]>);

/// Who asks.
pub struct Caller {
    pub headers: HeaderMap,
    pub certificate: Option<ShownCertificate>,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let certificate = parts.extensions.get::<ShownCertificate>().cloned();
        Ok(Self { headers: parts.headers.clone(), certificate })
    }
}

impl ShownCertificate {
    /// SHA-256 in base64url (RFC 8705, 3.1).
    pub fn thumbprint(&self) -> Arc<str> {
        Base64UrlUnpadded::encode_string(&Sha256::digest(&self.0)).into()
    }

    /// Whether it is the certificate that a client is expected to show (RFC 8705, 2.1.2).
    pub fn is_of(&self, expected: &TlsSubjectDoc) -> bool {
        let Ok((_, certificate)) = X509Certificate::from_der(&self.0) else { return false };
        let names = || {
            let alternative = certificate.subject_alternative_name().ok().flatten();
            alternative.map(|found| found.value.general_names.as_slice()).unwrap_or_default()
        };
        let TlsSubjectDoc { dn, dns, uri, ip, email } = expected;
        let wanted = [
            dn.as_ref().map(|dn| is_name(distinguished_name(certificate.subject()), dn)),
            dns.as_ref().map(|dns| {
                names().iter().any(
                    |name| matches!(name, GeneralName::DNSName(found) if found.eq_ignore_ascii_case(dns)),
                )
            }),
            uri.as_ref().map(|uri| {
                names().iter().any(|name| matches!(name, GeneralName::URI(found) if found == uri))
            }),
            ip.as_ref().map(|ip| {
                names()
                    .iter()
                    .any(|name| matches!(name, GeneralName::IPAddress(bytes) if address(bytes) == Some(*ip)))
            }),
            email.as_ref().map(|email| {
                names().iter().any(|name| matches!(name, GeneralName::RFC822Name(found) if found == email))
            }),
        ];
        // One is expected; that it is exactly one was looked at with the configuration.
        let mut wanted = wanted.into_iter().flatten();
        wanted.next() == Some(true) && wanted.next().is_none()
    }
}

/// Whether a name is the one that is written. One that cannot be read is none.
fn is_name(found: Option<String>, written: &str) -> bool {
    found.zip(normalized(written)).is_some_and(|(found, written)| found == written)
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

/// As RFC 4514 writes it, the last part first; `None` when something in it is no text.
fn distinguished_name(name: &X509Name<'_>) -> Option<String> {
    let mut parts = Vec::new();
    for several in name.iter_rdn() {
        let mut pairs = Vec::new();
        for one in several.iter() {
            let id = one.attr_type().to_id_string();
            let kind = SHORT.iter().find(|(known, _)| *known == id).map_or(id.as_str(), |(_, short)| short);
            pairs.push(format!("{kind}={}", escaped(one.as_str().ok()?)));
        }
        parts.push(pairs.join("+"));
    }
    parts.reverse();
    Some(parts.join(","))
}

/// What attributes are called (RFC 4514, 3).
const SHORT: [(&str, &str); 9] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.6", "C"),
    ("2.5.4.9", "STREET"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
];

fn escaped(text: &str) -> String {
    let last = text.chars().count().saturating_sub(1);
    let mut found = String::with_capacity(text.len());
    for (place, c) in text.chars().enumerate() {
        let at_edge = (place == 0 && matches!(c, ' ' | '#')) || (place == last && c == ' ');
        if at_edge || matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\') {
            found.push('\\');
        }
        found.push(c);
    }
    found
}

/// A name as somebody wrote it, without spaces behind commas, and with kinds in capitals.
fn normalized(text: &str) -> Option<String> {
    let mut parts: Vec<String> = vec![String::new()];
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        let part = parts.last_mut()?;
        match c {
            '\\' => {
                part.push(c);
                part.extend(characters.next());
            }
            ',' => parts.push(String::new()),
            ' ' if part.is_empty() => {}
            c => part.push(c),
        }
    }
    let parts = parts.iter().map(|part| {
        let (kind, value) = part.split_once('=')?;
        Some(format!("{}={value}", kind.trim().to_ascii_uppercase()))
    });
    Some(parts.collect::<Option<Vec<_>>>()?.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_rfc_4514_writes_them() {
        for (written, expected) in [
            ("CN=shop,O=Example,C=DE", Some("CN=shop,O=Example,C=DE")),
            ("cn=shop, o=Example,  C=DE", Some("CN=shop,O=Example,C=DE")),
            (r"CN=Shop\, Inc.,O=a\+b", Some(r"CN=Shop\, Inc.,O=a\+b")),
            ("shop", None),
            ("", None),
        ] {
            assert_eq!(normalized(written).as_deref(), expected, "{written}");
        }
        for (text, expected) in
            [("a, b", r"a\, b"), (" x ", r"\ x\ "), ("#1", r"\#1"), ("a#", "a#"), (r"\", r"\\")]
        {
            assert_eq!(escaped(text), expected);
        }
        assert!(is_name(Some("CN=shop".to_owned()), "cn=shop"));
        assert!(!is_name(None, "shop") && !is_name(None, "CN=shop") && !is_name(Some(String::new()), ""));
    }
}
