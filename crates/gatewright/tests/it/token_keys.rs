//! Keys of authorization servers: exchanged, late, missing, written down; and servers that are written down wrongly.

use testkit::{Authority, Config, Gateway, IdentityProvider, SECOND, Signer, Upstream, Value, api, json};

use crate::tokens::{by_client, protected, with};

#[tokio::test]
async fn keys_are_exchanged_without_a_failed_request() {
    let (upstream, provider) = (Upstream::text("ok").start().await, IdentityProvider::start().await);
    let gw = Gateway::serving(protected(&upstream, provider.doc("idp"), by_client())).await;
    let before = provider.token(&json!({}));
    assert_eq!(gw.send(with(&before)).await.status(), 200);
    for id in ["key-2", "key-3"] {
        provider.add_key(Signer::eddsa(id));
        // Several at once, on both workers, all with the new key.
        let tokens: Vec<String> = (0..8).map(|n| provider.token(&json!({ "jti": n }))).collect();
        let sent = tokens.iter().map(|token| gw.send(with(token)));
        for response in futures_util::future::join_all(sent).await {
            assert_eq!(response.status(), 200, "{}", response.text());
        }
        assert_eq!(gw.send(with(&before)).await.status(), 200);
        gw.advance(SECOND * 10);
    }
    assert_eq!(provider.key_fetches(), 3);

    // A key that is no longer published verifies nothing any more, not even what it has verified before.
    provider.publish(vec![provider.signer().published()]);
    assert_eq!(gw.send(with(&before)).await.status(), 200, "nobody knows yet");
    gw.advance(SECOND * 200);
    let other = Signer::es256("key-9").sign(&json!({}), &provider.claims(&json!({})));
    assert_eq!(gw.send(with(&other)).await.reason(), "token_signature");
    assert_eq!(gw.send(with(&before)).await.reason(), "token_signature");
}

