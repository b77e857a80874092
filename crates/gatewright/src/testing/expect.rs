//! Expectations, compiled, and what of them does not hold.

use std::collections::BTreeMap;

use http::HeaderMap;
use model::diagnostic::join;
use model::test_file::{TestExpect, TestSent, TestText, TestVerdict};
use proxy::{Sent, rehearse::Outcome};
use serde::Serialize;
use serde_json::Value;
use serde_json_path::JsonPath;

use super::{
    matcher::{TextMatch, cut, differences, same, short},
    prepare::Problems,
};
use crate::Explanation;

/// Something that was expected and is otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mismatch {
    /// As it is written under `expect`.
    pub what: String,
    pub expected: String,
    pub found: String,
}

/// What must hold, ready to be compared.
#[derive(Debug)]
pub struct Expectations {
    doc: TestExpect,
    headers: Vec<(String, TextMatch)>,
    body: Option<TextMatch>,
    json_path: Vec<(String, JsonPath, Value)>,
    policies: Option<Vec<(String, TestVerdict)>>,
    sent: Option<SentExpectations>,
    /// By the name of the call.
    calls: Vec<(String, SentExpectations)>,
}

#[derive(Debug)]
struct SentExpectations {
    /// Where they are written, under `expect`.
    place: String,
    doc: TestSent,
    headers: Vec<(String, TextMatch)>,
    body: Option<TextMatch>,
}

impl Expectations {
    /// `None` when there are problems, which have paths under `expect`.
    pub fn compile(doc: &TestExpect, problems: &mut Problems) -> Option<Self> {
        let before = problems.0.len();
        if *doc == TestExpect::default() {
            problems.add(
                "expect",
                "nothing is expected, so that the test could not fail; say a `status` at least",
            );
        }
        if let Some(status) = doc.status
            && !(100..600).contains(&status)
        {
            problems.add("expect.status", format!("found {status}, expected a status from 100 to 599"));
        }
        let headers = texts(&doc.headers, "expect.headers", problems);
        let body = text(doc.body.as_ref(), "expect.body", problems);
        let mut json_path = Vec::new();
        for (path, value) in &doc.json_path {
            match JsonPath::parse(path) {
                Ok(compiled) => json_path.push((path.clone(), compiled, value.clone())),
                Err(error) => problems.add(
                    "expect.jsonPath",
                    format!(
                        "found `{path}`, expected a JSONPath expression such as $.items[0].id: {}",
                        error.message()
                    ),
                ),
            }
        }
        let policies = doc.policies.as_ref().map(|list| policies(list, problems));
        if doc.exactly && doc.policies.is_none() {
            problems.add("expect.exactly", "found without `policies`, which it is about");
        }
        let sent = doc.upstream.as_ref().map(|doc| SentExpectations::compile(doc, "upstream", problems));
        let calls = doc.calls.iter().map(|(name, doc)| {
            (name.clone(), SentExpectations::compile(doc, &join("calls", name), problems))
        });
        let calls = calls.collect();
        let compiled = Self { doc: doc.clone(), headers, body, json_path, policies, sent, calls };
        (problems.0.len() == before).then_some(compiled)
    }

    /// Everything that does not hold.
    pub fn mismatches(&self, outcome: &Outcome, record: &Explanation) -> Vec<Mismatch> {
        let mut found = Found::default();
        if let Some(status) = self.doc.status {
            found.compare("status", status, outcome.status.as_u16());
        }
        self.compare_route(outcome, record, &mut found);
        if let Some(code) = &self.doc.code {
            let reason = record.reason.as_ref().map_or("", |reason| &reason.code);
            found.compare("code", or_none(code), or_none(reason));
        }
        compare_headers("headers", &self.headers, &outcome.headers, &mut found);
        compare_body("", &outcome.body, self.body.as_ref(), self.doc.json.as_ref(), &mut found);
        self.compare_paths(outcome, &mut found);
        if let Some(policies) = &self.policies {
            compare_policies(policies, self.doc.exactly, record, &mut found);
        }
        if let Some(sent) = &self.sent {
            sent.compare(&outcome.sent.iter().collect::<Vec<_>>(), &mut found);
        }
        for (name, expected) in &self.calls {
            let calls = outcome.calls.iter().filter(|(called, _)| **called == **name);
            expected.compare(&calls.map(|(_, sent)| sent).collect::<Vec<_>>(), &mut found);
        }
        found.0
    }

