//! One answer that is kept: how old it is, whether it may be given out, and what is made of it.

use std::time::Duration;

use bytes::Bytes;
use engine::{Exchange, HeaderText, Headers, Outcome, Timestamp};
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{
        AGE, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE,
        CONTENT_TYPE, DATE, ETAG, EXPIRES, IF_MODIFIED_SINCE, LAST_MODIFIED, PROXY_AUTHENTICATE, TE, TRAILER,
        TRANSFER_ENCODING, UPGRADE, VARY,
    },
};

use super::{
    control::{Directives, age, date, none_match, split_list},
    store::Version,
};

/// Headers of a request with the values that they had.
pub type Varied = Vec<(HeaderName, Vec<Box<[u8]>>)>;

/// An answer that is kept.
#[derive(Debug, Clone)]
pub struct Stored {
    pub status: StatusCode,
    pub headers: Headers,
    pub body: Bytes,
    /// The headers of the request that Vary names.
    pub vary: Varied,
    /// When the request was sent; its answer cannot be older than that and its own Age.
    asked: Timestamp,
    age: Duration,
    lifetime: Duration,
    /// It may not be given out stale, whatever a client accepts.
    pub must_revalidate: bool,
    pub version: Version,
}

/// What belongs to a connection and not to an answer, or is written anew for each.
const NOT_KEPT: [HeaderName; 8] =
    [AGE, CONNECTION, CONTENT_LENGTH, PROXY_AUTHENTICATE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// What an answer 304 has (RFC 9110, 15.4.5).
const IN_304: [HeaderName; 7] = [CACHE_CONTROL, CONTENT_LOCATION, DATE, ETAG, EXPIRES, LAST_MODIFIED, VARY];

/// What a 304 does not change: it is about the body, which the 304 does not have.
const OF_THE_BODY: [HeaderName; 3] = [CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE];

fn is_one_of(name: &[u8], list: &[HeaderName]) -> bool {
    list.iter().any(|known| name.eq_ignore_ascii_case(known.as_str().as_bytes()))
}

/// Headers in memory of their own: what came over the network would be kept with everything that it came with.
fn own<'h>(lines: impl Iterator<Item = (&'h [u8], &'h [u8])>) -> Headers {
    let parse =
        |(name, value)| Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?));
    lines.filter_map(parse).collect()
}

/// The values of the headers that Vary names; `None` when no two requests can share the answer.
pub fn vary(answer: &Headers, request: &Headers) -> Option<Varied> {
    let mut names = Vec::new();
    for value in answer.get_all(&VARY) {
        for name in split_list(value.as_bytes()) {
            // `*` is a token, too.
            let name = HeaderName::from_bytes(name).ok().filter(|name| name.as_str() != "*")?;
            names.push(name);
        }
    }
    names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    names.dedup();
    let values = |name: HeaderName| {
        let values = request.get_all(&name).map(|value| value.as_bytes().into()).collect();
        (name, values)
    };
    Some(names.into_iter().map(values).collect())
}

impl Stored {
    /// The answer of an exchange, without its body.
    pub fn new(
        exchange: &Exchange,
        vary: Varied,
        lifetime: Duration,
        must_revalidate: bool,
        version: Version,
    ) -> Self {
        let answer = &exchange.response_headers;
        Self {
            status: exchange.status,
            headers: own(answer.lines().filter(|(name, _)| !is_one_of(name, &NOT_KEPT))),
            body: Bytes::new(),
            vary,
            asked: exchange.started,
            age: Duration::from_secs(age(answer)),
            lifetime,
            must_revalidate,
            version,
        }
    }

    pub fn with_body(self, body: Bytes) -> Self {
        Self { body, ..self }
    }

    /// The same after an upstream said, with a 304, that it has not changed.
    pub fn renewed(
        &self,
        exchange: &Exchange,
        lifetime: Duration,
        must_revalidate: bool,
        version: Version,
    ) -> Self {
        Self {
            headers: self.headers_after(&exchange.response_headers),
            asked: exchange.started,
            age: Duration::from_secs(age(&exchange.response_headers)),
            lifetime,
            must_revalidate,
            version,
            ..self.clone()
        }
    }

