//! Certificates that the gateway orders itself, from a real authority: got, renewed, asked for again when something goes wrong,
//! by one of the nodes for all.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use rustls::ClientConfig;
use testkit::{Admin, Authority, Gateway, Pebble, Postgres, Upstream, Value, eventually, json, json_request};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::manager::{expect, managed, on};

const MINUTE: Duration = Duration::from_secs(60);

fn keystore(pebble: &Pebble) -> Value {
    let acme = json!({
        "directoryUrl": pebble.directory(),
        "names": ["www.example.com", "a.example"],
        "termsOfServiceAgreed": true,
        "contact": ["mailto:operations@example.com"],
        "truststore": "pebble",
    });
    json!({ "name": "own", "acme": acme })
}

fn listener() -> Value {
    json!({ "name": "tls", "address": "127.0.0.1:0", "tls": { "keys": [{ "keystore": "own" }] } })
}

async fn trust(admin: &Admin, pebble: &Pebble) {
    let truststore = json!({ "name": "pebble", "content": pebble.roots() });
    expect(&admin.post("/truststores", &truststore).await, 201);
}

async fn patch(admin: &Admin, change: Value) -> Value {
    expect(&admin.send(json_request("PATCH", "/keystores/own", &change)).await, 200)
}

/// The keystore, as the node tells how it is.
async fn status(admin: &Admin) -> Value {
    let known = expect(&admin.get("/gateway/certificates").await, 200);
    let stores = known["stores"].as_array().expect("a list");
    stores.iter().find(|store| store["name"] == "own").cloned().unwrap_or_default()
}

async fn becomes(admin: &Admin, state: &str) -> Value {
    let what = format!("the certificate is {state}");
    eventually(&what, async || status(admin).await["acme"]["state"] == state).await;
    status(admin).await
}

/// The certificate of a listener, when a client trusts it.
async fn shown(gateway: &Gateway, client: &Arc<ClientConfig>) -> Result<Vec<u8>, String> {
    let stream = gateway.tls_stream("a.example", Arc::clone(client)).await;
    let stream = stream.map_err(|error| error.to_string())?;
    Ok(stream.get_ref().1.peer_certificates().expect("a certificate")[0].to_vec())
}

/// How long it is until then, by the clock of the test.
fn until(gateway: &Gateway, date: &Value) -> Duration {
    let date = OffsetDateTime::parse(date.as_str().expect("a date"), &Rfc3339).expect("a date");
    let now = gateway.clock().now().seconds();
    Duration::from_secs(u64::try_from(date.unix_timestamp()).expect("a date").saturating_sub(now))
}

/// Where nobody listens.
fn nowhere() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound socket")
}

#[tokio::test]
async fn a_listener_has_its_certificate_from_an_authority_and_the_next_one_before_it_ends() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let pebble = Pebble::looking_at(gateway.address()).await;
    trust(&admin, &pebble).await;
    // The listener is there at once, and shows something until the certificate has come.
    expect(&admin.post("/keystores", &keystore(&pebble)).await, 201);
    expect(&admin.post("/listeners", &listener()).await, 201);

    let known = becomes(&admin, "valid").await;
    assert_eq!((&known["loaded"], &known["problem"]), (&json!(true), &Value::Null), "{known}");
    let client = pebble.trusted().await;
    let first = shown(&gateway, &client).await.expect("what it issued is trusted");
    assert_eq!(gateway.get("/.well-known/acme-challenge/x").await.reason(), "no_such_api");
    // Nothing is ordered while nothing is due.
    let revision = expect(&admin.get("/revisions").await, 200)["items"][0]["revision"].clone();

    let renews = until(&gateway, &known["acme"]["renewsAt"]);
    gateway.advance(renews - MINUTE);
    assert_eq!(status(&admin).await["acme"]["state"], "valid");
    assert_eq!(expect(&admin.get("/revisions").await, 200)["items"][0]["revision"], revision);
    gateway.advance(2 * MINUTE);
    eventually("it is renewed", async || shown(&gateway, &client).await != Ok(first.clone())).await;
    let second = shown(&gateway, &client).await.expect("what it issued is trusted");
    assert_ne!(first, second);

    // Neither key is to be seen anywhere.
    for place in ["/keystores/own", "/keystores/own/history", "/audit", "/revisions", "/gateway/certificates"]
    {
        let said = expect(&admin.get(place).await, 200).to_string();
        for secret in ["PRIVATE", "credentials", "pkcs8", "challenges"] {
            assert!(!said.contains(secret), "{place}: {said}");
        }
    }
    let audit = expect(&admin.get("/audit").await, 200);
    let newest = &audit["items"][0];
    assert_eq!((&newest["user"], &newest["object"]), (&json!("acme"), &json!("own")), "{newest}");
}

