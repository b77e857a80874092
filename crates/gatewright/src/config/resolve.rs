//! References in a configuration: relative paths made absolute, secrets read from where they are kept.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use manager::{Assets, DOCUMENT};
use model::{ConfigDoc, Diagnostic, Diagnostics, Secret, diagnostic::join, secret::SecretSource};
use serde_json::Value;

/// Makes every path in the configuration independent of where the gateway was started.
/// `apis` are the places of those that refer to something.
pub(super) fn paths(config: &mut ConfigDoc, apis: impl IntoIterator<Item = usize>, directory: &Path) {
    let absolute = |path: &mut String| {
        if !path.contains("://") && !Path::new(path.as_str()).is_absolute() {
            *path = directory.join(path.as_str()).display().to_string();
        }
    };
    for index in apis {
        let Some(api) = config.apis.get(index) else { continue };
        // Only what is different is made anew.
        if let Some(location) = api.definition.as_deref().filter(|location| !location.starts_with(DOCUMENT)) {
            let mut found = location.to_owned();
            absolute(&mut found);
            if found != location
                && let Some(api) = config.apis.get_mut(index)
            {
                Arc::make_mut(api).definition = Some(found);
            }
        }
    }
    let own = config.listeners.iter_mut().filter_map(|l| l.tls.as_mut());
    let local = config.settings.authorization_server.as_mut().and_then(|server| server.tls.as_mut());
    for tls in own.chain(config.settings.manager.tls.as_mut()).chain(local) {
        tls.client_ca_file.iter_mut().for_each(absolute);
        for certificate in &mut tls.certificates {
            absolute(&mut certificate.certificate_file);
            absolute(&mut certificate.key_file);
        }
    }
    for tls in config.upstreams.iter_mut().map(|u| &mut u.tls) {
        [&mut tls.ca_file, &mut tls.certificate_file, &mut tls.key_file]
            .into_iter()
            .flatten()
            .for_each(absolute);
    }
    for server in &mut config.authorization_servers {
        let tls = &mut server.tls;
        [&mut server.certificate_file, &mut tls.ca_file, &mut tls.certificate_file, &mut tls.key_file]
            .into_iter()
            .flatten()
            .for_each(absolute);
    }
    config.keystores.iter_mut().flat_map(|store| &mut store.file).for_each(absolute);
    config.truststores.iter_mut().flat_map(|store| &mut store.file).for_each(absolute);
    [&mut config.settings.ldap, &mut config.settings.manager.ldap]
        .into_iter()
        .flatten()
        .flat_map(|ldap| &mut ldap.ca_file)
        .for_each(absolute);
    config.settings.mail.iter_mut().flat_map(|mail| &mut mail.ca_file).for_each(absolute);
    let providers = config.settings.manager.open_id_connect.iter_mut();
    providers.flat_map(|provider| &mut provider.ca_file).for_each(absolute);
    for provider in &mut config.settings.manager.saml {
        let elsewhere = &mut provider.identity_provider;
        [&mut provider.ca_file, &mut provider.key_file, &mut provider.certificate_file]
            .into_iter()
            .chain([&mut elsewhere.metadata_file, &mut elsewhere.certificate_file])
            .flatten()
            .for_each(absolute);
    }
    config.settings.data_directory.iter_mut().for_each(absolute);
    config.settings.access_log.path.iter_mut().filter(|path| *path != "stdout").for_each(absolute);
}

/// Files with certificates and keys: replacing one is a change of the configuration.
pub(crate) fn certificate_files(config: &ConfigDoc) -> Vec<PathBuf> {
    let own = config.listeners.iter().filter_map(|l| l.tls.as_ref());
    let local = config.settings.authorization_server.as_ref().and_then(|server| server.tls.as_ref());
    let listeners = own.chain(config.settings.manager.tls.as_ref()).chain(local).flat_map(|tls| {
        let files = tls.certificates.iter().flat_map(|c| [&c.certificate_file, &c.key_file]);
        files.chain(&tls.client_ca_file)
    });
    let upstreams = config
        .upstreams
        .iter()
        .flat_map(|u| [&u.tls.ca_file, &u.tls.certificate_file, &u.tls.key_file])
        .flatten();
    let servers = config
        .authorization_servers
        .iter()
        .flat_map(|server| {
            let tls = &server.tls;
            [&server.certificate_file, &tls.ca_file, &tls.certificate_file, &tls.key_file]
        })
        .flatten();
    let stores = config.keystores.iter().flat_map(|store| &store.file);
    let stores = stores.chain(config.truststores.iter().flat_map(|store| &store.file));
    listeners.chain(upstreams).chain(servers).chain(stores).map(PathBuf::from).collect()
}

