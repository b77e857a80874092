//! The node that serves what is configured, as the manager sees it.

use std::{future::Future, pin::Pin, sync::Arc};

use axum::{body::Bytes, extract::Request, http, response::Response};
use model::{Diagnostic, Diagnostics, Settings};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use store::analytics::Analytics;

use crate::{Assets, FetchedDefinition, Trial, TrialAnswer, Trying};

/// A configuration that is compiled and not served yet, or what is wrong with it.
pub type Preparing<'a> = Pin<Box<dyn Future<Output = Result<Box<dyn Prepared>, Diagnostics>> + Send + 'a>>;

/// What requests add up to.
pub type Counted<'a> = Pin<Box<dyn Future<Output = Option<Arc<Analytics>>> + Send + 'a>>;

/// What came of a request, or why it could not be sent.
pub type Called<'a> =
    Pin<Box<dyn Future<Output = Result<(http::Response<Bytes>, bool), String>> + Send + 'a>>;

/// What a node answers when it is asked about itself.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Response> + Send + 'a>>;

/// A gateway that serves assets.
pub trait Node: Send + Sync + 'static {
    /// Compiles the assets, together with whatever else the node's configuration has. Problems name the asset that
    /// they are in as their file.
    fn prepare(&self, assets: Arc<Assets>) -> Preparing<'_>;

    /// Says that a revision could not be served.
    fn failed(&self, problems: Diagnostics);

    /// What policies it knows.
    fn policy_types(&self) -> Vec<PolicyType>;

    /// The settings that it serves by, whether from its file or from assets; `None` when it is stopping.
    fn settings(&self) -> Option<Settings>;

    /// What requests add up to on this node; `None` where it keeps no events.
    fn analytics(&self) -> Counted<'_>;

    /// When keys were used on this node since a time, by the hexadecimal digits of their SHA-256. Microseconds since 1970.
    fn key_uses(&self, since: u64) -> Vec<(String, u64)>;

    /// Sends a request to the node's own listener for clients, and reads so much of its answer; the second value says
    /// whether there was more.
    fn call(&self, request: Request<Bytes>, most: usize) -> Called<'_>;

    /// The URL at which clients reach the gateway, for somebody who reaches this machine by that name; `None` when it
    /// takes no requests of clients.
    fn url_for_clients(&self, host: &str) -> Option<String>;

    /// Answers a question about itself, whose path is as on its operations listener. Whoever asks may do so.
    fn answer(&self, request: Request) -> Answering<'_>;

    /// Sends a request to a listener of its own.
    fn try_request(&self, trial: Trial) -> Trying<'_, TrialAnswer>;

    /// Fetches a definition from a URL.
    fn fetch_definition(&self, url: String) -> Trying<'_, FetchedDefinition>;
}

/// A policy that there is, to be used in any API.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyType {
    /// As in `type: apiKey`.
    #[serde(rename = "type")]
    pub type_name: &'static str,
    /// When it runs.
    pub stage: &'static str,
    /// An operation may have several of it.
    pub repeatable: bool,
    /// Types that it does not go together with.
    pub excludes: &'static [&'static str],
    /// It needs a policy beside it that identifies the application.
    pub needs_application: bool,
    /// What it means for security.
    pub posture: &'static str,
    /// A configuration, as YAML.
    pub example: &'static str,
    /// JSON Schema of its configuration.
    pub schema: Value,
}

/// A configuration that is compiled and not served yet.
pub trait Prepared: Send {
    /// What there is to say about it.
    fn warnings(&self) -> &[Diagnostic];

    /// Serves it.
    fn serve(self: Box<Self>) -> Result<(), Diagnostics>;
}
