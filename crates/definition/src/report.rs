//! What an import has to say and how much it may take: a hostile document earns millions of warnings, and through
//! references a short one asks for any amount of work.

use model::Diagnostic;
use model::diagnostic::join;

use crate::node::Node;

const MAX_WARNINGS: usize = 1000;
/// Most memory that an import may take beside its documents, estimated; work is counted in the same coin. The
/// largest definitions known need a tenth.
const BUDGET: usize = 512 << 20;

/// Warnings in the order that they were found, and what has been spent.
#[derive(Debug, Default)]
pub(crate) struct Report {
    list: Vec<Diagnostic>,
    left_out: usize,
    spent: usize,
}

impl Report {
    /// Warns of a node, or of what is at `below` in it.
    pub fn warn(&mut self, node: &Node<'_>, below: &str, message: impl Into<String>) {
        if let Some(place) = self.place() {
            let mut diagnostic = Diagnostic::warning(join(&node.path(), below), message);
            diagnostic.file = node.file().map(str::to_owned);
            place.push(diagnostic);
        }
    }

    /// Warns of something at a path of the main document.
    pub fn warn_at(&mut self, path: &str, message: impl Into<String>) {
        if let Some(place) = self.place() {
            place.push(Diagnostic::warning(path, message));
        }
    }

    /// Adds warnings about the text of a document.
    pub fn extend(&mut self, warnings: Vec<Diagnostic>, file: Option<&str>) {
        for mut warning in warnings {
            warning.file = file.map(str::to_owned);
            if let Some(place) = self.place() {
                place.push(warning);
            }
        }
    }

    /// Takes from the budget. `false`: it is used up, and the rest of the definition is left out.
    pub fn spend(&mut self, amount: usize) -> bool {
        self.spent = self.spent.saturating_add(amount);
        !self.is_used_up()
    }

    pub fn is_used_up(&self) -> bool {
        self.spent > BUDGET
    }

    pub fn into_warnings(mut self) -> Vec<Diagnostic> {
        if self.is_used_up() {
            let message =
                "the definition asks for more operations than fit into memory; the last ones are left out";
            self.list.push(Diagnostic::warning("paths", message));
        }
        if self.left_out > 0 {
            self.list.push(Diagnostic::warning("", format!("{} more warnings are left out", self.left_out)));
        }
        self.list
    }

    fn place(&mut self) -> Option<&mut Vec<Diagnostic>> {
        if self.list.len() < MAX_WARNINGS {
            return Some(&mut self.list);
        }
        self.left_out += 1;
        None
    }
}
