//! Claims of a verified token (RFC 7519, 4.1; RFC 9068, 4): who made it, for whom, and from when until when.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::{Header, Refusal, Why, shown};

/// Seconds that no token is valid for; times beyond are nonsense.
const LONGEST: u64 = 100 * 366 * 86_400;

/// What a token has to say.
#[derive(Debug, Clone)]
pub struct Expectations<'e> {
    pub issuer: &'e str,
    pub audience: Audience<'e>,
    /// Kinds of tokens, as `typ` names them in lower case; those that name none are of any kind.
    pub kinds: &'e [String],
    /// How far clocks may differ.
    pub skew: Duration,
    /// Longest time since `iat`, which is then asked for.
    pub max_age: Option<Duration>,
    /// Refuse tokens without `exp`.
    pub must_expire: bool,
}

/// Whom a token has to be for.
#[derive(Debug, Clone, Copy)]
pub enum Audience<'e> {
    /// Anybody.
    Any,
    /// One of these.
    OneOf(&'e [String]),
    /// One of these, where it says for whom it is at all.
    OneOfIfSaid(&'e [String]),
}

/// From when until when a token is good, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// `exp`, or the end of its greatest age; the skew is in it.
    pub until: Option<u64>,
}

impl Expectations<'_> {
    /// Whether the kind of the token is one that is expected.
    pub fn check_kind(&self, header: &Header) -> Result<(), Refusal> {
        match &header.kind {
            Some(kind) if !self.kinds.contains(kind) => {
                Err(Refusal::new(Why::Type, format!("it is a `{}`, which is not accepted", shown(kind))))
            }
            _ => Ok(()),
        }
    }

    /// Checks the claims at a time in seconds since 1970.
    pub fn check(&self, claims: &Map<String, Value>, now: u64) -> Result<Lifetime, Refusal> {
        match claims.get("iss") {
            Some(Value::String(issuer)) if issuer == self.issuer => {}
            Some(Value::String(issuer)) => {
                return Err(Refusal::new(Why::Issuer, format!("it is of issuer `{}`", shown(issuer))));
            }
            _ => return Err(Refusal::new(Why::Issuer, "it names no issuer")),
        }
        self.check_audience(claims)?;
        self.check_times(claims, now)
    }

    /// Whom the token is for.
    pub fn check_audience(&self, claims: &Map<String, Value>) -> Result<(), Refusal> {
        let (expected, must) = match self.audience {
            Audience::Any => return Ok(()),
            Audience::OneOf(expected) => (expected, true),
            Audience::OneOfIfSaid(expected) => (expected, false),
        };
        let is_one =
            |value: &Value| value.as_str().is_some_and(|said| expected.iter().any(|known| known == said));
        let fits = match claims.get("aud") {
            None if !must => true,
            None => return Err(Refusal::new(Why::Audience, "it does not say for whom it is (`aud`)")),
            Some(Value::Array(several)) => several.iter().any(is_one),
            Some(one) => is_one(one),
        };
        if fits { Ok(()) } else { Err(Refusal::new(Why::Audience, "it is for another audience (`aud`)")) }
    }

    /// When the token is valid.
    pub fn check_times(&self, claims: &Map<String, Value>, now: u64) -> Result<Lifetime, Refusal> {
        let skew = self.skew.as_secs();
        let expires = time(claims, "exp")?;
        if expires.is_none() && self.must_expire {
            return Err(Refusal::new(Why::Claims, "it never expires (no `exp`)"));
        }
        if expires.is_some_and(|expires| expires.saturating_add(skew) <= now) {
            return Err(Refusal::new(Why::Expired, "it has expired"));
        }
        if time(claims, "nbf")?.is_some_and(|begins| begins > now.saturating_add(skew)) {
            return Err(Refusal::new(Why::NotYetValid, "it is not valid yet (`nbf`)"));
        }
        let issued = time(claims, "iat")?;
        if issued.is_some_and(|issued| issued > now.saturating_add(skew)) {
            return Err(Refusal::new(Why::NotYetValid, "it is from the future (`iat`)"));
        }
        let mut until = expires.map(|expires| expires.saturating_add(skew));
        if let Some(age) = self.max_age {
            let issued = issued
                .ok_or_else(|| Refusal::new(Why::Claims, "it does not say how old it is (no `iat`)"))?;
            let end = issued.saturating_add(age.as_secs()).saturating_add(skew);
            if end <= now {
                return Err(Refusal::new(Why::Expired, "it is too old (`iat`)"));
            }
            until = Some(until.map_or(end, |until| until.min(end)));
        }
        Ok(Lifetime { until })
    }
}

