//! Clients register themselves at the authorization server inside and look after their registration: with an initial
//! access token, or, where somebody wants that, as anybody may.

use futures_util::future::join_all;
use testkit::{
    Admin, Config, Gateway, MINUTE, Postgres, Request, Response, START, Signer, Upstream, Value, api, body,
    eventually, get, json, json_request, request,
};

use crate::manager::{code, expect, managed, on};

const ISSUER: &str = "https://id.example/oauth";

fn registering(config: Config, upstream: &Upstream, registration: Value) -> Config {
    config
        .setting(
            "authorizationServer",
            json!({
                "issuer": ISSUER,
                "address": "127.0.0.1:0",
                "signingAlgorithm": "ES256",
                "registration": registration,
            }),
        )
        .append("authorizationServers", json!({ "name": "local", "internal": true }))
        .api(
            api("/a", upstream)
                .policy("identifyAndAuthorize", json!({ "rules": [{ "type": "oauth2Token" }] })),
        )
}

fn usual() -> Value {
    json!({ "grants": ["authorizationCode", "refreshToken", "clientCredentials"], "scopes": ["read", "write"], "apis": ["a"] })
}

async fn started(registration: Value) -> (Gateway, Upstream) {
    let upstream = Upstream::echo().start().await;
    (Gateway::serving(registering(managed(), &upstream, registration)).await, upstream)
}

fn open() -> Value {
    let mut registration = usual();
    registration["open"] = true.into();
    registration
}

/// A request to the registration endpoint, or that of a client.
fn ask(method: &str, id: &str, token: Option<&str>, said: &Value) -> Request {
    let path = if id.is_empty() { "/oauth/register".to_owned() } else { format!("/oauth/register/{id}") };
    let request = request(method, &path);
    let request = match token {
        Some(token) => request.header("authorization", &format!("Bearer {token}")),
        None => request,
    };
    match said {
        Value::Null => request,
        said => request.header("content-type", "application/json").body(body::full(said.to_string())),
    }
}

async fn register(gateway: &Gateway, token: Option<&str>, said: &Value) -> Response {
    gateway.issuer(ask("POST", "", token, said)).await
}

/// An initial access token.
async fn initial(admin: &Admin, wanted: Value) -> (String, String) {
    let mut new = json!({ "name": "partners" });
    for (name, value) in wanted.as_object().expect("an object") {
        new[name] = value.clone();
    }
    let made = expect(&admin.post("/oauthInitialTokens", &new).await, 201);
    (text(&made, "token").to_owned(), text(&made, "id").to_owned())
}

fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer[name].as_str().unwrap_or_else(|| panic!("{name} is missing in {answer}"))
}

fn service(name: &str) -> Value {
    json!({ "client_name": name, "grant_types": ["client_credentials"], "scope": "read" })
}

