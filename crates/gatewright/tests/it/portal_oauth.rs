//! OAuth clients that consumers make for their applications in the portal: what they open, how long, for whom, and what is
//! never told.

use std::time::Duration;

use testkit::{Admin, Gateway, Request, Response, Upstream, Value, body, get, json, json_request, request};

use crate::{
    manager::{code, expect, managed},
    portal::{PASSWORD, consumer, user},
};

const CLIENTS: &str = "/portal/applications/shop/oauthClients";
const OWN: &str = "grant_type=client_credentials";
const HOUR: Duration = Duration::from_secs(3_600);

/// The portal with the API `orders`, whose callers show tokens, and `ann`, whose application `shop` is subscribed to it.
async fn started(upstream: &Upstream, server: Value) -> (Gateway, Admin, Admin) {
    let mut settings = json!({
        "issuer": "https://id.example/oauth", "address": "127.0.0.1:0", "signingAlgorithm": "ES256",
    });
    for (name, value) in server.as_object().expect("an object") {
        settings[name] = value.clone();
    }
    let config = managed()
        .setting("authorizationServer", settings)
        .append("authorizationServers", json!({ "name": "local", "internal": true }));
    let gw = Gateway::serving(config).await;
    let admin = gw.administrator();
    let set = json!({
        "groups": [{ "name": "consumers" }],
        "plans": [{ "name": "free" }],
        "apis": [{
            "name": "orders", "basePath": "/orders", "upstream": upstream.url(), "plans": ["free"],
            "portal": { "visibility": "public" },
            "policies": [{ "type": "identifyAndAuthorize", "config": { "rules": [{ "type": "oauth2Token" }] } }],
        }],
        "portals": [{ "oauthScopes": ["orders.read"] }],
    });
    expect(&admin.post("/apply", &set).await, 200);
    let ann = consumer(&gw, &admin, "ann").await;
    expect(&ann.post("/portal/applications", &json!({ "name": "shop" })).await, 201);
    let wanted = json!({ "application": "shop", "api": "orders", "plan": "free" });
    expect(&ann.post("/portal/subscriptions", &wanted).await, 201);
    (gw, admin, ann)
}

async fn with_portal(upstream: &Upstream) -> (Gateway, Admin, Admin) {
    started(upstream, json!({})).await
}

fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer[name].as_str().unwrap_or_else(|| panic!("{name} is missing in {answer}"))
}

