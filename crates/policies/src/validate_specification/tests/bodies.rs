//! Bodies that are no JSON: forms in parts, texts, XML.

use super::{ORDERS, verdict};
use crate::testing::{Served, serve, try_serve_with};

const UPLOADS: &str = r##"
openapi: 3.0.3
info: {title: Uploads, version: '1'}
paths:
  /uploads:
    post:
      requestBody:
        required: true
        content:
          multipart/form-data:
            encoding: {photo: {contentType: 'image/png, image/jpeg'}}
            schema: {$ref: '#/components/schemas/Upload'}
      responses:
        '200':
          description: ok
          content:
            multipart/form-data: {schema: {$ref: '#/components/schemas/Upload'}}
components:
  schemas:
    Upload:
      type: object
      required: [title, photo]
      properties:
        title: {type: string, minLength: 2}
        count: {type: integer}
        photo: {type: string, format: binary, maxLength: 1}
        pages: {type: array, items: {type: string, format: binary}}
        sizes: {type: array, items: {type: integer}}
        about: {type: object, required: [lang], properties: {lang: {type: string}}}
      additionalProperties: false
"##;

/// A form of parts `name[.file][/content/type]=content`.
fn form_of(parts: &[&str]) -> String {
    let part = |part: &&str| {
        let (head, content) = part.split_once('=').unwrap();
        let (head, media_type) = head.split_once('/').map_or((head, None), |(head, rest)| (head, Some(rest)));
        let (name, file) = head.split_once('.').map_or((head, None), |(name, file)| (name, Some(file)));
        let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
        let media_type = media_type.map(|own| format!("Content-Type: {own}\r\n")).unwrap_or_default();
        format!(
            "--x\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n{media_type}\r\n{content}\r\n"
        )
    };
    format!("{}--x--\r\n", parts.iter().map(part).collect::<String>())
}

#[test]
fn parts_of_a_form_are_the_properties_of_its_schema() {
    let served = serve(UPLOADS, "[{type: validateSpecification, config: {mostParts: 6, largestPart: 100B}}]");
    assert_eq!(served.warnings, []);
    let photo = "photo.a/image/png=\u{fffd}PNG and more than one byte";
    let long = format!("title={}", "a".repeat(101));
    let refused = "400 request_does_not_match; ";
    for (parts, expect) in [
        (&["title=ab", photo][..], "passes"),
        (
            &[
                "title=ab",
                photo,
                "count=3",
                "sizes=1",
                "sizes=2",
                "about/application/json={\"lang\": \"de\"}",
            ],
            "passes",
        ),
        (&["title=ab", photo, "about={\"lang\": \"de\"}", "sizes/application/json=[1, 2]"], "passes"),
        (&["title=ab", photo, "pages.a/application/pdf=%PDF", "pages.b=%PDF"], "passes"),
        (&[photo], "body/title is required"),
        (&["title=ab"], "body/photo is required"),
        (&["title=a", photo], "body/title expected at least 2 characters"),
        (&["title=ab", photo, "count=x"], "body/count expected integer"),
        (&["title=ab", photo, "count=1", "count=2"], "body/count expected one value, found several"),
        (&["title=ab", photo, "sizes=1", "sizes=x"], "body/sizes/1 expected integer"),
        (&["title=ab", photo, "about=de"], "body/about expected JSON"),
        (&["title=ab", photo, "about={}"], "body/about/lang is required"),
        (
            &["title=ab", "photo.a/image/gif=GIF"],
            "body/photo expected the content type image/png, image/jpeg",
        ),
        (&["title=ab", "photo.a=PNG"], "body/photo expected the content type image/png, image/jpeg"),
        (&["title=ab", photo, "secret-name=1"], "body has a property that is not declared"),
        (&["title=ab", photo, "secret-name=1", "secret-name=2"], "body expected one value, found several"),
        (&["sizes=1"; 7], "body has more parts than are allowed"),
        (&[&*long, photo], "body has a part that is longer than allowed"),
    ] {
        let headers = "content-type: multipart/form-data; boundary=x";
        let found = verdict(&served, "POST /uploads", headers, &form_of(parts));
        assert_eq!(found.strip_prefix(refused).unwrap_or(&found), expect, "{parts:?}");
    }
    for headers in ["multipart/form-data", "multipart/form-data; boundary=x; boundary=y"] {
        let found = verdict(
            &served,
            "POST /uploads",
            &format!("content-type: {headers}"),
            &form_of(&["title=ab", photo]),
        );
        assert_eq!(found, format!("{refused}header.content-type expected one boundary that can be read"));
    }
}

