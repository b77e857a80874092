//! One worker: a thread with its own runtime, listeners, pools and counters. Workers share nothing that they write.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    rc::{Rc, Weak},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::{ArcSwap, Cache};
use bytes::BytesMut;
use engine::{
    Clock, Exchange, RequestId, Snapshot, SnapshotRef, Timestamp,
    calls::CallerRef,
    journal::{Batch, Measures},
};
use slab::Slab;
use tokio::sync::{Notify, watch};

use crate::{
    calls::WorkerCaller,
    conn_state::ConnState,
    dynamic::DynamicUpstreams,
    event_queue::EventSender,
    forward::StandIn,
    host_names::{HostNames, NameService},
    patience::Ticker,
    pool::Pools,
    tls::TlsContexts,
};

/// What is served: a snapshot and the TLS that goes with it.
pub struct Live {
    pub snapshot: Arc<Snapshot>,
    pub tls: TlsContexts,
}

/// What all workers know of each other.
pub struct Shared {
    pub live: Arc<ArcSwap<Live>>,
    pub clock: Clock,
    /// Where finished requests go.
    pub events: EventSender,
    pub loads: Box<[Load]>,
    /// Knows what addresses of clients are called.
    pub names: Arc<dyn NameService>,
    /// Gives the calling thread's unused memory back to the system.
    pub release_memory: Option<fn()>,
    /// Stopping has lasted too long: everything ends now.
    pub forced: watch::Sender<bool>,
}

/// How busy a worker is. On a cache line of its own, since its worker writes it for every request.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Load {
    pub requests: AtomicU32,
    pub connections: AtomicU32,
}

/// A worker's own handle on what is served.
pub struct LocalLive {
    live: Arc<Live>,
    pub snapshot: SnapshotRef,
}

impl std::ops::Deref for LocalLive {
    type Target = Live;

    fn deref(&self) -> &Live {
        &self.live
    }
}

pub struct Worker {
    pub index: usize,
    /// Sends what policies call.
    pub caller: CallerRef,
    pub shared: Arc<Shared>,
    /// Answers instead of upstreams, in rehearsals.
    pub stand_in: Option<Box<StandIn>>,
    pub pools: Pools,
    pub host_names: HostNames,
    /// Upstreams of endpoints that were made from requests.
    pub dynamic: DynamicUpstreams,
    pub ticker: Rc<Ticker>,
    pub connections: RefCell<Slab<Arc<ConnState>>>,
    pub draining: Cell<bool>,
    /// Connections that gave back their buffers since memory was last given back to the system.
    pub parked: Cell<u32>,
    cache: RefCell<Cache<Arc<ArcSwap<Live>>, Arc<Live>>>,
    local: RefCell<Rc<LocalLive>>,
    journal: RefCell<Batch>,
    journal_filled: Notify,
    /// Finished requests that are handed over together.
    batch: usize,
    random: Cell<u64>,
    buffers: RefCell<Vec<BytesMut>>,
    /// The current second, and how it is written in a Date header.
    date: RefCell<(u64, Rc<str>)>,
}

/// Finished requests that are handed over together, unless the queue is shorter.
const BATCH: usize = 256;
/// How long a finished request may wait for others.
const BATCH_WAIT: Duration = Duration::from_millis(50);
const SPARE_BUFFERS: usize = 64;
const LARGEST_SPARE: usize = 32 * 1024;

impl Worker {
    pub fn new(index: usize, shared: Arc<Shared>, seed: u64) -> Rc<Self> {
        Rc::new_cyclic(|worker| Self::with(index, shared, seed, Weak::clone(worker), None))
    }

    /// A worker that calls no upstream.
    pub fn rehearsing(shared: Arc<Shared>, seed: u64, stand_in: StandIn) -> Rc<Self> {
        Rc::new_cyclic(|worker| Self::with(0, shared, seed, Weak::clone(worker), Some(Box::new(stand_in))))
    }

    fn with(
        index: usize,
        shared: Arc<Shared>,
        seed: u64,
        caller: Weak<Self>,
        stand_in: Option<Box<StandIn>>,
    ) -> Self {
        let live = shared.live.load_full();
        let journal = Batch::new(Arc::clone(&live.snapshot.catalog));
        let local = Rc::new(LocalLive { snapshot: Rc::new(Arc::clone(&live.snapshot)), live });
        Self {
            index,
            caller: CallerRef(Rc::new(WorkerCaller(caller))),
            cache: RefCell::new(Cache::new(Arc::clone(&shared.live))),
            batch: BATCH.min(shared.events.most()),
            shared,
            stand_in,
            pools: Pools::default(),
            host_names: HostNames::default(),
            dynamic: DynamicUpstreams::default(),
            ticker: Rc::default(),
            connections: RefCell::default(),
            draining: Cell::new(false),
            parked: Cell::new(0),
            local: RefCell::new(local),
            journal: RefCell::new(journal),
            journal_filled: Notify::new(),
            random: Cell::new(seed | 1),
            buffers: RefCell::default(),
            date: RefCell::new((0, "".into())),
        }
    }

    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// What is served now. Costs one comparison while nothing has changed.
    pub fn live(&self) -> Rc<LocalLive> {
        let mut cache = self.cache.borrow_mut();
        let current = cache.load();
        let mut local = self.local.borrow_mut();
        if !Arc::ptr_eq(current, &local.live) {
            let snapshot = Rc::new(Arc::clone(&current.snapshot));
            *local = Rc::new(LocalLive { live: Arc::clone(current), snapshot });
        }
        Rc::clone(&local)
    }

