//! Users of a provider elsewhere log in in a browser, by OpenID Connect: as what their groups become, as nobody who is here
//! already, and only with what was made for this login in this browser.

use std::time::Duration;

use testkit::{
    Admin, Config, Gateway, IdentityProvider, Response, SECOND, Signer, Value, json, json_request, request,
};

use crate::manager::{code, expect, managed};

const SECRET: &str = "a-secret-of-the-gateway/there";

/// A gateway with a provider called `corp`, with these settings instead of the usual ones.
fn with_provider(provider: &IdentityProvider, change: &Value) -> Config {
    let file = tempfile::tempdir().expect("temporary folders can be made").keep().join("secret");
    std::fs::write(&file, SECRET).expect("a file");
    let mut settings = json!({
        "name": "corp",
        "label": "Company login",
        "issuer": provider.issuer(),
        "clientId": "gateway",
        "clientSecret": format!("${{file:{}}}", file.display()),
        "publicUrl": "http://127.0.0.1:9072",
        "timeout": "2s",
        "groups": [
            { "value": "ops", "group": "Administrators" },
            { "value": "staff", "group": "API-Gateway-Providers" },
        ],
    });
    for (key, value) in change.as_object().expect("an object") {
        settings[key] = value.clone();
    }
    managed().setting("manager.openIdConnect", json!([settings]))
}

/// A browser, with what it keeps while it is elsewhere.
struct Browser {
    admin: Admin,
    location: String,
    cookie: String,
}

fn kept(response: &Response) -> String {
    response.header("set-cookie").split(';').next().unwrap_or_default().to_owned()
}

impl Browser {
    /// Begins a login, and is sent to the provider.
    async fn begin(gateway: &Gateway, to: &str) -> Self {
        let admin = gateway.administrator();
        let begun = admin.send_as_it_is(request("GET", &format!("/api/v1/login/oidc/corp?to={to}"))).await;
        assert_eq!(begun.status(), 303, "{}", begun.text());
        Self { admin, location: begun.header("location").to_owned(), cookie: kept(&begun) }
    }

    /// Comes back with a query.
    async fn back(&self, query: &str) -> Response {
        let path = format!("/api/v1/login/oidc/corp/callback?{query}");
        self.admin.send_as_it_is(request("GET", &path).header("cookie", &self.cookie)).await
    }

    /// What there is for who has this session.
    async fn session(&self, cookie: &str) -> Response {
        self.admin.send_as_it_is(request("GET", "/api/v1/session").header("cookie", cookie)).await
    }
}

/// The cookie of the session that a login has begun.
fn session_of(response: &Response, page: &str) -> String {
    assert_eq!((response.status(), response.header("location")), (303, page));
    let cookie = response.header("set-cookie");
    for part in ["gatewright_session=", "; Path=/;", "HttpOnly", "SameSite=Strict"] {
        assert!(cookie.contains(part), "{part}: {cookie}");
    }
    kept(response)
}

/// Nobody was let in, and the page is told why.
fn refused(response: &Response, expected: &str) {
    assert_eq!(response.status(), 303);
    let location = response.header("location");
    assert_eq!(location, format!("/portal/apis?loginError={expected}"));
    assert!(!response.header("set-cookie").contains("gatewright_session"));
}

#[tokio::test]
async fn users_of_a_provider_are_what_their_groups_become() {
    let provider = IdentityProvider::start().await;
    let gateway = Gateway::serving(with_provider(&provider, &json!({}))).await;
    let admin = gateway.administrator();
    let listed = expect(&admin.send_as_it_is(request("GET", "/api/v1/login/oidc")).await, 200);
    assert_eq!(listed["items"], json!([{ "name": "corp", "label": "Company login" }]));

    let browser = Browser::begin(&gateway, "/portal/apis").await;
    for part in ["response_type=code", "client_id=gateway", "code_challenge_method=S256", "scope=openid"] {
        assert!(browser.location.contains(part), "{part}: {}", browser.location);
    }
    assert!(browser.location.starts_with(&format!("{}/authorize?", provider.issuer())));
    let query = provider.log_in(&browser.location, &json!({ "groups": ["staff", "other"] }));
    let back = browser.back(&query).await;
    let cookie = session_of(&back, "/portal/apis");
    let sent = provider.last();
    let basic = "Basic Z2F0ZXdheTphLXNlY3JldC1vZi10aGUtZ2F0ZXdheSUyRnRoZXJl";
    assert_eq!(sent.headers.get("authorization").and_then(|value| value.to_str().ok()), Some(basic));

    let shown = expect(&browser.session(&cookie).await, 200);
    assert_eq!((&shown["user"], &shown["groups"]), (&json!("corp:ann"), &json!(["API-Gateway-Providers"])));
    assert!(shown["privileges"].to_string().contains("Manage APIs"), "{shown}");
    let csrf = shown["csrf"].as_str().expect("a token").to_owned();
    let post = |path: &str, body: &Value| {
        json_request("POST", path, body).header("cookie", &cookie).header("x-csrf-token", &csrf)
    };
    let made = browser.admin.send_as_it_is(post("/applications", &json!({ "name": "shop" }))).await;
    expect(&made, 201);
    let token = browser.admin.send_as_it_is(post("/tokens", &json!({ "name": "t" }))).await;
    assert_eq!(code(&token, 403), "no_tokens_for_provider_users");
    let audit = expect(&admin.get("/audit?user=corp:ann").await, 200).to_string();
    assert!(audit.contains("logged in with corp") && audit.contains("application shop"), "{audit}");

    // Logging out ends it.
    let out = request("DELETE", "/api/v1/session").header("cookie", &cookie).header("x-csrf-token", &csrf);
    assert_eq!(browser.admin.send_as_it_is(out).await.status(), 204);
    assert_eq!(code(&browser.session(&cookie).await, 401), "session_expired");
    // Passwords go on as before.
    expect(&admin.get("/whoami").await, 200);
}

