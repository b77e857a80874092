//! Clients of the authorization server that show a certificate in the handshake, and tokens that are bound to one (RFC 8705).

use std::{net::SocketAddr, process::Command};

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};
use testkit::{
    Authority, Client, Config, Gateway, Identity, Protocol, Request, Response, Upstream, Value, api, body,
    config::hash, get, json, json_request, request,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::manager::{expect, managed};

const SECRET: &str = "a-long-random-secret-of-the-shop-0123456789";
const OWN: &str = "grant_type=client_credentials&client_id=shop";

/// A gateway whose API and authorization server ask for certificates of the authority, with these clients.
fn config(authority: &Authority, upstream: &Upstream, clients: Value) -> Config {
    let own = authority.issue(&["localhost"]);
    let tls = json!({
        "certificates": [{ "certificateFile": "own.pem", "keyFile": "own.key" }],
        "clientCertificate": "requested",
        "clientCaFile": "ca.pem",
    });
    managed()
        .setting(
            "authorizationServer",
            json!({
                "issuer": "https://localhost",
                "address": "127.0.0.1:0",
                "signingAlgorithm": "ES256",
                "grants": ["authorizationCode", "clientCredentials", "password", "refreshToken"],
                "tls": tls,
            }),
        )
        .append("authorizationServers", json!({ "name": "local", "internal": true }))
        .append("applications", json!({ "name": "shop", "apis": ["a"], "oauthClients": clients }))
        .api(
            api("/a", upstream)
                .policy("identifyAndAuthorize", json!({ "rules": [{ "type": "oauth2Token" }] })),
        )
        .listeners(json!([{ "name": "default", "address": "127.0.0.1:0", "tls": tls }]))
        .file("own.pem", &*own.certificate)
        .file("own.key", &*own.key)
        .file("ca.pem", authority.pem())
}

/// A client that shows a certificate for `shop.example`.
fn shop(rest: Value) -> Value {
    let mut client = json!({
        "id": "shop", "authentication": "tlsClientAuth", "tlsSubject": { "dns": "shop.example" },
        "certificateBoundTokens": true, "scopes": ["read"],
    });
    for (name, value) in rest.as_object().into_iter().flatten() {
        client[name] = value.clone();
    }
    client
}

fn form(path: &str, fields: &str) -> Request {
    request("POST", path)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body::full(fields.to_owned()))
}

/// What is answered to whoever shows a certificate; `None` when the handshake fails.
async fn ask(
    address: SocketAddr,
    authority: &Authority,
    shown: Option<&Identity>,
    asked: Request,
) -> Option<Response> {
    let stream = TcpStream::connect(address).await.expect("it listens");
    let connector = TlsConnector::from(authority.client(&["http/1.1"], shown));
    let stream = connector.connect("localhost".try_into().expect("a name"), stream).await.ok()?;
    let mut client = Client::over(stream, Protocol::Http1, "localhost", true).await.ok()?;
    // With TLS 1.3 a client hears of a refused certificate with the first answer.
    client.try_send(asked).await.ok()
}

struct Parties {
    gateway: Gateway,
    authority: Authority,
}

impl Parties {
    async fn with(clients: Value, upstream: &Upstream) -> Self {
        let authority = Authority::new();
        let gateway = Gateway::serving(config(&authority, upstream, clients)).await;
        Self { gateway, authority }
    }

    async fn issuer(&self, shown: Option<&Identity>, asked: Request) -> Response {
        let address = self.gateway.inner().authorization_server().expect("it is served");
        ask(address, &self.authority, shown, asked).await.expect("a handshake")
    }

    async fn token(&self, shown: &Identity, fields: &str) -> Value {
        expect(&self.issuer(Some(shown), form("/token", fields)).await, 200)
    }

    async fn with_ada(&self) {
        let admin = self.gateway.administrator();
        expect(&admin.post("/users", &json!({ "name": "ada" })).await, 201);
        let password = json!({ "password": "correct horse battery" });
        assert_eq!(admin.send(json_request("PUT", "/users/ada/password", &password)).await.status(), 204);
    }

    async fn call(&self, shown: Option<&Identity>, token: &Value) -> (u16, String) {
        let token = token["access_token"].as_str().expect("a token");
        let asked = get("/a").header("authorization", &format!("Bearer {token}"));
        let answer =
            ask(self.gateway.tls_address(), &self.authority, shown, asked).await.expect("a handshake");
        (answer.status(), answer.reason())
    }
}

