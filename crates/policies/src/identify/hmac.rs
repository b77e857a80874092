//! By a signature of our own form: HMAC-SHA256 over method, path, query, time, nonce, some headers and the body. Small
//! enough to be written in a few lines of any language; RFC 9421 is in `message_signature`.

use base64ct::{Base64, Encoding};
use engine::{CompileCx, Exchange, compile::applications::sha256, keys::SigningKey};
use http::{HeaderName, HeaderValue, header::AUTHORIZATION};
use jose::Algorithm;
use model::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    identifier::{Finding, Found, Identifier},
    parameters::Parameters,
    signed::{self, Freshness, INCOMPLETE, IdentifySignedBody, LONGEST_NONCE, MALFORMED, Refused, WRONG},
};

/// Begins the header, and what is signed.
const SCHEME: &str = "HMAC-SHA256";
/// Stands for the digest of a body that is not signed.
const UNSIGNED: &str = "UNSIGNED";
/// Headers that a request may sign.
const MOST_HEADERS: usize = 32;

/// What a signature has to be like.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentifyHmac {
    /// Header that carries the signature.
    #[serde(default = "default_header")]
    header: String,
    /// How old a signature may be, and by how much clocks may differ: `1s` to `1h`. A nonce counts once in that time.
    #[serde(default = "default_age")]
    max_age: model::Duration,
    /// Headers that every signature has to cover. `host` stands for what the client calls the gateway.
    #[serde(default = "default_signed_headers")]
    signed_headers: Vec<String>,
    /// Whether bodies are signed.
    #[serde(default)]
    body: IdentifySignedBody,
}

fn default_header() -> String {
    "Authorization".to_owned()
}

fn default_age() -> model::Duration {
    model::Duration::from_secs(300)
}

fn default_signed_headers() -> Vec<String> {
    vec!["host".to_owned()]
}

impl IdentifyHmac {
    pub(super) fn compile(self, cx: &mut CompileCx<'_>) -> Result<ByHmac, Diagnostic> {
        let header = HeaderName::from_bytes(self.header.as_bytes()).map_err(|_| {
            Diagnostic::error("header", format!("found `{}`, expected the name of a header", self.header))
        })?;
        let needed = self.signed_headers.iter().enumerate().map(|(place, name)| {
            let parsed = HeaderName::from_bytes(name.as_bytes()).ok().filter(|name| *name != header);
            parsed.map(|name| name.as_str().into()).ok_or_else(|| {
                let expected = "expected the name of another header than the one with the signature";
                Diagnostic::error(format!("signedHeaders[{place}]"), format!("found `{name}`, {expected}"))
            })
        });
        let needed: Vec<Box<str>> = needed.collect::<Result<_, _>>()?;
        if needed.len() > MOST_HEADERS {
            return Err(Diagnostic::error("signedHeaders", format!("expected at most {MOST_HEADERS}")));
        }
        let challenge = format!("{SCHEME} headers=\"{}\"", needed.join(" "));
        Ok(ByHmac {
            header,
            needed,
            body: self.body,
            // Names of headers fit into one.
            challenge: HeaderValue::try_from(challenge).unwrap_or(HeaderValue::from_static(SCHEME)),
            freshness: Freshness::compile(self.max_age, cx)?,
        })
    }
}

pub(super) struct ByHmac {
    header: HeaderName,
    needed: Vec<Box<str>>,
    body: IdentifySignedBody,
    challenge: HeaderValue,
    freshness: Freshness,
}

impl Identifier for ByHmac {
    fn identify<'a>(&'a self, exchange: &'a Exchange) -> Found<'a> {
        Found::Now(match Parameters::of(exchange, &self.header, SCHEME) {
            None => Finding::Absent,
            Some(Err(problem)) => Finding::wrong(&MALFORMED, problem),
            Some(Ok(parameters)) => signed::finding(self.check(exchange, &parameters)),
        })
    }