#[tokio::test]
async fn what_was_not_made_for_this_login_lets_nobody_in() {
    let provider = IdentityProvider::start().await;
    let gateway = Gateway::serving(with_provider(&provider, &json!({}))).await;
    let ops = json!({ "groups": ["ops"] });
    let with = |name: &str, value: Value| json!({ "groups": ["ops"], name: value });

    for (claims, expected) in [
        (with("nonce", json!("another")), "login_token_invalid"),
        (with("nonce", Value::Null), "login_token_invalid"),
        (with("iss", json!("https://other.example")), "login_token_invalid"),
        (with("aud", json!("another client")), "login_token_invalid"),
        (with("aud", json!(["gateway", "other"])), "login_token_invalid"),
        (with("azp", json!("other")), "login_token_invalid"),
        (with("exp", json!(1_000)), "login_token_invalid"),
        (with("exp", Value::Null), "login_token_invalid"),
        (with("iat", Value::Null), "login_token_invalid"),
        (with("sub", json!("")), "login_token_invalid"),
        (with("sub", json!("a\u{0}b")), "login_user_unusable"),
        (with("sub", json!("a".repeat(300))), "login_user_unusable"),
        (json!({ "groups": ["OPS"] }), "login_not_allowed"),
        (json!({ "groups": { "ops": true } }), "login_not_allowed"),
        (json!({}), "login_not_allowed"),
    ] {
        let browser = Browser::begin(&gateway, "/portal/apis").await;
        let query = provider.log_in(&browser.location, &claims);
        refused(&browser.back(&query).await, expected);
    }
    // Signed by somebody else, under the name of a key of the provider; with a secret; or not at all.
    let public = provider.signer().pem();
    for signer in [Signer::es256("key-1"), Signer::hs256("key-1", public), Signer::hs256("key-1", SECRET)] {
        let browser = Browser::begin(&gateway, "/portal/apis").await;
        let query = provider.log_in_signed(&browser.location, &ops, &signer);
        refused(&browser.back(&query).await, "login_token_invalid");
    }

    // A state is good for once, in one browser, and one that nobody was given for nothing.
    let browser = Browser::begin(&gateway, "/portal/apis").await;
    let query = provider.log_in(&browser.location, &ops);
    let other = Browser::begin(&gateway, "/portal/apis").await;
    let home = |response: &Response, expected: &str| {
        assert_eq!(response.header("location"), format!("/console/?loginError={expected}"));
        assert!(!response.header("set-cookie").contains("gatewright_session"));
    };
    home(&other.back("code=a&state=guessed").await, "login_state_unknown");
    home(&other.back("code=a").await, "login_state_unknown");
    let without = request("GET", &format!("/api/v1/login/oidc/corp/callback?{query}"));
    home(&browser.admin.send_as_it_is(without).await, "login_state_unknown");
    session_of(&browser.back(&query).await, "/portal/apis");
    home(&browser.back(&query).await, "login_state_unknown");
    let stolen = provider.log_in(&other.location, &ops);
    home(&Browser::begin(&gateway, "/portal/apis").await.back(&stolen).await, "login_state_unknown");

    // Another server answers; a code of another login; the user said no.
    let browser = Browser::begin(&gateway, "/portal/apis").await;
    let query = provider.log_in(&browser.location, &ops);
    refused(&browser.back(&format!("{query}&iss=https://evil.example")).await, "login_issuer_wrong");
    let (one, two) =
        (Browser::begin(&gateway, "/portal/apis").await, Browser::begin(&gateway, "/portal/apis").await);
    let state = one.location.split("state=").nth(1).and_then(|rest| rest.split('&').next()).expect("a state");
    let code = provider.log_in(&two.location, &ops);
    let code = code.split('&').next().expect("a code");
    refused(&one.back(&format!("{code}&state={state}")).await, "login_refused");
    let browser = Browser::begin(&gateway, "/portal/apis").await;
    let state =
        browser.location.split("state=").nth(1).and_then(|rest| rest.split('&').next()).expect("a state");
    refused(&browser.back(&format!("error=access_denied&state={state}")).await, "login_refused");

    // Whoever takes longer than ten minutes begins again.
    let browser = Browser::begin(&gateway, "/portal/apis").await;
    let query = provider.log_in(&browser.location, &ops);
    gateway.advance(601 * SECOND);
    home(&browser.back(&query).await, "login_state_unknown");
}

