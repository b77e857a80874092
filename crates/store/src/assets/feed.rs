//! The change feed: who follows the store learns of each revision, whoever committed it, and whether the database is
//! there at all.

use std::time::Duration;

use sqlx::{PgPool, postgres::PgListener};
use tokio::{sync::watch, task::JoinHandle, time::timeout};

use super::{
    Head,
    database::{Database, bigint},
    read,
};
use crate::StoreError;

/// Channel of PostgreSQL on which commits are announced.
const CHANNEL: &str = "gatewright_revision";
/// Channel on which it is announced that something became of tokens.
pub(super) const TOKENS: &str = "gatewright_tokens";
/// A notification can be lost with its connection: at least this often the head is looked at.
const SLOW_POLL: Duration = Duration::from_secs(5);
/// How often it is looked whether a database that is away has come back.
const RETRY: Duration = Duration::from_secs(1);

/// What is known of the store without asking it.
#[derive(Clone)]
pub(super) struct Feed {
    pub(super) head: watch::Sender<Head>,
    /// Why the database does not answer.
    pub(super) away: watch::Sender<Option<String>>,
    /// Changes when something became of tokens of the internal authorization server, or may have.
    pub(super) tokens: watch::Sender<u64>,
}

impl Feed {
    pub(super) fn new(head: Head, away: Option<String>) -> Self {
        Self { head: watch::Sender::new(head), away: watch::Sender::new(away), tokens: watch::Sender::new(0) }
    }

    /// Says that a revision is there, unless a later one of the same store was said to be.
    pub(super) fn announce(&self, new: Head) {
        self.head.send_if_modified(|head| {
            let is_newer = new.epoch != head.epoch || new.revision > head.revision;
            if is_newer {
                *head = new;
            }
            is_newer
        });
        // With users tokens end, too.
        self.tokens.send_modify(|times| *times += 1);
    }

    /// The same for a revision that was committed here.
    pub(super) fn announce_own(&self, revision: u64) {
        let epoch = self.head.borrow().epoch;
        self.announce(Head { revision, epoch });
    }

    fn is_away(&self, error: &StoreError) {
        let was_there = self.away.send_replace(Some(error.to_string())).is_none();
        if was_there {
            tracing::warn!(%error, "the database is away; what is served goes on being served");
        }
    }

    fn is_there(&self) {
        if self.away.send_replace(None).is_some() {
            tracing::info!("the database is there again");
        }
    }
}

/// Tells other processes about a commit. Where that fails they find out when they look next.
pub(super) async fn notify(database: &Database, revision: u64) {
    let Database::Postgres(pool) = database else { return };
    let told = sqlx::query("SELECT pg_notify($1, CAST($2 AS TEXT))").bind(CHANNEL).bind(bigint(revision));
    if let Err(error) = told.execute(pool).await {
        tracing::warn!(%error, "other nodes could not be told about revision {revision}");
    }
}

/// Listens to what other processes commit. An SQLite file belongs to one process. Where the tables may not be up to
/// date they are brought up to date first.
pub(super) fn listen(database: &Database, feed: &Feed, up_to_date: bool) -> Option<JoinHandle<()>> {
    let Database::Postgres(pool) = database else { return None };
    Some(tokio::spawn(follow(pool.clone(), feed.clone(), up_to_date)))
}

async fn follow(pool: PgPool, feed: Feed, mut up_to_date: bool) {
    let database = Database::Postgres(pool.clone());
    loop {
        let Err(error) = follow_once(&pool, &database, &feed, &mut up_to_date).await;
        feed.is_away(&error);
        tokio::time::sleep(RETRY).await;
    }
}

async fn follow_once(
    pool: &PgPool,
    database: &Database,
    feed: &Feed,
    up_to_date: &mut bool,
) -> Result<std::convert::Infallible, StoreError> {
    if !*up_to_date {
        database.bring_up_to_date().await?;
        *up_to_date = true;
    }
    let failed = |cause| database.failed("follow", cause);
    let mut listener = PgListener::connect_with(pool).await.map_err(failed)?;
    // Who reconnects behind our back hides that the database was away.
    listener.eager_reconnect(false);
    listener.listen_all([CHANNEL, TOKENS]).await.map_err(failed)?;
    loop {
        // After listening has begun, so that nothing falls between the two.
        feed.announce(read::head(database).await?);
        feed.is_there();
        // There may be many tokens, and no revision behind any of them.
        while let Ok(notified) = timeout(SLOW_POLL, listener.try_recv()).await {
            let Some(notified) = notified.map_err(failed)? else {
                let lost = std::io::Error::from(std::io::ErrorKind::ConnectionAborted);
                return Err(failed(sqlx::Error::Io(lost)));
            };
            if notified.channel() != TOKENS {
                break;
            }
            feed.tokens.send_modify(|times| *times += 1);
        }
    }
}
