//! Policies: what a policy file declares, and what is left of it at run time.

use std::{future::Future, pin::Pin, sync::Arc};

use http::{HeaderName, HeaderValue};
use model::{Diagnostic, Diagnostics, check};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{CompileCx, Exchange, LogMask, Reason, Rejection, journal::Measures, log::LogSpec};

/// Where in a request's life a policy runs, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    Transport,
    IdentifyAndAccess,
    RequestProcessing,
    Routing,
    TrafficMonitoring,
    ResponseProcessing,
    ErrorHandling,
}

impl Stage {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transport => "transport",
            Self::IdentifyAndAccess => "identify & access",
            Self::RequestProcessing => "request processing",
            Self::Routing => "routing",
            Self::TrafficMonitoring => "traffic monitoring",
            Self::ResponseProcessing => "response processing",
            Self::ErrorHandling => "error handling",
        }
    }
}

/// A policy: the type of its configuration, and everything that is said about it. One file each.
pub trait Policy: DeserializeOwned + JsonSchema + 'static {
    /// Its name in configuration, API and metrics; camelCase.
    const TYPE: &'static str;
    const STAGE: Stage;
    /// Its place within the stage: lower ones run first, those with the same one as they are written.
    const ORDER: i8 = 0;
    /// Whether an operation may have more than one of it.
    const REPEATABLE: bool = false;
    /// Policies that cannot govern a request beside it, by type; it is enough when one of the two says so. On different
    /// levels one gives way, as of a policy that may be there once; on the same level they are refused.
    const EXCLUDES: &'static [&'static str] = &[];
    /// Whether it finds out which application calls.
    const IDENTIFIES: bool = false;
    /// Whether it governs every API that offers plans, also where nobody has written it. One policy does.
    const GOVERNS_PLANS: bool = false;
    /// Whether it means nothing without an identified application. When that depends on the configuration,
    /// [`Policy::needs_application`] says so.
    const NEEDS_APPLICATION: bool = false;
    /// What becomes of a request when the policy cannot do its work. For the reference.
    const ON_FAILURE: FailMode = FailMode::Never;
    /// What it assumes about input that nobody has checked, in a sentence or two. For the reference, which is not
    /// printed without it.
    const POSTURE: &'static str = "";
    /// Every reason it can refuse a request for.
    const REASONS: &'static [&'static Reason];
    /// Keys of its configuration that name a file, for [`CompileCx::file`]; `list[].key` for those in the objects of a
    /// list. Relative paths are relative to the
    /// configuration; a changed file is a changed configuration.
    const FILES: &'static [&'static str] = &[];
    /// A configuration that works, in YAML.
    const EXAMPLE: &'static str;

    /// Whether it means nothing without an identified application, as it is configured.
    fn needs_application(&self) -> bool {
        Self::NEEDS_APPLICATION
    }

    /// Checks what types cannot, and prepares everything that requests would otherwise compute.
    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic>;
}

/// What becomes of a request when a policy cannot do its work: something it depends on is down, slow or full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum FailMode {
    /// The request goes on without it.
    Open,
    /// The request is refused.
    Closed,
    /// It depends on nothing that could fail.
    Never,
}

impl FailMode {
    /// In words, for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "the request goes on without the policy",
            Self::Closed => "the request is refused",
            Self::Never => "the policy depends on nothing that could fail",
        }
    }
}

/// A compiled policy, ready to be called by any worker.
#[derive(Clone)]
pub struct Compiled(Arc<dyn Filter>);

impl Compiled {
    pub fn filter(filter: impl Filter + 'static) -> Self {
        Self(Arc::new(filter))
    }

    pub fn get(&self) -> &dyn Filter {
        &*self.0
    }
}

/// What a policy does to a request, and to its response.
pub trait Filter: Send + Sync {
    /// Called in the policy's stage, unless that is response processing or error handling.
    fn request<'a>(&'a self, _exchange: &'a mut Exchange) -> Step<'a> {
        Step::Done(Ok(Outcome::Skipped))
    }

    /// Called for every callback of the API before it goes to the client, instead of `request`.
    fn callback<'a>(&'a self, _exchange: &'a mut Exchange) -> Step<'a> {
        Step::Done(Ok(Outcome::Skipped))
    }

    /// Called for every response, also one that the gateway itself gives, for each policy that says so.
    fn response<'a>(&'a self, _exchange: &'a mut Exchange) -> Step<'a> {
        Step::Done(Ok(Outcome::Skipped))
    }

    /// Called when a request has ended, however it did, for each policy that says so.
    fn ended(&self, _exchange: &Exchange, _measures: &Measures) {}

    /// What it hides in bodies that are written down; of a message that it has nothing to do with, nothing.
    fn log_mask(&self, _exchange: &Exchange) -> Option<&dyn LogMask> {
        None
    }

    /// What it has to see.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// Forgets the answers that it keeps, because somebody asked for that.
    fn purge(&self) {}

