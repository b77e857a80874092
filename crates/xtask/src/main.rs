//! Tasks of the project that are not the gateway: `cargo xtask TASK`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks on its standard streams"
)]

use std::process::ExitCode;

mod bench;

const USAGE: &str = "usage: cargo xtask TASK [OPTION…]

tasks:
  bench    compare Gatewright with nginx, HAProxy and Envoy (`cargo xtask bench --help`)";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let task = args.next().unwrap_or_default();
    let args: Vec<String> = args.collect();
    let done = match task.as_str() {
        "bench" => bench::run(&args),
        // The benchmark starts these two as processes of their own, so that their CPU time can be told apart.
        "bench-load" => bench::load::main(&args),
        "bench-upstream" => bench::upstream::main(&args),
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
