//! What a request has to be like for its token to count, without sockets and servers.

use std::{net::SocketAddr, rc::Rc, sync::Arc};

use aws_lc_rs::hmac;
use base64ct::{Base64UrlUnpadded, Encoding};
use engine::{
    Client, Clock, Exchange, RequestId, SnapshotRef, Step, Timestamp,
    compile::{Environment, Input, compile},
    identifiers::ClientCertificate,
    state::StateRegistry,
};
use http::{HeaderValue, header::AUTHORIZATION};
use model::{ConfigDoc, check, yaml};

use crate::POLICIES;

const SECRET: &str = "a secret of more than thirty-two bytes";
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn snapshot(rule: &str) -> SnapshotRef {
    let text = format!(
        "
apis: [{{name: a, upstream: 'http://u', policies: [{{type: identifyAndAuthorize, config: {{rules: [{rule}]}}}}]}}]
authorizationServers: [{{name: idp, issuer: 'https://idp', audiences: [orders], secret: '${{env:S}}'}}]
applications: [{{name: shop, apis: [a], identifiers: {{clientIds: [{{id: shop}}]}}}}]
"
    );
    let mut config: ConfigDoc =
        check::parse(yaml::parse(&text).unwrap().value).unwrap_or_else(|e| panic!("{e}"));
    config.resolved_secrets.insert("${env:S}", SECRET.to_owned());
    let registry = StateRegistry::default();
    let environment = Environment {
        kinds: POLICIES,
        registry: &registry,
        workers: 1,
        clock: Clock::manual(NOW),
        alerts: Default::default(),
    };
    let input = Input { config, definitions: model::Parts::default() };
    let (snapshot, _) = compile(&input, &environment, None, 1).unwrap_or_else(|e| panic!("{e}"));
    Rc::new(Arc::new(snapshot))
}

fn token(more: &str) -> String {
    let encode = |text: &[u8]| Base64UrlUnpadded::encode_string(text);
    let claims = format!(
        r#"{{"iss":"https://idp","aud":"orders","client_id":"shop","sub":"ann","scope":"a b","exp":1800000300{more}}}"#
    );
    let signed = format!("{}.{}", encode(br#"{"alg":"HS256"}"#), encode(claims.as_bytes()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    format!("{signed}.{}", encode(hmac::sign(&key, signed.as_bytes()).as_ref()))
}

fn request(snapshot: &SnapshotRef, token: &str, peer: &str, secure: bool) -> Exchange {
    let (mut head, ()) = http::Request::new(()).into_parts();
    let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
    head.headers.insert(AUTHORIZATION, value);
    let peer = SocketAddr::new(peer.parse().unwrap(), 1);
    let client = Client { ip: peer.ip(), peer, secure };
    let mut exchange = Exchange::new(RequestId::new(1, 2), NOW, client, snapshot.clone(), head.into());
    exchange.api = Some(0);
    exchange
}

/// `Ok` with the application, or the code of the refusal.
fn identify(exchange: &mut Exchange) -> Result<String, &'static str> {
    let snapshot = exchange.snapshot.clone();
    let slot = &snapshot.apis[0].chain(None).access()[0];
    let verdict = match slot.policy.get().request(exchange) {
        Step::Done(verdict) => verdict,
        Step::Later(_) => panic!("nothing has to be waited for"),
    };
    verdict.map_err(|rejection| rejection.reason.code)?;
    Ok(exchange.application().map_or("", |application| &application.name).to_owned())
}

#[test]
fn tokens_are_taken_over_tls_or_from_the_same_machine() {
    let (strict, open) =
        (snapshot("{type: oauth2Token}"), snapshot("{type: oauth2Token, requireTls: false}"));
    let token = token("");
    for (snapshot, peer, secure, expect) in [
        (&strict, "192.0.2.1", true, Ok("shop")),
        (&strict, "127.0.0.1", false, Ok("shop")),
        (&strict, "::ffff:127.0.0.1", false, Ok("shop")),
        (&strict, "192.0.2.1", false, Err("token_without_tls")),
        (&open, "192.0.2.1", false, Ok("shop")),
    ] {
        let found = identify(&mut request(snapshot, &token, peer, secure));
        assert_eq!(found.as_deref().map_err(|code| *code), expect, "{peer} {secure}");
    }
}

#[test]
fn a_token_that_is_bound_to_a_certificate_needs_that_certificate() {
    let snapshot = snapshot("{type: oauth2Token}");
    let fingerprint = [7; 32];
    let bound = Base64UrlUnpadded::encode_string(&fingerprint);
    let token = token(&format!(r#","cnf":{{"x5t#S256":"{bound}"}}"#));
    let certificate = |fingerprint| {
        Some(Arc::new(ClientCertificate { fingerprint, subject: String::new(), der: Vec::new() }))
    };
    for (shown, expect) in [
        (certificate(fingerprint), Ok("shop".to_owned())),
        (certificate([8; 32]), Err("token_not_bound")),
        (None, Err("token_not_bound")),
        // What was right once is looked at again for each request.
        (certificate(fingerprint), Ok("shop".to_owned())),
        (None, Err("token_not_bound")),
    ] {
        let mut exchange = request(&snapshot, &token, "127.0.0.1", false);
        exchange.client_certificate = shown;
        assert_eq!(identify(&mut exchange), expect);
    }
}

#[test]
fn later_policies_see_what_the_token_says() {
    let snapshot = snapshot("{type: oauth2Token}");
    let token = token(r#","groups":["ops",7],"roles":"admin","realm":{"level":2}"#);
    let mut exchange = request(&snapshot, &token, "127.0.0.1", false);
    assert_eq!(identify(&mut exchange).as_deref(), Ok("shop"));
    let known = exchange.authorization().unwrap();
    assert_eq!(known.client_id.as_deref(), Some("shop"));
    assert_eq!(known.user_name.as_deref(), Some("ann"));
    assert_eq!(known.issuer.as_deref(), Some("https://idp"));
    assert_eq!(known.audience.as_deref(), Some("orders"));
    assert_eq!(known.groups, ["ops".into(), "7".into(), "admin".into()]);
    assert_eq!(known.scopes.as_deref(), Some(&["a".into(), "b".into()][..]));
    assert_eq!(known.claims.as_ref().unwrap()["realm"]["level"], 2);
    assert_eq!(known.incoming_token.as_deref(), Some(&*token));
    assert!(exchange.headers.get(AUTHORIZATION).is_none(), "the upstream does not see it");
}

#[test]
fn a_secret_verifies_only_what_it_signed() {
    let snapshot = snapshot("{type: oauth2Token, scopes: [a]}");
    let good = token("");
    assert_eq!(identify(&mut request(&snapshot, &good, "127.0.0.1", false)).as_deref(), Ok("shop"));
    let (signed, _) = good.rsplit_once('.').unwrap();
    let other = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"another secret"), signed.as_bytes());
    let forged = format!("{signed}.{}", Base64UrlUnpadded::encode_string(other.as_ref()));
    for (token, code) in [
        (forged, "token_signature"),
        (format!("{signed}."), "token_signature"),
        (good.replacen("eyJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJSUzI1NiJ9", 1), "token_algorithm"),
    ] {
        assert_eq!(identify(&mut request(&snapshot, &token, "127.0.0.1", false)), Err(code));
    }
}
