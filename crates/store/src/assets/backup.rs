//! Backups: everything in a store as one file, which both engines read.
//!
//! A gzip stream of lines of JSON: what it is, a row on each line, and how many rows there were with a checksum over all
//! lines before. Which nodes there are is not in it.

use std::io::{BufRead, Write};

use base64ct::{Base64, Encoding};
use flate2::{Compression, bufread::MultiGzDecoder, write::GzEncoder};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Row, query, query_as};

use super::database::{Database, in_transaction, random_number};
use crate::StoreError;

const FORMAT: &str = "gatewright backup";
const VERSION: u32 = 1;

/// What a value is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Number,
    Text,
    Bytes,
}

struct Table {
    name: &'static str,
    columns: &'static [(&'static str, Of)],
}

use Of::{Bytes, Number, Text};

/// Everything that is kept. What is not in here is not in a backup.
const TABLES: &[Table] = &[
    Table {
        name: "revision",
        columns: &[("revision", Number), ("at", Number), ("author", Text), ("reason", Text)],
    },
    Table {
        name: "asset",
        columns: &[
            ("kind", Text),
            ("id", Text),
            ("name", Text),
            ("revision", Number),
            ("created_at", Number),
            ("changed_at", Number),
            ("document", Text),
            ("sealed", Text),
        ],
    },
    Table {
        name: "asset_version",
        columns: &[
            ("kind", Text),
            ("id", Text),
            ("revision", Number),
            ("name", Text),
            ("created_at", Number),
            ("document", Text),
            ("sealed", Text),
        ],
    },
    Table {
        name: "audit",
        columns: &[
            ("number", Number),
            ("at", Number),
            ("revision", Number),
            ("event_type", Text),
            ("object_type", Text),
            ("action", Text),
            ("object", Text),
            ("message", Text),
            ("username", Text),
            ("source_machine", Text),
            ("client_ip", Text),
            ("payload", Text),
            ("hash", Text),
        ],
    },
    Table { name: "document", columns: &[("hash", Text), ("content", Bytes), ("created_at", Number)] },
    Table {
        name: "credential",
        columns: &[
            ("username", Text),
            ("password_hash", Text),
            ("changed_at", Number),
            ("temporary", Number),
        ],
    },
    Table {
        name: "second_factor",
        columns: &[("username", Text), ("secret", Text), ("confirmed_at", Number), ("last_step", Number)],
    },
    Table { name: "recovery_code", columns: &[("username", Text), ("hash", Text)] },
    Table {
        name: "token",
        columns: &[
            ("id", Text),
            ("username", Text),
            ("name", Text),
            ("hash", Text),
            ("privileges", Text),
            ("created_at", Number),
            ("expires_at", Number),
        ],
    },
    Table {
        name: "portal_rating",
        columns: &[("api", Text), ("username", Text), ("stars", Number), ("at", Number)],
    },
    Table {
        name: "portal_comment",
        columns: &[("id", Text), ("api", Text), ("username", Text), ("at", Number), ("content", Text)],
    },
    Table {
        name: "sign_up",
        columns: &[
            ("username", Text),
            ("first_name", Text),
            ("last_name", Text),
            ("email", Text),
            ("message", Text),
            ("password_hash", Text),
            ("at", Number),
        ],
    },
    Table { name: "key_use", columns: &[("hash", Text), ("used_at", Number)] },
    Table {
        name: "data_key",
        columns: &[("id", Text), ("master", Text), ("wrapped", Text), ("created_at", Number)],
    },
    Table { name: "oauth_feed", columns: &[("only_row", Number), ("number", Number)] },
    Table {
        name: "oauth_key",
        columns: &[
            ("id", Text),
            ("algorithm", Text),
            ("public_jwk", Text),
            ("sealed", Text),
            ("created_at", Number),
            ("retired_at", Number),
        ],
    },
    Table {
        name: "oauth_token",
        columns: &[
            ("hash", Text),
            ("id", Text),
            ("kind", Text),
            ("family", Text),
            ("client", Text),
            ("application", Text),
            ("username", Text),
            ("scope", Text),
            ("issued_at", Number),
            ("expires_at", Number),
            ("used_at", Number),
            ("revoked_at", Number),
            ("number", Number),
            ("document", Text),
        ],
    },
    Table {
        name: "oauth_consent",
        columns: &[("user_id", Text), ("client", Text), ("scope", Text), ("granted_at", Number)],
    },
    Table {
        name: "oauth_initial_token",
        columns: &[
            ("id", Text),
            ("hash", Text),
            ("name", Text),
            ("author", Text),
            ("created_at", Number),
            ("expires_at", Number),
            ("most_uses", Number),
            ("uses", Number),
            ("used_at", Number),
            ("document", Text),
        ],
    },
];

