//! Changes of assets: what is asked for, and what comes of it.

use std::sync::{Arc, OnceLock, atomic::AtomicBool};

use model::{ClearText, Diagnostic, Diagnostics};
use serde_json::Value;
use store::{
    StoreError,
    assets::{Change, Expected},
};

use crate::{
    Assets, Event, Held, Kind, Parsed, Privilege,
    vault::{Vault, VaultError},
};

/// What an asset has to be like for an edit to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Whatever it is like, and also when it is not there.
    Any,
    /// It is there.
    Present,
    /// It is not there.
    Absent,
    /// This revision changed it last.
    At(u64),
}

/// What becomes of an asset.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// This document takes its place.
    Put(Value),
    /// These keys are changed (RFC 7396).
    Merge(Value),
    /// This version takes its place, with the secret that it had.
    Restore {
        document: Value,
        sealed: Option<Sealed>,
    },
    Delete,
}

/// A secret as an earlier revision left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// What it is bound to.
    pub id: String,
    pub name: String,
    pub text: String,
}

/// A change of one asset, as it is asked for.
#[derive(Debug, Clone)]
pub struct Edit {
    pub kind: &'static Kind,
    /// `None` takes it from the document.
    pub name: Option<String>,
    pub condition: Condition,
    pub write: Write,
}

