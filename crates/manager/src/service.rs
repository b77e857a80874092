//! The one way to change something.

use std::{
    fmt,
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use arc_swap::ArcSwap;
use model::{Diagnostic, Diagnostics};
use store::{
    StoreError,
    assets::{AssetStore, AuditEntry, Commit, CommitError, Head, snapshot::Snapshot},
};
use tokio::{
    sync::{Mutex, watch},
    task::JoinHandle,
};

use crate::{
    Assets, ChangeError, Changed, Condition, Edit, Node, Prepared, Who, Write,
    access::{self, Access},
    change::{Worked, work_out},
    definitions, keep, kind,
    nodes::{Identity, Serving},
    rights::{ADMINISTRATORS, PREDEFINED},
    vault::Vault,
};

/// The user that the first start makes.
const ADMINISTRATOR: &str = "Administrator";
/// How often a change is worked out again because other nodes were faster.
const ATTEMPTS: usize = 8;
/// How soon it is tried again to read what other nodes have changed.
const AGAIN: Duration = Duration::from_secs(1);

/// Why the manager did not start.
#[derive(Debug, thiserror::Error)]
pub enum ManagerError {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("the first administrator could not be made: {0}")]
    First(String),
    #[error("the database is away ({away}), and what this node served last cannot be used:\n{problems}")]
    Snapshot { away: String, problems: Diagnostics },
    #[error(
        "the database is away ({away}), and this node has served nothing before that it could start from"
    )]
    NoSnapshot { away: String },
}

/// The control plane of a node.
pub struct Manager {
    pub(crate) store: AssetStore,
    pub(crate) access: Access,
    node: RwLock<Option<Arc<dyn Node>>>,
    assets: ArcSwap<Assets>,
    /// One change at a time; other nodes are kept out by the store.
    pub(crate) changing: Mutex<()>,
    /// Name of this node, for the audit log.
    pub(crate) machine: String,
    pub(crate) serving: watch::Sender<Serving>,
    pub(crate) identity: OnceLock<Identity>,
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Manager(revision {})", self.assets.load().revision)
    }
}

impl Manager {
    /// Reads all assets. Where there are none, predefined groups and an administrator are made: the second value is
    /// the password.
    pub async fn open(
        store: AssetStore,
        machine: String,
        vault: Arc<Vault>,
    ) -> Result<(Arc<Self>, Option<String>), ManagerError> {
        let (head, assets) = store.assets().await?;
        let (mut assets, mut problems) = Assets::read(head, assets);
        assets.vault = vault;
        match definitions::complete(&store, &mut assets).await {
            Err(ChangeError::Invalid(found)) => problems.0.extend(found.0),
            Err(ChangeError::Store(error)) => return Err(error.into()),
            _ => {}
        }
        for problem in &problems.0 {
            tracing::error!("{problem}");
        }
        let manager = Self::of(store, machine, assets);
        if !problems.is_empty() {
            manager.serving.send_modify(|serving| serving.refuse(head.revision, &problems));
        }
        let password = if head.revision == 0 { Some(manager.make_first().await?) } else { None };
        Ok((Arc::new(manager), password))
    }

    /// Takes the assets from what this node served last, since the database is away. It catches up when the database
    /// is there again.
    pub async fn open_snapshot(
        store: AssetStore,
        machine: String,
        vault: Arc<Vault>,
        snapshot: Snapshot,
        documents: Vec<Vec<u8>>,
    ) -> Result<Arc<Self>, ManagerError> {
        let away = store.away().unwrap_or_default();
        let assets = keep::assets_of(snapshot, documents, vault).await;
        let assets = assets.map_err(|problems| ManagerError::Snapshot { away, problems })?;
        Ok(Arc::new(Self::of(store, machine, assets)))
    }

    fn of(store: AssetStore, machine: String, assets: Assets) -> Self {
        let assets = Arc::new(assets);
        let serving = Serving { assets: Arc::clone(&assets), refused: None };
        Self {
            store,
            access: Access::default(),
            node: RwLock::default(),
            assets: ArcSwap::new(assets),
            changing: Mutex::default(),
            machine,
            serving: watch::Sender::new(serving),
            identity: OnceLock::new(),
        }
    }

