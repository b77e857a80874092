//! Teams: with team work on, APIs, applications and plans are there for the teams that they are assigned to.

use testkit::{Admin, Gateway, Upstream, Value, json, json_request, request};

use crate::manager::{code, expect, managed};

const PASSWORD: &str = "correct horse battery";

/// Users by name with their groups.
async fn users(gateway: &Gateway, admin: &Admin, users: &[(&str, &[&str])]) -> Vec<Admin> {
    let mut made = Vec::new();
    for (name, groups) in users {
        expect(&admin.post("/users", &json!({ "name": name, "groups": groups })).await, 201);
        let password = json!({ "password": PASSWORD });
        let set = json_request("PUT", &format!("/users/{name}/password"), &password);
        assert_eq!(admin.send(set).await.status(), 204);
        made.push(gateway.admin(name, PASSWORD));
    }
    made
}

fn team(name: &str, member: &str) -> Value {
    json!({
        "name": name,
        "members": { "users": [member] },
        "privileges": ["Manage APIs", "Activate/Deactivate APIs", "Manage applications", "Export assets"],
    })
}

fn api(name: &str, teams: &[&str]) -> Value {
    json!({ "name": name, "upstream": "http://127.0.0.1:1", "teams": teams })
}

async fn names(admin: &Admin, list: &str) -> Vec<String> {
    let page = expect(&admin.get(&format!("/{list}")).await, 200);
    let items = page["items"].as_array().expect("items");
    assert_eq!(page["total"], items.len());
    items.iter().map(|item| item["name"].as_str().expect("a name").to_owned()).collect()
}

async fn two_teams() -> (Gateway, Admin, Vec<Admin>) {
    let gateway = Gateway::serving(managed().setting("manager.enableTeamWork", true)).await;
    let admin = gateway.administrator();
    let users = users(&gateway, &admin, &[("ann", &[]), ("bob", &[])]).await;
    for (name, member) in [("red", "ann"), ("blue", "bob")] {
        expect(&admin.post("/teams", &team(name, member)).await, 201);
    }
    for (name, teams) in [("a", &["red"][..]), ("b", &["blue"]), ("both", &["red", "blue"]), ("open", &[])] {
        expect(&admin.post("/apis", &api(name, teams)).await, 201);
    }
    (gateway, admin, users)
}

#[tokio::test]
async fn a_team_sees_what_is_assigned_to_it_and_what_is_assigned_to_nobody() {
    let (_gateway, admin, users) = two_teams().await;
    let (ann, bob) = (&users[0], &users[1]);
    assert_eq!(names(ann, "apis").await, ["a:1.0", "both:1.0", "open:1.0"]);
    assert_eq!(names(bob, "apis").await, ["b:1.0", "both:1.0", "open:1.0"]);
    assert_eq!(names(&admin, "apis").await.len(), 4);

    // What is not there for somebody is not there, however they ask.
    for path in ["/apis/b:1.0", "/apis/b:1.0/history", "/apis/b:1.0/definition"] {
        assert_eq!(code(&ann.get(path).await, 404), "not_found", "{path}");
    }
    let id = expect(&admin.get("/apis/b:1.0").await, 200)["id"].as_str().expect("an id").to_owned();
    assert_eq!(ann.get(&format!("/apis/{id}")).await.status(), 404);
    assert_eq!(ann.delete("/apis/b:1.0").await.status(), 404);
    assert_eq!(code(&ann.post("/apis", &api("b", &[])).await, 409), "exists");
    let patch = json_request("PATCH", "/apis/b:1.0", &json!({ "description": "mine" }));
    assert_eq!(ann.send(patch).await.status(), 404);
    let export = expect(&ann.get("/export").await, 200);
    assert_eq!(export["apis"].as_array().map(Vec::len), Some(3));
    // Pruning takes away what one sees, and nothing else.
    let pruned = json_request("POST", "/apply?prune=true", &json!({ "apis": [api("a", &["red"])] }));
    expect(&ann.send(pruned).await, 200);
    assert_eq!(names(&admin, "apis").await, ["a:1.0", "b:1.0"]);
    assert_eq!(code(&ann.send(request("POST", "/api/v1/revisions/2/restore")).await, 403), "forbidden");
}

