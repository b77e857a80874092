//! Explanations: the decision record of a request, with names instead of positions, for people and programs.

use std::fmt::Write;

use engine::{
    Outcome, RequestId, Snapshot,
    exchange::StepResult,
    journal::{Batch, Finished},
    reason::Origin,
};
use model::event::LoggedMessages;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Everything decided about one request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    pub request_id: String,
    pub time: String,
    /// Revision of the configuration that the request met.
    pub revision: u64,
    pub method: String,
    /// The host that was called.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host: String,
    pub path: String,
    /// What the path stands for, when it is a URL alias.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub resolved_path: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub query: String,
    pub client: String,
    pub status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<ExplainedReason>,
    /// What the log says beside the reason.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<ExplainedOperation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// APIs and operations that were in question, the chosen ones first. Missing when the configuration has changed
    /// since the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<ExplainedCandidate>,
    pub policies: Vec<ExplainedPolicy>,
    /// Policies written for the operation that have no effect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inert: Vec<InertPolicy>,
    pub attempts: Vec<ExplainedAttempt>,
    /// Calls that policies made, in the order that they ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<ExplainedCall>,
    pub request_bytes: u64,
    pub response_bytes: u64,
    pub total_micros: u64,
    pub provider_micros: u64,
    /// Nothing was sent: this is what would have happened.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// The revision of the assets that it was asked about, where it was not what is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset_revision: Option<u64>,
    /// Headers and payloads, where a policy keeps them. They come from the event store.
    #[serde(default, skip_serializing_if = "LoggedMessages::is_empty")]
    pub messages: LoggedMessages,
    /// Messages are in the event store.
    #[serde(skip)]
    pub(crate) logged: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedReason {
    pub code: String,
    pub message: String,
    /// `client`, `gateway` or `upstream`.
    pub origin: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedOperation {
    pub name: String,
    pub method: String,
    pub path: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedPolicy {
    pub stage: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub name: String,
    /// `global`, `API`, `resource`, `scope` or `operation`.
    pub level: String,
    /// Path of the resource, name of the scope or of the operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Template that it was copied from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// `passed`, `changed`, `skipped`, `refused`, or `not reached`.
    pub verdict: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    pub micros: f64,
}

/// A policy without effect.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InertPolicy {
    pub stage: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub name: String,
    /// `global`, `API`, `resource`, `scope` or `operation`.
    pub level: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    pub why: String,
}

/// An API, or an operation of the chosen API, that was in question.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedCandidate {
    pub api: String,
    pub base_path: String,
    /// Method and path; missing where the API as a whole was in question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    pub chosen: bool,
    pub why: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedAttempt {
    pub endpoint: String,
    /// Milliseconds after the request came in.
    pub after_millis: f64,
    pub took_millis: f64,
    /// Status of the answer; missing when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    pub connection: String,
}

/// A call that a policy made.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedCall {
    pub name: String,
    /// Milliseconds after the request came in.
    pub after_millis: f64,
    pub took_millis: f64,
    /// Status of the answer; missing when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// Bytes of a body that a terminal shows.
const LONGEST_SHOWN: usize = 4_096;

/// Finds a request in a batch and explains it.
pub fn find(batch: &Batch, id: RequestId) -> Option<Explanation> {
    batch.finished.iter().find(|f| f.id == id && f.recorded).map(|finished| explain(batch, finished))
}

/// Explains a request of a batch.
pub fn explain(batch: &Batch, finished: &Finished) -> Explanation {
    let api = batch.api(finished);
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(finished.started.0)).ok();
    Explanation {
        request_id: finished.id.to_string(),
        time: time.and_then(|t| t.format(&Rfc3339).ok()).unwrap_or_default(),
        revision: batch.catalog.revision,
        method: finished.method.to_string(),
        host: batch.host(finished).to_owned(),
        path: batch.path(finished).to_owned(),
        resolved_path: batch.resolved_path(finished).to_owned(),
        query: batch.query(finished).to_owned(),
        client: finished.client.to_string(),
        status: finished.status,
        reason: finished.reason.map(|reason| ExplainedReason {
            code: reason.code.to_owned(),
            message: reason.message.to_owned(),
            origin: match reason.origin {
                Origin::Client => "client",
                Origin::Gateway => "gateway",
                Origin::Upstream => "upstream",
            }
            .to_owned(),
        }),
        detail: batch.detail(finished).to_owned(),
        api: api.map(|api| format!("{} {}", api.name, api.version)),
        operation: batch.operation(finished).map(|operation| ExplainedOperation {
            name: operation.name.to_string(),
            method: operation.method.to_string(),
            path: operation.path.to_string(),
        }),
        application: batch.application(finished).map(str::to_owned),
        candidates: Vec::new(),
        policies: policies(batch, finished),
        inert: inert(batch, finished),
        attempts: attempts(batch, finished),
        calls: calls(batch, finished),
        request_bytes: finished.request_bytes,
        response_bytes: finished.response_bytes,
        total_micros: finished.total_us,
        provider_micros: finished.provider_us,
        dry_run: false,
        asset_revision: None,
        messages: LoggedMessages::default(),
        logged: finished.logged,
    }
}

