//! Intervals: how long something is counted, and when the next one begins.

use std::num::NonZeroU16;

use engine::Timestamp;
use model::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rate_limit::counter::{SECOND, WEEK, Window};

/// How long something is counted before it starts over.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MonitorInterval {
    /// Units in an interval, up to 366 of them; 1 for units of the calendar.
    #[serde(default = "one")]
    length: NonZeroU16,
    /// Unit of the interval.
    unit: MonitorUnit,
}

fn one() -> NonZeroU16 {
    NonZeroU16::MIN
}

const MOST: u16 = 366;

/// A unit of time. Those of the calendar are in UTC; the others begin when the policy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MonitorUnit {
    Minute,
    Hour,
    Day,
    /// Seven days.
    Week,
    /// From Monday to Sunday.
    CalendarWeek,
    /// From the first day of the month to the last one.
    CalendarMonth,
}

/// The intervals of a policy.
#[derive(Debug, Clone, Copy)]
pub enum Span {
    /// So many nanoseconds since the policy began.
    Every(u64),
    Calendar(Window),
}

impl MonitorInterval {
    pub fn compile(self) -> Result<Span, Diagnostic> {
        let length = self.length.get();
        let (seconds, calendar) = match self.unit {
            MonitorUnit::Minute => (60, None),
            MonitorUnit::Hour => (3_600, None),
            MonitorUnit::Day => (86_400, None),
            MonitorUnit::Week => (604_800, None),
            MonitorUnit::CalendarWeek => (0, Some(Window::Every(WEEK))),
            MonitorUnit::CalendarMonth => (0, Some(Window::Months(1))),
        };
        let most = if calendar.is_some() { 1 } else { MOST };
        if length > most {
            let found = format!("found {length}, expected at most {most} with this unit");
            return Err(Diagnostic::error("length", found));
        }
        Ok(calendar.map_or(Span::Every(u64::from(length) * seconds * SECOND), Span::Calendar))
    }

    /// In words, for people.
    pub fn name(self) -> String {
        let unit = match self.unit {
            MonitorUnit::Minute => "minute",
            MonitorUnit::Hour => "hour",
            MonitorUnit::Day => "day",
            MonitorUnit::Week => "week",
            MonitorUnit::CalendarWeek => "calendar week",
            MonitorUnit::CalendarMonth => "calendar month",
        };
        match self.length.get() {
            1 => format!("1 {unit}"),
            length => format!("{length} {unit}s"),
        }
    }
}

impl Span {
    /// Where the interval that `now` is in begins and ends, when the first one began at `first`.
    pub fn around(self, first: Timestamp, now: Timestamp) -> (Timestamp, Timestamp) {
        match self {
            Self::Every(length) => {
                let passed = now.0.saturating_sub(first.0) / length * length;
                let start = first.0.saturating_add(passed);
                (Timestamp(start), Timestamp(start.saturating_add(length)))
            }
            // The first one begins when the policy does, and ends with the calendar.
            Self::Calendar(window) => {
                let end = now.0.saturating_add(window.at(now.0).1);
                (now, Timestamp(end))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 15 January 2026, 10:00, a Thursday.
    const START: u64 = 1_768_471_200;

    #[test]
    fn intervals_begin_with_the_policy_or_with_the_calendar() {
        const DAY: u64 = 86_400;
        for (interval, after, end) in [
            ("{unit: minute}", 0, 60),
            ("{unit: minute}", 60, 120),
            ("{unit: minute, length: 5}", 1_499, 1_500),
            ("{unit: hour}", 100, 3_600),
            ("{unit: day, length: 2}", DAY, 2 * DAY),
            ("{unit: week}", DAY, 7 * DAY),
            ("{unit: calendarWeek}", 0, 309_600),
            ("{unit: calendarWeek}", 309_600, 309_600 + 7 * DAY),
            ("{unit: calendarMonth}", 0, 1_432_800),
            ("{unit: calendarMonth}", 1_432_800, 1_432_800 + 28 * DAY),
        ] {
            let value = model::yaml::parse(interval).unwrap().value;
            let span = serde_json::from_value::<MonitorInterval>(value).unwrap().compile().unwrap();
            let at = |seconds: u64| Timestamp((START + seconds) * SECOND);
            assert_eq!(span.around(at(0), at(after)).1, at(end), "{interval} after {after}");
        }
    }
}
