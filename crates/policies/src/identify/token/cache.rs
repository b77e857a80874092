//! Tokens that were right before, for each worker: a signature is verified once. By a hash, so that no token stays in
//! memory. What a key or a server has become since is seen when an entry is looked at.

use std::{
    cell::RefCell,
    collections::HashMap,
    rc::{Rc, Weak},
    sync::Arc,
    time::Duration,
};

use aws_lc_rs::digest::{Context, SHA256};
use engine::{
    Reason, Timestamp,
    authorization_server::{AuthorizationServer, StillLive, TokenFacts, TokenUse},
};
use foldhash::fast::RandomState;
use tokio::sync::Mutex;

use super::{
    FOREVER,
    ask::{Answer, NotKnown},
};

pub(super) type Hash = [u8; 32];

/// Entries of a worker, and bytes of the tokens that they were made from. When one of them is reached, what was not used
/// since the last time is forgotten.
const MOST: usize = 5_000;
const MOST_BYTES: usize = 4 << 20;
/// A token that its server does not know is asked about again after this time.
const REFUSED_FOR: Duration = Duration::from_secs(10);
/// A server that did not answer is asked about the same token again after this time.
const UNANSWERED_FOR: Duration = Duration::from_secs(1);
/// Tokens that are being asked about, before it is looked which of them no longer are.
const MANY_GATES: usize = 1_000;

/// What is known of a token.
#[derive(Debug)]
pub(super) struct Known {
    pub server: Arc<AuthorizationServer>,
    /// Of the keys that verified it; 0 when the server was asked instead.
    pub version: u64,
    /// Seconds since 1970 at which it ends.
    pub until: Option<u64>,
    /// When the server has to be asked again.
    pub fresh_until: Timestamp,
    /// What it says, or why it is refused.
    pub facts: Result<Arc<TokenFacts>, &'static Reason>,
    /// Of a token that was issued inside.
    pub local: Option<StillLive>,
}

impl Known {
    /// The server was asked and does not know it, or did not answer.
    pub fn refused(server: &Arc<AuthorizationServer>, refused: &NotKnown, now: Timestamp) -> Self {
        let most = if refused.is_final { REFUSED_FOR } else { UNANSWERED_FOR };
        let cache = server.introspection.as_ref().map_or(Duration::ZERO, |introspection| introspection.cache);
        let fresh_until = now.plus(cache.min(most));
        Self {
            server: Arc::clone(server),
            version: 0,
            until: None,
            fresh_until,
            facts: Err(refused.reason),
            local: None,
        }
    }

    /// The same once the server has agreed.
    pub fn confirmed(mut self, answer: &Answer) -> Self {
        self.fresh_until = answer.fresh_until;
        self.until = match (self.until, answer.until) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        self
    }

    fn holds(&self, now: Timestamp, servers: &[Arc<AuthorizationServer>]) -> bool {
        self.until.is_none_or(|until| now.seconds() < until)
            && now < self.fresh_until
            && (self.version == 0 || self.version == self.server.keys.version())
            && self.local.as_ref().is_none_or(StillLive::holds)
            // A server that was changed is another one.
            && servers.iter().any(|server| Arc::ptr_eq(server, &self.server))
    }
}

/// Two generations: what is used moves into the young one, and the old one is forgotten as a whole.
#[derive(Default)]
struct Tokens {
    young: HashMap<Hash, Rc<Known>, RandomState>,
    old: HashMap<Hash, Rc<Known>, RandomState>,
    bytes: usize,
}

thread_local! {
    static TOKENS: RefCell<Tokens> = RefCell::default();
    static GATES: RefCell<HashMap<Hash, Weak<Mutex<()>>, RandomState>> = RefCell::default();
}

/// One request asks about a token, and the others with the same one wait for it.
pub(super) fn gate(hash: Hash) -> Rc<Mutex<()>> {
    GATES.with_borrow_mut(|gates| {
        if let Some(gate) = gates.get(&hash).and_then(Weak::upgrade) {
            return gate;
        }
        if gates.len() >= MANY_GATES {
            gates.retain(|_, gate| gate.strong_count() > 0);
        }
        let gate = Rc::<Mutex<()>>::default();
        gates.insert(hash, Rc::downgrade(&gate));
        gate
    })
}

/// Stands for a token and what it is used as.
pub(super) fn hash(token: &str, used_as: TokenUse) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(match used_as {
        TokenUse::Access => b"a",
        TokenUse::Identity => b"i",
    });
    context.update(token.as_bytes());
    let mut hash = Hash::default();
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// What is known of a token, while it holds.
pub(super) fn get(hash: &Hash, now: Timestamp, servers: &[Arc<AuthorizationServer>]) -> Option<Rc<Known>> {
    TOKENS.with_borrow_mut(|tokens| {
        if let Some(known) = tokens.young.get(hash) {
            return known.holds(now, servers).then(|| Rc::clone(known));
        }
        let known = tokens.old.remove(hash).filter(|known| known.holds(now, servers))?;
        tokens.insert(*hash, Rc::clone(&known), 0);
        Some(known)
    })
}

/// Remembers it, unless it is not to be.
pub(super) fn put(hash: Hash, known: Known, length: usize) -> Rc<Known> {
    let known = Rc::new(known);
    TOKENS.with_borrow_mut(|tokens| tokens.insert(hash, Rc::clone(&known), length));
    known
}

impl Tokens {
    fn insert(&mut self, hash: Hash, known: Rc<Known>, length: usize) {
        if self.young.len() >= MOST || self.bytes >= MOST_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        // Claims take up more than they did as text.
        self.bytes += length * 3;
        self.young.insert(hash, known);
    }
}

impl Known {
    /// A token that keys have verified.
    pub fn verified(
        server: &Arc<AuthorizationServer>,
        version: u64,
        until: Option<u64>,
        facts: TokenFacts,
    ) -> Self {
        Self {
            server: Arc::clone(server),
            version,
            until,
            fresh_until: FOREVER,
            facts: Ok(Arc::new(facts)),
            local: None,
        }
    }
}
