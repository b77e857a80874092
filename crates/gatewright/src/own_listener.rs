//! Requests of the console and the developer portal to a listener of this node, over a connection like that of any client.

use std::{
    fmt::Display,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::HOST};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::gateway::Inner;

/// A listener, as this machine reaches it.
pub(crate) struct OwnListener {
    pub name: String,
    address: SocketAddr,
    tls: bool,
    /// It listens at all addresses of this machine.
    everywhere: bool,
}

impl OwnListener {
    /// One without TLS if possible. Behind a PROXY protocol header only a proxy can speak.
    pub(crate) fn of(inner: &Inner) -> Result<Self, &'static str> {
        const NONE: &str =
            "The gateway has no listener that can be used: add one, or one without the PROXY protocol.";
        let server = inner.server().ok_or(NONE)?;
        let snapshot = server.snapshot();
        let speaks_plainly = |name: &str| {
            let doc = snapshot.listeners.iter().find(|listener| listener.name == name);
            doc.is_none_or(|listener| !listener.proxy_protocol)
        };
        let bound = server.listeners().into_iter().filter(|listener| speaks_plainly(&listener.name));
        let listener = bound.min_by_key(|listener| listener.tls).ok_or(NONE)?;
        let everywhere = listener.address.ip().is_unspecified();
        let ip = match listener.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let address = SocketAddr::new(ip, listener.address.port());
        Ok(Self { name: listener.name, address, tls: listener.tls, everywhere })
    }

    /// Its URL, for somebody who reaches this machine by that name.
    pub(crate) fn url(&self, host: &str) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        match self.everywhere && !host.is_empty() {
            true => format!("{scheme}://{host}:{}", self.address.port()),
            false => format!("{scheme}://{}", self.address),
        }
    }

    /// Sends a request, and reads so much of its answer; says whether there was more.
    pub(crate) async fn call(
        &self,
        mut request: Request<Bytes>,
        most: usize,
    ) -> Result<(Response<Bytes>, bool), String> {
        if !request.headers().contains_key(HOST)
            && let Ok(host) = HeaderValue::from_str(&self.address.to_string())
        {
            request.headers_mut().insert(HOST, host);
        }
        let stream = TcpStream::connect(self.address).await.map_err(|error| self.failed(&error))?;
        let answered = if self.tls {
            let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
            let host = host.rsplit_once(':').map_or(host, |(name, _)| name).to_owned();
            let name = ServerName::try_from(host).unwrap_or_else(|_| self.address.ip().into());
            let connector = TlsConnector::from(proxy::tls::to_own_listener());
            let stream = connector.connect(name, stream).await.map_err(|error| self.failed(&error))?;
            exchange(stream, request, most).await
        } else {
            exchange(stream, request, most).await
        };
        answered.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &dyn Display) -> String {
        format!("Listener {} did not answer: {error}.", self.name)
    }
}

async fn exchange<S>(
    stream: S,
    request: Request<Bytes>,
    most: usize,
) -> Result<(Response<Bytes>, bool), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends when the answer is dropped; how, is seen by whoever reads it.
    tokio::spawn(connection);
    let (head, mut incoming) = sender.send_request(request.map(Full::new)).await?.into_parts();
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let room = most - body.len();
        body.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            return Ok((Response::from_parts(head, body.into()), true));
        }
    }
    Ok((Response::from_parts(head, body.into()), false))
}