fn thumbprint(identity: &Identity) -> String {
    Base64UrlUnpadded::encode_string(&Sha256::digest(identity.der()))
}

#[tokio::test]
async fn a_certificate_proves_who_the_client_is_and_its_token_is_good_with_it_only() {
    let upstream = Upstream::text("ok").start().await;
    for format in ["opaque", "jwt"] {
        let parties = Parties::with(json!([shop(json!({ "tokenFormat": format }))]), &upstream).await;
        let (own, thief) =
            (parties.authority.issue(&["shop.example"]), parties.authority.issue(&["thief.example"]));
        let token = parties.token(&own, OWN).await;
        assert_eq!(token["token_type"], "Bearer");
        assert_eq!(parties.call(Some(&own), &token).await, (200, String::new()), "{format}");
        // Whoever has stolen it has another certificate, or none.
        for shown in [Some(&thief), None] {
            assert_eq!(parties.call(shown, &token).await, (401, "token_not_bound".to_owned()), "{format}");
        }
        let asked = format!("token={}&client_id=shop", token["access_token"].as_str().expect("a token"));
        let known = expect(&parties.issuer(Some(&own), form("/introspect", &asked)).await, 200);
        assert_eq!(known["cnf"], json!({ "x5t#S256": thumbprint(&own) }), "{known}");
        assert_eq!(known["token_type"], "Bearer");
    }
}

#[tokio::test]
async fn nobody_else_is_the_client() {
    let upstream = Upstream::text("ok").start().await;
    let both = json!([
        shop(json!({})),
        { "id": "web", "secrets": [{ "hash": hash(SECRET) }] },
    ]);
    let parties = Parties::with(both, &upstream).await;
    let issue = |names: &[&str]| parties.authority.issue(names);
    for (why, shown, fields) in [
        ("no certificate", None, OWN.to_owned()),
        ("another subject", Some(issue(&["thief.example"])), OWN.to_owned()),
        ("a longer name", Some(issue(&["shop.example.evil"])), OWN.to_owned()),
        ("a wildcard", Some(issue(&["*.example"])), OWN.to_owned()),
        ("a secret instead", None, format!("{OWN}&client_secret={SECRET}")),
        ("a secret beside it", Some(issue(&["shop.example"])), format!("{OWN}&client_secret={SECRET}")),
        (
            "a certificate instead of a secret",
            Some(issue(&["shop.example"])),
            "grant_type=client_credentials&client_id=web".to_owned(),
        ),
    ] {
        let refused = parties.issuer(shown.as_ref(), form("/token", &fields)).await;
        assert_eq!((refused.status(), &refused.json()["error"]), (401, &json!("invalid_client")), "{why}");
    }
    // Certificates of others, and those that are over, get no further than the handshake.
    let expired = parties.authority.issue_until(&["shop.example"], 2020, 1, 1);
    let foreign = Authority::new().issue(&["shop.example"]);
    let address = parties.gateway.inner().authorization_server().expect("it is served");
    for (why, shown) in [("expired", expired), ("of another authority", foreign)] {
        let answer = ask(address, &parties.authority, Some(&shown), form("/token", OWN)).await;
        assert!(answer.is_none(), "{why}");
    }
}

#[tokio::test]
async fn every_kind_of_name_in_a_certificate_can_be_the_clients() {
    let upstream = Upstream::text("ok").start().await;
    // The names of certificates of tests: the first is the common name, and all are alternative names.
    for (subject, good, wrong) in [
        (json!({ "dn": "CN=shop.example" }), "shop.example", "other.example"),
        (json!({ "dn": "cn=shop.example" }), "shop.example", "SHOP.example"),
        (json!({ "dns": "shop.example" }), "SHOP.EXAMPLE", "other.example"),
        (json!({ "ip": "192.0.2.7" }), "192.0.2.7", "192.0.2.8"),
        (json!({ "ip": "2001:db8::7" }), "2001:db8::7", "2001:db8::8"),
    ] {
        let parties = Parties::with(json!([shop(json!({ "tlsSubject": subject }))]), &upstream).await;
        parties.token(&parties.authority.issue(&[good]), OWN).await;
        let refused = parties.issuer(Some(&parties.authority.issue(&[wrong])), form("/token", OWN)).await;
        assert_eq!(refused.status(), 401, "{subject} {wrong}");
    }
}