/// What is of the moment: it is in no backup, and gone when one is restored.
const PASSING: [&str; 5] = ["session", "login", "login_failure", "oauth_pending", "request_key"];

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    format: String,
    version: u32,
    /// The revision that it is of.
    pub revision: u64,
    /// Where the audit log ends.
    audit: u64,
    audit_hash: String,
}

#[derive(Serialize, Deserialize)]
struct End {
    rows: u64,
    sha256: String,
}

/// Why a backup was not written, or not read.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("the backup is not usable: {0}; nothing was changed")]
    Unusable(String),
    #[error("there is something in the store already, up to revision {revision}; nothing was changed")]
    NotEmpty { revision: u64 },
    #[error("the file cannot be read or written: {0}")]
    Io(#[from] std::io::Error),
}

/// A backup that was given up, or an engine that failed.
enum Stop {
    Gave(BackupError),
    Failed(sqlx::Error),
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::Gave(error.into())
    }
}

fn done<T>(database: &Database, action: &'static str, result: Result<T, Stop>) -> Result<T, BackupError> {
    result.map_err(|stop| match stop {
        Stop::Gave(error) => error,
        Stop::Failed(cause) => database.failed(action, cause).into(),
    })
}

/// Lines with a checksum.
struct Lines<W: Write> {
    out: GzEncoder<W>,
    hasher: Sha256,
    rows: u64,
}

impl<W: Write> Lines<W> {
    fn write(&mut self, line: &impl Serialize) -> std::io::Result<()> {
        let mut text = serde_json::to_vec(line).map_err(std::io::Error::other)?;
        text.push(b'\n');
        self.hasher.update(&text);
        self.out.write_all(&text)
    }
}

pub(super) async fn write(database: &Database, out: impl Write) -> Result<Summary, BackupError> {
    let lines = Lines { out: GzEncoder::new(out, Compression::default()), hasher: Sha256::new(), rows: 0 };
    done(database, "back up", write_now(database, lines).await)
}

/// Reads all tables as one moment sees them.
macro_rules! read_all {
    ($transaction:ident, $lines:ident) => {{
        let head: (i64, i64, String) =
            query_as("SELECT revision, audit, audit_hash FROM head").fetch_one(&mut *$transaction).await?;
        let summary = Summary {
            format: FORMAT.to_owned(),
            version: VERSION,
            revision: head.0.unsigned_abs(),
            audit: head.1.unsigned_abs(),
            audit_hash: head.2,
        };
        $lines.write(&summary)?;
        for table in TABLES {
            let columns: Vec<_> = table.columns.iter().map(|(name, _)| *name).collect();
            let statement = format!("SELECT {} FROM {}", columns.join(", "), table.name);
            let mut rows = query(AssertSqlSafe(statement)).fetch(&mut *$transaction);
            while let Some(row) = rows.try_next().await? {
                let mut values = vec![Value::from(table.name)];
                for (place, (_, of)) in table.columns.iter().enumerate() {
                    values.push(match of {
                        Number => row.try_get::<Option<i64>, _>(place)?.into(),
                        Text => row.try_get::<Option<String>, _>(place)?.into(),
                        Bytes => row
                            .try_get::<Option<Vec<u8>>, _>(place)?
                            .map(|b| Base64::encode_string(&b))
                            .into(),
                    });
                }
                $lines.write(&values)?;
                $lines.rows += 1;
            }
        }
        summary
    }};
}

