//! The manager: the control plane. Everything that is configured is an asset, and there is one way to change one:
//! it is parsed into its type, the right to do so is checked, the whole configuration is compiled as it would be, the
//! change is committed with its revision and its audit record, and what was compiled is served.
//!
//! What a configuration means is left to the node that serves it ([`Node`]).

mod access;
mod assets;
mod authorize;
mod change;
mod definitions;
mod dependencies;
mod follow;
mod issued;
mod keep;
mod key_uses;
mod kind;
mod kinds;
mod node;
mod nodes;
mod oauth;
mod ordered;
mod pace;
mod passwords;
mod record;
mod registration;
mod rest;
mod rights;
mod rotation;
mod served;
mod service;
mod trial;
mod vault;

pub use access::{
    Who,
    directory::{Directory, DirectoryUser, Found},
    provider::{
        LoginAnswer, LoginFailure, LoginProvider, LoginRequest, LoginStep, LoginUser, SamlLogin, SamlProvider,
    },
    reset::{Mailer, Mailing},
};
pub use assets::{Assets, Held};
pub use change::{ChangeError, Changed, Condition, Edit, Sealed, Write};
pub use definitions::DOCUMENT;
pub use kind::{AssetDoc, Event, Kind, Parsed};
pub use kinds::{KINDS, kind};
pub use model::Privilege;
pub use node::{Answering, Called, Counted, Node, PolicyType, Prepared, Preparing};
pub use nodes::{Identity, NodeStatus};
pub use rest::{NodeView, openapi, router};
pub use rotation::RotationError;
pub use served::ServedApis;
pub use service::{Manager, ManagerError, Setup, new_id};
pub use trial::{FetchedDefinition, Trial, TrialAnswer, TrialError, Trying};
pub use vault::{MasterKey, Vault, VaultError};
