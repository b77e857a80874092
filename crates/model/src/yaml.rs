//! YAML and JSON text into JSON values, with the line of each node for error messages.
//!
//! The core schema of YAML 1.2 holds: `yes`, `on` and dates are text. What a document means is left to its
//! readers; they get warnings about what was odd in the text.

mod input;
mod json;
mod limits;
mod marks;
mod reader;
mod repair;
mod scalar;
mod syntax;
#[cfg(test)]
mod tests;
mod write;

use serde_json::Value;

use crate::Diagnostic;
pub use marks::Marks;
pub use write::write;

/// A document with the lines of its nodes.
#[derive(Debug)]
pub struct Parsed {
    pub value: Value,
    pub marks: Marks,
    pub warnings: Vec<Diagnostic>,
}

/// Largest JSON text that gets line marks; they cost a second reading.
const MAX_MARKED_JSON: usize = 1 << 20;

/// Reads a document and where its nodes are. For configuration files.
pub fn parse(text: &str) -> Result<Parsed, Diagnostic> {
    let text = prepare(text)?;
    if let Some(Ok((value, warnings))) = as_json(text) {
        // JSON is YAML, nearly: where the second reading fails, there are no lines.
        let again = (text.len() <= MAX_MARKED_JSON).then(|| reader::read(text, true).ok()).flatten();
        let marks = again.map(|parsed| parsed.marks).unwrap_or_default();
        let mut warnings = warnings.into_list();
        for warning in &mut warnings {
            warning.line = marks.line(&warning.path);
        }
        return Ok(Parsed { value, marks, warnings });
    }
    read(text, true)
}

/// Reads a document without lines: the fast way for large ones.
pub fn parse_value(text: &str) -> Result<(Value, Vec<Diagnostic>), Diagnostic> {
    let text = prepare(text)?;
    if let Some(Ok((value, warnings))) = as_json(text) {
        return Ok((value, warnings.into_list()));
    }
    let parsed = read(text, false)?;
    Ok((parsed.value, parsed.warnings))
}

/// The scalar at a path of keys as it is written, before it became a number or anything else: `1.10` stays
/// `1.10`.
pub fn scalar_text(text: &str, path: &[&str]) -> Option<String> {
    let text = prepare(text).ok()?;
    if text.trim_start().starts_with('{')
        && let Ok(found) = json::scalar_text(text, path)
    {
        return found;
    }
    reader::scalar_text(text, path).or_else(|| reader::scalar_text(&repair::indent(text)?, path))
}

fn prepare(text: &str) -> Result<&str, Diagnostic> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // The YAML scanner takes NUL for the end of the text and would drop what follows.
    match text.find('\0') {
        None => Ok(text),
        Some(at) => {
            let line = 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
            let diagnostic = Diagnostic::error("", "a NUL character stands in the text")
                .help("the file may be binary or UTF-16; save it as UTF-8 text");
            Err(Diagnostic { line: u32::try_from(line).ok(), ..diagnostic })
        }
    }
}

/// The text read as JSON, if it looks like it.
fn as_json(text: &str) -> Option<Result<(Value, limits::Warnings), serde_json::Error>> {
    text.trim_start().starts_with(['{', '[']).then(|| json::parse(text))
}

/// Reads YAML, and again with mended indentation where that was the problem.
fn read(text: &str, with_marks: bool) -> Result<Parsed, Diagnostic> {
    let parsed = match reader::read(text, with_marks) {
        Err(error) if error.message.contains("invalid indentation") => match repair::indent(text) {
            Some(indented) => reader::read(&indented, with_marks),
            None => Err(error),
        },
        other => other,
    };
    parsed.map_err(|error| better_error(text, error))
}

/// Of the errors of both readers the one that speaks the language the text is written in.
fn better_error(text: &str, yaml: Diagnostic) -> Diagnostic {
    let inside = text.trim_start().strip_prefix(['{', '[']).map(str::trim_start);
    if !inside.is_some_and(|inside| inside.starts_with(['"', '{', '[', '}', ']'])) {
        return yaml;
    }
    let Some(Err(error)) = as_json(text) else { return yaml };
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    if message == "recursion limit exceeded" {
        return yaml;
    }
    let diagnostic = Diagnostic::error("", format!("not valid JSON: {message} (column {})", error.column()));
    Diagnostic { line: u32::try_from(error.line()).ok(), ..diagnostic }
}
