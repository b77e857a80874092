//! Tokens of the authorization server inside for what a server elsewhere has signed: who gets them, once for each
//! assertion, and who does not.

use futures_util::future::join_all;
use testkit::{
    Config, Gateway, IdentityProvider, MINUTE, Request, Response, SECOND, START, Signer, Upstream, Value,
    api, body, config::hash, get, json, json_request, request,
};

use crate::manager::{expect, managed};

const SECRET: &str = "a-long-random-secret-of-the-shop-0123456789";
const ISSUER: &str = "https://id.example/oauth";
const GRANT: &str = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";

fn config(upstream: &Upstream, servers: Vec<Value>) -> Config {
    let secrets = json!([{ "hash": hash(SECRET) }]);
    let config = managed()
        .setting(
            "authorizationServer",
            json!({
                "issuer": ISSUER,
                "address": "127.0.0.1:0",
                "signingAlgorithm": "ES256",
                "grants": ["clientCredentials", "refreshToken", "jwtBearer"],
            }),
        )
        .append("authorizationServers", json!({ "name": "local", "internal": true }))
        .append(
            "applications",
            json!({ "name": "shop", "apis": ["a"], "oauthClients": [
                { "id": "ci", "authentication": "none", "grantTypes": ["jwtBearer", "refreshToken"], "scopes": ["read", "write"] },
                { "id": "service", "secrets": secrets, "grantTypes": ["jwtBearer", "refreshToken"],
                  "scopes": ["read", "write", "openid"], "accessTokenLifetime": "never" },
                { "id": "other", "secrets": secrets, "grantTypes": ["jwtBearer"] },
                { "id": "plain", "secrets": secrets },
            ]}),
        )
        .api(
            api("/a", upstream)
                .policy("identifyAndAuthorize", json!({ "rules": [{ "type": "oauth2Token" }] })),
        );
    servers.into_iter().fold(config, |config, server| config.append("authorizationServers", server))
}

fn pipeline(provider: &IdentityProvider, more: Value) -> Value {
    let mut assertions = json!({ "clients": ["ci"], "subjects": ["repo:acme/*"] });
    for (name, value) in more.as_object().expect("an object") {
        assertions[name] = value.clone();
    }
    json!({ "name": "pipeline", "issuer": provider.issuer(), "assertions": assertions })
}

/// An assertion of the pipeline, with these claims instead of the usual ones.
fn made(provider: &IdentityProvider, claims: Value) -> String {
    let mut all = json!({ "sub": "repo:acme/shop", "aud": ISSUER, "client_id": null, "scope": null });
    for (name, value) in claims.as_object().expect("an object") {
        all[name] = value.clone();
    }
    provider.token(&all)
}

fn form(fields: &str) -> Request {
    request("POST", "/oauth/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body::full(fields.to_owned()))
}

async fn bring(gateway: &Gateway, client: &str, assertion: &str, rest: &str) -> Response {
    let fields = format!("grant_type={GRANT}&assertion={assertion}{rest}");
    let request = match client {
        "ci" => form(&format!("{fields}&client_id=ci")),
        client => form(&fields).basic(client, SECRET),
    };
    gateway.issuer(request).await
}

fn with(token: &str) -> Request {
    get("/a").header("authorization", &format!("Bearer {token}"))
}

fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer[name].as_str().unwrap_or_else(|| panic!("{name} is missing in {answer}"))
}

/// The description, when the assertion was refused as it has to be.
fn refused(response: &Response) -> String {
    assert_eq!(response.header("cache-control"), "no-store");
    let answer = expect(response, 400);
    assert_eq!(answer["error"], "invalid_grant", "{answer}");
    text(&answer, "error_description").to_owned()
}

