//! A second factor: who has one needs a code besides the password, wherever people log in.

use std::time::Duration;

use testkit::{Admin, Config, Gateway, Response, Value, json, json_request, request};
use totp_rs::{Builder, Secret};

use crate::{
    manager::{code, expect, managed},
    manager_sessions::{Browser, PASSWORD, log_in, with_user},
};

const STEP: Duration = Duration::from_secs(30);

/// An authenticator app with somebody's secret, and what they have written down.
pub(crate) struct App {
    secret: String,
    pub recovery_codes: Vec<String>,
}

impl App {
    /// What it shows a while from now; `steps` may be negative.
    pub fn shows_in(&self, gateway: &Gateway, steps: i64) -> String {
        let secret = Secret::try_from_base32(&self.secret).expect("it is Base32");
        let now = gateway.clock().now().seconds().saturating_add_signed(30 * steps);
        Builder::new().with_secret(secret).build().expect("it is long enough").generate(now).to_string()
    }

    pub fn shows(&self, gateway: &Gateway) -> String {
        self.shows_in(gateway, 0)
    }

    /// Something else than it shows now, or does soon.
    fn wrong(&self, gateway: &Gateway) -> String {
        let near: Vec<_> = (-2..=2).map(|steps| self.shows_in(gateway, steps)).collect();
        let mut codes = (0..).map(|n: u32| format!("{n:06}"));
        codes.find(|code| !near.contains(code)).expect("there are many")
    }
}

/// Somebody sets one up; the clock goes on to the next code.
pub(crate) async fn set_up(gateway: &Gateway, browser: &Browser<'_>) -> App {
    let begun = expect(&browser.send("POST", "/secondFactor", &Value::Null).await, 200);
    let mut app =
        App { secret: begun["secret"].as_str().expect("a secret").to_owned(), recovery_codes: Vec::new() };
    let confirmed = browser.send("PUT", "/secondFactor", &json!({ "code": app.shows(gateway) })).await;
    assert_eq!(confirmed.header("cache-control"), "no-store");
    let codes = expect(&confirmed, 200);
    let codes = codes["recoveryCodes"].as_array().expect("a list").iter();
    app.recovery_codes = codes.map(|code| code.as_str().expect("a text").to_owned()).collect();
    gateway.clock().advance(STEP);
    app
}

async fn log_in_with(admin: &Admin, user: &str, password: &str, code: &str) -> Response {
    let body = json!({ "user": user, "password": password, "code": code });
    admin.send_as_it_is(json_request("POST", "/session", &body)).await
}

async fn started(config: Config) -> (Gateway, Admin) {
    let gateway = Gateway::serving(config).await;
    let admin = gateway.administrator();
    with_user(&admin, "pat", json!(["API-Gateway-Providers"]), false).await;
    (gateway, admin)
}

#[tokio::test]
async fn whoever_has_one_logs_in_with_a_code_that_counts_once() {
    let (gateway, admin) = started(managed()).await;
    let browser = Browser::of(&admin, "pat", PASSWORD).await;
    let other = Browser::of(&admin, "pat", PASSWORD).await;
    let before = expect(&browser.get("/secondFactor").await, 200);
    assert_eq!(before, json!({ "on": false, "required": false, "possible": true, "recoveryCodes": 0 }));

    // Nothing is asked before a code has confirmed it, and the last secret that was told is the one.
    let first = expect(&browser.send("POST", "/secondFactor", &Value::Null).await, 200);
    let uri = first["uri"].as_str().expect("a text");
    let secret = first["secret"].as_str().expect("a text");
    assert_eq!(uri, format!("otpauth://totp/Gatewright:pat?secret={secret}&issuer=Gatewright"));
    assert!(first["qrCode"].as_array().is_some_and(|rows| rows.len() > 20));
    let stale = App { secret: secret.to_owned(), recovery_codes: Vec::new() };
    expect(&log_in(&admin, "pat", PASSWORD).await, 200);
    expect(&browser.send("POST", "/secondFactor", &Value::Null).await, 200);
    let confirm = json!({ "code": stale.shows(&gateway) });
    assert_eq!(code(&browser.send("PUT", "/secondFactor", &confirm).await, 403), "second_factor_wrong");
    let app = set_up(&gateway, &browser).await;
    assert_eq!(app.recovery_codes.len(), 10);
    assert_eq!(code(&browser.send("POST", "/secondFactor", &Value::Null).await, 409), "second_factor_on");
    // Whoever got in with the password alone is out.
    assert_eq!(code(&other.get("/session").await, 401), "session_expired");
    assert_eq!(expect(&browser.get("/secondFactor").await, 200)["on"], true);

    let needed = log_in(&admin, "pat", PASSWORD).await;
    assert_eq!(code(&needed, 401), "second_factor_needed");
    assert_eq!(needed.header("set-cookie"), "", "there is no session yet");
    let now = app.shows(&gateway);
    expect(&log_in_with(&admin, "pat", PASSWORD, &now).await, 200);
    let again = log_in_with(&admin, "pat", PASSWORD, &now).await;
    assert_eq!(code(&again, 401), "second_factor_wrong");
    assert_eq!(again.header("set-cookie"), "");
    // A clock may be one step ahead, and once it was, what came before is over.
    let ahead = app.shows_in(&gateway, 1);
    assert_eq!(
        code(&log_in_with(&admin, "pat", PASSWORD, &app.shows_in(&gateway, 2)).await, 401),
        "second_factor_wrong"
    );
    expect(&log_in_with(&admin, "pat", PASSWORD, &format!("{} {}", &ahead[..3], &ahead[3..])).await, 200);
    gateway.clock().advance(STEP);
    assert_eq!(code(&log_in_with(&admin, "pat", PASSWORD, &ahead).await, 401), "second_factor_wrong");
    gateway.clock().advance(STEP * 3);
    expect(&log_in_with(&admin, "pat", PASSWORD, &app.shows_in(&gateway, -1)).await, 200);
    assert_eq!(
        code(&log_in_with(&admin, "pat", PASSWORD, &app.shows_in(&gateway, -2)).await, 401),
        "second_factor_wrong"
    );
}

