//! State that outlives a reload: buckets, health, connection pools. Everything else in a snapshot is immutable.

use std::{
    any::Any,
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Keeps state between snapshots, by name. Only the compiler uses it, never a request.
#[derive(Default)]
pub struct StateRegistry {
    entries: Mutex<HashMap<String, Entry>>,
}

struct Entry {
    value: Arc<dyn Any + Send + Sync>,
    generation: u64,
}

impl StateRegistry {
    /// The state kept under `key`, or a new one. State of another type under the same key is replaced.
    pub fn keep<T: Send + Sync + 'static>(
        &self,
        generation: u64,
        key: String,
        make: impl FnOnce() -> T,
    ) -> Arc<T> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get_mut(&key)
            && let Ok(value) = Arc::clone(&entry.value).downcast::<T>()
        {
            entry.generation = entry.generation.max(generation);
            return value;
        }
        let value = Arc::new(make());
        entries.insert(key, Entry { value: Arc::<T>::clone(&value), generation });
        value
    }

    /// Marks state as used by `generation` without touching it, for parts that are taken over unchanged.
    pub fn touch(&self, generation: u64, keys: &[String]) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            if let Some(entry) = entries.get_mut(key) {
                entry.generation = entry.generation.max(generation);
            }
        }
    }

    /// Lets go of what no snapshot since `generation` has asked for.
    pub fn forget_before(&self, generation: u64) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|_, entry| entry.generation >= generation);
    }
}
