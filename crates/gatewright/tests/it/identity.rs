//! Who calls: how callers are recognised, and that nobody passes for somebody else.

use tempfile::TempDir;
use testkit::{Config, Gateway, Request, Upstream, Value, api, config::hash, get, json, post};

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

/// A certificate, as far as a header goes: 32 bytes that begin like one.
const CERTIFICATE: &str = "MDABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// An API for each rule, and one under `/open` that lets everybody pass; one application has every identifier.
fn every_rule(upstream: &Upstream, secrets: &TempDir) -> Config {
    let bytes = format!("00{}", "\u{1}".repeat(30));
    let rules = [
        ("key", json!({ "type": "apiKey", "cookie": "key" })),
        ("ip", json!({ "type": "ipAddress" })),
        ("host", json!({ "type": "hostName" })),
        ("header", json!({ "type": "header" })),
        (
            "body",
            json!({ "type": "payloadElement", "jsonPath": "$.id", "xpath": "//id", "regex": "id=(\\S+)" }),
        ),
        ("cert", json!({ "type": "httpsCertificate", "trustedPeers": ["127.0.0.1/32"] })),
        ("far-cert", json!({ "type": "httpsCertificate", "trustedPeers": ["192.0.2.0/24"] })),
        ("basic", json!({ "type": "httpBasic" })),
    ];
    let names: Vec<String> =
        rules.iter().flat_map(|(name, _)| [(*name).to_owned(), format!("open-{name}")]).collect();
    let application = json!({
        "name": "shop",
        "apis": names,
        "apiKeys": [{ "hash": hash("the-key") }, { "hash": hash("old-key"), "expires": "2020-01-01T00:00:00Z" }],
        "identifiers": {
            "ipAddresses": ["192.0.2.1"],
            "hostNames": ["shop.example"],
            "headers": [{ "name": "X-Tenant", "value": "the-tenant" }],
            "payload": ["the-id"],
            "certificates": [hash(&bytes)],
            "userNames": ["ann"],
        },
    });
    let config = with_users(Config::new(), secrets)
        .listeners(
            json!([{ "name": "default", "address": "127.0.0.1:0", "trustedProxies": ["127.0.0.1/32"] }]),
        )
        .host_name("192.0.2.2", "shop.example", "192.0.2.2")
        .host_name("192.0.2.3", "shop.example", "192.0.2.2")
        .append("applications", application);
    rules.into_iter().fold(config, |config, (name, rule)| {
        let strict = json!({ "rules": [rule] });
        let mut open = strict.clone();
        open["allowAnonymous"] = true.into();
        config
            .api(api(&format!("/{name}"), upstream).policy("identifyAndAuthorize", strict))
            .api(api(&format!("/open-{name}"), upstream).policy("identifyAndAuthorize", open))
    })
}

