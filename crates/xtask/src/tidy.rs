//! Tidiness: which crate may know which, which licences and crates may come in, and how a source file has to look.
//! What rustfmt and clippy can say is left to them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{cargo, root};

/// What each crate may know of the others. `xtask` may know all that is not named here as forbidden.
const EDGES: [(&str, &[&str]); 13] = [
    ("model", &[]),
    ("definition", &["model"]),
    ("jose", &[]),
    ("saml", &["jose"]),
    ("engine", &["jose", "model"]),
    ("policies", &["engine", "jose", "model"]),
    ("proxy", &["engine", "model"]),
    ("store", &["model"]),
    ("identity", &["jose", "model", "saml", "store"]),
    ("manager", &["definition", "identity", "model", "store"]),
    (
        "gatewright",
        &[
            "definition",
            "engine",
            "identity",
            "jose",
            "manager",
            "model",
            "policies",
            "proxy",
            "saml",
            "store",
        ],
    ),
    ("bench", &["jose"]),
    ("testkit", &["definition", "engine", "gatewright", "model", "policies", "proxy", "store"]),
];
/// Crates that only tests may use.
const FOR_TESTS: [&str; 1] = ["testkit"];
/// What a crate may know besides, in its tests.
const TEST_EDGES: [(&str, &str); 1] = [("policies", "definition")];

const LICENCES: [&str; 14] = [
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "Unicode-3.0",
    "CC0-1.0",
    "BSL-1.0",
    "Unlicense",
    "CDLA-Permissive-2.0",
];
/// One TLS stack and one crypto provider: rustls on aws-lc-rs.
const BANNED: [&str; 3] = ["ring", "openssl-sys", "native-tls"];

/// At this length look for the seam; at the second one there is no way around it.
const LONG: usize = 600;
const TOO_LONG: usize = 700;
/// Texts are looked at, whatever they are for.
const TEXTS: [&str; 10] = ["rs", "toml", "md", "yaml", "yml", "json", "lock", "svg", "sh", "html"];

pub fn run() -> Result<(), String> {
    let mut problems = Vec::new();
    files(&root(), &mut problems)?;
    edges(&mut problems)?;
    dependencies(&mut problems)?;
    for problem in &problems {
        eprintln!("tidy: {problem}");
    }
    match problems.len() {
        0 => Ok(()),
        1 => Err("1 thing is untidy".into()),
        count => Err(format!("{count} things are untidy")),
    }
}

fn files(root: &Path, problems: &mut Vec<String>) -> Result<(), String> {
    let mut all = Vec::new();
    walk(root, &mut all).map_err(|error| error.to_string())?;
    // Written like this so that this file does not find itself.
    let places: Vec<String> = ["home", "root", "Users"].iter().map(|name| format!("/{name}/")).collect();
    let here = root.display().to_string();
    for path in all {
        let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        let Ok(text) = fs::read_to_string(&path) else { continue };
        if name.ends_with(".rs") {
            source(&name, &text, problems);
        }
        for (number, line) in text.lines().enumerate() {
            if places.iter().any(|place| line.contains(place)) || line.contains(&here) {
                problems.push(format!("{name}:{}: names a path of somebody's machine", number + 1));
            }
        }
        if name.ends_with("Cargo.toml") && name.starts_with("crates/") {
            manifest(&name, &text, problems);
        }
    }
    Ok(())
}

/// All texts of the project, without what is built or written at run time.
fn walk(directory: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        if path.is_dir() {
            let made = ["target", ".git", "book", "node_modules", "dist", "test-output"];
            let ours = !made.contains(&name) && !name.starts_with("gatewright-data");
            if ours {
                walk(&path, found)?;
            }
            continue;
        }
        let extension = path.extension().and_then(|extension| extension.to_str());
        // Scripts, the Makefile and the like have none.
        if extension.is_none_or(|extension| TEXTS.contains(&extension)) {
            found.push(path);
        }
    }
    Ok(())
}

fn source(name: &str, text: &str, problems: &mut Vec<String>) {
    let tests = name.ends_with("/tests.rs") || name.contains("/src/") && name.contains("/tests/");
    if !text.starts_with("//!") && !tests {
        problems.push(format!(
            "{name}: begins without `//!`: what does it do, and what does it leave to others?"
        ));
    }
    let lines = text.lines().count();
    if lines > TOO_LONG {
        problems.push(format!("{name}: has {lines} lines, at most {TOO_LONG} are allowed"));
    } else if lines > LONG {
        eprintln!("tidy: {name}: has {lines} lines; look for the seam (this is a warning)");
    }
}

/// Versions and features of dependencies are said once, in the workspace.
fn manifest(name: &str, text: &str, problems: &mut Vec<String>) {
    let mut in_dependencies = false;
    for (number, line) in text.lines().enumerate() {
        if line.starts_with('[') {
            in_dependencies = line.ends_with("dependencies]");
        } else if in_dependencies && line.contains('=') && !line.contains("workspace = true") {
            problems.push(format!("{name}:{}: expected `….workspace = true`", number + 1));
        }
    }
}

