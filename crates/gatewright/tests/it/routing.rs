//! Which API and which operation a request reaches.

use testkit::{Config, Gateway, Upstream, api, get, json, request};

#[tokio::test]
async fn an_api_is_found_at_its_default_address() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(api("/", &upstream).at_default_address("Pet Shop", "2.0")).await;

    let response = gw.get("/gateway/Pet%20Shop/2.0/pets/7?a=b").await;
    assert_eq!((response.status(), response.json()["path"].as_str()), (200, Some("/pets/7?a=b")));
    assert_eq!(gw.get("/gateway/Pet%20Shop/2.0").await.json()["path"], "/");
    assert_eq!(gw.get("/gateway/Pet%20Shop/2.0?a=b").await.json()["path"], "/?a=b");
    assert_eq!(gw.get("/elsewhere").await.reason(), "no_such_api");
}

#[tokio::test]
async fn the_longest_base_path_wins_and_is_not_sent_upstream() {
    let (outer, inner, root) = (
        Upstream::echo().start().await,
        Upstream::echo().start().await,
        Upstream::text("root").start().await,
    );
    let config = Config::new().api(api("/a", &outer)).api(api("/a/b", &inner)).api(api("/", &root));
    let gw = Gateway::serving(config).await;

    for (path, seen, upstream) in
        [("/a/x", "/x", &outer), ("/a/bc", "/bc", &outer), ("/a/b/x", "/x", &inner), ("/a/b", "/", &inner)]
    {
        assert_eq!(gw.get(path).await.status(), 200, "{path}");
        assert_eq!(upstream.last().path, seen, "{path}");
    }
    assert_eq!(gw.get("/ab").await.text(), "root");
    assert_eq!((outer.count(), inner.count(), root.count()), (2, 2, 1));
}

#[tokio::test]
async fn the_path_of_an_endpoint_comes_before_the_path_of_the_request() {
    let upstream = Upstream::echo().start().await;
    let with_path = format!("{}/v1/", upstream.url());
    let gw = Gateway::serving(api("/orders", &*with_path)).await;

    assert_eq!(gw.get("/orders/7?x=%20y").await.json()["path"], "/v1/7?x=%20y");
    assert_eq!(gw.get("/orders").await.json()["path"], "/v1");
    assert_eq!(gw.get("/orders/").await.json()["path"], "/v1/");
}

#[tokio::test]
async fn hosts_choose_between_apis_at_the_same_path() {
    let (exact, wild, any) = (
        Upstream::text("exact").start().await,
        Upstream::text("wild").start().await,
        Upstream::text("any").start().await,
    );
    let config = Config::new()
        .api(api("/a", &exact).with("name", "exact").with("hosts", json!(["api.example.com"])))
        .api(api("/a", &wild).with("name", "wild").with("hosts", json!(["*.example.com"])))
        .api(api("/a", &any).with("name", "any"));
    let gw = Gateway::serving(config).await;

    for (host, expect) in [
        ("api.example.com", "exact"),
        ("API.Example.COM:8080", "exact"),
        ("www.example.com", "wild"),
        ("deep.www.example.com", "any"),
        ("other.org", "any"),
        ("[::1]:80", "any"),
    ] {
        assert_eq!(gw.send(get("/a").header("host", host)).await.text(), expect, "{host}");
    }
}

#[tokio::test]
async fn a_call_without_version_goes_to_the_newest_or_the_oldest() {
    let (old, new) = (Upstream::text("1.9").start().await, Upstream::text("1.10").start().await);
    let config = Config::new()
        .api(api("/", &old).at_default_address("Pets", "1.9"))
        .api(api("/", &new).at_default_address("Pets", "1.10"));
    let gw = Gateway::serving(config.clone()).await;
    assert_eq!(gw.get("/gateway/Pets/1.9/x").await.text(), "1.9");
    assert_eq!(gw.get("/gateway/Pets/1.10/x").await.text(), "1.10");
    assert_eq!(gw.get("/gateway/Pets/x").await.text(), "1.10");
    gw.apply(config.setting("matching.defaultVersion", "oldest")).await.unwrap();
    assert_eq!(gw.get("/gateway/Pets/x").await.text(), "1.9");
}

