//! Encrypted tokens (RFC 7516, 7518): opened with keys of our own. That somebody has encrypted a token says nothing
//! about who that is: what is inside has to be signed, which is left to whoever opens it.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement::{self, ECDH_P256, ECDH_P384, PrivateKey, UnparsedPublicKey},
    cipher::{AES_128, AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey},
    digest, hmac,
    iv::FixedLength,
    key_wrap::{self, AesKek, KeyWrap},
    rsa::{OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey},
};
use serde_json::Value;
use x509_parser::pem::Pem;

use crate::{Header, MOST_BYTES, Refusal, Why, compact::decode, json, shown};

/// A key that opens tokens.
pub struct DecryptionKey {
    id: Option<String>,
    secret: Secret,
}

enum Secret {
    Rsa(OaepPrivateDecryptingKey),
    /// With the name of its curve, and bytes of a coordinate.
    Curve(PrivateKey, &'static str, usize),
    Symmetric(Vec<u8>),
}

impl fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecryptionKey({:?})", self.id)
    }
}

/// How the content is encrypted.
#[derive(Clone, Copy)]
enum Content {
    Gcm { key: usize },
    CbcHmac { key: usize },
}

impl Content {
    fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "A128GCM" => Self::Gcm { key: 16 },
            "A256GCM" => Self::Gcm { key: 32 },
            "A128CBC-HS256" => Self::CbcHmac { key: 32 },
            "A256CBC-HS512" => Self::CbcHmac { key: 64 },
            _ => return None,
        })
    }

    fn key_length(self) -> usize {
        match self {
            Self::Gcm { key } | Self::CbcHmac { key } => key,
        }
    }

    fn open(self, key: &[u8], iv: &[u8], mut sealed: Vec<u8>, tag: &[u8], aad: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Gcm { key: length } => {
                let algorithm = if length == 16 { &AES_128_GCM } else { &AES_256_GCM };
                let key = LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?);
                let nonce = Nonce::try_assume_unique_for_key(iv).ok()?;
                if tag.len() != 16 {
                    return None;
                }
                sealed.extend_from_slice(tag);
                let length = key.open_in_place(nonce, Aad::from(aad), &mut sealed).ok()?.len();
                sealed.truncate(length);
                Some(sealed)
            }
            Self::CbcHmac { key: length } => {
                let (mac, cipher) = key.split_at_checked(length / 2)?;
                let algorithm = if length == 32 { hmac::HMAC_SHA256 } else { hmac::HMAC_SHA512 };
                let bits = u64::try_from(aad.len()).ok()?.checked_mul(8)?;
                let signed = [aad, iv, &sealed, &bits.to_be_bytes()].concat();
                let whole = hmac::sign(&hmac::Key::new(algorithm, mac), &signed);
                // Only half of it goes with the token (RFC 7518, 5.2.2.1).
                let half = whole.as_ref().get(..length / 2)?;
                aws_lc_rs::constant_time::verify_slices_are_equal(half, tag).ok()?;
                let algorithm = if length == 32 { &AES_128 } else { &AES_256 };
                let key = PaddedBlockDecryptingKey::cbc_pkcs7(UnboundCipherKey::new(algorithm, cipher).ok()?);
                let iv: [u8; 16] = iv.try_into().ok()?;
                let context = DecryptionContext::Iv128(FixedLength::from(iv));
                let length = key.ok()?.decrypt(&mut sealed, context).ok()?.len();
                sealed.truncate(length);
                Some(sealed)
            }
        }
    }
}

impl DecryptionKey {
    /// A private key as PEM, or a JWK of type `oct`. The text says what is wrong, and nothing of the key.
    pub fn parse(id: Option<&str>, text: &str) -> Result<Self, String> {
        let id = id.map(str::to_owned);
        let problem =
            || "expected a private key as PEM (PKCS#8), RSA, P-256 or P-384, or a JWK of type oct".to_owned();
        if text.trim_start().starts_with('{') {
            let jwk = json::object(text.as_bytes(), 3).ok_or_else(problem)?;
            let member = |name: &str| jwk.get(name).and_then(Value::as_str);
            let secret =
                member("k").and_then(decode).filter(|_| member("kty") == Some("oct")).ok_or_else(problem)?;
            if !matches!(secret.len(), 16 | 32 | 64) {
                return Err("expected a secret of 16, 32 or 64 bytes".to_owned());
            }
            let id = id.or_else(|| member("kid").map(str::to_owned));
            return Ok(Self { id, secret: Secret::Symmetric(secret) });
        }
        let pem = Pem::iter_from_buffer(text.as_bytes()).next().and_then(Result::ok).ok_or_else(problem)?;
        if pem.label != "PRIVATE KEY" {
            return Err(problem());
        }
        let rsa = PrivateDecryptingKey::from_pkcs8(&pem.contents).ok().and_then(|key| {
            let long = key.key_size_bits() >= 2048;
            OaepPrivateDecryptingKey::new(key).ok().filter(|_| long)
        });
        if let Some(key) = rsa {
            return Ok(Self { id, secret: Secret::Rsa(key) });
        }
        for (algorithm, curve, length) in [(&ECDH_P256, "P-256", 32), (&ECDH_P384, "P-384", 48)] {
            if let Ok(key) = PrivateKey::from_private_key_der(algorithm, &pem.contents) {
                return Ok(Self { id, secret: Secret::Curve(key, curve, length) });
            }
        }
        Err(problem())
    }