async fn token(gateway: &Gateway, client: &str, secret: &str, scope: &str) -> Response {
    let fields = format!("grant_type=client_credentials&scope={scope}");
    let form = request("POST", "/oauth/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body::full(fields));
    gateway.issuer(form.basic(client, secret)).await
}

fn with(token: &str) -> Request {
    get("/a").header("authorization", &format!("Bearer {token}"))
}

async fn audit(admin: &Admin) -> Value {
    expect(&admin.get("/audit").await, 200)
}

#[tokio::test]
async fn a_client_registers_itself_gets_tokens_changes_and_goes() {
    let (gateway, _upstream) = started(usual()).await;
    let admin = gateway.administrator();
    let (initial, _) = initial(&admin, json!({})).await;
    let response = register(&gateway, Some(&initial), &service("The Shop")).await;
    assert_eq!((response.header("cache-control"), response.header("pragma")), ("no-store", "no-cache"));
    let client = expect(&response, 201);
    let (id, secret) = (text(&client, "client_id"), text(&client, "client_secret"));
    let access = text(&client, "registration_access_token");
    assert_eq!(client["registration_client_uri"], format!("{ISSUER}/register/{id}"));
    for (name, wanted) in [
        ("client_secret_expires_at", json!(0)),
        ("client_id_issued_at", json!(START.seconds())),
        ("token_endpoint_auth_method", json!("client_secret_basic")),
        ("grant_types", json!(["client_credentials"])),
        ("response_types", json!([])),
        ("scope", json!("read")),
        ("client_name", json!("The Shop")),
    ] {
        assert_eq!(client[name], wanted, "{name}");
    }

    // It is a client as any other: an application that may call what the settings say.
    let issued = expect(&token(&gateway, id, secret, "read").await, 200);
    let response = gateway.send(with(text(&issued, "access_token"))).await;
    assert_eq!(response.status(), 200, "{}", response.text());
    let application = gateway.explain(&response).await.application.expect("it is identified").to_string();
    assert_eq!(application, format!("The Shop {}", &id[..12]));
    let asset = expect(&admin.get(&format!("/applications/{}", application.replace(' ', "%20"))).await, 200);
    assert_eq!(asset["spec"]["oauthClients"][0]["registration"]["initialToken"], "partners", "{asset}");
    let log = audit(&admin).await;
    let made = log["items"].as_array().expect("a list").iter().find(|one| one["object"] == *application);
    let made = made.expect("it was written down");
    assert_eq!((&made["action"], &made["user"]), (&json!("create"), &json!(format!("oauthClient:{id}"))));

    // What it is, it may look at, and say anew: what is not said any more is gone.
    let read = expect(&gateway.issuer(ask("GET", id, Some(access), &Value::Null)).await, 200);
    assert_eq!(read.get("client_secret"), None, "nobody here knows it");
    let mut expected = client.clone();
    for name in ["client_secret", "client_secret_expires_at"] {
        expected.as_object_mut().expect("an object").remove(name);
    }
    assert_eq!(read, expected);
    let mut said = service("The New Shop");
    said["client_id"] = id.into();
    said["client_secret"] = secret.into();
    said["scope"] = "read write".into();
    said["contacts"] = json!(["ada@shop.example"]);
    said["registration_access_token"] = "somebody's".into();
    let changed = expect(&gateway.issuer(ask("PUT", id, Some(access), &said)).await, 200);
    assert_eq!((text(&changed, "client_secret"), text(&changed, "scope")), (secret, "read write"));
    assert_eq!(changed["registration_access_token"], access, "it stays");
    expect(&token(&gateway, id, secret, "write").await, 200);
    said.as_object_mut().expect("an object").remove("contacts");
    let changed = expect(&gateway.issuer(ask("PUT", id, Some(access), &said)).await, 200);
    assert_eq!(changed.get("contacts"), None);

    let last = expect(&token(&gateway, id, secret, "read").await, 200);
    assert_eq!(gateway.issuer(ask("DELETE", id, Some(access), &Value::Null)).await.status(), 204);
    assert_eq!(expect(&token(&gateway, id, secret, "read").await, 401)["error"], "invalid_client");
    assert_eq!(gateway.send(with(text(&last, "access_token"))).await.status(), 401);
    for method in ["GET", "PUT", "DELETE"] {
        let gone = gateway.issuer(ask(method, id, Some(access), &json!({ "client_id": id }))).await;
        assert_eq!(expect(&gone, 401)["error"], "invalid_token", "{method}");
        assert!(gone.header("www-authenticate").starts_with("Bearer error="), "{method}");
    }
    assert_eq!(expect(&admin.get("/applications").await, 200)["total"], 0);
    // Nobody who looks finds a secret.
    let shown = [audit(&admin).await, asset, expect(&admin.get("/oauthInitialTokens").await, 200)];
    for secret in [secret, access, &initial] {
        assert!(shown.iter().all(|shown| !shown.to_string().contains(secret)));
    }
}

#[tokio::test]
async fn without_an_initial_access_token_nobody_registers_and_nobody_learns_what_would_be_right() {
    let (gateway, _upstream) = started(usual()).await;
    let admin = gateway.administrator();
    let wrong = json!({ "redirect_uris": ["x"] });
    for said in [service("a"), wrong.clone()] {
        let refused = register(&gateway, None, &said).await;
        assert_eq!(expect(&refused, 401)["error"], "invalid_token");
        assert_eq!(refused.header("www-authenticate"), "Bearer");
        let refused = register(&gateway, Some("gwi_made-up"), &said).await;
        assert_eq!(expect(&refused, 401)["error"], "invalid_token");
        assert!(refused.header("www-authenticate").contains("invalid_token"));
    }
    for header in ["Basic YTpi", "gwi_x", "Bearer"] {
        let request = ask("POST", "", None, &service("a")).header("authorization", header);
        assert_eq!(gateway.issuer(request).await.status(), 401, "{header}");
    }

    let (once, _) = initial(&admin, json!({})).await;
    // What is refused uses nothing up.
    assert_eq!(expect(&register(&gateway, Some(&once), &wrong).await, 400)["error"], "invalid_redirect_uri");
    expect(&register(&gateway, Some(&once), &service("a")).await, 201);
    assert_eq!(register(&gateway, Some(&once), &service("a")).await.status(), 401);

    let (twice, _) = initial(&admin, json!({ "uses": 2 })).await;
    let sent = (0..12).map(|_| async { register(&gateway, Some(&twice), &service("b")).await.status() });
    let mut statuses = join_all(sent).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![201; 2], vec![401; 10]].concat());

    let (short, _) = initial(&admin, json!({ "expiresIn": "10m", "uses": 9 })).await;
    expect(&register(&gateway, Some(&short), &service("c")).await, 201);
    let (taken, id) = initial(&admin, json!({ "expiresIn": "never", "uses": 9 })).await;
    gateway.advance(MINUTE * 10);
    assert_eq!(register(&gateway, Some(&short), &service("c")).await.status(), 401, "it is over");
    expect(&register(&gateway, Some(&taken), &service("d")).await, 201);
    assert_eq!(admin.delete(&format!("/oauthInitialTokens/{id}")).await.status(), 204);
    assert_eq!(register(&gateway, Some(&taken), &service("d")).await.status(), 401, "it was taken away");
    assert_eq!(expect(&admin.get("/applications").await, 200)["total"], 5, "who has registered stays");
}

