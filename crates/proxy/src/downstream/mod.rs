//! HTTP/1 with clients: one request after the other, strictly read, inline in the task of the connection.

mod conn;
mod head;
mod interim;
mod respond;
mod serve;
#[cfg(test)]
mod tests;

pub use conn::{ClientBody, ClientIo, ClientStream, SharedStream};
pub use head::split_field;
pub use interim::Interim;
pub use serve::{End, Http1};
