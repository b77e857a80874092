//! Analytics: what requests add up to, by minute and hour, API and application, so that dashboards need not read every
//! event. One file beside the events; a row holds everything of a minute or an hour, packed.
//!
//! Who ended when and how is told by whoever collects events; nothing here is waited for by a request.

mod cell;
mod histogram;
mod query;

use std::{
    collections::{BTreeMap, HashMap},
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use foldhash::fast::RandomState;
use sqlx::{
    ConnectOptions, Row, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub use cell::{Cell, Sample};
pub use histogram::Histogram;
pub use query::{AnalyticsQuery, AnalyticsRow, Grouping, Interval};

use crate::{StoreError, day::bigint};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS rollup (
        level INTEGER NOT NULL,
        at BIGINT NOT NULL,
        data BLOB NOT NULL
    );
    CREATE INDEX IF NOT EXISTS rollup_time ON rollup (level, at);";

pub(crate) const MINUTE: u64 = 60_000;
pub(crate) const HOUR: u64 = 60 * MINUTE;
pub(crate) const DAY: u64 = 24 * HOUR;
/// Minutes are kept for two days, hours for a little more than a year.
const KEEP_MINUTES: u64 = 2 * DAY;
const KEEP_HOURS: u64 = 400 * DAY;
/// Requests that end late belong to the minute that they began in.
const LATE: u64 = 5 * MINUTE;
/// APIs and applications that are told apart in a minute.
const MOST_CELLS: usize = 5_000;
/// What the others are called.
pub const OTHERS: &str = "(others)";
/// Most bytes that a row may unfold to.
const LARGEST: u64 = 256 << 20;

/// By API, then by application.
type Cells = HashMap<Arc<str>, HashMap<Arc<str>, Cell, RandomState>, RandomState>;
/// The same as it is stored.
type Packed = Vec<(String, String, Cell)>;

/// What requests add up to.
pub struct Analytics {
    pool: SqlitePool,
    file: PathBuf,
    pending: Mutex<Pending>,
    /// One flush at a time.
    flushing: tokio::sync::Mutex<()>,
}

/// Minutes that are not written yet.
#[derive(Default)]
struct Pending {
    minutes: BTreeMap<u64, Cells>,
    cells: usize,
    newest: u64,
}

impl Analytics {
    /// Opens the file in this directory, which exists.
    pub async fn open(directory: &Path) -> Result<Self, StoreError> {
        let file = directory.join("analytics.db");
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .disable_statement_logging();
        let failed = |cause| StoreError::database("open", file.clone(), cause);
        let pool = SqlitePoolOptions::new().max_connections(3).connect_with(options).await.map_err(failed)?;
        sqlx::raw_sql(SCHEMA).execute(&pool).await.map_err(failed)?;
        Ok(Self { pool, file, pending: Mutex::default(), flushing: tokio::sync::Mutex::default() })
    }

    /// Counts requests that have ended.
    pub fn record<'a>(&self, samples: impl Iterator<Item = Sample<'a>>) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        for sample in samples {
            pending.add(&sample);
        }
    }

    /// Writes what was counted, makes hours of minutes, and forgets what is too old.
    pub async fn flush(&self, now_ms: u64) -> Result<(), StoreError> {
        let _one_at_a_time = self.flushing.lock().await;
        let pending = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        self.flush_now(pending, now_ms)
            .await
            .map_err(|cause| StoreError::database("write", self.file.clone(), cause))
    }

    async fn flush_now(&self, pending: Pending, now_ms: u64) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for (at, cells) in pending.minutes {
            let data = pack(cells.into_iter().flat_map(|(api, cells)| {
                cells
                    .into_iter()
                    .map(move |(application, cell)| (api.to_string(), application.to_string(), cell))
            }));
            insert(&mut transaction, MINUTE, at, &data).await?;
        }
        // Hours that are over, one after the other.
        loop {
            let until = compacted_until(&mut transaction).await?;
            let next: Option<i64> = sqlx::query("SELECT MIN(at) FROM rollup WHERE level = $1 AND at >= $2")
                .bind(bigint(MINUTE))
                .bind(bigint(until))
                .fetch_one(&mut *transaction)
                .await?
                .try_get(0)?;
            let Some(hour) = next.map(|at| at.unsigned_abs() / HOUR * HOUR) else { break };
            if hour + HOUR + LATE > now_ms {
                break;
            }
            let mut whole: HashMap<(String, String), Cell> = HashMap::new();
            for (_, packed) in read(&mut transaction, MINUTE, hour, hour + HOUR).await? {
                for (api, application, cell) in packed {
                    whole.entry((api, application)).or_default().merge(&cell);
                }
            }
            let data = pack(whole.into_iter().map(|((api, application), cell)| (api, application, cell)));
            insert(&mut transaction, HOUR, hour, &data).await?;
        }
        for (level, keep) in [(MINUTE, KEEP_MINUTES), (HOUR, KEEP_HOURS)] {
            sqlx::query("DELETE FROM rollup WHERE level = $1 AND at < $2")
                .bind(bigint(level))
                .bind(bigint(now_ms.saturating_sub(keep)))
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await
    }

    /// What requests of a time add up to. What is not written yet is not in it.
    pub async fn query(&self, query: &AnalyticsQuery) -> Result<Vec<AnalyticsRow>, StoreError> {
        let rows = self.read_for(query).await;
        let rows = rows.map_err(|cause| StoreError::database("read", self.file.clone(), cause))?;
        Ok(query::add_up(query, rows))
    }

    async fn read_for(&self, query: &AnalyticsQuery) -> Result<Vec<(u64, Packed)>, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let oldest: Option<i64> = sqlx::query("SELECT MIN(at) FROM rollup WHERE level = $1")
            .bind(bigint(MINUTE))
            .fetch_one(&mut *connection)
            .await?
            .try_get(0)?;
        if query.by_minute(oldest.map(i64::unsigned_abs)) {
            return read(&mut connection, MINUTE, query.from_ms, query.to_ms).await;
        }
        let until = compacted_until(&mut connection).await?;
        let from = query.from_ms / HOUR * HOUR;
        let mut rows = read(&mut connection, HOUR, from, query.to_ms).await?;
        rows.extend(read(&mut connection, MINUTE, until.max(query.from_ms), query.to_ms).await?);
        Ok(rows)
    }

    /// Gives the file back. What was not flushed is lost.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl Pending {
    fn add(&mut self, sample: &Sample<'_>) {
        // A clock that was set back, or a request that took hours, does not open a minute that was written long ago.
        self.newest = self.newest.max(sample.at_ms);
        let at = sample.at_ms.max(self.newest.saturating_sub(LATE)) / MINUTE * MINUTE;
        let minute = self.minutes.entry(at).or_default();
        // Nearly always it is known.
        let known = minute.get_mut(sample.api).and_then(|cells| cells.get_mut(sample.application));
        if let Some(cell) = known {
            cell.add(sample);
            return;
        }
        let application = if self.cells >= MOST_CELLS { OTHERS } else { sample.application };
        let cells = minute.entry(sample.api.into()).or_default();
        self.cells += usize::from(!cells.contains_key(application));
        cells.entry(application.into()).or_default().add(sample);
    }
}

