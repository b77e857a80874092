//! Reasons: why a request was refused or failed. The code is stable and public, the detail is for the log only.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use smallvec::SmallVec;

/// Where a failure came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The client's request was not acceptable.
    Client,
    /// The gateway refused or failed.
    Gateway,
    /// The native service refused, broke or was slow.
    Upstream,
}

/// Why a request was refused or failed. Declared once, as a static, next to the code that uses it.
#[derive(Debug)]
pub struct Reason {
    /// Stable code: snake_case, in answers, logs, events and metrics.
    pub code: &'static str,
    pub status: StatusCode,
    /// One sentence that the client may read.
    pub message: &'static str,
    pub origin: Origin,
    /// Whoever is refused for it has shown something wrong, and may be guessing: `settings.addressLock` counts it.
    pub counts_as_guess: bool,
}

impl Reason {
    pub const fn new(code: &'static str, status: StatusCode, message: &'static str) -> Self {
        let origin = if status.as_u16() < 500 { Origin::Client } else { Origin::Gateway };
        Self { code, status, message, origin, counts_as_guess: false }
    }

    pub const fn upstream(code: &'static str, status: StatusCode, message: &'static str) -> Self {
        Self { code, status, message, origin: Origin::Upstream, counts_as_guess: false }
    }

    /// The same for credentials that were wrong.
    #[must_use]
    pub const fn counted_as_guess(self) -> Self {
        Self { counts_as_guess: true, ..self }
    }
}

/// One thing that is wrong with a request, for the client to read: where, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// `query.limit`, `header.x-tenant`, `body/items/0/price`.
    pub location: Cow<'static, str>,
    /// What was expected there; never a value of the request.
    pub message: Cow<'static, str>,
}

/// Most problems that an answer names.
pub const MOST_PROBLEMS: usize = 10;

/// A request that is answered here, with an error.
#[derive(Debug)]
pub struct Rejection {
    pub reason: &'static Reason,
    /// Instead of the reason's status, where a setting says so.
    pub status: Option<StatusCode>,
    pub headers: SmallVec<[(HeaderName, HeaderValue); 2]>,
    /// For decision record and log; never for the client.
    pub detail: Option<Cow<'static, str>>,
    /// For the client, at most `MOST_PROBLEMS`.
    pub problems: Vec<Problem>,
}

impl Rejection {
    pub fn new(reason: &'static Reason) -> Box<Self> {
        Box::new(Self { reason, status: None, headers: SmallVec::new(), detail: None, problems: Vec::new() })
    }

    pub fn status(&self) -> StatusCode {
        self.status.unwrap_or(self.reason.status)
    }

    #[must_use]
    pub fn header(mut self: Box<Self>, name: HeaderName, value: HeaderValue) -> Box<Self> {
        self.headers.push((name, value));
        self
    }

    #[must_use]
    pub fn detail(mut self: Box<Self>, detail: impl Into<Cow<'static, str>>) -> Box<Self> {
        self.detail = Some(detail.into());
        self
    }

    #[must_use]
    pub fn problems(mut self: Box<Self>, problems: impl IntoIterator<Item = Problem>) -> Box<Self> {
        self.problems.extend(problems);
        self.problems.truncate(MOST_PROBLEMS);
        self
    }

    #[must_use]
    pub fn with_status(mut self: Box<Self>, status: StatusCode) -> Box<Self> {
        self.status = Some(status);
        self
    }
}

impl From<&'static Reason> for Box<Rejection> {
    fn from(reason: &'static Reason) -> Self {
        Rejection::new(reason)
    }
}

