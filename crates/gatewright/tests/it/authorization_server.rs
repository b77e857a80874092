//! The authorization server inside: who gets which tokens, what they are good for at APIs, and that they end when they
//! should.

use testkit::{
    Admin, Config, Gateway, MINUTE, Postgres, Request, Response, SECOND, START, Signer, Upstream, Value, api,
    body, config::hash, eventually, get, json, request,
};

use crate::manager::{code, expect, managed, on};

const SECRET: &str = "a-long-random-secret-of-the-shop-0123456789";

/// An API `a` whose callers show tokens that were issued inside; client `shop` is application `shop`.
fn protected(config: Config, upstream: &Upstream, signer: &Signer) -> Config {
    let mut jwk = signer.jwk();
    jwk["kid"] = "key-1".into();
    let client = |id: &str, rest: Value| {
        let mut client =
            json!({ "id": id, "secrets": [{ "hash": hash(SECRET) }], "scopes": ["read", "write"] });
        for (name, value) in rest.as_object().expect("an object") {
            client[name] = value.clone();
        }
        client
    };
    let people = json!(["password", "refreshToken"]);
    config
        .setting(
            "authorizationServer",
            json!({
                "issuer": "https://id.example/oauth",
                "address": "127.0.0.1:0",
                "signingAlgorithm": "ES256",
                "grants": ["clientCredentials", "refreshToken", "password"],
            }),
        )
        .append("authorizationServers", json!({ "name": "local", "internal": true }))
        .append(
            "applications",
            json!({ "name": "shop", "apis": ["a"], "oauthClients": [
                client("shop", json!({})),
                client("shop-jwt", json!({ "tokenFormat": "jwt" })),
                client("forever", json!({ "accessTokenLifetime": "never" })),
                client("people", json!({ "grantTypes": people })),
                client("twice", json!({ "grantTypes": people, "refreshLimit": 2 })),
                { "id": "signs", "authentication": "privateKeyJwt", "jwks": { "keys": [jwk] } },
            ]}),
        )
        .append(
            "applications",
            json!({ "name": "closed", "suspended": true, "oauthClients": [client("closed", json!({}))] }),
        )
        .api(
            api("/a", upstream)
                .policy("identifyAndAuthorize", json!({ "rules": [{ "type": "oauth2Token" }] })),
        )
}

async fn started() -> (Gateway, Upstream, Signer) {
    let (upstream, signer) = (Upstream::echo().start().await, Signer::es256("key-1"));
    let gateway = Gateway::serving(protected(managed(), &upstream, &signer)).await;
    (gateway, upstream, signer)
}

