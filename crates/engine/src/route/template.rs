//! Path templates: `/orders/{id}`, `/files/{name}.json`, `/static/*`.

use std::{
    cmp::{Ordering, Reverse},
    fmt,
};

/// A path template, segment by segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pub segments: Vec<Segment>,
}

/// One segment, in the order of preference.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    Literal(Box<str>),
    /// Text around parameters: `{name}.json`, `{id}:cancel`.
    Pattern(Pattern),
    Parameter,
    /// The rest of the path, whatever it is; only at the end.
    Rest,
}

/// Literal texts around at least one parameter; parameters match one character or more.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    prefix: Box<str>,
    middle: Box<[Box<str>]>,
    suffix: Box<str>,
}

impl Pattern {
    /// More literal text is more specific.
    pub fn specificity(&self) -> usize {
        self.prefix.len() + self.suffix.len() + self.middle.iter().map(|m| m.len()).sum::<usize>()
    }

    pub fn matches(&self, segment: &str) -> bool {
        let Some(rest) = segment.strip_prefix(&*self.prefix).and_then(|r| r.strip_suffix(&*self.suffix))
        else {
            return false;
        };
        let mut rest = rest;
        for middle in &self.middle {
            // The parameter before this text has at least one character.
            let Some(skip) = rest.chars().next().map(char::len_utf8) else { return false };
            let Some(found) = rest[skip..].find(&**middle) else { return false };
            rest = &rest[skip + found + middle.len()..];
        }
        !rest.is_empty()
    }
}

/// Why a template cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateError {
    NoSlash,
    QueryOrFragment,
    UnbalancedBrace,
    RestNotLast,
    NestedTooDeep,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSlash => "a path starts with `/`",
            Self::QueryOrFragment => "a path has no `?` or `#`",
            Self::UnbalancedBrace => "every `{` needs its `}` in the same segment",
            Self::RestNotLast => "`*` must be the last segment",
            Self::NestedTooDeep => "a path has at most 64 segments",
        })
    }
}

/// Requests have bounded lines, but templates are only as deep as somebody means them.
const MOST_SEGMENTS: usize = 64;

impl Template {
    pub fn parse(path: &str) -> Result<Self, TemplateError> {
        let rest = path.strip_prefix('/').ok_or(TemplateError::NoSlash)?;
        let segments = rest.split('/').map(parse_segment).collect::<Result<Vec<_>, _>>()?;
        if segments.len() > MOST_SEGMENTS {
            return Err(TemplateError::NestedTooDeep);
        }
        let last = segments.len() - 1;
        if segments.iter().take(last).any(|s| *s == Segment::Rest) {
            return Err(TemplateError::RestNotLast);
        }
        Ok(Self { segments })
    }
}

/// How far a path fits a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    Whole,
    /// The first segment that does not, counted from 0.
    DiffersAt(usize),
}

impl Template {
    /// How far a decoded path fits. For explanations: requests are matched by the trie.
    pub fn fit(&self, path: &str) -> Fit {
        let mut found = path.strip_prefix('/').unwrap_or(path).split('/');
        for (index, segment) in self.segments.iter().enumerate() {
            let fits = match (segment, found.next()) {
                (_, None) => false,
                (Segment::Rest, Some(_)) => return Fit::Whole,
                (Segment::Literal(text), Some(found)) => **text == *found,
                (Segment::Pattern(pattern), Some(found)) => pattern.matches(found),
                (Segment::Parameter, Some(found)) => !found.is_empty(),
            };
            if !fits {
                return Fit::DiffersAt(index);
            }
        }
        if found.next().is_none() { Fit::Whole } else { Fit::DiffersAt(self.segments.len()) }
    }

    /// The order in which templates that fit the same path are preferred: the first that differs decides.
    pub fn compare_specificity(&self, other: &Self) -> Ordering {
        let rank = |segment: &Segment| match segment {
            Segment::Literal(_) => (0, Reverse(0)),
            Segment::Pattern(pattern) => (1, Reverse(pattern.specificity())),
            Segment::Parameter => (2, Reverse(0)),
            Segment::Rest => (3, Reverse(0)),
        };
        self.segments.iter().map(rank).cmp(other.segments.iter().map(rank))
    }

