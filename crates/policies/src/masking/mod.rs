//! Masking: parts of bodies are hidden from the upstream, from the client, or from what is written down. How a body is
//! changed is in [`masks`].

mod masks;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use engine::{
    CompileCx, Compiled, Exchange, Filter, LogMask, Needs, NotMasked, Outcome, Payload, Policy, Reason,
    Rejection, Side, Stage, Step, Verdict,
};
use http::StatusCode;
use masks::Masks;
use model::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Hides parts of the body of requests.
///
/// Which masks are looked at is decided by the content type: `jsonPath` for JSON, `xpath` for XML, `regex` for text
/// and forms; `settings.contentTypes` adds types. Without a Content-Type the first character decides. Bodies of other
/// types pass as they are.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestMasking {
    /// What is hidden from callers that `applications` does not name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    masks: Vec<MaskingMask>,
    /// What is hidden for certain applications, instead of `masks`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    applications: Vec<MaskingApplications>,
    /// Where parts are hidden.
    #[serde(default)]
    apply_to: MaskingPlace,
    /// What becomes of a request whose body is said to be JSON or XML and cannot be read as such, or is compressed.
    #[serde(default)]
    on_unreadable: MaskingUnreadable,
}

/// Hides parts of the body of responses, whatever their status.
///
/// Which masks are looked at is decided by the content type: `jsonPath` for JSON, `xpath` for XML, `regex` for text
/// and forms; `settings.contentTypes` adds types. Without a Content-Type the first character decides. Bodies of other
/// types pass as they are, and so do streams: `text/event-stream` and gRPC.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResponseMasking {
    /// What is hidden from callers that `applications` does not name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    masks: Vec<MaskingMask>,
    /// What is hidden for certain applications, instead of `masks`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    applications: Vec<MaskingApplications>,
    /// Where parts are hidden.
    #[serde(default)]
    apply_to: MaskingPlace,
    /// What becomes of a response whose body is said to be JSON or XML and cannot be read as such, or is compressed.
    #[serde(default)]
    on_unreadable: MaskingUnreadable,
}

/// Hides parts of the body of errors: responses with a status of 400 and above, of upstreams and of the gateway.
///
/// The rules are those of `responseMasking`. It runs among the policies of error handling in the order in which they
/// are written: before `conditionalErrorProcessing`, it hides parts of what the upstream says, also where messages
/// repeat it; after it, parts of those messages.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultMasking {
    /// What is hidden from callers that `applications` does not name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    masks: Vec<MaskingMask>,
    /// What is hidden for certain applications, instead of `masks`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    applications: Vec<MaskingApplications>,
    /// Where parts are hidden.
    #[serde(default)]
    apply_to: MaskingPlace,
    /// What becomes of an error whose body is said to be JSON or XML and cannot be read as such, or is compressed.
    #[serde(default)]
    on_unreadable: MaskingUnreadable,
}

/// What is hidden, and how.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MaskingMask {
    /// How the expression is written, and so which bodies it is for.
    #[serde(rename = "type")]
    kind: MaskingKind,
    /// What is hidden. An XPath has to select nodes. Of a regular expression with groups, the first group is hidden,
    /// else the whole match.
    expression: String,
    /// Whether a part gets another value or is taken out.
    #[serde(default)]
    action: MaskingAction,
    /// The value that parts get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// Prefixes in an XPath, with the namespaces that they stand for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    namespaces: BTreeMap<String, String>,
}

/// What is hidden for certain applications.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MaskingApplications {
    /// Names of the applications.
    names: Vec<String>,
    /// What is hidden for them; with none, they see everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    masks: Vec<MaskingMask>,
}

/// How an expression is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MaskingKind {
    /// For JSON: RFC 9535, such as `$..cardNumber`.
    JsonPath,
    /// For XML: XPath 1.0, such as `//card/@number`.
    Xpath,
    /// For text and forms.
    Regex,
}

/// What becomes of a part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MaskingAction {
    /// It gets `value`; default: `********`.
    #[default]
    Mask,
    /// It is taken out.
    Filter,
}

/// Where parts are hidden.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MaskingPlace {
    /// In what goes on, and so in what is written down about it from here on.
    #[default]
    Payload,
    /// Only where bodies are written down; they go on as they are.
    Log,
    /// In both.
    Both,
}

/// What becomes of a body that cannot be looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MaskingUnreadable {
    /// It does not go on. In logs it is left out.
    #[default]
    Refuse,
    /// It goes on as it is, with everything that is in it.
    Pass,
}

