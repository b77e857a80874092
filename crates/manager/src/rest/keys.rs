//! Master keys: which one secrets are encrypted under, and another one taking over. No key is ever shown.

use std::sync::Arc;

use axum::{Extension, Json, extract::State, http::StatusCode};
use serde_json::{Value, json};

use super::answer::Problem;
use crate::{ChangeError, Manager, Privilege, RotationError, Who};

fn may(who: &Who) -> Result<(), Problem> {
    if who.may(Privilege::ManageSystemSettings) {
        return Ok(());
    }
    Err(ChangeError::Forbidden(Privilege::ManageSystemSettings.name()).into())
}

/// The master keys of this node, by what they are called, and those that data keys are encrypted under.
pub(super) async fn list(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
) -> Result<Json<Value>, Problem> {
    may(&who)?;
    let have = manager.assets().vault.master_keys();
    let keys = manager.store.data_keys().await?;
    let mut used: Vec<&str> = keys.iter().map(|key| &*key.master).collect();
    used.sort_unstable();
    used.dedup();
    let items = used.iter().map(|master| {
        let count = keys.iter().filter(|key| key.master == *master).count();
        json!({ "masterKey": master, "dataKeys": count, "present": have.iter().any(|key| key == master) })
    });
    Ok(Json(json!({ "encryptsWith": have.first(), "masterKeys": have, "used": items.collect::<Vec<_>>() })))
}

pub(super) async fn rotate(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
) -> Result<Json<Value>, Problem> {
    may(&who)?;
    match manager.rotate(&who).await {
        Ok((count, revision)) => Ok(Json(json!({
            "dataKeys": count,
            "masterKey": manager.assets().vault.master_keys().first(),
            "revision": revision,
        }))),
        Err(RotationError::Missing(nodes)) => {
            let names: Vec<_> = nodes
                .iter()
                .map(|status| format!("{} ({})", status.node.name, status.node.address))
                .collect();
            let detail = format!(
                "the first key of settings.store.masterKey of this node is not among those of {}: configure it there \
                 after the key that is there, start these nodes again, and then rotate",
                names.join(", ")
            );
            Err(Problem::new(StatusCode::CONFLICT, "master_key_missing", detail))
        }
        Err(RotationError::Vault(error)) => {
            Err(Problem::new(StatusCode::CONFLICT, "master_key_missing", error.to_string()))
        }
        Err(RotationError::Change(error)) => Err(error.into()),
    }
}
