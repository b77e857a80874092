//! What is written for people holds: the README's five minutes are replayed against the built binary, every example is
//! valid, and every piece of configuration in the book is one that the gateway takes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use model::{ConfigDoc, check, yaml};

#[path = "../../../../examples/pets/upstream.rs"]
#[expect(dead_code, reason = "only what it serves is wanted, not its command line")]
mod pets;

const GATEWRIGHT: &str = env!("CARGO_BIN_EXE_gatewright");
const PATIENCE: Duration = Duration::from_secs(30);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_first_five_minutes_of_the_readme_go_as_written() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let blocks = blocks(&readme, "console");
    assert!(blocks.len() > 10, "the transcript is missing");
    while until_midnight() < Duration::from_secs(60) {
        // The quota of the example is one of a calendar day.
        thread::sleep(Duration::from_secs(1));
    }
    let mut replay = Replay::new();
    for block in blocks {
        let mut lines = block.lines().peekable();
        while let Some(line) = lines.next() {
            let command =
                line.strip_prefix("$ ").unwrap_or_else(|| panic!("expected a command, found {line:?}"));
            let mut expected = Vec::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
                expected.push(line);
            }
            replay.step(command, expected.join("\n").trim_end());
        }
    }
}

#[test]
fn every_example_is_valid() {
    let work = tempfile::tempdir().unwrap();
    copy(&root().join("examples"), work.path());
    let authority = testkit::certs::Authority::new();
    let identity = authority.issue(&["localhost"]);
    for (name, pem) in
        [("ca.pem", authority.pem()), ("api.pem", identity.certificate), ("api.key", identity.key)]
    {
        fs::write(work.path().join("tls").join(name), pem).unwrap();
    }
    let mut checked = 0;
    for entry in fs::read_dir(work.path()).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        let (file, definition) = (folder.join("gatewright.yaml"), folder.join("openapi.yaml"));
        let mut command = Command::new(GATEWRIGHT);
        if file.exists() {
            command.arg("check").arg(file);
        } else if definition.exists() {
            command.args(["import", "--dry-run", "--warnings"]).arg(definition);
        } else {
            command.arg("check").arg(&folder);
        }
        let output =
            command.env("SHOP_API_KEY", "s3cret").env("CALLBACK_KEY", "01".repeat(32)).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && !text.contains("warning: "), "{}: {text}", folder.display());
        checked += 1;
    }
    assert!(checked >= 5, "{checked} examples");
}

#[test]
fn every_piece_of_configuration_in_the_book_is_valid() {
    let mut pages = vec![root().join("CONTRIBUTING.md")];
    pages_below(&root().join("docs/src"), &mut pages);
    let mut checked = 0;
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for block in blocks(&text, "yaml") {
            let value =
                yaml::parse(&block).unwrap_or_else(|e| panic!("{}: {e}\n{block}", page.display())).value;
            if value.get("tests").is_some() {
                let parsed: Result<model::TestFile, _> = check::parse(value);
                parsed.unwrap_or_else(|e| panic!("{}: {e}\n{block}", page.display()));
                checked += 1;
                continue;
            }
            let config: ConfigDoc =
                check::parse(value).unwrap_or_else(|e| panic!("{}: {e}\n{block}", page.display()));
            let global: Vec<_> = config.policies.iter().map(model::GlobalPolicyDoc::policy).collect();
            let lists = config.apis.iter().flat_map(|api| {
                let resources = api.resources.iter().map(|resource| &resource.policies);
                let scopes = api.scopes.iter().map(|scope| &scope.policies);
                let operations = api.operation_policies.iter().map(|operation| &operation.policies);
                [&api.policies].into_iter().chain(resources).chain(scopes).chain(operations)
            });
            let templates = config.policy_templates.iter().map(|template| &template.policies);
            for policy in global.iter().chain(lists.chain(templates).flatten()) {
                // A made-up one explains how to add one.
                let Some(kind) = policies::POLICIES.iter().find(|kind| kind.type_name == policy.kind) else {
                    assert!(
                        page.ends_with("CONTRIBUTING.md"),
                        "{}: no policy {}",
                        page.display(),
                        policy.kind
                    );
                    continue;
                };
                let problems = check::check(&(kind.schema)(), &policy.config);
                assert!(problems.is_empty(), "{}: {problems:?}\n{block}", page.display());
            }
            checked += 1;
        }
    }
    assert!(checked > 10, "{checked} pieces");
}

