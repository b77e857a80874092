//! E-mails: alerts for whoever has to know, and links for users who have forgotten their password.

use testkit::{
    Admin, Authority, Config, Gateway, MAIL_USER, MINUTE, MailBox, Response, Upstream, Value, api,
    eventually, json, json_request,
};

use crate::{
    manager::{code, expect, managed},
    manager_sessions::{Browser, PASSWORD, log_in, with_user},
    monitoring::rule,
    second_factor::set_up,
};

/// A mail server with the certificate of an authority, and the settings that send by it.
struct Post {
    server: MailBox,
    folder: tempfile::TempDir,
    start_tls: bool,
}

impl Post {
    async fn start() -> Self {
        let authority = Authority::new();
        let server = MailBox::start(&authority.issue(&["localhost"])).await;
        Self::with(&authority, server, false)
    }

    fn with(authority: &Authority, server: MailBox, start_tls: bool) -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        std::fs::write(folder.path().join("ca.pem"), authority.pem()).expect("a file");
        std::fs::write(folder.path().join("password"), MAIL_USER.1).expect("a file");
        Self { server, folder, start_tls }
    }

    fn settings(&self) -> Value {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        let scheme = if self.start_tls { "smtp" } else { "smtps" };
        json!({
            "url": format!("{scheme}://localhost:{}", self.server.port()),
            "startTls": self.start_tls,
            "caFile": file("ca.pem"),
            "user": MAIL_USER.0,
            "password": format!("${{file:{}}}", file("password")),
            "from": "Gateway <gateway@example.com>",
        })
    }
}

fn monitored(upstream: &Upstream, message: &str) -> testkit::Api {
    let config = json!({
        "rules": [rule("requestCount", "greater", 0)],
        "interval": { "unit": "minute" },
        "frequency": "always",
        "severity": "error",
        "message": message,
        "destinations": ["ops"],
    });
    api("/a", upstream).policy("monitorPerformance", config)
}

fn alerting(post: &Post, upstream: &Upstream, message: &str, more: Value) -> Config {
    let mut doc =
        json!({ "name": "ops", "type": "email", "to": ["ops@example.com", "Boss <boss@example.com>"] });
    doc.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    Config::new()
        .setting("mail", post.settings())
        .api(monitored(upstream, message))
        .append("destinations", doc)
}

fn deliveries(text: &str, result: &str, count: u32) -> bool {
    text.contains(&format!(
        "gatewright_alert_deliveries_total{{destination=\"ops\",result=\"{result}\"}} {count}"
    ))
}

#[tokio::test]
async fn the_first_alert_is_sent_at_once_and_those_after_it_together() {
    let (post, upstream) = (Post::start().await, Upstream::text("ok").start().await);
    let more = json!({ "atMostEvery": "1h" });
    let gw = Gateway::serving(alerting(&post, &upstream, "grüße\n${value}", more)).await;
    gw.get("/a").await;
    let mails = post.server.wait_for(1).await;
    assert_eq!(mails[0].to, ["ops@example.com", "boss@example.com"]);
    assert!(mails[0].headers.contains("From: Gateway <gateway@example.com>"), "{}", mails[0].headers);
    let text = &mails[0].text;
    assert!(text.starts_with("grüße\n1\n\ntime: 2026-01-15T10:00:00Z\nseverity: error\n"), "{text}");
    assert!(text.contains("requestCount: 1 (threshold 0)\n"), "{text}");
    for _ in 0..3 {
        gw.get("/a").await;
    }
    eventually("all alerts", async || gw.events("type=Monitor").await.len() == 4).await;
    assert_eq!(post.server.mails().len(), 1, "the next one may not go out yet");
    // Nothing that has come is kept back when the gateway stops.
    gw.stop().await;
    let mails = post.server.wait_for(2).await;
    assert!(mails[1].headers.contains("(and 2 more)"), "{}", mails[1].headers);
    for value in ["grüße\n2\n", "grüße\n3\n", "grüße\n4\n"] {
        assert!(mails[1].text.contains(value), "{}", mails[1].text);
    }
}

