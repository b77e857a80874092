//! A gateway with its manager, as somebody has started it, and somebody who uses its admin API.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use base64ct::{Base64, Encoding};
use serde_json::Value;

use super::{http, process::Process};

/// The release that was built beside this program.
pub fn release() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let program = own.with_file_name("gatewright");
    match program.is_file() {
        true => Ok(program),
        false => Err("there is no release to measure: make console && cargo build --release".into()),
    }
}

/// A running gateway with its manager.
pub struct Node {
    pub process: Process,
    pub manager: SocketAddr,
    pub listener: SocketAddr,
}

impl Node {
    /// Starts one; returns what it has printed, and how long it took until it served.
    pub fn start(program: &Path, directory: &Path) -> io::Result<(Self, String, Duration)> {
        let [listener, manager, operations] = [free_port()?, free_port()?, free_port()?];
        let mut command = Command::new(program);
        command.current_dir(directory).env("GATEWRIGHT_LOG", "error").arg("start");
        for (option, address) in
            [("--listen", listener), ("--manager", manager), ("--operations", operations)]
        {
            command.args([option, &address.to_string()]);
        }
        command.args([PathBuf::from("--data-directory"), directory.join("data")]);
        Self::serving(command, manager, listener)
    }

    /// Waits until a command serves that listens there.
    pub fn serving(
        command: Command,
        manager: SocketAddr,
        listener: SocketAddr,
    ) -> io::Result<(Self, String, Duration)> {
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
    pub fn memory(&self) -> io::Result<usize> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.ok_or_else(|| io::Error::other("no VmRSS"))
    }
}

/// Ports are given out one after the other, so that a port that was free a moment ago is not the next one's.
pub fn free_port() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// Somebody who uses the admin API.
pub struct User {
    manager: SocketAddr,
    password: String,
}

impl User {
    /// The first one, whose password a node prints when it starts with an empty store.
    pub fn first(node: &Node, printed: &str) -> Self {
        let password =
            printed.split("has the password ").nth(1).and_then(|rest| rest.split_whitespace().next());
        Self { manager: node.manager, password: password.unwrap_or_default().to_owned() }
    }

    pub fn timed(&self, method: &str, path: &str, body: Option<&Value>) -> io::Result<(Duration, String)> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = format!(
            "{method} /api/v1{path} HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            basic("Administrator", &self.password),
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

/// What HTTP Basic shows.
pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", Base64::encode_string(format!("{user}:{password}").as_bytes()))
}

/// Sends a request on a connection of its own.
pub fn call(address: SocketAddr, request: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let status = http::status(&answer).ok_or_else(|| io::Error::other("no answer"))?;
    Ok((status, String::from_utf8_lossy(&answer).into_owned()))
}
