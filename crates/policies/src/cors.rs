//! Cross-origin resource sharing: which web pages of other origins may call an API from a browser.

mod origins;

use engine::{
    CompileCx, Compiled, Exchange, Filter, HeaderText, Headers, Needs, Outcome, Policy, Reason, Rejection,
    Stage, Step, Verdict,
};
use http::{
    HeaderName, HeaderValue, Method, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ALLOW, ORIGIN, VARY,
    },
};
use model::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use origins::Origins;

/// Lets web pages of other origins call an API from a browser. It answers preflights itself, before anybody has to
/// authenticate, since browsers send no credentials with them; and what it says replaces what the native service says.
///
/// On an API it answers preflights for every path. On single operations it sees no preflight but where `OPTIONS` is an
/// operation, too.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cors {
    /// Origins that may call: `https://shop.example`, `*` for all of them, `null` for pages without one, or `regex:`
    /// and an expression that the whole origin has to match. Beside them, the origins of the applications that may
    /// call the API, and pages that come from the address that is called.
    #[serde(default)]
    allowed_origins: Vec<String>,
    /// Methods that may be called. Default: GET, HEAD, POST, PUT, PATCH and DELETE.
    #[serde(default = "usual_methods")]
    allowed_methods: Vec<String>,
    /// Headers that pages may send beside those that every page may; `*` for any.
    #[serde(default)]
    allowed_headers: Vec<String>,
    /// Headers of answers that pages may read beside those that every page may.
    #[serde(default)]
    exposed_headers: Vec<String>,
    /// Pages may send cookies and other credentials of the browser. Then origins have to be named: `*`, `null` and
    /// expressions that match anything are refused.
    #[serde(default)]
    allow_credentials: bool,
    /// How long browsers remember the answer to a preflight; they have upper limits of their own, of two hours to a
    /// day. Default: left to the browser, which is five seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_age: Option<model::Duration>,
}

fn usual_methods() -> Vec<String> {
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].map(str::to_owned).into()
}

pub static ORIGIN_NOT_ALLOWED: Reason = Reason::new(
    "origin_not_allowed",
    StatusCode::FORBIDDEN,
    "Web pages of this origin may not call the API.",
);

pub static METHOD_NOT_SHARED: Reason = Reason::new(
    "cors_method_not_allowed",
    StatusCode::METHOD_NOT_ALLOWED,
    "Web pages of other origins may not call the API with this method.",
);

pub static HEADER_NOT_SHARED: Reason = Reason::new(
    "cors_header_not_allowed",
    StatusCode::FORBIDDEN,
    "Web pages of other origins may not send one of these headers to the API.",
);

impl Policy for Cors {
    const TYPE: &'static str = "cors";
    const STAGE: Stage = Stage::Transport;
    const ORDER: i8 = -1;
    const POSTURE: &'static str = "Origins are compared as a whole and in lower case. It tells browsers what pages may do, and refuses what says that it comes from another page; a program that is no browser sends whatever Origin it likes, so that this authenticates nobody.";
    const REASONS: &'static [&'static Reason] =
        &[&ORIGIN_NOT_ALLOWED, &METHOD_NOT_SHARED, &HEADER_NOT_SHARED];
    const EXAMPLE: &'static str = "allowedOrigins: [https://shop.example]\nallowedHeaders: [Content-Type, X-Tenant]\nexposedHeaders: [X-Request-Id]\nmaxAge: 1h\n";

    fn compile(self, _: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let origins = Origins::compile(&self.allowed_origins, self.allow_credentials)?;
        let (any_header, names) = if self.allowed_headers.iter().any(|name| name == "*") {
            if self.allowed_headers.len() > 1 {
                return Err(Diagnostic::error(
                    "allowedHeaders",
                    "found `*` and names, expected one or the other",
                ));
            }
            (true, Vec::new())
        } else {
            (false, header_names(&self.allowed_headers, "allowedHeaders")?)
        };
        let exposed = header_names(&self.exposed_headers, "exposedHeaders")?;
        let methods = methods(&self.allowed_methods)?;
        // What is checked above can stand in a header.
        let text =
            |list: &[&str]| HeaderValue::from_str(&list.join(", ")).unwrap_or(HeaderValue::from_static(""));
        let max_age = self.max_age.map(|age| HeaderValue::from(age.get().as_secs()));
        Ok(Compiled::filter(Sharing {
            origins,
            allow: text(&methods.iter().map(Method::as_str).collect::<Vec<_>>()),
            methods,
            any_header,
            headers: names,
            expose: (!exposed.is_empty())
                .then(|| text(&exposed.iter().map(HeaderName::as_str).collect::<Vec<_>>())),
            credentials: self.allow_credentials,
            max_age,
        }))
    }
}

