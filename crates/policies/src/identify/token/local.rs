//! Tokens of the authorization server inside: nobody has to be asked about them.

use std::sync::Arc;

use engine::{
    Reason, Timestamp,
    authorization_server::{AuthorizationServer, Standing, StillLive, TokenFacts, token_hash},
};

use super::{cache::Known, check::Refusals, reasons};

/// A token that says nothing itself, when it was issued inside and counts. Servers that may have issued it without this
/// node having heard of it are added to `waiting`.
pub(super) fn opaque(
    servers: &[Arc<AuthorizationServer>],
    token: &str,
    now: Timestamp,
    refusals: &mut Refusals,
    waiting: &mut Vec<(Arc<AuthorizationServer>, u64)>,
) -> Option<Known> {
    for server in servers {
        let Some(local) = &server.local else { continue };
        let Some(tokens) = local.tokens() else {
            refusals.add(server, &reasons::UNAVAILABLE, "no token is issued in a rehearsal");
            continue;
        };
        let hash = token_hash(token);
        let (claims, until) = match tokens.find(&hash) {
            Standing::Live { claims, until } => (claims, until),
            Standing::Revoked => {
                refusals.add(server, &reasons::INACTIVE, "it is revoked");
                continue;
            }
            Standing::Unknown => {
                refusals.add(server, &reasons::INACTIVE, "it is not known");
                waiting.push((Arc::clone(server), 0));
                continue;
            }
        };
        if until.is_some_and(|until| until <= now.seconds()) {
            refusals.add(server, &reasons::EXPIRED, "it has expired");
            continue;
        }
        if let Err(refusal) = server.check_answer(&claims, now) {
            refusals.add(server, reasons::of(refusal.why), &refusal.detail);
            continue;
        }
        let facts = TokenFacts::of(Arc::clone(&server.name), claims, &server.claims);
        let mut known = Known::verified(server, 0, until, facts);
        known.local = StillLive::begin(tokens, hash);
        if known.local.is_some() {
            return Some(known);
        }
        refusals.add(server, &reasons::INACTIVE, "it is revoked");
    }
    None
}

/// Has it noticed when a verified token is revoked; an error when it is already.
pub(super) fn watch(known: &mut Known, token: &str) -> Result<(), &'static Reason> {
    let Some(tokens) = known.server.local.as_ref().and_then(|local| local.tokens()) else { return Ok(()) };
    known.local = Some(StillLive::begin(tokens, token_hash(token)).ok_or(&reasons::INACTIVE)?);
    Ok(())
}