    /// Its headers with what a 304 says anew (RFC 9111, 3.2).
    pub fn headers_after(&self, answer: &Headers) -> Headers {
        let new = |name: &[u8]| !is_one_of(name, &NOT_KEPT) && !is_one_of(name, &OF_THE_BODY);
        let kept = self.headers.lines().filter(|(name, _)| {
            !(new(name) && std::str::from_utf8(name).is_ok_and(|name| answer.contains_key(name)))
        });
        own(kept.chain(answer.lines().filter(|(name, _)| new(name))))
    }

    /// Bytes that it takes, nearly.
    pub fn weight(&self) -> usize {
        let lines: usize = self.headers.lines().map(|(name, value)| name.len() + value.len() + 16).sum();
        let vary: usize = self.vary.iter().flat_map(|(_, values)| values).map(|value| value.len() + 48).sum();
        size_of::<Self>() + self.body.len() + lines + vary
    }

    /// Whether it answers a request with these headers.
    pub fn is_for(&self, request: &Headers) -> bool {
        self.vary.iter().all(|(name, values)| {
            request.get_all(name).map(HeaderText::as_bytes).eq(values.iter().map(|value| &**value))
        })
    }

    fn age_at(&self, now: Timestamp) -> Duration {
        self.age + now.since(self.asked)
    }

    /// Whether it may be given out without asking, as far as the client has wishes.
    pub fn is_usable(&self, now: Timestamp, wishes: &Directives) -> bool {
        let age = self.age_at(now);
        if wishes.no_cache || wishes.max_age.is_some_and(|most| age > Duration::from_secs(most)) {
            return false;
        }
        match self.lifetime.checked_sub(age).filter(|left| !left.is_zero()) {
            Some(left) => wishes.min_fresh.is_none_or(|least| left >= Duration::from_secs(least)),
            None => {
                !self.must_revalidate
                    && wishes.max_stale.is_some_and(|most| age - self.lifetime <= Duration::from_secs(most))
            }
        }
    }

    /// Whether an upstream can be asked if it has changed.
    pub fn has_validator(&self) -> bool {
        self.headers.contains_key(ETAG) || self.headers.contains_key(LAST_MODIFIED)
    }

    /// Answers a request with it; `conditions` are the headers that the client sent. 304 when it has it already.
    pub fn answer(&self, exchange: &mut Exchange, conditions: &Headers) -> Outcome {
        let known = self.status == StatusCode::OK && self.is_known(conditions);
        let mut headers = match known {
            true => own(self.headers.lines().filter(|(name, _)| is_one_of(name, &IN_304))),
            false => self.headers.clone(),
        };
        headers.insert(AGE, HeaderValue::from(self.age_at(exchange.started).as_secs()));
        if known {
            return exchange.answer_with(StatusCode::NOT_MODIFIED, headers, Bytes::new());
        }
        // Also for HEAD, which gets no body that could be counted.
        if !matches!(self.status, StatusCode::NO_CONTENT) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        }
        exchange.answer_with(self.status, headers, self.body.clone())
    }

    /// Whether the client has it already, by what it sent.
    fn is_known(&self, conditions: &Headers) -> bool {
        let tag = self.headers.get(ETAG).map_or(&b""[..], |tag| tag.as_bytes());
        if let Some(matches) = none_match(conditions, tag) {
            return matches;
        }
        let since = conditions.get(IF_MODIFIED_SINCE).and_then(date);
        // Without one, it is as old as its Date, or as it is here (RFC 9111, 4.3.2).
        let modified = self
            .headers
            .get(LAST_MODIFIED)
            .or_else(|| self.headers.get(DATE))
            .map_or(Some(self.asked.into()), date);
        since.zip(modified).is_some_and(|(since, modified)| modified <= since)
    }
}
