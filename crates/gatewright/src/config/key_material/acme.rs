//! A keystore whose certificate comes from an authority: what is in it, and what is remembered beside that. Until the first
//! certificate has come it has one that the gateway signs itself, so that listeners which need it can be there already.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use model::{
    AcmeDoc, AcmeKeystore, AcmeState, ClearText, ConfigDoc, Diagnostic, Diagnostics, KeyEntry, KeyMaterial,
};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use sha2::{Digest, Sha256};

use super::{Passwords, Problem, decoded, read};

/// What is in a keystore, and what an order takes. `text` is what was sealed; without one nothing has come yet.
pub(super) fn open(
    config: &ConfigDoc,
    name: &str,
    doc: &AcmeDoc,
    text: Option<&str>,
    passwords: &Passwords<'_>,
) -> Result<(Vec<KeyEntry>, AcmeKeystore), Problem> {
    let (content, state) = AcmeState::split(text.unwrap_or_default());
    let given =
        if content.trim().is_empty() { None } else { Some(read(&decoded(content)?, passwords)?.keys) };
    let leaf = given.as_ref().and_then(|keys| keys.first()?.chain.first().cloned());
    let keys = match given {
        Some(keys) => keys,
        None => vec![own(&doc.names)?],
    };
    let external = doc.external_account.as_ref();
    let external_key = external.and_then(|account| config.resolved_secrets.get(&account.key));
    let known = AcmeKeystore {
        name: name.to_owned(),
        doc: doc.clone(),
        state,
        external_key: external_key.map(ClearText::new),
        roots: None,
        leaf,
    };
    Ok((keys, known))
}

/// Gives each what its truststore has, which has to be there; and says what is wrong with each.
pub(super) fn trust(
    ordered: Vec<(usize, AcmeKeystore)>,
    material: &mut KeyMaterial,
    problems: &mut Diagnostics,
) {
    for (index, mut known) in ordered {
        let path = format!("keystores[{index}].acme");
        let roots = known.doc.truststore.as_ref().map(|name| material.authorities("truststore", name));
        match roots.transpose() {
            Ok(roots) => {
                known.roots = roots.map(<[_]>::to_vec);
                if let Some((why, help)) = concern(&known) {
                    let message = format!("`{}` {why}", known.name);
                    problems.push(Diagnostic::warning(path, message).help(help));
                }
            }
            Err(problem) => problems.push(problem.under(&path)),
        }
        for (name, answer) in known.state.order.iter().flat_map(|order| &order.tls_challenges) {
            // Without it the authority finds nothing, and says so.
            if let Ok(entry) = challenge(name, answer) {
                material.tls_challenges.insert(name.clone(), entry);
            }
        }
        material.acme.push(known);
    }
}

/// What is wrong with it for the time being.
fn concern(known: &AcmeKeystore) -> Option<(String, &'static str)> {
    let help = match known.leaf {
        Some(_) => "the certificate that it had goes on counting, and it is tried again",
        None => {
            "until one has come, listeners show one that the gateway has signed itself, which nobody trusts"
        }
    };
    match (&known.state.problem, &known.leaf) {
        (Some(problem), _) => Some((format!("gets no certificate: {problem}"), help)),
        (None, None) => Some(("has no certificate of its authority yet".to_owned(), help)),
        (None, Some(_)) => None,
    }
}

/// A certificate that tells an authority what it has asked for (RFC 8737, 3).
fn challenge(name: &str, answer: &str) -> Result<KeyEntry, rcgen::Error> {
    let mut params = CertificateParams::new([name.to_owned()])?;
    let digest = Sha256::digest(answer);
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(&digest)];
    signed_by_itself(params)
}

fn signed_by_itself(mut params: CertificateParams) -> Result<KeyEntry, rcgen::Error> {
    params.distinguished_name = DistinguishedName::new();
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok(KeyEntry { alias: "key".into(), chain: vec![certificate.der().to_vec()], key: key.serialize_der() })
}

/// A certificate for these names that nobody trusts: the same one for as long as the program runs.
fn own(names: &[String]) -> Result<KeyEntry, Problem> {
    static MADE: Mutex<BTreeMap<Vec<String>, KeyEntry>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = made.get(names) {
        return Ok(known.clone());
    }
    let entry = CertificateParams::new(names).and_then(signed_by_itself);
    let entry = entry.map_err(|error| Problem::Invalid(error.to_string()))?;
    made.insert(names.to_vec(), entry.clone());
    Ok(entry)
}
