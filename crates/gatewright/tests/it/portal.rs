//! The developer portal: what strangers, consumers and administrators see and do there, and what they do not.

use std::time::Duration;

use testkit::{Admin, Gateway, Request, Response, Upstream, Value, get, json, json_request, request};

use crate::manager::{code, expect, managed};

const KEY: &str = "x-Gateway-APIKey";
pub(crate) const PASSWORD: &str = "correct horse battery";
const DAY: Duration = Duration::from_secs(86_400);

fn api(name: &str, upstream: &Upstream, portal: Value) -> Value {
    json!({
        "name": name, "basePath": format!("/{name}"), "upstream": upstream.url(),
        "description": format!("All about {name}."), "tags": ["shop"],
        "plans": ["free", "gold"], "portal": portal, "policies": [{ "type": "apiKey" }],
    })
}

/// A portal with plans and APIs: `orders` for everybody, `stock` for who has signed in, `salaries` for a group, and
/// `hidden` for nobody.
async fn with_apis(upstream: &Upstream, sign_up: &str) -> (Gateway, Admin) {
    let gw = Gateway::serving(managed()).await;
    let admin = gw.administrator();
    let set = json!({
        "groups": [{ "name": "partners" }, { "name": "consumers" }],
        "plans": [
            { "name": "free", "displayName": "Free", "quota": { "requests": 3, "per": "day" } },
            { "name": "gold", "approval": true },
        ],
        "apis": [
            api("orders", upstream, json!({
                "visibility": "public", "categories": ["Sales"], "summary": "Buy things",
                "changes": [{ "date": "2026-11-22", "text": "It is there." }],
            })),
            api("stock", upstream, json!({ "categories": ["Logistics"] })),
            api("salaries", upstream, json!({ "visibility": "restricted", "groups": ["partners"] })),
            { "name": "hidden", "upstream": upstream.url() },
        ],
        "portals": [{
            "title": "Shop APIs", "colors": { "primary": "#1f6feb" }, "signUp": sign_up, "signUpGroups": ["consumers"],
            "pages": [{ "slug": "terms", "title": "Terms", "markdown": "# Be kind" }],
        }],
        "apiDocuments": [
            { "name": "guide", "api": "orders", "title": "Guide", "markdown": "# Hello" },
            { "name": "site", "api": "orders:1.0", "url": "https://docs.example" },
            { "name": "plan of salaries", "api": "salaries", "file": {
                "name": "plan.html", "mediaType": "text/html", "data": "PGgxPg==",
            } },
        ],
    });
    expect(&admin.post("/apply", &set).await, 200);
    (gw, admin)
}

pub(crate) async fn user(gw: &Gateway, admin: &Admin, document: Value) -> Admin {
    let name = document["name"].as_str().expect("a name").to_owned();
    expect(&admin.post("/users", &document).await, 201);
    let set = json_request("PUT", &format!("/users/{name}/password"), &json!({ "password": PASSWORD }));
    assert_eq!(admin.send(set).await.status(), 204);
    gw.admin(&name, PASSWORD)
}

pub(crate) async fn consumer(gw: &Gateway, admin: &Admin, name: &str) -> Admin {
    user(gw, admin, json!({ "name": name, "portalOnly": true, "groups": ["consumers"] })).await
}

fn open(path: &str) -> Request {
    request("GET", &format!("/api/v1{path}"))
}

