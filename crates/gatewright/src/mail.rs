//! E-mails, by way of the server of `settings.mail`. Each is a connection of its own: there are few of them. What is written
//! in them is left to those who send them.

use std::{fs, sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, Mailboxes, header::ContentType},
    transport::smtp::{
        Error as SmtpError,
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls, TlsParameters},
    },
};
use manager::{Mailer, Mailing};
use model::{Diagnostic, mail::MailSettings};

use crate::ldap::is_here;

/// A server that e-mails are sent by, and who they are from.
pub(crate) struct MailServer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// Why an e-mail was not sent. Nothing of what was sent is in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotSent {
    pub why: String,
    /// It may go well later.
    pub passing: bool,
}

/// A server as it is written: `smtps://HOST[:PORT]` or `smtp://HOST[:PORT]`.
struct Place<'a> {
    tls: bool,
    host: &'a str,
    port: Option<u16>,
}

impl MailServer {
    /// Checks the settings; problems have paths below `settings.mail`. Nothing is sent yet.
    pub(crate) fn new(settings: &MailSettings) -> Result<Self, Diagnostic> {
        let wrong = |key: &str, message: &str| Diagnostic::error(key, message);
        let place = place(&settings.url).ok_or_else(|| {
            wrong("url", &format!("found `{}`, expected smtps://HOST or smtp://HOST", settings.url))
        })?;
        if place.tls && settings.start_tls {
            let message = "has no place beside smtps://, which is TLS from the beginning";
            return Err(wrong("startTls", message));
        }
        if !place.tls && !settings.start_tls && !is_here(place.host) {
            let problem = wrong("startTls", "missing, but e-mails would go to another machine in clear");
            return Err(problem.help("set `startTls: true`, or use smtps://"));
        }
        if settings.user.is_some() != settings.password.is_some() {
            return Err(wrong("password", "`user` and `password` belong together"));
        }
        let from = mailbox(&settings.from).map_err(|problem| problem.under("from"))?;
        let host = place.host.trim_matches(['[', ']']);
        let (tls, usual_port) = match (place.tls, settings.start_tls) {
            (true, _) => (Tls::Wrapper(trust(host, settings.ca_file.as_deref())?), 465),
            (_, true) => (Tls::Required(trust(host, settings.ca_file.as_deref())?), 587),
            _ => (Tls::None, 25),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(place.port.unwrap_or(usual_port))
            .tls(tls)
            .timeout(Some(settings.timeout.get().max(Duration::from_millis(1))));
        if let (Some(user), Some(password)) = (&settings.user, &settings.password) {
            let password = password.expose().unwrap_or_default().to_owned();
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        Ok(Self { transport: builder.build(), from })
    }

    /// Sends a text to somebody, or to several who see each other.
    pub(crate) async fn send_to(&self, to: &[Mailbox], subject: &str, text: String) -> Result<(), NotSent> {
        let lasting = |why: String| NotSent { why, passing: false };
        let message = Message::builder()
            .from(self.from.clone())
            .mailbox(lettre::message::header::To::from(to.iter().cloned().collect::<Mailboxes>()))
            .subject(one_line(subject))
            .header(ContentType::TEXT_PLAIN)
            .body(text)
            .map_err(|error| lasting(error.to_string()))?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) => Err(NotSent { passing: !error.is_permanent(), why: told(&error) }),
        }
    }
}

/// E-mails to users, by the server of the configuration that is served.
#[derive(Default)]
pub(crate) struct Post(ArcSwapOption<MailServer>);

impl Post {
    pub(crate) fn take(&self, server: Option<Arc<MailServer>>) {
        self.0.store(server);
    }
}

impl Mailer for Post {
    fn send<'a>(&'a self, to: &'a str, subject: &'a str, text: String) -> Mailing<'a> {
        Box::pin(async move {
            let server = self.0.load_full().ok_or_else(|| "there is no `settings.mail`".to_owned())?;
            // Whatever stands in front of it: what users are called has no part in where an e-mail goes.
            let address: Address = to.parse().map_err(|_| "the address of the user is none".to_owned())?;
            let sent = server.send_to(&[Mailbox::new(None, address)], subject, text).await;
            sent.map_err(|error| error.why)
        })
    }
}

