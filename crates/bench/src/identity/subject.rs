//! The gateway whose requests are somebody's, and what they show.

use std::{
    fs, io,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use argon2::{Argon2, PasswordHasher};
use jose::Algorithm;
use serde_json::{Value, json};

use super::elsewhere::{self, Signer};
use crate::{
    http,
    node::{Node, User, basic, free_port},
    work::{BASE, sha256},
};

const SECRET: &str = "the secret of a client in the benchmark";
const AUDIENCE: &str = "bench";
/// How often a list is measured.
const LISTS: usize = 9;
/// Connections that tokens are asked for over.
const ASKING: usize = 16;

/// Who sends a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Nobody asks.
    Nobody,
    Rs256,
    Es256,
    EdDsa,
    Hs256,
    Opaque,
    Introspected,
    Password,
}

impl Who {
    /// Whom the others are compared with comes first.
    pub const ALL: [Self; 8] = [
        Self::Nobody,
        Self::Rs256,
        Self::Es256,
        Self::EdDsa,
        Self::Hs256,
        Self::Opaque,
        Self::Introspected,
        Self::Password,
    ];

    /// As its API and its server are called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Rs256 => "rs256",
            Self::Es256 => "es256",
            Self::EdDsa => "eddsa",
            Self::Hs256 => "hs256",
            Self::Opaque => "opaque",
            Self::Introspected => "introspected",
            Self::Password => "password",
        }
    }

    pub fn about(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Rs256 => "JSON Web Token, RS256",
            Self::Es256 => "JSON Web Token, ES256",
            Self::EdDsa => "JSON Web Token, EdDSA",
            Self::Hs256 => "JSON Web Token, HS256",
            Self::Opaque => "opaque token",
            Self::Introspected => "token that is asked about, and remembered",
            Self::Password => "HTTP Basic",
        }
    }

    fn algorithm(self) -> Option<Algorithm> {
        match self {
            Self::Rs256 => Some(Algorithm::Rs256),
            Self::Es256 => Some(Algorithm::Es256),
            Self::EdDsa => Some(Algorithm::EdDsa),
            Self::Hs256 => Some(Algorithm::Hs256),
            _ => None,
        }
    }

    fn rule(self) -> Option<Value> {
        match self {
            Self::Nobody => None,
            Self::Password => Some(json!({ "type": "httpBasic" })),
            who => Some(json!({ "type": "oauth2Token", "servers": [who.name()] })),
        }
    }
}

/// A gateway with an API for each of them.
pub struct Subject {
    pub node: Node,
    /// How long it took until it served.
    pub startup: Duration,
    user: User,
    issuer: SocketAddr,
    signers: Vec<(Who, Signer)>,
}

