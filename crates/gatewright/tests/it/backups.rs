//! Backups: everything in a store as one file that moves between engines, whole or not at all.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use testkit::{Gateway, Postgres, Upstream, eventually, json, json_request, request};

use crate::manager::{code, expect, managed, on, orders};

/// Runs the binary with a configuration, beside what this process serves.
async fn run(gateway: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatewright"));
    command.args(arguments).arg("--config").arg(gateway).env("GATEWRIGHT_LOG", "off");
    let run = tokio::task::spawn_blocking(move || command.output()).await;
    run.expect("it does not panic").expect("the binary runs")
}

async fn good(gateway: &Path, arguments: &[&str]) -> String {
    let output = run(gateway, arguments).await;
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

async fn bad(gateway: &Path, arguments: &[&str]) -> String {
    let output = run(gateway, arguments).await;
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    String::from_utf8(output.stderr).expect("text")
}

#[tokio::test]
async fn a_store_moves_from_sqlite_to_postgresql_and_back_with_everything_in_it() {
    let upstream = Upstream::text("hello").start().await;
    let folder = tempfile::tempdir().expect("temporary folders can be made");
    let key = folder.path().join("key");
    fs::write(&key, "0a".repeat(32)).expect("a file");
    let keyed = json!({ "keys": [format!("${{file:{}}}", key.display())] });
    let (data, back) = (folder.path().join("data"), folder.path().join("back"));
    let at = |data: &Path| {
        managed()
            .setting("store.masterKey", keyed.clone())
            .setting("dataDirectory", data.display().to_string())
    };
    let one = Gateway::serving(at(&data)).await;
    let admin = one.administrator();
    let password = admin.password().to_owned();
    let definition = "openapi: 3.1.0\ninfo: {title: Pets, version: '2'}\npaths:\n  /pets/{id}: {get: {responses: {'200': {description: ok}}}}\n";
    let import = request("POST", &format!("/api/v1/apis/import?upstream={}", upstream.url()));
    expect(&admin.send(import.body(testkit::body::full(definition.to_owned()))).await, 201);
    expect(&admin.post("/secrets", &json!({ "name": "payment", "value": "hunter2-hunter2" })).await, 201);
    let mut api = orders(&upstream);
    api["policies"] = json!([{ "type": "outboundAuthentication", "config": { "method": "basic", "userName": "me", "password": "${secret:payment}" } }]);
    expect(&admin.post("/apis", &api).await, 201);
    expect(&admin.post("/applications", &json!({ "name": "gone" })).await, 201);
    expect(&admin.delete("/applications/gone").await, 200);
    let token = expect(&admin.post("/tokens", &json!({ "name": "t" })).await, 201)["token"].clone();
    let token = format!("Bearer {}", token.as_str().expect("it is shown once"));
    let with_token = || request("GET", "/api/v1/whoami").header("authorization", &token);

    // While it is served from.
    let file = folder.path().join("backup");
    let written = good(&one.path("gatewright.yaml"), &["backup", &file.display().to_string()]).await;
    assert!(written.contains("revision 6 "), "{written}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).expect("a file").permissions());
    assert_eq!(mode & 0o777, 0o600);
    let all = async |admin: &testkit::Admin| {
        let mut all = Vec::new();
        for path in
            ["/export", "/revisions", "/audit?limit=1000", "/apis/orders:1.0", "/applications/gone/history"]
        {
            all.push(admin.get(path).await.text());
        }
        all
    };
    let before = all(&admin).await;
    let file_name = file.display().to_string();
    // Nobody takes a file away from a gateway that serves from it.
    let refused = bad(&one.path("gatewright.yaml"), &["restore", "--replace", &file_name]).await;
    assert!(refused.contains("in use") && refused.contains("stop the gateway"), "{refused}");
    one.stop().await;

    let postgres = Postgres::start();
    let (config, _directory) = on(&postgres);
    let config = config.setting("store.masterKey", keyed.clone());
    let two = Gateway::serving(config).await;
    let there = two.path("gatewright.yaml");
    let refused = bad(&there, &["restore", &file_name]).await;
    assert!(refused.contains("revision 1") && refused.contains("--replace"), "{refused}");
    // Something that is not in the backup, in a store that has come further.
    let first = two.administrator();
    for n in 0..8 {
        expect(&first.post("/applications", &json!({ "name": format!("app{n}") })).await, 201);
    }

    // No half of a backup is restored.
    let whole = fs::read(&file).expect("a file");
    let broken = folder.path().join("broken");
    let mut changed = whole.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    for content in [&whole[..whole.len() - 9], &whole[..20], &changed, b"hello", b""] {
        fs::write(&broken, content).expect("a file");
        let said = bad(&there, &["restore", "--replace", &broken.display().to_string()]).await;
        assert!(said.contains("nothing was changed"), "{said}");
    }
    assert_eq!(expect(&first.get("/applications").await, 200)["total"], 8);

    let restored = good(&there, &["restore", "--replace", &file_name]).await;
    assert!(restored.contains("revision 6"), "{restored}");
    // A gateway that serves from it follows.
    eventually("it is served", async || two.get("/orders/7").await.status() == 200).await;
    assert!(upstream.last().header("authorization").starts_with("Basic "), "the secret is there");
    assert_eq!(two.get("/gateway/Pets/2/pets/7").await.status(), 200);
    let admin = two.admin("Administrator", &password);
    assert_eq!(all(&admin).await, before);
    assert_eq!(admin.send_as_it_is(with_token()).await.status(), 200);
    assert_eq!(code(&first.get("/whoami").await, 401), "credentials_invalid", "the other password is gone");
    let verified = expect(&admin.send(request("POST", "/api/v1/audit/verify")).await, 200);
    assert_eq!(verified["intact"], true);
    // And changes go on from there.
    let patch = json_request("PATCH", "/apis/orders:1.0", &json!({ "tags": ["a"] }));
    assert_eq!(expect(&admin.send(patch).await, 200)["revision"], 7);

    let again = folder.path().join("again");
    good(&there, &["backup", &again.display().to_string()]).await;
    let empty = Gateway::serving(at(&back)).await;
    let here = empty.path("gatewright.yaml");
    let kept = fs::read_to_string(&here).expect("a file");
    empty.stop().await;
    let here = folder.path().join("gatewright.yaml");
    fs::write(&here, kept).expect("a file");
    fs::remove_dir_all(&back).expect("a folder");
    good(&here, &["restore", &again.display().to_string()]).await;
    let three = Gateway::serving(at(&back)).await;
    assert_eq!(three.get("/orders/7").await.status(), 200);
    let at_three = three.admin("Administrator", &password);
    assert_eq!(all(&at_three).await, all(&admin).await);
    let verified = expect(&at_three.send(request("POST", "/api/v1/audit/verify")).await, 200);
    assert_eq!(verified["intact"], true);
}