/// A time in seconds; what is written with a fraction counts from its beginning.
fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Option<u64>, Refusal> {
    let wrong = || Refusal::new(Why::Claims, format!("its `{name}` is no time"));
    let seconds = match claims.get(name) {
        None => return Ok(None),
        Some(Value::Number(number)) => match (number.as_u64(), number.as_f64()) {
            (Some(seconds), _) => seconds,
            // Far inside what is exact.
            (None, Some(seconds)) if (0.0..1e12).contains(&seconds) => seconds as u64,
            _ => return Err(wrong()),
        },
        Some(_) => return Err(wrong()),
    };
    if seconds > LONGEST * 10 { Err(wrong()) } else { Ok(Some(seconds)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn claims_are_checked_one_by_one() {
        let audiences = ["orders".to_owned()];
        let base = Expectations {
            issuer: "https://a",
            audience: Audience::OneOf(&audiences),
            kinds: &[],
            skew: Duration::from_secs(60),
            max_age: None,
            must_expire: true,
        };
        let aged = Expectations { max_age: Some(Duration::from_secs(600)), ..base.clone() };
        let lax = Expectations { audience: Audience::Any, must_expire: false, ..base.clone() };
        let said = Expectations { audience: Audience::OneOfIfSaid(&audiences), ..base.clone() };
        let good = r#""iss":"https://a","aud":"orders","exp":1800000100"#;
        for (expectations, claims, expect) in [
            (&base, good, Ok(Some(NOW + 160))),
            (&base, r#""iss":"https://a","aud":["x","orders"],"exp":1800000100.9"#, Ok(Some(NOW + 160))),
            (&base, r#""iss":"https://a/","aud":"orders","exp":1800000100"#, Err(Why::Issuer)),
            (&base, r#""iss":["https://a"],"aud":"orders","exp":1800000100"#, Err(Why::Issuer)),
            (&base, r#""aud":"orders","exp":1800000100"#, Err(Why::Issuer)),
            (&base, r#""iss":"https://a","aud":"Orders","exp":1800000100"#, Err(Why::Audience)),
            (&base, r#""iss":"https://a","aud":[],"exp":1800000100"#, Err(Why::Audience)),
            (&base, r#""iss":"https://a","aud":{"orders":1},"exp":1800000100"#, Err(Why::Audience)),
            (&base, r#""iss":"https://a","exp":1800000100"#, Err(Why::Audience)),
            (&said, r#""iss":"https://a","exp":1800000100"#, Ok(Some(NOW + 160))),
            (&said, r#""iss":"https://a","aud":"x","exp":1800000100"#, Err(Why::Audience)),
            (&base, r#""iss":"https://a","aud":"orders","exp":1799999941"#, Ok(Some(NOW + 1))),
            (&base, r#""iss":"https://a","aud":"orders","exp":1799999940"#, Err(Why::Expired)),
            (&base, r#""iss":"https://a","aud":"orders","exp":"1800000100""#, Err(Why::Claims)),
            (&base, r#""iss":"https://a","aud":"orders","exp":-1"#, Err(Why::Claims)),
            (&base, r#""iss":"https://a","aud":"orders","exp":1e300"#, Err(Why::Claims)),
            (&base, r#""iss":"https://a","aud":"orders","exp":18446744073709551615"#, Err(Why::Claims)),
            (&base, r#""iss":"https://a","aud":"orders""#, Err(Why::Claims)),
            (&lax, r#""iss":"https://a""#, Ok(None)),
            (
                &base,
                r#""iss":"https://a","aud":"orders","exp":1800000100,"nbf":1800000060"#,
                Ok(Some(NOW + 160)),
            ),
            (
                &base,
                r#""iss":"https://a","aud":"orders","exp":1800000100,"nbf":1800000061"#,
                Err(Why::NotYetValid),
            ),
            (
                &base,
                r#""iss":"https://a","aud":"orders","exp":1800000100,"iat":1800000061"#,
                Err(Why::NotYetValid),
            ),
            (&base, r#""iss":"https://a","aud":"orders","exp":1800000100,"iat":null"#, Err(Why::Claims)),
            (&aged, good, Err(Why::Claims)),
            (
                &aged,
                r#""iss":"https://a","aud":"orders","exp":1800000100,"iat":1799999400"#,
                Ok(Some(NOW + 60)),
            ),
            (
                &aged,
                r#""iss":"https://a","aud":"orders","exp":1800000100,"iat":1799999340"#,
                Err(Why::Expired),
            ),
        ] {
            let parsed: Map<String, Value> = serde_json::from_str(&format!("{{{claims}}}")).unwrap();
            let found = expectations.check(&parsed, NOW);
            assert_eq!(found.map(|life| life.until).map_err(|refusal| refusal.why), expect, "{claims}");
        }
    }
}
