//! The manager on this node: its store is opened, its changes are compiled and served here, and its API listens.

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
};

use axum::{body::Bytes, extract::Request, http::StatusCode};
use engine::Clock;
use manager::{
    Answering, Assets, Called, Counted, FetchedDefinition, Identity, Mailer, Manager, ManagerError, Node,
    PolicyType, Prepared, Preparing, Setup, Trial, TrialAnswer, TrialError, Trying,
};
use model::{Diagnostic, Diagnostics, Settings};
use store::{
    StoreError,
    assets::{AssetStore, StoreUrl, snapshot},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tower::ServiceExt;

use crate::{
    Source, StartError, acme,
    config::references,
    console,
    gateway::{Inner, data_directory, node_name},
    ldap,
    mail::Post,
    master_key,
    open_id_connect::{self, public_url},
    ops,
    own_listener::OwnListener,
    ready::Ready,
    saml_provider,
    served_tls::{self, ServedTls},
    trial,
};

/// A manager that is open and not served yet.
pub(crate) struct Opened {
    pub manager: Arc<Manager>,
    /// Password of the administrator that this start has made.
    pub first_password: Option<String>,
    pub post: Option<Arc<Post>>,
    listener: TcpListener,
    tls: Option<ServedTls>,
    address: SocketAddr,
    /// Stays when the node is started again.
    id: String,
    /// Where it keeps what it serves, when the store is somewhere else.
    snapshot: Option<PathBuf>,
    lock: fs::File,
}

/// A manager that is served.
pub(crate) struct Managed {
    pub manager: Arc<Manager>,
    pub first_password: Option<String>,
    pub address: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
    _lock: fs::File,
}

/// Opens the manager, when the settings ask for one.
pub(crate) async fn open(
    settings: &Settings,
    source: &Source,
    clock: &Clock,
) -> Result<Option<Opened>, StartError> {
    if !settings.manager.enabled {
        return Ok(None);
    }
    let read = |doc| ServedTls::read("the admin API", "settings.manager.tls", doc);
    let tls = settings.manager.tls.clone().map(read).transpose();
    let tls = tls.map_err(|problem| StartError::Config(problem.into()))?;
    let users = ldap::of_manager(settings).map_err(|problem| StartError::Config(problem.into()))?;
    let post = post(settings).map_err(|problem| StartError::Config(problem.into()))?;
    let (url, directory) = store_url(settings, source)?;
    let failed = |error: StoreError| StartError::Manager(error.into());
    let (id, lock) = node_id(&directory).map_err(failed)?;
    let wanted = settings.manager.address;
    let bound = TcpListener::bind(wanted).await;
    let listener = bound.map_err(|error| StartError::Admin { address: wanted, error })?;
    let address = listener.local_addr().unwrap_or(wanted);
    let folder = directory.join("snapshot");
    let is_file = matches!(url, StoreUrl::File(_));
    let vault = master_key::vault(&settings.store.master_key, is_file.then_some(&directory)).await;
    let vault = Arc::new(vault.map_err(|problem| StartError::Config(problem.into()))?);
    let setup = || {
        let providers = open_id_connect::providers(&settings.manager.open_id_connect, clock);
        let providers = providers.map_err(|problem| StartError::Config(problem.into()))?;
        let saml = saml_provider::providers(&settings.manager, clock);
        let saml = saml.map_err(|problem| StartError::Config(problem.into()))?;
        let clock = clock.clone();
        Ok::<_, StartError>(Setup {
            settings: settings.manager.clone(),
            machine: node_name(),
            now: Box::new(move || clock.now().0 / 1_000),
            vault: Arc::clone(&vault),
            directory: users.clone(),
            providers,
            saml,
            mailer: post.clone().map(|post| post as Arc<dyn Mailer>),
        })
    };
    let (manager, first_password) = match (open_store(&url, setup()?).await, &url) {
        (Err(ManagerError::Store(why)), StoreUrl::Postgres(url)) if why.is_away() => {
            (open_snapshot(url, setup()?, &why, &folder).await.map_err(StartError::Manager)?, None)
        }
        (opened, _) => opened.map_err(StartError::Manager)?,
    };
    let snapshot = matches!(url, StoreUrl::Postgres(_)).then_some(folder);
    Ok(Some(Opened { manager, first_password, post, listener, tls, address, id, snapshot, lock }))
}

/// What sends e-mails to users, where they get any.
fn post(settings: &Settings) -> Result<Option<Arc<Post>>, Diagnostic> {
    let Some(reset) = &settings.manager.password_reset else { return Ok(None) };
    public_url(&reset.public_url)
        .map_err(|problem| problem.under("settings.manager.passwordReset.publicUrl"))?;
    Ok(Some(Arc::default()))
}

/// Where the store is, and the directory of what else the node keeps, which is made.
pub(crate) fn store_url(settings: &Settings, source: &Source) -> Result<(StoreUrl, PathBuf), StartError> {
    let directory = data_directory(settings, source);
    fs::create_dir_all(&directory).map_err(|cause| {
        StartError::Manager(StoreError::Io { action: "create", path: directory.clone(), cause }.into())
    })?;
    let url = match &settings.store.url {
        Some(secret) => StoreUrl::Postgres(secret.expose().unwrap_or_default().to_owned()),
        None => StoreUrl::File(directory.join("assets.db")),
    };
    Ok((url, directory))
}

async fn open_store(url: &StoreUrl, setup: Setup) -> Result<(Arc<Manager>, Option<String>), ManagerError> {
    let store = AssetStore::open(url).await?;
    Manager::open(store, setup).await
}

/// What this node served last, until the database is there again.
async fn open_snapshot(
    url: &str,
    setup: Setup,
    why: &StoreError,
    folder: &Path,
) -> Result<Arc<Manager>, ManagerError> {
    let away = why.to_string();
    let (kept, documents) = match snapshot::read(folder) {
        Ok(Some(kept)) => kept,
        Ok(None) => return Err(ManagerError::NoSnapshot { away }),
        Err(error) => {
            let help = format!(
                "nothing of it is used; start the node when the database is there again, or put {} back from another node",
                folder.display()
            );
            let problem = Diagnostic::error("", error.to_string()).help(help);
            return Err(ManagerError::Snapshot { away, problems: problem.into() });
        }
    };
    let revision = kept.head.revision;
    tracing::warn!(error = %why, revision, "the database is away; this node serves what it served last, and nothing can be changed");
    let store = AssetStore::open_later(url, kept.head, why)?;
    Manager::open_snapshot(store, setup, kept, documents).await
}

/// Keeps other processes away from a directory until the file is dropped.
pub(crate) fn lock(directory: &Path) -> Result<fs::File, StoreError> {
    let file = directory.join("node");
    let failed = |cause| StoreError::Io { action: "open", path: file.clone(), cause };
    let options =
        fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&file);
    let lock = options.map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => Err(StoreError::InUse { directory: directory.to_owned() }),
        Err(fs::TryLockError::Error(cause)) => Err(failed(cause)),
    }
}

