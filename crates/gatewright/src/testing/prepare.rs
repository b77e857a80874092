//! From what is written in a test file to what can be played. Everything wrong is found before the first test runs.

use std::{
    collections::{BTreeMap, HashMap},
    net::Ipv4Addr,
    num::NonZeroU32,
    time::Duration,
};

use bytes::Bytes;
use engine::{Headers, RequestHead, Snapshot, Timestamp};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING},
};
use model::{
    Diagnostic,
    diagnostic::nearest,
    test_file::{TestCase, TestFailure, TestRequest, TestText, TestUpstream},
};
use proxy::{Failing, Played, rehearse::Rehearsed};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::expect::Expectations;

/// A test that can be played.
pub struct Play {
    pub request: Rehearsed,
    pub at: Option<Timestamp>,
    pub after: Duration,
    pub repeat: NonZeroU32,
    pub fresh: bool,
    pub expect: Expectations,
}

/// Problems of a document, each with its path.
#[derive(Default)]
pub struct Problems(pub Vec<Diagnostic>);

impl Problems {
    /// Takes the value out, or takes the problem down.
    pub fn take<T>(&mut self, path: &str, result: Result<T, Diagnostic>) -> Option<T> {
        result.map_err(|problem| self.0.push(problem.under(path))).ok()
    }

    pub fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Diagnostic::error(path, message));
    }
}

/// Prepares a test; `None` when there are problems.
pub fn test(test: &TestCase, snapshot: &Snapshot, problems: &mut Problems) -> Option<Play> {
    let head = head(&test.request, problems);
    let body = body(test.request.body.as_deref(), test.request.json.as_ref(), "request", problems);
    let application = test.application.as_ref().map(|name| {
        let position = snapshot.applications.list.iter().position(|known| *known.name == **name);
        position.and_then(|position| u32::try_from(position).ok()).ok_or_else(|| {
            let known = snapshot.applications.list.iter().map(|application| &*application.name);
            let problem = Diagnostic::error(
                "application",
                format!("found `{name}`, expected the name of an application of the configuration"),
            );
            match nearest(name, known) {
                Some(name) => problem.help(format!("did you mean `{name}`?")),
                None => problem,
            }
        })
    });
    let application = application.map(|found| problems.take("", found));
    let at = test.at.as_deref().map(|at| problems.take("at", time(at)));
    let played = upstream(&test.upstream, "upstream", problems);
    let mut calls = HashMap::with_capacity(test.calls.len());
    for (name, doc) in &test.calls {
        if let Some(played) = upstream(doc, &model::diagnostic::join("calls", name), problems) {
            calls.insert(name.clone(), played);
        }
    }
    let expect = Expectations::compile(&test.expect, problems);
    let (mut head, body) = (head?, body?);
    complete(&mut head, &body, test.request.json.is_some());
    let secure = test.request.secure || head.uri.scheme_str() == Some("https");
    // A problem in any of them has been taken down.
    let (application, at) =
        (application.map_or(Some(None), |a| a.map(Some))?, at.map_or(Some(None), |a| a.map(Some))?);
    Some(Play {
        request: Rehearsed {
            head,
            body,
            client: test.request.client.unwrap_or(Ipv4Addr::LOCALHOST.into()),
            secure,
            application,
            upstream: played?,
            calls,
        },
        at,
        after: test.after.map_or(Duration::ZERO, model::Duration::get),
        repeat: test.repeat,
        fresh: test.fresh,
        expect: expect?,
    })
}

fn head(request: &TestRequest, problems: &mut Problems) -> Option<RequestHead> {
    let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| {
        Diagnostic::error("request.method", format!("found `{}`, expected one such as GET", request.method))
    });
    let uri = request.url.parse::<Uri>().ok().filter(|uri| uri.path().starts_with('/')).ok_or_else(|| {
        Diagnostic::error(
            "request.url",
            format!("found `{}`, expected a path such as /gateway/Pets/1.0/pets or a URL", request.url),
        )
    });
    let (method, uri) = (problems.take("", method), problems.take("", uri));
    let headers = headers(&request.headers, "request.headers", problems)?;
    Some(RequestHead {
        method: method?,
        uri: uri?,
        headers: Headers::from(&headers),
        ..RequestHead::default()
    })
}

/// Adds what every client sends.
fn complete(head: &mut RequestHead, body: &Bytes, json: bool) {
    if head.uri.authority().is_none() && !head.headers.contains_key(HOST) {
        head.headers.insert(HOST, HeaderValue::from_static("localhost"));
    }
    if json && !head.headers.contains_key(CONTENT_TYPE) {
        head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let framed = head.headers.contains_key(CONTENT_LENGTH) || head.headers.contains_key(TRANSFER_ENCODING);
    if !body.is_empty() && !framed {
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
}

fn headers(written: &BTreeMap<String, TestText>, path: &str, problems: &mut Problems) -> Option<HeaderMap> {
    let mut map = HeaderMap::new();
    let mut complete = true;
    for (name, value) in written {
        let path = model::diagnostic::join(path, name);
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| Diagnostic::error("", format!("found `{name}`, expected the name of a header")));
        let value =
            value.text().and_then(|text: String| HeaderValue::from_str(&text).ok()).ok_or_else(|| {
                Diagnostic::error("", "expected a value for the header: text without line breaks")
            });
        match (problems.take(&path, header), problems.take(&path, value)) {
            (Some(name), Some(value)) => drop(map.append(name, value)),
            _ => complete = false,
        }
    }
    complete.then_some(map)
}

fn body(text: Option<&str>, json: Option<&Value>, path: &str, problems: &mut Problems) -> Option<Bytes> {
    match (text, json) {
        (Some(_), Some(_)) => {
            problems.add(format!("{path}.json"), "found beside `body`, expected one of the two");
            None
        }
        (Some(text), None) => Some(Bytes::copy_from_slice(text.as_bytes())),
        (None, Some(json)) => Some(json.to_string().into()),
        (None, None) => Some(Bytes::new()),
    }
}

fn time(text: &str) -> Result<Timestamp, Diagnostic> {
    let error =
        || Diagnostic::error("", format!("found `{text}`, expected a time such as 2026-01-01T00:00:00Z"));
    let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| error())?;
    u64::try_from(time.unix_timestamp_nanos()).map(Timestamp).map_err(|_| error())
}

fn upstream(upstream: &TestUpstream, path: &str, problems: &mut Problems) -> Option<Played> {
    let TestUpstream { status, headers: written, body: text, json, delay, fails } = upstream;
    if let Some(fails) = fails {
        if *upstream != (TestUpstream { fails: Some(*fails), ..TestUpstream::default() }) {
            problems.add(
                format!("{path}.fails"),
                "found beside other keys, but an upstream that fails answers nothing",
            );
            return None;
        }
        return Some(Played::Fails(match fails {
            TestFailure::Refused => Failing::Refused,
            TestFailure::Timeout => Failing::Timeout,
            TestFailure::Reset => Failing::Reset,
        }));
    }
    let code = status.unwrap_or(200);
    let status = StatusCode::from_u16(code).ok().filter(|_| (200..600).contains(&code)).ok_or_else(|| {
        Diagnostic::error(
            format!("{path}.status"),
            format!("found {code}, expected a status from 200 to 599"),
        )
    });
    let status = problems.take("", status);
    let map = headers(written, &format!("{path}.headers"), problems);
    let body = body(text.as_deref(), json.as_ref(), path, problems);
    let mut headers = map?;
    if json.is_some() && !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let delay = delay.map_or(Duration::ZERO, model::Duration::get);
    Some(Played::Answer { status: status?, headers, body: body?, delay })
}
