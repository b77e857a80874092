//! How an authority is asked: with the gateway's own HTTP client, over TLS, and never for more than it should say.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header::RETRY_AFTER};
use http_body_util::{BodyExt, Full, Limited};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::ClientConfig;
use tokio::time::timeout;

use crate::client;

/// Largest answer.
const LARGEST: usize = 1 << 20;
/// Longest wait for the body of an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks an authority.
#[derive(Clone)]
pub(super) struct Transport {
    tls: Arc<ClientConfig>,
    /// Where everything has to be asked over TLS.
    strict: bool,
    /// How long the authority has asked to be left alone, when it last refused something.
    pause: Arc<Mutex<Option<Duration>>>,
}

impl Transport {
    pub fn new(directory: &str, roots: Option<&[Vec<u8>]>) -> io::Result<Self> {
        let tls = match roots {
            None => client::tls_config()?,
            Some(roots) => client::trusting_certificates(roots)?,
        };
        Ok(Self { tls, strict: directory.starts_with("https://"), pause: Arc::default() })
    }

    /// How long the authority has asked to be left alone.
    pub fn pause(&self) -> Option<Duration> {
        *self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(self, request: Request<BodyWrapper<Bytes>>) -> io::Result<BytesResponse> {
        let url = request.uri().to_string();
        let failed = |error: io::Error| io::Error::new(error.kind(), format!("{url}: {error}"));
        if self.strict && request.uri().scheme_str() != Some("https") {
            return Err(failed(io::Error::other("its directory leads there, without https")));
        }
        let is_directory = request.method() == Method::GET;
        let (parts, body) = request.into_parts();
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(never) => match never {},
        };
        let request = Request::from_parts(parts, Full::from(body));
        let response = client::send_trusting(request, Some(self.tls)).await.map_err(failed)?;
        let (parts, body) = response.into_parts();
        if parts.status.as_u16() >= 400 {
            let asked = parts.headers.get(RETRY_AFTER).and_then(|value| pause(value.to_str().ok()?));
            *self.pause.lock().unwrap_or_else(PoisonError::into_inner) = asked;
        }
        if is_directory && parts.status != StatusCode::OK {
            return Err(failed(io::Error::other(format!("the server answered {}", parts.status.as_u16()))));
        }
        let body = timeout(PATIENCE, Limited::new(body, LARGEST).collect()).await;
        let body = body.map_err(|_| failed(io::ErrorKind::TimedOut.into()))?;
        let body = body.map_err(|error| failed(io::Error::other(error)))?.to_bytes();
        Ok(BytesResponse { parts, body: Box::new(body) })
    }
}

impl HttpClient for Transport {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let asking = self.clone().ask(request);
        Box::pin(async move { asking.await.map_err(|error| Error::Other(Box::new(error))) })
    }
}

/// What `Retry-After` says (RFC 9110, 10.2.3): seconds, or a date.
fn pause(value: &str) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    httpdate::parse_http_date(value).ok()?.duration_since(SystemTime::now()).ok()
}
