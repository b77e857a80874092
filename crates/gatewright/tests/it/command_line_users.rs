//! Logging in, users, differences and completion on the command line.

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

use testkit::{Gateway, json};

use crate::{
    manager::{expect, managed},
    manager_sessions::{Browser, PASSWORD, with_user},
    second_factor::set_up,
};

/// Somebody with the binary and a folder of their own, who has no password in the environment.
struct Person<'a> {
    gateway: &'a Gateway,
    home: &'a Path,
}

impl Person<'_> {
    async fn run(&self, arguments: &[&str], environment: &[(&str, &str)], input: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatewright"));
        let manager = format!("http://{}", self.gateway.inner().admin().expect("there is a manager"));
        command
            .args(arguments)
            .current_dir(self.home)
            .env("XDG_CONFIG_HOME", self.home)
            .env("GATEWRIGHT_MANAGER", manager)
            .env("GATEWRIGHT_LOG", "off")
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let input = input.to_owned();
        let run = tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().expect("the binary runs");
            child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
            child.wait_with_output().expect("it ends")
        });
        run.await.expect("it does not panic")
    }

    async fn good(&self, arguments: &[&str], input: &str) -> String {
        let output = self.run(arguments, &[], input).await;
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    }
}

fn said(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn whoever_logs_in_needs_no_password_until_they_log_out() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let home = tempfile::tempdir().expect("temporary folders can be made");
    let ann = Person { gateway: &gateway, home: home.path() };
    let refused = ann.run(&["get", "groups"], &[], "").await;
    assert!(said(&refused).contains("gatewright login"));
    let wrong = ann.run(&["login"], &[("GATEWRIGHT_PASSWORD", "wrong")], "").await;
    assert!(said(&wrong).contains("The user or the password is wrong"));
    let login = ann.run(&["login"], &[("GATEWRIGHT_PASSWORD", admin.password())], "").await;
    assert!(login.status.success(), "{login:?}");
    let file = home.path().join("gatewright/profiles.json");
    assert_eq!(fs::metadata(&file).expect("it is kept").permissions().mode() & 0o777, 0o600);
    let kept = fs::read_to_string(&file).expect("text");
    assert!(!kept.contains(admin.password()), "a token is kept, and no password");
    assert!(ann.good(&["get", "groups"], "").await.contains("Administrators"));
    let tokens = expect(&admin.get("/tokens").await, 200);
    assert!(tokens["items"][0]["expiresAt"].is_string(), "{tokens}");

    // The token is for that manager only.
    let elsewhere = ann.run(&["get", "groups"], &[("GATEWRIGHT_MANAGER", "http://127.0.0.1:1")], "").await;
    assert!(said(&elsewhere).contains("nobody is logged in at http://127.0.0.1:1"));
    let nobody = ann.run(&["get", "groups", "--profile", "other"], &[], "").await;
    assert!(said(&nobody).contains("gatewright login --profile other"));

    ann.good(&["logout"], "").await;
    assert_eq!(expect(&admin.get("/tokens").await, 200)["items"], json!([]));
    assert!(said(&ann.run(&["get", "groups"], &[], "").await).contains("gatewright login"));
}

#[tokio::test]
async fn whoever_has_a_second_factor_logs_in_with_a_code() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    with_user(&admin, "pat", json!([]), false).await;
    let app = set_up(&gateway, &Browser::of(&admin, "pat", PASSWORD).await).await;
    let home = tempfile::tempdir().expect("temporary folders can be made");
    let pat = Person { gateway: &gateway, home: home.path() };
    let login = async |more: &[&str]| {
        let arguments = [&["login", "--user", "pat"], more].concat();
        pat.run(&arguments, &[("GATEWRIGHT_PASSWORD", PASSWORD)], "").await
    };
    assert!(said(&login(&[]).await).contains("--code"));
    assert!(said(&login(&["--code", "nothing"]).await).contains("wrong, or was used before"));
    let done = login(&["--code", &app.shows(&gateway)]).await;
    assert!(done.status.success(), "{done:?}");
    assert!(pat.good(&["get", "groups"], "").await.contains("Administrators"));

    let as_admin = [("GATEWRIGHT_PASSWORD", admin.password())];
    let reset = pat.run(&["user", "reset-second-factor", "pat"], &as_admin, "").await;
    assert!(reset.status.success(), "{reset:?}");
    assert!(login(&[]).await.status.success());
}

