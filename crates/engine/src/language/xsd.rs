//! XML against an XML Schema, with the parser and the limits of `xml`.

use std::fmt;

use model::Diagnostic;
use uppsala::{Document, Element, NodeId, Parser, XsdValidator};

use super::xml::Xml;

const XML_SCHEMA: &str = "http://www.w3.org/2001/XMLSchema";

/// An XML Schema, of one namespace.
pub struct Xsd(XsdValidator);

impl fmt::Debug for Xsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Xsd")
    }
}

/// A document of a schema, and the name that others include it by.
#[derive(Debug, Clone, Copy)]
pub struct XsdDocument<'a> {
    pub name: &'a str,
    pub bytes: &'a [u8],
}

impl Xsd {
    /// Compiles a schema. What it includes is taken from the documents given and from nowhere else; whatever else needs
    /// other documents is refused.
    pub fn compile(schema: XsdDocument<'_>, included: &[XsdDocument<'_>]) -> Result<Self, Diagnostic> {
        let text = Composition { included, taken: vec![beside("", schema.name)] }.whole(schema)?;
        let document = parse(schema.name, &text)?;
        XsdValidator::from_schema(&document).map(Self).map_err(|error| wrong(schema.name, &error.to_string()))
    }

    /// Whether a document is valid. What is wrong with it is not told: the messages repeat what is in it.
    pub fn is_valid(&self, xml: &Xml) -> bool {
        self.0.validate(xml.document()).is_empty()
    }
}

fn wrong(name: &str, problem: &str) -> Diagnostic {
    Diagnostic::error("", format!("found no XML Schema that can be used: in `{name}`, {problem}"))
}

fn text_of<'a>(document: XsdDocument<'a>) -> Result<&'a str, Diagnostic> {
    let text = std::str::from_utf8(document.bytes).map_err(|_| wrong(document.name, "found no UTF-8"))?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

fn parse<'a>(name: &str, text: &'a str) -> Result<Document<'a>, Diagnostic> {
    let document = Parser::new().with_forbid_dtd(true).parse(text);
    let document = document.map_err(|error| wrong(name, &error.to_string()))?;
    if root(&document).is_none_or(|(_, root)| !is_of_schemas(root) || &*root.name.local_name != "schema") {
        return Err(wrong(name, &format!("expected `schema` of {XML_SCHEMA}")));
    }
    Ok(document)
}

fn root<'d, 'a>(document: &'d Document<'a>) -> Option<(NodeId, &'d Element<'a>)> {
    let root = document.document_element()?;
    Some((root, document.element(root)?))
}

fn is_of_schemas(element: &Element<'_>) -> bool {
    element.name.namespace_uri.as_deref() == Some(XML_SCHEMA)
}

/// What the element `schema` says about everything in it. What is included has to say the same, since it is put into one
/// document with the rest.
const SAID_FOR_ALL: [&str; 5] =
    ["targetNamespace", "elementFormDefault", "attributeFormDefault", "blockDefault", "finalDefault"];

/// A schema and what it includes on their way into one document: the library would look for files.
struct Composition<'a> {
    included: &'a [XsdDocument<'a>],
    /// Names of those that are in it already: each counts once, and circles end.
    taken: Vec<String>,
}

impl<'a> Composition<'a> {
    /// The schema as it is, with what it includes where it says so.
    fn whole(&mut self, schema: XsdDocument<'_>) -> Result<String, Diagnostic> {
        let text = text_of(schema)?;
        let document = parse(schema.name, text)?;
        let Some((node, root)) = root(&document) else { return Ok(text.to_owned()) };
        let mut out = String::with_capacity(text.len());
        let mut copied = 0;
        for child in document.children(node) {
            let (Some(element), Some(range)) = (document.element(child), document.node_range(child)) else {
                continue;
            };
            if let Some(other) = self.other(schema.name, element)? {
                out.push_str(&text[copied..range.start]);
                copied = range.end;
                if let Some(other) = other {
                    self.components(other, root, &mut out)?;
                }
            }
        }
        out.push_str(&text[copied..]);
        Ok(out)
    }

    /// What a document declares, each with the prefixes that it knows there.
    fn components(
        &mut self,
        included: XsdDocument<'_>,
        main: &Element<'_>,
        out: &mut String,
    ) -> Result<(), Diagnostic> {
        let document = parse(included.name, text_of(included)?)?;
        let Some((node, root)) = root(&document) else { return Ok(()) };
        for name in SAID_FOR_ALL {
            if root.get_attribute(name) != main.get_attribute(name) {
                let problem = format!("found another `{name}` than in the document that includes it");
                return Err(wrong(included.name, &problem)
                    .help("write the same in both; a document of another namespace cannot be used"));
            }
        }
        for child in document.children(node) {
            let (Some(element), Some(source)) = (document.element(child), document.node_source(child)) else {
                continue;
            };
            match self.other(included.name, element)? {
                Some(Some(other)) => self.components(other, main, out)?,
                Some(None) => {}
                None => declare(source, element, root, out),
            }
        }
        Ok(())
    }

