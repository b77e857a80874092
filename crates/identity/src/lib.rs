//! The internal authorization server: OAuth 2.0 for the applications of the gateway. Tokens are kept
//! in the store by their hashes, and all that count in the memory of each node.
//!
//! Who users are, how keys are encrypted and who listens to changes of keys is left to others ([`House`]); so is where
//! the keys of servers elsewhere come from ([`Issuer`]).

mod allowed;
mod assertion;
mod authorization;
mod binding;
mod clients;
mod codes;
mod devices;
mod error;
mod exchange;
mod form;
mod http;
mod id_token;
mod index;
mod issue;
mod keys;
mod login;
mod own_token;
mod pace;
mod pages;
mod registration;
mod secret;

use std::{
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use arc_swap::ArcSwap;
use axum::http::HeaderMap;
use model::{ConfigDoc, oauth_client::AuthorizationServerSettings};
use store::{
    StoreError,
    assets::{OauthStore, TokenOwner},
};
use tokio::sync::{Notify, watch};

pub use allowed::{Allowed, Scope};
pub use assertion::{Issuer, LookedAt};
pub use binding::Binding;
pub use http::{ShownCertificate, router};
pub use index::{Index, Live};
pub use own_token::{NotIssued, OwnToken};
pub use registration::{Limits, NewClient, NotRegistered, Registering, Registration};

use clients::{Client, Clients};
use keys::KeyRing;
use pace::Pace;

/// What takes a while.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Somebody who can log in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    pub name: String,
    /// Stays when the user is renamed, and is never given to somebody else.
    pub id: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub email: Option<String>,
    pub groups: Vec<String>,
}

/// What came of a name and a password.
#[derive(Debug)]
pub enum LogIn {
    Known(Box<Person>),
    Wrong,
    /// Too many were wrong.
    Wait,
    /// The password has to be changed first.
    MustChangePassword,
    /// The password was right; a code of the second factor is needed.
    CodeNeeded,
    /// The code was wrong, or used before.
    CodeWrong,
    /// A second factor has to be set up first.
    MustSetUpSecondFactor,
    /// Nobody can be asked who they are at the moment.
    Away,
}

/// What is around the server.
pub trait House: Send + Sync {
    /// Microseconds since 1970.
    fn now(&self) -> u64;
    /// Encrypts the private part of a key.
    fn seal<'a>(&'a self, id: &'a str, clear: &'a str) -> Later<'a, Result<String, String>>;
    fn open<'a>(&'a self, id: &'a str, sealed: &'a str) -> Later<'a, Result<String, String>>;
    /// A user by the name, who can log in now.
    fn person(&self, user: &str) -> Option<Person>;
    fn log_in<'a>(
        &'a self,
        user: &'a str,
        password: &'a str,
        address: IpAddr,
    ) -> Later<'a, Result<LogIn, StoreError>>;
    /// The code of a user whose password was right before.
    fn check_code<'a>(
        &'a self,
        user: &'a str,
        code: &'a str,
        address: IpAddr,
    ) -> Later<'a, Result<LogIn, StoreError>>;
    /// Makes, changes or takes away a client that registers itself, as a change of the configuration.
    fn register(&self, registering: Registering) -> Later<'_, Result<(), NotRegistered>>;
}

/// Hears of the public keys before anything is signed with a new one: a JWK Set.
pub type OnKeys = Box<dyn Fn(&str) + Send + Sync>;

/// Why something could not be done, by no fault of the client.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("a signing key cannot be used: {0}")]
    Key(String),
    #[error("there is no randomness")]
    Randomness,
    #[error("what is kept cannot be read: {0}")]
    Damaged(String),
}

/// What a configuration says to the server: settings, clients, and whose assertions they may bring.
#[derive(Clone)]
pub struct Configured {
    settings: Option<Arc<AuthorizationServerSettings>>,
    clients: Arc<Clients>,
}

impl Configured {
    pub fn by(config: &ConfigDoc, issuers: Vec<Arc<dyn Issuer>>) -> Self {
        let settings = config.settings.authorization_server.clone().map(Arc::new);
        Self { settings, clients: Arc::new(Clients::of(config, issuers)) }
    }
}

/// The authorization server of a node.
pub struct AuthorizationServer {
    /// Stays for as long as it runs: everything that was issued names it.
    issuer: String,
    settings: ArcSwap<AuthorizationServerSettings>,
    store: OauthStore,
    house: Box<dyn House>,
    keys: KeyRing,
    clients: RwLock<Arc<Clients>>,
    pub index: Arc<Index>,
    /// Wrong codes of devices that users have typed, questions of devices, and clients that anybody may register.
    guesses: Pace,
    polls: Pace,
    registrations: Pace,
    look: Notify,
}

/// Nodes that hear nothing look this often.
const SLOW_POLL: Duration = Duration::from_secs(5);
/// Soonest after a failure.
const RETRY: Duration = Duration::from_millis(500);

