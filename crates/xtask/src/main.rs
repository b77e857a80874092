//! Tasks of the project that are not the gateway: `cargo xtask TASK`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks on its standard streams"
)]

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

mod generate;
mod tidy;

const USAGE: &str = "usage: cargo xtask TASK [OPTION…]

tasks:
  generate   write the reference pages and the JSON Schema from the code; --check only compares
  tidy       check the edges between crates, dependencies and their licences, and the look of source files";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let task = args.next().unwrap_or_default();
    let args: Vec<String> = args.collect();
    let done = match task.as_str() {
        "generate" => generate::run(&args),
        "tidy" => tidy::run(),
        "" | "help" | "--help" | "-h" => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        unknown => Err(format!("unknown task `{unknown}`\n\n{USAGE}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The folder of the project.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// The cargo that started this program, to be run in the folder of the project.
fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    cargo
}
