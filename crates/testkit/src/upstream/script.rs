//! A connection of an upstream that follows a script: it reads and writes bytes as the script says.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Record, Seen};

/// The gateway's connection, seen from the upstream.
#[derive(Debug)]
pub struct Stream {
    io: TcpStream,
    buffer: Vec<u8>,
    record: Arc<Record>,
}

impl Stream {
    pub(super) fn new(io: TcpStream, record: Arc<Record>) -> Self {
        Self { io, buffer: Vec::new(), record }
    }

    /// The stream itself, from which nothing has been read yet, and where requests are recorded.
    pub(super) fn into_parts(self) -> (TcpStream, Arc<Record>) {
        (self.io, self.record)
    }

    /// The stream itself, for scripts that speak another protocol; nothing may have been read from it yet.
    pub fn into_io(self) -> TcpStream {
        self.io
    }

    async fn fill(&mut self) -> bool {
        matches!(self.io.read_buf(&mut self.buffer).await, Ok(1..))
    }

    /// The next request head, which counts as seen; empty at the end of the connection.
    pub async fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
                let head = String::from_utf8_lossy(&head).into_owned();
                self.record.push(parse(&head));
                return head;
            }
            if !self.fill().await {
                return String::new();
            }
        }
    }

    /// The next bytes; fewer at the end of the connection.
    pub async fn take(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count && self.fill().await {}
        let count = count.min(self.buffer.len());
        self.buffer.drain(..count).collect()
    }

    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.io.write_all(bytes.as_ref()).await;
    }

    /// Says nothing until the gateway closes; returns what it still sent.
    pub async fn stall(mut self) -> Vec<u8> {
        while self.fill().await {}
        self.buffer
    }

    /// Ends the connection with a reset.
    pub fn reset(self) {
        let _ = self.io.set_zero_linger();
    }
}

fn parse(head: &str) -> Seen {
    let mut words = head.split(' ');
    let method = words.next().and_then(|m| m.parse().ok()).unwrap_or_default();
    let path = words.next().unwrap_or("").to_owned();
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let headers: HeaderMap =
        lines.filter_map(|(name, value)| Some((name.parse().ok()?, value.trim().parse().ok()?))).collect();
    Seen { method, path, headers, body: Bytes::new(), trailers: HeaderMap::new(), http2: false }
}
