//! A map in the order of its keys. A clone shares everything with the map that it was made from, and a change copies a
//! small part of it: each revision has all assets, and differs from the one before in a few.

use std::sync::Arc;

/// Entries that are copied together. A map of 100,000 has some hundred parts.
const MOST: usize = 256;

type Part<V> = Vec<(Arc<str>, V)>;

#[derive(Debug, Clone)]
pub(crate) struct OrderedMap<V> {
    /// Sorted, none of them empty.
    parts: Vec<Arc<Part<V>>>,
}

impl<V> Default for OrderedMap<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> OrderedMap<V> {
    pub const fn new() -> Self {
        Self { parts: Vec::new() }
    }
}

impl<V: Clone> OrderedMap<V> {
    pub fn get(&self, key: &str) -> Option<&V> {
        let part = self.parts.get(self.part_of(key)?)?;
        place_in(part, key).ok().map(|place| &part[place].1)
    }

    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub fn insert(&mut self, key: Arc<str>, value: V) {
        let Some(at) = self.part_of(&key) else {
            match self.parts.first_mut() {
                Some(first) if first.len() < MOST => Arc::make_mut(first).insert(0, (key, value)),
                _ => self.parts.insert(0, Arc::new(vec![(key, value)])),
            }
            return;
        };
        let part = Arc::make_mut(&mut self.parts[at]);
        match place_in(part, &key) {
            Ok(place) => part[place].1 = value,
            Err(place) => {
                part.insert(place, (key, value));
                if part.len() > MOST {
                    // What comes in order fills parts up; what comes in any order leaves two halves.
                    let middle = if place + 1 == part.len() { MOST } else { MOST / 2 };
                    let rest = part.split_off(middle);
                    self.parts.insert(at + 1, Arc::new(rest));
                }
            }
        }
    }

    pub fn remove(&mut self, key: &str) -> Option<V> {
        let at = self.part_of(key)?;
        let place = place_in(&self.parts[at], key).ok()?;
        let part = Arc::make_mut(&mut self.parts[at]);
        let (_, value) = part.remove(place);
        if part.is_empty() {
            self.parts.remove(at);
        }
        Some(value)
    }

    /// What has another value than in an earlier map, with its place in the order; `None` when keys came or went.
    pub fn changed_since<'m>(
        &'m self,
        before: &Self,
        is_same: impl Fn(&V, &V) -> bool,
    ) -> Option<Vec<(usize, &'m V)>> {
        if self.parts.len() != before.parts.len() {
            return None;
        }
        let (mut changed, mut place) = (Vec::new(), 0);
        for (part, before) in self.parts.iter().zip(&before.parts) {
            if !Arc::ptr_eq(part, before) {
                if !part.iter().map(|(key, _)| key).eq(before.iter().map(|(key, _)| key)) {
                    return None;
                }
                let entries = (place..).zip(part.iter().zip(&**before));
                let other = entries.filter(|(_, ((_, value), (_, known)))| !is_same(value, known));
                changed.extend(other.map(|(place, ((_, value), _))| (place, value)));
            }
            place += part.len();
        }
        Some(changed)
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.parts.iter().flat_map(|part| part.iter().map(|(_, value)| value))
    }

    /// The part that a key is in, if it is in one; `None` when it comes before all of them.
    fn part_of(&self, key: &str) -> Option<usize> {
        self.parts
            .partition_point(|part| part.first().is_some_and(|(first, _)| **first <= *key))
            .checked_sub(1)
    }
}

fn place_in<V>(part: &Part<V>, key: &str) -> Result<usize, usize> {
    part.binary_search_by(|(known, _)| (**known).cmp(key))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn it_is_a_map_and_what_it_was_cloned_from_stays_what_it_was() {
        let mut map = OrderedMap::default();
        let mut expected = BTreeMap::new();
        let mut earlier = Vec::new();
        // A generator with a period of 2^32: the same numbers in each run.
        let mut number: u32 = 7;
        for turn in 0..20_000_u32 {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let key = format!("{}", (number >> 16) % 3_000);
            if number.is_multiple_of(3) {
                assert_eq!(map.remove(&key), expected.remove(&key), "{key}");
            } else {
                map.insert(key.as_str().into(), turn);
                expected.insert(key.clone(), turn);
            }
            assert_eq!(map.get(&key), expected.get(&key));
            if turn % 2_500 == 0 {
                earlier.push((map.clone(), expected.clone()));
            }
        }
        earlier.push((map, expected));
        for (map, expected) in earlier {
            assert!(map.values().eq(expected.values()));
            assert!(expected.iter().all(|(key, value)| map.get(key) == Some(value)));
            assert!(map.parts.iter().all(|part| (1..=MOST).contains(&part.len())));
        }
    }

    #[test]
    fn it_tells_what_has_changed_unless_keys_came_or_went() {
        let keys = |range: std::ops::Range<u32>| range.map(|number| format!("{number:05}"));
        let mut before = OrderedMap::default();
        keys(0..1_000).for_each(|key| before.insert(key.into(), 0));
        let mut map = before.clone();
        let changed = |map: &OrderedMap<u32>, before: &OrderedMap<u32>| {
            let found = map.changed_since(before, |a, b| a == b)?;
            Some(found.into_iter().map(|(place, value)| (place, *value)).collect::<Vec<_>>())
        };
        assert_eq!(changed(&map, &before), Some(vec![]));
        for (number, value) in [(3, 1), (300, 0), (999, 2)] {
            map.insert(format!("{number:05}").into(), value);
        }
        assert_eq!(changed(&map, &before), Some(vec![(3, 1), (999, 2)]), "and not what is what it was");
        // Out and in again, as when another node has changed it.
        map.remove("00004");
        assert_eq!(changed(&map, &before), None);
        map.insert("00004".into(), 5);
        assert_eq!(changed(&map, &before), Some(vec![(3, 1), (4, 5), (999, 2)]));
        map.remove("00004");
        map.insert("000041".into(), 5);
        assert_eq!(changed(&map, &before), None, "as many, with other keys");
        keys(2_000..2_300).for_each(|key| map.insert(key.into(), 0));
        assert_eq!(changed(&map, &before), None);
    }

    #[test]
    fn a_change_copies_one_part_and_shares_the_others() {
        let mut map = OrderedMap::default();
        for number in 0..10_000 {
            map.insert(format!("{number:05}").into(), number);
        }
        assert_eq!(map.parts.len(), 10_000_usize.div_ceil(MOST), "what comes in order fills parts up");
        let before = map.clone();
        map.insert("05000".into(), 0);
        map.remove("05001");
        let shared = map.parts.iter().zip(&before.parts).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
        assert_eq!(shared, before.parts.len() - 1);
        for number in 0..10_000 {
            map.remove(&format!("{number:05}"));
        }
        assert_eq!((map.values().count(), map.parts.len()), (0, 0));
        assert_eq!(before.values().count(), 10_000);
    }
}
