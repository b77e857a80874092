//! Clients that have registered themselves, or that consumers made in the portal, log users in as others do; users are told
//! when nobody here knows them.

use super::*;

#[tokio::test]
async fn a_client_that_anybody_may_have_registered_logs_users_in_who_are_told_so() {
    let upstream = Upstream::echo().start().await;
    let registration = json!({ "open": true, "scopes": ["openid", "read"], "apis": ["a"] });
    let config = config(&upstream).setting("authorizationServer.registration", registration);
    let gateway = Gateway::serving(config).await;
    let admin = gateway.administrator();
    expect(&admin.post("/users", &json!({ "name": "ada" })).await, 201);
    let password = testkit::json_request("PUT", "/users/ada/password", &json!({ "password": PASSWORD }));
    assert!(admin.send(password).await.status() < 300);
    let said = json!({
        "client_name": "Our <Bank>", "redirect_uris": ["http://127.0.0.1/back"], "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"], "scope": "openid read",
    });
    let register = request("POST", "/oauth/register")
        .header("content-type", "application/json")
        .body(body::full(said.to_string()));
    let client = expect(&gateway.issuer(register).await, 201);
    assert_eq!(client.get("client_secret"), None);
    let id = text(&client, "client_id");

    let back = "http://127.0.0.1:51004/back";
    let browser = Browser::new(&gateway);
    let asked = browser.log_in(&asks(id, back, "&scope=openid+read"), "ada").await;
    let html = asked.text();
    for shown in ["Our &#60;Bank&#62;", "nobody here has checked", "http://127.0.0.1:51004"] {
        assert!(html.contains(shown), "{shown} is not in {html}");
    }
    let code = answer(&browser.submit(&asked, "decision=allow").await, "code").expect("a code");
    let fields = format!(
        "grant_type=authorization_code&client_id={id}&code={code}&redirect_uri={back}&code_verifier={VERIFIER}"
    );
    let issued = expect(&gateway.issuer(form("/token", &fields)).await, 200);
    assert!(issued["refresh_token"].is_string(), "{issued}");
    assert_eq!(calls(&gateway, text(&issued, "access_token")).await.status(), 200);
    // Of a client that somebody here has made, nobody says so.
    let known = browser.open(&shop("&scope=openid")).await;
    assert!(known.status() == 200 && !known.text().contains("nobody here has checked"));

    let of_ada = gateway.admin("ada", PASSWORD);
    let allowed = async || expect(&of_ada.get("/portal/consents").await, 200)["items"].clone();
    assert_eq!(allowed().await[0]["client"], *id);
    let access = text(&client, "registration_access_token");
    let gone = request("DELETE", &format!("/oauth/register/{id}"))
        .header("authorization", &format!("Bearer {access}"));
    assert_eq!(gateway.issuer(gone).await.status(), 204);
    assert_eq!(calls(&gateway, text(&issued, "access_token")).await.status(), 401);
    assert_eq!(browser.open(&asks(id, back, "")).await.status(), 400, "users are told that it is gone");
    assert_eq!(allowed().await, json!([]));
}

#[tokio::test]
async fn a_public_client_that_a_consumer_made_in_the_portal_logs_users_in_who_are_told_so() {
    let gateway = started().await;
    let admin = gateway.administrator();
    expect(&admin.post("/portals", &json!({ "oauthScopes": ["openid", "read"] })).await, 201);
    let bob = gateway.admin("bob", PASSWORD);
    expect(&bob.post("/portal/applications", &json!({ "name": "boats" })).await, 201);
    let wanted = json!({
        "name": "Our Bank", "public": true, "grantTypes": ["authorizationCode", "refreshToken"],
        "redirectUris": ["http://127.0.0.1/back"],
    });
    let made = expect(&bob.post("/portal/applications/boats/oauthClients", &wanted).await, 201);
    let id = text(&made, "id");

    let back = "http://127.0.0.1:51004/back";
    let browser = Browser::new(&gateway);
    let asked = browser.log_in(&asks(id, back, "&scope=openid+read"), "ada").await;
    for shown in ["Our Bank", "nobody here has checked"] {
        assert!(asked.text().contains(shown), "{shown} is not in {}", asked.text());
    }
    let code = answer(&browser.submit(&asked, "decision=allow").await, "code").expect("a code");
    let fields = |verifier: &str| {
        format!(
            "grant_type=authorization_code&client_id={id}&code={code}&redirect_uri={back}&code_verifier={verifier}"
        )
    };
    let issued = expect(&gateway.issuer(form("/token", &fields(VERIFIER))).await, 200);
    assert!(issued["refresh_token"].is_string() && issued["id_token"].is_string(), "{issued}");

    let gone = bob.delete(&format!("/portal/applications/boats/oauthClients/{id}")).await;
    assert_eq!(gone.status(), 204);
    assert_eq!(calls(&gateway, text(&issued, "access_token")).await.reason(), "token_inactive");
    assert_eq!(browser.open(&asks(id, back, "")).await.status(), 400, "users are told that it is gone");
    let of_ada = gateway.admin("ada", PASSWORD);
    assert_eq!(expect(&of_ada.get("/portal/consents").await, 200)["items"], json!([]));
}
