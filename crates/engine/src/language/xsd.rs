//! XML against an XML Schema, with the parser and the limits of `xml`.

use std::{fmt, fs, path::Path};

use model::Diagnostic;
use tempfile::TempDir;
use uppsala::{Document, Element, NodeId, Parser, XsdValidator};

use super::xml::Xml;

const XML_SCHEMA: &str = "http://www.w3.org/2001/XMLSchema";

/// An XML Schema.
pub struct Xsd(XsdValidator);

impl fmt::Debug for Xsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Xsd")
    }
}

/// A document of a schema, and the name that others include or import it by.
#[derive(Debug, Clone, Copy)]
pub struct XsdDocument<'a> {
    pub name: &'a str,
    pub bytes: &'a [u8],
}

impl Xsd {
    /// Compiles a schema. What it includes and imports is taken from the documents given and from nowhere else; whatever
    /// else needs other documents is refused.
    pub fn compile(schema: XsdDocument<'_>, others: &[XsdDocument<'_>]) -> Result<Self, Diagnostic> {
        let name = beside("", schema.name);
        let mut imports = Imports { open: vec![name.clone()], ..Imports::default() };
        let text = Composition { others, taken: vec![name], imports: &mut imports }.whole(schema)?;
        let document = parse(schema.name, &text)?;
        let folder = imports.folder.as_ref().map(TempDir::path);
        let compiled = XsdValidator::from_schema_with_base_path(&document, folder);
        compiled.map(Self).map_err(|error| wrong(schema.name, &error.to_string()))
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

/// Most documents that a schema imports, each counted as often as it is imported.
const MOST_IMPORTS: usize = 64;

/// Imported documents. They are of other namespaces and stay documents of their own: the library reads them from a folder
/// where nothing else is, by names that are given here.
#[derive(Default)]
struct Imports {
    folder: Option<TempDir>,
    written: usize,
    /// Names of those that are being imported, each by the one before.
    open: Vec<String>,
}

impl Imports {
    /// Writes a document down; returns the name of its file.
    fn write(&mut self, text: &str) -> Result<String, String> {
        self.written += 1;
        if self.written > MOST_IMPORTS {
            return Err(format!("found more than {MOST_IMPORTS} imports"));
        }
        let failed = |error: std::io::Error| format!("what it imports cannot be put aside: {error}");
        if self.folder.is_none() {
            self.folder = Some(TempDir::new().map_err(failed)?);
        }
        // A name of its own each time: the library reads a file once, and what imports it again would go without.
        let name = format!("{}.xsd", self.written);
        let folder = self.folder.as_ref().map_or(Path::new(""), TempDir::path);
        fs::write(folder.join(&name), text).map_err(failed)?;
        Ok(name)
    }
}

/// What an element of a schema asks for.
enum Asked<'a> {
    /// Nothing: it is part of the schema itself.
    Nothing,
    /// What is there already.
    Known,
    Include(XsdDocument<'a>),
    /// The element that imports what was written down.
    Import(String),
}

/// A schema and what it includes on their way into one document: the library would look for files.
struct Composition<'a, 'i> {
    others: &'a [XsdDocument<'a>],
    /// Names of those that are in it already: each counts once, and circles end.
    taken: Vec<String>,
    imports: &'i mut Imports,
}

