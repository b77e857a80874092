//! State that outlives a reload: buckets, health, connection pools. Everything else in a snapshot is immutable.

use std::{
    any::Any,
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use foldhash::fast::RandomState;

pub(crate) type State = dyn Any + Send + Sync;

/// Finds state again, by name, for as long as somebody has it: a snapshot that is compiled beside the one that is served
/// takes over what that one has. Only the compiler uses it, never a request.
#[derive(Default)]
pub struct StateRegistry {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    states: HashMap<String, Weak<State>, RandomState>,
    /// What is there whether somebody has it or not.
    always: Vec<Arc<State>>,
    /// How many names there may be before those that stand for nothing any more are taken out.
    room: usize,
}

/// Names that are not worth looking for empty ones.
const LEAST_ROOM: usize = 1_024;

impl StateRegistry {
    /// The state of that name that somebody has, or a new one. State of another type under the same name is replaced.
    pub fn keep<T: Send + Sync + 'static>(&self, name: String, make: impl FnOnce() -> T) -> Arc<T> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = known.states.get(&name).and_then(Weak::upgrade)
            && let Ok(state) = state.downcast::<T>()
        {
            return state;
        }
        let state = Arc::new(make());
        known.put(name, &(Arc::clone(&state) as Arc<State>));
        state
    }

    /// The same for what has to be there although nobody may have it for a while.
    pub fn keep_always<T: Send + Sync + 'static>(&self, name: &str, make: impl FnOnce() -> T) -> Arc<T> {
        let state = self.keep(name.to_owned(), make);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let same = Arc::clone(&state) as Arc<State>;
        if !known.always.iter().any(|other| Arc::ptr_eq(other, &same)) {
            known.always.push(same);
        }
        state
    }

    /// The names of what somebody has.
    #[cfg(test)]
    pub(crate) fn names(&self) -> std::collections::BTreeSet<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let live = known.states.iter().filter(|(_, state)| state.strong_count() > 0);
        live.map(|(name, _)| name.clone()).collect()
    }
}

impl Known {
    fn put(&mut self, name: String, state: &Arc<State>) {
        if self.states.len() >= self.room.max(LEAST_ROOM) {
            self.states.retain(|_, state| state.strong_count() > 0);
            self.room = self.states.len() * 2;
        }
        self.states.insert(name, Arc::downgrade(state));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_is_found_again_for_as_long_as_somebody_has_it() {
        let registry = StateRegistry::default();
        let one = registry.keep("a".into(), || 1_u64);
        assert_eq!(*registry.keep("a".into(), || 2_u64), 1);
        assert_eq!(*registry.keep("a".into(), || 3_u32), 3, "another type");
        drop(one);
        assert_eq!(*registry.keep("a".into(), || 4_u64), 4);
        registry.keep_always("b", || 5_u64);
        assert_eq!(*registry.keep_always("b", || 6_u64), 5);
    }

    #[test]
    fn names_of_what_nobody_has_any_more_take_no_room() {
        let registry = StateRegistry::default();
        let mut held = Vec::new();
        for number in 0..100_000_u32 {
            let state = registry.keep(number.to_string(), || number);
            if number % 100 == 0 {
                held.push(state);
            }
        }
        assert_eq!(registry.names().len(), held.len());
        assert!(registry.known.lock().unwrap().states.len() <= 4 * LEAST_ROOM);
    }
}
