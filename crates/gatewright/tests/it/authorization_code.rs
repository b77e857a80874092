//! Users log in at the authorization server and allow clients things: the authorization code with PKCE, OpenID Connect,
//! and everything that somebody might try instead.

use std::{cell::RefCell, collections::BTreeMap, ops::Deref};

use base64ct::{Base64UrlUnpadded, Encoding};
use testkit::{
    Config, Gateway, MINUTE, Request, Response, SECOND, Upstream, Value, api, body, config::hash, get, json,
    request, sha256,
};

use crate::manager::{expect, managed};

mod other_ways;
mod registered;
mod second_factor;

const SECRET: &str = "a-long-random-secret-of-the-shop-0123456789";
const VERIFIER: &str = "a-verifier-that-nobody-guesses-0123456789-abcdef";
const PASSWORD: &str = "correct horse battery";

fn config(upstream: &Upstream) -> Config {
    let people = json!(["authorizationCode", "refreshToken"]);
    let scopes = json!(["openid", "profile", "email", "groups", "read", "write"]);
    let secrets = json!([{ "hash": hash(SECRET) }]);
    managed()
        .setting(
            "authorizationServer",
            json!({ "issuer": "http://localhost/oauth", "address": "127.0.0.1:0", "signingAlgorithm": "ES256" }),
        )
        .append(
            "authorizationServers",
            json!({ "name": "local", "internal": true, "scopes": [
                { "name": "read", "description": "read your <orders>" }, { "name": "write" },
            ]}),
        )
        .append(
            "applications",
            json!({ "name": "shop", "apis": ["a"], "oauthClients": [
                { "id": "shop", "name": "The \"Shop\" & more", "secrets": secrets, "grantTypes": people, "scopes": scopes,
                  "redirectUris": ["https://shop.example/back"],
                  "postLogoutRedirectUris": ["https://shop.example/bye?x=y"] },
                { "id": "app", "authentication": "none", "grantTypes": people, "scopes": scopes,
                  "redirectUris": ["http://127.0.0.1/back", "com.example.app:/back"] },
                { "id": "own", "secrets": secrets, "grantTypes": people, "scopes": scopes, "skipConsent": true,
                  "allowWithoutPkce": true, "tokenFormat": "jwt",
                  "redirectUris": ["https://own.example/a", "https://own.example/b"] },
                { "id": "strict", "secrets": secrets, "grantTypes": people, "requirePushedRequests": true,
                  "redirectUris": ["https://strict.example/back"] },
                { "id": "tv", "name": "Television", "authentication": "none", "scopes": scopes,
                  "grantTypes": ["deviceCode", "refreshToken"] },
                { "id": "bound", "secrets": secrets, "requireDpop": true },
                { "id": "service", "secrets": secrets, "grantTypes": ["tokenExchange"], "scopes": scopes },
                { "id": "robot", "secrets": secrets, "redirectUris": ["https://robot.example/back"] },
            ]}),
        )
        .api(
            api("/a", upstream)
                .policy("identifyAndAuthorize", json!({ "rules": [{ "type": "oauth2Token" }] })),
        )
}

/// The gateway, with the users ada and bob. Its upstream lives as long as it does.
async fn started() -> Started {
    let upstream = Upstream::echo().start().await;
    let gateway = Gateway::serving(config(&upstream)).await;
    let admin = gateway.administrator();
    let ada =
        json!({ "name": "ada", "firstName": "Ada", "lastName": "Lovelace", "email": "ada@example.com" });
    for user in [ada, json!({ "name": "bob" })] {
        expect(&admin.post("/users", &user).await, 201);
        let path = format!("/users/{}/password", user["name"].as_str().expect("a name"));
        let put = admin.send(testkit::json_request("PUT", &path, &json!({ "password": PASSWORD }))).await;
        assert!(put.status() < 300, "{}", put.text());
    }
    Started { gateway, _upstream: upstream }
}

struct Started {
    gateway: Gateway,
    _upstream: Upstream,
}

impl Deref for Started {
    type Target = Gateway;

    fn deref(&self) -> &Gateway {
        &self.gateway
    }
}

/// What people use: it keeps cookies, and sends forms as pages have them.
struct Browser<'g> {
    gateway: &'g Gateway,
    cookies: RefCell<BTreeMap<String, String>>,
}

