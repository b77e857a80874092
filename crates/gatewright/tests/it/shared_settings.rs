//! Settings that all nodes have in common, kept as an asset: they count instead of what a node's file says, and every node
//! takes them up while it runs.

use std::{fs, process::Command};

use testkit::{Admin, Gateway, Postgres, Value, json, json_request, request};

use crate::{
    command_line::Shell,
    manager::{code, expect, managed, on},
};

const AT: &str = "/sharedSettings/settings";

fn says(message: &str) -> Value {
    json!({ "faults": { "defaultMessage": message } })
}

/// What somebody is told who calls nothing.
async fn told(gateway: &Gateway) -> String {
    gateway.get("/nothing").await.text()
}

/// Where a section comes from, and what is in it.
async fn section(admin: &Admin, section: &str) -> (String, Value) {
    let all = expect(&admin.get("/gateway/settings").await, 200);
    let found = all["items"].as_array().expect("items").iter().find(|item| item["section"] == section);
    let found = found.expect("it is a section");
    (found["from"].as_str().expect("a word").to_owned(), found["value"].clone())
}

#[tokio::test]
async fn what_the_asset_says_counts_at_once_and_the_file_counts_again_without_it() {
    let file = json!({ "defaultMessage": "says the file", "sendNativeProviderFault": false });
    let gateway = Gateway::serving(managed().setting("faults", file)).await;
    let admin = gateway.administrator();
    assert!(told(&gateway).await.contains("says the file"));
    assert_eq!(section(&admin, "faults").await.0, "file");
    assert_eq!(section(&admin, "limits").await.0, "default");

    let made = expect(&admin.post("/sharedSettings", &says("says the asset")).await, 201);
    assert_eq!((&made["kind"], &made["name"]), (&json!("settings"), &json!("settings")));
    assert!(told(&gateway).await.contains("says the asset"));
    let (from, faults) = section(&admin, "faults").await;
    // A section counts as a whole: what it does not say is not taken from the file.
    assert_eq!((from.as_str(), &faults["sendNativeProviderFault"]), ("asset", &json!(true)));

    // One section more leaves the others; it is changed and brought back as every asset.
    let patch = json_request("PATCH", AT, &json!({ "matching": { "strictTrailingSlashValidation": true } }));
    expect(&admin.send(patch).await, 200);
    assert_eq!(section(&admin, "matching").await.0, "asset");
    let patch = json_request("PATCH", AT, &says("says another"));
    expect(&admin.send(patch).await, 200);
    assert!(told(&gateway).await.contains("says another"));
    let restore = format!("/api/v1/revisions/{}/restore?kind=sharedSettings&name=settings", made["revision"]);
    expect(&admin.send(request("POST", &restore)).await, 200);
    assert!(told(&gateway).await.contains("says the asset"));
    assert_eq!(section(&admin, "matching").await.0, "default");
    let history = expect(&admin.get(&format!("{AT}/history")).await, 200);
    assert_eq!(history["items"].as_array().map(Vec::len), Some(4));

    expect(&admin.delete(AT).await, 200);
    assert!(told(&gateway).await.contains("says the file"));
    assert_eq!(section(&admin, "faults").await.0, "file");
}

