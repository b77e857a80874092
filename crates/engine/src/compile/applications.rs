//! Applications, their keys and identifiers; users and their groups.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;
use model::{ApplicationDoc, ConfigDoc, Diagnostic, Diagnostics};

use super::{known_apis::KnownApis, oauth_clients, signing_keys};
use crate::{
    Snapshot, Timestamp,
    identifiers::{Identifiers, fingerprint_of},
    keys::{
        Application, ApplicationIndex, Applications, KeyBounds, KeyEntry, KeyHash, Referrer, User,
        parse_origin,
    },
};

pub(super) fn compile(
    config: &ConfigDoc,
    apis: &KnownApis<'_>,
    previous: Option<&Snapshot>,
    problems: &mut Diagnostics,
) -> Applications {
    let mut applications = Applications::default();
    let mut names = std::collections::HashSet::new();
    oauth_clients::check(config, problems);
    for ((index, doc), position) in config.applications.iter().enumerate().zip(0_u32..) {
        let path = format!("applications[{index}]");
        if !names.insert(doc.name.as_str()) {
            problems.push(Diagnostic::error(
                format!("{path}.name"),
                format!("found `{}` a second time, expected a name of its own", doc.name),
            ));
        }
        for (place, api) in doc.apis.iter().enumerate() {
            problems.0.extend(apis.unknown(|| format!("{path}.apis[{place}]"), api));
        }
        for (place, key) in doc.api_keys.iter().enumerate() {
            let path = format!("{path}.apiKeys[{place}]");
            match key_entry(key, position, previous) {
                Err(problem) => problems.push(problem.under(&path)),
                Ok((hash, entry)) => {
                    if !applications.insert_key(hash, entry) {
                        problems.push(Diagnostic::error(path, "the same key is used a second time"));
                    }
                }
            }
        }
        signing_keys::compile(doc, config, position, &mut applications, &path, problems);
        identifiers(doc, position, &mut applications.identifiers, &path, problems);
        of_tokens(doc, config, position, &mut applications.identifiers, &path, problems);
        applications.names.entry(doc.name.as_str().into()).or_insert(position);
        let attributes = doc.attributes.iter();
        applications.list.push(Application {
            name: doc.name.as_str().into(),
            description: doc.description.as_deref().map(Into::into),
            version: doc.version.as_deref().map(Into::into),
            attributes: attributes
                .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
                .collect(),
            suspended: doc.suspended,
            apis: doc.apis.iter().map(|name| name.as_str().into()).collect(),
            origins: origins(doc, position, &mut applications.origins, &path, problems),
        });
    }
    applications.identifiers.finish();
    users(config, &mut applications, problems);
    applications
}

fn origins(
    doc: &ApplicationDoc,
    application: ApplicationIndex,
    into: &mut HashMap<Box<str>, Vec<ApplicationIndex>, RandomState>,
    path: &str,
    problems: &mut Diagnostics,
) -> Vec<Box<str>> {
    let mut origins = Vec::with_capacity(doc.origins.len());
    for (place, text) in doc.origins.iter().enumerate() {
        match parse_origin(text) {
            Some(origin) => {
                into.entry(origin.clone()).or_default().push(application);
                origins.push(origin);
            }
            None => problems.push(
                Diagnostic::error(
                    format!("{path}.origins[{place}]"),
                    format!("found `{text}`, expected an origin such as https://shop.example"),
                )
                .help("an origin is scheme, host and port, and nothing after them"),
            ),
        }
    }
    origins
}

