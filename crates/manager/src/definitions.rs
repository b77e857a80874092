//! API definitions that are kept in the store: read once, and shared by every revision that uses them.

use std::{collections::BTreeMap, sync::Arc};

use definition::{Definition, NoLoader};
use model::{ApiDoc, Diagnostic, Diagnostics};
use store::assets::AssetStore;

use crate::{
    Assets, ChangeError, Held,
    change::{Done, Worked},
    kind,
};

/// What the `definition` of an API begins with that is kept in the store; its hash follows.
pub const DOCUMENT: &str = "document:";

/// Definitions by their hash.
pub(crate) type Definitions = BTreeMap<Arc<str>, Arc<Definition>>;

/// Reads a definition. References to other documents lead nowhere: there is no place beside it.
pub(crate) async fn import(name: &str, content: Vec<u8>) -> Result<Definition, Diagnostics> {
    let called = name.to_owned();
    // Large documents take a while.
    let imported =
        tokio::task::spawn_blocking(move || definition::import(&called, &content, &NoLoader)).await;
    let failed = |problem: String| Diagnostics::from(Diagnostic::error("definition", problem));
    match imported {
        Ok(Ok(definition)) => Ok(definition),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(error) => Err(failed(format!("the import failed: {error}"))),
    }
}

/// The same after a change: where no API has another definition than before, nothing is missing.
pub(crate) async fn complete_changed(
    store: &AssetStore,
    before: &Assets,
    worked: &mut Worked,
) -> Result<(), ChangeError> {
    let location = |held: Option<&Arc<Held>>| {
        held.and_then(|held| held.parsed.typed.downcast_ref::<ApiDoc>()?.definition.clone())
    };
    let is_other = |done: &Done| {
        let after = worked.assets.get(done.kind, &done.name);
        // One that was renamed is found by its id.
        let held = before.get(done.kind, after.map_or(&done.name, |after| &after.id));
        location(held) != location(after)
    };
    if worked.edits.iter().any(is_other) || worked.assets.has_unknown_keys() {
        complete(store, Arc::make_mut(&mut worked.assets)).await?;
    }
    Ok(())
}

/// Sees to it that everything that assets refer to in the store is there: keys of secrets, and all definitions, and no
/// others.
pub(crate) async fn complete(store: &AssetStore, assets: &mut Assets) -> Result<(), ChangeError> {
    if assets.has_unknown_keys() {
        assets.vault.load(store).await.map_err(ChangeError::Store)?;
    }
    let Some(api) = kind("api") else { return Ok(()) };
    let mut wanted = Definitions::new();
    let mut problems = Diagnostics::default();
    let apis: Vec<_> = assets.list(api).cloned().collect();
    for held in apis {
        let doc = held.parsed.typed.downcast_ref::<ApiDoc>();
        let Some(hash) = doc.and_then(|doc| doc.definition.as_deref()?.strip_prefix(DOCUMENT)) else {
            continue;
        };
        if wanted.contains_key(hash) {
            continue;
        }
        let called = format!("api {}", held.parsed.name);
        let definition = match assets.definitions.get(hash) {
            Some(known) => Arc::clone(known),
            None => match store.document(hash).await.map_err(ChangeError::Store)? {
                Some(content) => match import(&held.parsed.name, content).await {
                    Ok(definition) => Arc::new(definition),
                    Err(found) => {
                        problems.0.extend(found.0.into_iter().map(|d| d.in_file(called.clone(), None)));
                        continue;
                    }
                },
                None => {
                    let message = format!("found `{DOCUMENT}{hash}`, but there is no such document");
                    let help = format!("upload it with PUT /api/v1/apis/{}/definition", held.parsed.name);
                    problems.push(Diagnostic::error("definition", message).help(help).in_file(called, None));
                    continue;
                }
            },
        };
        wanted.insert(hash.into(), definition);
    }
    assets.definitions = wanted;
    if problems.is_empty() { Ok(()) } else { Err(ChangeError::Invalid(problems)) }
}