#[test]
fn forms_of_responses_and_of_openapi_2_are_checked_too() {
    let served = serve(UPLOADS, "[{type: validateSpecification, config: {response: true}}]");
    for (parts, passes) in [(&["title=ab", "photo.a=x"][..], true), (&["title=ab"], false)] {
        let mut exchange = served.exchange("POST /uploads", "", "");
        let headers = "content-type: multipart/form-data; boundary=x";
        assert_eq!(
            served.response(&mut exchange, 200, headers, &form_of(parts)).is_ok(),
            passes,
            "{parts:?}"
        );
    }
    let old = "swagger: '2.0'\ninfo: {title: T, version: '1'}\npaths:\n  /:\n    post:\n      consumes: [multipart/form-data]\n\
               \x20     parameters:\n      - {name: n, in: formData, required: true, type: integer}\n      - {name: f, in: \
               formData, required: true, type: file}\n      responses: {}\n";
    let served = serve(old, "[{type: validateSpecification}]");
    for (parts, expect) in [
        (&["n=1", "f.a/image/png=x"][..], "passes"),
        (&["n=x", "f.a/image/png=x"], "400 request_does_not_match; body.n expected integer"),
        (&["n=1"], "400 request_does_not_match; body.f is required"),
    ] {
        let headers = "content-type: multipart/form-data; boundary=x";
        assert_eq!(verdict(&served, "POST /", headers, &form_of(parts)), expect, "{parts:?}");
    }
}

#[test]
fn texts_are_compared_with_their_schema() {
    let text = |schema: &str| {
        let definition = format!(
            "openapi: 3.1.0\ninfo: {{title: T, version: '1'}}\npaths:\n  /:\n    post:\n      requestBody: {{content: {{text/plain: \
             {{schema: {{{schema}}}}}}}}}\n      responses: {{}}\n"
        );
        serve(&definition, "[{type: validateSpecification}]")
    };
    let (name, number) = (text("type: string, maxLength: 3"), text("type: integer, minimum: 5"));
    let plain = "content-type: text/plain; charset=UTF-8";
    for (served, headers, body, expect) in [
        (&name, plain, "añb", "passes"),
        (&name, plain, "123", "passes"),
        (&name, plain, "abcd", "400 request_does_not_match; body expected at most 3 characters"),
        (
            &name,
            "content-type: text/plain; charset=utf-16",
            "ab",
            "400 request_does_not_match; body expected UTF-8 text",
        ),
        (&number, plain, "7", "passes"),
        (&number, plain, "4", "400 request_does_not_match; body expected at least 5"),
        (&number, plain, "x", "400 request_does_not_match; body expected integer"),
    ] {
        assert_eq!(verdict(served, "POST /", headers, body), expect, "{headers} {body}");
    }
}

const ORDER_XSD: &str = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'><xs:element name='order'><xs:complexType>\
    <xs:attribute name='id' type='xs:int' use='required'/></xs:complexType></xs:element></xs:schema>";
const FAULT_XSD: &str = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'><xs:element name='fault' type='xs:string'/></xs:schema>";

const SHOP_XSD: &str = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'><xs:include schemaLocation='order.xsd'/></xs:schema>";

fn with_schemas(definition: &str, config: &str) -> Result<Served, model::Diagnostics> {
    let files = [
        ("order.xsd", ORDER_XSD.as_bytes()),
        ("fault.xsd", FAULT_XSD.as_bytes()),
        ("shop.xsd", SHOP_XSD.as_bytes()),
        ("no.xsd", &b"<a/>"[..]),
    ];
    try_serve_with(definition, &format!("[{{type: validateSpecification, config: {config}}}]"), "", &files)
}

