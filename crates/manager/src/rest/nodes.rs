//! Nodes: which one serves what, and waiting until all serve a revision.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State, http::StatusCode, routing};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    answer::{Items, Problem, time},
    extract::{Path, Query},
    route::{Right, Route, get},
};
use crate::{Manager, NodeStatus, Privilege};

pub(super) const ROUTES: &[Route] = &[
    get(
        "/nodes",
        "listNodes",
        "What each node of the store serves.",
        Right::Privilege(&[Privilege::ViewAdministration]),
        || routing::get(list),
    )
    .answers::<Items<NodeView>>(200),
    // Whoever may change something may know whether it is served.
    get(
        "/revisions/{revision}/nodes",
        "listNodesOfRevision",
        "Which live nodes serve a revision, and which do not.",
        Right::User,
        || routing::get(serving),
    )
    .query::<Patience>()
    .answers::<ServingView>(200),
];

/// Longest wait of one request.
const LONGEST: Duration = Duration::from_secs(25);

/// A node.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeView {
    /// Stays when the node is started again.
    id: String,
    /// Name of its machine.
    name: String,
    /// Where its admin API listens.
    address: String,
    version: String,
    started_at: String,
    /// The revision that it serves.
    revision: u64,
    /// The newest revision that it could not serve, or not whole.
    refused: Option<u64>,
    /// Why not.
    problem: Option<String>,
    /// The master keys that it has, by what they are called; the first one encrypts.
    master_keys: Vec<String>,
    /// When it was heard of last.
    seen_at: String,
    /// It was heard of a few seconds ago.
    live: bool,
    /// It is the one that was asked.
    own: bool,
}

impl From<&NodeStatus> for NodeView {
    fn from(status: &NodeStatus) -> Self {
        let node = status.node.clone();
        Self {
            id: node.id,
            name: node.name,
            address: node.address,
            version: node.version,
            started_at: time(node.started_at),
            revision: node.revision,
            refused: node.refused,
            problem: node.problem,
            master_keys: node.master_keys,
            seen_at: time(node.seen_at),
            live: status.live,
            own: status.own,
        }
    }
}

async fn list(State(manager): State<Arc<Manager>>) -> Result<Json<Items<NodeView>>, Problem> {
    let nodes = manager.nodes().await?;
    Ok(Json(Items { items: nodes.iter().map(NodeView::from).collect() }))
}

/// How long to wait.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Patience {
    /// How long to wait for nodes that do not serve it yet, such as `20s`; 25 seconds at most. Default: not at all.
    wait: Option<model::Duration>,
}

/// Which nodes serve a revision.
#[derive(Serialize, JsonSchema)]
pub(super) struct ServingView {
    revision: u64,
    serving: Vec<ServingNode>,
    /// Live nodes that do not serve it.
    behind: Vec<ServingNode>,
}

/// A node, and what it serves.
#[derive(Serialize, JsonSchema)]
struct ServingNode {
    name: String,
    address: String,
    revision: u64,
    /// Why it serves no newer one, when it could not.
    problem: Option<String>,
}

async fn serving(
    State(manager): State<Arc<Manager>>,
    Path(revision): Path<u64>,
    Query(patience): Query<Patience>,
) -> Result<Json<ServingView>, Problem> {
    let newest = manager.assets().revision;
    if revision == 0 || revision > newest {
        let detail = format!("there is no revision {revision}; the newest is {newest}");
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", detail));
    }
    let wait = patience.wait.map_or(Duration::ZERO, model::Duration::get).min(LONGEST);
    let nodes = manager.wait_for_nodes(revision, wait).await?;
    Ok(Json(serving_nodes(revision, nodes)))
}

/// Which of these nodes serve a revision.
pub(super) fn serving_nodes(revision: u64, nodes: Vec<NodeStatus>) -> ServingView {
    let (serving, behind): (Vec<_>, Vec<_>) = nodes.into_iter().partition(|node| node.serves(revision));
    let view = |nodes: Vec<NodeStatus>| {
        let each = nodes.into_iter().map(|NodeStatus { node, .. }| ServingNode {
            name: node.name,
            address: node.address,
            revision: node.revision,
            problem: node.problem,
        });
        each.collect()
    };
    ServingView { revision, serving: view(serving), behind: view(behind) }
}
