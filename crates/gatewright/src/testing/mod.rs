//! Tests of configurations: tables of requests and expectations, played through the real engine without a socket.

mod expect;
mod find;
mod matcher;
mod play;
mod prepare;
mod report;

use std::{path::PathBuf, time::Duration};

use model::Diagnostics;
use serde::Serialize;

use crate::Explanation;
pub use expect::Mismatch;
pub use find::{TEST_FILE, is_test_file};

/// What came of all test files.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub files: Vec<FileReport>,
}

/// What came of one test file.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileReport {
    pub file: String,
    /// Why it could not be used: it is wrong itself, or the configuration is.
    #[serde(skip_serializing_if = "Diagnostics::is_empty")]
    pub problems: Diagnostics,
    pub tests: Vec<TestReport>,
}

/// What came of one test.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TestReport {
    pub name: String,
    pub line: Option<u32>,
    pub passed: bool,
    pub millis: f64,
    /// What was expected and not found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mismatches: Vec<Mismatch>,
    /// The decision record of the last request, when the test failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<Explanation>,
}

impl Report {
    pub fn passed(&self) -> usize {
        self.tests().filter(|test| test.passed).count()
    }

    pub fn failed(&self) -> usize {
        self.tests().filter(|test| !test.passed).count()
    }

    /// Files that could not be used.
    pub fn unusable(&self) -> usize {
        self.files.iter().filter(|file| file.problems.has_errors()).count()
    }

    fn tests(&self) -> impl Iterator<Item = &TestReport> {
        self.files.iter().flat_map(|file| &file.tests)
    }
}

/// Runs the test files, and those in the folders, one after the other. With a filter, only tests whose name has that
/// text run.
pub async fn run(paths: &[PathBuf], filter: Option<&str>) -> Report {
    let mut files = Vec::new();
    for path in find::files(paths) {
        files.push(match path {
            Ok(file) => play::file(&file, filter).await,
            Err((path, problem)) => FileReport {
                file: path.display().to_string(),
                problems: problem.in_file(path.display().to_string(), None).into(),
                tests: Vec::new(),
            },
        });
    }
    Report { files }
}

fn millis(duration: Duration) -> f64 {
    (duration.as_micros() as f64) / 1_000.0
}
