//! XML against an XML Schema, with the parser and the limits of `xml`.

use std::fmt;

use model::Diagnostic;
use uppsala::{NodeKind, Parser, XsdValidator};

use super::xml::Xml;

const XML_SCHEMA: &str = "http://www.w3.org/2001/XMLSchema";

/// An XML Schema in one document.
pub struct Xsd(XsdValidator);

impl fmt::Debug for Xsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Xsd")
    }
}

impl Xsd {
    /// Compiles a schema. What is in other documents is not found, so that a schema that needs them is refused.
    pub fn compile(bytes: &[u8]) -> Result<Self, Diagnostic> {
        let wrong = |problem: String| {
            Diagnostic::error("", format!("found no XML Schema that can be used: {problem}"))
        };
        let text = std::str::from_utf8(bytes).map_err(|_| wrong("it is not in UTF-8".to_owned()))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let document =
            Parser::new().with_forbid_dtd(true).parse(text).map_err(|error| wrong(error.to_string()))?;
        let root = document.document_element();
        let root = root.filter(|root| {
            let is_schema = |name: &uppsala::QName<'_>| {
                &*name.local_name == "schema" && name.namespace_uri.as_deref() == Some(XML_SCHEMA)
            };
            document.element(*root).is_some_and(|element| is_schema(&element.name))
        });
        let Some(root) = root else { return Err(wrong(format!("expected `schema` of {XML_SCHEMA}"))) };
        for child in document.children(root) {
            if let Some(NodeKind::Element(element)) = document.node_kind(child)
                && ["include", "import", "redefine", "override"].contains(&&*element.name.local_name)
            {
                let found = format!("it has `{}`, which is not followed", element.name.local_name);
                return Err(wrong(found).help("write everything into one file"));
            }
        }
        XsdValidator::from_schema(&document).map(Self).map_err(|error| wrong(error.to_string()))
    }

    /// Whether a document is valid. What is wrong with it is not told: the messages repeat what is in it.
    pub fn is_valid(&self, xml: &Xml) -> bool {
        self.0.validate(xml.document()).is_empty()
    }
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

    #[test]
    fn documents_are_compared_with_their_schema() {
        let schema = Xsd::compile(ORDER.as_bytes()).unwrap();
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
        let schema = Xsd::compile(ORDER.as_bytes()).unwrap();
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
    fn what_is_no_schema_in_one_document_is_refused() {
        let with = |inner: &str| format!("<xs:schema xmlns:xs='{XML_SCHEMA}'>{inner}</xs:schema>");
        for (text, said) in [
            ("<a".to_owned(), "found no XML Schema"),
            ("<schema/>".to_owned(), "expected `schema`"),
            (with("<xs:import namespace='urn:x'/>"), "`import`, which is not followed"),
            (with("<xs:include schemaLocation='/etc/passwd'/>"), "`include`, which is not followed"),
            (format!("<!DOCTYPE a [<!ENTITY b 'c'>]>{}", with("")), "found no XML Schema"),
        ] {
            let problem = Xsd::compile(text.as_bytes()).expect_err("it is no schema").to_string();
            assert!(problem.contains(said), "{text}: {problem}");
        }
    }
}
