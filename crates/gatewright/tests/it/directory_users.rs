//! Users of a directory authenticate at APIs as users of the configuration do, without a manager: with the password that
//! they have there, under the name that they have there, in the groups that theirs become.

use std::time::Duration;

use testkit::{Config, Gateway, OpenLdap, Upstream, Value, api, get, json};

const PEOPLE: &[(&str, &[&str])] =
    &[("ann", &["staff"]), ("bob", &["other"]), ("eve", &["staff"]), ("carl", &["other"])];
/// The hash of `secret`, as cheap as argon2id can be.
const SECRET: &str =
    "$argon2id$v=19$m=64,t=1,p=1$c29tZS1zYWx0LTEyMw$Z89NTPS/6ujZFB41o2RM6zNuwGClxqmoVIxTuk+Xchg";

/// An API `a` for whoever authenticates, and `b` for `operators`. Eve is a user here, and one of the directory.
fn asking(ldap: &OpenLdap, upstream: &Upstream, remember: &str) -> Config {
    let folder = tempfile::tempdir().expect("temporary folders can be made").keep();
    let write = |name: &str, text: &str| {
        let file = folder.join(name);
        std::fs::write(&file, text).expect("a file");
        format!("${{file:{}}}", file.display())
    };
    let identify = json!({ "lookup": "relaxed", "rules": [{ "type": "httpBasic" }] });
    let open = api("/a", upstream)
        .policy("identifyAndAuthorize", identify.clone())
        .policy("customHeaders", json!({ "headers": { "X-Who": "${request.authorization.userName}" } }));
    let closed = api("/b", upstream)
        .policy("identifyAndAuthorize", identify)
        .policy("authorizeUser", json!({ "groups": ["operators"] }));
    let application: Value =
        json!({ "name": "desk", "apis": ["a"], "identifiers": { "userNames": ["ann"] } });
    Config::from(open)
        .api(closed)
        .append("applications", application)
        .append("users", json!({ "name": "eve", "password": write("eve", SECRET) }))
        .setting(
            "ldap",
            json!({
                "url": ldap.url(),
                "bindDn": "cn=reader,dc=example,dc=com",
                "bindPassword": write("reader", "reader-password"),
                "userBase": "ou=people,dc=example,dc=com",
                "groupBase": "ou=groups,dc=example,dc=com",
                "timeout": "2s",
                "remember": remember,
                "groups": [{ "dn": "cn=staff,ou=groups,dc=example,dc=com", "group": "operators" }],
            }),
        )
}

async fn outcome(gateway: &Gateway, path: &str, user: &str, password: &str) -> (u16, String) {
    let response = gateway.send(get(path).basic(user, password)).await;
    (response.status(), response.reason())
}

#[tokio::test]
async fn users_of_a_directory_pass_with_their_password_and_their_groups() {
    let ldap = OpenLdap::start(PEOPLE, None);
    let upstream = Upstream::echo().start().await;
    let gateway = Gateway::serving(asking(&ldap, &upstream, "60s")).await;
    for (path, user, password, status, reason) in [
        ("/a", "ann", "ann-password", 200, ""),
        ("/b", "ann", "ann-password", 200, ""),
        // No group of bob becomes anything here: he is somebody all the same.
        ("/a", "bob", "bob-password", 200, ""),
        ("/b", "bob", "bob-password", 403, "caller_not_authorized"),
        ("/a", "ann", "bob-password", 401, "credentials_invalid"),
        ("/a", "ann", "", 401, "credentials_invalid"),
        ("/a", "", "ann-password", 401, "credentials_invalid"),
        ("/a", "nobody", "ann-password", 401, "credentials_invalid"),
        ("/a", "*", "ann-password", 401, "credentials_invalid"),
        ("/a", "ann)(uid=bob", "ann-password", 401, "credentials_invalid"),
        ("/a", "uid=ann,ou=people,dc=example,dc=com", "ann-password", 401, "credentials_invalid"),
        // Who is a user here has a password here, and no other, however the name is typed.
        ("/a", "eve", "secret", 200, ""),
        ("/a", "eve", "eve-password", 401, "credentials_invalid"),
        ("/a", "EVE", "eve-password", 401, "credentials_invalid"),
    ] {
        let expected = (status, reason.to_owned());
        assert_eq!(outcome(&gateway, path, user, password).await, expected, "{path} {user} {password}");
    }
}

