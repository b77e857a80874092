//! The test kit: a real gateway and real upstreams in one process, on ports that the system picks.
//!
//! A test builds the document that a user would write, and it goes through the same loader. Time stands still until
//! the test moves it. What is promised about the gateway is left to the tests themselves.

pub mod admin;
pub mod body;
pub mod certs;
pub mod client;
pub mod config;
pub mod dns;
pub mod gateway;
pub mod identity_provider;
pub mod mail_box;
pub mod open_ldap;
pub mod pebble;
mod postgres;
pub mod raw;
pub mod upstream;
pub mod wait;

use std::time::Duration;

pub use admin::{Admin, json_request};
pub use certs::{Authority, Identity};
pub use client::{Client, Protocol, Request, Response, get, post, request};
pub use config::{Api, Config, api};
pub use dns::NameServer;
pub use gateway::{Gateway, START};
pub use identity_provider::{IdentityProvider, Signer, digest_of, encrypt, sha256};
pub use mail_box::{MAIL_USER, Mail, MailBox};
pub use open_ldap::OpenLdap;
pub use pebble::Pebble;
pub use postgres::Postgres;
pub use raw::{RawConn, RawResponse};
pub use serde_json::{Value, json};
pub use upstream::{Place, Seen, Upstream};
pub use wait::eventually;

pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_secs(60);
