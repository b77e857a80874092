//! All access tokens that count, in memory, by their hashes: requests read them without a lock. What other nodes issue
//! and revoke is taken over in the order of the feed.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed},
        },
    },
};

use store::{
    StoreError,
    assets::{OauthStore, OauthToken},
};
use tokio::sync::{Mutex, watch};

use crate::binding::Binding;

/// A token that counts, unless it is revoked.
#[derive(Debug)]
pub struct Live {
    pub client: Arc<str>,
    pub scope: Arc<str>,
    pub user: Option<Arc<str>>,
    pub bound_to: Option<Binding>,
    /// Seconds since 1970.
    pub issued_at: u64,
    pub expires_at: Option<u64>,
    revoked: AtomicBool,
}

impl Live {
    /// Times are in microseconds since 1970.
    pub(crate) fn new(
        client: &str,
        scope: &str,
        user: Option<&str>,
        bound_to: Option<&Binding>,
        issued_at: u64,
        expires_at: Option<u64>,
    ) -> Self {
        Self {
            client: client.into(),
            scope: scope.into(),
            user: user.map(Into::into),
            bound_to: bound_to.cloned(),
            issued_at: issued_at / 1_000_000,
            expires_at: expires_at.map(|at| at / 1_000_000),
            revoked: AtomicBool::new(false),
        }
    }

    pub fn is_revoked(&self) -> bool {
        self.revoked.load(Relaxed)
    }
}

type Hash = [u8; 32];

/// Tokens by their hashes.
pub struct Index {
    live: papaya::HashMap<Hash, Arc<Live>>,
    revocations: AtomicU64,
    /// There are other nodes.
    is_shared: bool,
    follower: Mutex<Follower>,
    /// Passes that were begun, and the last one that has ended.
    begun: AtomicU64,
    passes: watch::Sender<u64>,
}

/// How far the feed was followed.
#[derive(Default)]
struct Follower {
    epoch: Option<u64>,
    number: u64,
    hash: String,
    /// Texts that many tokens have, once.
    texts: HashMap<String, Arc<str>>,
}

/// Tokens that are read at a time.
const PAGE: u32 = 10_000;
/// Tokens that have expired are known to be so for a while, in seconds.
const KEPT: u64 = 600;
/// Texts that are shared; then it begins anew.
const MOST_TEXTS: usize = 100_000;

impl Index {
    pub(crate) fn new(is_shared: bool) -> Self {
        Self {
            live: papaya::HashMap::new(),
            revocations: AtomicU64::new(0),
            is_shared,
            follower: Mutex::default(),
            begun: AtomicU64::new(0),
            passes: watch::Sender::new(0),
        }
    }

    /// What is known of a token.
    pub fn get(&self, hash: &Hash) -> Option<Arc<Live>> {
        self.live.pin().get(hash).cloned()
    }

    /// Whether anything is known of a token whose hash is written in digits.
    pub(crate) fn has(&self, hash: &str) -> bool {
        parse(hash).is_some_and(|hash| self.live.pin().contains_key(&hash))
    }

    pub fn is_revoked(&self, hash: &Hash) -> bool {
        self.live.pin().get(hash).is_some_and(|live| live.is_revoked())
    }

    /// Changes whenever a token is revoked.
    pub fn revocations(&self) -> u64 {
        self.revocations.load(Relaxed)
    }

    pub fn len(&self) -> usize {
        self.live.len()
    }

    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// Whether other nodes issue tokens, too.
    pub fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// The passes that have ended, by their numbers, and the number of the next one. One that is under way may have
    /// read too early.
    pub(crate) fn next_pass(&self) -> (watch::Receiver<u64>, u64) {
        (self.passes.subscribe(), self.begun.load(Acquire) + 1)
    }

