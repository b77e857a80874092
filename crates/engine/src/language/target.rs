//! Targets: variables that can be written, and what writing means for the request or the response.

use std::borrow::Cow;

use http::{
    HeaderName, HeaderValue, Method, StatusCode, Uri, header::ACCEPT, header::CONTENT_TYPE, uri::PathAndQuery,
};
use model::{Diagnostic, diagnostic::nearest};

use super::{
    LanguageCx, Variable,
    escape::Escape,
    json::{self, Step},
    names,
    parse::{self, expression, header_name},
};
use crate::{
    Exchange, Needs, Payload, Side,
    route::{decode, decode_query, encode_path, encode_query, with_parameter},
};

/// Headers that say how a message is framed, or that the gateway itself answers for. No policy writes them.
pub const OWN_HEADERS: [&str; 10] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
];

const WRITABLE: &[&str] = &[
    "request.headers.NAME",
    "request.query.NAME",
    "request.path",
    "request.path.NAME",
    "request.httpMethod",
    "request.payload",
    "request.payload.jsonPath[…]",
    "response.headers.NAME",
    "response.statusCode",
    "response.payload",
    "response.payload.jsonPath[…]",
    "customTransactionFields.NAME",
];

/// A variable that can be written, compiled.
#[derive(Debug)]
pub struct Target {
    text: Box<str>,
    place: Place,
}

#[derive(Debug)]
enum Place {
    RequestHeader(HeaderName),
    ResponseHeader(HeaderName),
    Query(Box<str>),
    Path,
    PathParameter(Box<str>),
    Method,
    StatusCode,
    Payload { response: bool },
    JsonPath { response: bool, steps: Vec<Step> },
    Field(Box<str>),
    Variable(Box<str>),
}

/// Why a value could not be written; what it was written to is unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetError(pub Cow<'static, str>);

impl std::fmt::Display for SetError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SetError {}

impl Target {
    /// Compiles `${request.headers.X}`, which may also be written without `${` and `}`. A name of its own makes a
    /// custom variable, which templates compiled with the same context know afterwards.
    pub fn compile(text: &str, cx: &mut LanguageCx) -> Result<Self, Diagnostic> {
        let text = text.trim();
        let inner = text.strip_prefix("${").and_then(|inner| inner.strip_suffix('}')).unwrap_or(text);
        Ok(Self { text: inner.into(), place: place(inner, cx)? })
    }

    /// Its name, as it was written.
    pub fn name(&self) -> &str {
        &self.text
    }

    /// What has to be there to write into.
    pub fn needs(&self) -> Needs {
        let payload = match self.place {
            Place::Payload { response } | Place::JsonPath { response, .. } => Some(response),
            _ => None,
        };
        Needs {
            request_body: payload == Some(false),
            response_body: payload == Some(true),
            ..Needs::default()
        }
    }

    /// Writes a value, which is made to fit where it goes: it can never become a second header, parameter or segment.
    pub fn set(&self, exchange: &mut Exchange, value: &str) -> Result<(), SetError> {
        match &self.place {
            Place::RequestHeader(name) => {
                if *name == CONTENT_TYPE || *name == ACCEPT {
                    exchange.keep_inbound();
                }
                exchange.headers.insert(name, header_value(value)?);
            }
            Place::ResponseHeader(name) => {
                exchange.response_headers.insert(name, header_value(value)?);
            }
            Place::Query(name) => set_query(exchange, name, Some(value))?,
            Place::Path => {
                let value = encode_path(value);
                let path = if value.starts_with('/') { value } else { Cow::Owned(["/", &value].concat()) };
                set_path(exchange, &path)?;
            }
            Place::PathParameter(name) => {
                let path = exchange.resource_path();
                let operation = exchange.api().and_then(|api| api.operation_names(exchange.operation));
                let template = operation.map_or("", |operation| &operation.path);
                let path = with_parameter(template, path, name, value)
                    .ok_or_else(|| SetError(format!("the path has no parameter {name}").into()))?;
                set_path(exchange, &path)?;
            }
            Place::Method => {
                let method = Method::from_bytes(value.as_bytes()).ok().filter(|method| {
                    *method != Method::CONNECT && !value.bytes().any(|byte| byte.is_ascii_lowercase())
                });
                let method = method.ok_or_else(|| error("not an HTTP method", value))?;
                exchange.keep_inbound();
                exchange.method = method;
            }
            Place::StatusCode => {
                let status = value.trim().parse::<u16>().ok().filter(|status| (200..600).contains(status));
                let status = status.and_then(|status| StatusCode::from_u16(status).ok());
                exchange.status = status.ok_or_else(|| error("not a status from 200 to 599", value))?;
            }
            Place::Payload { response } => payload(exchange, *response).replace(value.to_owned()),
            Place::JsonPath { response, steps } => {
                let payload = existing(exchange, *response).ok_or(NO_JSON)?;
                change_json(payload, |json| json::write(json, steps, value))?;
            }
            Place::Field(name) => exchange.set_transaction_field(name, value),
            Place::Variable(name) => exchange.set_variable(name, value),
        }
        Ok(())
    }

