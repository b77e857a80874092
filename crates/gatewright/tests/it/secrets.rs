//! Secrets that the manager keeps: written and never read, used by assets, encrypted wherever they are.

use std::{fs, path::Path};

use testkit::{Config, Gateway, Postgres, Upstream, Value, eventually, json, json_request, request};

use crate::{
    command_line::Shell,
    manager::{code, expect, managed, on},
};

const VALUE: &str = "hunter2-hunter2";
const OTHER: &str = "tr0ub4dor-and-3";

/// An API that sends a secret to its upstream.
fn api(upstream: &Upstream) -> Value {
    let config = json!({ "method": "basic", "userName": "me", "password": "${secret:payment}" });
    json!({
        "name": "orders", "basePath": "/orders", "upstream": upstream.url(),
        "policies": [{ "type": "outboundAuthentication", "config": config }],
    })
}

/// What goes upstream with a password.
fn authorization(password: &str) -> String {
    use base64ct::{Base64, Encoding};
    format!("Basic {}", Base64::encode_string(format!("me:{password}").as_bytes()))
}

async fn sent(gateway: &Gateway, upstream: &Upstream) -> String {
    assert_eq!(gateway.get("/orders/7").await.status(), 200);
    upstream.last().header("authorization").to_owned()
}

/// Every file below a folder, as text.
fn all_files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(all_files(&path));
        } else if let Ok(content) = fs::read(&path) {
            found.push((path.display().to_string(), content));
        }
    }
    found
}

