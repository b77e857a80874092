//! The one way to change something.

use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use arc_swap::ArcSwap;
use model::{Diagnostic, Diagnostics, settings::ManagerSettings};
use store::{
    StoreError,
    assets::{AssetStore, AuditEntry, Commit, CommitError, Credential, snapshot::Snapshot},
};
use tokio::sync::{Mutex, watch};

use crate::{
    Assets, ChangeError, Changed, Condition, Directory, Edit, Held, LoginProvider, Mailer, Node, Prepared,
    SamlProvider, Who, Write,
    access::{Access, Checked, Credentials, Sources, password},
    assets::SEALED,
    authorize,
    change::{Worked, work_out, work_out_one},
    definitions, keep, kind,
    nodes::{Identity, Serving},
    pace::Pace,
    rights::{ADMINISTRATORS, PREDEFINED},
    vault::Vault,
};

/// The user that the first start makes.
const ADMINISTRATOR: &str = "Administrator";
/// How often a change is worked out again because other nodes were faster.
const ATTEMPTS: usize = 8;

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

/// Who changes something.
#[derive(Clone, Copy)]
enum Author<'a> {
    Who(&'a Who),
    /// Somebody who changes what is theirs. Whoever asked for it has decided that they may.
    Owner(&'a Who),
    /// Nobody is there yet.
    FirstStart,
}

/// What a manager is made from, beside its store.
pub struct Setup {
    pub settings: ManagerSettings,
    /// Name of this node, for the audit log.
    pub machine: String,
    /// Microseconds since 1970.
    pub now: Box<dyn Fn() -> u64 + Send + Sync>,
    /// What secrets are encrypted with.
    pub vault: Arc<Vault>,
    /// Who else may log in.
    pub directory: Option<Arc<dyn Directory>>,
    /// Who else lets people in, in a browser.
    pub providers: Vec<Box<dyn LoginProvider>>,
    /// And who else does, by SAML.
    pub saml: Vec<Box<dyn SamlProvider>>,
    /// Who sends e-mails to users.
    pub mailer: Option<Arc<dyn Mailer>>,
}

/// The control plane of a node.
pub struct Manager {
    pub(crate) store: AssetStore,
    pub(crate) access: Access,
    pub(crate) pace: Pace,
    pub(crate) mailer: Option<Arc<dyn Mailer>>,
    node: RwLock<Option<Arc<dyn Node>>>,
    pub(crate) assets: ArcSwap<Assets>,
    /// One change at a time; other nodes are kept out by the store.
    pub(crate) changing: Mutex<()>,
    /// One client that registers itself at a time.
    pub(crate) registering: Mutex<()>,
    pub(crate) machine: String,
    now: Box<dyn Fn() -> u64 + Send + Sync>,
    pub(crate) serving: watch::Sender<Serving>,
    pub(crate) identity: OnceLock<Identity>,
    /// The internal authorization server, when there is one.
    pub(crate) oauth: OnceLock<Arc<identity::AuthorizationServer>>,
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Manager(revision {})", self.assets.load().revision)
    }
}

impl Manager {
    /// Reads all assets. Where there are none, predefined groups and an administrator are made: the second value is
    /// the password.
    pub async fn open(store: AssetStore, setup: Setup) -> Result<(Arc<Self>, Option<String>), ManagerError> {
        let (head, assets) = store.assets().await?;
        let (mut assets, mut problems) = Assets::read(head, assets);
        assets.vault = Arc::clone(&setup.vault);
        match definitions::complete(&store, &mut assets).await {
            Err(ChangeError::Invalid(found)) => problems.0.extend(found.0),
            Err(ChangeError::Store(error)) => return Err(error.into()),
            _ => {}
        }
        for problem in &problems.0 {
            tracing::error!("{problem}");
        }
        let manager = Self::of(store, setup, assets);
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
        setup: Setup,
        snapshot: Snapshot,
        documents: Vec<Vec<u8>>,
    ) -> Result<Arc<Self>, ManagerError> {
        let away = store.away().unwrap_or_default();
        let assets = keep::assets_of(snapshot, documents, Arc::clone(&setup.vault)).await;
        let assets = assets.map_err(|problems| ManagerError::Snapshot { away, problems })?;
        Ok(Arc::new(Self::of(store, setup, assets)))
    }