/// What a change has become.
#[derive(Debug)]
pub struct Changed {
    pub revision: u64,
    /// The assets as they are now, in the order of the edits; `None` where one was deleted.
    pub assets: Vec<Option<Arc<Held>>>,
    /// What was done with each, in a word; `None` where nothing is different.
    pub actions: Vec<Option<&'static str>>,
    /// Whether anything is different from before.
    pub different: bool,
    pub warnings: Vec<Diagnostic>,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error("there is no {kind} `{name}`")]
    NotFound { kind: &'static str, name: String },
    #[error("{kind} `{name}` is there already")]
    Exists { kind: &'static str, name: String },
    /// Somebody else has changed it.
    #[error("{kind} `{name}` was changed by revision {current} meanwhile")]
    Stale { kind: &'static str, name: String, current: u64 },
    /// The document, or the configuration that it would make.
    #[error("{0}")]
    Invalid(Diagnostics),
    #[error("the privilege `{0}` is needed")]
    Forbidden(&'static str),
    #[error("only those who are in team `{0}` may assign anything to it")]
    ForeignTeam(String),
    #[error(
        "`{user}` is given a key of the keystore `{keystore}`, which only those may do who have the privilege `{}`; they can \
         let others do it by adding `{user}` to `usableBy` of the keystore",
        Privilege::ManageSecurity.name()
    )]
    KeystoreNotUsable { keystore: String, user: String },
    #[error("the password that it is now was not right")]
    WrongPassword,
    #[error("{0}")]
    Store(StoreError),
    #[error("others change the configuration all the time; try again")]
    Busy,
}

/// Edits, worked out against the assets that they are made from.
pub(crate) struct Worked {
    pub assets: Arc<Assets>,
    pub changes: Vec<Change>,
    pub edits: Vec<Done>,
}

impl Worked {
    /// Nothing is different yet.
    pub(crate) fn begin(before: &Assets) -> Self {
        let mut assets = before.clone();
        assets.revision += 1;
        Self { assets: Arc::new(assets), changes: Vec::new(), edits: Vec::new() }
    }
}

/// What an edit comes down to.
pub(crate) struct Done {
    pub kind: &'static Kind,
    pub name: String,
    /// `None` where nothing is different.
    pub action: Option<&'static str>,
    /// What it is called, where that is more than an update.
    pub event: Option<Event>,
}

/// Works edits out: what they make of the assets, and what has to be committed for it.
pub(crate) fn work_out(
    before: &Assets,
    edits: &[Edit],
    at: u64,
    mut new_id: impl FnMut() -> String,
) -> Result<Worked, ChangeError> {
    let mut worked = Worked::begin(before);
    let mut problems = Diagnostics::default();
    for edit in edits {
        match work_out_one(&mut worked, before, edit, at, &mut new_id) {
            Ok(done) => worked.edits.push(done),
            Err(ChangeError::Invalid(found)) => problems.0.extend(found.0),
            Err(error) => return Err(error),
        }
    }
    if problems.is_empty() { Ok(worked) } else { Err(ChangeError::Invalid(problems)) }
}

/// Works one out. Where that fails nothing has changed.
pub(crate) fn work_out_one(
    worked: &mut Worked,
    before: &Assets,
    edit: &Edit,
    at: u64,
    new_id: &mut impl FnMut() -> String,
) -> Result<Done, ChangeError> {
    let kind = edit.kind;
    let document = match &edit.write {
        Write::Put(document) | Write::Restore { document, .. } => Some(document.clone()),
        Write::Merge(_) | Write::Delete => None,
    };
    let mut parsed = document.map(|document| parse(kind, edit.name.as_deref(), document)).transpose()?;
    let name = match (&edit.name, &parsed) {
        (Some(name), _) => name.clone(),
        (None, Some(parsed)) => parsed.name.clone(),
        (None, None) => String::new(),
    };
    let held = before.get(kind, &name).cloned();
    match (&edit.condition, &held) {
        (Condition::Present | Condition::At(_), None) => {
            return Err(ChangeError::NotFound { kind: kind.name, name });
        }
        (Condition::Absent, Some(_)) => return Err(ChangeError::Exists { kind: kind.name, name }),
        (Condition::At(revision), Some(held)) if held.revision != *revision => {
            return Err(ChangeError::Stale { kind: kind.name, name, current: held.revision });
        }
        _ => {}
    }
    match (&edit.write, &held) {
        (Write::Merge(patch), Some(held)) => {
            let mut document = held.parsed.document.clone();
            merge(&mut document, patch);
            parsed = Some(parse(kind, Some(&name), document)?);
        }
        (Write::Merge(_) | Write::Delete, None) => {
            return Err(ChangeError::NotFound { kind: kind.name, name });
        }
        _ => {}
    }
    let Some(parsed) = parsed else {
        let held = held.ok_or_else(|| ChangeError::NotFound { kind: kind.name, name: name.clone() })?;
        Arc::make_mut(&mut worked.assets).remove(kind, &held.id);
        worked.changes.push(Change {
            kind: kind.name.into(),
            id: held.id.clone(),
            name: held.parsed.name.clone(),
            expected: Expected::At(held.revision),
            document: None,
            sealed: None,
        });
        return Ok(Done { kind, name: held.parsed.name.clone(), action: Some("delete"), event: None });
    };
    let sealed = Sealing { vault: &before.vault, kind, write: &edit.write, held: held.as_deref() };
    if held.as_ref().is_some_and(|held| held.parsed.document == parsed.document)
        && sealed.is_same(parsed.secret.as_ref())
    {
        return Ok(Done { kind, name: parsed.name, action: None, event: None });
    }
    if held.as_ref().is_none_or(|held| held.parsed.name != parsed.name)
        && let Some(other) = worked.assets.get(kind, &parsed.name)
        && held.as_ref().is_none_or(|held| held.id != other.id)
    {
        return Err(ChangeError::Exists { kind: kind.name, name: parsed.name });
    }
    let event = match &held {
        Some(held) => becomes(edit, held, &parsed)?,
        None => None,
    };
    let name = parsed.name.clone();
    let action = if held.is_some() { "update" } else { "create" };
    let id = held.as_ref().map_or_else(new_id, |held| held.id.clone());
    let mut parsed = parsed;
    let sealed = sealed.seal(parsed.secret.take(), &id, &name).map_err(|error| {
        let problem = Diagnostic::error("value", error.to_string());
        ChangeError::Invalid(problem.in_file(format!("{} {name}", kind.name), None).into())
    })?;
    worked.changes.push(Change {
        kind: kind.name.into(),
        id: id.clone(),
        name: name.clone(),
        expected: held.as_ref().map_or(Expected::Absent, |held| Expected::At(held.revision)),
        document: Some(parsed.document.to_string()),
        sealed: sealed.clone(),
    });
    let assets = Arc::make_mut(&mut worked.assets);
    assets.remove(kind, &id);
    let revision = assets.revision;
    assets.put(Held {
        kind,
        id,
        revision,
        created_at: held.as_ref().map_or(at, |held| held.created_at),
        changed_at: at,
        parsed,
        sealed,
        looked_at: AtomicBool::new(false),
        refers: OnceLock::new(),
        definition: OnceLock::new(),
    });
    Ok(Done { kind, name, action: Some(action), event })
}

/// What a change is called. What was once there may be there again, whatever it is by now.
fn becomes(edit: &Edit, held: &Held, after: &Parsed) -> Result<Option<Event>, ChangeError> {
    let found = edit.kind.becomes(&held.parsed, after);
    match (&edit.write, found) {
        (_, Ok(event)) => Ok(event),
        (Write::Restore { .. }, Err(_)) => Ok(None),
        (_, Err(problems)) => {
            let called = format!("{} {}", edit.kind.name, held.parsed.name);
            let named = problems.0.into_iter().map(|problem| problem.in_file(called.clone(), None));
            Err(ChangeError::Invalid(Diagnostics(named.collect())))
        }
    }
}

/// What becomes of the secret of an asset.
struct Sealing<'a> {
    vault: &'a Vault,
    kind: &'static Kind,
    write: &'a Write,
    held: Option<&'a Held>,
}

