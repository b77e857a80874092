//! The server: starts the workers, gives them listeners and snapshots, and stops them without losing a request.

use std::{
    collections::HashMap,
    fmt, io,
    net::SocketAddr,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
    thread,
    time::Duration,
};

use arc_swap::ArcSwap;
use engine::{Clock, Snapshot, journal::Batch};
use model::upstream::{UpstreamProtocol, UpstreamTls};
use rustls::ClientConfig;
use tokio::{
    net::TcpListener,
    runtime::{Builder, LocalOptions},
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

use crate::{
    event_queue::EventSender,
    health,
    host_names::NameService,
    listener,
    request::{self, DryRun},
    tls::TlsContexts,
    worker::{Live, Load, Shared, Worker},
};

/// What does not change while the server runs.
pub struct Options {
    pub workers: usize,
    pub clock: Clock,
    /// Where finished requests go.
    pub events: EventSender,
    /// Knows what addresses of clients are called.
    pub names: Arc<dyn NameService>,
    /// Gives the calling thread's unused memory back to the system, when the allocator can.
    pub release_memory: Option<fn()>,
}

/// A listener that clients can reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundListener {
    pub name: String,
    pub address: SocketAddr,
    pub tls: bool,
}

/// Why the server could not start or take up a configuration.
#[derive(Debug)]
pub enum StartError {
    Bind { listener: String, address: SocketAddr, error: io::Error },
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind { listener, address, error } if error.kind() == io::ErrorKind::AddrInUse => {
                write!(
                    f,
                    "listener {listener}: {address} is in use by another program; choose another port or stop it"
                )
            }
            Self::Bind { listener, address, error } => {
                write!(f, "listener {listener}: cannot listen on {address}: {error}")
            }
            Self::Thread(error) => write!(f, "cannot start a thread: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

enum Command {
    Listen { name: Arc<str>, socket: std::net::TcpListener },
    Unlisten(Arc<str>),
    Flush(oneshot::Sender<()>),
    DryRun(Box<DryRun>, oneshot::Sender<Batch>),
    Drain(oneshot::Sender<()>),
    Stop,
}

struct Handle {
    commands: mpsc::UnboundedSender<Command>,
    thread: Option<thread::JoinHandle<()>>,
}

/// The running data plane.
pub struct Server {
    shared: Arc<Shared>,
    workers: Vec<Handle>,
    health: Option<thread::JoinHandle<()>>,
    published: Mutex<Option<watch::Sender<u64>>>,
    bound: Mutex<HashMap<String, (SocketAddr, BoundListener)>>,
}

impl Server {
    /// Starts workers and listeners. When this returns, every listener accepts.
    pub fn start(options: Options, snapshot: Arc<Snapshot>, tls: TlsContexts) -> Result<Self, StartError> {
        let (forced, _) = watch::channel(false);
        let shared = Arc::new(Shared {
            live: Arc::new(ArcSwap::from_pointee(Live { snapshot: Arc::clone(&snapshot), tls })),
            clock: options.clock,
            events: options.events,
            names: options.names,
            release_memory: options.release_memory,
            loads: (0..options.workers).map(|_| Load::default()).collect(),
            forced,
        });
        let mut workers = Vec::with_capacity(options.workers);
        for index in 0..options.workers {
            workers.push(start_worker(index, Arc::clone(&shared)).map_err(StartError::Thread)?);
        }
        let (published, receiver) = watch::channel(snapshot.revision);
        let health = thread::Builder::new()
            .name("health".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || run_local(health::run(shared, receiver))
            })
            .map_err(StartError::Thread)?;
        let server = Self {
            shared,
            workers,
            health: Some(health),
            published: Mutex::new(Some(published)),
            bound: Mutex::default(),
        };
        server.listen(&snapshot)?;
        Ok(server)
    }

    /// Serves another snapshot from the next request on. On an error the current one goes on being served.
    pub fn publish(&self, snapshot: Arc<Snapshot>, tls: TlsContexts) -> Result<(), StartError> {
        let revision = snapshot.revision;
        // A new listener must find its TLS, and a listener that is gone must still find its own: so both orders
        // are wrong for somebody, and this one only ever closes a connection that nobody has used yet.
        let before = self.shared.live.load_full();
        self.shared.live.store(Arc::new(Live { snapshot: Arc::clone(&snapshot), tls }));
        if let Err(error) = self.listen(&snapshot) {
            self.shared.live.store(before);
            return Err(error);
        }
        if let Some(published) = &*self.published.lock().unwrap_or_else(PoisonError::into_inner) {
            published.send_replace(revision);
        }
        Ok(())
    }

    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.shared.live.load().snapshot)
    }

    /// TLS as it is towards an upstream with these settings.
    pub fn upstream_tls(&self, tls: &UpstreamTls, protocol: UpstreamProtocol) -> Option<Arc<ClientConfig>> {
        self.shared.live.load().tls.upstream(tls, protocol)
    }

    pub fn listeners(&self) -> Vec<BoundListener> {
        let bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        let mut listeners: Vec<_> = bound.values().map(|(_, listener)| listener.clone()).collect();
        listeners.sort_by(|a, b| a.name.cmp(&b.name));
        listeners
    }

    /// Open client connections and requests in progress.
    pub fn load(&self) -> (u32, u32) {
        let loads = &self.shared.loads;
        let sum = |f: fn(&Load) -> u32| loads.iter().map(f).sum();
        (sum(|l| l.connections.load(Relaxed)), sum(|l| l.requests.load(Relaxed)))
    }

    fn listen(&self, snapshot: &Snapshot) -> Result<(), StartError> {
        let mut bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        let unchanged = |name: &str, asked: SocketAddr| {
            snapshot.listeners.iter().any(|l| l.name == name && l.address == asked)
        };
        // Bind everything new before anything old goes, so that a failure changes nothing.
        let mut fresh = Vec::new();
        for listener in &snapshot.listeners {
            if bound.get(&listener.name).is_some_and(|(asked, _)| *asked == listener.address) {
                continue;
            }
            let (address, sockets) =
                listener::bind(listener.address, self.workers.len()).map_err(|error| StartError::Bind {
                    listener: listener.name.clone(),
                    address: listener.address,
                    error,
                })?;
            fresh.push((listener, address, sockets));
        }
        bound.retain(|name, (asked, _)| {
            let keep = unchanged(name, *asked);
            if !keep {
                self.send_all(|| Command::Unlisten(name.as_str().into()));
            }
            keep
        });
        for (listener, address, sockets) in fresh {
            for (worker, socket) in self.workers.iter().zip(sockets) {
                let _ = worker.commands.send(Command::Listen { name: listener.name.as_str().into(), socket });
            }
            let info = BoundListener { name: listener.name.clone(), address, tls: listener.tls.is_some() };
            bound.insert(listener.name.clone(), (listener.address, info));
        }
        Ok(())
    }

    fn send_all(&self, command: impl Fn() -> Command) {
        for worker in &self.workers {
            let _ = worker.commands.send(command());
        }
    }

    /// Waits until everything that has finished is with the collector.
    pub async fn flush(&self) {
        for worker in &self.workers {
            let (done, wait) = oneshot::channel();
            if worker.commands.send(Command::Flush(done)).is_ok() {
                let _ = wait.await;
            }
        }
    }

    /// What would happen to a request; `None` when the server is stopping.
    pub async fn dry_run(&self, question: DryRun) -> Option<Batch> {
        let (answer, wait) = oneshot::channel();
        self.workers.first()?.commands.send(Command::DryRun(Box::new(question), answer)).ok()?;
        wait.await.ok()
    }

    /// Stops accepting, lets requests in progress finish for as long as `patience` allows, then ends.
    pub async fn stop(mut self, patience: Duration) {
        let mut drained = Vec::new();
        for worker in &self.workers {
            let (done, wait) = oneshot::channel();
            if worker.commands.send(Command::Drain(done)).is_ok() {
                drained.push(wait);
            }
        }
        let all = async {
            for wait in drained {
                let _ = wait.await;
            }
        };
        if tokio::time::timeout(patience, all).await.is_err() {
            tracing::warn!("requests in progress were cut off after the drain timeout");
            self.shared.forced.send_replace(true);
        }
        self.send_all(|| Command::Stop);
        self.published.lock().unwrap_or_else(PoisonError::into_inner).take();
        let threads: Vec<_> =
            self.workers.iter_mut().filter_map(|w| w.thread.take()).chain(self.health.take()).collect();
        let _ = tokio::task::spawn_blocking(move || threads.into_iter().for_each(|t| drop(t.join()))).await;
    }
}

