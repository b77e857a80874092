//! By an HTTP message signature (RFC 9421). Of several signatures, those count whose key is known; which parts of the
//! request one covers is read in `base.rs`, and digests of bodies (RFC 9530) in `content_digest.rs`.

mod base;
mod content_digest;
mod fields;
#[cfg(test)]
mod vectors;

use engine::{CompileCx, Exchange, keys::SigningKey};
use http::HeaderValue;
use jose::Algorithm;
use model::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    identifier::{Finding, Found, Identifier},
    signed::{
        self, BODY, Freshness, INCOMPLETE, IdentifySignedBody, LONGEST_NONCE, MALFORMED, Refused, TIME, WRONG,
    },
};
use base::{Component, Covered};
use fields::Value;

const INPUT: &str = "signature-input";
const SIGNATURE: &str = "signature";
/// Signatures of one request that are looked at.
const MOST: usize = 4;

/// What a signature has to be like.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentifyMessageSignature {
    /// What every signature has to cover: names of headers, and `@method`, `@target-uri`, `@authority`, `@scheme`,
    /// `@request-target`, `@path`, `@query`. `@target-uri` covers authority, scheme, path and query as well, and
    /// `@request-target` path and query.
    #[serde(default = "default_components")]
    components: Vec<String>,
    /// Algorithms that count. A key counts with those of its own type only.
    #[serde(default = "IdentifySignatureAlgorithm::all")]
    algorithms: Vec<IdentifySignatureAlgorithm>,
    /// How old a signature may be by its `created`, and by how much clocks may differ: `1s` to `1h`. `expires` can only
    /// shorten that.
    #[serde(default = "default_age")]
    max_age: model::Duration,
    /// Refuse signatures without a `nonce`, each of which counts once. Without one, whoever sees a request can send it
    /// again for as long as it is not too old.
    #[serde(default = "yes")]
    require_nonce: bool,
    /// Only signatures with this `tag` count. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    /// Whether bodies are signed: a request with a body then has to cover `content-digest`, with SHA-256 or SHA-512.
    #[serde(default)]
    body: IdentifySignedBody,
}

/// An algorithm of RFC 9421.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IdentifySignatureAlgorithm {
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
    #[serde(rename = "rsa-pss-sha512")]
    RsaPssSha512,
    #[serde(rename = "rsa-v1_5-sha256")]
    RsaV15Sha256,
    #[serde(rename = "ecdsa-p256-sha256")]
    EcdsaP256Sha256,
    #[serde(rename = "ed25519")]
    Ed25519,
}

impl IdentifySignatureAlgorithm {
    fn all() -> Vec<Self> {
        vec![Self::HmacSha256, Self::RsaPssSha512, Self::RsaV15Sha256, Self::EcdsaP256Sha256, Self::Ed25519]
    }

    const fn name(self) -> &'static str {
        match self {
            Self::HmacSha256 => "hmac-sha256",
            Self::RsaPssSha512 => "rsa-pss-sha512",
            Self::RsaV15Sha256 => "rsa-v1_5-sha256",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::Ed25519 => "ed25519",
        }
    }

    const fn of_tokens(self) -> Algorithm {
        match self {
            Self::HmacSha256 => Algorithm::Hs256,
            Self::RsaPssSha512 => Algorithm::Ps512,
            Self::RsaV15Sha256 => Algorithm::Rs256,
            Self::EcdsaP256Sha256 => Algorithm::Es256,
            Self::Ed25519 => Algorithm::EdDsa,
        }
    }
}

fn default_components() -> Vec<String> {
    vec!["@method".to_owned(), "@target-uri".to_owned()]
}

fn default_age() -> model::Duration {
    model::Duration::from_secs(300)
}

fn yes() -> bool {
    true
}

impl IdentifyMessageSignature {
    pub(super) fn compile(self, cx: &mut CompileCx<'_>) -> Result<BySignature, Diagnostic> {
        let needed = self.components.iter().enumerate().map(|(place, name)| {
            Component::plain(name).ok_or_else(|| {
                let found = format!("found `{name}`, expected a header, or a component such as `@method`");
                Diagnostic::error(format!("components[{place}]"), found)
                    .help("names are in lower case, and have no parameters here")
            })
        });
        let needed: Vec<Component> = needed.collect::<Result<_, _>>()?;
        if self.algorithms.is_empty() {
            return Err(Diagnostic::error("algorithms", "found none, expected at least one"));
        }
        let challenge = format!("Signature components=\"{}\"", self.components.join(" "));
        Ok(BySignature {
            needed,
            algorithms: self.algorithms,
            require_nonce: self.require_nonce,
            tag: self.tag,
            body: self.body,
            // Names of components fit into one.
            challenge: HeaderValue::try_from(challenge).unwrap_or(HeaderValue::from_static("Signature")),
            freshness: Freshness::compile(self.max_age, cx)?,
        })
    }
}

pub(super) struct BySignature {
    needed: Vec<Component>,
    algorithms: Vec<IdentifySignatureAlgorithm>,
    require_nonce: bool,
    tag: Option<String>,
    body: IdentifySignedBody,
    challenge: HeaderValue,
    freshness: Freshness,
}

