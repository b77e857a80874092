//! A list whose clones share what they have in common. A change copies a small part of it: each configuration has all APIs,
//! and differs from the one before in a few.

use std::{borrow::Cow, ops::Index, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Entries that are copied together. A list of 100,000 has some hundred parts.
pub const PART: usize = 256;

/// Entries that are copied together.
pub type Part<T> = Arc<Vec<T>>;

/// A list in parts. All of them have [`PART`] entries, but for the last.
#[derive(Debug)]
pub struct Parts<T> {
    parts: Vec<Part<T>>,
}

impl<T> Parts<T> {
    pub fn len(&self) -> usize {
        let before = self.parts.len().saturating_sub(1) * PART;
        self.parts.last().map_or(0, |last| before + last.len())
    }

    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    pub fn get(&self, place: usize) -> Option<&T> {
        self.parts.get(place / PART)?.get(place % PART)
    }

    pub fn first(&self) -> Option<&T> {
        self.get(0)
    }

    pub fn iter(&self) -> Iter<'_, T> {
        self.parts.iter().flat_map(entries as fn(&Part<T>) -> std::slice::Iter<'_, T>)
    }

    /// The parts, to see which are shared with another list.
    pub fn parts(&self) -> &[Part<T>] {
        &self.parts
    }

    /// Adds a part of another list whole, when it can be had whole; else nothing is added.
    pub fn push_part(&mut self, part: &Part<T>) -> bool {
        let fits = !part.is_empty() && self.parts.last().is_none_or(|last| last.len() == PART);
        if fits {
            self.parts.push(Arc::clone(part));
        }
        fits
    }
}

type Iter<'p, T> = std::iter::FlatMap<
    std::slice::Iter<'p, Part<T>>,
    std::slice::Iter<'p, T>,
    fn(&Part<T>) -> std::slice::Iter<'_, T>,
>;

fn entries<T>(part: &Part<T>) -> std::slice::Iter<'_, T> {
    part.iter()
}

impl<T: Clone> Parts<T> {
    pub fn push(&mut self, entry: T) {
        match self.parts.last_mut().filter(|last| last.len() < PART) {
            Some(last) => Arc::make_mut(last).push(entry),
            None => self.parts.push(Arc::new(vec![entry])),
        }
    }

    pub fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        Arc::make_mut(self.parts.get_mut(place / PART)?).get_mut(place % PART)
    }

    /// All of them, to be changed: nothing is shared after that.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.parts.iter_mut().flat_map(Arc::make_mut)
    }
}

impl<T> Clone for Parts<T> {
    fn clone(&self) -> Self {
        Self { parts: self.parts.clone() }
    }
}

impl<T> Default for Parts<T> {
    fn default() -> Self {
        Self { parts: Vec::new() }
    }
}

impl<T> Index<usize> for Parts<T> {
    type Output = T;

    fn index(&self, place: usize) -> &T {
        &self.parts[place / PART][place % PART]
    }
}

impl<'p, T> IntoIterator for &'p Parts<T> {
    type Item = &'p T;
    type IntoIter = Iter<'p, T>;

    fn into_iter(self) -> Iter<'p, T> {
        self.iter()
    }
}

impl<T> FromIterator<T> for Parts<T> {
    fn from_iter<I: IntoIterator<Item = T>>(entries: I) -> Self {
        let mut entries = entries.into_iter();
        let mut parts = Vec::new();
        loop {
            let part: Vec<T> = entries.by_ref().take(PART).collect();
            if part.is_empty() {
                return Self { parts };
            }
            parts.push(Arc::new(part));
        }
    }
}

impl<T: Clone> Extend<T> for Parts<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, entries: I) {
        entries.into_iter().for_each(|entry| self.push(entry));
    }
}

impl<T: PartialEq> PartialEq for Parts<T> {
    fn eq(&self, other: &Self) -> bool {
        let same = |(a, b): (&Part<T>, &Part<T>)| Arc::ptr_eq(a, b) || a == b;
        self.parts.len() == other.parts.len() && self.parts.iter().zip(&other.parts).all(same)
    }
}

impl<T: Serialize> Serialize for Parts<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Parts<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::deserialize(deserializer)?.into_iter().collect())
    }
}

impl<T: JsonSchema> JsonSchema for Parts<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Vec::<T>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<T>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_list() {
        for length in [0, 1, PART - 1, PART, PART + 1, 3 * PART, 1_000] {
            let expected: Vec<usize> = (0..length).collect();
            let collected: Parts<usize> = expected.iter().copied().collect();
            let mut pushed = Parts::default();
            pushed.extend(expected.iter().copied());
            for list in [collected, pushed] {
                assert_eq!((list.len(), list.is_empty()), (length, length == 0));
                assert!(list.iter().eq(&expected));
                assert!((0..length).all(|place| list.get(place) == Some(&place) && list[place] == place));
                assert_eq!((list.get(length), list.first()), (None, expected.first()));
                let written = serde_json::to_value(&list).expect("numbers can be written");
                assert_eq!(written, serde_json::json!(expected));
                assert_eq!(serde_json::from_value::<Parts<usize>>(written).expect("it is a list"), list);
            }
        }
    }

    #[test]
    fn a_change_copies_one_part_and_shares_the_others() {
        let before: Parts<usize> = (0..10 * PART).collect();
        let mut after = before.clone();
        *after.get_mut(PART).expect("it is there") = 0;
        after.push(7);
        let shared = |(a, b): (&Part<usize>, &Part<usize>)| Arc::ptr_eq(a, b);
        let shared: Vec<bool> = before.parts().iter().zip(after.parts()).map(shared).collect();
        assert_eq!(shared.iter().filter(|shared| **shared).count(), 9);
        assert_eq!(
            (before[PART], after[PART], before.len(), after.len()),
            (PART, 0, 10 * PART, 10 * PART + 1)
        );
        assert_ne!(before, after);
    }

    #[test]
    fn parts_are_taken_over_where_they_are_whole() {
        let before: Parts<usize> = (0..PART + 5).collect();
        let mut list = Parts::default();
        assert!(list.push_part(&before.parts()[0]) && list.push_part(&before.parts()[1]));
        assert_eq!(list, before);
        assert!(!list.push_part(&before.parts()[0]), "the last one is not full");
        assert_eq!(list.len(), before.len());
    }
}
