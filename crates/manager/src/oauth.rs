//! What the internal authorization server gets from the manager: users, the vault, the clock.

use std::{
    net::IpAddr,
    sync::{Arc, Weak},
};

use identity::{
    AuthorizationServer, House, Later, LogIn, NotRegistered, OnKeys, Person, Registering, ServerError,
};
use model::{UserDoc, oauth_client::AuthorizationServerSettings};
use store::StoreError;

use crate::{
    ChangeError, Manager,
    access::{Checked, Credentials},
    kind,
};

/// What the private part of a signing key belongs to.
const SIGNING_KEY: &str = "signing key";

impl Manager {
    /// Opens the internal authorization server; the admin API knows it from now on.
    pub async fn open_authorization_server(
        self: &Arc<Self>,
        settings: AuthorizationServerSettings,
        on_keys: OnKeys,
    ) -> Result<Arc<AuthorizationServer>, ServerError> {
        let house = Box::new(Home(Arc::downgrade(self)));
        let store = self.store.oauth();
        let server =
            AuthorizationServer::open(settings, store, house, on_keys, self.store.is_shared()).await?;
        let _ = self.oauth.set(Arc::clone(&server));
        Ok(server)
    }

    pub(crate) fn person(&self, user: &str) -> Option<Person> {
        let assets = self.assets();
        let held = assets.get(kind("user")?, user).filter(|held| held.parsed.name == user)?;
        let doc = held.parsed.typed.downcast_ref::<UserDoc>().filter(|user| !user.locked)?;
        Some(Person {
            name: doc.name.clone(),
            id: held.id.clone(),
            first_name: doc.first_name.clone(),
            last_name: doc.last_name.clone(),
            email: doc.email.clone(),
            groups: doc.groups.clone(),
        })
    }

    async fn log_in(&self, user: &str, password: &str, address: IpAddr) -> Result<LogIn, ChangeError> {
        let credentials =
            Credentials::Password { user: user.to_owned(), password: password.to_owned(), code: None };
        let checked = self.check(&credentials, address).await?;
        Ok(self.logged_in(checked, user, address).await)
    }

    /// The code of somebody whose password was right.
    async fn check_code(&self, user: &str, code: &str, address: IpAddr) -> Result<LogIn, StoreError> {
        let assets = self.assets();
        let checked = self.access.check_code(self.sources(&assets), user, code, address).await?;
        Ok(self.logged_in(checked, user, address).await)
    }

    async fn logged_in(&self, checked: Checked, user: &str, address: IpAddr) -> LogIn {
        match checked {
            Checked::Known(who) if who.must_change_password => LogIn::MustChangePassword,
            Checked::Known(who) if who.must_set_up_second_factor => LogIn::MustSetUpSecondFactor,
            Checked::Known(who) => match self.person(&who.user) {
                Some(person) => LogIn::Known(Box::new(person)),
                None => LogIn::Wrong,
            },
            Checked::Wrong => {
                self.record_failed_login(user, address).await;
                LogIn::Wrong
            }
            Checked::CodeNeeded => LogIn::CodeNeeded,
            Checked::CodeWrong => {
                self.record_wrong_code(user, address).await;
                LogIn::CodeWrong
            }
            Checked::Wait => LogIn::Wait,
            Checked::Away => LogIn::Away,
        }
    }
}

/// The manager, unless it is gone.
struct Home(Weak<Manager>);

impl House for Home {
    fn now(&self) -> u64 {
        self.0.upgrade().map_or(0, |manager| manager.now())
    }

    fn seal<'a>(&'a self, id: &'a str, clear: &'a str) -> Later<'a, Result<String, String>> {
        Box::pin(async move {
            let manager = self.0.upgrade().ok_or("the manager is gone")?;
            let vault = Arc::clone(&manager.assets().vault);
            let prepared = vault.prepare(&manager.store, manager.now()).await;
            prepared.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
            vault.seal([SIGNING_KEY, id, ""], clear).map_err(|error| error.to_string())
        })
    }

    fn open<'a>(&'a self, id: &'a str, sealed: &'a str) -> Later<'a, Result<String, String>> {
        Box::pin(async move {
            let manager = self.0.upgrade().ok_or("the manager is gone")?;
            let vault = Arc::clone(&manager.assets().vault);
            if !vault.knows(sealed) {
                // Another node has made the data key.
                vault.load(&manager.store).await.map_err(|error| error.to_string())?;
            }
            vault.open([SIGNING_KEY, id, ""], sealed).map_err(|error| error.to_string())
        })
    }

    fn person(&self, user: &str) -> Option<Person> {
        self.0.upgrade()?.person(user)
    }

    fn log_in<'a>(
        &'a self,
        user: &'a str,
        password: &'a str,
        address: IpAddr,
    ) -> Later<'a, Result<LogIn, StoreError>> {
        Box::pin(async move {
            let Some(manager) = self.0.upgrade() else { return Ok(LogIn::Away) };
            match manager.log_in(user, password, address).await {
                Ok(found) => Ok(found),
                Err(ChangeError::Store(error)) => Err(error),
                // Nothing else can go wrong where nothing is changed.
                Err(_) => Ok(LogIn::Away),
            }
        })
    }

    fn check_code<'a>(
        &'a self,
        user: &'a str,
        code: &'a str,
        address: IpAddr,
    ) -> Later<'a, Result<LogIn, StoreError>> {
        Box::pin(async move {
            let Some(manager) = self.0.upgrade() else { return Ok(LogIn::Away) };
            manager.check_code(user, code, address).await
        })
    }

    fn register(&self, registering: Registering) -> Later<'_, Result<(), NotRegistered>> {
        Box::pin(async move {
            let manager = self.0.upgrade().ok_or(NotRegistered::Busy)?;
            manager.register_client(registering).await
        })
    }
}
