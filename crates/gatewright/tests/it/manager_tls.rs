//! The admin API and the authorization server over TLS: their certificates are replaced without a restart, and the command
//! line trusts whom it is told to.

use std::{net::SocketAddr, process::Command};

use testkit::{
    Authority, Client, Config, Gateway, Identity, Protocol, Request, Response, eventually, json,
    json_request, request,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::manager::{expect, managed};

fn config(identity: &Identity) -> Config {
    let certificates = json!([{ "certificateFile": "admin.pem", "keyFile": "admin.key" }]);
    Config::new()
        .setting(
            "manager",
            json!({ "enabled": true, "address": "127.0.0.1:0", "tls": { "certificates": certificates } }),
        )
        .file("admin.pem", &*identity.certificate)
        .file("admin.key", &*identity.key)
}

/// Asks over TLS; the certificate that was shown, and the answer.
async fn ask(gateway: &Gateway, authority: &Authority, asked: Request) -> (Vec<u8>, Response) {
    ask_at(gateway.inner().admin().expect("there is a manager"), authority, asked).await
}

async fn ask_at(address: SocketAddr, authority: &Authority, asked: Request) -> (Vec<u8>, Response) {
    let stream = TcpStream::connect(address).await.expect("the admin API listens");
    let name = "localhost".try_into().expect("a name");
    let connector = TlsConnector::from(authority.client(&["http/1.1"], None));
    let stream = connector.connect(name, stream).await.expect("a handshake");
    let shown = stream.get_ref().1.peer_certificates().expect("a certificate")[0].to_vec();
    let client = Client::over(stream, Protocol::Http1, "localhost", true).await;
    (shown, client.expect("a connection").send(asked).await)
}

#[tokio::test]
async fn cookies_stay_on_tls_and_a_replaced_certificate_is_taken_up() {
    let authority = Authority::new();
    let (first, second) = (authority.issue(&["localhost"]), authority.issue(&["localhost"]));
    let gateway = Gateway::serving(config(&first)).await;
    let password = gateway.inner().first_password().expect("the first start").to_owned();
    let login = json_request("POST", "/session", &json!({ "user": "Administrator", "password": password }));
    let (shown, answer) = ask(&gateway, &authority, login).await;
    expect(&answer, 200);
    assert_eq!(shown, first.der().to_vec());
    assert!(
        answer.header("set-cookie").ends_with("; SameSite=Strict; Secure"),
        "{}",
        answer.header("set-cookie")
    );
    assert_eq!(answer.header("strict-transport-security"), "max-age=31536000");
    let wrong = request("GET", "/api/v1/whoami").basic("Administrator", "wrong");
    let (_, refused) = ask(&gateway, &authority, wrong).await;
    assert_eq!(refused.status(), 401);
    let audit = request("GET", "/api/v1/audit?limit=1").basic("Administrator", &password);
    let (_, audit) = ask(&gateway, &authority, audit).await;
    assert_eq!(expect(&audit, 200)["items"][0]["clientIPAddress"], "127.0.0.1");
    // It is among the certificates that are listed, measured and warned of.
    let listed = gateway.ops("/certificates").await.json();
    let name = listed["certificates"][0]["name"].as_str().expect("a certificate");
    assert!(name.ends_with("/admin.pem"), "{listed}");

    // Half of a pair is no certificate: what was there goes on counting until both are.
    gateway.write_file("admin.pem", &second.certificate);
    let open = || request("GET", "/api/v1/openapi.json");
    assert_eq!(ask(&gateway, &authority, open()).await.0, first.der().to_vec());
    gateway.write_file("admin.key", &second.key);
    eventually("the certificate is replaced", async || {
        ask(&gateway, &authority, open()).await.0 == second.der().to_vec()
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_cannot_be_read_is_told_before_anything_is_served() {
    let authority = Authority::new();
    let (one, other) = (authority.issue(&["localhost"]), authority.issue(&["localhost"]));
    let mixed = config(&one).file("admin.key", &*other.key);
    let problems = Gateway::start(mixed).await.err().expect("it does not start").to_string();
    assert!(problems.contains("settings.manager.tls.certificates[0].keyFile"), "{problems}");
}

#[tokio::test]
async fn the_command_line_speaks_tls_to_whom_it_trusts() {
    let authority = Authority::new();
    let gateway = Gateway::serving(config(&authority.issue(&["localhost"]))).await;
    let password = gateway.inner().first_password().expect("the first start").to_owned();
    let folder = tempfile::tempdir().expect("temporary folders can be made");
    std::fs::write(folder.path().join("ca.pem"), authority.pem()).expect("a file");
    std::fs::write(folder.path().join("other.pem"), Authority::new().pem()).expect("a file");
    let port = gateway.inner().admin().expect("there is a manager").port();
    let run = async |arguments: &[&str], password: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatewright"));
        command.args(arguments).current_dir(folder.path()).env("GATEWRIGHT_LOG", "off");
        command
            .env("XDG_CONFIG_HOME", folder.path())
            .env("GATEWRIGHT_MANAGER", format!("https://localhost:{port}"));
        password.map(|password| command.env("GATEWRIGHT_PASSWORD", password));
        tokio::task::spawn_blocking(move || command.output()).await.expect("it runs").expect("it ends")
    };
    let distrusted = run(&["get", "groups", "--ca", "other.pem"], Some(&password)).await;
    let said = String::from_utf8_lossy(&distrusted.stderr).into_owned();
    assert!(!distrusted.status.success() && said.contains("--ca"), "{said}");
    // Whom a login trusts, commands after it trust.
    let login = run(&["login", "--ca", "ca.pem"], Some(&password)).await;
    assert!(login.status.success(), "{login:?}");
    let groups = run(&["get", "groups"], None).await;
    assert!(String::from_utf8_lossy(&groups.stdout).contains("Administrators"), "{groups:?}");
}

/// The authorization server with a pair of files of its own.
fn issuing(identity: &Identity) -> Config {
    let certificates = json!([{ "certificateFile": "id.pem", "keyFile": "id.key" }]);
    managed()
        .setting(
            "authorizationServer",
            json!({
                "issuer": "https://localhost",
                "address": "127.0.0.1:0",
                "signingAlgorithm": "ES256",
                "tls": { "certificates": certificates },
            }),
        )
        .file("id.pem", &*identity.certificate)
        .file("id.key", &*identity.key)
}

#[tokio::test]
async fn the_authorization_server_speaks_tls_and_takes_up_a_replaced_certificate() {
    let authority = Authority::new();
    let (first, second) = (authority.issue(&["localhost"]), authority.issue(&["localhost"]));
    let gateway = Gateway::serving(issuing(&first)).await;
    let address = gateway.inner().authorization_server().expect("it is served");
    let keys = || request("GET", "/jwks");
    let (shown, answer) = ask_at(address, &authority, keys()).await;
    assert!(expect(&answer, 200)["keys"].is_array());
    assert_eq!(shown, first.der().to_vec());

    // Half of a pair is no certificate: what was there goes on counting until both are.
    gateway.write_file("id.pem", &second.certificate);
    assert_eq!(ask_at(address, &authority, keys()).await.0, first.der().to_vec());
    gateway.write_file("id.key", &second.key);
    eventually("the certificate is replaced", async || {
        ask_at(address, &authority, keys()).await.0 == second.der().to_vec()
    })
    .await;
}

#[tokio::test]
async fn a_wrong_certificate_of_the_authorization_server_is_told_before_anything_is_served() {
    let authority = Authority::new();
    let (one, other) = (authority.issue(&["localhost"]), authority.issue(&["localhost"]));
    let mixed = issuing(&one).file("id.key", &*other.key);
    let problems = Gateway::start(mixed).await.err().expect("it does not start").to_string();
    assert!(problems.contains("settings.authorizationServer.tls.certificates[0].keyFile"), "{problems}");
}
