//! The program itself: signals, exit codes, and what it prints. Processes are ended by their own id.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use hyper::Response;
use tempfile::TempDir;
use testkit::{Config, RawConn, Upstream, Value, api, body, config::hash, eventually, json};
use tokio::sync::Notify;

const GATEWRIGHT: &str = env!("CARGO_BIN_EXE_gatewright");

/// A running gateway, and what it has printed so far. It ends with the test.
struct Process {
    child: Child,
    printed: Arc<Mutex<String>>,
    /// Where it runs.
    _directory: TempDir,
}

impl Process {
    fn start(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut command = Command::new(GATEWRIGHT);
        command.args(arguments).current_dir(directory.path()).env("GATEWRIGHT_LOG", "trace");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
        let printed = Arc::new(Mutex::new(String::new()));
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let pipes =
            [stdout.map(|p| Box::new(p) as Box<dyn Read + Send>), stderr.map(|p| Box::new(p) as Box<_>)];
        for pipe in pipes.into_iter().flatten() {
            let printed = Arc::clone(&printed);
            thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    let mut all = printed.lock().unwrap_or_else(PoisonError::into_inner);
                    all.push_str(&line);
                    all.push('\n');
                }
            });
        }
        Self { child, printed, _directory: directory }
    }

    /// Starts `gatewright run` with a file, and waits until it serves.
    async fn run(file: &Path) -> Self {
        let process = Self::start(&["run", "--config", &file.display().to_string()]);
        process.prints(" served").await;
        process
    }

    fn printed(&self) -> String {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn prints(&self, text: &str) {
        eventually(&format!("{text:?} to be printed"), async || self.printed().contains(text)).await;
    }

    /// The address behind a text that was printed.
    fn address(&self, before: &str) -> SocketAddr {
        let printed = self.printed();
        let after = printed.split(before).nth(1).unwrap_or_else(|| panic!("no {before:?} in {printed}"));
        let end = after.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').unwrap_or(after.len());
        after[..end].parse().unwrap_or_else(|_| panic!("no address after {before:?} in {printed}"))
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().expect("the program kill");
        assert!(sent.success(), "it runs");
    }

    /// Waits for its end, and returns its exit code.
    async fn code(&mut self) -> Option<i32> {
        let mut code = None;
        eventually("the process to end", async || match self.child.try_wait().expect("a child") {
            Some(status) => {
                code = status.code();
                true
            }
            None => false,
        })
        .await;
        code
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder with a configuration.
fn written(config: &Config) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    write(&directory, config);
    directory
}

fn write(directory: &TempDir, config: &Config) {
    fs::write(directory.path().join("gatewright.yaml"), config.to_text()).expect("a file");
}

fn output(arguments: &[&str]) -> (Output, String, String) {
    let output = Command::new(GATEWRIGHT).args(arguments).output().expect("the program");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    (output, stdout, stderr)
}

async fn get(address: SocketAddr, path: &str) -> testkit::RawResponse {
    let mut conn = RawConn::open(address).await;
    conn.write(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    conn.response().await
}

#[tokio::test]
async fn the_console_needs_no_file() {
    let upstream = Upstream::text("hello").start().await;
    let loopback = "127.0.0.1:0";
    let process =
        Process::start(&["start", "--listen", loopback, "--manager", loopback, "--operations", loopback]);
    process.prints("0 APIs served").await;
    let printed = process.printed();
    let password = printed.split("has the password ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let admin = testkit::Admin::new(
        process.address("admin API on http://"),
        "Administrator",
        password.expect("a password"),
    );
    let api = json!({ "name": "Hello", "basePath": "/hello", "upstream": upstream.url() });
    assert_eq!(admin.post("/apis", &api).await.status(), 201);
    let answer = get(process.address("listening on http://"), "/hello/x").await;
    assert_eq!(answer.status, 200);
    assert!(printed.contains("console on http://127.0.0.1:"), "{printed}");
}

#[tokio::test]
async fn no_token_and_no_secret_of_a_client_is_printed_however_much_is() {
    let secret = "a-long-random-secret-of-the-shop-0123456789";
    let client = |id: &str, format: &str| json!({ "id": id, "tokenFormat": format, "secrets": [{ "hash": hash(secret) }] });
    let application =
        json!({ "name": "shop", "oauthClients": [client("plain", "opaque"), client("signed", "jwt")] });
    let config = Config::new()
        .setting("manager", json!({ "enabled": true, "address": "127.0.0.1:0" }))
        .setting(
            "authorizationServer",
            json!({ "issuer": "http://localhost", "address": "127.0.0.1:0", "signingAlgorithm": "ES256" }),
        )
        .append("applications", application);
    let directory = written(&config);
    let mut process = Process::run(&directory.path().join("gatewright.yaml")).await;
    let address = process.address("authorization server on http://");
    let post = async |path: &str, body: String| {
        let mut conn = RawConn::open(address).await;
        let length = body.len();
        conn.write(format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        ))
        .await;
        conn.response().await
    };
    let mut secrets = vec![secret.to_owned()];
    for client in ["plain", "signed"] {
        let proof = format!("client_id={client}&client_secret={secret}");
        let answer = post("/token", format!("grant_type=client_credentials&{proof}")).await;
        let answer: Value = serde_json::from_slice(&answer.body).expect("JSON");
        let token = answer["access_token"].as_str().expect("a token").to_owned();
        for path in ["/introspect", "/revoke"] {
            assert_eq!(post(path, format!("token={token}&{proof}")).await.status, 200);
        }
        secrets.push(token);
    }
    assert_eq!(
        post("/token", format!("grant_type=x&client_id=plain&client_secret={secret}x")).await.status,
        401
    );
    process.signal("TERM");
    assert_eq!(process.code().await, Some(0));
    let printed = process.printed();
    for secret in secrets {
        assert!(!printed.contains(&secret), "{secret} was printed");
    }
}

#[tokio::test]
async fn hangup_reloads_and_what_is_not_valid_changes_nothing() {
    let upstream = Upstream::text("ok").start().await;
    let secrets = tempfile::tempdir().expect("a directory");
    let secret = secrets.path().join("key");
    fs::write(&secret, "old-key").expect("a file");
    // Secrets are not watched: what becomes of them is the signal's work.
    let application = json!({ "name": "app", "apis": ["a"], "apiKeys": [{ "value": format!("${{file:{}}}", secret.display()) }] });
    let config =
        Config::from(api("/a", &upstream).policy("apiKey", json!({}))).append("applications", application);
    let directory = written(&config);
    let mut process = Process::run(&directory.path().join("gatewright.yaml")).await;
    let address = process.address("listening on http://");
    let status = async |key: &str| get(address, &format!("/a?APIKey={key}")).await.status;
    assert_eq!((status("old-key").await, status("new-key").await), (200, 401));
    fs::write(&secret, "new-key").expect("a file");
    process.signal("HUP");
    eventually("the new key", async || status("new-key").await == 200).await;
    assert_eq!(status("old-key").await, 401);
    fs::remove_file(&secret).expect("a file");
    process.signal("HUP");
    process.prints("the new configuration is not valid").await;
    assert_eq!(status("new-key").await, 200);
    process.signal("TERM");
    assert_eq!(process.code().await, Some(0));
}

/// Answers when it is told to.
async fn patient(go_on: &Arc<Notify>) -> Upstream {
    let signal = Arc::clone(go_on);
    let upstream = Upstream::service(move |_, _| {
        let signal = Arc::clone(&signal);
        async move {
            signal.notified().await;
            Response::new(body::full("finished"))
        }
    });
    upstream.start().await
}

#[tokio::test]
async fn a_request_in_progress_is_finished_before_the_end() {
    let go_on = Arc::new(Notify::new());
    let upstream = patient(&go_on).await;
    let directory = written(&Config::from(api("/a", &upstream)));
    let mut process = Process::run(&directory.path().join("gatewright.yaml")).await;
    let address = process.address("listening on http://");
    let waiting = tokio::spawn(async move { get(address, "/a").await });
    upstream.wait_for(1).await;
    process.signal("TERM");
    process.prints("stopping").await;
    eventually("the listener to be closed", async || tokio::net::TcpStream::connect(address).await.is_err())
        .await;
    assert!(process.child.try_wait().expect("a child").is_none(), "it waits for the request");
    go_on.notify_one();
    assert_eq!(waiting.await.expect("an answer").text(), "finished");
    assert_eq!(process.code().await, Some(0));
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let upstream = Upstream::silent().start().await;
    for (first, second) in [("TERM", "TERM"), ("INT", "INT"), ("INT", "TERM")] {
        let before = upstream.count();
        let directory = written(&Config::from(api("/a", &upstream)));
        let mut process = Process::run(&directory.path().join("gatewright.yaml")).await;
        let address = process.address("listening on http://");
        let mut conn = RawConn::open(address).await;
        conn.write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
        upstream.wait_for(before + 1).await;
        process.signal(first);
        process.prints("stopping").await;
        process.signal(second);
        assert_eq!(process.code().await, Some(1));
    }
}

/// Checklist 18. Not even when everything is logged.
#[tokio::test]
async fn no_credentials_are_printed_whatever_is_logged() {
    let upstream = Upstream::text("ok").start().await;
    let orders = api("/a", &upstream).policy("apiKey", json!({}));
    let with_user = upstream.url().replace("http://", "http://user-part:s3cret-in-url@");
    let config = Config::from(orders).application("app", "s3cret-key", &["a"]);
    let directory = written(&config);
    let mut process = Process::run(&directory.path().join("gatewright.yaml")).await;
    let address = process.address("listening on http://");
    for key in ["s3cret-key", "s3cret-wrong"] {
        let mut conn = RawConn::open(address).await;
        conn.write(format!(
            "GET /a?APIKey=s3cret-other HTTP/1.1\r\nHost: a\r\nx-Gateway-APIKey: {key}\r\nAuthorization: Bearer s3cret-token\r\nProxy-Authorization: Basic czNjcmV0\r\nCookie: session=s3cret-cookie\r\n\r\n"
        ))
        .await;
        assert!([200, 401].contains(&conn.response().await.status));
    }
    write(&directory, &config.api(api("/b", &*with_user)));
    process.signal("HUP");
    // Whether a user may be in a URL or not, it is told nowhere.
    eventually("the reload", async || {
        let refused = process.printed().contains("the new configuration is not valid");
        refused || get(address, "/b").await.status != 404
    })
    .await;
    let events = get(process.address("operations on http://"), "/events?limit=100").await.text();
    assert!(events.contains("api_key_unknown"), "{events}");
    process.signal("TERM");
    assert_eq!(process.code().await, Some(0));
    let told = process.printed() + &events;
    for secret in ["s3cret", "czNjcmV0"] {
        let line = told.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret} in {line:?}");
    }
}

