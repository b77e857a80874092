//! JSON into XML. What cannot be in XML is replaced: characters in names by `_`, control characters by U+FFFD.

use serde_json::{Map, Value};

use super::{ConvertError, MAX_DEPTH};

/// Name of the items of a list that has no name of its own.
const ITEM: &str = "item";

/// JSON as XML. An object with one key that can be an element is its own root; everything else gets `root` around it.
/// `limit` is the largest XML in bytes.
pub fn json_to_xml(value: &Value, root: &str, limit: usize) -> Result<String, ConvertError> {
    let mut writer = Writer { xml: String::new(), limit, prefixes: Vec::new() };
    writer.xml.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    match value {
        Value::Object(map) if map.len() == 1 => match map.iter().next() {
            Some((name, only)) if !only.is_array() && !name.starts_with(['@', '#']) => {
                writer.element(name, only, 1)?;
            }
            _ => writer.element(root, value, 1)?,
        },
        Value::Array(items) => {
            writer.open(root, &[])?;
            for item in items {
                writer.element(ITEM, item, 2)?;
            }
            writer.close(root)?;
        }
        other => writer.element(root, other, 1)?,
    }
    Ok(writer.xml)
}

struct Writer {
    xml: String,
    limit: usize,
    /// Namespace prefixes that are declared here. A prefix that is not makes the whole document unreadable.
    prefixes: Vec<String>,
}

impl Writer {
    fn element(&mut self, name: &str, value: &Value, depth: usize) -> Result<(), ConvertError> {
        if depth > MAX_DEPTH {
            return Err(ConvertError::TooDeep);
        }
        let declared = self.prefixes.len();
        match value {
            Value::Object(map) => {
                let prefixes = map.keys().filter_map(|key| key.strip_prefix("@xmlns:"));
                self.prefixes.extend(prefixes.filter(|prefix| is_ncname(prefix)).map(str::to_owned));
                let attributes = self.attributes(map);
                let name = self.name(name);
                self.open(&name, &attributes)?;
                for (key, value) in map {
                    match value {
                        _ if is_attribute(key, value) => {}
                        Value::Array(items) if key != "#text" => {
                            for item in items {
                                self.element(key, item, depth + 1)?;
                            }
                        }
                        Value::Object(_) => self.element(key, value, depth + 1)?,
                        text if key == "#text" => self.text(text)?,
                        other => self.element(key, other, depth + 1)?,
                    }
                }
                self.close(&name)?;
            }
            // A list in a list has no name.
            Value::Array(items) => {
                let name = self.name(name);
                self.open(&name, &[])?;
                for item in items {
                    self.element(ITEM, item, depth + 1)?;
                }
                self.close(&name)?;
            }
            scalar => {
                let name = self.name(name);
                self.open(&name, &[])?;
                self.text(scalar)?;
                self.close(&name)?;
            }
        }
        self.prefixes.truncate(declared);
        Ok(())
    }

    /// Names and texts of the attributes of an element; no two have the same name.
    fn attributes(&self, map: &Map<String, Value>) -> Vec<(String, String)> {
        let mut attributes: Vec<(String, String)> = Vec::new();
        for (key, value) in map.iter().filter(|(key, value)| is_attribute(key, value)) {
            let key = &key[1..];
            let declares = key == "xmlns" || key.strip_prefix("xmlns:").is_some_and(is_ncname);
            let mut name = if declares { key.to_owned() } else { self.name(key) };
            while attributes.iter().any(|(taken, _)| *taken == name) {
                name.push('_');
            }
            attributes.push((name, text_of(value)));
        }
        attributes
    }

    /// The name as it can be an element or an attribute here.
    fn name(&self, name: &str) -> String {
        if let Some((prefix, local)) = name.split_once(':') {
            let known = prefix == "xml" || self.prefixes.iter().any(|declared| declared == prefix);
            if known && is_ncname(local) {
                return name.to_owned();
            }
        }
        let mut valid: String = name.chars().map(|c| if is_name(c) { c } else { '_' }).collect();
        if !valid.starts_with(is_name_start) {
            valid.insert(0, '_');
        }
        valid
    }

    fn open(&mut self, name: &str, attributes: &[(String, String)]) -> Result<(), ConvertError> {
        self.xml.push('<');
        self.xml.push_str(name);
        for (name, value) in attributes {
            self.xml.push(' ');
            self.xml.push_str(name);
            self.xml.push_str("=\"");
            escape(value, true, &mut self.xml);
            self.xml.push('"');
        }
        self.xml.push('>');
        self.check()
    }

    fn close(&mut self, name: &str) -> Result<(), ConvertError> {
        // An element without content, written the short way.
        if self.xml.ends_with('>') && !self.xml.ends_with("/>") {
            let start = self.xml.rfind('<').unwrap_or_default();
            if !self.xml[start..].starts_with("</") && !self.xml[start..].starts_with("<?") {
                self.xml.pop();
                self.xml.push_str("/>");
                return self.check();
            }
        }
        self.xml.push_str("</");
        self.xml.push_str(name);
        self.xml.push('>');
        self.check()
    }

