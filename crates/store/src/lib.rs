//! Storage. Two stores that know nothing of each other: assets with their versions and the audit log, on SQLite or
//! PostgreSQL (`assets/`); and events, what requests leave behind, in one SQLite file for each day.
//!
//! A row of events is a block of many events, since a row of its own for each would cost more than the request it tells of.
//! What events mean, when they are written and when old ones are purged is left to others; time is passed in.

pub mod analytics;
pub mod assets;
mod block;
mod day;
mod error;
mod event_ref;
mod events;
mod filter;
mod intern;
mod messages;
mod packed;
mod page;
mod unpack;
mod writer;

pub use block::{Block, BlockBuilder};
pub use error::StoreError;
pub use event_ref::{CallRef, CorrelationId, EventRef, MessageRef, Packing};
pub use events::{EventStore, LOCK_FILE};
pub use filter::{Cursor, CursorError, EventFilter, EventPage};
