//! Messages kept for transaction events: what policies want of a request and its answer, and what was kept of it.
//! Requests that no policy wants anything of carry an empty pointer and nothing else.

use std::{
    fmt::Write,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, header::CONTENT_TYPE};
use model::event::LogPart;
use serde_json::{Map, Value};
use smallvec::SmallVec;

use crate::{
    Exchange, HeaderText, Headers, Payload,
    log_mask::{NotMasked, Side},
    snapshot::Chain,
};

/// What a policy wants kept.
#[derive(Debug, Clone)]
pub struct LogSpec {
    pub request_headers: bool,
    pub request_payload: bool,
    pub response_headers: bool,
    pub response_payload: bool,
    pub when: LogWhen,
    /// Payloads are stored compressed.
    pub compress: bool,
    /// Bytes kept of each payload.
    pub max_payload: usize,
    /// Headers whose values are hidden, beside those that always are.
    pub masked: Vec<HeaderName>,
}

/// Which requests something is kept of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogWhen {
    Always,
    OnFailure,
    OnSuccess,
}

impl LogWhen {
    fn holds(self, failed: bool) -> bool {
        match self {
            Self::Always => true,
            Self::OnFailure => failed,
            Self::OnSuccess => !failed,
        }
    }
}

/// The beginning of a body that passes by.
#[derive(Debug, Default)]
pub struct Piece {
    bytes: BytesMut,
    most: usize,
    total: u64,
}

impl Piece {
    pub fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// Takes in what passes.
    pub fn push(&mut self, data: &[u8]) {
        self.total += data.len() as u64;
        let room = self.most.saturating_sub(self.bytes.len()).min(data.len());
        self.bytes.extend_from_slice(&data[..room]);
    }

    fn of(whole: &Bytes, most: usize) -> Self {
        let mut piece = Self::new(most);
        piece.push(whole);
        piece
    }
}

/// What has been kept of a request so far.
#[derive(Debug, Default)]
pub struct Log {
    specs: SmallVec<[Arc<LogSpec>; 1]>,
    request_headers: Option<Headers>,
    pub sent_headers: Option<Headers>,
    pub received_headers: Option<Headers>,
    pub answer_headers: Option<Headers>,
    /// Body of the upstream's answer, where a policy could change it.
    pub received: Option<Bytes>,
    pub request: Option<Box<Piece>>,
    pub answer: Option<Box<Piece>>,
    /// Content-Type of the answer, by which masks know how to read it.
    answer_type: Option<HeaderValue>,
}

impl Log {
    fn wants(&self, what: impl Fn(&LogSpec) -> bool) -> bool {
        self.specs.iter().any(|spec| what(spec))
    }

    fn most(&self, what: impl Fn(&LogSpec) -> bool) -> Option<usize> {
        self.specs.iter().filter(|spec| what(spec)).map(|spec| spec.max_payload).max()
    }

    /// The request has been made ready for the upstream.
    pub fn sending(&mut self, headers: &Headers, extra: &Headers) {
        if self.wants(|spec| spec.request_headers) {
            let mut sent = headers.clone();
            for (name, value) in extra.iter() {
                if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
                    sent.append_text(&name, value);
                }
            }
            self.sent_headers = Some(sent);
        }
    }

    /// The upstream has answered.
    pub fn received(&mut self, headers: &Headers) {
        if self.wants(|spec| spec.response_headers) {
            self.received_headers = Some(headers.clone());
        }
    }

    /// The answer goes to the client.
    pub fn answering(&mut self, headers: &Headers) {
        if self.wants(|spec| spec.response_headers) {
            self.answer_headers = Some(headers.clone());
        }
        self.answer = self.most(|spec| spec.response_payload).map(|most| Box::new(Piece::new(most)));
        if self.answer.is_some() {
            self.answer_type = headers.get(CONTENT_TYPE).map(HeaderText::to_value);
        }
    }
}

