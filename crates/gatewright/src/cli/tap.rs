//! `gatewright tap`: requests as they end, from a running gateway.

use std::process::ExitCode;

use clap::Args;

use super::{
    count, fail, print,
    query::{Target, encode},
};
use crate::{Explanation, tap::Tapping};

#[derive(Debug, Args)]
pub struct Tap {
    /// Name or id of an API, or name:version.
    #[arg(long)]
    api: Option<String>,
    /// Name of an application.
    #[arg(long)]
    application: Option<String>,
    /// Status of the answers: 404, or 5xx.
    #[arg(long)]
    status: Option<String>,
    /// Code of the reason for a refusal or failure.
    #[arg(long)]
    code: Option<String>,
    /// Beginning of the path.
    #[arg(long)]
    path: Option<String>,
    /// Type or name of a policy that governs the request.
    #[arg(long)]
    policy: Option<String>,
    /// Only requests that took at least this long, such as 200ms.
    #[arg(long, value_name = "DURATION")]
    slow: Option<model::Duration>,
    /// Print the whole decision record of each request.
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    target: Target,
}

impl Tap {
    pub async fn run(self) -> ExitCode {
        let path = format!("/tap?{}", self.query());
        let result = self.target.lines(&path, |line| self.print_line(line)).await;
        result.map_or_else(fail, |()| ExitCode::SUCCESS)
    }

    fn query(&self) -> String {
        let slow = self.slow.map(|slow| slow.to_string());
        let filters = [
            ("api", &self.api),
            ("application", &self.application),
            ("status", &self.status),
            ("code", &self.code),
            ("path", &self.path),
            ("policy", &self.policy),
            ("slow", &slow),
        ];
        let mut query = format!("explain={}", self.explain);
        for (name, value) in filters {
            if let Some(value) = value {
                query.push_str(&format!("&{name}={}", encode(value)));
            }
        }
        query
    }

    fn print_line(&self, line: &[u8]) -> Result<(), String> {
        if self.target.json {
            print(String::from_utf8_lossy(line).trim_end());
            return Ok(());
        }
        let line = serde_json::from_slice(line)
            .map_err(|error| format!("the gateway's answer is not understood: {error}"))?;
        match line {
            Tapping::Lost { lost } => {
                let lost = count(usize::try_from(lost).unwrap_or(usize::MAX), "request");
                print(format_args!("… {lost} not shown: they came faster than they could be read"));
            }
            Tapping::Record(record) if self.explain => print(record.to_text()),
            Tapping::Record(record) => print(one_line(&record)),
        }
        Ok(())
    }
}

fn one_line(record: &Explanation) -> String {
    let query = if record.query.is_empty() { String::new() } else { format!("?{}", record.query) };
    let text = format!(
        "{}  {}  {} {:<6} {}{query}  {}  {:.1} ms  {}  {}",
        record.time,
        record.request_id,
        record.status,
        record.method,
        record.path,
        record.api.as_deref().unwrap_or("-"),
        record.total_micros as f64 / 1_000.0,
        record.application.as_deref().unwrap_or("unknown"),
        record.reason.as_ref().map_or("", |reason| &reason.code)
    );
    text.trim_end().to_owned()
}