const PETS: &str = "openapi: 3.0.3
info: {title: Pets, version: '1.0'}
paths:
  /pets: {get: {responses: {'200': {description: fine}}}}
";

#[tokio::test]
async fn up_prints_a_call_that_answers() {
    let upstream = Upstream::text("all pets").start().await;
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("pets.yaml");
    fs::write(&file, PETS).expect("a file");
    let (file, url) = (file.display().to_string(), upstream.url());
    let any = "127.0.0.1:0";
    let mut process =
        Process::start(&["up", &file, "--upstream", &url, "--listen", any, "--operations", any]);
    process.prints("health").await;
    let printed = process.printed();
    let call = printed.split("curl -i http://").nth(1).and_then(|rest| rest.lines().next()).expect("a call");
    let (address, path) = call.split_once('/').expect("a path");
    let answer = get(address.parse().expect("an address"), &format!("/{path}")).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "all pets"), "{printed}");
    let health = get(process.address("health    http://"), "/health/engine").await;
    assert_eq!(health.json()["status"], "green");
    process.signal("INT");
    assert_eq!(process.code().await, Some(0));
}

#[test]
fn import_tells_what_definitions_hold_and_fails_for_those_that_are_none() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).display().to_string();
    fs::write(path("pets.yaml"), PETS).expect("a file");
    fs::write(path("none.yaml"), "just: text\n").expect("a file");
    let (good, table, _) = output(&["import", "--dry-run", &path("pets.yaml")]);
    assert_eq!(good.status.code(), Some(0));
    assert!(table.contains("Pets") && table.contains("operations"), "{table}");
    let arguments = [
        "import",
        "--dry-run",
        "--output",
        "json",
        &path("pets.yaml"),
        &path("none.yaml"),
        &path("gone.yaml"),
    ];
    let (bad, text, _) = output(&arguments);
    assert_eq!(bad.status.code(), Some(1));
    let reports: Value = serde_json::from_str(&text).expect("JSON and nothing else");
    assert_eq!((&reports[0]["title"], &reports[0]["operations"]), (&json!("Pets"), &json!(1)));
    for report in [&reports[1], &reports[2]] {
        assert!(report["error"].as_str().is_some_and(|error| !error.is_empty()), "{report}");
    }
    let (usage, _, told) = output(&["import", &path("pets.yaml")]);
    assert_eq!(usage.status.code(), Some(2));
    assert!(told.contains("--dry-run"), "{told}");
}

