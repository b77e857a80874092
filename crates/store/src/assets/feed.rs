//! The change feed: who follows the store learns of each revision, whoever committed it.

use std::time::Duration;

use sqlx::{PgPool, postgres::PgListener};
use tokio::{sync::watch, task::JoinHandle, time::timeout};

use super::{
    database::{Database, bigint},
    read,
};

/// Channel of PostgreSQL on which commits are announced.
const CHANNEL: &str = "gatewright_revision";
/// A notification can be lost with its connection: at least this often the head is looked at.
const SLOW_POLL: Duration = Duration::from_secs(5);

/// Says that a revision is there, unless a later one was said to be.
pub(super) fn announce(head: &watch::Sender<u64>, revision: u64) {
    head.send_if_modified(|head| {
        let is_newer = revision > *head;
        *head = revision.max(*head);
        is_newer
    });
}

/// Tells other processes about a commit. Where that fails they find out when they look next.
pub(super) async fn notify(database: &Database, revision: u64) {
    let Database::Postgres(pool) = database else { return };
    let told = sqlx::query("SELECT pg_notify($1, CAST($2 AS TEXT))").bind(CHANNEL).bind(bigint(revision));
    if let Err(error) = told.execute(pool).await {
        tracing::warn!(%error, "other nodes could not be told about revision {revision}");
    }
}

/// Listens to what other processes commit. An SQLite file belongs to one process.
pub(super) fn listen(database: &Database, head: &watch::Sender<u64>) -> Option<JoinHandle<()>> {
    let Database::Postgres(pool) = database else { return None };
    Some(tokio::spawn(follow(pool.clone(), head.clone())))
}

async fn follow(pool: PgPool, head: watch::Sender<u64>) {
    loop {
        if let Err(error) = follow_once(&pool, &head).await {
            tracing::warn!(%error, "the database is away; what is served goes on being served");
        }
        tokio::time::sleep(SLOW_POLL).await;
    }
}

async fn follow_once(pool: &PgPool, head: &watch::Sender<u64>) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    let database = Database::Postgres(pool.clone());
    loop {
        // After listening has begun, so that nothing falls between the two.
        match read::head(&database).await {
            Ok(revision) => announce(head, revision),
            Err(error) => tracing::warn!(%error, "the newest revision could not be read"),
        }
        if let Ok(notified) = timeout(SLOW_POLL, listener.recv()).await {
            notified?;
        }
    }
}
