//! How often strangers and consumers may do what costs something: counted in memory, on each node.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use tokio::sync::Semaphore;

/// What is counted, in microseconds since 1970.
pub(crate) struct Pace {
    sign_ups: Counts,
    logins: Counts,
    /// Logins that come back with something that has to be verified.
    answers: Counts,
    /// Links for new passwords: those that are asked for, those that are used, and when a user was last written to.
    links: Counts,
    used_links: Counts,
    written: Mutex<HashMap<String, u64>>,
    /// Tokens that consumers fetch to try an API with.
    tokens: Counts,
    /// Requests that are sent from the portal at a time.
    pub tries: Semaphore,
}

/// By address: when counting began, and how many there were.
type Counts = Mutex<HashMap<IpAddr, (u64, u32)>>;

const MINUTE: u64 = 60_000_000;
const HOUR: u64 = 3_600_000_000;
/// Sign-ups from one address in an hour, and from all.
const MOST_OF_ADDRESS: u32 = 10;
const MOST: u32 = 200;
/// Logins that are begun from one address in a minute, behind which may be many people, and from all.
const MOST_LOGINS_OF_ADDRESS: u32 = 60;
const MOST_LOGINS: u32 = 600;
/// Links that are used from one address in a minute, and from all.
const MOST_LINKS_OF_ADDRESS: u32 = 20;
const MOST_LINKS: u32 = 200;
/// Tokens that are fetched to try APIs with from one address in a minute, and from all.
const MOST_TOKENS_OF_ADDRESS: u32 = 30;
const MOST_TOKENS: u32 = 300;
/// How long a user is not written to again.
const WRITTEN: u64 = 2 * MINUTE;
const TRIES: usize = 16;

impl Default for Pace {
    fn default() -> Self {
        Self {
            sign_ups: Mutex::default(),
            logins: Mutex::default(),
            answers: Mutex::default(),
            links: Mutex::default(),
            used_links: Mutex::default(),
            written: Mutex::default(),
            tokens: Mutex::default(),
            tries: Semaphore::new(TRIES),
        }
    }
}

impl Pace {
    /// Counts a sign-up; says whether there may be one more.
    pub(crate) fn may_sign_up(&self, address: IpAddr, now: u64) -> bool {
        may(&self.sign_ups, address, now, HOUR, [MOST_OF_ADDRESS, MOST])
    }

    /// Counts a link that somebody asks for; says whether there may be one more.
    pub(crate) fn may_ask_for_link(&self, address: IpAddr, now: u64) -> bool {
        may(&self.links, address, now, HOUR, [MOST_OF_ADDRESS, MOST])
    }

    /// Counts a link that somebody uses; says whether there may be one more.
    pub(crate) fn may_use_link(&self, address: IpAddr, now: u64) -> bool {
        may(&self.used_links, address, now, MINUTE, [MOST_LINKS_OF_ADDRESS, MOST_LINKS])
    }

    /// Counts a token that somebody fetches to try an API with; says whether there may be one more.
    pub(crate) fn may_fetch_token(&self, address: IpAddr, now: u64) -> bool {
        may(&self.tokens, address, now, MINUTE, [MOST_TOKENS_OF_ADDRESS, MOST_TOKENS])
    }

    /// Whether a user was not written to just now; from now on they were.
    pub(crate) fn may_write_to(&self, user: &str, now: u64) -> bool {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.retain(|_, at| now.saturating_sub(*at) < WRITTEN);
        let may = !written.contains_key(user);
        if may {
            written.insert(user.to_owned(), now);
        }
        may
    }

    /// Counts a login that goes to a provider elsewhere; says whether there may be one more.
    pub(crate) fn may_begin_login(&self, address: IpAddr, now: u64) -> bool {
        may(&self.logins, address, now, MINUTE, [MOST_LOGINS_OF_ADDRESS, MOST_LOGINS])
    }

    /// Counts an answer of a provider elsewhere, which anybody could send; says whether there may be one more.
    pub(crate) fn may_answer_login(&self, address: IpAddr, now: u64) -> bool {
        may(&self.answers, address, now, MINUTE, [MOST_LOGINS_OF_ADDRESS, MOST_LOGINS])
    }
}

/// An IPv6 network counts as one address.
fn may(counts: &Counts, address: IpAddr, now: u64, window: u64, [most_of_address, most]: [u32; 2]) -> bool {
    let address = match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
    };
    let mut all = counts.lock().unwrap_or_else(PoisonError::into_inner);
    all.retain(|_, (since, _)| now.saturating_sub(*since) < window);
    if all.values().map(|(_, count)| *count).sum::<u32>() >= most {
        return false;
    }
    let (_, count) = all.entry(address).or_insert((now, 0));
    // What is refused does not count: nobody uses up what there is for all.
    let may = *count < most_of_address;
    *count += u32::from(may);
    may
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