/// What the token endpoint answers a client.
async fn ask(gw: &Gateway, client: &str, secret: &str, fields: &str) -> Response {
    let form: Request = request("POST", "/oauth/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body::full(fields.to_owned()));
    gw.issuer(form.basic(client, secret)).await
}

async fn call(gw: &Gateway, token: &str) -> Response {
    gw.send(get("/orders/7").header("authorization", &format!("Bearer {token}"))).await
}

async fn shown(who: &Admin) -> Value {
    expect(&who.get("/portal/applications/shop").await, 200)["oauthClients"].clone()
}

async fn set_portal(admin: &Admin, change: Value) {
    expect(&admin.send(json_request("PATCH", "/portals/portal", &change)).await, 200);
}

#[tokio::test]
async fn a_consumer_makes_a_client_whose_tokens_open_what_the_application_is_subscribed_to() {
    let upstream = Upstream::text("ok").start().await;
    let (gw, admin, ann) = with_portal(&upstream).await;
    let look = expect(&ann.get("/portal").await, 200)["oauth"].clone();
    assert_eq!(
        look,
        json!({
            "tokenUrl": "https://id.example/oauth/token",
            "authorizationUrl": "https://id.example/oauth/authorize",
            "grantTypes": ["clientCredentials", "authorizationCode", "refreshToken"],
            "scopes": ["orders.read"],
        })
    );
    let made = expect(&ann.post(CLIENTS, &json!({ "name": "Till" })).await, 201);
    let (id, secret) = (text(&made, "id"), text(&made, "clientSecret"));
    assert_eq!(
        (&made["name"], &made["grantTypes"], &made["authentication"], &made["scopes"]),
        (&json!("Till"), &json!(["clientCredentials"]), &json!("clientSecret"), &json!(["orders.read"]))
    );
    let issued = expect(&ask(&gw, id, secret, &format!("{OWN}&scope=orders.read")).await, 200);
    assert_eq!(issued["scope"], "orders.read");
    let response = call(&gw, text(&issued, "access_token")).await;
    assert_eq!(response.status(), 200, "{}", response.text());
    assert_eq!(gw.explain(&response).await.application.as_deref(), Some("shop"));
    // Scopes are given out by whoever runs the gateway, and by nobody else.
    let wider = ask(&gw, id, secret, &format!("{OWN}&scope=admin")).await;
    assert_eq!(expect(&wider, 400)["error"], "invalid_scope");

    // Without the subscription the same client gets tokens, and they open nothing.
    assert_eq!(ann.delete("/portal/subscriptions/shop:orders").await.status(), 204);
    assert_eq!(call(&gw, text(&issued, "access_token")).await.reason(), "no_subscription");

    // Five are as many as there may be.
    for _ in 0..4 {
        expect(&ann.post(CLIENTS, &json!({})).await, 201);
    }
    assert_eq!(code(&ann.post(CLIENTS, &json!({})).await, 409), "too_many_clients");
    let doc = expect(&admin.get("/applications/shop").await, 200);
    assert_eq!(doc["spec"]["oauthClients"][0]["selfService"], true, "{doc}");
}

#[tokio::test]
async fn a_secret_is_told_once_and_stands_in_no_list_and_no_audit_log() {
    let upstream = Upstream::text("ok").start().await;
    let (_gw, admin, ann) = with_portal(&upstream).await;
    let once = |body: Value| json_request("POST", CLIENTS, &body).header("idempotency-key", "again");
    let made = expect(&ann.send(once(json!({}))).await, 201);
    assert_eq!(code(&ann.send(once(json!({}))).await, 409), "told_once");
    let secrets = format!("{CLIENTS}/{}/secrets", text(&made, "id"));
    let second = expect(&ann.post(&secrets, &json!({})).await, 201);
    let token = expect(&ann.post(&format!("{CLIENTS}/{}/tokens", text(&made, "id")), &json!({})).await, 201);
    for secret in [text(&made, "clientSecret"), text(&second, "clientSecret"), text(&token, "accessToken")] {
        for (who, path) in [
            (&ann, "/portal/applications"),
            (&ann, "/portal/applications/shop"),
            (&admin, "/applications/shop"),
            (&admin, "/applications/shop/history"),
            (&admin, "/audit"),
            (&admin, "/oauthTokens"),
            (&admin, "/export"),
        ] {
            let response = who.get(path).await;
            assert_eq!(response.status(), 200, "{path}");
            assert!(!response.text().contains(&secret[4..]), "{path}");
        }
    }
    let view = shown(&ann).await;
    assert!(!view.to_string().contains("sha256"), "{view}");
    assert_eq!(view[0]["secrets"].as_array().map(Vec::len), Some(2), "{view}");
    let history = admin.get("/applications/shop/history").await.text();
    assert!(history.contains("a new OAuth client") && history.contains("a new client secret"), "{history}");
    let audit = admin.get("/audit?user=ann").await.text();
    assert!(audit.contains("was issued to try an API with"), "{audit}");
}

#[tokio::test]
async fn rotation_leaves_the_old_secret_for_the_overlap_and_two_live_at_most() {
    let upstream = Upstream::text("ok").start().await;
    let (gw, _admin, ann) = with_portal(&upstream).await;
    let made = expect(&ann.post(CLIENTS, &json!({})).await, 201);
    let (id, first) = (text(&made, "id"), text(&made, "clientSecret"));
    let secrets = format!("{CLIENTS}/{id}/secrets");
    let status = async |secret: &str| ask(&gw, id, secret, OWN).await.status();

    let second = expect(&ann.post(&secrets, &json!({ "overlap": "1h", "expiresIn": "90d" })).await, 201);
    let second = text(&second, "clientSecret");
    assert_eq!([status(first).await, status(second).await], [200, 200]);
    assert_eq!(code(&ann.post(&secrets, &json!({})).await, 409), "too_many_secrets");
    gw.clock().advance(HOUR);
    assert_eq!([status(first).await, status(second).await], [401, 200]);
    assert_eq!(shown(&ann).await[0]["secrets"].as_array().map(Vec::len), Some(1));

    // Whoever has lost a secret ends both at once.
    let third = expect(&ann.post(&secrets, &json!({})).await, 201);
    let fourth = expect(&ann.post(&secrets, &json!({ "overlap": "0s" })).await, 201);
    assert_eq!(
        [
            status(second).await,
            status(text(&third, "clientSecret")).await,
            status(text(&fourth, "clientSecret")).await
        ],
        [401, 401, 200]
    );
    assert_eq!(code(&ann.post(&secrets, &json!({ "overlap": "long" })).await, 400), "bad_request");
}

#[tokio::test]
async fn a_client_that_is_deleted_ends_with_its_tokens_and_so_does_an_application() {
    let upstream = Upstream::text("ok").start().await;
    let (gw, _admin, ann) = with_portal(&upstream).await;
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let made = expect(&ann.post(CLIENTS, &json!({})).await, 201);
        let (id, secret) = (text(&made, "id").to_owned(), text(&made, "clientSecret").to_owned());
        let issued = expect(&ask(&gw, &id, &secret, OWN).await, 200);
        tokens.push((id, secret, text(&issued, "access_token").to_owned()));
    }
    let (id, secret, token) = &tokens[0];
    assert_eq!(ann.delete(&format!("{CLIENTS}/{id}")).await.status(), 204);
    assert_eq!(call(&gw, token).await.reason(), "token_inactive");
    assert_eq!(ask(&gw, id, secret, OWN).await.status(), 401);
    assert_eq!(code(&ann.delete(&format!("{CLIENTS}/{id}")).await, 404), "not_found");
    assert_eq!(call(&gw, &tokens[1].2).await.status(), 200, "another one goes on");
    assert_eq!(ann.delete("/portal/applications/shop").await.status(), 204);
    assert_eq!(call(&gw, &tokens[1].2).await.reason(), "token_inactive");
}

