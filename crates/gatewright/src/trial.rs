//! Requests that the admin API has this node send to a listener of its own, as any client would, and definitions that it
//! fetches. Where they go is decided here; what becomes of a request there is up to the data plane.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str,
    time::{Duration, Instant},
};

use base64ct::{Base64, Encoding};
use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{CONNECTION, CONTENT_LENGTH, EXPECT, FORWARDED, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE},
};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use manager::{FetchedDefinition, Trial, TrialAnswer, TrialError};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{config::definitions, gateway::Inner};

/// Longest request body.
const LARGEST: usize = 1 << 20;
/// What is told of the body of an answer.
const MOST_TOLD: usize = 256 << 10;
/// From connecting to the end.
const PATIENCE: Duration = Duration::from_secs(30);

/// Those who try something out are few; more at once are a mistake.
static SEATS: Semaphore = Semaphore::const_new(16);

/// What the connection is, and where requests come from, is not said by whoever tries: a listener may believe it.
const REFUSED: [HeaderName; 8] =
    [CONNECTION, CONTENT_LENGTH, EXPECT, FORWARDED, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

fn wrong(detail: impl Into<String>) -> TrialError {
    TrialError::new(StatusCode::BAD_REQUEST, "bad_trial", detail)
}

fn seat() -> Result<tokio::sync::SemaphorePermit<'static>, TrialError> {
    SEATS.try_acquire().map_err(|_| {
        let detail = "Many requests are being tried at the moment; try again in a moment.";
        TrialError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_trials", detail)
    })
}

/// Sends a request to a listener of this node.
pub async fn send(inner: &Inner, trial: Trial) -> Result<TrialAnswer, TrialError> {
    let request = request(trial)?;
    let target = target(inner)?;
    let _seat = seat()?;
    let name = target.name.clone();
    timeout(PATIENCE, exchange(target, request))
        .await
        .unwrap_or_else(|_| {
            let detail = format!("No answer within {} seconds.", PATIENCE.as_secs());
            Err(TrialError::new(StatusCode::GATEWAY_TIMEOUT, "trial_too_slow", detail))
        })
        .map_err(|error| TrialError { detail: format!("Listener {name}: {}", error.detail), ..error })
}

/// Fetches a definition; anything else is refused, so that this shows nothing of other services.
pub async fn fetch(url: &str) -> Result<FetchedDefinition, TrialError> {
    let refused = |detail: String| TrialError::new(StatusCode::UNPROCESSABLE_ENTITY, "no_definition", detail);
    if !(url.starts_with("http://") || url.starts_with("https://")) {
        return Err(refused(format!("found URL `{url}`, expected one that begins with http:// or https://")));
    }
    let _seat = seat()?;
    let read = timeout(PATIENCE, definitions::read(url)).await;
    let definition =
        read.map_err(|_| refused(format!("{url}: it did not arrive in time")))?.map_err(refused)?;
    let document = definition.documents.first().and_then(|document| str::from_utf8(&document.bytes).ok());
    document
        .map(|document| FetchedDefinition { document: document.to_owned() })
        .ok_or_else(|| refused(format!("{url}: it is not text in UTF-8")))
}

fn request(trial: Trial) -> Result<Request<Full<Bytes>>, TrialError> {
    if trial.body.len() > LARGEST {
        let detail = format!("The body has {} bytes; {LARGEST} can be tried.", trial.body.len());
        return Err(TrialError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail));
    }
    let method = Method::from_bytes(trial.method.as_bytes())
        .ok()
        .filter(|method| *method != Method::CONNECT)
        .ok_or_else(|| wrong(format!("method: found `{}`, expected one such as GET", trial.method)))?;
    let uri =
        trial.url.parse::<Uri>().ok().filter(|uri| uri.authority().is_none() && trial.url.starts_with('/'));
    let uri = uri.ok_or_else(|| {
        wrong(format!("url: found `{}`, expected a path such as /gateway/Pets/1.0/pets", trial.url))
    })?;
    let mut request = Request::builder().method(method).uri(uri);
    let mut host = false;
    for (name, value) in &trial.headers {
        let parsed = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| wrong(format!("headers: found the name `{name}`, expected one such as accept")))?;
        if REFUSED.contains(&parsed) || parsed.as_str().starts_with("x-forwarded-") {
            return Err(wrong(format!("headers: `{name}` is set by the node itself; leave it out")));
        }
        host |= parsed == HOST;
        let value = HeaderValue::from_str(value).map_err(|_| {
            wrong(format!("headers: the value of `{name}` has characters that no header may have"))
        })?;
        request = request.header(parsed, value);
    }
    if !host {
        request = request.header(HOST, "localhost");
    }
    request.body(Full::from(trial.body)).map_err(|error| wrong(error.to_string()))
}

/// A listener, as this machine reaches it.
struct Target {
    name: String,
    address: SocketAddr,
    tls: bool,
}

