//! A definition of an API, as far as what governs requests needs it.

use std::sync::Arc;

use crate::{Operation, source::Sources};

/// What an API's definition says, as far as the gateway needs it.
#[derive(Debug, Clone, Default)]
pub struct ApiDefinition {
    pub title: String,
    pub version: String,
    /// Absolute or relative URLs, their variables filled in with the defaults.
    pub servers: Vec<String>,
    pub operations: Arc<[Operation]>,
    /// Where the addresses of the operations lead.
    pub sources: Arc<Sources>,
    /// Of all documents: changes when any byte of them does.
    pub fingerprint: u64,
}
