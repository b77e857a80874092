//! The keys of an authorization server: what is known of them, and who is told when that changes. They outlive changes
//! of everything but where they come from. Requests read; only whoever fetches writes.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use http::Uri;
use jose::KeySet;
use tokio::sync::{Notify, watch};

use crate::Timestamp;

/// However many unknown keys tokens name, keys are not fetched more often.
pub const REFRESH_AT_MOST_EVERY: Duration = Duration::from_secs(10);
/// After a failure it is tried again this much later, and twice as much after each one more.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// Where keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// Nowhere: tokens are asked about.
    None,
    /// They are written down.
    Written,
    /// A JWK Set.
    Jwks(Uri),
    /// Metadata, which name a JWK Set.
    Discovery(Uri),
    /// Metadata of SAML, which have the keys in them.
    SamlMetadata(Uri),
    /// The authorization server inside says when they change.
    Internal,
}

/// What is known of a server's keys at one time.
#[derive(Debug)]
pub struct Published {
    /// As the server names itself in its metadata.
    pub issuer: Option<Box<str>>,
    pub keys: KeySet,
    /// Changes whenever a key does: what was verified before has to be verified again.
    pub version: u64,
    /// What they were read from, to see whether anything changed.
    text: Box<[u8]>,
}

/// Where those who need keys tell those who fetch them.
#[derive(Debug, Default)]
pub struct Fetcher {
    is_there: AtomicBool,
    asked: Notify,
}

impl Fetcher {
    /// Says that keys are fetched from now on. In a rehearsal nobody does.
    pub fn begin(&self) {
        self.is_there.store(true, Relaxed);
    }

    /// Waits until somebody needs keys.
    pub async fn asked(&self) {
        self.asked.notified().await;
    }
}

/// What came of asking for keys.
#[derive(Debug)]
pub enum Asked {
    /// They are others already than those that the caller knows.
    Changed,
    /// They are being fetched.
    Fetching(Awaited),
    /// It is too early for another try, or nobody fetches any.
    No,
}

/// A pass over something that was asked for.
#[derive(Debug)]
pub struct Awaited {
    passes: watch::Receiver<u64>,
    number: u64,
}

impl Awaited {
    /// `passes` counts those that have ended.
    pub fn new(passes: watch::Receiver<u64>, number: u64) -> Self {
        Self { passes, number }
    }

    /// Waits until it has ended.
    pub async fn end(mut self) {
        let _ = self.passes.wait_for(|ended| *ended >= self.number).await;
    }
}

/// The keys, and how it went with them.
#[derive(Debug)]
pub struct KeyState {
    pub source: KeySource,
    refresh: Duration,
    published: ArcSwapOption<Published>,
    version: AtomicU64,
    /// When the last try that somebody asked for began, in nanoseconds; 0 before the first.
    asked_at: AtomicU64,
    /// When the next one is due anyway.
    due: AtomicU64,
    /// Somebody needs keys that are not known.
    asked: AtomicBool,
    fetching: AtomicBool,
    /// Counts tries that have ended.
    ended: watch::Sender<u64>,
    status: Mutex<KeyStatus>,
}

/// How it goes with keys, for people.
#[derive(Debug, Clone, Default)]
pub struct KeyStatus {
    pub keys: usize,
    /// Tries so far, and those that failed.
    pub tries: u64,
    pub failures: u64,
    /// Failures since the last success.
    pub failing: u32,
    /// When keys were read last.
    pub read: Option<Timestamp>,
    /// Why the last try failed.
    pub problem: Option<String>,
}

impl KeyState {
    pub(crate) fn new(source: KeySource, refresh: Duration) -> Self {
        Self {
            source,
            refresh,
            published: ArcSwapOption::empty(),
            version: AtomicU64::new(0),
            asked_at: AtomicU64::new(0),
            due: AtomicU64::new(0),
            asked: AtomicBool::new(false),
            fetching: AtomicBool::new(false),
            ended: watch::Sender::new(0),
            status: Mutex::default(),
        }
    }

    /// Keys that never change.
    pub(crate) fn written(keys: KeySet) -> Self {
        let state = Self::new(KeySource::Written, Duration::ZERO);
        state.status.lock().unwrap_or_else(PoisonError::into_inner).keys = keys.len();
        state.put(None, keys, Box::default());
        state
    }

    /// What is known now.
    pub fn published(&self) -> Option<Arc<Published>> {
        self.published.load_full()
    }

    /// Changes when a key does. 0 is no version.
    pub fn version(&self) -> u64 {
        self.version.load(Relaxed)
    }

    /// Whether keys are fetched at all.
    pub fn is_remote(&self) -> bool {
        matches!(self.source, KeySource::Jwks(_) | KeySource::Discovery(_) | KeySource::SamlMetadata(_))
    }

    /// Asks for others than those of version `seen`.
    pub fn ask(&self, fetcher: &Fetcher, now: Timestamp, seen: u64) -> Asked {
        if !self.is_remote() || !fetcher.is_there.load(Relaxed) {
            return Asked::No;
        }
        // Before anything is looked at: no end is missed.
        let passes = self.ended.subscribe();
        let next = *passes.borrow() + 1;
        // A try is `fetching` before it is too early for another one, and what it has found is there before it ends:
        // looked at in this order, none slips through between a check and this question.
        let possible = self.may_try(now) || self.fetching.load(Acquire);
        if self.version() != seen {
            return Asked::Changed;
        }
        if !possible {
            return Asked::No;
        }
        self.asked.store(true, Relaxed);
        fetcher.asked.notify_one();
        Asked::Fetching(Awaited::new(passes, next))
    }

