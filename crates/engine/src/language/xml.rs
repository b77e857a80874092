//! XML bodies: parsed within limits, looked into by XPath, changed in place. What is not changed stays byte for byte.

use std::{borrow::Cow, fmt, ops::Range};

use model::Diagnostic;
use uppsala::{Document, NodeId, NodeKind, Parser, XPathEvaluator, XPathValue};

use super::{Namespaces, escape::Escape, select::Replacement};

/// A tree takes many times the room of its text.
const LARGEST: usize = 8 << 20;
const DEEPEST: u32 = 128;
/// How many nodes an expression may look at. It runs on a worker, and other requests wait for it.
const MOST_VISITS: usize = 250_000;

/// A parsed document, without DTD and entities of its own.
#[derive(Debug, Clone)]
pub struct Xml {
    document: Document<'static>,
}

impl Xml {
    /// `None` for what is not well-formed XML in UTF-8, has a DTD, or is too big or too deep.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > LARGEST {
            return None;
        }
        let text = std::str::from_utf8(bytes).ok()?;
        let parser = Parser::new().with_forbid_dtd(true).with_max_depth(DEEPEST);
        let mut document = parser.parse(text).ok()?.into_static();
        document.prepare_xpath();
        Some(Self { document })
    }

    pub(super) fn document(&self) -> &Document<'static> {
        &self.document
    }

    /// What an expression selects, as texts; `None` when it cannot be evaluated within the limits.
    pub fn texts(&self, path: &XPath) -> Option<Vec<String>> {
        Some(match path.evaluate(&self.document)? {
            XPathValue::NodeSet(nodes) => nodes
                .into_iter()
                .map(|node| XPathValue::NodeSet(vec![node]).to_string_value(&self.document))
                .collect(),
            value => vec![value.to_string_value(&self.document)],
        })
    }

    /// The string value of an expression: of several nodes, that of the first. `None` when there is no node.
    pub fn text(&self, path: &XPath) -> Option<String> {
        let value = path.evaluate(&self.document)?;
        match &value {
            XPathValue::NodeSet(nodes) if nodes.is_empty() => None,
            value => Some(value.to_string_value(&self.document)),
        }
    }

    /// The document with what an expression selects replaced. `Ok(None)` when it selects nothing, `Err` when it
    /// cannot be evaluated within the limits, so that nothing that should be hidden goes on by mistake.
    pub fn replace(
        &self,
        source: &str,
        path: &XPath,
        replacement: &Replacement,
    ) -> Result<Option<String>, NotEvaluated> {
        let XPathValue::NodeSet(nodes) = path.evaluate(&self.document).ok_or(NotEvaluated)? else {
            return Ok(None);
        };
        if nodes.is_empty() {
            return Ok(None);
        }
        let mut edits = Vec::with_capacity(nodes.len());
        for node in nodes {
            edits.extend(self.edit(source, node, replacement).ok_or(NotEvaluated)?);
        }
        // What lies inside something else that is replaced goes with it.
        edits.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let mut out = String::with_capacity(source.len());
        let mut at = 0;
        for (range, text) in edits {
            if range.start < at {
                continue;
            }
            out.push_str(&source[at..range.start]);
            out.push_str(&text);
            at = range.end;
        }
        out.push_str(&source[at..]);
        Ok(Some(out))
    }

    /// The bytes to replace for a node, and by what; nothing for an element without content that is masked.
    fn edit(
        &self,
        source: &str,
        node: NodeId,
        replacement: &Replacement,
    ) -> Option<Option<(Range<usize>, String)>> {
        let text = match replacement {
            Replacement::Mask(mask) => Escape::Xml.apply(Cow::Borrowed(mask)).into_owned(),
            Replacement::Filter => String::new(),
        };
        let masks = matches!(replacement, Replacement::Mask(_));
        match self.document.node_kind(node)? {
            NodeKind::Document => {
                let root = self.document.document_element()?;
                Some(self.content(source, root)?.map(|range| (range, text)))
            }
            NodeKind::Element(_) => {
                // A document without its element would be none.
                if masks || self.document.document_element() == Some(node) {
                    Some(self.content(source, node)?.map(|range| (range, text)))
                } else {
                    Some(Some((self.range(source, node)?, text)))
                }
            }
            NodeKind::Attribute(name, _) => {
                let element = self.range(source, self.document.parent(node)?)?;
                let tag = StartTag::read(source.get(element.clone())?)?;
                let (whole, value) = tag
                    .attributes
                    .into_iter()
                    .find(|(n, ..)| **n == name.prefixed_name())
                    .map(|(_, w, v)| (w, v))?;
                let range = if masks { value } else { whole };
                Some(Some((element.start + range.start..element.start + range.end, text)))
            }
            NodeKind::Text(_) | NodeKind::CData(_) => Some(Some((self.range(source, node)?, text))),
            // A mask says nothing in there.
            NodeKind::Comment(_) | NodeKind::ProcessingInstruction(_) => {
                Some(Some((self.range(source, node)?, String::new())))
            }
        }
    }

    fn range(&self, source: &str, node: NodeId) -> Option<Range<usize>> {
        let range = self.document.node_range(node)?;
        source.get(range.clone()).map(|_| range)
    }

    /// What is between the tags of an element; `None` inside when there is nothing.
    fn content(&self, source: &str, element: NodeId) -> Option<Option<Range<usize>>> {
        let range = self.range(source, element)?;
        let text = &source[range.clone()];
        let tag = StartTag::read(text)?;
        let end = text.rfind("</").filter(|end| *end > tag.end);
        Some(end.map(|end| range.start + tag.end..range.start + end))
    }
}

