//! The gateway as a whole: started from a configuration, reloaded when it changes, stopped without losing anything.

use std::{
    fmt,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use engine::{Alerts, Clock, PolicyKind, Snapshot, compile, state::StateRegistry};
use manager::ManagerError;
use model::{ConfigDoc, Diagnostic, Diagnostics, Parts, Settings};
use proxy::{BoundListener, DryRun, NameService, Options, Server, SystemNames, event_queue};
use store::{EventStore, analytics::Analytics};
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc, watch},
    task::JoinHandle,
};

use crate::{
    Explanation, Source, accounts, acme,
    alerts::{self, Desk, Opening},
    certificates::{Certificates, Inventory},
    collector::{self, Collected, Outputs},
    config::{self, Loaded},
    explain, ldap,
    local_server::Local,
    mail::Post,
    managed::{self, Managed},
    metrics, ops,
    ready::prepare,
    token_keys,
    watch::Watch,
};

/// How a gateway is started.
pub struct StartOptions {
    pub source: Source,
    /// Take up changes of the files without being told.
    pub watch: bool,
    /// The clock that requests are measured and limited by.
    pub clock: Clock,
    pub policies: &'static [PolicyKind],
    /// Knows what addresses of clients are called.
    pub names: Arc<dyn NameService>,
    /// Gives the calling thread's unused memory back to the system, when the program's allocator can.
    pub release_memory: Option<fn()>,
}

impl StartOptions {
    pub fn new(source: Source) -> Self {
        Self {
            source,
            watch: false,
            clock: Clock::system(),
            policies: policies::POLICIES,
            names: Arc::new(SystemNames),
            release_memory: None,
        }
    }
}

/// Why a gateway did not start.
#[derive(Debug)]
pub enum StartError {
    Config(Diagnostics),
    Server(proxy::StartError),
    Operations {
        address: SocketAddr,
        error: std::io::Error,
    },
    Admin {
        address: SocketAddr,
        error: std::io::Error,
    },
    /// The internal authorization server.
    Issuer {
        address: SocketAddr,
        error: String,
    },
    Store(store::StoreError),
    Manager(ManagerError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(problems) => problems.fmt(f),
            Self::Server(error) => error.fmt(f),
            Self::Operations { address, error } => write!(
                f,
                "the operations listener cannot listen on {address}: {error}; set settings.operations.address"
            ),
            Self::Admin { address, error } => {
                write!(f, "the admin API cannot listen on {address}: {error}; set settings.manager.address")
            }
            Self::Issuer { address, error } => {
                write!(f, "the authorization server on {address}: {error}; see settings.authorizationServer")
            }
            Self::Manager(error) => {
                write!(
                    f,
                    "{error}; see settings.store and settings.dataDirectory, or set settings.manager.enabled: false"
                )
            }
            Self::Store(error) => {
                write!(f, "{error}; set settings.dataDirectory, or settings.events.enabled: false")
            }
        }
    }
}

impl std::error::Error for StartError {}

/// A running gateway.
pub struct Gateway {
    inner: Arc<Inner>,
    answering: JoinHandle<()>,
    keeping_time: JoinHandle<()>,
    keeping_keys: JoinHandle<()>,
    watching: Option<JoinHandle<()>>,
    collector: JoinHandle<()>,
    operations: SocketAddr,
    managed: Option<Managed>,
}

pub(crate) struct Inner {
    /// `None` once it is stopping.
    server: Mutex<Option<Arc<Server>>>,
    pub(crate) registry: StateRegistry,
    pub(crate) kinds: &'static [PolicyKind],
    pub(crate) workers: usize,
    pub clock: Clock,
    source: Source,
    /// Some settings are looked at only when the gateway starts.
    pub(crate) started_with: Settings,
    pub status: Mutex<Status>,
    pub collected: Arc<Collected>,
    pub(crate) outputs: watch::Sender<Arc<Outputs>>,
    /// What was served before, for as long as a worker has it: to let go of thousands of APIs takes longer than any
    /// request should wait.
    pub(crate) retired: Mutex<Vec<Arc<Snapshot>>>,
    /// One change at a time.
    pub(crate) reloading: Arc<AsyncMutex<()>>,
    pub manager: Option<Arc<manager::Manager>>,
    pub(crate) local: Option<Local>,
    /// What sends e-mails to users of the manager.
    pub(crate) post: Option<Arc<Post>>,
    /// `None` once it is stopping.
    desk: Mutex<Option<Desk>>,
    pub(crate) alerts: Alerts,
    pub(crate) certificates: Certificates,
    pub(crate) ordered: acme::Ordered,
    pub alert_counts: Arc<alerts::Counts>,
    pub reloads_failed: AtomicU64,
}