    /// Why this template is preferred to one that fits the same path.
    pub fn why_before(&self, other: &Self) -> String {
        let name = |segment: &Segment| match segment {
            Segment::Literal(text) => format!("the literal `{text}`"),
            Segment::Pattern(_) => "text around a parameter".to_owned(),
            Segment::Parameter => "a parameter".to_owned(),
            Segment::Rest => "the rest of the path".to_owned(),
        };
        let differing = self.segments.iter().zip(&other.segments).find(|(a, b)| a != b);
        match differing {
            Some((own, other)) => format!("{} beats {}", name(own), name(other)),
            None => "a longer path beats a shorter one".to_owned(),
        }
    }
}

fn parse_segment(text: &str) -> Result<Segment, TemplateError> {
    if matches!(text, "*" | "**") {
        return Ok(Segment::Rest);
    }
    let mut literals = vec![String::new()];
    let mut rest = text;
    while let Some(open) = rest.find(['{', '}']) {
        let (before, after) = rest.split_at(open);
        check_literal(before)?;
        literals.last_mut().expect("starts with one").push_str(before);
        let inner = after.strip_prefix('{').ok_or(TemplateError::UnbalancedBrace)?;
        let close = inner.find(['{', '}']).ok_or(TemplateError::UnbalancedBrace)?;
        if inner.as_bytes()[close] == b'{' {
            return Err(TemplateError::UnbalancedBrace);
        }
        let name = &inner[..close];
        if text.len() == name.len() + 2 && (name.starts_with('*') || name.ends_with(['+', '*'])) {
            return Ok(Segment::Rest);
        }
        literals.push(String::new());
        rest = &inner[close + 1..];
    }
    check_literal(rest)?;
    literals.last_mut().expect("starts with one").push_str(rest);
    if literals.len() == 1 {
        let literal =
            super::path::decode(&literals[0], false).map(Into::into).unwrap_or_else(|_| literals[0].clone());
        return Ok(Segment::Literal(literal.into()));
    }
    let suffix = literals.pop().unwrap_or_default();
    let prefix = literals.remove(0);
    // Two parameters with nothing between them match like one.
    let middle: Box<[Box<str>]> = literals.into_iter().filter(|m| !m.is_empty()).map(Into::into).collect();
    if prefix.is_empty() && suffix.is_empty() && middle.is_empty() {
        return Ok(Segment::Parameter);
    }
    Ok(Segment::Pattern(Pattern { prefix: prefix.into(), middle, suffix: suffix.into() }))
}

fn check_literal(text: &str) -> Result<(), TemplateError> {
    if text.contains(['?', '#']) { Err(TemplateError::QueryOrFragment) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        match parse_segment(text) {
            Ok(Segment::Pattern(pattern)) => pattern,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn patterns_match_text_around_parameters() {
        for (template, segment, expect) in [
            ("{name}.json", "a.json", true),
            ("{name}.json", ".json", false),
            ("{name}.json", "a.xml", false),
            ("{id}:cancel", "7:cancel", true),
            ("v{major}.{minor}", "v1.2", true),
            ("v{major}.{minor}", "v1.", false),
            ("v{major}.{minor}", "v.2", false),
            ("{a}-{b}-{c}", "x-y-z", true),
            ("{a}-{b}-{c}", "x-y", false),
            ("a{x}a", "aa", false),
            ("a{x}a", "a", false),
        ] {
            assert_eq!(pattern(template).matches(segment), expect, "{template} {segment}");
        }
    }

    #[test]
    fn templates_that_cannot_match_say_why() {
        for (path, error) in [
            ("orders", TemplateError::NoSlash),
            ("/a?b=c", TemplateError::QueryOrFragment),
            ("/a#b", TemplateError::QueryOrFragment),
            ("/{a", TemplateError::UnbalancedBrace),
            ("/a}", TemplateError::UnbalancedBrace),
            ("/{a{b}}", TemplateError::UnbalancedBrace),
            ("/*/a", TemplateError::RestNotLast),
        ] {
            assert_eq!(Template::parse(path), Err(error), "{path}");
        }
        assert_eq!(Template::parse("/{a}{b}").unwrap().segments, [Segment::Parameter]);
        assert_eq!(Template::parse("/x/{rest+}").unwrap().segments[1], Segment::Rest);
    }
}