/// The id of this node: made once, and kept beside what else it has to remember.
fn node_id(directory: &Path) -> Result<(String, fs::File), StoreError> {
    let mut lock = lock(directory)?;
    let failed = |action| move |cause| StoreError::Io { action, path: directory.join("node"), cause };
    let mut id = String::new();
    io::Read::read_to_string(&mut lock, &mut id).map_err(failed("read"))?;
    if id.trim().is_empty() {
        id = manager::new_id();
        io::Write::write_all(&mut lock, id.as_bytes()).map_err(failed("write"))?;
    }
    Ok((id.trim().to_owned(), lock))
}

impl Opened {
    /// Changes are compiled and served by this node from now on, and may be asked for.
    pub(crate) fn serve(self, inner: &Arc<Inner>) -> Managed {
        self.manager.serve_on(Arc::new(ThisNode(Arc::downgrade(inner))));
        let identity =
            Identity { id: self.id, address: self.address.to_string(), version: env!("CARGO_PKG_VERSION") };
        let mut tasks = vec![self.manager.follow(), self.manager.join(identity)];
        tasks.push(self.manager.keep_key_uses());
        tasks.push(tokio::spawn(acme::keep(Arc::clone(&self.manager), Arc::downgrade(inner))));
        tasks.extend(self.snapshot.map(|folder| self.manager.keep_snapshot(folder)));
        let router = console::beside(manager::router(Arc::clone(&self.manager)));
        let tls = self.tls;
        tasks.push(tokio::spawn(async move {
            if let Some(tls) = tls {
                return served_tls::serve(self.listener, tls, router).await;
            }
            let service = router.into_make_service_with_connect_info::<SocketAddr>();
            if let Err(error) = axum::serve(self.listener, service).await {
                tracing::error!(%error, "the admin API ended");
            }
        }));
        Managed {
            manager: self.manager,
            first_password: self.first_password,
            address: self.address,
            tasks,
            _lock: self.lock,
        }
    }
}