#[test]
fn xml_is_compared_with_the_schemas_that_the_policy_names() {
    let config = "{response: true, xmlSchemas: [{file: order.xsd}, {file: fault.xsd, contentType: application/fault+xml}]}";
    let served = with_schemas("", config).unwrap();
    assert_eq!(served.warnings, []);
    let (order, fault) = ("content-type: text/xml; charset=utf-8", "content-type: application/fault+xml");
    let refused = "400 request_does_not_match; body ";
    for (headers, body, expect) in [
        (order, "<order id='7'/>", "passes"),
        (fault, "<fault>x</fault>", "passes"),
        ("", "<order id='7'/>", "passes"),
        ("content-type: application/json", "{}", "passes"),
        ("", "", "passes"),
        (order, "<order id='secret'/>", "does not match the XML Schema"),
        ("", "<order/>", "does not match the XML Schema"),
        (fault, "<order id='7'/>", "does not match the XML Schema"),
        (order, "<order id='7'>", "expected XML in UTF-8 without a DTD"),
        (order, "<!DOCTYPE order [<!ENTITY a 'b'>]><order id='7'/>", "expected XML in UTF-8 without a DTD"),
    ] {
        let found = verdict(&served, "POST /orders", headers, body);
        let found = found.strip_prefix(refused).unwrap_or(&found);
        assert!(found.starts_with(expect) && !found.contains("secret"), "{headers} {body}: {found}");
    }
    let long = format!("<order id='7'>{}</order>", " ".repeat(1 << 20));
    let found = verdict(&served, "POST /orders", order, &long);
    assert_eq!(found, format!("{refused}expected at most 1 MiB of XML"));
    let packed = verdict(&served, "POST /orders", &format!("{order}\ncontent-encoding: gzip"), "x");
    assert!(packed.starts_with("415 "), "{packed}");

    for (status, body, passes) in
        [(200, "<order id='7'/>", true), (200, "<order/>", false), (500, "<order/>", true)]
    {
        let mut exchange = served.exchange("GET /orders", "", "");
        assert_eq!(served.response(&mut exchange, status, order, body).is_ok(), passes, "{status} {body}");
    }
}

#[test]
fn an_xml_schema_includes_files_that_the_policy_names() {
    let served =
        with_schemas("", "{xmlSchemas: [{file: shop.xsd}], xmlIncludes: [{file: order.xsd}]}").unwrap();
    for (body, passes) in [("<order id='7'/>", true), ("<order id='x'/>", false)] {
        let found = verdict(&served, "POST /orders", "content-type: text/xml", body);
        assert_eq!(found == "passes", passes, "{body}: {found}");
    }
}

#[test]
fn xml_schemas_are_for_one_direction_if_wanted_and_come_beside_the_definition() {
    let one =
        with_schemas("", "{response: true, xmlSchemas: [{file: order.xsd, messages: responses}]}").unwrap();
    assert_eq!(verdict(&one, "POST /orders", "content-type: text/xml", "<other/>"), "passes");
    let both = with_schemas(ORDERS, "{contentType: true, xmlSchemas: [{file: order.xsd}]}").unwrap();
    assert!(
        verdict(&both, "PATCH /orders/7", "content-type: text/xml", "<order id='7'/>").starts_with("415 ")
    );
    assert_eq!(
        verdict(&both, "PATCH /orders/7", "content-type: application/json", "{\"item\": \"a\"}"),
        "passes"
    );
    for (config, path) in [
        ("{xmlSchemas: [{file: order.xsd}, {file: no.xsd}]}", "xmlSchemas[1].file"),
        ("{xmlSchemas: [{file: none.xsd}]}", "xmlSchemas[0].file"),
        ("{xmlSchemas: [{file: shop.xsd}]}", "xmlSchemas[0].file"),
        ("{xmlSchemas: [{file: shop.xsd}], xmlIncludes: [{file: none.xsd}]}", "xmlIncludes[0].file"),
        ("{xmlIncludes: [{file: order.xsd}]}", "xmlIncludes"),
        ("{xmlSchemas: [{file: order.xsd, contentType: xml}]}", "xmlSchemas[0].contentType"),
        ("{body: false, xmlSchemas: [{file: order.xsd}]}", "xmlSchemas"),
    ] {
        let problems = with_schemas(ORDERS, config).err().expect(config);
        let path = format!("apis[0].policies[0].config.{path}");
        assert!(problems.0.iter().any(|problem| problem.path == path), "{config}: {problems}");
    }
}