impl Identifier for BySignature {
    fn identify<'a>(&'a self, exchange: &'a Exchange) -> Found<'a> {
        if !exchange.headers.contains_key(INPUT) && !exchange.headers.contains_key(SIGNATURE) {
            return Found::Now(Finding::Absent);
        }
        Found::Now(match self.check(exchange) {
            Ok((key, id)) => signed::finding(Ok((key, &id))),
            Err(refused) => signed::finding(Err(refused)),
        })
    }

    fn strip(&self, exchange: &mut Exchange, verified: bool) {
        if verified {
            exchange.headers.remove(INPUT);
            exchange.headers.remove(SIGNATURE);
        }
    }

    fn looks_into_bodies(&self) -> bool {
        self.body == IdentifySignedBody::Signed
    }

    fn challenge(&self, _: &Exchange) -> Option<HeaderValue> {
        Some(self.challenge.clone())
    }
}

impl BySignature {
    fn check<'a>(&self, exchange: &'a Exchange) -> Result<(&'a SigningKey, String), Refused> {
        let read = |name: &str| {
            let text = signed::joined(exchange, name)
                .ok_or_else(|| (&MALFORMED, format!("there is no `{name}`")))?;
            fields::dictionary(&text)
                .ok_or_else(|| (&MALFORMED, format!("`{name}` is no dictionary of RFC 8941")))
        };
        let (inputs, signatures) = (read(INPUT)?, read(SIGNATURE)?);
        let mut refused: Option<Refused> = None;
        for (label, input) in inputs.iter().take(MOST) {
            let covered = Covered::of(input).map_err(|problem| (&MALFORMED, problem))?;
            if self.tag.is_some() && covered.text("tag") != self.tag.as_deref() {
                continue;
            }
            let signature = signatures.iter().find(|(known, _)| known == label);
            let Some((_, Value::Bytes(signature))) = signature.map(|(label, member)| (label, &member.value))
            else {
                return Err((&MALFORMED, format!("`signature` has no bytes for `{}`", jose::shown(label))));
            };
            match self.check_one(exchange, &covered, signature) {
                Ok(found) => return Ok(found),
                // Those after it may be of somebody that is known; the first one is told.
                Err(problem) => {
                    refused.get_or_insert(problem);
                }
            }
        }
        Err(refused.unwrap_or_else(|| (&INCOMPLETE, "no signature has the tag that is asked for".to_owned())))
    }

    fn check_one<'a>(
        &self,
        exchange: &'a Exchange,
        covered: &Covered<'_>,
        signature: &[u8],
    ) -> Result<(&'a SigningKey, String), Refused> {
        let incomplete = |what: &str| (&INCOMPLETE, format!("it has no `{what}`"));
        let id = covered.text("keyid").ok_or_else(|| incomplete("keyid"))?;
        let made = covered.number("created").ok_or_else(|| incomplete("created"))?;
        self.freshness.check_age(made)?;
        let now = self.freshness.now();
        if covered.has("expires") && covered.number("expires").is_none_or(|expires| expires <= now.seconds())
        {
            return Err((&TIME, "it has expired".to_owned()));
        }
        let nonce = covered.text("nonce");
        match nonce {
            None if self.require_nonce => return Err(incomplete("nonce")),
            Some(nonce) if nonce.is_empty() || nonce.len() > LONGEST_NONCE => {
                return Err((&MALFORMED, format!("its nonce has not 1 to {LONGEST_NONCE} characters")));
            }
            _ => {}
        }
        if let Some(missing) = self.needed.iter().find(|needed| !covered.covers(needed)) {
            return Err((&INCOMPLETE, format!("it does not cover `{missing}`")));
        }
        let body = signed::body(exchange);
        let covers_body = covered.covers(&Component::content_digest());
        if self.body == IdentifySignedBody::Signed && !body.is_empty() && !covers_body {
            return Err((&INCOMPLETE, "it does not cover `content-digest`".to_owned()));
        }
        let key = signed::key(exchange, id, now)?;
        let algorithm = self.algorithm(covered, key)?;
        let text = covered.base(exchange).map_err(|problem| (&WRONG, problem))?;
        if !key.key.verifies_message(algorithm, text.as_bytes(), signature) {
            return Err((&WRONG, format!("it is not that of key `{}`", jose::shown(id))));
        }
        if self.body == IdentifySignedBody::Signed && covers_body {
            let digests = signed::joined(exchange, "content-digest").unwrap_or_default();
            content_digest::check(&digests, body).map_err(|problem| (&BODY, problem.to_owned()))?;
        }
        if let Some(nonce) = nonce {
            self.freshness.take(exchange, id, nonce, made)?;
        }
        Ok((key, id.to_owned()))
    }

    /// What the signature says, if it says anything, else what goes with the key: RFC 9421, 3.2.
    fn algorithm(&self, covered: &Covered<'_>, key: &SigningKey) -> Result<Algorithm, Refused> {
        let said = covered.text("alg");
        let mut fitting = self.algorithms.iter().filter(|algorithm| key.key.fits(algorithm.of_tokens()));
        let found = match said {
            None if covered.has("alg") => None,
            None => fitting.next(),
            Some(name) => fitting.find(|algorithm| algorithm.name() == name),
        };
        found
            .map(|algorithm| algorithm.of_tokens())
            .ok_or_else(|| (&WRONG, "its algorithm is not accepted, or does not go with its key".to_owned()))
    }
}