    async fn make_first(&self) -> Result<String, ManagerError> {
        let failed = |what: &str| ManagerError::First(what.to_owned());
        let password = access::random_password().ok_or_else(|| failed("there is no randomness"))?;
        let hash = access::hash(&password).ok_or_else(|| failed("the password could not be hashed"))?;
        self.store.set_password_hash(ADMINISTRATOR, Some(&hash), now()).await?;
        let put = |kind_name: &str, document: serde_json::Value| {
            let kind = kind(kind_name).ok_or_else(|| failed(kind_name))?;
            Ok::<_, ManagerError>(Edit {
                kind,
                name: None,
                condition: Condition::Absent,
                write: Write::Put(document),
            })
        };
        let mut edits = Vec::new();
        for group in PREDEFINED {
            edits.push(put("group", serde_json::json!({ "name": group }))?);
        }
        edits.push(put("user", serde_json::json!({ "name": ADMINISTRATOR, "groups": [ADMINISTRATORS] }))?);
        let made = self.commit(ADMINISTRATOR, "", &edits, Some("first start")).await;
        made.map_err(|error| ManagerError::First(error.to_string()))?;
        Ok(password)
    }

    /// From now on this node has its say about changes, and serves them.
    pub fn serve_on(&self, node: Arc<dyn Node>) {
        *self.node.write().unwrap_or_else(PoisonError::into_inner) = Some(node);
    }

    /// The assets as they are served.
    pub fn assets(&self) -> Arc<Assets> {
        self.assets.load_full()
    }

    /// Changes assets, all of them or none.
    pub async fn change(
        &self,
        who: &Who,
        edits: &[Edit],
        reason: Option<&str>,
        dry_run: bool,
    ) -> Result<Changed, ChangeError> {
        for edit in edits {
            if !who.may(edit.kind.privilege) {
                return Err(ChangeError::Forbidden(edit.kind.privilege.name()));
            }
        }
        if dry_run {
            return self.plan(edits).await;
        }
        self.commit(&who.user, &who.address.to_string(), edits, reason).await
    }

    /// What a change would come to. Nothing is changed.
    async fn plan(&self, edits: &[Edit]) -> Result<Changed, ChangeError> {
        self.make_room_for_secrets(edits).await?;
        let before = self.assets();
        let mut worked = work_out(&before, edits, now(), new_id)?;
        definitions::complete(&self.store, &mut worked.assets).await?;
        let prepared = self.prepare(Arc::new(worked.assets.clone())).await?;
        let warnings = prepared.as_ref().map(|prepared| prepared.warnings().to_vec()).unwrap_or_default();
        Ok(outcome(&worked, before.revision, warnings))
    }

    async fn commit(
        &self,
        user: &str,
        address: &str,
        edits: &[Edit],
        reason: Option<&str>,
    ) -> Result<Changed, ChangeError> {
        let _one_at_a_time = self.changing.lock().await;
        self.make_room_for_secrets(edits).await?;
        for _ in 0..ATTEMPTS {
            let before = self.assets();
            let at = now();
            let mut worked = work_out(&before, edits, at, new_id)?;
            if worked.changes.is_empty() {
                return Ok(outcome(&worked, before.revision, Vec::new()));
            }
            definitions::complete(&self.store, &mut worked.assets).await?;
            let prepared = self.prepare(Arc::new(worked.assets.clone())).await?;
            let messages = messages(&worked);
            let audit: Vec<AuditEntry<'_>> = messages
                .iter()
                .map(|(object_type, action, object, message)| AuditEntry {
                    event_type: "Configuration",
                    object_type,
                    action,
                    object,
                    message,
                    user,
                    source_machine: &self.machine,
                    client_ip: address,
                    payload: None,
                })
                .collect();
            let former_users = former_users(&before, &worked.assets);
            let commit = Commit {
                base: before.revision,
                epoch: before.epoch,
                at,
                author: user,
                reason,
                changes: &worked.changes,
                audit: &audit,
                former_users: &former_users,
            };
            match self.store.commit(&commit).await {
                Ok(revision) => {
                    let warnings = prepared.as_ref().map(|p| p.warnings().to_vec()).unwrap_or_default();
                    self.serve(worked.assets.clone(), prepared);
                    tracing::info!(revision, user, "{}", messages.first().map_or("", |m| &m.3));
                    return Ok(outcome(&worked, revision, warnings));
                }
                Err(CommitError::Behind { .. }) => {
                    // Who keeps something prepared keeps all others from preparing anything.
                    drop(prepared);
                    self.catch_up().await?;
                }
                Err(CommitError::Conflict { .. }) => return Err(ChangeError::Busy),
                Err(CommitError::Store(error)) => return Err(ChangeError::Store(error)),
            }
        }
        Err(ChangeError::Busy)
    }