/// Largest file that a policy may name.
const MOST: u64 = 16 << 20;

/// Reads the files that policies and authorization servers name. They are part of the configuration: changing one is a
/// change of it.
pub(super) fn policy_files(
    config: &mut ConfigDoc,
    apis: &[usize],
    directory: &Path,
    problems: &mut Diagnostics,
) -> Vec<PathBuf> {
    let mut named = Vec::new();
    config.each_policy_in(apis.iter().copied(), &mut |policy| {
        if !policy.disabled {
            files_of(policy.kind, policy.config, policy.path, &mut named);
        }
    });
    for (index, server) in config.authorization_servers.iter().enumerate() {
        if let Some(file) = &server.certificate_file {
            named.push((format!("authorizationServers[{index}].certificateFile"), file.clone()));
        }
    }
    let mut files = Vec::new();
    for (path, name) in named {
        let file = directory.join(&name);
        if config.files.get(&name).is_some() {
            continue;
        }
        match read_file(&file) {
            Ok(content) => config.files.insert(&name, content),
            Err(problem) => problems.push(
                Diagnostic::error(path, format!("found `{name}`, which cannot be read: {problem}"))
                    .help("relative paths begin at the folder of the configuration"),
            ),
        }
        files.push(file);
    }
    files
}

/// The files that policies in a document name, with the paths of their keys.
pub(super) fn named_files(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(object) => {
            if let (Some(Value::String(kind)), Some(config)) = (object.get("type"), object.get("config")) {
                files_of(kind, config, &|| path.to_owned(), found);
            }
            for (key, value) in object.iter().filter(|(key, _)| *key != "config") {
                named_files(value, &join(path, key), found);
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                named_files(value, &format!("{path}[{index}]"), found);
            }
        }
        _ => {}
    }
}

/// The files that a policy at a path names.
fn files_of(kind: &str, config: &Value, path: &dyn Fn() -> String, found: &mut Vec<(String, String)>) {
    let known = policies::POLICIES.iter().find(|known| known.type_name == kind);
    for key in known.map_or(&[][..], |kind| kind.files) {
        let mut named = |value: &Value, key: &str| {
            if let Some(name) = value.as_str() {
                found.push((join(&path(), &format!("config.{key}")), name.to_owned()));
            }
        };
        match key.split_once("[].") {
            None => named(&config[key], key),
            Some((list, key)) => {
                for (index, entry) in config[list].as_array().into_iter().flatten().enumerate() {
                    named(&entry[key], &format!("{list}[{index}].{key}"));
                }
            }
        }
    }
}

/// A file, unless it is longer than any that a policy can use.
fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    use std::io::Read;

    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    let mut content = Vec::new();
    file.take(MOST + 1).read_to_end(&mut content).map_err(|error| error.to_string())?;
    if content.len() as u64 > MOST {
        return Err(format!("it has more than {} MiB", MOST >> 20));
    }
    Ok(content)
}

