//! Who is there: users prove who they are with a name and a password, or with the session that this began; programs with
//! a token of theirs.

pub(crate) mod directory;
mod failures;
pub(crate) mod password;
pub(crate) mod provider;
pub(crate) mod reset;
pub(crate) mod second_factor;
pub(crate) mod session;

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, PoisonError},
};

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use model::settings::ManagerSettings;
use sha2::{Digest, Sha256};
use store::{
    StoreError,
    assets::{AssetStore, Credential},
};
use tokio::sync::Semaphore;

use crate::{Assets, Held, Privilege, kind, rights::Rights};
use directory::{Asked, Away, Directory, Remembered};
use failures::Failures;
use provider::{LoginProvider, SamlProvider};

/// Somebody who has proved who they are.
#[derive(Debug, Clone)]
pub struct Who {
    pub user: String,
    pub address: IpAddr,
    rights: Rights,
    /// The session, by its hash.
    pub(crate) session: Option<String>,
    /// Their password was made by somebody else, or is too old: it has to be changed before anything else.
    pub(crate) must_change_password: bool,
    /// They have to set up a second factor before anything else, but for changing that password.
    pub(crate) must_set_up_second_factor: bool,
}

impl Who {
    pub fn may(&self, privilege: Privilege) -> bool {
        self.rights.privileges.contains(&privilege)
    }

    pub fn privileges(&self) -> &[Privilege] {
        &self.rights.privileges
    }

    /// Somebody who has proved nothing and may do nothing yet, such as who is being signed up.
    pub(crate) fn nobody_yet(user: String, address: IpAddr) -> Self {
        let rights = Rights { portal_only: true, ..Rights::default() };
        Self {
            user,
            address,
            rights,
            session: None,
            must_change_password: false,
            must_set_up_second_factor: false,
        }
    }

    /// Whether only the developer portal is there for them.
    pub(crate) fn is_portal_only(&self) -> bool {
        self.rights.portal_only
    }

    pub(crate) fn groups(&self) -> &[String] {
        &self.rights.groups
    }

    pub(crate) fn teams(&self) -> &[String] {
        &self.rights.teams
    }

    /// Names of the teams that they approve for.
    pub(crate) fn approves_for(&self) -> &[String] {
        &self.rights.approves_for
    }

    /// Whether teams do not matter for what is there for them.
    pub(crate) fn sees_everything(&self) -> bool {
        self.rights.sees_everything
    }

    /// Whether this asset is there for them.
    pub(crate) fn sees(&self, assets: &Assets, held: &Held) -> bool {
        self.rights.sees(assets, held)
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

/// Checks credentials.
pub(crate) struct Access {
    settings: ManagerSettings,
    checks: Semaphore,
    /// Codes are looked at one after the other, so that no two slip by the lock together.
    codes: Semaphore,
    /// By the hash of name, password and stored hash: a changed password is asked for at once.
    remembered: Mutex<HashMap<[u8; 32], u64>>,
    failures: Failures,
    /// Who else may log in.
    directory: Option<Arc<dyn Directory>>,
    in_directory: Remembered,
    /// Who else lets people in.
    providers: Vec<Box<dyn LoginProvider>>,
    /// And who else does, by SAML.
    saml: Vec<Box<dyn SamlProvider>>,
}

/// What a request says about who sends it.
pub(crate) enum Credentials {
    Password {
        user: String,
        password: String,
        /// Of their second factor.
        code: Option<String>,
    },
    Token(String),
    Session(String),
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

/// What `Authorization` carries, when it is something that is understood here.
pub(crate) fn credentials(value: &str) -> Option<Credentials> {
    if let Some((user, password)) = basic(value) {
        return Some(Credentials::Password { user, password, code: None });
    }
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| Credentials::Token(token.to_owned()))
}

/// What came of looking at credentials.
pub(crate) enum Checked {
    Known(Who),
    Wrong,
    /// The password was right; a code of the second factor has to come with it.
    CodeNeeded,
    /// The password was right, and the code was not, or was used before.
    CodeWrong,
    /// Too many were wrong.
    Wait,
    /// The directory that would know cannot be asked.
    Away,
}

/// What is asked to find out who somebody is.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    pub store: &'a AssetStore,
    pub assets: &'a Assets,
    /// Microseconds since 1970.
    pub now: u64,
}

impl Access {
    pub(crate) fn new(
        settings: ManagerSettings,
        directory: Option<Arc<dyn Directory>>,
        providers: Vec<Box<dyn LoginProvider>>,
        saml: Vec<Box<dyn SamlProvider>>,
    ) -> Self {
        Self {
            settings,
            checks: Semaphore::new(CHECKS),
            codes: Semaphore::new(1),
            remembered: Mutex::default(),
            failures: Failures::default(),
            directory,
            in_directory: Remembered::default(),
            providers,
            saml,
        }
    }

