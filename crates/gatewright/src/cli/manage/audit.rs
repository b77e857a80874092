//! `gatewright audit`.

use std::{
    fs,
    io::{BufWriter, Write},
    path::PathBuf,
    process::ExitCode,
};

use bytes::Bytes;
use clap::{Args, Subcommand};
use http_body_util::BodyExt;
use serde_json::Value;

use super::{Outcome, Output, Target, print, query, show, table::table};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Audit {
    #[command(subcommand)]
    command: Option<Command>,
    /// Check that no record was changed or taken out. Exit code 1 when one was.
    #[arg(long)]
    verify: bool,
    #[command(flatten)]
    filter: Filter,
    /// What is printed.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write all records into a zip of text files of 10,000 records each.
    Download {
        /// File to write.
        #[arg(default_value = "auditlogs.zip")]
        file: PathBuf,
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        target: Target,
    },
}

/// Which records are wanted. Default: all.
#[derive(Debug, Args)]
struct Filter {
    /// What this user did.
    #[arg(long, value_name = "NAME")]
    of: Option<String>,
    /// Such as `Access management`.
    #[arg(long, value_name = "TEXT")]
    event_type: Option<String>,
    /// Such as `api`.
    #[arg(long, value_name = "TEXT")]
    object_type: Option<String>,
    /// Such as `delete`.
    #[arg(long, value_name = "TEXT")]
    action: Option<String>,
    /// Not before this time, such as 2026-01-15T10:00:00Z.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Before this time.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Something in the object, the message or the payload.
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
}

impl Filter {
    fn query(&self) -> String {
        query(&[
            ("user", self.of.as_deref()),
            ("eventType", self.event_type.as_deref()),
            ("objectType", self.object_type.as_deref()),
            ("action", self.action.as_deref()),
            ("from", self.from.as_deref()),
            ("to", self.to.as_deref()),
            ("text", self.text.as_deref()),
        ])
    }
}

impl Audit {
    pub async fn run(self) -> Outcome {
        if let Some(Command::Download { file, filter, target }) = self.command {
            let size = download(&target, &format!("/audit/download{}", filter.query()), &file).await?;
            print(format_args!("{}, {size} bytes", file.display()));
            return Ok(ExitCode::SUCCESS);
        }
        if self.verify {
            let answer = self.target.post("/audit/verify", Bytes::new()).await?;
            if answer["intact"] == true {
                print(format_args!("intact, {} records", answer["records"]));
                return Ok(ExitCode::SUCCESS);
            }
            return Err(format!("record {} {}", answer["id"], answer["problem"].as_str().unwrap_or("")));
        }
        let answer = self.target.get(&format!("/audit{}", self.filter.query())).await?;
        let items: Vec<Value> = answer["items"].as_array().cloned().unwrap_or_default();
        let columns = [
            ("ID", "id"),
            ("AT", "creationDate"),
            ("USER", "user"),
            ("FROM", "clientIPAddress"),
            ("TYPE", "eventType"),
            ("MESSAGE", "message"),
        ];
        show(self.output, &answer["items"], || table(&items, &columns));
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes an answer into a file as it comes. One that broke off leaves none.
async fn download(target: &Target, path: &str, file: &PathBuf) -> Result<u64, String> {
    let mut response = target.send(http::Method::GET, path, None).await?;
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let mut out = BufWriter::new(fs::File::create(file).map_err(|error| failed(&error))?);
    let written = async {
        let mut size = 0;
        while let Some(frame) = response.body_mut().frame().await {
            let frame = frame.map_err(|error| format!("the manager broke the answer off: {error}"))?;
            let Ok(data) = frame.into_data() else { continue };
            size += data.len() as u64;
            out.write_all(&data).map_err(|error| failed(&error))?;
        }
        out.flush().map_err(|error| failed(&error))?;
        Ok(size)
    };
    let written = written.await;
    if written.is_err() {
        // What is left of it is of no use to anybody.
        let _ = fs::remove_file(file);
    }
    written
}