#[tokio::test]
async fn a_pipeline_gets_tokens_for_what_its_server_has_signed_and_needs_no_secret() {
    let (upstream, provider) = (Upstream::echo().start().await, IdentityProvider::start().await);
    let gateway = Gateway::serving(config(&upstream, vec![pipeline(&provider, json!({}))])).await;
    let assertion = made(&provider, json!({ "jti": "1" }));
    let answer = expect(&bring(&gateway, "ci", &assertion, "&scope=read").await, 200);
    assert_eq!(
        (&answer["token_type"], &answer["scope"], answer.get("refresh_token")),
        (&json!("Bearer"), &json!("read"), None)
    );
    let response = gateway.send(with(text(&answer, "access_token"))).await;
    assert_eq!(response.status(), 200, "{}", response.text());
    assert_eq!(gateway.explain(&response).await.application.as_deref(), Some("shop"));

    let again = refused(&bring(&gateway, "ci", &assertion, "&scope=read").await);
    assert!(again.contains("good for once"), "{again}");
    // What its server signs is good for this and for nothing else.
    assert_eq!(gateway.send(with(&assertion)).await.status(), 401);
    let token_endpoint = made(&provider, json!({ "jti": "2", "aud": [format!("{ISSUER}/token"), "x"] }));
    expect(&bring(&gateway, "ci", &token_endpoint, "").await, 200);

    provider.add_key(Signer::eddsa("key-2"));
    gateway.advance(SECOND * 11);
    let with_new_key = made(&provider, json!({ "jti": "3" }));
    expect(&bring(&gateway, "ci", &with_new_key, "").await, 200);
    let told = expect(&gateway.issuer(get("/oauth/.well-known/openid-configuration")).await, 200);
    let grants = told["grant_types_supported"].as_array().expect("a list");
    assert!(grants.contains(&json!("urn:ietf:params:oauth:grant-type:jwt-bearer")), "{told}");
}

#[tokio::test]
async fn whatever_is_wrong_with_an_assertion_gives_no_token_and_says_what_to_do() {
    let (upstream, provider) = (Upstream::echo().start().await, IdentityProvider::start().await);
    let gateway = Gateway::serving(config(&upstream, vec![pipeline(&provider, json!({}))])).await;
    let now = START.seconds();
    let good = made(&provider, json!({ "jti": "good" }));
    let (said, _) = good.rsplit_once('.').expect("it has parts");
    let payload = said.split_once('.').expect("it has parts").1;
    let stranger = Signer::es256("key-1")
        .sign(&json!({}), &provider.claims(&json!({ "sub": "repo:acme/shop", "aud": ISSUER })));
    let unknown = Signer::es256("key-9")
        .sign(&json!({}), &provider.claims(&json!({ "sub": "repo:acme/shop", "aud": ISSUER })));
    let known_secret = Signer::hs256("key-1", provider.signer().pem())
        .sign(&json!({}), &provider.claims(&json!({ "sub": "repo:acme/shop", "aud": ISSUER })));
    for (client, assertion, taught) in [
        ("ci", "x".to_owned(), "signed JSON Web Token"),
        ("ci", format!("eyJhbGciOiJub25lIn0.{payload}."), "private key"),
        ("ci", known_secret, "private key"),
        ("ci", stranger, "as its issuer has signed it"),
        ("ci", unknown, "publish the key"),
        ("ci", made(&provider, json!({ "iss": "https://evil.example" })), "trusted here"),
        ("ci", made(&provider, json!({ "aud": "https://orders.example" })), ISSUER),
        ("ci", made(&provider, json!({ "exp": now - 61 })), "get a new one"),
        ("ci", made(&provider, json!({ "exp": null })), "`exp`"),
        ("ci", made(&provider, json!({ "nbf": now + 61 })), "clock"),
        ("ci", made(&provider, json!({ "iat": now - 661, "exp": now + 9 })), "too old"),
        ("ci", made(&provider, json!({ "iat": null })), "`iat`"),
        ("ci", made(&provider, json!({ "sub": null })), "`sub`"),
        ("ci", made(&provider, json!({ "sub": "repo:acmee/shop" })), "assertions.subjects"),
        ("ci", made(&provider, json!({ "jti": ["a"] })), "`jti`"),
        ("other", good.clone(), "assertions.clients"),
        ("ci", format!("{good}{}", "A".repeat(17_000)), "16 KiB"),
        ("ci", format!("{}.{payload}.AAAA", "A".repeat(8_000)), "header"),
    ] {
        let told = refused(&bring(&gateway, client, &assertion, "").await);
        assert!(told.contains(taught), "{taught}: {told}");
        assert!(!told.contains(payload) && told.len() < 600, "{told}");
    }
    for (client, assertion, rest, status, wanted) in [
        ("ci", "", "", 400, "invalid_request"),
        ("ci", &*good, "&scope=admin", 400, "invalid_scope"),
        ("plain", &*good, "", 400, "unauthorized_client"),
        ("nobody", &*good, "", 401, "invalid_client"),
    ] {
        let answer = expect(&bring(&gateway, client, assertion, rest).await, status);
        assert_eq!(answer["error"], wanted, "{client} {rest}: {answer}");
    }
    // None of this has used it up.
    expect(&bring(&gateway, "ci", &good, "").await, 200);
    let refresh = form("grant_type=refresh_token&refresh_token=x&client_id=ci");
    assert_eq!(expect(&gateway.issuer(refresh).await, 400)["error"], "invalid_grant");
}

