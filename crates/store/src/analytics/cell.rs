//! What is counted of the requests of an API by an application in a minute, and how it adds up.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use super::Histogram;

/// A request that has ended.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// When it began, in milliseconds since 1970.
    pub at_ms: u64,
    /// As in `Orders:1.0`; empty when none was found.
    pub api: &'a str,
    /// Empty when none was identified.
    pub application: &'a str,
    pub status: u16,
    /// Code of the reason for which a policy or the gateway refused it.
    pub refused: Option<&'static str>,
    pub from_cache: bool,
    pub request_bytes: u64,
    pub response_bytes: u64,
    pub total_us: u64,
    pub provider_us: u64,
}

/// What is counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    pub requests: u64,
    /// Answers with a status of 400 to 499.
    pub client_errors: u64,
    /// Answers with a status of 500 and above.
    pub server_errors: u64,
    /// Answers from the cache.
    pub cache_hits: u64,
    pub request_bytes: u64,
    pub response_bytes: u64,
    /// Microseconds of all requests together.
    pub total_us: u64,
    /// The part of it that upstreams took.
    pub provider_us: u64,
    pub latency: Histogram,
    /// Requests that were refused, by the code of the reason.
    pub reasons: BTreeMap<Cow<'static, str>, u64>,
}

/// Reasons that are told apart in a cell; there are a few hundred in all.
const MOST_REASONS: usize = 64;

impl Cell {
    pub(super) fn add(&mut self, sample: &Sample<'_>) {
        self.requests += 1;
        self.client_errors += u64::from((400..500).contains(&sample.status));
        self.server_errors += u64::from(sample.status >= 500);
        self.cache_hits += u64::from(sample.from_cache);
        self.request_bytes = self.request_bytes.saturating_add(sample.request_bytes);
        self.response_bytes = self.response_bytes.saturating_add(sample.response_bytes);
        self.total_us = self.total_us.saturating_add(sample.total_us);
        self.provider_us = self.provider_us.saturating_add(sample.provider_us);
        self.latency.add(sample.total_us);
        if let Some(code) = sample.refused {
            if let Some(count) = self.reasons.get_mut(code) {
                *count += 1;
            } else if self.reasons.len() < MOST_REASONS {
                self.reasons.insert(Cow::Borrowed(code), 1);
            }
        }
    }

    /// Takes over everything of another one.
    pub fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.client_errors += other.client_errors;
        self.server_errors += other.server_errors;
        self.cache_hits += other.cache_hits;
        self.request_bytes = self.request_bytes.saturating_add(other.request_bytes);
        self.response_bytes = self.response_bytes.saturating_add(other.response_bytes);
        self.total_us = self.total_us.saturating_add(other.total_us);
        self.provider_us = self.provider_us.saturating_add(other.provider_us);
        self.latency.merge(&other.latency);
        for (code, count) in &other.reasons {
            *self.reasons.entry(code.clone()).or_default() += count;
        }
    }

    /// Requests that were refused, whatever for.
    pub fn refused(&self) -> u64 {
        self.reasons.values().sum()
    }
}
