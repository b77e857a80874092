//! Accepting connections and serving them, by script or over HTTP.

use std::{
    convert::Infallible,
    sync::{Arc, atomic::Ordering::SeqCst},
};

use hyper::{
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use super::{Builder, Kind, Record, Service, Stream};

/// Runs until it is ended; its connections end with it.
pub(super) async fn run(listener: TcpListener, upstream: Builder, record: Arc<Record>) {
    let upstream = Arc::new(upstream);
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        record.accepted.fetch_add(1, SeqCst);
        record.open.fetch_add(1, SeqCst);
        let (upstream, record) = (Arc::clone(&upstream), Open(Arc::clone(&record)));
        connections.spawn(async move { serve(stream, &upstream, &record.0).await });
        while connections.try_join_next().is_some() {}
    }
}

/// Counts a connection out, also when its task is aborted.
struct Open(Arc<Record>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, SeqCst);
    }
}

async fn serve(stream: TcpStream, upstream: &Builder, record: &Arc<Record>) {
    match (&upstream.kind, &upstream.tls) {
        (Kind::Script(script), _) => script(Stream::new(stream, Arc::clone(record))).await,
        (Kind::Service(service), None) => serve_http(stream, upstream.http2, service, record).await,
        (Kind::Service(service), Some(tls)) => {
            if let Ok(stream) = TlsAcceptor::from(Arc::clone(tls)).accept(stream).await {
                let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                serve_http(stream, http2, service, record).await;
            }
        }
    }
}

async fn serve_http<S>(stream: S, http2: bool, service: &Arc<Service>, record: &Arc<Record>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request| {
        let answer = service(request, Arc::clone(record));
        let unanswered = Unanswered(Some(Arc::clone(record)));
        async move {
            let response = answer.await;
            unanswered.answered();
            Ok::<_, Infallible>(response)
        }
    });
    // How a connection ends is for the gateway to judge, not for us.
    if http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.enable_connect_protocol();
        let _ = builder.serve_connection(TokioIo::new(stream), service).await;
    } else {
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }
}

/// Notes that a request was given up before there was an answer.
struct Unanswered(Option<Arc<Record>>);

impl Unanswered {
    fn answered(mut self) {
        self.0 = None;
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if let Some(record) = &self.0 {
            record.cancelled.fetch_add(1, SeqCst);
        }
    }
}
