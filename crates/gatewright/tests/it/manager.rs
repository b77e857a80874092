//! The manager: every change is checked as a whole, committed with its revision and its audit record, and live when
//! the answer says so.

use testkit::{
    Admin, Config, Gateway, Postgres, Response, Upstream, Value, eventually, json, json_request, request,
};

pub(crate) fn managed() -> Config {
    Config::new().setting("manager", json!({ "enabled": true, "address": "127.0.0.1:0" }))
}

pub(crate) fn orders(upstream: &Upstream) -> Value {
    json!({ "name": "orders", "version": "1.0", "basePath": "/orders", "upstream": upstream.url() })
}

/// The answer, and what is in it, when it is what was expected.
pub(crate) fn expect(response: &Response, status: u16) -> Value {
    assert_eq!(response.status(), status, "{}", response.text());
    if response.text().is_empty() { Value::Null } else { response.json() }
}

pub(crate) fn code(response: &Response, status: u16) -> String {
    expect(response, status)["code"].as_str().expect("a problem has a code").to_owned()
}

#[tokio::test]
async fn a_change_is_live_when_it_is_acknowledged_and_every_version_of_it_stays() {
    let upstream = Upstream::text("hello").start().await;
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    assert_eq!(gateway.get("/orders/7").await.status(), 404);

    let made = admin.post("/apis", &orders(&upstream)).await;
    let api = expect(&made, 201);
    assert_eq!(
        (&api["kind"], &api["name"], &api["revision"]),
        (&json!("api"), &json!("orders:1.0"), &json!(2))
    );
    assert_eq!(made.header("etag"), "\"2\"");
    assert_eq!(gateway.get("/orders/7").await.status(), 200);

    let place = made.header("location").trim_start_matches("/api/v1").to_owned();
    let found = expect(&admin.get(&place).await, 200);
    assert_eq!(found, api);
    let patch = json_request("PATCH", "/apis/orders:1.0", &json!({ "basePath": "/o", "tags": ["a"] }));
    expect(&admin.send(patch).await, 200);
    assert_eq!((gateway.get("/orders/7").await.status(), gateway.get("/o/7").await.status()), (404, 200));

    expect(&admin.delete("/apis/orders:1.0").await, 200);
    assert_eq!(gateway.get("/o/7").await.status(), 404);
    let history = expect(&admin.get(&format!("{place}/history")).await, 200);
    let seen: Vec<_> =
        history["items"].as_array().expect("a list").iter().map(|v| v["spec"]["basePath"].clone()).collect();
    assert_eq!(seen, [Value::Null, json!("/o"), json!("/orders")]);

    // Back to how revision 2 left it.
    let restored = admin.send(request("POST", "/api/v1/revisions/2/restore")).await;
    assert_eq!(expect(&restored, 200)["revision"], 5);
    assert_eq!(gateway.get("/orders/7").await.status(), 200);
    let revisions = expect(&admin.get("/revisions").await, 200);
    let reasons: Vec<_> =
        revisions["items"].as_array().expect("a list").iter().map(|r| r["reason"].clone()).collect();
    assert_eq!(reasons[0], json!("restores revision 2"));
    assert_eq!(reasons.len(), 5);

    let audit = expect(&admin.get("/audit").await, 200);
    let newest = &audit["items"][0];
    assert_eq!(
        (&newest["user"], &newest["action"], &newest["object"], &newest["clientIPAddress"]),
        (&json!("Administrator"), &json!("create"), &json!("orders:1.0"), &json!("127.0.0.1"))
    );
    let verified = expect(&admin.send(request("POST", "/api/v1/audit/verify")).await, 200);
    assert_eq!(verified["intact"], true);
}

