//! API definitions named by a configuration, from files and URLs.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use definition::{Definition, FileLoader, NoLoader};
use engine::compile::ApiDefinition;
use manager::Assets;
use model::{ConfigDoc, Diagnostic, Diagnostics, settings::PrivateAddresses};

use super::references;
use crate::client;

/// Loads all definitions; the second value names the files they were read from. The APIs that come first are the node's
/// own; the others are assets, and whoever may change those does not therefore reach into the network of the node.
pub(super) async fn load(
    config: &ConfigDoc,
    own: usize,
    assets: Option<&Assets>,
    problems: &mut Diagnostics,
) -> (Vec<Option<Arc<Definition>>>, Vec<PathBuf>) {
    let mut definitions = Vec::with_capacity(config.apis.len());
    let mut files = Vec::new();
    for (index, api) in config.apis.iter().enumerate() {
        let Some(location) = &api.definition else {
            definitions.push(None);
            continue;
        };
        if let Some(kept) = assets.and_then(|assets| assets.definition(location)) {
            definitions.push(Some(Arc::clone(kept)));
            continue;
        }
        let allowed = &config.settings.manager.references;
        let read = if index < own || references::allows_url(allowed, location) {
            read(location).await
        } else {
            read_public(location, &config.settings.private_addresses).await
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

/// Reads one definition from a URL that may lead to no private address, whatever it redirects to.
async fn read_public(location: &str, private: &PrivateAddresses) -> Result<Definition, String> {
    let bytes =
        client::fetch_public(location, private).await.map_err(|error| format!("{location}: {error}"))?;
    import(location, &bytes)
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

/// What the engine needs of a definition.
pub(super) fn for_engine(definition: &Definition) -> ApiDefinition {
    ApiDefinition {
        title: definition.title.clone(),
        version: definition.version.clone(),
        servers: definition.servers.clone(),
        operations: Arc::clone(&definition.operations),
        sources: Some(Arc::clone(&definition.sources)),
        fingerprint: definition.fingerprint,
    }
}
