//! Locations of documents: paths and URLs, made absolute against the document that refers to them.

use model::source::percent_decode;

/// Location of `reference`, which stands in the document at `base`.
pub(crate) fn resolve(base: &str, reference: &str) -> String {
    if has_scheme(reference) {
        return normalize(reference);
    }
    let (origin, base_path) = split_origin(base);
    if origin.is_empty() {
        // References are URLs even where they name files.
        let decoded = percent_decode(reference);
        let reference = decoded.as_deref().unwrap_or(reference);
        return normalize(&below(base_path, reference));
    }
    if let Some(rest) = reference.strip_prefix("//") {
        let scheme = origin.split_once("//").map_or(origin, |(scheme, _)| scheme);
        return normalize(&format!("{scheme}//{rest}"));
    }
    let base_path = base_path.split(['?', '#']).next().unwrap_or_default();
    normalize(&format!("{origin}{}", below(if base_path.is_empty() { "/" } else { base_path }, reference)))
}

/// The location without `.` and `..`, so that the same document has one name.
pub(crate) fn normalize(location: &str) -> String {
    let (origin, path) = split_origin(location);
    // In the query of a URL dots are dots.
    let query = if origin.is_empty() { path.len() } else { path.find('?').unwrap_or(path.len()) };
    let (path, query) = path.split_at(query);
    let absolute = path.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." if kept.last().is_some_and(|last| *last != "..") => drop(kept.pop()),
            // Nothing is above the root.
            ".." if absolute => {}
            other => kept.push(other),
        }
    }
    format!("{origin}{}{}{query}", if absolute { "/" } else { "" }, kept.join("/"))
}

/// The location as seen from `main`; all of it where they have nothing in common.
pub(crate) fn relative_to(main: &str, location: &str) -> String {
    let ((origin, main), (other, path)) = (split_origin(main), split_origin(location));
    if origin != other || main.starts_with('/') != path.starts_with('/') {
        return location.to_owned();
    }
    let mut from: Vec<&str> = main.split('/').collect();
    let to: Vec<&str> = path.split('/').collect();
    from.pop();
    let shared = from.iter().zip(&to[..to.len() - 1]).take_while(|(a, b)| a == b).count();
    // A directory that is not known cannot be left.
    if from[shared..].contains(&"..") {
        return location.to_owned();
    }
    let up = std::iter::repeat_n("..", from.len() - shared);
    up.chain(to[shared..].iter().copied()).collect::<Vec<_>>().join("/")
}

fn below(base_path: &str, reference: &str) -> String {
    if reference.starts_with('/') {
        return reference.to_owned();
    }
    let directory = base_path.rfind('/').map_or("", |slash| &base_path[..=slash]);
    format!("{directory}{reference}")
}

fn has_scheme(location: &str) -> bool {
    location.split_once("://").is_some_and(|(scheme, _)| {
        !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    })
}

/// Scheme and authority of a URL, and the rest; nothing and all of it for a path.
fn split_origin(location: &str) -> (&str, &str) {
    if !has_scheme(location) {
        return ("", location);
    }
    let authority = location.find("://").map_or(0, |at| at + 3);
    let path = location[authority..].find(['/', '?', '#']).map_or(location.len(), |at| authority + at);
    location.split_at(path)
}
