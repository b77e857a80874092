//! Tokens in their compact form (RFC 7515, 7.1): taken apart, with bounds, before anything in them is believed.

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Map, Value};

use crate::{Algorithm, Refusal, Why, json, shown};

/// Longest token that is looked at.
pub const MOST_BYTES: usize = 16 * 1024;
/// Bytes of a header, and members of it.
const LARGEST_HEADER: usize = 4 * 1024;
const MOST_MEMBERS: usize = 32;
/// How deep a header may be: a key in it is an object.
const HEADER_DEPTH: u8 = 4;
const CLAIMS_DEPTH: u8 = 16;

/// What a token looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenForm {
    /// Signed: three parts.
    Signed,
    /// Encrypted: five parts.
    Encrypted,
    /// Something that only its issuer can read.
    Opaque,
}

/// What a token looks like. Nothing is checked by that.
pub fn form_of(token: &str) -> TokenForm {
    // A header in JSON begins with `{"` or `{` and a space, which base64url writes like this.
    if !token.starts_with("ey") {
        return TokenForm::Opaque;
    }
    match token.bytes().filter(|b| *b == b'.').count() {
        2 => TokenForm::Signed,
        4 => TokenForm::Encrypted,
        _ => TokenForm::Opaque,
    }
}

/// The header of a token.
#[derive(Debug, Clone)]
pub struct Header {
    pub algorithm: String,
    pub key_id: Option<String>,
    /// In lower case, without `application/` before it.
    pub kind: Option<String>,
    pub content: Option<String>,
    pub(crate) members: Map<String, Value>,
}

impl Header {
    pub(crate) fn parse(encoded: &str) -> Result<Self, Refusal> {
        let malformed = |detail: &'static str| Refusal::new(Why::Malformed, detail);
        if encoded.len() > LARGEST_HEADER {
            return Err(malformed("its header is too long"));
        }
        let bytes =
            decode(encoded).ok_or_else(|| malformed("its header is not base64url without padding"))?;
        let members = json::object(&bytes, HEADER_DEPTH)
            .ok_or_else(|| malformed("its header is no JSON object with every name once"))?;
        if members.len() > MOST_MEMBERS {
            return Err(malformed("its header has too many members"));
        }
        // None is understood here, and what is critical and not understood is refused (RFC 7515, 4.1.11).
        if members.contains_key("crit") || members.contains_key("b64") {
            return Err(malformed("its header has critical extensions"));
        }
        let text = |name: &'static str| match members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(malformed("a member of its header that has to be a text is none")),
        };
        Ok(Self {
            algorithm: text("alg")?.ok_or_else(|| malformed("its header names no algorithm"))?,
            key_id: text("kid")?,
            kind: text("typ")?.map(|kind| media_type(&kind)),
            content: text("cty")?.map(|kind| media_type(&kind)),
            members,
        })
    }
}

/// RFC 7515, 4.1.9.
fn media_type(text: &str) -> String {
    let text = text.to_ascii_lowercase();
    text.strip_prefix("application/").filter(|rest| !rest.contains('/')).unwrap_or(&text).to_owned()
}

/// A signed token, taken apart and not believed.
#[derive(Debug)]
pub struct Compact<'t> {
    pub header: Header,
    pub(crate) algorithm: Algorithm,
    /// Header and payload as they are signed.
    pub(crate) signed: &'t str,
    pub(crate) signature: Vec<u8>,
    payload: Vec<u8>,
}

impl<'t> Compact<'t> {
    pub fn parse(token: &'t str) -> Result<Self, Refusal> {
        let malformed = |detail: &'static str| Refusal::new(Why::Malformed, detail);
        if token.len() > MOST_BYTES {
            return Err(malformed("it is longer than 16 KiB"));
        }
        let (signed, signature) = token.rsplit_once('.').ok_or_else(|| malformed("it has no parts"))?;
        let (header, payload) = signed.split_once('.').ok_or_else(|| malformed("it has too few parts"))?;
        if payload.contains('.') {
            return Err(malformed("it has too many parts"));
        }
        let header = Header::parse(header)?;
        let algorithm = Algorithm::by_name(&header.algorithm).ok_or_else(|| {
            Refusal::new(
                Why::Algorithm,
                format!("its algorithm `{}` is not accepted", shown(&header.algorithm)),
            )
        })?;
        let decoded =
            |part| decode(part).ok_or_else(|| malformed("a part of it is not base64url without padding"));
        Ok(Self { header, algorithm, signed, signature: decoded(signature)?, payload: decoded(payload)? })
    }

    /// What it says, which is not believed before [`crate::KeySet::verify`] has agreed.
    pub fn claims(&self) -> Result<Map<String, Value>, Refusal> {
        json::object(&self.payload, CLAIMS_DEPTH)
            .ok_or_else(|| Refusal::new(Why::Malformed, "its claims are no JSON object with every name once"))
    }
}

/// Base64url without padding; anything that could be written in another way, too, is refused.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(text).ok()
}
