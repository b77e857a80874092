//! Approvers of teams: who decides on subscriptions to a team's APIs, and what a team learns of other teams' applications.

use testkit::{Admin, Gateway, Upstream, Value, json, json_request, request};

use crate::manager::{code, expect, managed};

const PASSWORD: &str = "correct horse battery";

async fn user(gateway: &Gateway, admin: &Admin, name: &str) -> Admin {
    expect(&admin.post("/users", &json!({ "name": name })).await, 201);
    let password = json_request("PUT", &format!("/users/{name}/password"), &json!({ "password": PASSWORD }));
    assert_eq!(admin.send(password).await.status(), 204);
    gateway.admin(name, PASSWORD)
}

/// An API of the red team, and an application of the blue team that waits for a subscription to it. Of an API that belongs
/// to no team, too.
async fn waiting(team_work: bool) -> (Gateway, Admin, Upstream) {
    let upstream = Upstream::text("ok").start().await;
    let gateway = Gateway::serving(managed().setting("manager.enableTeamWork", team_work)).await;
    let admin = gateway.administrator();
    let api = |name: &str, teams: Value| {
        json!({
            "name": name, "basePath": format!("/{name}"), "upstream": upstream.url(), "teams": teams,
            "plans": ["gold"], "policies": [{ "type": "apiKey" }],
        })
    };
    let pending =
        |api: &str| json!({ "application": "shop", "api": api, "plan": "gold", "state": "pending" });
    let set = json!({
        "groups": [{ "name": "board" }],
        "teams": [
            {
                "name": "red", "members": { "users": ["ann"] }, "privileges": ["Manage APIs"],
                "administrators": { "users": ["lead"] }, "approvers": { "users": ["rita"], "groups": ["board"] },
            },
            {
                "name": "blue", "members": { "users": ["bob"] }, "privileges": ["Manage applications"],
                "approvers": { "users": ["bert"] },
            },
        ],
        "plans": [{ "name": "gold", "approval": true }],
        "apis": [api("orders", json!(["red"])), api("open", json!([]))],
        "applications": [{ "name": "shop", "teams": ["blue"] }],
        "subscriptions": [pending("orders"), pending("open")],
    });
    expect(&admin.post("/apply", &set).await, 200);
    (gateway, admin, upstream)
}

/// What waits for somebody: names, and whether they may decide.
async fn seen(who: &Admin) -> Vec<(String, bool)> {
    let waiting = expect(&who.get("/portal/approvals").await, 200);
    assert_eq!(waiting["signUps"], json!([]), "who signs up is no matter of teams");
    let waiting = waiting["subscriptions"].as_array().expect("a list").iter();
    let name = |item: &Value| item["name"].as_str().expect("a name").to_owned();
    waiting.map(|item| (name(item), item["mayDecide"] == true)).collect()
}

fn decision(name: &str) -> String {
    format!("/portal/subscriptions/{name}/decision")
}

#[tokio::test]
async fn approvers_of_a_team_decide_on_subscriptions_to_its_apis_and_on_nothing_else() {
    let (gateway, admin, _upstream) = waiting(true).await;
    let (rita, bert) = (user(&gateway, &admin, "rita").await, user(&gateway, &admin, "bert").await);
    let (lead, ann) = (user(&gateway, &admin, "lead").await, user(&gateway, &admin, "ann").await);
    // The API's team decides; the application's team sees that it waits, and decides where the API has no team.
    assert_eq!(seen(&rita).await, [("shop:orders".to_owned(), true)]);
    assert_eq!(seen(&bert).await, [("shop:open".to_owned(), true), ("shop:orders".to_owned(), false)]);
    for nobody in [&lead, &ann] {
        assert_eq!(code(&nobody.get("/portal/approvals").await, 403), "forbidden");
        let refused = nobody.post(&decision("shop:orders"), &json!({ "approve": true })).await;
        assert_eq!(code(&refused, 403), "forbidden");
    }
    assert_eq!(expect(&rita.get("/session").await, 200)["approvesFor"], json!(["red"]));

    let yes = json!({ "approve": true, "message": "welcome" });
    assert_eq!(code(&bert.post(&decision("shop:orders"), &yes).await, 403), "forbidden");
    assert_eq!(code(&rita.post(&decision("shop:open"), &yes).await, 404), "not_found");
    assert_eq!(code(&rita.post(&decision("shop:none"), &yes).await, 404), "not_found");
    assert_eq!(expect(&rita.post(&decision("shop:orders"), &yes).await, 200)["state"], "active");
    assert_eq!(expect(&bert.post(&decision("shop:open"), &yes).await, 200)["state"], "active");
    assert_eq!(code(&rita.post(&decision("shop:orders"), &yes).await, 409), "not_waiting");
    let audit = admin.get("/audit").await.text();
    assert!(audit.contains("subscription shop:orders was approved") && audit.contains("\"rita\""), "{audit}");

    // It gives no other right: not to the subscription itself, and not to the plans.
    let block = json_request("PATCH", "/subscriptions/shop:orders", &json!({ "state": "blocked" }));
    assert_eq!(code(&rita.send(block).await, 403), "forbidden");
    assert_eq!(code(&rita.delete("/plans/gold").await, 403), "forbidden");
}

