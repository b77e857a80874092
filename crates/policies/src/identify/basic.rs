//! By a user and a password. Checking a password is slow on purpose, so it happens on a thread of its own, and what was
//! right is remembered. Who has no password in the configuration may have one with the manager, and who is no user here
//! may be one in a directory; both check passwords themselves.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread::available_parallelism,
};

use argon2::{Argon2, PasswordVerifier};
use base64ct::{Base64, Encoding};
use engine::{
    Exchange,
    compile::applications::sha256,
    language::Authorization,
    reason,
    user_directory::{Answer, Asking, DirectoryUser, UserDirectory},
};
use foldhash::fast::RandomState;
use http::{HeaderValue, header::AUTHORIZATION};
use tokio::sync::Semaphore;

use super::{
    BUSY, DIRECTORY_AWAY, INVALID,
    identifier::{Finding, Found, Identifier},
};

/// Passwords that are checked at once: each takes a core and 19 MiB.
static CHECKS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, usize::from)));
/// Requests that wait for a check.
static WAITING: AtomicUsize = AtomicUsize::new(0);
/// Most of them. More would wait for longer than clients do.
const MOST_WAITING: usize = 64;

/// What was right before, by a hash with a key that only this process knows.
static VERIFIED: LazyLock<papaya::HashSet<[u8; 32], RandomState>> = LazyLock::new(papaya::HashSet::default);
/// Most of them; when there are more, all are forgotten.
const MOST_VERIFIED: usize = 10_000;
static SECRET: LazyLock<Option<[u8; 32]>> = LazyLock::new(|| {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).ok().map(|()| secret)
});

/// Compared with when there is no such user, so that the time taken does not tell which users there are.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$Z2F0ZXdyaWdodC1ub25l$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

pub(super) struct ByPassword {
    pub realm: Option<String>,
    /// Passwords of users here that the manager keeps.
    pub accounts: Arc<UserDirectory>,
    pub directory: Arc<UserDirectory>,
}

impl Identifier for ByPassword {
    fn identify<'a>(&'a self, exchange: &'a Exchange) -> Found<'a> {
        let Some(value) = exchange.headers.get(AUTHORIZATION) else { return Found::Now(Finding::Absent) };
        let Some(encoded) = scheme(value.as_bytes()) else { return Found::Now(Finding::Absent) };
        let Some((user, password)) = credentials(encoded) else {
            return Found::Now(Finding::Wrong(&INVALID, "not a user and a password in base64".to_owned()));
        };
        if exchange.headers.get_all(&AUTHORIZATION).nth(1).is_some() {
            return Found::Now(Finding::Wrong(&INVALID, "more than one Authorization".to_owned()));
        }
        let local = exchange.snapshot.applications.user(&user);
        let elsewhere = match local {
            None => self.directory.get().map(|directory| (directory, right_there as Right)),
            Some(here) if here.password.is_none() && !here.locked => {
                self.accounts.get().map(|accounts| (accounts, right_here as Right))
            }
            Some(_) => None,
        };
        if let Some((directory, right)) = elsewhere {
            return asked(exchange, directory, right, user, password);
        }
        let known = local.and_then(|user| user.password.as_deref());
        let remembered = known.and_then(|hash| mark(&user, &password, hash));
        if remembered.is_some_and(|mark| VERIFIED.pin().contains(&mark)) {
            return Found::Now(right(exchange, &user));
        }
        let hash = known.unwrap_or(NOBODY).to_owned();
        let exists = known.is_some();
        Found::Later(Box::pin(async move {
            let finding = match verify(password, hash).await {
                None => Finding::Failed(&BUSY),
                Some(true) if exists => {
                    if let Some(mark) = remembered {
                        remember(mark);
                    }
                    right(exchange, &user)
                }
                Some(_) => wrong(&user),
            };
            finding.into()
        }))
    }

    fn strip(&self, exchange: &mut Exchange, verified: bool) {
        // What was not checked may be meant for the upstream.
        if verified {
            exchange.headers.remove(AUTHORIZATION);
        }
    }

    fn challenge(&self, exchange: &Exchange) -> Option<HeaderValue> {
        let name = exchange.api().map_or("", |api| &api.names.name);
        let realm = self.realm.as_deref().unwrap_or(name);
        // A name may have what a quoted text may not.
        let realm: String =
            realm.chars().filter(|c| !matches!(c, '"' | '\\') && (' '..='~').contains(c)).collect();
        HeaderValue::try_from(format!("Basic realm=\"{realm}\", charset=\"UTF-8\"")).ok()
    }
}