#[tokio::test]
async fn users_are_made_and_let_in_again() {
    let gateway = Gateway::serving(managed().setting("manager.accountLock.attempts", 2)).await;
    let admin = gateway.administrator();
    let home = tempfile::tempdir().expect("temporary folders can be made");
    let root = Person { gateway: &gateway, home: home.path() };
    let login = root.run(&["login"], &[("GATEWRIGHT_PASSWORD", admin.password())], "").await;
    assert!(login.status.success(), "{login:?}");
    let create = ["user", "create", "ann", "--group", "API-Gateway-Providers", "--stdin"];
    assert_eq!(root.good(&create, "correct horse battery\n").await, "ann was made\n");
    let ann = gateway.admin("ann", "correct horse battery");
    assert_eq!(expect(&ann.get("/whoami").await, 200)["user"], "ann");
    let short = root.run(&["user", "password", "ann", "--stdin"], &[], "short\n").await;
    assert!(said(&short).contains("12"), "{short:?}");
    root.good(&["user", "password", "ann", "--stdin", "--temporary"], "another horse battery\n").await;
    let ann = gateway.admin("ann", "another horse battery");
    assert_eq!(ann.get("/whoami").await.json()["code"], "password_must_change");
    for _ in 0..3 {
        gateway.admin("ann", "wrong").get("/whoami").await;
    }
    assert_eq!(ann.get("/whoami").await.status(), 429);
    assert_eq!(root.good(&["user", "unlock", "ann"], "").await, "ann can log in again\n");
    assert!(said(&root.run(&["user", "unlock", "nobody"], &[], "").await).contains("nobody"));
}

#[tokio::test]
async fn a_difference_is_shown_line_by_line_and_its_exit_code_tells_whether_there_is_one() {
    let gateway = Gateway::serving(managed()).await;
    let admin = gateway.administrator();
    let home = tempfile::tempdir().expect("temporary folders can be made");
    let root = Person { gateway: &gateway, home: home.path() };
    let password = [("GATEWRIGHT_PASSWORD", admin.password())];
    let api = json!({ "name": "a", "basePath": "/a", "upstream": "http://127.0.0.1:1" });
    expect(&admin.post("/apis", &api).await, 201);
    fs::write(
        home.path().join("set.yaml"),
        "apis: [{name: a, basePath: /b, upstream: 'http://127.0.0.1:1'}]\ngroups: [{name: new}]\n",
    )
    .expect("a file");
    let differs = root.run(&["diff", "-f", "set.yaml"], &password, "").await;
    assert_eq!(differs.status.code(), Some(2), "{differs:?}");
    let text = String::from_utf8(differs.stdout).expect("text");
    assert!(
        text.contains("--- api a:1.0\n+++ api a:1.0\n") && text.contains("-basePath: /a\n+basePath: /b\n"),
        "{text}"
    );
    assert!(text.contains("--- /dev/null\n+++ group new\n"), "{text}");
    let applied = root.run(&["apply", "-f", "set.yaml"], &password, "").await;
    assert!(applied.status.success(), "{applied:?}");
    let same = root.run(&["diff", "-f", "set.yaml"], &password, "").await;
    assert_eq!((same.status.code(), same.stdout.as_slice()), (Some(0), &b"\n"[..]), "{same:?}");
}

#[tokio::test]
async fn shells_can_complete_commands() {
    let gateway = Gateway::serving(managed()).await;
    let home = tempfile::tempdir().expect("temporary folders can be made");
    let person = Person { gateway: &gateway, home: home.path() };
    for shell in ["bash", "zsh", "fish"] {
        let script = person.good(&["completion", shell], "").await;
        assert!(script.contains("gatewright") && script.contains("rollback"), "{shell}");
    }
}