#[tokio::test]
async fn what_cannot_change_while_a_node_runs_is_refused_with_the_reason() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    for (document, path, help) in [
        (json!({ "store": { "url": "postgres://elsewhere" } }), "store", "when a node starts"),
        (json!({ "manager": { "enableTeamWork": true } }), "manager", "when a node starts"),
        (json!({ "privateAddresses": { "allow": ["0.0.0.0/0"] } }), "privateAddresses", "up to the machine"),
        (json!({ "accessLog": { "path": "/etc/passwd" } }), "accessLog", "up to the machine"),
        (json!({ "callbacks": { "httpsOnly": false } }), "callbacks", "secrets of the nodes"),
        (json!({ "limit": {} }), "limit", "did you mean"),
        (json!({ "limits": { "bodySize": "much" } }), "limits.bodySize", ""),
        (json!({ "limits": { "bodySizes": "1MiB" } }), "limits.bodySizes", "did you mean"),
        (json!({ "contentTypes": { "json": ["json"] } }), "contentTypes.json[0]", "write it like"),
        (json!({ "faults": { "defaultMessage": "${" } }), "faults.defaultMessage", ""),
        (json!({ "name": "mine" }), "name", ""),
    ] {
        let refused = expect(&admin.post("/sharedSettings", &document).await, 422);
        let problem = &refused["errors"][0];
        assert_eq!(problem["path"], path, "{refused}");
        assert!(problem["help"].to_string().contains(help), "{refused}");
    }
    expect(&admin.post("/sharedSettings", &json!({})).await, 201);
    assert_eq!(code(&admin.post("/sharedSettings", &says("twice")).await, 409), "exists");
    // Something that depends on it is looked at with it.
    let groups = json!({ "apis": { "apiGroupingPossibleValues": ["Ours"] } });
    expect(&admin.send(json_request("PATCH", AT, &groups)).await, 200);
    let api = json!({ "name": "a", "upstream": "http://127.0.0.1:1", "groups": ["Ours"] });
    expect(&admin.post("/apis", &api).await, 201);
    assert_eq!(code(&admin.delete(AT).await, 422), "invalid");
}

#[tokio::test]
async fn they_are_for_those_who_manage_system_settings() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    expect(&admin.post("/users", &json!({ "name": "ann", "groups": ["API-Gateway-Providers"] })).await, 201);
    let password = json!({ "password": "correct horse battery" });
    assert_eq!(admin.send(json_request("PUT", "/users/ann/password", &password)).await.status(), 204);
    let ann = gateway.admin("ann", "correct horse battery");
    let refused = ann.post("/sharedSettings", &says("hello")).await;
    assert!(refused.text().contains("Manage system settings"), "{}", refused.text());
    assert_eq!(code(&ann.get("/gateway/settings").await, 403), "forbidden");
    assert!(!told(&gateway).await.contains("hello"));
}

#[tokio::test]
async fn all_nodes_take_them_up_and_serve_by_them_after_a_restart() {
    let postgres = Postgres::start();
    let (config, _directory) = on(&postgres);
    let one = Gateway::serving(config.clone()).await;
    let two = Gateway::serving(config.clone()).await;
    let admin = one.administrator();
    testkit::eventually("both are known", async || {
        expect(&admin.get("/nodes").await, 200)["items"].as_array().map(Vec::len) == Some(2)
    })
    .await;
    expect(&admin.post("/sharedSettings?wait=30s", &says("says the asset")).await, 201);
    assert!(told(&one).await.contains("says the asset") && told(&two).await.contains("says the asset"));
    two.stop().await;
    let again = Gateway::serving(config).await;
    assert!(told(&again).await.contains("says the asset"));
}

#[tokio::test]
async fn they_are_applied_from_a_document_and_are_not_in_the_file_of_a_node() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let folder = tempfile::tempdir().expect("temporary folders can be made");
    let file = folder.path().join("shared.yaml");
    fs::write(&file, "sharedSettings:\n- faults: {defaultMessage: says the document}\n").expect("a file");
    let shell = Shell { gateway: &gateway, folder: folder.path(), password: admin.password().to_owned() };
    shell.good(&["apply", "--file", "shared.yaml"]).await;
    assert!(told(&gateway).await.contains("says the document"));
    let exported = shell.good(&["export"]).await;
    assert!(exported.contains("sharedSettings:"), "{exported}");
    let mut check = Command::new(env!("CARGO_BIN_EXE_gatewright"));
    check.arg("check").arg(&file);
    let checked = tokio::task::spawn_blocking(move || check.output()).await.expect("it does not panic");
    let checked = checked.expect("the binary runs");
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(!checked.status.success() && said.contains("not in a file of a node"), "{checked:?}");
}
