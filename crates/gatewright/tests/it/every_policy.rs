//! What holds for every policy in the list, with its own example: it is reloaded without losing a request, asks for bodies
//! within limits, fails as it says, survives whatever clients send, and is explained without telling secrets. A policy
//! that is added is covered without a line here. What a wrong configuration is told is in the crate of the policies.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use engine::{FailMode, Needs, PolicyKind};
use http_body_util::BodyExt;
use hyper::Response;
use tempfile::TempDir;
use testkit::{
    Config, Gateway, Place, Protocol, Request, Upstream, Value, api, body, eventually, get, json, post,
    request, wait::soon,
};
use tokio::sync::mpsc;

const KEY: &str = "key-of-the-test";
const SECRET: &str = "s3cret-of-the-test";
const DEFINITION: &str = "openapi: 3.0.3
info: {title: Orders, version: '1.0'}
paths:
  /orders:
    get: {responses: {'200': {description: fine}}}
    post: {responses: {'200': {description: fine}}}
";
const MODULE: &str = r#"(module (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1")))"#;

/// What examples refer to: files, and a secret.
struct World {
    directory: TempDir,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("secret"), SECRET).expect("a file");
        let module = wat::parse_str(MODULE).expect("a module");
        std::fs::write(directory.path().join("module.wasm"), module).expect("a file");
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The example of a policy, with services at `service` instead of the hosts that it names.
    fn example(&self, kind: &PolicyKind, service: &str) -> Value {
        let mut config = model::yaml::parse(kind.example).expect("the example is YAML").value;
        self.settle(&mut config, kind, service);
        config
    }

    fn settle(&self, value: &mut Value, kind: &PolicyKind, service: &str) {
        match value {
            Value::Object(members) => {
                for (key, value) in members.iter_mut() {
                    if kind.files.contains(&key.as_str()) {
                        *value = json!(self.path("module.wasm"));
                    }
                    self.settle(value, kind, service);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.settle(item, kind, service)),
            Value::String(text) if names_a_service(text) => service.clone_into(text),
            Value::String(text) if text.starts_with("${env:") => {
                *text = format!("${{file:{}}}", self.path("secret").display());
            }
            _ => {}
        }
    }

    /// An API below the name of the policy, which governs it.
    fn governed(&self, kind: &PolicyKind, upstream: &str, service: &str) -> testkit::Api {
        bare(kind, upstream).policy(kind.type_name, self.example(kind, service))
    }
}

fn names_a_service(text: &str) -> bool {
    (text.starts_with("http://") || text.starts_with("https://")) && text.contains(".internal")
}

/// The same API without the policy; who calls is known, unless that is the policy's own work.
fn bare(kind: &PolicyKind, upstream: &str) -> testkit::Api {
    let api = api(&format!("/{}", kind.type_name), upstream).with("definition", "orders.yaml");
    if kind.identifies { api } else { api.policy("apiKey", json!({})) }
}

/// What these policies need beside their APIs.
fn config(kinds: &[PolicyKind]) -> Config {
    let apis: Vec<&str> = kinds.iter().map(|kind| kind.type_name).collect();
    Config::new().file("orders.yaml", DEFINITION).append(
        "applications",
        json!({ "name": "caller", "apis": apis, "apiKeys": [{ "hash": testkit::config::hash(KEY) }] }),
    )
}

/// Every policy, each on an API of its own.
fn all(world: &World, upstream: &Upstream) -> Config {
    let url = upstream.url();
    policies::POLICIES
        .iter()
        .fold(config(policies::POLICIES), |config, kind| config.api(world.governed(kind, &url, &url)))
}

fn path(kind: &PolicyKind) -> String {
    format!("/{}/orders", kind.type_name)
}

fn known(request: Request) -> Request {
    request
        .header("x-gateway-apikey", KEY)
        .header("x-channel", "partner")
        .header("accept", "application/json")
}

/// What the policy wants to see of a POST, when it is configured like its example.
async fn needs(world: &World, kind: &PolicyKind) -> Needs {
    let nowhere = "http://127.0.0.1:1";
    let api = world.governed(kind, nowhere, nowhere);
    let gw = Gateway::serving(config(std::slice::from_ref(kind)).api(api)).await;
    let snapshot = gw.inner().snapshot().expect("the gateway serves");
    snapshot.apis[0].chain(Some(1)).needs
}

fn decided_here(kind: &PolicyKind, code: &str) -> bool {
    kind.reasons.iter().any(|reason| reason.code == code)
}

