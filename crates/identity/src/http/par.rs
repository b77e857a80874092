//! Requests for authorization that clients send themselves, beforehand (RFC 9126): nobody who sees the address in the
//! browser learns what is in it, or changes it.

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use store::assets::Passing;

use super::{PAR, Server, authenticate, caller::Caller, form, proof, respond};
use crate::{
    AuthorizationServer, ServerError,
    authorization::{Asked, NoCode},
    error::{OauthError, not_stored},
    form::Form,
    secret,
};

const KIND: &str = "request";
/// How such a request is named in `request_uri`.
const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";
/// How long users have to log in, in seconds.
const LASTS: u64 = 600;

/// A request that a client has pushed.
pub struct Pushed {
    pub form: Form,
    /// When it came, in seconds since 1970.
    pub at: u64,
    hash: String,
}

pub async fn push(State(server): Server, caller: Caller, body: Bytes) -> Response {
    respond(answer(&server, &caller, &body).await)
}

async fn answer(server: &AuthorizationServer, caller: &Caller, body: &[u8]) -> Result<Response, OauthError> {
    let form = form(&caller.headers, body)?;
    let client = authenticate::any_client(server, caller, &form).await?;
    if form.get("request_uri").is_some() {
        return Err(OauthError::invalid_request("`request_uri` is what this gives"));
    }
    let form = form.without(&["client_secret", "client_assertion", "client_assertion_type"]);
    let mut form = form.with("client_id", &client.doc.id);
    if caller.headers.contains_key(proof::DPOP) {
        // The code will be bound to the key of the proof (RFC 9449, 10.1).
        let url = format!("{}{PAR}", server.issuer());
        let key = proof::check(server, &caller.headers, "POST", &url, None, form.get("dpop_jkt")).await?;
        form = form.with("dpop_jkt", &key);
    }
    Asked::of(server, &form).map_err(|no| match no {
        NoCode::Told(text) => OauthError::invalid_request(text),
        NoCode::Back { error, .. } => error,
    })?;
    let name = secret::random()?;
    let now = server.house.now();
    let kept = Passing {
        hash: secret::hash(&name),
        kind: KIND.to_owned(),
        user: None,
        client: Some(client.doc.id.clone()),
        expires_at: now.saturating_add(LASTS * 1_000_000),
        used_at: None,
        document: json!({ "query": form.query(|_, value| Some(value.to_owned())), "at": now / 1_000_000 })
            .to_string(),
    };
    server.store.put_passing(&kept).await?;
    let told = json!({ "request_uri": format!("{PREFIX}{name}"), "expires_in": LASTS });
    Ok(not_stored((StatusCode::CREATED, Json(told)).into_response()))
}

impl AuthorizationServer {
    /// What a client has pushed. `None` when the request names none.
    pub(super) async fn pushed(&self, form: &Form) -> Result<Option<Pushed>, OauthError> {
        let Some(name) = form.get("request_uri").and_then(|uri| uri.strip_prefix(PREFIX)) else {
            return Ok(None);
        };
        let over = || {
            OauthError::invalid_request(
                "The request is over. Go back to where you came from, and begin again.",
            )
        };
        let found =
            self.store.passing(KIND, &secret::hash(name), self.house.now()).await?.ok_or_else(over)?;
        if found.client.as_deref() != form.get("client_id") || found.used_at.is_some() {
            return Err(over());
        }
        let said: serde_json::Value = serde_json::from_str(&found.document).unwrap_or_default();
        let pushed = Form::parse(said["query"].as_str().unwrap_or_default().as_bytes())?;
        Ok(Some(Pushed { form: pushed, at: said["at"].as_u64().unwrap_or_default(), hash: found.hash }))
    }

    /// A code was given for it: it is good for no other. `false` where it was before.
    pub(super) async fn use_pushed(&self, pushed: &Pushed) -> Result<bool, ServerError> {
        Ok(self.store.use_passing(KIND, &pushed.hash, self.house.now()).await?)
    }
}
