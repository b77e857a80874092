//! Tokens that are bound to a certificate (RFC 8705) or to a key (RFC 9449): whoever finds one cannot use it.

use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use engine::{Exchange, Reason, Timestamp, authorization_server::TokenFacts, compile::applications::sha256};
use http::{HeaderName, header::HOST};
use jose::{Proof, ProofOf};

use super::{
    super::replay::Shown,
    found::{Scheme, Sent},
    reasons::{NOT_BOUND, PROOF, UNAVAILABLE},
};

/// Carries the proof.
pub(super) static DPOP: HeaderName = HeaderName::from_static("dpop");

type Refused = (&'static Reason, String);

/// Whether the client has shown what the token is bound to.
pub(super) fn check(
    exchange: &Exchange,
    sent: &Sent<'_>,
    facts: &TokenFacts,
    proofs: &Shown,
    now: Timestamp,
    window: Duration,
) -> Result<(), Refused> {
    let not_bound = |detail: &str| Err((&NOT_BOUND, detail.to_owned()));
    if facts.bound_otherwise {
        return not_bound("it is bound in a way that is not known (`cnf`)");
    }
    if let Some(expected) = &facts.certificate_thumbprint {
        let Some(certificate) = &exchange.client_certificate else {
            return not_bound("it is bound to a certificate, and the client showed none");
        };
        if Base64UrlUnpadded::encode_string(&certificate.fingerprint) != **expected {
            return not_bound("it is bound to another certificate");
        }
    }
    match (&facts.key_thumbprint, sent.scheme) {
        (None, Scheme::Bearer) => Ok(()),
        (None, Scheme::DPoP) => not_bound("it is sent with a proof, and is bound to no key"),
        (Some(_), Scheme::Bearer) => not_bound("it is bound to a key, and sent as if it were not"),
        (Some(thumbprint), Scheme::DPoP) => proven(exchange, sent, thumbprint, proofs, now, window),
    }
}

fn proven(
    exchange: &Exchange,
    sent: &Sent<'_>,
    thumbprint: &str,
    proofs: &Shown,
    now: Timestamp,
    window: Duration,
) -> Result<(), Refused> {
    let wrong = |detail: String| (&PROOF, detail);
    let mut values = exchange.headers.get_all(&DPOP);
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(wrong("expected one header DPoP".to_owned()));
    };
    let text = value.to_str().map_err(|_| wrong("the proof is no text".to_owned()))?;
    let (now, window) = (now.seconds(), window.as_secs().max(1));
    let of = ProofOf {
        method: exchange.inbound_method().as_str(),
        url: &url(exchange).ok_or_else(|| wrong("the request names no host".to_owned()))?,
        token: Some(sent.token),
        thumbprint: Some(thumbprint),
        now,
        window,
    };
    let proof = Proof::check(text, of).map_err(|refusal| wrong(refusal.detail.into_owned()))?;
    if exchange.dry_run {
        return Ok(());
    }
    let mark = sha256(format!("{thumbprint}.{}", proof.id).as_bytes());
    match proofs.remember(mark, proof.issued.saturating_add(window), now) {
        Some(true) => Ok(()),
        Some(false) => Err(wrong("the proof was shown before".to_owned())),
        None => Err((&UNAVAILABLE, "too many proofs at a time".to_owned())),
    }
}

/// What the client called, as far as the gateway can know.
fn url(exchange: &Exchange) -> Option<String> {
    let scheme = if exchange.client.secure { "https" } else { "http" };
    let uri = exchange.inbound_uri();
    let host = match uri.authority() {
        Some(authority) => authority.as_str().to_owned(),
        None => exchange.headers.get(HOST)?.to_str().ok()?.to_owned(),
    };
    Some(format!("{scheme}://{host}{}", uri.path()))
}
