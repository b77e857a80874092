//! Playing a test file: the configuration is compiled, and each request goes through it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use engine::{Clock, Snapshot, Timestamp, compile, state::StateRegistry};
use model::{Diagnostic, Diagnostics, TestFile, check, diagnostic::Severity, yaml};
use proxy::rehearse::Rehearsal;

use super::{
    FileReport, Mismatch, TestReport, millis,
    prepare::{self, Play, Problems},
};
use crate::{
    Explanation, Source,
    config::{self, Loaded},
    explain,
};

/// Runs a test file.
pub async fn file(path: &Path, filter: Option<&str>) -> FileReport {
    let name = path.display().to_string();
    match read(path) {
        Ok((file, marks)) => match Table::prepare(path, file, marks).await {
            Ok(table) => {
                FileReport { file: name, problems: Diagnostics::default(), tests: table.run(filter).await }
            }
            Err(problems) => FileReport { file: name, problems, tests: Vec::new() },
        },
        Err(problems) => FileReport { file: name, problems, tests: Vec::new() },
    }
}

/// Largest test file.
const LARGEST: u64 = 16 << 20;

fn read(path: &Path) -> Result<(TestFile, yaml::Marks), Diagnostics> {
    let name = path.display().to_string();
    let here = |problem: Diagnostic, line| problem.in_file(name.clone(), line);
    let unreadable = |error: io::Error| here(Diagnostic::error("", format!("cannot be read: {error}")), None);
    if fs::metadata(path).map_err(unreadable)?.len() > LARGEST {
        return Err(here(Diagnostic::error("", "is larger than 16 MiB"), None).into());
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let parsed = yaml::parse(&text).map_err(|problem| {
        let line = problem.line;
        here(problem, line)
    })?;
    if parsed.value.is_null() {
        let help = "expected `tests:` with a list of requests and expectations";
        return Err(here(Diagnostic::error("", "the file is empty").help(help), None).into());
    }
    if !parsed.warnings.is_empty() {
        let odd = parsed.warnings.into_iter().map(|problem| {
            let line = problem.line;
            Diagnostic { severity: Severity::Error, ..here(problem, line) }
        });
        return Err(Diagnostics(odd.collect()));
    }
    match check::parse(parsed.value) {
        Ok(file) => Ok((file, parsed.marks)),
        Err(problems) => {
            let located = problems.0.into_iter().map(|problem| {
                let line = parsed.marks.line(&problem.path);
                here(problem, line)
            });
            Err(Diagnostics(located.collect()))
        }
    }
}

/// A test file with its configuration, ready to run.
struct Table {
    loaded: Loaded,
    snapshot: Arc<Snapshot>,
    clock: Clock,
    tests: Vec<(String, Option<u32>, Play)>,
}

impl Table {
    async fn prepare(path: &Path, file: TestFile, marks: yaml::Marks) -> Result<Self, Diagnostics> {
        let name = path.display().to_string();
        let folder = path.parent().unwrap_or(Path::new(""));
        let config = folder.join(&file.config);
        let here = |problem: Diagnostic| {
            let line = marks.line(&problem.path);
            problem.in_file(name.clone(), line)
        };
        if !config.exists() {
            let message = format!("found `{}`, which does not exist beside this file", file.config);
            let problem =
                Diagnostic::error("config", message).help("name the configuration, or a folder of them");
            return Err(here(problem).into());
        }
        let loaded = load(config, &file).await?;
        let clock = Clock::manual(Timestamp::from_millis(Clock::system().now().millis()));
        let snapshot = compiled(&loaded, &clock)?;
        let mut problems = Vec::new();
        if file.tests.is_empty() {
            problems.push(here(Diagnostic::error("tests", "the list is empty, expected a test at least")));
        }
        let mut tests = Vec::with_capacity(file.tests.len());
        for (index, test) in file.tests.into_iter().enumerate() {
            let place = format!("tests[{index}]");
            let mut found = Problems::default();
            let play = prepare::test(&test, &snapshot, &mut found);
            problems.extend(found.0.into_iter().map(|problem| here(problem.under(&place))));
            if let Some(play) = play {
                tests.push((test.name, marks.line(&place), play));
            }
        }
        if !problems.is_empty() {
            return Err(Diagnostics(problems));
        }
        Ok(Self { loaded, snapshot, clock, tests })
    }

    async fn run(self, filter: Option<&str>) -> Vec<TestReport> {
        let Self { loaded, snapshot, clock, tests } = self;
        let mut shared =
            Session { rehearsal: Rehearsal::new(Arc::clone(&snapshot), clock.clone()), snapshot, clock };
        let mut reports = Vec::new();
        for (name, line, play) in tests {
            if filter.is_some_and(|filter| !name.contains(filter)) {
                continue;
            }
            let started = Instant::now();
            let (mismatches, record) = if play.fresh {
                let clock = Clock::manual(shared.clock.now());
                match compiled(&loaded, &clock) {
                    Ok(snapshot) => {
                        let rehearsal = Rehearsal::new(Arc::clone(&snapshot), clock.clone());
                        Session { rehearsal, snapshot, clock }.play(&play).await
                    }
                    // It compiled a moment ago.
                    Err(problems) => (vec![broken(problems.to_string())], None),
                }
            } else {
                shared.play(&play).await
            };
            let passed = mismatches.is_empty();
            reports.push(TestReport {
                name,
                line,
                passed,
                millis: millis(started.elapsed()),
                mismatches,
                record: record.filter(|_| !passed),
            });
        }
        reports
    }
}

async fn load(config: PathBuf, file: &TestFile) -> Result<Loaded, Diagnostics> {
    config::load_with_secrets(&Source::Path(config), &file.secrets).await
}

/// Certificates are left out: nothing is encrypted in a test, and keys are seldom where tests run.
fn compiled(loaded: &Loaded, clock: &Clock) -> Result<Arc<Snapshot>, Diagnostics> {
    let environment = compile::Environment {
        kinds: policies::POLICIES,
        registry: &StateRegistry::default(),
        workers: 1,
        clock: clock.clone(),
        alerts: engine::Alerts::default(),
    };
    match compile::compile(&loaded.input, &environment, None, 1) {
        Ok((snapshot, _)) => Ok(Arc::new(snapshot)),
        Err(problems) => Err(loaded.locate(problems)),
    }
}

/// What the requests of several tests share.
struct Session {
    rehearsal: Rehearsal,
    snapshot: Arc<Snapshot>,
    clock: Clock,
}

impl Session {
    async fn play(&mut self, play: &Play) -> (Vec<Mismatch>, Option<Explanation>) {
        if let Some(at) = play.at {
            self.clock.set(at);
        }
        let mut last = None;
        for _ in 0..play.repeat.get() {
            self.clock.advance(play.after);
            last = Some(self.rehearsal.play(play.request.clone()).await);
        }
        let Some(outcome) = last else { return (vec![broken("the request was not sent")], None) };
        let Some(finished) = outcome.batch.finished.first() else {
            return (vec![broken("the request left no decision record")], None);
        };
        let mut record = explain::explain(&outcome.batch, finished);
        record.add_candidates(&self.snapshot);
        (play.expect.mismatches(&outcome, &record), Some(record))
    }
}

fn broken(found: impl Into<String>) -> Mismatch {
    Mismatch { what: "test".to_owned(), expected: "an answer".to_owned(), found: found.into() }
}
