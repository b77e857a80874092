//! Passwords of users are set: by who manages users, and by users themselves.

use model::Diagnostic;
use store::assets::Credential;

use crate::{
    ChangeError, Manager, Privilege, Who,
    access::{Checked, Credentials, password},
    kind,
};

impl Manager {
    /// Sets a user's password. Whoever may not manage users may set their own, and says the one that it is now.
    pub async fn set_password(
        &self,
        who: &Who,
        user: &str,
        password: &str,
        current: Option<&str>,
        temporary: bool,
    ) -> Result<(), ChangeError> {
        if user != who.user && !who.may(Privilege::ManageUsers) {
            return Err(ChangeError::Forbidden(Privilege::ManageUsers.name()));
        }
        if kind("user").is_none_or(|kind| !self.assets().has_name(kind, user)) {
            return Err(ChangeError::NotFound { kind: "user", name: user.to_owned() });
        }
        // Whoever finds a screen that was left open does not get the account.
        if user == who.user && who.session.is_some() {
            let current = Credentials::Password {
                user: user.to_owned(),
                password: current.unwrap_or_default().to_owned(),
                code: None,
            };
            // Whoever has a second factor has shown it when the session began.
            if !matches!(self.check(&current, who.address).await?, Checked::Known(_) | Checked::CodeNeeded) {
                return Err(ChangeError::WrongPassword);
            }
            if current_is(&current, password) {
                let problem =
                    Diagnostic::error("password", "expected another password than the one that it is now");
                return Err(ChangeError::Invalid(problem.into()));
            }
        }
        password::check(password, user, &self.access.settings().passwords).map_err(ChangeError::Invalid)?;
        let password = password.to_owned();
        let hashed = tokio::task::spawn_blocking(move || password::hash(&password)).await.ok().flatten();
        let Some(password_hash) = hashed else { return Err(ChangeError::Busy) };
        let credential = Credential { password_hash, changed_at: self.now(), temporary };
        let session = who.session.as_deref().filter(|_| user == who.user);
        self.store.set_credential(user, &credential, session).await.map_err(ChangeError::Store)?;
        let message = format!("the password of {user} was changed");
        self.record(who, "Access management", "user", "password", user, &message).await;
        Ok(())
    }
}

/// Whether a new password is the one that it is now.
fn current_is(current: &Credentials, new: &str) -> bool {
    matches!(current, Credentials::Password { password, .. } if password == new)
}