/// Up to here, hours were made of minutes.
async fn compacted_until(connection: &mut sqlx::SqliteConnection) -> Result<u64, sqlx::Error> {
    let row = sqlx::query("SELECT MAX(at) FROM rollup WHERE level = $1")
        .bind(bigint(HOUR))
        .fetch_one(connection)
        .await?;
    Ok(row.try_get::<Option<i64>, _>(0)?.map_or(0, |at| at.unsigned_abs() + HOUR))
}

async fn insert(
    connection: &mut sqlx::SqliteConnection,
    level: u64,
    at: u64,
    data: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO rollup (level, at, data) VALUES ($1, $2, $3)")
        .bind(bigint(level))
        .bind(bigint(at))
        .bind(data)
        .execute(connection)
        .await
        .map(|_| ())
}

async fn read(
    connection: &mut sqlx::SqliteConnection,
    level: u64,
    from: u64,
    to: u64,
) -> Result<Vec<(u64, Packed)>, sqlx::Error> {
    let rows =
        sqlx::query("SELECT at, data FROM rollup WHERE level = $1 AND at >= $2 AND at < $3 ORDER BY at")
            .bind(bigint(level))
            .bind(bigint(from))
            .bind(bigint(to))
            .fetch_all(connection)
            .await?;
    let mut read = Vec::with_capacity(rows.len());
    for row in rows {
        let (at, data): (i64, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
        match unpack(&data) {
            Some(packed) => read.push((at.unsigned_abs(), packed)),
            None => tracing::warn!(at, "a row of analytics cannot be read, and is left out"),
        }
    }
    Ok(read)
}

fn pack(cells: impl Iterator<Item = (String, String, Cell)>) -> Vec<u8> {
    let packed: Packed = cells.collect();
    let plain = postcard::to_extend(&packed, Vec::new()).unwrap_or_default();
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory cannot fail.
    let _ = encoder.write_all(&plain);
    encoder.finish().unwrap_or_default()
}

fn unpack(data: &[u8]) -> Option<Packed> {
    let mut plain = Vec::new();
    DeflateDecoder::new(data).take(LARGEST).read_to_end(&mut plain).ok()?;
    postcard::from_bytes(&plain).ok()
}

#[cfg(test)]
mod tests;
