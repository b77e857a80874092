//! JSON values as YAML that people like to read: block style, text without quotes where that is safe, long text as it
//! is. What is written is read again as the same value.

use serde_json::Value;

/// A document.
pub fn write(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(object) if !object.is_empty() => block(value, 0, &mut text),
        Value::Array(list) if !list.is_empty() => block(value, 0, &mut text),
        _ => {
            inline(value, &mut text);
            text.push('\n');
        }
    }
    text
}

/// Entries of a map or list that is not empty, each on lines of its own.
fn block(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                pad(indent, text);
                entry(key, value, indent, text);
            }
        }
        Value::Array(list) => {
            for value in list {
                pad(indent, text);
                item(value, indent, text);
            }
        }
        _ => {}
    }
}

/// A key with its value, after the indentation.
fn entry(key: &str, value: &Value, indent: usize, text: &mut String) {
    scalar(key, text);
    text.push(':');
    match value {
        Value::Object(object) if !object.is_empty() => {
            text.push('\n');
            block(value, indent + 2, text);
        }
        Value::Array(list) if !list.is_empty() => {
            text.push('\n');
            block(value, indent + 2, text);
        }
        Value::String(lines) if is_literal(lines) => {
            text.push(' ');
            literal(lines, indent + 2, text);
        }
        _ => {
            text.push(' ');
            inline(value, text);
            text.push('\n');
        }
    }
}

/// An entry of a list, after the indentation.
fn item(value: &Value, indent: usize, text: &mut String) {
    text.push_str("- ");
    match value {
        Value::Object(object) if !object.is_empty() => {
            for (index, (key, value)) in object.iter().enumerate() {
                if index > 0 {
                    pad(indent + 2, text);
                }
                entry(key, value, indent + 2, text);
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for (index, value) in list.iter().enumerate() {
                if index > 0 {
                    pad(indent + 2, text);
                }
                item(value, indent + 2, text);
            }
        }
        Value::String(lines) if is_literal(lines) => literal(lines, indent + 2, text),
        _ => {
            inline(value, text);
            text.push('\n');
        }
    }
}

fn pad(indent: usize, text: &mut String) {
    text.extend(std::iter::repeat_n(' ', indent));
}

fn inline(value: &Value, text: &mut String) {
    match value {
        Value::String(string) => scalar(string, text),
        // The empty ones, numbers and words look the same in both.
        other => text.push_str(&other.to_string()),
    }
}

fn scalar(string: &str, text: &mut String) {
    if is_plain(string) {
        text.push_str(string);
    } else {
        text.push_str(&Value::from(string).to_string());
    }
}

/// Whether a text means itself without quotes, wherever it stands.
fn is_plain(string: &str) -> bool {
    let begins_well = string.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '_' | '$'));
    let goes_on_well = string.chars().all(|c| c.is_alphanumeric() || " -_./:@+=(){}$,;'".contains(c));
    let is_word = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        .iter()
        .any(|word| string.eq_ignore_ascii_case(word));
    begins_well
        && goes_on_well
        && !is_word
        && !string.contains(": ")
        && !string.ends_with([':', ' '])
        && !string.contains("  ")
}

/// Whether a text of several lines can stand as it is.
fn is_literal(string: &str) -> bool {
    string.trim_end_matches('\n').contains('\n')
        && !string.starts_with([' ', '\n', '\t'])
        && !string.ends_with("\n\n")
        && string.lines().all(|line| !line.ends_with([' ', '\t', '\r']))
        && string.chars().all(|c| {
            c == '\n' || !c.is_control() && !matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
        })
}

fn literal(string: &str, indent: usize, text: &mut String) {
    text.push_str(if string.ends_with('\n') { "|\n" } else { "|-\n" });
    for line in string.lines() {
        if !line.is_empty() {
            pad(indent, text);
            text.push_str(line);
        }
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::yaml;

    #[test]
    fn what_is_written_is_read_again_as_the_same() {
        let odd = [
            "",
            " ",
            "a",
            "true",
            "NO",
            "null",
            "~",
            "1",
            "1.10",
            "0x1f",
            "1e3",
            "-",
            "- a",
            "a: b",
            "a #b",
            "#",
            "a:",
            "${x}",
            "${env:KEY}",
            "{a}",
            "[a]",
            "a, b",
            "&a",
            "*a",
            "!a",
            "|",
            ">",
            "%a",
            "@a",
            "`a`",
            "'a'",
            "\"a\"",
            "a\nb",
            "a\nb\n",
            "\na",
            "a\n\nb",
            "a\n\n",
            " a\nb",
            "a \nb",
            "a\tb",
            "a\r\nb",
            "é",
            "日本",
            "\u{2028}",
            "\u{feff}a\nb",
            "---",
            "...",
            "?",
            "? a",
            "a'b",
            "/x/{id}",
            "GET /x",
            "2026-11-22",
            "12:30",
            "<<",
            "=",
            "a  b",
        ];
        let strings: Vec<Value> = odd.iter().map(|text| json!(text)).collect();
        let keys: serde_json::Map<String, Value> =
            odd.iter().map(|text| ((*text).to_owned(), json!(text))).collect();
        let document = json!({
            "strings": strings,
            "keys": keys,
            "nested": [[1, [2, []]], {}, [], { "a": { "b": [{ "c": "x\ny", "d": null }] } }, [{ "a": 1, "b": 2 }], "x\ny\n"],
            "numbers": [0, -1, 1.5, 18_446_744_073_709_551_615_u64, 1e300],
            "words": [true, false, null],
        });
        for value in [document, json!([]), json!({}), json!("a\nb"), json!([["a"]])] {
            let text = write(&value);
            let read = yaml::parse(&text).unwrap_or_else(|problem| panic!("{problem}\n{text}"));
            assert_eq!(read.value, value, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_good_to_read() {
        let value = json!({
            "apis": [{ "name": "orders", "version": "1.0", "tags": ["a", "b"], "policies": [] }],
            "note": "one\ntwo\n",
        });
        let text = "apis:\n  - name: orders\n    version: \"1.0\"\n    tags:\n      - a\n      - b\n    policies: []\nnote: |\n  one\n  two\n";
        assert_eq!(write(&value), text);
    }
}
