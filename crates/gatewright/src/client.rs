//! A small HTTP client for the command line: definitions from URLs, questions to a running gateway.

use std::{io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use engine::private_address;
use http::{
    Request, Response, StatusCode, Uri,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, LOCATION, USER_AGENT},
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use model::settings::PrivateAddresses;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        self,
        pki_types::{CertificateDer, pem::PemObject},
    },
};

/// Longest wait for a connection, and for an answer to begin.
const PATIENCE: Duration = Duration::from_secs(30);
const LARGEST: usize = 64 << 20;
const MOST_REDIRECTS: usize = 5;

fn error(what: impl Into<String>) -> io::Error {
    io::Error::other(what.into())
}

/// Gets a document, following redirects.
pub async fn fetch(url: &str) -> io::Result<Bytes> {
    fetch_from(url, None).await
}

/// The same where it is at no private address, and no redirect leads to one.
pub async fn fetch_public(url: &str, private: &PrivateAddresses) -> io::Result<Bytes> {
    fetch_from(url, Some(private)).await
}

async fn fetch_from(url: &str, private: Option<&PrivateAddresses>) -> io::Result<Bytes> {
    let mut uri: Uri =
        url.parse().map_err(|_| error("expected a URL such as https://example.com/openapi.yaml"))?;
    for _ in 0..=MOST_REDIRECTS {
        let request = Request::get(uri.clone()).body(Full::default()).map_err(|e| error(e.to_string()))?;
        let response = send_over(request, Over { private, ..Over::default() }).await?;
        if response.status().is_redirection() {
            let location = response.headers().get(LOCATION).and_then(|v| v.to_str().ok());
            uri = resolve(&uri, location.ok_or_else(|| error("a redirect without a location"))?)?;
            continue;
        }
        if !response.status().is_success() {
            return Err(error(format!("the server answered {}", response.status())));
        }
        return timeout(PATIENCE, whole(response))
            .await
            .map_err(|_| error("the document did not arrive in time"))?;
    }
    Err(error("too many redirects"))
}

/// Gets a document from where it has to be: no redirects, an answer of 200, not longer than that.
pub async fn get(
    uri: &Uri,
    tls: Option<Arc<rustls::ClientConfig>>,
    server_name: Option<&str>,
    most: usize,
) -> io::Result<Bytes> {
    let request = Request::get(uri.clone())
        .header(ACCEPT, "application/json, */*;q=0.1")
        .body(Full::default())
        .map_err(|e| error(e.to_string()))?;
    let response = send_over(request, Over { tls, server_name, private: None }).await?;
    if response.status() != StatusCode::OK {
        return Err(error(format!("the server answered {}", response.status().as_u16())));
    }
    let body = Limited::new(response.into_body(), most).collect().await;
    Ok(body.map_err(|e| error(format!("the body could not be read: {e}")))?.to_bytes())
}

/// Sends a form, and gets an answer that is not longer than that; no redirects.
pub async fn post_form(
    uri: &Uri,
    tls: Option<Arc<rustls::ClientConfig>>,
    form: String,
    authorization: Option<&str>,
    most: usize,
) -> io::Result<(StatusCode, Bytes)> {
    let mut request = Request::post(uri.clone())
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    let request = request.body(Full::from(form)).map_err(|e| error(e.to_string()))?;
    let response = send_over(request, Over { tls, ..Over::default() }).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), most).collect().await;
    Ok((status, body.map_err(|e| error(format!("the body could not be read: {e}")))?.to_bytes()))
}

/// The whole body of an answer.
pub async fn whole(response: Response<Incoming>) -> io::Result<Bytes> {
    let body = Limited::new(response.into_body(), LARGEST).collect().await;
    Ok(body.map_err(|e| error(format!("the body could not be read: {e}")))?.to_bytes())
}

fn resolve(base: &Uri, location: &str) -> io::Result<Uri> {
    if location.contains("://") {
        return location.parse().map_err(|_| error("a redirect to something that is no URL"));
    }
    let mut parts = base.clone().into_parts();
    parts.path_and_query =
        Some(location.parse().map_err(|_| error("a redirect to something that is no path"))?);
    Uri::from_parts(parts).map_err(|e| error(e.to_string()))
}

