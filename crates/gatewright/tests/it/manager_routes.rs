//! Every route of the admin API, as its own OpenAPI document tells them: none forgets to ask who it is.

use testkit::{Admin, Gateway, Request, Value, json, json_request, request};

use crate::manager::{code, expect, managed};

/// Each route, with a name that nothing has.
fn routes(openapi: &Value) -> Vec<(String, String, Value)> {
    let paths = openapi["paths"].as_object().expect("paths");
    let routes = paths.iter().flat_map(|(path, operations)| {
        let operations = operations.as_object().expect("operations");
        operations.iter().map(|(method, operation)| {
            let path = path.replace("{revision}", "1").replace("{name}", "x").replace("{id}", "x");
            (method.to_uppercase(), path, operation.clone())
        })
    });
    routes.collect()
}

fn ask(method: &str, path: &str) -> Request {
    match method {
        "GET" | "DELETE" => request(method, &format!("/api/v1{path}")),
        "PATCH" => json_request(method, path, &json!({})),
        _ => json_request(method, path, &json!({})),
    }
}

async fn guest(gateway: &Gateway, admin: &Admin) -> Admin {
    expect(&admin.post("/users", &json!({ "name": "guest" })).await, 201);
    let password = json!({ "password": "correct horse battery" });
    assert_eq!(admin.send(json_request("PUT", "/users/guest/password", &password)).await.status(), 204);
    gateway.admin("guest", "correct horse battery")
}

#[tokio::test]
async fn every_route_asks_who_it_is() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let openapi = expect(&admin.send_as_it_is(request("GET", "/api/v1/openapi.json")).await, 200);
    let routes = routes(&openapi);
    assert!(routes.len() > 80, "{}", routes.len());
    let (mut open, mut visited) = (Vec::new(), Vec::new());
    for (method, path, operation) in &routes {
        let response = admin.send_as_it_is(ask(method, path)).await;
        let security = operation["security"].as_array();
        if operation["security"] == json!([]) {
            open.push(format!("{method} {path}"));
            // What nobody has a name for yet is missing, and the route is not.
            let is_there = response.status() != 404 || code(&response, 404) == "login_provider_unknown";
            assert!(is_there, "{method} {path}");
        } else if security.is_some_and(|ways| ways.contains(&json!({}))) {
            visited.push(format!("{method} {path}"));
            assert!(matches!(response.status(), 200 | 404), "{method} {path}: {}", response.text());
        } else {
            assert_eq!(code(&response, 401), "credentials_missing", "{method} {path}");
        }
    }
    let decided = "what is open to everybody is decided here";
    let expected = [
        "GET /openapi.json",
        "POST /session",
        "GET /passwordReset",
        "POST /passwordReset",
        "PUT /passwordReset",
        "GET /login/oidc",
        "GET /login/oidc/x",
        "GET /login/oidc/x/callback",
        "GET /login/saml",
        "GET /login/saml/x",
        "GET /login/saml/x/metadata",
        "POST /login/saml/x/acs",
        "GET /login/saml/x/finish",
        "POST /portal/signUp",
    ];
    assert_eq!(open, expected, "{decided}");
    let published = [
        "GET /portal",
        "GET /portal/pages/x",
        "GET /portal/apis",
        "GET /portal/apis/x",
        "GET /portal/apis/x/definition",
        "GET /portal/apis/x/icon",
        "GET /portal/documents/x",
        "GET /portal/apis/x/comments",
    ];
    assert_eq!(visited, published, "{decided}");
}

#[tokio::test]
async fn every_route_that_needs_a_privilege_asks_for_it() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let guest = guest(&gateway, &admin).await;
    let openapi = expect(&admin.get("/openapi.json").await, 200);
    let mut asked = 0;
    for (method, path, operation) in routes(&openapi) {
        let needs = operation["description"].as_str().unwrap_or_default();
        let response = guest.send(ask(&method, &path)).await;
        if needs.starts_with("Needs the privilege `") {
            asked += 1;
            assert_eq!(code(&response, 403), "forbidden", "{method} {path}: {}", response.text());
        } else {
            // Whose password it is and what a revision brings back is looked at before that is decided.
            let depends =
                ["/password", "/passwordReset", "/restore", "/signUp"].iter().any(|end| path.ends_with(end));
            let status = response.status();
            assert!(status != 403 || depends, "{method} {path}: {}", response.text());
        }
        assert!(response.status() < 500, "{method} {path}: {}", response.text());
    }
    assert!(asked > 50, "{asked}");
}

#[tokio::test]
async fn the_openapi_document_describes_the_documents_of_every_kind() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let openapi = expect(&admin.get("/openapi.json").await, 200);
    let kinds = expect(&admin.get("/kinds").await, 200);
    for kind in kinds.as_array().expect("kinds") {
        let list = kind["list"].as_str().expect("a list");
        let post = &openapi["paths"][format!("/{list}")]["post"];
        let schema =
            post["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str().expect(list);
        let name = schema.rsplit('/').next().unwrap_or_default();
        assert!(openapi["components"]["schemas"][name]["description"].is_string(), "{list}: {name}");
    }
    // Every reference leads somewhere.
    let text = openapi.to_string();
    for reference in text.split("\"$ref\":\"#/").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(!openapi.pointer(&format!("/{reference}")).is_none_or(Value::is_null), "{reference}");
    }
    let mut ids: Vec<_> =
        routes(&openapi).into_iter().map(|(_, _, operation)| operation["operationId"].to_string()).collect();
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all, "an operation has an id of its own");
}

