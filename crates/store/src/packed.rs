//! The stored form of a block: a version byte, then in postcard a header, the table of texts and the events.

use model::event::{EventType, TransactionStatus};
use serde::Deserialize;

use crate::{
    event_ref::{CallRef, CorrelationId, EventRef},
    intern::{Field, Interner},
};

/// Raised whenever anything below changes; blocks of earlier versions stay readable.
pub(crate) const VERSION: u8 = 2;
/// Blocks in which no event has messages are written as before there were any.
pub(crate) const WITHOUT_MESSAGES: u8 = 1;

/// Number of texts that every event has, and the place of those that are looked for.
pub(crate) const TEXTS: usize = 17;
pub(crate) const API_ID: usize = 0;
pub(crate) const API_NAME: usize = 1;
pub(crate) const OPERATION: usize = 3;
pub(crate) const METHOD: usize = 4;
pub(crate) const PATH: usize = 5;
pub(crate) const APPLICATION_ID: usize = 7;
pub(crate) const APPLICATION_NAME: usize = 8;
pub(crate) const CLIENT_IP: usize = 9;
pub(crate) const REASON_CODE: usize = 10;

pub(crate) const FAILURE: u8 = 1;
pub(crate) const CALLBACK: u8 = 2;
/// Messages follow the custom fields, after their number.
pub(crate) const MESSAGES: u8 = 128;

#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
pub(crate) struct Header {
    /// Times in the block are differences to this one.
    pub base_ms: u64,
    pub texts: u32,
    pub events: u32,
}

/// What every event has; the calls and the custom fields follow, each after their number.
#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
pub(crate) struct Head {
    pub id: Id,
    pub time: i64,
    pub texts: [u32; TEXTS],
    pub response_code: u16,
    pub flags: u8,
    pub numbers: [u64; 6],
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
pub(crate) enum Id {
    /// Big-endian bytes: an id is random, so that a variable length would make it longer.
    Number([u8; 16]),
    Text(u32),
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
pub(crate) struct Call {
    pub kind: u32,
    pub url: u32,
    pub start: i64,
    pub end: i64,
    pub duration: u64,
    pub response_code: u32,
}

/// Why a block cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlockError {
    #[error("it was written by a later version of the program (block version {0})")]
    Version(u8),
    #[error("its content is damaged")]
    Damaged,
}

impl From<postcard::Error> for BlockError {
    fn from(_: postcard::Error) -> Self {
        Self::Damaged
    }
}

impl Head {
    pub(crate) fn new(event: &EventRef<'_>, base_ms: u64, texts: &mut Interner) -> Self {
        let kind = match event.event_type {
            EventType::Transactional => 0_u8,
            EventType::Monitor => 1,
        };
        let failure = if event.status == TransactionStatus::Failure { FAILURE } else { 0 };
        let callback = if event.callback_request { CALLBACK } else { 0 };
        Self {
            id: match event.correlation_id {
                CorrelationId::Number(number) => Id::Number(number.to_be_bytes()),
                CorrelationId::Text(id) => Id::Text(texts.id(Field::ID, id)),
            },
            time: event.creation_date.wrapping_sub(base_ms).cast_signed(),
            texts: [
                texts.id(const { Field::of_event(API_ID) }, event.api_id),
                texts.id(const { Field::of_event(API_NAME) }, event.api_name),
                texts.id(const { Field::of_event(2) }, event.api_version),
                texts.id(const { Field::of_event(OPERATION) }, event.operation_name),
                texts.id(const { Field::of_event(METHOD) }, event.http_method),
                texts.id(const { Field::of_event(PATH).seldom() }, event.request_path),
                texts.id(const { Field::of_event(6).seldom() }, event.query_parameters),
                texts.id(const { Field::of_event(APPLICATION_ID) }, event.application_id),
                texts.id(const { Field::of_event(APPLICATION_NAME) }, event.application_name),
                texts.id(const { Field::of_event(CLIENT_IP) }, event.application_ip),
                texts.id(const { Field::of_event(REASON_CODE) }, event.reason_code),
                texts.id(const { Field::of_event(11) }, event.error_origin),
                texts.id(const { Field::of_event(12) }, event.native_http_method),
                texts.id(const { Field::of_event(13).seldom() }, event.session_id),
                texts.id(const { Field::of_event(14) }, event.source_gateway),
                texts.id(const { Field::of_event(15) }, event.source_gateway_node),
                texts.id(const { Field::of_event(16) }, event.user_agent),
            ],
            response_code: event.response_code,
            flags: failure | callback | kind << 2 | if event.messages.is_empty() { 0 } else { MESSAGES },
            numbers: [
                event.gateway_time,
                event.provider_time,
                event.total_time,
                event.total_data_size,
                event.request_size,
                event.response_size,
            ],
        }
    }