    /// Which message it is part of; `None` for what policies keep beside both.
    pub fn side(&self) -> Option<Side> {
        match self.place {
            Place::RequestHeader(_)
            | Place::Query(_)
            | Place::Path
            | Place::PathParameter(_)
            | Place::Method => Some(Side::Request),
            Place::ResponseHeader(_) | Place::StatusCode => Some(Side::Response),
            Place::Payload { response } | Place::JsonPath { response, .. } => {
                Some(if response { Side::Response } else { Side::Request })
            }
            Place::Field(_) | Place::Variable(_) => None,
        }
    }

    /// Whether it can be taken away.
    pub fn is_removable(&self) -> bool {
        !matches!(self.place, Place::Path | Place::PathParameter(_) | Place::Method | Place::StatusCode)
    }

    /// Whether it is a whole body.
    pub fn is_payload(&self) -> bool {
        matches!(self.place, Place::Payload { .. })
    }

    /// Writes one more value beside those that are there. Only headers and query parameters can have several.
    pub fn add(&self, exchange: &mut Exchange, value: &str) -> Result<(), SetError> {
        match &self.place {
            Place::RequestHeader(name) => {
                if *name == CONTENT_TYPE || *name == ACCEPT {
                    exchange.keep_inbound();
                }
                exchange.headers.append(name, header_value(value)?);
            }
            Place::ResponseHeader(name) => exchange.response_headers.append(name, header_value(value)?),
            Place::Query(name) => {
                let pair = [&*encode_query(name), "=", &*encode_query(value)].concat();
                let path = exchange.uri.path();
                let target = match exchange.uri.query().filter(|query| !query.is_empty()) {
                    Some(query) => format!("{path}?{query}&{pair}"),
                    None => format!("{path}?{pair}"),
                };
                set_target(exchange, target)?;
            }
            _ => return Err(SetError(format!("{} has one value only", self.text).into())),
        }
        Ok(())
    }

    /// Takes it away. Of what must always be there, a body becomes empty, and a method or path stays.
    pub fn remove(&self, exchange: &mut Exchange) -> Result<(), SetError> {
        match &self.place {
            Place::RequestHeader(name) => {
                if *name == CONTENT_TYPE || *name == ACCEPT {
                    exchange.keep_inbound();
                }
                exchange.headers.remove(name);
            }
            Place::ResponseHeader(name) => {
                exchange.response_headers.remove(name);
            }
            Place::Query(name) => set_query(exchange, name, None)?,
            Place::Path | Place::PathParameter(_) | Place::Method | Place::StatusCode => {
                return Err(SetError(format!("{} cannot be removed", self.text).into()));
            }
            Place::Payload { response } => payload(exchange, *response).replace(""),
            Place::JsonPath { response, steps } => {
                // In nothing there is nothing to remove.
                let payload = existing(exchange, *response);
                if let Some(payload) = payload.filter(|payload| !payload.bytes().is_empty()) {
                    change_json(payload, |json| {
                        json::remove(json, steps);
                        true
                    })?;
                }
            }
            Place::Field(name) => exchange.remove_transaction_field(name),
            Place::Variable(name) => exchange.remove_variable(name),
        }
        Ok(())
    }
}

