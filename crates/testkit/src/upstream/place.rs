//! An address where somebody may listen later. Until then connections to it are refused.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::TcpListener;

use super::{Builder, Record, Upstream, serve};

/// A reserved address: bound, so that nobody else gets it, but not listening.
#[derive(Debug)]
pub struct Place {
    socket: Socket,
    address: SocketAddr,
    /// Connections that fill the queue.
    waiting: Vec<Socket>,
}

impl Place {
    /// Reserves an address.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn reserve() -> Self {
        let made = || -> io::Result<Self> {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
            socket.set_nonblocking(true)?;
            socket.bind(&SockAddr::from(SocketAddr::from(([127, 0, 0, 1], 0))))?;
            let address = socket.local_addr()?.as_socket().ok_or_else(|| io::Error::other("no address"))?;
            Ok(Self { socket, address, waiting: Vec::new() })
        };
        made().expect("a free port")
    }

    /// A place where a connection is neither accepted nor refused.
    ///
    /// # Panics
    ///
    /// When the queue cannot be filled.
    pub fn full() -> Self {
        let mut place = Self::reserve();
        place.socket.listen(0).expect("a bound socket");
        for _ in 0..64 {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).expect("a socket");
            let accepted = socket.connect_timeout(&place.address.into(), Duration::from_millis(100));
            place.waiting.push(socket);
            if accepted.is_err() {
                return place;
            }
        }
        panic!("the queue of connections never fills");
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Starts an upstream here.
    ///
    /// # Panics
    ///
    /// When it cannot listen.
    pub async fn start(self, upstream: Builder) -> Upstream {
        self.socket.listen(1024).expect("a bound socket");
        let listener = TcpListener::from_std(self.socket.into()).expect("a listening socket");
        let record = Arc::new(Record::default());
        let tls = upstream.tls.is_some();
        let task = tokio::spawn(serve::run(listener, upstream, Arc::clone(&record)));
        Upstream { address: self.address, tls, record, task }
    }
}
