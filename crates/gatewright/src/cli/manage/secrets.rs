//! `gatewright secrets`: master keys. Secrets themselves are assets like others.

use std::process::ExitCode;

use bytes::Bytes;
use clap::{Args, Subcommand};

use super::{Outcome, Target, print};
use crate::cli::count;

#[derive(Debug, Args)]
pub struct Secrets {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show which master keys secrets are encrypted under. Exit code 1 when the node lacks one of them.
    Keys {
        #[command(flatten)]
        target: Target,
    },
    /// Encrypt under the first key of settings.store.masterKey what is encrypted under another one.
    Rotate {
        #[command(flatten)]
        target: Target,
    },
}

impl Secrets {
    pub async fn run(self) -> Outcome {
        match self.command {
            Command::Keys { target } => {
                let answer = target.get("/masterKeys").await?;
                let mut missing = false;
                match answer["encryptsWith"].as_str() {
                    Some(key) => print(format_args!("encrypts under {key}")),
                    None => print("this node has no master key"),
                }
                for used in answer["used"].as_array().into_iter().flatten() {
                    let is_present = used["present"] == true;
                    missing |= !is_present;
                    let note = if is_present { "" } else { ", which this node does not have" };
                    let keys = count(
                        used["dataKeys"].as_u64().and_then(|n| n.try_into().ok()).unwrap_or(0),
                        "data key",
                    );
                    print(format_args!("{keys} under {}{note}", used["masterKey"].as_str().unwrap_or("")));
                }
                Ok(if missing { ExitCode::FAILURE } else { ExitCode::SUCCESS })
            }
            Command::Rotate { target } => {
                let answer = target.post("/masterKeys/rotate", Bytes::new()).await?;
                let key = answer["masterKey"].as_str().unwrap_or("");
                match answer["dataKeys"].as_u64() {
                    Some(0) => print(format_args!("everything is under {key} already")),
                    _ => {
                        print(format_args!("everything is under {key} now, revision {}", answer["revision"]))
                    }
                }
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}
