//! Signatures of messages (SAML 2.0 Core, 5.4): enveloped, over the element that they are in, and over nothing else. Nothing is
//! looked up by its id: the element in hand is what is digested, so that there is nothing to wrap. Whoever asks gets the
//! bytes that were signed, to read them instead of what came.
//!
//! Canonical XML is a library's; what is allowed around it is little, and checked here.

use aws_lc_rs::{constant_time, digest};
use bergshamra_c14n::{C14nMode, canonicalize_doc};
use bergshamra_xml::NodeSet;
use jose::{Algorithm, KeySet};
use uppsala::{Document, NodeId};

use crate::{
    Refusal, Why,
    xml::{self, DSIG},
};

const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
/// Prefixes that somebody wants to have declared, at most.
const MOST_PREFIXES: usize = 32;

/// None with SHA-1, and none with a secret.
const ALGORITHMS: [(&str, Algorithm); 9] = [
    ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", Algorithm::Rs256),
    ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha384", Algorithm::Rs384),
    ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", Algorithm::Rs512),
    ("http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1", Algorithm::Ps256),
    ("http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1", Algorithm::Ps384),
    ("http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1", Algorithm::Ps512),
    ("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", Algorithm::Es256),
    ("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384", Algorithm::Es384),
    ("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512", Algorithm::Es512),
];

/// How a signature of an algorithm is called.
pub(crate) fn name_of(algorithm: Algorithm) -> Option<&'static str> {
    ALGORITHMS.iter().find(|(_, known)| *known == algorithm).map(|(name, _)| *name)
}

fn digest_by_name(name: &str) -> Option<&'static digest::Algorithm> {
    Some(match name {
        "http://www.w3.org/2001/04/xmlenc#sha256" => &digest::SHA256,
        "http://www.w3.org/2001/04/xmldsig-more#sha384" => &digest::SHA384,
        "http://www.w3.org/2001/04/xmlenc#sha512" => &digest::SHA512,
        _ => return None,
    })
}

fn wrong(detail: impl Into<String>) -> Refusal {
    Refusal::new(Why::Signature, detail)
}

/// The element as it was signed by one of the keys; `None` where it has no signature of its own.
pub(crate) fn signed(
    document: &Document<'_>,
    element: NodeId,
    keys: &KeySet,
) -> Result<Option<String>, Refusal> {
    let Some(signature) = xml::one(document, element, DSIG, "Signature")? else { return Ok(None) };
    let is_known = |child| {
        ["SignedInfo", "SignatureValue", "KeyInfo"].iter().any(|name| xml::is(document, child, DSIG, name))
    };
    if !xml::elements(document, signature).all(is_known) {
        return Err(wrong("there is something else in its signature"));
    }
    let info = xml::needed(document, signature, DSIG, "SignedInfo")?;
    let value = xml::needed(document, signature, DSIG, "SignatureValue")?;
    let value = xml::bytes(document, value).ok_or_else(|| wrong("its signature is no base64"))?;

    // What follows is read from the bytes that were signed, not from where they came from.
    let how = xml::needed(document, info, DSIG, "CanonicalizationMethod")?;
    let info = Canonical::read(document, how)?.of(document, info, None)?;
    let info_document = xml::message(&info)?;
    let info_node = xml::root(&info_document)?;
    let method = xml::needed(&info_document, info_node, DSIG, "SignatureMethod")?;
    let name = xml::attribute(&info_document, method, "Algorithm").unwrap_or_default();
    let algorithm = ALGORITHMS.iter().find(|(known, _)| *known == name).map(|(_, algorithm)| *algorithm);
    let algorithm = algorithm.ok_or_else(|| {
        wrong(format!("its signature is made with `{}`, which does not count", jose::shown(name)))
    })?;
    if !keys.verifies_message(algorithm, info.as_bytes(), &value) {
        return Err(wrong("its signature is not that of a key of the identity provider"));
    }
    let reference = Reference::read(&info_document, info_node)?;
    let id = xml::attribute(document, element, "ID").filter(|id| !id.is_empty());
    if id.is_none_or(|id| reference.uri != format!("#{id}")) {
        return Err(wrong("its signature is one of something else"));
    }
    let text = reference.canonical.of(document, element, Some(signature))?;
    let found = digest::digest(reference.digest, text.as_bytes());
    if constant_time::verify_slices_are_equal(found.as_ref(), &reference.value).is_err() {
        return Err(wrong("it is not what was signed"));
    }
    Ok(Some(text))
}

