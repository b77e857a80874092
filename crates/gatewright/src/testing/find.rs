//! Finding test files: those that are named, and those in folders.

use std::{
    fs,
    path::{Path, PathBuf},
};

use model::Diagnostic;

/// How the names of test files end.
pub const TEST_FILE: &str = ".test.yaml";

/// Whether a file of a folder holds tests, and no configuration.
pub fn is_test_file(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    [TEST_FILE, ".test.yml", ".test.json"].iter().any(|end| name.ends_with(end))
}

/// The files to run, in order; a path that leads to none is an error of its own.
pub(super) fn files(paths: &[PathBuf]) -> Vec<Result<PathBuf, (PathBuf, Diagnostic)>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(Ok(path.clone()));
            continue;
        }
        let mut found = Vec::new();
        below(path, &mut found, 0);
        found.sort();
        if found.is_empty() {
            let problem = Diagnostic::error("", format!("the folder has no file that ends with {TEST_FILE}"))
                .help("write one, or name the files");
            files.push(Err((path.clone(), problem)));
        }
        files.extend(found.into_iter().map(Ok));
    }
    files
}

/// Deep enough for any project, and an end to links that lead in circles.
const DEEPEST: usize = 16;

fn below(folder: &Path, found: &mut Vec<PathBuf>, depth: usize) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // What programs put there is not looked into.
        if name.starts_with('.') || matches!(name, "target" | "node_modules") {
            continue;
        }
        if path.is_dir() {
            if depth < DEEPEST {
                below(&path, found, depth + 1);
            }
        } else if is_test_file(&path) {
            found.push(path);
        }
    }
}