impl<'g> Browser<'g> {
    fn new(gateway: &'g Gateway) -> Self {
        Self { gateway, cookies: RefCell::default() }
    }

    async fn send(&self, mut request: Request) -> Response {
        let cookies: Vec<_> =
            self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header("cookie", &cookies.join("; "));
        }
        let response = self.gateway.issuer(request).await;
        for cookie in response.headers().get_all("set-cookie") {
            let text = cookie.to_str().expect("a text");
            assert!(text.contains("; Path=/oauth; HttpOnly; SameSite=Lax"), "{text}");
            let (name, value) =
                text.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
        }
        response
    }

    async fn open(&self, query: &str) -> Response {
        self.send(get(&format!("/oauth/authorize?{query}"))).await
    }

    /// Sends the form of a page with these fields besides those that are hidden.
    async fn submit(&self, page: &Response, fields: &str) -> Response {
        let html = page.text();
        let action = between(&html, "action=\".", "\"").replace("&#38;", "&");
        let csrf = between(&html, "name=\"csrf\" value=\"", "\"");
        self.send(form(&action, &format!("csrf={csrf}&{fields}"))).await
    }

    /// Goes on to where the browser is sent on the server itself.
    async fn follow(&self, response: &Response) -> Response {
        assert_eq!(response.status(), 303, "{}", response.text());
        self.send(get(response.header("location"))).await
    }

    async fn log_in(&self, query: &str, user: &str) -> Response {
        let page = self.open(query).await;
        assert_eq!(page.status(), 200, "{}", page.text());
        let sent =
            self.submit(&page, &format!("username={user}&password={}", PASSWORD.replace(' ', "+"))).await;
        self.follow(&sent).await
    }

    /// The whole way to a code.
    async fn code(&self, query: &str, user: &str) -> String {
        let mut response = self.log_in(query, user).await;
        if response.status() == 200 {
            response = self.submit(&response, "decision=allow").await;
        }
        answer(&response, "code").unwrap_or_else(|| panic!("no code: {}", response.header("location")))
    }
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let start = text.find(before).unwrap_or_else(|| panic!("{before} is not in {text}")) + before.len();
    let end = text[start..].find(after).expect("it ends");
    &text[start..start + end]
}

