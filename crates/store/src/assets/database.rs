//! Two engines behind one set of statements: SQLite in a file, or PostgreSQL.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use sqlx::{
    ConnectOptions, PgPool, SqlStr, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::StoreError;

/// Statements that bring the tables up to date, oldest first. What was released is never changed.
const MIGRATIONS: [(i64, &str, &str); 2] = [
    (1, "assets", include_str!("../../migrations/0001_assets.sql")),
    (2, "access", include_str!("../../migrations/0002_access.sql")),
];

/// Connections of one node to PostgreSQL.
const CONNECTIONS: u32 = 8;
/// Longest wait for a connection. Whoever waits is somebody who changes something, not a request.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where assets are kept.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// A file of SQLite.
    File(PathBuf),
    /// A database of PostgreSQL. The URL may hold a password.
    Postgres(String),
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Postgres(_) => f.write_str("PostgreSQL"),
        }
    }
}

/// Open connections.
pub(super) enum Database {
    Sqlite {
        /// The only connection that writes: SQLite has room for one, and waiting in a queue is fairer than retrying.
        writer: SqlitePool,
        readers: SqlitePool,
        file: PathBuf,
    },
    Postgres(PgPool),
}

/// Runs a statement that reads on whichever engine it is.
macro_rules! reading {
    ($database:expr, $action:literal, |$pool:ident| $statement:expr) => {
        match $database {
            $crate::assets::database::Database::Sqlite { readers: $pool, .. } => $statement.await,
            $crate::assets::database::Database::Postgres($pool) => $statement.await,
        }
        .map_err(|cause| $database.failed($action, cause))
    };
}

/// Runs statements in one transaction on whichever engine it is. What returns early is rolled back.
macro_rules! in_transaction {
    ($database:expr, |$transaction:ident| $statements:block) => {
        match $database {
            $crate::assets::database::Database::Sqlite { writer, .. } => {
                // Without IMMEDIATE two transactions can both read and then neither write.
                let mut $transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
                let done = $statements;
                $transaction.commit().await?;
                Ok(done)
            }
            $crate::assets::database::Database::Postgres(pool) => {
                let mut $transaction = pool.begin().await?;
                let done = $statements;
                $transaction.commit().await?;
                Ok(done)
            }
        }
    };
}

pub(super) use {in_transaction, reading};

impl Database {
    pub(super) async fn open(url: &StoreUrl) -> Result<Self, StoreError> {
        let database = match url {
            StoreUrl::File(file) => Self::open_file(file.clone()).await?,
            StoreUrl::Postgres(url) => Self::connect(url).await?,
        };
        let migrations = MIGRATIONS.map(|(version, name, statements)| {
            let statements = SqlStr::from_static(statements);
            Migration::new(version, name.into(), MigrationType::Simple, statements, false)
        });
        let migrator = Migrator::with_migrations(migrations.into());
        let migrated = match &database {
            Self::Sqlite { writer, .. } => migrator.run(writer).await,
            Self::Postgres(pool) => migrator.run(pool).await,
        };
        match migrated {
            Ok(()) => Ok(database),
            Err(cause) => Err(StoreError::Migration { cause }),
        }
    }

    async fn open_file(file: PathBuf) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // What was acknowledged survives a power failure, too.
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging();
        let open = async {
            let writer = SqlitePoolOptions::new().max_connections(1).acquire_timeout(PATIENCE);
            let writer = writer.connect_with(options.clone()).await?;
            let readers = SqlitePoolOptions::new().max_connections(4).acquire_timeout(PATIENCE);
            let readers = readers.connect_with(options.read_only(true).create_if_missing(false)).await?;
            Ok((writer, readers))
        };
        match open.await {
            Ok((writer, readers)) => Ok(Self::Sqlite { writer, readers, file }),
            Err(cause) => Err(StoreError::database("open", file, cause)),
        }
    }

    async fn connect(url: &str) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|cause| StoreError::Remote { action: "understand the URL of", cause })?
            .application_name("gatewright")
            .disable_statement_logging();
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(PATIENCE);
        let pool = pool.connect_with(options).await;
        pool.map(Self::Postgres).map_err(|cause| StoreError::Remote { action: "connect to", cause })
    }

    pub(super) fn failed(&self, action: &'static str, cause: sqlx::Error) -> StoreError {
        match self {
            Self::Sqlite { file, .. } => StoreError::database(action, file.clone(), cause),
            Self::Postgres(_) => StoreError::Remote { action, cause },
        }
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers, .. } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// A number as both engines store it.
pub(super) fn bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number as it was stored.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
