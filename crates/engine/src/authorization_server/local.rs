//! The authorization server inside: its keys, and the tokens that it has issued, as this node knows them. Requests only
//! read; who writes is left to the binary.

use std::{
    cell::Cell,
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use serde_json::{Map, Value};
use sha2::Digest;

use super::{Awaited, KeySource, KeyState};
use crate::state::StateRegistry;

/// SHA-256 of a token.
pub type TokenHash = [u8; 32];

/// How it stands with a token.
#[derive(Debug)]
pub enum Standing {
    /// It was not issued here, or this node has not heard of it yet.
    Unknown,
    Revoked,
    /// It counts, until then in seconds since 1970, and stands for these claims.
    Live {
        claims: Map<String, Value>,
        until: Option<u64>,
    },
}

/// Tokens that were issued inside, in memory.
pub trait LocalTokens: Send + Sync {
    /// What is known of a token.
    fn find(&self, hash: &TokenHash) -> Standing;
    /// Whether it is known to be revoked.
    fn is_revoked(&self, hash: &TokenHash) -> bool;
    /// Changes whenever a token is revoked.
    fn revocations(&self) -> u64;
    /// Has it looked what other nodes have issued, and says when that is done; `None` where there are no others.
    fn catch_up(&self) -> Option<Awaited>;
}

/// The authorization server inside. There is one for all snapshots of a gateway.
pub struct LocalServer {
    pub keys: Arc<KeyState>,
    tokens: OnceLock<Arc<dyn LocalTokens>>,
}

impl fmt::Debug for LocalServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalServer({:?})", self.keys.status())
    }
}

impl Default for LocalServer {
    fn default() -> Self {
        let keys = Arc::new(KeyState::new(KeySource::Internal, Duration::from_secs(3_600)));
        Self { keys, tokens: OnceLock::new() }
    }
}

impl LocalServer {
    /// The one that belongs to a registry.
    pub fn of(registry: &StateRegistry) -> Arc<Self> {
        registry.keep_always("internal authorization server", Self::default)
    }

    /// Tokens are known from now on.
    pub fn begin(&self, tokens: Arc<dyn LocalTokens>) {
        let _ = self.tokens.set(tokens);
    }

    /// `None` where nothing is issued, as in a rehearsal.
    pub fn tokens(&self) -> Option<&Arc<dyn LocalTokens>> {
        self.tokens.get()
    }
}

/// Notices that a token that was right has been revoked. A request compares one number.
pub struct StillLive {
    tokens: Arc<dyn LocalTokens>,
    hash: TokenHash,
    seen: Cell<u64>,
}

impl fmt::Debug for StillLive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StillLive({})", self.seen.get())
    }
}

impl StillLive {
    /// `None` when it is revoked already.
    pub fn begin(tokens: &Arc<dyn LocalTokens>, hash: TokenHash) -> Option<Self> {
        // The number first: what is revoked in between is noticed with the next request.
        let seen = Cell::new(tokens.revocations());
        (!tokens.is_revoked(&hash)).then(|| Self { tokens: Arc::clone(tokens), hash, seen })
    }

    pub fn holds(&self) -> bool {
        let now = self.tokens.revocations();
        if now == self.seen.get() {
            return true;
        }
        let holds = !self.tokens.is_revoked(&self.hash);
        if holds {
            self.seen.set(now);
        }
        holds
    }
}

/// What a token is known by.
pub fn token_hash(token: &str) -> TokenHash {
    sha2::Sha256::digest(token.as_bytes()).into()
}
