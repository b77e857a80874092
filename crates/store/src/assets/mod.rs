//! The asset store: everything that is configured, with all its versions, and the audit log of how it came to be so.
//!
//! It keeps documents and knows nothing of what is in them. SQLite and PostgreSQL get the same statements.

mod audit;
mod backup;
mod commit;
mod credential;
mod data_key;
mod database;
mod document;
mod feed;
mod login;
mod node;
mod oauth;
mod portal;
mod read;
mod request_key;
mod second_factor;
mod session;
pub mod snapshot;
mod token;

use serde::{Deserialize, Serialize};
use tokio::{sync::watch, task::JoinHandle};

pub use audit::{AuditEntry, AuditFilter, AuditRecord, Tampered};
pub use backup::{BackupError, Summary};
pub use commit::{Change, Commit, CommitError, Expected};
pub use credential::{Credential, LoginFailures};
pub use data_key::DataKey;
pub use database::StoreUrl;
pub(crate) use database::is_away;
pub use node::Node;
pub use oauth::{Consent, InitialToken, OauthKey, OauthStore, OauthToken, Passing, TokenFilter, TokenOwner};
pub use portal::{Comment, Rating, SignUpRow};
pub use request_key::{Answered, Begun, RequestKey};
pub use second_factor::{SecondFactor, SetUp};
pub use session::Session;
pub use token::Token;

use crate::StoreError;
use database::Database;
use feed::Feed;

/// The newest revision of a store. Two revisions can be compared when they are of one epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub revision: u64,
    /// Another one when everything in the store was replaced.
    pub epoch: u64,
}

/// An asset as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Asset {
    pub kind: String,
    /// Stays when the asset is renamed.
    pub id: String,
    /// Unique among its kind.
    pub name: String,
    /// Revision that changed it last.
    pub revision: u64,
    /// Microseconds since 1970, as all times here.
    pub created_at: u64,
    pub changed_at: u64,
    /// JSON.
    pub document: String,
    /// What of it is secret, encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<String>,
}

/// An asset as one revision left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetVersion {
    pub kind: String,
    pub id: String,
    pub name: String,
    pub revision: u64,
    pub created_at: u64,
    /// When the revision was committed.
    pub changed_at: u64,
    pub author: String,
    pub reason: Option<String>,
    /// `None` where it was deleted.
    pub document: Option<String>,
    pub sealed: Option<String>,
}

/// A revision of everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    pub revision: u64,
    #[serde(skip)]
    pub at: u64,
    pub author: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many assets it changed.
    pub assets: u64,
}

/// Assets, their versions, and the audit log.
pub struct AssetStore {
    database: Database,
    feed: Feed,
    listening: Option<JoinHandle<()>>,
}

impl AssetStore {
    /// Opens the store and brings its tables up to date.
    pub async fn open(url: &StoreUrl) -> Result<Self, StoreError> {
        let database = Database::open(url).await?;
        let feed = Feed::new(read::head(&database).await?, None);
        let listening = feed::listen(&database, &feed, true);
        Ok(Self { database, feed, listening })
    }

    /// Opens a store on PostgreSQL that is away, and of which this much is known. It is connected to when it comes back.
    pub fn open_later(url: &str, known: Head, why: &StoreError) -> Result<Self, StoreError> {
        let database = Database::open_later(url)?;
        let feed = Feed::new(known, Some(why.to_string()));
        let listening = feed::listen(&database, &feed, false);
        Ok(Self { database, feed, listening })
    }

    /// Whether other processes may use it, too.
    pub fn is_shared(&self) -> bool {
        matches!(self.database, Database::Postgres(_))
    }

    /// Why the database does not answer, when it does not.
    pub fn away(&self) -> Option<String> {
        self.feed.away.borrow().clone()
    }

    /// The revision that was committed last.
    pub async fn head(&self) -> Result<Head, StoreError> {
        read::head(&self.database).await
    }

    /// Changes whenever a revision was committed, by this process or by another one.
    pub fn follow(&self) -> watch::Receiver<Head> {
        self.feed.head.subscribe()
    }

    /// Commits changes as one revision: all of them, with their audit records, or none.
    pub async fn commit(&self, commit: &Commit<'_>) -> Result<u64, CommitError> {
        let revision = commit::commit(&self.database, commit).await?;
        self.feed.announce_own(revision);
        feed::notify(&self.database, revision).await;
        Ok(revision)
    }

    /// All assets, and the revision that they are of.
    pub async fn assets(&self) -> Result<(Head, Vec<Asset>), StoreError> {
        read::assets(&self.database).await
    }

    /// What became of assets after a revision, each as the newest revision left it, and that revision.
    pub async fn changed_since(&self, revision: u64) -> Result<(Head, Vec<AssetVersion>), StoreError> {
        read::changed_since(&self.database, revision).await
    }

