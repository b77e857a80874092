//! Keys that verify signatures: from a JWK Set (RFC 7517), from certificates and public keys as PEM, or a secret that
//! somebody has written down as one. A public key never becomes a secret, whatever a token says.

use std::fmt;

use aws_lc_rs::{
    digest,
    encoding::AsDer,
    hmac,
    signature::{ParsedPublicKey, RsaPublicKeyComponents},
};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Map, Value};
use x509_parser::{pem::Pem, prelude::FromDer, x509::SubjectPublicKeyInfo};

use crate::{Algorithm, Compact, Refusal, Why, algorithm::KeyType, compact::decode, json, shown};

/// Keys that are looked at in one set.
const MOST_KEYS: usize = 100;
/// Keys that are tried for a token that names none.
const MOST_TRIES: usize = 8;
/// Bytes of an RSA modulus: 2048 to 8192 bits.
const MODULUS: std::ops::RangeInclusive<usize> = 256..=1024;
/// RFC 7518, 3.2: at least as long as the hash.
const SHORTEST_SECRET: usize = 32;
const JWKS_DEPTH: u8 = 6;

/// A key that verifies signatures.
pub struct Key {
    id: Option<String>,
    kind: KeyType,
    /// Of a public key, ready for each algorithm that it may be used with.
    ready: Vec<(Algorithm, ParsedPublicKey)>,
    secret: Vec<u8>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?}, {:?})", self.id, self.kind)
    }
}

/// A key of a set that cannot be used, and why; the others can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotUsable(pub String);

impl fmt::Display for NotUsable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Key {
    /// A secret that issuer and verifier share; `None` when it is shorter than 32 bytes.
    pub fn of_secret(secret: &[u8]) -> Option<Self> {
        let long = secret.len() >= SHORTEST_SECRET;
        long.then(|| Self { id: None, kind: KeyType::Secret, ready: Vec::new(), secret: secret.to_vec() })
    }

