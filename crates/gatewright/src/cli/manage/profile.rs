//! Where people are logged in: a file of their own that keeps, by the name of a profile, a manager and a token for it.

use std::{
    collections::BTreeMap,
    env, fs, io,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

/// The profile that is meant when none is named.
pub(super) const USUAL: &str = "default";

/// A manager that somebody is logged in at.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Profile {
    pub manager: String,
    pub user: String,
    pub token: String,
    /// By which the manager knows the token.
    pub token_id: String,
    /// PEM file of the authorities that the manager's certificate is verified against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
}

pub(super) type Profiles = BTreeMap<String, Profile>;

/// Where profiles are kept: nobody else may read it.
fn file() -> Result<PathBuf, String> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let directory = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")));
    let directory = directory.ok_or("neither XDG_CONFIG_HOME nor HOME says where a login could be kept")?;
    Ok(directory.join("gatewright").join("profiles.json"))
}

/// All profiles; none where there is no file.
pub(super) fn read() -> Result<Profiles, String> {
    let file = file()?;
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Profiles::new()),
        Err(error) => return Err(format!("{}: {error}", file.display())),
    };
    // What serde found could be a piece of a token.
    serde_json::from_str(&text).map_err(|error| {
        format!(
            "{}: line {}: expected profiles; delete the file and log in again",
            file.display(),
            error.line()
        )
    })
}

/// Takes the place of what was there, whole or not at all.
pub(super) fn write(profiles: &Profiles) -> Result<PathBuf, String> {
    let file = file()?;
    let failed = |error: io::Error| format!("{}: {error}", file.display());
    if let Some(directory) = file.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    }
    let next = file.with_extension("json.new");
    // One that a crash has left behind may have other rights.
    let _ = fs::remove_file(&next);
    let opened = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&next);
    let mut opened = opened.map_err(failed)?;
    let text = serde_json::to_string_pretty(profiles).map_err(|error| error.to_string())?;
    opened.write_all(text.as_bytes()).and_then(|()| opened.sync_all()).map_err(failed)?;
    fs::rename(&next, &file).map_err(failed)?;
    Ok(file)
}
