//! Encrypted assertions (XML Encryption 1.1). That somebody has encrypted one says nothing about who that is: what is inside is
//! read only when it is signed, or the response around it. Only encryption that notices changes is opened: with the others
//! (CBC), and with keys by RSA 1.5, answers of ours would tell what is inside, byte by byte.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    rsa::{
        OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA384_MGF1SHA384, OAEP_SHA512_MGF1SHA512,
        OaepAlgorithm, OaepPrivateDecryptingKey, PrivateDecryptingKey,
    },
};
use uppsala::{Document, NodeId};
use x509_parser::pem::Pem;

use crate::{
    Refusal, Why,
    xml::{self, DSIG, XENC, XENC11},
};

const NONCE: usize = 12;
const TAG: usize = 16;

/// An RSA key that opens assertions.
pub struct DecryptionKey(OaepPrivateDecryptingKey);

impl fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DecryptionKey")
    }
}

impl DecryptionKey {
    /// From a private key as PEM (PKCS#8); `None` for other keys than those of RSA with 2048 bits and more.
    pub fn of_pem(pem: &str) -> Option<Self> {
        let pem = Pem::iter_from_buffer(pem.as_bytes()).next()?.ok()?;
        let key = PrivateDecryptingKey::from_pkcs8(&pem.contents).ok()?;
        let long = key.key_size_bits() >= 2048;
        OaepPrivateDecryptingKey::new(key).ok().filter(|_| long).map(Self)
    }

    fn open(&self, algorithm: &'static OaepAlgorithm, sealed: &[u8]) -> Option<Vec<u8>> {
        let mut room = vec![0; self.0.min_output_size()];
        let key = self.0.decrypt(algorithm, sealed, &mut room, None).ok()?;
        Some(key.to_vec())
    }
}

fn wrong(detail: impl Into<String>) -> Refusal {
    Refusal::new(Why::Encryption, detail)
}

/// The text of an encrypted assertion.
pub(crate) fn open(
    document: &Document<'_>,
    sealed: NodeId,
    key: Option<&DecryptionKey>,
) -> Result<String, Refusal> {
    let key = key.ok_or_else(|| wrong("the assertion is encrypted, and there is no RSA key to open it"))?;
    let data = xml::needed(document, sealed, XENC, "EncryptedData")?;
    let name = method(document, data)?;
    let algorithm = match name {
        "http://www.w3.org/2009/xmlenc11#aes128-gcm" => &AES_128_GCM,
        "http://www.w3.org/2009/xmlenc11#aes192-gcm" => &AES_192_GCM,
        "http://www.w3.org/2009/xmlenc11#aes256-gcm" => &AES_256_GCM,
        other => return Err(not_opened(other)),
    };
    // The key is beside the data or in it (SAML 2.0 Core, 2.2.4 and errata E43).
    let info = xml::one(document, data, DSIG, "KeyInfo")?;
    let inside = info.map(|info| xml::one(document, info, XENC, "EncryptedKey")).transpose()?.flatten();
    let wrapped = match inside {
        Some(inside) => inside,
        None => xml::needed(document, sealed, XENC, "EncryptedKey")?,
    };
    let transport = transport(document, wrapped)?;
    let unwrapped = key.open(transport, &cipher_value(document, wrapped)?);
    let mut content = cipher_value(document, data)?;
    let opened = unwrapped.and_then(|secret| {
        let key = LessSafeKey::new(UnboundKey::new(algorithm, &secret).ok()?);
        if content.len() < NONCE + TAG {
            return None;
        }
        let mut sealed = content.split_off(NONCE);
        let nonce = Nonce::try_assume_unique_for_key(&content).ok()?;
        let length = key.open_in_place(nonce, Aad::empty(), &mut sealed).ok()?.len();
        sealed.truncate(length);
        String::from_utf8(sealed).ok()
    });
    opened.ok_or_else(|| wrong("the encrypted assertion is not for the key that is here, or was changed"))
}

fn not_opened(name: &str) -> Refusal {
    let name = jose::shown(name);
    wrong(format!("the assertion is encrypted with `{name}`; only AES-GCM with a key by RSA-OAEP is opened"))
}

fn method<'d>(document: &'d Document<'_>, node: NodeId) -> Result<&'d str, Refusal> {
    let method = xml::needed(document, node, XENC, "EncryptionMethod")?;
    Ok(xml::attribute(document, method, "Algorithm").unwrap_or_default())
}

/// How the key of the data was encrypted.
fn transport(document: &Document<'_>, wrapped: NodeId) -> Result<&'static OaepAlgorithm, Refusal> {
    let node = xml::needed(document, wrapped, XENC, "EncryptionMethod")?;
    let name = method(document, wrapped)?;
    let algorithm = |namespace, element| {
        let found = xml::one(document, node, namespace, element)?;
        Ok::<_, Refusal>(found.and_then(|found| xml::attribute(document, found, "Algorithm")))
    };
    let digest = algorithm(DSIG, "DigestMethod")?.unwrap_or("http://www.w3.org/2000/09/xmldsig#sha1");
    let mask = algorithm(XENC11, "MGF")?.unwrap_or("http://www.w3.org/2009/xmlenc11#mgf1sha1");
    let by_name = match name {
        "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p" | "http://www.w3.org/2009/xmlenc11#rsa-oaep" => {
            match (digest, mask.rsplit('#').next().unwrap_or_default()) {
                // SHA-1 is nothing that somebody could find collisions for here (RFC 8017, 7.1).
                ("http://www.w3.org/2000/09/xmldsig#sha1", "mgf1sha1") => Some(&OAEP_SHA1_MGF1SHA1),
                ("http://www.w3.org/2001/04/xmlenc#sha256", "mgf1sha256") => Some(&OAEP_SHA256_MGF1SHA256),
                ("http://www.w3.org/2001/04/xmldsig-more#sha384", "mgf1sha384") => {
                    Some(&OAEP_SHA384_MGF1SHA384)
                }
                ("http://www.w3.org/2001/04/xmlenc#sha512", "mgf1sha512") => Some(&OAEP_SHA512_MGF1SHA512),
                _ => None,
            }
        }
        _ => None,
    };
    by_name.ok_or_else(|| not_opened(name))
}

fn cipher_value(document: &Document<'_>, node: NodeId) -> Result<Vec<u8>, Refusal> {
    let data = xml::needed(document, node, XENC, "CipherData")?;
    let value = xml::needed(document, data, XENC, "CipherValue")?;
    xml::bytes(document, value).ok_or_else(|| wrong("what is encrypted is no base64"))
}
