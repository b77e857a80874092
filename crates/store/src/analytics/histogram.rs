//! How long requests took, so that many histograms add up to one. Sixteen buckets for each power of two: what is read from
//! it is at most one part in thirty-two off.

use serde::{Deserialize, Serialize};

/// Microseconds, counted in buckets; those that are empty take no room.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram(Vec<(u16, u64)>);

const SUB_BITS: u32 = 4;
const SUB: u64 = 1 << SUB_BITS;

fn bucket(value: u64) -> u16 {
    if value < SUB {
        return value as u16;
    }
    let exponent = 63 - value.leading_zeros();
    let sub = (value >> (exponent - SUB_BITS)) & (SUB - 1);
    // At most 60 times 16, and a few.
    (u64::from(exponent - SUB_BITS + 1) * SUB + sub) as u16
}

/// The middle of a bucket.
fn middle(bucket: u16) -> u64 {
    let (group, sub) = (u64::from(bucket) / SUB, u64::from(bucket) % SUB);
    match group.checked_sub(1) {
        None => sub,
        Some(shift) => ((SUB + sub) << shift) + ((1_u64 << shift) >> 1),
    }
}

impl Histogram {
    pub fn add(&mut self, value: u64) {
        self.add_many(bucket(value), 1);
    }

    fn add_many(&mut self, bucket: u16, count: u64) {
        match self.0.binary_search_by_key(&bucket, |(known, _)| *known) {
            Ok(place) => self.0[place].1 = self.0[place].1.saturating_add(count),
            Err(place) => self.0.insert(place, (bucket, count)),
        }
    }

    /// Takes over everything of another one.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.0 {
            self.add_many(*bucket, *count);
        }
    }

    /// So many of a thousand values are not larger than this; `None` when there are none.
    pub fn quantile(&self, per_mille: u64) -> Option<u64> {
        let total: u64 = self.0.iter().map(|(_, count)| *count).sum();
        let rank = (u128::from(total) * u128::from(per_mille)).div_ceil(1_000).max(1);
        let mut seen = 0_u128;
        self.0.iter().find_map(|(bucket, count)| {
            seen += u128::from(*count);
            (seen >= rank).then(|| middle(*bucket))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_near_to_what_was_counted() {
        for value in
            [0, 1, 15, 16, 17, 31, 32, 33, 1_000, 65_535, 1_000_000, u64::from(u32::MAX), u64::MAX >> 1]
        {
            let read = middle(bucket(value));
            assert!(read.abs_diff(value) <= value / 32 + 1, "{value}: {read}");
        }
        assert!(bucket(u64::MAX) < 1_000);
    }

    #[test]
    fn quantiles_of_two_halves_are_those_of_the_whole() {
        let (mut whole, mut odd, mut even) =
            (Histogram::default(), Histogram::default(), Histogram::default());
        for value in 1..=1_000_u64 {
            whole.add(value * 100);
            if value % 2 == 0 { &mut even } else { &mut odd }.add(value * 100);
        }
        odd.merge(&even);
        assert_eq!(odd, whole);
        for (per_mille, expected) in [(500, 50_000), (900, 90_000), (990, 99_000), (1_000, 100_000)] {
            let found = whole.quantile(per_mille).unwrap();
            assert!(found.abs_diff(expected) <= expected / 25, "{per_mille}: {found}");
        }
        assert_eq!(Histogram::default().quantile(500), None);
    }
}