/// What is served, and what came of the last change.
#[derive(Debug, Clone, Default)]
pub struct Status {
    pub revision: u64,
    pub since_ms: u64,
    pub warnings: Vec<Diagnostic>,
    /// Why the latest configuration is not served.
    pub failure: Option<(u64, Diagnostics)>,
    pub definitions: Parts<Option<Arc<definition::Definition>>>,
    /// Files that the configuration was read from.
    pub files: Vec<PathBuf>,
    pub stopping: bool,
}

impl Gateway {
    /// Starts a gateway. When this returns, every listener accepts and everything configured is live.
    pub async fn start(options: StartOptions) -> Result<Self, StartError> {
        let mut loaded = config::load(&options.source).await.map_err(StartError::Config)?;
        let settings = loaded.input.config.settings.clone();
        let opened = managed::open(&settings, &options.source, &options.clock).await?;
        if let Some(opened) = &opened {
            let assets = opened.manager.assets();
            let with_assets = config::load_with_assets(&options.source, Some(&assets)).await;
            loaded = with_assets.map_err(StartError::Config)?;
        }
        let workers = settings.workers.map_or_else(cores, |n| usize::from(n.get()));
        let registry = StateRegistry::default();
        ldap::begin(&settings, &registry).map_err(|problem| StartError::Config(problem.into()))?;
        let opening = Opening::new();
        let alerts = opening.alerts();
        let environment = compile::Environment {
            kinds: options.policies,
            registry: &registry,
            workers,
            clock: options.clock.clone(),
            alerts: alerts.clone(),
        };
        let (snapshot, tls, destinations, warnings) =
            prepare(&loaded, &environment, None, 1).map_err(StartError::Config)?;

        let store = open_store(&settings, &options.source).await.map_err(StartError::Store)?;
        let analytics = match &store {
            // Whoever holds the events holds the directory.
            Some(_) => {
                let directory = data_directory(&settings, &options.source);
                Some(Arc::new(Analytics::open(&directory).await.map_err(StartError::Store)?))
            }
            None => None,
        };
        let collected = Arc::new(Collected::default());
        // What the store says of the settings counts from the first request on.
        let shared = loaded.input.config.settings.clone();
        let post = opened.as_ref().and_then(|opened| opened.post.clone());
        if let Some(post) = &post {
            post.take(destinations.mail.clone());
        }
        let outputs = Outputs { settings: shared, store, analytics, node: node_name(), destinations };
        let (outputs, outputs_seen) = watch::channel(Arc::new(outputs));
        let desk = opening.open(outputs.subscribe());
        let alert_counts = Arc::clone(&desk.counts);
        let (events, received) = event_queue(settings.events.queue.get(), Arc::clone(&collected.dropped));
        let operations = ops::bind(settings.operations.address)
            .await
            .map_err(|error| StartError::Operations { address: settings.operations.address, error })?;
        let operations_address = operations.local_addr().unwrap_or(settings.operations.address);

        let server_options = Options {
            workers,
            clock: options.clock.clone(),
            events,
            names: options.names,
            release_memory: options.release_memory,
        };
        let manager = opened.as_ref().map(|opened| &opened.manager);
        if let Some(manager) = manager {
            accounts::begin(manager, &registry).map_err(|problem| StartError::Config(problem.into()))?;
        }
        let config = &loaded.input.config;
        let local = Local::open(&settings, manager, config, &snapshot, &registry, &options.clock).await?;
        snapshot.authorization_servers.fetcher.begin();
        let server = Server::start(server_options, Arc::new(snapshot), tls).map_err(StartError::Server)?;
        let collector = tokio::spawn(collector::run(
            received,
            Arc::clone(&collected),
            outputs_seen,
            options.clock.clone(),
        ));
        let inner = Arc::new(Inner {
            server: Mutex::new(Some(Arc::new(server))),
            registry,
            kinds: options.policies,
            workers,
            clock: options.clock,
            source: options.source,
            started_with: settings,
            status: Mutex::default(),
            collected,
            outputs,
            retired: Mutex::default(),
            reloading: Arc::default(),
            manager: opened.as_ref().map(|opened| Arc::clone(&opened.manager)),
            local,
            post,
            desk: Mutex::new(Some(desk)),
            alerts,
            certificates: Certificates::default(),
            ordered: acme::Ordered::default(),
            alert_counts,
            reloads_failed: AtomicU64::new(0),
        });
        inner.served(1, warnings, &loaded);
        let answering = tokio::spawn(ops::serve(operations, Arc::clone(&inner)));
        let keeping_time = tokio::spawn(keep_time(Arc::clone(&inner)));
        let keeping_keys = tokio::spawn(token_keys::keep(Arc::clone(&inner)));
        let watching = if options.watch { inner.watch(&loaded) } else { None };
        let managed = opened.map(|opened| opened.serve(&inner));
        let operations = operations_address;
        Ok(Self { inner, answering, keeping_time, keeping_keys, watching, collector, operations, managed })
    }

