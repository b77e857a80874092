//! Gatewright. Governed by its `apiKey` and `rateLimit` policies, with events, decision records and metrics as they
//! are by default; the other works switch events and records off, as the others log nothing there.

use std::{
    fmt::Write as _,
    io,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Proxy, Setup};
use crate::{
    options::Options,
    process::Process,
    work::{BASE, DEFINITION, KEYS, ROUTES_PER_GROUP, Work, group, key, operation, sha256},
};

const DEFINITION_FILE: &str = "bench-api.yaml";

pub struct Gatewright;

impl Proxy for Gatewright {
    fn name(&self) -> &'static str {
        "gatewright"
    }

    fn program(&self, options: &Options) -> Result<PathBuf, String> {
        if let Some(file) = &options.gatewright {
            return if file.is_file() {
                Ok(file.clone())
            } else {
                Err(format!("no file {}", file.display()))
            };
        }
        // Beside this program, wherever the target directory is.
        let own = std::env::current_exe().map_err(|error| error.to_string())?;
        let file = own.parent().unwrap_or(Path::new(".")).join("gatewright");
        if !file.is_file() {
            build()?;
        }
        if file.is_file() { Ok(file) } else { Err("the build left no binary `gatewright`".into()) }
    }

    fn configure(&self, setup: &Setup) -> io::Result<Command> {
        if setup.work == Work::Policies {
            setup.write(DEFINITION_FILE, DEFINITION)?;
        }
        let config = setup.write("gatewright.yaml", &config(setup))?;
        let mut command = Command::new(&setup.program);
        command.args(["run", "-c"]).arg(config);
        Ok(command)
    }

    fn change(&self, setup: &Setup, _: &Process) -> io::Result<()> {
        setup.replace("gatewright.yaml", &config(setup))
    }
}

fn build() -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status =
        Command::new(cargo).args(["build", "--release", "-p", "gatewright", "--bin", "gatewright"]).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        _ => Err("not built: cargo build --release -p gatewright --bin gatewright".into()),
    }
}

fn config(setup: &Setup) -> String {
    let governed = matches!(setup.work, Work::Governed | Work::Policies);
    let mut text = format!(
        r#"settings:
  workers: {workers}
  operations: {{ address: "127.0.0.1:{operations}" }}
  dataDirectory: "{data}"
{quiet}listeners:
  - name: bench
    address: "127.0.0.1:{port}"
{tls}upstreams:
  - name: up
    endpoints:
      - url: "http://127.0.0.1:{upstream}"
apis:
"#,
        workers = setup.workers,
        operations = setup.operations,
        data = setup.file("data").display(),
        quiet = if governed { "" } else { "  explain: { sampling: \"0%\" }\n  events: { enabled: false }\n" },
        port = setup.port,
        tls = tls(setup),
        upstream = setup.upstream(),
    );
    if setup.work == Work::Policies {
        chain(&mut text, setup.policies);
        return text;
    }
    if setup.routes > 0 {
        routes(&mut text, setup.routes);
    } else {
        text.push_str(&api("bench", BASE));
        for (method, path) in [("GET", "/150"), ("GET", "/64k"), ("POST", "/echo")] {
            text.push_str(&operation_line(method, path));
        }
    }
    if governed {
        govern(&mut text);
    }
    text
}

fn tls(setup: &Setup) -> String {
    if !setup.tls() {
        return String::new();
    }
    format!(
        "    tls:\n      certificates:\n        - certificateFile: \"{}\"\n          keyFile: \"{}\"\n",
        setup.certificate.chain.display(),
        setup.certificate.key.display()
    )
}

fn api(name: &str, base_path: &str) -> String {
    format!(
        "  - name: {name}\n    version: \"1.0\"\n    basePath: {base_path}\n    upstream: up\n    operations:\n"
    )
}

fn operation_line(method: &str, path: &str) -> String {
    format!("      - {{ method: {method}, path: {path} }}\n")
}

/// Many routes are many APIs, as they come to be in practice.
fn routes(text: &mut String, routes: usize) {
    for n in 0..routes {
        if n % ROUTES_PER_GROUP == 0 {
            text.push_str(&api(&group(n), &format!("{BASE}/{}", group(n))));
        }
        text.push_str(&operation_line("GET", &format!("/{}", operation(n))));
    }
}

/// An API with a definition and these policies.
fn chain(text: &mut String, policies: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "  - name: bench\n    version: \"1.0\"\n    basePath: {BASE}\n    upstream: up\n    definition: {DEFINITION_FILE}"
    );
    if !policies.is_empty() {
        let _ = writeln!(text, "    policies:\n      {policies}");
    }
    text.push_str("applications:\n");
    applications(text);
}

fn govern(text: &mut String) {
    text.push_str(
        "    policies:
      - type: apiKey
        config: {}
      - type: rateLimit
        config: { limit: 1000000000, window: 1m, algorithm: fixedWindow, key: application }
applications:
",
    );
    applications(text);
}

fn applications(text: &mut String) {
    for n in 0..KEYS {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "  - {{ name: app{n}, apis: [bench], apiKeys: [{{ hash: \"sha256:{}\" }}] }}",
            sha256(&key(n))
        );
    }
}
