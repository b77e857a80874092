//! Upstreams in this process: well-behaved ones that record what they see, and ones that follow a script of faults.

mod place;
mod script;
mod serve;
mod services;

use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use hyper::body::Incoming;
use rustls::ServerConfig;
use tokio::task::JoinHandle;

use crate::{body::Body, wait::eventually};

pub use place::Place;
pub use script::Stream;

pub(crate) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Service = dyn Fn(Request<Incoming>, Arc<Record>) -> Boxed<Response<Body>> + Send + Sync;
type Script = dyn Fn(Stream) -> Boxed<()> + Send + Sync;

/// A request that came to an upstream.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: Method,
    /// Path with query.
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: HeaderMap,
    pub http2: bool,
}

impl Seen {
    /// The first value of a header; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("")
    }
}

/// What has happened at an upstream.
#[derive(Debug, Default)]
pub struct Record {
    seen: Mutex<Vec<Seen>>,
    accepted: AtomicUsize,
    open: AtomicUsize,
    cancelled: AtomicUsize,
}

impl Record {
    pub fn push(&self, seen: Seen) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
    }
}

/// A running upstream; it ends, with all its connections, when this is dropped.
pub struct Upstream {
    address: SocketAddr,
    tls: bool,
    record: Arc<Record>,
    task: JoinHandle<()>,
}

/// An upstream before it listens.
pub struct Builder {
    kind: Kind,
    tls: Option<Arc<ServerConfig>>,
    http2: bool,
}

#[derive(Clone)]
enum Kind {
    Service(Arc<Service>),
    Script(Arc<Script>),
}

impl Builder {
    pub(crate) fn service<F>(
        service: impl Fn(Request<Incoming>, Arc<Record>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let service = move |request, record| -> Boxed<Response<Body>> { Box::pin(service(request, record)) };
        Self { kind: Kind::Service(Arc::new(service)), tls: None, http2: false }
    }

    fn script<F>(script: impl Fn(Stream) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let script = move |stream| -> Boxed<()> { Box::pin(script(stream)) };
        Self { kind: Kind::Script(Arc::new(script)), tls: None, http2: false }
    }

    /// Speaks HTTP/2 with prior knowledge.
    #[must_use]
    pub fn http2(mut self) -> Self {
        self.http2 = true;
        self
    }

    /// Speaks TLS, and the HTTP that it agrees on.
    #[must_use]
    pub fn tls(mut self, config: Arc<ServerConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// Listens on a port that the system picks.
    pub async fn start(self) -> Upstream {
        Place::reserve().start(self).await
    }
}

impl Upstream {
    /// Where it is found.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Requests that have come so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.record.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many requests have come so far.
    pub fn count(&self) -> usize {
        self.record.seen.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The latest request.
    ///
    /// # Panics
    ///
    /// When there was none.
    pub fn last(&self) -> Seen {
        self.seen().pop().expect("the upstream has seen a request")
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.record.accepted.load(SeqCst)
    }

    /// Connections that are open now.
    pub fn open_connections(&self) -> usize {
        self.record.open.load(SeqCst)
    }

    /// Requests that were given up before they were answered.
    pub fn cancelled(&self) -> usize {
        self.record.cancelled.load(SeqCst)
    }

    /// Waits until so many requests have come.
    pub async fn wait_for(&self, count: usize) {
        eventually("requests at the upstream", async || self.count() >= count).await;
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}