#[tokio::test]
async fn whatever_a_client_says_that_cannot_be_is_refused_and_nothing_is_changed() {
    let (gateway, _upstream) = started(open()).await;
    let admin = gateway.administrator();
    let many: Vec<String> = (0..10_000).map(|n| format!("https://a/{n}")).collect();
    let back = json!(["https://a.example/"]);
    for (said, wanted) in [
        (json!({}), "invalid_redirect_uri"),
        (json!({ "redirect_uris": many[..100] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": many[..2_000] }), "invalid_client_metadata"),
        (json!({ "redirect_uris": ["https://a.example/*"] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": back, "grant_types": ["password"] }), "invalid_client_metadata"),
        (json!({ "redirect_uris": back, "grant_types": ["implicit"] }), "invalid_client_metadata"),
        (json!({ "redirect_uris": back, "scope": "admin" }), "invalid_client_metadata"),
        (json!({ "redirect_uris": back, "client_name": "a\u{0}b" }), "invalid_client_metadata"),
        (
            json!({ "redirect_uris": back, "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "http://127.0.0.1/" }),
            "invalid_client_metadata",
        ),
    ] {
        let refused = register(&gateway, None, &said).await;
        assert_eq!(expect(&refused, 400)["error"], wanted, "{}", refused.text());
        assert_eq!(refused.header("cache-control"), "no-store");
    }
    let raw = async |kind: &str, text: String| {
        let request = request("POST", "/oauth/register").header("content-type", kind);
        gateway.issuer(request.body(body::full(text))).await
    };
    for (kind, text, status) in [
        ("application/json", String::new(), 400),
        ("application/json", "{".to_owned(), 400),
        ("application/json", "[]".to_owned(), 400),
        ("application/json", r#"{"client_name":"a","client_name":"b"}"#.to_owned(), 400),
        ("application/json", format!("{}1{}", "[".repeat(30_000), "]".repeat(30_000)), 400),
        ("application/json", format!(r#"{{"a":{}1{}}}"#, r#"{"a":"#.repeat(5_000), "}".repeat(5_000)), 400),
        ("application/json", json!({ "redirect_uris": many }).to_string(), 413),
        ("application/x-www-form-urlencoded", "client_name=a".to_owned(), 400),
        ("text/plain", service("a").to_string(), 400),
    ] {
        let refused = raw(kind, text).await;
        assert_eq!(refused.status(), status, "{kind}: {}", refused.text());
    }
    assert_eq!(expect(&admin.get("/applications").await, 200)["total"], 0);
    assert_eq!(gateway.issuer(get("/oauth/register")).await.status(), 405);
}

#[tokio::test]
async fn a_registration_is_looked_after_with_its_own_token_and_no_other() {
    let (gateway, _upstream) = started(open()).await;
    let admin = gateway.administrator();
    let one = expect(&register(&gateway, None, &service("one")).await, 201);
    let other = expect(&register(&gateway, None, &service("other")).await, 201);
    let (id, access) = (text(&one, "client_id"), text(&one, "registration_access_token"));
    let foreign = text(&other, "registration_access_token");
    let mut said = service("one");
    said["client_id"] = id.into();
    for token in [None, Some(foreign), Some(text(&one, "client_secret")), Some("x")] {
        for method in ["GET", "PUT", "DELETE"] {
            let refused = gateway.issuer(ask(method, id, token, &said)).await;
            assert_eq!(expect(&refused, 401)["error"], "invalid_token", "{method} {token:?}");
        }
    }
    let change = async |said: &Value| gateway.issuer(ask("PUT", id, Some(access), said)).await;
    let mut foreign_id = said.clone();
    foreign_id["client_id"] = other["client_id"].clone();
    let mut wrong_secret = said.clone();
    wrong_secret["client_secret"] = "a secret of one's own choosing".into();
    let mut wider = said.clone();
    wider["scope"] = "admin".into();
    let mut nowhere = said.clone();
    nowhere["grant_types"] = json!(["authorization_code"]);
    for (said, wanted) in [
        (&service("no id"), "invalid_client_metadata"),
        (&foreign_id, "invalid_client_metadata"),
        (&wrong_secret, "invalid_client_metadata"),
        (&wider, "invalid_client_metadata"),
        (&nowhere, "invalid_redirect_uri"),
    ] {
        assert_eq!(expect(&change(said).await, 400)["error"], wanted, "{said}");
    }

    // From a secret to a key, to nothing, and back to another secret.
    let signer = Signer::es256("key-1");
    let mut with_key = said.clone();
    with_key["token_endpoint_auth_method"] = "private_key_jwt".into();
    with_key["jwks"] = json!({ "keys": [signer.published()] });
    let changed = expect(&change(&with_key).await, 200);
    assert_eq!((changed.get("client_secret"), &changed["jwks"]), (None, &with_key["jwks"]));
    assert_eq!(token(&gateway, id, text(&one, "client_secret"), "read").await.status(), 401);
    let mut public = said.clone();
    public["token_endpoint_auth_method"] = "none".into();
    public["grant_types"] = json!(["authorization_code"]);
    public["redirect_uris"] = json!(["com.example.app:/back"]);
    expect(&change(&public).await, 200);
    let again = expect(&change(&said).await, 200);
    let secret = text(&again, "client_secret");
    assert_ne!(secret, text(&one, "client_secret"));
    expect(&token(&gateway, id, secret, "read").await, 200);

    // What somebody here has done with it counts.
    let name = format!("one%20{}", &id[..12]);
    let suspend = json_request("PATCH", &format!("/applications/{name}"), &json!({ "suspended": true }));
    expect(&admin.send(suspend).await, 200);
    assert_eq!(gateway.issuer(ask("GET", id, Some(access), &Value::Null)).await.status(), 401);
    let resume = json_request("PATCH", &format!("/applications/{name}"), &json!({ "suspended": false }));
    expect(&admin.send(resume).await, 200);
    expect(&admin.post(&format!("/applications/{name}/keys"), &json!({})).await, 201);
    assert_eq!(gateway.issuer(ask("DELETE", id, Some(access), &Value::Null)).await.status(), 204);
    let left = expect(&admin.get(&format!("/applications/{name}")).await, 200);
    assert!(left["spec"]["oauthClients"].as_array().is_none_or(Vec::is_empty), "{left}");
    assert_eq!(left["spec"]["apiKeys"].as_array().map(Vec::len), Some(1), "what somebody has added stays");
}

#[tokio::test]
async fn where_anybody_may_register_nobody_registers_too_much() {
    let mut registration = open();
    registration["maxClients"] = 25.into();
    let (gateway, _upstream) = started(registration).await;
    let admin = gateway.administrator();
    for n in 0..20 {
        expect(&register(&gateway, None, &service(&n.to_string())).await, 201);
    }
    let refused = register(&gateway, None, &service("one more")).await;
    assert_eq!(expect(&refused, 429)["error"], "temporarily_unavailable");
    assert_eq!(refused.header("retry-after"), "600");
    // Somebody else may, and so may whoever has an initial access token.
    let elsewhere =
        |address: &str| ask("POST", "", None, &service("elsewhere")).header("x-forwarded-for", address);
    expect(&gateway.issuer(elsewhere("192.0.2.7")).await, 201);
    let (token, _) = initial(&admin, json!({ "uses": 9 })).await;
    expect(&register(&gateway, Some(&token), &service("known")).await, 201);
    gateway.advance(MINUTE * 11);
    let sent = (0..9).map(|_| async { register(&gateway, None, &service("late")).await.status() });
    let mut statuses = join_all(sent).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![201; 3], vec![429; 6]].concat(), "there are 25 then");
    let full = register(&gateway, Some(&token), &service("known")).await;
    assert!(
        expect(&full, 429)["error_description"].as_str().is_some_and(|told| told.contains("as many clients"))
    );
    let tokens = expect(&admin.get("/oauthInitialTokens").await, 200);
    assert_eq!(tokens["items"][0]["used"], 1, "nothing came of the second use");
}

#[tokio::test]
async fn an_initial_access_token_says_what_clients_may_be_and_who_manages_them() {
    let upstream = Upstream::echo().start().await;
    let mut registration = usual();
    registration["plan"] = "gold".into();
    registration["teams"] = json!(["web"]);
    let config = registering(managed(), &upstream, registration)
        .append("plans", json!({ "name": "gold" }))
        .append("teams", json!({ "name": "web" }))
        .append("teams", json!({ "name": "partners" }));
    let gateway = Gateway::serving(config).await;
    let admin = gateway.administrator();
    expect(&admin.post("/teams", &json!({ "name": "late" })).await, 201);
    let (narrow, _) = initial(&admin, json!({ "uses": 2, "scopes": ["read"], "teams": ["late"] })).await;
    let mut wide = service("wide");
    wide["scope"] = "write".into();
    let refused = expect(&register(&gateway, Some(&narrow), &wide).await, 400);
    assert_eq!(refused["error"], "invalid_client_metadata");
    wide.as_object_mut().expect("an object").remove("scope");
    let client = expect(&register(&gateway, Some(&narrow), &wide).await, 201);
    assert_eq!(client["scope"], "read");
    let (id, access) = (text(&client, "client_id"), text(&client, "registration_access_token"));
    // The limit stays.
    let mut said = service("wide");
    said["client_id"] = id.into();
    said["scope"] = "read write".into();
    assert_eq!(gateway.issuer(ask("PUT", id, Some(access), &said)).await.status(), 400);

    let name = format!("wide%20{}", &id[..12]);
    let spec = expect(&admin.get(&format!("/applications/{name}")).await, 200)["spec"].clone();
    assert_eq!((&spec["teams"], spec.get("apis")), (&json!(["late"]), None), "{spec}");
    let plans = expect(&admin.get("/subscriptions").await, 200);
    assert_eq!((&plans["total"], &plans["items"][0]["spec"]["plan"]), (&json!(1), &json!("gold")));
    assert_eq!(gateway.issuer(ask("DELETE", id, Some(access), &Value::Null)).await.status(), 204);
    assert_eq!(expect(&admin.get("/subscriptions").await, 200)["total"], 0);

    for (wanted, names) in [
        (json!({ "name": "" }), "`name`"),
        (json!({ "name": "a", "uses": 0 }), "nonzero"),
        (json!({ "name": "a", "scopes": ["admin"] }), "`scopes`"),
        (json!({ "name": "a", "teams": ["nobodys"] }), "`teams`"),
        (json!({ "name": "a", "expiresIn": "soon" }), "or never"),
        (json!({ "name": "a", "more": 1 }), "more"),
    ] {
        let refused = admin.post("/oauthInitialTokens", &wanted).await;
        assert_eq!(code(&refused, 400), "bad_request", "{wanted}");
        assert!(refused.text().contains(names), "{names}: {}", refused.text());
    }
    assert_eq!(code(&admin.delete("/oauthInitialTokens/x").await, 404), "not_found");
}

#[tokio::test]
async fn registration_is_there_when_the_settings_say_so() {
    let upstream = Upstream::echo().start().await;
    let without =
        managed().setting("authorizationServer", json!({ "issuer": ISSUER, "address": "127.0.0.1:0" }));
    let gateway = Gateway::serving(without).await;
    let admin = gateway.administrator();
    let told = async |gateway: &Gateway| {
        expect(&gateway.issuer(get("/oauth/.well-known/openid-configuration")).await, 200)
    };
    assert_eq!(told(&gateway).await.get("registration_endpoint"), None);
    assert_eq!(register(&gateway, None, &service("a")).await.status(), 404);
    assert_eq!(
        code(&admin.post("/oauthInitialTokens", &json!({ "name": "a" })).await, 409),
        "registration_off"
    );
    gateway.stop().await;

    let gateway = Gateway::serving(registering(managed(), &upstream, usual())).await;
    assert_eq!(told(&gateway).await["registration_endpoint"], format!("{ISSUER}/register"));
    let asked = request("OPTIONS", "/oauth/register/x")
        .header("origin", "https://app.example")
        .header("access-control-request-method", "PUT");
    let allowed = gateway.issuer(asked).await;
    assert!(allowed.header("access-control-allow-methods").contains("PUT"), "pages of clients may, too");

    let wrong = json!({ "grants": ["password"], "scopes": ["a b"], "maxClients": 0 });
    let problems = match Gateway::start(registering(managed(), &upstream, wrong)).await {
        Ok(_) => panic!("it started"),
        Err(error) => error.to_string(),
    };
    assert!(problems.contains("settings.authorizationServer.registration.maxClients"), "{problems}");
    let wrong = json!({ "grants": ["password"], "scopes": ["a b"] });
    let problems = match Gateway::start(registering(managed(), &upstream, wrong)).await {
        Ok(_) => panic!("it started"),
        Err(error) => error.to_string(),
    };
    for path in ["registration.grants[0]", "registration.scopes[0]"] {
        assert!(problems.contains(&format!("settings.authorizationServer.{path}")), "{path}: {problems}");
    }
}

#[tokio::test]
async fn a_client_that_registers_at_one_node_is_known_at_the_other() {
    let upstream = Upstream::echo().start().await;
    let postgres = Postgres::start();
    let (config, directory) = on(&postgres);
    let key = directory.path().join("key");
    std::fs::write(&key, "0a".repeat(32)).expect("a file");
    let keys = json!({ "keys": [format!("${{file:{}}}", key.display())] });
    let config = config.setting("store.masterKey", keys);
    let one = Gateway::serving(registering(config.clone(), &upstream, usual())).await;
    let two = Gateway::serving(registering(config, &upstream, usual())).await;
    let admin = one.administrator();
    let (initial, _) = initial(&admin, json!({})).await;
    let client = expect(&register(&one, Some(&initial), &service("a")).await, 201);
    assert_eq!(register(&two, Some(&initial), &service("b")).await.status(), 401, "it was used at the other");
    let (id, access) = (text(&client, "client_id"), text(&client, "registration_access_token"));
    eventually("the other node knows it", async || {
        two.issuer(ask("GET", id, Some(access), &Value::Null)).await.status() == 200
    })
    .await;
    expect(&token(&two, id, text(&client, "client_secret"), "read").await, 200);
    assert_eq!(two.issuer(ask("DELETE", id, Some(access), &Value::Null)).await.status(), 204);
    eventually("the first node has forgotten it", async || {
        one.issuer(ask("GET", id, Some(access), &Value::Null)).await.status() == 401
    })
    .await;
}
