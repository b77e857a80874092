//! Addresses that nobody outside should be led to: the gateway's own machine, its network, and what clouds tell their
//! machines there. Looked at when a connection is opened or used again, so that no name server has the last word.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use model::settings::PrivateAddresses;

/// What kind of private address it is; `None` when the gateway may connect to it.
pub fn refused(address: IpAddr, settings: &PrivateAddresses) -> Option<&'static str> {
    let address = address.to_canonical();
    let kind = kind(address)?;
    (!settings.allow.iter().any(|range| range.contains(address))).then_some(kind)
}

/// What a canonical address is for (RFC 6890 and what came after it); `None` for one of the public Internet.
fn kind(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => of_v4(address),
        IpAddr::V6(address) => of_v6(address),
    }
}

fn of_v4(address: Ipv4Addr) -> Option<&'static str> {
    Some(match address.octets() {
        // Before the networks that they are in, since it is worth knowing what was tried.
        [169, 254, 169, 254] | [169, 254, 170, 2] | [100, 100, 100, 200] | [168, 63, 129, 16] => {
            "a metadata service"
        }
        [0, ..] => "this host",
        [127, ..] => "loopback",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "a private network",
        [100, 64..=127, ..] => "carrier-grade NAT",
        [169, 254, ..] => "link-local",
        [192, 0, 0, _] => "protocol assignments",
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => "documentation",
        [192, 88, 99, _] => "a 6to4 relay",
        [198, 18..=19, ..] => "benchmarking",
        [224..=239, ..] => "multicast",
        [240..=255, ..] => "reserved",
        _ => return None,
    })
}

fn of_v6(address: Ipv6Addr) -> Option<&'static str> {
    let carried = |high: u16, low: u16| {
        let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
        of_v4(Ipv4Addr::new(a, b, c, d))
    };
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => "this host",
        [0, 0, 0, 0, 0, 0, 0, 1] => "loopback",
        [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254] => "a metadata service",
        // Forms that carry an IPv4 address lead to that one: compatible, NAT64 (RFC 6052), 6to4 (RFC 3056).
        [0, 0, 0, 0, 0, 0, high, low]
        | [0x0064, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, _, _, _, _, _] => return carried(high, low),
        [0, 0, 0, 0, 0xffff, 0, ..] => "IPv4 in translation",
        [0x0064, 0xff9b, 1, ..] => "a NAT64 of the network",
        [0x0100, 0, 0, 0, ..] => "discarded",
        [0x2001, 0, ..] => "Teredo",
        [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => "documentation",
        [0x2001, 2, 0, ..] => "benchmarking",
        [0xfc00..=0xfdff, ..] => "unique-local",
        [0xfe80..=0xfebf, ..] => "link-local",
        [0xfec0..=0xfeff, ..] => "site-local",
        [0xff00..=0xffff, ..] => "multicast",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_machines_and_networks_are_private_in_every_form() {
        for (address, expect) in [
            ("127.0.0.1", Some("loopback")),
            ("127.255.255.254", Some("loopback")),
            ("0.0.0.0", Some("this host")),
            ("10.1.2.3", Some("a private network")),
            ("172.15.255.255", None),
            ("172.16.0.1", Some("a private network")),
            ("172.31.255.255", Some("a private network")),
            ("172.32.0.0", None),
            ("192.168.1.1", Some("a private network")),
            ("100.63.255.255", None),
            ("100.64.0.1", Some("carrier-grade NAT")),
            ("169.254.1.1", Some("link-local")),
            ("169.254.169.254", Some("a metadata service")),
            ("168.63.129.16", Some("a metadata service")),
            ("224.0.0.1", Some("multicast")),
            ("255.255.255.255", Some("reserved")),
            ("192.0.2.1", Some("documentation")),
            ("8.8.8.8", None),
            ("::", Some("this host")),
            ("::1", Some("loopback")),
            ("::ffff:127.0.0.1", Some("loopback")),
            ("::ffff:169.254.169.254", Some("a metadata service")),
            ("::ffff:8.8.8.8", None),
            ("::10.0.0.1", Some("a private network")),
            ("64:ff9b::7f00:1", Some("loopback")),
            ("64:ff9b::808:808", None),
            ("64:ff9b:1::1", Some("a NAT64 of the network")),
            ("2002:a9fe:a9fe::1", Some("a metadata service")),
            ("2002:808:808::1", None),
            ("2001::1", Some("Teredo")),
            ("fe80::1", Some("link-local")),
            ("fec0::1", Some("site-local")),
            ("fd12:3456::1", Some("unique-local")),
            ("fd00:ec2::254", Some("a metadata service")),
            ("ff02::1", Some("multicast")),
            ("2606:4700::1111", None),
        ] {
            let found = refused(address.parse().unwrap(), &PrivateAddresses::default());
            assert_eq!(found, expect, "{address}");
        }
    }

    #[test]
    fn networks_of_the_list_are_allowed_and_nothing_beside_them() {
        let settings = PrivateAddresses {
            allow: ["10.0.0.0/8", "::1"].map(|range| range.parse().unwrap()).into(),
            ..PrivateAddresses::default()
        };
        for (address, allowed) in [
            ("10.9.9.9", true),
            ("::ffff:10.9.9.9", true),
            ("::1", true),
            ("127.0.0.1", false),
            ("172.16.0.1", false),
            ("::2", false),
        ] {
            assert_eq!(refused(address.parse().unwrap(), &settings).is_none(), allowed, "{address}");
        }
    }
}
