//! Keys of what is counted apart for each caller: of one size, whatever the caller wrote, so that nobody chooses how
//! much memory a caller takes.

use std::{
    hash::BuildHasher,
    net::{IpAddr, Ipv6Addr},
};

use foldhash::quality::RandomState;

/// A caller, or whatever else is counted apart.
pub type Key = [u64; 2];

/// Makes keys; those of two makers have nothing to do with each other.
#[derive(Debug, Default)]
pub struct KeyMaker {
    one: RandomState,
    other: RandomState,
}

impl KeyMaker {
    /// The key of a text. Two texts share a key as rarely as two hashes of 128 bits, seeded by chance, are the same.
    pub fn of(&self, text: &[u8]) -> Key {
        [self.one.hash_one(text), self.other.hash_one(text)]
    }

    /// The key of a client, as [`client_of`] tells clients apart.
    pub fn of_client(&self, ip: IpAddr) -> Key {
        let client = client_of(ip);
        [self.one.hash_one(client), self.other.hash_one(client)]
    }
}

/// One IPv6 subscriber has a whole /64, so single addresses there would be no limit at all.
pub fn client_of(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.into(),
            None => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_of_one_ipv6_network_are_one() {
        let keys = KeyMaker::default();
        let key = |ip: &str| keys.of_client(ip.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:2"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:10.0.0.1"), key("10.0.0.1"));
        assert_ne!(keys.of(b"a"), keys.of(b"b"));
    }
}
