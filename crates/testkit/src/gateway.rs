//! A gateway in this process, started from a file like any other.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use engine::{Clock, Timestamp};
use gatewright::{Explanation, Source, StartError, StartOptions};
use model::Diagnostics;
use rustls::{ClientConfig, pki_types::ServerName};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    client::{Client, Protocol, Request, Response},
    config::Config,
    raw::RawConn,
    wait::soon,
};

/// Where the clock stands at first: 15 January 2026, 10:00 UTC, the beginning of every window up to an hour.
pub const START: Timestamp = Timestamp::from_millis(1_768_471_200_000);

/// A running gateway. It ends with the test.
pub struct Gateway {
    inner: Option<gatewright::Gateway>,
    clock: Clock,
    directory: TempDir,
}

impl Gateway {
    /// Starts a gateway.
    ///
    /// # Panics
    ///
    /// When the configuration is not valid.
    pub async fn serving(config: impl Into<Config>) -> Self {
        match Self::start(config).await {
            Ok(gateway) => gateway,
            Err(error) => panic!("the gateway did not start: {error}"),
        }
    }

    /// Starts a gateway, if the configuration is valid.
    pub async fn start(config: impl Into<Config>) -> Result<Self, StartError> {
        let config = config.into();
        let directory = tempfile::tempdir().expect("a directory");
        let clock = Clock::manual(START);
        let file = write(&directory, &config);
        let options = StartOptions {
            clock: clock.clone(),
            policies: config.kinds,
            names: Arc::new(config.names.clone()),
            watch: config.watch,
            ..StartOptions::new(Source::Path(file))
        };
        let inner = Some(gatewright::Gateway::start(options).await?);
        Ok(Self { inner, clock, directory })
    }

    /// The gateway itself.
    ///
    /// # Panics
    ///
    /// When it has been stopped.
    pub fn inner(&self) -> &gatewright::Gateway {
        self.inner.as_ref().expect("the gateway runs")
    }

    /// The clock that requests are measured and limited by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Where a file of the configuration is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Replaces a file beside the configuration, without telling the gateway.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    pub fn write_file(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a file that can be written");
    }

    /// Writes another configuration and has it taken up.
    pub async fn apply(&self, config: impl Into<Config>) -> Result<u64, Diagnostics> {
        write(&self.directory, &config.into());
        self.reload().await
    }

    /// Has the files taken up as they are now.
    pub async fn reload(&self) -> Result<u64, Diagnostics> {
        self.inner().reload().await
    }

    /// Where clients connect without TLS.
    pub fn address(&self) -> SocketAddr {
        self.listener(|listener| !listener.tls)
    }

    /// Where clients connect with TLS.
    pub fn tls_address(&self) -> SocketAddr {
        self.listener(|listener| listener.tls)
    }

    /// Where clients of a listener connect.
    pub fn address_of(&self, name: &str) -> SocketAddr {
        self.listener(|listener| listener.name == name)
    }

    fn listener(&self, wanted: impl Fn(&proxy::BoundListener) -> bool) -> SocketAddr {
        let listeners = self.inner().listeners();
        listeners.into_iter().find(|l| wanted(l)).expect("a listener of the test").address
    }

    /// A client with a connection of its own.
    ///
    /// # Panics
    ///
    /// When the gateway does not accept it.
    pub async fn client(&self, protocol: Protocol) -> Client {
        let address = self.address();
        let stream = TcpStream::connect(address).await.expect("the gateway listens");
        stream.set_nodelay(true).expect("a TCP stream");
        Client::over(stream, protocol, &address.to_string(), false).await.expect("a connection")
    }

    /// A client that keeps its connection, with HTTP/1.1.
    pub async fn http1(&self) -> Client {
        self.client(Protocol::Http1).await
    }

    /// A client that speaks HTTP/2 with prior knowledge.
    pub async fn http2(&self) -> Client {
        self.client(Protocol::Http2).await
    }

    /// A TLS connection for a name.
    pub async fn tls_stream(
        &self,
        name: &str,
        config: std::sync::Arc<ClientConfig>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.tls_address()).await?;
        let name = ServerName::try_from(name.to_owned()).expect("the test names a host");
        soon("a TLS handshake", TlsConnector::from(config).connect(name, stream)).await
    }

    /// Sends a request on a connection of its own.
    pub async fn send(&self, request: impl Into<Request>) -> Response {
        self.http1().await.send(request).await
    }

    pub async fn get(&self, path: &str) -> Response {
        self.send(path).await
    }

    /// A connection for bytes.
    pub async fn connect(&self) -> RawConn {
        RawConn::open(self.address()).await
    }

    /// Writes bytes on a new connection, and returns all that comes until it is closed.
    pub async fn raw(&self, bytes: impl AsRef<[u8]>) -> Vec<u8> {
        let mut conn = self.connect().await;
        conn.write(bytes).await;
        conn.rest().await
    }

    /// The decision record behind an answer.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub async fn explain(&self, response: &Response) -> Explanation {
        let id = response.request_id();
        self.inner().explain(id).await.unwrap_or_else(|| panic!("there is no record of {id:?}"))
    }

    /// Asks the operations listener.
    pub async fn ops(&self, request: impl Into<Request>) -> Response {
        let address = self.inner().operations();
        let stream = TcpStream::connect(address).await.expect("the operations listener listens");
        let client = Client::over(stream, Protocol::Http1, &address.to_string(), false).await;
        client.expect("a connection").send(request).await
    }

    /// Asks the internal authorization server.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub async fn issuer(&self, request: impl Into<Request>) -> Response {
        let address = self.inner().authorization_server().expect("settings.authorizationServer is set");
        let stream = TcpStream::connect(address).await.expect("the authorization server listens");
        let client = Client::over(stream, Protocol::Http1, &address.to_string(), false).await;
        client.expect("a connection").send(request).await
    }

    /// Transaction events, newest first, as the operations listener lists them with a filter.
    pub async fn events(&self, filter: &str) -> Vec<Value> {
        let response = self.ops(&*format!("/events?{filter}")).await;
        assert_eq!(response.status(), 200, "{}", response.text());
        response.json()["events"].as_array().cloned().unwrap_or_default()
    }

    /// Stops it, as SIGTERM does.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub async fn stop(mut self) {
        if let Some(gateway) = self.inner.take() {
            soon("the end of the gateway", gateway.stop()).await;
        }
    }

    /// Waits for something that happens only as time passes; moves the clock on by `step` again and again.
    pub async fn as_time_passes<T>(&self, step: Duration, future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        loop {
            tokio::select! {
                value = &mut future => return value,
                () = tokio::time::sleep(Duration::from_millis(20)) => self.advance(step),
            }
        }
    }

    /// Moves time on.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
}

fn write(directory: &TempDir, config: &Config) -> PathBuf {
    for (name, text) in &config.files {
        std::fs::write(directory.path().join(name), text).expect("a file that can be written");
    }
    let file = directory.path().join("gatewright.yaml");
    std::fs::write(&file, config.to_text()).expect("a file that can be written");
    file
}
