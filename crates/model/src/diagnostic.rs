//! One problem in what a user wrote: where, what was found, what was expected, what to do.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// How much a diagnostic matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The document cannot be used.
    Error,
    /// The document is used; a part of it has no effect or was skipped.
    Warning,
}

/// One problem, addressed by file and by the path inside the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    pub severity: Severity,
    /// File the problem is in, as the user named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line in that file, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Path inside the document: `apis[0].policies[1].config.limit`.
    pub path: String,
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Diagnostic {
    pub fn error(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            file: None,
            line: None,
            path: path.into(),
            message: legible(message.into()),
            help: None,
        }
    }

    pub fn warning(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(path, message) }
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>, line: Option<u32>) -> Self {
        self.file = Some(file.into());
        self.line = line;
        self
    }

    /// Whether the document cannot be used because of it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The same problem, seen from a document that contains this one at `prefix`.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        self.path = join(prefix, &self.path);
        self
    }
}

/// Longest piece between backticks that a message shows.
const LONGEST_QUOTE: usize = 200;

/// A message that fits a line of a terminal, whatever a user wrote: without control characters, and with a beginning of
/// what is long.
fn legible(message: String) -> String {
    if message.len() <= LONGEST_QUOTE && !message.contains(char::is_control) {
        return message;
    }
    let quotes = message.split('`').map(|piece| {
        let end = piece.char_indices().nth(LONGEST_QUOTE).map(|(end, _)| end);
        // What has spaces is a sentence of ours, which is told to its end.
        match end.filter(|_| !piece.contains(' ')) {
            Some(end) => format!("{}…", &piece[..end]),
            None => piece.to_owned(),
        }
    });
    let message = quotes.collect::<Vec<_>>().join("`");
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    message.chars().map(escape).collect()
}

/// Joins two document paths; an index needs no dot.
pub fn join(prefix: &str, path: &str) -> String {
    match (prefix.is_empty(), path.is_empty()) {
        (true, _) => path.to_owned(),
        (_, true) => prefix.to_owned(),
        _ if path.starts_with('[') => format!("{prefix}{path}"),
        _ => format!("{prefix}.{path}"),
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
            if let Some(line) = self.line {
                write!(f, "{line}:")?;
            }
            write!(f, " ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{}", self.message)?;
        if let Some(help) = &self.help {
            write!(f, "; {help}")?;
        }
        Ok(())
    }
}

/// Every problem of one document; an error type for what needs all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    pub fn has_errors(&self) -> bool {
        self.0.iter().any(Diagnostic::is_error)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, diagnostic) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

/// The known name nearest to what was written, when it is near enough to be what was meant.
pub fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = found.to_ascii_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&folded, &name.to_ascii_lowercase()), name))
        .filter(|(distance, name)| *distance <= 1 + name.len().min(found.len()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_is_answered_with_the_nearest_name() {
        let known = ["basePath", "upstream", "hosts"];
        assert_eq!(nearest("basepath", known), Some("basePath"));
        assert_eq!(nearest("upsteam", known), Some("upstream"));
        assert_eq!(nearest("colour", known), None);
    }

    #[test]
    fn a_diagnostic_reads_place_first() {
        let d = Diagnostic::error("apis[0]", "missing name").in_file("gw.yaml", Some(3)).help("add `name`");
        assert_eq!(d.to_string(), "gw.yaml:3: apis[0]: missing name; add `name`");
        assert_eq!(d.under("x").path, "x.apis[0]");
    }

    #[test]
    fn what_was_found_does_not_break_the_line_and_is_not_repeated_for_ever() {
        let message =
            |found: &str| Diagnostic::error("", format!("found `{found}`, expected a name")).message;
        assert_eq!(message("a\r\n\u{1b}[31m"), r"found `a\r\n\u{1b}[31m`, expected a name");
        assert_eq!(message(&"é".repeat(5_000)), format!("found `{}…`, expected a name", "é".repeat(200)));
        assert_eq!(message("short"), "found `short`, expected a name");
    }
}
