//! What can go wrong with the store, said so that an operator knows what to do.

use std::{io, path::PathBuf};

/// An operation of the store that failed. The store itself goes on working.
///
/// Messages are complete: what SQLite or the system said is part of them, not a source to be printed as well.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the data directory {} is in use by another process", directory.display())]
    InUse { directory: PathBuf },
    #[error("the disk is full: {} cannot grow", file.display())]
    Full { file: PathBuf },
    #[error("{} cannot be written: the file or its file system is read-only", file.display())]
    ReadOnly { file: PathBuf },
    #[error("{} is damaged: {reason}", file.display())]
    Corrupt { file: PathBuf, reason: String },
    #[error("cannot {action} {}: {cause}", path.display())]
    Io { action: &'static str, path: PathBuf, cause: io::Error },
    #[error("cannot {action} {}: {cause}", file.display())]
    Database { action: &'static str, file: PathBuf, cause: sqlx::Error },
    #[error("cannot {action} the database: {cause}")]
    Remote { action: &'static str, cause: sqlx::Error },
    #[error("the tables of the store cannot be brought up to date: {cause}")]
    Migration { cause: sqlx::migrate::MigrateError },
}

impl StoreError {
    /// Whether a database somewhere else does not answer now, and may do so later.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Remote { cause, .. } if crate::assets::is_away(cause))
    }

    /// Sorts an error of SQLite by its primary result code.
    pub(crate) fn database(action: &'static str, file: PathBuf, cause: sqlx::Error) -> Self {
        const READ_ONLY: u32 = 8;
        const CORRUPT: u32 = 11;
        const FULL: u32 = 13;
        const NOT_A_DATABASE: u32 = 26;
        let code = match &cause {
            sqlx::Error::Database(error) => error.code().and_then(|code| code.parse::<u32>().ok()),
            _ => None,
        };
        match code.map(|code| code & 0xff) {
            Some(FULL) => Self::Full { file },
            Some(READ_ONLY) => Self::ReadOnly { file },
            Some(CORRUPT | NOT_A_DATABASE) => Self::Corrupt { file, reason: cause.to_string() },
            _ => Self::Database { action, file, cause },
        }
    }
}
