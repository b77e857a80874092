//! Assertions that are JSON Web Tokens (RFC 7523, 2.1 and 3).

use std::sync::Arc;

use jose::{Algorithm, Audience, Compact, Expectations, Refusal, Why};
use model::{authorization_server::AssertionFormat, oauth_client::AuthorizationServerSettings};
use serde_json::{Map, Value};

use super::{Failed, Issuer, LookedAt, Refused, Said, of_client, of_subject, own_names};
use crate::secret;

/// What an assertion may call itself: what was made as an access token or an ID token of today is none.
const KINDS: [&str; 2] = ["jwt", "authorization-grant+jwt"];

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let (reason, help) = match refusal.why {
            Why::Malformed => ("assertion_malformed", "send a signed JSON Web Token in its compact form"),
            Why::Algorithm => {
                ("assertion_algorithm", "it has to be signed with a private key that is accepted here")
            }
            Why::UnknownKey => {
                ("assertion_key", "its issuer has to publish the key, or it has to be written down here")
            }
            Why::Signature => ("assertion_signature", "send it as its issuer has signed it"),
            Why::Type => ("assertion_type", "its `typ` has to be `JWT`, or missing"),
            Why::Expired => ("assertion_expired", "get a new one from its issuer"),
            Why::NotYetValid => ("assertion_not_yet_valid", "wait, or look at the clock of its issuer"),
            Why::Issuer => ("assertion_issuer", "get one from a server that is trusted here"),
            Why::Audience => ("assertion_audience", "get one for this server from its issuer"),
            Why::Claims => ("assertion_claims", "it needs `iss`, `sub`, `aud`, `exp` and `iat`"),
        };
        Self::because(reason, &refusal.detail, help)
    }
}

/// An assertion that is right, when its signature is.
struct Looked<'t> {
    token: Compact<'t>,
    claims: Map<String, Value>,
    issuer: Arc<dyn Issuer>,
    until: u64,
    id: String,
}

/// Looks at everything but the signature.
fn look_at<'t>(
    text: &'t str,
    client: &str,
    issuers: &[Arc<dyn Issuer>],
    settings: &AuthorizationServerSettings,
    now: u64,
) -> Result<Looked<'t>, Refused> {
    let token = Compact::parse(text)?;
    if Algorithm::by_name(&token.header.algorithm).is_none_or(Algorithm::is_symmetric) {
        // Whoever verifies such a signature could have made it.
        return Err(Refusal::new(Why::Algorithm, "it is signed with a secret").into());
    }
    let claims = token.claims()?;
    let claim = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let named = claim("iss").ok_or_else(|| Refusal::new(Why::Claims, "it names no issuer (`iss`)"))?;
    let of_client = of_client(issuers, named, AssertionFormat::Jwt, client)?;
    let for_subject = claim("sub").map(|subject| of_subject(&of_client, subject, "`sub`"));
    // Which entry it is says what else it has to be like; what is wrong with it otherwise is told first.
    let Some(issuer) = for_subject.as_ref().and_then(|found| found.as_ref().ok()).or(of_client.first())
    else {
        return Err(Refusal::new(Why::Issuer, "its issuer is not trusted here").into());
    };
    let issuer = Arc::clone(issuer);
    let doc = issuer.doc();
    let own = own_names(settings);
    let audiences = if doc.audiences.is_empty() { &own[..] } else { &doc.audiences[..] };
    let expected = Expectations {
        issuer: named,
        audience: Audience::OneOf(audiences),
        kinds: &KINDS.map(str::to_owned),
        skew: issuer.skew(),
        max_age: Some(doc.max_age.get()),
        must_expire: true,
    };
    expected.check_kind(&token.header)?;
    let lifetime = expected.check(&claims, now).map_err(|refusal| match refusal.why {
        Why::Audience => {
            let detail = format!("{}, and has to be for {}", refusal.detail, audiences.join(" or "));
            Refusal::new(Why::Audience, detail)
        }
        _ => refusal,
    })?;
    for_subject.ok_or_else(|| Refusal::new(Why::Claims, "it is about nobody (no `sub`)"))??;
    let id = match claims.get("jti") {
        Some(Value::String(id)) if !id.is_empty() => format!("jti {id}"),
        Some(_) => return Err(Refusal::new(Why::Claims, "its `jti` is no text").into()),
        // What was signed: a signature can be written in more than one way.
        None => format!("text {}", text.rsplit_once('.').map_or(text, |(signed, _)| signed)),
    };
    let id = secret::hash(&format!("assertion\n{named}\n{id}"));
    Ok(Looked { until: lifetime.until.unwrap_or(now), token, claims, issuer, id })
}