#[tokio::test]
async fn wrong_missing_repeated_and_malformed_credentials_identify_nobody() {
    type Build = fn(Request) -> Request;
    const MISSING: &str = "credentials_missing";
    const UNKNOWN: &str = "api_key_unknown";
    const INVALID: &str = "credentials_invalid";
    const NOBODY: &str = "application_not_identified";
    /// The same header once for each value.
    fn all(request: Request, name: &str, values: &[&str]) -> Request {
        values.iter().fold(request, |request, value| request.header(name, value))
    }
    fn body(request: Request, kind: &str, body: &str) -> Request {
        request.header("content-type", kind).body(testkit::body::full(body.to_owned()))
    }
    let table: &[(&str, &str, Build, &str)] = &[
        ("key", "", |r| r.header("x-gateway-apikey", "the-key"), ""),
        ("key", "?APIKey=the-key&a=1", |r| r, ""),
        ("key", "", |r| r.header("cookie", "a=1; key=the-key"), ""),
        ("key", "", |r| r, MISSING),
        ("key", "?apikey=the-key", |r| r, MISSING),
        ("key", "", |r| r.header("authorization", "the-key"), MISSING),
        ("key", "", |r| r.header("cookie", "KEY=the-key"), MISSING),
        ("key", "", |r| r.header("x-gateway-apikey", ""), UNKNOWN),
        ("key", "", |r| r.header("x-gateway-apikey", "the-key2"), UNKNOWN),
        ("key", "", |r| r.header("x-gateway-apikey", "The-Key"), UNKNOWN),
        ("key", "", |r| r.header("x-gateway-apikey", "the-key, the-key"), UNKNOWN),
        ("key", "", |r| r.header("x-gateway-apikey", "old-key"), "api_key_expired"),
        ("key", "", |r| all(r, "x-gateway-apikey", &["the-key", "the-key"]), UNKNOWN),
        ("key", "", |r| all(r, "x-gateway-apikey", &["the-key", "x"]), UNKNOWN),
        ("key", "?APIKey=the-key", |r| r.header("x-gateway-apikey", "x"), UNKNOWN),
        ("key", "?APIKey=the-key&APIKey=x", |r| r, UNKNOWN),
        ("key", "?APIKey=x&APIKey=the-key", |r| r, UNKNOWN),
        ("key", "", |r| r.header("cookie", "key=the-key; key=x"), UNKNOWN),
        ("ip", "", |r| r.header("x-forwarded-for", "192.0.2.1"), ""),
        ("ip", "", |r| r, NOBODY),
        ("ip", "", |r| r.header("x-forwarded-for", "192.0.2.2"), NOBODY),
        ("ip", "", |r| r.header("x-forwarded-for", "192.0.2.1, 192.0.2.9"), NOBODY),
        ("ip", "", |r| all(r, "x-forwarded-for", &["192.0.2.1", "192.0.2.9"]), NOBODY),
        ("ip", "", |r| r.header("x-forwarded-for", "192.0.2.1x"), NOBODY),
        ("ip", "", |r| r.header("x-real-ip", "192.0.2.1"), NOBODY),
        ("host", "", |r| r.header("x-forwarded-for", "192.0.2.2"), ""),
        ("host", "", |r| r, NOBODY),
        ("host", "", |r| r.header("x-forwarded-for", "192.0.2.3"), NOBODY),
        ("host", "", |r| r.header("x-forwarded-for", "192.0.2.4"), NOBODY),
        ("host", "", |r| r.header("host", "shop.example"), NOBODY),
        ("host", "", |r| r.header("x-forwarded-host", "shop.example"), NOBODY),
        ("header", "", |r| r.header("x-tenant", "the-tenant"), ""),
        ("header", "", |r| r, NOBODY),
        ("header", "", |r| r.header("x-tenant", "The-Tenant"), NOBODY),
        ("header", "", |r| r.header("x-tenant", "the-tenant, the-tenant"), NOBODY),
        ("header", "", |r| all(r, "x-tenant", &["the-tenant", "the-tenant"]), NOBODY),
        ("header", "", |r| all(r, "x-tenant", &["x", "the-tenant"]), NOBODY),
        ("header", "?x-tenant=the-tenant", |r| r, NOBODY),
        ("body", "", |r| body(r, "application/json", r#"{"id":"the-id"}"#), ""),
        ("body", "", |r| body(r, "text/xml", "<a><id>the-id</id></a>"), ""),
        ("body", "", |r| body(r, "text/plain", "id=the-id"), ""),
        ("body", "", |r| r, NOBODY),
        ("body", "?id=the-id", |r| r.header("id", "the-id"), NOBODY),
        ("body", "", |r| body(r, "application/json", r#"{"id":"the-id2"}"#), NOBODY),
        ("body", "", |r| body(r, "application/json", r#"{"id":"x","id":"the-id"}"#), NOBODY),
        ("body", "", |r| body(r, "application/json", r#"{"id":"the-id"}}"#), NOBODY),
        ("body", "", |r| body(r, "text/xml", "<a><id>the-id</id><id>the-id</id></a>"), NOBODY),
        ("body", "", |r| body(r, "text/xml", "<a><id>the-id</id>"), NOBODY),
        ("body", "", |r| body(r, "text/xml", "<!DOCTYPE a><a><id>the-id</id></a>"), NOBODY),
        ("body", "", |r| body(r, "text/plain", "id=the-id id=the-id"), NOBODY),
        ("cert", "", |r| r.header("x-client-cert", CERTIFICATE), ""),
        ("cert", "", |r| r, NOBODY),
        ("cert", "", |r| r.header("x-client-cert", "MDABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAgE="), NOBODY),
        ("cert", "", |r| r.header("x-client-cert", "no certificate"), NOBODY),
        ("cert", "", |r| r.header("x-client-cert", ""), NOBODY),
        ("cert", "", |r| all(r, "x-client-cert", &[CERTIFICATE, CERTIFICATE]), NOBODY),
        ("far-cert", "", |r| r.header("x-client-cert", CERTIFICATE), NOBODY),
        ("basic", "", |r| r.basic("ann", "secret"), ""),
        ("basic", "", |r| r, MISSING),
        ("basic", "", |r| r.header("authorization", "Bearer YW5uOnNlY3JldA=="), MISSING),
        ("basic", "", |r| r.basic("ann", "Secret"), INVALID),
        ("basic", "", |r| r.basic("ann", ""), INVALID),
        ("basic", "", |r| r.basic("Ann", "secret"), INVALID),
        ("basic", "", |r| r.basic("nobody", "secret"), INVALID),
        ("basic", "", |r| r.basic("bob", "secret"), NOBODY),
        ("basic", "", |r| r.header("authorization", "Basic YW5uOnNlY3JldA"), INVALID),
        ("basic", "", |r| r.header("authorization", "Basic ann:secret"), INVALID),
        ("basic", "", |r| r.header("authorization", "Basic YW5u"), INVALID),
        ("basic", "", |r| r.basic("ann", "secret").basic("ann", "secret"), INVALID),
        ("basic", "", |r| r.basic("ann", "secret").header("authorization", "Bearer x"), INVALID),
    ];
    let secrets = tempfile::tempdir().expect("a directory");
    let upstream = Upstream::text("ok").start().await;
    let gw = Gateway::serving(every_rule(&upstream, &secrets)).await;
    for (row, (rule, query, build, reason)) in table.iter().enumerate() {
        let case = format!("row {row}: {rule}{query}");
        let ask = async |prefix: &str| {
            let request = testkit::request("POST", &format!("/{prefix}{rule}{query}"));
            // Whoever says so, nobody is an application because of it.
            let request = request.header("X-Application-Name", "shop").header("x-application-id", "shop");
            gw.send(build(request)).await
        };
        let before = upstream.count();
        let response = ask("").await;
        let application = gw.explain(&response).await.application;
        assert_eq!(response.reason(), *reason, "{case}");
        assert_eq!(application.as_deref(), reason.is_empty().then_some("shop"), "{case}");
        assert_eq!(upstream.count() - before, usize::from(reason.is_empty()), "{case}");
        if !reason.is_empty() {
            let status = if matches!(*reason, NOBODY) { 403 } else { 401 };
            assert_eq!(response.status(), status, "{case}");
        }

        // Where everybody may pass, nobody passes for somebody.
        let response = ask("open-").await;
        assert_eq!(response.status(), 200, "{case}");
        let application = gw.explain(&response).await.application;
        assert_eq!(application.as_deref(), reason.is_empty().then_some("shop"), "{case}");
        let seen = &upstream.seen()[before..];
        for seen in seen {
            let claims = seen.headers.keys().filter(|name| name.as_str().starts_with("x-application"));
            assert_eq!(claims.count(), 0, "{case}");
            // What is in no place for keys is for the upstream.
            let is_told = format!("{:?}{}", seen.headers, seen.path).contains("the-key");
            assert!(!is_told || *reason == MISSING, "{case}: a key went on");
            assert_eq!(seen.header("x-client-cert"), "", "{case}");
            if reason.is_empty() {
                for used in ["authorization", "x-tenant"] {
                    assert_eq!(seen.header(used), "", "{case}");
                }
            }
        }
        let events = format!("{:?}", gw.events("limit=2").await);
        assert!(!events.contains("the-key") || *reason == MISSING, "{case}: a key is in an event");
    }
}