/// What a signature is over.
struct Reference {
    uri: String,
    canonical: Canonical,
    digest: &'static digest::Algorithm,
    value: Vec<u8>,
}

impl Reference {
    fn read(document: &Document<'_>, info: NodeId) -> Result<Self, Refusal> {
        let reference = xml::needed(document, info, DSIG, "Reference")?;
        let uri = xml::attribute(document, reference, "URI").unwrap_or_default().to_owned();
        // Without a method, it is Canonical XML 1.0 (XML Signature, 4.4.3.2).
        let mut canonical = Canonical { mode: C14nMode::Inclusive, prefixes: Vec::new() };
        let transforms = xml::needed(document, reference, DSIG, "Transforms")?;
        let transforms: Vec<NodeId> = xml::elements(document, transforms).collect();
        let known = transforms.iter().all(|node| xml::is(document, *node, DSIG, "Transform"));
        let enveloped = |node: &NodeId| xml::attribute(document, *node, "Algorithm") == Some(ENVELOPED);
        match &transforms[..] {
            [first] if known && enveloped(first) => {}
            [first, second] if known && enveloped(first) => canonical = Canonical::read(document, *second)?,
            _ => return Err(wrong("its signature is over a part, or over something that was made of it")),
        }
        let method = xml::needed(document, reference, DSIG, "DigestMethod")?;
        let name = xml::attribute(document, method, "Algorithm").unwrap_or_default();
        let digest = digest_by_name(name).ok_or_else(|| {
            wrong(format!("its digest is made with `{}`, which does not count", jose::shown(name)))
        })?;
        let value = xml::needed(document, reference, DSIG, "DigestValue")?;
        let value = xml::bytes(document, value).ok_or_else(|| wrong("its digest is no base64"))?;
        Ok(Self { uri, canonical, digest, value })
    }
}

/// How XML becomes bytes.
struct Canonical {
    mode: C14nMode,
    prefixes: Vec<String>,
}

impl Canonical {
    fn read(document: &Document<'_>, node: NodeId) -> Result<Self, Refusal> {
        let name = xml::attribute(document, node, "Algorithm").unwrap_or_default();
        // Those with comments would see what nobody else sees.
        let mode = C14nMode::from_uri(name).filter(|mode| !mode.with_comments()).ok_or_else(|| {
            wrong(format!("its signature is over `{}`, which does not count", jose::shown(name)))
        })?;
        let list = xml::one(document, node, EXCLUSIVE, "InclusiveNamespaces")?;
        let list = list.and_then(|list| xml::attribute(document, list, "PrefixList")).unwrap_or_default();
        let prefixes: Vec<String> = list.split_ascii_whitespace().map(str::to_owned).collect();
        if prefixes.len() > MOST_PREFIXES {
            return Err(wrong("its signature declares too many prefixes"));
        }
        Ok(Self { mode, prefixes })
    }

    /// An element, without one of the elements in it.
    fn of(&self, document: &Document<'_>, node: NodeId, without: Option<NodeId>) -> Result<String, Refusal> {
        let mut nodes = NodeSet::tree_without_comments(node, document);
        if let Some(without) = without {
            nodes.remove_id(without);
            document.descendants(without).into_iter().for_each(|inside| nodes.remove_id(inside));
        }
        let bytes = canonicalize_doc(document, self.mode, Some(&nodes), &self.prefixes);
        let bytes = bytes.map_err(|_| wrong("it has no canonical form"))?;
        String::from_utf8(bytes).map_err(|_| wrong("it has no canonical form"))
    }
}