fn contains(content: &[u8], text: &str) -> bool {
    content.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn a_secret_goes_where_it_is_used_and_nowhere_else() {
    let upstream = Upstream::text("hello").start().await;
    let directory = tempfile::tempdir().expect("temporary folders can be made");
    let config = managed().setting("dataDirectory", directory.path().display().to_string());
    let gateway = Gateway::serving(config.clone()).await;
    let admin = gateway.administrator();
    let password = admin.password().to_owned();

    let refused = expect(&admin.post("/apis", &api(&upstream)).await, 422);
    assert!(
        refused["errors"][0]["message"].to_string().contains("there is no secret `payment`"),
        "{refused}"
    );
    assert_eq!(refused["errors"][0]["path"], "policies[0].config.password");
    let named = json!({ "name": "payment", "description": "of the bank" });
    let made = expect(&admin.post("/secrets", &named).await, 201);
    assert_eq!(made["hasValue"], false);
    let refused = expect(&admin.post("/apis", &api(&upstream)).await, 422);
    assert!(refused.to_string().contains("has no value yet"), "{refused}");
    let give = |value: &str| json_request("PATCH", "/secrets/payment", &json!({ "value": value }));
    let planned = json_request("PATCH", "/secrets/payment?dryRun=true", &json!({ "value": VALUE }));
    let mut answers = vec![admin.send(planned).await, admin.send(give(VALUE)).await];
    assert_eq!(expect(&answers[1], 200)["hasValue"], true);
    expect(&admin.post("/apis", &api(&upstream)).await, 201);
    assert_eq!(sent(&gateway, &upstream).await, authorization(VALUE));

    // The same again is no change; another value is one, and is live.
    let before = expect(&admin.get("/secrets/payment").await, 200)["revision"].clone();
    assert_eq!(expect(&admin.send(give(VALUE)).await, 200)["revision"], before);
    let set = json!({ "secrets": [{ "name": "payment", "description": "of the bank", "value": OTHER }] });
    let planned = admin.post("/plan", &set).await;
    assert_eq!(
        planned.json()["changes"],
        json!([{ "kind": "secret", "name": "payment", "action": "update" }])
    );
    answers.extend([planned, admin.post("/apply", &set).await]);
    assert_eq!(sent(&gateway, &upstream).await, authorization(OTHER));
    // An export has no value, and applying it keeps the one that is there.
    let exported = admin.get("/export").await;
    assert_eq!(expect(&exported, 200)["secrets"], json!([named]));
    assert_eq!(expect(&admin.post("/apply", &exported.json()).await, 200)["different"], false);
    // Renamed it is the same; and it comes back with an earlier revision, also when it was deleted.
    let refused = admin.delete("/secrets/payment").await;
    assert_eq!(code(&refused, 422), "invalid", "the API needs it");
    let revision = before.as_u64().expect("a number");
    expect(&admin.delete("/apis/orders:1.0").await, 200);
    let renamed = json_request("PATCH", "/secrets/payment", &json!({ "name": "bank" }));
    expect(&admin.send(renamed).await, 200);
    expect(&admin.delete("/secrets/bank").await, 200);
    let restore = format!("/api/v1/revisions/{revision}/restore?kind=secrets&name=payment");
    expect(&admin.send(request("POST", &restore)).await, 200);
    expect(&admin.post("/apis", &api(&upstream)).await, 201);
    assert_eq!(sent(&gateway, &upstream).await, authorization(VALUE));

    // What is wrong with a value is said without it.
    for wrong in [json!({ "value": 7_411_209 }), json!({ "value": "" }), json!({ "value": "${env:PAYMENT}" })]
    {
        let refused = admin.send(json_request("PATCH", "/secrets/payment", &wrong)).await;
        assert_eq!(code(&refused, 422), "invalid");
        assert!(!refused.text().contains("7411209"), "{}", refused.text());
    }
    let id = expect(&admin.get("/secrets/payment").await, 200)["id"].as_str().expect("an id").to_owned();
    for path in [
        "/secrets",
        "/secrets/payment",
        "/secrets?q=hunter2",
        &format!("/secrets/{id}/history"),
        "/export",
        "/audit",
        "/revisions",
        "/masterKeys",
        "/nodes",
        "/kinds",
        "/apis/orders:1.0",
    ] {
        answers.push(admin.get(path).await);
    }
    answers.extend([gateway.ops("/status").await, gateway.ops("/events?limit=100").await]);
    answers.push(exported);
    for answer in &answers {
        assert!(answer.status() < 300, "{}", answer.text());
        for value in [VALUE, OTHER, "v1:"] {
            assert!(!answer.text().contains(value), "{}", answer.text());
        }
    }
    gateway.stop().await;
    for (file, content) in all_files(directory.path()) {
        assert!(!contains(&content, VALUE) && !contains(&content, OTHER), "{file}");
    }
    let key = directory.path().join("master.key");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&key).expect("a file").permissions());
    assert_eq!(mode & 0o777, 0o600);
    // The key is found again after a restart, and a wrong one is told with what to do.
    let gateway = Gateway::serving(config.clone()).await;
    assert_eq!(sent(&gateway, &upstream).await, authorization(VALUE));
    expect(&gateway.admin("Administrator", &password).get("/secrets/payment").await, 200);
    gateway.stop().await;
    fs::write(&key, "0b".repeat(32)).expect("a file");
    let error = Gateway::start(config.clone()).await.err().expect("it cannot").to_string();
    assert!(error.contains("secret `payment`") && error.contains("settings.store.masterKey"), "{error}");
    fs::write(&key, "short").expect("a file");
    let error = Gateway::start(config).await.err().expect("it cannot").to_string();
    assert!(error.contains("master.key") && error.contains("64 hexadecimal digits"), "{error}");
}

#[tokio::test]
async fn only_assets_refer_to_secrets_and_only_those_that_may() {
    let upstream = Upstream::text("hello").start().await;
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let secret =
        json!({ "name": "payment", "value": VALUE, "usableBy": ["api:billing:*", "application:shop"] });
    expect(&admin.post("/secrets", &secret).await, 201);
    let refused = expect(&admin.post("/apis", &api(&upstream)).await, 422);
    assert_eq!(refused["errors"][0]["help"], "who may is in usableBy of the secret", "{refused}");
    let mut billing = api(&upstream);
    billing["name"] = "billing".into();
    expect(&admin.post("/apis", &billing).await, 201);
    assert_eq!(sent(&gateway, &upstream).await, authorization(VALUE));
    let shop = json!({ "name": "shop", "apiKeys": [{ "value": "${secret:payment}" }] });
    expect(&admin.post("/applications", &shop).await, 201);

    let in_file = testkit::api("/file", &upstream).policy(
        "outboundAuthentication",
        json!({ "method": "basic", "userName": "me", "password": "${secret:payment}" }),
    );
    let error = gateway.apply(managed().api(in_file)).await.expect_err("a file has no secrets").to_string();
    assert!(error.contains("${env:NAME}") && error.contains("policies[0].config.password"), "{error}");
}