/// Every policy of the chain, also those that were not reached.
fn policies(batch: &Batch, finished: &Finished) -> Vec<ExplainedPolicy> {
    let Some(api) = batch.api(finished) else { return Vec::new() };
    let steps = batch.steps(finished);
    let chain = api.chain(finished.operation).active.iter();
    chain
        .filter_map(|position| {
            let names = api.policies.get(usize::from(*position))?;
            let step = steps.iter().rev().find(|step| step.policy == *position);
            let (verdict, reason) = match step.map(|step| step.result) {
                None => ("not reached", None),
                Some(StepResult::Let(Outcome::Passed)) => ("passed", None),
                Some(StepResult::Let(Outcome::Changed)) => ("changed", None),
                Some(StepResult::Let(Outcome::Skipped)) => ("skipped", None),
                Some(StepResult::Let(Outcome::Answered)) => ("answered", None),
                Some(StepResult::Refused(reason)) => ("refused", Some(reason.code.to_owned())),
            };
            Some(ExplainedPolicy {
                stage: names.stage.name().to_owned(),
                kind: names.kind.to_owned(),
                name: names.name.to_string(),
                level: names.level.name().to_owned(),
                place: names.place.as_deref().map(str::to_owned),
                template: names.template.as_deref().map(str::to_owned),
                verdict: verdict.to_owned(),
                reason,
                note: step.and_then(|s| s.note.as_deref()).map(str::to_owned),
                micros: step.map_or(0.0, |s| f64::from(s.nanos) / 1_000.0),
            })
        })
        .collect()
}

/// What was written for the operation and has no effect.
fn inert(batch: &Batch, finished: &Finished) -> Vec<InertPolicy> {
    let Some(api) = batch.api(finished) else { return Vec::new() };
    let inert = api.chain(finished.operation).inert.iter();
    inert
        .filter_map(|inert| {
            let names = api.policies.get(usize::from(inert.policy))?;
            Some(InertPolicy {
                stage: names.stage.name().to_owned(),
                kind: names.kind.to_owned(),
                name: names.name.to_string(),
                level: names.level.name().to_owned(),
                place: names.place.as_deref().map(str::to_owned),
                template: names.template.as_deref().map(str::to_owned),
                why: api.why(inert.why),
            })
        })
        .collect()
}

/// Status or failure of a call, for people.
fn came_of(status: Option<u16>, failure: Option<&str>) -> String {
    status.map(|status| status.to_string()).unwrap_or_else(|| failure.unwrap_or("no answer").to_owned())
}

fn millis(duration: std::time::Duration) -> f64 {
    duration.as_micros() as f64 / 1_000.0
}

fn calls(batch: &Batch, finished: &Finished) -> Vec<ExplainedCall> {
    let calls = batch.calls(finished).iter();
    calls
        .map(|call| ExplainedCall {
            name: call.name.to_string(),
            after_millis: millis(call.started.since(finished.started)),
            took_millis: millis(call.took),
            status: (call.status != 0).then_some(call.status),
            failure: call.failure.map(|reason| reason.code.to_owned()),
        })
        .collect()
}

fn attempts(batch: &Batch, finished: &Finished) -> Vec<ExplainedAttempt> {
    let attempts = batch.attempts(finished).iter();
    attempts
        .map(|attempt| ExplainedAttempt {
            endpoint: batch.endpoint(attempt).to_owned(),
            after_millis: millis(attempt.started.since(finished.started)),
            took_millis: millis(attempt.took),
            status: (attempt.status != 0).then_some(attempt.status),
            failure: attempt.failure.map(|reason| reason.code.to_owned()),
            connection: if attempt.reused { "kept open" } else { "new" }.to_owned(),
        })
        .collect()
}

impl Explanation {
    /// Adds what was in question for the request's route, if the snapshot is the one that it met.
    pub fn add_candidates(&mut self, snapshot: &Snapshot) {
        let Ok(method) = http::Method::from_bytes(self.method.as_bytes()) else { return };
        if snapshot.revision != self.revision {
            return;
        }
        let path = if self.resolved_path.is_empty() { &self.path } else { &self.resolved_path };
        let candidates = snapshot.explain_route(&self.host, &method, path).into_iter();
        self.candidates = candidates
            .map(|candidate| ExplainedCandidate {
                api: candidate.api,
                base_path: candidate.base_path,
                operation: candidate.operation,
                chosen: candidate.chosen,
                why: candidate.why,
            })
            .collect();
    }

