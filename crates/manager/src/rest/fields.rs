//! Parts of documents, for those who want no more of a page than that. What is left is still what the OpenAPI document
//! says: keys that are required stay.

use std::collections::BTreeSet;

use model::diagnostic::nearest;
use serde_json::Value;

use crate::Kind;

/// Beside the document, and always there.
const AROUND: [&str; 6] = ["kind", "id", "name", "revision", "createdAt", "changedAt"];
/// The whole document.
const WHOLE: &str = "spec";

/// Which keys of documents are wanted.
pub(super) struct Fields {
    /// `None`: all of them.
    keys: Option<BTreeSet<String>>,
}

impl Fields {
    pub(super) fn parse(text: &str, kind: &Kind) -> Result<Self, String> {
        let schema = kind.schema();
        let (mut known, mut keys) = (BTreeSet::new(), BTreeSet::new());
        collect(&schema, &schema, 0, &mut known, &mut keys);
        let mut whole = false;
        for field in text.split(',').map(str::trim) {
            if known.contains(field) {
                keys.insert(field.to_owned());
            } else if field == WHOLE {
                whole = true;
            } else if !AROUND.contains(&field) {
                let all = known.iter().map(String::as_str).chain(AROUND).chain([WHOLE]);
                let near = nearest(field, all).map(|near| format!("; did you mean `{near}`?"));
                let near = near.unwrap_or_default();
                return Err(format!(
                    "`fields`: found `{field}`, expected keys of {} documents{near}",
                    kind.name
                ));
            }
        }
        Ok(Self { keys: (!whole).then_some(keys) })
    }

    /// An asset with no more of its document than that.
    pub(super) fn select(&self, mut asset: Value) -> Value {
        if let (Some(keys), Some(document)) = (&self.keys, asset[WHOLE].as_object_mut()) {
            document.retain(|key, _| keys.contains(key));
        }
        asset
    }
}

/// Keys that documents may have, and those that they must have. Where there are several forms of them, of all forms.
fn collect(
    root: &Value,
    schema: &Value,
    depth: u8,
    known: &mut BTreeSet<String>,
    required: &mut BTreeSet<String>,
) {
    if depth > 4 {
        return;
    }
    let referred = schema["$ref"].as_str().and_then(|reference| root.pointer(reference.strip_prefix('#')?));
    let forms = ["oneOf", "anyOf", "allOf"].iter().filter_map(|key| schema[*key].as_array()).flatten();
    for part in referred.into_iter().chain(forms) {
        collect(root, part, depth + 1, known, required);
    }
    known.extend(schema["properties"].as_object().into_iter().flatten().map(|(key, _)| key.clone()));
    let names = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    required.extend(names.map(str::to_owned));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{KINDS, kind};

    fn selected(kind_name: &str, fields: &str, document: Value) -> Result<Value, String> {
        let fields = Fields::parse(fields, kind(kind_name).unwrap())?;
        Ok(fields.select(json!({ "kind": kind_name, "name": "x", "revision": 1, "spec": document })))
    }

    #[test]
    fn what_is_wanted_and_what_is_always_there_stays() {
        let document = json!({ "name": "x", "description": "d", "suspended": true, "apis": ["a"] });
        for (fields, expected) in [
            ("description", json!({ "name": "x", "description": "d" })),
            ("suspended, apis", json!({ "name": "x", "suspended": true, "apis": ["a"] })),
            ("name", json!({ "name": "x" })),
            ("id,revision", json!({ "name": "x" })),
            ("owner", json!({ "name": "x" })),
            ("spec", document.clone()),
            ("apis,spec", document.clone()),
        ] {
            let found = selected("application", fields, document.clone()).unwrap();
            assert_eq!(found["spec"], expected, "{fields}");
            assert_eq!((&found["kind"], &found["revision"]), (&json!("application"), &json!(1)), "{fields}");
        }
        let wrong = selected("application", "descripton", document).unwrap_err();
        assert!(wrong.contains("did you mean `description`?"), "{wrong}");
    }

    #[test]
    fn every_kind_has_keys_that_can_be_asked_for() {
        for kind in &KINDS {
            let (mut known, mut required) = (BTreeSet::new(), BTreeSet::new());
            let schema = kind.schema();
            collect(&schema, &schema, 0, &mut known, &mut required);
            assert!(!known.is_empty() && required.is_subset(&known), "{}: {required:?}", kind.name);
        }
    }
}