#[tokio::test]
async fn a_mistake_in_the_configuration_of_a_policy_is_told_with_its_place_in_the_file() {
    let world = World::new();
    let url = "http://127.0.0.1:1";
    for kind in policies::POLICIES {
        let name = kind.type_name;
        let position = usize::from(!kind.identifies);
        let place = format!("apis[0].policies[{position}].config");
        let mut unknown = world.example(kind, url);
        unknown["noSuchKey"] = json!(1);
        for (config_of_policy, told) in [
            (unknown, format!("{place}.noSuchKey: unknown key `noSuchKey`")),
            (json!([1]), format!("{place}: found a list")),
        ] {
            let api = bare(kind, url).policy(name, config_of_policy);
            let started = Gateway::start(config(std::slice::from_ref(kind)).api(api)).await;
            let problem = started.err().unwrap_or_else(|| panic!("{name} was taken")).to_string();
            let line = problem.lines().find(|line| line.contains(&told));
            let line = line.unwrap_or_else(|| panic!("{name}: no {told:?} in {problem}"));
            let number = line.split("gatewright.yaml:").nth(1).and_then(|rest| rest.split(':').next());
            assert!(number.is_some_and(|number| number.parse::<u32>().is_ok()), "{name}: no line in {line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloads_under_load_lose_no_request_of_any_policy() {
    let (world, upstream) = (World::new(), Upstream::text("ok").start().await);
    let gw = Arc::new(Gateway::serving(all(&world, &upstream)).await);
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut clients = Vec::new();
    for protocol in [Protocol::Http1, Protocol::Http1, Protocol::Http2] {
        let mut client = gw.client(protocol).await;
        let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
        clients.push(tokio::spawn(async move {
            while !stop.load(SeqCst) {
                for kind in policies::POLICIES {
                    let request = known(post(&path(kind), r#"{"items":[1]}"#))
                        .header("content-type", "application/json");
                    let answer = client.try_send(request).await.expect("no connection is dropped");
                    let reason = answer.reason();
                    assert!(
                        answer.status() < 500 || decided_here(kind, &reason),
                        "{}: {} {reason}",
                        kind.type_name,
                        answer.status()
                    );
                    answered.fetch_add(1, SeqCst);
                }
            }
        }));
    }
    let url = upstream.url();
    let without = || {
        policies::POLICIES
            .iter()
            .fold(config(policies::POLICIES), |config, kind| config.api(bare(kind, &url)))
    };
    let elsewhere = |n: usize| all(&world, &upstream).api(api(&format!("/more-{n}"), &upstream));
    for round in 0..4 {
        for config in [all(&world, &upstream), elsewhere(round), without(), all(&world, &upstream)] {
            let before = answered.load(SeqCst);
            gw.apply(config).await.expect("a valid configuration");
            eventually("requests between two reloads", async || answered.load(SeqCst) >= before + 40).await;
        }
    }
    stop.store(true, SeqCst);
    for client in clients {
        client.await.expect("a client that was never let down");
    }
    assert!(gw.events("reason=internal_error").await.is_empty(), "nothing panicked");
}

#[tokio::test]
async fn a_policy_that_looks_at_bodies_gets_them_up_to_the_limit() {
    const LIMIT: usize = 4_096;
    let world = World::new();
    let answer: &'static str = Box::leak("x".repeat(LIMIT + 1).into_boxed_str());
    let (short, long) = (Upstream::text("ok").start().await, Upstream::text(answer).start().await);
    let fits = Upstream::text(&answer[..LIMIT]).start().await;
    let failing = Upstream::respond(move |_| {
        let mut response = Response::new(body::full(answer));
        *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
        response
    });
    let failing = failing.start().await;
    let (mut requests, mut responses) = (0, 0);
    for kind in policies::POLICIES {
        let needs = needs(&world, kind).await;
        let name = kind.type_name;
        let serve = async |upstream: &Upstream| {
            let config =
                config(std::slice::from_ref(kind)).api(world.governed(kind, &upstream.url(), &short.url()));
            Gateway::serving(config.setting("limits.bufferedBodySize", format!("{LIMIT}B"))).await
        };
        if needs.request_body {
            requests += 1;
            let gw = serve(&short).await;
            let send = async |size: usize| gw.send(known(post(&path(kind), "x".repeat(size)))).await;
            let (fitting, above) = (send(LIMIT).await, send(LIMIT + 1).await);
            assert_ne!(fitting.status(), 413, "{name}: {}", fitting.text());
            assert_eq!((above.status(), above.reason().as_str()), (413, "body_too_large"), "{name}");
        }
        if needs.response_body {
            responses += 1;
            let fitting = serve(&fits).await.get_known(kind).await;
            assert_ne!(fitting.reason(), "response_too_large", "{name}");
            let above = serve(&long).await.get_known(kind).await;
            assert_eq!((above.status(), above.reason().as_str()), (502, "response_too_large"), "{name}");
        }
        if needs.error_body && !needs.response_body {
            let success = serve(&long).await.get_known(kind).await;
            assert_ne!(success.reason(), "response_too_large", "{name}: it looks at errors only");
            let gw = serve(&failing).await;
            let error = gw.get_known(kind).await;
            // It may answer the error in its own way, and what it was stays known.
            let reason = gw.explain(&error).await.reason.map(|reason| reason.code);
            assert_eq!(reason.as_deref(), Some("response_too_large"), "{name}");
            assert!(error.status() >= 500 && error.bytes().len() < LIMIT, "{name}");
        }
    }
    assert!(requests >= 3 && responses >= 2, "{requests} and {responses}: the test has lost its bite");
}

/// Short ways to ask.
trait Asks {
    async fn get_known(&self, kind: &PolicyKind) -> testkit::Response;
}

impl Asks for Gateway {
    async fn get_known(&self, kind: &PolicyKind) -> testkit::Response {
        self.send(known(get(&path(kind)))).await
    }
}

#[tokio::test]
async fn bodies_that_no_policy_asks_for_stream() {
    let world = World::new();
    let (sender, mut seen) = mpsc::unbounded_channel();
    let upstream = Upstream::service(move |request, mut incoming| {
        let sender = sender.clone();
        async move {
            // A decision that somebody asks for, beside the request itself.
            if request.path.starts_with("/v1/data/") {
                return Response::new(body::full(r#"{"result":true}"#));
            }
            while let Some(Ok(frame)) = incoming.frame().await {
                if let Ok(data) = frame.into_data() {
                    let _ = sender.send(data);
                }
            }
            Response::new(body::full("ok"))
        }
    });
    let upstream = upstream.start().await;
    let mut streamed = 0;
    for kind in policies::POLICIES {
        if needs(&world, kind).await.request_body {
            continue;
        }
        let url = upstream.url();
        let gw =
            Gateway::serving(config(std::slice::from_ref(kind)).api(world.governed(kind, &url, &url))).await;
        let mut client = gw.http1().await;
        let (pieces, body) = body::pieces();
        pieces.send("first").await;
        let mut asked = std::pin::pin!(client.open(known(request("POST", &path(kind))).body(body)));
        let first = async {
            tokio::select! {
                piece = seen.recv() => piece,
                // The upstream answers when the body has ended: this is the policy's own answer.
                answer = &mut asked => {
                    answer.expect("an answer");
                    None
                }
            }
        };
        if let Some(piece) = soon(&format!("{}: the first piece, or a refusal", kind.type_name), first).await
        {
            assert_eq!(piece, "first", "{}", kind.type_name);
            streamed += 1;
            pieces.send("last").await;
            drop(pieces);
            soon("the answer", asked).await.expect("an answer");
            assert_eq!(soon("the last piece", seen.recv()).await.expect("a piece"), "last");
        }
    }
    assert!(streamed >= 15, "only {streamed} policies let a body pass: the test has lost its bite");
}

#[tokio::test]
async fn a_policy_whose_service_is_down_or_slow_fails_as_it_says() {
    let world = World::new();
    let upstream = Upstream::text("ok").start().await;
    let (dead, silent) = (Place::reserve(), Upstream::silent().start().await);
    let mut depending = 0;
    for kind in policies::POLICIES.iter().filter(|kind| kind.example.contains(".internal")) {
        depending += 1;
        let name = kind.type_name;
        assert_ne!(kind.on_failure, FailMode::Never, "{name} calls somebody");
        for service in [dead.url(), silent.url()] {
            let example = impatient(world.example(kind, &service), kind);
            let governed = bare(kind, &upstream.url()).with("readTimeout", WAIT).policy(name, example);
            let gw = Gateway::serving(config(std::slice::from_ref(kind)).api(governed)).await;
            let start = Instant::now();
            // Calls wait by the clock of the gateway, everything else by that of the machine.
            let answer = gw.as_time_passes(Duration::from_millis(100), gw.get_known(kind)).await;
            // Far less than any wait that nobody asked for.
            assert!(start.elapsed() < Duration::from_secs(4), "{name} waited for {:?}", start.elapsed());
            if kind.on_failure == FailMode::Open {
                assert_eq!(answer.status(), 200, "{name}: {}", answer.text());
                continue;
            }
            let reason = answer.reason();
            assert!([502, 503, 504].contains(&answer.status()), "{name}: {}", answer.status());
            let of_calls = engine::reason::GATEWAY_REASONS.iter().any(|known| known.code == reason);
            assert!(of_calls || decided_here(kind, &reason), "{name}: {reason} is none of its reasons");
            let explained = gw.explain(&answer).await;
            assert_eq!(explained.reason.map(|reason| reason.code), Some(reason), "{name}");
        }
    }
    assert!(depending >= 4, "only {depending} policies call somebody: the test has lost its bite");
}

/// How long tests wait for somebody who does not answer.
const WAIT: &str = "300ms";

/// The configuration with a time limit for each call, if calls of the policy have one.
fn impatient(config: Value, kind: &PolicyKind) -> Value {
    let mut limited = config.clone();
    limit_calls(&mut limited);
    if model::check::check(&(kind.schema)(), &limited).is_empty() { limited } else { config }
}

fn limit_calls(config: &mut Value) {
    match config {
        Value::Object(members) => {
            members.values_mut().for_each(limit_calls);
            if members.contains_key("upstream") {
                members.insert("timeout".to_owned(), json!(WAIT));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(limit_calls),
        _ => {}
    }
}

/// Requests that are allowed and hardly ever sent.
fn odd_requests(kind: &PolicyKind) -> Vec<Request> {
    let path = path(kind);
    let mut odd = vec![
        request("HEAD", &path),
        request("OPTIONS", &path),
        request("PURGE", &path),
        request("OPTIONS", &path)
            .header("origin", "https://shop.example")
            .header("access-control-request-method", "GET"),
        post(&path, ""),
        post(&path, "x".repeat(1 << 20)),
        get(&format!("{path}?a=%FF&a=%00&=&%25&{}", "b=1&".repeat(500))),
        get(&path).header("authorization", "Basic").header("authorization", "Bearer \t"),
        get(&path).header("cookie", "a").header("cookie", "a=b; a=c;;").header("range", "bytes=9-1,-"),
    ];
    for kind in [
        "application/json",
        "application/xml",
        "text/xml; charset=no",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        ";",
        "*/*",
    ] {
        for content in [&b"\xff\xfe\x80"[..], b"", b"{", b"<a", b"null", b"\0"] {
            odd.push(post(&path, content).header("content-type", kind).header("content-type", kind));
        }
    }
    let twice = [
        "content-type",
        "x-channel",
        "if-none-match",
        "origin",
        "x-forwarded-for",
        "forwarded",
        "traceparent",
        "user-agent",
        "cache-control",
    ];
    odd.push(
        twice
            .iter()
            .fold(post(&path, "{}"), |request, name| request.header(name, "a,b").header(name, ";,\"")),
    );
    odd
}

#[tokio::test]
async fn nothing_that_clients_send_makes_a_policy_panic_and_every_request_is_explained() {
    let (world, upstream) = (World::new(), Upstream::text("ok").start().await);
    let gw = Gateway::serving(all(&world, &upstream)).await;
    let (mut refused, mut passed) = (BTreeSet::new(), BTreeSet::new());
    for kind in policies::POLICIES {
        let name = kind.type_name;
        let mut client = gw.http1().await;
        for request in odd_requests(kind) {
            let shown = format!("{name}: {request:?}");
            if client.is_closed() {
                client = gw.http1().await;
            }
            let answer = client.send(known(request)).await;
            let explained = gw.explain(&answer).await;
            // An answer to HEAD does not say it.
            let reason = explained.reason.as_ref().map(|reason| reason.code.clone()).unwrap_or_default();
            assert_ne!(reason, "internal_error", "{shown}");
            assert!(
                answer.status() < 500 || decided_here(kind, &reason),
                "{shown}: {} {reason}",
                answer.status()
            );
            let record = serde_json::to_string(&explained).expect("an explanation is JSON");
            let told = format!("{record}{}{:?}", answer.text(), answer.headers());
            assert!(!told.contains(SECRET) && !told.contains(KEY), "{shown}: {told}");
            let steps: Vec<_> = explained.policies.iter().filter(|policy| policy.kind == name).collect();
            let inert = explained.inert.iter().any(|policy| policy.kind == name);
            assert!(inert || !steps.is_empty(), "{shown}: the explanation does not name it: {record}");
            for step in steps {
                match &step.reason {
                    Some(code) if step.verdict == "refused" => {
                        // What a body needs to be looked at may refuse it before the policy does.
                        let looks = ["body_too_large", "body_unreadable"].contains(&code.as_str());
                        assert!(looks || decided_here(kind, code), "{shown}: {code} is none of its reasons");
                        refused.insert(name);
                    }
                    _ => {
                        assert_ne!(step.verdict, "refused", "{shown}: refused without a reason");
                        if step.verdict != "not reached" {
                            passed.insert(name);
                        }
                    }
                }
            }
        }
    }
    let events = gw.ops("/events?limit=1000").await.text();
    assert!(!events.contains(SECRET) && !events.contains(KEY), "a secret is in an event");
    assert!(gw.events("reason=internal_error").await.is_empty(), "nothing panicked");
    let all: BTreeSet<&str> = policies::POLICIES.iter().map(|kind| kind.type_name).collect();
    let reached: BTreeSet<&str> = refused.union(&passed).copied().collect();
    let missed: Vec<_> = all.difference(&reached).collect();
    assert!(missed.is_empty(), "never reached: {missed:?}");
    assert!(refused.len() >= 3, "only {refused:?} refused anything: the test has lost its bite");
}
