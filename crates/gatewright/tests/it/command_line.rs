//! The command line changes assets as the admin API does, and its exit codes are for scripts.

use std::{
    path::Path,
    process::{Command, Output},
};

use testkit::{Config, Gateway, Upstream, json};

/// Somebody with the binary, a password and a folder.
pub(crate) struct Shell<'a> {
    pub gateway: &'a Gateway,
    pub folder: &'a Path,
    pub password: String,
}

impl Shell<'_> {
    pub async fn run(&self, arguments: &[&str]) -> Output {
        let manager = format!("http://{}", self.gateway.inner().admin().expect("there is a manager"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatewright"));
        command
            .args(arguments)
            .current_dir(self.folder)
            .env("GATEWRIGHT_MANAGER", manager)
            .env("GATEWRIGHT_GATEWAY", format!("http://{}", self.gateway.inner().operations()))
            .env("GATEWRIGHT_PASSWORD", &self.password)
            .env("GATEWRIGHT_LOG", "off");
        // The manager answers on this thread.
        let run = tokio::task::spawn_blocking(move || command.output()).await;
        run.expect("it does not panic").expect("the binary runs")
    }

    /// What is printed when it goes well.
    pub async fn good(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// What is said when it does not.
    pub async fn bad(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        String::from_utf8(output.stderr).expect("text")
    }
}

#[tokio::test]
async fn documents_are_planned_applied_exported_and_applied_again_without_a_difference() {
    let upstream = Upstream::text("hello").start().await;
    let config = Config::new().setting("manager", json!({ "enabled": true, "address": "127.0.0.1:0" }));
    let gateway = Gateway::serving(config).await;
    let folder = tempfile::tempdir().expect("temporary folders can be made");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    let password = gateway.inner().first_password().expect("the first start").to_owned();
    let shell = Shell { gateway: &gateway, folder: folder.path(), password };

    write(
        "pets.yaml",
        "openapi: 3.1.0\ninfo: {title: Pets, version: '2'}\npaths:\n  /pets/{id}: {get: {responses: {'200': {description: ok}}}}\n",
    );
    write(
        "set.yaml",
        &format!(
            "settings: {{workers: 7}}\nupstreams: [{{name: native, endpoints: [{{url: '{}'}}]}}]\napis: [{{definition: pets.yaml, upstream: native}}]\n",
            upstream.url()
        ),
    );
    let planned = shell.run(&["plan", "-f", "set.yaml"]).await;
    assert_eq!(planned.status.code(), Some(2), "{planned:?}");
    let planned = String::from_utf8(planned.stdout).expect("text");
    assert!(planned.contains("create api Pets:2") && planned.contains("2 assets would change"), "{planned}");
    let applied = shell.good(&["apply", "-f", "set.yaml", "--reason", "first"]).await;
    assert!(applied.contains("create upstream native") && applied.contains("revision 2"), "{applied}");
    assert_eq!(gateway.get("/gateway/Pets/2/pets/7").await.status(), 200);
    assert!(shell.good(&["apply", "-f", "set.yaml"]).await.contains("nothing is different"));

    let listed = shell.good(&["get", "apis"]).await;
    assert!(listed.lines().nth(1).is_some_and(|line| line.trim_start().starts_with("Pets:2")), "{listed}");
    let one = shell.good(&["get", "apis", "Pets:2"]).await;
    assert!(one.contains("\n  upstream: native\n"), "{one}");

    let exported = shell.good(&["export"]).await;
    assert!(!exported.contains("weight") && !exported.contains("revision"), "{exported}");
    write("export.yaml", &exported);
    assert!(shell.good(&["plan", "-f", "export.yaml"]).await.contains("nothing is different"));

    shell.good(&["delete", "apis", "Pets:2"]).await;
    assert_eq!(gateway.get("/gateway/Pets/2/pets/7").await.status(), 404);
    shell.good(&["rollback", "2"]).await;
    assert_eq!(gateway.get("/gateway/Pets/2/pets/7").await.status(), 200);
    let history = shell.good(&["history"]).await;
    assert!(history.contains("restores revision 2") && history.contains("first"), "{history}");
    assert!(shell.good(&["audit", "--verify"]).await.starts_with("intact, "));
    assert!(shell.good(&["audit"]).await.contains("upstream native was created"));
}

#[tokio::test]
async fn what_is_wrong_is_said_with_its_place_and_what_to_do() {
    let config = Config::new().setting("manager", json!({ "enabled": true, "address": "127.0.0.1:0" }));
    let gateway = Gateway::serving(config).await;
    let folder = tempfile::tempdir().expect("temporary folders can be made");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    let password = gateway.inner().first_password().expect("the first start").to_owned();
    let mut shell = Shell { gateway: &gateway, folder: folder.path(), password };

    write("typo.yaml", "apis: [{name: a, upstreem: x}]\n");
    let said = shell.bad(&["apply", "-f", "typo.yaml"]).await;
    assert!(said.contains("typo.yaml:1") && said.contains("upstream"), "{said}");
    write("dangling.yaml", "apis: [{name: a, upstream: nowhere}]\n");
    let said = shell.bad(&["apply", "-f", "dangling.yaml"]).await;
    assert!(said.contains("api a:1.0") && said.contains("nowhere"), "{said}");
    write("lost.yaml", "apis: [{definition: lost.json}]\n");
    assert!(shell.bad(&["plan", "-f", "lost.yaml"]).await.contains("lost.json"));
    assert!(shell.bad(&["get", "apis", "nothing"]).await.contains("no api `nothing`"));
    assert!(shell.bad(&["get", "nothings"]).await.contains("expected one of"));
    assert!(shell.bad(&["rollback", "99"]).await.contains("the newest is 1"));
    assert!(
        shell.bad(&["get", "apis", "--manager", "http://127.0.0.1:1"]).await.contains("no manager answers")
    );
    shell.password = "wrong".to_owned();
    assert!(shell.bad(&["get", "apis"]).await.contains("The user or the password is wrong"));
}