    /// Takes over what became of tokens.
    pub(crate) async fn catch_up(&self, store: &OauthStore, now: u64) -> Result<(), StoreError> {
        let mut follower = self.follower.lock().await;
        let pass = self.begun.fetch_add(1, AcqRel) + 1;
        let epoch = store.epoch();
        if follower.epoch != Some(epoch) {
            // Everything was replaced: nothing that is known counts.
            *follower = Follower { epoch: Some(epoch), ..Follower::default() };
            self.live.pin().clear();
            self.revocations.fetch_add(1, Relaxed);
        }
        loop {
            let tokens = store.tokens_after(follower.number, &follower.hash, PAGE).await?;
            for token in &tokens {
                self.apply(token, now / 1_000_000, &mut follower.texts);
            }
            if let Some(last) = tokens.last() {
                (follower.number, follower.hash) = (last.number, last.hash.clone());
            }
            if tokens.len() < PAGE as usize {
                break;
            }
        }
        self.passes.send_replace(pass);
        Ok(())
    }

    fn apply(&self, token: &OauthToken, now: u64, texts: &mut HashMap<String, Arc<str>>) {
        let Some(hash) = parse(&token.hash).filter(|_| token.kind == "access") else { return };
        let expires_at = token.expires_at.map(|at| at / 1_000_000);
        if expires_at.is_some_and(|at| at <= now) {
            return;
        }
        let live = self.live.pin();
        if token.revoked_at.is_some()
            && let Some(known) = live.get(&hash)
        {
            if !known.revoked.swap(true, Relaxed) {
                self.revocations.fetch_add(1, Relaxed);
            }
            return;
        }
        if texts.len() >= MOST_TEXTS {
            texts.clear();
        }
        let mut shared = |text: &str| match texts.get(text) {
            Some(known) => Arc::clone(known),
            None => {
                let new: Arc<str> = text.into();
                texts.insert(text.to_owned(), Arc::clone(&new));
                new
            }
        };
        let new = Live {
            client: shared(&token.client),
            scope: shared(&token.scope),
            user: token.user.as_deref().map(&mut shared),
            bound_to: Binding::of(token),
            issued_at: token.issued_at / 1_000_000,
            expires_at,
            revoked: AtomicBool::new(token.revoked_at.is_some()),
        };
        live.insert(hash, Arc::new(new));
        if token.revoked_at.is_some() {
            self.revocations.fetch_add(1, Relaxed);
        }
    }

    /// Forgets what has expired; `now` is in seconds since 1970.
    pub(crate) fn forget_expired(&self, now: u64) {
        self.live.pin().retain(|_, live| live.expires_at.is_none_or(|at| at + KEPT > now));
    }
}

/// A hash from hexadecimal digits.
fn parse(text: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |b: u8| char::from(b).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(number: u64, revoked_at: Option<u64>, expires_at: Option<u64>) -> OauthToken {
        OauthToken {
            hash: format!("{number:064x}"),
            id: number.to_string(),
            kind: "access".to_owned(),
            family: "f".to_owned(),
            client: "shop".to_owned(),
            application: "Shop".to_owned(),
            user: None,
            scope: "read".to_owned(),
            issued_at: 0,
            expires_at,
            used_at: None,
            revoked_at,
            number,
            document: "{}".to_owned(),
        }
    }

    #[test]
    fn a_revoked_token_is_never_live_again_and_an_expired_one_is_forgotten() {
        let (index, mut texts) = (Index::new(false), HashMap::new());
        let hash = |number: u64| parse(&format!("{number:064x}")).expect("it is a hash");
        index.apply(&token(1, None, Some(1_000_000_000)), 0, &mut texts);
        index.apply(&token(2, None, None), 0, &mut texts);
        let before = index.revocations();
        index.apply(&token(1, Some(5), Some(1_000_000_000)), 0, &mut texts);
        assert!(index.is_revoked(&hash(1)) && !index.is_revoked(&hash(2)));
        assert_eq!(index.revocations(), before + 1);
        // Revoked before this node had heard of it, and expired before it started.
        index.apply(&token(3, Some(5), None), 0, &mut texts);
        index.apply(&token(4, None, Some(1_000_000)), 2, &mut texts);
        assert!(index.is_revoked(&hash(3)) && index.get(&hash(4)).is_none());
        index.forget_expired(1_000 + KEPT);
        assert_eq!((index.get(&hash(1)).is_none(), index.len()), (true, 2));
        assert_eq!(texts.len(), 2, "what many tokens have is there once");
    }
}
