//! URL aliases: other addresses of APIs, resolved before anything else looks at the path.

use testkit::{Client, Config, Gateway, Protocol, Upstream, api, json, request};
use tokio::net::TcpStream;

fn orders(upstream: &Upstream) -> Config {
    Config::new()
        .api(api("/", upstream).at_default_address("Orders", "1.0"))
        .api(api("/", upstream).at_default_address("Orders", "2.0"))
        .append("urlAliases", json!({ "name": "shop", "path": "/shop", "target": "/gateway/Orders/1.0" }))
}

#[tokio::test]
async fn an_alias_leads_to_its_api_with_the_rest_of_the_path_and_the_query() {
    let upstream = Upstream::echo().start().await;
    let config = orders(&upstream)
        .append(
            "urlAliases",
            json!({ "name": "new", "path": "/shop/new", "target": "/gateway/Orders/2.0/v2" }),
        )
        .append(
            "urlAliases",
            json!({ "name": "one", "path": "/one", "target": "/gateway/Orders/1.0/1", "exact": true }),
        );
    let gw = Gateway::serving(config).await;
    for (called, upstream_path, api) in [
        ("/shop/a%2Fb?x=1&y=%20", "/a%2Fb?x=1&y=%20", "Orders 1.0"),
        ("/shop", "/", "Orders 1.0"),
        ("/shop/new/7", "/v2/7", "Orders 2.0"),
        ("/one", "/1", "Orders 1.0"),
        ("/gateway/Orders/1.0/7", "/7", "Orders 1.0"),
    ] {
        let response = gw.get(called).await;
        assert_eq!((response.status(), &response.json()["path"]), (200, &json!(upstream_path)), "{called}");
        assert_eq!(gw.explain(&response).await.api.as_deref(), Some(api), "{called}");
    }
    for unknown in ["/one/2", "/shopping", "/Shop"] {
        assert_eq!(gw.get(unknown).await.reason(), "no_such_api", "{unknown}");
    }
    assert_eq!(gw.get("/shop/../gateway/Orders/2.0/x").await.reason(), "bad_path");
}

#[tokio::test]
async fn what_the_client_called_stays_visible_and_policies_see_what_it_stands_for() {
    let upstream = Upstream::echo().start().await;
    let seen = json!({ "headers": { "X-Seen": "${sys:resource_path} ${inboundRequestURI}" } });
    let config = Config::new()
        .api(api("/", &upstream).at_default_address("Orders", "1.0").policy("customHeaders", seen))
        .append(
            "urlAliases",
            json!({ "name": "shop", "path": "/shop", "target": "/gateway/Orders/1.0/all" }),
        );
    let gw = Gateway::serving(config).await;
    let response = gw.get("/shop/7?x=1").await;
    assert_eq!(upstream.seen()[0].header("x-seen"), "all/7 /shop/7?x=1");
    let record = gw.explain(&response).await;
    assert_eq!(
        (record.path.as_str(), record.resolved_path.as_str()),
        ("/shop/7", "/gateway/Orders/1.0/all/7")
    );
    assert!(record.candidates.iter().any(|candidate| candidate.chosen), "{:?}", record.candidates);
    assert!(record.to_text().contains("/gateway/Orders/1.0/all/7"), "{}", record.to_text());
    let events = gw.events("").await;
    assert_eq!(
        (&events[0]["requestPath"], &events[0]["queryParameters"], &events[0]["apiName"]),
        (&json!("/shop/7"), &json!("x=1"), &json!("Orders"))
    );
}

#[tokio::test]
async fn each_listener_may_lead_somewhere_else() {
    let upstream = Upstream::echo().start().await;
    let config = Config::new()
        .api(api("/", &upstream).at_default_address("Orders", "1.0"))
        .api(api("/", &upstream).at_default_address("Orders", "2.0"))
        .listeners(json!([
            { "name": "public", "address": "127.0.0.1:0" },
            { "name": "inner", "address": "127.0.0.1:0" },
        ]))
        .append(
            "urlAliases",
            json!({ "name": "shop", "path": "/shop", "target": "/gateway/Orders/1.0/public",
                    "listeners": { "inner": "/gateway/Orders/2.0/inner" } }),
        )
        .append(
            "urlAliases",
            json!({ "name": "hidden", "path": "/hidden", "listeners": { "inner": "/gateway/Orders/2.0" } }),
        );
    let gw = Gateway::serving(config).await;
    let from = async |listener: &str, path: &str| {
        let stream = TcpStream::connect(gw.address_of(listener)).await.expect("it listens");
        let client = Client::over(stream, Protocol::Http1, "gateway", false).await;
        client.expect("a connection").send(request("GET", path)).await
    };
    assert_eq!(from("public", "/shop/7").await.json()["path"], "/public/7");
    assert_eq!(from("inner", "/shop/7").await.json()["path"], "/inner/7");
    assert_eq!(from("inner", "/hidden/7").await.json()["path"], "/7");
    assert_eq!(from("public", "/hidden/7").await.reason(), "no_such_api");
}

#[tokio::test]
async fn what_an_alias_takes_from_an_api_is_told_and_circles_are_refused() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(orders(&upstream).api(api("/shop/old", &upstream))).await;
    // The alias comes first, as the warning says.
    let response = gw.get("/shop/old/7").await;
    assert_eq!(gw.explain(&response).await.api.as_deref(), Some("Orders 1.0"));

    let circle =
        orders(&upstream).append("urlAliases", json!({ "name": "b", "path": "/b", "target": "/shop/x" }));
    let error = gw.apply(circle).await.expect_err("an alias leads to no alias");
    assert!(error.to_string().contains("urlAliases[1].target"), "{error}");
    assert_eq!(gw.get("/shop/7").await.status(), 200, "what was there before is still served");
    assert_eq!(gw.get("/b").await.status(), 404);
}
