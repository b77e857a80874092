//! Tokens of the authorization server inside for assertions of SAML (RFC 7522): a partner's identity provider says who somebody
//! is, `xmlsec1` signs it, and a client gets a token for it, once.

use base64ct::{Base64UrlUnpadded, Encoding};
use testkit::{
    Config, Gateway, MINUTE, Response, SECOND, Upstream, Value, api, body, config::hash, eventually, get,
    json, request,
};

use crate::{
    manager::{expect, managed},
    saml_login::provider::{ENTITY, Key, Message, Provider},
};

const SECRET: &str = "a-long-random-secret-of-the-partner-0123456789";
const ISSUER: &str = "https://id.example/oauth";
const GRANT: &str = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Asaml2-bearer";

fn config(upstream: &Upstream, server: Value) -> Config {
    let secrets = json!([{ "hash": hash(SECRET) }]);
    let client = |id: &str| json!({ "id": id, "secrets": secrets, "grantTypes": ["saml2Bearer", "jwtBearer"], "scopes": ["read", "write"] });
    managed()
        .setting(
            "authorizationServer",
            json!({ "issuer": ISSUER, "address": "127.0.0.1:0", "grants": ["saml2Bearer", "jwtBearer"] }),
        )
        .append("authorizationServers", json!({ "name": "local", "internal": true }))
        .append("authorizationServers", server)
        .append(
            "applications",
            json!({ "name": "partner", "apis": ["a"], "oauthClients": [client("partner"), client("other")] }),
        )
        .api(
            api("/a", upstream)
                .policy("identifyAndAuthorize", json!({ "rules": [{ "type": "oauth2Token" }] })),
        )
}

/// A partner who is known by metadata, with these settings of assertions instead of the usual ones.
fn partner(provider: &Provider, more: Value) -> Value {
    let mut assertions = json!({ "format": "saml2", "clients": ["partner"], "actsFor": "user" });
    for (name, value) in more.as_object().expect("an object") {
        assertions[name] = value.clone();
    }
    json!({ "name": "partner", "samlMetadata": provider.metadata_url(), "assertions": assertions })
}

fn message() -> Message {
    Message::about_ann(ISSUER.to_owned(), format!("{ISSUER}/token"))
}

fn encoded(xml: &str) -> String {
    Base64UrlUnpadded::encode_string(xml.as_bytes())
}

/// An assertion that the partner has signed.
fn signed(key: &Key, message: &Message) -> String {
    encoded(&key.sign(&message.assertion_to_sign()))
}