    fn strip(&self, exchange: &mut Exchange, verified: bool) {
        // Of Authorization, what was not checked may be meant for the upstream.
        if verified || self.header != AUTHORIZATION {
            exchange.headers.remove(&self.header);
        }
    }

    fn looks_into_bodies(&self) -> bool {
        self.body == IdentifySignedBody::Signed
    }

    fn credential(&self) -> Option<HeaderName> {
        Some(self.header.clone())
    }

    fn challenge(&self, _: &Exchange) -> Option<HeaderValue> {
        Some(self.challenge.clone())
    }
}

impl ByHmac {
    fn check<'a>(
        &self,
        exchange: &'a Exchange,
        parameters: &Parameters<'a>,
    ) -> Result<(&'a SigningKey, &'a str), Refused> {
        let get = |name: &'static str| {
            parameters.get(name).ok_or_else(|| (&MALFORMED, format!("it has no `{name}`")))
        };
        let (id, time, nonce) = (get("key")?, get("time")?, get("nonce")?);
        let (headers, signature) = (get("headers")?, get("signature")?);
        let digits = (1..=12).contains(&time.len()) && time.bytes().all(|b| b.is_ascii_digit());
        let made: u64 = time
            .parse()
            .ok()
            .filter(|_| digits)
            .ok_or_else(|| (&MALFORMED, "its time is no number of seconds since 1970".to_owned()))?;
        let plain = nonce.bytes().all(|b| b.is_ascii_alphanumeric() || b"._~+/=-".contains(&b));
        if !plain || !(8..=LONGEST_NONCE).contains(&nonce.len()) {
            return Err((&MALFORMED, format!("its nonce is not 8 to {LONGEST_NONCE} plain characters")));
        }
        let mut mac = [0; 32];
        let mac = Base64::decode(signature, &mut mac)
            .ok()
            .filter(|mac| mac.len() == 32)
            .ok_or_else(|| (&MALFORMED, "it is no HMAC-SHA256 in base64".to_owned()))?;
        let names: Vec<&str> = headers.split(' ').filter(|name| !name.is_empty()).collect();
        if names.len() > MOST_HEADERS {
            return Err((&MALFORMED, format!("it covers more than {MOST_HEADERS} headers")));
        }
        if let Some(missing) = self.needed.iter().find(|needed| !names.contains(&&***needed)) {
            return Err((&INCOMPLETE, format!("it does not cover `{missing}`")));
        }
        self.freshness.check_age(made)?;
        let key = signed::key(exchange, id, self.freshness.now())?;
        let text = self.signed_text(exchange, time, nonce, &names)?;
        if !key.key.verifies_message(Algorithm::Hs256, text.as_bytes(), mac) {
            return Err((&WRONG, format!("it is not that of key `{}`", jose::shown(id))));
        }
        self.freshness.take(exchange, id, nonce, made)?;
        Ok((key, id))
    }

    /// What is signed: one line for each part, so that no part can be taken for another.
    fn signed_text(
        &self,
        exchange: &Exchange,
        time: &str,
        nonce: &str,
        names: &[&str],
    ) -> Result<String, Refused> {
        let uri = exchange.inbound_uri();
        let digest = match self.body {
            IdentifySignedBody::Ignored => UNSIGNED.to_owned(),
            IdentifySignedBody::Signed => hex(&sha256(signed::body(exchange))),
        };
        let method = exchange.inbound_method().as_str();
        let (path, query) = (uri.path(), uri.query().unwrap_or(""));
        let headers = names.join(" ");
        let mut text = [SCHEME, method, path, query, time, nonce, &digest, &headers].join("\n");
        for name in names {
            let value = match *name {
                "host" => signed::authority(exchange),
                name => signed::joined(exchange, name),
            };
            let value = value.ok_or_else(|| (&WRONG, format!("there is no `{}`", jose::shown(name))))?;
            text.extend(["\n", name, ":", &value]);
        }
        Ok(text)
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;

    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
