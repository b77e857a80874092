//! `gatewright diff`: what applying documents would change, line by line.

use serde_json::Value;
use similar::TextDiff;

/// What becomes of an asset, as a unified diff of its documents.
pub(super) fn unified(change: &Value) -> String {
    let text = |key: &str| match &change[key] {
        Value::Null => String::new(),
        document => model::yaml::write(document),
    };
    let called = |key: &str| match &change[key] {
        Value::Null => "/dev/null".to_owned(),
        _ => format!("{} {}", change["kind"].as_str().unwrap_or(""), change["name"].as_str().unwrap_or("")),
    };
    let (before, after) = (text("before"), text("after"));
    if before == after {
        // What of it is secret is not shown.
        return format!("{}: its secret is another one\n", called("after"));
    }
    let diff = TextDiff::from_lines(&before, &after);
    diff.unified_diff().context_radius(3).header(&called("before"), &called("after")).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_is_shown_line_by_line() {
        let change = json!({
            "kind": "api", "name": "a:1.0",
            "before": { "name": "a", "basePath": "/a" }, "after": { "name": "a", "basePath": "/b" },
        });
        assert_eq!(
            unified(&change),
            "--- api a:1.0\n+++ api a:1.0\n@@ -1,2 +1,2 @@\n name: a\n-basePath: /a\n+basePath: /b\n"
        );
        let made = json!({ "kind": "api", "name": "a:1.0", "before": null, "after": { "name": "a" } });
        assert_eq!(unified(&made), "--- /dev/null\n+++ api a:1.0\n@@ -0,0 +1 @@\n+name: a\n");
        let gone = json!({ "kind": "api", "name": "a:1.0", "before": { "name": "a" }, "after": null });
        assert_eq!(unified(&gone), "--- api a:1.0\n+++ /dev/null\n@@ -1 +0,0 @@\n-name: a\n");
    }
}
