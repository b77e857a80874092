//! Users who are in a directory elsewhere. Who they are is asked there, and remembered for a while: a session is not a
//! question to the directory for each request.

use std::{
    collections::HashMap,
    future::Future,
    net::IpAddr,
    pin::Pin,
    sync::{Mutex, PoisonError},
};

use sha2::{Digest, Sha256};

use super::{Access, REMEMBERED, Sources, Who};
use crate::rights::Rights;

/// How long it counts what groups somebody is in, in microseconds.
const GROUPS_COUNT: u64 = 5 * 60_000_000;
/// Most users remembered.
const MOST: usize = 10_000;

/// Somebody in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryUser {
    pub name: String,
    /// What the settings make of their groups.
    pub groups: Vec<String>,
}

/// What a directory answers; `None` for nobody, an error when it cannot be asked.
pub type Found<'a> = Pin<Box<dyn Future<Output = Result<Option<DirectoryUser>, String>> + Send + 'a>>;

/// A directory of users.
pub trait Directory: Send + Sync + 'static {
    /// Whoever has this name and this password.
    fn check<'a>(&'a self, user: &'a str, password: &'a str) -> Found<'a>;

    /// Whoever has this name.
    fn find<'a>(&'a self, user: &'a str) -> Found<'a>;
}

/// What a directory has answered.
#[derive(Default)]
pub(super) struct Remembered {
    /// Groups by name, and since when.
    users: Mutex<HashMap<String, (Vec<String>, u64)>>,
    /// Passwords that were right, by the hash of name and password, and since when.
    passwords: Mutex<HashMap<[u8; 32], u64>>,
}

/// What came of asking about somebody.
pub(super) enum Asked {
    Known(Rights),
    Nobody,
    Away,
}

impl Remembered {
    fn groups(&self, user: &str, now: u64) -> Option<Vec<String>> {
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let (groups, since) = users.get(user)?;
        (now.saturating_sub(*since) < GROUPS_COUNT).then(|| groups.clone())
    }

    fn keep(&self, user: &DirectoryUser, now: u64) {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if users.len() >= MOST {
            users.clear();
        }
        users.insert(user.name.clone(), (user.groups.clone(), now));
    }

    fn forget(&self, user: &str) {
        self.users.lock().unwrap_or_else(PoisonError::into_inner).remove(user);
    }

    fn was_right(&self, key: &[u8; 32], now: u64) -> bool {
        let passwords = self.passwords.lock().unwrap_or_else(PoisonError::into_inner);
        passwords.get(key).is_some_and(|since| now.saturating_sub(*since) < REMEMBERED)
    }

    fn keep_password(&self, key: [u8; 32], now: u64) {
        let mut passwords = self.passwords.lock().unwrap_or_else(PoisonError::into_inner);
        if passwords.len() >= MOST {
            passwords.clear();
        }
        passwords.insert(key, now);
    }
}

impl Access {
    /// Somebody whom the directory knows by this password. Asked only about those who are no users here.
    pub(super) async fn check_in_directory(&self, sources: Sources<'_>, user: &str, password: &str) -> Asked {
        let Some(directory) = &self.directory else { return Asked::Nobody };
        // A name without a password is taken for nobody in particular, whom a directory lets in (RFC 4513, 5.1.2).
        if user.is_empty() || password.is_empty() || self.is_of_provider(user) {
            return Asked::Nobody;
        }
        let key = key(user, password);
        if self.in_directory.was_right(&key, sources.now) {
            return self.find_in_directory(sources, user).await;
        }
        match directory.check(user, password).await {
            Ok(Some(found)) => {
                self.in_directory.keep(&found, sources.now);
                self.in_directory.keep_password(key, sources.now);
                self.known(sources, user, found.groups)
            }
            Ok(None) => Asked::Nobody,
            Err(error) => away(&error),
        }
    }

    /// Somebody whom the directory knows, and who has proved who they are some other way.
    pub(super) async fn find_in_directory(&self, sources: Sources<'_>, user: &str) -> Asked {
        let Some(directory) = self.directory.as_ref().filter(|_| !self.is_of_provider(user)) else {
            return Asked::Nobody;
        };
        if let Some(groups) = self.in_directory.groups(user, sources.now) {
            return self.known(sources, user, groups);
        }
        match directory.find(user).await {
            Ok(Some(found)) => {
                self.in_directory.keep(&found, sources.now);
                self.known(sources, user, found.groups)
            }
            Ok(None) => {
                self.in_directory.forget(user);
                Asked::Nobody
            }
            Err(error) => away(&error),
        }
    }

    /// Whether the directory has somebody of this name; nothing when it cannot be asked.
    pub(crate) async fn is_in_directory(&self, sources: Sources<'_>, user: &str) -> Option<bool> {
        match self.find_in_directory(sources, user).await {
            Asked::Known(_) => Some(true),
            Asked::Nobody => Some(false),
            Asked::Away => None,
        }
    }

    fn known(&self, sources: Sources<'_>, user: &str, groups: Vec<String>) -> Asked {
        Asked::Known(Rights::of_groups(sources.assets, user, groups, self.settings.enable_team_work))
    }

    /// Somebody who has no password here that could have to be changed.
    pub(super) fn known_otherwise(user: &str, address: IpAddr, rights: Rights) -> Who {
        Who {
            user: user.to_owned(),
            address,
            rights,
            session: None,
            must_change_password: false,
            must_set_up_second_factor: false,
        }
    }
}

fn away(error: &str) -> Asked {
    tracing::warn!(error, "the directory of users could not be asked");
    Asked::Away
}

fn key(user: &str, password: &str) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for text in [user, password] {
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text);
    }
    hasher.finalize().into()
}
