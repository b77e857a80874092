//! What assets refer to, so that one can be taken elsewhere with everything that it needs.

use std::{
    borrow::Cow,
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use serde_json::Value;

use crate::{Assets, Held, kind};

/// Keys of documents whose values are names of assets, and of which kind. A value that is no such name is something else,
/// such as a URL.
const KEYS: [(&str, &str); 18] = [
    ("server", "authorizationServer"),
    ("servers", "authorizationServer"),
    ("upstream", "upstream"),
    ("upstreams", "upstream"),
    ("destination", "destination"),
    ("destinations", "destination"),
    ("templates", "policyTemplate"),
    ("apis", "api"),
    ("api", "api"),
    ("application", "application"),
    ("plan", "plan"),
    ("plans", "plan"),
    ("wantedPlan", "plan"),
    ("keystore", "keystore"),
    ("truststore", "truststore"),
    ("clientTruststore", "truststore"),
    ("groups", "group"),
    ("teams", "team"),
];

/// These assets, and everything that they refer to, and so on; in the order of their kinds.
pub(crate) fn with_dependencies(assets: &Assets, wanted: Vec<Arc<Held>>) -> Vec<Arc<Held>> {
    let mut seen = BTreeSet::new();
    let mut queue = VecDeque::from(wanted);
    while let Some(held) = queue.pop_front() {
        if seen.insert((held.kind.list, held.id.clone())) {
            let mut found = Vec::new();
            let mut document = Cow::Borrowed(&held.parsed.document);
            // Groups of APIs are words, and no groups of users.
            if held.kind.name == "api"
                && document.get("groups").is_some()
                && let Some(document) = document.to_mut().as_object_mut()
            {
                document.shift_remove("groups");
            }
            walk(assets, &document, None, &mut found);
            queue.extend(found);
        }
    }
    let all = assets.all().filter(|held| seen.contains(&(held.kind.list, held.id.clone())));
    all.cloned().collect()
}

/// `of` is the kind of asset that texts here name.
fn walk(assets: &Assets, value: &Value, of: Option<&str>, found: &mut Vec<Arc<Held>>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let of = KEYS.iter().find(|(known, _)| known == key).map(|(_, kind)| *kind);
                walk(assets, value, of, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| walk(assets, value, of, found)),
        Value::String(text) => {
            if let Some(kind) = of.and_then(kind) {
                // An application names an API with its version, or all versions of it.
                let versions = format!("{text}:");
                let named = |held: &&Arc<Held>| {
                    held.parsed.name == *text
                        || (kind.name == "api" && held.parsed.name.starts_with(&versions))
                };
                found.extend(assets.list(kind).filter(named).cloned());
            }
            for name in text.split("${").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name)
            {
                let (kind_name, name) = name.split_once(':').unwrap_or(("alias", name));
                let is_known = ["alias", "secret"].contains(&kind_name);
                let referred = kind(kind_name).filter(|_| is_known).and_then(|kind| assets.get(kind, name));
                found.extend(referred.filter(|held| held.parsed.name == name).cloned());
            }
        }
        _ => {}
    }
}
