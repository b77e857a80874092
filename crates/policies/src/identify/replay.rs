//! What may be shown once, such as a proof or the nonce of a signature, until it is too old to be shown again.

use foldhash::fast::RandomState;

/// What is remembered. More at a time is refused: what is not remembered could be sent again.
const MOST: usize = 200_000;

/// Marks of what was shown, with the second until which each counts. All workers share them.
#[derive(Debug, Default)]
pub(super) struct Shown(papaya::HashMap<[u8; 32], u64, RandomState>);

impl Shown {
    /// Remembers a mark; `Some(false)` when it was there before, `None` when there is no room.
    pub fn remember(&self, mark: [u8; 32], until: u64, now: u64) -> Option<bool> {
        let marks = self.0.pin();
        if marks.len() >= MOST {
            marks.retain(|_, until| *until > now);
            if marks.len() >= MOST {
                return None;
            }
        }
        let is_new = match marks.try_insert(mark, until) {
            Ok(_) => true,
            // Too old to be taken; whoever asks has looked at its age.
            Err(known) => *known.current <= now,
        };
        Some(is_new)
    }
}
