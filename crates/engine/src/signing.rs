//! Signatures of requests for upstreams. They cover what is sent, so that they are made for each try: the host differs
//! from endpoint to endpoint, and the time goes on.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, Method};

use crate::{Rejection, Timestamp};

/// A request as it is about to be sent.
#[derive(Debug)]
pub struct ToSign<'a> {
    pub method: &'a Method,
    /// What `Host` says.
    pub authority: &'a str,
    /// The path of the endpoint, and what follows it.
    pub path: [&'a str; 2],
    pub query: Option<&'a str>,
    pub body: BodyToSign<'a>,
    pub now: Timestamp,
}

/// A body as far as it can be signed.
#[derive(Debug)]
pub enum BodyToSign<'a> {
    None,
    Whole(&'a [u8]),
    /// Nobody has asked to see it.
    Streams,
}

/// Signs requests.
pub trait Signer: Send + Sync {
    /// Headers that show the signature, in place of any of their names that the request has.
    fn sign(&self, request: &ToSign<'_>) -> Result<Vec<(HeaderName, HeaderValue)>, Box<Rejection>>;
}

/// Whoever signs a request.
#[derive(Clone)]
pub struct SignerRef(pub Arc<dyn Signer>);

impl std::fmt::Debug for SignerRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignerRef")
    }
}
