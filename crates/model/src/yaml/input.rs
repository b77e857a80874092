//! The text as the YAML scanner reads it, with a limit on how far it may read ahead of the events it gives.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use saphyr_parser::Input;

use super::repair::INDENTATION;

/// Longest stretch that the scanner may read for one event.
///
/// Inside `[..]` and `{..}` the scanner collects every token before it gives the first event, as the whole may
/// turn out to be a key. A token takes some hundred bytes, so a few megabytes of `[a,a,a,..` would take the
/// memory of the machine.
pub(super) const WINDOW: usize = 2 << 20;

/// Where the scanner is and where the text ends for it. Shared by the input, which moves, and the reader, which
/// lets it go on.
#[derive(Debug, Default)]
pub(super) struct Meter {
    position: Cell<usize>,
    limit: Cell<usize>,
    exceeded: Cell<bool>,
}

impl Meter {
    /// Allows another window; called for each event.
    pub fn go_on(&self) {
        self.limit.set(self.position.get().saturating_add(WINDOW));
    }

    /// Byte that the scanner is at.
    pub fn position(&self) -> usize {
        self.position.get()
    }

    /// Lets the scanner read again from an earlier byte.
    pub fn go_back(&self, position: usize) {
        self.position.set(position);
        self.go_on();
    }

    /// Whether the scanner was told that the text ends, though it does not.
    pub fn exceeded(&self) -> bool {
        self.exceeded.get()
    }
}

/// A text read by character, ASCII first.
#[derive(Clone)]
pub(super) struct Metered<'a> {
    text: &'a str,
    meter: &'a Meter,
    lookahead: usize,
    /// Starts of lines that are read as if they were indented.
    indented: Option<&'a RefCell<HashSet<usize>>>,
    /// Spaces to be read before the text goes on.
    spaces: usize,
}

impl<'a> Metered<'a> {
    pub fn new(text: &'a str, meter: &'a Meter) -> Self {
        meter.go_on();
        Self { text, meter, lookahead: 0, indented: None, spaces: 0 }
    }

    /// A text of which some lines, given by where they start, are read as if they were indented.
    pub fn indenting(text: &'a str, meter: &'a Meter, lines: &'a RefCell<HashSet<usize>>) -> Self {
        Self { indented: Some(lines), ..Self::new(text, meter) }
    }

    fn at(&self, position: usize) -> Option<char> {
        if position >= self.meter.limit.get() {
            self.meter.exceeded.set(position < self.text.len());
            return None;
        }
        match self.text.as_bytes().get(position) {
            Some(byte) if byte.is_ascii() => Some(char::from(*byte)),
            Some(_) => self.text.get(position..).and_then(|rest| rest.chars().next()),
            None => None,
        }
    }

    #[inline]
    fn advance(&mut self, c: char) {
        if self.spaces > 0 {
            self.spaces -= 1;
            return;
        }
        let position = self.meter.position.get() + c.len_utf8();
        self.meter.position.set(position);
        if let Some(lines) = self.indented
            && matches!(c, '\n' | '\r')
            && lines.borrow().contains(&position)
        {
            self.spaces = INDENTATION;
        }
    }
}

impl Input for Metered<'_> {
    #[inline]
    fn lookahead(&mut self, count: usize) {
        // The whole text is there; the scanner only checks that it has asked.
        self.lookahead = self.lookahead.max(count);
    }

    #[inline]
    fn buflen(&self) -> usize {
        self.lookahead
    }

    #[inline]
    fn bufmaxlen(&self) -> usize {
        128
    }

    #[inline]
    fn raw_read_ch(&mut self) -> char {
        let c = self.peek_opt();
        if let Some(c) = c {
            self.advance(c);
        }
        c.unwrap_or('\0')
    }

    #[inline]
    fn raw_read_non_breakz_ch(&mut self) -> Option<char> {
        let c = self.peek_opt().filter(|c| !matches!(c, '\n' | '\r' | '\0'))?;
        self.advance(c);
        Some(c)
    }

    #[inline]
    fn skip(&mut self) {
        if let Some(c) = self.peek_opt() {
            self.advance(c);
        }
    }

    #[inline]
    fn skip_n(&mut self, count: usize) {
        for _ in 0..count {
            self.skip();
        }
    }

    #[inline]
    fn peek(&self) -> char {
        self.peek_opt().unwrap_or('\0')
    }

    #[inline]
    fn peek_nth(&self, n: usize) -> char {
        if n < self.spaces {
            return ' ';
        }
        let mut position = self.meter.position.get();
        for _ in self.spaces..n {
            match self.at(position) {
                Some(c) => position += c.len_utf8(),
                None => return '\0',
            }
        }
        self.at(position).unwrap_or('\0')
    }

    #[inline]
    fn peek_opt(&self) -> Option<char> {
        if self.spaces > 0 { Some(' ') } else { self.at(self.meter.position.get()) }
    }
}