    /// Where clients connect.
    pub fn listeners(&self) -> Vec<BoundListener> {
        self.inner.server().map(|s| s.listeners()).unwrap_or_default()
    }

    /// Where health, metrics, status and explanations are found.
    pub fn operations(&self) -> SocketAddr {
        self.operations
    }

    /// Where the admin API is found.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.managed.as_ref().map(|managed| managed.address)
    }

    /// Whether the admin API is to be asked over TLS.
    pub fn admin_has_tls(&self) -> bool {
        self.inner.started_with.manager.tls.is_some()
    }

    /// Where the internal authorization server is found.
    pub fn authorization_server(&self) -> Option<SocketAddr> {
        self.inner.local.as_ref().map(|local| local.address)
    }

    /// Whether the internal authorization server is to be asked over TLS.
    pub fn authorization_server_has_tls(&self) -> bool {
        self.inner.started_with.authorization_server.as_ref().is_some_and(|server| server.tls.is_some())
    }

    /// The password of the user `Administrator`, when this start has made it.
    pub fn first_password(&self) -> Option<&str> {
        self.managed.as_ref()?.first_password.as_deref()
    }

    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.inner.server().map(|s| s.snapshot())
    }

    pub fn status(&self) -> Status {
        self.inner.status()
    }

    /// Reads the configuration again and serves it. What was served goes on being served when it is not valid.
    pub async fn reload(&self) -> Result<u64, Diagnostics> {
        self.inner.reload(&self.inner.source).await
    }

    /// Serves another configuration, made in memory.
    pub async fn apply(&self, config: ConfigDoc) -> Result<u64, Diagnostics> {
        let directory = match &self.inner.source {
            Source::Memory { directory, .. } => directory.clone(),
            Source::Path(path) => path.clone(),
        };
        self.inner.reload(&Source::Memory { config: Box::new(config), directory }).await
    }

    /// The decision record of a request that has ended.
    pub async fn explain(&self, id: &str) -> Option<Explanation> {
        self.inner.explain(id).await
    }

    /// The event store, with everything in it that has ended.
    pub async fn events(&self) -> Option<Arc<EventStore>> {
        self.inner.events().await
    }

    /// Stops accepting, lets requests finish, writes events to disk.
    pub async fn stop(self) {
        let patience =
            self.snapshot().map_or(Duration::from_secs(30), |s| s.settings.limits.drain_timeout.get());
        self.inner.status.lock().unwrap_or_else(PoisonError::into_inner).stopping = true;
        if let Some(watching) = &self.watching {
            watching.abort();
        }
        if let Some(local) = &self.inner.local {
            local.stop();
        }
        if let Some(managed) = &self.managed {
            managed.stop().await;
        }
        let server = self.inner.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut server) = server {
            // Questions that are being answered hold on to the server for a moment.
            let server = loop {
                match Arc::try_unwrap(server) {
                    Ok(server) => break server,
                    Err(shared) => server = shared,
                }
                tokio::task::yield_now().await;
            };
            server.stop(patience).await;
        }
        // The workers are gone, and with them the last sender: the collector comes to its end.
        let _ = self.collector.await;
        self.keeping_time.abort();
        self.keeping_keys.abort();
        let desk = self.inner.desk.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(desk) = desk {
            desk.close().await;
        }
        let store = self.inner.outputs.borrow().store.clone();
        if let Some(store) = store
            && let Err(error) = store.close().await
        {
            tracing::warn!(%error, "the event store could not be closed cleanly");
        }
        let analytics = self.inner.outputs.borrow().analytics.clone();
        if let Some(analytics) = analytics {
            analytics.close().await;
        }
        // Until now it has said that the gateway is stopping.
        self.answering.abort();
    }
}

