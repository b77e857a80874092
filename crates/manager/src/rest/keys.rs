//! Master keys: which one secrets are encrypted under, and another one taking over. No key is ever shown.

use std::sync::Arc;

use axum::{Extension, Json, extract::State, http::StatusCode, routing};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    answer::Problem,
    route::{Right, Route, get, post},
};
use crate::{Manager, Privilege, RotationError, Who};

const MAY: Right = Right::Privilege(&[Privilege::ManageSystemSettings]);

pub(super) const ROUTES: &[Route] = &[
    get("/masterKeys", "listMasterKeys", "Which master keys secrets are encrypted under.", MAY, || {
        routing::get(list)
    })
    .answers::<KeysView>(200),
    post(
        "/masterKeys/rotate",
        "rotateMasterKey",
        "Has everything encrypted under the first master key of the node, which all live nodes have to have.",
        MAY,
        || routing::post(rotate),
    )
    .answers::<Rotated>(200),
];

/// Master keys, by what they are called.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct KeysView {
    encrypts_with: Option<String>,
    /// Those of this node.
    master_keys: Vec<String>,
    used: Vec<UsedKey>,
}

/// A master key that data keys are encrypted under.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct UsedKey {
    master_key: String,
    data_keys: usize,
    /// This node has it.
    present: bool,
}

async fn list(State(manager): State<Arc<Manager>>) -> Result<Json<KeysView>, Problem> {
    let have = manager.assets().vault.master_keys();
    let keys = manager.store.data_keys().await?;
    let mut used: Vec<&str> = keys.iter().map(|key| &*key.master).collect();
    used.sort_unstable();
    used.dedup();
    let used = used.iter().map(|master| UsedKey {
        master_key: (*master).to_owned(),
        data_keys: keys.iter().filter(|key| key.master == *master).count(),
        present: have.iter().any(|key| key == master),
    });
    let used = used.collect();
    Ok(Json(KeysView { encrypts_with: have.first().cloned(), master_keys: have, used }))
}

/// What came of a rotation.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Rotated {
    /// How many data keys were under another master key.
    data_keys: usize,
    master_key: Option<String>,
    revision: u64,
}

async fn rotate(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
) -> Result<Json<Rotated>, Problem> {
    match manager.rotate(&who).await {
        Ok((data_keys, revision)) => {
            let master_key = manager.assets().vault.master_keys().into_iter().next();
            Ok(Json(Rotated { data_keys, master_key, revision }))
        }
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
