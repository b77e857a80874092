//! The reference of the configuration: every key with type, default and meaning.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::schema::{Definitions, description, scalar};

pub fn page(schema: &Value) -> String {
    let mut out = String::from(
        "# Configuration\n\n\
         Every key that a configuration may have. A gateway reads one file or one folder of files, in YAML or JSON; how they\n\
         are found, added up and reloaded is told in [Configuration](../configuration.md). The same as a JSON Schema for\n\
         editors: `gatewright schema`, or `docs/gatewright.schema.json` in the repository.\n\n\
         A key that is not listed here is refused. In headings, `[]` stands for each entry of a list.\n",
    );
    let none = Map::new();
    let definitions = Definitions(schema["$defs"].as_object().unwrap_or(&none), "");
    for section in definitions.sections("", schema) {
        let heading =
            if section.path.is_empty() { "The document".to_owned() } else { format!("`{}`", section.path) };
        let text = description(&section.schema);
        let table = definitions.table(&section.path, &section.schema);
        // Writing to a String cannot fail.
        let _ = write!(out, "\n## {heading}\n\n{text}\n\n{table}");
    }
    out.push_str("\n## Scalars\n");
    for name in ["Duration", "ByteSize", "Percent", "Secret"] {
        let definition = &definitions.0[name];
        let (heading, _) = scalar(name);
        let examples: Vec<String> = definition["examples"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(|example| format!("`{example}`"))
            .collect();
        let text = definition["description"].as_str().unwrap_or_default();
        let _ = write!(out, "\n### {heading}\n\n{text} Such as {}.\n", examples.join(", "));
    }
    out
}
