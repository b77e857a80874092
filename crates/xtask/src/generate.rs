//! Pages and files that are made from the code: the reference in `docs/src/reference/` and the JSON Schema. They are
//! checked in, so that their change is seen in review; `--check` fails when they are not what the code says.

mod cli;
mod configuration;
mod errors;
mod policies;
mod schema;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::root;

/// First line of every generated page.
const HEADER: &str = "<!-- Generated from the code by `cargo xtask generate`. Changes belong there. -->\n\n";

pub fn run(args: &[String]) -> Result<(), String> {
    let check = match args {
        [] => false,
        [only] if only == "--check" => true,
        _ => return Err("usage: cargo xtask generate [--check]".into()),
    };
    let root = root();
    let files = files(&root)?;
    let stale = stale(&root, &files);
    for (name, content) in &files {
        let path = root.join(name);
        if fs::read_to_string(&path).is_ok_and(|before| before == *content) {
            continue;
        }
        if check {
            return Err(format!("{} is not up to date: run `make generate`", name.display()));
        }
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        }
        fs::write(&path, content).map_err(|error| format!("{}: {error}", path.display()))?;
        println!("wrote {}", name.display());
    }
    if let Some(first) = stale.first() {
        return Err(format!("{} is made by nobody any more: remove it", first.display()));
    }
    Ok(())
}

/// Everything that is generated, by its path in the project.
fn files(root: &Path) -> Result<BTreeMap<PathBuf, String>, String> {
    let schema = ::policies::config_schema();
    let mut files = BTreeMap::new();
    let mut page = |name: &str, content: String| {
        files.insert(Path::new("docs/src/reference").join(name), format!("{HEADER}{content}"));
    };
    page("configuration.md", configuration::page(&schema));
    page("errors.md", errors::page());
    page("cli.md", cli::page()?);
    page("policies.md", policies::index());
    for kind in ::policies::POLICIES {
        page(&format!("policies/{}.md", kind.type_name), policies::page(kind)?);
    }
    files.insert("docs/src/SUMMARY.md".into(), summary(root)?);
    files.insert("docs/src/reference/admin-api.json".into(), format!("{:#}\n", manager::openapi()));
    files.insert("docs/gatewright.schema.json".into(), format!("{schema:#}\n"));
    Ok(files)
}

/// Pages in the folder of the reference that are not made from anything.
fn stale(root: &Path, files: &BTreeMap<PathBuf, String>) -> Vec<PathBuf> {
    let folders = ["docs/src/reference", "docs/src/reference/policies"];
    let entries = folders.iter().filter_map(|folder| fs::read_dir(root.join(folder)).ok()).flatten();
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file())
        .filter_map(|path| path.strip_prefix(root).map(Path::to_path_buf).ok())
        .filter(|path| !files.contains_key(path))
        .collect()
}

/// The table of contents, with a line for each policy: adding one touches nothing but its own file and the list.
fn summary(root: &Path) -> Result<String, String> {
    let text = fs::read_to_string(root.join("docs/src/SUMMARY.md"))
        .map_err(|e| format!("docs/src/SUMMARY.md: {e}"))?;
    let mut out = String::new();
    for line in text.lines().filter(|line| !line.contains("(reference/policies/")) {
        out.push_str(line);
        out.push('\n');
        if line.contains("(reference/policies.md)") {
            for kind in ::policies::POLICIES {
                out.push_str(&format!("  - [{0}](reference/policies/{0}.md)\n", kind.type_name));
            }
        }
    }
    Ok(out)
}