#[tokio::test]
async fn a_token_for_trying_needs_no_secret_and_lasts_ten_minutes_at_most() {
    let upstream = Upstream::text("ok").start().await;
    let server = json!({ "tokenFormat": "jwt", "accessTokenLifetime": "1h" });
    let (gw, admin, ann) = started(&upstream, server).await;
    let made = expect(&ann.post(CLIENTS, &json!({})).await, 201);
    let tokens = format!("{CLIENTS}/{}/tokens", text(&made, "id"));
    let issued = expect(&ann.post(&tokens, &json!({ "scope": "orders.read" })).await, 201);
    assert_eq!((&issued["expiresIn"], &issued["scope"]), (&json!(600), &json!("orders.read")));
    let token = text(&issued, "accessToken");
    let headers = json!({ "authorization": format!("Bearer {token}") });
    let tried = json!({ "api": "orders:1.0", "method": "GET", "path": "/7", "headers": headers });
    assert_eq!(expect(&ann.post("/portal/try", &tried).await, 200)["status"], 200);
    gw.advance(Duration::from_secs(660));
    assert_eq!(call(&gw, token).await.reason(), "token_expired");
    assert_eq!(code(&ann.post(&tokens, &json!({ "scope": "admin" })).await, 409), "token_refused");

    let for_users = json!({ "grantTypes": ["authorizationCode"], "redirectUris": ["https://shop.example/"] });
    let made = expect(&ann.post(CLIENTS, &for_users).await, 201);
    let of_users = format!("{CLIENTS}/{}/tokens", text(&made, "id"));
    assert_eq!(code(&ann.post(&of_users, &json!({})).await, 409), "token_refused");
    set_portal(&admin, json!({ "tryIt": false })).await;
    assert_eq!(code(&ann.post(&tokens, &json!({})).await, 403), "try_off");
    set_portal(&admin, json!({ "tryIt": true })).await;
    // Nor does a suspended application get one.
    let suspended = async |is: bool| {
        let patch = json_request("PATCH", "/applications/shop", &json!({ "suspended": is }));
        expect(&admin.send(patch).await, 200);
    };
    suspended(true).await;
    assert_eq!(code(&ann.post(&tokens, &json!({})).await, 409), "token_refused");
    suspended(false).await;
    let mut last = ann.post(&tokens, &json!({})).await;
    for _ in 0..30 {
        last = ann.post(&tokens, &json!({})).await;
    }
    assert_eq!((code(&last, 429).as_str(), last.header("retry-after")), ("too_many_tokens", "60"));
}

