//! Second factors: users set up their own and turn it off, whoever manages users takes it from them.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderValue, StatusCode, header::CACHE_CONTROL},
    response::{IntoResponse, Response},
    routing,
};
use model::settings::SecondFactor as Wanted;
use qrcodegen::{QrCode, QrCodeEcc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    answer::{Items, Problem, time},
    extract::{Bytes, Path},
    login,
    route::{Content, Right, Route, delete, get, post, put},
    session::secret_body,
};
use crate::{
    Manager, Privilege, Who,
    access::{Checked, Credentials, second_factor::SecondFactorError},
    kind,
};

const USERS: Right = Right::Privilege(&[Privilege::ManageUsers]);

pub(super) const ROUTES: &[Route] = &[
    get("/secondFactor", "getSecondFactor", "The second factor of whoever asks.", Right::Oneself, || {
        routing::get(show)
    })
    .answers::<SecondFactorView>(200),
    post(
        "/secondFactor",
        "beginSecondFactor",
        "Makes a secret for an authenticator app, which is told once. It counts when a code has confirmed it.",
        Right::Oneself,
        || routing::post(begin),
    )
    .answers::<NewSecondFactor>(200)
    .told_once(),
    put(
        "/secondFactor",
        "confirmSecondFactor",
        "Confirms the second factor with a code; from now on it is asked for.",
        Right::Oneself,
        || routing::put(confirm),
    )
    .takes::<Code>()
    .answers::<RecoveryCodes>(200),
    post(
        "/secondFactor/off",
        "turnOffSecondFactor",
        "Turns one's own second factor off.",
        Right::Oneself,
        || routing::post(turn_off),
    )
    .takes::<PasswordAndCode>()
    .answers_content(204, Content::Nothing),
    get("/secondFactors", "listSecondFactors", "Users who have a second factor.", USERS, || {
        routing::get(list)
    })
    .answers::<Items<UserWithSecondFactor>>(200),
    delete(
        "/users/{name}/secondFactor",
        "resetSecondFactor",
        "Takes the second factor from a user who has lost it.",
        USERS,
        || routing::delete(reset),
    )
    .answers_content(204, Content::Nothing),
];

/// The second factor of a user.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct SecondFactorView {
    /// Whether it is asked for at each login.
    on: bool,
    /// Whether users have to have one.
    required: bool,
    /// Whether it can be set up here: users of LDAP and of OpenID Connect have it there.
    possible: bool,
    /// Recovery codes that were not used.
    recovery_codes: u64,
}

/// What goes into an authenticator app.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct NewSecondFactor {
    /// In Base32, to be typed.
    secret: String,
    /// The same with everything else that an app wants to know, as `otpauth:`.
    uri: String,
    /// The same as a QR code: rows from top to bottom, `1` for what is dark.
    qr_code: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Code {
    /// What the app shows.
    code: String,
}

/// Codes for who has lost the app. They are told this once.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RecoveryCodes {
    /// Each is good for one login.
    recovery_codes: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PasswordAndCode {
    password: String,
    /// What the app shows, or a recovery code.
    code: String,
}

/// A user who has a second factor.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct UserWithSecondFactor {
    user: String,
    since: String,
    /// Recovery codes that were not used.
    recovery_codes: u64,
}

impl From<SecondFactorError> for Problem {
    fn from(error: SecondFactorError) -> Self {
        let detail = error.to_string();
        match error {
            SecondFactorError::On => Self::new(StatusCode::CONFLICT, "second_factor_on", detail),
            SecondFactorError::NotBegun => Self::new(StatusCode::CONFLICT, "second_factor_not_begun", detail),
            SecondFactorError::Wrong => Self::new(StatusCode::FORBIDDEN, "second_factor_wrong", detail),
            SecondFactorError::Vault(_) => Self::new(StatusCode::CONFLICT, "no_master_key", detail),
            SecondFactorError::Change(error) => error.into(),
        }
    }
}

fn is_possible(manager: &Manager, who: &Who) -> bool {
    kind("user").is_some_and(|kind| manager.assets().has_name(kind, &who.user))
}

/// Whether somebody may set one up now: in a session of their own, which began with their password.
fn may_set_up(manager: &Manager, who: &Who) -> Result<(), Problem> {
    if !is_possible(manager, who) {
        let detail = "Your password is not kept here; a second factor is set up where it is.";
        return Err(Problem::new(StatusCode::CONFLICT, "second_factor_elsewhere", detail));
    }
    if who.session.is_none() {
        let detail = "A second factor is set up in a session, which POST /api/v1/session begins.";
        return Err(Problem::new(StatusCode::CONFLICT, "session_needed", detail));
    }
    if who.must_change_password {
        let detail =
            format!("The password has to be changed first: PUT /api/v1/users/{}/password.", who.user);
        return Err(Problem::new(StatusCode::FORBIDDEN, "password_must_change", detail));
    }
    Ok(())
}

