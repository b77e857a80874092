//! Requests that are signed, and passwords that are not sent: who has made them, that nobody changes them, and that each
//! counts once.

use base64ct::{Base64, Encoding};
use tempfile::TempDir;
use testkit::{Config, Gateway, MINUTE, Request, SECOND, START, Signer, Upstream, Value, api, json, request};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256(text: &str) -> String {
    hex(&testkit::sha256(text))
}

fn mac(secret: &str, text: &str) -> String {
    Base64::encode_string(&Signer::hs256("x", secret).sign_bytes(text.as_bytes()))
}

fn secret_file(directory: &TempDir, name: &str, text: &str) -> String {
    let path = directory.path().join(name);
    std::fs::write(&path, text).expect("a file that can be written");
    format!("${{file:{}}}", path.display())
}

/// An API `a` with one rule, and an application `shop` with these keys.
fn by_rule(upstream: &Upstream, rule: Value, keys: Value) -> Config {
    Config::from(api("/a", upstream).policy("identifyAndAuthorize", json!({ "rules": [rule] })))
        .append("applications", json!({ "name": "shop", "apis": ["a"], "signingKeys": keys }))
}

fn now() -> u64 {
    START.seconds()
}

/// What a client has to do, in a few lines.
struct Hmac<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    body: &'a str,
    time: u64,
    nonce: &'a str,
    key: &'a str,
    secret: &'a str,
}

impl Hmac<'_> {
    fn header(&self) -> String {
        let Self { method, path, query, time, nonce, .. } = self;
        let digest = sha256(self.body);
        let text = format!(
            "HMAC-SHA256\n{method}\n{path}\n{query}\n{time}\n{nonce}\n{digest}\nhost x-tenant\nhost:shop.example\nx-tenant:red"
        );
        let signature = mac(self.secret, &text);
        format!(
            "HMAC-SHA256 key=\"{}\", time=\"{time}\", nonce=\"{nonce}\", headers=\"host x-tenant\", signature=\"{signature}\"",
            self.key
        )
    }
}

fn signed(header: &str, method: &str, target: &str, body: &str, tenant: &str) -> Request {
    request(method, target)
        .header("host", "shop.example")
        .header("x-tenant", tenant)
        .header("authorization", header)
        .body(testkit::body::full(body.to_owned()))
}

