//! Who may use the admin API, and for what.

use testkit::{Gateway, Upstream, Value, json, json_request, request};

use crate::manager::{code, expect, managed};

#[tokio::test]
async fn nobody_gets_in_without_a_password_or_does_what_they_may_not() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    expect(&admin.post("/users", &json!({ "name": "pat", "groups": ["API-Gateway-Providers"] })).await, 201);
    expect(&admin.post("/users", &json!({ "name": "guest" })).await, 201);
    for user in ["pat", "guest"] {
        let set =
            json_request("PUT", &format!("/users/{user}/password"), &json!({ "password": "correct horse" }));
        assert_eq!(admin.send(set).await.status(), 204);
    }
    let short = json_request("PUT", "/users/pat/password", &json!({ "password": "short" }));
    assert_eq!(code(&admin.send(short).await, 422), "invalid");

    let (pat, guest) = (gateway.admin("pat", "correct horse"), gateway.admin("guest", "correct horse"));
    for (who, path, body, status) in [
        (&pat, "/applications", json!({ "name": "shop" }), 201),
        (&pat, "/groups", json!({ "name": "mine" }), 403),
        (&pat, "/policies", json!({ "type": "cors", "config": {} }), 403),
        (&guest, "/applications", json!({ "name": "other" }), 403),
    ] {
        assert_eq!(who.post(path, &body).await.status(), status, "{path}");
    }
    assert_eq!((pat.get("/audit").await.status(), pat.get("/export").await.status()), (403, 200));
    let theirs =
        json_request("PUT", "/users/Administrator/password", &json!({ "password": "correct horse" }));
    assert_eq!(code(&pat.send(theirs).await, 403), "forbidden");
    let own = json_request("PUT", "/users/pat/password", &json!({ "password": "another horse" }));
    assert_eq!(pat.send(own).await.status(), 204);
    assert_eq!(
        code(&pat.get("/whoami").await, 401),
        "credentials_invalid",
        "the old password is not good any more"
    );

    for wrong in
        [gateway.admin("pat", "wrong"), gateway.admin("nobody", "wrong"), gateway.admin("Administrator", "")]
    {
        let refused = wrong.get("/whoami").await;
        assert_eq!(code(&refused, 401), "credentials_invalid");
        assert!(refused.header("www-authenticate").starts_with("Basic "));
    }
    assert_eq!(code(&admin.send_as_it_is(request("GET", "/api/v1/apis")).await, 401), "credentials_missing");
    // The id of a user is no name to log in with.
    let id = expect(&admin.get("/users/pat").await, 200)["id"].as_str().expect("an id").to_owned();
    assert_eq!(code(&gateway.admin(&id, "another horse").get("/whoami").await, 401), "credentials_invalid");
    let audit = expect(&admin.get("/audit?eventType=Access%20management").await, 200).to_string();
    assert!(
        audit.contains("failed login") && audit.contains("nobody") && !audit.contains("horse"),
        "{audit}"
    );
}

#[tokio::test]
async fn a_token_does_what_its_user_may_and_it_was_made_for() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let make = async |body: Value| expect(&admin.post("/tokens", &body).await, 201);
    let all = make(json!({ "name": "pipeline", "expiresIn": "90d" })).await;
    let some = make(json!({ "name": "shops", "privileges": ["Manage applications"] })).await;
    let over = make(json!({ "name": "over", "expiresIn": "0s" })).await;
    let with = async |token: &Value, request: testkit::Request| {
        let token = token["token"].as_str().expect("it is shown once").to_owned();
        admin.send_as_it_is(request.header("authorization", &format!("Bearer {token}"))).await
    };
    let shop = |name: &str| json_request("POST", "/applications", &json!({ "name": name }));
    let group = |name: &str| json_request("POST", "/groups", &json!({ "name": name }));
    assert_eq!(with(&all, group("a")).await.status(), 201);
    assert_eq!((with(&some, shop("a")).await.status(), with(&some, group("b")).await.status()), (201, 403));
    assert_eq!(code(&with(&over, shop("b")).await, 401), "credentials_invalid");
    // A token makes none that can do more.
    let more = json_request("POST", "/tokens", &json!({ "name": "more", "privileges": ["Manage APIs"] }));
    assert_eq!(with(&some, more).await.status(), 400);
    let same = with(&some, json_request("POST", "/tokens", &json!({ "name": "same" }))).await;
    assert_eq!(expect(&same, 201)["privileges"], json!(["Manage applications"]));

    let listed = admin.get("/tokens").await;
    assert_eq!(expect(&listed, 200)["items"].as_array().map(Vec::len), Some(4));
    assert!(!listed.text().contains("gwt_"), "{}", listed.text());
    let id = all["id"].as_str().expect("an id");
    assert_eq!(admin.delete(&format!("/tokens/{id}")).await.status(), 204);
    assert_eq!(admin.delete(&format!("/tokens/{id}")).await.status(), 404);
    assert_eq!(code(&with(&all, group("c")).await, 401), "credentials_invalid");
}

#[tokio::test]
async fn whoever_guesses_has_to_wait() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let guess = |n: u32| request("GET", "/api/v1/whoami").header("authorization", &format!("Bearer gwt_{n}"));
    for n in 0..10 {
        assert_eq!(admin.send_as_it_is(guess(n)).await.status(), 401);
    }
    let refused = admin.send_as_it_is(guess(10)).await;
    assert_eq!(code(&refused, 429), "too_many_failures");
    assert_eq!(refused.header("retry-after"), "60");
    // Who is not guessing at the same user is not kept waiting.
    assert_eq!(admin.get("/whoami").await.status(), 200);
    let guesser = gateway.admin("Administrator", "wrong");
    for _ in 0..10 {
        assert_eq!(guesser.get("/whoami").await.status(), 401);
    }
    assert_eq!(guesser.get("/whoami").await.status(), 429);
    assert_eq!(admin.get("/whoami").await.status(), 429, "nobody learns which guess was right");
}

