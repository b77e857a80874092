//! TLS on both sides, and the PROXY protocol.

use testkit::{
    Authority, Client, Config, Gateway, Identity, Protocol, RawConn, Upstream, api, eventually, json,
};

fn certificate(name: &str) -> testkit::Value {
    json!({ "certificateFile": format!("{name}.pem"), "keyFile": format!("{name}.key") })
}

fn with(config: Config, name: &str, identity: &Identity) -> Config {
    config.file(&format!("{name}.pem"), &*identity.certificate).file(&format!("{name}.key"), &*identity.key)
}

fn listener(tls: testkit::Value) -> testkit::Value {
    json!([{ "name": "tls", "address": "127.0.0.1:0", "tls": tls }])
}

/// The certificate that a client is shown for a name.
async fn shown(gw: &Gateway, authority: &Authority, name: &str) -> Vec<u8> {
    let stream = gw.tls_stream(name, authority.client(&[], None)).await.expect("a handshake");
    stream.get_ref().1.peer_certificates().expect("a certificate")[0].to_vec()
}

#[tokio::test]
async fn the_name_that_a_client_asks_for_picks_the_certificate() {
    let authority = Authority::new();
    let (first, second, wild) =
        (authority.issue(&["a.example"]), authority.issue(&["b.example"]), authority.issue(&["*.c.example"]));
    let upstream = Upstream::text("ok").start().await;
    let certificates =
        json!({ "certificates": [certificate("first"), certificate("second"), certificate("wild")] });
    let config = with(with(Config::from(api("/a", &upstream)), "first", &first), "second", &second);
    let gw = Gateway::serving(with(config, "wild", &wild).listeners(listener(certificates))).await;
    for (name, identity) in
        [("a.example", &first), ("b.example", &second), ("x.c.example", &wild), ("B.Example", &second)]
    {
        assert_eq!(shown(&gw, &authority, name).await, identity.der().to_vec(), "{name}");
    }
    let unknown = gw.tls_stream("unknown.example", authority.client(&[], None)).await;
    assert!(unknown.is_err(), "the first certificate is shown, and it does not fit");
}

#[tokio::test]
async fn a_replaced_certificate_is_taken_up_without_losing_a_connection() {
    let authority = Authority::new();
    let (old, new) = (authority.issue(&["a.example"]), authority.issue(&["a.example"]));
    let upstream = Upstream::text("ok").start().await;
    let config = with(Config::from(api("/a", &upstream)), "own", &old);
    let gw =
        Gateway::serving(config.listeners(listener(json!({ "certificates": [certificate("own")] })))).await;
    let stream = gw.tls_stream("a.example", authority.client(&[], None)).await.unwrap();
    let mut kept = Client::over(stream, Protocol::Http1, "a.example", true).await.unwrap();
    assert_eq!(kept.send("/a").await.text(), "ok");

    gw.write_file("own.pem", &new.certificate);
    assert!(gw.reload().await.is_err(), "a certificate without its key is not taken up");
    assert_eq!(shown(&gw, &authority, "a.example").await, old.der().to_vec());
    gw.write_file("own.key", &new.key);
    gw.reload().await.unwrap();
    assert_eq!(shown(&gw, &authority, "a.example").await, new.der().to_vec());
    assert_eq!(kept.send("/a").await.text(), "ok");
}

