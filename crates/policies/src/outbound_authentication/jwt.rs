//! JSON Web Tokens that the gateway makes for upstreams. A signature costs far more than everything else about a
//! request, so that tokens with the same claims are used again.

use std::{collections::BTreeMap, time::Duration};

use base64ct::{Base64, Encoding};
use engine::{
    Clock, CompileCx, Exchange, Needs, Outcome, Rejection, Timestamp, Verdict,
    language::{Escape, LanguageCx, Template},
};
use http::{HeaderName, HeaderValue, header::AUTHORIZATION};
use jose::SigningKey;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use model::{Diagnostic, diagnostic::join};
use moka::{policy::EvictionPolicy, sync::Cache};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{NOT_SIGNED, sensitive};
use crate::upstream_token_keys::KeyHolder;

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OutboundJwtAlgorithm {
    /// RSA, PKCS#1 v1.5, SHA-256; a key of at least 2048 bits.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256, SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// HMAC, SHA-256, with a secret that the upstream knows, too.
    #[serde(rename = "HS256")]
    Hs256,
}

/// What a token is made from, as it is written.
pub struct JwtDoc {
    /// Name of the claim, key in the configuration, text.
    pub registered: [(&'static str, &'static str, Option<String>); 3],
    pub claims: BTreeMap<String, Value>,
    pub life: Duration,
    pub algorithm: OutboundJwtAlgorithm,
    /// `None` where a configuration is checked without an API, and so without secrets.
    pub key: Option<String>,
    pub key_id: Option<String>,
    pub header: HeaderName,
}

/// Makes tokens.
pub struct Mint {
    claims: Vec<(String, Claim)>,
    life: Duration,
    key: EncodingKey,
    /// Only had, so that upstreams find the public part; `None` for secrets.
    _published: Option<KeyHolder>,
    head: Header,
    header: HeaderName,
    clock: Clock,
    /// By their claims: tokens, and until when they are used again.
    known: Cache<String, (HeaderValue, Timestamp)>,
}

/// Bytes of tokens and claims that are kept; the least recently used make room.
const MOST: u64 = 4 << 20;
const SHORTEST_LIFE: Duration = Duration::from_secs(10);
/// RFC 7518, 3.2.
const SHORTEST_SECRET: usize = 32;
/// Claims that say how the token itself is to be used, or that have keys of their own.
const OWN: [&str; 7] = ["iss", "sub", "aud", "exp", "iat", "nbf", "jti"];

