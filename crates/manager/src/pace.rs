//! How often strangers and consumers may do what costs something: counted in memory, on each node.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use tokio::sync::Semaphore;

/// What is counted, in microseconds since 1970.
pub(crate) struct Pace {
    sign_ups: Mutex<HashMap<IpAddr, (u64, u32)>>,
    /// Requests that are sent from the portal at a time.
    pub tries: Semaphore,
}

const HOUR: u64 = 3_600_000_000;
/// Sign-ups from one address in an hour, and from all.
const MOST_OF_ADDRESS: u32 = 10;
const MOST: u32 = 200;
const TRIES: usize = 16;

impl Default for Pace {
    fn default() -> Self {
        Self { sign_ups: Mutex::default(), tries: Semaphore::new(TRIES) }
    }
}

impl Pace {
    /// Counts a sign-up; says whether there may be one more. An IPv6 network counts as one address.
    pub(crate) fn may_sign_up(&self, address: IpAddr, now: u64) -> bool {
        let address = match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
        };
        let mut all = self.sign_ups.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (since, _)| now.saturating_sub(*since) < HOUR);
        if all.values().map(|(_, count)| *count).sum::<u32>() >= MOST {
            return false;
        }
        let (_, count) = all.entry(address).or_insert((now, 0));
        *count += 1;
        *count <= MOST_OF_ADDRESS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_all_together_may_sign_up_so_often() {
        let pace = Pace::default();
        let from = |last: u16| IpAddr::V6([0x2001, 0xdb8, last, 0, 0, 0, 0, last].into());
        let near = IpAddr::V6([0x2001, 0xdb8, 1, 0, 9, 9, 9, 9].into());
        for _ in 0..5 {
            assert!(pace.may_sign_up(from(1), 1) && pace.may_sign_up(near, 1));
        }
        assert!(!pace.may_sign_up(near, HOUR), "the same network");
        assert!(pace.may_sign_up(near, HOUR + 1), "an hour later");
        let passed = (0..1_000).filter(|n| pace.may_sign_up(from(n + 2), HOUR + 2)).count();
        assert_eq!(passed, 199);
    }
}
