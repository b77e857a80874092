//! Trailers of requests. They come when everything has been decided about a request, so that none of them may say what the
//! gateway says in the head: some upstreams put both together. What frames a message is left to `h1::decode` and `body`.

use engine::{Exchange, Headers, SnapshotRef};
use http::{
    HeaderMap, HeaderName,
    header::{AUTHORIZATION, COOKIE},
};

use crate::headers::Kind;

/// What the trailers of one request may not be.
#[derive(Debug)]
pub struct TrailerGuard {
    snapshot: SnapshotRef,
    api: Option<u32>,
    operation: Option<u32>,
    /// The head as it goes to the upstream.
    head: [Headers; 2],
}

impl TrailerGuard {
    /// For a request whose head is ready; `extra` is what the gateway adds to it.
    pub fn new(exchange: &Exchange, extra: &Headers) -> Self {
        Self {
            snapshot: exchange.snapshot.clone(),
            api: exchange.api,
            operation: exchange.operation,
            head: [exchange.headers.clone(), extra.clone()],
        }
    }

    /// Takes away what the head says, what only the gateway may say, and credentials, which nobody has looked at.
    pub fn strip(&self, trailers: &mut HeaderMap) {
        let names: Vec<HeaderName> = trailers.keys().filter(|name| self.refuses(name)).cloned().collect();
        for name in names {
            trailers.remove(name);
        }
    }

    fn refuses(&self, name: &HeaderName) -> bool {
        let api = self.api.and_then(|api| self.snapshot.apis.get(api as usize));
        name == AUTHORIZATION
            || name == COOKIE
            || matches!(Kind::of(name.as_str().as_bytes()), Kind::OfClient | Kind::RequestId)
            || self.head.iter().any(|headers| headers.contains_key(name))
            || api.is_some_and(|api| api.chain(self.operation).owns_header(name.as_str()))
    }
}
