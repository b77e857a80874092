//! Masking, through the chain of an API.

use engine::{Exchange, NotMasked, Side};

use crate::testing::{Served, serve, told, try_serve};

fn of(kind: &str, config: &str) -> Served {
    serve("", &format!("[{{type: {kind}, config: {config}}}]"))
}

fn body(payload: Option<&engine::Payload>) -> String {
    String::from_utf8_lossy(payload.unwrap().bytes()).into_owned()
}

/// The body of a request after masking.
fn masked(config: &str, content_type: &str, text: &str) -> Result<String, String> {
    let served = of("requestMasking", config);
    let headers =
        if content_type.is_empty() { String::new() } else { format!("Content-Type: {content_type}") };
    let mut exchange = served.exchange("POST /a", &headers, text);
    served.request(&mut exchange).map_err(|rejection| told(&rejection))?;
    Ok(body(exchange.request_payload.as_ref()))
}

const ALL: &str = "{masks: [{type: jsonPath, expression: $..card}, {type: jsonPath, expression: $.pin, action: filter},
    {type: xpath, expression: '//card/@n', value: '<&\"'}, {type: xpath, expression: '//p:pin', action: filter, namespaces: {p: 'urn:p'}},
    {type: regex, expression: 'card=(\\d+)', value: $1x}]}";

