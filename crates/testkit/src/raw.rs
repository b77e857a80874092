//! Raw TCP towards the gateway: for requests that no client library would send.

use std::{io, net::SocketAddr};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::wait::soon;

/// A connection on which the test writes bytes.
#[derive(Debug)]
pub struct RawConn {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer, as it came.
#[derive(Debug, Clone, Default)]
pub struct RawResponse {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl RawConn {
    /// Connects.
    ///
    /// # Panics
    ///
    /// When nobody listens there.
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the gateway listens");
        stream.set_nodelay(true).expect("a TCP stream");
        Self { stream, buffer: Vec::new() }
    }

    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Writes; a gateway that has closed meanwhile is no error here.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Closes with a reset.
    pub fn reset(self) {
        let _ = self.stream.set_zero_linger();
    }

    /// Everything up to the end of the connection.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.fill().await.is_ok_and(|count| count > 0) {}
        std::mem::take(&mut self.buffer)
    }

    async fn fill(&mut self) -> io::Result<usize> {
        soon("bytes from the gateway", self.stream.read_buf(&mut self.buffer)).await
    }

    /// Reads until the text has come, and returns everything up to its end; what came when the stream has ended.
    pub async fn read_until(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = find(&self.buffer, text.as_bytes()) {
                let taken: Vec<u8> = self.buffer.drain(..at + text.len()).collect();
                return String::from_utf8_lossy(&taken).into_owned();
            }
            if !self.fill().await.is_ok_and(|count| count > 0) {
                return String::from_utf8_lossy(&std::mem::take(&mut self.buffer)).into_owned();
            }
        }
    }

    /// The head of the next answer.
    pub async fn head(&mut self) -> RawResponse {
        let head = self.read_until("\r\n\r\n").await;
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
        RawResponse { status, head, body: Vec::new() }
    }

    /// The next answer, whose body has a length; status 0 when the connection ended instead.
    pub async fn response(&mut self) -> RawResponse {
        let mut response = self.head().await;
        let length: usize = response.header("content-length").parse().unwrap_or(0);
        while self.buffer.len() < length && self.fill().await.is_ok_and(|count| count > 0) {}
        let length = length.min(self.buffer.len());
        response.body = self.buffer.drain(..length).collect();
        response
    }

    /// Whether the gateway closes without another byte.
    pub async fn is_closed(&mut self) -> bool {
        self.buffer.is_empty() && !self.fill().await.is_ok_and(|count| count > 0)
    }
}

impl RawResponse {
    /// The first value of a header; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value.trim())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The stable code in an error; empty when the answer is none.
    pub fn reason(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text)
}
