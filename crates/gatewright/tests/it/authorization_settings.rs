//! Settings of the authorization server inside are changed while it runs, and it opens by itself when the database comes
//! back.

use testkit::{
    Config, Gateway, Postgres, Request, Upstream, Value, api, body, config::hash, eventually, get, json,
    request,
};

use crate::manager::{expect, managed, on};

const SECRET: &str = "a-long-random-secret-of-the-shop-0123456789";
const ISSUER: &str = "https://id.example/oauth";

fn config(config: Config, upstream: &Upstream, settings: Value) -> Config {
    let mut all = json!({ "issuer": ISSUER, "address": "127.0.0.1:0", "signingAlgorithm": "ES256" });
    for (name, value) in settings.as_object().expect("an object") {
        all[name] = value.clone();
    }
    config
        .setting("authorizationServer", all)
        .append("authorizationServers", json!({ "name": "local", "internal": true }))
        .append(
            "applications",
            json!({ "name": "shop", "apis": ["a"], "oauthClients": [
                { "id": "shop", "secrets": [{ "hash": hash(SECRET) }], "grantTypes": ["clientCredentials"] },
            ]}),
        )
        .api(
            api("/a", upstream)
                .policy("identifyAndAuthorize", json!({ "rules": [{ "type": "oauth2Token" }] })),
        )
}

fn token() -> Request {
    request("POST", "/oauth/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .basic("shop", SECRET)
        .body(body::full("grant_type=client_credentials".to_owned()))
}

fn with(answer: &Value) -> Request {
    let token = answer["access_token"].as_str().expect("a token");
    get("/a").header("authorization", &format!("Bearer {token}"))
}

#[tokio::test]
async fn settings_count_from_the_next_request_on_and_what_cannot_change_is_said_to() {
    let upstream = Upstream::echo().start().await;
    let with_settings = |settings: Value| config(managed(), &upstream, settings);
    let gateway = Gateway::serving(with_settings(json!({}))).await;
    let register = || {
        request("POST", "/oauth/register")
            .header("content-type", "application/json")
            .body(body::full("{}".to_owned()))
    };
    let first = expect(&gateway.issuer(token()).await, 200);
    assert_eq!(first["expires_in"], 3_600);
    assert!(!first["access_token"].as_str().expect("a token").contains('.'), "it is opaque");
    assert_eq!(gateway.issuer(register()).await.status(), 404);

    let changed = json!({ "accessTokenLifetime": "5m", "tokenFormat": "jwt", "registration": {}, "audience": "orders" });
    gateway.apply(with_settings(changed)).await.expect("it is right");
    let second = expect(&gateway.issuer(token()).await, 200);
    assert_eq!(second["expires_in"], 300);
    assert!(second["access_token"].as_str().expect("a token").contains('.'), "it is a JSON Web Token");
    for answer in [&first, &second] {
        let response = gateway.send(with(answer)).await;
        assert_eq!(response.status(), 200, "{}", response.text());
    }
    assert_eq!(expect(&gateway.issuer(register()).await, 401)["error"], "invalid_token");
    let told = expect(&gateway.issuer(get("/oauth/.well-known/openid-configuration")).await, 200);
    assert_eq!(told["registration_endpoint"], format!("{ISSUER}/register"));
    let status = gateway.ops("/status").await.text();
    assert!(!status.contains("takes effect with the next start"), "{status}");

    gateway.apply(with_settings(json!({ "grants": ["refreshToken"] }))).await.expect("it is right");
    assert_eq!(expect(&gateway.issuer(token()).await, 400)["error"], "unsupported_grant_type");
    gateway.apply(with_settings(json!({ "signingAlgorithm": "EdDSA" }))).await.expect("it is right");
    let status = gateway.ops("/status").await.text();
    assert!(status.contains("takes effect with the next start"), "{status}");
}

#[tokio::test]
async fn a_node_that_started_without_the_database_issues_and_knows_tokens_when_it_is_back() {
    let upstream = Upstream::echo().start().await;
    let mut postgres = Postgres::start();
    let (base, directory) = on(&postgres);
    let data = directory.path().join("data");
    let key = directory.path().join("key");
    std::fs::write(&key, "0a".repeat(32)).expect("a file");
    let keys = json!({ "keys": [format!("${{file:{}}}", key.display())] });
    let config = config(base, &upstream, json!({}))
        .setting("store.masterKey", keys)
        .setting("dataDirectory", data.display().to_string());
    let gateway = Gateway::serving(config.clone()).await;
    let before = expect(&gateway.issuer(token()).await, 200);
    assert_eq!(gateway.send(with(&before)).await.status(), 200);
    eventually("what is served is written down", async || data.join("snapshot/assets").exists()).await;
    gateway.stop().await;
    postgres.halt();

    let gateway = Gateway::serving(config).await;
    let away = gateway.issuer(token()).await;
    assert_eq!(expect(&away, 503)["error"], "temporarily_unavailable");
    assert!(!away.header("retry-after").is_empty());
    let refused = gateway.send(with(&before)).await;
    assert_eq!(refused.status(), 503, "it may be right: {}", refused.text());
    postgres.resume();
    eventually("tokens are issued", async || gateway.issuer(token()).await.status() == 200).await;
    eventually("and known", async || gateway.send(with(&before)).await.status() == 200).await;
}
