//! The snapshot that a node keeps of what it serves, to start from when the database is away.

use std::{path::PathBuf, sync::Arc, time::Duration};

use model::Diagnostics;
use store::assets::{
    Asset, Head,
    snapshot::{self, Snapshot},
};
use tokio::task::JoinHandle;

use crate::{Assets, Manager, definitions, vault::Vault};

/// Shortest time between two snapshots: many changes in a row make one.
const PAUSE: Duration = Duration::from_secs(2);

impl Manager {
    /// Keeps a snapshot of what is served in a folder, up to date within moments.
    pub fn keep_snapshot(self: &Arc<Self>, folder: PathBuf) -> JoinHandle<()> {
        let manager = Arc::clone(self);
        tokio::spawn(async move {
            let mut serving = manager.serving.subscribe();
            let mut kept = None;
            loop {
                let assets = Arc::clone(&serving.borrow_and_update().assets);
                let head = Head { revision: assets.revision, epoch: assets.epoch };
                if kept != Some(head) {
                    let folder = folder.clone();
                    // Writing out thousands of assets takes a while.
                    let written = tokio::task::spawn_blocking(move || write(&folder, &assets)).await;
                    match written {
                        Ok(Ok(())) => kept = Some(head),
                        Ok(Err(error)) => {
                            tracing::error!(%error, "what is served could not be written down: this node cannot start when the database is away");
                        }
                        Err(error) => tracing::error!(%error, "the snapshot failed"),
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                if serving.changed().await.is_err() {
                    return;
                }
            }
        })
    }
}

fn write(folder: &std::path::Path, assets: &Assets) -> Result<(), store::StoreError> {
    let rows = assets.all().map(|held| Asset {
        kind: held.kind.name.to_owned(),
        id: held.id.clone(),
        name: held.parsed.name.clone(),
        revision: held.revision,
        created_at: held.created_at,
        changed_at: held.changed_at,
        document: held.parsed.document.to_string(),
        sealed: held.sealed.clone(),
    });
    let snapshot = Snapshot {
        head: Head { revision: assets.revision, epoch: assets.epoch },
        assets: rows.collect(),
        documents: assets.definitions.keys().map(|hash| hash.to_string()).collect(),
        keys: assets.vault.written(),
    };
    snapshot::write(folder, &snapshot, |hash| Some(&*assets.definitions.get(hash)?.documents.first()?.bytes))
}

/// The assets of a snapshot, with everything that they refer to, or everything that is wrong with them.
pub(crate) async fn assets_of(
    snapshot: Snapshot,
    documents: Vec<Vec<u8>>,
    vault: Arc<Vault>,
) -> Result<Assets, Diagnostics> {
    let (mut assets, mut problems) = Assets::read(snapshot.head, snapshot.assets);
    vault.take(snapshot.keys);
    assets.vault = vault;
    for (hash, content) in snapshot.documents.iter().zip(documents) {
        match definitions::import(hash, content).await {
            Ok(definition) => {
                assets.definitions.insert(hash.as_str().into(), Arc::new(definition));
            }
            Err(found) => problems.0.extend(found.0),
        }
    }
    if problems.is_empty() { Ok(assets) } else { Err(problems) }
}