pub static REQUEST: Reason = Reason::new(
    "cannot_mask",
    StatusCode::BAD_REQUEST,
    "The body of the request cannot be read as what its Content-Type says, so that nothing in it can be hidden.",
);
pub static RESPONSE: Reason = Reason::upstream(
    "cannot_mask_response",
    StatusCode::BAD_GATEWAY,
    "The body of the response cannot be read as what its Content-Type says, so that nothing in it can be hidden.",
);

const POSTURE: &str = "A body that should be looked at and cannot be, because it is broken, compressed, has a DTD or costs too much, does not go on. Expressions are bounded in size and work. Who sends a body of a type that no mask is for is not kept from it.";

/// The three policies differ in when they look, and at what.
macro_rules! masking {
    ($policy:ident, $name:literal, $stage:ident, $reason:ident, $which:ident, $example:literal) => {
        impl Policy for $policy {
            const TYPE: &'static str = $name;
            const STAGE: Stage = Stage::$stage;
            const REPEATABLE: bool = true;
            const POSTURE: &'static str = POSTURE;
            const REASONS: &'static [&'static Reason] = &[&$reason];
            const EXAMPLE: &'static str = $example;

            fn needs_application(&self) -> bool {
                !self.applications.is_empty()
            }

            fn compile(self, _: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
                let Self { masks, applications, apply_to, on_unreadable } = self;
                let which = Which::$which;
                let masks = compile(&masks, &applications)?;
                let (everyone, applications) = masks;
                Ok(Compiled::filter(Masker { which, everyone, applications, apply_to, on_unreadable }))
            }
        }
    };
}

masking!(
    RequestMasking,
    "requestMasking",
    RequestProcessing,
    REQUEST,
    Requests,
    "masks:\n  - {type: jsonPath, expression: $..cardNumber}\n  - {type: xpath, expression: //card/@number, value: hidden}\napplyTo: both\n"
);
masking!(
    ResponseMasking,
    "responseMasking",
    ResponseProcessing,
    RESPONSE,
    Responses,
    "masks:\n  - {type: jsonPath, expression: $..birthDate, action: filter}\n  - {type: xpath, expression: //p:birthDate, namespaces: {p: 'urn:people'}}\napplications:\n  - names: [back-office]\n"
);
masking!(
    FaultMasking,
    "faultMasking",
    ErrorHandling,
    RESPONSE,
    Faults,
    "masks:\n  - {type: jsonPath, expression: $.stackTrace, action: filter}\n  - {type: regex, expression: 'host=(\\S+)'}\n"
);

type ByApplication = Vec<(BTreeSet<String>, Masks)>;

fn compile(
    masks: &[MaskingMask],
    applications: &[MaskingApplications],
) -> Result<(Masks, ByApplication), Diagnostic> {
    if masks.is_empty() && applications.is_empty() {
        return Err(Diagnostic::error("masks", "found none, expected at least one")
            .help("add `- {type: jsonPath, expression: $..cardNumber}`"));
    }
    let everyone = Masks::compile(masks)?;
    let mut by_application: ByApplication = Vec::with_capacity(applications.len());
    for (index, entry) in applications.iter().enumerate() {
        let path = format!("applications[{index}]");
        if entry.names.is_empty() {
            return Err(Diagnostic::error(format!("{path}.names"), "found none, expected an application"));
        }
        let known = |name: &String| by_application.iter().any(|(names, _)| names.contains(name));
        if let Some((place, name)) = entry.names.iter().enumerate().find(|(_, name)| known(name)) {
            return Err(Diagnostic::error(
                format!("{path}.names[{place}]"),
                format!("found `{name}` a second time, expected one entry for each application"),
            ));
        }
        let masks = Masks::compile(&entry.masks).map_err(|problem| problem.under(&path))?;
        by_application.push((entry.names.iter().cloned().collect(), masks));
    }
    Ok((everyone, by_application))
}

/// Which messages are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Requests,
    Responses,
    Faults,
}

impl Which {
    const fn side(self) -> Side {
        match self {
            Self::Requests => Side::Request,
            Self::Responses | Self::Faults => Side::Response,
        }
    }

    fn fits(self, exchange: &Exchange) -> bool {
        self != Self::Faults || exchange.status.as_u16() >= 400 || exchange.fault().is_some()
    }
}