fn names(page: &Value) -> Vec<&str> {
    page["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| item["name"].as_str().expect("a name"))
        .collect()
}

async fn call(gw: &Gateway, key: &str) -> Response {
    gw.send(get("/orders/7").header(KEY, key)).await
}

#[tokio::test]
async fn everybody_sees_the_apis_that_are_for_them_and_no_others() {
    let upstream = Upstream::text("ok").start().await;
    let (gw, admin) = with_apis(&upstream, "off").await;
    let ann = consumer(&gw, &admin, "ann").await;
    let partner =
        user(&gw, &admin, json!({ "name": "pam", "portalOnly": true, "groups": ["partners"] })).await;

    let page = expect(&admin.send_as_it_is(open("/portal/apis")).await, 200);
    assert_eq!(names(&page), ["orders:1.0"]);
    assert_eq!(
        (&page["total"], &page["categories"], &page["tags"]),
        (&json!(1), &json!({ "Sales": 1 }), &json!({ "shop": 1 }))
    );
    assert_eq!(names(&expect(&ann.get("/portal/apis").await, 200)), ["orders:1.0", "stock:1.0"]);
    assert_eq!(
        names(&expect(&partner.get("/portal/apis").await, 200)),
        ["orders:1.0", "salaries:1.0", "stock:1.0"]
    );
    assert_eq!(names(&expect(&admin.get("/portal/apis").await, 200)).len(), 3, "hidden is not published");

    for (query, expected) in [
        ("search=BUY", &["orders:1.0"][..]),
        ("search=about%20stock", &["stock:1.0"]),
        ("search=nothing", &[]),
        ("category=Logistics", &["stock:1.0"]),
        ("tag=shop&limit=1&offset=1", &["stock:1.0"]),
        ("tag=none", &[]),
    ] {
        assert_eq!(
            names(&expect(&ann.get(&format!("/portal/apis?{query}")).await, 200)),
            expected,
            "{query}"
        );
    }
    // What is not for somebody is not there, however they ask.
    for path in [
        "/portal/apis/salaries:1.0",
        "/portal/apis/salaries:1.0/definition",
        "/portal/apis/salaries:1.0/comments",
        "/portal/documents/plan%20of%20salaries",
        "/portal/apis/hidden:1.0",
    ] {
        assert_eq!(code(&ann.get(path).await, 404), "not_found", "{path}");
        assert_eq!(code(&admin.send_as_it_is(open(path)).await, 404), "not_found", "{path}");
    }
    let rate = json_request("PUT", "/portal/apis/salaries:1.0/rating", &json!({ "stars": 5 }));
    assert_eq!(code(&ann.send(rate).await, 404), "not_found");
    // Wrong credentials are told, not taken for none.
    assert_eq!(code(&gw.admin("ann", "wrong").get("/portal/apis").await, 401), "credentials_invalid");

    let detail = expect(&admin.send_as_it_is(open("/portal/apis/orders:1.0")).await, 200);
    assert_eq!(
        (&detail["basePath"], &detail["keyHeader"], &detail["needsSubscription"]),
        (&json!("/orders"), &json!(KEY), &json!(true))
    );
    assert_eq!(detail["plans"][0]["title"], "Free");
    assert_eq!(detail["plans"][1]["approval"], true);
    assert_eq!(detail["documents"][0], json!({ "name": "guide", "title": "Guide", "kind": "markdown" }));
    assert_eq!(detail["documents"][1]["url"], "https://docs.example");
    assert_eq!(detail["changes"][0]["text"], "It is there.");
    assert!(!detail.to_string().contains(&upstream.url()), "where APIs lead is not told");
    let guide = admin.send_as_it_is(open("/portal/documents/guide")).await;
    assert_eq!((guide.status(), guide.text().as_str()), (200, "# Hello"));
    let file = partner.get("/portal/documents/plan%20of%20salaries").await;
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"plan.html\"");
    assert_eq!(file.header("content-security-policy"), "sandbox; default-src 'none'");
    assert_eq!(file.text(), "<h1>");

    let look = expect(&admin.send_as_it_is(open("/portal")).await, 200);
    assert_eq!(
        (&look["title"], &look["signUp"], &look["user"]),
        (&json!("Shop APIs"), &json!("off"), &Value::Null)
    );
    assert_eq!(expect(&ann.get("/portal").await, 200)["user"], "ann");
    assert_eq!(look["gatewayUrl"], format!("http://{}", gw.address()), "samples lead to the gateway");
    assert_eq!(expect(&admin.send_as_it_is(open("/portal/pages/terms")).await, 200)["markdown"], "# Be kind");
}

