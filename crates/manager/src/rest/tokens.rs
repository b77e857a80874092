//! Access tokens: for programs that act for a user. Each user has their own, and sees a token once.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::assets::Token;

use super::{
    answer::{Items, Problem, time},
    extract::{Bytes, Path},
    route::{Content, Right, Route, delete as delete_, get, post},
};
use crate::{
    ChangeError, Manager, Who,
    access::{hash_of_secret, random_token},
    service::new_id,
};

pub(super) const ROUTES: &[Route] = &[
    get("/tokens", "listTokens", "The access tokens of whoever asks.", Right::User, || routing::get(list))
        .answers::<Items<TokenView>>(200),
    post("/tokens", "createToken", "Makes an access token, which is told once.", Right::User, || {
        routing::post(create)
    })
    .takes::<NewToken>()
    .answers::<MadeToken>(201)
    .told_once(),
    delete_("/tokens/{id}", "deleteToken", "Takes an access token away.", Right::User, || {
        routing::delete(delete)
    })
    .answers_content(204, Content::Nothing),
];

/// An access token, without its text.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TokenView {
    id: String,
    user: String,
    /// What it is for.
    name: String,
    /// Names of privileges.
    privileges: Vec<String>,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

/// A new access token.
#[derive(Serialize, JsonSchema)]
struct MadeToken {
    #[serde(flatten)]
    view: TokenView,
    /// What a program sends as `Authorization: Bearer`. It is told this once.
    token: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewToken {
    /// What it is for.
    name: String,
    /// Such as `90d`. Default: it does not expire.
    expires_in: Option<model::Duration>,
    /// Names of privileges, of those that the user has. Default: all of them.
    privileges: Option<Vec<String>>,
}

/// Longest name.
const LONGEST_NAME: usize = 200;

async fn list(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
) -> Result<Json<Items<TokenView>>, Problem> {
    let tokens = manager.store.tokens(&who.user).await?;
    Ok(Json(Items { items: tokens.into_iter().map(view).collect() }))
}

fn view(token: Token) -> TokenView {
    TokenView {
        id: token.id,
        user: token.user,
        name: token.name,
        privileges: token.privileges.unwrap_or_default(),
        created_at: time(token.created_at),
        expires_at: token.expires_at.map(time),
    }
}

async fn create(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    body: Bytes,
) -> Result<Response, Problem> {
    let bad = |detail: String| Problem::new(StatusCode::BAD_REQUEST, "bad_request", detail);
    if manager.access.is_of_provider(&who.user) {
        let detail = "Whoever logs in with a provider elsewhere has no tokens, since nobody would hear there when they have \
                      to end; make a user for the program.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "no_tokens_for_provider_users", detail));
    }
    let new: NewToken = serde_json::from_slice(&body).map_err(|error| bad(error.to_string()))?;
    if new.name.trim().is_empty() || new.name.len() > LONGEST_NAME {
        return Err(bad(format!("`name`: expected a text of at most {LONGEST_NAME} bytes")));
    }
    let own: Vec<_> = who.privileges().iter().map(|privilege| privilege.name()).collect();
    if let Some(foreign) = new.privileges.iter().flatten().find(|name| !own.contains(&name.as_str())) {
        return Err(bad(format!("`privileges`: found `{foreign}`, expected some of {}", own.join(", "))));
    }
    let text = random_token().ok_or(ChangeError::Busy)?;
    let at = manager.now();
    let lasts = new.expires_in.map(|lasts| u64::try_from(lasts.get().as_micros()).unwrap_or(u64::MAX));
    let token = Token {
        id: new_id(),
        user: who.user.clone(),
        name: new.name,
        hash: hash_of_secret(&text),
        // A token of a token cannot do more than the first one.
        privileges: Some(new.privileges.unwrap_or_else(|| own.into_iter().map(str::to_owned).collect())),
        created_at: at,
        expires_at: lasts.map(|lasts| at.saturating_add(lasts)),
    };
    manager.store.put_token(&token).await?;
    let message = format!("token {} was created", token.name);
    manager.record(&who, "Access management", "token", "create", &token.name, &message).await;
    Ok((StatusCode::CREATED, Json(MadeToken { view: view(token), token: text })).into_response())
}

async fn delete(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    if !manager.store.delete_token(&who.user, &id).await? {
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", "you have no such token"));
    }
    let message = format!("token {id} was deleted");
    manager.record(&who, "Access management", "token", "delete", &id, &message).await;
    Ok(StatusCode::NO_CONTENT)
}
