//! Keystores and truststores are read: PEM, PKCS#12 or JKS. What is none of them is an error; one whose password is wrong is
//! there and not loaded, so that only what needs it is refused.

mod acme;
mod der;
mod jks;
mod pkcs12;

use std::{collections::BTreeMap, fs};

use base64ct::{Base64, Encoding};
use manager::Assets;
use model::{AcmeState, ConfigDoc, Diagnostic, Diagnostics, KeyEntry, Secret};
use rustls::{crypto::aws_lc_rs, sign::CertifiedKey};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer,
    pem::{PemObject, SectionKind},
};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Largest file.
const LARGEST: usize = 1 << 20;

/// Why nothing comes of a store.
#[derive(Debug, PartialEq)]
enum Problem {
    /// It is kept all the same: the password may be mended.
    NotLoaded(String),
    Invalid(String),
}

fn wrong_password() -> Problem {
    Problem::NotLoaded("the password is wrong".into())
}

fn wrong_key_password(alias: &str) -> Problem {
    Problem::NotLoaded(format!("the password of the key `{alias}` is wrong"))
}

/// The password of a store, and those of keys that have one of their own.
struct Passwords<'a> {
    store: Option<&'a str>,
    keys: BTreeMap<&'a str, &'a str>,
}

impl<'a> Passwords<'a> {
    fn of(config: &'a ConfigDoc, store: Option<&Secret>, keys: &'a BTreeMap<String, Secret>) -> Self {
        let known = |secret: &Secret| config.resolved_secrets.get(secret);
        let keys = keys.iter().filter_map(|(alias, secret)| Some((alias.as_str(), known(secret)?)));
        Self { store: store.and_then(known), keys: keys.collect() }
    }

    fn of_store(&self) -> &'a str {
        self.store.unwrap_or_default()
    }

    fn of_key(&self, alias: &str) -> &'a str {
        self.keys.get(alias).copied().unwrap_or_else(|| self.of_store())
    }
}

/// Certificates, and keys with their chains.
#[derive(Debug, Default)]
struct Content {
    keys: Vec<KeyEntry>,
    certificates: Vec<Vec<u8>>,
}

/// Reads all keystores and truststores of a configuration.
pub(super) fn open(config: &mut ConfigDoc, assets: Option<&Assets>, problems: &mut Diagnostics) {
    let mut material = model::KeyMaterial::default();
    let mut ordered = Vec::new();
    for (index, store) in config.keystores.iter().enumerate() {
        let passwords = Passwords::of(config, store.password.as_ref(), &store.key_passwords);
        let read = match &store.acme {
            Some(doc) => text("keystore", &store.name, assets).and_then(|text| {
                // What is issued has to be kept somewhere.
                assets.map_or(Ok(()), Assets::keeps_secrets).map_err(Problem::NotLoaded)?;
                let (keys, known) = acme::open(config, &store.name, doc, text.as_deref(), &passwords)?;
                ordered.push((index, known));
                Ok(keys)
            }),
            None => bytes("keystore", &store.name, store.file.as_ref(), assets)
                .and_then(|bytes| Ok(read(&bytes, &passwords)?.keys)),
        };
        let keys = read.and_then(|keys| match keys.is_empty() {
            true => Err(Problem::Invalid(
                "found no private key, expected at least one with its certificate".into(),
            )),
            false => Ok(keys),
        });
        let path = format!("keystores[{index}]");
        if let Some(keys) = told(keys, path, &store.name, store.file.is_some(), problems)
            && material.keystores.insert(store.name.clone(), keys).is_some()
        {
            problems.push(twice(format!("keystores[{index}].name"), &store.name));
        }
    }
    for (index, store) in config.truststores.iter().enumerate() {
        let read = bytes("truststore", &store.name, store.file.as_ref(), assets).and_then(|bytes| {
            read(&bytes, &Passwords::of(config, store.password.as_ref(), &BTreeMap::new()))
        });
        let found = read.and_then(|content| match content.certificates.is_empty() {
            true => Err(Problem::Invalid("found no certificate, expected at least one".into())),
            false => Ok(content.certificates),
        });
        let path = format!("truststores[{index}]");
        if let Some(found) = told(found, path, &store.name, store.file.is_some(), problems)
            && material.truststores.insert(store.name.clone(), found).is_some()
        {
            problems.push(twice(format!("truststores[{index}].name"), &store.name));
        }
    }
    acme::trust(ordered, &mut material, problems);
    config.key_material = material;
}

fn twice(path: String, name: &str) -> Diagnostic {
    Diagnostic::error(path, format!("found `{name}` twice, expected a name of its own"))
}

/// What there is of a store, when it can be kept; and says what is wrong with it.
fn told<T>(
    read: Result<Vec<T>, Problem>,
    path: String,
    name: &str,
    is_file: bool,
    problems: &mut Diagnostics,
) -> Option<model::key_material::Opened<T>> {
    match read {
        Ok(content) => Some(Ok(content)),
        Err(Problem::NotLoaded(why)) => {
            problems.push(
                Diagnostic::warning(format!("{path}.password"), format!("`{name}` is not loaded: {why}"))
                    .help("what refers to it is refused until it is loaded"),
            );
            Some(Err(why))
        }
        Err(Problem::Invalid(why)) => {
            let key = if is_file { "file" } else { "content" };
            problems.push(
                Diagnostic::error(format!("{path}.{key}"), format!("`{name}`: {why}")).help(
                    "expected PEM, PKCS#12 (`openssl pkcs12 -export`, `keytool -importkeystore -deststoretype pkcs12`) or JKS",
                ),
            );
            None
        }
    }
}

