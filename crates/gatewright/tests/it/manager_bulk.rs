//! The same done with many assets: one revision, and an answer for each of them.

use testkit::{Admin, Gateway, Value, json, json_request};

use crate::manager::{code, expect, managed};

async fn made(setting: bool) -> (Gateway, Admin) {
    let gateway = Gateway::serving(managed().setting("manager.enableTeamWork", setting)).await;
    let admin = gateway.administrator();
    for (name, tag) in [("a", "pets"), ("b", "pets"), ("c", "cars")] {
        let api = json!({ "name": name, "upstream": "http://127.0.0.1:1", "tags": [tag] });
        expect(&admin.post("/apis", &api).await, 201);
    }
    (gateway, admin)
}

fn results(done: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let items = done["items"].as_array().expect("items");
    items.iter().map(|item| (text(&item["name"]), text(&item["result"]))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, result)| ((*name).to_owned(), (*result).to_owned())).collect()
}

#[tokio::test]
async fn what_a_query_finds_is_changed_as_one_revision() {
    let (_gateway, admin) = made(false).await;
    let bulk =
        |action: Value| json!({ "list": "apis", "matching": { "filter": "tags=pets" }, "action": action });
    let deactivate = bulk(json!({ "type": "deactivate" }));
    let before =
        expect(&admin.get("/revisions").await, 200)["items"][0]["revision"].as_u64().expect("a number");
    let tried = expect(&admin.post("/bulk?dryRun=true", &deactivate).await, 200);
    assert_eq!(results(&tried), pairs(&[("a:1.0", "changed"), ("b:1.0", "changed")]));
    assert_eq!(expect(&admin.get("/apis/a:1.0").await, 200)["spec"]["inactive"], Value::Null);

    let done = expect(&admin.post("/bulk?reason=night", &deactivate).await, 200);
    assert_eq!(done["revision"], before + 1);
    for (name, inactive) in [("a", json!(true)), ("b", json!(true)), ("c", Value::Null)] {
        assert_eq!(expect(&admin.get(&format!("/apis/{name}:1.0")).await, 200)["spec"]["inactive"], inactive);
    }
    let audit = expect(&admin.get("/audit?limit=2").await, 200);
    assert_eq!(audit["items"][0]["action"], "deactivate");

    let again = expect(&admin.post("/bulk", &deactivate).await, 200);
    assert_eq!(results(&again), pairs(&[("a:1.0", "unchanged"), ("b:1.0", "unchanged")]));
    assert_eq!(again["different"], false);
    for (action, key, expected) in [
        (json!({ "type": "activate" }), "inactive", Value::Null),
        (json!({ "type": "addTags", "tags": ["new", "pets"] }), "tags", json!(["pets", "new"])),
        (json!({ "type": "removeTags", "tags": ["new"] }), "tags", json!(["pets"])),
        (json!({ "type": "setOwner", "owner": "ann" }), "owner", json!("ann")),
        (json!({ "type": "setOwner", "owner": null }), "owner", Value::Null),
        (json!({ "type": "patch", "patch": { "description": "x" } }), "description", json!("x")),
    ] {
        expect(&admin.post("/bulk", &bulk(action.clone())).await, 200);
        assert_eq!(expect(&admin.get("/apis/b:1.0").await, 200)["spec"][key], expected, "{action}");
    }
    expect(&admin.post("/bulk", &bulk(json!({ "type": "delete" }))).await, 200);
    assert_eq!(expect(&admin.get("/apis").await, 200)["total"], 1);
}

