//! What a request meets: policies and filters, the exchange, routing, and `compile`, which turns configuration into
//! an immutable snapshot. No sockets here; moving bytes is left to `proxy`, concrete policies to `policies`.

pub mod address_lock;
pub mod alert;
pub mod authorization_server;
pub mod callbacks;
pub mod calls;
pub mod candidates;
pub mod clock;
pub mod compile;
pub mod convert;
pub mod dynamic_endpoint;
pub mod exchange;
pub mod fault;
pub mod headers;
pub mod held;
pub mod identifiers;
pub mod journal;
pub mod keys;
pub mod language;
pub mod lifecycle;
pub mod listener_access;
pub mod log;
pub mod log_mask;
pub mod payload;
pub mod plans;
pub mod policy;
pub mod private_address;
pub mod reason;
pub mod route;
pub mod signing;
pub mod snapshot;
pub mod state;
pub mod stats;
pub mod upstream;
pub mod user_directory;

pub use alert::{Alert, AlertText, Alerts, Timed};
pub use calls::{Call, CallAnswer, UpstreamName};
pub use clock::{Clock, Timestamp};
pub use compile::{CompileCx, compile};
pub use exchange::{Client, Destination, Exchange, RequestHead, RequestId, SnapshotRef};
pub use headers::{HeaderText, Headers};
pub use log_mask::{LogMask, NotMasked, Side};
pub use payload::Payload;
pub use policy::{Compiled, FailMode, Filter, Needs, Outcome, Policy, PolicyKind, Stage, Step, Verdict};
pub use reason::{Problem, Reason, Rejection};
pub use snapshot::{CompiledApi, Snapshot};