/// Checklist 22.
#[tokio::test]
async fn only_who_may_use_an_api_learns_which_operations_it_has() {
    let upstream = Upstream::text("ok").start().await;
    let shop = api("/shop", &upstream)
        .operation("GET", "/orders")
        .operation("POST", "/orders")
        .operation("GET", "/orders/{id}")
        .policy("apiKey", json!({}));
    let gw = Gateway::serving(Config::new().api(shop).application("app", "secret-key", &["shop"])).await;

    for path in ["/shop/orders", "/shop/unknown"] {
        let response = gw.send(request("DELETE", path)).await;
        assert_eq!((response.status(), response.reason().as_str()), (401, "api_key_missing"), "{path}");
    }
    let with_key = |method, path| request(method, path).header("x-Gateway-APIKey", "secret-key");
    assert_eq!(gw.send(with_key("GET", "/shop/orders")).await.status(), 200);
    let unknown = gw.send(with_key("GET", "/shop/unknown")).await;
    assert_eq!((unknown.status(), unknown.reason().as_str()), (404, "no_such_operation"));
    let wrong_method = gw.send(with_key("DELETE", "/shop/orders")).await;
    assert_eq!((wrong_method.status(), wrong_method.reason().as_str()), (405, "method_not_allowed"));
    assert_eq!(wrong_method.header("allow"), "GET, HEAD, OPTIONS, POST");
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn literal_beats_template_beats_wildcard() {
    let upstream = Upstream::echo().start().await;
    let pets = ["/pets/{id}", "/pets/mine", "/pets/{name}.json", "/pets/*", "/pets/{id}/toys"]
        .iter()
        .fold(api("/shop", &upstream), |api, path| api.operation("GET", path));
    let gw = Gateway::serving(pets).await;

    for (path, operation) in [
        ("/pets/7", "/pets/{id}"),
        ("/pets/mine", "/pets/mine"),
        ("/pets/%6Dine", "/pets/mine"),
        ("/pets/rex.json", "/pets/{name}.json"),
        ("/pets/7/toys", "/pets/{id}/toys"),
        ("/pets/7/other/things", "/pets/*"),
    ] {
        let response = gw.get(&format!("/shop{path}")).await;
        let explanation = gw.explain(&response).await;
        assert_eq!(explanation.operation.map(|o| o.path).as_deref(), Some(operation), "{path}");
    }
    assert_eq!(gw.get("/shop/other").await.reason(), "no_such_operation");
}

/// Checklist 13.
#[tokio::test]
async fn content_type_never_hides_a_more_specific_path() {
    let upstream = Upstream::echo().start().await;
    let shop = api("/shop", &upstream).operation("POST", "/a/b").operation("*", "/a/{x}");
    let gw = Gateway::serving(shop).await;
    for kind in ["application/json", "text/xml", "x/y"] {
        let response = gw.send(testkit::post("/shop/a/b", "{}").header("content-type", kind)).await;
        assert_eq!(gw.explain(&response).await.operation.map(|o| o.path).as_deref(), Some("/a/b"), "{kind}");
    }
}

/// Checklist 90.
#[tokio::test]
async fn a_slash_at_the_end_matters_only_when_asked_for() {
    let upstream = Upstream::echo().start().await;
    let shop = || Config::from(api("/shop", &upstream).operation("GET", "/a").operation("GET", "/b/"));
    let gw = Gateway::serving(shop()).await;
    for path in ["/a", "/a/", "/b", "/b/"] {
        let response = gw.get(&format!("/shop{path}")).await;
        assert_eq!((response.status(), response.json()["path"].as_str()), (200, Some(path)), "{path}");
    }
    gw.apply(shop().setting("matching.strictTrailingSlashValidation", true)).await.unwrap();
    for (path, status) in [("/a", 200), ("/a/", 404), ("/b", 404), ("/b/", 200)] {
        assert_eq!(gw.get(&format!("/shop{path}")).await.status(), status, "{path}");
    }
}

#[tokio::test]
async fn an_encoded_slash_is_data_unless_the_setting_says_otherwise() {
    let upstream = Upstream::echo().start().await;
    let shop = || {
        Config::from(api("/shop", &upstream).operation("GET", "/files/{name}").operation("GET", "/files/a/b"))
    };
    let gw = Gateway::serving(shop()).await;
    let response = gw.get("/shop/files/a%2Fb").await;
    assert_eq!(response.json()["path"], "/files/a%2Fb", "what goes upstream is what came");
    assert_eq!(gw.explain(&response).await.operation.map(|o| o.path).as_deref(), Some("/files/{name}"));

    gw.apply(shop().setting("matching.decodeAllDelimitersInURI", true)).await.unwrap();
    let response = gw.get("/shop/files/a%2Fb").await;
    assert_eq!(gw.explain(&response).await.operation.map(|o| o.path).as_deref(), Some("/files/a/b"));
}

#[tokio::test]
async fn an_encoded_slash_in_the_base_path_does_not_swallow_the_rest() {
    let upstream = Upstream::echo().start().await;
    let config =
        Config::from(api("/team/shop", &upstream)).setting("matching.decodeAllDelimitersInURI", true);
    let gw = Gateway::serving(config).await;
    assert_eq!(gw.get("/team%2Fshop/orders/7").await.json()["path"], "/orders/7");
}

#[tokio::test]
async fn paths_that_mean_different_things_to_different_servers_are_refused() {
    let upstream = Upstream::echo().start().await;
    let gw = Gateway::serving(Config::new().api(api("/a", &upstream)).api(api("/a/admin", &upstream))).await;
    for path in [
        "/a/../admin",
        "/a/./x",
        "/a/%2e%2e/admin",
        "/a/.%2E/admin",
        "/a/..;x=1/admin",
        "/a/..",
        "/a/x%00",
        "/a/x%0d%0ay",
        "/a/%zz",
        "/a/%2",
        "/a/%FF",
    ] {
        let response = gw.get(path).await;
        assert_eq!((response.status(), response.reason().as_str()), (400, "bad_path"), "{path}");
    }
    assert_eq!(upstream.count(), 0);
    for path in ["/a/.well-known/x", "/a/...", "/a/a..b", "/a//x", "/a/x;y=1"] {
        assert_eq!(gw.get(path).await.status(), 200, "{path}");
    }
}

#[tokio::test]
async fn a_target_of_an_asterisk_is_no_path_of_an_upstream() {
    let upstream = Upstream::echo().start().await;
    let with_path = format!("{}/v1", upstream.url());
    let gw = Gateway::serving(api("/", &*with_path)).await;
    let answer = gw.raw("OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with(b"HTTP/1.1 "), "{}", String::from_utf8_lossy(&answer));
    assert!(
        upstream.seen().iter().all(|seen| seen.path != "/v1*"),
        "the asterisk was glued to the endpoint's path"
    );
}

#[tokio::test]
async fn head_is_answered_by_get_and_options_goes_upstream() {
    let upstream = Upstream::status(204).start().await;
    let gw = Gateway::serving(api("/shop", &upstream).operation("GET", "/a")).await;
    assert_eq!(gw.send(request("HEAD", "/shop/a")).await.status(), 204);
    assert_eq!(gw.send(request("OPTIONS", "/shop/a")).await.status(), 204);
    let methods: Vec<String> = upstream.seen().iter().map(|s| s.method.to_string()).collect();
    assert_eq!(methods, ["HEAD", "OPTIONS"]);
    assert_eq!(gw.send(request("OPTIONS", "/shop/b")).await.status(), 404);
}

#[tokio::test]
async fn an_api_without_upstream_says_so() {
    let gw = Gateway::serving(Config::new().append("apis", json!({ "name": "a", "basePath": "/a" }))).await;
    let response = gw.get("/a").await;
    assert_eq!((response.status(), response.reason().as_str()), (503, "no_upstream"));
}
