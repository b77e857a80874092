//! A policy for some methods only, where one chain serves several: operations for every method, and requests that match
//! no operation.

use std::sync::Arc;

use http::{HeaderName, Method};

use crate::{Compiled, Exchange, Filter, Needs, Outcome, Step, log::LogSpec};

/// The methods that a policy is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Methods {
    pub included: Vec<Method>,
    pub excluded: Vec<Method>,
    /// Whether it is for methods that neither list names.
    pub others: bool,
}

impl Methods {
    /// It is for every method.
    pub fn is_all(&self) -> bool {
        self.others && self.excluded.is_empty()
    }

    fn contain(&self, method: &Method) -> bool {
        if self.others { !self.excluded.contains(method) } else { self.included.contains(method) }
    }
}

/// Lets a policy see requests with some methods only.
pub(super) struct Gate {
    pub methods: Methods,
    pub policy: Compiled,
}

impl Filter for Gate {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        if self.methods.contain(&exchange.method) {
            self.policy.get().request(exchange)
        } else {
            skip(exchange)
        }
    }

    fn response<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        if self.methods.contain(&exchange.method) {
            self.policy.get().response(exchange)
        } else {
            skip(exchange)
        }
    }

    fn needs(&self) -> Needs {
        self.policy.get().needs()
    }

    fn log(&self, exchange: &Exchange) -> Option<Arc<LogSpec>> {
        self.policy.get().log(exchange).filter(|_| self.methods.contain(&exchange.method))
    }

    fn credentials(&self) -> Vec<HeaderName> {
        self.policy.get().credentials()
    }
}

fn skip(exchange: &mut Exchange) -> Step<'_> {
    exchange.note(|| "not for this method".into());
    Step::Done(Ok(Outcome::Skipped))
}
