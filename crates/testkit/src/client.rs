//! A client: HTTP/1.1 or HTTP/2 over any stream, with answers collected and easy to look at.

use base64ct::{Base64, Encoding};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header::HOST};
use http_body_util::BodyExt;
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    body::{self, Body},
    wait::soon,
};

/// A request of a test.
#[derive(Debug)]
pub struct Request(http::Request<Body>);

/// A request with any method and no body.
///
/// # Panics
///
/// When method or path are not valid.
pub fn request(method: &str, path: &str) -> Request {
    let method = Method::from_bytes(method.as_bytes()).expect("the test names a method");
    let uri: Uri = path.parse().expect("the test names a path");
    let mut request = http::Request::new(body::empty());
    (*request.method_mut(), *request.uri_mut()) = (method, uri);
    Request(request)
}

pub fn get(path: &str) -> Request {
    request("GET", path)
}

pub fn post(path: &str, body: impl Into<Bytes>) -> Request {
    request("POST", path).body(body::full(body))
}

impl Request {
    /// Adds a header.
    ///
    /// # Panics
    ///
    /// When it is not valid.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("the test names a header");
        let value = HeaderValue::from_str(value).expect("the test names a header value");
        self.0.headers_mut().append(name, value);
        self
    }

    /// Adds a user and a password (RFC 7617).
    #[must_use]
    pub fn basic(self, user: &str, password: &str) -> Self {
        let encoded = Base64::encode_string(format!("{user}:{password}").as_bytes());
        self.header("authorization", &format!("Basic {encoded}"))
    }

    #[must_use]
    pub fn body(self, body: Body) -> Self {
        Self(self.0.map(|_| body))
    }

    fn for_protocol(self, protocol: Protocol, authority: &str, scheme: &str) -> http::Request<Body> {
        let mut request = self.0;
        match protocol {
            Protocol::Http1 => {
                if !request.headers().contains_key(HOST) {
                    let host = HeaderValue::from_str(authority).expect("an authority is a header value");
                    request.headers_mut().insert(HOST, host);
                }
            }
            Protocol::Http2 => {
                let host = request.headers_mut().remove(HOST);
                let authority = host.as_ref().and_then(|h| h.to_str().ok()).unwrap_or(authority);
                let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
                *request.uri_mut() = format!("{scheme}://{authority}{path}").parse().expect("a URL");
            }
        }
        request
    }
}

impl From<&str> for Request {
    fn from(path: &str) -> Self {
        get(path)
    }
}

/// Which HTTP a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

enum Sender {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

/// One connection to a gateway. It ends when this is dropped.
pub struct Client {
    sender: Sender,
    authority: String,
    scheme: &'static str,
}

impl Client {
    /// Speaks HTTP on a stream.
    pub async fn over<S>(stream: S, protocol: Protocol, authority: &str, tls: bool) -> hyper::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let io = TokioIo::new(stream);
        let sender = match protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(io).await?;
                tokio::spawn(connection);
                Sender::Http1(sender)
            }
            Protocol::Http2 => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
                tokio::spawn(connection);
                Sender::Http2(sender)
            }
        };
        Ok(Self { sender, authority: authority.to_owned(), scheme: if tls { "https" } else { "http" } })
    }

    /// The gateway has closed the connection.
    pub fn is_closed(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2(sender) => sender.is_closed(),
        }
    }

    /// Sends a request and returns the head of the answer, with its body still to come.
    pub async fn open(&mut self, request: impl Into<Request>) -> hyper::Result<http::Response<Incoming>> {
        let request = request.into();
        let sent = async {
            match &mut self.sender {
                Sender::Http1(sender) => {
                    sender.ready().await?;
                    sender
                        .send_request(request.for_protocol(Protocol::Http1, &self.authority, self.scheme))
                        .await
                }
                Sender::Http2(sender) => {
                    sender.ready().await?;
                    sender
                        .send_request(request.for_protocol(Protocol::Http2, &self.authority, self.scheme))
                        .await
                }
            }
        };
        soon("the head of an answer", sent).await
    }

    /// Sends a request and returns the whole answer, or why there is none.
    pub async fn try_send(&mut self, request: impl Into<Request>) -> hyper::Result<Response> {
        let (head, incoming) = self.open(request).await?.into_parts();
        Response::collect(head, incoming).await
    }

    /// Sends a request and returns the whole answer.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub async fn send(&mut self, request: impl Into<Request>) -> Response {
        self.try_send(request).await.expect("a whole answer")
    }
}

/// A whole answer.
#[derive(Debug)]
pub struct Response {
    head: http::response::Parts,
    body: Bytes,
    trailers: Option<HeaderMap>,
}

impl Response {
    /// Waits for the rest of an answer.
    pub async fn collect(head: http::response::Parts, incoming: Incoming) -> hyper::Result<Self> {
        let collected = soon("the body of an answer", incoming.collect()).await?;
        let trailers = collected.trailers().cloned();
        Ok(Self { head, body: collected.to_bytes(), trailers })
    }

    pub fn status(&self) -> u16 {
        self.head.status.as_u16()
    }

    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The first value of a header; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.head.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("")
    }

    /// A trailer; empty when there is none.
    pub fn trailer(&self, name: &str) -> &str {
        self.trailers.as_ref().and_then(|t| t.get(name)).and_then(|v| v.to_str().ok()).unwrap_or("")
    }

    pub fn bytes(&self) -> &Bytes {
        &self.body
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The stable code in an error; empty when the answer is none.
    pub fn reason(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The id that explains this answer.
    pub fn request_id(&self) -> &str {
        self.header("x-request-id")
    }
}
