//! What users write: configuration documents as typed assets, scalars, and the diagnostics that say what is
//! wrong with them. No I/O happens here; reading files is left to the binary, compiling to `engine`.

pub mod alias;
pub mod api;
pub mod application;
pub mod applies_to;
pub mod authorization_server;
pub mod check;
pub mod condition;
pub mod config;
pub mod destination;
pub mod diagnostic;
pub mod event;
pub mod ip_range;
pub mod listener;
pub mod policy;
pub mod policy_file;
pub mod scalar;
pub mod secret;
pub mod settings;
pub mod source;
pub mod test_file;
pub mod upstream;
pub mod url_alias;
pub mod user;
pub mod yaml;

pub use alias::AliasDoc;
pub use api::{ApiDoc, Canary, Mirror, Operation, OperationDoc};
pub use application::{ApiKeyDoc, ApplicationDoc, IdentifiersDoc};
pub use applies_to::AppliesTo;
pub use authorization_server::AuthorizationServerDoc;
pub use condition::{ConditionDoc, ConditionOperator};
pub use config::ConfigDoc;
pub use destination::DestinationDoc;
pub use diagnostic::{Diagnostic, Diagnostics};
pub use ip_range::IpRange;
pub use listener::{ListenerDoc, TlsDoc};
pub use policy::{GlobalPolicyDoc, PolicyDoc, PolicyTemplateDoc};
pub use policy_file::PolicyFiles;
pub use scalar::{ByteSize, Duration, Percent};
pub use secret::Secret;
pub use settings::Settings;
pub use test_file::TestFile;
pub use upstream::{EndpointDoc, UpstreamDoc};
pub use url_alias::UrlAliasDoc;
pub use user::{GroupDoc, UserDoc};
