//! Tokens of authorization servers: whose are accepted, and that nobody gets by with another one.

use testkit::{Config, Gateway, IdentityProvider, Request, SECOND, Signer, Upstream, Value, api, get, json};

/// An API `a` whose callers show tokens of a server; client `shop` of that server is application `shop`.
fn protected(upstream: &Upstream, server: Value, rule: Value) -> Config {
    let identify = json!({ "rules": [rule] });
    Config::from(api("/a", upstream).policy("identifyAndAuthorize", identify))
        .append("authorizationServers", server)
        .append(
            "applications",
            json!({
                "name": "shop",
                "apis": ["a"],
                "identifiers": { "clientIds": [{ "id": "shop" }], "claims": [{ "tenant": "red", "roles": "buyer" }] },
            }),
        )
}

fn by_client() -> Value {
    json!({ "type": "oauth2Token" })
}

fn with(token: &str) -> Request {
    get("/a").header("authorization", &format!("Bearer {token}"))
}

#[tokio::test]
async fn a_token_of_the_server_identifies_its_client_and_no_other_one_does() {
    let (upstream, provider) = (Upstream::echo().start().await, IdentityProvider::start().await);
    let gw = Gateway::serving(protected(&upstream, provider.doc("idp"), by_client())).await;
    let token = provider.token(&json!({}));
    for _ in 0..3 {
        let response = gw.send(with(&token)).await;
        assert_eq!(response.status(), 200, "{}", response.text());
        assert!(!response.text().contains(&token), "the upstream does not see the token");
        let record = gw.explain(&response).await;
        assert_eq!(record.application.as_deref(), Some("shop"));
    }
    assert_eq!(provider.key_fetches(), 1);

    let other = Signer::es256("key-1");
    let shared = Signer::hs256("key-1", provider.signer().jwk().to_string());
    let mut none = provider.signer().sign(&json!({ "alg": "none" }), &provider.claims(&json!({})));
    none.truncate(none.rfind('.').expect("a dot") + 1);
    let now = testkit::START.seconds();
    for (what, token, code) in [
        ("another key of that name", other.sign(&json!({}), &provider.claims(&json!({}))), "token_signature"),
        ("none", none, "token_algorithm"),
        ("a secret that is public", shared.sign(&json!({}), &provider.claims(&json!({}))), "token_algorithm"),
        ("another issuer", provider.token(&json!({ "iss": "https://evil.example" })), "token_issuer"),
        ("no issuer", provider.token(&json!({ "iss": null })), "token_issuer"),
        ("another audience", provider.token(&json!({ "aud": ["x"] })), "token_audience"),
        ("no audience", provider.token(&json!({ "aud": null })), "token_audience"),
        ("expired", provider.token(&json!({ "exp": now - 60 })), "token_expired"),
        ("no end", provider.token(&json!({ "exp": null })), "token_claims"),
        ("not yet", provider.token(&json!({ "nbf": now + 61 })), "token_not_yet_valid"),
        ("from the future", provider.token(&json!({ "iat": now + 61 })), "token_not_yet_valid"),
        ("an ID token", provider.token(&json!({ "at_hash": "x" })), "token_type"),
        ("a refresh token", provider.token(&json!({ "typ": "Refresh" })), "token_type"),
        ("bound to what nobody knows", provider.token(&json!({ "cnf": { "kid": "x" } })), "token_not_bound"),
        ("bound to a certificate", provider.token(&json!({ "cnf": { "x5t#S256": "x" } })), "token_not_bound"),
        ("an opaque one", "AAAAAAAAAAAAAAAA".to_owned(), "token_malformed"),
        ("another client", provider.token(&json!({ "client_id": "other" })), "application_not_identified"),
        ("no client", provider.token(&json!({ "client_id": null })), "application_not_identified"),
    ] {
        let refused = gw.send(with(&token)).await;
        assert_eq!(refused.reason(), code, "{what}: {}", gw.explain(&refused).await.detail);
        let challenge = refused.header("www-authenticate").to_owned();
        if refused.status() == 401 {
            assert!(challenge.contains("error=\"invalid_token\""), "{what}: {challenge}");
        }
    }
    assert_eq!(upstream.count(), 3);
    let refused = gw.get("/a").await;
    assert_eq!((refused.status(), refused.reason().as_str()), (401, "credentials_missing"));
    assert_eq!(refused.header("www-authenticate"), "Bearer realm=\"a\"");

    gw.advance(SECOND * 359);
    assert_eq!(gw.send(with(&token)).await.status(), 200, "the clocks may differ by a minute");
    gw.advance(SECOND);
    assert_eq!(gw.send(with(&token)).await.reason(), "token_expired");
}