/// Reads every secret that is not given. What cannot be read is named by its reference, never by its value.
pub(super) fn secrets(
    config: &mut ConfigDoc,
    apis: &[usize],
    given: &BTreeMap<String, String>,
    assets: Option<&Assets>,
    problems: &mut Diagnostics,
) {
    let read = |secret: &Secret| match secret.source() {
        Some(SecretSource::Env(place) | SecretSource::File(place)) if given.contains_key(place) => {
            usable(given[place].clone())
        }
        _ => read(secret, assets),
    };
    for (index, application) in config.applications.iter_mut().enumerate() {
        for (place, key) in application.api_keys.iter_mut().enumerate() {
            let Some(secret) = &mut key.value else { continue };
            match read(secret) {
                Ok(value) => *secret = secret.resolved(value),
                Err(problem) => {
                    problems.push(Diagnostic::error(
                        format!("applications[{index}].apiKeys[{place}].value"),
                        problem,
                    ));
                }
            }
        }
    }
    for (index, user) in config.users.iter_mut().enumerate() {
        let Some(secret) = &mut user.password else { continue };
        match read(secret) {
            Ok(value) => *secret = secret.resolved(value),
            Err(problem) => problems.push(Diagnostic::error(format!("users[{index}].password"), problem)),
        }
    }
    if let Some(secret) = &mut config.settings.store.url {
        match read(secret) {
            Ok(value) => *secret = secret.resolved(value),
            Err(problem) => problems.push(Diagnostic::error("settings.store.url", problem)),
        }
    }
    let directories = [
        ("settings.ldap.bindPassword", &mut config.settings.ldap),
        ("settings.manager.ldap.bindPassword", &mut config.settings.manager.ldap),
    ];
    for (path, ldap) in directories {
        let Some(secret) = ldap.as_mut().and_then(|ldap| ldap.bind_password.as_mut()) else { continue };
        match read(secret) {
            Ok(value) => *secret = secret.resolved(value),
            Err(problem) => problems.push(Diagnostic::error(path, problem)),
        }
    }
    if let Some(secret) = config.settings.mail.as_mut().and_then(|mail| mail.password.as_mut()) {
        match read(secret) {
            Ok(value) => *secret = secret.resolved(value),
            Err(problem) => problems.push(Diagnostic::error("settings.mail.password", problem)),
        }
    }
    for (index, provider) in config.settings.manager.open_id_connect.iter_mut().enumerate() {
        if let Some(secret) = &mut provider.client_secret {
            match read(secret) {
                Ok(value) => *secret = secret.resolved(value),
                Err(problem) => {
                    let path = format!("settings.manager.openIdConnect[{index}].clientSecret");
                    problems.push(Diagnostic::error(path, problem));
                }
            }
        }
    }
    for (index, secret) in config.settings.store.master_key.keys.iter_mut().enumerate() {
        match read(secret) {
            Ok(value) => *secret = secret.resolved(value),
            Err(problem) => {
                problems.push(Diagnostic::error(format!("settings.store.masterKey.keys[{index}]"), problem));
            }
        }
    }
    for (index, secret) in config.settings.callbacks.keys.iter_mut().enumerate() {
        match read(secret) {
            Ok(value) => *secret = secret.resolved(value),
            Err(problem) => {
                problems.push(Diagnostic::error(format!("settings.callbacks.keys[{index}]"), problem));
            }
        }
    }
    policy_secrets(config, apis, assets, problems);
}

/// Says of files that refer to what the manager keeps: it is there for assets, and files are read before it is there.
pub(super) fn secrets_in_files(config: &ConfigDoc, problems: &mut Diagnostics) {
    if !config.secrets.is_empty() {
        let help =
            "give the file to `gatewright apply`; a file of a node refers to ${env:NAME} or ${file:/path}";
        problems.push(
            Diagnostic::error("secrets", "are kept by the manager, not in a file of a node").help(help),
        );
    }
    if !config.shared_settings.is_empty() {
        let problem = Diagnostic::error("sharedSettings", "are kept by the manager, not in a file of a node");
        problems.push(
            problem
                .help("write them into `settings` of the file, or give this document to `gatewright apply`"),
        );
    }
    let keystores =
        config.keystores.iter().enumerate().map(|(index, store)| ("keystores", index, &store.content));
    let others =
        config.truststores.iter().enumerate().map(|(index, store)| ("truststores", index, &store.content));
    for (list, index, content) in keystores.chain(others) {
        if content.is_some() {
            let path = format!("{list}[{index}].content");
            let problem = Diagnostic::error(path, "is kept by the manager, not in a file of a node");
            problems.push(problem.help("name a `file`, or give this document to `gatewright apply`"));
        }
    }
    for (index, _) in config.keystores.iter().enumerate().filter(|(_, store)| store.acme.is_some()) {
        let path = format!("keystores[{index}].acme");
        let problem = Diagnostic::error(path, "is kept by the manager, not in a file of a node");
        problems.push(problem.help("name a `file`, or give this document to `gatewright apply`"));
    }
    let mut kept: Vec<(String, Secret)> = written_references(config, 0..config.apis.len())
        .into_iter()
        .filter_map(|(path, reference)| Some((path, serde_json::from_value(reference.into()).ok()?)))
        .collect();
    for (index, application) in config.applications.iter().enumerate() {
        let values = application.api_keys.iter().enumerate();
        kept.extend(values.filter_map(|(place, key)| {
            Some((format!("applications[{index}].apiKeys[{place}].value"), key.value.clone()?))
        }));
    }
    let users = config.users.iter().enumerate();
    kept.extend(
        users.filter_map(|(index, user)| Some((format!("users[{index}].password"), user.password.clone()?))),
    );
    for (path, secret) in kept {
        if matches!(secret.source(), Some(SecretSource::Kept(_))) {
            problems.push(Diagnostic::error(path, FOR_ASSETS));
        }
    }
}

