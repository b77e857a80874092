//! When API keys were used last: nodes know it of themselves, and write it down now and then.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinHandle;

use crate::Manager;

const EVERY: Duration = Duration::from_secs(60);

impl Manager {
    /// Writes down which keys were used on this node, until the task is aborted.
    pub fn keep_key_uses(self: &Arc<Self>) -> JoinHandle<()> {
        let manager = Arc::clone(self);
        tokio::spawn(async move {
            let mut since = 0;
            loop {
                tokio::time::sleep(EVERY).await;
                let Some(node) = manager.node() else { continue };
                let uses = node.key_uses(since);
                // What cannot be written now is written the next time.
                if uses.is_empty() || manager.store.put_key_uses(&uses).await.is_ok() {
                    since = uses.iter().map(|(_, at)| *at).max().unwrap_or(since);
                }
            }
        })
    }
}
