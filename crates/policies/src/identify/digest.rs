//! By HTTP Digest (RFC 7616): the password is not sent, and each answer to a nonce counts once. Only `qop=auth`, which
//! every client of this century has; no `auth-int`, no `userhash`.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac as mac};
use base64ct::{Base64UrlUnpadded, Encoding};
use engine::{
    Clock, CompileCx, Exchange, Reason, compile::applications::sha256, keys::DigestAlgorithm,
    language::Authorization,
};
use foldhash::fast::RandomState;
use http::{HeaderValue, StatusCode, header::AUTHORIZATION};
use md5::{Digest, Md5};
use model::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    BUSY, INVALID,
    hmac::hex,
    identifier::{Finding, Found, Identifier},
    parameters::Parameters,
    rules::check_realm,
};

pub static STALE: Reason = Reason::new(
    "digest_stale",
    StatusCode::UNAUTHORIZED,
    "The nonce of the answer is too old, or was used before. Answer the new one.",
);

/// Nonces that are remembered, each since its first right answer.
const MOST_NONCES: usize = 100_000;
/// Answers to one nonce may come in another order than they were counted, within so many.
const WINDOW: u32 = 64;

/// Marks nonces as ours. Those of another node, or from before a restart, are stale.
static SECRET: LazyLock<Option<mac::Key>> = LazyLock::new(|| {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).ok().map(|()| mac::Key::new(mac::HMAC_SHA256, &secret))
});

/// How passwords are asked for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentifyDigest {
    /// What clients are told that they authenticate for; the same as in `digestPasswords`. Default: the name of the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    realm: Option<String>,
    /// How what is sent is hashed. MD5 is for clients that know nothing else: add a second rule for it.
    #[serde(default)]
    algorithm: IdentifyDigestAlgorithm,
    /// How long a nonce can be answered: `1s` to `1h`. After that, clients are told to answer a new one.
    #[serde(default = "default_lifetime")]
    nonce_lifetime: model::Duration,
}

/// How what is sent is hashed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IdentifyDigestAlgorithm {
    #[default]
    #[serde(rename = "SHA-256")]
    Sha256,
    #[serde(rename = "MD5")]
    Md5,
}

fn default_lifetime() -> model::Duration {
    model::Duration::from_secs(300)
}

impl IdentifyDigest {
    pub(super) fn compile(self, cx: &mut CompileCx<'_>) -> Result<ByDigest, Diagnostic> {
        check_realm(self.realm.as_deref())?;
        let lifetime = self.nonce_lifetime.get().as_secs();
        if !(1..=3600).contains(&lifetime) {
            return Err(Diagnostic::error("nonceLifetime", "expected 1s to 1h"));
        }
        let algorithm = match self.algorithm {
            IdentifyDigestAlgorithm::Sha256 => DigestAlgorithm::Sha256,
            IdentifyDigestAlgorithm::Md5 => DigestAlgorithm::Md5,
        };
        Ok(ByDigest {
            realm: self.realm,
            algorithm,
            lifetime,
            counts: cx.keep_shared_state("answers of HTTP Digest", Counts::default),
            clock: cx.clock(),
        })
    }
}

pub(super) struct ByDigest {
    realm: Option<String>,
    algorithm: DigestAlgorithm,
    lifetime: u64,
    counts: Arc<Counts>,
    clock: Clock,
}

impl Identifier for ByDigest {
    fn identify<'a>(&'a self, exchange: &'a Exchange) -> Found<'a> {
        Found::Now(match Parameters::of(exchange, &AUTHORIZATION, "Digest") {
            None => Finding::Absent,
            Some(Err(problem)) => Finding::wrong(&INVALID, problem),
            // RFC 7616, 3.4: where none is named, it is MD5.
            Some(Ok(parameters))
                if !parameters.get("algorithm").unwrap_or("MD5").eq_ignore_ascii_case(self.name()) =>
            {
                Finding::Absent
            }
            Some(Ok(parameters)) => match self.check(exchange, &parameters) {
                Ok(user) => right(exchange, user),
                Err((reason, _)) if std::ptr::eq(reason, &BUSY) => Finding::Failed(&BUSY),
                Err((reason, detail)) => Finding::wrong(reason, detail),
            },
        })
    }

    fn strip(&self, exchange: &mut Exchange, verified: bool) {
        // What was not checked may be meant for the upstream.
        if verified {
            exchange.headers.remove(AUTHORIZATION);
        }
    }

    fn challenge(&self, exchange: &Exchange) -> Option<HeaderValue> {
        self.challenge_with(exchange, false)
    }

    fn challenge_for(&self, exchange: &Exchange, reason: &'static Reason) -> Option<HeaderValue> {
        let stale = std::ptr::eq(reason, &STALE);
        (reason.status == StatusCode::UNAUTHORIZED).then(|| self.challenge_with(exchange, stale))?
    }
}

