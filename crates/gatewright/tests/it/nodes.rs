//! Nodes say what they serve, and go on serving it when the database is away, also after a new start.

use std::{fs, time::Duration};

use testkit::{Gateway, Postgres, Upstream, Value, eventually, json};

use crate::{
    command_line::Shell,
    manager::{code, expect, managed, on, orders},
};

#[tokio::test]
async fn everybody_knows_which_node_serves_what_and_apply_waits_for_all() {
    let upstream = Upstream::text("hello").start().await;
    let postgres = Postgres::start();
    let (config, _directory) = on(&postgres);
    let one =
        Gateway::serving(config.clone().setting("manager.references", json!(["file:/etc/hostname"]))).await;
    let admin = one.administrator();
    let two = Gateway::serving(config.clone()).await;
    let at_two = two.inner().admin().expect("there is a manager").to_string();
    let folder = tempfile::tempdir().expect("temporary folders can be made");
    let shell = Shell { gateway: &one, folder: folder.path(), password: admin.password().to_owned() };
    let write = |set: Value| fs::write(folder.path().join("set.yaml"), set.to_string()).expect("a file");
    let nodes =
        async || expect(&admin.get("/nodes").await, 200)["items"].as_array().cloned().expect("a list");
    eventually("both are known", async || nodes().await.len() == 2).await;

    write(json!({ "apis": [orders(&upstream)] }));
    let applied = shell.good(&["apply", "-f", "set.yaml", "--wait"]).await;
    assert!(applied.contains("served by 2 nodes"), "{applied}");
    assert_eq!((one.get("/orders/7").await.status(), two.get("/orders/7").await.status()), (200, 200));
    for node in nodes().await {
        assert_eq!(
            (&node["revision"], &node["live"], &node["problem"]),
            (&json!(2), &json!(true), &Value::Null)
        );
    }

    // Something that the other node does not allow.
    let policy = json!({ "type": "outboundAuthentication", "config": { "method": "basic", "userName": "me", "password": "${file:/etc/hostname}" } });
    let mut api = orders(&upstream);
    api["policies"] = json!([policy]);
    write(json!({ "apis": [api] }));
    let refused = shell.run(&["apply", "-f", "set.yaml", "--wait=10s"]).await;
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    let said = String::from_utf8(refused.stderr).expect("text");
    assert!(said.contains(&at_two) && said.contains("serves revision 2, not 3"), "{said}");
    assert!(said.contains("settings.manager.references"), "{said}");
    assert_eq!(two.get("/orders/7").await.status(), 200, "it goes on serving what it had");
    let status = shell.good(&["status"]).await;
    assert!(
        status.contains("serves revision 3\n") && status.contains("serves revision 2, not revision 3: "),
        "{status}"
    );

    // Nobody waits for a node that is gone.
    one.advance(Duration::from_secs(60));
    let applied = shell.good(&["apply", "-f", "set.yaml", "--wait"]).await;
    assert!(applied.contains("served by 1 node"), "{applied}");
    assert!(shell.good(&["status"]).await.contains("not heard of since 2026-01-15T10:00:00Z"));
    // It comes back, and can serve what it should.
    two.advance(Duration::from_secs(60));
    write(json!({ "apis": [orders(&upstream)] }));
    shell.good(&["apply", "-f", "set.yaml"]).await;
    eventually("both serve it", async || {
        nodes().await.iter().all(|node| node["live"] == true && node["revision"] == 4)
    })
    .await;
    let serving = expect(&admin.get("/revisions/4/nodes").await, 200);
    assert_eq!((serving["serving"].as_array().map(Vec::len), &serving["behind"]), (Some(2), &json!([])));
    assert_eq!(code(&admin.get("/revisions/5/nodes").await, 404), "not_found");
    two.stop().await;
    assert_eq!(nodes().await.len(), 1, "it has said that it stops");
    // One that says nothing is forgotten after a day.
    let three = Gateway::serving(config).await;
    eventually("it is there", async || nodes().await.len() == 2).await;
    drop(three);
    one.advance(Duration::from_secs(2 * 86_400));
    expect(&admin.post("/applications", &json!({ "name": "a" })).await, 201);
    eventually("it is forgotten", async || nodes().await.len() == 1).await;
}