#[tokio::test]
async fn what_would_not_be_valid_as_a_whole_is_refused_with_every_problem_and_changes_nothing() {
    let upstream = Upstream::text("hello").start().await;
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    expect(
        &admin
            .post("/upstreams", &json!({ "name": "native", "endpoints": [{ "url": upstream.url() }] }))
            .await,
        201,
    );
    expect(
        &admin.post("/apis", &json!({ "name": "orders", "basePath": "/orders", "upstream": "native" })).await,
        201,
    );
    let before = expect(&admin.get("/revisions").await, 200);

    for (api, path, what) in [
        (json!({ "name": "a", "basePth": "/a" }), "basePth", "basePath"),
        (json!({ "name": "a", "upstream": 7 }), "upstream", "expected"),
        (json!({ "version": "1.0" }), "name", "missing"),
        (json!({ "name": "a", "upstream": "none" }), "upstream", "none"),
        (json!({ "name": "a", "basePath": "/orders", "upstream": "native" }), "basePath", "orders"),
        (
            json!({ "name": "a", "upstream": "native", "policies": [{ "type": "rateLimit", "config": { "limit": 0 } }] }),
            "policies[0].config",
            "limit",
        ),
    ] {
        let refused = expect(&admin.post("/apis", &api).await, 422);
        let problems = refused["errors"].as_array().expect("problems");
        let said = problems.iter().any(|problem| {
            let path_fits = problem["path"].as_str().is_some_and(|found| found.starts_with(path));
            path_fits && problem.to_string().contains(what)
        });
        assert!(said, "{api}: {refused}");
    }
    // Something depends on it.
    let refused = expect(&admin.delete("/upstreams/native").await, 422);
    assert_eq!(refused["errors"][0]["file"], "api orders:1.0", "{refused}");
    assert_eq!(expect(&admin.get("/revisions").await, 200), before);
    assert_eq!(gateway.get("/orders/7").await.status(), 200);

    for (path, body, expected) in [
        ("/nothings", "{}", (404, "no_such_kind")),
        ("/apis", "{", (400, "bad_json")),
        ("/apis", "[]", (422, "invalid")),
        ("/apis", &*json!({ "name": "orders", "upstream": "native" }).to_string(), (409, "exists")),
    ] {
        let request = request("POST", &format!("/api/v1{path}")).body(testkit::body::full(body.to_owned()));
        let response = admin.send(request).await;
        assert_eq!(code(&response, expected.0), expected.1, "{path} {body}");
    }
}

