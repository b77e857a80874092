//! The benchmark: Gatewright, nginx, HAProxy and Envoy over the same work.
//!
//! The primary figure is CPU time per request of the proxy's processes, as the scheduler counts it, and its ratio to
//! nginx in the same round. Throughput and latency depend on what else shares the cores, this figure hardly does.
//! Every answer is checked. Rows that Gatewright loses are published like any other.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks on its standard streams"
)]

use std::{path::PathBuf, process::ExitCode};

mod cpu;
mod epoll;
mod http;
mod identity;
mod instance;
mod load;
mod manager;
mod node;
mod options;
mod page;
mod policies;
mod process;
mod proxies;
mod report;
mod rounds;
mod svg;
mod upstream;
mod work;

use instance::{Bench, Instance};
use options::Options;
use proxies::Proxy;
use report::Report;
use work::Work;

const UNOPTIMISED: &str = "an unoptimised load generator would be what is measured: use `make bench`";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // These two are processes of their own, so that their CPU time can be told apart.
    let done = match args.split_first() {
        Some((first, rest)) if first == "load" => load::main(rest),
        Some((first, _)) if first == "upstream" => upstream::main(),
        Some((first, _)) if first == "manager" && cfg!(debug_assertions) => Err(UNOPTIMISED.into()),
        Some((first, rest)) if first == "manager" => manager::main(rest),
        Some((first, _)) if first == "identity" && cfg!(debug_assertions) => Err(UNOPTIMISED.into()),
        Some((first, rest)) if first == "identity" => identity::main(rest),
        Some((first, _)) if first == "policies" && cfg!(debug_assertions) => Err(UNOPTIMISED.into()),
        Some((first, rest)) if first == "policies" => policies::main(rest),
        _ => run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<(), String> {
    let Some(options) = Options::parse(args)? else {
        println!("{}", options::USAGE);
        return Ok(());
    };
    if cfg!(debug_assertions) {
        return Err(UNOPTIMISED.into());
    }
    process::raise_file_limit();
    let mut report = Report::new(&options);
    let programs = programs(&options, &mut report);
    let bench = Bench::start(options)?;
    for &work in &bench.options.works {
        let mut instances = start(&bench, work, &programs, &mut report);
        match work {
            Work::Reload => rounds::reload(&bench, &mut instances, &mut report),
            _ => {
                if work == Work::Plain {
                    rounds::memory(&bench, work, &instances, &mut report);
                }
                rounds::measure(&bench, work, &instances, &mut report);
            }
        }
        drop(instances);
        report.print_work(work);
    }
    report.finish(&target_directory()?)
}

type Programs = Vec<(&'static dyn Proxy, PathBuf)>;

fn programs(options: &Options, report: &mut Report) -> Programs {
    let mut programs = Programs::new();
    for proxy in proxies::PROXIES {
        if !options.proxies.iter().any(|name| name == proxy.name()) {
            continue;
        }
        match proxy.program(options) {
            Ok(program) => programs.push((proxy, program)),
            Err(how) => report.missing(proxy.name(), &how),
        }
    }
    programs
}

/// All instances that a work needs. What does not start is told, and left out.
fn start(bench: &Bench, work: Work, programs: &Programs, report: &mut Report) -> Vec<Instance> {
    println!("\n{}: {}", work.name(), work.about());
    let mut instances = Vec::new();
    for (proxy, program) in programs {
        for &routes in work.variants() {
            match Instance::start(bench, *proxy, program.clone(), work, routes) {
                Ok(instance) => instances.push(instance),
                Err(error) => report.problem(work, proxy.name(), &format!("{routes} routes: {error}")),
            }
        }
    }
    instances
}

/// The target directory, two above this program.
fn target_directory() -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let directory = program.parent().and_then(|profile| profile.parent());
    Ok(directory.ok_or("this program is not in a target directory")?.to_owned())
}
