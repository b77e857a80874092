//! `gatewright test`: tests of configurations, without a running gateway.

use std::{fs, path::PathBuf, process::ExitCode};

use clap::{Args, ValueEnum};

use super::{fail, print};
use crate::testing;

#[derive(Debug, Args)]
pub struct Test {
    /// Test files, or folders in which all files that end with .test.yaml are run.
    #[arg(value_name = "FILE | FOLDER", default_value = ".")]
    paths: Vec<PathBuf>,
    /// Run only the tests whose name has this text.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Write the results into a file as JUnit XML, too.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// Exit code when a file could not be used, as against a test that failed.
const UNUSABLE: u8 = 2;

impl Test {
    pub async fn run(self) -> ExitCode {
        let report = testing::run(&self.paths, self.filter.as_deref()).await;
        match self.output {
            Output::Text => print(report.to_text()),
            Output::Json => match serde_json::to_string_pretty(&report) {
                Ok(json) => print(json),
                Err(error) => return fail(format_args!("the report cannot be written as JSON: {error}")),
            },
        }
        if let Some(junit) = &self.junit
            && let Err(error) = fs::write(junit, report.to_junit())
        {
            fail(format_args!("{}: cannot be written: {error}", junit.display()));
            return ExitCode::from(UNUSABLE);
        }
        if report.unusable() > 0 {
            return ExitCode::from(UNUSABLE);
        }
        if report.passed() + report.failed() == 0 {
            fail("no test has a name with the text of --filter");
            return ExitCode::from(UNUSABLE);
        }
        if report.failed() > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}
