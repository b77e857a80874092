//! Another master key: data keys are encrypted anew, and everybody hears of it as of any revision.

use store::assets::{AuditEntry, Commit, CommitError};

use crate::{ChangeError, Manager, NodeStatus, VaultError, Who};

/// Why keys were not encrypted anew.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// Nodes that could not read any secret afterwards.
    #[error("not all nodes have the new master key")]
    Missing(Vec<NodeStatus>),
    #[error("{0}")]
    Vault(VaultError),
    #[error("{0}")]
    Change(ChangeError),
}

impl From<ChangeError> for RotationError {
    fn from(error: ChangeError) -> Self {
        Self::Change(error)
    }
}

impl Manager {
    /// Has everything encrypted under the first master key of this node, which all live nodes have to have. Returns how
    /// many data keys were under another one, and the revision.
    pub async fn rotate(&self, who: &Who) -> Result<(usize, u64), RotationError> {
        let _one_at_a_time = self.changing.lock().await;
        let vault = std::sync::Arc::clone(&self.assets().vault);
        if let Some(first) = vault.master_keys().first() {
            let mut nodes = self.nodes().await.map_err(ChangeError::Store)?;
            nodes.retain(|node| node.live && !node.node.master_keys.contains(first));
            if !nodes.is_empty() {
                return Err(RotationError::Missing(nodes));
            }
        }
        let rotated = vault.rotate(&self.store).await.map_err(ChangeError::Store)?;
        let count = rotated.map_err(RotationError::Vault)?;
        if count == 0 {
            return Ok((0, self.assets().revision));
        }
        let message =
            format!("secrets are encrypted under the master key {}", vault.master_keys().join(", "));
        let address = who.address.to_string();
        let entry = AuditEntry {
            event_type: "Configuration",
            object_type: "secret",
            action: "rotate",
            object: "",
            message: &message,
            user: &who.user,
            source_machine: &self.machine,
            client_ip: &address,
            payload: None,
        };
        loop {
            let before = self.assets();
            let commit = Commit {
                base: before.revision,
                epoch: before.epoch,
                at: self.now(),
                author: &who.user,
                reason: Some("another master key"),
                changes: &[],
                audit: &[entry],
                former_users: &[],
            };
            match self.store.commit(&commit).await {
                Ok(revision) => {
                    let mut assets = (*before).clone();
                    assets.revision = revision;
                    self.serve(std::sync::Arc::new(assets), None);
                    return Ok((count, revision));
                }
                Err(CommitError::Behind { .. }) => self.catch_up().await?,
                Err(CommitError::Conflict { .. }) => return Err(ChangeError::Busy.into()),
                Err(CommitError::Store(error)) => return Err(ChangeError::Store(error).into()),
            }
        }
    }
}
