//! What holds for every kind of signed request: why one is refused, how old it may be, and that it counts once.

use std::{sync::Arc, time::Duration};

use engine::{
    Clock, CompileCx, Exchange, Reason, Timestamp, compile::applications::sha256, keys::SigningKey,
};
use http::{HeaderName, StatusCode, header::HOST};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{identifier::Finding, replay::Shown};

macro_rules! reasons {
    ($($name:ident = $code:literal, $status:ident, $message:literal;)*) => {
        $(pub(super) static $name: Reason = of(Reason::new($code, StatusCode::$status, $message));)*
        /// All of them.
        pub(super) const REASONS: &[&Reason] = &[$(&$name),*];
    };
}

/// Those that tell of something wrong count as guesses.
const fn of(reason: Reason) -> Reason {
    match reason.status {
        StatusCode::UNAUTHORIZED => reason.counted_as_guess(),
        _ => reason,
    }
}

reasons! {
    MALFORMED = "signature_malformed", UNAUTHORIZED, "The signature of the request cannot be read.";
    WRONG = "signature_wrong", UNAUTHORIZED, "The signature is not that of a known key over this request.";
    INCOMPLETE = "signature_incomplete", UNAUTHORIZED, "The signature does not cover everything that the API asks for.";
    TIME = "signature_time", UNAUTHORIZED, "The signature is too old, or from the future.";
    REPLAYED = "signature_replayed", UNAUTHORIZED, "The request was sent before.";
    BODY = "signature_body", UNAUTHORIZED, "The body is not the one that was signed.";
    BUSY = "signature_check_busy", SERVICE_UNAVAILABLE, "Too many signed requests at a time. Try again in a moment.";
}

/// Whether bodies are signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum IdentifySignedBody {
    /// Yes. The gateway reads the body of every request of the operation, up to `limits.bufferedBodySize`.
    #[default]
    Signed,
    /// No: whoever is between client and gateway can change them. They stream past.
    Ignored,
}

/// A refusal, with a text for the log.
pub(super) type Refused = (&'static Reason, String);

/// How old signatures may be, and which ones were seen.
pub(super) struct Freshness {
    shown: Arc<Shown>,
    clock: Clock,
    window: u64,
}

/// Longest time that a signature counts: what was seen is remembered for that long.
pub(super) const LONGEST_AGE: Duration = Duration::from_secs(3600);

/// Longest nonce.
pub(super) const LONGEST_NONCE: usize = 128;

impl Freshness {
    pub fn compile(max_age: model::Duration, cx: &mut CompileCx<'_>) -> Result<Self, model::Diagnostic> {
        let window = max_age.get();
        if window < Duration::from_secs(1) || window > LONGEST_AGE {
            return Err(model::Diagnostic::error("maxAge", "expected 1s to 1h"));
        }
        let shown = cx.keep_shared_state("signed requests", Shown::default);
        Ok(Self { shown, clock: cx.clock(), window: window.as_secs() })
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether a signature was made lately. Clocks may differ by as much as it may be old.
    pub fn check_age(&self, made: u64) -> Result<(), Refused> {
        let now = self.clock.now().seconds();
        let apart = now.abs_diff(made);
        match apart <= self.window {
            true => Ok(()),
            false => {
                let what = if made < now { "old" } else { "early" };
                Err((&TIME, format!("it is {apart} s too {what}, of {} s that it may be", self.window)))
            }
        }
    }

    /// Whether the nonce is there for the first time. To be asked when everything else was right, so that nobody else
    /// fills the memory.
    pub fn take(&self, exchange: &Exchange, key: &str, nonce: &str, made: u64) -> Result<(), Refused> {
        if exchange.dry_run {
            return Ok(());
        }
        // No name of a key has a line break.
        let mark = sha256(format!("{key}\n{nonce}").as_bytes());
        let until = made.saturating_add(self.window).saturating_add(1);
        match self.shown.remember(mark, until, self.clock.now().seconds()) {
            Some(true) => Ok(()),
            Some(false) => Err((&REPLAYED, "its nonce was used before".to_owned())),
            None => Err((&BUSY, "too many nonces at a time".to_owned())),
        }
    }
}

/// A key that counts now. Keys that are not known and signatures that are wrong look the same to clients.
pub(super) fn key<'a>(exchange: &'a Exchange, id: &str, now: Timestamp) -> Result<&'a SigningKey, Refused> {
    let known = exchange.snapshot.applications.signing_key(id);
    let known = known.ok_or_else(|| (&WRONG, format!("there is no key `{}`", jose::shown(id))))?;
    match known.expires {
        Some(expires) if expires <= now => {
            Err((&WRONG, format!("the key `{}` has expired", jose::shown(id))))
        }
        _ => Ok(known),
    }
}

/// What becomes of a request.
pub(super) fn finding(result: Result<(&SigningKey, &str), Refused>) -> Finding {
    match result {
        Ok((key, id)) => Finding::proven(vec![key.application]).how(format!("signed with key {id}")),
        Err((reason, _)) if std::ptr::eq(reason, &BUSY) => Finding::Failed(&BUSY),
        Err((reason, detail)) => Finding::wrong(reason, detail),
    }
}

/// The body, empty without one.
pub(super) fn body(exchange: &Exchange) -> &[u8] {
    exchange.request_payload.as_ref().map_or(&[], |payload| payload.bytes())
}

/// What the client calls the gateway: host in lower case, and the port unless it is the usual one.
pub(super) fn authority(exchange: &Exchange) -> Option<String> {
    let text = match exchange.inbound_uri().authority() {
        Some(authority) => authority.as_str(),
        None => one(exchange, &HOST)?,
    };
    let usual = if exchange.client.secure { ":443" } else { ":80" };
    let text = text.to_ascii_lowercase();
    Some(text.strip_suffix(usual).map(str::to_owned).unwrap_or(text))
}

/// A header that is there once.
fn one<'a>(exchange: &'a Exchange, name: &HeaderName) -> Option<&'a str> {
    let mut values = exchange.headers.get_all(name);
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// All values of a header in one, as HTTP joins them; `None` without one, and where it is no text.
pub(super) fn joined(exchange: &Exchange, name: &str) -> Option<String> {
    let mut text: Option<String> = None;
    for value in exchange.headers.get_all(name) {
        let value = value.to_str().ok()?.trim_matches([' ', '\t']);
        match &mut text {
            None => text = Some(value.to_owned()),
            Some(text) => {
                text.push_str(", ");
                text.push_str(value);
            }
        }
    }
    text
}
