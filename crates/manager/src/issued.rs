//! What comes of orders of certificates: kept as the content of their keystores, by the one way in which anything is changed,
//! so that every node has it with the revision. Ordering them is left to the node.

use std::net::{IpAddr, Ipv4Addr};

use model::KeystoreDoc;
use serde_json::json;
use store::StoreError;

use crate::{ChangeError, Condition, Edit, Manager, Who, Write, kind};

/// As whom the gateway changes keystores, in the audit log.
const ACME: &str = "acme";
/// How often something is looked at again because somebody else was faster.
const ATTEMPTS: usize = 8;

impl Manager {
    /// What this node is called among those that share the store.
    pub fn node_id(&self) -> Option<&str> {
        self.identity.get().map(|own| own.id.as_str())
    }

    /// The id of this node where it is the first of all that are live: what only one has to do is for that one.
    pub async fn as_first_node(&self) -> Result<Option<&str>, StoreError> {
        let nodes = self.nodes().await?;
        let first = nodes.iter().filter(|node| node.live).min_by(|a, b| a.node.id.cmp(&b.node.id));
        Ok(self.node_id().filter(|_| first.is_some_and(|first| first.own)))
    }

    /// Gives a keystore another content, worked out from what it is and has; `None` leaves it as it is. Returns the revision
    /// when it was changed.
    pub async fn amend_keystore(
        &self,
        name: &str,
        reason: &str,
        mut amend: impl FnMut(&KeystoreDoc, &str) -> Option<String>,
    ) -> Result<Option<u64>, ChangeError> {
        let Some(keystore) = kind("keystore") else { return Ok(None) };
        let who = Who::nobody_yet(ACME.to_owned(), IpAddr::V4(Ipv4Addr::LOCALHOST));
        for _ in 0..ATTEMPTS {
            let assets = self.assets();
            let held = assets.get(keystore, name).filter(|held| held.parsed.name == name);
            let Some(held) = held else { return Ok(None) };
            let Some(doc) = held.parsed.typed.downcast_ref::<KeystoreDoc>() else { return Ok(None) };
            // What cannot be read must not be lost.
            let Ok(content) = assets.content("keystore", name).unwrap_or_else(|| Ok(String::new())) else {
                return Ok(None);
            };
            let Some(amended) = amend(doc, &content) else { return Ok(None) };
            let edit = Edit {
                kind: keystore,
                name: Some(name.to_owned()),
                condition: Condition::At(held.revision),
                write: Write::Merge(json!({ "content": amended })),
            };
            match self.change_own(&who, &[edit], Some(reason)).await {
                Ok(changed) => return Ok(Some(changed.revision)),
                Err(ChangeError::Stale { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(ChangeError::Busy)
    }
}