impl Exchange {
    /// Begins to keep what policies of the chain want; returns where the request's body goes to, if anywhere.
    pub fn begin_log(&mut self, chain: &Chain) -> Option<Box<Piece>> {
        let specs: SmallVec<[Arc<LogSpec>; 1]> = chain.log_specs(self).collect();
        if specs.is_empty() {
            return None;
        }
        let mut log = Box::new(Log { specs, ..Log::default() });
        if log.wants(|spec| spec.request_headers) {
            log.request_headers = Some(self.headers.clone());
        }
        let piece = log.most(|spec| spec.request_payload).map(|most| Box::new(Piece::new(most)));
        self.log = Some(log);
        piece
    }

    /// Ends it: what is wanted of a request that went like this one.
    pub(crate) fn end_log(&mut self) -> Option<Box<Logged>> {
        let mut log = self.log.take()?;
        let failed = self.reason.is_some() || self.status.as_u16() >= 400;
        log.specs.retain(|spec| spec.when.holds(failed));
        if log.specs.is_empty() {
            return None;
        }
        // The headers of the answer are on their way already.
        if let Some(answer_type) = log.answer_type.take() {
            self.response_headers.insert(CONTENT_TYPE, answer_type);
        }
        let chain = self.api().map(|api| api.chain(self.operation));
        let masks = Masks { specs: &log.specs, credentials: chain.map_or(&[], |chain| &*chain.credentials) };
        let mut parts = Vec::new();
        let mut add = |part, wanted: bool, headers: &Option<Headers>| {
            if let Some(headers) = headers.as_ref().filter(|_| wanted) {
                let bytes = masks.json(headers).into_bytes().into();
                parts.push(LoggedPart { part, bytes, total: 0, compress: false });
            }
        };
        let (request, response) = (log.wants(|spec| spec.request_headers), log.wants(|s| s.response_headers));
        add(LogPart::RequestHeaders, request, &log.request_headers);
        add(LogPart::NativeRequestHeaders, request, &log.sent_headers);
        add(LogPart::NativeResponseHeaders, response, &log.received_headers);
        add(LogPart::ResponseHeaders, response, &log.answer_headers);
        let compress = log.specs.iter().any(|spec| spec.compress);
        let mut add = |part, side, most: Option<usize>, piece: Option<Piece>| {
            let (Some(most), Some(mut piece)) = (most, piece.filter(|piece| piece.total > 0)) else { return };
            piece.bytes.truncate(most);
            let cut = (piece.bytes.len() as u64) < piece.total;
            let payload = Payload::new(piece.bytes.freeze());
            // What cannot be masked is left out, with its length.
            let (bytes, total) = match self.mask_for_log(side, &payload, !cut) {
                Ok(payload) => (payload.bytes().clone(), if cut { piece.total } else { 0 }),
                Err(NotMasked) => (Bytes::new(), piece.total),
            };
            parts.push(LoggedPart { part, bytes, total, compress });
        };
        let (request, response) = (log.most(|spec| spec.request_payload), log.most(|s| s.response_payload));
        let called = !self.attempts.is_empty();
        let changed = self.request_payload.as_ref().filter(|payload| called && payload.is_changed());
        let sent = changed.zip(request).map(|(payload, most)| Piece::of(payload.bytes(), most));
        let changed = self.response_payload.as_ref().is_some_and(|payload| called && payload.is_changed());
        let received =
            log.received.filter(|_| changed).zip(response).map(|(body, most)| Piece::of(&body, most));
        add(LogPart::ReqPayload, Side::Request, request, log.request.map(|piece| *piece));
        add(LogPart::NativeReqPayload, Side::Request, request, sent);
        add(LogPart::NativeResPayload, Side::Response, response, received);
        add(LogPart::ResPayload, Side::Response, response, log.answer.map(|piece| *piece));
        Some(Box::new(Logged::new(parts)))
    }
}

/// Which headers are hidden.
struct Masks<'a> {
    specs: &'a [Arc<LogSpec>],
    credentials: &'a [HeaderName],
}

