//! What a connection is doing, seen by those who watch over it: the worker's time limits, draining, parking.

use std::{
    sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use atomic_waker::AtomicWaker;
use engine::Timestamp;
use model::settings::Limits;

/// What is known about a connection, also by those who watch over it.
#[derive(Debug, Default)]
pub struct ConnState {
    pub(crate) requests: AtomicU32,
    /// When a request head began to come in; 0 while none is.
    pub(crate) head_since: AtomicU64,
    /// When the connection became idle.
    pub(crate) idle_since: AtomicU64,
    pub(crate) tunnel: AtomicBool,
    pub(crate) parked: AtomicBool,
    pub(crate) order: AtomicU8,
    pub(crate) waker: AtomicWaker,
}

/// What a connection is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Order {
    None = 0,
    /// Give back memory; there is nothing to do.
    Park = 1,
    /// Finish what is in progress and close.
    Finish = 2,
    /// The head took too long.
    HeadTimeout = 3,
    /// Close now.
    Close = 4,
}

/// How long a connection is idle before its buffers are given back.
const PARK_AFTER: Duration = Duration::from_secs(1);

impl ConnState {
    pub fn begin(&self) {
        self.requests.store(self.requests.load(Relaxed) + 1, Relaxed);
        self.head_since.store(0, Relaxed);
    }

    pub fn end(&self, now: Timestamp) {
        self.requests.store(self.requests.load(Relaxed).saturating_sub(1), Relaxed);
        self.idle_since.store(now.0, Relaxed);
    }

    pub fn is_busy(&self) -> bool {
        self.requests.load(Relaxed) > 0 || self.tunnel.load(Relaxed)
    }

    fn give(&self, order: Order) {
        // Orders only get stricter.
        if (order as u8) > self.order.load(Relaxed) {
            self.order.store(order as u8, Relaxed);
            self.waker.wake();
        }
    }

    /// There is something to do after all.
    pub fn forget_park(&self) {
        let _ = self.order.compare_exchange(Order::Park as u8, Order::None as u8, Relaxed, Relaxed);
    }

    /// Finish what is in progress, then close.
    pub fn drain(&self) {
        self.give(Order::Finish);
    }

    pub fn order(&self) -> Order {
        match self.order.load(Relaxed) {
            1 => Order::Park,
            2 => Order::Finish,
            3 => Order::HeadTimeout,
            4 => Order::Close,
            _ => Order::None,
        }
    }

    /// Looks after time limits; called for every connection a few times each second.
    pub fn watch(&self, now: Timestamp, limits: &Limits) {
        if self.is_busy() {
            return;
        }
        let since = |since: &AtomicU64| now.since(Timestamp(since.load(Relaxed)));
        if self.head_since.load(Relaxed) != 0 {
            if since(&self.head_since) > limits.header_timeout.get() {
                self.give(Order::HeadTimeout);
            }
        } else if since(&self.idle_since) > limits.keep_alive_timeout.get() {
            self.give(Order::Close);
        } else if since(&self.idle_since) > PARK_AFTER && !self.parked.load(Relaxed) {
            self.give(Order::Park);
        }
    }
}
