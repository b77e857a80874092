//! Keystores and truststores: made by OpenSSL, opened with their passwords, used by listeners, upstreams and signatures,
//! replaced while the gateway runs, listed and measured.

use std::{path::Path, process::Command, time::Duration};

use base64ct::{Base64, Encoding};
use testkit::{Authority, Config, Gateway, Identity, Upstream, Value, api, json, json_request};

use crate::manager::{code, expect, managed};

const PASSWORD: &str = "correct-horse-battery";

/// A PKCS#12 file that OpenSSL makes.
fn pkcs12(identity: &Identity, alias: &str, password: &str, more: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("temporary folders can be made");
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("all.pem"), format!("{}{}", identity.key, identity.certificate)).expect("a file");
    openssl(
        folder.path(),
        &[
            &["pkcs12", "-export", "-in", "all.pem", "-out", "out.p12", "-name", alias],
            more,
            &["-passout", &format!("pass:{password}")],
        ]
        .concat(),
    );
    std::fs::read(path("out.p12")).expect("what openssl wrote")
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let ended = Command::new("openssl").current_dir(folder).args(arguments).output().expect("openssl");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

/// A keystore as an asset, whose password is a secret of the manager.
fn asset(content: &[u8]) -> Value {
    json!({ "name": "own", "content": Base64::encode_string(content), "password": "${secret:pass}" })
}

fn listener() -> Value {
    json!({ "name": "tls", "address": "127.0.0.1:0", "tls": { "keys": [{ "keystore": "own" }] } })
}

async fn shown(gw: &Gateway, authority: &Authority) -> Vec<u8> {
    let stream = gw.tls_stream("a.example", authority.client(&[], None)).await.expect("a handshake");
    stream.get_ref().1.peer_certificates().expect("a certificate")[0].to_vec()
}

#[tokio::test]
async fn a_keystore_in_the_store_serves_a_listener_and_is_replaced_without_a_restart() {
    let authority = Authority::new();
    let (old, new) = (authority.issue(&["a.example"]), authority.issue(&["a.example"]));
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    expect(&admin.post("/secrets", &json!({ "name": "pass", "value": PASSWORD })).await, 201);
    let refused = expect(&admin.post("/listeners", &listener()).await, 422);
    assert!(refused.to_string().contains("`own`, which is no keystore"), "{refused}");

    // What is no keystore is refused, with where and why.
    for (content, why) in [
        (b"hello".to_vec(), "neither PEM nor PKCS#12"),
        (vec![0x30, 0x82, 1], "no PKCS#12 in DER"),
        (vec![0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2], "a JKS keystore"),
        (pkcs12(&old, "web", PASSWORD, &["-nomac"]), "has no MAC"),
        (authority.pem().into_bytes(), "no private key"),
    ] {
        let refused = expect(&admin.post("/keystores", &asset(&content)).await, 422);
        assert!(refused.to_string().contains(why), "{why}: {refused}");
        assert_eq!(refused["errors"][0]["path"], "content", "{refused}");
    }

    // With a wrong password it is kept, is not loaded, and nobody can use it.
    expect(&admin.post("/keystores", &asset(&pkcs12(&old, "web", "another", &[]))).await, 201);
    let known = expect(&admin.get("/gateway/certificates").await, 200);
    assert_eq!(
        known["stores"],
        json!([
            { "kind": "keystore", "name": "own", "loaded": false, "problem": "the password is wrong" }
        ])
    );
    let refused = expect(&admin.post("/listeners", &listener()).await, 422);
    assert!(refused.to_string().contains("not loaded: the password is wrong"), "{refused}");

    let put = async |content: &[u8]| {
        let content = json!({ "content": Base64::encode_string(content) });
        expect(&admin.send(json_request("PATCH", "/keystores/own", &content)).await, 200)
    };
    put(&pkcs12(&old, "web", PASSWORD, &[])).await;
    expect(&admin.post("/listeners", &listener()).await, 201);
    assert_eq!(shown(&gateway, &authority).await, old.der().to_vec());
    let changed = put(&pkcs12(&new, "web", PASSWORD, &[])).await;
    assert_eq!(shown(&gateway, &authority).await, new.der().to_vec());
    assert!(changed.get("content").is_none() && !changed.to_string().contains("MII"), "{changed}");

    // What a listener needs cannot be taken from under it.
    assert_eq!(admin.delete("/keystores/own").await.status(), 422);
    let wrong = json!({ "content": Base64::encode_string(&pkcs12(&new, "web", "another", &[])) });
    assert_eq!(admin.send(json_request("PATCH", "/keystores/own", &wrong)).await.status(), 422);
    assert_eq!(shown(&gateway, &authority).await, new.der().to_vec());
}

/// Somebody who may change APIs and not what keeps them secure.
async fn provider(gateway: &Gateway) -> testkit::Admin {
    let admin = gateway.administrator();
    expect(&admin.post("/users", &json!({ "name": "pat", "groups": ["API-Gateway-Providers"] })).await, 201);
    let password = json!({ "password": "correct horse" });
    assert_eq!(admin.send(json_request("PUT", "/users/pat/password", &password)).await.status(), 204);
    gateway.admin("pat", "correct horse")
}

/// An API that signs tokens with a key of the keystore `own`.
fn signing(name: &str) -> Value {
    let method = json!({ "method": "jwt", "algorithm": "ES256", "signingKey": { "keystore": "own" } });
    let policy = json!({ "type": "outboundAuthentication", "config": method });
    json!({ "name": name, "basePath": format!("/{name}"), "upstream": "http://127.0.0.1:9", "policies": [policy] })
}

