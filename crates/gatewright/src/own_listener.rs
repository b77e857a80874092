//! Requests of the developer portal to this node's own listener, over a connection like that of any client.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::HOST};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::gateway::Inner;

/// Sends a request, and reads so much of its answer; says whether there was more.
pub(crate) async fn call(
    inner: &Arc<Inner>,
    request: Request<Bytes>,
    most: usize,
) -> Result<(Response<Bytes>, bool), String> {
    let address = address(inner).ok_or(
        "The gateway has no listener without TLS that the portal could use; send the request to the gateway yourself.",
    )?;
    let failed = |error: &dyn std::fmt::Display| format!("The gateway did not answer: {error}.");
    let mut request = request.map(Full::new);
    if !request.headers().contains_key(HOST)
        && let Ok(host) = HeaderValue::from_str(&address.to_string())
    {
        request.headers_mut().insert(HOST, host);
    }
    let stream = TcpStream::connect(address).await.map_err(|error| failed(&error))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    // It ends with this call, however that ends.
    let connection = tokio::spawn(connection);
    let answered = async {
        let (head, mut body) = sender.send_request(request).await?.into_parts();
        let mut read = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            let room = most - read.len();
            read.extend_from_slice(&data[..data.len().min(room)]);
            if data.len() > room {
                return Ok((Response::from_parts(head, read.into()), true));
            }
        }
        Ok::<_, hyper::Error>((Response::from_parts(head, read.into()), false))
    };
    let answered = answered.await.map_err(|error| failed(&error));
    connection.abort();
    answered
}

/// Where this node takes requests of clients without TLS.
fn address(inner: &Inner) -> Option<SocketAddr> {
    let server = inner.server()?;
    let snapshot = server.snapshot();
    let plain = |name: &str| {
        let doc = snapshot.listeners.iter().find(|listener| listener.name == name);
        doc.is_none_or(|doc| doc.tls.is_none() && !doc.proxy_protocol)
    };
    let bound = server.listeners().into_iter().find(|bound| plain(&bound.name))?;
    let ip = match bound.address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Some(SocketAddr::new(ip, bound.address.port()))
}
