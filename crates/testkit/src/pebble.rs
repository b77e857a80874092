//! A real ACME authority of one's own: Let's Encrypt's Pebble on loopback, to which every name is this machine; gone with the
//! test.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

use crate::{Authority, Client, NameServer, Protocol};

/// A running authority.
pub struct Pebble {
    server: Option<Child>,
    port: u16,
    /// Where it looks for what it wants to find.
    http: u16,
    settings: Value,
    names: NameServer,
    /// Of its own certificate, not of those that it issues.
    authority: Authority,
    management: u16,
    directory: tempfile::TempDir,
}

impl Pebble {
    /// Starts one that looks for challenges at this address.
    ///
    /// # Panics
    ///
    /// When it is not installed, or does not start.
    pub async fn looking_at(http: SocketAddr) -> Self {
        Self::with(http, json!({})).await
    }

    /// The same with more settings.
    ///
    /// # Panics
    ///
    /// When it is not installed, or does not start.
    pub async fn with(http: SocketAddr, settings: Value) -> Self {
        let directory = tempfile::tempdir().expect("temporary folders can be made");
        let authority = Authority::new();
        let own = authority.issue(&["localhost"]);
        fs::write(directory.path().join("cert.pem"), &own.certificate).expect("a file");
        fs::write(directory.path().join("key.pem"), &own.key).expect("a file");
        let names = NameServer::start([127, 0, 0, 1].into(), 60).await;
        let (port, management, http) = (free_port(), free_port(), http.port());
        let mut pebble = Self { server: None, port, http, settings, names, authority, management, directory };
        pebble.resume();
        pebble
    }

    /// Starts it again after `halt`. It has forgotten every account.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn resume(&mut self) {
        let at = |name: &str| self.directory.path().join(name);
        let mut pebble = json!({
            "listenAddress": format!("127.0.0.1:{}", self.port),
            "managementListenAddress": format!("127.0.0.1:{}", self.management),
            "certificate": at("cert.pem"),
            "privateKey": at("key.pem"),
            "httpPort": self.http,
            "tlsPort": free_port(),
            "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
        });
        for (key, value) in self.settings.as_object().into_iter().flatten() {
            pebble[key] = value.clone();
        }
        fs::write(at("pebble.json"), json!({ "pebble": pebble }).to_string()).expect("a file");
        let server = Command::new("pebble")
            .arg("-config")
            .arg(at("pebble.json"))
            .arg("-dnsserver")
            .arg(self.names.address().to_string())
            .env("PEBBLE_VA_NOSLEEP", "1")
            // It looks everything up again, as with a new account elsewhere.
            .env("PEBBLE_AUTHZREUSE", "0")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Pebble is installed: scripts/setup does it");
        self.server = Some(server);
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(30), "Pebble starts");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it at once.
    pub fn halt(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// Has it look for challenges somewhere else from its next start on.
    pub fn look_at(&mut self, http: SocketAddr) {
        self.http = http.port();
    }

    pub fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.port)
    }

    /// Who vouches for it, as PEM.
    pub fn roots(&self) -> String {
        self.authority.pem()
    }

    /// For clients that trust the certificates that it issues.
    ///
    /// # Panics
    ///
    /// When it does not say whom these are by.
    pub async fn trusted(&self) -> Arc<ClientConfig> {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", self.management)).await;
        let name = ServerName::try_from("localhost").expect("a name");
        let connector = TlsConnector::from(self.authority.client(&[], None));
        let stream = connector.connect(name, stream.expect("Pebble listens")).await.expect("a handshake");
        let client = Client::over(stream, Protocol::Http1, "localhost", true).await;
        let root = client.expect("a connection").send("/roots/0").await;
        let root = CertificateDer::from_pem_slice(root.bytes()).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(root).expect("a root");
        Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        self.halt();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("a bound socket").port()
}
