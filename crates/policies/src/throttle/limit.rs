//! Limits as they are written, and as they are counted.

use std::{
    num::{NonZeroU8, NonZeroU32},
    sync::Arc,
};

use model::{ByteSize, Diagnostic};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rate_limit::{
    RateLimitAlgorithm,
    counter::{MOST_BYTES, Quota, Window},
};

/// A quota: either `requests` or `bandwidth`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ThrottleLimit {
    /// Requests in a window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    requests: Option<NonZeroU32>,
    /// Bytes in a window: the bodies of requests and of answers, counted when a request has ended. Up to 16383GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bandwidth: Option<ByteSize>,
    /// Unit of the window.
    per: ThrottleUnit,
    /// Units in a window, 1 to 255.
    #[serde(default = "one")]
    units: NonZeroU8,
    /// Count over the time before this instant, estimated from the current and the previous window, instead of from
    /// the beginning of the calendar window. For `requests` up to 4194303, and not for months and years.
    #[serde(default)]
    sliding: bool,
}

fn one() -> NonZeroU8 {
    NonZeroU8::MIN
}

/// A unit of the calendar, in UTC. Weeks begin with Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ThrottleUnit {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// Requests that may come in a short time.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ThrottleBurst {
    /// Requests that may come at once.
    requests: NonZeroU32,
    /// Time after which as many may come again; they come back evenly.
    window: model::Duration,
}

/// A limit, ready to be counted.
pub struct Limit {
    pub quota: Quota,
    /// Bytes and not requests are counted.
    pub is_bytes: bool,
    /// Requests or bytes in a window.
    pub most: u64,
    /// What callers are told of it.
    pub announced: Box<str>,
    /// The same for people: `1000 requests`.
    pub named: Box<str>,
    /// The window, for people: `2 hours`.
    pub window: Arc<str>,
}

impl ThrottleLimit {
    pub fn compile(self) -> Result<Limit, Diagnostic> {
        let units = u64::from(self.units.get());
        let seconds = units
            * match self.per {
                ThrottleUnit::Minute => 60,
                ThrottleUnit::Hour => 3_600,
                ThrottleUnit::Day => 86_400,
                ThrottleUnit::Week => 604_800,
                ThrottleUnit::Month | ThrottleUnit::Year => 0,
            };
        let window = match self.per {
            ThrottleUnit::Month => Window::Months(units),
            ThrottleUnit::Year => Window::Months(units * 12),
            _ => Window::Every(seconds * 1_000_000_000),
        };
        let unit = match self.per {
            ThrottleUnit::Minute => "minute",
            ThrottleUnit::Hour => "hour",
            ThrottleUnit::Day => "day",
            ThrottleUnit::Week => "week",
            ThrottleUnit::Month => "month",
            ThrottleUnit::Year => "year",
        };
        let in_words = if units == 1 { format!("1 {unit}") } else { format!("{units} {unit}s") }.into();
        // Months differ, so that callers are told no length.
        let length = if seconds > 0 { format!(";w={seconds}") } else { String::new() };
        match (self.requests, self.bandwidth) {
            (Some(requests), None) => Ok(Limit {
                quota: if self.sliding {
                    sliding(requests, seconds)?
                } else {
                    Quota::requests(requests, window)
                },
                is_bytes: false,
                most: u64::from(requests.get()),
                named: format!("{requests} request{}", if requests.get() == 1 { "" } else { "s" }).into(),
                window: in_words,
                announced: format!("\"quota\";q={requests}{length}").into(),
            }),
            (None, Some(bandwidth)) => {
                let bytes = bandwidth.get();
                if bytes == 0 || bytes > MOST_BYTES {
                    let found = format!("found {bandwidth}, expected 1B to 16383GiB");
                    return Err(Diagnostic::error("bandwidth", found));
                }
                if self.sliding {
                    return Err(Diagnostic::error(
                        "sliding",
                        "found beside `bandwidth`, expected `requests`",
                    ));
                }
                Ok(Limit {
                    quota: Quota::bytes(bytes, window),
                    is_bytes: true,
                    most: bytes,
                    named: bandwidth.to_string().into(),
                    window: in_words,
                    announced: format!("\"quota\";q={bytes};qu=\"content-bytes\"{length}").into(),
                })
            }
            (None, None) => {
                Err(Diagnostic::error("", "found neither `requests` nor `bandwidth`, expected one"))
            }
            (Some(_), Some(_)) => {
                Err(Diagnostic::error("bandwidth", "found beside `requests`, expected one of the two")
                    .help("two policies limit by both"))
            }
        }
    }
}

fn sliding(requests: NonZeroU32, seconds: u64) -> Result<Quota, Diagnostic> {
    if seconds == 0 {
        return Err(Diagnostic::error(
            "sliding",
            "found with months or years, expected a unit of one length",
        ));
    }
    let window = model::Duration::from_secs(seconds);
    Quota::new(RateLimitAlgorithm::SlidingWindow, requests, window, None).map_err(|problem| {
        // The names of the fields are those of another policy.
        let field = if problem.path == "window" { "units" } else { "requests" };
        Diagnostic::error(field, problem.message)
    })
}

impl ThrottleBurst {
    pub fn compile(self) -> Result<Quota, Diagnostic> {
        Quota::new(RateLimitAlgorithm::TokenBucket, self.requests, self.window, None).map_err(|problem| {
            let field = if problem.path == "window" { "window" } else { "requests" };
            Diagnostic::error(field, problem.message)
        })
    }
}