#[tokio::test]
async fn clients_of_others_and_those_that_administrators_made_are_not_for_consumers_to_change() {
    let upstream = Upstream::text("ok").start().await;
    let (gw, admin, ann) = with_portal(&upstream).await;
    let bob = consumer(&gw, &admin, "bob").await;
    let made = expect(&ann.post(CLIENTS, &json!({})).await, 201);
    let client = format!("{CLIENTS}/{}", text(&made, "id"));
    let (secrets, tokens) = (format!("{client}/secrets"), format!("{client}/tokens"));
    for path in [CLIENTS, &secrets, &tokens] {
        assert_eq!(code(&bob.post(path, &json!({})).await, 404), "not_found", "{path}");
        // What administrators may do they do in the console: the portal is about what is one's own.
        assert_eq!(code(&admin.post(path, &json!({})).await, 404), "not_found", "{path}");
        let nobody = admin.send_as_it_is(json_request("POST", path, &json!({}))).await;
        assert_eq!(code(&nobody, 401), "credentials_missing", "{path}");
    }
    assert_eq!(code(&bob.delete(&client).await, 404), "not_found");
    // Nor is it there under an application of one's own.
    expect(&bob.post("/portal/applications", &json!({ "name": "till" })).await, 201);
    let elsewhere = client.replace("/shop/", "/till/");
    assert_eq!(code(&bob.delete(&elsewhere).await, 404), "not_found");
    assert_eq!(code(&bob.post(&format!("{elsewhere}/tokens"), &json!({})).await, 404), "not_found");
    // The way of administrators is closed to those who have the portal only, whose application it is or not.
    let admins = format!("/applications/shop/oauthClients/{}/secrets", text(&made, "id"));
    assert_eq!(code(&ann.post(&admins, &json!({})).await, 403), "portal_only");

    // Who has to change a password first makes nothing before.
    let tim = user(&gw, &admin, json!({ "name": "tim", "portalOnly": true })).await;
    expect(&tim.post("/portal/applications", &json!({ "name": "kiosk" })).await, 201);
    let password = json!({ "password": PASSWORD, "temporary": true });
    assert_eq!(admin.send(json_request("PUT", "/users/tim/password", &password)).await.status(), 204);
    let early = tim.post("/portal/applications/kiosk/oauthClients", &json!({})).await;
    assert_eq!(code(&early, 403), "password_must_change");

    let mut clients = expect(&admin.get("/applications/shop").await, 200)["spec"]["oauthClients"].clone();
    let strong = json!({ "id": "strong", "scopes": ["admin"] });
    clients.as_array_mut().expect("a list").push(strong);
    let patch = json_request("PATCH", "/applications/shop", &json!({ "oauthClients": clients }));
    expect(&admin.send(patch).await, 200);
    let view = shown(&ann).await;
    assert_eq!((&view[0]["changeable"], &view[1]["changeable"]), (&json!(true), &json!(false)), "{view}");
    for path in ["secrets", "tokens"] {
        let refused = ann.post(&format!("{CLIENTS}/strong/{path}"), &json!({})).await;
        assert_eq!(code(&refused, 403), "not_self_service", "{path}");
    }
    assert_eq!(code(&ann.delete(&format!("{CLIENTS}/strong")).await, 403), "not_self_service");
}