#[tokio::test]
async fn a_renewed_certificate_goes_on_and_users_are_told_of_to_the_one_that_has_the_token() {
    let upstream = Upstream::text("ok").start().await;
    let grants = json!(["clientCredentials", "password", "refreshToken"]);
    let client = json!([
        shop(json!({ "grantTypes": grants, "scopes": ["openid"] })),
        // One with a secret binds its tokens, too.
        { "id": "web", "secrets": [{ "hash": hash(SECRET) }], "certificateBoundTokens": true },
    ]);
    let parties = Parties::with(client, &upstream).await;
    parties.with_ada().await;
    let (old, new) = (parties.authority.issue(&["shop.example"]), parties.authority.issue(&["shop.example"]));
    let fields =
        "grant_type=password&client_id=shop&username=ada&password=correct+horse+battery&scope=openid";
    let token = parties.token(&old, fields).await;
    let userinfo = async |shown: &Identity, token: &Value| {
        let token = token["access_token"].as_str().expect("a token");
        let asked = get("/userinfo").header("authorization", &format!("Bearer {token}"));
        parties.issuer(Some(shown), asked).await.status()
    };
    assert_eq!((userinfo(&old, &token).await, userinfo(&new, &token).await), (200, 401));
    let refresh = token["refresh_token"].as_str().expect("a refresh token");
    let fields = format!("grant_type=refresh_token&client_id=shop&refresh_token={refresh}");
    let renewed = parties.token(&new, &fields).await;
    assert_eq!((userinfo(&new, &renewed).await, userinfo(&old, &renewed).await), (200, 401));

    let ask = form("/token", "grant_type=client_credentials").basic("web", SECRET);
    let token = expect(&parties.issuer(Some(&old), ask).await, 200);
    assert_eq!(parties.call(Some(&old), &token).await.0, 200);
    assert_eq!(parties.call(Some(&new), &token).await.1, "token_not_bound");
    let ask = form("/token", "grant_type=client_credentials").basic("web", SECRET);
    let refused = parties.issuer(None, ask).await;
    assert_eq!(
        (refused.status(), &refused.json()["error"]),
        (400, &json!("invalid_request")),
        "no certificate"
    );

    let metadata = expect(&parties.issuer(None, get("/.well-known/openid-configuration")).await, 200);
    assert_eq!(metadata["tls_client_certificate_bound_access_tokens"], true);
    let methods = &metadata["token_endpoint_auth_methods_supported"];
    assert!(methods.as_array().is_some_and(|all| all.contains(&json!("tls_client_auth"))), "{methods}");
}

/// What is between two texts.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split_once(after).map_or(rest, |(found, _)| found)
}

#[tokio::test]
async fn a_refresh_token_of_a_public_client_is_bound_to_its_certificate() {
    const VERIFIER: &str = "a-verifier-that-is-long-enough-for-the-rfc-0123456789";
    const BACK: &str = "https://app.example/back";
    let upstream = Upstream::text("ok").start().await;
    let client = json!({
        "id": "app", "authentication": "none", "certificateBoundTokens": true, "scopes": ["openid"],
        "grantTypes": ["authorizationCode", "refreshToken"], "redirectUris": [BACK], "skipConsent": true,
    });
    let parties = Parties::with(json!([client]), &upstream).await;
    parties.with_ada().await;
    let (own, thief) = (parties.authority.issue(&["app"]), parties.authority.issue(&["thief"]));
    let cookies = |response: &Response| {
        let all = response.headers().get_all("set-cookie").iter();
        let pairs = all.map(|cookie| between(cookie.to_str().expect("a text"), "", ";").to_owned());
        pairs.collect::<Vec<_>>().join("; ")
    };
    let challenge = Base64UrlUnpadded::encode_string(&Sha256::digest(VERIFIER));
    let asks = format!(
        "/authorize?response_type=code&client_id=app&redirect_uri={BACK}&scope=openid\
         &code_challenge={challenge}&code_challenge_method=S256"
    );
    // The browser shows no certificate.
    let page = parties.issuer(None, get(&asks)).await;
    let html = page.text();
    let action = between(&html, "action=\".", "\"").replace("&#38;", "&");
    let csrf = between(&html, "name=\"csrf\" value=\"", "\"");
    let login = form(&action, &format!("csrf={csrf}&username=ada&password=correct+horse+battery"));
    let sent = parties.issuer(None, login.header("cookie", &cookies(&page))).await;
    assert_eq!(sent.status(), 303, "{}", sent.text());
    let back = parties.issuer(None, get(sent.header("location")).header("cookie", &cookies(&sent))).await;
    let code = between(back.header("location"), "code=", "&").to_owned();

    let token = async |shown: Option<&Identity>, fields: &str| {
        parties.issuer(shown, form("/token", &format!("client_id=app&{fields}"))).await
    };
    let redeem =
        format!("grant_type=authorization_code&code={code}&redirect_uri={BACK}&code_verifier={VERIFIER}");
    let issued = expect(&token(Some(&own), &redeem).await, 200);
    let refresh = issued["refresh_token"].as_str().expect("a refresh token");
    let refresh = format!("grant_type=refresh_token&refresh_token={refresh}");
    for (shown, error) in [(Some(&thief), "invalid_grant"), (None, "invalid_request")] {
        assert_eq!(expect(&token(shown, &refresh).await, 400)["error"], error);
    }
    expect(&token(Some(&own), &refresh).await, 200);
}