#[tokio::test]
async fn a_signed_request_passes_once_and_only_as_it_was_signed() {
    let secrets = tempfile::tempdir().expect("a directory");
    let upstream = Upstream::echo().start().await;
    let keys = json!([
        { "id": "shop-1", "secret": secret_file(&secrets, "one", SECRET) },
        { "id": "shop-old", "secret": secret_file(&secrets, "old", SECRET), "expires": "2026-01-01T00:00:00Z" },
    ]);
    let rule = json!({ "type": "hmacSignature", "signedHeaders": ["host", "x-tenant"] });
    let gw = Gateway::serving(by_rule(&upstream, rule, keys)).await;
    let good = Hmac {
        method: "POST",
        path: "/a/orders",
        query: "x=1&y=%20",
        body: "{\"n\":1}",
        time: now(),
        nonce: "nonce-0001",
        key: "shop-1",
        secret: SECRET,
    };
    let target = "/a/orders?x=1&y=%20";
    let response = gw.send(signed(&good.header(), "POST", target, good.body, "red")).await;
    assert_eq!(response.status(), 200, "{}", response.text());
    assert_eq!(gw.explain(&response).await.application.as_deref(), Some("shop"));
    assert_eq!(upstream.last().header("authorization"), "", "the signature goes no further");

    let header = |nonce: &str| Hmac { nonce, ..good }.header();
    for (what, request, reason) in [
        ("again", signed(&good.header(), "POST", target, good.body, "red"), "signature_replayed"),
        ("body", signed(&header("nonce-0002"), "POST", target, "{\"n\":2}", "red"), "signature_wrong"),
        ("no body", signed(&header("nonce-0002"), "POST", target, "", "red"), "signature_wrong"),
        ("method", signed(&header("nonce-0002"), "PUT", target, good.body, "red"), "signature_wrong"),
        (
            "path",
            signed(&header("nonce-0002"), "POST", "/a/other?x=1&y=%20", good.body, "red"),
            "signature_wrong",
        ),
        (
            "query",
            signed(&header("nonce-0002"), "POST", "/a/orders?y=%20&x=1", good.body, "red"),
            "signature_wrong",
        ),
        ("header", signed(&header("nonce-0002"), "POST", target, good.body, "blue"), "signature_wrong"),
        (
            "header twice",
            signed(&header("nonce-0002"), "POST", target, good.body, "red").header("x-tenant", "red"),
            "signature_wrong",
        ),
        (
            "key",
            signed(&Hmac { key: "shop-2", ..good }.header(), "POST", target, good.body, "red"),
            "signature_wrong",
        ),
        (
            "expired key",
            signed(&Hmac { key: "shop-old", ..good }.header(), "POST", target, good.body, "red"),
            "signature_wrong",
        ),
        (
            "old",
            signed(&Hmac { time: now() - 301, ..good }.header(), "POST", target, good.body, "red"),
            "signature_time",
        ),
        (
            "early",
            signed(&Hmac { time: now() + 301, ..good }.header(), "POST", target, good.body, "red"),
            "signature_time",
        ),
        (
            "not covered",
            signed(&good.header().replace("host x-tenant", "host"), "POST", target, good.body, "red"),
            "signature_incomplete",
        ),
        (
            "time",
            signed(&good.header().replace("time=\"", "time=\"-"), "POST", target, good.body, "red"),
            "signature_malformed",
        ),
        (
            "twice",
            signed(&good.header(), "POST", target, good.body, "red").header("authorization", "Basic eA=="),
            "signature_malformed",
        ),
        ("nothing", signed("HMAC-SHA256 x", "POST", target, good.body, "red"), "signature_malformed"),
        (
            "long",
            signed(&format!("HMAC-SHA256 key=\"{}\"", "x".repeat(6000)), "POST", target, "", "red"),
            "signature_malformed",
        ),
        ("another scheme", signed("Bearer x", "POST", target, good.body, "red"), "credentials_missing"),
    ] {
        let refused = gw.send(request).await;
        assert_eq!((refused.status(), refused.reason().as_str()), (401, reason), "{what}");
        assert_eq!(refused.header("www-authenticate"), "HMAC-SHA256 headers=\"host x-tenant\"", "{what}");
    }
    // What failed has used up no nonce.
    let response = gw.send(signed(&header("nonce-0002"), "POST", target, good.body, "red")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(upstream.count(), 2);
}

/// A signature over method, target, and body if there is one.
fn message_signature(signer: &Signer, method: &str, target: &str, body: &str, parameters: &str) -> Request {
    let digest = Base64::encode_string(&testkit::sha256(body));
    let digest = format!("sha-256=:{digest}:");
    let list = match body.is_empty() {
        true => "(\"@method\" \"@target-uri\")",
        false => "(\"@method\" \"@target-uri\" \"content-digest\")",
    };
    let mut base = format!("\"@method\": {method}\n\"@target-uri\": http://shop.example{target}\n");
    if !body.is_empty() {
        base.push_str(&format!("\"content-digest\": {digest}\n"));
    }
    base.push_str(&format!("\"@signature-params\": {list}{parameters}"));
    let signature = Base64::encode_string(&signer.sign_bytes(base.as_bytes()));
    let request = request(method, target)
        .header("host", "shop.example")
        .header("signature-input", &format!("sig1={list}{parameters}"))
        .header("signature", &format!("sig1=:{signature}:"));
    match body.is_empty() {
        true => request,
        false => request.header("content-digest", &digest).body(testkit::body::full(body.to_owned())),
    }
}

#[tokio::test]
async fn message_signatures_of_every_algorithm_identify_their_application() {
    let secrets = tempfile::tempdir().expect("a directory");
    let upstream = Upstream::echo().start().await;
    let (p256, ed25519, rsa) = (Signer::es256("x"), Signer::eddsa("x"), Signer::rs256("x"));
    let secret = Signer::hs256("x", SECRET);
    let keys = json!([
        { "id": "p256", "publicKey": p256.pem() },
        { "id": "ed25519", "publicKey": ed25519.pem() },
        { "id": "rsa", "publicKey": rsa.pem() },
        { "id": "secret", "secret": secret_file(&secrets, "one", SECRET) },
    ]);
    let gw = Gateway::serving(by_rule(&upstream, json!({ "type": "httpMessageSignature" }), keys)).await;
    let created = now();
    let signers = [
        ("p256", "ecdsa-p256-sha256", &p256),
        ("ed25519", "ed25519", &ed25519),
        ("rsa", "rsa-v1_5-sha256", &rsa),
        ("secret", "hmac-sha256", &secret),
    ];
    for (id, algorithm, signer) in signers {
        for body in ["", "{\"n\":1}"] {
            let parameters =
                format!(";created={created};keyid=\"{id}\";alg=\"{algorithm}\";nonce=\"n{}\"", body.len());
            let signed = || message_signature(signer, "POST", "/a/x?q=1", body, &parameters);
            let response = gw.send(signed()).await;
            assert_eq!(response.status(), 200, "{id}: {}", response.text());
            assert_eq!(upstream.last().header("signature"), "");
            assert_eq!(gw.send(signed()).await.reason(), "signature_replayed", "{id}");
        }
    }
    // A public key is no secret, and each key has its own algorithms.
    let as_secret = Signer::hs256("x", p256.pem());
    for (what, signer, parameters, reason) in [
        (
            "key confusion",
            &as_secret,
            format!(";created={created};keyid=\"p256\";alg=\"hmac-sha256\";nonce=\"z\""),
            "signature_wrong",
        ),
        (
            "algorithm",
            &p256,
            format!(";created={created};keyid=\"p256\";alg=\"ed25519\";nonce=\"z\""),
            "signature_wrong",
        ),
        (
            "another key",
            &ed25519,
            format!(";created={created};keyid=\"p256\";nonce=\"z\""),
            "signature_wrong",
        ),
        ("no such key", &p256, format!(";created={created};keyid=\"p257\";nonce=\"z\""), "signature_wrong"),
        ("no nonce", &p256, format!(";created={created};keyid=\"p256\""), "signature_incomplete"),
        ("no key", &p256, format!(";created={created};nonce=\"z\""), "signature_incomplete"),
        ("no time", &p256, ";keyid=\"p256\";nonce=\"z\"".to_owned(), "signature_incomplete"),
        ("old", &p256, format!(";created={};keyid=\"p256\";nonce=\"z\"", created - 301), "signature_time"),
        (
            "expired",
            &p256,
            format!(";created={created};expires={created};keyid=\"p256\";nonce=\"z\""),
            "signature_time",
        ),
        ("no parameters", &p256, ";;".to_owned(), "signature_malformed"),
    ] {
        let refused = gw.send(message_signature(signer, "GET", "/a", "", &parameters)).await;
        assert_eq!((refused.status(), refused.reason().as_str()), (401, reason), "{what}");
    }
    let good = |body: &str| {
        let parameters = format!(";created={created};keyid=\"p256\";nonce=\"fresh\"");
        message_signature(&p256, "POST", "/a", body, &parameters)
    };
    let with = |body: &'static str| testkit::body::full(body);
    for (what, request, reason) in [
        ("another body", good("{\"n\":1}").body(with("{\"n\":2}")), "signature_body"),
        ("no body", good("{\"n\":1}").body(with("")), "signature_body"),
        ("a body nobody signed", good("").body(with("{\"n\":2}")), "signature_incomplete"),
        ("a second digest", good("{\"n\":1}").header("content-digest", "sha-512=:AAAA:"), "signature_wrong"),
        ("no signature", request("GET", "/a").header("signature-input", "sig1=()"), "signature_malformed"),
        ("no input", request("GET", "/a").header("signature", "sig1=:AAAA:"), "signature_malformed"),
        (
            "odd",
            request("GET", "/a").header("signature-input", "\"").header("signature", ","),
            "signature_malformed",
        ),
        (
            "itself",
            request("GET", "/a")
                .header("signature-input", "s=(\"signature\")")
                .header("signature", "s=:AA==:"),
            "signature_malformed",
        ),
    ] {
        let refused = gw.send(request).await;
        assert_eq!((refused.status(), refused.reason().as_str()), (401, reason), "{what}");
    }
    assert_eq!(gw.send(good("{\"n\":1}")).await.status(), 200, "what failed has used up no nonce");
    assert_eq!(gw.get("/a").await.reason(), "credentials_missing");
    assert_eq!(upstream.count(), 9);
}

/// The answer to a challenge, as a client gives it.
fn answer(challenge: &str, user: &str, password: &str, count: u32, target: &str) -> String {
    let part = |name: &str| {
        let (_, rest) = challenge.split_once(&format!("{name}=\"")).expect("the challenge has it");
        rest.split_once('"').expect("it ends").0
    };
    let (realm, nonce, opaque) = (part("realm"), part("nonce"), part("opaque"));
    let first = sha256(&format!("{user}:{realm}:{password}"));
    let second = sha256(&format!("GET:{target}"));
    let response = sha256(&format!("{first}:{nonce}:{count:08x}:c:auth:{second}"));
    format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{target}\", algorithm=SHA-256, qop=auth, nc={count:08x}, cnonce=\"c\", response=\"{response}\", opaque=\"{opaque}\""
    )
}

