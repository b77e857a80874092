//! An event that borrows its texts, for callers who have them in a snapshot or a request and need no copy.

use model::event::{EventType, ExternalCall, LogPart, TransactionEvent, TransactionStatus};

/// Ids that were made here are numbers; those that came from a client can be any text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CorrelationId<'a> {
    /// Shown as 32 hexadecimal digits.
    Number(u128),
    Text(&'a str),
}

impl<'a> CorrelationId<'a> {
    /// 32 lower-case hexadecimal digits become a number, everything else stays what it is.
    pub fn parse(text: &'a str) -> Self {
        if text.len() != 32 {
            return Self::Text(text);
        }
        let mut number = 0_u128;
        for byte in text.bytes() {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                _ => return Self::Text(text),
            };
            number = number << 4 | u128::from(digit);
        }
        Self::Number(number)
    }

    /// A short fingerprint, stored beside the block so that a lookup need not open each of them.
    pub(crate) fn mark(self) -> [u8; 4] {
        let folded = match self {
            Self::Number(number) => (number as u64) ^ ((number >> 64) as u64).rotate_left(32),
            // FNV-1a: what is stored must not depend on the process.
            Self::Text(text) => text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            }),
        };
        let mixed = folded.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed >> 32) as u32).to_le_bytes()
    }
}

impl Default for CorrelationId<'_> {
    fn default() -> Self {
        Self::Text("")
    }
}

/// A [`TransactionEvent`] that borrows.
#[derive(Debug, Clone, Copy, Default)]
pub struct EventRef<'a> {
    pub event_type: EventType,
    pub creation_date: u64,
    pub correlation_id: CorrelationId<'a>,
    pub api_id: &'a str,
    pub api_name: &'a str,
    pub api_version: &'a str,
    pub operation_name: &'a str,
    pub http_method: &'a str,
    pub request_path: &'a str,
    pub query_parameters: &'a str,
    pub application_id: &'a str,
    pub application_name: &'a str,
    pub application_ip: &'a str,
    pub response_code: u16,
    pub status: TransactionStatus,
    pub reason_code: &'a str,
    pub error_origin: &'a str,
    pub native_http_method: &'a str,
    pub external_calls: &'a [CallRef<'a>],
    pub gateway_time: u64,
    pub provider_time: u64,
    pub total_time: u64,
    pub total_data_size: u64,
    pub request_size: u64,
    pub response_size: u64,
    pub callback_request: bool,
    pub session_id: &'a str,
    pub source_gateway: &'a str,
    pub source_gateway_node: &'a str,
    pub user_agent: &'a str,
    pub custom_fields: &'a [(&'a str, &'a str)],
    pub messages: &'a [MessageRef<'a>],
}

/// A part of a message that is kept with the event.
#[derive(Debug, Clone, Copy)]
pub struct MessageRef<'a> {
    pub part: LogPart,
    pub bytes: &'a [u8],
    /// Length of the whole, where the bytes are only its beginning; else 0.
    pub total: u64,
    pub packing: Packing,
}

/// How the bytes of a message are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// As they are.
    Plain,
    /// Compressed, which is still to be done.
    Compress,
    /// Compressed, which has been done.
    Compressed,
}

/// An [`ExternalCall`] that borrows.
#[derive(Debug, Clone, Copy, Default)]
pub struct CallRef<'a> {
    pub external_call_type: &'a str,
    pub external_url: &'a str,
    pub call_start_time: u64,
    pub call_end_time: u64,
    pub call_duration: u64,
    pub response_code: &'a str,
}

impl<'a> From<&'a ExternalCall> for CallRef<'a> {
    fn from(call: &'a ExternalCall) -> Self {
        Self {
            external_call_type: &call.external_call_type,
            external_url: &call.external_url,
            call_start_time: call.call_start_time,
            call_end_time: call.call_end_time,
            call_duration: call.call_duration,
            response_code: &call.response_code,
        }
    }
}

impl<'a> EventRef<'a> {
    /// The event without its calls and custom fields, which an owned event has in another form.
    pub(crate) fn head_of(event: &'a TransactionEvent) -> Self {
        Self {
            event_type: event.event_type,
            creation_date: event.creation_date,
            correlation_id: CorrelationId::parse(&event.correlation_id),
            api_id: &event.api_id,
            api_name: &event.api_name,
            api_version: &event.api_version,
            operation_name: &event.operation_name,
            http_method: &event.http_method,
            request_path: &event.request_path,
            query_parameters: &event.query_parameters,
            application_id: &event.application_id,
            application_name: &event.application_name,
            application_ip: &event.application_ip,
            response_code: event.response_code,
            status: event.status,
            reason_code: &event.reason_code,
            error_origin: &event.error_origin,
            native_http_method: &event.native_http_method,
            external_calls: &[],
            gateway_time: event.gateway_time,
            provider_time: event.provider_time,
            total_time: event.total_time,
            total_data_size: event.total_data_size,
            request_size: event.request_size,
            response_size: event.response_size,
            callback_request: event.callback_request,
            session_id: &event.session_id,
            source_gateway: &event.source_gateway,
            source_gateway_node: &event.source_gateway_node,
            user_agent: &event.user_agent,
            custom_fields: &[],
            messages: &[],
        }
    }
}