#[tokio::test]
async fn ten_thousand_unknown_keys_are_fetched_a_handful_of_times() {
    let (upstream, provider) = (Upstream::text("ok").start().await, IdentityProvider::start().await);
    let gw = Gateway::serving(protected(&upstream, provider.doc("idp"), by_client())).await;
    let token = provider.token(&json!({}));
    assert_eq!(gw.send(with(&token)).await.status(), 200);
    let claims = provider.claims(&json!({}));
    let signer = provider.signer();
    let (mut client, mut refused) = (gw.http1().await, 0);
    for id in 0..10_000 {
        let token = signer.sign(&json!({ "kid": format!("unknown-{id}") }), &claims);
        let answer = client.send(with(&token)).await;
        refused += usize::from(answer.reason() == "token_signature");
        if id % 2_500 == 0 {
            gw.advance(SECOND * 4);
        }
    }
    assert_eq!(refused, 10_000);
    assert!(provider.key_fetches() <= 4, "{} fetches", provider.key_fetches());
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn a_server_that_is_down_stops_neither_the_start_nor_what_is_known() {
    let (upstream, provider) = (Upstream::text("ok").start().await, IdentityProvider::start().await);
    provider.set_down(true);
    let gw = Gateway::serving(protected(&upstream, provider.doc("idp"), by_client())).await;
    let token = provider.token(&json!({ "exp": testkit::START.seconds() + 100_000 }));
    let refused = gw.send(with(&token)).await;
    assert_eq!((refused.status(), refused.reason().as_str()), (503, "token_check_unavailable"));
    assert_eq!(refused.header("retry-after"), "1");
    let status = gw.ops("/status").await.json();
    let server = &status["authorizationServers"][0];
    assert!(server["problem"].as_str().is_some_and(|text| text.contains("503")), "{server}");
    assert_eq!(server["keys"], 0);

    provider.set_down(false);
    gw.advance(SECOND * 31);
    assert_eq!(gw.send(with(&token)).await.status(), 200);
    provider.set_down(true);
    let failed = async || gw.ops("/status").await.json()["authorizationServers"][0]["failing"] != 0;
    gw.advance(SECOND * 3_601);
    testkit::eventually("a failure", failed).await;
    let again = provider.token(&json!({ "exp": testkit::START.seconds() + 100_000, "jti": "b" }));
    assert_eq!(gw.send(with(&again)).await.status(), 200, "the keys that are known go on being used");
    let metrics = gw.ops("/metrics").await.text();
    assert!(metrics.contains("gatewright_token_keys{server=\"idp\"} 1"), "{metrics}");
    assert!(metrics.contains("gatewright_token_key_fetches_failed_total{server=\"idp\"}"), "{metrics}");
}

#[tokio::test]
async fn a_request_waits_for_the_keys_of_a_slow_server() {
    let (upstream, provider) = (Upstream::text("ok").start().await, IdentityProvider::start().await);
    provider.set_delay(std::time::Duration::from_millis(200));
    let gw = Gateway::serving(protected(&upstream, provider.doc("idp"), by_client())).await;
    assert_eq!(gw.send(with(&provider.token(&json!({})))).await.status(), 200);
}

#[tokio::test]
async fn a_changed_server_forgets_tokens_and_keeps_its_keys() {
    let (upstream, provider) = (Upstream::text("ok").start().await, IdentityProvider::start().await);
    let gw = Gateway::serving(protected(&upstream, provider.doc("idp"), by_client())).await;
    let token = provider.token(&json!({}));
    assert_eq!(gw.send(with(&token)).await.status(), 200);
    provider.set_down(true);
    let mut doc = provider.doc("idp");
    doc["audiences"] = json!(["invoices"]);
    gw.apply(protected(&upstream, doc, by_client())).await.expect("a valid configuration");
    assert_eq!(gw.send(with(&token)).await.reason(), "token_audience");
    let other = provider.token(&json!({ "aud": ["x", "invoices"] }));
    assert_eq!(gw.send(with(&other)).await.status(), 200, "its keys are still known");
}

#[tokio::test]
async fn keys_may_be_written_down() {
    let upstream = Upstream::text("ok").start().await;
    let signer = Signer::es256("written");
    let now = testkit::START.seconds();
    let claims = json!({ "iss": "https://idp", "aud": "orders", "azp": "shop", "exp": now + 60 });
    let token = signer.sign(&json!({}), &claims);
    for (keys, status) in [
        (json!({ "jwks": { "keys": [signer.published()] } }), 200),
        (json!({ "certificateFile": "keys.pem" }), 200),
        (json!({ "jwks": { "keys": [Signer::es256("written").published()] } }), 401),
        (json!({ "jwks": { "keys": [signer.published()] }, "algorithms": ["EdDSA"] }), 401),
        (json!({ "jwks": { "keys": [signer.published()] }, "types": ["at+jwt"] }), 401),
        (json!({ "jwks": { "keys": [signer.published()] }, "maxAge": "1m" }), 401),
    ] {
        let mut server = json!({ "name": "idp", "issuer": "https://idp", "audiences": ["orders"] });
        for (name, value) in keys.as_object().expect("an object") {
            server[name] = value.clone();
        }
        let config = protected(&upstream, server, by_client()).file("keys.pem", signer.pem());
        let gw = Gateway::serving(config).await;
        assert_eq!(gw.send(with(&token)).await.status(), status, "{keys}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_server_is_told_with_its_path() {
    let upstream = Upstream::text("ok").start().await;
    let jwk = Signer::es256("a").published();
    let written = json!({ "keys": [jwk] });
    let secret = json!({ "keys": [{ "kty": "oct", "k": "c2VjcmV0LXRoYXQtaXMtbm90LXRvbGQ" }] });
    for (more, path, problem) in [
        (json!({ "audiences": [] }), "audiences", "anybody"),
        (json!({ "anyAudience": true }), "anyAudience", "`audiences`"),
        (json!({ "issuer": null }), "", "nothing says how tokens are checked"),
        (json!({ "issuer": null, "jwks": written }), "issuer", "missing"),
        (json!({ "issuer": "not a url" }), "issuer", "URL"),
        (json!({ "discovery": "ftp://idp" }), "discovery", "URL"),
        (json!({ "jwksUri": "https://user:word@idp" }), "jwksUri", "without user"),
        (json!({ "jwksUri": "https://idp/k", "discovery": "https://idp/d" }), "jwksUri", "both"),
        (json!({ "jwksUri": "https://idp/k", "jwks": written }), "", "both"),
        (json!({ "jwks": {} }), "jwks", "list `keys`"),
        (json!({ "jwks": secret }), "jwks", "secret"),
        (json!({ "certificateFile": "none.pem" }), "certificateFile", "none.pem"),
        (json!({ "certificateFile": "bad.pem" }), "certificateFile", "no certificate"),
        (json!({ "algorithms": ["HS256"] }), "algorithms[0]", "never used as a secret"),
        (json!({ "algorithms": ["none"] }), "algorithms[0]", "none"),
        (json!({ "secret": "in clear" }), "secret", "reference"),
        (json!({ "clockSkew": "11m" }), "clockSkew", "10m"),
        (json!({ "keyRefresh": "10s" }), "keyRefresh", "1m"),
        (json!({ "maxAge": "0s" }), "maxAge", "younger"),
        (json!({ "provider": "other" }), "provider", "other"),
        (
            json!({ "scopes": [{ "name": "read" }], "scopeMapping": [{ "scope": "raed", "apis": [{ "name": "a" }] }] }),
            "scopeMapping[0].scope",
            "did you mean `read`",
        ),
        (
            json!({ "scopeMapping": [{ "scope": "read", "apis": [{ "name": "b" }] }] }),
            "scopeMapping[0].apis[0].name",
            "no API",
        ),
        (
            json!({ "scopeMapping": [{ "scope": "read", "apis": [{ "name": "a", "scope": "x" }] }] }),
            "scopeMapping[0].apis[0].scope",
            "none of the `scopes`",
        ),
        (
            json!({ "scopeMapping": [{ "scope": "read", "apis": [] }] }),
            "scopeMapping[0].apis",
            "at least one",
        ),
        (json!({ "tls": { "caFile": "none.pem" } }), "tls", "none.pem"),
    ] {
        let mut server = json!({ "name": "idp", "issuer": "https://idp", "audiences": ["orders"] });
        for (name, value) in more.as_object().expect("an object") {
            match value {
                Value::Null => drop(server.as_object_mut().expect("an object").remove(name)),
                value => server[name] = value.clone(),
            }
        }
        let config = protected(&upstream, server, by_client()).file("bad.pem", "nothing");
        let error =
            Gateway::start(config).await.err().unwrap_or_else(|| panic!("{more} is accepted")).to_string();
        let place = if path.is_empty() {
            "authorizationServers[0]".to_owned()
        } else {
            format!("authorizationServers[0].{path}")
        };
        assert!(error.contains(&place) && error.contains(problem), "{more}: {error}");
        assert!(!error.contains("c2VjcmV0") && !error.contains("in clear"), "{error}");
    }
    let provider = json!({ "name": "idp", "issuer": "https://idp", "audiences": ["orders"] });
    let rule = json!({ "type": "oauth2Token", "servers": ["ipd"] });
    let error =
        Gateway::start(protected(&upstream, provider.clone(), rule)).await.err().expect("it is wrong");
    assert!(error.to_string().contains("did you mean `idp`"), "{error}");
    let two = protected(&upstream, provider.clone(), by_client()).append(
        "authorizationServers",
        json!({ "name": "two", "issuer": "https://two", "audiences": ["x"] }),
    );
    let error = Gateway::start(two).await.err().expect("it is wrong").to_string();
    assert!(error.contains("applications[0].identifiers.clientIds[0].server"), "{error}");
    let none =
        Config::from(api("/a", &upstream).policy("identifyAndAuthorize", json!({ "rules": [by_client()] })));
    let error = Gateway::start(none).await.err().expect("it is wrong").to_string();
    assert!(error.contains("apis[0].policies[0].config.rules[0].servers"), "{error}");
}

#[tokio::test]
async fn keys_are_fetched_over_tls_from_an_authority_that_is_named() {
    let (upstream, authority) = (Upstream::text("ok").start().await, Authority::new());
    let identity = authority.issue(&["127.0.0.1"]);
    let provider = IdentityProvider::with_tls(identity.server(&[], None)).await;
    let mut server = provider.doc("idp");
    let token = provider.token(&json!({}));
    let strange = Gateway::serving(protected(&upstream, server.clone(), by_client())).await;
    assert_eq!(strange.send(with(&token)).await.reason(), "token_check_unavailable");
    assert_eq!(provider.key_fetches(), 0);
    server["tls"] = json!({ "caFile": "ca.pem" });
    let config = protected(&upstream, server, by_client()).file("ca.pem", authority.pem());
    let gw = Gateway::serving(config).await;
    assert_eq!(gw.send(with(&token)).await.status(), 200);
    assert_eq!(provider.key_fetches(), 1);
}
