//! Keys that sign tokens. The private part leaves this module only to be encrypted.

use std::fmt;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
        EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
        RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
    },
};
use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use serde_json::{Map, Value, json};
use x509_parser::{prelude::FromDer, public_key::PublicKey, x509::SubjectPublicKeyInfo};

use crate::{Algorithm, algorithm::KeyType, thumbprint};

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ec(Box<EcdsaKeyPair>),
    Ed(Ed25519KeyPair),
}

/// A key that signs tokens.
pub struct SigningKey {
    id: String,
    algorithm: Algorithm,
    pair: Pair,
    public: Map<String, Value>,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?}, {:?})", self.id, self.algorithm)
    }
}

fn curve(algorithm: Algorithm) -> Option<&'static EcdsaSigningAlgorithm> {
    match algorithm.key_type() {
        KeyType::P256 => Some(&ECDSA_P256_SHA256_FIXED_SIGNING),
        KeyType::P384 => Some(&ECDSA_P384_SHA384_FIXED_SIGNING),
        KeyType::P521 => Some(&ECDSA_P521_SHA512_FIXED_SIGNING),
        _ => None,
    }
}

fn padding(algorithm: Algorithm) -> Option<&'static dyn RsaEncoding> {
    Some(match algorithm {
        Algorithm::Rs256 => &RSA_PKCS1_SHA256,
        Algorithm::Rs384 => &RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_SHA512,
        Algorithm::Ps256 => &RSA_PSS_SHA256,
        Algorithm::Ps384 => &RSA_PSS_SHA384,
        Algorithm::Ps512 => &RSA_PSS_SHA512,
        _ => return None,
    })
}

