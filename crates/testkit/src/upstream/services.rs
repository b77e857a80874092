//! The usual upstreams.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, Request, Response, StatusCode, Version, header::CONTENT_TYPE};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Map, Value, json};
use tokio_tungstenite::tungstenite::handshake::server;

use super::{Builder, Seen, Stream, Upstream};
use crate::body::{self, Body};

impl Upstream {
    /// Answers everything with 200 and a text.
    pub fn text(text: &'static str) -> Builder {
        Self::respond(move |_| Response::new(body::full(text)))
    }

    /// Answers everything with a status and no body.
    pub fn status(code: u16) -> Builder {
        Self::respond(move |_| {
            let mut response = Response::new(body::empty());
            *response.status_mut() = StatusCode::from_u16(code).unwrap_or_default();
            response
        })
    }

    /// Answers with the request as JSON.
    pub fn echo() -> Builder {
        Self::respond(|seen| {
            let mut headers = Map::new();
            for name in seen.headers.keys() {
                let values: Vec<&str> =
                    seen.headers.get_all(name).iter().filter_map(|v| v.to_str().ok()).collect();
                headers.insert(name.to_string(), values.join(", ").into());
            }
            let echo: Value = json!({
                "method": seen.method.as_str(),
                "path": seen.path,
                "headers": headers,
                "body": String::from_utf8_lossy(&seen.body),
            });
            let mut response = Response::new(body::full(echo.to_string()));
            response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
            response
        })
    }

    /// Answers with the body of the request.
    pub fn echo_body() -> Builder {
        Self::respond(|seen| Response::new(body::full(seen.body.clone())))
    }

    /// Reads a request to its end, and answers as the closure says.
    pub fn respond(answer: impl Fn(&Seen) -> Response<Body> + Send + Sync + 'static) -> Builder {
        let answer = Arc::new(answer);
        Builder::service(move |request, record| {
            let answer = Arc::clone(&answer);
            async move {
                let (mut seen, incoming) = head(request);
                if let Ok(collected) = incoming.collect().await {
                    seen.trailers = collected.trailers().cloned().unwrap_or_default();
                    seen.body = collected.to_bytes();
                    record.push(seen.clone());
                }
                answer(&seen)
            }
        })
    }

    /// Answers as the closure says, which gets the body while it is still coming.
    pub fn service<F>(answer: impl Fn(Seen, Incoming) -> F + Send + Sync + 'static) -> Builder
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let answer = Arc::new(answer);
        Builder::service(move |request, record| {
            let answer = Arc::clone(&answer);
            async move {
                let (seen, incoming) = head(request);
                record.push(seen.clone());
                answer(seen, incoming).await
            }
        })
    }

    /// Never answers.
    pub fn silent() -> Builder {
        Self::service(|_, _| std::future::pending())
    }

    /// Follows a script on every connection.
    pub fn raw<F>(script: impl Fn(Stream) -> F + Send + Sync + 'static) -> Builder
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Builder::script(script)
    }

    /// Answers every request, once its head has come, with the same bytes, and closes.
    pub fn bytes(answer: &'static str) -> Builder {
        Self::raw(move |mut stream| async move {
            if !stream.head().await.is_empty() {
                stream.write(answer).await;
            }
        })
    }

    /// Sends back what it gets, with gRPC's trailers at the end, over HTTP/2.
    pub fn grpc() -> Builder {
        Self::service(|seen, mut incoming| async move {
            let (pieces, body) = body::pieces();
            tokio::spawn(async move {
                while let Some(Ok(frame)) = incoming.frame().await {
                    if let Ok(data) = frame.into_data()
                        && !pieces.send(data).await
                    {
                        return;
                    }
                }
                pieces.trailers(&[("grpc-status", "0"), ("grpc-message", "fine")]).await;
            });
            let mut response = Response::new(body);
            response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/grpc"));
            if let Some(te) = seen.headers.get("te") {
                response.headers_mut().insert("x-te", te.clone());
            }
            response
        })
        .http2()
    }

    /// Accepts WebSocket and sends back every message.
    pub fn websocket_echo() -> Builder {
        Builder::script(|stream| async move {
            let (io, record) = stream.into_parts();
            #[expect(clippy::result_large_err, reason = "the signature is the library's")]
            let look = |request: &server::Request, response: server::Response| {
                record.push(Seen {
                    method: request.method().clone(),
                    path: request.uri().to_string(),
                    headers: request.headers().clone(),
                    body: Bytes::new(),
                    trailers: HeaderMap::new(),
                    http2: false,
                });
                Ok(response)
            };
            let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(io, look).await else { return };
            while let Some(Ok(message)) = socket.next().await {
                if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
                    return;
                }
            }
        })
    }
}

fn head(request: Request<Incoming>) -> (Seen, Incoming) {
    let (head, incoming) = request.into_parts();
    let path = head.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let seen = Seen {
        method: head.method,
        path,
        headers: head.headers,
        body: Bytes::new(),
        trailers: HeaderMap::new(),
        http2: head.version == Version::HTTP_2,
    };
    (seen, incoming)
}
