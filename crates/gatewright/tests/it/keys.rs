//! Keystores and truststores: made by OpenSSL, opened with their passwords, used by listeners, upstreams and signatures,
//! replaced while the gateway runs, listed and measured.

use std::{path::Path, process::Command, time::Duration};

use base64ct::{Base64, Encoding};
use testkit::{Authority, Config, Gateway, Identity, Upstream, Value, api, eventually, json, json_request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    command_line::Shell,
    manager::{code, expect, managed},
};

const PASSWORD: &str = "correct-horse-battery";
const DAY: Duration = Duration::from_secs(86_400);

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

/// The same as a JKS file, which `keytool` makes of it. Its key has a password of its own.
fn jks(identity: &Identity, alias: &str, password: &str, of_key: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("temporary folders can be made");
    std::fs::write(folder.path().join("in.p12"), pkcs12(identity, alias, password, &[])).expect("a file");
    let source = ["-srckeystore", "in.p12", "-srcstoretype", "pkcs12", "-srcstorepass", password];
    let target = ["-destkeystore", "out.jks", "-deststoretype", "jks", "-deststorepass", password];
    let own = ["-srcalias", alias, "-destkeypass", of_key, "-noprompt"];
    keytool(folder.path(), &[&["-importkeystore"][..], &source, &target, &own].concat());
    std::fs::read(folder.path().join("out.jks")).expect("what keytool wrote")
}