    /// What it wants kept of the request for its event. Asked when the request has found its operation, and only if
    /// `needs` says so.
    fn log(&self, _exchange: &Exchange) -> Option<Arc<LogSpec>> {
        None
    }

    /// What a client that shows no credentials is told to send (RFC 9110, 11.6.1), for those who refuse it later.
    fn challenges(&self, _exchange: &Exchange) -> Vec<HeaderValue> {
        Vec::new()
    }

    /// Whether no client may send a header, because the gateway says in it who calls. The policy takes it out of the
    /// head itself; of trailers it is asked. The name is in small letters.
    fn owns_header(&self, _name: &str) -> bool {
        false
    }

    /// Headers that carry credentials, whose values nobody may see.
    fn credentials(&self) -> Vec<HeaderName> {
        Vec::new()
    }
}

/// What a policy has to see. Bodies that no policy of an operation asks for stream past.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// The whole body of the request, in `Exchange::request_payload`.
    pub request_body: bool,
    /// `Filter::response` is called.
    pub response: bool,
    /// The whole body of the response, in `Exchange::response_payload`. Streams of events and gRPC have none.
    pub response_body: bool,
    /// The same, for responses with a status of 400 and above only.
    pub error_body: bool,
    /// `Filter::log` is called.
    pub log: bool,
    /// `Filter::ended` is called.
    pub end: bool,
    /// `Filter::callback` is called.
    pub callback: bool,
}

impl Needs {
    /// It wants to be called for responses, and no body.
    pub const RESPONSE: Self = Self { response: true, ..Self::NOTHING };

    /// It wants to be called when requests have ended.
    pub const END: Self = Self { end: true, ..Self::NOTHING };

    /// It wants to be called for callbacks.
    pub const CALLBACK: Self = Self { callback: true, ..Self::NOTHING };

    const NOTHING: Self = Self {
        request_body: false,
        response: false,
        response_body: false,
        error_body: false,
        log: false,
        end: false,
        callback: false,
    };

    /// Whether the body of a response with this status is wanted.
    pub fn body_of(self, status: http::StatusCode) -> bool {
        self.response_body || (self.error_body && status.as_u16() >= 400)
    }
}

impl std::ops::BitOr for Needs {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            request_body: self.request_body | other.request_body,
            response: self.response | other.response,
            response_body: self.response_body | other.response_body,
            error_body: self.error_body | other.error_body,
            log: self.log | other.log,
            end: self.end | other.end,
            callback: self.callback | other.callback,
        }
    }
}

/// How a filter answers: at once, which costs nothing, or later, which boxes a future.
pub enum Step<'a> {
    Done(Verdict),
    Later(Pin<Box<dyn Future<Output = Verdict> + 'a>>),
}

/// The request goes on, or is answered here.
pub type Verdict = Result<Outcome, Box<Rejection>>;

/// What a policy that lets a request go on did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It looked and agreed.
    Passed,
    /// It changed the request or the response.
    Changed,
    /// It had nothing to do.
    Skipped,
    /// It answered the request itself, with `Exchange::answer_with`; no upstream is called.
    Answered,
}

/// A policy type, without its type: what the list of all policies holds.
pub struct PolicyKind {
    pub type_name: &'static str,
    pub stage: Stage,
    /// Place within the stage.
    pub order: i8,
    pub repeatable: bool,
    pub excludes: &'static [&'static str],
    pub identifies: bool,
    pub governs_plans: bool,
    /// Whatever its configuration says; some need one only when configured so.
    pub needs_application: bool,
    pub on_failure: FailMode,
    pub posture: &'static str,
    pub reasons: &'static [&'static Reason],
    pub files: &'static [&'static str],
    pub example: &'static str,
    pub schema: fn() -> Value,
    compile: fn(Value, &mut CompileCx<'_>) -> Result<Compiled, Diagnostics>,
}

impl PolicyKind {
    pub const fn of<P: Policy>() -> Self {
        Self {
            type_name: P::TYPE,
            stage: P::STAGE,
            order: P::ORDER,
            repeatable: P::REPEATABLE,
            excludes: P::EXCLUDES,
            identifies: P::IDENTIFIES,
            governs_plans: P::GOVERNS_PLANS,
            needs_application: P::NEEDS_APPLICATION,
            on_failure: P::ON_FAILURE,
            posture: P::POSTURE,
            reasons: P::REASONS,
            files: P::FILES,
            example: P::EXAMPLE,
            schema: check::schema_of::<P>,
            compile: |config, cx| {
                let policy: P = check::parse(config)?;
                cx.needs_application = policy.needs_application();
                policy.compile(cx).map_err(Diagnostics::from)
            },
        }
    }

    /// Whether the two cannot govern the same request.
    pub fn rules_out(&self, other: &Self) -> bool {
        if self.type_name == other.type_name {
            return !self.repeatable;
        }
        self.excludes.contains(&other.type_name) || other.excludes.contains(&self.type_name)
    }

    /// Compiles a configuration of this policy; problems carry paths inside the configuration.
    pub fn compile(&self, config: Value, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostics> {
        (self.compile)(config, cx)
    }
}
