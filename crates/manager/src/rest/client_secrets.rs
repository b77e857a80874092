//! Secrets of clients of the internal authorization server: made here, told once, kept as hashes. Those before go on for a
//! while, so that secrets are exchanged without interruption.

use std::sync::Arc;

use axum::{Extension, Json, extract::State, http::StatusCode, routing};
use model::oauth_client::{ClientAuthentication, ClientSecretDoc, OauthClientDoc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    answer::{Problem, time},
    app_keys::{found, micros_at, micros_of, random_text},
    extract::{Bytes, Path},
    route::{Right, Route, post},
};
use crate::{ChangeError, Manager, Privilege, Who, registration::with_clients};

pub(super) const ROUTES: &[Route] = &[post(
    "/applications/{name}/oauthClients/{client}/secrets",
    "createClientSecret",
    "Makes a secret for an OAuth client of an application, which is told once. Secrets that it has end after an overlap.",
    Right::Privilege(&[Privilege::ManageApplications]),
    || routing::post(create),
)
.takes::<NewSecret>()
.answers::<MadeSecret>(201)
.told_once()];

/// What a new secret is to be like.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct NewSecret {
    /// Such as `90d`, after which the secret is refused. Default: never.
    pub expires_in: Option<model::Duration>,
    /// Secrets that the client has go on for so long. Default: 1d; `0s` for not at all.
    pub overlap: Option<model::Duration>,
}

/// A new secret.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MadeSecret {
    /// Id of the client.
    client_id: String,
    /// What the client proves with who it is. It is told this once.
    pub client_secret: String,
    /// When it is refused from.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
}

/// Whether a secret goes on after a time.
pub(super) fn is_after(secret: &ClientSecretDoc, then: u64) -> bool {
    secret.expires.as_deref().and_then(micros_at).is_none_or(|expires| expires > then)
}

/// Makes a secret; the document has it already.
pub(super) fn make(client: &mut OauthClientDoc, wanted: &NewSecret, now: u64) -> Result<MadeSecret, Problem> {
    if client.authentication != ClientAuthentication::ClientSecret {
        let detail = format!("the client `{}` does not prove with a secret who it is", client.id);
        return Err(Problem::new(StatusCode::CONFLICT, "no_secret_wanted", detail));
    }
    let ends = now.saturating_add(micros_of(wanted.overlap.unwrap_or(model::Duration::from_secs(86_400))));
    client.secrets.retain(|secret| is_after(secret, now));
    for secret in client.secrets.iter_mut().filter(|secret| is_after(secret, ends)) {
        secret.expires = Some(time(ends));
    }
    let text = random_text("gws_").ok_or(ChangeError::Busy)?;
    let expires = wanted.expires_in.map(|lasts| time(now.saturating_add(micros_of(lasts))));
    let hash = format!("sha256:{:x}", Sha256::digest(&text));
    client.secrets.push(ClientSecretDoc { hash, expires: expires.clone() });
    Ok(MadeSecret { client_id: client.id.clone(), client_secret: text, expires })
}

async fn create(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path((name, client)): Path<(String, String)>,
    body: Bytes,
) -> Result<(StatusCode, Json<MadeSecret>), Problem> {
    let wanted = wanted(&body)?;
    let assets = manager.assets();
    let (held, doc) = found(&assets, &who, &name)?;
    let mut clients = doc.oauth_clients.clone();
    let known = clients.iter_mut().find(|known| known.id == client);
    let made = make(known.ok_or_else(|| no_such_client(&client))?, &wanted, manager.now())?;
    manager.change(&who, &[with_clients(held, &clients)], Some("a new client secret"), false).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// What a new secret is to be like; nothing said is nothing wanted.
pub(super) fn wanted(body: &[u8]) -> Result<NewSecret, Problem> {
    if body.is_empty() {
        return Ok(NewSecret::default());
    }
    serde_json::from_slice(body)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_request", format!("the body: {error}")))
}

pub(super) fn no_such_client(id: &str) -> Problem {
    let detail = format!("the application has no OAuth client `{id}`");
    Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_before_go_on_for_a_while_and_what_has_expired_is_forgotten() {
        let client = json!({ "id": "shop", "secrets": [
            { "hash": "sha256:old", "expires": "1970-01-01T00:00:01Z" },
            { "hash": "sha256:soon", "expires": "1970-01-01T00:01:00Z" },
            { "hash": "sha256:now" },
        ]});
        let mut client: OauthClientDoc = serde_json::from_value(client).unwrap();
        let made = make(&mut client, &NewSecret::default(), 2_000_000).unwrap();
        assert!(made.client_secret.starts_with("gws_"), "{}", made.client_secret);
        let kept: Vec<_> = client.secrets.iter().map(|secret| secret.expires.as_deref()).collect();
        assert_eq!(kept, [Some("1970-01-01T00:01:00Z"), Some("1970-01-02T00:00:02Z"), None]);
        client.authentication = ClientAuthentication::None;
        assert!(make(&mut client, &NewSecret::default(), 2_000_000).is_err());
    }
}
