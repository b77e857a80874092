//! Conditional error processing: what clients are told about errors, of upstreams and of the gateway alike. What a
//! rule does is in [`rule`].

mod message;
mod rule;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use engine::{
    CompileCx, Compiled, Exchange, Filter, Needs, Outcome, Policy, Reason, Side, Stage, Step, Verdict,
};
use message::ConditionalErrorMessages;
use model::{ConditionDoc, Diagnostic};
use rule::Rule;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::transformation::{
    changes::Builder,
    docs::{TransformationHeaders, TransformationSet, TransformationStatus},
};

/// Says what clients are told about errors: responses with a status of 400 and above, of upstreams and of the gateway.
///
/// The first rule that holds counts. With several of these policies, the one that is nearest to the operation and has
/// a rule that holds counts alone, and on the same level the last one: operation before scope, resource, API, template
/// and global policies. Each sees the error as it came. Where none has a rule that holds, `settings.faults` counts.
/// Rules can ask for `error.code`, `error.message`, `error.origin` (`client`, `gateway` or `upstream`) and
/// `error.native`, the body of the upstream's error. Errors of requests that reach no API have no policies.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConditionalErrorProcessing {
    /// The rules, looked at in this order. At least one.
    rules: Vec<ConditionalErrorRule>,
    /// Prefixes for XPath expressions in variables, with the namespaces that they stand for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    namespaces: BTreeMap<String, String>,
}

/// What becomes of some errors: variables are set, then status, body and headers.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConditionalErrorRule {
    /// Which errors. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    when: Option<ConditionDoc>,
    /// Variables of your own and `customTransactionFields.NAME` that get a value, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    variables: Vec<TransformationSet>,
    /// The status, 200 to 599: a number, or a text with variables. A text that is none leaves the status as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<TransformationStatus>,
    /// The body. Default: the gateway's own for its errors, and for upstream errors that are not passed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    messages: Option<ConditionalErrorMessages>,
    /// Pass on the body of upstream errors, whatever `messages` say. Default: when there are no `messages`,
    /// `settings.faults.sendNativeProviderFault`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    send_native_provider_fault: Option<bool>,
    /// Changes to the headers.
    #[serde(default, skip_serializing_if = "TransformationHeaders::is_empty")]
    headers: TransformationHeaders,
}

impl Policy for ConditionalErrorProcessing {
    const TYPE: &'static str = "conditionalErrorProcessing";
    const STAGE: Stage = Stage::ErrorHandling;
    const REPEATABLE: bool = true;
    const POSTURE: &'static str = "Values in messages are escaped for JSON, XML or a line of text, and in headers cannot become a second one. What the upstream says is passed on only where the configuration says so. A rule that cannot be applied as a whole is applied as far as it goes: an error always reaches the client.";
    const REASONS: &'static [&'static Reason] = &[];
    const EXAMPLE: &'static str = "rules:\n  - when: {variable: '${response.statusCode}', operator: range, value: 500-599}\n    status: 503\n    headers:\n      set: {Retry-After: '30'}\n    messages:\n      json: '{\"error\": \"$SERVICE is not available\", \"id\": \"${request.correlationID}\"}'\n      text: $SERVICE is not available\n      default: json\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        if self.rules.is_empty() {
            return Err(Diagnostic::error("rules", "found none, expected at least one"));
        }
        for (prefix, uri) in self.namespaces {
            cx.language().namespace(prefix, uri);
        }
        let mut rules = Vec::with_capacity(self.rules.len());
        for (index, doc) in self.rules.into_iter().enumerate() {
            let rule = Rule::compile(doc, cx).map_err(|problem| problem.under(&format!("rules[{index}]")))?;
            rules.push(rule);
        }
        Ok(Compiled::filter(Handler { rules }))
    }
}

/// A builder of changes to a response.
fn changes<'b, 'a>(cx: &'b mut CompileCx<'a>) -> Builder<'b, 'a> {
    Builder::new(cx, Side::Response, BTreeMap::new())
}

struct Handler {
    rules: Vec<Rule>,
}

impl Handler {
    fn handle(&self, exchange: &mut Exchange) -> Verdict {
        // A policy further out may have handled it: this one looks at the error as it came.
        let aside = exchange.extras().is_some_and(|extras| extras.fault.is_some());
        if !aside && exchange.status.as_u16() < 400 {
            return Ok(Outcome::Skipped);
        }
        let original = if aside { exchange.extras_mut().fault.take() } else { None };
        let handled = original.map(|original| exchange.swap_fault(original));
        let found = self.rules.iter().position(|rule| rule.holds(exchange));
        let Some((index, rule)) = found.and_then(|index| Some((index, self.rules.get(index)?))) else {
            if let Some(handled) = handled {
                let original = exchange.swap_fault(handled);
                exchange.extras_mut().fault = Some(original);
            }
            exchange.note(|| "no rule holds".into());
            return Ok(Outcome::Skipped);
        };
        let original = exchange.copy_fault();
        exchange.note(|| format!("rules[{index}]").into());
        rule.apply(exchange);
        exchange.extras_mut().fault = Some(original);
        Ok(Outcome::Changed)
    }
}

impl Filter for Handler {
    fn response<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        Step::Done(self.handle(exchange))
    }

    fn needs(&self) -> Needs {
        let needs = self.rules.iter().fold(Needs::default(), |needs, rule| needs | rule.needs());
        // Bodies of other responses are nothing to it.
        Needs {
            request_body: needs.request_body,
            response: true,
            response_body: false,
            error_body: true,
            ..Needs::default()
        }
    }
}
