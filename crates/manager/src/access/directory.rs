//! Users who are in a directory elsewhere. Who they are is asked there, and remembered for a while: a session is not a
//! question to the directory for each request.

use std::{
    collections::HashMap,
    future::Future,
    net::IpAddr,
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use sha2::{Digest, Sha256};

use super::{Access, Sources, Who, is_local};
use crate::rights::Rights;

/// How long it counts what groups somebody is in, in microseconds.
const GROUPS_COUNT: u64 = 5 * 60_000_000;
/// Most users remembered.
const MOST: usize = 10_000;

/// Somebody in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryUser {
    /// As the directory has it, however it was typed.
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

    /// How long a password that was right counts without a question.
    fn remember(&self) -> Duration;
}

/// What a directory has answered.
#[derive(Default)]
pub(super) struct Remembered {
    /// Groups by name, and since when.
    users: Mutex<HashMap<String, (Vec<String>, u64)>>,
    /// Who had a password that was right, by the hash of what was typed, and since when.
    passwords: Mutex<HashMap<[u8; 32], (String, u64)>>,
}

/// What came of asking about somebody.
pub(super) enum Asked {
    Known(Rights),
    Nobody,
    Away,
}

/// The directory could not be asked.
pub(super) struct Away;

impl Remembered {
    fn groups(&self, user: &str, now: u64) -> Option<Vec<String>> {
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let (groups, since) = users.get(user)?;
        (now.saturating_sub(*since) < GROUPS_COUNT).then(|| groups.clone())
    }

    fn keep(&self, name: &str, groups: &[String], now: u64) {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if users.len() >= MOST {
            users.clear();
        }
        users.insert(name.to_owned(), (groups.to_vec(), now));
    }

    fn forget(&self, user: &str) {
        self.users.lock().unwrap_or_else(PoisonError::into_inner).remove(user);
    }

    fn was_right(&self, key: &[u8; 32], now: u64, remember: Duration) -> Option<String> {
        let passwords = self.passwords.lock().unwrap_or_else(PoisonError::into_inner);
        let (name, since) = passwords.get(key)?;
        (u128::from(now.saturating_sub(*since)) < remember.as_micros()).then(|| name.clone())
    }

    fn keep_password(&self, key: [u8; 32], name: &str, now: u64) {
        let mut passwords = self.passwords.lock().unwrap_or_else(PoisonError::into_inner);
        if passwords.len() >= MOST {
            passwords.clear();
        }
        passwords.insert(key, (name.to_owned(), now));
    }
}

impl Access {
    /// Somebody whom the directory knows by this password, under the name that they have there. Asked only about those
    /// who are no users here.
    pub(super) async fn check_in_directory(
        &self,
        sources: Sources<'_>,
        user: &str,
        password: &str,
    ) -> Result<Option<(String, Rights)>, Away> {
        let Some(directory) = &self.directory else { return Ok(None) };
        // A name without a password is taken for nobody in particular, whom a directory lets in (RFC 4513, 5.1.2).
        if user.is_empty() || password.is_empty() || self.is_of_provider(user) {
            return Ok(None);
        }
        let key = key(user, password);
        let name = match self.in_directory.was_right(&key, sources.now, directory.remember()) {
            Some(name) => name,
            None => match directory.check(user, password).await {
                Ok(Some(found)) => {
                    self.in_directory.keep(&found.name, &found.groups, sources.now);
                    self.in_directory.keep_password(key, &found.name, sources.now);
                    found.name
                }
                Ok(None) => return Ok(None),
                Err(error) => {
                    away(&error);
                    return Err(Away);
                }
            },
        };
        // Typed in another case, it may be the name of somebody here.
        if is_local(sources.assets, &name) {
            return Ok(None);
        }
        match self.find_in_directory(sources, &name).await {
            Asked::Known(rights) => Ok(Some((name, rights))),
            Asked::Nobody => Ok(None),
            Asked::Away => Err(Away),
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
                self.in_directory.keep(user, &found.groups, sources.now);
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
