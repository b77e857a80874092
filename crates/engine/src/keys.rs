//! Applications, and the index that finds one by its API key. Keys are kept as SHA-256 only.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

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
    pub version: Option<Box<str>>,
    /// Anything else that is known about it, by name.
    pub attributes: BTreeMap<Box<str>, Box<str>>,
    pub suspended: bool,
    /// Names of the APIs that it may call.
    pub apis: Vec<Box<str>>,
    /// Origins of its web pages, in lower case.
    pub origins: Vec<Box<str>>,
}

impl Application {
    pub fn may_call(&self, api: &str) -> bool {
        self.apis.iter().any(|name| **name == *api)
    }

    /// Whether its web pages have this origin, which is in lower case.
    pub fn has_origin(&self, origin: &str) -> bool {
        self.origins.iter().any(|known| **known == *origin)
    }
}

/// Index of an application in its snapshot.
pub type ApplicationIndex = u32;

/// An origin as browsers write it, `https://shop.example:8443`, in lower case; `None` when it is something else.
pub fn parse_origin(text: &str) -> Option<Box<str>> {
    let origin = text.to_ascii_lowercase();
    let (scheme, authority) = origin.split_once("://")?;
    let scheme_ok = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let host_ok = !authority.is_empty()
        && authority.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b));
    (scheme_ok && host_ok).then(|| origin.into())
}

/// A key that was found.
#[derive(Debug, Clone)]
pub struct KeyEntry {
    pub used: Arc<KeyUse>,
    pub application: ApplicationIndex,
    /// When the key stops being accepted.
    pub expires: Option<Timestamp>,
}

/// When a key was used last. It stays when the configuration changes.
#[derive(Debug, Default)]
pub struct KeyUse(AtomicU64);

/// A key that is used all the time is written down this often, in nanoseconds, so that cores do not write the same word
/// for each request.
const USED_EVERY: u64 = 60_000_000_000;

impl KeyUse {
    pub fn at(&self, now: Timestamp) {
        if now.0.saturating_sub(self.0.load(Relaxed)) >= USED_EVERY {
            self.0.store(now.0, Relaxed);
        }
    }

    /// To the minute; `None` when it was not used since this node began.
    pub fn last(&self) -> Option<Timestamp> {
        Some(Timestamp(self.0.load(Relaxed))).filter(|time| time.0 > 0)
    }
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
    pub(crate) origins: HashMap<Box<str>, Vec<ApplicationIndex>, RandomState>,
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

    /// The applications whose web pages have this origin, which is in lower case.
    pub fn by_origin(&self, origin: &str) -> impl Iterator<Item = ApplicationIndex> {
        self.origins.get(origin).into_iter().flatten().copied()
    }

    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.get(name)
    }

    pub fn by_key(&self, hash: &KeyHash) -> Option<&KeyEntry> {
        self.keys.get(hash)
    }

    /// All keys, by their hashes.
    pub fn keys(&self) -> impl Iterator<Item = (&KeyHash, &KeyEntry)> {
        self.keys.iter()
    }

    /// Adds a key; `false` when another one has the same hash.
    pub fn insert_key(&mut self, hash: KeyHash, entry: KeyEntry) -> bool {
        self.keys.insert(hash, entry).is_none()
    }
}