/// A configuration with master keys.
fn keyed(config: &Config, keys: &[&str], folder: &Path) -> Config {
    let references: Vec<_> = keys
        .iter()
        .map(|key| {
            let file = folder.join(key);
            fs::write(&file, key.repeat(32)).expect("a file");
            format!("${{file:{}}}", file.display())
        })
        .collect();
    config.clone().setting("store.masterKey", json!({ "keys": references }))
}

#[tokio::test]
async fn nodes_share_secrets_through_a_master_key_that_is_changed_without_a_pause() {
    let upstream = Upstream::text("hello").start().await;
    let mut postgres = Postgres::start();
    let (config, directory) = on(&postgres);
    let keyed = |keys: &[&str], data: &str| {
        let data = directory.path().join(data);
        keyed(&config, keys, directory.path()).setting("dataDirectory", data.display().to_string())
    };
    let without = Gateway::serving(config.clone()).await;
    let admin = without.administrator();
    let password = admin.password().to_owned();
    let secret = json!({ "name": "payment", "value": VALUE });
    let refused = expect(&admin.post("/secrets", &secret).await, 422);
    assert!(refused["errors"][0]["message"].to_string().contains("settings.store.masterKey"), "{refused}");

    let one = Gateway::serving(keyed(&["0a"], "one")).await;
    let two = Gateway::serving(keyed(&["0a"], "two")).await;
    let admin = admin.at(&one);
    expect(&admin.post("/secrets", &secret).await, 201);
    expect(&admin.post("/apis", &api(&upstream)).await, 201);
    eventually("both serve it", async || two.get("/orders/7").await.status() == 200).await;
    assert_eq!(sent(&two, &upstream).await, authorization(VALUE));
    // A node without the key says so, and goes on serving what it has.
    eventually("it is told", async || {
        let nodes = expect(&admin.get("/nodes").await, 200);
        let nodes = nodes["items"].as_array().cloned().unwrap_or_default();
        nodes.iter().any(|node| node["problem"].to_string().contains("settings.store.masterKey"))
    })
    .await;
    assert_eq!(without.get("/orders/7").await.status(), 404);
    without.stop().await;

    // Node by node the new key comes first, and only when all have it is it used.
    one.stop().await;
    let one = Gateway::serving(keyed(&["0b", "0a"], "one")).await;
    let admin = admin.at(&one);
    let folder = tempfile::tempdir().expect("temporary folders can be made");
    let shell = Shell { gateway: &one, folder: folder.path(), password: password.clone() };
    let at_two = two.inner().admin().expect("there is a manager").to_string();
    let refused = shell.bad(&["secrets", "rotate"]).await;
    assert!(refused.contains(&at_two) && refused.contains("settings.store.masterKey"), "{refused}");
    two.stop().await;
    let two = Gateway::serving(keyed(&["0b", "0a"], "two")).await;
    let rotated = shell.good(&["secrets", "rotate"]).await;
    assert!(rotated.contains("now, revision"), "{rotated}");
    assert!(shell.good(&["secrets", "rotate"]).await.contains("already"));
    assert!(shell.good(&["secrets", "keys"]).await.contains("1 data key under"));
    assert_eq!(
        (sent(&one, &upstream).await, sent(&two, &upstream).await),
        (authorization(VALUE), authorization(VALUE))
    );
    let give = json_request("PATCH", "/secrets/payment", &json!({ "value": OTHER }));
    let revision = expect(&admin.send(give).await, 200)["revision"].clone();
    eventually("both serve it", async || {
        let path = format!("/revisions/{revision}/nodes");
        expect(&admin.get(&path).await, 200)["behind"] == json!([])
    })
    .await;
    assert_eq!(sent(&two, &upstream).await, authorization(OTHER));

    // The old key is needed no more, also for what a node has kept on its disk, which shows nothing.
    let snapshot = directory.path().join("two/snapshot/assets");
    let is_kept = || {
        fs::read_to_string(&snapshot)
            .is_ok_and(|text| text.contains(&format!("\"revision\":{revision},\"epoch\"")))
    };
    eventually("it is written down", async || is_kept()).await;
    two.stop().await;
    postgres.halt();
    let two = Gateway::serving(keyed(&["0b"], "two")).await;
    assert_eq!(sent(&two, &upstream).await, authorization(OTHER));
    two.stop().await;
    for (file, content) in all_files(&directory.path().join("two")) {
        assert!(!contains(&content, VALUE) && !contains(&content, OTHER), "{file}");
    }
    let error = Gateway::start(keyed(&["0c"], "two")).await.err().expect("it cannot").to_string();
    assert!(error.contains("secret `payment`") && error.contains("settings.store.masterKey"), "{error}");
}

