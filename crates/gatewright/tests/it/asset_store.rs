//! The asset store keeps what was committed, whole, in order, and the same on both engines.

use store::assets::{
    AssetStore, AuditEntry, AuditFilter, Change, Commit, CommitError, Expected, Head, StoreUrl,
};
use testkit::Postgres;

/// A store on one of the engines, and what has to live as long.
struct Bed {
    store: AssetStore,
    url: StoreUrl,
    postgres: Option<Postgres>,
    _directory: tempfile::TempDir,
}

async fn beds() -> Vec<Bed> {
    let mut beds = Vec::new();
    for postgres in [None, Some(Postgres::start())] {
        let directory = tempfile::tempdir().expect("temporary folders can be made");
        let url = match &postgres {
            None => StoreUrl::File(directory.path().join("assets.db")),
            Some(postgres) => StoreUrl::Postgres(postgres.url()),
        };
        let store = AssetStore::open(&url).await.expect("an empty store opens");
        beds.push(Bed { store, url, postgres, _directory: directory });
    }
    beds
}

fn change(name: &str, expected: Expected, document: Option<&str>) -> Change {
    Change {
        kind: "upstream".into(),
        id: format!("id-{name}"),
        name: name.into(),
        expected,
        document: document.map(Into::into),
        sealed: None,
    }
}

fn commit<'a>(
    store: &AssetStore,
    base: u64,
    changes: &'a [Change],
    audit: &'a [AuditEntry<'a>],
) -> Commit<'a> {
    let (epoch, at) = (store.follow().borrow().epoch, 1_000 + base);
    Commit { base, epoch, at, author: "ada", reason: Some("a try"), changes, audit, former_users: &[] }
}

const ENTRY: AuditEntry<'static> = AuditEntry {
    event_type: "Configuration",
    object_type: "upstream",
    action: "create",
    object: "a",
    message: "upstream a was created",
    user: "ada",
    source_machine: "node",
    client_ip: "127.0.0.1",
    payload: Some("{}"),
};

#[tokio::test]
async fn every_version_stays_and_any_revision_can_be_read_again() {
    for Bed { store, .. } in beds().await {
        assert_eq!(store.head().await.expect("reads").revision, 0);
        let (a, b) = (change("a", Expected::Absent, Some("1")), change("b", Expected::Absent, Some("1")));
        assert_eq!(store.commit(&commit(&store, 0, &[a, b], &[ENTRY])).await.expect("commits"), 1);
        let second = [change("a", Expected::At(1), Some("2"))];
        assert_eq!(store.commit(&commit(&store, 1, &second, &[])).await.expect("commits"), 2);
        let third = [change("b", Expected::At(1), None)];
        assert_eq!(store.commit(&commit(&store, 2, &third, &[])).await.expect("commits"), 3);

        let (Head { revision, .. }, assets) = store.assets().await.expect("reads");
        let seen: Vec<_> =
            assets.iter().map(|a| (&*a.name, a.revision, &*a.document, a.created_at)).collect();
        assert_eq!((revision, seen), (3, vec![("a", 2, "2", 1_000)]));

        let at_one = store.assets_at(1).await.expect("reads");
        let seen: Vec<_> = at_one.iter().map(|a| (&*a.name, a.document.as_deref())).collect();
        assert_eq!(seen, [("a", Some("1")), ("b", Some("1"))]);

        let (Head { revision: head, .. }, since) = store.changed_since(1).await.expect("reads");
        let seen: Vec<_> = since.iter().map(|a| (&*a.name, a.revision, a.document.as_deref())).collect();
        assert_eq!((head, seen), (3, vec![("a", 2, Some("2")), ("b", 3, None)]));

        let history = store.history("upstream", "id-a").await.expect("reads");
        let seen: Vec<_> = history.iter().map(|v| (v.revision, v.changed_at, &*v.author)).collect();
        assert_eq!(seen, [(2, 1_001, "ada"), (1, 1_000, "ada")]);
        let revisions = store.revisions(Some(3), 10).await.expect("reads");
        let seen: Vec<_> = revisions.iter().map(|r| (r.revision, r.assets, r.reason.as_deref())).collect();
        assert_eq!(seen, [(2, 1, Some("a try")), (1, 2, Some("a try"))]);
    }
}

#[tokio::test]
async fn a_commit_that_does_not_fit_leaves_nothing_behind() {
    for Bed { store, .. } in beds().await {
        let first = [change("a", Expected::Absent, Some("1"))];
        store.commit(&commit(&store, 0, &first, &[])).await.expect("commits");
        // Made from an older revision.
        let late =
            store.commit(&commit(&store, 0, &[change("b", Expected::Absent, Some("1"))], &[ENTRY])).await;
        assert!(matches!(late, Err(CommitError::Behind { head: 1 })), "{late:?}");
        // The second change of each does not fit; the first one would.
        let misfits = [
            change("a", Expected::Absent, Some("2")),
            change("a", Expected::At(7), Some("2")),
            change("a", Expected::At(7), None),
            change("gone", Expected::At(1), None),
            Change { id: "other".into(), ..change("a", Expected::Absent, Some("2")) },
        ];
        for misfit in misfits {
            let changes = [change("b", Expected::Absent, Some("1")), misfit];
            let refused = store.commit(&commit(&store, 1, &changes, &[ENTRY])).await;
            assert!(matches!(refused, Err(CommitError::Conflict { .. })), "{changes:?}: {refused:?}");
        }
        let (Head { revision, .. }, assets) = store.assets().await.expect("reads");
        assert_eq!((revision, assets.len()), (1, 1));
        assert_eq!(store.verify_audit().await.expect("reads"), Ok(0));
    }
}

