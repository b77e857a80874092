//! `gatewright history` and `rollback`.

use std::process::ExitCode;

use bytes::Bytes;
use clap::Args;

use super::{Outcome, Output, Target, encode, print, query, show, table::table};

#[derive(Debug, Args)]
pub struct History {
    /// What it is, as in a configuration: apis, applications … Default: revisions of everything.
    #[arg(value_name = "LIST", requires = "name")]
    list: Option<String>,
    /// Its name, or its id when it was deleted.
    name: Option<String>,
    /// What is printed.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

impl History {
    pub async fn run(self) -> Outcome {
        let path = match (&self.list, &self.name) {
            (Some(list), Some(name)) => format!("/{}/{}/history", encode(list), encode(name)),
            _ => "/revisions".to_owned(),
        };
        let answer = self.target.get(&path).await?;
        let items = answer["items"].as_array().cloned().unwrap_or_default();
        let columns = [
            ("REVISION", "revision"),
            ("AT", "at"),
            ("AUTHOR", "author"),
            ("ASSETS", "assets"),
            ("REASON", "reason"),
        ];
        show(self.output, &answer["items"], || table(&items, &columns));
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub struct Rollback {
    /// The revision to go back to. That is a new revision; nothing is lost.
    revision: u64,
    /// Only this asset: what it is, as in a configuration.
    #[arg(value_name = "LIST", requires = "name")]
    list: Option<String>,
    /// Its name or id.
    name: Option<String>,
    /// Only say whether that would be valid.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    target: Target,
}

impl Rollback {
    pub async fn run(self) -> Outcome {
        let query = query(&[
            ("kind", self.list.as_deref()),
            ("name", self.name.as_deref()),
            ("dryRun", self.dry_run.then_some("true")),
        ]);
        let path = format!("/revisions/{}/restore{query}", self.revision);
        let answer = self.target.post(&path, Bytes::new()).await?;
        match (answer["different"].as_bool(), self.dry_run) {
            (Some(false), _) => print("nothing is different"),
            (_, true) => print("something would change, and that would be valid"),
            _ => print(format_args!("revision {} is as revision {} was", answer["revision"], self.revision)),
        }
        Ok(ExitCode::SUCCESS)
    }
}
