//! TLS for what is served beside the gateway's listeners, the admin API and the authorization server: certificates that
//! are read again when their files change, and connections served over it.

use std::{
    fs, io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
    http::{HeaderValue, header::STRICT_TRANSPORT_SECURITY},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use identity::ShownCertificate;
use model::{Diagnostic, TlsDoc};
use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// Longest wait for a handshake, and for the head of a request.
const PATIENCE: Duration = Duration::from_secs(15);
/// How soon it is tried again when no connection can be accepted.
const AGAIN: Duration = Duration::from_millis(100);
/// A browser that was here over TLS comes over TLS for a year.
const STRICT: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// When a file was written last, and how long it is.
type Stamp = Option<(SystemTime, u64)>;

/// Certificates, as their files have them.
pub(crate) struct ServedTls {
    /// What is served with them, for people.
    of: &'static str,
    /// Where the settings name them.
    path: &'static str,
    doc: TlsDoc,
    read: Mutex<(Vec<Stamp>, Arc<ServerConfig>)>,
}

impl ServedTls {
    /// Reads them for `of`; problems are told with `path`.
    pub(crate) fn read(of: &'static str, path: &'static str, doc: TlsDoc) -> Result<Self, Diagnostic> {
        let stamps = stamps(&doc);
        let config = proxy::tls::http1_server(&doc).map_err(|problem| problem.under(path))?;
        Ok(Self { of, path, doc, read: Mutex::new((stamps, config)) })
    }

    /// What connections are accepted with. Files that changed are read again; while they are wrong, what was read
    /// before goes on counting.
    fn config(&self) -> Arc<ServerConfig> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = stamps(&self.doc);
        if stamps != read.0 {
            read.0 = stamps;
            match proxy::tls::http1_server(&self.doc) {
                Ok(config) => {
                    tracing::info!("the certificate of {} was replaced", self.of);
                    read.1 = config;
                }
                Err(problem) => {
                    let problem = problem.under(self.path);
                    tracing::error!("the certificate of {} stays what it was: {problem}", self.of);
                }
            }
        }
        Arc::clone(&read.1)
    }
}

fn stamps(doc: &TlsDoc) -> Vec<Stamp> {
    let files = doc.certificates.iter().flat_map(|pair| [&pair.certificate_file, &pair.key_file]);
    let files = files.chain(&doc.client_ca_file);
    files
        .map(|file| {
            let found = fs::metadata(file).ok()?;
            Some((found.modified().ok()?, found.len()))
        })
        .collect()
}

/// Serves over TLS, until it is dropped.
pub(crate) async fn serve(listener: TcpListener, tls: ServedTls, router: Router) {
    let of = tls.of;
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "{of} could not accept a connection");
                sleep(AGAIN).await;
                continue;
            }
        };
        let (config, router) = (tls.config(), router.clone());
        tokio::spawn(async move {
            if let Err(error) = connection(stream, peer, config, router).await {
                tracing::debug!(%peer, %error, "a connection to {of} ended");
            }
        });
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    config: Arc<ServerConfig>,
    router: Router,
) -> io::Result<()> {
    let handshake = timeout(PATIENCE, TlsAcceptor::from(config).accept(stream)).await;
    let stream = handshake.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    // Verified in the handshake, where it was asked for.
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let shown = shown.map(|certificate| ShownCertificate(certificate.as_ref().into()));
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        if let Some(shown) = &shown {
            request.extensions_mut().insert(shown.clone());
        }
        let answer = router.clone().oneshot(request);
        async move {
            answer.await.map(|mut response| {
                response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, STRICT);
                response
            })
        }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .await
        .map_err(io::Error::other)
}