#[test]
fn every_policy_shows_its_example() {
    for kind in policies::POLICIES {
        let page = root().join(format!("docs/src/reference/policies/{}.md", kind.type_name));
        let text = fs::read_to_string(&page).unwrap_or_else(|e| panic!("{}: {e}", page.display()));
        for line in kind.example.lines() {
            assert!(text.contains(line), "{}: lacks {line:?}", page.display());
        }
    }
}

/// The fenced blocks of a language.
fn blocks(markdown: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}");
    let mut blocks = Vec::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        if line == opening {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push(block.join("\n"));
        }
    }
    blocks
}

fn pages_below(folder: &Path, pages: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages_below(&path, pages);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_file() {
            fs::copy(&path, &target).unwrap();
        } else if !path.ends_with("gatewright-data") {
            copy(&path, &target);
        }
    }
}

fn until_midnight() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Duration::from_secs(86_400 - now.as_secs() % 86_400)
}

/// What stands for something that differs from run to run, and what it was in this one.
#[derive(Clone)]
struct Variable {
    token: &'static str,
    value: Option<String>,
}

/// A terminal in which the transcript is typed.
struct Replay {
    work: tempfile::TempDir,
    variables: Vec<Variable>,
    exported: Vec<(String, String)>,
    running: Vec<Child>,
}

impl Replay {
    fn new() -> Self {
        let work = tempfile::tempdir().unwrap();
        let upstream = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = upstream.local_addr().unwrap().port();
        thread::spawn(move || pets::serve(&upstream, "pets"));
        copy(&root().join("examples"), &work.path().join("examples"));
        // Every port is one that is free.
        let governed = work.path().join("examples/governed/gatewright.yaml");
        let text = fs::read_to_string(&governed).unwrap();
        let text = text.replace(":8090", ":0").replace(":9090", ":0").replace(":8081", &format!(":{port}"));
        fs::write(&governed, text).unwrap();
        fs::create_dir(work.path().join("bin")).unwrap();
        std::os::unix::fs::symlink(GATEWRIGHT, work.path().join("bin/gatewright")).unwrap();
        let unknown = |token| Variable { token, value: None };
        let mut variables: Vec<Variable> = ["<id>", ":8080", ":8090", ":9080", ":9090"].map(unknown).into();
        variables.push(Variable { token: ":8081", value: Some(format!(":{port}")) });
        Self { work, variables, exported: Vec::new(), running: Vec::new() }
    }

