//! `gatewright schema`: the JSON Schema of the configuration, with every policy in it.

use std::process::ExitCode;

use super::print;

pub fn run() -> ExitCode {
    print(format_args!("{:#}", policies::config_schema()));
    ExitCode::SUCCESS
}
