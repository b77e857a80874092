//! Proofs that a client has what its tokens are bound to: a key (RFC 9449), or a certificate (RFC 8705).

use axum::http::HeaderMap;
use jose::{Proof, ProofOf};
use store::assets::Passing;

use super::{TOKEN, caller::Caller};
use crate::{AuthorizationServer, binding::Binding, clients::Client, error::OauthError, secret};

pub const DPOP: &str = "dpop";
/// How old a proof may be, in seconds, and how far clocks may differ.
const WINDOW: u64 = 60;

/// What a client has proved to have, that its tokens are to be bound to.
pub async fn binding(
    server: &AuthorizationServer,
    caller: &Caller,
    client: &Client,
) -> Result<Option<Binding>, OauthError> {
    let headers = &caller.headers;
    if client.doc.certificate_bound_tokens {
        if headers.contains_key(DPOP) {
            let detail = "tokens of the client are bound to its certificate; send no header `DPoP`";
            return Err(OauthError::invalid_request(detail));
        }
        let shown = caller.certificate.as_ref().ok_or_else(|| {
            OauthError::invalid_request("the client shows its certificate in the TLS handshake")
        })?;
        return Ok(Some(Binding::Certificate(shown.thumbprint())));
    }
    if !headers.contains_key(DPOP) {
        return match client.doc.require_dpop {
            true => {
                Err(OauthError::new("invalid_dpop_proof", "the client sends a proof in the header `DPoP`"))
            }
            false => Ok(None),
        };
    }
    let url = format!("{}{TOKEN}", server.issuer());
    let key = check(server, headers, "POST", &url, None, None).await?;
    Ok(Some(Binding::Key(key.into())))
}

/// Checks the proof of a request, which is good for once; tells the thumbprint of its key.
pub async fn check(
    server: &AuthorizationServer,
    headers: &HeaderMap,
    method: &str,
    url: &str,
    token: Option<&str>,
    bound_to: Option<&str>,
) -> Result<String, OauthError> {
    let wrong = |detail: String| OauthError::new("invalid_dpop_proof", detail);
    let mut values = headers.get_all(DPOP).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(wrong("expected one header `DPoP`".to_owned()));
    };
    let text = value.to_str().map_err(|_| wrong("the proof is no text".to_owned()))?;
    let now = server.house.now() / 1_000_000;
    let of = ProofOf { method, url, token, thumbprint: bound_to, now, window: WINDOW };
    let proof = Proof::check(text, of).map_err(|refusal| wrong(refusal.detail.into_owned()))?;
    let once = Passing {
        hash: secret::hash(&format!("{}\n{}", proof.thumbprint, proof.id)),
        kind: "proof".to_owned(),
        user: None,
        client: None,
        expires_at: (proof.issued + 2 * WINDOW).saturating_mul(1_000_000),
        used_at: None,
        document: String::new(),
    };
    match server.store.put_passing(&once).await? {
        true => Ok(proof.thumbprint),
        false => Err(wrong("the proof was shown before".to_owned())),
    }
}
