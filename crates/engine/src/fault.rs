//! Faults: whether clients see the errors of upstreams, and errors before and after error handling changed them. How
//! the gateway writes an error is in [`document`].

mod document;

use std::borrow::Cow;

use bytes::Bytes;
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
};
use model::Diagnostic;

pub use document::ErrorDocument;

use crate::{
    Exchange, Headers, Payload, Reason,
    language::{Escape, LanguageCx, Template},
    reason,
};

/// What `settings.faults` says, compiled.
#[derive(Debug, Default)]
pub struct Faults {
    hide_native: bool,
    message: Option<Template>,
}

impl Faults {
    /// Checks and prepares it; problems carry paths inside the document.
    pub fn compile(doc: &model::settings::Faults, cx: &mut LanguageCx) -> Result<Self, Diagnostic> {
        let message = match &doc.default_message {
            Some(text) => {
                let message =
                    Template::compile_message(text, cx).map_err(|problem| problem.under("defaultMessage"))?;
                if message.needs().request_body {
                    return Err(Diagnostic::error(
                        "defaultMessage",
                        "found a variable of the request's body, which is not read for this",
                    )
                    .help("use it in a message of the policy conditionalErrorProcessing"));
                }
                Some(message)
            }
            None => None,
        };
        Ok(Self { hide_native: !doc.send_native_provider_fault, message })
    }

    /// Whether clients get the errors of upstreams as they are.
    pub fn send_native(&self) -> bool {
        !self.hide_native
    }

    /// Whether what the upstream says goes into the gateway's error.
    pub fn read_native(&self) -> bool {
        let needs = self.message.as_ref().map(Template::needs).unwrap_or_default();
        self.hide_native && (needs.error_body || needs.response_body)
    }

    /// The configured message of an error; it may have anything of the request in it.
    pub fn message<'e>(&'e self, exchange: &'e Exchange) -> Option<Cow<'e, str>> {
        self.message.as_ref().map(|message| message.render(exchange, Escape::None))
    }
}

/// An answer that is an error.
#[derive(Debug)]
pub struct Fault {
    pub status: StatusCode,
    pub headers: Headers,
    pub payload: Option<Payload>,
}

impl Exchange {
    /// Why the answer is an error: the gateway's reason, or that the upstream or what stands for it said so.
    pub fn fault(&self) -> Option<&'static Reason> {
        let is_error = || match self.attempts.last() {
            Some(last) => last.status >= 400,
            None => self.status.as_u16() >= 400,
        };
        self.reason.or_else(|| is_error().then_some(&reason::UPSTREAM_FAULT))
    }

    /// Whether the answer is an error of the upstream.
    pub fn has_native_fault(&self) -> bool {
        self.reason.is_none() && self.status.as_u16() >= 400 && !self.attempts.is_empty()
    }

    /// What the upstream says about its error, where it has been read and is not compressed.
    pub fn native_fault(&self) -> Option<&Payload> {
        let handled = self.extras().and_then(|extras| extras.fault.as_ref());
        let (status, headers, payload) = match handled {
            Some(fault) => (fault.status, &fault.headers, &fault.payload),
            None => (self.status, &self.response_headers, &self.response_payload),
        };
        let native = self.reason.is_none() && status.as_u16() >= 400 && !self.attempts.is_empty();
        payload.as_ref().filter(|_| native && headers.get(CONTENT_ENCODING).is_none())
    }

    /// The answer as it is, to be given back later.
    pub fn copy_fault(&self) -> Fault {
        Fault {
            status: self.status,
            headers: self.response_headers.clone(),
            payload: self.response_payload.clone(),
        }
    }

    /// Puts another answer in the place of this one, which is returned.
    pub fn swap_fault(&mut self, fault: Fault) -> Fault {
        Fault {
            status: std::mem::replace(&mut self.status, fault.status),
            headers: std::mem::replace(&mut self.response_headers, fault.headers),
            payload: std::mem::replace(&mut self.response_payload, fault.payload),
        }
    }

    /// Gives an error another body, and takes away the headers that describe the one before.
    pub fn set_error_body(&mut self, content_type: HeaderValue, body: impl Into<Bytes>) {
        self.response_headers.remove_of_body();
        self.response_headers.remove(CONTENT_LENGTH);
        self.response_headers.remove("etag");
        self.response_headers.remove("last-modified");
        self.response_headers.insert(CONTENT_TYPE, content_type);
        self.response_headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        self.response_payload.get_or_insert_default().replace(body.into());
    }

    /// Gives an error the gateway's own body, as the client accepts it.
    pub fn set_own_error_body(&mut self) {
        let document = ErrorDocument {
            status: self.status,
            reason: self.reason.unwrap_or(&reason::UPSTREAM_FAULT),
            message: self.snapshot.faults.message(self),
            problems: self.extras().map_or(&[], |extras| &extras.problems),
            id: self.id,
        };
        let (content_type, body) = document.render(self.inbound_accept().as_deref());
        self.set_error_body(HeaderValue::from_static(content_type), body);
    }

    /// Hides what the upstream says about its error when the settings ask for it. What error handling has decided
    /// about stays as it is.
    pub fn hide_native_fault(&mut self) {
        let handled = self.extras().is_some_and(|extras| extras.fault.is_some());
        if self.snapshot.faults.hide_native && self.has_native_fault() && !handled {
            self.set_own_error_body();
        }
    }
}