#[tokio::test]
async fn of_two_editors_one_wins_and_the_other_is_told() {
    let upstream = Upstream::text("hello").start().await;
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    expect(&admin.post("/apis", &orders(&upstream)).await, 201);
    let edit = |tag: Option<&str>, tags: Value| {
        let mut api = orders(&upstream);
        api["tags"] = tags;
        let request = json_request("PUT", "/apis/orders:1.0", &api);
        match tag {
            Some(tag) => request.header("if-match", tag),
            None => request,
        }
    };
    assert_eq!(code(&admin.send(edit(None, json!(["a"]))).await, 428), "if_match_missing");
    assert_eq!(code(&admin.send(edit(Some("seven"), json!(["a"]))).await, 400), "bad_if_match");
    let (first, second) = tokio::join!(
        admin.send(edit(Some("\"2\""), json!(["a"]))),
        admin.send(edit(Some("\"2\""), json!(["b"])))
    );
    let mut statuses = [first.status(), second.status()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    // The same again is no change, and no revision.
    let tags = expect(&admin.get("/apis/orders:1.0").await, 200)["spec"]["tags"].clone();
    let same = expect(&admin.send(edit(Some("*"), tags)).await, 200);
    assert_eq!(same["revision"], 3);
    let read = request("GET", "/api/v1/apis/orders:1.0").header("if-none-match", "\"3\"");
    assert_eq!(admin.send(read).await.status(), 304);
}

#[tokio::test]
async fn an_inactive_api_is_kept_unfinished_and_not_served() {
    let upstream = Upstream::text("hello").start().await;
    let gateway =
        Gateway::serving(managed().api(testkit::api("/off", "nowhere").with("inactive", true))).await;
    let admin = gateway.administrator();
    let mut draft = json!({ "name": "draft", "basePath": "/draft", "upstream": "later", "inactive": true });
    expect(&admin.post("/apis", &draft).await, 201);
    assert_eq!((gateway.get("/draft/7").await.status(), gateway.get("/off/7").await.status()), (404, 404));
    let activate = |active: bool| json_request("PATCH", "/apis/draft:1.0", &json!({ "inactive": !active }));
    let refused = expect(&admin.send(activate(true)).await, 422);
    assert_eq!(
        (&refused["errors"][0]["file"], &refused["errors"][0]["path"]),
        (&json!("api draft:1.0"), &json!("upstream"))
    );
    draft["upstream"] = upstream.url().into();
    expect(&admin.put("/apis/draft:1.0", &draft).await, 200);
    expect(&admin.send(activate(true)).await, 200);
    assert_eq!(gateway.get("/draft/7").await.status(), 200);
    expect(&admin.send(activate(false)).await, 200);
    assert_eq!(gateway.get("/draft/7").await.status(), 404);
}

#[tokio::test]
async fn a_set_is_applied_as_a_whole_planned_before_and_exported_as_it_came() {
    let upstream = Upstream::text("hello").start().await;
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let set = json!({
        "upstreams": [{ "name": "native", "endpoints": [{ "url": upstream.url() }] }],
        "apis": [
            { "name": "a", "basePath": "/a", "upstream": "native" },
            { "name": "b", "basePath": "/b", "upstream": "native" },
        ],
        "aliases": [{ "name": "greeting", "value": "hello" }],
    });
    let planned = expect(&admin.post("/plan", &set).await, 200);
    assert_eq!(planned["changes"].as_array().map(Vec::len), Some(4), "{planned}");
    assert_eq!(gateway.get("/a/7").await.status(), 404, "a plan changes nothing");
    let applied = expect(&admin.post("/apply?reason=first", &set).await, 200);
    assert_eq!((&applied["revision"], &applied["different"]), (&json!(2), &json!(true)));
    assert_eq!((gateway.get("/a/7").await.status(), gateway.get("/b/7").await.status()), (200, 200));
    let again = expect(&admin.post("/apply", &set).await, 200);
    assert_eq!(
        (&again["revision"], &again["different"], &again["changes"]),
        (&json!(2), &json!(false), &json!([]))
    );

    let exported = expect(&admin.get("/export").await, 200);
    for list in ["upstreams", "apis", "aliases"] {
        assert_eq!(exported[list], set[list], "{list}");
    }
    // One that does not fit keeps the other out.
    let half = json!({ "apis": [{ "name": "c", "basePath": "/c", "upstream": "native" }, { "name": "d", "upstream": "none" }] });
    assert_eq!(code(&admin.post("/apply", &half).await, 422), "invalid");
    assert_eq!(gateway.get("/c/7").await.status(), 404);
    let twice = json!({ "apis": [{ "name": "c" }, { "name": "c" }], "nothings": [] });
    assert_eq!(expect(&admin.post("/apply", &twice).await, 422)["errors"].as_array().map(Vec::len), Some(2));

    let less = json!({ "apis": [{ "name": "a", "basePath": "/a", "upstream": "native" }] });
    expect(&admin.post("/apply", &less).await, 200);
    assert_eq!(gateway.get("/b/7").await.status(), 200, "nothing is deleted unless it is asked for");
    let pruned = expect(&admin.post("/apply?prune=true", &less).await, 200);
    assert_eq!(pruned["changes"], json!([{ "kind": "api", "name": "b:1.0", "action": "delete" }]));
    assert_eq!(gateway.get("/b/7").await.status(), 404);
}

#[tokio::test]
async fn lists_are_filtered_searched_sorted_and_paged() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let applications: Vec<Value> = (0..25)
        .map(|n| json!({ "name": format!("app{n:02}"), "owner": if n % 2 == 0 { "ann" } else { "bob" } }))
        .collect();
    expect(&admin.post("/apply", &json!({ "applications": applications })).await, 200);
    let names = async |query: &str| {
        let page = expect(&admin.get(&format!("/applications?{query}")).await, 200);
        let items = page["items"].as_array().expect("a list").iter();
        let names: Vec<String> = items.map(|item| item["name"].as_str().unwrap_or("").to_owned()).collect();
        (names, page["total"].as_u64(), page["next"].as_str().map(str::to_owned))
    };
    let mut seen = Vec::new();
    let mut query = "limit=10&sort=-name".to_owned();
    loop {
        let (names, total, next) = names(&query).await;
        assert_eq!(total, Some(25));
        seen.extend(names);
        let Some(next) = next else { break };
        query = format!("limit=10&sort=-name&after={next}");
        // What is made meanwhile does not move what comes next.
        admin.post("/applications", &json!({ "name": "zzz" })).await;
        admin.delete("/applications/zzz").await;
    }
    let expected: Vec<String> = (0..25).rev().map(|n| format!("app{n:02}")).collect();
    assert_eq!(seen, expected);
    assert_eq!(names("filter=owner=ann").await.1, Some(13));
    assert_eq!(names("q=APP2%20bob").await.0, ["app21", "app23"]);
    let fields = expect(&admin.get("/applications?limit=1&fields=name").await, 200);
    let app00 = &fields["items"][0];
    assert_eq!((&app00["name"], &app00["spec"]), (&json!("app00"), &json!({ "name": "app00" })));
    for wrong in ["fields=colour", "after=x", "sort=colour", "filter=owner", "colour=red", "limit=-1"] {
        assert_eq!(admin.get(&format!("/applications?{wrong}")).await.status(), 400, "{wrong}");
    }
}

