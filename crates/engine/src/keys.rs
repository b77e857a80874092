//! Applications, and the index that finds one by its API key. Keys are kept as SHA-256 only.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::{Timestamp, identifiers::Identifiers};

/// SHA-256 of an API key. Keys are random and long, so a fast hash is the right one: there is nothing to guess.
pub type KeyHash = [u8; 32];

/// A consumer, as requests see it.
#[derive(Debug)]
pub struct Application {
    pub name: Box<str>,
    /// What it is, for people.
    pub description: Option<Box<str>>,
    pub suspended: bool,
    /// Names of the APIs that it may call.
    pub apis: Vec<Box<str>>,
}

impl Application {
    pub fn may_call(&self, api: &str) -> bool {
        self.apis.iter().any(|name| **name == *api)
    }
}

/// Index of an application in its snapshot.
pub type ApplicationIndex = u32;

/// A key that was found.
#[derive(Debug, Clone, Copy)]
pub struct KeyEntry {
    pub application: ApplicationIndex,
    /// When the key stops being accepted.
    pub expires: Option<Timestamp>,
}

/// Somebody who authenticates with a name and a password.
#[derive(Debug)]
pub struct User {
    /// Hash of the password, a text that begins with `$argon2id$`; without one nobody can authenticate as this user.
    pub password: Option<Box<str>>,
    /// Names of the groups that the user is in.
    pub groups: Vec<Box<str>>,
}

/// All applications and users of a snapshot.
#[derive(Debug, Default)]
pub struct Applications {
    pub list: Vec<Application>,
    pub identifiers: Identifiers,
    pub(crate) names: HashMap<Box<str>, ApplicationIndex, RandomState>,
    pub(crate) users: HashMap<Box<str>, User, RandomState>,
    keys: HashMap<KeyHash, KeyEntry, RandomState>,
}

impl Applications {
    pub fn get(&self, index: ApplicationIndex) -> Option<&Application> {
        self.list.get(index as usize)
    }

    pub fn by_name(&self, name: &str) -> Option<ApplicationIndex> {
        self.names.get(name).copied()
    }

    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.get(name)
    }

    pub fn by_key(&self, hash: &KeyHash) -> Option<&KeyEntry> {
        self.keys.get(hash)
    }

    /// Adds a key; `false` when another one has the same hash.
    pub fn insert_key(&mut self, hash: KeyHash, entry: KeyEntry) -> bool {
        self.keys.insert(hash, entry).is_none()
    }
}
