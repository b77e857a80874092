//! A policy for some methods only, where one chain serves several: operations for every method, and requests that match
//! no operation.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, Method};

use crate::{Compiled, Exchange, Filter, LogMask, Needs, Outcome, Step, journal::Measures, log::LogSpec};

/// The methods that a policy is for: of requests as clients send them, whatever policies make of them.
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
        if self.methods.contain(exchange.inbound_method()) {
            self.policy.get().request(exchange)
        } else {
            skip(exchange)
        }
    }

    fn response<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        if self.methods.contain(exchange.inbound_method()) {
            self.policy.get().response(exchange)
        } else {
            skip(exchange)
        }
    }

    /// Callbacks belong to the operation, and their own method says nothing about the request that they follow.
    fn callback<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        self.policy.get().callback(exchange)
    }

    fn ended(&self, exchange: &Exchange, measures: &Measures) {
        if self.methods.contain(exchange.inbound_method()) {
            self.policy.get().ended(exchange, measures);
        }
    }

    fn log_mask(&self, exchange: &Exchange) -> Option<&dyn LogMask> {
        let applies = self.methods.contain(exchange.inbound_method());
        self.policy.get().log_mask(exchange).filter(|_| applies)
    }

    fn needs(&self) -> Needs {
        self.policy.get().needs()
    }

    fn log(&self, exchange: &Exchange) -> Option<Arc<LogSpec>> {
        self.policy.get().log(exchange).filter(|_| self.methods.contain(&exchange.method))
    }

    fn challenges(&self, exchange: &Exchange) -> Vec<HeaderValue> {
        match self.methods.contain(exchange.inbound_method()) {
            true => self.policy.get().challenges(exchange),
            false => Vec::new(),
        }
    }

    fn credentials(&self) -> Vec<HeaderName> {
        self.policy.get().credentials()
    }

    /// There is no request to look at when it is asked; what is for the gateway alone is so with every method.
    fn owns_header(&self, name: &str) -> bool {
        self.policy.get().owns_header(name)
    }

    fn purge(&self) {
        self.policy.get().purge();
    }
}

fn skip(exchange: &mut Exchange) -> Step<'_> {
    exchange.note(|| "not for this method".into());
    Step::Done(Ok(Outcome::Skipped))
}
