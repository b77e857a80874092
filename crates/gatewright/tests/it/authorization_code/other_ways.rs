//! Requests that are pushed, devices, tokens for tokens, tokens that are bound to keys, and what users take back.

use std::cell::Cell;

use base64ct::{Base64UrlUnpadded, Encoding};
use testkit::{MINUTE, SECOND, Signer, Value, get, json, sha256};

use super::{
    Browser, PASSWORD, SECRET, VERIFIER, answer, asks, calls, claims, form, redeem, shop, started, text,
};
use crate::manager::expect;

#[tokio::test]
async fn what_a_client_has_pushed_nobody_changes_on_the_way() {
    let gateway = started().await;
    let browser = Browser::new(&gateway);
    let push =
        async |client: &str, fields: &str| gateway.issuer(form("/par", fields).basic(client, SECRET)).await;
    for (client, fields, error) in [
        ("shop", shop("&scope=admin"), "invalid_scope"),
        ("shop", asks("shop", "https://evil.example", ""), "invalid_request"),
        ("shop", asks("own", "https://own.example/a", ""), "invalid_request"),
        ("shop", shop("&request_uri=urn:x"), "invalid_request"),
        ("robot", asks("robot", "https://robot.example/back", ""), "unauthorized_client"),
    ] {
        assert_eq!(expect(&push(client, &fields).await, 400)["error"], error, "{fields}");
    }
    let nobody = gateway.issuer(form("/par", &shop(""))).await;
    assert_eq!(expect(&nobody, 401)["error"], "invalid_client");
    let pushed = expect(&push("shop", &shop("&scope=read&prompt=login")).await, 201);
    assert_eq!(pushed["expires_in"], 600);
    let query = format!("client_id=shop&request_uri={}", text(&pushed, "request_uri"));
    // Whatever else the address says does not count.
    let code = browser
        .code(&format!("{query}&scope=write&prompt=none&redirect_uri=https://evil.example"), "ada")
        .await;
    let issued = expect(&redeem(&gateway, &code).await, 200);
    assert_eq!(issued["scope"], "read");
    assert_eq!(browser.open(&query).await.status(), 400, "it is good for one code");
    gateway.advance(SECOND);
    let later = expect(&push("shop", &shop("&scope=read&prompt=login")).await, 201);
    let later = browser.open(&format!("client_id=shop&request_uri={}", text(&later, "request_uri"))).await;
    assert!(later.text().contains("type=\"password\""), "the login was before this request");
    for wrong in
        [query.replace("client_id=shop", "client_id=own"), query.replace("request_uri:", "request_uri:x")]
    {
        let refused = browser.open(&wrong).await;
        assert_eq!((refused.status(), refused.header("location")), (400, ""), "{wrong}");
    }
    gateway.advance(MINUTE * 10);
    assert_eq!(browser.open(&query).await.status(), 400, "it is over");
    let strict = browser.open(&asks("strict", "https://strict.example/back", "")).await;
    assert_eq!(answer(&strict, "error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn a_service_exchanges_a_token_for_one_that_may_no_more_and_lasts_no_longer() {
    let gateway = started().await;
    let code = Browser::new(&gateway).code(&shop("&scope=openid+read"), "ada").await;
    let issued = expect(&redeem(&gateway, &code).await, 200);
    let token = text(&issued, "access_token");
    let kind = "urn:ietf:params:oauth:token-type:access_token";
    let exchange = async |client: &str, fields: &str| {
        let grant = "grant_type=urn:ietf:params:oauth:grant-type:token-exchange";
        gateway.issuer(form("/token", &format!("{grant}&{fields}")).basic(client, SECRET)).await
    };
    let right = format!("subject_token={token}&subject_token_type={kind}");
    for (what, client, fields, error) in [
        ("not allowed", "shop", right.clone(), "unauthorized_client"),
        ("no token", "service", format!("subject_token_type={kind}"), "invalid_request"),
        ("no type", "service", format!("subject_token={token}"), "invalid_request"),
        ("another type", "service", right.replace("access_token", "refresh_token"), "invalid_request"),
        ("an actor", "service", format!("{right}&actor_token=x"), "invalid_request"),
        (
            "a refresh token",
            "service",
            format!("{right}&requested_token_type=urn:ietf:params:oauth:token-type:refresh_token"),
            "invalid_request",
        ),
        ("made up", "service", format!("subject_token=gwa_x&subject_token_type={kind}"), "invalid_grant"),
        (
            "a refresh token",
            "service",
            format!("subject_token={}&subject_token_type={kind}", text(&issued, "refresh_token")),
            "invalid_grant",
        ),
        ("more scopes", "service", format!("{right}&scope=write"), "invalid_scope"),
        ("scopes of nobody", "service", format!("{right}&scope=admin"), "invalid_scope"),
        ("for others", "service", format!("{right}&audience=https://other.example"), "invalid_target"),
    ] {
        assert_eq!(expect(&exchange(client, &fields).await, 400)["error"], error, "{what}");
    }
    gateway.advance(MINUTE * 30);
    let given = expect(&exchange("service", &format!("{right}&scope=read")).await, 200);
    assert_eq!((&given["scope"], &given["issued_token_type"]), (&json!("read"), &json!(kind)));
    assert!(given["expires_in"].as_u64().is_some_and(|left| left <= 1_800), "{given}");
    assert_eq!(given.get("refresh_token"), None);
    let called = calls(&gateway, text(&given, "access_token")).await;
    assert_eq!(called.status(), 200);
    let asked = form("/introspect", &format!("token={}", text(&given, "access_token")));
    let known = expect(&gateway.issuer(asked.basic("shop", SECRET)).await, 200);
    assert_eq!((&known["username"], &known["client_id"]), (&json!("ada"), &json!("service")));
    // It ends with what it came from.
    assert_eq!(expect(&redeem(&gateway, &code).await, 400)["error"], "invalid_grant");
    let revoke = form("/revoke", &format!("token={}", text(&issued, "refresh_token"))).basic("shop", SECRET);
    assert_eq!(gateway.issuer(revoke).await.status(), 200);
    assert_eq!(calls(&gateway, text(&given, "access_token")).await.reason(), "token_inactive");
    assert_eq!(expect(&exchange("service", &right).await, 400)["error"], "invalid_grant");
}

#[tokio::test]
async fn a_device_shows_a_code_which_a_user_types_elsewhere() {
    let gateway = started().await;
    let begin = async || {
        let begun = gateway.issuer(form("/device_authorization", "client_id=tv&scope=openid+read")).await;
        expect(&begun, 200)
    };
    let codes = begin().await;
    assert_eq!((&codes["interval"], &codes["expires_in"]), (&json!(5), &json!(600)));
    let user_code = text(&codes, "user_code").to_owned();
    let page = format!("/oauth/device?user_code={user_code}");
    assert_eq!(text(&codes, "verification_uri_complete"), format!("http://localhost{page}"));
    let poll = async |codes: &Value| {
        gateway.advance(SECOND * 5);
        let grant = "grant_type=urn:ietf:params:oauth:grant-type:device_code&client_id=tv";
        gateway.issuer(form("/token", &format!("{grant}&device_code={}", text(codes, "device_code")))).await
    };
    let error = async |codes: &Value| expect(&poll(codes).await, 400)["error"].as_str().map(str::to_owned);
    assert_eq!(error(&codes).await.as_deref(), Some("authorization_pending"));

    let browser = Browser::new(&gateway);
    let login = browser.send(get("/oauth/device")).await;
    assert!(login.text().contains("type=\"password\"") && !login.text().contains("Television"));
    let in_page =
        browser.submit(&login, &format!("username=ada&password={}", PASSWORD.replace(' ', "+"))).await;
    let form_page = browser.follow(&in_page).await;
    assert!(form_page.text().contains("name=\"user_code\""), "{}", form_page.text());
    let unknown = browser.send(get("/oauth/device?user_code=BBBB-BBBB")).await;
    assert!(unknown.text().contains("role=\"alert\""));
    // However somebody types it.
    let typed = page.replace(&user_code, &user_code.to_lowercase().replace('-', "+"));
    let asked = browser.send(get(&typed)).await;
    assert!(asked.text().contains("<strong>Television</strong>") && asked.text().contains("read your"));
    let forged = browser.send(form("/device?user_code=x", "decision=allow&csrf=x")).await;
    assert!(forged.text().contains("role=\"alert\""));
    assert_eq!(error(&codes).await.as_deref(), Some("authorization_pending"));
    let done = browser.submit(&asked, "decision=allow").await;
    assert!(done.text().contains("The device is connected"), "{}", done.text());
    let again = browser.send(get(&typed)).await;
    assert!(again.text().contains("role=\"alert\""), "the code is used up");

    let issued = expect(&poll(&codes).await, 200);
    assert_eq!(calls(&gateway, text(&issued, "access_token")).await.status(), 200);
    let id = claims(&gateway, text(&issued, "id_token")).await;
    assert_eq!(id["aud"], "tv");
    assert_eq!(error(&codes).await.as_deref(), Some("invalid_grant"), "it is good for once");

    let denied = begin().await;
    let asked = browser.send(get(&format!("/oauth/device?user_code={}", text(&denied, "user_code")))).await;
    browser.submit(&asked, "decision=deny").await;
    assert_eq!(error(&denied).await.as_deref(), Some("access_denied"));

    let hasty = begin().await;
    assert_eq!(error(&hasty).await.as_deref(), Some("authorization_pending"));
    let grant = "grant_type=urn:ietf:params:oauth:grant-type:device_code";
    let fields = format!("{grant}&device_code={}", text(&hasty, "device_code"));
    let soon = gateway.issuer(form("/token", &format!("{fields}&client_id=tv"))).await;
    assert_eq!(expect(&soon, 400)["error"], "slow_down");
    let foreign = gateway.issuer(form("/token", &fields).basic("shop", SECRET)).await;
    assert_eq!(expect(&foreign, 400)["error"], "unauthorized_client");
    gateway.advance(MINUTE * 10);
    assert_eq!(error(&hasty).await.as_deref(), Some("expired_token"));
    let none = gateway.issuer(form("/device_authorization", "client_id=shop").basic("shop", SECRET)).await;
    assert_eq!(expect(&none, 400)["error"], "unauthorized_client");
}

#[tokio::test]
async fn whoever_guesses_codes_of_devices_is_not_told_which_is_right() {
    let gateway = started().await;
    let browser = Browser::new(&gateway);
    browser.code(&shop(""), "ada").await;
    let begun = gateway.issuer(form("/device_authorization", "client_id=tv")).await;
    let page = format!("/oauth/device?user_code={}", text(&expect(&begun, 200), "user_code"));
    let is_told = async || browser.send(get(&page)).await.text().contains("Television");
    for guess in 0..10 {
        assert!(is_told().await, "after {guess} guesses");
        browser.send(get(&format!("/oauth/device?user_code=BBBB-BBB{}", char::from(b'B' + guess)))).await;
    }
    assert!(!is_told().await);
    gateway.advance(MINUTE * 9);
    assert!(!is_told().await, "not so soon");
    let bob = Browser::new(&gateway);
    bob.code(&shop(""), "bob").await;
    assert!(bob.send(get(&page)).await.text().contains("Television"), "others are not held up");
}

#[tokio::test]
async fn tokens_of_a_client_with_a_key_are_good_for_whoever_has_the_key() {
    let gateway = started().await;
    let (key, other) = (Signer::es256("k"), Signer::es256("k"));
    let numbers = Cell::new(0);
    let proof = |signer: &Signer, url: &str, changed: Value| {
        numbers.set(numbers.get() + 1);
        let mut claims = json!({ "jti": numbers.get().to_string(), "htm": "POST", "htu": url, "iat": gateway.clock().now().seconds() });
        for (name, value) in changed.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        signer.sign(&json!({ "typ": "dpop+jwt", "jwk": signer.jwk(), "kid": null }), &claims)
    };
    const URL: &str = "http://localhost/oauth/token";
    let browser = Browser::new(&gateway);
    let redirect = "http://127.0.0.1/back";
    let redeem = async |code: &str, proof: &str| {
        let fields = format!(
            "grant_type=authorization_code&client_id=app&code={code}&redirect_uri={redirect}&code_verifier={VERIFIER}"
        );
        gateway.issuer(form("/token", &fields).header("dpop", proof)).await
    };
    let jkt = jose::thumbprint(key.jwk().as_object().expect("an object")).expect("a thumbprint");
    let code = browser.code(&asks("app", redirect, &format!("&scope=openid&dpop_jkt={jkt}")), "ada").await;
    let used = proof(&key, URL, json!({}));
    for (what, proof) in [
        ("another key", proof(&other, URL, json!({}))),
        ("another URL", proof(&key, "http://localhost/oauth/revoke", json!({}))),
        ("another method", proof(&key, URL, json!({ "htm": "GET" }))),
        ("too old", proof(&key, URL, json!({ "iat": gateway.clock().now().seconds() - 61 }))),
        ("no id", proof(&key, URL, json!({ "jti": null }))),
        ("none", "x".to_owned()),
    ] {
        assert_eq!(expect(&redeem(&code, &proof).await, 400)["error"], "invalid_dpop_proof", "{what}");
    }
    let issued = expect(&redeem(&code, &used).await, 200);
    assert_eq!(issued["token_type"], "DPoP");
    let refresh = async |token: &str, proof: Option<String>| {
        let mut request =
            form("/token", &format!("grant_type=refresh_token&client_id=app&refresh_token={token}"));
        if let Some(proof) = proof {
            request = request.header("dpop", &proof);
        }
        gateway.issuer(request).await
    };
    let token = text(&issued, "refresh_token");
    for (what, proof) in
        [("none", None), ("another key", Some(proof(&other, URL, json!({})))), ("shown before", Some(used))]
    {
        assert_eq!(expect(&refresh(token, proof).await, 400)["error"], "invalid_dpop_proof", "{what}");
    }
    let issued = expect(&refresh(token, Some(proof(&key, URL, json!({})))).await, 200);
    let token = text(&issued, "access_token");
    assert_eq!(calls(&gateway, token).await.reason(), "token_not_bound", "found by somebody");
    let hash = Base64UrlUnpadded::encode_string(&sha256(token));
    let at_api =
        proof(&key, &format!("http://{}/a", gateway.address()), json!({ "htm": "GET", "ath": hash }));
    let called = get("/a").header("authorization", &format!("DPoP {token}")).header("dpop", &at_api);
    let called = gateway.send(called).await;
    assert_eq!(called.status(), 200, "{}", called.text());
    let known = form("/introspect", &format!("token={token}")).basic("shop", SECRET);
    let known = expect(&gateway.issuer(known).await, 200);
    assert_eq!((&known["token_type"], &known["cnf"]["jkt"]), (&json!("DPoP"), &json!(jkt)));
    let userinfo =
        |scheme: &str| get("/oauth/userinfo").header("authorization", &format!("{scheme} {token}"));
    assert_eq!(gateway.issuer(userinfo("Bearer")).await.status(), 401);
    let at_userinfo = proof(&key, "http://localhost/oauth/userinfo", json!({ "htm": "GET", "ath": hash }));
    expect(&gateway.issuer(userinfo("DPoP").header("dpop", &at_userinfo)).await, 200);
    let required = form("/token", "grant_type=client_credentials").basic("bound", SECRET);
    assert_eq!(expect(&gateway.issuer(required).await, 400)["error"], "invalid_dpop_proof");
}

#[tokio::test]
async fn users_see_what_they_have_allowed_and_take_it_back() {
    let gateway = started().await;
    let browser = Browser::new(&gateway);
    let code = browser.code(&shop("&scope=openid+read"), "ada").await;
    let issued = expect(&redeem(&gateway, &code).await, 200);
    let unused = answer(&browser.open(&shop("&scope=read")).await, "code").expect("nobody is asked again");
    Browser::new(&gateway).code(&shop("&scope=write"), "bob").await;
    let ada = gateway.admin("ada", PASSWORD);
    let allowed = expect(&ada.get("/portal/consents").await, 200);
    let first = &allowed["items"][0];
    assert_eq!(allowed["items"].as_array().map(Vec::len), Some(1), "{allowed}");
    assert_eq!((&first["client"], &first["name"]), (&json!("shop"), &json!("The \"Shop\" & more")));
    assert_eq!(
        first["scopes"],
        json!([{ "name": "openid" }, { "name": "read", "meaning": "read your <orders>" }])
    );
    assert_eq!(expect(&ada.get("/portal/consents?after=shop").await, 200)["items"], json!([]));
    assert_eq!(ada.delete("/portal/consents/nothing").await.status(), 404);
    assert_eq!(ada.delete("/portal/consents/shop").await.status(), 204);
    assert_eq!(calls(&gateway, text(&issued, "access_token")).await.reason(), "token_inactive");
    assert_eq!(expect(&redeem(&gateway, &unused).await, 400)["error"], "invalid_grant");
    assert_eq!(browser.open(&shop("&scope=read")).await.status(), 200, "the user is asked again");
    let bob = gateway.admin("bob", PASSWORD);
    assert_eq!(expect(&bob.get("/portal/consents").await, 200)["items"][0]["client"], "shop");
    assert_eq!(expect(&ada.get("/portal/consents").await, 200)["items"], json!([]));
}
