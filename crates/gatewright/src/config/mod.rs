//! Configuration from files: found, parsed, checked as a whole, with everything loaded that it refers to.

pub mod definitions;
mod files;
mod key_material;
pub(crate) mod references;
pub(crate) mod resolve;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use definition::Definition;
use engine::compile::Input;
use manager::{Assets, KINDS};
use model::{ApiDefinition, ConfigDoc, Diagnostic, Diagnostics, ListenerDoc, Parts, SharedSettingsDoc};

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
    pub definitions: Parts<Option<Arc<Definition>>>,
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
    config.apis = config.apis.iter().filter(|api| api.is_served()).cloned().collect();
    origins.retain("apis", &served);
    let own = config.apis.len();
    // Of thousands of APIs in the store hardly any has to be read again.
    let mut referring: Vec<usize> = (0..own).collect();
    let mut definitions: Parts<Option<Arc<Definition>>> = referring.iter().map(|_| None).collect();
    let mut governing: Parts<Option<Arc<ApiDefinition>>> = referring.iter().map(|_| None).collect();
    if let Some(assets) = assets {
        add(assets, &mut config);
        let apis = assets.served_apis(references::refers);
        go_on(&mut config.apis, &apis.docs);
        go_on(&mut definitions, &apis.definitions);
        go_on(&mut governing, &apis.governing);
        referring.extend(apis.referring_positions().map(|position| own + position));
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
    for index in referring {
        // What is in the store is there already.
        if definitions.get(index).is_some_and(Option::is_some) {
            continue;
        }
        let Some(definition) =
            definitions::load(&config, index, index < own, &mut files, &mut problems).await
        else {
            continue;
        };
        governing.get_mut(index).map(|place| place.insert(Arc::clone(&definition.api)));
        definitions.get_mut(index).map(|place| place.insert(definition));
    }
    files.extend(resolve::certificate_files(&config));
    let problems = Diagnostics(problems.0.into_iter().map(|p| origins.locate(p)).collect());
    if problems.has_errors() {
        return Err(problems);
    }
    let input = Input { config, definitions: governing };
    Ok(Loaded { input, definitions, warnings: problems.0, files, origins })
}

/// Adds all assets but the APIs, kind by kind, by name.
fn add(assets: &Assets, config: &mut ConfigDoc) {
    for held in KINDS.iter().filter(|kind| kind.name != "api").flat_map(|kind| assets.list(kind)) {
        let typed = &held.parsed.typed;
        held.kind.append(config, typed);
        if let Some(shared) = typed.downcast_ref::<SharedSettingsDoc>() {
            shared.apply_to(&mut config.settings);
        }
    }
}

/// A list with another after it. Where nothing comes before it, the whole of it is shared.
fn go_on<T: Clone>(list: &mut Parts<T>, rest: &Parts<T>) {
    if list.is_empty() {
        *list = rest.clone();
    } else {
        list.extend(rest.iter().cloned());
    }
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