#[tokio::test]
async fn a_consumer_goes_from_nothing_to_a_call_and_through_the_life_of_a_key() {
    let upstream = Upstream::text("ok").start().await;
    let (gw, admin) = with_apis(&upstream, "off").await;
    let ann = consumer(&gw, &admin, "ann").await;
    let made = expect(
        &ann.post("/portal/applications", &json!({ "name": "My shop", "origins": ["https://a.example"] }))
            .await,
        201,
    );
    assert_eq!((&made["name"], &made["keys"]), (&json!("My shop"), &json!([])));
    let key = expect(&ann.post("/portal/applications/My%20shop/keys", &json!({})).await, 201);
    let text = key["key"].as_str().expect("it is told once").to_owned();
    assert_eq!(call(&gw, &text).await.reason(), "no_subscription");

    let wanted = json!({ "application": "My shop", "api": "orders", "plan": "free" });
    let subscribed = expect(&ann.post("/portal/subscriptions", &wanted).await, 201);
    assert_eq!((&subscribed["state"], &subscribed["planTitle"]), (&json!("active"), &json!("Free")));
    assert_eq!(code(&ann.post("/portal/subscriptions", &wanted).await, 409), "exists");
    assert_eq!(call(&gw, &text).await.status(), 200);

    // What is told of the key: no text, and when it was used.
    let shown = ann.get("/portal/applications/My%20shop").await;
    assert!(!shown.text().contains(&text[4..]));
    let shown = expect(&shown, 200);
    assert!(shown["keys"][0]["lastUsed"].is_string(), "{shown}");
    let keys = expect(&admin.get("/applications/My%20shop/keys").await, 200);
    assert_eq!(keys["items"], shown["keys"]);
    assert!(!admin.get("/applications/My%20shop").await.text().contains(&text[4..]));

    // A second one takes the place of the first, which goes on for an hour.
    let rotate = json!({ "replaces": key["id"], "overlap": "1h", "expiresIn": "90d" });
    let second = expect(&ann.post("/portal/applications/My%20shop/keys", &rotate).await, 201);
    let second_text = second["key"].as_str().expect("told once").to_owned();
    assert_eq!(
        code(&ann.post("/portal/applications/My%20shop/keys", &json!({})).await, 409),
        "too_many_keys"
    );
    assert_eq!([call(&gw, &text).await.status(), call(&gw, &second_text).await.status()], [200, 200]);
    gw.clock().advance(Duration::from_secs(3_601));
    assert_eq!(call(&gw, &text).await.reason(), "api_key_expired");
    gw.clock().advance(DAY);
    assert_eq!(call(&gw, &second_text).await.status(), 200);
    let path = format!("/portal/applications/My%20shop/keys/{}", second["id"].as_str().expect("an id"));
    assert_eq!(ann.delete(&path).await.status(), 204);
    assert_eq!(call(&gw, &second_text).await.reason(), "api_key_unknown");
    assert_eq!(code(&ann.delete(&path).await, 404), "not_found");

    assert_eq!(ann.delete("/portal/applications/My%20shop").await.status(), 204);
    assert_eq!(expect(&ann.get("/portal/subscriptions").await, 200)["items"], json!([]));
    assert_eq!(expect(&admin.get("/subscriptions").await, 200)["total"], 0);
}