#[tokio::test]
async fn files_and_assets_add_up_and_a_name_of_both_is_refused() {
    let upstream = Upstream::text("hello").start().await;
    let gateway = Gateway::serving(managed().api(testkit::api("/file", &upstream))).await;
    let admin = gateway.administrator();
    expect(&admin.post("/apis", &orders(&upstream)).await, 201);
    assert_eq!((gateway.get("/file/7").await.status(), gateway.get("/orders/7").await.status()), (200, 200));
    let clash = json!({ "name": "orders2", "basePath": "/file", "upstream": upstream.url() });
    assert_eq!(code(&admin.post("/apis", &clash).await, 422), "invalid");
    // A reload of the files keeps the assets.
    gateway.reload().await.expect("nothing is wrong");
    assert_eq!((gateway.get("/file/7").await.status(), gateway.get("/orders/7").await.status()), (200, 200));
}

const DEFINITION: &str = "# Kept as it is.
openapi: 3.1.0
info: {title: Pets, version: '2'}
paths:
  /pets/{id}:
    get: {operationId: readPet, responses: {'200': {description: A pet}}}
";

#[tokio::test]
async fn an_api_is_made_from_its_definition_which_is_given_back_as_it_came() {
    let upstream = Upstream::text("hello").start().await;
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let upload = |method: &str, path: &str, text: &str| {
        request(method, &format!("/api/v1{path}")).body(testkit::body::full(text.to_owned()))
    };
    let import = format!("/apis/import?upstream={}", upstream.url());
    let planned = admin.send(upload("POST", &format!("{import}&dryRun=true"), DEFINITION)).await;
    assert_eq!(expect(&planned, 200)["operations"], 1);
    assert_eq!(admin.get("/apis/Pets:2").await.status(), 404);
    let made = expect(&admin.send(upload("POST", &import, DEFINITION)).await, 201);
    assert_eq!((&made["name"], &made["operations"]), (&json!("Pets:2"), &json!(1)), "{made}");
    assert_eq!(gateway.get("/gateway/Pets/2/pets/7").await.status(), 200);
    assert_eq!(gateway.get("/gateway/Pets/2/toys").await.status(), 404);
    let kept = admin.get("/apis/Pets:2/definition").await;
    assert_eq!((kept.text(), kept.header("content-type")), (DEFINITION.to_owned(), "application/yaml"));

    // With another definition it keeps everything else.
    let patch = json_request("PATCH", "/apis/Pets:2", &json!({ "tags": ["animals"] }));
    expect(&admin.send(patch).await, 200);
    let wider = format!("{DEFINITION}  /toys:\n    get: {{responses: {{'200': {{description: Toys}}}}}}\n");
    expect(&admin.send(upload("PUT", "/apis/Pets:2/definition", &wider)).await, 200);
    assert_eq!(gateway.get("/gateway/Pets/2/toys").await.status(), 200);
    let again = expect(&admin.send(upload("POST", &import, DEFINITION)).await, 200);
    assert_eq!(again["spec"]["tags"], json!(["animals"]));
    assert_eq!(gateway.get("/gateway/Pets/2/toys").await.status(), 404);

    for (request, what) in [
        (upload("POST", &import, "no definition"), "definition"),
        (upload("PUT", "/apis/Pets:2/definition", "{}"), "definition"),
        (json_request("POST", "/apis", &json!({ "name": "a", "definition": "/etc/passwd" })), "definition"),
        (json_request("POST", "/apis", &json!({ "name": "a", "definition": "document:00" })), "definition"),
    ] {
        let refused = expect(&admin.send(request).await, 422);
        assert_eq!(refused["errors"][0]["path"], what, "{refused}");
    }
}

