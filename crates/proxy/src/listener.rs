//! Listeners: sockets that several workers accept from, the PROXY protocol, the TLS handshake.

use std::{io, net::SocketAddr, rc::Rc, sync::Arc, sync::atomic::Ordering::Relaxed};

use ipnet::IpNet;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    conn_state::ConnState,
    connection::{self, ConnInfo},
    downstream::{ClientIo, Interim},
    headers::{ForwardedBy, address_value},
    proxy_protocol, tls,
    worker::Worker,
};

const BACKLOG: i32 = 4096;

/// Binds one socket for each worker; the kernel spreads connections over them.
pub fn bind(address: SocketAddr, workers: usize) -> io::Result<(SocketAddr, Vec<std::net::TcpListener>)> {
    // Without this look another gateway on the same port would silently get half of the connections.
    let probe = socket(address)?;
    probe.bind(&address.into())?;
    let address = probe.local_addr()?.as_socket().unwrap_or(address);
    drop(probe);
    let sockets = (0..workers)
        .map(|_| {
            let socket = socket(address)?;
            socket.set_reuse_port(true)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            Ok(socket.into())
        })
        .collect::<io::Result<Vec<_>>>()?;
    Ok((address, sockets))
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

/// Accepts connections until the task is ended.
pub async fn accept(worker: Rc<Worker>, name: Arc<str>, listener: TcpListener) {
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: wait for some to come back instead of spinning.
                tracing::warn!(listener = %name, %error, "cannot accept a connection");
                sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
        };
        let limit = worker.snapshot().settings.limits.connections.get();
        let mine = &worker.shared.loads[worker.index].connections;
        if worker.total(|load| &load.connections) >= limit {
            tracing::debug!(listener = %name, limit, "closed a connection beyond the limit");
            continue;
        }
        mine.store(mine.load(Relaxed) + 1, Relaxed);
        let _ = stream.set_nodelay(true);
        tokio::task::spawn_local(admit(Rc::clone(&worker), Arc::clone(&name), stream, peer));
    }
}

/// One connection, from its first byte. Whatever happens, it is counted out again.
async fn admit(worker: Rc<Worker>, name: Arc<str>, mut stream: TcpStream, peer: SocketAddr) {
    let counted_out = CountedOut::new(&worker);
    let live = worker.live();
    let Some(doc) = live.snapshot.listeners.iter().find(|l| l.name == *name) else { return };
    let patience = live.snapshot.settings.limits.header_timeout.get();
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let trusted_proxies: Rc<[IpNet]> = doc.trusted_proxies.as_slice().into();
    let trusted = trusted_proxies.iter().any(|net| net.contains(&peer.ip()));
    let mut proxied = None;
    if doc.proxy_protocol {
        if !trusted {
            tracing::debug!(listener = %name, %peer, "closed a connection of an untrusted proxy");
            return;
        }
        match Box::pin(timeout(patience, proxy_protocol::read(&mut stream))).await {
            Ok(Ok(client)) => proxied = client,
            Ok(Err(error)) => {
                tracing::debug!(listener = %name, %peer, %error, "the PROXY protocol header is not valid");
                return;
            }
            Err(_) => return,
        }
    }
    let info = |secure, certificate| {
        Rc::new(ConnInfo {
            peer,
            listener: Arc::clone(&name),
            proxied,
            secure,
            certificate,
            forwarded_by: ForwardedBy { trusted, peer: address_value(proxied.unwrap_or(peer.ip())) },
            trusted_proxies: Rc::clone(&trusted_proxies),
            state: Arc::new(ConnState::default()),
            interim: Interim::default(),
        })
    };
    let Some(tls) = live.tls.listener(&name).cloned() else {
        drop(live);
        counted_out.keep_counting();
        return connection::serve(worker, info(false, None), ClientIo::Plain(stream), None).await;
    };
    drop(live);
    // On the heap, like everything that cleartext connections have no use for.
    match Box::pin(timeout(patience, TlsAcceptor::from(tls).accept(stream))).await {
        Ok(Ok(stream)) => {
            let session = stream.get_ref().1;
            // The authority has seen what it wanted to see in the handshake.
            if session.alpn_protocol() == Some(tls::ACME_TLS) {
                return;
            }
            let h2 = session.alpn_protocol() == Some(b"h2");
            let certificate = session
                .peer_certificates()
                .and_then(|chain| chain.first())
                .map(|first| Arc::new(tls::client_certificate(first)));
            counted_out.keep_counting();
            let io = ClientIo::Tls(Box::new(stream));
            Box::pin(connection::serve(worker, info(true, certificate), io, Some(h2))).await;
        }
        Ok(Err(error)) => tracing::debug!(listener = %name, %peer, %error, "the TLS handshake failed"),
        Err(_) => {}
    }
}

/// Takes a connection that is never served out of the count.
struct CountedOut<'a>(Option<&'a Worker>);

impl<'a> CountedOut<'a> {
    fn new(worker: &'a Worker) -> Self {
        Self(Some(worker))
    }

    /// Serving it takes over the counting.
    fn keep_counting(mut self) {
        self.0 = None;
    }
}

impl Drop for CountedOut<'_> {
    fn drop(&mut self) {
        if let Some(worker) = self.0 {
            let mine = &worker.shared.loads[worker.index].connections;
            mine.store(mine.load(Relaxed).saturating_sub(1), Relaxed);
        }
    }
}