    fn compare_route(&self, outcome: &Outcome, record: &Explanation, found: &mut Found) {
        if let Some(expected) = &self.doc.api {
            let names = outcome.batch.finished.first().and_then(|finished| outcome.batch.api(finished));
            let full = names.map_or("none".to_owned(), |names| format!("{}:{}", names.name, names.version));
            if *expected != full && names.is_none_or(|names| *names.name != **expected) {
                found.add("api", expected, full);
            }
        }
        if let Some(expected) = &self.doc.operation {
            let operation = record.operation.as_ref();
            let address = operation.map(|operation| format!("{} {}", operation.method, operation.path));
            if operation.is_none_or(|operation| operation.name != *expected)
                && address.as_ref() != Some(expected)
            {
                let name = match (operation, address) {
                    (Some(operation), Some(address)) => format!("{} ({address})", operation.name),
                    _ => "none".to_owned(),
                };
                found.add("operation", expected, name);
            }
        }
        if let Some(expected) = &self.doc.application {
            found.compare("application", or_none(expected), record.application.as_deref().unwrap_or("none"));
        }
    }

    fn compare_paths(&self, outcome: &Outcome, found: &mut Found) {
        if self.json_path.is_empty() {
            return;
        }
        let Ok(body) = serde_json::from_slice::<Value>(&outcome.body) else {
            found.add("jsonPath", "JSON", shown(&outcome.body));
            return;
        };
        for (text, path, expected) in &self.json_path {
            let values = match path.query(&body).all().as_slice() {
                [] => Value::Null,
                [only] => (*only).clone(),
                several => several.iter().copied().cloned().collect(),
            };
            if !same(expected, &values) {
                found.add(format!("jsonPath {text}"), short(expected), short(&values));
            }
        }
    }
}

impl SentExpectations {
    fn compile(doc: &TestSent, place: &str, problems: &mut Problems) -> Self {
        let called_not = TestSent { called: Some(false), ..TestSent::default() };
        if doc.called == Some(false) && *doc != called_not {
            problems.add(format!("expect.{place}.called"), "found `false` beside what a call must have been");
        }
        Self {
            place: place.to_owned(),
            doc: doc.clone(),
            headers: texts(&doc.headers, &format!("expect.{place}.headers"), problems),
            body: text(doc.body.as_ref(), &format!("expect.{place}.body"), problems),
        }
    }

    fn compare(&self, calls: &[&Sent], found: &mut Found) {
        let place = |key: &str| format!("{}.{key}", self.place);
        if let Some(expected) = self.doc.calls {
            found.compare(&place("calls"), expected.to_string(), calls.len().to_string());
            if expected == 0 {
                return;
            }
        }
        let called = self.doc.called.unwrap_or(true);
        let Some(call) = calls.last() else {
            if called {
                found.add(place("called"), "a call", "none");
            }
            return;
        };
        if !called {
            found.add(
                place("called"),
                "no call",
                format!("{} {} to {}", call.method, call.target, call.endpoint),
            );
            return;
        }
        if let Some(endpoint) = &self.doc.endpoint {
            found.compare(
                &place("endpoint"),
                endpoint.trim_end_matches('/'),
                call.endpoint.trim_end_matches('/'),
            );
        }
        if let Some(method) = &self.doc.method {
            found.compare(&place("method"), method, call.method.as_str());
        }
        if let Some(path) = &self.doc.path {
            let sent = if path.contains('?') { &call.target } else { before_query(&call.target) };
            found.compare(&place("path"), path, sent);
        }
        compare_headers(&place("headers"), &self.headers, &call.headers, found);
        compare_body(&place(""), &call.body, self.body.as_ref(), self.doc.json.as_ref(), found);
    }
}