impl<'a> Composition<'a, '_> {
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
            let asked = self.asked(schema.name, element, root)?;
            if matches!(asked, Asked::Nothing) {
                continue;
            }
            out.push_str(&text[copied..range.start]);
            copied = range.end;
            match asked {
                Asked::Include(other) => self.components(other, root, &mut out)?,
                Asked::Import(import) => out.push_str(&import),
                Asked::Known | Asked::Nothing => {}
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
            match self.asked(included.name, element, main)? {
                Asked::Include(other) => self.components(other, main, out)?,
                Asked::Import(import) => out.push_str(&import),
                Asked::Known => {}
                Asked::Nothing => declare(source, element, root, out),
            }
        }
        Ok(())
    }

    /// What an element asks for, in a document of the schema whose root is `main`.
    fn asked(
        &mut self,
        name: &str,
        element: &Element<'_>,
        main: &Element<'_>,
    ) -> Result<Asked<'a>, Diagnostic> {
        let asks = &*element.name.local_name;
        if !is_of_schemas(element) || !["include", "import", "redefine", "override"].contains(&asks) {
            return Ok(Asked::Nothing);
        }
        if !["include", "import"].contains(&asks) {
            return Err(wrong(name, &format!("found `{asks}`, which is not supported"))
                .help("a schema may `include` and `import` documents that the policy names"));
        }
        let Some(location) = element.get_attribute("schemaLocation") else {
            return Err(wrong(name, &format!("found `{asks}` without `schemaLocation`")));
        };
        let wanted = beside(name, location);
        if asks == "include" && self.taken.contains(&wanted) {
            return Ok(Asked::Known);
        }
        let Some(found) = self.others.iter().find(|document| beside("", document.name) == wanted) else {
            return Err(wrong(
                name,
                &format!("found `{asks}` of `{wanted}`, which the policy does not name"),
            )
            .help("nothing else is read: add the file to `xmlIncludes` of the policy"));
        };
        if asks == "import" {
            return self.import(name, wanted, *found, element, main).map(Asked::Import);
        }
        self.taken.push(wanted);
        Ok(Asked::Include(*found))
    }

    /// Writes an imported document down, with what it includes; returns the element that imports it.
    fn import(
        &mut self,
        name: &str,
        wanted: String,
        found: XsdDocument<'a>,
        element: &Element<'_>,
        main: &Element<'_>,
    ) -> Result<String, Diagnostic> {
        if self.imports.open.contains(&wanted) {
            let problem = format!("found `import` of `{wanted}`, which imports this one");
            return Err(wrong(name, &problem).help("imports in a circle are not supported"));
        }
        let namespace = {
            let document = parse(found.name, text_of(found)?)?;
            root(&document).and_then(|(_, root)| root.get_attribute("targetNamespace").map(str::to_owned))
        };
        if namespace.as_deref() != element.get_attribute("namespace") {
            let problem = format!("found `import` of `{wanted}` with another `namespace` than it has");
            return Err(wrong(name, &problem).help("write its `targetNamespace`, or none where it has none"));
        }
        if namespace.as_deref() == main.get_attribute("targetNamespace") {
            let problem = format!("found `import` of `{wanted}`, which is of the same namespace");
            return Err(wrong(name, &problem).help("write `include`"));
        }
        self.imports.open.push(wanted.clone());
        let others = self.others;
        let mut imported = Composition { others, taken: vec![wanted], imports: &mut *self.imports };
        let text = imported.whole(found)?;
        self.imports.open.pop();
        let file = self.imports.write(&text).map_err(|problem| wrong(name, &problem))?;
        // The prefix is its own, whatever the documents around it call the namespace.
        Ok(format!("<xs:import xmlns:xs=\"{XML_SCHEMA}\" schemaLocation=\"{file}\"/>"))
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

    /// A schema of a namespace, with its local elements in that namespace.
    fn of(namespace: &str, said: &str, inner: &str) -> String {
        format!(
            "<xs:schema xmlns:xs='{XML_SCHEMA}' targetNamespace='{namespace}' xmlns='{namespace}' \
             elementFormDefault='qualified' {said}>{inner}</xs:schema>"
        )
    }

    const MONEY: &str = "<xs:complexType name='money'><xs:sequence><xs:element name='amount' type='xs:decimal'/></xs:sequence>\
        <xs:attribute name='currency' use='required'/></xs:complexType><xs:element name='tip' type='money'/>\
        <xs:attribute name='note' type='xs:int'/><xs:attributeGroup name='notes'><xs:attribute ref='note'/></xs:attributeGroup>";

    #[test]
    fn a_schema_imports_documents_of_other_namespaces() {
        let order = of(
            "urn:o",
            "xmlns:m='urn:m' xmlns:t='urn:t'",
            "<xs:import namespace='urn:m' schemaLocation='../common/money.xsd'/>\
             <xs:import namespace='urn:t' schemaLocation='tax.xsd'/>\
             <xs:element name='order'><xs:complexType><xs:sequence>\
             <xs:element name='price' type='m:money'/><xs:element ref='m:tip' minOccurs='0'/>\
             <xs:element name='tax' type='t:tax'/></xs:sequence><xs:attributeGroup ref='m:notes'/></xs:complexType></xs:element>",
        );
        // It imports the same document, and includes one of its own.
        let tax = of(
            "urn:t",
            "xmlns:money='urn:m'",
            "<xs:include schemaLocation='rate.xsd'/><xs:import namespace='urn:m' schemaLocation='../common/money.xsd'/>\
             <xs:complexType name='tax'><xs:complexContent><xs:extension base='money:money'><xs:sequence>\
             <xs:element name='rate' type='rate'/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>",
        );
        let rate = of(
            "urn:t",
            "",
            "<xs:simpleType name='rate'><xs:restriction base='xs:int'><xs:maxInclusive value='99'/></xs:restriction></xs:simpleType>",
        );
        let money = of("urn:m", "", MONEY);
        let main = document("s/order.xsd", &order);
        let others = [
            document("common/money.xsd", &money),
            document("s/tax.xsd", &tax),
            document("s/rate.xsd", &rate),
        ];
        let compiled = Xsd::compile(main, &others).unwrap();
        let price = "<price currency='EUR'><m:amount>1.5</m:amount></price>";
        let tax_of =
            |amount: &str, rate: &str| format!("<tax currency='EUR'>{amount}<t:rate>{rate}</t:rate></tax>");
        let tax_is = tax_of("<m:amount>1</m:amount>", "19");
        for (attributes, inner, valid) in [
            ("", format!("{price}{tax_is}"), true),
            (
                "m:note='7'",
                format!("{price}<m:tip currency='EUR'><m:amount>1</m:amount></m:tip>{tax_is}"),
                true,
            ),
            ("m:note='x'", format!("{price}{tax_is}"), false),
            ("note='7'", format!("{price}{tax_is}"), false),
            ("", format!("{price}<tip currency='EUR'><m:amount>1</m:amount></tip>{tax_is}"), false),
            ("", format!("<price currency='EUR'><amount>1.5</amount></price>{tax_is}"), false),
            ("", format!("<price currency='EUR'><m:amount>x</m:amount></price>{tax_is}"), false),
            ("", format!("<price><m:amount>1.5</m:amount></price>{tax_is}"), false),
            ("", format!("{price}{}", tax_of("<m:amount>1</m:amount>", "100")), false),
            ("", format!("{price}{}", tax_of("", "19")), false),
            ("", price.to_owned(), false),
        ] {
            let text =
                format!("<order xmlns='urn:o' xmlns:m='urn:m' xmlns:t='urn:t' {attributes}>{inner}</order>");
            let xml = Xml::parse(text.as_bytes()).unwrap();
            assert_eq!(compiled.is_valid(&xml), valid, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_imported_is_refused_with_the_document_that_says_so() {
        let import = |namespace: &str, location: &str| {
            format!("<xs:import namespace='{namespace}' schemaLocation='{location}'/>")
        };
        let main = of("urn:o", "", &import("urn:m", "m.xsd"));
        for (other, said) in [
            (of("urn:x", "", ""), "in `o.xsd`, found `import` of `m.xsd` with another `namespace`"),
            (
                of("urn:m", "", &import("urn:o", "o.xsd")),
                "in `m.xsd`, found `import` of `o.xsd`, which imports",
            ),
            (
                of("urn:m", "", &import("urn:n", "n.xsd")),
                "in `m.xsd`, found `import` of `n.xsd`, which the policy",
            ),
            (
                of("urn:m", "", &import("urn:m", "same.xsd")),
                "in `m.xsd`, found `import` of `same.xsd`, which is of",
            ),
            ("<a/>".to_owned(), "in `m.xsd`, expected `schema`"),
            ("<a".to_owned(), "in `m.xsd`, "),
        ] {
            let same = of("urn:m", "", "");
            let others = [document("o.xsd", &main), document("m.xsd", &other), document("same.xsd", &same)];
            let problem =
                Xsd::compile(document("o.xsd", &main), &others).expect_err("not as a whole").to_string();
            assert!(problem.contains(said), "{problem}");
        }
        // Ten documents that import the next one twice would become a thousand.
        let texts: Vec<String> = (0..10)
            .map(|n| {
                let next = import(&format!("urn:{}", n + 1), &format!("{}.xsd", n + 1));
                of(&format!("urn:{n}"), "", &if n < 9 { next.repeat(2) } else { String::new() })
            })
            .collect();
        let names: Vec<String> = (0..10).map(|n| format!("{n}.xsd")).collect();
        let all: Vec<_> = names.iter().zip(&texts).map(|(name, text)| document(name, text)).collect();
        let problem = Xsd::compile(all[0], &all).expect_err("too many").to_string();
        assert!(problem.contains("more than 64 imports"), "{problem}");
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
            (with("<xs:import namespace='urn:x'/>"), "`import` without `schemaLocation`"),
            (with("<xs:redefine schemaLocation='b.xsd'/>"), "`redefine`, which is not supported"),
            (
                with("<xs:import namespace='urn:x' schemaLocation='/etc/passwd'/>"),
                "`/etc/passwd`, which the policy does not name",
            ),
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