fn header_names(names: &[String], field: &str) -> Result<Vec<HeaderName>, Diagnostic> {
    let parse = |(index, name): (usize, &String)| {
        // `*` is a token, too, and would mean everything to browsers.
        HeaderName::from_bytes(name.as_bytes()).ok().filter(|_| name != "*").ok_or_else(|| {
            Diagnostic::error(
                format!("{field}[{index}]"),
                format!("found `{name}`, expected the name of a header"),
            )
        })
    };
    names.iter().enumerate().map(parse).collect()
}

fn methods(names: &[String]) -> Result<Vec<Method>, Diagnostic> {
    if names.is_empty() {
        return Err(Diagnostic::error("allowedMethods", "found none, expected at least one method"));
    }
    let parse = |(index, name): (usize, &String)| {
        let method = Method::from_bytes(name.as_bytes()).ok().filter(|_| name != "*");
        method.filter(|_| !name.bytes().any(|b| b.is_ascii_lowercase())).ok_or_else(|| {
            Diagnostic::error(
                format!("allowedMethods[{index}]"),
                format!("found `{name}`, expected a method in capitals, such as GET"),
            )
        })
    };
    names.iter().enumerate().map(parse).collect()
}

struct Sharing {
    origins: Origins,
    methods: Vec<Method>,
    /// The methods as a list.
    allow: HeaderValue,
    any_header: bool,
    headers: Vec<HeaderName>,
    expose: Option<HeaderValue>,
    credentials: bool,
    max_age: Option<HeaderValue>,
}

/// What pages may send without asking (Fetch, 2.2.2).
const SAFE_HEADERS: [&str; 5] = ["accept", "accept-language", "content-language", "content-type", "range"];

/// What the answer to a preflight depends on.
const PREFLIGHT_VARY: &str = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

impl Filter for Sharing {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        let Some(origin) = origin(exchange) else { return Step::Done(Ok(Outcome::Skipped)) };
        if is_preflight(exchange) {
            return Step::Done(self.preflight(exchange, &origin));
        }
        if self.may_call(exchange, &origin) {
            Step::Done(Ok(Outcome::Passed))
        } else {
            Step::Done(Err(not_allowed(&origin)))
        }
    }

    /// Adds to every answer, also of the gateway itself, what lets a page read it.
    fn response<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        let ours = |name: &[u8]| name.len() > 15 && name[..15].eq_ignore_ascii_case(b"access-control-");
        exchange.response_headers.retain(|name| !ours(name));
        let origin = origin(exchange);
        if origin.is_some() && is_preflight(exchange) {
            return Step::Done(Ok(Outcome::Changed));
        }
        if let Some(origin) = &origin
            && self.may_read(exchange, origin)
        {
            self.share(exchange, origin);
            if let Some(expose) = &self.expose {
                exchange.answer_headers.append(ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
            }
        } else if !self.origins.is_open() {
            // Who keeps the answer must not give it to a page of another origin.
            exchange.answer_headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        Step::Done(Ok(Outcome::Changed))
    }

    fn needs(&self) -> Needs {
        Needs::RESPONSE
    }
}

impl Sharing {
    /// Whether pages of this origin may send a request at all. Which application calls is not known yet, so that the
    /// origins of every one that may call count.
    fn may_call(&self, exchange: &Exchange, origin: &str) -> bool {
        let by_application = || {
            exchange.snapshot.applications.by_origin(origin).any(|application| exchange.may_call(application))
        };
        self.origins.contains(origin) || is_own(exchange, origin) || by_application()
    }

    /// Whether they may read the answer: now the application is known, if there is one.
    fn may_read(&self, exchange: &Exchange, origin: &str) -> bool {
        match exchange.application() {
            Some(application) => {
                self.origins.contains(origin) || is_own(exchange, origin) || application.has_origin(origin)
            }
            None => self.may_call(exchange, origin),
        }
    }