macro_rules! reasons {
    ($( $(#[$doc:meta])* $name:ident = $kind:ident($code:literal, $status:ident, $message:literal); )+) => {
        $( $(#[$doc])* pub static $name: Reason = Reason::$kind($code, StatusCode::$status, $message); )+

        /// Every reason that belongs to the gateway itself and to no policy, for the reference page.
        pub static GATEWAY_REASONS: &[&Reason] = &[$(&$name),+];
    };
}

reasons! {
    NO_SUCH_API = new("no_such_api", NOT_FOUND, "No API is published at this address.");
    API_BLOCKED = new("api_blocked", SERVICE_UNAVAILABLE, "The API is blocked for now.");
    API_RETIRED = new("api_retired", GONE, "The API was retired; there is no way back to it.");
    NO_SUCH_OPERATION = new("no_such_operation", NOT_FOUND, "The API has no operation with this path.");
    METHOD_NOT_ALLOWED = new("method_not_allowed", METHOD_NOT_ALLOWED, "The operation does not exist with this method.");
    ADDRESS_LOCKED = new("address_locked", FORBIDDEN, "Too many requests from this address failed to authenticate.");
    ADDRESS_DENIED = new("address_denied", FORBIDDEN, "Clients at this address are not served here.");
    BAD_PATH = new("bad_path", BAD_REQUEST, "The path is not valid: it has dot segments, or an encoding that is broken or hides a control character.");
    BAD_REQUEST = new("bad_request", BAD_REQUEST, "The request is not valid HTTP.");
    BAD_HOST = new("bad_host", BAD_REQUEST, "The request needs exactly one valid Host.");
    AMBIGUOUS_LENGTH = new("ambiguous_length", BAD_REQUEST, "The request says its length in more than one way.");
    REQUEST_LINE_TOO_LONG = new("request_line_too_long", URI_TOO_LONG, "The request line is longer than this gateway accepts.");
    HEADERS_TOO_LARGE = new("headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, "The request has more or larger headers than this gateway accepts.");
    BODY_TOO_LARGE = new("body_too_large", PAYLOAD_TOO_LARGE, "The request body is larger than this API accepts.");
    VERSION_NOT_SUPPORTED = new("version_not_supported", HTTP_VERSION_NOT_SUPPORTED, "This HTTP version is not supported.");
    REQUEST_TIMEOUT = new("request_timeout", REQUEST_TIMEOUT, "The request did not arrive in time.");
    CONNECT_REFUSED = new("connect_not_supported", METHOD_NOT_ALLOWED, "CONNECT is not supported.");
    EXPECTATION_FAILED = new("expectation_failed", EXPECTATION_FAILED, "The only expectation supported is 100-continue.");
    OVERLOADED = new("overloaded", SERVICE_UNAVAILABLE, "The gateway has more requests in progress than it may have.");
    INTERNAL_ERROR = new("internal_error", INTERNAL_SERVER_ERROR, "The gateway failed on this request.");
    NO_UPSTREAM = new("no_upstream", SERVICE_UNAVAILABLE, "The API has no native service configured.");
    UPSTREAM_SUSPENDED = new("upstream_suspended", SERVICE_UNAVAILABLE, "The native service is down; requests are refused until it is tried again.");
    CIRCUIT_OPEN = new("circuit_open", SERVICE_UNAVAILABLE, "The native service kept failing; requests are refused until it is tried again.");
    UPSTREAM_BUSY = new("upstream_busy", SERVICE_UNAVAILABLE, "The native service has as many connections as it may have.");
    UPSTREAM_UNREACHABLE = upstream("upstream_unreachable", BAD_GATEWAY, "The native service could not be reached.");
    UPSTREAM_BROKE = upstream("upstream_broke", BAD_GATEWAY, "The native service broke the connection before it had answered.");
    UPSTREAM_INVALID = upstream("upstream_invalid", BAD_GATEWAY, "The native service did not answer in valid HTTP.");
    UPSTREAM_TLS = upstream("upstream_tls", BAD_GATEWAY, "No trusted TLS connection to the native service could be made.");
    /// 502 as RFC 9209 has it for `destination_ip_prohibited`: to ask again would not help.
    PRIVATE_ADDRESS_REFUSED = new("private_address_refused", BAD_GATEWAY, "The native service is at an address that the gateway may not connect to.");
    UPSTREAM_CONNECT_TIMEOUT = upstream("upstream_connect_timeout", GATEWAY_TIMEOUT, "The native service did not accept a connection in time.");
    UPSTREAM_READ_TIMEOUT = upstream("upstream_read_timeout", GATEWAY_TIMEOUT, "The native service did not answer in time.");
    UPSTREAM_CUT_SHORT = upstream("upstream_cut_short", BAD_GATEWAY, "The native service broke off in the middle of its answer.");
    UPSTREAM_STALLED = upstream("upstream_stalled", GATEWAY_TIMEOUT, "The native service stopped in the middle of its answer.");
    /// Of an error that the upstream answered with, where the gateway speaks for it. The status is the upstream's.
    UPSTREAM_FAULT = upstream("upstream_fault", BAD_GATEWAY, "The native service answered with an error.");
    RESPONSE_TOO_LARGE = upstream("response_too_large", BAD_GATEWAY, "The native service's answer is larger than the policies of this API can look at.");
    CALL_NOT_POSSIBLE = new("call_not_possible", SERVICE_UNAVAILABLE, "A service that a policy needs cannot be called here.");
    CALL_TIMEOUT = upstream("call_timeout", GATEWAY_TIMEOUT, "A service that a policy needs did not answer in time.");
    CLIENT_GONE = new("client_gone", BAD_REQUEST, "The client went away before the answer was complete.");
    CALLBACK_NOT_SECURE = new("callback_not_secure", FORBIDDEN, "Callbacks are taken over HTTPS only.");
    CALLBACK_NOT_TRUSTED = new("callback_not_trusted", FORBIDDEN, "Callbacks are not taken from this address.");
    CALLBACK_UNKNOWN = new("callback_unknown", NOT_FOUND, "There is no callback at this address.");
    CALLBACK_EXPIRED = new("callback_expired", GONE, "The time in which the callback could be called is over.");
    CALLBACK_UPGRADE = new("callback_upgrade", BAD_REQUEST, "A callback cannot switch to another protocol.");
    /// 508 as RFC 5842 has it: what was asked for leads back to itself.
    CALLBACK_CIRCLE = new("callback_circle", LOOP_DETECTED, "The request is a callback that was led back to the gateway.");
    CALLBACK_REDIRECTED = upstream("callback_redirected", BAD_GATEWAY, "The client's callback URL leads elsewhere, and redirections of callbacks are not passed on.");
    UPGRADE_REFUSED = upstream("upgrade_refused", BAD_GATEWAY, "The native service did not accept the protocol upgrade.");
}
