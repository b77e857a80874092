//! What users have allowed clients, as they see it themselves, and taking it back.

use store::assets::TokenOwner;

use crate::{AuthorizationServer, Person, ServerError};

/// What a user allows a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    pub client: String,
    /// What users are told that it is called; its id when it is gone.
    pub name: String,
    pub scopes: Vec<Scope>,
    /// Microseconds since 1970.
    pub granted_at: u64,
}

/// A scope, and what it means where that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    pub name: String,
    pub meaning: Option<String>,
}

impl AuthorizationServer {
    /// What a user, by the id, allows clients whose ids come after one.
    pub async fn allowed(&self, user: &str, after: &str, most: u32) -> Result<Vec<Allowed>, ServerError> {
        let clients = self.clients();
        let found = self.store.consents(user, after, most).await?;
        let allowed = found.into_iter().map(|consent| {
            let name = clients.get(&consent.client).map(|client| client.shown_name().to_owned());
            let scope = |name: &str| Scope {
                name: name.to_owned(),
                meaning: clients.meaning(name).map(str::to_owned),
            };
            Allowed {
                name: name.unwrap_or_else(|| consent.client.clone()),
                scopes: consent.scope.split_ascii_whitespace().map(scope).collect(),
                client: consent.client,
                granted_at: consent.granted_at,
            }
        });
        Ok(allowed.collect())
    }

    /// A user takes back what a client was allowed: its tokens end. `false` where there was nothing.
    pub async fn withdraw(&self, person: &Person, client: &str) -> Result<bool, ServerError> {
        let was_there = self.store.delete_consent(&person.id, &person.name, client).await?;
        let revoked = self.revoke(TokenOwner::ClientOfUser { client, user: &person.name }).await?;
        Ok(was_there || revoked > 0)
    }
}
