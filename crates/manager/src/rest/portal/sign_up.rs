//! Signing up: at once, or once somebody approves it. Nobody learns from this which names there are.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json,
    extract::{ConnectInfo, State},
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
    routing,
};
use model::{ApplicationDoc, Diagnostic, Diagnostics, PortalDoc, UserDoc, portal::SignUp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::assets::{Credential, SignUpRow};

use super::{portal, short};
use crate::{
    Assets, ChangeError, Condition, Edit, Manager, Who, Write,
    access::password,
    kind,
    rest::{
        answer::Problem,
        extract::Bytes,
        route::{Right, Route, post},
        session::secret_body,
    },
};

pub(super) const ROUTES: &[Route] =
    &[post("/portal/signUp", "signUp", "Asks to become a user of the portal.", Right::Anyone, || {
        routing::post(ask)
    })
    .takes::<NewSignUp>()
    .answers::<SignedUp>(202)];

/// Somebody who wants to become a user of the portal.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewSignUp {
    /// 3 to 64 letters, digits and `.`, `_`, `-`, `@`, beginning with a letter or a digit.
    user: String,
    /// As `settings.manager.passwords` wants it.
    password: String,
    first_name: Option<String>,
    last_name: Option<String>,
    email: Option<String>,
    /// For whoever approves it, up to 1000 bytes.
    message: Option<String>,
}

/// It was taken down. Whether the name was free is not told.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct SignedUp {
    /// Somebody has to approve it before one can log in.
    waits_for_approval: bool,
    /// For people.
    message: &'static str,
}

/// People who may wait for approval at a time.
const MOST_WAITING: u64 = 1_000;

async fn ask(
    State(manager): State<Arc<Manager>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    body: Bytes,
) -> Result<Response, Problem> {
    let assets = manager.assets();
    let doc = portal(&assets);
    if doc.sign_up == SignUp::Off {
        let detail = "Nobody can sign up here; ask whoever runs this portal for a user.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "sign_up_off", detail));
    }
    let new: NewSignUp = secret_body(&body, r#"{"user": "…", "password": "…"}"#)?;
    let mut row = checked(new, &manager, manager.now())?;
    if !manager.pace.may_sign_up(from.ip(), manager.now()) {
        let detail = "Too many have signed up lately; try again in an hour.";
        let mut response =
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_sign_ups", detail).into_response();
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("3600"));
        return Ok(response);
    }
    // Hashed also where the name is taken, so that both take as long.
    let clear = std::mem::take(&mut row.password_hash);
    let hashed = tokio::task::spawn_blocking(move || password::hash(&clear)).await.ok().flatten();
    row.password_hash = hashed.ok_or(ChangeError::Busy)?;
    let waits = doc.sign_up == SignUp::Approval;
    // A user here would keep somebody of the same name in the directory out.
    let sources = manager.sources(&assets);
    let elsewhere = manager.access.is_in_directory(sources, &row.user).await.ok_or(ChangeError::Busy)?;
    if !elsewhere && !is_taken(&assets, &row.user) {
        if waits {
            // Somebody else may wait under this name, which is not told either.
            let _ = manager.store.put_sign_up(&row, MOST_WAITING).await?;
        } else {
            let who = Who::nobody_yet(row.user.clone(), from.ip());
            match make(&manager, &who, true, &row, &doc).await {
                Ok(()) | Err(ChangeError::Exists { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    let message = match waits {
        true => "Thank you. Once somebody has approved it you can log in, unless the name is taken.",
        false => "Thank you. You can log in now, unless the name is taken.",
    };
    let answer = Json(SignedUp { waits_for_approval: waits, message });
    Ok((StatusCode::ACCEPTED, answer).into_response())
}

/// What can be said without knowing who is there. The password is still in clear.
fn checked(new: NewSignUp, manager: &Manager, at: u64) -> Result<SignUpRow, Problem> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
    let mut problems = Diagnostics::default();
    if !(3..=64).contains(&new.user.len())
        || !new.user.chars().all(plain)
        || !new.user.starts_with(|c: char| c.is_ascii_alphanumeric())
    {
        let message =
            "expected 3 to 64 letters, digits and `.`, `_`, `-`, `@`, beginning with a letter or a digit";
        problems.push(Diagnostic::error("user", message));
    }
    if let Err(found) = password::check(&new.password, &new.user, &manager.access.settings().passwords) {
        problems.0.extend(found.0);
    }
    if !problems.is_empty() {
        return Err(ChangeError::Invalid(problems).into());
    }
    Ok(SignUpRow {
        user: new.user,
        first_name: short("firstName", new.first_name, 200)?,
        last_name: short("lastName", new.last_name, 200)?,
        email: short("email", new.email, 200)?,
        message: short("message", new.message, 1_000)?,
        password_hash: new.password,
        at,
    })
}

/// Whether the name means somebody already: names that differ only in case look like one another, and an application
/// that is left behind waits for its owner, not for whoever takes the name.
fn is_taken(assets: &Assets, user: &str) -> bool {
    let users = kind("user").into_iter().flat_map(|kind| assets.list(kind));
    let applications = kind("application").into_iter().flat_map(|kind| assets.list(kind));
    let owners = applications
        .filter_map(|held| held.parsed.typed.downcast_ref::<ApplicationDoc>()?.portal_user.as_deref());
    users.map(|held| held.parsed.name.as_str()).chain(owners).any(|name| name.eq_ignore_ascii_case(user))
}

/// Makes a user of somebody who has signed up: by themselves, or approved by somebody.
pub(super) async fn make(
    manager: &Manager,
    who: &Who,
    by_themselves: bool,
    row: &SignUpRow,
    doc: &PortalDoc,
) -> Result<(), ChangeError> {
    let user = kind("user").ok_or(ChangeError::Busy)?;
    let assets = manager.assets();
    if is_taken(&assets, &row.user) {
        return Err(ChangeError::Exists { kind: "user", name: row.user.clone() });
    }
    let known = kind("group").into_iter().flat_map(|kind| assets.list(kind));
    let known: Vec<&str> = known.map(|held| held.parsed.name.as_str()).collect();
    // A group that has gone meanwhile keeps nobody out.
    let groups: Vec<&String> =
        doc.sign_up_groups.iter().filter(|group| known.contains(&group.as_str())).collect();
    let spec = UserDoc {
        name: row.user.clone(),
        password: None,
        digest_passwords: Vec::new(),
        locked: false,
        portal_only: true,
        first_name: row.first_name.clone(),
        last_name: row.last_name.clone(),
        email: row.email.clone(),
        groups: groups.into_iter().cloned().collect(),
    };
    let edit = Edit {
        kind: user,
        name: Some(row.user.clone()),
        condition: Condition::Absent,
        write: Write::Put(json!(spec)),
    };
    let reason = Some("signed up in the developer portal");
    if by_themselves {
        manager.change_own(who, &[edit], reason).await?;
    } else {
        manager.change(who, &[edit], reason, false).await?;
    }
    // Only whoever has made the user gives it a password: of two with the same name one has.
    let credential =
        Credential { password_hash: row.password_hash.clone(), changed_at: manager.now(), temporary: false };
    manager.store.set_credential(&row.user, &credential, None).await.map_err(ChangeError::Store)
}
