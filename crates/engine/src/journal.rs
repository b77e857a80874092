//! The journal: what finished requests leave behind, collected by each worker into batches without allocating for
//! each request. A batch names things by position; the catalogue that it carries turns positions into names.

use std::{fmt, net::IpAddr, ops::Range, sync::Arc};

use http::Method;
use model::Parts;

use crate::{
    Exchange, Reason, RequestId, Stage, Timestamp,
    calls::CallRecord,
    exchange::{Attempt, StepRecord},
    language::Extras,
    log::Logged,
};

/// Names of everything that a batch refers to by position. Shared by all batches of a snapshot.
#[derive(Debug, Default)]
pub struct Catalog {
    pub revision: u64,
    pub apis: Parts<Arc<ApiNames>>,
    pub applications: Vec<Arc<str>>,
    /// URLs of all endpoints.
    pub endpoints: Arc<[Arc<str>]>,
}

/// Names of an API and of its parts.
#[derive(Debug)]
pub struct ApiNames {
    pub id: Box<str>,
    pub name: Box<str>,
    pub version: Box<str>,
    pub operations: Vec<OperationNames>,
    /// All policies of the API, of whatever level, in the order of their stages.
    pub policies: Vec<PolicyNames>,
    /// What governs requests, the first for those that match no operation.
    pub(crate) chains: Vec<ChainNames>,
    /// Position of each operation's chain; the first one for operations beyond its end.
    pub(crate) operation_chains: Arc<[u32]>,
}

impl ApiNames {
    /// What governs an operation, or requests that match none.
    pub fn chain(&self, operation: Option<u32>) -> &ChainNames {
        static NONE: ChainNames = ChainNames { active: Vec::new(), inert: Vec::new() };
        let position = operation.and_then(|operation| self.operation_chains.get(operation as usize));
        self.chains.get(position.map_or(0, |position| *position as usize)).unwrap_or(&NONE)
    }

    /// Why a policy has no effect, for people.
    pub fn why(&self, inertness: Inertness) -> String {
        match inertness {
            Inertness::Disabled => "it is disabled".to_owned(),
            Inertness::GivesWay { to } => match self.policies.get(usize::from(to)) {
                Some(winner) => format!("{winner} wins"),
                None => "another policy wins".to_owned(),
            },
        }
    }
}

#[derive(Debug)]
pub struct OperationNames {
    pub name: Box<str>,
    pub method: Box<str>,
    pub path: Box<str>,
}

/// A policy, and where it was written.
#[derive(Debug)]
pub struct PolicyNames {
    pub kind: &'static str,
    pub name: Box<str>,
    pub stage: Stage,
    pub level: Level,
    /// Path of the resource, name of the scope, or name of the operation.
    pub place: Option<Box<str>>,
    /// Template that it was copied from.
    pub template: Option<Box<str>>,
}

impl fmt::Display for PolicyNames {
    /// As in `global policy x`, `policy x of scope writes`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.level, &self.place) {
            (Level::Global, _) => write!(f, "global policy `{}`", self.name),
            (level, None) => write!(f, "policy `{}` of the {}", self.name, level.name()),
            (level, Some(place)) => write!(f, "policy `{}` of {} {place}", self.name, level.name()),
        }?;
        match &self.template {
            Some(template) => write!(f, ", from template {template}"),
            None => Ok(()),
        }
    }
}

/// The policies that govern a request, by position in the API's policies.
#[derive(Debug, Default, Clone)]
pub struct ChainNames {
    /// In the order that they run.
    pub active: Vec<u16>,
    /// Written for these requests, but without effect.
    pub inert: Vec<Inert>,
}

/// A policy without effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inert {
    pub policy: u16,
    pub why: Inertness,
}

/// Why a policy has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inertness {
    Disabled,
    /// Another one takes its place.
    GivesWay {
        to: u16,
    },
}

/// Where a policy was written, in the order that policies of a stage run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    Global,
    Api,
    Resource,
    Scope,
    Operation,
}

impl Level {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Api => "API",
            Self::Resource => "resource",
            Self::Scope => "scope",
            Self::Operation => "operation",
        }
    }
}