/// One without TLS if possible. Behind a PROXY protocol header only a proxy can speak.
fn target(inner: &Inner) -> Result<Target, TrialError> {
    let none = || {
        let detail =
            "The gateway has no listener that can be tried: add one, or one without the PROXY protocol.";
        TrialError::new(StatusCode::CONFLICT, "no_listener", detail)
    };
    let server = inner.server().ok_or_else(none)?;
    let snapshot = server.snapshot();
    let speaks_plainly = |name: &str| {
        snapshot.listeners.iter().any(|listener| listener.name == name && !listener.proxy_protocol)
    };
    let bound = server.listeners().into_iter().filter(|listener| speaks_plainly(&listener.name));
    let listener = bound.min_by_key(|listener| listener.tls).ok_or_else(none)?;
    let ip = match listener.address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Ok(Target {
        name: listener.name,
        address: SocketAddr::new(ip, listener.address.port()),
        tls: listener.tls,
    })
}

fn unreachable(error: impl std::fmt::Display) -> TrialError {
    TrialError::new(StatusCode::BAD_GATEWAY, "trial_failed", error.to_string())
}

async fn exchange(target: Target, request: Request<Full<Bytes>>) -> Result<TrialAnswer, TrialError> {
    let began = Instant::now();
    let stream = TcpStream::connect(target.address).await.map_err(unreachable)?;
    let response = if target.tls {
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let host = host.rsplit_once(':').map_or(host, |(name, _)| name).to_owned();
        let name = ServerName::try_from(host).unwrap_or_else(|_| target.address.ip().into());
        let connector = TlsConnector::from(proxy::tls::to_own_listener());
        answered(connector.connect(name, stream).await.map_err(unreachable)?, request).await?
    } else {
        answered(stream, request).await?
    };
    let (head, mut incoming) = response.into_parts();
    let mut body = Vec::new();
    let mut truncated = false;
    while let Some(frame) = incoming.frame().await {
        let Ok(data) = frame.map_err(unreachable)?.into_data() else { continue };
        let room = MOST_TOLD - body.len();
        body.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            truncated = true;
            break;
        }
    }
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let (body, base64) = as_text(body, truncated);
    Ok(TrialAnswer {
        request_id: head.headers.get("x-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned),
        listener: target.name,
        status: head.status.as_u16(),
        headers,
        body,
        base64,
        truncated,
        millis: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

/// Text as it is, anything else in base64. A character that was cut through at the end is left out.
fn as_text(body: Vec<u8>, truncated: bool) -> (String, bool) {
    match String::from_utf8(body) {
        Ok(text) => (text, false),
        Err(error) => {
            let whole = error.utf8_error();
            let mut bytes = error.into_bytes();
            if truncated && whole.error_len().is_none() {
                bytes.truncate(whole.valid_up_to());
                return as_text(bytes, false);
            }
            (Base64::encode_string(&bytes), true)
        }
    }
}

async fn answered<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, TrialError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(unreachable)?;
    tokio::spawn(async move {
        // How it ends is seen by whoever reads the answer.
        let _ = connection.await;
    });
    sender.send_request(request).await.map_err(unreachable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(method: &str, url: &str, headers: &[(&str, &str)]) -> Trial {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Trial { method: method.to_owned(), url: url.to_owned(), headers, body: String::new() }
    }

    #[test]
    fn what_would_go_elsewhere_or_lie_about_itself_is_refused() {
        for (trial, expected) in [
            (trial("CONNECT", "/", &[]), "method: found `CONNECT`"),
            (trial("GET A", "/", &[]), "method: found `GET A`"),
            (trial("GET", "http://example.com/", &[]), "url: found `http://example.com/`"),
            (trial("GET", "example.com:80", &[]), "url: found `example.com:80`"),
            (trial("GET", "", &[]), "url: found ``"),
            (trial("GET", "/a b", &[]), "url: found `/a b`"),
            (
                trial("GET", "/", &[("Transfer-Encoding", "chunked")]),
                "`Transfer-Encoding` is set by the node",
            ),
            (trial("GET", "/", &[("X-Forwarded-For", "10.0.0.1")]), "`X-Forwarded-For` is set by the node"),
            (trial("GET", "/", &[("a:b", "c")]), "found the name `a:b`"),
            (trial("GET", "/", &[("a", "b\r\nc: d")]), "the value of `a`"),
        ] {
            let error = request(trial.clone()).expect_err(&trial.url);
            assert!(error.detail.contains(expected), "{trial:?}: {}", error.detail);
        }
        let long = Trial { body: "x".repeat(LARGEST + 1), ..trial("POST", "/", &[]) };
        assert_eq!(request(long).expect_err("too long").code, "body_too_large");
    }

    #[test]
    fn a_host_is_sent_as_it_is_said() {
        let sent = request(trial("GET", "/x?y=z", &[("Host", "api.example.com")])).expect("a request");
        assert_eq!(sent.headers()[HOST], "api.example.com");
        assert_eq!(sent.uri(), "/x?y=z");
        assert_eq!(request(trial("GET", "/", &[])).expect("a request").headers()[HOST], "localhost");
    }

    #[test]
    fn bodies_are_text_where_they_are() {
        assert_eq!(as_text("grün".into(), false), ("grün".to_owned(), false));
        assert_eq!(as_text(b"gr\xc3".to_vec(), true), ("gr".to_owned(), false));
        assert_eq!(as_text(b"gr\xc3".to_vec(), false), ("Z3LD".to_owned(), true));
    }
}