    pub(crate) fn settings(&self) -> &ManagerSettings {
        &self.settings
    }

    /// Who this is. A user who is not there takes as long to refuse as a wrong password.
    pub(crate) async fn check(
        &self,
        sources: Sources<'_>,
        credentials: &Credentials,
        address: IpAddr,
    ) -> Result<Checked, StoreError> {
        let name: String = match credentials {
            Credentials::Password { user, .. } => user.chars().take(LONGEST_NAME).collect(),
            Credentials::Token(_) | Credentials::Session(_) => String::new(),
        };
        // Nobody guesses a session, and behind one address may be many people who have one.
        let is_session = matches!(credentials, Credentials::Session(_));
        if !is_session && self.failures.has_too_many(address, &name, sources.now) {
            return Ok(Checked::Wait);
        }
        let who = match credentials {
            Credentials::Password { user, password, code } => {
                if self.is_locked(sources, &name).await? {
                    return Ok(Checked::Wait);
                }
                let elsewhere = self.directory.is_some() && !is_local(sources.assets, user);
                let who = if elsewhere {
                    match self.check_in_directory(sources, user, password).await {
                        Ok(found) => {
                            found.map(|(user, rights)| Self::known_otherwise(&user, address, rights))
                        }
                        Err(Away) => return Ok(Checked::Away),
                    }
                } else {
                    self.check_password(sources, user, password, address).await?
                };
                match who {
                    Some(who) if !elsewhere => {
                        return self.second_step(sources, who, code.as_deref()).await;
                    }
                    Some(who) => Some(who),
                    None => {
                        self.count_for_lock(sources, &name).await?;
                        None
                    }
                }
            }
            Credentials::Token(_) | Credentials::Session(_) => {
                let checked = match credentials {
                    Credentials::Token(token) => self.check_token(sources, token, address).await?,
                    Credentials::Session(secret) => self.check_session(sources, secret, address).await?,
                    Credentials::Password { .. } => Checked::Wrong,
                };
                match checked {
                    Checked::Known(who) => Some(who),
                    Checked::Wrong => None,
                    other => return Ok(other),
                }
            }
        };
        Ok(match who {
            Some(who) => Checked::Known(who),
            None => {
                if !is_session {
                    self.failures.count(address, &name, sources.now);
                }
                Checked::Wrong
            }
        })
    }

    /// Whether a password is that of a user here, for APIs that take one from requests. A second factor is not asked for;
    /// wrong ones count for the lock of the account, and one that has to be changed is not right.
    pub(crate) async fn is_password(
        &self,
        sources: Sources<'_>,
        user: &str,
        password: &str,
    ) -> Result<bool, StoreError> {
        if self.is_locked(sources, user).await? {
            return Ok(false);
        }
        let from = IpAddr::V4(Ipv4Addr::LOCALHOST);
        match self.check_password(sources, user, password, from).await? {
            Some(who) => Ok(!who.must_change_password),
            None => {
                self.count_for_lock(sources, user).await?;
                Ok(false)
            }
        }
    }

    async fn count_for_lock(&self, sources: Sources<'_>, name: &str) -> Result<(), StoreError> {
        if self.settings.account_lock.attempts > 0 {
            let since = self.counted_since(sources.now);
            sources.store.count_login_failure(name, sources.now, since).await?;
        }
        Ok(())
    }

    /// Failures before this are forgotten.
    pub(crate) fn counted_since(&self, now: u64) -> u64 {
        now.saturating_sub(micros(self.settings.account_lock.within))
    }