    /// The versions of an asset, newest first.
    pub async fn history(&self, kind: &str, id: &str) -> Result<Vec<AssetVersion>, StoreError> {
        read::history(&self.database, kind, id).await
    }

    /// All assets as a revision left them.
    pub async fn assets_at(&self, revision: u64) -> Result<Vec<AssetVersion>, StoreError> {
        read::assets_at(&self.database, revision).await
    }

    /// Revisions before one, newest first.
    pub async fn revisions(&self, before: Option<u64>, most: u32) -> Result<Vec<Revision>, StoreError> {
        read::revisions(&self.database, before, most).await
    }

    /// Writes down what happened without changing an asset, such as a login.
    pub async fn record(&self, at: u64, entries: &[AuditEntry<'_>]) -> Result<(), StoreError> {
        audit::append(&self.database, at, entries).await
    }

    /// Keeps a document; returns its hash, by which it is found again.
    pub async fn put_document(&self, content: &[u8], at: u64) -> Result<String, StoreError> {
        document::put(&self.database, content, at).await
    }

    /// A document by its hash.
    pub async fn document(&self, hash: &str) -> Result<Option<Vec<u8>>, StoreError> {
        document::get(&self.database, hash).await
    }

    /// How a user proves who they are.
    pub async fn credential(&self, user: &str) -> Result<Option<Credential>, StoreError> {
        credential::get(&self.database, user).await
    }

    /// Sets how a user proves who they are. All their sessions end but the one with this hash.
    pub async fn set_credential(
        &self,
        user: &str,
        credential: &Credential,
        keep_session: Option<&str>,
    ) -> Result<(), StoreError> {
        credential::set(&self.database, user, credential, keep_session).await
    }

    /// Wrong passwords that were given for a name since some time.
    pub async fn login_failures(&self, user: &str, since: u64) -> Result<Option<LoginFailures>, StoreError> {
        credential::failures(&self.database, user, since).await
    }

    /// Names for which at least so many wrong passwords were given since some time.
    pub async fn failed_logins(&self, least: u64, since: u64) -> Result<Vec<LoginFailures>, StoreError> {
        credential::failed(&self.database, least, since).await
    }

    /// Counts a wrong password. Counts that began before `since` are forgotten.
    pub async fn count_login_failure(&self, user: &str, at: u64, since: u64) -> Result<(), StoreError> {
        credential::count_failure(&self.database, user, at, since).await
    }

    /// Forgets the wrong passwords of a name; says whether there were any.
    pub async fn forgive_login_failures(&self, user: &str) -> Result<bool, StoreError> {
        credential::forgive(&self.database, user).await
    }

    /// What makes the one-time codes of a user, be it confirmed or not.
    pub async fn second_factor(&self, user: &str) -> Result<Option<SecondFactor>, StoreError> {
        second_factor::get(&self.database, user).await
    }

    /// Users with a second factor that counts.
    pub async fn second_factors(&self) -> Result<Vec<SecondFactor>, StoreError> {
        second_factor::list(&self.database).await
    }

    /// Keeps what will make the one-time codes of a user; `false` where there is something that counts.
    pub async fn begin_second_factor(&self, user: &str, secret: &str) -> Result<bool, StoreError> {
        second_factor::begin(&self.database, user, secret).await
    }

    /// A code has shown that the user has it: from now on it counts. All their sessions end but one.
    pub async fn confirm_second_factor(&self, set_up: &SetUp<'_>) -> Result<bool, StoreError> {
        second_factor::confirm(&self.database, set_up).await
    }

    /// Uses the code of a step; `false` where that one or a later one was used.
    pub async fn use_code(&self, user: &str, step: u64) -> Result<bool, StoreError> {
        second_factor::use_step(&self.database, user, step).await
    }

    /// Uses a recovery code by its hash; `false` where there is none.
    pub async fn use_recovery_code(&self, user: &str, hash: &str) -> Result<bool, StoreError> {
        second_factor::use_recovery_code(&self.database, user, hash).await
    }

    /// Forgets the second factor of a user; says whether one counted.
    pub async fn delete_second_factor(&self, user: &str) -> Result<bool, StoreError> {
        second_factor::delete(&self.database, user).await
    }

    /// A session by the SHA-256 of what the browser keeps.
    pub async fn session(&self, hash: &str) -> Result<Option<Session>, StoreError> {
        session::find(&self.database, hash).await
    }

    /// Begins a session. Those that began before `oldest`, or in which nothing was done since `idle`, are forgotten.
    pub async fn begin_session(&self, session: &Session, oldest: u64, idle: u64) -> Result<(), StoreError> {
        session::begin(&self.database, session, oldest, idle).await
    }

    /// Something was done in a session.
    pub async fn session_seen(&self, hash: &str, at: u64) -> Result<(), StoreError> {
        session::seen(&self.database, hash, at).await
    }

    /// A login went to a provider elsewhere; what has expired is forgotten.
    pub async fn begin_login(
        &self,
        hash: &str,
        document: &str,
        now: u64,
        expires_at: u64,
    ) -> Result<(), StoreError> {
        login::begin(&self.database, hash, document, now, expires_at).await
    }

    /// A login came back: what was known of it, for whoever asks first.
    pub async fn take_login(&self, hash: &str, now: u64) -> Result<Option<String>, StoreError> {
        login::take(&self.database, hash, now).await
    }

    /// What a login came back with is good for once; `false` where it was used before.
    pub async fn use_login(&self, hash: &str, now: u64, expires_at: u64) -> Result<bool, StoreError> {
        login::use_up(&self.database, hash, now, expires_at).await
    }

    pub async fn end_session(&self, hash: &str) -> Result<(), StoreError> {
        session::end(&self.database, hash).await
    }

    /// An access token by the SHA-256 of its text.
    pub async fn token(&self, hash: &str) -> Result<Option<Token>, StoreError> {
        token::find(&self.database, hash).await
    }

    /// The access tokens of a user.
    pub async fn tokens(&self, user: &str) -> Result<Vec<Token>, StoreError> {
        token::of(&self.database, user).await
    }

    pub async fn put_token(&self, token: &Token) -> Result<(), StoreError> {
        token::put(&self.database, token).await
    }

    /// Deletes an access token; says whether there was one.
    pub async fn delete_token(&self, user: &str, id: &str) -> Result<bool, StoreError> {
        token::delete(&self.database, user, id).await
    }

    /// Begins a request that is done once, unless its key is known. Requests before `forgotten` are forgotten, and those
    /// that began before `lost` and were never answered.
    pub async fn begin_once(
        &self,
        key: &RequestKey,
        at: u64,
        forgotten: u64,
        lost: u64,
    ) -> Result<Begun, StoreError> {
        request_key::begin(&self.database, key, at, forgotten, lost).await
    }

    /// Keeps what such a request was answered with; `None` forgets it, and it may be sent again.
    pub async fn finish_once(&self, hash: &str, answered: Option<&Answered>) -> Result<(), StoreError> {
        request_key::finish(&self.database, hash, answered).await
    }

    /// What the internal authorization server keeps.
    pub fn oauth(&self) -> OauthStore {
        OauthStore::new(self.database.clone(), self.feed.clone())
    }

    /// Keys that secrets are encrypted under, encrypted themselves, oldest first.
    pub async fn data_keys(&self) -> Result<Vec<DataKey>, StoreError> {
        data_key::list(&self.database).await
    }

    /// Writes data keys down, all or none, in the place of those of the same id.
    pub async fn put_data_keys(&self, keys: &[DataKey]) -> Result<(), StoreError> {
        data_key::put(&self.database, keys).await
    }

    /// What is known of all nodes.
    pub async fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        node::list(&self.database).await
    }

