//! XML, read within bounds: no DTD, so that there are no entities but the five; no comments and no instructions, which
//! readers step over in different ways. Names count with their namespace.

use base64ct::{Base64Unpadded, Encoding};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uppsala::{Document, NodeId, NodeKind, Parser};

use crate::{LARGEST, Refusal, Why};

pub(crate) const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
pub(crate) const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
pub(crate) const METADATA: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
pub(crate) const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
pub(crate) const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
pub(crate) const XENC11: &str = "http://www.w3.org/2009/xmlenc11#";

const DEEPEST: u32 = 64;

/// A message.
pub(crate) fn message(text: &str) -> Result<Document<'_>, Refusal> {
    if text.len() > LARGEST {
        return Err(Refusal::new(Why::TooLarge, format!("it has more than {LARGEST} bytes")));
    }
    let document = document(text).map_err(Refusal::malformed)?;
    let mut open = vec![document.root()];
    while let Some(node) = open.pop() {
        for child in document.children_iter(node) {
            match document.node_kind(child) {
                Some(NodeKind::Comment(_)) => return Err(Refusal::malformed("there is a comment in it")),
                Some(NodeKind::ProcessingInstruction(_)) => {
                    return Err(Refusal::malformed("there is a processing instruction in it"));
                }
                _ => open.push(child),
            }
        }
    }
    Ok(document)
}

/// A document that may have comments, such as metadata.
pub(crate) fn document(text: &str) -> Result<Document<'_>, String> {
    let parser = Parser::new().with_forbid_dtd(true).with_max_depth(DEEPEST);
    // Parsers quote what they do not understand, which may be anything.
    parser.parse(text).map_err(|_| "it is no XML, has a DTD, or is nested too deep".to_owned())
}

pub(crate) fn root(document: &Document<'_>) -> Result<NodeId, Refusal> {
    document.document_element().ok_or_else(|| Refusal::malformed("it has no element"))
}

pub(crate) fn is(document: &Document<'_>, node: NodeId, namespace: &str, name: &str) -> bool {
    document.element(node).is_some_and(|element| element.matches_name_ns(namespace, name))
}

/// The elements in an element.
pub(crate) fn elements<'d>(
    document: &'d Document<'_>,
    node: NodeId,
) -> impl Iterator<Item = NodeId> + use<'d> {
    let found = document.children(node);
    found.into_iter().filter(|child| document.element(*child).is_some())
}

/// The elements in an element that are called so.
pub(crate) fn named<'d>(
    document: &'d Document<'_>,
    node: NodeId,
    namespace: &'static str,
    name: &'static str,
) -> impl Iterator<Item = NodeId> + use<'d> {
    elements(document, node).filter(move |child| is(document, *child, namespace, name))
}

/// The element in an element that is called so. There must not be two.
pub(crate) fn one(
    document: &Document<'_>,
    node: NodeId,
    namespace: &'static str,
    name: &'static str,
) -> Result<Option<NodeId>, Refusal> {
    let mut found = named(document, node, namespace, name);
    let first = found.next();
    if found.next().is_some() {
        return Err(Refusal::malformed(format!("there are several `{name}` where one may be")));
    }
    Ok(first)
}

/// The element in an element that is called so, which has to be there.
pub(crate) fn needed(
    document: &Document<'_>,
    node: NodeId,
    namespace: &'static str,
    name: &'static str,
) -> Result<NodeId, Refusal> {
    let found = one(document, node, namespace, name)?;
    found.ok_or_else(|| Refusal::malformed(format!("there is no `{name}`")))
}

/// An attribute without a namespace.
pub(crate) fn attribute<'d>(document: &'d Document<'_>, node: NodeId, name: &str) -> Option<&'d str> {
    let attributes = &document.element(node)?.attributes;
    attributes.iter().find(|attribute| attribute.name.matches(None, name)).map(|attribute| &*attribute.value)
}

/// The whole text of an element that has nothing else in it.
pub(crate) fn text(document: &Document<'_>, node: NodeId) -> Option<String> {
    let mut found = String::new();
    for child in document.children_iter(node) {
        found.push_str(document.text_content(child)?);
    }
    Some(found)
}

/// The bytes that an element has in base64.
pub(crate) fn bytes(document: &Document<'_>, node: NodeId) -> Option<Vec<u8>> {
    decode(&text(document, node)?)
}

/// Base64, in lines or not, with either of its alphabets, padded or not.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let plain = text.trim_end().trim_end_matches('=').chars().filter(|one| !one.is_ascii_whitespace());
    let plain: String = plain
        .map(|one| {
            if one == '-' {
                '+'
            } else if one == '_' {
                '/'
            } else {
                one
            }
        })
        .collect();
    Base64Unpadded::decode_vec(&plain).ok()
}

/// A time that an attribute says, in seconds since 1970.
pub(crate) fn time(document: &Document<'_>, node: NodeId, name: &str) -> Result<Option<u64>, Refusal> {
    let Some(text) = attribute(document, node, name) else { return Ok(None) };
    let time = OffsetDateTime::parse(text, &Rfc3339).ok();
    let seconds = time.and_then(|time| u64::try_from(time.unix_timestamp()).ok());
    seconds
        .map(Some)
        .ok_or_else(|| Refusal::malformed(format!("`{name}` is no time as in 2026-01-31T12:00:00Z")))
}

/// As an attribute has it.
pub(crate) fn written_time(seconds: u64) -> Option<String> {
    let time = OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()?;
    time.format(&Rfc3339).ok()
}
