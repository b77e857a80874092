//! Certificates that the configuration has, in keystores, truststores and files: listed, and told of before they expire.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use engine::{
    Alerts, Timestamp,
    alert::{Alert, AlertSource},
};
use model::{AcmeKeystore, ConfigDoc, destination::Severity};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde::Serialize;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{acme::Phase, config::resolve::certificate_files};

/// Days before the end at which it is told.
const TOLD_AT: [i64; 3] = [1, 7, 30];
const DAY: i64 = 86_400;

/// A certificate, and where it is.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Certificate {
    /// `keystore`, `truststore` or `file`.
    pub kind: &'static str,
    /// Name of the store, or the path.
    pub name: String,
    /// Alias of the key whose chain it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    pub subject: String,
    pub issuer: String,
    pub serial: String,
    pub not_before: String,
    pub not_after: String,
    /// SHA-256, in hexadecimal digits.
    pub fingerprint: String,
    /// Seconds since 1970.
    #[serde(skip)]
    pub expires: i64,
}

/// A keystore or truststore.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Store {
    pub kind: &'static str,
    pub name: String,
    pub loaded: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// How it goes with its certificate, where an authority issues it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acme: Option<Issuance>,
}

/// How it goes with a certificate that an authority issues.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Issuance {
    /// `wanted`, `ordering`, `failing` or `valid`.
    pub state: &'static str,
    /// Whether the certificate is one of the authority, and not yet one that the gateway signed itself.
    pub issued: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renews_at: Option<String>,
    /// How often in a row it did not work.
    #[serde(skip_serializing_if = "is_zero")]
    pub failures: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tries_again_at: Option<String>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// All of a configuration.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Inventory {
    pub stores: Vec<Store>,
    pub certificates: Vec<Certificate>,
}

impl Inventory {
    pub fn of(config: &ConfigDoc, now: Timestamp) -> Self {
        let mut all = Self::default();
        for (name, keys) in &config.key_material.keystores {
            let known = config.key_material.acme.iter().find(|known| known.name == *name);
            // What an authority said last is a problem, though what is there is loaded.
            let failure = known.and_then(|known| known.state.problem.as_ref());
            let mut store = store("keystore", name, keys.as_ref().err());
            store.problem = store.problem.or_else(|| failure.cloned());
            store.acme = known.map(|known| issuance(known, now));
            all.stores.push(store);
            for key in keys.iter().flatten() {
                for der in &key.chain {
                    all.certificates.extend(certificate("keystore", name, Some(&key.alias), der));
                }
            }
        }
        for (name, certificates) in &config.key_material.truststores {
            all.stores.push(store("truststore", name, certificates.as_ref().err()));
            for der in certificates.iter().flatten() {
                all.certificates.extend(certificate("truststore", name, None, der));
            }
        }
        let stores = config.keystores.iter().filter_map(|store| store.file.as_deref());
        let stores: Vec<&str> =
            stores.chain(config.truststores.iter().filter_map(|store| store.file.as_deref())).collect();
        let mut files = certificate_files(config);
        files.sort();
        files.dedup();
        for file in files.iter().filter_map(|file| file.to_str()).filter(|file| !stores.contains(file)) {
            for der in CertificateDer::pem_slice_iter(&std::fs::read(file).unwrap_or_default()).flatten() {
                all.certificates.extend(certificate("file", file, None, &der));
            }
        }
        all
    }
}

fn store(kind: &'static str, name: &str, problem: Option<&String>) -> Store {
    Store { kind, name: name.to_owned(), loaded: problem.is_none(), problem: problem.cloned(), acme: None }
}

fn issuance(known: &AcmeKeystore, now: Timestamp) -> Issuance {
    let at = |millis: u64| date(i64::try_from(millis / 1_000).unwrap_or(i64::MAX));
    let (state, renews_at, tries_again_at) = match Phase::of(known, now.millis()) {
        Phase::Wanted => ("wanted", None, None),
        Phase::Ordering => ("ordering", None, None),
        Phase::Failing { again } => ("failing", None, at(again)),
        Phase::Valid { renews } => ("valid", at(renews), None),
    };
    let issued = known.state.issued_at.is_some();
    Issuance { state, issued, renews_at, failures: known.state.failing, tries_again_at }
}

fn date(seconds: i64) -> Option<String> {
    let date = time::OffsetDateTime::from_unix_timestamp(seconds).ok()?;
    date.format(&time::format_description::well_known::Rfc3339).ok()
}

fn certificate(kind: &'static str, name: &str, alias: Option<&str>, der: &[u8]) -> Option<Certificate> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    let expires = parsed.validity().not_after.timestamp();
    Some(Certificate {
        kind,
        name: name.to_owned(),
        alias: alias.map(str::to_owned),
        subject: parsed.subject().to_string(),
        issuer: parsed.issuer().to_string(),
        serial: parsed.raw_serial_as_string(),
        not_before: date(parsed.validity().not_before.timestamp()).unwrap_or_default(),
        not_after: date(expires).unwrap_or_default(),
        fingerprint: format!("{:x}", Sha256::digest(der)),
        expires,
    })
}

/// What is served, and what was told about it.
#[derive(Debug, Default)]
pub(crate) struct Certificates {
    list: Mutex<Arc<Inventory>>,
    /// The days left that were told of, by place and fingerprint.
    told: Mutex<BTreeMap<(String, String), i64>>,
}

impl Certificates {
    pub fn take(&self, inventory: Inventory) {
        *self.list.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(inventory);
    }

    pub fn list(&self) -> Arc<Inventory> {
        Arc::clone(&self.list.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Warns of those that end soon, once at 30 days, at 7 and at 1.
    pub fn look(&self, now: Timestamp, alerts: &Alerts) {
        let seconds = i64::try_from(now.seconds()).unwrap_or(i64::MAX);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for one in &self.list().certificates {
            let left = one.expires - seconds;
            let Some(&days) = TOLD_AT.iter().find(|days| left <= **days * DAY) else { continue };
            let place = match &one.alias {
                Some(alias) => format!("{} {} ({alias})", one.kind, one.name),
                None => format!("{} {}", one.kind, one.name),
            };
            let key = (place, one.fingerprint.clone());
            if told.get(&key).is_some_and(|before| *before <= days) {
                continue;
            }
            let message = match left > 0 {
                true => {
                    format!("the certificate of {} in {} expires at {}", one.subject, key.0, one.not_after)
                }
                false => {
                    format!("the certificate of {} in {} expired at {}", one.subject, key.0, one.not_after)
                }
            };
            tracing::warn!(fingerprint = one.fingerprint, "{message}");
            alerts.raise(Alert {
                time: now,
                severity: if days == 1 { Severity::Error } else { Severity::Warn },
                source: Arc::new(AlertSource {
                    kind: "Monitor",
                    policy: "certificateExpiry".into(),
                    ..AlertSource::default()
                }),
                application: "".into(),
                rule: format!("daysLeft <= {days}").into(),
                metric: "daysLeft",
                value: (left / DAY) as f64,
                threshold: days as f64,
                interval: "".into(),
                message: message.into(),
                destinations: Arc::default(),
            });
            told.insert(key, days);
        }
    }
}
