//! Addresses from which too many wrong credentials came wait.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

/// Wrong credentials, by address and user, and by address alone.
#[derive(Default)]
pub(super) struct Failures(Mutex<HashMap<(IpAddr, Option<String>), Count>>);

/// When counting began, and how many there were.
type Count = (u64, u32);

const WINDOW: u64 = 60_000_000;
/// Of one user from one address, in a window; tokens count as a user of their own.
const MOST_OF_USER: u32 = 10;
/// From one address, behind which may be many people.
const MOST_OF_ADDRESS: u32 = 100;
/// Entries that are remembered.
const MOST_ENTRIES: usize = 10_000;

impl Failures {
    pub(super) fn has_too_many(&self, address: IpAddr, user: &str, now: u64) -> bool {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reached = |user: Option<String>, most: u32| {
            failures
                .get(&(address, user))
                .is_some_and(|(since, count)| now.saturating_sub(*since) < WINDOW && *count >= most)
        };
        reached(Some(user.to_owned()), MOST_OF_USER) || reached(None, MOST_OF_ADDRESS)
    }

    pub(super) fn count(&self, address: IpAddr, user: &str, now: u64) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for user in [None, Some(user.to_owned())] {
            if failures.len() >= MOST_ENTRIES {
                failures.retain(|_, (since, _)| now.saturating_sub(*since) < WINDOW);
            }
            if failures.len() >= MOST_ENTRIES {
                return;
            }
            let entry = failures.entry((address, user)).or_insert((now, 0));
            if now.saturating_sub(entry.0) >= WINDOW {
                *entry = (now, 0);
            }
            entry.1 += 1;
        }
    }
}