#[tokio::test]
async fn a_digest_of_a_password_is_taken_once_for_each_answer() {
    let secrets = tempfile::tempdir().expect("a directory");
    let upstream = Upstream::echo().start().await;
    let line = format!("ann:shop:{}", sha256("ann:shop:secret"));
    let rule = json!({ "type": "httpDigest", "realm": "shop", "nonceLifetime": "1m" });
    let config =
        Config::from(api("/a", &upstream).policy("identifyAndAuthorize", json!({ "rules": [rule] })))
            .append(
                "users",
                json!({ "name": "ann", "digestPasswords": [secret_file(&secrets, "ann", &line)] }),
            )
            .append("users", json!({ "name": "bob" }))
            .append(
                "applications",
                json!({ "name": "shop", "apis": ["a"], "identifiers": { "userNames": ["ann", "bob"] } }),
            );
    let gw = Gateway::serving(config).await;
    let asked = gw.get("/a/x?y=1").await;
    assert_eq!((asked.status(), asked.reason().as_str()), (401, "credentials_missing"));
    let challenge = asked.header("www-authenticate").to_owned();
    let send = async |header: &str| {
        let response = gw.send(request("GET", "/a/x?y=1").header("authorization", header)).await;
        let stale = response.header("www-authenticate").contains("stale=true");
        (response.status(), response.reason(), stale)
    };
    let ok = (200, String::new(), false);
    let wrong = (401, "credentials_invalid".to_owned(), false);
    let stale = (401, "digest_stale".to_owned(), true);
    let target = "/a/x?y=1";
    assert_eq!(send(&answer(&challenge, "ann", "secret", 1, target)).await, ok);
    assert_eq!(upstream.last().header("authorization"), "");
    assert_eq!(send(&answer(&challenge, "ann", "secret", 1, target)).await, stale, "the same again");
    assert_eq!(send(&answer(&challenge, "ann", "secret", 3, target)).await, ok);
    assert_eq!(send(&answer(&challenge, "ann", "secret", 2, target)).await, ok, "in another order");
    for header in [
        answer(&challenge, "ann", "wrong", 4, target),
        answer(&challenge, "bob", "secret", 4, target),
        answer(&challenge, "eve", "secret", 4, target),
        answer(&challenge, "ann", "secret", 4, "/a/other"),
        answer(&challenge, "ann", "secret", 4, target).replace("realm=\"shop\"", "realm=\"other\""),
        answer(&challenge, "ann", "secret", 4, target).replace("qop=auth", "qop=auth-int"),
        answer(&challenge, "ann", "secret", 4, target).replace("nc=00000004", "nc=00000005"),
        answer(&challenge, "ann", "secret", 4, target).replace("opaque=\"", "opaque=\"x"),
        "Digest algorithm=SHA-256".to_owned(),
        "Digest algorithm=SHA-256, username=\"ann\"".to_owned(),
    ] {
        assert_eq!(send(&header).await, wrong, "{header}");
    }
    let made_up = challenge.replace("nonce=\"", "nonce=\"A");
    assert_eq!(send(&answer(&made_up, "ann", "secret", 1, target)).await, stale, "a nonce of somebody else");
    let md5 = answer(&challenge, "ann", "secret", 9, target).replace("SHA-256", "MD5");
    assert_eq!(send(&md5).await.1, "credentials_missing", "MD5 is for those who ask for it");
    gw.clock().advance(MINUTE + SECOND);
    assert_eq!(send(&answer(&challenge, "ann", "secret", 9, target)).await, stale, "too old");
    let fresh = gw.get("/a").await.header("www-authenticate").to_owned();
    assert_eq!(send(&answer(&fresh, "ann", "secret", 1, target)).await, ok);
    assert_eq!(upstream.count(), 4);
}