fn identifiers(
    doc: &ApplicationDoc,
    application: ApplicationIndex,
    into: &mut Identifiers,
    path: &str,
    problems: &mut Diagnostics,
) {
    let path = format!("{path}.identifiers");
    for range in &doc.identifiers.ip_addresses {
        into.add_addresses(range.first(), range.last(), application);
    }
    for (place, header) in doc.identifiers.headers.iter().enumerate() {
        match header.name.parse() {
            Ok(name) => into.add_header(name, &header.value, application),
            Err(_) => problems.push(Diagnostic::error(
                format!("{path}.headers[{place}].name"),
                format!("found `{}`, expected the name of a header", header.name),
            )),
        }
    }
    for (place, certificate) in doc.identifiers.certificates.iter().enumerate() {
        match parse_hash(certificate).or_else(|| fingerprint_of(certificate)) {
            Some(fingerprint) => into.add_certificate(fingerprint, application),
            None => problems.push(
                Diagnostic::error(
                    format!("{path}.certificates[{place}]"),
                    "expected a certificate as PEM, or `sha256:` and 64 hexadecimal digits",
                )
                .help("`openssl x509 -in client.pem -outform der | sha256sum` prints the digits"),
            ),
        }
    }
    for (place, name) in doc.identifiers.host_names.iter().enumerate() {
        if !into.add_host(name, application) {
            problems.push(
                Diagnostic::error(
                    format!("{path}.hostNames[{place}]"),
                    format!("found `{name}`, expected the name of a host"),
                )
                .help("write it like client.example.com, or *.example.com for all names that end so"),
            );
        }
    }
    for (place, text) in doc.identifiers.payload.iter().enumerate() {
        if text.is_empty() {
            problems.push(Diagnostic::error(
                format!("{path}.payload[{place}]"),
                "found an empty text, expected one that somebody has to know",
            ));
        }
        into.add_payload(text, application);
    }
    for name in &doc.identifiers.user_names {
        into.add_user(name, application);
    }
}

/// What tokens identify an application by.
fn of_tokens(
    doc: &ApplicationDoc,
    config: &ConfigDoc,
    application: ApplicationIndex,
    into: &mut Identifiers,
    path: &str,
    problems: &mut Diagnostics,
) {
    let servers = &config.authorization_servers;
    for server in servers.iter().filter(|server| server.internal) {
        for client in &doc.oauth_clients {
            into.add_client(&server.name, &client.id, application);
        }
    }
    for (place, client) in doc.identifiers.client_ids.iter().enumerate() {
        let path = format!("{path}.identifiers.clientIds[{place}]");
        if client.id.is_empty() {
            problems
                .push(Diagnostic::error(format!("{path}.id"), "found an empty text, expected a client id"));
        }
        let server = match (&client.server, &**servers) {
            (Some(name), _) if servers.iter().any(|server| server.name == *name) => name,
            (Some(name), _) => {
                let found = format!("found `{name}`, which is no authorization server");
                let near =
                    model::diagnostic::nearest(name, servers.iter().map(|server| server.name.as_str()));
                let problem = Diagnostic::error(format!("{path}.server"), found);
                problems.push(match near {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help("name one of `authorizationServers`"),
                });
                continue;
            }
            (None, [only]) => &only.name,
            (None, _) => {
                let problem = format!("missing, and there are {} authorization servers", servers.len());
                problems.push(
                    Diagnostic::error(format!("{path}.server"), problem)
                        .help("clients of different servers may have the same id: say whose it is"),
                );
                continue;
            }
        };
        into.add_client(server, &client.id, application);
    }
    for (place, claims) in doc.identifiers.claims.iter().enumerate() {
        if !into.add_claims(claims, application) {
            let path = format!("{path}.identifiers.claims[{place}]");
            problems.push(Diagnostic::error(path, "found no claim, which every token has"));
        }
    }
}

