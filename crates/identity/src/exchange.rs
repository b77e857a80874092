//! Tokens for tokens (RFC 8693): a service that got a user's token gets one of its own to call the next service with. It
//! may do no more and lasts no longer, and it ends with the one that it came from.

use crate::{
    AuthorizationServer,
    binding::Binding,
    clients::Client,
    error::OauthError,
    form::Form,
    issue::{Grant, Issued, LoggedIn, scopes},
    secret,
};

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

impl AuthorizationServer {
    pub(crate) async fn exchange(
        &self,
        client: &Client,
        form: &Form,
        binding: Option<&Binding>,
    ) -> Result<Issued, OauthError> {
        let shown = form.needs("subject_token")?;
        if !matches!(form.needs("subject_token_type")?, ACCESS_TOKEN | JWT) {
            return Err(OauthError::invalid_request("only access tokens of this server are exchanged"));
        }
        if form.get("actor_token").is_some() || form.get("actor_token_type").is_some() {
            return Err(OauthError::invalid_request(
                "`actor_token` is not supported: the client is the actor",
            ));
        }
        if form.get("requested_token_type").is_some_and(|kind| kind != ACCESS_TOKEN) {
            return Err(OauthError::invalid_request("only access tokens are given in exchange"));
        }
        let settings = self.settings();
        let audience = settings.audience.as_ref().unwrap_or(&settings.issuer);
        if ["audience", "resource"]
            .into_iter()
            .filter_map(|name| form.get(name))
            .any(|wanted| wanted != audience)
        {
            return Err(OauthError::new("invalid_target", "tokens of this server are for its own audience"));
        }
        let wrong = || OauthError::invalid_grant("the token is not known, was revoked, or is over");
        let now = self.house.now();
        let found = self.store.token(&secret::hash(shown)).await?;
        let subject = found.filter(|token| {
            token.kind == "access"
                && token.revoked_at.is_none()
                && token.expires_at.is_none_or(|at| at > now)
                && self.client(&token.client).is_some()
        });
        let subject = subject.ok_or_else(wrong)?;
        let person = match &subject.user {
            None => None,
            Some(user) => {
                let person = self.house.person(user);
                Some(
                    person
                        .filter(|person| subject.document_subject().as_deref() == Some(&*person.id))
                        .ok_or_else(wrong)?,
                )
            }
        };
        let scope = scopes(client, form.get("scope"))?;
        if scope.iter().any(|scope| !subject.scope.split(' ').any(|has| has == scope)) {
            return Err(OauthError::new("invalid_scope", "the token does not have all of these scopes"));
        }
        let grant = Grant {
            client,
            user: person.as_ref().map(|person| LoggedIn {
                person,
                at: subject.document_login(),
                nonce: None,
            }),
            scope: &scope,
            family: subject.family.clone(),
            may_refresh: false,
            bound_to: binding,
            not_after: subject.expires_at,
        };
        let issued = self.issue(grant).await?;
        Ok(issued.of_type(ACCESS_TOKEN))
    }
}
