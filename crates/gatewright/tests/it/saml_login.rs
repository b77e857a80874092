//! Users of an identity provider log in in a browser, by SAML 2.0: as what their groups become, and only with what the provider
//! has signed, for this gateway, for this browser, and once. What the provider says is signed and encrypted by `xmlsec1`.

pub(crate) mod provider;

use std::{slice, time::Instant};

use base64ct::{Base64, Encoding};
use jose::KeySet;
use saml::{Expected, IdentityProvider, Purpose};
use testkit::{Admin, Config, Gateway, MINUTE, Response, SECOND, Value, json, post, request};

use self::provider::{Key, Message, Provider, attribute, parameter, request_in};
use crate::{
    fuzz::{LONG_ENOUGH, Random, mutate},
    manager::{code, expect, managed},
};

/// A gateway with a provider called `corp`, with these settings instead of the usual ones.
fn with_provider(provider: &Provider, change: &Value) -> Config {
    let mut settings = json!({
        "name": "corp",
        "label": "Company login",
        "identityProvider": { "metadataUrl": provider.metadata_url() },
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
    managed().setting("manager.saml", json!([settings]))
}

/// What encrypts for the gateway, and verifies what it signs.
fn with_key(provider: &Provider, key: &Key) -> Config {
    let files = json!({ "keyFile": key.file("key.pem"), "certificateFile": key.file("certificate.pem") });
    with_provider(provider, &files)
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
    async fn begin(gateway: &Gateway) -> Self {
        let admin = gateway.administrator();
        let begun = admin.send_as_it_is(request("GET", "/api/v1/login/saml/corp?to=/portal/apis")).await;
        assert_eq!(begun.status(), 303, "{}", begun.text());
        let location = begun.header("location").to_owned();
        assert!(location.contains("/sso?realm=staff&SAMLRequest="), "{location}");
        Self { admin, location, cookie: kept(&begun) }
    }

    fn message(&self) -> Message {
        Message::answer_to(&self.location)
    }

    /// The provider has it bring a form, without its cookie: the form is sent by another site.
    async fn bring(&self, response: &str) -> Response {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("SAMLResponse", response).append_pair("RelayState", "/portal/apis");
        let sent = post("/api/v1/login/saml/corp/acs", form.finish())
            .header("content-type", "application/x-www-form-urlencoded");
        self.admin.send_as_it_is(sent).await
    }

    /// Is led on with a cookie.
    async fn follow(&self, brought: &Response, cookie: &str) -> Response {
        let location = brought.header("location");
        assert!(location.starts_with("/api/v1/login/saml/corp/finish?ticket="), "{location}");
        self.admin.send_as_it_is(request("GET", location).header("cookie", cookie)).await
    }

    /// Brings a message, and is led on where it is taken.
    async fn back(&self, xml: &str) -> Response {
        let brought = self.bring(&encoded(xml)).await;
        self.follow(&brought, &self.cookie).await
    }

    /// What there is for who has this session.
    async fn session(&self, cookie: &str) -> Response {
        self.admin.send_as_it_is(request("GET", "/api/v1/session").header("cookie", cookie)).await
    }
}

fn encoded(xml: &str) -> String {
    Base64::encode_string(xml.as_bytes())
}

/// The cookie of the session that a login has begun.
fn session_of(response: &Response) -> String {
    assert_eq!((response.status(), response.header("location")), (303, "/portal/apis"));
    let cookie = response.header("set-cookie");
    for part in ["gatewright_session=", "; Path=/;", "HttpOnly", "SameSite=Strict"] {
        assert!(cookie.contains(part), "{part}: {cookie}");
    }
    kept(response)
}

/// Nobody was let in, and the page is told why.
fn refused(what: &str, response: &Response, page: &str, expected: &str) {
    assert_eq!(response.status(), 303, "{what}: {}", response.text());
    assert_eq!(response.header("location"), format!("{page}?loginError={expected}"), "{what}");
    assert!(!response.header("set-cookie").contains("gatewright_session"), "{what}");
}

#[tokio::test]
async fn users_of_an_identity_provider_are_what_their_groups_become() {
    let provider = Provider::start().await;
    let gateway = Gateway::serving(with_provider(&provider, &json!({}))).await;
    let admin = gateway.administrator();
    let listed = expect(&admin.send_as_it_is(request("GET", "/api/v1/login/saml")).await, 200);
    assert_eq!(listed["items"], json!([{ "name": "corp", "label": "Company login" }]));

    let browser = Browser::begin(&gateway).await;
    let asked = request_in(&browser.location);
    assert_eq!(
        attribute(&asked, "AssertionConsumerServiceURL"),
        "http://127.0.0.1:9072/api/v1/login/saml/corp/acs"
    );
    assert!(browser.location.starts_with(&attribute(&asked, "Destination")), "{asked}");
    assert_eq!(parameter(&browser.location, "RelayState").as_deref(), Some("/portal/apis"));
    assert_eq!(parameter(&browser.location, "Signature"), None);
    let back = browser.back(&browser.message().signed_by(&provider.key)).await;
    let cookie = session_of(&back);

    let shown = expect(&browser.session(&cookie).await, 200);
    assert_eq!((&shown["user"], &shown["groups"]), (&json!("corp:ann"), &json!(["API-Gateway-Providers"])));
    assert!(shown["privileges"].to_string().contains("Manage APIs"), "{shown}");
    let audit = expect(&admin.get("/audit?user=corp:ann").await, 200).to_string();
    assert!(audit.contains("logged in with corp"), "{audit}");

    // Logging out ends it.
    let csrf = shown["csrf"].as_str().expect("a token");
    let out = request("DELETE", "/api/v1/session").header("cookie", &cookie).header("x-csrf-token", csrf);
    assert_eq!(browser.admin.send_as_it_is(out).await.status(), 204);
    assert_eq!(browser.session(&cookie).await.status(), 401);
}

#[tokio::test]
async fn the_response_may_be_signed_instead_and_the_assertion_encrypted() {
    let (provider, own) = (Provider::start().await, Key::new());
    let gateway = Gateway::serving(with_key(&provider, &own)).await;
    for kind in ["response signed", "both signed", "encrypted", "encrypted and response signed"] {
        let browser = Browser::begin(&gateway).await;
        let message = browser.message();
        // Ids are told apart by who makes them.
        let id = format!("_{}", kind.replace(' ', "-"));
        let with_id = |xml: String| xml.replace("_assertion-1", &id);
        let signed = || provider.key.sign(&with_id(message.assertion_to_sign()));
        let xml = match kind {
            "response signed" => provider.key.sign(&message.response_to_sign(&with_id(message.assertion()))),
            "both signed" => provider.key.sign(&message.response_to_sign(&signed())),
            "encrypted" => message.response(&own.encrypt(&signed())),
            _ => {
                let sealed = own.encrypt(&with_id(message.assertion()));
                provider.key.sign(&message.response_to_sign(&sealed))
            }
        };
        let cookie = session_of(&browser.back(&xml).await);
        assert_eq!(expect(&browser.session(&cookie).await, 200)["user"], "corp:ann", "{kind}");
    }

    // Whoever has the certificate of the gateway encrypts; that makes them nobody.
    let browser = Browser::begin(&gateway).await;
    let message = browser.message();
    for (what, xml, expected) in [
        ("unsigned inside", message.response(&own.encrypt(&message.assertion())), "login_signature_missing"),
        (
            "signed by another",
            message.response(&own.encrypt(&own.sign(&message.assertion_to_sign()))),
            "login_signature_invalid",
        ),
        (
            "for another",
            message.response(&provider.key.encrypt(&provider.key.sign(&message.assertion_to_sign()))),
            "login_response_encrypted",
        ),
    ] {
        refused(what, &browser.bring(&encoded(&xml)).await, "/portal/apis", expected);
    }
}

/// What is brought, and what becomes of it.
type Row = (&'static str, &'static str, fn(&Provider, Message) -> String);

/// `ann` becomes `eve`, in the group of administrators, in an assertion that nobody has signed.
fn evil(message: &Message) -> Message {
    Message { id: "_evil", name: "eve", group: "ops", ..message.clone() }
}

fn signed(provider: &Provider, change: impl FnOnce(&mut Message), mut message: Message) -> String {
    change(&mut message);
    encoded(&message.signed_by(&provider.key))
}

const MALFORMED: &str = "login_response_malformed";
const UNSIGNED: &str = "login_signature_missing";
const INVALID: &str = "login_signature_invalid";

const REFUSED: &[Row] = &[
    ("no base64", MALFORMED, |_, _| "%%%".to_owned()),
    ("no XML", MALFORMED, |_, _| encoded("hello")),
    ("another message", MALFORMED, |p, m| encoded(&p.key.sign(&m.assertion_to_sign()))),
    ("no assertion", MALFORMED, |_, m| encoded(&m.response(""))),
    ("too large", "login_response_too_large", |_, m| encoded(&m.response(&" ".repeat(260 << 10)))),
    ("a DTD", MALFORMED, |p, m| encoded(&format!("<!DOCTYPE r>{}", m.signed_by(&p.key)))),
    ("an entity", MALFORMED, |p, m| {
        let name = m.signed_by(&p.key).replace(">ann<", ">&name;<");
        encoded(&format!("<!DOCTYPE r [<!ENTITY name \"ann\">]>{name}"))
    }),
    ("an instruction", MALFORMED, |p, m| encoded(&m.signed_by(&p.key).replace(">ann<", ">a<?b?>nn<"))),
    // Without the comment, which is not signed, the name is another.
    ("a comment in the name", MALFORMED, |p, m| signed(p, |m| m.name = "ann<!-- -->.evil", m)),
    ("a comment put into the name", MALFORMED, |p, m| {
        encoded(&m.signed_by(&p.key).replace(">ann<", ">an<!-- -->n<"))
    }),
    ("an element in the name", MALFORMED, |p, m| signed(p, |m| m.name = "ann<b>c</b>", m)),
    ("not let in", "login_refused", |p, m| signed(p, |m| m.status = "Responder", m)),
    ("unsigned", UNSIGNED, |_, m| encoded(&m.response(&m.assertion()))),
    ("signed by another", INVALID, |_, m| encoded(&m.signed_by(&Key::new()))),
    ("changed", INVALID, |p, m| encoded(&m.signed_by(&p.key).replace(">staff<", ">ops<"))),
    ("another signed element", INVALID, |p, m| {
        encoded(&m.signed_by(&p.key).replace("_assertion-1", "_evil"))
    }),
    ("a response changed outside of its assertion", INVALID, |p, m| {
        let whole = p.key.sign(&m.response_to_sign(&p.key.sign(&m.assertion_to_sign())));
        encoded(&whole.replace("_response-1\" Version", "_response-1\" Consent=\"c\" Version"))
    }),
    ("two assertions", MALFORMED, |p, m| {
        let assertion = p.key.sign(&m.assertion_to_sign());
        encoded(&m.response(&assertion.repeat(2)))
    }),
    ("an evil assertion first", MALFORMED, |p, m| {
        encoded(&m.response(&format!("{}{}", evil(&m).assertion(), p.key.sign(&m.assertion_to_sign()))))
    }),
    ("an evil assertion last", MALFORMED, |p, m| {
        encoded(&m.response(&format!("{}{}", p.key.sign(&m.assertion_to_sign()), evil(&m).assertion())))
    }),
    ("an evil assertion around", UNSIGNED, |p, m| {
        let (assertion, around) = (p.key.sign(&m.assertion_to_sign()), evil(&m).assertion());
        encoded(
            &m.response(
                &around.replace(
                    "<saml:Subject>",
                    &format!("<saml:Advice>{assertion}</saml:Advice><saml:Subject>"),
                ),
            ),
        )
    }),
    ("the signed one among the extensions", UNSIGNED, |p, m| {
        let assertion = p.key.sign(&m.assertion_to_sign());
        encoded(
            &m.response(&format!("<samlp:Extensions>{assertion}</samlp:Extensions>{}", evil(&m).assertion())),
        )
    }),
    ("its signature in an evil one", INVALID, |p, m| {
        let assertion = p.key.sign(&m.assertion_to_sign());
        let signature = &assertion[assertion.find("<ds:Signature ").unwrap_or(0)..];
        let (signature, _) = signature.split_once("</ds:Signature>").unwrap_or_default();
        let evil = Message { id: m.id, ..evil(&m) }.assertion();
        let evil = evil.replace("<saml:Subject>", &format!("{signature}</ds:Signature><saml:Subject>"));
        encoded(&m.response(&format!("<samlp:Extensions>{assertion}</samlp:Extensions>{evil}")))
    }),
    ("the signed one in an object of its signature", INVALID, |p, m| {
        let assertion = p.key.sign(&m.assertion_to_sign());
        let signature = &assertion[assertion.find("<ds:Signature ").unwrap_or(0)..];
        let (signature, _) = signature.split_once("</ds:Signature>").unwrap_or_default();
        let object = format!("{signature}<ds:Object>{assertion}</ds:Object></ds:Signature><saml:Subject>");
        encoded(&m.response(&evil(&m).assertion().replace("<saml:Subject>", &object)))
    }),
    ("a signed response in an evil one", UNSIGNED, |p, m| {
        let whole = p.key.sign(&m.response_to_sign(&m.assertion()));
        encoded(&m.response(&format!("<samlp:Extensions>{whole}</samlp:Extensions>{}", evil(&m).assertion())))
    }),
    ("two signatures", MALFORMED, |p, m| {
        let assertion = p.key.sign(&m.assertion_to_sign());
        let start = assertion.find("<ds:Signature ").unwrap_or(0);
        let end = assertion.find("<saml:Subject>").unwrap_or(0);
        encoded(&m.response(
            &assertion.replace("<saml:Subject>", &format!("{}<saml:Subject>", &assertion[start..end])),
        ))
    }),
    ("SHA-1 in the signature", INVALID, |p, m| {
        signed(p, |m| m.algorithms.0 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1", m)
    }),
    ("SHA-1 in the digest", INVALID, |p, m| {
        signed(p, |m| m.algorithms.1 = "http://www.w3.org/2000/09/xmldsig#sha1", m)
    }),
    ("the certificate as a secret", INVALID, |p, mut m| {
        m.algorithms.0 = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256";
        encoded(&m.response(&p.key.sign_with_certificate_as_secret(&m.assertion_to_sign())))
    }),
    ("of another provider", "login_issuer_wrong", |p, m| {
        signed(p, |m| m.issuer = "https://other".to_owned(), m)
    }),
    ("of another provider inside", "login_issuer_wrong", |p, m| {
        let other = Message { issuer: "https://other".to_owned(), ..m.clone() };
        encoded(&m.response(&p.key.sign(&other.assertion_to_sign())))
    }),
    ("for another gateway", "login_audience_wrong", |p, m| signed(p, |m| m.audience = "other".to_owned(), m)),
    ("for whom is not said", "login_audience_wrong", |p, m| {
        let to_sign = m.assertion_to_sign().replace("AudienceRestriction", "OneTimeUse");
        encoded(&m.response(&p.key.sign(&to_sign)))
    }),
    ("a condition that nobody knows", MALFORMED, |p, m| {
        let to_sign =
            m.assertion_to_sign().replace("</saml:Conditions>", "<saml:Condition/></saml:Conditions>");
        encoded(&m.response(&p.key.sign(&to_sign)))
    }),
    ("to another place", "login_recipient_wrong", |p, m| signed(p, |m| m.recipient.push('x'), m)),
    ("sent to another place", "login_recipient_wrong", |p, m| signed(p, |m| m.destination.push('x'), m)),
    ("for who has a key", "login_recipient_wrong", |p, m| {
        let to_sign = m.assertion_to_sign().replace("cm:bearer", "cm:holder-of-key");
        encoded(&m.response(&p.key.sign(&to_sign)))
    }),
    ("expired", "login_response_expired", |p, m| {
        signed(p, |m| m.not_on_or_after = "2026-01-15T09:59:00Z", m)
    }),
    ("not yet valid", "login_response_not_yet_valid", |p, m| {
        signed(p, |m| m.not_before = "2026-01-15T10:01:01Z", m)
    }),
    ("without a login", MALFORMED, |p, m| {
        let to_sign =
            m.assertion_to_sign().replace("<saml:AuthnStatement AuthnInstant=\"2026-01-15T10:00:00Z\"/>", "");
        encoded(&m.response(&p.key.sign(&to_sign)))
    }),
    ("encrypted, and there is no key", "login_response_encrypted", |p, m| {
        encoded(&m.response(&Key::new().encrypt(&p.key.sign(&m.assertion_to_sign()))))
    }),
    ("a name for this login only", "login_user_unusable", |p, m| {
        signed(p, |m| m.name_format = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient", m)
    }),
    ("nobody asked for it", "login_unsolicited", |p, m| signed(p, |m| m.in_response_to = None, m)),
];

#[tokio::test]
async fn what_the_provider_has_not_signed_for_this_login_lets_nobody_in() {
    let provider = Provider::start().await;
    let gateway = Gateway::serving(with_provider(&provider, &json!({}))).await;
    let browser = Browser::begin(&gateway).await;
    for (what, expected, make) in REFUSED {
        let brought = browser.bring(&make(&provider, browser.message())).await;
        refused(what, &brought, "/portal/apis", expected);
    }
    // None of these has used the request up.
    session_of(&browser.back(&browser.message().signed_by(&provider.key)).await);
}

#[tokio::test]
async fn whatever_is_changed_in_a_signed_response_lets_nobody_else_in() {
    let provider = Provider::start().await;
    let gateway = Gateway::serving(with_provider(&provider, &json!({}))).await;
    let message = Browser::begin(&gateway).await.message();
    let keys = KeySet::of_pem(provider.key.certificate().as_bytes()).expect("a key");
    let expected = Expected {
        issuer: provider::ENTITY,
        keys: &keys,
        audiences: slice::from_ref(&message.audience),
        recipients: slice::from_ref(&message.recipient),
        purpose: Purpose::Login,
        decryption: None,
        now: gateway.clock().now().seconds(),
        skew: 60,
    };
    let whole = provider.key.sign(&message.response_to_sign(&message.assertion()));
    let seeds = [message.signed_by(&provider.key), whole];
    let right = saml::read_response(&encoded(&seeds[0]), &expected).expect("it is right");
    let (mut random, start) = (Random(7), Instant::now());
    let (mut taken, mut refused) = (0_u32, 0_u32);
    while start.elapsed() < LONG_ENOUGH {
        let seed = &seeds[random.below(2)];
        let changed = mutate(&mut random, seed);
        match saml::read_response(&Base64::encode_string(&changed), &expected) {
            Ok(found) => {
                taken += 1;
                assert_eq!(found, right, "{}", String::from_utf8_lossy(&changed));
            }
            Err(_) => refused += 1,
        }
    }
    // Around what is signed, something may be said differently.
    assert!(taken > 0 && refused > 50, "{taken} taken, {refused} refused");

    let (metadata, start) = (provider.metadata(&[&provider.key], ""), Instant::now());
    while start.elapsed() < LONG_ENOUGH {
        let changed = mutate(&mut random, &metadata);
        if let Err(problem) = IdentityProvider::read(&String::from_utf8_lossy(&changed), None) {
            assert!(!problem.is_empty());
        }
    }
}

#[tokio::test]
async fn a_response_is_good_for_once_and_for_the_browser_that_asked() {
    let provider = Provider::start().await;
    let gateway = Gateway::serving(with_provider(&provider, &json!({}))).await;
    let with_id = |message: &Message, id: &'static str| {
        encoded(&Message { id, ..message.clone() }.signed_by(&provider.key))
    };
    let (ann, other) = (Browser::begin(&gateway).await, Browser::begin(&gateway).await);

    // Somebody else's browser, none, and a request that nobody made.
    let brought = ann.bring(&with_id(&ann.message(), "_1")).await;
    refused(
        "another browser",
        &ann.follow(&brought, &other.cookie).await,
        "/console/",
        "login_state_unknown",
    );
    let brought = other.bring(&with_id(&other.message(), "_2")).await;
    refused("no cookie", &other.follow(&brought, "a=b").await, "/console/", "login_state_unknown");
    session_of(&other.follow(&brought, &other.cookie).await);
    refused(
        "a ticket again",
        &other.follow(&brought, &other.cookie).await,
        "/console/",
        "login_state_unknown",
    );
    let browser = Browser::begin(&gateway).await;
    let guessed = Message { in_response_to: Some("_guessed".to_owned()), ..browser.message() };
    let brought = browser.bring(&with_id(&guessed, "_3")).await;
    refused(
        "an unknown request",
        &browser.follow(&brought, &browser.cookie).await,
        "/console/",
        "login_state_unknown",
    );

    // The same again, and another answer to the same request.
    let response = with_id(&browser.message(), "_4");
    let brought = browser.bring(&response).await;
    session_of(&browser.follow(&brought, &browser.cookie).await);
    refused("replayed", &browser.bring(&response).await, "/portal/apis", "login_response_replayed");
    let brought = browser.bring(&with_id(&browser.message(), "_5")).await;
    refused(
        "answered again",
        &browser.follow(&brought, &browser.cookie).await,
        "/console/",
        "login_state_unknown",
    );

    // Groups that are not let in; names that are none of ours.
    let browser = Browser::begin(&gateway).await;
    let message = Message { id: "_6", group: "STAFF", ..browser.message() };
    refused(
        "no group",
        &browser.back(&message.signed_by(&provider.key)).await,
        "/portal/apis",
        "login_not_allowed",
    );
    let browser = Browser::begin(&gateway).await;
    let message = Message { id: "_7", name: "Administrator", ..browser.message() };
    let cookie = session_of(&browser.back(&message.signed_by(&provider.key)).await);
    assert_eq!(expect(&browser.session(&cookie).await, 200)["user"], "corp:Administrator");

    // Whoever is led on has a minute for that.
    let browser = Browser::begin(&gateway).await;
    let brought = browser.bring(&with_id(&browser.message(), "_8")).await;
    gateway.advance(61 * SECOND);
    refused("too late", &browser.follow(&brought, &browser.cookie).await, "/console/", "login_state_unknown");
}

#[tokio::test]
async fn a_response_that_nobody_asked_for_is_taken_where_that_is_allowed_and_once() {
    let provider = Provider::start().await;
    let gateway = Gateway::serving(with_provider(&provider, &json!({ "allowUnsolicited": true }))).await;
    let browser = Browser::begin(&gateway).await;
    let response = encoded(&Message { in_response_to: None, ..browser.message() }.signed_by(&provider.key));
    let brought = browser.bring(&response).await;
    refused(
        "another browser",
        &browser.follow(&brought, &browser.cookie).await,
        "/console/",
        "login_state_unknown",
    );
    let message = Message { id: "_2", in_response_to: None, ..browser.message() };
    let brought = browser.bring(&encoded(&message.signed_by(&provider.key))).await;
    session_of(&browser.follow(&brought, &kept(&brought)).await);
    refused("replayed", &browser.bring(&response).await, "/portal/apis", "login_response_replayed");
}

#[tokio::test]
async fn metadata_are_read_again_when_keys_change_and_a_provider_that_is_away_says_so() {
    let provider = Provider::start().await;
    let metadata = provider.metadata(&[&provider.key], "");
    provider.serve(None);
    let gateway = Gateway::serving(with_provider(&provider, &json!({}))).await;
    let admin = gateway.administrator();
    let begin = || admin.send_as_it_is(request("GET", "/api/v1/login/saml/corp?to=/portal/apis"));
    refused("away", &begin().await, "/portal/apis", "login_provider_away");
    for wrong in ["<a/>", "hello", &metadata.replace("IDPSSO", "SPSSO"), &metadata.replace("MII", "AAA")] {
        provider.serve(Some(wrong.to_owned()));
        refused(wrong, &begin().await, "/portal/apis", "login_provider_away");
    }
    let over = metadata.replace("IDPSSODescriptor ", "IDPSSODescriptor validUntil=\"2026-01-15T09:00:00Z\" ");
    provider.serve(Some(over));
    refused("expired metadata", &begin().await, "/portal/apis", "login_provider_away");
    gateway.advance(11 * MINUTE);
    provider.serve(Some(metadata));
    let later =
        |browser: &Browser, id| Message { id, not_on_or_after: "2026-01-15T11:00:00Z", ..browser.message() };
    let browser = Browser::begin(&gateway).await;
    session_of(&browser.back(&later(&browser, "_1").signed_by(&provider.key)).await);

    // A key that is new is looked for, not more than every half minute; while the provider is away, what is known counts.
    let new = Key::new();
    provider.serve(Some(provider.metadata(&[&new], "")));
    let browser = Browser::begin(&gateway).await;
    let response = later(&browser, "_2").signed_by(&new);
    refused("too soon", &browser.bring(&encoded(&response)).await, "/portal/apis", "login_signature_invalid");
    gateway.advance(31 * SECOND);
    session_of(&browser.back(&response).await);
    let browser = Browser::begin(&gateway).await;
    let old = encoded(&later(&browser, "_3").signed_by(&provider.key));
    refused("an old key", &browser.bring(&old).await, "/portal/apis", "login_signature_invalid");
    provider.serve(None);
    gateway.advance(11 * MINUTE);
    let browser = Browser::begin(&gateway).await;
    session_of(&browser.back(&later(&browser, "_4").signed_by(&new)).await);
}

#[tokio::test]
async fn requests_are_signed_where_the_provider_wants_that_and_metadata_say_with_what() {
    let (provider, own) = (Provider::start().await, Key::new());
    provider.serve(Some(provider.metadata(&[&provider.key], "WantAuthnRequestsSigned=\"true\"")));
    let gateway = Gateway::serving(with_key(&provider, &own)).await;
    let browser = Browser::begin(&gateway).await;
    let signature = parameter(&browser.location, "Signature").expect("a signature");
    let signature = Base64::decode_vec(&signature).expect("base64");
    let (_, query) = browser.location.split_once("realm=staff&").expect("a query");
    let (signed, _) = query.split_once("&Signature=").expect("a signature");
    assert!(signed.contains("&RelayState=") && signed.contains("&SigAlg="), "{signed}");
    assert_eq!(parameter(&browser.location, "SigAlg").as_deref(), Some(provider::RSA_SHA256));
    assert!(own.has_signed(signed.as_bytes(), &signature));
    assert!(!own.has_signed(b"something else", &signature));
    assert!(!provider.key.has_signed(signed.as_bytes(), &signature));

    let admin = gateway.administrator();
    let metadata = admin.send_as_it_is(request("GET", "/api/v1/login/saml/corp/metadata")).await;
    assert_eq!(metadata.header("content-type"), "application/samlmetadata+xml");
    let text = metadata.text();
    let name = "http://127.0.0.1:9072/api/v1/login/saml/corp/metadata";
    assert_eq!((attribute(&text, "entityID").as_str(), metadata.status()), (name, 200));
    assert_eq!(attribute(&text, "Location"), name.replace("/metadata", "/acs"));
    assert_eq!(attribute(&text, "AuthnRequestsSigned"), "true");
    let certificate: String = own.certificate().lines().filter(|line| !line.starts_with('-')).collect();
    for part in ["use=\"signing\"", "use=\"encryption\"", "aes256-gcm", &certificate] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Whoever publishes metadata signs them, for which they have to be well formed.
    let place = browser.message().signature("").replace("\"#\"", "\"\"");
    let with_place = text.replace("<md:SPSSODescriptor", &format!("{place}<md:SPSSODescriptor"));
    assert!(own.sign(&with_place).contains("</ds:SignatureValue>"));
    let unknown = admin.send_as_it_is(request("GET", "/api/v1/login/saml/other/metadata")).await;
    assert_eq!(code(&unknown, 404), "login_provider_unknown");
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_with_their_place() {
    let provider = Provider::start().await;
    let own = Key::new();
    for (change, place) in [
        (json!({ "name": "a b" }), "settings.manager.saml[0].name"),
        (json!({ "groups": [] }), "settings.manager.saml[0].groups"),
        (json!({ "publicUrl": "http://gateway.example.com" }), "settings.manager.saml[0].publicUrl"),
        (json!({ "identityProvider": {} }), "settings.manager.saml[0].identityProvider"),
        (
            json!({ "identityProvider": { "metadata": "<a/>" } }),
            "settings.manager.saml[0].identityProvider.metadata",
        ),
        (json!({ "signRequests": true }), "settings.manager.saml[0].keyFile"),
        (json!({ "keyFile": own.file("key.pem") }), "settings.manager.saml[0].certificateFile"),
        (json!({ "keyFile": own.file("certificate.pem") }), "settings.manager.saml[0].keyFile"),
    ] {
        let problem =
            Gateway::start(with_provider(&provider, &change)).await.err().expect("an error").to_string();
        assert!(problem.contains(place), "{place}: {problem}");
    }
}