impl Mint {
    pub fn compile(doc: JwtDoc, cx: &mut CompileCx<'_>) -> Result<Self, Diagnostic> {
        if doc.life < SHORTEST_LIFE {
            return Err(Diagnostic::error(
                "timeToLive",
                "is shorter than 10 seconds, which clocks differ by",
            ));
        }
        let mut claims = Vec::new();
        for (claim, path, text) in doc.registered {
            if let Some(text) = text {
                claims.push((claim.to_owned(), Claim::compile(Value::String(text), path, cx.language())?));
            }
        }
        for (name, value) in doc.claims {
            let path = join("claims", &name);
            if OWN.contains(&&*name) {
                let help = "iss, sub and aud are written as `issuer`, `subject` and `audience`";
                let problem = format!("found `{name}`, which the gateway sets itself");
                return Err(Diagnostic::error(path, problem).help(help));
            }
            claims.push((name, Claim::compile(value, &path, cx.language())?));
        }
        let (algorithm, key) = match (doc.algorithm, &doc.key) {
            (_, None) => (Algorithm::HS256, EncodingKey::from_secret(&[0; SHORTEST_SECRET])),
            (OutboundJwtAlgorithm::Rs256, Some(key)) => {
                (Algorithm::RS256, pem(EncodingKey::from_rsa_pem(key.as_bytes()))?)
            }
            (OutboundJwtAlgorithm::Es256, Some(key)) => {
                (Algorithm::ES256, pem(EncodingKey::from_ec_pem(key.as_bytes()))?)
            }
            (OutboundJwtAlgorithm::Hs256, Some(key)) if key.len() < SHORTEST_SECRET => {
                return Err(Diagnostic::error("key", "expected a secret of at least 32 bytes"));
            }
            (OutboundJwtAlgorithm::Hs256, Some(key)) => {
                (Algorithm::HS256, EncodingKey::from_secret(key.as_bytes()))
            }
        };
        let public = doc.key.as_deref().and_then(|key| public_key(algorithm, key));
        let id = doc.key_id.or_else(|| public.as_ref().map(|public| public.id().to_owned()));
        let published = public.zip(id.as_deref()).map(|(public, id)| {
            let mut jwk = public.public_jwk().clone();
            jwk.insert("kid".to_owned(), id.into());
            KeyHolder::new(id, jwk, cx)
        });
        let mut head = Header::new(algorithm);
        head.kid = id;
        // A key that cannot sign is found now, and not by the first request.
        jsonwebtoken::encode(&head, &Map::new(), &key)
            .map_err(|_| Diagnostic::error("key", "found a key that cannot sign with this algorithm"))?;
        Ok(Self {
            claims,
            life: doc.life,
            key,
            _published: published,
            head,
            header: doc.header,
            clock: cx.clock(),
            known: Cache::builder()
                .max_capacity(MOST)
                .weigher(|claims: &String, (value, _): &(HeaderValue, Timestamp)| {
                    u32::try_from(claims.len() + value.len()).unwrap_or(u32::MAX)
                })
                .eviction_policy(EvictionPolicy::lru())
                .build(),
        })
    }

    pub fn show(&self, exchange: &mut Exchange) -> Verdict {
        let claims: Map<String, Value> = self
            .claims
            .iter()
            .map(|(name, claim)| (name.clone(), claim.value(exchange)))
            .filter(|(_, value)| value.as_str() != Some(""))
            .collect();
        let value = self.token(claims)?;
        exchange.headers.remove(AUTHORIZATION);
        exchange.headers.insert(&self.header, &value);
        Ok(Outcome::Changed)
    }

    fn token(&self, mut claims: Map<String, Value>) -> Result<HeaderValue, Box<Rejection>> {
        let now = self.clock.now();
        let same = Value::Object(claims.clone()).to_string();
        if let Some((value, until)) = self.known.get(&same)
            && now < until
        {
            return Ok(value);
        }
        claims.insert("iat".to_owned(), now.seconds().into());
        claims.insert("exp".to_owned(), (now.seconds() + self.life.as_secs()).into());
        let wrong = || Rejection::new(&NOT_SIGNED).detail("the token cannot be made");
        let token = jsonwebtoken::encode(&self.head, &claims, &self.key).map_err(|_| wrong())?;
        let text = if self.header == AUTHORIZATION { format!("Bearer {token}") } else { token };
        let value = sensitive(&text, "").map_err(|_| wrong())?;
        self.known.insert(same, (value.clone(), now.plus(self.life / 2)));
        Ok(value)
    }

    pub fn needs(&self) -> Needs {
        let needs = self.claims.iter().fold(Needs::default(), |needs, (_, claim)| needs | claim.needs());
        // There is no response yet.
        Needs { response_body: false, error_body: false, ..needs }
    }
}

/// What is published of a key; `None` for secrets.
fn public_key(algorithm: Algorithm, pem: &str) -> Option<SigningKey> {
    let algorithm = match algorithm {
        Algorithm::RS256 => jose::Algorithm::Rs256,
        Algorithm::ES256 => jose::Algorithm::Es256,
        _ => return None,
    };
    SigningKey::of_pem(algorithm, pem)
}

/// PKCS#8 in DER as PEM.
pub fn pem_of(der: &[u8]) -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", Base64::encode_string(der))
}

fn pem(key: Result<EncodingKey, jsonwebtoken::errors::Error>) -> Result<EncodingKey, Diagnostic> {
    key.map_err(|_| {
        Diagnostic::error("key", "expected a private key of this algorithm as PEM")
            .help("openssl pkcs8 -topk8 -nocrypt writes one as PKCS#8")
    })
}

