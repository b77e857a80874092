//! What follows a node of a path, by the text of the next segment.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use smallvec::SmallVec;

/// Short segments are in the table itself: a look-up then meets no memory beside it.
type Text = SmallVec<[u8; 16]>;

/// Positions of nodes by segment.
#[derive(Debug, Default)]
pub(super) struct Children(HashMap<Text, u32, RandomState>);

impl Children {
    pub(super) fn find(&self, segment: &str) -> Option<u32> {
        self.0.get(segment.as_bytes()).copied()
    }

    pub(super) fn insert(&mut self, segment: &str, node: u32) {
        self.0.insert(Text::from_slice(segment.as_bytes()), node);
    }
}