impl SigningKey {
    /// A new key: PKCS#8 in base64. `None` for algorithms with a secret. One for RSA takes a while.
    pub fn generate(algorithm: Algorithm) -> Option<String> {
        let pkcs8: Vec<u8> = match algorithm.key_type() {
            KeyType::Rsa => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).ok()?;
                let der: Pkcs8V1Der<'_> = pair.as_der().ok()?;
                der.as_ref().to_vec()
            }
            KeyType::Ed25519 => Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).ok()?.as_ref().to_vec(),
            KeyType::Secret => return None,
            _ => {
                EcdsaKeyPair::generate_pkcs8(curve(algorithm)?, &SystemRandom::new()).ok()?.as_ref().to_vec()
            }
        };
        Some(Base64::encode_string(&pkcs8))
    }

    /// From what [`Self::generate`] has made.
    pub fn parse(algorithm: Algorithm, pkcs8: &str) -> Option<Self> {
        Self::of_pkcs8(algorithm, &Base64::decode_vec(pkcs8).ok()?)
    }

    /// From a private key as PEM: PKCS#8, or PKCS#1 for RSA.
    pub fn of_pem(algorithm: Algorithm, pem: &str) -> Option<Self> {
        let (_, rest) = pem.split_once("-----BEGIN ")?;
        let (label, rest) = rest.split_once("-----")?;
        let (body, _) = rest.split_once("-----END ")?;
        let der = Base64::decode_vec(&body.split_ascii_whitespace().collect::<String>()).ok()?;
        match label {
            "PRIVATE KEY" => Self::of_pkcs8(algorithm, &der),
            "RSA PRIVATE KEY" => {
                let der: Pkcs8V1Der<'_> = RsaKeyPair::from_der(&der).ok()?.as_der().ok()?;
                Self::of_pkcs8(algorithm, der.as_ref())
            }
            _ => None,
        }
    }

    fn of_pkcs8(algorithm: Algorithm, pkcs8: &[u8]) -> Option<Self> {
        let text = |bytes: &[u8]| Value::from(Base64UrlUnpadded::encode_string(bytes));
        let (pair, public) = match algorithm.key_type() {
            KeyType::Rsa => {
                let pair = RsaKeyPair::from_pkcs8(pkcs8).ok()?;
                let der: PublicKeyX509Der<'_> = pair.public_key().as_der().ok()?;
                let (_, info) = SubjectPublicKeyInfo::from_der(der.as_ref()).ok()?;
                let Ok(PublicKey::RSA(key)) = info.parsed() else { return None };
                let plain = |bytes: &[u8]| {
                    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
                    text(&bytes[start..])
                };
                let public = json!({ "kty": "RSA", "n": plain(key.modulus), "e": plain(key.exponent) });
                (Pair::Rsa(Box::new(pair)), public)
            }
            KeyType::Ed25519 => {
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8).ok()?;
                let public = json!({ "kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref()) });
                (Pair::Ed(pair), public)
            }
            KeyType::Secret => return None,
            kind => {
                let pair = EcdsaKeyPair::from_pkcs8(curve(algorithm)?, pkcs8).ok()?;
                let point = pair.public_key().as_ref().get(1..)?;
                let (x, y) = point.split_at(point.len() / 2);
                let curve = match kind {
                    KeyType::P256 => "P-256",
                    KeyType::P384 => "P-384",
                    _ => "P-521",
                };
                let public = json!({ "kty": "EC", "crv": curve, "x": text(x), "y": text(y) });
                (Pair::Ec(Box::new(pair)), public)
            }
        };
        let Value::Object(mut public) = public else { return None };
        let id = thumbprint(&public)?;
        public.insert("kid".into(), id.as_str().into());
        public.insert("alg".into(), algorithm.name().into());
        public.insert("use".into(), "sig".into());
        Some(Self { id, algorithm, pair, public })
    }

    /// The thumbprint of the public part.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public part, as a JWK Set has it.
    pub fn public_jwk(&self) -> &Map<String, Value> {
        &self.public
    }

    /// A signed token with this `typ`. `None` when there is no randomness.
    pub fn sign(&self, kind: &str, claims: &Value) -> Option<String> {
        let header = json!({ "typ": kind, "alg": self.algorithm.name(), "kid": self.id });
        let part = |value: &Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
        let mut token = format!("{}.{}", part(&header), part(claims));
        let signature = self.sign_message(token.as_bytes())?;
        token.push('.');
        token.push_str(&Base64UrlUnpadded::encode_string(&signature));
        Some(token)
    }

    /// A signature over something else than a token. `None` when there is no randomness.
    pub fn sign_message(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        Some(match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding(self.algorithm)?, &random, message, &mut signature).ok()?;
                signature
            }
            Pair::Ec(pair) => pair.sign(&random, message).ok()?.as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Compact, Key, KeySet};

    #[test]
    fn both_forms_of_a_private_key_as_pem_are_the_same_key() {
        let pem = |label: &str, der: &[u8]| {
            format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", Base64::encode_string(der))
        };
        let pkcs8 = SigningKey::generate(Algorithm::Rs256).expect("there is randomness");
        let pkcs8 = Base64::decode_vec(&pkcs8).expect("it was made here");
        // PKCS#8 of RSA is a version, the algorithm, and PKCS#1 in octets (RFC 5958, RFC 8017).
        let (_, info) = x509_parser::der_parser::der::parse_der_sequence(&pkcs8).expect("it is DER");
        let pkcs1 = info.as_sequence().expect("a sequence")[2].as_slice().expect("octets");
        let key = SigningKey::of_pem(Algorithm::Rs256, &pem("PRIVATE KEY", &pkcs8)).expect("a key");
        let same = SigningKey::of_pem(Algorithm::Rs256, &pem("RSA PRIVATE KEY", pkcs1)).expect("a key");
        assert_eq!(key.public_jwk(), same.public_jwk());
        for wrong in
            ["", "-----BEGIN PRIVATE KEY-----", &pem("EC PRIVATE KEY", &pkcs8), &pem("PRIVATE KEY", pkcs1)]
        {
            assert!(SigningKey::of_pem(Algorithm::Rs256, wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn what_a_key_signs_its_public_part_verifies_and_no_other() {
        for algorithm in Algorithm::ALL {
            let Some(pkcs8) = SigningKey::generate(algorithm) else {
                assert!(algorithm.is_symmetric());
                continue;
            };
            let key = SigningKey::parse(algorithm, &pkcs8).expect("it was made here");
            assert!(!key.public_jwk().contains_key("d"));
            let token = key.sign("at+jwt", &json!({ "sub": "ada" })).expect("there is randomness");
            let set = |key: &SigningKey| KeySet::new(vec![Key::of_jwk(key.public_jwk()).expect("a key")]);
            let compact = Compact::parse(&token).expect("a token");
            assert_eq!(set(&key).verify(&compact, &[algorithm]), Ok(()), "{algorithm:?}");
            let other = SigningKey::generate(algorithm).expect("as before");
            let other = SigningKey::parse(algorithm, &other).expect("as before");
            assert!(set(&other).verify(&compact, &[algorithm]).is_err(), "{algorithm:?}");
        }
    }
}
