//! Explanations: the decision record of a request, with names instead of positions, for people and programs.

use std::fmt::Write;

use engine::{
    Outcome, RequestId,
    exchange::StepResult,
    journal::{Batch, Finished},
    reason::Origin,
};
use serde::{Deserialize, Serialize};
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
    pub path: String,
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
    pub policies: Vec<ExplainedPolicy>,
    pub attempts: Vec<ExplainedAttempt>,
    pub request_bytes: u64,
    pub response_bytes: u64,
    pub total_micros: u64,
    pub provider_micros: u64,
    /// Nothing was sent: this is what would have happened.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
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
    /// `global` or `API`.
    pub level: String,
    /// `passed`, `changed`, `skipped`, `refused`, or `not reached`.
    pub verdict: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    pub micros: f64,
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
        path: batch.path(finished).to_owned(),
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
        policies: policies(batch, finished),
        attempts: attempts(batch, finished),
        request_bytes: finished.request_bytes,
        response_bytes: finished.response_bytes,
        total_micros: finished.total_us,
        provider_micros: finished.provider_us,
        dry_run: false,
    }
}

/// Every policy of the chain, also those that were not reached.
fn policies(batch: &Batch, finished: &Finished) -> Vec<ExplainedPolicy> {
    let Some(api) = batch.api(finished) else { return Vec::new() };
    let steps = batch.steps(finished);
    let chain = api.policies.iter().enumerate();
    chain
        .map(|(position, names)| {
            let step = steps.iter().rev().find(|step| usize::from(step.policy) == position);
            let (verdict, reason) = match step.map(|step| step.result) {
                None => ("not reached", None),
                Some(StepResult::Let(Outcome::Passed)) => ("passed", None),
                Some(StepResult::Let(Outcome::Changed)) => ("changed", None),
                Some(StepResult::Let(Outcome::Skipped)) => ("skipped", None),
                Some(StepResult::Let(Outcome::Answered)) => ("answered", None),
                Some(StepResult::Refused(reason)) => ("refused", Some(reason.code.to_owned())),
            };
            ExplainedPolicy {
                stage: names.stage.name().to_owned(),
                kind: names.kind.to_owned(),
                name: names.name.to_string(),
                level: names.level.name().to_owned(),
                verdict: verdict.to_owned(),
                reason,
                note: step.and_then(|s| s.note.as_deref()).map(str::to_owned),
                micros: step.map_or(0.0, |s| f64::from(s.nanos) / 1_000.0),
            }
        })
        .collect()
}

fn attempts(batch: &Batch, finished: &Finished) -> Vec<ExplainedAttempt> {
    let millis = |duration: std::time::Duration| duration.as_micros() as f64 / 1_000.0;
    let attempts = batch.attempts(finished).iter();
    attempts
        .map(|attempt| ExplainedAttempt {
            endpoint: batch
                .catalog
                .endpoints
                .get(attempt.endpoint as usize)
                .map_or("?", |url| url)
                .to_owned(),
            after_millis: millis(attempt.started.since(finished.started)),
            took_millis: millis(attempt.took),
            status: (attempt.status != 0).then_some(attempt.status),
            failure: attempt.failure.map(|reason| reason.code.to_owned()),
            connection: if attempt.reused { "kept open" } else { "new" }.to_owned(),
        })
        .collect()
}

impl Explanation {
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
        line(out, "revision", &self.revision.to_string())?;
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
        if !self.policies.is_empty() {
            writeln!(out, "\nPolicies, in the order they run")?;
            for policy in &self.policies {
                let reason = policy.reason.as_ref().map_or(String::new(), |r| format!(": {r}"));
                let note = policy.note.as_ref().map_or(String::new(), |n| format!("  ({n})"));
                writeln!(
                    out,
                    "  {:<20} {:<24} {:<7} {}{reason}{note}  {:.1} µs",
                    policy.stage, policy.name, policy.level, policy.verdict, policy.micros
                )?;
            }
        }
        if !self.attempts.is_empty() {
            writeln!(out, "\nCalls to the upstream")?;
            for attempt in &self.attempts {
                let result = match (&attempt.status, &attempt.failure) {
                    (Some(status), _) => status.to_string(),
                    (None, Some(failure)) => failure.clone(),
                    (None, None) => "no answer".to_owned(),
                };
                writeln!(
                    out,
                    "  after {:.1} ms  {}  {result}  took {:.1} ms on a {} connection",
                    attempt.after_millis, attempt.endpoint, attempt.took_millis, attempt.connection
                )?;
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
