//! PKCS#12 (RFC 7292), as OpenSSL 3 and Java write it: DER, with a MAC over everything, encrypted by PBES2 (RFC 8018)
//! with PBKDF2 and AES-CBC. Older encryption, such as RC2 and 3DES, is refused. It is read by hand: the crates that can
//! bring a second set of ciphers and digests with them.

use std::num::NonZeroU32;

use aws_lc_rs::{
    cipher::{AES_128, AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey},
    digest, hmac,
    iv::FixedLength,
    pbkdf2,
};
use model::KeyEntry;

use super::{
    Content, Passwords, Problem,
    der::{Damaged, Der, INTEGER, OCTETS, OID, SEQUENCE},
    wrong_key_password, wrong_password,
};

/// More would let a file keep a processor busy.
const MOST_ITERATIONS: u32 = 1_000_000;

const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
const ENCRYPTED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x06];
const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
/// What the names of pseudo-random functions begin with.
const HMAC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02];
/// What the names of AES modes, and of SHA-2, begin with.
const AES: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01];
const SHA2: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
const SHA1: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];
/// What the names of bags begin with; one number follows.
const BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01];
const KEY: u8 = 1;
const SHROUDED_KEY: u8 = 2;
const CERTIFICATE: u8 = 3;
/// What the names of attributes begin with.
const ATTRIBUTE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09];
const FRIENDLY_NAME: u8 = 20;
const LOCAL_KEY_ID: u8 = 21;

const BMP: u8 = 0x1e;
const SET: u8 = 0x31;
/// `[0]`, with something in it, and with octets.
const EXPLICIT: u8 = 0xa0;
const IMPLICIT: u8 = 0x80;

fn damaged() -> Problem {
    Problem::Invalid("it is no PKCS#12 in DER, or damaged".into())
}

fn unknown(what: &str) -> Problem {
    Problem::Invalid(format!(
        "its {what} is not read here; `openssl pkcs12 -export` writes AES-256 and SHA-256"
    ))
}

impl From<Damaged> for Problem {
    fn from(_: Damaged) -> Self {
        damaged()
    }
}

fn iterations(der: &mut Der<'_>) -> Result<NonZeroU32, Problem> {
    NonZeroU32::new(der.number()?).filter(|number| number.get() <= MOST_ITERATIONS).ok_or_else(damaged)
}

/// Keys without their chains, and certificates.
pub(super) fn read(bytes: &[u8], passwords: &Passwords<'_>) -> Result<Content, Problem> {
    let password = passwords.of_store();
    let mut file = Der(bytes);
    let mut pfx = file.enter(SEQUENCE)?;
    if pfx.take(INTEGER)? != [3] || !file.0.is_empty() {
        return Err(damaged());
    }
    let mut outer = pfx.enter(SEQUENCE)?;
    if outer.take(OID)? != DATA {
        return Err(unknown("signature"));
    }
    let safes = outer.enter(EXPLICIT)?.take(OCTETS)?;
    if pfx.0.is_empty() {
        return Err(Problem::Invalid("it has no MAC, so that nobody can say whether it was changed".into()));
    }
    verify(pfx.enter(SEQUENCE)?, safes, password)?;
    let mut found = Found::default();
    let mut safes = Der(safes).enter(SEQUENCE)?;
    while !safes.0.is_empty() {
        let mut safe = safes.enter(SEQUENCE)?;
        let kind = safe.take(OID)?;
        let mut content = safe.enter(EXPLICIT)?;
        if kind == DATA {
            found.bags(content.take(OCTETS)?, passwords)?;
        } else if kind == ENCRYPTED_DATA {
            let mut encrypted = content.enter(SEQUENCE)?;
            encrypted.take(INTEGER)?;
            let mut encrypted = encrypted.enter(SEQUENCE)?;
            encrypted.take(OID)?;
            let algorithm = encrypted.enter(SEQUENCE)?;
            let clear = decrypt(algorithm, encrypted.take(IMPLICIT)?, password)?;
            found.bags(&clear, passwords)?;
        } else {
            return Err(unknown("encryption"));
        }
    }
    found.named()
}

