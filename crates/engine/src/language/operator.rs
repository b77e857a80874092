//! Operators of conditions: how a value is compared.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;

/// Same text, whatever the capitals of any script.
pub(super) fn equals_ignore_case(value: &str, other: &str) -> bool {
    value.chars().flat_map(char::to_lowercase).eq(other.chars().flat_map(char::to_lowercase))
}

/// Numbers, compared; `None` when one of them is none.
pub(super) fn compare(value: &str, other: &str) -> Option<std::cmp::Ordering> {
    let (value, other) = (value.trim(), other.trim());
    // Integers beyond 2^53 are not the same only because a double cannot tell them apart.
    if let (Ok(value), Ok(other)) = (value.parse::<i128>(), other.parse::<i128>()) {
        return Some(value.cmp(&other));
    }
    number(value)?.partial_cmp(&number(other)?)
}

fn number(text: &str) -> Option<f64> {
    // "inf" and "nan" are numbers for Rust only.
    text.parse::<f64>()
        .ok()
        .filter(|number| number.is_finite() && !text.ends_with(|c: char| c.is_alphabetic()))
}

/// Addresses or numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Range {
    Network(IpNet),
    Addresses(IpAddr, IpAddr),
    Numbers(f64, f64),
}

impl Range {
    /// Ranges separated by commas; `None` when one of them is none.
    pub(super) fn parse_list(text: &str) -> Option<Vec<Self>> {
        text.split(',').map(|part| Self::parse(part.trim())).collect()
    }

    fn parse(text: &str) -> Option<Self> {
        if let Ok(network) = text.parse::<IpNet>() {
            return Some(Self::Network(network.trunc()));
        }
        if let Some(address) = address(text) {
            return Some(Self::Addresses(address, address));
        }
        if let Some((from, to)) = text.split_once('-')
            && let Some((from, to)) = address(from.trim()).zip(address(to.trim()))
        {
            return (from.is_ipv4() == to.is_ipv4() && from <= to).then_some(Self::Addresses(from, to));
        }
        if let Some(number) = number(text) {
            return Some(Self::Numbers(number, number));
        }
        // The first dash may be a sign.
        text.match_indices('-').skip_while(|(at, _)| *at == 0).find_map(|(at, _)| {
            let (from, to) = (number(text[..at].trim())?, number(text[at + 1..].trim())?);
            (from <= to).then_some(Self::Numbers(from, to))
        })
    }

    /// Whether one of them has the value in it.
    pub(super) fn any_has(ranges: &[Self], value: &str) -> bool {
        let value = value.trim();
        if let Some(value) = address(value) {
            return ranges.iter().any(|range| match range {
                Self::Network(network) => network.contains(&value),
                // Addresses of different kinds are ordered by kind, so both ends have to be of the value's.
                Self::Addresses(from, to) => {
                    from.is_ipv4() == value.is_ipv4() && (*from..=*to).contains(&value)
                }
                Self::Numbers(..) => false,
            });
        }
        number(value).is_some_and(|value| {
            ranges
                .iter()
                .any(|range| matches!(range, Self::Numbers(from, to) if (*from..=*to).contains(&value)))
        })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => write!(f, "{network}"),
            Self::Addresses(from, to) if from == to => write!(f, "{from}"),
            Self::Addresses(from, to) => write!(f, "{from}-{to}"),
            Self::Numbers(from, to) if from == to => write!(f, "{from}"),
            Self::Numbers(from, to) => write!(f, "{from}-{to}"),
        }
    }
}

/// An address; an IPv4 one that is written as IPv6 is the same.
fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_addresses_and_numbers() {
        for (ranges, value, expect) in [
            ("10.0.0.0/8", "10.255.0.1", Some(true)),
            ("10.1.2.3/8", "10.255.0.1", Some(true)),
            ("10.0.0.0/8", "11.0.0.1", Some(false)),
            ("10.0.0.0/8", "::ffff:10.0.0.1", Some(true)),
            ("192.168.0.1-192.168.0.9", "192.168.0.9", Some(true)),
            ("192.168.0.1 - 192.168.0.9", "192.168.0.10", Some(false)),
            ("192.168.0.9", "192.168.0.9", Some(true)),
            ("2001:db8::/32", "2001:db8::1", Some(true)),
            ("2001:db8::1-2001:db8::f", "10.0.0.1", Some(false)),
            ("10.0.0.1, 1-5", "3", Some(true)),
            ("1-5", "5.5", Some(false)),
            ("-5--1", "-3", Some(true)),
            ("-5-1", "0", Some(true)),
            ("7", "7.0", Some(true)),
            ("1-5", "x", Some(false)),
            ("1-5", "", Some(false)),
            ("1-5", "nan", Some(false)),
            ("1-5", "10.0.0.1", Some(false)),
            ("10.0.0.9-10.0.0.1", "10.0.0.5", None),
            ("5-1", "3", None),
            ("10.0.0.0/33", "3", None),
            ("a-b", "3", None),
            ("", "3", None),
            ("1,,2", "3", None),
        ] {
            let found = Range::parse_list(ranges).map(|ranges| Range::any_has(&ranges, value));
            assert_eq!(found, expect, "{ranges} {value}");
        }
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
        use std::cmp::Ordering::{Equal, Greater, Less};
        for (value, other, expect) in [
            ("10", "9", Some(Greater)),
            ("1.5", "1.50", Some(Equal)),
            (" 2 ", "10", Some(Less)),
            ("9007199254740993", "9007199254740992", Some(Greater)),
            ("1e3", "999", Some(Greater)),
            ("inf", "1", None),
            ("NaN", "1", None),
            ("", "1", None),
            ("ten", "1", None),
        ] {
            assert_eq!(compare(value, other), expect, "{value} {other}");
        }
    }
}