/// A configuration whose store is a PostgreSQL, and what has to live as long.
pub(crate) fn on(postgres: &Postgres) -> (Config, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("temporary folders can be made");
    let file = directory.path().join("url");
    std::fs::write(&file, postgres.url()).expect("a file that can be written");
    (managed().setting("store.url", format!("${{file:{}}}", file.display())), directory)
}

#[tokio::test]
async fn two_nodes_on_one_database_serve_the_same() {
    let upstream = Upstream::text("hello").start().await;
    let mut postgres = Postgres::start();
    let (config, _directory) = on(&postgres);
    let one = Gateway::serving(config.clone()).await;
    let admin = one.administrator();
    let two = Gateway::serving(config).await;
    assert!(two.inner().first_password().is_none(), "the first start was another node's");
    let at_two: Admin = admin.at(&two);

    expect(&admin.post("/apis", &orders(&upstream)).await, 201);
    eventually("the other node serves it", async || two.get("/orders/7").await.status() == 200).await;
    // Both change something at once: both get through, one after the other.
    for round in 0..5 {
        let (a, b) = (json!({ "name": format!("a{round}") }), json!({ "name": format!("b{round}") }));
        let (first, second) = tokio::join!(admin.post("/applications", &a), at_two.post("/applications", &b));
        assert_eq!((first.status(), second.status()), (201, 201), "{} {}", first.text(), second.text());
    }
    eventually("both know both", async || {
        let totals = [admin.get("/applications").await, at_two.get("/applications").await];
        totals.iter().all(|page| page.json()["total"] == 10)
    })
    .await;

    // Without the database nothing can be changed, and everything is served.
    postgres.halt();
    let refused = admin.delete("/apis/orders:1.0").await;
    assert_eq!(code(&refused, 503), "store_failed");
    assert_eq!((one.get("/orders/7").await.status(), two.get("/orders/7").await.status()), (200, 200));
    postgres.resume();
    eventually("changes are possible again", async || admin.delete("/apis/orders:1.0").await.status() == 200)
        .await;
    eventually("the other node follows", async || two.get("/orders/7").await.status() == 404).await;
}

