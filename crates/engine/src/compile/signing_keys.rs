//! Keys that applications sign requests with, and what HTTP Digest compares with.

use jose::{Algorithm, Key, KeySet};
use model::{ApplicationDoc, ConfigDoc, Diagnostic, Diagnostics, SigningKeyDoc, UserDoc};

use super::applications::expires;
use crate::keys::{ApplicationIndex, Applications, DigestAlgorithm, DigestPassword, SigningKey};

/// Longest name of a key.
const LONGEST_ID: usize = 128;

pub(super) fn compile(
    doc: &ApplicationDoc,
    config: &ConfigDoc,
    application: ApplicationIndex,
    into: &mut Applications,
    path: &str,
    problems: &mut Diagnostics,
) {
    for (place, written) in doc.signing_keys.iter().enumerate() {
        let path = format!("{path}.signingKeys[{place}]");
        let known = id(written).and_then(|()| {
            let expires = expires(written.expires.as_deref())?;
            Ok(SigningKey { application, key: key(written, config)?, expires })
        });
        match known {
            Err(problem) => problems.push(problem.under(&path)),
            Ok(known) => {
                if into.signing_keys.insert(written.id.as_str().into(), known).is_some() {
                    let found = format!("found `{}` a second time, expected a name of its own", written.id);
                    problems.push(Diagnostic::error(format!("{path}.id"), found));
                }
            }
        }
    }
}

/// It stands between quotes, in headers of requests.
fn id(written: &SigningKeyDoc) -> Result<(), Diagnostic> {
    let id = &written.id;
    let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:@/-".contains(&b));
    if plain && (1..=LONGEST_ID).contains(&id.len()) {
        return Ok(());
    }
    let expected = format!("expected 1 to {LONGEST_ID} letters, digits and `._:@/-`");
    Err(Diagnostic::error("id", format!("found `{}`, {expected}", jose::shown(id))))
}

fn key(written: &SigningKeyDoc, config: &ConfigDoc) -> Result<Key, Diagnostic> {
    match (&written.secret, &written.public_key) {
        (Some(secret), None) => {
            let value = secret.expose().or_else(|| config.resolved_secrets.get(secret));
            let value = value.ok_or_else(|| Diagnostic::error("secret", "the secret could not be read"))?;
            Key::of_secret(value.as_bytes()).ok_or_else(|| {
                Diagnostic::error("secret", "the secret is shorter than 32 bytes")
                    .help("`openssl rand -base64 48` makes a good one")
            })
        }
        (None, Some(pem)) => {
            let keys = KeySet::of_pem(pem.as_bytes());
            let keys = keys.map_err(|problem| Diagnostic::error("publicKey", problem))?;
            let key = keys.into_only().ok_or_else(|| {
                Diagnostic::error(
                    "publicKey",
                    "found several keys, expected one; give each a name of its own",
                )
            })?;
            let usable = [Algorithm::Ps512, Algorithm::Es256, Algorithm::EdDsa];
            match usable.iter().any(|algorithm| key.fits(*algorithm)) {
                true => Ok(key),
                false => Err(Diagnostic::error("publicKey", "expected a key of RSA, P-256 or Ed25519")),
            }
        }
        _ => Err(Diagnostic::error("", "expected either `secret` or `publicKey`")),
    }
}

/// What the user's passwords for HTTP Digest are compared with. What is wrong is told without repeating any of it.
pub(super) fn digests(
    doc: &UserDoc,
    config: &ConfigDoc,
    path: &str,
    problems: &mut Diagnostics,
) -> Vec<DigestPassword> {
    let mut digests: Vec<DigestPassword> = Vec::new();
    for (place, secret) in doc.digest_passwords.iter().enumerate() {
        let path = format!("{path}.digestPasswords[{place}]");
        let value = secret.expose().or_else(|| config.resolved_secrets.get(secret)).map(str::trim);
        let Some(digest) = value.and_then(|line| digest(&doc.name, line)) else {
            let expected = "the secret is no line `USER:REALM:HASH` of this user";
            problems.push(Diagnostic::error(path, expected).help(
                "`printf %s \"ann:shop:$PASSWORD\" | sha256sum` prints the hash of user ann in realm shop",
            ));
            continue;
        };
        if digests.iter().any(|known| known.realm == digest.realm && known.algorithm == digest.algorithm) {
            problems.push(Diagnostic::error(path, "is for a realm and an algorithm that are there already"));
        }
        digests.push(digest);
    }
    digests
}

fn digest(user: &str, line: &str) -> Option<DigestPassword> {
    let rest = line.strip_prefix(user)?.strip_prefix(':')?;
    let (realm, hash) = rest.rsplit_once(':')?;
    let algorithm = match hash.len() {
        64 => DigestAlgorithm::Sha256,
        32 => DigestAlgorithm::Md5,
        _ => return None,
    };
    let hash = hash.to_ascii_lowercase();
    let is_hash = hash.bytes().all(|b| b.is_ascii_hexdigit());
    is_hash.then(|| DigestPassword { realm: realm.into(), algorithm, hash: hash.into() })
}
