//! ID tokens, and what is said of users (OpenID Connect Core, 2 and 5).

use base64ct::{Base64UrlUnpadded, Encoding};
use jose::{Algorithm, Compact, KeySet};
use model::oauth_client::OauthClientDoc;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::{AuthorizationServer, Person, ServerError, issue::LoggedIn};

/// Scopes that say something of the user, with the claims that they stand for.
pub const SCOPES: [(&str, &[&str]); 4] = [
    ("openid", &["sub"]),
    ("profile", &["preferred_username", "name", "given_name", "family_name"]),
    ("email", &["email"]),
    ("groups", &["groups"]),
];

impl AuthorizationServer {
    pub(crate) fn id_token(
        &self,
        client: &OauthClientDoc,
        user: LoggedIn<'_>,
        scope: &[String],
        access_token: &str,
    ) -> Result<String, ServerError> {
        let now = self.house.now() / 1_000_000;
        let signing = self.keys.signing()?;
        let mut claims = claims(user.person, |name| scope.iter().any(|scope| scope == name));
        claims.insert("iss".into(), self.issuer().into());
        claims.insert("aud".into(), client.id.as_str().into());
        claims.insert("iat".into(), now.into());
        claims.insert("exp".into(), (now + self.settings().id_token_lifetime.get().as_secs()).into());
        if let Some(at) = user.at {
            claims.insert("auth_time".into(), at.into());
        }
        if let Some(nonce) = user.nonce {
            claims.insert("nonce".into(), nonce.into());
        }
        claims.insert("at_hash".into(), half_hash(signing.algorithm(), access_token).into());
        signing.sign("JWT", &Value::Object(claims)).ok_or(ServerError::Randomness)
    }

    /// The user and the client of an ID token that was issued here, however long ago.
    pub(crate) fn hinted(&self, token: &str) -> Option<(String, String)> {
        let token = Compact::parse(token).ok()?;
        let (keys, _) = KeySet::of_jwks(self.keys.jwks().as_bytes())?;
        keys.verify(&token, &[self.keys.algorithm()]).ok()?;
        let claims = token.claims().ok()?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        // An access token is none: it is for somebody else.
        let is_ours = token.header.kind.as_deref() == Some("jwt") && text("iss")? == self.issuer();
        text("sub").zip(text("aud")).filter(|_| is_ours)
    }
}

/// What clients with these scopes are told of a user.
pub fn claims(person: &Person, has: impl Fn(&str) -> bool) -> Map<String, Value> {
    let mut claims = Map::new();
    claims.insert("sub".into(), person.id.as_str().into());
    if has("profile") {
        claims.insert("preferred_username".into(), person.name.as_str().into());
        let parts = [&person.first_name, &person.last_name].map(Option::as_deref);
        for (name, part) in ["given_name", "family_name"].into_iter().zip(parts) {
            if let Some(part) = part {
                claims.insert(name.into(), part.into());
            }
        }
        let whole: Vec<_> = parts.into_iter().flatten().collect();
        if !whole.is_empty() {
            claims.insert("name".into(), whole.join(" ").into());
        }
    }
    if let Some(email) = person.email.as_deref().filter(|_| has("email")) {
        claims.insert("email".into(), email.into());
    }
    if has("groups") {
        claims.insert("groups".into(), person.groups.clone().into());
    }
    claims
}

/// The left half of the hash that goes with the algorithm, by which an access token belongs to an ID token.
fn half_hash(algorithm: Algorithm, token: &str) -> String {
    let half = |hash: &[u8]| Base64UrlUnpadded::encode_string(&hash[..hash.len() / 2]);
    match algorithm.name() {
        name if name.ends_with("256") => half(&Sha256::digest(token)),
        name if name.ends_with("384") => half(&Sha384::digest(token)),
        // EdDSA with Ed25519 hashes with SHA-512, too.
        _ => half(&Sha512::digest(token)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_what_their_scopes_stand_for_and_no_more() {
        let person = Person {
            name: "ada".into(),
            id: "1".into(),
            first_name: Some("Ada".into()),
            last_name: Some("Lovelace".into()),
            email: Some("ada@example.com".into()),
            groups: vec!["Analysts".into()],
        };
        let all = claims(&person, |_| true);
        for (scope, names) in SCOPES {
            let of = claims(&person, |has| has == scope);
            for (name, value) in &of {
                assert!(name == "sub" || names.contains(&name.as_str()), "{scope} says {name}");
                assert_eq!(all.get(name), Some(value));
            }
            assert!(names.iter().all(|name| of.contains_key(*name)), "{scope}: {of:?}");
        }
        assert_eq!(all["name"], "Ada Lovelace");
    }

    #[test]
    fn an_access_token_belongs_to_its_id_token() {
        // From the example of OpenID Connect Core, A.3.
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(half_hash(Algorithm::Rs256, token), "77QmUPtjPfzWtF2AnpK9RQ");
    }
}