    /// A public key, as a JWK Set or the header of a proof has it.
    pub fn of_jwk(jwk: &Map<String, Value>) -> Result<Self, NotUsable> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let id = text("kid").map(str::to_owned);
        let problem = |what: &str| {
            NotUsable(match &id {
                Some(id) => format!("key `{}` {what}", shown(id)),
                None => format!("a key without `kid` {what}"),
            })
        };
        if jwk.contains_key("d") || jwk.contains_key("k") {
            return Err(problem("is a secret or private one, which does not belong into public"));
        }
        if text("use").is_some_and(|purpose| purpose != "sig") {
            return Err(problem("is not for signatures"));
        }
        let operations = jwk.get("key_ops").and_then(Value::as_array);
        if operations.is_some_and(|operations| operations.iter().all(|operation| operation != "verify")) {
            return Err(problem("is not for verifying"));
        }
        let bytes = |name: &str| {
            text(name).and_then(decode).ok_or_else(|| problem("lacks a part, or has it in no base64url"))
        };
        let (kind, public) = match (text("kty"), text("crv")) {
            (Some("RSA"), _) => {
                let n: Vec<u8> = bytes("n")?.into_iter().skip_while(|b| *b == 0).collect();
                let e: Vec<u8> = bytes("e")?.into_iter().skip_while(|b| *b == 0).collect();
                if !MODULUS.contains(&n.len()) || e.len() > 8 {
                    return Err(problem("has not 2048 to 8192 bits"));
                }
                let der = RsaPublicKeyComponents { n, e }.as_der().map_err(|_| problem("is no RSA key"))?;
                (KeyType::Rsa, der.as_ref().to_vec())
            }
            (Some("EC"), Some(curve)) => {
                let (kind, length) = match curve {
                    "P-256" => (KeyType::P256, 32),
                    "P-384" => (KeyType::P384, 48),
                    "P-521" => (KeyType::P521, 66),
                    _ => return Err(problem("is on a curve that is not supported")),
                };
                let (x, y) = (bytes("x")?, bytes("y")?);
                if x.len() != length || y.len() != length {
                    return Err(problem("has coordinates of the wrong length"));
                }
                (kind, [&[4], &*x, &*y].concat())
            }
            (Some("OKP"), Some("Ed25519")) => (KeyType::Ed25519, bytes("x")?),
            _ => return Err(problem("is of a type that is not supported")),
        };
        let only = match text("alg") {
            None => None,
            Some(name) => {
                let known = Algorithm::by_name(name).filter(|algorithm| algorithm.key_type() == kind);
                Some(known.ok_or_else(|| problem("is for an algorithm that does not go with it"))?)
            }
        };
        let ready = ready(kind, &public, only).ok_or_else(|| problem("is not valid"))?;
        Ok(Self { id, kind, ready, secret: Vec::new() })
    }

    fn of_public_key_info(info: &SubjectPublicKeyInfo<'_>) -> Option<Self> {
        let parameters = || info.algorithm.parameters.as_ref()?.as_oid().ok().map(|oid| oid.to_id_string());
        let kind = match info.algorithm.algorithm.to_id_string().as_str() {
            "1.2.840.113549.1.1.1" => KeyType::Rsa,
            "1.2.840.10045.2.1" => match parameters()?.as_str() {
                "1.2.840.10045.3.1.7" => KeyType::P256,
                "1.3.132.0.34" => KeyType::P384,
                "1.3.132.0.35" => KeyType::P521,
                _ => return None,
            },
            "1.3.101.112" => KeyType::Ed25519,
            _ => return None,
        };
        let ready = ready(kind, info.raw, None)?;
        Some(Self { id: None, kind, ready, secret: Vec::new() })
    }

    pub(crate) fn verifies(&self, token: &Compact<'_>) -> bool {
        self.verifies_message(token.algorithm, token.signed.as_bytes(), &token.signature)
    }

    /// Whether the signature is one over something else than a token.
    pub fn verifies_message(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if self.kind != algorithm.key_type() {
            return false;
        }
        if let Some(mac) = algorithm.mac() {
            return hmac::verify(&hmac::Key::new(mac, &self.secret), message, signature).is_ok();
        }
        let key = self.ready.iter().find(|(known, _)| *known == algorithm);
        key.is_some_and(|(_, key)| key.verify_sig(message, signature).is_ok())
    }

    /// Whether it may be used with an algorithm.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        self.kind == algorithm.key_type()
            && (self.kind == KeyType::Secret || self.ready.iter().any(|(known, _)| *known == algorithm))
    }
}

/// The key for each algorithm of its type; `None` when it is not valid.
fn ready(kind: KeyType, public: &[u8], only: Option<Algorithm>) -> Option<Vec<(Algorithm, ParsedPublicKey)>> {
    let fitting = Algorithm::ALL
        .into_iter()
        .filter(|algorithm| algorithm.key_type() == kind && only.is_none_or(|only| only == *algorithm));
    fitting
        .map(|algorithm| {
            let key = ParsedPublicKey::new(algorithm.verification()?, public).ok()?;
            Some((algorithm, key))
        })
        .collect()
}

/// Keys of one issuer.
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
}

