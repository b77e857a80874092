//! Every rule, lookup and way of putting rules together, without sockets.

use std::{rc::Rc, sync::Arc};

use base64ct::{Base64, Encoding};
use engine::{
    Client, Clock, Exchange, Payload, RequestId, SnapshotRef, Step, Timestamp,
    compile::{Environment, Input, applications::sha256, compile},
    identifiers::ClientCertificate,
    state::StateRegistry,
};
use http::{HeaderName, HeaderValue};
use model::{ConfigDoc, check, yaml};

use crate::POLICIES;

fn password() -> String {
    use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
    let params = Params::new(64, 1, 1, None).unwrap();
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    hasher.hash_password_with_salt(b"secret", b"some-salt-123").unwrap().to_string()
}

fn snapshot(policy: &str) -> SnapshotRef {
    let key = |key: &str| sha256(key.as_bytes()).iter().map(|b| format!("{b:02x}")).collect::<String>();
    let text = format!(
        "
apis: [{{name: a, upstream: 'http://u', policies: [{{type: identifyAndAuthorize, config: {policy}}}]}}]
groups: [{{name: staff}}]
users: [{{name: ann, groups: [staff], password: '${{env:X}}'}}, {{name: bob, password: '${{env:X}}'}}, {{name: eve, password: '${{env:X}}'}}, {{name: none}}]
applications:
  - {{name: shop, apis: [a], apiKeys: [{{hash: 'sha256:{}'}}, {{hash: 'sha256:{}', expires: '1970-01-01T00:00:01Z'}}], identifiers: {{ipAddresses: [10.0.0.0/24], headers: [{{name: X-Tenant, value: shop}}], payload: [t-shop, '7'], certificates: ['sha256:{}'], userNames: [ann]}}}}
  - {{name: other, apiKeys: [{{hash: 'sha256:{}'}}], identifiers: {{ipAddresses: [10.0.1.0-10.0.1.9], userNames: [eve]}}}}
  - {{name: asleep, apis: [a], suspended: true, apiKeys: [{{hash: 'sha256:{}'}}], identifiers: {{ipAddresses: [10.0.2.7]}}}}
  - {{name: fallback}}
",
        key("k-shop"),
        key("k-old"),
        key("cert-shop"),
        key("k-other"),
        key("k-asleep"),
    );
    let mut config: ConfigDoc =
        check::parse(yaml::parse(&text).unwrap().value).unwrap_or_else(|e| panic!("{e}"));
    for user in &mut config.users {
        user.password = user.password.as_ref().map(|secret| secret.resolved(password()));
    }
    let registry = StateRegistry::default();
    let environment = Environment {
        kinds: POLICIES,
        registry: &registry,
        workers: 1,
        clock: Clock::system(),
        alerts: Default::default(),
    };
    let input = Input { config, definitions: model::Parts::default() };
    let (snapshot, warnings) = compile(&input, &environment, None, 1).unwrap_or_else(|e| panic!("{e}"));
    assert!(warnings.is_empty(), "{warnings:?}");
    Rc::new(Arc::new(snapshot))
}

/// A request: `ip=…`, `cert=…`, `url=…`, `peer=…`, `body=…` and headers, separated by bars.
fn request(snapshot: &SnapshotRef, text: &str) -> Exchange {
    let (mut head, ()) = http::Request::new(()).into_parts();
    let (mut ip, mut peer, mut certificate) = ("9.9.9.9".to_owned(), "9.9.9.9".to_owned(), None);
    let mut body = None;
    for part in text.split('|').filter(|part| !part.is_empty()) {
        match part.split_once('=').unwrap() {
            ("ip", value) => ip = value.to_owned(),
            ("peer", value) => peer = value.to_owned(),
            ("cert", value) => certificate = Some(value.to_owned()),
            ("body", value) => body = Some(Payload::new(value.to_owned())),
            ("url", value) => head.uri = value.parse().unwrap(),
            ("basic", value) => {
                let value = format!("basic {}", Base64::encode_string(value.as_bytes()));
                head.headers.append("authorization", HeaderValue::try_from(value).unwrap());
            }
            (name, value) => {
                let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
                head.headers.append(name, HeaderValue::from_str(value).unwrap());
            }
        }
    }
    let peer = std::net::SocketAddr::new(peer.parse().unwrap(), 1);
    let client = Client { ip: ip.parse().unwrap(), peer, secure: false };
    let mut exchange =
        Exchange::new(RequestId::new(0, 1), Timestamp(5_000_000_000), client, snapshot.clone(), head.into());
    exchange.api = Some(0);
    exchange.request_payload = body;
    exchange.client_certificate = certificate.map(|text: String| {
        let fingerprint = sha256(text.as_bytes());
        Arc::new(ClientCertificate { fingerprint, subject: String::new(), der: Vec::new() })
    });
    exchange
}