/// An expression could not be evaluated within the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotEvaluated;

/// A start tag in the source. The document is well-formed, so that only its parts have to be found.
struct StartTag<'s> {
    /// Just behind it.
    end: usize,
    /// Name, the attribute with the blanks before it, and its value.
    attributes: Vec<(&'s str, Range<usize>, Range<usize>)>,
}

impl<'s> StartTag<'s> {
    fn read(source: &'s str) -> Option<Self> {
        let bytes = source.as_bytes();
        let blank = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_whitespace);
        let mut attributes = Vec::new();
        let mut at = source.find(|c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/'))?;
        loop {
            let before = at;
            while blank(at) {
                at += 1;
            }
            match bytes.get(at)? {
                b'>' => return Some(Self { end: at + 1, attributes }),
                b'/' => return Some(Self { end: at + 2, attributes }),
                _ => {}
            }
            let name = &source[at..at + source[at..].find(|c: char| c.is_ascii_whitespace() || c == '=')?];
            at += name.len();
            while blank(at) || bytes.get(at) == Some(&b'=') {
                at += 1;
            }
            let quote = *bytes.get(at)?;
            let length = bytes[at + 1..].iter().position(|byte| *byte == quote)?;
            attributes.push((name, before..at + length + 2, at + 1..at + 1 + length));
            at += length + 2;
        }
    }
}

/// An XPath 1.0 expression, checked when it is compiled.
pub struct XPath {
    text: Box<str>,
    evaluator: XPathEvaluator,
}

impl fmt::Debug for XPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "XPath({})", self.text)
    }
}

impl XPath {
    /// Checks an expression and binds its prefixes.
    pub fn compile(text: &str, namespaces: &Namespaces) -> Result<Self, Diagnostic> {
        let mut evaluator = XPathEvaluator::new().with_max_node_visits(MOST_VISITS);
        for (prefix, uri) in namespaces {
            evaluator.add_namespace(prefix.clone(), uri.clone());
        }
        for prefix in prefixes(text) {
            if !namespaces.contains_key(prefix) && prefix != "xml" {
                return Err(Diagnostic::error(
                    "",
                    format!("found prefix `{prefix}` in the XPath `{text}`, which no namespace is given for"),
                )
                .help(format!("add a namespace for `{prefix}`, or use *[local-name()='…']")));
            }
        }
        let expression = Self { text: text.into(), evaluator };
        let probe = Xml::parse(b"<probe a=''>1</probe>").map(|xml| xml.document).unwrap_or_default();
        match expression.evaluator.evaluate(&probe, probe.root(), text) {
            Ok(_) => Ok(expression),
            Err(error) => Err(Diagnostic::error("", format!("found `{text}`, which is no XPath: {error}"))),
        }
    }

    /// Whether it selects nodes. A text, number or truth value is computed, and is no part of the document.
    pub fn selects_nodes(&self) -> bool {
        let probe = Xml::parse(b"<probe/>").map(|xml| xml.document).unwrap_or_default();
        matches!(self.evaluate(&probe), Some(XPathValue::NodeSet(_)))
    }

    fn evaluate(&self, document: &Document<'_>) -> Option<XPathValue> {
        self.evaluator.evaluate(document, document.root(), &self.text).ok()
    }
}