/// What is told once is kept by nobody on the way.
fn told_once(response: impl IntoResponse) -> Response {
    let mut response = response.into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn show(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
) -> Result<Json<SecondFactorView>, Problem> {
    let possible = is_possible(&manager, &who);
    let found = manager.store.second_factor(&who.user).await?;
    let found = found.filter(|found| possible && found.confirmed_at.is_some());
    Ok(Json(SecondFactorView {
        on: found.is_some(),
        required: possible && manager.access.settings().second_factor == Wanted::Required,
        possible,
        recovery_codes: found.map_or(0, |found| found.recovery_codes),
    }))
}

async fn begin(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
) -> Result<Response, Problem> {
    may_set_up(&manager, &who)?;
    let secret = manager.begin_second_factor(&who).await?;
    let uri = uri(&who.user, &secret);
    let qr_code = qr_code(&uri);
    Ok(told_once(Json(NewSecondFactor { secret, uri, qr_code })))
}

async fn confirm(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    body: Bytes,
) -> Result<Response, Problem> {
    may_set_up(&manager, &who)?;
    let Code { code } = secret_body(&body, r#"{"code": "…"}"#)?;
    let recovery_codes = manager.confirm_second_factor(&who, &code).await?;
    Ok(told_once(Json(RecoveryCodes { recovery_codes })))
}

async fn turn_off(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    body: Bytes,
) -> Result<Response, Problem> {
    let PasswordAndCode { password, code } = secret_body(&body, r#"{"password": "…", "code": "…"}"#)?;
    let found = manager.store.second_factor(&who.user).await?;
    if found.is_none_or(|found| found.confirmed_at.is_none()) || !is_possible(&manager, &who) {
        let detail = "There is no second factor that could be turned off.";
        return Err(Problem::new(StatusCode::CONFLICT, "second_factor_off", detail));
    }
    let credentials = Credentials::Password { user: who.user.clone(), password, code: Some(code) };
    match manager.check(&credentials, who.address).await? {
        Checked::Known(_) => {}
        Checked::CodeNeeded | Checked::CodeWrong => {
            manager.record_wrong_code(&who.user, who.address).await;
            return Err(SecondFactorError::Wrong.into());
        }
        Checked::Wrong => {
            manager.record_failed_login(&who.user, who.address).await;
            return Err(crate::ChangeError::WrongPassword.into());
        }
        Checked::Wait => return Ok(login::wait()),
        Checked::Away => return Ok(login::away()),
    }
    manager.store.delete_second_factor(&who.user).await?;
    let message = "the second factor was turned off";
    manager.second_factor_event(&who, "second factor off", &who.user, message).await;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn list(State(manager): State<Arc<Manager>>) -> Result<Json<Items<UserWithSecondFactor>>, Problem> {
    let found = manager.store.second_factors().await?;
    let items = found.into_iter().map(|found| UserWithSecondFactor {
        since: time(found.confirmed_at.unwrap_or_default()),
        user: found.user,
        recovery_codes: found.recovery_codes,
    });
    Ok(Json(Items { items: items.collect() }))
}

async fn reset(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(user): Path<String>,
) -> Result<StatusCode, Problem> {
    // A screen that was left open, or a stolen token, is not enough for that.
    if user == who.user {
        let detail = "One's own second factor is turned off with the password and a code: POST /api/v1/secondFactor/off.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "second_factor_own", detail));
    }
    if !manager.store.delete_second_factor(&user).await? {
        let detail = format!("`{user}` has no second factor");
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", detail));
    }
    let message = format!("the second factor of {user} was reset");
    manager.second_factor_event(&who, "second factor reset", &user, &message).await;
    Ok(StatusCode::NO_CONTENT)
}

/// As authenticator apps read it (draft-linuxgemini-otpauth-uri).
fn uri(user: &str, secret: &str) -> String {
    let user: String = user
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect();
    format!("otpauth://totp/Gatewright:{user}?secret={secret}&issuer=Gatewright")
}

/// Empty where the name of the user is too long for one.
fn qr_code(text: &str) -> Vec<String> {
    let Ok(code) = QrCode::encode_text(text, QrCodeEcc::Medium) else { return Vec::new() };
    let row = |y| (0..code.size()).map(|x| if code.get_module(x, y) { '1' } else { '0' }).collect();
    (0..code.size()).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_reads_the_user_and_the_secret() {
        assert_eq!(
            uri("ann@shop.example/ü", "ABC234"),
            "otpauth://totp/Gatewright:ann%40shop.example%2F%C3%BC?secret=ABC234&issuer=Gatewright"
        );
        let rows = qr_code(&uri("ann", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"));
        assert!(rows.len() >= 21 && rows.iter().all(|row| row.len() == rows.len()));
        // The mark in the corner.
        assert_eq!((&rows[0][..8], &rows[1][..8]), ("11111110", "10000010"));
        assert!(qr_code(&"x".repeat(5_000)).is_empty());
    }
}
