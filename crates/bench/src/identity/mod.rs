//! What it adds to a request to find out who sends it: tokens of each kind and passwords, at first sight and repeated, and
//! opaque tokens while many others are live. The same GET as in `governed`, with events, decision records and metrics.

mod elsewhere;
mod subject;

use std::{fmt::Write as _, fs, io, path::Path};

use super::{
    instance::run_load,
    load::{Credentials, Outcome, Pace, Plan},
    node::release,
    options::Options,
    page,
    policies::median,
    process,
    process::own_task,
    work::{BASE, Work},
};
use subject::{Subject, Who};

/// Credentials that a row has never shown before, in each round.
const FRESH: usize = 2_000;
/// The same for passwords, each of which takes a while.
const FRESH_PASSWORDS: usize = 40;
/// Credentials that are shown again and again.
const REPEATED: usize = 100;
/// Of many tokens, so many are shown in turn.
const SHOWN: usize = 100_000;

/// What whoever looks after tokens asks for.
const LISTS: [(&str, &str); 3] = [
    ("a page of 100 tokens", "/oauthTokens?limit=100"),
    ("a page of an application's", "/oauthTokens?application=here&limit=100"),
    ("a page of a user's", "/oauthTokens?user=nobody&limit=100"),
];

const BEGIN: &str = "<!-- bench identity -->\n";

/// What came of one row: CPU microseconds for each request in each round, at first sight and repeated.
#[derive(Default)]
struct Samples {
    first: Vec<f64>,
    repeated: Vec<f64>,
}

/// `bench identity [OPTION…]`: the table, also into a page with `--write`.
pub fn main(args: &[String]) -> Result<(), String> {
    let Some(options) = Options::parse(args)? else {
        println!("{}", super::options::USAGE);
        return Ok(());
    };
    process::raise_file_limit();
    let program = options.gatewright.clone().map_or_else(release, Ok)?;
    let directory = std::env::temp_dir().join(format!("gatewright-bench-identity-{}", std::process::id()));
    fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let measured = measure(&program, &directory, &options);
    if !options.keep {
        let _ = fs::remove_dir_all(&directory);
    }
    let table = measured?;
    println!("{table}");
    options.write.map_or(Ok(()), |file| page::put(&file, BEGIN, &table))
}

fn measure(program: &Path, directory: &Path, options: &Options) -> Result<String, String> {
    let told = |error: io::Error| error.to_string();
    let (upstream, port) = upstream()?;
    let few = Subject::start(program, &directory.join("few"), port, FRESH_PASSWORDS * options.rounds)
        .map_err(told)?;
    let many = Subject::start(program, &directory.join("many"), port, 0).map_err(told)?;
    let (seconds, all) = many.issue(options.tokens).map_err(told)?;
    println!("{} tokens issued in {seconds:.0} s, {:.0} in a second", all.len(), all.len() as f64 / seconds);
    for (what, path) in LISTS {
        println!("{what}: {:.1} ms", many.list(path).map_err(told)?.as_secs_f64() * 1e3);
    }
    drop(many);
    let many = Subject::start(program, &directory.join("many"), port, 0).map_err(told)?;
    println!("a start with them: {:.1} s", many.startup.as_secs_f64());
    println!("memory with them: {} MiB", many.node.memory().map_err(told)? >> 10);
    let step = (all.len() / SHOWN).max(1);
    let shown: Vec<String> = all.into_iter().step_by(step).collect();

    let mut samples: Vec<Samples> = Who::ALL.iter().map(|_| Samples::default()).collect();
    let mut beside_many = Samples::default();
    for round in 0..options.rounds {
        // From another row on in each round: what else the machine does falls on all of them alike.
        for index in (0..Who::ALL.len()).map(|n| (n + round) % Who::ALL.len()) {
            let who = Who::ALL[index];
            let count = if who == Who::Password { FRESH_PASSWORDS } else { FRESH };
            let fresh = few.credentials(who, round, count).map_err(told)?;
            let run = Run { subject: &few, who, directory, options, upstream: &upstream };
            samples[index].first.push(run.load(&fresh, true)?);
            // Few, so that soon each worker has seen all of them.
            let again = fresh.get(..REPEATED).unwrap_or(&fresh);
            samples[index].repeated.push(run.load(again, false)?);
        }
        let run = Run { subject: &many, who: Who::Opaque, directory, options, upstream: &upstream };
        beside_many.repeated.push(run.load(&shown, false)?);
    }
    let live = format!("{} live", options.tokens);
    Ok(table(&samples, &beside_many, &live))
}

