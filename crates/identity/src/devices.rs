//! Devices without a browser (RFC 8628): the device shows a short code, which a user types somewhere else, and asks again
//! and again whether somebody has.

use serde::{Deserialize, Serialize};
use store::assets::Passing;

use crate::{
    AuthorizationServer, ServerError,
    binding::Binding,
    clients::Client,
    error::OauthError,
    form::Form,
    issue::{Grant, Issued, LoggedIn, scopes},
    login::Login,
    micros, secret,
};

const DEVICE: &str = "device";
const USER_CODE: &str = "user_code";
/// So that codes are recognised where they should not be.
const PREFIX: &str = "gwd_";
/// Letters that are not mistaken for one another, and make no words.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// How often a device may ask, in seconds.
pub const INTERVAL: u64 = 5;
/// Wrong codes of one user within `GUESSES_IN`; then none counts for a while.
const GUESSES: u64 = 10;
const GUESSES_IN: u64 = 600;

/// What is kept of a device.
#[derive(Clone, Serialize, Deserialize)]
struct Device {
    scope: Vec<String>,
    answer: Answer,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Answer {
    None,
    Denied,
    /// By a user, by the id, who logged in at this time.
    Allowed(String, u64),
}

/// A device that waits for somebody's answer.
pub struct Waiting {
    kept: Passing,
    device: Device,
}

impl Waiting {
    pub fn client(&self) -> &str {
        self.kept.client.as_deref().unwrap_or_default()
    }

    pub fn scope(&self) -> &[String] {
        &self.device.scope
    }
}

/// What a device gets.
#[derive(Serialize)]
pub struct Codes {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: String,
    expires_in: u64,
    interval: u64,
}

impl AuthorizationServer {
    pub(crate) async fn device(&self, client: &Client, form: &Form, page: &str) -> Result<Codes, OauthError> {
        let scope = scopes(client, form.get("scope"))?;
        let lifetime = self.settings().device_code_lifetime.get();
        let device_code = format!("{PREFIX}{}", secret::random()?);
        let kept = |hash: String, kind: &str, document: String| Passing {
            hash,
            kind: kind.to_owned(),
            user: None,
            client: Some(client.doc.id.clone()),
            expires_at: self.house.now().saturating_add(micros(lifetime)),
            used_at: None,
            document,
        };
        let hash = secret::hash(&device_code);
        let device = serde_json::to_string(&Device { scope, answer: Answer::None }).unwrap_or_default();
        self.store.put_passing(&kept(hash.clone(), DEVICE, device)).await?;
        // Another device may have the same short code at this moment, though hardly ever.
        let user_code = loop {
            let code = user_code()?;
            if self.store.put_passing(&kept(user_code_hash(&code), USER_CODE, hash.clone())).await? {
                break code;
            }
        };
        Ok(Codes {
            device_code,
            verification_uri: page.to_owned(),
            verification_uri_complete: format!("{page}?user_code={user_code}"),
            user_code,
            expires_in: lifetime.as_secs(),
            interval: INTERVAL,
        })
    }

    /// The device that shows a code and still waits, for a user who does not guess.
    pub(crate) async fn waiting(&self, code: &str, login: &Login) -> Result<Option<Waiting>, ServerError> {
        let now = self.house.now();
        let found = self.store.passing(USER_CODE, &user_code_hash(code), now).await?;
        let found = match found {
            Some(found) => self.store.passing(DEVICE, &found.document, now).await?,
            None => None,
        };
        let waiting = found.and_then(|kept| {
            let device: Device = serde_json::from_str(&kept.document).ok()?;
            (kept.used_at.is_none() && device.answer == Answer::None).then_some(Waiting { kept, device })
        });
        let guesses = |count: bool| match count {
            true => self.guesses.count(&login.person.id, now / 1_000_000, GUESSES_IN).1,
            false => self.guesses.peek(&login.person.id, now / 1_000_000, GUESSES_IN),
        };
        let is_guessing = guesses(waiting.is_none()) >= GUESSES;
        Ok(waiting.filter(|_| !is_guessing))
    }