fn form(path: &str, fields: &str) -> Request {
    request("POST", &format!("/oauth{path}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body::full(fields.to_owned()))
}

/// What the token endpoint answers a client.
async fn ask(gateway: &Gateway, client: &str, fields: &str) -> Response {
    gateway.issuer(form("/token", fields).basic(client, SECRET)).await
}

async fn issued(gateway: &Gateway, client: &str, fields: &str) -> Value {
    let response = ask(gateway, client, fields).await;
    assert_eq!(response.header("cache-control"), "no-store");
    expect(&response, 200)
}

fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer[name].as_str().unwrap_or_else(|| panic!("{name} is missing in {answer}"))
}

const OWN: &str = "grant_type=client_credentials";

fn with(token: &str) -> Request {
    get("/a").header("authorization", &format!("Bearer {token}"))
}

async fn introspected(gateway: &Gateway, token: &str) -> Value {
    expect(&gateway.issuer(form("/introspect", &format!("token={token}")).basic("shop", SECRET)).await, 200)
}

async fn revoked(gateway: &Gateway, client: &str, token: &str) {
    let response = gateway.issuer(form("/revoke", &format!("token={token}")).basic(client, SECRET)).await;
    assert_eq!(response.status(), 200, "{}", response.text());
}

async fn with_user(gateway: &Gateway) -> Admin {
    let admin = gateway.administrator();
    expect(&admin.post("/users", &json!({ "name": "ada" })).await, 201);
    let password = json!({ "password": "correct horse battery" });
    let put = admin.send(testkit::json_request("PUT", "/users/ada/password", &password)).await;
    assert!(put.status() < 300, "{}", put.text());
    admin
}

const ADA: &str = "grant_type=password&username=ada&password=correct+horse+battery&scope=read+write";

#[tokio::test]
async fn a_token_that_was_issued_inside_identifies_its_application_until_it_is_revoked_or_expires() {
    let (gateway, upstream, _) = started().await;
    for client in ["shop", "shop-jwt"] {
        let answer = issued(&gateway, client, &format!("{OWN}&scope=read")).await;
        let token = text(&answer, "access_token");
        assert_eq!(
            (&answer["token_type"], &answer["expires_in"], &answer["scope"], answer.get("refresh_token")),
            (&json!("Bearer"), &json!(3_600), &json!("read"), None)
        );
        for _ in 0..2 {
            let response = gateway.send(with(token)).await;
            assert_eq!(response.status(), 200, "{client}: {}", response.text());
            assert_eq!(gateway.explain(&response).await.application.as_deref(), Some("shop"));
        }
        let known = introspected(&gateway, token).await;
        assert_eq!(
            (&known["active"], &known["client_id"], &known["scope"], &known["iss"]),
            (&json!(true), &json!(client), &json!("read"), &json!("https://id.example/oauth"))
        );
        let other = issued(&gateway, client, OWN).await;
        revoked(&gateway, client, token).await;
        let refused = gateway.send(with(token)).await;
        assert_eq!((refused.status(), refused.reason().as_str()), (401, "token_inactive"), "{client}");
        assert_eq!(introspected(&gateway, token).await, json!({ "active": false }));
        assert_eq!(
            gateway.send(with(text(&other, "access_token"))).await.status(),
            200,
            "another one goes on"
        );
    }
    for made_up in ["gwa_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "x"] {
        assert_eq!(gateway.send(with(made_up)).await.reason(), "token_inactive");
        assert_eq!(introspected(&gateway, made_up).await, json!({ "active": false }));
        revoked(&gateway, "shop", made_up).await;
    }
    let forever = issued(&gateway, "forever", OWN).await;
    assert_eq!(forever.get("expires_in"), None);
    let opaque = issued(&gateway, "shop", OWN).await;
    let jwt = issued(&gateway, "shop-jwt", OWN).await;
    gateway.advance(MINUTE * 62);
    for ended in [&opaque, &jwt] {
        assert_eq!(gateway.send(with(text(ended, "access_token"))).await.reason(), "token_expired");
        assert_eq!(introspected(&gateway, text(ended, "access_token")).await["active"], false);
    }
    assert_eq!(gateway.send(with(text(&forever, "access_token"))).await.status(), 200);
    assert_eq!(upstream.count(), 7);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_for_a_token_has_a_code_of_oauth() {
    let (gateway, _upstream, _) = started().await;
    for (client, fields, status, wanted) in [
        ("shop", "", 400, "invalid_request"),
        ("shop", "grant_type=", 400, "invalid_request"),
        ("shop", "grant_type=client_credentials&grant_type=client_credentials", 400, "invalid_request"),
        ("shop", "grant_type=client_credentials&scope=%ff", 400, "invalid_request"),
        ("shop", "grant_type=implicit", 400, "unsupported_grant_type"),
        ("shop", "grant_type=password&username=ada&password=x", 400, "unauthorized_client"),
        ("people", OWN, 400, "unauthorized_client"),
        ("shop", "grant_type=client_credentials&scope=admin", 400, "invalid_scope"),
        ("shop", "grant_type=client_credentials&scope=read+admin", 400, "invalid_scope"),
        ("shop", "grant_type=client_credentials&client_id=people", 400, "invalid_request"),
        ("shop", "grant_type=client_credentials&client_secret=x", 400, "invalid_request"),
        ("nobody", OWN, 401, "invalid_client"),
        ("closed", OWN, 401, "invalid_client"),
        ("signs", OWN, 401, "invalid_client"),
        ("people", "grant_type=password&username=ada", 400, "invalid_request"),
        ("people", "grant_type=password&username=ada&password=wrong", 400, "invalid_grant"),
        ("people", "grant_type=refresh_token", 400, "invalid_request"),
        ("people", "grant_type=refresh_token&refresh_token=gwr_x", 400, "invalid_grant"),
    ] {
        let response = ask(&gateway, client, fields).await;
        let answer = expect(&response, status);
        assert_eq!(answer["error"], wanted, "{client}: {fields}: {answer}");
        assert_eq!(response.header("cache-control"), "no-store");
        assert_eq!(response.header("www-authenticate").starts_with("Basic"), status == 401, "{fields}");
    }
    let wrong = gateway.issuer(form("/token", OWN).basic("shop", "wrong")).await;
    assert_eq!(expect(&wrong, 401)["error"], "invalid_client");
    for (request, status, wanted) in [
        (form("/token", OWN), 401, "invalid_client"),
        (form("/token", &format!("{OWN}&client_id=shop")), 401, "invalid_client"),
        (form("/token", &format!("{OWN}&client_id=shop&client_secret=wrong")), 401, "invalid_client"),
        (form("/introspect", "token=x"), 401, "invalid_client"),
        (form("/introspect", "").basic("shop", SECRET), 400, "invalid_request"),
        (form("/revoke", "token=x"), 401, "invalid_client"),
        (form("/revoke", "").basic("shop", SECRET), 400, "invalid_request"),
    ] {
        assert_eq!(expect(&gateway.issuer(request).await, status)["error"], wanted);
    }
    let posted = form("/token", &format!("{OWN}&client_id=shop&client_secret={SECRET}"));
    let token = expect(&gateway.issuer(posted).await, 200);
    // Neither a query nor JSON is a form, and questions are not asked with GET.
    let json =
        request("POST", "/oauth/token").header("content-type", "application/json").basic("shop", SECRET);
    assert_eq!(expect(&gateway.issuer(json.body(body::full("{}"))).await, 400)["error"], "invalid_request");
    for path in ["/oauth/token", "/oauth/introspect?token=x", "/oauth/revoke"] {
        assert_eq!(gateway.issuer(get(path).basic("shop", SECRET)).await.status(), 405, "{path}");
    }
    assert_eq!(gateway.issuer(get("/api/v1/whoami")).await.status(), 404, "the admin API is somewhere else");
    let foreign = form("/revoke", &format!("token={}", text(&token, "access_token"))).basic("people", SECRET);
    assert_eq!(expect(&gateway.issuer(foreign).await, 400)["error"], "unauthorized_client");
    assert_eq!(gateway.send(with(text(&token, "access_token"))).await.status(), 200);
}

#[tokio::test]
async fn a_refresh_token_is_good_for_once_and_a_second_time_ends_all_that_came_from_it() {
    let (gateway, _upstream, _) = started().await;
    with_user(&gateway).await;
    let refresh = async |client: &str, token: &str, rest: &str| {
        ask(&gateway, client, &format!("grant_type=refresh_token&refresh_token={token}{rest}")).await
    };
    let first = issued(&gateway, "people", ADA).await;
    assert_eq!(introspected(&gateway, text(&first, "access_token")).await["username"], "ada");
    assert_eq!(
        introspected(&gateway, text(&first, "refresh_token")).await,
        json!({ "active": false }),
        "it is nobody's business but the client's"
    );
    let wider = refresh("people", text(&first, "refresh_token"), "&scope=read+admin").await;
    assert_eq!(expect(&wider, 400)["error"], "invalid_scope");
    let foreign = refresh("twice", text(&first, "refresh_token"), "").await;
    assert_eq!(expect(&foreign, 400)["error"], "invalid_grant");
    let second = expect(&refresh("people", text(&first, "refresh_token"), "&scope=read").await, 200);
    assert_eq!(second["scope"], "read");
    let third = expect(&refresh("people", text(&second, "refresh_token"), "").await, 200);
    assert_eq!(third["scope"], "read write", "narrower once is not narrower for ever");
    assert_eq!(gateway.send(with(text(&third, "access_token"))).await.status(), 200);

    let again = refresh("people", text(&first, "refresh_token"), "").await;
    assert_eq!(expect(&again, 400)["error"], "invalid_grant");
    for answer in [&first, &second, &third] {
        assert_eq!(gateway.send(with(text(answer, "access_token"))).await.reason(), "token_inactive");
    }
    let last = refresh("people", text(&third, "refresh_token"), "").await;
    assert_eq!(expect(&last, 400)["error"], "invalid_grant");

    let mut answer = issued(&gateway, "twice", ADA).await;
    for _ in 0..2 {
        answer = expect(&refresh("twice", text(&answer, "refresh_token"), "").await, 200);
    }
    assert_eq!(answer.get("refresh_token"), None, "the limit is reached");
}

#[tokio::test]
async fn tokens_of_a_user_end_with_the_user() {
    let (gateway, _upstream, _) = started().await;
    let admin = with_user(&gateway).await;
    let before = issued(&gateway, "people", ADA).await;
    assert_eq!(gateway.send(with(text(&before, "access_token"))).await.status(), 200);
    assert!(admin.delete("/users/ada").await.status() < 300);
    eventually("it is refused", async || {
        gateway.send(with(text(&before, "access_token"))).await.reason() == "token_inactive"
    })
    .await;
    let refresh = format!("grant_type=refresh_token&refresh_token={}", text(&before, "refresh_token"));
    assert_eq!(expect(&ask(&gateway, "people", &refresh).await, 400)["error"], "invalid_grant");
}

#[tokio::test]
async fn a_client_may_prove_with_a_key_who_it_is_and_each_proof_is_good_for_once() {
    let (gateway, _upstream, signer) = started().await;
    let now = START.seconds();
    let ask = async |signer: &Signer, changed: Value| {
        let mut claims = json!({
            "iss": "signs", "sub": "signs", "aud": "https://id.example/oauth/token", "exp": now + 60, "iat": now, "jti": "1",
        });
        for (name, value) in changed.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        let assertion = signer.sign(&json!({}), &claims);
        let kind = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
        let fields = format!("{OWN}&client_assertion_type={kind}&client_assertion={assertion}");
        gateway.issuer(form("/token", &fields)).await
    };
    assert_eq!(ask(&signer, json!({})).await.status(), 200);
    let other = Signer::es256("key-1");
    for (what, signer, changed) in [
        ("a second time", &signer, json!({})),
        ("another key", &other, json!({ "jti": "2" })),
        ("another audience", &signer, json!({ "jti": "2", "aud": "https://other.example" })),
        ("another client", &signer, json!({ "jti": "2", "iss": "shop", "sub": "shop" })),
        ("for somebody else", &signer, json!({ "jti": "2", "sub": "shop" })),
        ("expired", &signer, json!({ "jti": "2", "exp": now - 61 })),
        ("for ever", &signer, json!({ "jti": "2", "exp": now + 86_400 })),
        ("without an id", &signer, json!({ "jti": null })),
    ] {
        let refused = ask(signer, changed).await;
        assert_eq!(expect(&refused, 401)["error"], "invalid_client", "{what}");
    }
    assert_eq!(ask(&signer, json!({ "jti": "2" })).await.status(), 200);
}

#[tokio::test]
async fn clients_are_told_where_everything_is_and_keys_change_without_a_token_being_lost() {
    let (gateway, _upstream, _) = started().await;
    for path in ["/.well-known/oauth-authorization-server/oauth", "/oauth/.well-known/openid-configuration"] {
        let told = expect(&gateway.issuer(get(path)).await, 200);
        assert_eq!(told["issuer"], "https://id.example/oauth");
        assert_eq!(told["token_endpoint"], "https://id.example/oauth/token");
        assert_eq!(told["grant_types_supported"], json!(["client_credentials", "refresh_token", "password"]));
    }
    let keys = async || {
        let set = expect(&gateway.issuer(get("/oauth/jwks")).await, 200);
        assert!(!set.to_string().contains("\"d\""), "{set}");
        set["keys"].as_array().expect("a list").clone()
    };
    let before = issued(&gateway, "shop-jwt", OWN).await;
    assert_eq!(keys().await.len(), 1);
    let admin = gateway.administrator();
    let rotated = expect(&admin.post("/oauthKeys/rotate", &json!({})).await, 200);
    let both = keys().await;
    assert!(both.len() == 2 && both.iter().any(|key| key["kid"] == rotated["keyId"]), "{both:?}");
    let after = issued(&gateway, "shop-jwt", OWN).await;
    for token in [&before, &after] {
        assert_eq!(gateway.send(with(text(token, "access_token"))).await.status(), 200);
    }
}

#[tokio::test]
async fn administrators_see_what_was_issued_and_end_it_and_never_see_a_token() {
    let (gateway, _upstream, _) = started().await;
    let admin = with_user(&gateway).await;
    let mut tokens = vec![issued(&gateway, "people", ADA).await];
    for _ in 0..3 {
        gateway.advance(SECOND);
        tokens.push(issued(&gateway, "shop", OWN).await);
    }
    let page = expect(&admin.get("/oauthTokens?limit=3").await, 200);
    let next = text(&page, "next").to_owned();
    let rest = expect(&admin.get(&format!("/oauthTokens?limit=3&after={next}")).await, 200);
    let count = |page: &Value| page["items"].as_array().map_or(0, Vec::len);
    assert_eq!((count(&page), count(&rest)), (3, 2));
    let of_ada = expect(&admin.get("/oauthTokens?user=ada&live=true").await, 200);
    assert_eq!(count(&of_ada), 2);
    let audit = expect(&admin.get("/audit").await, 200).to_string();
    for (shown, what) in
        [(page.to_string(), "a page"), (rest.to_string(), "a page"), (audit, "the audit log")]
    {
        for secret in tokens.iter().flat_map(|answer| [&answer["access_token"], &answer["refresh_token"]]) {
            assert!(secret.as_str().is_none_or(|secret| !shown.contains(secret)), "{what}");
        }
        assert!(!shown.contains(SECRET) && !shown.contains("correct horse"), "{what}");
    }
    let id = text(&page["items"][0], "id").to_owned();
    let revoke = async |wanted: Value| admin.post("/oauthTokens/revoke", &wanted).await;
    assert_eq!(expect(&revoke(json!({ "id": id })).await, 200)["revoked"], 1);
    assert_eq!(gateway.send(with(text(&tokens[3], "access_token"))).await.reason(), "token_inactive");
    assert_eq!(expect(&revoke(json!({ "user": "ada" })).await, 200)["revoked"], 2);
    assert_eq!(expect(&revoke(json!({ "application": "shop" })).await, 200)["revoked"], 2);
    assert_eq!(expect(&revoke(json!({ "client": "shop" })).await, 200)["revoked"], 0);
    for wrong in [json!({}), json!({ "id": "x", "user": "ada" })] {
        assert_eq!(code(&revoke(wrong).await, 400), "bad_request");
    }
    for token in &tokens {
        assert_eq!(gateway.send(with(text(token, "access_token"))).await.reason(), "token_inactive");
    }
    assert_eq!(code(&admin.get("/oauthTokens?after=x").await, 400), "bad_request");
    gateway.advance(MINUTE * 61);
    expect(&admin.post("/oauthTokens/cleanUp", &json!({})).await, 200);
    let left = expect(&admin.get("/oauthTokens").await, 200);
    assert_eq!((count(&left), &left["items"][0]["kind"]), (1, &json!("refresh")));
}

#[tokio::test]
async fn a_client_of_an_application_in_the_store_gets_tokens_as_soon_as_it_is_there() {
    let (gateway, _upstream, _) = started().await;
    let admin = gateway.administrator();
    assert_eq!(expect(&ask(&gateway, "late", OWN).await, 401)["error"], "invalid_client");
    let mut late = json!({ "name": "late", "apis": ["a"], "oauthClients": [{ "id": "late", "secrets": [{ "hash": hash(SECRET) }] }] });
    expect(&admin.post("/applications", &late).await, 201);
    let token = issued(&gateway, "late", OWN).await;
    let response = gateway.send(with(text(&token, "access_token"))).await;
    assert_eq!(gateway.explain(&response).await.application.as_deref(), Some("late"));
    // A secret that is over is as good as wrong.
    late["oauthClients"][0]["secrets"][0]["expires"] = "2026-01-15T10:00:00Z".into();
    expect(&admin.put("/applications/late", &late).await, 200);
    assert_eq!(expect(&ask(&gateway, "late", OWN).await, 401)["error"], "invalid_client");
    assert!(admin.delete("/applications/late").await.status() < 300);
    assert_eq!(gateway.send(with(text(&token, "access_token"))).await.reason(), "application_not_identified");
    assert_eq!(introspected(&gateway, text(&token, "access_token")).await, json!({ "active": false }));
}

#[tokio::test]
async fn what_one_node_issues_counts_at_the_other_and_what_it_revokes_does_not() {
    let (upstream, signer) = (Upstream::echo().start().await, Signer::es256("key-1"));
    let postgres = Postgres::start();
    let (config, directory) = on(&postgres);
    let key = directory.path().join("key");
    std::fs::write(&key, "0a".repeat(32)).expect("a file");
    let keys = json!({ "keys": [format!("${{file:{}}}", key.display())] });
    let config = config.setting("store.masterKey", keys);
    let one = Gateway::serving(protected(config.clone(), &upstream, &signer)).await;
    let old = issued(&one, "shop", OWN).await;
    let two = Gateway::serving(protected(config, &upstream, &signer)).await;
    assert_eq!(two.send(with(text(&old, "access_token"))).await.status(), 200, "from before it started");
    for client in ["shop", "shop-jwt"] {
        let answer = issued(&one, client, OWN).await;
        let token = text(&answer, "access_token");
        // At once: whoever has not heard of it yet asks.
        assert_eq!(two.send(with(token)).await.status(), 200, "{client}");
        revoked(&one, client, token).await;
        assert_eq!(one.send(with(token)).await.reason(), "token_inactive");
        eventually("the other node refuses it", async || {
            two.send(with(token)).await.reason() == "token_inactive"
        })
        .await;
    }
    assert_eq!(two.send(with(text(&old, "access_token"))).await.status(), 200);
    expect(&one.administrator().post("/oauthKeys/rotate", &json!({})).await, 200);
    let rotated = issued(&one, "shop-jwt", OWN).await;
    assert_eq!(two.send(with(text(&rotated, "access_token"))).await.status(), 200, "with the new key");
}

#[tokio::test]
async fn what_is_wrong_with_the_server_or_a_client_is_told_with_its_path() {
    let server = json!({ "issuer": "https://id.example", "address": "127.0.0.1:0" });
    let of = |server: Value, client: Value| {
        managed().setting("authorizationServer", server).append(
            "applications",
            json!({ "name": "shop", "oauthClients": [client, { "id": "twice" }, { "id": "twice" }] }),
        )
    };
    let problems = match Gateway::start(of(
        json!({ "issuer": "http://id.example/", "signingAlgorithm": "HS256", "tokenFormat": "jwt", "accessTokenLifetime": "never" }),
        json!({ "id": "a b", "secrets": [{ "hash": "x", "expires": "soon" }], "jwks": {}, "scopes": ["a b"] }),
    ))
    .await
    {
        Ok(_) => panic!("it started"),
        Err(error) => error.to_string(),
    };
    let client = "applications[0].oauthClients[0]";
    for path in [
        "settings.authorizationServer.issuer",
        "settings.authorizationServer.signingAlgorithm",
        "settings.authorizationServer.accessTokenLifetime",
        &format!("{client}.id"),
        &format!("{client}.secrets[0].hash"),
        &format!("{client}.secrets[0].expires"),
        &format!("{client}.jwks"),
        &format!("{client}.scopes[0]"),
        "applications[0].oauthClients[2].id",
    ] {
        assert!(problems.contains(path), "{path} is not in {problems}");
    }
    let alone = Config::new().setting("authorizationServer", server);
    let problem = Gateway::start(alone).await.err().expect("there is no manager").to_string();
    assert!(problem.contains("settings.manager.enabled"), "{problem}");
    let nobody = managed().append("authorizationServers", json!({ "name": "local", "internal": true }));
    let problem = Gateway::start(nobody).await.err().expect("there is no server").to_string();
    assert!(problem.contains("authorizationServers[0].internal"), "{problem}");
}

#[tokio::test]
async fn a_secret_is_made_for_a_client_told_once_and_the_one_before_goes_on_for_a_while() {
    let (gateway, _upstream, _) = started().await;
    let admin = gateway.administrator();
    let late = json!({ "name": "late", "oauthClients": [
        { "id": "late", "secrets": [{ "hash": hash(SECRET) }] }, { "id": "app", "authentication": "none", "grantTypes": ["deviceCode"] },
    ]});
    expect(&admin.post("/applications", &late).await, 201);
    let make = async |client: &str, wanted: Value| {
        admin.post(&format!("/applications/late/oauthClients/{client}/secrets"), &wanted).await
    };
    let made = expect(&make("late", json!({ "overlap": "1h" })).await, 201);
    let secret = text(&made, "clientSecret").to_owned();
    let ask = async |secret: &str| gateway.issuer(form("/token", OWN).basic("late", secret)).await.status();
    assert_eq!((ask(&secret).await, ask(SECRET).await), (200, 200));
    gateway.advance(MINUTE * 60);
    assert_eq!((ask(&secret).await, ask(SECRET).await), (200, 401));
    let shown = expect(&admin.get("/applications/late").await, 200).to_string();
    let audit = expect(&admin.get("/audit").await, 200).to_string();
    assert!(!shown.contains(&secret) && !audit.contains(&secret));
    assert_eq!(code(&make("app", json!({})).await, 409), "no_secret_wanted");
    assert_eq!(code(&make("nobody", json!({})).await, 404), "not_found");
    assert_eq!(code(&make("late", json!({ "overlap": "soon" })).await, 400), "bad_request");
}