    fn text(&mut self, value: &Value) -> Result<(), ConvertError> {
        escape(&text_of(value), false, &mut self.xml);
        self.check()
    }

    fn check(&self) -> Result<(), ConvertError> {
        if self.xml.len() > self.limit { Err(ConvertError::TooLarge) } else { Ok(()) }
    }
}

fn is_attribute(key: &str, value: &Value) -> bool {
    key.len() > 1 && key.starts_with('@') && !value.is_object() && !value.is_array()
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn escape(text: &str, in_attribute: bool, xml: &mut String) {
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' if in_attribute => xml.push_str("&quot;"),
            // A parser would make a space of the first two, and of the third a line feed.
            '\t' if in_attribute => xml.push_str("&#9;"),
            '\n' if in_attribute => xml.push_str("&#10;"),
            '\r' => xml.push_str("&#13;"),
            '\t' | '\n' => xml.push(c),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => xml.push('\u{fffd}'),
            other => xml.push(other),
        }
    }
}

fn is_ncname(name: &str) -> bool {
    name.starts_with(is_name_start) && name.chars().all(is_name)
}

/// The characters that names start with (XML 1.0, 2.3), without the colon.
fn is_name_start(c: char) -> bool {
    matches!(c, 'A'..='Z' | '_' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
        | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}'
        | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
        | '\u{10000}'..='\u{effff}')
}

fn is_name(c: char) -> bool {
    is_name_start(c)
        || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::xml_to_json, *};

    const LIMIT: usize = 1 << 20;

    fn xml(value: &Value) -> String {
        let xml = json_to_xml(value, "root", LIMIT).unwrap();
        xml.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>").unwrap().to_owned()
    }

    #[test]
    fn json_becomes_xml() {
        for (json, expect) in [
            (json!({"a": "x"}), "<a>x</a>"),
            (json!({"a": 1, "b": null}), "<root><a>1</a><b/></root>"),
            (json!({"a": [1, 2]}), "<root><a>1</a><a>2</a></root>"),
            (json!([1, {"b": true}]), "<root><item>1</item><item><b>true</b></item></root>"),
            (json!([]), "<root/>"),
            (json!({}), "<root/>"),
            (json!("x"), "<root>x</root>"),
            (
                json!({"a": [[1, 2], [3]]}),
                "<root><a><item>1</item><item>2</item></a><a><item>3</item></a></root>",
            ),
            (json!({"a": {"@n": 1, "#text": "x"}}), "<a n=\"1\">x</a>"),
            (json!({"a": {"@n": "x\"<\n"}}), "<a n=\"x&quot;&lt;&#10;\"/>"),
            (json!({"a": "<b>&\u{1}\r"}), "<a>&lt;b&gt;&amp;\u{fffd}&#13;</a>"),
            (json!({"a b": 1, "1c": 2, "": 3}), "<root><a_b>1</a_b><_1c>2</_1c><_>3</_></root>"),
            (json!({"@a b": 1, "@a_b": 2}), "<root a_b=\"1\" a_b_=\"2\"/>"),
            (json!({"@a": [1]}), "<root><_a>1</_a></root>"),
            (json!({"n:a": {"@xmlns:n": "u", "n:b": 1}}), "<n:a xmlns:n=\"u\"><n:b>1</n:b></n:a>"),
            (json!({"n:a": 1}), "<n_a>1</n_a>"),
        ] {
            assert_eq!(xml(&json), expect, "{json}");
        }
    }

    #[test]
    fn what_came_from_xml_goes_back_the_same() {
        for json in [
            json!({"a": ""}),
            json!({"a": {"@n": "1", "b": ["1", {"c": "x>y"}], "#text": "t"}}),
            json!({"s:E": {"@xmlns:s": "u", "s:Body": {"@s:x": "1", "é": "\u{10ffff}a"}}}),
        ] {
            let xml = json_to_xml(&json, "root", LIMIT).unwrap();
            assert_eq!(xml_to_json(xml.as_bytes(), true), Ok(json), "{xml}");
        }
    }

    #[test]
    fn too_deep_and_too_large_is_refused() {
        let nested = |depth: usize| (0..depth).fold(json!(1), |value, _| json!({ "a": value }));
        assert!(json_to_xml(&nested(MAX_DEPTH), "root", LIMIT).is_ok());
        assert_eq!(json_to_xml(&nested(MAX_DEPTH + 1), "root", LIMIT), Err(ConvertError::TooDeep));
        assert_eq!(json_to_xml(&json!("x".repeat(99)), "root", 99), Err(ConvertError::TooLarge));
    }
}
