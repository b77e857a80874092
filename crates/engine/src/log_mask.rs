//! Masks for what is written about a request: policies that hide parts of bodies say how, and a policy that writes
//! bodies down asks for [`Exchange::mask_for_log`]. Nothing is done for requests of which nothing is written.

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
    /// A body as it may be written down, after the masks of every policy; `Err` when it must not be written at all.
    /// `whole` is false for the beginning of a body, of which no mask can say what is in it.
    pub fn mask_for_log<'p>(
        &self,
        side: Side,
        payload: &'p Payload,
        whole: bool,
    ) -> Result<Cow<'p, Payload>, NotMasked> {
        let mut masked = Cow::Borrowed(payload);
        let Some(api) = self.api() else { return Ok(masked) };
        for mask in api.chain(self.operation).log_masks(self) {
            if !whole {
                return Err(NotMasked);
            }
            if let Some(changed) = mask.mask(side, self, &masked)? {
                masked = Cow::Owned(changed);
            }
        }
        Ok(masked)
    }
}