fn right(exchange: &Exchange, user: &str) -> Finding {
    let applications = &exchange.snapshot.applications;
    let groups = applications.user(user).map(|known| known.groups.clone()).unwrap_or_default();
    let who = Authorization { user_name: Some(user.into()), groups, ..Authorization::default() };
    Finding::authenticated(who, applications.identifiers.by_user(user).to_vec())
}

impl ByDigest {
    fn check<'a>(
        &self,
        exchange: &'a Exchange,
        parameters: &Parameters<'a>,
    ) -> Result<&'a str, (&'static Reason, String)> {
        let wrong = |detail: &str| (&INVALID, detail.to_owned());
        let algorithm = self.algorithm;
        let get = |name: &'static str| {
            parameters.get(name).ok_or_else(|| (&INVALID, format!("it has no `{name}`")))
        };
        let realm = self.realm(exchange);
        let (user, nonce, count) = (get("username")?, get("nonce")?, get("nc")?);
        let (cnonce, uri, response) = (get("cnonce")?, get("uri")?, get("response")?);
        if get("qop")? != "auth" || parameters.get("userhash").is_some_and(|hashed| hashed != "false") {
            return Err(wrong("expected qop=auth, without userhash"));
        }
        if get("realm")? != realm || parameters.get("opaque") != Some(&*opaque(&realm)) {
            return Err(wrong("it is for another realm"));
        }
        let called = exchange.inbound_uri().path_and_query().map_or("/", |target| target.as_str());
        if uri != called {
            return Err(wrong("it is for another address"));
        }
        let number = u32::from_str_radix(count, 16).ok().filter(|number| *number > 0 && count.len() == 8);
        let number = number.ok_or_else(|| wrong("its count is not 8 hexadecimal digits"))?;
        let applications = &exchange.snapshot.applications;
        let known = applications.user(user).and_then(|known| {
            known.digests.iter().find(|digest| digest.algorithm == algorithm && *digest.realm == *realm)
        });
        // Without such a user there is as much to do, so that the time taken does not tell.
        let first = known.map_or("-", |known| &known.hash);
        let second = hash(algorithm, &format!("{}:{uri}", exchange.inbound_method()));
        let expected = hash(algorithm, &format!("{first}:{nonce}:{count}:{cnonce}:auth:{second}"));
        let same = verify_slices_are_equal(expected.as_bytes(), response.as_bytes()).is_ok();
        if !same || known.is_none() {
            return Err((&INVALID, format!("user {}", jose::shown(user))));
        }
        let now = self.clock.now().seconds();
        let made = made(nonce, &realm).filter(|made| now.abs_diff(*made) <= self.lifetime);
        let made = made.ok_or_else(|| (&STALE, "its nonce is old, or not from here".to_owned()))?;
        if exchange.dry_run {
            return Ok(user);
        }
        let mark = sha256(nonce.as_bytes());
        match self.counts.take(mark, number, made.saturating_add(self.lifetime), now) {
            Some(true) => Ok(user),
            Some(false) => Err((&STALE, format!("answer {number} to its nonce was there before"))),
            None => Err((&BUSY, String::new())),
        }
    }

    fn name(&self) -> &'static str {
        match self.algorithm {
            DigestAlgorithm::Sha256 => "SHA-256",
            DigestAlgorithm::Md5 => "MD5",
        }
    }

    fn realm(&self, exchange: &Exchange) -> String {
        let name = exchange.api().map_or("", |api| &api.names.name);
        let realm = self.realm.as_deref().unwrap_or(name);
        // A name may have what a quoted text may not.
        realm.chars().filter(|c| !matches!(c, '"' | '\\') && (' '..='~').contains(c)).collect()
    }

    fn challenge_with(&self, exchange: &Exchange, stale: bool) -> Option<HeaderValue> {
        let realm = self.realm(exchange);
        let nonce = nonce(self.clock.now().seconds(), &realm)?;
        let algorithm = self.name();
        let stale = if stale { ", stale=true" } else { "" };
        let opaque = opaque(&realm);
        HeaderValue::try_from(format!(
            "Digest realm=\"{realm}\", qop=\"auth\", algorithm={algorithm}, nonce=\"{nonce}\", opaque=\"{opaque}\", charset=UTF-8{stale}"
        ))
        .ok()
    }
}

/// Clients send it back as it is: what answers another realm is told apart before anything is computed.
fn opaque(realm: &str) -> String {
    Base64UrlUnpadded::encode_string(&sha256(realm.as_bytes())[..9])
}

/// A nonce says when it was made, so that those that nobody answers need no memory.
fn nonce(now: u64, realm: &str) -> Option<String> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&now.to_be_bytes());
    getrandom::fill(&mut bytes[8..16]).ok()?;
    let tag = tag(&bytes[..16], realm)?;
    bytes[16..].copy_from_slice(tag.as_ref().get(..16)?);
    Some(Base64UrlUnpadded::encode_string(&bytes))
}

