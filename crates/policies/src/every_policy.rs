//! What holds for every policy in the list, whatever it does: its configuration is checked, field by field, and what is
//! wrong with it is told where it is. A policy that is added is covered from its example and its schema.

use std::collections::BTreeSet;

use engine::{Clock, CompileCx, PolicyKind, compile::Environment, state::StateRegistry};
use model::{Diagnostic, check, diagnostic::join};
use serde_json::{Map, Value, json};

use crate::POLICIES;

/// How deep optional keys are followed that the example does not have.
const DEPTH: usize = 4;

/// A wrong value in one place.
struct Mutant {
    /// Path of the place, as users read it.
    path: String,
    /// The path of what holds it: where a missing key, or a list of alternatives, is told.
    holder: String,
    /// The place as a JSON pointer.
    place: String,
    value: Value,
    /// What was around it was a valid configuration before.
    alone: bool,
}

/// What no field, or hardly any, can be.
fn strange() -> Vec<Value> {
    let long = "x".repeat(5_000);
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(0.5),
        json!(u64::MAX),
        json!(1e300),
        json!(""),
        json!("no such word"),
        json!("\u{0}\r\n${"),
        json!(long),
        json!([]),
        json!({}),
        json!([null]),
        json!({ "no such key": 1 }),
        deep,
    ]
}

/// A schema and everything that applies where it does: references, and alternatives as if all of them applied.
fn parts<'s>(root: &'s Value, schema: &'s Value) -> Vec<&'s Map<String, Value>> {
    let (mut found, mut open) = (Vec::new(), vec![schema]);
    while let Some(schema) = open.pop() {
        let Some(part) = schema.as_object() else { continue };
        if found.len() > 200 {
            break;
        }
        found.push(part);
        let reference = part.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix('#'));
        open.extend(reference.and_then(|pointer| root.pointer(pointer)));
        for list in ["allOf", "oneOf", "anyOf"] {
            open.extend(part.get(list).and_then(Value::as_array).into_iter().flatten());
        }
    }
    found
}

/// Something that the schema allows, as small as can be.
fn sample(root: &Value, schema: &Value, depth: usize) -> Value {
    let parts = parts(root, schema);
    let first = |key: &str| parts.iter().find_map(|part| part.get(key));
    if let Some(value) = first("const").or_else(|| first("enum").and_then(|all| all.get(0))) {
        return value.clone();
    }
    let kind = first("type").map(|kind| kind.get(0).unwrap_or(kind)).and_then(Value::as_str);
    match kind {
        Some("object") if depth > 0 => {
            let branch = parts.iter().find(|part| part.contains_key("properties"));
            let required = branch.and_then(|part| part.get("required")?.as_array());
            let properties = branch.and_then(|part| part.get("properties")?.as_object());
            let keys = required.into_iter().flatten().filter_map(Value::as_str);
            let pairs =
                keys.filter_map(|key| Some((key.to_owned(), sample(root, properties?.get(key)?, depth - 1))));
            Value::Object(pairs.collect())
        }
        Some("array") if depth > 0 => {
            first("items").map_or(json!([]), |items| json!([sample(root, items, depth - 1)]))
        }
        Some("integer" | "number") => first("minimum").cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        Some("object") => json!({}),
        _ => json!("1s"),
    }
}

/// The document with every optional key that `depth` still allows, one variant for each, so that all places are seen.
struct Survey<'s> {
    root: &'s Value,
    seen: BTreeSet<String>,
    mutants: Vec<(Value, Mutant)>,
    /// Whether a document is a valid configuration.
    is_valid: &'s dyn Fn(Value) -> bool,
    alone: bool,
}

impl Survey<'_> {
    /// Looks at `schema` for the value at `place` of `document`.
    fn look(&mut self, document: &Value, schema: &Value, place: &str, path: &str, depth: usize) {
        if depth == 0 || !self.seen.insert(format!("{path} {schema}")) {
            return;
        }
        let parts = parts(self.root, schema);
        let Some(value) = document.pointer(place) else { return };
        if let Some(items) = parts.iter().find_map(|part| part.get("items")) {
            for (index, _) in value.as_array().into_iter().flatten().enumerate() {
                let (place, inner) = (format!("{place}/{index}"), format!("{path}[{index}]"));
                self.wrong(document, &place, &inner, path);
                self.look(document, items, &place, &inner, depth);
            }
        }
        let Some(members) = value.as_object() else { return };
        if parts.iter().any(|part| part.contains_key("properties")) {
            self.add(document, &format!("{place}/noSuchKey"), &join(path, "noSuchKey"), path, &json!(1));
        }
        for (key, schema) in parts.iter().filter_map(|part| part.get("properties")?.as_object()).flatten() {
            let inside = format!("{place}/{}", key.replace('~', "~0").replace('/', "~1"));
            let inner = join(path, key);
            self.wrong(document, &inside, &inner, path);
            if members.contains_key(key) {
                self.look(document, schema, &inside, &inner, depth);
            } else {
                let more = with(document, &inside, sample(self.root, schema, DEPTH));
                let before = std::mem::replace(&mut self.alone, (self.is_valid)(more.clone()));
                self.look(&more, schema, &inside, &inner, depth - 1);
                self.alone = before;
            }
        }
    }

    /// Everything strange, in one place.
    fn wrong(&mut self, document: &Value, place: &str, path: &str, holder: &str) {
        if self.seen.insert(path.to_owned()) {
            for value in strange() {
                self.add(document, place, path, holder, &value);
            }
        }
    }

    fn add(&mut self, document: &Value, place: &str, path: &str, holder: &str, value: &Value) {
        let mutant = Mutant {
            path: path.to_owned(),
            holder: holder.to_owned(),
            place: place.to_owned(),
            value: value.clone(),
            alone: self.alone,
        };
        self.mutants.push((with(document, place, value.clone()), mutant));
    }
}