    /// The document that an element asks for; `Some(None)` when it is there already.
    fn other(
        &mut self,
        name: &str,
        element: &Element<'_>,
    ) -> Result<Option<Option<XsdDocument<'a>>>, Diagnostic> {
        let asks = &*element.name.local_name;
        if !is_of_schemas(element) || !["include", "import", "redefine", "override"].contains(&asks) {
            return Ok(None);
        }
        if asks != "include" {
            return Err(wrong(name, &format!("found `{asks}`, which is not supported"))
                .help("a schema has one namespace, and may `include` documents that the policy names"));
        }
        let Some(location) = element.get_attribute("schemaLocation") else {
            return Err(wrong(name, "found `include` without `schemaLocation`"));
        };
        let wanted = beside(name, location);
        if self.taken.contains(&wanted) {
            return Ok(Some(None));
        }
        let Some(found) = self.included.iter().find(|document| beside("", document.name) == wanted) else {
            return Err(wrong(
                name,
                &format!("found `include` of `{wanted}`, which the policy does not name"),
            )
            .help("nothing else is read: add the file to `xmlIncludes` of the policy"));
        };
        self.taken.push(wanted);
        Ok(Some(Some(*found)))
    }
}

/// Where a location leads to, seen from a document: both are paths, and nothing is looked up.
fn beside(name: &str, location: &str) -> String {
    let folder =
        if location.starts_with('/') { "" } else { name.rsplit_once('/').map_or("", |(folder, _)| folder) };
    let mut path: Vec<&str> = Vec::new();
    for segment in folder.split('/').chain(location.split('/')) {
        match segment {
            "" | "." => {}
            ".." if path.last().is_some_and(|last| *last != "..") => drop(path.pop()),
            segment => path.push(segment),
        }
    }
    let rooted = location.starts_with('/') || folder.starts_with('/');
    format!("{}{}", if rooted { "/" } else { "" }, path.join("/"))
}