#[tokio::test]
async fn assets_are_assigned_to_other_teams_by_those_who_may() {
    let (_gateway, admin, users) = two_teams().await;
    let (ann, bob) = (&users[0], &users[1]);
    let refused = ann.post("/apis", &api("mine", &["blue"])).await;
    assert_eq!(code(&refused, 403), "forbidden");
    assert!(refused.text().contains("team `blue`"), "{}", refused.text());
    expect(&ann.post("/apis", &api("mine", &["red"])).await, 201);
    let assign = |teams: Value| json_request("PATCH", "/apis/mine:1.0", &json!({ "teams": teams }));
    assert!(ann.send(assign(json!([]))).await.text().contains("Change ownership/teams"));
    let mut with_right = team("red", "ann");
    with_right["privileges"] = json!(["Manage APIs", "Change ownership/teams"]);
    expect(&admin.put("/teams/red", &with_right).await, 200);
    expect(&ann.send(assign(json!([]))).await, 200);
    assert!(names(bob, "apis").await.contains(&"mine:1.0".to_owned()));
    // A team that is named is not deleted, and one that is not there is not named.
    assert_eq!(code(&admin.delete("/teams/blue").await, 422), "invalid");
    let unknown = expect(&admin.post("/apis", &api("x", &["bleu"])).await, 422);
    assert!(unknown["errors"][0]["help"].to_string().contains("did you mean `blue`?"), "{unknown}");
}

#[tokio::test]
async fn plans_belong_to_teams_and_are_assigned_by_rules_and_in_bulk() {
    let (_gateway, admin, users) = two_teams().await;
    let (ann, bob) = (&users[0], &users[1]);
    for (name, teams) in [("gold", &["red"][..]), ("silver", &[])] {
        expect(&admin.post("/plans", &json!({ "name": name, "teams": teams })).await, 201);
    }
    assert_eq!((names(ann, "plans").await.len(), names(bob, "plans").await), (2, vec!["silver".to_owned()]));
    assert_eq!(code(&bob.get("/plans/gold").await, 404), "not_found");
    let unknown = expect(&admin.post("/plans", &json!({ "name": "x", "teams": ["bleu"] })).await, 422);
    assert_eq!(unknown["errors"][0]["path"], "teams[0]", "{unknown}");
    // A rule about APIs leaves plans alone; one about plans assigns them.
    let rule = |name: &str, of: &str| json!({ "name": name, "assetTypes": [of], "teams": ["blue"] });
    expect(&admin.post("/teamRules", &rule("apis", "api")).await, 201);
    assert!(!names(bob, "plans").await.contains(&"gold".to_owned()));
    expect(&admin.post("/teamRules", &rule("plans", "plan")).await, 201);
    assert!(names(bob, "plans").await.contains(&"gold".to_owned()));
    expect(&admin.delete("/teamRules/plans").await, 200);
    let bulk =
        json!({ "list": "plans", "names": ["gold"], "action": { "type": "setTeams", "teams": ["blue"] } });
    expect(&admin.post("/bulk", &bulk).await, 200);
    assert_eq!((names(ann, "plans").await, names(bob, "plans").await.len()), (vec!["silver".to_owned()], 2));
}

#[tokio::test]
async fn rules_assign_assets_by_what_they_are_like() {
    let (_gateway, admin, users) = two_teams().await;
    let (ann, bob) = (&users[0], &users[1]);
    let rule = json!({
        "name": "public",
        "conditions": [{ "attribute": "name", "operator": "startsWith", "value": "a" }],
        "teams": ["blue"],
    });
    expect(&admin.post("/teamRules", &rule).await, 201);
    assert!(names(bob, "apis").await.contains(&"a:1.0".to_owned()));
    assert!(names(ann, "apis").await.contains(&"a:1.0".to_owned()));
    let off = json_request("PATCH", "/teamRules/public", &json!({ "inactive": true }));
    expect(&admin.send(off).await, 200);
    assert!(!names(bob, "apis").await.contains(&"a:1.0".to_owned()));
}

