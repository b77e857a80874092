//! Certificates that the gateway orders itself, from an authority that speaks ACME (RFC 8555): what users write, and what is
//! remembered of an order beside the key and its chain.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ClearText, Diagnostic, Diagnostics, Secret, scalar::Duration};

/// Most names of a certificate, which is what authorities take.
const MOST_NAMES: usize = 100;
/// Most contacts of an account.
const MOST_CONTACTS: usize = 10;
const BEGIN: &str = "-----BEGIN GATEWRIGHT ACME-----";
const END: &str = "-----END GATEWRIGHT ACME-----";

/// An authority that issues and renews the certificate of a keystore (ACME, RFC 8555). It looks for the gateway at every name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AcmeDoc {
    /// Directory of the authority, as in `https://acme-v02.api.letsencrypt.org/directory`.
    pub directory_url: String,
    /// Names that the certificate is for, as in `www.example.com`. None with a wildcard.
    #[schemars(length(min = 1, max = 100))]
    pub names: Vec<String>,
    /// Whether you agree to the authority's terms of service; it issues nothing otherwise.
    pub terms_of_service_agreed: bool,
    /// Where the authority reaches you, as in `mailto:operations@example.com`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contact: Vec<String>,
    /// How the authority finds out that the names are yours.
    #[serde(default)]
    pub challenge: AcmeChallenge,
    /// Truststore with those who vouch for the authority's own certificate. Default: whom the system trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truststore: Option<String>,
    /// An account that you have with the authority already, for those that ask for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_account: Option<AcmeExternalAccount>,
    /// How long before its end the certificate is renewed, but never in the first third of its life. Default: a third of its
    /// life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renew_before: Option<Duration>,
}

/// How an authority finds out whose a name is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AcmeChallenge {
    /// It asks at port 80, which has to lead to a listener without TLS.
    #[default]
    #[serde(rename = "http-01")]
    Http01,
    /// It connects to port 443, which has to lead to a listener with TLS that does without certificates of clients.
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
}

/// An account with an authority that was made elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AcmeExternalAccount {
    /// What the authority calls the key.
    #[schemars(length(min = 1))]
    pub key_id: String,
    /// The key, in base64 for URLs, as the authority shows it.
    pub key: Secret,
}

impl AcmeDoc {
    /// Everything wrong with it that can be seen without asking anybody.
    pub fn check(&self) -> Result<(), Diagnostics> {
        let mut problems = Diagnostics::default();
        if let Err((found, help)) = check_url(&self.directory_url) {
            problems.push(Diagnostic::error("directoryUrl", found).help(help));
        }
        if self.names.is_empty() || self.names.len() > MOST_NAMES {
            let found = format!("found {} names, expected 1 to {MOST_NAMES}", self.names.len());
            problems.push(Diagnostic::error("names", found));
        }
        let mut seen = BTreeSet::new();
        for (index, name) in self.names.iter().enumerate() {
            let path = format!("names[{index}]");
            if let Err((expected, help)) = check_name(name) {
                problems.push(Diagnostic::error(path, format!("found `{name}`, {expected}")).help(help));
            } else if !seen.insert(name.to_ascii_lowercase()) {
                problems.push(Diagnostic::error(path, format!("found `{name}` a second time")));
            }
        }
        if self.contact.len() > MOST_CONTACTS {
            let found = format!("found {} contacts, expected at most {MOST_CONTACTS}", self.contact.len());
            problems.push(Diagnostic::error("contact", found));
        }
        for (index, contact) in self.contact.iter().enumerate() {
            let address = contact.strip_prefix("mailto:").unwrap_or_default();
            let is_address = address.split_once('@').is_some_and(|(user, host)| {
                !user.is_empty() && host.contains('.') && !address.contains([',', '?', ' '])
            });
            if !is_address {
                let found = format!("found `{contact}`, expected an address such as mailto:me@example.com");
                problems.push(Diagnostic::error(format!("contact[{index}]"), found));
            }
        }
        if !self.terms_of_service_agreed {
            let help = "read them, they are linked in the directory of the authority, and write `true`";
            let found = "found `false`, and authorities issue nothing to those who do not agree";
            problems.push(Diagnostic::error("termsOfServiceAgreed", found).help(help));
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// What a certificate is ordered with: when it changes, another one is needed.
    #[must_use]
    pub fn ordered_with(&self) -> Self {
        Self { renew_before: None, ..self.clone() }
    }
}

type Found = Result<(), (String, &'static str)>;

fn check_url(url: &str) -> Found {
    let help = "write it as in https://acme-v02.api.letsencrypt.org/directory";
    let found = |expected: &str| Err((format!("found `{url}`, {expected}"), help));
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() || authority.contains(['@', ' ']) || url.contains(char::is_whitespace) {
        return found("expected a URL with https://");
    }
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    };
    match scheme {
        "https" => Ok(()),
        "http" if matches!(host, "localhost" | "127.0.0.1" | "[::1]") => Ok(()),
        "http" => found("expected https://: without TLS anybody on the way can pass for the authority"),
        _ => found("expected a URL with https://"),
    }
}

/// Names of hosts (RFC 1123, 2.1), as authorities validate them by connecting to them.
fn check_name(name: &str) -> Found {
    if name.starts_with("*.") {
        let help = "name each host; a wildcard is validated with records in DNS, which the gateway does not write: put such \
                    a certificate into `content` or `file` of a keystore";
        return Err(("expected a name without a wildcard".to_owned(), help));
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_address = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    if name.len() > 253 || is_address || !name.split('.').all(is_label) {
        let help = "names with other letters are written in their ASCII form, as in xn--bcher-kva.example";
        return Err(("expected the name of a host such as www.example.com".to_owned(), help));
    }
    Ok(())
}

/// What is remembered of an authority, sealed together with the key and its chain. Never shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AcmeState {
    /// What was ordered last, or is being ordered.
    pub ordered: Option<AcmeDoc>,
    /// When the certificate came that is there, in milliseconds since 1970.
    pub issued_at: Option<u64>,
    pub account: Option<AcmeAccount>,
    /// The order that is being worked on.
    pub order: Option<AcmeOrder>,
    /// How often in a row it did not work.
    pub failing: u32,
    pub problem: Option<String>,
    /// Before this nobody tries again, in milliseconds since 1970.
    pub try_again: u64,
}

/// An account with an authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AcmeAccount {
    pub directory_url: String,
    pub contact: Vec<String>,
    /// What the account is at the authority, with its private key.
    pub credentials: ClearText,
}

/// An order that is being worked on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AcmeOrder {
    /// The node that works on it.
    pub node: String,
    /// Afterwards it counts as given up, in milliseconds since 1970.
    pub until: u64,
    /// What the authority has to find over HTTP, by its token.
    pub challenges: BTreeMap<String, String>,
    /// What it has to find over TLS, by the name.
    pub tls_challenges: BTreeMap<String, String>,
}

