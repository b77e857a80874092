//! JKS, as Java wrote keystores before version 9, and `keytool -storetype jks` does. It is read by hand: the crates that can
//! believe every length that the file says. Its cipher, a chain of SHA-1 over the password, keeps nobody out who has time, and
//! is only ever read.

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA1_OUTPUT_LEN},
};
use model::KeyEntry;

use super::{
    Content, Passwords, Problem,
    der::{Damaged, Der, OCTETS, OID, SEQUENCE},
    wrong_key_password, wrong_password,
};

/// What every file begins with.
pub(super) const MAGIC: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];
/// 1.3.6.1.4.1.42.2.17.1.1, by which Java protects keys.
const PROTECTED: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x2a, 0x02, 0x11, 0x01, 0x01];
/// What is hashed between the password and the file.
const BETWEEN: &[u8] = b"Mighty Aphrodite";
const KEY: u32 = 1;
const CERTIFICATE: u32 = 2;

fn damaged() -> Problem {
    Problem::Invalid("it begins like a JKS keystore, and is damaged".into())
}

/// What is left to be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Problem> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self, bytes: usize) -> Result<u32, Problem> {
        Ok(self.take(bytes)?.iter().fold(0, |sum, byte| (sum << 8) | u32::from(*byte)))
    }

    fn bytes(&mut self) -> Result<&'a [u8], Problem> {
        let length = self.number(4)? as usize;
        self.take(length)
    }

    fn text(&mut self) -> Result<&'a str, Problem> {
        let length = self.number(2)? as usize;
        std::str::from_utf8(self.take(length)?).map_err(|_| damaged())
    }

    fn certificate(&mut self, version: u32) -> Result<Vec<u8>, Problem> {
        if version == 2 && self.text()? != "X.509" {
            return Err(Problem::Invalid("it has a certificate that is none of X.509".into()));
        }
        Ok(self.bytes()?.to_vec())
    }
}

/// Keys without their chains, and certificates.
pub(super) fn read(bytes: &[u8], passwords: &Passwords<'_>) -> Result<Content, Problem> {
    let (content, sum) =
        bytes.len().checked_sub(SHA1_OUTPUT_LEN).map(|length| bytes.split_at(length)).ok_or_else(damaged)?;
    let password = in_utf16(passwords.of_store());
    verify_slices_are_equal(&hash(&[&password, BETWEEN, content]), sum).map_err(|_| wrong_password())?;

    let mut reader = Reader(content);
    let version = (reader.take(MAGIC.len())?, reader.number(4)?).1;
    if !(1..=2).contains(&version) {
        return Err(damaged());
    }
    let mut found = Content::default();
    let entries = reader.number(4)?;
    for _ in 0..entries {
        let kind = reader.number(4)?;
        let alias = reader.text()?;
        // When it was made.
        reader.take(8)?;
        match kind {
            KEY => {
                let key = key(reader.bytes()?, passwords.of_key(alias), alias)?;
                let length = reader.number(4)?;
                for _ in 0..length {
                    found.certificates.push(reader.certificate(version)?);
                }
                if found.keys.iter().any(|known| known.alias == alias) {
                    return Err(Problem::Invalid(format!("it has two keys with the alias `{alias}`")));
                }
                found.keys.push(KeyEntry { alias: alias.to_owned(), chain: Vec::new(), key });
            }
            CERTIFICATE => found.certificates.push(reader.certificate(version)?),
            _ => return Err(damaged()),
        }
    }
    if reader.0.is_empty() { Ok(found) } else { Err(damaged()) }
}

/// A key under its password.
fn key(protected: &[u8], password: &str, alias: &str) -> Result<Vec<u8>, Problem> {
    let content = content_of(protected).map_err(|Damaged| damaged())?;
    let content = content.ok_or_else(|| {
        Problem::Invalid(format!("the key `{alias}` is protected in a way that is not read here"))
    })?;
    let (salt, rest) = content.split_at_checked(SHA1_OUTPUT_LEN).ok_or_else(damaged)?;
    let length = rest.len().checked_sub(SHA1_OUTPUT_LEN).ok_or_else(damaged)?;
    let (hidden, sum) = rest.split_at(length);
    let password = in_utf16(password);
    let mut last = salt.to_vec();
    let mut clear = Vec::with_capacity(hidden.len());
    for part in hidden.chunks(SHA1_OUTPUT_LEN) {
        last = hash(&[&password, &last]);
        clear.extend(part.iter().zip(&last).map(|(hidden, mask)| hidden ^ mask));
    }
    match verify_slices_are_equal(&hash(&[&password, &clear]), sum) {
        Ok(()) => Ok(clear),
        Err(_) => Err(wrong_key_password(alias)),
    }
}

/// What is protected in Java's way; `None` when it is in another.
fn content_of(protected: &[u8]) -> Result<Option<&[u8]>, Damaged> {
    let mut info = Der(protected).enter(SEQUENCE)?;
    let is_known = info.enter(SEQUENCE)?.take(OID)? == PROTECTED;
    let content = info.take(OCTETS)?;
    Ok(is_known.then_some(content))
}

/// Java hashes passwords as two bytes for each character.
fn in_utf16(password: &str) -> Vec<u8> {
    password.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

fn hash(parts: &[&[u8]]) -> Vec<u8> {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    parts.iter().for_each(|part| context.update(part));
    context.finish().as_ref().to_vec()
}
