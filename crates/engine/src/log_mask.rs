//! Masks for what is written about a request: policies that hide parts of bodies say how, and a policy that writes
//! bodies down asks for [`Exchange::payload_for_log`]. Nothing is done for requests of which nothing is written.

use std::borrow::Cow;

use crate::{Exchange, Payload};

/// The request or its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Request,
    Response,
}

/// A body could not be looked at, so that nobody knows what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotMasked;

/// Hides parts of bodies.
pub trait LogMask: Send + Sync {
    /// The body as it may be written down; `None` when it may be as it is.
    fn mask(&self, side: Side, exchange: &Exchange, payload: &Payload) -> Result<Option<Payload>, NotMasked>;
}

impl Exchange {
    /// The body as it may be written down, after the masks of every policy; `Ok(None)` when none was read, `Err` when
    /// it must not be written at all.
    pub fn payload_for_log(&self, side: Side) -> Result<Option<Cow<'_, Payload>>, NotMasked> {
        let payload = match side {
            Side::Request => &self.request_payload,
            Side::Response => &self.response_payload,
        };
        let Some(payload) = payload else { return Ok(None) };
        let mut payload = Cow::Borrowed(payload);
        let Some(api) = self.api() else { return Ok(Some(payload)) };
        for mask in api.chain(self.operation).log_masks(self) {
            if let Some(masked) = mask.mask(side, self, &payload)? {
                payload = Cow::Owned(masked);
            }
        }
        Ok(Some(payload))
    }
}
