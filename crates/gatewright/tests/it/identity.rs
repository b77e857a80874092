//! Who calls: how callers are recognised, and that nobody passes for somebody else.

use tempfile::TempDir;
use testkit::{Config, Gateway, Upstream, Value, api, get, json, post};

/// The hash of `secret`, as cheap as argon2id can be.
const SECRET: &str =
    "$argon2id$v=19$m=64,t=1,p=1$c29tZS1zYWx0LTEyMw$Z89NTPS/6ujZFB41o2RM6zNuwGClxqmoVIxTuk+Xchg";

/// Users `ann` in group `ops`, `bob` in group `dev`, `eve` in none; all have the same password.
fn with_users(config: impl Into<Config>, secrets: &TempDir) -> Config {
    let password = secrets.path().join("password");
    std::fs::write(&password, SECRET).expect("a file that can be written");
    let user = |name: &str, groups: Value| json!({ "name": name, "password": format!("${{file:{}}}", password.display()), "groups": groups });
    config
        .into()
        .append("groups", json!({ "name": "ops" }))
        .append("groups", json!({ "name": "dev" }))
        .append("users", user("ann", json!(["ops"])))
        .append("users", user("bob", json!(["dev"])))
        .append("users", user("eve", json!([])))
}

/// An API `a` that identifies by one rule, and an application `shop` with these identifiers.
fn by_rule(upstream: &Upstream, rule: Value, identifiers: Value) -> Config {
    let identify = json!({ "rules": [rule] });
    Config::from(api("/a", upstream).policy("identifyAndAuthorize", identify))
        .append("applications", json!({ "name": "shop", "apis": ["a"], "identifiers": identifiers }))
}