    /// The key of the content.
    fn content_key(&self, header: &Header, content: Content, encrypted: &[u8]) -> Option<Vec<u8>> {
        match (&self.secret, header.algorithm.as_str()) {
            (Secret::Symmetric(secret), "dir") => encrypted.is_empty().then(|| secret.clone()),
            (Secret::Symmetric(secret), "A128KW" | "A256KW") => {
                let length = if header.algorithm == "A128KW" { 16 } else { 32 };
                (secret.len() == length).then(|| unwrap(secret, encrypted))?
            }
            (Secret::Rsa(key), "RSA-OAEP-256") => {
                let mut plain = vec![0; key.min_output_size()];
                let key = key.decrypt(&OAEP_SHA256_MGF1SHA256, encrypted, &mut plain, None).ok()?.to_vec();
                Some(key)
            }
            (Secret::Curve(key, curve, length), "ECDH-ES" | "ECDH-ES+A128KW" | "ECDH-ES+A256KW") => {
                let agreed = |name: &str, bytes| agree(key, curve, *length, header, name, bytes);
                match header.algorithm.as_str() {
                    "ECDH-ES" if encrypted.is_empty() => {
                        let name = header.members.get("enc")?.as_str()?;
                        agreed(name, content.key_length())
                    }
                    "ECDH-ES+A128KW" => unwrap(&agreed("ECDH-ES+A128KW", 16)?, encrypted),
                    "ECDH-ES+A256KW" => unwrap(&agreed("ECDH-ES+A256KW", 32)?, encrypted),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// RFC 3394.
fn unwrap(key: &[u8], encrypted: &[u8]) -> Option<Vec<u8>> {
    let algorithm = match key.len() {
        16 => &key_wrap::AES_128,
        32 => &key_wrap::AES_256,
        _ => return None,
    };
    let mut plain = vec![0; encrypted.len()];
    let plain = AesKek::new(algorithm, key).ok()?.unwrap(encrypted, &mut plain).ok()?;
    Some(plain.to_vec())
}

/// The key that both sides come to (RFC 7518, 4.6.2). Whether the point is on the curve is checked by the library.
pub(crate) fn agree(
    key: &PrivateKey,
    curve: &str,
    length: usize,
    header: &Header,
    algorithm: &str,
    bytes: usize,
) -> Option<Vec<u8>> {
    let other = header.members.get("epk")?.as_object()?;
    let text = |name: &str| other.get(name).and_then(Value::as_str);
    if text("kty") != Some("EC") || text("crv") != Some(curve) {
        return None;
    }
    let (x, y) = (decode(text("x")?)?, decode(text("y")?)?);
    if x.len() != length || y.len() != length {
        return None;
    }
    let party = |name: &str| match header.members.get(name) {
        None => Some(Vec::new()),
        Some(value) => decode(value.as_str()?),
    };
    let (apu, apv) = (party("apu")?, party("apv")?);
    let point = UnparsedPublicKey::new(key.algorithm(), [&[4], &*x, &*y].concat());
    let sized =
        |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes(), bytes].concat();
    let bits = u32::try_from(bytes * 8).ok()?;
    let info = [sized(algorithm.as_bytes()), sized(&apu), sized(&apv), bits.to_be_bytes().to_vec()].concat();
    agreement::agree(key, point, (), |agreed| {
        let mut made = Vec::with_capacity(bytes + 32);
        let mut round = 1_u32;
        while made.len() < bytes {
            let hashed = [&round.to_be_bytes(), agreed, &info].concat();
            made.extend_from_slice(digest::digest(&digest::SHA256, &hashed).as_ref());
            round += 1;
        }
        made.truncate(bytes);
        Ok(made)
    })
    .ok()
}

/// Keys that open tokens for one issuer.
#[derive(Debug, Default)]
pub struct DecryptionKeys {
    keys: Vec<DecryptionKey>,
}

impl DecryptionKeys {
    pub fn new(keys: Vec<DecryptionKey>) -> Self {
        Self { keys }
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The signed token inside an encrypted one. Whatever is wrong is told in one way, so that nobody learns from it.
    pub fn open(&self, token: &str) -> Result<String, Refusal> {
        let malformed = |detail: &'static str| Refusal::new(Why::Malformed, detail);
        if token.len() > MOST_BYTES {
            return Err(malformed("it is longer than 16 KiB"));
        }
        let parts: Vec<&str> = token.split('.').collect();
        let [head, key, iv, sealed, tag] = parts[..] else { return Err(malformed("it has not five parts")) };
        let header = Header::parse(head)?;
        let algorithm = |name: &str| {
            Refusal::new(Why::Algorithm, format!("its encryption `{}` is not accepted", shown(name)))
        };
        // Compressed content may come out a thousand times as long.
        if header.members.contains_key("zip") {
            return Err(algorithm("zip"));
        }
        let encryption = header.members.get("enc").and_then(Value::as_str).unwrap_or("");
        let content = Content::by_name(encryption).ok_or_else(|| algorithm(encryption))?;
        let part = |text: &str| {
            decode(text).ok_or_else(|| malformed("a part of it is not base64url without padding"))
        };
        let (key, iv, sealed, tag) = (part(key)?, part(iv)?, part(sealed)?, part(tag)?);
        let id = header.key_id.as_deref();
        let fits = |known: &&DecryptionKey| id.is_none() || known.id.is_none() || known.id.as_deref() == id;
        for known in self.keys.iter().filter(fits).take(8) {
            let opened =
                known.content_key(&header, content, &key).filter(|key| key.len() == content.key_length());
            let Some(content_key) = opened else { continue };
            let Some(plain) = content.open(&content_key, &iv, sealed.clone(), &tag, head.as_bytes()) else {
                continue;
            };
            return String::from_utf8(plain).map_err(|_| malformed("what is inside it is no token"));
        }
        Err(Refusal::new(Why::UnknownKey, "it cannot be decrypted with the keys that are configured"))
    }
}