fn place(inner: &str, cx: &mut LanguageCx) -> Result<Place, Diagnostic> {
    let after = |prefix: &str| inner.strip_prefix(prefix).filter(|rest| !rest.is_empty());
    let header =
        |side: &str| after(&format!("{side}.headers.")).or_else(|| after(&format!("{side}.header.")));
    if let Some(name) = header("request") {
        return own(name).map(Place::RequestHeader);
    }
    if let Some(name) = header("response") {
        return own(name).map(Place::ResponseHeader);
    }
    for (side, response) in [("request", false), ("response", true)] {
        if let Some(path) = after(&format!("{side}.payload.")).and_then(|rest| expression(rest, "jsonPath")) {
            return Ok(Place::JsonPath { response, steps: json::singular(path)? });
        }
    }
    match inner {
        "request.path" => return Ok(Place::Path),
        "request.httpMethod" => return Ok(Place::Method),
        "request.payload" => return Ok(Place::Payload { response: false }),
        "response.payload" => return Ok(Place::Payload { response: true }),
        "response.statusCode" => return Ok(Place::StatusCode),
        _ => {}
    }
    if let Some(name) = after("request.query.") {
        return Ok(Place::Query(name.into()));
    }
    if let Some(name) = after("request.path.").filter(|name| expression(name, "regex").is_none()) {
        return Ok(Place::PathParameter(name.into()));
    }
    if let Some(name) = after("customTransactionFields.") {
        return names::field(name).map(Place::Field);
    }
    if names::is_plain(inner) && !names::roots().any(|root| root == inner) {
        cx.declare(inner);
        return Ok(Place::Variable(inner.into()));
    }
    // What does not exist is told as such; what can only be read, otherwise.
    let problem = match parse::variable(inner, cx) {
        Ok(Variable { .. }) => Diagnostic::error("", format!("found `${{{inner}}}`, which can only be read")),
        Err(_) => Diagnostic::error("", format!("found `${{{inner}}}`, which is no variable to write to")),
    };
    Err(problem.help(match nearest(inner, WRITABLE.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("expected one of {}, or a name of your own", WRITABLE.join(", ")),
    }))
}

fn own(name: &str) -> Result<HeaderName, Diagnostic> {
    let parsed = header_name(name)?;
    if OWN_HEADERS.contains(&parsed.as_str()) {
        return Err(Diagnostic::error("", format!("found `{name}`, which the gateway sets itself")));
    }
    Ok(parsed)
}

fn error(problem: &str, value: &str) -> SetError {
    let shown: String = value.chars().take(40).collect();
    SetError(format!("{problem}: {shown:?}").into())
}

fn header_value(value: &str) -> Result<HeaderValue, SetError> {
    let clean = Escape::Header.apply(Cow::Borrowed(value));
    HeaderValue::from_bytes(clean.trim().as_bytes()).map_err(|_| error("not the value of a header", value))
}

fn payload(exchange: &mut Exchange, response: bool) -> &mut Payload {
    let payload = if response { &mut exchange.response_payload } else { &mut exchange.request_payload };
    payload.get_or_insert_default()
}

/// The body, unless there is none or it streams past.
fn existing(exchange: &mut Exchange, response: bool) -> Option<&mut Payload> {
    if response { exchange.response_payload.as_mut() } else { exchange.request_payload.as_mut() }
}

const NO_JSON: SetError = SetError(Cow::Borrowed("the body is not JSON"));

fn change_json(
    payload: &mut Payload,
    change: impl FnOnce(&mut serde_json::Value) -> bool,
) -> Result<(), SetError> {
    let Some(mut json) = payload.json().cloned() else { return Err(NO_JSON) };
    if !change(&mut json) {
        return Err(SetError("the body has no such place".into()));
    }
    let bytes =
        serde_json::to_vec(&json).map_err(|_| SetError("the body cannot be written as JSON".into()))?;
    payload.replace(bytes);
    Ok(())
}

/// Puts another path below the API's base path. It is encoded already.
fn set_path(exchange: &mut Exchange, path: &str) -> Result<(), SetError> {
    // A path that climbs would leave the API that was decided on.
    decode(path, false).map_err(|_| error("not a path without dot segments and control characters", path))?;
    let base = exchange.uri.path().get(..exchange.base_length).unwrap_or_default();
    let target = match exchange.uri.query() {
        Some(query) => format!("{base}{path}?{query}"),
        None => format!("{base}{path}"),
    };
    set_target(exchange, target)
}

