//! Users of the manager authenticate at APIs with the passwords that they log in with.

use testkit::{Admin, Config, Gateway, MINUTE, SECOND, Upstream, api, get, json, json_request};

use crate::manager::{expect, managed};

fn config(upstream: &Upstream) -> Config {
    let identify = json!({ "lookup": "relaxed", "rules": [{ "type": "httpBasic" }] });
    let open = api("/a", upstream)
        .policy("identifyAndAuthorize", identify.clone())
        .policy("customHeaders", json!({ "headers": { "X-Who": "${request.authorization.userName}" } }));
    let closed = api("/b", upstream)
        .policy("identifyAndAuthorize", identify)
        .policy("authorizeUser", json!({ "groups": ["operators"] }));
    managed().api(open).api(closed).setting("manager.accountLock", json!({ "attempts": 3 }))
}

async fn set_password(admin: &Admin, user: &str, password: &str, temporary: bool) {
    let body = json!({ "password": password, "temporary": temporary });
    let put = json_request("PUT", &format!("/users/{user}/password"), &body);
    assert_eq!(admin.send(put).await.status(), 204);
}

async fn status(gateway: &Gateway, path: &str, user: &str, password: &str) -> u16 {
    gateway.send(get(path).basic(user, password)).await.status()
}

#[tokio::test]
async fn users_of_the_manager_pass_with_their_password_and_their_groups() {
    let upstream = Upstream::echo().start().await;
    let gateway = Gateway::serving(config(&upstream)).await;
    let admin = gateway.administrator();
    expect(&admin.post("/groups", &json!({ "name": "operators" })).await, 201);
    expect(&admin.post("/users", &json!({ "name": "ann", "groups": ["operators"] })).await, 201);
    for name in ["bob", "new", "none"] {
        expect(&admin.post("/users", &json!({ "name": name })).await, 201);
    }
    set_password(&admin, "ann", "the password of ann", false).await;
    set_password(&admin, "bob", "the password of bob", false).await;
    set_password(&admin, "new", "the password of new", true).await;
    for (path, user, password, expected) in [
        ("/a", "ann", "the password of ann", 200),
        ("/a", "ann", "the password of ann", 200),
        ("/a", "ann", "another password", 401),
        ("/a", "ann", "", 401),
        ("/a", "Ann", "the password of ann", 401),
        ("/b", "ann", "the password of ann", 200),
        ("/a", "bob", "the password of bob", 200),
        ("/b", "bob", "the password of bob", 403),
        // It has to be changed first.
        ("/a", "new", "the password of new", 401),
        ("/a", "none", "", 401),
        ("/a", "nobody", "the password of ann", 401),
    ] {
        assert_eq!(status(&gateway, path, user, password).await, expected, "{path} {user} {password}");
    }
    let echoed = gateway.send(get("/a").basic("ann", "the password of ann")).await.text();
    assert!(echoed.contains("\"ann\"") && !echoed.to_lowercase().contains("basic "), "{echoed}");
}

#[tokio::test]
async fn who_is_locked_or_gone_is_refused_at_once_and_a_changed_password_within_a_minute() {
    let upstream = Upstream::echo().start().await;
    let gateway = Gateway::serving(config(&upstream)).await;
    let admin = gateway.administrator();
    for name in ["ann", "bob", "carl"] {
        expect(&admin.post("/users", &json!({ "name": name })).await, 201);
        set_password(&admin, name, &format!("the password of {name}"), false).await;
        assert_eq!(status(&gateway, "/a", name, &format!("the password of {name}")).await, 200);
    }
    expect(&admin.send(json_request("PATCH", "/users/ann", &json!({ "locked": true }))).await, 200);
    assert_eq!(status(&gateway, "/a", "ann", "the password of ann").await, 401);
    assert_eq!(admin.delete("/users/bob").await.status(), 200);
    assert_eq!(status(&gateway, "/a", "bob", "the password of bob").await, 401);

    set_password(&admin, "carl", "a new password of carl", false).await;
    assert_eq!(status(&gateway, "/a", "carl", "a new password of carl").await, 200);
    gateway.advance(MINUTE + SECOND);
    assert_eq!(status(&gateway, "/a", "carl", "the password of carl").await, 401);

    // Nobody guesses passwords at APIs that could not be guessed at the login.
    for _ in 0..3 {
        assert_eq!(status(&gateway, "/a", "carl", "a guess at it").await, 401);
    }
    gateway.advance(MINUTE + SECOND);
    assert_eq!(status(&gateway, "/a", "carl", "a new password of carl").await, 401);
}