#[tokio::test]
async fn without_the_password_nobody_learns_who_has_one() {
    let (gateway, admin) = started(managed()).await;
    with_user(&admin, "sam", json!([]), false).await;
    let app = set_up(&gateway, &Browser::of(&admin, "pat", PASSWORD).await).await;
    let mut answers = Vec::new();
    for user in ["pat", "sam", "nobody"] {
        answers.push(log_in(&admin, user, "wrong").await.text());
        answers.push(log_in_with(&admin, user, "wrong", &app.shows(&gateway)).await.text());
        answers.push(log_in_with(&admin, user, "wrong", &app.recovery_codes[0]).await.text());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert!(answers[0].contains("credentials_invalid"));
    // Neither was used up.
    expect(&log_in_with(&admin, "pat", PASSWORD, &app.shows(&gateway)).await, 200);
    expect(&log_in_with(&admin, "pat", PASSWORD, &app.recovery_codes[0]).await, 200);
    let sam = Browser::of(&admin, "sam", PASSWORD).await;
    assert_eq!(code(&sam.get("/secondFactors").await, 403), "forbidden");
    assert_eq!(code(&sam.send("DELETE", "/users/pat/secondFactor", &Value::Null).await, 403), "forbidden");
}

#[tokio::test]
async fn wrong_codes_lock_the_name_as_wrong_passwords_do() {
    let lock = json!({ "attempts": 3, "within": "15m" });
    let (gateway, admin) = started(managed().setting("manager.accountLock", lock)).await;
    let app = set_up(&gateway, &Browser::of(&admin, "pat", PASSWORD).await).await;
    assert_eq!(code(&log_in(&admin, "pat", "wrong").await, 401), "credentials_invalid");
    for guess in [app.wrong(&gateway), "GUESS-GUESS".to_owned()] {
        assert_eq!(code(&log_in_with(&admin, "pat", PASSWORD, &guess).await, 401), "second_factor_wrong");
    }
    let right = log_in_with(&admin, "pat", PASSWORD, &app.shows(&gateway)).await;
    assert_eq!(code(&right, 429), "too_many_failures");
    assert_eq!(code(&log_in(&admin, "pat", PASSWORD).await, 429), "too_many_failures");
    gateway.clock().advance(Duration::from_secs(16 * 60));
    expect(&log_in_with(&admin, "pat", PASSWORD, &app.shows(&gateway)).await, 200);

    let audit = expect(&admin.get("/audit?limit=100").await, 200).to_string();
    for action in ["\"wrong code\"", "\"second factor\"", "\"failed login\""] {
        assert!(audit.contains(action), "{action} is not in {audit}");
    }
    let secrets = [&app.secret, &app.recovery_codes[0], &app.shows(&gateway), &app.wrong(&gateway)];
    assert!(!secrets.iter().any(|secret| audit.contains(secret.as_str())), "{audit}");
}

#[tokio::test]
async fn a_recovery_code_is_good_once() {
    let (gateway, admin) = started(managed()).await;
    let app = set_up(&gateway, &Browser::of(&admin, "pat", PASSWORD).await).await;
    let written = &app.recovery_codes[3];
    let typed = written.to_lowercase().replace('-', " ");
    let browser = Browser::kept(&admin, &log_in_with(&admin, "pat", PASSWORD, &typed).await);
    assert_eq!(code(&log_in_with(&admin, "pat", PASSWORD, written).await, 401), "second_factor_wrong");
    assert_eq!(expect(&browser.get("/secondFactor").await, 200)["recoveryCodes"], 9);
    expect(&log_in_with(&admin, "pat", PASSWORD, &app.recovery_codes[4]).await, 200);
    // One of somebody else is none.
    with_user(&admin, "sam", json!([]), false).await;
    set_up(&gateway, &Browser::of(&admin, "sam", PASSWORD).await).await;
    let foreign = log_in_with(&admin, "sam", PASSWORD, &app.recovery_codes[5]).await;
    assert_eq!(code(&foreign, 401), "second_factor_wrong");
}

#[tokio::test]
async fn programs_with_a_token_are_not_asked_and_http_basic_is() {
    let (gateway, admin) = started(managed()).await;
    let pat = gateway.admin("pat", PASSWORD);
    let token = expect(&pat.post("/tokens", &json!({ "name": "program" })).await, 201);
    let app = set_up(&gateway, &Browser::of(&admin, "pat", PASSWORD).await).await;
    let bearer = format!("Bearer {}", token["token"].as_str().expect("a token"));
    let by_token = |path: &str| request("GET", &format!("/api/v1{path}")).header("authorization", &bearer);
    expect(&admin.send_as_it_is(by_token("/apis")).await, 200);

    assert_eq!(code(&pat.get("/apis").await, 401), "second_factor_needed");
    let with = |code: &str| request("GET", "/api/v1/apis").header("x-second-factor", code);
    assert_eq!(code(&pat.send(with(&app.wrong(&gateway))).await, 401), "second_factor_wrong");
    expect(&pat.send(with(&app.shows(&gateway))).await, 200);
    assert_eq!(code(&pat.send(with(&app.shows(&gateway))).await, 401), "second_factor_wrong");
    // A token takes no factor away, and gives none.
    let off = json_request("POST", "/secondFactor", &Value::Null);
    let begun = admin.send_as_it_is(off.header("authorization", &bearer)).await;
    assert_eq!(code(&begun, 409), "session_needed");
}

#[tokio::test]
async fn turning_it_off_needs_the_password_and_a_code() {
    let (gateway, admin) = started(managed()).await;
    let browser = Browser::of(&admin, "pat", PASSWORD).await;
    let none = json!({ "password": PASSWORD, "code": "123456" });
    assert_eq!(code(&browser.send("POST", "/secondFactor/off", &none).await, 409), "second_factor_off");
    let app = set_up(&gateway, &browser).await;
    let off = async |password: &str, code: &str| {
        let body = json!({ "password": password, "code": code });
        browser.send("POST", "/secondFactor/off", &body).await
    };
    assert_eq!(code(&off("wrong", &app.shows(&gateway)).await, 403), "wrong_password");
    assert_eq!(code(&off(PASSWORD, &app.wrong(&gateway)).await, 403), "second_factor_wrong");
    // A password is changed with the one that it is now, as before.
    let new = json!({ "password": "another horse battery", "current": PASSWORD });
    assert_eq!(browser.send("PUT", "/users/pat/password", &new).await.status(), 204);
    assert_eq!(off("another horse battery", &app.shows(&gateway)).await.status(), 204);
    expect(&log_in(&admin, "pat", "another horse battery").await, 200);
    assert_eq!(expect(&browser.get("/secondFactor").await, 200)["on"], false);
    let recovery = log_in_with(&admin, "pat", "another horse battery", &app.recovery_codes[0]).await;
    expect(&recovery, 200);
}

#[tokio::test]
async fn where_it_is_required_it_is_set_up_before_anything_else() {
    let config = managed().setting("manager.secondFactor", "required");
    let gateway = Gateway::serving(config).await;
    let admin = gateway.administrator();
    let own = "/users/Administrator/password";
    // HTTP Basic is no way around it.
    assert_eq!(code(&admin.get("/apis").await, 403), "second_factor_must_be_set_up");
    let browser = Browser::of(&admin, "Administrator", admin.password()).await;
    assert_eq!(expect(&browser.get("/session").await, 200)["mustSetUpSecondFactor"], true);
    assert_eq!(code(&browser.get("/apis").await, 403), "second_factor_must_be_set_up");
    assert_eq!(code(&browser.get("/portal/profile").await, 403), "second_factor_must_be_set_up");
    let other = json!({ "password": "another horse battery" });
    let foreign = browser.send("PUT", "/users/somebody/password", &other).await;
    assert_eq!(code(&foreign, 403), "second_factor_must_be_set_up");
    assert_eq!(
        code(&browser.send("POST", "/tokens", &json!({ "name": "x" })).await, 403),
        "second_factor_must_be_set_up"
    );
    assert_ne!(browser.send("PUT", own, &other).await.status(), 204, "it says the one that it is now");

    let app = set_up(&gateway, &browser).await;
    assert_eq!(expect(&browser.get("/session").await, 200)["mustSetUpSecondFactor"], false);
    expect(&browser.get("/apis").await, 200);
    let after = log_in_with(&admin, "Administrator", admin.password(), &app.shows(&gateway)).await;
    assert_eq!(expect(&after, 200)["mustSetUpSecondFactor"], false);
}

#[tokio::test]
async fn whoever_manages_users_resets_it_and_sees_who_has_one() {
    let (gateway, admin) = started(managed()).await;
    let app = set_up(&gateway, &Browser::of(&admin, "pat", PASSWORD).await).await;
    let listed = expect(&admin.get("/secondFactors").await, 200);
    let listed = listed["items"].as_array().expect("a list");
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0]["user"], &listed[0]["recoveryCodes"]), (&json!("pat"), &json!(10)));
    assert!(listed[0]["since"].as_str().is_some_and(|since| since.starts_with("2026-")));

    assert_eq!(admin.delete("/users/pat/secondFactor").await.status(), 204);
    assert_eq!(admin.delete("/users/pat/secondFactor").await.status(), 404);
    let own = admin.delete("/users/Administrator/secondFactor").await;
    assert_eq!(code(&own, 403), "second_factor_own");
    expect(&log_in(&admin, "pat", PASSWORD).await, 200);
    let audit = expect(&admin.get("/audit?limit=1").await, 200).to_string();
    expect(&admin.get("/apis").await, 200);
    assert!(!audit.contains(&app.secret));
    let audit = expect(&admin.get("/audit?limit=10").await, 200).to_string();
    assert!(audit.contains("second factor reset"), "{audit}");
}

