use super::place::Place;
use crate::testing::{Served, serve, told, try_serve};

const DEFINITION: &str = "openapi: 3.0.3
info: {title: T, version: '1'}
paths:
  /subscriptions:
    post:
      operationId: subscribe
      callbacks:
        done: {'{$request.body#/hooks/done}/v1': {post: {responses: {'200': {description: ok}}}}}
        all: {'$request.body#/all': {post: {responses: {'200': {description: ok}}}}}
        failed: {'$request.query.on failed': {post: {responses: {'200': {description: ok}}}}}
        told: {'{$request.header.X-Told}': {post: {responses: {'200': {description: ok}}}}}
        fixed: {'https://fixed.example?id={$request.body#/id}': {post: {responses: {'200': {description: ok}}}}}
      responses: {'202': {description: ok}}
  /other:
    post: {responses: {'202': {description: ok}}}
";

/// Serves an API with the policy, and with settings for callbacks unless `bare`.
fn served(config: &str, bare: bool) -> Served {
    let policies = format!("[{{type: callbackURLReplacer, config: {config}}}]");
    if bare {
        return serve(DEFINITION, &policies);
    }
    crate::testing::try_serve_settings(DEFINITION, &policies, |settings| {
        let secret: model::Secret = serde_json::from_str("\"${env:KEY}\"").unwrap();
        settings.callbacks.url = Some("https://gw.example/callbacks".to_owned());
        settings.callbacks.keys = vec![secret.resolved("01".repeat(32))];
    })
    .unwrap_or_else(|problems| panic!("{problems}"))
}

/// The line of the request, its headers and its body, as they are after the policy; sealed URLs as `*`.
fn after(served: &Served, line: &str, headers: &str, body: &str) -> Result<String, String> {
    let mut exchange = served.exchange(line, headers, body);
    served.request(&mut exchange).map_err(|rejection| told(&rejection))?;
    let body = exchange.request_payload.as_ref().map(|payload| payload.bytes().to_vec()).unwrap_or_default();
    let told: Vec<String> = exchange.headers.get_all("x-told").map(|v| v.to_text().into_owned()).collect();
    let whole = format!("{} {} {}", exchange.uri, told.join(" "), String::from_utf8(body).unwrap());
    Ok(starred(&whole))
}

fn starred(text: &str) -> String {
    let mut parts = text.split("https://gw.example/callbacks/");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let sealed = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
        let (sealed, rest) = part.split_at(sealed.unwrap_or(part.len()));
        assert!(sealed.len() > 60, "{part}");
        out.push('*');
        out.push_str(rest);
    }
    out
}

const JSON: &str = "Content-Type: application/json";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

#[test]
fn urls_are_replaced_wherever_the_definition_says_and_nowhere_else() {
    let served = served("{}", false);
    for (line, headers, body, expect) in [
        (
            "POST /subscriptions",
            JSON,
            r#"{"hooks": {"done": "https://a.example/x"}, "page": "https://a.example/x", "all": null}"#,
            r#"/t/subscriptions  {"hooks":{"done":"*"},"page":"https://a.example/x","all":null}"#,
        ),
        (
            "POST /subscriptions",
            JSON,
            r#"{"all": ["https://a.example", "", "https://b.example"], "hooks": []}"#,
            r#"/t/subscriptions  {"all":["*","","*"],"hooks":[]}"#,
        ),
        (
            "POST /subscriptions?on%20failed=https%3A%2F%2Fa.example&x=1&%6fn+failed=https://b.example&on%20failed",
            "X-Told: https://a.example\nx-told: https://b.example/cb",
            "",
            "/t/subscriptions?on%20failed=*&x=1&%6fn+failed=*&on%20failed * * ",
        ),
        (
            "POST /subscriptions",
            FORM,
            "all=https%3A%2F%2Fa.example&b=1&%61ll=https://b.example",
            "/t/subscriptions  all=*&b=1&%61ll=*",
        ),
        // Of two with one name the last one counts, and the first one is gone.
        (
            "POST /subscriptions",
            JSON,
            r#"{"all": "http://10.0.0.1/", "all": null}"#,
            r#"/t/subscriptions  {"all":null}"#,
        ),
        (
            "POST /other?on%20failed=https://a.example",
            "X-Told: https://a.example",
            r#"{"all": "https://a.example"}"#,
            r#"/t/other?on%20failed=https://a.example https://a.example {"all": "https://a.example"}"#,
        ),
    ] {
        assert_eq!(after(&served, line, headers, body).as_deref(), Ok(expect), "{line} {body}");
    }
    let own = self::served("{urls: [$request.query.to]}", false);
    let found = after(&own, "POST /other?to=https://a.example", "", "");
    assert_eq!(found.as_deref(), Ok("/t/other?to=*  "));
}

