//! What APIs say about themselves for people: groups, maturity, icon, custom properties.

use testkit::{Gateway, Value, body, json, json_request, request};

use crate::manager::{code, expect, managed};

/// An SVG that would run a script where it is opened as a page.
const SVG: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";

fn api(name: &str, more: Value) -> Value {
    let mut api =
        json!({ "name": name, "upstream": "http://127.0.0.1:1", "portal": { "visibility": "public" } });
    for (key, value) in more.as_object().expect("an object") {
        api[key] = value.clone();
    }
    api
}

#[tokio::test]
async fn apis_are_found_by_group_maturity_and_custom_properties() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    for api in [
        api("a", json!({ "groups": ["Search", "Sales and Ordering"], "maturity": "Beta" })),
        api("b", json!({ "groups": ["Search"], "attributes": { "costCentre": "42" } })),
        api("c", json!({ "maturity": "Production" })),
    ] {
        expect(&admin.post("/apis", &api).await, 201);
    }
    let names = async |path: &str| {
        let page = expect(&admin.get(path).await, 200);
        let items = page["items"].as_array().expect("items").clone();
        items.iter().map(|item| item["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    for (query, expected) in [
        ("/apis?filter=groups=Search", &["a:1.0", "b:1.0"][..]),
        ("/apis?filter=groups=Sales%20and%20Ordering,maturity=Beta", &["a:1.0"]),
        ("/apis?filter=maturity=Production", &["c:1.0"]),
        ("/apis?filter=attributes.costCentre=42", &["b:1.0"]),
        ("/portal/apis?group=Search", &["a:1.0", "b:1.0"]),
        ("/portal/apis?group=Search&maturity=Beta", &["a:1.0"]),
        ("/portal/apis?search=sales%20ordering", &["a:1.0"]),
        ("/portal/apis?maturity=Test", &[]),
    ] {
        assert_eq!(names(query).await, expected, "{query}");
    }
    let catalogue = expect(&admin.get("/portal/apis").await, 200);
    assert_eq!(catalogue["groups"], json!({ "Search": 2, "Sales and Ordering": 1 }));
    assert_eq!(catalogue["maturities"], json!({ "Beta": 1, "Production": 1 }));
    // Custom properties are for those who manage the API.
    assert!(!catalogue.to_string().contains("costCentre"), "{catalogue}");

    for (patch, path) in [
        (json!({ "groups": ["Serch"] }), "groups[0]"),
        (json!({ "maturity": "Alpha" }), "maturity"),
        (json!({ "icon": "data:text/html;base64,AAAA" }), "icon"),
        (json!({ "icon": "https://pictures.example/a.png" }), "icon"),
        (json!({ "attributes": { "a": "x".repeat(5_000) } }), "attributes.a"),
    ] {
        let refused = expect(&admin.send(json_request("PATCH", "/apis/a:1.0", &patch)).await, 422);
        assert_eq!(refused["errors"][0]["path"], path, "{refused}");
    }
    // An icon is looked at also where the API is not served.
    let inactive = api("d", json!({ "inactive": true, "icon": "data:text/html;base64,AAAA" }));
    assert_eq!(code(&admin.post("/apis", &inactive).await, 422), "invalid");
}

#[tokio::test]
async fn which_groups_and_maturities_there_are_is_a_setting() {
    let own = json!({ "apiGroupingPossibleValues": ["Ours"], "apiMaturityStatePossibleValues": ["Ripe"] });
    let gateway = Gateway::serving(managed().setting("apis", own)).await;
    let admin = gateway.administrator();
    expect(&admin.post("/apis", &api("a", json!({ "groups": ["Ours"], "maturity": "Ripe" }))).await, 201);
    let refused = expect(&admin.post("/apis", &api("b", json!({ "groups": ["Search"] }))).await, 422);
    assert!(refused["errors"][0]["help"].to_string().contains("Ours"), "{refused}");
}

#[tokio::test]
async fn an_icon_is_shown_as_what_it_is_and_nothing_of_it_runs() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    expect(&admin.post("/apis", &api("a", json!({}))).await, 201);
    assert_eq!(code(&admin.get("/portal/apis/a:1.0/icon").await, 404), "not_found");
    let put = |media_type: &str, content: Vec<u8>| {
        let put = request("PUT", "/api/v1/apis/a:1.0/icon").header("content-type", media_type);
        put.body(body::full(content))
    };
    for (media_type, content) in
        [("text/html", SVG.as_bytes().to_vec()), ("image/png", vec![7; 103_000]), ("image/png", Vec::new())]
    {
        assert_eq!(code(&admin.send(put(media_type, content)).await, 422), "invalid", "{media_type}");
    }
    expect(&admin.send(put("image/svg+xml", SVG.into())).await, 200);
    assert_eq!(expect(&admin.get("/portal/apis/a:1.0").await, 200)["hasIcon"], true);
    for path in ["/portal/apis/a:1.0/icon", "/apis/a:1.0/icon"] {
        let icon = admin.get(path).await;
        assert_eq!((icon.status(), icon.text()), (200, SVG.into()), "{path}");
        assert_eq!(icon.header("content-type"), "image/svg+xml");
        assert_eq!(icon.header("x-content-type-options"), "nosniff");
        let policy = icon.header("content-security-policy");
        assert!(policy.contains("sandbox") && policy.contains("default-src 'none'"), "{policy}");
    }
    // It is there for those only for whom the API is there.
    let hide = json_request("PATCH", "/apis/a:1.0", &json!({ "portal": null }));
    expect(&admin.send(hide).await, 200);
    let stranger = admin.send_as_it_is(request("GET", "/api/v1/portal/apis/a:1.0/icon")).await;
    assert_eq!(code(&stranger, 404), "not_found");
}

#[tokio::test]
async fn groups_of_an_api_are_no_groups_of_users() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    for group in ["Search", "partners"] {
        expect(&admin.post("/groups", &json!({ "name": group })).await, 201);
    }
    let portal = json!({ "visibility": "restricted", "groups": ["partners"] });
    let api = api("a", json!({ "groups": ["Search"], "portal": portal }));
    expect(&admin.post("/apis", &api).await, 201);
    let archive = expect(&admin.post("/archive", &json!({ "assets": ["apis/a:1.0"] })).await, 200);
    let groups: Vec<_> =
        archive["assets"]["groups"].as_array().expect("groups").iter().map(|g| &g["name"]).collect();
    assert_eq!(groups, ["partners"]);
}
