//! Keys of an object: which are known, which are missing, and what is under them.

use serde_json::{Map, Value};

use super::{Place, Walk, parts, words};
use crate::{Diagnostic, diagnostic::nearest};

/// So many names are listed beside the nearest one, or in its place.
const SHORT_LIST: usize = 6;
const LONG_LIST: usize = 12;

impl<'s> Walk<'s> {
    pub(super) fn object(&mut self, parts: &[&'s Map<String, Value>], members: &Map<String, Value>) {
        let required: Vec<&str> = parts
            .iter()
            .filter_map(|part| part.get("required")?.as_array())
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut taken_for: Vec<&str> = Vec::new();
        for (key, value) in members {
            let mut known = false;
            for schema in parts.iter().filter_map(|part| part.get("properties")?.get(key)) {
                known = true;
                if value.is_null() && !required.contains(&key.as_str()) {
                    self.path.push(Place::Key(key.clone()));
                    self.report.absent.push(self.path.clone());
                    self.path.pop();
                } else {
                    self.inside(Place::Key(key.clone()), |walk| walk.visit(schema, value));
                }
            }
            if !known {
                taken_for.extend(self.unknown_key(parts, members, key, value));
            }
        }
        for name in required {
            // A misspelt key was reported already; it is not missing as well.
            if !members.contains_key(name) && !taken_for.contains(&name) {
                self.problem(format!("missing key {}", words::quoted(name)));
            }
        }
    }

    /// Checks a key that no property names; returns the name that it was taken for, if it is refused.
    fn unknown_key(
        &mut self,
        parts: &[&'s Map<String, Value>],
        members: &Map<String, Value>,
        key: &str,
        value: &Value,
    ) -> Option<&'s str> {
        let additional = parts.iter().find_map(|part| part.get("additionalProperties"));
        let closed =
            match additional.or_else(|| parts.iter().find_map(|part| part.get("unevaluatedProperties"))) {
                None | Some(Value::Bool(true)) => return None,
                Some(Value::Bool(false)) => true,
                Some(_) => false,
            };
        if !closed {
            let schema = additional?;
            self.inside(Place::Key(key.to_owned()), |walk| walk.visit(schema, value));
            return None;
        }
        // Properties of a flattened union are known to a schema that closes what is left unevaluated.
        let mut known = Vec::new();
        names(self.root, parts, additional.is_none(), &mut known);
        if known.contains(&key) {
            return None;
        }
        if parts.iter().filter_map(|part| part.get("patternProperties")).any(|patterns| patterns.is_object())
        {
            return None;
        }
        let free = known.iter().copied().filter(|name| !members.contains_key(*name));
        let meant = nearest(key, free);
        let list = || words::list(known.iter().copied());
        let help = match meant {
            Some(name) if known.len() <= SHORT_LIST && known.len() > 1 => {
                format!("did you mean {}? known keys: {}", words::quoted(name), list())
            }
            Some(name) => format!("did you mean {}?", words::quoted(name)),
            None if known.is_empty() => "no keys are known here".to_owned(),
            None if known.len() <= LONG_LIST => format!("known keys: {}", list()),
            None => format!("see the reference for the {} known keys", known.len()),
        };
        let message = format!("unknown key {}", words::quoted(key));
        self.inside(Place::Key(key.to_owned()), |walk| {
            let problem = Diagnostic { help: Some(help), ..walk.error(message) };
            walk.report(problem);
        });
        meant
    }
}

fn names<'s>(root: &'s Value, parts: &[&'s Map<String, Value>], unions: bool, known: &mut Vec<&'s str>) {
    let mut open = vec![parts.to_vec()];
    let mut rounds = 0;
    while let Some(schema) = open.pop() {
        rounds += 1;
        if rounds > 64 {
            return;
        }
        for part in &schema {
            let properties = part.get("properties").and_then(Value::as_object);
            for name in properties.into_iter().flat_map(Map::keys) {
                if !known.contains(&name.as_str()) {
                    known.push(name);
                }
            }
            if unions {
                let branches = ["oneOf", "anyOf"].into_iter().filter_map(|key| part.get(key)?.as_array());
                open.extend(branches.flatten().map(|branch| self::parts(root, branch)));
            }
        }
    }
}
