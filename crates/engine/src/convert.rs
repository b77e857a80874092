//! XML and JSON into each other, by one convention that loses as little as possible:
//!
//! - an attribute is a key that starts with `@`;
//! - the text of an element without attributes and children is its value, else it is the key `#text`;
//! - elements of the same name beside each other are a list;
//! - namespaces stay what they are in the text: prefixes, and `@xmlns` attributes.
//!
//! Comments and processing instructions are left out, document types are refused. Content types and headers are left
//! to the policies.

use std::{fmt, str::FromStr};

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};
use serde_json::{Map, Number, Value};

mod xml;

pub use xml::json_to_xml;

/// Deepest nesting, of elements as of values.
pub const MAX_DEPTH: usize = 128;
/// Most elements of a document. A value takes some hundred bytes where an element takes four.
const MAX_ELEMENTS: usize = 500_000;
/// Most attributes of an element; whether two are the same costs the square.
const MAX_ATTRIBUTES: usize = 256;

/// Why something cannot be converted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConvertError {
    NotXml(String),
    NotUtf8,
    DocumentType,
    TooDeep,
    TooManyElements,
    TooManyAttributes,
    /// The XML would be larger than it may be.
    TooLarge,
}

impl fmt::Display for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotXml(problem) => write!(f, "expected well-formed XML, found {problem}"),
            Self::NotUtf8 => f.write_str("expected UTF-8 text, found another encoding"),
            Self::DocumentType => f.write_str("expected XML without a document type, found one"),
            Self::TooDeep => write!(f, "expected a nesting of at most {MAX_DEPTH}, found more"),
            Self::TooManyElements => write!(f, "expected at most {MAX_ELEMENTS} elements, found more"),
            Self::TooManyAttributes => {
                write!(f, "expected at most {MAX_ATTRIBUTES} attributes of an element, found more")
            }
            Self::TooLarge => f.write_str("the XML would be larger than it may be"),
        }
    }
}

impl std::error::Error for ConvertError {}

/// XML as JSON: an object with the root element. `keep_string`: all texts stay texts; else those that are written like
/// numbers, truth values and `null` become that, and empty elements become null.
pub fn xml_to_json(bytes: &[u8], keep_string: bool) -> Result<Value, ConvertError> {
    let text = std::str::from_utf8(bytes).map_err(|_| ConvertError::NotUtf8)?;
    let mut reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    reader.config_mut().expand_empty_elements = true;
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let mut elements = 0;
    loop {
        match reader.read_event().map_err(not_xml)? {
            Event::Start(start) => {
                elements += 1;
                if open.len() >= MAX_DEPTH {
                    return Err(ConvertError::TooDeep);
                }
                if elements > MAX_ELEMENTS {
                    return Err(ConvertError::TooManyElements);
                }
                if root.is_some() {
                    return Err(ConvertError::NotXml("a second root element".to_owned()));
                }
                open.push(Element::open(&start, keep_string)?);
            }
            Event::End(_) => {
                let Some(element) = open.pop() else { continue };
                let (name, value) = element.close(keep_string);
                match open.last_mut() {
                    Some(parent) => parent.add(name, value),
                    None => root = Some(Map::from_iter([(name, value)])),
                }
            }
            Event::Text(text) => add_text(&mut open, &text.xml10_content())?,
            Event::CData(text) => add_text(&mut open, &text.xml10_content())?,
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().map_err(not_xml)?;
                let character = character.or_else(|| predefined(&reference)).ok_or_else(|| {
                    ConvertError::NotXml("a reference to an entity that is not defined".to_owned())
                })?;
                add_text(&mut open, character.encode_utf8(&mut [0; 4]))?;
            }
            Event::Decl(declaration) => {
                // What is no ASCII would be read wrongly.
                let foreign = declaration.encoding().is_some_and(|encoding| {
                    encoding.is_ok_and(|name| {
                        !name.eq_ignore_ascii_case("utf-8") && !name.eq_ignore_ascii_case("us-ascii")
                    })
                });
                if foreign && !text.is_ascii() {
                    return Err(ConvertError::NotUtf8);
                }
            }
            Event::DocType(_) => return Err(ConvertError::DocumentType),
            Event::Comment(_) | Event::PI(_) | Event::Empty(_) => {}
            Event::Eof => break,
        }
    }
    match (root, open.pop()) {
        (_, Some(_)) => Err(ConvertError::NotXml("an element that does not end".to_owned())),
        (None, None) => Err(ConvertError::NotXml("no element at all".to_owned())),
        (Some(root), None) => Ok(Value::Object(root)),
    }
}

/// An element that is being read.
struct Element {
    name: String,
    content: Map<String, Value>,
    text: String,
    children: bool,
}

impl Element {
    fn open(start: &BytesStart<'_>, keep_string: bool) -> Result<Self, ConvertError> {
        let mut content = Map::new();
        for (count, attribute) in start.attributes().enumerate() {
            if count >= MAX_ATTRIBUTES {
                return Err(ConvertError::TooManyAttributes);
            }
            let attribute = attribute.map_err(|error| ConvertError::NotXml(error.to_string()))?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(not_xml)?;
            content.insert(format!("@{}", attribute.key.as_ref()), scalar(value.into_owned(), keep_string));
        }
        let name = start.name().as_ref().to_owned();
        Ok(Self { name, content, text: String::new(), children: false })
    }