/// Prefixes of names in an expression, outside of its literals.
fn prefixes(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = None;
    let mut quote = None;
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        match quote {
            Some(open) => {
                if c == open {
                    quote = None;
                }
            }
            None if matches!(c, '"' | '\'') => {
                quote = Some(c);
                start = None;
            }
            None if c == ':' && characters.peek().is_some_and(|(_, next)| *next == ':') => {
                characters.next();
                start = None;
            }
            None if c == ':' => found.extend(start.take().map(|start: usize| &text[start..at])),
            None if c.is_alphanumeric() || matches!(c, '_' | '-' | '.') => {
                start.get_or_insert(at);
            }
            None => start = None,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str = "<?xml version=\"1.0\"?>\r\n<o:order xmlns:o='urn:o'  id = '7' note=\"a>b\"><!-- c -->\n <o:card>4111 &amp; x</o:card><o:card/><o:x><![CDATA[<5>]]></o:x></o:order>\n";

    fn path(text: &str) -> XPath {
        XPath::compile(text, &[("p".to_owned(), "urn:o".to_owned())].into()).unwrap()
    }

    #[test]
    fn expressions_select_texts() {
        let xml = Xml::parse(ORDER.as_bytes()).unwrap();
        for (expression, expect) in [
            ("//p:card", vec!["4111 & x", ""]),
            ("/p:order/@id", vec!["7"]),
            ("//p:x/text()", vec!["<5>"]),
            ("count(//p:card)", vec!["2"]),
            ("//p:card[1] = '4111 & x'", vec!["true"]),
            ("//*[local-name()='x']", vec!["<5>"]),
            ("//none", vec![]),
        ] {
            assert_eq!(xml.texts(&path(expression)).unwrap(), expect, "{expression}");
        }
        assert_eq!(xml.text(&path("//p:card")).as_deref(), Some("4111 & x"));
        assert_eq!(xml.text(&path("//none")), None);
    }

    #[test]
    fn only_what_is_selected_changes() {
        let xml = Xml::parse(ORDER.as_bytes()).unwrap();
        let mask = Replacement::Mask("<*>".into());
        for (expression, replacement, from, to) in [
            ("//p:card", &mask, "4111 &amp; x", "&lt;*&gt;"),
            ("//p:card", &Replacement::Filter, "<o:card>4111 &amp; x</o:card><o:card/>", ""),
            ("/p:order/@id", &mask, "'7'", "'&lt;*&gt;'"),
            ("/p:order/@note", &Replacement::Filter, " note=\"a>b\"", ""),
            ("//p:x/text()", &mask, "<![CDATA[<5>]]>", "&lt;*&gt;"),
            ("//comment()", &mask, "<!-- c -->", ""),
            ("//p:card/text()", &Replacement::Filter, "4111 &amp; x", ""),
        ] {
            let changed = xml.replace(ORDER, &path(expression), replacement).unwrap().unwrap();
            assert_eq!(changed, ORDER.replacen(from, to, 1), "{expression}");
            assert!(Xml::parse(changed.as_bytes()).is_some(), "{changed}");
        }
        assert_eq!(xml.replace(ORDER, &path("//none"), &mask), Ok(None));
        for expression in ["/*", "/", "//*"] {
            let emptied = xml.replace(ORDER, &path(expression), &Replacement::Filter).unwrap().unwrap();
            assert!(emptied.contains("note=\"a>b\"></o:order>"), "{emptied}");
        }
        let nested = "<a><s>1<s>2</s></s></a>";
        let xml = Xml::parse(nested.as_bytes()).unwrap();
        assert_eq!(xml.replace(nested, &path("//s"), &mask).unwrap().unwrap(), "<a><s>&lt;*&gt;</s></a>");
    }

    #[test]
    fn hostile_documents_are_no_xml() {
        for text in [
            "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
            "<!DOCTYPE a><a/>",
            "<a>&undefined;</a>",
            "<a><b></a>",
            "",
            "{}",
        ] {
            assert!(Xml::parse(text.as_bytes()).is_none(), "{text}");
        }
        assert!(Xml::parse(b"<a>\xff</a>").is_none());
        assert!(Xml::parse(&vec![b' '; LARGEST + 1]).is_none());
    }

    #[test]
    fn costly_expressions_end() {
        let many = format!("<a>{}</a>", "<b/>".repeat(3_000));
        let xml = Xml::parse(many.as_bytes()).unwrap();
        let costly = path("//b[count(//b[count(//b) > 1]) > 1]");
        assert_eq!(xml.texts(&costly), None);
        assert_eq!(xml.replace(&many, &costly, &Replacement::Filter), Err(NotEvaluated));
    }

    #[test]
    fn wrong_expressions_are_refused_when_they_are_compiled() {
        for text in ["", "//", "a[", "q:a", "nosuch()", "//a[@q:b='x']", "'a"] {
            assert!(XPath::compile(text, &Namespaces::default()).is_err(), "{text}");
        }
        for text in ["child::a", "'q:a'", "ancestor-or-self::node()", "@xml:lang"] {
            assert!(XPath::compile(text, &Namespaces::default()).is_ok(), "{text}");
        }
    }
}