#[test]
fn the_content_type_decides_which_masks_are_looked_at() {
    for (content_type, text, expect) in [
        (
            "application/json",
            r#"{"card":1,"l":[{"card":{"a":2}}],"pin":3}"#,
            r#"{"card":"********","l":[{"card":"********"}]}"#,
        ),
        ("application/hal+json; charset=utf-8", r#"{"card":1}"#, r#"{"card":"********"}"#),
        ("", r#" {"card":1}"#, r#"{"card":"********"}"#),
        (
            "text/xml",
            "<a xmlns:q='urn:p'><card n='1'/><q:pin>2</q:pin></a>",
            "<a xmlns:q='urn:p'><card n='&lt;&amp;&quot;'/></a>",
        ),
        ("", "<card n='1'/>", "<card n='&lt;&amp;&quot;'/>"),
        ("text/plain", "card=1 {\"card\":1}", "card=$1x {\"card\":1}"),
        ("application/x-www-form-urlencoded", "a=1&card=4111", "a=1&card=$1x"),
        ("application/octet-stream", "card=1", "card=1"),
        ("application/json", r#"{ "other":1}"#, r#"{ "other":1}"#),
        ("application/json", "", ""),
    ] {
        if text.is_empty() {
            let served = of("requestMasking", ALL);
            let mut exchange = served.exchange("POST /a", "Content-Type: application/json", "");
            assert!(served.request(&mut exchange).is_ok(), "there is nothing in nothing");
            continue;
        }
        assert_eq!(masked(ALL, content_type, text).as_deref(), Ok(expect), "{content_type} {text}");
    }
}

#[test]
fn what_cannot_be_read_does_not_go_on() {
    for (content_type, text) in [
        ("application/xml", "<card n='1'>"),
        ("application/xml", "<!DOCTYPE a [<!ENTITY e '1'>]><card n='&e;'/>"),
        ("application/xml; charset=utf-16", "\u{feff}<\0c\0"),
        ("application/json", "{\"card\":1"),
        ("application/json", "{\"card\":1}{\"card\":2}"),
        ("", "<card"),
    ] {
        let refused = masked(ALL, content_type, text);
        assert_eq!(refused, Err("400 cannot_mask".to_owned()), "{content_type} {text}");
        let pass = ALL.replacen('{', "{onUnreadable: pass, ", 1);
        assert_eq!(masked(&pass, content_type, text).as_deref(), Ok(text), "{content_type} {text}");
    }
    // Only masks for its kind have to look at a body.
    let json = "{masks: [{type: jsonPath, expression: $.a}]}";
    assert_eq!(masked(json, "application/xml", "<a>").as_deref(), Ok("<a>"));
    let served = of("responseMasking", json);
    let mut exchange = served.exchange("GET /a", "", "");
    let compressed = "Content-Type: application/json\nContent-Encoding: gzip";
    let refused = served.response(&mut exchange, 200, compressed, "{}").unwrap_err();
    assert_eq!(told(&refused), "502 cannot_mask_response");
}

#[test]
fn custom_content_types_are_masked_like_what_they_are() {
    let served =
        try_serve("", "[{type: requestMasking, config: {masks: [{type: jsonPath, expression: $.a}]}}]", "");
    let mut served = served.unwrap_or_else(|problems| panic!("{problems}"));
    let ask = |served: &Served| {
        let mut exchange = served.exchange("POST /a", "Content-Type: application/vnd.own", "{\"a\":1}");
        served.request(&mut exchange).unwrap();
        body(exchange.request_payload.as_ref())
    };
    assert_eq!(ask(&served), "{\"a\":1}");
    let snapshot = std::rc::Rc::get_mut(&mut served.snapshot).and_then(std::sync::Arc::get_mut).unwrap();
    snapshot.settings.content_types.json.push("application/vnd.own".to_owned());
    assert_eq!(ask(&served), "{\"a\":\"********\"}");
}

#[test]
fn faults_are_masked_and_other_responses_are_not() {
    let served = of("faultMasking", "{masks: [{type: jsonPath, expression: $.trace, action: filter}]}");
    let needs = served.snapshot.apis[0].chain(None).needs;
    assert!(needs.error_body && !needs.response_body);
    for (status, expect) in [(200, r#"{"trace":1,"a":2}"#), (404, r#"{"a":2}"#), (500, r#"{"a":2}"#)] {
        let mut exchange = served.exchange("GET /a", "", "");
        let json = "Content-Type: application/json\nDigest: x";
        served.response(&mut exchange, status, json, r#"{"trace":1,"a":2}"#).unwrap();
        assert_eq!(body(exchange.response_payload.as_ref()), expect);
        assert_eq!(
            exchange.response_headers.contains_key("digest"),
            status == 200,
            "it was computed from the body"
        );
    }
}

fn for_log(exchange: &Exchange, side: Side) -> Result<Option<String>, NotMasked> {
    let payload = match side {
        Side::Request => &exchange.request_payload,
        Side::Response => &exchange.response_payload,
    };
    let Some(payload) = payload else { return Ok(None) };
    exchange.mask_for_log(side, payload, true).map(|payload| Some(body(Some(&payload))))
}

#[test]
fn logs_get_masked_copies() {
    for (place, goes_on, logged) in [
        ("payload", r#"{"a":"********"}"#, r#"{"a":"********"}"#),
        ("log", r#"{"a":1}"#, r#"{"a":"********"}"#),
        ("both", r#"{"a":"********"}"#, r#"{"a":"********"}"#),
    ] {
        let config = format!("{{applyTo: {place}, masks: [{{type: jsonPath, expression: $.a}}]}}");
        let served = of("requestMasking", &config);
        let mut exchange = served.exchange("POST /a", "Content-Type: application/json", r#"{"a":1}"#);
        served.request(&mut exchange).unwrap();
        assert_eq!(body(exchange.request_payload.as_ref()), goes_on, "{place}");
        assert_eq!(for_log(&exchange, Side::Request), Ok(Some(logged.to_owned())), "{place}");
        assert_eq!(for_log(&exchange, Side::Response), Ok(None));
    }
    let served = of("responseMasking", "{applyTo: log, masks: [{type: xpath, expression: //a}]}");
    assert!(!served.snapshot.apis[0].chain(None).needs.response_body, "it goes past");
    let mut exchange = served.exchange("GET /a", "", "");
    served.response(&mut exchange, 200, "Content-Type: text/xml", "<a>").unwrap();
    assert_eq!(for_log(&exchange, Side::Response), Err(NotMasked), "nobody knows what is in it");
}

#[test]
fn an_application_has_masks_of_its_own() {
    let policies = "[{type: responseMasking, config: {masks: [{type: jsonPath, expression: $.a}],
        applications: [{names: [back]}, {names: [part, half], masks: [{type: jsonPath, expression: $.b}]}]}}]";
    let served = try_serve("", policies, "").unwrap_or_else(|problems| panic!("{problems}"));
    assert!(
        served.warnings.iter().any(|warning| warning.message.contains("needs an identified application"))
    );
    let mut exchange = served.exchange("GET /a", "", "");
    served.response(&mut exchange, 200, "Content-Type: application/json", r#"{"a":1,"b":2}"#).unwrap();
    assert_eq!(body(exchange.response_payload.as_ref()), r#"{"a":"********","b":2}"#);
}

#[test]
fn wrong_fields_are_told_with_their_path() {
    for (config, path, message) in [
        ("{}", "masks", "found none"),
        ("{masks: [{type: jsonPath, expression: a}]}", "masks[0].expression", "no JSONPath"),
        ("{masks: [{type: xpath, expression: 'string(//a)'}]}", "masks[0].expression", "computes a value"),
        ("{masks: [{type: xpath, expression: //p:a}]}", "masks[0].expression", "prefix `p`"),
        ("{masks: [{type: regex, expression: '('}]}", "masks[0].expression", "no regular expression"),
        ("{masks: [{type: regex, expression: a, action: filter, value: b}]}", "masks[0].value", "taken out"),
        ("{masks: [{type: regex, expression: a, namespaces: {a: b}}]}", "masks[0].namespaces", "XPath"),
        ("{masks: [{type: regexp, expression: a}]}", "masks[0].type", "regexp"),
        ("{applications: [{names: []}]}", "applications[0].names", "found none"),
        ("{applications: [{names: [a]}, {names: [b, a]}]}", "applications[1].names[1]", "second time"),
        (
            "{applications: [{names: [a], masks: [{type: jsonPath, expression: x}]}]}",
            "applications[0].masks[0].expression",
            "no JSONPath",
        ),
    ] {
        let Err(problems) = try_serve("", &format!("[{{type: faultMasking, config: {config}}}]"), "") else {
            panic!("{config}")
        };
        let problem = &problems.0[0];
        assert_eq!(problem.path, format!("apis[0].policies[0].config.{path}"), "{problem}");
        assert!(problem.message.contains(message), "{problem}");
    }
}