#[tokio::test]
async fn assets_refer_to_secrets_and_files_of_the_node_only_where_that_is_allowed() {
    let folder = tempfile::tempdir().expect("temporary folders can be made");
    let (secret, script) = (folder.path().join("secret"), folder.path().join("script.js"));
    std::fs::write(&secret, "word").expect("a file");
    std::fs::write(&script, "log('here')").expect("a file");
    let references =
        json!([format!("file:{}", secret.display()), format!("file:{}/*", folder.path().display())]);
    let with_secret = |file: &std::path::Path| {
        let config = json!({ "method": "basic", "userName": "me", "password": format!("${{file:{}}}", file.display()) });
        json!({ "name": "s", "upstream": "http://127.0.0.1:1", "policies": [{ "type": "outboundAuthentication", "config": config }] })
    };
    let with_script = |file: &std::path::Path| {
        let config = json!({ "file": file.display().to_string() });
        json!({ "name": "f", "upstream": "http://127.0.0.1:1", "policies": [{ "type": "requestScript", "config": config }] })
    };
    let strict = Gateway::serving(managed()).await;
    let admin = strict.administrator();
    for api in [with_secret(&secret), with_script(&script)] {
        let refused = expect(&admin.post("/apis", &api).await, 422);
        assert!(
            refused["errors"][0]["help"].to_string().contains("settings.manager.references"),
            "{refused}"
        );
    }
    let tls = json!({ "caFile": secret.display().to_string() });
    let upstream = json!({ "name": "u", "endpoints": [{ "url": "https://127.0.0.1:1" }], "tls": tls });
    let refused = expect(&admin.post("/upstreams", &upstream).await, 422);
    assert_eq!(refused["errors"][0]["path"], "tls.caFile", "{refused}");
    let certificate = json!({ "certificateFile": secret.display().to_string(), "keyFile": "/etc/key" });
    let listener = json!({ "name": "l", "address": "127.0.0.1:0", "tls": { "certificates": [certificate] } });
    let refused = expect(&admin.post("/listeners", &listener).await, 422);
    assert_eq!(refused["errors"].as_array().map(Vec::len), Some(2), "{refused}");
    let key = json!({ "name": "a", "apiKeys": [{ "value": "${env:PATH}" }] });
    assert_eq!(code(&admin.post("/applications", &key).await, 422), "invalid");

    let open = Gateway::serving(managed().setting("manager.references", references)).await;
    let admin = open.administrator();
    expect(&admin.post("/apis", &with_secret(&secret)).await, 201);
    expect(&admin.post("/apis", &with_script(&script)).await, 201);
    let outside = folder.path().join("../secret");
    assert_eq!(code(&admin.put("/apis/s:1.0", &with_secret(&outside)).await, 422), "invalid");
}

#[tokio::test]
async fn whoever_gets_the_name_of_a_former_user_gets_nothing_else() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let pat = json!({ "name": "pat", "groups": ["API-Gateway-Providers"] });
    expect(&admin.post("/users", &pat).await, 201);
    let set = json_request("PUT", "/users/pat/password", &json!({ "password": "correct horse" }));
    assert_eq!(admin.send(set).await.status(), 204);
    let first = gateway.admin("pat", "correct horse");
    let token = expect(&first.post("/tokens", &json!({ "name": "t" })).await, 201)["token"].clone();
    let token = format!("Bearer {}", token.as_str().expect("it is shown once"));
    expect(&admin.delete("/users/pat").await, 200);
    expect(&admin.post("/users", &pat).await, 201);
    assert_eq!(code(&first.get("/whoami").await, 401), "credentials_invalid");
    let with_token = request("GET", "/api/v1/whoami").header("authorization", &token);
    assert_eq!(code(&admin.send_as_it_is(with_token).await, 401), "credentials_invalid");
}

#[tokio::test]
async fn definitions_of_assets_come_from_no_private_address_unless_that_is_allowed() {
    let document = "openapi: 3.1.0\ninfo: {title: Pets, version: '1'}\npaths:\n  /pets: {get: {responses: {'200': {description: ok}}}}\n";
    let specs = Upstream::text(document).start().await;
    let api = json!({
        "name": "pets", "basePath": "/pets-api", "upstream": "http://127.0.0.1:1",
        "definition": format!("{}/pets.yaml", specs.url()),
    });
    let gateway = Gateway::serving(managed()).await;
    let refused = expect(&gateway.administrator().post("/apis", &api).await, 422);
    let told = refused["errors"][0]["message"].as_str().expect("a message");
    assert!(
        told.contains("private address (loopback)") && told.contains("settings.manager.references"),
        "{told}"
    );
    assert_eq!(refused["errors"][0]["path"], "definition");
    assert_eq!(specs.count(), 0, "nothing was sent there");

    let allowed = json!([format!("url:{}/*", specs.url())]);
    let gateway = Gateway::serving(managed().setting("manager.references", allowed)).await;
    expect(&gateway.administrator().post("/apis", &api).await, 201);
    assert!(specs.count() > 0);
    // The node's own files say what they like.
    let own = Gateway::serving(managed().append("apis", api)).await;
    assert_eq!(own.get("/pets-api/cats").await.reason(), "no_such_operation");
}