#[tokio::test]
async fn what_goes_wrong_is_told_and_tried_again_with_growing_pauses() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let mut pebble = Pebble::looking_at(nowhere()).await;
    trust(&admin, &pebble).await;
    let made = expect(&admin.post("/keystores", &keystore(&pebble)).await, 201);
    assert!(made.to_string().contains("has no certificate of its authority yet"), "{made}");
    expect(&admin.post("/listeners", &listener()).await, 201);
    let known = becomes(&admin, "failing").await;
    let warnings = gateway.ops("/status").await.json()["configuration"]["warnings"].to_string();
    assert!(warnings.contains("gets no certificate: ") && warnings.contains("port 80"), "{warnings}");
    let problem = known["problem"].as_str().expect("a problem").to_owned();
    for part in ["connection", "example", "/.well-known/acme-challenge/", "port 80", "without TLS"] {
        assert!(problem.contains(part), "{part}: {problem}");
    }
    assert_eq!(
        (&known["loaded"], &known["acme"]["failures"], &known["acme"]["issued"]),
        (&json!(true), &json!(1), &json!(false))
    );
    assert_eq!(until(&gateway, &known["acme"]["triesAgainAt"]), MINUTE);
    // What the gateway shows meanwhile is nobody's.
    let client = pebble.trusted().await;
    let refused = shown(&gateway, &client).await.expect_err("it signed that itself");
    assert!(refused.contains("UnknownIssuer"), "{refused}");

    let failures = async |wanted: u32| {
        let what = format!("it has failed {wanted} times");
        eventually(&what, async || status(&admin).await["acme"]["failures"] == wanted).await;
        status(&admin).await
    };
    pebble.halt();
    gateway.advance(MINUTE);
    let known = failures(2).await;
    assert!(known["problem"].to_string().contains("could not be asked"), "{known}");
    assert_eq!(until(&gateway, &known["acme"]["triesAgainAt"]), 3 * MINUTE);

    // It comes back without its accounts: another one is made, and with that it works.
    pebble.look_at(gateway.address());
    pebble.resume();
    gateway.advance(3 * MINUTE);
    let known = failures(3).await;
    assert!(known["problem"].to_string().contains("accountDoesNotExist"), "{known}");
    gateway.advance(9 * MINUTE);
    let known = becomes(&admin, "valid").await;
    assert_eq!((&known["problem"], &known["acme"]["failures"]), (&Value::Null, &Value::Null), "{known}");
    let first = shown(&gateway, &pebble.trusted().await).await.expect("a certificate");

    // A renewal that does not work leaves the certificate that is there.
    let trusting = pebble.trusted().await;
    pebble.halt();
    gateway.advance(until(&gateway, &known["acme"]["renewsAt"]) + MINUTE);
    let known = failures(1).await;
    assert_eq!(known["acme"]["issued"], true, "{known}");
    assert_eq!(shown(&gateway, &trusting).await, Ok(first));
}

