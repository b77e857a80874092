//! Who is there: users prove who they are with a name and a password.

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
/// Checks at a time: each takes a core for tens of milliseconds, and 19 MiB.
const CHECKS: usize = 2;

/// Checks passwords.
pub(crate) struct Access {
    checks: Semaphore,
    /// By the hash of name, password and stored hash: a changed password is asked for at once.
    remembered: Mutex<HashMap<[u8; 32], u64>>,
}

impl Default for Access {
    fn default() -> Self {
        Self { checks: Semaphore::new(CHECKS), remembered: Mutex::default() }
    }
}

/// A user and a password, as `Authorization: Basic` carries them (RFC 7617).
pub(crate) fn basic(value: &str) -> Option<(String, String)> {
    let (scheme, rest) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(Base64::decode_vec(rest.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

impl Access {
    /// Who this is; `None` when the user or the password is wrong, which takes the same time either way.
    pub(crate) async fn check(
        &self,
        store: &AssetStore,
        assets: &Assets,
        user: &str,
        password: &str,
        address: IpAddr,
        now: u64,
    ) -> Result<Option<Who>, StoreError> {
        let groups = kind("user")
            .and_then(|kind| assets.get(kind, user))
            .filter(|held| held.parsed.name == user)
            .map(|held| held.parsed.document["groups"].clone());
        let stored = store.password_hash(user).await?.filter(|_| groups.is_some());
        if !self.matches(stored, user, password, now).await {
            return Ok(None);
        }
        let groups: Vec<String> =
            groups.and_then(|groups| serde_json::from_value(groups).ok()).unwrap_or_default();
        let privileges = rights::privileges(groups.iter().map(String::as_str));
        Ok(Some(Who { user: user.to_owned(), address, privileges }))
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