#[tokio::test]
async fn client_certificates_are_required_and_verified_where_configured() {
    let (authority, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let own = authority.issue(&["a.example"]);
    let upstream = Upstream::text("ok").start().await;
    let config = |wanted: &str| {
        let tls = json!({ "certificates": [certificate("own")], "clientCertificate": wanted, "clientCaFile": "clients.pem" });
        with(Config::from(api("/a", &upstream)), "own", &own)
            .file("clients.pem", clients.pem())
            .listeners(listener(tls))
    };
    let gw = Gateway::serving(config("required")).await;
    let (known, stranger) = (clients.issue(&["client"]), strangers.issue(&["client"]));
    let status = async |identity: Option<&Identity>| {
        let stream = gw.tls_stream("a.example", authority.client(&[], identity)).await.ok()?;
        let mut client = Client::over(stream, Protocol::Http1, "a.example", true).await.ok()?;
        Some(client.try_send("/a").await.ok()?.status())
    };
    assert_eq!(status(Some(&known)).await, Some(200));
    assert_eq!((status(None).await, status(Some(&stranger)).await), (None, None));
    assert_eq!(upstream.count(), 1);
    gw.apply(config("requested")).await.unwrap();
    assert_eq!(
        (status(None).await, status(Some(&known)).await, status(Some(&stranger)).await),
        (Some(200), Some(200), None)
    );
}

#[tokio::test]
async fn upstreams_are_verified_unless_it_is_switched_off() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = authority.issue(&["127.0.0.1"]);
    let wrong_name = authority.issue(&["elsewhere.example"]);
    let upstream = Upstream::text("ok").tls(server.server(&["http/1.1"], None)).start().await;
    let elsewhere = Upstream::text("ok").tls(wrong_name.server(&[], None)).start().await;
    for (what, upstream, tls, works) in [
        ("the system's authorities do not know ours", &upstream, json!({}), false),
        ("its own authority", &upstream, json!({ "caFile": "ca.pem" }), true),
        ("another authority", &upstream, json!({ "caFile": "other.pem" }), false),
        ("not verified", &upstream, json!({ "verify": false }), true),
        ("a certificate for another name", &elsewhere, json!({ "caFile": "ca.pem" }), false),
        (
            "the name that is expected",
            &elsewhere,
            json!({ "caFile": "ca.pem", "serverName": "elsewhere.example" }),
            true,
        ),
    ] {
        let doc = json!({ "endpoints": [{ "url": upstream.url() }], "tls": tls });
        let config = Config::from(api("/a", "up")).upstream("up", doc);
        let gw =
            Gateway::serving(config.file("ca.pem", authority.pem()).file("other.pem", other.pem())).await;
        let response = gw.get("/a").await;
        let expect = if works { (200, "") } else { (502, "upstream_tls") };
        assert_eq!((response.status(), response.reason().as_str()), expect, "{what}");
    }
}

#[tokio::test]
async fn the_gateway_shows_its_own_certificate_where_an_upstream_asks() {
    let authority = Authority::new();
    let (server, own) = (authority.issue(&["127.0.0.1"]), authority.issue(&["gateway"]));
    let upstream = Upstream::text("ok").tls(server.server(&[], Some(&authority))).start().await;
    let doc = |tls| json!({ "endpoints": [{ "url": upstream.url() }], "tls": tls });
    let files = with(Config::from(api("/a", "up")), "own", &own).file("ca.pem", authority.pem());
    let both = json!({ "caFile": "ca.pem", "certificateFile": "own.pem", "keyFile": "own.key" });
    let gw = Gateway::serving(files.clone().upstream("up", doc(both))).await;
    assert_eq!(gw.get("/a").await.text(), "ok");
    gw.apply(files.upstream("up", doc(json!({ "caFile": "ca.pem" })))).await.unwrap();
    assert_eq!(gw.get("/a").await.status(), 502);
}

#[tokio::test]
async fn cleartext_on_a_port_with_tls_is_closed_and_others_are_served() {
    let authority = Authority::new();
    let own = authority.issue(&["a.example"]);
    let upstream = Upstream::text("ok").start().await;
    let config = with(Config::from(api("/a", &upstream)), "own", &own);
    let gw =
        Gateway::serving(config.listeners(listener(json!({ "certificates": [certificate("own")] })))).await;
    let mut conn = RawConn::open(gw.tls_address()).await;
    conn.write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(!String::from_utf8_lossy(&conn.rest().await).contains("HTTP/1.1 200"));
    let mut silent = RawConn::open(gw.tls_address()).await;
    silent.write([0x16]).await;
    let stream = gw.tls_stream("a.example", authority.client(&[], None)).await.unwrap();
    let mut client = Client::over(stream, Protocol::Http1, "a.example", true).await.unwrap();
    assert_eq!(client.send("/a").await.text(), "ok");
    drop((silent, client));
    eventually("the connections to be counted out", async || {
        gw.ops("/status").await.json()["connections"] == 0
    })
    .await;
}

