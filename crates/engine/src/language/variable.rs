//! Variables: what `${…}` stands for, and its value for a request.

use std::{borrow::Cow, sync::Arc};

use http::{HeaderName, Method, StatusCode, Uri};
use model::Diagnostic;
use regex::bytes::Regex;

use super::{
    LanguageCx, Selector, escape::Escape, json::text_of, parse, select::first_match, system::System,
};
use crate::{
    Exchange, HeaderText, Headers, Needs, Payload,
    route::{decode_query, encode_path, parameter},
};

/// A variable, compiled.
#[derive(Debug)]
pub struct Variable {
    pub(super) text: Box<str>,
    pub(super) source: Source,
}

/// Where a value comes from.
#[derive(Debug)]
pub(super) enum Source {
    Message(Message, Part),
    CorrelationId,
    Authorization(Authorized),
    Claim(Box<str>),
    Application(Consumer),
    System(System),
    /// A field of the transaction event.
    Field(Box<str>),
    /// A custom variable, else an alias.
    Named(Box<str>, Option<Arc<str>>),
}

/// Which message is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    Request,
    Response,
    /// Those of a call-out, by its name.
    CallRequest(Box<str>),
    CallResponse(Box<str>),
}

/// What of a message is looked at.
#[derive(Debug)]
pub(super) enum Part {
    Header(HeaderName),
    Query(Box<str>),
    Path,
    PathParameter(Box<str>),
    PathRegex(Regex),
    Method,
    StatusCode,
    StatusMessage,
    Payload,
    Selected(Box<Selector>),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Authorized {
    ClientId,
    UserName,
    Groups,
    ApiKey,
    IncomingToken,
    Issuer,
    Audience,
}

#[derive(Debug)]
pub(super) enum Consumer {
    Name,
    Description,
    Version,
    Attribute(Box<str>),
}

/// A message, wherever it is kept.
struct View<'e> {
    method: &'e Method,
    uri: &'e Uri,
    path: &'e str,
    headers: &'e Headers,
    status: &'e StatusCode,
    payload: Option<&'e Payload>,
}

impl Variable {
    /// Compiles `${request.headers.X}`, which may also be written without `${` and `}`.
    pub fn compile(text: &str, cx: &mut LanguageCx) -> Result<Self, Diagnostic> {
        let text = text.trim();
        let inner = text.strip_prefix("${").and_then(|inner| inner.strip_suffix('}')).unwrap_or(text);
        parse::variable(inner, cx)
    }

    /// Its name, as it was written.
    pub fn name(&self) -> &str {
        &self.text
    }

    /// The value; `None` when the request has no such thing.
    pub fn value<'e>(&'e self, exchange: &'e Exchange) -> Option<Cow<'e, str>> {
        match &self.source {
            Source::Message(message, part) => part.value(message, &message.view(exchange)?, exchange),
            Source::CorrelationId => Some(Cow::Owned(exchange.id.to_string())),
            Source::Authorization(what) => {
                let known = exchange.authorization()?;
                let value = match what {
                    Authorized::ClientId => known.client_id.as_deref(),
                    Authorized::UserName => known.user_name.as_deref(),
                    // As JSON, like other lists: a name may have anything in it.
                    Authorized::Groups if known.groups.is_empty() => return None,
                    Authorized::Groups => return serde_json::to_string(&known.groups).ok().map(Cow::Owned),
                    Authorized::ApiKey => known.api_key.as_deref(),
                    Authorized::IncomingToken => known.incoming_token.as_deref(),
                    Authorized::Issuer => known.issuer.as_deref(),
                    Authorized::Audience => known.audience.as_deref(),
                };
                value.map(Cow::Borrowed)
            }
            Source::Claim(name) => {
                let claims = exchange.authorization()?.claims.as_deref()?;
                // A name with dots is often a URL, and otherwise a way into nested claims.
                let found = claims
                    .get(&**name)
                    .or_else(|| name.split('.').try_fold(claims, |value, name| value.get(name)));
                found.map(text_of)
            }
            Source::Application(what) => {
                let application = exchange.application()?;
                match what {
                    Consumer::Name => Some(Cow::Borrowed(&application.name)),
                    Consumer::Description => application.description.as_deref().map(Cow::Borrowed),
                    Consumer::Version => application.version.as_deref().map(Cow::Borrowed),
                    Consumer::Attribute(name) => {
                        application.attributes.get(name).map(|v| Cow::Borrowed(&**v))
                    }
                }
            }
            Source::System(system) => system.value(exchange),
            Source::Field(name) => exchange.transaction_field(name).map(Cow::Borrowed),
            Source::Named(name, alias) => exchange.variable(name).or(alias.as_deref()).map(Cow::Borrowed),
        }
    }

