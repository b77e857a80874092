//! Users of the manager authenticate at APIs with the passwords that they log in with.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use engine::{
    state::StateRegistry,
    user_directory::{Away, Directory, DirectoryUser, Said, UserDirectory},
};
use manager::Manager;
use model::Diagnostic;
use tokio::{runtime::Handle, time::timeout};

/// How long a password that was right counts without a question. One that was changed goes on counting for so long.
const REMEMBER: Duration = Duration::from_secs(60);
/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

struct Accounts(Weak<Manager>);

impl Directory for Accounts {
    fn check<'a>(&'a self, user: &'a str, password: &'a str) -> Said<'a> {
        Box::pin(async move {
            let manager = self.0.upgrade().ok_or(Away)?;
            match timeout(PATIENCE, manager.is_password(user, password)).await {
                Ok(Ok(right)) => Ok(right.then(|| DirectoryUser { name: user.into(), groups: Vec::new() })),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the password of a user could not be looked up");
                    Err(Away)
                }
                Err(_) => Err(Away),
            }
        })
    }

    fn remember(&self) -> Duration {
        REMEMBER
    }
}

/// Lets requests ask the manager.
pub(crate) fn begin(manager: &Arc<Manager>, registry: &StateRegistry) -> Result<(), Diagnostic> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| Diagnostic::error("settings.manager", error.to_string()))?;
    let accounts = Arc::new(Accounts(Arc::downgrade(manager)));
    UserDirectory::of_accounts(registry).begin(accounts, Handle::current(), key);
    Ok(())
}