    fn may_try(&self, now: Timestamp) -> bool {
        if self.published.load().is_none() {
            return self.due.load(Relaxed) <= now.0;
        }
        let asked_at = Timestamp(self.asked_at.load(Acquire));
        asked_at.0 == 0 || now.since(asked_at) >= REFRESH_AT_MOST_EVERY
    }

    /// Whether keys are to be fetched now; whoever hears `true` does it, and says how it went.
    pub fn begin(&self, now: Timestamp) -> bool {
        if !self.is_remote() || self.fetching.load(Relaxed) {
            return false;
        }
        let due = self.due.load(Relaxed) <= now.0;
        let asked = self.asked.load(Relaxed) && self.may_try(now);
        if !due && !asked {
            return false;
        }
        self.fetching.store(true, Relaxed);
        if asked {
            self.asked_at.store(now.0.max(1), Release);
        }
        true
    }

    /// Takes in keys; `text` is what they were read from. Says whether anything changed.
    pub fn succeeded(&self, issuer: Option<Box<str>>, keys: KeySet, text: Box<[u8]>, now: Timestamp) -> bool {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.tries += 1;
        status.failing = 0;
        status.problem = None;
        status.read = Some(now);
        status.keys = keys.len();
        drop(status);
        let same = |known: &Arc<Published>| known.text == text && known.issuer == issuer;
        let changed = !self.published.load().as_ref().is_some_and(same);
        if changed {
            self.put(issuer, keys, text);
        }
        self.end(now.plus(self.refresh));
        changed
    }

    /// Keeps what was known; says how often it has failed in a row.
    pub fn failed(&self, problem: String, now: Timestamp) -> u32 {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.tries += 1;
        status.failures += 1;
        status.failing = status.failing.saturating_add(1);
        status.problem = Some(problem);
        let failing = status.failing;
        drop(status);
        let wait = FIRST_RETRY.saturating_mul(1 << (failing - 1).min(10)).min(LONGEST_RETRY);
        self.end(now.plus(wait));
        failing
    }

    pub fn status(&self) -> KeyStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, issuer: Option<Box<str>>, keys: KeySet, text: Box<[u8]>) {
        let version = self.version.load(Relaxed) + 1;
        self.published.store(Some(Arc::new(Published { issuer, keys, version, text })));
        self.version.store(version, Relaxed);
    }

    fn end(&self, due: Timestamp) {
        self.due.store(due.0, Relaxed);
        self.asked.store(false, Relaxed);
        self.fetching.store(false, Release);
        self.ended.send_modify(|count| *count += 1);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Waker},
    };

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + seconds * 1_000)
    }

    fn remote() -> KeyState {
        KeyState::new(KeySource::Jwks(Uri::from_static("https://idp/keys")), Duration::from_secs(3_600))
    }

    #[test]
    fn keys_are_fetched_when_they_are_due_and_asked_for_and_not_more_often() {
        let (keys, fetcher) = (remote(), Fetcher::default());
        let asked = |seconds, seen| keys.ask(&fetcher, at(seconds), seen);
        assert!(matches!(asked(0, 0), Asked::No), "nobody fetches");
        fetcher.begin();
        assert!(keys.begin(at(0)), "at once");
        assert!(!keys.begin(at(0)), "one at a time");
        assert!(matches!(asked(0, 0), Asked::Fetching(_)), "the one that is on its way is waited for");
        assert!(keys.succeeded(None, KeySet::default(), Box::from(*b"a"), at(0)));
        assert!(!keys.begin(at(1)));
        assert!(matches!(asked(1, 0), Asked::Changed), "it has ended since keys were looked at");
        let Asked::Fetching(awaited) = asked(1, 1) else { panic!("the first one to ask") };
        assert!(keys.begin(at(1)));
        assert!(!keys.succeeded(None, KeySet::default(), Box::from(*b"a"), at(1)), "nothing is new");
        assert!(pin!(awaited.end()).poll(&mut Context::from_waker(Waker::noop())).is_ready());
        assert_eq!(keys.version(), 1);
        assert!(matches!(asked(10, 1), Asked::No), "too early");
        assert!(matches!(asked(10, 0), Asked::Changed), "too early, but for those that came meanwhile");
        assert!(!keys.begin(at(10)));
        assert!(matches!(asked(11, 1), Asked::Fetching(_)));
        assert!(keys.begin(at(11)));
        assert!(matches!(asked(11, 1), Asked::Fetching(_)), "too early, but it is on its way");
        assert!(keys.succeeded(None, KeySet::default(), Box::from(*b"b"), at(11)));
        assert_eq!(keys.version(), 2);
        assert!(!keys.begin(at(3_610)));
        assert!(keys.begin(at(3_611)), "from time to time");
    }

    #[test]
    fn failures_are_tried_again_later_and_later_and_keep_what_is_known() {
        let (keys, fetcher) = (remote(), Fetcher::default());
        fetcher.begin();
        let mut now = 0;
        for wait in [1, 2, 4, 8, 16, 30, 30] {
            assert!(keys.begin(at(now)), "{now}");
            keys.failed("down".to_owned(), at(now));
            let asked = keys.ask(&fetcher, at(now), 0);
            assert!(matches!(asked, Asked::No), "nobody waits for what is known to be down");
            assert!(!keys.begin(at(now + wait - 1)), "{now} + {wait}");
            now += wait;
        }
        assert!(keys.begin(at(now)));
        keys.succeeded(None, KeySet::default(), Box::default(), at(now));
        assert_eq!(keys.status().failing, 0);
        assert!(keys.begin(at(now + 3_600)));
        keys.failed("down".to_owned(), at(now + 3_600));
        assert!(keys.published().is_some());
        assert_eq!(keys.status().problem.as_deref(), Some("down"));
    }
}
