//! By an API key, in a header, the query or a cookie.

use std::borrow::Cow;

use engine::{Exchange, compile::applications::sha256};
use http::{HeaderName, HeaderValue, header::COOKIE};

use super::{
    ELSEWHERE, EXPIRED, UNKNOWN,
    identifier::{Finding, Found, Identifier},
};
use crate::sent_key::{Repeated, in_header, in_query, only};

pub(super) struct ByApiKey {
    pub header: Option<HeaderName>,
    pub query: String,
    pub cookie: String,
}

impl Identifier for ByApiKey {
    fn identify<'a>(&'a self, exchange: &'a Exchange) -> Found<'a> {
        Found::Now(self.find(exchange))
    }

    /// Also keys that were not looked at, or wrong: they do not belong into logs, nor upstream.
    fn strip(&self, exchange: &mut Exchange, _: bool) {
        if let Some(name) = &self.header {
            exchange.headers.remove(name);
        }
        if !self.query.is_empty() {
            exchange.remove_query_parameter(&self.query);
        }
        if !self.cookie.is_empty() {
            self.strip_cookie(exchange);
        }
    }

    fn credential(&self) -> Option<HeaderName> {
        self.header.clone()
    }

    fn challenge(&self, _: &Exchange) -> Option<HeaderValue> {
        Some(HeaderValue::from_static("APIKey"))
    }
}

impl ByApiKey {
    fn find(&self, exchange: &Exchange) -> Finding {
        let key = match self.key(exchange) {
            None => return Finding::Absent,
            Some(Ok(key)) => key,
            Some(Err(Repeated)) => return Finding::Wrong(&UNKNOWN, "more than one key".to_owned()),
        };
        let applications = &exchange.snapshot.applications;
        let Some(entry) = applications.by_key(&sha256(&key)) else {
            return Finding::Wrong(&UNKNOWN, String::new());
        };
        let name = || applications.get(entry.application).map_or("?", |application| &application.name);
        if entry.expires.is_some_and(|expires| expires <= exchange.started) {
            return Finding::Wrong(&EXPIRED, format!("application {}", name()));
        }
        if !entry.admits(&exchange.client, &exchange.headers) {
            return Finding::Wrong(&ELSEWHERE, format!("application {}", name()));
        }
        entry.used.at(exchange.started);
        Finding::proven(vec![entry.application])
    }

    /// The key of the first place that has one.
    fn key<'a>(&self, exchange: &'a Exchange) -> Option<Result<Cow<'a, [u8]>, Repeated>> {
        let in_header = self.header.as_ref().and_then(|name| in_header(exchange, name));
        if in_header.is_some() || self.query.is_empty() && self.cookie.is_empty() {
            return in_header.map(|key| key.map(Into::into));
        }
        let in_query = if self.query.is_empty() { None } else { in_query(exchange, &self.query) };
        if in_query.is_some() || self.cookie.is_empty() {
            return in_query.map(|key| key.map(Into::into));
        }
        let cookies = exchange.headers.get_all(&COOKIE).flat_map(|value| pairs(value.as_bytes()));
        only(cookies.filter_map(|pair| pair.strip_prefix(self.cookie.as_bytes())?.strip_prefix(b"=")))
            .map(|key| key.map(Into::into))
    }

    fn strip_cookie(&self, exchange: &mut Exchange) {
        let is_key = |pair: &&[u8]| {
            pair.strip_prefix(self.cookie.as_bytes()).is_some_and(|rest| rest.starts_with(b"="))
        };
        let sent: Vec<HeaderValue> =
            exchange.headers.get_all(&COOKIE).map(|value| value.to_value()).collect();
        if !sent.iter().any(|value| pairs(value.as_bytes()).any(|pair| is_key(&pair))) {
            return;
        }
        exchange.headers.remove(COOKIE);
        for value in sent {
            let rest: Vec<&[u8]> = pairs(value.as_bytes()).filter(|pair| !is_key(pair)).collect();
            // What is left of a valid value is one.
            if let Ok(value) = HeaderValue::from_bytes(&rest.join(&b"; "[..]))
                && !value.is_empty()
            {
                exchange.headers.append(COOKIE, value);
            }
        }
    }
}

fn pairs(cookies: &[u8]) -> impl Iterator<Item = &[u8]> {
    cookies.split(|b| *b == b';').map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty())
}