    /// Whether too many passwords were wrong, whether there is such a user or not.
    async fn is_locked(&self, sources: Sources<'_>, name: &str) -> Result<bool, StoreError> {
        let most = u64::from(self.settings.account_lock.attempts);
        if most == 0 {
            return Ok(false);
        }
        let found = sources.store.login_failures(name, self.counted_since(sources.now)).await?;
        Ok(found.is_some_and(|found| found.failures >= most))
    }

    async fn check_password(
        &self,
        sources: Sources<'_>,
        user: &str,
        password: &str,
        address: IpAddr,
    ) -> Result<Option<Who>, StoreError> {
        let rights = self.rights_of(sources.assets, user);
        let credential = sources.store.credential(user).await?.filter(|_| rights.is_some());
        let hash = credential.as_ref().map(|credential| credential.password_hash.clone());
        if !self.matches(hash, user, password, sources.now).await {
            return Ok(None);
        }
        let must_change_password = credential.is_some_and(|found| self.must_change(&found, sources.now));
        Ok(rights.map(|rights| Who { must_change_password, ..Self::known_otherwise(user, address, rights) }))
    }

    /// The rights of somebody who has proved who they are some other way than with a password.
    async fn rights_now(&self, sources: Sources<'_>, user: &str) -> Asked {
        if is_local(sources.assets, user) {
            return self.rights_of(sources.assets, user).map_or(Asked::Nobody, Asked::Known);
        }
        self.find_in_directory(sources, user).await
    }

    /// `None` when there is no such user, or nobody may be that user now.
    fn rights_of(&self, assets: &Assets, user: &str) -> Option<Rights> {
        Rights::of(assets, user, self.settings.enable_team_work)
    }

    async fn check_token(
        &self,
        sources: Sources<'_>,
        token: &str,
        address: IpAddr,
    ) -> Result<Checked, StoreError> {
        let Some(token) = sources.store.token(&hash_of_secret(token)).await? else {
            return Ok(Checked::Wrong);
        };
        if token.expires_at.is_some_and(|expires| expires <= sources.now) {
            return Ok(Checked::Wrong);
        }
        // What the user may not do any more, the token may not either.
        let mut rights = match self.rights_now(sources, &token.user).await {
            Asked::Known(rights) => rights,
            Asked::Nobody => return Ok(Checked::Wrong),
            Asked::Away => return Ok(Checked::Away),
        };
        if let Some(names) = &token.privileges {
            rights.privileges.retain(|privilege| names.iter().any(|name| name == privilege.name()));
            // Approving is no privilege that a token could name.
            rights.approves_for.clear();
        }
        Ok(Checked::Known(Self::known_otherwise(&token.user, address, rights)))
    }

    fn must_change(&self, credential: &Credential, now: u64) -> bool {
        let too_old = |lasts| now.saturating_sub(credential.changed_at) >= micros(lasts);
        credential.temporary || self.settings.passwords.expire_after.is_some_and(too_old)
    }

    async fn matches(&self, stored: Option<String>, user: &str, password: &str, now: u64) -> bool {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| password::NOBODY.to_owned());
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
        let checked = tokio::task::spawn_blocking(move || password::matches(&password, &stored));
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

/// Whether this is a user here, and nobody of the directory.
fn is_local(assets: &Assets, user: &str) -> bool {
    kind("user").is_some_and(|kind| assets.has_name(kind, user))
}

/// Tokens and what browsers keep are random and long: a fast hash is the right one.
pub(crate) fn hash_of_secret(secret: &str) -> String {
    format!("{:x}", Sha256::digest(secret))
}

/// So that a token is recognised where it should not be.
const TOKEN_PREFIX: &str = "gwt_";

/// A new token: 192 random bits.
pub(crate) fn random_token() -> Option<String> {
    random_text().map(|text| format!("{TOKEN_PREFIX}{text}"))
}

pub(crate) fn random_text() -> Option<String> {
    let mut bytes = [0_u8; 24];
    getrandom::fill(&mut bytes).ok()?;
    Some(Base64UrlUnpadded::encode_string(&bytes))
}

fn micros(duration: model::Duration) -> u64 {
    u64::try_from(duration.get().as_micros()).unwrap_or(u64::MAX)
}
