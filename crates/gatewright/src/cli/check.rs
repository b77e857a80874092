//! `gatewright check`: everything wrong with a configuration, at once.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::{fail, print};
use crate::{Source, gateway};

#[derive(Debug, Args)]
pub struct Check {
    /// Configuration file, or a folder of them.
    #[arg(value_name = "FILE", default_value = "gatewright.yaml")]
    config: PathBuf,
}

impl Check {
    pub async fn run(self) -> ExitCode {
        let name = self.config.display().to_string();
        match gateway::check(&Source::Path(self.config)).await {
            Ok((loaded, warnings)) => {
                for warning in &warnings {
                    print(format_args!("warning: {warning}"));
                }
                let config = &loaded.input.config;
                print(format_args!(
                    "{name}: valid; {} APIs, {} upstreams, {} applications, {} warnings",
                    config.apis.len(),
                    config.upstreams.len(),
                    config.applications.len(),
                    warnings.len()
                ));
                ExitCode::SUCCESS
            }
            Err(problems) => {
                let count = problems.0.len();
                fail(format_args!("{problems}\n\n{name}: {count} problem{}", if count == 1 { "" } else { "s" }))
            }
        }
    }
}
