//! Texts of a block, each stored once and named by its place in the block's table.
//!
//! Nothing is allocated for a text: it is looked for in two fixed tables. Where two texts want the same slot the
//! older one is forgotten and, should it come again, stored once more, which costs space and nothing else.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use crate::packed::write_text;

/// Slots of each table.
const SLOTS: usize = 4_096;

/// The table of texts under construction.
pub(crate) struct Interner {
    hasher: RandomState,
    /// The second half is for texts that seldom repeat, so that they do not drive out those that do.
    slots: Box<[Slot]>,
    /// What each field had last, which it mostly has again.
    last: [Slot; Field::COUNT],
    /// Block that a slot must be of to count.
    generation: u32,
    /// The texts, encoded.
    table: Vec<u8>,
    len: u32,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    generation: u32,
    id: u32,
    start: u32,
    len: u32,
}

/// A place in an event that has a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field(usize);

impl Field {
    const COUNT: usize = 32;
    /// Places of calls and custom fields, after those of the event itself.
    pub(crate) const CALL_TYPE: Self = Self(24);
    pub(crate) const CALL_URL: Self = Self(25);
    pub(crate) const CALL_CODE: Self = Self(26);
    pub(crate) const CUSTOM_NAME: Self = Self(27);
    pub(crate) const CUSTOM_VALUE: Self = Self(28).seldom();
    pub(crate) const ID: Self = Self(29).seldom();
    /// Marks a field whose texts seldom repeat.
    const SELDOM: usize = 64;

    pub(crate) const fn of_event(place: usize) -> Self {
        assert!(place < Self::CALL_TYPE.0, "these are the places of the event itself");
        Self(place)
    }

    pub(crate) const fn seldom(self) -> Self {
        Self(self.0 | Self::SELDOM)
    }
}

impl Interner {
    pub(crate) fn new() -> Self {
        Self {
            hasher: RandomState::default(),
            slots: vec![Slot::default(); SLOTS * 2].into_boxed_slice(),
            last: [Slot::default(); Field::COUNT],
            generation: 1,
            table: Vec::new(),
            len: 0,
        }
    }

    /// Number of texts in the table; the empty one is not in it and has id 0.
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// The table, encoded.
    pub(crate) fn table(&self) -> &[u8] {
        &self.table
    }

    pub(crate) fn clear(&mut self) {
        self.table.clear();
        self.len = 0;
        self.generation = self.generation.wrapping_add(1);
        // Once the generations have gone round, an old slot could look like one of this block.
        if self.generation == 0 {
            self.slots.fill(Slot::default());
            self.last = [Slot::default(); Field::COUNT];
            self.generation = 1;
        }
    }

    #[inline]
    pub(crate) fn id(&mut self, field: Field, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let last = self.last[field.0 % Field::COUNT];
        if self.holds(last, text) { last.id } else { self.look_up(field, text) }
    }

    #[inline]
    fn holds(&self, slot: Slot, text: &str) -> bool {
        slot.generation == self.generation
            && slot.len as usize == text.len()
            && self
                .table
                .get(slot.start as usize..slot.start as usize + text.len())
                .is_some_and(|known| same(known, text.as_bytes()))
    }

    fn look_up(&mut self, field: Field, text: &str) -> u32 {
        let hash = self.hasher.hash_one(text.as_bytes()) as usize % SLOTS;
        let index = if field.0 & Field::SELDOM == 0 { hash } else { hash + SLOTS };
        let mut slot = self.slots[index];
        if !self.holds(slot, text) {
            self.len += 1;
            write_text(&mut self.table, text);
            // A block whose texts take more than 4 GiB could not be stored; its slots may point anywhere.
            let start = (self.table.len() - text.len()) as u32;
            slot = Slot { generation: self.generation, id: self.len, start, len: text.len() as u32 };
            self.slots[index] = slot;
        }
        self.last[field.0 % Field::COUNT] = slot;
        slot.id
    }
}

/// Compares texts of one length. Most are short, and two overlapping words are compared without a call.
#[inline]
fn same(known: &[u8], text: &[u8]) -> bool {
    fn by_words<const N: usize>(known: &[u8], text: &[u8]) -> bool {
        known.first_chunk::<N>() == text.first_chunk() && known.last_chunk::<N>() == text.last_chunk()
    }
    match text.len() {
        4..=7 => by_words::<4>(known, text),
        8..=15 => by_words::<8>(known, text),
        16..=32 => by_words::<16>(known, text),
        _ => known == text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_the_same_only_if_every_byte_is() {
        for len in 1..80 {
            let text: Vec<u8> = (0..len).collect();
            assert!(same(&text, &text), "{len}");
            for changed in 0..usize::from(len) {
                let mut other = text.clone();
                other[changed] ^= 1;
                assert!(!same(&other, &text), "{len}, {changed}");
            }
        }
    }

    #[test]
    fn a_text_keeps_its_id_within_a_block_and_is_written_once() {
        let mut texts = Interner::new();
        let field = Field::of_event(0);
        for _ in 0..3 {
            assert_eq!([texts.id(field, "a"), texts.id(field, ""), texts.id(field, "b")], [1, 0, 2]);
            assert_eq!([texts.id(Field::of_event(1), "a"), texts.id(field, "a"), texts.len()], [1, 1, 2]);
            assert_eq!(texts.table(), b"\x01a\x01b");
            texts.clear();
            assert_eq!((texts.len(), texts.table()), (0, &b""[..]));
        }
    }
}
