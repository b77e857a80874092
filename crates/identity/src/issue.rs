//! Making tokens: what they say, how long they count, and what is kept of them.

use model::oauth_client::{ClientAuthentication, GrantType, TokenFormat};
use serde::Serialize;
use serde_json::{Map, Value, json};
use store::assets::{OauthToken, TokenOwner};

use crate::{
    AuthorizationServer, Live, Person, ServerError, binding::Binding, clients::Client, error::OauthError,
    micros, secret,
};

/// So that tokens are recognised where they should not be.
const ACCESS: &str = "gwa_";
const REFRESH: &str = "gwr_";

/// What is granted.
pub struct Grant<'a> {
    pub client: &'a Client,
    /// `None` when the client acts for itself.
    pub user: Option<LoggedIn<'a>>,
    pub scope: &'a [String],
    /// All tokens that come from one authorization.
    pub family: String,
    pub may_refresh: bool,
    /// What the client has proved to have.
    pub bound_to: Option<&'a Binding>,
    /// Microseconds since 1970 after which nothing counts that comes from it.
    pub not_after: Option<u64>,
}

/// Whom the client acts for.
#[derive(Clone, Copy)]
pub struct LoggedIn<'a> {
    pub person: &'a Person,
    /// When they gave their password here, in seconds since 1970.
    pub at: Option<u64>,
    /// What the client wants to find in the ID token.
    pub nonce: Option<&'a str>,
}

/// What the client gets (RFC 6749, 5.1; OpenID Connect Core, 3.1.3.3).
#[derive(Serialize)]
pub struct Issued {
    pub access_token: String,
    token_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    /// What an exchanged token is (RFC 8693, 2.2.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'static str>,
    pub scope: String,
}

impl Issued {
    pub fn of_type(self, kind: &'static str) -> Self {
        Self { issued_token_type: Some(kind), ..self }
    }
}

/// The scopes that are asked for, when the client may. Nothing is granted that nobody asked for.
pub fn scopes(client: &Client, asked: Option<&str>) -> Result<Vec<String>, OauthError> {
    let mut scopes: Vec<String> = Vec::new();
    for scope in asked.unwrap_or_default().split(' ').filter(|scope| !scope.is_empty()) {
        if !client.doc.scopes.iter().any(|known| known == scope) {
            // What a scope may be made of may stand in an error, too.
            let fits = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            let shown = if scope.len() <= 100 && scope.bytes().all(fits) { scope } else { "one of them" };
            let problem = format!("scopes of the client do not have: {shown}");
            return Err(OauthError::new("invalid_scope", problem));
        }
        if !scopes.iter().any(|known| known == scope) {
            scopes.push(scope.to_owned());
        }
    }
    Ok(scopes)
}

impl AuthorizationServer {
    /// Issues tokens.
    pub(crate) async fn issue(&self, grant: Grant<'_>) -> Result<Issued, OauthError> {
        let issued = self.issue_from(grant, None).await?;
        issued.ok_or_else(|| OauthError::invalid_grant("what was allowed has been revoked"))
    }