    pub fn snapshot(&self) -> SnapshotRef {
        self.live().snapshot.clone()
    }

    /// xorshift64*: ids, shares and sampling need spread, not secrecy.
    fn next_random(&self) -> u64 {
        let mut x = self.random.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.random.set(x);
        x.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Ids begin with the time, so that the event store finds them quickly.
    pub fn next_id(&self, now: Timestamp) -> RequestId {
        let millis = now.millis() & 0xffff_ffff_ffff;
        RequestId::new(millis << 16 | self.next_random() & 0xffff, self.next_random())
    }

    pub fn random_bytes(&self) -> [u8; 16] {
        (u128::from(self.next_random()) << 64 | u128::from(self.next_random())).to_be_bytes()
    }

    /// Counts a request in; `false` when there are too many.
    pub fn begin(&self) -> bool {
        let limit = self.local.borrow().snapshot.settings.limits.requests_in_flight.get();
        let mine = &self.shared.loads[self.index].requests;
        let count = mine.load(Relaxed) + 1;
        // Far from the limit a look at the worker's own count is enough.
        let share = limit / (2 * u32::try_from(self.shared.loads.len()).unwrap_or(1)).max(1);
        if count > share && self.total(|load| &load.requests) >= limit {
            return false;
        }
        mine.store(count, Relaxed);
        true
    }

    /// Counts a request out.
    pub fn end(&self) {
        let mine = &self.shared.loads[self.index].requests;
        mine.store(mine.load(Relaxed).saturating_sub(1), Relaxed);
    }

    pub fn total(&self, which: impl Fn(&Load) -> &AtomicU32) -> u32 {
        self.shared.loads.iter().map(|load| which(load).load(Relaxed)).sum()
    }

    pub fn wants_record(&self, id: RequestId) -> bool {
        let share = u64::from(self.local.borrow().snapshot.settings.explain.sampling.basis_points());
        u64::from(id.random(1)) * 10_000 < share << 32
    }

    /// Takes a finished request into the journal.
    pub fn record(&self, exchange: &mut Exchange, measures: &Measures) {
        if !exchange.recording && !exchange.snapshot.settings.events.enabled {
            return;
        }
        let catalog = Arc::as_ptr(&exchange.snapshot.catalog);
        let mut journal = self.journal.borrow_mut();
        if Arc::as_ptr(&journal.catalog) != catalog {
            self.hand_over(&mut journal, &exchange.snapshot);
        }
        journal.push(exchange, measures);
        let events = journal.len();
        if events >= self.batch {
            self.hand_over(&mut journal, &exchange.snapshot);
        } else if events == 1 {
            self.journal_filled.notify_one();
        }
    }

    fn hand_over(&self, journal: &mut Batch, snapshot: &Snapshot) {
        let batch = std::mem::replace(journal, Batch::new(Arc::clone(&snapshot.catalog)));
        self.shared.events.send(batch);
    }

    /// Hands over what there is.
    pub fn flush(&self) {
        let snapshot = self.snapshot();
        self.hand_over(&mut self.journal.borrow_mut(), &snapshot);
    }

    /// Hands finished requests over when they have waited long enough.
    pub async fn keep_flushing(self: Rc<Self>) {
        loop {
            self.journal_filled.notified().await;
            tokio::time::sleep(BATCH_WAIT).await;
            self.flush();
        }
    }

    /// What a Date header says now.
    pub fn date(&self) -> Rc<str> {
        let second = self.now().millis() / 1_000;
        let mut date = self.date.borrow_mut();
        if date.0 != second {
            let moment = std::time::UNIX_EPOCH + Duration::from_secs(second);
            *date = (second, httpdate::fmt_http_date(moment).into());
        }
        Rc::clone(&date.1)
    }

    pub fn take_buffer(&self) -> BytesMut {
        self.buffers.borrow_mut().pop().unwrap_or_else(|| BytesMut::with_capacity(2 * 1024))
    }

    pub fn give_buffer(&self, mut buffer: BytesMut) {
        let mut buffers = self.buffers.borrow_mut();
        if buffers.len() < SPARE_BUFFERS && (1..=LARGEST_SPARE).contains(&buffer.capacity()) {
            buffer.clear();
            buffers.push(buffer);
        }
    }

    pub fn forced_stop(&self) -> watch::Receiver<bool> {
        self.shared.forced.subscribe()
    }
}

/// Runs the tasks of HTTP/2 on the worker's own thread.
#[derive(Debug, Clone, Copy)]
pub struct LocalExec;

impl<F: Future + 'static> hyper::rt::Executor<F> for LocalExec {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}
