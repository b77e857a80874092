//! API definitions named by a configuration, from files and URLs.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use definition::{Definition, FileLoader, NoLoader};
use model::{ConfigDoc, Diagnostic, Diagnostics, Settings};

use super::references;
use crate::client;

/// Loads the definition of an API that is not in the store: one of the node's own, or of an asset. The files that it was read from
/// are added to `files`.
pub(super) async fn load(
    config: &ConfigDoc,
    index: usize,
    is_own: bool,
    files: &mut Vec<PathBuf>,
    problems: &mut Diagnostics,
) -> Option<Arc<Definition>> {
    let location = config.apis.get(index)?.definition.as_ref()?;
    let read = if is_own { read(location).await } else { read_for_assets(location, &config.settings).await };
    match read {
        Ok(definition) => {
            if !location.contains("://") {
                let directory = Path::new(location).parent().unwrap_or(Path::new("."));
                files.push(PathBuf::from(location));
                files.extend(definition.documents.iter().skip(1).map(|d| directory.join(&d.location)));
            }
            Some(Arc::new(definition))
        }
        Err(problem) => {
            problems.push(Diagnostic::error(format!("apis[{index}].definition"), problem));
            None
        }
    }
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
