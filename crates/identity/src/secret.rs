//! Random texts that clients and browsers keep, and their hashes, which are all that is kept here.

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};

use crate::ServerError;

/// 256 random bits.
pub fn random() -> Result<String, ServerError> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|_| ServerError::Randomness)?;
    Ok(Base64UrlUnpadded::encode_string(&bytes))
}

/// What is kept of it: all of these are long and random, so that a fast hash is the right one.
pub fn hash(text: &str) -> String {
    format!("{:x}", Sha256::digest(text))
}

/// An id that is no secret: 128 random bits.
pub fn id() -> Result<String, ServerError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|_| ServerError::Randomness)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Compares in a time that says nothing about where they differ.
pub fn same(one: &str, other: &str) -> bool {
    Sha256::digest(one) == Sha256::digest(other)
}
