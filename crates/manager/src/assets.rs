//! All assets of one revision, in memory. Immutable: a change makes another one, which shares what did not change.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock, atomic::AtomicBool},
};

use definition::Definition;
use model::{ApiDoc, Diagnostics};
use store::assets::{Asset, AssetVersion, Head};

use crate::{
    KINDS, Kind, Parsed,
    definitions::{DOCUMENT, Definitions},
    kind,
    ordered::OrderedMap,
    served::LastServed,
    vault::Vault,
};

/// Kinds with something in them that is encrypted.
pub(crate) const SEALED: [&str; 3] = ["secret", "keystore", "truststore"];

/// An asset.
#[derive(Debug)]
pub struct Held {
    pub kind: &'static Kind,
    pub id: String,
    pub revision: u64,
    /// Microseconds since 1970.
    pub created_at: u64,
    pub changed_at: u64,
    pub parsed: Parsed,
    /// What of it is secret, encrypted.
    pub(crate) sealed: Option<String>,
    /// This node has looked at what it refers to, and may use all of it. What the node allows does not change.
    pub looked_at: AtomicBool,
    /// Whether it refers to something that is looked up anew each time, once somebody has asked.
    pub(crate) refers: OnceLock<bool>,
    /// The definition that it has in the store, once somebody has asked for it: what a document's hash stands for never
    /// changes.
    pub(crate) definition: OnceLock<Arc<Definition>>,
}

impl Held {
    /// Whether it has a secret that is not shown.
    pub fn has_secret(&self) -> bool {
        self.sealed.is_some()
    }

    /// What its secret is bound to.
    pub(crate) fn bound_to(&self) -> [&str; 3] {
        [self.kind.name, &self.id, &self.parsed.name]
    }
}

impl std::fmt::Debug for Parsed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

/// All assets of one revision.
#[derive(Debug, Clone, Default)]
pub struct Assets {
    pub revision: u64,
    /// The epoch of the store that they are of.
    pub epoch: u64,
    /// Shared with the revision before until something of the kind changes.
    lists: BTreeMap<&'static str, Arc<List>>,
    /// What they refer to in the store.
    pub(crate) definitions: Definitions,
    pub(crate) vault: Arc<Vault>,
    pub(crate) last_served: LastServed,
}

/// The assets of a kind. A set of thousands looks each of them up.
#[derive(Debug, Clone, Default)]
struct List {
    by_name: OrderedMap<Arc<Held>>,
    /// Names by id.
    names: OrderedMap<Arc<str>>,
}

impl Assets {
    /// What was read from the store. Documents that this version does not understand are left out and told.
    pub fn read(head: Head, assets: Vec<Asset>) -> (Self, Diagnostics) {
        let mut whole = Self { revision: head.revision, epoch: head.epoch, ..Self::default() };
        let mut problems = Diagnostics::default();
        for asset in assets {
            let version = AssetVersion {
                kind: asset.kind,
                id: asset.id,
                name: asset.name,
                revision: asset.revision,
                created_at: asset.created_at,
                changed_at: asset.changed_at,
                author: String::new(),
                reason: None,
                document: Some(asset.document),
                sealed: asset.sealed,
            };
            if let Err(found) = whole.apply(version) {
                problems.0.extend(found.0);
            }
        }
        (whole, problems)
    }

    /// Takes over what another node has changed.
    pub fn apply(&mut self, version: AssetVersion) -> Result<(), Diagnostics> {
        let called = format!("{} {}", version.kind, version.name);
        let named = |problems: Diagnostics| {
            Diagnostics(problems.0.into_iter().map(|d| d.in_file(called.clone(), None)).collect())
        };
        let unknown = |message: String| named(model::Diagnostic::error("", message).into());
        let Some(kind) = kind(&version.kind) else {
            return Err(unknown("this version of Gatewright knows no such kind of asset".into()));
        };
        self.remove(kind, &version.id);
        let Some(document) = version.document else { return Ok(()) };
        let document = serde_json::from_str(&document).map_err(|error| unknown(error.to_string()))?;
        let parsed = kind.parse(document).map_err(named)?;
        self.put(Held {
            kind,
            id: version.id,
            revision: version.revision,
            created_at: version.created_at,
            changed_at: version.changed_at,
            parsed,
            sealed: version.sealed,
            looked_at: AtomicBool::new(false),
            refers: OnceLock::new(),
            definition: OnceLock::new(),
        });
        Ok(())
    }

    pub(crate) fn put(&mut self, held: Held) {
        let (name, id): (Arc<str>, Arc<str>) = (held.parsed.name.as_str().into(), held.id.as_str().into());
        let list = Arc::make_mut(self.lists.entry(held.kind.list).or_default());
        list.names.insert(id, Arc::clone(&name));
        list.by_name.insert(name, Arc::new(held));
    }

    /// Takes an asset out by its id, whatever its name was.
    pub(crate) fn remove(&mut self, kind: &Kind, id: &str) {
        if let Some(list) = self.lists.get_mut(kind.list).filter(|list| list.names.contains_key(id))
            && let list = Arc::make_mut(list)
            && let Some(name) = list.names.remove(id)
            // Another one may have taken the name meanwhile.
            && list.by_name.get(&name).is_some_and(|held| held.id == id)
        {
            list.by_name.remove(&name);
        }
    }

