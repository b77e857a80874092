//! Keys that tokens are signed with. A new one takes over, and the one before goes on being published.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use jose::{Algorithm, SigningKey};
use model::authorization_server::TokenAlgorithm;
use serde_json::{Value, json};
use store::assets::{OauthKey, OauthStore};

use crate::{House, OnKeys, ServerError, micros};

pub struct KeyRing {
    algorithm: Algorithm,
    on_keys: OnKeys,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    signing: Option<Arc<SigningKey>>,
    known: Vec<OauthKey>,
    jwks: Arc<str>,
}

impl KeyRing {
    pub fn new(algorithm: TokenAlgorithm, on_keys: OnKeys) -> Self {
        // They have the same names; those with a secret are refused when the configuration is compiled.
        let name = format!("{algorithm:?}");
        let algorithm = Algorithm::by_name(&name).unwrap_or(Algorithm::Rs256);
        Self { algorithm, on_keys, state: RwLock::default() }
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Reads the keys, and makes the first one.
    pub async fn open(
        &self,
        store: &OauthStore,
        house: &dyn House,
        overlap: Duration,
    ) -> Result<(), ServerError> {
        self.load(store, house).await?;
        if self.signing().is_err() {
            self.add(store, house, overlap, true).await?;
        }
        self.signing().map(drop)
    }

    /// Takes over what is in the store.
    pub async fn load(&self, store: &OauthStore, house: &dyn House) -> Result<(), ServerError> {
        let known = store.keys().await?;
        if self.state.read().unwrap_or_else(PoisonError::into_inner).known == known {
            return Ok(());
        }
        let published: Vec<Value> =
            known.iter().filter_map(|key| serde_json::from_str(&key.public_jwk).ok()).collect();
        let jwks: Arc<str> = json!({ "keys": published }).to_string().into();
        let name = self.algorithm.name();
        let newest = known.iter().rev().find(|key| key.algorithm == name && key.retired_at.is_none());
        let signing = match newest {
            None => None,
            Some(key) => {
                let clear = house.open(&key.id, &key.sealed).await.map_err(ServerError::Key)?;
                let parsed = SigningKey::parse(self.algorithm, &clear);
                Some(Arc::new(parsed.ok_or_else(|| ServerError::Key("it is damaged".to_owned()))?))
            }
        };
        // Who verifies hears of a key before anything is signed with it.
        (self.on_keys)(&jwks);
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = State { signing, known, jwks };
        Ok(())
    }

    /// Makes a key, which signs from now on.
    pub async fn add(
        &self,
        store: &OauthStore,
        house: &dyn House,
        overlap: Duration,
        only_first: bool,
    ) -> Result<(), ServerError> {
        let algorithm = self.algorithm;
        let made = tokio::task::spawn_blocking(move || {
            let clear = SigningKey::generate(algorithm)?;
            Some((SigningKey::parse(algorithm, &clear)?, clear))
        });
        let Some((key, clear)) = made.await.ok().flatten() else {
            return Err(ServerError::Key("it could not be made".to_owned()));
        };
        let sealed = house.seal(key.id(), &clear).await.map_err(ServerError::Key)?;
        let now = house.now();
        let new = OauthKey {
            id: key.id().to_owned(),
            algorithm: algorithm.name().to_owned(),
            public_jwk: Value::Object(key.public_jwk().clone()).to_string(),
            sealed,
            created_at: now,
            retired_at: None,
        };
        store.put_key(&new, now.saturating_sub(micros(overlap)), only_first).await?;
        self.load(store, house).await
    }

    pub fn signing(&self) -> Result<Arc<SigningKey>, ServerError> {
        let signing = self.state.read().unwrap_or_else(PoisonError::into_inner).signing.clone();
        signing.ok_or_else(|| ServerError::Key("there is none".to_owned()))
    }

    /// The public keys, as a JWK Set.
    pub fn jwks(&self) -> Arc<str> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner).jwks)
    }
}