/// RFC 7292, appendix B: the key of the MAC is a hash of hashes over password and salt.
fn verify(mut mac: Der<'_>, content: &[u8], password: &str) -> Result<(), Problem> {
    let mut info = mac.enter(SEQUENCE)?;
    let name = info.enter(SEQUENCE)?.take(OID)?;
    let expected = info.take(OCTETS)?;
    let salt = mac.take(OCTETS)?;
    let rounds = if mac.next_is(INTEGER) { iterations(&mut mac)?.get() } else { 1 };
    let (digest, of, block) = match name.strip_prefix(SHA2) {
        Some([1]) => (&digest::SHA256, hmac::HMAC_SHA256, 64),
        Some([2]) => (&digest::SHA384, hmac::HMAC_SHA384, 128),
        Some([3]) => (&digest::SHA512, hmac::HMAC_SHA512, 128),
        _ if name == SHA1 => (&digest::SHA1_FOR_LEGACY_USE_ONLY, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, 64),
        _ => return Err(unknown("MAC")),
    };
    let password: Vec<u8> = password.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect();
    let filled = |text: &[u8]| {
        let length = text.len().div_ceil(block) * block;
        text.iter().copied().cycle().take(length).collect::<Vec<u8>>()
    };
    let whole = [vec![3; block], filled(salt), filled(&password)].concat();
    let mut key = digest::digest(digest, &whole);
    for _ in 1..rounds {
        key = digest::digest(digest, key.as_ref());
    }
    let key = hmac::Key::new(of, key.as_ref());
    hmac::verify(&key, content, expected).map_err(|_| wrong_password())
}

fn decrypt(mut algorithm: Der<'_>, content: &[u8], password: &str) -> Result<Vec<u8>, Problem> {
    if algorithm.take(OID)? != PBES2 {
        return Err(unknown("encryption"));
    }
    let mut parameters = algorithm.enter(SEQUENCE)?;
    let (mut derivation, mut cipher) = (parameters.enter(SEQUENCE)?, parameters.enter(SEQUENCE)?);
    if derivation.take(OID)? != PBKDF2 {
        return Err(unknown("derivation of keys"));
    }
    let mut derivation = derivation.enter(SEQUENCE)?;
    let salt = derivation.take(OCTETS)?;
    let rounds = iterations(&mut derivation)?;
    if derivation.next_is(INTEGER) {
        derivation.take(INTEGER)?;
    }
    let function = match derivation.0.is_empty() {
        true => pbkdf2::PBKDF2_HMAC_SHA1,
        false => match derivation.enter(SEQUENCE)?.take(OID)?.strip_prefix(HMAC) {
            Some([7]) => pbkdf2::PBKDF2_HMAC_SHA1,
            Some([9]) => pbkdf2::PBKDF2_HMAC_SHA256,
            Some([10]) => pbkdf2::PBKDF2_HMAC_SHA384,
            Some([11]) => pbkdf2::PBKDF2_HMAC_SHA512,
            _ => return Err(unknown("derivation of keys")),
        },
    };
    let (aes, length) = match cipher.take(OID)?.strip_prefix(AES) {
        Some([2]) => (&AES_128, 16),
        Some([42]) => (&AES_256, 32),
        _ => return Err(unknown("encryption")),
    };
    let iv: [u8; 16] = cipher.take(OCTETS)?.try_into().map_err(|_| damaged())?;
    let mut key = [0; 32];
    pbkdf2::derive(function, rounds, salt, password.as_bytes(), &mut key[..length]);
    let key = UnboundCipherKey::new(aes, &key[..length]).and_then(PaddedBlockDecryptingKey::cbc_pkcs7);
    let mut content = content.to_vec();
    let clear = key.and_then(|key| {
        key.decrypt(&mut content, DecryptionContext::Iv128(FixedLength::from(iv))).map(|clear| clear.to_vec())
    });
    // The MAC was right, so that a key in there has another password.
    clear.map_err(|_| wrong_password())
}

