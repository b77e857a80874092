//! Request and response transformation: headers set, added and removed.

use std::collections::BTreeMap;

use engine::{CompileCx, Compiled, Exchange, Filter, Headers, Needs, Outcome, Policy, Reason, Stage, Step};
use http::{HeaderName, HeaderValue};
use model::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Changes a request before it goes to the upstream.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestTransformation {
    /// Changes to the headers, in the order remove, set, add.
    headers: TransformationHeaders,
}

/// Changes a response before it goes to the client.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResponseTransformation {
    /// Changes to the headers, in the order remove, set, add.
    headers: TransformationHeaders,
}

/// Changes to headers.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TransformationHeaders {
    /// Headers that get this value, whatever they had.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    set: BTreeMap<String, String>,
    /// Headers that get this value beside what they had.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    add: BTreeMap<String, String>,
    /// Headers that are taken away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    remove: Vec<String>,
}

impl Policy for RequestTransformation {
    const TYPE: &'static str = "requestTransformation";
    const STAGE: Stage = Stage::RequestProcessing;
    const REPEATABLE: bool = true;
    const POSTURE: &'static str = "Names and values come from the configuration only, where line breaks and headers that frame a message are refused.";
    const REASONS: &'static [&'static Reason] = &[];
    const EXAMPLE: &'static str = "headers:\n  set: {X-Channel: partner}\n  remove: [X-Debug]\n";

    fn compile(self, _: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        Ok(Compiled::filter(RequestChange(HeaderChange::compile(&self.headers)?)))
    }
}

impl Policy for ResponseTransformation {
    const TYPE: &'static str = "responseTransformation";
    const STAGE: Stage = Stage::ResponseProcessing;
    const REPEATABLE: bool = true;
    const POSTURE: &'static str = "Names and values come from the configuration only, where line breaks and headers that frame a message are refused.";
    const REASONS: &'static [&'static Reason] = &[];
    const EXAMPLE: &'static str = "headers:\n  set: {Cache-Control: no-store}\n  remove: [Server]\n";

    fn compile(self, _: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        Ok(Compiled::filter(ResponseChange(HeaderChange::compile(&self.headers)?)))
    }
}

struct RequestChange(HeaderChange);
struct ResponseChange(HeaderChange);

impl Filter for RequestChange {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        self.0.apply(&mut exchange.headers);
        Step::Done(Ok(Outcome::Changed))
    }
}

impl Filter for ResponseChange {
    fn response<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        self.0.apply(&mut exchange.response_headers);
        Step::Done(Ok(Outcome::Changed))
    }

    fn needs(&self) -> Needs {
        Needs::RESPONSE
    }
}

#[derive(Debug)]
struct HeaderChange {
    remove: Vec<HeaderName>,
    set: Vec<(HeaderName, HeaderValue)>,
    add: Vec<(HeaderName, HeaderValue)>,
}

/// Headers that say how a message is framed, or that the gateway itself answers for.
const OWN: [&str; 10] = [
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

/// Whether a header says how a message is framed, or is the gateway's own to set.
pub fn is_own(name: &HeaderName) -> bool {
    OWN.contains(&name.as_str())
}

impl HeaderChange {
    fn compile(headers: &TransformationHeaders) -> Result<Self, Diagnostic> {
        let name = |path: &str, name: &str| {
            let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
                Diagnostic::error(path, format!("found `{name}`, expected the name of a header"))
            })?;
            if is_own(&parsed) {
                return Err(Diagnostic::error(
                    path,
                    format!("found `{name}`, which the gateway sets itself"),
                ));
            }
            Ok(parsed)
        };
        let pairs = |path: &str, pairs: &BTreeMap<String, String>| {
            pairs
                .iter()
                .map(|(key, value)| {
                    let path = format!("{path}.{key}");
                    let value = HeaderValue::from_str(value).map_err(|_| {
                        Diagnostic::error(
                            &path,
                            "expected a value without line breaks and control characters",
                        )
                    })?;
                    Ok((name(&path, key)?, value))
                })
                .collect::<Result<Vec<_>, Diagnostic>>()
        };
        Ok(Self {
            remove: headers
                .remove
                .iter()
                .enumerate()
                .map(|(index, key)| name(&format!("headers.remove[{index}]"), key))
                .collect::<Result<_, _>>()?,
            set: pairs("headers.set", &headers.set)?,
            add: pairs("headers.add", &headers.add)?,
        })
    }

    fn apply(&self, headers: &mut Headers) {
        for name in &self.remove {
            headers.remove(name);
        }
        for (name, value) in &self.set {
            headers.insert(name, value);
        }
        for (name, value) in &self.add {
            headers.append(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(yaml: &str) -> Result<HeaderChange, Diagnostic> {
        let value = model::yaml::parse(yaml).unwrap().value;
        HeaderChange::compile(&serde_json::from_value(value).unwrap())
    }

    #[test]
    fn headers_are_removed_then_set_then_added() {
        let change = headers("{remove: [a], set: {a: '1', b: '2'}, add: {b: '3'}}").unwrap();
        let a = HeaderName::from_static("a");
        let mut map: Headers =
            [(&a, HeaderValue::from_static("old")), (&a, HeaderValue::from_static("older"))]
                .into_iter()
                .collect();
        change.apply(&mut map);
        let all = |name: &'static str| map.get_all(name).map(|v| v.to_str().unwrap()).collect::<Vec<_>>();
        assert_eq!((all("a"), all("b")), (vec!["1"], vec!["2", "3"]));
    }

    #[test]
    fn values_that_could_split_a_message_are_refused_with_their_path() {
        assert_eq!(headers("{set: {a: \"x\\r\\nb: y\"}}").unwrap_err().path, "headers.set.a");
        assert_eq!(headers("{remove: ['a b']}").unwrap_err().path, "headers.remove[0]");
        assert_eq!(headers("{set: {Content-Length: '1'}}").unwrap_err().path, "headers.set.Content-Length");
    }
}