    /// Writes down what the user has answered; `false` where somebody else was faster.
    pub(crate) async fn answer_device(
        &self,
        waiting: &Waiting,
        login: &Login,
        allows: bool,
    ) -> Result<bool, ServerError> {
        let answer = match allows {
            true => Answer::Allowed(login.person.id.clone(), login.at),
            false => Answer::Denied,
        };
        let device = Device { answer, ..waiting.device.clone() };
        let new = Passing {
            user: Some(login.person.name.clone()),
            document: serde_json::to_string(&device).unwrap_or_default(),
            ..waiting.kept.clone()
        };
        Ok(self.store.replace_passing(&waiting.kept, &new).await?)
    }

    /// Tokens for a device, when a user has allowed it.
    pub(crate) async fn poll(
        &self,
        client: &Client,
        form: &Form,
        binding: Option<&Binding>,
    ) -> Result<Issued, OauthError> {
        let unknown = || OauthError::invalid_grant("the device code is not known, or was used");
        let hash = secret::hash(form.needs("device_code")?);
        let now = self.house.now();
        // Also those that are over, as long as they are there.
        let kept = self.store.passing(DEVICE, &hash, 0).await?.ok_or_else(unknown)?;
        if kept.client.as_deref() != Some(&client.doc.id) || kept.used_at.is_some() {
            return Err(unknown());
        }
        if kept.expires_at <= now {
            return Err(OauthError::new("expired_token", "nobody has allowed it in time; begin again"));
        }
        let (_, before) = self.polls.count(&hash, now / 1_000_000, INTERVAL);
        if before > 0 {
            return Err(OauthError::new("slow_down", "ask every 5 seconds"));
        }
        let device: Device = serde_json::from_str(&kept.document).map_err(|_| unknown())?;
        let (subject, at) = match device.answer {
            Answer::None => return Err(OauthError::new("authorization_pending", "ask again in 5 seconds")),
            Answer::Denied => return Err(OauthError::new("access_denied", "the user said no")),
            Answer::Allowed(subject, at) => (subject, at),
        };
        let person = kept.user.as_deref().and_then(|user| self.house.person(user));
        let person = person.filter(|person| person.id == subject).ok_or_else(unknown)?;
        if !self.store.use_passing(DEVICE, &hash, now).await? {
            return Err(unknown());
        }
        let grant = Grant {
            client,
            user: Some(LoggedIn { person: &person, at: Some(at), nonce: None }),
            scope: &device.scope,
            family: secret::id()?,
            may_refresh: true,
            bound_to: binding,
            not_after: None,
        };
        self.issue(grant).await
    }
}

/// Eight letters, in two halves.
fn user_code() -> Result<String, ServerError> {
    let mut code = String::with_capacity(9);
    while code.len() < 9 {
        let mut bytes = [0_u8; 16];
        getrandom::fill(&mut bytes).map_err(|_| ServerError::Randomness)?;
        // 240 is a multiple of 20, so that no letter comes more often than others.
        for byte in bytes.into_iter().filter(|byte| *byte < 240) {
            if code.len() == 4 {
                code.push('-');
            }
            if code.len() < 9 {
                code.push(char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
            }
        }
    }
    Ok(code)
}

/// However somebody types it.
fn user_code_hash(code: &str) -> String {
    let letters: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    secret::hash(&format!("user code\n{}", letters.to_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_can_be_read_aloud_and_typed_in_any_way() {
        let code = user_code().expect("there is randomness");
        assert_eq!((code.len(), code.find('-')), (9, Some(4)), "{code}");
        assert!(code.bytes().all(|b| b == b'-' || LETTERS.contains(&b)), "{code}");
        let typed = code.to_ascii_lowercase().replace('-', " ");
        assert_eq!(user_code_hash(&typed), user_code_hash(&code));
        assert_ne!(user_code_hash("BCDF-GHJK"), user_code_hash("BCDF-GHJL"));
    }
}