#[tokio::test]
async fn what_a_client_may_not_be_is_refused_and_said() {
    let upstream = Upstream::text("ok").start().await;
    let server = json!({ "grants": ["clientCredentials", "authorizationCode", "tokenExchange"] });
    let (_gw, _admin, ann) = started(&upstream, server).await;
    let code_with = |uri: &str| json!({ "grantTypes": ["authorizationCode"], "redirectUris": [uri] });
    for uri in [
        "http://shop.example/back",
        "https://shop.example/*",
        "https://ann@shop.example/back",
        "https://shop.example/back#part",
        "javascript:alert(1)",
        "data:text/html,x",
        "back",
    ] {
        let refused = ann.post(CLIENTS, &code_with(uri)).await;
        assert_eq!(code(&refused, 422), "invalid", "{uri}");
        assert!(refused.text().contains("redirectUris[0]"), "{uri}: {}", refused.text());
    }
    for (body, status, part) in [
        (json!({ "grantTypes": ["authorizationCode"] }), 422, "redirectUris"),
        (json!({ "public": true, "grantTypes": ["clientCredentials"] }), 422, "expected authorizationCode"),
        (json!({ "grantTypes": [] }), 400, "clientCredentials or authorizationCode"),
        (json!({ "grantTypes": ["tokenExchange"] }), 400, "client_credentials, authorization_code"),
        (json!({ "grantTypes": ["password"] }), 400, "password"),
        // It is closed in the settings.
        (json!({ "grantTypes": ["authorizationCode", "refreshToken"] }), 400, "refresh_token"),
        (json!({ "redirectUris": ["https://shop.example/back"] }), 400, "redirectUris"),
        (json!({ "name": "<b>shop</b>" }), 400, "name"),
        (json!({ "name": "x".repeat(101) }), 400, "name"),
        (json!({ "scopes": ["admin"] }), 400, "scopes"),
        (json!({ "skipConsent": true }), 400, "skipConsent"),
    ] {
        let refused = ann.post(CLIENTS, &body).await;
        assert_eq!(refused.status(), status, "{body}: {}", refused.text());
        assert!(refused.text().contains(part), "{body}: {}", refused.text());
    }
    assert_eq!(shown(&ann).await, json!([]));
    let public =
        json!({ "public": true, "redirectUris": ["com.example.app:/back", "http://127.0.0.1/back"] });
    let made = expect(&ann.post(CLIENTS, &public).await, 201);
    assert_eq!(
        (&made["authentication"], &made["grantTypes"], made.get("clientSecret")),
        (&json!("none"), &json!(["authorizationCode"]), None)
    );
    let secrets = format!("{CLIENTS}/{}/secrets", text(&made, "id"));
    assert_eq!(code(&ann.post(&secrets, &json!({})).await, 409), "no_secret_wanted");
}

#[tokio::test]
async fn consumers_make_no_clients_where_that_is_off_and_still_take_theirs_away() {
    let upstream = Upstream::text("ok").start().await;
    let (gw, admin, ann) = with_portal(&upstream).await;
    let made = expect(&ann.post(CLIENTS, &json!({})).await, 201);
    let client = format!("{CLIENTS}/{}", text(&made, "id"));
    set_portal(&admin, json!({ "oauthClients": false })).await;
    assert_eq!(expect(&ann.get("/portal").await, 200).get("oauth"), None);
    for path in [CLIENTS, &format!("{client}/secrets"), &format!("{client}/tokens")] {
        assert_eq!(code(&ann.post(path, &json!({})).await, 403), "oauth_clients_off", "{path}");
    }
    let secret = text(&made, "clientSecret");
    assert_eq!(ask(&gw, text(&made, "id"), secret, OWN).await.status(), 200, "it goes on");
    assert_eq!(ann.delete(&client).await.status(), 204);
    assert_eq!(ask(&gw, text(&made, "id"), secret, OWN).await.status(), 401);
    let odd = json_request("PATCH", "/portals/portal", &json!({ "oauthScopes": ["a b"] }));
    let refused = expect(&admin.send(odd).await, 422);
    assert_eq!(refused["errors"][0]["path"], "oauthScopes[0]", "{refused}");
}

#[tokio::test]
async fn without_an_authorization_server_the_portal_offers_no_clients() {
    let gw = Gateway::serving(managed()).await;
    let admin = gw.administrator();
    let ann = user(&gw, &admin, json!({ "name": "ann", "portalOnly": true })).await;
    expect(&ann.post("/portal/applications", &json!({ "name": "shop" })).await, 201);
    assert_eq!(expect(&ann.get("/portal").await, 200).get("oauth"), None);
    let refused = ann.post(CLIENTS, &json!({})).await;
    assert_eq!(code(&refused, 409), "no_authorization_server");
    assert!(refused.text().contains("settings.authorizationServer"), "{}", refused.text());
}
