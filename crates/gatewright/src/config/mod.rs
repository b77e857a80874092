//! Configuration from files: found, parsed, checked as a whole, with everything loaded that it refers to.

pub mod definitions;
mod files;
mod key_material;
pub(crate) mod references;
pub(crate) mod resolve;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering::Relaxed},
};

use definition::Definition;
use engine::compile::Input;
use manager::Assets;
use model::{ApiDoc, ConfigDoc, Diagnostic, Diagnostics, ListenerDoc, SharedSettingsDoc};

use files::Origins;

/// Where configuration comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A file, or a folder of files that are added up.
    Path(PathBuf),
    /// A document that was made in memory; paths in it are relative to the directory.
    Memory { config: Box<ConfigDoc>, directory: PathBuf },
}

/// A configuration with everything that it refers to.
#[derive(Debug)]
pub struct Loaded {
    pub input: Input,
    /// The definitions as they came, by the position of their API.
    pub definitions: Arc<[Option<Arc<Definition>>]>,
    pub warnings: Vec<Diagnostic>,
    /// Files whose change is a change of the configuration.
    pub files: Vec<PathBuf>,
    origins: Origins,
}

impl Loaded {
    /// Says in which file, and where in it, a problem of the whole configuration is.
    pub fn locate(&self, problems: Diagnostics) -> Diagnostics {
        Diagnostics(problems.0.into_iter().map(|p| self.origins.locate(p)).collect())
    }
}

/// Loads a configuration. Everything that is wrong with it is reported.
pub async fn load(source: &Source) -> Result<Loaded, Diagnostics> {
    load_whole(source, None, &BTreeMap::new()).await
}

/// The same with assets added to what the files say.
pub async fn load_with_assets(source: &Source, assets: Option<&Arc<Assets>>) -> Result<Loaded, Diagnostics> {
    load_whole(source, assets, &BTreeMap::new()).await
}

/// The same with secrets that are given, by the name of the environment variable or the path of the file.
pub async fn load_with_secrets(
    source: &Source,
    secrets: &BTreeMap<String, String>,
) -> Result<Loaded, Diagnostics> {
    load_whole(source, None, secrets).await
}

async fn load_whole(
    source: &Source,
    assets: Option<&Arc<Assets>>,
    secrets: &BTreeMap<String, String>,
) -> Result<Loaded, Diagnostics> {
    let (mut config, mut origins, mut files, directory) = match source {
        Source::Path(path) => {
            let read = files::read(path)?;
            (read.config, read.origins, read.files, directory_of(path))
        }
        Source::Memory { config, directory } => {
            ((**config).clone(), Origins::default(), Vec::new(), directory.clone())
        }
    };
    let mut problems = Diagnostics::default();
    resolve::secrets_in_files(&config, &mut problems);
    let served: Vec<bool> = config.apis.iter().map(|api| api.is_served()).collect();
    config.apis.retain(|api| api.is_served());
    origins.retain("apis", &served);
    let own = config.apis.len();
    // Of thousands of APIs in the store hardly any has to be read again.
    let mut referring: Vec<usize> = (0..own).collect();
    let mut kept = Vec::new();
    if let Some(assets) = assets {
        kept = add(assets, &mut config, &mut referring);
        origins.go_on(Arc::clone(assets));
    }
    let assets = assets.map(|assets| &**assets);
    resolve::paths(&mut config, referring.iter().copied(), &directory);
    resolve::secrets(&mut config, &referring, secrets, assets, &mut problems);
    key_material::open(&mut config, assets, &mut problems);
    files.append(&mut resolve::policy_files(&mut config, &referring, &directory, &mut problems));
    if config.listeners.is_empty() {
        config.listeners.push(default_listener());
    }
    let (definitions, mut found) = definitions::load(&config, own, kept, &mut problems).await;
    files.append(&mut found);
    files.extend(resolve::certificate_files(&config));
    let problems = Diagnostics(problems.0.into_iter().map(|p| origins.locate(p)).collect());
    if problems.has_errors() {
        return Err(problems);
    }
    let governing = definitions.iter().map(|definition| Some(Arc::clone(&definition.as_ref()?.api)));
    let input = Input { config, definitions: governing.collect() };
    Ok(Loaded { input, definitions: definitions.into(), warnings: problems.0, files, origins })
}

/// Adds assets, kind by kind, by name. Places of APIs that may refer to something are added to `referring`; returned are the
/// definitions that APIs have in the store, in the order of the APIs.
fn add(assets: &Assets, config: &mut ConfigDoc, referring: &mut Vec<usize>) -> Vec<Option<Arc<Definition>>> {
    let mut definitions = Vec::new();
    for held in assets.all() {
        let typed = &held.parsed.typed;
        if typed.downcast_ref::<ApiDoc>().is_some_and(|api| !api.is_served()) {
            continue;
        }
        held.kind.append(config, typed);
        if typed.is::<ApiDoc>() {
            if !held.stands_alone.load(Relaxed) {
                referring.push(config.apis.len() - 1);
            }
            definitions.push(assets.definition(held).cloned());
        } else if let Some(shared) = typed.downcast_ref::<SharedSettingsDoc>() {
            shared.apply_to(&mut config.settings);
        }
    }
    definitions
}

/// Reads documents without loading what they refer to. Paths in them are absolute.
pub fn read(path: &Path) -> Result<(ConfigDoc, Vec<PathBuf>), Diagnostics> {
    let mut read = files::read(path)?;
    let apis = 0..read.config.apis.len();
    resolve::paths(&mut read.config, apis, &directory_of(path));
    Ok((read.config, read.files))
}

/// Relative paths in a file are relative to it; in a folder, to the folder.
fn directory_of(path: &Path) -> PathBuf {
    if path.is_dir() {
        return path.to_owned();
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The listener of a configuration that names none.
pub fn default_listener() -> ListenerDoc {
    ListenerDoc {
        name: "default".to_owned(),
        address: ([127, 0, 0, 1], 8080).into(),
        tls: None,
        proxy_protocol: false,
        trusted_proxies: Vec::new(),
        access_mode: None,
        ip_access: None,
    }
}