#[tokio::test]
async fn a_team_administrator_says_who_is_in_the_team_and_nothing_else() {
    let (gateway, admin, _) = two_teams().await;
    let lead = &users(&gateway, &admin, &[("lead", &[])]).await[0];
    let mut red = team("red", "ann");
    red["administrators"] = json!({ "users": ["lead"] });
    expect(&admin.put("/teams/red", &red).await, 200);
    red["members"] = json!({ "users": ["ann", "lead"] });
    expect(&lead.put("/teams/red", &red).await, 200);
    red["privileges"] = json!(["Manage user administration"]);
    assert_eq!(code(&lead.put("/teams/red", &red).await, 403), "forbidden");
    assert_eq!(code(&lead.put("/teams/blue", &team("blue", "lead")).await, 403), "forbidden");
    assert_eq!(code(&lead.delete("/teams/red").await, 403), "forbidden");
}

#[tokio::test]
async fn requests_of_an_api_are_told_to_its_team() {
    let (gateway, admin, users) = two_teams().await;
    let upstream = Upstream::text("hello").start().await;
    let open = |path: &str, team: &str| json!({ "name": path, "basePath": format!("/{path}"), "upstream": upstream.url(), "teams": [team] });
    expect(&admin.put("/apis/a:1.0", &open("a", "red")).await, 200);
    expect(&admin.put("/apis/b:1.0", &open("b", "blue")).await, 200);
    let mut ids = Vec::new();
    for path in ["/a/1", "/b/1"] {
        ids.push(gateway.get(path).await.header("x-request-id").to_owned());
    }
    let (ann, bob) = (&users[0], &users[1]);
    for (who, sees, hidden) in [(ann, &ids[0], &ids[1]), (bob, &ids[1], &ids[0])] {
        testkit::eventually("the record is there", async || {
            who.get(&format!("/gateway/explain/{sees}")).await.status() == 200
        })
        .await;
        assert_eq!(code(&who.get(&format!("/gateway/explain/{hidden}")).await, 404), "no_record");
        let latest = who.get("/gateway/explain").await.text();
        assert!(latest.contains(sees.as_str()) && !latest.contains(hidden.as_str()), "{latest}");
    }
}

#[tokio::test]
async fn without_team_work_teams_give_privileges_and_hide_nothing() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let ann = &users(&gateway, &admin, &[("ann", &[])]).await[0];
    assert_eq!(code(&ann.post("/apis", &api("x", &[])).await, 403), "forbidden");
    expect(&admin.post("/teams", &team("red", "ann")).await, 201);
    expect(&admin.post("/teams", &json!({ "name": "blue" })).await, 201);
    expect(&ann.post("/apis", &api("x", &["blue"])).await, 201);
    expect(&ann.get("/apis/x:1.0").await, 200);
}

#[tokio::test]
async fn who_may_only_activate_an_api_changes_nothing_else_of_it() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let ann = &users(&gateway, &admin, &[("ann", &[])]).await[0];
    expect(&admin.post("/apis", &api("x", &[])).await, 201);
    let operators =
        json!({ "name": "ops", "members": { "users": ["ann"] }, "privileges": ["Activate/Deactivate APIs"] });
    expect(&admin.post("/teams", &operators).await, 201);
    let patch = |patch: Value| json_request("PATCH", "/apis/x:1.0", &patch);
    expect(&ann.send(patch(json!({ "inactive": true }))).await, 200);
    for more in [json!({ "description": "mine" }), json!({ "inactive": false, "description": "mine" })] {
        assert_eq!(code(&ann.send(patch(more)).await, 403), "forbidden");
    }
    let editors = json!({ "name": "ops", "members": { "users": ["ann"] }, "privileges": ["Manage APIs"] });
    expect(&admin.put("/teams/ops", &editors).await, 200);
    expect(&ann.send(patch(json!({ "description": "mine" }))).await, 200);
    assert_eq!(code(&ann.send(patch(json!({ "inactive": false }))).await, 403), "forbidden");
}