#[tokio::test]
async fn an_authority_that_asks_for_an_account_gets_it_and_knows_it_again() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    let keys = json!({ "externalAccountBindingRequired": true, "externalAccountMACKeys": { "kid-1": key } });
    let pebble = Pebble::with(gateway.address(), keys).await;
    trust(&admin, &pebble).await;
    expect(&admin.post("/keystores", &keystore(&pebble)).await, 201);
    let known = becomes(&admin, "failing").await;
    assert!(known["problem"].to_string().contains("acme.externalAccount"), "{known}");

    // What was changed is tried at once.
    expect(&admin.post("/secrets", &json!({ "name": "mac", "value": key })).await, 201);
    let account = json!({ "keyId": "kid-1", "key": "${secret:mac}" });
    patch(&admin, json!({ "acme": { "externalAccount": account } })).await;
    becomes(&admin, "valid").await;
    // Without the key no other account could be made: it is the one that is there.
    patch(&admin, json!({ "acme": { "externalAccount": null, "names": ["b.example"] } })).await;
    becomes(&admin, "valid").await;
    let listed = expect(&admin.get("/gateway/certificates").await, 200);
    assert!(listed.to_string().contains("Pebble Intermediate"), "{listed}");
}

#[tokio::test]
async fn an_authority_that_wants_to_be_left_alone_is() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let answer = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 7200\r\ncontent-length: 5\r\n\r\nlater";
    let busy = Upstream::bytes(answer).start().await;
    let acme = json!({ "directoryUrl": busy.url(), "names": ["a.example"], "termsOfServiceAgreed": true });
    expect(&admin.post("/keystores", &json!({ "name": "own", "acme": acme })).await, 201);
    let known = becomes(&admin, "failing").await;
    assert!(known["problem"].to_string().contains("answered 503"), "{known}");
    assert_eq!(until(&gateway, &known["acme"]["triesAgainAt"]), 120 * MINUTE);
}

#[tokio::test]
async fn every_node_answers_the_authority_and_has_what_it_issued() {
    let postgres = Postgres::start();
    let (config, directory) = on(&postgres);
    // Where nothing can be kept that is secret, nobody is asked for it.
    let without = Gateway::serving(config.clone()).await;
    let admin = without.administrator();
    let acme = json!({ "directoryUrl": "https://localhost:9/", "names": ["a.example"], "termsOfServiceAgreed": true });
    expect(&admin.post("/keystores", &json!({ "name": "own", "acme": acme })).await, 201);
    let known = status(&admin).await;
    assert_eq!((&known["loaded"], &known["acme"]), (&json!(false), &Value::Null), "{known}");
    assert!(known["problem"].to_string().contains("settings.store.masterKey"), "{known}");
    expect(&admin.delete("/keystores/own").await, 200);

    let key = directory.path().join("key");
    std::fs::write(&key, "0a".repeat(32)).expect("a file that can be written");
    let config =
        config.setting("store.masterKey", json!({ "keys": [format!("${{file:{}}}", key.display())] }));
    let nodes = [Gateway::serving(config.clone()).await, Gateway::serving(config).await];
    let admin = admin.at(&nodes[0]);
    without.stop().await;
    let known = async || {
        let known = expect(&admin.get("/nodes").await, 200)["items"].as_array().cloned();
        known.expect("a list").into_iter().filter(|node| node["live"] == true).collect::<Vec<_>>()
    };
    eventually("both are known", async || known().await.len() == 2).await;
    // The first by its id orders; the authority asks the other one.
    let known = known().await;
    let last = known.iter().max_by_key(|node| node["id"].as_str().map(str::to_owned)).expect("a node");
    let is_last =
        |node: &&Gateway| node.inner().admin().is_some_and(|address| last["address"] == address.to_string());
    let other = nodes.iter().find(is_last).expect("one of the two");

    let pebble = Pebble::looking_at(other.address()).await;
    trust(&admin, &pebble).await;
    expect(&admin.post("/keystores", &keystore(&pebble)).await, 201);
    becomes(&admin, "valid").await;
    expect(&admin.post("/listeners", &listener()).await, 201);
    let client = pebble.trusted().await;
    for node in &nodes {
        eventually("it has the certificate", async || {
            node.inner().listeners().iter().any(|listener| listener.tls) && shown(node, &client).await.is_ok()
        })
        .await;
    }
    assert_eq!(shown(&nodes[0], &client).await, shown(&nodes[1], &client).await);
}

