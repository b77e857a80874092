//! Every name the language knows, so that a typo is answered with the name that was meant.

use model::{Diagnostic, diagnostic::nearest};

use super::system::System;

/// What can follow `request.`
pub(super) const OF_REQUEST: &[&str] = &[
    "headers",
    "header",
    "query",
    "path",
    "httpMethod",
    "payload",
    "authorization",
    "application",
    "correlationID",
];
/// What can follow `response.`
pub(super) const OF_RESPONSE: &[&str] = &["headers", "header", "statusCode", "statusMessage", "payload"];
/// What can follow `request[name].`
pub(super) const OF_CALL: &[&str] = &["headers", "header", "query", "path", "httpMethod", "payload"];
/// What can follow `.payload.`
pub(super) const OF_PAYLOAD: &[&str] = &["jsonPath[…]", "xpath[…]", "regex[…]"];
/// What can follow `request.authorization.`
pub(super) const OF_AUTHORIZATION: &[&str] =
    &["clientId", "userName", "groups", "apiKey", "incomingToken", "issuer", "audience", "claims"];
/// What can follow `request.application.`
pub(super) const OF_APPLICATION: &[&str] = &["id", "name", "description", "version", "attributes"];

/// Names that a variable can begin with.
pub(super) fn roots() -> impl Iterator<Item = &'static str> {
    System::NAMES.iter().map(|(name, _)| *name).chain(["request", "response", "customTransactionFields"])
}

/// A name that is not among those that can stand there.
pub(super) fn unknown(whole: &str, found: &str, known: &[&str]) -> Diagnostic {
    let help = match nearest(found, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("expected one of {}", known.join(", ")),
    };
    Diagnostic::error("", format!("found `{found}` in `${{{whole}}}`, which is no variable")).help(help)
}

/// Longest name of a field of the transaction event.
const LONGEST_FIELD: usize = 64;

/// Checks the name of a field of the transaction event: it is stored with every event.
pub(super) fn field(name: &str) -> Result<Box<str>, Diagnostic> {
    if name.len() > LONGEST_FIELD || name.chars().any(char::is_control) {
        return Err(Diagnostic::error(
            "",
            format!(
                "found a field of {} bytes, expected at most {LONGEST_FIELD}, without control characters",
                name.len()
            ),
        ));
    }
    Ok(name.into())
}

/// Whether a custom variable can have this name.
pub(super) fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}
