//! Archives: some assets with everything that they need, from one store to another, all or nothing.

use std::fs;

use testkit::{Gateway, Upstream, Value, json, request};

use crate::{
    command_line::Shell,
    manager::{code, expect, managed},
};

#[tokio::test]
async fn an_api_goes_to_another_store_with_everything_that_it_needs_and_nothing_else() {
    let upstream = Upstream::text("hello").start().await;
    let one = Gateway::serving(managed()).await;
    let admin = one.administrator();
    let set = json!({
        "upstreams": [
            { "name": "native", "endpoints": [{ "url": upstream.url() }] },
            { "name": "other", "endpoints": [{ "url": upstream.url() }] },
        ],
        "aliases": [{ "name": "greeting", "value": "hello" }, { "name": "unused", "value": "x" }],
        "secrets": [{ "name": "payment", "value": "hunter2-hunter2" }, { "name": "unused", "value": "hunter3-hunter3" }],
        "policyTemplates": [{ "name": "basics", "policies": [
            { "type": "customHeaders", "config": { "headers": { "x-greeting": "${greeting}" } } },
        ] }],
    });
    expect(&admin.post("/apply", &set).await, 200);
    let definition = "openapi: 3.1.0\ninfo: {title: Pets, version: '2'}\npaths:\n  /pets/{id}: {get: {responses: {'200': {description: ok}}}}\n";
    let import = request("POST", "/api/v1/apis/import?upstream=native");
    expect(&admin.send(import.body(testkit::body::full(definition.to_owned()))).await, 201);
    let password = json!({ "type": "outboundAuthentication", "config": { "method": "basic", "userName": "me", "password": "${secret:payment}" } });
    let patch = json!({ "templates": ["basics"], "policies": [password] });
    expect(&admin.send(testkit::json_request("PATCH", "/apis/Pets:2", &patch)).await, 200);
    expect(
        &admin.post("/apis", &json!({ "name": "rest", "basePath": "/rest", "upstream": "other" })).await,
        201,
    );

    let folder = tempfile::tempdir().expect("temporary folders can be made");
    let file = folder.path().join("pets.json");
    let shell = Shell { gateway: &one, folder: folder.path(), password: admin.password().to_owned() };
    let exported = shell.good(&["archive", "export", "pets.json", "apis/Pets:2"]).await;
    assert!(exported.contains("5 assets"), "{exported} {}", fs::read_to_string(&file).expect("text"));
    let text = fs::read_to_string(&file).expect("text");
    assert!(!text.contains("hunter2") && !text.contains("v1:") && !text.contains("unused"), "{text}");
    assert!(shell.bad(&["archive", "export", "x.json", "apis/none"]).await.contains("no api `none`"));

    let two = Gateway::serving(managed()).await;
    let there = two.administrator();
    let other = Shell { gateway: &two, folder: folder.path(), password: there.password().to_owned() };
    // Without the secret the API cannot be served, and nothing of it is taken.
    let said = other.bad(&["archive", "import", "pets.json"]).await;
    assert!(said.contains("has no value yet"), "{said}");
    assert_eq!(there.get("/upstreams/native").await.status(), 404);
    expect(&there.post("/secrets", &json!({ "name": "payment", "value": "hunter2-hunter2" })).await, 201);
    let dead = json!({ "name": "native", "endpoints": [{ "url": "http://127.0.0.1:1" }] });
    expect(&there.post("/upstreams", &dead).await, 201);
    let planned = other.good(&["archive", "import", "pets.json", "--dry-run"]).await;
    assert!(planned.contains("created") && planned.contains("kept"), "{planned}");
    assert_eq!(there.get("/apis/Pets:2").await.status(), 404);
    let archive: Value = serde_json::from_str(&text).expect("JSON");
    let imported = expect(&there.post("/archive/import", &archive).await, 200);
    let result = |imported: &Value, kind: &str| {
        let results = imported["results"].as_array().cloned().unwrap_or_default();
        results
            .into_iter()
            .find(|result| result["kind"] == kind)
            .map_or(Value::Null, |result| result["result"].clone())
    };
    assert_eq!((result(&imported, "api"), result(&imported, "upstream")), (json!("created"), json!("kept")));
    assert_eq!(
        two.get("/gateway/Pets/2/pets/7").await.status(),
        502,
        "the upstream is the one that was there"
    );
    let again = other.good(&["archive", "import", "pets.json", "--overwrite", "upstreams,apis"]).await;
    assert!(again.contains("updated") && again.contains("unchanged") && again.contains("kept"), "{again}");
    assert_eq!(two.get("/gateway/Pets/2/pets/7").await.status(), 200);
    assert_eq!(two.get("/gateway/Pets/2/toys").await.status(), 404, "the definition is there");
    assert!(upstream.last().header("authorization").starts_with("Basic "), "the value stayed");
    assert_eq!(upstream.last().header("x-greeting"), "hello");

    let mut broken = archive.clone();
    let hash =
        broken["definitions"].as_object().and_then(|all| all.keys().next().cloned()).expect("a definition");
    broken["definitions"][&hash] = "aGVsbG8=".into();
    let refused = there.post("/archive/import?overwrite=*", &broken).await;
    assert!(
        code(&refused, 422) == "invalid" && refused.text().contains("not what its hash says"),
        "{}",
        refused.text()
    );
    let mut newer = archive.clone();
    newer["version"] = 2.into();
    for wrong in [newer, json!({}), json!([])] {
        assert_eq!(code(&there.post("/archive/import", &wrong).await, 400), "bad_archive");
    }
    assert_eq!(code(&there.post("/archive/import?overwrite=planets", &archive).await, 404), "no_such_kind");
}