#[tokio::test]
async fn all_or_nothing_unless_some_are_enough() {
    let (_gateway, admin) = made(false).await;
    // The base path of two becomes the same, and that of a third one cannot be.
    let wrong =
        json!({ "list": "apis", "names": ["a:1.0", "nobody", "c:1.0"], "action": { "type": "deactivate" } });
    let refused = admin.post("/bulk", &wrong).await;
    assert_eq!(code(&refused, 409), "bulk_refused");
    assert_eq!(refused.json()["errors"][0]["file"], "api nobody");
    assert_eq!(expect(&admin.get("/apis/a:1.0").await, 200)["spec"]["inactive"], Value::Null);
    let done = expect(&admin.post("/bulk?partial=true", &wrong).await, 200);
    let expected = [("a:1.0", "changed"), ("c:1.0", "changed"), ("nobody", "refused")];
    assert_eq!(results(&done), pairs(&expected));
    assert_eq!(done["items"][2]["code"], "not_found");

    // What would not be valid is found when the whole is compiled, and left out as well.
    let broken = json!({ "basePath": "no path" });
    expect(&admin.send(json_request("PATCH", "/apis/a:1.0", &broken)).await, 200);
    let activate = json!({ "list": "apis", "names": ["a:1.0", "c:1.0"], "action": { "type": "activate" } });
    expect(&admin.post("/bulk", &activate).await, 422);
    let done = expect(&admin.post("/bulk?partial=true", &activate).await, 200);
    assert_eq!(results(&done), pairs(&[("a:1.0", "refused"), ("c:1.0", "changed")]));
    assert_eq!(done["items"][0]["code"], "invalid");
    assert!(done["items"][0]["detail"].as_str().is_some_and(|text| text.contains("basePath")), "{done}");

    for (body, expected) in [
        (json!({ "list": "apis", "action": { "type": "delete" } }), "bad_body"),
        (json!({ "list": "apis", "names": ["a:1.0"], "action": { "type": "explode" } }), "bad_json"),
        (json!({ "list": "upstreams", "matching": {}, "action": { "type": "delete" } }), ""),
        (
            json!({ "list": "apis", "matching": { "filter": "x" }, "action": { "type": "delete" } }),
            "bad_body",
        ),
    ] {
        let answer = admin.post("/bulk", &body).await;
        if expected.is_empty() {
            expect(&answer, 200);
        } else {
            assert_eq!(code(&answer, 400), expected, "{body}");
        }
    }
}

#[tokio::test]
async fn owners_and_teams_are_changed_by_those_who_may_and_only_of_what_they_see() {
    let (gateway, admin) = made(true).await;
    expect(&admin.post("/users", &json!({ "name": "ann" })).await, 201);
    let password = json!({ "password": "correct horse battery" });
    assert_eq!(admin.send(json_request("PUT", "/users/ann/password", &password)).await.status(), 204);
    let red = json!({ "name": "red", "members": { "users": ["ann"] }, "privileges": ["Manage APIs"] });
    expect(&admin.post("/teams", &red).await, 201);
    expect(&admin.post("/teams", &json!({ "name": "blue" })).await, 201);
    let set = |names: &[&str], teams: &[&str]| json!({ "list": "apis", "names": names, "action": { "type": "setTeams", "teams": teams } });
    expect(&admin.post("/bulk", &set(&["a:1.0", "b:1.0"], &["red"])).await, 200);
    expect(&admin.post("/bulk", &set(&["c:1.0"], &["blue"])).await, 200);
    let ann = gateway.admin("ann", "correct horse battery");
    let own = json!({ "list": "apis", "names": ["a:1.0", "c:1.0"], "action": { "type": "setOwner", "owner": "ann" } });
    let refused = expect(&ann.post("/bulk", &own).await, 409);
    let told = refused.to_string();
    assert!(told.contains("Change ownership/teams") && told.contains("there is no api `c:1.0`"), "{told}");
    let patch = json_request("PATCH", "/apis/a:1.0", &json!({ "owner": "ann" }));
    assert_eq!(code(&ann.send(patch).await, 403), "forbidden");
    let may = json_request(
        "PATCH",
        "/teams/red",
        &json!({ "privileges": ["Manage APIs", "Change ownership/teams"] }),
    );
    expect(&admin.send(may).await, 200);
    let done = expect(&ann.post("/bulk?partial=true", &own).await, 200);
    assert_eq!(results(&done), pairs(&[("a:1.0", "changed"), ("c:1.0", "refused")]));
}
