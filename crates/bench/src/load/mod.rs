//! Load generator: one thread, a process of its own. What to do comes as JSON in its argument, what it saw goes as
//! JSON to standard output. It reads the CPU time of proxy and upstream itself, at the edges of its own work, so that
//! no other process has to be woken in time on a busy machine.

use std::{
    fs,
    io::{self, BufRead as _, Write as _},
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use serde::{Deserialize, Serialize};

use super::{
    cpu, epoll,
    work::{Work, authorized},
};

mod conn;
mod generator;

pub use conn::Conn;
use conn::Received;
use generator::Generator;

/// One slice of load.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    pub address: SocketAddr,
    pub work: Work,
    /// Routes that the requests are spread over.
    pub routes: usize,
    /// PEM file of the certificate to trust; without it the load is cleartext.
    pub certificate: Option<PathBuf>,
    pub connections: usize,
    pub pace: Pace,
    pub seconds: f64,
    /// Sent before, and left out of throughput and latency.
    pub warm_up: f64,
    /// Processes whose CPU time is read.
    pub proxy: Vec<u32>,
    pub upstream: Vec<u32>,
    /// What the requests show, instead of what the work says.
    #[serde(default)]
    pub credentials: Option<Credentials>,
    /// Side whose first answer is waited for; then failures do not end the slice.
    pub watch: Option<u8>,
}

/// Who asks: a value of `Authorization` for each line of a file, in turn.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Credentials {
    pub path: String,
    pub file: PathBuf,
    /// Each is shown once, and then the slice ends.
    pub once: bool,
}

impl Plan {
    /// The requests that are sent in turn.
    fn requests(&self) -> io::Result<Vec<Vec<u8>>> {
        let Some(credentials) = &self.credentials else { return Ok(self.work.requests(self.routes)) };
        let values = fs::read_to_string(&credentials.file)?;
        Ok(values.lines().map(|value| authorized(&credentials.path, value)).collect())
    }

    fn shows_each_once(&self) -> bool {
        self.credentials.as_ref().is_some_and(|credentials| credentials.once)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Pace {
    /// Each connection asks again as soon as it has its answer.
    Saturated,
    /// Requests per second, sent when they are due whatever became of the earlier ones.
    Rate(f64),
    /// Each connection asks once and is then left alone.
    Idle,
}

/// What a slice brought.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Good answers, with those of the warm-up.
    pub requests: u64,
    pub failed: u64,
    pub first_failure: Option<String>,
    /// Good answers per second after the warm-up.
    pub throughput: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    /// CPU time of all `requests`, and of what was put off until after them.
    pub proxy_cpu_ns: u64,
    pub upstream_cpu_ns: u64,
    pub loadgen_cpu_ns: u64,
    /// The proxy was at work for long after the last request; then `proxy_cpu_ns` is not all.
    pub still_busy: bool,
    /// Nanoseconds since 1970 of the first answer from the side that was watched for.
    pub first_new: Option<u64>,
    /// The same of the last answer from the other side.
    pub last_old: Option<u64>,
}

/// How many idle connections were still open when asked.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct StillOpen(pub usize);

pub fn main(args: &[String]) -> Result<(), String> {
    let plan = args.first().ok_or("the load generator needs a plan")?;
    let plan: Plan = serde_json::from_str(plan).map_err(|error| format!("plan: {error}"))?;
    epoll::precise_timers();
    let report = if plan.pace == Pace::Idle {
        idle(&plan).and_then(|open| Ok(serde_json::to_string(&open)?))
    } else {
        slice(&plan).and_then(|outcome| Ok(serde_json::to_string(&outcome)?))
    };
    let report = report.map_err(|error| format!("load generator: {error}"))?;
    writeln!(io::stdout(), "{report}").map_err(|error| error.to_string())
}

fn slice(plan: &Plan) -> io::Result<Outcome> {
    let requests = plan.requests()?;
    let expected = plan.work.expected();
    let tls = plan.certificate.as_ref().map(|path| client_config(path)).transpose()?;
    let mut generator = Generator::connect(plan, &requests, &expected, tls)?;

    let before = [cpu::nanos(&plan.proxy), cpu::nanos(&plan.upstream), cpu::own_nanos()];
    generator.run()?;
    let own = cpu::own_nanos();
    let upstream = cpu::nanos(&plan.upstream);
    let (proxy, calm) = quiet(&plan.proxy);

    let mut outcome = generator.outcome();
    outcome.still_busy = !calm;
    outcome.proxy_cpu_ns = proxy.saturating_sub(before[0]);
    outcome.upstream_cpu_ns = upstream.saturating_sub(before[1]);
    outcome.loadgen_cpu_ns = own.saturating_sub(before[2]);
    Ok(outcome)
}

/// CPU time once these processes have nothing left to do, and whether they came to that. Logs and events that were put off belong to the requests
/// that caused them, and not to the engine that is measured next.
fn quiet(pids: &[u32]) -> (u64, bool) {
    const STEP: Duration = Duration::from_millis(40);
    const PATIENCE: Duration = Duration::from_secs(5);
    // Two hundredths of a core: the hum of timers, of every engine.
    let hum = STEP.as_nanos() as u64 / 50;
    let start = Instant::now();
    let mut last = cpu::nanos(pids);
    let mut calm = 0;
    while !pids.is_empty() && calm < 2 {
        if start.elapsed() > PATIENCE {
            return (last, false);
        }
        thread::sleep(STEP);
        let now = cpu::nanos(pids);
        calm = if now.saturating_sub(last) < hum { calm + 1 } else { 0 };
        last = now;
    }
    (last, true)
}

/// Opens connections, asks once on each, says `ready`, and looks after them when a line comes in.
fn idle(plan: &Plan) -> io::Result<StillOpen> {
    let mut conns = first_answers(plan)?;
    writeln!(io::stdout(), "ready")?;
    io::stdin().lock().read_line(&mut String::new())?;
    Ok(StillOpen(conns.iter_mut().filter_map(|conn| conn.is_open().then_some(())).count()))
}

/// The connections of a plan, each after one good answer.
pub fn first_answers(plan: &Plan) -> io::Result<Vec<Conn>> {
    let requests = plan.requests()?;
    let expected = plan.work.expected();
    let tls = plan.certificate.as_ref().map(|path| client_config(path)).transpose()?;
    let ask = |n: usize| {
        let mut conn = Conn::open(plan.address, tls.as_ref(), &expected)?;
        conn.ask(&requests[n % requests.len()], Instant::now())?;
        loop {
            match conn.receive(&expected) {
                Received::Part => {}
                Received::Answer { close: false, .. } => return Ok(conn),
                Received::Answer { close: true, .. } | Received::Closed => {
                    return Err(io::Error::other("the connection was not kept open"));
                }
                Received::Wrong(what) => return Err(io::Error::other(what)),
            }
        }
    };
    (0..plan.connections).map(ask).collect()
}

/// One suite for all, so that no engine is measured at a cheaper cipher than another.
fn client_config(certificate: &PathBuf) -> io::Result<(Arc<rustls::ClientConfig>, ServerName<'static>)> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites = vec![rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256];
    let mut roots = rustls::RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(certificate).map_err(io::Error::other)?;
    roots.add(certificate).map_err(io::Error::other)?;
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    Ok((Arc::new(config), name))
}