#[tokio::test]
async fn nobody_inherits_the_one_of_a_former_user() {
    let (gateway, admin) = started(managed()).await;
    set_up(&gateway, &Browser::of(&admin, "pat", PASSWORD).await).await;
    expect(&admin.delete("/users/pat").await, 200);
    with_user(&admin, "pat", json!([]), false).await;
    expect(&log_in(&admin, "pat", PASSWORD).await, 200);
    assert_eq!(expect(&admin.get("/secondFactors").await, 200)["items"], json!([]));
}

#[tokio::test]
async fn it_outlives_a_restart_and_nothing_of_it_can_be_read_in_the_database() {
    let folder = tempfile::tempdir().expect("temporary folders can be made");
    let config = managed().setting("dataDirectory", folder.path().display().to_string());
    let (gateway, admin) = started(config.clone()).await;
    let app = set_up(&gateway, &Browser::of(&admin, "pat", PASSWORD).await).await;
    let now = gateway.clock().now();
    gateway.stop().await;
    let mut seen = 0;
    for file in std::fs::read_dir(folder.path()).expect("it is a folder") {
        let path = file.expect("it can be read").path();
        if path.is_file() {
            let bytes = std::fs::read(&path).expect("it can be read");
            for secret in [&app.secret, &app.recovery_codes[0], &app.recovery_codes[0].replace('-', "")] {
                assert!(!bytes.windows(secret.len()).any(|piece| piece == secret.as_bytes()), "{path:?}");
            }
            seen += 1;
        }
    }
    assert!(seen > 0);
    let gateway = Gateway::serving(config).await;
    let admin = gateway.admin("Administrator", "");
    while gateway.clock().now() < now {
        gateway.clock().advance(STEP);
    }
    assert_eq!(code(&log_in(&admin, "pat", PASSWORD).await, 401), "second_factor_needed");
    expect(&log_in_with(&admin, "pat", PASSWORD, &app.shows(&gateway)).await, 200);
}