    /// Sees to it that secrets can be encrypted; that they cannot is told where one is.
    async fn make_room_for_secrets(&self, edits: &[Edit]) -> Result<(), ChangeError> {
        if edits.iter().any(|edit| edit.kind.name == "secret") {
            let vault = Arc::clone(&self.assets().vault);
            // Why it is not possible is said by whoever encrypts.
            let _ = vault.prepare(&self.store, now()).await.map_err(ChangeError::Store)?;
        }
        Ok(())
    }

    async fn prepare(&self, assets: Arc<Assets>) -> Result<Option<Box<dyn Prepared>>, ChangeError> {
        let node = self.node.read().unwrap_or_else(PoisonError::into_inner).clone();
        match node {
            Some(node) => node.prepare(assets).await.map(Some).map_err(ChangeError::Invalid),
            None => Ok(None),
        }
    }

    pub(crate) fn serve(&self, assets: Assets, prepared: Option<Box<dyn Prepared>>) {
        let assets = Arc::new(assets);
        self.assets.store(Arc::clone(&assets));
        match prepared.map(Prepared::serve) {
            Some(Err(problems)) => self.report(assets.revision, problems),
            _ => self.served(&assets),
        }
    }

    /// Says that a revision could not be served, or not whole.
    fn report(&self, revision: u64, problems: Diagnostics) {
        self.serving.send_modify(|serving| serving.refuse(revision, &problems));
        let node = self.node.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(node) = node {
            node.failed(problems);
        }
    }

    /// Takes over what other nodes have committed. Held by whoever changes something.
    pub(crate) async fn catch_up(&self) -> Result<(), ChangeError> {
        let before = self.assets();
        let (head, versions) = self.store.changed_since(before.revision).await.map_err(ChangeError::Store)?;
        if head == (Head { revision: before.revision, epoch: before.epoch }) {
            return Ok(());
        }
        let (mut assets, mut problems) = if head.epoch == before.epoch {
            let mut assets = (*before).clone();
            assets.revision = head.revision;
            let mut problems = Diagnostics::default();
            for version in versions {
                if let Err(found) = assets.apply(version) {
                    problems.0.extend(found.0);
                }
            }
            (assets, problems)
        } else if head.revision == 0 {
            // Nobody empties a store that is served from on purpose.
            let problem = Diagnostic::error("", "the store is empty, and was not before")
                .help("this node goes on serving what it has; restore a backup, or start the node again");
            self.report(before.revision, problem.into());
            return Ok(());
        } else {
            tracing::warn!(revision = head.revision, "everything in the store was replaced");
            let (head, assets) = self.store.assets().await.map_err(ChangeError::Store)?;
            let (mut assets, problems) = Assets::read(head, assets);
            assets.vault = Arc::clone(&before.vault);
            (assets, problems)
        };
        // Data keys may be encrypted under another master key; what is written down has to be, too.
        assets.vault.load(&self.store).await.map_err(ChangeError::Store)?;
        match definitions::complete(&self.store, &mut assets).await {
            Err(ChangeError::Invalid(found)) => problems.0.extend(found.0),
            completed => completed?,
        }
        let revision = assets.revision;
        match self.prepare(Arc::new(assets.clone())).await {
            Ok(prepared) => self.serve(assets, prepared),
            // Another node's configuration may have what this one lacks. What others committed is known all the same.
            Err(ChangeError::Invalid(found)) => {
                problems.0.extend(found.0);
                self.assets.store(Arc::new(assets));
            }
            Err(error) => return Err(error),
        }
        if !problems.is_empty() {
            self.report(revision, problems);
        }
        Ok(())
    }

    /// Follows what other nodes commit, until the store is closed.
    pub fn follow(self: &Arc<Self>) -> JoinHandle<()> {
        let manager = Arc::clone(self);
        tokio::spawn(async move {
            let mut head = manager.store.follow();
            loop {
                let newest = *head.borrow_and_update();
                let known = manager.assets();
                let mut read = true;
                if newest.revision > known.revision || newest.epoch != known.epoch {
                    let _one_at_a_time = manager.changing.lock().await;
                    if let Err(error) = manager.catch_up().await {
                        tracing::warn!(%error, "what another node changed could not be read");
                        read = false;
                    }
                }
                tokio::select! {
                    changed = head.changed() => if changed.is_err() { return },
                    () = tokio::time::sleep(AGAIN), if !read => {}
                }
            }
        })
    }

