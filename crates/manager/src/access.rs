//! Who is there: users prove who they are with a name and a password, programs with a token of theirs.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use argon2::{
    Argon2, PasswordVerifier,
    password_hash::{PasswordHasher, phc::PasswordHash},
};
use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use model::UserDoc;
use sha2::{Digest, Sha256};
use store::{StoreError, assets::AssetStore};
use tokio::sync::Semaphore;

use crate::{Assets, Privilege, kind, rights};

/// Somebody who has proved who they are.
#[derive(Debug, Clone)]
pub struct Who {
    pub user: String,
    pub address: IpAddr,
    privileges: Vec<Privilege>,
}

impl Who {
    pub fn may(&self, privilege: Privilege) -> bool {
        self.privileges.contains(&privilege)
    }

    pub fn privileges(&self) -> &[Privilege] {
        &self.privileges
    }
}

/// Longest time for which a password that was right is not hashed again, in microseconds.
const REMEMBERED: u64 = 60_000_000;
/// Most passwords remembered.
const MOST_REMEMBERED: usize = 1_000;
/// What somebody typed as a name is compared up to here.
const LONGEST_NAME: usize = 200;
/// Checks at a time: each takes a core for tens of milliseconds, and 19 MiB.
const CHECKS: usize = 2;

/// Checks passwords.
pub(crate) struct Access {
    checks: Semaphore,
    /// By the hash of name, password and stored hash: a changed password is asked for at once.
    remembered: Mutex<HashMap<[u8; 32], u64>>,
    failures: Failures,
}

impl Default for Access {
    fn default() -> Self {
        Self { checks: Semaphore::new(CHECKS), remembered: Mutex::default(), failures: Failures::default() }
    }
}

