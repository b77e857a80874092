//! The benchmark: Gatewright, nginx, HAProxy and Envoy over the same work.
//!
//! The primary figure is CPU time per request of the proxy's processes, as the scheduler counts it, and its ratio to
//! nginx in the same round. Throughput and latency depend on what else shares the cores, this figure hardly does.
//! Every answer is checked. Rows that Gatewright loses are published like any other.

use std::{path::PathBuf, process::Command};

mod cpu;
mod epoll;
mod http;
mod instance;
pub mod load;
mod options;
mod process;
mod proxies;
mod report;
mod rounds;
mod svg;
pub mod upstream;
mod work;

use instance::{Bench, Instance};
use options::Options;
use proxies::Proxy;
use report::Report;
use work::Work;

pub fn run(args: &[String]) -> Result<(), String> {
    let Some(options) = Options::parse(args)? else {
        println!("{}", options::USAGE);
        return Ok(());
    };
    if cfg!(debug_assertions) {
        return run_optimised(args);
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

/// An unoptimised load generator would be what is measured.
fn run_optimised(args: &[String]) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["run", "--release", "-q", "-p", "xtask", "--", "bench"]).args(args);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err("the benchmark failed".into()),
        Err(error) => Err(format!("cargo: {error}")),
    }
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