/// The application, `-` for none, or the reason and its challenges.
async fn run(exchange: &mut Exchange) -> String {
    let snapshot = exchange.snapshot.clone();
    let slot = &snapshot.apis[0].chain(None).access()[0];
    let verdict = match slot.policy.get().request(exchange) {
        Step::Done(verdict) => verdict,
        Step::Later(later) => later.await,
    };
    match verdict {
        Ok(_) => exchange.application().map_or("-", |application| &application.name).to_owned(),
        Err(rejection) => {
            let challenges: Vec<&str> =
                rejection.headers.iter().filter_map(|(_, v)| v.to_str().ok()).collect();
            [rejection.reason.code, " ", &challenges.join(",")].concat().trim_end().to_owned()
        }
    }
}

async fn table(policy: &str, cases: &[(&str, &str)]) {
    let snapshot = snapshot(policy);
    for (text, expect) in cases {
        assert_eq!(run(&mut request(&snapshot, text)).await, *expect, "{text} under {policy}");
    }
}

#[tokio::test]
async fn a_key_is_found_in_header_query_or_cookie() {
    let policy = "{rules: [{type: apiKey, cookie: key}]}";
    table(
        policy,
        &[
            ("", "credentials_missing APIKey"),
            ("x-gateway-apikey=k-shop", "shop"),
            ("url=/x?APIKey=k-shop&b=1", "shop"),
            ("cookie=a=1; key=k-shop; b=2", "shop"),
            ("cookie=mykey=k-shop", "credentials_missing APIKey"),
            ("x-gateway-apikey=wrong|url=/x?APIKey=k-shop", "api_key_unknown APIKey"),
            ("x-gateway-apikey=k-shop|x-gateway-apikey=k-shop", "api_key_unknown APIKey"),
            ("url=/x?APIKey=k-shop&APIKey=k-shop", "api_key_unknown APIKey"),
            ("cookie=key=k-shop; key=k-shop", "api_key_unknown APIKey"),
            ("cookie=key=k-shop|cookie=key=x", "api_key_unknown APIKey"),
            ("x-gateway-apikey=k-old", "api_key_expired APIKey"),
            ("x-gateway-apikey=k-other", "application_not_registered"),
            ("x-gateway-apikey=k-asleep", "application_suspended"),
        ],
    )
    .await;
    let snapshot = snapshot(policy);
    let text = "x-gateway-apikey=k-shop|url=/x?APIKey=k-shop&b=1|cookie=a=1; key=k-shop; b=2|x-application-name=root|x-app=1";
    let mut exchange = request(&snapshot, text);
    assert_eq!(run(&mut exchange).await, "shop");
    let left: Vec<_> = exchange.headers.iter().map(|(n, v)| format!("{n}={}", v.to_str().unwrap())).collect();
    assert_eq!(
        (exchange.uri.to_string().as_str(), left),
        ("/x?b=1", vec!["x-app=1".into(), "cookie=a=1; b=2".into()])
    );
    let kept = "{keepCredentials: true, identityHeaders: [], rules: [{type: apiKey}]}";
    let mut exchange = request(&self::snapshot(kept), text);
    assert_eq!(run(&mut exchange).await, "shop");
    assert_eq!((exchange.headers.len(), exchange.uri.query()), (4, Some("APIKey=k-shop&b=1")));
}