/// When a nonce was made; `None` when it is not one of ours for this realm.
fn made(nonce: &str, realm: &str) -> Option<u64> {
    let mut bytes = [0; 32];
    let bytes = Base64UrlUnpadded::decode(nonce, &mut bytes).ok().filter(|bytes| bytes.len() == 32)?;
    let (said, sent) = bytes.split_at(16);
    let tag = tag(said, realm)?;
    verify_slices_are_equal(tag.as_ref().get(..16)?, sent).ok()?;
    Some(u64::from_be_bytes(said.get(..8)?.try_into().ok()?))
}

fn tag(said: &[u8], realm: &str) -> Option<mac::Tag> {
    let key = SECRET.as_ref()?;
    Some(mac::sign(key, &[said, realm.as_bytes()].concat()))
}

fn hash(algorithm: DigestAlgorithm, text: &str) -> String {
    match algorithm {
        DigestAlgorithm::Sha256 => hex(&sha256(text.as_bytes())),
        DigestAlgorithm::Md5 => hex(&Md5::digest(text.as_bytes())),
    }
}

/// Which answers to each nonce were there. All workers share them.
#[derive(Debug, Default)]
struct Counts(papaya::HashMap<[u8; 32], Answers, RandomState>);

#[derive(Debug, Clone, Copy)]
struct Answers {
    highest: u32,
    /// Bit n is for `highest - n`.
    seen: u64,
    until: u64,
}

impl Counts {
    /// Takes an answer; `Some(false)` when it was there before or is too far behind, `None` when there is no room.
    fn take(&self, nonce: [u8; 32], number: u32, until: u64, now: u64) -> Option<bool> {
        let counts = self.0.pin();
        if counts.len() >= MOST_NONCES && !counts.contains_key(&nonce) {
            counts.retain(|_, answers| answers.until >= now);
            if counts.len() >= MOST_NONCES {
                return None;
            }
        }
        let taken = counts.compute(nonce, |known| {
            let next = match known {
                None => Some(Answers { highest: number, seen: 1, until }),
                Some((_, answers)) => answers.with(number),
            };
            match next {
                Some(answers) => papaya::Operation::Insert(answers),
                None => papaya::Operation::Abort(()),
            }
        });
        Some(!matches!(taken, papaya::Compute::Aborted(())))
    }
}

impl Answers {
    /// The same with one more answer; `None` when it was there.
    fn with(self, number: u32) -> Option<Self> {
        if number > self.highest {
            let shift = number - self.highest;
            let seen = if shift < WINDOW { self.seen << shift | 1 } else { 1 };
            return Some(Self { highest: number, seen, ..self });
        }
        let behind = self.highest - number;
        let bit = 1_u64.checked_shl(behind)?;
        (self.seen & bit == 0).then_some(Self { seen: self.seen | bit, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616, 3.9.1: user Mufasa, realm http-auth@example.org, password "Circle of Life".
    #[test]
    fn the_example_of_the_rfc_comes_out() {
        let parts = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v:00000001:f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ:auth";
        for (algorithm, expect) in [
            (DigestAlgorithm::Sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
            (DigestAlgorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
        ] {
            let first = hash(algorithm, "Mufasa:http-auth@example.org:Circle of Life");
            let second = hash(algorithm, "GET:/dir/index.html");
            assert_eq!(hash(algorithm, &format!("{first}:{parts}:{second}")), expect);
        }
    }

    #[test]
    fn a_nonce_counts_for_its_realm_only_and_cannot_be_made_up() {
        let one = nonce(1_700_000_000, "shop").expect("there is randomness");
        assert_eq!(made(&one, "shop"), Some(1_700_000_000));
        assert_eq!(made(&one, "other"), None);
        assert_ne!(nonce(1_700_000_000, "shop"), Some(one.clone()));
        let mut bytes = Base64UrlUnpadded::decode_vec(&one).expect("it is base64");
        bytes[7] ^= 1;
        assert_eq!(made(&Base64UrlUnpadded::encode_string(&bytes), "shop"), None, "another time");
        for text in ["", "x", &one[..42], &format!("{one}AA")] {
            assert_eq!(made(text, "shop"), None, "{text}");
        }
    }

    #[test]
    fn each_answer_counts_once_in_whatever_order() {
        let counts = Counts::default();
        let take = |number| counts.take([7; 32], number, 10, 5);
        for (number, expect) in [
            (1, true),
            (1, false),
            (3, true),
            (2, true),
            (2, false),
            (3, false),
            (100, true),
            (37, true),
            (37, false),
            (36, false),
            (3, false),
            (u32::MAX, true),
            (u32::MAX, false),
            (100, false),
        ] {
            assert_eq!(take(number), Some(expect), "{number}");
        }
    }
}
