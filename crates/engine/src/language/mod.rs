//! The language of variables: `${request.headers.X}` in texts, conditions over them, and what may be written to.
//!
//! Everything is compiled once, with the snapshot, and then only looks at an [`Exchange`](crate::Exchange).
//! Which policy uses it for what is left to the policies.

pub mod json;
mod json_template;
pub mod xml;
mod xsd;

mod cel;
mod condition;
mod escape;
mod names;
mod operator;
mod parse;
mod placeholder;
mod select;
mod storage;
mod system;
mod target;
mod template;
#[cfg(test)]
pub(crate) mod testing;
mod variable;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use model::Diagnostic;

pub(crate) use self::condition::{Node, Terms};
pub use self::{
    condition::Condition,
    escape::Escape,
    json_template::JsonTemplate,
    select::{Replacement, Selector, SelectorKind},
    storage::{Authorization, CallResult, Extras},
    target::{OWN_HEADERS, SetError, Target},
    template::Template,
    variable::Variable,
    xml::NotEvaluated,
    xsd::{Xsd, XsdDocument},
};

/// Namespaces of XPath expressions: prefix → URI.
pub type Namespaces = BTreeMap<String, String>;

/// What is known while templates, variables and conditions are compiled.
#[derive(Debug, Clone, Default)]
pub struct LanguageCx {
    /// Each policy has a context of its own, and all have the same aliases.
    aliases: Arc<BTreeMap<String, Arc<str>>>,
    namespaces: Namespaces,
    variables: BTreeSet<String>,
    warnings: Vec<Diagnostic>,
}

impl LanguageCx {
    /// A name that stands for a value wherever `${name}` is written.
    pub fn alias(&mut self, name: impl Into<String>, value: impl Into<Arc<str>>) -> &mut Self {
        Arc::make_mut(&mut self.aliases).insert(name.into(), value.into());
        self
    }

    /// Whether something can have this name and be found by it.
    pub fn check_alias(name: &str) -> Result<(), Diagnostic> {
        if !names::is_plain(name) {
            return Err(Diagnostic::error(
                "",
                format!("found `{name}`, expected letters, digits, `_` and `-`, with a letter or `_` first"),
            ));
        }
        if names::roots().any(|root| root == name) {
            return Err(Diagnostic::error("", format!("found `{name}`, which is a variable of the gateway"))
                .help("choose another name: the variable would always come first"));
        }
        Ok(())
    }

    /// A prefix for XPath expressions.
    pub fn namespace(&mut self, prefix: impl Into<String>, uri: impl Into<String>) -> &mut Self {
        self.namespaces.insert(prefix.into(), uri.into());
        self
    }

    /// A custom variable that a policy will have set.
    pub fn declare(&mut self, variable: impl Into<String>) -> &mut Self {
        self.variables.insert(variable.into());
        self
    }

    /// Prefixes for XPath expressions, for [`Selector::compile`].
    pub fn namespaces(&self) -> &Namespaces {
        &self.namespaces
    }

    /// Names that are probably not what was meant, and are taken as custom variables all the same.
    pub fn take_warnings(&mut self) -> Vec<Diagnostic> {
        std::mem::take(&mut self.warnings)
    }
}
