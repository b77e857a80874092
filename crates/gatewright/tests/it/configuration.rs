//! What is wrong with a configuration is said all at once: where it is, what was found, what was expected.

use std::path::Path;

use gatewright::{Source, ready::check};
use testkit::{Config, Gateway, Upstream, Value, api, config::hash, get, json};

/// Everything that is wrong with a folder of files.
async fn problems(files: &[(&str, &str)]) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).expect("a file");
    }
    let source = match files {
        [(name, _)] => directory.path().join(name),
        _ => directory.path().to_owned(),
    };
    match check(&Source::Path(source)).await {
        Ok(_) => String::new(),
        Err(problems) => without_directory(&problems.to_string(), directory.path()),
    }
}

fn without_directory(text: &str, directory: &Path) -> String {
    text.replace(&format!("{}/", directory.display()), "")
}

#[tokio::test]
async fn an_unknown_key_is_answered_with_file_line_and_the_nearest_name() {
    let text = "apis:\n  - name: orders\n    basepath: /orders\n    upstream: http://127.0.0.1:1\n";
    let found = problems(&[("gw.yaml", text)]).await;
    assert!(
        found.starts_with("gw.yaml:3: apis[0].basepath: unknown key `basepath`; did you mean `basePath`?"),
        "{found}"
    );
    let text = "setings: {}\n";
    assert!(problems(&[("gw.yaml", text)]).await.contains("did you mean `settings`?"));
}

#[tokio::test]
async fn everything_wrong_is_said_at_once() {
    let text = "\
listeners:
  - {name: one, address: '127.0.0.1:7001'}
  - {name: two, address: '127.0.0.1:7001'}
  - {name: two, address: '127.0.0.1:7002'}
upstreams:
  - {name: up, endpoints: [{url: 'ftp://x'}]}
apis:
  - name: a
    upstream: nowhere
    policies:
      - {type: ratelimit, config: {}}
      - type: rateLimit
        config: {limit: 0, window: 1m}
  - {name: b, basePath: no-slash, upstream: up}
applications:
  - {name: app, apis: [aa]}
";
    let found = problems(&[("gw.yaml", text)]).await;
    for part in [
        "gw.yaml:3: listeners[1].address",
        "gw.yaml:4: listeners[2].name",
        "gw.yaml:6: upstreams[0].endpoints[0].url",
        "apis[0].upstream: found `nowhere`, which is no upstream",
        "gw.yaml:11: apis[0].policies[0].type: found `ratelimit`, which is no policy; did you mean `rateLimit`?",
        "gw.yaml:13: apis[0].policies[1].config.limit",
        "apis[1].basePath: found `no-slash`",
        "applications[0].apis[0]: found `aa`, which is no API",
    ] {
        assert!(found.contains(part), "{part} is missing in\n{found}");
    }
}

#[tokio::test]
async fn files_of_a_folder_are_added_up_and_problems_name_their_file() {
    let first = "settings: {operations: {address: '127.0.0.1:0'}}\napis:\n  - {name: a, basePath: /a, upstream: 'http://127.0.0.1:1'}\n";
    let second = "apis:\n  - {name: b, basePath: /b, upstream: 'http://127.0.0.1:1'}\n\n  - {name: c, basePath: /a, upstream: 'http://127.0.0.1:1'}\n";
    let found = problems(&[("1.yaml", first), ("2.yaml", second)]).await;
    assert!(found.starts_with("2.yaml:4: apis[1].basePath: found `/a`"), "{found}");
    let third = "settings: {}\n";
    let found = problems(&[("1.yaml", first), ("3.yaml", third)]).await;
    assert!(found.contains("3.yaml") && found.contains("settings"), "{found}");
}

#[tokio::test]
async fn two_apis_at_one_address_are_refused() {
    let text = "apis:\n  - {name: a, version: '1', upstream: 'http://127.0.0.1:1'}\n  - {name: a, version: '1', upstream: 'http://127.0.0.1:1'}\n";
    let found = problems(&[("gw.yaml", text)]).await;
    assert!(found.contains("/gateway/a/1") && found.contains("apis[0]"), "{found}");
}