fn right(exchange: &Exchange, user: &str) -> Finding {
    let applications = &exchange.snapshot.applications;
    let groups = applications.user(user).map(|known| known.groups.clone()).unwrap_or_default();
    let who = Authorization { user_name: Some(user.into()), groups, ..Authorization::default() };
    Finding::authenticated(who, applications.identifiers.by_user(user).to_vec())
}

fn wrong(user: &str) -> Finding {
    Finding::Wrong(&INVALID, format!("user {}", shown(user)))
}

/// From what was typed, and whom the directory knows by it, to what comes of it.
type Right = fn(&Exchange, &str, &DirectoryUser) -> Finding;

/// Somebody whose password is kept elsewhere. What was let in there is text.
fn asked<'a>(
    exchange: &'a Exchange,
    directory: &'a Arc<Asking>,
    right: Right,
    user: String,
    password: Vec<u8>,
) -> Found<'a> {
    let Ok(password) = String::from_utf8(password) else { return Found::Now(wrong(&user)) };
    if let Some(known) = directory.remembered(&user, &password, exchange.started) {
        return Found::Now(right(exchange, &user, &known));
    }
    if exchange.dry_run {
        return Found::Now(Finding::Failed(&reason::CALL_NOT_POSSIBLE));
    }
    Found::Later(Box::pin(async move {
        let finding = match directory.ask(&user, &password, exchange.started).await {
            Answer::Right(known) => right(exchange, &user, &known),
            Answer::Wrong => wrong(&user),
            Answer::Away => Finding::Failed(&DIRECTORY_AWAY),
            Answer::Busy => Finding::Failed(&BUSY),
        };
        finding.into()
    }))
}

/// A user here, in the groups that they are in now.
fn right_here(exchange: &Exchange, _typed: &str, known: &DirectoryUser) -> Finding {
    right(exchange, &known.name)
}

/// They are called what the directory calls them, unless that is somebody here.
fn right_there(exchange: &Exchange, typed: &str, known: &DirectoryUser) -> Finding {
    let applications = &exchange.snapshot.applications;
    if applications.user(&known.name).is_some() {
        return wrong(typed);
    }
    let who = Authorization {
        user_name: Some((*known.name).into()),
        groups: known.groups.clone(),
        ..Authorization::default()
    };
    Finding::authenticated(who, applications.identifiers.by_user(&known.name).to_vec())
}

/// What follows the name of the scheme, which has no case.
fn scheme(value: &[u8]) -> Option<&[u8]> {
    let (name, rest) = value.split_at_checked(6)?;
    name.eq_ignore_ascii_case(b"Basic ").then(|| rest.trim_ascii())
}

fn credentials(encoded: &[u8]) -> Option<(String, Vec<u8>)> {
    let decoded = Base64::decode_vec(std::str::from_utf8(encoded).ok()?).ok()?;
    let colon = decoded.iter().position(|b| *b == b':')?;
    let user = String::from_utf8(decoded.get(..colon)?.to_vec()).ok()?;
    Some((user, decoded.get(colon + 1..)?.to_vec()))
}

/// Stands for a user, a password and the hash it was compared with: another hash is another mark.
fn mark(user: &str, password: &[u8], hash: &str) -> Option<[u8; 32]> {
    let secret = (*SECRET)?;
    let length = |text: &[u8]| u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes();
    let parts: [&[u8]; 6] = [
        &secret,
        &length(user.as_bytes()),
        user.as_bytes(),
        &length(hash.as_bytes()),
        hash.as_bytes(),
        password,
    ];
    Some(sha256(&parts.concat()))
}

fn remember(mark: [u8; 32]) {
    let verified = VERIFIED.pin();
    if verified.len() >= MOST_VERIFIED {
        verified.clear();
    }
    verified.insert(mark);
}

/// Whether the password is the one; `None` when too many others are being checked.
async fn verify(password: Vec<u8>, hash: String) -> Option<bool> {
    let _waiting = Waiting::begin()?;
    let _check = CHECKS.acquire().await.ok()?;
    let check = move || Argon2::default().verify_password(&password, hash.as_str()).is_ok();
    tokio::task::spawn_blocking(check).await.ok()
}

/// A place among those that wait, given back when the request goes away.
struct Waiting;

impl Waiting {
    fn begin() -> Option<Self> {
        let place = Self;
        // Dropping it takes away again what was added.
        (WAITING.fetch_add(1, Relaxed) < MOST_WAITING).then_some(place)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Relaxed);
    }
}

/// A user as it is written to the log: it may be anything.
fn shown(user: &str) -> String {
    user.chars().take(64).flat_map(char::escape_debug).collect()
}