#[tokio::test]
async fn what_belongs_to_somebody_is_not_there_for_others() {
    let upstream = Upstream::text("ok").start().await;
    let (gw, admin) = with_apis(&upstream, "off").await;
    let (ann, bob) = (consumer(&gw, &admin, "ann").await, consumer(&gw, &admin, "bob").await);
    expect(&ann.post("/portal/applications", &json!({ "name": "shop" })).await, 201);
    let key = expect(&ann.post("/portal/applications/shop/keys", &json!({})).await, 201);
    let wanted = json!({ "application": "shop", "api": "orders", "plan": "free" });
    expect(&ann.post("/portal/subscriptions", &wanted).await, 201);
    // An owner in words is nobody's right.
    expect(&admin.post("/applications", &json!({ "name": "old", "owner": "bob" })).await, 201);

    let key_path = format!("/portal/applications/shop/keys/{}", key["id"].as_str().expect("an id"));
    let put = |path: &str, body: Value| json_request("PUT", path, &body);
    for request in [
        request("GET", "/api/v1/portal/applications/shop"),
        request("GET", "/api/v1/portal/applications/old"),
        request("GET", "/api/v1/portal/applications/shop/usage"),
        request("DELETE", "/api/v1/portal/applications/shop"),
        request("DELETE", &format!("/api/v1{key_path}")),
        request("DELETE", "/api/v1/portal/subscriptions/shop:orders"),
        put("/portal/applications/shop", json!({ "name": "shop", "description": "mine" })),
        put("/portal/subscriptions/shop:orders", json!({ "plan": "gold" })),
        json_request("POST", "/portal/applications/shop/keys", &json!({})),
        json_request("POST", "/portal/subscriptions", &wanted),
    ] {
        let what = format!("{request:?}");
        assert_eq!(code(&bob.send(request).await, 404), "not_found", "{what}");
    }
    assert_eq!(expect(&bob.get("/portal/applications").await, 200)["items"], json!([]));
    assert_eq!(code(&bob.post("/portal/applications", &json!({ "name": "shop" })).await, 409), "exists");

    // Only the portal is there for them, and no privilege, whatever team they are in.
    let team = json!({ "name": "all", "members": { "users": ["bob"] }, "privileges": ["Manage applications", "Manage users"] });
    let team = admin.post("/teams", &team).await;
    assert!(team.status() == 201 || team.status() == 422, "{}", team.text());
    for path in [
        "/apis",
        "/applications",
        "/users",
        "/tokens",
        "/kinds",
        "/export",
        "/audit",
        "/analytics",
        "/gateway/status",
        "/portal/approvals",
    ] {
        assert_eq!(code(&bob.get(path).await, 403), "portal_only", "{path}");
    }
    assert_eq!(expect(&bob.get("/whoami").await, 200)["privileges"], json!([]));
    for odd in ["", " x", "a:b", "a/b", "a\n"] {
        assert_eq!(
            code(&bob.post("/portal/applications", &json!({ "name": odd })).await, 400),
            "bad_request",
            "{odd:?}"
        );
    }
    let field = bob.post("/portal/applications", &json!({ "name": "x", "apis": ["orders"] })).await;
    assert_eq!(code(&field, 400), "bad_request", "nobody registers by themselves");
    let origin = bob.post("/portal/applications", &json!({ "name": "x", "origins": ["nonsense"] })).await;
    assert_eq!(code(&origin, 422), "invalid");
}

