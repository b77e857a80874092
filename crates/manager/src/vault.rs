//! Secrets of assets, encrypted: each under a data key, which is encrypted under a master key. Master keys are with the
//! nodes, everything else is in the store. Another master key means that data keys are encrypted anew, and no secret.
//!
//! AES-256-GCM throughout (NIST SP 800-38D), with random nonces. What is encrypted is bound to what it belongs to: put
//! elsewhere it cannot be decrypted.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64ct::{Base64, Encoding};
use sha2::{Digest, Sha256};
use store::{
    StoreError,
    assets::{AssetStore, DataKey},
};

/// What a sealed text begins with; the id of its data key and what is encrypted follow, with a colon between them.
const FORMAT: &str = "v1:";
const KEY_LEN: usize = 32;

/// Why a secret cannot be kept, or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    #[error("{0}")]
    NoMasterKey(Arc<str>),
    #[error(
        "it is encrypted under the master key {master}, which this node does not have (it has {have}): add that key to \
         settings.store.masterKey of this node"
    )]
    Locked { master: String, have: String },
    #[error("it cannot be decrypted: it was changed, or belongs to something else")]
    Damaged,
}

/// A master key.
pub struct MasterKey {
    id: String,
    key: RandomizedNonceKey,
}

impl MasterKey {
    /// From 64 hexadecimal digits; `None` when it is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() != 2 * KEY_LEN || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let bytes = text
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        let bytes: Vec<u8> = bytes.collect::<Option<_>>()?;
        // Of a hash of 256 random bits nothing can be learned about them.
        let id = format!(
            "{:x}",
            Sha256::new_with_prefix("gatewright master key\0").chain_update(&bytes).finalize()
        );
        let key = RandomizedNonceKey::new(&AES_256_GCM, &bytes).ok()?;
        Some(Self { id: id[..12].to_owned(), key })
    }

    /// A new one, in hexadecimal digits.
    pub fn random() -> Option<String> {
        let mut bytes = [0_u8; KEY_LEN];
        getrandom::fill(&mut bytes).ok()?;
        Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// Encrypts and decrypts secrets.
pub struct Vault {
    /// The first one encrypts.
    masters: Vec<MasterKey>,
    /// What to say when there is none.
    without: Arc<str>,
    keys: RwLock<Keys>,
}

/// Data keys, as far as they are known.
#[derive(Default)]
struct Keys {
    written: Vec<DataKey>,
    open: HashMap<String, Arc<RandomizedNonceKey>>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault(master keys {})", self.master_keys().join(", "))
    }
}

impl Default for Vault {
    fn default() -> Self {
        Self::new(Vec::new(), "there is no master key")
    }
}

impl Vault {
    /// A vault with these keys; where there are none, `without` says what to do.
    pub fn new(masters: Vec<MasterKey>, without: &str) -> Self {
        Self { masters, without: without.into(), keys: RwLock::default() }
    }

    /// Which master keys there are: not the keys, but what they are called.
    pub fn master_keys(&self) -> Vec<String> {
        self.masters.iter().map(|master| master.id.clone()).collect()
    }

