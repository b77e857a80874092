//! Connections to endpoints, one pool for each worker and endpoint: no lock, no sharing.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    net::IpAddr,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use engine::{
    Reason, Timestamp, private_address, reason,
    upstream::{CompiledUpstream, Endpoint},
};
use foldhash::fast::RandomState;
use model::{
    settings::{Dns, PrivateAddresses, PrivateAddressesRefuse},
    upstream::UpstreamProtocol,
};
use rustls_pki_types::ServerName;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use crate::{
    dns::Resolver,
    h1::{Conn, Counted, Io},
    h2::{self, H2Handle},
    tls::TlsContexts,
};

/// A connection that a request may use now.
pub enum Connected {
    H1(Conn),
    H2 { handle: H2Handle, reused: bool },
}

/// Why there is no connection.
#[derive(Debug)]
pub struct ConnectError {
    pub reason: &'static Reason,
    pub detail: String,
}

/// What one worker keeps of one endpoint.
#[derive(Default)]
pub struct Pool {
    idle: RefCell<Vec<Conn>>,
    h2: RefCell<Vec<H2Handle>>,
    pub budget: Budget,
}

/// Retries allowed for a share of the requests of the last seconds.
#[derive(Debug, Default)]
pub struct Budget {
    since: Cell<Timestamp>,
    requests: Cell<u32>,
    retries: Cell<u32>,
}

const BUDGET_WINDOW: Duration = Duration::from_secs(10);
/// Without a few that are always allowed, a quiet API would never retry.
const ALWAYS_ALLOWED: u32 = 3;

impl Budget {
    pub fn request(&self, now: Timestamp) {
        if now.since(self.since.get()) > BUDGET_WINDOW {
            self.since.set(now);
            self.requests.set(0);
            self.retries.set(0);
        }
        self.requests.set(self.requests.get().saturating_add(1));
    }

    pub fn may_retry(&self, share: model::Percent) -> bool {
        let allowed = u64::from(self.requests.get()) * u64::from(share.basis_points()) / 10_000;
        let retries = self.retries.get();
        if u64::from(retries) < allowed.max(u64::from(ALWAYS_ALLOWED)) {
            self.retries.set(retries + 1);
            return true;
        }
        false
    }
}

impl Pool {
    /// Gives a connection back after a request that left it clean.
    pub fn release(&self, mut conn: Conn, most: u32, now: Timestamp) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < most as usize && conn.read.is_empty() {
            conn.reused = true;
            conn.idle_since = now;
            idle.push(conn);
        }
    }

    /// A pool may be shared by endpoints of which only some are refused at private addresses.
    fn take(&self, wanted: &Wanted<'_>) -> Option<Conn> {
        let mut idle = self.idle.borrow_mut();
        // The last one in is the most likely one to be still open.
        for position in (0..idle.len()).rev() {
            if wanted.refuses(idle[position].peer).is_none() {
                let mut conn = idle.swap_remove(position);
                if conn.is_reusable() {
                    return Some(conn);
                }
            }
        }
        None
    }

    /// Closes what has been idle for too long, or was closed by the other side.
    pub fn sweep(&self, now: Timestamp, idle_timeout: Duration) {
        self.idle
            .borrow_mut()
            .retain_mut(|conn| now.since(conn.idle_since) < idle_timeout && conn.is_reusable());
        self.h2.borrow_mut().retain(H2Handle::is_usable);
    }

    pub fn is_empty(&self) -> bool {
        self.idle.borrow().is_empty() && self.h2.borrow().is_empty()
    }
}

/// All pools of a worker.
#[derive(Default)]
pub struct Pools {
    pools: RefCell<HashMap<usize, Rc<Pool>, RandomState>>,
    resolver: Resolver,
}

/// What a connection is wanted for.
pub struct Wanted<'a> {
    pub upstream: &'a CompiledUpstream,
    pub endpoint: &'a Endpoint,
    pub tls: &'a TlsContexts,
    pub timeout: Duration,
    pub now: Timestamp,
    pub grpc: bool,
    /// A connection that was kept open is not good enough.
    pub fresh: bool,
    /// The request needs HTTP/1.1, to change the protocol.
    pub http1: bool,
    pub private_addresses: &'a PrivateAddresses,
    pub dns: &'a Dns,
}

impl Wanted<'_> {
    /// What keeps an address from being used: the kind of private address that it is.
    fn refuses(&self, address: IpAddr) -> Option<&'static str> {
        let looks =
            self.endpoint.is_dynamic() || self.private_addresses.refuse == PrivateAddressesRefuse::All;
        if looks { private_address::refused(address, self.private_addresses) } else { None }
    }
}

/// A connection just opened.
struct Opened {
    io: Io,
    peer: IpAddr,
    /// TLS agreed on HTTP/2.
    negotiated: bool,
}

impl Pools {
    pub fn pool(&self, endpoint: &Endpoint) -> Rc<Pool> {
        if let Some(pool) = self.pools.borrow().get(&endpoint.state.pool) {
            return Rc::clone(pool);
        }
        Rc::clone(self.pools.borrow_mut().entry(endpoint.state.pool).or_default())
    }

