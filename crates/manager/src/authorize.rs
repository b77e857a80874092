//! Whether somebody may make a change. Every change comes by here, whatever asked for it.

use std::sync::Arc;

use model::{
    ApiDoc, GlobalPolicyDoc, KeystoreDoc, TeamDoc, key_material::KeyRef, privilege::Privilege,
    usable_by::fits,
};

use crate::{Assets, ChangeError, Edit, Held, Who, Write, change::Worked, kind, rights};

/// What can be said before it is known what a change comes to: nobody learns of an asset that is not there for them.
pub(crate) fn asked(who: &Who, before: &Assets, edits: &[Edit]) -> Result<(), ChangeError> {
    for edit in edits {
        let held = edit.name.as_deref().and_then(|name| before.get(edit.kind, name));
        if !who.may(edit.kind.privilege) && !may_otherwise(who, edit, held) {
            return Err(ChangeError::Forbidden(edit.kind.privilege.name()));
        }
        if let (Some(name), Some(held)) = (&edit.name, held)
            && !who.sees(before, held)
        {
            return Err(match edit.write {
                // The name is taken, and that cannot be hidden.
                Write::Put(_) | Write::Restore { .. } => {
                    ChangeError::Exists { kind: edit.kind.name, name: name.clone() }
                }
                Write::Merge(_) | Write::Delete => {
                    ChangeError::NotFound { kind: edit.kind.name, name: name.clone() }
                }
            });
        }
    }
    Ok(())
}

/// What somebody may do without the privilege for this kind of asset. What comes of it is looked at again.
fn may_otherwise(who: &Who, edit: &Edit, held: Option<&Arc<Held>>) -> bool {
    let changes = !matches!(edit.write, Write::Delete);
    match held.map(|held| &*held.parsed.typed) {
        Some(typed) if changes => {
            administers(who, typed)
                || (typed.is::<ApiDoc>() && who.may(Privilege::ActivateApis))
                || (typed.is::<GlobalPolicyDoc>() && who.may(Privilege::ActivateGlobalPolicies))
        }
        _ => false,
    }
}

fn administers(who: &Who, typed: &(dyn std::any::Any + Send + Sync)) -> bool {
    typed.downcast_ref::<TeamDoc>().is_some_and(|team| team.administrators.include(&who.user, who.groups()))
}

/// What can be said only of what a change comes to.
pub(crate) fn worked_out(who: &Who, before: &Assets, worked: &Worked) -> Result<(), ChangeError> {
    for done in worked.edits.iter().filter(|done| done.action.is_some()) {
        let after = worked.assets.get(done.kind, &done.name);
        let held = after.and_then(|after| before.get(done.kind, &after.id));
        if let (Some(held), Some(after)) = (held, after) {
            changed(who, held, after)?;
        }
        let Some(after) = after else { continue };
        if !who.may(Privilege::ManageSecurity) {
            keys_given(&worked.assets, held, after)?;
        }
        let owner_changes = held.is_some_and(|held| rights::owner(held) != rights::owner(after));
        if owner_changes && !who.sees_everything() && !who.may(Privilege::ChangeTeams) {
            return Err(ChangeError::Forbidden(Privilege::ChangeTeams.name()));
        }
        let had = held.map_or(&[][..], |held| rights::named_teams(held));
        let has = rights::named_teams(after);
        if had != has && !who.sees_everything() {
            if held.is_some() && !who.may(Privilege::ChangeTeams) {
                return Err(ChangeError::Forbidden(Privilege::ChangeTeams.name()));
            }
            if let Some(foreign) = has.iter().find(|team| !had.contains(team) && !who.teams().contains(team))
            {
                return Err(ChangeError::ForeignTeam(foreign.clone()));
            }
        }
    }
    Ok(())
}

/// Whether keys that an asset is given may be given to it by anybody. Those that it had, it keeps.
fn keys_given(assets: &Assets, held: Option<&Arc<Held>>, after: &Held) -> Result<(), ChangeError> {
    let (mut had, mut has) = (Vec::new(), Vec::new());
    KeyRef::each_in(&after.parsed.document, &mut has);
    if has.is_empty() {
        return Ok(());
    }
    if let Some(held) = held {
        KeyRef::each_in(&held.parsed.document, &mut had);
    }
    let user = format!("{}:{}", after.kind.name, after.parsed.name);
    let keystores = kind("keystore");
    for (name, _) in has.iter().filter(|key| !had.contains(key)) {
        // One that is not there is refused alike, so that nobody finds out which are; and those of the node's files say
        // nothing here.
        let keystore = keystores.and_then(|kind| assets.get(kind, name));
        let doc = keystore.and_then(|keystore| keystore.parsed.typed.downcast_ref::<KeystoreDoc>());
        if !doc.is_some_and(|doc| doc.usable_by.iter().any(|pattern| fits(pattern, &user))) {
            return Err(ChangeError::KeystoreNotUsable { keystore: (*name).to_owned(), user });
        }
    }
    Ok(())
}

/// Whether a change of what is there is one that somebody may make: some may change one key only.
fn changed(who: &Who, held: &Held, after: &Held) -> Result<(), ChangeError> {
    let differs_but_for = |key: &str| {
        let (mut before, mut after) = (held.parsed.document.clone(), after.parsed.document.clone());
        for document in [&mut before, &mut after] {
            if let Some(document) = document.as_object_mut() {
                document.shift_remove(key);
            }
        }
        before != after
    };
    let key = |key: &str| held.parsed.document.get(key) != after.parsed.document.get(key);
    let typed = &*held.parsed.typed;
    let (activation, activate) = if typed.is::<ApiDoc>() {
        ("inactive", Privilege::ActivateApis)
    } else if typed.is::<GlobalPolicyDoc>() {
        ("disabled", Privilege::ActivateGlobalPolicies)
    } else {
        let rest = administers(who, typed) && !differs_but_for("members");
        return if who.may(held.kind.privilege) || rest { Ok(()) } else { forbidden(held) };
    };
    if key(activation) && !who.may(activate) {
        return Err(ChangeError::Forbidden(activate.name()));
    }
    if differs_but_for(activation) && !who.may(held.kind.privilege) { forbidden(held) } else { Ok(()) }
}

fn forbidden(held: &Held) -> Result<(), ChangeError> {
    Err(ChangeError::Forbidden(held.kind.privilege.name()))
}