    /// Data keys as they are in the store.
    pub(crate) fn written(&self) -> Vec<DataKey> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).written.clone()
    }

    /// Takes over data keys as they are in the store.
    pub(crate) fn take(&self, written: Vec<DataKey>) {
        let open = written.iter().filter_map(|key| Some((key.id.clone(), Arc::new(self.unwrap(key).ok()?))));
        let open = open.collect();
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Keys { written, open };
    }

    pub(crate) async fn load(&self, store: &AssetStore) -> Result<(), StoreError> {
        self.take(store.data_keys().await?);
        Ok(())
    }

    /// Whether the data key of a sealed text is known, be it that it cannot be opened.
    pub(crate) fn knows(&self, sealed: &str) -> bool {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        parts(sealed).is_none_or(|(id, _)| keys.written.iter().any(|key| key.id == id))
    }

    /// Sees to it that there is a data key to encrypt under.
    pub(crate) async fn prepare(
        &self,
        store: &AssetStore,
        at: u64,
    ) -> Result<Result<(), VaultError>, StoreError> {
        if self.newest().is_some() {
            return Ok(Ok(()));
        }
        self.load(store).await?;
        if self.newest().is_some() {
            return Ok(Ok(()));
        }
        let mut bytes = vec![0_u8; KEY_LEN];
        if getrandom::fill(&mut bytes).is_err() {
            return Ok(Err(VaultError::Damaged));
        }
        let id = crate::new_id();
        match self.wrap(&id, bytes, at) {
            Ok(key) => {
                store.put_data_keys(&[key]).await?;
                self.load(store).await.map(Ok)
            }
            Err(error) => Ok(Err(error)),
        }
    }

    fn newest(&self) -> Option<(String, Arc<RandomizedNonceKey>)> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.written.iter().rev().find_map(|key| Some((key.id.clone(), Arc::clone(keys.open.get(&key.id)?))))
    }

    /// Encrypts a secret; `of` is what it belongs to.
    pub(crate) fn seal(&self, of: [&str; 3], secret: &str) -> Result<String, VaultError> {
        let (id, key) = self.newest().ok_or_else(|| self.why_not())?;
        let sealed = encrypt(&key, &bound_to(of), secret.as_bytes().to_vec()).ok_or(VaultError::Damaged)?;
        Ok(format!("{FORMAT}{id}:{sealed}"))
    }

    /// Decrypts a secret; `of` is what it belongs to.
    pub(crate) fn open(&self, of: [&str; 3], sealed: &str) -> Result<String, VaultError> {
        let (id, content) = parts(sealed).ok_or(VaultError::Damaged)?;
        let (open, written) = {
            let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            (keys.open.get(id).cloned(), keys.written.iter().find(|key| key.id == id).cloned())
        };
        let key = match (open, written) {
            (Some(key), _) => key,
            (None, Some(written)) => Arc::new(self.unwrap(&written)?),
            (None, None) => return Err(VaultError::Damaged),
        };
        let clear = decrypt(&key, &bound_to(of), content).ok_or(VaultError::Damaged)?;
        String::from_utf8(clear).map_err(|_| VaultError::Damaged)
    }

    /// Encrypts all data keys under the first master key; says how many were under another one.
    pub(crate) async fn rotate(&self, store: &AssetStore) -> Result<Result<usize, VaultError>, StoreError> {
        let Some(first) = self.masters.first() else { return Ok(Err(self.why_not())) };
        self.load(store).await?;
        let anew = self.written().into_iter().filter(|key| key.master != first.id).map(|key| {
            let bytes = self.unwrapped(&key)?;
            self.wrap(&key.id, bytes, key.created_at)
        });
        match anew.collect::<Result<Vec<_>, _>>() {
            Ok(anew) => {
                store.put_data_keys(&anew).await?;
                self.load(store).await?;
                Ok(Ok(anew.len()))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    /// Why nothing can be encrypted, where there is no master key.
    pub(crate) fn lacks_key(&self) -> Option<VaultError> {
        self.masters.is_empty().then(|| self.why_not())
    }

    fn why_not(&self) -> VaultError {
        VaultError::NoMasterKey(Arc::clone(&self.without))
    }

    fn wrap(&self, id: &str, key: Vec<u8>, created_at: u64) -> Result<DataKey, VaultError> {
        let master = self.masters.first().ok_or_else(|| self.why_not())?;
        let wrapped =
            encrypt(&master.key, &bound_to(["data key", id, ""]), key).ok_or(VaultError::Damaged)?;
        Ok(DataKey { id: id.to_owned(), master: master.id.clone(), wrapped, created_at })
    }

    fn unwrapped(&self, key: &DataKey) -> Result<Vec<u8>, VaultError> {
        let master = self.masters.iter().find(|master| master.id == key.master);
        let master = master.ok_or_else(|| match self.masters.is_empty() {
            true => self.why_not(),
            false => VaultError::Locked { master: key.master.clone(), have: self.master_keys().join(", ") },
        })?;
        decrypt(&master.key, &bound_to(["data key", &key.id, ""]), &key.wrapped).ok_or(VaultError::Damaged)
    }

    fn unwrap(&self, key: &DataKey) -> Result<RandomizedNonceKey, VaultError> {
        RandomizedNonceKey::new(&AES_256_GCM, &self.unwrapped(key)?).map_err(|_| VaultError::Damaged)
    }
}

/// The id of the data key, and what is encrypted under it.
fn parts(sealed: &str) -> Option<(&str, &str)> {
    sealed.strip_prefix(FORMAT)?.split_once(':')
}

/// With lengths, so that no two read the same.
fn bound_to(parts: [&str; 3]) -> Vec<u8> {
    parts.iter().flat_map(|part| (part.len() as u64).to_be_bytes().into_iter().chain(part.bytes())).collect()
}

fn encrypt(key: &RandomizedNonceKey, bound_to: &[u8], mut content: Vec<u8>) -> Option<String> {
    let nonce = key.seal_in_place_append_tag(Aad::from(bound_to), &mut content).ok()?;
    let mut whole = nonce.as_ref().to_vec();
    whole.append(&mut content);
    Some(Base64::encode_string(&whole))
}

fn decrypt(key: &RandomizedNonceKey, bound_to: &[u8], text: &str) -> Option<Vec<u8>> {
    let whole = Base64::decode_vec(text).ok()?;
    let (nonce, content) = whole.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut content = content.to_vec();
    let clear = key.open_in_place(nonce, Aad::from(bound_to), &mut content).ok()?;
    Some(clear.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF: [&str; 3] = ["secret", "id-1", "payment"];

    async fn store() -> (AssetStore, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let url = store::assets::StoreUrl::File(folder.path().join("assets.db"));
        (AssetStore::open(&url).await.unwrap(), folder)
    }

    fn vault(keys: &[&str]) -> Vault {
        Vault::new(
            keys.iter().map(|key| MasterKey::parse(&key.repeat(32)).unwrap()).collect(),
            "configure one",
        )
    }

    #[tokio::test]
    async fn what_was_sealed_is_opened_where_it_belongs_and_nowhere_else() {
        let (store, _folder) = store().await;
        let one = vault(&["0a"]);
        one.prepare(&store, 1).await.unwrap().unwrap();
        let sealed = one.seal(OF, "hunter2").unwrap();
        assert!(!sealed.contains("hunter2") && sealed != one.seal(OF, "hunter2").unwrap());
        assert_eq!(one.open(OF, &sealed).unwrap(), "hunter2");
        for of in [
            ["other", OF[1], OF[2]],
            [OF[0], "id-2", OF[2]],
            [OF[0], OF[1], "other"],
            ["secretid-1", "", "payment"],
        ] {
            assert_eq!(one.open(of, &sealed), Err(VaultError::Damaged), "{of:?}");
        }
        for place in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            assert!(one.open(OF, &String::from_utf8(changed).unwrap()).is_err(), "{place}");
        }
        // Another node with the same master key reads it; one with another key, or none, says so.
        let same = vault(&["0a"]);
        assert!(!same.knows(&sealed));
        same.load(&store).await.unwrap();
        assert_eq!(same.open(OF, &sealed).unwrap(), "hunter2");
        let other = vault(&["0b"]);
        other.load(&store).await.unwrap();
        let error = other.open(OF, &sealed).unwrap_err().to_string();
        assert!(
            error.contains(&one.master_keys()[0]) && error.contains("settings.store.masterKey"),
            "{error}"
        );
        let none = vault(&[]);
        none.load(&store).await.unwrap();
        assert_eq!(none.open(OF, &sealed).unwrap_err().to_string(), "configure one");
        assert_eq!(none.prepare(&store, 1).await.unwrap().unwrap_err().to_string(), "configure one");
    }

    #[tokio::test]
    async fn another_master_key_takes_over_without_a_secret_being_touched() {
        let (store, _folder) = store().await;
        let old = vault(&["0a"]);
        old.prepare(&store, 1).await.unwrap().unwrap();
        let sealed = old.seal(OF, "hunter2").unwrap();
        let both = vault(&["0b", "0a"]);
        both.load(&store).await.unwrap();
        assert_eq!(both.open(OF, &sealed).unwrap(), "hunter2");
        assert_eq!((both.rotate(&store).await.unwrap(), both.rotate(&store).await.unwrap()), (Ok(1), Ok(0)));
        let new = vault(&["0b"]);
        new.load(&store).await.unwrap();
        assert_eq!(new.open(OF, &sealed).unwrap(), "hunter2");
        assert_eq!(old.open(OF, &sealed).unwrap(), "hunter2", "who has it open goes on");
        let late = vault(&["0a"]);
        late.load(&store).await.unwrap();
        assert!(matches!(late.open(OF, &sealed), Err(VaultError::Locked { .. })));
        // One that lacks a key re-wraps nothing.
        assert!(matches!(late.rotate(&store).await.unwrap(), Err(VaultError::Locked { .. })));
    }

    #[test]
    fn a_master_key_is_64_hexadecimal_digits() {
        let key = MasterKey::random().unwrap();
        assert!(MasterKey::parse(&format!("{key}\n")).is_some());
        for wrong in ["", "0a", &key[1..], &format!("{key}0"), &format!("g{}", &key[1..]), &"é".repeat(32)] {
            assert!(MasterKey::parse(wrong).is_none(), "{wrong}");
        }
    }
}