#[tokio::test]
async fn a_key_that_is_bound_counts_from_its_addresses_and_pages_only() {
    let upstream = Upstream::text("ok").start().await;
    let key = json!({
        "hash": testkit::config::hash("bound"),
        "ipAddresses": ["192.0.2.0/24"],
        "referrers": ["https://*.shop.example"],
    });
    for policy in
        [("apiKey", json!({})), ("identifyAndAuthorize", json!({ "rules": [{ "type": "apiKey" }] }))]
    {
        let config = Config::from(api("/a", &upstream).policy(policy.0, policy.1))
            .append("applications", json!({ "name": "shop", "apis": ["a"], "apiKeys": [key.clone()] }))
            .listeners(
                json!([{ "name": "default", "address": "127.0.0.1:0", "trustedProxies": ["127.0.0.1/32"] }]),
            );
        let gw = Gateway::serving(config).await;
        for (address, page, status) in [
            ("192.0.2.7", ("origin", "https://www.shop.example"), 200),
            ("192.0.2.7", ("referer", "https://www.shop.example/cart?x"), 200),
            ("192.0.2.7", ("origin", "https://evil.example"), 403),
            ("192.0.2.7", ("referer", "https://evil.example/?https://www.shop.example"), 403),
            ("192.0.2.7", ("x-none", "1"), 403),
            ("198.51.100.1", ("origin", "https://www.shop.example"), 403),
        ] {
            let request = request("GET", "/a")
                .header("x-gateway-apikey", "bound")
                .header("x-forwarded-for", address)
                .header(page.0, page.1);
            let response = gw.send(request).await;
            let reason = if status == 200 { "" } else { "api_key_elsewhere" };
            assert_eq!(
                (response.status(), response.reason().as_str()),
                (status, reason),
                "{address} {page:?}"
            );
        }
    }
}

