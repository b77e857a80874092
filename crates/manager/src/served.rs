//! The APIs of a revision as configurations have them. The list is made once, and those of later revisions are made of it: where
//! APIs changed and none came or went, all but a few parts of the list are shared.

use std::sync::{Arc, Mutex, PoisonError};

use definition::Definition;
use model::{ApiDefinition, ApiDoc, Parts};

use crate::{Assets, DOCUMENT, Held, ordered::OrderedMap};

/// The APIs of one revision.
#[derive(Debug, Clone, Default)]
pub struct ServedApis {
    /// Those that are served, by name.
    pub docs: Parts<Arc<ApiDoc>>,
    /// What they have as their definitions in the store, by their position.
    pub definitions: Parts<Option<Arc<Definition>>>,
    /// The same, as far as it governs requests.
    pub governing: Parts<Option<Arc<ApiDefinition>>>,
    /// Those that refer to something, be they served or not, with their places among all APIs.
    referring: Vec<(usize, Arc<Held>)>,
    /// Places of those that are not served, among all APIs.
    unserved: Vec<usize>,
    /// All APIs that this was made of.
    of: OrderedMap<Arc<Held>>,
    /// A definition was not at hand that the store has.
    lacks_some: bool,
}

impl ServedApis {
    /// Those that refer to something, be they served or not.
    pub fn referring(&self) -> impl Iterator<Item = &Arc<Held>> {
        self.referring.iter().map(|(_, held)| held)
    }

    /// Positions of those that are served and refer to something.
    pub fn referring_positions(&self) -> impl Iterator<Item = usize> {
        self.referring.iter().filter_map(|(place, _)| self.position(*place))
    }

    /// The position of an API that is served, by its place among all.
    fn position(&self, place: usize) -> Option<usize> {
        self.unserved.binary_search(&place).err().map(|before| place - before)
    }

    fn definition<'a>(
        &mut self,
        assets: &'a Assets,
        held: &'a Held,
        doc: &ApiDoc,
    ) -> Option<&'a Arc<Definition>> {
        let found = assets.definition(held);
        let is_kept = doc.definition.as_deref().is_some_and(|location| location.starts_with(DOCUMENT));
        self.lacks_some |= is_kept && found.is_none();
        found
    }

    fn new(assets: &Assets, refers: impl Fn(&Held) -> bool) -> Self {
        let mut made = Self { of: assets.apis().clone(), ..Self::default() };
        for (place, held) in assets.apis().values().enumerate() {
            if refers(held) {
                made.referring.push((place, Arc::clone(held)));
            }
            let Some(doc) = served(held) else {
                made.unserved.push(place);
                continue;
            };
            let definition = made.definition(assets, held, &doc);
            made.governing.push(definition.map(|definition| Arc::clone(&definition.api)));
            made.definitions.push(definition.cloned());
            made.docs.push(doc);
        }
        made
    }

    /// The same for a later revision; `None` where an API came, went, or is served where it was not.
    fn changed(&self, assets: &Assets, refers: impl Fn(&Held) -> bool) -> Option<Self> {
        let changed = assets.apis().changed_since(&self.of, Arc::ptr_eq).filter(|_| !self.lacks_some)?;
        let mut made = Self { of: assets.apis().clone(), ..self.clone() };
        for (place, held) in changed {
            let known = made.referring.binary_search_by_key(&place, |(place, _)| *place);
            match (refers(held), known) {
                (true, Ok(at)) => made.referring[at].1 = Arc::clone(held),
                (true, Err(at)) => made.referring.insert(at, (place, Arc::clone(held))),
                (false, Ok(at)) => drop(made.referring.remove(at)),
                (false, Err(_)) => {}
            }
            match (served(held), self.position(place)) {
                (Some(doc), Some(position)) => {
                    let definition = made.definition(assets, held, &doc);
                    *made.governing.get_mut(position)? = definition.map(|found| Arc::clone(&found.api));
                    *made.definitions.get_mut(position)? = definition.cloned();
                    *made.docs.get_mut(position)? = doc;
                }
                (None, None) => {}
                _ => return None,
            }
        }
        Some(made)
    }
}

