//! A name server on loopback: says what the test tells it to say, and counts how often it is asked.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use tokio::{net::UdpSocket, task::JoinHandle};

/// What it says about every name: an address and for how many seconds that holds; `None` is a name server that fails.
type Said = Option<(Ipv4Addr, u32)>;

#[derive(Debug)]
pub struct NameServer {
    address: SocketAddr,
    said: Arc<Mutex<Said>>,
    asked: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl NameServer {
    /// Starts one.
    ///
    /// # Panics
    ///
    /// When there is no free port.
    pub async fn start(address: Ipv4Addr, ttl: u32) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let said = Arc::new(Mutex::new(Some((address, ttl))));
        let asked = Arc::<AtomicUsize>::default();
        let (known, counted) = (Arc::clone(&said), Arc::clone(&asked));
        let server = socket.local_addr().expect("a bound socket");
        let task = tokio::spawn(async move {
            let mut packet = [0; 1_500];
            while let Ok((length, from)) = socket.recv_from(&mut packet).await {
                let said = *known.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some((answer, about_v4)) = answer(&packet[..length], said) {
                    counted.fetch_add(usize::from(about_v4), SeqCst);
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        Self { address: server, said, asked, task }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says something else from now on; `None` fails.
    pub fn say(&self, said: Said) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = said;
    }

    /// Questions for addresses of IPv4 so far.
    pub fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

const HEADER: usize = 12;
const SERVFAIL: u8 = 2;

/// An answer (RFC 1035, 4.1), and whether the question was for an address of IPv4.
fn answer(question: &[u8], said: Said) -> Option<(Vec<u8>, bool)> {
    let name_length = question.get(HEADER..)?.iter().position(|byte| *byte == 0)? + 1;
    let end = HEADER + name_length + 4;
    let kind = question.get(end - 4..end - 2)?;
    let about_v4 = kind == [0, 1];
    let record = said.filter(|_| about_v4);
    let mut answer = question.get(..end)?.to_vec();
    // It is an answer, and recursion is there.
    answer[2..4].copy_from_slice(&[0x81, 0x80 | if said.is_none() { SERVFAIL } else { 0 }]);
    // One question, maybe one answer, nothing else.
    answer[4..HEADER].copy_from_slice(&[0, 1, 0, u8::from(record.is_some()), 0, 0, 0, 0]);
    if let Some((address, ttl)) = record {
        // The name is the one of the question.
        answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1]);
        answer.extend_from_slice(&ttl.to_be_bytes());
        answer.extend_from_slice(&[0, 4]);
        answer.extend_from_slice(&address.octets());
    }
    Some((answer, about_v4))
}
