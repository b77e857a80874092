//! What runs during one work: the upstream, one instance of each proxy for each variant, and slices of load.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use super::{
    cpu, http,
    load::{self, Outcome, Pace, Plan, StillOpen},
    options::Options,
    process::{Process, own_task},
    proxies::{self, Certificate, Proxy, Setup},
    work::{BASE, KEY_HEADER, KEYS, Work, key, route, sha256},
};

/// How long a proxy may take to serve. A hundred thousand routes take some of them a while.
const STARTUP: Duration = Duration::from_secs(60);

/// What all works share.
pub struct Bench {
    pub options: Options,
    pub directory: PathBuf,
    pub certificate: Certificate,
    pub upstream: Process,
    pub upstream_ports: [u16; 2],
}

impl Bench {
    pub fn start(options: Options) -> Result<Self, String> {
        let directory = std::env::temp_dir().join(format!("gatewright-bench-{}", std::process::id()));
        fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        let certificate = proxies::certificate(&directory)?;
        let (upstream, out) =
            Process::start_piped(own_task("upstream")).map_err(|error| format!("upstream: {error}"))?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).map_err(|error| format!("upstream: {error}"))?;
        let mut ports = line.split_ascii_whitespace().map_while(|port| port.parse().ok());
        let (Some(a), Some(b)) = (ports.next(), ports.next()) else {
            return Err("the upstream did not start".into());
        };
        Ok(Self { options, directory, certificate, upstream, upstream_ports: [a, b] })
    }

    /// A plan for this address; the caller fills in what to measure.
    pub fn plan(&self, port: u16, work: Work, routes: usize, pace: Pace) -> Plan {
        Plan {
            address: local(port),
            work,
            routes,
            certificate: None,
            connections: self.options.connections,
            pace,
            seconds: self.options.slice,
            warm_up: 0.3,
            proxy: Vec::new(),
            upstream: self.upstream.tree(),
            credentials: None,
            watch: None,
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if !self.options.keep {
            // Left behind at worst; the directory is in the system's temporary one.
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

/// A running proxy.
pub struct Instance {
    pub proxy: &'static dyn Proxy,
    pub setup: Setup,
    pub process: Process,
    pub startup: Duration,
}

impl Instance {
    /// Configures and starts the proxy, and waits for its first good answer.
    pub fn start(
        bench: &Bench,
        proxy: &'static dyn Proxy,
        program: PathBuf,
        work: Work,
        routes: usize,
    ) -> Result<Self, String> {
        let directory = bench.directory.join(format!("{}-{}-{routes}", work.name(), proxy.name()));
        Self::start_in(bench, proxy, program, directory, (work, routes, ""))
    }

    /// Starts Gatewright with these policies.
    pub fn start_governed(
        bench: &Bench,
        proxy: &'static dyn Proxy,
        program: PathBuf,
        policies: &'static str,
    ) -> Result<Self, String> {
        let name = sha256(policies);
        let directory = bench.directory.join(&name[..16]);
        Self::start_in(bench, proxy, program, directory, (Work::Policies, 0, policies))
    }

    fn start_in(
        bench: &Bench,
        proxy: &'static dyn Proxy,
        program: PathBuf,
        directory: PathBuf,
        (work, routes, policies): (Work, usize, &'static str),
    ) -> Result<Self, String> {
        fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
        let ports = free_ports().map_err(|error| error.to_string())?;
        let setup = Setup {
            program,
            directory,
            work,
            routes,
            workers: bench.options.workers,
            port: ports[0],
            operations: ports[1],
            upstreams: bench.upstream_ports,
            side: 0,
            certificate: bench.certificate.clone(),
            policies,
        };
        let command = proxy.configure(&setup).map_err(|error| format!("configuration: {error}"))?;
        let start = Instant::now();
        let process = Process::start(command, &setup.directory.join("output.log"))
            .map_err(|error| format!("{}: {error}", setup.program.display()))?;
        let mut instance = Self { proxy, setup, process, startup: Duration::ZERO };
        instance.wait_until_ready(bench)?;
        instance.startup = start.elapsed();
        instance.verify()?;
        Ok(instance)
    }

    fn wait_until_ready(&mut self, bench: &Bench) -> Result<(), String> {
        let mut plan = self.plan(bench, Pace::Idle);
        plan.connections = 1;
        let start = Instant::now();
        loop {
            let answered = load::first_answers(&plan);
            if answered.is_ok() && self.says_ready() {
                return Ok(());
            }
            if self.process.has_ended() {
                return Err(format!("ended at start:\n    {}", self.process.last_words()));
            }
            if start.elapsed() > STARTUP {
                let why = answered
                    .err()
                    .map_or_else(|| "it does not say that it is ready".into(), |error| error.to_string());
                let words = self.process.last_words();
                return Err(format!("not ready within {} s: {why}\n    {words}", STARTUP.as_secs()));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Gatewright says so on its operations port; for the others an answer is all there is.
    fn says_ready(&self) -> bool {
        !self.has_operations() || get(self.setup.operations, "/ready", "").is_ok_and(|answer| answer.0 == 200)
    }

    fn has_operations(&self) -> bool {
        self.proxy.name() == "gatewright"
    }

    /// Makes sure that what is to be measured happens at all: good answers alone do not show that anything is
    /// governed, or that routes are told apart.
    fn verify(&self) -> Result<(), String> {
        let (path, header, expected): (_, _, &[u16]) = match self.setup.work {
            Work::Governed => {
                (format!("{BASE}/150"), format!("{KEY_HEADER}: {}\r\n", key(KEYS)), &[401, 403])
            }
            Work::Routes10k | Work::Routes100k => (route(self.setup.routes), String::new(), &[404]),
            _ => return Ok(()),
        };
        match get(self.setup.port, &path, &header) {
            Ok((status, _)) if expected.contains(&status) => Ok(()),
            Ok((status, _)) => Err(format!("status {status} for what must be refused with {expected:?}")),
            Err(error) => Err(format!("no answer to what must be refused: {error}")),
        }
    }

    /// Transaction events that Gatewright did not keep. What was dropped cost nothing, so it has to be known.
    pub fn dropped_events(&self) -> Option<f64> {
        if !self.has_operations() {
            return None;
        }
        let (status, metrics) = get(self.setup.operations, "/metrics", "").ok()?;
        let dropped: Vec<f64> = metrics
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| {
                let (series, value) = line.rsplit_once(' ')?;
                let name = series.split('{').next()?;
                (name.contains("events") && name.contains("dropped")).then(|| value.parse().ok())?
            })
            .collect();
        (status == 200 && !dropped.is_empty()).then(|| dropped.iter().fold(0.0, |sum, value| sum + value))
    }

    pub fn plan(&self, bench: &Bench, pace: Pace) -> Plan {
        let mut plan = bench.plan(self.setup.port, self.setup.work, self.setup.routes, pace);
        plan.proxy = self.process.tree();
        plan.certificate = self.setup.tls().then(|| self.setup.certificate.chain.clone());
        plan
    }

    pub fn memory_kib(&self) -> f64 {
        cpu::memory_kib(&self.process.tree()) as f64
    }

    /// Memory with this many connections that have each asked once and then been left alone for a while.
    pub fn memory_with_idle(
        &self,
        bench: &Bench,
        connections: usize,
        left_for: Duration,
    ) -> Result<f64, String> {
        let mut plan = self.plan(bench, Pace::Idle);
        plan.connections = connections;
        let plan = serde_json::to_string(&plan).map_err(|error| error.to_string())?;
        let mut command = own_task("load");
        command.arg(plan).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the load generator has no standard streams".into());
        };
        let mut lines = BufReader::new(output).lines();
        let ready = lines.next().and_then(Result::ok);
        let mut measure = || {
            if ready.as_deref() != Some("ready") {
                return Err("connections could not be opened".to_owned());
            }
            thread::sleep(left_for);
            let memory = self.memory_kib();
            writeln!(input).map_err(|error| error.to_string())?;
            let report = lines.next().and_then(Result::ok).unwrap_or_default();
            let StillOpen(open) = serde_json::from_str(&report).map_err(|error| error.to_string())?;
            if open == connections { Ok(memory) } else { Err(format!("only {open} connections stayed open")) }
        };
        let measured = measure();
        let ended = child.wait().map_err(|error| error.to_string());
        ended.and(measured)
    }
}

/// Runs one slice of load in a process of its own.
pub fn run_load(plan: &Plan) -> Result<Outcome, String> {
    let text = serde_json::to_string(plan).map_err(|error| error.to_string())?;
    let output = own_task("load")
        .arg(text)
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| format!("load generator: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("load generator: {error}"))
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Status and all bytes of one answer, on a connection of its own.
fn get(port: u16, path: &str, header: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&local(port), Duration::from_secs(2))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{header}\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    // Some reset a connection that they close; what came before that counts.
    let read = stream.read_to_end(&mut answer);
    match http::status(&answer) {
        Some(status) => Ok((status, String::from_utf8_lossy(&answer).into_owned())),
        None => Err(read.err().unwrap_or_else(|| io::ErrorKind::InvalidData.into())),
    }
}

/// Two ports that are free now; held together, so that they differ.
fn free_ports() -> io::Result<[u16; 2]> {
    let a = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let b = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok([a.local_addr()?.port(), b.local_addr()?.port()])
}
