//! What assets may refer to on this node. Whoever may change an API may not therefore read every file and every
//! environment variable of the gateway, and send it somewhere.

use std::sync::atomic::Ordering;

use manager::{Assets, DOCUMENT, Held, KINDS};
use model::{Diagnostic, Diagnostics, SecretDoc, diagnostic::join, secret::SecretSource, usable_by::fits};
use serde_json::Value;

use super::resolve;

/// Everything that an asset refers to outside of the store, and the secrets in it, with the paths of these references.
fn references(held: &Held) -> Vec<(String, String)> {
    let mut found = Vec::new();
    SecretSource::each_in(&held.parsed.document, "", &mut |path, _, source| {
        found.push((path.to_owned(), source.to_string()));
    });
    let mut files = Vec::new();
    resolve::named_files(&held.parsed.document, "", &mut files);
    if WITH_FILES.contains(&held.kind.name) {
        own_files(&held.parsed.document, "", &mut files);
    }
    found.extend(files.into_iter().map(|(path, name)| (path, format!("file:{name}"))));
    found
}

/// Whether something has to be looked up for an API each time that a configuration is made.
pub(super) fn refers(held: &Held) -> bool {
    let definition = held.parsed.document.get("definition").and_then(Value::as_str);
    definition.is_some_and(|location| !location.starts_with(DOCUMENT)) || !references(held).is_empty()
}

/// Every reference of an asset that the settings do not allow.
pub(crate) fn refused(assets: &Assets, allowed: &[String]) -> Diagnostics {
    let mut problems = Diagnostics::default();
    let secrets = manager::kind("secret");
    let apis = assets.served_apis(refers);
    let others = KINDS.iter().filter(|kind| kind.name != "api").flat_map(|kind| assets.list(kind));
    for held in others.chain(apis.referring()) {
        // What refers to a secret stays to be looked at: what a secret allows may change.
        if held.looked_at.load(Ordering::Relaxed) {
            continue;
        }
        let mut found = references(held);
        found.retain(|(_, reference)| {
            reference.starts_with("secret:") || !allowed.iter().any(|pattern| fits(pattern, reference))
        });
        held.looked_at.store(found.is_empty(), Ordering::Relaxed);
        for (path, reference) in found {
            if let Some(name) = reference.strip_prefix("secret:") {
                // That there is none is told by whoever reads it.
                let secret = secrets.and_then(|kind| assets.get(kind, name));
                let doc = secret.and_then(|secret| secret.parsed.typed.downcast_ref::<SecretDoc>());
                let user = format!("{}:{}", held.kind.name, held.parsed.name);
                let may = |doc: &SecretDoc| {
                    doc.usable_by.is_empty() || doc.usable_by.iter().any(|pattern| fits(pattern, &user))
                };
                if !doc.is_none_or(may) {
                    let problem = Diagnostic::error(
                        path,
                        format!("found `{reference}`, which `{user}` may not refer to"),
                    )
                    .help("who may is in usableBy of the secret")
                    .in_file(format!("{} {}", held.kind.name, held.parsed.name), None);
                    problems.push(problem);
                }
                continue;
            }
            let problem =
                Diagnostic::error(path, format!("found `{reference}`, which assets may not refer to"))
                    .help("what they may is in settings.manager.references of the node's configuration file")
                    .in_file(format!("{} {}", held.kind.name, held.parsed.name), None);
            problems.push(problem);
        }
    }
    problems
}

/// Whether the settings let assets have definitions from there.
pub(crate) fn allows_url(allowed: &[String], url: &str) -> bool {
    let reference = format!("url:{url}");
    allowed.iter().any(|pattern| fits(pattern, &reference))
}

/// Kinds that name files themselves: certificates and their keys.
const WITH_FILES: [&str; 5] = ["listener", "upstream", "authorizationServer", "keystore", "truststore"];

/// What is under `certificateFile`, `keyFile`, `file` and so on.
fn own_files(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                match value {
                    Value::String(name) if key == "file" || key.ends_with("File") => {
                        found.push((join(path, key), name.clone()));
                    }
                    _ => own_files(value, &join(path, key), found),
                }
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                own_files(value, &format!("{path}[{index}]"), found);
            }
        }
        _ => {}
    }
}
