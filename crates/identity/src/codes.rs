//! Authorization codes: each stands for what a user has allowed, for a while and for once.

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::assets::Passing;

use crate::{
    AuthorizationServer, ServerError,
    authorization::Asked,
    binding::Binding,
    clients::Client,
    error::OauthError,
    form::Form,
    issue::{Grant, Issued, LoggedIn},
    login::Login,
    micros, secret,
};

const KIND: &str = "code";
/// So that codes are recognised where they should not be.
const PREFIX: &str = "gwc_";

/// What a code stands for.
#[derive(Serialize, Deserialize)]
struct Allowed {
    sub: String,
    /// Where it was sent, if the client had said so.
    redirect_uri: Option<String>,
    scope: Vec<String>,
    challenge: Option<String>,
    nonce: Option<String>,
    /// Thumbprint of the key that the client said it would prove to have.
    key: Option<String>,
    /// When the user logged in.
    at: u64,
    family: String,
}

impl AuthorizationServer {
    pub(crate) async fn code(&self, asked: &Asked, login: &Login) -> Result<String, ServerError> {
        let code = format!("{PREFIX}{}", secret::random()?);
        let allowed = Allowed {
            sub: login.person.id.clone(),
            redirect_uri: asked.said_target.then(|| asked.target.uri.clone()),
            scope: asked.scope.clone(),
            challenge: asked.challenge.clone(),
            nonce: asked.nonce.clone(),
            key: asked.key.clone(),
            at: login.at,
            family: secret::id()?,
        };
        let lifetime = micros(self.settings().authorization_code_lifetime.get());
        let kept = Passing {
            hash: secret::hash(&code),
            kind: KIND.to_owned(),
            user: Some(login.person.name.clone()),
            client: Some(asked.client.doc.id.clone()),
            expires_at: self.house.now().saturating_add(lifetime),
            used_at: None,
            document: serde_json::to_string(&allowed).unwrap_or_default(),
        };
        self.store.put_passing(&kept).await?;
        Ok(code)
    }

    /// Tokens for a code (RFC 6749, 4.1.3). A code that is shown again was stolen, or its tokens were.
    pub(crate) async fn redeem(
        &self,
        client: &Client,
        form: &Form,
        binding: Option<&Binding>,
    ) -> Result<Issued, OauthError> {
        let wrong = || OauthError::invalid_grant("the code is not known, was used, or is over");
        let hash = secret::hash(form.needs("code")?);
        let now = self.house.now();
        let found = self.store.passing(KIND, &hash, now).await?.ok_or_else(wrong)?;
        if found.client.as_deref() != Some(&client.doc.id) {
            return Err(wrong());
        }
        let allowed: Allowed = serde_json::from_str(&found.document).map_err(|_| wrong())?;
        if found.used_at.is_some() {
            self.stolen(&allowed.family, &client.doc.id).await?;
            return Err(wrong());
        }
        if allowed.redirect_uri.is_some() && form.get("redirect_uri") != allowed.redirect_uri.as_deref() {
            return Err(OauthError::invalid_grant("`redirect_uri` is not the one that the code was sent to"));
        }
        if !proves(form.get("code_verifier"), allowed.challenge.as_deref()) {
            return Err(OauthError::invalid_grant("`code_verifier` does not go with `code_challenge`"));
        }
        let key = binding.and_then(|binding| match binding {
            Binding::Key(thumbprint) => Some(&**thumbprint),
            Binding::Certificate(_) => None,
        });
        if allowed.key.as_deref().is_some_and(|wanted| key != Some(wanted)) {
            return Err(OauthError::new(
                "invalid_dpop_proof",
                "the code is bound to another key (`dpop_jkt`)",
            ));
        }
        let person = found.user.as_deref().and_then(|user| self.house.person(user));
        let person = person.filter(|person| person.id == allowed.sub).ok_or_else(wrong)?;
        if !self.store.use_passing(KIND, &hash, now).await? {
            self.stolen(&allowed.family, &client.doc.id).await?;
            return Err(wrong());
        }
        let logged_in = LoggedIn { person: &person, at: Some(allowed.at), nonce: allowed.nonce.as_deref() };
        let grant = Grant {
            client,
            user: Some(logged_in),
            scope: &allowed.scope,
            family: allowed.family,
            may_refresh: true,
            bound_to: binding,
            not_after: None,
        };
        self.issue(grant).await
    }
}

/// Whether the verifier is what the challenge was made of (RFC 7636, 4.6). One without the other is somebody else's code.
fn proves(verifier: Option<&str>, challenge: Option<&str>) -> bool {
    match (verifier, challenge) {
        (None, None) => true,
        (Some(verifier), Some(challenge)) => {
            let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
            (43..=128).contains(&verifier.len())
                && verifier.bytes().all(fits)
                && secret::same(&Base64UrlUnpadded::encode_string(&Sha256::digest(verifier)), challenge)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_goes_with_its_challenge_and_with_no_other() {
        // RFC 7636, appendix B.
        let (verifier, challenge) =
            ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(proves(Some(verifier), Some(challenge)) && proves(None, None));
        assert!(!proves(None, Some(challenge)) && !proves(Some(verifier), None), "one without the other");
        assert!(!proves(Some(challenge), Some(challenge)), "what everybody sees proves nothing");
        for wrong in ["", "short", &verifier.replace('d', "e"), &"a".repeat(129), &format!("{verifier} ")] {
            assert!(!proves(Some(wrong), Some(challenge)), "{wrong}");
        }
    }
}
