//! End to end: a real gateway and real upstreams in one process. Each module keeps one kind of promise.

mod balancing;
mod bodies;
mod configuration;
mod docs;
mod errors;
mod events;
mod explain;
mod fuzz;
mod headers;
mod hostile;
mod http2;
mod limits;
mod panics;
mod policies;
mod reload;
mod routing;
mod streaming;
mod tls;
mod transformations;
mod upstream_faults;
mod websocket;