#[tokio::test]
async fn an_address_a_header_or_a_certificate_belongs_to_an_application() {
    table(
        "{rules: [{type: ipAddress}]}",
        &[
            ("ip=10.0.0.9", "shop"),
            ("ip=10.0.1.5", "application_not_identified"),
            ("ip=10.0.2.7", "application_suspended"),
            ("ip=11.0.0.1", "application_not_identified"),
        ],
    )
    .await;
    table(
        "{rules: [{type: header}]}",
        &[
            ("x-tenant=shop", "shop"),
            ("x-tenant=Shop", "application_not_identified"),
            ("x-tenant=shop|x-tenant=shop", "application_not_identified"),
            ("", "application_not_identified"),
        ],
    )
    .await;
    // Any sequence stands for a certificate, as far as fingerprints go.
    let der = [[0x30_u8; 2].as_slice(), &[1; 30]].concat();
    let header = format!("x-client-cert={}", Base64::encode_string(&der));
    table(
        "{rules: [{type: httpsCertificate, trustedPeers: [10.9.0.0/16]}]}",
        &[
            ("cert=cert-shop", "shop"),
            ("cert=cert-x", "application_not_identified"),
            ("", "application_not_identified"),
            (&format!("peer=10.9.0.1|{header}"), "application_not_identified"),
            ("peer=10.9.0.1|x-client-cert=junk", "application_not_identified"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_value_in_the_body_belongs_to_an_application() {
    let rule = "type: payloadElement, jsonPath: $..tenant, xpath: '//o:tenant', namespaces: {o: 'urn:o'}, regex: 'tenant=(\\S+)'";
    let (json, xml, text) =
        ("content-type=application/json", "content-type=application/xml", "content-type=text/plain");
    let deep = format!("{json}|body={}", "[".repeat(200) + r#"{"tenant":"t-shop"}"# + &"]".repeat(200));
    let nested = format!(
        "{xml}|body={}",
        "<a>".repeat(200) + "<tenant xmlns='urn:o'>t-shop</tenant>" + &"</a>".repeat(200)
    );
    let nobody = "application_not_identified";
    let policy = format!("{{rules: [{{{rule}}}]}}");
    let cases = [
        (format!(r#"{json}|body={{"a":{{"tenant":"t-shop"}}}}"#), "shop"),
        (format!(r#"{json}|body={{"tenant":7}}"#), "shop"),
        (r#"body= {"tenant":"t-shop"}"#.into(), "shop"),
        (format!("{xml}|body=<a><tenant xmlns='urn:o'>t-shop</tenant></a>"), "shop"),
        (format!("{text}|body=a=1 tenant=t-shop"), "shop"),
        (String::new(), nobody),
        ("body=".into(), nobody),
        (format!(r#"{json}|body={{"tenant":"T-shop"}}"#), nobody),
        (format!(r#"{json}|body={{"tenant":"t-shop","x":{{"tenant":"t-shop"}}}}"#), nobody),
        (format!(r#"{json}|body={{"tenant":"x","tenant":"t-shop"}}"#), nobody),
        (format!(r#"{json}|body={{"tenant":["t-shop"]}}"#), nobody),
        (format!(r#"{json}|body={{"tenant":"t-shop""#), nobody),
        (format!(r#"{json}|content-encoding=gzip|body={{"tenant":"t-shop"}}"#), nobody),
        (format!(r#"{text}|body={{"tenant":"t-shop"}}"#), nobody),
        (format!("{text}|body=tenant=t-shop tenant=t-shop"), nobody),
        (format!("{xml}|body=<tenant>t-shop</tenant>"), nobody),
        (
            format!("{xml}|body=<!DOCTYPE a [<!ENTITY t 't-shop'>]><tenant xmlns='urn:o'>t-shop</tenant>"),
            nobody,
        ),
        ("content-type=image/png|body=tenant=t-shop".into(), nobody),
        (deep, nobody),
        (nested, nobody),
    ];
    for (request, expect) in &cases {
        table(&policy, &[(request, expect)]).await;
    }
    table("{rules: [{type: payloadElement, jsonPath: $.tenant}]}", &[(&cases[4].0, nobody)]).await;
}

#[test]
fn bodies_are_asked_for_by_rules_that_look_into_them_only() {
    for (policy, expect) in [
        ("{rules: [{type: apiKey}, {type: payloadElement, regex: a}]}", true),
        ("{rules: [{type: apiKey}, {type: header}]}", false),
    ] {
        assert_eq!(snapshot(policy).apis[0].chain(None).body_decides_access, expect, "{policy}");
    }
}

#[tokio::test]
async fn a_certificate_in_a_header_counts_from_trusted_peers_only_and_goes_no_further() {
    let snapshot =
        snapshot("{lookup: relaxed, rules: [{type: httpsCertificate, trustedPeers: [10.9.0.0/16]}]}");
    let der = [[0x30_u8; 2].as_slice(), &[1; 30]].concat();
    let header = format!("x-client-cert={}", Base64::encode_string(&der));
    let mut trusted = request(&snapshot, &format!("peer=10.9.0.1|{header}"));
    assert_eq!(run(&mut trusted).await, "-", "a certificate of nobody");
    assert!(trusted.headers.is_empty());
    let mut stranger = request(&snapshot, &header);
    assert_eq!(run(&mut stranger).await, "application_not_identified");
}

#[tokio::test]
async fn a_password_is_checked_and_then_remembered() {
    let policy = "{rules: [{type: httpBasic, realm: r}]}";
    let challenge = "Basic realm=\"r\", charset=\"UTF-8\"";
    let missing = format!("credentials_missing {challenge}");
    let wrong = format!("credentials_invalid {challenge}");
    table(
        policy,
        &[
            ("", &missing),
            ("authorization=Bearer x", &missing),
            ("authorization=Basic", &missing),
            ("authorization=Basic !", &wrong),
            ("authorization=Basic YW5u", &wrong),
            ("basic=ann:secret", "shop"),
            ("basic=ann:secret", "shop"),
            ("basic=ann:Secret", &wrong),
            ("basic=ann:", &wrong),
            ("basic=nobody:secret", &wrong),
            ("basic=none:secret", &wrong),
            ("basic=eve:secret", "application_not_registered"),
            ("basic=bob:secret", "application_not_identified"),
            ("basic=ann:secret|authorization=Basic x", &wrong),
        ],
    )
    .await;
    let snapshot = snapshot(policy);
    let mut exchange = request(&snapshot, "basic=ann:secret");
    let slot = &snapshot.apis[0].chain(None).access()[0];
    assert!(matches!(slot.policy.get().request(&mut exchange), Step::Done(Ok(_))), "it was right before");
    assert!(exchange.headers.is_empty(), "and is taken out");
    let anonymous = self::snapshot("{allowAnonymous: true, rules: [{type: httpBasic}]}");
    let mut exchange = request(&anonymous, "basic=ann:wrong");
    assert_eq!(run(&mut exchange).await, "-");
    assert_eq!(exchange.headers.len(), 1, "what was not checked may be for the upstream");
}

#[tokio::test]
async fn a_user_is_known_when_the_credentials_were_right_and_enough() {
    for (policy, text, expect) in [
        ("{rules: [{type: httpBasic}]}", "basic=ann:secret", "ann staff"),
        ("{rules: [{type: httpBasic}]}", "basic=ann:wrong", "- "),
        ("{rules: [{type: apiKey}]}", "x-gateway-apikey=k-shop", "- "),
        ("{lookup: relaxed, rules: [{type: httpBasic}]}", "basic=bob:secret", "bob "),
        ("{allowAnonymous: true, rules: [{type: httpBasic}]}", "basic=bob:secret", "bob "),
        ("{allowAnonymous: true, rules: [{type: httpBasic}]}", "basic=bob:wrong", "- "),
        (
            "{allowAnonymous: true, match: all, rules: [{type: httpBasic}, {type: apiKey}]}",
            "basic=ann:secret",
            "- ",
        ),
        (
            "{match: all, rules: [{type: httpBasic}, {type: ipAddress}]}",
            "basic=ann:secret|ip=10.0.0.1",
            "ann staff",
        ),
    ] {
        let mut exchange = request(&snapshot(policy), text);
        run(&mut exchange).await;
        let known = exchange.authorization().cloned().unwrap_or_default();
        let shown = format!("{} {}", known.user_name.as_deref().unwrap_or("-"), known.groups.join("+"));
        assert_eq!(shown, expect, "{text} under {policy}");
    }
}

#[tokio::test]
async fn lookups_differ_in_whom_they_look_at() {
    for (lookup, cases) in [
        (
            "strict",
            [
                ("k-shop", "shop"),
                ("k-other", "application_not_registered"),
                ("wrong", "api_key_unknown APIKey"),
            ],
        ),
        ("open", [("k-shop", "shop"), ("k-other", "other"), ("wrong", "api_key_unknown APIKey")]),
        ("relaxed", [("k-shop", "shop"), ("k-other", "other"), ("wrong", "api_key_unknown APIKey")]),
    ] {
        let policy = format!("{{lookup: {lookup}, defaultApplication: fallback, rules: [{{type: apiKey}}]}}");
        for (key, expect) in cases {
            table(&policy, &[(&format!("x-gateway-apikey={key}"), expect)]).await;
        }
        table(
            &policy,
            &[("", "credentials_missing APIKey"), ("x-gateway-apikey=k-asleep", "application_suspended")],
        )
        .await;
    }
    table(
        "{lookup: relaxed, defaultApplication: fallback, rules: [{type: httpBasic}, {type: ipAddress}]}",
        &[
            ("basic=bob:secret", "fallback"),
            ("basic=bob:wrong|ip=11.0.0.1", "credentials_invalid Basic realm=\"a\", charset=\"UTF-8\""),
            ("ip=11.0.0.1", "credentials_missing Basic realm=\"a\", charset=\"UTF-8\""),
            ("ip=10.0.1.5", "other"),
        ],
    )
    .await;
    table(
        "{lookup: relaxed, rules: [{type: ipAddress}]}",
        &[("ip=11.0.0.1", "-"), ("ip=10.0.2.7", "application_suspended")],
    )
    .await;
    table(
        "{lookup: open, rules: [{type: ipAddress}]}",
        &[("ip=10.0.1.5", "other"), ("ip=11.0.0.1", "application_not_identified")],
    )
    .await;
}

#[tokio::test]
async fn one_rule_is_enough_or_all_have_to_agree() {
    let rules = "rules: [{type: apiKey}, {type: ipAddress}]";
    table(
        &format!("{{match: any, lookup: open, {rules}}}"),
        &[
            ("x-gateway-apikey=k-shop|ip=10.0.1.5", "shop"),
            ("x-gateway-apikey=wrong|ip=10.0.1.5", "other"),
            ("x-gateway-apikey=wrong|ip=11.0.0.1", "api_key_unknown APIKey"),
            ("ip=10.0.1.5", "other"),
            ("ip=11.0.0.1", "credentials_missing APIKey"),
            ("x-gateway-apikey=k-asleep|ip=11.0.0.1", "application_suspended"),
        ],
    )
    .await;
    table(
        &format!("{{match: all, lookup: open, {rules}}}"),
        &[
            ("x-gateway-apikey=k-shop|ip=10.0.0.9", "shop"),
            ("x-gateway-apikey=k-shop|ip=10.0.1.5", "application_not_identified"),
            ("x-gateway-apikey=k-shop|ip=11.0.0.1", "application_not_identified"),
            ("x-gateway-apikey=wrong|ip=10.0.0.9", "api_key_unknown APIKey"),
            ("ip=10.0.0.9", "credentials_missing APIKey"),
            ("x-gateway-apikey=k-asleep|ip=10.0.2.7", "application_suspended"),
        ],
    )
    .await;
}

#[tokio::test]
async fn anonymous_calls_pass_and_known_ones_are_attributed() {
    table(
        "{allowAnonymous: true, defaultApplication: fallback, rules: [{type: apiKey}, {type: httpBasic}]}",
        &[
            ("", "fallback"),
            ("x-gateway-apikey=k-shop", "shop"),
            ("x-gateway-apikey=wrong", "fallback"),
            ("x-gateway-apikey=k-asleep", "fallback"),
            ("basic=ann:secret", "shop"),
            ("basic=ann:wrong", "fallback"),
        ],
    )
    .await;
    table("{allowAnonymous: true, defaultApplication: missing, rules: [{type: apiKey}]}", &[("", "-")]).await;
}

#[test]
fn mistakes_in_the_configuration_are_told_with_their_path() {
    let registry = StateRegistry::default();
    let environment = Environment {
        kinds: POLICIES,
        registry: &registry,
        workers: 1,
        clock: Clock::system(),
        alerts: Default::default(),
    };
    let kind = POLICIES.iter().find(|kind| kind.type_name == "identifyAndAuthorize").unwrap();
    for (config, path) in [
        ("{rules: []}", "rules"),
        ("{}", ""),
        ("{rules: [{type: apiKey, header: 'a b'}]}", "rules[0].header"),
        ("{rules: [{type: apiKey, header: '', query: ''}]}", "rules[0]"),
        ("{rules: [{type: ipAddress}, {type: httpBasic, realm: 'a\"b'}]}", "rules[1].realm"),
        ("{rules: [{type: ipAddress}], identityHeaders: ['*']}", "identityHeaders[0]"),
        ("{rules: [{type: ipAdress}]}", "rules[0].type"),
        ("{rules: [{type: header, names: []}]}", "rules[0].names"),
        ("{rules: [{type: httpsCertificate, trustedPeers: [x]}]}", "rules[0]"),
        ("{rules: [{type: payloadElement}]}", "rules[0]"),
        ("{rules: [{type: payloadElement, jsonPath: nope}]}", "rules[0].jsonPath"),
        ("{rules: [{type: payloadElement, xpath: '//p:a'}]}", "rules[0].xpath"),
        ("{rules: [{type: payloadElement, regex: '('}]}", "rules[0].regex"),
        ("{rules: [{type: payloadElement, regex: a, namespaces: {p: 'urn:p'}}]}", "rules[0].namespaces"),
    ] {
        let mut cx = engine::CompileCx::new(&environment, "");
        let problems = kind.compile(yaml::parse(config).unwrap().value, &mut cx).err().expect(config);
        assert_eq!(problems.0[0].path, path, "{config}: {problems}");
    }
}
