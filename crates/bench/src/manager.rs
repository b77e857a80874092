//! The control plane, with many APIs in its store: how long changes, lists and a start take, and how much memory.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use base64ct::{Base64, Encoding};
use serde_json::{Value, json};

use super::{http, process::Process};

/// APIs in one change.
const AT_ONCE: usize = 5_000;
/// How often what is short is measured.
const TIMES: usize = 15;

/// `bench manager [NUMBER…]`: a table for each number of APIs.
pub fn main(args: &[String]) -> Result<(), String> {
    let numbers: Result<Vec<usize>, _> = args.iter().map(|text| text.parse()).collect();
    let mut numbers = numbers.map_err(|_| "usage: bench manager [NUMBER OF APIS…]")?;
    if numbers.is_empty() {
        numbers = vec![10_000, 100_000];
    }
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let program = own.with_file_name("gatewright");
    if !program.is_file() {
        return Err("there is no release to measure: make console && cargo build --release".into());
    }
    for apis in numbers {
        println!("\n{apis} APIs");
        measure(&program, apis).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn measure(program: &Path, apis: usize) -> io::Result<()> {
    let directory = std::env::temp_dir().join(format!("gatewright-bench-manager-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let measured = measure_in(program, &directory, apis);
    let _ = fs::remove_dir_all(&directory);
    measured
}

fn measure_in(program: &Path, directory: &Path, apis: usize) -> io::Result<()> {
    let (node, printed, _) = Node::start(program, directory)?;
    let password = printed.split("has the password ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let user = User { manager: node.manager, password: password.unwrap_or_default().to_owned() };
    let mut made = 0;
    while made < apis {
        let until = apis.min(made + AT_ONCE);
        let set = json!({ "apis": (made..until).map(api).collect::<Vec<_>>() });
        let (time, _) = user.timed("POST", "/apply", Some(&set))?;
        if made == 0 || until == apis {
            let what = format!("apply {} with {made} there", until - made);
            println!("  {what:<32} {:>9.0} ms", ms(time));
        }
        made = until;
    }
    let mut live = Vec::new();
    for turn in 0..TIMES {
        let path = format!("/moved{turn}");
        let begin = Instant::now();
        user.timed("PATCH", "/apis/api7:1.0", Some(&json!({ "basePath": path })))?;
        // Answered by the gateway and not by the upstream, which is not there: the route is what is looked for.
        while call(node.listener, &format!("GET {path}/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"))?
            .0
            == 404
        {}
        live.push(begin.elapsed());
    }
    row("one change, until it is live", live);
    let mut live = Vec::new();
    for number in apis..apis + TIMES {
        let begin = Instant::now();
        user.timed("POST", "/apis", Some(&api(number)))?;
        live.push(begin.elapsed());
    }
    row("one API more", live);
    for (what, path) in [
        ("a page of 100", "/apis?limit=100"),
        ("a search", "/apis?q=api77&limit=100"),
        ("the newest first", "/apis?sort=-changedAt&limit=100"),
    ] {
        let times: io::Result<Vec<Duration>> =
            (0..TIMES).map(|_| user.timed("GET", path, None).map(|(time, _)| time)).collect();
        row(what, times?);
    }
    println!("  memory after that                {:>9} MiB", node.memory()? >> 10);
    drop(node);
    let (node, _, took) = Node::start(program, directory)?;
    println!("  a start                          {:>9.0} ms", ms(took));
    println!("  memory after a start             {:>9} MiB", node.memory()? >> 10);
    Ok(())
}

fn api(number: usize) -> Value {
    json!({
        "name": format!("api{number}"),
        "basePath": format!("/api{number}"),
        "upstream": format!("http://127.0.0.1:1/{number}"),
        "operations": [{ "method": "GET", "path": "/x" }, { "method": "POST", "path": "/y/{id}" }],
        "policies": [{ "type": "rateLimit", "config": { "limit": 100, "window": "1m" } }],
    })
}

fn row(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let (least, most) =
        (times.first().copied().unwrap_or_default(), times.last().copied().unwrap_or_default());
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    println!("  {what:<32} {:>9.1} ms   ({:.1} to {:.1})", ms(median), ms(least), ms(most));
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// A running gateway with its manager.
struct Node {
    process: Process,
    manager: SocketAddr,
    listener: SocketAddr,
}

impl Node {
    /// Starts one; returns what it has printed, and how long it took until it served.
    fn start(program: &Path, directory: &Path) -> io::Result<(Self, String, Duration)> {
        let [listener, manager, operations] = [free_port()?, free_port()?, free_port()?];
        let mut command = Command::new(program);
        command.current_dir(directory).env("GATEWRIGHT_LOG", "error").arg("start");
        for (option, address) in
            [("--listen", listener), ("--manager", manager), ("--operations", operations)]
        {
            command.args([option, &address.to_string()]);
        }
        command.args([PathBuf::from("--data-directory"), directory.join("data")]);
        let begin = Instant::now();
        let (process, out) = Process::start_piped(command)?;
        let mut printed = String::new();
        let mut out = BufReader::new(out);
        while !printed.contains(" served\n") {
            if out.read_line(&mut printed)? == 0 {
                return Err(io::Error::other(format!("it did not start: {printed}")));
            }
        }
        Ok((Self { process, manager, listener }, printed, begin.elapsed()))
    }

    /// Resident memory, in KiB.
    fn memory(&self) -> io::Result<usize> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.ok_or_else(|| io::Error::other("no VmRSS"))
    }
}

/// Ports are given out one after the other, so that a port that was free a moment ago is not the next one's.
fn free_port() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// Somebody who uses the admin API.
struct User {
    manager: SocketAddr,
    password: String,
}

impl User {
    fn timed(&self, method: &str, path: &str, body: Option<&Value>) -> io::Result<(Duration, String)> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let credentials = Base64::encode_string(format!("Administrator:{}", self.password).as_bytes());
        let request = format!(
            "{method} /api/v1{path} HTTP/1.1\r\nhost: x\r\nauthorization: Basic {credentials}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let begin = Instant::now();
        let (status, answer) = call(self.manager, &request)?;
        let time = begin.elapsed();
        if !matches!(status, 200 | 201) {
            return Err(io::Error::other(format!("{method} {path}: {status} {answer}")));
        }
        Ok((time, answer))
    }
}

/// Sends a request on a connection of its own.
fn call(address: SocketAddr, request: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let status = http::status(&answer).ok_or_else(|| io::Error::other("no answer"))?;
    Ok((status, String::from_utf8_lossy(&answer).into_owned()))
}
