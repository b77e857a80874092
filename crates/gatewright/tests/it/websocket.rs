//! WebSocket, over HTTP/1.1 and, by extended CONNECT, over HTTP/2.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use testkit::{Gateway, Upstream, api, eventually, get, json, wait::soon};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

async fn open(gw: &Gateway, path: &str) -> WebSocketStream<tokio::net::TcpStream> {
    let stream = gw.connect().await.into_stream();
    let url = format!("ws://{}{path}", gw.address());
    soon("the handshake", tokio_tungstenite::client_async(url, stream)).await.expect("a WebSocket").0
}

#[tokio::test]
async fn messages_go_both_ways_over_http1() {
    let upstream = Upstream::websocket_echo().start().await;
    let gw = Gateway::serving(api("/chat", &upstream)).await;
    let mut socket = open(&gw, "/chat/room?id=7").await;
    for text in ["hello", "", "again"] {
        socket.send(Message::text(text)).await.unwrap();
        assert_eq!(soon("the echo", socket.next()).await.unwrap().unwrap(), Message::text(text));
    }
    let large = Bytes::from(vec![7; 1_000_000]);
    socket.send(Message::binary(large.clone())).await.unwrap();
    assert_eq!(soon("the echo", socket.next()).await.unwrap().unwrap(), Message::binary(large));
    socket.close(None).await.unwrap();
    assert_eq!(upstream.last().path, "/room?id=7");
    assert_eq!(upstream.last().header("x-forwarded-for"), "127.0.0.1");
    let events = async || gw.events("limit=5").await;
    while let Some(Ok(_)) = soon("the end", socket.next()).await {}
    drop(socket);
    eventually("its event", async || events().await.len() == 1).await;
    let event = events().await.remove(0);
    assert_eq!((&event["responseCode"], &event["status"]), (&json!(101), &json!("SUCCESS")));
    assert!(event["responseSize"].as_u64().unwrap() > 1_000_000);
}

#[tokio::test]
async fn policies_run_before_a_switch_of_protocols() {
    let upstream = Upstream::websocket_echo().start().await;
    let gw = Gateway::serving(api("/chat", &upstream).policy("apiKey", json!({}))).await;
    let asked = get("/chat")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(gw.send(asked).await.reason(), "api_key_missing");
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn an_upstream_that_does_not_switch_answers_as_usual() {
    let upstream = Upstream::status(403).start().await;
    let gw = Gateway::serving(api("/chat", &upstream)).await;
    let asked = get("/chat").header("connection", "Upgrade").header("upgrade", "websocket");
    assert_eq!(gw.send(asked).await.status(), 403);
    let other =
        Upstream::bytes("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n")
            .start()
            .await;
    gw.apply(api("/chat", &other)).await.unwrap();
    let asked = get("/chat").header("connection", "Upgrade").header("upgrade", "websocket");
    assert_eq!(gw.send(asked).await.reason(), "upgrade_refused");
}

#[tokio::test]
async fn no_other_protocol_is_switched_to() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let asked = get("/a")
        .header("connection", "Upgrade, HTTP2-Settings")
        .header("upgrade", "h2c")
        .header("http2-settings", "AAMAAABkAAQAoAAA");
    let response = gw.send(asked).await;
    assert_eq!(response.status(), 200);
    assert!(response.json()["headers"]["upgrade"].is_null());
}

#[tokio::test]
async fn either_side_ends_a_tunnel() {
    let upstream = Upstream::websocket_echo().start().await;
    let gw = Gateway::serving(api("/chat", &upstream)).await;
    let mut socket = open(&gw, "/chat").await;
    drop(upstream);
    assert!(matches!(soon("the end", socket.next()).await, None | Some(Err(_) | Ok(Message::Close(_)))));
    let upstream = Upstream::websocket_echo().start().await;
    gw.apply(api("/chat", &upstream)).await.unwrap();
    let socket = open(&gw, "/chat").await;
    assert_eq!(upstream.open_connections(), 1);
    drop(socket);
    eventually("the upstream's connection to end", async || upstream.open_connections() == 0).await;
}

#[tokio::test]
async fn messages_go_both_ways_over_http2() {
    let upstream = Upstream::websocket_echo().start().await;
    let gw = Gateway::serving(api("/chat", &upstream)).await;
    let stream = gw.connect().await.into_stream();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut sender = sender.ready().await.unwrap();
    eventually("the settings to allow it", async || sender.is_extended_connect_protocol_enabled()).await;

    let mut connect = hyper::Request::new(());
    *connect.method_mut() = hyper::Method::CONNECT;
    *connect.uri_mut() = format!("http://{}/chat/room", gw.address()).parse().unwrap();
    connect.headers_mut().insert("sec-websocket-version", "13".parse().unwrap());
    connect.extensions_mut().insert(h2::ext::Protocol::from_static("websocket"));
    let (answer, mut up) = sender.send_request(connect, false).unwrap();
    let answer = soon("the answer", answer).await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut down = answer.into_body();

    // A text frame of a client: final, masked with zeros.
    up.send_data(Bytes::from_static(b"\x81\x85\0\0\0\0hello"), false).unwrap();
    let mut received = Vec::new();
    while received.len() < 7 {
        let piece = soon("the echo", down.data()).await.unwrap().unwrap();
        down.flow_control().release_capacity(piece.len()).unwrap();
        received.extend_from_slice(&piece);
    }
    assert_eq!(received, b"\x81\x05hello");
    assert_eq!(upstream.last().path, "/room");
    up.send_data(Bytes::new(), true).unwrap();
    eventually("the upstream's connection to end", async || upstream.open_connections() == 0).await;
}
