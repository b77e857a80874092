//! Proofs of possession (RFC 9449): that whoever sends a token holds the key that it is bound to. Whether a proof was
//! seen before is left to others.

use aws_lc_rs::digest;
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::Value;

use crate::{Compact, Key, Refusal, Why, key::thumbprint};

/// Longest `jti` that is remembered.
const LONGEST_ID: usize = 256;

/// The request that a proof has to be for.
#[derive(Debug, Clone, Copy)]
pub struct ProofOf<'p> {
    pub method: &'p str,
    /// Without query and fragment.
    pub url: &'p str,
    /// The access token that comes with it, if there is one already.
    pub token: Option<&'p str>,
    /// Thumbprint that the token names in `cnf.jkt`. `None` for a key that nothing is bound to yet.
    pub thumbprint: Option<&'p str>,
    /// Seconds since 1970.
    pub now: u64,
    /// How old or early a proof may be, in seconds.
    pub window: u64,
}

/// A proof that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Unique for its key.
    pub id: String,
    pub issued: u64,
    /// Of its key.
    pub thumbprint: String,
}

impl Proof {
    /// Checks a proof (RFC 9449, 4.3).
    pub fn check(proof: &str, of: ProofOf<'_>) -> Result<Self, Refusal> {
        let refused = |detail: &'static str| Refusal::new(Why::Claims, detail);
        let token = Compact::parse(proof)?;
        if token.header.kind.as_deref() != Some("dpop+jwt") {
            return Err(Refusal::new(Why::Type, "the proof is no dpop+jwt"));
        }
        if token.algorithm.is_symmetric() {
            return Err(Refusal::new(Why::Algorithm, "the proof is not signed with a private key"));
        }
        let jwk = token.header.members.get("jwk").and_then(Value::as_object);
        let jwk = jwk.ok_or_else(|| refused("the proof names no key"))?;
        let key = Key::of_jwk(jwk)
            .map_err(|_| refused("the key of the proof is no public key that is supported"))?;
        if !key.verifies(&token) {
            return Err(Refusal::new(Why::Signature, "the signature of the proof is not that of its key"));
        }
        let own = thumbprint(jwk).ok_or_else(|| refused("the key of the proof has no thumbprint"))?;
        if of.thumbprint.is_some_and(|bound| bound != own) {
            return Err(refused("the token is bound to another key than that of the proof"));
        }
        let claims = token.claims()?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("htm") != Some(of.method) {
            return Err(refused("the proof is for another method (`htm`)"));
        }
        if !text("htu").is_some_and(|url| same_url(url, of.url)) {
            return Err(refused("the proof is for another URL (`htu`)"));
        }
        if let Some(token) = of.token {
            let hash = digest::digest(&digest::SHA256, token.as_bytes());
            if text("ath") != Some(&Base64UrlUnpadded::encode_string(hash.as_ref())) {
                return Err(refused("the proof is for another token (`ath`)"));
            }
        }
        let issued =
            claims.get("iat").and_then(Value::as_u64).ok_or_else(|| refused("the proof has no `iat`"))?;
        if issued.saturating_add(of.window) <= of.now || issued > of.now.saturating_add(of.window) {
            return Err(Refusal::new(Why::Expired, "the proof is too old, or from the future (`iat`)"));
        }
        let id = text("jti").filter(|id| !id.is_empty() && id.len() <= LONGEST_ID);
        let id = id.ok_or_else(|| refused("the proof has no usable `jti`"))?;
        Ok(Self { id: id.to_owned(), issued, thumbprint: own })
    }
}

/// Compares without query and fragment; scheme and host have no case, and usual ports may be left out.
fn same_url(one: &str, other: &str) -> bool {
    let parts = |url: &str| {
        let url = url.split(['?', '#']).next().unwrap_or_default();
        let (scheme, rest) = url.split_once("://")?;
        let (scheme, (host, path)) = (
            scheme.to_ascii_lowercase(),
            match rest.find('/') {
                Some(slash) => rest.split_at(slash),
                None => (rest, "/"),
            },
        );
        let port = if scheme == "https" { ":443" } else { ":80" };
        let host = host.to_ascii_lowercase();
        let host = host.strip_suffix(port).unwrap_or(&host).to_owned();
        Some((scheme, host, path.to_owned()))
    };
    parts(one).is_some_and(|one| Some(one) == parts(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_compared_as_browsers_would() {
        for (one, same) in [
            ("https://api.example/a", true),
            ("HTTPS://API.example:443/a?x=1#y", true),
            ("https://api.example/A", false),
            ("http://api.example/a", false),
            ("https://api.example:8443/a", false),
            ("https://api.example", false),
            ("/a", false),
        ] {
            assert_eq!(same_url(one, "https://api.example/a"), same, "{one}");
        }
    }
}