#[tokio::test]
async fn nobody_elsewhere_becomes_somebody_here() {
    let provider = IdentityProvider::start().await;
    let gateway = Gateway::serving(with_provider(&provider, &json!({ "othersUsePortal": true }))).await;
    let admin = gateway.administrator();
    let log_in = async |sub: &str, groups: Value| {
        let browser = Browser::begin(&gateway, "/portal/apis").await;
        let query = provider.log_in(&browser.location, &json!({ "sub": sub, "groups": groups }));
        (browser.back(&query).await, browser)
    };
    // Not by the name of the administrator, and not by a name that is one of a provider.
    let (back, browser) = log_in("Administrator", json!([])).await;
    let cookie = session_of(&back, "/portal/apis");
    let shown = expect(&browser.session(&cookie).await, 200);
    assert_eq!((&shown["user"], &shown["privileges"]), (&json!("corp:Administrator"), &json!([])));
    let apis = request("GET", "/api/v1/apis").header("cookie", &cookie);
    assert_eq!(code(&browser.admin.send_as_it_is(apis).await, 403), "portal_only");

    // Nobody here can have such a name, whoever makes them.
    let named = json!({ "name": "corp:ann", "groups": ["Administrators"] });
    assert_eq!(code(&admin.post("/users", &named).await, 422), "invalid");
    expect(&admin.post("/portals", &json!({ "name": "portal", "signUp": "open" })).await, 201);
    let body = json!({ "user": "corp:eve", "password": "a good long password" });
    admin.send_as_it_is(json_request("POST", "/portal/signUp", &body)).await;
    assert_eq!(admin.get("/users/corp:eve").await.status(), 404);
    // And nobody logs in under it with a password.
    let body = json!({ "user": "corp:Administrator", "password": admin.password() });
    let login = admin.send_as_it_is(json_request("POST", "/session", &body)).await;
    assert_eq!(code(&login, 401), "credentials_invalid");
}

#[tokio::test]
async fn a_login_leads_back_to_a_page_of_ours_only() {
    let provider = IdentityProvider::start().await;
    let gateway = Gateway::serving(with_provider(&provider, &json!({}))).await;
    for to in ["https://evil.example/", "//evil.example/", "/console/%5Cevil.example", "/api/v1/whoami"] {
        let browser = Browser::begin(&gateway, to).await;
        let query = provider.log_in(&browser.location, &json!({ "groups": ["ops"] }));
        let back = browser.back(&query).await;
        assert_eq!(back.header("location"), "/console/", "{to}");
    }
}

#[tokio::test]
async fn a_provider_that_is_away_or_slow_keeps_nobody_waiting_and_its_new_keys_count_at_once() {
    let provider = IdentityProvider::start().await;
    let gateway = Gateway::serving(with_provider(&provider, &json!({}))).await;
    let admin = gateway.administrator();
    let begin = async || admin.send_as_it_is(request("GET", "/api/v1/login/oidc/corp?to=/portal/apis")).await;
    provider.set_down(true);
    refused(&begin().await, "login_provider_away");
    provider.set_down(false);
    provider.set_delay(Duration::from_secs(30));
    refused(&begin().await, "login_provider_away");
    expect(&admin.get("/whoami").await, 200);
    provider.set_delay(Duration::ZERO);

    let browser = Browser::begin(&gateway, "/portal/apis").await;
    provider.add_key(Signer::rs256("key-2"));
    let query = provider.log_in(&browser.location, &json!({ "groups": ["ops"] }));
    session_of(&browser.back(&query).await, "/portal/apis");

    let browser = Browser::begin(&gateway, "/portal/apis").await;
    let query = provider.log_in(&browser.location, &json!({ "groups": ["ops"] }));
    provider.set_down(true);
    refused(&browser.back(&query).await, "login_provider_away");
}
