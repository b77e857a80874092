//! How often strangers do what costs something, or what could be guessing: counted in memory, on each node.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

/// Places in the memory of who asked when; those that are long over make room.
const MOST: usize = 10_000;
/// Longest time that something is counted for, in seconds.
const LONGEST: u64 = 600;

/// When something last happened, and how often, by what it happened to. Each node has its own.
#[derive(Default)]
pub struct Pace(Mutex<HashMap<String, (u64, u64)>>);

impl Pace {
    /// Counts once more; says how long ago, in seconds, the counting began, and how often it was before.
    pub fn count(&self, what: &str, now: u64, within: u64) -> (u64, u64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.retain(|_, (since, _)| *since + LONGEST > now);
        }
        let entry = all.entry(what.to_owned()).or_insert((now, 0));
        if now.saturating_sub(entry.0) >= within {
            *entry = (now, 0);
        }
        entry.1 += 1;
        (now.saturating_sub(entry.0), entry.1 - 1)
    }

    /// How often it was, without counting.
    pub fn peek(&self, what: &str, now: u64, within: u64) -> u64 {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(what).filter(|(since, _)| now.saturating_sub(*since) < within).map_or(0, |(_, times)| *times)
    }
}

/// What somebody is counted as: an IPv6 network is one address.
pub fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_counted_begins_anew_after_a_while() {
        let pace = Pace::default();
        for before in 0..3 {
            assert_eq!(pace.count("a", 100 + before, 10), (before, before));
        }
        assert_eq!((pace.count("b", 105, 10).1, pace.peek("a", 105, 10)), (0, 3));
        assert_eq!((pace.count("a", 110, 10), pace.peek("a", 130, 10)), ((0, 0), 0));
    }

    #[test]
    fn whoever_has_a_network_is_one() {
        for (address, wanted) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ] {
            assert_eq!(counted_as(address.parse().expect("an address")).to_string(), wanted);
        }
    }
}