/// A user and a password, as `Authorization: Basic` carries them (RFC 7617).
fn basic(value: &str) -> Option<(String, String)> {
    let (scheme, rest) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(Base64::decode_vec(rest.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// What a request says about who sends it.
pub(crate) enum Credentials {
    Password { user: String, password: String },
    Token(String),
}

/// What `Authorization` carries, when it is something that is understood here.
pub(crate) fn credentials(value: &str) -> Option<Credentials> {
    if let Some((user, password)) = basic(value) {
        return Some(Credentials::Password { user, password });
    }
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| Credentials::Token(token.to_owned()))
}

/// What came of looking at credentials.
pub(crate) enum Checked {
    Known(Who),
    Wrong,
    /// Too many were wrong.
    Wait,
}

impl Access {
    /// Who this is. A user who is not there takes as long to refuse as a wrong password.
    pub(crate) async fn check(
        &self,
        store: &AssetStore,
        assets: &Assets,
        credentials: &Credentials,
        address: IpAddr,
        now: u64,
    ) -> Result<Checked, StoreError> {
        let name: String = match credentials {
            Credentials::Password { user, .. } => user.chars().take(LONGEST_NAME).collect(),
            Credentials::Token(_) => String::new(),
        };
        if self.failures.has_too_many(address, &name, now) {
            return Ok(Checked::Wait);
        }
        let who = match credentials {
            Credentials::Password { user, password } => {
                self.check_password(store, assets, user, password, address, now).await?
            }
            Credentials::Token(token) => check_token(store, assets, token, address, now).await?,
        };
        Ok(match who {
            Some(who) => Checked::Known(who),
            None => {
                self.failures.count(address, &name, now);
                Checked::Wrong
            }
        })
    }

    async fn check_password(
        &self,
        store: &AssetStore,
        assets: &Assets,
        user: &str,
        password: &str,
        address: IpAddr,
        now: u64,
    ) -> Result<Option<Who>, StoreError> {
        let privileges = privileges_of(assets, user);
        let stored = store.password_hash(user).await?.filter(|_| privileges.is_some());
        if !self.matches(stored, user, password, now).await {
            return Ok(None);
        }
        Ok(privileges.map(|privileges| Who { user: user.to_owned(), address, privileges }))
    }

    async fn matches(&self, stored: Option<String>, user: &str, password: &str, now: u64) -> bool {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| NOBODY.to_owned());
        let key: [u8; 32] = {
            let mut hasher = Sha256::new();
            for text in [user, password, &stored] {
                hasher.update((text.len() as u64).to_be_bytes());
                hasher.update(text);
            }
            hasher.finalize().into()
        };
        let remembered = |at: &u64| now.saturating_sub(*at) < REMEMBERED;
        if self.remembered.lock().unwrap_or_else(PoisonError::into_inner).get(&key).is_some_and(remembered) {
            return known;
        }
        let Ok(_one_of_few) = self.checks.acquire().await else { return false };
        let password = password.to_owned();
        let checked = tokio::task::spawn_blocking(move || {
            PasswordHash::new(&stored)
                .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
        });
        let right = checked.await.unwrap_or(false) && known;
        if right {
            let mut all = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
            if all.len() >= MOST_REMEMBERED {
                all.clear();
            }
            all.insert(key, now);
        }
        right
    }
}

/// What a user may do; `None` when there is no such user.
fn privileges_of(assets: &Assets, user: &str) -> Option<Vec<Privilege>> {
    let held =
        kind("user").and_then(|kind| assets.get(kind, user)).filter(|held| held.parsed.name == user)?;
    let user = held.parsed.typed.downcast_ref::<UserDoc>()?;
    Some(rights::privileges(user.groups.iter().map(String::as_str)))
}

async fn check_token(
    store: &AssetStore,
    assets: &Assets,
    token: &str,
    address: IpAddr,
    now: u64,
) -> Result<Option<Who>, StoreError> {
    let Some(token) = store.token(&hash_of_token(token)).await? else { return Ok(None) };
    if token.expires_at.is_some_and(|expires| expires <= now) {
        return Ok(None);
    }
    // What the user may not do any more, the token may not either.
    let Some(mut privileges) = privileges_of(assets, &token.user) else { return Ok(None) };
    if let Some(names) = &token.privileges {
        privileges.retain(|privilege| names.iter().any(|name| name == privilege.name()));
    }
    Ok(Some(Who { user: token.user, address, privileges }))
}

/// Tokens are random and long: a fast hash is the right one.
pub(crate) fn hash_of_token(token: &str) -> String {
    format!("{:x}", Sha256::digest(token))
}

/// So that a token is recognised where it should not be.
const TOKEN_PREFIX: &str = "gwt_";

/// A new token: 192 random bits.
pub(crate) fn random_token() -> Option<String> {
    let mut bytes = [0_u8; 24];
    getrandom::fill(&mut bytes).ok()?;
    Some(format!("{TOKEN_PREFIX}{}", Base64UrlUnpadded::encode_string(&bytes)))
}

/// Wrong credentials, by address and user, and by address alone.
#[derive(Default)]
struct Failures(Mutex<HashMap<(IpAddr, Option<String>), Count>>);

/// When counting began, and how many there were.
type Count = (u64, u32);

const WINDOW: u64 = 60_000_000;
/// Of one user from one address, in a window; tokens count as a user of their own.
const MOST_OF_USER: u32 = 10;
/// From one address, behind which may be many people.
const MOST_OF_ADDRESS: u32 = 100;
/// Entries that are remembered.
const MOST_ENTRIES: usize = 10_000;

impl Failures {
    fn has_too_many(&self, address: IpAddr, user: &str, now: u64) -> bool {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reached = |user: Option<String>, most: u32| {
            failures
                .get(&(address, user))
                .is_some_and(|(since, count)| now.saturating_sub(*since) < WINDOW && *count >= most)
        };
        reached(Some(user.to_owned()), MOST_OF_USER) || reached(None, MOST_OF_ADDRESS)
    }

    fn count(&self, address: IpAddr, user: &str, now: u64) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for user in [None, Some(user.to_owned())] {
            if failures.len() >= MOST_ENTRIES {
                failures.retain(|_, (since, _)| now.saturating_sub(*since) < WINDOW);
            }
            if failures.len() >= MOST_ENTRIES {
                return;
            }
            let entry = failures.entry((address, user)).or_insert((now, 0));
            if now.saturating_sub(entry.0) >= WINDOW {
                *entry = (now, 0);
            }
            entry.1 += 1;
        }
    }
}

/// A hash that no password has, so that a user who is not there takes as long to refuse as a wrong password.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm8$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The hash of a password, to be stored. It takes a while: call it where waiting is no harm.
pub(crate) fn hash(password: &str) -> Option<String> {
    let mut salt = [0_u8; 16];
    getrandom::fill(&mut salt).ok()?;
    Argon2::default().hash_password_with_salt(password.as_bytes(), &salt).ok().map(|hash| hash.to_string())
}

/// A password that nobody can guess.
pub(crate) fn random_password() -> Option<String> {
    let mut bytes = [0_u8; 15];
    getrandom::fill(&mut bytes).ok()?;
    Some(Base64UrlUnpadded::encode_string(&bytes))
}