fn users(config: &ConfigDoc, applications: &mut Applications, problems: &mut Diagnostics) {
    for (index, group) in config.groups.iter().enumerate() {
        if config.groups[..index].iter().any(|other| other.name == group.name) {
            problems.push(Diagnostic::error(
                format!("groups[{index}].name"),
                format!("found `{}` a second time, expected a name of its own", group.name),
            ));
        }
    }
    for (index, doc) in config.users.iter().enumerate() {
        let path = format!("users[{index}]");
        if doc.name.is_empty() || doc.name.contains(':') {
            problems.push(Diagnostic::error(
                format!("{path}.name"),
                format!("found `{}`, expected a name without a colon", doc.name),
            ));
        }
        for (place, group) in doc.groups.iter().enumerate() {
            if config.groups.iter().all(|known| known.name != *group) {
                let problem = Diagnostic::error(
                    format!("{path}.groups[{place}]"),
                    format!("found `{group}`, which is no group"),
                );
                let near = model::diagnostic::nearest(group, config.groups.iter().map(|g| g.name.as_str()));
                problems.push(match near {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help("add it to `groups`"),
                });
            }
        }
        let password = doc.password.as_ref().and_then(|secret| secret.expose()).map(str::trim);
        if doc.password.is_some() && !password.is_some_and(is_argon2id) {
            problems.push(
                Diagnostic::error(format!("{path}.password"), "the secret is no argon2id hash").help(
                    "keep a text such as `$argon2id$v=19$m=19456,t=2,p=1$…$…` there, and not the password",
                ),
            );
        }
        let digests = signing_keys::digests(doc, config, &path, problems);
        let user = User {
            password: password.filter(|_| !doc.locked).map(Into::into),
            locked: doc.locked,
            digests: if doc.locked { Vec::new() } else { digests },
            groups: doc.groups.iter().map(|group| group.as_str().into()).collect(),
        };
        if applications.users.insert(doc.name.as_str().into(), user).is_some() {
            problems.push(Diagnostic::error(
                format!("{path}.name"),
                format!("found `{}` a second time, expected a name of its own", doc.name),
            ));
        }
    }
}

/// Whether a text has the form `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
fn is_argon2id(text: &str) -> bool {
    let parts: Vec<&str> = text.split('$').collect();
    let ["", "argon2id", "v=19", parameters, salt, hash] = parts[..] else { return false };
    let number = |(name, digits): (&str, &str)| {
        // Whatever a hash asks for is done for every password: a GiB, and some seconds.
        let most = match name {
            "m" => 1 << 20,
            "t" => 64,
            "p" => 64,
            _ => 0,
        };
        digits.parse::<u32>().is_ok_and(|number| (1..=most).contains(&number))
    };
    let base64 = |text: &str| {
        text.len() >= 8 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
    };
    parameters.split(',').count() == 3
        && parameters.split(',').all(|pair| pair.split_once('=').is_some_and(number))
        && base64(salt)
        && base64(hash)
}

fn key_entry(
    key: &model::ApiKeyDoc,
    application: u32,
    previous: Option<&Snapshot>,
) -> Result<(KeyHash, KeyEntry), Diagnostic> {
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
    let expires = expires(key.expires.as_deref())?;
    let known = previous.and_then(|snapshot| snapshot.applications.by_key(&hash));
    let used = known.map(|entry| Arc::clone(&entry.used)).unwrap_or_default();
    Ok((hash, KeyEntry { used, application, expires, bounds: bounds(key)? }))
}

/// From where the key may be used.
fn bounds(key: &model::ApiKeyDoc) -> Result<Option<Box<KeyBounds>>, Diagnostic> {
    if key.ip_addresses.is_empty() && key.referrers.is_empty() {
        return Ok(None);
    }
    let referrers = key.referrers.iter().enumerate().map(|(place, text)| {
        Referrer::parse(text).ok_or_else(|| {
            let found = format!("found `{text}`, expected an origin such as https://shop.example");
            Diagnostic::error(format!("referrers[{place}]"), found)
                .help("an origin is scheme, host and port; https://*.shop.example stands for all hosts below")
        })
    });
    let referrers = referrers.collect::<Result<_, _>>()?;
    Ok(Some(Box::new(KeyBounds { addresses: key.ip_addresses.clone(), referrers })))
}

/// When a key stops being accepted.
pub(super) fn expires(text: Option<&str>) -> Result<Option<Timestamp>, Diagnostic> {
    let parse = |text| {
        parse_time(text).ok_or_else(|| {
            let found = format!("found `{text}`, expected a time such as 2027-01-31T12:00:00Z");
            Diagnostic::error("expires", found)
        })
    };
    text.map(parse).transpose()
}

pub(super) fn parse_hash(text: &str) -> Option<KeyHash> {
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

pub(crate) fn parse_time(text: &str) -> Option<Timestamp> {
    let time = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
    u64::try_from(time.unix_timestamp_nanos()).ok().map(Timestamp)
}