#[tokio::test]
async fn only_one_of_two_who_commit_at_once_gets_through() {
    for Bed { store, url, postgres, .. } in beds().await {
        // Another node, where there can be one.
        let other = AssetStore::open(if postgres.is_some() { &url } else { continue }).await.expect("opens");
        let mut seen = other.follow();
        for round in 0..20 {
            let mine = [change(&format!("a{round}"), Expected::Absent, Some("1"))];
            let theirs = [change(&format!("b{round}"), Expected::Absent, Some("1"))];
            let (mine, theirs) = (commit(&store, round, &mine, &[]), commit(&other, round, &theirs, &[]));
            let (mine, theirs) = tokio::join!(store.commit(&mine), other.commit(&theirs));
            assert!(mine.is_ok() != theirs.is_ok(), "{mine:?} {theirs:?}");
            seen.wait_for(|head| head.revision == round + 1).await.expect("the store is open");
        }
        let (Head { revision, .. }, assets) = store.assets().await.expect("reads");
        assert_eq!((revision, assets.len()), (20, 20));
        other.close().await;
    }
}

#[tokio::test]
async fn the_audit_log_shows_what_was_done_to_it() {
    for Bed { store, url, postgres: _postgres, .. } in beds().await {
        let changes = [change("a", Expected::Absent, Some("1"))];
        store.commit(&commit(&store, 0, &changes, &[ENTRY, ENTRY])).await.expect("commits");
        let login = AuditEntry { event_type: "Access management", user: "eve", ..ENTRY };
        store.record(7, &[login]).await.expect("records");
        assert_eq!(store.verify_audit().await.expect("reads"), Ok(3));
        let all = AuditFilter { most: 10, ..AuditFilter::default() };
        let records = store.audit(&all).await.expect("reads");
        let seen: Vec<_> = records.iter().map(|r| (r.id, r.at, r.revision, &*r.user)).collect();
        assert_eq!(seen, [(3, 7, None, "eve"), (2, 1_000, Some(1), "ada"), (1, 1_000, Some(1), "ada")]);
        let eve = AuditFilter { user: Some("eve".into()), ..all.clone() };
        assert_eq!(store.audit(&eve).await.expect("reads").len(), 1);
        let before = AuditFilter { before: Some(2), ..all };
        assert_eq!(store.audit(&before).await.expect("reads").len(), 1);

        for (statement, undo, id) in [
            (
                "UPDATE audit SET username = 'bob' WHERE number = 2",
                "UPDATE audit SET username = 'ada' WHERE number = 2",
                2,
            ),
            (
                "UPDATE audit SET number = 9 WHERE number = 3",
                "UPDATE audit SET number = 3 WHERE number = 9",
                3,
            ),
            (
                "UPDATE audit SET payload = NULL WHERE number = 1",
                "UPDATE audit SET payload = '{}' WHERE number = 1",
                1,
            ),
        ] {
            execute(&url, statement).await;
            let found = store.verify_audit().await.expect("reads").expect_err(statement);
            assert_eq!(found.id, id, "{statement}");
            execute(&url, undo).await;
            assert_eq!(store.verify_audit().await.expect("reads"), Ok(3), "{undo}");
        }
    }
}

/// Somebody with access to the database.
async fn execute(url: &StoreUrl, statement: &'static str) {
    use sqlx::Connection;
    match url {
        StoreUrl::File(path) => {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
            let mut connection = sqlx::SqliteConnection::connect_with(&options).await.expect("opens");
            sqlx::raw_sql(statement).execute(&mut connection).await.expect("is valid");
        }
        StoreUrl::Postgres(url) => {
            let mut connection = sqlx::PgConnection::connect(url).await.expect("connects");
            sqlx::raw_sql(statement).execute(&mut connection).await.expect("is valid");
        }
    }
}

#[tokio::test]
async fn a_store_is_found_again_as_it_was_left() {
    for Bed { store, url, mut postgres, .. } in beds().await {
        let changes = [change("a", Expected::Absent, Some("1"))];
        store.commit(&commit(&store, 0, &changes, &[ENTRY])).await.expect("commits");
        store.close().await;
        if let Some(postgres) = &mut postgres {
            postgres.halt();
            assert!(AssetStore::open(&url).await.is_err(), "nobody is there");
            postgres.resume();
        }
        let store = AssetStore::open(&url).await.expect("opens");
        let (Head { revision, .. }, assets) = store.assets().await.expect("reads");
        assert_eq!((revision, &*assets[0].document), (1, "1"));
        assert_eq!(store.verify_audit().await.expect("reads"), Ok(1));
    }
}
