//! Nodes: which one serves what, and waiting until all serve a revision.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Problem, time};
use crate::{ChangeError, Manager, NodeStatus, Privilege, Who};

/// Longest wait of one request.
const LONGEST: Duration = Duration::from_secs(25);

/// A node, for people and programs.
pub fn describe_node(status: &NodeStatus) -> Value {
    let mut node = json!(status.node);
    node["startedAt"] = time(status.node.started_at).into();
    node["seenAt"] = time(status.node.seen_at).into();
    node["live"] = status.live.into();
    node["own"] = status.own.into();
    node
}

pub(super) async fn list(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
) -> Result<Json<Value>, Problem> {
    if !who.may(Privilege::ViewAdministration) {
        return Err(ChangeError::Forbidden(Privilege::ViewAdministration.name()).into());
    }
    let nodes = manager.nodes().await?;
    let items: Vec<Value> = nodes.iter().map(describe_node).collect();
    Ok(Json(json!({ "items": items, "revision": manager.assets().revision })))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Patience {
    /// How long to wait for nodes that do not serve it yet, such as `20s`. Default: not at all.
    wait: Option<model::Duration>,
}

/// Which nodes serve a revision, and which live ones do not. Whoever may change something may know that.
pub(super) async fn serving(
    State(manager): State<Arc<Manager>>,
    Path(revision): Path<u64>,
    Query(patience): Query<Patience>,
) -> Result<Json<Value>, Problem> {
    let newest = manager.assets().revision;
    if revision == 0 || revision > newest {
        let detail = format!("there is no revision {revision}; the newest is {newest}");
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", detail));
    }
    let wait = patience.wait.map_or(Duration::ZERO, model::Duration::get).min(LONGEST);
    let nodes = manager.wait_for_nodes(revision, wait).await?;
    let (serving, behind): (Vec<_>, Vec<_>) = nodes.iter().partition(|node| node.serves(revision));
    let names = |nodes: &[&NodeStatus]| -> Vec<Value> {
        let each = nodes.iter().map(|status| {
            let node = &status.node;
            json!({ "name": node.name, "address": node.address, "revision": node.revision, "problem": node.problem })
        });
        each.collect()
    };
    Ok(Json(json!({ "revision": revision, "serving": names(&serving), "behind": names(&behind) })))
}
