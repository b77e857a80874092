//! `gatewright backup` and `gatewright restore`: the whole store as a file, without a gateway in between.

use std::{
    fs,
    io::{self, BufReader, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use store::assets::{AssetStore, BackupError, StoreUrl, Summary};

use super::{fail, print};
use crate::{Source, config, managed};

#[derive(Debug, Args)]
pub struct Backup {
    /// Configuration file of a node, or a folder of them: its settings say where the store is.
    #[arg(short, long, value_name = "FILE", default_value = "gatewright.yaml", env = "GATEWRIGHT_CONFIG")]
    config: PathBuf,
    /// File to write. Only its owner may read it: it has everything in it but the master key.
    file: PathBuf,
}

#[derive(Debug, Args)]
pub struct Restore {
    /// Configuration file of a node, or a folder of them: its settings say where the store is.
    #[arg(short, long, value_name = "FILE", default_value = "gatewright.yaml", env = "GATEWRIGHT_CONFIG")]
    config: PathBuf,
    /// Replace what is in the store. All of it is gone then.
    #[arg(long)]
    replace: bool,
    /// File that `gatewright backup` has written, from a store on either engine.
    file: PathBuf,
}

impl Backup {
    pub async fn run(self) -> ExitCode {
        match self.write().await {
            Ok(summary) => {
                print(format_args!(
                    "revision {} and all before it are in {}",
                    summary.revision,
                    self.file.display()
                ));
                ExitCode::SUCCESS
            }
            Err(problem) => fail(problem),
        }
    }

    async fn write(&self) -> Result<Summary, String> {
        let (url, _) = store_of(&self.config).await?;
        if let StoreUrl::File(file) = &url
            && !file.exists()
        {
            return Err(format!("there is no store at {}", file.display()));
        }
        let store = AssetStore::open(&url).await.map_err(|error| error.to_string())?;
        let written = in_one_step(&self.file, &store).await;
        store.close().await;
        written.map_err(|error| format!("{}: {error}", self.file.display()))
    }
}

/// A backup that is not whole has never the name of one.
async fn in_one_step(path: &Path, store: &AssetStore) -> Result<Summary, BackupError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let file = fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
    let mut out = BufWriter::new(file);
    let written = async {
        let summary = store.back_up(&mut out).await?;
        out.flush()?;
        out.get_ref().sync_all()?;
        fs::rename(&new, path)?;
        Ok(summary)
    };
    let written = written.await;
    if written.is_err() {
        // What is left of it is of no use to anybody.
        let _ = fs::remove_file(&new);
    }
    written
}

impl Restore {
    pub async fn run(self) -> ExitCode {
        match self.read().await {
            Ok(summary) => {
                print(format_args!("the store is as it was at revision {}", summary.revision));
                ExitCode::SUCCESS
            }
            Err(problem) => fail(problem),
        }
    }

    async fn read(&self) -> Result<Summary, String> {
        let (url, directory) = store_of(&self.config).await?;
        let path = &self.file;
        let open = || fs::File::open(path).map(BufReader::new);
        // Before a store is made that nobody fills.
        let readable: io::Result<_> = open();
        drop(readable.map_err(|error| format!("{}: {error}", path.display()))?);
        // Nobody who serves from a file would notice that it is another one.
        let _alone = match &url {
            StoreUrl::File(_) => {
                Some(managed::lock(&directory).map_err(|error| format!("{error}; stop the gateway first"))?)
            }
            StoreUrl::Postgres(_) => None,
        };
        let store = AssetStore::open(&url).await.map_err(|error| error.to_string())?;
        let restored = store.restore(open, self.replace).await;
        store.close().await;
        restored.map_err(|error| match error {
            BackupError::NotEmpty { .. } => format!("{error}; --replace gives up what is there"),
            error => format!("{}: {error}", path.display()),
        })
    }
}

/// Where the store of a node is, and the directory of what else it keeps.
async fn store_of(config: &Path) -> Result<(StoreUrl, PathBuf), String> {
    let source = Source::Path(config.to_owned());
    let loaded = config::load(&source).await.map_err(|problems| problems.to_string())?;
    managed::store_url(&loaded.input.config.settings, &source).map_err(|error| error.to_string())
}
