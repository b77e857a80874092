//! Calls to other services as policies write them: what is shared by call-outs and aggregation.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use engine::{
    Call, CallAnswer, CompileCx, Exchange, Headers, Needs, Payload, UpstreamName,
    language::{CallResult, Escape, LanguageCx, OWN_HEADERS, Template},
};
use http::{HeaderName, Method, StatusCode, uri::PathAndQuery};
use model::{ByteSize, Diagnostic};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How values are written into a body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CallOutBody {
    /// Inside strings of JSON; sent as `application/json`.
    #[default]
    Json,
    /// As text of XML; sent as `application/xml`.
    Xml,
    /// As they are; sent as `text/plain`.
    Text,
}

impl CallOutBody {
    pub const fn escape(self) -> Escape {
        match self {
            Self::Json => Escape::Json,
            Self::Xml => Escape::Xml,
            Self::Text => Escape::None,
        }
    }

    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Xml => "application/xml",
            Self::Text => "text/plain; charset=utf-8",
        }
    }
}

/// What a policy writes about a call.
pub struct CallDoc<'d> {
    pub name: &'d str,
    pub upstream: &'d str,
    pub path: &'d str,
    pub method: Option<&'d str>,
    pub headers: &'d BTreeMap<String, String>,
    pub body: Option<&'d str>,
    pub body_type: CallOutBody,
    pub timeout: model::Duration,
    pub max_answer: ByteSize,
    pub success: &'d [u16],
}

/// A call, compiled.
pub struct CallTemplate {
    pub name: Arc<str>,
    pub upstream: UpstreamName,
    path: Template,
    query: Option<Template>,
    method: Method,
    headers: Vec<(HeaderName, Template)>,
    body: Option<(Template, CallOutBody)>,
    timeout: Duration,
    most: u64,
    /// Empty for those of the class 2xx.
    success: Vec<u16>,
}

impl CallTemplate {
    pub fn compile(doc: &CallDoc<'_>, cx: &mut CompileCx<'_>) -> Result<Self, Diagnostic> {
        if doc.name.is_empty() || doc.name.contains(['[', ']', '{', '}', '$']) {
            return Err(Diagnostic::error("name", format!("found `{}`, expected a plain name", doc.name))
                .help("variables refer to it, as in `${response[stock].payload}`"));
        }
        let upstream = cx.upstream("upstream", doc.upstream)?;
        let (path, query) = target(doc.path, cx.language()).map_err(|p| p.under("path"))?;
        if !doc.path.starts_with('/') {
            return Err(Diagnostic::error(
                "path",
                format!("found `{}`, expected one that starts with /", doc.path),
            ));
        }
        let method = match doc.method {
            Some(text) => {
                text.parse().ok().filter(|_| !text.bytes().any(|b| b.is_ascii_lowercase())).ok_or_else(
                    || Diagnostic::error("method", format!("found `{text}`, expected one such as GET")),
                )?
            }
            None if doc.body.is_some() => Method::POST,
            None => Method::GET,
        };
        let body = match doc.body {
            Some(text) => {
                let template = Template::compile(text, cx.language()).map_err(|p| p.under("body"))?;
                Some((template, doc.body_type))
            }
            None => None,
        };
        Ok(Self {
            name: doc.name.into(),
            upstream,
            path,
            query,
            method,
            headers: headers(doc.headers, cx)?,
            body,
            timeout: doc.timeout.get(),
            most: doc.max_answer.get(),
            success: doc.success.to_vec(),
        })
    }

    pub fn needs(&self) -> Needs {
        let headers = self.headers.iter().map(|(_, template)| template.needs());
        let body = self.body.as_ref().map(|(template, _)| template.needs());
        let query = self.query.as_ref().map(Template::needs);
        headers.chain(body).chain(query).fold(self.path.needs(), |all, needs| all | needs)
    }

    /// The call that this request asks for, or what is wrong with it.
    pub fn call(&self, exchange: &Exchange) -> Result<Call, String> {
        let mut target = self.path.render(exchange, Escape::UrlPath).into_owned();
        if let Some(query) = &self.query {
            target.push('?');
            target.push_str(&query.render(exchange, Escape::UrlQuery));
        }
        let target: PathAndQuery =
            target.try_into().map_err(|_| format!("{}: the path is not valid", self.name))?;
        let mut headers = rendered(&self.headers, exchange);
        let body = self.body.as_ref().map(|(template, kind)| {
            if !headers.contains_key(http::header::CONTENT_TYPE) {
                headers.append_bytes(&http::header::CONTENT_TYPE, kind.media_type().as_bytes());
            }
            template.render(exchange, kind.escape()).into_owned().into()
        });
        Ok(Call {
            name: Arc::clone(&self.name),
            upstream: self.upstream.clone(),
            method: self.method.clone(),
            target,
            headers,
            body,
            timeout: self.timeout,
            most: self.most,
        })
    }

    pub fn is_success(&self, status: StatusCode) -> bool {
        if self.success.is_empty() { status.is_success() } else { self.success.contains(&status.as_u16()) }
    }
}

/// Path and query. Expressions in variables may have question marks, too: the first one that leaves two whole texts is
/// where the query begins.
fn target(text: &str, cx: &mut LanguageCx) -> Result<(Template, Option<Template>), Diagnostic> {
    for (at, _) in text.match_indices('?') {
        let parts = (Template::compile(&text[..at], cx), Template::compile(&text[at + 1..], cx));
        if let (Ok(path), Ok(query)) = parts {
            return Ok((path, Some(query)));
        }
    }
    Ok((Template::compile(text, cx)?, None))
}

/// Headers that a policy writes.
pub fn headers(
    written: &BTreeMap<String, String>,
    cx: &mut CompileCx<'_>,
) -> Result<Vec<(HeaderName, Template)>, Diagnostic> {
    let compile = |(name, text): (&String, &String)| {
        let place = format!("headers.{name}");
        let parsed: HeaderName = name.parse().map_err(|_| {
            Diagnostic::error(&place, format!("found `{name}`, expected the name of a header"))
        })?;
        if OWN_HEADERS.contains(&parsed.as_str()) {
            return Err(Diagnostic::error(&place, format!("found `{name}`, which the gateway sets itself")));
        }
        Ok((parsed, Template::compile(text, cx.language()).map_err(|p| p.under(&place))?))
    };
    written.iter().map(compile).collect()
}

pub fn rendered(headers: &[(HeaderName, Template)], exchange: &Exchange) -> Headers {
    let mut out = Headers::new();
    for (name, template) in headers {
        out.append_bytes(name, template.render(exchange, Escape::Header).as_bytes());
    }
    out
}

/// What variables tell of a call, before it is answered.
pub fn asked(call: &Call) -> CallResult {
    CallResult {
        name: (*call.name).into(),
        method: call.method.clone(),
        uri: call.target.clone().into(),
        request_headers: call.headers.clone(),
        request_payload: call.body.clone().map(Payload::new),
        ..CallResult::default()
    }
}

/// The same with the answer.
pub fn answered(asked: CallResult, answer: &CallAnswer) -> CallResult {
    CallResult {
        status: answer.status,
        response_headers: answer.headers.clone(),
        response_payload: Some(Payload::new(answer.body.clone())),
        ..asked
    }
}