#[tokio::test]
async fn a_value_in_the_body_identifies_its_application_and_goes_on() {
    let upstream = Upstream::echo_body().start().await;
    let rule = json!({
        "type": "payloadElement",
        "jsonPath": "$.tenant",
        "xpath": "/o:order/@tenant",
        "namespaces": { "o": "urn:orders" },
        "regex": "^tenant=([a-z]+)$",
    });
    let gw = Gateway::serving(by_rule(&upstream, rule, json!({ "payload": ["red"] }))).await;
    for (kind, body) in [
        ("application/json", r#"{"tenant":"red","x":1}"#),
        ("application/xml", "<order xmlns='urn:orders' tenant='red'/>"),
        ("text/plain", "tenant=red"),
    ] {
        let response = gw.send(post("/a", body).header("content-type", kind)).await;
        assert_eq!((response.status(), response.text().as_str()), (200, body));
        assert_eq!(gw.explain(&response).await.application.as_deref(), Some("shop"), "{kind}");
    }
    let count = upstream.count();
    for (kind, body) in [
        ("application/json", r#"{"tenant":"blue"}"#.to_owned()),
        ("application/json", r#"{"tenant":"blue","tenant":"red"}"#.to_owned()),
        ("application/json", "{\"tenant\":".repeat(10_000)),
        (
            "application/xml",
            "<!DOCTYPE o [<!ENTITY t 'red'>]><order xmlns='urn:orders' tenant='red'/>".to_owned(),
        ),
        ("application/xml", format!("<order xmlns='urn:orders' tenant='red'>{}", "<a>".repeat(10_000))),
        ("image/png", "tenant=red".to_owned()),
    ] {
        let refused = gw.send(post("/a", body.clone()).header("content-type", kind)).await;
        assert_eq!(
            (refused.status(), refused.reason().as_str()),
            (403, "application_not_identified"),
            "{kind} {body:.60}"
        );
    }
    let large = format!(r#"{{"tenant":"red","x":"{}"}}"#, "x".repeat(5 << 20));
    let refused = gw.send(post("/a", large).header("content-type", "application/json")).await;
    assert_eq!((refused.status(), refused.reason().as_str()), (413, "body_too_large"));
    assert_eq!(gw.get("/a").await.status(), 403, "no body at all");
    assert_eq!(upstream.count(), count);
}

#[tokio::test]
async fn the_name_of_a_host_identifies_its_application_when_it_leads_back() {
    let upstream = Upstream::text("ok").start().await;
    let identifiers = json!({ "hostNames": ["*.partner.example", "One.example"] });
    let config = by_rule(&upstream, json!({ "type": "hostName" }), identifiers)
        .listeners(
            json!([{ "name": "default", "address": "127.0.0.1:0", "trustedProxies": ["127.0.0.1/32"] }]),
        )
        .host_name("192.0.2.1", "Client.Partner.Example", "192.0.2.1")
        .host_name("192.0.2.2", "one.example", "192.0.2.2")
        .host_name("192.0.2.3", "client.partner.example", "192.0.2.1")
        .host_name("192.0.2.4", "partner.example", "192.0.2.4")
        .host_name("192.0.2.5", "one.example.evil", "192.0.2.5");
    let gw = Gateway::serving(config).await;
    for (client, status) in [
        ("192.0.2.1", 200),
        ("192.0.2.1", 200),
        ("192.0.2.2", 200),
        ("192.0.2.3", 403),
        ("192.0.2.4", 403),
        ("192.0.2.5", 403),
        ("192.0.2.6", 403),
    ] {
        let response = gw.send(get("/a").header("x-forwarded-for", client)).await;
        assert_eq!(response.status(), status, "{client}");
        let reason = if status == 200 { "" } else { "application_not_identified" };
        assert_eq!(response.reason(), reason, "{client}");
    }
    assert_eq!(upstream.count(), 3);
}

#[tokio::test]
async fn identifiers_that_cannot_be_right_are_told_with_their_path() {
    for (identifiers, path) in [
        (json!({ "hostNames": ["a.example", "*"] }), "applications[0].identifiers.hostNames[1]"),
        (json!({ "payload": [""] }), "applications[0].identifiers.payload[0]"),
    ] {
        let config = Config::new().append("applications", json!({ "name": "x", "identifiers": identifiers }));
        let error = Gateway::start(config).await.err().expect("it is wrong").to_string();
        assert!(error.contains(path), "{error}");
    }
}

#[tokio::test]
async fn only_certain_users_groups_and_applications_pass() {
    let secrets = tempfile::tempdir().expect("a directory");
    let upstream = Upstream::text("ok").start().await;
    let identify = json!({ "lookup": "relaxed", "rules": [{ "type": "httpBasic" }] });
    let door = |config: Value| {
        api("/a", &upstream).policy("authorizeUser", config).policy("identifyAndAuthorize", identify.clone())
    };
    let gw =
        Gateway::serving(with_users(door(json!({ "users": ["eve"], "groups": ["ops"] })), &secrets)).await;
    for (user, password, status, reason) in [
        ("ann", "secret", 200, ""),
        ("eve", "secret", 200, ""),
        ("bob", "secret", 403, "caller_not_authorized"),
        ("ann", "wrong", 401, "credentials_invalid"),
    ] {
        let response = gw.send(get("/a").basic(user, password)).await;
        assert_eq!((response.status(), response.reason().as_str()), (status, reason), "{user} {password}");
        assert!(!response.text().contains(user), "the answer names nobody: {}", response.text());
    }
    let anonymous = gw.get("/a").await;
    assert_eq!((anonymous.status(), anonymous.reason().as_str()), (401, "credentials_missing"));

    // Whom identification lets pass unknown is told to authenticate by this one.
    let identify = json!({ "allowAnonymous": true, "rules": [{ "type": "httpBasic", "realm": "r" }] });
    let open = api("/a", &upstream)
        .policy("identifyAndAuthorize", identify)
        .policy("authorizeUser", json!({ "applications": ["shop"], "groups": ["ops"], "match": "all" }));
    let application =
        json!({ "name": "shop", "apis": ["a"], "identifiers": { "userNames": ["ann", "bob"] } });
    gw.apply(with_users(Config::from(open).append("applications", application), &secrets))
        .await
        .expect("it is valid");
    let anonymous = gw.get("/a").await;
    assert_eq!((anonymous.status(), anonymous.reason().as_str()), (401, "caller_not_authenticated"));
    assert!(anonymous.header("www-authenticate").starts_with("Basic realm=\"r\""));
    for (user, status) in [("ann", 200), ("bob", 403), ("eve", 403)] {
        assert_eq!(gw.send(get("/a").basic(user, "secret")).await.status(), status, "{user}");
    }
    assert_eq!(upstream.count(), 3);
}

#[tokio::test]
async fn what_is_known_of_the_caller_is_in_variables_and_conditions() {
    let secrets = tempfile::tempdir().expect("a directory");
    let upstream = Upstream::echo().start().await;
    let identify = json!({ "allowAnonymous": true, "rules": [{ "type": "httpBasic" }] });
    let headers = json!({ "headers": {
        "X-Who": "${request.authorization.userName} ${request.authorization.groups}",
        "X-App": "${request.application.version} ${request.application.attributes.team}",
    } });
    let condition = "application.attributes.team == 'red' && 'ops' in user.groups && user.name == 'ann'";
    let mark = json!({ "when": { "cel": condition }, "headers": { "set": { "X-Red": "yes" } } });
    let config = api("/a", &upstream)
        .policy("identifyAndAuthorize", identify)
        .policy("customHeaders", headers)
        .policy("requestTransformation", mark);
    let application = json!({
        "name": "shop", "apis": ["a"], "version": "2.1",
        "attributes": { "team": "red" }, "identifiers": { "userNames": ["ann"] },
    });
    let gw = Gateway::serving(with_users(Config::from(config).append("applications", application), &secrets))
        .await;
    for (request, who, app, red) in [
        (get("/a").basic("ann", "secret"), "ann [\"ops\"]", "2.1 red", "yes"),
        (get("/a").basic("bob", "secret"), "bob [\"dev\"]", "", ""),
        (get("/a").basic("ann", "wrong"), "", "", ""),
    ] {
        assert_eq!(gw.send(request).await.status(), 200);
        let seen = upstream.last();
        assert_eq!(
            (seen.header("x-who").trim(), seen.header("x-app").trim(), seen.header("x-red")),
            (who, app, red)
        );
    }
}
