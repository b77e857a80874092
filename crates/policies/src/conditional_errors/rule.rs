//! One rule: which errors it is for, and what becomes of them.

use engine::{
    CompileCx, Exchange, Needs,
    language::{Condition, Target},
};
use model::Diagnostic;

use super::{ConditionalErrorRule, changes, message::Messages};
use crate::transformation::{changes::Changes, holds};

/// A rule, compiled.
#[derive(Debug)]
pub struct Rule {
    when: Option<Condition>,
    variables: Changes,
    status: Changes,
    messages: Option<Messages>,
    send_native: Option<bool>,
    headers: Changes,
}

impl Rule {
    pub fn compile(doc: ConditionalErrorRule, cx: &mut CompileCx<'_>) -> Result<Self, Diagnostic> {
        let mut build = changes(cx);
        let when = build.condition("when", doc.when.as_ref())?;
        build.set_first("variables", &doc.variables)?;
        let variables = build.finish_any();
        for (index, entry) in doc.variables.iter().enumerate() {
            let target = Target::compile(&entry.variable, cx.language())?;
            if target.side().is_some() {
                return Err(Diagnostic::error(
                    format!("variables[{index}].variable"),
                    format!(
                        "found `{}`, expected customTransactionFields.NAME or a name of your own",
                        entry.variable
                    ),
                )
                .help("use `status`, `headers` and `messages` for the response"));
            }
        }
        let mut build = changes(cx);
        build.status("status", doc.status.as_ref())?;
        let status = build.finish_any();
        let messages = match &doc.messages {
            Some(messages) => {
                Some(Messages::compile(messages, cx).map_err(|problem| problem.under("messages"))?)
            }
            None => None,
        };
        let mut build = changes(cx);
        build.headers("headers", &doc.headers)?;
        let headers = build.finish_any();
        Ok(Self { when, variables, status, messages, send_native: doc.send_native_provider_fault, headers })
    }

    pub fn holds(&self, exchange: &mut Exchange) -> bool {
        holds(self.when.as_ref(), exchange)
    }

    pub fn apply(&self, exchange: &mut Exchange) {
        let (native, came) = (exchange.has_native_fault(), exchange.status);
        // Everything that can fail leaves things as they are, and an error has to go out anyway.
        let mut problem = self.variables.apply(exchange).err();
        let message = self.messages.as_ref().and_then(|messages| messages.render(exchange));
        problem = problem.or(self.status.apply(exchange).err());
        let send_native = self
            .send_native
            .unwrap_or_else(|| self.messages.is_none() && exchange.snapshot.faults.send_native());
        // Headers may repeat what the upstream said, so they are made before its body goes.
        let headers = self.headers.prepare(exchange);
        match message {
            _ if native && send_native => {}
            Some((content_type, body)) => exchange.set_error_body(content_type, body),
            // The gateway's own body has the status in it.
            None if native || exchange.status != came => exchange.set_own_error_body(),
            None => {}
        }
        problem = problem.or(self.headers.write_all(exchange, headers).err());
        if let Some(problem) = problem {
            exchange.note(|| problem.0);
        }
    }

    pub fn needs(&self) -> Needs {
        let when = self.when.as_ref().map(Condition::needs).unwrap_or_default();
        let messages = self.messages.as_ref().map(Messages::needs).unwrap_or_default();
        when | messages | self.variables.needs() | self.status.needs() | self.headers.needs()
    }
}
