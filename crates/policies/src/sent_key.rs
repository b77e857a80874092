//! Keys as clients send them. Where one place has several, which of them counts would be a guess: another reader, such as
//! the upstream or a log, could guess otherwise.

use engine::Exchange;
use http::HeaderName;

/// A place has more than one key.
#[derive(Debug, PartialEq, Eq)]
pub struct Repeated;

/// The only one; `None` when there is none.
pub fn only<T>(mut keys: impl Iterator<Item = T>) -> Option<Result<T, Repeated>> {
    let first = keys.next()?;
    Some(if keys.next().is_none() { Ok(first) } else { Err(Repeated) })
}

pub fn in_header<'a>(exchange: &'a Exchange, name: &HeaderName) -> Option<Result<&'a [u8], Repeated>> {
    only(exchange.headers.get_all(name).map(|value| value.as_bytes()))
}

/// As it was sent, since keys are letters and digits.
pub fn in_query<'a>(exchange: &'a Exchange, name: &str) -> Option<Result<&'a [u8], Repeated>> {
    let pairs = exchange.uri.query().unwrap_or("").split('&');
    only(pairs.filter_map(|pair| {
        let (found, value) = pair.split_once('=').unwrap_or((pair, ""));
        (found == name).then_some(value.as_bytes())
    }))
}
