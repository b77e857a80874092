//! The audit log: found by what it is about, and downloaded as text.

use std::{fs, io::Read};

use flate2::read::DeflateDecoder;
use testkit::{Gateway, json};

use crate::{
    command_line::Shell,
    manager::{code, expect, managed},
};

/// The files of a zip, by what its directory says.
fn unzip(archive: &[u8]) -> Vec<(String, String)> {
    let number = |at: usize, length: usize| {
        archive[at..at + length].iter().rev().fold(0_usize, |whole, byte| whole << 8 | usize::from(*byte))
    };
    let end = archive.len() - 22;
    assert_eq!(&archive[end..end + 4], b"PK\x05\x06");
    let mut at = number(end + 16, 4);
    let mut files = Vec::new();
    for _ in 0..number(end + 10, 2) {
        assert_eq!(&archive[at..at + 4], b"PK\x01\x02");
        let (packed, length, name_length, file) =
            (number(at + 20, 4), number(at + 24, 4), number(at + 28, 2), number(at + 42, 4));
        let name = String::from_utf8(archive[at + 46..at + 46 + name_length].to_vec()).expect("text");
        assert_eq!(&archive[file..file + 4], b"PK\x03\x04");
        let begin = file + 30 + number(file + 26, 2) + number(file + 28, 2);
        let mut content = String::new();
        DeflateDecoder::new(&archive[begin..begin + packed])
            .read_to_string(&mut content)
            .expect("it is deflated");
        assert_eq!(content.len(), length, "{name}");
        files.push((name, content));
        at += 46 + name_length;
    }
    assert_eq!(at, end, "nothing is between the directory and its end");
    files
}

#[tokio::test]
async fn records_are_found_by_what_they_are_about_and_downloaded_as_text() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    for n in 0..3 {
        expect(&admin.post("/applications", &json!({ "name": format!("100%_{n}") })).await, 201);
    }
    expect(&admin.delete("/applications/100%25_1").await, 200);
    gateway.advance(std::time::Duration::from_secs(3_600));
    expect(&admin.post("/aliases", &json!({ "name": "late", "value": "x" })).await, 201);
    // Somebody who wants to be a line of their own.
    assert_eq!(gateway.admin("=cmd()\t\nforged", "wrong").get("/whoami").await.status(), 401);

    let count = async |filter: &str| {
        expect(&admin.get(&format!("/audit?limit=1000&{filter}")).await, 200)["items"]
            .as_array()
            .map_or(0, Vec::len)
    };
    for (filter, records) in [
        ("objectType=application", 4),
        ("objectType=application&action=delete", 1),
        ("eventType=Access%20management", 1),
        ("user=Administrator&objectType=alias", 1),
        ("text=100%25_", 4),
        ("text=APPLICATION%20100%25_1", 2),
        ("text=100!", 0),
        ("from=2026-01-15T11:00:00Z", 2),
        ("from=2026-01-15T12:00:00%2B01:00", 2),
        ("from=2026-01-15T10:00:00Z&to=2026-01-15T10:30:00Z&objectType=application", 4),
        ("text='%20OR%201=1", 0),
    ] {
        assert_eq!(count(filter).await, records, "{filter}");
    }
    assert_eq!(code(&admin.get("/audit?from=yesterday").await, 400), "bad_query");

    let folder = tempfile::tempdir().expect("temporary folders can be made");
    let shell = Shell { gateway: &gateway, folder: folder.path(), password: admin.password().to_owned() };
    shell.good(&["audit", "download", "all.zip"]).await;
    let files = unzip(&fs::read(folder.path().join("all.zip")).expect("a file"));
    assert_eq!(files.len(), 1);
    let (name, text) = &files[0];
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(name, "auditlogs_1.txt");
    assert_eq!(
        lines[0][..10],
        [
            "id",
            "eventType",
            "creationDate",
            "objectType",
            "action",
            "object",
            "message",
            "user",
            "sourceMachine",
            "clientIPAddress"
        ]
    );
    assert!(lines.iter().all(|line| line.len() == lines[0].len()), "{text}");
    assert_eq!(lines.len(), 1 + count("").await);
    assert_eq!(lines[1][7], "=cmd()\\t\\nforged");
    assert_eq!((lines[2][2], lines[2][3], lines[2][5]), ("2026-01-15T11:00:00Z", "alias", "late"));
    shell
        .good(&["audit", "download", "some.zip", "--object-type", "application", "--action", "delete"])
        .await;
    let files = unzip(&fs::read(folder.path().join("some.zip")).expect("a file"));
    assert_eq!(files[0].1.lines().count(), 2);
    let listed = shell.good(&["audit", "--text", "late"]).await;
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(
        shell.bad(&["audit", "download", "no.zip", "--from", "yesterday"]).await.contains("expected a time")
    );
    assert!(!folder.path().join("no.zip").exists());
}

#[tokio::test]
async fn what_was_changed_is_kept_when_it_is_wanted_and_no_secret_with_it() {
    let gateway = Gateway::serving(managed().setting("manager.auditPayload", true)).await;
    let admin = gateway.administrator();
    expect(&admin.post("/groups", &json!({ "name": "a", "description": "old" })).await, 201);
    let patch = testkit::json_request("PATCH", "/groups/a", &json!({ "description": "new" }));
    expect(&admin.send(patch).await, 200);
    expect(&admin.post("/secrets", &json!({ "name": "s", "value": "hunter2-hunter2" })).await, 201);
    expect(&admin.delete("/groups/a").await, 200);
    let found = expect(&admin.get("/audit?limit=4").await, 200);
    let payload = |place: usize| -> testkit::Value {
        let text = found["items"][place]["payload"].as_str().expect("a payload");
        serde_json::from_str(text).expect("JSON")
    };
    let (old, new) =
        (json!({ "name": "a", "description": "old" }), json!({ "name": "a", "description": "new" }));
    assert_eq!(payload(0), json!({ "before": new, "after": null }));
    assert_eq!(payload(1), json!({ "before": null, "after": { "name": "s" } }));
    assert_eq!(payload(2), json!({ "before": old, "after": new }));
    assert_eq!(payload(3), json!({ "before": null, "after": old }));
    assert!(!found.to_string().contains("hunter2"));
    let verified = admin.send(testkit::request("POST", "/api/v1/audit/verify")).await;
    assert_eq!(expect(&verified, 200)["intact"], true);
    // Nobody gets it without asking for it.
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    expect(&admin.post("/groups", &json!({ "name": "a" })).await, 201);
    assert_eq!(expect(&admin.get("/audit?limit=1").await, 200)["items"][0]["payload"], testkit::Value::Null);
}
