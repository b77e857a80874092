//! Where a request carries its token (RFC 6750, 2; RFC 9449, 7.1).

use engine::Exchange;
use http::{HeaderName, header::AUTHORIZATION};

/// A token as it was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent<'a> {
    pub token: &'a str,
    pub scheme: Scheme,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Whoever has it may use it.
    Bearer,
    /// It comes with a proof.
    DPoP,
}

/// The token; `None` without one, and what is wrong where it is not clear which one is meant.
pub(super) fn token<'a>(
    exchange: &'a Exchange,
    header: &HeaderName,
    query: &str,
) -> Option<Result<Sent<'a>, &'static str>> {
    let mut values = exchange.headers.get_all(header);
    let in_header = match (values.next(), values.next()) {
        (None, _) => None,
        (Some(value), None) => of_header(value.as_bytes(), *header == AUTHORIZATION),
        // Of several, one server reads the first and another the last.
        (Some(_), Some(_)) => {
            let any = exchange
                .headers
                .get_all(header)
                .any(|value| of_header(value.as_bytes(), *header == AUTHORIZATION).is_some());
            any.then_some(Err("it is there more than once"))
        }
    };
    if query.is_empty() {
        return in_header;
    }
    let pairs = exchange.uri.query().unwrap_or("").split('&');
    let mut in_query = pairs.filter_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name == query).then_some(value)
    });
    match (in_header, in_query.next(), in_query.next()) {
        (in_header, None, _) => in_header,
        (None, Some(token), None) => Some(of_text(token, Scheme::Bearer)),
        (Some(_), Some(_), _) | (_, _, Some(_)) => Some(Err("it is there more than once")),
    }
}

/// The token of a header. `Authorization` with another scheme has none.
fn of_header(value: &[u8], needs_scheme: bool) -> Option<Result<Sent<'_>, &'static str>> {
    let Ok(text) = std::str::from_utf8(value) else {
        return (!needs_scheme).then_some(Err("it has characters that no token has"));
    };
    let (scheme, rest) = match text.split_once(' ') {
        Some((name, rest)) if name.eq_ignore_ascii_case("bearer") => (Scheme::Bearer, rest),
        Some((name, rest)) if name.eq_ignore_ascii_case("dpop") => (Scheme::DPoP, rest),
        None if text.eq_ignore_ascii_case("bearer") || text.eq_ignore_ascii_case("dpop") => {
            return Some(Err("there is a scheme and no token"));
        }
        _ if needs_scheme => return None,
        _ => (Scheme::Bearer, text),
    };
    Some(of_text(rest.trim_matches(' '), scheme))
}

/// RFC 6750, 2.1: nothing that has to be escaped anywhere.
fn of_text(token: &str, scheme: Scheme) -> Result<Sent<'_>, &'static str> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
    match token.bytes().all(fits) {
        true if !token.is_empty() => Ok(Sent { token, scheme }),
        true => Err("there is no token in it"),
        false => Err("it has characters that no token has"),
    }
}