fn edges(problems: &mut Vec<String>) -> Result<(), String> {
    let text = output(cargo().args(["metadata", "--no-deps", "--format-version", "1", "--offline"]))?;
    let metadata: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let known = EDGES.iter().find(|(known, _)| *known == name);
        if known.is_none() && name != "xtask" {
            problems.push(format!("crate `{name}` is not in ARCHITECTURE.md and in EDGES of tidy.rs"));
            continue;
        }
        let ours = package["dependencies"].as_array().into_iter().flatten().filter(|d| d["path"].is_string());
        for dependency in ours {
            let other = dependency["name"].as_str().unwrap_or_default();
            let for_tests = dependency["kind"] == "dev";
            let allowed = known.is_none_or(|(_, others)| others.contains(&other))
                || for_tests && TEST_EDGES.contains(&(name, other));
            let test_only = FOR_TESTS.contains(&other);
            if (test_only && !for_tests) || (!test_only && !allowed) {
                problems.push(format!("crate `{name}` may not know `{other}`"));
            }
        }
    }
    Ok(())
}

fn dependencies(problems: &mut Vec<String>) -> Result<(), String> {
    let mut tree = cargo();
    tree.args(["tree", "--workspace", "--edges", "normal,build,dev", "--prefix", "none", "--locked"]);
    let text = output(tree.args(["--format", "{p}\t{l}"]))?;
    let lines: BTreeSet<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    for line in lines {
        let (package, licence) = line.split_once('\t').unwrap_or((line, ""));
        let name = package.split(' ').next().unwrap_or(package);
        if BANNED.contains(&name) {
            problems.push(format!("crate `{name}` is banned: cargo tree --invert {name}"));
        }
        let licence = licence.trim_end_matches(" (*)");
        if !package.ends_with("(*)") && !is_allowed(licence) {
            problems.push(format!("crate `{package}` has the licence `{licence}`, which is not allowed"));
        }
    }
    Ok(())
}

fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("cargo: {error}"))?;
    if output.status.success() {
        String::from_utf8(output.stdout).map_err(|error| error.to_string())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Whether an SPDX expression leaves a choice that is allowed. `AND` binds closer than `OR`.
fn is_allowed(expression: &str) -> bool {
    // The old way of writing a choice.
    let text = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut rest = words.as_slice();
    any(&mut rest) && rest.is_empty()
}

fn any(words: &mut &[&str]) -> bool {
    let mut allowed = all(words);
    while let ["OR", rest @ ..] = *words {
        *words = rest;
        allowed |= all(words);
    }
    allowed
}

fn all(words: &mut &[&str]) -> bool {
    let mut allowed = one(words);
    while let ["AND", rest @ ..] = *words {
        *words = rest;
        allowed &= one(words);
    }
    allowed
}

fn one(words: &mut &[&str]) -> bool {
    match *words {
        ["(", rest @ ..] => {
            *words = rest;
            let allowed = any(words);
            match *words {
                [")", rest @ ..] => *words = rest,
                _ => return false,
            }
            allowed
        }
        [licence, "WITH", exception, rest @ ..] => {
            *words = rest;
            LICENCES.contains(&format!("{licence} WITH {exception}").as_str())
        }
        [licence, rest @ ..] => {
            *words = rest;
            LICENCES.contains(licence)
        }
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_is_allowed_when_it_leaves_an_allowed_choice() {
        for (expression, expect) in [
            ("MIT", true),
            ("MIT/Apache-2.0", true),
            ("GPL-3.0-only OR MIT", true),
            ("GPL-3.0-only AND MIT", false),
            ("(MIT OR GPL-3.0-only) AND Unicode-3.0", true),
            ("ISC AND (GPL-3.0-only OR OpenSSL)", false),
            ("Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT", true),
            ("GPL-2.0-only WITH Classpath-exception-2.0", false),
            ("(MIT", false),
            ("", false),
        ] {
            assert_eq!(is_allowed(expression), expect, "{expression}");
        }
    }

    #[test]
    fn sources_say_what_they_do_and_stay_short() {
        let mut problems = Vec::new();
        source("good.rs", "//! Does this.\n", &mut problems);
        assert!(problems.is_empty());
        source("bare.rs", "fn main() {}\n", &mut problems);
        source("long.rs", &format!("//! Long.\n{}", "//\n".repeat(TOO_LONG)), &mut problems);
        assert_eq!(problems.len(), 2, "{problems:?}");
    }

    #[test]
    fn versions_are_said_in_the_workspace() {
        let mut problems = Vec::new();
        manifest("a", "version = \"1\"\n[dependencies]\nx.workspace = true\ny = \"1\"\n", &mut problems);
        assert_eq!(problems, ["a:4: expected `….workspace = true`"]);
    }
}