    fn preflight(&self, exchange: &mut Exchange, origin: &str) -> Verdict {
        // Whether it is refused or not depends on the same headers.
        exchange.answer_headers.append(VARY, HeaderValue::from_static(PREFLIGHT_VARY));
        if !self.may_call(exchange, origin) {
            return Err(not_allowed(origin));
        }
        let method =
            exchange.headers.get(ACCESS_CONTROL_REQUEST_METHOD).map_or(&b""[..], HeaderText::as_bytes);
        if !self.methods.iter().any(|allowed| allowed.as_str().as_bytes() == method) {
            let detail = format!("found {}", String::from_utf8_lossy(method));
            return Err(Rejection::new(&METHOD_NOT_SHARED).header(ALLOW, self.allow.clone()).detail(detail));
        }
        let asked = self.asked_headers(&exchange.headers)?;
        let answer = &mut exchange.answer_headers;
        answer.append(ACCESS_CONTROL_ALLOW_METHODS, self.allow.clone());
        if let Some(asked) = asked {
            answer.append(ACCESS_CONTROL_ALLOW_HEADERS, asked);
        }
        if let Some(max_age) = &self.max_age {
            answer.append(ACCESS_CONTROL_MAX_AGE, max_age.clone());
        }
        self.share(exchange, origin);
        Ok(exchange.answer_with(StatusCode::NO_CONTENT, Headers::new(), ""))
    }

    /// The headers that a page wants to send, when it may send them all; `None` when it wants none.
    fn asked_headers(&self, headers: &Headers) -> Result<Option<HeaderValue>, Box<Rejection>> {
        let mut asked: Vec<HeaderName> = Vec::new();
        for value in headers.get_all(&ACCESS_CONTROL_REQUEST_HEADERS) {
            let names = value.as_bytes().split(|b| *b == b',').map(<[u8]>::trim_ascii);
            for name in names.filter(|name| !name.is_empty()) {
                let allowed = HeaderName::from_bytes(name).ok().filter(|name| {
                    self.any_header || self.headers.contains(name) || SAFE_HEADERS.contains(&name.as_str())
                });
                let Some(name) = allowed else {
                    let detail = format!("found {}", String::from_utf8_lossy(name));
                    return Err(Rejection::new(&HEADER_NOT_SHARED).detail(detail));
                };
                asked.push(name);
            }
        }
        // Names of headers can stand in a header.
        let list = asked.iter().map(HeaderName::as_str).collect::<Vec<_>>().join(", ");
        Ok(HeaderValue::try_from(list).ok().filter(|list| !list.is_empty()))
    }

    /// Lets pages of this origin read the answer.
    fn share(&self, exchange: &mut Exchange, origin: &str) {
        let answer = &mut exchange.answer_headers;
        if self.origins.is_open() {
            answer.append(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            return;
        }
        if !answer.iter().any(|(name, value)| *name == VARY && value.as_bytes().starts_with(b"Origin")) {
            answer.append(VARY, HeaderValue::from_static("Origin"));
        }
        if let Ok(origin) = HeaderValue::from_str(origin) {
            answer.append(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
        if self.credentials {
            answer.append(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}

/// The one Origin of a request, in lower case. Several are as good as one that nobody allowed.
fn origin(exchange: &Exchange) -> Option<String> {
    let mut values = exchange.headers.get_all(&ORIGIN);
    let first = values.next()?;
    match (first.to_str(), values.next()) {
        (Ok(origin), None) => Some(origin.to_ascii_lowercase()),
        _ => Some(String::new()),
    }
}

fn is_preflight(exchange: &Exchange) -> bool {
    exchange.method == Method::OPTIONS && exchange.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Whether the page comes from the address that is called, and so from no other origin.
fn is_own(exchange: &Exchange, origin: &str) -> bool {
    let scheme = if exchange.client.secure { "https://" } else { "http://" };
    let host = exchange.headers.get(http::header::HOST).map_or(&b""[..], HeaderText::as_bytes);
    origin.strip_prefix(scheme).is_some_and(|rest| rest.as_bytes().eq_ignore_ascii_case(host))
}

fn not_allowed(origin: &str) -> Box<Rejection> {
    Rejection::new(&ORIGIN_NOT_ALLOWED).detail(format!("found {origin}"))
}

#[cfg(test)]
mod tests;