    /// Sweeps the pools of the endpoints in use, and drops those of endpoints that are gone.
    pub fn sweep<'a>(&self, now: Timestamp, upstreams: impl Iterator<Item = &'a Arc<CompiledUpstream>>) {
        let timeouts: HashMap<usize, Duration> = upstreams
            .flat_map(|u| u.endpoints.iter().map(|e| (e.state.pool, u.doc.keep_alive.idle_timeout.get())))
            .collect();
        self.pools.borrow_mut().retain(|id, pool| match timeouts.get(id) {
            Some(timeout) => {
                pool.sweep(now, *timeout);
                true
            }
            None => {
                pool.sweep(now, Duration::ZERO);
                !pool.is_empty()
            }
        });
    }

    /// A connection for a request: kept open, or new.
    pub async fn connect(&self, pool: &Pool, wanted: &Wanted<'_>) -> Result<Connected, ConnectError> {
        let h2_first = match wanted.upstream.protocol() {
            UpstreamProtocol::Http2 => true,
            UpstreamProtocol::Http1 => false,
            UpstreamProtocol::Auto => wanted.endpoint.tls || wanted.grpc,
        };
        if h2_first && !wanted.http1 && !wanted.fresh {
            let mut handles = pool.h2.borrow_mut();
            handles.retain(H2Handle::is_usable);
            if let Some(handle) = handles.iter().find(|handle| wanted.refuses(handle.peer).is_none()) {
                return Ok(Connected::H2 { handle: handle.clone(), reused: true });
            }
        }
        if !wanted.fresh
            && let Some(conn) = pool.take(wanted)
        {
            return Ok(Connected::H1(conn));
        }
        let most = wanted.upstream.doc.max_connections.get();
        let Some(counted) = Counted::new(&wanted.endpoint.state, most) else {
            return Err(ConnectError {
                reason: &reason::UPSTREAM_BUSY,
                detail: format!("{most} connections are open"),
            });
        };
        // Cold and large: on the heap, so that every other request stays small.
        match Box::pin(timeout(wanted.timeout, self.open(wanted))).await {
            Err(_) => Err(ConnectError {
                reason: &reason::UPSTREAM_CONNECT_TIMEOUT,
                detail: format!("no connection within {} ms", wanted.timeout.as_millis()),
            }),
            Ok(Err(error)) => Err(error),
            Ok(Ok(Opened { io, peer, negotiated })) => {
                let h2 = negotiated || (h2_first && !wanted.endpoint.tls);
                if !h2 || wanted.http1 {
                    return Ok(Connected::H1(Conn::new(io, peer, counted)));
                }
                let handle = Box::pin(h2::handshake(io, peer, counted)).await.map_err(|error| {
                    ConnectError { reason: &reason::UPSTREAM_INVALID, detail: format!("HTTP/2: {error}") }
                })?;
                pool.h2.borrow_mut().push(handle.clone());
                Ok(Connected::H2 { handle, reused: false })
            }
        }
    }

    async fn open(&self, wanted: &Wanted<'_>) -> Result<Opened, ConnectError> {
        let endpoint = wanted.endpoint;
        let unreachable = |error: std::io::Error| ConnectError {
            reason: &reason::UPSTREAM_UNREACHABLE,
            detail: error.to_string(),
        };
        let resolving = self.resolver.resolve(&endpoint.host, endpoint.port, wanted.now, wanted.dns);
        let mut addresses = resolving.await.map_err(unreachable)?;
        let mut refused = None;
        addresses.retain(|address| match wanted.refuses(address.ip()) {
            None => true,
            Some(kind) => {
                refused = Some(format!("{} is at {} ({kind})", endpoint.host, address.ip()));
                false
            }
        });
        if let Some(detail) = refused.filter(|_| addresses.is_empty()) {
            return Err(ConnectError { reason: &reason::PRIVATE_ADDRESS_REFUSED, detail });
        }
        let stream = connect_any(&addresses).await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let peer = stream.peer_addr().map_err(unreachable)?.ip();
        if !endpoint.tls {
            return Ok(Opened { io: Io::Plain(stream), peer, negotiated: false });
        }
        let tls_error = |detail: String| ConnectError { reason: &reason::UPSTREAM_TLS, detail };
        let protocol = if wanted.http1 { UpstreamProtocol::Http1 } else { wanted.upstream.protocol() };
        let config = wanted
            .tls
            .upstream(&wanted.upstream.doc.tls, protocol)
            .ok_or_else(|| tls_error("no TLS configuration for this upstream".to_owned()))?;
        let name = wanted.upstream.doc.tls.server_name.as_deref().unwrap_or(&endpoint.host);
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| tls_error(format!("`{name}` is no host name")))?;
        let stream = TlsConnector::from(config)
            .connect(name, stream)
            .await
            .map_err(|error| tls_error(error.to_string()))?;
        let negotiated = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Opened { io: Io::Tls(Box::new(stream)), peer, negotiated })
    }
}

async fn connect_any(addresses: &[std::net::SocketAddr]) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::other("the name has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_a_share_of_the_requests() {
        let budget = Budget::default();
        let now = Timestamp::from_millis(1_000_000);
        let share = model::Percent::whole(10);
        budget.request(now);
        assert_eq!((0..9).filter(|_| budget.may_retry(share)).count(), 3);
        for _ in 0..99 {
            budget.request(now);
        }
        assert_eq!((0..99).filter(|_| budget.may_retry(share)).count(), 7);
        budget.request(now.plus(Duration::from_secs(11)));
        assert!(budget.may_retry(share), "a new window starts over");
    }
}
