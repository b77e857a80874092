//! Alternatives: which one the user meant, so that only its problems are told.

use serde_json::{Map, Value};

use super::{Place, Report, Walk, parts, words};
use crate::{Diagnostic, diagnostic::nearest};

impl<'s> Walk<'s> {
    pub(super) fn union(&mut self, branches: &'s [Value], value: &Value) {
        let is_null = |branch: &&Value| branch.get("type") == Some(&Value::from("null"));
        if value.is_null() && branches.iter().any(|branch| is_null(&branch)) {
            return;
        }
        let branches: Vec<&'s Value> = branches.iter().filter(|branch| !is_null(branch)).collect();
        if let [only] = branches[..] {
            return self.visit(only, value);
        }
        if let Value::Object(members) = value
            && self.tagged(&branches, members, value)
        {
            return;
        }
        // Told by the kind of the value: of several, the one with the fewest problems was meant.
        let mut best: Option<Report> = None;
        let mut literals: Vec<&Value> = Vec::new();
        for branch in &branches {
            let schema = parts(self.root, branch);
            if let Some(some) = words::literals(&schema) {
                literals.extend(some);
            }
            let report = self.attempt(branch, value);
            if report.problems.is_empty() {
                self.report.absent.extend(report.absent);
                return;
            }
            let fits = words::fits(&schema, value) && words::literals(&schema).is_none();
            if fits && best.as_ref().is_none_or(|best| report.problems.len() < best.problems.len()) {
                best = Some(report);
            }
        }
        match best {
            Some(report) => self.report.problems.extend(report.problems),
            None => self.fits_none(&branches, &literals, value),
        }
    }

    /// Chooses by a key that names the alternative. `false`: these alternatives are not told apart so.
    fn tagged(&mut self, branches: &[&'s Value], members: &Map<String, Value>, value: &Value) -> bool {
        let schemas: Vec<_> = branches.iter().map(|branch| (*branch, parts(self.root, branch))).collect();
        let objects = || schemas.iter().filter(|(_, schema)| properties(schema).next().is_some());
        // `type: x` beside the other keys.
        let tag = objects().next().and_then(|(_, first)| {
            properties(first)
                .map(|(name, _)| name)
                .find(|name| objects().all(|(_, all)| tag_of(all, name).is_some()))
        });
        if let Some(tag) = tag {
            let known: Vec<&Value> = objects().filter_map(|(_, schema)| tag_of(schema, tag)).collect();
            match members.get(tag) {
                None => self.missing_tag(tag, &known, members),
                Some(found) => match objects().find(|(_, schema)| tag_of(schema, tag) == Some(found)) {
                    Some((branch, _)) => self.visit(branch, value),
                    None => {
                        self.inside(Place::Key(tag.to_owned()), |walk| walk.unknown_literal(&known, found));
                    }
                },
            }
            return true;
        }
        // `x: …` around the other keys.
        let wrapper = |schema: &[&'s Map<String, Value>]| match schema {
            [only] if properties(schema).count() == 1 => {
                let required = only.get("required")?.as_array()?;
                properties(schema)
                    .next()
                    .map(|(name, _)| name)
                    .filter(|name| required[..] == [Value::from(*name)])
            }
            _ => None,
        };
        if objects().count() < 2 || !objects().all(|(_, schema)| wrapper(schema).is_some()) {
            return false;
        }
        if let Some((branch, _)) =
            objects().find(|(_, schema)| wrapper(schema).is_some_and(|name| members.contains_key(name)))
        {
            self.visit(branch, value);
            return true;
        }
        let known: Vec<&str> = objects().filter_map(|(_, schema)| wrapper(schema)).collect();
        let help = members
            .keys()
            .find_map(|key| nearest(key, known.iter().copied()))
            .map(|name| format!("did you mean {}?", words::quoted(name)));
        let found = match members.len() {
            0 => "an empty object".to_owned(),
            _ => format!("the keys {}", words::list(members.keys().map(String::as_str))),
        };
        let message = format!("found {found}, expected one of the keys {}", words::list(known));
        self.report(Diagnostic { help, ..self.error(message) });
        true
    }

    fn missing_tag(&mut self, tag: &str, known: &[&Value], members: &Map<String, Value>) {
        let message = format!("missing key {}, expected {}", words::quoted(tag), words::one_of(known));
        let help = members
            .keys()
            .find(|key| nearest(key, [tag]).is_some())
            .map(|key| format!("found {}, did you mean {}?", words::quoted(key), words::quoted(tag)));
        self.report(Diagnostic { help, ..self.error(message) });
    }

    fn fits_none(&mut self, branches: &[&'s Value], literals: &[&Value], value: &Value) {
        let mut expected: Vec<String> = Vec::new();
        let mut hide = false;
        if !literals.is_empty() {
            expected.push(words::one_of(literals));
        }
        for branch in branches {
            let schema = parts(self.root, branch);
            hide |= self.may_hold_secret(&schema) || schema.iter().any(|part| is_secret(part));
            if words::literals(&schema).is_none() {
                let words = words::expected(self.root, &schema, value);
                if !expected.contains(&words) {
                    expected.push(words);
                }
            }
        }
        let help = value
            .as_str()
            .filter(|_| !hide)
            .and_then(|text| nearest(text, literals.iter().filter_map(|literal| literal.as_str())))
            .map(|name| format!("did you mean {}?", words::quoted(name)));
        let message = format!("found {}, expected {}", words::found(value, hide), expected.join(" or "));
        self.report(Diagnostic { help, ..self.error(message) });
    }

    fn attempt(&mut self, schema: &'s Value, value: &Value) -> Report {
        let before = std::mem::take(&mut self.report);
        self.attempts += 1;
        self.visit(schema, value);
        self.attempts -= 1;
        std::mem::replace(&mut self.report, before)
    }
}

/// A reference to a secret, or the secret itself.
pub(super) fn is_secret(part: &Map<String, Value>) -> bool {
    super::Scalar::of(part) == Some(super::Scalar::Secret)
        || part.get("writeOnly") == Some(&Value::Bool(true))
}

fn properties<'a, 's>(
    schema: &'a [&'s Map<String, Value>],
) -> impl Iterator<Item = (&'s str, &'s Value)> + 'a {
    schema
        .iter()
        .filter_map(|part| part.get("properties")?.as_object())
        .flatten()
        .map(|(name, schema)| (name.as_str(), schema))
}

/// The one value that the property must have.
fn tag_of<'s>(schema: &[&'s Map<String, Value>], name: &str) -> Option<&'s Value> {
    properties(schema).find(|(property, _)| *property == name).and_then(|(_, schema)| schema.get("const"))
}