#[tokio::test]
async fn a_user_is_who_the_directory_says_however_the_name_is_typed() {
    let ldap = OpenLdap::start(PEOPLE, None);
    let upstream = Upstream::echo().start().await;
    let gateway = Gateway::serving(asking(&ldap, &upstream, "60s")).await;
    for typed in ["ann", "Ann", "ANN", "Ann"] {
        let response = gateway.send(get("/a").basic(typed, "ann-password")).await;
        assert_eq!(response.status(), 200, "{typed}");
        assert_eq!(upstream.last().header("x-who"), "ann", "{typed}");
        assert_eq!(upstream.last().header("authorization"), "", "the password does not go on");
        assert_eq!(gateway.explain(&response).await.application.as_deref(), Some("desk"), "{typed}");
    }
}

#[tokio::test]
async fn what_was_right_counts_for_a_while_and_a_directory_that_is_away_is_no_wrong_password() {
    let mut ldap = OpenLdap::start(PEOPLE, None);
    let upstream = Upstream::echo().start().await;
    let gateway = Gateway::serving(asking(&ldap, &upstream, "60s")).await;
    let ann = async || outcome(&gateway, "/b", "ann", "ann-password").await;
    let (passes, away, wrong) =
        ((200, String::new()), (503, "directory_away".to_owned()), (401, "credentials_invalid".to_owned()));
    assert_eq!(ann().await, passes);
    ldap.halt();
    gateway.advance(Duration::from_secs(59));
    assert_eq!(ann().await, passes, "nobody is asked about her");
    assert_eq!(outcome(&gateway, "/a", "bob", "bob-password").await, away);
    assert_eq!(outcome(&gateway, "/a", "ann", "wrong").await, away);
    assert_eq!(outcome(&gateway, "/a", "eve", "secret").await, passes, "users here need no directory");
    gateway.advance(Duration::from_secs(2));
    assert_eq!(ann().await, away);
    ldap.resume();
    assert_eq!(ann().await, passes, "it is asked again as soon as it is back");

    ldap.change(
        "dn: uid=ann,ou=people,dc=example,dc=com\nchangetype: modify\nreplace: userPassword\n\
         userPassword: another\n",
    );
    assert_eq!(ann().await, passes, "for as long as it is remembered");
    assert_eq!(outcome(&gateway, "/b", "ann", "another").await, passes, "the new one counts at once");
    gateway.advance(Duration::from_secs(61));
    assert_eq!(ann().await, wrong, "and the old one not any more");
    assert_eq!(outcome(&gateway, "/b", "ann", "another").await, passes);
    ldap.change("dn: uid=ann,ou=people,dc=example,dc=com\nchangetype: delete\n");
    gateway.advance(Duration::from_secs(61));
    assert_eq!(outcome(&gateway, "/b", "ann", "another").await, wrong, "she is gone");
}

#[tokio::test]
async fn nothing_is_remembered_where_the_settings_say_so() {
    let mut ldap = OpenLdap::start(PEOPLE, None);
    let upstream = Upstream::echo().start().await;
    let gateway = Gateway::serving(asking(&ldap, &upstream, "0s")).await;
    assert_eq!(outcome(&gateway, "/a", "ann", "ann-password").await.0, 200);
    ldap.halt();
    assert_eq!(outcome(&gateway, "/a", "ann", "ann-password").await.1, "directory_away");
}

#[tokio::test]
async fn wrong_passwords_of_a_directory_lock_the_address_and_one_that_is_away_does_not() {
    let mut ldap = OpenLdap::start(PEOPLE, None);
    let upstream = Upstream::echo().start().await;
    let config = asking(&ldap, &upstream, "60s").setting("addressLock", json!({ "attempts": 2 }));
    let gateway = Gateway::serving(config).await;
    ldap.halt();
    for _ in 0..3 {
        assert_eq!(outcome(&gateway, "/a", "ann", "wrong").await.1, "directory_away");
    }
    ldap.resume();
    for _ in 0..2 {
        assert_eq!(outcome(&gateway, "/a", "ann", "wrong").await.1, "credentials_invalid");
    }
    assert_eq!(outcome(&gateway, "/a", "ann", "ann-password").await.1, "address_locked");
}
