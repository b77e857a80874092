//! Applications, and the indexes that find one by its API key, which is kept as SHA-256 only, or by the key that it signs
//! requests with.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use foldhash::fast::RandomState;

use http::header::{ORIGIN, REFERER};
use model::IpRange;

use crate::{Client, Headers, Timestamp, identifiers::Identifiers};

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
    /// `None` where it may be used by everybody who has it.
    pub bounds: Option<Box<KeyBounds>>,
}

/// From where a key may be used.
#[derive(Debug, Clone)]
pub struct KeyBounds {
    /// Empty for everywhere.
    pub addresses: Vec<IpRange>,
    /// Empty for all pages, and for none.
    pub referrers: Vec<Referrer>,
}

impl KeyEntry {
    /// Whether it may be used from there.
    pub fn admits(&self, client: &Client, headers: &Headers) -> bool {
        self.bounds.as_ref().is_none_or(|bounds| bounds.admit(client, headers))
    }
}

impl KeyBounds {
    fn admit(&self, client: &Client, headers: &Headers) -> bool {
        let address = client.ip.to_canonical();
        let from_here =
            self.addresses.is_empty() || self.addresses.iter().any(|range| range.contains(address));
        from_here && (self.referrers.is_empty() || self.admit_page(headers))
    }

    /// What a browser says in `Origin`, or where it sends none in `Referer`. Twice is nothing that a browser does.
    fn admit_page(&self, headers: &Headers) -> bool {
        let name = if headers.contains_key(ORIGIN) { ORIGIN } else { REFERER };
        let mut values = headers.get_all(&name);
        let (Some(value), None) = (values.next(), values.next()) else { return false };
        let origin = value.to_str().ok().and_then(origin_of);
        origin.is_some_and(|origin| self.referrers.iter().any(|referrer| referrer.matches(&origin)))
    }
}

/// The origin that a URL begins with.
fn origin_of(url: &str) -> Option<Box<str>> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    parse_origin(url.get(..scheme.len() + 3 + authority.len())?)
}

/// Origins of web pages: one, or those of all hosts below one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrer {
    /// With `://` at its end.
    scheme: Box<str>,
    /// Host and port; below it with a dot before them.
    authority: Box<str>,
}

impl Referrer {
    /// `https://shop.example` or `https://*.shop.example`; `None` when it is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let plain = authority.strip_prefix("*.").unwrap_or(authority);
        let origin = parse_origin(&format!("{scheme}://{plain}"))?;
        let (scheme, plain) = origin.split_at(scheme.len() + 3);
        let below = if authority.starts_with("*.") { "." } else { "" };
        Some(Self { scheme: scheme.into(), authority: format!("{below}{plain}").into() })
    }

    fn matches(&self, origin: &str) -> bool {
        let Some(authority) = origin.strip_prefix(&*self.scheme) else { return false };
        match self.authority.starts_with('.') {
            true => authority.ends_with(&*self.authority),
            false => *authority == *self.authority,
        }
    }
}

/// A key that an application signs requests with.
#[derive(Debug)]
pub struct SigningKey {
    pub application: ApplicationIndex,
    pub key: jose::Key,
    /// When the key stops being accepted.
    pub expires: Option<Timestamp>,
}

/// What HTTP Digest compares with (RFC 7616, 3.4.2).
#[derive(Debug)]
pub struct DigestPassword {
    pub realm: Box<str>,
    pub algorithm: DigestAlgorithm,
    /// Hexadecimal digits in lower case.
    pub hash: Box<str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestAlgorithm {
    Sha256,
    Md5,
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
    /// Nobody can authenticate as this user in any way.
    pub locked: bool,
    /// For HTTP Digest.
    pub digests: Vec<DigestPassword>,
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
    pub(crate) signing_keys: HashMap<Box<str>, SigningKey, RandomState>,
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

    /// The key that requests call so.
    pub fn signing_key(&self, id: &str) -> Option<&SigningKey> {
        self.signing_keys.get(id)
    }

    /// Adds a key; `false` when another one has the same hash.
    pub fn insert_key(&mut self, hash: KeyHash, entry: KeyEntry) -> bool {
        self.keys.insert(hash, entry).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_told_apart_by_their_origin() {
        for (referrer, origin, expect) in [
            ("https://shop.example", "https://Shop.example", true),
            ("https://shop.example", "https://shop.example/cart?x=1", true),
            ("https://shop.example", "https://shop.example.evil/", false),
            ("https://shop.example", "https://shop.example:8443", false),
            ("https://shop.example", "http://shop.example", false),
            ("https://shop.example", "https://shop.example@evil.example", false),
            ("https://shop.example", "null", false),
            ("https://*.shop.example", "https://a.b.shop.example/x", true),
            ("https://*.shop.example", "https://shop.example", false),
            ("https://*.shop.example", "https://evilshop.example", false),
            ("HTTPS://*.Shop.example:8443", "https://a.shop.example:8443", true),
        ] {
            let parsed = Referrer::parse(referrer).expect("it is one");
            assert_eq!(origin_of(origin).is_some_and(|o| parsed.matches(&o)), expect, "{referrer} {origin}");
        }
        for text in ["", "shop.example", "https://", "https://a/b", "https://a*b", "https://*"] {
            assert_eq!(Referrer::parse(text), None, "{text}");
        }
    }
}
