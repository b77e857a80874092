//! The data plane: listeners, TLS, HTTP in and out, pools, health, retries, streaming. It knows no SQL and no
//! concrete policy; what to do with a request is said by the engine's snapshot.

mod answer;
mod body;
mod callback;
mod calls;
mod conn_state;
mod connection;
mod dns;
mod downstream;
mod dynamic;
mod event_queue;
mod finish;
mod forward;
mod h1;
mod h2;
mod headers;
mod health;
mod host_names;
mod listener;
mod mirror;
mod patience;
mod payload;
mod pool;
mod proxy_protocol;
pub mod rehearse;
mod request;
mod server;
mod steps;
pub mod tls;
mod trailers;
mod upgrade;
mod worker;

pub use event_queue::{EventReceiver, EventSender, event_queue};
pub use forward::{Failing, Played, Sent};
pub use host_names::{NameService, SystemNames};
pub use request::DryRun;
pub use server::{BoundListener, Options, Server, StartError};