/// A claim, compiled.
enum Claim {
    Text(Template),
    Fixed(Value),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Claim {
    fn compile(value: Value, path: &str, cx: &mut LanguageCx) -> Result<Self, Diagnostic> {
        Ok(match value {
            Value::String(text) => {
                Self::Text(Template::compile(&text, cx).map_err(|problem| problem.under(path))?)
            }
            Value::Array(list) => Self::List(
                list.into_iter()
                    .enumerate()
                    .map(|(index, value)| Self::compile(value, &format!("{path}[{index}]"), cx))
                    .collect::<Result<_, _>>()?,
            ),
            Value::Object(object) => Self::Object(
                object
                    .into_iter()
                    .map(|(name, value)| {
                        let claim = Self::compile(value, &join(path, &name), cx)?;
                        Ok::<_, Diagnostic>((name, claim))
                    })
                    .collect::<Result<_, _>>()?,
            ),
            fixed => Self::Fixed(fixed),
        })
    }

    fn value(&self, exchange: &Exchange) -> Value {
        match self {
            Self::Text(template) => template.render(exchange, Escape::None).into_owned().into(),
            Self::Fixed(value) => value.clone(),
            Self::List(list) => list.iter().map(|claim| claim.value(exchange)).collect(),
            Self::Object(object) => {
                object.iter().map(|(name, claim)| (name.clone(), claim.value(exchange))).collect()
            }
        }
    }

    fn needs(&self) -> Needs {
        let all = |claims: &mut dyn Iterator<Item = &Self>| {
            claims.fold(Needs::default(), |needs, claim| needs | claim.needs())
        };
        match self {
            Self::Text(template) => template.needs(),
            Self::Fixed(_) => Needs::default(),
            Self::List(list) => all(&mut list.iter()),
            Self::Object(object) => all(&mut object.iter().map(|(_, claim)| claim)),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::{encoding::AsDer, rsa, signature};
    use engine::{compile::Environment, state::StateRegistry};
    use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
    use serde_json::json;

    use super::*;
    use crate::testing;

    const SECRET: &str = "a secret of thirty-two characters";

    fn doc(algorithm: OutboundJwtAlgorithm, key: &str) -> JwtDoc {
        JwtDoc {
            registered: [
                ("iss", "issuer", Some("https://gw.example".into())),
                ("sub", "subject", Some("${request.headers.X-User}".into())),
                ("aud", "audience", None),
            ],
            claims: [
                ("roles".into(), json!(["${request.headers.X-Role}", 7])),
                ("none".into(), json!("${nothing}")),
            ]
            .into(),
            life: Duration::from_secs(100),
            algorithm,
            key: Some(key.to_owned()),
            key_id: Some("k1".into()),
            header: AUTHORIZATION,
        }
    }

    fn mint(doc: JwtDoc, clock: &Clock) -> Result<Mint, Diagnostic> {
        let registry = StateRegistry::default();
        let environment = Environment {
            kinds: crate::POLICIES,
            registry: &registry,
            workers: 1,
            clock: clock.clone(),
            alerts: engine::Alerts::default(),
        };
        Mint::compile(doc, &mut CompileCx::new(&environment, "test"))
    }

    fn shown(mint: &Mint, headers: &str) -> String {
        let served = testing::serve("", "[]");
        let mut exchange = served.exchange("GET /", headers, "");
        assert!(mint.show(&mut exchange).is_ok());
        exchange
            .headers
            .get(AUTHORIZATION)
            .unwrap()
            .to_str()
            .unwrap()
            .strip_prefix("Bearer ")
            .unwrap()
            .to_owned()
    }

    fn claims(token: &str, key: &DecodingKey, algorithm: Algorithm) -> Value {
        let mut validation = Validation::new(algorithm);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        decode::<Value>(token, key, &validation).expect("a valid signature").claims
    }

    #[test]
    fn a_value_of_a_client_is_one_claim_whatever_is_in_it() {
        let clock = Clock::manual(Timestamp::from_millis(1_000_000));
        let mint = mint(doc(OutboundJwtAlgorithm::Hs256, SECRET), &clock).unwrap();
        let token = shown(&mint, "X-User: ann\",\"admin\":\"1\nX-Role: reader\nAuthorization: Bearer mine");
        let found = claims(&token, &DecodingKey::from_secret(SECRET.as_bytes()), Algorithm::HS256);
        assert_eq!(
            found,
            json!({ "iss": "https://gw.example", "sub": "ann\",\"admin\":\"1", "roles": ["reader", 7],
                    "iat": 1_000, "exp": 1_100 })
        );
        assert_eq!(decode_header(&token).unwrap().kid.as_deref(), Some("k1"));
    }

    #[test]
    fn a_token_is_used_again_for_the_first_half_of_its_life() {
        let clock = Clock::manual(Timestamp::from_millis(1_000_000));
        let mint = mint(doc(OutboundJwtAlgorithm::Hs256, SECRET), &clock).unwrap();
        let (ann, bob) = (shown(&mint, "X-User: ann"), shown(&mint, "X-User: bob"));
        assert_ne!(ann, bob);
        clock.advance(Duration::from_secs(49));
        assert_eq!(shown(&mint, "X-User: ann"), ann);
        clock.advance(Duration::from_secs(1));
        assert_ne!(shown(&mint, "X-User: ann"), ann);
    }

    #[test]
    fn keys_of_each_algorithm_sign_what_their_public_keys_verify() {
        let clock = Clock::manual(Timestamp::from_millis(1_000_000));
        let written = |der: &[u8]| {
            format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", Base64::encode_string(der))
        };
        let rsa = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
        let rsa_public = signature::KeyPair::public_key(&rsa).as_ref().to_vec();
        let rsa_key = written(AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&rsa).unwrap().as_ref());
        let ec = signature::EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let ec_public = signature::KeyPair::public_key(&ec).as_ref().to_vec();
        let ec_key = written(ec.to_pkcs8v1().unwrap().as_ref());
        for (doc, public, algorithm) in [
            (
                doc(OutboundJwtAlgorithm::Rs256, &rsa_key),
                DecodingKey::from_rsa_der(&rsa_public),
                Algorithm::RS256,
            ),
            (
                doc(OutboundJwtAlgorithm::Es256, &ec_key),
                DecodingKey::from_ec_der(&ec_public),
                Algorithm::ES256,
            ),
        ] {
            let token = shown(&mint(doc, &clock).unwrap(), "X-User: ann");
            assert_eq!(claims(&token, &public, algorithm)["sub"], "ann", "{algorithm:?}");
        }
        for (algorithm, key) in [
            (OutboundJwtAlgorithm::Es256, &*rsa_key),
            (OutboundJwtAlgorithm::Rs256, &*ec_key),
            (OutboundJwtAlgorithm::Rs256, "not a key"),
            (OutboundJwtAlgorithm::Hs256, "too short"),
        ] {
            let problem = mint(doc(algorithm, key), &clock).map(|_| ()).unwrap_err();
            assert_eq!(problem.path, "key");
            assert!(!problem.to_string().contains(&key[key.len() / 2..]), "{problem}");
        }
    }

    #[test]
    fn claims_of_the_gateway_cannot_be_written() {
        let clock = Clock::manual(Timestamp::from_millis(0));
        for name in OWN {
            let mut doc = doc(OutboundJwtAlgorithm::Hs256, SECRET);
            doc.claims = [(name.to_owned(), json!("x"))].into();
            assert_eq!(mint(doc, &clock).map(|_| ()).unwrap_err().path, format!("claims.{name}"));
        }
        let mut short = doc(OutboundJwtAlgorithm::Hs256, SECRET);
        short.life = Duration::from_secs(1);
        assert_eq!(mint(short, &clock).map(|_| ()).unwrap_err().path, "timeToLive");
    }
}
