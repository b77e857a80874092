//! Second factors: one-time codes of an app (TOTP, RFC 6238), and recovery codes for when the app is lost. They are asked
//! for after the password was right, and nobody else learns whether somebody has one.

use std::{net::IpAddr, sync::Arc};

use model::settings::SecondFactor as Wanted;
use store::{
    StoreError,
    assets::{AssetStore, SecondFactor, SetUp},
};
use totp_rs::{Builder, Secret, Totp};

use super::{Access, Checked, Sources, Who, hash_of_secret, is_local};
use crate::{
    ChangeError, Manager,
    vault::{Vault, VaultError},
};

/// As RFC 4226 recommends for SHA-1, which is what every app understands.
const SECRET_LEN: usize = 20;
const RECOVERY_CODES: usize = 10;
/// 80 bits: nobody guesses one, and a fast hash is the right one.
const RECOVERY_LEN: usize = 10;
const LONGEST_CODE: usize = 64;

impl Access {
    /// Whether somebody with a password here has to set one up first.
    pub(super) async fn lacks_second_factor(
        &self,
        sources: Sources<'_>,
        user: &str,
    ) -> Result<bool, StoreError> {
        if self.settings.second_factor == Wanted::Optional {
            return Ok(false);
        }
        Ok(counting(sources.store, user).await?.is_none())
    }

    /// What follows on a password that was right.
    pub(super) async fn second_step(
        &self,
        sources: Sources<'_>,
        who: Who,
        code: Option<&str>,
    ) -> Result<Checked, StoreError> {
        let Some(factor) = counting(sources.store, &who.user).await? else {
            let must_set_up_second_factor = self.settings.second_factor == Wanted::Required;
            return Ok(Checked::Known(Who { must_set_up_second_factor, ..who }));
        };
        let Some(code) = code else { return Ok(Checked::CodeNeeded) };
        let Ok(_one) = self.codes.acquire().await else { return Ok(Checked::Wait) };
        // Others may have guessed while this one waited.
        if self.failures.has_too_many(who.address, &who.user, sources.now)
            || self.is_locked(sources, &who.user).await?
        {
            return Ok(Checked::Wait);
        }
        if is_right(sources, &factor, code).await? {
            return Ok(Checked::Known(who));
        }
        self.count_for_lock(sources, &who.user).await?;
        self.failures.count(who.address, &who.user, sources.now);
        Ok(Checked::CodeWrong)
    }

    /// The code of somebody whose password was right before.
    pub(crate) async fn check_code(
        &self,
        sources: Sources<'_>,
        user: &str,
        code: &str,
        address: IpAddr,
    ) -> Result<Checked, StoreError> {
        let credential = sources.store.credential(user).await?;
        let rights = self.rights_of(sources.assets, user).filter(|_| is_local(sources.assets, user));
        let Some((rights, credential)) = rights.zip(credential) else { return Ok(Checked::Wrong) };
        let must_change_password = self.must_change(&credential, sources.now);
        let who = Who { must_change_password, ..Self::known_otherwise(user, address, rights) };
        self.second_step(sources, who, Some(code)).await
    }
}

/// The second factor of a user, if it counts.
async fn counting(store: &AssetStore, user: &str) -> Result<Option<SecondFactor>, StoreError> {
    Ok(store.second_factor(user).await?.filter(|factor| factor.confirmed_at.is_some()))
}

/// Whether a code is right; it is used up then.
async fn is_right(sources: Sources<'_>, factor: &SecondFactor, code: &str) -> Result<bool, StoreError> {
    if code.len() > LONGEST_CODE {
        return Ok(false);
    }
    // As people type it, and as it was told them.
    let code: String = code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    if !code.bytes().all(|byte| byte.is_ascii_digit()) {
        let hash = hash_of_recovery_code(&factor.user, &code.to_ascii_uppercase());
        return sources.store.use_recovery_code(&factor.user, &hash).await;
    }
    let opened = open(&sources.assets.vault, sources.store, factor).await?;
    let secret = match opened {
        Ok(secret) => secret,
        Err(error) => {
            tracing::error!(%error, user = factor.user, "the second factor of a user cannot be read");
            return Ok(false);
        }
    };
    match step_of(&secret, &code, sources.now) {
        Some(step) => sources.store.use_code(&factor.user, step).await,
        None => Ok(false),
    }
}

fn totp(secret: &str) -> Option<Totp> {
    let secret = Secret::try_from_base32(secret).ok()?;
    Builder::new().with_secret(secret).build().ok()
}

/// The step of a code that is right now, or one step earlier or later.
fn step_of(secret: &str, code: &str, now: u64) -> Option<u64> {
    totp(secret)?.check(code, now / 1_000_000)
}

fn bound_to(user: &str) -> [&str; 3] {
    ["second factor", user, ""]
}

