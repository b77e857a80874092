//! The writing side of one day: appends blocks, and merges small ones so that a quiet day stays quick to read.

use model::event::TransactionEvent;
use sqlx::{Connection, Row, SqliteConnection};
use tracing::warn;

use crate::{
    block::{Part, PartBuilder},
    day::{self, Day},
    packed::BlockError,
    unpack::BlockReader,
};

/// So many blocks in a row are looked at together.
const RUN: u32 = 64;
/// Blocks with fewer events than this on average are merged …
const SMALL: u64 = 256;
/// … into blocks of so many.
const MERGED: u32 = 1_024;

pub(crate) struct DayWriter {
    day: Day,
    connection: SqliteConnection,
    /// Blocks from this id on have not been merged.
    run_start: i64,
    run_blocks: u32,
    run_events: u64,
}

impl DayWriter {
    pub(crate) async fn open(day: Day, path: &std::path::Path) -> Result<Self, sqlx::Error> {
        let mut connection = day::open_to_write(path).await?;
        // What an earlier process left unmerged is at the end, and it is no more than a run.
        const SQL: &str = "SELECT coalesce(min(id), 1), count(*), coalesce(sum(count), 0)
                           FROM (SELECT id, count FROM block ORDER BY id DESC LIMIT $1)";
        let row = sqlx::query(SQL).bind(RUN).fetch_one(&mut connection).await?;
        let (run_start, run_blocks, run_events): (i64, u32, i64) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        Ok(Self { day, connection, run_start, run_blocks, run_events: run_events.cast_unsigned() })
    }

    pub(crate) fn day(&self) -> Day {
        self.day
    }

    pub(crate) async fn append(&mut self, part: &Part) -> Result<(), sqlx::Error> {
        // The id is the number of the block's first event: it numbers the events of the day, merged or not. It
        // is read from the table each time, since an append given up half-way may have been carried out.
        const SQL: &str = "INSERT INTO block (id, first_ms, last_ms, count, failures, marks, data)
                           VALUES ((SELECT id + count FROM block ORDER BY id DESC LIMIT 1), $1, $2, $3, $4, $5, $6)";
        sqlx::query(SQL)
            .bind(day::bigint(part.first_ms))
            .bind(day::bigint(part.last_ms))
            .bind(part.count)
            .bind(part.failures)
            .bind(part.marks.as_slice())
            .bind(part.data.as_slice())
            .execute(&mut self.connection)
            .await?;
        self.run_blocks += 1;
        self.run_events += u64::from(part.count);
        Ok(())
    }

    /// Whether enough small blocks have come together to be worth merging. Large ones are passed over.
    pub(crate) fn wants_merge(&self) -> bool {
        self.run_blocks >= RUN
    }

    /// Merges the blocks since the last merge, in one transaction. Numbers of events do not change by it.
    pub(crate) async fn merge(&mut self) -> Result<(), sqlx::Error> {
        if self.run_blocks < 2 {
            return Ok(());
        }
        let large = self.run_events >= SMALL * u64::from(self.run_blocks);
        let merged = if large { None } else { self.merge_run().await? };
        match merged {
            Some((start, events)) => (self.run_start, self.run_blocks, self.run_events) = (start, 1, events),
            None => {
                let end = sqlx::query("SELECT coalesce(max(id), 0) + 1 FROM block");
                self.run_start = end.fetch_one(&mut self.connection).await?.try_get(0)?;
                (self.run_blocks, self.run_events) = (0, 0);
            }
        }
        Ok(())
    }

    /// Start and number of events of the last block, which the next run begins with.
    async fn merge_run(&mut self) -> Result<Option<(i64, u64)>, sqlx::Error> {
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let rows = sqlx::query("SELECT id, count, data FROM block WHERE id >= $1 ORDER BY id")
            .bind(self.run_start)
            .fetch_all(&mut *transaction)
            .await?;
        let mut builder = PartBuilder::new(self.day);
        let mut merged: Vec<(i64, Part)> = Vec::new();
        let mut next = None;
        for row in &rows {
            let (id, count, data): (i64, u32, &[u8]) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let start = *next.get_or_insert(id);
            let repacked = repack(data, start, &mut builder, &mut merged);
            next = Some(start + i64::from(count));
            // Only numbers without a gap stay what they are when blocks are joined.
            if start != id || !matches!(repacked, Ok(events) if events == count) {
                let reason = repacked.err().unwrap_or(BlockError::Damaged);
                warn!(day = %self.day.file_name(), block = id, %reason, "small event blocks are left as they are");
                return Ok(None);
            }
        }
        if builder.count() > 0 {
            let start = next.unwrap_or(1) - i64::from(builder.count());
            merged.push((start, builder.seal()));
        }
        sqlx::query("DELETE FROM block WHERE id >= $1")
            .bind(self.run_start)
            .execute(&mut *transaction)
            .await?;
        for (id, part) in &merged {
            const SQL: &str = "INSERT INTO block (id, first_ms, last_ms, count, failures, marks, data)
                               VALUES ($1, $2, $3, $4, $5, $6, $7)";
            sqlx::query(SQL)
                .bind(*id)
                .bind(day::bigint(part.first_ms))
                .bind(day::bigint(part.last_ms))
                .bind(part.count)
                .bind(part.failures)
                .bind(part.marks.as_slice())
                .bind(part.data.as_slice())
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(merged.last().map(|(id, part)| (*id, u64::from(part.count))))
    }

    pub(crate) async fn close(mut self) -> Result<(), sqlx::Error> {
        self.merge().await?;
        day::close(self.connection).await
    }

    #[cfg(test)]
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

/// Adds the events of a block, the first of which has the number `start`; returns how many there were.
fn repack(
    data: &[u8],
    start: i64,
    builder: &mut PartBuilder,
    merged: &mut Vec<(i64, Part)>,
) -> Result<u32, BlockError> {
    let mut reader = BlockReader::new(data)?;
    let mut events = 0;
    while let Some(packed) = reader.next()? {
        builder.push(&packed.event()?, packed.calls()?.into_iter(), packed.fields()?.into_iter());
        events += 1;
        if builder.count() >= MERGED {
            merged.push((start + i64::from(events) - i64::from(MERGED), builder.seal()));
        }
    }
    Ok(events)
}

/// The events of a block, for those who follow the store.
pub(crate) fn unpack(part: &Part) -> Result<Vec<TransactionEvent>, BlockError> {
    let mut reader = BlockReader::new(&part.data)?;
    let mut events = Vec::with_capacity(part.count as usize);
    while let Some(packed) = reader.next()? {
        events.push(packed.unpack()?);
    }
    Ok(events)
}
