//! Lines within quotes or brackets that are not indented as YAML 1.2 asks.
//!
//! ```yaml
//! tags: ['one
//! two',
//! three]
//! ```
//!
//! Every widespread reader takes this and many writers make it, but the parser refuses it. White space at the start
//! of such a line means nothing, so putting some there changes nothing but the parser's mind. Only the parser knows
//! what is within quotes or brackets: it is asked, one error after the other, going back a few events each time.

use std::cell::RefCell;
use std::collections::HashSet;

use saphyr_parser::{Event, Parser, ScanError, Span};

use super::input::{Meter, Metered};
use super::limits::MAX_DEPTH;

/// White space put before a line; deeper than anyone nests.
pub(super) const INDENTATION: usize = 128;
/// Most lines indented.
const MAX_LINES: usize = 100_000;
/// Most events from one checkpoint to the next.
const STRIDE: usize = 64;

/// What has been seen of the document.
#[derive(Clone, Copy, Default)]
struct Place {
    depth: usize,
    documents: usize,
    anchors: usize,
}

/// The text with those lines indented. `None`: there are none.
pub(super) fn indent(text: &str) -> Option<String> {
    let lines = RefCell::new(HashSet::new());
    find(text, &lines);
    let mut found: Vec<usize> = lines.into_inner().into_iter().collect();
    found.sort_unstable();
    if found.is_empty() {
        return None;
    }
    let mut indented = String::with_capacity(text.len() + found.len() * INDENTATION);
    let mut done = 0;
    for start in found {
        indented.push_str(text.get(done..start)?);
        indented.extend(std::iter::repeat_n(' ', INDENTATION));
        done = start;
    }
    indented.push_str(text.get(done..)?);
    Some(indented)
}

/// Starts of the lines to be indented.
fn find(text: &str, lines: &RefCell<HashSet<usize>>) {
    let starts = line_starts(text);
    let meter = Meter::default();
    let mut parser = Parser::new(Metered::indenting(text, &meter, lines));
    let mut place = Place::default();
    let mut checkpoint = (parser.clone(), meter.position(), place);
    // Where one such line is, others are near: checkpoints are close at first and then further apart.
    let (mut events, mut stride) = (0, STRIDE);
    // A checkpoint copies all that the parser holds, and going back reads again: both are charged, so that no
    // text takes more than its length allows.
    let mut budget = text.len().saturating_mul(16).saturating_add(32 << 20);
    let mut price = 0;
    loop {
        let next = parser.next_event();
        if meter.exceeded() || budget == 0 {
            return;
        }
        meter.go_on();
        match next {
            None => return,
            Some(Ok((event, span))) => {
                match event {
                    Event::MappingStart(anchor, _) | Event::SequenceStart(anchor, _) => {
                        place.depth += 1;
                        place.anchors = place.anchors.max(anchor);
                    }
                    Event::Scalar(_, _, anchor, _) => place.anchors = place.anchors.max(anchor),
                    Event::MappingEnd | Event::SequenceEnd => place.depth = place.depth.saturating_sub(1),
                    Event::DocumentStart(_) => place.documents += 1,
                    _ => {}
                }
                if place.depth > MAX_DEPTH || place.documents > 1 {
                    return;
                }
                events += 1;
                if events >= stride {
                    (events, stride) = (0, STRIDE.min(2 * stride));
                    let ahead = meter.position().saturating_sub(line_start(&starts, &span).unwrap_or(0));
                    price = 256 + 64 * place.anchors + 128 * ahead;
                    budget = budget.saturating_sub(price);
                    checkpoint = (parser.clone(), meter.position(), place);
                }
            }
            Some(Err(error)) => {
                let mut lines = lines.borrow_mut();
                let known = lines.len();
                lines_of(&error, text, &starts, &mut lines);
                if lines.len() == known || lines.len() > MAX_LINES {
                    return;
                }
                budget = budget.saturating_sub(price + 32 * meter.position().saturating_sub(checkpoint.1));
                parser = checkpoint.0.clone();
                meter.go_back(checkpoint.1);
                place = checkpoint.2;
                (events, stride) = (0, 1);
            }
        }
    }
}

/// Adds the lines that an error complains of.
fn lines_of(error: &ScanError, text: &str, starts: &[usize], lines: &mut HashSet<usize>) {
    let marker = error.marker();
    let Some(&start) = marker.line().checked_sub(1).and_then(|line| starts.get(line)) else { return };
    match error.info() {
        "invalid indentation" | "invalid indentation in flow construct" => {
            lines.insert(start);
        }
        "invalid indentation in quoted scalar" => {
            // The mark is that of the opening quote, as far right as the line was moved.
            let shift = if lines.contains(&start) { INDENTATION } else { 0 };
            let Some(column) = marker.col().checked_sub(shift) else { return };
            let line = &text[start..];
            let Some(quote) = line.char_indices().nth(column).map(|(at, _)| start + at) else { return };
            let Some(end) = closing_quote(text, quote) else { return };
            let first = starts.partition_point(|start| *start <= quote);
            lines.extend(starts[first..].iter().take_while(|start| **start <= end));
        }
        _ => {}
    }
}

/// Position of the quote that closes the one at `open`.
fn closing_quote(text: &str, open: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let quote = *bytes.get(open).filter(|byte| matches!(byte, b'\'' | b'"'))?;
    let mut at = open + 1;
    loop {
        match *bytes.get(at)? {
            b'\\' if quote == b'"' => at += 2,
            b'\'' if quote == b'\'' && bytes.get(at + 1) == Some(&b'\'') => at += 2,
            byte if byte == quote => return Some(at),
            _ => at += 1,
        }
    }
}

fn line_start(starts: &[usize], span: &Span) -> Option<usize> {
    starts.get(span.end.line().checked_sub(1)?).copied()
}

/// Starts of all lines, which end as the parser counts them.
fn line_starts(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let ends = bytes.iter().enumerate().filter(|(at, byte)| match byte {
        b'\n' => true,
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        _ => false,
    });
    std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect()
}