#[tokio::test]
async fn parts_of_documents_are_what_the_openapi_document_says() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let set = json!({
        "upstreams": [{ "name": "native", "endpoints": [{ "url": "http://127.0.0.1:1" }], "retries": { "attempts": 2 } }],
        "destinations": [{ "type": "log", "name": "out" }],
        "apis": [{ "name": "a", "upstream": "native", "description": "of a" }],
        "applications": [{ "name": "shop", "apis": ["a"], "description": "of the shop" }],
        "plans": [{ "name": "gold", "description": "of gold" }],
        "subscriptions": [{ "application": "shop", "api": "a", "plan": "gold" }],
    });
    expect(&admin.post("/apply", &set).await, 200);
    let openapi = expect(&admin.get("/openapi.json").await, 200);
    let required = |schema: &Value| -> Vec<String> {
        let names = schema["required"].as_array().cloned().unwrap_or_default();
        names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect()
    };
    for (list, kind) in [
        ("upstreams", "Upstream"),
        ("destinations", "Destination"),
        ("apis", "Api"),
        ("applications", "Application"),
        ("subscriptions", "Subscription"),
        ("groups", "Group"),
    ] {
        let schemas = &openapi["components"]["schemas"];
        let asset = &schemas[format!("{kind}Asset")];
        let page = expect(&admin.get(&format!("/{list}?fields=name")).await, 200);
        let items = page["items"].as_array().expect("items");
        assert!(!items.is_empty(), "{list}");
        for item in items {
            for name in required(asset) {
                assert!(!item[&name].is_null(), "{list}: {name} of {item}");
            }
            let reference = asset["properties"]["spec"]["$ref"].as_str().expect("a reference");
            let document = openapi.pointer(reference.trim_start_matches('#')).expect("it leads somewhere");
            for name in required(document) {
                assert!(!item["spec"][&name].is_null(), "{list}: {name} of {item}");
            }
            assert_eq!(item["spec"]["description"], Value::Null, "{list}: {item}");
        }
    }
    let unknown = admin.get("/apis?fields=descripton").await;
    assert_eq!(code(&unknown, 400), "bad_query");
    assert!(unknown.text().contains("did you mean `description`?"), "{}", unknown.text());
}

#[tokio::test]
async fn what_the_node_tells_is_told_to_those_who_may_see_it() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let guest = guest(&gateway, &admin).await;
    assert!(expect(&guest.get("/gateway/status").await, 200)["listeners"].is_array());
    assert_eq!(code(&guest.get("/gateway/events").await, 403), "forbidden");
    expect(&admin.get("/gateway/events?limit=1").await, 200);
    let types = expect(&guest.get("/policyTypes").await, 200);
    let types = types["items"].as_array().expect("types");
    assert!(types.iter().any(|kind| kind["type"] == "rateLimit" && kind["schema"]["properties"].is_object()));
    // What is not in the table is not given, wherever the node has it.
    for path in ["/gateway/tap", "/gateway/metrics", "/gateway/ready"] {
        assert_eq!(code(&admin.get(path).await, 404), "no_such_kind", "{path}");
    }
    assert_eq!(code(&admin.post("/gateway/reload", &json!({})).await, 405), "method_not_allowed");
    assert_eq!(code(&admin.get("/gateway/events/../reload").await, 404), "no_such_route");
}

#[tokio::test]
async fn what_cannot_be_understood_is_told_as_a_problem() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    for (path, expected, told) in [
        ("/apis?limit=many", "bad_query", "the query: limit: invalid digit"),
        ("/apis?color=red", "bad_query", "unknown field `color`"),
        ("/apis?sort=size", "bad_query", "sort"),
        ("/revisions?before=-1", "bad_query", "before"),
        ("/revisions/x/nodes", "bad_path", "`x`"),
    ] {
        let refused = admin.get(path).await;
        assert_eq!(code(&refused, 400), expected, "{path}");
        assert!(refused.text().contains(told), "{path}: {}", refused.text());
        assert_eq!(refused.header("content-type"), "application/problem+json");
    }
    let restore = request("POST", "/api/v1/revisions/first/restore");
    assert_eq!(code(&admin.send(restore).await, 400), "bad_path");
    assert_eq!(code(&admin.post("/archive", &json!("all")).await, 400), "bad_json");
}

#[tokio::test]
async fn the_documentation_is_a_page_that_asks_nobody_else() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let page = admin.send_as_it_is(request("GET", "/api/docs")).await;
    assert_eq!((page.status(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{policy}");
    let mut files = 0;
    for reference in page.text().split(['"', '\'']).filter(|text| text.starts_with('/')).map(str::to_owned) {
        let file = admin.send_as_it_is(request("GET", &reference)).await;
        assert_eq!(file.status(), 200, "{reference}");
        assert!(!file.header("content-type").is_empty());
        files += 1;
        if !reference.ends_with(".json") {
            assert!(!file.text().contains("://"), "{reference} leads somewhere else");
        }
    }
    assert_eq!(files, 3);
    assert!(!page.text().contains("://"));
}
