//! Values of the parameters in a path. Which operation a path belongs to has been decided before.

/// The template of a path, segment by segment.
pub struct PathTemplate(Vec<Vec<Part>>);

enum Part {
    Literal(String),
    Parameter(String),
    /// The rest of the path.
    Rest(String),
}

impl PathTemplate {
    pub fn new(path: &str) -> Self {
        let segments = path.trim_start_matches('/').split('/');
        Self(segments.map(parts).collect())
    }

    /// Parameters that cannot be told from the one before, as there is nothing between them.
    pub fn untold(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for pair in self.0.iter().flat_map(|parts| parts.windows(2)) {
            if let [Part::Parameter(first), Part::Parameter(second)] = pair {
                names.extend([first.as_str(), second.as_str()]);
            }
        }
        names
    }

    /// Names and texts; the path is below the base path, as it was sent.
    pub fn values<'p>(&'p self, path: &'p str) -> Vec<(&'p str, &'p str)> {
        let mut rest = path.strip_prefix('/').unwrap_or(path);
        let mut values = Vec::new();
        for parts in &self.0 {
            if let [Part::Rest(name)] = parts.as_slice() {
                values.push((name.as_str(), rest));
                return values;
            }
            let (segment, behind) = rest.split_once('/').unwrap_or((rest, ""));
            in_segment(parts, segment, &mut values);
            rest = behind;
        }
        values
    }
}

fn parts(segment: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = segment;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, behind)) = after.split_once('}') else { break };
        if !before.is_empty() {
            parts.push(Part::Literal(before.to_owned()));
        }
        let whole = segment.len() == name.len() + 2;
        let plain = name.trim_end_matches(['+', '*']).trim_start_matches('*');
        parts.push(if whole && plain != name {
            Part::Rest(plain.to_owned())
        } else {
            Part::Parameter(name.to_owned())
        });
        rest = behind;
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest.to_owned()));
    }
    parts
}

/// A parameter has at least one character and ends where the next literal begins, as in the routing.
fn in_segment<'p>(parts: &'p [Part], segment: &'p str, values: &mut Vec<(&'p str, &'p str)>) {
    let mut rest = segment;
    for (index, part) in parts.iter().enumerate() {
        match part {
            Part::Literal(literal) => match rest.strip_prefix(literal.as_str()) {
                Some(behind) => rest = behind,
                // Encoded differently: what the parameters are cannot be told, and they count as missing.
                None => return,
            },
            Part::Parameter(name) | Part::Rest(name) => {
                let end = match parts.get(index + 1) {
                    // The last literal is at the end, wherever else it is found.
                    Some(Part::Literal(literal)) if index + 2 == parts.len() => {
                        rest.strip_suffix(literal.as_str()).map(str::len)
                    }
                    Some(Part::Literal(literal)) => {
                        let skip = rest.chars().next().map_or(0, char::len_utf8);
                        rest.get(skip..).and_then(|after| after.find(literal.as_str())).map(|at| skip + at)
                    }
                    // Two parameters with nothing between them: all goes to the first.
                    Some(_) | None => Some(rest.len()),
                };
                let Some(end) = end else { return };
                values.push((name, &rest[..end]));
                rest = &rest[end..];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_where_the_template_says() {
        for (template, path, expect) in [
            ("/a/{id}", "/a/7", &[("id", "7")][..]),
            ("/a/{id}", "/a/7/", &[("id", "7")]),
            ("/a/{id}/b/{x}", "/a/1/b/2%2F3", &[("id", "1"), ("x", "2%2F3")]),
            ("/{name}.json", "/a.json.json", &[("name", "a.json")]),
            ("/v{major}.{minor}", "/v1.2", &[("major", "1"), ("minor", "2")]),
            ("/{id}:cancel", "/7:cancel", &[("id", "7")]),
            ("/f/{rest+}", "/f/a/b", &[("rest", "a/b")]),
            ("/a", "/a", &[]),
        ] {
            assert_eq!(PathTemplate::new(template).values(path), expect, "{template} {path}");
        }
    }
}
