//! The master keys of a node: from the settings, from a program, or made at the first start.

use std::{
    fs, io,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use manager::{MasterKey, Vault};
use model::{Diagnostic, settings::MasterKeySettings};

/// Longest that a program may take to print keys.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Most that a program may print.
const MOST: usize = 64 << 10;

const WHAT: &str = "expected 64 hexadecimal digits, as `openssl rand -hex 32` prints them";
const WITHOUT: &str = "secrets are encrypted under a master key, and this node has none: set settings.store.masterKey on all \
     nodes of the database to the same key, as in `keys: [\"${file:/run/secrets/master-key}\"]`; `openssl rand -hex 32` \
     makes one";

/// The vault of a node; `own` is the directory where it may make a key of its own.
pub(crate) async fn vault(settings: &MasterKeySettings, own: Option<&Path>) -> Result<Vault, Diagnostic> {
    let given = settings.keys.iter().map(|key| key.expose().unwrap_or_default().to_owned());
    let mut keys = Vec::new();
    for (index, text) in given.enumerate() {
        let path = format!("settings.store.masterKey.keys[{index}]");
        keys.push(
            MasterKey::parse(&text)
                .ok_or_else(|| Diagnostic::error(path, format!("the key is not usable: {WHAT}")))?,
        );
    }
    if !settings.command.is_empty() {
        let failed = |problem: String| Diagnostic::error("settings.store.masterKey.command", problem);
        if !keys.is_empty() {
            return Err(failed("found beside `keys`, expected one of the two".into()));
        }
        let command = settings.command.clone();
        let printed = tokio::task::spawn_blocking(move || run(&command)).await;
        let printed = printed.map_err(|error| failed(error.to_string()))?.map_err(failed)?;
        for (index, line) in printed.lines().filter(|line| !line.trim().is_empty()).enumerate() {
            let key = MasterKey::parse(line);
            keys.push(
                key.ok_or_else(|| {
                    failed(format!("line {} of what it printed is no key: {WHAT}", index + 1))
                })?,
            );
        }
        if keys.is_empty() {
            return Err(failed(format!("it printed nothing, {WHAT}")));
        }
    }
    if keys.is_empty()
        && let Some(directory) = own
    {
        let file = directory.join("master.key");
        let failed = |problem: String| {
            Diagnostic::error("settings.store.masterKey", format!("{}: {problem}", file.display())).help(
                "without this file no secret in the store can be read; put it back, or configure another key",
            )
        };
        let text = own_key(&file).map_err(|error| failed(error.to_string()))?;
        keys.push(MasterKey::parse(&text).ok_or_else(|| failed(format!("the key is not usable: {WHAT}")))?);
    }
    Ok(Vault::new(keys, WITHOUT))
}

/// The key in a file, which is made where there is none. Only the owner may read it.
fn own_key(file: &Path) -> io::Result<String> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        found => return found,
    }
    let key = MasterKey::random().ok_or_else(|| io::Error::other("there is no randomness"))?;
    let mut new = fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(file)?;
    new.write_all(key.as_bytes())?;
    new.sync_all()?;
    Ok(key)
}

/// What a program prints. What it says on standard error goes where the node's messages go.
fn run(command: &[String]) -> Result<String, String> {
    use std::io::Read;

    let (program, arguments) = command.split_first().ok_or("it is empty")?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("`{program}` cannot be run: {error}"))?;
    let output = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        let read = output.map(|output| output.take(MOST as u64).read_to_string(&mut text));
        read.transpose().map(|_| text)
    });
    let end = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < end => std::thread::sleep(LOOK_EVERY),
            _ => {
                // It has had its time; how it ends does not matter.
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("`{program}` did not end within {} seconds", PATIENCE.as_secs()));
            }
        }
    };
    if !status.success() {
        return Err(format!("`{program}` failed: {status}"));
    }
    let text = reader.join().map_err(|_| "what it printed could not be read".to_owned())?;
    text.map_err(|error| format!("what `{program}` printed could not be read: {error}"))
}
