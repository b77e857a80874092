//! Plans, by which applications may call an API, and subscriptions, which are an application, an API and a plan.

use std::num::{NonZeroU8, NonZeroU32};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Duration;

/// How much of an API a subscription may use. APIs name the plans that they offer in `plans`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanDoc {
    /// Unique name, by which APIs and subscriptions refer to the plan.
    pub name: String,
    /// What consumers see instead of the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// What the plan is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How fast requests may come. Default: as fast as the gateway takes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<PlanRate>,
    /// How many requests there may be in a window of the calendar. Default: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<PlanQuota>,
    /// Refuse requests when `quota` is used up. Otherwise they pass, and the headers tell the caller that nothing is left.
    /// `rate` is always kept to.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub stop_on_quota_reach: bool,
    /// Subscriptions that consumers ask for in the portal wait until somebody approves them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approval: bool,
    /// Names of the teams that manage it, when `settings.manager.enableTeamWork` is on. Default: everybody's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<String>,
}

/// How fast requests may come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanRate {
    /// Requests that may come in `window`, spread evenly.
    pub requests: NonZeroU32,
    /// Length of the window, 1ms to 366d. Default: 1s.
    #[serde(default = "second", skip_serializing_if = "is_second")]
    pub window: Duration,
    /// Requests that may come at once. Default: `requests`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<NonZeroU32>,
}

/// How many requests there may be in a window of the calendar, in UTC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanQuota {
    /// Requests in a window.
    pub requests: NonZeroU32,
    /// Unit of the window.
    pub per: PlanPeriod,
    /// Units in a window, 1 to 255. Default: 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub units: NonZeroU8,
}

/// A unit of the calendar. Weeks begin with Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PlanPeriod {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

impl PlanPeriod {
    /// As in `1000 requests per hour`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }
}

/// An application may call an API by a plan. It holds for all versions of the API, also where a version no longer
/// offers the plan: `plans` of an API says what new subscriptions can be had.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubscriptionDoc {
    /// Name of the application.
    pub application: String,
    /// Name of the API, without a version.
    pub api: String,
    /// Name of the plan.
    pub plan: String,
    /// Whether the application may call the API by it.
    #[serde(default, skip_serializing_if = "SubscriptionState::is_active")]
    pub state: SubscriptionState,
    /// What whoever asked for it, approved it or blocked it has to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Plan that the consumer wants to change to, once somebody approves it. Until then `plan` goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted_plan: Option<String>,
}

/// Whether an application may call an API by a subscription.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SubscriptionState {
    /// It may.
    #[default]
    Active,
    /// Not yet: somebody has to approve it.
    Pending,
    /// Not now: whoever manages the API has blocked it.
    Blocked,
    /// It was asked for and not approved.
    Rejected,
}

impl SubscriptionState {
    fn is_active(&self) -> bool {
        *self == Self::Active
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Blocked => "blocked",
            Self::Rejected => "rejected",
        }
    }
}

fn yes() -> bool {
    true
}

fn is_yes(value: &bool) -> bool {
    *value
}

fn second() -> Duration {
    Duration::from_secs(1)
}

fn is_second(duration: &Duration) -> bool {
    *duration == second()
}

fn one() -> NonZeroU8 {
    NonZeroU8::MIN
}

fn is_one(units: &NonZeroU8) -> bool {
    *units == NonZeroU8::MIN
}
