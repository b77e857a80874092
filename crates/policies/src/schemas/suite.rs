//! The official test suite of JSON Schema, when `GATEWRIGHT_JSON_SCHEMA_SUITE` names a copy of it.

use std::{fs, path::Path};

use model::source::{Dialect, SourceDocument, Sources};
use serde_json::Value;

use super::*;

#[derive(Default)]
struct Counts {
    passed: usize,
    /// Groups with keywords that definitions do not have here, which was warned of.
    warned: usize,
    failed: Vec<String>,
}

fn run(directory: &Path, dialect: Dialect) -> Counts {
    let mut counts = Counts::default();
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "json")) {
        let groups: Vec<Value> = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        for group in groups {
            let document = SourceDocument {
                name: String::new(),
                bytes: group["schema"].to_string().into_bytes().into(),
                links: Default::default(),
            };
            let documents = Sources { dialect, documents: vec![document] }.read();
            let mut builder = Builder::new(&documents, Direction::Request);
            let schema = builder.add("#").unwrap();
            let (schemas, warnings) = builder.finish();
            for test in group["tests"].as_array().unwrap() {
                let valid = schemas.check(schema, &test["data"], 100, "body").is_ok();
                if valid == test["valid"].as_bool().unwrap() {
                    counts.passed += 1;
                } else if !warnings.is_empty() {
                    counts.warned += 1;
                } else {
                    let file = file.file_stem().unwrap().to_string_lossy();
                    counts.failed.push(format!("{file}: {}: {}", group["description"], test["description"]));
                }
            }
        }
    }
    counts
}

/// What is meant to be different: formats decide here, there are no metaschemas but the standard's, and OpenAPI never
/// had `dependencies`.
fn is_meant(different: &str) -> bool {
    different.starts_with("format:") && different.contains("only an annotation")
        || different.starts_with("vocabulary:")
        || different.starts_with("dependencies:")
}

#[test]
fn the_official_suite_passes() {
    let Ok(suite) = std::env::var("GATEWRIGHT_JSON_SCHEMA_SUITE") else {
        println!("skipped: GATEWRIGHT_JSON_SCHEMA_SUITE does not name a copy of the JSON Schema test suite");
        return;
    };
    let tests = Path::new(&suite).join("tests");
    for (directory, dialect) in [("draft2020-12", Dialect::OpenApi31), ("draft4", Dialect::OpenApi30)] {
        let counts = run(&tests.join(directory), dialect);
        println!(
            "{directory}: {} passed, {} not followed and warned of, {} different",
            counts.passed,
            counts.warned,
            counts.failed.len()
        );
        counts.failed.iter().for_each(|failed| println!("  {failed}"));
        let wrong: Vec<_> = counts.failed.iter().filter(|failed| !is_meant(failed)).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
