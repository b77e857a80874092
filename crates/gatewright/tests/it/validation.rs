//! Bodies against the definition: what passes goes on as it came, what does not is refused before the upstream.

use testkit::{Api, Config, Gateway, Request, Response, Upstream, Value, api, json, post};

const UPLOADS: &str = "
openapi: 3.0.3
info: {title: Uploads, version: '1'}
paths:
  /uploads:
    post:
      requestBody:
        required: true
        content:
          multipart/form-data:
            encoding: {photo: {contentType: image/png}}
            schema:
              type: object
              required: [title, photo]
              properties:
                title: {type: string, maxLength: 5}
                photo: {type: string, format: binary}
              additionalProperties: false
          text/plain: {schema: {type: string, maxLength: 5}}
      responses: {'200': {description: ok, content: {text/plain: {schema: {type: string, maxLength: 5}}}}}
";

fn checked(api: Api, config: testkit::Value) -> Config {
    let api = api.with("definition", "uploads.yaml").policy("validateSpecification", config);
    Config::from(api).file("uploads.yaml", UPLOADS)
}

/// A form with a title and a photo, and what comes before it.
fn form(preamble: &str, title: &str, photo_type: &str) -> Request {
    let body = format!(
        "{preamble}--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\n{title}\r\n--b\r\nContent-Disposition: \
         form-data; name=\"photo\"; filename=\"p.png\"\r\nContent-Type: {photo_type}\r\n\r\n\u{1}PNG\r\n--b--\r\n"
    );
    post("/shop/uploads", body).header("content-type", "multipart/form-data; boundary=b")
}

fn outcome(response: &Response) -> (u16, String) {
    (response.status(), if response.status() == 200 { String::new() } else { response.reason() })
}

#[tokio::test]
async fn a_form_in_parts_goes_on_as_it_came_when_every_part_is_right() {
    let upstream = Upstream::text("ok").start().await;
    let gw = Gateway::serving(checked(api("/shop", &upstream), json!({}))).await;
    assert_eq!(gw.send(form("", "zebra", "image/png")).await.status(), 200);
    assert!(upstream.seen()[0].body.ends_with(b"\x01PNG\r\n--b--\r\n"));
    let refused = (400, "request_does_not_match".to_owned());
    for (preamble, title, photo_type) in
        [("", "a long title", "image/png"), ("", "zebra", "image/gif"), ("x\r\n", "zebra", "image/png")]
    {
        let response = gw.send(form(preamble, title, photo_type)).await;
        assert_eq!(outcome(&response), refused, "{preamble}{title} {photo_type}");
        assert!(!response.text().contains(title), "what was sent is not told: {}", response.text());
    }
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn texts_are_checked_in_both_directions() {
    let upstream = Upstream::text("a long answer").start().await;
    let gw = Gateway::serving(checked(api("/shop", &upstream), json!({ "response": true }))).await;
    let send = async |text: &str| {
        gw.send(post("/shop/uploads", text.to_owned()).header("content-type", "text/plain")).await
    };
    assert_eq!(outcome(&send("a long text").await), (400, "request_does_not_match".to_owned()));
    assert_eq!(upstream.count(), 0);
    assert_eq!(outcome(&send("short").await), (502, "response_does_not_match".to_owned()));
}

#[tokio::test]
async fn limits_of_forms_are_configured_and_wrong_ones_are_named() {
    let upstream = Upstream::text("ok").start().await;
    let gw = Gateway::serving(checked(api("/shop", &upstream), json!({ "mostParts": 1 }))).await;
    assert_eq!(gw.send(form("", "zebra", "image/png")).await.reason(), "request_does_not_match");
    for (config, path) in [
        (json!({ "mostParts": 0 }), "apis[0].policies[0].config.mostParts"),
        (json!({ "largestPart": "big" }), "apis[0].policies[0].config.largestPart"),
    ] {
        let error = gw.apply(checked(api("/shop", &upstream), config)).await.expect_err("it is wrong");
        assert!(error.to_string().contains(path), "{error}");
    }
}

#[tokio::test]
async fn xml_is_compared_with_a_schema_from_a_file_and_a_changed_file_counts() {
    let schema = |kind: &str| {
        format!(
            "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'><xs:element name='n' type='xs:{kind}'/></xs:schema>"
        )
    };
    let upstream = Upstream::text("ok").start().await;
    let config = json!({ "xmlSchemas": [{ "file": "n.xsd" }] });
    let config = Config::from(api("/shop", &upstream).policy("validateSpecification", config));
    let gw = Gateway::serving(config.file("n.xsd", schema("int"))).await;
    let send =
        async |body: &'static str| gw.send(post("/shop/n", body).header("content-type", "text/xml")).await;
    assert_eq!(outcome(&send("<n>7</n>").await), (200, String::new()));
    assert_eq!(outcome(&send("<n>x</n>").await), (400, "request_does_not_match".to_owned()));
    assert_eq!(upstream.count(), 1);
    gw.write_file("n.xsd", &schema("string"));
    gw.reload().await.expect("the schema is valid");
    assert_eq!(outcome(&send("<n>x</n>").await), (200, String::new()));
    gw.write_file("n.xsd", "<n/>");
    let error = gw.reload().await.expect_err("it is no schema");
    assert!(error.to_string().contains("config.xmlSchemas[0].file"), "{error}");
}

#[tokio::test]
async fn an_xml_schema_imports_another_namespace_from_the_files_that_the_policy_names() {
    let schema = |namespace: &str, inner: &str| {
        format!(
            "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' targetNamespace='{namespace}' xmlns:m='urn:m' \
             elementFormDefault='qualified'>{inner}</xs:schema>"
        )
    };
    let order = schema(
        "urn:o",
        "<xs:import namespace='urn:m' schemaLocation='common/money.xsd'/>\
         <xs:element name='order'><xs:complexType><xs:sequence><xs:element name='price' type='m:money'/>\
         </xs:sequence></xs:complexType></xs:element>",
    );
    let money = schema(
        "urn:m",
        "<xs:complexType name='money'><xs:sequence><xs:element name='amount' type='xs:decimal'/></xs:sequence></xs:complexType>",
    );
    let upstream = Upstream::text("taken").start().await;
    let with = |includes: Value| {
        let schemas = json!({ "xmlSchemas": [{ "file": "order.xsd" }], "xmlIncludes": includes });
        Config::from(api("/a", &upstream).policy("validateSpecification", schemas))
            .file("order.xsd", order.clone())
            .file("money.xsd", money.clone())
    };
    // Nothing but what is named is read, wherever it is.
    let told = Gateway::start(with(json!([]))).await.err().expect("it is not named").to_string();
    assert!(told.contains("`import` of `common/money.xsd`, which the policy does not name"), "{told}");
    let beside = order.replace("common/", "");
    let config = with(json!([{ "file": "money.xsd" }])).file("order.xsd", beside);
    let gw = Gateway::serving(config).await;
    let order = |amount: &str| {
        let body = format!("<o:order xmlns:o='urn:o' xmlns:m='urn:m'><o:price>{amount}</o:price></o:order>");
        post("/a", body).header("content-type", "application/xml")
    };
    assert_eq!(gw.send(order("<m:amount>1.50</m:amount>")).await.status(), 200);
    for wrong in ["<m:amount>much</m:amount>", "<o:amount>1</o:amount>", ""] {
        let answer = gw.send(order(wrong)).await;
        assert_eq!((answer.status(), answer.reason().as_str()), (400, "request_does_not_match"), "{wrong}");
    }
    assert_eq!(upstream.count(), 1);
}
