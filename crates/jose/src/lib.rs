//! JSON Web Tokens: made, taken apart within bounds, their signatures verified, their claims checked. No I/O, no clock of its
//! own: where keys come from, and what a token is good for, is left to others.

mod algorithm;
mod claims;
mod compact;
mod dpop;
mod json;
mod jwe;
mod key;
#[cfg(test)]
mod openssl_vectors;
mod sign;
#[cfg(test)]
mod vectors;

use std::{borrow::Cow, fmt};

pub use algorithm::Algorithm;
pub use claims::{Audience, Expectations, Lifetime};
pub use compact::{Compact, Header, MOST_BYTES, TokenForm, form_of};
pub use dpop::{Proof, ProofOf};
pub use jwe::{DecryptionKey, DecryptionKeys};
pub use key::{Key, KeySet, NotUsable, thumbprint};
pub use sign::SigningKey;

/// Why a token is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub why: Why,
    /// For logs and records. Never a part of the token that nobody has checked for its length, and never all of it.
    pub detail: Cow<'static, str>,
}

/// What is wrong with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is no token, or a hostile one.
    Malformed,
    /// Its algorithm is not one that is accepted.
    Algorithm,
    /// No key that is known fits. Another one may have been published since.
    UnknownKey,
    Signature,
    /// It is a token of another kind.
    Type,
    Expired,
    NotYetValid,
    Issuer,
    Audience,
    /// Something else in it is missing or wrong.
    Claims,
}

impl Refusal {
    pub fn new(why: Why, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { why, detail: detail.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Refusal {}

/// A JSON object of somebody who is not trusted yet: with every name once, and neither deep nor wide.
pub fn object(bytes: &[u8]) -> Option<serde_json::Map<String, serde_json::Value>> {
    json::object(bytes, 16)
}

/// Text of somebody else as it may be written down: short, and without control characters.
pub fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(64).flat_map(char::escape_debug).collect();
    if text.chars().nth(64).is_some() {
        shown.push('…');
    }
    shown
}