impl Sealing<'_> {
    /// The secret as it is, or as an earlier revision left it, where none is given.
    fn kept(&self) -> Option<([&str; 3], &str)> {
        match (self.write, self.held) {
            (Write::Restore { sealed, .. }, _) => {
                sealed.as_ref().map(|sealed| ([self.kind.name, &*sealed.id, &*sealed.name], &*sealed.text))
            }
            (_, Some(held)) => held.sealed.as_deref().map(|sealed| (held.bound_to(), sealed)),
            (_, None) => None,
        }
    }

    /// Whether the secret stays what it is.
    fn is_same(&self, given: Option<&ClearText>) -> bool {
        let held = self.held.and_then(|held| Some((held.bound_to(), held.sealed.as_deref()?)));
        match (given, held) {
            (Some(given), Some((of, sealed))) => {
                self.vault.open(of, sealed).is_ok_and(|known| known == given.expose())
            }
            (Some(_), None) => false,
            (None, held) => self.kept().map(|(_, text)| text) == held.map(|(_, text)| text),
        }
    }

    fn seal(&self, given: Option<ClearText>, id: &str, name: &str) -> Result<Option<String>, VaultError> {
        let of = [self.kind.name, id, name];
        match (given, self.kept()) {
            (Some(given), _) => self.vault.seal(of, given.expose()).map(Some),
            (None, Some((bound_to, sealed))) if bound_to == of => Ok(Some(sealed.to_owned())),
            // It has another name, or is made again.
            (None, Some((bound_to, sealed))) => {
                let secret = self.vault.open(bound_to, sealed)?;
                self.vault.seal(of, &secret).map(Some)
            }
            (None, None) => Ok(None),
        }
    }
}

/// Checks a document; problems say which asset they are in.
fn parse(kind: &Kind, name: Option<&str>, document: Value) -> Result<crate::Parsed, ChangeError> {
    let called = name.map_or_else(|| kind.name.to_owned(), |name| format!("{} {name}", kind.name));
    kind.parse(document).map_err(|problems| {
        let named = problems.0.into_iter().map(|d| d.in_file(called.clone(), None));
        ChangeError::Invalid(Diagnostics(named.collect()))
    })
}

/// JSON merge patch (RFC 7396).
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.shift_remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_merge_patch_does_what_the_rfc_says() {
        // The examples of RFC 7396, appendix A.
        for (mut target, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a": "b"}), json!(["c"]), json!(["c"])),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let before = target.clone();
            merge(&mut target, &patch);
            assert_eq!(target, result, "{before} and {patch}");
        }
    }
}
