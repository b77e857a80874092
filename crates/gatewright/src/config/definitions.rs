//! API definitions named by a configuration, from files and URLs.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use definition::{Definition, FileLoader, NoLoader};
use model::{ConfigDoc, Diagnostic, Diagnostics, Settings};

use super::references;
use crate::client;

/// Loads all definitions; the second value names the files they were read from. The APIs that come first are the node's
/// own; the others are assets, and have these definitions in the store.
pub(super) async fn load(
    config: &ConfigDoc,
    own: usize,
    kept: Vec<Option<Arc<Definition>>>,
    problems: &mut Diagnostics,
) -> (Vec<Option<Arc<Definition>>>, Vec<PathBuf>) {
    let mut definitions = Vec::with_capacity(config.apis.len());
    let mut files = Vec::new();
    let kept = std::iter::repeat_n(None, own).chain(kept);
    for ((index, api), kept) in config.apis.iter().enumerate().zip(kept) {
        if kept.is_some() {
            definitions.push(kept);
            continue;
        }
        let Some(location) = &api.definition else {
            definitions.push(None);
            continue;
        };
        let read = if index < own {
            read(location).await
        } else {
            read_for_assets(location, &config.settings).await
        };
        match read {
            Ok(definition) => {
                if !location.contains("://") {
                    let directory = Path::new(location).parent().unwrap_or(Path::new("."));
                    files.push(PathBuf::from(location));
                    files.extend(definition.documents.iter().skip(1).map(|d| directory.join(&d.location)));
                }
                definitions.push(Some(Arc::new(definition)));
            }
            Err(problem) => {
                problems.push(Diagnostic::error(format!("apis[{index}].definition"), problem));
                definitions.push(None);
            }
        }
    }
    (definitions, files)
}

/// Reads one definition for whoever manages APIs, who does not therefore reach into the network of the node: from a URL
/// that may lead to no private address, whatever it redirects to, or from one that the settings allow.
pub async fn read_for_assets(location: &str, settings: &Settings) -> Result<Definition, String> {
    if references::allows_url(&settings.manager.references, location) {
        return read(location).await;
    }
    let fetched = client::fetch_public(location, &settings.private_addresses).await;
    import(location, &fetched.map_err(|error| format!("{location}: {error}"))?)
}

/// References of a document from the network lead nowhere: they could reach into places that its author cannot reach,
/// but this machine can.
fn import(location: &str, bytes: &[u8]) -> Result<Definition, String> {
    definition::import(location, bytes, &NoLoader).map_err(|error| format!("{location}: {error}"))
}

/// Reads one definition from a path or a URL.
pub async fn read(location: &str) -> Result<Definition, String> {
    if location.contains("://") {
        let bytes = client::fetch(location).await.map_err(|error| format!("{location}: {error}"))?;
        return import(location, &bytes);
    }
    let path = PathBuf::from(location);
    let name = location.to_owned();
    let imported = tokio::task::spawn_blocking(move || {
        let bytes = std::fs::read(&path).map_err(|error| format!("{name}: {error}"))?;
        definition::import(&name, &bytes, &FileLoader::beside(&path))
            .map_err(|error| format!("{name}: {error}"))
    });
    imported.await.map_err(|error| format!("{location}: the import failed: {error}"))?
}
