//! Tokens of authorization servers: whose are accepted, and that nobody gets by with another one.

use testkit::{Config, Gateway, IdentityProvider, Request, SECOND, Signer, Upstream, Value, api, get, json};

/// An API `a` whose callers show tokens of a server; client `shop` of that server is application `shop`.
pub fn protected(upstream: &Upstream, server: Value, rule: Value) -> Config {
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

pub fn by_client() -> Value {
    json!({ "type": "oauth2Token" })
}

pub fn with(token: &str) -> Request {
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
        } else {
            assert_eq!(challenge, "", "{what}");
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

#[tokio::test]
async fn a_token_is_looked_for_in_one_place_only() {
    let (upstream, provider) = (Upstream::echo().start().await, IdentityProvider::start().await);
    let gw = Gateway::serving(protected(&upstream, provider.doc("idp"), by_client())).await;
    let token = provider.token(&json!({}));
    for (request, status, code) in [
        (with(&token).header("authorization", "Basic YTpi"), 400, "token_ambiguous"),
        (with(&token).header("authorization", &format!("Bearer {token}")), 400, "token_ambiguous"),
        (get("/a").header("authorization", "Bearer"), 400, "token_ambiguous"),
        (get("/a").header("authorization", "Bearer a b"), 400, "token_ambiguous"),
        (get("/a").header("authorization", &format!("Basic {token}")), 401, "credentials_missing"),
        (get("/a").header("authorization", &token), 401, "credentials_missing"),
        (get(&format!("/a?access_token={token}")), 401, "credentials_missing"),
        (with(&format!("{token}{}", "A".repeat(20_000))), 401, "token_malformed"),
    ] {
        let refused = gw.send(request).await;
        assert_eq!((refused.status(), refused.reason().as_str()), (status, code));
    }
    assert_eq!(upstream.count(), 0);

    let rule = json!({ "type": "oauth2Token", "header": "X-Token", "query": "access_token" });
    gw.apply(protected(&upstream, provider.doc("idp"), rule)).await.expect("a valid configuration");
    let in_query = gw.get(&format!("/a?x=1&access_token={token}")).await;
    assert_eq!(in_query.status(), 200);
    assert_eq!(in_query.json()["path"], "/?x=1", "the upstream does not see it");
    let in_header = gw.send(get("/a").header("x-token", &token)).await;
    assert_eq!(in_header.status(), 200);
    assert!(!in_header.text().contains(&token));
    let both = gw.send(get(&format!("/a?access_token={token}")).header("x-token", &token)).await;
    assert_eq!(both.reason(), "token_ambiguous");
}

#[tokio::test]
async fn claims_identify_by_sets_and_id_tokens_are_no_access_tokens() {
    let (upstream, provider) = (Upstream::text("ok").start().await, IdentityProvider::start().await);
    let mut rule = json!({ "type": "jwtClaims" });
    let gw = Gateway::serving(protected(&upstream, provider.doc("idp"), rule)).await;
    for (claims, status) in [
        (json!({ "tenant": "red", "roles": ["seller", "buyer"] }), 200),
        (json!({ "tenant": "red", "roles": "buyer" }), 200),
        (json!({ "tenant": "red" }), 403),
        (json!({ "tenant": "blue", "roles": "buyer" }), 403),
        (json!({ "tenant": ["red"], "roles": { "buyer": true } }), 403),
    ] {
        assert_eq!(gw.send(with(&provider.token(&claims))).await.status(), status, "{claims}");
    }
    rule = json!({ "type": "openIdClaims" });
    gw.apply(protected(&upstream, provider.doc("idp"), rule)).await.expect("a valid configuration");
    let claims = json!({ "tenant": "red", "roles": "buyer", "at_hash": "x" });
    assert_eq!(gw.send(with(&provider.token(&claims))).await.status(), 200);
    let access = provider.signer().sign(&json!({ "typ": "at+jwt" }), &provider.claims(&claims));
    assert_eq!(gw.send(with(&access)).await.reason(), "token_type");
    for (claims, code) in [
        (json!({ "tenant": "red", "roles": "buyer", "sub": null }), "token_claims"),
        (json!({ "tenant": "red", "roles": "buyer", "aud": ["orders", "x"] }), "token_audience"),
        (json!({ "tenant": "red", "roles": "buyer", "azp": "x" }), "token_audience"),
    ] {
        assert_eq!(gw.send(with(&provider.token(&claims))).await.reason(), code, "{claims}");
    }
}

/// Server `idp`, which is asked about tokens that are none of its own making.
fn asked(provider: &IdentityProvider, secrets: &tempfile::TempDir, more: Value) -> Value {
    let file = secrets.path().join("secret");
    std::fs::write(&file, "top-secret-of-the-gateway").expect("a file that can be written");
    let mut introspection = json!({
        "url": format!("{}/introspect", provider.url()),
        "clientId": "gateway",
        "clientSecret": format!("${{file:{}}}", file.display()),
    });
    for (name, value) in more.as_object().expect("an object") {
        introspection[name] = value.clone();
    }
    json!({ "name": "idp", "audiences": ["orders"], "introspection": introspection })
}

#[tokio::test]
async fn a_token_that_only_its_server_can_read_is_asked_about_and_remembered_for_a_while() {
    let (upstream, provider) = (Upstream::text("ok").start().await, IdentityProvider::start().await);
    let secrets = tempfile::tempdir().expect("a directory");
    let config = protected(&upstream, asked(&provider, &secrets, json!({ "cache": "30s" })), by_client());
    let gw = Gateway::serving(config.one_worker()).await;
    let now = testkit::START.seconds();
    provider
        .knows("opaque-1", json!({ "active": true, "client_id": "shop", "scope": "a b", "exp": now + 100 }));
    let mut client = gw.http1().await;
    for _ in 0..5 {
        assert_eq!(client.send(with("opaque-1")).await.status(), 200);
    }
    assert_eq!(provider.asked(), 1);
    assert_eq!(provider.last().header("authorization"), "Basic Z2F0ZXdheTp0b3Atc2VjcmV0LW9mLXRoZS1nYXRld2F5");

    provider.knows("opaque-1", json!({ "active": false }));
    assert_eq!(client.send(with("opaque-1")).await.status(), 200, "it is remembered");
    gw.advance(SECOND * 30);
    let refused = client.send(with("opaque-1")).await;
    assert_eq!((refused.status(), refused.reason().as_str()), (401, "token_inactive"));
    for (token, answer, code) in [
        ("unknown", json!({ "active": false }), "token_inactive"),
        ("odd", json!({ "active": "true" }), "token_check_unavailable"),
        ("foreign", json!({ "active": true, "client_id": "shop", "aud": "x" }), "token_audience"),
        ("old", json!({ "active": true, "client_id": "shop", "exp": now - 100 }), "token_expired"),
        ("other", json!({ "active": true, "client_id": "other" }), "application_not_identified"),
    ] {
        provider.knows(token, answer);
        assert_eq!(client.send(with(token)).await.reason(), code, "{token}");
    }

    // Requests with the same token wait for one answer.
    provider.set_delay(std::time::Duration::from_millis(100));
    provider.knows("opaque-2", json!({ "active": true, "client_id": "shop" }));
    let before = provider.asked();
    let sent = (0..8).map(|_| gw.send(with("opaque-2")));
    assert!(futures_util::future::join_all(sent).await.iter().all(|answer| answer.status() == 200));
    assert_eq!(provider.asked(), before + 1);
    provider.set_delay(std::time::Duration::ZERO);

    provider.set_down(true);
    let refused = client.send(with("opaque-3")).await;
    assert_eq!((refused.status(), refused.reason().as_str()), (503, "token_check_unavailable"));
    let record = gw.explain(&refused).await;
    assert_eq!(record.calls[0].name, "introspection at idp");
    assert_eq!(client.send(with("opaque-2")).await.status(), 200, "what is remembered goes on");
}

#[tokio::test]
async fn a_verified_token_may_be_confirmed_by_its_server_too() {
    let (upstream, provider) = (Upstream::text("ok").start().await, IdentityProvider::start().await);
    let secrets = tempfile::tempdir().expect("a directory");
    let mut server = asked(&provider, &secrets, json!({ "always": true, "cache": "0s" }));
    server["issuer"] = provider.issuer().into();
    server["jwksUri"] = format!("{}/jwks", provider.url()).into();
    let gw = Gateway::serving(protected(&upstream, server, by_client())).await;
    let token = provider.token(&json!({}));
    provider.knows(&token, json!({ "active": true }));
    assert_eq!(gw.send(with(&token)).await.status(), 200);
    assert_eq!(gw.send(with(&token)).await.status(), 200);
    provider.knows(&token, json!({ "active": false }));
    assert_eq!(gw.send(with(&token)).await.reason(), "token_inactive", "it was revoked");
    let forged = Signer::es256("key-1").sign(&json!({}), &provider.claims(&json!({})));
    assert_eq!(gw.send(with(&forged)).await.reason(), "token_signature");
    assert_eq!(provider.asked(), 3, "nobody is asked about what is wrong anyway");
}

#[tokio::test]
async fn scopes_say_what_a_token_may_call() {
    let (upstream, provider) = (Upstream::text("ok").start().await, IdentityProvider::start().await);
    let mut server = provider.doc("idp");
    server["scopeMapping"] = json!([
        { "scope": "orders.read", "apis": [{ "name": "a", "scope": "reading" }] },
        { "scope": "orders.all", "audience": "orders", "apis": [{ "name": "a", "scope": "reading" }, { "name": "a", "scope": "writing" }] },
    ]);
    let reading = json!({ "name": "reading", "operations": ["GET /x"], "policies": [] });
    let writing = json!({ "name": "writing", "operations": ["POST /x"], "policies": [] });
    let admin = json!([{ "operation": "DELETE /x", "policies": [
        { "type": "requiredScopes", "config": { "scopes": ["admin", "orders.all"] } },
    ] }]);
    let rule = by_client();
    let config = Config::from(
        api("/a", &upstream)
            .operation("GET", "/x")
            .operation("POST", "/x")
            .operation("DELETE", "/x")
            .operation("GET", "/free")
            .with("scopes", json!([reading, writing]))
            .with("operationPolicies", admin)
            .policy("identifyAndAuthorize", json!({ "rules": [rule] })),
    )
    .append("authorizationServers", server)
    .append(
        "applications",
        json!({ "name": "shop", "apis": ["a"], "identifiers": { "clientIds": [{ "id": "shop" }] } }),
    );
    let gw = Gateway::serving(config).await;
    for (scope, method, path, asked_for) in [
        (json!("orders.read other"), "GET", "/a/x", None),
        (json!(["orders.read"]), "GET", "/a/x", None),
        (json!("orders.all"), "GET", "/a/x", None),
        (json!("orders"), "GET", "/a/x", Some("orders.read orders.all")),
        (Value::Null, "GET", "/a/x", Some("orders.read orders.all")),
        (json!("orders.read"), "POST", "/a/x", Some("orders.all")),
        (json!("orders.all"), "POST", "/a/x", None),
        (json!("orders.all"), "DELETE", "/a/x", Some("admin orders.all")),
        (json!("orders.all admin"), "DELETE", "/a/x", None),
        (Value::Null, "GET", "/a/free", None),
    ] {
        let token = provider.token(&json!({ "scope": scope }));
        let request = testkit::request(method, path).header("authorization", &format!("Bearer {token}"));
        let response = gw.send(request).await;
        match asked_for {
            None => assert_eq!(response.status(), 200, "{scope} {method} {path}: {}", response.text()),
            Some(scopes) => {
                assert_eq!(response.reason(), "scope_insufficient", "{scope} {method} {path}");
                assert_eq!(response.status(), 403);
                let challenge = response.header("www-authenticate");
                let expect = format!("error=\"insufficient_scope\", scope=\"{scopes}\"");
                assert!(challenge.starts_with("Bearer ") && challenge.ends_with(&expect), "{challenge}");
            }
        }
    }
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_key_needs_a_fresh_proof() {
    let (upstream, provider) = (Upstream::echo().start().await, IdentityProvider::start().await);
    let gw = Gateway::serving(protected(&upstream, provider.doc("idp"), by_client())).await;
    let (key, other) = (Signer::es256("x"), Signer::es256("x"));
    let thumbprint = {
        let jwk = key.jwk();
        let text = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]);
        testkit::digest_of(text)
    };
    let token = provider.token(&json!({ "cnf": { "jkt": thumbprint } }));
    let host = gw.address().to_string();
    let now = testkit::START.seconds();
    let proof = |signer: &Signer, more: Value| {
        let mut claims = json!({
            "htm": "GET", "htu": format!("http://{host}/a"), "iat": now,
            "jti": format!("{:?}", std::time::Instant::now()), "ath": testkit::digest_of(&token),
        });
        for (name, value) in more.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        signer.sign(&json!({ "typ": "dpop+jwt", "jwk": signer.jwk(), "kid": null }), &claims)
    };
    let send = async |scheme: &str, proof: &str| {
        let request = get("/a?x=1").header("authorization", &format!("{scheme} {token}"));
        gw.send(if proof.is_empty() { request } else { request.header("dpop", proof) }).await
    };
    let good = proof(&key, json!({}));
    let response = send("DPoP", &good).await;
    assert_eq!(response.status(), 200, "{}", gw.explain(&response).await.detail);
    assert!(!response.text().contains("dpop"), "the proof ends here: {}", response.text());
    for (what, scheme, proof, code) in [
        ("the same again", "DPoP", good, "token_proof"),
        ("none", "DPoP", String::new(), "token_proof"),
        ("as a bearer token", "Bearer", proof(&key, json!({})), "token_not_bound"),
        ("another key", "DPoP", proof(&other, json!({})), "token_proof"),
        ("another method", "DPoP", proof(&key, json!({ "htm": "POST" })), "token_proof"),
        ("another path", "DPoP", proof(&key, json!({ "htu": format!("http://{host}/b") })), "token_proof"),
        ("another host", "DPoP", proof(&key, json!({ "htu": "http://evil.example/a" })), "token_proof"),
        ("another token", "DPoP", proof(&key, json!({ "ath": testkit::digest_of("x") })), "token_proof"),
        ("old", "DPoP", proof(&key, json!({ "iat": now - 60 })), "token_proof"),
        ("no name", "DPoP", proof(&key, json!({ "jti": "" })), "token_proof"),
        ("no proof at all", "DPoP", key.sign(&json!({ "jwk": key.jwk() }), &json!({})), "token_proof"),
    ] {
        let refused = send(scheme, &proof).await;
        assert_eq!((refused.status(), refused.reason().as_str()), (401, code), "{what}");
    }
    let unbound = provider.token(&json!({}));
    let request =
        get("/a").header("authorization", &format!("DPoP {unbound}")).header("dpop", &proof(&key, json!({})));
    assert_eq!(gw.send(request).await.reason(), "token_not_bound");
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn an_encrypted_token_counts_when_what_is_inside_is_signed() {
    let (upstream, provider) = (Upstream::text("ok").start().await, IdentityProvider::start().await);
    let secrets = tempfile::tempdir().expect("a directory");
    let file = secrets.path().join("key");
    let key = [9_u8; 32];
    std::fs::write(&file, r#"{"kty":"oct","k":"CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk"}"#)
        .expect("a file");
    let mut server = provider.doc("idp");
    server["decryption"] = json!([{ "key": format!("${{file:{}}}", file.display()) }]);
    let gw = Gateway::serving(protected(&upstream, server, by_client())).await;
    let token = provider.token(&json!({}));
    assert_eq!(gw.send(with(&testkit::encrypt(&token, &key))).await.status(), 200);
    let forged = Signer::es256("key-1").sign(&json!({}), &provider.claims(&json!({})));
    for (token, code) in [
        (testkit::encrypt(&token, &[8; 32]), "token_signature"),
        (testkit::encrypt(&forged, &key), "token_signature"),
        (testkit::encrypt(&provider.claims(&json!({})).to_string(), &key), "token_algorithm"),
        (testkit::encrypt(&testkit::encrypt(&token, &key), &key), "token_algorithm"),
    ] {
        assert_eq!(gw.send(with(&token)).await.reason(), code);
    }
}

#[tokio::test]
async fn of_several_servers_each_stands_for_its_own_tokens() {
    let upstream = Upstream::text("ok").start().await;
    let (one, two) = (IdentityProvider::start().await, IdentityProvider::start().await);
    let identify = json!({ "rules": [by_client()] });
    let client = |server: &str| json!({ "clientIds": [{ "id": "shop", "server": server }] });
    let config = Config::from(api("/a", &upstream).policy("identifyAndAuthorize", identify))
        .append("authorizationServers", one.doc("one"))
        .append("authorizationServers", two.doc("two"))
        .append("applications", json!({ "name": "shop-1", "apis": ["a"], "identifiers": client("one") }))
        .append("applications", json!({ "name": "shop-2", "apis": ["a"], "identifiers": client("two") }));
    let gw = Gateway::serving(config).await;
    for (provider, application, note) in
        [(&one, "shop-1", "token of one"), (&two, "shop-2", "token of two (one: it is of another issuer")]
    {
        let token = provider.token(&json!({}));
        let record = gw.explain(&gw.send(with(&token)).await).await;
        assert_eq!(record.application.as_deref(), Some(application));
        let text = serde_json::to_string(&record).expect("JSON");
        assert!(text.contains(note) && !text.contains(&token), "{text}");
    }
    // The key of one server signs nothing for the other.
    let mixed = one.signer().sign(&json!({}), &two.claims(&json!({})));
    let refused = gw.send(with(&mixed)).await;
    assert_eq!(refused.reason(), "token_signature");
    let record = gw.explain(&refused).await;
    assert!(record.detail.contains("one: it is of another issuer"), "{}", record.detail);
    assert!(record.detail.contains("two: its signature"), "{}", record.detail);
}

#[tokio::test]
async fn no_token_and_no_secret_is_told_anywhere() {
    let (upstream, provider) = (Upstream::text("ok").start().await, IdentityProvider::start().await);
    let secrets = tempfile::tempdir().expect("a directory");
    let log = secrets.path().join("access.log");
    let mut server = asked(&provider, &secrets, json!({ "always": true }));
    server["issuer"] = provider.issuer().into();
    server["jwksUri"] = format!("{}/jwks", provider.url()).into();
    let rule = json!({ "type": "oauth2Token", "query": "access_token" });
    let config = protected(&upstream, server, rule).setting("accessLog.path", log.to_str().expect("a path"));
    let gw = Gateway::serving(config).await;
    let (good, bad) = (provider.token(&json!({})), provider.token(&json!({ "aud": "x" })));
    let opaque = "opaque-token-of-somebody";
    provider.knows(&good, json!({ "active": true }));
    let mut told = String::new();
    let mut requests = Vec::new();
    for token in [&*good, &*bad, opaque, &format!("{good}x"), &good[..good.len() - 4]] {
        requests.push(with(token));
        requests.push(get(&format!("/a?access_token={token}")));
        requests.push(
            get(&format!("/a?access_token={token}")).header("authorization", &format!("Bearer {token}")),
        );
        requests.push(with(token).header("dpop", token));
    }
    for request in requests {
        let response = gw.send(request).await;
        told += &response.text();
        told += &serde_json::to_string(&gw.explain(&response).await).expect("JSON");
    }
    told += &serde_json::to_string(&gw.events("").await).expect("JSON");
    for page in ["/status", "/metrics", "/events"] {
        told += &gw.ops(page).await.text();
    }
    gw.stop().await;
    told += &std::fs::read_to_string(&log).expect("an access log");
    // The signature, the payload, and what the gateway shows the server.
    for part in good.split('.').skip(1).chain(bad.split('.').skip(1)) {
        assert!(!told.contains(&part[..20]), "{part} is told");
    }
    for secret in [opaque, "top-secret-of-the-gateway", "Z2F0ZXdheTp0b3At"] {
        assert!(!told.contains(secret), "{secret} is told");
    }
    assert!(told.contains("token_audience") && told.contains("token of idp"), "{told:.2000}");
}
