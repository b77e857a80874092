//! All assets of one revision, in memory. Immutable: a change makes another one, which shares what did not change.

use std::{collections::BTreeMap, sync::Arc};

use definition::Definition;
use model::{ConfigDoc, Diagnostics};
use store::assets::{Asset, AssetVersion};

use crate::{
    KINDS, Kind, Parsed,
    definitions::{DOCUMENT, Definitions},
    kind,
};

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
    /// By list and name.
    lists: BTreeMap<&'static str, BTreeMap<Arc<str>, Arc<Held>>>,
    /// What they refer to in the store.
    pub(crate) definitions: Definitions,
}

impl Assets {
    /// What was read from the store. Documents that this version does not understand are left out and told.
    pub fn read(revision: u64, assets: Vec<Asset>) -> (Self, Diagnostics) {
        let mut whole = Self { revision, ..Self::default() };
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
        });
        Ok(())
    }

    pub(crate) fn put(&mut self, held: Held) {
        let name = Arc::from(&*held.parsed.name);
        self.lists.entry(held.kind.list).or_default().insert(name, Arc::new(held));
    }

    /// Takes an asset out by its id, whatever its name was.
    pub(crate) fn remove(&mut self, kind: &Kind, id: &str) {
        if let Some(list) = self.lists.get_mut(kind.list) {
            list.retain(|_, held| held.id != id);
        }
    }

    /// A definition that is kept in the store, by what the API says about it.
    pub fn definition(&self, location: &str) -> Option<&Arc<Definition>> {
        self.definitions.get(location.strip_prefix(DOCUMENT)?)
    }

    /// An asset by its name, or by its id.
    pub fn get(&self, kind: &Kind, name: &str) -> Option<&Arc<Held>> {
        let list = self.lists.get(kind.list)?;
        list.get(name).or_else(|| list.values().find(|held| held.id == name))
    }

    /// The assets of a kind, by name.
    pub fn list(&self, kind: &Kind) -> impl Iterator<Item = &Arc<Held>> {
        self.lists.get(kind.list).into_iter().flat_map(BTreeMap::values)
    }

    /// All assets, in the order of their kinds.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Held>> {
        KINDS.iter().flat_map(|kind| self.list(kind))
    }

    /// Adds them to a configuration, kind by kind, by name.
    pub fn add_to(&self, config: &mut ConfigDoc) {
        for held in self.all() {
            held.kind.append(config, &*held.parsed.typed);
        }
    }
}
