//! The life cycle of APIs: which state follows which, what each means for callers, and new versions.

use std::time::Duration;

use testkit::{Admin, Config, Gateway, Upstream, Value, json, json_request, request};

use crate::manager::{code, expect, managed, orders};

async fn step(admin: &Admin, name: &str, wanted: Value) -> Value {
    expect(&admin.post(&format!("/apis/{name}/lifecycle"), &wanted).await, 200)
}

#[tokio::test]
async fn each_state_means_something_for_callers_and_leads_where_the_table_says() {
    let upstream = Upstream::text("hello").start().await;
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let mut api = orders(&upstream);
    api["lifecycle"] = json!({ "state": "created" });
    expect(&admin.post("/apis", &api).await, 201);
    let get = async || gateway.get("/orders/7").await;
    assert_eq!(get().await.reason(), "no_such_api");

    let refused = admin.post("/apis/orders:1.0/lifecycle", &json!({ "action": "retire" })).await;
    assert_eq!(code(&refused, 409), "transition_not_possible");
    assert!(refused.text().contains("preRelease, publish"), "{}", refused.text());
    step(&admin, "orders:1.0", json!({ "action": "publish" })).await;
    let published = get().await;
    assert_eq!((published.status(), published.header("deprecation")), (200, ""));

    step(&admin, "orders:1.0", json!({ "action": "block" })).await;
    let blocked = get().await;
    assert_eq!((blocked.status(), blocked.reason()), (503, "api_blocked".into()));

    let deprecate = json!({
        "action": "deprecate", "retireAt": "2100-01-01T00:00:00Z", "information": "https://example.com/v2",
    });
    let deprecated = step(&admin, "orders:1.0", deprecate).await;
    assert!(deprecated["spec"]["lifecycle"]["deprecatedAt"].is_string(), "{deprecated}");
    let old = get().await;
    assert_eq!(old.status(), 200);
    assert!(old.header("deprecation").starts_with('@'), "{}", old.header("deprecation"));
    assert_eq!(old.header("sunset"), "Fri, 01 Jan 2100 00:00:00 GMT");
    assert_eq!(old.header("link"), "<https://example.com/v2>; rel=\"deprecation\"");

    step(&admin, "orders:1.0", json!({ "action": "retire" })).await;
    assert_eq!(get().await.reason(), "no_such_api");
    let seen = expect(&admin.get("/apis/orders:1.0/lifecycle").await, 200);
    assert_eq!(
        (&seen["state"], &seen["served"], &seen["actions"]),
        (&json!("retired"), &json!(false), &json!([]))
    );
    let states: Vec<_> =
        seen["history"].as_array().expect("steps").iter().map(|s| s["state"].clone()).collect();
    assert_eq!(states, ["retired", "deprecated", "blocked", "published", "created"]);
    let audit = expect(&admin.get("/audit?limit=4").await, 200);
    let told: Vec<_> =
        audit["items"].as_array().expect("records").iter().map(|r| r["action"].clone()).collect();
    assert_eq!(told, ["retire", "deprecate", "block", "publish"]);
    assert_eq!(audit["items"][0]["message"], "api orders:1.0 was retired");

    // Nothing leads back but an earlier revision.
    let back = json_request("PATCH", "/apis/orders:1.0", &json!({ "lifecycle": { "state": "published" } }));
    let refused = expect(&admin.send(back).await, 422);
    assert_eq!(
        (&refused["errors"][0]["path"], &refused["errors"][0]["file"]),
        (&json!("lifecycle.state"), &json!("api orders:1.0"))
    );
    let restore = "/api/v1/revisions/3/restore?kind=apis&name=orders:1.0";
    expect(&admin.send(request("POST", restore)).await, 200);
    assert_eq!(get().await.status(), 200);
}

#[tokio::test]
async fn a_deprecated_api_is_gone_when_its_time_has_come_also_without_a_manager() {
    let upstream = Upstream::text("hello").start().await;
    let mut api = orders(&upstream);
    let config = |api: &Value| Config::new().append("apis", api.clone());
    api["lifecycle"] = json!({ "state": "deprecated", "deprecatedAt": "2020-01-01T00:00:00Z" });
    let gateway = Gateway::serving(config(&api)).await;
    assert_eq!(gateway.get("/orders/7").await.header("deprecation"), "@1577836800");
    let now = gateway.clock().now().seconds();
    let soon =
        time::OffsetDateTime::from_unix_timestamp(i64::try_from(now).expect("a time") + 60).expect("a time");
    let soon = soon.format(&time::format_description::well_known::Rfc3339).expect("a date");
    api["lifecycle"]["retireAt"] = soon.into();
    let gateway = Gateway::serving(config(&api)).await;
    assert_eq!(gateway.get("/orders/7").await.status(), 200);
    gateway.advance(Duration::from_secs(120));
    let gone = gateway.get("/orders/7").await;
    assert_eq!((gone.status(), gone.reason()), (410, "api_retired".into()));
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn a_new_version_is_made_from_an_api_and_takes_over_when_it_is_published() {
    let upstream = Upstream::text("hello").start().await;
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let mut api = orders(&upstream);
    api["basePath"] = json!("/orders/1.0");
    api["tags"] = json!(["shop"]);
    expect(&admin.post("/apis", &api).await, 201);

    let made = admin.post("/apis/orders:1.0/versions", &json!({ "version": "2.0" })).await;
    let version = expect(&made, 201);
    assert_eq!(
        (
            &version["name"],
            &version["spec"]["basePath"],
            &version["spec"]["tags"],
            &version["spec"]["lifecycle"]
        ),
        (&json!("orders:2.0"), &json!("/orders/2.0"), &json!(["shop"]), &json!({ "state": "created" }))
    );
    assert_eq!(gateway.get("/orders/2.0/7").await.status(), 404);
    let again = admin.post("/apis/orders:1.0/versions", &json!({ "version": "2.0" })).await;
    assert_eq!(code(&again, 409), "exists");
    assert_eq!(
        code(&admin.post("/apis/none:1.0/versions", &json!({ "version": "2" })).await, 404),
        "not_found"
    );
    // Where it would be cannot be where another one is.
    let same = json!({ "version": "3.0", "basePath": "/orders/1.0" });
    expect(&admin.post("/apis/orders:1.0/versions", &same).await, 201);
    let refused = admin.post("/apis/orders:3.0/lifecycle", &json!({ "action": "publish" })).await;
    assert!(refused.text().contains("basePath"), "{}", refused.text());

    step(&admin, "orders:2.0", json!({ "action": "publish", "deprecateOlder": true })).await;
    assert_eq!(gateway.get("/orders/2.0/7").await.header("deprecation"), "");
    assert!(gateway.get("/orders/1.0/7").await.header("deprecation").starts_with('@'));
}

#[tokio::test]
async fn only_those_who_manage_apis_take_them_from_state_to_state() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    expect(&admin.post("/apis", &json!({ "name": "a", "upstream": "http://127.0.0.1:1" })).await, 201);
    expect(&admin.post("/users", &json!({ "name": "guest" })).await, 201);
    let password = json!({ "password": "correct horse battery" });
    assert_eq!(admin.send(json_request("PUT", "/users/guest/password", &password)).await.status(), 204);
    let guest = gateway.admin("guest", "correct horse battery");
    expect(&guest.get("/apis/a:1.0/lifecycle").await, 200);
    for (path, body) in [("lifecycle", json!({ "action": "block" })), ("versions", json!({ "version": "2" }))]
    {
        assert_eq!(code(&guest.post(&format!("/apis/a:1.0/{path}"), &body).await, 403), "forbidden");
    }
}
