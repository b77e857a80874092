//! Commits: changes of assets, the revision that they make, and their audit records, in one transaction.

use sqlx::query;

use super::{
    audit::{self, AuditEntry},
    database::{Database, bigint, in_transaction, unsigned},
};
use crate::StoreError;

/// What an asset has to be like for a change to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// It is not there.
    Absent,
    /// This revision changed it last.
    At(u64),
}

/// A change of one asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub kind: String,
    pub id: String,
    pub name: String,
    pub expected: Expected,
    /// JSON; `None` deletes the asset.
    pub document: Option<String>,
    /// What of it is secret, encrypted.
    pub sealed: Option<String>,
}

/// Changes that belong together.
#[derive(Debug, Clone)]
pub struct Commit<'a> {
    /// Revision that the changes were made from and checked against.
    pub base: u64,
    /// The epoch of the store that it is of.
    pub epoch: u64,
    pub at: u64,
    pub author: &'a str,
    pub reason: Option<&'a str>,
    pub changes: &'a [Change],
    pub audit: &'a [AuditEntry<'a>],
    /// Users who are no more: whoever gets their name later gets neither their password nor their tokens.
    pub former_users: &'a [String],
}

/// Why nothing was committed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Somebody else has committed since; whether the changes still fit has to be looked at again.
    #[error("revision {head} was committed meanwhile")]
    Behind { head: u64 },
    /// The asset is not as it was expected to be. With the base being the newest revision, this is a mistake of the
    /// caller.
    #[error("{kind} `{name}` is not as it was expected to be")]
    Conflict { kind: String, name: String },
    #[error("{0}")]
    Store(StoreError),
}

/// A commit that was given up, or an engine that failed.
pub(super) enum Stop {
    Refused(CommitError),
    Failed(sqlx::Error),
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error)
    }
}

pub(super) async fn commit(database: &Database, commit: &Commit<'_>) -> Result<u64, CommitError> {
    commit_or_stop(database, commit).await.map_err(|stop| match stop {
        Stop::Refused(error) => error,
        Stop::Failed(cause) => CommitError::Store(database.failed("commit to", cause)),
    })
}

async fn commit_or_stop(database: &Database, commit: &Commit<'_>) -> Result<u64, Stop> {
    let at = bigint(commit.at);
    in_transaction!(database, |transaction| {
        // Locks the row, and with it out everybody else who commits.
        let (revision, epoch, number, hash): (i64, i64, i64, String) = sqlx::query_as(
            "UPDATE head SET revision = revision + 1 WHERE only_row = 1 RETURNING revision, epoch, audit, audit_hash",
        )
        .fetch_one(&mut *transaction)
        .await?;
        if unsigned(revision) != commit.base + 1 || unsigned(epoch) != commit.epoch {
            return Err(Stop::Refused(CommitError::Behind { head: unsigned(revision).saturating_sub(1) }));
        }
        query("INSERT INTO revision (revision, at, author, reason) VALUES ($1, $2, $3, $4)")
            .bind(revision)
            .bind(at)
            .bind(commit.author)
            .bind(commit.reason)
            .execute(&mut *transaction)
            .await?;
        for change in commit.changes {
            let affected = match (change.expected, &change.document) {
                (Expected::Absent, None) => 0,
                (Expected::Absent, Some(document)) => query(
                    "INSERT INTO asset (kind, id, name, revision, created_at, changed_at, document, sealed) \
                     VALUES ($1, $2, $3, $4, $5, $5, $6, $7) ON CONFLICT DO NOTHING",
                )
                .bind(&change.kind)
                .bind(&change.id)
                .bind(&change.name)
                .bind(revision)
                .bind(at)
                .bind(document)
                .bind(&change.sealed)
                .execute(&mut *transaction)
                .await?
                .rows_affected(),
                (Expected::At(expected), Some(document)) => query(
                    "UPDATE asset SET name = $1, revision = $2, changed_at = $3, document = $4, sealed = $5 \
                     WHERE kind = $6 AND id = $7 AND revision = $8",
                )
                .bind(&change.name)
                .bind(revision)
                .bind(at)
                .bind(document)
                .bind(&change.sealed)
                .bind(&change.kind)
                .bind(&change.id)
                .bind(bigint(expected))
                .execute(&mut *transaction)
                .await?
                .rows_affected(),
                (Expected::At(expected), None) => {
                    query("DELETE FROM asset WHERE kind = $1 AND id = $2 AND revision = $3")
                        .bind(&change.kind)
                        .bind(&change.id)
                        .bind(bigint(expected))
                        .execute(&mut *transaction)
                        .await?
                        .rows_affected()
                }
            };
            if affected != 1 {
                let (kind, name) = (change.kind.clone(), change.name.clone());
                return Err(Stop::Refused(CommitError::Conflict { kind, name }));
            }
            query(
                "INSERT INTO asset_version (kind, id, revision, name, created_at, document, sealed) VALUES ($1, $2, $3, $4, \
                 COALESCE((SELECT created_at FROM asset_version WHERE kind = $1 AND id = $2 ORDER BY revision DESC LIMIT 1), $5), \
                 $6, $7)",
            )
            .bind(&change.kind)
            .bind(&change.id)
            .bind(revision)
            .bind(&change.name)
            .bind(at)
            .bind(&change.document)
            .bind(&change.sealed)
            .execute(&mut *transaction)
            .await?;
        }
        for user in commit.former_users {
            for statement in [
                "DELETE FROM credential WHERE username = $1",
                "DELETE FROM second_factor WHERE username = $1",
                "DELETE FROM recovery_code WHERE username = $1",
                "DELETE FROM token WHERE username = $1",
                "DELETE FROM session WHERE username = $1",
                "DELETE FROM oauth_pending WHERE username = $1",
                "DELETE FROM portal_rating WHERE username = $1",
                "DELETE FROM portal_comment WHERE username = $1",
                "UPDATE oauth_feed SET number = number + 1 WHERE $1 <> ''",
                "UPDATE oauth_token SET revoked_at = issued_at, number = (SELECT number FROM oauth_feed) \
                 WHERE username = $1 AND revoked_at IS NULL",
            ] {
                query(statement).bind(user).execute(&mut *transaction).await?;
            }
        }
        let mut chain = audit::Chain { number, hash };
        for entry in commit.audit {
            audit::insert!(transaction, chain, at, Some(revision), entry);
        }
        audit::seal!(transaction, chain);
        unsigned(revision)
    })
}