fn keytool(folder: &Path, arguments: &[&str]) {
    let ended = Command::new("keytool").current_dir(folder).args(arguments).output().expect("keytool");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
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
        (b"hello".to_vec(), "neither PEM nor PKCS#12 nor JKS"),
        (vec![0x30, 0x82, 1], "no PKCS#12 in DER"),
        (vec![0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2], "begins like a JKS keystore, and is damaged"),
        (vec![0xce, 0xce, 0xce, 0xce, 0, 0, 0, 2], "a JCEKS keystore"),
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

#[tokio::test]
async fn a_keystore_of_java_is_read_with_a_password_for_each_key() {
    let authority = Authority::new();
    let own = authority.issue(&["a.example"]);
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    for (name, value) in [("pass", PASSWORD), ("web", "the-key's-own")] {
        expect(&admin.post("/secrets", &json!({ "name": name, "value": value })).await, 201);
    }
    let content = jks(&own, "web", PASSWORD, "the-key's-own");
    // The store opens, and its key does not.
    expect(&admin.post("/keystores", &asset(&content)).await, 201);
    let refused = expect(&admin.post("/listeners", &listener()).await, 422);
    assert!(refused.to_string().contains("not loaded: the password of the key `web` is wrong"), "{refused}");
    let patch = async |patch: Value| admin.send(json_request("PATCH", "/keystores/own", &patch)).await;
    expect(&patch(json!({ "keyPasswords": { "web": "${secret:web}" } })).await, 200);
    expect(&admin.post("/listeners", &listener()).await, 201);
    assert_eq!(shown(&gateway, &authority).await, own.der().to_vec());

    // Nothing that was changed is believed, and no length in it.
    for at in [4, 11, 20, 40, content.len() / 2, content.len() - 1] {
        let mut other = content.clone();
        other[at] ^= 0xff;
        let changed = patch(json!({ "content": Base64::encode_string(&other) })).await;
        assert!(expect(&changed, 422).to_string().contains("the password is wrong"), "{at}");
    }
    let short = patch(json!({ "content": Base64::encode_string(&content[..15]) })).await;
    assert!(expect(&short, 422).to_string().contains("damaged"));

    // The same for a truststore, and for PKCS#12 whose key is under another password.
    let folder = tempfile::tempdir().expect("temporary folders can be made");
    std::fs::write(folder.path().join("ca.pem"), authority.pem()).expect("a file");
    let made = ["-importcert", "-file", "ca.pem", "-alias", "ca", "-noprompt"];
    let into = ["-keystore", "trust.jks", "-storetype", "jks", "-storepass", PASSWORD];
    keytool(folder.path(), &[&made[..], &into].concat());
    let trusted = std::fs::read(folder.path().join("trust.jks")).expect("what keytool wrote");
    expect(&admin.post("/truststores", &asset(&trusted)).await, 201);
    let known = expect(&admin.get("/gateway/certificates").await, 200);
    assert!(
        known["stores"].as_array().is_some_and(|stores| stores.iter().all(|store| store["loaded"] == true)),
        "{known}"
    );
    expect(
        &patch(json!({ "content": Base64::encode_string(&pkcs12(&own, "web", PASSWORD, &[])) })).await,
        422,
    );
    let without = json!({ "content": Base64::encode_string(&pkcs12(&own, "web", PASSWORD, &[])), "keyPasswords": null });
    expect(&patch(without).await, 200);
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
async fn tokens_for_upstreams_are_signed_with_a_key_of_a_keystore_and_with_its_successor() {
    let authority = Authority::new();
    let (old, new) = (authority.issue(&["a.example"]), authority.issue(&["a.example"]));
    let upstream = Upstream::echo().start().await;
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let content = |key: &Identity| json!({ "content": format!("{}{}", key.certificate, key.key) });
    let mut keystore = content(&old);
    keystore["name"] = "own".into();
    expect(&admin.post("/keystores", &keystore).await, 201);
    let mut api = signing("orders");
    api["upstream"] = upstream.url().into();
    expect(&admin.post("/apis", &api).await, 201);
    // Who has signed what the upstream got.
    let signed_by = async |key: &Identity| {
        assert_eq!(gateway.get("/orders").await.status(), 200);
        let seen = upstream.last();
        let token = seen.headers.get("authorization").and_then(|value| value.to_str().ok());
        let token = token.and_then(|value| value.strip_prefix("Bearer ")).expect("a token").to_owned();
        let keys = jose::KeySet::of_pem(key.certificate.as_bytes()).expect("a certificate");
        let token = jose::Compact::parse(&token).expect("a token");
        keys.verify(&token, &[jose::Algorithm::Es256]).is_ok()
    };
    assert!(signed_by(&old).await && !signed_by(&new).await);
    expect(&admin.send(json_request("PATCH", "/keystores/own", &content(&new))).await, 200);
    assert!(signed_by(&new).await && !signed_by(&old).await, "the new key signs at once");

    for (key, problem) in [
        (json!({ "keystore": "none" }), "`none`, which is no keystore"),
        (json!({ "keystore": "own", "alias": "none" }), "`none`, which is no key of the keystore `own`"),
    ] {
        let mut wrong = api.clone();
        wrong["policies"][0]["config"]["signingKey"] = key;
        let refused = expect(&admin.put("/apis/orders:1.0", &wrong).await, 422).to_string();
        assert!(refused.contains(problem) && refused.contains("signingKey"), "{refused}");
    }
    let mut wrong = api.clone();
    wrong["policies"][0]["config"]["algorithm"] = "RS256".into();
    assert_eq!(code(&admin.put("/apis/orders:1.0", &wrong).await, 422), "invalid", "the key is on P-256");
    assert!(signed_by(&new).await);
}

#[tokio::test]
async fn upstreams_fetch_the_public_keys_of_their_tokens_and_for_a_day_those_before() {
    let authority = Authority::new();
    let (old, new) = (authority.issue(&["a.example"]), authority.issue(&["a.example"]));
    let upstream = Upstream::echo().start().await;
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let content = |key: &Identity| json!({ "content": format!("{}{}", key.certificate, key.key) });
    let mut keystore = content(&old);
    keystore["name"] = "own".into();
    expect(&admin.post("/keystores", &keystore).await, 201);
    let mut api = signing("orders");
    api["upstream"] = upstream.url().into();
    expect(&admin.post("/apis", &api).await, 201);
    let keys =
        json!({ "name": "keys", "basePath": "/jwks.json", "policies": [{ "type": "upstreamTokenKeys" }] });
    expect(&admin.post("/apis", &keys).await, 201);
    let published = async || {
        let answer = gateway.get("/jwks.json").await;
        assert_eq!((answer.status(), answer.header("content-type")), (200, "application/jwk-set+json"));
        assert_eq!(answer.header("cache-control"), "public, max-age=300");
        let text = answer.text();
        assert!(!text.contains(r#""d""#), "a private part: {text}");
        let (keys, unusable) = jose::KeySet::of_jwks(text.as_bytes()).expect("a JWK Set");
        assert!(unusable.is_empty(), "{unusable:?}");
        keys
    };
    let token = async || {
        assert_eq!(gateway.get("/orders").await.status(), 200);
        let seen = upstream.last();
        let token = seen.headers.get("authorization").and_then(|value| value.to_str().ok());
        token.and_then(|value| value.strip_prefix("Bearer ")).expect("a token").to_owned()
    };
    let verifies = |keys: &jose::KeySet, token: &str| {
        let token = jose::Compact::parse(token).expect("a token");
        keys.verify(&token, &[jose::Algorithm::Es256]).is_ok()
    };
    let first = token().await;
    assert!(verifies(&published().await, &first));
    // Its header names the key.
    let head = first.split('.').next().and_then(|head| base64ct::Base64UrlUnpadded::decode_vec(head).ok());
    let head: Value = serde_json::from_slice(&head.unwrap_or_default()).expect("a header");
    assert_eq!(head["kid"].as_str().map(str::len), Some(43), "{head}");

    expect(&admin.send(json_request("PATCH", "/keystores/own", &content(&new))).await, 200);
    let second = token().await;
    eventually("what signed with the old key is gone", async || {
        gateway.advance(DAY);
        published().await.len() == 1
    })
    .await;
    let keys = published().await;
    assert!(verifies(&keys, &second) && !verifies(&keys, &first), "one day is over");

    expect(&admin.send(json_request("PATCH", "/keystores/own", &content(&old))).await, 200);
    let keys = published().await;
    assert!(verifies(&keys, &first) && verifies(&keys, &second), "both, for tokens that are on their way");
}

#[tokio::test]
async fn a_listener_lets_in_whose_certificate_is_of_its_client_truststore() {
    let (authority, partners, others) = (Authority::new(), Authority::new(), Authority::new());
    let own = authority.issue(&["a.example"]);
    let upstream = Upstream::text("hello").start().await;
    let mut tls = listener();
    tls["tls"]["clientCertificate"] = "required".into();
    tls["tls"]["clientTruststore"] = "partners".into();
    let config = Config::from(api("/a", &upstream))
        .append("listeners", tls)
        .file("own.pem", format!("{}{}", own.certificate, own.key))
        .file("partners.pem", partners.pem())
        .append("keystores", json!({ "name": "own", "file": "own.pem" }))
        .append("truststores", json!({ "name": "partners", "file": "partners.pem" }));
    let gateway = Gateway::serving(config).await;
    // With TLS 1.3 a client learns that it is refused by what comes instead of an answer.
    let answered = async |identity: Option<&Identity>| {
        let Ok(mut stream) = gateway.tls_stream("a.example", authority.client(&[], identity)).await else {
            return String::new();
        };
        let request = b"GET /a HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n";
        let mut answer = Vec::new();
        if stream.write_all(request).await.is_err() || stream.read_to_end(&mut answer).await.is_err() {
            return String::new();
        }
        String::from_utf8_lossy(&answer).into_owned()
    };
    let (partner, other) = (partners.issue(&["partner"]), others.issue(&["partner"]));
    assert!(answered(Some(&partner)).await.starts_with("HTTP/1.1 200"));
    for refused in [Some(&other), None] {
        assert_eq!(answered(refused).await, "");
    }
}

#[tokio::test]
async fn keystores_are_applied_from_files_where_the_command_runs() {
    let authority = Authority::new();
    let (pem, packed) = (authority.issue(&["a.example"]), authority.issue(&["b.example"]));
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let folder = tempfile::tempdir().expect("temporary folders can be made");
    let write = |name: &str, content: &[u8]| {
        std::fs::write(folder.path().join(name), content).expect("a file");
        format!("${{file:{}}}", folder.path().join(name).display())
    };
    let set = json!({
        "secrets": [{ "name": "pass", "value": PASSWORD }],
        "keystores": [
            { "name": "pem", "content": write("a.pem", format!("{}{}", pem.certificate, pem.key).as_bytes()) },
            {
                "name": "packed",
                "content": write("b.p12", &pkcs12(&packed, "web", PASSWORD, &[])),
                "password": "${secret:pass}",
            },
        ],
        "truststores": [{ "name": "ca", "content": write("ca.pem", authority.pem().as_bytes()) }],
    });
    std::fs::write(folder.path().join("set.yaml"), set.to_string()).expect("a file");
    let shell = Shell { gateway: &gateway, folder: folder.path(), password: admin.password().to_owned() };
    shell.good(&["apply", "-f", "set.yaml"]).await;
    let known = expect(&admin.get("/gateway/certificates").await, 200);
    let stores = known["stores"].as_array().expect("stores");
    assert!(stores.len() == 3 && stores.iter().all(|store| store["loaded"] == true), "{known}");
    assert!(known["certificates"].to_string().contains("CN=b.example"), "{known}");
    assert!(shell.good(&["plan", "-f", "set.yaml"]).await.contains("nothing is different"));

    std::fs::remove_file(folder.path().join("b.p12")).expect("a file");
    let said = shell.bad(&["apply", "-f", "set.yaml"]).await;
    assert!(said.contains("packed") && said.contains("b.p12"), "{said}");
}

#[tokio::test]
async fn certificates_that_expire_soon_are_told_of_once_at_30_days_at_7_and_at_1() {
    let authority = Authority::new();
    // The clock of tests begins at 2026-01-15T10:00:00Z: this is 31 days later, less ten hours.
    let soon = authority.issue_until(&["a.example"], 2026, 2, 15);
    let long = authority.issue(&["b.example"]);
    let upstream = Upstream::text("ok").start().await;
    // Events of the first step are looked at when weeks have passed.
    let config = Config::from(api("/a", &upstream))
        .setting("events.retention", "365d")
        .file("soon.pem", format!("{}{}", soon.certificate, soon.key))
        .file("long.pem", format!("{}{}", long.certificate, long.key))
        .append("keystores", json!({ "name": "soon", "file": "soon.pem" }))
        .append("keystores", json!({ "name": "long", "file": "long.pem" }));
    let gateway = Gateway::serving(config).await;
    let told = async || crate::monitoring::alerts(&gateway).await;
    assert_eq!(told().await, [""; 0], "there is more time");
    let mut expected = Vec::new();
    for (days, new) in [
        (1, Some("daysLeft <= 30 was 29")),
        (23, Some("daysLeft <= 7 was 6")),
        (6, Some("daysLeft <= 1 was 0")),
        (1, None),
    ] {
        gateway.advance(DAY * days);
        expected.extend(new);
        eventually("it is told", async || told().await.len() >= expected.len()).await;
        // Once for each step, however often it is looked.
        gateway.advance(Duration::from_secs(60));
        gateway.advance(Duration::from_secs(60));
        assert_eq!(told().await, expected);
    }
    let events = gateway.events("type=Monitor&limit=10").await;
    let text = json!(events).to_string();
    assert!(text.contains("CN=a.example") && !text.contains("CN=b.example"), "{text}");
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