impl AuthorizationServer {
    /// Reads keys and tokens; makes a key where there is none.
    pub async fn open(
        settings: AuthorizationServerSettings,
        store: OauthStore,
        house: Box<dyn House>,
        on_keys: OnKeys,
        is_shared: bool,
    ) -> Result<Arc<Self>, ServerError> {
        let keys = KeyRing::new(settings.signing_algorithm, on_keys);
        keys.open(&store, &*house, settings.key_overlap.get()).await?;
        let index = Arc::new(Index::new(is_shared));
        index.catch_up(&store, house.now()).await?;
        Ok(Arc::new(Self {
            issuer: settings.issuer.clone(),
            settings: ArcSwap::from_pointee(settings),
            store,
            house,
            keys,
            clients: RwLock::default(),
            index,
            guesses: Pace::default(),
            polls: Pace::default(),
            registrations: Pace::default(),
            look: Notify::new(),
        }))
    }

    /// Takes over what is configured. Where it listens, who it is and what it signs with stay.
    pub fn take(&self, configured: Configured) {
        if let Some(settings) = configured.settings {
            self.settings.store(settings);
        }
        *self.clients.write().unwrap_or_else(PoisonError::into_inner) = configured.clients;
    }

    fn clients(&self) -> Arc<Clients> {
        Arc::clone(&self.clients.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn client(&self, id: &str) -> Option<Arc<Client>> {
        self.clients().get(id)
    }

    /// Where a request comes from: what stands in front is believed when it says so.
    fn address(&self, from: SocketAddr, headers: &HeaderMap) -> IpAddr {
        let trusted =
            |address: &IpAddr| self.settings().trusted_proxies.iter().any(|net| net.contains(address));
        let said = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
        let said: Vec<_> = said.flat_map(|value| value.split(',')).collect();
        let mut address = from.ip();
        // The last one was added by whoever is nearest.
        for one in said.into_iter().rev() {
            let Some(before) = one.trim().parse().ok().filter(|_| trusted(&address)) else { break };
            address = before;
        }
        address
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// As they are now.
    pub fn settings(&self) -> Arc<AuthorizationServerSettings> {
        self.settings.load_full()
    }

    /// Where clients get tokens.
    pub fn token_url(&self) -> String {
        format!("{}{}", self.issuer(), http::TOKEN)
    }

    /// Where clients send users to log in.
    pub fn authorization_url(&self) -> String {
        format!("{}{}", self.issuer(), http::AUTHORIZE)
    }

    /// Has the index look for what other nodes have done; the numbers of the passes that have ended, and that of the
    /// one that has read everything.
    pub fn look(&self) -> (watch::Receiver<u64>, u64) {
        let next = self.index.next_pass();
        self.look.notify_one();
        next
    }

    /// Follows what becomes of tokens and keys, here and elsewhere, and deletes what has expired.
    pub async fn follow(&self) {
        let mut changes = self.store.follow();
        let mut cleaned = self.house.now();
        loop {
            changes.borrow_and_update();
            let now = self.house.now();
            if let Err(error) = self.follow_once(now).await {
                tracing::warn!(%error, "what became of tokens could not be read");
                tokio::time::sleep(RETRY).await;
                continue;
            }
            if now.saturating_sub(cleaned) >= micros(self.settings().clean_up_every.get()) {
                cleaned = now;
                if let Err(error) = self.clean_up().await {
                    tracing::warn!(%error, "expired tokens could not be deleted");
                }
            }
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = self.look.notified() => {}
                () = tokio::time::sleep(SLOW_POLL) => {}
            }
        }
    }

    async fn follow_once(&self, now: u64) -> Result<(), ServerError> {
        // Whoever waits for this pass finds the key, too, that the token it has was signed with.
        self.keys.load(&self.store, &*self.house).await?;
        Ok(self.index.catch_up(&self.store, now).await?)
    }

    /// Deletes expired tokens; says how many.
    pub async fn clean_up(&self) -> Result<u64, ServerError> {
        let now = self.house.now();
        self.index.forget_expired(now / 1_000_000);
        Ok(self.store.clean_up(now).await?)
    }

    /// Signs with a new key from now on. The one before goes on being published for a while.
    pub async fn rotate_key(&self) -> Result<String, ServerError> {
        self.keys.add(&self.store, &*self.house, self.settings().key_overlap.get(), false).await?;
        Ok(self.keys.signing()?.id().to_owned())
    }

    /// Revokes tokens, here at once and elsewhere as soon as they hear of it; says how many.
    pub async fn revoke(&self, owner: TokenOwner<'_>) -> Result<u64, ServerError> {
        let revoked = self.store.revoke(owner, self.house.now()).await?;
        self.index.catch_up(&self.store, self.house.now()).await?;
        Ok(revoked)
    }

    /// Of a client that is gone: its tokens end, and what users have allowed it is forgotten.
    pub async fn forget_client(&self, id: &str) -> Result<(), ServerError> {
        self.revoke(TokenOwner::Client(id)).await?;
        Ok(self.store.forget_client(id).await?)
    }

    pub fn store(&self) -> &OauthStore {
        &self.store
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