#[tokio::test]
async fn a_program_may_know_the_master_key() {
    let postgres = Postgres::start();
    let (config, directory) = on(&postgres);
    let program =
        |script: &str| config.clone().setting("store.masterKey", json!({ "command": ["sh", "-c", script] }));
    let key = "0a".repeat(32);
    let gateway = Gateway::serving(program(&format!("echo {key}; echo {}", "0b".repeat(32)))).await;
    let admin = gateway.administrator();
    expect(&admin.post("/secrets", &json!({ "name": "payment", "value": VALUE })).await, 201);
    let keys = expect(&admin.get("/masterKeys").await, 200);
    assert_eq!(
        (keys["masterKeys"].as_array().map(Vec::len), &keys["used"][0]["dataKeys"]),
        (Some(2), &json!(1))
    );
    for (script, said) in [
        ("exit 3", "exit status: 3"),
        ("true", "printed nothing"),
        (&*format!("echo {key}; echo hello"), "line 2"),
    ] {
        let error = Gateway::start(program(script)).await.err().expect("it cannot").to_string();
        assert!(error.contains("settings.store.masterKey.command") && error.contains(said), "{error}");
        assert!(!error.contains("hello"), "{error}");
    }
    let mut both = json!({ "command": ["true"] });
    fs::write(directory.path().join("key"), &key).expect("a file");
    both["keys"] = json!([format!("${{file:{}/key}}", directory.path().display())]);
    let both = Gateway::start(config.clone().setting("store.masterKey", both)).await;
    assert!(both.err().expect("it cannot").to_string().contains("one of the two"));
}

#[tokio::test]
async fn documents_take_secrets_from_where_they_are_applied() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let folder = tempfile::tempdir().expect("temporary folders can be made");
    let file = folder.path().join("value");
    fs::write(&file, format!("{VALUE}\n")).expect("a file");
    let set = json!({ "secrets": [{ "name": "payment", "value": format!("${{file:{}}}", file.display()) }] });
    fs::write(folder.path().join("set.yaml"), set.to_string()).expect("a file");
    let shell = Shell { gateway: &gateway, folder: folder.path(), password: admin.password().to_owned() };
    shell.good(&["apply", "-f", "set.yaml"]).await;
    assert_eq!(expect(&admin.get("/secrets/payment").await, 200)["hasValue"], true);
    assert!(shell.good(&["plan", "-f", "set.yaml"]).await.contains("nothing is different"));
    fs::remove_file(&file).expect("a file");
    let said = shell.bad(&["plan", "-f", "set.yaml"]).await;
    assert!(said.contains("secret payment") && said.contains("cannot be read"), "{said}");
}
