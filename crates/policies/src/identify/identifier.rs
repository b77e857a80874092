//! What a rule finds out about a request.

use std::{future::Future, pin::Pin};

use engine::{Exchange, Reason, calls::CallRecord, keys::ApplicationIndex, language::Authorization};
use http::{HeaderName, HeaderValue, StatusCode};

/// One way to recognise an application.
pub(super) trait Identifier: Send + Sync {
    /// Looks at the request and changes nothing.
    fn identify<'a>(&'a self, exchange: &'a Exchange) -> Found<'a>;

    /// Takes out what must never go on, and what was used, if `verified`.
    fn strip(&self, _exchange: &mut Exchange, _verified: bool) {}

    /// Whether it has to see the body.
    fn looks_into_bodies(&self) -> bool {
        false
    }

    /// The header that carries what nobody else may see, if it is not one that is known for it.
    fn credential(&self) -> Option<HeaderName> {
        None
    }

    /// What a client is told to send, when it sends credentials at all.
    fn challenge(&self, _exchange: &Exchange) -> Option<HeaderValue> {
        None
    }

    /// The same where it was refused for this reason; `None` also where a client can do nothing about it.
    fn challenge_for(&self, exchange: &Exchange, reason: &'static Reason) -> Option<HeaderValue> {
        (reason.status == StatusCode::UNAUTHORIZED).then(|| self.challenge(exchange))?
    }
}

/// A finding, at once or later.
pub(super) enum Found<'a> {
    Now(Finding),
    Later(Pin<Box<dyn Future<Output = Late> + 'a>>),
}

/// A finding that somebody had to wait for, with the calls that were made for it.
pub(super) struct Late {
    pub finding: Finding,
    pub calls: Vec<CallRecord>,
}

impl From<Finding> for Late {
    fn from(finding: Finding) -> Self {
        Self { finding, calls: Vec::new() }
    }
}

/// What a rule found out.
#[derive(Debug)]
pub(super) enum Finding {
    /// The request has no credentials of this kind.
    Absent,
    /// It has, and they are wrong; the text is for the log.
    Wrong(&'static Reason, String),
    /// What it has is right, or needs no proof; these applications it belongs to, as they are written.
    Right {
        applications: Vec<ApplicationIndex>,
        proven: bool,
        who: Option<Box<Authorization>>,
        /// For the record.
        how: Option<String>,
    },
    /// It could not be found out.
    Failed(&'static Reason),
}

impl Finding {
    /// Credentials that are wrong; the text is for the log.
    pub fn wrong(reason: &'static Reason, detail: impl Into<String>) -> Self {
        Self::Wrong(reason, detail.into())
    }

    /// Says for the record how it was found out.
    pub fn how(mut self, text: String) -> Self {
        if let Self::Right { how, .. } = &mut self {
            *how = Some(text);
        }
        self
    }

    /// Credentials that were checked.
    pub fn proven(applications: Vec<ApplicationIndex>) -> Self {
        Self::Right { applications, proven: true, who: None, how: None }
    }

    /// The same, where they say more than which application calls.
    pub fn authenticated(who: Authorization, applications: Vec<ApplicationIndex>) -> Self {
        Self::Right { applications, proven: true, who: Some(Box::new(who)), how: None }
    }

    /// A property of the request, such as its address.
    pub fn property(applications: Vec<ApplicationIndex>) -> Self {
        Self::Right { applications, proven: false, who: None, how: None }
    }
}
