//! The life cycle of an API: its states, and which one may follow which.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where an API is in its life.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LifecycleDoc {
    /// The state that the API is in.
    pub state: LifecycleState,
    /// When it was deprecated, as in `2027-01-31T00:00:00Z`. Answers tell it in `Deprecation` (RFC 9745). A deprecated
    /// API needs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deprecated_at: Option<String>,
    /// When a deprecated API is retired, as in `2027-12-31T00:00:00Z`. Answers tell it in `Sunset` (RFC 8594), and from
    /// then on calls are answered with 410 `api_retired`. Default: not before somebody retires it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retire_at: Option<String>,
    /// URL of a page that tells callers what to do. Answers name it in `Link`, as `deprecation`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub information: Option<String>,
}

impl LifecycleDoc {
    /// For serde: what every API is in that says nothing.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The states of an API.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LifecycleState {
    /// It is being made: it is kept and not served, and what it refers to need not be there yet.
    Created,
    /// It is served to be tried out.
    PreReleased,
    /// It is served.
    #[default]
    Published,
    /// Calls are answered with 503 `api_blocked`.
    Blocked,
    /// It is served, and every answer says that it will go.
    Deprecated,
    /// It is kept and not served: calls are answered as if it were not there.
    Retired,
}

/// What can be done with an API in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LifecycleAction {
    /// Have it tried out.
    PreRelease,
    /// Have it used; also again.
    Publish,
    /// Back to where it began.
    Demote,
    /// Answer no calls for a while.
    Block,
    /// Say that it will go.
    Deprecate,
    /// Serve it no more, for good.
    Retire,
}

use LifecycleAction::{Block, Demote, Deprecate, PreRelease, Publish, Retire};
use LifecycleState::{Blocked, Created, Deprecated, PreReleased, Published, Retired};

/// Which state follows which, and by what. Nothing leads out of `retired` but a restored revision.
const TRANSITIONS: &[(LifecycleState, LifecycleAction, LifecycleState)] = &[
    (Created, PreRelease, PreReleased),
    (Created, Publish, Published),
    (PreReleased, Publish, Published),
    (PreReleased, Demote, Created),
    (Published, PreRelease, PreReleased),
    (Published, Demote, Created),
    (Published, Block, Blocked),
    (Published, Deprecate, Deprecated),
    (Blocked, Publish, Published),
    (Blocked, Deprecate, Deprecated),
    (Blocked, Retire, Retired),
    (Deprecated, Publish, Published),
    (Deprecated, Retire, Retired),
];

impl LifecycleState {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Created => "created",
            PreReleased => "preReleased",
            Published => "published",
            Blocked => "blocked",
            Deprecated => "deprecated",
            Retired => "retired",
        }
    }

    /// Whether calls find the API.
    pub const fn is_served(self) -> bool {
        !matches!(self, Created | Retired)
    }

    /// What can be done now, and what comes of it.
    pub fn actions(self) -> impl Iterator<Item = (LifecycleAction, Self)> {
        TRANSITIONS.iter().filter(move |(from, ..)| *from == self).map(|(_, action, to)| (*action, *to))
    }

    /// The action that leads from here to there.
    pub fn action_to(self, to: Self) -> Option<LifecycleAction> {
        self.actions().find_map(|(action, found)| (found == to).then_some(action))
    }

    /// What comes of an action.
    pub fn after(self, action: LifecycleAction) -> Option<Self> {
        self.actions().find_map(|(found, to)| (found == action).then_some(to))
    }
}

impl LifecycleAction {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            PreRelease => "preRelease",
            Publish => "publish",
            Demote => "demote",
            Block => "block",
            Deprecate => "deprecate",
            Retire => "retire",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [LifecycleState; 6] = [Created, PreReleased, Published, Blocked, Deprecated, Retired];

    #[test]
    fn an_action_leads_to_one_state_and_a_state_is_reached_by_one_action() {
        for from in STATES {
            let actions: Vec<_> = from.actions().collect();
            for (place, (action, to)) in actions.iter().enumerate() {
                assert_ne!(from, *to);
                assert!(!actions[..place].iter().any(|(other, at)| other == action || at == to), "{from:?}");
                assert_eq!((from.after(*action), from.action_to(*to)), (Some(*to), Some(*action)));
            }
        }
    }

    #[test]
    fn every_api_can_be_published_and_retired_and_nothing_leads_back_from_there() {
        assert_eq!(Retired.actions().count(), 0);
        for from in STATES.into_iter().filter(|state| *state != Retired) {
            let mut reached = vec![from];
            let mut next = 0;
            while let Some(state) = reached.get(next).copied() {
                next += 1;
                let found: Vec<_> = state.actions().map(|(_, to)| to).collect();
                reached.extend(found.into_iter().filter(|to| !reached.contains(to)).collect::<Vec<_>>());
            }
            assert!(reached.contains(&Retired), "{from:?}");
            assert!(reached.contains(&Published), "{from:?}");
        }
    }

    #[test]
    fn names_are_what_is_written() {
        for state in STATES {
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
            for (action, _) in state.actions() {
                assert_eq!(serde_json::to_value(action).unwrap(), action.name());
            }
        }
    }
}