/// A policy, ready for requests.
struct Masker {
    which: Which,
    everyone: Masks,
    applications: ByApplication,
    apply_to: MaskingPlace,
    on_unreadable: MaskingUnreadable,
}

impl Masker {
    /// What is hidden from this caller.
    fn masks(&self, exchange: &Exchange) -> &Masks {
        let own = exchange.application().and_then(|application| {
            self.applications.iter().find(|(names, _)| names.contains(&*application.name))
        });
        own.map_or(&self.everyone, |(_, masks)| masks)
    }

    fn change(&self, exchange: &mut Exchange) -> Verdict {
        let masks = self.masks(exchange);
        let types = &exchange.snapshot.settings.content_types;
        let (headers, payload, reason) = match self.which.side() {
            Side::Request => (&exchange.headers, &exchange.request_payload, &REQUEST),
            Side::Response => (&exchange.response_headers, &exchange.response_payload, &RESPONSE),
        };
        let payload = payload.as_ref().filter(|payload| !payload.bytes().is_empty());
        let Some(payload) = payload else { return Ok(Outcome::Skipped) };
        let masked = match masks.apply(types, headers, payload) {
            Ok(Some(masked)) => masked,
            Ok(None) => return Ok(Outcome::Passed),
            // What the gateway writes itself is readable, or has nothing of the upstream in it.
            Err(_) if self.on_unreadable == MaskingUnreadable::Pass || exchange.reason.is_some() => {
                exchange.note(|| "the body could not be read and went on as it is".into());
                return Ok(Outcome::Passed);
            }
            Err(problem) => return Err(Rejection::new(reason).detail(problem)),
        };
        let (headers, payload) = match self.which.side() {
            Side::Request => (&mut exchange.headers, &mut exchange.request_payload),
            Side::Response => (&mut exchange.response_headers, &mut exchange.response_payload),
        };
        headers.remove_of_body();
        payload.get_or_insert_default().replace(masked);
        Ok(Outcome::Changed)
    }

    /// What error handling has put aside can come back, so it is masked, too.
    fn change_original(&self, exchange: &mut Exchange) -> Verdict {
        let aside = exchange.extras().is_some_and(|extras| extras.fault.is_some());
        let Some(original) = exchange.extras_mut().fault.take().filter(|_| aside) else {
            return Ok(Outcome::Skipped);
        };
        let current = exchange.swap_fault(original);
        let verdict = self.change(exchange);
        let original = exchange.swap_fault(current);
        exchange.extras_mut().fault = Some(original);
        verdict
    }

    fn in_payload(&self) -> bool {
        self.apply_to != MaskingPlace::Log
    }
}

impl Filter for Masker {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        Step::Done(if self.in_payload() { self.change(exchange) } else { Ok(Outcome::Skipped) })
    }

    fn response<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        if !self.in_payload() || !self.which.fits(exchange) {
            return Step::Done(Ok(Outcome::Skipped));
        }
        let original = match self.which {
            Which::Faults => self.change_original(exchange),
            Which::Requests | Which::Responses => Ok(Outcome::Skipped),
        };
        Step::Done(original.and_then(|_| self.change(exchange)))
    }

    fn log_mask(&self, exchange: &Exchange) -> Option<&dyn LogMask> {
        let in_log = self.apply_to != MaskingPlace::Payload && self.which.fits(exchange);
        in_log.then_some(self)
    }

    fn needs(&self) -> Needs {
        let bodies = self.in_payload();
        let response = bodies && self.which != Which::Requests;
        Needs {
            request_body: bodies && self.which == Which::Requests,
            response,
            response_body: bodies && self.which == Which::Responses,
            error_body: bodies && self.which == Which::Faults,
            ..Needs::default()
        }
    }
}

impl LogMask for Masker {
    fn mask(&self, side: Side, exchange: &Exchange, payload: &Payload) -> Result<Option<Payload>, NotMasked> {
        if side != self.which.side() || payload.bytes().is_empty() {
            return Ok(None);
        }
        let headers = match side {
            Side::Request => &exchange.headers,
            Side::Response => &exchange.response_headers,
        };
        match self.masks(exchange).apply(&exchange.snapshot.settings.content_types, headers, payload) {
            Ok(masked) => Ok(masked.map(Payload::new)),
            Err(_) if self.on_unreadable == MaskingUnreadable::Pass => Ok(None),
            Err(_) => Err(NotMasked),
        }
    }
}
