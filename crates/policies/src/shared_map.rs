//! Maps that all workers read and write without waiting for each other.

use std::{
    ops::Deref,
    sync::{Arc, LazyLock},
};

use foldhash::fast::RandomState;
use seize::Collector;

/// What was taken out of any map is given back by this. A collector keeps a place for each thread: one for each map would
/// cost tens of kilobytes for each policy that counts.
static COLLECTOR: LazyLock<Arc<Collector>> = LazyLock::new(Arc::default);

/// A map for all workers.
pub struct SharedMap<K, V>(papaya::HashMap<K, V, RandomState>);

impl<K: Send + 'static, V: Send + 'static> Default for SharedMap<K, V> {
    fn default() -> Self {
        let map = papaya::HashMap::builder().hasher(RandomState::default());
        Self(map.shared_collector(Arc::clone(&COLLECTOR)).build())
    }
}

impl<K, V> Deref for SharedMap<K, V> {
    type Target = papaya::HashMap<K, V, RandomState>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
