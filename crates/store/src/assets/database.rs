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
const MIGRATIONS: [(i64, &str, &str); 11] = [
    (1, "assets", include_str!("../../migrations/0001_assets.sql")),
    (2, "access", include_str!("../../migrations/0002_access.sql")),
    (3, "nodes", include_str!("../../migrations/0003_nodes.sql")),
    (4, "secrets", include_str!("../../migrations/0004_secrets.sql")),
    (5, "oauth", include_str!("../../migrations/0005_oauth.sql")),
    (6, "once", include_str!("../../migrations/0006_once.sql")),
    (7, "portal", include_str!("../../migrations/0007_portal.sql")),
    (8, "consents", include_str!("../../migrations/0008_consents.sql")),
    (9, "logins", include_str!("../../migrations/0009_logins.sql")),
    (10, "second_factors", include_str!("../../migrations/0010_second_factors.sql")),
    (11, "initial_tokens", include_str!("../../migrations/0011_initial_tokens.sql")),
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
#[derive(Clone)]
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
        database.bring_up_to_date().await?;
        Ok(database)
    }

    /// Opens a database that does not answer now; its tables are brought up to date when it does.
    pub(super) fn open_later(url: &str) -> Result<Self, StoreError> {
        Ok(Self::Postgres(pool_options().connect_lazy_with(postgres_options(url)?)))
    }

    /// Brings the tables up to date.
    pub(super) async fn bring_up_to_date(&self) -> Result<(), StoreError> {
        let migrations = MIGRATIONS.map(|(version, name, statements)| {
            let statements = SqlStr::from_static(statements);
            Migration::new(version, name.into(), MigrationType::Simple, statements, false)
        });
        let migrator = Migrator::with_migrations(migrations.into());
        let migrated = match self {
            Self::Sqlite { writer, .. } => migrator.run(writer).await,
            Self::Postgres(pool) => migrator.run(pool).await,
        };
        match migrated {
            Ok(()) => self.name_once().await.map_err(|cause| self.failed("write to", cause)),
            Err(sqlx::migrate::MigrateError::Execute(cause)) if is_away(&cause) => {
                Err(self.failed("connect to", cause))
            }
            Err(cause) => Err(StoreError::Migration { cause }),
        }
    }

    /// Gives a new store the number that tells it from others.
    async fn name_once(&self) -> Result<(), sqlx::Error> {
        let number = random_number();
        in_transaction!(self, |transaction| {
            sqlx::query("UPDATE head SET epoch = $1 WHERE epoch = 0")
                .bind(number)
                .execute(&mut *transaction)
                .await?;
        })
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
        let pool = pool_options().connect_with(postgres_options(url)?).await;
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

fn postgres_options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|cause| StoreError::Remote { action: "understand the URL of", cause })?;
    Ok(options.application_name("gatewright").disable_statement_logging())
}

fn pool_options() -> PgPoolOptions {
    PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(PATIENCE)
}

/// Whether nobody answered, or only to say that nobody is let in now.
pub(crate) fn is_away(cause: &sqlx::Error) -> bool {
    match cause {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
        // Starting, shutting down, recovering, too many connections, or a password that is no longer right.
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| code.starts_with("57P") || code.starts_with("53") || code.starts_with("28")),
        _ => false,
    }
}

/// Any number but zero.
pub(super) fn random_number() -> i64 {
    let mut bytes = [0_u8; 8];
    // Without randomness nothing else would have started.
    let _ = getrandom::fill(&mut bytes);
    (i64::from_be_bytes(bytes) & i64::MAX).max(1)
}

/// A number as both engines store it.
pub(super) fn bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number as it was stored.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
