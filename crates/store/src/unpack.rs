//! Reading blocks: events come out packed, so that a filter can look at them before anything is copied.

use model::event::{ExternalCall, TransactionEvent};
use serde::de::DeserializeOwned;

use crate::{
    event_ref::{CallRef, CorrelationId, EventRef, MessageRef},
    messages,
    packed::{
        API_ID, API_NAME, APPLICATION_ID, APPLICATION_NAME, BlockError, CALLBACK, CLIENT_IP, Call, Head,
        Header, Id, MESSAGES, METHOD, OPERATION, PATH, REASON_CODE, VERSION, WITHOUT_MESSAGES,
    },
};

/// A block being read.
pub(crate) struct BlockReader<'a> {
    texts: Vec<&'a str>,
    base_ms: u64,
    left: u32,
    rest: &'a [u8],
    /// Reused, as most events have one call.
    calls: Vec<Call>,
    fields: Vec<(u32, u32)>,
    messages: Vec<MessageRef<'a>>,
}

impl<'a> BlockReader<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Result<Self, BlockError> {
        match data.split_first() {
            Some((&(WITHOUT_MESSAGES | VERSION), rest)) => {
                let (header, mut rest) = postcard::take_from_bytes::<Header>(rest)?;
                // A damaged number must not reserve more than there can be: a text takes a byte at least.
                let mut texts = Vec::with_capacity((header.texts as usize).min(rest.len()) + 1);
                texts.push("");
                for _ in 0..header.texts {
                    let (text, after) = postcard::take_from_bytes::<&str>(rest)?;
                    texts.push(text);
                    rest = after;
                }
                let (base_ms, left) = (header.base_ms, header.events);
                Ok(Self {
                    texts,
                    base_ms,
                    left,
                    rest,
                    calls: Vec::new(),
                    fields: Vec::new(),
                    messages: Vec::new(),
                })
            }
            Some((&version, _)) => Err(BlockError::Version(version)),
            None => Err(BlockError::Damaged),
        }
    }

    pub(crate) fn texts(&self) -> &[&'a str] {
        &self.texts
    }

    /// The next event; it must be dropped before the one after it is read.
    pub(crate) fn next(&mut self) -> Result<Option<Packed<'_>>, BlockError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let head: Head = self.take()?;
        self.calls.clear();
        for _ in 0..self.take::<u32>()? {
            let call = self.take()?;
            self.calls.push(call);
        }
        self.fields.clear();
        for _ in 0..self.take::<u32>()? {
            let field = self.take()?;
            self.fields.push(field);
        }
        self.messages.clear();
        if head.flags & MESSAGES != 0 {
            self.rest = messages::read(self.rest, &mut self.messages)?;
        }
        Ok(Some(Packed {
            head,
            texts: &self.texts,
            base_ms: self.base_ms,
            calls: &self.calls,
            fields: &self.fields,
            messages: &self.messages,
        }))
    }

    fn take<T: DeserializeOwned>(&mut self) -> Result<T, BlockError> {
        let (value, rest) = postcard::take_from_bytes(self.rest)?;
        self.rest = rest;
        Ok(value)
    }
}

/// One event of a block, with what is needed to unpack it.
pub(crate) struct Packed<'a> {
    pub head: Head,
    texts: &'a [&'a str],
    base_ms: u64,
    calls: &'a [Call],
    fields: &'a [(u32, u32)],
    messages: &'a [MessageRef<'a>],
}

impl<'a> Packed<'a> {
    pub(crate) fn creation_date(&self) -> u64 {
        self.base_ms.wrapping_add(self.head.time.cast_unsigned())
    }