    /// The same in exchange for a refresh token; `None` when it was used before, or everything of its family is revoked.
    pub(crate) async fn issue_from(
        &self,
        grant: Grant<'_>,
        from: Option<&OauthToken>,
    ) -> Result<Option<Issued>, OauthError> {
        let doc = &grant.client.doc;
        // The same ones for all of it, whatever is configured meanwhile.
        let settings = self.settings();
        let person = grant.user.map(|user| user.person);
        let now = self.house.now();
        let lifetime = doc.access_token_lifetime.unwrap_or(settings.access_token_lifetime).get();
        let scope = grant.scope.join(" ");
        let id = secret::id()?;
        let expires_at = lifetime.map(|lifetime| now.saturating_add(micros(lifetime)));
        let expires_at = [expires_at, grant.not_after].into_iter().flatten().min();
        let access_token = match doc.token_format.unwrap_or(settings.token_format) {
            TokenFormat::Opaque => format!("{ACCESS}{}", secret::random()?),
            TokenFormat::Jwt => {
                let live = Live::new(
                    &doc.id,
                    &scope,
                    person.map(|person| &*person.name),
                    grant.bound_to,
                    now,
                    expires_at,
                );
                let mut claims = self.claims(&live, person.map(|person| &*person.id));
                claims.insert("jti".into(), id.as_str().into());
                let signing = self.keys.signing()?;
                signing.sign("at+jwt", &Value::Object(claims)).ok_or(ServerError::Randomness)?
            }
        };
        let row = |hash, id, kind: &str, expires_at, document| OauthToken {
            hash,
            id,
            kind: kind.to_owned(),
            family: grant.family.clone(),
            client: doc.id.clone(),
            application: grant.client.application.to_string(),
            user: person.map(|person| person.name.clone()),
            scope: scope.clone(),
            issued_at: now,
            expires_at,
            used_at: None,
            revoked_at: None,
            number: 0,
            document,
        };
        let subject = person.map(|person| person.id.as_str());
        let document = compact(json!({ "sub": subject }), grant.bound_to);
        let hash = secret::hash(&access_token);
        let mut rows = vec![row(hash.clone(), id, "access", expires_at, document)];
        let mut refresh_token = None;
        let left = match from {
            // How often it is still possible, if there is a limit.
            Some(before) => before.document_left().map(|left| left.saturating_sub(1)),
            None => doc.refresh_limit.or(settings.refresh_limit).map(|limit| u64::from(limit.get())),
        };
        let allowed = doc.grant_types.contains(&GrantType::RefreshToken)
            && settings.grants.contains(&GrantType::RefreshToken);
        if grant.may_refresh && allowed && left != Some(0) {
            let token = format!("{REFRESH}{}", secret::random()?);
            let lifetime = doc.refresh_token_lifetime.unwrap_or(settings.refresh_token_lifetime).get();
            let expires_at = lifetime.map(|lifetime| now.saturating_add(micros(lifetime)));
            let at = grant.user.and_then(|user| user.at);
            // Who cannot prove who they are prove that they have the key, or the certificate.
            let bound_to = grant.bound_to.filter(|_| doc.authentication == ClientAuthentication::None);
            let document = compact(json!({ "sub": subject, "left": left, "at": at }), bound_to);
            let mut refresh = row(secret::hash(&token), secret::id()?, "refresh", expires_at, document);
            // A narrower access token does not make the rest of what was allowed narrower.
            if let Some(before) = from {
                refresh.scope.clone_from(&before.scope);
            }
            rows.push(refresh);
            refresh_token = Some(token);
        }
        let used = from.map(|before| (before.hash.as_str(), now));
        if !self.store.put_tokens(rows, used).await? {
            return Ok(None);
        }
        let id_token = match grant.user.filter(|_| grant.scope.iter().any(|scope| scope == "openid")) {
            Some(user) => Some(self.id_token(doc, user, grant.scope, &access_token)?),
            None => None,
        };
        // Whoever gets a token may use it at once. Somebody else may have read it already.
        if !self.index.has(&hash) {
            self.index.catch_up(&self.store, now).await?;
        }
        Ok(Some(Issued {
            access_token,
            token_type: Binding::token_type(grant.bound_to),
            expires_in: expires_at.map(|at| at.saturating_sub(now) / 1_000_000),
            refresh_token,
            id_token,
            issued_token_type: None,
            scope,
        }))
    }

    /// Claims of an access token (RFC 9068, 2.2), also for those that say nothing themselves.
    pub fn claims(&self, token: &Live, subject: Option<&str>) -> Map<String, Value> {
        // Requests come by here: nothing is counted for all of them.
        let settings = self.settings.load();
        let audience = settings.audience.as_deref().unwrap_or(self.issuer());
        let mut claims = Map::new();
        claims.insert("iss".into(), self.issuer().into());
        claims.insert("aud".into(), audience.into());
        claims.insert("sub".into(), subject.or(token.user.as_deref()).unwrap_or(&token.client).into());
        claims.insert("client_id".into(), (*token.client).into());
        if let Some(user) = &token.user {
            claims.insert("username".into(), (**user).into());
        }
        if !token.scope.is_empty() {
            claims.insert("scope".into(), (*token.scope).into());
        }
        if let Some(binding) = &token.bound_to {
            claims.insert("cnf".into(), binding.claim());
        }
        claims.insert("iat".into(), token.issued_at.into());
        if let Some(expires_at) = token.expires_at {
            claims.insert("exp".into(), expires_at.into());
        }
        claims
    }

    /// A refresh token was shown a second time.
    pub(crate) async fn stolen(&self, family: &str, client: &str) -> Result<(), OauthError> {
        tracing::warn!(
            client,
            "a refresh token was shown again; what came from the same authorization is revoked"
        );
        self.revoke(TokenOwner::Family(family)).await?;
        Ok(())
    }
}

/// JSON without what is not known.
fn compact(mut value: Value, binding: Option<&Binding>) -> String {
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, member| !member.is_null());
        Binding::write(binding, members);
    }
    value.to_string()
}
