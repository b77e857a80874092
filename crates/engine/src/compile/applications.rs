//! Applications and their keys.

use model::{ConfigDoc, Diagnostic, Diagnostics};

use crate::{
    Timestamp,
    keys::{Application, Applications, KeyEntry, KeyHash},
};

pub(super) fn compile(config: &ConfigDoc, problems: &mut Diagnostics) -> Applications {
    let mut applications = Applications::default();
    let api_names: std::collections::HashSet<&str> =
        config.apis.iter().filter_map(|api| api.name.as_deref()).collect();
    let all_named = config.apis.iter().all(|api| api.name.is_some());
    let mut names = std::collections::HashSet::new();
    for ((index, doc), position) in config.applications.iter().enumerate().zip(0_u32..) {
        let path = format!("applications[{index}]");
        if !names.insert(doc.name.as_str()) {
            problems.push(Diagnostic::error(
                format!("{path}.name"),
                format!("found `{}` a second time, expected a name of its own", doc.name),
            ));
        }
        for (place, api) in doc.apis.iter().enumerate() {
            // Names that come from definitions are not known here; a typo among written ones is.
            if all_named && !api_names.contains(api.as_str()) {
                let mut problem = Diagnostic::error(
                    format!("{path}.apis[{place}]"),
                    format!("found `{api}`, which is no API"),
                );
                if let Some(near) = model::diagnostic::nearest(api, api_names.iter().copied()) {
                    problem = problem.help(format!("did you mean `{near}`?"));
                }
                problems.push(problem);
            }
        }
        for (place, key) in doc.api_keys.iter().enumerate() {
            let path = format!("{path}.apiKeys[{place}]");
            match key_entry(key, position) {
                Err(problem) => problems.push(problem.under(&path)),
                Ok((hash, entry)) => {
                    if !applications.insert_key(hash, entry) {
                        problems.push(Diagnostic::error(path, "the same key is used a second time"));
                    }
                }
            }
        }
        applications.list.push(Application {
            name: doc.name.as_str().into(),
            description: doc.description.as_deref().map(Into::into),
            suspended: doc.suspended,
            apis: doc.apis.iter().map(|name| name.as_str().into()).collect(),
        });
    }
    applications
}

fn key_entry(key: &model::ApiKeyDoc, application: u32) -> Result<(KeyHash, KeyEntry), Diagnostic> {
    let hash = match (&key.hash, &key.value) {
        (Some(hash), None) => parse_hash(hash).ok_or_else(|| {
            Diagnostic::error("hash", "expected `sha256:` and 64 hexadecimal digits")
                .help("`gatewright key` makes a key and prints its hash")
        })?,
        (None, Some(secret)) => match secret.expose() {
            Some(value) => sha256(value.trim_end().as_bytes()),
            None => return Err(Diagnostic::error("value", "the secret could not be read")),
        },
        _ => return Err(Diagnostic::error("", "expected either `hash` or `value`")),
    };
    let expires = match &key.expires {
        None => None,
        Some(text) => Some(parse_time(text).ok_or_else(|| {
            Diagnostic::error(
                "expires",
                format!("found `{text}`, expected a time such as 2027-01-31T12:00:00Z"),
            )
        })?),
    };
    Ok((hash, KeyEntry { application, expires }))
}

fn parse_hash(text: &str) -> Option<KeyHash> {
    let digits = text.strip_prefix("sha256:").filter(|d| d.len() == 64 && d.is_ascii())?;
    let mut hash = KeyHash::default();
    for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let digit = |b: u8| (b as char).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(hash)
}

/// SHA-256 of a key, as kept in memory and in configuration.
pub fn sha256(bytes: &[u8]) -> KeyHash {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).into()
}

fn parse_time(text: &str) -> Option<Timestamp> {
    let time = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
    u64::try_from(time.unix_timestamp_nanos()).ok().map(Timestamp)
}