/// A finished request. Texts and lists are ranges in the batch.
#[derive(Debug)]
pub struct Finished {
    pub id: RequestId,
    pub started: Timestamp,
    pub total_us: u64,
    pub provider_us: u64,
    pub api: Option<u32>,
    pub operation: Option<u32>,
    pub application: Option<u32>,
    pub method: Method,
    pub client: IpAddr,
    pub status: u16,
    pub reason: Option<&'static Reason>,
    pub request_bytes: u64,
    pub response_bytes: u64,
    /// It was answered from a cache.
    pub from_cache: bool,
    /// An upstream called a client back.
    pub callback: bool,
    /// The full decision record is kept.
    pub recorded: bool,
    /// Messages on their way into the event store.
    pub log: Option<Box<Logged>>,
    /// Messages are kept in the event store.
    pub logged: bool,
    host: Range<u32>,
    path: Range<u32>,
    resolved_path: Range<u32>,
    query: Range<u32>,
    user_agent: Range<u32>,
    detail: Range<u32>,
    fields: Range<u32>,
    steps: Range<u32>,
    attempts: Range<u32>,
    calls: Range<u32>,
}

/// Finished requests of one worker under one snapshot.
#[derive(Debug, Default)]
pub struct Batch {
    pub catalog: Arc<Catalog>,
    pub finished: Vec<Finished>,
    text: String,
    /// Names and values of fields that policies added.
    fields: Vec<(Range<u32>, Range<u32>)>,
    steps: Vec<StepRecord>,
    attempts: Vec<Attempt>,
    calls: Vec<CallRecord>,
}

/// What is known about a request only once its body has passed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Measures {
    pub ended: Timestamp,
    pub request_bytes: u64,
    pub response_bytes: u64,
}

/// Longest path, query or header value kept; the rest of an absurd one is cut off.
const LONGEST_TEXT: usize = 2_048;

impl Batch {
    pub fn new(catalog: Arc<Catalog>) -> Self {
        Self { catalog, ..Self::default() }
    }

    pub fn len(&self) -> usize {
        self.finished.len()
    }

    pub fn is_empty(&self) -> bool {
        self.finished.is_empty()
    }

    /// Adds a finished request.
    pub fn push(&mut self, exchange: &mut Exchange, measures: &Measures) {
        let log = exchange.end_log();
        let provider = exchange.attempts.iter().map(|a| a.took.as_micros()).sum::<u128>();
        // Only an explanation asks for it.
        let host = exchange.headers.get(http::header::HOST).filter(|_| exchange.recording);
        let host = self.add_text(host.and_then(|v| v.to_str().ok()).unwrap_or(""));
        let path = self.add_text(exchange.inbound_uri().path());
        let resolved_path = exchange.extras().and_then(|extras| extras.resolved_path.as_deref());
        let resolved_path = self.add_text(resolved_path.unwrap_or(""));
        let query = self.add_text(exchange.inbound_uri().query().unwrap_or(""));
        let user_agent = exchange.headers.get(http::header::USER_AGENT).and_then(|v| v.to_str().ok());
        let user_agent = self.add_text(user_agent.unwrap_or(""));
        let detail = self.add_text(exchange.detail.as_deref().unwrap_or(""));
        let fields = self.add_fields(exchange);
        let steps = add(&mut self.steps, exchange.steps.drain(..));
        let attempts = add(&mut self.attempts, exchange.attempts.drain(..));
        let calls = add(&mut self.calls, exchange.take_calls().into_iter());
        self.finished.push(Finished {
            id: exchange.id,
            started: exchange.started,
            total_us: micros(measures.ended.since(exchange.started).as_micros()),
            provider_us: micros(provider),
            api: exchange.api,
            operation: exchange.operation,
            application: exchange.application,
            method: exchange.inbound_method().clone(),
            client: exchange.client.ip,
            status: exchange.status.as_u16(),
            reason: exchange.reason,
            request_bytes: measures.request_bytes,
            response_bytes: measures.response_bytes,
            from_cache: exchange.from_cache,
            callback: exchange.callback,
            recorded: exchange.recording,
            logged: log.is_some(),
            log,
            host,
            path,
            resolved_path,
            query,
            user_agent,
            detail,
            fields,
            steps,
            attempts,
            calls,
        });
    }