#[tokio::test]
async fn subscriptions_wait_for_approval_where_the_plan_wants_it() {
    let upstream = Upstream::text("ok").start().await;
    let (gw, admin) = with_apis(&upstream, "off").await;
    let ann = consumer(&gw, &admin, "ann").await;
    expect(&ann.post("/portal/applications", &json!({ "name": "shop" })).await, 201);
    let key = expect(&ann.post("/portal/applications/shop/keys", &json!({})).await, 201);
    let key = key["key"].as_str().expect("told once");
    let wanted = json!({ "application": "shop", "api": "orders", "plan": "gold", "message": "please" });
    assert_eq!(expect(&ann.post("/portal/subscriptions", &wanted).await, 201)["state"], "pending");
    assert_eq!(call(&gw, key).await.reason(), "subscription_pending");

    let decision = "/portal/subscriptions/shop:orders/decision";
    assert_eq!(code(&ann.post(decision, &json!({ "approve": true })).await, 403), "portal_only");
    let waiting = expect(&admin.get("/portal/approvals").await, 200);
    assert_eq!(waiting["subscriptions"][0]["message"], "please");
    let no = json!({ "approve": false, "message": "not yet" });
    assert_eq!(expect(&admin.post(decision, &no).await, 200)["state"], "rejected");
    assert_eq!(call(&gw, key).await.reason(), "subscription_rejected");
    assert_eq!(code(&admin.post(decision, &no).await, 409), "not_waiting");
    assert_eq!(expect(&ann.get("/portal/subscriptions").await, 200)["items"][0]["message"], "not yet");

    // Asked again, and approved.
    assert_eq!(expect(&ann.post("/portal/subscriptions", &wanted).await, 201)["state"], "pending");
    expect(&admin.post(decision, &json!({ "approve": true })).await, 200);
    assert_eq!(call(&gw, key).await.status(), 200);
    let audit = admin.get("/audit").await.text();
    assert!(
        audit.contains("subscription shop:orders was approved") && audit.contains("was rejected"),
        "{audit}"
    );

    // A plan that needs nobody holds at once; one that does leaves everything as it is until then.
    let plan = async |plan: &str| {
        let put = json_request("PUT", "/portal/subscriptions/shop:orders", &json!({ "plan": plan }));
        expect(&ann.send(put).await, 200)
    };
    assert_eq!(plan("free").await["plan"], "free");
    let moved = plan("gold").await;
    assert_eq!(
        (&moved["plan"], &moved["wantedPlan"], &moved["state"]),
        (&json!("free"), &json!("gold"), &json!("active"))
    );
    assert_eq!(call(&gw, key).await.header("ratelimit-policy"), "\"plan\";q=3;w=86400");
    let approved = expect(&admin.post(decision, &json!({ "approve": true })).await, 200);
    assert_eq!((&approved["plan"], &approved["wantedPlan"]), (&json!("gold"), &Value::Null));

    // What will go takes no new subscriptions, and what is retired is not there.
    let state = async |lifecycle: Value| {
        let patch = json_request("PATCH", "/apis/stock:1.0", &json!({ "lifecycle": lifecycle }));
        expect(&admin.send(patch).await, 200);
    };
    let stock = json!({ "application": "shop", "api": "stock", "plan": "free" });
    state(json!({ "state": "deprecated", "deprecatedAt": "2026-01-01T00:00:00Z" })).await;
    assert_eq!(expect(&ann.get("/portal/apis/stock:1.0").await, 200)["state"], "deprecated");
    assert_eq!(code(&ann.post("/portal/subscriptions", &stock).await, 409), "no_new_subscriptions");
    state(json!({ "state": "retired", "deprecatedAt": null })).await;
    assert_eq!(code(&ann.post("/portal/subscriptions", &stock).await, 404), "not_found");

    // Whoever is blocked does not get around it.
    let patch = json_request("PATCH", "/subscriptions/shop:orders", &json!({ "state": "blocked" }));
    expect(&admin.send(patch).await, 200);
    assert_eq!(call(&gw, key).await.reason(), "subscription_blocked");
    assert_eq!(code(&ann.delete("/portal/subscriptions/shop:orders").await, 409), "blocked");
    assert_eq!(code(&ann.post("/portal/subscriptions", &wanted).await, 409), "exists");
    let put = json_request("PUT", "/portal/subscriptions/shop:orders", &json!({ "plan": "free" }));
    assert_eq!(code(&ann.send(put).await, 409), "blocked");
    for (api, plan, status, expected) in [
        ("salaries", "free", 404, "not_found"),
        ("hidden", "free", 404, "not_found"),
        ("orders", "none", 409, "no_such_plan"),
    ] {
        let wanted = json!({ "application": "shop", "api": api, "plan": plan });
        assert_eq!(code(&ann.post("/portal/subscriptions", &wanted).await, status), expected, "{api}");
    }
}

async fn sign_up(admin: &Admin, name: &str, password: &str) -> Response {
    let body = json!({ "user": name, "password": password, "email": "a@b.example" });
    admin.send_as_it_is(json_request("POST", "/portal/signUp", &body)).await
}

