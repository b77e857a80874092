//! Responses of an identity provider (SAML 2.0 Core, 3.2 and 3.3; Profiles, 4.1.4), and assertions without one (RFC 7522). A
//! response has one assertion, which is signed, or the response is. What is said outside of what is signed may be a reason
//! to refuse it, and is nothing else.

use uppsala::{Document, NodeId};

use crate::{
    Assertion, Expected, LARGEST, Refusal, Why, encryption, signature,
    xml::{self, ASSERTION, PROTOCOL},
};

const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";

/// Reads a response as a form brings it (Bindings, 3.5.4): in base64.
pub fn read_response(text: &str, expected: &Expected<'_>) -> Result<Assertion, Refusal> {
    let text = decoded(text)?;
    let document = xml::message(&text)?;
    let root = xml::root(&document)?;
    if !xml::is(&document, root, PROTOCOL, "Response") {
        return Err(Refusal::malformed("it is no response of SAML 2.0"));
    }
    glance(&document, root, expected)?;
    let whole = signature::signed(&document, root, expected.keys)?;
    let found = assertion(&document, root)?;
    if !xml::is(&document, found, ASSERTION, "Assertion") {
        return opened(&document, found, whole.as_deref(), expected);
    }
    match (signature::signed(&document, found, expected.keys)?, whole) {
        (Some(signed), _) => alone(&signed, expected),
        (None, Some(whole)) => {
            let document = xml::message(&whole)?;
            Assertion::read(&document, assertion(&document, xml::root(&document)?)?, expected)
        }
        (None, None) => Err(unsigned()),
    }
}

/// Reads an assertion as a client brings it for a token (RFC 7522, 2.1): in base64, as it is usual in addresses.
pub fn read_assertion(text: &str, expected: &Expected<'_>) -> Result<Assertion, Refusal> {
    let text = decoded(text)?;
    let document = xml::message(&text)?;
    let root = lone(&document)?;
    let signed = signature::signed(&document, root, expected.keys)?;
    alone(&signed.ok_or_else(|| Refusal::new(Why::Unsigned, "it is not signed itself"))?, expected)
}

/// Who is said to have made such an assertion. Nothing is verified.
pub fn issuer_of(text: &str) -> Result<String, Refusal> {
    let text = decoded(text)?;
    let document = xml::message(&text)?;
    let issuer = xml::needed(&document, lone(&document)?, ASSERTION, "Issuer")?;
    Ok(xml::text(&document, issuer).unwrap_or_default())
}

fn decoded(text: &str) -> Result<String, Refusal> {
    if text.len() > LARGEST / 3 * 4 {
        return Err(Refusal::new(Why::TooLarge, format!("it has more than {LARGEST} bytes")));
    }
    let bytes = xml::decode(text).ok_or_else(|| Refusal::malformed("it is no base64"))?;
    String::from_utf8(bytes).map_err(|_| Refusal::malformed("it is no UTF-8"))
}

/// The element of a document that has to be an assertion.
fn lone(document: &Document<'_>) -> Result<NodeId, Refusal> {
    let root = xml::root(document)?;
    if xml::is(document, root, ASSERTION, "EncryptedAssertion") {
        return Err(Refusal::new(Why::Encryption, "it is encrypted, and TLS hides it already"));
    }
    match xml::is(document, root, ASSERTION, "Assertion") {
        true => Ok(root),
        false => Err(Refusal::malformed("it is no assertion of SAML 2.0")),
    }
}

/// Reads an assertion that is a document.
fn alone(text: &str, expected: &Expected<'_>) -> Result<Assertion, Refusal> {
    let document = xml::message(text)?;
    Assertion::read(&document, xml::root(&document)?, expected)
}

fn unsigned() -> Refusal {
    Refusal::new(Why::Unsigned, "neither the response nor its assertion is signed")
}

/// What can be refused before anything is verified.
fn glance(document: &Document<'_>, root: NodeId, expected: &Expected<'_>) -> Result<(), Refusal> {
    let status = xml::needed(document, root, PROTOCOL, "Status")?;
    let code = xml::needed(document, status, PROTOCOL, "StatusCode")?;
    let code_of = |node| xml::attribute(document, node, "Value").unwrap_or_default();
    if code_of(code) != SUCCESS {
        let more = xml::one(document, code, PROTOCOL, "StatusCode")?.map(code_of).unwrap_or_default();
        let short = |name: &str| jose::shown(name.rsplit(':').next().unwrap_or_default());
        let detail = format!("the identity provider answered `{}` {}", short(code_of(code)), short(more));
        return Err(Refusal::new(Why::Status, detail.trim_end()));
    }
    if let Some(issuer) = xml::one(document, root, ASSERTION, "Issuer")? {
        check_issuer(document, issuer, expected)?;
    }
    match xml::attribute(document, root, "Destination") {
        Some(destination) if !expected.recipients.iter().any(|known| known == destination) => {
            let wanted = expected.recipients.join("` or `");
            let detail = format!("the response is for `{}`, expected `{wanted}`", jose::shown(destination));
            Err(Refusal::new(Why::Recipient, detail))
        }
        _ => Ok(()),
    }
}

pub(crate) fn check_issuer(
    document: &Document<'_>,
    issuer: NodeId,
    expected: &Expected<'_>,
) -> Result<(), Refusal> {
    let found = xml::text(document, issuer).unwrap_or_default();
    if found == expected.issuer {
        return Ok(());
    }
    let detail = format!("it is of `{}`, expected `{}`", jose::shown(&found), expected.issuer);
    Err(Refusal::new(Why::Issuer, detail))
}

/// The only assertion, be it encrypted or not.
fn assertion(document: &Document<'_>, root: NodeId) -> Result<NodeId, Refusal> {
    let is_one = |node: &NodeId| {
        ["Assertion", "EncryptedAssertion"].iter().any(|name| xml::is(document, *node, ASSERTION, name))
    };
    let mut found = xml::elements(document, root).filter(is_one);
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Refusal::malformed("there is no assertion in the response")),
        (Some(_), Some(_)) => Err(Refusal::malformed("there are several assertions in the response")),
    }
}

/// What is in an encrypted assertion, which is signed inside, or with the response around it.
fn opened(
    document: &Document<'_>,
    sealed: NodeId,
    whole: Option<&str>,
    expected: &Expected<'_>,
) -> Result<Assertion, Refusal> {
    let text = match whole {
        Some(whole) => {
            let document = xml::message(whole)?;
            encryption::open(&document, assertion(&document, xml::root(&document)?)?, expected.decryption)?
        }
        None => encryption::open(document, sealed, expected.decryption)?,
    };
    let document = xml::message(&text)?;
    match (signature::signed(&document, xml::root(&document)?, expected.keys)?, whole) {
        (Some(signed), _) => alone(&signed, expected),
        (None, Some(_)) => alone(&text, expected),
        (None, None) => Err(unsigned()),
    }
}