    /// Lets go of messages, which take far more room than everything else.
    pub fn forget_logs(&mut self) {
        self.finished.iter_mut().for_each(|finished| finished.log = None);
    }

    fn add_text(&mut self, text: &str) -> Range<u32> {
        let start = self.text.len();
        let cut = text.floor_char_boundary(LONGEST_TEXT);
        self.text.push_str(&text[..cut]);
        position(start)..position(self.text.len())
    }

    fn add_fields(&mut self, exchange: &Exchange) -> Range<u32> {
        let start = self.fields.len();
        for (name, value) in exchange.extras().into_iter().flat_map(Extras::fields) {
            let field = (self.add_text(name), self.add_text(value));
            self.fields.push(field);
        }
        position(start)..position(self.fields.len())
    }

    fn text(&self, range: &Range<u32>) -> &str {
        self.text.get(range.start as usize..range.end as usize).unwrap_or("")
    }

    /// The host that was called, as the client wrote it; empty when the request was not recorded.
    pub fn host(&self, finished: &Finished) -> &str {
        self.text(&finished.host)
    }

    pub fn path(&self, finished: &Finished) -> &str {
        self.text(&finished.path)
    }

    /// The path that a URL alias led to; empty when none did.
    pub fn resolved_path(&self, finished: &Finished) -> &str {
        self.text(&finished.resolved_path)
    }

    pub fn query(&self, finished: &Finished) -> &str {
        self.text(&finished.query)
    }

    pub fn user_agent(&self, finished: &Finished) -> &str {
        self.text(&finished.user_agent)
    }

    pub fn detail(&self, finished: &Finished) -> &str {
        self.text(&finished.detail)
    }

    /// Fields that policies added, by name.
    pub fn fields(&self, finished: &Finished) -> impl Iterator<Item = (&str, &str)> {
        let range = finished.fields.start as usize..finished.fields.end as usize;
        let fields = self.fields.get(range).unwrap_or(&[]);
        fields.iter().map(|(name, value)| (self.text(name), self.text(value)))
    }

    pub fn steps(&self, finished: &Finished) -> &[StepRecord] {
        self.steps.get(finished.steps.start as usize..finished.steps.end as usize).unwrap_or(&[])
    }

    pub fn attempts(&self, finished: &Finished) -> &[Attempt] {
        self.attempts.get(finished.attempts.start as usize..finished.attempts.end as usize).unwrap_or(&[])
    }

    /// Calls that policies made.
    pub fn calls(&self, finished: &Finished) -> &[CallRecord] {
        self.calls.get(finished.calls.start as usize..finished.calls.end as usize).unwrap_or(&[])
    }

    /// URL of the endpoint that was called.
    pub fn endpoint<'b>(&'b self, attempt: &'b Attempt) -> &'b str {
        attempt
            .url
            .as_ref()
            .or_else(|| self.catalog.endpoints.get(attempt.endpoint as usize))
            .map_or("", |url| url)
    }

    pub fn api(&self, finished: &Finished) -> Option<&ApiNames> {
        self.catalog.apis.get(finished.api? as usize).map(|names| &**names)
    }

    pub fn operation(&self, finished: &Finished) -> Option<&OperationNames> {
        self.api(finished)?.operations.get(finished.operation? as usize)
    }

    pub fn application(&self, finished: &Finished) -> Option<&str> {
        self.catalog.applications.get(finished.application? as usize).map(|name| &**name)
    }
}

fn add<T>(list: &mut Vec<T>, items: impl Iterator<Item = T>) -> Range<u32> {
    let start = list.len();
    list.extend(items);
    position(start)..position(list.len())
}

/// Batches are cut at a few hundred requests, far below four gigabytes of text.
fn position(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn micros(micros: u128) -> u64 {
    u64::try_from(micros).unwrap_or(u64::MAX)
}
