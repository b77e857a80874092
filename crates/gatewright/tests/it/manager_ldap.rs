//! Users of a directory log in at the manager: with their own password, as what their groups become, and only while the
//! directory says so.

use std::time::Duration;

use testkit::{Authority, Config, Gateway, OpenLdap, Value, eventually, json, json_request, request};

use crate::manager::{code, expect, managed};

const PEOPLE: &[(&str, &[&str])] =
    &[("ann", &["ops", "staff"]), ("bob", &["staff"]), ("carl", &["nothing"]), ("Administrator", &["ops"])];

fn settings(url: &str) -> Value {
    json!({
        "url": url,
        "bindDn": "cn=reader,dc=example,dc=com",
        "bindPassword": "${file:reader}",
        "userBase": "ou=people,dc=example,dc=com",
        "groupBase": "ou=groups,dc=example,dc=com",
        "timeout": "2s",
        "groups": [
            { "dn": "CN=ops, ou=groups,dc=example,dc=com", "group": "Administrators" },
            { "dn": "cn=staff,ou=groups,dc=example,dc=com", "group": "API-Gateway-Providers" },
        ],
    })
}

/// A gateway that asks a directory; the reader's password is in a file beside its configuration.
fn asking(settings: Value) -> Config {
    asking_at("manager.ldap", managed(), settings)
}

fn asking_at(place: &str, config: Config, mut settings: Value) -> Config {
    let folder = tempfile::tempdir().expect("temporary folders can be made").keep();
    let file = folder.join("reader");
    std::fs::write(&file, "reader-password").expect("a file");
    settings["bindPassword"] = format!("${{file:{}}}", file.display()).into();
    config.setting(place, settings)
}

#[tokio::test]
async fn users_of_a_directory_are_what_their_groups_become() {
    let ldap = OpenLdap::start(PEOPLE, None);
    let gateway = Gateway::serving(asking(settings(&ldap.url()))).await;
    let ann = gateway.admin("ann", "ann-password");
    let who = expect(&ann.get("/whoami").await, 200);
    assert!(who["privileges"].to_string().contains("Manage user administration"), "{who}");
    let bob = gateway.admin("bob", "bob-password");
    let who = expect(&bob.get("/whoami").await, 200);
    assert!(who["privileges"].to_string().contains("Manage APIs"), "{who}");
    assert_eq!(code(&bob.post("/users", &json!({ "name": "x" })).await, 403), "forbidden");
    let session = json!({ "user": "ann", "password": "ann-password" });
    let login = bob.send_as_it_is(json_request("POST", "/session", &session)).await;
    assert_eq!(expect(&login, 200)["groups"], json!(["Administrators", "API-Gateway-Providers"]));
    let cookie = login.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
    let shown = bob.send_as_it_is(request("GET", "/api/v1/session").header("cookie", &cookie)).await;
    assert_eq!(expect(&shown, 200)["user"], "ann");
    let audit = expect(&ann.get("/audit?limit=1").await, 200);
    assert_eq!((&audit["items"][0]["user"], &audit["items"][0]["action"]), (&json!("ann"), &json!("login")));

    for (user, password) in [
        // No group of carl becomes anything here; an empty password would be taken for nobody in particular.
        ("carl", "carl-password"),
        ("ann", ""),
        ("ann", "bob-password"),
        ("*", "ann-password"),
        ("ann)(uid=bob", "ann-password"),
        ("nobody", "ann-password"),
        // Who is a user here has a password here, and no other.
        ("Administrator", "Administrator-password"),
    ] {
        let refused = gateway.admin(user, password).get("/whoami").await;
        assert_eq!(code(&refused, 401), "credentials_invalid", "{user}");
    }
    // Wrong passwords count for them, too, before the directory is asked.
    for _ in 0..30 {
        gateway.admin("bob", "wrong").get("/whoami").await;
    }
    assert_eq!(code(&bob.get("/whoami").await, 429), "too_many_failures");
}

