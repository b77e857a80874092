//! Errors of the YAML parser, said so that the writer of the file can mend it.

use saphyr_parser::ScanError;

use super::input::WINDOW;
use crate::Diagnostic;

/// A syntax error with its line, and advice where the message alone does not help.
pub(super) fn syntax_error(text: &str, error: &ScanError) -> Diagnostic {
    // An error at the end is behind the last line.
    let line = error.marker().line().min(text.lines().count()).max(1);
    let at = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let message = match error.info() {
        "recursion limit exceeded" => "nested more than 255 levels deep".to_owned(),
        "simple key expect ':'" | "simple key expected" => "expected `:` after a key".to_owned(),
        info => info.replace('`', "'").replace('\'', "`"),
    };
    let message = format!("not valid YAML: {message} (column {})", error.marker().col() + 1);
    let diagnostic = Diagnostic { line: u32::try_from(line).ok(), ..Diagnostic::error("", message) };
    match advice(error.info(), at) {
        Some(advice) => diagnostic.help(advice),
        None => diagnostic,
    }
}

/// The scanner read as far as it may without an event; the last one was at `line`.
pub(super) fn too_long(line: u32) -> Diagnostic {
    let message = format!("a text, or a list or mapping in brackets, is longer than {} MiB", WINDOW >> 20);
    let diagnostic = Diagnostic::error("", message);
    let help = "write lists and mappings by indentation, or the whole file as JSON";
    Diagnostic { line: Some(line.max(1)), ..diagnostic.help(help) }
}

fn advice(info: &str, line: &str) -> Option<&'static str> {
    let indentation = &line[..line.len() - line.trim_start().len()];
    if indentation.contains('\t') || info.contains("tab") {
        return Some("indent with spaces; YAML takes no tabs there");
    }
    let contains = |what: &str| info.contains(what);
    if contains("mapping values are not allowed") {
        Some("a text with `: ` in it needs quotes; keys of one mapping start in the same column")
    } else if contains("unexpected character") {
        Some("a text that starts with `@`, `%` or a backtick needs quotes")
    } else if contains("end of stream") || contains("document indicator") || contains("in quoted") {
        Some("a quote that was opened here is not closed")
    } else if contains("escape") || contains("hexadecimal") {
        Some("in double quotes a backslash is written twice; in single quotes it stands for itself")
    } else if contains("flow") || contains("bracket") || contains("indicator") {
        Some("a `[` or `{` is not closed, or a comma is missing; a text with brackets needs quotes")
    } else if contains("anchor") {
        Some(
            "`*name` repeats a node marked `&name` before it; a text that starts with `*` or `&` needs quotes",
        )
    } else if contains("simple key")
        || contains("expected key")
        || contains("block collection")
        || contains("indentation")
    {
        Some(
            "check the indentation: entries of one list or mapping start in the same column, each key ends in `: `",
        )
    } else {
        None
    }
}
