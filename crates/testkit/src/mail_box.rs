//! A mail server (SMTP, RFC 5321): takes e-mails over TLS from whoever has the password, and keeps them. It can refuse.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use base64ct::{Base64, Encoding};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use crate::{certs::Identity, wait::eventually};

/// A user of the server, and the password.
pub const MAIL_USER: (&str, &str) = ("gateway", "word of the mail server");

/// An e-mail that came in.
#[derive(Debug, Clone)]
pub struct Mail {
    pub to: Vec<String>,
    /// Headers as they came, each with its name.
    pub headers: String,
    /// The text, decoded.
    pub text: String,
}

/// A mail server; it ends with this.
pub struct MailBox {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    mails: Mutex<Vec<Mail>>,
    /// So many e-mails are refused with `refusal` before one is taken.
    refusals: AtomicU32,
    refusal: AtomicU32,
}

/// How its clients begin TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begin {
    WithTls,
    ByStartTls,
}

impl MailBox {
    /// One that speaks TLS from the beginning.
    pub async fn start(identity: &Identity) -> Self {
        Self::listen(identity, Begin::WithTls).await
    }

    /// One that begins TLS when it is asked to, and takes nothing before.
    pub async fn start_tls(identity: &Identity) -> Self {
        Self::listen(identity, Begin::ByStartTls).await
    }

    async fn listen(identity: &Identity, begin: Begin) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::<State>::default();
        let (kept, tls) = (Arc::clone(&state), TlsAcceptor::from(identity.server(&[], None)));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (state, tls) = (Arc::clone(&kept), tls.clone());
                // How a client leaves is of no interest.
                tokio::spawn(async move { drop(serve(stream, &tls, begin, &state).await) });
            }
        });
        Self { address, state, task }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Answers the next e-mails with this status, and takes those after them.
    pub fn refuse(&self, times: u32, status: u32) {
        self.state.refusal.store(status, Relaxed);
        self.state.refusals.store(times, Relaxed);
    }

    /// # Panics
    ///
    /// When another thread has.
    pub fn mails(&self) -> Vec<Mail> {
        self.state.mails.lock().expect("nobody panics with it").clone()
    }

    /// The e-mails, when there are so many.
    pub async fn wait_for(&self, count: usize) -> Vec<Mail> {
        eventually("e-mails", async || self.mails().len() >= count).await;
        self.mails()
    }
}

impl Drop for MailBox {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: TcpStream, tls: &TlsAcceptor, begin: Begin, state: &State) -> std::io::Result<()> {
    if begin == Begin::WithTls {
        return converse(tls.accept(stream).await?, true, true, state).await.map(|_| ());
    }
    match converse(stream, false, true, state).await? {
        Some(stream) => converse(tls.accept(stream).await?, true, false, state).await.map(|_| ()),
        None => Ok(()),
    }
}

/// Talks to a client; the stream when TLS is to begin on it.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    secure: bool,
    greet: bool,
    state: &State,
) -> std::io::Result<Option<S>> {
    let mut stream = BufReader::new(stream);
    if greet {
        stream.write_all(b"220 mail.example ready\r\n").await?;
    }
    let (mut known, mut to) = (false, Vec::new());
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let answer = match &*verb {
            "EHLO" if secure => "250-mail.example\r\n250 AUTH PLAIN".to_owned(),
            "EHLO" => "250-mail.example\r\n250 STARTTLS".to_owned(),
            "STARTTLS" if !secure => {
                stream.write_all(b"220 go on\r\n").await?;
                return Ok(Some(stream.into_inner()));
            }
            "AUTH" => {
                let sent = Base64::decode_vec(line.rsplit(' ').next().unwrap_or_default());
                known =
                    sent.is_ok_and(|sent| sent == format!("\0{}\0{}", MAIL_USER.0, MAIL_USER.1).into_bytes());
                if known { "235 welcome".to_owned() } else { "535 wrong".to_owned() }
            }
            "MAIL" if known => "250 fine".to_owned(),
            "RCPT" if known => {
                to.extend(line.split(['<', '>']).nth(1).map(str::to_owned));
                "250 fine".to_owned()
            }
            "DATA" if known => {
                stream.write_all(b"354 go on\r\n").await?;
                let data = read_data(&mut stream).await?;
                let refused = state.refusals.try_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
                if refused {
                    format!("{} not now", state.refusal.load(Relaxed))
                } else {
                    state
                        .mails
                        .lock()
                        .expect("nobody panics with it")
                        .push(mail(std::mem::take(&mut to), &data));
                    "250 kept".to_owned()
                }
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(None);
            }
            "RSET" | "NOOP" => "250 fine".to_owned(),
            _ => "530 say who you are, over TLS".to_owned(),
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}

async fn read_data(stream: &mut (impl AsyncBufReadExt + Unpin)) -> std::io::Result<String> {
    let mut data = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 || line == ".\r\n" {
            return Ok(data);
        }
        data.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}

fn mail(to: Vec<String>, data: &str) -> Mail {
    let (headers, body) = data.split_once("\r\n\r\n").unwrap_or((data, ""));
    let encoding =
        |name: &str| headers.to_ascii_lowercase().contains(&format!("content-transfer-encoding: {name}"));
    let text = if encoding("quoted-printable") {
        unquoted(body)
    } else if encoding("base64") {
        let joined: String = body.split_whitespace().collect();
        String::from_utf8(Base64::decode_vec(&joined).expect("it is base64")).expect("it is text")
    } else {
        body.to_owned()
    };
    Mail { to, headers: headers.to_owned(), text: text.replace("\r\n", "\n") }
}

/// What a text in quoted-printable (RFC 2045, 6.7) says.
fn unquoted(body: &str) -> String {
    let joined = body.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        let digits = others.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'=' => {
                bytes.push(byte);
                rest = &others[2..];
            }
            _ => {
                bytes.push(*first);
                rest = others;
            }
        }
    }
    String::from_utf8(bytes).expect("it is text")
}
