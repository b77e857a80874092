//! `gatewright archive`: assets with everything that they need, from one store to another.

use std::{fs, io::Write, os::unix::fs::OpenOptionsExt, path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Outcome, Output, Target, print, query, show, table::table};
use crate::cli::count;

#[derive(Debug, Args)]
pub struct Archive {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write assets into a file, with everything that they refer to and their definitions. Secrets go without values.
    Export {
        /// File to write.
        file: PathBuf,
        /// Assets, as in apis/Orders:1.0. Default: all.
        #[arg(value_name = "LIST/NAME")]
        assets: Vec<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Take over the assets of such a file: all of them, or none.
    Import {
        /// File to read.
        file: PathBuf,
        /// Lists whose assets take the place of those that are there, as in apis,upstreams; or * for all. Others stay
        /// as they are.
        #[arg(long, value_name = "LIST,…")]
        overwrite: Option<String>,
        /// Only say what would change.
        #[arg(long)]
        dry_run: bool,
        /// Why, for the history.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// What is printed.
        #[arg(short, long, value_enum, default_value_t = Output::Table)]
        output: Output,
        #[command(flatten)]
        target: Target,
    },
}

impl Archive {
    pub async fn run(self) -> Outcome {
        match self.command {
            Command::Export { file, assets, target } => {
                let archive = target.post("/archive", json!({ "assets": assets }).to_string().into()).await?;
                let lists = archive["assets"].as_object().into_iter().flatten();
                let total = lists.map(|(_, list)| list.as_array().map_or(0, Vec::len)).sum();
                let text = format!("{archive:#}\n");
                let written = fs::OpenOptions::new()
                    .create(true)
                    .write(true)
                    .truncate(true)
                    .mode(0o600)
                    .open(&file)
                    .and_then(|mut out| out.write_all(text.as_bytes()));
                written.map_err(|error| format!("{}: {error}", file.display()))?;
                print(format_args!("{} in {}", count(total, "asset"), file.display()));
            }
            Command::Import { file, overwrite, dry_run, reason, output, target } => {
                let content = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
                let query = query(&[
                    ("overwrite", overwrite.as_deref()),
                    ("dryRun", dry_run.then_some("true")),
                    ("reason", reason.as_deref()),
                ]);
                let answer = target.post(&format!("/archive/import{query}"), content.into()).await?;
                let results: Vec<Value> = answer["results"].as_array().cloned().unwrap_or_default();
                let columns = [("KIND", "kind"), ("NAME", "name"), ("RESULT", "result")];
                show(output, &answer, || table(&results, &columns));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