async fn open(
    vault: &Arc<Vault>,
    store: &AssetStore,
    factor: &SecondFactor,
) -> Result<Result<String, VaultError>, StoreError> {
    if !vault.knows(&factor.secret) {
        // Another node has made the data key.
        vault.load(store).await?;
    }
    Ok(vault.open(bound_to(&factor.user), &factor.secret))
}

/// Bound to the user, so that one of somebody else has another hash.
fn hash_of_recovery_code(user: &str, code: &str) -> String {
    hash_of_secret(&format!("recovery code\n{user}\n{code}"))
}

/// A recovery code, as people write it down.
fn random_recovery_code() -> Option<String> {
    let mut bytes = [0_u8; RECOVERY_LEN];
    getrandom::fill(&mut bytes).ok()?;
    let text = Secret::from(bytes).to_base32();
    // One that looks like a one-time code would be taken for one.
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-"))
}

/// Why a second factor is not set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecondFactorError {
    #[error("there is a second factor already; turn it off first")]
    On,
    #[error("nothing was begun that could be confirmed; begin with POST /api/v1/secondFactor")]
    NotBegun,
    #[error("the code is wrong; look whether the clock of the device with the app is right")]
    Wrong,
    #[error("the secret cannot be kept: {0}")]
    Vault(VaultError),
    #[error("{0}")]
    Change(#[from] ChangeError),
}

impl From<StoreError> for SecondFactorError {
    fn from(error: StoreError) -> Self {
        Self::Change(ChangeError::Store(error))
    }
}

impl Manager {
    /// A secret for the app of a user, in Base32. It counts when a code has confirmed it.
    pub(crate) async fn begin_second_factor(&self, who: &Who) -> Result<String, SecondFactorError> {
        let vault = Arc::clone(&self.assets().vault);
        vault.prepare(&self.store, self.now()).await?.map_err(SecondFactorError::Vault)?;
        let mut bytes = [0_u8; SECRET_LEN];
        getrandom::fill(&mut bytes).map_err(|_| ChangeError::Busy)?;
        let secret = Secret::from(bytes).to_base32();
        let sealed = vault.seal(bound_to(&who.user), &secret).map_err(SecondFactorError::Vault)?;
        if !self.store.begin_second_factor(&who.user, &sealed).await? {
            return Err(SecondFactorError::On);
        }
        Ok(secret)
    }

    /// Has it count; the recovery codes.
    pub(crate) async fn confirm_second_factor(
        &self,
        who: &Who,
        code: &str,
    ) -> Result<Vec<String>, SecondFactorError> {
        let factor = self.store.second_factor(&who.user).await?.ok_or(SecondFactorError::NotBegun)?;
        if factor.confirmed_at.is_some() {
            return Err(SecondFactorError::On);
        }
        let secret = open(&self.assets().vault, &self.store, &factor).await?;
        let secret = secret.map_err(SecondFactorError::Vault)?;
        let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let step = step_of(&secret, &code, self.now()).ok_or(SecondFactorError::Wrong)?;
        let made: Option<Vec<_>> = (0..RECOVERY_CODES).map(|_| random_recovery_code()).collect();
        let made = made.ok_or(ChangeError::Busy)?;
        let hash = |code: &String| hash_of_recovery_code(&who.user, &code.replace('-', ""));
        let set_up = SetUp {
            user: &who.user,
            secret: &factor.secret,
            step,
            at: self.now(),
            recovery_codes: &made.iter().map(hash).collect::<Vec<_>>(),
            session: who.session.as_deref(),
        };
        if !self.store.confirm_second_factor(&set_up).await? {
            return Err(SecondFactorError::NotBegun);
        }
        self.second_factor_event(who, "second factor", &who.user, "a second factor was set up").await;
        Ok(made)
    }

    pub(crate) async fn second_factor_event(&self, who: &Who, action: &str, user: &str, message: &str) {
        self.record(who, "Access management", "user", action, user, message).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, Appendix B, with six digits.
    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    #[test]
    fn a_code_is_right_for_its_step_and_one_either_way() {
        for (code, seconds, step) in [
            ("287082", 59, Some(1)),
            ("287082", 29, Some(1)),
            ("287082", 60, Some(1)),
            ("287082", 89, Some(1)),
            ("287082", 90, None),
            ("081804", 1_111_111_109, Some(37_037_036)),
            ("050471", 1_111_111_111, Some(37_037_037)),
            ("279037", 2_000_000_000, Some(66_666_666)),
            ("287083", 59, None),
            ("87082", 59, None),
            ("+87082", 59, None),
            ("", 59, None),
        ] {
            assert_eq!(step_of(SECRET, code, seconds * 1_000_000), step, "{code} at {seconds}");
        }
    }

    #[test]
    fn a_recovery_code_is_long_and_of_its_user() {
        let code = random_recovery_code().expect("there is randomness");
        assert_eq!(code.len(), 19, "{code}");
        assert_ne!(random_recovery_code(), Some(code.clone()));
        assert_ne!(hash_of_recovery_code("ann", &code), hash_of_recovery_code("bob", &code));
    }
}
