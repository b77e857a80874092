//! Why a token is refused, for clients: a code for each, and the error of RFC 6750 that goes with it.

use engine::Reason;
use http::StatusCode;
use jose::Why;

macro_rules! reasons {
    ($($name:ident = $code:literal, $status:ident $(.$more:ident)?, $message:literal;)*) => {
        $(pub static $name: Reason = Reason::new($code, StatusCode::$status, $message)$(.$more())?;)*
        /// All of them.
        pub const REASONS: &[&Reason] = &[$(&$name),*];
    };
}

reasons! {
    AMBIGUOUS = "token_ambiguous", BAD_REQUEST, "The request has more than one token, or one in an odd form.";
    WITHOUT_TLS = "token_without_tls", UNAUTHORIZED, "The API takes tokens over TLS only.";
    MALFORMED = "token_malformed", UNAUTHORIZED.counted_as_guess, "The token cannot be read.";
    ALGORITHM = "token_algorithm", UNAUTHORIZED.counted_as_guess, "The token is signed or encrypted in a way that is not accepted.";
    SIGNATURE = "token_signature", UNAUTHORIZED.counted_as_guess, "The signature of the token is not that of its issuer.";
    TYPE = "token_type", UNAUTHORIZED.counted_as_guess, "The token is of another kind than the API asks for.";
    EXPIRED = "token_expired", UNAUTHORIZED, "The token has expired.";
    NOT_YET = "token_not_yet_valid", UNAUTHORIZED, "The token is not valid yet.";
    ISSUER = "token_issuer", UNAUTHORIZED.counted_as_guess, "The token is not of an authorization server that the API trusts.";
    AUDIENCE = "token_audience", UNAUTHORIZED.counted_as_guess, "The token is for somebody else.";
    CLAIMS = "token_claims", UNAUTHORIZED.counted_as_guess, "The token lacks something, or has something wrong.";
    INACTIVE = "token_inactive", UNAUTHORIZED.counted_as_guess, "The authorization server does not know the token, or has revoked it.";
    NOT_BOUND = "token_not_bound", UNAUTHORIZED.counted_as_guess, "The token is bound to a key or a certificate that the client did not show.";
    PROOF = "token_proof", UNAUTHORIZED.counted_as_guess, "The proof that the client holds the key of the token is wrong.";
    SCOPE = "scope_insufficient", FORBIDDEN, "The token does not have a scope that the API asks for.";
    UNAVAILABLE = "token_check_unavailable", SERVICE_UNAVAILABLE, "The token cannot be checked at the moment. Try again later.";
}

/// The error of RFC 9449 for proofs.
pub(super) const INVALID_PROOF: &str = "invalid_dpop_proof";

/// The reason for what is wrong with a token.
pub(super) fn of(why: Why) -> &'static Reason {
    match why {
        Why::Malformed => &MALFORMED,
        Why::Algorithm => &ALGORITHM,
        Why::UnknownKey | Why::Signature => &SIGNATURE,
        Why::Type => &TYPE,
        Why::Expired => &EXPIRED,
        Why::NotYetValid => &NOT_YET,
        Why::Issuer => &ISSUER,
        Why::Audience => &AUDIENCE,
        Why::Claims => &CLAIMS,
    }
}

/// What clients are told of it (RFC 6750, 3.1); `None` for reasons that have nothing to do with tokens.
pub(super) fn error(reason: &'static Reason) -> Option<&'static str> {
    let is = |one: &'static Reason| std::ptr::eq(reason, one);
    if is(&AMBIGUOUS) || is(&WITHOUT_TLS) {
        Some("invalid_request")
    } else if is(&SCOPE) {
        Some("insufficient_scope")
    } else if is(&PROOF) {
        Some(INVALID_PROOF)
    } else if is(&UNAVAILABLE) {
        None
    } else {
        REASONS.iter().any(|one| is(one)).then_some("invalid_token")
    }
}