/// Sends one request on a connection of its own.
pub async fn send(request: Request<Full<Bytes>>) -> io::Result<Response<Incoming>> {
    send_over(request, Over::default()).await
}

/// The same over TLS with authorities of one's own, from a PEM file.
pub async fn send_trusting(
    request: Request<Full<Bytes>>,
    tls: Option<Arc<rustls::ClientConfig>>,
) -> io::Result<Response<Incoming>> {
    send_over(request, Over { tls, ..Over::default() }).await
}

/// How a connection is made.
#[derive(Default)]
struct Over<'a> {
    /// Default: what the system trusts.
    tls: Option<Arc<rustls::ClientConfig>>,
    /// The name that is expected in the certificate. Default: the host.
    server_name: Option<&'a str>,
    /// No private address may be connected to, but for those that are allowed here.
    private: Option<&'a PrivateAddresses>,
}

async fn send_over(
    mut request: Request<Full<Bytes>>,
    Over { tls: config, server_name, private }: Over<'_>,
) -> io::Result<Response<Incoming>> {
    let uri = request.uri().clone();
    let authority = uri.authority().ok_or_else(|| error("the URL has no host"))?;
    let tls = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(error("expected a URL with http:// or https://")),
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
    request
        .headers_mut()
        .insert(HOST, authority.as_str().parse().map_err(|_| error("the host is not valid"))?);
    request.headers_mut().insert(
        USER_AGENT,
        http::HeaderValue::from_static(concat!("gatewright/", env!("CARGO_PKG_VERSION"))),
    );
    *request.uri_mut() = uri.path_and_query().map_or("/", |p| p.as_str()).parse().unwrap_or_default();
    let exchange = async {
        let stream = connect(host, port, private).await?;
        if !tls {
            return exchange(stream, request).await;
        }
        let name = rustls::pki_types::ServerName::try_from(server_name.unwrap_or(host).to_owned())
            .map_err(|_| error("the host is not valid"))?;
        let config = match config {
            Some(config) => config,
            None => tls_config()?,
        };
        let stream = TlsConnector::from(config).connect(name, stream).await?;
        exchange(stream, request).await
    };
    timeout(PATIENCE, exchange).await.map_err(|_| error("no answer within 30 seconds"))?
}

async fn connect(host: &str, port: u16, private: Option<&PrivateAddresses>) -> io::Result<TcpStream> {
    let Some(private) = private else { return TcpStream::connect((host, port)).await };
    // The addresses that were looked at are those that are connected to: a name may mean another one a moment later.
    let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
    if let Some(kind) = found.iter().find_map(|address| private_address::refused(address.ip(), private)) {
        return Err(error(format!(
            "{host} is at a private address ({kind}), where assets may not have definitions from; upload the document, \
             or allow its URL as `url:…` in settings.manager.references of the node's configuration file"
        )));
    }
    TcpStream::connect(found.as_slice()).await
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> io::Result<Response<Incoming>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(async move {
        // How it ends is seen by whoever reads the answer.
        let _ = connection.await;
    });
    sender.send_request(request).await.map_err(io::Error::other)
}

/// What trusts the authorities of the system.
pub fn tls_config() -> io::Result<Arc<rustls::ClientConfig>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    trusting_roots(roots)
}

/// What trusts the authorities in a PEM file, and no others.
pub fn trusting(file: &Path) -> io::Result<Arc<rustls::ClientConfig>> {
    let mut roots = rustls::RootCertStore::empty();
    let certificates =
        CertificateDer::pem_file_iter(file).and_then(|found| found.collect::<Result<Vec<_>, _>>());
    let wrong = |what: String| error(format!("{}: {what}", file.display()));
    for certificate in certificates.map_err(|cause| wrong(cause.to_string()))? {
        roots.add(certificate).map_err(|cause| wrong(cause.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("there is no certificate in it".to_owned()));
    }
    trusting_roots(roots)
}

/// What trusts these certificates, in DER, and no others.
pub fn trusting_certificates(certificates: &[Vec<u8>]) -> io::Result<Arc<rustls::ClientConfig>> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in certificates {
        roots.add(CertificateDer::from(certificate.as_slice()).into_owned()).map_err(io::Error::other)?;
    }
    trusting_roots(roots)
}

fn trusting_roots(roots: rustls::RootCertStore) -> io::Result<Arc<rustls::ClientConfig>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
