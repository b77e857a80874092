//! Nodes: each writes down every few seconds what it serves, so that everybody knows which node serves what.

use std::{sync::Arc, time::Duration};

use model::Diagnostics;
use store::{StoreError, assets::Node as Written};
use tokio::{task::JoinHandle, time::timeout};

use crate::{Assets, Manager};

/// How often a node says that it is there.
const BEAT: Duration = Duration::from_secs(3);
/// A node that was not heard of for so long is gone, in microseconds.
const GONE: u64 = 15_000_000;
/// And after this long it is forgotten.
const FORGOTTEN: u64 = 24 * 3_600_000_000;
/// How often it is looked what nodes serve while somebody waits for it.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Most that is kept of a problem.
const LONGEST_PROBLEM: usize = 2_000;

/// What this node is, for the others.
pub struct Identity {
    /// Stays when the node is started again.
    pub id: String,
    /// Where its admin API listens.
    pub address: String,
    pub version: &'static str,
}

/// What this node serves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Serving {
    pub assets: Arc<Assets>,
    /// The newest revision that it could not serve, or not whole, and why.
    pub refused: Option<(u64, String)>,
}

impl Serving {
    pub(crate) fn refuse(&mut self, revision: u64, problems: &Diagnostics) {
        let problem: String = problems.to_string().chars().take(LONGEST_PROBLEM).collect();
        self.refused = Some((revision, problem));
    }
}

/// A node, and how it is.
#[derive(Debug, Clone)]
pub struct NodeStatus {
    pub node: Written,
    /// It was heard of a few seconds ago.
    pub live: bool,
    /// It is the one that was asked.
    pub own: bool,
}

impl NodeStatus {
    /// Whether it serves a revision, and the whole of it.
    pub fn serves(&self, revision: u64) -> bool {
        self.node.revision >= revision && self.node.refused.is_none_or(|refused| refused < revision)
    }
}

impl Manager {
    /// From now on this node is one of those that share the store, and says so.
    pub fn join(self: &Arc<Self>, identity: Identity) -> JoinHandle<()> {
        // A node has one identity: whoever comes second is ignored.
        let _ = self.identity.set(identity);
        let manager = Arc::clone(self);
        tokio::spawn(async move {
            let Some(identity) = manager.identity.get() else { return };
            let started_at = manager.now();
            let mut serving = manager.serving.subscribe();
            loop {
                let now = manager.now();
                let node = manager.own(identity, &serving.borrow_and_update(), started_at, now);
                let written = manager.store.put_node(&node, now.saturating_sub(FORGOTTEN)).await;
                // That the database is away is told by who follows it.
                let again = written.is_err() || manager.store.is_shared();
                tokio::select! {
                    changed = serving.changed() => if changed.is_err() { return },
                    () = tokio::time::sleep(BEAT), if again => {}
                }
            }
        })
    }

    fn own(&self, identity: &Identity, serving: &Serving, started_at: u64, now: u64) -> Written {
        let (refused, problem) = serving.refused.clone().unzip();
        Written {
            id: identity.id.clone(),
            name: self.machine.clone(),
            address: identity.address.clone(),
            version: identity.version.to_owned(),
            started_at,
            revision: serving.assets.revision,
            refused,
            problem,
            master_keys: serving.assets.vault.master_keys(),
            seen_at: now,
        }
    }

    /// The revision that this node serves.
    pub fn serves(&self) -> u64 {
        self.serving.borrow().assets.revision
    }

    /// Says that these assets are served.
    pub fn served(&self, assets: &Arc<Assets>) {
        self.serving.send_modify(|serving| {
            serving.assets = Arc::clone(assets);
            serving.refused.take_if(|(revision, _)| *revision <= assets.revision);
        });
    }

    /// Why the database does not answer, when it does not.
    pub fn store_away(&self) -> Option<String> {
        self.store.away()
    }

    /// All nodes that are known.
    pub async fn nodes(&self) -> Result<Vec<NodeStatus>, StoreError> {
        let own = self.identity.get();
        let now = self.now();
        let nodes = self.store.nodes().await?.into_iter().map(|mut node| {
            let is_own = own.is_some_and(|own| own.id == node.id);
            if is_own && let Some(own) = own {
                // What it wrote down may be older than what it knows.
                node = self.own(own, &self.serving.borrow(), node.started_at, now);
            }
            let live = is_own || now.saturating_sub(node.seen_at) < GONE;
            NodeStatus { node, live, own: is_own }
        });
        Ok(nodes.collect())
    }

    /// Waits until all live nodes serve a revision, or cannot, or time is up. Returns all that are live.
    pub async fn wait_for_nodes(&self, revision: u64, wait: Duration) -> Result<Vec<NodeStatus>, StoreError> {
        let settled = async {
            loop {
                let live = self.live_nodes().await?;
                let is_settled = |node: &NodeStatus| {
                    node.serves(revision) || node.node.refused.is_some_and(|refused| refused >= revision)
                };
                if live.iter().all(is_settled) {
                    return Ok(live);
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        match timeout(wait, settled).await {
            Ok(nodes) => nodes,
            Err(_) => self.live_nodes().await,
        }
    }

    async fn live_nodes(&self) -> Result<Vec<NodeStatus>, StoreError> {
        let mut nodes = self.nodes().await?;
        nodes.retain(|node| node.live);
        Ok(nodes)
    }

    /// Says that this node will not be there any more.
    pub(crate) async fn leave(&self) {
        let Some(identity) = self.identity.get().filter(|_| self.store.away().is_none()) else { return };
        if let Err(error) = self.store.delete_node(&identity.id).await {
            tracing::debug!(%error, "the other nodes could not be told that this one stops");
        }
    }
}