#[tokio::test]
async fn people_sign_up_once_somebody_approves_it_and_nobody_learns_which_names_there_are() {
    let upstream = Upstream::text("ok").start().await;
    let (gw, admin) = with_apis(&upstream, "approval").await;
    let first = sign_up(&admin, "eve", PASSWORD).await;
    assert_eq!(expect(&first, 202)["waitsForApproval"], true);
    for taken in ["eve", "Administrator", "ADMINISTRATOR"] {
        let again = sign_up(&admin, taken, PASSWORD).await;
        assert_eq!((again.status(), again.text()), (202, first.text()), "{taken}");
    }
    assert_eq!(code(&gw.admin("eve", PASSWORD).get("/portal/profile").await, 401), "credentials_invalid");
    let waiting = expect(&admin.get("/portal/approvals").await, 200);
    assert_eq!(waiting["signUps"].as_array().map(Vec::len), Some(1), "{waiting}");
    assert!(!waiting.to_string().contains("argon2"));
    let decide = async |name: &str, approve: bool| {
        admin.post(&format!("/portal/signUps/{name}/decision"), &json!({ "approve": approve })).await
    };
    assert_eq!(decide("eve", true).await.status(), 204);
    assert_eq!(code(&decide("eve", true).await, 404), "not_found");
    let eve = gw.admin("eve", PASSWORD);
    let profile = expect(&eve.get("/portal/profile").await, 200);
    assert_eq!((&profile["groups"], &profile["portalOnly"]), (&json!(["consumers"]), &json!(true)));
    assert_eq!(code(&eve.get("/apis").await, 403), "portal_only");
    let put = json_request("PUT", "/portal/profile", &json!({ "firstName": "Eve" }));
    assert_eq!(expect(&eve.send(put).await, 200)["firstName"], "Eve");
    let put = json_request("PUT", "/portal/profile", &json!({ "groups": ["partners"] }));
    assert_eq!(code(&eve.send(put).await, 400), "bad_request");

    assert_eq!(sign_up(&admin, "mallory", PASSWORD).await.status(), 202);
    assert_eq!(decide("mallory", false).await.status(), 204);
    assert_eq!(code(&gw.admin("mallory", PASSWORD).get("/portal/profile").await, 401), "credentials_invalid");
    for (name, password, path) in
        [("x", PASSWORD, "user"), ("a b c", PASSWORD, "user"), ("frank", "short", "password")]
    {
        let refused = expect(&sign_up(&admin, name, password).await, 422);
        assert_eq!(refused["errors"][0]["path"], path, "{name}");
    }
    // Everything that was well formed has counted.
    let mut last = sign_up(&admin, "g00", PASSWORD).await;
    for n in 1..12 {
        last = sign_up(&admin, &format!("g{n:02}"), PASSWORD).await;
    }
    assert_eq!((code(&last, 429).as_str(), last.header("retry-after")), ("too_many_sign_ups", "3600"));
}

#[tokio::test]
async fn people_sign_up_at_once_where_that_is_open_and_not_at_all_where_it_is_off() {
    let upstream = Upstream::text("ok").start().await;
    let (gw, admin) = with_apis(&upstream, "off").await;
    assert_eq!(code(&sign_up(&admin, "eve", PASSWORD).await, 403), "sign_up_off");
    let portal = json_request("PATCH", "/portals/portal", &json!({ "signUp": "open" }));
    expect(&admin.send(portal).await, 200);
    // What is left behind of somebody is not for whoever takes the name.
    expect(&admin.post("/applications", &json!({ "name": "left", "portalUser": "gone" })).await, 201);
    assert_eq!(sign_up(&admin, "gone", PASSWORD).await.status(), 202);
    assert_eq!(gw.admin("gone", PASSWORD).get("/portal/profile").await.status(), 401);
    assert_eq!(expect(&sign_up(&admin, "eve", PASSWORD).await, 202)["waitsForApproval"], false);
    let eve = gw.admin("eve", PASSWORD);
    assert_eq!(expect(&eve.get("/portal/profile").await, 200)["user"], "eve");
    // A second one changes nothing.
    assert_eq!(sign_up(&admin, "eve", "another good password").await.status(), 202);
    assert_eq!(eve.get("/portal/profile").await.status(), 200);
    let groups = json_request("PATCH", "/portals/portal", &json!({ "signUpGroups": ["Administrators"] }));
    assert_eq!(code(&admin.send(groups).await, 422), "invalid");
}

