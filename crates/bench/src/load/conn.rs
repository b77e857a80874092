//! One client connection: asks, and checks what comes back to the last byte.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{ClientConfig, ClientConnection};
use rustls_pki_types::ServerName;

use crate::http;

/// Room for the head of a response beside its body.
const HEAD_ROOM: usize = 4 * 1024;
const PATIENCE: Duration = Duration::from_secs(5);

pub type Tls = (Arc<ClientConfig>, ServerName<'static>);

pub struct Conn {
    pub stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
    buffer: Box<[u8]>,
    filled: usize,
    /// When the request that is being answered was meant to be sent.
    asked: Option<Instant>,
}

/// What reading brought.
pub enum Received {
    /// Not a whole answer yet.
    Part,
    Answer {
        asked: Instant,
        close: bool,
        upstream: Option<u8>,
    },
    /// The peer closed while nothing was asked.
    Closed,
    Wrong(String),
}

impl Conn {
    /// Connects, and shakes hands when there is TLS. The socket blocks until [`Conn::unblock`].
    pub fn open(address: SocketAddr, tls: Option<&Tls>, expected: &[u8]) -> io::Result<Self> {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut tls = tls
            .map(|(config, name)| ClientConnection::new(Arc::clone(config), name.clone()))
            .transpose()
            .map_err(io::Error::other)?
            .map(Box::new);
        if let Some(tls) = &mut tls {
            while tls.is_handshaking() {
                tls.complete_io(&mut stream)?;
            }
        }
        let buffer = vec![0; expected.len() + HEAD_ROOM].into_boxed_slice();
        Ok(Self { stream, tls, buffer, filled: 0, asked: None })
    }

    pub fn unblock(&self) -> io::Result<()> {
        self.stream.set_nonblocking(true)
    }

    /// Whether an answer is due.
    pub fn is_waiting(&self) -> bool {
        self.asked.is_some()
    }

    pub fn ask(&mut self, request: &[u8], asked: Instant) -> io::Result<()> {
        self.asked = Some(asked);
        match &mut self.tls {
            // One small request at a time always fits the socket's buffer.
            None => self.stream.write_all(request),
            Some(tls) => {
                tls.writer().write_all(request)?;
                while tls.wants_write() {
                    tls.write_tls(&mut self.stream)?;
                }
                Ok(())
            }
        }
    }

    pub fn receive(&mut self, expected: &[u8]) -> Received {
        match self.fill() {
            Ok(0) => {
                return if self.asked.is_some() {
                    Received::Wrong("the connection was closed before the answer was complete".into())
                } else {
                    Received::Closed
                };
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Received::Part,
            Err(_) if self.asked.is_none() => return Received::Closed,
            Err(error) => return Received::Wrong(format!("the connection broke: {error}")),
        }
        let bytes = &self.buffer[..self.filled];
        let Some(head) = http::head(bytes) else {
            return if bytes.len() < self.buffer.len() {
                Received::Part
            } else {
                Received::Wrong("the head of the answer is too long".into())
            };
        };
        match (http::status(bytes), head.content_length) {
            (Some(200), Some(length)) if length == expected.len() => {}
            (Some(200), Some(length)) => {
                return Received::Wrong(format!("a body of {length} bytes instead of {}", expected.len()));
            }
            (Some(200), None) => return Received::Wrong("an answer without content-length".into()),
            (Some(status), _) => return Received::Wrong(format!("status {status}")),
            (None, _) => return Received::Wrong("an answer that is not http/1.1".into()),
        }
        let body = &bytes[head.length..];
        if body.len() < expected.len() {
            return Received::Part;
        }
        if body != expected {
            return Received::Wrong("a body with other content".into());
        }
        self.filled = 0;
        match self.asked.take() {
            Some(asked) => Received::Answer { asked, close: head.close, upstream: head.upstream },
            None => Received::Wrong("an answer that was not asked for".into()),
        }
    }

    /// Reads what is there; 0 at the end of the connection.
    fn fill(&mut self) -> io::Result<usize> {
        let space = &mut self.buffer[self.filled..];
        let Some(tls) = &mut self.tls else {
            let count = self.stream.read(space)?;
            self.filled += count;
            return Ok(count);
        };
        if tls.read_tls(&mut self.stream)? == 0 {
            return Ok(0);
        }
        tls.process_new_packets().map_err(io::Error::other)?;
        let count = tls.reader().read(space)?;
        self.filled += count;
        Ok(count)
    }

    /// Whether a connection that is left alone was left open.
    pub fn is_open(&mut self) -> bool {
        let unblocked = self.unblock();
        let peeked = self.stream.peek(&mut [0]);
        unblocked.is_ok() && matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}
