//! Dry runs against a revision that is not served: what a change has changed for a request, and what a rollback would bring.

use testkit::{Admin, Config, Gateway, Upstream, Value, api, json, post};

use crate::manager::{code, expect, managed, orders};

async fn ask(admin: &Admin, revision: Option<u64>) -> Value {
    let mut question = json!({ "method": "GET", "url": "/orders/7" });
    if let Some(revision) = revision {
        question["revision"] = json!(revision);
    }
    expect(&admin.post("/gateway/explain", &question).await, 200)
}

fn went(explained: &Value) -> (&Value, &Value, &Value) {
    (&explained["status"], &explained["reason"]["code"], &explained["assetRevision"])
}

#[tokio::test]
async fn a_request_is_asked_about_at_each_revision() {
    let upstream = Upstream::text("hello").start().await;
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let other = json!({ "name": "other", "basePath": "/other", "upstream": upstream.url() });
    let before = expect(&admin.post("/apis", &other).await, 201)["revision"].as_u64().expect("a number");
    let open =
        expect(&admin.post("/apis", &orders(&upstream)).await, 201)["revision"].as_u64().expect("a number");
    let mut governed = orders(&upstream);
    governed["policies"] = json!([{ "type": "apiKey" }]);
    let closed = expect(&admin.put("/apis/orders:1.0", &governed).await, 200);
    let closed = closed["revision"].as_u64().expect("a number");
    expect(&admin.delete("/apis/orders:1.0").await, 200);

    let gone = ask(&admin, None).await;
    assert_eq!(went(&gone), (&json!(404), &json!("no_such_api"), &Value::Null), "{gone}");
    let then = ask(&admin, Some(before)).await;
    assert_eq!(went(&then), (&json!(404), &json!("no_such_api"), &json!(before)), "{then}");
    let then = ask(&admin, Some(open)).await;
    assert_eq!((&then["reason"], &then["api"]), (&Value::Null, &json!("orders 1.0")), "{then}");
    assert!(then["detail"].as_str().is_some_and(|detail| detail.contains("would go to")), "{then}");
    let then = ask(&admin, Some(closed)).await;
    assert_eq!(
        (&then["status"], &then["policies"][0]["verdict"]),
        (&json!(401), &json!("refused")),
        "{then}"
    );

    assert_eq!(gateway.get("/orders/7").await.status(), 404, "nothing of it is served");
    assert_eq!(gateway.get("/other/7").await.text(), "hello");
    assert_eq!(upstream.count(), 1, "and no question was sent");
}

#[tokio::test]
async fn what_cannot_be_asked_about_says_why() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let question = |revision: u64| json!({ "method": "GET", "url": "/", "revision": revision });
    for revision in [0, 9_999] {
        let answer = admin.post("/gateway/explain", &question(revision)).await;
        assert_eq!(code(&answer, 404), "no_such_revision");
    }
    // Without a manager there are no revisions.
    let gateway = Gateway::serving(Config::from(api("/a", "http://127.0.0.1:1"))).await;
    let answer = gateway
        .ops(post("/explain", question(1).to_string()).header("content-type", "application/json"))
        .await;
    assert_eq!(code(&answer, 409), "no_manager");
}