impl Managed {
    /// Nobody may change anything any more.
    pub(crate) async fn stop(&self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.manager.close().await;
    }
}

/// A gateway that is given up without being stopped says nothing to the others any more, as if it had crashed.
impl Drop for Managed {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

struct ThisNode(Weak<Inner>);

fn stopping() -> TrialError {
    TrialError::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "The gateway is stopping.")
}

impl Node for ThisNode {
    fn prepare(&self, assets: Arc<Assets>) -> Preparing<'_> {
        Box::pin(async move {
            let stopping = || Diagnostics::from(Diagnostic::error("", "the gateway is stopping"));
            let inner = self.0.upgrade().ok_or_else(stopping)?;
            let refused = references::refused(&assets, &inner.started_with.manager.references);
            if !refused.is_empty() {
                return Err(refused);
            }
            let ready = inner.make_ready(inner.source(), Some(assets)).await?;
            Ok(Box::new(ready) as Box<dyn Prepared>)
        })
    }

    fn failed(&self, problems: Diagnostics) {
        if let Some(inner) = self.0.upgrade() {
            inner.failed(problems);
        }
    }

    fn policy_types(&self) -> Vec<PolicyType> {
        let Some(inner) = self.0.upgrade() else { return Vec::new() };
        let types = inner.kinds.iter().map(|kind| PolicyType {
            type_name: kind.type_name,
            stage: kind.stage.name(),
            repeatable: kind.repeatable,
            excludes: kind.excludes,
            needs_application: kind.needs_application,
            posture: kind.posture,
            example: kind.example,
            schema: (kind.schema)(),
        });
        types.collect()
    }

    fn settings(&self) -> Option<Settings> {
        Some(self.0.upgrade()?.outputs.borrow().settings.clone())
    }

    fn analytics(&self) -> Counted<'_> {
        Box::pin(async move { self.0.upgrade()?.analytics().await })
    }

    fn key_uses(&self, since: u64) -> Vec<(String, u64)> {
        let server = self.0.upgrade().and_then(|inner| inner.server());
        let Some(snapshot) = server.map(|server| server.snapshot()) else { return Vec::new() };
        let used = snapshot.applications.keys().filter_map(|(hash, entry)| {
            let at = entry.used.last()?.0 / 1_000;
            let digits = || hash.iter().map(|byte| format!("{byte:02x}")).collect();
            (at >= since).then(|| (digits(), at))
        });
        used.collect()
    }

    fn call(&self, request: Request<Bytes>, most: usize) -> Called<'_> {
        Box::pin(async move {
            let inner = self.0.upgrade().ok_or("the gateway is stopping")?;
            OwnListener::of(&inner)?.call(request, most).await
        })
    }

    fn url_for_clients(&self, host: &str) -> Option<String> {
        Some(OwnListener::of(&*self.0.upgrade()?).ok()?.url(host))
    }

    fn answer(&self, request: Request) -> Answering<'_> {
        Box::pin(async move {
            let Some(inner) = self.0.upgrade() else { return ops::stopping() };
            let answered = ops::router(inner).oneshot(request).await;
            answered.unwrap_or_else(|never| match never {})
        })
    }

    fn try_request(&self, trial: Trial) -> Trying<'_, TrialAnswer> {
        Box::pin(async move { trial::send(&*self.0.upgrade().ok_or_else(stopping)?, trial).await })
    }

    fn fetch_definition(&self, url: String) -> Trying<'_, FetchedDefinition> {
        Box::pin(async move { trial::fetch(&*self.0.upgrade().ok_or_else(stopping)?, &url).await })
    }
}

impl Prepared for Ready {
    fn warnings(&self) -> &[Diagnostic] {
        self.warnings()
    }

    fn serve(self: Box<Self>) -> Result<(), Diagnostics> {
        (*self).serve().map(|_| ())
    }
}
