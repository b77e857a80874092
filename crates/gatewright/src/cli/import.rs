//! `gatewright import`: what API definitions hold, and what is odd about them.

use std::{process::ExitCode, time::Instant};

use clap::{Args, ValueEnum};
use comfy_table::{Table, presets::NOTHING};
use model::Diagnostic;
use serde::Serialize;

use super::{count, fail, print};
use crate::config::definitions;

#[derive(Debug, Args)]
pub struct Import {
    /// OpenAPI documents: files or URLs.
    #[arg(required = true, value_name = "FILE")]
    sources: Vec<String>,
    /// Only look. Importing into a running gateway is done by its configuration.
    #[arg(long, required = true)]
    dry_run: bool,
    /// How the report is printed.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
    /// Print every warning.
    #[arg(long)]
    warnings: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    #[default]
    Table,
    Json,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    operations: usize,
    warnings: Vec<Diagnostic>,
    milliseconds: u64,
}

impl Import {
    pub async fn run(self) -> ExitCode {
        let mut reports = Vec::with_capacity(self.sources.len());
        for source in &self.sources {
            reports.push(report(source).await);
        }
        match self.output {
            Output::Json => match serde_json::to_string_pretty(&reports) {
                Ok(text) => print(text),
                Err(error) => return fail(error),
            },
            Output::Table => self.print_table(&reports),
        }
        if reports.iter().any(|r| r.error.is_some()) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }

    fn print_table(&self, reports: &[Report]) {
        let mut table = Table::new();
        table.load_style(NOTHING).set_header([
            "file",
            "format",
            "title",
            "version",
            "operations",
            "warnings",
            "ms",
        ]);
        for report in reports {
            let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
            table.add_row([
                report.file.clone(),
                text(&report.format),
                text(&report.title),
                text(&report.version),
                report.operations.to_string(),
                report.warnings.len().to_string(),
                report.milliseconds.to_string(),
            ]);
        }
        print(table);
        for report in reports {
            if let Some(error) = &report.error {
                print(format_args!("\nerror: {error}"));
            }
            if self.warnings {
                for warning in &report.warnings {
                    print(format_args!("warning: {}: {warning}", report.file));
                }
            }
        }
        let warnings: usize = reports.iter().map(|r| r.warnings.len()).sum();
        if warnings > 0 && !self.warnings {
            print(format_args!("\n{}; --warnings prints them", count(warnings, "warning")));
        }
    }
}

async fn report(source: &str) -> Report {
    let start = Instant::now();
    let imported = definitions::read(source).await;
    let milliseconds = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    let file = source.to_owned();
    match imported {
        Ok(definition) => Report {
            file,
            error: None,
            format: Some(definition.format.to_string()),
            title: Some(definition.api.title.clone()),
            version: Some(definition.api.version.clone()),
            operations: definition.api.operations.len(),
            warnings: definition.warnings,
            milliseconds,
        },
        Err(error) => Report {
            file,
            error: Some(error),
            format: None,
            title: None,
            version: None,
            operations: 0,
            warnings: Vec::new(),
            milliseconds,
        },
    }
}