    fn of(store: AssetStore, setup: Setup, assets: Assets) -> Self {
        let Setup { settings, machine, now, directory, providers, saml, mailer, .. } = setup;
        let assets = Arc::new(assets);
        let serving = Serving { assets: Arc::clone(&assets), refused: None };
        Self {
            store,
            access: Access::new(settings, directory, providers, saml),
            pace: Pace::default(),
            mailer,
            node: RwLock::default(),
            assets: ArcSwap::new(assets),
            changing: Mutex::default(),
            registering: Mutex::default(),
            machine,
            now,
            serving: watch::Sender::new(serving),
            identity: OnceLock::new(),
            oauth: OnceLock::new(),
        }
    }

    async fn make_first(&self) -> Result<String, ManagerError> {
        let failed = |what: &str| ManagerError::First(what.to_owned());
        let password = password::random().ok_or_else(|| failed("there is no randomness"))?;
        let hash = password::hash(&password).ok_or_else(|| failed("the password could not be hashed"))?;
        let credential = Credential { password_hash: hash, changed_at: self.now(), temporary: false };
        self.store.set_credential(ADMINISTRATOR, &credential, None).await?;
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
        let made = self.commit(Author::FirstStart, &edits, Some("first start")).await;
        made.map_err(|error| ManagerError::First(error.to_string()))?;
        Ok(password)
    }

