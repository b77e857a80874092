//! `gatewright plan` and `gatewright apply`.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::Args;
use model::ConfigDoc;
use serde_json::Value;

use super::{Outcome, Output, Target, print, query, show};
use crate::{cli::count, config};

/// Documents, as in a configuration.
#[derive(Debug, Args)]
struct Documents {
    /// File of documents, or a folder of them. Definitions that they name are uploaded. Their `settings` are the node's
    /// own, and are left out.
    #[arg(short, long, value_name = "FILE | FOLDER")]
    file: PathBuf,
    /// Delete assets that are not in the documents, of the kinds that are in them.
    #[arg(long)]
    prune: bool,
    /// What is printed.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
pub struct Plan {
    #[command(flatten)]
    documents: Documents,
}

#[derive(Debug, Args)]
pub struct Apply {
    #[command(flatten)]
    documents: Documents,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Exit code of a plan that would change something.
const WOULD_CHANGE: u8 = 2;

impl Plan {
    pub async fn run(self) -> Outcome {
        let answer = self.documents.send("/plan", None).await?;
        self.documents.show(&answer, "would change");
        let different = answer["different"] == true;
        Ok(if different { ExitCode::from(WOULD_CHANGE) } else { ExitCode::SUCCESS })
    }
}

impl Apply {
    pub async fn run(self) -> Outcome {
        let answer = self.documents.send("/apply", self.reason.as_deref()).await?;
        self.documents.show(&answer, "changed");
        Ok(ExitCode::SUCCESS)
    }
}

impl Documents {
    async fn send(&self, path: &str, reason: Option<&str>) -> Result<Value, String> {
        let (mut config, _) = config::read(&self.file).map_err(|problems| problems.to_string())?;
        self.upload_definitions(&mut config).await?;
        let mut set = serde_json::to_value(&config).map_err(|error| error.to_string())?;
        if let Some(set) = set.as_object_mut() {
            set.shift_remove("settings");
        }
        let query = query(&[("prune", self.prune.then_some("true")), ("reason", reason)]);
        self.target.post(&format!("{path}{query}"), set.to_string().into()).await
    }

    /// The manager cannot read files that are here.
    async fn upload_definitions(&self, config: &mut ConfigDoc) -> Result<(), String> {
        for api in &mut config.apis {
            let api = Arc::make_mut(api);
            let Some(path) =
                api.definition.as_deref().filter(|d| !d.contains("://") && !d.starts_with(manager::DOCUMENT))
            else {
                continue;
            };
            let content = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
            let kept = self.target.post("/documents", content.into()).await;
            let kept = kept.map_err(|problem| format!("{path}: {problem}"))?;
            let text = |key: &str| kept[key].as_str().map(str::to_owned);
            api.definition = text("definition");
            api.name = api.name.take().or_else(|| text("title"));
            api.version = api.version.take().or_else(|| text("version"));
        }
        Ok(())
    }

    fn show(&self, answer: &Value, verb: &str) {
        show(self.output, answer, || {
            let changes = answer["changes"].as_array().cloned().unwrap_or_default();
            let lines = changes.iter().map(|change| {
                let text = |key: &str| change[key].as_str().unwrap_or("");
                format!("{} {} {}", text("action"), text("kind"), text("name"))
            });
            let warnings = answer["warnings"].as_array().into_iter().flatten();
            let warnings = warnings.map(|warning| format!("warning:{}", super::problem(warning)));
            let end = if changes.is_empty() {
                "nothing is different".to_owned()
            } else {
                format!("{} {verb}", count(changes.len(), "asset"))
            };
            lines.chain(warnings).chain([end]).collect::<Vec<_>>().join("\n")
        });
        if self.output == Output::Table
            && let Some(revision) = answer["revision"].as_u64()
        {
            print(format_args!("revision {revision}"));
        }
    }
}
