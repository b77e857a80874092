//! Where callback URLs are in a request: read as OpenAPI writes it, found, and written anew.

use std::borrow::Cow;

use engine::{
    Exchange, Payload, Problem, Rejection,
    route::{decode_query, encode_query},
};
use http::{HeaderName, HeaderValue, Uri};
use model::settings::ContentTypes;
use serde_json::Value;

use super::{BODY_UNREADABLE, Sealing, URL_REFUSED};
use crate::media;

/// A place in requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// JSON pointer into the body; empty for the body itself.
    Body(Box<str>),
    /// Name of a query parameter, decoded.
    Query(Box<str>),
    Header(HeaderName),
}

const WHOLE: &str = "expected an expression for a URL, at its beginning";

impl Place {
    /// Reads a runtime expression (OpenAPI 3.1, 4.8.20.4), or a text with one at its beginning: what follows is added by
    /// whoever calls back.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let expression = match text.strip_prefix('{') {
            Some(rest) => rest.split_once('}').ok_or("expected a `}` at the end of the expression")?.0,
            None => text,
        };
        let source = expression.strip_prefix("$request.").ok_or(WHOLE)?;
        if let Some(name) = source.strip_prefix("query.").filter(|name| !name.is_empty()) {
            return Ok(Self::Query(name.into()));
        }
        if let Some(name) = source.strip_prefix("header.") {
            let name =
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| "expected the name of a header")?;
            return Ok(Self::Header(name));
        }
        match source.strip_prefix("body").map(|rest| rest.strip_prefix('#').unwrap_or(rest)) {
            Some(pointer) if pointer.is_empty() || (pointer.starts_with('/') && source.contains('#')) => {
                Ok(Self::Body(pointer.into()))
            }
            _ => Err("expected `body#/…`, `query.…` or `header.…` of the request"),
        }
    }
}

/// Replaces all values of a query parameter; returns how many.
pub(super) fn in_query(
    exchange: &mut Exchange,
    name: &str,
    with: &Sealing<'_>,
) -> Result<usize, Box<Rejection>> {
    let Some(query) = exchange.uri.query() else { return Ok(0) };
    let mut replaced = 0;
    let mut pairs: Vec<Cow<'_, str>> = Vec::new();
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if value.is_empty() || decode_query(key) != name {
            pairs.push(Cow::Borrowed(pair));
            continue;
        }
        let sealed = with.seal(exchange, &decode_query(value), &format!("query.{name}"))?;
        pairs.push(Cow::Owned(format!("{key}={}", encode_query(&sealed))));
        replaced += 1;
    }
    if replaced > 0 {
        let target = format!("{}?{}", exchange.uri.path(), pairs.join("&"));
        let uri = Uri::try_from(target)
            .map_err(|_| Rejection::new(&URL_REFUSED).detail("the query would be too long"))?;
        exchange.keep_inbound();
        exchange.uri = uri;
    }
    Ok(replaced)
}

/// Replaces all values of a header; returns how many.
pub(super) fn in_header(
    exchange: &mut Exchange,
    name: &HeaderName,
    with: &Sealing<'_>,
) -> Result<usize, Box<Rejection>> {
    let mut sealed = Vec::new();
    for value in exchange.headers.get_all(name).filter(|value| !value.as_bytes().is_empty()) {
        let url = with.seal(exchange, &value.to_text(), &format!("header.{name}"))?;
        let value = HeaderValue::try_from(url);
        sealed.push(value.map_err(|_| Rejection::new(&engine::reason::INTERNAL_ERROR))?);
    }
    if !sealed.is_empty() {
        exchange.headers.remove(name);
        sealed.iter().for_each(|value| exchange.headers.append(name, value));
    }
    Ok(sealed.len())
}

/// Replaces what is at pointers into the body; returns how many.
pub(super) fn in_body<'p>(
    exchange: &mut Exchange,
    pointers: impl Iterator<Item = &'p str> + Clone,
    types: &ContentTypes,
    with: &Sealing<'_>,
) -> Result<usize, Box<Rejection>> {
    if pointers.clone().next().is_none() {
        return Ok(0);
    }
    let Some(payload) = exchange.request_payload.as_ref().filter(|payload| !payload.bytes().is_empty())
    else {
        return Ok(0);
    };
    let unreadable = |detail: &'static str| Rejection::new(&BODY_UNREADABLE).detail(detail);
    if media::is_encoded(&exchange.headers) {
        return Err(unreadable("the body is compressed"));
    }
    let is_form = media::of(&exchange.headers).is_some_and(|essence| essence == media::FORM);
    let kind = media::kind_of(types, &exchange.headers, payload.bytes());
    let (bytes, replaced) = if kind == Some(media::Kind::Json) {
        in_json(exchange, payload, pointers, with)?
    } else if is_form {
        let text = std::str::from_utf8(payload.bytes()).map_err(|_| unreadable("the form is not UTF-8"))?;
        in_form(exchange, text, pointers, with)?
    } else {
        return Err(unreadable("the body is neither JSON nor a form"));
    };
    // Written anew also where nothing was found: of a name that is there twice, one reader takes the first and another
    // one the last.
    exchange.headers.remove_of_body();
    exchange.request_payload.get_or_insert_default().replace(bytes);
    Ok(replaced)
}

fn in_json<'p>(
    exchange: &Exchange,
    payload: &Payload,
    pointers: impl Iterator<Item = &'p str>,
    with: &Sealing<'_>,
) -> Result<(Vec<u8>, usize), Box<Rejection>> {
    let json =
        payload.json().ok_or_else(|| Rejection::new(&BODY_UNREADABLE).detail("the body is no JSON"))?;
    let mut json = json.clone();
    let mut replaced = 0;
    for pointer in pointers {
        let Some(found) = json.pointer_mut(pointer) else { continue };
        let place = format!("body{pointer}");
        let list = match found {
            Value::Array(list) => &mut list[..],
            one => std::slice::from_mut(one),
        };
        for value in list {
            match value {
                Value::Null => {}
                Value::String(url) if url.is_empty() => {}
                Value::String(url) => {
                    *url = with.seal(exchange, url, &place)?;
                    replaced += 1;
                }
                _ => {
                    let problem =
                        Problem { location: place.into(), message: "it is no text, expected a URL".into() };
                    return Err(Rejection::new(&URL_REFUSED).problems([problem]));
                }
            }
        }
    }
    // What was read as JSON can be written as JSON.
    Ok((serde_json::to_vec(&json).unwrap_or_default(), replaced))
}

fn in_form<'p>(
    exchange: &Exchange,
    form: &str,
    pointers: impl Iterator<Item = &'p str> + Clone,
    with: &Sealing<'_>,
) -> Result<(Vec<u8>, usize), Box<Rejection>> {
    let mut replaced = 0;
    let mut pairs: Vec<Cow<'_, str>> = Vec::new();
    for pair in form.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode_query(key);
        let wanted = |pointer: &str| {
            let own = pointer.strip_prefix('/').map(|own| own.replace("~1", "/").replace("~0", "~"));
            own.is_some_and(|own| own == *name)
        };
        if value.is_empty() || !pointers.clone().any(wanted) {
            pairs.push(Cow::Borrowed(pair));
            continue;
        }
        let sealed = with.seal(exchange, &decode_query(value), &format!("body/{name}"))?;
        pairs.push(Cow::Owned(format!("{key}={}", encode_query(&sealed))));
        replaced += 1;
    }
    Ok((pairs.join("&").into_bytes(), replaced))
}
