//! People who log in: sessions, passwords that have to be changed, names that are locked.

use std::time::Duration;

use testkit::{Admin, Gateway, Response, Value, json, json_request, request};

use crate::manager::{code, expect, managed};

/// A browser that has logged in: what it keeps, and what its pages know.
pub(crate) struct Browser<'a> {
    admin: &'a Admin,
    pub cookie: String,
    pub csrf: String,
}

pub(crate) async fn log_in(admin: &Admin, user: &str, password: &str) -> Response {
    let body = json!({ "user": user, "password": password });
    admin.send_as_it_is(json_request("POST", "/session", &body)).await
}

impl<'a> Browser<'a> {
    pub async fn of(admin: &'a Admin, user: &str, password: &str) -> Self {
        Self::kept(admin, &log_in(admin, user, password).await)
    }

    /// What a browser keeps of an answer to a login.
    pub fn kept(admin: &'a Admin, response: &Response) -> Self {
        let session = expect(response, 200);
        let kept = response.header("set-cookie");
        assert!(kept.contains("; HttpOnly; SameSite=Strict"), "{kept}");
        let cookie = kept.split(';').next().unwrap_or_default().to_owned();
        Self { admin, cookie, csrf: session["csrf"].as_str().expect("a token").to_owned() }
    }

    pub async fn get(&self, path: &str) -> Response {
        self.admin
            .send_as_it_is(request("GET", &format!("/api/v1{path}")).header("cookie", &self.cookie))
            .await
    }

    pub async fn send(&self, method: &str, path: &str, body: &Value) -> Response {
        let request = json_request(method, path, body).header("cookie", &self.cookie);
        self.admin.send_as_it_is(request.header("x-csrf-token", &self.csrf)).await
    }
}

pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) async fn with_user(admin: &Admin, name: &str, groups: Value, temporary: bool) {
    expect(&admin.post("/users", &json!({ "name": name, "groups": groups })).await, 201);
    let password = json!({ "password": PASSWORD, "temporary": temporary });
    let set = json_request("PUT", &format!("/users/{name}/password"), &password);
    assert_eq!(admin.send(set).await.status(), 204);
}

#[tokio::test]
async fn a_session_lasts_until_it_is_ended_or_nothing_is_done_in_it() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let browser = Browser::of(&admin, "Administrator", admin.password()).await;
    let session = expect(&browser.get("/session").await, 200);
    assert_eq!(session["user"], "Administrator");
    assert_eq!(session["idleSeconds"], 1_800);
    assert_eq!(session["csrf"], browser.csrf);

    // Somebody who does something every now and then stays.
    for _ in 0..3 {
        gateway.clock().advance(Duration::from_secs(25 * 60));
        expect(&browser.get("/apis").await, 200);
    }
    gateway.clock().advance(Duration::from_secs(31 * 60));
    let over = browser.get("/apis").await;
    assert_eq!(code(&over, 401), "session_expired");
    assert!(over.header("set-cookie").contains("Max-Age=0"), "the browser forgets it");

    let browser = Browser::of(&admin, "Administrator", admin.password()).await;
    let other = Browser::of(&admin, "Administrator", admin.password()).await;
    let out = browser.send("DELETE", "/session", &Value::Null).await;
    assert_eq!(out.status(), 204);
    assert_eq!(code(&browser.get("/session").await, 401), "session_expired");
    expect(&other.get("/session").await, 200);
    let audit = expect(&admin.get("/audit?eventType=Access%20management").await, 200).to_string();
    assert!(audit.contains("login") && audit.contains("logout"), "{audit}");
    assert!(!audit.contains(&browser.csrf), "{audit}");
}

#[tokio::test]
async fn a_session_ends_after_its_longest_time_whatever_is_done_in_it() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let browser = Browser::of(&admin, "Administrator", admin.password()).await;
    for _ in 0..28 {
        gateway.clock().advance(Duration::from_secs(25 * 60));
        expect(&browser.get("/whoami").await, 200);
    }
    gateway.clock().advance(Duration::from_secs(25 * 60));
    assert_eq!(code(&browser.get("/whoami").await, 401), "session_expired");
}

#[tokio::test]
async fn another_site_cannot_change_anything_in_a_session() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let browser = Browser::of(&admin, "Administrator", admin.password()).await;
    let forged = |token: Option<&str>| {
        let request =
            json_request("POST", "/groups", &json!({ "name": "evil" })).header("cookie", &browser.cookie);
        match token {
            Some(token) => request.header("x-csrf-token", token),
            None => request,
        }
    };
    for token in [None, Some(""), Some("guess")] {
        let refused = admin.send_as_it_is(forged(token)).await;
        assert_eq!(code(&refused, 403), "csrf_token_missing");
    }
    expect(&browser.send("POST", "/groups", &json!({ "name": "good" })).await, 201);
    assert_eq!(admin.get("/groups/evil").await.status(), 404);
    // What the browser keeps is no token, and the token of one session is not that of another.
    let other = Browser::of(&admin, "Administrator", admin.password()).await;
    assert_eq!(code(&admin.send_as_it_is(forged(Some(&other.csrf))).await, 403), "csrf_token_missing");
}

#[tokio::test]
async fn wrong_credentials_from_an_address_end_no_session_there() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let browser = Browser::of(&admin, "Administrator", admin.password()).await;
    let with =
        |token: &str| request("GET", "/api/v1/apis").header("authorization", &format!("Bearer {token}"));
    for _ in 0..10 {
        assert_eq!(admin.send_as_it_is(with("guess")).await.status(), 401);
    }
    assert_eq!(admin.send_as_it_is(with("guess")).await.status(), 429);
    expect(&browser.get("/apis").await, 200);
}