    /// The value as it may stand in a text; empty when there is none.
    pub(super) fn escaped<'e>(&'e self, exchange: &'e Exchange, escape: Escape) -> Cow<'e, str> {
        if let Some(value) = self.in_url(exchange, escape) {
            return value;
        }
        self.value(exchange).map(|value| escape.apply(value)).unwrap_or_default()
    }

    /// What is a path or a query already keeps its delimiters in a URL.
    fn in_url<'e>(&'e self, exchange: &'e Exchange, escape: Escape) -> Option<Cow<'e, str>> {
        match (&self.source, escape) {
            (Source::Message(message, Part::Path), Escape::UrlPath) => {
                Some(encode_path(message.view(exchange)?.path))
            }
            // Who writes an alias means its slashes.
            (Source::Named(name, Some(alias)), Escape::UrlPath) if exchange.variable(name).is_none() => {
                Some(encode_path(alias))
            }
            (Source::System(system), Escape::UrlPath) => system.encoded_path(exchange),
            (Source::System(system), Escape::UrlQuery) if system.is_query() => system.value(exchange),
            _ => None,
        }
    }

    /// What has to be there for it.
    pub fn needs(&self) -> Needs {
        let is_payload = matches!(self.source, Source::Message(_, Part::Payload | Part::Selected(_)));
        Needs {
            request_body: is_payload && matches!(self.source, Source::Message(Message::Request, _)),
            response_body: is_payload && matches!(self.source, Source::Message(Message::Response, _)),
            error_body: matches!(self.source, Source::System(System::ErrorNative)),
            ..Needs::default()
        }
    }
}

impl Message {
    fn view<'e>(&self, exchange: &'e Exchange) -> Option<View<'e>> {
        let of_call = |name: &str, response: bool| {
            let call = exchange.result(name)?;
            let (headers, payload) = match response {
                true => (&call.response_headers, &call.response_payload),
                false => (&call.request_headers, &call.request_payload),
            };
            Some(View {
                method: &call.method,
                uri: &call.uri,
                path: call.uri.path(),
                headers,
                status: &call.status,
                payload: payload.as_ref(),
            })
        };
        let (headers, payload) = match self {
            Self::Request => (&exchange.headers, &exchange.request_payload),
            Self::Response => (&exchange.response_headers, &exchange.response_payload),
            Self::CallRequest(name) => return of_call(name, false),
            Self::CallResponse(name) => return of_call(name, true),
        };
        Some(View {
            method: &exchange.method,
            uri: &exchange.uri,
            path: exchange.resource_path(),
            headers,
            status: &exchange.status,
            payload: payload.as_ref(),
        })
    }
}

impl Part {
    fn value<'e>(&self, message: &Message, view: &View<'e>, exchange: &'e Exchange) -> Option<Cow<'e, str>> {
        match self {
            Self::Header(name) => header(view.headers, name),
            Self::Query(name) => query(view.uri, name),
            Self::Path => Some(Cow::Borrowed(view.path)),
            Self::PathParameter(name) => {
                let operation = match message {
                    Message::Request => {
                        exchange.api().and_then(|api| api.operation_names(exchange.operation))
                    }
                    _ => None,
                };
                parameter(operation.map_or("", |operation| &operation.path), view.path, name)
            }
            Self::PathRegex(regex) => first_match(regex, view.path.as_bytes()),
            Self::Method => Some(Cow::Borrowed(view.method.as_str())),
            Self::StatusCode => Some(Cow::Borrowed(view.status.as_str())),
            Self::StatusMessage => view.status.canonical_reason().map(Cow::Borrowed),
            Self::Payload => view.payload.map(|payload| String::from_utf8_lossy(payload.bytes())),
            Self::Selected(selector) => selector.text(view.payload?),
        }
    }
}

/// All values of a header, as one list.
pub(super) fn header<'e>(headers: &'e Headers, name: &HeaderName) -> Option<Cow<'e, str>> {
    let mut values = headers.get_all(name).map(HeaderText::to_text);
    let first = values.next()?;
    Some(values.fold(first, |list, value| list + ", " + value))
}

/// The first value of a query parameter, decoded.
pub(super) fn query<'e>(uri: &'e Uri, name: &str) -> Option<Cow<'e, str>> {
    uri.query()?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode_query(key) == name).then(|| decode_query(value))
    })
}

#[cfg(test)]
mod tests;
