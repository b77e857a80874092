//! What belongs to whom: an application to the user that it names in `portalUser`, and with it its keys and
//! subscriptions.

use std::sync::Arc;

use model::{ApplicationDoc, SubscriptionDoc};

use super::not_found;
use crate::{Assets, Held, Who, kind, rest::answer::Problem};

pub(super) fn application_of(held: &Held) -> Option<&ApplicationDoc> {
    held.parsed.typed.downcast_ref::<ApplicationDoc>()
}

pub(super) fn subscription_of(held: &Held) -> Option<&SubscriptionDoc> {
    held.parsed.typed.downcast_ref::<SubscriptionDoc>()
}

fn owns(who: &Who, held: &Held) -> bool {
    application_of(held).is_some_and(|doc| doc.portal_user.as_ref() == Some(&who.user))
}

/// The applications of somebody, by name.
pub(super) fn applications<'a>(assets: &'a Assets, who: &'a Who) -> impl Iterator<Item = &'a Arc<Held>> {
    let all = kind("application").into_iter().flat_map(|kind| assets.list(kind));
    all.filter(|held| owns(who, held))
}

/// An application of somebody.
pub(super) fn find_application<'a>(
    assets: &'a Assets,
    who: &Who,
    name: &str,
) -> Result<(&'a Arc<Held>, &'a ApplicationDoc), Problem> {
    let held = kind("application").and_then(|kind| assets.get(kind, name));
    let held = held.filter(|held| owns(who, held));
    held.and_then(|held| Some((held, application_of(held)?))).ok_or_else(|| not_found("application", name))
}

/// The subscriptions of an application, by name.
pub(super) fn subscriptions<'a>(
    assets: &'a Assets,
    application: &'a str,
) -> impl Iterator<Item = (&'a Arc<Held>, &'a SubscriptionDoc)> {
    let all = kind("subscription").into_iter().flat_map(|kind| assets.list(kind));
    all.filter_map(|held| Some((held, subscription_of(held)?)))
        .filter(move |(_, doc)| doc.application == application)
}

/// A subscription of an application of somebody.
pub(super) fn find_subscription<'a>(
    assets: &'a Assets,
    who: &Who,
    name: &str,
) -> Result<(&'a Arc<Held>, &'a SubscriptionDoc), Problem> {
    let held = kind("subscription").and_then(|kind| assets.get(kind, name));
    let found = held.and_then(|held| Some((held, subscription_of(held)?)));
    let own = found.filter(|(_, doc)| find_application(assets, who, &doc.application).is_ok());
    own.ok_or_else(|| not_found("subscription", name))
}
