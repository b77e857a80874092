//! HTTP/1.1 towards upstreams, without a task per connection: requests are written and answers read by the request
//! that needs them. What an upstream sends is framed strictly; anything doubtful ends the connection.

mod body;
mod conn;
mod decode;
mod encode;
mod parse;
mod send;

pub use body::{BodyReader, ReadError};
pub use conn::{Conn, Counted, Io};
pub use decode::{Decoded, Decoder, Flaw, decimal};
pub use encode::{Framing, Head, encode_head};
pub use parse::{Invalid, Response, parse};
pub use send::{SendError, Sender};