impl Subject {
    /// Starts one that knows so many users.
    pub fn start(program: &Path, directory: &Path, upstream: u16, users: usize) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let [listener, manager, operations, issuer] =
            [free_port()?, free_port()?, free_port()?, free_port()?];
        let signer = |who: &Who| Some((*who, Signer::new(who.algorithm()?)?));
        let signers: Vec<_> = Who::ALL.iter().filter_map(signer).collect();
        let introspection = elsewhere::answers_about_tokens()?;
        let mut servers = vec![
            json!({ "name": Who::Opaque.name(), "internal": true }),
            json!({ "name": Who::Introspected.name(), "audiences": [AUDIENCE], "introspection": {
                "url": format!("http://{introspection}/introspect"), "clientId": "gateway",
                "clientSecret": format!("${{file:{}}}", directory.join("secret").display()), "cache": "1h" } }),
        ];
        fs::write(directory.join("secret"), elsewhere::SHARED_SECRET)?;
        fs::write(directory.join("password"), password_hash()?)?;
        let password = format!("${{file:{}}}", directory.join("password").display());
        for (who, signer) in &signers {
            let mut server =
                json!({ "name": who.name(), "issuer": issuer_of(*who), "audiences": [AUDIENCE] });
            match signer.published() {
                Some(key) => server["jwks"] = json!({ "keys": [key] }),
                None => server["secret"] = json!(format!("${{file:{}}}", directory.join("secret").display())),
            }
            servers.push(server);
        }
        let api = |who: &Who| {
            let policies: Vec<Value> = who
                .rule()
                .map(|rule| {
                    json!({ "type": "identifyAndAuthorize", "config": { "lookup": "relaxed", "rules": [rule] } })
                })
                .into_iter()
                .collect();
            json!({ "name": who.name(), "version": "1.0", "basePath": format!("{BASE}/{}", who.name()), "upstream": "up",
                "operations": [{ "method": "GET", "path": "/150" }], "policies": policies })
        };
        let of_elsewhere = signers.iter().map(|(who, _)| who.name()).chain([Who::Introspected.name()]);
        let of_elsewhere = of_elsewhere.map(|server| json!({ "id": "elsewhere", "server": server }));
        let config = json!({
            "settings": {
                "dataDirectory": directory.join("data"),
                "operations": { "address": operations },
                "manager": { "enabled": true, "address": manager },
                "authorizationServer": { "issuer": format!("http://{issuer}"), "address": issuer },
            },
            "listeners": [{ "name": "bench", "address": listener }],
            "upstreams": [{ "name": "up", "endpoints": [{ "url": format!("http://127.0.0.1:{upstream}") }] }],
            "authorizationServers": servers,
            "applications": [
                { "name": "here", "oauthClients": [{ "id": "here", "secrets": [{ "hash": format!("sha256:{}", sha256(SECRET)) }],
                    "grantTypes": ["clientCredentials"], "accessTokenLifetime": "7d" }] },
                { "name": "elsewhere", "identifiers": { "clientIds": of_elsewhere.collect::<Vec<_>>() } },
            ],
            "users": (0..users).map(|n| json!({ "name": user(n), "password": password })).collect::<Vec<_>>(),
            "apis": Who::ALL.iter().map(api).collect::<Vec<_>>(),
        });
        let file = directory.join("gatewright.yaml");
        fs::write(&file, config.to_string())?;
        let mut command = Command::new(program);
        command.current_dir(directory).env("GATEWRIGHT_LOG", "error").args(["run", "-c"]).arg(file);
        let (node, printed, startup) = Node::serving(command, manager, listener)?;
        let user = User::first(&node, &printed);
        Ok(Self { node, startup, user, issuer, signers })
    }

    /// Values of `Authorization` that were never shown before.
    pub fn credentials(&self, who: Who, round: usize, count: usize) -> io::Result<Vec<String>> {
        let bearer = |token: String| format!("Bearer {token}");
        let numbers = (0..count).map(|n| format!("{round}-{n}"));
        match who {
            Who::Nobody | Who::Introspected => Ok(numbers.map(|n| bearer(sha256(&n))).collect()),
            Who::Opaque => Ok(self.issue(count)?.1),
            Who::Password => {
                let users = (0..count).map(|n| user(round * count + n));
                Ok(users.map(|name| basic(&name, PASSWORD)).collect())
            }
            _ => {
                let signer = self.signers.iter().find(|(known, _)| *known == who).map(|(_, signer)| signer);
                let signer = signer.ok_or_else(|| io::Error::other("nobody signs these"))?;
                let claims = |n: String| elsewhere::claims(issuer_of(who), AUDIENCE, &n);
                numbers.map(|n| signer.sign(&claims(n)).map(bearer)).collect()
            }
        }
    }

    /// How long the admin API takes to list tokens.
    pub fn list(&self, path: &str) -> io::Result<Duration> {
        let times: io::Result<Vec<Duration>> =
            (0..LISTS).map(|_| self.user.timed("GET", path, None).map(|(time, _)| time)).collect();
        let mut times = times?;
        times.sort_unstable();
        Ok(times.get(LISTS / 2).copied().unwrap_or_default())
    }

    /// Has the authorization server issue tokens; tells how many seconds that took, too.
    pub fn issue(&self, count: usize) -> io::Result<(f64, Vec<String>)> {
        let begin = Instant::now();
        let issuer = self.issuer;
        let share = move |n: usize| count / ASKING + usize::from(n < count % ASKING);
        let asking: Vec<_> = (0..ASKING).map(|n| thread::spawn(move || ask(issuer, share(n)))).collect();
        let mut tokens = Vec::with_capacity(count);
        for thread in asking {
            tokens.extend(thread.join().map_err(|_| io::Error::other("asking for tokens failed"))??);
        }
        Ok((begin.elapsed().as_secs_f64(), tokens))
    }
}

fn user(number: usize) -> String {
    format!("user{number}")
}

/// The password of all users. What is remembered of one says nothing of another.
const PASSWORD: &str = "the password of users in the benchmark";

fn password_hash() -> io::Result<String> {
    let hash = Argon2::default().hash_password_with_salt(PASSWORD.as_bytes(), b"of the benchmark");
    hash.map(|hash| hash.to_string()).map_err(io::Error::other)
}

fn issuer_of(who: Who) -> &'static str {
    match who {
        Who::Rs256 => "https://rs256.example",
        Who::Es256 => "https://es256.example",
        Who::EdDsa => "https://eddsa.example",
        _ => "https://hs256.example",
    }
}

/// Asks for tokens, one after the other, on one connection.
fn ask(issuer: SocketAddr, count: usize) -> io::Result<Vec<String>> {
    const FORM: &str = "grant_type=client_credentials";
    let mut stream = TcpStream::connect(issuer)?;
    stream.set_nodelay(true)?;
    let request = format!(
        "POST /token HTTP/1.1\r\nHost: {issuer}\r\nAuthorization: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{FORM}",
        basic("here", &SECRET.replace(' ', "+")),
        FORM.len()
    );
    let mut buffer = [0; 4_096];
    (0..count)
        .map(|_| {
            stream.write_all(request.as_bytes())?;
            let mut filled = 0;
            loop {
                let read = stream.read(&mut buffer[filled..])?;
                filled += read;
                let answer = &buffer[..filled];
                if let Some(head) = http::head(answer)
                    && filled >= head.length + head.content_length.unwrap_or_default()
                {
                    let said: Value = serde_json::from_slice(&answer[head.length..])?;
                    let token = said["access_token"].as_str();
                    return token
                        .map(|token| format!("Bearer {token}"))
                        .ok_or_else(|| io::Error::other(said.to_string()));
                }
                if read == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        })
        .collect()
}
