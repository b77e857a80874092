//! Collects the newest events that fit, from blocks whose times overlap.

use std::{cmp::Reverse, collections::BinaryHeap};

use futures_util::TryStreamExt;
use model::event::{TransactionEvent, TransactionStatus};
use sqlx::{Row, SqliteConnection};
use tracing::warn;

use crate::{
    day::{self, Day},
    event_ref::CorrelationId,
    filter::{BlockFilter, Cursor, EventFilter, EventPage},
    packed::BlockError,
    unpack::BlockReader,
};

/// The best events so far. One more than asked for is kept: it tells that there is a next page.
pub(crate) struct Collector<'f> {
    filter: &'f EventFilter,
    capacity: usize,
    best: BinaryHeap<Reverse<Entry>>,
    warnings: Vec<String>,
}

struct Entry {
    key: Cursor,
    event: TransactionEvent,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

impl<'f> Collector<'f> {
    pub(crate) fn new(filter: &'f EventFilter) -> Self {
        Self { filter, capacity: filter.page_size() + 1, best: BinaryHeap::new(), warnings: Vec::new() }
    }

    pub(crate) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// Whether no event up to this time can still get into the page.
    pub(crate) fn is_complete_before(&self, last_ms: u64) -> bool {
        self.best.len() >= self.capacity
            && self.best.peek().is_some_and(|Reverse(worst)| worst.key.ms > last_ms)
    }

    /// Adds the events of a day. One statement reads them all, so that a merge at the same time changes nothing.
    pub(crate) async fn collect(
        &mut self,
        day: Day,
        connection: &mut SqliteConnection,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str = "SELECT id, last_ms, data FROM block
                           WHERE last_ms >= $1 AND first_ms <= $2
                             AND ($3 IS NULL OR failures > 0) AND ($4 IS NULL OR failures < count)
                             AND ($5 IS NULL OR instr(marks, $5) > 0)
                           ORDER BY last_ms DESC";
        let (first, last) = self.filter.span();
        let only = |status| (self.filter.status == Some(status)).then_some(1_i64);
        let mark = self.filter.correlation_id.as_deref().map(|id| CorrelationId::parse(id).mark().to_vec());
        let mut rows = sqlx::query(SQL)
            .bind(day::bigint(first))
            .bind(day::bigint(last))
            .bind(only(TransactionStatus::Failure))
            .bind(only(TransactionStatus::Success))
            .bind(mark)
            .fetch(connection);
        while let Some(row) = rows.try_next().await? {
            let (id, last_ms, data): (i64, i64, &[u8]) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            if self.is_complete_before(last_ms.cast_unsigned()) {
                break;
            }
            if let Err(error) = self.block(id.cast_unsigned(), data) {
                let file = day.file_name();
                warn!(%file, block = id, %error, "an event block cannot be read");
                self.warnings.push(format!("block {id} of {file} cannot be read: {error}"));
            }
        }
        Ok(())
    }

    fn block(&mut self, id: u64, data: &[u8]) -> Result<(), BlockError> {
        let mut reader = BlockReader::new(data)?;
        let Some(filter) = BlockFilter::new(self.filter, reader.texts()) else { return Ok(()) };
        let mut number = id;
        while let Some(packed) = reader.next()? {
            let key = Cursor { ms: packed.creation_date(), number };
            number += 1;
            let full = self.best.len() >= self.capacity;
            let late = full && self.best.peek().is_some_and(|Reverse(worst)| key <= worst.key);
            if late || self.filter.cursor.is_some_and(|cursor| key >= cursor) || !filter.matches(&packed)? {
                continue;
            }
            if full {
                self.best.pop();
            }
            self.best.push(Reverse(Entry { key, event: packed.unpack()? }));
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> EventPage {
        let mut entries = self.best.into_sorted_vec();
        let more = entries.len() == self.capacity;
        if more {
            entries.pop();
        }
        let next = entries.last().filter(|_| more).map(|Reverse(entry)| entry.key);
        let events = entries.into_iter().map(|Reverse(entry)| entry.event).collect();
        EventPage { events, next, warnings: self.warnings }
    }
}