    fn add(&mut self, name: String, value: Value) {
        self.children = true;
        match self.content.get_mut(&name) {
            None => drop(self.content.insert(name, value)),
            // What an element becomes is never a list, so a list is one of siblings.
            Some(Value::Array(siblings)) => siblings.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }

    fn close(mut self, keep_string: bool) -> (String, Value) {
        let blank = self.text.bytes().all(|byte| byte.is_ascii_whitespace());
        let value = if self.content.is_empty() {
            scalar(self.text, keep_string)
        } else {
            // Between children, white space is layout.
            if !(self.text.is_empty() || blank && self.children) {
                self.content.insert("#text".to_owned(), scalar(self.text, keep_string));
            }
            Value::Object(self.content)
        };
        (self.name, value)
    }
}

fn add_text(open: &mut [Element], text: &str) -> Result<(), ConvertError> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.bytes().all(|byte| byte.is_ascii_whitespace()) => {}
        None => return Err(ConvertError::NotXml("text outside of the root element".to_owned())),
    }
    Ok(())
}

fn predefined(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return None,
    })
}

/// A text, or what it is written like. Numbers that would not come out as they are stay texts.
fn scalar(text: String, keep_string: bool) -> Value {
    if keep_string {
        return Value::String(text);
    }
    let trimmed = text.trim();
    match trimmed {
        "" | "null" => return Value::Null,
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        _ => {}
    }
    let starts_like_one = trimmed.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    let digits = trimmed.bytes().filter(u8::is_ascii_digit).count();
    let number = (starts_like_one && digits <= 20).then(|| Number::from_str(trimmed).ok()).flatten();
    // A double keeps fifteen digits.
    match number.filter(|number| !number.is_f64() || digits <= 15) {
        Some(number) => Value::Number(number),
        None => Value::String(text),
    }
}

fn not_xml(error: quick_xml::Error) -> ConvertError {
    ConvertError::NotXml(error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn xml_becomes_json() {
        for (xml, expect) in [
            ("<a/>", json!({"a": ""})),
            ("<a>x</a>", json!({"a": "x"})),
            ("<a>1</a>", json!({"a": "1"})),
            ("<a> x &amp; &#x41;<![CDATA[<y>]]> </a>", json!({"a": " x & A<y> "})),
            ("<a n='1'/>", json!({"a": {"@n": "1"}})),
            ("<a n='1'>x</a>", json!({"a": {"@n": "1", "#text": "x"}})),
            ("<a>\n <b>1</b>\n <b>2</b><c/></a>", json!({"a": {"b": ["1", "2"], "c": ""}})),
            ("<a>x<b/>y</a>", json!({"a": {"b": "", "#text": "xy"}})),
            ("<n:a xmlns:n='u'><n:b/></n:a>", json!({"n:a": {"@xmlns:n": "u", "n:b": ""}})),
            ("\u{feff}<?xml version='1.0'?><!-- c --><a/><?p i?>\n", json!({"a": ""})),
            ("<?xml version='1.0' encoding='ISO-8859-1'?><a>x</a>", json!({"a": "x"})),
        ] {
            assert_eq!(xml_to_json(xml.as_bytes(), true), Ok(expect), "{xml}");
        }
    }

    #[test]
    fn texts_become_what_they_are_written_like_when_asked() {
        for (text, expect) in [
            ("1", json!(1)),
            (" -2.5 ", json!(-2.5)),
            ("1e3", json!(1000.0)),
            ("007", json!("007")),
            ("+1", json!("+1")),
            ("1.2.3", json!("1.2.3")),
            ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
            ("18446744073709551616", json!("18446744073709551616")),
            ("0.12345678901234567", json!("0.12345678901234567")),
            ("true", json!(true)),
            ("True", json!("True")),
            ("null", json!(null)),
            ("", json!(null)),
        ] {
            let xml = format!("<a>{text}</a>");
            assert_eq!(xml_to_json(xml.as_bytes(), false), Ok(json!({ "a": expect })), "{text}");
        }
        assert_eq!(xml_to_json(b"<a n='1'/>", false), Ok(json!({"a": {"@n": 1}})));
    }

    #[test]
    fn what_is_no_xml_or_too_much_is_refused() {
        let not_xml = |result: Result<Value, ConvertError>| matches!(result, Err(ConvertError::NotXml(_)));
        for xml in [
            "",
            "x",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<a/>x",
            "<a b=1/>",
            "<a b='1' b='2'/>",
            "<a>&x;</a>",
            "<a>&#0;</a>",
        ] {
            assert!(not_xml(xml_to_json(xml.as_bytes(), true)), "{xml}");
        }
        let bomb = "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>";
        assert_eq!(xml_to_json(bomb.as_bytes(), true), Err(ConvertError::DocumentType));
        assert_eq!(xml_to_json(b"<a>\xff</a>", true), Err(ConvertError::NotUtf8));
        let foreign = "<?xml version='1.0' encoding='latin1'?><a>é</a>";
        assert_eq!(xml_to_json(foreign.as_bytes(), true), Err(ConvertError::NotUtf8));
        let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(xml_to_json(nested(MAX_DEPTH).as_bytes(), true).is_ok());
        assert_eq!(xml_to_json(nested(MAX_DEPTH + 1).as_bytes(), true), Err(ConvertError::TooDeep));
        let many: String = (0..300).map(|n| format!(" a{n}=''")).collect();
        let many = xml_to_json(format!("<a{many}/>").as_bytes(), true);
        assert_eq!(many, Err(ConvertError::TooManyAttributes));
        let wide = format!("<a>{}</a>", "<b/>".repeat(MAX_ELEMENTS));
        assert_eq!(xml_to_json(wide.as_bytes(), true), Err(ConvertError::TooManyElements));
    }
}