#[tokio::test]
async fn what_no_authority_would_issue_is_refused_before_anybody_is_asked() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let acme = json!({ "directoryUrl": "https://acme.example/", "names": ["a.example"], "termsOfServiceAgreed": true });
    for (change, path, why) in [
        (json!({ "names": ["*.example.com"] }), "acme.names[0]", "without a wildcard"),
        (json!({ "names": [] }), "acme.names", "1"),
        (json!({ "termsOfServiceAgreed": false }), "acme.termsOfServiceAgreed", "do not agree"),
        (json!({ "directoryUrl": "http://acme.example/" }), "acme.directoryUrl", "https://"),
        (json!({ "truststore": "none" }), "acme.truststore", "`none`, which is no truststore"),
    ] {
        let mut acme = acme.clone();
        change.as_object().expect("an object").iter().for_each(|(key, value)| acme[key] = value.clone());
        let refused = expect(&admin.post("/keystores", &json!({ "name": "own", "acme": acme })).await, 422);
        assert_eq!(refused["errors"][0]["path"], path, "{refused}");
        assert!(refused["errors"][0].to_string().contains(why), "{refused}");
    }
    let both = json!({ "name": "own", "file": "own.pem", "acme": acme });
    assert_eq!(expect(&admin.post("/keystores", &both).await, 422)["errors"][0]["path"], "file");
    // There is nobody to keep what would come of it.
    let refused = Gateway::start(managed().append("keystores", json!({ "name": "own", "acme": acme }))).await;
    let refused = refused.err().expect("it does not start").to_string();
    assert!(refused.contains("keystores[0].acme") && refused.contains("gatewright apply"), "{refused}");
}

#[tokio::test]
async fn an_order_that_was_cut_off_begins_again() {
    let folder = tempfile::tempdir().expect("temporary folders can be made");
    let config = managed().setting("dataDirectory", folder.path().display().to_string());
    let gateway = Gateway::serving(config.clone()).await;
    let admin = gateway.administrator();
    // Whoever the authority asks does not answer.
    let silent = Upstream::silent().start().await;
    let mut pebble = Pebble::looking_at(silent.address()).await;
    trust(&admin, &pebble).await;
    expect(&admin.post("/keystores", &keystore(&pebble)).await, 201);
    becomes(&admin, "ordering").await;
    gateway.stop().await;
    pebble.halt();

    let gateway = Gateway::serving(config).await;
    let known = becomes(&admin.at(&gateway), "failing").await;
    assert!(known["problem"].to_string().contains("could not be asked"), "{known}");
}

#[tokio::test]
async fn names_are_validated_over_tls_where_that_is_wanted() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    // What is there counts until the authority has issued another one.
    let authority = Authority::new();
    let own = authority.issue(&["a.example"]);
    let content = format!("{}{}", own.certificate, own.key);
    expect(&admin.post("/keystores", &json!({ "name": "own", "content": content })).await, 201);
    expect(&admin.post("/listeners", &listener()).await, 201);
    let tls_port = json!({ "tlsPort": gateway.tls_address().port() });
    let pebble = Pebble::with(nowhere(), tls_port).await;
    trust(&admin, &pebble).await;
    // A client that speaks nothing but what authorities do gets nowhere, while nothing is ordered.
    let validation = authority.client(&["acme-tls/1"], None);
    assert!(gateway.tls_stream("a.example", Arc::clone(&validation)).await.is_err());
    assert_eq!(shown(&gateway, &authority.client(&[], None)).await, Ok(own.der().to_vec()));

    let mut acme = keystore(&pebble)["acme"].clone();
    acme["challenge"] = "tls-alpn-01".into();
    patch(&admin, json!({ "acme": acme })).await;
    becomes(&admin, "valid").await;
    shown(&gateway, &pebble.trusted().await).await.expect("what it issued is trusted");
    assert!(gateway.tls_stream("a.example", validation).await.is_err());
}