/// What is in the file, or in the store.
fn bytes(kind: &str, name: &str, file: Option<&String>, assets: Option<&Assets>) -> Result<Vec<u8>, Problem> {
    if let Some(file) = file {
        let content = fs::read(file).map_err(|error| Problem::Invalid(format!("{file}: {error}")))?;
        return match content.len() > LARGEST {
            true => Err(Problem::Invalid(format!("{file}: it has more than {} MiB", LARGEST >> 20))),
            false => Ok(content),
        };
    }
    match text(kind, name, assets)? {
        // The certificate stays when an authority has issued it and renews it no more.
        Some(text) => decoded(AcmeState::split(&text).0),
        None => Err(Problem::NotLoaded("it has no content yet".into())),
    }
}

/// What was sealed, when something was.
fn text(kind: &str, name: &str, assets: Option<&Assets>) -> Result<Option<String>, Problem> {
    assets.and_then(|assets| assets.content(kind, name)).transpose().map_err(Problem::NotLoaded)
}

fn decoded(text: &str) -> Result<Vec<u8>, Problem> {
    if text.contains("-----BEGIN") {
        return Ok(text.as_bytes().to_vec());
    }
    let packed: String = text.split_ascii_whitespace().collect();
    Base64::decode_vec(&packed).map_err(|_| Problem::Invalid("it is neither PEM nor base64".into()))
}

fn read(bytes: &[u8], passwords: &Passwords<'_>) -> Result<Content, Problem> {
    let mut content = match bytes {
        _ if bytes.starts_with(&jks::MAGIC) => jks::read(bytes, passwords)?,
        [0xce, 0xce, 0xce, 0xce, ..] => {
            return Err(Problem::Invalid("it is a JCEKS keystore, which is not read here".into()));
        }
        [0x30, 0x80..=0xff, ..] => pkcs12::read(bytes, passwords)?,
        _ => pem(bytes)?,
    };
    for der in &content.certificates {
        let parsed = X509Certificate::from_der(der);
        if !parsed.is_ok_and(|(rest, _)| rest.is_empty()) {
            return Err(Problem::Invalid("a certificate in it cannot be read".into()));
        }
    }
    for entry in &mut content.keys {
        entry.chain = chain_of(&entry.key, &content.certificates)
            .map_err(|why| Problem::Invalid(format!("the key `{}`: {why}", entry.alias)))?;
    }
    Ok(content)
}

/// PEM has no aliases: its only key is called `key`.
fn pem(bytes: &[u8]) -> Result<Content, Problem> {
    let mut content = Content::default();
    if String::from_utf8_lossy(bytes).contains("BEGIN ENCRYPTED PRIVATE KEY") {
        let why = "its key is encrypted; `openssl pkcs12 -export` keeps a key under a password";
        return Err(Problem::Invalid(why.into()));
    }
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes) {
        let (kind, der) =
            section.map_err(|_| Problem::Invalid("it is neither PEM nor PKCS#12 nor JKS".into()))?;
        match kind {
            SectionKind::Certificate => content.certificates.push(der),
            SectionKind::PrivateKey if content.keys.is_empty() => {
                content.keys.push(KeyEntry { alias: "key".into(), chain: Vec::new(), key: der });
            }
            SectionKind::PrivateKey => {
                return Err(Problem::Invalid("it has several private keys, expected one".into()));
            }
            SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey => {
                let why = "its key is not PKCS#8; `openssl pkcs8 -topk8 -nocrypt` writes it so";
                return Err(Problem::Invalid(why.into()));
            }
            _ => {}
        }
    }
    if content.certificates.is_empty() && content.keys.is_empty() {
        return Err(Problem::Invalid("it is neither PEM nor PKCS#12 nor JKS".into()));
    }
    Ok(content)
}

/// The certificate of a key, and those that issued it, as far as they are there.
fn chain_of(key: &[u8], certificates: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, String> {
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_vec()));
    let signer = aws_lc_rs::sign::any_supported_type(&der)
        .map_err(|_| "expected RSA of at least 2048 bits, P-256, P-384, P-521 or Ed25519".to_owned())?;
    let is_of_key = |der: &&Vec<u8>| {
        let chain = vec![CertificateDer::from(der.as_slice()).into_owned()];
        CertifiedKey::new(chain, signer.clone()).keys_match().is_ok()
    };
    let leaf = certificates.iter().find(is_of_key).ok_or("there is no certificate of it")?;
    let mut chain = vec![leaf.clone()];
    while let Some(issuer) = issuer_of(chain.last(), certificates)
        && !chain.contains(issuer)
    {
        chain.push(issuer.clone());
    }
    Ok(chain)
}

fn issuer_of<'a>(of: Option<&Vec<u8>>, certificates: &'a [Vec<u8>]) -> Option<&'a Vec<u8>> {
    let (_, subject) = X509Certificate::from_der(of?).ok()?;
    certificates.iter().find(|der| {
        X509Certificate::from_der(der)
            .is_ok_and(|(_, one)| one.subject().as_raw() == subject.issuer().as_raw())
    })
}
