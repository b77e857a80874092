//! The native service behind every proxy: one thread, ready-made answers, chosen by method and last path segment.
//! It listens on two ports whose answers differ in one header, so that a change from one to the other is seen.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
};

use super::{
    epoll::{Epoll, Interest},
    http, work,
};

/// Names of the two sides, as `x-upstream` says them.
pub const SIDES: [u8; 2] = [b'a', b'b'];
/// Requests here are far smaller; one that does not fit is answered with an error.
const REQUEST_BUFFER: usize = 16 * 1024;

/// Prints the two ports, then serves until it is killed.
pub fn main() -> Result<(), String> {
    serve().map_err(|error| format!("upstream: {error}"))
}

struct Side {
    listener: TcpListener,
    body_150: Vec<u8>,
    body_64k: Vec<u8>,
    missing: Vec<u8>,
    refused: Vec<u8>,
    name: u8,
}

impl Side {
    fn new(name: u8) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener,
            body_150: response("200 OK", name, &work::body_150()),
            body_64k: response("200 OK", name, &work::body_64k()),
            missing: response("404 Not Found", name, b"{}"),
            refused: response("400 Bad Request", name, b"{}"),
            name,
        })
    }
}

fn response(status: &str, side: u8, body: &[u8]) -> Vec<u8> {
    let mut response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nX-Upstream: {}\r\n\r\n",
        body.len(),
        side as char
    )
    .into_bytes();
    response.extend_from_slice(body);
    response
}

struct Conn {
    stream: TcpStream,
    side: usize,
    buffer: Box<[u8]>,
    filled: usize,
    /// What the socket did not take yet.
    unsent: Vec<u8>,
}

fn serve() -> io::Result<()> {
    let sides = [Side::new(SIDES[0])?, Side::new(SIDES[1])?];
    let mut epoll = Epoll::new()?;
    for (token, side) in sides.iter().enumerate() {
        epoll.add(&side.listener, token, Interest::Read)?;
    }
    let mut out = io::stdout();
    writeln!(out, "{} {}", sides[0].listener.local_addr()?.port(), sides[1].listener.local_addr()?.port())?;
    out.flush()?;

    let mut conns: Vec<Option<Conn>> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
    let mut tokens = Vec::new();
    loop {
        tokens.clear();
        epoll.wait(None, &mut tokens)?;
        for &token in &tokens {
            if let Some(side) = sides.get(token) {
                accept(token, side, &epoll, &mut conns, &mut free)?;
                continue;
            }
            let index = token - sides.len();
            let Some(conn) = &mut conns[index] else { continue };
            if !matches!(conn.ready(&sides, &epoll, token), Ok(true)) {
                conns[index] = None;
                free.push(index);
            }
        }
    }
}

fn accept(
    side_index: usize,
    side: &Side,
    epoll: &Epoll,
    conns: &mut Vec<Option<Conn>>,
    free: &mut Vec<usize>,
) -> io::Result<()> {
    // A connection that is gone before it was accepted is no reason to end; there is no other error worth telling.
    while let Ok((stream, _)) = side.listener.accept() {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let index = free.pop().unwrap_or_else(|| {
            conns.push(None);
            conns.len() - 1
        });
        epoll.add(&stream, index + SIDES.len(), Interest::Read)?;
        let buffer = vec![0; REQUEST_BUFFER].into_boxed_slice();
        conns[index] = Some(Conn { stream, side: side_index, buffer, filled: 0, unsent: Vec::new() });
    }
    Ok(())
}

impl Conn {
    /// Reads and answers what is there; `false` when the peer is done.
    fn ready(&mut self, sides: &[Side], epoll: &Epoll, token: usize) -> io::Result<bool> {
        if !self.unsent.is_empty() {
            let sent = retry_later(self.stream.write(&self.unsent))?;
            self.unsent.drain(..sent);
            if !self.unsent.is_empty() {
                return Ok(true);
            }
            epoll.change(&self.stream, token, Interest::Read)?;
            self.answer(sides, epoll, token)?;
        }
        match self.stream.read(&mut self.buffer[self.filled..]) {
            Ok(0) => return Ok(false),
            Ok(count) => self.filled += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) => return Err(error),
        }
        self.answer(sides, epoll, token)?;
        Ok(true)
    }

    fn answer(&mut self, sides: &[Side], epoll: &Epoll, token: usize) -> io::Result<()> {
        let side = &sides[self.side];
        while self.unsent.is_empty() {
            let request = &self.buffer[..self.filled];
            let Some(head) = http::head(request) else { break };
            let total = head.length + head.content_length.unwrap_or(0);
            if self.filled < total && total <= self.buffer.len() {
                break;
            }
            let made;
            let answer = if head.chunked || total > self.buffer.len() {
                &side.refused
            } else if request.starts_with(b"POST ") {
                made = response("200 OK", side.name, &work::received(total - head.length));
                &made
            } else {
                match http::last_segment(request) {
                    Some(b"150") => &side.body_150,
                    Some(b"64k") => &side.body_64k,
                    _ => &side.missing,
                }
            };
            let sent = retry_later(self.stream.write(answer))?;
            if sent < answer.len() {
                self.unsent.extend_from_slice(&answer[sent..]);
                epoll.change(&self.stream, token, Interest::ReadWrite)?;
            }
            let total = total.min(self.filled);
            self.buffer.copy_within(total..self.filled, 0);
            self.filled -= total;
        }
        Ok(())
    }
}

fn retry_later(written: io::Result<usize>) -> io::Result<usize> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}
