//! Errors, as clients see them: one shape, in the form that they ask for, with nothing in it that is not theirs.

use testkit::{Gateway, Upstream, api, get, json, post};

#[tokio::test]
async fn an_error_comes_in_the_form_that_the_client_accepts() {
    let gw = Gateway::serving(testkit::Config::new()).await;
    for (accept, kind, part) in [
        (None, "application/problem+json", "\"code\":\"no_such_api\""),
        (Some("*/*"), "application/problem+json", "\"code\":\"no_such_api\""),
        (Some("application/problem+json"), "application/problem+json", "\"code\":\"no_such_api\""),
        (Some("application/json"), "application/json", "\"code\":\"no_such_api\""),
        (Some("application/xml"), "application/problem+xml", "<code>no_such_api</code>"),
        (Some("text/xml, */*;q=0.1"), "application/problem+xml", "<code>no_such_api</code>"),
        (Some("text/plain"), "text/plain; charset=utf-8", "code: no_such_api"),
        (
            Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
            "text/plain; charset=utf-8",
            "code: no_such_api",
        ),
        (
            Some("application/xml;q=0.2, application/json;q=0.5"),
            "application/json",
            "\"code\":\"no_such_api\"",
        ),
        (Some("image/png"), "application/problem+json", "\"code\":\"no_such_api\""),
    ] {
        let request = accept.map_or_else(|| get("/x"), |accept| get("/x").header("accept", accept));
        let response = gw.send(request).await;
        assert_eq!((response.status(), response.header("content-type")), (404, kind), "{accept:?}");
        assert!(
            response.text().contains(part) && response.text().contains(response.request_id()),
            "{}",
            response.text()
        );
        assert_eq!(response.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn a_problem_has_all_its_members() {
    let gw = Gateway::serving(testkit::Config::new()).await;
    let response = gw.get("/x").await;
    let problem = response.json();
    assert_eq!(
        (&problem["type"], &problem["title"], &problem["status"]),
        (&json!("about:blank"), &json!("Not Found"), &json!(404))
    );
    assert_eq!(
        (&problem["code"], &problem["requestId"]),
        (&json!("no_such_api"), &json!(response.request_id()))
    );
    assert!(problem["detail"].as_str().is_some_and(|text| text.ends_with('.')));
}

/// Checklist 19 and 20.
#[tokio::test]
async fn no_error_repeats_what_the_client_sent() {
    let upstream = Upstream::text("ok").start().await;
    let shop = api("/shop", &upstream)
        .operation("GET", "/orders")
        .policy("apiKey", json!({}))
        .with("maxBodySize", "4B");
    let gw = Gateway::serving(testkit::Config::from(shop).application("app", "good-key", &["shop"])).await;
    let marked = |path: &str| {
        post(path, "secret-body").header("x-secret", "secret-header").header("host", "secret-host")
    };
    for request in [
        marked("/secret-path"),
        marked("/shop/secret-path?secret-query"),
        marked("/shop/orders").header("x-gateway-apikey", "secret-key"),
        marked("/shop/secret-path").header("x-gateway-apikey", "good-key"),
        marked("/shop/orders").header("x-gateway-apikey", "good-key"),
        marked("/shop/%zzsecret"),
    ] {
        let response = gw.send(request).await;
        assert!((400..500).contains(&response.status()));
        assert!(
            !response.text().contains("secret") && !response.text().contains("good-key"),
            "{}",
            response.text()
        );
        let headers = format!("{:?}", response.headers());
        assert!(!headers.contains("secret"), "{headers}");
    }
    let raw = gw
        .raw("GET /secret HTTP/1.1\r\nHost: a\r\nX : secret, and more than a few bytes of it\r\n\r\n")
        .await;
    assert!(!String::from_utf8_lossy(&raw).contains("secret"));
}