impl AcmeState {
    /// What is in a keystore, and what is remembered beside it.
    pub fn split(text: &str) -> (&str, Self) {
        let Some((content, rest)) = text.split_once(BEGIN) else { return (text, Self::default()) };
        let state = rest.rsplit_once(END).and_then(|(state, _)| serde_json::from_str(state).ok());
        (content, state.unwrap_or_default())
    }

    /// Both in a text, as they are sealed.
    pub fn join(&self, content: &str) -> String {
        let state = serde_json::to_string(self).unwrap_or_default();
        let gap = if content.is_empty() || content.ends_with('\n') { "" } else { "\n" };
        format!("{content}{gap}{BEGIN}\n{state}\n{END}\n")
    }
}

/// A keystore whose certificate comes from an authority, with everything that an order takes.
#[derive(Clone, PartialEq, Eq)]
pub struct AcmeKeystore {
    pub name: String,
    pub doc: AcmeDoc,
    pub state: AcmeState,
    /// Key of the external account.
    pub external_key: Option<ClearText>,
    /// DER of those who vouch for the authority; `None` for whom the system trusts.
    pub roots: Option<Vec<Vec<u8>>>,
    /// DER of the certificate that counts; `None` while the gateway shows one that it signed itself.
    pub leaf: Option<Vec<u8>>,
}

impl fmt::Debug for AcmeKeystore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AcmeKeystore({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(change: serde_json::Value) -> String {
        let mut doc = json!({
            "directoryUrl": "https://acme.example/directory",
            "names": ["www.example.com"],
            "termsOfServiceAgreed": true,
        });
        for (key, value) in change.as_object().expect("an object") {
            doc[key] = value.clone();
        }
        let doc: AcmeDoc = serde_json::from_value(doc).expect("a document");
        doc.check().map_or_else(|problems| problems.to_string(), |()| String::new())
    }

    #[test]
    fn what_no_authority_would_take_is_refused_with_what_to_write() {
        for (change, expect) in [
            (json!({}), ""),
            (json!({ "names": ["a.example", "xn--bcher-kva.example", "localhost"] }), ""),
            (json!({ "directoryUrl": "http://localhost:14000/dir" }), ""),
            (json!({ "directoryUrl": "http://[::1]:14000/dir" }), ""),
            (json!({ "contact": ["mailto:me@example.com"] }), ""),
            (json!({ "directoryUrl": "http://acme.example/directory" }), "directoryUrl"),
            (json!({ "directoryUrl": "http://localhost.example/directory" }), "expected https://"),
            (json!({ "directoryUrl": "acme.example" }), "expected a URL with https://"),
            (json!({ "directoryUrl": "https://me@acme.example/" }), "expected a URL with https://"),
            (json!({ "names": [] }), "found 0 names, expected 1 to 100"),
            (json!({ "names": ["*.example.com"] }), "records in DNS"),
            (json!({ "names": ["a.example", "A.example"] }), "names[1]: found `A.example` a second time"),
            (json!({ "names": ["127.0.0.1"] }), "expected the name of a host"),
            (json!({ "names": ["a..example"] }), "names[0]"),
            (json!({ "names": ["bücher.example"] }), "xn--bcher-kva"),
            (json!({ "names": ["a.example:80"] }), "expected the name of a host"),
            (json!({ "contact": ["me@example.com"] }), "contact[0]"),
            (json!({ "termsOfServiceAgreed": false }), "termsOfServiceAgreed"),
        ] {
            let found = check(change.clone());
            assert!(
                if expect.is_empty() { found.is_empty() } else { found.contains(expect) },
                "{change}: {found}"
            );
        }
    }

    #[test]
    fn what_is_remembered_is_kept_beside_the_content_and_is_not_printed() {
        let account = AcmeAccount {
            directory_url: "https://acme.example".into(),
            contact: vec![],
            credentials: ClearText::new("hunter2"),
        };
        let state = AcmeState { account: Some(account), failing: 3, ..AcmeState::default() };
        for content in ["", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n", "MIIBAA=="] {
            let text = state.join(content);
            let (found, remembered) = AcmeState::split(&text);
            assert_eq!((found.trim_end(), remembered), (content.trim_end(), state.clone()));
        }
        assert_eq!(AcmeState::split("MIIBAA=="), ("MIIBAA==", AcmeState::default()));
        assert!(!format!("{state:?}").contains("hunter2"));
    }
}
