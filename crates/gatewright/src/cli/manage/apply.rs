//! `gatewright plan` and `gatewright apply`.

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use base64ct::{Base64, Encoding};
use clap::Args;
use model::{ClearText, ConfigDoc, Secret, secret::SecretSource};
use serde_json::Value;

use super::{Outcome, Output, Target, diff, print, query, show};
use crate::{
    cli::{complain, count},
    config::{self, resolve::read_here},
};

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
pub struct Diff {
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
    /// Wait until all nodes serve what was applied, 30 seconds if nothing is said. Exit code 3 when some do not.
    #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "30s", require_equals = true)]
    wait: Option<model::Duration>,
}

/// Exit code of an apply that is committed, and not served by all nodes.
const NOT_EVERYWHERE: u8 = 3;
/// Longest wait of one question.
const QUESTION: Duration = Duration::from_secs(10);

/// Exit code of a plan that would change something.
const WOULD_CHANGE: u8 = 2;

impl Plan {
    pub async fn run(self) -> Outcome {
        let answer = self.documents.send("/plan", None, false).await?;
        self.documents.show(&answer, "would change");
        let different = answer["different"] == true;
        Ok(if different { ExitCode::from(WOULD_CHANGE) } else { ExitCode::SUCCESS })
    }
}

impl Diff {
    pub async fn run(self) -> Outcome {
        let answer = self.documents.send("/plan", None, true).await?;
        show(self.documents.output, &answer, || {
            let changes = answer["changes"].as_array().into_iter().flatten();
            changes.map(diff::unified).collect::<String>().trim_end().to_owned()
        });
        let different = answer["different"] == true;
        Ok(if different { ExitCode::from(WOULD_CHANGE) } else { ExitCode::SUCCESS })
    }
}

impl Apply {
    pub async fn run(self) -> Outcome {
        let answer = self.documents.send("/apply", self.reason.as_deref(), false).await?;
        self.documents.show(&answer, "changed");
        match (self.wait, answer["revision"].as_u64()) {
            (Some(wait), Some(revision)) => self.wait_for_nodes(revision, wait.get()).await,
            _ => Ok(ExitCode::SUCCESS),
        }
    }

    async fn wait_for_nodes(&self, revision: u64, wait: Duration) -> Outcome {
        let end = Instant::now() + wait;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let path = format!("/revisions/{revision}/nodes?wait={}ms", left.min(QUESTION).as_millis());
            let nodes = self.documents.target.get(&path).await?;
            let behind = nodes["behind"].as_array().cloned().unwrap_or_default();
            if behind.is_empty() {
                if self.documents.output == Output::Table {
                    let serving = nodes["serving"].as_array().map_or(0, Vec::len);
                    print(format_args!("served by {}", count(serving, "node")));
                }
                return Ok(ExitCode::SUCCESS);
            }
            // Those that could not serve it do not serve it a moment later, either.
            let has_ended = behind.iter().all(|node| node["problem"].is_string());
            if has_ended || Instant::now() >= end {
                for node in &behind {
                    let text = |key: &str| node[key].as_str().unwrap_or("");
                    let why = node["problem"].as_str().unwrap_or("it has not caught up yet");
                    complain(format_args!(
                        "node {} ({}) serves revision {}, not {revision}: {why}",
                        text("name"),
                        text("address"),
                        node["revision"]
                    ));
                }
                return Ok(ExitCode::from(NOT_EVERYWHERE));
            }
        }
    }
}

/// Secrets may be references, so that no document has one in clear: they are read here, and not where the manager is.
fn read_secrets(config: &mut ConfigDoc) -> Result<(), String> {
    for secret in &mut config.secrets {
        let Some(value) = &secret.value else { continue };
        let Ok(reference) = serde_json::from_value::<Secret>(value.expose().into()) else { continue };
        let text = read_here(&reference).map_err(|problem| format!("secret {}: {problem}", secret.name))?;
        secret.value = Some(ClearText::new(text));
    }
    let keystores = config.keystores.iter_mut().map(|store| (&store.name, &mut store.content));
    let truststores = config.truststores.iter_mut().map(|store| (&store.name, &mut store.content));
    for (name, content) in keystores.chain(truststores) {
        let Some(written) = content.as_ref().map(ClearText::expose) else { continue };
        match SecretSource::of(written) {
            Some(SecretSource::File(path)) => {
                let read = std::fs::read(path).map_err(|error| format!("{name}: {path}: {error}"))?;
                // PEM goes as it is, PKCS#12 as base64.
                let text =
                    String::from_utf8(read).unwrap_or_else(|binary| Base64::encode_string(binary.as_bytes()));
                *content = Some(ClearText::new(text));
            }
            Some(SecretSource::Env(_)) => {
                let reference: Secret = serde_json::from_value(written.into()).map_err(|e| e.to_string())?;
                let text = read_here(&reference).map_err(|problem| format!("{name}: {problem}"))?;
                *content = Some(ClearText::new(text));
            }
            _ => {}
        }
    }
    Ok(())
}

impl Documents {
    async fn send(&self, path: &str, reason: Option<&str>, documents: bool) -> Result<Value, String> {
        let (mut config, _) = config::read(&self.file).map_err(|problems| problems.to_string())?;
        self.upload_definitions(&mut config).await?;
        read_secrets(&mut config)?;
        let mut set = serde_json::to_value(&config).map_err(|error| error.to_string())?;
        if let Some(set) = set.as_object_mut() {
            set.shift_remove("settings");
        }
        let query = query(&[
            ("prune", self.prune.then_some("true")),
            ("documents", documents.then_some("true")),
            ("reason", reason),
        ]);
        self.target.post(&format!("{path}{query}"), set.to_string().into()).await
    }

    /// The manager cannot read files that are here.
    async fn upload_definitions(&self, config: &mut ConfigDoc) -> Result<(), String> {
        for api in config.apis.iter_mut() {
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
