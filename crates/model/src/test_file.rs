//! Tables of tests: requests that a configuration is asked about, and what is expected of the answers.

use std::{collections::BTreeMap, net::IpAddr, num::NonZeroU32};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Duration;

/// Tests of a configuration: one file `….test.yaml`, beside what it tests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestFile {
    /// The configuration, a file or a folder, relative to this file.
    #[serde(default = "default_config")]
    pub config: String,
    /// Values of the secrets that the configuration refers to, by the name of the environment variable or the path of
    /// the file. What is missing is read from where it is kept.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
    /// The tests, in the order that they run.
    pub tests: Vec<TestCase>,
}

fn default_config() -> String {
    "gatewright.yaml".to_owned()
}

/// One request, and what is expected of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestCase {
    /// What the test shows, in a few words.
    pub name: String,
    /// What the client sends.
    pub request: TestRequest,
    /// Name of the application that calls. It needs no credentials: policies that identify applications are skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// Sets the clock, as in `2026-01-01T00:00:00Z`. The clock of a file starts with the present time and stands still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Moves the clock on before the request; with `repeat`, before each of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Duration>,
    /// What the native service answers. Default: 200 without a body.
    #[serde(default)]
    pub upstream: TestUpstream,
    /// What services answer that policies call, by the name of the call, or by name or URL of the upstream; `token` is the
    /// one of `outboundAuthentication`. A call that is not here cannot be made.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub calls: BTreeMap<String, TestUpstream>,
    /// How often the request is sent. Expectations hold for the last one.
    #[serde(default = "once")]
    pub repeat: NonZeroU32,
    /// Begins with nothing counted, and leaves nothing behind for the tests after it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fresh: bool,
    /// What must hold.
    pub expect: TestExpect,
}

fn once() -> NonZeroU32 {
    NonZeroU32::MIN
}

/// A request of a test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestRequest {
    /// HTTP method.
    #[serde(default = "default_method")]
    pub method: String,
    /// Path with query, or a full URL.
    pub url: String,
    /// Headers. Host is `localhost` and the length is that of the body unless they are here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, TestText>,
    /// Body as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Body as JSON, with the Content-Type that belongs to it unless `headers` has another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// Address of the client. Default: 127.0.0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub client: Option<IpAddr>,
    /// The request comes over TLS.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secure: bool,
}

fn default_method() -> String {
    "GET".to_owned()
}

/// What the native service does: it answers, or it fails.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestUpstream {
    /// Status of its answer. Default: 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Headers of its answer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, TestText>,
    /// Body of its answer as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Body of its answer as JSON, with the Content-Type that belongs to it unless `headers` has another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// How long it takes. Nobody waits for it: the clock is moved on, and time limits hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Duration>,
    /// It does not answer at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fails: Option<TestFailure>,
}

/// How a native service fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TestFailure {
    /// It accepts no connection.
    Refused,
    /// It accepts the request and stays silent.
    Timeout,
    /// It closes the connection instead of answering.
    Reset,
}

/// What must hold for an answer. What is not written is not looked at.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestExpect {
    /// Status of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// API that was called: its name, or `name:version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// Operation that was called: its name, or method and path as in `GET /pets/{id}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Application that the request counts for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// Code of the reason for a refusal; empty when there must be none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What the native service got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<TestSent>,
    /// What services got that policies call, by the name of the call.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub calls: BTreeMap<String, TestSent>,
    /// Headers of the answer: the exact value, a pattern as in `/r=0/`, or null for a header that must be missing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, TestText>,
    /// What the answer's body must hold, as JSON: objects may have other keys besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// The answer's body as text: exactly, or a pattern as in `/not found/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// What JSONPath expressions find in the answer's body: one value, a list of several, null for none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub json_path: BTreeMap<String, Value>,
    /// Policies by type or name and their verdicts, in the order that they run: `passed`, `changed`, `skipped`,
    /// `answered`, `refused`, `not reached`. Others may run in between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<Vec<BTreeMap<String, TestVerdict>>>,
    /// No other policies than those under `policies` govern the request.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exactly: bool,
}

/// What the native service got, in its last call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestSent {
    /// Whether it was called. Default: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub called: Option<bool>,
    /// How often it was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    /// URL of the endpoint, as the configuration has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// HTTP method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Path as it was sent; with `?` the query is compared, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Headers: the exact value, a pattern as in `/^10/`, or null for a header that must be missing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, TestText>,
    /// What the body must hold, as JSON: objects may have other keys besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// The body as text: exactly, or a pattern as in `/^</`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// What became of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TestVerdict {
    Passed,
    Changed,
    Skipped,
    Answered,
    Refused,
    #[serde(rename = "not reached")]
    NotReached,
}

impl TestVerdict {
    /// The word that decision records use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Changed => "changed",
            Self::Skipped => "skipped",
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::NotReached => "not reached",
        }
    }
}

/// A value of a header: text, or a number or truth value that stands for its text; null for none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TestText(Value);

impl TestText {
    /// The text; `None` for null.
    pub fn text(&self) -> Option<String> {
        match &self.0 {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }
}

impl JsonSchema for TestText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TestText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean", "null"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{check, yaml};

    fn problems(text: &str) -> Vec<String> {
        let parsed = yaml::parse(text).unwrap();
        let problems = check::parse::<TestFile>(parsed.value).unwrap_err().0;
        let line = |path: &str| parsed.marks.line(path).unwrap_or_default();
        problems.iter().map(|problem| format!("{} {problem}", line(&problem.path))).collect()
    }

    #[test]
    fn a_table_is_read_with_its_defaults() {
        let text = "tests: [{name: a, request: {url: /x, headers: {a: 1, b: null}}, expect: {headers: {c: null, d: /e/}, policies: [{apiKey: not reached}]}}]";
        let file: TestFile = check::parse(yaml::parse(text).unwrap().value).unwrap();
        let test = &file.tests[0];
        assert_eq!((file.config.as_str(), test.request.method.as_str()), ("gatewright.yaml", "GET"));
        assert_eq!((test.repeat.get(), test.fresh), (1, false));
        assert_eq!(test.request.headers["a"].text().as_deref(), Some("1"));
        assert_eq!(test.expect.headers["c"].text(), None);
        assert_eq!(test.expect.policies.as_ref().unwrap()[0]["apiKey"], TestVerdict::NotReached);
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let text = "tests:\n  - name: a\n    request: {url: /x, methd: GET}\n    after: 1\n    upstream: {fails: never}\n    expect: {status: ok, headers: {a: []}, policies: [{apiKey: maybe}]}\n  - name: b\n";
        let found = problems(text);
        for part in [
            "3 tests[0].request.methd: unknown key `methd`; did you mean `method`?",
            "4 tests[0].after: ",
            "5 tests[0].upstream.fails: found `never`, expected one of `refused`, `timeout`, `reset`",
            "6 tests[0].expect.status: ",
            "6 tests[0].expect.headers.a: ",
            "6 tests[0].expect.policies[0].apiKey: found `maybe`",
            "7 tests[1]: missing key `request`",
            "7 tests[1]: missing key `expect`",
        ] {
            assert!(found.iter().any(|line| line.starts_with(part)), "{part} is missing in\n{found:#?}");
        }
    }
}