const FOR_ASSETS: &str = "found a reference to a secret of the manager, which only assets can have; in a file refer to ${env:NAME} or ${file:/path}";

/// References as they are written in policies, destinations, authorization servers, and keys of applications and users,
/// with where they are.
fn written_references(config: &ConfigDoc, apis: impl IntoIterator<Item = usize>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    config.each_policy_in(apis, &mut |policy| {
        SecretSource::each_in(policy.config, "", &mut |path, text, _| {
            found.push((join(&(policy.path)(), &format!("config.{path}")), text.to_owned()));
        });
    });
    let mut of = |document: Option<Value>, place: String| {
        SecretSource::each_in(&document.unwrap_or_default(), &place, &mut |path, text, _| {
            found.push((path.to_owned(), text.to_owned()));
        });
    };
    for (index, destination) in config.destinations.iter().enumerate() {
        of(serde_json::to_value(destination).ok(), format!("destinations[{index}]"));
    }
    for (index, server) in config.authorization_servers.iter().enumerate() {
        of(serde_json::to_value(server).ok(), format!("authorizationServers[{index}]"));
    }
    let passwords =
        config.keystores.iter().enumerate().map(|(index, store)| ("keystores", index, &store.password));
    let others =
        config.truststores.iter().enumerate().map(|(index, store)| ("truststores", index, &store.password));
    for (list, index, password) in passwords.chain(others) {
        if password.is_some() {
            of(serde_json::to_value(password).ok(), format!("{list}[{index}].password"));
        }
    }
    for (index, store) in config.keystores.iter().enumerate() {
        of(serde_json::to_value(&store.key_passwords).ok(), format!("keystores[{index}].keyPasswords"));
        if let Some(account) = store.acme.as_ref().and_then(|acme| acme.external_account.as_ref()) {
            let place = format!("keystores[{index}].acme.externalAccount.key");
            of(serde_json::to_value(&account.key).ok(), place);
        }
    }
    for (index, application) in config.applications.iter().enumerate() {
        if !application.signing_keys.is_empty() {
            let keys = serde_json::to_value(&application.signing_keys).ok();
            of(keys, format!("applications[{index}].signingKeys"));
        }
    }
    for (index, user) in config.users.iter().enumerate() {
        if !user.digest_passwords.is_empty() {
            let passwords = serde_json::to_value(&user.digest_passwords).ok();
            of(passwords, format!("users[{index}].digestPasswords"));
        }
    }
    found
}

/// Reads what `written_references` finds.
fn policy_secrets(
    config: &mut ConfigDoc,
    apis: &[usize],
    assets: Option<&Assets>,
    problems: &mut Diagnostics,
) {
    for (path, reference) in written_references(config, apis.iter().copied()) {
        let Ok(secret) = serde_json::from_value::<Secret>(reference.clone().into()) else { continue };
        match read(&secret, assets) {
            Ok(value) => config.resolved_secrets.insert(&reference, value),
            Err(problem) => problems.push(Diagnostic::error(path, problem)),
        }
    }
}

fn read(secret: &Secret, assets: Option<&Assets>) -> Result<String, String> {
    let value = match secret.source() {
        Some(SecretSource::Env(name)) => std::env::var(name).map_err(|_| {
            format!("the environment variable {name} is not set, or is no text; set it before starting")
        })?,
        Some(SecretSource::File(path)) => {
            fs::read_to_string(path).map_err(|error| format!("the file {path} cannot be read: {error}"))?
        }
        // Byte for byte: whoever wrote it said what it is.
        Some(SecretSource::Kept(name)) => {
            return assets.map_or_else(|| Err(FOR_ASSETS.to_owned()), |assets| assets.secret(name));
        }
        None => return Err("expected a reference such as ${env:NAME} or ${file:/path}".to_owned()),
    };
    usable(value)
}

/// A secret of the environment or of a file, for a command.
pub(crate) fn read_here(secret: &Secret) -> Result<String, String> {
    read(secret, None)
}

fn usable(value: String) -> Result<String, String> {
    let value = value.trim_end_matches(['\r', '\n']).to_owned();
    if value.is_empty() { Err("the secret is empty".to_owned()) } else { Ok(value) }
}