    /// The definition of an API that is kept in the store.
    pub fn definition<'a>(&'a self, api: &'a Held) -> Option<&'a Arc<Definition>> {
        if let Some(known) = api.definition.get() {
            return Some(known);
        }
        let location = api.parsed.typed.downcast_ref::<ApiDoc>()?.definition.as_deref()?;
        let kept = self.definitions.get(location.strip_prefix(DOCUMENT)?)?;
        Some(api.definition.get_or_init(|| Arc::clone(kept)))
    }

    /// An asset by its name, or by its id.
    pub fn get(&self, kind: &Kind, name: &str) -> Option<&Arc<Held>> {
        let list = self.lists.get(kind.list)?;
        list.by_name.get(name).or_else(|| list.by_name.get(list.names.get(name)?))
    }

    /// Whether an asset has this name; an id is none.
    pub fn has_name(&self, kind: &Kind, name: &str) -> bool {
        self.lists.get(kind.list).is_some_and(|list| list.by_name.contains_key(name))
    }

    /// The assets of a kind, by name.
    pub fn list(&self, kind: &Kind) -> impl Iterator<Item = &Arc<Held>> {
        self.lists.get(kind.list).into_iter().flat_map(|list| list.by_name.values())
    }

    /// All APIs, by name.
    pub(crate) fn apis(&self) -> &OrderedMap<Arc<Held>> {
        static NONE: OrderedMap<Arc<Held>> = OrderedMap::new();
        kind("api").and_then(|kind| self.lists.get(kind.list)).map_or(&NONE, |list| &list.by_name)
    }

    /// All assets, in the order of their kinds.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Held>> {
        KINDS.iter().flat_map(|kind| self.list(kind))
    }

    /// Whether something was encrypted under a key that was not there when keys were read.
    pub(crate) fn has_unknown_keys(&self) -> bool {
        let secrets = SEALED.iter().filter_map(|name| kind(name)).flat_map(|kind| self.list(kind));
        secrets.filter_map(|held| held.sealed.as_ref()).any(|sealed| !self.vault.knows(sealed))
    }

    /// The value of a secret, for whoever compiles what refers to it.
    pub fn secret(&self, name: &str) -> Result<String, String> {
        let held =
            kind("secret").and_then(|kind| self.get(kind, name)).filter(|held| held.parsed.name == name);
        let held = held.ok_or_else(|| {
            format!("there is no secret `{name}`; make it with POST /api/v1/secrets, or in `secrets` of what you apply")
        })?;
        let sealed = held.sealed.as_ref().ok_or_else(|| {
            format!("the secret `{name}` has no value yet; PATCH /api/v1/secrets/{name} with a `value` gives it one")
        })?;
        self.vault
            .open(held.bound_to(), sealed)
            .map_err(|error| format!("the secret `{name}` cannot be read: {error}"))
    }

    /// Whether anything can be kept that is secret; or why not.
    pub fn keeps_secrets(&self) -> Result<(), String> {
        self.vault.lacks_key().map_or(Ok(()), |error| Err(error.to_string()))
    }

    /// What is in a keystore or truststore; nothing when it is in a file.
    pub fn content(&self, kind_name: &str, name: &str) -> Option<Result<String, String>> {
        let held = self.get(kind(kind_name)?, name).filter(|held| held.parsed.name == name)?;
        let sealed = held.sealed.as_ref()?;
        let opened = self.vault.open(held.bound_to(), sealed);
        Some(opened.map_err(|error| format!("its content cannot be read: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(id: &str, name: &str, document: Option<&str>) -> AssetVersion {
        AssetVersion {
            kind: "application".into(),
            id: id.into(),
            name: name.into(),
            revision: 1,
            created_at: 0,
            changed_at: 0,
            author: String::new(),
            reason: None,
            document: document.map(Into::into),
            sealed: None,
        }
    }

    #[test]
    fn what_others_changed_is_taken_over_in_any_order() {
        let kind = kind("application").unwrap();
        let (a, b) = (r#"{"name": "a"}"#, r#"{"name": "b"}"#);
        let mut assets = Assets::default();
        assets.apply(version("1", "a", Some(a))).unwrap();
        // One was deleted and another one has its name; the new one is heard of first.
        assets.apply(version("2", "a", Some(a))).unwrap();
        assets.apply(version("1", "a", None)).unwrap();
        assert_eq!(assets.get(kind, "a").unwrap().id, "2");
        // Renamed: found by the new name and by its id, and by the old name no more.
        assets.apply(version("2", "b", Some(b))).unwrap();
        assert!(assets.get(kind, "a").is_none() && assets.get(kind, "1").is_none());
        assert_eq!(assets.get(kind, "2").unwrap().parsed.name, "b");
        assert_eq!(assets.list(kind).count(), 1);
        // What this version does not know is told, and nothing else is lost.
        let unknown = AssetVersion { kind: "planet".into(), ..version("3", "x", Some("{}")) };
        assert!(assets.apply(unknown).unwrap_err().to_string().contains("planet x"));
        assert!(assets.apply(version("4", "c", Some("{"))).is_err());
        assert_eq!(assets.all().count(), 1);
    }
}
