//! Tokens for what a server elsewhere has signed (RFC 7523, 2.1 and 3): it says who somebody is, and a client that may
//! bring such an assertion gets a token for it. Where the server's keys come from is left to others ([`Issuer`]).

use std::{sync::Arc, time::Duration};

use jose::{Algorithm, Audience, Compact, Expectations, Refusal, Why};
use model::{
    authorization_server::{AssertionSubject, AssertionsDoc},
    oauth_client::AuthorizationServerSettings,
    usable_by::fits,
};
use serde_json::{Map, Value};
use store::assets::Passing;

use crate::{
    AuthorizationServer, Later,
    binding::Binding,
    clients::Client,
    error::OauthError,
    form::Form,
    http::TOKEN,
    issue::{Grant, Issued, LoggedIn, scopes},
    secret,
};

/// How long after its assertion a token may last, in seconds: RFC 7521, 4.1 wants it not to last much longer.
const LONGEST_AFTER: u64 = 3_600;
/// What an assertion may call itself: what was made as an access token or an ID token of today is none.
const KINDS: [&str; 2] = ["jwt", "authorization-grant+jwt"];

/// A server elsewhere whose assertions are taken.
pub trait Issuer: Send + Sync {
    /// As the configuration calls it.
    fn name(&self) -> &str;
    /// As its assertions name it in `iss`, as far as that is known.
    fn issuer(&self) -> Option<String>;
    fn doc(&self) -> &AssertionsDoc;
    /// How far clocks may differ.
    fn skew(&self) -> Duration;
    /// The name of the user that claims mean.
    fn user(&self, claims: &Map<String, Value>) -> Option<String>;
    /// Verifies the signature. Keys that may have been published since are waited for.
    fn verify<'a>(&'a self, assertion: &'a Compact<'a>) -> Later<'a, Result<(), NotVerified>>;
}

/// Why it is not known that an assertion is right.
#[derive(Debug)]
pub enum NotVerified {
    Refused(Refusal),
    /// No keys of the server are known.
    NoKeys,
}

/// Why an assertion is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Refused {
    /// Stays the same, for whoever looks through logs.
    reason: &'static str,
    told: String,
}

impl Refused {
    fn new(reason: &'static str, told: impl Into<String>) -> Self {
        Self { reason, told: told.into() }
    }
}

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
        Self::new(reason, format!("the assertion is not taken: {}; {help}", refusal.detail))
    }
}

/// An assertion that is right, when its signature is.
struct Looked<'t> {
    token: Compact<'t>,
    claims: Map<String, Value>,
    issuer: Arc<dyn Issuer>,
    /// Until when it could be brought again, in seconds since 1970.
    until: u64,
    /// What it is told apart from others by.
    id: String,
}

/// Whether somebody counts.
fn counts(doc: &AssertionsDoc, subject: &str) -> bool {
    let all = doc.subjects.is_empty() && doc.acts_for == AssertionSubject::User;
    all || doc.subjects.iter().any(|pattern| fits(pattern, subject))
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
    let of_issuer = || issuers.iter().filter(|issuer| issuer.issuer().as_deref() == Some(named));
    if of_issuer().next().is_none() {
        let detail = format!("its issuer `{}` is not trusted here", jose::shown(named));
        return Err(Refusal::new(Why::Issuer, detail).into());
    }
    let of_client = || of_issuer().filter(|issuer| issuer.doc().clients.iter().any(|known| known == client));
    // The same server may be there several times, for others each time.
    let for_subject =
        claim("sub").and_then(|subject| of_client().find(|issuer| counts(issuer.doc(), subject)));
    let issuer = Arc::clone(for_subject.or_else(|| of_client().next()).ok_or_else(|| {
        let told = "the assertion is not taken: this client may not bring one of its issuer; whoever manages \
                    this server has to add it to `assertions.clients`";
        Refused::new("assertion_client", told)
    })?);
    let doc = issuer.doc();
    let own = [settings.issuer.clone(), format!("{}{TOKEN}", settings.issuer)];
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
    let subject = claim("sub").ok_or_else(|| Refusal::new(Why::Claims, "it is about nobody (no `sub`)"))?;
    if !counts(doc, subject) {
        let told = format!(
            "the assertion is not taken: its `sub` is {}, which is not one that counts; whoever manages this server has \
             to add it to `assertions.subjects`",
            jose::shown(subject)
        );
        return Err(Refused::new("assertion_subject", told));
    }
    let id = match claims.get("jti") {
        Some(Value::String(id)) if !id.is_empty() => format!("jti {id}"),
        Some(_) => return Err(Refusal::new(Why::Claims, "its `jti` is no text").into()),
        // What was signed: a signature can be written in more than one way.
        None => format!("text {}", text.rsplit_once('.').map_or(text, |(signed, _)| signed)),
    };
    let id = secret::hash(&format!("assertion\n{named}\n{id}"));
    Ok(Looked { until: lifetime.until.unwrap_or(now), token, claims, issuer, id })
}

