//! Scalars with units: durations, sizes, percentages. Written as people write them, refused with the grammar.

use std::{borrow::Cow, fmt, str::FromStr, time};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time: a number with a unit, such as `250ms`, `30s`, `5m`, `1h`, `1d`, `2w`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(time::Duration);

impl Duration {
    pub const fn from_millis(millis: u64) -> Self {
        Self(time::Duration::from_millis(millis))
    }

    pub const fn from_secs(seconds: u64) -> Self {
        Self(time::Duration::from_secs(seconds))
    }

    pub const fn get(self) -> time::Duration {
        self.0
    }

    pub fn millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

const DURATION_UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error =
            || format!("found `{text}`, expected a number with a unit such as 250ms, 30s, 5m, 1h, 1d or 2w");
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(error)?;
        let number: u64 = text[..digits].parse().map_err(|_| error())?;
        let unit = &text[digits..];
        let (_, factor) = DURATION_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(error)?;
        number.checked_mul(*factor).map(Self::from_millis).ok_or_else(error)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.millis();
        let (unit, factor) = DURATION_UNITS
            .into_iter()
            .find(|(_, factor)| millis != 0 && millis.is_multiple_of(*factor))
            .unwrap_or(("s", 1_000));
        write!(f, "{}{unit}", millis / factor)
    }
}

/// A number of bytes: a number with a unit, such as `512B`, `64KiB`, `10MiB`, `1GiB`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

impl ByteSize {
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    pub const fn kib(kib: u64) -> Self {
        Self(kib * 1024)
    }

    pub const fn mib(mib: u64) -> Self {
        Self(mib * 1024 * 1024)
    }

    pub const fn get(self) -> u64 {
        self.0
    }

    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

const SIZE_UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error =
            || format!("found `{text}`, expected a number with a unit such as 512B, 64KiB, 10MiB or 1GiB");
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(error)?;
        let number: u64 = text[..digits].parse().map_err(|_| error())?;
        let (_, factor) = SIZE_UNITS.iter().find(|(name, _)| *name == &text[digits..]).ok_or_else(error)?;
        number.checked_mul(*factor).map(Self).ok_or_else(error)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, factor) = SIZE_UNITS
            .into_iter()
            .find(|(_, factor)| self.0 != 0 && self.0.is_multiple_of(*factor))
            .unwrap_or(("B", 1));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

/// A share of all requests: `0%` to `100%`, with up to two decimals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u16);

impl Percent {
    pub const ALL: Self = Self(10_000);

    pub const fn whole(percent: u16) -> Self {
        Self(percent * 100)
    }

    /// Hundredths of a percent, 0 to 10,000.
    pub const fn basis_points(self) -> u16 {
        self.0
    }
}

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error = || format!("found `{text}`, expected a percentage such as 5%, 12.5% or 100%");
        let number = text.strip_suffix('%').ok_or_else(error)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || whole.len() > 3 || fraction.len() > 2 || !digits(whole) || !digits(fraction) {
            return Err(error());
        }
        let whole: u16 = whole.parse().map_err(|_| error())?;
        let fraction: u16 = format!("{fraction:0<2}").parse().map_err(|_| error())?;
        let points = whole * 100 + fraction;
        if points > 10_000 { Err(error()) } else { Ok(Self(points)) }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 % 100 {
            0 => write!(f, "{}%", self.0 / 100),
            rest => write!(f, "{}.{}%", self.0 / 100, format!("{rest:02}").trim_end_matches('0')),
        }
    }
}

macro_rules! text_scalar {
    ($type:ident, $pattern:literal, $description:literal, $($example:literal),+) => {
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "description": $description,
                    "pattern": $pattern,
                    "examples": [$($example),+],
                })
            }
        }
    };
}

text_scalar!(
    Duration,
    "^[0-9]+(ms|s|m|h|d|w)$",
    "A number with a unit: ms, s, m, h, d or w.",
    "250ms",
    "30s",
    "1d"
);
text_scalar!(
    ByteSize,
    "^[0-9]+(B|KiB|MiB|GiB)$",
    "A number with a unit: B, KiB, MiB or GiB.",
    "64KiB",
    "10MiB"
);
text_scalar!(Percent, "^[0-9]{1,3}(\\.[0-9]{1,2})?%$", "A percentage from 0% to 100%.", "5%", "12.5%");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_read_and_print_the_way_people_write_them() {
        for text in ["250ms", "30s", "5m", "1h", "1d", "2w", "0s"] {
            assert_eq!(text.parse::<Duration>().unwrap().to_string(), text);
        }
        assert_eq!("90s".parse::<Duration>().unwrap().millis(), 90_000);
        for text in ["512B", "64KiB", "10MiB", "1GiB"] {
            assert_eq!(text.parse::<ByteSize>().unwrap().to_string(), text);
        }
        for text in ["5%", "12.5%", "0.25%", "100%"] {
            assert_eq!(text.parse::<Percent>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn scalars_without_a_unit_or_out_of_range_are_refused_with_the_grammar() {
        for text in ["", "30", "s", "5 m", "-1s", "1y", "99999999999999999999s", "18446744073709551615w"] {
            assert!(text.parse::<Duration>().unwrap_err().contains("such as 250ms"), "{text}");
        }
        for text in ["", "30", "KiB", "5KB", "18446744073709551615GiB"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
        for text in ["", "5", "101%", "5.123%", "-1%", "a%"] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
    }
}