#[tokio::test]
async fn what_is_no_configuration_is_said_in_words() {
    for (text, part) in [
        ("", "empty"),
        ("openapi: 3.0.0\ninfo: {}\npaths: {}\n", "this is an API definition"),
        ("apis: [\n", "gw.yaml:"),
        ("apis: 7\n", "apis"),
    ] {
        let found = problems(&[("gw.yaml", text)]).await;
        assert!(found.contains(part), "{text:?}: {found}");
    }
}

#[tokio::test]
async fn a_key_that_is_given_twice_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gw.yaml");
    std::fs::write(&file, "apis:\n  - name: a\n    upstream: http://127.0.0.1:1\n    name: b\n").unwrap();
    let said = match check(&Source::Path(file)).await {
        Ok((_, warnings)) => warnings.iter().map(ToString::to_string).collect(),
        Err(problems) => problems.to_string(),
    };
    assert!(said.contains("gw.yaml:4") && said.contains("name"), "said: {said:?}");
}

#[tokio::test]
async fn secrets_are_references_and_are_never_told() {
    let upstream = Upstream::text("ok").start().await;
    let with = |value: &str| {
        Config::from(api("/a", &upstream).policy("apiKey", json!({})))
            .append("applications", json!({ "name": "app", "apis": ["a"], "apiKeys": [{ "value": value }] }))
    };
    let secret = tempfile::tempdir().unwrap();
    let file = secret.path().join("key");
    std::fs::write(&file, "hunter2-from-file\n").unwrap();
    let gw = Gateway::serving(with(&format!("${{file:{}}}", file.display()))).await;
    assert_eq!(gw.send(get("/a").header("x-gateway-apikey", "hunter2-from-file")).await.status(), 200);
    for path in ["/status", "/apis", "/explain", "/events", "/metrics", "/health/engine"] {
        assert!(!gw.ops(path).await.text().contains("hunter2"), "{path}");
    }

    let Err(literal) = Gateway::start(with("hunter2-literal")).await else {
        panic!("a literal secret was taken")
    };
    assert!(
        literal.to_string().contains("${env:NAME}") && !literal.to_string().contains("hunter2"),
        "{literal}"
    );
    let Err(missing) = Gateway::start(with("${env:GATEWRIGHT_TEST_NO_SUCH_VARIABLE}")).await else {
        panic!("it is not set")
    };
    assert!(missing.to_string().contains("GATEWRIGHT_TEST_NO_SUCH_VARIABLE"), "{missing}");
    let Err(missing) = Gateway::start(with("${file:/no/such/file}")).await else {
        panic!("there is no such file")
    };
    assert!(missing.to_string().contains("/no/such/file"), "{missing}");
    let refused = gw.apply(with("hunter2-literal")).await.unwrap_err();
    assert!(!refused.to_string().contains("hunter2"));
    assert!(!gw.ops("/status").await.text().contains("hunter2"));
    assert_eq!(gw.send(get("/a").header("x-gateway-apikey", "hunter2-from-file")).await.status(), 200);
}

#[tokio::test]
async fn a_secret_can_come_from_the_environment() {
    // Every shell has it, and it is long enough for a key.
    let path = std::env::var("PATH").unwrap();
    let upstream = Upstream::text("ok").start().await;
    let config = Config::from(api("/a", &upstream).policy("apiKey", json!({}))).append(
        "applications",
        json!({ "name": "app", "apis": ["a"], "apiKeys": [{ "value": "${env:PATH}" }] }),
    );
    let gw = Gateway::serving(config).await;
    assert_eq!(gw.send(get("/a").header("x-gateway-apikey", &path)).await.status(), 200);
}

