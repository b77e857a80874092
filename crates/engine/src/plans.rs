//! Plans and subscriptions, as requests see them: who may call which API, and how much.

use std::{collections::HashMap, num::NonZeroU32, sync::Arc};

use foldhash::fast::RandomState;
use model::plan::SubscriptionState;

use crate::keys::ApplicationIndex;

/// A plan.
#[derive(Debug)]
pub struct Plan {
    pub name: Box<str>,
    pub rate: Option<Rate>,
    pub quota: Option<PlanWindow>,
    pub stop_on_quota_reach: bool,
    /// What callers are told of the quota, in the header `RateLimit-Policy`.
    pub announced: Box<str>,
}

/// How fast requests may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Nanoseconds between two requests.
    pub interval: u64,
    /// Requests that may come at once.
    pub burst: u64,
}

/// How many requests there may be in a window of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanWindow {
    pub requests: NonZeroU32,
    pub length: PlanLength,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanLength {
    /// Nanoseconds.
    Every(u64),
    Months(u64),
}

/// An application may call an API by a plan.
#[derive(Debug, Clone)]
pub struct Subscription {
    pub plan: Arc<Plan>,
    pub state: SubscriptionState,
}

/// All subscriptions of a snapshot.
#[derive(Debug, Default)]
pub struct Subscriptions {
    /// By the name of the API, which stands for all its versions.
    pub(crate) by_api: HashMap<Box<str>, HashMap<ApplicationIndex, Subscription, RandomState>, RandomState>,
}

impl Subscriptions {
    pub fn find(&self, api: &str, application: ApplicationIndex) -> Option<&Subscription> {
        self.by_api.get(api)?.get(&application)
    }
}