#[derive(Default)]
struct Attributes {
    name: Option<String>,
    id: Option<Vec<u8>>,
}

#[derive(Default)]
struct Found {
    keys: Vec<(Attributes, Vec<u8>)>,
    certificates: Vec<(Attributes, Vec<u8>)>,
}

impl Found {
    fn bags(&mut self, content: &[u8], passwords: &Passwords<'_>) -> Result<(), Problem> {
        let mut bags = Der(content).enter(SEQUENCE)?;
        while !bags.0.is_empty() {
            let mut bag = bags.enter(SEQUENCE)?;
            let kind = bag.take(OID)?.strip_prefix(BAG);
            let mut value = bag.enter(EXPLICIT)?;
            let attributes = attributes(bag)?;
            match kind {
                Some([KEY]) => self.keys.push((attributes, value.0.to_vec())),
                Some([SHROUDED_KEY]) => {
                    let mut shrouded = value.enter(SEQUENCE)?;
                    let algorithm = shrouded.enter(SEQUENCE)?;
                    let name = attributes.name.as_deref();
                    let password = name.map_or(passwords.of_store(), |alias| passwords.of_key(alias));
                    let key =
                        decrypt(algorithm, shrouded.take(OCTETS)?, password).map_err(|problem| {
                            match (problem, name) {
                                (Problem::NotLoaded(_), Some(alias)) => wrong_key_password(alias),
                                (problem, _) => problem,
                            }
                        })?;
                    self.keys.push((attributes, key));
                }
                Some([CERTIFICATE]) => {
                    let mut certificate = value.enter(SEQUENCE)?;
                    certificate.take(OID)?;
                    let der = certificate.enter(EXPLICIT)?.take(OCTETS)?;
                    self.certificates.push((attributes, der.to_vec()));
                }
                // Lists of revoked certificates and secrets are none of ours.
                _ => {}
            }
        }
        Ok(())
    }

    /// With aliases: a key's own, or that of its certificate, or its number.
    fn named(self) -> Result<Content, Problem> {
        let mut keys: Vec<KeyEntry> = Vec::new();
        for (index, (attributes, key)) in self.keys.into_iter().enumerate() {
            let of_certificate = || {
                let same = |(one, _): &&(Attributes, Vec<u8>)| one.id.is_some() && one.id == attributes.id;
                self.certificates.iter().find(same)?.0.name.clone()
            };
            let alias = attributes.name.clone().or_else(of_certificate);
            let alias = alias.unwrap_or_else(|| (index + 1).to_string());
            if keys.iter().any(|known| known.alias == alias) {
                return Err(Problem::Invalid(format!("it has two keys with the alias `{alias}`")));
            }
            keys.push(KeyEntry { alias, chain: Vec::new(), key });
        }
        Ok(Content { keys, certificates: self.certificates.into_iter().map(|(_, der)| der).collect() })
    }
}

fn attributes(mut bag: Der<'_>) -> Result<Attributes, Problem> {
    let mut found = Attributes::default();
    if bag.0.is_empty() {
        return Ok(found);
    }
    let mut set = bag.enter(SET)?;
    while !set.0.is_empty() {
        let mut attribute = set.enter(SEQUENCE)?;
        let name = attribute.take(OID)?.strip_prefix(ATTRIBUTE);
        let mut values = attribute.enter(SET)?;
        match name {
            Some([FRIENDLY_NAME]) => {
                let units =
                    values.take(BMP)?.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
                found.name = Some(String::from_utf16(&units.collect::<Vec<_>>()).map_err(|_| damaged())?);
            }
            Some([LOCAL_KEY_ID]) => found.id = Some(values.take(OCTETS)?.to_vec()),
            _ => {}
        }
    }
    Ok(found)
}