impl Inner {
    pub fn server(&self) -> Option<Arc<Server>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn status(&self) -> Status {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn source(&self) -> &Source {
        &self.source
    }

    pub async fn reload_source(self: &Arc<Self>) -> Result<u64, Diagnostics> {
        self.reload(&self.source).await
    }

    async fn reload(self: &Arc<Self>, source: &Source) -> Result<u64, Diagnostics> {
        let assets = self.manager.as_ref().map(|manager| manager.assets());
        let result = match self.make_ready(source, assets.clone()).await {
            Ok(ready) => ready.serve(),
            Err(problems) => Err(problems),
        };
        // What assets were waiting for may have been in the files.
        if let (Ok(_), Some(manager), Some(assets)) = (&result, &self.manager, &assets) {
            manager.served(assets);
        }
        if let Err(problems) = &result {
            self.failed(problems.clone());
        }
        result
    }

    /// Says that a configuration could not be taken up.
    pub fn failed(&self, problems: Diagnostics) {
        self.reloads_failed.fetch_add(1, Relaxed);
        tracing::error!("the new configuration is not valid; the one before is still served\n{problems}");
        let at = self.clock.now().millis();
        self.status.lock().unwrap_or_else(PoisonError::into_inner).failure = Some((at, problems));
    }

    pub(crate) fn served(&self, revision: u64, warnings: Vec<Diagnostic>, loaded: &Loaded) {
        for warning in &warnings {
            tracing::warn!("{warning}");
        }
        self.certificates.take(Inventory::of(&loaded.input.config, self.clock.now()));
        self.ordered.take(&loaded.input.config);
        let status = Status {
            revision,
            since_ms: self.clock.now().millis(),
            warnings,
            failure: None,
            definitions: loaded.definitions.clone(),
            files: loaded.files.clone(),
            stopping: false,
        };
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }

    /// Reloads whenever a file of the configuration changes.
    fn watch(self: &Arc<Self>, loaded: &Loaded) -> Option<JoinHandle<()>> {
        let (changed, mut changes) = mpsc::channel(1);
        let mut watch = match Watch::new(changed) {
            Ok(watch) => watch,
            Err(error) => {
                tracing::warn!(%error, "changes of the configuration will not be noticed; send SIGHUP after a change");
                return None;
            }
        };
        watch.add(&loaded.files);
        let inner = Arc::clone(self);
        Some(tokio::spawn(async move {
            while changes.recv().await.is_some() {
                // Several files are often written together; a moment later they are all there.
                tokio::time::sleep(SETTLE).await;
                while changes.try_recv().is_ok() {}
                // What is wrong is in the status and in the log.
                if inner.reload_source().await.is_ok() {
                    watch.add(&inner.status().files);
                }
            }
        }))
    }

    pub async fn explain(&self, id: &str) -> Option<Explanation> {
        let id = engine::RequestId::parse(id)?;
        self.settle().await;
        let mut explanation = self.collected.explanation(id)?;
        if let Some(server) = self.server() {
            explanation.add_candidates(&server.snapshot());
        }
        let store = self.outputs.borrow().store.clone();
        if explanation.logged
            && let Some(store) = store
        {
            // What cannot be read is told where events are listed.
            if let Ok(Some(event)) = store.get(&explanation.request_id).await {
                explanation.messages = event.messages;
            }
        }
        Some(explanation)
    }

    pub async fn latest(&self, most: usize) -> Vec<Explanation> {
        self.settle().await;
        self.collected.latest(most)
    }

    pub async fn dry_run(&self, question: DryRun) -> Option<Explanation> {
        let server = self.server()?;
        let snapshot = question.snapshot.clone().unwrap_or_else(|| server.snapshot());
        let batch = server.dry_run(DryRun { snapshot: Some(Arc::clone(&snapshot)), ..question }).await?;
        let mut explanation = explain::explain(&batch, batch.finished.first()?);
        explanation.dry_run = true;
        explanation.add_candidates(&snapshot);
        Some(explanation)
    }

    pub async fn events(&self) -> Option<Arc<EventStore>> {
        self.settle().await;
        self.outputs.borrow().store.clone()
    }

    /// What requests add up to, with everything in it that has ended.
    pub async fn analytics(&self) -> Option<Arc<Analytics>> {
        self.settle().await;
        self.outputs.borrow().analytics.clone()
    }

    /// Waits until what has ended before now has been collected.
    async fn settle(&self) {
        if let Some(server) = self.server() {
            server.flush().await;
        }
        self.collected.caught_up().await;
    }

    pub fn metrics(&self) -> Option<String> {
        let server = self.server()?;
        let (connections, requests_in_progress) = server.load();
        let snapshot = server.snapshot();
        let inventory = self.certificates.list();
        let gauges = metrics::Gauges {
            revision: snapshot.revision,
            connections,
            requests_in_progress,
            events_stored: self.collected.stored.load(Relaxed),
            events_dropped: self.collected.dropped.load(Relaxed) + self.collected.lost.load(Relaxed),
            reloads_failed: self.reloads_failed.load(Relaxed),
            alerts: &self.alert_counts,
            now: self.clock.now(),
            certificates: &inventory.certificates,
        };
        Some(metrics::render(&snapshot, &gauges))
    }
}

/// How often it is looked whether something is due.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Has policies do what they do as time passes, also when no request comes.
async fn keep_time(inner: Arc<Inner>) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let Some(server) = inner.server() else { return };
        let snapshot = server.snapshot();
        drop(server);
        snapshot.look(inner.clock.now());
        inner.certificates.look(inner.clock.now(), &inner.alerts);
        drop(snapshot);
        let mut retired = inner.retired.lock().unwrap_or_else(PoisonError::into_inner);
        let gone: Vec<_> = retired.extract_if(.., |snapshot| Arc::strong_count(snapshot) == 1).collect();
        drop(retired);
        if !gone.is_empty() {
            tokio::task::spawn_blocking(move || drop(gone));
        }
    }
}

/// How long the files of one change may take to be written.
const SETTLE: Duration = Duration::from_millis(10);

/// Where the node keeps what it has to remember.
pub(crate) fn data_directory(settings: &Settings, source: &Source) -> PathBuf {
    match (&settings.data_directory, source) {
        (Some(directory), _) => PathBuf::from(directory),
        (None, Source::Path(path)) if path.is_dir() => path.join("gatewright-data"),
        (None, Source::Path(path)) => path.with_file_name("gatewright-data"),
        (None, Source::Memory { directory, .. }) => directory.join("gatewright-data"),
    }
}

async fn open_store(
    settings: &Settings,
    source: &Source,
) -> Result<Option<Arc<EventStore>>, store::StoreError> {
    if !settings.events.enabled {
        return Ok(None);
    }
    let directory = data_directory(settings, source);
    EventStore::open(&directory, settings.events.retention.get()).await.map(|store| Some(Arc::new(store)))
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

pub(crate) fn node_name() -> String {
    std::fs::read_to_string("/etc/hostname").map(|name| name.trim().to_owned()).unwrap_or_default()
}