    /// Types a command and compares what comes out, for as long as that may still change.
    fn step(&mut self, command: &str, expected: &str) {
        let typed = self.fill(command);
        let started = Instant::now();
        let in_background = if command == "make run" {
            let upstream = self.fill("http://127.0.0.1:8081");
            let free = "--listen 127.0.0.1:0 --operations 127.0.0.1:0 --data-directory data";
            Some(
                self.start(&format!("gatewright up examples/pets/openapi.yaml --upstream {upstream} {free}")),
            )
        } else {
            typed.strip_suffix(" &").map(|typed| self.start(typed))
        };
        loop {
            let output = match &in_background {
                Some(file) => fs::read_to_string(file).unwrap(),
                None => self.run(&typed),
            };
            if self.compare(expected, &output) {
                return;
            }
            let may_change = in_background.is_some() || command.starts_with("gatewright ");
            assert!(
                may_change && started.elapsed() < PATIENCE,
                "$ {command}\n--- expected\n{expected}\n--- found\n{output}\n---"
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn fill(&self, text: &str) -> String {
        self.variables.iter().fold(text.to_owned(), |text, variable| match &variable.value {
            Some(value) => text.replace(variable.token, value),
            None => text,
        })
    }

    /// Starts a program whose output goes into the file that is returned.
    fn start(&mut self, command: &str) -> PathBuf {
        let path = self.work.path().join(format!("output-{}", self.running.len()));
        let output = File::create(&path).unwrap();
        let mut shell = self.shell(&format!("exec {command}"));
        self.running.push(shell.stdout(output).stderr(Stdio::null()).spawn().unwrap());
        path
    }

    fn shell(&self, command: &str) -> Command {
        let mut shell = Command::new("sh");
        let path = format!("{}:{}", self.work.path().join("bin").display(), std::env::var("PATH").unwrap());
        shell.args(["-c", command]).current_dir(self.work.path()).env("PATH", path);
        shell.env("GATEWRIGHT_GATEWAY", self.fill("http://127.0.0.1:9080")).stdin(Stdio::null());
        shell.envs(self.exported.iter().map(|(name, value)| (name, value)));
        shell
    }

    fn run(&mut self, command: &str) -> String {
        if let Some(assignment) = command.strip_prefix("export ") {
            let (name, value) = assignment.split_once('=').unwrap();
            if name != "PATH" {
                self.exported.push((name.to_owned(), value.to_owned()));
            }
            return String::new();
        }
        if command == "kill %1" {
            let mut stopped = self.running.pop().unwrap();
            assert!(self.shell(&format!("kill -TERM {}", stopped.id())).status().unwrap().success());
            assert!(stopped.wait().unwrap().success(), "the gateway did not stop cleanly");
            return String::new();
        }
        if let Some(arguments) = command.strip_prefix("curl ") {
            // The shell knows about quotes and variables.
            let split = self.shell(&format!("printf '%s\\n' {arguments}")).output().unwrap();
            self.variables[0].value = None;
            return curl(String::from_utf8(split.stdout).unwrap().lines());
        }
        String::from_utf8(self.shell(command).output().unwrap().stdout).unwrap()
    }

    fn compare(&mut self, expected: &str, output: &str) -> bool {
        // The README's gateway is where the command line looks by default, and says less.
        let output: Vec<String> = output.trim_end().lines().map(without_gateway).collect();
        let output: Vec<&str> = output.iter().map(String::as_str).collect();
        let expected: Vec<&str> = expected.lines().collect();
        let mut variables = self.variables.clone();
        let same = all_match(&expected, &output, &mut variables);
        if same {
            self.variables = variables;
        }
        same
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        for child in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn without_gateway(line: &str) -> String {
    match line.split_once(" --gateway ") {
        Some((before, after)) => format!("{before}{}", &after[after.find(' ').unwrap_or(after.len())..]),
        None => line.to_owned(),
    }
}

/// A line that is `…` stands for any number of lines.
fn all_match(expected: &[&str], found: &[&str], variables: &mut Vec<Variable>) -> bool {
    match expected {
        [] => found.is_empty(),
        ["…", rest @ ..] => (0..=found.len()).any(|skipped| {
            let mut attempt = variables.clone();
            let matched = all_match(rest, &found[skipped..], &mut attempt);
            if matched {
                *variables = attempt;
            }
            matched
        }),
        [first, rest @ ..] => {
            found.first().is_some_and(|found| line_matches(first, found, variables))
                && all_match(rest, &found[1..], variables)
        }
    }
}

/// `…` stands for any text. A variable that is not known yet is what is found in its place.
fn line_matches(expected: &str, found: &str, variables: &mut [Variable]) -> bool {
    let mut expected = expected.to_owned();
    for variable in variables.iter_mut() {
        if let (None, Some(place)) = (&variable.value, expected.find(variable.token)) {
            let Some(rest) = found.get(place..).filter(|_| found.starts_with(&expected[..place])) else {
                continue;
            };
            let colon = usize::from(variable.token.starts_with(':'));
            let length = rest[colon..].bytes().take_while(u8::is_ascii_hexdigit).count();
            variable.value = Some(rest[..colon + length].to_owned());
        }
        if let Some(value) = &variable.value {
            expected = expected.replace(variable.token, value);
        }
    }
    let mut pieces = expected.split('…');
    let Some(mut rest) = pieces.next().and_then(|first| found.strip_prefix(first)) else { return false };
    let mut last = None;
    for piece in pieces {
        let Some(place) = rest.find(piece) else { return false };
        rest = &rest[place + piece.len()..];
        last = Some(piece);
    }
    rest.is_empty() || last.is_some_and(|last| last.is_empty() || rest.ends_with(last))
}

/// As much of curl as the README uses.
fn curl<'a>(mut arguments: impl Iterator<Item = &'a str>) -> String {
    let (mut with_head, mut headers, mut url) = (false, String::new(), "");
    while let Some(argument) = arguments.next() {
        match argument {
            "-i" => with_head = true,
            "-s" => {}
            "-H" => headers.push_str(&format!("{}\r\n", arguments.next().unwrap())),
            address => url = address,
        }
    }
    let (authority, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(authority).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {authority}\r\nAccept: */*\r\n{headers}\r\n").unwrap();
    let mut answer = Vec::new();
    let (head, length) = loop {
        let mut bytes = [0; 4096];
        let count = stream.read(&mut bytes).unwrap();
        assert!(count > 0, "the connection ended early");
        answer.extend_from_slice(&bytes[..count]);
        let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        break (head.replace('\r', ""), end + 4 + length.parse::<usize>().unwrap());
    };
    let missing = length - answer.len();
    let mut rest = vec![0; missing];
    stream.read_exact(&mut rest).unwrap();
    answer.extend_from_slice(&rest);
    let body =
        String::from_utf8(answer[head.lines().map(|line| line.len() + 2).sum::<usize>() + 2..].to_vec())
            .unwrap();
    if with_head { format!("{head}\n\n{body}") } else { body }
}