/// An address of a configuration, with a name or without.
pub(crate) fn mailbox(text: &str) -> Result<Mailbox, Diagnostic> {
    text.parse().map_err(|_| {
        Diagnostic::error("", format!("found `{text}`, expected an e-mail address"))
            .help("write it like ops@example.com, or Operations <ops@example.com>")
    })
}

fn place(url: &str) -> Option<Place<'_>> {
    let (scheme, rest) = url.split_once("://")?;
    let tls = match scheme {
        "smtps" => true,
        "smtp" => false,
        _ => return None,
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let bracket = rest.find(']').map_or(0, |end| end + 1);
    let (host, port) = match rest[bracket..].find(':') {
        Some(colon) => (&rest[..bracket + colon], Some(rest[bracket + colon + 1..].parse().ok()?)),
        None => (rest, None),
    };
    let is_host = |b: u8| b.is_ascii_alphanumeric() || b"-._[]:".contains(&b);
    (!host.is_empty() && host.bytes().all(is_host)).then_some(Place { tls, host, port })
}

/// Whose certificate is believed.
fn trust(host: &str, ca_file: Option<&str>) -> Result<TlsParameters, Diagnostic> {
    let wrong = |why: String| Diagnostic::error("caFile", why);
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(file) = ca_file {
        let pem = fs::read(file).map_err(|error| wrong(format!("{file}: {error}")))?;
        let certificate = Certificate::from_pem(&pem).map_err(|_| {
            wrong(format!("{file}: there is no certificate in it, expected one or several in PEM"))
        })?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(certificate);
    }
    builder.build().map_err(|error| wrong(told(&error)))
}

/// Line breaks in a subject would begin headers where a reader is careless.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// What went wrong, with what the server said of it.
fn told(error: &SmtpError) -> String {
    let mut told = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(found) = cause {
        let text = found.to_string();
        if !told.contains(&text) {
            told = format!("{told}: {text}");
        }
        cause = found.source();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(more: &str) -> MailSettings {
        let text = format!("{{from: a@example.com, {more}}}");
        model::check::parse(model::yaml::parse(&text).expect("YAML").value).expect("settings")
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_field() {
        for (more, path, problem) in [
            ("url: mail.example", "url", "expected smtps://HOST"),
            ("url: 'http://mail.example'", "url", "expected smtps://HOST"),
            ("url: 'smtps://'", "url", "expected smtps://HOST"),
            ("url: 'smtps://me@mail.example'", "url", "expected smtps://HOST"),
            ("url: 'smtps://mail.example:x'", "url", "expected smtps://HOST"),
            ("url: 'smtps://mail.example/path'", "url", "expected smtps://HOST"),
            ("url: 'smtp://mail.example'", "startTls", "in clear"),
            ("url: 'smtps://mail.example', startTls: true", "startTls", "no place"),
            ("url: 'smtps://mail.example', user: me", "password", "belong together"),
            ("url: 'smtps://mail.example', caFile: /nowhere.pem", "caFile", "/nowhere.pem"),
        ] {
            let found = MailServer::new(&settings(more)).err().unwrap_or_else(|| panic!("{more} is taken"));
            assert_eq!(found.path, path, "{more}: {found}");
            assert!(found.to_string().contains(problem), "{more}: {found}");
        }
        for more in [
            "url: 'smtps://mail.example'",
            "url: 'smtp://mail.example:2525/', startTls: true",
            "url: 'smtp://127.0.0.1:25'",
            "url: 'smtp://[::1]:25'",
        ] {
            assert!(MailServer::new(&settings(more)).is_ok(), "{more}");
        }
        let bad = MailSettings { from: "nobody".to_owned(), ..settings("url: 'smtps://mail.example'") };
        assert_eq!(MailServer::new(&bad).err().map(|found| found.path).as_deref(), Some("from"));
    }

    #[test]
    fn a_subject_is_one_line() {
        assert_eq!(one_line("a\r\nBcc: x@example.com"), "a  Bcc: x@example.com");
    }
}