    /// Microseconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        (self.now)()
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
        if dry_run {
            return self.plan(who, edits).await;
        }
        self.commit(Author::Who(who), edits, reason).await
    }

    /// Changes what belongs to somebody, who needs no privilege for that: that it is theirs was looked at, and has to be
    /// bound to the edits by their conditions.
    pub(crate) async fn change_own(
        &self,
        who: &Who,
        edits: &[Edit],
        reason: Option<&str>,
    ) -> Result<Changed, ChangeError> {
        self.commit(Author::Owner(who), edits, reason).await
    }

    /// What a change would come to. Nothing is changed.
    async fn plan(&self, who: &Who, edits: &[Edit]) -> Result<Changed, ChangeError> {
        self.make_room_for_secrets(edits).await?;
        let before = self.assets();
        authorize::asked(who, &before, edits)?;
        let mut worked = work_out(&before, edits, self.now(), new_id)?;
        authorize::worked_out(who, &before, &worked)?;
        definitions::complete_changed(&self.store, &before, &mut worked).await?;
        let prepared = self.prepare(Arc::clone(&worked.assets)).await?;
        let warnings = prepared.as_ref().map(|prepared| prepared.warnings().to_vec()).unwrap_or_default();
        Ok(outcome(&worked, before.revision, warnings))
    }

    /// Whether somebody may make each of these edits, and it can be worked out. What they make of the whole is not
    /// looked at.
    pub(crate) fn look_over(&self, who: &Who, edits: &[Edit]) -> Vec<Result<(), ChangeError>> {
        let before = self.assets();
        let mut worked = Worked::begin(&before);
        let at = self.now();
        let each = edits.iter().map(|edit| {
            authorize::asked(who, &before, std::slice::from_ref(edit))?;
            worked.edits = vec![work_out_one(&mut worked, &before, edit, at, &mut new_id)?];
            authorize::worked_out(who, &before, &worked)
        });
        each.collect()
    }

    async fn commit(
        &self,
        author: Author<'_>,
        edits: &[Edit],
        reason: Option<&str>,
    ) -> Result<Changed, ChangeError> {
        let (user, address) = match author {
            Author::Who(who) | Author::Owner(who) => (who.user.as_str(), who.address.to_string()),
            Author::FirstStart => (ADMINISTRATOR, String::new()),
        };
        let _one_at_a_time = self.changing.lock().await;
        self.make_room_for_secrets(edits).await?;
        for _ in 0..ATTEMPTS {
            let before = self.assets();
            let at = self.now();
            if let Author::Who(who) = author {
                authorize::asked(who, &before, edits)?;
            }
            let mut worked = work_out(&before, edits, at, new_id)?;
            if let Author::Who(who) = author {
                authorize::worked_out(who, &before, &worked)?;
            }
            if worked.changes.is_empty() {
                return Ok(outcome(&worked, before.revision, Vec::new()));
            }
            definitions::complete_changed(&self.store, &before, &mut worked).await?;
            let prepared = self.prepare(Arc::clone(&worked.assets)).await?;
            let messages = messages(&worked);
            let with_payload = self.access.settings().audit_payload;
            let payloads = if with_payload { payloads(&before, &worked) } else { Vec::new() };
            let audit: Vec<AuditEntry<'_>> = messages
                .iter()
                .enumerate()
                .map(|(place, (object_type, action, object, message))| AuditEntry {
                    event_type: "Configuration",
                    object_type,
                    action,
                    object,
                    message,
                    user,
                    source_machine: &self.machine,
                    client_ip: &address,
                    payload: payloads.get(place).map(String::as_str),
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
                    self.serve(Arc::clone(&worked.assets), prepared);
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
        if edits.iter().any(|edit| SEALED.contains(&edit.kind.name)) {
            let vault = Arc::clone(&self.assets().vault);
            // Why it is not possible is said by whoever encrypts.
            let _ = vault.prepare(&self.store, self.now()).await.map_err(ChangeError::Store)?;
        }
        Ok(())
    }

    pub(crate) fn node(&self) -> Option<Arc<dyn Node>> {
        self.node.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) async fn prepare(
        &self,
        assets: Arc<Assets>,
    ) -> Result<Option<Box<dyn Prepared>>, ChangeError> {
        match self.node() {
            Some(node) => node.prepare(assets).await.map(Some).map_err(ChangeError::Invalid),
            None => Ok(None),
        }
    }

    pub(crate) fn serve(&self, assets: Arc<Assets>, prepared: Option<Box<dyn Prepared>>) {
        self.assets.store(Arc::clone(&assets));
        match prepared.map(Prepared::serve) {
            Some(Err(problems)) => self.report(assets.revision, problems),
            _ => self.served(&assets),
        }
    }

    /// Says that a revision could not be served, or not whole.
    pub(crate) fn report(&self, revision: u64, problems: Diagnostics) {
        self.serving.send_modify(|serving| serving.refuse(revision, &problems));
        if let Some(node) = self.node() {
            node.failed(problems);
        }
    }

    /// Who has these credentials.
    pub(crate) async fn check(
        &self,
        credentials: &Credentials,
        address: IpAddr,
    ) -> Result<Checked, ChangeError> {
        let assets = self.assets();
        self.access.check(self.sources(&assets), credentials, address).await.map_err(ChangeError::Store)
    }

    pub(crate) fn sources<'a>(&'a self, assets: &'a Assets) -> Sources<'a> {
        Sources { store: &self.store, assets, now: self.now() }
    }

    /// Whether a password is that of a user here, who may use it at APIs.
    pub async fn is_password(&self, user: &str, password: &str) -> Result<bool, StoreError> {
        let assets = self.assets();
        self.access.is_password(self.sources(&assets), user, password).await
    }

    /// Gives the store back.
    pub async fn close(&self) {
        self.leave().await;
        self.store.close().await;
    }
}

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
        let (action, was) = match done.event {
            Some(event) => (event.action, event.done.to_owned()),
            None => (action, format!("{action}d")),
        };
        let message = format!("{} {} was {was}", done.kind.name, done.name);
        Some((done.kind.name, action, done.name.clone(), message))
    });
    changed.collect()
}

/// What each thing that changes was before and is after. Secrets are kept apart from documents, so that none is in it.
fn payloads(before: &Assets, worked: &Worked) -> Vec<String> {
    let changed = worked.edits.iter().filter(|done| done.action.is_some());
    let payload = changed.map(|done| {
        let after = worked.assets.get(done.kind, &done.name);
        // One that was renamed is found by its id.
        let name = after.map_or(done.name.as_str(), |after| after.id.as_str());
        let document = |held: Option<&Arc<Held>>| held.map(|held| held.parsed.document.clone());
        serde_json::json!({ "before": document(before.get(done.kind, name)), "after": document(after) })
            .to_string()
    });
    payload.collect()
}

fn outcome(worked: &Worked, revision: u64, warnings: Vec<Diagnostic>) -> Changed {
    let assets = worked.edits.iter().map(|done| worked.assets.get(done.kind, &done.name).cloned()).collect();
    let actions = worked.edits.iter().map(|done| done.action).collect();
    Changed { revision, assets, actions, different: !worked.changes.is_empty(), warnings }
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
