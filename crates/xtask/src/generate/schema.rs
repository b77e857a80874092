//! JSON Schemas as tables: one for each object, a row for each key. Covers what schemars writes for our types.

use std::fmt::Write;

use serde_json::{Map, Value};

/// An object and the place in the document where it is written.
pub struct Section {
    /// `apis[].canary`; empty for the document itself.
    pub path: String,
    pub schema: Value,
}

/// The definitions that schemas refer to, and the page that explains scalars, as links find it.
pub struct Definitions<'a>(pub &'a Map<String, Value>, pub &'static str);

impl<'a> Definitions<'a> {
    /// What a schema is, with references followed. A nullable value is an optional one.
    fn follow(&self, schema: &'a Value) -> (Option<&'a str>, &'a Value) {
        if let Some(Value::Array(alternatives)) = schema.get("anyOf") {
            let mut some = alternatives.iter().filter(|alternative| alternative["type"] != "null");
            if let (Some(only), None) = (some.next(), some.next()) {
                return self.follow(only);
            }
        }
        let name = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next());
        match name.and_then(|name| Some((name, self.0.get(name)?))) {
            Some((name, definition)) => (Some(name), definition),
            None => (None, schema),
        }
    }

    /// The object and all objects inside it, in the order that their keys are declared.
    pub fn sections(&self, path: &str, schema: &'a Value) -> Vec<Section> {
        let mut sections = Vec::new();
        let (_, schema) = self.follow(schema);
        if path.is_empty() && properties(schema).next().is_none() {
            for (label, name, alternative) in self.alternatives(schema) {
                let mut inside = name.into_iter().collect();
                self.add_sections(&format!("with {label}"), alternative, &mut inside, &mut sections);
            }
            if !sections.is_empty() {
                return sections;
            }
        }
        self.add_sections(path, schema, &mut Vec::new(), &mut sections);
        sections
    }

    /// `inside` are the definitions that this one is part of: some contain themselves.
    fn add_sections(
        &self,
        path: &str,
        schema: &'a Value,
        inside: &mut Vec<&'a str>,
        sections: &mut Vec<Section>,
    ) {
        sections.push(Section { path: path.to_owned(), schema: schema.clone() });
        for (key, property) in properties(schema) {
            let mut at = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let (mut name, mut target) = self.follow(property);
            if target["type"] == "array" {
                (name, target) = self.follow(&target["items"]);
                at.push_str("[]");
            }
            if name == Some("PolicyDoc") || name.is_some_and(|name| inside.contains(&name)) {
                continue;
            }
            inside.extend(name);
            if name == Some("GlobalPolicyDoc") {
                // What a policy of an API has not: the same whatever its type is.
                let first = self.alternatives(target).into_iter().next();
                let applies_to = first.and_then(|(_, _, policy)| policy["properties"].get("appliesTo"));
                if let Some((name, target)) = applies_to.map(|property| self.follow(property)) {
                    inside.extend(name);
                    self.add_sections(&format!("{at}.appliesTo"), target, inside, sections);
                    inside.truncate(inside.len() - usize::from(name.is_some()));
                }
            } else if properties(target).next().is_some() {
                self.add_sections(&at, target, inside, sections);
            } else {
                for (label, name, alternative) in self.alternatives(target) {
                    if name.is_none_or(|name| !inside.contains(&name)) {
                        self.add_sections(&format!("{at} with {label}"), alternative, inside, sections);
                    }
                }
            }
            inside.truncate(inside.len() - usize::from(name.is_some()));
        }
    }

    /// The objects that may stand in one place, each with what tells it from the others, and its name.
    fn alternatives(&self, schema: &'a Value) -> Vec<(String, Option<&'a str>, &'a Value)> {
        let listed = ["oneOf", "anyOf"].into_iter().filter_map(|key| schema.get(key)?.as_array()).flatten();
        let objects = listed.map(|alternative| self.follow(alternative));
        objects
            .filter_map(|(name, target)| {
                let tag = properties(target).find_map(|(key, value)| Some((key, value["const"].as_str()?)));
                let label = match tag {
                    Some((key, value)) => format!("{key}: {value}"),
                    None => properties(target).next()?.0.clone(),
                };
                Some((label, name, target))
            })
            .collect()
    }

    /// The table of an object's keys.
    pub fn table(&self, path: &str, schema: &Value) -> String {
        let mut out = String::from("| key | type | default | |\n|---|---|---|---|\n");
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (key, property) in properties(schema) {
            let default = match property.get("default") {
                _ if required.contains(&key.as_str()) => "required".to_owned(),
                Some(value) if !value.is_object() && !value.is_null() => format!("`{}`", plain(value)),
                // Only a default of `true` is written into schemas.
                None if property["type"] == "boolean" => "`false`".to_owned(),
                _ => String::new(),
            };
            let at = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let kind = self.kind(&at, property);
            let mut text = description(property);
            text.push_str(&self.choices(property));
            // Writing to a String cannot fail.
            let _ = writeln!(out, "| `{key}` | {kind} | {default} | {text} |");
        }
        out
    }

    fn kind(&self, at: &str, schema: &Value) -> String {
        let definitions = Definitions(self.0, self.1);
        let (name, target) = definitions.follow(schema);
        let kinds = target["type"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let kind = target["type"].as_str().or_else(|| kinds.into_iter().find(|kind| *kind != "null"));
        match (name, kind) {
            (Some("PolicyDoc" | "GlobalPolicyDoc"), _) => "[policy](../policies.md)".into(),
            (Some(name @ ("Duration" | "ByteSize" | "Percent" | "Secret")), _) => {
                let (text, anchor) = scalar(name);
                format!("[{text}]({}#{anchor})", self.1)
            }
            (_, Some("array")) => format!("list of {}", self.kind(&format!("{at}[]"), &target["items"])),
            (_, Some("object")) if properties(target).next().is_some() => {
                format!("[object](#{})", anchor(at))
            }
            (_, Some("object")) => "map of text".into(),
            (_, Some("integer")) => match (target["minimum"].as_u64(), target["maximum"].as_u64()) {
                (Some(least), Some(most)) => format!("number, {least} to {most}"),
                (Some(least), None) => format!("number, at least {least}"),
                _ => "number".into(),
            },
            (_, Some("boolean")) => "`true` or `false`".into(),
            (_, Some("string")) if target.get("enum").is_some() => "choice".into(),
            (_, Some("string")) => "text".into(),
            _ if !definitions.alternatives(target).is_empty() => {
                let alternatives = definitions.alternatives(target).into_iter();
                let links = alternatives.map(|(label, name, _)| {
                    // One that contains itself was shown further up.
                    let (at, known) = match name {
                        Some("AppliesTo") => ("policies[].appliesTo".to_owned(), true),
                        _ => (format!("{at} with {label}"), false),
                    };
                    format!("[{}](#{})", if known { "group" } else { &label }, anchor(&at))
                });
                links.collect::<Vec<_>>().join(" or ")
            }
            _ if target.get("oneOf").is_some() => "choice".into(),
            _ => "any".into(),
        }
    }

    /// The values of an enumeration, each with what it means.
    fn choices(&self, schema: &Value) -> String {
        let (_, target) = Definitions(self.0, self.1).follow(schema);
        let constants = target["oneOf"].as_array().into_iter().flatten();
        let described =
            constants.filter_map(|one| Some((one["const"].as_str()?.to_owned(), description(one))));
        let listed =
            target["oneOf"].as_array().into_iter().chain(Some(target).and_then(|t| t["enum"].as_array()));
        let bare = listed.flatten().flat_map(|one| match one {
            Value::String(name) => vec![name.clone()],
            one => one["enum"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        });
        let all = bare.map(|name| (name, String::new())).chain(described);
        all.map(
            |(name, text)| {
                if text.is_empty() { format!("<br>`{name}`") } else { format!("<br>`{name}`: {text}") }
            },
        )
        .collect()
    }
}

/// Name of a scalar for people, and the heading that explains it.
pub fn scalar(name: &str) -> (&'static str, &'static str) {
    match name {
        "Duration" => ("duration", "duration"),
        "ByteSize" => ("size", "size"),
        "Percent" => ("percentage", "percentage"),
        _ => ("secret", "secret"),
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flatten()
}

/// The description on one line, fit for a table.
pub fn description(schema: &Value) -> String {
    one_line(schema["description"].as_str().unwrap_or_default())
}

pub fn one_line(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

/// The identifier that mdBook gives to a heading.
pub fn anchor(heading: &str) -> String {
    heading
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == '-' || *c == '_')
        .collect::<String>()
        .to_lowercase()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_becomes_a_table_and_its_objects_sections() {
        let schema = json!({
            "required": ["name"],
            "properties": {
                "name": { "type": "string", "description": "Its\nname." },
                "wait": { "anyOf": [{ "$ref": "#/$defs/Duration" }, { "type": "null" }], "default": "1s" },
                "parts": { "type": "array", "items": { "$ref": "#/$defs/Part" } },
            }
        });
        let definitions = json!({
            "Duration": { "type": "string" },
            "Part": { "type": "object", "properties": { "mode": { "oneOf": [{ "const": "fast", "description": "Quick." }] } } },
        });
        let definitions = Definitions(definitions.as_object().unwrap(), "");
        let table = definitions.table("", &schema);
        for row in [
            "| `name` | text | required | Its name. |",
            "| `wait` | [duration](#duration) | `1s` |  |",
            "| `parts` | list of [object](#parts) |  |  |",
        ] {
            assert!(table.contains(row), "{table}");
        }
        let sections = definitions.sections("", &schema);
        assert_eq!(sections.iter().map(|s| s.path.as_str()).collect::<Vec<_>>(), ["", "parts[]"]);
        assert!(definitions.table("parts[]", &sections[1].schema).contains("<br>`fast`: Quick."));
    }
}
