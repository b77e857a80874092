use std::borrow::Cow;

use super::{super::testing, *};
use crate::{Reason, reason::Rejection};

fn value(text: &str, exchange: &Exchange) -> Option<String> {
    let mut cx = LanguageCx::default();
    cx.namespace("r", "urn:r").alias("backend", "http://b").alias("shadowed", "alias");
    let variable = Variable::compile(text, &mut cx).unwrap_or_else(|problem| panic!("{text}: {problem}"));
    variable.value(exchange).map(Cow::into_owned)
}

#[test]
fn every_variable_has_its_value() {
    let mut exchange = testing::exchange();
    exchange.set_variable("mine", "v1");
    exchange.set_variable("shadowed", "custom");
    exchange.set_variable("empty", "");
    exchange.set_transaction_field("tenant", "t1");
    for (text, expect) in [
        ("${request.headers.X-One}", Some("1")),
        ("request.header.x-oNE", Some("1")),
        ("${request.headers.x-two}", Some("2, 3")),
        ("${request.headers.x-empty}", Some("")),
        ("${request.headers.x-latin}", Some("caf\u{fffd}")),
        ("${request.headers.none}", None),
        ("${request.query.q}", Some("a b")),
        ("${request.query.r}", Some("&x")),
        ("${request.query.none}", None),
        ("${request.path}", Some("/orders/7%20a")),
        ("${request.path.id}", Some("7 a")),
        ("${request.path.orders}", Some("orders")),
        ("${request.path.none}", None),
        ("${request.path.regex[/([a-z]+)/]}", Some("orders")),
        ("${request.path.regex[\\d+]}", Some("7")),
        ("${request.path.regex[zzz]}", None),
        ("${request.httpMethod}", Some("POST")),
        ("${request.payload}", Some(testing::BODY)),
        ("${request.payload.jsonPath[$.items[0].name]}", Some("pen")),
        ("${request.payload.jsonPath[$.items[*].n]}", Some("[2,5]")),
        ("${request.payload.jsonPath[$.note]}", Some("a\"b")),
        ("${request.payload.jsonPath[$.total]}", Some("12.5")),
        ("${request.payload.jsonPath[$.items[?@.n > 3].name]}", Some("ink")),
        ("${request.payload.jsonPath[$.none]}", None),
        ("${request.payload.xpath[//a]}", None),
        ("${request.payload.regex[\"total\":([0-9.]+)]}", Some("12.5")),
        ("${response.statusCode}", Some("404")),
        ("${response.statusMessage}", Some("Not Found")),
        ("${response.headers.X-Answer}", Some("yes")),
        ("${response.payload}", Some("<r xmlns='urn:r'><a t='x'>1</a><a>2</a></r>")),
        ("${response.payload.xpath[//r:a]}", Some("1")),
        ("${response.payload.xpath[//r:a/@t]}", Some("x")),
        ("${response.payload.xpath[count(//r:a)]}", Some("2")),
        ("${response.payload.xpath[//a]}", None),
        ("${response.payload.jsonPath[$]}", None),
        ("${request.authorization.clientId}", Some("c1")),
        ("${request.authorization.userName}", Some("ann")),
        ("${request.authorization.groups}", Some(r#"["ops","a,b"]"#)),
        ("${request.authorization.apiKey}", Some("k")),
        ("${request.authorization.incomingToken}", Some("t.o.k")),
        ("${request.authorization.issuer}", Some("https://idp")),
        ("${request.authorization.audience}", Some("orders")),
        ("${request.authorization.claims.sub}", Some("ann")),
        ("${request.authorization.claims.n}", Some("3")),
        ("${request.authorization.claims.roles}", Some("[\"a\",\"b\"]")),
        ("${request.authorization.claims.realm.level}", Some("2")),
        ("${request.authorization.claims.https://x.y/z}", Some("url")),
        ("${request.authorization.claims.none}", None),
        ("${request.application.id}", Some("mobile")),
        ("${request.application.name}", Some("mobile")),
        ("${request.application.description}", Some("The app")),
        ("${request.application.version}", Some("3")),
        ("${request.application.attributes.team}", Some("red")),
        ("${request.application.attributes.cost.centre}", Some("4711")),
        ("${request.application.attributes.none}", None),
        ("${request.correlationID}", Some("00000000000000010000000000000002")),
        ("${user}", Some("ann")),
        ("${inboundHttpMethod}", Some("POST")),
        ("${routingMethod}", Some("POST")),
        ("${inboundContentType}", Some("application/json")),
        ("${inboundAccept}", Some("text/plain")),
        ("${inboundProtocol}", Some("https")),
        ("${inboundRequestURI}", Some("/shop/orders/7%20a?q=a%20b&r=%26x&q=2")),
        ("${inboundIP}", Some("10.1.2.3")),
        ("${operationName}", Some("placeOrder")),
        ("${nativeEndpoint}", Some("http://orders.internal/v1")),
        ("${apiId}", Some("Orders:2.1")),
        ("${apiName}", Some("Orders")),
        ("${apiVersion}", Some("2.1")),
        ("${date}", Some("2026-07-24")),
        ("${time}", Some("03:04:05")),
        ("${error.code}", Some("upstream_fault")),
        ("${error.message}", Some("The native service answered with an error.")),
        ("${error.origin}", Some("upstream")),
        ("${sys:resource_path}", Some("orders/7%20a")),
        ("${sys:query_string}", Some("q=a%20b&r=%26x&q=2")),
        ("${customTransactionFields.tenant}", Some("t1")),
        ("${customTransactionFields.none}", None),
        ("${mine}", Some("v1")),
        ("${backend}", Some("http://b")),
        ("${shadowed}", Some("custom")),
        ("${empty}", Some("")),
        ("${nothing}", None),
        ("${response[stock].statusCode}", Some("202")),
        ("${response[stock].headers.ETag}", Some("e1")),
        ("${response[stock].payload.jsonPath[$.left]}", Some("3")),
        ("${request[stock].query.sku}", Some("p 1")),
        ("${request[stock].path}", Some("/check")),
        ("${request[stock].httpMethod}", Some("GET")),
        ("${request[stock].payload}", Some("ask")),
        ("${response[other].statusCode}", None),
    ] {
        assert_eq!(value(text, &exchange).as_deref(), expect, "{text}");
    }
    assert!(value("${gatewayHostname}", &exchange).is_some());
}

#[test]
fn errors_name_code_message_and_origin() {
    static BROKEN: Reason = Reason::new("quota", http::StatusCode::TOO_MANY_REQUESTS, "Too much.");
    static SLOW: Reason = Reason::upstream("slow", http::StatusCode::GATEWAY_TIMEOUT, "Slow.");
    static OURS: Reason = Reason::new("bug", http::StatusCode::INTERNAL_SERVER_ERROR, "Bug.");
    let mut exchange = testing::exchange();
    for (reason, code, message, origin) in [
        (&BROKEN, "quota", "Too much.", "client"),
        (&SLOW, "slow", "Slow.", "upstream"),
        (&OURS, "bug", "Bug.", "gateway"),
    ] {
        exchange.refuse(&Rejection::new(reason));
        assert_eq!(value("${error.code}", &exchange).as_deref(), Some(code));
        assert_eq!(value("${error.message}", &exchange).as_deref(), Some(message));
        assert_eq!(value("${error.origin}", &exchange).as_deref(), Some(origin));
    }
}

#[test]
fn what_is_not_there_has_no_value() {
    let (head, ()) = http::Request::get("/").body(()).unwrap().into_parts();
    let full = testing::exchange();
    let bare = Exchange::new(full.id, full.started, full.client.clone(), full.snapshot.clone(), head.into());
    for text in [
        "user",
        "operationName",
        "apiId",
        "nativeEndpoint",
        "error.origin",
        "inboundContentType",
        "request.payload",
        "request.payload.jsonPath[$]",
        "response.payload.xpath[/]",
        "request.query.a",
        "request.path.id",
        "request.application.name",
        "request.application.version",
        "request.application.attributes.team",
        "request.authorization.userName",
        "request.authorization.groups",
        "request.authorization.clientId",
        "request.authorization.claims.sub",
        "response[stock].payload",
        "customTransactionFields.a",
        "mine",
    ] {
        assert_eq!(value(text, &bare), None, "{text}");
    }
    assert_eq!(value("request.path", &bare).as_deref(), Some("/"));
}
