//! Requests that are sent again: done once, and answered the same; and changes that wait for all nodes.

use std::time::Duration;

use testkit::{Admin, Gateway, Postgres, Request, Response, Value, json, json_request};

use crate::manager::{code, expect, managed, on};

fn make(name: &str, key: &str) -> Request {
    let api = json!({ "name": name, "upstream": "http://127.0.0.1:1" });
    json_request("POST", "/apis", &api).header("idempotency-key", key)
}

async fn revision(admin: &Admin) -> Value {
    expect(&admin.get("/apis").await, 200)["revision"].clone()
}

async fn is_done_once(gateway: &Gateway, admin: &Admin) {
    let first = admin.send(make("a", "k1")).await;
    let made = expect(&first, 201);
    assert_eq!(first.header("idempotency-replayed"), "");
    let again = admin.send(make("a", "k1")).await;
    assert_eq!(expect(&again, 201), made);
    let told = |answer: &Response| [answer.header("etag").to_owned(), answer.header("location").to_owned()];
    assert_eq!((again.header("idempotency-replayed"), told(&again)), ("true", told(&first)));
    assert_eq!(revision(admin).await, made["revision"], "nothing was changed a second time");

    assert_eq!(code(&admin.send(make("b", "k1")).await, 422), "idempotency_key_used");
    // What was refused was not done, and may be sent again when it can be.
    assert_eq!(code(&admin.send(make("a", "k2")).await, 409), "exists");
    expect(&admin.delete("/apis/a:1.0").await, 200);
    expect(&admin.send(make("a", "k2")).await, 201);
    // Keys are one's own.
    expect(&admin.post("/users", &json!({ "name": "ann", "groups": ["Administrators"] })).await, 201);
    let password = json!({ "password": "correct horse battery" });
    assert_eq!(admin.send(json_request("PUT", "/users/ann/password", &password)).await.status(), 204);
    expect(&gateway.admin("ann", "correct horse battery").send(make("c", "k1")).await, 201);
    assert_eq!(code(&admin.send(make("d", &"k".repeat(300))).await, 400), "bad_idempotency_key");
    // A day later the key is forgotten.
    gateway.advance(Duration::from_secs(25 * 3600));
    assert_eq!(code(&admin.send(make("c", "k1")).await, 409), "exists");
}

#[tokio::test]
async fn a_request_with_a_key_is_done_once() {
    let gateway = Gateway::serving(managed()).await;
    is_done_once(&gateway, &gateway.administrator()).await;
    let postgres = Postgres::start();
    let (config, _directory) = on(&postgres);
    let gateway = Gateway::serving(config).await;
    is_done_once(&gateway, &gateway.administrator()).await;
}

#[tokio::test]
async fn of_many_at_the_same_time_one_is_done() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let before = revision(&admin).await.as_u64().expect("a number");
    let sent = futures_util::future::join_all((0..8).map(|_| admin.send(make("a", "k")))).await;
    for answer in &sent {
        match answer.status() {
            201 => assert_eq!(answer.json()["name"], "a:1.0"),
            _ => assert_eq!(code(answer, 409), "idempotency_running"),
        }
    }
    assert!(sent.iter().any(|answer| answer.status() == 201));
    assert_eq!(revision(&admin).await, before + 1);
}

#[tokio::test]
async fn what_changes_no_asset_is_done_once_too() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let set = json!({ "apis": [{ "name": "a", "upstream": "http://127.0.0.1:1" }] });
    let set = json!({ "format": "gatewright archive", "version": 1, "assets": set });
    let once =
        |path: &str, body: &Value, key: &str| json_request("POST", path, body).header("idempotency-key", key);
    let first = expect(&admin.send(once("/archive/import", &set, "k1")).await, 200);
    assert_eq!(first["results"][0]["result"], "created");
    let again = admin.send(once("/archive/import", &set, "k1")).await;
    assert_eq!((expect(&again, 200), again.header("idempotency-replayed")), (first, "true"));

    // A consumer's own things.
    expect(&admin.post("/users", &json!({ "name": "ann", "portalOnly": true })).await, 201);
    let password = json!({ "password": "correct horse battery" });
    assert_eq!(admin.send(json_request("PUT", "/users/ann/password", &password)).await.status(), 204);
    let ann = gateway.admin("ann", "correct horse battery");
    let shop = json!({ "name": "shop" });
    let made = expect(&ann.send(once("/portal/applications", &shop, "k1")).await, 201);
    assert_eq!(expect(&ann.send(once("/portal/applications", &shop, "k1")).await, 201), made);

    // What asks only needs no key, and is asked again.
    for _ in 0..2 {
        let verified = admin.send(once("/audit/verify", &json!({}), "k2")).await;
        assert_eq!((verified.status(), verified.header("idempotency-replayed")), (200, ""));
    }
}

