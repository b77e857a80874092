//! Ranges of addresses: a single address, a network, or the first and the last address.

use std::{borrow::Cow, fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Addresses from the first to the last: `10.0.0.7`, `10.0.0.0/8`, `10.0.0.1-10.0.0.9`; the same for IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpRange {
    first: IpAddr,
    last: IpAddr,
    written: Written,
}

/// How a range was written, so that it is printed the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Address,
    Network(IpNet),
    Range,
}

impl IpRange {
    pub const fn first(&self) -> IpAddr {
        self.first
    }

    pub const fn last(&self) -> IpAddr {
        self.last
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && self.first <= address && address <= self.last
    }
}

impl FromStr for IpRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error = || {
            format!(
                "found `{text}`, expected an address such as 10.0.0.7, a network such as 10.0.0.0/8, or a range such as 10.0.0.1-10.0.0.9"
            )
        };
        if let Some((first, last)) = text.split_once('-') {
            let first: IpAddr = first.trim().parse().map_err(|_| error())?;
            let last: IpAddr = last.trim().parse().map_err(|_| error())?;
            return if first.is_ipv4() == last.is_ipv4() && first <= last {
                Ok(Self { first, last, written: Written::Range })
            } else {
                Err(format!("found `{text}`, expected two addresses of one kind, the lower one first"))
            };
        }
        if text.contains('/') {
            let network: IpNet = text.parse().map_err(|_| error())?;
            let (first, last) = (network.network(), network.broadcast());
            return Ok(Self { first, last, written: Written::Network(network) });
        }
        let address: IpAddr = text.parse().map_err(|_| error())?;
        Ok(Self { first: address, last: address, written: Written::Address })
    }
}

impl fmt::Display for IpRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.written {
            Written::Address => write!(f, "{}", self.first),
            Written::Network(network) => write!(f, "{network}"),
            Written::Range => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

impl Serialize for IpRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IpRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for IpRange {
    fn schema_name() -> Cow<'static, str> {
        "IpRange".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "An address, a network or a range of addresses.",
            "examples": ["10.0.0.7", "10.0.0.0/8", "10.0.0.1-10.0.0.9", "2001:db8::/32"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_printed_as_they_are_written() {
        for (text, first, last) in [
            ("10.0.0.7", "10.0.0.7", "10.0.0.7"),
            ("10.1.0.0/16", "10.1.0.0", "10.1.255.255"),
            ("10.0.0.1-10.0.0.9", "10.0.0.1", "10.0.0.9"),
            ("2001:db8::/127", "2001:db8::", "2001:db8::1"),
            ("::1", "::1", "::1"),
        ] {
            let range: IpRange = text.parse().unwrap();
            assert_eq!((range.first().to_string(), range.last().to_string()), (first.into(), last.into()));
            assert_eq!(range.to_string(), text);
        }
        for text in ["", "10.0.0", "10.0.0.0/33", "10.0.0.9-10.0.0.1", "10.0.0.1-::1", "a-b", "*"] {
            assert!(text.parse::<IpRange>().unwrap_err().contains("expected"), "{text}");
        }
    }
}