#[tokio::test]
async fn a_temporary_password_is_changed_before_anything_else() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    with_user(&admin, "pat", json!(["API-Gateway-Providers"]), true).await;
    let browser = Browser::of(&admin, "pat", PASSWORD).await;
    assert_eq!(expect(&browser.get("/session").await, 200)["mustChangePassword"], true);
    let shop = json!({ "name": "shop" });
    assert_eq!(code(&browser.send("POST", "/applications", &shop).await, 403), "password_must_change");
    assert_eq!(code(&browser.get("/apis").await, 403), "password_must_change");
    assert_eq!(code(&gateway.admin("pat", PASSWORD).get("/apis").await, 403), "password_must_change");

    let own = "/users/pat/password";
    for (current, new, status, expected) in [
        ("wrong", "another horse battery", 403, "wrong_password"),
        (PASSWORD, PASSWORD, 422, "invalid"),
        (PASSWORD, "short", 422, "invalid"),
    ] {
        let refused = browser.send("PUT", own, &json!({ "password": new, "current": current })).await;
        assert_eq!(code(&refused, status), expected, "{new}");
    }
    let elsewhere = Browser::of(&admin, "pat", PASSWORD).await;
    let changed = json!({ "password": "another horse battery", "current": PASSWORD });
    assert_eq!(browser.send("PUT", own, &changed).await.status(), 204);
    // Whoever changes it stays; everybody else who had it is out.
    assert_eq!(expect(&browser.get("/session").await, 200)["mustChangePassword"], false);
    expect(&browser.send("POST", "/applications", &shop).await, 201);
    assert_eq!(code(&elsewhere.get("/session").await, 401), "session_expired");
}

#[tokio::test]
async fn a_password_that_is_too_old_is_changed_first() {
    let gateway =
        Gateway::serving(managed().setting("manager.passwords", json!({ "expireAfter": "90d" }))).await;
    let admin = gateway.administrator();
    expect(&admin.get("/apis").await, 200);
    gateway.clock().advance(Duration::from_secs(91 * 24 * 3600));
    assert_eq!(code(&admin.get("/apis").await, 403), "password_must_change");
}

#[tokio::test]
async fn passwords_are_as_the_settings_want_them() {
    let wanted = json!({ "minLength": 8, "upperCase": 1, "digits": 1 });
    let gateway = Gateway::serving(managed().setting("manager.passwords", wanted)).await;
    let admin = gateway.administrator();
    let set = async |password: &str| {
        let body = json!({ "password": password });
        admin.send(json_request("PUT", "/users/Administrator/password", &body)).await
    };
    let refused = expect(&set("horses").await, 422);
    assert_eq!(refused["errors"].as_array().map(Vec::len), Some(3), "{refused}");
    assert_eq!(refused["errors"][0]["path"], "password");
    assert_eq!(set("Horses12").await.status(), 204);
}

#[tokio::test]
async fn a_name_is_locked_after_too_many_wrong_passwords_whether_it_is_a_user_or_not() {
    let lock = json!({ "attempts": 3, "within": "15m" });
    let gateway = Gateway::serving(managed().setting("manager.accountLock", lock)).await;
    let admin = gateway.administrator();
    with_user(&admin, "pat", json!([]), false).await;
    for name in ["pat", "nobody"] {
        for _ in 0..3 {
            assert_eq!(code(&log_in(&admin, name, "wrong").await, 401), "credentials_invalid");
        }
        assert_eq!(code(&log_in(&admin, name, PASSWORD).await, 429), "too_many_failures");
    }
    let locked = expect(&admin.get("/lockedAccounts").await, 200);
    let names: Vec<_> = locked["items"].as_array().into_iter().flatten().map(|item| &item["user"]).collect();
    assert_eq!(names, ["nobody", "pat"]);
    assert_eq!(admin.delete("/lockedAccounts/pat").await.status(), 204);
    assert_eq!(log_in(&admin, "pat", PASSWORD).await.status(), 200);
    gateway.clock().advance(Duration::from_secs(16 * 60));
    assert_eq!(code(&log_in(&admin, "nobody", PASSWORD).await, 401), "credentials_invalid");
}

#[tokio::test]
async fn a_locked_user_is_out_at_once() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    with_user(&admin, "pat", json!([]), false).await;
    let browser = Browser::of(&admin, "pat", PASSWORD).await;
    expect(&browser.get("/apis").await, 200);
    let locked = json!({ "name": "pat", "locked": true });
    expect(&admin.put("/users/pat", &locked).await, 200);
    assert_eq!(code(&browser.get("/apis").await, 401), "session_expired");
    assert_eq!(code(&log_in(&admin, "pat", PASSWORD).await, 401), "credentials_invalid");
}

#[tokio::test]
async fn sessions_outlive_a_restart() {
    let directory = tempfile::tempdir().expect("temporary folders can be made");
    let config = managed().setting("dataDirectory", directory.path().display().to_string());
    let gateway = Gateway::serving(config.clone()).await;
    let admin = gateway.administrator();
    let browser = Browser::of(&admin, "Administrator", admin.password()).await;
    let (cookie, csrf) = (browser.cookie.clone(), browser.csrf.clone());
    gateway.stop().await;

    let gateway = Gateway::serving(config).await;
    let admin = gateway.admin("Administrator", "");
    let browser = Browser { admin: &admin, cookie, csrf };
    expect(&browser.get("/session").await, 200);
}
