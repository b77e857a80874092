//! Protocol upgrades: WebSocket over HTTP/1.1 and, by extended CONNECT (RFC 8441), over HTTP/2. After the handshake
//! bytes go both ways until either side ends.

use engine::{Exchange, Headers, RequestHead};
use http::{
    HeaderValue, Method, StatusCode,
    header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE},
    request::Parts,
};
use hyper::{ext::Protocol, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy_bidirectional};

use crate::{finish::Finish, h1::Conn};

/// How the client asked for another protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Http1,
    ExtendedConnect,
}

/// The only protocol that is switched to. Others, `h2c` above all, are a way around the gateway's rules.
pub const WEBSOCKET: &str = "websocket";

/// Whether a request over HTTP/2 asks for WebSocket.
pub fn asked_over_http2(head: &Parts) -> Option<Asked> {
    let protocol = head.extensions.get::<Protocol>().filter(|_| head.method == Method::CONNECT)?;
    protocol.as_str().eq_ignore_ascii_case(WEBSOCKET).then_some(Asked::ExtendedConnect)
}

/// Whether a request over HTTP/1 asks for WebSocket.
pub fn asked_over_http1(head: &RequestHead) -> Option<Asked> {
    let headers = &head.headers;
    let wants = headers.get(UPGRADE)?.as_bytes().eq_ignore_ascii_case(WEBSOCKET.as_bytes());
    let says = headers.get_all(&CONNECTION).any(|value| {
        value
            .as_bytes()
            .split(|b| *b == b',')
            .any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
    });
    (wants && says && head.method == Method::GET).then_some(Asked::Http1)
}

/// Turns an extended CONNECT into the GET that an HTTP/1.1 upstream expects.
pub fn as_http1(exchange: &mut Exchange, random_key: [u8; 16]) {
    exchange.method = Method::GET;
    if !exchange.headers.contains_key(SEC_WEBSOCKET_KEY)
        && let Ok(key) = HeaderValue::try_from(base64(random_key))
    {
        exchange.headers.insert(SEC_WEBSOCKET_KEY, key);
    }
}

fn base64(bytes: [u8; 16]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let number = u128::from_be_bytes(bytes);
    // 128 bits are 21 groups of six and two bits.
    let mut text: String =
        (0..21).map(|group| char::from(ALPHABET[(number >> (122 - 6 * group) & 63) as usize])).collect();
    text.push(char::from(ALPHABET[((number & 3) << 4) as usize]));
    text.push_str("==");
    text
}

/// Tells the client, in the words of its protocol, that the switch has happened.
pub fn switched(asked: Asked, headers: &mut Headers) -> StatusCode {
    match asked {
        Asked::Http1 => {
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
            StatusCode::SWITCHING_PROTOCOLS
        }
        Asked::ExtendedConnect => {
            headers.remove(SEC_WEBSOCKET_ACCEPT);
            StatusCode::OK
        }
    }
}

/// Joins both sides over HTTP/2, once the client's side has been handed over.
pub fn tunnel_later(client: OnUpgrade, upstream: Conn, finish: Box<Finish>) {
    tokio::task::spawn_local(async move {
        if let Ok(client) = client.await {
            tunnel(TokioIo::new(client), &[], upstream, finish).await;
        }
    });
}

/// Joins both sides until one of them ends. `early` are bytes of the client that have come already.
pub async fn tunnel(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    early: &[u8],
    mut upstream: Conn,
    mut finish: Box<Finish>,
) {
    let mut forced = finish.forced_stop();
    let late = std::mem::take(&mut upstream.read);
    if upstream.io.write_all(early).await.is_err() || client.write_all(&late).await.is_err() {
        return;
    }
    let copied = tokio::select! {
        copied = copy_bidirectional(&mut client, &mut upstream.io) => copied.ok(),
        // A tunnel never drains by itself.
        _ = forced.wait_for(|forced| *forced) => None,
    };
    if let Some((up, down)) = copied {
        finish.request_progress.bytes.set(up + early.len() as u64);
        finish.response_bytes = down + late.len() as u64;
        finish.complete = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_base64_of_sixteen_bytes() {
        assert_eq!(base64(*b"the sample nonce"), "dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(base64([0xff; 16]), "/////////////////////w==");
    }

    #[test]
    fn only_websocket_is_an_upgrade() {
        let ask = |upgrade: &str, connection: &str| {
            let request =
                http::Request::get("/").header(UPGRADE, upgrade).header(CONNECTION, connection).body(());
            asked_over_http1(&request.unwrap().into_parts().0.into())
        };
        assert_eq!(ask("websocket", "keep-alive, Upgrade"), Some(Asked::Http1));
        assert_eq!(ask("h2c", "Upgrade, HTTP2-Settings"), None);
        assert_eq!(ask("websocket", "keep-alive"), None);
    }
}
