//! Requests in progress: one atomic number for each thing that is counted apart, which goes when its last request does.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use foldhash::fast::RandomState;

use crate::keyed::{Key, KeyMaker};
use crate::shared_map::SharedMap;

/// How many requests are in progress. Outlives a reload, so that a change frees no seat that is taken.
#[derive(Default)]
pub struct Seats {
    whole: AtomicU32,
    apart: SharedMap<Key, Arc<AtomicU32>>,
    pub keys: KeyMaker,
}

/// A request in progress, until this is dropped.
pub struct Seat {
    seats: Arc<Seats>,
    /// `None` for the whole.
    apart: Option<(Key, Arc<AtomicU32>)>,
}

/// The number of something that is about to be forgotten: whoever reads it looks again.
const GONE: u32 = u32::MAX;

impl Seats {
    /// Takes a seat when fewer than `limit` are taken.
    pub fn take(self: &Arc<Self>, key: Option<Key>, limit: u32) -> Option<Seat> {
        let Some(key) = key else {
            let taken = try_take(&self.whole, limit)?;
            return taken.then(|| Seat { seats: Arc::clone(self), apart: None });
        };
        loop {
            let apart = self.apart.pin();
            let count = Arc::clone(apart.get_or_insert_with(key, Arc::default));
            match try_take(&count, limit) {
                Some(true) => return Some(Seat { seats: Arc::clone(self), apart: Some((key, count)) }),
                Some(false) => return None,
                // Its last request has just ended.
                None => forget(&apart, &key, &count),
            }
        }
    }

    /// Whether a seat could be taken.
    pub fn has_room(&self, key: Option<Key>, limit: u32) -> bool {
        let taken = match key {
            None => self.whole.load(Relaxed),
            Some(key) => self.apart.pin().get(&key).map_or(0, |count| count.load(Relaxed)),
        };
        taken < limit || taken == GONE
    }
}

/// Whether there was room; `None` when the number is gone.
fn try_take(count: &AtomicU32, limit: u32) -> Option<bool> {
    // Never up to the number that means something else.
    let limit = limit.min(GONE - 1);
    let one_more = |taken| (taken < limit).then(|| taken + 1);
    match count.fetch_update(Relaxed, Relaxed, one_more) {
        Ok(_) => Some(true),
        Err(GONE) => None,
        Err(_) => Some(false),
    }
}

/// Removes this number, and not a new one that has come for the same key.
fn forget(
    apart: &papaya::HashMapRef<'_, Key, Arc<AtomicU32>, RandomState, impl papaya::Guard>,
    key: &Key,
    count: &Arc<AtomicU32>,
) {
    let _ = apart.remove_if(key, |_, known| Arc::ptr_eq(known, count));
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some((key, count)) = &self.apart else {
            self.seats.whole.fetch_sub(1, Relaxed);
            return;
        };
        let was = count.fetch_sub(1, Relaxed);
        if was == 1 && count.compare_exchange(0, GONE, Relaxed, Relaxed).is_ok() {
            forget(&self.seats.apart.pin(), key, count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_is_free_again_when_it_is_dropped() {
        let seats = Arc::new(Seats::default());
        for key in [None, Some([1, 1])] {
            let first = seats.take(key, 2).unwrap();
            let second = seats.take(key, 2).unwrap();
            assert!(seats.take(key, 2).is_none() && !seats.has_room(key, 2));
            drop(first);
            assert!(seats.has_room(key, 2));
            let third = seats.take(key, 2).unwrap();
            assert!(seats.take(key, 2).is_none());
            drop((second, third));
        }
        assert!(seats.apart.is_empty(), "nothing is remembered about callers that are gone");
    }

    #[test]
    fn workers_together_never_sit_on_more_seats_than_there_are() {
        let seats = Arc::new(Seats::default());
        let sitting = Arc::new(AtomicU32::new(0));
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let (seats, sitting) = (Arc::clone(&seats), Arc::clone(&sitting));
                std::thread::spawn(move || {
                    let mut taken = 0;
                    for round in 0..20_000_u64 {
                        let key = (round % 2 == 0).then_some([7, 7]);
                        let Some(seat) = seats.take(key, 1) else { continue };
                        if key.is_some() {
                            assert_eq!(sitting.fetch_add(1, Relaxed), 0, "two on one seat");
                            sitting.fetch_sub(1, Relaxed);
                        }
                        drop(seat);
                        taken += 1;
                    }
                    taken
                })
            })
            .collect();
        let taken: u32 = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
        assert!(taken > 0 && seats.apart.is_empty());
        assert_eq!(seats.whole.load(Relaxed), 0);
    }
}
