//! A token for a client, for the user whose client it is. Who they are was proved elsewhere, so that no secret is shown
//! here: the developer portal lets consumers try APIs with it.

use std::time::Duration;

use model::oauth_client::GrantType;

use crate::{
    AuthorizationServer,
    error::OauthError,
    issue::{Grant, scopes},
    micros, secret,
};

/// A token that was issued for its owner.
pub struct OwnToken {
    pub text: String,
    /// In seconds.
    pub expires_in: u64,
    pub scope: String,
}

/// Why there is no token.
#[derive(Debug, PartialEq, Eq)]
pub enum NotIssued {
    /// The client may not have it; what has to be otherwise.
    Refused(String),
    /// By no fault of the client.
    Away,
}

impl From<OauthError> for NotIssued {
    fn from(error: OauthError) -> Self {
        match error.code {
            "server_error" => Self::Away,
            _ => Self::Refused(error.description),
        }
    }
}

impl AuthorizationServer {
    /// A token as the client gets one by its own credentials, which counts for so long at most.
    pub async fn own_token(
        &self,
        client: &str,
        scope: Option<&str>,
        lasts: Duration,
    ) -> Result<OwnToken, NotIssued> {
        let refused = |problem: &str| Err(NotIssued::Refused(problem.to_owned()));
        let Some(client) = self.client(client) else {
            return refused(
                "the client is not known to the authorization server: its application is suspended",
            );
        };
        if !self.settings().grants.contains(&GrantType::ClientCredentials) {
            return refused("client credentials are closed to all clients; take a token of the client's own");
        }
        if !client.may(GrantType::ClientCredentials) {
            return refused("the client gets no tokens for itself; make one with client credentials");
        }
        if client.doc.require_dpop || client.doc.certificate_bound_tokens {
            return refused("tokens of the client are bound to a key or a certificate, which only it has");
        }
        let scope = scopes(&client, scope)?;
        let not_after = self.house.now().saturating_add(micros(lasts));
        let grant = Grant {
            client: &client,
            user: None,
            scope: &scope,
            family: secret::id().map_err(OauthError::from)?,
            may_refresh: false,
            bound_to: None,
            not_after: Some(not_after),
        };
        let issued = self.issue(grant).await?;
        Ok(OwnToken {
            expires_in: issued.expires_in.unwrap_or(lasts.as_secs()),
            text: issued.access_token,
            scope: issued.scope,
        })
    }
}