/// What was found to be otherwise.
#[derive(Default)]
struct Found(Vec<Mismatch>);

impl Found {
    fn add(&mut self, what: impl Into<String>, expected: impl ToString, found: impl ToString) {
        self.0.push(Mismatch { what: what.into(), expected: expected.to_string(), found: found.to_string() });
    }

    fn compare<E: ToString, F: ToString>(&mut self, what: &str, expected: E, found: F) {
        let (expected, found) = (expected.to_string(), found.to_string());
        if expected != found {
            self.add(what, expected, found);
        }
    }
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

fn before_query(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}

fn shown(body: &[u8]) -> String {
    if body.is_empty() { "no body".to_owned() } else { cut(&String::from_utf8_lossy(body)) }
}

fn texts(
    written: &BTreeMap<String, TestText>,
    path: &str,
    problems: &mut Problems,
) -> Vec<(String, TextMatch)> {
    let compiled = written.iter().filter_map(|(name, value)| {
        let path = model::diagnostic::join(path, name);
        Some((name.to_ascii_lowercase(), problems.take(&path, TextMatch::parse(value.text()))?))
    });
    compiled.collect()
}

fn text(written: Option<&String>, path: &str, problems: &mut Problems) -> Option<TextMatch> {
    problems.take(path, TextMatch::parse(Some(written?.clone())))
}

fn policies(list: &[BTreeMap<String, TestVerdict>], problems: &mut Problems) -> Vec<(String, TestVerdict)> {
    for (index, entry) in list.iter().enumerate().filter(|(_, entry)| entry.len() != 1) {
        problems.add(
            format!("expect.policies[{index}]"),
            format!("found {} policies, expected one in each entry, as in `- apiKey: passed`", entry.len()),
        );
    }
    list.iter().flatten().map(|(name, verdict)| (name.clone(), *verdict)).collect()
}

fn compare_headers(what: &str, expected: &[(String, TextMatch)], headers: &HeaderMap, found: &mut Found) {
    for (name, expected) in expected {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        if !expected.fits(values.iter().map(|value| &**value)) {
            let values =
                if values.is_empty() { "none".to_owned() } else { format!("{:?}", values.join(", ")) };
            found.add(format!("{what}.{name}"), expected, values);
        }
    }
}

fn compare_body(
    prefix: &str,
    body: &[u8],
    text: Option<&TextMatch>,
    json: Option<&Value>,
    found: &mut Found,
) {
    if let Some(expected) = text
        && !expected.fits([&*String::from_utf8_lossy(body)].into_iter())
    {
        found.add(format!("{prefix}body"), expected, shown(body));
    }
    let Some(expected) = json else { return };
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => {
            let mut different = Vec::new();
            differences(expected, &value, &format!("{prefix}json"), &mut different);
            for (what, expected, value) in different {
                found.add(what, expected, value);
            }
        }
        Err(_) => found.add(format!("{prefix}json"), short(expected), shown(body)),
    }
}

fn compare_policies(
    expected: &[(String, TestVerdict)],
    exactly: bool,
    record: &Explanation,
    found: &mut Found,
) {
    let mut ran = record.policies.iter();
    let fits = |policy: &crate::explain::ExplainedPolicy, (name, verdict): &(String, TestVerdict)| {
        (policy.kind == *name || policy.name == *name) && policy.verdict == verdict.name()
    };
    let holds = if exactly {
        ran.len() == expected.len() && ran.zip(expected).all(|(policy, expected)| fits(policy, expected))
    } else {
        expected.iter().all(|expected| ran.any(|policy| fits(policy, expected)))
    };
    if !holds {
        let listed = expected.iter().map(|(name, verdict)| format!("{name}: {}", verdict.name()));
        let listed = listed.collect::<Vec<_>>().join(", ");
        let all = record.policies.iter().map(|policy| format!("{}: {}", policy.name, policy.verdict));
        let all = all.collect::<Vec<_>>().join(", ");
        found.add("policies", if listed.is_empty() { "none" } else { &listed }, or_none(&all));
    }
}