async fn write_now<W: Write>(database: &Database, mut lines: Lines<W>) -> Result<Summary, Stop> {
    let summary = match database {
        Database::Sqlite { readers, .. } => {
            let mut transaction = readers.begin().await?;
            read_all!(transaction, lines)
        }
        Database::Postgres(pool) => {
            let begin = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY";
            let mut transaction = pool.begin_with(begin).await?;
            read_all!(transaction, lines)
        }
    };
    let end = End { rows: lines.rows, sha256: format!("{:x}", lines.hasher.finalize()) };
    serde_json::to_writer(&mut lines.out, &end).map_err(std::io::Error::other)?;
    lines.out.write_all(b"\n")?;
    lines.out.finish()?.flush()?;
    Ok(summary)
}

fn unusable(reason: impl Into<String>) -> BackupError {
    BackupError::Unusable(reason.into())
}

/// Goes through a backup, and returns what it says of itself when it is whole.
fn check(input: impl BufRead) -> Result<Summary, BackupError> {
    let mut input = std::io::BufReader::new(MultiGzDecoder::new(input));
    let (mut hasher, mut rows, mut summary) = (Sha256::new(), 0_u64, None::<Summary>);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input.read_until(b'\n', &mut line);
        if read.map_err(|error| unusable(format!("it is damaged ({error})")))? == 0 {
            return Err(unusable("it ends before its end"));
        }
        if summary.is_none() {
            let found: Summary =
                serde_json::from_slice(&line).map_err(|_| unusable("it is no backup of Gatewright"))?;
            if found.format != FORMAT || found.version != VERSION {
                let version = found.version;
                return Err(unusable(format!("it has version {version} of the format, expected {VERSION}")));
            }
            summary = Some(found);
        } else if line.first() == Some(&b'[') {
            let values: Vec<Value> =
                serde_json::from_slice(&line).map_err(|error| unusable(error.to_string()))?;
            let (name, values) = values.split_first().ok_or_else(|| unusable("a row is empty"))?;
            let table = TABLES.iter().find(|table| *name == table.name);
            let table = table.filter(|table| table.columns.len() == values.len());
            table.ok_or_else(|| unusable(format!("{name} is not known in this version")))?;
            rows += 1;
        } else {
            let end: End = serde_json::from_slice(&line).map_err(|error| unusable(error.to_string()))?;
            if end.rows != rows || end.sha256 != format!("{:x}", hasher.finalize()) {
                return Err(unusable("its checksum is not right"));
            }
            // The stream has a checksum, too, which comes last.
            let mut rest = [0];
            let read = std::io::Read::read(&mut input, &mut rest);
            if read.map_err(|error| unusable(format!("it is damaged ({error})")))? != 0 {
                return Err(unusable("it goes on after its end"));
            }
            return summary.ok_or_else(|| unusable("it says nothing of itself"));
        }
        hasher.update(&line);
    }
}

/// Replaces everything in the store. `open` opens the backup, which is looked at before anything is changed.
pub(super) async fn restore<R: BufRead>(
    database: &Database,
    open: impl Fn() -> std::io::Result<R>,
    replace: bool,
) -> Result<Summary, BackupError> {
    let summary = check(open()?)?;
    done(database, "restore", restore_now(database, &summary, open, replace).await)?;
    Ok(summary)
}

/// Rows that are held while they are written.
const BATCH: usize = 500;