/// The document with another value in one place.
fn with(document: &Value, place: &str, value: Value) -> Value {
    let mut document = document.clone();
    let (holder, key) = place.rsplit_once('/').unwrap();
    match document.pointer_mut(holder).unwrap() {
        Value::Object(members) => {
            members.insert(key.replace("~1", "/").replace("~0", "~"), value);
        }
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        other => panic!("{place} is inside {other}"),
    }
    document
}

/// As the gateway does it: by the schema first, then by the policy itself.
fn refusals(
    kind: &PolicyKind,
    schema: &Value,
    document: Value,
    environment: &Environment<'_>,
) -> Vec<Diagnostic> {
    let problems = check::check(schema, &document);
    if !problems.is_empty() {
        return problems;
    }
    let mut cx = CompileCx::new(environment, kind.type_name);
    kind.compile(document, &mut cx).err().map_or_else(Vec::new, |problems| problems.0)
}

#[test]
fn a_wrong_value_in_any_field_is_refused_where_it_is() {
    let registry = StateRegistry::default();
    let environment = Environment {
        kinds: POLICIES,
        registry: &registry,
        workers: 1,
        clock: Clock::system(),
        alerts: engine::Alerts::default(),
    };
    let mut failures = Vec::new();
    for kind in POLICIES {
        let schema = (kind.schema)();
        // An opinion of somebody else about the same schema.
        let oracle = jsonschema::validator_for(&schema).unwrap();
        let example = model::yaml::parse(kind.example).unwrap().value;
        let is_valid = |document| refusals(kind, &schema, document, &environment).is_empty();
        let mut survey = Survey {
            root: &schema,
            seen: BTreeSet::new(),
            mutants: Vec::new(),
            is_valid: &is_valid,
            alone: true,
        };
        survey.look(&example, &schema, "", "", DEPTH);
        let mutants = survey.mutants;
        assert!(mutants.len() > 15, "{}: only {} mutants", kind.type_name, mutants.len());
        let mut refused = 0;
        for (document, mutant) in mutants {
            // A null under an optional key stands for nothing, and is judged like a missing key.
            let judged =
                if mutant.value.is_null() { without(&document, &mutant.place) } else { document.clone() };
            let valid = oracle.is_valid(&judged);
            let problems = refusals(kind, &schema, document, &environment);
            let shown = mutant.value.to_string().chars().take(40).collect::<String>();
            let mut fail = |what: String| {
                failures.push(format!("{}: {} = {shown}: {what}", kind.type_name, mutant.path));
            };
            if problems.is_empty() {
                if !valid {
                    fail("accepted, though the schema refuses it".into());
                }
                continue;
            }
            refused += 1;
            let told = || problems.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ");
            // What types say, they say in its place. What goes across fields may be said of one beside it, and
            // where the document was wrong before, that is what is told.
            let leads = |problem: &Diagnostic| {
                problem.path.starts_with(&mutant.path)
                    || problem.path == mutant.holder
                    || (valid && (!mutant.alone || problem.path.starts_with(&mutant.holder)))
            };
            if !problems.iter().all(leads) {
                fail(format!("told elsewhere: {}", told()));
            }
            let says = |problem: &Diagnostic| {
                ["found", "expect", "missing", "unknown"].iter().any(|word| problem.message.contains(word))
            };
            if !problems.iter().all(says) {
                fail(format!("says neither what was found nor what was expected: {}", told()));
            }
            if problems
                .iter()
                .any(|problem| problem.to_string().len() > 1_000 || problem.to_string().contains('\0'))
            {
                fail(format!("repeats too much of what was found: {}", told()));
            }
        }
        assert!(refused > 10, "{}: only {refused} refused", kind.type_name);
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

fn without(document: &Value, place: &str) -> Value {
    let mut document = document.clone();
    let (holder, key) = place.rsplit_once('/').unwrap();
    if let Some(Value::Object(members)) = document.pointer_mut(holder) {
        members.shift_remove(&key.replace("~1", "/").replace("~0", "~"));
    }
    document
}
