//! Paths as definitions have them, made into paths that can be routed.

use crate::node::Node;
use crate::report::Report;

/// No server takes request lines longer than that.
const LONGEST: usize = 8192;

/// A path and what is between its braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathTemplate {
    pub path: String,
    pub names: Vec<String>,
    /// The path without the names: paths that differ in nothing else are the same to a router.
    pub shape: String,
}

impl PathTemplate {
    /// Reads a key of `paths`. Mends what can be mended, with a warning.
    pub fn read(key: &str, item: &Node<'_>, report: &mut Report) -> Option<Self> {
        let mut leave_out = |why: &str| {
            report.warn(item, "", format!("{why}; the path is left out"));
            None
        };
        if key.len() > LONGEST {
            return leave_out("the path is longer than 8192 bytes");
        }
        if key.contains("://") {
            return leave_out("a path starts with `/`, this is a URL");
        }
        if key.chars().any(|c| c.is_control()) {
            return leave_out("the path contains control characters");
        }
        let Some((names, shape)) = braces(cut(key)) else {
            return leave_out("the braces in the path do not fit together");
        };
        if names.iter().any(String::is_empty) {
            return leave_out("the path has braces without a name");
        }

        let mut path = cut(key).to_owned();
        if path.len() < key.len() {
            let message =
                "a path has no query string or fragment; the operations are those of the path before it";
            report.warn(item, "", message);
        }
        let mut shape = shape;
        if !path.starts_with('/') {
            report.warn(item, "", "a path starts with `/`; one is put before it");
            path.insert(0, '/');
            shape.insert(0, '/');
        }
        if shape.contains("{}{}") {
            report.warn(
                item,
                "",
                "two templates side by side: where one ends and the other starts is not clear",
            );
        }
        let mut seen: Vec<&str> = names.iter().map(String::as_str).collect();
        seen.sort_unstable();
        if seen.windows(2).any(|pair| pair[0] == pair[1]) {
            report.warn(item, "", "the path has two templates of the same name");
        }
        Some(Self { path, names, shape })
    }
}

/// The path without query string and fragment. A `?` within braces is part of a name.
fn cut(key: &str) -> &str {
    let mut depth = 0usize;
    for (at, c) in key.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            '?' | '#' if depth == 0 => return &key[..at],
            _ => {}
        }
    }
    key
}

/// Names in braces, and the path with empty ones.
fn braces(path: &str) -> Option<(Vec<String>, String)> {
    let mut names = Vec::new();
    let mut shape = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(start) = rest.find(['{', '}']) {
        let inside = rest[start..].strip_prefix('{')?;
        let end = inside.find(['{', '}', '/'])?;
        let after = inside[end..].strip_prefix('}')?;
        names.push(inside[..end].trim().to_owned());
        shape.push_str(&rest[..start]);
        shape.push_str("{}");
        rest = after;
    }
    shape.push_str(rest);
    Some((names, shape))
}