async fn restore_now<R: BufRead>(
    database: &Database,
    summary: &Summary,
    open: impl Fn() -> std::io::Result<R>,
    replace: bool,
) -> Result<(), Stop> {
    let input = open()?;
    in_transaction!(database, |transaction| {
        let (revision,): (i64,) =
            query_as("UPDATE head SET revision = revision WHERE only_row = 1 RETURNING revision")
                .fetch_one(&mut *transaction)
                .await?;
        if revision > 0 && !replace {
            return Err(Stop::Gave(BackupError::NotEmpty { revision: revision.unsigned_abs() }));
        }
        for table in TABLES.iter().map(|table| table.name).chain(PASSING) {
            query(AssertSqlSafe(format!("DELETE FROM {table}"))).execute(&mut *transaction).await?;
        }
        let mut rows = Rows::new(input);
        loop {
            let batch = rows.next_batch(BATCH).map_err(Stop::Gave)?;
            if batch.is_empty() {
                break;
            }
            for (table, values) in batch {
                let columns: Vec<_> = table.columns.iter().map(|(name, _)| *name).collect();
                let places: Vec<_> = (1..=columns.len()).map(|place| format!("${place}")).collect();
                let (columns, places) = (columns.join(", "), places.join(", "));
                let statement = format!("INSERT INTO {} ({columns}) VALUES ({places})", table.name);
                let mut insert = query(AssertSqlSafe(statement));
                for ((name, of), value) in table.columns.iter().zip(&values) {
                    let wrong = || {
                        Stop::Gave(unusable(format!(
                            "{} of {} has a value that it cannot have",
                            name, table.name
                        )))
                    };
                    insert = match (of, value) {
                        (Number, Value::Null) => insert.bind(None::<i64>),
                        (Number, value) => insert.bind(value.as_i64().ok_or_else(wrong)?),
                        (Text, Value::Null) => insert.bind(None::<String>),
                        (Text, value) => insert.bind(value.as_str().ok_or_else(wrong)?.to_owned()),
                        (Bytes, value) => {
                            let bytes = value.as_str().and_then(|text| Base64::decode_vec(text).ok());
                            insert.bind(bytes.ok_or_else(wrong)?)
                        }
                    };
                }
                insert.execute(&mut *transaction).await?;
            }
        }
        // Who serves from this store learns that nothing is as it was.
        query("UPDATE head SET revision = $1, audit = $2, audit_hash = $3, epoch = $4 WHERE only_row = 1")
            .bind(super::database::bigint(summary.revision))
            .bind(super::database::bigint(summary.audit))
            .bind(&summary.audit_hash)
            .bind(random_number())
            .execute(&mut *transaction)
            .await?;
    })
}

/// The rows of a backup that was checked.
struct Rows<R: BufRead>(std::io::Lines<std::io::BufReader<MultiGzDecoder<R>>>);

impl<R: BufRead> Rows<R> {
    fn new(input: R) -> Self {
        Self(std::io::BufReader::new(MultiGzDecoder::new(input)).lines())
    }

    fn next_batch(&mut self, most: usize) -> Result<Vec<(&'static Table, Vec<Value>)>, BackupError> {
        let mut batch = Vec::new();
        while batch.len() < most {
            let Some(line) = self.0.next() else { break };
            let line = line?;
            if !line.starts_with('[') {
                continue;
            }
            let mut values: Vec<Value> =
                serde_json::from_str(&line).map_err(|error| unusable(error.to_string()))?;
            let name = values.remove(0);
            let table = TABLES.iter().find(|table| name == table.name);
            batch.push((table.ok_or_else(|| unusable("it was changed while it was read"))?, values));
        }
        Ok(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assets::StoreUrl;

    #[tokio::test]
    async fn everything_that_is_kept_is_in_a_backup() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&StoreUrl::File(folder.path().join("assets.db"))).await.unwrap();
        let Database::Sqlite { readers, .. } = &database else { panic!("it is a file") };
        let tables: Vec<(String,)> = query_as(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name",
        )
        .fetch_all(readers)
        .await
        .unwrap();
        for (table,) in tables {
            // Nodes say themselves what they serve; the others are what a backup says of itself.
            if ["node", "head", "_sqlx_migrations"].contains(&&*table) || PASSING.contains(&&*table) {
                continue;
            }
            let statement = format!("SELECT name FROM pragma_table_info('{table}')");
            let columns: Vec<(String,)> =
                query_as(AssertSqlSafe(statement)).fetch_all(readers).await.unwrap();
            let known = TABLES.iter().find(|known| known.name == table);
            let known = known.unwrap_or_else(|| panic!("{table} is in no backup"));
            let mut known: Vec<_> = known.columns.iter().map(|(name, _)| (*name).to_owned()).collect();
            let mut columns: Vec<_> = columns.into_iter().map(|(name,)| name).collect();
            known.sort();
            columns.sort();
            assert_eq!(columns, known, "{table}");
        }
    }
}