fn run_local(future: impl Future<Output = ()>) {
    match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
        Ok(runtime) => runtime.block_on(future),
        Err(error) => tracing::error!(%error, "cannot start a runtime"),
    }
}

fn start_worker(index: usize, shared: Arc<Shared>) -> io::Result<Handle> {
    let (commands, receiver) = mpsc::unbounded_channel();
    let seed = seed(index);
    let thread = thread::Builder::new()
        .name(format!("worker-{index}"))
        .spawn(move || run_local(async move { run(Worker::new(index, shared, seed), receiver).await }))?;
    Ok(Handle { commands, thread: Some(thread) })
}

/// Different for every worker and every start.
fn seed(index: usize) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_usize(index);
    hasher.finish()
}

/// How often connections and pools are looked after.
const WATCH: Duration = Duration::from_millis(250);
const SWEEP_EVERY: u32 = 4;
/// Parked connections that are worth a walk through the allocator's pages.
const MANY_PARKED: u32 = 32;

async fn run(worker: Rc<Worker>, mut commands: mpsc::UnboundedReceiver<Command>) {
    let mut listeners: HashMap<Arc<str>, JoinHandle<()>> = HashMap::new();
    tokio::task::spawn_local(Rc::clone(&worker).keep_flushing());
    tokio::task::spawn_local(Rc::clone(&worker.ticker).run());
    tokio::task::spawn_local(look_after(Rc::clone(&worker)));
    while let Some(command) = commands.recv().await {
        match command {
            Command::Listen { name, socket } => match TcpListener::from_std(socket) {
                Ok(listener) => {
                    let task = tokio::task::spawn_local(listener::accept(
                        Rc::clone(&worker),
                        Arc::clone(&name),
                        listener,
                    ));
                    if let Some(before) = listeners.insert(name, task) {
                        before.abort();
                    }
                }
                Err(error) => tracing::error!(listener = %name, %error, "cannot accept connections"),
            },
            Command::Unlisten(name) => {
                if let Some(task) = listeners.remove(&name) {
                    task.abort();
                }
            }
            Command::Flush(done) => {
                worker.flush();
                let _ = done.send(());
            }
            Command::DryRun(question, answer) => {
                let worker = Rc::clone(&worker);
                tokio::task::spawn_local(async move {
                    let _ = answer.send(request::dry_run(&worker, *question).await);
                });
            }
            Command::Drain(done) => {
                listeners.drain().for_each(|(_, task)| task.abort());
                worker.draining.set(true);
                worker.connections.borrow().iter().for_each(|(_, state)| state.drain());
                let worker = Rc::clone(&worker);
                tokio::task::spawn_local(async move {
                    while !worker.connections.borrow().is_empty() {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                    worker.flush();
                    let _ = done.send(());
                });
            }
            Command::Stop => break,
        }
    }
    worker.flush();
}

/// Enforces time limits of connections, and closes what is idle towards upstreams.
async fn look_after(worker: Rc<Worker>) {
    let mut ticks = tokio::time::interval(WATCH);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut round = 0_u32;
    loop {
        ticks.tick().await;
        let now = worker.now();
        let live = worker.live();
        worker
            .connections
            .borrow()
            .iter()
            .for_each(|(_, state)| state.watch(now, &live.snapshot.settings.limits));
        // Buffers given back one by one leave whole pages behind that nobody else would return.
        if worker.parked.get() >= MANY_PARKED {
            worker.parked.set(0);
            if let Some(release) = worker.shared.release_memory {
                release();
            }
        }
        round = round.wrapping_add(1);
        if round.is_multiple_of(SWEEP_EVERY) {
            worker.pools.sweep(now, live.snapshot.upstreams.iter().chain(&worker.dynamic.all()));
        }
    }
}