async fn bring(gateway: &Gateway, client: &str, assertion: &str, rest: &str) -> Response {
    let fields = format!("grant_type={GRANT}&assertion={assertion}{rest}");
    let form = request("POST", "/oauth/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .basic(client, SECRET)
        .body(body::full(fields));
    gateway.issuer(form).await
}

/// The description, when the assertion was refused as it has to be.
fn refused(response: &Response) -> String {
    let answer = expect(response, 400);
    assert_eq!(answer["error"], "invalid_grant", "{answer}");
    answer["error_description"].as_str().expect("a text").to_owned()
}

async fn with_ann(config: Config) -> Gateway {
    let gateway = Gateway::serving(config).await;
    expect(&gateway.administrator().post("/users", &json!({ "name": "ann" })).await, 201);
    gateway
}

#[tokio::test]
async fn a_client_gets_a_token_for_whom_a_partner_names_and_each_assertion_is_good_for_once() {
    let (upstream, provider) = (Upstream::echo().start().await, Provider::start().await);
    let gateway = with_ann(config(&upstream, partner(&provider, json!({})))).await;
    let assertion = signed(&provider.key, &message());
    let answer = expect(&bring(&gateway, "partner", &assertion, "&scope=read").await, 200);
    assert_eq!((&answer["scope"], answer.get("refresh_token")), (&json!("read"), None));
    let token = answer["access_token"].as_str().expect("a token");
    let response = gateway.send(get("/a").header("authorization", &format!("Bearer {token}"))).await;
    assert_eq!(response.status(), 200, "{}", response.text());
    assert_eq!(gateway.explain(&response).await.application.as_deref(), Some("partner"));
    let asked = request("POST", "/oauth/introspect")
        .header("content-type", "application/x-www-form-urlencoded")
        .basic("partner", SECRET)
        .body(body::full(format!("token={token}")));
    assert_eq!(expect(&gateway.issuer(asked).await, 200)["username"], "ann");

    for again in [assertion.clone(), format!("{assertion}%3D%3D")] {
        let told = refused(&bring(&gateway, "partner", &again, "").await);
        assert!(told.contains("good for once"), "{told}");
    }
    // The audience may be the token endpoint; a key that comes later counts without a restart.
    let key = Key::new();
    provider.serve(Some(provider.metadata(&[&provider.key, &key], "")));
    gateway.advance(SECOND * 11);
    let endpoint = Message { id: "_2", audience: format!("{ISSUER}/token"), ..message() };
    expect(&bring(&gateway, "partner", &signed(&key, &endpoint), "").await, 200);
    let told = expect(&gateway.issuer(get("/oauth/.well-known/openid-configuration")).await, 200);
    let grants = told["grant_types_supported"].as_array().expect("a list");
    assert!(grants.contains(&json!("urn:ietf:params:oauth:grant-type:saml2-bearer")), "{told}");
}

#[tokio::test]
async fn whatever_is_wrong_with_an_assertion_gives_no_token_and_says_what_to_do() {
    let (upstream, provider) = (Upstream::echo().start().await, Provider::start().await);
    let gateway = with_ann(config(&upstream, partner(&provider, json!({})))).await;
    let good = provider.key.sign(&message().assertion_to_sign());
    let with = |change: fn(&mut Message)| {
        let mut message = message();
        change(&mut message);
        signed(&provider.key, &message)
    };
    let without = |part: &str| {
        let template = message().assertion_to_sign();
        let (before, rest) = template.split_once(&format!("<saml:{part}")).expect("it is there");
        let (_, after) = rest.split_once(&format!("</saml:{part}>")).expect("it ends");
        encoded(&provider.key.sign(&format!("{before}{after}")))
    };
    let hmac = Message {
        algorithms: ("http://www.w3.org/2001/04/xmldsig-more#hmac-sha256", message().algorithms.1),
        ..message()
    };
    for (what, client, assertion, taught) in [
        ("no base64", "partner", "%25%25".to_owned(), "base64url"),
        ("no XML", "partner", encoded("hello"), "base64url"),
        ("a response", "partner", encoded(&message().signed_by(&provider.key)), "no assertion of SAML"),
        ("a DTD", "partner", encoded(&format!("<!DOCTYPE a>{good}")), "DTD"),
        ("a comment in the name", "partner", encoded(&good.replace(">ann<", ">an<!-- -->n<")), "comment"),
        ("encrypted", "partner", encoded(&provider.key.encrypt(&good)), "encrypted"),
        ("unsigned", "partner", encoded(&message().assertion()), "not signed"),
        ("signed by another", "partner", signed(&Key::new(), &message()), "a key of the identity provider"),
        (
            "a secret",
            "partner",
            encoded(&provider.key.sign_with_certificate_as_secret(&hmac.assertion_to_sign())),
            "does not count",
        ),
        ("changed", "partner", encoded(&good.replace(">ann<", ">eve<")), "not what was signed"),
        (
            "of somebody else",
            "partner",
            with(|m| m.issuer = "https://evil.example".to_owned()),
            "trusted here",
        ),
        ("for another", "partner", with(|m| m.audience = "https://shop.example".to_owned()), ISSUER),
        (
            "sent to another",
            "partner",
            with(|m| m.recipient = "https://shop.example/token".to_owned()),
            "token endpoint",
        ),
        ("over", "partner", with(|m| m.not_on_or_after = "2026-01-15T09:58:59Z"), "get a new one"),
        ("soon", "partner", with(|m| m.not_before = "2026-01-15T10:01:02Z"), "clock"),
        ("about nobody", "partner", without("NameID"), "about nobody"),
        ("for whom it finds", "partner", without("AudienceRestriction"), "whom it is for"),
        ("no confirmation", "partner", without("SubjectConfirmation"), "cm:bearer"),
        ("about a stranger", "partner", with(|m| m.name = "eve"), "nobody who is a user here"),
        (
            "a name for once",
            "partner",
            with(|m| m.name_format = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"),
            "nobody who is a user here",
        ),
        ("another client", "other", encoded(&good), "assertions.clients"),
        ("too large", "partner", "A".repeat(60_000), "base64url"),
    ] {
        let told = refused(&bring(&gateway, client, &assertion, "").await);
        assert!(told.contains(taught), "{what}: {told}");
        assert!(told.starts_with("the assertion is not taken: ") && told.len() < 600, "{what}: {told}");
    }
    // What is one kind is not taken as the other.
    let as_token = request("POST", "/oauth/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .basic("partner", SECRET)
        .body(body::full(format!(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={}",
            encoded(&good)
        )));
    assert!(refused(&gateway.issuer(as_token).await).contains("JSON Web Token"));
    for (assertion, rest, wanted) in
        [("", "", "invalid_request"), (&*encoded(&good), "&scope=admin", "invalid_scope")]
    {
        assert_eq!(expect(&bring(&gateway, "partner", assertion, rest).await, 400)["error"], wanted);
    }
    // None of this has used it up.
    expect(&bring(&gateway, "partner", &encoded(&good), "").await, 200);
}

#[tokio::test]
async fn what_counts_is_what_the_entry_says() {
    let (upstream, provider) = (Upstream::echo().start().await, Provider::start().await);
    let file = provider.key.certificate();
    let doc = json!({
        "name": "partner", "issuer": ENTITY, "certificateFile": "partner.pem",
        "assertions": { "format": "saml2", "clients": ["partner"], "subjects": ["an*"], "audiences": ["urn:shop"],
            "scopes": ["read"], "reusable": true, "maxAge": "4m" },
    });
    let gateway = Gateway::serving(config(&upstream, doc).file("partner.pem", &file)).await;
    let about =
        |message: Message| signed(&provider.key, &Message { audience: "urn:shop".to_owned(), ..message });
    let assertion = about(message());
    for _ in 0..2 {
        expect(&bring(&gateway, "partner", &assertion, "&scope=read").await, 200);
    }
    let wider = bring(&gateway, "partner", &assertion, "&scope=write").await;
    assert_eq!(expect(&wider, 400)["error"], "invalid_scope");
    let told = refused(&bring(&gateway, "partner", &about(Message { name: "bob", ..message() }), "").await);
    assert!(told.contains("assertions.subjects"), "{told}");
    gateway.advance(MINUTE * 5 + SECOND);
    let told = refused(&bring(&gateway, "partner", &assertion, "").await);
    assert!(told.contains("too old"), "{told}");

    // The name may be in an attribute.
    let by_attribute = partner(&provider, json!({ "userClaim": "groups" }));
    let gateway = Gateway::serving(config(&upstream, by_attribute)).await;
    expect(&gateway.administrator().post("/users", &json!({ "name": "staff" })).await, 201);
    let told = refused(&bring(&gateway, "partner", &signed(&provider.key, &message()), "").await);
    assert!(told.contains("nobody who is a user here"), "several values: {told}");
    let one = message().assertion_to_sign().replace("<saml:AttributeValue>other</saml:AttributeValue>", "");
    expect(&bring(&gateway, "partner", &encoded(&provider.key.sign(&one)), "").await, 200);
}

#[tokio::test]
async fn metadata_that_are_away_or_have_expired_are_said_to_be() {
    let (upstream, provider) = (Upstream::echo().start().await, Provider::start().await);
    let metadata = provider.metadata(&[&provider.key], "");
    provider.serve(None);
    let gateway = with_ann(config(&upstream, partner(&provider, json!({ "maxAge": "1d" })))).await;
    let assertion = signed(&provider.key, &message());
    // Nobody knows yet what the partner calls itself.
    let told = refused(&bring(&gateway, "partner", &assertion, "").await);
    assert!(told.contains("trusted here"), "{told}");
    provider.serve(Some(metadata.replace("entityID=", "validUntil=\"2026-01-15T10:30:00Z\" entityID=")));
    gateway.advance(SECOND * 31);
    eventually("the metadata are read", async || {
        bring(&gateway, "partner", &assertion, "").await.status() == 200
    })
    .await;
    let status = gateway.ops("/status").await.text();
    assert!(status.contains(ENTITY), "{status}");

    // An hour later they are read again, and do not count any more.
    gateway.advance(MINUTE * 61);
    let later = Message { id: "_later", not_on_or_after: "2026-01-15T12:00:00Z", ..message() };
    let later = signed(&provider.key, &later);
    eventually("the metadata are read again", async || {
        let response = bring(&gateway, "partner", &later, "").await;
        response.status() == 400 && refused(&response).contains("a key of the identity provider")
    })
    .await;
}

#[tokio::test]
async fn what_signs_assertions_of_saml_does_nothing_else() {
    let (upstream, provider) = (Upstream::echo().start().await, Provider::start().await);
    let at = "authorizationServers[1]";
    for (change, expected) in [
        (json!({ "audiences": ["a"] }), format!("{at}.audiences")),
        (json!({ "algorithms": ["RS256"] }), format!("{at}.algorithms")),
        (json!({ "jwksUri": "https://id.example/jwks" }), format!("{at}.jwksUri")),
        (json!({ "samlMetadata": "nowhere" }), format!("{at}.samlMetadata")),
        (json!({ "samlMetadata": null, "issuer": ENTITY }), "add `samlMetadata` or".to_owned()),
        (json!({ "assertions": null, "issuer": "https://id.example" }), format!("{at}.samlMetadata")),
    ] {
        let mut doc = partner(&provider, json!({}));
        for (name, value) in change.as_object().expect("an object") {
            doc[name] = value.clone();
        }
        doc.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
        let problems = match Gateway::start(config(&upstream, doc)).await {
            Ok(_) => panic!("it started: {change}"),
            Err(error) => error.to_string(),
        };
        assert!(problems.contains(&expected), "{change}: {expected} is not in {problems}");
    }
}
