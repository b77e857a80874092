//! A page for each policy: what it is for, when it runs, an example, its configuration, its refusals.

use std::fmt::Write;

use engine::PolicyKind;
use policies::POLICIES;
use serde_json::{Map, Value};

use super::{
    errors,
    schema::{Definitions, description},
};

/// The list of all policies.
pub fn index() -> String {
    let mut out = String::from(
        "# Policies\n\n\
         All policies, by the stage that they run in. What policies are and how they are put together is told in [Policies](../policies.md).\n\n\
         | policy | stage | |\n|---|---|---|\n",
    );
    let mut kinds: Vec<_> = POLICIES.iter().collect();
    kinds.sort_by_key(|kind| kind.stage);
    for kind in kinds {
        let (name, stage, about) = (kind.type_name, kind.stage.name(), description(&(kind.schema)()));
        // Writing to a String cannot fail.
        let _ = writeln!(out, "| [`{name}`](policies/{name}.md) | {stage} | {about} |");
    }
    out
}

pub fn page(kind: &PolicyKind) -> Result<String, String> {
    let schema = (kind.schema)();
    let about = schema["description"].as_str().unwrap_or_default();
    let mut rules = if kind.repeatable {
        "An operation may have several of it.".to_owned()
    } else {
        "An operation has at most one of it; which one counts is told in [Policies](../../policies.md#levels).".to_owned()
    };
    if !kind.excludes.is_empty() {
        let excluded: Vec<String> = kind.excludes.iter().map(|name| format!("`{name}`")).collect();
        rules = format!("{rules} It excludes {}.", excluded.join(", "));
    }
    if kind.needs_application {
        rules.push_str(" It needs a policy beside it that identifies the application.");
    }
    let mut out = format!(
        "# {}\n\n{about}\n\nStage: {}. {rules}\n\n## Example\n\n```yaml\napis:\n  - name: Orders\n    upstream: https://orders.internal\n    policies:\n      - type: {}\n        config:\n",
        kind.type_name,
        kind.stage.name(),
        kind.type_name
    );
    for line in kind.example.lines() {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "          {line}");
    }
    out.push_str("```\n\n## Configuration\n\nKeys of `config`.\n\n");
    let none = Map::new();
    let definitions = Definitions(schema["$defs"].as_object().unwrap_or(&none), "../configuration.md");
    for section in definitions.sections("", &schema) {
        if !section.path.is_empty() {
            let about = description(&section.schema);
            let _ = write!(out, "\n### `{}`\n\n", section.path);
            if !about.is_empty() {
                let _ = write!(out, "{about}\n\n");
            }
        }
        out.push_str(&definitions.table(&section.path, &section.schema));
    }
    out.push_str("\n## Refusals\n\n");
    if kind.reasons.is_empty() {
        out.push_str("It refuses no request.\n");
    } else {
        out.push_str(&errors::table(kind.reasons));
    }
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "\n## Security\n\n{} When it cannot do its work: {}.\n",
        kind.posture,
        kind.on_failure.name()
    );
    match about {
        _ if kind.posture.is_empty() => Err(format!(
            "policy `{}` does not say what it assumes about input: add `POSTURE`",
            kind.type_name
        )),
        "" => Err(format!("policy `{}` has no documentation comment", kind.type_name)),
        _ if has_bare_key(&schema) => {
            Err(format!("policy `{}` has a key without a documentation comment", kind.type_name))
        }
        _ => Ok(out),
    }
}

/// A key that nobody explains.
fn has_bare_key(schema: &Value) -> bool {
    let own = schema["properties"].as_object().into_iter().flatten();
    let nested = schema["$defs"]
        .as_object()
        .into_iter()
        .flatten()
        .flat_map(|(_, definition)| definition["properties"].as_object().into_iter().flatten());
    own.chain(nested).any(|(_, property)| property["description"].as_str().is_none_or(str::is_empty))
}
