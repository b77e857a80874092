//! Trying an API out from the admin API: through the gateway as any client, to this node and nowhere else.

use testkit::{Gateway, Upstream, json, json_request};

use crate::manager::{code, expect, managed, orders};

#[tokio::test]
async fn a_request_goes_through_the_gateway_and_is_explained() {
    let upstream = Upstream::text("hello").start().await;
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    expect(&admin.post("/apis", &orders(&upstream)).await, 201);
    let trial = json!({
        "method": "POST", "url": "/orders/7?a=b", "headers": [["Accept", "text/plain"]], "body": "a body",
    });
    let answer = expect(&admin.post("/gateway/try", &trial).await, 200);
    assert_eq!((&answer["status"], &answer["body"]), (&json!(200), &json!("hello")), "{answer}");
    assert_eq!((&answer["base64"], &answer["truncated"]), (&json!(false), &json!(false)), "{answer}");
    let id = answer["requestId"].as_str().expect("an id");
    let explained = expect(&admin.get(&format!("/gateway/explain/{id}")).await, 200);
    assert_eq!(
        (&explained["api"], &explained["query"]),
        (&json!("orders 1.0"), &json!("a=b")),
        "{explained}"
    );
}

#[tokio::test]
async fn what_the_gateway_refuses_is_an_answer_like_any_other() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let answer =
        expect(&admin.post("/gateway/try", &json!({ "method": "GET", "url": "/nowhere" })).await, 200);
    assert_eq!(answer["status"], 404, "{answer}");
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    for (trial, status, expected) in [
        (json!({ "method": "GET", "url": "http://example.com/" }), 400, "bad_trial"),
        (
            json!({ "method": "GET", "url": "/", "headers": [["X-Forwarded-For", "10.0.0.1"]] }),
            400,
            "bad_trial",
        ),
        (json!({ "method": "GET" }), 400, "bad_body"),
        (json!({ "method": "POST", "url": "/", "body": "x".repeat((1 << 20) + 1) }), 413, "body_too_large"),
    ] {
        assert_eq!(code(&admin.post("/gateway/try", &trial).await, status), expected);
    }
}

#[tokio::test]
async fn a_long_answer_is_told_in_part() {
    let upstream = Upstream::text("x".repeat(300 << 10).leak()).start().await;
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    expect(&admin.post("/apis", &orders(&upstream)).await, 201);
    let answer =
        expect(&admin.post("/gateway/try", &json!({ "method": "GET", "url": "/orders" })).await, 200);
    assert_eq!(answer["truncated"], true);
    assert_eq!(answer["body"].as_str().map(str::len), Some(256 << 10));
}

#[tokio::test]
async fn who_is_in_another_team_can_try_nothing_of_it() {
    let upstream = Upstream::text("hello").start().await;
    let gateway = Gateway::serving(managed().setting("manager.enableTeamWork", true)).await;
    let admin = gateway.administrator();
    expect(&admin.post("/users", &json!({ "name": "ann" })).await, 201);
    let password = json!({ "password": "correct horse battery" });
    assert_eq!(admin.send(json_request("PUT", "/users/ann/password", &password)).await.status(), 204);
    let red = json!({ "name": "red", "members": { "users": ["ann"] }, "privileges": ["Manage APIs"] });
    expect(&admin.post("/teams", &red).await, 201);
    expect(&admin.post("/teams", &json!({ "name": "blue" })).await, 201);
    for (name, team) in [("a", "red"), ("b", "blue")] {
        let api = json!({ "name": name, "basePath": format!("/{name}"), "upstream": upstream.url(), "teams": [team] });
        expect(&admin.post("/apis", &api).await, 201);
    }
    let ann = gateway.admin("ann", "correct horse battery");
    expect(&ann.post("/gateway/try", &json!({ "method": "GET", "url": "/a" })).await, 200);
    let before = upstream.count();
    assert_eq!(
        code(&ann.post("/gateway/try", &json!({ "method": "GET", "url": "/b" })).await, 404),
        "no_route"
    );
    assert_eq!(upstream.count(), before, "nothing was sent");
}

#[tokio::test]
async fn a_definition_is_fetched_and_nothing_else_is() {
    let document = "openapi: 3.1.0\ninfo: { title: Pets, version: '1' }\npaths: {}\n";
    let published = Upstream::text(document).start().await;
    let other = Upstream::text("a secret of some other service").start().await;
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let fetched = admin.get(&format!("/gateway/definition?url={}/openapi.yaml", published.url())).await;
    assert_eq!(expect(&fetched, 200)["document"], document);
    let refused = admin.get(&format!("/gateway/definition?url={}/", other.url())).await;
    assert_eq!(code(&refused, 422), "no_definition");
    assert!(!refused.text().contains("a secret"), "{}", refused.text());
    assert_eq!(code(&admin.get("/gateway/definition?url=/etc/passwd").await, 422), "no_definition");
}