fn form(path: &str, fields: &str) -> Request {
    request("POST", &format!("/oauth{path}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body::full(fields.to_owned()))
}

/// What the client is told in the address that the browser is sent to.
fn answer(response: &Response, name: &str) -> Option<String> {
    assert_eq!(response.status(), 303, "{}", response.text());
    let (_, query) = response.header("location").split_once('?')?;
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find_map(|(known, value)| (known == name).then(|| value.to_owned()))
}

fn challenge() -> String {
    Base64UrlUnpadded::encode_string(&sha256(VERIFIER))
}

/// A request that is right; more parameters follow.
fn asks(client: &str, redirect: &str, more: &str) -> String {
    let challenge = challenge();
    format!(
        "response_type=code&client_id={client}&redirect_uri={redirect}&code_challenge={challenge}&\
         code_challenge_method=S256&state=s1{more}"
    )
}

const SHOP: &str = "https://shop.example/back";

fn shop(more: &str) -> String {
    asks("shop", SHOP, more)
}

async fn redeem(gateway: &Gateway, code: &str) -> Response {
    let fields =
        format!("grant_type=authorization_code&code={code}&redirect_uri={SHOP}&code_verifier={VERIFIER}");
    gateway.issuer(form("/token", &fields).basic("shop", SECRET)).await
}

fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer[name].as_str().unwrap_or_else(|| panic!("{name} is missing in {answer}"))
}

/// The claims of a token that the server has signed.
async fn claims(gateway: &Gateway, token: &str) -> Value {
    let keys = gateway.issuer(get("/oauth/jwks")).await;
    let (keys, _) = jose::KeySet::of_jwks(keys.bytes()).expect("it is a JWK Set");
    let token = jose::Compact::parse(token).expect("it is a token");
    keys.verify(&token, &[jose::Algorithm::Es256]).expect("it is signed by the server");
    Value::Object(token.claims().expect("it has claims"))
}

async fn calls(gateway: &Gateway, token: &str) -> Response {
    gateway.send(get("/a").header("authorization", &format!("Bearer {token}"))).await
}

#[tokio::test]
async fn a_user_logs_in_allows_what_a_client_asks_for_and_the_client_acts_for_the_user() {
    let gateway = started().await;
    let browser = Browser::new(&gateway);
    let query = shop("&scope=openid+profile+email+read&nonce=n%2D1");
    let page = browser.open(&query).await;
    assert!(page.text().contains("The &#34;Shop&#34; &#38; more"), "{}", page.text());
    for (name, wanted) in [
        ("cache-control", "no-store"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("content-type", "text/html; charset=utf-8"),
    ] {
        assert_eq!(page.header(name), wanted);
    }
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains("default-src 'none'") && policy.contains("form-action 'self' https://shop.example;")
    );

    let asked = browser.log_in(&query, "ada").await;
    let html = asked.text();
    for shown in [
        "read your &#60;orders&#62; <small>read</small>",
        "see your name",
        "<strong>ada</strong>",
        "https://shop.example",
    ] {
        assert!(html.contains(shown), "{shown} is not in {html}");
    }
    let back = browser.submit(&asked, "decision=allow").await;
    assert!(back.header("location").starts_with("https://shop.example/back?code=gwc_"));
    assert_eq!(answer(&back, "state").as_deref(), Some("s1"));
    assert_eq!(answer(&back, "iss").as_deref(), Some("http%3A%2F%2Flocalhost%2Foauth"));

    let issued = expect(&redeem(&gateway, &answer(&back, "code").expect("a code")).await, 200);
    assert_eq!(issued["scope"], "openid profile email read");
    let id = claims(&gateway, text(&issued, "id_token")).await;
    for (name, wanted) in [
        ("iss", "http://localhost/oauth"),
        ("aud", "shop"),
        ("nonce", "n-1"),
        ("preferred_username", "ada"),
        ("name", "Ada Lovelace"),
        ("email", "ada@example.com"),
    ] {
        assert_eq!(id[name], wanted, "{id}");
    }
    assert!(id["auth_time"].is_u64() && id.get("groups").is_none(), "{id}");
    let of_token = &sha256(text(&issued, "access_token"))[..16];
    assert_eq!(id["at_hash"], Base64UrlUnpadded::encode_string(of_token));

    let called = calls(&gateway, text(&issued, "access_token")).await;
    assert_eq!(called.status(), 200, "{}", called.text());
    assert_eq!(gateway.explain(&called).await.application.as_deref(), Some("shop"));
    let userinfo =
        get("/oauth/userinfo").header("authorization", &format!("Bearer {}", text(&issued, "access_token")));
    let told = expect(&gateway.issuer(userinfo).await, 200);
    assert_eq!((&told["sub"], &told["email"]), (&id["sub"], &json!("ada@example.com")));

    // What was allowed once is not asked again, unless the client wants more or wants it asked.
    let again = browser.open(&query).await;
    assert!(answer(&again, "code").is_some());
    for more in ["&scope=openid+write", "&scope=openid&prompt=consent"] {
        assert_eq!(browser.open(&shop(more)).await.status(), 200, "{more}");
    }
    let refresh = format!("grant_type=refresh_token&refresh_token={}", text(&issued, "refresh_token"));
    gateway.advance(MINUTE);
    let refreshed = expect(&gateway.issuer(form("/token", &refresh).basic("shop", SECRET)).await, 200);
    let later = claims(&gateway, text(&refreshed, "id_token")).await;
    assert_eq!((&later["auth_time"], &later["sub"]), (&id["auth_time"], &id["sub"]));
    assert_eq!(later.get("nonce"), None);
}

#[tokio::test]
async fn a_code_is_good_for_once_and_shown_again_it_ends_what_it_gave() {
    let gateway = started().await;
    let code = Browser::new(&gateway).code(&shop("&scope=read"), "ada").await;
    let issued = expect(&redeem(&gateway, &code).await, 200);
    assert_eq!(issued.get("id_token"), None, "nobody asked for openid");
    assert_eq!(calls(&gateway, text(&issued, "access_token")).await.status(), 200);
    assert_eq!(expect(&redeem(&gateway, &code).await, 400)["error"], "invalid_grant");
    assert_eq!(calls(&gateway, text(&issued, "access_token")).await.reason(), "token_inactive");
    let refresh = format!("grant_type=refresh_token&refresh_token={}", text(&issued, "refresh_token"));
    let refused = gateway.issuer(form("/token", &refresh).basic("shop", SECRET)).await;
    assert_eq!(expect(&refused, 400)["error"], "invalid_grant");
}

#[tokio::test]
async fn of_two_who_show_a_code_at_once_no_more_than_one_gets_tokens_and_none_keeps_them() {
    let gateway = started().await;
    let code = Browser::new(&gateway).code(&shop("&scope=read"), "ada").await;
    let (one, other) = tokio::join!(redeem(&gateway, &code), redeem(&gateway, &code));
    let issued: Vec<_> = [&one, &other].into_iter().filter(|response| response.status() == 200).collect();
    assert!(issued.len() <= 1, "{} {}", one.text(), other.text());
    for response in issued {
        assert_eq!(calls(&gateway, text(&response.json(), "access_token")).await.reason(), "token_inactive");
    }
}

#[tokio::test]
async fn a_code_is_for_the_client_the_address_and_the_verifier_that_it_was_made_for() {
    let gateway = started().await;
    let browser = Browser::new(&gateway);
    let code = browser.code(&shop("&scope=read"), "ada").await;
    let right = format!("redirect_uri={SHOP}&code_verifier={VERIFIER}");
    for (what, client, fields) in [
        ("another client", "own", right.clone()),
        ("another address", "shop", format!("redirect_uri=https://shop.example/&code_verifier={VERIFIER}")),
        ("no address", "shop", format!("code_verifier={VERIFIER}")),
        ("another verifier", "shop", format!("redirect_uri={SHOP}&code_verifier={VERIFIER}0")),
        ("the challenge", "shop", format!("redirect_uri={SHOP}&code_verifier={}", challenge())),
        ("no verifier", "shop", format!("redirect_uri={SHOP}")),
    ] {
        let fields = format!("grant_type=authorization_code&code={code}&{fields}");
        let refused = gateway.issuer(form("/token", &fields).basic(client, SECRET)).await;
        assert_eq!(expect(&refused, 400)["error"], "invalid_grant", "{what}");
    }
    expect(&redeem(&gateway, &code).await, 200);
    for made_up in ["gwc_x", "", "%00"] {
        assert_eq!(redeem(&gateway, made_up).await.status(), 400);
    }
    // It does not last, and ends with the user.
    let late = browser.open(&shop("&scope=read")).await;
    gateway.advance(MINUTE * 10 + SECOND);
    let refused = redeem(&gateway, &answer(&late, "code").expect("a code")).await;
    assert_eq!(expect(&refused, 400)["error"], "invalid_grant");
    let ended = browser.open(&shop("&scope=read")).await;
    assert!(gateway.administrator().delete("/users/ada").await.status() < 300);
    let refused = redeem(&gateway, &answer(&ended, "code").expect("a code")).await;
    assert_eq!(expect(&refused, 400)["error"], "invalid_grant");
}

#[tokio::test]
async fn a_client_that_does_without_pkce_cannot_be_given_a_code_that_was_made_with_it_and_the_other_way_round()
 {
    let gateway = started().await;
    let browser = Browser::new(&gateway);
    let own = "https://own.example/a";
    let plain = format!("response_type=code&client_id=own&redirect_uri={own}&scope=openid");
    let code = browser.code(&plain, "ada").await;
    let redeem = async |code: &str, more: &str| {
        let fields = format!("grant_type=authorization_code&code={code}&redirect_uri={own}{more}");
        gateway.issuer(form("/token", &fields).basic("own", SECRET)).await
    };
    let verifier = format!("&code_verifier={VERIFIER}");
    assert_eq!(expect(&redeem(&code, &verifier).await, 400)["error"], "invalid_grant", "it was made without");
    let issued = expect(&redeem(&code, "").await, 200);
    let access = claims(&gateway, text(&issued, "access_token")).await;
    assert_eq!((&access["username"], &access["client_id"]), (&json!("ada"), &json!("own")));
    let with = browser.open(&asks("own", own, "&scope=openid")).await;
    let code = answer(&with, "code").expect("nobody is asked");
    assert_eq!(expect(&redeem(&code, "").await, 400)["error"], "invalid_grant", "it was made with");
    assert_eq!(redeem(&code, &verifier).await.status(), 200);
}

#[tokio::test]
async fn nobody_is_sent_to_an_address_that_is_not_the_clients() {
    let gateway = started().await;
    let browser = Browser::new(&gateway);
    for query in [
        String::new(),
        asks("nobody", SHOP, ""),
        asks("shop", "https://evil.example/back", ""),
        asks("shop", "https://shop.example/back/", ""),
        asks("shop", "https://shop.example/back%3Fx=y", ""),
        asks("shop", "https://shop.example@evil.example/back", ""),
        asks("shop", "https://own.example/a", ""),
        asks("shop", "javascript:alert(1)", ""),
        asks("shop", &format!("{SHOP}&redirect_uri=https://evil.example"), ""),
        asks("app", "http://127.0.0.1.evil.example/back", ""),
        asks("app", "http://127.0.0.1:1@evil.example/back", ""),
        "response_type=code&client_id=own&code_challenge_method=S256".to_owned(),
        "response_type=code&client_id=shop&scope=openid".to_owned(),
    ] {
        for path in ["authorize", "login", "consent"] {
            let request = match path {
                "authorize" => get(&format!("/oauth/authorize?{query}")),
                _ => form(&format!("/{path}?{query}"), "username=ada&password=x&decision=allow"),
            };
            let refused = browser.send(request).await;
            assert_eq!((refused.status(), refused.header("location")), (400, ""), "{path}?{query}");
            assert!(refused.header("content-type").starts_with("text/html"));
            assert!(!refused.text().contains("evil.example"), "what somebody else wrote is not shown");
        }
    }
}

#[tokio::test]
async fn what_else_is_wrong_is_told_to_the_client() {
    let gateway = started().await;
    let browser = Browser::new(&gateway);
    let (c, s) = (challenge(), format!("redirect_uri={SHOP}&client_id=shop&state=%26%3Cx"));
    for (query, wanted) in [
        (s.clone(), "invalid_request"),
        (format!("{s}&response_type=token"), "unsupported_response_type"),
        (format!("{s}&response_type=code+id_token"), "unsupported_response_type"),
        (format!("{s}&response_type=code"), "invalid_request"),
        (format!("{s}&response_type=code&code_challenge={c}"), "invalid_request"),
        (format!("{s}&response_type=code&code_challenge={c}&code_challenge_method=plain"), "invalid_request"),
        (
            format!("{s}&response_type=code&code_challenge=short&code_challenge_method=S256"),
            "invalid_request",
        ),
        (format!("{s}&response_type=code&code_challenge_method=S256"), "invalid_request"),
        (shop("&scope=admin"), "invalid_scope"),
        (shop("&scope=openid+admin"), "invalid_scope"),
        (shop("&scope=%0d%0aSet-Cookie:x"), "invalid_scope"),
        (shop("&response_mode=fragment"), "invalid_request"),
        (shop("&request=eyJ"), "request_not_supported"),
        (shop("&request_uri=https://evil.example"), "request_uri_not_supported"),
        (shop("&prompt=none+login"), "invalid_request"),
        (shop("&max_age=soon"), "invalid_request"),
        (shop("&prompt=none"), "login_required"),
        (asks("robot", "https://robot.example/back", ""), "unauthorized_client"),
    ] {
        let back = browser.open(&query).await;
        assert_eq!(answer(&back, "error").as_deref(), Some(wanted), "{query}: {}", back.header("location"));
        assert!(answer(&back, "iss").is_some() && answer(&back, "code").is_none());
        if query.starts_with(&s) {
            assert_eq!(answer(&back, "state").as_deref(), Some("%26%3Cx"));
        }
    }
    let long = browser.open(&shop(&format!("&nonce={}", "x".repeat(2_001)))).await;
    assert_eq!(answer(&long, "error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn a_password_is_asked_by_our_own_page_and_for_nobody_else() {
    let gateway = started().await;
    let browser = Browser::new(&gateway);
    let page = browser.open(&shop("&login_hint=ada%22%3E")).await;
    assert!(page.text().contains("value=\"ada&#34;&#62;\""), "{}", page.text());
    let wrong = browser.submit(&page, "username=ada&password=wrong").await;
    assert_eq!(wrong.status(), 401);
    assert!(wrong.text().contains("role=\"alert\"") && !wrong.text().contains("wrong&#34;"));
    let nobody = browser.submit(&page, "username=nobody&password=wrong").await;
    assert_eq!(
        (nobody.status(), nobody.text().contains("is wrong")),
        (401, true),
        "whether there is such a user"
    );
    let right = format!("username=ada&password={}", PASSWORD.replace(' ', "+"));
    // Somebody else's page can send a form, too, though neither with our cookie nor with what goes with it.
    let action = between(&page.text(), "action=\".", "\"").replace("&#38;", "&");
    let other = Browser::new(&gateway);
    let csrf = between(&page.text(), "name=\"csrf\" value=\"", "\"").to_owned();
    for (browser, fields) in [(&other, format!("csrf={csrf}&{right}")), (&browser, right.clone())] {
        let refused = browser.send(form(&action, &fields)).await;
        assert_eq!(refused.status(), 400);
        assert!(!browser.cookies.borrow().contains_key("gatewright_login"));
    }
    let german = get(&format!("/oauth/authorize?{}", shop(""))).header("accept-language", "de-DE,de;q=0.9");
    let german = gateway.issuer(german).await;
    assert!(german.text().contains("<html lang=\"de\">") && german.text().contains("Passwort"));
    assert_eq!(browser.submit(&page, &right).await.status(), 303);

    let admin = gateway.administrator();
    expect(&admin.post("/users", &json!({ "name": "new" })).await, 201);
    let temporary = json!({ "password": PASSWORD, "temporary": true });
    let put = admin.send(testkit::json_request("PUT", "/users/new/password", &temporary)).await;
    assert!(put.status() < 300, "{}", put.text());
    let page = Browser::new(&gateway);
    let first = page.open(&shop("")).await;
    let must = page.submit(&first, &right.replace("ada", "new")).await;
    assert_eq!(must.status(), 403, "{}", must.text());
}

#[tokio::test]
async fn nobody_allows_anything_for_somebody_else_and_whoever_says_no_is_believed() {
    let gateway = started().await;
    let browser = Browser::new(&gateway);
    let page = browser.log_in(&shop("&scope=read"), "ada").await;
    let action = between(&page.text(), "action=\".", "\"").replace("&#38;", "&");
    for fields in ["decision=allow", "decision=allow&csrf=x", "csrf=x"] {
        let asked = browser.send(form(&action, fields)).await;
        assert_eq!((asked.status(), asked.header("location")), (200, ""), "{fields}");
    }
    let denied = browser.submit(&page, "decision=deny").await;
    assert_eq!(answer(&denied, "error").as_deref(), Some("access_denied"));
    assert_eq!(browser.open(&shop("&scope=read")).await.status(), 200, "nothing was allowed");
    let none = browser.open(&shop("&scope=read&prompt=none")).await;
    assert_eq!(answer(&none, "error").as_deref(), Some("consent_required"));
    // What ada is shown bob cannot allow in her place.
    let bob = Browser::new(&gateway);
    bob.log_in(&shop("&scope=read"), "bob").await;
    let csrf = between(&page.text(), "name=\"csrf\" value=\"", "\"").to_owned();
    let asked = bob.send(form(&action, &format!("csrf={csrf}&decision=allow"))).await;
    assert_eq!((asked.status(), asked.header("location")), (200, ""));
    // Without a login there is nothing to allow.
    let nobody = Browser::new(&gateway).send(form(&action, &format!("csrf={csrf}&decision=allow"))).await;
    assert!(nobody.header("location").starts_with("/oauth/authorize?"), "{}", nobody.header("location"));
}

#[tokio::test]
async fn a_program_of_the_user_without_a_secret_gets_a_port_of_its_own_and_the_user_is_always_asked() {
    let gateway = started().await;
    let browser = Browser::new(&gateway);
    let redirect = "http://127.0.0.1:51004/back";
    let code = browser.code(&asks("app", redirect, "&scope=openid"), "ada").await;
    let fields = |code: &str| {
        format!(
            "grant_type=authorization_code&client_id=app&code={code}&redirect_uri={redirect}&code_verifier={VERIFIER}"
        )
    };
    let issued = expect(&gateway.issuer(form("/token", &fields(&code))).await, 200);
    let again = browser.open(&asks("app", redirect, "&scope=openid")).await;
    assert_eq!(again.status(), 200, "whoever has this address may be anybody");
    let refresh =
        format!("grant_type=refresh_token&client_id=app&refresh_token={}", text(&issued, "refresh_token"));
    let refreshed = expect(&gateway.issuer(form("/token", &refresh)).await, 200);
    let foreign = form("/token", &fields("x").replace("client_id=app", "client_id=shop"));
    assert_eq!(expect(&gateway.issuer(foreign).await, 401)["error"], "invalid_client", "shop has a secret");
    let own = form("/token", "grant_type=client_credentials&client_id=app");
    assert_eq!(expect(&gateway.issuer(own).await, 400)["error"], "unauthorized_client");
    let asks_about =
        form("/introspect", &format!("client_id=app&token={}", text(&refreshed, "access_token")));
    assert_eq!(expect(&gateway.issuer(asks_about).await, 401)["error"], "invalid_client");
    let revoke = form("/revoke", &format!("client_id=app&token={}", text(&refreshed, "access_token")));
    assert_eq!(gateway.issuer(revoke).await.status(), 200);
    assert_eq!(calls(&gateway, text(&refreshed, "access_token")).await.reason(), "token_inactive");
    let asked = browser.open(&asks("app", "com.example.app:/back", "")).await;
    assert!(asked.header("content-security-policy").contains("form-action 'self' com.example.app:;"));
    let back = browser.submit(&asked, "decision=allow").await;
    assert!(back.header("location").starts_with("com.example.app:/back?code=gwc_"));
}

#[tokio::test]
async fn a_login_ends_with_time_with_a_new_password_with_the_user_and_when_the_client_wants_a_new_one() {
    let gateway = started().await;
    let query = asks("own", "https://own.example/a", "&scope=openid");
    let is_asked = async |browser: &Browser<'_>, more: &str| {
        let response = browser.open(&format!("{query}{more}")).await;
        response.status() == 200 && response.text().contains("type=\"password\"")
    };
    let browser = Browser::new(&gateway);
    browser.code(&query, "ada").await;
    assert!(!is_asked(&browser, "").await);
    for more in ["&prompt=login", "&prompt=select_account"] {
        assert!(is_asked(&browser, more).await, "{more}");
    }
    gateway.advance(MINUTE);
    assert!(!is_asked(&browser, "&max_age=60").await && is_asked(&browser, "&max_age=59").await);
    // It is asked once, and not again and again.
    for more in ["&prompt=login", "&max_age=0"] {
        gateway.advance(SECOND);
        browser.code(&format!("{query}{more}"), "ada").await;
    }
    let before = browser.cookies.borrow().clone();
    browser.code(&format!("{query}&prompt=login"), "bob").await;
    assert_ne!(before["gatewright_login"], browser.cookies.borrow()["gatewright_login"]);
    let stale = Browser { gateway: &gateway, cookies: RefCell::new(before) };
    assert!(is_asked(&stale, "").await, "the login before is over");

    let admin = gateway.administrator();
    let ada = Browser::new(&gateway);
    ada.code(&query, "ada").await;
    let put = json!({ "password": "another horse battery" });
    assert!(admin.send(testkit::json_request("PUT", "/users/ada/password", &put)).await.status() < 300);
    assert!(is_asked(&ada, "").await, "the password is another one");
    assert!(!is_asked(&browser, "").await, "bob's is not");
    gateway.advance(MINUTE * 60 * 8);
    assert!(is_asked(&browser, "").await, "it was long ago");
}

#[tokio::test]
async fn whoever_logs_out_is_out_and_nobody_logs_somebody_else_out() {
    let gateway = started().await;
    let browser = Browser::new(&gateway);
    let code = browser.code(&shop("&scope=openid"), "ada").await;
    let issued = expect(&redeem(&gateway, &code).await, 200);
    let asked = browser.send(get("/oauth/logout")).await;
    assert!(asked.text().contains("<strong>ada</strong>"), "a link from anywhere is asked about");
    let bye = "post_logout_redirect_uri=https://shop.example/bye%3Fx=y&state=z";
    for wrong in [
        "post_logout_redirect_uri=https://evil.example",
        "post_logout_redirect_uri=https://evil.example&client_id=shop",
        &format!("{bye}&client_id=own"),
        bye,
        "id_token_hint=x",
        &format!("id_token_hint={}&client_id=own", text(&issued, "id_token")),
    ] {
        let refused = browser.send(get(&format!("/oauth/logout?{wrong}"))).await;
        assert_eq!((refused.status(), refused.header("location")), (400, ""), "{wrong}");
    }
    let is_in = async || answer(&browser.open(&shop("&scope=openid&prompt=none")).await, "code").is_some();
    assert!(is_in().await);
    gateway.advance(MINUTE * 90);
    let out = format!("/oauth/logout?{bye}&id_token_hint={}", text(&issued, "id_token"));
    let back = browser.send(get(&out)).await;
    assert_eq!((back.status(), back.header("location")), (303, "https://shop.example/bye?x=y&state=z"));
    assert!(!is_in().await);

    browser.code(&shop("&scope=openid"), "ada").await;
    let page = browser.send(get(&format!("/oauth/logout?{bye}&client_id=shop"))).await;
    let csrf = between(&page.text(), "name=\"csrf\" value=\"", "\"").to_owned();
    let back = browser.send(form("/logout", &format!("{bye}&client_id=shop&csrf={csrf}"))).await;
    assert_eq!(back.header("location"), "https://shop.example/bye?x=y&state=z");
    assert!(!is_in().await);
    // Somebody else's token ends nothing.
    browser.code(&shop("&scope=openid"), "bob").await;
    let page = browser.send(get(&out)).await;
    assert_eq!(page.status(), 200, "bob is asked");
    assert!(is_in().await);
}

#[tokio::test]
async fn what_is_said_of_a_user_is_said_to_tokens_that_are_for_it() {
    let gateway = started().await;
    let browser = Browser::new(&gateway);
    let ask = async |token: &str| {
        gateway.issuer(get("/oauth/userinfo").header("authorization", &format!("Bearer {token}"))).await
    };
    let without = expect(&redeem(&gateway, &browser.code(&shop("&scope=read"), "ada").await).await, 200);
    let scope = ask(text(&without, "access_token")).await;
    assert_eq!((scope.status(), scope.json()["error"].as_str()), (403, Some("insufficient_scope")));
    let code = browser.code(&shop("&scope=openid&prompt=login"), "ada").await;
    let with = expect(&redeem(&gateway, &code).await, 200);
    let told = expect(&ask(text(&with, "access_token")).await, 200);
    assert_eq!(
        told.as_object().map(|claims| claims.len()),
        Some(1),
        "openid alone says who, and no more: {told}"
    );
    for (token, status) in [("x", 401), (text(&with, "refresh_token"), 401), (text(&with, "id_token"), 401)] {
        let refused = ask(token).await;
        assert_eq!(refused.status(), status);
        assert!(refused.header("www-authenticate").contains("invalid_token"));
    }
    let none = gateway.issuer(get("/oauth/userinfo")).await;
    assert_eq!((none.status(), none.header("www-authenticate")), (401, "Bearer"));
    let locked = gateway
        .administrator()
        .send(testkit::json_request("PATCH", "/users/ada", &json!({ "locked": true })))
        .await;
    assert!(locked.status() < 300, "{}", locked.text());
    assert_eq!(ask(text(&with, "access_token")).await.status(), 401, "the user is locked");
}

#[tokio::test]
async fn openid_clients_are_told_everything_they_ask_for_and_pages_of_other_origins_may_ask() {
    let gateway = started().await;
    let asked = get("/oauth/.well-known/openid-configuration").header("origin", "https://app.example");
    let response = gateway.issuer(asked).await;
    assert_eq!(response.header("access-control-allow-origin"), "*");
    let told = expect(&response, 200);
    for (name, path) in [
        ("authorization_endpoint", "authorize"),
        ("token_endpoint", "token"),
        ("userinfo_endpoint", "userinfo"),
        ("end_session_endpoint", "logout"),
        ("jwks_uri", "jwks"),
    ] {
        assert_eq!(told[name], format!("http://localhost/oauth/{path}"));
    }
    assert_eq!(told["response_types_supported"], json!(["code"]));
    assert_eq!(told["id_token_signing_alg_values_supported"], json!(["ES256"]));
    let preflight = request("OPTIONS", "/oauth/token")
        .header("origin", "https://app.example")
        .header("access-control-request-method", "POST");
    let allowed = gateway.issuer(preflight).await;
    assert_eq!((allowed.status(), allowed.header("access-control-allow-origin")), (204, "*"));
    let page = get(&format!("/oauth/authorize?{}", shop(""))).header("origin", "https://app.example");
    assert_eq!(
        gateway.issuer(page).await.header("access-control-allow-origin"),
        "",
        "pages are not read by others"
    );
    // A form instead of a query is the same.
    let posted = gateway.issuer(form("/authorize", &shop("&scope=openid"))).await;
    assert_eq!(posted.status(), 303);
    assert_eq!(gateway.issuer(get(posted.header("location"))).await.status(), 200);
}
