//! Whole bodies: read because a policy asks to see them, with a limit, and sent on as the policies left them.

use std::{future::poll_fn, pin::Pin, rc::Rc};

use bytes::{Bytes, BytesMut};
use engine::{Exchange, Payload, Reason, Rejection, reason};
use http::{
    HeaderValue, Method, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body::Body;

use crate::{
    body::{BrokenOff, Inbound, ProxyBody, RequestBody, RequestProgress, Source},
    patience::Patience,
    upgrade::Asked,
    worker::Worker,
};

/// The client's body before anybody has read from it.
pub struct Unread<'a> {
    /// `None` once it has been read.
    pub inbound: Option<Inbound>,
    pub limit: Option<u64>,
    pub progress: &'a Rc<RequestProgress>,
}

impl Unread<'_> {
    /// Refuses a body that says that it is too large.
    pub fn check_length(&self) -> Result<(), Box<Rejection>> {
        match (&self.inbound, self.limit) {
            (Some(inbound), Some(limit)) if inbound.size_hint().lower() > limit => {
                Err(Rejection::new(&reason::BODY_TOO_LARGE))
            }
            _ => Ok(()),
        }
    }

    /// Reads the body into the exchange. What switches protocols has none.
    pub async fn read_whole(
        &mut self,
        worker: &Worker,
        exchange: &mut Exchange,
        asked: Option<Asked>,
    ) -> Result<(), Box<Rejection>> {
        if asked.is_some() || exchange.request_payload.is_some() {
            return Ok(());
        }
        let most = exchange.snapshot.settings.limits.buffered_body_size.get();
        self.limit = Some(self.limit.map_or(most, |limit| limit.min(most)));
        self.check_length()?;
        let mut whole = BytesMut::new();
        if let Some(mut body) = self.take(worker, exchange) {
            while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                match frame.map_err(|error| Rejection::new(error.0))?.into_data() {
                    // Most bodies come in one piece, which is then the whole.
                    Ok(data) if whole.is_empty() => whole = BytesMut::from(data),
                    Ok(data) => whole.extend_from_slice(&data),
                    // Trailers of a body that was read whole have nothing to follow any more.
                    Err(_) => {}
                }
            }
        }
        exchange.request_payload = Some(Payload::new(whole.freeze()));
        Ok(())
    }

    /// What goes to the upstream: the body as the policies left it, or as it comes; `None` when there is none.
    pub fn into_request_body(mut self, worker: &Worker, exchange: &Exchange) -> Option<RequestBody> {
        match &exchange.request_payload {
            Some(payload) if payload.bytes().is_empty() => None,
            Some(payload) => Some(RequestBody::whole(payload.bytes().clone(), &worker.ticker)),
            None => self.take(worker, exchange),
        }
    }

    fn take(&mut self, worker: &Worker, exchange: &Exchange) -> Option<RequestBody> {
        let inbound = self.inbound.take().filter(|inbound| !inbound.is_end_stream())?;
        let patience = Patience::new(&worker.ticker, exchange.snapshot.settings.limits.body_timeout.get());
        Some(RequestBody::new(inbound, self.limit, patience, Rc::clone(self.progress)))
    }
}

/// Reads a response's body into the exchange; streams stay streams.
pub async fn read_response(exchange: &mut Exchange, source: Source) -> Result<Source, &'static Reason> {
    let endless = exchange.response_headers.get(CONTENT_TYPE).is_some_and(|value| {
        let value = value.as_bytes();
        value.starts_with(b"text/event-stream") || value.starts_with(b"application/grpc")
    });
    if endless || exchange.status == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(source);
    }
    let most = exchange.snapshot.settings.limits.buffered_body_size.get();
    exchange.response_payload = Some(Payload::new(collect(source, most).await?));
    Ok(Source::Empty)
}

/// Reads a body to its end.
pub async fn collect(source: Source, most: u64) -> Result<Bytes, &'static Reason> {
    let mut body = ProxyBody::new(source, None);
    if body.size_hint().lower() > most {
        return Err(&reason::RESPONSE_TOO_LARGE);
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(data) = frame.map_err(|BrokenOff(reason)| reason)?.into_data() else { continue };
        if (whole.len() + data.len()) as u64 > most {
            return Err(&reason::RESPONSE_TOO_LARGE);
        }
        if whole.is_empty() {
            whole = BytesMut::from(data);
        } else {
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole.freeze())
}

/// The body that goes to the client: what a policy read or made, or else what the upstream sends.
pub fn into_source(exchange: &mut Exchange, source: Source) -> Source {
    let Some(payload) = &exchange.response_payload else { return source };
    let bytes: Bytes = payload.bytes().clone();
    let bodiless = *exchange.inbound_method() == Method::HEAD
        || exchange.status.is_informational()
        || matches!(exchange.status.as_u16(), 204 | 304);
    if bodiless {
        return Source::Empty;
    }
    exchange.response_headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    Source::Whole(bytes)
}