fn served(held: &Held) -> Option<Arc<ApiDoc>> {
    let doc = Arc::clone(&held.parsed.typed).downcast::<ApiDoc>().ok();
    doc.filter(|api| api.is_served())
}

/// The last list that somebody asked for. Clones of assets have it, so that theirs can be made of it.
#[derive(Debug, Default)]
pub(crate) struct LastServed(Mutex<Option<Arc<ServedApis>>>);

impl Clone for LastServed {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()))
    }
}

impl Assets {
    /// The APIs as configurations have them, with all definitions at hand. `refers` tells which refer to something that is
    /// looked up anew each time; it is asked once for each API.
    pub fn served_apis(&self, refers: impl Fn(&Held) -> bool) -> Arc<ServedApis> {
        let refers = |held: &Held| *held.refers.get_or_init(|| refers(held));
        let mut last = self.last_served.0.lock().unwrap_or_else(PoisonError::into_inner);
        let made = last.as_ref().and_then(|last| last.changed(self, refers));
        let made = Arc::new(made.unwrap_or_else(|| ServedApis::new(self, refers)));
        *last = Some(Arc::clone(&made));
        made
    }
}

#[cfg(test)]
mod tests {
    use store::assets::AssetVersion;

    use super::*;

    fn put(assets: &mut Assets, number: u32, document: Option<String>) {
        let version = AssetVersion {
            kind: "api".into(),
            id: format!("id-{number}"),
            name: format!("a{number:04}:1.0"),
            revision: 1,
            created_at: 0,
            changed_at: 0,
            author: String::new(),
            reason: None,
            document,
            sealed: None,
        };
        assets.apply(version).expect("it is valid");
    }

    fn api(number: u32, description: &str, rest: &str) -> Option<String> {
        Some(format!(r#"{{"name": "a{number:04}", "description": "{description}"{rest}}}"#))
    }

    /// Everything that configurations ask.
    fn told(apis: &ServedApis) -> (Vec<String>, Vec<usize>, Vec<String>) {
        let docs = apis.docs.iter().map(|doc| format!("{:?} {:?}", doc.name, doc.description));
        let referring = apis.referring().map(|held| held.parsed.name.clone());
        (docs.collect(), apis.referring_positions().collect(), referring.collect())
    }

    #[test]
    fn a_later_list_is_what_would_be_made_from_nothing() {
        let refers = |held: &Held| held.parsed.document.to_string().contains("${env:A}");
        let mut assets = Assets::default();
        (0..700).for_each(|number| put(&mut assets, number, api(number, "first", "")));
        let steps: [(u32, Option<String>); 14] = [
            (3, api(3, "changed", "")),
            (300, api(300, "${env:A}", "")),
            (301, api(301, "is not served", r#", "inactive": true"#)),
            (302, api(302, "changed", "")),
            (299, api(299, "${env:A}", "")),
            (301, api(301, "${env:A} and is not served", r#", "inactive": true"#)),
            (301, api(301, "still is not", r#", "inactive": true"#)),
            (300, api(300, "refers to nothing", "")),
            (301, api(301, "is served again", "")),
            (5, None),
            (699, api(699, "changed", "")),
            (5, api(5, "is there again", "")),
            (800, api(800, "new", "")),
            (0, api(0, "changed", "")),
        ];
        assets.served_apis(refers);
        for (step, (number, document)) in steps.into_iter().enumerate() {
            let mut after = assets.clone();
            put(&mut after, number, document);
            let found = told(&after.served_apis(refers));
            assert_eq!(found, told(&ServedApis::new(&after, refers)), "step {step}");
            assert_eq!(told(&after.served_apis(refers)), found, "asked again");
            assets = after;
        }
    }

    #[test]
    fn a_change_among_many_shares_all_other_parts() {
        let mut assets = Assets::default();
        (0..700).for_each(|number| put(&mut assets, number, api(number, "first", "")));
        let before = assets.served_apis(|_| false);
        let mut after = assets.clone();
        put(&mut after, 300, api(300, "changed", ""));
        let after = after.served_apis(|_| false);
        let shared = before.docs.parts().iter().zip(after.docs.parts()).map(|(a, b)| Arc::ptr_eq(a, b));
        assert_eq!(shared.collect::<Vec<_>>(), [true, false, true]);
    }
}