#[tokio::test]
async fn administrators_of_a_team_approve_where_it_says_so_and_groups_do() {
    let (gateway, admin, _upstream) = waiting(true).await;
    let lead = user(&gateway, &admin, "lead").await;
    let cleo = user(&gateway, &admin, "cleo").await;
    let join = json_request("PATCH", "/users/cleo", &json!({ "groups": ["board"] }));
    expect(&admin.send(join).await, 200);
    assert_eq!(seen(&cleo).await, [("shop:orders".to_owned(), true)]);
    let patch = json_request("PATCH", "/teams/red", &json!({ "administratorsApprove": true }));
    expect(&admin.send(patch).await, 200);
    assert_eq!(seen(&lead).await, [("shop:orders".to_owned(), true)]);
    // Who approves is not up to administrators of the team.
    let patch = json_request("PATCH", "/teams/red", &json!({ "approvers": { "users": ["lead"] } }));
    assert_eq!(code(&lead.send(patch).await, 403), "forbidden");
    // A token for something does nothing else.
    let token = json!({ "name": "t", "privileges": [] });
    let token = expect(&lead.post("/tokens", &token).await, 201)["token"].clone();
    let bearer = format!("Bearer {}", token.as_str().expect("told once"));
    let ask = request("GET", "/api/v1/portal/approvals").header("authorization", &bearer);
    assert_eq!(code(&admin.send_as_it_is(ask).await, 403), "forbidden");
    // Assigned by a rule is assigned, too.
    let rule = json!({
        "name": "all", "assetTypes": ["api"], "teams": ["red"],
        "conditions": [{ "attribute": "name", "operator": "equals", "value": "open" }],
    });
    expect(&admin.post("/teamRules", &rule).await, 201);
    assert_eq!(seen(&lead).await, [("shop:open".to_owned(), true), ("shop:orders".to_owned(), true)]);
}

#[tokio::test]
async fn nobody_approves_what_they_want_themselves() {
    let (gateway, admin, _upstream) = waiting(true).await;
    let rita = user(&gateway, &admin, "rita").await;
    let patch = json_request("PATCH", "/applications/shop", &json!({ "portalUser": "rita" }));
    expect(&admin.send(patch).await, 200);
    assert_eq!(seen(&rita).await, [("shop:orders".to_owned(), false)]);
    let refused = rita.post(&decision("shop:orders"), &json!({ "approve": true })).await;
    assert_eq!(code(&refused, 403), "forbidden");
}

#[tokio::test]
async fn without_team_work_teams_approve_nothing() {
    let (gateway, admin, _upstream) = waiting(false).await;
    let rita = user(&gateway, &admin, "rita").await;
    assert_eq!(code(&rita.get("/portal/approvals").await, 403), "forbidden");
}

#[tokio::test]
async fn a_team_learns_the_names_of_applications_that_use_its_api_and_takes_it_away_from_them() {
    let (gateway, admin, _upstream) = waiting(true).await;
    let (ann, bob) = (user(&gateway, &admin, "ann").await, user(&gateway, &admin, "bob").await);
    let patch = json_request("PATCH", "/applications/shop", &json!({ "apis": ["orders", "open"] }));
    expect(&admin.send(patch).await, 200);
    assert_eq!(code(&ann.get("/applications/shop").await, 404), "not_found");
    let found = expect(&ann.get("/apis/orders:1.0/applications").await, 200);
    let expected =
        json!({ "name": "shop", "visible": false, "named": true, "plan": "gold", "state": "pending" });
    assert_eq!(found["items"], json!([expected]));
    // The other team does not learn about an API that is not there for it, and may not change it.
    assert_eq!(code(&bob.get("/apis/orders:1.0/applications").await, 404), "not_found");
    assert_eq!(code(&bob.delete("/apis/open:1.0/applications/shop").await, 403), "forbidden");

    assert_eq!(code(&ann.delete("/apis/orders:1.0/applications/none").await, 404), "not_found");
    assert_eq!(ann.delete("/apis/orders:1.0/applications/shop").await.status(), 204);
    assert_eq!(expect(&ann.get("/apis/orders:1.0/applications").await, 200)["items"], json!([]));
    assert_eq!(expect(&admin.get("/applications/shop").await, 200)["spec"]["apis"], json!(["open"]));
    assert_eq!(code(&admin.get("/subscriptions/shop:orders").await, 404), "not_found");
    let audit = admin.get("/audit").await.text();
    assert!(audit.contains("\"ann\""), "{audit}");

    // Not where another version belongs to another team, which would lose it, too.
    let other =
        json!({ "name": "open", "version": "2.0", "upstream": "http://127.0.0.1:1", "teams": ["blue"] });
    expect(&admin.post("/apis", &other).await, 201);
    assert_eq!(code(&ann.delete("/apis/open:1.0/applications/shop").await, 409), "other_versions");
}
