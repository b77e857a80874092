//! Values of path parameters, taken out of a request's path when somebody asks for one.

use std::{borrow::Cow, ops::Range};

use super::encoding::{decode_text, encode_segment};

/// The value of a path parameter: `template` is the operation's path, `path` what the client sent below the API's
/// base path. A segment that is just called `name` counts as a parameter that has its own name as value.
pub fn parameter<'p>(template: &str, path: &'p str, name: &str) -> Option<Cow<'p, str>> {
    let place = find(template, path, name)?;
    match decode_text(&path[place.segment]) {
        Cow::Borrowed(text) => text.get(place.inside).map(Cow::Borrowed),
        Cow::Owned(text) => text.get(place.inside).map(|value| Cow::Owned(value.to_owned())),
    }
}

/// The path with another value for a parameter; `None` when it has no such parameter.
pub fn with_parameter(template: &str, path: &str, name: &str, value: &str) -> Option<String> {
    let place = find(template, path, name)?;
    let mut segment = decode_text(&path[place.segment.clone()]).into_owned();
    segment.replace_range(place.inside, value);
    Some([&path[..place.segment.start], &encode_segment(&segment), &path[place.segment.end..]].concat())
}

/// Where a value is: the bytes of the segment in the path, and the bytes of the value in the decoded segment.
struct Place {
    segment: Range<usize>,
    inside: Range<usize>,
}

fn find(template: &str, path: &str, name: &str) -> Option<Place> {
    let segments = || {
        let mut start = 0;
        path.split('/').map(move |segment| {
            let range = start..start + segment.len();
            start = range.end + 1;
            range
        })
    };
    for (written, segment) in template.split('/').zip(segments()).skip(1) {
        if is_rest(written) {
            let inner = written.trim_matches(['{', '}']).trim_matches(['*', '+']);
            let rest = segment.start..path.len();
            let length = decode_text(&path[rest.clone()]).len();
            return (inner == name && !name.is_empty()).then_some(Place { segment: rest, inside: 0..length });
        }
        if written.contains('{')
            && let Some(inside) = find_in_segment(written, &decode_text(&path[segment.clone()]), name)
        {
            return Some(Place { segment, inside });
        }
    }
    let segment = segments().skip(1).find(|segment| decode_text(&path[segment.clone()]) == name)?;
    Some(Place { segment, inside: 0..name.len() })
}

fn is_rest(segment: &str) -> bool {
    let inner = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}'));
    matches!(segment, "*" | "**")
        || inner.is_some_and(|name| name.starts_with('*') || name.ends_with(['+', '*']))
}

/// Follows the texts around parameters in the way that `Pattern::matches` does.
fn find_in_segment(written: &str, segment: &str, name: &str) -> Option<Range<usize>> {
    let (prefix, mut rest) = written.split_once('{')?;
    segment.strip_prefix(prefix)?;
    let mut at = prefix.len();
    let mut found = false;
    loop {
        let (parameter, after) = rest.split_once('}')?;
        found |= parameter == name;
        let (literal, next) = match after.split_once('{') {
            Some((literal, next)) => (literal, Some(next)),
            None => (after, None),
        };
        let value = &segment[at..];
        let end = match next {
            None => at + value.strip_suffix(literal)?.len(),
            // Two parameters with nothing between them are one.
            Some(next) if literal.is_empty() => {
                rest = next;
                continue;
            }
            Some(_) => {
                let first = value.chars().next()?.len_utf8();
                at + first + value[first..].find(literal)?
            }
        };
        if found {
            return Some(at..end);
        }
        at = end + literal.len();
        rest = next?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_the_operations_template() {
        for (template, path, name, expect) in [
            ("/orders/{id}", "/orders/7", "id", Some("7")),
            ("/orders/{id}", "/orders/a%20b%2Fc", "id", Some("a b/c")),
            ("/orders/{id}/lines/{line}", "/orders/7/lines/2", "line", Some("2")),
            ("/files/{name}.json", "/files/a.json", "name", Some("a")),
            ("/{id}:cancel", "/7%3Acancel", "id", Some("7")),
            ("/v{major}.{minor}", "/v1.2.3", "major", Some("1")),
            ("/v{major}.{minor}", "/v1.2.3", "minor", Some("2.3")),
            ("/{a}{b}", "/xy", "b", Some("xy")),
            ("/static/{path+}", "/static/a/b", "path", Some("a/b")),
            ("/static/{*path}", "/static/a%20/b", "path", Some("a /b")),
            ("/static/*", "/static/a/b", "", None),
            ("/orders/{id}", "/orders/7", "orders", Some("orders")),
            ("/orders/{id}", "/orders/7", "no", None),
            ("/orders/{id}", "/other", "id", None),
            ("/a{x}é{y}", "/aéé1", "y", Some("1")),
        ] {
            assert_eq!(parameter(template, path, name).as_deref(), expect, "{template} {path} {name}");
        }
    }

    #[test]
    fn a_new_value_stays_inside_its_segment() {
        for (template, path, name, value, expect) in [
            ("/orders/{id}", "/orders/7", "id", "8", Some("/orders/8")),
            (
                "/orders/{id}/x",
                "/orders/7/x",
                "id",
                "a/../b?c#d%2F",
                Some("/orders/a%2F..%2Fb%3Fc%23d%252F/x"),
            ),
            ("/f/{n}.json", "/f/a.json", "n", "b c", Some("/f/b%20c.json")),
            ("/orders/{id}", "/orders/7", "orders", "v2", Some("/v2/7")),
            ("/orders/{id}", "/orders/7", "no", "x", None),
        ] {
            assert_eq!(with_parameter(template, path, name, value).as_deref(), expect, "{template} {value}");
        }
    }
}