    /// As text, for a terminal.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let query = if self.query.is_empty() { String::new() } else { format!("?{}", self.query) };
        writeln!(out, "{} {}{query}", self.method, self.path)?;
        let line = |out: &mut String, name: &str, value: &str| writeln!(out, "  {name:<12} {value}");
        if self.dry_run {
            line(out, "dry run", "nothing was sent or counted")?;
        }
        line(out, "request id", &self.request_id)?;
        line(out, "time", &self.time)?;
        line(out, "client", &self.client)?;
        match self.asset_revision {
            Some(revision) => {
                line(out, "revision", &format!("{revision} of the assets, which is not served"))?
            }
            None => line(out, "revision", &self.revision.to_string())?,
        }
        if !self.resolved_path.is_empty() {
            line(out, "URL alias of", &self.resolved_path)?;
        }
        line(out, "API", self.api.as_deref().unwrap_or("none is published at this address"))?;
        if let Some(operation) = &self.operation {
            line(
                out,
                "operation",
                &format!("{}  ({} {})", operation.name, operation.method, operation.path),
            )?;
        }
        if let Some(application) = &self.application {
            line(out, "application", application)?;
        }
        if !self.candidates.is_empty() {
            writeln!(out, "\nRoute")?;
            for candidate in &self.candidates {
                let what = match &candidate.operation {
                    Some(operation) => operation.clone(),
                    None => format!("{} at {}", candidate.api, root_or(&candidate.base_path)),
                };
                let chosen = if candidate.chosen { "chosen" } else { "lost" };
                writeln!(out, "  {chosen:<7} {what:<40} {}", candidate.why)?;
            }
        }
        if !self.policies.is_empty() {
            writeln!(out, "\nPolicies, in the order they run")?;
            for policy in &self.policies {
                let reason = policy.reason.as_ref().map_or(String::new(), |r| format!(": {r}"));
                let note = policy.note.as_ref().map_or(String::new(), |n| format!("  ({n})"));
                writeln!(
                    out,
                    "  {:<20} {:<24} {:<7} {}{reason}{note}  {:.1} µs",
                    policy.stage,
                    policy.name,
                    written(&policy.level, policy.place.as_deref(), policy.template.as_deref()),
                    policy.verdict,
                    policy.micros
                )?;
            }
        }
        if !self.inert.is_empty() {
            writeln!(out, "\nPolicies without effect")?;
            for policy in &self.inert {
                let level = written(&policy.level, policy.place.as_deref(), policy.template.as_deref());
                writeln!(out, "  {:<20} {:<24} {level:<7} inert: {}", policy.stage, policy.name, policy.why)?;
            }
        }
        if !self.calls.is_empty() {
            writeln!(out, "\nCalls of policies")?;
            for call in &self.calls {
                let result = came_of(call.status, call.failure.as_deref());
                let (after, took) = (call.after_millis, call.took_millis);
                writeln!(out, "  after {after:.1} ms  {}  {result}  took {took:.1} ms", call.name)?;
            }
        }
        if !self.attempts.is_empty() {
            writeln!(out, "\nCalls to the upstream")?;
            for attempt in &self.attempts {
                let result = came_of(attempt.status, attempt.failure.as_deref());
                writeln!(
                    out,
                    "  after {:.1} ms  {}  {result}  took {:.1} ms on a {} connection",
                    attempt.after_millis, attempt.endpoint, attempt.took_millis, attempt.connection
                )?;
            }
        }
        for (part, text) in self.messages.parts() {
            writeln!(out, "\n{}", part.title())?;
            match serde_json::from_str::<Map<String, Value>>(&text) {
                Ok(headers) if !part.is_payload() => {
                    for (name, value) in &headers {
                        writeln!(out, "  {name}: {}", value.as_str().unwrap_or_default())?;
                    }
                }
                _ => {
                    let shown = &text[..text.floor_char_boundary(LONGEST_SHOWN)];
                    shown.lines().try_for_each(|line| writeln!(out, "  {line}"))?;
                    if shown.len() < text.len() {
                        writeln!(
                            out,
                            "  … {} bytes more, see `gatewright explain --json`",
                            text.len() - shown.len()
                        )?;
                    }
                }
            }
        }
        writeln!(out)?;
        match &self.reason {
            Some(reason) => writeln!(
                out,
                "Result: {} {} ({}), {}",
                self.status, reason.code, reason.origin, reason.message
            )?,
            None if self.dry_run => writeln!(out, "Result: the request would be sent")?,
            None => writeln!(out, "Result: {}", self.status)?,
        }
        if !self.detail.is_empty() {
            writeln!(out, "  {}", self.detail)?;
        }
        if !self.dry_run {
            writeln!(
                out,
                "  {:.2} ms in all, {:.2} ms of it the upstream; {} bytes in, {} bytes out",
                self.total_micros as f64 / 1_000.0,
                self.provider_micros as f64 / 1_000.0,
                self.request_bytes,
                self.response_bytes
            )?;
        }
        Ok(())
    }
}

/// Where a policy was written.
fn written(level: &str, place: Option<&str>, template: Option<&str>) -> String {
    match (place, template) {
        (Some(place), _) => format!("{level} {place}"),
        (None, Some(template)) => format!("{level}, template {template}"),
        (None, None) => level.to_owned(),
    }
}

fn root_or(base_path: &str) -> &str {
    if base_path.is_empty() { "/" } else { base_path }
}