#[tokio::test]
async fn nobody_gives_keys_away_but_who_keeps_things_secure_and_whom_they_let() {
    let authority = Authority::new();
    let own = authority.issue(&["a.example"]);
    let gateway = Gateway::serving(managed()).await;
    let (admin, pat) = (gateway.administrator(), provider(&gateway).await);
    let keystore = json!({ "name": "own", "content": format!("{}{}", own.certificate, own.key) });
    expect(&admin.post("/keystores", &keystore).await, 201);

    // By default nobody, whatever takes the key, and whether there is such a keystore or not.
    let upstream = |keystore: &str| {
        let tls = json!({ "key": { "keystore": keystore } });
        json!({ "name": "bank", "endpoints": [{ "url": "https://bank.internal" }], "tls": tls })
    };
    let refused = pat.post("/apis", &signing("orders")).await;
    let problem = expect(&refused, 403);
    assert_eq!(problem["code"], "keystore_not_usable");
    for part in ["`api:orders:1.0`", "`own`", "Manage security configurations", "usableBy"] {
        assert!(problem["detail"].to_string().contains(part), "{part}: {problem}");
    }
    for keystore in ["own", "none"] {
        let refused = pat.post("/upstreams", &upstream(keystore)).await;
        assert_eq!(code(&refused, 403), "keystore_not_usable", "{keystore}");
    }
    let dry = json_request("POST", "/apis?dryRun=true", &signing("orders"));
    assert_eq!(code(&pat.send(dry).await, 403), "keystore_not_usable");
    let rights = json_request("PATCH", "/keystores/own", &json!({ "usableBy": ["api:orders:*"] }));
    assert_eq!(code(&pat.send(rights).await, 403), "forbidden");

    // Whoever may, gives it; the API keeps it whoever changes it afterwards, and a copy of it gets none.
    expect(&admin.post("/apis", &signing("orders")).await, 201);
    let described = json_request("PATCH", "/apis/orders:1.0", &json!({ "description": "All orders" }));
    expect(&pat.send(described).await, 200);
    assert_eq!(code(&pat.post("/apis", &signing("copy")).await, 403), "keystore_not_usable");
    let without = json_request("PATCH", "/apis/orders:1.0", &json!({ "policies": null }));
    expect(&pat.send(without).await, 200);
    let again =
        json_request("PATCH", "/apis/orders:1.0", &json!({ "policies": signing("orders")["policies"] }));
    assert_eq!(code(&pat.send(again).await, 403), "keystore_not_usable", "what was given away is gone");

    let usable = json_request("PATCH", "/keystores/own", &json!({ "usableBy": ["api:mine*"] }));
    expect(&admin.send(usable).await, 200);
    expect(&pat.post("/apis", &signing("mine")).await, 201);
    assert_eq!(code(&pat.post("/apis", &signing("other")).await, 403), "keystore_not_usable");
}

#[tokio::test]
async fn stores_in_files_serve_upstreams_that_ask_for_a_certificate() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let server = authority.issue(&["127.0.0.1"]);
    let upstream = Upstream::text("ok").tls(server.server(&["http/1.1"], Some(&clients))).start().await;
    let own = clients.issue(&["gateway"]);
    for (key, truststore, status) in [
        (json!({ "keystore": "partners" }), "ours", 200),
        (Value::Null, "ours", 502),
        (json!({ "keystore": "partners", "alias": "key" }), "others", 502),
    ] {
        let mut tls = json!({ "truststore": truststore });
        if !key.is_null() {
            tls["key"] = key;
        }
        let doc = json!({ "endpoints": [{ "url": upstream.url() }], "tls": tls });
        let config = Config::from(api("/a", "up"))
            .upstream("up", doc)
            .file("own.pem", format!("{}{}", own.certificate, own.key))
            .file("ours.pem", authority.pem())
            .file("others.pem", clients.pem())
            .append("keystores", json!({ "name": "partners", "file": "own.pem" }))
            .append("truststores", json!({ "name": "ours", "file": "ours.pem" }))
            .append("truststores", json!({ "name": "others", "file": "others.pem" }));
        let gateway = Gateway::serving(config).await;
        assert_eq!(gateway.get("/a").await.status(), status, "{tls}");
    }
}

#[tokio::test]
async fn certificates_are_listed_and_what_is_left_of_them_is_measured() {
    let authority = Authority::new();
    let own = authority.issue(&["a.example"]);
    let upstream = Upstream::text("ok").start().await;
    let config = Config::from(api("/a", &upstream))
        .file("own.pem", format!("{}{}", own.certificate, own.key))
        .append("keystores", json!({ "name": "own", "file": "own.pem" }));
    let gateway = Gateway::serving(config).await;
    let listed = gateway.ops("/certificates").await.json();
    let one = &listed["certificates"][0];
    assert_eq!(
        (&one["kind"], &one["name"], &one["alias"]),
        (&json!("keystore"), &json!("own"), &json!("key"))
    );
    assert_eq!(one["fingerprint"].as_str().map(str::len), Some(64));
    let left = async || {
        let metrics = gateway.ops("/metrics").await.text().to_owned();
        let line = metrics.lines().find(|line| line.starts_with("gatewright_certificate_expiry_seconds{"));
        let value = line.and_then(|line| line.rsplit(' ').next()).expect("the metric");
        value.parse::<i64>().expect("a number")
    };
    let before = left().await;
    assert!(before > 0, "{before}");
    gateway.advance(Duration::from_secs(60));
    assert_eq!(left().await, before - 60);
}