    /// Writes down what a node says of itself, and forgets those that were not heard of since a time.
    pub async fn put_node(&self, node: &Node, forget_before: u64) -> Result<(), StoreError> {
        node::put(&self.database, node, forget_before).await
    }

    /// Forgets a node.
    pub async fn delete_node(&self, id: &str) -> Result<(), StoreError> {
        node::delete(&self.database, id).await
    }

    /// Audit records, newest first.
    pub async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditRecord>, StoreError> {
        audit::list(&self.database, filter).await
    }

    /// Looks whether the audit log is as it was written: how many records there are, or the first that is not.
    pub async fn verify_audit(&self) -> Result<Result<u64, Tampered>, StoreError> {
        audit::verify(&self.database).await
    }

    /// Writes everything into a backup, as it is at one moment.
    pub async fn back_up(&self, out: impl std::io::Write) -> Result<Summary, BackupError> {
        backup::write(&self.database, out).await
    }

    /// Replaces everything by what is in a backup, all or nothing, unless there is something and it is not to be
    /// replaced. The backup is opened twice: it is looked at as a whole before anything is changed.
    pub async fn restore<R: std::io::BufRead>(
        &self,
        open: impl Fn() -> std::io::Result<R>,
        replace: bool,
    ) -> Result<Summary, BackupError> {
        let summary = backup::restore(&self.database, open, replace).await?;
        self.feed.announce(self.head().await?);
        feed::notify(&self.database, summary.revision).await;
        Ok(summary)
    }

    /// Gives all connections back.
    pub async fn close(&self) {
        if let Some(listening) = &self.listening {
            listening.abort();
        }
        self.database.close().await;
    }
}

impl Drop for AssetStore {
    fn drop(&mut self) {
        if let Some(listening) = &self.listening {
            listening.abort();
        }
    }
}
