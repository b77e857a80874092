//! Counters by caller, no more of them than there may be, whatever callers write into what they are told apart by.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use engine::Timestamp;

use crate::{
    keyed::{Key, KeyMaker},
    rate_limit::counter::{Counter, Quota},
    shared_map::SharedMap,
};

/// Callers that are counted apart by one limit. Further ones share a counter until others have nothing left to
/// remember.
const MOST: usize = 50_000;

/// The counters of one limit.
#[derive(Default)]
pub struct Counts {
    callers: SharedMap<Key, Counter>,
    others: Counter,
    pub keys: KeyMaker,
    /// The windows that somebody was told of, for callers that it was worth telling of.
    told: SharedMap<Key, [AtomicU64; 2]>,
    /// The second of the last search for counters that can go.
    searched: AtomicU64,
}

/// What there is to tell of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    Nearly,
    UsedUp,
}

/// Stands for callers beyond the bound.
const OTHERS: Key = [0; 2];

impl Counts {
    /// Whether this is the first time in the window that there is this to tell of a caller.
    pub fn tell_once(&self, key: Key, quota: &Quota, now: Timestamp, what: Told) -> bool {
        let told = self.told.pin();
        let window = quota.window(now);
        let first = |windows: &[AtomicU64; 2]| {
            let known = &windows[what as usize];
            // Looked at before it is written: a caller that goes on costs no other core anything.
            known.load(Relaxed) < window && known.fetch_max(window, Relaxed) < window
        };
        if let Some(windows) = told.get(&key) {
            return first(windows);
        }
        if told.len() >= MOST {
            told.retain(|_, windows| windows.iter().any(|known| known.load(Relaxed) >= window));
        }
        let key = if told.len() >= MOST { OTHERS } else { key };
        first(told.get_or_insert_with(key, Default::default))
    }

    /// Does something with a caller's counter.
    pub fn with<T>(&self, key: Key, quota: &Quota, now: Timestamp, count: impl FnOnce(&Counter) -> T) -> T {
        let callers = self.callers.pin();
        if let Some(counter) = callers.get(&key) {
            return count(counter);
        }
        if callers.len() >= MOST {
            let (last, second) = (self.searched.load(Relaxed), now.seconds());
            // It looks at all of them, so it happens once a second at most, and on one worker.
            if last != second && self.searched.compare_exchange(last, second, Relaxed, Relaxed).is_ok() {
                callers.retain(|_, counter| !quota.is_idle(counter, now));
            }
            if callers.len() >= MOST {
                return count(&self.others);
            }
        }
        count(callers.get_or_insert_with(key, Counter::default))
    }
}

/// The counters of all limits of a policy, by name. Outlive a reload.
#[derive(Default)]
pub struct State(Mutex<HashMap<String, (u64, Arc<Counts>)>>);

impl State {
    /// The counters of a limit; new ones when counts mean something else than before.
    pub fn counts(&self, name: &str, quota: &Quota) -> Arc<Counts> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let shape = quota.shape();
        if let Some((_, counts)) = known.get(name).filter(|(before, _)| *before == shape) {
            return Arc::clone(counts);
        }
        let counts = Arc::<Counts>::default();
        known.insert(name.to_owned(), (shape, Arc::clone(&counts)));
        counts
    }

    /// Forgets limits that are no longer there.
    pub fn keep_only(&self, names: &[String]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|name, _| names.contains(name));
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::rate_limit::counter::Window;

    #[test]
    fn callers_beyond_the_bound_share_a_counter() {
        let quota = Quota::requests(NonZeroU32::MIN, Window::Every(60_000_000_000));
        let counts = Counts::default();
        let take = |name: u64, ms| {
            let now = Timestamp::from_millis(ms);
            counts.with([name, 0], &quota, now, |counter| quota.take(counter, now, false).allowed)
        };
        for caller in 0..MOST as u64 {
            assert!(take(caller, 1_000));
        }
        assert!(take(u64::MAX, 1_000), "one of the others");
        assert!(!take(u64::MAX - 1, 1_000), "all others together");
        assert!(!take(7, 1_000), "those who were counted are counted on");
        assert_eq!(counts.callers.len(), MOST);
        assert!(take(u64::MAX, 61_000) && take(u64::MAX - 1, 61_000), "the next window has room again");
        assert_eq!(counts.callers.len(), 2);
    }

    #[test]
    fn a_caller_is_told_of_once_in_a_window() {
        let quota = Quota::requests(NonZeroU32::MIN, Window::Every(60_000_000_000));
        let counts = Counts::default();
        let tell =
            |name: u64, ms, what| counts.tell_once([name, 1], &quota, Timestamp::from_millis(ms), what);
        assert!(tell(1, 1_000, Told::Nearly) && !tell(1, 2_000, Told::Nearly));
        assert!(tell(1, 3_000, Told::UsedUp) && tell(2, 3_000, Told::UsedUp));
        assert!(tell(1, 60_000, Told::Nearly) && !tell(1, 119_999, Told::Nearly));
        for caller in 0..MOST as u64 {
            tell(caller, 60_000, Told::UsedUp);
        }
        assert!(tell(u64::MAX, 60_000, Told::UsedUp), "one of the others");
        assert!(!tell(u64::MAX - 1, 60_000, Told::UsedUp), "all others are told of together");
        assert!(tell(u64::MAX - 1, 120_000, Told::UsedUp), "the next window has room again");
    }
}