    /// Sets a user's password. Whoever may not manage users may set their own.
    pub async fn set_password(&self, who: &Who, user: &str, password: &str) -> Result<(), ChangeError> {
        if user != who.user && !who.may(crate::Privilege::ManageUsers) {
            return Err(ChangeError::Forbidden(crate::Privilege::ManageUsers.name()));
        }
        let known = kind("user").and_then(|kind| self.assets().get(kind, user).cloned());
        if known.is_none() {
            return Err(ChangeError::NotFound { kind: "user", name: user.to_owned() });
        }
        if password.chars().count() < SHORTEST_PASSWORD {
            let problem =
                Diagnostic::error("password", format!("expected at least {SHORTEST_PASSWORD} characters"));
            return Err(ChangeError::Invalid(problem.into()));
        }
        let password = password.to_owned();
        let hashed = tokio::task::spawn_blocking(move || access::hash(&password)).await.ok().flatten();
        let Some(hash) = hashed else { return Err(ChangeError::Busy) };
        let at = now();
        self.store.set_password_hash(user, Some(&hash), at).await.map_err(ChangeError::Store)?;
        let message = format!("the password of {user} was changed");
        self.record(who, "Access management", "user", "password", user, &message).await;
        Ok(())
    }

    /// Writes down what is no change of an asset.
    pub(crate) async fn record(
        &self,
        who: &Who,
        event_type: &str,
        object_type: &str,
        action: &str,
        object: &str,
        message: &str,
    ) {
        let address = who.address.to_string();
        let entry = AuditEntry {
            event_type,
            object_type,
            action,
            object,
            message,
            user: &who.user,
            source_machine: &self.machine,
            client_ip: &address,
            payload: None,
        };
        if let Err(error) = self.store.record(now(), &[entry]).await {
            tracing::error!(%error, "the audit log could not be written: {message}");
        }
    }

    /// Writes down that somebody tried to get in.
    pub(crate) async fn record_failed_login(&self, user: &str, address: std::net::IpAddr) {
        let user: String = user.chars().take(LONGEST_NAME).collect();
        let address = address.to_string();
        let entry = AuditEntry {
            event_type: "Access management",
            object_type: "user",
            action: "failed login",
            object: &user,
            message: "the user or the password was wrong",
            user: &user,
            source_machine: &self.machine,
            client_ip: &address,
            payload: None,
        };
        if let Err(error) = self.store.record(now(), &[entry]).await {
            tracing::error!(%error, "the audit log could not be written: failed login of {user:?}");
        }
    }

    /// Gives the store back.
    pub async fn close(&self) {
        self.leave().await;
        self.store.close().await;
    }
}

const SHORTEST_PASSWORD: usize = 12;
/// What somebody typed as a name is kept up to here.
const LONGEST_NAME: usize = 200;

/// Names that users had and nobody has any more.
fn former_users(before: &Assets, after: &Assets) -> Vec<String> {
    let Some(user) = kind("user") else { return Vec::new() };
    let names = before.list(user).map(|held| &held.parsed.name);
    names.filter(|name| !after.has_name(user, name)).cloned().collect()
}

/// Kind, action, name, and what happened, for each thing that changes.
fn messages(worked: &Worked) -> Vec<(&'static str, &'static str, String, String)> {
    let changed = worked.edits.iter().filter_map(|done| {
        let action = done.action?;
        let message = format!("{} {} was {action}d", done.kind.name, done.name);
        Some((done.kind.name, action, done.name.clone(), message))
    });
    changed.collect()
}

fn outcome(worked: &Worked, revision: u64, warnings: Vec<Diagnostic>) -> Changed {
    let assets = worked.edits.iter().map(|done| worked.assets.get(done.kind, &done.name).cloned()).collect();
    let actions = worked.edits.iter().map(|done| done.action).collect();
    Changed { revision, assets, actions, different: !worked.changes.is_empty(), warnings }
}

/// Microseconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// An id of a new asset: 128 random bits, as a UUID (RFC 9562, version 4).
pub fn new_id() -> String {
    let mut bytes = [0_u8; 16];
    // Without randomness nothing else would have started.
    let _ = getrandom::fill(&mut bytes);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