#[tokio::test]
async fn keys_that_cannot_be_right_are_told_with_their_path_and_without_their_secrets() {
    let secrets = tempfile::tempdir().expect("a directory");
    let short = secret_file(&secrets, "short", "too-short-secret");
    let pem = Signer::es256("x").pem();
    let application = |more: Value| {
        let mut document = json!({ "name": "shop" });
        document.as_object_mut().expect("it is one").extend(more.as_object().expect("it is one").clone());
        Config::new().append("applications", document)
    };
    let key = |key: Value| application(json!({ "signingKeys": [key] }));
    let user = |line: &str| {
        let line = secret_file(&secrets, "line", line);
        Config::new().append("users", json!({ "name": "ann", "digestPasswords": [line] }))
    };
    for (config, expect) in [
        (key(json!({ "id": "a", "secret": short })), "applications[0].signingKeys[0].secret"),
        (key(json!({ "id": "a" })), "applications[0].signingKeys[0]"),
        (key(json!({ "id": "", "publicKey": pem })), "applications[0].signingKeys[0].id"),
        (key(json!({ "id": "a\"b", "publicKey": pem })), "applications[0].signingKeys[0].id"),
        (key(json!({ "id": "a", "publicKey": "x" })), "applications[0].signingKeys[0].publicKey"),
        (key(json!({ "id": "a", "publicKey": format!("{pem}{pem}") })), "expected one"),
        (key(json!({ "id": "a", "publicKey": pem, "expires": "soon" })), "signingKeys[0].expires"),
        (
            application(
                json!({ "signingKeys": [{ "id": "a", "publicKey": pem }, { "id": "a", "publicKey": pem }] }),
            ),
            "applications[0].signingKeys[1].id",
        ),
        (
            application(
                json!({ "apiKeys": [{ "hash": testkit::config::hash("x"), "referrers": ["shop.example"] }] }),
            ),
            "applications[0].apiKeys[0].referrers[0]",
        ),
        (user("ann:shop:secret-password"), "users[0].digestPasswords[0]"),
        (user(&format!("bob:shop:{}", sha256("x"))), "users[0].digestPasswords[0]"),
    ] {
        let error = Gateway::start(config).await.err().expect("it is wrong").to_string();
        assert!(error.contains(expect), "{expect}: {error}");
        assert!(!error.contains("too-short-secret") && !error.contains("secret-password"), "{error}");
    }
}