/// The upstream that all works have.
fn upstream() -> Result<(process::Process, u16), String> {
    let (upstream, out) =
        process::Process::start_piped(own_task("upstream")).map_err(|error| format!("upstream: {error}"))?;
    let mut line = String::new();
    io::BufRead::read_line(&mut io::BufReader::new(out), &mut line)
        .map_err(|error| format!("upstream: {error}"))?;
    let port = line.split_ascii_whitespace().next().and_then(|port| port.parse().ok());
    port.map(|port| (upstream, port)).ok_or_else(|| "the upstream did not start".into())
}

/// One slice of load with credentials.
struct Run<'a> {
    subject: &'a Subject,
    who: Who,
    directory: &'a Path,
    options: &'a Options,
    upstream: &'a process::Process,
}

impl Run<'_> {
    /// CPU microseconds for each request.
    fn load(&self, values: &[String], once: bool) -> Result<f64, String> {
        let file = self.directory.join("credentials");
        fs::write(&file, values.join("\n")).map_err(|error| format!("{}: {error}", file.display()))?;
        let name = self.who.name();
        let plan = Plan {
            address: self.subject.node.listener,
            work: Work::Governed,
            routes: 0,
            certificate: None,
            connections: self.options.connections,
            pace: Pace::Saturated,
            // What is shown once ends when all of it was.
            seconds: if once { 120.0 } else { self.options.slice },
            warm_up: if once { 0.0 } else { 0.3 },
            proxy: self.subject.node.process.tree(),
            upstream: self.upstream.tree(),
            credentials: Some(Credentials { path: format!("{BASE}/{name}"), file, once }),
            watch: None,
        };
        let Outcome { requests, failed, first_failure, proxy_cpu_ns, .. } = run_load(&plan)?;
        if failed > 0 || requests == 0 {
            return Err(format!("{name}: {failed} requests failed: {}", first_failure.unwrap_or_default()));
        }
        Ok(proxy_cpu_ns as f64 / 1e3 / requests as f64)
    }
}

fn table(samples: &[Samples], beside_many: &Samples, live: &str) -> String {
    let mut text =
        "| who sends it | first sight, added µs | repeated, added µs |\n|---|---|---|\n".to_owned();
    let Some(base) = samples.first() else { return text };
    let added = |samples: &[f64], base: &[f64]| {
        let added: Vec<f64> = samples.iter().zip(base).map(|(with, without)| with - without).collect();
        if added.is_empty() { String::new() } else { format!("{:.1}", median(added)) }
    };
    let mut row = |name: &str, samples: &Samples| {
        let first = added(&samples.first, &base.first);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {name} | {first} | {} |", added(&samples.repeated, &base.repeated));
    };
    for (who, samples) in Who::ALL.iter().zip(samples).skip(1) {
        row(who.about(), samples);
    }
    row(&format!("{}, {live}", Who::Opaque.about()), beside_many);
    let _ =
        writeln!(text, "\nA request of nobody in particular takes {:.1} µs.", median(base.repeated.clone()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_taken_within_a_round() {
        let samples =
            |first: &[f64], repeated: &[f64]| Samples { first: first.to_vec(), repeated: repeated.to_vec() };
        let rows = [
            samples(&[20.0, 30.0, 40.0], &[10.0, 20.0, 30.0]),
            samples(&[50.0, 61.0, 70.0], &[11.0, 22.0, 30.5]),
        ];
        let table = table(&rows, &samples(&[], &[12.0, 21.0, 33.0]), "9 live");
        assert!(table.contains("| JSON Web Token, RS256 | 30.0 | 1.0 |\n"), "{table}");
        assert!(table.contains("| opaque token, 9 live |  | 2.0 |\n"), "{table}");
        assert!(table.ends_with("takes 20.0 µs.\n"), "{table}");
    }
}