    pub(crate) fn correlation_id(&self) -> Result<CorrelationId<'a>, BlockError> {
        Ok(match self.head.id {
            Id::Number(bytes) => CorrelationId::Number(u128::from_be_bytes(bytes)),
            Id::Text(id) => CorrelationId::Text(self.text(id)?),
        })
    }

    pub(crate) fn event(&self) -> Result<EventRef<'a>, BlockError> {
        let head = &self.head;
        let text = |place: usize| self.text(head.texts[place]);
        let [gateway_time, provider_time, total_time, total_data_size, request_size, response_size] =
            head.numbers;
        Ok(EventRef {
            event_type: head.event_type()?,
            creation_date: self.creation_date(),
            correlation_id: self.correlation_id()?,
            api_id: text(API_ID)?,
            api_name: text(API_NAME)?,
            api_version: text(2)?,
            operation_name: text(OPERATION)?,
            http_method: text(METHOD)?,
            request_path: text(PATH)?,
            query_parameters: text(6)?,
            application_id: text(APPLICATION_ID)?,
            application_name: text(APPLICATION_NAME)?,
            application_ip: text(CLIENT_IP)?,
            response_code: head.response_code,
            status: head.status(),
            reason_code: text(REASON_CODE)?,
            error_origin: text(11)?,
            native_http_method: text(12)?,
            external_calls: &[],
            gateway_time,
            provider_time,
            total_time,
            total_data_size,
            request_size,
            response_size,
            callback_request: head.flags & CALLBACK != 0,
            session_id: text(13)?,
            source_gateway: text(14)?,
            source_gateway_node: text(15)?,
            user_agent: text(16)?,
            custom_fields: &[],
            messages: self.messages,
        })
    }

    pub(crate) fn calls(&self) -> Result<Vec<CallRef<'a>>, BlockError> {
        let call = |call: &Call| {
            Ok(CallRef {
                external_call_type: self.text(call.kind)?,
                external_url: self.text(call.url)?,
                call_start_time: self.base_ms.wrapping_add(call.start.cast_unsigned()),
                call_end_time: self.base_ms.wrapping_add(call.end.cast_unsigned()),
                call_duration: call.duration,
                response_code: self.text(call.response_code)?,
            })
        };
        self.calls.iter().map(call).collect()
    }

    pub(crate) fn fields(&self) -> Result<Vec<(&'a str, &'a str)>, BlockError> {
        self.fields.iter().map(|(name, value)| Ok((self.text(*name)?, self.text(*value)?))).collect()
    }

    pub(crate) fn unpack(&self) -> Result<TransactionEvent, BlockError> {
        let event = self.event()?;
        let call = |call: CallRef<'_>| ExternalCall {
            external_call_type: call.external_call_type.to_owned(),
            external_url: call.external_url.to_owned(),
            call_start_time: call.call_start_time,
            call_end_time: call.call_end_time,
            call_duration: call.call_duration,
            response_code: call.response_code.to_owned(),
        };
        Ok(TransactionEvent {
            event_type: event.event_type,
            creation_date: event.creation_date,
            correlation_id: match event.correlation_id {
                CorrelationId::Number(number) => format!("{number:032x}"),
                CorrelationId::Text(text) => text.to_owned(),
            },
            api_id: event.api_id.to_owned(),
            api_name: event.api_name.to_owned(),
            api_version: event.api_version.to_owned(),
            operation_name: event.operation_name.to_owned(),
            http_method: event.http_method.to_owned(),
            request_path: event.request_path.to_owned(),
            query_parameters: event.query_parameters.to_owned(),
            application_id: event.application_id.to_owned(),
            application_name: event.application_name.to_owned(),
            application_ip: event.application_ip.to_owned(),
            response_code: event.response_code,
            status: event.status,
            reason_code: event.reason_code.to_owned(),
            error_origin: event.error_origin.to_owned(),
            native_http_method: event.native_http_method.to_owned(),
            external_calls: self.calls()?.into_iter().map(call).collect(),
            gateway_time: event.gateway_time,
            provider_time: event.provider_time,
            total_time: event.total_time,
            total_data_size: event.total_data_size,
            request_size: event.request_size,
            response_size: event.response_size,
            callback_request: event.callback_request,
            session_id: event.session_id.to_owned(),
            source_gateway: event.source_gateway.to_owned(),
            source_gateway_node: event.source_gateway_node.to_owned(),
            user_agent: event.user_agent.to_owned(),
            custom_fields: self
                .fields()?
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            messages: messages::unpack(self.messages)?,
        })
    }

    fn text(&self, id: u32) -> Result<&'a str, BlockError> {
        self.texts.get(id as usize).copied().ok_or(BlockError::Damaged)
    }
}
