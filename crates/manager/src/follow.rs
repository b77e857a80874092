//! What other nodes have changed is taken over.

use std::{sync::Arc, time::Duration};

use model::{Diagnostic, Diagnostics};
use store::assets::Head;
use tokio::task::JoinHandle;

use crate::{Assets, ChangeError, Manager, definitions};

/// How soon it is tried again to read what other nodes have changed.
const AGAIN: Duration = Duration::from_secs(1);

impl Manager {
    /// Takes over what other nodes have committed. Held by whoever changes something.
    pub(crate) async fn catch_up(&self) -> Result<(), ChangeError> {
        let before = self.assets();
        let (head, versions) = self.store.changed_since(before.revision).await.map_err(ChangeError::Store)?;
        if head == (Head { revision: before.revision, epoch: before.epoch }) {
            return Ok(());
        }
        let (mut assets, mut problems) = if head.epoch == before.epoch {
            let mut assets = (*before).clone();
            assets.revision = head.revision;
            let mut problems = Diagnostics::default();
            for version in versions {
                if let Err(found) = assets.apply(version) {
                    problems.0.extend(found.0);
                }
            }
            (assets, problems)
        } else if head.revision == 0 {
            // Nobody empties a store that is served from on purpose.
            let problem = Diagnostic::error("", "the store is empty, and was not before")
                .help("this node goes on serving what it has; restore a backup, or start the node again");
            self.report(before.revision, problem.into());
            return Ok(());
        } else {
            tracing::warn!(revision = head.revision, "everything in the store was replaced");
            let (head, assets) = self.store.assets().await.map_err(ChangeError::Store)?;
            let (mut assets, problems) = Assets::read(head, assets);
            assets.vault = Arc::clone(&before.vault);
            (assets, problems)
        };
        // Data keys may be encrypted under another master key; what is written down has to be, too.
        assets.vault.load(&self.store).await.map_err(ChangeError::Store)?;
        match definitions::complete(&self.store, &mut assets).await {
            Err(ChangeError::Invalid(found)) => problems.0.extend(found.0),
            completed => completed?,
        }
        let revision = assets.revision;
        let assets = Arc::new(assets);
        match self.prepare(Arc::clone(&assets)).await {
            Ok(prepared) => self.serve(assets, prepared),
            // Another node's configuration may have what this one lacks. What others committed is known all the same.
            Err(ChangeError::Invalid(found)) => {
                problems.0.extend(found.0);
                self.assets.store(assets);
            }
            Err(error) => return Err(error),
        }
        if !problems.is_empty() {
            self.report(revision, problems);
        }
        Ok(())
    }

    /// All assets as a revision left them, with everything that they refer to in the store.
    pub async fn assets_at(&self, revision: u64) -> Result<Arc<Assets>, ChangeError> {
        let now = self.assets();
        let versions = self.store.assets_at(revision).await.map_err(ChangeError::Store)?;
        let (mut assets, mut problems) = Assets::read(Head { revision, epoch: now.epoch }, Vec::new());
        assets.vault = Arc::clone(&now.vault);
        assets.definitions = now.definitions.clone();
        for version in versions {
            if let Err(found) = assets.apply(version) {
                problems.0.extend(found.0);
            }
        }
        if problems.has_errors() {
            return Err(ChangeError::Invalid(problems));
        }
        definitions::complete(&self.store, &mut assets).await?;
        Ok(Arc::new(assets))
    }

    /// Follows what other nodes commit, until the store is closed.
    pub fn follow(self: &Arc<Self>) -> JoinHandle<()> {
        let manager = Arc::clone(self);
        tokio::spawn(async move {
            let mut head = manager.store.follow();
            loop {
                let newest = *head.borrow_and_update();
                let known = manager.assets();
                let mut read = true;
                if newest.revision > known.revision || newest.epoch != known.epoch {
                    let _one_at_a_time = manager.changing.lock().await;
                    if let Err(error) = manager.catch_up().await {
                        tracing::warn!(%error, "what another node changed could not be read");
                        read = false;
                    }
                }
                tokio::select! {
                    changed = head.changed() => if changed.is_err() { return },
                    () = tokio::time::sleep(AGAIN), if !read => {}
                }
            }
        })
    }
}
