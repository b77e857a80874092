//! What earlier versions have written is kept: databases of every level of the tables, on both engines, and exports.

use std::{fs, path::PathBuf};

use sqlx::{Connection, PgConnection, SqliteConnection, migrate::Migrator, sqlite::SqliteConnectOptions};
use store::assets::{AssetStore, Begun, RequestKey, StoreUrl};
use testkit::{Admin, Gateway, Postgres, Upstream, Value, get, json, json_request, request};

use crate::{
    command_line::Shell,
    manager::{code, expect, managed, on},
};

/// What the shop sends, and what the token of the administrator is.
const KEY: &str = "the key of the shop";
const TOKEN: &str = "gwt_of-the-old-days";
/// When all of it was written.
const THEN: u64 = 1_700_000_000_000_000;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// What a version with tables of a level has written: a piece for each level that brought tables.
fn written(level: usize) -> String {
    let pieces = (1..=level).filter_map(|n| {
        let piece = folder("tests/it/upgrades").join(format!("{n:04}.sql"));
        fs::read_to_string(piece).ok()
    });
    pieces.collect::<Vec<_>>().join("\n")
}

async fn migrations() -> Migrator {
    Migrator::new(folder("../store/migrations")).await.expect("migrations are files with numbers")
}

/// A database as a version with tables of that level has left it.
async fn old(url: &StoreUrl, level: usize) {
    let mut migrator = migrations().await;
    migrator.migrations.to_mut().truncate(level);
    let written: &'static str = written(level).leak();
    match url {
        StoreUrl::File(path) => {
            let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
            let mut connection = SqliteConnection::connect_with(&options).await.expect("opens");
            migrator.run(&mut connection).await.expect("the tables are made");
            sqlx::raw_sql(written).execute(&mut connection).await.expect("it fits into the tables");
            connection.close().await.expect("closes");
        }
        StoreUrl::Postgres(url) => {
            let mut connection = PgConnection::connect(url).await.expect("connects");
            migrator.run(&mut connection).await.expect("the tables are made");
            sqlx::raw_sql(written).execute(&mut connection).await.expect("it fits into the tables");
            connection.close().await.expect("closes");
        }
    }
}

fn sum(text: &str) -> String {
    format!("{:x}", <sha2::Sha256 as sha2::Digest>::digest(text))
}

