//! Addresses that failed to authenticate too often: they get no further for a while, or until somebody lets them. All
//! workers count together; which refusals count is said by their reasons.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use foldhash::fast::RandomState;
use model::{
    IpRange,
    settings::{AddressLock as Doc, AddressLockAction},
};
use serde::Serialize;

use crate::{Timestamp, alert::date};

/// Addresses that are remembered. When there are more, those that are not locked are forgotten; nobody is locked while
/// so many are.
const MOST: usize = 100_000;

/// What the settings say, with what is known of addresses.
#[derive(Debug)]
pub struct AddressLock {
    attempts: u32,
    within: u64,
    /// `None` for good.
    lock_for: Option<u64>,
    except: Vec<IpRange>,
    known: Arc<KnownAddresses>,
}

/// What is known of addresses. It outlives changes of the configuration.
#[derive(Debug, Default)]
pub struct KnownAddresses {
    entries: papaya::HashMap<u128, Entry, RandomState>,
    refused: AtomicU64,
    locks: AtomicU64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Second of the first failure that counts.
    since: u64,
    failures: u32,
    /// Second until which it is locked; 0 when it is not, `u64::MAX` for good.
    until: u64,
}

/// An address that is locked, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LockedAddress {
    /// The address; of IPv6 the first one of a network of 64 bits.
    pub address: IpAddr,
    /// Failures that locked it.
    pub failures: u32,
    /// `null` until somebody lets it.
    pub until: Option<String>,
}

impl AddressLock {
    /// `None` where nobody is ever locked.
    pub(crate) fn compile(doc: &Doc, known: impl FnOnce() -> Arc<KnownAddresses>) -> Option<Self> {
        (doc.attempts > 0).then(|| Self {
            attempts: doc.attempts,
            within: doc.within.get().as_secs().max(1),
            lock_for: match doc.action {
                AddressLockAction::Lock => Some(doc.lock_for.get().as_secs().max(1)),
                AddressLockAction::Deny => None,
            },
            except: doc.except.clone(),
            known: known(),
        })
    }

    /// Whether an address gets no further. Asked for every request.
    pub fn refuses(&self, address: IpAddr, now: Timestamp) -> bool {
        let entries = self.known.entries.pin();
        if entries.is_empty() {
            return false;
        }
        let refused = entries.get(&number(address)).is_some_and(|entry| entry.until > now.seconds())
            && !self.is_excepted(address);
        if refused {
            self.known.refused.fetch_add(1, Relaxed);
        }
        refused
    }

    /// Counts a failure; `true` when it was the one that locks the address.
    pub fn failed(&self, address: IpAddr, now: Timestamp) -> bool {
        if self.is_excepted(address) {
            return false;
        }
        let (key, now) = (number(address), now.seconds());
        let entries = self.known.entries.pin();
        if entries.len() >= MOST && !entries.contains_key(&key) {
            entries.retain(|_, entry| entry.until > now);
            if entries.len() >= MOST {
                return false;
            }
        }
        let counted = entries.compute(key, |known| -> papaya::Operation<Entry, ()> {
            papaya::Operation::Insert(self.after_failure(known.map(|(_, entry)| *entry), now))
        });
        let (before, after) = match counted {
            papaya::Compute::Inserted(_, after) => (0, after.until),
            papaya::Compute::Updated { old, new } => (old.1.until, new.1.until),
            papaya::Compute::Removed(..) | papaya::Compute::Aborted(()) => return false,
        };
        // Requests that were under way when the lock closed lock nothing a second time.
        let locked = after > now && before <= now;
        if locked {
            self.known.locks.fetch_add(1, Relaxed);
        }
        locked
    }

    fn after_failure(&self, known: Option<Entry>, now: u64) -> Entry {
        let mut entry = match known {
            Some(entry) if entry.until > now => return entry,
            // A lock that is over leaves nothing behind.
            Some(entry) if entry.until == 0 && now.saturating_sub(entry.since) < self.within => entry,
            _ => Entry { since: now, failures: 0, until: 0 },
        };
        entry.failures = entry.failures.saturating_add(1);
        if entry.failures >= self.attempts {
            entry.until = self.lock_for.map_or(u64::MAX, |length| now.saturating_add(length));
        }
        entry
    }

    fn is_excepted(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.except.iter().any(|range| range.contains(address))
    }