#[tokio::test]
async fn the_proxy_protocol_names_the_client() {
    let upstream = Upstream::echo().start().await;
    let config = Config::from(api("/a", &upstream)).listeners(json!([
        { "name": "lb", "address": "127.0.0.1:0", "proxyProtocol": true, "trustedProxies": ["127.0.0.0/8"] },
    ]));
    let gw = Gateway::serving(config).await;
    let request = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    let v2 = |rest: &[u8]| [b"\r\n\r\n\0\r\nQUIT\n".as_slice(), rest].concat();
    let v6 =
        [&[0x21, 0x21, 0, 36][..], &[0x20, 1, 0xd, 0xb8], &[0; 11], &[1], &[0; 16], &[0, 80, 0, 90]].concat();
    for (header, client) in [
        (b"PROXY TCP4 198.51.100.7 127.0.0.1 5000 80\r\n".to_vec(), "198.51.100.7"),
        (b"PROXY TCP6 2001:db8::7 ::1 5000 80\r\n".to_vec(), "2001:db8::7"),
        (b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1"),
        (v2(&[0x21, 0x11, 0, 12, 198, 51, 100, 9, 127, 0, 0, 1, 0, 80, 0, 90]), "198.51.100.9"),
        (v2(&v6), "2001:db8::1"),
        (v2(&[0x20, 0, 0, 0]), "127.0.0.1"),
    ] {
        let mut conn = gw.connect().await;
        conn.write([&header[..], request].concat()).await;
        let response = conn.response().await;
        let told = response.json()["headers"]["x-forwarded-for"].as_str().unwrap_or_default().to_owned();
        assert_eq!(told.split(", ").next(), Some(client), "{told}");
        let explanation = gw.inner().explain(response.header("x-request-id")).await.unwrap();
        assert_eq!(explanation.client, client);
    }
    for bad in [request.to_vec(), b"PROXY TCP4 nonsense\r\n".to_vec(), v2(&[0x31, 0x11, 0, 0])] {
        let mut conn = gw.connect().await;
        conn.write([&bad[..], request].concat()).await;
        assert!(conn.rest().await.is_empty(), "without a valid header there is no answer");
    }
    assert_eq!(upstream.count(), 6);
}

#[tokio::test]
async fn the_proxy_protocol_is_taken_from_trusted_peers_only() {
    let upstream = Upstream::echo().start().await;
    let config = Config::from(api("/a", &upstream)).listeners(json!([
        { "name": "lb", "address": "127.0.0.1:0", "proxyProtocol": true, "trustedProxies": ["192.0.2.0/24"] },
    ]));
    let gw = Gateway::serving(config).await;
    let answer = gw.raw("PROXY TCP4 1.2.3.4 127.0.0.1 1 2\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(answer.is_empty());
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn listeners_work_over_ipv6() {
    let upstream = Upstream::echo().start().await;
    let config =
        Config::from(api("/a", &upstream)).listeners(json!([{ "name": "six", "address": "[::1]:0" }]));
    let gw = Gateway::serving(config).await;
    assert_eq!(gw.get("/a").await.json()["headers"]["x-forwarded-for"], "::1");
}

#[tokio::test]
async fn clients_with_an_older_version_than_allowed_are_refused() {
    let authority = Authority::new();
    let identity = authority.issue(&["a.example"]);
    let upstream = Upstream::text("ok").start().await;
    for (oldest, accepted) in [("1.2", true), ("1.3", false)] {
        let tls = json!({ "certificates": [certificate("own")], "minVersion": oldest });
        let config = with(Config::from(api("/a", &upstream)), "own", &identity).listeners(listener(tls));
        let gw = Gateway::serving(config).await;
        let old = rustls::ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS12])
            .with_root_certificates(authority.roots())
            .with_no_client_auth();
        let shaken = gw.tls_stream("a.example", std::sync::Arc::new(old)).await;
        assert_eq!(shaken.is_ok(), accepted, "TLS 1.2 where {oldest} is the oldest");
        let new = gw.tls_stream("a.example", authority.client(&[], None)).await.expect("a handshake");
        let version = new.get_ref().1.protocol_version();
        assert_eq!(version, Some(rustls::ProtocolVersion::TLSv1_3), "the newest one is taken");
    }
}