#[tokio::test]
async fn curl_gets_such_a_token_and_calls_the_api_with_it() {
    let upstream = Upstream::text("ok").start().await;
    let parties = Parties::with(json!([shop(json!({}))]), &upstream).await;
    let folder = tempfile::tempdir().expect("temporary folders can be made");
    let own = parties.authority.issue(&["shop.example"]);
    let authority = parties.authority.pem();
    for (name, content) in [("ca.pem", &authority), ("own.pem", &own.certificate), ("own.key", &own.key)] {
        std::fs::write(folder.path().join(name), content).expect("a file");
    }
    let curl = async |at: SocketAddr, path: &str, more: &[&str]| {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--cacert", "ca.pem", "--noproxy", "*"]).args(more);
        command.arg(format!("https://localhost:{}{path}", at.port())).current_dir(folder.path());
        let ran = tokio::task::spawn_blocking(move || command.output()).await.expect("it runs");
        let ran = ran.expect("curl is installed");
        String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr)
    };
    let own = ["--cert", "own.pem", "--key", "own.key"];
    let issuer = parties.gateway.inner().authorization_server().expect("it is served");
    let answer = curl(issuer, "/token", &[&own[..], &["--data", OWN]].concat()).await;
    let answer: Value = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{answer}"));
    let header = format!("authorization: Bearer {}", answer["access_token"].as_str().expect("a token"));
    let status = ["--header", &header, "--output", "answer", "--write-out", "%{http_code}"];
    let api = parties.gateway.tls_address();
    assert_eq!(curl(api, "/a", &status).await, "401");
    assert_eq!(curl(api, "/a", &[&own[..], &status].concat()).await, "200");
}

#[tokio::test]
async fn what_cannot_work_is_told_where_it_is_written() {
    let upstream = Upstream::text("ok").start().await;
    let authority = Authority::new();
    for (client, path) in [
        (shop(json!({ "tlsSubject": null })), "tlsSubject: missing"),
        (shop(json!({ "tlsSubject": {} })), "tlsSubject: found 0, expected one of"),
        (
            shop(json!({ "tlsSubject": { "dns": "a", "ip": "192.0.2.1" } })),
            "tlsSubject: found 2, expected one of",
        ),
        (shop(json!({ "tlsSubject": { "ip": "shop" } })), "tlsSubject.ip: found the string \"shop\""),
        (
            shop(json!({ "authentication": "none", "grantTypes": [] })),
            "tlsSubject: the client does not prove",
        ),
        (shop(json!({ "requireDpop": true })), "requireDpop: found beside `certificateBoundTokens`"),
    ] {
        let started = Gateway::start(config(&authority, &upstream, json!([client]))).await;
        let problems = started.err().expect("it does not start").to_string();
        assert!(problems.contains(&format!("applications[0].oauthClients[0].{path}")), "{path}: {problems}");
    }
    // Nobody asks for a certificate.
    let without = config(&authority, &upstream, json!([shop(json!({}))]))
        .setting("authorizationServer.tls.clientCertificate", "none")
        .setting("authorizationServer.tls.clientCaFile", Value::Null);
    let problems = Gateway::start(without).await.err().expect("it does not start").to_string();
    for field in ["authentication", "certificateBoundTokens"] {
        assert!(problems.contains(&format!("oauthClients[0].{field}: needs a certificate")), "{problems}");
    }
}
