//! New passwords for users who have forgotten theirs: a link in an e-mail, which is good once. Nobody learns from asking for
//! one who is a user here, nor who has an address.

use std::{fmt::Write, net::IpAddr, pin::Pin, sync::Arc};

use model::{UserDoc, settings::ManagerSettings};
use serde::{Deserialize, Serialize};
use store::assets::Credential;

use super::{Who, hash_of_secret, is_local, micros, password, random_text};
use crate::{ChangeError, Manager, kind};

/// What becomes of an e-mail; an error says why it was not sent.
pub type Mailing<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// Whoever sends e-mails.
pub trait Mailer: Send + Sync + 'static {
    /// Sends a text to an address.
    fn send<'a>(&'a self, to: &'a str, subject: &'a str, text: String) -> Mailing<'a>;
}

/// Users with the same address who are written to at once.
const MOST_OF_ADDRESS: usize = 5;

/// What is known of a link.
#[derive(Serialize, Deserialize)]
struct Link {
    user: String,
    /// When the password was set that it replaces. Another one since then, and the link is good for nothing.
    password_of: Option<u64>,
    expires_at: u64,
}

impl Manager {
    /// Writes to whoever is meant by a name or an address, if there is such a user. Whatever comes of it, whoever asked is
    /// told the same.
    pub(crate) async fn send_password_links(&self, asked_for: &str, from: IpAddr) {
        let assets = self.assets();
        let users = kind("user").into_iter().flat_map(|kind| assets.list(kind));
        let users = users.filter_map(|held| held.parsed.typed.downcast_ref::<UserDoc>());
        let meant = users.filter(|user| {
            let email = user.email.as_deref();
            user.name == asked_for || email.is_some_and(|email| email.eq_ignore_ascii_case(asked_for))
        });
        for user in meant.take(MOST_OF_ADDRESS) {
            let Some(email) = user.email.as_deref().filter(|_| !user.locked) else { continue };
            if !self.pace.may_write_to(&user.name, self.now()) {
                continue;
            }
            if let Err(error) = self.send_password_link(user, email, from).await {
                tracing::warn!(user = user.name, error, "the link for a new password could not be sent");
            }
        }
    }

    async fn send_password_link(&self, user: &UserDoc, email: &str, from: IpAddr) -> Result<(), String> {
        let (mailer, settings) = self
            .mailer
            .as_ref()
            .zip(self.access.settings().password_reset.as_ref())
            .ok_or("there is no server for e-mails")?;
        let told = |error: store::StoreError| error.to_string();
        let known = self.store.credential(&user.name).await.map_err(told)?;
        let secret = random_text().ok_or("there is no randomness")?;
        let now = self.now();
        let link = Link {
            user: user.name.clone(),
            password_of: known.map(|credential| credential.changed_at),
            expires_at: now.saturating_add(micros(settings.expire_after)),
        };
        let document = serde_json::to_string(&link).map_err(|error| error.to_string())?;
        self.store
            .begin_login(&hash_of_link(&secret), &document, now, link.expires_at)
            .await
            .map_err(told)?;
        let page = if user.portal_only { "portal" } else { "console" };
        let base = settings.public_url.trim_end_matches('/');
        // Behind `#`, it comes into no log on the way.
        let url = format!("{base}/{page}/#reset={secret}");
        let mut text = format!("Hello {},\n\n", printable(&user.name));
        let _ = write!(
            text,
            "Somebody, probably you, asked for a new password for your user at {base}.\n\
             Set it here, within {}:\n\n{url}\n\n\
             If it was not you, do nothing: your password stays as it is. The request came from {from}.\n",
            settings.expire_after
        );
        mailer.send(email, "Set a new password", text).await?;
        let who = Who::nobody_yet(user.name.clone(), from);
        let message = format!("a link for a new password was sent to {}", user.name);
        self.record(&who, "Access management", "user", "password link", &user.name, &message).await;
        Ok(())
    }

    /// Sets the password of whoever has a link; whose it was. The link is used up, unless the password is not good enough.
    pub(crate) async fn set_password_by_link(
        &self,
        secret: &str,
        new: String,
        from: IpAddr,
    ) -> Result<Option<String>, ChangeError> {
        let hash = hash_of_link(secret);
        let taken = self.store.take_login(&hash, self.now()).await.map_err(ChangeError::Store)?;
        let Some(document) = taken else { return Ok(None) };
        let Ok(link) = serde_json::from_str::<Link>(&document) else { return Ok(None) };
        if let Err(problems) = password::check(&new, &link.user, &self.access.settings().passwords) {
            let kept = self.store.begin_login(&hash, &document, self.now(), link.expires_at).await;
            kept.map_err(ChangeError::Store)?;
            return Err(ChangeError::Invalid(problems));
        }
        let assets = self.assets();
        let known = self.store.credential(&link.user).await.map_err(ChangeError::Store)?;
        let is_as_before = known.map(|credential| credential.changed_at) == link.password_of;
        // Whoever is locked, or has gone, gets nothing by an e-mail.
        if !is_as_before
            || !is_local(&assets, &link.user)
            || self.access.rights_of(&assets, &link.user).is_none()
        {
            return Ok(None);
        }
        let hashed = tokio::task::spawn_blocking(move || password::hash(&new)).await.ok().flatten();
        let password_hash = hashed.ok_or(ChangeError::Busy)?;
        let credential = Credential { password_hash, changed_at: self.now(), temporary: false };
        self.store.set_credential(&link.user, &credential, None).await.map_err(ChangeError::Store)?;
        let who = Who::nobody_yet(link.user.clone(), from);
        let message = format!("the password of {} was changed by a link in an e-mail", link.user);
        self.record(&who, "Access management", "user", "password", &link.user, &message).await;
        Ok(Some(link.user))
    }

    /// Tells a user that the password is another one now.
    pub(crate) async fn tell_of_new_password(&self, user: &str, from: IpAddr) {
        let assets = self.assets();
        let found = kind("user").and_then(|kind| assets.get(kind, user));
        let email = found.and_then(|held| held.parsed.typed.downcast_ref::<UserDoc>()?.email.clone());
        let (Some(mailer), Some(email)) = (self.mailer.as_ref().map(Arc::clone), email) else { return };
        let text = format!(
            "Hello {},\n\nThe password of your user was changed by a link in an e-mail, from {from}. Sessions that were open \
             have ended.\n\nIf it was not you, tell whoever runs this gateway.\n",
            printable(user)
        );
        if let Err(error) = mailer.send(&email, "Your password was changed", text).await {
            tracing::warn!(user, error, "a user could not be told of the new password");
        }
    }
}

/// Whether users can have new passwords by e-mail.
pub(crate) fn is_on(settings: &ManagerSettings) -> bool {
    settings.password_reset.is_some()
}

/// No login that went elsewhere has it.
fn hash_of_link(secret: &str) -> String {
    hash_of_secret(&format!("password link\n{secret}"))
}

/// What somebody is called makes no lines and no links of its own.
fn printable(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || " ._-@".contains(c);
    name.chars().map(|c| if plain(c) { c } else { '?' }).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_an_e_mail_is_only_a_name() {
        for (name, expect) in [
            ("ann.smith-1@shop", "ann.smith-1@shop"),
            ("Jürgen Müller", "Jürgen Müller"),
            ("a\r\nhttp://evil.example/", "a??http???evil.example?"),
        ] {
            assert_eq!(printable(name), expect);
        }
    }
}