    /// The addresses that are locked, in their order.
    pub fn locked(&self, now: Timestamp) -> Vec<LockedAddress> {
        let entries = self.known.entries.pin();
        let locked = entries.iter().filter(|(_, entry)| entry.until > now.seconds());
        let mut locked: Vec<_> = locked
            .map(|(number, entry)| LockedAddress {
                address: Ipv6Addr::from_bits(*number).to_canonical(),
                failures: entry.failures,
                until: (entry.until != u64::MAX)
                    .then(|| date(Timestamp(entry.until.saturating_mul(1_000_000_000)))),
            })
            .collect();
        locked.sort_unstable_by_key(|locked| locked.address);
        locked
    }

    /// Forgets what is known of an address, or of all; how many of them were locked.
    pub fn release(&self, address: Option<IpAddr>, now: Timestamp) -> usize {
        let entries = self.known.entries.pin();
        match address {
            Some(address) => {
                let entry = entries.remove(&number(address));
                usize::from(entry.is_some_and(|entry| entry.until > now.seconds()))
            }
            None => {
                let locked = entries.values().filter(|entry| entry.until > now.seconds()).count();
                entries.clear();
                locked
            }
        }
    }

    /// Requests that were refused because of their address, and locks so far.
    pub fn counts(&self) -> (u64, u64) {
        (self.known.refused.load(Relaxed), self.known.locks.load(Relaxed))
    }
}

/// Whoever has an address of IPv6 has the network around it, and could use another address for each try.
fn number(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits() & !u128::from(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(doc: serde_json::Value) -> AddressLock {
        let doc: Doc = serde_json::from_value(doc).expect("it is valid");
        AddressLock::compile(&doc, Arc::default).expect("it is on")
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp(seconds * 1_000_000_000)
    }

    #[test]
    fn an_address_is_locked_by_failures_within_the_window_for_as_long_as_the_settings_say() {
        let lock = lock(serde_json::json!({"attempts": 3, "within": "10s", "lockFor": "60s"}));
        let (one, other) = ("192.0.2.1".parse().expect("one"), "192.0.2.2".parse().expect("one"));
        for (second, locks) in
            [(100, false), (105, false), (111, false), (112, false), (113, true), (114, false)]
        {
            assert_eq!(lock.failed(one, at(second)), locks, "{second}");
        }
        for (address, second, refused) in
            [(one, 114, true), (one, 172, true), (one, 173, false), (other, 114, false)]
        {
            assert_eq!(lock.refuses(address, at(second)), refused, "{address} {second}");
        }
        assert_eq!(lock.locked(at(172)).len(), 1);
        assert_eq!(lock.locked(at(173)), []);
        assert!(!lock.failed(one, at(173)) && !lock.refuses(one, at(173)), "it begins anew");
        assert_eq!(lock.counts(), (2, 1));
    }

    #[test]
    fn a_denied_address_stays_so_until_it_is_released() {
        let lock = lock(serde_json::json!({"attempts": 1, "action": "deny", "except": ["10.0.0.0/8"]}));
        for (address, locks) in [
            ("2001:db8::1", true),
            ("2001:db8::2", false),
            ("2001:db8:0:1::1", true),
            ("::ffff:192.0.2.1", true),
            ("192.0.2.1", false),
            ("10.1.1.1", false),
            ("::ffff:10.1.1.1", false),
        ] {
            assert_eq!(lock.failed(address.parse().expect("one"), at(5)), locks, "{address}");
        }
        let late = at(u64::MAX / 2_000_000_000);
        assert!(lock.refuses("2001:db8::77".parse().expect("one"), late));
        let told: Vec<String> = lock.locked(late).iter().map(|locked| locked.address.to_string()).collect();
        assert_eq!(told, ["192.0.2.1", "2001:db8::", "2001:db8:0:1::"]);
        assert_eq!(lock.release(Some("2001:db8::5".parse().expect("one")), late), 1);
        assert!(!lock.refuses("2001:db8::77".parse().expect("one"), late));
        assert_eq!((lock.release(None, late), lock.locked(late).len()), (2, 0));
    }

    #[test]
    fn every_failure_counts_however_many_threads_count_and_one_of_them_locks() {
        let lock = lock(serde_json::json!({"attempts": 4000, "within": "10s"}));
        let address = "192.0.2.1".parse().expect("one");
        let locks = std::thread::scope(|scope| {
            let count = || (0..1000).filter(|_| lock.failed(address, at(5))).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
            threads.into_iter().map(|thread| thread.join().expect("it ends")).sum::<usize>()
        });
        assert_eq!((locks, lock.refuses(address, at(5))), (1, true));
    }
}
