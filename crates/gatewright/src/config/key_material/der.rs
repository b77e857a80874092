//! DER, read piece by piece within its bounds (X.690).

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;

/// It is no DER, or something else than what was looked for.
pub(super) struct Damaged;

/// What is left to be read.
#[derive(Clone, Copy)]
pub(super) struct Der<'a>(pub &'a [u8]);

impl<'a> Der<'a> {
    pub fn any(&mut self) -> Result<(u8, &'a [u8]), Damaged> {
        let (&tag, rest) = self.0.split_first().ok_or(Damaged)?;
        let (&first, rest) = rest.split_first().ok_or(Damaged)?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f)).ok_or(Damaged)?;
                (length.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)), rest)
            }
            _ => return Err(Damaged),
        };
        let (value, rest) = rest.split_at_checked(length).ok_or(Damaged)?;
        self.0 = rest;
        Ok((tag, value))
    }

    pub fn take(&mut self, tag: u8) -> Result<&'a [u8], Damaged> {
        match self.any()? {
            (found, value) if found == tag => Ok(value),
            _ => Err(Damaged),
        }
    }

    pub fn enter(&mut self, tag: u8) -> Result<Self, Damaged> {
        self.take(tag).map(Der)
    }

    pub fn next_is(&self, tag: u8) -> bool {
        self.0.first() == Some(&tag)
    }

    /// A number that is not negative, of four bytes at most.
    pub fn number(&mut self) -> Result<u32, Damaged> {
        let bytes = self.take(INTEGER)?;
        match bytes {
            [0..=0x7f, ..] if bytes.len() <= 4 => {
                Ok(bytes.iter().fold(0, |sum, byte| (sum << 8) | u32::from(*byte)))
            }
            _ => Err(Damaged),
        }
    }
}