/// What is beside the assets.
async fn keeps_what_is_beside_assets(url: &StoreUrl, level: usize) {
    let store = AssetStore::open(url).await.expect("an old store opens");
    let head = store.head().await.expect("reads");
    assert_eq!(head.revision, 3);
    assert_eq!(head.epoch == 4711, level >= 3, "a store keeps the number that it has: {}", head.epoch);
    assert_ne!(head.epoch, 0);
    assert_eq!(store.verify_audit().await.expect("reads"), Ok(14));
    let at_two = store.assets_at(2).await.expect("reads");
    assert!(at_two.iter().any(|asset| asset.name == "gone"), "{at_two:?}");
    if level >= 2 {
        let guesses = store.login_failures("mallory", 0).await.expect("reads").expect("they were counted");
        assert_eq!(guesses.failures, 3);
    }
    if level >= 3 {
        assert_eq!(store.nodes().await.expect("reads")[0].name, "gateway-1");
    }
    if level >= 5 {
        let token = store.oauth().token(&sum("an access token")).await.expect("reads").expect("is there");
        assert_eq!((token.application.as_str(), token.scope.as_str()), ("shop", "read"));
    }
    if level >= 6 {
        let key = RequestKey { hash: sum("key"), request: sum("request") };
        let begun = store.begin_once(&key, THEN, 0, 0).await.expect("reads");
        assert!(
            matches!(&begun, Begun::Done(answered) if answered.body == br#"{"revision":3}"#),
            "{begun:?}"
        );
    }
    if level >= 7 {
        assert_eq!(store.rating_of("id-api", "ann").await.expect("reads"), Some(5));
        assert_eq!(store.comments("id-api", None, 9).await.expect("reads").len(), 1);
        assert_eq!(
            store.sign_up("zoe").await.expect("reads").expect("is there").message.as_deref(),
            Some("let me in")
        );
        let sum = sum(KEY);
        assert_eq!(store.key_uses(std::slice::from_ref(&sum)).await.expect("reads").get(&sum), Some(&THEN));
    }
    if level >= 8 {
        let consent = store.oauth().consent("id-u1", "shop-client").await.expect("reads");
        assert_eq!(consent.expect("is there").scope, "read");
    }
    if level >= 11 {
        let hash = "the hash of an initial access token";
        assert!(store.oauth().use_initial_token(hash, THEN).await.expect("writes"), "one use is left");
        assert!(!store.oauth().use_initial_token(hash, THEN).await.expect("writes"));
    }
    let found = store.second_factors().await.expect("reads");
    if level >= 10 {
        assert_eq!((found[0].user.as_str(), found[0].recovery_codes), ("ann", 1));
        assert!(!store.use_code("ann", 56_666_666).await.expect("reads"), "it was used");
    } else {
        assert_eq!(found, []);
        assert!(store.begin_second_factor("ann", "v1:sealed").await.expect("writes"));
    }
    store.close().await;
}

/// What is configured, and who may change it.
async fn goes_on(gateway: &Gateway, upstream: &Upstream, level: usize) {
    let admin = gateway.admin("Administrator", "secret");
    let api = expect(&admin.get("/apis/Pets:2").await, 200);
    assert_eq!((&api["revision"], &api["createdAt"]), (&json!(3), &json!("2023-11-14T22:14:20Z")), "{api}");
    assert_eq!(api["spec"]["description"], "All about pets.");
    let count = async |list: &str| expect(&admin.get(&format!("/{list}")).await, 200)["total"].clone();
    for (list, expected) in [
        ("apis", 1),
        ("applications", 1),
        ("upstreams", 1),
        ("aliases", 1),
        ("policies", 1),
        ("groups", 3),
        ("users", 1),
    ] {
        assert_eq!(count(list).await, expected, "{list}");
    }
    let history = expect(&admin.get("/applications/id-gone/history").await, 200);
    assert_eq!(history["items"].as_array().map(Vec::len), Some(2), "{history}");
    let with_token = request("GET", "/api/v1/whoami").header("authorization", &format!("Bearer {TOKEN}"));
    assert_eq!(expect(&admin.send_as_it_is(with_token).await, 200)["user"], "Administrator");

    // It is served as it was, and changed as everything is.
    let at = async |path: &str| {
        gateway.send(get(&format!("/gateway/Pets/2{path}")).header("x-Gateway-APIKey", KEY)).await
    };
    let call = async || at("/pets/7").await;
    assert_eq!(call().await.status(), 502, "nobody is there");
    let endpoints = json!({ "endpoints": [{ "url": upstream.url() }] });
    let mut changed = expect(&admin.send(json_request("PATCH", "/upstreams/native", &endpoints)).await, 200);
    assert_eq!(changed["revision"], 4);
    if level >= 4 {
        let config = json!({ "method": "basic", "userName": "me", "password": "${secret:payment}" });
        let policies = json!([{ "type": "apiKey" }, { "type": "outboundAuthentication", "config": config }]);
        let patch = json_request("PATCH", "/apis/Pets:2", &json!({ "policies": policies }));
        changed = expect(&admin.send(patch).await, 200);
    }
    assert_eq!(call().await.status(), 200);
    assert_eq!(upstream.last().header("x-greeting"), "hello");
    if level >= 4 {
        // `me:hunter2-hunter2`, which was encrypted then.
        assert_eq!(upstream.last().header("authorization"), "Basic bWU6aHVudGVyMi1odW50ZXIy");
    }
    assert_eq!(gateway.get("/gateway/Pets/2/pets/7").await.status(), 401);
    assert_eq!(at("/toys").await.status(), 404, "the definition is there");
    expect(&admin.send(request("POST", "/api/v1/revisions/2/restore")).await, 200);
    assert_eq!(count("applications").await, 2);
    let verified = expect(&admin.send(request("POST", "/api/v1/audit/verify")).await, 200);
    assert_eq!(verified["intact"], true, "{changed}");
}

async fn every_level(postgres: bool) {
    let upstream = Upstream::text("hello").start().await;
    let folder = tempfile::tempdir().expect("temporary folders can be made");
    let key = folder.path().join("key");
    fs::write(&key, "0a".repeat(32)).expect("a file");
    let keyed = json!({ "keys": [format!("${{file:{}}}", key.display())] });
    let levels = migrations().await.migrations.len();
    assert!(levels >= 7, "{levels}");
    for level in 1..=levels {
        let server = postgres.then(Postgres::start);
        let data = folder.path().join(level.to_string());
        fs::create_dir(&data).expect("a folder");
        let (url, config, _directory) = match &server {
            Some(server) => {
                let (config, directory) = on(server);
                (StoreUrl::Postgres(server.url()), config, Some(directory))
            }
            None => {
                let config = managed().setting("dataDirectory", data.display().to_string());
                (StoreUrl::File(data.join("assets.db")), config, None)
            }
        };
        old(&url, level).await;
        keeps_what_is_beside_assets(&url, level).await;
        let gateway = Gateway::serving(config.setting("store.masterKey", keyed.clone())).await;
        goes_on(&gateway, &upstream, level).await;
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_database_of_every_earlier_level_goes_on_with_everything_in_it_on_sqlite() {
    every_level(false).await;
}

#[tokio::test]
async fn a_database_of_every_earlier_level_goes_on_with_everything_in_it_on_postgresql() {
    every_level(true).await;
}

/// A database tells by these which of them it has seen, and refuses to go on with others.
#[tokio::test]
async fn migrations_that_others_have_run_are_as_they_were() {
    let known = [
        "1954ef13103b7e64ddb8b53995944bb91ef9798b6c1f7b4b5f9f864cfb091e22",
        "ca01c6f1cac6b0c41e8ae0ffeb3cd5d56143573aa945ff279ad5e61c24eda88c",
        "aaea725770aa1b5475d2deea5c5c3c45c69110e603c7ec4865ba99058baea203",
        "9aae86d623e9f09cf34b4cc0ade1e227a0c41a36f5c850674648be506411649f",
        "7aa78c84183c5b85809192c8bcb3af6eb116ecca6fa4a6479dde6ab557db255e",
        "fc6c30251762a52e360ef3f1f6ba53b3197d0649dcd4796de04b0deb8815911f",
        "420400cad9b4714cc0bf7e39f8b7cf2840b9ebff11bfb9f9d8015a7fd1807a13",
        "034721a9b0377005611672c8f9f473a07c6ef83237743cdfff26afb4a23fa946",
        "83e5bf6206248cc6dde46a0f50ff62522784da442d2ad6212fcba38f2b7fe4de",
        "bf0ee972f63adfe2901154ae18eb2d8f116da6e14037f504c357624809fcfa43",
        "1a688e926529b72effc2d0cfc7727a21d834125485fba09f044376580c4ac858",
    ];
    let migrations = migrations().await;
    assert_eq!(migrations.migrations.len(), known.len(), "a migration that is new is written down here");
    for (migration, known) in migrations.migrations.iter().zip(known) {
        assert_eq!(
            sum(migration.sql.as_str()),
            known,
            "migration {} was changed; write another one",
            migration.version
        );
    }
}

async fn with_secret() -> (Gateway, Admin, Upstream) {
    let upstream = Upstream::text("hello").start().await;
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let secret = json!({ "name": "payment", "value": "hunter2-hunter2" });
    expect(&admin.post("/secrets", &secret).await, 201);
    (gateway, admin, upstream)
}

#[tokio::test]
async fn an_export_of_an_earlier_version_is_applied() {
    let (gateway, admin, upstream) = with_secret().await;
    let text = fs::read_to_string(folder("tests/it/upgrades/export.yaml")).expect("text");
    let folder = tempfile::tempdir().expect("temporary folders can be made");
    let file = folder.path().join("export.yaml");
    fs::write(&file, text.replace("http://127.0.0.1:1", &upstream.url())).expect("a file");
    let shell = Shell { gateway: &gateway, folder: folder.path(), password: admin.password().to_owned() };
    let applied = shell.good(&["apply", "--file", "export.yaml"]).await;
    assert!(applied.contains("Orders:1.0"), "{applied}");

    let answer = gateway.send(get("/o/7").header("x-Gateway-APIKey", KEY)).await;
    assert_eq!((answer.status(), answer.header("cache-control")), (200, "no-store"), "{}", answer.text());
    assert_eq!(upstream.last().header("x-greeting"), "hello");
    assert_eq!(upstream.last().header("x-seen"), "yes");
    let before = expect(&admin.get("/revisions").await, 200);
    let again = shell.good(&["apply", "--file", "export.yaml"]).await;
    assert_eq!(
        expect(&admin.get("/revisions").await, 200),
        before,
        "what is there is what was exported: {again}"
    );
}

#[tokio::test]
async fn an_archive_of_an_earlier_version_is_imported() {
    let (gateway, admin, upstream) = with_secret().await;
    let text = fs::read_to_string(folder("tests/it/upgrades/archive.json")).expect("text");
    let archive: Value =
        serde_json::from_str(&text.replace("http://127.0.0.1:1", &upstream.url())).expect("JSON");
    let imported = expect(&admin.post("/archive/import", &archive).await, 200);
    let results = imported["results"].as_array().expect("results").iter();
    let made = results.filter(|result| result["result"] == "created").count();
    assert_eq!(made, 4, "the secret that is there is kept: {imported}");
    assert_eq!(gateway.get("/gateway/Pets/2/pets/7").await.status(), 200);
    assert_eq!(upstream.last().header("x-greeting"), "hello");
    assert_eq!(upstream.last().header("authorization"), "Basic bWU6aHVudGVyMi1odW50ZXIy");
    let wrong = json!({ "format": "gatewright archive", "version": 0, "assets": {} });
    assert_eq!(code(&admin.post("/archive/import", &wrong).await, 400), "bad_archive");
}