#[test]
fn a_bad_configuration_is_told_with_its_lines_and_nothing_starts() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("gatewright.yaml");
    fs::write(
        &file,
        "apis:\n  - name: a\n    basepath: /a\n    policies: [{type: rateLimit, config: {limit: no}}]\n",
    )
    .expect("a file");
    let name = file.display().to_string();
    for arguments in [&["run", "--config", &name][..], &["check", &name]] {
        let (output, stdout, stderr) = output(arguments);
        assert_eq!((output.status.code(), stdout.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(stderr.contains(&format!("{name}:3: apis[0].basepath: unknown key")), "{stderr}");
        assert!(stderr.contains("did you mean `basePath`?"), "{stderr}");
        assert!(stderr.contains(&format!("{name}:4: apis[0].policies[0].config")), "{stderr}");
        assert!(stderr.contains("3 problems"), "{stderr}");
    }
    let (missing, _, stderr) = output(&["run", "--config", "/nowhere/gatewright.yaml"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr.contains("/nowhere/gatewright.yaml"), "{stderr}");
}

#[test]
fn a_folder_is_checked_as_a_whole() {
    let directory = tempfile::tempdir().expect("a directory");
    let api =
        |name: &str| format!("apis: [{{name: {name}, basePath: /{name}, upstream: 'http://127.0.0.1:1'}}]\n");
    for name in ["a", "b"] {
        fs::write(directory.path().join(format!("{name}.yaml")), api(name)).expect("a file");
    }
    let folder = directory.path().display().to_string();
    let (good, stdout, _) = output(&["check", &folder]);
    assert_eq!(good.status.code(), Some(0));
    assert!(stdout.contains("valid; 2 APIs"), "{stdout}");
    fs::write(directory.path().join("c.yaml"), api("a")).expect("a file");
    let (bad, _, stderr) = output(&["check", &folder]);
    assert_eq!(bad.status.code(), Some(1));
    assert!(stderr.contains("c.yaml:1"), "{stderr}");
}

#[tokio::test]
async fn no_token_is_printed_at_any_level() {
    let (upstream, provider) = (Upstream::text("ok").start().await, testkit::IdentityProvider::start().await);
    let secrets = tempfile::tempdir().expect("a directory");
    let file = secrets.path().join("secret");
    fs::write(&file, "the-secret-of-the-gateway").expect("a file");
    let mut server = provider.doc("idp");
    server["discovery"] = format!("{}{}", provider.url(), testkit::IdentityProvider::DISCOVERY).into();
    server["introspection"] = json!({ "url": format!("{}/introspect", provider.url()), "clientId": "gateway", "clientSecret": format!("${{file:{}}}", file.display()), "always": true });
    let identify = json!({ "rules": [{ "type": "oauth2Token", "query": "access_token" }] });
    let config = Config::from(api("/a", &upstream).policy("identifyAndAuthorize", identify))
        .append("authorizationServers", server)
        .append(
            "applications",
            json!({ "name": "shop", "apis": ["a"], "identifiers": { "clientIds": [{ "id": "shop" }] } }),
        );
    let directory = written(&config);
    let process = Process::run(&directory.path().join("gatewright.yaml")).await;
    let address = process.address("on http://");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time").as_secs();
    let good = provider.token(&json!({ "iat": now, "exp": now + 300 }));
    let old = provider.token(&json!({}));
    provider.knows(&good, json!({ "active": true }));
    let mut found = 0;
    for token in [&*good, &*old, "opaque-token-of-somebody"] {
        for head in [
            format!("GET /a HTTP/1.1\r\nauthorization: Bearer {token}"),
            format!("GET /a?access_token={token} HTTP/1.1"),
        ] {
            let mut conn = RawConn::open(address).await;
            conn.write(format!("{head}\r\nhost: a\r\nconnection: close\r\n\r\n")).await;
            found += usize::from(String::from_utf8_lossy(&conn.rest().await).contains(" 200 "));
        }
    }
    assert_eq!(found, 2, "{}", process.printed());
    process.prints("an authorization server has published keys").await;
    let printed = process.printed();
    for secret in [
        good.split('.').nth(2),
        old.split('.').nth(1),
        Some("opaque-token"),
        Some("the-secret-of"),
        Some("Z2F0ZXdheTp0"),
    ] {
        let secret = secret.expect("a part");
        assert!(!printed.contains(&secret[..12]), "{secret} in {printed}");
    }
}
