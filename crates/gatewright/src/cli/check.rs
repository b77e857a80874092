//! `gatewright check`: everything wrong with a configuration, at once.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::{count, fail, print};
use crate::{Source, ready};

#[derive(Debug, Args)]
pub struct Check {
    /// Configuration file, or a folder of them.
    #[arg(value_name = "FILE", default_value = "gatewright.yaml")]
    config: PathBuf,
}

impl Check {
    pub async fn run(self) -> ExitCode {
        let name = self.config.display().to_string();
        match ready::check(&Source::Path(self.config)).await {
            Ok((loaded, warnings)) => {
                for warning in &warnings {
                    print(format_args!("warning: {warning}"));
                }
                let config = &loaded.input.config;
                print(format_args!(
                    "{name}: valid; {}, {}, {}, {}",
                    count(config.apis.len(), "API"),
                    count(config.upstreams.len(), "upstream"),
                    count(config.applications.len(), "application"),
                    count(warnings.len(), "warning")
                ));
                ExitCode::SUCCESS
            }
            Err(problems) => {
                fail(format_args!("{problems}\n\n{name}: {}", count(problems.0.len(), "problem")))
            }
        }
    }
}
