//! Certificates that the gateway orders itself (RFC 8555): of all nodes that share a store one orders and renews them, all of
//! them answer what the authority asks, and get what it has issued like any other change.

mod due;
mod failure;
mod http;
mod order;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use manager::Manager;
use model::{AcmeKeystore, ConfigDoc};
use tokio::{
    task::{AbortHandle, JoinSet},
    time::sleep,
};

pub(crate) use due::Phase;

use crate::gateway::Inner;
use order::Work;

/// How often it is looked whether something is due.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Keystores whose certificates are ordered, as they are served.
#[derive(Debug, Default)]
pub(crate) struct Ordered(Mutex<Arc<[AcmeKeystore]>>);

impl Ordered {
    pub fn take(&self, config: &ConfigDoc) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = config.key_material.acme.as_slice().into();
    }

    fn list(&self) -> Arc<[AcmeKeystore]> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Orders what is due, for as long as the gateway runs.
pub(crate) async fn keep(manager: Arc<Manager>, inner: Weak<Inner>) {
    let mut orders = JoinSet::new();
    let mut working: BTreeMap<String, AbortHandle> = BTreeMap::new();
    loop {
        sleep(LOOK_EVERY).await;
        let Some(inner) = inner.upgrade() else { return };
        while orders.try_join_next().is_some() {}
        working.retain(|_, work| !work.is_finished());
        // What has come of those is in the list, which is looked at afterwards.
        let (list, now) = (inner.ordered.list(), inner.clock.now().millis());
        let due = |keystore: &&AcmeKeystore| {
            // What this node has begun and works on no more was cut off when it ended.
            let own = keystore.state.order.as_ref().filter(|order| manager.node_id() == Some(&order.node));
            !working.contains_key(&keystore.name) && (own.is_some() || Phase::of(keystore, now).is_due(now))
        };
        let due: Vec<_> = list.iter().filter(due).cloned().collect();
        if due.is_empty() || manager.store_away().is_some() {
            continue;
        }
        // That the store does not answer is told by who follows it.
        let Ok(Some(node)) = manager.as_first_node().await else { continue };
        for keystore in due {
            let name = keystore.name.clone();
            let (manager, clock, node) = (Arc::clone(&manager), inner.clock.clone(), node.to_owned());
            let work = orders.spawn(Work { manager, clock, node, keystore }.done());
            working.insert(name, work);
        }
    }
}
