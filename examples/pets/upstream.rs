//! The native service of the sample API, so that the examples need no network: three pets, in memory, on plain
//! HTTP/1.1. It is a single file without dependencies: `rustc --edition 2024 -O examples/pets/upstream.rs`.
//!
//! `upstream [ADDRESS [NAME]]` listens on ADDRESS (127.0.0.1:8081), or on a free port when that is taken, prints where,
//! and says NAME in the header `x-served-by` of every answer.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

const PETS: [&str; 3] = [r#"{"id":1,"name":"Rex"}"#, r#"{"id":2,"name":"Momo"}"#, r#"{"id":3,"name":"Bee"}"#];
/// Bodies are echoed, so they are kept in memory.
const LARGEST_BODY: usize = 64 * 1024;

fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:8081".to_owned());
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    let name = args.next().unwrap_or_else(|| "pets".to_owned());
    let listener = TcpListener::bind(address).or_else(|_| TcpListener::bind((address.ip(), 0)))?;
    writeln!(io::stdout(), "{}", listener.local_addr()?)?;
    serve(&listener, &name)
}

/// Serves connections, each on a thread of its own.
pub fn serve(listener: &TcpListener, name: &str) -> io::Result<()> {
    for stream in listener.incoming() {
        let (stream, name) = (stream?, name.to_owned());
        // How a connection ends is of no interest here.
        thread::spawn(move || drop(answer_all(&stream, &name)));
    }
    Ok(())
}

fn answer_all(stream: &TcpStream, name: &str) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut words = line.split_ascii_whitespace();
        let (method, target) = (words.next().unwrap_or("").to_owned(), words.next().unwrap_or("").to_owned());
        let mut length = 0;
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header)? == 0 {
                return Ok(());
            }
            let Some((key, value)) = header.split_once(':') else { break };
            if key.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap_or(usize::MAX);
            } else if key.eq_ignore_ascii_case("transfer-encoding") {
                length = usize::MAX;
            }
        }
        if length > LARGEST_BODY {
            return write(stream, name, "413 Content Too Large", "{}", false);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let path = target.split('?').next().unwrap_or("");
        let (status, body) = answer(&method, path, &body);
        write(stream, name, status, &body, method == "HEAD")?;
    }
}

fn answer(method: &str, path: &str, body: &[u8]) -> (&'static str, String) {
    let pet = path.strip_prefix("/pets/").and_then(|id| PETS.get(id.parse::<usize>().ok()?.checked_sub(1)?));
    match (method, path, pet) {
        ("GET" | "HEAD", "/pets", _) => ("200 OK", format!("[{}]", PETS.join(","))),
        ("GET" | "HEAD", _, Some(pet)) => ("200 OK", (*pet).to_owned()),
        ("POST", "/pets", _) => ("201 Created", String::from_utf8_lossy(body).into_owned()),
        _ => ("404 Not Found", r#"{"error":"there is no such pet"}"#.to_owned()),
    }
}

fn write(mut stream: &TcpStream, name: &str, status: &str, body: &str, head_only: bool) -> io::Result<()> {
    let length = body.len();
    let body = if head_only { "" } else { body };
    stream.write_all(
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nx-served-by: {name}\r\n\r\n{body}"
        )
        .as_bytes(),
    )
}