#[test]
fn what_may_not_be_called_back_or_cannot_be_read_is_refused() {
    let usual = served("{}", false);
    let narrow =
        served("{allowHttp: true, allowedHosts: ['*.partner.example', 'hooks.example:8443']}", false);
    let json = |url: &str| format!(r#"{{"all": "{url}"}}"#);
    let refused = |problem: &str| Some(format!("400 callback_url_refused; body/all {problem}"));
    let scheme = "it does not begin with https://";
    let host = "its host is not one that may be called back";
    for (served, url, expect) in [
        (&usual, "https://a.example:8443/cb?x", None),
        (&usual, "http://a.example", refused(scheme)),
        (&usual, "https://gw.example/orders", refused("it leads to the gateway itself")),
        (&usual, "https://GW.example:8443", refused("it leads to the gateway itself")),
        (&usual, "https://user@a.example", refused("its host is not a name or an address")),
        (&usual, "https://a.example/#x", refused("it has a fragment")),
        (&usual, "https://a.example/\\r\\nX: y", refused("it has a character that no URL has")),
        (&usual, "ftp://a.example", refused("it does not begin with http:// or https://")),
        (&narrow, "http://a.partner.example", None),
        (&narrow, "https://hooks.example:8443", None),
        (&narrow, "https://hooks.example", refused(host)),
        (&narrow, "https://a.partner.example:22", refused(host)),
        (&narrow, "https://partner.example.evil.example", refused(host)),
    ] {
        let found = after(served, "POST /subscriptions", JSON, &json(url)).err();
        assert_eq!(found, expect, "{url}");
    }
    for (headers, body, expect) in [
        (JSON, "{", "400 callback_body_unreadable"),
        ("Content-Type: application/xml", "<a/>", "400 callback_body_unreadable"),
        ("Content-Type: application/json\nContent-Encoding: gzip", "{}", "400 callback_body_unreadable"),
        (JSON, r#"{"all": 7}"#, "400 callback_url_refused; body/all it is no text, expected a URL"),
        (JSON, r#"{"all": {"a": 1}}"#, "400 callback_url_refused; body/all it is no text, expected a URL"),
    ] {
        let found = after(&usual, "POST /subscriptions", headers, body).err();
        assert_eq!(found.as_deref(), Some(expect), "{headers} {body}");
    }
}

#[test]
fn without_settings_requests_with_a_callback_url_are_refused() {
    let served = served("{}", true);
    let warnings: Vec<String> = served.warnings.iter().map(ToString::to_string).collect();
    assert!(warnings.iter().any(|warning| warning.contains("settings.callbacks.url")), "{warnings:?}");
    assert!(warnings.iter().any(|warning| warning.contains("https://fixed.example?id=")), "{warnings:?}");
    let with = after(&served, "POST /subscriptions", "X-Told: https://a.example", "");
    assert_eq!(with.err().as_deref(), Some("503 callbacks_not_set_up"));
    assert!(after(&served, "POST /subscriptions", "", "").is_ok());
}

#[test]
fn expressions_are_read_as_openapi_writes_them() {
    let body = |pointer: &str| Ok(Place::Body(pointer.into()));
    let query = |name: &str| Ok(Place::Query(name.into()));
    for (text, expect) in [
        ("$request.body#/a/b~1c", body("/a/b~1c")),
        ("{$request.body#/a}/done?x={$request.body#/b}", body("/a")),
        ("$request.body", body("")),
        ("$request.query.a b", query("a b")),
        ("{$request.header.X-Callback}", Ok(Place::Header("x-callback".parse().unwrap()))),
        ("$request.header.a b", Err("expected the name of a header")),
        ("$request.path.id", Err("expected `body#/…`, `query.…` or `header.…` of the request")),
        ("$request.body#a", Err("expected `body#/…`, `query.…` or `header.…` of the request")),
        ("$request.body/a", Err("expected `body#/…`, `query.…` or `header.…` of the request")),
        ("$request.query.", Err("expected `body#/…`, `query.…` or `header.…` of the request")),
        ("{$request.body#/a", Err("expected a `}` at the end of the expression")),
        ("$response.body#/a", Err("expected an expression for a URL, at its beginning")),
        ("https://a.example/{$request.body#/a}", Err("expected an expression for a URL, at its beginning")),
    ] {
        assert_eq!(Place::parse(text), expect, "{text}");
    }
}

#[test]
fn mistakes_are_told_where_they_are() {
    for (config, path, message) in [
        ("{urls: [$request.query.a, $url]}", "urls[1]", "found `$url`"),
        ("{expireAfter: 0s}", "expireAfter", "found 0"),
        ("{allowedHosts: [a.example, 'https://b.example']}", "allowedHosts[1]", "found `https://b.example`"),
    ] {
        let policies = format!("[{{type: callbackURLReplacer, config: {config}}}]");
        let problem = try_serve("", &policies, "").err().unwrap().0.remove(0);
        assert_eq!(problem.path, format!("apis[0].policies[0].config.{path}"), "{config}");
        assert!(problem.message.contains(message), "{problem}");
    }
}
