//! The node that serves what is configured, as the manager sees it.

use std::{future::Future, pin::Pin, sync::Arc};

use model::{Diagnostic, Diagnostics};

use crate::Assets;

/// A configuration that is compiled and not served yet, or what is wrong with it.
pub type Preparing<'a> = Pin<Box<dyn Future<Output = Result<Box<dyn Prepared>, Diagnostics>> + Send + 'a>>;

/// A gateway that serves assets.
pub trait Node: Send + Sync + 'static {
    /// Compiles the assets, together with whatever else the node's configuration has. Problems name the asset that
    /// they are in as their file.
    fn prepare(&self, assets: Arc<Assets>) -> Preparing<'_>;

    /// Says that a revision could not be served.
    fn failed(&self, problems: Diagnostics);
}

/// A configuration that is compiled and not served yet.
pub trait Prepared: Send {
    /// What there is to say about it.
    fn warnings(&self) -> &[Diagnostic];

    /// Serves it.
    fn serve(self: Box<Self>) -> Result<(), Diagnostics>;
}