impl AuthorizationServer {
    pub(crate) async fn assert(
        &self,
        client: &Client,
        form: &Form,
        binding: Option<&Binding>,
    ) -> Result<Issued, OauthError> {
        let refused = |refused: Refused| {
            let Refused { reason, told } = refused;
            tracing::info!(client = client.doc.id.as_str(), reason, "{told}");
            OauthError::invalid_grant(fitting(&told))
        };
        let now = self.house.now() / 1_000_000;
        let known = self.clients();
        let text = form.needs("assertion")?;
        let looked = look_at(text, &client.doc.id, &known.issuers, &self.settings, now).map_err(refused)?;
        let (issuer, doc) = (looked.issuer.name(), looked.issuer.doc());
        let scope = scopes(client, form.get("scope"))?;
        if !doc.scopes.is_empty() && scope.iter().any(|scope| !doc.scopes.contains(scope)) {
            let problem = "tokens for assertions of this issuer do not have all of these scopes";
            return Err(OauthError::new("invalid_scope", problem));
        }
        match looked.issuer.verify(&looked.token).await {
            Ok(()) => {}
            Err(NotVerified::Refused(refusal)) => return Err(refused(refusal.into())),
            Err(NotVerified::NoKeys) => {
                tracing::warn!(issuer, "an assertion cannot be verified: no keys of its issuer are known");
                let problem = "the keys of the issuer of the assertion are not known yet; try again later";
                return Err(OauthError::new("server_error", problem));
            }
        }
        let person = match doc.acts_for {
            AssertionSubject::Client => None,
            AssertionSubject::User => {
                let named = looked.issuer.user(&looked.claims);
                let person = named.and_then(|name| self.house.person(&name));
                Some(person.ok_or_else(|| {
                    let told = "the assertion is not taken: it means nobody who is a user here";
                    refused(Refused::new("assertion_user", told))
                })?)
            }
        };
        if !doc.reusable {
            let once = Passing {
                hash: looked.id.clone(),
                kind: "assertion".to_owned(),
                user: None,
                client: Some(client.doc.id.clone()),
                expires_at: (looked.until + 1).saturating_mul(1_000_000),
                used_at: None,
                document: String::new(),
            };
            if !self.store.put_passing(&once).await? {
                let told = "the assertion is not taken: it was brought before, and each is good for once; get a new one \
                            from its issuer";
                return Err(refused(Refused::new("assertion_replayed", told)));
            }
        }
        let grant = Grant {
            client,
            user: person.as_ref().map(|person| LoggedIn { person, at: None, nonce: None }),
            scope: &scope,
            family: secret::id()?,
            may_refresh: false,
            bound_to: binding,
            not_after: Some((looked.until + LONGEST_AFTER).saturating_mul(1_000_000)),
        };
        self.issue(grant).await
    }
}

/// What may stand in a description (RFC 6749, 5.2).
fn fitting(text: &str) -> String {
    let fits = |c: char| matches!(c, ' ' | '!' | '#'..='[' | ']'..='~');
    text.chars().map(|c| if fits(c) { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use jose::SigningKey;
    use serde_json::json;

    use super::*;

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

        fn verify<'a>(&'a self, _: &'a Compact<'a>) -> Later<'a, Result<(), NotVerified>> {
            Box::pin(async { Err(NotVerified::NoKeys) })
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

    #[test]
    fn a_description_says_what_may_be_said() {
        assert_eq!(fitting("a `b` \"c\"\\\r\n\u{e9}"), "a `b` ?c?????");
    }
}