    #[inline]
    pub(crate) fn write(&self, buffer: &mut Vec<u8>) {
        match &self.id {
            Id::Number(bytes) => {
                buffer.push(0);
                buffer.extend_from_slice(bytes);
            }
            Id::Text(id) => {
                buffer.push(1);
                write_number(buffer, u64::from(*id));
            }
        }
        write_signed(buffer, self.time);
        for text in self.texts {
            write_number(buffer, u64::from(text));
        }
        write_number(buffer, u64::from(self.response_code));
        buffer.push(self.flags);
        for number in self.numbers {
            write_number(buffer, number);
        }
    }

    pub(crate) fn event_type(&self) -> Result<EventType, BlockError> {
        match (self.flags & !MESSAGES) >> 2 {
            0 => Ok(EventType::Transactional),
            1 => Ok(EventType::Monitor),
            _ => Err(BlockError::Damaged),
        }
    }

    pub(crate) fn status(&self) -> TransactionStatus {
        if self.flags & FAILURE == 0 { TransactionStatus::Success } else { TransactionStatus::Failure }
    }
}

impl Call {
    pub(crate) fn new(call: &CallRef<'_>, base_ms: u64, texts: &mut Interner) -> Self {
        Self {
            kind: texts.id(Field::CALL_TYPE, call.external_call_type),
            url: texts.id(Field::CALL_URL, call.external_url),
            start: call.call_start_time.wrapping_sub(base_ms).cast_signed(),
            end: call.call_end_time.wrapping_sub(base_ms).cast_signed(),
            duration: call.call_duration,
            response_code: texts.id(Field::CALL_CODE, call.response_code),
        }
    }

    #[inline]
    pub(crate) fn write(&self, buffer: &mut Vec<u8>) {
        write_number(buffer, u64::from(self.kind));
        write_number(buffer, u64::from(self.url));
        write_signed(buffer, self.start);
        write_signed(buffer, self.end);
        write_number(buffer, self.duration);
        write_number(buffer, u64::from(self.response_code));
    }
}

impl Header {
    pub(crate) fn write(&self, buffer: &mut Vec<u8>) {
        write_number(buffer, self.base_ms);
        write_number(buffer, u64::from(self.texts));
        write_number(buffer, u64::from(self.events));
    }
}

/// Appends a number as postcard does. Written out here since going through serde, which is what reading does,
/// was a third of the cost of an event; a test compares the two.
#[inline]
pub(crate) fn write_number(buffer: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        buffer.push(number as u8 | 0x80);
        number >>= 7;
    }
    buffer.push(number as u8);
}

#[inline]
fn write_signed(buffer: &mut Vec<u8>, number: i64) {
    write_number(buffer, (number << 1 ^ number >> 63).cast_unsigned());
}

#[inline]
pub(crate) fn write_text(buffer: &mut Vec<u8>, text: &str) {
    write_number(buffer, text.len() as u64);
    buffer.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_by_hand_is_postcard() {
        for number in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX] {
            let small = number as u32;
            let header = Header { base_ms: number, texts: small, events: small };
            for id in [Id::Text(small), Id::Number(u128::from(number).to_be_bytes())] {
                for time in [number.cast_signed(), -5, i64::MIN] {
                    let head = Head {
                        id: match &id {
                            Id::Text(id) => Id::Text(*id),
                            Id::Number(bytes) => Id::Number(*bytes),
                        },
                        time,
                        texts: std::array::from_fn(|place| small.wrapping_add(place as u32)),
                        response_code: number as u16,
                        flags: number as u8,
                        numbers: [number; 6],
                    };
                    let call = Call {
                        kind: small,
                        url: 1,
                        start: time,
                        end: 1,
                        duration: number,
                        response_code: small,
                    };
                    let mut written = Vec::new();
                    header.write(&mut written);
                    write_text(&mut written, "a text");
                    head.write(&mut written);
                    call.write(&mut written);
                    assert_eq!(written, postcard::to_allocvec(&(&header, "a text", head, call)).unwrap());
                }
            }
        }
    }
}