#[tokio::test]
async fn a_user_is_who_the_directory_says_however_the_name_is_typed() {
    let ldap = OpenLdap::start(PEOPLE, None);
    let mut settings = settings(&ldap.url());
    settings["groups"][0]["group"] = "API-Gateway-Providers".into();
    // What both APIs and the manager go by is enough, and the manager's own counts first.
    let gateway = Gateway::serving(asking_at("ldap", managed(), settings.clone())).await;
    for typed in ["bob", "Bob", "BOB", "Bob"] {
        let who = expect(&gateway.admin(typed, "bob-password").get("/whoami").await, 200);
        assert_eq!(who["user"], "bob", "{typed}");
    }
    // That is somebody here, who has another password.
    let refused = gateway.admin("administrator", "Administrator-password").get("/whoami").await;
    assert_eq!(code(&refused, 401), "credentials_invalid");
    let both = asking_at("ldap", managed(), settings.clone());
    settings["groups"] = json!([]);
    let gateway = Gateway::serving(asking_at("manager.ldap", both, settings)).await;
    assert_eq!(gateway.admin("bob", "bob-password").get("/whoami").await.status(), 401);
}

#[tokio::test]
async fn nobody_signs_up_under_a_name_of_the_directory() {
    let ldap = OpenLdap::start(PEOPLE, None);
    let gateway = Gateway::serving(asking(settings(&ldap.url()))).await;
    let admin = gateway.administrator();
    expect(&admin.post("/portals", &json!({ "name": "portal", "signUp": "open" })).await, 201);
    let sign_up = async |user: &str| {
        let body = json!({ "user": user, "password": "a good long password" });
        admin.send_as_it_is(json_request("POST", "/portal/signUp", &body)).await
    };
    for user in ["bob", "eve"] {
        assert_eq!(sign_up(user).await.status(), 202, "it is not told who is there");
    }
    assert_eq!(gateway.admin("bob", "a good long password").get("/portal/profile").await.status(), 401);
    expect(&gateway.admin("bob", "bob-password").get("/whoami").await, 200);
    expect(&gateway.admin("eve", "a good long password").get("/portal/profile").await, 200);
}

#[tokio::test]
async fn a_directory_that_is_away_lets_nobody_in_and_is_asked_again_when_it_is_back() {
    let mut ldap = OpenLdap::start(PEOPLE, None);
    let gateway = Gateway::serving(asking(settings(&ldap.url()))).await;
    let admin = gateway.administrator();
    let bob = gateway.admin("bob", "bob-password");
    expect(&bob.get("/whoami").await, 200);
    let token = expect(&bob.post("/tokens", &json!({ "name": "t" })).await, 201)["token"].clone();
    let with_token = || {
        let bearer = format!("Bearer {}", token.as_str().expect("a token"));
        request("GET", "/api/v1/whoami").header("authorization", &bearer)
    };
    ldap.halt();
    let ann = gateway.admin("ann", "ann-password");
    assert_eq!(code(&ann.get("/whoami").await, 503), "directory_away");
    expect(&admin.get("/whoami").await, 200);
    // What was known goes on counting for a while, and not for good.
    expect(&bob.send_as_it_is(with_token()).await, 200);
    gateway.advance(Duration::from_secs(600));
    assert_eq!(code(&bob.send_as_it_is(with_token()).await, 503), "directory_away");
    ldap.resume();
    eventually("it is asked again", async || ann.get("/whoami").await.status() == 200).await;
    expect(&bob.send_as_it_is(with_token()).await, 200);
}

#[tokio::test]
async fn passwords_go_to_a_directory_over_tls_whose_certificate_is_trusted() {
    let authority = Authority::new();
    let ldap = OpenLdap::start(PEOPLE, Some(&authority.issue(&["localhost"])));
    let folder = tempfile::tempdir().expect("temporary folders can be made");
    let write = |name: &str, pem: String| {
        let file = folder.path().join(name);
        std::fs::write(&file, pem).expect("a file");
        file.display().to_string()
    };
    let (trusted, other) = (write("ca.pem", authority.pem()), write("other.pem", Authority::new().pem()));
    for (url, start_tls) in [(ldap.url(), true), (ldap.tls_url(), false)] {
        let mut wanted = settings(&url);
        wanted["startTls"] = start_tls.into();
        wanted["caFile"] = trusted.as_str().into();
        let gateway = Gateway::serving(asking(wanted.clone())).await;
        expect(&gateway.admin("ann", "ann-password").get("/whoami").await, 200);
        assert_eq!(gateway.admin("ann", "wrong").get("/whoami").await.status(), 401);
        wanted["caFile"] = other.as_str().into();
        let gateway = Gateway::serving(asking(wanted)).await;
        assert_eq!(
            code(&gateway.admin("ann", "ann-password").get("/whoami").await, 503),
            "directory_away",
            "{url}"
        );
    }
}