/// A gateway in a process of its own.
struct Process(std::process::Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Starts it; returns what it printed until it served.
    fn start(folder: &std::path::Path) -> (Self, String) {
        use std::io::BufRead;
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_gatewright"))
            .arg("run")
            .current_dir(folder)
            .env("GATEWRIGHT_LOG", "off")
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut lines = std::io::BufReader::new(child.stdout.take().expect("its output is ours"));
        let mut printed = String::new();
        while !printed.contains(" served") {
            assert_ne!(lines.read_line(&mut printed).expect("text"), 0, "it ended: {printed}");
        }
        (Self(child), printed)
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill_at_any_instant() {
    let postgres = Postgres::start();
    for url in [None, Some(postgres.url())] {
        let folder = tempfile::tempdir().expect("temporary folders can be made");
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
        let mut settings = json!({
            "manager": { "enabled": true, "address": port.to_string() },
            "operations": { "address": "127.0.0.1:0" },
            "workers": 1,
        });
        if let Some(url) = &url {
            std::fs::write(folder.path().join("url"), url).expect("a file");
            settings["store"] = json!({ "url": format!("${{file:{}/url}}", folder.path().display()) });
        }
        let config =
            json!({ "settings": settings, "listeners": [{ "name": "default", "address": "127.0.0.1:0" }] });
        std::fs::write(folder.path().join("gatewright.yaml"), config.to_string()).expect("a file");

        let mut password = String::new();
        let mut acknowledged: u64 = 0;
        for round in 0..4_u64 {
            let (mut process, printed) = Process::start(folder.path());
            if let Some((_, rest)) = printed.split_once("the password ") {
                password = rest.split_whitespace().next().expect("a password").to_owned();
            }
            let admin = Admin::new(port, "Administrator", &password);
            if round > 0 {
                let page = expect(&admin.get("/applications?limit=1000").await, 200);
                let names: Vec<_> =
                    page["items"].as_array().expect("a list").iter().map(|a| a["name"].clone()).collect();
                for n in 0..acknowledged {
                    assert!(
                        names.contains(&json!(format!("app{n:04}"))),
                        "app{n} was acknowledged: {names:?}"
                    );
                }
                // One more may have been committed whose answer was cut off.
                assert!(names.len() as u64 <= acknowledged + 1, "{names:?}");
                acknowledged = names.len() as u64;
                let verified = expect(&admin.send(request("POST", "/api/v1/audit/verify")).await, 200);
                assert_eq!(verified["intact"], true, "{verified}");
            }
            // Killed from another thread while changes go on.
            let pid = process.0.id();
            let killed = std::thread::spawn(move || {
                std::thread::sleep(std::time::Duration::from_millis(40 + 35 * round));
                let _ = std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status();
            });
            while let Some(response) = admin
                .try_send(json_request(
                    "POST",
                    "/applications",
                    &json!({ "name": format!("app{acknowledged:04}") }),
                ))
                .await
            {
                if response.status() == 201 {
                    acknowledged += 1;
                }
            }
            killed.join().expect("it ends");
            let _ = process.0.wait();
        }
        assert!(acknowledged > 0);
    }
}

#[tokio::test]
async fn assets_are_there_again_after_a_restart() {
    let upstream = Upstream::text("hello").start().await;
    let directory = tempfile::tempdir().expect("temporary folders can be made");
    let config = managed().setting("dataDirectory", directory.path().display().to_string());
    let gateway = Gateway::serving(config.clone()).await;
    let admin = gateway.administrator();
    expect(&admin.post("/apis", &orders(&upstream)).await, 201);
    let password = admin.password().to_owned();
    gateway.stop().await;
    let gateway = Gateway::serving(config).await;
    assert_eq!(gateway.get("/orders/7").await.status(), 200);
    assert!(gateway.inner().first_password().is_none());
    expect(&gateway.admin("Administrator", &password).get("/apis/orders:1.0").await, 200);
}

#[tokio::test]
async fn a_url_alias_is_live_once_it_is_made_and_gone_once_it_is_deleted() {
    let upstream = Upstream::text("hello").start().await;
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    expect(&admin.post("/apis", &orders(&upstream)).await, 201);
    let alias = json!({ "name": "shop", "path": "/shop", "target": "/orders" });
    let made = expect(&admin.post("/urlAliases", &alias).await, 201);
    assert_eq!((&made["kind"], &made["name"]), (&json!("urlAlias"), &json!("shop")));
    assert_eq!(gateway.get("/shop/7").await.status(), 200);

    let circle = json!({ "name": "loop", "path": "/loop", "target": "/shop" });
    let refused = expect(&admin.post("/urlAliases", &circle).await, 422);
    assert!(refused.to_string().contains("under alias `shop`"), "{refused}");

    expect(&admin.delete("/urlAliases/shop").await, 200);
    assert_eq!(gateway.get("/shop/7").await.status(), 404);
}