#[tokio::test]
async fn an_e_mail_is_tried_again_unless_there_is_no_use_in_it() {
    let (post, upstream) = (Post::start().await, Upstream::text("ok").start().await);
    let more = json!({ "retries": 2, "retryAfter": "1ms", "atMostEvery": "1ms", "subject": "${api}", "text": "${value}" });
    let gw = Gateway::serving(alerting(&post, &upstream, "m", more)).await;
    post.server.refuse(2, 451);
    gw.get("/a").await;
    let mails = post.server.wait_for(1).await;
    assert_eq!((mails[0].text.trim_end(), mails[0].headers.contains("Subject: a\r\n")), ("1", true));
    eventually("the count", async || deliveries(&gw.ops("/metrics").await.text(), "sent", 1)).await;
    post.server.refuse(1, 550);
    gw.get("/a").await;
    eventually("the count", async || deliveries(&gw.ops("/metrics").await.text(), "failed", 1)).await;
    assert_eq!(post.server.mails().len(), 1);
}

#[tokio::test]
async fn tls_begins_when_it_is_asked_for_and_another_certificate_is_not_believed() {
    let authority = Authority::new();
    let server = MailBox::start_tls(&authority.issue(&["localhost"])).await;
    let post = Post::with(&authority, server, true);
    let upstream = Upstream::text("ok").start().await;
    let gw = Gateway::serving(alerting(&post, &upstream, "m", json!({}))).await;
    gw.get("/a").await;
    post.server.wait_for(1).await;

    let stranger = Authority::new();
    let server = MailBox::start(&stranger.issue(&["localhost"])).await;
    let post = Post::with(&authority, server, false);
    let gw = Gateway::serving(alerting(&post, &upstream, "m", json!({ "retries": 0 }))).await;
    gw.get("/a").await;
    eventually("the count", async || deliveries(&gw.ops("/metrics").await.text(), "failed", 1)).await;
    assert_eq!(post.server.mails().len(), 0);
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_with_its_path() {
    let (post, upstream) = (Post::start().await, Upstream::text("ok").start().await);
    let with = |more: Value| alerting(&post, &upstream, "m", more);
    for (config, path, problem) in [
        (with(json!({ "to": [] })), "destinations[0].to", "1 to 50"),
        (with(json!({ "to": ["a@example.com", "nobody"] })), "destinations[0].to[1]", "`nobody`"),
        (
            with(json!({ "to": ["a@example.com\r\nBcc: b@example.com"] })),
            "destinations[0].to[0]",
            "e-mail address",
        ),
        (with(json!({ "subject": "${apis}" })), "destinations[0].subject", "`${apis}`"),
        (with(json!({ "text": "${" })), "destinations[0].text", "without its `}`"),
        (with(json!({ "atMostEvery": "25h" })), "destinations[0].atMostEvery", "24h"),
        (with(json!({ "retries": 21 })), "destinations[0].retries", "20"),
        (with(json!({})).setting("mail", Value::Null), "destinations[0].type", "settings.mail"),
        (with(json!({})).setting("mail.from", "nobody"), "settings.mail.from", "`nobody`"),
    ] {
        let Err(found) = Gateway::start(config).await else { panic!("{path} is accepted") };
        let found = found.to_string();
        assert!(found.contains(path) && found.contains(problem), "expected {path}: {problem}, found {found}");
    }
}

// New passwords.

fn resetting(post: &Post) -> Config {
    let reset = json!({ "publicUrl": "https://gateway.example:9072/", "expireAfter": "10m" });
    managed().setting("mail", post.settings()).setting("manager.passwordReset", reset)
}

async fn started(post: &Post) -> (Gateway, Admin) {
    let gateway = Gateway::serving(resetting(post)).await;
    let admin = gateway.administrator();
    with_user(&admin, "pat", json!(["API-Gateway-Providers"]), true).await;
    write_to(&admin, "pat", "Pat@example.com").await;
    (gateway, admin)
}

async fn write_to(admin: &Admin, user: &str, email: &str) {
    let patch = json_request("PATCH", &format!("/users/{user}"), &json!({ "email": email }));
    expect(&admin.send(patch.header("content-type", "application/merge-patch+json")).await, 200);
}

async fn ask(admin: &Admin, user: &str) -> Response {
    admin.send_as_it_is(json_request("POST", "/passwordReset", &json!({ "user": user }))).await
}

async fn set(admin: &Admin, token: &str, password: &str) -> Response {
    let body = json!({ "token": token, "password": password });
    admin.send_as_it_is(json_request("PUT", "/passwordReset", &body)).await
}

/// What the link in the newest e-mail has in it.
fn token(post: &Post) -> String {
    let text = post.server.mails().pop().expect("an e-mail").text;
    let link = text.split("https://gateway.example:9072/console/#reset=").nth(1);
    link.unwrap_or_else(|| panic!("{text}")).split_whitespace().next().unwrap_or_default().to_owned()
}

const ANOTHER: &str = "another horse, another battery";

#[tokio::test]
async fn whoever_has_forgotten_the_password_sets_another_one_by_a_link() {
    let post = Post::start().await;
    let (gateway, admin) = started(&post).await;
    let open = admin.send_as_it_is(json_request("GET", "/passwordReset", &Value::Null)).await;
    assert_eq!(expect(&open, 200), json!({ "on": true }));
    let before = Browser::of(&admin, "pat", PASSWORD).await;

    expect(&ask(&admin, "pat@EXAMPLE.com").await, 202);
    let mail = post.server.wait_for(1).await.remove(0);
    assert_eq!(mail.to, ["Pat@example.com"]);
    assert!(mail.text.starts_with("Hello pat,\n\n") && mail.text.contains("within 10m"), "{}", mail.text);
    let token = token(&post);
    // What is not good enough does not use it up.
    let weak = set(&admin, &token, "short").await;
    assert!(expect(&weak, 422).to_string().contains("at least 12 characters"), "{}", weak.text());
    assert_eq!(code(&set(&admin, "gwx-nothing", ANOTHER).await, 403), "password_link_invalid");
    expect(&log_in(&admin, "pat", PASSWORD).await, 200);

    assert_eq!(set(&admin, &token, ANOTHER).await.status(), 204);
    assert_eq!(code(&set(&admin, &token, "yet another battery").await, 403), "password_link_invalid");
    assert_eq!(code(&before.get("/session").await, 401), "session_expired");
    assert_eq!(code(&log_in(&admin, "pat", PASSWORD).await, 401), "credentials_invalid");
    assert_eq!(expect(&log_in(&admin, "pat", ANOTHER).await, 200)["mustChangePassword"], false);
    let told = post.server.wait_for(2).await.remove(1);
    assert!(told.headers.contains("Your password was changed"), "{}", told.headers);

    let audit = expect(&admin.get("/audit?user=pat&limit=20").await, 200).to_string();
    assert!(audit.contains("a link for a new password was sent to pat"), "{audit}");
    assert!(audit.contains("the password of pat was changed by a link in an e-mail"), "{audit}");
    assert!(!audit.contains(&token));
    drop(gateway);
}

#[tokio::test]
async fn nobody_learns_who_is_a_user_and_nobody_is_written_to_who_is_none() {
    let post = Post::start().await;
    let (gateway, admin) = started(&post).await;
    with_user(&admin, "silent", json!([]), false).await;
    with_user(&admin, "locked", json!([]), false).await;
    let locked =
        json_request("PATCH", "/users/locked", &json!({ "email": "locked@example.com", "locked": true }));
    expect(&admin.send(locked.header("content-type", "application/merge-patch+json")).await, 200);
    let mut answers = Vec::new();
    for user in ["nobody", "silent", "locked", "", &"x".repeat(10_000), "pat"] {
        let answer = ask(&admin, user).await;
        answers.push((answer.status(), answer.text()));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    // Of all of them one is there to be written to, and was asked for last.
    let mails = post.server.wait_for(1).await;
    assert_eq!((mails.len(), &*mails[0].to[0]), (1, "Pat@example.com"));

    // Nobody's mailbox is filled by others, and nobody keeps a user from a link for long.
    expect(&ask(&admin, "pat").await, 202);
    gateway.clock().advance(3 * MINUTE);
    expect(&ask(&admin, "pat").await, 202);
    assert_eq!(post.server.wait_for(2).await.len(), 2);
    let few = async || ask(&admin, "nobody").await.status() == 429;
    eventually("too many", few).await;
    assert_eq!(code(&ask(&admin, "nobody").await, 429), "too_many_requests");
}

#[tokio::test]
async fn a_link_is_over_with_its_time_and_with_the_password_that_it_replaces() {
    let post = Post::start().await;
    let (gateway, admin) = started(&post).await;
    expect(&ask(&admin, "pat").await, 202);
    post.server.wait_for(1).await;
    let late = token(&post);
    gateway.clock().advance(11 * MINUTE);
    assert_eq!(code(&set(&admin, &late, ANOTHER).await, 403), "password_link_invalid");

    expect(&ask(&admin, "pat").await, 202);
    post.server.wait_for(2).await;
    let replaced = token(&post);
    let password = json!({ "password": ANOTHER, "temporary": false });
    gateway.clock().advance(MINUTE);
    assert_eq!(admin.send(json_request("PUT", "/users/pat/password", &password)).await.status(), 204);
    assert_eq!(code(&set(&admin, &replaced, PASSWORD).await, 403), "password_link_invalid");
    expect(&log_in(&admin, "pat", ANOTHER).await, 200);
}

#[tokio::test]
async fn a_second_factor_is_asked_for_all_the_same() {
    let post = Post::start().await;
    let (gateway, admin) = started(&post).await;
    let password = json!({ "password": PASSWORD, "temporary": false });
    assert_eq!(admin.send(json_request("PUT", "/users/pat/password", &password)).await.status(), 204);
    set_up(&gateway, &Browser::of(&admin, "pat", PASSWORD).await).await;
    expect(&ask(&admin, "pat").await, 202);
    post.server.wait_for(1).await;
    assert_eq!(set(&admin, &token(&post), ANOTHER).await.status(), 204);
    assert_eq!(code(&log_in(&admin, "pat", ANOTHER).await, 401), "second_factor_needed");
}

#[tokio::test]
async fn without_it_there_is_no_new_password_and_half_of_it_is_refused() {
    let post = Post::start().await;
    let gateway = Gateway::serving(managed().setting("mail", post.settings())).await;
    let admin = gateway.administrator();
    let open = admin.send_as_it_is(json_request("GET", "/passwordReset", &Value::Null)).await;
    assert_eq!(expect(&open, 200), json!({ "on": false }));
    assert_eq!(code(&ask(&admin, "Administrator").await, 403), "password_reset_off");
    assert_eq!(code(&set(&admin, "x", ANOTHER).await, 403), "password_reset_off");

    let plain = resetting(&post).setting("manager.passwordReset.publicUrl", "http://gateway.example");
    for (config, path, problem) in [
        (resetting(&post).setting("mail", Value::Null), "settings.manager.passwordReset", "settings.mail"),
        (plain, "settings.manager.passwordReset.publicUrl", "not https"),
    ] {
        let Err(found) = Gateway::start(config).await else { panic!("{path} is accepted") };
        let found = found.to_string();
        assert!(found.contains(path) && found.contains(problem), "expected {path}: {problem}, found {found}");
    }
}

#[tokio::test]
async fn another_server_sends_links_from_the_moment_that_it_is_configured() {
    let (post, other) = (Post::start().await, Post::start().await);
    let (gateway, admin) = started(&post).await;
    gateway.apply(resetting(&other)).await.expect("it is right");
    expect(&ask(&admin, "pat").await, 202);
    assert_eq!(other.server.wait_for(1).await[0].to, ["Pat@example.com"]);
    assert!(post.server.mails().is_empty());
    let status = gateway.ops("/status").await.text();
    assert!(!status.contains("takes effect with the next start"), "{status}");
    // Without one there would be no links, which somebody may be waiting for.
    let refused =
        gateway.apply(resetting(&other).setting("mail", Value::Null)).await.expect_err("it is refused");
    assert!(refused.to_string().contains("settings.manager.passwordReset"), "{refused}");
}
