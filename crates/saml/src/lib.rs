//! SAML 2.0 for a service provider: requests made, responses and assertions read, metadata of both sides. What an assertion
//! says is read from the bytes that its signature covers, and from nothing else. No I/O, no clock.

mod assertion;
mod encryption;
mod metadata;
mod request;
mod response;
mod signature;
mod xml;

use std::fmt;

use jose::KeySet;

pub use assertion::{Assertion, NameId, TRANSIENT};
pub use encryption::DecryptionKey;
pub use metadata::{IdentityProvider, ServiceProvider, Signer};
pub use request::AuthnRequest;
pub use response::{issuer_of, read_assertion, read_response};

/// Largest message, in bytes of XML.
pub const LARGEST: usize = 256 << 10;

/// Why a message is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    TooLarge,
    /// It is no message as it has to be, has a DTD, or says what is not understood.
    Malformed,
    /// The identity provider says that it let nobody in.
    Status,
    Unsigned,
    /// The signature is not one of the identity provider over this.
    Signature,
    Encryption,
    Issuer,
    Audience,
    Recipient,
    Expired,
    NotYetValid,
}

/// A message that is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub why: Why,
    /// For the log. Nothing secret is in it.
    pub detail: String,
}

impl Refusal {
    fn new(why: Why, detail: impl Into<String>) -> Self {
        Self { why, detail: detail.into() }
    }

    fn malformed(detail: impl Into<String>) -> Self {
        Self::new(Why::Malformed, detail)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

/// What somebody brings an assertion for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A login in a browser (Profiles, 4.1.4.3): the assertion has to say that somebody has logged in.
    Login,
    /// A token (RFC 7522, 3): when it ends may be said by its conditions alone.
    Grant,
}

/// What a message has to be like.
pub struct Expected<'e> {
    /// Entity id of who has to have made it.
    pub issuer: &'e str,
    /// Keys of theirs.
    pub keys: &'e KeySet,
    /// Entity ids of who it has to be for: one of them.
    pub audiences: &'e [String],
    /// Where it has to have been sent to: one of them.
    pub recipients: &'e [String],
    pub purpose: Purpose,
    /// What opens assertions that are encrypted.
    pub decryption: Option<&'e DecryptionKey>,
    /// Seconds since 1970.
    pub now: u64,
    /// How far clocks may differ, in seconds.
    pub skew: u64,
}

/// Text in XML, in an element or in an attribute.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}