impl KeySet {
    pub fn new(keys: Vec<Key>) -> Self {
        Self { keys }
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// The keys of a JWK Set that can be used, and what is wrong with the others; `None` when it is no JWK Set.
    pub fn of_jwks(text: &[u8]) -> Option<(Self, Vec<NotUsable>)> {
        let set = json::object(text, JWKS_DEPTH)?;
        let (mut keys, mut problems) = (Vec::new(), Vec::new());
        for jwk in set.get("keys")?.as_array()?.iter().take(MOST_KEYS) {
            match jwk.as_object().map(Key::of_jwk) {
                Some(Ok(key)) => keys.push(key),
                Some(Err(problem)) => problems.push(problem),
                None => problems.push(NotUsable("a key is no object".to_owned())),
            }
        }
        Some((Self { keys }, problems))
    }

    /// Certificates and public keys in PEM; the text says what is wrong.
    pub fn of_pem(text: &[u8]) -> Result<Self, String> {
        let mut keys = Vec::new();
        for (place, pem) in Pem::iter_from_buffer(text).take(MOST_KEYS).enumerate() {
            let pem = pem.map_err(|_| format!("block {} is no PEM", place + 1))?;
            let key = match pem.label.as_str() {
                "CERTIFICATE" => {
                    let certificate = pem.parse_x509();
                    certificate.ok().and_then(|certificate| Key::of_public_key_info(certificate.public_key()))
                }
                "PUBLIC KEY" => SubjectPublicKeyInfo::from_der(&pem.contents)
                    .ok()
                    .and_then(|(_, info)| Key::of_public_key_info(&info)),
                label => {
                    return Err(format!(
                        "block {} is `{}`, expected CERTIFICATE or PUBLIC KEY",
                        place + 1,
                        shown(label)
                    ));
                }
            };
            keys.push(key.ok_or_else(|| {
                format!("the key in block {} is not valid, or of a type that is not supported", place + 1)
            })?);
        }
        if keys.is_empty() {
            Err("it holds no certificate and no public key".to_owned())
        } else {
            Ok(Self { keys })
        }
    }

    /// The key, where there is one.
    pub fn into_only(mut self) -> Option<Key> {
        self.keys.pop().filter(|_| self.keys.is_empty())
    }

    /// Adds the keys of another set.
    pub fn add(&mut self, other: Self) {
        self.keys.extend(other.keys);
    }

    /// Whether the signature is one of these keys over something else than a token.
    pub fn verifies_message(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let mut tries = self.keys.iter().filter(|key| key.fits(algorithm)).take(MOST_TRIES);
        tries.any(|key| key.verifies_message(algorithm, message, signature))
    }

    /// Whether one of the keys made the signature, with one of these algorithms.
    pub fn verify(&self, token: &Compact<'_>, accepted: &[Algorithm]) -> Result<(), Refusal> {
        if !accepted.contains(&token.algorithm) {
            let detail = format!("its algorithm {} is not accepted", token.algorithm.name());
            return Err(Refusal::new(Why::Algorithm, detail));
        }
        let id = token.header.key_id.as_deref();
        let named = |key: &&Key| match (id, &key.id) {
            // Certificates and secrets have no names, and keys may be published without.
            (None, _) | (_, None) => true,
            (Some(id), Some(known)) => id == known,
        };
        let exact = |key: &&Key| id.is_some() && key.id.as_deref() == id;
        if self.keys.iter().any(|key| exact(&key) && !key.fits(token.algorithm))
            && !self.keys.iter().any(|key| exact(&key) && key.fits(token.algorithm))
        {
            let detail =
                format!("its algorithm {} does not go with the key that it names", token.algorithm.name());
            return Err(Refusal::new(Why::Algorithm, detail));
        }
        let mut fitting = self.keys.iter().filter(named).filter(|key| key.fits(token.algorithm));
        let mut tries = fitting.by_ref().take(MOST_TRIES).peekable();
        if tries.peek().is_none() {
            let detail = match id {
                Some(id) => format!("its key `{}` is not known", shown(id)),
                None => "no key fits it".to_owned(),
            };
            return Err(Refusal::new(Why::UnknownKey, detail));
        }
        let mut all_named = true;
        for key in tries {
            if key.verifies(token) {
                return Ok(());
            }
            all_named &= id.is_some() && key.id.is_some();
        }
        // Where the token names no key, the right one may not be known yet.
        let why = if all_named { Why::Signature } else { Why::UnknownKey };
        Err(Refusal::new(why, "its signature is not that of a known key"))
    }
}

/// The thumbprint of a public key (RFC 7638), in base64url.
pub fn thumbprint(jwk: &Map<String, Value>) -> Option<String> {
    let names: &[&str] = match jwk.get("kty")?.as_str()? {
        "RSA" => &["e", "kty", "n"],
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        _ => return None,
    };
    let mut text = String::from("{");
    for name in names {
        let value = serde_json::to_string(jwk.get(*name)?.as_str()?).ok()?;
        let comma = if text.len() > 1 { "," } else { "" };
        text.push_str(&format!("{comma}\"{name}\":{value}"));
    }
    text.push('}');
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    Some(Base64UrlUnpadded::encode_string(digest.as_ref()))
}
