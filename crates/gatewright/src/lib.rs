//! Gatewright: one binary that is an API gateway and, as it grows, manager, portal and authorization server.
//!
//! This crate wires the others together: it reads configuration, compiles it, starts the data plane, collects what
//! requests leave behind, and answers questions about it. `Gateway::start` is the whole program; the binary only
//! parses its command line.

pub mod cli;
pub mod config;

mod accounts;
mod acme;
mod alerts;
mod assertions;
mod certificates;
mod client;
mod collector;
mod console;
mod explain;
pub mod gateway;
mod ldap;
mod local_server;
mod mail;
mod managed;
mod master_key;
mod metrics;
mod open_id_connect;
mod ops;
mod own_listener;
pub mod ready;
mod saml_provider;
mod served_tls;
mod tap;
pub mod testing;
mod token_keys;
mod trial;
mod watch;

pub use config::Source;
pub use explain::Explanation;
pub use gateway::{Gateway, StartError, StartOptions};