pub(super) async fn read(
    text: &str,
    client: &str,
    issuers: &[Arc<dyn Issuer>],
    settings: &AuthorizationServerSettings,
    now: u64,
) -> Result<Said, Failed> {
    let Looked { token, claims, issuer, until, id } = look_at(text, client, issuers, settings, now)?;
    let mut verified = Ok(());
    let mut look = |keys: &jose::KeySet| {
        verified = keys.verify(&token, issuer.algorithms());
        match &verified {
            Err(refusal) if refusal.why == Why::UnknownKey => LookedAt::KeyMissing,
            _ => LookedAt::Decided,
        }
    };
    if !issuer.with_keys(&mut look).await {
        return Err(Failed::NoKeys(issuer.name().to_owned()));
    }
    verified.map_err(Refused::from)?;
    let user = issuer.user(&claims);
    Ok(Said { issuer, user, until, id })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jose::{KeySet, SigningKey};
    use model::authorization_server::AssertionsDoc;
    use serde_json::json;

    use super::*;
    use crate::Later;

    const NOW: u64 = 1_800_000_000;

    struct Known(AssertionsDoc);

    impl Issuer for Known {
        fn name(&self) -> &str {
            "pipeline"
        }

        fn issuer(&self) -> Option<String> {
            Some("https://ci.example".to_owned())
        }

        fn doc(&self) -> &AssertionsDoc {
            &self.0
        }

        fn skew(&self) -> Duration {
            Duration::from_secs(60)
        }

        fn user(&self, claims: &Map<String, Value>) -> Option<String> {
            claims.get("sub")?.as_str().map(str::to_owned)
        }

        fn algorithms(&self) -> &[Algorithm] {
            &[]
        }

        fn with_keys<'a>(&'a self, _: &'a mut (dyn FnMut(&KeySet) -> LookedAt + Send)) -> Later<'a, bool> {
            Box::pin(async { false })
        }
    }

    fn issuers(doc: Value) -> Vec<Arc<dyn Issuer>> {
        vec![Arc::new(Known(serde_json::from_value(doc).expect("it is read")))]
    }

    fn signed(kind: &str, change: impl FnOnce(&mut Value)) -> String {
        let clear = SigningKey::generate(Algorithm::Es256).expect("there is randomness");
        let key = SigningKey::parse(Algorithm::Es256, &clear).expect("it was made here");
        let mut claims = json!({
            "iss": "https://ci.example", "sub": "repo:acme/shop", "aud": "https://id.example/token",
            "exp": NOW + 300, "iat": NOW, "jti": "1",
        });
        change(&mut claims);
        key.sign(kind, &claims).expect("there is randomness")
    }

    fn settings() -> AuthorizationServerSettings {
        serde_json::from_value(json!({ "issuer": "https://id.example" })).expect("they are read")
    }

    fn looked(text: &str, client: &str, issuers: &[Arc<dyn Issuer>]) -> Result<(u64, String), Refused> {
        look_at(text, client, issuers, &settings(), NOW).map(|looked| (looked.until, looked.id))
    }

    #[test]
    fn whatever_is_wrong_with_an_assertion_has_a_reason_of_its_own() {
        let known = issuers(json!({ "clients": ["ci"], "subjects": ["repo:acme/*"] }));
        let without = |name: &'static str| {
            signed("JWT", move |claims| {
                claims.as_object_mut().expect("an object").remove(name);
            })
        };
        let with = |name: &'static str, value: Value| signed("JWT", move |claims| claims[name] = value);
        let good = with("nbf", json!(NOW - 1));
        assert_eq!(looked(&good, "ci", &known).map(|(until, _)| until), Ok(NOW + 360));
        let parts: Vec<_> = good.split('.').collect();
        let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", parts[1]);
        // {"alg":"HS256"}
        let secret = format!("eyJhbGciOiJIUzI1NiJ9.{}.{}", parts[1], parts[2]);
        for (what, text, client, reason) in [
            ("no token", "x".to_owned(), "ci", "assertion_malformed"),
            ("long", format!("{good}{}", "A".repeat(20_000)), "ci", "assertion_malformed"),
            ("none", unsigned, "ci", "assertion_algorithm"),
            ("a secret", secret, "ci", "assertion_algorithm"),
            ("no issuer", without("iss"), "ci", "assertion_claims"),
            ("another issuer", with("iss", json!("https://evil.example")), "ci", "assertion_issuer"),
            ("several issuers", with("iss", json!(["https://ci.example"])), "ci", "assertion_claims"),
            ("another client", good.clone(), "other", "assertion_client"),
            ("an access token", signed("at+jwt", |_| ()), "ci", "assertion_type"),
            ("no audience", without("aud"), "ci", "assertion_audience"),
            ("another audience", with("aud", json!(["https://id.example/"])), "ci", "assertion_audience"),
            ("for ever", without("exp"), "ci", "assertion_claims"),
            ("over", with("exp", json!(NOW - 60)), "ci", "assertion_expired"),
            ("soon", with("nbf", json!(NOW + 61)), "ci", "assertion_not_yet_valid"),
            ("from the future", with("iat", json!(NOW + 61)), "ci", "assertion_not_yet_valid"),
            ("undated", without("iat"), "ci", "assertion_claims"),
            ("old", with("iat", json!(NOW - 660)), "ci", "assertion_expired"),
            ("about nobody", without("sub"), "ci", "assertion_claims"),
            ("about an empty name", with("sub", json!("")), "ci", "assertion_claims"),
            ("about somebody else", with("sub", json!("repo:evil/shop")), "ci", "assertion_subject"),
            ("an odd id", with("jti", json!(7)), "ci", "assertion_claims"),
            ("an empty id", with("jti", json!("")), "ci", "assertion_claims"),
        ] {
            let found = looked(&text, client, &known).expect_err(what);
            assert_eq!(found.reason, reason, "{what}: {}", found.told);
            assert!(
                found.told.contains("the assertion is not taken: ") && found.told.contains("; "),
                "{what}"
            );
        }
    }

    #[test]
    fn what_counts_is_what_the_configuration_says() {
        let other = signed("authorization-grant+jwt", |claims| {
            claims["aud"] = json!(["a", "https://orders.example"]);
            claims["iat"] = json!(NOW - 3_000);
        });
        let doc = json!({
            "clients": ["ci"], "subjects": ["*"], "audiences": ["https://orders.example"], "maxAge": "1h",
        });
        assert_eq!(looked(&other, "ci", &issuers(doc)).map(|(until, _)| until), Ok(NOW + 360));
        let user = json!({ "clients": ["ci"], "actsFor": "user" });
        assert!(looked(&signed("JWT", |_| ()), "ci", &issuers(user.clone())).is_ok());
        // Who may be meant can be said then, too.
        let mut few = user;
        few["subjects"] = json!(["ada"]);
        let refused = looked(&signed("JWT", |_| ()), "ci", &issuers(few)).expect_err("it is about another");
        assert_eq!(refused.reason, "assertion_subject");
    }

    #[test]
    fn a_server_may_be_there_several_times_for_others_each_time() {
        let mut known = issuers(json!({ "clients": ["ci"], "subjects": ["repo:acme/a"], "maxAge": "1s" }));
        known.extend(issuers(json!({ "clients": ["ci"], "subjects": ["repo:acme/*"], "maxAge": "1m" })));
        known.extend(issuers(json!({ "clients": ["other"], "subjects": ["*"], "maxAge": "2m" })));
        for (client, subject, until) in
            [("ci", "repo:acme/a", 61), ("ci", "repo:acme/b", 120), ("other", "repo:acme/a", 180)]
        {
            let text = signed("JWT", |claims| claims["sub"] = json!(subject));
            assert_eq!(
                looked(&text, client, &known).map(|(end, _)| end),
                Ok(NOW + until),
                "{client} {subject}"
            );
        }
        let text = signed("JWT", |claims| claims["sub"] = json!("repo:evil/a"));
        assert_eq!(looked(&text, "ci", &known).expect_err("it counts nowhere").reason, "assertion_subject");
    }

    #[test]
    fn two_assertions_are_told_apart_by_their_ids_or_else_by_what_they_say() {
        let known = issuers(json!({ "clients": ["ci"], "subjects": ["*"] }));
        let id = |text: &str| looked(text, "ci", &known).expect("it is right").1;
        let named = |jti: &'static str| id(&signed("JWT", move |claims| claims["jti"] = json!(jti)));
        assert_eq!(named("a"), named("a"), "whatever else is in them");
        assert_ne!(named("a"), named("b"));
        let bare = signed("JWT", |claims| {
            claims.as_object_mut().expect("an object").remove("jti");
        });
        let (said, _) = bare.rsplit_once('.').expect("it has parts");
        assert_eq!(id(&bare), id(&format!("{said}.AAAA")), "signed in another way");
        assert_ne!(id(&bare), named("a"));
    }
}