#[tokio::test]
async fn an_assertion_that_is_brought_many_times_at_once_gives_one_token() {
    let (upstream, provider) = (Upstream::echo().start().await, IdentityProvider::start().await);
    let gateway = Gateway::serving(config(&upstream, vec![pipeline(&provider, json!({}))])).await;
    for claims in [json!({ "jti": "1" }), json!({})] {
        let assertion = made(&provider, claims);
        let brought = (0..16).map(|_| bring(&gateway, "ci", &assertion, ""));
        let given = join_all(brought).await.iter().filter(|response| response.status() == 200).count();
        assert_eq!(given, 1);
    }
}

#[tokio::test]
async fn a_server_that_gives_one_for_many_uses_may_be_trusted_with_that_until_it_is_over() {
    let (upstream, provider) = (Upstream::echo().start().await, IdentityProvider::start().await);
    let kubernetes =
        pipeline(&provider, json!({ "reusable": true, "maxAge": "1h", "audiences": ["gateway"] }));
    let gateway = Gateway::serving(config(&upstream, vec![kubernetes])).await;
    let assertion = made(&provider, json!({ "aud": "gateway", "exp": START.seconds() + 3_000 }));
    for _ in 0..3 {
        expect(&bring(&gateway, "ci", &assertion, "").await, 200);
        gateway.advance(MINUTE * 16);
    }
    gateway.advance(MINUTE * 4);
    let told = refused(&bring(&gateway, "ci", &assertion, "").await);
    assert!(told.contains("expired"), "{told}");
}

#[tokio::test]
async fn a_server_may_say_for_which_user_a_client_acts() {
    let (upstream, provider) = (Upstream::echo().start().await, IdentityProvider::start().await);
    let partner = json!({
        "name": "partner", "issuer": provider.issuer(),
        "assertions": { "clients": ["service"], "actsFor": "user", "userClaim": "person.login", "scopes": ["read", "openid"] },
    });
    let gateway = Gateway::serving(config(&upstream, vec![partner])).await;
    let admin = gateway.administrator();
    expect(&admin.post("/users", &json!({ "name": "ada" })).await, 201);
    let of = |jti: &str, login: Value| {
        made(&provider, json!({ "jti": jti, "sub": "4711", "person": { "login": login } }))
    };
    let answer = expect(&bring(&gateway, "service", &of("1", json!("ada")), "&scope=read+openid").await, 200);
    assert!(answer["id_token"].is_string() && answer.get("refresh_token").is_none(), "{answer}");
    let asked = request("POST", "/oauth/introspect")
        .header("content-type", "application/x-www-form-urlencoded")
        .basic("service", SECRET)
        .body(body::full(format!("token={}", text(&answer, "access_token"))));
    let known = expect(&gateway.issuer(asked).await, 200);
    assert_eq!((&known["username"], &known["client_id"]), (&json!("ada"), &json!("service")));
    // The client's own have no end; what comes of an assertion ends soon after it.
    let lasts = answer["expires_in"].as_u64().expect("a number");
    assert!(lasts > 3_600 && lasts <= 300 + 60 + 3_600, "{lasts}");

    for login in [json!("bob"), json!(""), json!(7), Value::Null] {
        let told = refused(&bring(&gateway, "service", &of("2", login), "").await);
        assert!(told.contains("nobody who is a user here"), "{told}");
    }
    let wider = bring(&gateway, "service", &of("2", json!("ada")), "&scope=write").await;
    assert_eq!(expect(&wider, 400)["error"], "invalid_scope");
    let locked = json_request("PATCH", "/users/ada", &json!({ "locked": true }));
    expect(&admin.send(locked).await, 200);
    refused(&bring(&gateway, "service", &of("2", json!("ada")), "").await);
}

#[tokio::test]
async fn keys_may_be_written_down_and_servers_come_and_go_without_a_restart() {
    let (upstream, signer) = (Upstream::echo().start().await, Signer::es256("key-1"));
    let gateway = Gateway::serving(config(&upstream, Vec::new())).await;
    let assertion = |jti: u32| {
        let now = START.seconds();
        signer.sign(
            &json!({ "kid": null }),
            &json!({ "iss": "here", "sub": "job", "aud": ISSUER, "iat": now, "exp": now + 60, "jti": jti.to_string() }),
        )
    };
    let told = refused(&bring(&gateway, "ci", &assertion(1), "").await);
    assert!(told.contains("not trusted here"), "{told}");
    let admin = gateway.administrator();
    let taken = json!({ "clients": ["ci"], "subjects": ["job"] });
    let by_set = json!({ "name": "here", "issuer": "here", "jwks": { "keys": [signer.published()] }, "assertions": taken });
    expect(&admin.post("/authorizationServers", &by_set).await, 201);
    expect(&bring(&gateway, "ci", &assertion(1), "").await, 200);
    assert!(admin.delete("/authorizationServers/here").await.status() < 300);
    refused(&bring(&gateway, "ci", &assertion(2), "").await);

    let file =
        json!({ "name": "here", "issuer": "here", "certificateFile": "keys.pem", "assertions": taken });
    let gateway = Gateway::serving(config(&upstream, vec![file]).file("keys.pem", signer.pem())).await;
    expect(&bring(&gateway, "ci", &assertion(2), "").await, 200);
}

