//! A day's file: its name, how it is opened, and how it is set aside when it is damaged.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use sqlx::{
    ConnectOptions, Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use time::{Date, Month};

use crate::StoreError;

pub(crate) const DAY_MS: u64 = 86_400_000;
/// Julian day of 1970-01-01.
const EPOCH: i32 = 2_440_588;
/// What SQLite keeps beside a database.
const COMPANIONS: [&str; 2] = ["-wal", "-shm"];

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS block (
        id INTEGER PRIMARY KEY,
        first_ms BIGINT NOT NULL,
        last_ms BIGINT NOT NULL,
        count INTEGER NOT NULL,
        failures INTEGER NOT NULL,
        marks BLOB NOT NULL,
        data BLOB NOT NULL
    );
    CREATE INDEX IF NOT EXISTS block_time ON block (last_ms, first_ms, count, failures);";

/// A UTC day, in days since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Day(u32);

impl Day {
    /// The last day that a date can be made of; no clock that is merely wrong goes beyond it.
    const LAST: u32 = 2_932_896;

    pub(crate) fn of(ms: u64) -> Self {
        Self(u32::try_from(ms / DAY_MS).unwrap_or(u32::MAX).min(Self::LAST))
    }

    pub(crate) fn end_ms(self) -> u64 {
        (u64::from(self.0) + 1) * DAY_MS
    }

    pub(crate) fn file_name(self) -> String {
        let julian = EPOCH + self.0.cast_signed();
        let date = Date::from_julian_day(julian).expect("days are clamped to the dates there are");
        format!("events-{:04}-{:02}-{:02}.db", date.year(), u8::from(date.month()), date.day())
    }

    pub(crate) fn from_file_name(name: &str) -> Option<Self> {
        let mut numbers = name.strip_prefix("events-")?.strip_suffix(".db")?.splitn(3, '-');
        let year = numbers.next()?.parse().ok()?;
        let month = Month::try_from(numbers.next()?.parse::<u8>().ok()?).ok()?;
        let day = numbers.next()?.parse().ok()?;
        let date = Date::from_calendar_date(year, month, day).ok()?;
        let day = Self(u32::try_from(date.to_julian_day() - EPOCH).ok()?);
        (day.file_name() == name).then_some(day)
    }

    pub(crate) fn path(self, directory: &Path) -> PathBuf {
        directory.join(self.file_name())
    }
}

/// A time as SQLite stores it.
pub(crate) fn bigint(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// The days that have a file, oldest first.
pub(crate) fn days(directory: &Path) -> Result<Vec<Day>, StoreError> {
    let failed = |cause| StoreError::Io { action: "list", path: directory.to_owned(), cause };
    let mut days = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        days.extend(entry.map_err(failed)?.file_name().to_str().and_then(Day::from_file_name));
    }
    days.sort_unstable();
    Ok(days)
}

pub(crate) async fn open_to_write(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let options = options(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A commit reaches the operating system, not the disk: it survives a kill of the process. A power
        // failure can take the last commits, never the file.
        .synchronous(SqliteSynchronous::Normal)
        .page_size(16_384)
        .pragma("wal_autocheckpoint", "1000");
    open(&options).await
}

pub(crate) async fn open_to_read(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    // Rows are large and a reader often stops early: few are fetched ahead.
    open(&options(path).row_buffer_size(2)).await
}

async fn open(options: &SqliteConnectOptions) -> Result<SqliteConnection, sqlx::Error> {
    let mut connection = options.connect().await?;
    // A process killed right after it created the file leaves one without tables, for readers too.
    sqlx::raw_sql(SCHEMA).execute(&mut connection).await?;
    Ok(connection)
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).foreign_keys(false).disable_statement_logging()
}

/// Folds the write-ahead log into the file and closes it.
pub(crate) async fn close(mut connection: SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await?;
    connection.close().await
}

/// Renames a damaged file, with what belongs to it, so that the day starts anew and nothing is lost for good.
pub(crate) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let target = |number: u32| match number {
        0 => with_suffix(path, ".corrupt"),
        number => with_suffix(path, &format!(".corrupt.{number}")),
    };
    let aside = (0..)
        .map(target)
        .find(|candidate| !candidate.exists())
        .unwrap_or_else(|| with_suffix(path, ".corrupt"));
    for companion in COMPANIONS {
        match fs::rename(with_suffix(path, companion), with_suffix(&aside, companion)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(path, &aside)?;
    Ok(aside)
}

pub(crate) fn delete(path: &Path) -> Result<(), StoreError> {
    // The database goes last: what is left half deleted is found again by its name.
    let companions = COMPANIONS.map(|companion| with_suffix(path, companion));
    for path in companions.iter().map(PathBuf::as_path).chain([path]) {
        match fs::remove_file(path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::Io { action: "delete", path: path.to_owned(), cause });
            }
            _ => {}
        }
    }
    Ok(())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_found_again_by_its_file_name() {
        let day = Day::of(1_795_305_600_000);
        assert_eq!(day.file_name(), "events-2026-11-22.db");
        assert_eq!(Day::from_file_name("events-2026-11-22.db"), Some(day));
        assert_eq!(Day::of(day.end_ms()), Day(day.0 + 1));
        assert_eq!(Day::of(day.end_ms() - 1), day);
        for other in
            ["events-2026-11-22.db-wal", "events-2026-11-22.db.corrupt", "events-2026-1-2.db", "x.db"]
        {
            assert_eq!(Day::from_file_name(other), None, "{other}");
        }
        assert_eq!(Day::of(u64::MAX).file_name(), "events-9999-12-31.db");
    }
}