/// Hidden whatever anybody says.
const ALWAYS_MASKED: [&str; 6] =
    ["authorization", "proxy-authorization", "cookie", "set-cookie", "x-gateway-apikey", "x-api-key"];
const MASK: &str = "**************";

impl Masks<'_> {
    fn hide(&self, name: &str) -> bool {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        ALWAYS_MASKED.into_iter().any(is)
            || self.credentials.iter().any(|name| is(name.as_str()))
            || self.specs.iter().any(|spec| spec.masked.iter().any(|name| is(name.as_str())))
    }

    /// An object of all headers; values of the same name follow each other after a comma.
    fn json(&self, headers: &Headers) -> String {
        let mut object = Map::new();
        for (name, value) in headers.iter() {
            let value = if self.hide(name) { MASK.into() } else { value.to_text() };
            let known = object.keys().find(|known| known.eq_ignore_ascii_case(name)).cloned();
            match known.and_then(|known| object.get_mut(&known)) {
                // Writing to a String cannot fail.
                Some(Value::String(all)) => drop(write!(all, ", {value}")),
                _ => drop(object.insert(name.to_owned(), value.into())),
            }
        }
        Value::Object(object).to_string()
    }
}

/// A part of a message on its way into the event store.
#[derive(Debug)]
pub struct LoggedPart {
    pub part: LogPart,
    pub bytes: Bytes,
    /// Length of the whole, where this is only its beginning; else 0.
    pub total: u64,
    pub compress: bool,
}

/// All that is kept of a request.
#[derive(Debug)]
pub struct Logged {
    pub parts: Vec<LoggedPart>,
    size: usize,
}

/// Bytes that may wait to be stored, over all requests. Beyond, payloads are left out: memory comes first.
const MOST_WAITING: usize = 64 << 20;
static WAITING: AtomicUsize = AtomicUsize::new(0);

impl Logged {
    fn new(mut parts: Vec<LoggedPart>) -> Self {
        let size_of = |parts: &[LoggedPart]| parts.iter().map(|part| part.bytes.len()).sum::<usize>();
        if WAITING.load(Relaxed).saturating_add(size_of(&parts)) > MOST_WAITING {
            for part in parts.iter_mut().filter(|part| part.part.is_payload()) {
                part.total = part.total.max(part.bytes.len() as u64);
                part.bytes = Bytes::new();
            }
        }
        let size = size_of(&parts);
        WAITING.fetch_add(size, Relaxed);
        Self { parts, size }
    }

    /// Bytes that it holds.
    pub fn size(&self) -> usize {
        self.size
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        WAITING.fetch_sub(self.size, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header::AUTHORIZATION};

    use super::*;

    #[test]
    fn headers_are_an_object_without_credentials() {
        let spec = LogSpec {
            request_headers: true,
            request_payload: false,
            response_headers: false,
            response_payload: false,
            when: LogWhen::Always,
            compress: false,
            max_payload: 0,
            masked: vec![HeaderName::from_static("x-secret")],
        };
        let specs = [Arc::new(spec)];
        let credentials = [HeaderName::from_static("x-key")];
        let masks = Masks { specs: &specs, credentials: &credentials };
        let value = HeaderValue::from_static;
        let headers: Headers = [
            (AUTHORIZATION, value("Bearer a")),
            (HeaderName::from_static("x-key"), value("k")),
            (HeaderName::from_static("x-secret"), value("s")),
            (HeaderName::from_static("x-a"), value("1")),
            (HeaderName::from_static("x-a"), value("2")),
        ]
        .into_iter()
        .collect();
        assert_eq!(
            masks.json(&headers),
            r#"{"authorization":"**************","x-key":"**************","x-secret":"**************","x-a":"1, 2"}"#
        );
    }

    #[test]
    fn a_piece_is_the_beginning_and_knows_of_the_rest() {
        let mut piece = Piece::new(5);
        piece.push(b"abc");
        piece.push(b"defg");
        assert_eq!((&piece.bytes[..], piece.total), (&b"abcde"[..], 7));
    }
}