fn set_query(exchange: &mut Exchange, name: &str, value: Option<&str>) -> Result<(), SetError> {
    let query = exchange.uri.query().unwrap_or_default();
    let is_it = |pair: &&str| decode_query(pair.split_once('=').map_or(*pair, |(key, _)| key)) == name;
    let mut new = value.map(|value| [&*encode_query(name), "=", &*encode_query(value)].concat());
    let mut pairs: Vec<Cow<'_, str>> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        // The first one is replaced where it is; a second one would be another value for whoever takes the last.
        if !is_it(&pair) {
            pairs.push(Cow::Borrowed(pair));
        } else if let Some(new) = new.take() {
            pairs.push(Cow::Owned(new));
        }
    }
    pairs.extend(new.map(Cow::Owned));
    let path = exchange.uri.path();
    let target = if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) };
    set_target(exchange, target)
}

fn set_target(exchange: &mut Exchange, target: String) -> Result<(), SetError> {
    let target = PathAndQuery::try_from(target).map_err(|_| SetError("not a target of a request".into()))?;
    let mut parts = exchange.uri.clone().into_parts();
    parts.path_and_query = Some(target);
    let uri = Uri::from_parts(parts).map_err(|_| SetError("not a target of a request".into()))?;
    exchange.keep_inbound();
    exchange.uri = uri;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};

    fn target(text: &str) -> Result<Target, Diagnostic> {
        Target::compile(text, &mut LanguageCx::default())
    }

    fn read(text: &str, exchange: &Exchange) -> Option<String> {
        let variable = Variable::compile(text, &mut LanguageCx::default()).unwrap();
        variable.value(exchange).map(Cow::into_owned)
    }

    #[test]
    fn what_is_written_is_read_again_and_can_be_removed() {
        for (text, value, after_removal) in [
            ("${request.headers.X-Two}", "new", Some(None)),
            ("${request.header.Accept}", "a/b", Some(None)),
            ("${request.query.q}", "a&b=c#d% é", Some(None)),
            ("${request.query.new}", "x", Some(None)),
            ("${request.path}", "/other", None),
            ("${request.path.id}", "9/8?", None),
            ("${request.httpMethod}", "PATCH", None),
            ("${request.payload}", "text", Some(Some(""))),
            ("${request.payload.jsonPath[$.items[0].name]}", "x\"", Some(None)),
            ("${request.payload.jsonPath[$.fresh]}", "7", Some(None)),
            ("${response.headers.X-Answer}", "no", Some(None)),
            ("${response.statusCode}", "503", None),
            ("${response.payload}", "<x/>", Some(Some(""))),
            ("${customTransactionFields.tenant}", "t", Some(None)),
            ("${mine}", "v", Some(None)),
        ] {
            let mut exchange = testing::exchange();
            let target = target(text).unwrap();
            target.set(&mut exchange, value).unwrap();
            assert_eq!(read(text, &exchange).as_deref(), Some(value), "{text}");
            let removed = target.remove(&mut exchange);
            assert_eq!(removed.is_ok(), after_removal.is_some(), "{text}");
            if let Some(expect) = after_removal {
                assert_eq!(read(text, &exchange).as_deref(), expect, "{text}");
            }
        }
    }

    #[test]
    fn values_are_added_beside_others() {
        let mut exchange = testing::exchange();
        for (text, value, expect) in [
            ("request.headers.X-One", "2\r\nX-Admin: 1", "1, 2X-Admin: 1"),
            ("response.headers.x-answer", "no", "yes, no"),
            ("request.query.q", "a&b=c", "a b"),
            ("request.query.fresh", "x#y", "x#y"),
        ] {
            target(text).unwrap().add(&mut exchange, value).unwrap();
            assert_eq!(read(text, &exchange).as_deref(), Some(expect), "{text}");
        }
        assert_eq!(exchange.uri.query(), Some("q=a%20b&r=%26x&q=2&q=a%26b%3Dc&fresh=x%23y"));
        assert!(target("request.path").unwrap().add(&mut exchange, "/x").is_err());
        assert_eq!(exchange.inbound_uri().query(), Some("q=a%20b&r=%26x&q=2"));
    }

    #[test]
    fn hostile_values_stay_where_they_are_written() {
        let mut exchange = testing::exchange();
        let mut set = |text: &str, value: &str| target(text).unwrap().set(&mut exchange, value);
        assert_eq!(set("request.headers.a", "1\r\nX-Admin: 1\0"), Ok(()));
        assert_eq!(set("request.path.id", "../x?y#z"), Ok(()));
        assert_eq!(set("request.query.q", "1&admin=1#"), Ok(()));
        for (text, value) in [
            ("request.path", "/a/../../admin"),
            ("request.path", "/a/%2e%2e/b"),
            ("request.path", "/a\r\nb"),
            ("request.path.id", ".."),
            ("request.path.none", "x"),
            ("request.httpMethod", "GET /x"),
            ("request.httpMethod", "get"),
            ("request.httpMethod", "CONNECT"),
            ("request.httpMethod", ""),
            ("response.statusCode", "99"),
            ("response.statusCode", "101"),
            ("response.statusCode", "1000"),
            ("response.statusCode", "x"),
            ("response.payload.jsonPath[$.a]", "x"),
            ("request.payload.jsonPath[$.no.where]", "x"),
        ] {
            assert!(set(text, value).is_err(), "{text} {value:?}");
        }
        assert_eq!(exchange.headers.get("a").unwrap(), "1X-Admin: 1");
        assert_eq!(exchange.uri, "/shop/orders/..%2Fx%3Fy%23z?q=1%26admin%3D1%23&r=%26x");
    }

    #[test]
    fn what_the_client_sent_is_still_known() {
        let mut exchange = testing::exchange();
        for (text, value) in [
            ("request.httpMethod", "PUT"),
            ("request.path", "/x"),
            ("request.headers.accept", "a/b"),
            ("request.headers.content-type", "c/d"),
        ] {
            target(text).unwrap().set(&mut exchange, value).unwrap();
        }
        for (text, expect) in [
            ("inboundHttpMethod", "POST"),
            ("routingMethod", "PUT"),
            ("inboundRequestURI", "/shop/orders/7%20a?q=a%20b&r=%26x&q=2"),
            ("inboundAccept", "text/plain"),
            ("inboundContentType", "application/json"),
            ("sys:resource_path", "x"),
        ] {
            assert_eq!(read(text, &exchange).as_deref(), Some(expect), "{text}");
        }
        assert!(exchange.request_payload.as_ref().is_some_and(|payload| !payload.is_changed()));
    }

    #[test]
    fn what_cannot_be_written_is_refused_when_it_is_compiled() {
        for (text, message) in [
            ("${request.headers.Content-Length}", "which the gateway sets itself"),
            ("${response.headers.transfer-encoding}", "which the gateway sets itself"),
            ("${request.headers.a b}", "expected the name of a header"),
            ("${inboundIP}", "which can only be read"),
            ("${request.correlationID}", "which can only be read"),
            ("${response.statusMessage}", "which can only be read"),
            ("${response[x].payload}", "which can only be read"),
            ("${request.path.regex[a]}", "which can only be read"),
            ("${request.payload.xpath[//a]}", "which can only be read"),
            ("${request.payload.jsonPath[$..a]}", "may lead to several places"),
            ("${request.nothing}", "which is no variable to write to"),
            ("${request}", "which is no variable to write to"),
            ("${}", "which is no variable to write to"),
        ] {
            let problem = target(text).unwrap_err();
            assert!(problem.message.contains(message), "{text}: {problem}");
        }
        assert_eq!(target("request.header.X-A").unwrap().name(), "request.header.X-A");
    }

    #[test]
    fn bodies_are_asked_for_only_when_they_are_written() {
        assert!(target("request.payload").unwrap().needs().request_body);
        assert!(target("response.payload.jsonPath[$.a]").unwrap().needs().response_body);
        assert_eq!(target("request.path").unwrap().needs(), Needs::default());
    }
}