#[tokio::test]
async fn consumers_rate_and_comment_on_what_they_see() {
    let upstream = Upstream::text("ok").start().await;
    let (gw, admin) = with_apis(&upstream, "off").await;
    let (ann, bob) = (consumer(&gw, &admin, "ann").await, consumer(&gw, &admin, "bob").await);
    let rate = async |who: &Admin, stars: u32| {
        who.send(json_request("PUT", "/portal/apis/orders:1.0/rating", &json!({ "stars": stars })))
            .await
            .status()
    };
    assert_eq!(
        [rate(&ann, 5).await, rate(&ann, 4).await, rate(&bob, 1).await, rate(&bob, 6).await],
        [204, 204, 204, 400]
    );
    let rating = expect(&ann.get("/portal/apis/orders:1.0").await, 200)["rating"].clone();
    assert_eq!(rating, json!({ "average": 2.5, "count": 2, "own": 4 }));
    assert_eq!(names(&expect(&ann.get("/portal/apis?sort=rating").await, 200))[0], "orders:1.0");
    assert_eq!(bob.delete("/portal/apis/orders:1.0/rating").await.status(), 204);

    let comments = "/portal/apis/orders:1.0/comments";
    let made = expect(&ann.post(comments, &json!({ "text": "<b>good</b>" })).await, 201);
    let own = format!("/portal/comments/{}", made["id"].as_str().expect("an id"));
    let page = expect(&bob.get(comments).await, 200);
    assert_eq!(
        (&page["items"][0]["text"], &page["items"][0]["deletable"]),
        (&json!("<b>good</b>"), &json!(false))
    );
    assert_eq!(code(&bob.delete(&own).await, 403), "forbidden");
    assert_eq!(code(&ann.post(comments, &json!({ "text": "  " })).await, 400), "bad_request");
    assert_eq!(code(&ann.post(comments, &json!({ "text": "x".repeat(4_001) })).await, 400), "bad_request");
    assert_eq!(ann.delete(&own).await.status(), 204);
    let off = json_request("PATCH", "/portals/portal", &json!({ "feedback": false }));
    expect(&admin.send(off).await, 200);
    assert_eq!(code(&ann.post(comments, &json!({ "text": "more" })).await, 403), "feedback_off");
    // Who comes after somebody has said nothing yet.
    expect(&admin.delete("/users/ann").await, 200);
    assert_eq!(expect(&bob.get("/portal/apis/orders:1.0").await, 200)["rating"]["count"], 0);
}

