//! What the store keeps of tokens, the same on both engines.

use store::assets::{AssetStore, OauthStore, OauthToken, StoreUrl, TokenFilter, TokenOwner};
use testkit::Postgres;

fn token(name: &str, kind: &str, family: &str, expires_at: Option<u64>) -> OauthToken {
    OauthToken {
        hash: format!("hash of {name}"),
        id: name.to_owned(),
        kind: kind.to_owned(),
        family: family.to_owned(),
        client: "shop".to_owned(),
        application: "Shop".to_owned(),
        user: (family != "own").then(|| "ada".to_owned()),
        scope: "read".to_owned(),
        issued_at: 10,
        expires_at,
        used_at: None,
        revoked_at: None,
        number: 0,
        document: "{}".to_owned(),
    }
}

/// Ids of the tokens that changed after a number, and the number to go on from.
async fn after(store: &OauthStore, number: u64) -> (Vec<String>, u64) {
    let found = store.tokens_after(number, "hash of zzz", 100).await.expect("it is there");
    let newest = found.last().map_or(number, |token| token.number);
    (found.into_iter().map(|token| token.id).collect(), newest)
}

#[tokio::test]
async fn tokens_are_followed_revoked_and_deleted() {
    for postgres in [None, Some(Postgres::start())] {
        let directory = tempfile::tempdir().expect("temporary folders can be made");
        let url = match &postgres {
            None => StoreUrl::File(directory.path().join("assets.db")),
            Some(postgres) => StoreUrl::Postgres(postgres.url()),
        };
        let assets = AssetStore::open(&url).await.expect("an empty store opens");
        let store = assets.oauth();
        let first = vec![token("a1", "access", "f", Some(100)), token("r1", "refresh", "f", Some(900))];
        assert!(store.put_tokens(first, None).await.expect("it is there"));
        assert!(
            store.put_tokens(vec![token("own", "access", "own", None)], None).await.expect("it is there")
        );
        let (ids, number) = after(&store, 0).await;
        assert_eq!((ids, number), (vec!["a1".to_owned(), "r1".to_owned(), "own".to_owned()], 2));

        // A refresh token is used up together with what comes of it, and once.
        let second = vec![token("a2", "access", "f", Some(100)), token("r2", "refresh", "f", Some(900))];
        assert!(store.put_tokens(second, Some(("hash of r1", 20))).await.expect("it is there"));
        let third = || vec![token("a3", "access", "f", Some(100))];
        assert!(!store.put_tokens(third(), Some(("hash of r1", 21))).await.expect("it is there"));
        assert_eq!(store.token("hash of a3").await.expect("it is there"), None);
        let used = store.token("hash of r1").await.expect("it is there").expect("it was put");
        assert_eq!((used.used_at, used.number), (Some(20), 3));
        let (mut ids, number) = after(&store, number).await;
        ids.sort();
        assert_eq!((ids, number), (vec!["a2".to_owned(), "r1".to_owned(), "r2".to_owned()], 3));

        // To a family that is over nothing is added.
        assert_eq!(store.revoke(TokenOwner::Family("f"), 30).await.expect("it is there"), 4);
        assert_eq!(store.revoke(TokenOwner::Family("f"), 31).await.expect("it is there"), 0);
        assert!(!store.put_tokens(third(), None).await.expect("it is there"));
        let (ids, _) = after(&store, number).await;
        assert_eq!(ids.len(), 4, "everybody hears of it");

        let live = TokenFilter { live_at: Some(50), most: 10, ..TokenFilter::default() };
        let ids = async |filter: &TokenFilter| -> Vec<String> {
            let found = store.list_tokens(filter).await.expect("it is there");
            found.into_iter().map(|token| token.id).collect()
        };
        assert_eq!(ids(&live).await, ["own"]);
        let of_ada = TokenFilter { user: Some("ada".to_owned()), most: 3, ..TokenFilter::default() };
        assert_eq!(ids(&of_ada).await, ["r2", "r1", "a2"]);
        let rest = TokenFilter { before: Some((10, "a2".to_owned())), ..of_ada };
        assert_eq!(ids(&rest).await, ["a1"]);

        assert_eq!(store.clean_up(101).await.expect("it is there"), 2);
        assert_eq!(store.revoke(TokenOwner::Application("Shop"), 110).await.expect("it is there"), 1);
        assert_eq!(
            store.clean_up(1_000).await.expect("it is there"),
            2,
            "others may not know yet of the last one"
        );
        assert_eq!(store.clean_up(31 * 86_400_000_000).await.expect("it is there"), 1);
    }
}

#[tokio::test]
async fn what_is_issued_at_once_is_written_together_and_each_on_its_own_account() {
    for postgres in [None, Some(Postgres::start())] {
        let directory = tempfile::tempdir().expect("temporary folders can be made");
        let url = match &postgres {
            None => StoreUrl::File(directory.path().join("assets.db")),
            Some(postgres) => StoreUrl::Postgres(postgres.url()),
        };
        let assets = AssetStore::open(&url).await.expect("an empty store opens");
        let store = assets.oauth();
        let known = vec![token("known", "access", "f", None), token("r", "refresh", "f", None)];
        assert!(store.put_tokens(known, None).await.expect("it is there"));
        store.revoke(TokenOwner::Family("over"), 30).await.expect("it is there");

        let names: Vec<String> = (0..600).map(|n| format!("t{n}")).collect();
        let fresh = names.iter().map(|name| (token(name, "access", "g", None), None));
        let again = (token("known", "access", "g", None), None);
        let of_over = (token("o", "access", "over", None), None);
        let refreshed = ["x", "y"].map(|name| (token(name, "access", "f", None), Some(("hash of r", 40))));
        let all = [again, of_over].into_iter().chain(refreshed).chain(fresh);
        let put = all.map(|(token, from)| store.put_tokens(vec![token], from));
        let put = futures_util::future::join_all(put).await;

        // One that has a hash twice is wrong, and nobody else is.
        assert!(put[0].is_err(), "{:?}", put[0]);
        let put: Vec<bool> = put[1..].iter().map(|put| *put.as_ref().expect("it is there")).collect();
        assert!(!put[0], "its family is over");
        assert_ne!(put[1], put[2], "a refresh token is good for one of them");
        assert!(put[3..].iter().all(|put| *put));
        let found = store.tokens_after(0, "", 1_000).await.expect("it is there");
        assert_eq!(found.len(), 2 + 1 + 600);
        let newest = found.last().map_or(0, |token| token.number);
        assert!(newest < 300, "they were written together: {newest}");
    }
}
