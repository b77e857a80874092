//! Which scopes of authorization servers an operation asks for, by their `scopeMapping`.

use std::{collections::HashMap, sync::Arc};

use engine::{
    CompileCx,
    authorization_server::{AuthorizationServer, TokenFacts},
};
use foldhash::fast::RandomState;

/// A scope that opens an operation.
#[derive(Debug, Clone)]
struct Opening {
    server: Arc<str>,
    scope: Box<str>,
    audience: Option<Box<str>>,
}

impl Opening {
    fn is_in(&self, facts: &TokenFacts) -> bool {
        facts.server == self.server
            && facts.has_scope(&self.scope)
            && self.audience.as_ref().is_none_or(|audience| facts.is_for(audience))
    }
}

/// What operations of an API ask for.
#[derive(Debug, Default)]
pub(super) struct Mapping {
    /// For the whole API.
    whole: Vec<Opening>,
    /// For single operations besides, by their position.
    parts: HashMap<u32, Vec<Opening>, RandomState>,
}

impl Mapping {
    pub fn compile(servers: &[Arc<AuthorizationServer>], cx: &CompileCx<'_>) -> Self {
        let mut mapping = Self::default();
        let Some(api) = cx.api() else { return mapping };
        for server in servers {
            for doc in &server.scope_mapping {
                let opening = Opening {
                    server: Arc::clone(&server.name),
                    scope: doc.scope.as_str().into(),
                    audience: doc.audience.as_deref().map(Into::into),
                };
                for part in doc.apis.iter().filter(|part| part.name == api.name()) {
                    match &part.scope {
                        None => mapping.whole.push(opening.clone()),
                        // A version of the API that has no such scope has no such operations.
                        Some(name) => {
                            for operation in api.scope(name).unwrap_or_default() {
                                mapping.parts.entry(*operation).or_default().push(opening.clone());
                            }
                        }
                    }
                }
            }
        }
        mapping
    }

    fn openings(&self, operation: Option<u32>) -> impl Iterator<Item = &Opening> {
        let parts = operation.and_then(|operation| self.parts.get(&operation));
        self.whole.iter().chain(parts.into_iter().flatten())
    }

    /// Whether a token opens an operation, or the operation asks for nothing.
    pub fn allows(&self, operation: Option<u32>, facts: &TokenFacts) -> bool {
        let mut openings = self.openings(operation).peekable();
        openings.peek().is_none() || openings.any(|opening| opening.is_in(facts))
    }

    /// Scopes, one of which is needed.
    pub fn needed(&self, operation: Option<u32>) -> impl Iterator<Item = &str> {
        self.openings(operation).map(|opening| &*opening.scope)
    }
}