#[tokio::test]
async fn while_no_keys_of_a_server_are_known_clients_are_told_to_come_again() {
    let (upstream, provider) = (Upstream::echo().start().await, IdentityProvider::start().await);
    provider.set_down(true);
    let gateway = Gateway::serving(config(&upstream, vec![pipeline(&provider, json!({}))])).await;
    let assertion = made(&provider, json!({ "jti": "1" }));
    let answer = expect(&bring(&gateway, "ci", &assertion, "").await, 503);
    assert_eq!(answer["error"], "server_error");
    provider.set_down(false);
    gateway.advance(SECOND * 31);
    expect(&bring(&gateway, "ci", &assertion, "").await, 200);
}

#[tokio::test]
async fn the_way_is_closed_until_somebody_opens_it() {
    let (upstream, provider) = (Upstream::echo().start().await, IdentityProvider::start().await);
    let closed = config(&upstream, vec![pipeline(&provider, json!({}))])
        .setting("authorizationServer", json!({ "issuer": ISSUER, "address": "127.0.0.1:0" }));
    let gateway = Gateway::serving(closed).await;
    let answer = expect(&bring(&gateway, "ci", &made(&provider, json!({})), "").await, 400);
    assert_eq!(answer["error"], "unsupported_grant_type");
    let told = expect(&gateway.issuer(get("/oauth/.well-known/openid-configuration")).await, 200);
    let expected = json!([
        "authorization_code",
        "client_credentials",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    ]);
    assert_eq!(told["grant_types_supported"], expected);
    let status = gateway.ops("/status").await.text();
    assert!(status.contains("the way is not open"), "{status}");
}

#[tokio::test]
async fn what_is_wrong_with_a_server_whose_assertions_are_taken_is_told_with_its_path() {
    let upstream = Upstream::echo().start().await;
    let start = async |config: Config| match Gateway::start(config).await {
        Ok(_) => panic!("it started"),
        Err(error) => error.to_string(),
    };
    let at = "authorizationServers[1].assertions";
    for (server, path) in [
        (json!({ "assertions": { "clients": ["ci"] } }), format!("{at}.subjects")),
        (
            json!({ "assertions": { "clients": ["ci"], "subjects": ["*"], "maxAge": "2d" } }),
            format!("{at}.maxAge"),
        ),
        (json!({ "assertions": { "clients": [], "subjects": ["*"] } }), format!("{at}.clients")),
        (
            json!({ "jwks": null, "introspection": { "url": "https://idp.example/i", "clientId": "a", "clientSecret": "${env:HOME}" },
                "assertions": { "clients": ["ci"], "subjects": ["*"] } }),
            at.to_owned(),
        ),
        (json!({ "internal": true, "assertions": { "clients": ["ci"], "subjects": ["*"] } }), at.to_owned()),
    ] {
        let jwks = json!({ "keys": [Signer::es256("1").published()] });
        let mut doc = json!({ "name": "elsewhere", "issuer": "elsewhere", "jwks": jwks });
        for (name, value) in server.as_object().expect("an object") {
            doc[name] = value.clone();
        }
        doc.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
        let problems = start(config(&upstream, vec![doc.clone()])).await;
        assert!(problems.contains(&path), "{doc}: {path} is not in {problems}");
    }
    // A rule that nothing can pass is a mistake.
    let signs = json!({ "name": "pipeline", "issuer": "here", "jwks": { "keys": [Signer::es256("1").published()] },
        "assertions": { "clients": ["ci"], "subjects": ["*"] } });
    let rule = json!({ "rules": [{ "type": "oauth2Token", "servers": ["pipeline"] }] });
    let named = config(&upstream, vec![signs]).api(api("/b", &upstream).policy("identifyAndAuthorize", rule));
    let problems = start(named).await;
    assert!(problems.contains("good for `assertions` only"), "{problems}");
}