#[tokio::test]
async fn one_node_is_a_node_too_and_stays_the_same_after_a_restart() {
    let directory = tempfile::tempdir().expect("temporary folders can be made");
    let config = managed().setting("dataDirectory", directory.path().display().to_string());
    let gateway = Gateway::serving(config.clone()).await;
    let admin = gateway.administrator();
    let password = admin.password().to_owned();
    let node = async |gateway: &Gateway| {
        let nodes = expect(&gateway.admin("Administrator", &password).get("/nodes").await, 200);
        assert_eq!(nodes["items"].as_array().map(Vec::len), Some(1), "{nodes}");
        nodes["items"][0].clone()
    };
    eventually("it is known", async || {
        expect(&admin.get("/nodes").await, 200)["items"].as_array().is_some_and(|nodes| nodes.len() == 1)
    })
    .await;
    let before = node(&gateway).await;
    assert_eq!((&before["own"], &before["revision"]), (&json!(true), &json!(1)));
    expect(&admin.post("/users", &json!({ "name": "guest" })).await, 201);
    let set = testkit::json_request("PUT", "/users/guest/password", &json!({ "password": "correct horse" }));
    assert_eq!(admin.send(set).await.status(), 204);
    let guest = gateway.admin("guest", "correct horse");
    assert_eq!(code(&guest.get("/nodes").await, 403), "forbidden");
    gateway.stop().await;
    let gateway = Gateway::serving(config).await;
    eventually("it is known", async || {
        let admin = gateway.admin("Administrator", &password);
        expect(&admin.get("/nodes").await, 200)["items"].as_array().is_some_and(|nodes| nodes.len() == 1)
    })
    .await;
    assert_eq!(node(&gateway).await["id"], before["id"]);
}

#[tokio::test]
async fn a_node_starts_with_what_it_served_last_when_the_database_is_away() {
    let upstream = Upstream::text("hello").start().await;
    let mut postgres = Postgres::start();
    let (config, directory) = on(&postgres);
    let data = directory.path().join("data");
    let other = Gateway::serving(config.clone()).await;
    let config = config.setting("dataDirectory", data.display().to_string());
    let admin = other.administrator();
    let password = admin.password().to_owned();
    let gateway = Gateway::serving(config.clone()).await;
    let definition = "openapi: 3.1.0\ninfo: {title: Pets, version: '2'}\npaths:\n  /pets/{id}: {get: {responses: {'200': {description: ok}}}}\n";
    let import = testkit::request("POST", &format!("/api/v1/apis/import?upstream={}", upstream.url()));
    expect(&admin.send(import.body(testkit::body::full(definition.to_owned()))).await, 201);
    expect(&admin.post("/apis", &orders(&upstream)).await, 201);
    eventually("it is served", async || gateway.get("/orders/7").await.status() == 200).await;
    let snapshot = data.join("snapshot/assets");
    let kept = |what: &str| fs::read_to_string(&snapshot).is_ok_and(|text| text.contains(what));
    eventually("it is written down", async || kept("orders:1.0")).await;
    gateway.stop().await;
    postgres.halt();

    let gateway = Gateway::serving(config.clone()).await;
    assert_eq!(gateway.get("/orders/7").await.status(), 200);
    assert_eq!(gateway.get("/gateway/Pets/2/pets/7").await.status(), 200);
    assert_eq!(gateway.get("/gateway/Pets/2/toys").await.status(), 404);
    let health = gateway.ops("/health/engine").await;
    assert_eq!((health.status(), &health.json()["status"]), (200, &json!("yellow")));
    assert_eq!(health.json()["manager"]["store"]["reachable"], false, "{}", health.text());
    assert_eq!(gateway.ops("/ready").await.status(), 200, "it serves");
    let at_it = gateway.admin("Administrator", &password);
    for refused in [at_it.get("/whoami").await, at_it.post("/applications", &json!({ "name": "a" })).await] {
        let problem = expect(&refused, 503);
        assert_eq!(problem["code"], "store_failed");
        assert!(problem["detail"].to_string().contains("settings.store.url"), "{problem}");
    }
    let folder = directory.path();
    let shell = Shell { gateway: &gateway, folder, password: password.clone() };
    let status = shell.good(&["status"]).await;
    assert!(status.contains("store     away: ") && status.contains("revision 3 of the assets"), "{status}");

    // It catches up, and takes changes again, by itself.
    postgres.resume();
    eventually("changes are possible", async || {
        at_it.post("/applications", &json!({ "name": "a" })).await.status() == 201
    })
    .await;
    eventually("the others can, too", async || admin.delete("/apis/orders:1.0").await.status() == 200).await;
    eventually("and are followed", async || gateway.get("/orders/7").await.status() == 404).await;
    eventually("all is well", async || gateway.ops("/health/engine").await.json()["status"] == "green").await;
    eventually("that is written down", async || !kept("orders:1.0")).await;
    gateway.stop().await;
    other.stop().await;
    postgres.halt();

    // Nothing of a snapshot is used that is not whole.
    let whole = fs::read_to_string(&snapshot).expect("text");
    for broken in
        [whole.replace("\"Administrators\"", "\"Administratorz\""), whole[..whole.len() / 2].to_owned()]
    {
        fs::write(&snapshot, broken).expect("a file");
        let error = Gateway::start(config.clone()).await.err().expect("it does not start").to_string();
        assert!(error.contains("checksum") && error.contains(&snapshot.display().to_string()), "{error}");
        assert!(error.contains("the database is away"), "{error}");
    }
    fs::remove_file(&snapshot).expect("a file");
    let error = Gateway::start(config).await.err().expect("it does not start").to_string();
    assert!(error.contains("served nothing before"), "{error}");
}