/// Writes an element of a document whose root declares prefixes, so that it means the same elsewhere.
fn declare(source: &str, element: &Element<'_>, root: &Element<'_>, out: &mut String) {
    let name = source.find(|c: char| c.is_ascii_whitespace() || c == '>' || c == '/').unwrap_or(source.len());
    out.push_str(&source[..name]);
    let of_root = root.namespace_declarations.iter().map(|(prefix, uri)| (&**prefix, &**uri));
    // Nothing of the document around it counts here.
    let none = of_root.clone().all(|(prefix, _)| !prefix.is_empty()).then_some(("", ""));
    for (prefix, uri) in of_root.chain(none) {
        if element.namespace_declarations.iter().any(|(own, _)| own == prefix) {
            continue;
        }
        let colon = if prefix.is_empty() { "" } else { ":" };
        let uri = uri.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        out.push_str(&format!(" xmlns{colon}{prefix}=\"{uri}\""));
    }
    out.push_str(&source[name..]);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:o" elementFormDefault="qualified">
      <xs:element name="order"><xs:complexType>
        <xs:sequence>
          <xs:element name="item" maxOccurs="unbounded"><xs:simpleType><xs:restriction base="xs:string"><xs:pattern value="(a+)+b"/></xs:restriction></xs:simpleType></xs:element>
          <xs:element name="count" type="xs:positiveInteger" minOccurs="0"/>
        </xs:sequence>
        <xs:attribute name="id" type="xs:int" use="required"/>
      </xs:complexType></xs:element>
    </xs:schema>"#;

    fn document<'a>(name: &'a str, text: &'a str) -> XsdDocument<'a> {
        XsdDocument { name, bytes: text.as_bytes() }
    }

    fn one(text: &str) -> Result<Xsd, Diagnostic> {
        Xsd::compile(document("a.xsd", text), &[])
    }

    #[test]
    fn documents_are_compared_with_their_schema() {
        let schema = one(ORDER).unwrap();
        let order = |id: &str, inner: &str| format!("<o:order xmlns:o='urn:o' {id}>{inner}</o:order>");
        for (document, valid) in [
            (order("id='1'", "<o:item>ab</o:item>"), true),
            (order("id='1'", "<o:item>ab</o:item><o:item>aab</o:item><o:count>2</o:count>"), true),
            (order("id='x'", "<o:item>ab</o:item>"), false),
            (order("", "<o:item>ab</o:item>"), false),
            (order("id='1'", ""), false),
            (order("id='1'", "<item>ab</item>"), false),
            (order("id='1'", "<o:item>x</o:item>"), false),
            (order("id='1'", "<o:item>ab</o:item><o:count>0</o:count>"), false),
            (order("id='1'", "<o:count>1</o:count><o:item>ab</o:item>"), false),
            (order("id='1'", "<o:item>ab</o:item><o:other/>"), false),
            (order("id='1'", "<o:item>ab</o:item>text"), false),
            ("<order id='1'><item>ab</item></order>".to_owned(), false),
            ("<other/>".to_owned(), false),
        ] {
            let xml = Xml::parse(document.as_bytes()).unwrap();
            assert_eq!(schema.is_valid(&xml), valid, "{document}");
        }
    }

    #[test]
    fn hostile_documents_take_no_longer_than_their_length_allows() {
        let schema = one(ORDER).unwrap();
        let items = "<o:item>ab</o:item>".repeat(20_000);
        // Whoever looks for the line of each mistake in the text looks at all of the text each time.
        let wrong = "<o:item>x</o:item>".repeat(20_000);
        let evil = format!("<o:item>{}</o:item>", "a".repeat(20_000));
        let start = std::time::Instant::now();
        for inner in [items + "<o:x/>", wrong, evil] {
            let xml =
                Xml::parse(format!("<o:order xmlns:o='urn:o' id='1'>{inner}</o:order>").as_bytes()).unwrap();
            assert!(!schema.is_valid(&xml));
        }
        assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    }

    #[test]
    fn a_schema_includes_documents_that_it_is_given() {
        let schema = |prefix: &str, said: &str, inner: &str| {
            let inner = inner.replace("xs:", &format!("{prefix}:"));
            format!(
                "\u{feff}<?xml version='1.0'?><{prefix}:schema xmlns:{prefix}='{XML_SCHEMA}' {said}>{inner}</{prefix}:schema>"
            )
        };
        let order = schema(
            "xs",
            "targetNamespace='urn:o' xmlns='urn:o' elementFormDefault='qualified'",
            "<xs:include schemaLocation='common/item.xsd'/><xs:include schemaLocation='./common/count.xsd'/>
             <xs:element name='order'><xs:complexType><xs:sequence><xs:element name='item' type='item'/>\
             <xs:element name='count' type='count'/></xs:sequence></xs:complexType></xs:element>",
        );
        // Prefixes of their own, in a circle, one of them twice.
        let item = schema(
            "xsd",
            "targetNamespace='urn:o' xmlns:mine='urn:o' elementFormDefault='qualified'",
            "<xs:include schemaLocation='count.xsd'/><xs:include schemaLocation='../order.xsd'/>
             <xs:complexType name='item'><xs:attribute name='size' type='mine:count'/></xs:complexType>",
        );
        let count = schema(
            "xs",
            "targetNamespace='urn:o' elementFormDefault='qualified'",
            "<xs:simpleType name='count'><xs:restriction base='xs:int'><xs:maxInclusive value='9'/></xs:restriction></xs:simpleType>",
        );
        let main = document("s/order.xsd", &order);
        let others = [document("s/common/item.xsd", &item), document("./s/common/count.xsd", &count)];
        let compiled = Xsd::compile(main, &others).unwrap();
        for (inner, valid) in [
            ("<item size='3'/><count>9</count>", true),
            ("<item size='3'/><count>10</count>", false),
            ("<item size='10'/><count>1</count>", false),
            ("<count>1</count>", false),
        ] {
            let xml = Xml::parse(format!("<order xmlns='urn:o'>{inner}</order>").as_bytes()).unwrap();
            assert_eq!(compiled.is_valid(&xml), valid, "{inner}");
        }

        let refused =
            |others: &[XsdDocument<'_>]| Xsd::compile(main, others).expect_err("not as a whole").to_string();
        let missing = refused(&others[..1]);
        assert!(missing.contains("`include` of `s/common/count.xsd`"), "{missing}");
        let other = count.replace("urn:o", "urn:p");
        let other = refused(&[others[0], document("s/common/count.xsd", &other)]);
        assert!(other.contains("in `s/common/count.xsd`, found another `targetNamespace`"), "{other}");
        let broken = refused(&[others[0], document("s/common/count.xsd", "<a/>")]);
        assert!(broken.contains("in `s/common/count.xsd`, expected `schema`"), "{broken}");
    }

    #[test]
    fn locations_are_paths_and_nothing_is_looked_up() {
        for (name, location, found) in [
            ("a.xsd", "b.xsd", "b.xsd"),
            ("s/a.xsd", "b.xsd", "s/b.xsd"),
            ("s/a.xsd", "../b.xsd", "b.xsd"),
            ("a.xsd", "../b.xsd", "../b.xsd"),
            ("/s/a.xsd", "t/./b.xsd", "/s/t/b.xsd"),
            ("s/a.xsd", "/etc/passwd", "/etc/passwd"),
        ] {
            assert_eq!(beside(name, location), found, "{name} {location}");
        }
    }

    #[test]
    fn what_is_no_schema_in_one_document_is_refused() {
        let with = |inner: &str| format!("<xs:schema xmlns:xs='{XML_SCHEMA}'>{inner}</xs:schema>");
        for (text, said) in [
            ("<a".to_owned(), "found no XML Schema"),
            ("<schema/>".to_owned(), "expected `schema`"),
            (with("<xs:import namespace='urn:x'/>"), "`import`, which is not supported"),
            (
                with("<xs:include schemaLocation='/etc/passwd'/>"),
                "`/etc/passwd`, which the policy does not name",
            ),
            (format!("<!DOCTYPE a [<!ENTITY b 'c'>]>{}", with("")), "found no XML Schema"),
        ] {
            let problem = one(&text).expect_err("it is no schema").to_string();
            assert!(problem.contains(said), "{text}: {problem}");
        }
    }
}
