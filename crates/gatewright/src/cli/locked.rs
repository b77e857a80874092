//! `gatewright locked`: addresses that get no further because they failed to authenticate, and letting them again.

use std::{net::IpAddr, process::ExitCode};

use clap::Args;
use serde_json::Value;

use super::{count, fail, print, query::Target};

#[derive(Debug, Args)]
pub struct Locked {
    /// Let requests from this address in again.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "release_all")]
    release: Option<IpAddr>,
    /// Let requests from all addresses in again.
    #[arg(long)]
    release_all: bool,
    #[command(flatten)]
    target: Target,
}

impl Locked {
    pub async fn run(self) -> ExitCode {
        let result = match (self.release, self.release_all) {
            (Some(address), _) => self.released(&format!("/lockedAddresses/{address}")).await,
            (None, true) => self.released("/lockedAddresses").await,
            (None, false) => self.list().await,
        };
        result.map_or_else(fail, |()| ExitCode::SUCCESS)
    }

    async fn released(&self, path: &str) -> Result<(), String> {
        self.target.delete(path).await?;
        print("released");
        Ok(())
    }

    async fn list(&self) -> Result<(), String> {
        let body = self.target.get("/lockedAddresses").await?;
        if self.target.json {
            print(String::from_utf8_lossy(&body));
            return Ok(());
        }
        let locked: Vec<Value> = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        for address in &locked {
            let until = address["until"]
                .as_str()
                .map_or_else(|| "until it is released".to_owned(), |t| format!("until {t}"));
            let failures = usize::try_from(address["failures"].as_u64().unwrap_or(0)).unwrap_or(usize::MAX);
            let name = address["address"].as_str().unwrap_or("?");
            print(format_args!("{name}  {}, {until}", count(failures, "failure")));
        }
        if locked.is_empty() {
            print("no address is locked");
        }
        Ok(())
    }
}