#[tokio::test]
async fn the_same_key_for_two_applications_is_refused_without_naming_it() {
    let upstream = Upstream::text("ok").start().await;
    let config = Config::from(api("/a", &upstream)).application("one", "shared", &["a"]).application(
        "two",
        "shared",
        &["a"],
    );
    let Err(error) = Gateway::start(config).await else { panic!("two applications share a key") };
    let text = error.to_string();
    assert!(text.contains("applications[1].apiKeys[0]") && !text.contains(&hash("shared")), "{text}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_when_the_gateway_starts() {
    let upstream = Upstream::text("ok").start().await;
    let address = upstream.address().to_string();
    let config =
        Config::from(api("/a", &upstream)).listeners(json!([{ "name": "default", "address": address }]));
    let Err(error) = Gateway::start(config).await else { panic!("the port is taken") };
    assert!(error.to_string().contains(&address) && error.to_string().contains("in use"), "{error}");
    let config = Config::from(api("/a", &upstream)).setting("operations.address", &*address);
    let Err(error) = Gateway::start(config).await else { panic!("the port is taken") };
    assert!(error.to_string().contains("settings.operations.address"), "{error}");
}

#[tokio::test]
async fn files_that_are_not_there_or_make_no_sense_are_named() {
    let text = "listeners:\n  - name: tls\n    address: '127.0.0.1:0'\n    tls: {certificates: [{certificateFile: no.pem, keyFile: no.key}]}\napis:\n  - {definition: no.yaml}\n";
    let found = problems(&[("gw.yaml", text)]).await;
    assert!(found.contains("apis[0].definition") && found.contains("no.yaml"), "{found}");
    let text = text.replace("  - {definition: no.yaml}", "  - {name: a}");
    let found = problems(&[("gw.yaml", &text)]).await;
    assert!(found.contains("gw.yaml:4: listeners[0].tls.certificates[0].certificateFile"), "{found}");
}

#[tokio::test]
async fn an_alias_changes_what_every_text_says_that_names_it() {
    let upstream = Upstream::echo().start().await;
    let config = |value: &str, own: Value| {
        let header = json!({ "headers": { "X-Region": "<${region}|${date_}|${user}>" } });
        let path = json!({ "path": "${base}${request.path}" });
        Config::new()
            .append("aliases", json!({ "name": "region", "value": value }))
            .append("aliases", json!({ "name": "base", "value": "/v2", "description": "where it lives" }))
            .append("policies", json!({ "type": "customHeaders", "config": header }))
            .api(api("/a", &upstream).policy("requestTransformation", path))
            .api(api("/b", &upstream).policy("requestTransformation", own))
            .setting("faults.defaultMessage", "ask ${region}")
    };
    let set = json!({ "set": [{ "variable": "region", "value": "own" }] });
    let gw = Gateway::serving(config("north", set.clone())).await;
    for (value, a, b) in [("north", "<north||>", "<own||>"), ("south", "<south||>", "<own||>")] {
        gw.apply(config(value, set.clone())).await.expect("it is valid");
        let response = gw.get("/a/x").await.json();
        assert_eq!((&response["headers"]["x-region"], &response["path"]), (&json!(a), &json!("/v2/x")));
        assert_eq!(
            gw.get("/b").await.json()["headers"]["x-region"],
            b,
            "a variable that a policy set comes first"
        );
        assert_eq!(gw.get("/c").await.json()["detail"], format!("ask {value}"), "settings, too");
    }
}

#[tokio::test]
async fn aliases_that_would_not_be_found_are_refused() {
    let config = ["ok", "user", "a b", "request", "ok", "1st", "sys:x", ""]
        .iter()
        .fold(Config::new(), |config, name| config.append("aliases", json!({ "name": name, "value": "v" })));
    let error = Gateway::start(config).await.err().expect("it is wrong").to_string();
    for path in (1..8).map(|index| format!("aliases[{index}].name")) {
        assert!(error.contains(&path), "{path}: {error}");
    }
    assert!(error.contains("which is a variable of the gateway"), "{error}");
    let long = json!({ "name": "a", "value": "x".repeat(70_000) });
    let error = Gateway::start(Config::new().append("aliases", long)).await.err().expect("it is wrong");
    assert!(error.to_string().contains("aliases[0].value"), "{error}");
}