#[tokio::test]
async fn what_is_told_once_is_made_once_and_kept_nowhere() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    expect(&admin.post("/applications", &json!({ "name": "shop" })).await, 201);
    for (path, body, list) in [
        ("/tokens", json!({ "name": "ci" }), "/tokens"),
        ("/applications/shop/keys", json!({}), "/applications/shop/keys"),
    ] {
        let ask = || json_request("POST", path, &body).header("idempotency-key", path);
        let made = expect(&admin.send(ask()).await, 201);
        let told = made["token"].as_str().or(made["key"].as_str()).expect("told once").to_owned();
        let again = admin.send(ask()).await;
        assert_eq!((code(&again, 409).as_str(), again.header("idempotency-replayed")), ("told_once", "true"));
        assert!(!again.text().contains(&told), "{path}");
        assert_eq!(expect(&admin.get(list).await, 200)["items"].as_array().map(Vec::len), Some(1), "{path}");
    }
}

#[tokio::test]
async fn which_requests_take_no_key_is_decided_here() {
    let gateway = Gateway::serving(managed()).await;
    let openapi = expect(&gateway.administrator().get("/openapi.json").await, 200);
    let takes_key = |operation: &Value| {
        let parameters = operation["parameters"].as_array();
        parameters.is_some_and(|all| all.iter().any(|one| one["name"] == "Idempotency-Key"))
    };
    let paths = openapi["paths"].as_object().expect("paths").iter();
    let without =
        paths.filter(|(_, operations)| !operations["post"].is_null() && !takes_key(&operations["post"]));
    let mut without: Vec<_> = without.map(|(path, _)| path.as_str()).collect();
    without.sort_unstable();
    let expected = [
        "/archive",
        "/audit/verify",
        "/gateway/explain",
        "/gateway/try",
        "/login/saml/{name}/acs",
        "/passwordReset",
        "/plan",
        "/portal/signUp",
        "/portal/try",
        "/session",
    ];
    assert_eq!(without, expected);
}

#[tokio::test]
async fn a_change_waits_until_all_nodes_serve_it() {
    let postgres = Postgres::start();
    let (config, _directory) = on(&postgres);
    let one = Gateway::serving(config.clone()).await;
    let admin = one.administrator();
    let two = Gateway::serving(config).await;
    testkit::eventually("both are known", async || {
        expect(&admin.get("/nodes").await, 200)["items"].as_array().map(Vec::len) == Some(2)
    })
    .await;
    let api = json!({ "name": "a", "basePath": "/a", "upstream": "http://127.0.0.1:1" });
    let made = expect(&admin.post("/apis?wait=30s&reason=x", &api).await, 201);
    let served = |answer: &Value| answer["nodes"]["serving"].as_array().map(Vec::len);
    assert_eq!((served(&made), &made["nodes"]["behind"]), (Some(2), &json!([])), "{made}");
    assert_eq!(two.get("/a/7").await.reason(), one.get("/a/7").await.reason());
    assert_eq!(expect(&admin.get("/apis/a:1.0").await, 200)["nodes"], Value::Null);
    assert_eq!(code(&admin.post("/apis?wait=long", &api).await, 400), "bad_query");
    let applied = expect(&admin.post("/apply?wait=30s", &json!({ "apis": [api] })).await, 200);
    assert_eq!(served(&applied), Some(2), "{applied}");
}