#[tokio::test]
async fn a_request_of_the_portal_goes_to_the_gateway_like_any_other() {
    let upstream = Upstream::echo().start().await;
    let (gw, admin) = with_apis(&upstream, "off").await;
    let ann = consumer(&gw, &admin, "ann").await;
    expect(&ann.post("/portal/applications", &json!({ "name": "shop" })).await, 201);
    let key = expect(&ann.post("/portal/applications/shop/keys", &json!({})).await, 201)["key"].clone();
    let wanted = json!({ "application": "shop", "api": "orders", "plan": "free" });
    expect(&ann.post("/portal/subscriptions", &wanted).await, 201);

    let tried = json!({
        "api": "orders:1.0", "method": "POST", "path": "/7?x=1", "headers": { (KEY): key }, "body": "hello",
    });
    let answer = expect(&ann.post("/portal/try", &tried).await, 200);
    assert_eq!(
        (&answer["status"], &answer["truncated"], &answer["base64"]),
        (&json!(200), &json!(false), &json!(false))
    );
    let echoed = answer["body"].as_str().expect("a text");
    assert!(echoed.contains("\"body\":\"hello\"") && !echoed.contains(KEY), "{echoed}");
    assert_eq!(upstream.last().path, "/7?x=1");
    let without = json!({ "api": "orders:1.0", "method": "GET", "path": "/7" });
    assert_eq!(expect(&ann.post("/portal/try", &without).await, 200)["status"], 401);

    for (change, status, expected) in [
        (json!({ "path": "/../hidden" }), 400, "bad_request"),
        (json!({ "headers": { "X-Forwarded-For": "10.0.0.1" } }), 400, "bad_request"),
        (json!({ "headers": { "Host": "elsewhere" } }), 400, "bad_request"),
        (json!({ "method": "CONNECT" }), 400, "bad_request"),
        (json!({ "api": "salaries:1.0" }), 404, "not_found"),
        (json!({ "api": "hidden:1.0" }), 404, "not_found"),
        (json!({ "body": "x".repeat((1 << 20) + 1) }), 413, "too_large"),
    ] {
        let mut body = without.clone();
        for (name, value) in change.as_object().expect("an object") {
            body[name] = value.clone();
        }
        assert_eq!(
            code(&ann.post("/portal/try", &body).await, status),
            expected,
            "{:.80}",
            change.to_string()
        );
    }
    let nobody = admin.send_as_it_is(json_request("POST", "/portal/try", &without)).await;
    assert_eq!(code(&nobody, 401), "credentials_missing");
    let off = json_request("PATCH", "/portals/portal", &json!({ "tryIt": false }));
    expect(&admin.send(off).await, 200);
    assert_eq!(code(&ann.post("/portal/try", &without).await, 403), "try_off");
}

#[tokio::test]
async fn what_applications_called_adds_up_for_their_owners_and_for_dashboards() {
    let upstream = Upstream::text("ok").start().await;
    let (gw, admin) = with_apis(&upstream, "off").await;
    let ann = consumer(&gw, &admin, "ann").await;
    expect(&ann.post("/portal/applications", &json!({ "name": "shop" })).await, 201);
    let key = expect(&ann.post("/portal/applications/shop/keys", &json!({})).await, 201);
    let key = key["key"].as_str().expect("told once");
    let wanted = json!({ "application": "shop", "api": "orders", "plan": "free" });
    expect(&ann.post("/portal/subscriptions", &wanted).await, 201);
    for _ in 0..5 {
        call(&gw, key).await;
    }
    assert_eq!(gw.get("/orders/7").await.status(), 401);

    let usage = expect(&ann.get("/portal/applications/shop/usage").await, 200);
    let item = &usage["items"][0];
    assert_eq!(
        (&item["api"], &item["requests"], &item["clientErrors"], &item["reasons"]),
        (&json!("orders:1.0"), &json!(5), &json!(2), &json!({ "plan_quota_exceeded": 2 })),
    );
    assert!(item["p50Ms"].is_number() && usage["items"].as_array().map(Vec::len) == Some(1));

    let by_application = expect(&admin.get("/analytics?group=application&api=orders").await, 200);
    let found: Vec<_> = by_application["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| (item["application"].clone(), item["requests"].clone()))
        .collect();
    assert_eq!(found, [(json!("shop"), json!(5)), (json!(""), json!(1))]);
    gw.clock().advance(Duration::from_secs(60));
    call(&gw, key).await;
    let by_minute = expect(&admin.get("/analytics?interval=minute&application=shop").await, 200);
    let counts: Vec<_> =
        by_minute["items"].as_array().expect("items").iter().map(|item| item["requests"].clone()).collect();
    assert_eq!(counts, [5, 1]);
    let csv = admin.get("/analytics?group=both&format=csv").await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert!(csv.text().contains(",orders:1.0,shop,6,3,0,3,0,"), "{}", csv.text());
    for query in ["from=5&to=5", "interval=minute&from=1", "from=0", "group=color"] {
        assert_eq!(code(&admin.get(&format!("/analytics?{query}")).await, 400), "bad_query", "{query}");
    }
    assert!(expect(&admin.get("/analytics?api=nothing").await, 200)["items"] == json!([]));
}
