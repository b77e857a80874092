//! Questions about what requests add up to.

use std::collections::BTreeMap;

use super::{Cell, DAY, HOUR, MINUTE, Packed};

/// How long a bucket of time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Interval {
    /// The whole time is one.
    #[default]
    All,
    Minute,
    Hour,
    /// In UTC.
    Day,
}

/// What requests are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Grouping {
    #[default]
    Nothing,
    Api,
    Application,
    /// API and application.
    Both,
}

/// Which requests, and how they are added up.
#[derive(Debug, Clone, Default)]
pub struct AnalyticsQuery {
    /// From here on, in milliseconds since 1970. Where hours are asked for, from the beginning of that hour.
    pub from_ms: u64,
    /// Before this.
    pub to_ms: u64,
    pub interval: Interval,
    pub group: Grouping,
    /// Only this API: its name, or its name with a version.
    pub api: Option<String>,
    /// Only these APIs, as in `Orders:1.0`.
    pub apis: Option<Vec<String>>,
    /// Only these applications.
    pub applications: Option<Vec<String>>,
}

/// What some requests add up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnalyticsRow {
    /// When the bucket of time begins, in milliseconds since 1970.
    pub at_ms: u64,
    /// Empty where requests were not told apart by it, or found none.
    pub api: String,
    pub application: String,
    pub cell: Cell,
}

/// For so short a time minutes are read while they are there, whatever is asked for.
const SHORT: u64 = 6 * HOUR;

impl AnalyticsQuery {
    /// Whether minutes are read, of which the oldest is this one.
    pub(super) fn by_minute(&self, oldest: Option<u64>) -> bool {
        let short = self.to_ms.saturating_sub(self.from_ms) <= SHORT;
        self.interval == Interval::Minute || (short && oldest.is_some_and(|oldest| oldest <= self.from_ms))
    }

    fn bucket(&self, at: u64) -> u64 {
        match self.interval {
            Interval::All => self.from_ms,
            Interval::Minute => at / MINUTE * MINUTE,
            Interval::Hour => at / HOUR * HOUR,
            Interval::Day => at / DAY * DAY,
        }
    }
}

pub(super) fn add_up(query: &AnalyticsQuery, rows: Vec<(u64, Packed)>) -> Vec<AnalyticsRow> {
    let wanted =
        |names: &Option<Vec<String>>, name: &String| names.as_ref().is_none_or(|names| names.contains(name));
    let mut sums: BTreeMap<(u64, String, String), Cell> = BTreeMap::new();
    for (at, packed) in rows {
        let bucket = query.bucket(at);
        for (api, application, cell) in packed {
            let named = query.api.as_ref().is_none_or(|wanted| {
                api.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
            });
            if !named || !wanted(&query.apis, &api) || !wanted(&query.applications, &application) {
                continue;
            }
            let (api, application) = match query.group {
                Grouping::Nothing => (String::new(), String::new()),
                Grouping::Api => (api, String::new()),
                Grouping::Application => (String::new(), application),
                Grouping::Both => (api, application),
            };
            sums.entry((bucket, api, application)).or_default().merge(&cell);
        }
    }
    let rows = sums.into_iter().map(|((at_ms, api, application), cell)| AnalyticsRow {
        at_ms,
        api,
        application,
        cell,
    });
    rows.collect()
}
